/*
 * Answers and errors towards a client that speaks Responses: the provider's
 * own words where it speaks it too, else from the canonical form. Nothing is
 * stored then, and the answer says so.
 */
#include "adapters/responses.h"

#include <string.h>
#include <time.h>

#include "adapters/canon.h"
#include "adapters/openai.h"
#include "adapters/responses_items.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

/* The writer's memory of one answer. */
struct written {
	struct items items;
	bool started;
	const char *id, *model; /* NULL until known */
	int64_t created;
	enum finish finish;
};

/*
 * What a response repeats of its request, and what stands there when the
 * client did not say it.
 */
static const struct {
	const char *name, *otherwise;
} echoes[] = {
	{ "background", "false" },
	{ "instructions", "null" },
	{ "max_output_tokens", "null" },
	{ "max_tool_calls", "null" },
	{ "metadata", "{}" },
	{ "parallel_tool_calls", "true" },
	{ "previous_response_id", "null" },
	{ "prompt_cache_key", "null" },
	{ "reasoning", "{\"effort\":null,\"summary\":null}" },
	{ "safety_identifier", "null" },
	{ "service_tier", "null" },
	{ "temperature", "null" },
	{ "text", "{\"format\":{\"type\":\"text\"}}" },
	{ "tool_choice", "\"auto\"" },
	{ "tools", "[]" },
	{ "top_logprobs", "0" },
	{ "top_p", "null" },
	{ "truncation", "\"disabled\"" },
	{ "user", "null" },
};

static void
put(struct json_writer *w, const char *key, const char *s)
{
	jw_key(w, key);
	jw_string(w, s);
}

static void
write_echo(struct json_writer *w, const struct chat *chat)
{
	struct str raw;
	uint32_t v;
	size_t i;

	for (i = 0; i < sizeof echoes / sizeof echoes[0]; i++) {
		v = json_get(&chat->doc, JSON_ROOT, echoes[i].name);
		raw = json_type(&chat->doc, v) <= JSON_NULL ?
		    canon_lit(echoes[i].otherwise) :
		    canon_raw(&chat->doc, v);
		canon_put_raw(w, echoes[i].name, raw);
	}
	canon_put_flag(w, "store", 0);
}

static void
write_usage(struct json_writer *w, const struct usage *u)
{
	int64_t in, of;

	jw_key(w, "usage");
	if (u == NULL || !u->known) {
		jw_null(w);
		return;
	}
	in = usage_input(u);
	of = usage_output(u);
	jw_object(w);
	canon_put_int(w, "input_tokens", in);
	jw_key(w, "input_tokens_details");
	jw_object(w);
	canon_put_int(w, "cached_tokens", u->n[UNIT_CACHED_INPUT]);
	canon_put_int(w, "cache_write_tokens", u->n[UNIT_CACHE_WRITE] +
	    u->n[UNIT_CACHE_WRITE_1H]);
	jw_end_object(w);
	canon_put_int(w, "output_tokens", of);
	jw_key(w, "output_tokens_details");
	jw_object(w);
	canon_put_int(w, "reasoning_tokens", u->n[UNIT_REASONING]);
	jw_end_object(w);
	canon_put_int(w, "total_tokens", in + of);
	jw_end_object(w);
}

/* How answers end here; `why` with "incomplete". */
static const struct {
	enum finish finish;
	const char *status, *why;
} ends[] = {
	{ FINISH_LENGTH, "incomplete", "max_output_tokens" },
	{ FINISH_CONTENT, "incomplete", "content_filter" },
	{ FINISH_ERROR, "failed", NULL },
	{ FINISH_NONE, "completed", NULL }, /* all others */
};

static size_t
end_of(enum finish finish)
{
	size_t i = 0;

	while (ends[i].finish != finish && ends[i].finish != FINISH_NONE)
		i++;
	return i;
}

static void
write_failure(struct json_writer *w, const char *code, const char *message)
{
	jw_key(w, "error");
	jw_object(w);
	put(w, "code", code);
	put(w, "message", message);
	jw_end_object(w);
}

/* The head of a response object. why: of an incomplete one, or NULL. */
static void
open_response(struct json_writer *w, const struct written *st,
    const char *status, const char *why)
{
	jw_object(w);
	put(w, "id", st->id);
	put(w, "object", "response");
	canon_put_int(w, "created_at", st->created);
	put(w, "status", status);
	put(w, "model", st->model);
	jw_key(w, "incomplete_details");
	if (why == NULL) {
		jw_null(w);
	} else {
		jw_object(w);
		put(w, "reason", why);
		jw_end_object(w);
	}
}

static void
close_response(struct json_writer *w, const struct written *st,
    const struct chat *chat, const struct usage *usage)
{
	jw_key(w, "output");
	items_write(&st->items, w);
	write_echo(w, chat);
	write_usage(w, usage);
	jw_end_object(w);
}

/* The whole answer, however it ended. */
static void
write_response(struct json_writer *w, const struct written *st,
    const struct chat *chat, const struct usage *usage)
{
	size_t i = end_of(st->finish);

	open_response(w, st, ends[i].status, ends[i].why);
	if (strcmp(ends[i].status, "completed") == 0)
		canon_put_int(w, "completed_at", (int64_t)time(NULL));
	if (st->finish == FINISH_ERROR)
		write_failure(w, "server_error",
		    "the model could not end its answer");
	else
		canon_put_raw(w, "error", canon_lit("null"));
	close_response(w, st, chat, usage);
}

/* "resp_" before the provider's id, or before ours. */
static const char *
response_id(struct arena *a, struct str id, const struct answer_meta *meta)
{
	const char *s = id.len == 0 ? arena_str(a, meta->request_id) :
	    arena_dup(a, id.p, id.len);

	if (s == NULL || strncmp(s, "resp_", 5) == 0)
		return s;
	return arena_printf(a, "resp_%s", s);
}

static bool
begin(struct written *st, struct arena *a, struct str id, struct str model,
    int64_t created, const struct answer_meta *meta)
{
	st->id = response_id(a, id, meta);
	st->model = model.len == 0 ? arena_str(a, meta->model) :
	    arena_dup(a, model.p, model.len);
	st->created = created != 0 ? created : (int64_t)time(NULL);
	return st->id != NULL && st->model != NULL;
}

/*
 * An answer of our dialect with its ids as the client's: that of the object
 * `at`, and that of what it went on with.
 */
static enum err
own(struct arena *a, const struct json *doc, uint32_t at, struct str raw,
    const struct answer_meta *meta, struct buf *out)
{
	static const char *const names[] = { "id", "previous_response_id" };
	const char *owned;
	struct edits e;
	struct str id;
	size_t i;

	if (doc == NULL || json_type(doc, at) != JSON_OBJECT) {
		buf_put(out, raw.p, raw.len);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	edits_init(&e, doc, a);
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		id = canon_str(doc, json_get(doc, at, names[i]), a);
		if (id.len == 0)
			continue;
		owned = owned_id(a, &meta->owner, id);
		if (owned == NULL)
			return ERR_INTERNAL;
		id = canon_quoted(a, owned);
		if (id.p == NULL)
			return ERR_INTERNAL;
		edits_set(&e, at, names[i], id.p, id.len);
	}
	return edits_apply(&e, out) ? ERR_OK : ERR_INTERNAL;
}

/* ------------------------------------------------------ whole answers */

static void
gather_reasoning(struct items *s, const struct part *p)
{
	bool alone = p->origin != NULL && p->sealed.len > 0 &&
	    strcmp(p->origin, "responses") != 0;

	if (p->text.len > 0)
		items_reasoning(s, p->text);
	if (p->signature.len > 0 && !alone)
		items_signature(s, p->origin, p->signature);
	if (p->sealed.len > 0)
		items_sealed(s, p->origin, p->sealed);
}

static void
gather_part(struct items *s, const struct part *p, int64_t call,
    struct str logprobs)
{
	struct piece piece;

	switch (p->kind) {
	case PART_TEXT:
		items_text(s, p->text, logprobs);
		break;
	case PART_REFUSAL:
		items_refusal(s, p->text);
		break;
	case PART_REASONING:
		gather_reasoning(s, p);
		break;
	case PART_IMAGE:
		items_image(s, canon_data_text(s->arena, p, "image/png"));
		break;
	case PART_CALL:
		memset(&piece, 0, sizeof piece);
		piece.id = p->id;
		piece.name = p->name;
		piece.text = p->signature;
		piece.origin = p->origin;
		piece.call = call;
		items_call(s, &piece);
		items_args(s, call, p->args);
		break;
	default:
		break;
	}
}

static void
gather_citations(struct items *s, struct str list)
{
	struct json doc;
	uint32_t v;

	if (list.len == 0 || json_parse(&doc, s->arena, list.p, list.len,
	    NULL) != ERR_OK)
		return;
	for (v = json_first(&doc, JSON_ROOT); v != JSON_NONE;
	    v = json_next(&doc, JSON_ROOT, v))
		items_citation(s, canon_raw(&doc, v));
}

/* Citations and logprobs belong to the last and to the first text. */
static void
gather(struct items *s, const struct choice *c)
{
	struct str logprobs = c->logprobs;
	size_t i, last = c->part_count;

	for (i = 0; i < c->part_count; i++)
		if (c->parts[i].kind == PART_TEXT)
			last = i;
	for (i = 0; i < c->part_count; i++) {
		gather_part(s, &c->parts[i], (int64_t)i, logprobs);
		if (c->parts[i].kind == PART_TEXT)
			logprobs = (struct str){ NULL, 0 };
		if (i == last)
			gather_citations(s, c->citations);
	}
}

enum err
responses_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	struct json_writer w;
	struct written st;

	if (reply->from == &adapter_responses)
		return own(a, reply->doc, JSON_ROOT, reply->raw, meta, out);
	memset(&st, 0, sizeof st);
	items_init(&st.items, a, chat);
	if (!begin(&st, a, reply->id, reply->model, reply->created, meta))
		return ERR_INTERNAL;
	if (reply->choice_count > 0) {
		st.finish = reply->choices[0].finish;
		gather(&st.items, &reply->choices[0]);
	}
	items_close(&st.items, ends[end_of(st.finish)].finish ==
	    FINISH_NONE);
	jw_init(&w, out);
	write_response(&w, &st, chat, &reply->usage);
	return out->failed || st.items.failed ? ERR_INTERNAL : ERR_OK;
}

void
responses_write_count(int64_t tokens, struct buf *out)
{
	buf_printf(out, "{\"object\":\"response.input_tokens\","
	    "\"input_tokens\":%lld}", (long long)tokens);
}

/* ------------------------------------------------------------- stream */

static struct written *
written(struct stream *s)
{
	struct written *st = s->own;

	if (st == NULL) {
		s->own = st = arena_zalloc(s->arena, sizeof *st);
		if (st != NULL)
			items_init(&st->items, s->arena, s->chat);
	}
	return st;
}

static enum err
start(struct stream *s, struct written *st, const struct delta *d,
    const struct answer_meta *meta)
{
	static const char *const events[] = { "response.created",
		"response.in_progress" };
	struct json_writer w;
	size_t i;

	if (st->started)
		return ERR_OK;
	st->started = true;
	if (!begin(st, s->arena, d->id, d->model, 0, meta))
		return ERR_INTERNAL;
	for (i = 0; i < 2; i++) {
		items_open_event(&st->items, &w, events[i]);
		jw_key(&w, "response");
		open_response(&w, st, "in_progress", NULL);
		canon_put_raw(&w, "error", canon_lit("null"));
		close_response(&w, st, s->chat, NULL);
		items_close_event(&st->items, &w);
	}
	return ERR_OK;
}

/* Logprobs of the text in the same event; they belong into its delta. */
static struct str
logprobs_of(const struct delta *d)
{
	size_t i;

	for (i = 0; i < d->piece_count; i++)
		if (d->pieces[i].kind == PIECE_LOGPROBS &&
		    d->pieces[i].choice == 0)
			return d->pieces[i].text;
	return (struct str){ NULL, 0 };
}

static void
write_piece(struct written *st, const struct piece *p, struct str *logprobs)
{
	struct items *s = &st->items;

	if (p->choice != 0)
		return; /* the dialect has one choice */
	switch (p->kind) {
	case PIECE_TEXT:
		items_text(s, p->text, *logprobs);
		*logprobs = (struct str){ NULL, 0 };
		break;
	case PIECE_REFUSAL:
		items_refusal(s, p->text);
		break;
	case PIECE_REASONING:
		items_reasoning(s, p->text);
		break;
	case PIECE_SIGNATURE:
		items_signature(s, p->origin, p->text);
		break;
	case PIECE_SEALED:
		items_sealed(s, p->origin, p->text);
		break;
	case PIECE_CALL:
		items_call(s, p);
		break;
	case PIECE_ARGS:
		items_args(s, p->call, p->text);
		break;
	case PIECE_CITATION:
		items_citation(s, p->text);
		break;
	case PIECE_IMAGE:
		items_image(s, p->text);
		break;
	case PIECE_FINISH:
		st->finish = p->finish;
		break;
	case PIECE_LOGPROBS:
		break;
	}
}

static void
write_end(struct stream *s, struct written *st, const struct usage *usage)
{
	size_t i = end_of(st->finish);
	struct json_writer w;
	const char *type;

	items_close(&st->items, ends[i].finish == FINISH_NONE);
	type = arena_printf(s->scratch, "response.%s", ends[i].status);
	items_open_event(&st->items, &w, type == NULL ? "" : type);
	jw_key(&w, "response");
	write_response(&w, st, s->chat, usage);
	items_close_event(&st->items, &w);
}

/* The provider's own event under its name. */
static enum err
write_raw(struct stream *s, struct written *st, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	uint32_t response = d->doc == NULL ? JSON_NONE :
	    json_get(d->doc, JSON_ROOT, "response");
	struct buf edited;
	enum err e = ERR_OK;

	if (d->raw.len == 0)
		return ERR_OK; /* a finish without an event of its own */
	st->items.sequence++;
	if (response == JSON_NONE ||
	    json_type(d->doc, response) != JSON_OBJECT) {
		canon_put_event(out, d->event, d->raw, "\n\n");
		return ERR_OK;
	}
	buf_init(&edited, LIMIT_EVENT_LARGE * 2);
	e = own(s->scratch, d->doc, response, d->raw, meta, &edited);
	if (e == ERR_OK)
		canon_put_event(out, d->event, (struct str){ edited.data,
		    edited.len }, "\n\n");
	buf_free(&edited);
	return e;
}

/* Id and model of an answer that passes, should it have to be broken off. */
static enum err
remember(struct stream *s, struct written *st, const struct delta *d,
    const struct answer_meta *meta)
{
	const char *id;

	if (st->started || d->id.len == 0)
		return ERR_OK;
	st->started = true;
	id = owned_id(s->arena, &meta->owner, d->id);
	return id != NULL && begin(st, s->arena, canon_lit(id), d->model, 0,
	    meta) ? ERR_OK : ERR_INTERNAL;
}

enum err
responses_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	struct written *st = written(s);
	struct str logprobs;
	enum err e;
	size_t i;

	if (st == NULL)
		return ERR_INTERNAL;
	st->items.out = out;
	if (d->from == &adapter_responses) {
		e = remember(s, st, d, meta);
		if (e == ERR_OK)
			e = write_raw(s, st, d, meta, out);
		return e != ERR_OK || out->failed ? ERR_INTERNAL : ERR_OK;
	}
	if (d->piece_count == 0 && d->kind != DELTA_END)
		return ERR_OK;
	st->items.scratch = s->scratch;
	e = start(s, st, d, meta);
	logprobs = logprobs_of(d);
	for (i = 0; i < d->piece_count && e == ERR_OK; i++)
		write_piece(st, &d->pieces[i], &logprobs);
	if (d->kind == DELTA_END && e == ERR_OK)
		write_end(s, st, &d->usage);
	return e != ERR_OK || out->failed || st->items.failed ?
	    ERR_INTERNAL : ERR_OK;
}

/* ------------------------------------------------------------- errors */

/* Errors are what they are in chat completions. */
void
responses_write_error(enum err e, const struct fault *f,
    const struct answer_meta *meta, struct buf *out)
{
	openai_write_error(e, f, meta, out);
}

/*
 * An `error` event, which carries the error both as the reference shows it
 * (flat) and as it is really sent (as an object); then the response that
 * failed, on which clients wait that know no other end.
 */
void
responses_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out)
{
	struct written *st = written(s), none;
	struct str nothing = { NULL, 0 };
	struct json_writer w;

	if (st == NULL) {
		memset(&none, 0, sizeof none);
		st = &none;
	}
	if (st->id == NULL && !begin(st, s->arena, nothing, nothing, 0, meta))
		st->id = st->model = "";
	st->items.out = out;
	items_open_event(&st->items, &w, "error");
	put(&w, "code", fault_name(e, f));
	put(&w, "message", fault_text(e, f));
	canon_put_raw(&w, "param", canon_lit("null"));
	jw_key(&w, "error");
	openai_write_error_object(&w, e, f);
	items_close_event(&st->items, &w);
	items_open_event(&st->items, &w, "response.failed");
	jw_key(&w, "response");
	open_response(&w, st, "failed", NULL);
	write_failure(&w, fault_name(e, f), fault_text(e, f));
	close_response(&w, st, s->chat, NULL);
	items_close_event(&st->items, &w);
}
