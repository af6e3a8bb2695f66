# One program a module. UNIT_LINK: all the house but main, and cmocka.
UNIT_LINK = $(HOUSE_LINK) $(TESTDEPS_LIBS)
UNIT_CPPFLAGS = $(AM_CPPFLAGS) $(TESTDEPS_CFLAGS)

check_PROGRAMS += tests/unit/test_price
tests_unit_test_price_SOURCES = tests/unit/test_price.c
tests_unit_test_price_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_price_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_front
tests_unit_test_front_SOURCES = tests/unit/test_front.c tests/unit/webserver.h
tests_unit_test_front_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_front_LDADD = libapp.a libbase.a $(DEPS_LIBS) $(FCGI_LIBS) \
	$(TESTDEPS_LIBS)
