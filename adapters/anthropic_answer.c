/* Answers of Anthropic providers, whole and streamed. */
#include "adapters/anthropic.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/citation.h"
#include "adapters/errors.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/sse.h"

#define BLOCKS_MAX 4096

static const struct {
	const char *word;
	enum finish finish;
} reasons[] = {
	{ "end_turn", FINISH_STOP },
	{ "stop_sequence", FINISH_STOP },
	{ "pause_turn", FINISH_STOP },
	{ "max_tokens", FINISH_LENGTH },
	{ "model_context_window_exceeded", FINISH_LENGTH },
	{ "tool_use", FINISH_TOOLS },
	{ "refusal", FINISH_CONTENT },
};

enum finish
anthropic_finish(const struct json *doc, uint32_t v)
{
	size_t i;

	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (json_is(doc, v, reasons[i].word))
			return reasons[i].finish;
	return json_type(doc, v) == JSON_STRING ? FINISH_STOP : FINISH_NONE;
}

/* ------------------------------------------------------------- usage */

/*
 * What a usage object says replaces what was known; what it is silent about
 * stays (message_delta repeats some members only).
 */
static void
read_usage(const struct json *doc, uint32_t u, struct usage *out)
{
	uint32_t writes = json_get(doc, u, "cache_creation");
	int64_t written = 0, hour = 0;
	bool any = false;

	if (json_type(doc, u) != JSON_OBJECT)
		return;
	any |= reply_tokens(doc, u, "input_tokens", &out->n[UNIT_INPUT]);
	any |= reply_tokens(doc, u, "output_tokens", &out->n[UNIT_OUTPUT]);
	reply_tokens(doc, u, "cache_read_input_tokens",
	    &out->n[UNIT_CACHED_INPUT]);
	if (reply_tokens(doc, u, "cache_creation_input_tokens", &written)) {
		reply_tokens(doc, writes, "ephemeral_1h_input_tokens", &hour);
		hour = at_most(hour, written);
		out->n[UNIT_CACHE_WRITE] = written - hour;
		out->n[UNIT_CACHE_WRITE_1H] = hour;
	}
	reply_tokens(doc, json_get(doc, u, "server_tool_use"),
	    "web_search_requests", &out->n[UNIT_SEARCH]);
	reply_service(doc, json_get(doc, u, "service_tier"), &out->service);
	out->known |= any;
}

/* ----------------------------------------------------- whole answers */

/*
 * One of Anthropic's citations as one of OpenAI's annotations. It is of the
 * whole text of its block.
 */
static void
write_citation(const struct json *doc, uint32_t v, int64_t start, int64_t end,
    struct json_writer *w, struct arena *a)
{
	struct citation c = {
		.url = canon_str(doc, json_get(doc, v, "url"), a),
		.title = canon_str(doc, json_get(doc, v, "title"), a),
		.content = canon_str(doc, json_get(doc, v, "cited_text"), a),
		.start = start, .end = end };

	if (c.url.len > 0)
		citation_write(w, &c);
}

static bool
read_block(const struct json *doc, uint32_t b, struct parts *out)
{
	uint32_t type = json_get(doc, b, "type");
	struct arena *a = out->arena;
	struct part *p = parts_add(out);

	if (p == NULL)
		return false;
	if (json_is(doc, type, "text")) {
		p->kind = PART_TEXT;
		p->text = canon_str(doc, json_get(doc, b, "text"), a);
	} else if (json_is(doc, type, "thinking")) {
		p->kind = PART_REASONING;
		p->origin = "anthropic";
		p->text = canon_str(doc, json_get(doc, b, "thinking"), a);
		p->signature = canon_str(doc, json_get(doc, b, "signature"),
		    a);
	} else if (json_is(doc, type, "redacted_thinking")) {
		p->kind = PART_REASONING;
		p->origin = "anthropic";
		p->sealed = canon_str(doc, json_get(doc, b, "data"), a);
	} else if (json_is(doc, type, "tool_use")) {
		p->kind = PART_CALL;
		p->id = canon_str(doc, json_get(doc, b, "id"), a);
		p->name = canon_str(doc, json_get(doc, b, "name"), a);
		p->args = canon_raw(doc, json_get(doc, b, "input"));
	} else {
		p->kind = PART_OTHER;
		p->origin = "anthropic";
		p->raw = canon_raw(doc, b);
	}
	return true;
}

static struct str
citations(const struct json *doc, uint32_t content, struct arena *a)
{
	int64_t start, end = 0;
	struct json_writer w;
	uint32_t b, list, c;
	struct buf out;

	buf_init(&out, LIMIT_BODY_TEXT);
	jw_init(&w, &out);
	jw_array(&w);
	for (b = json_first(doc, content); b != JSON_NONE;
	    b = json_next(doc, content, b)) {
		if (!json_is(doc, json_get(doc, b, "type"), "text"))
			continue;
		start = end;
		end += citation_chars(canon_str(doc, json_get(doc, b, "text"),
		    a));
		list = json_get(doc, b, "citations");
		for (c = json_first(doc, list); c != JSON_NONE;
		    c = json_next(doc, list, c))
			write_citation(doc, c, start, end, &w, a);
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
	uint32_t b;
	size_t i;

	if (c == NULL)
		return ERR_INTERNAL;
	for (b = json_first(doc, content); b != JSON_NONE;
	    b = json_next(doc, content, b))
		if (!read_block(doc, b, &parts))
			return ERR_INTERNAL;
	c->parts = parts.list;
	c->part_count = parts.count;
	for (i = 0; reply->finish == FINISH_NONE && i < parts.count; i++)
		if (parts.list[i].kind == PART_CALL)
			reply->finish = FINISH_TOOLS;
	if (reply->finish == FINISH_NONE)
		reply->finish = FINISH_STOP;
	c->finish = reply->finish;
	c->stop = canon_str(doc, json_get(doc, JSON_ROOT, "stop_sequence"),
	    a);
	c->citations = citations(doc, content, a);
	reply->choices = c;
	reply->choice_count = 1;
	return ERR_OK;
}

enum err
anthropic_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json doc;
	uint32_t content;
	enum err e;

	(void)d;
	e = reply_parse(a, body, len, &doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	if (chat->count) {
		reply->from = &adapter_anthropic;
		reply->raw = (struct str){ body, len };
		return json_type(&doc, json_get(&doc, JSON_ROOT,
		    "input_tokens")) == JSON_NUMBER ? ERR_OK :
		    reply_bad(f, "no count");
	}
	content = json_get(&doc, JSON_ROOT, "content");
	if (json_type(&doc, content) != JSON_ARRAY)
		return reply_bad(f, "no content");
	reply->from = &adapter_anthropic;
	reply->raw = (struct str){ body, len };
	reply->id = canon_str(&doc, json_get(&doc, JSON_ROOT, "id"), a);
	reply->model = canon_str(&doc, json_get(&doc, JSON_ROOT, "model"), a);
	reply->finish = anthropic_finish(&doc, json_get(&doc, JSON_ROOT,
	    "stop_reason"));
	read_usage(&doc, json_get(&doc, JSON_ROOT, "usage"), &reply->usage);
	reply->text_bytes = canon_text_bytes(&doc, content);
	return chat->surface == &adapter_anthropic ? ERR_OK :
	    read_content(&doc, content, a, reply);
}

/* ------------------------------------------------------------ stream */

/* What a stream must remember between events. */
struct seen {
	struct usage usage;
	int64_t calls;		/* tool_use blocks begun */
	int64_t call[64];	/* block → call, for blocks under 64; -1 none */
	bool input[64];		/* the call had arguments in its start */
	int64_t chars, start;	/* of all text; before the open block */
	struct growing cited;	/* citations of the open block: a list */
	bool started, ended;
	enum finish finish;
};

/* One event on its way into a delta. */
struct event {
	struct stream *s;
	struct seen *seen;
	const struct json *doc;
	struct pieces pieces;
	struct delta d;
};

static int64_t
block_index(struct event *e)
{
	int64_t i = 0;

	json_int(e->doc, json_get(e->doc, JSON_ROOT, "index"), &i);
	return i < 0 || i >= 64 ? 63 : i;
}

static void
on_start(struct event *e)
{
	uint32_t m = json_get(e->doc, JSON_ROOT, "message");

	e->seen->started = true;
	read_usage(e->doc, json_get(e->doc, m, "usage"), &e->seen->usage);
	e->d.begun = e->seen->usage;
	e->d.id = canon_str(e->doc, json_get(e->doc, m, "id"),
	    e->s->scratch);
	e->d.model = canon_str(e->doc, json_get(e->doc, m, "model"),
	    e->s->scratch);
}

static void
call_start(struct event *e, uint32_t block)
{
	int64_t i = block_index(e);
	uint32_t input = json_get(e->doc, block, "input");
	struct piece *p = pieces_add(&e->pieces, PIECE_CALL, 0);

	e->seen->call[i] = e->seen->calls++;
	e->seen->input[i] = json_count(e->doc, input) > 0;
	if (p == NULL)
		return;
	p->call = e->seen->call[i];
	p->id = canon_str(e->doc, json_get(e->doc, block, "id"),
	    e->s->scratch);
	p->name = canon_str(e->doc, json_get(e->doc, block, "name"),
	    e->s->scratch);
	if (e->seen->input[i] && (p = pieces_add(&e->pieces, PIECE_ARGS,
	    0)) != NULL) {
		p->call = e->seen->call[i];
		p->text = canon_raw(e->doc, input);
	}
}

static void
on_block_start(struct event *e)
{
	uint32_t b = json_get(e->doc, JSON_ROOT, "content_block");
	uint32_t type = json_get(e->doc, b, "type");
	struct piece *p;
	struct str s;

	e->d.kind = DELTA_CONTENT;
	if (json_is(e->doc, type, "tool_use")) {
		call_start(e, b);
	} else if (json_is(e->doc, type, "redacted_thinking")) {
		p = pieces_text(&e->pieces, PIECE_SEALED, 0, canon_str(e->doc,
		    json_get(e->doc, b, "data"), e->s->scratch));
		if (p != NULL)
			p->origin = "anthropic";
	} else if (json_is(e->doc, type, "text")) {
		s = canon_str(e->doc, json_get(e->doc, b, "text"),
		    e->s->scratch);
		e->seen->start = e->seen->chars;
		e->seen->chars += citation_chars(s);
		pieces_text(&e->pieces, PIECE_TEXT, 0, s);
		if (e->pieces.count == 0)
			e->d.kind = DELTA_META;
	} else if (json_is(e->doc, type, "thinking")) {
		e->d.kind = DELTA_META;
	}
}

/* They come before or amid the text that they are for: kept until its end. */
static void
on_citation(struct event *e, uint32_t delta)
{
	struct growing *g = &e->seen->cited;

	if (e->s->pieces && !(canon_grow(e->s->arena, g, canon_lit(
	    g->len > 0 ? "," : "[")) && canon_grow(e->s->arena, g,
	    canon_raw(e->doc, json_get(e->doc, delta, "citation")))))
		e->pieces.failed = true;
}

static void
on_block_stop(struct event *e)
{
	struct arena *a = e->s->scratch;
	struct str list = canon_join(a, canon_grown(&e->seen->cited),
	    canon_lit("]"));
	struct json_writer w;
	struct json doc;
	struct buf b;
	uint32_t v;

	e->d.kind = DELTA_META;
	if (e->seen->cited.len == 0)
		return;
	e->seen->cited = (struct growing){ NULL, 0, 0 };
	if (list.p == NULL ||
	    json_parse(&doc, a, list.p, list.len, NULL) != ERR_OK) {
		e->pieces.failed = true;
		return;
	}
	for (v = json_first(&doc, JSON_ROOT); v != JSON_NONE;
	    v = json_next(&doc, JSON_ROOT, v)) {
		buf_init(&b, LIMIT_EVENT_LARGE * 2);
		jw_init(&w, &b);
		write_citation(&doc, v, e->seen->start, e->seen->chars, &w,
		    a);
		pieces_take(&e->pieces, PIECE_CITATION, 0, &b);
	}
}

static const struct {
	const char *type, *key;
	enum piece_kind kind;
} deltas[] = {
	{ "text_delta", "text", PIECE_TEXT },
	{ "thinking_delta", "thinking", PIECE_REASONING },
	{ "signature_delta", "signature", PIECE_SIGNATURE },
	{ "input_json_delta", "partial_json", PIECE_ARGS },
};

static void
on_block_delta(struct event *e)
{
	uint32_t delta = json_get(e->doc, JSON_ROOT, "delta");
	int64_t i = block_index(e);
	struct piece *p;
	struct str s;
	size_t k;

	e->d.kind = DELTA_CONTENT;
	if (json_is(e->doc, json_get(e->doc, delta, "type"),
	    "citations_delta"))
		on_citation(e, delta);
	for (k = 0; k < sizeof deltas / sizeof deltas[0]; k++) {
		if (!json_is(e->doc, json_get(e->doc, delta, "type"),
		    deltas[k].type))
			continue;
		s = canon_str(e->doc, json_get(e->doc, delta, deltas[k].key),
		    e->s->scratch);
		e->d.text_bytes = (int64_t)s.len;
		if (deltas[k].kind == PIECE_TEXT)
			e->seen->chars += citation_chars(s);
		/* Input of the provider's own tools is no call of ours. */
		if (deltas[k].kind == PIECE_ARGS && (e->seen->call[i] < 0 ||
		    e->seen->input[i]))
			return;
		p = pieces_text(&e->pieces, deltas[k].kind, 0, s);
		if (p != NULL) {
			p->call = e->seen->call[i];
			p->origin = "anthropic";
		}
	}
}

static void
on_message_delta(struct event *e)
{
	uint32_t delta = json_get(e->doc, JSON_ROOT, "delta");
	struct piece *p;

	read_usage(e->doc, json_get(e->doc, JSON_ROOT, "usage"),
	    &e->seen->usage);
	e->d.usage = e->seen->usage;
	e->d.finish = anthropic_finish(e->doc, json_get(e->doc, delta,
	    "stop_reason"));
	if (e->d.finish == FINISH_NONE)
		return;
	e->seen->finish = e->d.finish;
	e->d.kind = DELTA_FINISH;
	p = pieces_add(&e->pieces, PIECE_FINISH, 0);
	if (p != NULL) {
		p->finish = e->d.finish;
		p->text = canon_str(e->doc, json_get(e->doc, delta,
		    "stop_sequence"), e->s->scratch);
	}
}

static void
on_stop(struct event *e)
{
	e->seen->ended = true;
	e->d.kind = DELTA_END;
}

static void
on_other(struct event *e)
{
	e->d.kind = DELTA_META;
}

static const struct {
	const char *type;
	void (*run)(struct event *e);
} events[] = {
	{ "message_start", on_start },
	{ "content_block_start", on_block_start },
	{ "content_block_delta", on_block_delta },
	{ "content_block_stop", on_block_stop },
	{ "message_delta", on_message_delta },
	{ "message_stop", on_stop },
	{ "ping", on_other },
};

static struct seen *
seen(struct stream *s)
{
	struct seen *n = s->own;
	size_t i;

	if (n == NULL) {
		s->own = n = arena_zalloc(s->arena, sizeof *n);
		for (i = 0; n != NULL && i < 64; i++)
			n->call[i] = -1;
	}
	return n;
}

static enum err
read_known(struct event *e, const struct sse_event *ev, delta_fn *emit,
    void *arg, struct fault *f)
{
	uint32_t type = json_get(e->doc, JSON_ROOT, "type");
	size_t i;

	e->d.from = &adapter_anthropic;
	e->d.raw = (struct str){ ev->data, ev->len };
	e->d.event = *ev->name != '\0' ? ev->name :
	    json_cstr(e->doc, type, e->s->scratch);
	if (e->d.event == NULL)
		return reply_bad(f, "an event without a type");
	for (i = 0; i < sizeof events / sizeof events[0]; i++)
		if (json_is(e->doc, type, events[i].type))
			events[i].run(e);
	if (e->pieces.failed)
		return ERR_INTERNAL;
	e->d.pieces = e->pieces.list;
	e->d.piece_count = e->pieces.count;
	return emit(arg, &e->d);
}

enum err
anthropic_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct event e = { .s = s, .seen = seen(s),
		.pieces = { .arena = s->scratch } };
	struct json doc;
	enum err err;

	if (e.seen == NULL)
		return ERR_INTERNAL;
	if (e.seen->ended)
		return ERR_OK;
	if (ev == NULL)
		return reply_cut(f, e.seen->started);
	if (ev->len == 0)
		return ERR_OK;
	err = reply_event(s->scratch, ev->data, ev->len, &doc, f);
	if (err != ERR_OK)
		return err;
	if (strcmp(ev->name, "error") == 0 || errors_present(&doc))
		return reply_error(s->scratch, &doc, emit, arg);
	e.doc = &doc;
	return read_known(&e, ev, emit, arg, f);
}
