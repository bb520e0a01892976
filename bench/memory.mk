# Pool and cache: bench/bench_memory.
EXTRA_PROGRAMS += bench/bench_memory

bench_bench_memory_SOURCES = \
	bench/bench_memory.c \
	bench/cache_sim.c \
	bench/cache_sim.h
bench_bench_memory_CPPFLAGS = $(BENCH_CPPFLAGS)
bench_bench_memory_LDADD = bench/libbench.a libdaemon.a -lpthread -ldl
