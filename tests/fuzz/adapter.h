/*
 * Any bytes to an adapter: as a client's request (written to providers of
 * its own dialect and of another), as a provider's whole answer, and as its
 * stream. What is written must be JSON; a stream must read the same however
 * it is cut. The first byte chooses what the rest is, and the other dialect.
 */
#ifndef TOLLGATE_FUZZ_ADAPTER_H
#define TOLLGATE_FUZZ_ADAPTER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/frames.h"
#include "app/base/json.h"
#include "app/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct answer_meta fuzz_meta = { .request_id = "req_1",
	.provider = "p", .model = "m", .cost = -1 };

struct fuzz {
	struct arena *arena, *scratch;
	const struct adapter *surface, *to;
	struct provider provider;
	struct deployment deployment;
	struct chat chat;
	struct fault fault;
	struct stream reader, writer;
	struct buf out;
	int ends;
};

static inline void
demand(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "not so: %s\n", what);
		abort();
	}
}

static inline void
fuzz_init(struct fuzz *x, const char *surface, const char *to)
{
	memset(x, 0, sizeof *x);
	x->arena = arena_new(MIB(64));
	x->scratch = arena_new(MIB(64));
	demand(x->arena != NULL && x->scratch != NULL, "memory");
	x->surface = adapter_find(surface);
	x->to = adapter_find(to);
	x->provider.name = "p";
	x->provider.adapter = to;
	x->provider.base_url = "http://p";
	x->provider.key = x->provider.organization = x->provider.project =
	    x->provider.region = x->provider.api_version = "";
	x->deployment.provider = &x->provider;
	x->deployment.id = "p/m";
	x->deployment.model = "gemini-3-claude-opus-5";
	x->chat.surface = x->surface;
	x->chat.path = "model:streamGenerateContent";
	x->chat.query = "alt=sse";
	x->chat.beta = x->chat.user = "";
	x->chat.stream_usage = true;
	x->chat.choices = 1;
	x->reader = (struct stream){ .arena = x->arena,
		.scratch = x->scratch, .chat = &x->chat,
		.deployment = &x->deployment,
		.pieces = x->surface != x->to };
	x->writer = x->reader;
	buf_init(&x->out, MIB(64));
}

static inline void
fuzz_free(struct fuzz *x)
{
	buf_free(&x->out);
	arena_free(x->arena);
	arena_free(x->scratch);
}

static inline void
demand_json(const char *p, size_t len, const char *what)
{
	struct arena *a = arena_new(MIB(256));
	struct json doc;

	demand(a != NULL && json_parse(&doc, a, p, len, NULL) == ERR_OK, what);
	arena_free(a);
}

static inline void
fuzz_request(struct fuzz *x, const char *p, size_t len)
{
	struct http_call call = { 0 };
	enum err e;

	e = json_parse(&x->chat.doc, x->arena, p, len, &x->fault);
	if (e == ERR_OK)
		e = x->surface->read_request(x->arena, &x->chat, &x->fault);
	if (e == ERR_OK && x->surface != x->to)
		e = x->surface->read_chat(x->arena, &x->chat, &x->fault);
	if (e == ERR_OK)
		e = x->to->write_request(x->arena, &x->chat, &x->deployment,
		    &call, &x->fault);
	if (e == ERR_OK)
		demand_json(call.body, call.body_len, "a request is JSON");
	else
		demand(x->fault.code == e, "a fault tells why");
}

static inline void
fuzz_reply(struct fuzz *x, const char *p, size_t len)
{
	struct reply reply = { 0 };
	enum err e;

	e = x->to->read_reply(x->arena, &x->chat, &x->deployment, p, len,
	    &reply, &x->fault);
	if (e != ERR_OK || reply.error != NULL)
		return;
	e = x->surface->write_reply(x->arena, &x->chat, &reply, &fuzz_meta,
	    &x->out);
	demand(e == ERR_OK, "an answer that was read can be written");
	demand_json(x->out.data, x->out.len, "an answer is JSON");
}

static inline enum err
fuzz_delta(void *arg, const struct delta *d)
{
	struct fuzz *x = arg;

	if (d->kind == DELTA_ERROR)
		return ERR_UPSTREAM;
	x->ends += d->kind == DELTA_END;
	demand(x->ends < 2, "one end");
	return x->surface->write_delta(&x->writer, d, &fuzz_meta, &x->out);
}

static inline enum err
fuzz_event(void *arg, const struct sse_event *ev)
{
	struct fuzz *x = arg;
	enum err e;

	e = x->to->read_event(&x->reader, ev, fuzz_delta, x, &x->fault);
	arena_reset(x->scratch);
	return e;
}

static inline enum err
demand_event(void *arg, const struct sse_event *ev)
{
	(void)arg;
	if (ev->len != 6 || memcmp(ev->data, "[DONE]", 6) != 0)
		demand_json(ev->data, ev->len, "an event is JSON");
	return ERR_OK;
}

/* A stream in pieces of so many bytes; how it ended. */
static inline enum err
fuzz_stream(struct fuzz *x, const char *p, size_t len, size_t step)
{
	enum err e = ERR_OK;
	struct frames f;
	size_t n;

	frames_init(&f, x->to->framing, LIMIT_EVENT);
	for (; len > 0 && e == ERR_OK; p += n, len -= n) {
		n = len < step ? len : step;
		e = frames_feed(&f, p, n, fuzz_event, x);
	}
	if (e == ERR_OK)
		e = frames_end(&f, fuzz_event, x);
	if (e == ERR_OK && x->ends == 0)
		e = fuzz_event(x, NULL);
	frames_free(&f);
	if (e != ERR_OK)
		return e;
	demand(x->ends == 1, "an end");
	frames_init(&f, FRAMING_SSE, LIMIT_EVENT * 4);
	if (x->out.len > 0)
		demand(frames_feed(&f, x->out.data, x->out.len, demand_event,
		    x) == ERR_OK, "events of ours");
	frames_free(&f);
	return e;
}

static inline int
fuzz_adapter(const char *name, const uint8_t *data, size_t size)
{
	static const char *const others[] = { "openai", "anthropic",
		"gemini", "responses" };
	const char *p = (const char *)data + 1, *other;
	enum err whole, cut;
	struct fuzz x;

	if (size < 2)
		return 0;
	other = others[data[0] / 3 % 4];
	size--;
	if (data[0] % 3 == 0) {
		fuzz_init(&x, name, other);
		fuzz_request(&x, p, size);
		fuzz_free(&x);
		return 0;
	}
	fuzz_init(&x, other, name);
	if (data[0] % 3 == 1) {
		fuzz_reply(&x, p, size);
		fuzz_free(&x);
		return 0;
	}
	whole = fuzz_stream(&x, p, size, size);
	fuzz_free(&x);
	fuzz_init(&x, other, name);
	cut = fuzz_stream(&x, p, size, 1 + size / 7);
	fuzz_free(&x);
	demand(whole == cut, "cuts change nothing");
	return 0;
}

#endif
