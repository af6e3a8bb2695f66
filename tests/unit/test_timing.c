/*
 * Nobody learns of a key by the clock: how long a look-up takes is the same
 * for a guess that begins as a key does and for any other, for a key that was
 * revoked and for one that never was.
 *
 * Two samples are timed in an order drawn by lot and compared by the test of
 * Kolmogorov and Smirnov. Where both come from the same distribution its p is
 * any number from 0 to 1, and what else the machine does pulls it down for
 * whole runs: one of five above 0.01 clears a look-up. A comparison that ends
 * at the first wrong byte, of our own, is below 0.00001 in each of five.
 */
#include "policy_help.h"

#include <math.h>
#include <time.h>

#include "app/base/draw.h"
#include "app/base/hash.h"

#define PAIRS 100000 /* timings of each side, in one run */
#define RUNS 5
#define KEYS 64
#define OTHERS 20000 /* keys that were revoked; so many, as one alone has
		      * its way through the table */
#define LEAST 0.01
#define RANDOM 30 /* characters of a key that are random */

typedef bool look_fn(const struct policy *p, const char *token);

/* One thing that is timed: which token, how long it took, in ns. */
struct timing {
	char token[HASH_VKEY_SIZE];
	bool second;
	unsigned ns;
};

static char keys[KEYS][HASH_VKEY_SIZE];
static char others[2][OTHERS][HASH_VKEY_SIZE];
static struct timing *timings;
static uint64_t random_state = 20261128;

/* ------------------------------------------------------------- samples */

static uint32_t
draw(uint32_t below)
{
	return (uint32_t)((draw_next(&random_state) >> 32) % below);
}

/* A key that begins with so many characters of `like` after its prefix. */
static void
make_like(char out[HASH_VKEY_SIZE], const char *like, unsigned same)
{
	static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz";
	uint32_t crc = UINT32_MAX;
	unsigned i, bit;

	memcpy(out, "tg_", 3);
	for (i = 0; i < RANDOM; i++) {
		out[3 + i] = i < same ? like[3 + i] : base62[draw(62)];
		if (i == same && out[3 + i] == like[3 + i])
			out[3 + i] = like[3 + i] == 'a' ? 'b' : 'a';
	}
	for (i = 0; i < RANDOM; i++) {
		crc ^= (unsigned char)out[3 + i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	crc = ~crc;
	for (i = 6; i-- > 0; crc /= 62)
		out[3 + RANDOM + i] = base62[crc % 62];
	out[HASH_VKEY_LEN] = '\0';
	assert_true(hash_vkey_check(out, HASH_VKEY_LEN));
}

static void
any_prefix(char out[HASH_VKEY_SIZE], bool second)
{
	make_like(out, keys[0], second ? draw(RANDOM - 1) : 0);
}

static void
long_prefix(char out[HASH_VKEY_SIZE], bool second)
{
	make_like(out, keys[0], second ? RANDOM - 2 : 0);
}

/* Not a key any more, or never one. */
static void
revoked(char out[HASH_VKEY_SIZE], bool second)
{
	memcpy(out, others[second][draw(OTHERS)], HASH_VKEY_SIZE);
}

/* ------------------------------------------------------------- look-ups */

static bool
ours(const struct policy *p, const char *token)
{
	return policy_key(p, token, HASH_VKEY_LEN) != NULL;
}

/* The fault that the test must find: the same, after a careless look. */
static bool
careless(const struct policy *p, const char *token)
{
	volatile const char *have = keys[0];
	unsigned i;

	for (i = 0; i < HASH_VKEY_LEN && have[i] == token[i]; i++)
		;
	return i == HASH_VKEY_LEN || ours(p, token);
}

/* ----------------------------------------------------------- statistics */

static int
by_time(const void *a, const void *b)
{
	const struct timing *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

/* How likely two samples of one distribution are that far apart. */
static double
likely(double distance, double n, double m)
{
	double root = sqrt(n * m / (n + m)), sum = 0, sign = 2;
	double x = (root + 0.12 + 0.11 / root) * distance;
	int k;

	if (x < 0.2)
		return 1;
	for (k = 1; k <= 100; k++, sign = -sign)
		sum += sign * exp(-2.0 * k * k * x * x);
	return sum < 0 ? 0 : sum > 1 ? 1 : sum;
}

/* The p of these timings, which it sorts. */
static double
compare(struct timing *t, size_t n)
{
	double count[2] = { 0, 0 }, total[2] = { 0, 0 }, d, most = 0;
	size_t i;

	for (i = 0; i < n; i++)
		total[t[i].second]++;
	qsort(t, n, sizeof *t, by_time);
	for (i = 0; i < n; i++) {
		count[t[i].second]++;
		if (i + 1 < n && t[i + 1].ns == t[i].ns)
			continue; /* equal ones count together */
		d = fabs(count[0] / total[0] - count[1] / total[1]);
		most = d > most ? d : most;
	}
	return likely(most, total[0], total[1]);
}

static unsigned
timed(const struct policy *p, look_fn *look, const char *from)
{
	char token[HASH_VKEY_SIZE];
	struct timespec a, b;
	bool found;

	memcpy(token, from, sizeof token); /* always at the same place */
	clock_gettime(CLOCK_MONOTONIC, &a);
	found = look(p, token);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_false(found);
	return (unsigned)((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec -
	    a.tv_nsec);
}

static double
run(const struct policy *p, look_fn *look,
    void (*make)(char out[HASH_VKEY_SIZE], bool second))
{
	size_t i, n = (size_t)PAIRS * 2;

	for (i = 0; i < n; i++) { /* all before the first is timed */
		timings[i].second = draw(2) != 0;
		make(timings[i].token, timings[i].second);
	}
	for (i = 0; i < n; i++)
		timings[i].ns = timed(p, look, timings[i].token);
	return compare(timings, n);
}

/* ---------------------------------------------------------------- tests */

/* KEYS keys in the policy, and those of others[1] in the one before. */
static struct policy *
loaded(bool with_others)
{
	struct policy *p;
	struct buf b;
	unsigned i;
	char *said;

	buf_init(&b, 4 << 20);
	buf_puts(&b, "providers: { openai: { key: none } }\n"
		     "models: { m: openai/gpt-5.4 }\nkeys:\n");
	for (i = 0; i < KEYS; i++)
		buf_printf(&b, "  - { name: k%u, secret: plain:%s }\n", i,
		    keys[i]);
	for (i = 0; with_others && i < OTHERS; i++)
		buf_printf(&b, "  - { name: o%u, secret: plain:%s }\n", i,
		    others[1][i]);
	buf_putc(&b, '\0');
	p = load_text(b.data, &said); /* it warns of plain secrets */
	assert_non_null(p);
	free(said);
	buf_free(&b);
	return p;
}

static void
test_same_time(void **state)
{
	static const struct {
		const char *name;
		void (*make)(char out[HASH_VKEY_SIZE], bool second);
	} rows[] = {
		{ "right prefix of 0 to 28 characters", any_prefix },
		{ "right prefix of 28 characters", long_prefix },
		{ "revoked and unknown", revoked },
	};
	struct policy *p = loaded(true);
	double each;
	size_t i, n;

	(void)state;
	for (i = 0; i < OTHERS; i++)
		assert_non_null(policy_key(p, others[1][i], HASH_VKEY_LEN));
	policy_unref(p);
	p = loaded(false);
	assert_non_null(policy_key(p, keys[0], HASH_VKEY_LEN));
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (n = 0, each = 0; n < RUNS && each <= LEAST; n++) {
			each = run(p, ours, rows[i].make);
			print_message("%s: p = %.3f\n", rows[i].name, each);
		}
		assert_true(each > LEAST);
	}
	policy_unref(p);
}

/* What the test is worth: a careless comparison is found each time. */
static void
test_careless(void **state)
{
	struct policy *p = loaded(false);
	double any, along;
	unsigned n;

	(void)state;
	for (n = 0; n < RUNS; n++) {
		any = run(p, careless, any_prefix);
		along = run(p, careless, long_prefix);
		print_message("careless: p = %.3g, long prefix: p = %.3g\n",
		    any, along);
		assert_true(any < LEAST / 1000 && along < LEAST / 1000);
	}
	policy_unref(p);
}

/* Of two samples of one kind few are far apart: p is spread evenly. */
static void
test_spread(void **state)
{
	struct timing *t = timings;
	unsigned i, k, low = 0, half = 0;
	double p;

	(void)state;
	for (i = 0; i < 1000; i++) {
		for (k = 0; k < 500; k++) {
			t[k].second = draw(2) != 0;
			t[k].ns = draw(1000000);
		}
		p = compare(t, 500);
		low += p < LEAST * 5;
		half += p < 0.5;
	}
	assert_in_range(low, 20, 90); /* of 50 */
	assert_in_range(half, 420, 580);
}

static int
setup(void **state)
{
	size_t i;

	if (group_setup(state) != 0)
		return -1;
	timings = calloc((size_t)PAIRS * 2, sizeof *timings);
	for (i = 0; i < KEYS; i++)
		if (hash_vkey_make(keys[i]) != ERR_OK)
			return -1;
	for (i = 0; i < OTHERS; i++)
		if (hash_vkey_make(others[0][i]) != ERR_OK ||
		    hash_vkey_make(others[1][i]) != ERR_OK)
			return -1;
	return timings == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	free(timings);
	return group_teardown(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_same_time),
		cmocka_unit_test(test_careless),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
