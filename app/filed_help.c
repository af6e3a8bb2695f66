/* Files and batches: what their doors have in common. */
#include "app/filed_int.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/form.h"
#include "app/batches.h"
#include "app/previous.h"
#include "app/record.h"
#include "app/worker.h"

struct filed *
filed_job(struct request *r)
{
	struct filed *job = r->filed;

	if (job == NULL) {
		job = r->filed = arena_zalloc(r->arena, sizeof *job);
		if (job != NULL) {
			job->request = r;
			entry_init(&job->entry);
		}
	}
	return job;
}

const char *
filed_member(const struct request *r, const char *name)
{
	return batch_text(&r->chat.doc, JSON_ROOT, name, r->arena);
}

/* ------------------------------------------------------------ endings */

void
filed_done(struct filed *job)
{
	job->finished = true;
	worker_wake(job->request->worker, job->request);
}

void
filed_fail(struct filed *job, enum err e, const struct fault *f)
{
	job->request->fault = *f;
	request_fault(job->request, e);
	filed_done(job);
}

void
filed_fail_row(struct filed *job, enum err e)
{
	request_fault(job->request, e);
	filed_done(job);
}

void
filed_missing(struct request *r, const char *what, const char *id)
{
	request_fail(r, ERR_NOT_FOUND, "id", "No such %s object: %.200s",
	    what, id);
}

void
filed_text(struct filed *job, struct buf *b)
{
	if (job->request->gone)
		buf_free(b);
	else
		answer_built(job->request, 200, b);
	filed_done(job);
}

/* The record as the client sees it. */
void
filed_show(struct filed *job, const struct entry *e)
{
	struct request *r = job->request;
	struct json_writer w;
	struct owner owner;
	struct buf b;

	previous_owner_named(r, e->provider, &owner);
	buf_init(&b, REGISTRY_TEXT);
	jw_init(&w, &b);
	entry_show(&w, r->arena, &owner, e);
	filed_text(job, &b);
}

struct registry *
filed_registry(struct filed *job)
{
	struct request *r = job->request;
	struct registry *rg = batches_registry(r->worker->batches, &r->fault);

	if (rg == NULL)
		filed_fail_row(job, ERR_KEPT);
	return rg;
}

void
filed_note(struct filed *job, const char *why)
{
	recorder_note(job->request->worker->recorder, "error",
	    "what is kept cannot be looked up: %s", why);
}

/* ------------------------------------------------------------- asking */

/* Ask the provider what the job's call says; done hears of it. */
void
filed_ask(struct filed *job, enum err e, void (*done)(void *arg))
{
	job->ask.done = done;
	if (e != ERR_OK)
		filed_fail(job, e, &job->request->fault);
	else if (!ask_begin(&job->ask))
		filed_fail(job, job->ask.err, &job->ask.fault);
}

struct http_call *
filed_call(struct filed *job)
{
	struct request *r = job->request;

	ask_end(&job->ask);
	job->ask = (struct ask){ .worker = r->worker, .arena = r->arena,
		.provider = job->provider, .arg = job };
	return &job->ask.call;
}

bool
filed_failed(struct filed *job)
{
	if (job->ask.err == ERR_OK)
		return false;
	filed_fail(job, job->ask.err, &job->ask.fault);
	return true;
}

/* The answer's object; false: there is none, and that was told. */
bool
filed_object(struct filed *job, struct json *doc)
{
	enum err e = batch_parse(job->request->arena,
	    job->ask.body.data == NULL ? "" : job->ask.body.data,
	    job->ask.body.len, doc, &job->request->fault);

	if (e != ERR_OK)
		filed_fail(job, e, &job->request->fault);
	return e == ERR_OK;
}

/* ------------------------------------------------------------- records */

void
filed_on_put(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct filed *job = arg;

	(void)text;
	(void)len;
	if (e == ERR_OK) {
		filed_show(job, &job->entry);
		return;
	}
	filed_note(job, why);
	filed_fail_row(job, ERR_KEPT);
}

void
filed_put(struct filed *job)
{
	struct registry *rg = filed_registry(job);
	struct registry_row row;

	if (rg == NULL)
		return;
	if (entry_row(job->request->arena, &job->entry, clock_wall(),
	    &row) == NULL)
		filed_fail_row(job, ERR_INTERNAL);
	else
		registry_put(rg, &row, NULL, filed_on_put, job);
}

/* Find the record of a client's id; then `next`, with was NULL: none. */
struct finding {
	struct filed *job;
	void (*next)(struct filed *job);
};

/*
 * A provider may be spoken to in several dialects, at several addresses: what
 * is kept is where its record says.
 */
static void
speak(struct filed *job)
{
	const struct provider *p = *job->entry.adapter == '\0' ? NULL :
	    provider_speaking(job->provider, job->entry.adapter);

	if (p == NULL || batch_dialect_of(p) == NULL)
		return;
	job->provider = p;
	job->dialect = batch_dialect_of(p);
}

static void
on_found(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct finding *fd = arg;
	struct filed *job = fd->job;
	struct arena *a = job->request->arena;

	if (e != ERR_OK) {
		filed_note(job, why);
		filed_fail_row(job, ERR_KEPT);
		return;
	}
	job->was = NULL;
	if (text != NULL) {
		job->was = arena_dup(a, text, len);
		job->was_len = len;
		if (job->was == NULL ||
		    !entry_read(a, job->was, len, &job->entry)) {
			filed_fail_row(job, ERR_INTERNAL);
			return;
		}
		speak(job);
	}
	fd->next(job);
}

void
filed_find(struct filed *job, const char *id, void (*next)(struct filed *job))
{
	struct finding *fd = arena_alloc(job->request->arena, sizeof *fd);
	struct registry *rg = filed_registry(job);

	if (rg == NULL)
		return;
	if (fd == NULL) {
		filed_fail_row(job, ERR_INTERNAL);
		return;
	}
	*fd = (struct finding){ job, next };
	registry_get(rg, id, on_found, fd);
}

/* A batch of this key's; else it has been told that there is none. */
bool
filed_is_batch(struct filed *job, const char *id)
{
	struct request *r = job->request;

	if (job->was != NULL && strcmp(job->entry.kind, "batch") == 0 &&
	    strcmp(job->entry.key, r->key->name) == 0)
		return true;
	filed_missing(r, "Batch", id);
	filed_done(job);
	return false;
}
