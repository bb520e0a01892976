noinst_LIBRARIES += libproto.a
libproto_a_SOURCES = \
	protocol/shape.c \
	protocol/shape.h \
	protocol/status.def \
	protocol/wire.c \
	protocol/wire.h
libproto_a_CFLAGS = $(AM_CFLAGS) -fPIC
