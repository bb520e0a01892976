# Suites of this area; see local.mk.
check_PROGRAMS += \
	tests/test_ring \
	tests/test_deque \
	tests/test_injector \
	tests/test_parking \
	tests/test_scheduler \
	tests/test_scheduler_fork \
	tests/test_scheduler_ranges \
	tests/test_cpus

tests_test_ring_SOURCES = tests/test_ring.c
tests_test_ring_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_ring_LDADD = $(TEST_LIBS)

tests_test_deque_SOURCES = tests/test_deque.c
tests_test_deque_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_deque_LDADD = $(TEST_LIBS)

tests_test_injector_SOURCES = tests/test_injector.c
tests_test_injector_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_injector_LDADD = $(TEST_LIBS)

tests_test_parking_SOURCES = tests/test_parking.c
tests_test_parking_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_parking_LDADD = $(TEST_LIBS)

SCHEDULER_BED_SOURCES = tests/scheduler_bed.c tests/scheduler_bed.h

tests_test_scheduler_SOURCES = tests/test_scheduler.c $(SCHEDULER_BED_SOURCES)
tests_test_scheduler_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_scheduler_LDADD = $(TEST_LIBS)

tests_test_scheduler_fork_SOURCES = tests/test_scheduler_fork.c $(SCHEDULER_BED_SOURCES)
tests_test_scheduler_fork_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_scheduler_fork_LDADD = $(TEST_LIBS)

tests_test_scheduler_ranges_SOURCES = tests/test_scheduler_ranges.c $(SCHEDULER_BED_SOURCES)
tests_test_scheduler_ranges_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_scheduler_ranges_LDADD = $(TEST_LIBS)

tests_test_cpus_SOURCES = tests/test_cpus.c
tests_test_cpus_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_cpus_LDADD = $(TEST_LIBS)
