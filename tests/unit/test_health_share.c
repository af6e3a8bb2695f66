/*
 * Two hosts (two state directories) and a Redis of their own: what one is
 * told by a provider the other knows within a second, and that it is back; a
 * Redis that is away, wrong or full of other things changes nothing.
 */
#include "tests/unit/policy_help.h"

#include <inttypes.h>
#include <stdbool.h>

#include <uv.h>

#include "adapters/adapter.h"
#include "app/base/clock.h"
#include "app/health.h"
#include "app/health_share.h"
#include "tests/unit/redis.h"

#define SECOND INT64_C(1000000)
#define KEY "tollgate:{health}:openai/gpt-5.4"

static uv_loop_t loop;
static struct redis redis;

struct host {
	char dir[300];
	struct health *health;
	struct health_share *share;
};
static struct host hosts[2];
static struct policy *policy;
static const struct deployment *d;

static void
on_time(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

static void
run(uint64_t ms)
{
	bool over = false;
	uv_timer_t t;

	uv_timer_init(&loop, &t);
	t.data = &over;
	uv_timer_start(&t, on_time, ms, 0);
	while (!over)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

/* A second goes by for both. */
static void
second(void)
{
	int i;

	run(920);
	for (i = 0; i < 2; i++)
		health_share_tick(hosts[i].share, policy);
	run(80);
}

static struct policy *
policy_of(const char *key)
{
	char text[600];

	setenv("SHARE_KEY", key, 1);
	snprintf(text, sizeof text, "store: \"%s?db=0\"\npepper: env:PEPPER\n"
	    "providers: { openai: { key: env:SHARE_KEY } }\n"
	    "models: { m: openai/gpt-5.4, n: [ openai/gpt-5.4-mini, "
	    "openai/gpt-5.4 ] }\n", redis.address);
	return load_good(text);
}

static void
open_host(struct host *h, int i)
{
	snprintf(h->dir, sizeof h->dir, "%s/host%d", home, i);
	h->health = health_open(h->dir);
	h->share = health_share_new(&loop, h->health);
	assert_non_null(h->share);
	health_share_tick(h->share, policy);
}

static int
setup(void **state)
{
	int i;

	(void)state;
	setenv("PEPPER", "a pepper of enough length", 1);
	redis_start(&redis, (const char *const[]){ NULL });
	assert_int_equal(uv_loop_init(&loop), 0);
	policy = policy_of("first-key-of-ours");
	d = &policy->models[0].targets[0];
	for (i = 0; i < 2; i++)
		open_host(&hosts[i], i);
	run(50);
	return 0;
}

static int
teardown(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		health_share_free(hosts[i].share);
		health_free(hosts[i].health);
		remove_tree(hosts[i].dir);
	}
	uv_run(&loop, UV_RUN_DEFAULT); /* ends: no handle is left */
	assert_int_equal(uv_loop_close(&loop), 0);
	policy_unref(policy);
	redis_end(&redis);
	return 0;
}

static struct standing
stands(int host)
{
	struct standing st;

	health_look(hosts[host].health, d, false, clock_mono(), &st);
	return st;
}

static int64_t
rests(int host)
{
	struct standing st = stands(host);

	return st.cooling == 0 ? 0 : st.cooling - clock_mono();
}

static void
fails(int host, unsigned fail, int64_t rest)
{
	bool probe;

	assert_true(health_claim(hosts[host].health, d, CLAIM_LAST,
	    clock_mono(), &probe));
	health_end(hosts[host].health, d, &(struct outcome){ .fail = fail,
	    .rest = rest, .probe = probe }, clock_mono());
}

static void
serves(int host)
{
	bool probe;

	assert_true(health_claim(hosts[host].health, d, CLAIM_LAST,
	    clock_mono(), &probe));
	health_end(hosts[host].health, d, &(struct outcome){ .served = true,
	    .rest = -1, .probe = probe }, clock_mono());
}

static void
value(char *out, size_t size)
{
	redis_cli(&redis, out, size, (const char *const[]){ "GET", KEY,
	    NULL });
}

static void
put(const char *text)
{
	redis_cli(&redis, NULL, 0, (const char *const[]){ "SET", KEY, text,
	    "PX", "20000", NULL });
}

/* A 429 at one host is known at the other, with its length and its reason. */
static void
test_rest(void **state)
{
	char ms[64];

	(void)state;
	fails(0, FAIL_RATE, 20 * SECOND);
	run(20);
	redis_cli(&redis, ms, sizeof ms, (const char *const[]){ "PTTL", KEY,
	    NULL });
	assert_in_range(atoi(ms), 19000, 20000);
	assert_true(rests(1) == 0);
	second();
	assert_in_range(rests(1), 17 * SECOND, 20 * SECOND);
	assert_int_equal(stands(1).why, FAIL_RATE);
	/* The other one's probe finds it well: so it is for the first. */
	serves(1);
	assert_true(rests(1) == 0);
	run(20);
	value(ms, sizeof ms);
	assert_string_equal(ms, "");
	assert_in_range(rests(0), 17 * SECOND, 20 * SECOND);
	second();
	second();
	assert_true(rests(1) == 0);
}

/* What the one took back, the other takes back too. */
static void
test_back(void **state)
{
	(void)state;
	fails(0, FAIL_SERVER | FAIL_OVERLOAD, 30 * SECOND);
	second();
	assert_true(rests(1) > 25 * SECOND);
	serves(0);
	second();
	assert_true(rests(1) == 0);
	assert_int_equal(stands(1).why, 0);
}

/* That this host cannot connect is its own affair. */
static void
test_own_affair(void **state)
{
	char text[64];
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		fails(0, FAIL_CONNECT, -1);
	assert_true(rests(0) > 0);
	run(20);
	value(text, sizeof text);
	assert_string_equal(text, "");
	second();
	assert_true(rests(1) == 0);
}

/* A refused credential is held against hosts with that one only. */
static void
test_credential(void **state)
{
	struct policy *other = policy_of("second-key-of-ours");
	int i;

	(void)state;
	fails(0, FAIL_AUTH, -1);
	second();
	assert_true(rests(1) > 30 * SECOND);
	assert_int_equal(stands(1).why, FAIL_AUTH);
	/* The second host has a new key already, and forgot. */
	health_pardon(hosts[1].health, NULL);
	for (i = 0; i < 3; i++) {
		run(920);
		health_share_tick(hosts[1].share, other);
		run(80);
		assert_true(rests(1) == 0);
	}
	health_share_tick(hosts[1].share, policy);
	policy_unref(other);
}

/* Forgotten by a person here: the word in Redis goes too. */
static void
test_pardon(void **state)
{
	char text[128];

	(void)state;
	fails(0, FAIL_RATE, 20 * SECOND);
	second();
	assert_true(rests(1) > 0);
	health_pardon(hosts[0].health, NULL);
	second();
	value(text, sizeof text);
	assert_string_equal(text, "");
	second();
	assert_true(rests(0) == 0 && rests(1) == 0);
}

/* Whatever stands there: nothing breaks, and no rest is longer than a day. */
static void
test_junk(void **state)
{
	static const char *const junk[] = { "", "x", "1 2 3", "1 4 0 zz",
		"ffffffffffffffff 4 0 fffffffffffff", "1 0 0 fffffff",
		"1 ffffffff 0 fffffffffffff", "1 4 0 1 more",
		"1 4 0 fffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffffffffffffffffff" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof junk / sizeof junk[0]; i++) {
		put(junk[i]);
		second();
		assert_true(rests(0) == 0 && rests(1) == 0);
	}
	/* Another type of value. */
	redis_cli(&redis, NULL, 0, (const char *const[]){ "DEL", KEY, NULL });
	redis_cli(&redis, NULL, 0, (const char *const[]){ "LPUSH", KEY, "a",
	    NULL });
	second();
	assert_true(rests(0) == 0);
	/* A clock that is behind: short rests, as long as the key is there. */
	redis_cli(&redis, NULL, 0, (const char *const[]){ "DEL", KEY, NULL });
	put("1 4 0 1");
	second();
	assert_in_range(rests(0), 1, 2 * SECOND);
}

/* Without Redis each host knows for itself; it comes again by itself. */
static void
test_away(void **state)
{
	(void)state;
	fails(0, FAIL_RATE, 20 * SECOND);
	second();
	assert_true(rests(1) > 15 * SECOND);
	redis_kill(&redis);
	second();
	second();
	assert_in_range(rests(0), 10 * SECOND, 20 * SECOND);
	assert_in_range(rests(1), 10 * SECOND, 20 * SECOND);
	serves(1);
	assert_true(rests(1) == 0);
	redis_again(&redis, (const char *const[]){ NULL });
	second();
	second();
	second();
	fails(1, FAIL_RATE, 60 * SECOND);
	second();
	second();
	assert_true(rests(0) > 50 * SECOND);
}

#define HOSTS(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOSTS(test_rest), HOSTS(test_back), HOSTS(test_own_affair),
		HOSTS(test_credential), HOSTS(test_pardon), HOSTS(test_junk),
		HOSTS(test_away),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
