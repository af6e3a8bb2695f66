/*
 * Keys in a Redis, over a connection of their own: in a cluster they live on
 * another node than the ledger, and a look-up must not wait behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/decimal.h"
#include "app/keystore_int.h"
#include "app/keystore_lua.h"
#include "app/store.h"

#define PREFIX "tollgate:{keys}:"
#define NAMES PREFIX "names"
#define SECRET_SIZE (sizeof PREFIX + 2 + KEYSTORE_HASH)

struct redis {
	struct store *store;
	struct store_script change;
};

/* A question under way. */
struct question {
	struct redis *redis; /* of a list */
	keystore_text_fn *text;
	keystore_done_fn *done;
	void *arg;
};

static struct store_item
word(const char *s)
{
	return (struct store_item){ s, strlen(s) };
}

static struct question *
question_new(void *arg)
{
	struct question *q = calloc(1, sizeof *q);

	if (q != NULL)
		q->arg = arg;
	return q;
}

static void
secret_key(char out[SECRET_SIZE], const char *hash)
{
	snprintf(out, SECRET_SIZE, PREFIX "s:%.*s", KEYSTORE_HASH, hash);
}

static void
on_text(void *arg, const struct store_reply *r)
{
	struct question *q = arg;

	if (r->err != STORE_OK)
		q->text(q->arg, ERR_KEYS, NULL, 0, store_err_name(r->err));
	else if (r->count != 1)
		q->text(q->arg, ERR_KEYS, NULL, 0,
		    "an answer that makes no sense");
	else
		q->text(q->arg, ERR_OK, r->item[0].p, r->item[0].len, "");
	free(q);
}

static void
ask(struct redis *b, const struct store_item *argv, size_t n,
    keystore_text_fn *fn, void *arg)
{
	struct question *q = question_new(arg);

	if (q == NULL) {
		fn(arg, ERR_KEYS, NULL, 0, "no memory");
		return;
	}
	q->text = fn;
	store_command(b->store, argv, n, on_text, q);
}

static void
find(void *b, const char *hash, keystore_text_fn *fn, void *arg)
{
	char key[SECRET_SIZE];
	struct store_item argv[2] = { word("GET") };

	secret_key(key, hash);
	argv[1] = word(key);
	ask(b, argv, 2, fn, arg);
}

static void
get(void *b, const char *name, keystore_text_fn *fn, void *arg)
{
	const struct store_item argv[3] = { word("HGET"), word(NAMES),
		word(name) };

	ask(b, argv, 3, fn, arg);
}

static void ask_page(struct question *q, const char *cursor);

/* A cursor, then names and records by turns. */
static void
on_page(void *arg, const struct store_reply *r)
{
	struct question *q = arg;
	char cursor[DECIMAL_SIZE];
	size_t i;

	if (r->err != STORE_OK || r->count == 0 || r->item[0].p == NULL ||
	    r->item[0].len >= sizeof cursor) {
		q->text(q->arg, ERR_KEYS, NULL, 0, r->err != STORE_OK ?
		    store_err_name(r->err) : "an answer that makes no sense");
		free(q);
		return;
	}
	for (i = 2; i < r->count; i += 2)
		if (r->item[i].p != NULL)
			q->text(q->arg, ERR_OK, r->item[i].p, r->item[i].len,
			    "");
	memcpy(cursor, r->item[0].p, r->item[0].len);
	cursor[r->item[0].len] = '\0';
	if (strcmp(cursor, "0") != 0) {
		ask_page(q, cursor);
		return;
	}
	q->text(q->arg, ERR_OK, NULL, 0, "");
	free(q);
}

static void
ask_page(struct question *q, const char *cursor)
{
	const struct store_item argv[5] = { word("HSCAN"), word(NAMES),
		word(cursor), word("COUNT"), word("1000") };

	store_command(q->redis->store, argv, 5, on_page, q);
}

static void
list(void *b, keystore_text_fn *fn, void *arg)
{
	struct question *q = question_new(arg);

	if (q == NULL) {
		fn(arg, ERR_KEYS, NULL, 0, "no memory");
		return;
	}
	q->redis = b;
	q->text = fn;
	ask_page(q, "0");
}

static void
on_changed(void *arg, const struct store_reply *r)
{
	struct question *q = arg;
	const struct store_item *i = r->err == STORE_OK && r->count == 1 ?
	    r->item : NULL;

	if (r->err != STORE_OK)
		q->done(q->arg, ERR_KEYS, store_err_name(r->err));
	else if (i != NULL && i->len == 2 && memcmp(i->p, "OK", 2) == 0)
		q->done(q->arg, ERR_OK, "");
	else if (i != NULL && i->len == 7 && memcmp(i->p, "CHANGED", 7) == 0)
		q->done(q->arg, ERR_CONFLICT, "");
	else
		q->done(q->arg, ERR_KEYS, "an answer that makes no sense");
	free(q);
}

static void
change(void *arg, const struct keystore_change *c, keystore_done_fn *fn,
    void *fn_arg)
{
	struct redis *b = arg;
	struct question *q = question_new(fn_arg);
	struct store_item argv[16];
	char key[4][SECRET_SIZE], until[2][DECIMAL_SIZE], sets[2] = "0";
	size_t n = 0, keys, i;

	if (q == NULL) {
		fn(fn_arg, ERR_KEYS, "no memory");
		return;
	}
	q->done = fn;
	argv[n++] = word(NAMES);
	for (i = 0; i < c->sets + c->drops; i++) {
		secret_key(key[i], i < c->sets ? c->set[i].hash :
		    c->drop[i - c->sets]);
		argv[n++] = word(key[i]);
	}
	keys = n;
	argv[n++] = word(c->name);
	argv[n++] = word(c->was);
	argv[n++] = word(c->record);
	argv[n++] = word(c->row);
	sets[0] = (char)('0' + c->sets);
	argv[n++] = word(sets);
	for (i = 0; i < c->sets; i++) {
		decimal(until[i], c->set[i].until, 0);
		argv[n++] = word(until[i]);
	}
	store_run(b->store, &b->change, keys, argv, n, on_changed, q);
}

static void
close_redis(void *arg)
{
	struct redis *b = arg;

	store_close(b->store);
	free(b);
}

static void *
open_redis(const struct keystore_setup *setup, struct fault *f)
{
	struct redis *b = calloc(1, sizeof *b);

	if (b == NULL) {
		fault_set(f, ERR_KEYS, "store", "no memory");
		return NULL;
	}
	store_script_init(&b->change, lua_keys, strlen(lua_keys));
	b->store = store_open(setup->loop, setup->store, f);
	if (b->store == NULL) {
		free(b);
		return NULL;
	}
	if (setup->patience > 0)
		store_limits(b->store, setup->patience, setup->patience);
	return b;
}

const struct keystore_kind keystore_redis = { open_redis, close_redis, find,
	get, list, change };
