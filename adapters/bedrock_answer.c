/* Answers of Converse, whole and streamed. */
#include "adapters/bedrock.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/citation.h"
#include "adapters/errors.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/sse.h"

#define BLOCKS_MAX 256 /* content blocks of a stream */

static const struct {
	const char *word;
	enum finish finish;
} reasons[] = {
	{ "end_turn", FINISH_STOP },
	{ "stop_sequence", FINISH_STOP },
	{ "tool_use", FINISH_TOOLS },
	{ "max_tokens", FINISH_LENGTH },
	{ "model_context_window_exceeded", FINISH_LENGTH },
	{ "guardrail_intervened", FINISH_CONTENT },
	{ "content_filtered", FINISH_CONTENT },
	{ "malformed_model_output", FINISH_ERROR },
	{ "malformed_tool_use", FINISH_ERROR },
};

/* calls: of the client's tools; the provider's own have been run already. */
static enum finish
finish_of(const struct json *doc, uint32_t v, bool calls)
{
	enum finish finish = json_type(doc, v) == JSON_STRING ? FINISH_STOP :
	    FINISH_NONE;
	size_t i;

	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (json_is(doc, v, reasons[i].word))
			finish = reasons[i].finish;
	return finish == FINISH_TOOLS && !calls ? FINISH_STOP : finish;
}

/* ------------------------------------------------------------- usage */

/* inputTokens counts neither what was read from the cache nor written to it. */
static void
read_usage(const struct json *doc, struct usage *out)
{
	uint32_t u = json_get(doc, JSON_ROOT, "usage");
	uint32_t list = json_get(doc, u, "cacheDetails"), v;
	int64_t written, hour = 0, n;

	if (!json_int(doc, json_get(doc, u, "inputTokens"), &n) &&
	    !json_int(doc, json_get(doc, u, "outputTokens"), &n))
		return;
	out->known = true;
	out->n[UNIT_INPUT] = reply_count(doc, u, "inputTokens");
	out->n[UNIT_OUTPUT] = reply_count(doc, u, "outputTokens");
	out->n[UNIT_CACHED_INPUT] = reply_count(doc, u,
	    "cacheReadInputTokens");
	written = reply_count(doc, u, "cacheWriteInputTokens");
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		if (json_is(doc, json_get(doc, v, "ttl"), "1h"))
			hour += reply_count(doc, v, "inputTokens");
	hour = at_most(hour, written);
	out->n[UNIT_CACHE_WRITE] = written - hour;
	out->n[UNIT_CACHE_WRITE_1H] = hour;
	reply_service(doc, json_at(doc, JSON_ROOT, "serviceTier", "type",
	    NULL), &out->service);
}

/* ----------------------------------------------------- whole answers */

/* A citation of something with an address as one of OpenAI's annotations. */
static void
write_citation(const struct json *doc, uint32_t v, struct json_writer *w,
    struct arena *a)
{
	uint32_t web = json_at(doc, v, "location", "web", NULL);
	uint32_t said = json_first(doc, json_get(doc, v, "sourceContent"));
	struct citation c = {
		.url = canon_str(doc, json_get(doc, web, "url"), a),
		.title = canon_str(doc, json_get(doc, v, "title"), a),
		.content = canon_str(doc, json_get(doc, said, "text"), a) };

	if (c.title.p == NULL)
		c.title = canon_str(doc, json_get(doc, web, "domain"), a);
	if (c.url.len > 0)
		citation_write(w, &c);
}

static bool
is_servers(const struct json *doc, uint32_t use)
{
	return json_is(doc, json_get(doc, use, "type"), "server_tool_use");
}

static void
read_reasoning(const struct json *doc, uint32_t v, struct part *p,
    struct arena *a)
{
	uint32_t text = json_get(doc, v, "reasoningText");

	p->kind = PART_REASONING;
	p->origin = "bedrock";
	p->text = canon_str(doc, json_get(doc, text, "text"), a);
	p->signature = canon_str(doc, json_get(doc, text, "signature"), a);
	if (p->signature.len == 0)
		p->signature = (struct str){ NULL, 0 };
	p->sealed = canon_str(doc, json_get(doc, v, "redactedContent"), a);
}

static void
read_image(const struct json *doc, uint32_t v, struct part *p,
    struct arena *a)
{
	const char *format = json_cstr(doc, json_get(doc, v, "format"), a);

	p->kind = PART_IMAGE;
	p->data = canon_str(doc, json_at(doc, v, "source", "bytes", NULL), a);
	p->media_type = canon_printf(a, "image/%s", format == NULL ? "png" :
	    format);
}

static void
read_call(const struct json *doc, uint32_t v, struct part *p, struct arena *a)
{
	p->kind = PART_CALL;
	p->id = canon_str(doc, json_get(doc, v, "toolUseId"), a);
	p->name = canon_str(doc, json_get(doc, v, "name"), a);
	p->args = canon_raw(doc, json_get(doc, v, "input"));
	if (p->args.p == NULL)
		p->args = canon_lit("{}");
}

/* Text with citations comes in a block of its own. */
static bool
read_cited(const struct json *doc, uint32_t v, struct parts *out)
{
	uint32_t list = json_get(doc, v, "content"), t;
	struct part *p;

	for (t = json_first(doc, list); t != JSON_NONE;
	    t = json_next(doc, list, t)) {
		p = parts_add(out);
		if (p == NULL)
			return false;
		p->kind = PART_TEXT;
		p->text = canon_str(doc, json_get(doc, t, "text"),
		    out->arena);
	}
	return true;
}

static bool
read_block(const struct json *doc, uint32_t b, struct parts *out)
{
	uint32_t call = json_get(doc, b, "toolUse");
	uint32_t thought = json_get(doc, b, "reasoningContent");
	uint32_t image = json_get(doc, b, "image");
	uint32_t text = json_get(doc, b, "text");
	struct part *p;

	if (json_get(doc, b, "citationsContent") != JSON_NONE)
		return read_cited(doc, json_get(doc, b, "citationsContent"),
		    out);
	p = parts_add(out);
	if (p == NULL)
		return false;
	if (json_type(doc, text) == JSON_STRING) {
		p->kind = PART_TEXT;
		p->text = canon_str(doc, text, out->arena);
	} else if (call != JSON_NONE && !is_servers(doc, call)) {
		read_call(doc, call, p, out->arena);
	} else if (thought != JSON_NONE) {
		read_reasoning(doc, thought, p, out->arena);
	} else if (image != JSON_NONE) {
		read_image(doc, image, p, out->arena);
	} else {
		p->kind = PART_OTHER;
		p->origin = "bedrock";
		p->raw = canon_raw(doc, b);
	}
	return true;
}

static struct str
citations(const struct json *doc, uint32_t content, struct arena *a)
{
	struct json_writer w;
	uint32_t b, list, c;
	struct buf out;

	buf_init(&out, LIMIT_BODY_TEXT);
	jw_init(&w, &out);
	jw_array(&w);
	for (b = json_first(doc, content); b != JSON_NONE;
	    b = json_next(doc, content, b)) {
		list = json_at(doc, b, "citationsContent", "citations", NULL);
		for (c = json_first(doc, list); c != JSON_NONE;
		    c = json_next(doc, list, c))
			write_citation(doc, c, &w, a);
	}
	jw_end_array(&w);
	return canon_take_list(a, &out);
}

static enum err
read_content(const struct json *doc, uint32_t content, struct arena *a,
    struct reply *reply)
{
	struct parts parts = { .arena = a };
	struct choice *c = arena_zalloc(a, sizeof *c);
	bool calls = false;
	uint32_t b;
	size_t i;

	if (c == NULL)
		return ERR_INTERNAL;
	for (b = json_first(doc, content); b != JSON_NONE;
	    b = json_next(doc, content, b))
		if (!read_block(doc, b, &parts))
			return ERR_INTERNAL;
	for (i = 0; i < parts.count; i++)
		calls |= parts.list[i].kind == PART_CALL;
	c->parts = parts.list;
	c->part_count = parts.count;
	c->finish = reply->finish = finish_of(doc, json_get(doc, JSON_ROOT,
	    "stopReason"), calls);
	c->stop = canon_str(doc, json_at(doc, JSON_ROOT,
	    "additionalModelResponseFields", "stop_sequence", NULL), a);
	c->citations = citations(doc, content, a);
	reply->choices = c;
	reply->choice_count = 1;
	return ERR_OK;
}

enum err
bedrock_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json doc;
	uint32_t content;

	(void)chat;
	(void)d;
	if (json_parse(&doc, a, body, len, NULL) != ERR_OK)
		return reply_bad(f, "not JSON");
	content = json_at(&doc, JSON_ROOT, "output", "message", "content",
	    NULL);
	if (json_type(&doc, content) != JSON_ARRAY)
		return reply_bad(f, "no content");
	reply->from = &adapter_bedrock;
	reply->raw = (struct str){ body, len };
	read_usage(&doc, &reply->usage);
	reply->text_bytes = canon_text_bytes(&doc, content);
	return read_content(&doc, content, a, reply);
}

/* ------------------------------------------------------------ stream */

enum block { BLOCK_PLAIN, BLOCK_CALL, BLOCK_SERVERS };

/* What a stream must remember between events. */
struct seen {
	int64_t calls;		      /* of the client's tools, begun */
	int64_t call[BLOCKS_MAX];     /* block → call */
	unsigned char kind[BLOCKS_MAX]; /* enum block */
	bool args[BLOCKS_MAX];	      /* the call has had some */
	bool started, stopped, ended;
};

/* One event on its way into a delta. */
struct event {
	struct arena *scratch;
	struct seen *seen;
	const struct json *doc;
	struct pieces pieces;
	struct delta d;
	int64_t block; /* 0..BLOCKS_MAX - 1 */
	bool bad;
};

static struct str
text_at(const struct event *e, uint32_t obj, const char *key)
{
	return canon_str(e->doc, json_get(e->doc, obj, key), e->scratch);
}

static void
put_args(struct event *e, struct str s)
{
	struct piece *p = pieces_add(&e->pieces, PIECE_ARGS, 0);

	if (p == NULL)
		return;
	p->call = e->seen->call[e->block];
	p->text = s;
	e->seen->args[e->block] = true;
}

static void
on_start(struct event *e)
{
	e->seen->started = true;
}

static void
on_block_start(struct event *e)
{
	uint32_t use = json_at(e->doc, JSON_ROOT, "start", "toolUse", NULL);
	struct piece *p;

	e->seen->kind[e->block] = use == JSON_NONE ? BLOCK_PLAIN :
	    is_servers(e->doc, use) ? BLOCK_SERVERS : BLOCK_CALL;
	if (e->seen->kind[e->block] != BLOCK_CALL)
		return;
	e->d.kind = DELTA_CONTENT;
	e->seen->args[e->block] = false;
	e->seen->call[e->block] = e->seen->calls++;
	p = pieces_add(&e->pieces, PIECE_CALL, 0);
	if (p == NULL)
		return;
	p->call = e->seen->call[e->block];
	p->id = text_at(e, use, "toolUseId");
	p->name = text_at(e, use, "name");
}

static void
on_citation(struct event *e, uint32_t c)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, LIMIT_EVENT_LARGE * 2);
	jw_init(&w, &b);
	write_citation(e->doc, c, &w, e->scratch);
	pieces_take(&e->pieces, PIECE_CITATION, 0, &b);
}

static void
on_reasoning(struct event *e, uint32_t v)
{
	static const struct {
		const char *key;
		enum piece_kind kind;
	} keys[] = { { "text", PIECE_REASONING },
		{ "signature", PIECE_SIGNATURE },
		{ "redactedContent", PIECE_SEALED } };
	struct piece *p;
	struct str s;
	size_t i;

	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		s = text_at(e, v, keys[i].key);
		p = pieces_text(&e->pieces, keys[i].kind, 0, s);
		if (p != NULL)
			p->origin = "bedrock";
		e->d.text_bytes += (int64_t)s.len;
	}
}

static void
on_block_delta(struct event *e)
{
	uint32_t delta = json_get(e->doc, JSON_ROOT, "delta");
	struct str text = text_at(e, delta, "text");
	struct str input = text_at(e, json_get(e->doc, delta, "toolUse"),
	    "input");

	e->d.kind = DELTA_CONTENT;
	e->d.text_bytes = (int64_t)(text.len + input.len);
	pieces_text(&e->pieces, PIECE_TEXT, 0, text);
	if (e->seen->kind[e->block] == BLOCK_CALL && input.len > 0)
		put_args(e, input);
	on_reasoning(e, json_get(e->doc, delta, "reasoningContent"));
	on_citation(e, json_get(e->doc, delta, "citation"));
	if (e->pieces.count == 0)
		e->d.kind = DELTA_META;
}

/* A call without arguments has no delta at all. */
static void
on_block_stop(struct event *e)
{
	if (e->seen->kind[e->block] == BLOCK_CALL &&
	    !e->seen->args[e->block]) {
		put_args(e, canon_lit("{}"));
		e->d.kind = DELTA_CONTENT;
	}
	e->seen->kind[e->block] = BLOCK_PLAIN;
}

static void
on_stop(struct event *e)
{
	struct piece *p = pieces_add(&e->pieces, PIECE_FINISH, 0);

	e->seen->stopped = true;
	e->d.kind = DELTA_FINISH;
	e->d.finish = finish_of(e->doc, json_get(e->doc, JSON_ROOT,
	    "stopReason"), e->seen->calls > 0);
	if (e->d.finish == FINISH_NONE)
		e->bad = true;
	if (p == NULL)
		return;
	p->finish = e->d.finish;
	p->text = text_at(e, json_get(e->doc, JSON_ROOT,
	    "additionalModelResponseFields"), "stop_sequence");
}

static void
on_metadata(struct event *e)
{
	e->d.kind = DELTA_USAGE;
	read_usage(e->doc, &e->d.usage);
}

static const struct {
	const char *name;
	void (*run)(struct event *e);
} events[] = {
	{ "messageStart", on_start },
	{ "contentBlockStart", on_block_start },
	{ "contentBlockDelta", on_block_delta },
	{ "contentBlockStop", on_block_stop },
	{ "messageStop", on_stop },
	{ "metadata", on_metadata },
};

/* The status that an exception would have had as an answer. */
static const struct {
	const char *name;
	int status;
} exceptions[] = {
	{ "throttlingException", 429 },
	{ "modelNotReadyException", 429 },
	{ "validationException", 400 },
	{ "accessDeniedException", 403 },
	{ "serviceUnavailableException", 503 },
	{ "modelTimeoutException", 504 },
	{ "internalServerException", 500 },
	{ "modelStreamErrorException", 500 },
};

static enum err
emit_error(struct stream *s, const struct sse_event *ev, delta_fn *emit,
    void *arg)
{
	struct upstream_error error;
	int status = 500;
	size_t i;

	for (i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++)
		if (strcasecmp(ev->name, exceptions[i].name) == 0)
			status = exceptions[i].status;
	bedrock_classify(s->scratch, status, ev->data, ev->len, &error);
	error.status = 0;
	error.type = arena_str(s->scratch, ev->name);
	if (error.type == NULL)
		return ERR_INTERNAL;
	return reply_failed(&error, emit, arg);
}

static enum err
emit_end(struct seen *seen, delta_fn *emit, void *arg)
{
	seen->ended = true;
	return reply_end(&adapter_bedrock, emit, arg);
}

static enum err
read_known(struct event *e, const struct sse_event *ev, delta_fn *emit,
    void *arg, struct fault *f)
{
	enum err err;
	size_t i;

	e->d.from = &adapter_bedrock;
	e->d.raw = (struct str){ ev->data, ev->len };
	e->d.event = ev->name;
	json_int(e->doc, json_get(e->doc, JSON_ROOT, "contentBlockIndex"),
	    &e->block);
	if (e->block < 0 || e->block >= BLOCKS_MAX)
		return reply_bad(f, "a block beyond the bound");
	for (i = 0; i < sizeof events / sizeof events[0]; i++)
		if (strcmp(ev->name, events[i].name) == 0)
			events[i].run(e);
	if (e->bad)
		return reply_bad(f, "an end without a reason");
	if (e->pieces.failed)
		return ERR_INTERNAL;
	e->d.pieces = e->pieces.list;
	e->d.piece_count = e->pieces.count;
	err = emit(arg, &e->d);
	/* The usage comes last. */
	return err == ERR_OK && e->d.kind == DELTA_USAGE &&
	    e->seen->stopped ? emit_end(e->seen, emit, arg) : err;
}

enum err
bedrock_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct event e = { .scratch = s->scratch,
		.pieces = { .arena = s->scratch } };
	struct json doc;
	enum err err;

	if (s->own == NULL)
		s->own = arena_zalloc(s->arena, sizeof(struct seen));
	e.seen = s->own;
	if (e.seen == NULL)
		return ERR_INTERNAL;
	if (e.seen->ended)
		return ERR_OK;
	if (ev == NULL)
		return e.seen->stopped ? emit_end(e.seen, emit, arg) :
		    reply_cut(f, e.seen->started);
	if (ev->failure)
		return emit_error(s, ev, emit, arg);
	err = reply_event(s->scratch, ev->data, ev->len, &doc, f);
	if (err != ERR_OK)
		return err;
	e.doc = &doc;
	return read_known(&e, ev, emit, arg, f);
}
