# The whole daemon over its real socket, by seam; see local.mk.

DAEMON_BED_SOURCES = \
	tests/daemon_bed.c \
	tests/daemon_bed.h \
	tests/daemon_client.c \
	tests/daemon_jobs.c \
	tests/daemon_jobs.h

check_PROGRAMS += \
	tests/test_daemon_frames

tests_test_daemon_frames_SOURCES = tests/test_daemon_frames.c $(DAEMON_BED_SOURCES)
tests_test_daemon_frames_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_daemon_frames_LDADD = $(TEST_LIBS)
