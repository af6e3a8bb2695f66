# One program a target, seeds in tests/fuzz/seeds/TARGET/.
FUZZ_LINKFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
FUZZ_LINK = $(HOUSE_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_catalog
tests_fuzz_fuzz_catalog_SOURCES = tests/fuzz/fuzz_catalog.c
tests_fuzz_fuzz_catalog_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_catalog_LDADD = $(FUZZ_LINK)
