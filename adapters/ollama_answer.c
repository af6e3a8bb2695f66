/* Answers of Ollama's chat: a whole one and a line of a stream look alike. */
#include "adapters/ollama.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/sse.h"

static struct str
text_at(const struct json *doc, uint32_t obj, const char *key,
    struct arena *a)
{
	return canon_str(doc, json_get(doc, obj, key), a);
}

static bool
is_done(const struct json *doc)
{
	return json_type(doc, json_get(doc, JSON_ROOT, "done")) == JSON_TRUE;
}

/* Calls end an answer with "stop" here as well. */
static enum finish
finish_of(const struct json *doc, bool calls)
{
	return json_is(doc, json_get(doc, JSON_ROOT, "done_reason"), "length") ?
	    FINISH_LENGTH : calls ? FINISH_TOOLS : FINISH_STOP;
}

static void
read_usage(const struct json *doc, struct usage *out)
{
	bool any;

	any = reply_tokens(doc, JSON_ROOT, "prompt_eval_count",
	    &out->n[UNIT_INPUT]);
	any |= reply_tokens(doc, JSON_ROOT, "eval_count",
	    &out->n[UNIT_OUTPUT]);
	out->known = any;
}

/* Two figures of a time stamp, or -1. */
static int
figures(const char *p)
{
	return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9' ?
	    (p[0] - '0') * 10 + (p[1] - '0') : -1;
}

/* "2026-05-04T22:48:14.687761Z" in seconds since 1970; 0 when it is none. */
static int64_t
seconds_of(struct str s)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243,
		273, 304, 334 };
	static const int at[] = { 0, 2, 5, 8, 11, 14, 17 };
	int n[7], i, year;
	int64_t days;

	if (s.len < 20 || s.p[s.len - 1] != 'Z' || s.p[4] != '-' ||
	    s.p[7] != '-' || s.p[10] != 'T')
		return 0;
	for (i = 0; i < 7; i++) {
		n[i] = figures(s.p + at[i]);
		if (n[i] < 0)
			return 0;
	}
	year = n[0] * 100 + n[1];
	if (year < 1970 || n[2] < 1 || n[2] > 12)
		return 0;
	days = (year - 1970) * 365 + (year - 1969) / 4 - (year - 1901) / 100 +
	    (year - 1601) / 400 + before[n[2] - 1] + n[3] - 1;
	if (n[2] > 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		days++;
	return ((days * 24 + n[4]) * 60 + n[5]) * 60 + n[6];
}

/* The list of tokens is OpenAI's; alternatives are left out unless asked. */
static void
write_logprob(const struct json *doc, uint32_t v, struct json_writer *w)
{
	uint32_t top = json_get(doc, v, "top_logprobs");
	uint32_t bytes = json_get(doc, v, "bytes");

	jw_object(w);
	canon_put_raw(w, "token", canon_raw(doc, json_get(doc, v, "token")));
	canon_put_raw(w, "logprob", canon_raw(doc, json_get(doc, v,
	    "logprob")));
	canon_put_raw(w, "bytes", json_type(doc, bytes) == JSON_ARRAY ?
	    canon_raw(doc, bytes) : canon_lit("null"));
	canon_put_raw(w, "top_logprobs", json_type(doc, top) == JSON_ARRAY ?
	    canon_raw(doc, top) : canon_lit("[]"));
	jw_end_object(w);
}

static struct str
logprobs(const struct json *doc, struct arena *a)
{
	uint32_t list = json_get(doc, JSON_ROOT, "logprobs"), v;
	struct str s = { NULL, 0 };
	struct json_writer w;
	struct buf b;

	if (json_type(doc, list) != JSON_ARRAY || json_count(doc, list) == 0)
		return s;
	buf_init(&b, LIMIT_REPLY);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, "content");
	jw_array(&w);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		write_logprob(doc, v, &w);
	jw_end_array(&w);
	canon_put_raw(&w, "refusal", canon_lit("null"));
	jw_end_object(&w);
	return canon_take(a, &b);
}

/* A call: its id is ours where an older server gives none. */
static bool
read_call(const struct json *doc, uint32_t v, struct part *out,
    struct arena *a)
{
	uint32_t fn = json_get(doc, v, "function");

	out->kind = PART_CALL;
	out->id = text_at(doc, v, "id", a);
	if (out->id.len == 0)
		out->id = canon_call_id(a);
	out->name = text_at(doc, fn, "name", a);
	out->args = canon_raw(doc, json_get(doc, fn, "arguments"));
	if (json_type(doc, json_get(doc, fn, "arguments")) <= JSON_NULL)
		out->args = canon_lit("{}");
	return out->id.p != NULL;
}

/* ------------------------------------------------------ whole answers */

static const struct {
	const char *key;
	enum part_kind part;
	enum piece_kind piece;
} texts[] = {
	{ "thinking", PART_REASONING, PIECE_REASONING },
	{ "content", PART_TEXT, PIECE_TEXT },
};

static bool
read_message(const struct json *doc, uint32_t msg, struct parts *out)
{
	uint32_t list = json_get(doc, msg, "tool_calls"), v;
	struct part *p;
	struct str s;
	size_t i;

	for (i = 0; i < 2; i++) {
		s = text_at(doc, msg, texts[i].key, out->arena);
		if (!parts_text(out, texts[i].part, s))
			return false;
	}
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		p = parts_add(out);
		if (p == NULL || !read_call(doc, v, p, out->arena))
			return false;
	}
	return true;
}

static enum err
read_choice(struct arena *a, const struct json *doc, uint32_t msg,
    struct reply *reply)
{
	struct choice *c = arena_zalloc(a, sizeof *c);
	struct parts parts = { .arena = a };

	if (c == NULL || !read_message(doc, msg, &parts))
		return ERR_INTERNAL;
	c->parts = parts.list;
	c->part_count = parts.count;
	c->finish = finish_of(doc, json_count(doc, json_get(doc, msg,
	    "tool_calls")) > 0);
	c->logprobs = logprobs(doc, a);
	reply->finish = c->finish;
	reply->choices = c;
	reply->choice_count = 1;
	return ERR_OK;
}

enum err
ollama_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json doc;
	uint32_t msg;
	enum err e;

	(void)chat;
	(void)d;
	e = reply_parse(a, body, len, &doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	msg = json_get(&doc, JSON_ROOT, "message");
	if (json_type(&doc, msg) != JSON_OBJECT)
		return reply_bad(f, "no message");
	if (!is_done(&doc))
		return reply_bad(f, "it is not done");
	reply->from = &adapter_ollama;
	reply->raw = (struct str){ body, len };
	reply->model = text_at(&doc, JSON_ROOT, "model", a);
	reply->created = seconds_of(text_at(&doc, JSON_ROOT, "created_at",
	    a));
	read_usage(&doc, &reply->usage);
	reply->text_bytes = canon_text_bytes(&doc, msg);
	return read_choice(a, &doc, msg, reply);
}

/* ------------------------------------------------------------- stream */

/* What a stream must remember between lines. */
struct seen {
	int64_t calls;
	bool started, ended;
};

/* One line on its way into a delta. */
struct event {
	const struct json *doc;
	struct seen *seen;
	struct arena *scratch;
	struct pieces pieces;
	struct delta d;
};

static void
piece_call(struct event *e, uint32_t v)
{
	struct piece *p = pieces_add(&e->pieces, PIECE_CALL, 0);
	struct part call;

	memset(&call, 0, sizeof call);
	if (p == NULL || !read_call(e->doc, v, &call, e->scratch)) {
		e->pieces.failed = true;
		return;
	}
	p->call = e->seen->calls++;
	p->id = call.id;
	p->name = call.name;
	e->d.text_bytes += (int64_t)(call.name.len + call.args.len);
	p = pieces_add(&e->pieces, PIECE_ARGS, 0);
	if (p == NULL)
		return;
	p->call = e->seen->calls - 1;
	p->text = call.args;
}

static void
piece_message(struct event *e)
{
	uint32_t msg = json_get(e->doc, JSON_ROOT, "message"), list, v;
	struct str s;
	size_t i;

	for (i = 0; i < 2; i++) {
		s = text_at(e->doc, msg, texts[i].key, e->scratch);
		e->d.text_bytes += (int64_t)s.len;
		pieces_text(&e->pieces, texts[i].piece, 0, s);
	}
	list = json_get(e->doc, msg, "tool_calls");
	for (v = json_first(e->doc, list); v != JSON_NONE;
	    v = json_next(e->doc, list, v))
		piece_call(e, v);
	if (e->pieces.count > 0)
		e->d.kind = DELTA_CONTENT;
	pieces_text(&e->pieces, PIECE_LOGPROBS, 0, logprobs(e->doc,
	    e->scratch));
}

static void
piece_finish(struct event *e)
{
	struct piece *p = pieces_add(&e->pieces, PIECE_FINISH, 0);

	e->d.finish = finish_of(e->doc, e->seen->calls > 0);
	if (e->d.kind != DELTA_CONTENT)
		e->d.kind = DELTA_FINISH;
	if (p != NULL)
		p->finish = e->d.finish;
	read_usage(e->doc, &e->d.usage);
}

static enum err
read_line(struct event *e, const struct sse_event *ev, delta_fn *emit,
    void *arg)
{
	bool last = is_done(e->doc);
	enum err err;

	e->seen->started = true;
	e->d.from = &adapter_ollama;
	e->d.raw = (struct str){ ev->data, ev->len };
	e->d.event = "";
	e->d.model = text_at(e->doc, JSON_ROOT, "model", e->scratch);
	piece_message(e);
	if (last)
		piece_finish(e);
	if (e->pieces.failed)
		return ERR_INTERNAL;
	e->d.pieces = e->pieces.list;
	e->d.piece_count = e->pieces.count;
	err = emit(arg, &e->d);
	if (err != ERR_OK || !last)
		return err;
	e->seen->ended = true;
	return reply_end(&adapter_ollama, emit, arg);
}

enum err
ollama_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct event e = { .scratch = s->scratch,
		.pieces = { .arena = s->scratch } };
	struct json doc;

	if (s->own == NULL)
		s->own = arena_zalloc(s->arena, sizeof(struct seen));
	e.seen = s->own;
	if (e.seen == NULL)
		return ERR_INTERNAL;
	if (e.seen->ended)
		return ERR_OK;
	if (ev == NULL)
		return reply_cut(f, e.seen->started);
	if (ev->len == 0)
		return ERR_OK;
	if (json_parse(&doc, s->scratch, ev->data, ev->len, NULL) != ERR_OK ||
	    json_type(&doc, JSON_ROOT) != JSON_OBJECT)
		return reply_bad(f, "a line that is not JSON");
	e.doc = &doc;
	if (errors_present(&doc)) {
		e.seen->ended = true;
		return reply_error(s->scratch, &doc, emit, arg);
	}
	return read_line(&e, ev, emit, arg);
}
