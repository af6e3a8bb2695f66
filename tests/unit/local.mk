# One program a module. UNIT_LINK: all the house but main, and cmocka.
UNIT_LINK = $(HOUSE_LINK) $(TESTDEPS_LIBS)
UNIT_CPPFLAGS = $(AM_CPPFLAGS) $(TESTDEPS_CFLAGS)
