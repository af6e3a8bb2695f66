# One program a module. UNIT_LINK: all the house but main, and cmocka.
UNIT_LINK = $(HOUSE_LINK) $(TESTDEPS_LIBS)
UNIT_CPPFLAGS = $(AM_CPPFLAGS) $(TESTDEPS_CFLAGS)

check_PROGRAMS += tests/unit/test_price
tests_unit_test_price_SOURCES = tests/unit/test_price.c
tests_unit_test_price_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_price_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_route_random
tests_unit_test_route_random_SOURCES = tests/unit/test_route_random.c
tests_unit_test_route_random_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_route_random_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_zone
tests_unit_test_zone_SOURCES = tests/unit/test_zone.c
tests_unit_test_zone_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_zone_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_front
tests_unit_test_front_SOURCES = tests/unit/test_front.c tests/unit/webserver.h
tests_unit_test_front_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_front_LDADD = libapp.a libbase.a $(DEPS_LIBS) $(FCGI_LIBS) \
	$(TESTDEPS_LIBS)

# Programs that count allocations or make them fail.
ALLOC_SOURCES = tests/unit/alloc.c tests/unit/alloc.h
ALLOC_LINKFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc \
	-Wl,--wrap=realloc -Wl,--wrap=free

check_PROGRAMS += tests/unit/test_json
tests_unit_test_json_SOURCES = tests/unit/test_json.c $(ALLOC_SOURCES) \
	tests/unit/jsonc.c tests/unit/jsonc.h
tests_unit_test_json_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_json_LDFLAGS = $(ALLOC_LINKFLAGS)
tests_unit_test_json_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_sse
tests_unit_test_sse_SOURCES = tests/unit/test_sse.c $(ALLOC_SOURCES)
tests_unit_test_sse_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_sse_LDFLAGS = $(ALLOC_LINKFLAGS)
tests_unit_test_sse_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_hash
tests_unit_test_hash_SOURCES = tests/unit/test_hash.c
tests_unit_test_hash_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_hash_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_timing
tests_unit_test_timing_SOURCES = tests/unit/test_timing.c \
	tests/unit/policy_help.h
tests_unit_test_timing_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_timing_LDADD = $(UNIT_LINK) -lm

check_PROGRAMS += tests/unit/test_catalog
tests_unit_test_catalog_SOURCES = tests/unit/test_catalog.c
tests_unit_test_catalog_CPPFLAGS = $(UNIT_CPPFLAGS) \
	-DSRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_catalog_LDADD = $(UNIT_LINK)

# Clock, processes and files of its own.
check_PROGRAMS += tests/unit/test_health
tests_unit_test_health_SOURCES = tests/unit/test_health.c \
	tests/unit/health_help.h
tests_unit_test_health_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_health_LDADD = $(UNIT_LINK) -lm

check_PROGRAMS += tests/unit/test_health_table
tests_unit_test_health_table_SOURCES = tests/unit/test_health_table.c \
	tests/unit/health_help.h
tests_unit_test_health_table_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_health_table_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_health_share
tests_unit_test_health_share_SOURCES = tests/unit/test_health_share.c \
	tests/unit/policy_help.h tests/unit/redis.c tests/unit/redis.h
tests_unit_test_health_share_CPPFLAGS = $(POLICY_CPPFLAGS)
tests_unit_test_health_share_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_models_cli
tests_unit_test_models_cli_SOURCES = tests/unit/test_models_cli.c
tests_unit_test_models_cli_CPPFLAGS = $(UNIT_CPPFLAGS) \
	-DDOCS='"$(abs_top_srcdir)/docs"'
tests_unit_test_models_cli_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_state
tests_unit_test_state_SOURCES = tests/unit/test_state.c
tests_unit_test_state_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_state_LDADD = $(UNIT_LINK)

# Policies, refused and taken.
POLICY_CPPFLAGS = $(UNIT_CPPFLAGS) \
	-DPOLICIES='"$(abs_top_srcdir)/tests/unit/policies"' \
	-DDOCS='"$(abs_top_srcdir)/docs"'

check_PROGRAMS += tests/unit/test_policy_bad
tests_unit_test_policy_bad_SOURCES = tests/unit/test_policy_bad.c \
	tests/unit/policy_help.h
tests_unit_test_policy_bad_CPPFLAGS = $(POLICY_CPPFLAGS)
tests_unit_test_policy_bad_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_policy
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c \
	tests/unit/policy_help.h
tests_unit_test_policy_CPPFLAGS = $(POLICY_CPPFLAGS)
tests_unit_test_policy_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_policy_alloc
tests_unit_test_policy_alloc_SOURCES = tests/unit/test_policy_alloc.c \
	tests/unit/policy_help.h $(ALLOC_SOURCES)
tests_unit_test_policy_alloc_CPPFLAGS = $(POLICY_CPPFLAGS)
tests_unit_test_policy_alloc_LDFLAGS = $(ALLOC_LINKFLAGS) -Wl,--wrap=mmap \
	-Wl,--wrap=mmap64
tests_unit_test_policy_alloc_LDADD = $(UNIT_LINK)

EXTRA_DIST += tests/unit/policies/bad.txt
check_PROGRAMS += tests/unit/test_address
tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_address_LDADD = libapp.a libbase.a $(TESTDEPS_LIBS)

check_PROGRAMS += tests/unit/test_transport
tests_unit_test_transport_SOURCES = tests/unit/test_transport.c \
	tests/unit/calls.c tests/unit/calls.h tests/unit/httpd.c \
	tests/unit/httpd.h
tests_unit_test_transport_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_transport_LDADD = libapp.a libbase.a $(DEPS_LIBS) \
	$(TESTDEPS_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_route
tests_unit_test_route_SOURCES = tests/unit/test_route.c
tests_unit_test_route_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_route_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_pursuit
tests_unit_test_pursuit_SOURCES = tests/unit/test_pursuit.c
tests_unit_test_pursuit_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_pursuit_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_facts
tests_unit_test_facts_SOURCES = tests/unit/test_facts.c
tests_unit_test_facts_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_facts_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_forward
tests_unit_test_forward_SOURCES = tests/unit/test_forward.c
tests_unit_test_forward_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_forward_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_jsonedit
tests_unit_test_jsonedit_SOURCES = tests/unit/test_jsonedit.c $(ALLOC_SOURCES)
tests_unit_test_jsonedit_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_jsonedit_LDFLAGS = $(ALLOC_LINKFLAGS)
tests_unit_test_jsonedit_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_jsonwrite
tests_unit_test_jsonwrite_SOURCES = tests/unit/test_jsonwrite.c
tests_unit_test_jsonwrite_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_jsonwrite_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_arena
tests_unit_test_arena_SOURCES = tests/unit/test_arena.c $(ALLOC_SOURCES)
tests_unit_test_arena_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_arena_LDFLAGS = $(ALLOC_LINKFLAGS)
tests_unit_test_arena_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_buf
tests_unit_test_buf_SOURCES = tests/unit/test_buf.c $(ALLOC_SOURCES)
tests_unit_test_buf_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_buf_LDFLAGS = $(ALLOC_LINKFLAGS)
tests_unit_test_buf_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_scan tests/unit/test_scan_portable
tests_unit_test_scan_SOURCES = tests/unit/test_scan.c
tests_unit_test_scan_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_scan_LDADD = $(UNIT_LINK)
tests_unit_test_scan_portable_SOURCES = tests/unit/test_scan.c app/base/scan.c
tests_unit_test_scan_portable_CPPFLAGS = $(UNIT_CPPFLAGS) -DSCAN_PORTABLE
tests_unit_test_scan_portable_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_walk
tests_unit_test_walk_SOURCES = tests/unit/test_walk.c tests/unit/webserver.h
tests_unit_test_walk_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_walk_LDADD = libapp.a libbase.a $(TESTDEPS_LIBS)

# The pool: its master and the CGI connector, as processes.
EXTRA_PROGRAMS += tests/unit/test_pool
check_DATA = tests/unit/test_pool
CLEANFILES += tests/unit/test_pool
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c
tests_unit_test_pool_LDADD = libapp.a libbase.a $(DEPS_LIBS) $(FCGI_LIBS)
TESTS += tests/unit/test_serve.py tests/unit/test_connector.py
EXTRA_DIST += tests/unit/pool.py tests/unit/test_serve.py \
	tests/unit/test_connector.py
check_PROGRAMS += tests/unit/test_ready
tests_unit_test_ready_SOURCES = tests/unit/test_ready.c
tests_unit_test_ready_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ready_LDADD = libapp.a libbase.a $(DEPS_LIBS) $(TESTDEPS_LIBS)
check_PROGRAMS += tests/unit/test_transport_tls
tests_unit_test_transport_tls_SOURCES = tests/unit/test_transport_tls.c \
	tests/unit/calls.c tests/unit/calls.h tests/unit/httpd.c \
	tests/unit/httpd.h
tests_unit_test_transport_tls_CPPFLAGS = $(UNIT_CPPFLAGS) \
	-DSRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_transport_tls_LDADD = libapp.a libbase.a $(DEPS_LIBS) \
	$(TESTDEPS_LIBS) -lpthread
EXTRA_DIST += tests/unit/certs.sh

check_PROGRAMS += tests/unit/test_decimal
tests_unit_test_decimal_SOURCES = tests/unit/test_decimal.c
tests_unit_test_decimal_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_decimal_LDADD = libbase.a $(TESTDEPS_LIBS)
check_PROGRAMS += tests/unit/test_estimate
tests_unit_test_estimate_SOURCES = tests/unit/test_estimate.c
tests_unit_test_estimate_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_estimate_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_record
tests_unit_test_record_SOURCES = tests/unit/test_record.c
tests_unit_test_record_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_record_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_embeddings
tests_unit_test_embeddings_SOURCES = tests/unit/test_embeddings.c tests/unit/adapter_help.h
tests_unit_test_embeddings_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_embeddings_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_kept
tests_unit_test_kept_SOURCES = tests/unit/test_kept.c tests/unit/adapter_help.h
tests_unit_test_kept_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_kept_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_rank
tests_unit_test_rank_SOURCES = tests/unit/test_rank.c tests/unit/adapter_help.h
tests_unit_test_rank_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_rank_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_media
tests_unit_test_media_SOURCES = tests/unit/test_media.c tests/unit/adapter_help.h
tests_unit_test_media_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_media_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_cohere
tests_unit_test_cohere_SOURCES = tests/unit/test_cohere.c tests/unit/adapter_help.h
tests_unit_test_cohere_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_cohere_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_ollama
tests_unit_test_ollama_SOURCES = tests/unit/test_ollama.c tests/unit/adapter_help.h
tests_unit_test_ollama_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ollama_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_frames
tests_unit_test_frames_SOURCES = tests/unit/test_frames.c
tests_unit_test_frames_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_frames_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_quirks
tests_unit_test_quirks_SOURCES = tests/unit/test_quirks.c \
	tests/unit/adapter_help.h
tests_unit_test_quirks_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_quirks_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_sigv4
tests_unit_test_sigv4_SOURCES = tests/unit/test_sigv4.c
tests_unit_test_sigv4_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_sigv4_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_eventstream
tests_unit_test_eventstream_SOURCES = tests/unit/test_eventstream.c
tests_unit_test_eventstream_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_eventstream_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_responses
tests_unit_test_responses_SOURCES = tests/unit/test_responses.c tests/unit/adapter_help.h
tests_unit_test_responses_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_responses_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_completions
tests_unit_test_completions_SOURCES = tests/unit/test_completions.c tests/unit/adapter_help.h
tests_unit_test_completions_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_completions_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_form
tests_unit_test_form_SOURCES = tests/unit/test_form.c
tests_unit_test_form_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_form_LDADD = libbase.a $(DEPS_LIBS) $(TESTDEPS_LIBS)
check_PROGRAMS += tests/unit/test_percent
tests_unit_test_percent_SOURCES = tests/unit/test_percent.c
tests_unit_test_percent_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_percent_LDADD = libbase.a $(TESTDEPS_LIBS)
check_PROGRAMS += tests/unit/test_bedrock
tests_unit_test_bedrock_SOURCES = tests/unit/test_bedrock.c
tests_unit_test_bedrock_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_bedrock_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_anthropic
tests_unit_test_anthropic_SOURCES = tests/unit/test_anthropic.c tests/unit/adapter_help.h
tests_unit_test_anthropic_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_anthropic_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_gemini
tests_unit_test_gemini_SOURCES = tests/unit/test_gemini.c tests/unit/adapter_help.h
tests_unit_test_gemini_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_gemini_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_openai
tests_unit_test_openai_SOURCES = tests/unit/test_openai.c tests/unit/adapter_help.h
tests_unit_test_openai_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_openai_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_pattern
tests_unit_test_pattern_SOURCES = tests/unit/test_pattern.c
tests_unit_test_pattern_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_pattern_LDADD = $(UNIT_LINK)

# With a redis-server of their own.
check_PROGRAMS += tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c tests/unit/redis.c \
	tests/unit/redis.h
tests_unit_test_store_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_store_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_policy_models
tests_unit_test_policy_models_SOURCES = tests/unit/test_policy_models.c \
	tests/unit/policy_help.h
tests_unit_test_policy_models_CPPFLAGS = $(POLICY_CPPFLAGS)
tests_unit_test_policy_models_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_policy_limits
tests_unit_test_policy_limits_SOURCES = tests/unit/test_policy_limits.c \
	tests/unit/policy_help.h
tests_unit_test_policy_limits_CPPFLAGS = $(POLICY_CPPFLAGS)
tests_unit_test_policy_limits_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_passthrough
tests_unit_test_passthrough_SOURCES = tests/unit/test_passthrough.c \
	tests/unit/policy_help.h
tests_unit_test_passthrough_CPPFLAGS = $(POLICY_CPPFLAGS)
tests_unit_test_passthrough_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_policy_rules
tests_unit_test_policy_rules_SOURCES = tests/unit/test_policy_rules.c \
	tests/unit/policy_help.h
tests_unit_test_policy_rules_CPPFLAGS = $(POLICY_CPPFLAGS)
tests_unit_test_policy_rules_LDADD = $(UNIT_LINK)

LEDGER_SOURCES = tests/unit/ledger_help.c tests/unit/ledger_help.h \
	tests/unit/redis.c tests/unit/redis.h
LEDGER_CPPFLAGS = $(UNIT_CPPFLAGS) \
	-DSHIFT_TIME_SO='"$(abs_top_builddir)/tests/unit/shift_time.so"'

check_PROGRAMS += tests/unit/test_ledger
tests_unit_test_ledger_SOURCES = tests/unit/test_ledger.c $(LEDGER_SOURCES)
tests_unit_test_ledger_CPPFLAGS = $(LEDGER_CPPFLAGS)
tests_unit_test_ledger_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_batch
tests_unit_test_batch_SOURCES = tests/unit/test_batch.c $(LEDGER_SOURCES)
tests_unit_test_batch_CPPFLAGS = $(LEDGER_CPPFLAGS)
tests_unit_test_batch_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_reprice
tests_unit_test_reprice_SOURCES = tests/unit/test_reprice.c \
	tests/unit/policy_help.h $(LEDGER_SOURCES)
tests_unit_test_reprice_CPPFLAGS = $(POLICY_CPPFLAGS) $(LEDGER_CPPFLAGS)
tests_unit_test_reprice_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_keys
tests_unit_test_keys_SOURCES = tests/unit/test_keys.c \
	tests/unit/policy_help.h tests/unit/redis.c tests/unit/redis.h
tests_unit_test_keys_CPPFLAGS = $(POLICY_CPPFLAGS)
tests_unit_test_keys_LDADD = $(UNIT_LINK)

# Moves the clock of a Redis; without the sanitizers of its caller.
EXTRA_DIST += tests/unit/shift_time.c
CLEANFILES += tests/unit/shift_time.so
check_DATA += tests/unit/shift_time.so
tests/unit/shift_time.so: tests/unit/shift_time.c
	$(AM_V_GEN)$(MKDIR_P) tests/unit && \
		$(CC) -O1 -fPIC -shared -o $@ $(srcdir)/tests/unit/shift_time.c

check_PROGRAMS += tests/unit/test_ledger_race
tests_unit_test_ledger_race_SOURCES = tests/unit/test_ledger_race.c \
	$(LEDGER_SOURCES)
tests_unit_test_ledger_race_CPPFLAGS = $(LEDGER_CPPFLAGS)
tests_unit_test_ledger_race_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_purse
tests_unit_test_purse_SOURCES = tests/unit/test_purse.c $(LEDGER_SOURCES)
tests_unit_test_purse_CPPFLAGS = $(LEDGER_CPPFLAGS)
tests_unit_test_purse_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_rates
tests_unit_test_rates_SOURCES = tests/unit/test_rates.c $(LEDGER_SOURCES)
tests_unit_test_rates_CPPFLAGS = $(LEDGER_CPPFLAGS)
tests_unit_test_rates_LDADD = $(UNIT_LINK)

TESTS += tests/unit/test_ledger_model.py
EXTRA_DIST += tests/unit/test_ledger_model.py
TESTS += tests/unit/test_purse_model.py
EXTRA_DIST += tests/unit/test_purse_model.py

check_PROGRAMS += tests/unit/test_ledger_redis
tests_unit_test_ledger_redis_SOURCES = tests/unit/test_ledger_redis.c \
	$(LEDGER_SOURCES)
tests_unit_test_ledger_redis_CPPFLAGS = $(LEDGER_CPPFLAGS)
tests_unit_test_ledger_redis_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_usage
tests_unit_test_usage_SOURCES = tests/unit/test_usage.c $(LEDGER_SOURCES)
tests_unit_test_usage_CPPFLAGS = $(LEDGER_CPPFLAGS) \
	-DPROGRAM='"$(abs_top_builddir)/app/tollgate.fcgi"'
tests_unit_test_usage_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_bounds
tests_unit_test_bounds_SOURCES = tests/unit/test_bounds.c
tests_unit_test_bounds_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_bounds_LDADD = $(UNIT_LINK)
check_PROGRAMS += tests/unit/test_counters
tests_unit_test_counters_SOURCES = tests/unit/test_counters.c
tests_unit_test_counters_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_counters_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_tally
tests_unit_test_tally_SOURCES = tests/unit/test_tally.c
tests_unit_test_tally_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_tally_LDADD = $(UNIT_LINK)

check_PROGRAMS += tests/unit/test_will
tests_unit_test_will_SOURCES = tests/unit/test_will.c
tests_unit_test_will_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_will_LDADD = $(UNIT_LINK)
