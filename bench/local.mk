# Benchmarks. `make bench` builds them, bench/run runs them; `make all` leaves them alone.

EXTRA_PROGRAMS =
EXTRA_LIBRARIES = bench/libbench.a bench/libloops.a

bench_libbench_a_SOURCES = \
	bench/blas.c \
	bench/blas.h \
	bench/kernel_call.c \
	bench/kernel_call.h \
	bench/tsv.c \
	bench/tsv.h
bench_libbench_a_CPPFLAGS = $(BENCH_CPPFLAGS)

# What a compiler makes of plain loops, and the limit of multiply-adds, on this very machine.
bench_libloops_a_SOURCES = \
	bench/loops.c \
	bench/loops.h \
	bench/peak.c
bench_libloops_a_CPPFLAGS = $(BENCH_CPPFLAGS)
bench_libloops_a_CFLAGS = $(BASE_CFLAGS) -O3 -march=native

BENCH_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/daemon
BENCH_LIBS = bench/libbench.a bench/libloops.a $(KERN_LIBS) -lm -lpthread -ldl

include bench/core.mk
include bench/memory.mk

EXTRA_PROGRAMS += bench/bench_kernels
bench_bench_kernels_SOURCES = \
	bench/bench_kernels.c \
	bench/bench_kernels.h \
	bench/bench_kernels_conv2d.c \
	bench/bench_kernels_elements.c \
	bench/bench_kernels_matmul.c
bench_bench_kernels_CPPFLAGS = $(BENCH_CPPFLAGS)
bench_bench_kernels_LDADD = $(BENCH_LIBS)

# The folder is called so too.
.PHONY: bench
bench: $(EXTRA_PROGRAMS)

CLEANFILES += $(EXTRA_PROGRAMS) $(EXTRA_LIBRARIES)
EXTRA_DIST += \
	bench/README.md \
	bench/filter2d.cpp \
	bench/run
