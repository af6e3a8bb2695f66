/*
 * The language of models that routing reads: strategies, stickiness, kinds
 * of fallback, what targets must be able to do, hedges.
 */
#include "tests/unit/policy_help.h"

#include "policy/unit.h"

#define SECOND INT64_C(1000000)
#define USD INT64_C(1000000000)
#define HEAD                                                                 \
	"providers: { openai: { key: none }, anthropic: { key: none } }\n"   \
	"models:\n"

static const struct model *
model_of(const struct policy *p, const char *name)
{
	const struct model *m = policy_model(p, name);

	assert_non_null(m);
	return m;
}

static void
strategies(void **state)
{
	static const struct {
		const char *word;
		enum strategy is;
	} rows[] = {
		{ "fallback", STRATEGY_FALLBACK },
		{ "weighted", STRATEGY_WEIGHTED },
		{ "least_busy", STRATEGY_LEAST_BUSY },
		{ "lowest_latency", STRATEGY_LOWEST_LATENCY },
		{ "cheapest", STRATEGY_CHEAPEST },
		{ "race", STRATEGY_RACE },
	};
	static const char *const sticky[] = { "none", "key", "user",
		"session" };
	char text[400];
	struct policy *p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(text, sizeof text, HEAD "  a: { targets: "
		    "openai/gpt-5.4, strategy: %s, sticky: %s }\n",
		    rows[i].word, sticky[i % 4]);
		p = load_good(text);
		assert_int_equal(p->models[0].strategy, rows[i].is);
		assert_int_equal(p->models[0].sticky, (int)(i % 4));
		policy_unref(p);
	}
	p = load_good(HEAD "  a: openai/gpt-5.4\n");
	assert_int_equal(p->models[0].strategy, STRATEGY_FALLBACK);
	assert_int_equal(p->models[0].sticky, STICKY_NOT);
	policy_unref(p);
}

static void
same_targets(const struct target_list *list, const char *const *ids)
{
	size_t i;

	for (i = 0; ids[i] != NULL; i++) {
		assert_true(i < list->count);
		assert_string_equal(list->list[i].id, ids[i]);
		assert_true(list->list[i].weight >= 1);
	}
	assert_int_equal(list->count, i);
}

static void
fallbacks(void **state)
{
	static const char text[] = HEAD
	    "  smart:\n"
	    "    targets: anthropic/claude-sonnet-4-5\n"
	    "    fallbacks:\n"
	    "      general: [ cheap, openai/gpt-5.4, late ]\n"
	    "      context_window: openai/*5.4*\n"
	    "      content_policy:\n"
	    "        - { provider: openai, model: own, context: 5k,\n"
	    "            price: { input: 7 }, scores: { triage: 3.5 } }\n"
	    "        - { target: cheap }\n"
	    "  cheap: { targets: [ { target: openai/gpt-5.4-mini, weight: 7 } ],"
	    " fallbacks: { general: smart } }\n"
	    "  late: [ openai/o5-mini, openai/gpt-5.4-mini ]\n";
	static const char *const general[] = { "openai/gpt-5.4-mini",
		"openai/gpt-5.4", "openai/o5-mini", NULL };
	static const char *const context[] = { "openai/gpt-5.4",
		"openai/gpt-5.4-mini", NULL };
	static const char *const content[] = { "openai/own",
		"openai/gpt-5.4-mini", NULL };
	static const char *const back[] = { "anthropic/claude-sonnet-4-5",
		NULL };
	struct policy *p = load_good(text);
	const struct model *m = model_of(p, "smart");
	const struct deployment *d = &m->fallbacks[FALLBACK_CONTENT].list[0];
	struct deployment direct;

	(void)state;
	same_targets(&m->fallbacks[FALLBACK_GENERAL], general);
	same_targets(&m->fallbacks[FALLBACK_CONTEXT], context);
	same_targets(&m->fallbacks[FALLBACK_CONTENT], content);
	same_targets(&model_of(p, "cheap")->fallbacks[FALLBACK_GENERAL], back);
	assert_int_equal(model_of(p, "late")->fallbacks[0].count, 0);
	assert_int_equal(m->fallbacks[FALLBACK_GENERAL].list[0].weight, 7);
	assert_int_equal(d->context, 5000);
	assert_int_equal(d->price.rate[UNIT_INPUT], 7 * USD);
	assert_string_equal(d->scores[0].task, "triage");
	assert_true(d->scores[0].value == 3.5);
	/* asked for directly it costs what the policy says */
	assert_true(policy_direct(p, "openai/own", p->arena, &direct));
	assert_int_equal(direct.price.rate[UNIT_INPUT], 7 * USD);
	policy_unref(p);
}

static void
requires(void **state)
{
	static const char text[] = HEAD
	    "  a:\n"
	    "    strategy: cheapest\n"
	    "    targets: [ { target: openai/*5.4*, scores: { triage: 81,\n"
	    "      \"two words\": 0 } }, anthropic/* ]\n"
	    "    require:\n"
	    "      benchmark: { \"SWE-Bench Verified\": 40,\n"
	    "        GPQA Diamond: 72.5 }\n"
	    "      score: { triage: 80.25 }\n"
	    "      context: 200k\n"
	    "      capabilities: [ tools, images, video_output ]\n"
	    "  b: { targets: openai/gpt-5.4, require: { context: none,\n"
	    "       capabilities: none } }\n"
	    "  c: { targets: openai/gpt-5.4, require: { context: auto,\n"
	    "       capabilities: auto } }\n"
	    "  d: { targets: openai/gpt-5.4, require: { capabilities: [ none,\n"
	    "       pdf ] } }\n"
	    "  e: openai/gpt-5.4\n";
	struct policy *p = load_good(text);
	const struct model *m = model_of(p, "a");
	const struct demand *d = m->require.demands;
	const char *const plain[] = { "c", "e" };
	size_t i;

	(void)state;
	assert_int_equal(m->require.demand_count, 3);
	assert_string_equal(d[0].name, "SWE-Bench Verified");
	assert_true(d[0].least == 40 && !d[0].task);
	assert_string_equal(d[1].name, "GPQA Diamond");
	assert_true(d[1].least == 72.5 && !d[1].task);
	assert_string_equal(d[2].name, "triage");
	assert_true(d[2].least == 80.25 && d[2].task);
	assert_int_equal(m->require.context, 200000);
	assert_int_equal(m->require.caps,
	    CAP_TOOLS | CAP_IMAGE_IN | CAP_VIDEO_OUT);
	assert_false(m->require.any_context || m->require.any_caps);
	assert_int_equal(m->targets[1].score_count, 2); /* a wildcard's too */
	assert_string_equal(m->targets[1].scores[1].task, "two words");
	assert_true(m->targets[1].scores[1].value == 0);
	assert_int_equal(m->targets[2].score_count, 0);
	m = model_of(p, "b");
	assert_true(m->require.any_context && m->require.any_caps);
	assert_true(m->require.context == 0 && m->require.caps == 0);
	m = model_of(p, "d");
	assert_true(m->require.any_caps && m->require.caps == CAP_PDF_IN);
	for (i = 0; i < 2; i++) {
		m = model_of(p, plain[i]);
		assert_false(m->require.any_context || m->require.any_caps);
		assert_int_equal(m->require.context, 0);
		assert_int_equal(m->require.caps, 0);
		assert_int_equal(m->require.demand_count, 0);
	}
	policy_unref(p);
}

/* What may be a slip is told, and the policy holds. */
static void
doubtful(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	p = load_text(HEAD "  a: { targets: openai/gpt-5.4, require: { "
	    "benchmark: { SWE-bench Verified: 40 }, score: { x: 1 } } }\n",
	    &said);
	assert_non_null(p);
	assert_string_equal(said, "policy.yaml:3: models.a.require.benchmark."
	    "SWE-bench Verified: warning: the catalog knows no benchmark "
	    "'SWE-bench Verified' (did you mean 'SWE-Bench Verified'?)\n"
	    "policy.yaml:3: models.a.require.score.x: warning: no target is "
	    "known to reach this\n");
	assert_int_equal(p->models[0].require.demand_count, 2);
	free(said);
	policy_unref(p);
}

static void
hedges(void **state)
{
	static const char text[] = HEAD
	    "  a: { targets: [ openai/gpt-5.4, openai/x ], strategy: race }\n"
	    "  b: { targets: [ openai/gpt-5.4 ], strategy: race, hedge: {\n"
	    "       after: 300ms, budget: 25%, spend: 1.50 USD / hour,\n"
	    "       tools: true } }\n"
	    "  c: { targets: [ openai/gpt-5.4 ], strategy: race,\n"
	    "       hedge: { after: 0s, spend: 2USD/hour } }\n"
	    "  d: { targets: [ openai/gpt-5.4 ], strategy: race,\n"
	    "       hedge: { after: p5, budget: 100 % } }\n"
	    "  e: [ openai/gpt-5.4 ]\n";
	struct policy *p;
	const struct hedge *h;
	char *said;

	(void)state;
	p = load_text(text, &said); /* a word about openai/x */
	assert_non_null(p);
	free(said);
	h = &model_of(p, "a")->hedge;
	assert_int_equal(h->quantile, 95);
	assert_true(h->after == 0 && h->share == 10 && h->money == 0);
	assert_false(h->tools);
	h = &model_of(p, "b")->hedge;
	assert_int_equal(h->after, SECOND * 3 / 10);
	assert_true(h->quantile == 0 && h->share == 25 && h->tools);
	assert_int_equal(h->money, USD * 3 / 2);
	h = &model_of(p, "c")->hedge;
	assert_true(h->after == 0 && h->quantile == 0 && h->share == 10);
	assert_int_equal(h->money, USD * 2);
	h = &model_of(p, "d")->hedge;
	assert_true(h->quantile == 5 && h->share == 100);
	h = &model_of(p, "e")->hedge;
	assert_true(h->quantile == 0 && h->share == 0);
	policy_unref(p);
}

static void
units(void **state)
{
	static const char *const wrong[] = { "", "20", "%", "-1 %", "20 %%",
		"20 % ", "2,5 %", "2.5 %", "1 USD", "USD / hour", "1 / hour",
		"1 USD / day", "1 USD hour", "1  EUR / hour", "1 USD / hours",
		"1.5.1 USD / hour", "-1 USD / hour", "1 USD / hour " };
	int64_t v = 77;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (unit_share(wrong[i], &v) || unit_hourly(wrong[i], &v))
			fail_msg("%s", wrong[i]);
	assert_int_equal(v, 77);
	assert_true(unit_share("0 %", &v) && v == 0);
	assert_true(unit_share("100%", &v) && v == 100);
	assert_true(unit_hourly("0.000000001 USD  /  hour", &v) && v == 1);
	assert_true(unit_hourly("1e2USD/hour", &v) && v == 100 * USD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strategies),
		cmocka_unit_test(fallbacks),
		cmocka_unit_test(requires),
		cmocka_unit_test(doubtful),
		cmocka_unit_test(hedges),
		cmocka_unit_test(units),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
