# Suites of this area; see local.mk.
check_PROGRAMS += tests/test_pool
tests_test_pool_SOURCES = tests/test_pool.c
tests_test_pool_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_pool_LDADD = $(TEST_LIBS)
