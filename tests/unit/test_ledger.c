/*
 * What the ledger promises, each promise over both stores: limits and budgets
 * that hold to the unit, holds that end, windows of local time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/draw.h"
#include "policy/zone.h"
#include "tests/unit/ledger_help.h"

static const struct counter parallel = { .scope = "key:a",
	.kind = COUNTER_PARALLEL, .limit = 2 };
static const struct counter rpm = { .scope = "key:a", .kind = COUNTER_RPM,
	.limit = 5 };
static const struct counter tpm = { .scope = "key:a", .kind = COUNTER_TPM,
	.limit = 1000 };
static const struct counter daily = { .scope = "key:a",
	.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = 1000 };
static const struct counter once = { .scope = "team:t",
	.kind = COUNTER_MONEY, .span = SPAN_ONCE, .limit = 500 };

/* Between them: not that of the machine, so that windows do not turn. */
#define NOON "2026-11-28T12:00:00Z"
#define DAY 20261128

static struct world *
at(const char *time)
{
	struct world *w = world_new();

	world_set_time(w, time);
	return w;
}

/* Another hold in the place of one, which is left to its lease. */
static void
again(struct world *w, struct hold *h)
{
	ledger_forget(w->l, h);
	*h = hold_new(w);
}

static void
ok(struct ledger_answer a)
{
	if (a.err != ERR_OK)
		print_error("%d %s\n", a.err, a.why);
	assert_int_equal(a.err, ERR_OK);
	assert_int_equal(a.which, -1);
}

static void
test_hold_and_settle(void **state)
{
	struct world *w = at(NOON);
	const struct want claims[] = { { &parallel, 1 }, { &tpm, 400 },
		{ &daily, 300 }, { &once, 300 }, { &rpm, 1 } };
	const int64_t actual[] = { 0, 150, 120, 120, 0 };
	const struct usage_row row = { .day = DAY, .key = "a", .team = "t",
		.model = "m", .provider = "p", .requests = 1, .input = 100,
		.output = 50, .cached = 7, .cost = 120 };
	struct usage_row sum, who = { .day = DAY, .key = "a", .cost = 300 };
	struct hold h = hold_new(w), h2 = hold_new(w);
	int64_t held;

	(void)state;
	ok(hold_as(w, &h, claims, 5, &who));
	assert_int_equal(h.parts, 5);
	assert_int_equal(h.part[0].left, 1);
	assert_int_equal(h.part[1].left, 600);
	assert_int_equal(h.part[2].left, 700);
	assert_int_equal(h.part[3].left, 200);
	assert_int_equal(h.part[4].left, 4);
	assert_in_range(h.part[4].reset, 60 * S, 60 * S + LEDGER_SLOT);
	assert_in_range(h.part[2].reset, 43190 * S, 43200 * S);
	assert_int_equal(held_of(w, &parallel), 1);
	assert_int_equal(held_of(w, &tpm), 400);
	assert_int_equal(held_of(w, &daily), 300);
	assert_int_equal(used_of(w, &daily), 0);
	assert_int_equal(used_of(w, &rpm), 1);
	sum = usage_of(w, DAY, DAY, &held);
	assert_int_equal(sum.requests, 0);
	assert_int_equal(held, 300);
	ok(sent(w, &h));
	ok(settle(w, &h, actual, &row, 1));
	assert_int_equal(held_of(w, &parallel), 0);
	assert_int_equal(held_of(w, &tpm), 0);
	assert_int_equal(used_of(w, &tpm), 150);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &daily), 120);
	assert_int_equal(used_of(w, &once), 120);
	assert_int_equal(used_of(w, &rpm), 1);
	sum = usage_of(w, DAY, DAY, &held);
	assert_int_equal(sum.requests, 1);
	assert_int_equal(sum.input, 100);
	assert_int_equal(sum.output, 50);
	assert_int_equal(sum.cached, 7);
	assert_int_equal(sum.cost, 120);
	assert_int_equal(held, 0);
	assert_int_equal(usage_of(w, DAY + 1, DAY + 2, NULL).requests, 0);
	/* Released: nothing was used, but the request counts. */
	ok(hold(w, &h2, claims, 5));
	ok(release(w, &h2));
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &daily), 120);
	assert_int_equal(used_of(w, &tpm), 150);
	assert_int_equal(used_of(w, &rpm), 2);
	world_free(w);
}

/* One that does not fit leaves the others as they were. */
static void
test_all_or_nothing(void **state)
{
	struct world *w = at(NOON);
	const struct want claims[] = { { &rpm, 1 }, { &daily, 600 },
		{ &parallel, 1 }, { &once, 501 } };
	struct hold h = hold_new(w);
	struct ledger_answer a;

	(void)state;
	a = hold(w, &h, claims, 4);
	assert_int_equal(a.err, ERR_BUDGET);
	assert_int_equal(a.which, 3);
	assert_int_equal(a.left, 500);
	assert_int_equal(a.retry, -1); /* it never fits */
	assert_false(a.reserved);
	assert_false(h.live);
	assert_int_equal(used_of(w, &rpm), 0);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(held_of(w, &parallel), 0);
	/* Without it they fit. */
	ok(hold(w, &h, claims, 3));
	/* The same counter twice is a mistake of the caller. */
	{
		const struct want twice[] = { { &rpm, 1 }, { &rpm, 1 } };
		struct hold h2 = hold_new(w);

		a = hold(w, &h2, twice, 2);
		assert_int_equal(a.err, ERR_INTERNAL);
	}
	ok(release(w, &h));
	world_free(w);
}

/* Never more than the limit in any 60 s, and told when it will fit. */
static void
test_rpm(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &rpm, 1 };
	struct ledger_answer a;
	struct hold h = { .live = false };
	int i, turn, admitted = 0;

	(void)state;
	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < 5; i++) {
			again(w, &h);
			ok(hold(w, &h, &c, 1));
			assert_int_equal(h.part[0].left, 4 - i);
			admitted++;
			world_move(w, S);
		}
		again(w, &h);
		a = hold(w, &h, &c, 1);
		assert_int_equal(a.err, ERR_RATE_LIMIT);
		assert_int_equal(a.which, 0);
		assert_int_equal(a.left, 0);
		assert_in_range(a.retry, 54 * S, 55 * S + LEDGER_SLOT);
		/* Just before it does not fit, then it does. */
		world_move(w, a.retry - 100000);
		assert_int_equal(hold(w, &h, &c, 1).err, ERR_RATE_LIMIT);
		world_move(w, 120000);
		ok(hold(w, &h, &c, 1));
		assert_int_equal(hold(w, &h, &c, 1).err, ERR_INTERNAL);
		again(w, &h);
		world_move(w, 70 * S);
		assert_int_equal(used_of(w, &rpm), 0);
	}
	assert_int_equal(admitted, 15);
	world_free(w);
}

/* Under pressure for two minutes: how much is let through of 600 a minute? */
static void
test_rpm_rate(void **state)
{
	static const struct counter fast = { .scope = "key:fast",
		.kind = COUNTER_RPM, .limit = 600 };
	const struct want c = { &fast, 1 };
	struct world *w = at(NOON);
	int64_t times[2400], now, start = *w->shift + clock_wall();
	int n = 0, most = 0, old = 0;
	struct hold h = { .live = false };

	(void)state;
	/* Tries 20 ms apart are five times the limit. */
	while ((now = *w->shift + clock_wall()) < start + 120 * S &&
	    n < 2400) {
		world_move(w, 20000);
		again(w, &h);
		if (hold(w, &h, &c, 1).err != ERR_OK)
			continue;
		times[n++] = now;
		while (times[old] <= now - LEDGER_MINUTE)
			old++;
		most = n - old > most ? n - old : most;
	}
	printf("rpm 600 for 120 s: %d admitted, at most %d in 60 s\n", n,
	    most);
	assert_int_equal(most, 600);
	assert_in_range(n, 1194, 1200);
	world_free(w);
}

static void
test_tpm(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &tpm, 600 }, small = { &tpm, 400 };
	const int64_t much = 1300, few = 100;
	struct ledger_answer a;
	struct hold h = hold_new(w), h2 = hold_new(w), h3 = hold_new(w);

	(void)state;
	ok(hold(w, &h, &c, 1));
	a = hold(w, &h2, &c, 1);
	assert_int_equal(a.err, ERR_RATE_LIMIT);
	assert_true(a.reserved);
	assert_int_equal(a.retry, S);
	ok(hold(w, &h2, &small, 1));
	/* Less than was held is free at once. */
	ok(settle(w, &h, &few, NULL, 0));
	assert_int_equal(used_of(w, &tpm), 100);
	/* More than was held is a debt. */
	ok(settle(w, &h2, &much, NULL, 0));
	assert_int_equal(used_of(w, &tpm), 1400);
	a = hold(w, &h3, &small, 1);
	assert_int_equal(a.err, ERR_RATE_LIMIT);
	assert_int_equal(a.left, 0);
	assert_false(a.reserved);
	assert_in_range(a.retry, 59 * S, 60 * S + LEDGER_SLOT);
	world_move(w, a.retry + 10000);
	ok(hold(w, &h3, &small, 1));
	ok(release(w, &h3));
	world_free(w);
}

static void
test_parallel(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &parallel, 1 };
	struct hold a = hold_new(w), b = hold_new(w), d = hold_new(w);
	struct ledger_answer r;
	const int64_t none = 0;

	(void)state;
	ok(hold(w, &a, &c, 1));
	ok(hold(w, &b, &c, 1));
	r = hold(w, &d, &c, 1);
	assert_int_equal(r.err, ERR_RATE_LIMIT);
	assert_true(r.reserved);
	ok(settle(w, &a, &none, NULL, 0));
	ok(hold(w, &d, &c, 1));
	ok(settle(w, &b, &none, NULL, 0));
	ok(settle(w, &d, &none, NULL, 0));
	assert_int_equal(held_of(w, &parallel), 0);
	assert_int_equal(used_of(w, &parallel), 0);
	world_free(w);
}

/* Amounts at the edge of what is exact, and what is no amount. */
static void
test_edges(void **state)
{
	static const struct counter huge = { .scope = "global",
		.kind = COUNTER_MONEY, .span = SPAN_MONTH,
		.limit = LEDGER_MAX };
	struct world *w = at(NOON);
	struct want c = { &huge, LEDGER_MAX - 1 };
	struct hold h = hold_new(w), h2 = hold_new(w);
	struct counter wrong = huge;
	int64_t actual = LEDGER_MAX - 3;

	(void)state;
	ok(hold(w, &h, &c, 1));
	assert_int_equal(held_of(w, &huge), LEDGER_MAX - 1);
	c.amount = 2;
	assert_int_equal(hold(w, &h2, &c, 1).err, ERR_BUDGET);
	c.amount = 1;
	ok(hold(w, &h2, &c, 1));
	assert_int_equal(h2.part[0].left, 0);
	ok(settle(w, &h, &actual, NULL, 0));
	assert_int_equal(used_of(w, &huge), LEDGER_MAX - 3);
	actual = LEDGER_MAX; /* far over: what it cost counts all the same */
	ok(settle(w, &h2, &actual, NULL, 0));
	assert_int_equal(hold(w, &h, &c, 1).err, ERR_BUDGET);
	c.amount = -1;
	assert_int_equal(hold(w, &h, &c, 1).err, ERR_INTERNAL);
	c.amount = LEDGER_MAX + 1;
	assert_int_equal(hold(w, &h, &c, 1).err, ERR_INTERNAL);
	c.amount = 1;
	c.counter = &wrong;
	wrong.scope = "";
	assert_int_equal(hold(w, &h, &c, 1).err, ERR_INTERNAL);
	wrong.scope = "a\nb";
	assert_int_equal(hold(w, &h, &c, 1).err, ERR_INTERNAL);
	wrong.scope = "a";
	wrong.limit = -1;
	assert_int_equal(hold(w, &h, &c, 1).err, ERR_INTERNAL);
	wrong.limit = 0; /* nothing is allowed */
	assert_int_equal(hold(w, &h, &c, 1).err, ERR_BUDGET);
	assert_int_equal(hold(w, &h, &c, 0).err, ERR_INTERNAL);
	world_free(w);
}

static void
test_scopes(void **state)
{
	char a[LEDGER_SCOPE], b[LEDGER_SCOPE], name[512];

	(void)state;
	ledger_scope(a, "user", "u-17");
	assert_string_equal(a, "user:u-17");
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	ledger_scope(a, "user", name);
	name[500] = 'y';
	ledger_scope(b, "user", name);
	assert_string_not_equal(a, b);
	ledger_scope(a, "user", "a\nb");
	assert_null(strchr(a, '\n'));
	ledger_scope(b, "user", "a b");
	assert_string_not_equal(a, b);
}

/* ---- leases ---- */

static void
test_lease_dropped(void **state)
{
	struct world *w = at(NOON);
	const struct want claims[] = { { &daily, 400 }, { &parallel, 1 },
		{ &tpm, 10 } };
	struct hold h = hold_new(w);

	(void)state;
	ok(hold(w, &h, claims, 3));
	ledger_forget(w->l, &h); /* as if its worker had died */
	world_move(w, LEDGER_LEASE - S);
	world_tick(w);
	assert_int_equal(held_of(w, &daily), 400);
	world_move(w, 2 * S);
	world_tick(w);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(held_of(w, &parallel), 0);
	assert_int_equal(held_of(w, &tpm), 0);
	assert_int_equal(used_of(w, &daily), 0);
	assert_int_equal(used_of(w, &tpm), 0);
	world_free(w);
}

/* Charged when it runs out, corrected when it is settled after all, once. */
static void
test_lease_charged(void **state)
{
	struct world *w = at(NOON);
	const struct want claims[] = { { &daily, 400 }, { &parallel, 1 },
		{ &tpm, 10 } };
	const struct usage_row who = { .day = DAY, .key = "a",
		.provider = "p", .cost = 400 }, row = { .day = DAY,
		.key = "a", .provider = "q", .requests = 1, .input = 3,
		.output = 4, .cost = 150 };
	const int64_t actual[] = { 150, 0, 7 };
	struct hold h = hold_new(w), dead;
	struct usage_row sum;
	int64_t held;
	int i;

	(void)state;
	ok(hold_as(w, &h, claims, 3, &who));
	ok(sent(w, &h));
	dead = h;
	ledger_forget(w->l, &h);
	world_move(w, LEDGER_LEASE + S);
	world_tick(w);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &daily), 400);
	assert_int_equal(held_of(w, &parallel), 0);
	assert_int_equal(used_of(w, &tpm), 10);
	sum = usage_of(w, DAY, DAY, &held);
	assert_int_equal(sum.requests, 1);
	assert_int_equal(sum.cost, 400);
	assert_int_equal(held, 0);
	/* The worker lives after all. */
	for (i = 0; i < 3; i++) {
		h = dead;
		h.live = true;
		h.link = NULL;
		ok(settle(w, &h, actual, &row, 1));
		assert_int_equal(used_of(w, &daily), 150);
		assert_int_equal(used_of(w, &tpm), 10);
		sum = usage_of(w, DAY, DAY, NULL);
		assert_int_equal(sum.requests, 1);
		assert_int_equal(sum.cost, 150);
		assert_int_equal(sum.input, 3);
	}
	world_free(w);
}

/* Charged, and then the worker says that nothing was billed. */
static void
test_late_release(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &daily, 400 };
	const struct usage_row who = { .day = DAY, .key = "a", .cost = 400 };
	struct hold h = hold_new(w), dead;
	int i;

	(void)state;
	ok(hold_as(w, &h, &c, 1, &who));
	ok(sent(w, &h));
	dead = h;
	ledger_forget(w->l, &h);
	world_move(w, LEDGER_LEASE + S);
	world_tick(w);
	assert_int_equal(used_of(w, &daily), 400);
	for (i = 0; i < 2; i++) {
		h = dead;
		h.link = NULL;
		ok(release(w, &h));
		assert_int_equal(used_of(w, &daily), 0);
		assert_int_equal(usage_of(w, DAY, DAY, NULL).requests, 0);
	}
	world_free(w);
}

/* A worker that stood still for longer than its lease must not send. */
static void
test_stale(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &daily, 400 };
	struct hold h = { .live = false };

	(void)state;
	world_lease(w, S / 5);
	again(w, &h);
	ok(hold(w, &h, &c, 1));
	assert_true(ledger_sent(w->l, &h, NULL, NULL));
	usleep(250000);
	assert_false(ledger_sent(w->l, &h, NULL, NULL));
	ok(release(w, &h));
	world_free(w);
}

/* A live worker's lease is renewed, however long the answer takes. */
static void
test_lease_renewed(void **state)
{
	struct world *w;
	const struct want c = { &daily, 400 };
	const int64_t actual = 100;
	struct hold h = { .live = false };
	int i;

	(void)state;
	w = at(NOON);
	world_lease(w, S);
	again(w, &h);
	ok(hold(w, &h, &c, 1));
	ok(sent(w, &h));
	for (i = 0; i < 8; i++) {
		world_run(w, 340);
		world_tick(w);
	}
	assert_int_equal(held_of(w, &daily), 400);
	ok(settle(w, &h, &actual, NULL, 0));
	assert_int_equal(used_of(w, &daily), 100);
	world_free(w);
}

/* Settled three times, settled unknown, released twice. */
static void
test_twice(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &daily, 400 };
	const int64_t actual = 250;
	const struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 250 };
	struct hold h = hold_new(w), copy;
	int i;

	(void)state;
	ok(hold(w, &h, &c, 1));
	copy = h;
	ok(settle(w, &h, &actual, &row, 1));
	for (i = 0; i < 3; i++) {
		h = copy;
		h.link = NULL;
		ok(settle(w, &h, &actual, &row, 1));
		h = copy;
		h.link = NULL;
		ok(release(w, &h));
		h = copy;
		h.link = NULL;
		assert_false(sent(w, &h).known);
	}
	assert_int_equal(used_of(w, &daily), 250);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 250);
	/* One of which the store knows nothing at all. */
	h = copy;
	h.link = NULL;
	memcpy(h.id, "0000000000000000000000", 22);
	ok(settle(w, &h, &actual, &row, 1));
	assert_int_equal(used_of(w, &daily), 500);
	assert_int_equal(held_of(w, &daily), 0);
	h = copy;
	h.link = NULL;
	memcpy(h.id, "0000000000000000000001", 22);
	assert_false(release(w, &h).known);
	assert_int_equal(used_of(w, &daily), 500);
	world_free(w);
}

/* ---- every settle is said several times ---- */

#define TIMES 4	  /* that each is said */
#define LATE 8	  /* one of so many comes when its lease has run out */
#define BATCH 500 /* requests whose leases run out together */

static const struct counter credit = { .scope = "key:a",
	.kind = COUNTER_MONEY, .span = SPAN_ONCE, .limit = LEDGER_MAX };
static const struct counter many = { .scope = "key:a",
	.kind = COUNTER_PARALLEL, .limit = BATCH };

struct books {
	struct world *w;
	uint64_t random;
	int64_t settles, requests, billed, late;
	struct hold open[BATCH];
};

static int64_t
up_to(struct books *b, int64_t n)
{
	return (int64_t)(draw_next(&b->random) % (uint64_t)n);
}

/* A request under way, of which this ledger knows nothing more, as if its
 * worker had been stopped. */
static void
open_one(struct books *b, struct hold *out)
{
	const struct want claims[] = { { &credit, up_to(b, 1000000) },
		{ &many, 1 } };
	const struct usage_row who = { .day = DAY, .key = "a",
		.cost = claims[0].amount };
	struct hold h = hold_new(b->w);

	ok(hold_as(b->w, &h, claims, 2, &who));
	assert_true(sent(b->w, &h).known);
	*out = h;
	ledger_forget(b->w->l, &h);
}

/* Less than was held, or more. */
static void
say_settles(struct books *b, const struct hold *h)
{
	const int64_t actual[] = { up_to(b, 1200000), 0 };
	const struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.input = 1, .output = 2, .cost = actual[0] };
	struct hold copy;
	int i;

	for (i = 0; i < TIMES; i++) {
		copy = *h;
		copy.link = NULL;
		ok(settle(b->w, &copy, actual, &row, 1));
	}
	b->settles += TIMES;
	b->requests++;
	b->billed += actual[0];
}

static void
settle_batch(struct books *b)
{
	unsigned i, late = BATCH / LATE;

	for (i = 0; i < BATCH; i++)
		open_one(b, &b->open[i]);
	for (i = late; i < BATCH; i++)
		say_settles(b, &b->open[i]);
	world_move(b->w, LEDGER_LEASE + S);
	world_ticks(b->w, 6);
	assert_int_equal(held_of(b->w, &credit), 0);
	for (i = 0; i < late; i++)
		say_settles(b, &b->open[i]);
	b->late += late;
	arena_reset(b->w->arena);
}

/* Also those that come when a lease has been charged: the sum is what was
 * billed. TEST_LEDGER_SETTLES: how many (the promises say 10^6). */
static void
test_many_settles(void **state)
{
	const char *text = getenv("TEST_LEDGER_SETTLES");
	int64_t settles = text == NULL ? 4000 : atoll(text), began;
	static struct books b;
	struct usage_row sum;

	(void)state;
	memset(&b, 0, sizeof b);
	b.w = at(NOON);
	b.random = 4711;
	began = clock_mono();
	while (b.settles < settles)
		settle_batch(&b);
	sum = usage_of(b.w, DAY, DAY, NULL);
	printf("%s: %lld settles of %lld requests (%lld after their lease) "
	    "in %lld s, billed n$%lld, used n$%lld\n",
	    over_redis ? "redis" : "embedded", (long long)b.settles,
	    (long long)b.requests, (long long)b.late,
	    (long long)((clock_mono() - began) / S), (long long)b.billed,
	    (long long)used_of(b.w, &credit));
	assert_int_equal(used_of(b.w, &credit), b.billed);
	assert_int_equal(held_of(b.w, &credit), 0);
	assert_int_equal(held_of(b.w, &many), 0);
	assert_int_equal(sum.cost, b.billed);
	assert_int_equal(sum.requests, b.requests);
	assert_int_equal(sum.output, 2 * b.requests);
	world_free(b.w);
}

/* ---- as many end users as somebody likes to name ---- */

#define USERS 10000

/* Entries of the store: rows, or keys. */
static int64_t
entries(struct world *w)
{
	static const char *const words[] = { "DBSIZE", NULL };
	char text[64] = "";
	sqlite3_stmt *s;
	sqlite3 *db;
	int64_t n;

	if (w->redis) {
		redis_cli(&w->server, text, sizeof text, words);
		return atoll(text);
	}
	snprintf(text, sizeof text, "%.40s/ledger.db", w->server.dir);
	assert_int_equal(sqlite3_open(text, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT (SELECT count(*) FROM "
	    "counter) + (SELECT count(*) FROM slot) + (SELECT count(*) FROM "
	    "lease) + (SELECT count(*) FROM done)", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

/* Stores forget by and by. */
static int64_t
entries_later(struct world *w, int64_t most)
{
	int i;

	for (i = 0; i < 200 && entries(w) > most; i++) {
		world_ticks(w, 1);
		world_run(w, 50);
	}
	return entries(w);
}

static void
ask_as(struct world *w, int user)
{
	char name[32];
	struct counter c[] = {
		{ .scope = name, .kind = COUNTER_RPM, .limit = 3 },
		{ .scope = name, .kind = COUNTER_TPM, .limit = 1000 },
		{ .scope = name, .kind = COUNTER_PARALLEL, .limit = 1 },
		{ .scope = name, .kind = COUNTER_MONEY, .span = SPAN_DAY,
			.limit = 1000 } };
	const struct want claims[] = { { &c[0], 1 }, { &c[1], 100 },
		{ &c[2], 1 }, { &c[3], 100 } };
	const int64_t actual[] = { 0, 10, 0, 10 };
	struct hold h = hold_new(w);

	snprintf(name, sizeof name, "end:1:k:user-%d", user);
	ok(hold(w, &h, claims, 4));
	ok(settle(w, &h, actual, NULL, 0));
	arena_reset(w->arena);
}

static long
resident(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Neither the worker nor, in time, the store keeps anything of them. */
static void
test_many_users(void **state)
{
	struct world *w = at(NOON);
	int64_t before, most, minutes, end;
	long memory;
	int i;

	(void)state;
	for (i = 0; i < USERS / 10; i++)
		ask_as(w, -i);
	before = entries(w);
	memory = resident();
	for (i = 0; i < USERS; i++)
		ask_as(w, i);
	memory = resident() - memory;
	most = entries(w) - before;
	world_move(w, 5 * LEDGER_MINUTE);
	minutes = entries_later(w, before + 2 * USERS) - before;
	world_move(w, INT64_C(37) * 1440 * LEDGER_MINUTE);
	end = entries_later(w, 50);
	printf("%s: %d users, %ld KiB of memory, %lld entries, %lld after "
	    "5 minutes, %lld after 37 days\n", over_redis ? "redis" :
	    "embedded", USERS, memory, (long long)most, (long long)minutes,
	    (long long)end);
#ifndef __SANITIZE_ADDRESS__ /* it keeps what was freed */
	assert_in_range(memory + 4096, 0, 2 * 4096);
#endif
	/* A day's money, and that it was settled. */
	assert_true(minutes <= 2 * USERS);
	assert_in_range(end, 0, 50);
	world_free(w);
}

static void
test_more(void **state)
{
	struct world *w = at(NOON);
	static const struct counter provider = { .scope = "provider:q",
		.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = 300 };
	const struct want c = { &daily, 400 };
	const struct want dearer[] = { { &daily, 200 }, { &provider, 300 } };
	const struct want too_dear[] = { { &daily, 100 }, { &provider, 1 } };
	const struct usage_row who = { .day = DAY, .key = "a", .cost = 400 };
	const int64_t actual[] = { 550, 290 };
	struct hold h = hold_new(w);
	struct ledger_answer a;
	int64_t held;

	(void)state;
	assert_int_equal(more(w, &h, &c, 1, 0).err, ERR_INTERNAL);
	ok(hold_as(w, &h, &c, 1, &who));
	ok(more(w, &h, dearer, 2, 200));
	assert_int_equal(h.parts, 2);
	assert_int_equal(h.part[0].amount, 600);
	assert_int_equal(h.part[0].left, 400);
	assert_int_equal(held_of(w, &daily), 600);
	assert_int_equal(held_of(w, &provider), 300);
	usage_of(w, DAY, DAY, &held);
	assert_int_equal(held, 600);
	a = more(w, &h, too_dear, 2, 100);
	assert_int_equal(a.err, ERR_BUDGET);
	assert_int_equal(a.which, 1);
	assert_int_equal(held_of(w, &daily), 600);
	ok(settle(w, &h, actual, NULL, 0));
	assert_int_equal(used_of(w, &daily), 550);
	assert_int_equal(used_of(w, &provider), 290);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(held_of(w, &provider), 0);
	/* A hold that ran out can grow no more. */
	again(w, &h);
	ok(hold(w, &h, &c, 1));
	world_move(w, LEDGER_LEASE + S);
	world_tick(w);
	assert_int_equal(more(w, &h, dearer, 1, 1).err, ERR_LEDGER);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* What was marked as sent stays so when it grows. */
static void
test_more_of_sent(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &daily, 400 }, dearer = { &daily, 200 };
	const struct usage_row who = { .day = DAY, .key = "a", .cost = 400 };
	struct hold h = hold_new(w);

	(void)state;
	ok(hold_as(w, &h, &c, 1, &who));
	ok(sent(w, &h));
	ok(more(w, &h, &dearer, 1, 200));
	ledger_forget(w->l, &h);
	world_move(w, LEDGER_LEASE + S);
	world_tick(w);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &daily), 600);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 600);
	world_free(w);
}

/* A hold that has as many counters as there may be, and more of each. */
static void
test_more_of_all(void **state)
{
	struct counter counters[LEDGER_PARTS + 1];
	struct want claims[LEDGER_PARTS + 1];
	char scopes[LEDGER_PARTS + 1][16];
	struct world *w = at(NOON);
	struct hold h = hold_new(w);
	unsigned i;

	(void)state;
	for (i = 0; i <= LEDGER_PARTS; i++) {
		snprintf(scopes[i], sizeof scopes[i], "user:%u", i);
		counters[i] = (struct counter){ .scope = scopes[i],
			.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = 5 };
		claims[i] = (struct want){ &counters[i], 2 };
	}
	ok(hold(w, &h, claims, LEDGER_PARTS));
	ok(more(w, &h, claims, LEDGER_PARTS, 0));
	assert_int_equal(h.parts, LEDGER_PARTS);
	assert_int_equal(held_of(w, &counters[0]), 4);
	assert_int_equal(held_of(w, &counters[LEDGER_PARTS - 1]), 4);
	assert_int_equal(more(w, &h, &claims[LEDGER_PARTS], 1, 0).err,
	    ERR_INTERNAL);
	ok(release(w, &h));
	assert_int_equal(held_of(w, &counters[LEDGER_PARTS - 1]), 0);
	/* Of all that refuse one is told. */
	for (i = 0; i < LEDGER_PARTS; i++)
		claims[i].amount = 6;
	h = hold_new(w);
	assert_int_equal(hold(w, &h, claims, LEDGER_PARTS).err, ERR_BUDGET);
	world_free(w);
}

/* The owner goes while the store is being asked. */
static void
test_forgotten(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &daily, 400 };
	const struct usage_row who = { .day = DAY };
	struct hold h = hold_new(w);

	(void)state;
	ledger_hold(w->l, &h, &c, 1, &who, NULL, NULL);
	if (h.live) { /* the embedded store has answered already */
		ok(release(w, &h));
	} else {
		ledger_forget(w->l, &h);
		memset(&h, 0xff, sizeof h);
	}
	world_run(w, 100);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/*
 * The system's clock jumps by an hour or a day and comes back: the file's
 * does not. One that stays is followed.
 */
static void
test_clock_jumps(void **state)
{
	static const int64_t jumps[] = { 3600, -3600, 86400, -86400 };
	const struct want claims[] = { { &rpm, 1 }, { &daily, 200 } };
	const int64_t actual[] = { 0, 200 };
	struct hold h = { .live = false };
	struct world *w;
	int i;

	(void)state;
	if (over_redis) /* its clock is the server's */
		return;
	w = at(NOON);
	for (i = 0; i < 4; i++) {
		again(w, &h);
		world_jump(w, jumps[i] * S);
		world_ticks(w, 30);
		ok(hold(w, &h, claims, 2));
		assert_int_equal(ledger_day(w->l), DAY);
		ok(settle(w, &h, actual, NULL, 0));
		assert_int_equal(used_of(w, &rpm), i + 1);
		assert_int_equal(used_of(w, &daily), 200 * (i + 1));
		world_jump(w, 0);
		world_ticks(w, 30);
	}
	assert_int_equal(used_of(w, &rpm), 4);
	/* For good: after ten minutes it is the day before. */
	again(w, &h);
	world_jump(w, -86400 * S);
	world_ticks(w, 30);
	assert_int_equal(ledger_day(w->l), DAY);
	world_move(w, 601 * S);
	world_ticks(w, 30);
	assert_int_equal(ledger_day(w->l), DAY - 1);
	assert_int_equal(used_of(w, &daily), 0);
	ok(hold(w, &h, claims, 2));
	world_free(w);
}

/* Settled while more is being asked for: all of it is over. */
static void
test_settled_meanwhile(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &daily, 400 };
	const int64_t actual = 150;
	struct hold h = hold_new(w);

	(void)state;
	ok(hold(w, &h, &c, 1));
	ledger_more(w->l, &h, &c, 1, 0, NULL, NULL);
	ok(settle(w, &h, &actual, NULL, 0));
	world_run(w, 100);
	assert_false(h.live);
	assert_null(h.link);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &daily), 150);
	world_free(w);
}

/* ---- windows ---- */

static const struct {
	const char *zone, *before; /* a second or two before the day turns */
	int hours;		   /* of the day that begins */
} midnights[] = {
	{ "UTC", "2026-11-27T23:59:58Z", 24 },
	{ "Asia/Tokyo", "2026-11-28T14:59:58Z", 24 },
	{ "America/New_York", "2026-03-08T04:59:58Z", 23 },
	{ "America/New_York", "2026-11-01T03:59:58Z", 25 },
	{ "Europe/Berlin", "2026-03-28T22:59:58Z", 23 },
	{ "Europe/Berlin", "2026-10-24T21:59:58Z", 25 },
};

/* Held before midnight, settled after it: in the window of the hold. */
static void
midnight(const char *zone, const char *before, int hours)
{
	struct world *w = at(before);
	struct counter c = { .scope = "key:z", .kind = COUNTER_MONEY,
		.span = SPAN_DAY, .limit = 1000, .zone_name = zone };
	const struct want claim = { &c, 700 }, rest = { &c, 300 };
	const int64_t actual = 650;
	struct hold old = hold_new(w), h = hold_new(w);
	struct ledger_answer a;

	c.zone = zone_load(w->arena, zone);
	assert_non_null(c.zone);
	ok(hold(w, &old, &claim, 1));
	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_BUDGET);
	world_move(w, 3 * S);
	/* A new day: all of it is there, at once. */
	ok(hold(w, &h, &claim, 1));
	assert_int_equal(h.part[0].left, 300);
	assert_in_range(h.part[0].reset, hours * 3600 * S - 3 * S,
	    hours * 3600 * S);
	/* The old one may grow in its own window. */
	ok(more(w, &old, &rest, 1, 0));
	assert_int_equal(old.parts, 1);
	assert_int_equal(more(w, &old, &rest, 1, 0).err, ERR_BUDGET);
	ok(settle(w, &old, &actual, NULL, 0));
	assert_int_equal(used_of(w, &c), 0);
	assert_int_equal(held_of(w, &c), 700);
	ok(settle(w, &h, &actual, NULL, 0));
	assert_int_equal(used_of(w, &c), 650);
	/* Until the last second of a day of so many hours. */
	world_move(w, hours * 3600 * S - 5 * S);
	a = hold(w, &h, &claim, 1);
	assert_int_equal(a.err, ERR_BUDGET);
	assert_in_range(a.retry, 0, 5 * S);
	world_move(w, a.retry + 10000);
	ok(hold(w, &h, &claim, 1));
	ok(release(w, &h));
	world_free(w);
}

static void
test_midnights(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof midnights / sizeof midnights[0]; i++)
		midnight(midnights[i].zone, midnights[i].before,
		    midnights[i].hours);
}

/* Several windows of one scope, each its own. */
static void
test_spans(void **state)
{
	struct world *w = at("2026-11-28T12:00:00Z"); /* a Saturday */
	const struct counter c[] = {
		{ "key:a", COUNTER_MONEY, SPAN_HOUR, NULL, "", 100 },
		{ "key:a", COUNTER_MONEY, SPAN_DAY, NULL, "", 200 },
		{ "key:a", COUNTER_MONEY, SPAN_WEEK, NULL, "", 300 },
		{ "key:a", COUNTER_MONEY, SPAN_MONTH, NULL, "", 400 },
		{ "key:a", COUNTER_MONEY, SPAN_ONCE, NULL, "", 500 },
	};
	const struct {
		int64_t move; /* s */
		int refuses;  /* -1: it fits */
	} steps[] = { { 0, -1 }, { 0, 0 }, { 3600, -1 }, { 3600, 1 },
		{ 86400, -1 }, { 3600, 2 }, { 2 * 86400, -1 },
		{ 86400, 4 }, { 31 * 86400, 4 } };
	struct want claims[5];
	const int64_t actual[5] = { 100, 100, 100, 100, 100 };
	struct ledger_answer a;
	struct hold h = { .live = false };
	size_t i;
	int k;

	(void)state;
	for (k = 0; k < 5; k++)
		claims[k] = (struct want){ &c[k], 100 };
	for (i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		world_move(w, steps[i].move * S);
		again(w, &h);
		a = hold(w, &h, claims, 5);
		assert_int_equal(a.which, steps[i].refuses);
		if (a.err != ERR_OK)
			continue;
		ok(settle(w, &h, actual, NULL, 0));
		/* One more than the credit in all. */
		if (i == 6) {
			struct hold last = hold_new(w);

			world_move(w, 86400 * S);
			ok(hold(w, &last, claims, 5));
			ok(settle(w, &last, actual, NULL, 0));
		}
	}
	assert_int_equal(used_of(w, &c[4]), 500);
	world_free(w);
}

/* Rows add up by who; what is no text of a name does no harm. */
static void
test_usage(void **state)
{
	struct world *w = at(NOON);
	const struct want c = { &daily, 0 };
	const int64_t actual = 0;
	char name[400];
	struct usage_row rows[3] = {
		{ .day = DAY, .key = "a", .model = "m", .requests = 1,
		    .input = 5, .cost = LEDGER_MAX / 100 },
		{ .day = DAY, .key = "b\x1f\n", .model = name, .requests = 2,
		    .output = 6, .cost = 1 },
		{ .day = DAY + 1, .key = "'; DROP TABLE usage; --",
		    .requests = 4, .cached = 7 },
	};
	struct usage_row sum;
	struct hold h = { .live = false };
	int i;

	(void)state;
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	for (i = 0; i < 3; i++) {
		again(w, &h);
		ok(hold(w, &h, &c, 1));
		ok(settle(w, &h, &actual, rows, 3));
	}
	sum = usage_of(w, DAY, DAY + 1, NULL);
	assert_int_equal(sum.requests, 21);
	assert_int_equal(sum.input, 15);
	assert_int_equal(sum.output, 18);
	assert_int_equal(sum.cached, 21);
	assert_int_equal(sum.cost, 3 * (LEDGER_MAX / 100) + 3);
	sum = usage_of(w, DAY, DAY, NULL);
	assert_int_equal(sum.requests, 9);
	world_free(w);
}

/* A request without a limit is written down all the same. */
static void
test_note(void **state)
{
	const struct usage_row row = { .day = DAY, .key = "free",
		.requests = 1, .input = 5, .cost = 9 };
	struct world *w = at(NOON);

	(void)state;
	ledger_note(w->l, &row, 1);
	ledger_note(w->l, &row, 1);
	world_run(w, 50);
	assert_int_equal(ledger_owes(w->l), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).requests, 2);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 18);
	world_free(w);
}

/* No file may grow any more: as a full disk, for this process alone. */
static void
fill_disk(bool full)
{
	struct rlimit r;

	getrlimit(RLIMIT_FSIZE, &r);
	r.rlim_cur = full ? 1 : r.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* The disk is full: nothing new, and nothing that runs is lost. */
static void
test_disk_full(void **state)
{
	const struct want c = { &daily, 100 };
	const int64_t actual = 60;
	const struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 60 };
	struct world *w = at(NOON);
	struct hold h[3], late = hold_new(w);
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		h[i] = hold_new(w);
		ok(hold(w, &h[i], &c, 1));
		ok(sent(w, &h[i]));
	}
	fill_disk(true);
	for (i = 0; i < 3; i++)
		settle(w, &h[i], &actual, &row, 1);
	world_run(w, 300);
	for (i = 0; i < 3; i++)
		assert_int_equal(hold(w, &late, &c, 1).err, ERR_LEDGER);
	ledger_tick(w->l);
	world_run(w, 100);
	fill_disk(false);
	world_run(w, 300);
	for (i = 0; i < 100 && ledger_owes(w->l) > 0; i++) {
		ledger_tick(w->l);
		world_run(w, 20);
	}
	assert_int_equal(ledger_owes(w->l), 0);
	assert_int_equal(used_of(w, &daily), 3 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 3 * 60);
	ok(hold(w, &late, &c, 1));
	ok(release(w, &late));
	world_free(w);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	alarm(300);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hold_and_settle),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_rpm),
		cmocka_unit_test(test_rpm_rate),
		cmocka_unit_test(test_tpm),
		cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_lease_dropped),
		cmocka_unit_test(test_lease_charged),
		cmocka_unit_test(test_late_release),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_lease_renewed),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_many_settles),
		cmocka_unit_test(test_many_users),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_more_of_sent),
		cmocka_unit_test(test_more_of_all),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_settled_meanwhile),
		cmocka_unit_test(test_clock_jumps),
		cmocka_unit_test(test_midnights),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_disk_full),
	};
	int failed;

	failed = cmocka_run_group_tests_name("embedded", tests, set_up, NULL);
	over_redis = true;
	return failed + cmocka_run_group_tests_name("redis", tests, set_up,
	    NULL);
}
