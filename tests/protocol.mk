# Suites of this area; see local.mk.
check_PROGRAMS += \
	tests/test_shape \
	tests/test_frame \
	tests/test_json_job \
	tests/test_arena

tests_test_shape_SOURCES = tests/test_shape.c
tests_test_shape_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_shape_LDADD = $(TEST_LIBS)

tests_test_frame_SOURCES = tests/test_frame.c
tests_test_frame_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_frame_LDADD = $(TEST_LIBS)

tests_test_json_job_SOURCES = tests/test_json_job.c
tests_test_json_job_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_json_job_LDADD = $(TEST_LIBS)

tests_test_arena_SOURCES = tests/test_arena.c
tests_test_arena_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_arena_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_protocol_doc
tests_test_protocol_doc_SOURCES = tests/test_protocol_doc.c
tests_test_protocol_doc_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_protocol_doc_LDADD = $(TEST_LIBS)

check_SCRIPTS += tests/check_protocol_doc.sh
