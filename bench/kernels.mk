# Kernels on one thread, in process.
EXTRA_PROGRAMS += bench/bench_kernels

bench_bench_kernels_SOURCES = \
	bench/bench_kernels.c \
	bench/bench_kernels.h \
	bench/bench_kernels_conv2d.c \
	bench/bench_kernels_elements.c \
	bench/bench_kernels_matmul.c
bench_bench_kernels_CPPFLAGS = $(BENCH_CPPFLAGS)
bench_bench_kernels_LDADD = bench/libloops.a $(BENCH_LIBS)
