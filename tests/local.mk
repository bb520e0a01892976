# Suites, from simple to whole daemon, so that the first failure is the cause.

TESTS += $(check_PROGRAMS) $(check_SCRIPTS)
TEST_EXTENSIONS = .sh
EXTRA_DIST += $(check_SCRIPTS) tests/suite.h tests/valgrind.sh tests/valgrind.supp

# Scripts among the tests find both trees, and the compiler, here.
AM_TESTS_ENVIRONMENT = \
	abs_top_builddir='$(abs_top_builddir)'; \
	abs_top_srcdir='$(abs_top_srcdir)'; \
	CC='$(CC)'; \
	MAKE='$(MAKE)'; \
	SAN_CFLAGS='$(SAN_CFLAGS)'; \
	TREE_CPPFLAGS='$(TEST_CPPFLAGS)'; \
	export abs_top_builddir abs_top_srcdir CC MAKE SAN_CFLAGS TREE_CPPFLAGS;

include tests/kernels.mk
if !KERNELS_ONLY
include tests/hostile.mk
check_SCRIPTS += \
	tests/check_install.sh \
	tests/check_rules.sh \
	tests/check_systemd.sh \
	tests/check_tree.sh
EXTRA_DIST += tests/simdd.rules_test.yml
include tests/fuzz.mk
endif
if HAVE_CHECK
# A build without Check leaves the suites out, and so could not make the tarball.
check_SCRIPTS += tests/check_dist.sh
include tests/core.mk
include tests/memory.mk
include tests/protocol.mk
include tests/config.mk
include tests/monitor.mk
include tests/modules.mk
include tests/pipeline.mk
include tests/client.mk
include tests/daemon.mk
include tests/wasm.mk
endif

TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/daemon $(CHECK_CFLAGS) \
	$(UV_CFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS) $(INIH_CFLAGS) $(XXHASH_CFLAGS) $(SYSTEMD_CFLAGS)
TEST_LIBS = $(DAEMON_LIBS) $(CHECK_LIBS)
