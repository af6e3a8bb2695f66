/*
 * Limits and budgets: where they may stand, whose they are in the end, the
 * zones of their windows; and what targets cost that have no price.
 */
#include "tests/unit/policy_help.h"

#include "policy/unit.h"
#include "policy/zone.h"

#define USD INT64_C(1000000000)

/* A key by its name. */
static const struct vkey *
key_of(const struct policy *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->key_count; i++)
		if (strcmp(p->keys[i].name, name) == 0)
			return &p->keys[i];
	fail_msg("no key %s", name);
	return NULL;
}

static void
is_budget(const struct limits *l, size_t i, int64_t limit,
    enum budget_span span, const char *zone)
{
	const struct budget *b = &l->budgets[i];

	assert_true(i < l->budget_count);
	assert_int_equal(b->limit, limit);
	assert_int_equal(b->span, span);
	assert_string_equal(b->zone, zone);
	assert_true((b->tz == NULL) == (zone[0] == '\0'));
}

static void
is_limits(const struct limits *l, int64_t rpm, int64_t tpm, int64_t parallel,
    size_t budgets)
{
	assert_int_equal(l->rpm, rpm);
	assert_int_equal(l->tpm, tpm);
	assert_int_equal(l->parallel, parallel);
	assert_int_equal(l->budget_count, budgets);
}

static const char whole[] =
    "timezone: Europe/Berlin\n"
    "limits: { parallel: 200, budget: 9000000 USD / day }\n"
    "providers:\n"
    "  openai: { key: none, rpm: 1k, tpm: 1.5M, parallel: 3,\n"
    "            timezone: Asia/Shanghai, budget: [ 5 USD / hour,\n"
    "              { limit: 200 USD / month, zone: UTC } ] }\n"
    "  anthropic: { key: none, budget: 1 USD / week }\n"
    "models:\n"
    "  a: { targets: openai/gpt-5.4, tpm: 10k, budget: 3 USD once }\n"
    "  b: openai/gpt-5.4\n"
    "teams: { web: { budget: 0 USD / month }, ops: { rpm: 5 } }\n"
    "users: { ann@example.com: { rpm: 1 } }\n"
    "tags: { b: { parallel: 4 }, a: { parallel: 5 }, c: { tpm: 6 } }\n"
    "tiers:\n"
    "  pro: { shared: { rpm: 7 } }\n"
    "  free:\n"
    "    rpm: 20\n"
    "    tpm: 40k\n"
    "    max_output: 4k\n"
    "    may: user\n"
    "    budget: [ 0.50 USD / day, { limit: 5 USD / month, soft: true,\n"
    "              zone: America/New_York } ]\n"
    "    end_users: { rpm: 2, budget: 0.000000001 USD / day }\n"
    "    shared: { budget: { limit: 100 USD / month,\n"
    "              warn: [ 90 %, 50 %, 100 %, 80 % ] } }\n"
    "  bare: {}\n"
    "keys:\n"
    "  - { name: own, tier: free, secret: env:VK1, rpm: 5, parallel: 2,\n"
    "      budget: { limit: 1 USD / day, soft: true, warn: 70 %, zone: UTC },\n"
    "      end_users: { rpm: 9, tpm: 8 }, max_output: 1 }\n"
    "  - { name: tiered, tier: free, secret: env:VK2 }\n"
    "  - { name: free, secret: env:VK3 }\n";

static void
of_keys(void **state)
{
	struct policy *p = load_good(whole);
	const struct vkey *k = key_of(p, "own");

	(void)state;
	is_limits(&k->limits, 5, 40000, 2, 1);
	is_budget(&k->limits, 0, USD, BUDGET_DAY, "");
	assert_true(k->limits.budgets[0].soft);
	assert_int_equal(k->limits.budgets[0].warn[0], 70);
	assert_int_equal(k->limits.budgets[0].warn[1], 0);
	is_limits(&k->end_user, 9, 8, 0, 1);
	is_budget(&k->end_user, 0, 1, BUDGET_DAY, "Europe/Berlin");
	assert_int_equal(k->max_output, 1);
	k = key_of(p, "tiered");
	is_limits(&k->limits, 20, 40000, 0, 2);
	is_budget(&k->limits, 0, USD / 2, BUDGET_DAY, "Europe/Berlin");
	assert_false(k->limits.budgets[0].soft);
	assert_int_equal(k->limits.budgets[0].warn[0], 0);
	is_budget(&k->limits, 1, 5 * USD, BUDGET_MONTH, "America/New_York");
	assert_true(k->limits.budgets[1].soft);
	assert_int_equal(k->limits.budgets[1].warn[0], 100);
	is_limits(&k->end_user, 2, 0, 0, 1);
	assert_int_equal(k->max_output, 4000);
	k = key_of(p, "free");
	is_limits(&k->limits, 0, 0, 0, 0);
	is_limits(&k->end_user, 0, 0, 0, 0);
	assert_int_equal(k->max_output, 16000);
	policy_unref(p);
}

static void
of_places(void **state)
{
	struct policy *p = load_good(whole);
	const struct limits *l;

	(void)state;
	is_limits(&p->limits, 0, 0, 200, 1);
	is_budget(&p->limits, 0, 9000000 * USD, BUDGET_DAY, "Europe/Berlin");
	l = &policy_provider(p, "openai", 6)->limits;
	is_limits(l, 1000, 1500000, 3, 2);
	is_budget(l, 0, 5 * USD, BUDGET_HOUR, "Asia/Shanghai");
	is_budget(l, 1, 200 * USD, BUDGET_MONTH, "");
	l = &policy_provider(p, "anthropic", 9)->limits;
	is_budget(l, 0, USD, BUDGET_WEEK, "");
	l = &policy_model(p, "a")->limits;
	is_limits(l, 0, 10000, 0, 1);
	is_budget(l, 0, 3 * USD, BUDGET_ONCE, "");
	is_limits(&policy_model(p, "b")->limits, 0, 0, 0, 0);
	policy_unref(p);
}

static void
of_names(void **state)
{
	static const unsigned warn[] = { 50, 80, 90, 100 };
	struct policy *p = load_good(whole);
	const struct limits *l;
	size_t i;

	(void)state;
	assert_int_equal(p->team_count, 2);
	assert_int_equal(p->user_count, 1);
	assert_int_equal(p->tag_count, 3);
	assert_int_equal(p->tier_count, 2); /* those that share something */
	l = pool_limits(p->teams, p->team_count, "web");
	is_limits(l, 0, 0, 0, 1);
	is_budget(l, 0, 0, BUDGET_MONTH, "Europe/Berlin");
	is_limits(pool_limits(p->users, 1, "ann@example.com"), 1, 0, 0, 0);
	is_limits(pool_limits(p->tags, 3, "a"), 0, 0, 5, 0);
	is_limits(pool_limits(p->tags, 3, "b"), 0, 0, 4, 0);
	is_limits(pool_limits(p->tags, 3, "c"), 0, 6, 0, 0);
	assert_null(pool_limits(p->tags, 3, "bb"));
	assert_null(pool_limits(p->tags, 3, ""));
	assert_null(pool_limits(p->tiers, p->tier_count, "bare"));
	is_limits(pool_limits(p->tiers, p->tier_count, "pro"), 7, 0, 0, 0);
	l = pool_limits(p->tiers, p->tier_count, "free");
	is_budget(l, 0, 100 * USD, BUDGET_MONTH, "Europe/Berlin");
	for (i = 0; i < 4; i++)
		assert_int_equal(l->budgets[0].warn[i], warn[i]);
	policy_unref(p);
}

/* A zone is read once, however many budgets follow it. */
static void
zones(void **state)
{
	struct policy *p = load_good(whole);
	const struct vkey *k = key_of(p, "tiered");
	int64_t begin, end;

	(void)state;
	assert_ptr_equal(k->limits.budgets[0].tz, p->tz);
	assert_ptr_equal(p->limits.budgets[0].tz, p->tz);
	assert_ptr_equal(policy_provider(p, "openai", 6)->tz,
	    policy_provider(p, "openai", 6)->limits.budgets[0].tz);
	/* 2026-07-01T00:00 in New York is 04:00 in UTC */
	zone_span(k->limits.budgets[1].tz, ZONE_MONTH, 1783000000, &begin,
	    &end);
	assert_int_equal(begin % 86400, 4 * 3600);
	policy_unref(p);
}

/* Sections of two files are one; limits may stand apart from keys. */
static void
two_files(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	assert_int_equal(mkdir("two", 0755), 0);
	put_file("two/a.yaml", "providers: { openai: { key: none } }\n"
	    "teams: { web: { rpm: 1 } }\n", 0644);
	put_file("two/b.yaml", "teams: { ops: { rpm: 2 } }\n"
	    "limits: { rpm: 3 }\n", 0644);
	p = load_path("two", &said);
	assert_string_equal(said, "");
	assert_int_equal(p->team_count, 2);
	is_limits(pool_limits(p->teams, 2, "ops"), 2, 0, 0, 0);
	is_limits(pool_limits(p->teams, 2, "web"), 1, 0, 0, 0);
	is_limits(&p->limits, 3, 0, 0, 0);
	free(said);
	policy_unref(p);
}

#define HEAD                                                                 \
	"providers: { openai: { key: none }, house: { base_url: "            \
	"\"http://127.0.0.1:8000/v1\", key: none } }\n"
#define UNPRICED(line, path)                                                 \
	"policy.yaml:" line ": " path ": warning: the price of 'house/q' is "\
	"not known: it is refused where money is limited; give 'price' or "  \
	"'default_price'\n"
#define BUDGET ", budget: 1 USD / day"

static const struct {
	const char *text, *said;
} doubts[] = {
	/* whose money meets a target without a price */
	{ "models: { m: house/q }\n"
	  "keys: [ { name: k, secret: env:VK1 } ]\n", "" },
	{ "models: { m: house/q }\n"
	  "keys: [ { name: k, secret: env:VK1" BUDGET " } ]\n",
	  UNPRICED("2", "models.m") },
	{ "models: { m: [ openai/gpt-5.4, house/q ] }\n"
	  "keys: [ { name: k, secret: env:VK1, tier: t } ]\n"
	  "tiers: { t: { shared: { budget: 1 USD / day } } }\n",
	  UNPRICED("2", "models.m[1]") },
	{ "models: { m: { targets: openai/gpt-5.4, fallbacks: { general: "
	  "house/q } } }\n"
	  "keys: [ { name: k, secret: env:VK1, tags: x } ]\n"
	  "tags: { x: { budget: 1 USD / day } }\n",
	  UNPRICED("2", "models.m.fallbacks.general") },
	{ "models: { m: house/q, n: openai/gpt-5.4 }\n"
	  "keys: [ { name: k, secret: env:VK1, models: n" BUDGET " } ]\n", "" },
	{ "models: { m: { targets: house/q" BUDGET " } }\n"
	  "keys: [ { name: k, secret: env:VK1 } ]\n",
	  UNPRICED("2", "models.m.targets") },
	{ "rules: [ { when: { model: x }, use: house/q } ]\n"
	  "limits: { budget: 1 USD / day }\n"
	  "keys: [ { name: k, secret: env:VK1 } ]\n",
	  UNPRICED("2", "rules[0].use") },
	{ "models: { m: house/q, n: openai/gpt-5.4 }\n"
	  "rules: [ { when: { model: n }, use: m } ]\n"
	  "keys: [ { name: k, secret: env:VK1, models: n" BUDGET " } ]\n",
	  UNPRICED("2", "models.m") },
	{ "models: { m: house/q, n: { targets: openai/gpt-5.4, fallbacks: { "
	  "general: m } } }\n"
	  "keys: [ { name: k, secret: env:VK1, models: n" BUDGET " } ]\n",
	  UNPRICED("2", "models.m") },
	{ "models: { m: house/q }\ndefault_price: { input: 1 }\n"
	  "keys: [ { name: k, secret: env:VK1" BUDGET " } ]\n", "" },
	{ "models: { m: { targets: { target: house/q, price: { input: 0 } } "
	  "} }\nkeys: [ { name: k, secret: env:VK1" BUDGET " } ]\n", "" },
	/* who names end users */
	{ "keys: [ { name: k, secret: env:VK1, end_users: { rpm: 1 } } ]\n",
	  "policy.yaml:2: keys[0].end_users: warning: the key names no end "
	  "users: it needs may: [ user ]\n" },
	{ "tiers: { t: { end_users: { rpm: 1 } } }\n"
	  "keys: [ { name: k, secret: env:VK1, tier: t } ]\n",
	  "policy.yaml:2: tiers.t.end_users: warning: its keys name no end "
	  "users: they need may: [ user ]\n" },
	{ "tiers: { t: { end_users: { rpm: 1 } } }\n"
	  "keys: [ { name: k, secret: env:VK1, tier: t, may: user } ]\n", "" },
	{ "tiers: { t: { may: user } }\n"
	  "keys: [ { name: k, secret: env:VK1, tier: t, end_users: { rpm: 1 "
	  "} } ]\n", "" },
	/* what says nothing */
	{ "teams: { a: , b: {}, c: { rpm: 1 } }\n",
	  "policy.yaml:2: teams.a: warning: limits nothing\n"
	  "policy.yaml:2: teams.b: warning: limits nothing\n" },
};

static void
doubtful(void **state)
{
	char text[1000];
	struct policy *p;
	char *said;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof doubts / sizeof doubts[0]; i++) {
		snprintf(text, sizeof text, HEAD "%s", doubts[i].text);
		p = load_text(text, &said);
		if (p == NULL || strcmp(said, doubts[i].said) != 0)
			fail_msg("%s\n%s", text, said);
		free(said);
		policy_unref(p);
	}
}

static void
margins(void **state)
{
	static const char text[] =
	    "default_price: { input: 0.000000001, output: 3 }\n"
	    "providers:\n"
	    "  openai: { key: none, margin: 10 % }\n"
	    "  anthropic: { key: none, margin: 100 %, rpm: 3, timezone:\n"
	    "               Asia/Tokyo, budget: 1 USD / day }\n"
	    "  house: { base_url: \"http://127.0.0.1:8000/v1\", key: none }\n"
	    "  dear: { base_url: \"http://127.0.0.1:8001/v1\", key: none,\n"
	    "          margin: 1000 % }\n"
	    "models:\n"
	    "  a: [ openai/gpt-5.4, house/q, dear/q, { provider: dear,\n"
	    "       model: p, price: { input: 0.000000001, request: 0.5,\n"
	    "         tiers: [ { above: 1k, output: 2 } ] } } ]\n"
	    "  b: { targets: house/r, fallbacks: { general: a } }\n";
	struct policy *p = load_good(text);
	const struct deployment *d = policy_model(p, "a")->targets;
	struct deployment out;

	(void)state;
	assert_int_equal(d[0].price.rate[UNIT_INPUT], USD * 275 / 100);
	assert_int_equal(d[0].price.rate[UNIT_CACHED_INPUT], USD * 275 / 1000);
	assert_int_equal(d[0].price.rate[UNIT_REASONING], PRICE_UNSET);
	assert_true(d[1].price.known);
	assert_int_equal(d[1].price.rate[UNIT_INPUT], 1);
	assert_int_equal(d[2].price.rate[UNIT_INPUT], 11);
	assert_int_equal(d[2].price.rate[UNIT_OUTPUT], 33 * USD);
	assert_int_equal(d[3].price.rate[UNIT_REQUEST], USD * 11 / 2);
	assert_int_equal(d[3].price.rate[UNIT_OUTPUT], PRICE_UNSET);
	assert_int_equal(d[3].price.tier[0].rate[UNIT_OUTPUT], 22 * USD);
	/* a fallback's price is raised once */
	d = policy_model(p, "b")->fallbacks[FALLBACK_GENERAL].list;
	assert_int_equal(d[2].price.rate[UNIT_INPUT], 11);
	/* and so is what is asked for without an alias */
	assert_true(policy_direct(p, "openai/gpt-5.4", p->arena, &out));
	assert_int_equal(out.price.rate[UNIT_INPUT], USD * 275 / 100);
	assert_true(policy_direct(p, "openai/gpt-5.4-mini", p->arena, &out));
	assert_int_equal(out.price.rate[UNIT_INPUT], USD * 275 / 1000);
	assert_true(policy_direct(p, "dear/unheard-of", p->arena, &out));
	assert_true(out.unlisted && out.price.known);
	assert_int_equal(out.price.rate[UNIT_OUTPUT], 33 * USD);
	/* a model that is spoken to in another way is of the same account */
	assert_true(policy_direct(p, "anthropic/other-door", p->arena, &out));
	assert_ptr_not_equal(out.provider, policy_provider(p, "anthropic", 9));
	assert_int_equal(out.price.rate[UNIT_OUTPUT], 6 * USD);
	is_limits(&out.provider->limits, 3, 0, 0, 1);
	is_budget(&out.provider->limits, 0, USD, BUDGET_DAY, "Asia/Tokyo");
	policy_unref(p);
}

static void
no_default(void **state)
{
	struct policy *p = load_good(HEAD "models: { a: house/q }\n");
	struct deployment out;

	(void)state;
	assert_false(policy_model(p, "a")->targets[0].price.known);
	assert_true(policy_direct(p, "house/x", p->arena, &out));
	assert_false(out.price.known);
	policy_unref(p);
}

static void
units(void **state)
{
	static const char *const wrong[] = { "", "5", "USD / day", "5 USD",
		"5 USD /", "5 USD / days", "5 USD day", "5 USDonce", "5once",
		"5 USD once ", "5 USD / once", "5 USD / Day", " 5 USD / day",
		"-5 USD / day", "5,5 USD / day", "9000000.1 USD / day",
		"0.0000000001 USD / day", "1e99 USD once", "5 EUR / day" };
	int64_t v = 77;
	int span = 78;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (unit_budget(wrong[i], &v, &span))
			fail_msg("%s", wrong[i]);
	assert_true(v == 77 && span == 78);
	assert_true(unit_budget("0.50 USD / day", &v, &span));
	assert_true(v == USD / 2 && span == BUDGET_DAY);
	assert_true(unit_budget("9000000USD/hour", &v, &span));
	assert_true(v == MONEY_MAX && span == BUDGET_HOUR);
	assert_true(unit_budget("0 USD  /  week", &v, &span));
	assert_true(v == 0 && span == BUDGET_WEEK);
	assert_true(unit_budget("0.000000001 USD/ month", &v, &span));
	assert_true(v == 1 && span == BUDGET_MONTH);
	assert_true(unit_budget("25 USD  once", &v, &span));
	assert_true(v == 25 * USD && span == BUDGET_ONCE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_keys),
		cmocka_unit_test(of_places),
		cmocka_unit_test(of_names),
		cmocka_unit_test(zones),
		cmocka_unit_test(two_files),
		cmocka_unit_test(doubtful),
		cmocka_unit_test(margins),
		cmocka_unit_test(no_default),
		cmocka_unit_test(units),
	};

	setenv("VK1", "client-secret-number-one", 1);
	setenv("VK2", "client-secret-number-two", 1);
	setenv("VK3", "client-secret-number-three", 1);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
