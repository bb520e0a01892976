# The whole daemon, beside servers of others and beside the bare thing.
EXTRA_PROGRAMS += \
	bench/bench_daemon \
	bench/echo_large \
	bench/echo_server \
	bench/http_server

bench_bench_daemon_SOURCES = \
	bench/bench_daemon.c \
	bench/bench_daemon.h \
	bench/bench_daemon_jobs.c \
	bench/bench_daemon_matmul.c \
	bench/bench_daemon_start.c \
	bench/bench_daemon_wasm.c \
	bench/bench_daemon_watch.c \
	bench/http_load.c \
	bench/http_load.h \
	bench/job_load.c \
	bench/job_load.h \
	bench/server.c \
	bench/server.h \
	bench/site.c \
	bench/site.h
bench_bench_daemon_CPPFLAGS = $(BENCH_CPPFLAGS)
bench_bench_daemon_LDADD = libctl.a libproto.a $(BENCH_LIBS)
# It starts these.
EXTRA_bench_bench_daemon_DEPENDENCIES = \
	bench/echo_large \
	bench/echo_server \
	bench/http_server \
	daemon/simdd

bench_echo_large_SOURCES = bench/echo_large.c
bench_echo_large_CPPFLAGS = $(BENCH_CPPFLAGS)

bench_echo_server_SOURCES = bench/echo_server.c
bench_echo_server_CPPFLAGS = $(BENCH_CPPFLAGS) $(UV_CFLAGS)
bench_echo_server_LDADD = $(UV_LIBS)

bench_http_server_SOURCES = bench/http_server.c
bench_http_server_CPPFLAGS = $(BENCH_CPPFLAGS) $(UV_CFLAGS) $(MHD_CFLAGS)
bench_http_server_LDADD = $(UV_LIBS) $(MHD_LIBS)
