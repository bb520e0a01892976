# The kit for users' own modules: a header and two examples, for the compiler of the modules, not
# for this machine's; so they are data.

guestdir = $(pkgdatadir)/guest
dist_guest_DATA = wasm/guest/simdd.h
guestexamplesdir = $(guestdir)/examples
dist_guestexamples_DATA = \
	wasm/guest/examples/attention.c \
	wasm/guest/examples/sobel.c

if WASM_MODULE
# For the tests and the demo; built as docs/modules.md says, but for the linker, which is called by
# itself as wasm/local.mk does it.
GUEST_MODULES = \
	wasm/guest/examples/attention.wasm \
	wasm/guest/examples/sobel.wasm
noinst_DATA = $(GUEST_MODULES)

GUEST_CFLAGS = --target=wasm32 -std=c11 -O3 -msimd128 -mno-bulk-memory -mno-bulk-memory-opt \
	-Wall -Wextra -Wconversion -Wshadow -Wsign-conversion -Wundef $(WASM_WERROR)

wasm/guest/examples/%.wasm: wasm/guest/examples/%.c wasm/guest/simdd.h
	@$(MKDIR_P) $(@D)
	$(AM_V_WASM)$(WASM_CC) $(GUEST_CFLAGS) -I$(srcdir)/wasm/guest -c -o $@.o $< && \
		$(WASM_LD) --no-entry --stack-first --strip-all -o $@ $@.o && rm -f $@.o

CLEANFILES += $(GUEST_MODULES)
endif
