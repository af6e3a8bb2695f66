/*
 * Limits a minute, whatever way requests come: at rest, in bursts, after
 * silence, at many times the limit. For each of them, over both stores and
 * with a clock of the test's own:
 *
 *   - never more than the limit within any 60 s;
 *   - who is refused could not have been let through: with what passed in the
 *     last 60.25 s it would have been too much;
 *   - the wait that a refusal tells is right: a slot before it the same is
 *     refused, after it the same passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/draw.h"
#include "tests/unit/ledger_help.h"

#define MOST 4000 /* admissions of one row */
#define SLACK 20000 /* µs that pass between two calls of the test */

/* What passed: between before and after, by the store's clock. */
struct passed {
	int64_t before, after, amount;
};

struct series {
	struct world *w;
	struct counter counter;
	struct passed list[MOST];
	int count, refused, waits;
	int64_t busiest; /* most within 60 s */
	int64_t random_amount; /* 0: each is 1 */
};

static uint64_t random_state;

static int64_t
draw(int64_t below)
{
	return (int64_t)(draw_next(&random_state) % (uint64_t)below);
}

static int64_t
now(const struct series *s)
{
	return *s->w->shift + clock_wall();
}

/* What passed for certain within 60 s that end with the last one. */
static int64_t
certain(const struct series *s)
{
	int64_t sum = 0, end = s->list[s->count - 1].after;
	int i;

	for (i = s->count - 1; i >= 0; i--)
		if (end - s->list[i].before < LEDGER_MINUTE)
			sum += s->list[i].amount;
	return sum;
}

/* What can count at most for somebody who comes at that time. */
static int64_t
possible(const struct series *s, int64_t at)
{
	int64_t sum = 0;
	int i;

	for (i = s->count - 1; i >= 0; i--)
		if (at - s->list[i].after < LEDGER_MINUTE + LEDGER_SLOT)
			sum += s->list[i].amount;
	return sum;
}

/* One request of that amount; what the ledger says. */
static struct ledger_answer
try_one(struct series *s, int64_t amount)
{
	const struct want c = { &s->counter, amount };
	struct passed p = { .before = now(s), .amount = amount };
	struct hold h = hold_new(s->w);
	struct ledger_answer a;

	h.apart = true; /* purses give back by a clock that is not the test's */
	a = hold(s->w, &h, &c, 1);
	p.after = now(s);
	if (a.err != ERR_OK) {
		assert_int_equal(a.err, ERR_RATE_LIMIT);
		assert_true(possible(s, p.before) + amount >
		    s->counter.limit);
		s->refused++;
		return a;
	}
	if (s->random_amount > 0) /* used is what counts, not what was held */
		p.amount = draw(amount + 1);
	assert_int_equal(settle(s->w, &h, &p.amount, NULL, 0).err, ERR_OK);
	assert_true(s->count < MOST);
	s->list[s->count++] = p;
	if (certain(s) > s->busiest)
		s->busiest = certain(s);
	assert_true(s->busiest <= s->counter.limit);
	return a;
}

/* Wait as long as was said, and see. */
static void
wait_for(struct series *s, const struct ledger_answer *a, int64_t amount)
{
	struct ledger_answer b;

	assert_in_range(a->retry, 1, LEDGER_MINUTE + LEDGER_SLOT);
	if (a->retry > LEDGER_SLOT + SLACK * 2) {
		world_move(s->w, a->retry - LEDGER_SLOT - SLACK);
		assert_int_equal(try_one(s, amount).err, ERR_RATE_LIMIT);
		world_move(s->w, LEDGER_SLOT + SLACK);
	} else {
		world_move(s->w, a->retry);
	}
	b = try_one(s, amount);
	assert_int_equal(b.err, ERR_OK);
	s->waits++;
}

/*
 * Until the next one: like rain, like a flood, or after silence; two or three
 * times as many as the limit, one in `each` µs, has room for.
 */
static int64_t
rest(const struct series *s, int64_t each)
{
	switch (draw(20 + 3 * (LEDGER_MINUTE / each))) {
	case 0:
		return draw(70 * S);
	case 1:
		return 61 * S;
	default:
		return draw(3) == 0 ? draw(each * 2 + 1) : s->refused % 2 ==
		    0 ? 0 : each / 8;
	}
}

static void
series(enum counter_kind kind, int64_t limit, int64_t amount, int tries)
{
	static struct series s;
	struct ledger_answer a;
	int64_t one;

	s = (struct series){ .w = world_new(), .random_amount = amount,
		.counter = { .scope = "key:r", .kind = kind,
		    .limit = limit } };
	world_set_time(s.w, "2026-11-28T12:00:00Z");
	while (tries-- > 0) {
		one = amount > 0 ? 1 + draw(amount) : 1;
		a = try_one(&s, one);
		if (a.err != ERR_OK && draw(12) == 0)
			wait_for(&s, &a, one);
		else
			world_move(s.w, rest(&s, LEDGER_MINUTE *
			    (amount > 0 ? amount / 4 : 1) / limit));
	}
	printf("%s of %lld: %d passed, %d refused, %d waits right, at most "
	    "%lld in 60 s\n", kind == COUNTER_RPM ? "rpm" : "tpm",
	    (long long)limit, s.count, s.refused, s.waits,
	    (long long)s.busiest);
	assert_true(s.refused > 0 && s.waits > 0);
	/* The limit is there to be used. */
	assert_true(s.busiest * 1000 >= limit * (amount > 0 ? 900 : 1000));
	world_free(s.w);
}

static void
test_requests(void **state)
{
	static const struct {
		int64_t limit;
		int tries;
	} rows[] = { { 1, 200 }, { 2, 200 }, { 7, 300 }, { 60, 800 },
		{ 300, 1800 } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		series(COUNTER_RPM, rows[i].limit, 0, rows[i].tries);
}

static void
test_tokens(void **state)
{
	static const struct {
		int64_t limit, amount;
		int tries;
	} rows[] = { { 1000, 400, 600 }, { 100000, 900, 1500 },
		{ INT64_C(1000000000000), INT64_C(30000000000), 600 } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		series(COUNTER_TPM, rows[i].limit, rows[i].amount,
		    rows[i].tries);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	random_state = 4711;
	alarm(300);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_tokens),
	};
	int failed;

	failed = cmocka_run_group_tests_name("embedded", tests, set_up, NULL);
	over_redis = true;
	return failed + cmocka_run_group_tests_name("redis", tests, set_up,
	    NULL);
}
