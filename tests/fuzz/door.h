/*
 * A door, fed with anything: a request, a newline, an answer to it. Whatever
 * is written must be JSON.
 */
#ifndef TOLLGATE_TESTS_FUZZ_DOOR_H
#define TOLLGATE_TESTS_FUZZ_DOOR_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A form that a provider has. */
struct door_row {
	const char *surface, *to, *model, *base;
	unsigned quirks;
};

struct target {
	const struct adapter *surface, *to;
	struct arena *arena;
	struct provider provider;
	struct deployment deployment;
	struct chat chat;
	struct fault fault;
	struct buf out;
};

static void
must_be_json(struct target *t, const char *p, size_t len)
{
	struct json doc;

	if (json_parse(&doc, t->arena, p, len, &t->fault) != ERR_OK)
		abort();
}

/* Each part; the answer is to the first. False: no request is read. */
static bool
ask(struct target *t, const char *p, size_t len)
{
	struct http_call call;
	size_t part = 0;
	enum err e;

	e = json_parse(&t->chat.doc, t->arena, p, len, &t->fault);
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
		must_be_json(t, call.body, call.body_len);
	} while (++part < call.parts && part < 4);
	return true;
}

static void
answer(struct target *t, const char *p, size_t len)
{
	static const struct answer_meta meta = { .request_id = "req_1",
		.provider = "p", .model = "m", .cost = 7 };
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

static void
run(struct target *t, const char *text, size_t len)
{
	const char *cut = memchr(text, '\n', len);
	size_t n = cut == NULL ? len : (size_t)(cut - text);

	if (ask(t, text, n) && cut != NULL)
		answer(t, cut + 1, len - n - 1);
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
