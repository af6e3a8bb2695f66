if HAVE_TESTDEPS
include tests/unit/local.mk
endif
if FUZZERS
include tests/fuzz/local.mk
else
if HAVE_TESTDEPS
# The fuzzers are for clang alone; that they still fit, any compiler sees.
check_LIBRARIES = tests/fuzz/libfit.a
tests_fuzz_libfit_a_SOURCES = tests/fuzz/fuzz_anthropic.c \
	tests/fuzz/fuzz_bedrock.c \
	tests/fuzz/fuzz_catalog.c \
	tests/fuzz/fuzz_cohere.c \
	tests/fuzz/fuzz_embeddings.c tests/fuzz/fuzz_media.c \
	tests/fuzz/fuzz_eventstream.c \
	tests/fuzz/fuzz_form.c \
	tests/fuzz/fuzz_rerank.c \
	tests/fuzz/fuzz_fcgi.c \
	tests/fuzz/fuzz_gemini.c \
	tests/fuzz/fuzz_json.c \
	tests/fuzz/fuzz_ledger.c \
	tests/fuzz/fuzz_ollama.c \
	tests/fuzz/fuzz_openai.c \
	tests/fuzz/fuzz_pattern.c \
	tests/fuzz/fuzz_policy.c \
	tests/fuzz/fuzz_quirks.c \
	tests/fuzz/fuzz_responses.c \
	tests/fuzz/fuzz_sse.c
tests_fuzz_libfit_a_CPPFLAGS = $(UNIT_CPPFLAGS)
endif
endif
include tests/bench/local.mk
EXTRA_DIST += tests/corpus/test_doors_embed.py tests/lib/recording_embed.py
EXTRA_DIST += tests/fuzz/seeds
EXTRA_DIST += tests/lib/recording_anthropic.py \
	tests/lib/recording_gemini.py tests/lib/said.py \
	tests/corpus/dialects.py tests/corpus/test_dialects.py \
	tests/corpus/facts.py tests/corpus/sdk_types.py \
	tests/corpus/test_citations.py tests/corpus/test_dropped.py \
	tests/corpus/facts_more.py tests/corpus/test_pairs.py \
	tests/corpus/test_requests.py tests/corpus/test_sdk_dialects.py
EXTRA_DIST += tests/corpus/test_counts.py tests/corpus/test_doors_audio.py \
	tests/corpus/test_doors_kept.py \
	tests/corpus/test_judged.py tests/corpus/not_judged.txt
EXTRA_DIST += tests/lib/doors_rank.py tests/stack/test_rerank.py \
	tests/corpus/test_doors_rank.py
EXTRA_DIST += tests/lib/batching.py tests/lib/batching_anthropic.py tests/lib/batching_gemini.py tests/stack/test_batches.py \
	tests/corpus/test_doors_batches.py tests/lib/recording_rank.py \
	tests/lib/sink.py tests/stack/test_uploads.py
EXTRA_DIST += tests/lib/doors_media.py tests/stack/test_media.py \
	tests/corpus/test_doors_media.py
EXTRA_DIST += tests/lib/doors.py tests/lib/doors_audio.py tests/lib/fcgi.py tests/lib/kept.py tests/lib/passed.py tests/lib/pool.py tests/lib/reader.py \
	tests/lib/recording.py tests/lib/routes.py tests/lib/upstream.py \
	tests/corpus/conftest.py tests/corpus/exceptions.txt \
	tests/corpus/test_lies.py tests/corpus/test_timers.py \
	tests/corpus/test_stop.py \
	tests/corpus/test_readers.py tests/corpus/test_records.py \
	tests/corpus/test_replay.py \
	tests/corpus/test_upstream.py tests/corpus/tree.py \
	tests/corpus/world.py tests/fixtures

# The one command of CI, and what it runs against real web servers.
EXTRA_DIST += tests/run tests/stack/books.py tests/stack/test_money.py \
	tests/stack/test_limits.py tests/stack/test_store.py tests/stack/test_crash.py tests/stack/stores.py tests/stack/test_keys.py tests/stack/test_admin.py tests/stack/test_aborts.py tests/stack/test_usage_lies.py tests/stack/test_audio.py tests/stack/test_edits.py \
	tests/stack/pictures.py tests/stack/test_purses.py \
	tests/stack/client.py tests/stack/conftest.py \
	tests/stack/house.py tests/stack/sdk.cjs tests/stack/servers.py \
	tests/stack/test_configs.py tests/stack/test_demo.py tests/stack/test_doors.py \
	tests/stack/test_failover.py tests/stack/test_faults.py tests/stack/test_health.py tests/stack/test_kept.py tests/stack/test_passthrough.py tests/stack/test_sweep.py \
	tests/stack/test_fronts.py \
	tests/stack/test_htaccess.py tests/stack/test_race.py \
	tests/stack/test_reload.py tests/stack/test_reprice.py \
	tests/stack/test_retention.py tests/stack/test_routing.py \
	tests/stack/test_storm.py tests/stack/test_torment.py \
	tests/stack/test_streams.py tests/stack/test_webhook.py
EXTRA_DIST += tests/lib/reader_responses.py \
	tests/lib/recording_responses.py tests/lib/bridge.py \
	tests/corpus/test_completions.py \
	tests/corpus/test_responses.py tests/corpus/test_responses_sdk.py
EXTRA_DIST += tests/lib/recording_cohere.py tests/lib/recording_ollama.py \
	tests/corpus/test_natives.py

EXTRA_DIST += tests/lib/recording_bedrock.py tests/corpus/test_bedrock.py \
	tests/corpus/test_tokens.py tests/corpus/test_estimate.py
EXTRA_DIST += tests/fuzz/seeds/openai
EXTRA_DIST += tests/fuzz/seeds/anthropic
EXTRA_DIST += tests/fuzz/seeds/gemini
EXTRA_DIST += tests/corpus/test_agents.py
EXTRA_DIST += tests/corpus/test_schema.py tests/corpus/test_fees.py \
	tests/lib/recording_fees.py

# Recordings into the canonical form and out again: tests/corpus starts it.
if HAVE_TESTDEPS
noinst_PROGRAMS += tests/corpus/roundtrip
tests_corpus_roundtrip_SOURCES = tests/corpus/roundtrip.c
tests_corpus_roundtrip_LDADD = $(HOUSE_LINK)
endif
EXTRA_DIST += tests/corpus/judge.py tests/corpus/mutate.py \
	tests/corpus/test_mutated.py tests/corpus/test_roundtrip.py
