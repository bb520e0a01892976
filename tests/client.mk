# Suites of this area; see local.mk.

CLIENT_TEST_LIBS = client/libsimdd.la $(TEST_LIBS)

check_PROGRAMS += tests/test_client
tests_test_client_SOURCES = \
	tests/client_bed.h \
	tests/fake_daemon.c \
	tests/fake_daemon.h \
	tests/test_client.c
tests_test_client_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_client_LDFLAGS = $(AM_LDFLAGS) -static
tests_test_client_LDADD = $(CLIENT_TEST_LIBS)
