# Units, the user and the run-time directory. The service holds paths that only make knows.

if WITH_SYSTEMD
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
dist_sysusers_DATA = systemd/sysusers.d/simdd.conf
dist_tmpfiles_DATA = systemd/tmpfiles.d/simdd.conf
dist_systemdsystemunit_DATA = \
	systemd/simdd-metrics.socket \
	systemd/simdd.socket
systemdsystemunit_DATA = systemd/simdd.service
endif

# [@]: configure would fill in the bare word here.
systemd/simdd.service: $(srcdir)/systemd/simdd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(SED) \
		-e 's|@sbindir[@]|$(sbindir)|g' \
		-e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		$(srcdir)/systemd/simdd.service.in >$@.tmp && mv $@.tmp $@

EXTRA_DIST += systemd/simdd.service.in
CLEANFILES += systemd/simdd.service
