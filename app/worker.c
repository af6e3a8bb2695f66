/* The worker: its loop, its signals, the policy in force. */
#include "app/worker.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "app/admit.h"
#include "app/admin.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/draw.h"
#include "app/base/limits.h"
#include "app/base/siphash.h"
#include "app/batches.h"
#include "app/filed.h"
#include "app/forward.h"
#include "app/front.h"
#include "app/health.h"
#include "app/health_share.h"
#include "app/keycache.h"
#include "app/ledger.h"
#include "app/pipeline.h"
#include "app/record.h"
#include "app/request.h"
#include "app/tally.h"
#include "app/token.h"
#include "app/transport.h"
#include "app/webhook.h"
#include "policy/state.h"

#define TICK_MS 1000 /* how often the policy's files are looked at */
#define LAST_WORDS INT64_C(2000000) /* µs for clients to take the end */
#define LAST_BOOKS INT64_C(250000) /* … and for the store to hear the last */
#define LAST_BOOKS_EVERY 5 /* ms */

const char *
policy_path(void)
{
	const char *path = getenv("TOLLGATE_POLICY");

	return path != NULL && *path != '\0' ? path :
	    "/etc/tollgate/policy.yaml";
}

uint64_t
worker_random(struct worker *w)
{
	return draw_next(&w->random);
}

/* ----------------------------------------------------------- requests */

static void
on_wake(uv_idle_t *h)
{
	struct worker *w = h->data;
	struct request *r;

	while ((r = w->wake_first) != NULL) {
		w->wake_first = r->woken;
		r->woken = NULL;
		r->queued = false;
		pipeline_run(r);
	}
	w->wake_last = NULL;
	if (!uv_is_closing((uv_handle_t *)h))
		uv_idle_stop(h);
}

void
worker_wake(struct worker *w, struct request *r)
{
	if (r->queued)
		return;
	r->queued = true;
	if (w->wake_first == NULL)
		w->wake_first = r;
	else
		w->wake_last->woken = r;
	w->wake_last = r;
	uv_idle_start(&w->wake, on_wake);
}

void
worker_remember(struct worker *w, struct request *r)
{
	r->next = w->requests;
	if (r->next != NULL)
		r->next->prev = r;
	w->requests = r;
}

/* When all connections are closed, as it may take a moment; and the store has
 * heard the last, if it is there. */
static void
close_books(uv_timer_t *t)
{
	struct worker *w = t->data;

	admit_flush(w);
	if (!ledger_rest(w->ledger) && !w->one_shot &&
	    clock_mono() < w->close_by)
		return;
	ledger_close(w->ledger);
	w->ledger = NULL;
	uv_close((uv_handle_t *)t, NULL);
}

/* Everything that keeps the loop alive goes; what is queued still goes out. */
static void
leave(struct worker *w)
{
	size_t i;

	if (uv_is_closing((uv_handle_t *)&w->tick))
		return;
	front_stop(w->front);
	keycache_free(w->keys);
	w->keys = NULL;
	admin_free(w->admin);
	w->admin = NULL;
	health_share_free(w->health_share);
	w->health_share = NULL;
	batches_free(w->batches);
	w->batches = NULL;
	tokens_free(w->tokens);
	w->tokens = NULL;
	webhooks_free(w->webhooks);
	w->webhooks = NULL;
	transport_free(w->transport);
	w->transport = NULL;
	uv_close((uv_handle_t *)&w->tick, NULL);
	uv_close((uv_handle_t *)&w->wake, NULL);
	w->leaving.data = w;
	w->close_by = clock_mono() + LAST_BOOKS;
	uv_timer_init(w->loop, &w->leaving);
	uv_timer_start(&w->leaving, close_books, 0, LAST_BOOKS_EVERY);
	for (i = 0; i < sizeof w->signals / sizeof w->signals[0]; i++)
		uv_close((uv_handle_t *)&w->signals[i], NULL);
}

static void
unqueue(struct worker *w, struct request *r)
{
	struct request **p = &w->wake_first, *last = NULL;

	while (*p != NULL && *p != r) {
		last = *p;
		p = &(*p)->woken;
	}
	if (*p == NULL)
		return;
	*p = r->woken;
	if (w->wake_last == r)
		w->wake_last = last;
}

void
worker_forget(struct worker *w, struct request *r)
{
	if (r->queued)
		unqueue(w, r);
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		w->requests = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	if (w->requests == NULL && (w->one_shot ||
	    (w->stopping && front_active(w->front) == 0)))
		leave(w);
}

static void
on_request(void *arg, struct exchange *x)
{
	pipeline_begin(arg, x);
}

static void
on_drained(void *arg, struct exchange *x)
{
	(void)arg;
	forward_drained(x->user);
	filed_drained(x->user);
}

static void
on_gone(void *arg, struct exchange *x)
{
	(void)arg;
	pipeline_gone(x->user);
}

static void
on_body(void *arg, struct exchange *x)
{
	(void)arg;
	pipeline_body(x->user);
}

/* We were told to stop, and nothing can come any more. */
static void
on_quiet(void *arg)
{
	struct worker *w = arg;

	if (w->requests == NULL)
		leave(w);
}

static const struct front_calls calls = {
	.request = on_request,
	.body = on_body,
	.drained = on_drained,
	.gone = on_gone,
	.idle = on_quiet,
};

/* ------------------------------------------------------------- policy */

/* The first line of the loader's complaints, without the path. */
static void
remember_refusal(struct worker *w, const struct buf *faults)
{
	const char *p = faults->data, *end, *slash;
	size_t len = faults->len;

	if (len == 0) {
		p = "it cannot be read";
		len = strlen(p);
	}
	end = memchr(p, '\n', len);
	if (end != NULL)
		len = (size_t)(end - p);
	slash = memrchr(p, '/', len);
	if (slash != NULL && memchr(p, ':', len) > (const void *)slash) {
		len -= (size_t)(slash + 1 - p);
		p = slash + 1;
	}
	snprintf(w->refused_policy, sizeof w->refused_policy, "%.*s",
	    (int)len, p);
}

/* Holds are in the store where they were taken; so it stays. */
static void
note_store(struct worker *w, const struct policy *p)
{
	if (strcmp(w->policy->store, p->store) != 0)
		recorder_note(w->recorder, "warning", "another store: limits "
		    "and budgets stay in the one before until the workers "
		    "are replaced");
}

/* Read the policy anew; a bad one leaves the one in force where it is. */
static void
reload(struct worker *w)
{
	char before[sizeof w->refused_policy];
	struct policy *p;
	struct buf faults;

	buf_init(&faults, MIB(1));
	p = policy_load(w->policy_path, &w->env, &faults);
	if (p == NULL) {
		memcpy(before, w->refused_policy, sizeof before);
		remember_refusal(w, &faults);
		/* It is tried again each second: told once is enough. */
		if (strcmp(before, w->refused_policy) != 0)
			recorder_note(w->recorder, "error",
			    "policy refused, the previous one stays in "
			    "force: %s", w->refused_policy);
	} else {
		note_store(w, p);
		policy_unref(w->policy);
		w->policy = p;
		w->loaded = clock_wall();
		*w->refused_policy = '\0';
		recorder_reopen(w->recorder, p->log);
		recorder_note(w->recorder, "info", "policy %.12s in force",
		    p->hash);
	}
	buf_free(&faults);
}

/* ------------------------------------------------------------ signals */

static void
stop_all(struct worker *w)
{
	struct request *r, *next;

	for (r = w->requests; r != NULL; r = next) {
		next = r->next;
		pipeline_stop(r);
	}
}

/* Without one all goes on but what has a limit; it is tried again. */
static void
open_ledger(struct worker *w)
{
	struct ledger_setup setup = { .loop = w->loop,
		.store = w->policy->store, .dir = w->env.state_dir };
	struct fault f = { .code = ERR_OK };

	w->ledger = ledger_open(&setup, &f);
	if (w->ledger == NULL && !w->no_ledger)
		recorder_note(w->recorder, "error", "no ledger of limits and "
		    "budgets: %s", f.text);
	else if (w->ledger != NULL && w->no_ledger)
		recorder_note(w->recorder, "info", "the ledger of limits and "
		    "budgets is open");
	w->no_ledger = w->ledger == NULL;
}

/* Leases are renewed, and what the store has not got is given. */
static void
keep_books(struct worker *w)
{
	if (w->ledger == NULL && !w->stopping)
		open_ledger(w);
	if (w->ledger == NULL)
		return;
	admit_flush(w);
	ledger_tick(w->ledger);
}

static void
on_tick(uv_timer_t *t)
{
	struct worker *w = t->data;
	int64_t now = clock_mono();

	if (w->stopping) {
		keep_books(w);
		if (now >= w->stop_by)
			stop_all(w);
		if (now >= w->stop_by + LAST_WORDS)
			front_cut(w->front);
		return;
	}
	tokens_tick(w->tokens);
	health_share_tick(w->health_share, w->policy);
	keep_books(w);
	batches_tick(w->batches);
	if (policy_changed(w->policy, w->policy_path))
		reload(w);
}

/* Take no more; leave when the running answers are out, or at the drain. */
static void
stop(struct worker *w)
{
	if (w->stopping)
		return;
	w->stopping = true;
	w->stop_by = clock_mono() + w->policy->drain;
	front_stop(w->front);
}

static void
on_signal(uv_signal_t *h, int number)
{
	struct worker *w = h->data;

	if (number == SIGHUP)
		reload(w);
	else
		stop(w);
}

/* -------------------------------------------------------------- birth */

/* No core file and no other process of this user may read our secrets. */
static void
keep_secrets(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	if (getenv("TOLLGATE_DEBUG") == NULL)
		prctl(PR_SET_DUMPABLE, 0);
#endif
}

static bool
load_first(struct worker *w)
{
	struct buf faults;

	buf_init(&faults, MIB(1));
	w->policy = policy_load(w->policy_path, &w->env, &faults);
	if (w->policy == NULL && faults.len > 0)
		fwrite(faults.data, 1, faults.len, stderr);
	buf_free(&faults);
	w->loaded = clock_wall();
	return w->policy != NULL;
}

/* Something is wrong that nobody waits for: a store of keys, a webhook. */
static void
note_error(void *arg, const char *text)
{
	struct worker *w = arg;

	recorder_note(w->recorder, "error", "%s", text);
}

static bool
open_house(struct worker *w)
{
	const char *doors = getenv(ADMIN_DOORS);
	struct fault f = { .code = ERR_OK };

	w->admin_only = doors != NULL && strcmp(doors, "admin") == 0;
	w->env.adapters = adapter_names;
	w->env.state_dir = state_dir();
	w->policy_path = policy_path();
	w->env.catalog = state_catalog(&f);
	if (f.code != ERR_OK)
		fprintf(stderr, "tollgate: catalog.bin is not taken: %s\n",
		    f.text);
	if (w->env.catalog == NULL || !load_first(w))
		return false;
	w->health = health_open(w->env.state_dir);
	if (w->health != NULL)
		w->health_share = health_share_new(w->loop, w->health);
	w->recorder = recorder_new(w->policy->log);
	w->keys = keycache_new(w->loop, w->env.state_dir, note_error, w);
	w->tally = tally_new();
	siphash_key(w->seen_key);
	w->admin = admin_new();
	w->batches = batches_new(w);
	w->scratch = arena_new(LIMIT_ARENA);
	w->transport = transport_new(w->loop);
	if (w->transport != NULL)
		w->webhooks = webhooks_new(w->transport, note_error, w);
	if (w->webhooks != NULL)
		w->tokens = tokens_new(w->loop, w->transport,
		    w->env.state_dir);
	if (w->recorder != NULL)
		open_ledger(w);
	return w->health_share != NULL && w->recorder != NULL &&
	    w->tally != NULL && w->keys != NULL && w->admin != NULL &&
	    w->batches != NULL &&
	    w->scratch != NULL && w->tokens != NULL;
}

static bool
start_loop(struct worker *w, int listen_fd)
{
	static const int numbers[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1 };
	size_t i;

	w->tick.data = w->wake.data = w;
	if (uv_idle_init(w->loop, &w->wake) != 0 ||
	    uv_timer_init(w->loop, &w->tick) != 0 ||
	    uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS) != 0)
		return false;
	for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		w->signals[i].data = w;
		if (uv_signal_init(w->loop, &w->signals[i]) != 0 ||
		    uv_signal_start(&w->signals[i], on_signal,
			numbers[i]) != 0)
			return false;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error */
	w->one_shot = listen_fd < 0;
	w->front = w->one_shot ? front_cgi(w->loop, &calls, w) :
	    front_listen(w->loop, listen_fd, &calls, w);
	return w->front != NULL;
}

static void
close_house(struct worker *w)
{
	front_free(w->front);
	uv_run(w->loop, UV_RUN_DEFAULT);
	policy_unref(w->policy);
	health_free(w->health);
	recorder_free(w->recorder);
	tally_free(w->tally);
	arena_free(w->scratch);
	catalog_close((struct catalog *)(uintptr_t)w->env.catalog);
	uv_loop_close(w->loop);
}

/*
 * Buffers come and go with each request: without a reserve the heap's end
 * would go back to the system and come again, a system call and fresh pages
 * each time.
 */
static void
keep_heap(void)
{
	(void)mallopt(M_TRIM_THRESHOLD, 4 << 20);
	(void)mallopt(M_TOP_PAD, 256 << 10);
}

int
worker_main(int listen_fd)
{
	static struct worker worker;
	struct worker *w = &worker;

	keep_heap();
	keep_secrets();
	w->loop = uv_default_loop();
	if (w->loop == NULL ||
	    getrandom(&w->random, sizeof w->random, 0) !=
		(ssize_t)sizeof w->random)
		return EXIT_FAILURE;
	if (!open_house(w) || !start_loop(w, listen_fd)) {
		fprintf(stderr, "tollgate: cannot start\n");
		return EXIT_FAILURE;
	}
	transport_ca_file(w->transport, getenv("SSL_CERT_FILE"));
	uv_run(w->loop, UV_RUN_DEFAULT);
	close_house(w);
	return EXIT_SUCCESS;
}
