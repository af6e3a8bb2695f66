# The bench is built and run by hand: make bench-tools; tests/bench/run.
EXTRA_PROGRAMS += tests/bench/upstream tests/bench/streams
tests_bench_upstream_SOURCES = tests/bench/upstream.c
tests_bench_upstream_LDADD = libbase.a
tests_bench_streams_SOURCES = tests/bench/streams.c
tests_bench_streams_LDADD = libbase.a
CLEANFILES += tests/bench/upstream tests/bench/streams

# Nanoseconds of the parsers: make bench-json.
EXTRA_PROGRAMS += tests/bench/micro_json
tests_bench_micro_json_SOURCES = tests/bench/micro_json.c
tests_bench_micro_json_LDADD = libbase.a
CLEANFILES += tests/bench/micro_json

.PHONY: bench-json
bench-json: tests/bench/micro_json
	tests/bench/micro_json

EXTRA_DIST += tests/bench/run tests/bench/fronts.py tests/bench/measure.py \
	tests/bench/procs.py tests/bench/load.lua

.PHONY: bench-tools
bench-tools: tests/bench/upstream tests/bench/streams tests/bench/ledger

# The token estimate against recordings: tests/bench/estimate DIR.
EXTRA_PROGRAMS += tests/bench/estimate
tests_bench_estimate_SOURCES = tests/bench/estimate.c
tests_bench_estimate_LDADD = $(HOUSE_LINK) -lm
CLEANFILES += tests/bench/estimate
EXTRA_DIST += tests/bench/estimate_fit.py

# Hold and settle: tests/bench/ledger STORE [PROCESSES [DEPTH [SECONDS]]];
# the way to a Redis and back: tests/bench/ledger --ping REDIS [SECONDS].
EXTRA_PROGRAMS += tests/bench/ledger
tests_bench_ledger_SOURCES = tests/bench/ledger.c
tests_bench_ledger_LDADD = $(HOUSE_LINK)
CLEANFILES += tests/bench/ledger
