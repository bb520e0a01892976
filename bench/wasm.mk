# The WebAssembly module in the engine, beside native kernels of the same vector width.
EXTRA_DIST += \
	bench/bench_wasm.c \
	bench/isa/fma128.h \
	bench/wasm_v8.mjs

if WASM
if KERN_X86
EXTRA_LIBRARIES += bench/libkern_fma128.a
bench_libkern_fma128_a_SOURCES = $(KERN_SOURCES)
bench_libkern_fma128_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/bench
bench_libkern_fma128_a_CFLAGS = $(KERN_CFLAGS) -mavx2 -mfma -mbmi2 -DKERN_ISA=fma128

EXTRA_PROGRAMS += bench/bench_wasm
bench_bench_wasm_SOURCES = bench/bench_wasm.c $(WASM_ENGINE_SOURCES)
bench_bench_wasm_CPPFLAGS = $(BENCH_CPPFLAGS) $(WASMTIME_CPPFLAGS) $(KERNELS_WASM_CPPFLAGS)
bench_bench_wasm_LDADD = bench/libkern_fma128.a $(WASMTIME_LIB) $(BENCH_LIBS)
$(bench_bench_wasm_OBJECTS): | $(WASMTIME_LIB)
EXTRA_bench_bench_wasm_DEPENDENCIES = wasm/kernels.wasm
endif
endif
