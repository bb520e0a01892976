# Suites of this area; see local.mk.
check_PROGRAMS += tests/test_pool
tests_test_pool_SOURCES = tests/test_pool.c
tests_test_pool_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_pool_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_buf
tests_test_buf_SOURCES = tests/test_buf.c
tests_test_buf_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_buf_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_segment
tests_test_segment_SOURCES = tests/test_segment.c
tests_test_segment_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_segment_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_cache
tests_test_cache_SOURCES = tests/test_cache.c
tests_test_cache_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_cache_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_cost
tests_test_cost_SOURCES = tests/test_cost.c
tests_test_cost_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_cost_LDADD = $(TEST_LIBS)
