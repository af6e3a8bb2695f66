# One program a target, seeds in tests/fuzz/seeds/TARGET/.
FUZZ_LINKFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
FUZZ_LINK = $(HOUSE_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_catalog
tests_fuzz_fuzz_catalog_SOURCES = tests/fuzz/fuzz_catalog.c
tests_fuzz_fuzz_catalog_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_catalog_LDADD = $(FUZZ_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_json
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c \
	tests/unit/jsonc.c tests/unit/jsonc.h
tests_fuzz_fuzz_json_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_fuzz_fuzz_json_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_json_LDADD = libbase.a $(DEPS_LIBS) $(TESTDEPS_LIBS)
EXTRA_DIST += tests/fuzz/seeds/json

noinst_PROGRAMS += tests/fuzz/fuzz_sse
tests_fuzz_fuzz_sse_SOURCES = tests/fuzz/fuzz_sse.c
tests_fuzz_fuzz_sse_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_sse_LDADD = libbase.a $(DEPS_LIBS)
EXTRA_DIST += tests/fuzz/seeds/sse
noinst_PROGRAMS += tests/fuzz/fuzz_policy
tests_fuzz_fuzz_policy_SOURCES = tests/fuzz/fuzz_policy.c
tests_fuzz_fuzz_policy_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_policy_LDADD = $(FUZZ_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_fcgi
tests_fuzz_fuzz_fcgi_SOURCES = tests/fuzz/fuzz_fcgi.c
tests_fuzz_fuzz_fcgi_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_fcgi_LDADD = libapp.a libbase.a $(FCGI_LIBS)
EXTRA_DIST += tests/fuzz/seeds/fcgi

noinst_PROGRAMS += tests/fuzz/fuzz_responses
tests_fuzz_fuzz_responses_SOURCES = tests/fuzz/fuzz_responses.c
tests_fuzz_fuzz_responses_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_responses_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/responses
noinst_PROGRAMS += tests/fuzz/fuzz_cohere
tests_fuzz_fuzz_cohere_SOURCES = tests/fuzz/fuzz_cohere.c tests/fuzz/provider.h
tests_fuzz_fuzz_cohere_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_cohere_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/cohere

noinst_PROGRAMS += tests/fuzz/fuzz_ollama
tests_fuzz_fuzz_ollama_SOURCES = tests/fuzz/fuzz_ollama.c tests/fuzz/provider.h
tests_fuzz_fuzz_ollama_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_ollama_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/ollama

noinst_PROGRAMS += tests/fuzz/fuzz_quirks
tests_fuzz_fuzz_quirks_SOURCES = tests/fuzz/fuzz_quirks.c tests/fuzz/provider.h
tests_fuzz_fuzz_quirks_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_quirks_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/quirks

noinst_PROGRAMS += tests/fuzz/fuzz_bedrock
tests_fuzz_fuzz_bedrock_SOURCES = tests/fuzz/fuzz_bedrock.c \
	tests/fuzz/provider.h tests/fuzz/message.h
tests_fuzz_fuzz_bedrock_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_bedrock_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/bedrock

noinst_PROGRAMS += tests/fuzz/fuzz_eventstream
tests_fuzz_fuzz_eventstream_SOURCES = tests/fuzz/fuzz_eventstream.c \
	tests/fuzz/message.h
tests_fuzz_fuzz_eventstream_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_eventstream_LDADD = libbase.a $(DEPS_LIBS)
EXTRA_DIST += tests/fuzz/seeds/eventstream
noinst_PROGRAMS += tests/fuzz/fuzz_openai
tests_fuzz_fuzz_openai_SOURCES = tests/fuzz/fuzz_openai.c tests/fuzz/adapter.h
tests_fuzz_fuzz_openai_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_openai_LDADD = $(FUZZ_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_anthropic
tests_fuzz_fuzz_anthropic_SOURCES = tests/fuzz/fuzz_anthropic.c tests/fuzz/adapter.h
tests_fuzz_fuzz_anthropic_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_anthropic_LDADD = $(FUZZ_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_gemini
tests_fuzz_fuzz_gemini_SOURCES = tests/fuzz/fuzz_gemini.c tests/fuzz/adapter.h
tests_fuzz_fuzz_gemini_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_gemini_LDADD = $(FUZZ_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_pattern
tests_fuzz_fuzz_pattern_SOURCES = tests/fuzz/fuzz_pattern.c
tests_fuzz_fuzz_pattern_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_pattern_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/pattern

noinst_PROGRAMS += tests/fuzz/fuzz_ledger
tests_fuzz_fuzz_ledger_SOURCES = tests/fuzz/fuzz_ledger.c
tests_fuzz_fuzz_ledger_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_ledger_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/ledger

noinst_PROGRAMS += tests/fuzz/fuzz_form
tests_fuzz_fuzz_form_SOURCES = tests/fuzz/fuzz_form.c
tests_fuzz_fuzz_form_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_form_LDADD = libbase.a $(DEPS_LIBS)

noinst_PROGRAMS += tests/fuzz/fuzz_passthrough
tests_fuzz_fuzz_passthrough_SOURCES = tests/fuzz/fuzz_passthrough.c
tests_fuzz_fuzz_passthrough_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_passthrough_LDADD = $(FUZZ_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_batch
tests_fuzz_fuzz_batch_SOURCES = tests/fuzz/fuzz_batch.c
tests_fuzz_fuzz_batch_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_batch_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/batch

noinst_PROGRAMS += tests/fuzz/fuzz_media
tests_fuzz_fuzz_media_SOURCES = tests/fuzz/fuzz_media.c tests/fuzz/door.h
tests_fuzz_fuzz_media_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_media_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/media

noinst_PROGRAMS += tests/fuzz/fuzz_embeddings
tests_fuzz_fuzz_embeddings_SOURCES = tests/fuzz/fuzz_embeddings.c tests/fuzz/door.h
tests_fuzz_fuzz_embeddings_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_embeddings_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/embeddings

noinst_PROGRAMS += tests/fuzz/fuzz_kept
tests_fuzz_fuzz_kept_SOURCES = tests/fuzz/fuzz_kept.c tests/fuzz/door.h
tests_fuzz_fuzz_kept_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_kept_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/kept

noinst_PROGRAMS += tests/fuzz/fuzz_rerank
tests_fuzz_fuzz_rerank_SOURCES = tests/fuzz/fuzz_rerank.c tests/fuzz/door.h
tests_fuzz_fuzz_rerank_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_rerank_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/rerank

noinst_PROGRAMS += tests/fuzz/fuzz_will
tests_fuzz_fuzz_will_SOURCES = tests/fuzz/fuzz_will.c
tests_fuzz_fuzz_will_LDFLAGS = $(FUZZ_LINKFLAGS)
tests_fuzz_fuzz_will_LDADD = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/seeds/will
