/*
 * Health: when deployments rest and are tried again, what is learned of them,
 * the budgets; by a clock of the test's own.
 */
#include "tests/unit/health_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/base/draw.h"

/* ------------------------------------------------------------- rests */

/* The first failure: how long it makes a deployment rest, seconds. */
static void
test_first_rest(void **state)
{
	static const struct {
		unsigned fail;
		double asked; /* s, -1 = not */
		double least, most;
	} rows[] = {
		{ FAIL_RATE, -1, 0.8, 1.2 },
		{ FAIL_RATE, 7, 7, 7.001 },
		{ FAIL_RATE, 0, 0.1, 0.101 },
		{ FAIL_RATE, 0.25, 0.25, 0.251 },
		{ FAIL_RATE, 1e6, 3600, 3600.001 },
		{ FAIL_AUTH, -1, 48, 72 },
		{ FAIL_AUTH, 1, 48, 72 },
		{ FAIL_QUOTA, -1, 48, 72 },
		{ FAIL_QUOTA, 120, 120, 120.001 },
		{ FAIL_SERVER | FAIL_OVERLOAD, -1, 0, 0 },
		{ FAIL_SERVER | FAIL_OVERLOAD, 3, 3, 3.001 },
		{ FAIL_SERVER, -1, 0, 0 },
		{ FAIL_SERVER, 4, 4, 4.001 },
		{ FAIL_CONNECT, -1, 0, 0 },
		{ FAIL_TIMEOUT, 9, 0, 0 },
		{ FAIL_BROKEN, -1, 0, 0 },
		{ FAIL_MISSING, -1, 0, 0 },
		{ FAIL_REQUEST, 5, 0, 0 },
		{ FAIL_REQUEST | FAIL_CONTEXT, -1, 0, 0 },
		{ FAIL_CONTENT, -1, 0, 0 },
	};
	const int64_t now = 5 * MINUTE + 123456;
	struct health *h;
	struct standing st;
	double rest;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		h = health_open(NULL);
		fails(h, &da, rows[i].fail, rows[i].asked < 0 ? -1 :
		    (int64_t)(rows[i].asked * 1e6), now);
		st = stands(h, &da, now);
		rest = st.cooling == 0 ? 0 : (double)(st.cooling - now) / 1e6;
		if (rest < rows[i].least || rest > rows[i].most)
			fail_msg("row %zu: rests %.3f s", i, rest);
		assert_int_equal((st.why & rows[i].fail) != 0, rest > 0);
		assert_true(stands(h, &db, now).cooling == 0);
		health_free(h);
	}
}

/* More than half of at least five of the last minute. */
static void
test_share_of_failures(void **state)
{
	struct health *h = health_open(NULL);
	int64_t now = MINUTE;
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		fails(h, &da, FAIL_CONNECT, -1, now);
	assert_true(stands(h, &da, now).cooling == 0); /* four are few */
	assert_int_equal(stands(h, &da, now).success, 0);
	now += 61 * SECOND; /* forgotten */
	assert_int_equal(stands(h, &da, now).success, 1000);
	for (i = 0; i < 5; i++)
		serves(h, &da, 1, now);
	for (i = 0; i < 5; i++)
		fails(h, &da, FAIL_SERVER, -1, now);
	assert_true(stands(h, &da, now).cooling == 0); /* half */
	assert_int_equal(stands(h, &da, now).success, 500);
	assert_true(stands(h, &da, now).requests == 10);
	/* What a client did wrong is not counted. */
	for (i = 0; i < 20; i++)
		fails(h, &da, FAIL_REQUEST, -1, now);
	assert_true(stands(h, &da, now).requests == 10);
	fails(h, &da, FAIL_SERVER, -1, now);
	assert_in_range(stands(h, &da, now).cooling - now, 4 * SECOND,
	    6 * SECOND + 1000);
	health_free(h);
}

/* Repeated rests grow to their bound; good times make them short again. */
static void
test_growth(void **state)
{
	static const struct {
		unsigned fail;
		int64_t rests[12]; /* s, without the draw; 0 = the end */
	} rows[] = {
		{ FAIL_RATE, { 1, 2, 4, 8, 16, 32, 60, 60 } },
		{ FAIL_AUTH, { 60, 3600, 7200, 14400, 28800, 57600, 86400,
		    86400 } },
		{ FAIL_QUOTA, { 60, 3600, 7200 } },
	};
	struct health *h;
	int64_t now, rest;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		h = health_open(NULL);
		now = MINUTE;
		for (k = 0; rows[i].rests[k] != 0; k++) {
			fails(h, &da, rows[i].fail, -1, now);
			rest = stands(h, &da, now).cooling - now;
			assert_in_range(rest, rows[i].rests[k] * SECOND * 4 / 5,
			    rows[i].rests[k] * SECOND * 6 / 5 + 1000);
			now += rest;
		}
		/* It comes back, and fails soon: that counts as repeated. */
		serves(h, &da, 1, now);
		assert_true(stands(h, &da, now).cooling == 0);
		now += SECOND;
		fails(h, &da, rows[i].fail, -1, now);
		rest = stands(h, &da, now).cooling - now;
		assert_true(rest > rows[i].rests[1] * SECOND);
		now += rest;
		serves(h, &da, 1, now);
		/* After good times it does not. */
		now += 2 * MINUTE;
		fails(h, &da, rows[i].fail, -1, now);
		rest = stands(h, &da, now).cooling - now;
		assert_in_range(rest, rows[i].rests[0] * SECOND * 4 / 5,
		    rows[i].rests[0] * SECOND * 6 / 5 + 1000);
		health_free(h);
	}
}

/* What began before the rest does not make it longer, nor end it. */
static void
test_late_ends(void **state)
{
	struct health *h = health_open(NULL);
	int64_t now = MINUTE, until;
	bool probe;
	int i;

	(void)state;
	for (i = 0; i < 10; i++)
		assert_true(claims(h, &da, CLAIM_FIRST, now, &probe));
	assert_int_equal(stands(h, &da, now).in_flight, 10);
	health_end(h, &da, &(struct outcome){ .fail = FAIL_RATE,
	    .rest = 3 * SECOND }, now);
	until = stands(h, &da, now).cooling;
	assert_true(until == now + 3 * SECOND);
	for (i = 0; i < 7; i++)
		health_end(h, &da, &(struct outcome){ .fail = FAIL_RATE,
		    .rest = -1 }, now + 1);
	health_end(h, &da, &(struct outcome){ .fail = FAIL_RATE,
	    .rest = SECOND }, now + 1);
	health_end(h, &da, &(struct outcome){ .served = true, .rest = -1 },
	    now + 1);
	assert_true(stands(h, &da, now + 2).cooling == until);
	assert_int_equal(stands(h, &da, now).in_flight, 0);
	/* But the provider may ask for longer. */
	health_end(h, &da, &(struct outcome){ .fail = FAIL_RATE,
	    .rest = 9 * SECOND }, now + 2000);
	assert_true(stands(h, &da, now + 2000).cooling == now + 2000 +
	    9 * SECOND);
	/* An end without a claim makes nothing negative. */
	assert_int_equal(stands(h, &da, now).in_flight, 0);
	health_free(h);
}

/* After the rest: one at a time finds out. */
static void
test_half_open(void **state)
{
	struct health *h = health_open(NULL);
	int64_t now = MINUTE;
	bool probe, other;

	(void)state;
	fails(h, &da, FAIL_RATE, 5 * SECOND, now);
	assert_false(claims(h, &da, CLAIM_FIRST, now + 4 * SECOND, &probe));
	assert_false(claims(h, &da, CLAIM_HEDGE, now + 4 * SECOND, &probe));
	now += 5 * SECOND;
	assert_true(stands(h, &da, now).cooling == 0);
	assert_false(stands(h, &da, now).probing);
	assert_true(claims(h, &da, CLAIM_FIRST, now, &probe));
	assert_true(probe);
	assert_true(stands(h, &da, now).probing);
	assert_false(claims(h, &da, CLAIM_FIRST, now, &other));
	assert_false(claims(h, &da, CLAIM_LAST, now, &other));
	/* It tells nothing: the next one may. */
	health_end(h, &da, &(struct outcome){ .silent = true, .rest = -1,
	    .probe = true }, now);
	assert_true(claims(h, &da, CLAIM_FIRST, now, &probe));
	assert_true(probe);
	/* Its process died: after a time another one may. */
	assert_false(claims(h, &da, CLAIM_FIRST, now + 58 * SECOND, &other));
	now += 61 * SECOND;
	assert_false(stands(h, &da, now).probing);
	assert_true(claims(h, &da, CLAIM_FIRST, now, &probe));
	assert_true(probe);
	/* Its first content ends it for all. */
	health_back(h, &da, now);
	assert_true(claims(h, &da, CLAIM_FIRST, now, &other));
	assert_false(other);
	health_end(h, &da, &(struct outcome){ .served = true, .probe = true,
	    .rest = -1 }, now);
	assert_int_equal(stands(h, &da, now).success, 1000);
	assert_int_equal(stands(h, &da, now).why, 0);
	health_free(h);
}

/* All rest: the least bad is tried early, one request at a time. */
static void
test_early(void **state)
{
	struct health *h = health_open(NULL);
	int64_t now = MINUTE, until;
	bool probe;
	int i;

	(void)state;
	fails(h, &da, FAIL_RATE, 30 * SECOND, now);
	until = stands(h, &da, now).cooling;
	for (i = 0; i < 20; i++) {
		now += SECOND;
		assert_true(claims(h, &da, CLAIM_LAST, now, &probe));
		assert_true(probe);
		assert_false(claims(h, &da, CLAIM_LAST, now, &probe));
		health_end(h, &da, &(struct outcome){ .fail = FAIL_RATE,
		    .rest = -1, .probe = true }, now);
	}
	/* That it failed early makes nothing worse. */
	assert_true(stands(h, &da, now).cooling == until);
	assert_true(claims(h, &da, CLAIM_LAST, now, &probe));
	health_end(h, &da, &(struct outcome){ .served = true, .rest = -1,
	    .probe = true }, now);
	assert_true(stands(h, &da, now).cooling == 0);
	assert_true(claims(h, &da, CLAIM_FIRST, now, &probe));
	assert_false(probe);
	health_free(h);
}

/* A refusal is held against the credential that was refused. */
static void
test_new_credential(void **state)
{
	static const unsigned bits[] = { FAIL_AUTH, FAIL_QUOTA, FAIL_RATE };
	struct provider renewed = { .name = "p", .fingerprint = 8 };
	struct deployment with = { .id = "p/a", .provider = &renewed };
	int64_t now = MINUTE;
	struct health *h;
	bool probe, held;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		h = health_open(NULL);
		held = bits[i] == FAIL_RATE;
		fails(h, &da, bits[i], -1, now);
		assert_true(stands(h, &da, now).cooling > now);
		assert_int_equal(stands(h, &with, now).cooling > now, held);
		assert_int_equal(claims(h, &with, CLAIM_FIRST, now, &probe),
		    !held);
		assert_false(probe);
		/* That one is refused too. */
		if (!held) {
			fails(h, &with, bits[i], -1, now);
			assert_true(stands(h, &with, now).cooling > now);
		}
		health_pardon(h, i == 0 ? NULL : "p/a");
		assert_true(stands(h, &with, now).cooling == 0);
		health_free(h);
	}
}

/* ------------------------------------------------------- what is learned */

static double
uniform(uint64_t *draw)
{
	return ((double)(draw_next(draw) >> 11) + 1) / 9007199254740993.0;
}

/* Lognormal: median 400 ms. */
static int64_t
lognormal(uint64_t *draw, double sigma)
{
	double z = sqrt(-2 * log(uniform(draw))) *
	    cos(6.283185307179586 * uniform(draw));

	return (int64_t)(400000 * exp(sigma * z));
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
test_quantiles(void **state)
{
	static const unsigned percent[] = { 50, 90, 95 };
	static int64_t samples[5000];
	const size_t n = sizeof samples / sizeof samples[0];
	double sigma, error, worst = 0;
	int64_t now = HOUR, exact, told;
	struct standing st;
	struct health *h;
	uint64_t draw = 42;
	size_t i, k;

	(void)state;
	for (sigma = 0.1; sigma < 1.6; sigma += 0.25) {
		h = health_open(NULL);
		for (i = 0; i < n; i++) {
			samples[i] = lognormal(&draw, sigma);
			serves(h, &da, samples[i], now + (int64_t)i * 5000);
			if (i == 18)
				assert_true(stands(h, &da, now).p50 == 0);
		}
		qsort(samples, n, sizeof samples[0], by_size);
		st = stands(h, &da, now + 30 * SECOND);
		for (k = 0; k < 3; k++) {
			exact = samples[n * percent[k] / 100];
			told = health_quantile(h, &da, false, percent[k],
			    now + 30 * SECOND);
			assert_true(told == (k == 0 ? st.p50 : k == 1 ?
			    st.p90 : st.p95));
			error = fabs((double)(told - exact)) / (double)exact;
			worst = error > worst ? error : worst;
		}
		health_free(h);
	}
	print_message("quantiles: worst relative error %.1f %%\n",
	    100 * worst);
	assert_true(worst <= 0.10);
}

/* A few old ones do not outweigh the new; the old are forgotten. */
static void
test_decay(void **state)
{
	struct health *h = health_open(NULL);
	int64_t now = HOUR;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		serves(h, &da, 100000, now + i * 10000);
	now += 6 * MINUTE;
	for (i = 0; i < 200; i++)
		serves(h, &da, 1000000, now + i * 10000);
	assert_in_range(stands(h, &da, now + 3 * SECOND).p50, 900000, 1100000);
	assert_true(stands(h, &da, now + 9 * MINUTE).p50 == 0);
	assert_true(health_quantile(h, &da, false, 99, now + 9 * MINUTE) == 0);
	health_free(h);
}

/* The fast average is there within 10 s at 1 to 1,000 requests a second. */
static void
test_follows(void **state)
{
	static const int64_t every[] = { 1000000, 100000, 10000, 1000 };
	struct health *h;
	int64_t now, t, ttft;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof every / sizeof every[0]; i++) {
		h = health_open(NULL);
		now = HOUR;
		for (t = 0; t < 20 * SECOND; t += every[i])
			serves(h, &da, 200000, now + t);
		now += t;
		for (t = 0; t < 10 * SECOND; t += every[i])
			serves(h, &da, 800000, now + t);
		now += t;
		ttft = stands(h, &da, now).ttft;
		print_message("%7.1f requests/s: %.0f ms of 800 after 10 s\n",
		    1e6 / (double)every[i], (double)ttft / 1000);
		assert_in_range(ttft, 720000, 800000);
		/* Long after it nothing is known. */
		assert_true(stands(h, &da, now + 2 * MINUTE).ttft == 0);
		health_free(h);
	}
}

static void
test_other_facts(void **state)
{
	struct health *h = health_open(NULL);
	int64_t now = HOUR;
	bool probe;
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		assert_true(claims(h, &da, CLAIM_FIRST, now, &probe));
		now += SECOND;
		health_end(h, &da, &(struct outcome){ .served = true,
		    .rest = -1, .ttft = 100000, .tokens = 160,
		    .duration = 2 * SECOND, .input = 1000, .cached = 750 },
		    now);
		health_answered(h, "smart", i < 50 ? 1000 : 200);
	}
	assert_in_range(stands(h, &da, now).speed, 79000, 81000);
	assert_in_range(health_cached_share(h, &da), 740, 760);
	assert_int_equal(health_cached_share(h, &db), 0);
	assert_in_range(health_expected_output(h, "smart"), 200, 400);
	assert_int_equal(health_expected_output(h, "other"), 0);
	/* Absurd facts of a provider do no harm. */
	assert_true(claims(h, &da, CLAIM_FIRST, now, &probe));
	health_end(h, &da, &(struct outcome){ .served = true, .rest = -1,
	    .ttft = INT64_MAX, .tokens = INT64_MAX, .duration = INT64_MAX,
	    .input = INT64_MAX / 2, .cached = INT64_MAX }, now);
	health_answered(h, "smart", INT64_MAX);
	assert_in_range(health_cached_share(h, &da), 0, 1000);
	assert_in_range(stands(h, &da, now).ttft, 1, HOUR);
	assert_true(health_expected_output(h, "smart") > 0);
	health_free(h);
}

/* A name of the client's own is nowhere remembered. */
static void
test_unlisted(void **state)
{
	struct health *h = health_open(NULL);
	struct deployment d = { .id = "p/junk", .provider = &provider,
		.unlisted = true };
	bool probe;

	(void)state;
	fails(h, &d, FAIL_RATE, 10 * SECOND, MINUTE);
	assert_true(claims(h, &d, CLAIM_FIRST, MINUTE, &probe));
	assert_int_equal(stands(h, &d, MINUTE).in_flight, 0);
	d.unlisted = false;
	assert_true(stands(h, &d, MINUTE).requests == 0);
	health_free(h);
}

/* Whole answers take longer to their first content: they are told apart. */
static void
test_whole(void **state)
{
	struct health *h = health_open(NULL);
	struct standing st;
	int64_t now = HOUR;
	int i;

	(void)state;
	for (i = 0; i < 60; i++) {
		health_end(h, &da, &(struct outcome){ .served = true,
		    .rest = -1, .ttft = 100000 }, now);
		health_end(h, &da, &(struct outcome){ .served = true,
		    .whole = true, .rest = -1, .ttft = 9 * SECOND }, now);
		now += 100000;
	}
	health_look(h, &da, false, now, &st);
	assert_in_range(st.p90, 85000, 115000);
	assert_in_range(st.ttft, 95000, 105000);
	health_look(h, &da, true, now, &st);
	assert_in_range(st.p90, 8 * SECOND, 10 * SECOND);
	assert_in_range(health_quantile(h, &da, true, 50, now), 8 * SECOND,
	    10 * SECOND);
	health_free(h);
}

/* ------------------------------------------------------------- budgets */

static void
test_retry_budget(void **state)
{
	struct health *h = health_open(NULL);
	int64_t now = HOUR;
	bool probe;
	int i, got = 0;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_true(claims(h, &da, CLAIM_FIRST, now, &probe));
	for (i = 0; i < 100; i++)
		got += claims(h, &da, CLAIM_AGAIN, now, &probe);
	/* One in six, and 30. */
	assert_int_equal(got, 55);
	assert_true(claims(h, &db, CLAIM_AGAIN, now, &probe)); /* another */
	assert_true(claims(h, &da, CLAIM_FIRST, now, &probe)); /* no retry */
	for (i = got = 0; i < 10; i++)
		got += claims(h, &da, CLAIM_AGAIN, now + SECOND, &probe);
	assert_in_range(got, 0, 1);
	assert_true(claims(h, &da, CLAIM_AGAIN, now + 2 * MINUTE, &probe));
	/* However many are failing, and however fast: 1.2 attempts each. */
	for (i = got = 0; i < 10000; i++) {
		claims(h, &db, CLAIM_FIRST, now, &probe);
		got += claims(h, &db, CLAIM_AGAIN, now, &probe);
	}
	assert_in_range(got, 2000, 2040);
	health_free(h);
}

static void
test_hedge_budget(void **state)
{
	struct health *h = health_open(NULL);
	int64_t now = HOUR, spent = 0;
	int i, doubled = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		doubled += health_hedge(h, "m", 10, 0, -1, now);
		health_answered(h, "m", 10);
		assert_true(doubled * 10 <= i + 1);
		now += 50000;
	}
	assert_in_range(doubled, 95, 100);
	for (i = 0; i < 50; i++)
		assert_true(health_hedge(h, "all", 100, 0, -1, now));
	/* Money: 10 n$ each, 95 an hour. */
	assert_false(health_hedge(h, "money", 100, 95, -1, now));
	for (i = 0; i < 70; i++) {
		if (health_hedge(h, "money", 100, 95, 10, now))
			spent += 10;
		now += MINUTE / 2;
	}
	assert_int_equal(spent, 90);
	now += HOUR;
	assert_true(health_hedge(h, "money", 100, 95, 10, now));
	assert_false(health_hedge(h, "money", 100, 95, INT64_MAX, now));
	health_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_rest),
		cmocka_unit_test(test_share_of_failures),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_late_ends),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_new_credential),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_decay),
		cmocka_unit_test(test_follows),
		cmocka_unit_test(test_other_facts),
		cmocka_unit_test(test_unlisted),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_retry_budget),
		cmocka_unit_test(test_hedge_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
