# Rings, deque, scheduler: bench/bench_core.
EXTRA_PROGRAMS += bench/bench_core

bench_bench_core_SOURCES = bench/bench_core.c
bench_bench_core_CPPFLAGS = $(BENCH_CPPFLAGS)
bench_bench_core_LDADD = bench/libbench.a libdaemon.a -lpthread
