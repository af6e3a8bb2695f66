/* Policy, loop and ledger of a command. */
#include "app/ledger_cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/buf.h"
#include "app/base/limits.h"
#include "app/worker.h"
#include "policy/policy.h"
#include "policy/state.h"

#define PATIENCE_MS 2000

static bool
load(struct ledger_cli *c)
{
	struct policy_env env = {
		.adapters = adapter_names,
		.state_dir = state_dir(),
		.check_only = true,
	};
	struct buf out;

	c->catalog = state_catalog(NULL);
	if (c->catalog == NULL)
		return false;
	env.catalog = c->catalog;
	buf_init(&out, MIB(8));
	c->policy = policy_load(policy_path(), &env, &out);
	if (c->policy == NULL && out.len > 0)
		fwrite(out.data, 1, out.len, stderr);
	buf_free(&out);
	return c->policy != NULL;
}

static void
unload(struct ledger_cli *c)
{
	policy_unref(c->policy);
	catalog_close(c->catalog);
}

bool
ledger_cli_open(struct ledger_cli *c)
{
	struct ledger_setup setup = { .loop = &c->loop, .dir = state_dir(),
		.patience = PATIENCE_MS };
	struct fault f;

	memset(c, 0, sizeof *c);
	signal(SIGPIPE, SIG_IGN);
	if (!load(c) || uv_loop_init(&c->loop) != 0) {
		unload(c);
		return false;
	}
	setup.store = c->policy->store;
	c->ledger = ledger_open(&setup, &f);
	if (c->ledger != NULL)
		return true;
	fprintf(stderr, "tollgate: %s: %s\n", f.param, f.text);
	ledger_cli_close(c);
	return false;
}

static void
on_late(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

bool
ledger_cli_wait(struct ledger_cli *c, const bool *done, int ms)
{
	uv_timer_t t;
	bool late = false;

	uv_timer_init(&c->loop, &t);
	t.data = &late;
	uv_timer_start(&t, on_late, (uint64_t)ms, 0);
	while (!*done && !late)
		uv_run(&c->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&c->loop, UV_RUN_NOWAIT);
	return *done;
}

void
ledger_cli_close(struct ledger_cli *c)
{
	ledger_close(c->ledger);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	uv_loop_close(&c->loop);
	unload(c);
}
