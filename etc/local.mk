# The sample, as `simdd --print-sample` prints it (tests/check_tree.sh compares). Installed only
# where there is no configuration yet: what an operator changed is left alone.

EXTRA_DIST += etc/simdd.conf

# For Prometheus and Grafana, which read them from wherever they are told to.
rulesdir = $(datadir)/simdd/prometheus
dist_rules_DATA = etc/prometheus/simdd.rules.yml
dashboarddir = $(datadir)/simdd/grafana
dist_dashboard_DATA = etc/grafana/simdd.json

install-data-local:
	@$(MKDIR_P) "$(DESTDIR)$(sysconfdir)/simdd"
	test -e "$(DESTDIR)$(sysconfdir)/simdd/simdd.conf" || \
		$(INSTALL_DATA) $(srcdir)/etc/simdd.conf "$(DESTDIR)$(sysconfdir)/simdd/simdd.conf"

uninstall-local:
	if cmp -s $(srcdir)/etc/simdd.conf "$(DESTDIR)$(sysconfdir)/simdd/simdd.conf"; then \
		rm -f "$(DESTDIR)$(sysconfdir)/simdd/simdd.conf"; \
	fi
