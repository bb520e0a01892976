sbin_PROGRAMS = daemon/simdd
noinst_LIBRARIES += libdaemon.a

# All rooms but main, so that tests link them too.
libdaemon_a_SOURCES = \
	daemon/admission.c \
	daemon/admission.h \
	daemon/alarm.c \
	daemon/alarm.h \
	daemon/arena.c \
	daemon/arena.h \
	daemon/backend.c \
	daemon/backend.h \
	daemon/base64.c \
	daemon/base64.h \
	daemon/batch.c \
	daemon/batch.h \
	daemon/buf.c \
	daemon/buf.h \
	daemon/cache.c \
	daemon/cache.h \
	daemon/cache_evict.c \
	daemon/cache_evict.h \
	daemon/cache_ghost.c \
	daemon/cache_ghost.h \
	daemon/cache_table.c \
	daemon/cache_table.h \
	daemon/call.c \
	daemon/call.h \
	daemon/clock.h \
	daemon/conf.c \
	daemon/conf.h \
	daemon/conf_file.c \
	daemon/conf_print.c \
	daemon/conf_units.c \
	daemon/conf_units.h \
	daemon/connection.c \
	daemon/connection.h \
	daemon/connection_answer.c \
	daemon/connection_arena.c \
	daemon/connection_call.c \
	daemon/connection_job.c \
	daemon/connection_module.c \
	daemon/connection_priv.h \
	daemon/connection_read.c \
	daemon/cost.c \
	daemon/cost.h \
	daemon/counters.def \
	daemon/cpus.c \
	daemon/cpus.h \
	daemon/daemon.c \
	daemon/daemon.h \
	daemon/daemon_open.c \
	daemon/daemon_priv.h \
	daemon/daemon_wasm.c \
	daemon/deque.c \
	daemon/deque.h \
	daemon/digest.c \
	daemon/digest.h \
	daemon/frame.c \
	daemon/frame.h \
	daemon/http.c \
	daemon/http.h \
	daemon/http_accept.c \
	daemon/http_accept.h \
	daemon/http_answer.c \
	daemon/http_guard.c \
	daemon/http_guard.h \
	daemon/http_listen.c \
	daemon/http_mhd.c \
	daemon/http_mhd.h \
	daemon/http_priv.h \
	daemon/http_target.c \
	daemon/http_target.h \
	daemon/injector.c \
	daemon/injector.h \
	daemon/job.c \
	daemon/job.h \
	daemon/json_array.c \
	daemon/json_array.h \
	daemon/json_job.h \
	daemon/json_job_call.c \
	daemon/json_job_members.c \
	daemon/json_job_parse.c \
	daemon/json_job_print.c \
	daemon/json_job_priv.h \
	daemon/json_job_shape.c \
	daemon/json_scan.c \
	daemon/json_scan.h \
	daemon/listener.c \
	daemon/listener.h \
	daemon/listener_bind.c \
	daemon/log.c \
	daemon/log.h \
	daemon/loop_spin.c \
	daemon/loop_spin.h \
	daemon/metrics.c \
	daemon/metrics.def \
	daemon/metrics.h \
	daemon/metrics_json.c \
	daemon/metrics_text.c \
	daemon/module.c \
	daemon/module_compiled.c \
	daemon/module_errand.c \
	daemon/module_errand.h \
	daemon/module_file.c \
	daemon/module_file.h \
	daemon/module_imports.c \
	daemon/module_imports.h \
	daemon/module_scan.c \
	daemon/module_store.c \
	daemon/module_store.h \
	daemon/module_store_priv.h \
	daemon/monitor.c \
	daemon/monitor.h \
	daemon/monitor_process.c \
	daemon/monitor_process.h \
	daemon/notify.c \
	daemon/notify.h \
	daemon/outq.c \
	daemon/outq.h \
	daemon/params.c \
	daemon/params.def \
	daemon/params.h \
	daemon/parking.c \
	daemon/parking.h \
	daemon/pipeline.c \
	daemon/pipeline.h \
	daemon/pipeline_job.c \
	daemon/pipeline_priv.h \
	daemon/pipeline_run.c \
	daemon/pipeline_wasm.c \
	daemon/pipeline_wasm.h \
	daemon/pipeline_wasm_split.c \
	daemon/pool.c \
	daemon/pool.h \
	daemon/pool_bound.c \
	daemon/pool_depot.c \
	daemon/pool_depot.h \
	daemon/pool_large.c \
	daemon/pool_large.h \
	daemon/pool_poison.h \
	daemon/pool_priv.h \
	daemon/ring.c \
	daemon/ring.h \
	daemon/ring_priv.h \
	daemon/scheduler.c \
	daemon/scheduler.h \
	daemon/scheduler_fork.c \
	daemon/scheduler_priv.h \
	daemon/scheduler_wait.c \
	daemon/segment.c \
	daemon/segment.h \
	daemon/wasm.c \
	daemon/wasm.h \
	daemon/wasm_module.c \
	daemon/wasm_priv.h \
	daemon/wasm_process.c \
	daemon/wasm_process.h \
	daemon/wasm_run.c \
	daemon/wasm_window.c
libdaemon_a_CPPFLAGS = $(AM_CPPFLAGS) \
	$(UV_CFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS) $(INIH_CFLAGS) $(XXHASH_CFLAGS) $(SYSTEMD_CFLAGS) \
	-DPKGLIBDIR='"$(pkglibdir)"' -DPKGLIBEXECDIR='"$(pkglibexecdir)"'

DAEMON_LIBS = libdaemon.a libproto.a $(KERN_LIBS) \
	$(UV_LIBS) $(MHD_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(XXHASH_LIBS) -lpthread -ldl

daemon_simdd_SOURCES = daemon/main.c
daemon_simdd_CPPFLAGS = $(libdaemon_a_CPPFLAGS)
daemon_simdd_CFLAGS = $(AM_CFLAGS) -fPIE
daemon_simdd_LDFLAGS = $(AM_LDFLAGS) -pie
daemon_simdd_LDADD = $(DAEMON_LIBS)
