# Suites of this area; see local.mk.
