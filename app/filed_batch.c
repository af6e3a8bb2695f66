/* Batches: ordered, shown, cancelled. */
#include "app/filed_int.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/admit.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/batches.h"
#include "app/previous.h"
#include "app/refusal.h"
#include "app/worker.h"

/* --------------------------------------------------------- a new batch */

static struct str
metadata_of(const struct request *r)
{
	uint32_t v = json_get(&r->chat.doc, JSON_ROOT, "metadata");

	return json_type(&r->chat.doc, v) != JSON_OBJECT ?
	    (struct str){ NULL, 0 } : canon_raw(&r->chat.doc, v);
}

/* The provider has it: so it is in the registry before its client hears. */
static void
on_created(void *arg)
{
	struct filed *job = arg;
	struct request *r = job->request;
	struct entry *e = &job->entry;
	struct owner owner;
	struct buf hold;

	if (filed_failed(job)) {
		if (job->ask.refused || job->ask.unsent)
			ledger_release(r->worker->ledger, &job->hold, NULL,
			    NULL);
		return; /* else it may have it: it is paid in the end */
	}
	if (batch_read(job->dialect, r->arena, job->ask.body.data == NULL ? "" :
	    job->ask.body.data, job->ask.body.len, &e->state, &r->fault) !=
	    ERR_OK) {
		filed_fail(job, ERR_BAD_UPSTREAM, &r->fault);
		return;
	}
	if (e->state.created == 0)
		e->state.created = clock_wall() / SECOND;
	e->made = e->tried = clock_wall() / SECOND;
	previous_owner(r, job->provider, &owner);
	e->own = e->state.id;
	e->id = owned_id(r->arena, &owner, (struct str){ e->own,
		strlen(e->own) });
	if (e->pieces > 0)
		filed_lose_spooled(job, filed_lost, NULL);
	e->pieces = 0;
	buf_init(&hold, REGISTRY_TEXT);
	ledger_leave(r->worker->ledger, &job->hold, &hold);
	e->hold = hold.failed ? NULL : arena_dup(r->arena, hold.data,
	    hold.len);
	buf_free(&hold);
	if (e->id == NULL || e->hold == NULL)
		filed_fail_row(job, ERR_INTERNAL);
	else
		filed_put(job);
}

static void
create(struct filed *job)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;
	struct deployment d = { .id = e->deployment, .model = e->up,
		.provider = job->provider, .price = e->price };
	struct batch_order order = { .file = e->own, .path = e->path,
		.requests = { job->input.data, job->input.len },
		.window = e->window, .metadata = metadata_of(r) };
	struct http_call *call = filed_call(job);

	/* Where it goes is what asks the provider, not what was asked for. */
	order.path = batch_path(adapter_for(batch_door(e->path),
	    e->adapter));
	filed_ask(job, job->dialect->create(r->arena, &d, &order, call,
	    &r->fault), on_created);
}

static void
on_sent(void *arg, const struct ledger_answer *a)
{
	struct filed *job = arg;

	if (a->err == ERR_OK && a->known)
		create(job);
	else
		filed_fail_row(job, ERR_LEDGER);
}

static void
on_held(void *arg, const struct ledger_answer *a)
{
	struct filed *job = arg;
	struct refusal no = { .answer = *a, .wanted = job->entry.most };
	struct request *r = job->request;
	unsigned i, at = 0, n = 0;

	if (a->err == ERR_OK) {
		job->hold.lease = BATCHES_LEASE;
		ledger_sent(r->worker->ledger, &job->hold, on_sent, job);
		return;
	}
	for (i = 0; a->which >= 0 && i < job->counters.count; i++)
		if (job->counters.list[i].counter.kind == COUNTER_MONEY &&
		    n++ == (unsigned)a->which) {
			no.counter = &job->counters.list[i].counter;
			at = i;
		}
	if (no.counter == NULL)
		request_fault(r, a->err == ERR_LEDGER ? ERR_LEDGER :
		    ERR_INTERNAL);
	else
		refusal_tell(r, &no);
	if (no.counter != NULL && at >= job->own) /* nobody else has it */
		r->err = r->fault.code = ERR_OVERLOADED;
	filed_done(job);
}

/* Hold what all of it may cost, of all money that counts for it. */
static void
hold(struct filed *job)
{
	struct request *r = job->request;
	struct counters *c = &job->counters;
	const struct model *m = policy_model(r->policy, job->entry.model);
	struct want wants[LEDGER_PARTS];
	struct usage_row who;
	unsigned i, n = 0;

	counters_init(c, r->arena);
	counters_of_key(c, r->policy, r->key, "");
	if (m != NULL)
		counters_of_model(c, m);
	job->own = c->count;
	counters_of_provider(c, &r->policy->providers[job->provider->index]);
	if (c->failed || r->worker->ledger == NULL) {
		filed_fail_row(job, c->failed ? ERR_INTERNAL : ERR_LEDGER);
		return;
	}
	admit_who(r, &who);
	who.model = job->entry.model;
	who.provider = job->provider->name;
	who.cost = job->entry.most;
	for (i = 0; i < c->count; i++)
		if (c->list[i].counter.kind == COUNTER_MONEY)
			wants[n++] = (struct want){ &c->list[i].counter,
				job->entry.most };
	job->hold.arena = r->arena;
	job->hold.apart = true;
	if (n > 0 && !job->entry.price.known)
		filed_fail(job, fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
		    "the batch has no price, and money is counted"),
		    &r->fault);
	else if (n > 0)
		ledger_hold(r->worker->ledger, &job->hold, wants, n, &who,
		    on_held, job);
	else if (ledger_none(r->worker->ledger, &job->hold, &who))
		create(job);
	else
		filed_fail_row(job, ERR_INTERNAL);
}

static void
on_unspooled(void *arg, enum err e)
{
	struct filed *job = arg;
	struct request *r = job->request;

	if (e == ERR_OK) {
		hold(job);
	} else if (e == ERR_NOT_FOUND) {
		filed_missing(r, "File", filed_member(r, "input_file_id"));
		filed_done(job);
	} else {
		filed_fail_row(job, e);
	}
}

static void
unspool(struct filed *job)
{
	struct registry *rg = filed_registry(job);

	if (rg == NULL)
		return;
	buf_init(&job->input, LIMIT_BODY * 2);
	spool_read(&job->spool, job->request->arena, rg,
	    (unsigned)job->entry.pieces, &job->input, on_unspooled, job);
}

/* The file's record becomes that of its batch. */
static void
order(struct filed *job)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;
	struct str more = metadata_of(r);
	const char *id = filed_member(r, "input_file_id");

	if (job->was == NULL || strcmp(e->kind, e->pieces > 0 ? "spool" :
	    "file") != 0 || strcmp(e->key, r->key->name) != 0) {
		filed_missing(r, "File", id);
		filed_done(job);
		return;
	}
	if (e->lines == 0)
		request_fail(r, ERR_BAD_REQUEST, "input_file_id",
		    "the file's purpose is not 'batch'");
	else if (strcmp(e->path, filed_member(r, "endpoint")) != 0)
		request_fail(r, ERR_BAD_REQUEST, "endpoint",
		    "the file's lines are for '%.64s'", e->path);
	else if (!vkey_allows(r->key, e->model)) /* it might, when it came */
		request_fail(r, ERR_FORBIDDEN, "model",
		    "this key may not use the model '%.64s'", e->model);
	if (r->err != ERR_OK) {
		filed_done(job);
		return;
	}
	e->kind = "batch";
	/* What is written must not have the key of a file in it. */
	e->input = e->pieces > 0 ? filed_spool_id(job, false) : id;
	e->window = filed_member(r, "completion_window");
	e->metadata = more.p == NULL ? "" : arena_dup(r->arena, more.p,
	    more.len);
	e->expires = 0;
	e->filename = e->purpose = "";
	r->chat.model = e->model;
	if (e->metadata == NULL || e->input == NULL)
		filed_fail_row(job, ERR_INTERNAL);
	else if (e->pieces > 0)
		unspool(job);
	else
		hold(job);
}

void
filed_create(struct filed *job)
{
	if (filed_is_spooled(job))
		filed_find_spooled(job, order);
	else
		filed_find(job, filed_member(job->request,
		    "input_file_id"), order);
}

/* ------------------------------------------------------ batches that are */

static void
on_looked(void *arg, enum err e, const struct fault *f,
    const struct entry *entry)
{
	struct filed *job = arg;

	if (e == ERR_OK)
		filed_show(job, entry);
	else
		filed_fail(job, e, f);
}

static void
show_batch(struct filed *job)
{
	struct request *r = job->request;

	if (!filed_is_batch(job, r->chat.path))
		return;
	r->chat.model = job->entry.model;
	batches_look(r->worker->batches, job->was, job->was_len, on_looked,
	    job);
}

void
filed_batch(struct filed *job)
{
	filed_find(job, job->request->chat.path, show_batch);
}

static void
on_cancelled(void *arg)
{
	struct filed *job = arg;

	if (!filed_failed(job))
		show_batch(job);
}

static void
cancel(struct filed *job)
{
	struct request *r = job->request;
	struct http_call *call = filed_call(job);

	if (filed_is_batch(job, r->chat.path))
		filed_ask(job, job->dialect->cancel(r->arena, job->provider,
		    r->chat.previous_own, call, &r->fault), on_cancelled);
}

void
filed_cancel(struct filed *job)
{
	filed_find(job, job->request->chat.path, cancel);
}
