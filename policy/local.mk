noinst_LIBRARIES += libpolicy.a
libpolicy_a_SOURCES = \
	policy/catalog.h \
	policy/policy.h \
	policy/price.c policy/price.h \
	policy/route.c policy/route.h
