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
EXTRA_DIST += tests/lib/fcgi.py tests/lib/pool.py tests/lib/reader.py \
	tests/lib/recording.py tests/lib/upstream.py \
	tests/corpus/conftest.py tests/corpus/exceptions.txt \
	tests/corpus/test_lies.py tests/corpus/test_readers.py \
	tests/corpus/test_replay.py \
	tests/corpus/test_upstream.py tests/corpus/tree.py \
	tests/corpus/world.py tests/fixtures
