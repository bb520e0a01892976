# Suites of this area; see local.mk.
check_PROGRAMS += \
	tests/test_shape \
	tests/test_frame \
	tests/test_json_job \
	tests/test_json_job_print \
	tests/test_json_job_refused \
	tests/test_arena

tests_test_shape_SOURCES = tests/test_shape.c
tests_test_shape_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_shape_LDADD = $(TEST_LIBS)

tests_test_frame_SOURCES = tests/test_frame.c
tests_test_frame_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_frame_LDADD = $(TEST_LIBS)

JSON_JOB_BED_SOURCES = tests/json_job_bed.c tests/json_job_bed.h

tests_test_json_job_SOURCES = tests/test_json_job.c $(JSON_JOB_BED_SOURCES)
tests_test_json_job_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_json_job_LDADD = $(TEST_LIBS)

tests_test_json_job_print_SOURCES = tests/test_json_job_print.c $(JSON_JOB_BED_SOURCES)
tests_test_json_job_print_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_json_job_print_LDADD = $(TEST_LIBS)

tests_test_json_job_refused_SOURCES = tests/test_json_job_refused.c $(JSON_JOB_BED_SOURCES)
tests_test_json_job_refused_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_json_job_refused_LDADD = $(TEST_LIBS)

tests_test_arena_SOURCES = tests/test_arena.c
tests_test_arena_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_arena_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_protocol_doc
tests_test_protocol_doc_SOURCES = tests/test_protocol_doc.c
tests_test_protocol_doc_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_protocol_doc_LDADD = $(TEST_LIBS)

check_SCRIPTS += tests/check_protocol_doc.sh
