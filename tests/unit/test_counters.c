/* Which counters the limits of a policy become, and what is asked of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/counters.h"
#include "app/refusal.h"
#include "policy/policy.h"

static const struct budget daily[] = {
	{ .limit = 500, .span = BUDGET_DAY, .zone = "" },
	{ .limit = 9000, .span = BUDGET_MONTH, .zone = "" },
};
static const struct budget soft_and_hard[] = {
	{ .limit = 100, .span = BUDGET_DAY, .zone = "", .soft = true },
	{ .limit = 300, .span = BUDGET_DAY, .zone = "" },
	{ .limit = 200, .span = BUDGET_DAY, .zone = "" },
	{ .limit = 50, .span = BUDGET_DAY, .zone = "Asia/Tokyo" },
	{ .limit = 70, .span = BUDGET_ONCE, .zone = "", .soft = true },
};

static struct pool_limits teams[] = {
	{ "ops", { .rpm = 7 } },
	{ "web", { .tpm = 2000, .budgets = daily, .budget_count = 2 } },
};
static struct pool_limits users[] = { { "ann", { .parallel = 3 } } };
static struct pool_limits tiers[] = { { "free", { .rpm = 100 } } };
static struct pool_limits tags[] = { { "a", { .rpm = 11 } },
	{ "c", { .rpm = 13 } } };

static const struct policy policy = {
	.limits = { .parallel = 200 },
	.teams = teams, .team_count = 2,
	.users = users, .user_count = 1,
	.tiers = tiers, .tier_count = 1,
	.tags = tags, .tag_count = 2,
};

static const char *const key_tags[] = { "a", "b", "c" };

static const struct vkey key = {
	.name = "shop", .team = "web", .user = "ann", .tier = "free",
	.tags = key_tags, .tag_count = 3,
	.limits = { .rpm = 60, .budgets = soft_and_hard, .budget_count = 5 },
	.end_user = { .rpm = 5 }, .may = MAY_USER,
};

static const char letters[] = { 'r', 't', 'p', 'm' };

/* All of them in a line: scope, kind, limit. */
static const char *
told(const struct counters *c)
{
	static char text[2048];
	size_t n = 0;
	unsigned i;

	text[0] = '\0';
	assert_false(c->failed);
	for (i = 0; i < c->count; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "%s%s %c%lld", i > 0 ? ", " : "",
		    c->list[i].counter.scope,
		    letters[c->list[i].counter.kind],
		    (long long)c->list[i].counter.limit);
	return text;
}

static void
test_scopes(void **state)
{
	struct arena *a = arena_new(MIB(1));
	struct vkey other = key;
	struct counters c;

	(void)state;
	counters_init(&c, a);
	counters_of_key(&c, &policy, &key, "u-1");
	assert_string_equal(told(&c), "all: p200, key:shop r60, "
	    "key:shop m200, key:shop m50, key:shop m9000000000000000, "
	    "team:web t2000, team:web m500, team:web m9000, user:ann p3, "
	    "tier:free r100, tag:a r11, tag:c r13, end:4:shop:u-1 r5");
	/* Three budgets of one window are one counter. */
	assert_ptr_equal(c.list[2].budget[0], &soft_and_hard[0]);
	assert_ptr_equal(c.list[2].budget[2], &soft_and_hard[2]);
	assert_null(c.list[2].budget[3]);
	assert_int_equal(c.list[3].counter.span, SPAN_DAY);
	assert_string_equal(c.list[3].counter.zone_name, "Asia/Tokyo");
	assert_int_equal(c.list[4].counter.span, SPAN_ONCE);
	/* Who may not name end users has none; no name, no counter. */
	other.may = 0;
	other.team = other.user = other.tier = "";
	other.tag_count = 0;
	counters_init(&c, a);
	counters_of_key(&c, &policy, &other, "u-1");
	assert_string_equal(told(&c), "all: p200, key:shop r60, "
	    "key:shop m200, key:shop m50, key:shop m9000000000000000");
	arena_free(a);
}

static void
test_wants(void **state)
{
	struct arena *a = arena_new(MIB(1));
	struct model m = { .name = "smart", .limits = { .tpm = 10 } };
	struct provider p = { .name = "openai",
		.limits = { .budgets = daily, .budget_count = 1 } };
	struct counters c;

	(void)state;
	counters_init(&c, a);
	counters_of_model(&c, &m);
	assert_true(counters_tokens(&c));
	assert_false(counters_money(&c));
	counters_of_provider(&c, &p);
	assert_true(counters_money(&c));
	assert_string_equal(told(&c), "model:smart t10, provider:openai m500");
	arena_free(a);
}

static void
test_share(void **state)
{
	const struct counter hard = { .limit = 200 };
	const struct counter soft = { .limit = LEDGER_MAX };
	const struct budget hundred = { .limit = 100 }, zero = { .limit = 0 };
	struct held part = { .counter = &hard, .left = 120 };

	(void)state;
	assert_int_equal(counters_share(&part, &hundred), 80);
	part.counter = &soft;
	part.left = LEDGER_MAX - 150;
	assert_int_equal(counters_share(&part, &hundred), 150);
	part.left = 0;
	assert_int_equal(counters_share(&part, &hundred), LEDGER_MAX);
	assert_int_equal(counters_share(&part, &zero), 100);
}

/* More counters than a hold has room for are not cut off in silence. */
static void
test_too_many(void **state)
{
	static struct pool_limits many[LEDGER_PARTS];
	static const char *names[LEDGER_PARTS];
	static char text[LEDGER_PARTS][8];
	struct arena *a = arena_new(MIB(1));
	struct policy p = { .tags = many, .tag_count = LEDGER_PARTS };
	struct vkey k = key;
	struct counters c;
	int i;

	(void)state;
	for (i = 0; i < LEDGER_PARTS; i++) {
		snprintf(text[i], sizeof text[i], "t%03d", i);
		names[i] = many[i].name = text[i];
		many[i].limits.rpm = 1;
	}
	k.tags = names;
	k.tag_count = LEDGER_PARTS;
	counters_init(&c, a);
	counters_of_key(&c, &p, &k, "");
	assert_true(c.failed);
	arena_free(a);
}

static void
test_refusals(void **state)
{
	static const struct counter money = { .scope = "key:web",
		.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = 5000000 };
	static const struct counter credit = { .scope = "team:a",
		.kind = COUNTER_MONEY, .span = SPAN_ONCE, .limit = 5000000 };
	static const struct counter tokens = { .scope = "key:web",
		.kind = COUNTER_TPM, .limit = 1000 };
	static const struct {
		struct refusal no;
		const char *words;
	} rows[] = {
		{ { &money, 5000000, 9, { .retry = 1 } },
		    "the budget of 0.005 USD / day of key:web is reached" },
		{ { &money, 5000001, 0, { .retry = -1 } },
		    "this request may cost 0.005000001 USD: more than the "
		    "budget of 0.005 USD / day of key:web has in all" },
		{ { &credit, 1, 9, { .retry = -1 } },
		    "the budget of 0.005 USD once of team:a is reached" },
		{ { &credit, 6000000, 9, { .retry = -1 } },
		    "this request may cost 0.006 USD, with 9 tokens of "
		    "output: more than the budget of 0.005 USD once of team:a "
		    "has in all" },
		{ { &tokens, 1001, 16000, { .retry = -1 } },
		    "this request may use 1001 tokens, with 16000 tokens of "
		    "output: more than the limit of 1000 tokens a minute of "
		    "key:web has in all" },
		{ { &tokens, 1000, 9, { .retry = 1, .reserved = true } },
		    "the limit of 1000 tokens a minute of key:web is reserved "
		    "by requests under way" },
	};
	char text[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		refusal_words(&rows[i].no, text, sizeof text);
		assert_string_equal(text, rows[i].words);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_wants),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
