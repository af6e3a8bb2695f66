/*
 * Purses: what a worker gives out itself is as exact as what the store gives,
 * over both kinds of stores. Each test makes sure that there was a purse.
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
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/draw.h"
#include "app/purse.h"
#include "app/will.h"
#include "policy/zone.h"
#include "tests/unit/ledger_help.h"

#define NOON "2026-11-28T12:00:00Z"
#define DAY 20261128
#define MANY 400 /* holds at a time */

static const struct counter daily = { .scope = "key:a",
	.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = INT64_C(1) << 45 };
static const struct counter other = { .scope = "provider:b",
	.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = INT64_C(1) << 45 };
static const struct counter parallel = { .scope = "key:a",
	.kind = COUNTER_PARALLEL, .limit = 10000000 };
static const struct counter rpm = { .scope = "key:a", .kind = COUNTER_RPM,
	.limit = 100000000 };
static const struct counter tpm = { .scope = "key:a", .kind = COUNTER_TPM,
	.limit = INT64_C(1) << 40 };

static struct world *
at(const char *time)
{
	struct world *w = world_new();

	world_set_time(w, time);
	return w;
}

static void
ok(struct ledger_answer a)
{
	if (a.err != ERR_OK)
		print_error("%d %s\n", a.err, a.why);
	assert_int_equal(a.err, ERR_OK);
}

/* Until all that purses have is told and given back. */
static void
quiet(struct world *w)
{
	int i;

	for (i = 0; i < 200 && ledger_owes(w->l) > 0; i++) {
		ledger_tick(w->l);
		world_run(w, PURSE_MS);
	}
	assert_int_equal(ledger_owes(w->l), 0);
}

/* So many holds that there is a purse; all are released. */
static void
make_purse(struct world *w, const struct want *claims, unsigned n)
{
	struct hold h = hold_new(w);
	int i;

	for (i = 0; i < 200 && h.purse == NULL; i++) {
		h = hold_new(w);
		ok(hold(w, &h, claims, n));
		if (h.purse == NULL)
			ok(release(w, &h));
	}
	assert_non_null(h.purse);
	ok(release(w, &h));
}

/* One that comes out of a purse. */
static struct hold
out_of_purse(struct world *w, const struct want *claims, unsigned n,
    const struct usage_row *who)
{
	struct hold h = hold_new(w);

	make_purse(w, claims, n);
	ok(hold_as(w, &h, claims, n, who));
	assert_non_null(h.purse);
	return h;
}

/* ---- sums ---- */

struct sums {
	int64_t money, tokens, requests, calls, given;
};

/* Up to MANY at once, of any amounts; some are given up. */
static void
storm(struct world *w, uint64_t *random, struct sums *out)
{
	static struct hold h[MANY];
	static int64_t most[MANY];
	struct want claims[] = { { &daily, 0 }, { &parallel, 1 }, { &tpm, 0 },
		{ &rpm, 1 } };
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1 };
	int64_t actual[4] = { 0 };
	int i, n = 1 + (int)(draw_next(random) % MANY);

	for (i = 0; i < n; i++) {
		most[i] = (int64_t)(draw_next(random) % 100000);
		claims[0].amount = row.cost = most[i];
		claims[2].amount = most[i] / 10;
		h[i] = hold_new(w);
		ok(hold_as(w, &h[i], claims, 4, &row));
		out->given += h[i].purse != NULL;
		out->calls++;
		if (draw_next(random) % 8 != 0)
			ok(sent(w, &h[i]));
	}
	if (draw_next(random) % 4 == 0)
		world_run(w, (int)(draw_next(random) % 60));
	for (i = 0; i < n; i++) {
		if (!h[i].sent) {
			ok(release(w, &h[i]));
			continue;
		}
		actual[0] = most[i] == 0 ? 0 :
		    (int64_t)(draw_next(random) % (uint64_t)(most[i] + 1));
		actual[2] = actual[0] / 10;
		row.cost = actual[0];
		row.output = actual[2];
		row.model = draw_next(random) % 2 == 0 ? "m" : "n";
		out->money += actual[0];
		out->tokens += actual[2];
		out->requests++;
		ok(settle(w, &h[i], actual, &row, 1));
	}
}

static void
test_sums(void **state)
{
	struct world *w = at(NOON);
	uint64_t random = 11;
	struct sums s = { 0 };
	struct usage_row sum;
	int64_t held;
	int i;

	(void)state;
	for (i = 0; i < 60; i++)
		storm(w, &random, &s);
	assert_true(s.given > s.calls / 2);
	quiet(w);
	sum = usage_of(w, DAY, DAY, &held);
	assert_int_equal(used_of(w, &daily), s.money);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &tpm), s.tokens);
	assert_int_equal(held_of(w, &tpm), 0);
	assert_int_equal(held_of(w, &parallel), 0);
	assert_int_equal(used_of(w, &rpm), s.calls);
	assert_int_equal(held_of(w, &rpm), 0);
	assert_int_equal(sum.cost, s.money);
	assert_int_equal(sum.output, s.tokens);
	assert_int_equal(sum.requests, s.requests);
	assert_int_equal(held, 0);
	world_free(w);
}

/* Whom something is held for; its words live as long as the test. */
static void
keep_holder(void *arg, enum err e, const struct usage_row *row, int64_t held)
{
	struct usage_row *out = arg;

	assert_int_equal(e, ERR_OK);
	if (row == NULL || held == 0)
		return;
	out->key = strcmp(row->key, "a") == 0 ? "a" : "another";
	out->user = *row->user == '\0' ? "" : "somebody";
	out->model = *row->model == '\0' ? "" : "some";
	out->provider = *row->provider == '\0' ? "" : "some";
}

/* Rows of more users than an account has room for. */
static void
test_rows(void **state)
{
	struct world *w = at(NOON);
	const struct want claim = { &daily, 100 };
	const int64_t actual = 7;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 7 };
	struct hold h;
	char user[16];
	int i, given = 0;

	(void)state;
	make_purse(w, &claim, 1);
	for (i = 0; i < 500; i++) {
		snprintf(user, sizeof user, "u%d", i);
		row.user = user;
		h = hold_new(w);
		ok(hold_as(w, &h, &claim, 1, &row));
		given += h.purse != NULL;
		ok(sent(w, &h));
		ok(settle(w, &h, &actual, &row, 1));
	}
	assert_true(given > 100);
	quiet(w);
	world_run(w, 100);
	assert_int_equal(used_of(w, &daily), 500 * 7);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 500 * 7);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).requests, 500);
	world_free(w);
}

/* A burst of the same, before the first of them is sent: one row does. */
static void
test_burst(void **state)
{
	struct world *w = at(NOON);
	const struct want claim = { &daily, 100 };
	struct usage_row row = { .day = DAY, .key = "a", .cost = 100 };
	struct hold h[WILL_ROWS / 2 + 1];
	const int n = sizeof h / sizeof h[0];
	int i;

	(void)state;
	make_purse(w, &claim, 1);
	for (i = 0; i < n; i++) {
		h[i] = hold_new(w);
		ok(hold_as(w, &h[i], &claim, 1, &row));
		assert_non_null(h[i].purse);
	}
	for (i = 0; i < n; i++)
		ok(release(w, &h[i]));
	quiet(w);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* What is held in advance is nobody's model or user. */
static void
test_holder(void **state)
{
	struct world *w = at(NOON);
	const struct want claim = { &daily, 100 };
	struct usage_row row = { .day = DAY, .key = "a", .user = "u",
		.model = "m", .provider = "p", .requests = 1, .cost = 100 };
	struct usage_row seen = { 0 };
	struct hold h = hold_new(w);
	int i;

	(void)state;
	for (i = 0; i < 200 && h.purse == NULL; i++) {
		h = hold_new(w);
		ok(hold_as(w, &h, &claim, 1, &row));
		if (h.purse == NULL)
			ok(release(w, &h));
	}
	ledger_usage(w->l, DAY, DAY, keep_holder, &seen);
	world_run(w, 50);
	assert_string_equal(seen.key, "a");
	assert_string_equal(seen.user, "");
	assert_string_equal(seen.model, "");
	assert_string_equal(seen.provider, "");
	ok(release(w, &h));
	world_free(w);
}

/* ---- near a limit ---- */

/* Calls until the limit refuses: exactly as many as it has. */
static void
test_to_the_limit(void **state)
{
	enum { CALLS = 9000, COST = 1000 };
	struct world *w = at(NOON);
	const struct counter c = { .scope = "key:a", .kind = COUNTER_MONEY,
		.span = SPAN_DAY, .limit = CALLS * COST };
	const struct want claim = { &c, COST };
	const int64_t actual = COST;
	struct ledger_answer a;
	struct hold h;
	int calls = 0, given = 0;

	(void)state;
	for (;;) {
		h = hold_new(w);
		a = hold(w, &h, &claim, 1);
		if (a.err != ERR_OK)
			break;
		calls++;
		given += h.purse != NULL;
		ok(sent(w, &h));
		ok(settle(w, &h, &actual, NULL, 0));
	}
	assert_int_equal(a.err, ERR_BUDGET);
	assert_int_equal(a.reserved, 0);
	assert_int_equal(calls, CALLS);
	assert_true(given > CALLS / 4);
	assert_int_equal(used_of(w, &c), CALLS * COST);
	world_free(w);
}

/* The same of requests a minute, also of those that are given up. */
static void
test_to_the_rate(void **state)
{
	enum { CALLS = 9000 };
	struct world *w = at(NOON);
	const struct counter c = { .scope = "key:a", .kind = COUNTER_RPM,
		.limit = CALLS };
	const struct want claim = { &c, 1 };
	const int64_t none = 0;
	struct hold h;
	int calls = 0, given = 0;

	(void)state;
	for (;;) {
		h = hold_new(w);
		if (hold(w, &h, &claim, 1).err != ERR_OK)
			break;
		given += h.purse != NULL;
		if (calls++ % 3 == 0)
			ok(release(w, &h));
		else
			ok(settle(w, &h, &none, NULL, 0));
	}
	assert_int_equal(calls, CALLS);
	assert_true(given > CALLS / 4);
	assert_int_equal(used_of(w, &c), CALLS);
	world_free(w);
}

/* No purse where it would be felt. */
static void
test_not_near(void **state)
{
	struct world *w = at(NOON);
	const struct counter c = { .scope = "key:a", .kind = COUNTER_PARALLEL,
		.limit = 1000 };
	const struct want claims[] = { { &daily, 10 }, { &c, 1 } };
	struct hold h;
	int i;

	(void)state;
	for (i = 0; i < 300; i++) {
		h = hold_new(w);
		ok(hold(w, &h, claims, 2));
		assert_null(h.purse);
		ok(release(w, &h));
	}
	assert_int_equal(ledger_owes(w->l), 0);
	world_free(w);
}

/* What is used beyond what was held counts all the same, at once. */
static void
test_beyond(void **state)
{
	struct world *w = at(NOON);
	const struct want claim = { &daily, 100 };
	const int64_t actual = INT64_C(1) << 30;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = INT64_C(1) << 30 };
	struct hold h = out_of_purse(w, &claim, 1, &row);

	(void)state;
	ok(sent(w, &h));
	ok(settle(w, &h, &actual, &row, 1));
	world_run(w, 10);
	assert_int_equal(used_of(w, &daily), INT64_C(1) << 30);
	quiet(w);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* ---- all that may come between ---- */

/* What a purse has free goes back while a request is still under way. */
static void
test_idle(void **state)
{
	struct world *w = at(NOON);
	const struct want claims[] = { { &daily, 100 }, { &parallel, 1 } };
	const int64_t actual[] = { 40, 0 };
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 100 };
	struct hold h = out_of_purse(w, claims, 2, &row);

	(void)state;
	ok(sent(w, &h));
	world_run(w, PURSE_IDLE_MS + 4 * PURSE_MS);
	assert_int_equal(held_of(w, &daily), 100);
	assert_int_equal(held_of(w, &parallel), 1);
	assert_int_equal(ledger_owes(w->l), 1);
	row.cost = 40;
	ok(settle(w, &h, actual, &row, 1));
	world_run(w, 4 * PURSE_MS);
	assert_int_equal(ledger_owes(w->l), 0);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(held_of(w, &parallel), 0);
	assert_int_equal(used_of(w, &daily), 40);
	world_free(w);
}

/* One that has requests that last goes on when there are many again. */
static void
test_goes_on(void **state)
{
	struct world *w = at(NOON);
	const struct want claim = { &daily, 100 };
	const int64_t actual = 40;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 40 };
	struct hold h[20];
	size_t i;

	(void)state;
	for (i = 0; i < 20; i++) {
		h[i] = out_of_purse(w, &claim, 1, &row);
		ok(sent(w, &h[i]));
		world_run(w, i % 4 == 0 ? PURSE_IDLE_MS + 3 * PURSE_MS : 5);
		assert_ptr_equal(h[i].purse, h[0].purse);
	}
	assert_int_equal(ledger_owes(w->l), 1);
	for (i = 0; i < 20; i++)
		ok(settle(w, &h[i], &actual, &row, 1));
	quiet(w);
	assert_int_equal(used_of(w, &daily), 20 * 40);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* A dearer attempt, at another provider: a hold of its own from then on. */
static void
test_more(void **state)
{
	struct world *w = at(NOON);
	const struct want claims[] = { { &daily, 100 }, { &rpm, 1 } };
	const struct want again[] = { { &daily, 50 }, { &other, 50 } };
	const int64_t actual[] = { 120, 0, 30 };
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 100 };
	struct hold h = out_of_purse(w, claims, 2, &row);
	int64_t calls;

	(void)state;
	ok(sent(w, &h));
	ok(more(w, &h, again, 2, 50));
	assert_null(h.purse);
	assert_int_equal(h.parts, 3);
	assert_int_equal(h.cost, 150);
	world_run(w, PURSE_IDLE_MS + 4 * PURSE_MS);
	assert_int_equal(ledger_owes(w->l), 0);
	assert_int_equal(held_of(w, &daily), 150);
	assert_int_equal(held_of(w, &other), 50);
	calls = used_of(w, &rpm);
	row.cost = 150;
	ok(settle(w, &h, actual, &row, 1));
	assert_int_equal(used_of(w, &daily), 120);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &other), 30);
	assert_int_equal(used_of(w, &rpm), calls);
	world_free(w);
}

/* The owner goes while that is asked for. */
static void
test_more_left(void **state)
{
	struct world *w = at(NOON);
	const struct want claim = { &daily, 100 }, again = { &other, 50 };
	const int64_t actual = 60;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 100 };
	struct hold h = out_of_purse(w, &claim, 1, &row);

	(void)state;
	ok(sent(w, &h));
	ledger_more(w->l, &h, &again, 1, 50, NULL, NULL);
	if (h.purse != NULL) {
		row.cost = 60;
		ok(settle(w, &h, &actual, &row, 1));
		quiet(w);
		assert_int_equal(used_of(w, &daily), 60);
	} else
		ok(release(w, &h));
	quiet(w);
	world_run(w, 50);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(held_of(w, &other), 0);
	world_free(w);
}

/* The cost of a lease stays one that can be read. */
static void
test_more_cost(void **state)
{
	struct world *w = at(NOON);
	const struct want claim = { &daily, 100 }, again = { &other, 50 };
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = LEDGER_MAX };
	struct hold h = out_of_purse(w, &claim, 1, &row), after = hold_new(w);

	(void)state;
	assert_int_not_equal(more(w, &h, &again, 1, LEDGER_MAX).err, ERR_OK);
	assert_non_null(h.purse);
	ok(release(w, &h));
	quiet(w);
	assert_int_equal(held_of(w, &daily), 0);
	ok(hold(w, &after, &again, 1));
	ok(release(w, &after));
	world_free(w);
}

/* Those that want far more than others did are given out as well. */
static void
test_sizes(void **state)
{
	struct world *w = at(NOON);
	const struct want small = { &daily, 10 }, large = { &daily, 5000 };
	struct hold h;
	int i, given = 0;

	(void)state;
	make_purse(w, &small, 1);
	for (i = 0; i < 200; i++) {
		h = hold_new(w);
		ok(hold(w, &h, i % 4 == 0 ? &large : &small, 1));
		given += h.purse != NULL && i % 4 == 0;
		ok(release(w, &h));
	}
	assert_true(given > 30);
	quiet(w);
	world_free(w);
}

/* A window turns: settled where it was held, and new ones in the new one. */
static void
test_window(void **state)
{
	struct world *w = at("2026-11-28T23:59:50Z");
	const struct want claim = { &daily, 100 };
	const int64_t actual = 60;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 60 };
	struct hold h = out_of_purse(w, &claim, 1, &row), after;
	int i;

	(void)state;
	ok(sent(w, &h));
	world_move(w, 20 * S);
	world_tick(w);
	for (i = 0; i < 30; i++) {
		after = hold_new(w);
		ok(hold(w, &after, &claim, 1));
		assert_true(after.part[0].begin > h.part[0].begin);
		ok(sent(w, &after));
		row.day = DAY + 1;
		ok(settle(w, &after, &actual, &row, 1));
	}
	row.day = DAY;
	ok(settle(w, &h, &actual, &row, 1));
	quiet(w);
	assert_int_equal(used_of(w, &daily), 30 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 60);
	assert_int_equal(usage_of(w, DAY + 1, DAY + 1, NULL).cost, 30 * 60);
	world_free(w);
}

/* A roll that meets the new window tells of no limit either. */
static void
test_turned(void **state)
{
	struct world *w = at("2026-11-28T23:59:50Z");
	const struct want claim = { &daily, 100 };
	const int64_t actual = 60;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 60 };
	struct hold h = out_of_purse(w, &claim, 1, &row);

	(void)state;
	ok(sent(w, &h));
	world_move(w, 20 * S);
	ok(settle(w, &h, &actual, &row, 1));
	world_run(w, 4 * PURSE_MS);
	make_purse(w, &claim, 1);
	quiet(w);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* A worker that stood still: its lease was charged, and that is put right. */
static void
test_stood_still(void **state)
{
	struct world *w = world_new(), *others;
	const struct want claims[] = { { &daily, 100 }, { &tpm, 10 } };
	const int64_t actual[] = { 60, 6 };
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 60 };
	struct hold h, late;

	(void)state;
	world_lease(w, S);
	world_again(w);
	world_set_time(w, NOON);
	h = out_of_purse(w, claims, 2, &row);
	late = hold_new(w);
	ok(hold_as(w, &late, claims, 2, &row));
	assert_non_null(late.purse);
	ok(sent(w, &h));
	usleep(1200000); /* the loop does not run */
	others = world_join(w->server.dir, S);
	world_ticks(others, 2);
	(void)used_of(others, &daily); /* tells it what day it is */
	assert_true(used_of(others, &daily) >= 200);
	assert_int_equal(held_of(others, &daily), 0);
	/* Nothing goes out that nobody holds any more. */
	assert_int_not_equal(sent(w, &late).err, ERR_OK);
	ok(release(w, &late));
	ok(settle(w, &h, actual, &row, 1));
	quiet(w);
	assert_int_equal(used_of(w, &daily), 60);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 60);
	world_free(w);
	world_leave(others); /* (the clock is its own now) */
}

/* The end of a worker leaves nothing behind. */
static void
test_closed(void **state)
{
	struct world *w = at(NOON);
	const struct want claim = { &daily, 100 };
	const int64_t actual = 60;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 60 };
	struct hold h = out_of_purse(w, &claim, 1, &row);

	(void)state;
	ok(sent(w, &h));
	ok(settle(w, &h, &actual, &row, 1));
	world_again(w);
	world_ticks(w, 3);
	quiet(w);
	assert_int_equal(used_of(w, &daily), 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* Nothing is left to be said when it was told to rest. */
static void
test_rest(void **state)
{
	struct world *w = at(NOON), *others;
	const struct want claim = { &daily, 100 };
	const int64_t actual = 60;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 60 };
	struct hold h = out_of_purse(w, &claim, 1, &row);
	int i;

	(void)state;
	ok(sent(w, &h));
	assert_false(ledger_rest(w->l));
	ledger_settle(w->l, &h, &actual, &row, 1, NULL, NULL);
	for (i = 0; i < 50 && !ledger_rest(w->l); i++)
		world_run(w, 5);
	assert_true(ledger_rest(w->l));
	others = world_join(w->server.dir, 0);
	(void)used_of(others, &daily); /* tells it what day it is */
	assert_int_equal(used_of(others, &daily), 60);
	assert_int_equal(held_of(others, &daily), 0);
	world_free(w);
	world_leave(others);
}

/* ---- the store is away (Redis) ---- */

/* With the limits of time that there are outside tests. */
static struct world *
usual(void)
{
	struct world *w = world_new();

	w->setup.patience = 0;
	world_again(w);
	world_set_time(w, NOON);
	return w;
}

static void
test_paused(void **state)
{
	struct world *w = usual();
	const struct want claim = { &daily, 100 };
	const int64_t actual = 60;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 60 };
	struct hold h = out_of_purse(w, &claim, 1, &row), no;
	int64_t t = clock_mono();
	int given = 0;

	(void)state;
	ok(sent(w, &h));
	kill(w->server.pid, SIGSTOP);
	/* What is held may still be given out, for a moment. */
	do {
		no = hold_new(w);
		if (hold(w, &no, &claim, 1).err != ERR_OK)
			break;
		given++;
		assert_non_null(no.purse);
		ok(release(w, &no));
		world_run(w, 5);
	} while (clock_mono() - t < 2 * S);
	print_message("%d given out in %lld ms\n", given,
	    (long long)(clock_mono() - t) / 1000);
	assert_true(clock_mono() - t < S);
	ok(settle(w, &h, &actual, &row, 1));
	world_run(w, 300);
	no = hold_new(w);
	assert_int_equal(hold(w, &no, &claim, 1).err, ERR_LEDGER);
	kill(w->server.pid, SIGCONT);
	world_run(w, 1500);
	quiet(w);
	assert_int_equal(used_of(w, &daily), 60);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 60);
	world_free(w);
}

/* A roll of which the answer was lost tells of no limit: purses are back soon
 * when the store is. */
static void
test_back(void **state)
{
	struct world *w = usual();
	const struct want claim = { &daily, 100 };
	const int64_t actual = 60;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 60 };
	struct hold h = out_of_purse(w, &claim, 1, &row);
	int i;

	(void)state;
	ok(sent(w, &h));
	kill(w->server.pid, SIGSTOP);
	ok(settle(w, &h, &actual, &row, 1));
	world_run(w, 300); /* the roll was sent, and is not answered */
	kill(w->server.pid, SIGCONT);
	for (i = 0; i < 10; i++) {
		world_run(w, 200);
		ledger_tick(w->l);
	}
	make_purse(w, &claim, 1);
	quiet(w);
	assert_int_equal(used_of(w, &daily), 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* All is lost: what was told comes from the journal, the rest is told anew. */
static void
test_emptied(void **state)
{
	static const char *const flush[] = { "FLUSHALL", NULL };
	struct world *w = usual();
	const struct want claim = { &daily, 100 };
	const int64_t actual = 60;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 60 };
	struct hold h = out_of_purse(w, &claim, 1, &row), told = hold_new(w);
	int i;

	(void)state;
	ok(sent(w, &h));
	ok(hold_as(w, &told, &claim, 1, &row));
	ok(sent(w, &told));
	ok(settle(w, &told, &actual, &row, 1));
	world_run(w, 3 * PURSE_MS);
	assert_int_equal(used_of(w, &daily), 60);
	world_run(w, 200); /* into the journal */
	redis_cli(&w->server, NULL, 0, flush);
	ok(settle(w, &h, &actual, &row, 1));
	for (i = 0; i < 20; i++) {
		ledger_tick(w->l);
		world_run(w, 100);
	}
	quiet(w);
	assert_int_equal(used_of(w, &daily), 120);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 120);
	world_free(w);
}

/* A worker that died with a request out of a purse under way. */
static void
dies(struct world *w, const struct want *claim, const struct usage_row *row)
{
	struct world *dead = world_join(w->server.dir, 0);
	struct hold h = out_of_purse(dead, claim, 1, row);

	ok(sent(dead, &h));
	world_run(dead, PURSE_IDLE_MS + 4 * PURSE_MS);
	world_leave(dead); /* its will stays, as of one that is killed */
}

/* What is told in the name of the dead stands in the journal once, however
 * often it had to be said. */
static void
test_heir_paused(void **state)
{
	static const char *const flush[] = { "FLUSHALL", NULL };
	struct world *w = usual();
	const struct want claim = { &daily, 100 };
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 100 };
	int i;

	(void)state;
	assert_int_equal(used_of(w, &daily), 0);
	dies(w, &claim, &row);
	kill(w->server.pid, SIGSTOP);
	for (i = 0; i < 4; i++) {
		ledger_tick(w->l);
		world_run(w, 300);
	}
	kill(w->server.pid, SIGCONT);
	quiet(w);
	world_ticks(w, 3);
	world_run(w, 300); /* into the journal */
	assert_int_equal(used_of(w, &daily), 100);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 100);
	redis_cli(&w->server, NULL, 0, flush);
	for (i = 0; i < 20; i++) {
		ledger_tick(w->l);
		world_run(w, 100);
	}
	assert_int_equal(used_of(w, &daily), 100);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 100);
	world_free(w);
}

/* Tokens that no number of a will can tell: the money is told all the same. */
static void
test_huge(void **state)
{
	struct world *w = usual();
	const struct want claims[] = { { &daily, 100 }, { &tpm, 10 } };
	const int64_t actual[] = { 60, LEDGER_MAX };
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 100 };
	struct hold h[4];
	int i;

	(void)state;
	make_purse(w, claims, 2);
	for (i = 0; i < 4; i++) {
		h[i] = hold_new(w);
		ok(hold_as(w, &h[i], claims, 2, &row));
		assert_non_null(h[i].purse);
		ok(sent(w, &h[i]));
	}
	kill(w->server.pid, SIGSTOP);
	row.cost = 60;
	for (i = 0; i < 4; i++)
		ok(settle(w, &h[i], actual, &row, 1));
	world_again(w); /* a roll is under way: the will tells the rest */
	kill(w->server.pid, SIGCONT);
	world_run(w, 100);
	quiet(w);
	world_ticks(w, 3);
	world_run(w, 100);
	assert_int_equal(used_of(w, &daily), 4 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 4 * 60);
	world_free(w);
}

/*
 * Another server in its place, which has not all that this one acknowledged
 * last: what is given out is held there as well, however long it lasts.
 */
static void
test_older_server(void **state)
{
	static const char *const save[] = { "SAVE", NULL };
	struct world *w = usual();
	const struct want claim = { &daily, 100 };
	const int64_t actual = 60;
	struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 100 };
	struct hold h = out_of_purse(w, &claim, 1, &row);

	(void)state;
	ok(sent(w, &h));
	redis_cli(&w->server, NULL, 0, save);
	world_run(w, PURSE_IDLE_MS + 4 * PURSE_MS);
	assert_int_equal(held_of(w, &daily), 100);
	redis_kill(&w->server);
	setenv("LD_PRELOAD", SHIFT_TIME_SO, 1);
	redis_again(&w->server, NULL);
	unsetenv("LD_PRELOAD");
	world_run(w, 2000);
	world_ticks(w, 2);
	assert_int_equal(held_of(w, &daily), 100);
	row.cost = 60;
	ok(settle(w, &h, &actual, &row, 1));
	quiet(w);
	assert_int_equal(used_of(w, &daily), 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_holder),
		cmocka_unit_test(test_to_the_limit),
		cmocka_unit_test(test_to_the_rate),
		cmocka_unit_test(test_not_near),
		cmocka_unit_test(test_beyond),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_more_left),
		cmocka_unit_test(test_more_cost),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_turned),
		cmocka_unit_test(test_stood_still),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_rest),
	};
	const struct CMUnitTest redis[] = {
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_emptied),
		cmocka_unit_test(test_heir_paused),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_older_server),
	};
	int failed;

	alarm(300);
	failed = cmocka_run_group_tests_name("embedded", tests, set_up, NULL);
	over_redis = true;
	failed += cmocka_run_group_tests_name("redis", tests, set_up, NULL);
	return failed + cmocka_run_group_tests_name("a Redis that is away",
	    redis, set_up, NULL);
}
