# The kernels as a WebAssembly module: the sources of KERN_SOURCES once for each ISA, and module.c.
# Nothing of the host's flags goes in.

EXTRA_DIST += \
	kernels/isa/wasm128.h \
	kernels/isa/wasm128r.h \
	wasm/README.md \
	wasm/include/string.h \
	wasm/module.c

if WASM_MODULE
wasmdir = $(pkglibdir)
wasm_DATA = wasm/kernels.wasm

# The linker is called by itself: clang would run a wasm-opt that it finds, and Debian's cannot read
# relaxed SIMD. -ffreestanding: no loop becomes a call of memcpy. -disable-lsr: loop strength
# reduction adds each constant to its pointer with an instruction of its own, where an access could
# hold it; add in L1 then takes 1.5 times as long.
WASM_CFLAGS = --target=wasm32-unknown-unknown -std=c11 -O3 -ffreestanding -nostdlibinc \
	-ffp-contract=off -fvisibility=hidden -mbulk-memory -msimd128 -mtail-call \
	-mllvm -disable-lsr \
	-Wall -Wextra -Wconversion -Wshadow -Wsign-conversion -Wundef $(WASM_WERROR)
WASM_CPPFLAGS = -I$(top_builddir) -I$(top_srcdir) -I$(top_srcdir)/wasm/include

# Window addresses: the module's memory is all 4 GiB, and the host maps what there is. Its stack
# lies at the bottom, so that running out of it is a trap.
WASM_LINK_FLAGS = --no-entry --strip-all --gc-sections --stack-first -z stack-size=65536 \
	--initial-memory=4294967296 --max-memory=4294967296 --fatal-warnings

WASM_KERNELS = $(filter %.c,$(KERN_SOURCES))
WASM_OBJECTS = \
	wasm/module.o \
	$(WASM_KERNELS:kernels/%.c=wasm/wasm128/%.o) \
	$(WASM_KERNELS:kernels/%.c=wasm/wasm128r/%.o)
WASM_DEPS = config.h $(top_srcdir)/wasm/local.mk $(top_srcdir)/wasm/host/task.h \
	$(top_srcdir)/wasm/include/string.h \
	$(wildcard $(top_srcdir)/kernels/*.h $(top_srcdir)/kernels/isa/wasm*.h \
	$(top_srcdir)/kernels/ops.def)

AM_V_WASM = $(am__v_WASM_@AM_V@)
am__v_WASM_ = $(am__v_WASM_@AM_DEFAULT_V@)
am__v_WASM_0 = @echo "  WASM    " $@;
am__v_WASM_1 =

wasm/wasm128/%.o: kernels/%.c $(WASM_DEPS)
	@$(MKDIR_P) $(@D)
	$(AM_V_WASM)$(WASM_CC) $(WASM_CFLAGS) $(WASM_CPPFLAGS) -DKERN_ISA=wasm128 \
		-c -o $@ $<
wasm/wasm128r/%.o: kernels/%.c $(WASM_DEPS)
	@$(MKDIR_P) $(@D)
	$(AM_V_WASM)$(WASM_CC) $(WASM_CFLAGS) $(WASM_CPPFLAGS) -mrelaxed-simd \
		-DKERN_ISA=wasm128r -c -o $@ $<
wasm/module.o: wasm/module.c $(WASM_DEPS)
	@$(MKDIR_P) $(@D)
	$(AM_V_WASM)$(WASM_CC) $(WASM_CFLAGS) $(WASM_CPPFLAGS) -c -o $@ $<
wasm/kernels.wasm: $(WASM_OBJECTS)
	$(AM_V_WASM)$(WASM_LD) $(WASM_LINK_FLAGS) -o $@ $(WASM_OBJECTS)

CLEANFILES += $(WASM_OBJECTS) wasm/kernels.wasm
endif
