/*
 * A door, fed with anything: a request, a newline, an answer to it, taken
 * whole and as a stream; or, where it takes forms, one with the boundary "x"
 * and nothing behind it. What is written must be JSON or a form where it is to
 * be; an answer ends once.
 */
#ifndef TOLLGATE_TESTS_FUZZ_DOOR_H
#define TOLLGATE_TESTS_FUZZ_DOOR_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/form.h"
#include "app/base/frames.h"
#include "app/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A form that a provider has; word: what to do, where a path says it. */
struct door_row {
	const char *surface, *to, *model, *base;
	unsigned quirks;
	const char *word;
};

struct target {
	const struct adapter *surface, *to;
	struct arena *arena;
	struct provider provider;
	struct deployment deployment;
	struct chat chat;
	struct form form;
	struct stream reader, writer;
	struct fault fault;
	struct buf out;
	int ends;
};

static const struct answer_meta door_meta = { .request_id = "req_1",
	.provider = "p", .model = "m", .cost = 7 };

static void
must_be_json(struct target *t, const char *p, size_t len)
{
	struct json doc;

	if (json_parse(&doc, t->arena, p, len, &t->fault) != ERR_OK)
		abort();
}

static void
must_be_form(struct target *t, const struct http_call *call)
{
	struct form form;

	if (call->body_len < FORM_HEAD && form_read(&form, t->arena,
	    call->type, call->body, call->body_len, &t->fault) != ERR_OK)
		abort();
}

/* A form, and its fields as the document. */
static enum err
read_form(struct target *t, const char *p, size_t len)
{
	struct buf b;
	enum err e = form_read(&t->form, t->arena,
	    "multipart/form-data; boundary=x", p, len, &t->fault);

	if (e != ERR_OK)
		return e;
	buf_init(&b, MIB(16));
	form_json(&t->form, &b);
	t->chat.form = &t->form;
	p = arena_dup(t->arena, b.data, b.len);
	len = b.len;
	buf_free(&b);
	return p == NULL ? ERR_INTERNAL :
	    json_parse(&t->chat.doc, t->arena, p, len, &t->fault);
}

/* A request without a body has its query there. */
static enum err
read_text(struct target *t, const char *p, size_t len)
{
	bool form = len > 2 && memcmp(p, "--x", 3) == 0;

	if (t->surface->form && (form || !t->surface->or_json))
		return read_form(t, p, len);
	if (!t->surface->bodiless)
		return json_parse(&t->chat.doc, t->arena, p, len, &t->fault);
	t->chat.query = arena_dup(t->arena, p, len);
	if (t->chat.query == NULL || strlen(t->chat.query) != len)
		return ERR_BAD_REQUEST;
	return json_parse(&t->chat.doc, t->arena, "{}", 2, &t->fault);
}

/* Each part; the answer is to the first. False: no request is read. */
static bool
ask(struct target *t, const char *p, size_t len)
{
	struct http_call call;
	size_t part = 0;
	enum err e;

	e = read_text(t, p, len);
	if (e == ERR_OK)
		e = t->surface->read_request(t->arena, &t->chat, &t->fault);
	if (e == ERR_OK && t->surface != t->to)
		e = t->surface->read_chat(t->arena, &t->chat, &t->fault);
	if (e != ERR_OK)
		return false;
	do {
		memset(&call, 0, sizeof call);
		call.part = part;
		if (t->to->write_request(t->arena, &t->chat, &t->deployment,
		    &call, &t->fault) != ERR_OK)
			break;
		if (call.type != NULL)
			must_be_form(t, &call);
		else if (!t->surface->bodiless)
			must_be_json(t, call.body, call.body_len);
	} while (++part < call.parts && part < 4);
	return true;
}

static void
answer(struct target *t, const char *p, size_t len)
{
	struct upstream_error error;
	struct reply reply;

	memset(&reply, 0, sizeof reply);
	memset(&error, 0, sizeof error);
	t->to->classify(t->arena, 400, p, len, &error);
	if (error.message == NULL)
		abort();
	if (t->to->read_reply(t->arena, &t->chat, &t->deployment, p, len,
	    &reply, &t->fault) != ERR_OK || reply.error != NULL)
		return;
	if (t->surface->write_reply(t->arena, &t->chat, &reply, &door_meta,
	    &t->out) == ERR_OK && reply.type == NULL)
		must_be_json(t, t->out.data, t->out.len);
}

static enum err
on_delta(void *arg, const struct delta *d)
{
	struct target *t = arg;

	if (d->kind == DELTA_ERROR)
		return ERR_UPSTREAM;
	t->ends += d->kind == DELTA_END;
	if (t->ends > 1)
		abort();
	return t->surface->write_delta(&t->writer, d, &door_meta, &t->out);
}

static enum err
on_event(void *arg, const struct sse_event *ev)
{
	struct target *t = arg;

	return t->to->read_event(&t->reader, ev, on_delta, t, &t->fault);
}

/* As events; one that has ended gets nothing more. */
static void
stream(struct target *t, const char *p, size_t len)
{
	struct frames f;
	enum err e;

	t->reader = t->writer = (struct stream){ .arena = t->arena,
		.scratch = t->arena, .chat = &t->chat,
		.deployment = &t->deployment };
	buf_clear(&t->out);
	frames_init(&f, t->chat.task.bytes ? FRAMING_RAW : FRAMING_SSE,
	    LIMIT_EVENT);
	e = frames_feed(&f, p, len, on_event, t);
	if (e == ERR_OK)
		e = frames_end(&f, on_event, t);
	if (e == ERR_OK && t->ends == 0)
		e = on_event(t, NULL);
	if (e == ERR_OK && t->ends != 1)
		abort();
	frames_free(&f);
}

static void
run(struct target *t, const char *text, size_t len)
{
	const char *cut = memchr(text, '\n', len);
	bool form = t->surface->form && len > 0 && text[0] == '-';
	size_t n = cut == NULL || form ? len : (size_t)(cut - text);

	if (!ask(t, text, n) || n == len)
		return;
	answer(t, cut + 1, len - n - 1);
	if (t->to->read_event != NULL)
		stream(t, cut + 1, len - n - 1);
}

/* The first byte chooses the row. */
static int
door_run(const struct door_row *rows, size_t count, const uint8_t *data,
    size_t size)
{
	const struct door_row *row;
	struct target t;
	char *text;

	if (size < 1)
		return 0;
	row = &rows[data[0] % count];
	memset(&t, 0, sizeof t);
	t.surface = t.chat.surface = adapter_find(row->surface);
	t.to = adapter_find(row->to);
	t.arena = arena_new(MIB(64));
	t.provider = (struct provider){ .name = "p", .adapter = "openai",
		.base_url = row->base, .key = "", .api_version = "",
		.quirks = row->quirks };
	t.deployment = (struct deployment){ .id = "p/m",
		.model = row->model, .provider = &t.provider };
	t.chat.model = t.chat.user = t.chat.path = t.chat.query =
	    t.chat.beta = "";
	t.chat.word = row->word == NULL ? "" : row->word;
	t.chat.previous_own = "resp_1";
	buf_init(&t.out, MIB(16));
	text = t.arena == NULL ? NULL : arena_dup(t.arena,
	    (const char *)data + 1, size - 1);
	if (text != NULL)
		run(&t, text, size - 1);
	buf_free(&t.out);
	arena_free(t.arena);
	return 0;
}

#endif
