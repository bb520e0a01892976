# Pool and cache: bench/bench_memory prints one TSV row per case and peer.
EXTRA_PROGRAMS += bench/bench_memory

bench_bench_memory_SOURCES = \
	bench/bench_memory.c \
	bench/cache_sim.c \
	bench/cache_sim.h
bench_bench_memory_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/daemon
bench_bench_memory_LDADD = libdaemon.a -lpthread -ldl
