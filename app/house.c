/* Policy and loop of a command. */
#include "app/house.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/keys.h"
#include "app/keystore.h"
#include "app/worker.h"
#include "policy/issue.h"
#include "policy/policy.h"
#include "policy/state.h"

#define TURN_MS 10

static bool
load(struct house *h, bool pepper)
{
	struct policy_env env = {
		.adapters = adapter_names,
		.state_dir = state_dir(),
		.check_only = true,
		.need_pepper = pepper,
		.catalog = h->catalog,
	};
	struct buf out;

	buf_init(&out, MIB(8));
	h->policy = policy_load(policy_path(), &env, &out);
	if (h->policy == NULL && out.len > 0)
		fwrite(out.data, 1, out.len, stderr);
	buf_free(&out);
	return h->policy != NULL;
}

bool
house_open(struct house *h, bool pepper)
{
	memset(h, 0, sizeof *h);
	signal(SIGPIPE, SIG_IGN);
	h->catalog = state_catalog(NULL);
	h->arena = arena_new(LIMIT_ARENA);
	h->looping = uv_loop_init(&h->loop) == 0;
	if (h->catalog == NULL || h->arena == NULL || !h->looping) {
		fprintf(stderr, "tollgate: out of memory\n");
		return false;
	}
	return load(h, pepper);
}

void
house_close(struct house *h)
{
	if (h->looping) {
		uv_run(&h->loop, UV_RUN_DEFAULT);
		uv_loop_close(&h->loop);
	}
	policy_unref(h->policy);
	arena_free(h->arena);
	catalog_close(h->catalog);
}

static void
on_turn(uv_timer_t *t)
{
	(void)t;
}

/* A turn of the loop goes on waiting after an answer that a timer brought, as
 * the embedded store's does when it was busy: so there is another timer. */
bool
house_wait(struct house *h, const bool *done, int ms)
{
	int64_t end = clock_mono() + ms * INT64_C(1000);
	uv_timer_t t;

	uv_timer_init(&h->loop, &t);
	uv_timer_start(&t, on_turn, TURN_MS, TURN_MS);
	while (!*done && clock_mono() < end)
		uv_run(&h->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&h->loop, UV_RUN_NOWAIT);
	return *done;
}

/* ---- a key of the store ---- */

struct wanted {
	struct house *house;
	const char *name;
	const struct vkey *key;
	bool done;
};

/* Its record, as a key under the policy of today. */
static const struct vkey *
read_key(struct wanted *w, const char *text, size_t len)
{
	struct arena *a = w->house->arena;
	const struct vkey *key = NULL;
	struct key_record k;
	struct buf faults;

	if (!key_record_read(&k, a, text, len) || k.revoked != 0) {
		fprintf(stderr, "tollgate: the key '%s' is revoked\n", w->name);
		return NULL;
	}
	buf_init(&faults, KIB(64));
	key = issue_key(w->house->policy, k.row, k.row_len, false, a,
	    &faults);
	if (key == NULL && faults.len > 0)
		fwrite(faults.data, 1, faults.len, stderr);
	buf_free(&faults);
	return key;
}

static void
on_record(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct wanted *w = arg;

	w->done = true;
	if (e != ERR_OK)
		fprintf(stderr, "tollgate: the store does not answer: %s\n",
		    why);
	else if (text == NULL)
		fprintf(stderr, "tollgate: no key '%s' in the policy or its "
		    "store\n", w->name);
	else
		w->key = read_key(w, text, len);
}

const struct vkey *
house_key(struct house *h, const char *name)
{
	struct keystore_setup setup = { .loop = &h->loop,
		.store = h->policy->store, .dir = state_dir(),
		.patience = HOUSE_PATIENCE };
	struct wanted w = { .house = h, .name = name };
	struct keystore *store;
	struct fault f;
	size_t i;

	for (i = 0; i < h->policy->key_count; i++)
		if (strcmp(h->policy->keys[i].name, name) == 0)
			return &h->policy->keys[i];
	store = keystore_open(&setup, &f);
	if (store == NULL) {
		fprintf(stderr, "tollgate: %s\n", f.text);
		return NULL;
	}
	keystore_get(store, name, on_record, &w);
	house_wait(h, &w.done, 2 * HOUSE_PATIENCE);
	keystore_close(store); /* who waits still, hears so */
	return w.key;
}
