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
BENCH_LIBS = bench/libbench.a $(KERN_LIBS) -lm -lpthread -ldl

include bench/core.mk
include bench/memory.mk
include bench/kernels.mk
include bench/daemon.mk
include bench/wasm.mk

# The folder is called so too.
.PHONY: bench
bench: $(EXTRA_PROGRAMS)

CLEANFILES += $(EXTRA_PROGRAMS) $(EXTRA_LIBRARIES) bench/filter2d.so
EXTRA_DIST += \
	bench/README.md \
	bench/filter2d.cpp \
	bench/run
