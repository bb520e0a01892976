# libsimdd, shared and static. It carries its own copies of the protocol's arithmetic and of the
# ops' names, hidden, so that it depends on nothing but libc.

lib_LTLIBRARIES = client/libsimdd.la
client_libsimdd_la_SOURCES = \
	client/function.c \
	client/handle.h \
	client/job.c \
	client/link.c \
	client/link.h \
	client/memory.c \
	client/memory.h \
	client/pump.c \
	client/request.c \
	client/request.h \
	client/settle.c \
	client/simdd.c \
	kernels/op_info.c \
	protocol/shape.c \
	protocol/wire.c
# No LTO: an archive of one compiler's intermediate code is of no use to another compiler.
client_libsimdd_la_CFLAGS = $(BASE_CFLAGS) $(HARD_CFLAGS)
client_libsimdd_la_LDFLAGS = $(AM_LDFLAGS) \
	-version-info 1:0:1 -no-undefined -Wl,--version-script=$(top_srcdir)/client/simdd.map
EXTRA_client_libsimdd_la_DEPENDENCIES = client/simdd.map

include_HEADERS = client/simdd.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = client/simdd.pc

# All rooms of simdctl but main, so that tests link them too.
noinst_LIBRARIES += libctl.a
libctl_a_SOURCES = \
	client/bench.c \
	client/bench.h \
	client/bench_arena.c \
	client/bench_arena.h \
	client/bench_work.c \
	client/bench_work.h \
	client/cmd.c \
	client/cmd.h \
	client/cmd_array.c \
	client/cmd_bench.c \
	client/cmd_conv2d.c \
	client/cmd_function.c \
	client/cmd_hash.c \
	client/cmd_matmul.c \
	client/cmd_module.c \
	client/cmd_status.c \
	client/cmd_submit.c \
	client/ctl.c \
	client/ctl.h \
	client/dial.c \
	client/dial.h \
	client/hist.c \
	client/hist.h \
	client/human.c \
	client/human.h \
	client/image_png.c \
	client/image_png.h \
	client/load.c \
	client/load.h \
	client/npy.c \
	client/npy.h \
	client/pnm.c \
	client/pnm.h \
	client/status_text.c \
	client/status_text.h \
	client/stream.c \
	client/stream.h \
	client/tensor.c \
	client/tensor.h
libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(PNG_CFLAGS)

# The static library, so that the program runs where it was built, and starts faster.
CTL_LIBS = libctl.a client/libsimdd.la libproto.a libkern.a $(JANSSON_LIBS) $(PNG_LIBS)

bin_PROGRAMS = client/simdctl
client_simdctl_SOURCES = client/simdctl.c
client_simdctl_CFLAGS = $(AM_CFLAGS) -fPIE
client_simdctl_LDFLAGS = $(AM_LDFLAGS) -static -pie
client_simdctl_LDADD = $(CTL_LIBS)

dist_man1_MANS = docs/simdctl.1
dist_man3_MANS = docs/libsimdd.3

# The name is the command's, so the file changes its own at installation.
bashcompdir = $(datadir)/bash-completion/completions
EXTRA_DIST += client/simdd.map etc/simdctl.bash

install-data-hook:
	$(MKDIR_P) "$(DESTDIR)$(bashcompdir)"
	$(INSTALL_DATA) $(srcdir)/etc/simdctl.bash "$(DESTDIR)$(bashcompdir)/simdctl"

uninstall-hook:
	rm -f "$(DESTDIR)$(bashcompdir)/simdctl"
