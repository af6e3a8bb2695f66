/* Files that are kept: shown, and deleted. */
#include "app/filed_int.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/batches.h"
#include "app/previous.h"
#include "app/worker.h"

/* One that has no record: an output of a batch. The provider knows it. */
static void
on_file(void *arg)
{
	struct filed *job = arg;
	struct request *r = job->request;
	struct str id;
	struct edits e;
	struct json doc;
	struct buf b;

	if (filed_failed(job) || !filed_object(job, &doc))
		return;
	id = canon_quoted(r->arena, r->chat.path);
	buf_init(&b, REGISTRY_TEXT);
	edits_init(&e, &doc, r->arena);
	if (id.p != NULL)
		edits_set(&e, JSON_ROOT, "id", id.p, id.len);
	if (id.p == NULL || !edits_apply(&e, &b))
		b.failed = true;
	filed_text(job, &b);
}

enum err
filed_call_file(struct filed *job, const char *method, const char *tail)
{
	struct request *r = job->request;
	struct http_call *call = filed_call(job);

	return job->dialect->file(r->arena, job->provider, method,
	    r->chat.previous_own, tail, call, &r->fault);
}

bool
filed_is_spooled(struct filed *job)
{
	return spool_find(job->request->chat.previous_own, &job->spool);
}

/* What waits here is shown under the id with which it was asked for. */
static void
show_spooled(struct filed *job)
{
	struct request *r = job->request;

	if (job->was == NULL) {
		filed_missing(r, "File", r->chat.path);
		filed_done(job);
		return;
	}
	job->entry.kind = "file";
	job->entry.id = r->chat.path;
	filed_show(job, &job->entry);
}

static void
show_file(struct filed *job)
{
	if (job->was != NULL && strcmp(job->entry.kind, "file") == 0)
		filed_show(job, &job->entry);
	else
		filed_ask(job, filed_call_file(job, "GET", ""), on_file);
}

/* The answers of a batch as a file: it has a name, and no more. */
static void
show_answers(struct filed *job)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;

	if (!filed_is_batch(job, r->chat.path))
		return;
	e->kind = "file";
	e->id = r->chat.path;
	e->filename = job->errors ? "errors.jsonl" : "output.jsonl";
	e->purpose = "batch_output";
	e->bytes = 0;
	e->expires = 0;
	filed_show(job, e);
}

/* Find the batch whose answers these are. */
void
filed_find_batch(struct filed *job, void (*next)(struct filed *job))
{
	struct request *r = job->request;
	const char *own = r->chat.previous_own, *id = batch_of_file(own);
	struct owner owner;

	job->errors = batch_is_error(own);
	previous_owner(r, job->provider, &owner);
	id = owned_id(r->arena, &owner, (struct str){ id, strlen(id) });
	if (id == NULL)
		filed_fail_row(job, ERR_INTERNAL);
	else
		filed_find(job, id, next);
}

void
filed_find_spooled(struct filed *job, void (*next)(struct filed *job))
{
	const char *id = spool_record(job->request->arena, &job->spool);

	if (id == NULL)
		filed_fail_row(job, ERR_INTERNAL);
	else
		filed_find(job, id, next);
}

/* Of a provider that keeps no files there are these two kinds alone. */
bool
filed_keeps(struct filed *job)
{
	struct request *r = job->request;

	if (job->dialect->keeps)
		return true;
	filed_missing(r, "File", r->chat.path);
	filed_done(job);
	return false;
}

bool
filed_is_answers(const struct filed *job)
{
	return batch_of_file(job->request->chat.previous_own) != NULL;
}

void
filed_file(struct filed *job)
{
	if (filed_is_spooled(job))
		filed_find_spooled(job, show_spooled);
	else if (filed_is_answers(job))
		filed_find_batch(job, show_answers);
	else if (filed_keeps(job))
		filed_find(job, job->request->chat.path, show_file);
}

static void
on_dropped(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct filed *job = arg;
	struct json_writer w;
	struct buf b;

	(void)text;
	(void)len;
	if (e != ERR_OK)
		filed_note(job, why); /* it is forgotten in its time */
	buf_init(&b, KIB(4));
	jw_init(&w, &b);
	jw_object(&w);
	canon_put_text(&w, "id", canon_lit(job->request->chat.path));
	canon_put_text(&w, "object", canon_lit("file"));
	canon_put_flag(&w, "deleted", 1);
	jw_end_object(&w);
	filed_text(job, &b);
}

/* Nobody else has it: when it is still there, that is told. */
static void
on_spool_dropped(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct filed *job = arg;

	if (e == ERR_OK) {
		on_dropped(job, e, text, len, why);
		return;
	}
	filed_note(job, why);
	filed_fail_row(job, ERR_KEPT);
}

static void
on_deleted(void *arg)
{
	struct filed *job = arg;
	struct request *r = job->request;
	const char *owner = entry_owner(r->arena, "file", r->key->name);
	struct registry *rg;

	if (filed_failed(job))
		return;
	rg = filed_registry(job);
	if (rg == NULL)
		return;
	if (owner == NULL)
		filed_fail_row(job, ERR_INTERNAL);
	else
		registry_drop(rg, r->chat.path, owner, on_dropped, job);
}

/* Nobody waits for the pieces: they go in their time, too. */
void
filed_lost(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	(void)arg;
	(void)e;
	(void)text;
	(void)len;
	(void)why;
}

void
filed_lose_spooled(struct filed *job, registry_fn *fn, void *arg)
{
	struct request *r = job->request;
	const char *id = spool_record(r->arena, &job->spool);
	const char *owner = entry_owner(r->arena, "spool", r->key->name);
	struct registry *rg = batches_registry(r->worker->batches,
	    &r->fault);

	if (rg == NULL || id == NULL || owner == NULL) {
		fn(arg, ERR_KEPT, NULL, 0, "");
		return;
	}
	registry_lose(rg, job->spool.name, filed_lost, NULL);
	registry_drop(rg, id, owner, fn, arg);
}

void
filed_delete(struct filed *job)
{
	struct request *r = job->request;

	if (filed_is_spooled(job))
		filed_lose_spooled(job, on_spool_dropped, job);
	else if (filed_is_answers(job)) {
		request_fail(r, ERR_BAD_REQUEST, "file_id", "the answers of "
		    "a batch are kept by its provider and go with it");
		filed_done(job);
	} else if (filed_keeps(job))
		filed_ask(job, filed_call_file(job, "DELETE", ""), on_deleted);
}
