/*
 * Keys that are made at run time, over both stores: what each verb leaves
 * behind, that two at once are told apart, and what a worker sees of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/keycache.h"
#include "app/keys.h"
#include "app/keystore.h"
#include "app/ledger.h"
#include "policy/issue.h"
#include "tests/unit/policy_help.h"
#include "tests/unit/redis.h"

static const char text[] =
    "providers: { p: { adapter: openai, base_url: \"http://127.0.0.1/v1\","
    " key: none } }\n"
    "models: { m: p/x, n: p/y }\n"
    "timezone: UTC\n"
    "tiers: { free: { models: [ m ], may: [ user ], rpm: 20, max_output: 7,"
    " budget: 5 USD / day, region: eu, end_users: { parallel: 3 } } }\n"
    "keys: [ { name: web, secret: \"plain:abcdefghijklmnopqrst\" } ]\n";

static bool over_redis;

struct world {
	struct redis server; /* dir of both */
	uv_loop_t loop;
	uv_timer_t alive; /* stores keep no loop alive */
	struct policy *policy;
	struct keystore *store;
	struct arena *arena;
	/* the last answer */
	int calls;
	struct keys_answer a;
	char *found; /* NULL: none */
	enum err err;
	int listed;
};

static void
open_store(struct world *w)
{
	struct keystore_setup setup = { .loop = &w->loop, .make = true,
		.store = over_redis ? w->server.address : "embedded",
		.dir = w->server.dir, .patience = 2000 };
	struct fault f;

	w->store = keystore_open(&setup, &f);
	assert_non_null(w->store);
}

static void
on_alive(uv_timer_t *t)
{
	(void)t;
}

static struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof *w);
	char *said;

	assert_non_null(w);
	snprintf(w->server.dir, sizeof w->server.dir,
	    "/tmp/test_keys.XXXXXX");
	assert_non_null(mkdtemp(w->server.dir));
	snprintf(w->server.address, sizeof w->server.address,
	    "redis+unix://%s/redis.sock", w->server.dir);
	if (over_redis)
		redis_again(&w->server, NULL);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	uv_timer_init(&w->loop, &w->alive);
	uv_timer_start(&w->alive, on_alive, 1000, 1000);
	w->policy = load_text(text, &said);
	if (w->policy == NULL)
		print_error("%s", said);
	free(said);
	assert_non_null(w->policy);
	w->arena = arena_new(MIB(64));
	open_store(w);
	return w;
}

static void
run(struct world *w, int ms, const int *calls)
{
	int64_t end = clock_mono() + ms * INT64_C(1000);

	while (clock_mono() < end && (calls == NULL || *calls == 0)) {
		uv_run(&w->loop, UV_RUN_NOWAIT);
		usleep(100);
	}
}

static void
world_free(struct world *w)
{
	int turns = 0;

	keystore_close(w->store);
	uv_close((uv_handle_t *)&w->alive, NULL);
	while (uv_loop_close(&w->loop) != 0 && ++turns < 500)
		run(w, 10, NULL);
	assert_true(turns < 500);
	free(w->found);
	policy_unref(w->policy);
	arena_free(w->arena);
	redis_end(&w->server);
	free(w);
}

static void
on_done(void *arg, const struct keys_answer *a)
{
	struct world *w = arg;

	w->calls++;
	w->a = *a;
}

static enum err
act(struct world *w, enum keys_verb verb, const char *name, const char *row,
    int64_t grace)
{
	struct keys_ask ask = { .store = w->store, .policy = w->policy,
		.arena = w->arena, .verb = verb, .name = name, .row = row,
		.row_len = row == NULL ? 0 : strlen(row), .grace = grace };

	w->calls = 0;
	keys_do(&ask, on_done, w);
	run(w, 5000, &w->calls);
	assert_int_equal(w->calls, 1);
	return w->a.err;
}

static void
on_text(void *arg, enum err e, const char *p, size_t len, const char *why)
{
	struct world *w = arg;

	(void)why;
	w->calls++;
	w->err = e;
	free(w->found);
	w->found = p == NULL ? NULL : strndup(p, len);
}

/* The row that a secret leads to, or NULL. */
static const char *
row_of(struct world *w, const char *secret)
{
	unsigned char hash[KEY_HASH];
	char hex[HASH_HEX_SIZE];

	assert_true(policy_hash(w->policy, secret, strlen(secret), hash));
	hash_hex(hex, hash, sizeof hash);
	w->calls = 0;
	keystore_find(w->store, hex, on_text, w);
	run(w, 5000, &w->calls);
	assert_int_equal(w->calls, 1);
	assert_int_equal(w->err, ERR_OK);
	return w->found;
}

static void
on_each(void *arg, enum err e, const char *p, size_t len, const char *why)
{
	struct world *w = arg;
	struct key_record k;

	(void)why;
	assert_int_equal(e, ERR_OK);
	if (p == NULL) {
		w->calls++;
		return;
	}
	assert_true(key_record_read(&k, w->arena, p, len));
	w->listed++;
}

static void
test_life(void **state)
{
	struct world *w = world_new();
	char first[HASH_VKEY_SIZE], second[HASH_VKEY_SIZE];
	const char *row;

	(void)state;
	assert_int_equal(act(w, KEYS_CREATE, NULL,
	    "{\"name\":\"shop\",\"tier\":\"free\"}", 0), ERR_OK);
	memcpy(first, w->a.secret, sizeof first);
	assert_true(hash_vkey_check(first, strlen(first)));
	row = row_of(w, first);
	assert_non_null(row);
	assert_string_equal(row, "{\"name\":\"shop\",\"tier\":\"free\"}");
	/* Another of the name, and one of the policy's. */
	assert_int_equal(act(w, KEYS_CREATE, NULL, "{\"name\":\"shop\"}", 0),
	    ERR_CONFLICT);
	assert_string_equal(w->a.secret, "");
	assert_int_equal(act(w, KEYS_CREATE, NULL, "{\"name\":\"web\"}", 0),
	    ERR_BAD_REQUEST);
	/* Two secrets, then other settings for both. */
	assert_int_equal(act(w, KEYS_ROTATE, "shop", NULL, 3600), ERR_OK);
	memcpy(second, w->a.secret, sizeof second);
	assert_string_not_equal(first, second);
	assert_int_equal(act(w, KEYS_SET, "shop",
	    "{\"tier\":null,\"models\":[\"n\"]}", 0), ERR_OK);
	assert_string_equal(w->a.secret, "");
	assert_string_equal(row_of(w, first),
	    "{\"name\":\"shop\",\"models\":[\"n\"]}");
	assert_string_equal(row_of(w, second),
	    "{\"name\":\"shop\",\"models\":[\"n\"]}");
	/* A third: the first one ends. */
	assert_int_equal(act(w, KEYS_ROTATE, "shop", NULL, 1), ERR_OK);
	assert_null(row_of(w, first));
	assert_non_null(row_of(w, second));
	run(w, 2100, NULL);
	assert_null(row_of(w, second));
	assert_non_null(row_of(w, w->a.secret));
	memcpy(first, w->a.secret, sizeof first);
	assert_int_equal(act(w, KEYS_REVOKE, "shop", NULL, 0), ERR_OK);
	assert_null(row_of(w, first));
	assert_int_equal(act(w, KEYS_REVOKE, "shop", NULL, 0), ERR_CONFLICT);
	assert_int_equal(act(w, KEYS_ROTATE, "shop", NULL, 0), ERR_CONFLICT);
	assert_int_equal(act(w, KEYS_CREATE, NULL, "{\"name\":\"shop\"}", 0),
	    ERR_CONFLICT);
	assert_int_equal(act(w, KEYS_ROTATE, "nobody", NULL, 0),
	    ERR_NOT_FOUND);
	world_free(w);
}

/* Both read the same record: one change is made, the other told so. */
static void
test_two_at_once(void **state)
{
	struct world *w = world_new(), other = { 0 };
	struct keys_ask ask = { .store = w->store, .policy = w->policy,
		.arena = w->arena, .verb = KEYS_ROTATE, .name = "k",
		.grace = 60 };

	(void)state;
	assert_int_equal(act(w, KEYS_CREATE, NULL, "{\"name\":\"k\"}", 0),
	    ERR_OK);
	w->calls = 0;
	keys_do(&ask, on_done, w);
	keys_do(&ask, on_done, &other);
	run(w, 5000, &other.calls);
	assert_int_equal(w->calls, 1);
	assert_int_equal(w->a.err, ERR_OK);
	/* In the file one comes behind the other. */
	assert_int_equal(other.a.err, over_redis ? ERR_CONFLICT : ERR_OK);
	assert_true((*other.a.secret != '\0') == (other.a.err == ERR_OK));
	assert_non_null(row_of(w, w->a.secret));
	world_free(w);
}

static void
test_list(void **state)
{
	struct world *w = world_new();
	char row[64];
	int i;

	(void)state;
	for (i = 0; i < 700; i++) {
		snprintf(row, sizeof row, "{\"name\":\"k%d\"}", i);
		assert_int_equal(act(w, KEYS_CREATE, NULL, row, 0), ERR_OK);
	}
	w->calls = 0;
	keystore_list(w->store, on_each, w);
	run(w, 5000, &w->calls);
	assert_int_equal(w->calls, 1);
	assert_int_equal(w->listed, 700);
	world_free(w);
}

/* The ledger's file, whoever makes it. */
static void
test_beside_the_ledger(void **state)
{
	struct world *w = world_new();
	struct ledger_setup setup = { .loop = &w->loop, .store = "embedded",
		.dir = w->server.dir };
	struct ledger *l;
	struct fault f;

	(void)state;
	if (!over_redis) {
		assert_int_equal(act(w, KEYS_CREATE, NULL,
		    "{\"name\":\"a\"}", 0), ERR_OK);
		l = ledger_open(&setup, &f);
		assert_non_null(l);
		assert_int_equal(act(w, KEYS_CREATE, NULL,
		    "{\"name\":\"b\"}", 0), ERR_OK);
		assert_non_null(row_of(w, w->a.secret));
		ledger_close(l);
	}
	world_free(w);
}

static void
test_wrong_rows(void **state)
{
	static const char *const rows[] = {
		"", "[]", "{", "{}", "{\"name\":7}", "{\"name\":\"\"}",
		"{\"name\":\"a b\"}", "{\"name\":\"a\",\"name\":\"b\"}",
		"{\"name\":\"a\",\"tier\":\"none\"}",
		"{\"name\":\"a\",\"models\":[\"zzz\"]}",
		"{\"name\":\"a\",\"secret\":\"env:HOME\"}",
		"{\"name\":\"a\",\"secret\":\"plain:abcdefghijklmnopqrstuv\"}",
		"{\"name\":\"a\",\"hash\":\"hmac-sha256:00\"}",
		"{\"name\":\"a\",\"colour\":\"red\"}",
		"{\"name\":\"a\",\"rpm\":-1}", "{\"name\":\"a\",\"rpm\":\"x\"}",
		"{\"name\":\"a\",\"budget\":\"5 USD / fortnight\"}",
		"{\"name\":\"a\",\"budget\":{\"limit\":\"5 USD / day\","
		"\"zone\":\"Moon/Crater\"}}",
		"{\"name\":\"a\",\"may\":[\"fly\"]}",
		"{\"name\":\"a\"} x",
	};
	struct world *w = world_new();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (act(w, KEYS_CREATE, NULL, rows[i], 0) != ERR_BAD_REQUEST)
			print_error("%s: %d\n", rows[i], w->a.err);
		assert_int_equal(w->a.err, ERR_BAD_REQUEST);
		assert_true(*w->a.why != '\0');
		assert_null(strstr(w->a.why, "abcdefgh"));
	}
	assert_int_equal(act(w, KEYS_CREATE, NULL, "{\"name\":\"a\"}", 0),
	    ERR_OK);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strstr(rows[i], "\"name\":\"a\",") != NULL)
			assert_int_equal(act(w, KEYS_SET, "a", rows[i], 0),
			    ERR_BAD_REQUEST);
	assert_int_equal(act(w, KEYS_SET, "a", "{\"name\":\"b\"}", 0),
	    ERR_BAD_REQUEST);
	assert_int_equal(act(w, KEYS_SET, "a", "{\"name\":null}", 0),
	    ERR_BAD_REQUEST);
	world_free(w);
}

/* Write a record, or a row, as somebody else might. */
static void
on_forged(void *arg, enum err e, const char *why)
{
	struct world *w = arg;

	(void)why;
	w->calls++;
	w->err = e;
}

static void
forge(struct world *w, const char *name, const char *record, const char *row,
    const char *secret)
{
	unsigned char hash[KEY_HASH];
	char hex[HASH_HEX_SIZE];
	struct keystore_change c = { .name = name, .was = "",
		.record = record, .row = row };

	assert_true(policy_hash(w->policy, secret, strlen(secret), hash));
	hash_hex(hex, hash, sizeof hash);
	c.set[0].hash = hex;
	c.sets = 1;
	w->calls = 0;
	keystore_change(w->store, &c, on_forged, w);
	run(w, 5000, &w->calls);
	assert_int_equal(w->err, ERR_OK);
}

static void
test_damaged(void **state)
{
	static const char *const records[] = { "x", "[]", "{\"row\":1}",
		"{\"row\":{}}", "{\"row\":{\"name\":\"a\"},\"hash\":\"00\"}",
		"{\"row\":{\"name\":\"a\"},\"hash\":7}" };
	struct world *w = world_new();
	char secret[HASH_VKEY_SIZE], name[8];
	struct key_record k;
	size_t i;

	(void)state;
	assert_int_equal(hash_vkey_make(secret), ERR_OK);
	for (i = 0; i < sizeof records / sizeof records[0]; i++) {
		assert_false(key_record_read(&k, w->arena, records[i],
		    strlen(records[i])));
		snprintf(name, sizeof name, "k%zu", i);
		forge(w, name, records[i], "{}", secret);
		assert_int_equal(act(w, KEYS_ROTATE, name, NULL, 0),
		    ERR_INTERNAL);
		assert_int_equal(act(w, KEYS_REVOKE, name, NULL, 0),
		    ERR_INTERNAL);
	}
	world_free(w);
}

/* ---- rows as keys ---- */

static const struct vkey *
issue(struct world *w, const char *row)
{
	struct buf faults;
	const struct vkey *k;

	buf_init(&faults, KIB(64));
	k = issue_key(w->policy, row, strlen(row), false, w->arena, &faults);
	if (k == NULL)
		print_error("%.*s", (int)faults.len, faults.data);
	buf_free(&faults);
	assert_non_null(k);
	return k;
}

static void
test_settings(void **state)
{
	struct world *w = world_new();
	const struct vkey *k;

	(void)state;
	/* All from the tier, as a key of the policy has it. */
	k = issue(w, "{\"name\":\"a\",\"tier\":\"free\"}");
	assert_string_equal(k->tier, "free");
	assert_int_equal(k->model_count, 1);
	assert_string_equal(k->models[0], "m");
	assert_int_equal(k->may, MAY_USER);
	assert_string_equal(k->region, "eu");
	assert_int_equal(k->limits.rpm, 20);
	assert_int_equal(k->limits.budget_count, 1);
	assert_int_equal(k->limits.budgets[0].limit, INT64_C(5000000000));
	assert_int_equal(k->end_user.parallel, 3);
	assert_int_equal(k->max_output, 7);
	assert_string_equal(k->team, "");
	/* Each that it has itself. */
	k = issue(w, "{\"name\":\"a\",\"tier\":\"free\",\"models\":[\"*\"],"
	    "\"may\":\"explain\",\"rpm\":\"1k\",\"region\":\"us\","
	    "\"max_output\":9,\"team\":\"t\",\"user\":\"u\","
	    "\"tags\":[\"x\",\"x\"],\"expires\":\"2027-01-01\",\"retention\":\"none\","
	    "\"end_users\":{\"rpm\":4},\"budget\":[\"1 USD / hour\","
	    "{\"limit\":\"2 USD / day\",\"zone\":\"Europe/Berlin\"}]}");
	assert_string_equal(k->models[0], "*");
	assert_int_equal(k->may, MAY_EXPLAIN);
	assert_int_equal(k->tag_count, 1);
	assert_int_equal(k->limits.rpm, 1000);
	assert_string_equal(k->region, "us");
	assert_true(k->no_retention);
	assert_int_equal(k->max_output, 9);
	assert_int_equal(k->end_user.rpm, 4);
	assert_int_equal(k->end_user.parallel, 3);
	assert_int_equal(k->expires, INT64_C(1798761600));
	assert_int_equal(k->limits.budget_count, 2);
	assert_string_equal(k->limits.budgets[1].zone, "Europe/Berlin");
	assert_non_null(k->limits.budgets[1].tz);
	/* No tier: as a key of the policy that says nothing. */
	k = issue(w, "{\"name\":\"a\"}");
	assert_int_equal(k->model_count, 0);
	assert_int_equal(k->max_output, 16000);
	assert_int_equal(k->limits.rpm, 0);
	world_free(w);
}

/* Whoever gave the settings has no file to look at. */
static void
test_setting_faults(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"name\":\"a\",\"rpm\":0,\"tier\":\"gold\"}",
		    "rpm: must be from 1 to 1000000000\n"
		    "tier: unknown tier 'gold'\n" },
		{ "{\"name\":\"a\",\"tags\":[\"x\",[]]}",
		    "tags[1]: must be a single value, not a list\n" },
		{ "[]", "must be a map\n" },
	};
	struct world *w = world_new();
	struct buf faults;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_init(&faults, KIB(64));
		assert_null(issue_key(w->policy, rows[i][0],
		    strlen(rows[i][0]), true, w->arena, &faults));
		buf_putc(&faults, '\0');
		assert_string_equal(faults.data, rows[i][1]);
		buf_free(&faults);
	}
	world_free(w);
}

/* ---- what a worker sees ---- */

struct seen {
	struct world *w;
	struct keycache *c;
	struct key_wait wait;
	int told, notes;
};

static void
on_note(void *arg, const char *said)
{
	((struct seen *)arg)->notes++;
	assert_true(*said != '\0');
}

static void
on_told(void *arg)
{
	((struct seen *)arg)->told++;
}

/* ERR_OK, or why not; *waited when the store was asked. */
static enum err
see(struct seen *s, const char *secret, bool *waited)
{
	unsigned char hash[KEY_HASH];

	assert_true(policy_hash(s->w->policy, secret, strlen(secret), hash));
	s->told = 0;
	s->wait = (struct key_wait){ .fn = on_told, .arg = s };
	*waited = !keycache_find(s->c, s->w->policy, hash, &s->wait);
	if (*waited)
		run(s->w, 5000, &s->told);
	assert_int_equal(s->told, *waited);
	return s->wait.err;
}

static void
test_worker(void **state)
{
	struct world *w = world_new();
	struct seen s = { .w = w };
	char key[HASH_VKEY_SIZE], other[HASH_VKEY_SIZE];
	struct issued *kept;
	bool waited;
	int i;

	(void)state;
	/* The policy's store is where the worker looks. */
	w->policy->store = over_redis ? w->server.address : "embedded";
	s.c = keycache_new(&w->loop, w->server.dir, on_note, &s);
	assert_int_equal(hash_vkey_make(other), ERR_OK);
	assert_int_equal(see(&s, other, &waited), ERR_BAD_KEY);
	assert_true(waited);
	assert_int_equal(see(&s, other, &waited), ERR_BAD_KEY);
	assert_false(waited);
	assert_int_equal(act(w, KEYS_CREATE, NULL,
	    "{\"name\":\"a\",\"tier\":\"free\"}", 0), ERR_OK);
	memcpy(key, w->a.secret, sizeof key);
	assert_int_equal(see(&s, key, &waited), ERR_OK);
	assert_true(waited);
	kept = s.wait.issued;
	assert_string_equal(kept->key->name, "a");
	for (i = 0; i < 5; i++) {
		assert_int_equal(see(&s, key, &waited), ERR_OK);
		assert_false(waited);
		assert_ptr_equal(s.wait.issued, kept);
		issued_unref(s.wait.issued);
	}
	/* Asked again after a second; what is as it was stays. */
	run(w, 1050, NULL);
	assert_int_equal(see(&s, key, &waited), ERR_OK);
	assert_true(waited);
	assert_ptr_equal(s.wait.issued, kept);
	issued_unref(s.wait.issued);
	/* Changed: who has it keeps the old one. */
	assert_int_equal(act(w, KEYS_SET, "a", "{\"rpm\":3}", 0), ERR_OK);
	run(w, 1050, NULL);
	assert_int_equal(see(&s, key, &waited), ERR_OK);
	assert_int_equal(s.wait.issued->key->limits.rpm, 3);
	assert_int_equal(kept->key->limits.rpm, 20);
	issued_unref(s.wait.issued);
	/* Revoked: within the second, and the same as one that never was. */
	assert_int_equal(act(w, KEYS_REVOKE, "a", NULL, 0), ERR_OK);
	run(w, 1050, NULL);
	assert_int_equal(see(&s, key, &waited), ERR_BAD_KEY);
	assert_string_equal(kept->key->name, "a");
	issued_unref(kept);
	assert_int_equal(s.notes, 0);
	/* A row that is none. */
	forge(w, "forged", "x", "{\"name\":\"web\"}", other);
	run(w, 1050, NULL);
	assert_int_equal(see(&s, other, &waited), ERR_BAD_KEY);
	assert_int_equal(s.notes, 1);
	keycache_free(s.c);
	world_free(w);
}

/* A flood of made-up keys pushes out no key that is one, for long. */
static void
test_flood(void **state)
{
	struct world *w = world_new();
	struct seen s = { .w = w };
	char key[HASH_VKEY_SIZE], other[HASH_VKEY_SIZE];
	bool waited;
	int i;

	(void)state;
	w->policy->store = over_redis ? w->server.address : "embedded";
	s.c = keycache_new(&w->loop, w->server.dir, on_note, &s);
	assert_int_equal(act(w, KEYS_CREATE, NULL, "{\"name\":\"a\"}", 0),
	    ERR_OK);
	memcpy(key, w->a.secret, sizeof key);
	for (i = 0; i < 2 * KEYCACHE_SLOTS; i++) {
		assert_int_equal(hash_vkey_make(other), ERR_OK);
		assert_int_equal(see(&s, other, &waited), ERR_BAD_KEY);
		if (i % 64 != 0)
			continue;
		assert_int_equal(see(&s, key, &waited), ERR_OK);
		issued_unref(s.wait.issued);
	}
	keycache_free(s.c);
	world_free(w);
}

/* Without its store a worker knows that it does not know. */
static void
test_away(void **state)
{
	struct world *w = world_new();
	struct seen s = { .w = w };
	char key[HASH_VKEY_SIZE];
	bool waited;

	(void)state;
	if (over_redis) {
		w->policy->store = w->server.address;
		s.c = keycache_new(&w->loop, w->server.dir, on_note, &s);
		assert_int_equal(act(w, KEYS_CREATE, NULL,
		    "{\"name\":\"a\"}", 0), ERR_OK);
		memcpy(key, w->a.secret, sizeof key);
		redis_kill(&w->server);
		assert_int_equal(see(&s, key, &waited), ERR_KEYS);
		assert_int_equal(s.notes, 1);
		assert_int_equal(act(w, KEYS_REVOKE, "a", NULL, 0),
		    ERR_KEYS);
		keycache_free(s.c);
	}
	world_free(w);
}

static int
in_file(void **state)
{
	(void)state;
	over_redis = false;
	return 0;
}

static int
in_redis(void **state)
{
	(void)state;
	over_redis = true;
	return 0;
}

#define BOTH(f)                                                               \
	{ #f " (file)", f, in_file, NULL, NULL },                             \
	{ #f " (redis)", f, in_redis, NULL, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_life),
		BOTH(test_two_at_once),
		BOTH(test_list),
		BOTH(test_beside_the_ledger),
		BOTH(test_wrong_rows),
		BOTH(test_damaged),
		BOTH(test_settings),
		BOTH(test_setting_faults),
		BOTH(test_worker),
		BOTH(test_flood),
		BOTH(test_away),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
