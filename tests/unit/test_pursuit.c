/* What follows a failure, with a clock and a health of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/adapter.h"
#include "app/pursuit.h"

#define MS INT64_C(1000)
#define NOW (1000000 * MS)

/* Three of the plan, one for each kind of fallback. */
enum { A, B, C, LONG, MILD, DEPLOYMENTS };

static struct deployment deployments[DEPLOYMENTS] = {
	[A] = { .id = "a/x", .context = 8000 },
	[B] = { .id = "b/y", .context = 8000 },
	[C] = { .id = "c/z", .context = 200000 },
	[LONG] = { .id = "l/long", .context = 1000000 },
	[MILD] = { .id = "m/mild" },
};
static struct standing standings[DEPLOYMENTS];

static void
look(void *arg, const struct deployment *d, struct standing *out)
{
	(void)arg;
	*out = standings[d - deployments];
}

static struct prospect
at(unsigned fail)
{
	return (struct prospect){ .fail = fail, .now = NOW,
		.deadline = NOW + 60000 * MS, .draw = 7, .look = look };
}

static struct plan
plan_of(unsigned attempts, bool lists)
{
	static const struct deployment *order[] = { &deployments[A],
		&deployments[B], &deployments[C] };
	static const struct deployment *longer[] = { &deployments[LONG] };
	static const struct deployment *milder[] = { &deployments[MILD] };
	struct plan p = { .order = order, .count = 3, .attempts = attempts };

	memset(standings, 0, sizeof standings);
	if (lists) {
		p.instead[FALLBACK_CONTEXT] = longer;
		p.instead_count[FALLBACK_CONTEXT] = 1;
		p.instead[FALLBACK_CONTENT] = milder;
		p.instead_count[FALLBACK_CONTENT] = 1;
	}
	return p;
}

static void
asked(struct pursuit *p, int d, unsigned fail)
{
	assert_true(pursuit_tried(p, &deployments[d]));
	p->count++;
	pursuit_failed(p, &deployments[d], fail);
}

/* One failure at A: who is next? -1: nobody, -2: A again after a rest. */
static void
test_first_failure(void **state)
{
	static const struct {
		unsigned fail;
		bool lists;
		int want;
	} rows[] = {
		{ FAIL_CONNECT, false, B },
		{ FAIL_CONNECT | FAIL_TIMEOUT, false, B },
		{ FAIL_TIMEOUT, false, B },
		{ FAIL_RATE, false, B },
		{ FAIL_SERVER, false, B },
		{ FAIL_SERVER | FAIL_OVERLOAD, false, B },
		{ FAIL_AUTH, false, B },
		{ FAIL_BROKEN, false, B },
		{ FAIL_QUOTA, false, B },
		{ FAIL_MISSING, false, B },
		{ FAIL_REQUEST, false, -1 },
		{ FAIL_REQUEST, true, -1 },
		{ FAIL_REQUEST | FAIL_CONTEXT, false, C }, /* B is no larger */
		{ FAIL_REQUEST | FAIL_CONTEXT, true, LONG },
		{ FAIL_REQUEST | FAIL_CONTENT, false, -1 },
		{ FAIL_REQUEST | FAIL_CONTENT, true, MILD },
		{ FAIL_SERVER, true, B },
	};
	struct pursue_step step;
	struct prospect now;
	struct plan plan;
	enum pursue got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pursuit p = { .plan = &plan };

		plan = plan_of(3, rows[i].lists);
		asked(&p, A, rows[i].fail);
		now = at(rows[i].fail);
		got = pursue(&p, &now, &step);
		if (rows[i].want < 0) {
			assert_int_equal(got, PURSUE_STOP);
			continue;
		}
		assert_int_equal(got, PURSUE_ASK);
		assert_ptr_equal(step.deployment,
		    &deployments[rows[i].want]);
		assert_false(step.again || step.last);
	}
}

/* What rests, is capped or too slow for what is left is passed over. */
static void
test_passed_over(void **state)
{
	struct plan plan = plan_of(3, false);
	struct pursuit p = { .plan = &plan };
	struct pursue_step step;
	struct prospect now = at(FAIL_SERVER);

	(void)state;
	asked(&p, A, FAIL_SERVER);
	standings[B].cooling = NOW + MS;
	assert_int_equal(pursue(&p, &now, &step), PURSUE_ASK);
	assert_ptr_equal(step.deployment, &deployments[C]);
	standings[B].cooling = 0;
	standings[B].probing = true;
	assert_int_equal(pursue(&p, &now, &step), PURSUE_ASK);
	assert_ptr_equal(step.deployment, &deployments[C]);
	standings[B].probing = false;
	standings[B].capped = true;
	assert_int_equal(pursue(&p, &now, &step), PURSUE_ASK);
	assert_ptr_equal(step.deployment, &deployments[C]);
	standings[B].capped = false;
	standings[B].p90 = 61000 * MS;
	assert_int_equal(pursue(&p, &now, &step), PURSUE_ASK);
	assert_ptr_equal(step.deployment, &deployments[C]);
	standings[B].p90 = 59000 * MS;
	assert_int_equal(pursue(&p, &now, &step), PURSUE_ASK);
	assert_ptr_equal(step.deployment, &deployments[B]);
}

/* Never more attempts than allowed, none after the deadline. */
static void
test_bounds(void **state)
{
	struct plan plan = plan_of(2, false);
	struct pursuit p = { .plan = &plan };
	struct pursue_step step;
	struct prospect now = at(FAIL_SERVER);

	(void)state;
	asked(&p, A, FAIL_SERVER);
	now.now = now.deadline;
	assert_int_equal(pursue(&p, &now, &step), PURSUE_STOP);
	now.now = NOW;
	assert_int_equal(pursue(&p, &now, &step), PURSUE_ASK);
	asked(&p, B, FAIL_SERVER);
	assert_int_equal(pursue(&p, &now, &step), PURSUE_STOP);
	assert_null(pursue_beside(&p, &now));
}

/* The same again after a rest, but only what passes, and not for long. */
static void
test_again(void **state)
{
	static const struct {
		unsigned fail;
		int64_t cooling; /* from now */
		bool again;
	} rows[] = {
		{ FAIL_CONNECT, 0, true },
		{ FAIL_CONNECT | FAIL_TIMEOUT, 0, false },
		{ FAIL_TIMEOUT, 0, false },
		{ FAIL_RATE, 1000 * MS, true },
		{ FAIL_RATE, 4900 * MS, true },
		{ FAIL_RATE, 5100 * MS, false },
		{ FAIL_SERVER | FAIL_OVERLOAD, 0, true },
		{ FAIL_AUTH, 0, false },
		{ FAIL_BROKEN, 0, false },
		{ FAIL_QUOTA, 0, false },
	};
	struct pursue_step step;
	struct prospect now;
	struct plan plan;
	int64_t least;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pursuit p = { .plan = &plan };

		plan = plan_of(5, false);
		plan.count = 1;
		standings[A].cooling = rows[i].cooling == 0 ? 0 :
		    NOW + rows[i].cooling;
		asked(&p, A, rows[i].fail);
		now = at(rows[i].fail);
		if (!rows[i].again) {
			assert_int_equal(pursue(&p, &now, &step),
			    PURSUE_STOP);
			continue;
		}
		assert_int_equal(pursue(&p, &now, &step), PURSUE_REST);
		assert_true(step.again);
		assert_ptr_equal(step.deployment, &deployments[A]);
		least = rows[i].cooling > 0 ? rows[i].cooling : 125 * MS;
		assert_true(step.at >= NOW + least);
		assert_true(step.at <= NOW + (rows[i].cooling > 250 * MS ?
		    rows[i].cooling : 250 * MS));
	}
}

/* Rests grow, are not all of one length, and end. */
static void
test_rests(void **state)
{
	struct plan plan = plan_of(10, false);
	struct pursuit p = { .plan = &plan };
	struct pursue_step step;
	struct prospect now;
	int64_t most = 250 * MS, last = 0;
	int i, differ = 0;

	(void)state;
	plan.count = 1;
	asked(&p, A, FAIL_SERVER);
	for (i = 0; i < 8; i++) {
		now = at(FAIL_SERVER);
		now.draw = (uint64_t)i * 977 + 1;
		assert_int_equal(pursue(&p, &now, &step), PURSUE_REST);
		assert_true(step.at - NOW >= most / 2);
		assert_true(step.at - NOW <= most);
		differ += step.at - NOW != last * 2;
		last = step.at - NOW;
		most = most * 2 > 4000 * MS ? 4000 * MS : most * 2;
	}
	assert_true(differ > 4);
	assert_int_equal(pursue(&p, &now, &step), PURSUE_STOP);
}

/* All rest: one honest try at the first of the plan, and only one. */
static void
test_last(void **state)
{
	struct plan plan = plan_of(3, false);
	struct pursuit p = { .plan = &plan };
	struct pursue_step step;
	struct prospect now = at(0);
	unsigned why;

	(void)state;
	plan.count = 1;
	standings[A].cooling = NOW + 90000 * MS;
	standings[A].why = FAIL_RATE;
	assert_int_equal(pursue(&p, &now, &step), PURSUE_ASK);
	assert_true(step.last);
	assert_int_equal(pursuit_back(&plan, &now, &why), 90000 * MS);
	assert_int_equal(why, FAIL_RATE);
	/* It was refused, another request is trying already. */
	assert_true(pursuit_tried(&p, step.deployment));
	assert_int_equal(pursue(&p, &now, &step), PURSUE_STOP);
}

/* Beside the one under way: the next that is well. */
static void
test_beside(void **state)
{
	struct plan plan = plan_of(3, false);
	struct pursuit p = { .plan = &plan };
	struct prospect now = at(0);

	(void)state;
	assert_true(pursuit_tried(&p, &deployments[A]));
	p.count++;
	assert_ptr_equal(pursue_beside(&p, &now), &deployments[B]);
	standings[B].cooling = NOW + 1;
	assert_ptr_equal(pursue_beside(&p, &now), &deployments[C]);
	standings[C].probing = true;
	assert_null(pursue_beside(&p, &now));
}

/*
 * Any failures in any order: nobody is asked twice but after a rest, nobody
 * who rests is asked, and it ends.
 */
static void
test_random(void **state)
{
	uint64_t s = 42;
	int round, i;

	(void)state;
	for (round = 0; round < 20000; round++) {
		struct plan plan = plan_of(1 + round % 10, round % 2 == 0);
		struct pursuit p = { .plan = &plan };
		struct prospect now = at(0);
		struct pursue_step step;
		unsigned seen = 0, d;
		enum pursue got;

		for (i = 0; i < DEPLOYMENTS; i++) {
			s = s * 6364136223846793005u + 1442695040888963407u;
			standings[i].cooling = s >> 61 == 0 ? NOW + 1 : 0;
		}
		for (i = 0; ; i++) {
			assert_true(i < 64);
			got = pursue(&p, &now, &step);
			if (got == PURSUE_STOP)
				break;
			d = (unsigned)(step.deployment - deployments);
			if (got == PURSUE_ASK && !step.last) {
				assert_false(seen >> d & 1);
				assert_true(standings[d].cooling <= NOW);
			}
			if (got == PURSUE_REST)
				assert_true(step.at >= standings[d].cooling);
			seen |= 1u << d;
			s = s * 6364136223846793005u + 1442695040888963407u;
			now.fail = 1u << (s >> 40) % 12;
			now.draw = s;
			asked(&p, (int)d, now.fail);
			assert_true(p.count <= plan.attempts);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_failure),
		cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_rests),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
