# Suites of the monitor, its printed forms and HTTP.
check_PROGRAMS += \
	tests/test_monitor \
	tests/test_metrics \
	tests/test_http_parts \
	tests/test_http \
	tests/test_http_guard \
	tests/test_http_connections

tests_test_monitor_SOURCES = tests/test_monitor.c
tests_test_monitor_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_monitor_LDADD = $(TEST_LIBS)

tests_test_metrics_SOURCES = tests/test_metrics.c tests/exposition.c tests/exposition.h
tests_test_metrics_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_metrics_LDADD = $(TEST_LIBS)

tests_test_http_parts_SOURCES = tests/test_http_parts.c
tests_test_http_parts_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_http_parts_LDADD = $(TEST_LIBS)

HTTP_BED_SOURCES = tests/http_bed.c tests/http_bed.h

tests_test_http_SOURCES = tests/test_http.c $(HTTP_BED_SOURCES)
tests_test_http_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_http_LDADD = $(TEST_LIBS)

tests_test_http_guard_SOURCES = tests/test_http_guard.c $(HTTP_BED_SOURCES)
tests_test_http_guard_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_http_guard_LDADD = $(TEST_LIBS)

tests_test_http_connections_SOURCES = tests/test_http_connections.c $(HTTP_BED_SOURCES)
tests_test_http_connections_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_http_connections_LDADD = $(TEST_LIBS)
