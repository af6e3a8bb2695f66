/* Files and batches, as clients ask for them. */
#include "app/filed.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/batch.h"
#include "adapters/canon.h"
#include "adapters/files.h"
#include "app/admit.h"
#include "app/alone.h"
#include "app/answer.h"
#include "app/ask.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/form.h"
#include "app/base/frames.h"
#include "app/base/limits.h"
#include "app/base/percent.h"
#include "app/batches.h"
#include "app/counters.h"
#include "app/entry.h"
#include "app/ledger.h"
#include "app/lines.h"
#include "app/previous.h"
#include "app/record.h"
#include "app/refusal.h"
#include "app/results.h"
#include "app/spool.h"
#include "app/worker.h"

#define SECOND INT64_C(1000000)
#define TURN KIB(512)	   /* bytes of lines in one turn of the loop */
#define OUTPUT_BOUND 16000 /* tokens, where nobody sets a bound */
#define LIST_USUAL 20
#define ANSWERS_TYPE "application/jsonl"

struct filed {
	struct request *request;
	const struct batch_dialect *dialect;
	const struct provider *provider;
	struct ask ask;
	bool begun, finished;
	struct lines lines;
	const char *was; /* the record as it was read */
	size_t was_len;
	struct entry entry;
	struct spool spool; /* of an input that waits here */
	struct buf input;
	/* Answers that are translated on their way. */
	struct results results;
	struct arena *scratch;
	struct frames frames;
	bool reading, errors;
	/* What a batch may cost. */
	struct counters counters;
	unsigned own; /* of them are the client's; then its provider's */
	struct hold hold;
	/* A list. */
	struct buf list;
	struct json_writer writer;
	unsigned limit, shown;
	bool more;
	const char *purpose; /* of files, "" = any */
	const char *first, *last;
};

static struct filed *
job_of(struct request *r)
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

static const char *
member(const struct request *r, const char *name)
{
	return batch_text(&r->chat.doc, JSON_ROOT, name, r->arena);
}

/* ------------------------------------------------------------ endings */

static void
finished(struct filed *job)
{
	job->finished = true;
	worker_wake(job->request->worker, job->request);
}

static void
fail(struct filed *job, enum err e, const struct fault *f)
{
	job->request->fault = *f;
	request_fault(job->request, e);
	finished(job);
}

static void
fail_row(struct filed *job, enum err e)
{
	request_fault(job->request, e);
	finished(job);
}

static void
missing(struct request *r, const char *what, const char *id)
{
	request_fail(r, ERR_NOT_FOUND, "id", "No such %s object: %.200s",
	    what, id);
}

static void
answer_text(struct filed *job, struct buf *b)
{
	if (job->request->gone)
		buf_free(b);
	else
		answer_built(job->request, 200, b);
	finished(job);
}

/* The record as the client sees it. */
static void
answer_entry(struct filed *job, const struct entry *e)
{
	struct request *r = job->request;
	struct json_writer w;
	struct owner owner;
	struct buf b;

	previous_owner_named(r, e->provider, &owner);
	buf_init(&b, REGISTRY_TEXT);
	jw_init(&w, &b);
	entry_show(&w, r->arena, &owner, e);
	answer_text(job, &b);
}

static struct registry *
registry_of(struct filed *job)
{
	struct request *r = job->request;
	struct registry *rg = batches_registry(r->worker->batches, &r->fault);

	if (rg == NULL)
		fail_row(job, ERR_KEPT);
	return rg;
}

static void
note_store(struct filed *job, const char *why)
{
	recorder_note(job->request->worker->recorder, "error",
	    "what is kept cannot be looked up: %s", why);
}

/* ------------------------------------------------------------- asking */

/* Ask the provider what the job's call says; done hears of it. */
static void
ask(struct filed *job, enum err e, void (*done)(void *arg))
{
	job->ask.done = done;
	if (e != ERR_OK)
		fail(job, e, &job->request->fault);
	else if (!ask_begin(&job->ask))
		fail(job, job->ask.err, &job->ask.fault);
}

static struct http_call *
new_call(struct filed *job)
{
	struct request *r = job->request;

	ask_end(&job->ask);
	job->ask = (struct ask){ .worker = r->worker, .arena = r->arena,
		.provider = job->provider, .arg = job };
	return &job->ask.call;
}

static bool
failed(struct filed *job)
{
	if (job->ask.err == ERR_OK)
		return false;
	fail(job, job->ask.err, &job->ask.fault);
	return true;
}

/* The answer's object; false: there is none, and that was told. */
static bool
object(struct filed *job, struct json *doc)
{
	enum err e = batch_parse(job->request->arena,
	    job->ask.body.data == NULL ? "" : job->ask.body.data,
	    job->ask.body.len, doc, &job->request->fault);

	if (e != ERR_OK)
		fail(job, e, &job->request->fault);
	return e == ERR_OK;
}

/* ------------------------------------------------------------- records */

static void
on_put(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct filed *job = arg;

	(void)text;
	(void)len;
	if (e == ERR_OK) {
		answer_entry(job, &job->entry);
		return;
	}
	note_store(job, why);
	fail_row(job, ERR_KEPT);
}

static void
put(struct filed *job)
{
	struct registry *rg = registry_of(job);
	struct registry_row row;

	if (rg == NULL)
		return;
	if (entry_row(job->request->arena, &job->entry, clock_wall(),
	    &row) == NULL)
		fail_row(job, ERR_INTERNAL);
	else
		registry_put(rg, &row, NULL, on_put, job);
}

/* Find the record of a client's id; then `next`, with was NULL: none. */
struct finding {
	struct filed *job;
	void (*next)(struct filed *job);
};

static void
on_found(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct finding *fd = arg;
	struct filed *job = fd->job;
	struct arena *a = job->request->arena;

	if (e != ERR_OK) {
		note_store(job, why);
		fail_row(job, ERR_KEPT);
		return;
	}
	job->was = NULL;
	if (text != NULL) {
		job->was = arena_dup(a, text, len);
		job->was_len = len;
		if (job->was == NULL ||
		    !entry_read(a, job->was, len, &job->entry)) {
			fail_row(job, ERR_INTERNAL);
			return;
		}
	}
	fd->next(job);
}

static void
find(struct filed *job, const char *id, void (*next)(struct filed *job))
{
	struct finding *fd = arena_alloc(job->request->arena, sizeof *fd);
	struct registry *rg = registry_of(job);

	if (rg == NULL)
		return;
	if (fd == NULL) {
		fail_row(job, ERR_INTERNAL);
		return;
	}
	*fd = (struct finding){ job, next };
	registry_get(rg, id, on_found, fd);
}

/* A batch of this key's; else it has been told that there is none. */
static bool
is_batch(struct filed *job, const char *id)
{
	struct request *r = job->request;

	if (job->was != NULL && strcmp(job->entry.kind, "batch") == 0 &&
	    strcmp(job->entry.key, r->key->name) == 0)
		return true;
	missing(r, "Batch", id);
	finished(job);
	return false;
}

/* -------------------------------------------------------------- upload */

static const struct form_part *
part_of(const struct request *r)
{
	return form_find(r->chat.form, "file");
}

/* What the provider says of a file that it has now. */
static void
on_uploaded(void *arg)
{
	struct filed *job = arg;
	struct request *r = job->request;
	struct entry *e = &job->entry;
	struct owner owner;
	struct json doc;

	if (failed(job) || !object(job, &doc))
		return;
	e->own = batch_text(&doc, JSON_ROOT, "id", r->arena);
	json_int(&doc, json_get(&doc, JSON_ROOT, "bytes"), &e->bytes);
	json_int(&doc, json_get(&doc, JSON_ROOT, "expires_at"), &e->expires);
	previous_owner(r, job->provider, &owner);
	e->id = *e->own == '\0' ? NULL : owned_id(r->arena, &owner,
	    (struct str){ e->own, strlen(e->own) });
	if (e->id == NULL) {
		fail_row(job, ERR_BAD_UPSTREAM);
		return;
	}
	put(job);
}

static void
describe(struct filed *job, size_t len)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;
	int64_t wanted = files_expiry(&r->chat);

	e->kind = "file";
	e->key = r->key->name;
	e->provider = job->provider->name;
	e->filename = part_of(r)->filename;
	e->purpose = member(r, "purpose");
	e->made = clock_wall() / SECOND;
	e->bytes = (int64_t)len;
	if (wanted > 0)
		e->expires = e->made + wanted;
}

static void
upload(struct filed *job, const char *content, size_t len)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;
	struct http_call *call = new_call(job);

	describe(job, len);
	ask(job, job->dialect->upload(r->arena, job->provider, e->purpose,
	    e->filename, (struct str){ content, len }, call, &r->fault),
	    on_uploaded);
}

/* The client's id of what waits here. */
static const char *
spool_id(struct filed *job, bool key)
{
	struct request *r = job->request;
	const char *own = key ? spool_own(r->arena, &job->spool) :
	    spool_record(r->arena, &job->spool);
	struct owner owner;

	previous_owner_named(r, job->provider->name, &owner);
	return own == NULL ? NULL : owned_id(r->arena, &owner, (struct str){
	    own, strlen(own) });
}

static void
on_sealed(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct filed *job = arg;

	job->entry.kind = "file";
	job->entry.id = spool_id(job, true);
	if (e == ERR_OK && job->entry.id == NULL)
		fail_row(job, ERR_INTERNAL);
	else
		on_put(job, e, text, len, why);
}

/* It waits in the store; the client has the key to it. */
static void
on_spooled(void *arg, enum err e)
{
	struct filed *job = arg;
	struct request *r = job->request;
	struct registry *rg;
	struct registry_row row;

	if (e == ERR_TOO_LARGE) {
		request_fail(r, ERR_OVERLOADED, NULL, "there is no room for "
		    "another file that waits for its batch");
		finished(job);
		return;
	}
	rg = e == ERR_OK ? registry_of(job) : NULL;
	if (e != ERR_OK) {
		fail_row(job, e);
	} else if (rg != NULL) {
		/* Not in a list: what is written here has not the key. */
		job->entry.kind = "spool";
		job->entry.id = spool_record(r->arena, &job->spool);
		if (job->entry.id == NULL || entry_row(r->arena, &job->entry,
		    clock_wall(), &row) == NULL)
			fail_row(job, ERR_INTERNAL);
		else
			registry_put(rg, &row, "", on_sealed, job);
	}
}

static void
spool(struct filed *job, const char *content, size_t len)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;
	struct registry *rg = registry_of(job);
	int64_t ttl;

	if (rg == NULL)
		return;
	describe(job, len);
	ttl = e->expires > 0 ? e->expires - e->made : SPOOL_TTL;
	e->expires = e->made + (ttl > SPOOL_TTL_MOST ? SPOOL_TTL_MOST : ttl);
	e->pieces = spool_pieces(len);
	if (!spool_new(&job->spool))
		fail_row(job, ERR_INTERNAL);
	else
		spool_write(&job->spool, r->arena, rg, content, len,
		    e->expires * SECOND, on_spooled, job);
}

/* All lines are written: what they are goes with the file. */
static void
upload_lines(struct filed *job)
{
	const struct lines *l = &job->lines;
	const struct deployment *d = l->deployment;
	struct entry *e = &job->entry;

	e->adapter = d->provider->adapter;
	e->deployment = d->id;
	e->up = d->model;
	e->model = l->model;
	e->path = l->path;
	e->lines = l->count;
	e->most = l->most > LEDGER_MAX ? LEDGER_MAX : l->most;
	e->price = d->price;
	if (job->dialect->keeps)
		upload(job, l->out.data, l->out.len);
	else
		spool(job, l->out.data, l->out.len);
}

static void
on_turn(uv_timer_t *t)
{
	struct request *r = t->data;
	struct filed *job = r->filed;
	bool more = false;
	enum err e;

	if (job->finished)
		return;
	e = lines_some(&job->lines, TURN, &more, &r->fault);
	if (e != ERR_OK)
		fail(job, e, &r->fault);
	else if (more)
		uv_timer_start(&r->timer, on_turn, 0, 0);
	else
		upload_lines(job);
}

static void
begin_upload(struct filed *job)
{
	struct request *r = job->request;
	const struct form_part *p = part_of(r);

	if (job->lines.arena == NULL) {
		upload(job, p->data, p->len);
		return;
	}
	if (uv_timer_init(r->worker->loop, &r->timer) != 0) {
		fail_row(job, ERR_INTERNAL);
		return;
	}
	r->timer.data = r;
	r->timer_open = true;
	uv_timer_start(&r->timer, on_turn, 0, 0);
}

/* ----------------------------------------------------- files that are */

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

	if (failed(job) || !object(job, &doc))
		return;
	id = canon_quoted(r->arena, r->chat.path);
	buf_init(&b, REGISTRY_TEXT);
	edits_init(&e, &doc, r->arena);
	if (id.p != NULL)
		edits_set(&e, JSON_ROOT, "id", id.p, id.len);
	if (id.p == NULL || !edits_apply(&e, &b))
		b.failed = true;
	answer_text(job, &b);
}

static enum err
call_file(struct filed *job, const char *method, const char *tail)
{
	struct request *r = job->request;
	struct http_call *call = new_call(job);

	return job->dialect->file(r->arena, job->provider, method,
	    r->chat.previous_own, tail, call, &r->fault);
}

static bool
is_spooled(struct filed *job)
{
	return spool_find(job->request->chat.previous_own, &job->spool);
}

/* What waits here is shown under the id with which it was asked for. */
static void
show_spooled(struct filed *job)
{
	struct request *r = job->request;

	if (job->was == NULL) {
		missing(r, "File", r->chat.path);
		finished(job);
		return;
	}
	job->entry.kind = "file";
	job->entry.id = r->chat.path;
	answer_entry(job, &job->entry);
}

static void
show_file(struct filed *job)
{
	if (job->was != NULL && strcmp(job->entry.kind, "file") == 0)
		answer_entry(job, &job->entry);
	else
		ask(job, call_file(job, "GET", ""), on_file);
}

/* The answers of a batch as a file: it has a name, and no more. */
static void
show_answers(struct filed *job)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;

	if (!is_batch(job, r->chat.path))
		return;
	e->kind = "file";
	e->id = r->chat.path;
	e->filename = job->errors ? "errors.jsonl" : "output.jsonl";
	e->purpose = "batch_output";
	e->bytes = 0;
	e->expires = 0;
	answer_entry(job, e);
}

/* Find the batch whose answers these are. */
static void
find_batch(struct filed *job, void (*next)(struct filed *job))
{
	struct request *r = job->request;
	const char *own = r->chat.previous_own, *id = batch_of_file(own);
	struct owner owner;

	job->errors = batch_is_error(own);
	previous_owner(r, job->provider, &owner);
	id = owned_id(r->arena, &owner, (struct str){ id, strlen(id) });
	if (id == NULL)
		fail_row(job, ERR_INTERNAL);
	else
		find(job, id, next);
}

static void
find_spooled(struct filed *job, void (*next)(struct filed *job))
{
	const char *id = spool_record(job->request->arena, &job->spool);

	if (id == NULL)
		fail_row(job, ERR_INTERNAL);
	else
		find(job, id, next);
}

/* Of a provider that keeps no files there are these two kinds alone. */
static bool
keeps(struct filed *job)
{
	struct request *r = job->request;

	if (job->dialect->keeps)
		return true;
	missing(r, "File", r->chat.path);
	finished(job);
	return false;
}

static bool
is_answers(const struct filed *job)
{
	return batch_of_file(job->request->chat.previous_own) != NULL;
}

static void
begin_file(struct filed *job)
{
	if (is_spooled(job))
		find_spooled(job, show_spooled);
	else if (is_answers(job))
		find_batch(job, show_answers);
	else if (keeps(job))
		find(job, job->request->chat.path, show_file);
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
		note_store(job, why); /* it is forgotten in its time */
	buf_init(&b, KIB(4));
	jw_init(&w, &b);
	jw_object(&w);
	canon_put_text(&w, "id", canon_lit(job->request->chat.path));
	canon_put_text(&w, "object", canon_lit("file"));
	canon_put_flag(&w, "deleted", 1);
	jw_end_object(&w);
	answer_text(job, &b);
}

static void
on_deleted(void *arg)
{
	struct filed *job = arg;
	struct request *r = job->request;
	const char *owner = entry_owner(r->arena, "file", r->key->name);
	struct registry *rg;

	if (failed(job))
		return;
	rg = registry_of(job);
	if (rg == NULL)
		return;
	if (owner == NULL)
		fail_row(job, ERR_INTERNAL);
	else
		registry_drop(rg, r->chat.path, owner, on_dropped, job);
}

/* Nobody waits for the pieces: they go in their time, too. */
static void
lost(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	(void)arg;
	(void)e;
	(void)text;
	(void)len;
	(void)why;
}

static void
lose_spooled(struct filed *job, registry_fn *fn, void *arg)
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
	registry_lose(rg, job->spool.name, lost, NULL);
	registry_drop(rg, id, owner, fn, arg);
}

static void
begin_delete(struct filed *job)
{
	struct request *r = job->request;

	if (is_spooled(job))
		lose_spooled(job, on_dropped, job);
	else if (is_answers(job)) {
		request_fail(r, ERR_BAD_REQUEST, "file_id", "the answers of "
		    "a batch are kept by its provider and go with it");
		finished(job);
	} else if (keeps(job))
		ask(job, call_file(job, "DELETE", ""), on_deleted);
}

/* ------------------------------------------------------------- content */

static void
content_head(void *arg)
{
	struct filed *job = arg;
	struct request *r = job->request;

	r->chat.task.bytes = true;
	if (!r->gone)
		answer_head(r, 200, strlen(job->ask.type) > LIMIT_TYPE ||
		    *job->ask.type == '\0' ? "application/octet-stream" :
		    job->ask.type, -1);
}

static bool
content_data(void *arg, const char *p, size_t len)
{
	struct filed *job = arg;
	struct request *r = job->request;

	if (!r->gone)
		answer_bytes(r, p, len);
	return !r->full;
}

static void
content_done(void *arg)
{
	struct filed *job = arg;

	if (!failed(job))
		finished(job);
}

/* ---- in another dialect */

static enum err
on_answer(void *arg, const struct sse_event *ev)
{
	struct filed *job = arg;
	struct request *r = job->request;
	struct json doc;
	struct fault f;
	struct buf out;
	char *text;

	if (ev == NULL || ev->len == 0)
		return ERR_OK;
	buf_init(&out, LIMIT_REPLY * 2);
	text = arena_dup(job->scratch, ev->data, ev->len);
	if (text != NULL)
		json_mend_escapes(text, ev->len);
	if (text != NULL && json_parse(&doc, job->scratch, text, ev->len,
	    NULL) == ERR_OK)
		results_line(&job->results, job->scratch, &doc, job->errors,
		    &out, &f);
	if (!out.failed && !r->gone)
		answer_bytes(r, out.data, out.len);
	buf_free(&out);
	arena_reset(job->scratch);
	return ERR_OK;
}

static bool
answers_data(void *arg, const char *p, size_t len)
{
	struct filed *job = arg;

	frames_feed(&job->frames, p, len, on_answer, job);
	return !job->request->full;
}

static void
answers_done(void *arg)
{
	struct filed *job = arg;

	if (failed(job))
		return;
	frames_end(&job->frames, on_answer, job);
	finished(job);
}

static void
answers_head(void *arg)
{
	struct filed *job = arg;

	job->request->chat.task.bytes = true;
	if (!job->request->gone)
		answer_head(job->request, 200, ANSWERS_TYPE, -1);
}

/* All of them at once, where they are one document. */
static void
whole_done(void *arg)
{
	struct filed *job = arg;
	struct request *r = job->request;
	struct json doc, line;
	struct fault f;
	struct buf out;
	uint32_t list, v;
	struct str s;

	if (failed(job) || !object(job, &doc))
		return;
	buf_init(&out, LIMIT_REPLY * 2);
	list = job->dialect->list(&doc);
	for (v = json_first(&doc, list); v != JSON_NONE;
	    v = json_next(&doc, list, v)) {
		s = canon_raw(&doc, v);
		if (json_parse(&line, job->scratch, s.p, s.len, NULL) ==
		    ERR_OK)
			results_line(&job->results, job->scratch, &line,
			    job->errors, &out, &f);
		arena_reset(job->scratch);
	}
	if (out.failed)
		request_fault(r, ERR_INTERNAL);
	else if (!r->gone)
		answer_body(r, 200, ANSWERS_TYPE, out.data, out.len);
	buf_free(&out);
	finished(job);
}

static void
ask_answers(struct filed *job)
{
	struct request *r = job->request;
	const char *where = r->chat.previous_own;
	struct http_call *call;
	enum err e;

	if (!is_batch(job, r->chat.path))
		return;
	job->scratch = arena_new(LIMIT_ARENA);
	if (!job->entry.settled || job->scratch == NULL ||
	    !results_of(&job->results, r->policy, &job->entry)) {
		missing(r, "File", r->chat.path);
		finished(job);
		return;
	}
	call = new_call(job);
	if (job->dialect->passes)
		where = job->errors ? job->entry.state.errors :
		    job->entry.state.output;
	if (*where == '\0') {
		missing(r, "File", r->chat.path);
		finished(job);
		return;
	}
	e = job->dialect->results(r->arena, job->provider, where, call,
	    &r->fault);
	if (job->dialect->whole) {
		ask(job, e, whole_done);
		return;
	}
	frames_init(&job->frames, FRAMING_LINES, LIMIT_EVENT_LARGE);
	job->reading = true;
	job->ask.head = answers_head;
	job->ask.data = answers_data;
	ask(job, e, answers_done);
}

static void
sealed(struct filed *job)
{
	request_fail(job->request, ERR_BAD_REQUEST, "file_id", "what waits "
	    "for its batch here is sealed, and not given back");
	finished(job);
}

static void
begin_content(struct filed *job)
{
	enum err e;

	if (is_spooled(job)) {
		sealed(job);
		return;
	}
	if (is_answers(job)) {
		find_batch(job, ask_answers);
		return;
	}
	if (!keeps(job))
		return;
	e = call_file(job, "GET", "/content");
	job->ask.head = content_head;
	job->ask.data = content_data;
	ask(job, e, content_done);
}

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

	if (failed(job)) {
		if (job->ask.refused || job->ask.unsent)
			ledger_release(r->worker->ledger, &job->hold, NULL,
			    NULL);
		return; /* else it may have it: it is paid in the end */
	}
	if (job->dialect->read(r->arena, job->ask.body.data == NULL ? "" :
	    job->ask.body.data, job->ask.body.len, &e->state, &r->fault) !=
	    ERR_OK) {
		fail(job, ERR_BAD_UPSTREAM, &r->fault);
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
		lose_spooled(job, lost, NULL);
	e->pieces = 0;
	buf_init(&hold, REGISTRY_TEXT);
	ledger_leave(r->worker->ledger, &job->hold, &hold);
	e->hold = hold.failed ? NULL : arena_dup(r->arena, hold.data,
	    hold.len);
	buf_free(&hold);
	if (e->id == NULL || e->hold == NULL)
		fail_row(job, ERR_INTERNAL);
	else
		put(job);
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
	struct http_call *call = new_call(job);

	/* Where it goes is what asks the provider, not what was asked for. */
	order.path = batch_path(adapter_for(batch_door(e->path),
	    e->adapter));
	ask(job, job->dialect->create(r->arena, &d, &order, call, &r->fault),
	    on_created);
}

static void
on_sent(void *arg, const struct ledger_answer *a)
{
	struct filed *job = arg;

	if (a->err == ERR_OK && a->known)
		create(job);
	else
		fail_row(job, ERR_LEDGER);
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
	finished(job);
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
		fail_row(job, c->failed ? ERR_INTERNAL : ERR_LEDGER);
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
	if (n > 0 && !job->entry.price.known)
		fail(job, fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
		    "the batch has no price, and money is counted"),
		    &r->fault);
	else if (n > 0)
		ledger_hold(r->worker->ledger, &job->hold, wants, n, &who,
		    on_held, job);
	else if (ledger_none(r->worker->ledger, &job->hold, &who))
		create(job);
	else
		fail_row(job, ERR_INTERNAL);
}

static void
on_unspooled(void *arg, enum err e)
{
	struct filed *job = arg;
	struct request *r = job->request;

	if (e == ERR_OK) {
		hold(job);
	} else if (e == ERR_NOT_FOUND) {
		missing(r, "File", member(r, "input_file_id"));
		finished(job);
	} else {
		fail_row(job, e);
	}
}

static void
unspool(struct filed *job)
{
	struct registry *rg = registry_of(job);

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
	const char *id = member(r, "input_file_id");

	if (job->was == NULL || strcmp(e->kind, e->pieces > 0 ? "spool" :
	    "file") != 0 || strcmp(e->key, r->key->name) != 0) {
		missing(r, "File", id);
		finished(job);
		return;
	}
	if (e->lines == 0)
		request_fail(r, ERR_BAD_REQUEST, "input_file_id",
		    "the file's purpose is not 'batch'");
	else if (strcmp(e->path, member(r, "endpoint")) != 0)
		request_fail(r, ERR_BAD_REQUEST, "endpoint",
		    "the file's lines are for '%.64s'", e->path);
	if (r->err != ERR_OK) {
		finished(job);
		return;
	}
	e->kind = "batch";
	/* What is written must not have the key of a file in it. */
	e->input = e->pieces > 0 ? spool_id(job, false) : id;
	e->window = member(r, "completion_window");
	e->metadata = more.p == NULL ? "" : arena_dup(r->arena, more.p,
	    more.len);
	e->expires = 0;
	e->filename = e->purpose = "";
	r->chat.model = e->model;
	if (e->metadata == NULL || e->input == NULL)
		fail_row(job, ERR_INTERNAL);
	else if (e->pieces > 0)
		unspool(job);
	else
		hold(job);
}

static void
begin_create(struct filed *job)
{
	if (is_spooled(job))
		find_spooled(job, order);
	else
		find(job, member(job->request, "input_file_id"), order);
}

/* ------------------------------------------------------ batches that are */

static void
on_looked(void *arg, enum err e, const struct fault *f,
    const struct entry *entry)
{
	struct filed *job = arg;

	if (e == ERR_OK)
		answer_entry(job, entry);
	else
		fail(job, e, f);
}

static void
show_batch(struct filed *job)
{
	struct request *r = job->request;

	if (!is_batch(job, r->chat.path))
		return;
	r->chat.model = job->entry.model;
	batches_look(r->worker->batches, job->was, job->was_len, on_looked,
	    job);
}

static void
begin_batch(struct filed *job)
{
	find(job, job->request->chat.path, show_batch);
}

static void
on_cancelled(void *arg)
{
	struct filed *job = arg;

	if (!failed(job))
		show_batch(job);
}

static void
cancel(struct filed *job)
{
	struct request *r = job->request;
	struct http_call *call = new_call(job);

	if (is_batch(job, r->chat.path))
		ask(job, job->dialect->cancel(r->arena, job->provider,
		    r->chat.previous_own, call, &r->fault), on_cancelled);
}

static void
begin_cancel(struct filed *job)
{
	find(job, job->request->chat.path, cancel);
}

/* --------------------------------------------------------------- lists */

static void
show_one(struct filed *job, const char *text, size_t len)
{
	struct request *r = job->request;
	struct entry e;
	struct owner owner;

	if (job->shown == job->limit) {
		job->more = true;
		return;
	}
	if (!entry_read(r->arena, text, len, &e) || (*job->purpose != '\0' &&
	    strcmp(e.purpose, job->purpose) != 0))
		return;
	previous_owner_named(r, e.provider, &owner);
	entry_show(&job->writer, r->arena, &owner, &e);
	job->first = job->shown == 0 ? e.id : job->first;
	job->last = e.id;
	job->shown++;
}

static void
put_end(struct json_writer *w, const char *key, const char *id)
{
	jw_key(w, key);
	if (id == NULL)
		jw_null(w);
	else
		jw_string(w, id);
}

static void
on_listed(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct filed *job = arg;
	struct json_writer *w = &job->writer;

	if (e != ERR_OK) {
		note_store(job, why);
		fail_row(job, ERR_KEPT);
		return;
	}
	if (text != NULL) {
		show_one(job, text, len);
		return;
	}
	jw_end_array(w);
	put_end(w, "first_id", job->first);
	put_end(w, "last_id", job->last);
	canon_put_flag(w, "has_more", job->more);
	jw_end_object(w);
	answer_text(job, &job->list);
}

/* One value of the query, decoded, or NULL. */
static const char *
asked(struct request *r, const char *name)
{
	const char *p = r->query;
	size_t n = strlen(name), len;

	while (*p != '\0') {
		len = strcspn(p, "&");
		if (len > n && strncmp(p, name, n) == 0 && p[n] == '=')
			return percent_decode(r->arena, p + n + 1,
			    len - n - 1);
		p += len + (p[len] == '&');
	}
	return NULL;
}

static unsigned
asked_limit(struct request *r)
{
	const char *s = asked(r, "limit");
	unsigned n = 0;

	for (; s != NULL && *s >= '0' && *s <= '9' && n < 100000; s++)
		n = n * 10 + (unsigned)(*s - '0');
	return n == 0 ? LIST_USUAL : n > REGISTRY_PAGE ? REGISTRY_PAGE : n;
}

static void
begin_list(struct filed *job)
{
	struct request *r = job->request;
	bool files = strcmp(r->endpoint->word, "files") == 0;
	const char *owner = entry_owner(r->arena, files ? "file" : "batch",
	    r->key->name), *after = asked(r, "after");
	struct registry *rg = registry_of(job);

	if (rg == NULL)
		return;
	if (owner == NULL) {
		fail_row(job, ERR_INTERNAL);
		return;
	}
	job->limit = asked_limit(r);
	job->purpose = asked(r, "purpose");
	if (job->purpose == NULL)
		job->purpose = "";
	buf_init(&job->list, LIMIT_REPLY);
	jw_init(&job->writer, &job->list);
	jw_object(&job->writer);
	canon_put_text(&job->writer, "object", canon_lit("list"));
	jw_key(&job->writer, "data");
	jw_array(&job->writer);
	registry_list(rg, owner, after == NULL ? "" : after, job->limit + 1,
	    on_listed, job);
}

enum verdict
filed_list(struct request *r)
{
	static const struct route_facts none;
	struct filed *job = r->filed;

	if (job == NULL) {
		if (previous_retention(r, &none, "files and batches") !=
		    ERR_OK)
			return request_fault(r, r->fault.code);
		job = job_of(r);
		if (job == NULL)
			return request_fault(r, ERR_INTERNAL);
		begin_list(job);
	}
	return job->finished ? DONE : WAIT;
}

/* --------------------------------------------------------------- plans */

static bool
takes_batches(const struct deployment *d, const char *door)
{
	return batch_dialect_of(d->provider) != NULL &&
	    adapter_for(door, d->provider->adapter) != NULL;
}

/* The first request of a batch leads to where all of them go. */
static enum err
plan_lines(struct request *r, struct filed *job,
    const struct facts_source *from)
{
	const struct form_part *p = part_of(r);
	struct chat *chat = arena_alloc(r->arena, sizeof *chat);
	struct facts *facts = arena_zalloc(r->arena, sizeof *facts);
	struct facts_source src = *from;
	struct plan *plan = &r->plan;
	enum err e;
	size_t i;

	if (chat == NULL || facts == NULL)
		return fault_memory(&r->fault);
	e = lines_first(&job->lines, r->arena, p->data, p->len, chat,
	    &r->fault);
	if (e != ERR_OK)
		return e;
	r->chat.model = chat->model;
	src.chat = chat;
	src.operation = chat->word;
	e = facts_gather(facts, &src, &r->fault);
	if (e == ERR_OK)
		e = plan_make(r->policy, &facts->route, &facts->view,
		    r->arena, plan, &r->fault);
	if (e != ERR_OK)
		return e;
	for (i = 0; i < plan->count; i++)
		if (takes_batches(plan->order[i], chat->task.door))
			break;
	if (i == plan->count)
		return fault_set(&r->fault, ERR_BAD_REQUEST, "model",
		    "no provider of the model '%s' takes batches",
		    chat->model);
	plan->order[0] = plan->order[i];
	plan->count = 1;
	memset(plan->instead_count, 0, sizeof plan->instead_count);
	job->lines.deployment = plan->order[0];
	job->lines.strict = plan->strict;
	job->lines.output = r->key->max_output > 0 ? r->key->max_output :
	    OUTPUT_BOUND;
	return ERR_OK;
}

/* Any other file goes to the model's provider, or to the first that keeps. */
static enum err
plan_file(struct request *r, const struct facts_source *from,
    const struct route_facts *facts)
{
	const struct policy *p = r->policy;
	struct facts *own = arena_zalloc(r->arena, sizeof *own);
	const struct batch_dialect *dialect;
	enum err e;
	size_t i;

	if (own == NULL)
		return fault_memory(&r->fault);
	if (*r->chat.model != '\0') {
		e = facts_gather(own, from, &r->fault);
		if (e == ERR_OK)
			e = plan_make(p, &own->route, &own->view, r->arena,
			    &r->plan, &r->fault);
		return e == ERR_OK ? previous_alone(r,
		    &p->providers[r->plan.order[0]->provider->index]) : e;
	}
	for (i = 0; i < p->provider_count; i++) {
		dialect = batch_dialect_of(&p->providers[i]);
		if (dialect != NULL && dialect->keeps &&
		    alone_within(r, &p->providers[i], facts))
			return previous_alone(r, &p->providers[i]);
	}
	return fault_set(&r->fault, ERR_NO_ROUTE, NULL,
	    "no provider that this key may use keeps files");
}

static enum err
plan_kept(struct request *r, const char *what, const char *id,
    const struct route_facts *facts)
{
	const struct provider *p = previous_keeper(r, id);

	if (p == NULL) {
		missing(r, what, id);
		return ERR_NOT_FOUND;
	}
	return alone_within(r, p, facts) ? previous_alone(r, p) :
	    fault_set(&r->fault, ERR_NO_ROUTE, NULL,
		"its provider is not in the region that is demanded");
}

/* ---------------------------------------------------------- the doors */

static const struct door {
	const char *word;
	void (*begin)(struct filed *job);
	const char *what; /* that the path names, NULL: none */
} doors[] = {
	{ "upload", begin_upload, NULL },
	{ "batch_create", begin_create, NULL },
	{ "file", begin_file, "File" },
	{ "file_delete", begin_delete, "File" },
	{ "file_content", begin_content, "File" },
	{ "batch", begin_batch, "Batch" },
	{ "batch_cancel", begin_cancel, "Batch" },
};

static const struct door *
door_of(const struct request *r)
{
	size_t i;

	for (i = 0; i < sizeof doors / sizeof doors[0]; i++)
		if (strcmp(doors[i].word, r->endpoint->word) == 0)
			return &doors[i];
	return NULL;
}

bool
filed_is(const struct request *r)
{
	return r->chat.task.door != NULL &&
	    strcmp(r->chat.task.door, FILES_DOOR) == 0;
}

static enum err
plan(struct request *r, struct filed *job, const struct facts_source *from,
    const struct route_facts *facts)
{
	const struct door *door = door_of(r);

	if (door->what != NULL)
		return plan_kept(r, door->what, r->chat.path, facts);
	if (door->begin == begin_create)
		return plan_kept(r, "File", member(r, "input_file_id"),
		    facts);
	return strcmp(member(r, "purpose"), "batch") == 0 ?
	    plan_lines(r, job, from) : plan_file(r, from, facts);
}

enum err
filed_plan(struct request *r, const struct facts_source *from,
    const struct route_facts *facts)
{
	enum err e = previous_retention(r, facts, "files and batches");
	struct filed *job = job_of(r);

	if (job == NULL)
		return fault_memory(&r->fault);
	if (e == ERR_OK)
		e = plan(r, job, from, facts);
	if (e != ERR_OK)
		return e;
	job->provider = r->plan.order[0]->provider;
	job->dialect = batch_dialect_of(job->provider);
	job->lines.dialect = job->dialect;
	if (job->dialect == NULL)
		return fault_set(&r->fault, ERR_NOT_FOUND, NULL,
		    "the provider keeps neither files nor batches");
	return job->dialect->keeps || job->lines.arena != NULL ||
	    r->chat.form == NULL ? ERR_OK : fault_set(&r->fault,
	    ERR_BAD_REQUEST, "purpose", "the provider keeps no files but "
	    "those of batches");
}

enum verdict
filed_run(struct request *r)
{
	struct filed *job = r->filed;

	if (job == NULL)
		return GO;
	if (!job->begun) {
		job->begun = true;
		door_of(r)->begin(job);
	}
	return job->finished ? DONE : WAIT;
}

void
filed_drained(struct request *r)
{
	r->full = false;
	if (r->filed != NULL && !r->filed->finished)
		ask_resume(&r->filed->ask);
}

/* What changes something goes on to its end; what is only read does not. */
void
filed_gone(struct request *r)
{
	struct filed *job = r->filed;

	r->gone = true;
	if (job == NULL || job->finished || !job->ask.busy ||
	    job->ask.data == NULL)
		return;
	ask_end(&job->ask);
	fail_row(job, ERR_CLIENT_GONE);
}

void
filed_stop(struct request *r)
{
	struct filed *job = r->filed;

	/* The store answers soon. */
	if (job == NULL || job->finished || !job->ask.busy)
		return;
	ask_end(&job->ask);
	fail_row(job, ERR_DRAINING);
}

void
filed_close(struct request *r)
{
	struct filed *job = r->filed;

	if (job == NULL)
		return;
	ask_end(&job->ask);
	lines_end(&job->lines);
	buf_free(&job->list);
	buf_free(&job->input);
	if (job->reading)
		frames_free(&job->frames);
	arena_free(job->scratch);
	/* Of one that was sent nobody knows: its lease ends as charged. */
	if (job->hold.live && !job->hold.sent)
		ledger_release(r->worker->ledger, &job->hold, NULL, NULL);
	if (r->worker->ledger != NULL)
		ledger_forget(r->worker->ledger, &job->hold);
}
