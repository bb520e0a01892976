# The WebAssembly module in the engine, beside native kernels of the same vector width.
EXTRA_DIST += \
	bench/bench_wasm.c \
	bench/isa/fma128.h \
	bench/isa/store128.h \
	bench/wasm_plain.c \
	bench/wasm_v8.mjs

if WASM
if KERN_X86
EXTRA_LIBRARIES += bench/libkern_fma128.a bench/libkern_store128.a
bench_libkern_fma128_a_SOURCES = $(KERN_SOURCES)
bench_libkern_fma128_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/bench
bench_libkern_fma128_a_CFLAGS = $(KERN_CFLAGS) -mavx2 -mfma -mbmi2 -DKERN_ISA=fma128
bench_libkern_store128_a_SOURCES = \
	kernels/add_f32.c \
	kernels/add_i32.c \
	kernels/add_u8.c \
	kernels/mix_u32.c \
	kernels/mul_f32.c \
	kernels/mul_i32.c \
	kernels/mul_u8.c
bench_libkern_store128_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/bench
bench_libkern_store128_a_CFLAGS = $(KERN_CFLAGS) -msse4.2 -DKERN_ISA=store128

EXTRA_PROGRAMS += bench/bench_wasm
bench_bench_wasm_SOURCES = bench/bench_wasm.c $(WASM_ENGINE_SOURCES)
bench_bench_wasm_CPPFLAGS = $(BENCH_CPPFLAGS) $(WASMTIME_CPPFLAGS) \
	-DBENCH_WASM='"$(abs_top_builddir)/bench/kernels.wasm"'
bench_bench_wasm_LDADD = \
	bench/libkern_fma128.a bench/libkern_store128.a $(WASMTIME_LIB) $(BENCH_LIBS)
$(bench_bench_wasm_OBJECTS): | $(WASMTIME_LIB)
EXTRA_bench_bench_wasm_DEPENDENCIES = bench/kernels.wasm

# The kernels' module with plain loops for the same jobs.
bench/wasm_plain.o: bench/wasm_plain.c $(WASM_DEPS)
	@$(MKDIR_P) $(@D)
	$(AM_V_WASM)$(WASM_CC) $(WASM_CFLAGS) $(WASM_CPPFLAGS) -c -o $@ $<
bench/kernels.wasm: $(WASM_OBJECTS) bench/wasm_plain.o
	$(AM_V_WASM)$(WASM_LD) $(WASM_LINK_FLAGS) -o $@ $(WASM_OBJECTS) bench/wasm_plain.o
CLEANFILES += bench/wasm_plain.o bench/kernels.wasm
endif
endif
