/*
 * The way of a request, readable from top to bottom: two tables and a loop.
 * A step says GO (on to the next), WAIT (enter me again when what I wait for
 * has come) or DONE (nothing further to do but close). The closing steps
 * always run, whatever was refused and whoever left.
 */
#include "app/pipeline.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/admit.h"
#include "app/answer.h"
#include "app/auth.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/form.h"
#include "app/base/limits.h"
#include "app/endpoint.h"
#include "app/explain.h"
#include "app/facts.h"
#include "app/filed.h"
#include "app/forward.h"
#include "app/passthrough.h"
#include "app/previous.h"
#include "app/record.h"
#include "app/request.h"
#include "app/upload.h"
#include "app/worker.h"

static enum verdict step_read(struct request *r);
static enum verdict step_plan(struct request *r);

static const struct {
	const char *name;
	enum verdict (*run)(struct request *r);
} way[] = {
	{ "route", endpoint_route },	/* method and path → endpoint */
	{ "authenticate", auth_check },	/* who asks → virtual key */
	{ "serve", endpoint_serve },	/* what the house answers itself */
	{ "read", step_read },		/* JSON at the door → chat */
	{ "plan", step_plan },		/* alias → ordered deployments */
	{ "previous", previous_check },	/* who keeps what it goes on with */
	{ "admit", admit_check },	/* hold limits and budgets */
	{ "filed", filed_run },		/* files and batches: done here */
	{ "forward", forward_run },	/* translate, send, fall back, stream */
};

static void (*const closing[])(struct request *r) = {
	filed_close, /* what is under way for files and batches */
	forward_settle, /* what the attempts cost */
	admit_settle, /* the hold becomes what was used */
	answer_close, /* whatever the client is still owed */
	record_write, /* one line: who, what, where, how much */
};

enum err
pipeline_form(struct request *r, const struct form *form, struct chat *chat)
{
	const char *text;
	struct buf b;
	enum err e;

	buf_init(&b, LIMIT_BODY * 2);
	form_json(form, &b);
	text = b.failed ? NULL : arena_dup(r->arena, b.data, b.len);
	chat->form = form;
	e = text == NULL ? fault_memory(&r->fault) :
	    json_parse(&chat->doc, r->arena, text, b.len, &r->fault);
	buf_free(&b);
	return e;
}

static enum err
read_form(struct request *r)
{
	const char *type = request_header(r, "CONTENT_TYPE");
	struct form *form = upload_form(r);
	enum err e = ERR_OK;

	if (form != NULL)
		return pipeline_form(r, form, &r->chat);
	form = arena_zalloc(r->arena, sizeof *form);
	if (form == NULL)
		return fault_memory(&r->fault);
	if (!form_is(type))
		return fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
		    "the body must be multipart/form-data");
	e = form_read(form, r->arena, type, r->x->body, r->x->body_len,
	    &r->fault);
	return e == ERR_OK ? pipeline_form(r, form, &r->chat) : e;
}

static enum err
read_document(struct request *r)
{
	const struct adapter *in = r->surface;
	bool form = in->form && (!in->or_json ||
	    form_is(request_header(r, "CONTENT_TYPE")));
	bool none = in->bodiless || in->raw;
	enum err e = in->raw ? passthrough_read(r) : ERR_OK;

	if (e != ERR_OK || form)
		return e != ERR_OK ? e : read_form(r);
	return json_parse(&r->chat.doc, r->arena, none ? "{}" : r->x->body,
	    none ? 2 : r->x->body_len, &r->fault);
}

static enum verdict
step_read(struct request *r)
{
	const char *coding = request_header(r, "HTTP_CONTENT_ENCODING");
	const char *beta = request_header(r, "HTTP_ANTHROPIC_BETA");
	enum verdict v;
	enum err e;

	if (coding != NULL && *coding != '\0' &&
	    strcmp(coding, "identity") != 0)
		return request_fail(r, ERR_ENCODED, NULL, "%s",
		    err_row(ERR_ENCODED)->text);
	v = upload_await(r);
	if (v != GO)
		return v;
	r->chat.surface = r->surface;
	r->chat.path = r->name;
	r->chat.query = r->query;
	r->chat.word = r->endpoint->word;
	r->chat.count = strcmp(r->endpoint->operation, "count") == 0;
	r->chat.beta = beta == NULL ? "" : beta;
	e = read_document(r);
	if (e == ERR_OK)
		e = facts_narrow(r->arena, &r->chat, &r->fault);
	if (e == ERR_OK)
		e = r->surface->read_request(r->arena, &r->chat, &r->fault);
	if (r->chat.count) /* as paths of Gemini say */
		r->chat.free = true;
	return e == ERR_OK ? GO : request_fault(r, e);
}

static const char *
header_of(void *arg, const char *name)
{
	return request_header(arg, name);
}

/* Does the client want to see the plan, and may its key? */
static bool
wants_plan(const struct request *r)
{
	const char *asked = request_header(r, "HTTP_X_TOLLGATE_EXPLAIN");

	return asked != NULL && strcmp(asked, "1") == 0 &&
	    (r->key->may & MAY_EXPLAIN) != 0;
}

static void
explain(struct request *r, enum err e)
{
	struct buf out;

	buf_init(&out, LIMIT_REPLY);
	explain_json(&r->plan, e, &r->fault, clock_mono(), LIMIT_EXPLAIN,
	    &out);
	if (!out.failed && out.len <= LIMIT_EXPLAIN)
		r->explanation = arena_dup(r->arena, out.data, out.len);
	buf_free(&out);
}

static enum verdict
step_plan(struct request *r)
{
	const struct facts_source from = {
		.arena = r->arena,
		.key = r->key,
		.chat = &r->chat,
		.operation = r->endpoint->word,
		.header = header_of,
		.arg = r,
		.health = r->worker->health,
		.wall = clock_wall(),
		.mono = clock_mono(),
		.arrived = r->arrived,
		.budget_left = admit_budget_left(r->worker, r->key),
		.prices = wants_plan(r),
		.draw = worker_random(r->worker),
	};
	struct facts f;
	enum err e;

	e = facts_gather(&f, &from, &r->fault);
	r->deadline = f.deadline;
	if (e == ERR_OK && filed_is(r)) {
		e = filed_plan(r, &from, &f.route);
	} else if (e == ERR_OK && r->surface->bodiless) {
		e = previous_plan(r, &f.route);
	} else if (e == ERR_OK && r->surface->raw) {
		e = passthrough_plan(r, &f.route);
	} else if (e == ERR_OK) {
		e = plan_make(r->policy, &f.route, &f.view, r->arena, &r->plan,
		    &r->fault);
		if (from.prices)
			explain(r, e);
	}
	return e == ERR_OK ? GO : request_fault(r, e);
}

enum verdict
request_fault(struct request *r, enum err e)
{
	r->err = e;
	if (r->fault.code != e)
		fault_set(&r->fault, e, NULL, "%s", err_row(e)->text);
	return DONE;
}

enum verdict
request_fail(struct request *r, enum err e, const char *param,
    const char *fmt, ...)
{
	char text[sizeof r->fault.text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fault_set(&r->fault, e, param, "%s", text);
	r->err = e;
	return DONE;
}

const char *
request_header(const struct request *r, const char *name)
{
	return exchange_param(r->x, name);
}

static void
release(struct request *r)
{
	issued_unref(r->issued);
	policy_unref(r->policy);
	arena_free(r->arena);
	r->magic = 0;
	free(r);
}

static void
timer_closed(uv_handle_t *h)
{
	release(h->data);
}

static void
finish(struct request *r)
{
	size_t i;

	for (i = 0; i < sizeof closing / sizeof closing[0]; i++)
		closing[i](r);
	admit_release(r);
	forward_release(r);
	worker_forget(r->worker, r);
	if (r->timer_open)
		uv_close((uv_handle_t *)&r->timer, timer_closed);
	else
		release(r);
}

void
pipeline_run(struct request *r)
{
	enum verdict v;

	assert(r->magic == REQUEST_MAGIC);
	while (r->step < sizeof way / sizeof way[0]) {
		v = way[r->step].run(r);
		if (v == WAIT)
			return;
		if (v == DONE)
			break;
		r->step++;
	}
	finish(r);
}

/* Does the request wait for its body? */
static bool
reads(const struct request *r)
{
	return r->step < sizeof way / sizeof way[0] &&
	    way[r->step].run == step_read;
}

void
pipeline_body(struct request *r)
{
	if (r->upload != NULL)
		upload_came(r);
	else if (reads(r))
		worker_wake(r->worker, r);
}

/* Nothing is under way but the body: that ends it. */
static void
stop_reading(struct request *r, enum err e)
{
	if (!reads(r))
		return;
	request_fault(r, e);
	worker_wake(r->worker, r);
}

void
pipeline_gone(struct request *r)
{
	stop_reading(r, ERR_CLIENT_GONE);
	forward_gone(r);
	filed_gone(r);
}

void
pipeline_stop(struct request *r)
{
	stop_reading(r, ERR_DRAINING);
	forward_stop(r);
	filed_stop(r);
}

void
pipeline_begin(struct worker *w, struct exchange *x)
{
	struct request *r = calloc(1, sizeof *r);

	if (r == NULL || (r->arena = arena_new(LIMIT_ARENA)) == NULL) {
		free(r);
		exchange_abort(x); /* no memory even for an error text */
		return;
	}
	r->magic = REQUEST_MAGIC;
	r->worker = w;
	r->x = x;
	r->arrived = x->arrived;
	x->user = r;
	r->policy = policy_ref(w->policy);
	worker_remember(w, r);
	pipeline_run(r);
}
