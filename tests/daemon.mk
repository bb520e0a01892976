# The whole daemon over its real socket, by seam; see local.mk.

DAEMON_BED_SOURCES = \
	tests/daemon_arenas.c \
	tests/daemon_arenas.h \
	tests/daemon_bed.c \
	tests/daemon_bed.h \
	tests/daemon_client.c \
	tests/daemon_jobs.c \
	tests/daemon_jobs.h

check_PROGRAMS += \
	tests/test_daemon_frames \
	tests/test_daemon_json \
	tests/test_daemon_arenas \
	tests/test_daemon_arenas_held \
	tests/test_daemon_clients \
	tests/test_daemon_limits \
	tests/test_daemon_jobs \
	tests/test_daemon_process \
	tests/test_daemon_signals

if WITH_SYSTEMD
check_SCRIPTS += tests/test_socket_activation.sh
endif
EXTRA_DIST += tests/test_socket_activation.sh

tests_test_daemon_frames_SOURCES = tests/test_daemon_frames.c $(DAEMON_BED_SOURCES)
tests_test_daemon_frames_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_frames_LDADD = $(TEST_LIBS)

tests_test_daemon_json_SOURCES = tests/test_daemon_json.c $(DAEMON_BED_SOURCES)
tests_test_daemon_json_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_json_LDADD = $(TEST_LIBS)

tests_test_daemon_arenas_SOURCES = tests/test_daemon_arenas.c $(DAEMON_BED_SOURCES)
tests_test_daemon_arenas_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_arenas_LDADD = $(TEST_LIBS)

tests_test_daemon_arenas_held_SOURCES = tests/test_daemon_arenas_held.c $(DAEMON_BED_SOURCES)
tests_test_daemon_arenas_held_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_arenas_held_LDADD = $(TEST_LIBS)

tests_test_daemon_clients_SOURCES = tests/test_daemon_clients.c $(DAEMON_BED_SOURCES)
tests_test_daemon_clients_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_clients_LDADD = $(TEST_LIBS)

tests_test_daemon_limits_SOURCES = tests/test_daemon_limits.c $(DAEMON_BED_SOURCES)
tests_test_daemon_limits_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_limits_LDADD = $(TEST_LIBS)

tests_test_daemon_jobs_SOURCES = tests/test_daemon_jobs.c $(DAEMON_BED_SOURCES)
tests_test_daemon_jobs_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_jobs_LDADD = $(TEST_LIBS)

tests_test_daemon_process_SOURCES = tests/test_daemon_process.c $(DAEMON_BED_SOURCES)
tests_test_daemon_process_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_process_LDADD = $(TEST_LIBS)

tests_test_daemon_signals_SOURCES = tests/test_daemon_signals.c $(DAEMON_BED_SOURCES)
tests_test_daemon_signals_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_signals_LDADD = $(TEST_LIBS)

if WASM
check_PROGRAMS += \
	tests/test_daemon_wasm \
	tests/test_daemon_calls \
	tests/test_daemon_modules \
	tests/test_daemon_hostile
endif
tests_test_daemon_calls_SOURCES = \
	tests/test_daemon_calls.c \
	tests/daemon_modules.c \
	tests/daemon_modules.h \
	$(HOSTILE_FILES) \
	$(DAEMON_BED_SOURCES)
tests_test_daemon_calls_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_calls_LDADD = $(TEST_LIBS)

tests_test_daemon_wasm_SOURCES = \
	tests/test_daemon_wasm.c \
	tests/daemon_modules.c \
	tests/daemon_modules.h \
	$(DAEMON_BED_SOURCES)
tests_test_daemon_wasm_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_wasm_LDADD = $(TEST_LIBS)

tests_test_daemon_modules_SOURCES = \
	tests/test_daemon_modules.c \
	tests/daemon_hostile.c \
	tests/daemon_hostile.h \
	tests/daemon_modules.c \
	tests/daemon_modules.h \
	$(HOSTILE_FILES) \
	$(DAEMON_BED_SOURCES)
tests_test_daemon_modules_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_modules_LDADD = $(TEST_LIBS)

tests_test_daemon_hostile_SOURCES = \
	tests/test_daemon_hostile.c \
	tests/daemon_hostile.c \
	tests/daemon_hostile.h \
	tests/daemon_modules.c \
	tests/daemon_modules.h \
	$(HOSTILE_FILES) \
	$(DAEMON_BED_SOURCES)
tests_test_daemon_hostile_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_hostile_LDADD = $(TEST_LIBS)
