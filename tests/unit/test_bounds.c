/* Usage that cannot be true is cut to what can be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/bounds.h"
#include "policy/policy.h"
#include "policy/price.h"

static const struct bounds hundred = { .input = 100, .output = 10 };

static void
true_usage_stays(void **state)
{
	struct usage u = { .known = true };

	(void)state;
	u.n[UNIT_INPUT] = 100;
	u.n[UNIT_CACHED_INPUT] = 300;
	u.n[UNIT_OUTPUT] = 20;
	u.n[UNIT_REASONING] = 20;
	assert_false(bounds_cut(&hundred, &u));
	assert_int_equal(usage_input(&u), 400);
	assert_int_equal(usage_output(&u), 40);
	u.n[UNIT_INPUT] = BOUNDS_SANE;
	assert_false(bounds_cut(NULL, &u));
}

static void
too_much_is_cut(void **state)
{
	struct usage u = { .known = true };

	(void)state;
	u.n[UNIT_CACHE_WRITE] = INT64_C(1) << 53;
	u.n[UNIT_AUDIO_OUTPUT] = 1000;
	u.n[UNIT_SEARCH] = 1000000;
	assert_true(bounds_cut(&hundred, &u));
	assert_int_equal(u.n[UNIT_INPUT], 100);
	assert_int_equal(usage_input(&u), 100);
	assert_int_equal(u.n[UNIT_OUTPUT], 10);
	assert_int_equal(usage_output(&u), 10);
	assert_int_equal(u.n[UNIT_SEARCH], 0);
	u.n[UNIT_OUTPUT] = INT64_C(1) << 53;
	assert_true(bounds_cut(NULL, &u));
	assert_int_equal(usage_output(&u), BOUNDS_SANE);
	assert_int_equal(usage_input(&u), 100);
}

/* What a tool of the provider's reads is in no request. */
static void
open_input(void **state)
{
	struct bounds b = { .input = 100, .output = 10, .open = true };
	struct usage u = { .known = true };

	(void)state;
	u.n[UNIT_INPUT] = 90000;
	assert_false(bounds_cut(&b, &u));
	u.n[UNIT_OUTPUT] = 90000;
	assert_true(bounds_cut(&b, &u));
	assert_int_equal(usage_output(&u), 10);
	assert_int_equal(usage_input(&u), 90000);
}

/* What a request says of its bill, wherever it stands in it. */
static void
said_anywhere(void **state)
{
	static const struct {
		const char *text;
		bool writes, searches, open;
	} rows[] = {
		{ "", false, false, false },
		{ "hhh ggg ppp vvv ___ PPP", false, false, false },
		{ "cache_control", true, false, false },
		{ "{\"cachePoint\":{}}", true, false, false },
		{ "cache_contro", false, false, false },
		{ "search", false, true, true },
		{ "earch searc", false, false, false },
		{ "a_search_b", false, true, true },
		{ "{\"plugins\":[]}", false, true, false },
		{ "{\"plugin\":[]}", false, false, false },
		{ "web_fetch", false, false, true },
		{ "code_", false, false, true },
		{ "{\"type\":\"mcp\"}", false, false, true },
		{ "url_context cache_control", true, false, true },
		{ "\"conversation\"", false, false, true },
		{ "web_sear\\u0063h", true, true, true },
		{ "\\u006Dcp", true, true, true },
		{ "\\u003cb\\u003e \\u00e4\\u6c49 \\u00", false, false, false },
	};
	struct deployment d = { .model = "m" };
	struct chat c;
	struct bounds b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		memset(&c, 0, sizeof c);
		c.doc.text = rows[i].text;
		c.doc.len = strlen(rows[i].text);
		c.max_output = 7;
		assert_int_equal(bounds_set(&b, NULL, &c, &d, 100, NULL),
		    ERR_OK);
		assert_int_equal(b.writes, rows[i].writes);
		assert_int_equal(b.searches > 0, rows[i].searches);
		assert_int_equal(b.open, rows[i].open);
		assert_int_equal(b.output, 7);
	}
}

/* Models that search unasked, and tiers that nobody asked for. */
static void
cost(void **state)
{
	static const struct {
		const char *model;
		int64_t searches, cost;
	} rows[] = {
		{ "gpt-5.4", 0, 107 },
		{ "gpt-5.4", 10, 10107 },
		{ "gpt-4o-search-preview", 0, 10107 },
		{ "x-ai/grok-4:online", 10, 10107 },
		{ "sonar-deep-research", 10, 100107 },
	};
	struct deployment d = { .model = NULL };
	struct bounds b = hundred;
	size_t i;

	(void)state;
	price_init(&d.price);
	d.price.known = true;
	d.price.rate[UNIT_INPUT] = 1000000;
	d.price.rate[UNIT_REQUEST] = 7;
	d.price.rate[UNIT_SEARCH] = 1000;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		d.model = rows[i].model;
		b.searches = rows[i].searches;
		assert_int_equal(bounds_cost(&b, &d), rows[i].cost);
	}
	d.price.service[SERVICE_PRIORITY] = 175;
	assert_int_equal(bounds_cost(&b, &d), 100107 + 75);
}

/* Long words and events of a letter each are no reason to cut. */
static void
past(void **state)
{
	(void)state;
	assert_false(bounds_past(0, INT64_MAX, INT64_MAX));
	assert_false(bounds_past(INT64_MAX, INT64_MAX, INT64_MAX));
	assert_false(bounds_past(1000, 8 * 1306, 1000));
	assert_true(bounds_past(1000, 8 * 1307, 1000));
	assert_false(bounds_past(1000, 4 * 1307, 1306));
	assert_true(bounds_past(1000, 4 * 1307, 1307));
	assert_false(bounds_past(1000, 4 * 1306, 5000));
}

/* At the ends of all ranges a sum stays at the top and never wraps. */
static void
ends(void **state)
{
	static const int64_t told[] = { INT64_MIN, -1, 0, INT64_C(1) << 53,
		(INT64_C(1) << 53) + 1, INT64_C(1) << 62, INT64_MAX };
	struct deployment d = { .model = "gpt-5.4" };
	struct bounds b = { .input = INT64_MAX, .output = INT64_C(1) << 62,
		.searches = INT64_MAX, .writes = true };
	struct usage u;
	unsigned k;
	size_t i;

	(void)state;
	price_init(&d.price);
	d.price.known = true;
	for (k = 0; k < UNIT_COUNT; k++)
		d.price.rate[k] = PRICE_MAX;
	d.price.tiers = 1;
	d.price.tier[0].above = INT64_MAX - 1;
	d.price.tier[0].rate[UNIT_INPUT] = PRICE_MAX;
	d.price.service[SERVICE_PRIORITY] = SERVICE_MAX;
	price_raise(&d.price, 1000);
	assert_int_equal(bounds_cost(&b, &d), INT64_MAX);
	b = hundred;
	for (i = 0; i < sizeof told / sizeof told[0]; i++) {
		u = (struct usage){ .known = true,
			.service = SERVICE_PRIORITY };
		for (k = 0; k < UNIT_COUNT; k++)
			u.n[k] = told[i];
		assert_int_equal(price_cost(&d.price, &u),
		    told[i] <= 0 ? 0 : INT64_MAX);
		assert_int_equal(bounds_cut(&b, &u), told[i] > 0);
		assert_in_range(usage_input(&u), 0, 100);
		assert_in_range(usage_output(&u), 0, 10);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(true_usage_stays),
		cmocka_unit_test(too_much_is_cut),
		cmocka_unit_test(open_input),
		cmocka_unit_test(said_anywhere),
		cmocka_unit_test(cost),
		cmocka_unit_test(past),
		cmocka_unit_test(ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
