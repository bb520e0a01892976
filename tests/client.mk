# Suites of this area; see local.mk.

CLIENT_TEST_LIBS = libctl.a client/libsimdd.la $(TEST_LIBS) $(PNG_LIBS)

check_PROGRAMS += tests/test_client
tests_test_client_SOURCES = \
	tests/client_bed.h \
	tests/fake_daemon.c \
	tests/fake_daemon.h \
	tests/test_client.c
tests_test_client_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_client_LDFLAGS = $(AM_LDFLAGS) -static
tests_test_client_LDADD = $(CLIENT_TEST_LIBS)

check_PROGRAMS += tests/test_client_breaks
tests_test_client_breaks_SOURCES = \
	tests/client_bed.h \
	tests/fake_daemon.c \
	tests/fake_daemon.h \
	tests/test_client_breaks.c
tests_test_client_breaks_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_client_breaks_LDFLAGS = $(AM_LDFLAGS) -static
tests_test_client_breaks_LDADD = $(CLIENT_TEST_LIBS)

check_PROGRAMS += tests/test_client_memory
tests_test_client_memory_SOURCES = \
	tests/client_bed.h \
	tests/fake_daemon.c \
	tests/fake_daemon.h \
	tests/test_client_memory.c
tests_test_client_memory_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_client_memory_LDFLAGS = $(AM_LDFLAGS) -static
tests_test_client_memory_LDADD = $(CLIENT_TEST_LIBS)

check_PROGRAMS += tests/test_client_functions
tests_test_client_functions_SOURCES = \
	tests/client_bed.h \
	tests/fake_daemon.c \
	tests/fake_daemon.h \
	tests/test_client_functions.c
tests_test_client_functions_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_client_functions_LDFLAGS = $(AM_LDFLAGS) -static
tests_test_client_functions_LDADD = $(CLIENT_TEST_LIBS)

check_PROGRAMS += tests/test_npy
tests_test_npy_SOURCES = tests/test_npy.c
tests_test_npy_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_npy_LDFLAGS = $(AM_LDFLAGS) -static
tests_test_npy_LDADD = $(CLIENT_TEST_LIBS)

check_PROGRAMS += tests/test_files
tests_test_files_SOURCES = tests/test_files.c
tests_test_files_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_files_LDFLAGS = $(AM_LDFLAGS) -static
tests_test_files_LDADD = $(CLIENT_TEST_LIBS)

check_SCRIPTS += tests/test_simdctl.sh

# The whole daemon; daemon_bed is daemon.mk's.
check_PROGRAMS += tests/test_client_daemon
tests_test_client_daemon_SOURCES = \
	tests/daemon_bed.c \
	tests/daemon_bed.h \
	tests/daemon_client.c \
	tests/test_client_daemon.c
tests_test_client_daemon_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_client_daemon_LDFLAGS = $(AM_LDFLAGS) -static
tests_test_client_daemon_LDADD = $(CLIENT_TEST_LIBS)
