# Man pages, in mdoc; tests/check_tree.sh runs mandoc's lint over each. One a line.

dist_man_MANS = \
	docs/simdd-protocol.7 \
	docs/simdd.8 \
	docs/simdd.conf.5

EXTRA_DIST += \
	docs/demo.jpg \
	docs/demo.jpg.license \
	docs/house.svg \
	docs/modules.md \
	docs/protocol.md
