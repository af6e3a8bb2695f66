/*
 * Prices: against a table worked out with unbounded integers elsewhere,
 * against long multiplication in decimal digits, and at the edges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/price.h"

#define DIGITS 64

/* A natural number in decimal, the least digit first. */
struct decimal {
	int d[DIGITS];
};

static struct decimal
decimal_of(uint64_t n)
{
	struct decimal x = { { 0 } };
	int i;

	for (i = 0; n > 0; i++, n /= 10)
		x.d[i] = (int)(n % 10);
	return x;
}

static void
carry(struct decimal *x)
{
	int i;

	for (i = 0; i + 1 < DIGITS; i++) {
		x->d[i + 1] += x->d[i] / 10;
		x->d[i] %= 10;
	}
}

static void
add_product(struct decimal *sum, uint64_t a, uint64_t b, int shift)
{
	struct decimal x = decimal_of(a), y = decimal_of(b);
	int i, k;

	for (i = 0; i < 20; i++)
		for (k = 0; k < 20; k++)
			sum->d[i + k + shift] += x.d[i] * y.d[k];
	carry(sum);
}

/* ceil(x / 10^6), or INT64_MAX beyond it, read off the digits. */
static int64_t
round_up(struct decimal *x)
{
	int64_t n = 0;
	int i;

	add_product(x, 999999, 1, 0);
	for (i = DIGITS - 1; i >= 6; i--)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, x->d[i], &n))
			return INT64_MAX;
	return n;
}

static uint64_t
draw(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return *seed >> 11;
}

static void
test_cost_table(void **state)
{
	static const struct {
		int64_t rate[UNIT_COUNT], n[UNIT_COUNT], cost;
	} rows[] = {
		{ { 150000000, 600000000 }, { 1000, 500 }, 450000 },
		{ { 150000000, 600000000 }, { 1, 1 }, 750 },
		{ { 1 }, { 1 }, 1 },
		{ { 1 }, { 1000000 }, 1 },
		{ { 1 }, { 1000001 }, 2 },
		/* Three parts below one n$ are one n$, not three. */
		{ { 1, 1, 1 }, { 1, 1, 1 }, 1 },
		{ { 333333333, 333333333, 333333334 }, { 1, 1, 1 }, 1000 },
		{ { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7 },
		    { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3 },
		    22 },
		{ { 993908, 404, 8797323216, 101071364, 611097, 8, 614, 55,
		      1201, 401, 1171979, 1486, 455824009, 3, 9, 28 },
		    { 657911, 8108, 76748, 812, 5, 17455, 429, 69, 77, 159, 9,
		      19, 35, 11, 43, 11 },
		    16629782230 },
		{ { 74, 2744112455, 102163, 764623112, 72, 9, 8133, 58118295906,
		      90210345,
		      30070116, 488218, 8261117831, 314328, 88000000, 2945,
		      269637315104 },
		    { 9, 537, 5627, 470636, 623, 1, 54804, 96, 641, 1287, 155,
		      31, 26, 2, 2, 42 },
		    11581413075277 },
		{ { 97, 615281916, 356644, 654339033723, 77832216, 9229206, 34,
		      93555402, 7, 3,
		      4574140082, 342315301686, 40568718192, 5512345,
		      976614537807, 1490376253 },
		    { 5823, 78, 7, 3, 4822307, 94, 50, 8134, 50021, 100047, 2,
		      28, 25, 17, 35, 17 },
		    44806363444268 },
		{ { 163486, 588717143, 21, 1, 804765445, 444, 3457, 4,
		      440404040, 146801347,
		      4799, 258277203, 5695080706, 60000000000, 449911297,
		      62 },
		    { 370969, 9557, 8669808, 8219, 68, 67, 2451, 7384070, 3,
		      11, 3072040, 38, 0, 1, 49, 9 },
		    91865947466 },
		/* 2^63 - 1 is the last that fits, and means "more" as well. */
		{ { 1000000000000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 854775806 },
		    { 9223372036, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
		    INT64_MAX - 1 },
		{ { 1000000000000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 854775807 },
		    { 9223372036, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
		    INT64_MAX },
		{ { 1000000000000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 854775808 },
		    { 9223372036, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
		    INT64_MAX },
		{ { PRICE_MAX }, { INT64_C(1) << 53 }, INT64_MAX },
	};
	struct price p;
	struct usage u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		price_init(&p);
		memset(&u, 0, sizeof u);
		memcpy(p.rate, rows[i].rate, sizeof p.rate);
		memcpy(u.n, rows[i].n, sizeof u.n);
		assert_int_equal(price_cost(&p, &u), 0);
		p.known = true;
		assert_int_equal(price_cost(&p, &u), rows[i].cost);
	}
}

static void
test_cost_long(void **state)
{
	uint64_t seed = 20260702;
	int overflows = 0, round, i;

	(void)state;
	for (round = 0; round < 20000; round++) {
		struct decimal sum = { { 0 } };
		struct price p;
		struct usage u = { .known = true };
		int64_t want;

		price_init(&p);
		p.known = true;
		for (i = 0; i < UNIT_COUNT; i++) {
			/* All magnitudes, up to the bounds. */
			p.rate[i] = (int64_t)(draw(&seed) % (PRICE_MAX + 1));
			p.rate[i] >>= draw(&seed) % 50;
			u.n[i] = (int64_t)(draw(&seed) >> draw(&seed) % 53);
			if (round % 3 != 0)
				u.n[i] >>= 24;
			if (round % 3 == 2 && i >= UNIT_PER_MILLION)
				u.n[i] = 0;
			add_product(&sum, (uint64_t)p.rate[i],
			    (uint64_t)u.n[i], i < UNIT_PER_MILLION ? 0 : 6);
		}
		want = round_up(&sum);
		overflows += want == INT64_MAX;
		assert_int_equal(price_cost(&p, &u), want);
	}
	/* Both kinds must have been seen. */
	assert_in_range(overflows, 1000, 19000);
}

static void
test_bad_counts(void **state)
{
	struct price p;
	struct usage u = { .known = true };
	int i;

	(void)state;
	price_init(&p);
	p.known = true;
	for (i = 0; i < UNIT_COUNT; i++) {
		p.rate[i] = INT64_MAX;
		u.n[i] = INT64_MIN;
	}
	assert_int_equal(price_cost(&p, &u), 0);
	assert_int_equal(usage_input(&u), 0);
	assert_int_equal(usage_output(&u), 0);
	for (i = 0; i < UNIT_COUNT; i++)
		u.n[i] = INT64_MAX;
	assert_int_equal(price_cost(&p, &u), INT64_MAX);
	assert_int_equal(usage_input(&u), 6 * (INT64_C(1) << 53));
	assert_int_equal(usage_output(&u), 4 * (INT64_C(1) << 53));
}

static void
test_fallbacks(void **state)
{
	struct price p;

	(void)state;
	price_init(&p);
	assert_false(p.known);
	assert_int_equal(price_rate(&p, UNIT_INPUT, 5), 0);
	assert_int_equal(price_rate(&p, UNIT_CACHE_WRITE_1H, 5), 0);
	p.rate[UNIT_INPUT] = 100;
	p.rate[UNIT_OUTPUT] = 400;
	assert_int_equal(price_rate(&p, UNIT_CACHED_INPUT, 5), 100);
	assert_int_equal(price_rate(&p, UNIT_CACHE_WRITE, 5), 100);
	assert_int_equal(price_rate(&p, UNIT_CACHE_WRITE_1H, 5), 100);
	assert_int_equal(price_rate(&p, UNIT_AUDIO_INPUT, 5), 100);
	assert_int_equal(price_rate(&p, UNIT_REASONING, 5), 400);
	assert_int_equal(price_rate(&p, UNIT_AUDIO_OUTPUT, 5), 400);
	assert_int_equal(price_rate(&p, UNIT_IMAGE_INPUT, 5), 100);
	assert_int_equal(price_rate(&p, UNIT_IMAGE_OUTPUT, 5), 400);
	assert_int_equal(price_rate(&p, UNIT_SENT_IMAGE, 5), 0);
	assert_int_equal(price_rate(&p, UNIT_CHARACTERS, 5), 0);
	assert_int_equal(price_rate(&p, UNIT_REQUEST, 5), 0);
	assert_int_equal(price_rate(&p, UNIT_SECOND, 5), 0);
	p.rate[UNIT_CACHE_WRITE] = 125;
	assert_int_equal(price_rate(&p, UNIT_CACHE_WRITE_1H, 5), 125);
	p.rate[UNIT_CACHED_INPUT] = 0; /* set, and free */
	assert_int_equal(price_rate(&p, UNIT_CACHED_INPUT, 5), 0);
}

static void
test_tiers(void **state)
{
	struct price p;
	struct usage u = { .known = true };

	(void)state;
	price_init(&p);
	p.known = true;
	p.rate[UNIT_INPUT] = 3000000000;
	p.rate[UNIT_OUTPUT] = 15000000000;
	p.rate[UNIT_REQUEST] = 7;
	p.tiers = 2;
	p.tier[0].above = 200000;
	p.tier[0].rate[UNIT_INPUT] = 6000000000;
	p.tier[0].rate[UNIT_CACHED_INPUT] = 600000000;
	p.tier[1].above = 500000;
	p.tier[1].rate[UNIT_INPUT] = 9000000000;
	assert_int_equal(price_rate(&p, UNIT_INPUT, 200000), 3000000000);
	assert_int_equal(price_rate(&p, UNIT_INPUT, 200001), 6000000000);
	assert_int_equal(price_rate(&p, UNIT_INPUT, 500001), 9000000000);
	assert_int_equal(price_rate(&p, UNIT_CACHED_INPUT, 200001), 600000000);
	/* A tier that is silent about a unit leaves the plain rate. */
	assert_int_equal(price_rate(&p, UNIT_OUTPUT, 500001), 15000000000);
	assert_int_equal(price_rate(&p, UNIT_CACHE_WRITE, 500001), 9000000000);
	assert_int_equal(price_rate(&p, UNIT_REQUEST, 500001), 7);
	/* What was cached or written counts towards the tier. */
	u.n[UNIT_INPUT] = 1;
	u.n[UNIT_CACHED_INPUT] = 200000;
	assert_int_equal(price_cost(&p, &u), 6000 + 120000000);
	u.n[UNIT_CACHED_INPUT] = 199999;
	assert_int_equal(price_cost(&p, &u), 3000 + 599997000);
}

static void
test_services(void **state)
{
	struct price p;
	struct usage u = { .known = true };
	int64_t plain;

	(void)state;
	price_init(&p);
	p.known = true;
	p.rate[UNIT_INPUT] = 1000000;
	p.rate[UNIT_OUTPUT] = 3000000;
	p.rate[UNIT_REQUEST] = 7;
	p.rate[UNIT_SEARCH] = 11;
	u.n[UNIT_INPUT] = 101;
	u.n[UNIT_OUTPUT] = 30;
	u.n[UNIT_REQUEST] = 1;
	u.n[UNIT_SEARCH] = 2;
	plain = 101 + 90 + 7 + 22;
	for (u.service = 0; u.service < SERVICE_COUNT; u.service++)
		assert_int_equal(price_cost(&p, &u), plain);
	p.service[SERVICE_FLEX] = 50;
	p.service[SERVICE_PRIORITY] = 175;
	p.service[SERVICE_RESERVED] = 0;
	p.service[SERVICE_STANDARD] = 400; /* nobody can say these */
	p.service[SERVICE_OTHER] = 0;
	u.service = SERVICE_STANDARD;
	assert_int_equal(price_cost(&p, &u), plain);
	u.service = SERVICE_BATCH;
	assert_int_equal(price_cost(&p, &u), plain);
	u.service = SERVICE_OTHER;
	assert_int_equal(price_cost(&p, &u), plain);
	/* 191 / 2 rounded up; fees are the same. */
	u.service = SERVICE_FLEX;
	assert_int_equal(price_cost(&p, &u), 96 + 29);
	u.service = SERVICE_PRIORITY; /* 334.25 */
	assert_int_equal(price_cost(&p, &u), 335 + 29);
	u.service = SERVICE_RESERVED;
	assert_int_equal(price_cost(&p, &u), 29);
	u.service = SERVICE_COUNT + 5;
	assert_int_equal(price_cost(&p, &u), plain);
	/* A part of one n$ and half of it are rounded once. */
	p.rate[UNIT_INPUT] = p.rate[UNIT_OUTPUT] = 10000;
	u.service = SERVICE_FLEX;
	assert_int_equal(price_cost(&p, &u), 1 + 29);
	p.service[SERVICE_FLEX] = INT64_MAX; /* no more than is allowed */
	assert_int_equal(price_cost(&p, &u), 14 + 29);
	memset(u.n, 0x7f, sizeof u.n);
	for (plain = 0; plain < UNIT_COUNT; plain++)
		p.rate[plain] = PRICE_MAX;
	assert_int_equal(price_cost(&p, &u), INT64_MAX);
}

/* Whatever is used and whichever tier the provider chooses. */
static void
test_bound(void **state)
{
	struct price p;
	struct usage u;
	uint64_t seed = 9;
	int64_t input, output, bound;
	int i, k;

	(void)state;
	for (i = 0; i < 20000; i++) {
		price_init(&p);
		memset(&u, 0, sizeof u);
		p.known = u.known = true;
		for (k = 0; k < UNIT_COUNT; k++) {
			if (draw(&seed) % 3 > 0)
				p.rate[k] = (int64_t)(draw(&seed) %
				    100000000000);
			if (k != UNIT_CHARACTERS && k < UNIT_PER_MILLION)
				u.n[k] = (int64_t)(draw(&seed) % 5000);
		}
		for (k = 0; k < SERVICE_COUNT; k++)
			if (draw(&seed) % 2 > 0)
				p.service[k] = (int64_t)(draw(&seed) % 1001);
		p.tiers = 1;
		p.tier[0].above = (int64_t)(draw(&seed) % 20000);
		p.tier[0].rate[UNIT_OUTPUT] = (int64_t)(draw(&seed) %
		    100000000000);
		u.n[UNIT_REQUEST] = 1;
		u.n[UNIT_SEARCH] = (int64_t)(draw(&seed) % 4);
		u.service = draw(&seed) % SERVICE_COUNT;
		input = usage_input(&u) + (int64_t)(draw(&seed) % 2);
		output = usage_output(&u);
		bound = price_bound(&p, input, output, true, 3, NULL);
		assert_true(price_cost(&p, &u) <= bound);
	}
	/* And not more than the dearest tier. */
	price_init(&p);
	p.known = true;
	p.rate[UNIT_INPUT] = 1000000;
	p.service[SERVICE_FLEX] = 50;
	assert_int_equal(price_bound(&p, 10, 10, false, 0, NULL), 10);
	p.service[SERVICE_PRIORITY] = 175;
	assert_int_equal(price_bound(&p, 10, 10, false, 0, NULL), 18);
	p.rate[UNIT_INPUT] = PRICE_MAX;
	assert_int_equal(price_bound(&p, INT64_MAX, INT64_MAX, true, 3, NULL),
	    INT64_MAX);
}

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t nano;
	} good[] = {
		{ "0", 0 }, { "0.000", 0 }, { "0e99999999999999999", 0 },
		{ "0.15", 150000000 }, { "1e-3", 1000000 },
		{ "2", 2000000000 }, { "2.50", 2500000000 },
		{ "1E-9", 1 }, { "1e+2", 100000000000 }, { "007", 7000000000 },
		{ "0.000000001", 1 }, { "0.00000000100000000000000000", 1 },
		{ "10000000000000000000e-19", 1000000000 },
		{ "0.0000001e6", 100000000 }, { "1000000", PRICE_MAX },
		{ "1e6", PRICE_MAX }, { "1000000.000000000", PRICE_MAX },
		{ "999999.999999999", PRICE_MAX - 1 },
		{ "123456.789012345", 123456789012345 },
	};
	static const char *bad[] = { "", "-", "-1", "+1", ".5", "5.", "1e",
		"1e-", "1e+", "1 ", " 1", "1,5", "0x10", "nan", "inf", "1.2.3",
		"1e5.0", "0.0000000001", "1e-10", "0.1234567891", "1e7",
		"1000000.000000001", "1000000.0000000001", "1000001",
		"99999999999999999999999999", "1e999999999999999999999",
		"1e-999999999999999999999", "18446744073709551616e-12",
		"12345678901234567e-15", "0.15\n" };
	size_t i;
	int64_t n;

	(void)state;
	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		n = -5;
		if (!price_parse(good[i].text, strlen(good[i].text), &n))
			fail_msg("%s is refused", good[i].text);
		assert_int_equal(n, good[i].nano);
	}
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		n = -5;
		if (price_parse(bad[i], strlen(bad[i]), &n))
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(n, -5);
	}
	assert_true(money_parse("9000000", 7, &n) && n == MONEY_MAX);
	assert_true(money_parse("8999999.999999999", 17, &n));
	assert_int_equal(n, MONEY_MAX - 1);
	assert_false(money_parse("9000000.000000001", 17, &n));
	assert_false(money_parse("1e7", 3, &n));
	assert_false(price_parse("1\0", 2, &n));
	assert_true(price_parse("12", 1, &n));
	assert_int_equal(n, 1000000000);
}

static void
test_raise(void **state)
{
	struct price p;

	(void)state;
	price_init(&p);
	p.rate[UNIT_INPUT] = 100;
	p.rate[UNIT_OUTPUT] = 1;
	p.rate[UNIT_IMAGE] = 0;
	p.rate[UNIT_REQUEST] = PRICE_MAX;
	p.tiers = 1;
	p.tier[0].rate[UNIT_INPUT] = 201;
	p.tier[1].rate[UNIT_INPUT] = 7; /* not in use */
	price_raise(&p, 0);
	assert_int_equal(p.rate[UNIT_OUTPUT], 1);
	price_raise(&p, 15);
	assert_int_equal(p.rate[UNIT_INPUT], 115);
	assert_int_equal(p.rate[UNIT_OUTPUT], 2);
	assert_int_equal(p.rate[UNIT_IMAGE], 0);
	assert_int_equal(p.rate[UNIT_REQUEST], PRICE_MAX);
	assert_int_equal(p.rate[UNIT_REASONING], PRICE_UNSET);
	assert_int_equal(p.tier[0].rate[UNIT_INPUT], 232);
	assert_int_equal(p.tier[0].rate[UNIT_OUTPUT], PRICE_UNSET);
	assert_int_equal(p.tier[1].rate[UNIT_INPUT], 7);
}

static void
test_format(void **state)
{
	static const struct {
		int64_t nano;
		const char *text;
	} rows[] = {
		{ 0, "0" }, { 1, "0.000000001" }, { 2310000, "0.00231" },
		{ 1000000000, "1" }, { 1500000000, "1.5" },
		{ 10000000000, "10" }, { -1, "-0.000000001" },
		{ INT64_MAX, "9223372036.854775807" },
		{ INT64_MIN, "-9223372036.854775808" },
	};
	char out[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		price_format(rows[i].nano, out, sizeof out);
		assert_string_equal(out, rows[i].text);
	}
}

static void
test_round_trip(void **state)
{
	uint64_t seed = 1;
	int64_t n, back;
	char out[32];
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		n = (int64_t)(draw(&seed) % (PRICE_MAX + 1)) >>
		    draw(&seed) % 50;
		price_format(n, out, sizeof out);
		assert_true(price_parse(out, strlen(out), &back));
		assert_int_equal(back, n);
	}
}

static void
test_names(void **state)
{
	static const char *names[] = { "input", "output", "cached_input",
		"cache_write", "cache_write_1h", "reasoning", "audio_input",
		"audio_output", "image_input", "image_output", "characters",
		"request", "image", "sent_image", "search", "second" };
	unsigned i;

	(void)state;
	assert_int_equal(sizeof names / sizeof names[0], UNIT_COUNT);
	for (i = 0; i < UNIT_COUNT; i++)
		assert_string_equal(unit_name(i), names[i]);
	assert_null(unit_name(UNIT_COUNT));
	assert_string_equal(service_name(SERVICE_RESERVED), "reserved");
	assert_null(service_name(SERVICE_COUNT));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost_table),
		cmocka_unit_test(test_cost_long),
		cmocka_unit_test(test_bad_counts),
		cmocka_unit_test(test_fallbacks),
		cmocka_unit_test(test_tiers),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_raise),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
