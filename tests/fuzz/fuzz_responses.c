/*
 * Responses and text completions: any request on its way to every dialect,
 * any answer on its way to every surface. The first byte chooses what the
 * rest is. Whatever is written must be JSON that our own parser takes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/frames.h"
#include "app/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct answer_meta meta = { .request_id = "req_1",
	.provider = "p", .model = "m", .cost = -1 };

struct trip {
	struct arena *arena, *scratch;
	const struct adapter *surface, *to;
	struct provider provider;
	struct deployment deployment;
	struct chat chat;
	struct stream reader, writer;
	struct buf out;
};

static void
trip_init(struct trip *t, const char *surface, const char *to)
{
	memset(t, 0, sizeof *t);
	t->arena = arena_new(MIB(64));
	t->scratch = arena_new(MIB(64));
	if (t->arena == NULL || t->scratch == NULL)
		abort();
	t->surface = adapter_find(surface);
	t->to = adapter_find(to);
	t->provider.name = "p";
	t->provider.adapter = to;
	t->provider.base_url = "http://p";
	t->provider.key = t->provider.organization = t->provider.project =
	    t->provider.region = t->provider.api_version = "";
	t->deployment.id = "p/m";
	t->deployment.model = "m";
	t->deployment.provider = &t->provider;
	t->chat.surface = t->surface;
	t->chat.path = t->chat.query = t->chat.beta = "";
	buf_init(&t->out, MIB(16));
}

static void
trip_free(struct trip *t)
{
	buf_free(&t->out);
	arena_free(t->scratch);
	arena_free(t->arena);
}

static void
must_be_json(struct trip *t, const char *p, size_t len)
{
	struct json doc;
	enum err e = json_parse(&doc, t->arena, p, len, NULL);

	if (e != ERR_OK && e != ERR_TOO_LARGE)
		abort();
}

/* False when the request is refused. */
static bool
request(struct trip *t, const char *p, size_t len)
{
	struct fault f = { .code = ERR_OK };
	struct http_call call;

	if (json_parse(&t->chat.doc, t->arena, p, len, &f) != ERR_OK ||
	    t->surface->read_request(t->arena, &t->chat, &f) != ERR_OK)
		return false;
	if (t->surface != t->to &&
	    t->surface->read_chat(t->arena, &t->chat, &f) != ERR_OK)
		return false;
	memset(&call, 0, sizeof call);
	if (t->to->write_request(t->arena, &t->chat, &t->deployment, &call,
	    &f) != ERR_OK)
		return false;
	must_be_json(t, call.body, call.body_len);
	return true;
}

static void
reply(struct trip *t, const char *p, size_t len)
{
	struct fault f = { .code = ERR_OK };
	struct reply r;

	memset(&r, 0, sizeof r);
	if (t->to->read_reply(t->arena, &t->chat, &t->deployment, p, len, &r,
	    &f) != ERR_OK || r.error != NULL)
		return;
	if (t->surface->write_reply(t->arena, &t->chat, &r, &meta,
	    &t->out) == ERR_OK)
		must_be_json(t, t->out.data, t->out.len);
}

static enum err
on_delta(void *arg, const struct delta *d)
{
	struct trip *t = arg;

	return d->kind == DELTA_ERROR ? ERR_UPSTREAM :
	    t->surface->write_delta(&t->writer, d, &meta, &t->out);
}

static enum err
on_event(void *arg, const struct sse_event *ev)
{
	struct fault f = { .code = ERR_OK };
	struct trip *t = arg;
	enum err e = t->to->read_event(&t->reader, ev, on_delta, t, &f);

	arena_reset(t->scratch);
	return e;
}

/* What a client reads must be events whose data are JSON. */
static enum err
written(void *arg, const struct sse_event *ev)
{
	if (ev->len != 6 || memcmp(ev->data, "[DONE]", 6) != 0)
		must_be_json(arg, ev->data, ev->len);
	return ERR_OK;
}

static void
stream(struct trip *t, const char *p, size_t len)
{
	struct frames f;
	enum err e;

	t->reader.arena = t->writer.arena = t->arena;
	t->reader.scratch = t->writer.scratch = t->scratch;
	t->reader.chat = t->writer.chat = &t->chat;
	t->reader.deployment = t->writer.deployment = &t->deployment;
	t->reader.pieces = t->writer.pieces = t->surface != t->to;
	frames_init(&f, t->to->framing, MIB(1));
	e = frames_feed(&f, p, len, on_event, t);
	if (e == ERR_OK)
		e = frames_end(&f, on_event, t);
	if (e == ERR_OK)
		on_event(t, NULL);
	frames_free(&f);
	if (t->out.failed)
		return;
	frames_init(&f, FRAMING_SSE, MIB(16));
	if (t->out.len > 0)
		frames_feed(&f, t->out.data, t->out.len, written, t);
	frames_free(&f);
}

/* Ways of a request or an answer; ask: a request that leads to it. */
static const struct {
	const char *surface, *to, *ask;
	void (*answer)(struct trip *t, const char *p, size_t len);
} ways[] = {
#define RESPONSES "{\"model\":\"m\",\"input\":\"a\",\"metadata\":{\n}}"
#define CHAT "{\"model\":\"m\",\"messages\":[{\"role\":\"user\"," \
	"\"content\":\"a\"}]}"
#define TEXT "{\"model\":\"m\",\"prompt\":\"a\",\"echo\":true}"
	{ "responses", "responses", NULL, NULL },
	{ "responses", "openai", NULL, NULL },
	{ "responses", "anthropic", NULL, NULL },
	{ "responses", "gemini", NULL, NULL },
	{ "openai", "responses", NULL, NULL },
	{ "anthropic", "responses", NULL, NULL },
	{ "completions", "openai", NULL, NULL },
	{ "completions", "completions", NULL, NULL },
	{ "openai", "responses", CHAT, reply },
	{ "openai", "responses", CHAT, stream },
	{ "responses", "responses", RESPONSES, reply },
	{ "responses", "responses", RESPONSES, stream },
	{ "responses", "openai", RESPONSES, reply },
	{ "responses", "openai", RESPONSES, stream },
	{ "completions", "openai", TEXT, reply },
	{ "completions", "openai", TEXT, stream },
	{ "completions", "completions", TEXT, reply },
	{ "completions", "completions", TEXT, stream },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t way;
	struct trip t;
	char *copy;

	if (len < 1)
		return 0;
	way = (size_t)(data[0] - 'a') % (sizeof ways / sizeof ways[0]);
	copy = malloc(len); /* exact, so that overruns are seen */
	if (copy == NULL)
		abort();
	memcpy(copy, data + 1, len - 1);
	trip_init(&t, ways[way].surface, ways[way].to);
	if (ways[way].answer == NULL)
		request(&t, copy, len - 1);
	else if (request(&t, ways[way].ask, strlen(ways[way].ask)))
		ways[way].answer(&t, copy, len - 1);
	trip_free(&t);
	free(copy);
	return 0;
}
