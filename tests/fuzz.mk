# Fuzz targets: tests/fuzz/fuzz_X.c, with kept inputs in tests/fuzz/corpus/X. `make check` replays
# those; with --enable-fuzzers (clang) tests/fuzz/fuzz_X is the libFuzzer program, for example
#     tests/fuzz/fuzz_conf -max_total_time=60 NEW_INPUTS ../tests/fuzz/corpus/conf

FUZZ_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/daemon $(UV_CFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS)
FUZZ_CORPUS = $(abs_top_srcdir)/tests/fuzz/corpus

check_PROGRAMS += \
	tests/fuzz/replay_conf \
	tests/fuzz/replay_frame \
	tests/fuzz/replay_http \
	tests/fuzz/replay_json_job

tests_fuzz_replay_conf_SOURCES = tests/fuzz/fuzz_conf.c tests/fuzz/replay.c
tests_fuzz_replay_conf_CPPFLAGS = $(FUZZ_CPPFLAGS) -DREPLAY_CORPUS='"$(FUZZ_CORPUS)/conf"'
tests_fuzz_replay_conf_LDADD = $(DAEMON_LIBS)

tests_fuzz_replay_frame_SOURCES = tests/fuzz/fuzz_frame.c tests/fuzz/replay.c
tests_fuzz_replay_frame_CPPFLAGS = $(FUZZ_CPPFLAGS) -DREPLAY_CORPUS='"$(FUZZ_CORPUS)/frame"'
tests_fuzz_replay_frame_LDADD = $(DAEMON_LIBS)

tests_fuzz_replay_http_SOURCES = tests/fuzz/fuzz_http.c tests/fuzz/replay.c
tests_fuzz_replay_http_CPPFLAGS = $(FUZZ_CPPFLAGS) -DREPLAY_CORPUS='"$(FUZZ_CORPUS)/http"'
tests_fuzz_replay_http_LDADD = $(DAEMON_LIBS)

tests_fuzz_replay_json_job_SOURCES = tests/fuzz/fuzz_json_job.c tests/fuzz/replay.c
tests_fuzz_replay_json_job_CPPFLAGS = $(FUZZ_CPPFLAGS) -DREPLAY_CORPUS='"$(FUZZ_CORPUS)/json_job"'
tests_fuzz_replay_json_job_LDADD = $(DAEMON_LIBS)

# What the process looks at before it lets a module in.
FUZZ_MODULE_FILES = \
	tests/fuzz/fuzz_module.c \
	wasm/host/engine.c \
	wasm/host/module_check.c \
	wasm/host/reason.c
FUZZ_MODULE_CPPFLAGS = $(AM_CPPFLAGS) $(WASMTIME_CPPFLAGS)
FUZZ_MODULE_LIBS = $(KERN_LIBS) $(WASMTIME_LIB) -lpthread -ldl -lm
EXTRA_DIST += tests/fuzz/fuzz_module.c

if WASM
check_PROGRAMS += tests/fuzz/replay_module
tests_fuzz_replay_module_SOURCES = $(FUZZ_MODULE_FILES) tests/fuzz/replay.c
tests_fuzz_replay_module_CPPFLAGS = $(FUZZ_MODULE_CPPFLAGS) \
	-DREPLAY_CORPUS='"$(FUZZ_CORPUS)/module"'
tests_fuzz_replay_module_LDADD = $(FUZZ_MODULE_LIBS)
$(tests_fuzz_replay_module_OBJECTS): | $(WASMTIME_LIB)
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_module
tests_fuzz_fuzz_module_SOURCES = $(FUZZ_MODULE_FILES)
tests_fuzz_fuzz_module_CPPFLAGS = $(FUZZ_MODULE_CPPFLAGS)
tests_fuzz_fuzz_module_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_module_LDADD = $(FUZZ_MODULE_LIBS)
$(tests_fuzz_fuzz_module_OBJECTS): | $(WASMTIME_LIB)
endif
endif

if FUZZERS
noinst_PROGRAMS += \
	tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_frame \
	tests/fuzz/fuzz_http \
	tests/fuzz/fuzz_json_job

tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c
tests_fuzz_fuzz_conf_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_conf_LDADD = $(DAEMON_LIBS)

tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c
tests_fuzz_fuzz_frame_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_frame_LDADD = $(DAEMON_LIBS)

tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c
tests_fuzz_fuzz_http_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_http_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_http_LDADD = $(DAEMON_LIBS)

tests_fuzz_fuzz_json_job_SOURCES = tests/fuzz/fuzz_json_job.c
tests_fuzz_fuzz_json_job_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_json_job_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_json_job_LDADD = $(DAEMON_LIBS)
endif

EXTRA_DIST += tests/fuzz/corpus
