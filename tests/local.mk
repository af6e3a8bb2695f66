if HAVE_TESTDEPS
include tests/unit/local.mk
endif
if FUZZERS
include tests/fuzz/local.mk
endif
include tests/bench/local.mk
EXTRA_DIST += tests/fuzz/seeds/catalog/empty tests/fuzz/seeds/catalog/small
EXTRA_DIST += tests/fuzz/seeds/policy/full tests/fuzz/seeds/policy/json \
	tests/fuzz/seeds/policy/small tests/fuzz/seeds/policy/wrong
