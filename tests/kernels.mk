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
