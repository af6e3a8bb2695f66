/*
 * One step after the other, each only when the one before it was answered: a
 * share that counts must be whole.
 */
#include "app/ledger_rebuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/decimal.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "app/ledger_lua.h"

#define CHUNK 100 /* numbers told in one go */
#define FIRST 3	  /* words before them */
#define MEMORY MIB(64)
#define AGAIN_MS 10 /* until it is seen again whether all is written */
/* Hosts that were seen in this time are waited for. */
#define SEEN (INT64_C(86400) * 1000000)

#define EPOCH_KEY "{tollgate}:epoch"

struct rebuild {
	struct store *store;
	struct journal *j;
	struct store_script script;
	uv_timer_t timer;
	rebuild_fn *fn;
	void *arg;
	bool running;
	struct arena *arena; /* of what is told */
	const char **word;   /* key, field, value, expiry */
	size_t words, size, told;
	bool failed;
	char epoch[JOURNAL_ID]; /* a new one */
	char why[64];
};

static void next(struct rebuild *r);

static void
end(struct rebuild *r, const char *epoch, const char *why)
{
	r->running = false;
	arena_free(r->arena);
	r->arena = NULL;
	r->word = NULL;
	r->fn(r->arg, epoch, why);
}

/* ---- what there is to tell ---- */

static void
put(struct rebuild *r, const char *s)
{
	const char **grown;
	size_t size;

	if (r->words == r->size && !r->failed) {
		size = r->size == 0 ? 1024 : r->size * 2;
		grown = arena_resize(r->arena, r->word,
		    r->size * sizeof *grown, size * sizeof *grown);
		r->failed = grown == NULL;
		if (grown != NULL) {
			r->word = grown;
			r->size = size;
		}
	}
	r->failed |= s == NULL;
	if (!r->failed)
		r->word[r->words++] = s;
}

static void
put_number(struct rebuild *r, int64_t n)
{
	char text[DECIMAL_SIZE];
	size_t len = decimal(text, n, 0);

	put(r, arena_dup(r->arena, text, len));
}

static void
gather(void *arg, const char *key, const char *field, int64_t n,
    int64_t expire)
{
	struct rebuild *r = arg;

	put(r, arena_str(r->arena, key));
	put(r, arena_str(r->arena, field));
	put_number(r, n);
	put_number(r, expire / 1000);
}

/* ---- asking ---- */

static struct store_item
item(const char *s)
{
	return (struct store_item){ s, strlen(s) };
}

static bool
is(const struct store_item *i, const char *s)
{
	return i->p != NULL && i->len == strlen(s) &&
	    memcmp(i->p, s, i->len) == 0;
}

static void
on_told(void *arg, const struct store_reply *reply)
{
	struct rebuild *r = arg;

	if (reply->err != STORE_OK || reply->count < 1 ||
	    !is(&reply->item[0], "OK"))
		end(r, NULL, store_err_name(reply->err));
	else
		next(r);
}

static void
on_finished(void *arg, const struct store_reply *reply)
{
	struct rebuild *r = arg;
	char epoch[JOURNAL_ID];

	if (reply->err != STORE_OK || reply->count < 2 ||
	    reply->item[1].p == NULL || reply->item[1].len >= JOURNAL_ID) {
		end(r, NULL, store_err_name(reply->err));
		return;
	}
	snprintf(epoch, sizeof epoch, "%.*s", (int)reply->item[1].len,
	    reply->item[1].p);
	if (is(&reply->item[0], "OK")) {
		end(r, epoch, "");
		return;
	}
	snprintf(r->why, sizeof r->why, "host %s has not told what it used",
	    epoch);
	end(r, NULL, r->why);
}

static void
tell(struct rebuild *r)
{
	struct store_item argv[1 + FIRST + 4 * CHUNK];
	size_t n = 0;

	argv[n++] = item(EPOCH_KEY);
	argv[n++] = item("tell");
	argv[n++] = item(journal_host(r->j));
	while (r->told < r->words && n + 4 <= 1 + FIRST + 4 * CHUNK - 1) {
		argv[n++] = item(r->word[r->told++]);
		argv[n++] = item(r->word[r->told++]);
		argv[n++] = item(r->word[r->told++]);
		argv[n++] = item(r->word[r->told++]);
	}
	store_run(r->store, &r->script, 1, argv, n, on_told, r);
}

static void
finish(struct rebuild *r)
{
	char hosts[JOURNAL_HOSTS][JOURNAL_ID];
	struct store_item argv[4 + JOURNAL_HOSTS];
	size_t n = 0, count, i;

	count = journal_hosts(r->j, clock_wall() - SEEN, hosts);
	argv[n++] = item(EPOCH_KEY);
	argv[n++] = item("finish");
	argv[n++] = item(journal_host(r->j));
	argv[n++] = item(r->epoch);
	for (i = 0; i < count; i++)
		argv[n++] = item(hosts[i]);
	store_run(r->store, &r->script, 1, argv, n, on_finished, r);
}

static void
next(struct rebuild *r)
{
	if (r->told < r->words)
		tell(r);
	else
		finish(r);
}

static void
begin(struct rebuild *r)
{
	unsigned char bytes[(JOURNAL_ID - 1) / 2];

	r->arena = arena_new(MEMORY);
	r->words = r->size = r->told = 0;
	r->failed = r->arena == NULL;
	if (RAND_bytes(bytes, sizeof bytes) != 1)
		r->failed = true;
	hash_hex(r->epoch, bytes, sizeof bytes);
	if (!r->failed && !journal_each(r->j, gather, r))
		r->failed = true;
	if (r->failed)
		end(r, NULL, "the journal cannot be read");
	else
		next(r);
}

/* All that the workers of this host have settled must be in the journal. */
static void
on_timer(uv_timer_t *t)
{
	struct rebuild *r = t->data;

	if (!journal_rest(r->j)) {
		uv_timer_start(t, on_timer, AGAIN_MS, 0);
		return;
	}
	begin(r);
	journal_go_on(r->j);
}

void
rebuild_start(struct rebuild *r)
{
	if (r->running)
		return;
	r->running = true;
	uv_timer_start(&r->timer, on_timer, 0, 0);
}

bool
rebuild_running(const struct rebuild *r)
{
	return r->running;
}

struct rebuild *
rebuild_new(uv_loop_t *loop, struct store *store, struct journal *j,
    rebuild_fn *fn, void *arg)
{
	struct rebuild *r = calloc(1, sizeof *r);

	if (r == NULL || uv_timer_init(loop, &r->timer) != 0) {
		free(r);
		return NULL;
	}
	r->timer.data = r;
	uv_unref((uv_handle_t *)&r->timer);
	r->store = store;
	r->j = j;
	r->fn = fn;
	r->arg = arg;
	store_script_init(&r->script, lua_rebuild, sizeof lua_rebuild - 1);
	return r;
}

static void
on_closed(uv_handle_t *h)
{
	free(h->data);
}

void
rebuild_free(struct rebuild *r)
{
	if (r == NULL)
		return;
	arena_free(r->arena);
	uv_close((uv_handle_t *)&r->timer, on_closed);
}
