# Modules that nobody would want, for the suites and the fuzzer of everything that takes modules.

HOSTILE_FILES = \
	tests/wasm/hostile.h \
	tests/wasm/hostile_form.c \
	tests/wasm/hostile_run.c \
	tests/wasm/hostile_size.c \
	tests/wasm/wasm_build.c \
	tests/wasm/wasm_build.h
EXTRA_DIST += $(HOSTILE_FILES)

HOSTILE_BED = \
	$(HOSTILE_FILES) \
	tests/wasm_host.c \
	tests/wasm_host.h \
	tests/wasm_hostile.c \
	tests/wasm_hostile.h
EXTRA_DIST += \
	tests/wasm_hostile.c \
	tests/wasm_hostile.h

EXTRA_DIST += tests/test_modules_doc.sh
if WASM
check_SCRIPTS += tests/test_modules_doc.sh
if HAVE_CHECK
check_PROGRAMS += \
	tests/test_wasm_examples \
	tests/test_wasm_hostile \
	tests/test_wasm_window
tests_test_wasm_examples_SOURCES = tests/test_wasm_examples.c $(HOSTILE_BED)
tests_test_wasm_examples_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_wasm_examples_LDADD = $(KERN_LIBS) $(CHECK_LIBS) -lm
tests_test_wasm_hostile_SOURCES = tests/test_wasm_hostile.c $(HOSTILE_BED)
tests_test_wasm_hostile_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_wasm_hostile_LDADD = $(KERN_LIBS) $(CHECK_LIBS)
tests_test_wasm_window_SOURCES = tests/test_wasm_window.c $(HOSTILE_BED)
tests_test_wasm_window_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_wasm_window_LDADD = $(KERN_LIBS) $(CHECK_LIBS)
endif
endif
