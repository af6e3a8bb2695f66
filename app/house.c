/* Policy and loop of a command. */
#include "app/house.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/worker.h"
#include "policy/policy.h"
#include "policy/state.h"

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
on_late(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

bool
house_wait(struct house *h, const bool *done, int ms)
{
	uv_timer_t t;
	bool late = false;

	uv_timer_init(&h->loop, &t);
	t.data = &late;
	uv_timer_start(&t, on_late, (uint64_t)ms, 0);
	while (!*done && !late)
		uv_run(&h->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&h->loop, UV_RUN_NOWAIT);
	return *done;
}
