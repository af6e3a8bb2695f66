/*
 * Usage at the prices of today: which price it is, what it comes to, and that
 * a correction of the ledger's rows makes it so, in both stores.
 */
#include "tests/unit/policy_help.h"

#include "app/base/limits.h"
#include "app/reprice.h"
#include "tests/unit/ledger_help.h"

static const char text[] =
    "providers:\n"
    "  p: { adapter: openai, base_url: \"http://127.0.0.1/v1\", key: none }\n"
    "  q: { adapter: openai, base_url: \"http://127.0.0.2/v1\", key: none }\n"
    "models:\n"
    "  one: { targets: [ { provider: p, model: x, price: { input: 1,"
    " output: 2, cached_input: 0.5 } } ] }\n"
    "  same: { targets: [ { provider: p, model: y, price: { input: 3,"
    " output: 3 } }, { provider: p, model: z, price: { input: 3,"
    " output: 3 } } ], fallbacks: { general: { provider: q, model: w,"
    " price: { input: 7, output: 7 } } } }\n"
    "  two: { targets: [ { provider: p, model: a, price: { input: 1,"
    " output: 1 } }, { provider: p, model: b, price: { input: 2,"
    " output: 1 } } ] }\n"
    "  fee: { targets: [ { provider: p, model: f, price: { input: 1,"
    " output: 1, request: 0.01 } } ] }\n"
    "  tiered: { targets: [ { provider: p, model: t, price: { input: 1,"
    " output: 1, tiers: [ { above: 1k, input: 9, output: 9 } ] } } ] }\n"
    "  thinker: { targets: [ { provider: p, model: r, price: { input: 1,"
    " output: 1, reasoning: 5 } } ] }\n"
    "  flex: { targets: [ { provider: p, model: u, price: { input: 1,"
    " output: 1, service_tiers: { flex: 50 % } } } ] }\n"
    "  free: { targets: [ { provider: p, model: n } ] }\n"
    "keys: []\n";

static struct policy *policy;
static struct arena *arena;

static enum reprice_kind
of(const char *model, const char *provider, int64_t requests, int64_t input,
    int64_t output, int64_t cached, int64_t was, int64_t *now)
{
	const struct usage_row row = { .day = 20261128, .key = "k",
		.model = model, .provider = provider, .requests = requests,
		.input = input, .output = output, .cached = cached,
		.cost = was };

	*now = -1;
	return reprice_row(policy, arena, &row, now);
}

static void
test_rows(void **state)
{
	int64_t now;

	(void)state;
	/* 900 × 1000 + 100 × 500 + 50 × 2000 n$ */
	assert_int_equal(of("one", "p", 3, 1000, 50, 100, 0, &now),
	    REPRICE_EXACT);
	assert_int_equal(now, 1050000);
	/* Directly, at the price that the policy gives it. */
	assert_int_equal(of("p/x", "p", 1, 10, 0, 0, 0, &now), REPRICE_EXACT);
	assert_int_equal(now, 10000);
	/* Two targets of one price are one; a fallback has its own. */
	assert_int_equal(of("same", "p", 1, 1, 1, 0, 0, &now), REPRICE_EXACT);
	assert_int_equal(now, 6000);
	assert_int_equal(of("same", "q", 1, 1, 1, 0, 0, &now), REPRICE_EXACT);
	assert_int_equal(now, 14000);
	/* What the counts cannot tell. */
	assert_int_equal(of("fee", "p", 2, 5, 0, 0, 0, &now), REPRICE_ABOUT);
	assert_int_equal(now, 20005000);
	assert_int_equal(of("tiered", "p", 9, 2000, 0, 0, 0, &now),
	    REPRICE_ABOUT);
	assert_int_equal(now, 2000000);
	assert_int_equal(of("thinker", "p", 1, 0, 10, 0, 0, &now),
	    REPRICE_ABOUT);
	assert_int_equal(of("flex", "p", 1, 10, 0, 0, 0, &now), REPRICE_ABOUT);
	assert_int_equal(now, 10000);
	/* A lease that ran out was charged without counts: that stays. */
	assert_int_equal(of("one", "p", 1, 0, 0, 0, 99, &now), REPRICE_ABOUT);
	assert_int_equal(now, -1);
	/* Not known, and so untouched. */
	assert_int_equal(of("two", "p", 1, 1, 1, 0, 5, &now),
	    REPRICE_UNKNOWN);
	assert_int_equal(of("one", "q", 1, 1, 1, 0, 5, &now),
	    REPRICE_UNKNOWN);
	assert_int_equal(of("gone", "p", 1, 1, 1, 0, 5, &now),
	    REPRICE_UNKNOWN);
	assert_int_equal(of("free", "p", 1, 1, 1, 0, 5, &now),
	    REPRICE_UNKNOWN);
	assert_int_equal(of("", "", 1, 1, 1, 0, 5, &now), REPRICE_UNKNOWN);
	assert_int_equal(now, -1);
	/* Each of three requests was rounded up by itself. */
	assert_int_equal(of("one", "p", 3, 7, 0, 0, 7002, &now),
	    REPRICE_EXACT);
	assert_int_equal(now, 7002);
	assert_int_equal(of("one", "p", 3, 7, 0, 0, 7003, &now),
	    REPRICE_EXACT);
	assert_int_equal(now, 7000);
	/* Numbers that are absurd are no money. */
	assert_int_equal(of("same", "q", 1, LEDGER_MAX, LEDGER_MAX, 0, 5,
	    &now), REPRICE_UNKNOWN);
}

struct pass {
	struct reprice *r;
	int calls;
};

static void
on_row(void *arg, enum err e, const struct usage_row *row, int64_t held)
{
	struct pass *p = arg;

	(void)held;
	assert_int_equal(e, ERR_OK);
	if (row == NULL)
		p->calls++;
	else
		assert_true(reprice_add(p->r, row));
}

static void
on_taken(void *arg, const struct ledger_answer *a)
{
	assert_int_equal(a->err, ERR_OK);
	++*(int *)arg;
}

/* Correct all; how many sums it were, and the table's last line. */
static int
correct(struct world *w, char *last, size_t size)
{
	struct pass p = { .r = reprice_new(policy) };
	struct usage_row row;
	int changes = 0, taken = 0, i;
	struct buf out;
	size_t at = 0;

	assert_non_null(p.r);
	ledger_usage(w->l, 20261101, 20261130, on_row, &p);
	for (i = 0; i < 100 && p.calls == 0; i++)
		world_run(w, 20);
	reprice_run(p.r);
	buf_init(&out, MIB(1));
	reprice_write(p.r, &out);
	assert_false(out.failed);
	for (at = out.len - 1; at > 0 && out.data[at - 1] != '\n'; at--)
		continue;
	snprintf(last, size, "%.*s", (int)(out.len - at), out.data + at);
	buf_free(&out);
	at = 0;
	while (reprice_change(p.r, &at, &row)) {
		ledger_correct(w->l, &row, on_taken, &taken);
		changes++;
	}
	for (i = 0; i < 100 && taken < changes; i++)
		world_run(w, 20);
	assert_int_equal(taken, changes);
	reprice_free(p.r);
	return changes;
}

static void
in_ledger(bool redis)
{
	static const struct usage_row rows[] = {
		{ .day = 20261127, .key = "a", .tag = "x,y", .model = "one",
		    .provider = "p", .requests = 1, .input = 100,
		    .output = 100, .cost = 999999 },
		{ .day = 20261128, .key = "a", .model = "one",
		    .provider = "p", .requests = 1, .input = 10,
		    .output = 10, .cost = 1 },
		{ .day = 20261128, .key = "a", .model = "gone",
		    .provider = "p", .requests = 1, .input = 10,
		    .cost = 77 },
	};
	struct usage_row sum;
	struct world *w;
	char last[256];

	over_redis = redis;
	w = world_new();
	ledger_note(w->l, rows, 3);
	world_run(w, 100);
	/* 300000 and 30000 for what was 999999 and 1. */
	assert_int_equal(correct(w, last, sizeof last), 2);
	assert_non_null(strstr(last, "0.001000077"));
	assert_non_null(strstr(last, "0.000330077"));
	assert_non_null(strstr(last, "-0.00067"));
	sum = usage_of(w, 20261101, 20261130, NULL);
	assert_int_equal(sum.cost, 330077);
	assert_int_equal(sum.requests, 3);
	assert_int_equal(sum.input, 120);
	assert_int_equal(usage_of(w, 20261127, 20261127, NULL).cost, 300000);
	assert_int_equal(correct(w, last, sizeof last), 0);
	world_free(w);
}

static void
test_in_file(void **state)
{
	(void)state;
	in_ledger(false);
}

static void
test_in_redis(void **state)
{
	(void)state;
	in_ledger(true);
}

static int
setup(void **state)
{
	if (group_setup(state) != 0)
		return -1;
	policy = load_good(text);
	arena = arena_new(MIB(16));
	return arena == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	policy_unref(policy);
	arena_free(arena);
	return group_teardown(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_in_file),
		cmocka_unit_test(test_in_redis),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
