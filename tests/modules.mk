# Users' modules: calls, and the store that keeps them; see local.mk. json_job_bed is protocol.mk's.
check_PROGRAMS += \
	tests/test_call \
	tests/test_json_call \
	tests/test_module_imports \
	tests/test_module_store \
	tests/test_module_compiled

tests_test_call_SOURCES = tests/test_call.c
tests_test_call_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_call_LDADD = $(TEST_LIBS)

tests_test_json_call_SOURCES = tests/test_json_call.c $(JSON_JOB_BED_SOURCES)
tests_test_json_call_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_json_call_LDADD = $(TEST_LIBS)

tests_test_module_imports_SOURCES = tests/test_module_imports.c $(HOSTILE_FILES)
tests_test_module_imports_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_module_imports_LDADD = $(TEST_LIBS)

MODULE_STORE_BED_SOURCES = tests/module_store_bed.c tests/module_store_bed.h

tests_test_module_store_SOURCES = tests/test_module_store.c $(MODULE_STORE_BED_SOURCES)
tests_test_module_store_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_module_store_LDADD = $(TEST_LIBS)

tests_test_module_compiled_SOURCES = tests/test_module_compiled.c $(MODULE_STORE_BED_SOURCES)
tests_test_module_compiled_CPPFLAGS = $(TEST_CPPFLAGS)
tests_test_module_compiled_LDADD = $(TEST_LIBS)
