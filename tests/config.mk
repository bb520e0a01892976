# Suites of the configuration, the log, systemd and the listening socket; see local.mk.

check_PROGRAMS += \
	tests/test_conf \
	tests/test_conf_file \
	tests/test_listener \
	tests/test_listener_bind \
	tests/test_log \
	tests/test_notify

tests_test_conf_SOURCES = tests/test_conf.c
tests_test_conf_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_conf_LDADD = $(TEST_LIBS)

tests_test_conf_file_SOURCES = tests/test_conf_file.c
tests_test_conf_file_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_conf_file_LDADD = $(TEST_LIBS)

tests_test_listener_SOURCES = tests/socket_dir.h tests/test_listener.c
tests_test_listener_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_listener_LDADD = $(TEST_LIBS)

tests_test_listener_bind_SOURCES = tests/socket_dir.h tests/test_listener_bind.c
tests_test_listener_bind_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_listener_bind_LDADD = $(TEST_LIBS)

tests_test_log_SOURCES = tests/test_log.c
tests_test_log_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_log_LDADD = $(TEST_LIBS)

tests_test_notify_SOURCES = tests/test_notify.c
tests_test_notify_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_notify_LDADD = $(TEST_LIBS)
