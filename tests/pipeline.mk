# Admission, batches and the pipeline: a job's walk without a socket.

check_PROGRAMS += \
	tests/test_admission \
	tests/test_batch \
	tests/test_alarm \
	tests/test_loop_spin \
	tests/test_pipeline

tests_test_admission_SOURCES = tests/test_admission.c
tests_test_admission_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_admission_LDADD = $(TEST_LIBS)

tests_test_alarm_SOURCES = tests/test_alarm.c
tests_test_alarm_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_alarm_LDADD = $(TEST_LIBS)

tests_test_loop_spin_SOURCES = tests/test_loop_spin.c
tests_test_loop_spin_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_loop_spin_LDADD = $(TEST_LIBS)

tests_test_batch_SOURCES = tests/test_batch.c
tests_test_batch_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_batch_LDADD = $(TEST_LIBS)

tests_test_pipeline_SOURCES = tests/test_pipeline.c
tests_test_pipeline_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_pipeline_LDADD = $(TEST_LIBS)
