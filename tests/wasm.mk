# The process that runs WebAssembly, driven as the daemon drives it, with modules of its own.

EXTRA_DIST += \
	tests/wasm/guest.c \
	tests/wasm/whole.c

if WASM
TEST_MODULES = \
	tests/wasm/guest.wasm \
	tests/wasm/whole.wasm
check_DATA = $(TEST_MODULES)
CLEANFILES += $(TEST_MODULES)

tests/wasm/guest.wasm: tests/wasm/guest.c wasm/guest/simdd.h
	@$(MKDIR_P) $(@D)
	$(AM_V_WASM)$(WASM_CC) $(GUEST_CFLAGS) -I$(srcdir)/wasm/guest -c -o $@.o \
		$(srcdir)/tests/wasm/guest.c && \
		$(WASM_LD) --no-entry --stack-first -o $@ $@.o && rm -f $@.o

tests/wasm/whole.wasm: tests/wasm/whole.c
	@$(MKDIR_P) $(@D)
	$(AM_V_WASM)$(WASM_CC) --target=wasm32 -std=c11 -O2 -mbulk-memory -c -o $@.o \
		$(srcdir)/tests/wasm/whole.c && \
		$(WASM_LD) --no-entry --stack-first --initial-memory=4294967296 \
		--max-memory=4294967296 -o $@ $@.o && rm -f $@.o

check_PROGRAMS += \
	tests/test_wasm_start \
	tests/test_wasm_host \
	tests/test_wasm_guest \
	tests/test_wasm_op
tests_test_wasm_host_SOURCES = tests/test_wasm_host.c tests/wasm_host.c tests/wasm_host.h
tests_test_wasm_host_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_wasm_host_LDADD = $(KERN_LIBS) $(CHECK_LIBS)

tests_test_wasm_start_SOURCES = tests/test_wasm_start.c tests/wasm_host.c tests/wasm_host.h
tests_test_wasm_start_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_wasm_start_LDADD = $(KERN_LIBS) $(CHECK_LIBS)

tests_test_wasm_guest_SOURCES = tests/test_wasm_guest.c tests/wasm_host.c tests/wasm_host.h
tests_test_wasm_guest_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_wasm_guest_LDADD = $(KERN_LIBS) $(CHECK_LIBS)

tests_test_wasm_op_SOURCES = tests/test_wasm_op.c tests/wasm_host.c tests/wasm_host.h
tests_test_wasm_op_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_wasm_op_LDADD = $(KERN_LIBS) $(CHECK_LIBS)
endif
