# The kit for users' own modules: a header and two examples, for the compiler of the modules, not
# for this machine's; so they are data.

guestdir = $(pkgdatadir)/guest
dist_guest_DATA = wasm/guest/simdd.h
