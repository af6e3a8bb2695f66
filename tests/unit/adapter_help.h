/*
 * What tests of adapters share: a request of a surface on its way to a
 * provider, and a provider's answer on its way back, without any program
 * around them.
 */
#ifndef TOLLGATE_TESTS_ADAPTER_HELP_H
#define TOLLGATE_TESTS_ADAPTER_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/frames.h"
#include "app/base/limits.h"

struct bench {
	struct arena *arena, *scratch;
	const struct adapter *surface, *to;
	struct provider provider;
	struct deployment deployment;
	struct chat chat;
	struct http_call call;
	struct fault fault;
	struct stream reader, writer;
	struct usage usage; /* of the answer */
	enum finish finish;
	int ends, errors;
	unsigned fail;	    /* of the last error */
	char message[256];
	struct buf out;	    /* what the client gets */
};

static inline void
bench_init(struct bench *b, const char *surface, const char *to)
{
	memset(b, 0, sizeof *b);
	b->arena = arena_new(MIB(64));
	b->scratch = arena_new(MIB(64));
	assert_non_null(b->arena);
	assert_non_null(b->scratch);
	b->surface = adapter_find(surface);
	b->to = adapter_find(to);
	assert_non_null(b->surface);
	assert_non_null(b->to);
	b->provider.name = "p";
	b->provider.adapter = to;
	b->provider.base_url = "http://provider.test";
	b->provider.key = b->provider.organization = b->provider.project =
	    b->provider.region = b->provider.api_version = "";
	b->deployment.id = "p/their-model";
	b->deployment.model = "their-model";
	b->deployment.provider = &b->provider;
	buf_init(&b->out, MIB(16));
}

static inline void
bench_free(struct bench *b)
{
	buf_free(&b->out);
	arena_free(b->scratch);
	arena_free(b->arena);
}

/* The client's request, read as the pipeline does. */
static inline void
bench_read(struct bench *b, const char *request)
{
	enum err e;

	b->chat.surface = b->surface;
	b->chat.path = b->chat.query = b->chat.beta = "";
	assert_int_equal(json_parse(&b->chat.doc, b->arena, request,
	    strlen(request), &b->fault), ERR_OK);
	e = b->surface->read_request(b->arena, &b->chat, &b->fault);
	if (e == ERR_OK && b->surface != b->to)
		e = b->surface->read_chat(b->arena, &b->chat, &b->fault);
	if (e != ERR_OK)
		fail_msg("%s: %s", b->fault.param, b->fault.text);
}

/* A body without spaces and the like: an enum err in *e, or must be good. */
static inline const char *
bench_ask(struct bench *b, const char *request, enum err *e)
{
	enum err got;

	bench_read(b, request);
	memset(&b->call, 0, sizeof b->call);
	got = b->to->write_request(b->arena, &b->chat, &b->deployment,
	    &b->call, &b->fault);
	if (e != NULL)
		*e = got;
	else if (got != ERR_OK)
		fail_msg("%s: %s", b->fault.param, b->fault.text);
	return got == ERR_OK ? b->call.body : "";
}

static inline enum err
bench_delta(void *arg, const struct delta *d)
{
	static const struct answer_meta meta = { .request_id = "req_1",
		.provider = "p", .model = "their-model", .cost = -1 };
	struct bench *b = arg;

	if (d->kind == DELTA_ERROR) {
		b->errors++;
		b->fail = d->error->fail;
		snprintf(b->message, sizeof b->message, "%s",
		    d->error->message);
		return ERR_UPSTREAM;
	}
	if (d->usage.known)
		b->usage = d->usage;
	if (d->finish != FINISH_NONE)
		b->finish = d->finish;
	b->ends += d->kind == DELTA_END;
	return b->surface->write_delta(&b->writer, d, &meta, &b->out);
}

static inline enum err
bench_event(void *arg, const struct sse_event *ev)
{
	struct bench *b = arg;
	enum err e;

	e = b->to->read_event(&b->reader, ev, bench_delta, b, &b->fault);
	arena_reset(b->scratch);
	return e;
}

/* A provider's stream, in pieces of `step` bytes, to the client. */
static inline enum err
bench_stream(struct bench *b, const char *bytes, size_t len, size_t step)
{
	struct frames f;
	enum err e = ERR_OK;
	size_t i, n;

	memset(&b->reader, 0, sizeof b->reader);
	memset(&b->writer, 0, sizeof b->writer);
	b->reader.arena = b->writer.arena = b->arena;
	b->reader.scratch = b->writer.scratch = b->scratch;
	b->reader.chat = b->writer.chat = &b->chat;
	b->reader.deployment = b->writer.deployment = &b->deployment;
	b->reader.pieces = b->writer.pieces = b->surface != b->to;
	buf_clear(&b->out);
	memset(&b->usage, 0, sizeof b->usage);
	b->finish = FINISH_NONE;
	b->ends = b->errors = 0;
	frames_init(&f, b->to->framing, LIMIT_EVENT);
	for (i = 0; i < len && e == ERR_OK; i += n) {
		n = len - i < step ? len - i : step;
		e = frames_feed(&f, bytes + i, n, bench_event, b);
	}
	if (e == ERR_OK)
		e = frames_end(&f, bench_event, b);
	if (e == ERR_OK && b->ends == 0)
		e = bench_event(b, NULL);
	frames_free(&f);
	return e;
}

/* A provider's whole answer; the client's words in out, or reply->error. */
static inline enum err
bench_reply(struct bench *b, const char *body, struct reply *reply)
{
	static const struct answer_meta meta = { .request_id = "req_1",
		.provider = "p", .model = "their-model", .cost = -1 };
	enum err e;

	memset(reply, 0, sizeof *reply);
	buf_clear(&b->out);
	e = b->to->read_reply(b->arena, &b->chat, &b->deployment, body,
	    strlen(body), reply, &b->fault);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	return b->surface->write_reply(b->arena, &b->chat, reply, &meta,
	    &b->out);
}

/* What was written has this text in it n times. */
static inline void
bench_has(struct bench *b, const char *text, int n)
{
	const char *p = b->out.data, *end = p + b->out.len;
	int found = 0;

	while (p != NULL && (p = memmem(p, (size_t)(end - p), text,
	    strlen(text))) != NULL)
		found++, p++;
	if (found != n)
		fail_msg("%d times, not %d: %s in %.*s", found, n, text,
		    (int)b->out.len, b->out.data);
}

#endif
