/*
 * One adapter as a provider, fed with anything. The first byte says what the
 * rest is: a client's request, a whole answer, or a stream. Whatever is
 * written must be JSON; an answer ends at most once.
 */
#ifndef TOLLGATE_TESTS_FUZZ_PROVIDER_H
#define TOLLGATE_TESTS_FUZZ_PROVIDER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/frames.h"
#include "app/base/limits.h"

struct target {
	const struct adapter *surface, *to;
	struct arena *arena, *scratch;
	struct provider provider;
	struct deployment deployment;
	struct chat chat;
	struct stream reader, writer;
	struct fault fault;
	struct buf out;
	int ends;
};

static const struct answer_meta meta = { .request_id = "req_1",
	.provider = "p", .model = "m", .cost = 7 };

static void
must_be_json(struct target *t, const char *p, size_t len)
{
	struct json doc;

	if (json_parse(&doc, t->arena, p, len, &t->fault) != ERR_OK)
		abort();
}

static enum err
read_request(struct target *t, const char *p, size_t len)
{
	enum err e;

	t->chat.surface = t->surface;
	t->chat.path = t->chat.query = t->chat.beta = "";
	e = json_parse(&t->chat.doc, t->arena, p, len, &t->fault);
	if (e == ERR_OK)
		e = t->surface->read_request(t->arena, &t->chat, &t->fault);
	if (e == ERR_OK && t->surface != t->to)
		e = t->surface->read_chat(t->arena, &t->chat, &t->fault);
	return e;
}

static void
fuzz_request(struct target *t, const char *p, size_t len)
{
	struct http_call call;

	memset(&call, 0, sizeof call);
	if (read_request(t, p, len) == ERR_OK &&
	    t->to->write_request(t->arena, &t->chat, &t->deployment, &call,
		&t->fault) == ERR_OK)
		must_be_json(t, call.body, call.body_len);
}

static void
fuzz_reply(struct target *t, const char *p, size_t len)
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
	if (t->surface->write_reply(t->arena, &t->chat, &reply, &meta,
	    &t->out) == ERR_OK)
		must_be_json(t, t->out.data, t->out.len);
}

static enum err
on_delta(void *arg, const struct delta *d)
{
	struct target *t = arg;

	if (d->kind == DELTA_ERROR)
		return d->error->message == NULL ? (abort(), ERR_OK) :
		    ERR_UPSTREAM;
	t->ends += d->kind == DELTA_END;
	if (t->ends > 1)
		abort();
	return t->surface->write_delta(&t->writer, d, &meta, &t->out);
}

static enum err
on_event(void *arg, const struct sse_event *ev)
{
	struct target *t = arg;
	enum err e;

	e = t->to->read_event(&t->reader, ev, on_delta, t, &t->fault);
	arena_reset(t->scratch);
	return e;
}

static void
fuzz_stream(struct target *t, const char *p, size_t len)
{
	struct frames f;
	enum err e;

	frames_init(&f, t->to->framing, LIMIT_EVENT);
	e = frames_feed(&f, p, len, on_event, t);
	if (e == ERR_OK)
		e = frames_end(&f, on_event, t);
	if (e == ERR_OK)
		e = on_event(t, NULL);
	if (e == ERR_OK && t->ends != 1)
		abort();
	frames_free(&f);
}

static int
fuzz_provider(const char *name, unsigned quirks, const uint8_t *data,
    size_t size)
{
	static void (*const kinds[])(struct target *t, const char *p,
	    size_t len) = { fuzz_request, fuzz_reply, fuzz_stream };
	static const char *const surfaces[] = { "openai", "anthropic" };
	struct target t;
	char *text;

	if (size < 1)
		return 0;
	memset(&t, 0, sizeof t);
	t.to = adapter_find(name);
	t.surface = t.chat.surface = adapter_find(surfaces[data[0] / 4 % 2]);
	t.arena = arena_new(MIB(64));
	t.scratch = arena_new(MIB(64));
	t.provider = (struct provider){ .name = "p", .adapter = name,
		.base_url = "http://p", .key = "", .api_version = "",
		.quirks = quirks };
	t.deployment = (struct deployment){ .id = "p/m", .model = "m",
		.provider = &t.provider, .caps = data[0] & 8 ?
		    CAP_REASONING : 0 };
	t.chat.model = t.chat.user = t.chat.path = t.chat.query =
	    t.chat.beta = "";
	t.reader = (struct stream){ t.arena, t.scratch, &t.chat,
		&t.deployment, t.surface != t.to, NULL };
	t.writer = t.reader;
	buf_init(&t.out, MIB(16));
	text = t.arena == NULL || t.scratch == NULL ? NULL :
	    arena_dup(t.arena, (const char *)data + 1, size - 1);
	if (text != NULL)
		kinds[data[0] % 4 % 3](&t, text, size - 1);
	buf_free(&t.out);
	arena_free(t.scratch);
	arena_free(t.arena);
	return 0;
}

#endif
