# Rings, deque, scheduler: bench/bench_core prints one TSV row per case.
EXTRA_PROGRAMS += bench/bench_core

bench_bench_core_SOURCES = bench/bench_core.c
bench_bench_core_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/daemon
bench_bench_core_LDADD = libdaemon.a -lpthread
