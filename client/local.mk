# libsimdd, shared and static. It carries its own copies of the protocol's arithmetic and of the
# ops' names, hidden, so that it depends on nothing but libc.

lib_LTLIBRARIES = client/libsimdd.la
client_libsimdd_la_SOURCES = \
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
client_libsimdd_la_CFLAGS = $(AM_CFLAGS)
client_libsimdd_la_LDFLAGS = $(AM_LDFLAGS) \
	-version-info 0:0:0 -no-undefined -Wl,--version-script=$(top_srcdir)/client/simdd.map
EXTRA_client_libsimdd_la_DEPENDENCIES = client/simdd.map

include_HEADERS = client/simdd.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = client/simdd.pc

EXTRA_DIST += client/simdd.map
