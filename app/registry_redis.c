/* The registry in a Redis, over a connection of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/decimal.h"
#include "app/registry_int.h"
#include "app/registry_lua.h"
#include "app/store.h"

#define PREFIX "tollgate:{kept}:"

struct redis {
	struct store *store;
	struct store_script script;
};

/* A question under way. */
struct question {
	registry_fn *fn;
	void *arg;
	bool list;
};

static struct store_item
word(const char *s)
{
	return (struct store_item){ s, strlen(s) };
}

/* What scripts answer in words; all else is a text that was found. */
static const struct {
	const char *word;
	enum err err;
} words[] = {
	{ "OK", ERR_OK },
	{ "CONFLICT", ERR_CONFLICT },
	{ "FULL", ERR_TOO_LARGE },
};

static bool
in_words(const struct store_item *i, enum err *e)
{
	size_t k;

	for (k = 0; k < sizeof words / sizeof words[0]; k++)
		if (i->p != NULL && i->len == strlen(words[k].word) &&
		    memcmp(i->p, words[k].word, i->len) == 0) {
			*e = words[k].err;
			return true;
		}
	return false;
}

static void
on_list(struct question *q, const struct store_reply *r)
{
	size_t i;

	for (i = 0; i < r->count; i++)
		if (r->item[i].p != NULL)
			q->fn(q->arg, ERR_OK, r->item[i].p, r->item[i].len,
			    "");
	q->fn(q->arg, ERR_OK, NULL, 0, "");
}

static void
on_reply(void *arg, const struct store_reply *r)
{
	struct question *q = arg;
	enum err e = ERR_OK;

	if (r->err != STORE_OK)
		q->fn(q->arg, ERR_KEPT, NULL, 0, store_err_name(r->err));
	else if (q->list)
		on_list(q, r);
	else if (r->count == 0 || in_words(&r->item[0], &e))
		q->fn(q->arg, e, NULL, 0, "");
	else
		q->fn(q->arg, ERR_OK, r->item[0].p, r->item[0].len, "");
	free(q);
}

static struct question *
question_new(registry_fn *fn, void *arg, bool list)
{
	struct question *q = calloc(1, sizeof *q);

	if (q == NULL) {
		fn(arg, ERR_KEPT, NULL, 0, "no memory");
		return NULL;
	}
	*q = (struct question){ fn, arg, list };
	return q;
}

static void
run(struct redis *b, const struct store_item *argv, size_t n, bool list,
    registry_fn *fn, void *arg)
{
	struct question *q = question_new(fn, arg, list);

	if (q != NULL)
		store_run(b->store, &b->script, 1, argv, n, on_reply, q);
}

static void
put(void *arg, const struct registry_row *row, const char *was,
    registry_fn *fn, void *fn_arg)
{
	char made[DECIMAL_SIZE], due[DECIMAL_SIZE], forget[DECIMAL_SIZE];
	size_t len = was == NULL ? 0 : strlen(was);
	char *mark = malloc(len + 2);
	struct store_item argv[9] = { word(PREFIX "due"), word("put"),
		word(row->id), word(row->owner) };

	if (mark == NULL) {
		fn(fn_arg, ERR_KEPT, NULL, 0, "no memory");
		return;
	}
	*mark = was == NULL ? '-' : '+';
	memcpy(mark + 1, was == NULL ? "" : was, len + 1);
	decimal(made, row->made, 0);
	decimal(due, row->due, 0);
	decimal(forget, row->forget, 0);
	argv[4] = word(made);
	argv[5] = word(due);
	argv[6] = word(forget);
	argv[7] = word(row->text);
	argv[8] = (struct store_item){ mark, len + 1 };
	run(arg, argv, 9, false, fn, fn_arg);
	free(mark);
}

static void
get(void *arg, const char *id, registry_fn *fn, void *fn_arg)
{
	struct redis *b = arg;
	struct question *q = question_new(fn, fn_arg, false);
	char key[512];
	struct store_item argv[2] = { word("GET") };

	if (q == NULL)
		return;
	snprintf(key, sizeof key, PREFIX "r:%s", id);
	argv[1] = word(key);
	store_command(b->store, argv, 2, on_reply, q);
}

static void
drop(void *arg, const char *id, const char *owner, registry_fn *fn,
    void *fn_arg)
{
	const struct store_item argv[4] = { word(PREFIX "due"), word("drop"),
		word(id), word(owner) };

	run(arg, argv, 4, false, fn, fn_arg);
}

static void
list(void *arg, const char *owner, const char *after, unsigned n,
    registry_fn *fn, void *fn_arg)
{
	char count[DECIMAL_SIZE];
	struct store_item argv[5] = { word(PREFIX "due"), word("list"),
		word(owner), word(after) };

	decimal(count, n, 0);
	argv[4] = word(count);
	run(arg, argv, 5, true, fn, fn_arg);
}

static void
due(void *arg, int64_t now, int64_t until, registry_fn *fn, void *fn_arg)
{
	char at[DECIMAL_SIZE], then[DECIMAL_SIZE];
	struct store_item argv[4] = { word(PREFIX "due"), word("due") };

	decimal(at, now, 0);
	decimal(then, until, 0);
	argv[2] = word(at);
	argv[3] = word(then);
	run(arg, argv, 4, false, fn, fn_arg);
}

static void
keep(void *arg, const char *id, unsigned n, const char *p, size_t len,
    int64_t forget, registry_fn *fn, void *fn_arg)
{
	char at[DECIMAL_SIZE], then[DECIMAL_SIZE], most[DECIMAL_SIZE];
	struct store_item argv[7] = { word(PREFIX "due"), word("keep"),
		word(id) };

	decimal(at, n, 0);
	decimal(then, forget, 0);
	decimal(most, REGISTRY_BODIES, 0);
	argv[3] = word(at);
	argv[4] = word(then);
	argv[5] = (struct store_item){ p, len };
	argv[6] = word(most);
	run(arg, argv, 7, false, fn, fn_arg);
}

static void
piece(void *arg, const char *id, unsigned n, registry_fn *fn, void *fn_arg)
{
	struct redis *b = arg;
	struct question *q = question_new(fn, fn_arg, false);
	char key[512], at[DECIMAL_SIZE];
	struct store_item argv[3] = { word("HGET") };

	if (q == NULL)
		return;
	snprintf(key, sizeof key, PREFIX "b:%s", id);
	decimal(at, n, 0);
	argv[1] = word(key);
	argv[2] = word(at);
	store_command(b->store, argv, 3, on_reply, q);
}

static void
lose(void *arg, const char *id, registry_fn *fn, void *fn_arg)
{
	const struct store_item argv[3] = { word(PREFIX "due"), word("lose"),
		word(id) };

	run(arg, argv, 3, false, fn, fn_arg);
}

static void
close_redis(void *arg)
{
	struct redis *b = arg;

	store_close(b->store);
	free(b);
}

static void *
open_redis(const struct registry_setup *setup, struct fault *f)
{
	struct redis *b = calloc(1, sizeof *b);

	if (b == NULL) {
		fault_set(f, ERR_KEPT, "store", "no memory");
		return NULL;
	}
	store_script_init(&b->script, lua_kept, strlen(lua_kept));
	b->store = store_open(setup->loop, setup->store, f);
	if (b->store == NULL) {
		free(b);
		return NULL;
	}
	if (setup->patience > 0)
		store_limits(b->store, setup->patience, setup->patience);
	return b;
}

const struct registry_kind registry_redis = { open_redis, close_redis, put,
	get, drop, list, due, keep, piece, lose };
