/* Answers of Cohere Chat v2, whole and streamed. */
#include "adapters/cohere.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/citation.h"
#include "adapters/errors.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/sse.h"

#define CALLS_MAX 256

/* FINISH_ERROR: the answer failed, whatever came of it. */
static const struct {
	const char *word;
	enum finish finish;
} reasons[] = {
	{ "COMPLETE", FINISH_STOP },
	{ "STOP_SEQUENCE", FINISH_STOP },
	{ "MAX_TOKENS", FINISH_LENGTH },
	{ "ERROR_LIMIT", FINISH_LENGTH },
	{ "TOOL_CALL", FINISH_TOOLS },
	{ "ERROR_TOXIC", FINISH_CONTENT },
	{ "ERROR", FINISH_ERROR },
	{ "TIMEOUT", FINISH_ERROR },
};

static enum finish
finish_of(const struct json *doc, uint32_t v)
{
	size_t i;

	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (json_is(doc, v, reasons[i].word))
			return reasons[i].finish;
	return json_nonempty(doc, v) ? FINISH_STOP : FINISH_NONE;
}

/* ------------------------------------------------------------- usage */

/*
 * What is billed counts: `tokens` has the provider's own frame around the
 * prompt in it, and so has cached_tokens, which is of use only where nothing
 * is said of billing.
 */
static void
read_usage(const struct json *doc, uint32_t u, struct usage *out)
{
	uint32_t billed = json_get(doc, u, "billed_units");
	uint32_t all = json_get(doc, u, "tokens"), from;
	int64_t in = 0, answer = 0, cached = 0, thought = 0;
	bool any;

	from = json_count(doc, billed) > 0 ? billed : all;
	any = reply_tokens(doc, from, "input_tokens", &in);
	any |= reply_tokens(doc, from, "output_tokens", &answer);
	if (!any)
		return;
	if (from == all)
		reply_tokens(doc, u, "cached_tokens", &cached);
	reply_tokens(doc, all, "reasoning_tokens", &thought);
	out->n[UNIT_CACHED_INPUT] = at_most(cached, in);
	out->n[UNIT_INPUT] = in - out->n[UNIT_CACHED_INPUT];
	out->n[UNIT_REASONING] = at_most(thought, answer);
	out->n[UNIT_OUTPUT] = answer - out->n[UNIT_REASONING];
	reply_tokens(doc, billed, "search_units", &out->n[UNIT_SEARCH]);
	out->known = true;
}

/* ------------------------------------------------------------- errors */

/* {message: "text"} under a 200, or as an event. */
static bool
is_error(const struct json *doc)
{
	return errors_present(doc) ||
	    json_type(doc, json_get(doc, JSON_ROOT, "message")) == JSON_STRING;
}

/* A finish that is an error: its words, if any, stand beside the reason. */
static void
read_failure(const struct json *doc, uint32_t obj, struct arena *a,
    struct upstream_error *out)
{
	struct str text = canon_raw(doc, json_get(doc, obj, "error"));
	char *body;

	if (json_type(doc, json_get(doc, obj, "error")) != JSON_STRING)
		text = canon_lit("\"the provider ended its answer with an "
		    "error\"");
	body = arena_printf(a, "{\"message\":%.*s}", (int)text.len, text.p);
	errors_classify(a, 0, body == NULL ? "" : body,
	    body == NULL ? 0 : strlen(body), out);
}

/* ---------------------------------------------------------- citations */

/*
 * Sources that are pages of the web, as OpenAI's annotations; that form has
 * no word for a source without an address.
 */
static void
write_citation(const struct json *doc, uint32_t v, struct json_writer *w,
    struct arena *a)
{
	uint32_t list = json_get(doc, v, "sources"), s, from;
	struct citation c = { .start = 0 };

	json_int(doc, json_get(doc, v, "start"), &c.start);
	json_int(doc, json_get(doc, v, "end"), &c.end);
	for (s = json_first(doc, list); s != JSON_NONE;
	    s = json_next(doc, list, s)) {
		from = json_get(doc, s, "document");
		if (json_type(doc, from) != JSON_OBJECT)
			from = json_get(doc, s, "tool_output");
		c.url = canon_str(doc, json_get(doc, from, "url"), a);
		c.title = canon_str(doc, json_get(doc, from, "title"), a);
		if (c.url.len > 0)
			citation_write(w, &c);
	}
}

/* The list `v`, or one citation, as the text of an array. */
static struct str
citations(const struct json *doc, uint32_t v, struct arena *a)
{
	struct json_writer w;
	struct buf b;
	uint32_t c;

	buf_init(&b, LIMIT_BODY_TEXT);
	jw_init(&w, &b);
	jw_array(&w);
	if (json_type(doc, v) == JSON_OBJECT)
		write_citation(doc, v, &w, a);
	for (c = json_type(doc, v) == JSON_ARRAY ? json_first(doc, v) :
	    JSON_NONE; c != JSON_NONE; c = json_next(doc, v, c))
		write_citation(doc, c, &w, a);
	jw_end_array(&w);
	return canon_take_list(a, &b);
}

/* ----------------------------------------------------------- logprobs */

/*
 * One item tells of a piece of text and each token in it; OpenAI's form
 * wants a text a token. The sum is the probability of the piece.
 */
static void
write_logprob(const struct json *doc, uint32_t item, struct json_writer *w,
    struct arena *a)
{
	struct str text = canon_str(doc, json_get(doc, item, "text"), a);
	uint32_t list = json_get(doc, item, "logprobs"), v;
	double sum = 0, d;
	size_t i;

	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		if (json_double(doc, v, &d))
			sum += d;
	jw_object(w);
	canon_put_text(w, "token", text);
	jw_key(w, "logprob");
	jw_double(w, sum);
	jw_key(w, "bytes");
	jw_array(w);
	for (i = 0; i < text.len; i++)
		jw_int(w, (unsigned char)text.p[i]);
	jw_end_array(w);
	canon_put_raw(w, "top_logprobs", canon_lit("[]"));
	jw_end_object(w);
}

static struct str
logprobs(const struct json *doc, uint32_t v, struct arena *a)
{
	struct str s = { NULL, 0 };
	struct json_writer w;
	struct buf b;
	uint32_t i;

	if (json_count(doc, v) == 0)
		return s;
	buf_init(&b, LIMIT_REPLY);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, "content");
	jw_array(&w);
	if (json_type(doc, v) == JSON_OBJECT)
		write_logprob(doc, v, &w, a);
	for (i = json_type(doc, v) == JSON_ARRAY ? json_first(doc, v) :
	    JSON_NONE; i != JSON_NONE; i = json_next(doc, v, i))
		write_logprob(doc, i, &w, a);
	jw_end_array(&w);
	canon_put_raw(&w, "refusal", canon_lit("null"));
	jw_end_object(&w);
	return canon_take(a, &b);
}

/* ------------------------------------------------------ whole answers */

/* What a content item or a delta of one says, and of which kind it is. */
static const struct {
	const char *key;
	enum part_kind part;
	enum piece_kind piece;
} contents[] = {
	{ "thinking", PART_REASONING, PIECE_REASONING },
	{ "text", PART_TEXT, PIECE_TEXT },
};

static bool
add_call(const struct json *doc, uint32_t call, struct parts *out)
{
	uint32_t fn = json_get(doc, call, "function");
	struct part *p = parts_add(out);

	if (p == NULL)
		return false;
	p->kind = PART_CALL;
	p->id = canon_str(doc, json_get(doc, call, "id"), out->arena);
	if (p->id.len == 0)
		p->id = canon_call_id(out->arena);
	p->name = canon_str(doc, json_get(doc, fn, "name"), out->arena);
	p->args = canon_str(doc, json_get(doc, fn, "arguments"), out->arena);
	if (p->args.len == 0)
		p->args = canon_lit("{}");
	return true;
}

/* The plan is what the model says before its calls. */
static bool
read_message(const struct json *doc, uint32_t msg, struct parts *out)
{
	uint32_t list = json_get(doc, msg, "content"), v;
	bool good = true;
	size_t i;

	if (json_type(doc, list) == JSON_STRING)
		good = parts_text(out, PART_TEXT, canon_str(doc, list,
		    out->arena));
	for (v = json_first(doc, list); v != JSON_NONE && good;
	    v = json_next(doc, list, v))
		for (i = 0; i < 2 && good; i++)
			good = parts_text(out, contents[i].part, canon_str(doc,
			    json_get(doc, v, contents[i].key), out->arena));
	if (good)
		good = parts_text(out, PART_TEXT, canon_str(doc,
		    json_get(doc, msg, "tool_plan"), out->arena));
	list = json_get(doc, msg, "tool_calls");
	for (v = json_first(doc, list); v != JSON_NONE && good;
	    v = json_next(doc, list, v))
		good = add_call(doc, v, out);
	return good;
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
	c->finish = reply->finish;
	c->citations = citations(doc, json_get(doc, msg, "citations"), a);
	c->logprobs = logprobs(doc, json_get(doc, JSON_ROOT, "logprobs"), a);
	reply->choices = c;
	reply->choice_count = 1;
	return ERR_OK;
}

static enum err
set_error(struct arena *a, const struct json *doc, struct reply *reply)
{
	struct upstream_error *error = arena_zalloc(a, sizeof *error);

	if (error == NULL)
		return ERR_INTERNAL;
	if (reply->finish == FINISH_ERROR)
		read_failure(doc, JSON_ROOT, a, error);
	else
		errors_read(a, 200, doc, error);
	reply->error = error;
	return ERR_OK;
}

enum err
cohere_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json doc;
	uint32_t msg;

	(void)chat;
	(void)d;
	if (json_parse(&doc, a, body, len, NULL) != ERR_OK)
		return reply_bad(f, "not JSON");
	reply->finish = finish_of(&doc, json_get(&doc, JSON_ROOT,
	    "finish_reason"));
	if (is_error(&doc) || reply->finish == FINISH_ERROR)
		return set_error(a, &doc, reply);
	msg = json_get(&doc, JSON_ROOT, "message");
	if (json_type(&doc, msg) != JSON_OBJECT)
		return reply_bad(f, "no message");
	reply->from = &adapter_cohere;
	reply->raw = (struct str){ body, len };
	reply->id = canon_str(&doc, json_get(&doc, JSON_ROOT, "id"), a);
	read_usage(&doc, json_get(&doc, JSON_ROOT, "usage"), &reply->usage);
	reply->text_bytes = canon_text_bytes(&doc, msg);
	return read_choice(a, &doc, msg, reply);
}

/* ------------------------------------------------------------- stream */

/* What a stream must remember between events. */
struct seen {
	int64_t calls;		    /* begun */
	int64_t index[CALLS_MAX];   /* the provider's, of each call */
	bool started, ended;
};

/* One event on its way into a delta. */
struct event {
	struct seen *seen;
	const struct json *doc;
	uint32_t delta, msg; /* delta and delta.message */
	struct arena *scratch;
	struct pieces pieces;
	struct delta d;
	bool failed; /* the answer, see the delta */
	bool broken; /* beyond a bound */
};

static struct str
text_at(struct event *e, uint32_t obj, const char *key)
{
	return canon_str(e->doc, json_get(e->doc, obj, key), e->scratch);
}

static void
say(struct event *e, enum piece_kind kind, struct str s)
{
	if (s.len == 0)
		return;
	e->d.kind = DELTA_CONTENT;
	e->d.text_bytes += (int64_t)s.len;
	pieces_text(&e->pieces, kind, 0, s);
}

static void
on_start(struct event *e)
{
	e->d.id = text_at(e, JSON_ROOT, "id");
}

static void
on_content(struct event *e)
{
	uint32_t content = json_get(e->doc, e->msg, "content");
	size_t i;

	for (i = 0; i < 2; i++)
		say(e, contents[i].piece, text_at(e, content,
		    contents[i].key));
	pieces_text(&e->pieces, PIECE_LOGPROBS, 0, logprobs(e->doc,
	    json_get(e->doc, JSON_ROOT, "logprobs"), e->scratch));
}

static void
on_plan(struct event *e)
{
	say(e, PIECE_TEXT, text_at(e, e->msg, "tool_plan"));
}

/* The call that this event is about, or one past the last. */
static int64_t
call_of(struct event *e)
{
	int64_t theirs = 0, i;

	json_int(e->doc, json_get(e->doc, JSON_ROOT, "index"), &theirs);
	for (i = e->seen->calls - 1; i >= 0; i--)
		if (e->seen->index[i] == theirs)
			return i;
	return e->seen->calls;
}

static void
add_args(struct event *e, int64_t call, uint32_t fn)
{
	struct str s = text_at(e, fn, "arguments");
	struct piece *p;

	if (s.len == 0 || (p = pieces_add(&e->pieces, PIECE_ARGS, 0)) == NULL)
		return;
	e->d.kind = DELTA_CONTENT;
	e->d.text_bytes += (int64_t)s.len;
	p->call = call;
	p->text = s;
}

static void
on_call(struct event *e)
{
	uint32_t call = json_get(e->doc, e->msg, "tool_calls");
	uint32_t fn = json_get(e->doc, call, "function");
	struct seen *seen = e->seen;
	struct piece *p;

	e->broken = seen->calls == CALLS_MAX;
	if (e->broken)
		return;
	p = pieces_add(&e->pieces, PIECE_CALL, 0);
	if (p == NULL)
		return;
	e->d.kind = DELTA_CONTENT;
	json_int(e->doc, json_get(e->doc, JSON_ROOT, "index"),
	    &seen->index[seen->calls]);
	p->call = seen->calls++;
	p->id = text_at(e, call, "id");
	if (p->id.len == 0)
		p->id = canon_call_id(e->scratch);
	p->name = text_at(e, fn, "name");
	e->d.text_bytes += (int64_t)p->name.len;
	add_args(e, seen->calls - 1, fn);
}

static void
on_args(struct event *e)
{
	int64_t call = call_of(e);

	if (call < e->seen->calls)
		add_args(e, call, json_at(e->doc, e->msg, "tool_calls",
		    "function", NULL));
}

static void
on_citation(struct event *e)
{
	struct str all = citations(e->doc, json_get(e->doc, e->msg,
	    "citations"), e->scratch);
	struct json doc;

	if (all.p != NULL &&
	    json_parse(&doc, e->scratch, all.p, all.len, NULL) == ERR_OK)
		pieces_list(&e->pieces, PIECE_CITATION, 0, &doc, JSON_ROOT);
}

static void
on_end(struct event *e)
{
	struct piece *p;

	e->d.finish = finish_of(e->doc, json_get(e->doc, e->delta,
	    "finish_reason"));
	if (e->d.finish == FINISH_NONE)
		e->d.finish = e->seen->calls > 0 ? FINISH_TOOLS : FINISH_STOP;
	e->failed = e->d.finish == FINISH_ERROR;
	read_usage(e->doc, json_get(e->doc, e->delta, "usage"), &e->d.usage);
	e->d.kind = DELTA_FINISH;
	p = pieces_add(&e->pieces, PIECE_FINISH, 0);
	if (p != NULL)
		p->finish = e->d.finish;
}

/* Events without a row only mark an end, or are new. */
static const struct {
	const char *type;
	void (*run)(struct event *e);
} events[] = {
	{ "message-start", on_start },
	{ "content-start", on_content },
	{ "content-delta", on_content },
	{ "tool-plan-delta", on_plan },
	{ "tool-call-start", on_call },
	{ "tool-call-delta", on_args },
	{ "citation-start", on_citation },
	{ "message-end", on_end },
};

static enum err
emit_error(struct event *e, delta_fn *emit, void *arg)
{
	struct upstream_error error;

	e->seen->ended = true;
	if (!e->failed)
		return reply_error(e->scratch, e->doc, emit, arg);
	read_failure(e->doc, e->delta, e->scratch, &error);
	return reply_failed(&error, emit, arg);
}

static enum err
read_known(struct event *e, const struct sse_event *ev, delta_fn *emit,
    void *arg, struct fault *f)
{
	uint32_t type = json_get(e->doc, JSON_ROOT, "type");
	bool last = json_is(e->doc, type, "message-end");
	enum err err;
	size_t i;

	e->delta = json_get(e->doc, JSON_ROOT, "delta");
	e->msg = json_get(e->doc, e->delta, "message");
	e->seen->started = true;
	e->d.from = &adapter_cohere;
	e->d.raw = (struct str){ ev->data, ev->len };
	e->d.event = "";
	for (i = 0; i < sizeof events / sizeof events[0]; i++)
		if (json_is(e->doc, type, events[i].type))
			events[i].run(e);
	if (e->pieces.failed)
		return ERR_INTERNAL;
	if (e->broken)
		return reply_bad(f, "too many calls");
	if (e->failed)
		return emit_error(e, emit, arg);
	e->d.pieces = e->pieces.list;
	e->d.piece_count = e->pieces.count;
	err = emit(arg, &e->d);
	if (err != ERR_OK || !last)
		return err;
	/* message-end is the end mark: "[DONE]" does not always follow. */
	e->seen->ended = true;
	return reply_end(&adapter_cohere, emit, arg);
}

enum err
cohere_read_event(struct stream *s, const struct sse_event *ev,
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
		return reply_cut(f, e.seen->started);
	if (ev->len == 0)
		return ERR_OK;
	err = reply_event(s->scratch, ev->data, ev->len, &doc, f);
	if (err != ERR_OK)
		return err;
	e.doc = &doc;
	if (is_error(&doc))
		return emit_error(&e, emit, arg);
	return read_known(&e, ev, emit, arg, f);
}
