/* Large forms, from the client to a provider as they come. */
#include "app/upload.h"

#include <stdlib.h>
#include <string.h>

#include "app/attempt.h"
#include "app/base/arena.h"
#include "app/base/form.h"
#include "app/base/limits.h"
#include "app/forward.h"
#include "app/pipeline.h"

#define FILE_HEAD 64	/* bytes of a file that tell what it is */
#define LATE KIB(64)	/* bytes of fields behind the file */

struct upload {
	struct form form;
	struct form_part *file;
	int64_t length;	 /* bytes from the file on, -1 = not known */
	int64_t gone;	 /* bytes of the body before what is held */
	size_t taken;	 /* bytes of what is held that the attempt has */
	size_t good;	 /* bytes of it that may be taken */
	int64_t start;	 /* where the file begins in the body */
	bool spent;	 /* some of the file is not held any more */
	bool filed;	 /* the file is whole, what follows is looked at */
	bool whole;	 /* all of it is there, and good */
	bool broken;	 /* it will never be: r->fault */
	struct attempt *taker;
};

struct form *
upload_form(const struct request *r)
{
	return r->upload == NULL ? NULL : &r->upload->form;
}

int64_t
upload_length(const struct request *r)
{
	return r->upload->length;
}

bool
upload_broken(const struct request *r)
{
	return r->upload != NULL && r->upload->broken;
}

bool
upload_whole(const struct request *r)
{
	return r->upload == NULL || (!r->upload->spent &&
	    !r->upload->broken);
}

/* ---------------------------------------------------------- beginning */

/* As the server says; -1: it does not know, or it is no number. */
static int64_t
body_length(const struct request *r)
{
	const char *text = request_header(r, "CONTENT_LENGTH");
	char *end;
	long long n;

	if (text == NULL || *text < '0' || *text > '9')
		return -1;
	n = strtoll(text, &end, 10);
	return *end == '\0' ? n : -1;
}

/* Who signs a body must have it whole. */
static bool
signs(const struct policy *p)
{
	size_t i;

	for (i = 0; i < p->provider_count; i++)
		if (p->providers[i].auth == AUTH_HMAC ||
		    p->providers[i].auth == AUTH_SIGV4)
			return true;
	return false;
}

static bool
may_stream(const struct request *r)
{
	return r->surface->form && r->surface->file != NULL &&
	    !signs(r->policy);
}

/* The parts outlive the body that they stand in; of the file, its head. */
static enum err
keep_parts(struct request *r, struct upload *u)
{
	struct form_part *p;
	size_t i;

	for (i = 0; i < u->form.count; i++) {
		p = &u->form.part[i];
		if (p == u->file && p->held > FILE_HEAD)
			p->held = FILE_HEAD;
		p->data = arena_dup(r->arena, p->data, p->held);
		if (p->data == NULL)
			return fault_memory(&r->fault);
	}
	return ERR_OK;
}

/*
 * Does what has come suffice to plan, and the file's data begin? Its length is
 * until it ends the most that it can be.
 */
static enum verdict
begin(struct request *r)
{
	struct exchange *x = r->x;
	struct upload *u = arena_zalloc(r->arena, sizeof *u);
	const struct form_part *model;
	int64_t most = body_length(r);
	enum err e;

	e = u == NULL ? fault_memory(&r->fault) :
	    form_begin(&u->form, r->arena, request_header(r, "CONTENT_TYPE"),
	    x->body, x->body_len, &r->fault);
	if (e != ERR_OK)
		return request_fault(r, e);
	u->file = u->form.count == 0 ? NULL :
	    &u->form.part[u->form.count - 1];
	model = form_find(&u->form, "model");
	if (!u->form.open || u->file == NULL || u->file->filename == NULL ||
	    strcmp(u->file->name, r->surface->file) != 0 ||
	    model == NULL || model == u->file)
		return WAIT;
	u->start = u->file->data - x->body;
	u->length = most < 0 ? -1 : most - u->start;
	u->file->len = (size_t)((most < 0 ? (int64_t)LIMIT_UPLOAD : most) -
	    u->start);
	e = keep_parts(r, u);
	if (e != ERR_OK)
		return request_fault(r, e);
	exchange_take(x, (size_t)u->start);
	u->gone = u->start;
	r->upload = u;
	upload_came(r);
	return r->err == ERR_OK ? GO : DONE;
}

static enum verdict
too_large(struct request *r)
{
	return request_fail(r, ERR_TOO_LARGE, NULL, may_stream(r) ?
	    "the body is too large to be held: put all fields of the form "
	    "before '%s', and it goes on as it comes" : "%s",
	    may_stream(r) ? r->surface->file :
	    err_row(ERR_TOO_LARGE)->text);
}

enum verdict
upload_await(struct request *r)
{
	struct exchange *x = r->x;
	enum verdict v;

	if (r->err != ERR_OK) /* the wait was ended */
		return DONE;
	if (x->refused == ERR_TOO_LARGE)
		return too_large(r);
	if (x->refused != ERR_OK)
		return request_fault(r, x->refused);
	if (!x->more || r->upload != NULL)
		return GO;
	if (!r->surface->form && !r->surface->raw)
		return request_fail(r, ERR_BAD_REQUEST, NULL,
		    "the body must be JSON, not a form");
	if (body_length(r) > (int64_t)LIMIT_UPLOAD)
		return request_fault(r, ERR_TOO_LARGE);
	if (x->body_len < x->want)
		return WAIT;
	v = may_stream(r) ? begin(r) : WAIT;
	if (v != WAIT)
		return v;
	if (body_length(r) > (int64_t)LIMIT_BODY)
		return too_large(r);
	exchange_want(x, LIMIT_BODY + 1);
	return WAIT;
}

/* --------------------------------------------------------- as it comes */

static void
break_off(struct request *r, enum err e)
{
	r->upload->broken = true;
	request_fault(r, e);
	forward_broken(r);
}

/* Fields that decide who is asked, and at which price. */
static bool
decides(const char *name)
{
	static const char *const names[] = { "model", "models", "fallbacks",
		"stream" };
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* What stands behind the file may not change what was decided. */
static enum err
check_late(struct request *r, struct upload *u, size_t first)
{
	const struct form_part *p = &u->form.part[first];

	for (; p < u->form.part + u->form.count; p++)
		if (p->filename != NULL || decides(p->name))
			return fault_set(&r->fault, ERR_BAD_REQUEST, p->name,
			    "'%.64s' must stand before '%s' in a form of this "
			    "size", p->name, r->surface->file);
		else if (!p->plain) /* it goes on as it came */
			return fault_set(&r->fault, ERR_BAD_REQUEST, p->name,
			    "the header of '%.64s', behind '%s', must be "
			    "'form-data; name=\"…\"' and no more", p->name,
			    r->surface->file);
	return ERR_OK;
}

/* The fields behind the file are there: read the request anew with them. */
static enum err
read_late(struct request *r, struct upload *u)
{
	struct chat late = r->chat;
	size_t first = u->form.count, i;
	struct form_part *p;
	enum err e;

	e = form_rest(&u->form, r->arena, r->x->body + u->good,
	    r->x->body_len - u->good, &r->fault);
	if (e == ERR_OK)
		e = check_late(r, u, first);
	for (i = first; e == ERR_OK && i < u->form.count; i++) {
		p = &u->form.part[i];
		p->data = arena_dup(r->arena, p->data, p->len);
		if (p->data == NULL)
			e = fault_memory(&r->fault);
	}
	if (e != ERR_OK || u->form.count == first)
		return e;
	e = pipeline_form(r, &u->form, &late);
	if (e == ERR_OK)
		e = r->surface->read_request(r->arena, &late, &r->fault);
	if (e == ERR_OK)
		r->chat.doc = late.doc;
	return e;
}

/* The delimiter behind the file stands at u->good. */
static enum err
see_end(struct request *r, struct upload *u)
{
	struct exchange *x = r->x;
	enum err e;

	if (x->body_len - u->good > LATE)
		return fault_set(&r->fault, ERR_TOO_LARGE, NULL,
		    "the fields behind '%s' are too large", r->surface->file);
	if (x->more)
		return ERR_OK;
	if (u->length >= 0 && u->gone + (int64_t)x->body_len !=
	    u->start + u->length)
		return fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
		    "the body is not as long as its Content-Length says");
	u->file->len = (size_t)(u->gone + (int64_t)u->good - u->start);
	e = read_late(r, u);
	if (e != ERR_OK)
		return e;
	u->good = x->body_len;
	u->whole = true;
	return ERR_OK;
}

/* What of the held bytes may go on? */
static enum err
look(struct request *r, struct upload *u)
{
	struct exchange *x = r->x;
	enum form_says says;

	if (x->refused != ERR_OK)
		return fault_set(&r->fault, x->refused, NULL, "%s",
		    err_row(x->refused)->text);
	if (u->gone + (int64_t)x->body_len > (int64_t)LIMIT_UPLOAD)
		return fault_set(&r->fault, ERR_TOO_LARGE, NULL, "%s",
		    err_row(ERR_TOO_LARGE)->text);
	if (!u->filed) {
		u->good += form_data(&u->form, x->body + u->good,
		    x->body_len - u->good, &says);
		u->filed = says == FORM_END;
		if (says == FORM_ODD)
			return fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
			    "the form's boundary stands in its data");
		if (!u->filed && !x->more)
			return fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
			    "the multipart body is malformed: it has no end");
	}
	return u->filed ? see_end(r, u) : ERR_OK;
}

void
upload_came(struct request *r)
{
	struct upload *u = r->upload;
	enum err e;

	if (u->broken || u->whole || (r->forward != NULL &&
	    (r->forward->finished || r->forward->whole)))
		return;
	e = look(r, u);
	if (e != ERR_OK)
		break_off(r, e);
	else if (u->taker != NULL && u->taker->call != NULL)
		call_feed(u->taker->call);
}

/* ---------------------------------------------------------- its taker */

void
upload_begin(struct request *r, struct attempt *at)
{
	r->upload->taker = at;
	r->upload->taken = 0;
}

/* Nothing is left to give: make room for more, if there must be some. */
static void
make_room(struct request *r, struct upload *u)
{
	if (!u->spent && r->x->body_len < r->x->want)
		return; /* as long as all fits, it may be given again */
	if (u->taken == 0)
		return;
	u->spent = true;
	u->gone += (int64_t)u->taken;
	u->good -= u->taken;
	exchange_take(r->x, u->taken);
	u->taken = 0;
}

size_t
upload_more(struct attempt *at, char *to, size_t room)
{
	struct request *r = at->request;
	struct upload *u = r->upload;
	size_t n = u->good - u->taken;

	/* A body that was refused is not held any more. */
	if (u->broken || u->taker != at || r->x->refused != ERR_OK)
		return CALL_OFF;
	if (n == 0 && u->whole) {
		attempt_uploaded(at);
		return 0;
	}
	if (n == 0) {
		make_room(r, u);
		return CALL_LATER;
	}
	n = n < room ? n : room;
	memcpy(to, r->x->body + u->taken, n);
	u->taken += n;
	return n;
}
