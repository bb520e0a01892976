# Needs no Check: it also runs under qemu, where only the kernels are built.
check_PROGRAMS += tests/test_kernels
KERNELS_TEST_SOURCES = \
	tests/kernels_case.c \
	tests/kernels_case.h \
	tests/kernels_conv2d.c \
	tests/kernels_elements.c \
	tests/kernels_fill.c \
	tests/kernels_fill.h \
	tests/kernels_matmul.c \
	tests/kernels_place.c \
	tests/kernels_place.h \
	tests/kernels_tables.h \
	tests/test_kernels.c
tests_test_kernels_SOURCES = $(KERNELS_TEST_SOURCES) tests/kernels_native.c
tests_test_kernels_LDADD = $(KERN_LIBS)

if WASM_MODULE
if HAVE_CHECK
check_PROGRAMS += tests/test_kernels_module
tests_test_kernels_module_SOURCES = tests/test_kernels_module.c tests/suite.h
tests_test_kernels_module_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(KERNELS_WASM_CPPFLAGS)
tests_test_kernels_module_LDADD = $(CHECK_LIBS)
EXTRA_tests_test_kernels_module_DEPENDENCIES = wasm/kernels.wasm
endif
endif
EXTRA_DIST += tests/test_kernels_module.c
KERNELS_WASM_CPPFLAGS = -DKERNELS_WASM='"$(abs_top_builddir)/wasm/kernels.wasm"'

# The same cases in the engine. Not with sanitizers: its handlers and stacks are not theirs.
WASM_ENGINE_SOURCES = \
	tests/wasm_engine.c \
	tests/wasm_engine.h \
	wasm/host/engine.c \
	wasm/host/engine.h
if WASM
if !SANITIZED
check_PROGRAMS += tests/test_kernels_wasm
tests_test_kernels_wasm_SOURCES = \
	$(KERNELS_TEST_SOURCES) \
	tests/kernels_wasm.c \
	$(WASM_ENGINE_SOURCES)
tests_test_kernels_wasm_CPPFLAGS = $(AM_CPPFLAGS) $(WASMTIME_CPPFLAGS) \
	$(KERNELS_WASM_CPPFLAGS)
tests_test_kernels_wasm_LDADD = $(KERN_LIBS) $(WASMTIME_LIB) -lpthread -ldl -lm
$(tests_test_kernels_wasm_OBJECTS): | $(WASMTIME_LIB)
EXTRA_tests_test_kernels_wasm_DEPENDENCIES = wasm/kernels.wasm
endif
endif
EXTRA_DIST += tests/kernels_wasm.c tests/wasm_engine.c tests/wasm_engine.h
