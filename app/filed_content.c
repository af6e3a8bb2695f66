/* What stands in files. */
#include "app/filed_int.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/worker.h"

#define ANSWERS_TYPE "application/jsonl"

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

	if (!filed_failed(job))
		filed_done(job);
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

	if (filed_failed(job))
		return;
	frames_end(&job->frames, on_answer, job);
	filed_done(job);
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

	if (filed_failed(job) || !filed_object(job, &doc))
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
	filed_done(job);
}

static void
ask_answers(struct filed *job)
{
	struct request *r = job->request;
	const char *where = r->chat.previous_own;
	struct http_call *call;
	enum err e;

	if (!filed_is_batch(job, r->chat.path))
		return;
	job->scratch = arena_new(LIMIT_ARENA);
	if (!job->entry.settled || job->scratch == NULL ||
	    !results_of(&job->results, r->policy, &job->entry)) {
		filed_missing(r, "File", r->chat.path);
		filed_done(job);
		return;
	}
	call = filed_call(job);
	if (job->dialect->passes)
		where = job->errors ? job->entry.state.errors :
		    job->entry.state.output;
	if (*where == '\0') {
		filed_missing(r, "File", r->chat.path);
		filed_done(job);
		return;
	}
	e = job->dialect->results(r->arena, job->provider, where, call,
	    &r->fault);
	if (job->dialect->whole) {
		filed_ask(job, e, whole_done);
		return;
	}
	frames_init(&job->frames, FRAMING_LINES, LIMIT_EVENT_LARGE);
	job->reading = true;
	job->ask.head = answers_head;
	job->ask.data = answers_data;
	filed_ask(job, e, answers_done);
}

static void
sealed(struct filed *job)
{
	request_fail(job->request, ERR_BAD_REQUEST, "file_id", "what waits "
	    "for its batch here is sealed, and not given back");
	filed_done(job);
}

void
filed_content(struct filed *job)
{
	enum err e;

	if (filed_is_spooled(job)) {
		sealed(job);
		return;
	}
	if (filed_is_answers(job)) {
		filed_find_batch(job, ask_answers);
		return;
	}
	if (!filed_keeps(job))
		return;
	e = filed_call_file(job, "GET", "/content");
	job->ask.head = content_head;
	job->ask.data = content_data;
	filed_ask(job, e, content_done);
}
