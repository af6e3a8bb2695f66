/*
 * Images and speech: requests to every provider of them, and what it answers,
 * whole and as events. The first byte chooses the provider; the rest is a
 * request, a newline, an answer, or a form with the boundary "x". What is
 * written must be JSON or a form where it is to be; an answer ends at most
 * once.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/images.h"
#include "adapters/speech.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/form.h"
#include "app/base/frames.h"
#include "app/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every form that a provider has. */
static const struct {
	const char *door, *name, *model;
	unsigned quirks;
} rows[] = {
	{ "images", "images", "m", 0 },
	{ "images", "images", "m", QUIRK_IMAGES_PATH | QUIRK_IMAGE_PIXELS },
	{ "images", "gemini_images", "gemini-3-pro-image", 0 },
	{ "images", "gemini_images", "imagen-4.0", 0 },
	{ "images", "bedrock_images", "amazon.nova-canvas-v1:0", 0 },
	{ "images", "bedrock_images", "stability.sd3-5-large-v1:0", 0 },
	{ "speech", "speech", "m", 0 },
	{ "image_edits", "image_edits", "m", 0 },
	{ "image_edits", "image_edits", "m", QUIRK_IMAGE_RATIO },
	{ "image_edits", "image_edits", "m",
	    QUIRK_IMAGES_PATH | QUIRK_IMAGE_PIXELS },
	{ "image_edits", "image_edits", "kontext", QUIRK_IMAGE_PIXELS },
	{ "image_edits", "gemini_images", "gemini-3-pro-image", 0 },
	{ "image_edits", "bedrock_images", "amazon.nova-canvas-v1:0", 0 },
	{ "image_edits", "bedrock_images", "stability.sd3-5-large-v1:0", 0 },
	{ "image_variations", "image_variations", "m", 0 },
	{ "image_variations", "bedrock_images", "amazon.nova-canvas-v1:0",
	    0 },
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
	    call->type, call->body, call->body_len,
	    &t->fault) != ERR_OK)
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

static enum err
read_document(struct target *t, const char *p, size_t len)
{
	bool form = len > 2 && memcmp(p, "--x", 3) == 0;

	if (t->surface->form && (form || !t->surface->or_json))
		return read_form(t, p, len);
	return json_parse(&t->chat.doc, t->arena, p, len, &t->fault);
}

/* Each part; the answer is to the first. False: no request is read. */
static bool
ask(struct target *t, const char *p, size_t len)
{
	struct http_call call;
	size_t part = 0;
	enum err e;

	e = read_document(t, p, len);
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
		else
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
	    &t->out) == ERR_OK && reply.type == NULL)
		must_be_json(t, t->out.data, t->out.len);
}

static enum err
on_delta(void *arg, const struct delta *d)
{
	static const struct answer_meta meta = { .request_id = "req_1",
		.provider = "p", .model = "m", .cost = 7 };
	struct target *t = arg;

	if (d->kind == DELTA_ERROR)
		return ERR_UPSTREAM;
	t->ends += d->kind == DELTA_END;
	if (t->ends > 1)
		abort();
	return t->surface->write_delta(&t->writer, d, &meta, &t->out);
}

static enum err
on_event(void *arg, const struct sse_event *ev)
{
	struct target *t = arg;

	return t->to->read_event(&t->reader, ev, on_delta, t, &t->fault);
}

static void
stream(struct target *t, const char *p, size_t len)
{
	struct frames f;
	enum err e;

	if (t->to->read_event == NULL)
		return;
	frames_init(&f, t->chat.task.bytes ? FRAMING_RAW : FRAMING_SSE,
	    LIMIT_EVENT);
	e = frames_feed(&f, p, len, on_event, t);
	if (e == ERR_OK)
		e = frames_end(&f, on_event, t);
	if (e == ERR_OK)
		e = on_event(t, NULL);
	if (e == ERR_OK && t->ends != 1)
		abort();
	frames_free(&f);
}

static void
run(struct target *t, const char *text, size_t len)
{
	const char *cut = memchr(text, '\n', len);
	size_t n = cut == NULL || text[0] == '-' ? len :
	    (size_t)(cut - text);

	if (!ask(t, text, n) || n == len)
		return;
	answer(t, cut + 1, len - n - 1);
	buf_clear(&t->out);
	stream(t, cut + 1, len - n - 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target t;
	char *text;
	size_t i;

	if (size < 1)
		return 0;
	i = data[0] % (sizeof rows / sizeof rows[0]);
	memset(&t, 0, sizeof t);
	t.surface = t.chat.surface = adapter_find(rows[i].door);
	t.to = adapter_find(rows[i].name);
	t.arena = arena_new(MIB(64));
	t.provider = (struct provider){ .name = "p", .adapter = "openai",
		.base_url = "http://p", .key = "", .api_version = "",
		.quirks = rows[i].quirks };
	t.deployment = (struct deployment){ .id = "p/m",
		.model = rows[i].model, .provider = &t.provider };
	t.chat.model = t.chat.user = t.chat.path = t.chat.query =
	    t.chat.beta = "";
	t.reader = t.writer = (struct stream){ .arena = t.arena,
		.scratch = t.arena, .chat = &t.chat,
		.deployment = &t.deployment };
	buf_init(&t.out, MIB(16));
	text = t.arena == NULL ? NULL : arena_dup(t.arena,
	    (const char *)data + 1, size - 1);
	if (text != NULL)
		run(&t, text, size - 1);
	buf_free(&t.out);
	arena_free(t.arena);
	return 0;
}
