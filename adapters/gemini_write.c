/*
 * Answers and errors towards a client that speaks generateContent: the
 * provider's own words where it speaks them too, else from the canonical
 * form. A call is written whole, as the dialect has no parts of one.
 */
#include "adapters/gemini.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

#define CALLS_MAX 1024

static const struct {
	enum finish finish;
	const char *reason;
} reasons[] = {
	{ FINISH_STOP, "STOP" },
	{ FINISH_TOOLS, "STOP" },
	{ FINISH_LENGTH, "MAX_TOKENS" },
	{ FINISH_CONTENT, "SAFETY" },
	{ FINISH_ERROR, "OTHER" },
};

static void
write_reason(struct json_writer *w, enum finish finish)
{
	size_t i;

	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].finish == finish)
			canon_put_str(w, "finishReason",
			    canon_lit(reasons[i].reason));
}

static void
write_usage(struct json_writer *w, const struct usage *u)
{
	int64_t in = usage_input(u), of = usage_output(u);

	jw_key(w, "usageMetadata");
	jw_object(w);
	canon_put_int(w, "promptTokenCount", in);
	canon_put_int(w, "candidatesTokenCount", of - u->n[UNIT_REASONING]);
	if (u->n[UNIT_REASONING] > 0)
		canon_put_int(w, "thoughtsTokenCount", u->n[UNIT_REASONING]);
	if (u->n[UNIT_CACHED_INPUT] > 0)
		canon_put_int(w, "cachedContentTokenCount",
		    u->n[UNIT_CACHED_INPUT]);
	canon_put_int(w, "totalTokenCount", in + of);
	jw_end_object(w);
}

/* The answer's object up to the parts of one candidate. */
static void
begin(struct json_writer *w, int64_t index)
{
	jw_object(w);
	canon_put_int(w, "index", index);
	jw_key(w, "content");
	jw_object(w);
	jw_key(w, "role");
	jw_string(w, "model");
	jw_key(w, "parts");
	jw_array(w);
}

static void
end(struct json_writer *w, enum finish finish)
{
	jw_end_array(w);
	jw_end_object(w);
	write_reason(w, finish);
	jw_end_object(w);
}

static void
write_text(struct json_writer *w, struct str text, bool thought,
    struct str signature)
{
	jw_object(w);
	canon_put_str(w, "text", text.p == NULL ? canon_lit("") : text);
	if (thought)
		canon_put_flag(w, "thought", 1);
	if (signature.len > 0)
		canon_put_str(w, "thoughtSignature", signature);
	jw_end_object(w);
}

static void
write_call(struct json_writer *w, struct str id, struct str name,
    struct str args, struct str signature, struct arena *a)
{
	jw_object(w);
	jw_key(w, "functionCall");
	jw_object(w);
	canon_put_str(w, "id", id);
	canon_put_str(w, "name", name);
	/* A model's broken arguments are no JSON to put here. */
	canon_put_raw(w, "args", canon_is_object(args, a) ? args :
	    canon_lit("{}"));
	jw_end_object(w);
	if (signature.len > 0)
		canon_put_str(w, "thoughtSignature", signature);
	jw_end_object(w);
}

/* ------------------------------------------------------ whole answers */

static void
write_part(struct json_writer *w, const struct part *p, struct arena *a)
{
	struct str none = { NULL, 0 };
	bool ours = p->origin != NULL && strcmp(p->origin, "gemini") == 0;

	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
		write_text(w, p->text, false, none);
		break;
	case PART_REASONING:
		if (p->text.len > 0)
			write_text(w, p->text, true, ours ? p->signature :
			    none);
		break;
	case PART_CALL:
		write_call(w, p->id, p->name, p->args, ours ? p->signature :
		    none, a);
		break;
	case PART_IMAGE:
	case PART_AUDIO:
		jw_object(w);
		jw_key(w, "inlineData");
		jw_object(w);
		canon_put_str(w, "mimeType", p->media_type);
		canon_put_str(w, "data", p->data);
		jw_end_object(w);
		jw_end_object(w);
		break;
	default:
		break;
	}
}

static void
write_tail(struct json_writer *w, struct str id, struct str model,
    const struct usage *u, const struct answer_meta *meta)
{
	if (u->known)
		write_usage(w, u);
	canon_put_str(w, "modelVersion", model.len > 0 ? model :
	    canon_lit(meta->model));
	canon_put_str(w, "responseId", id.len > 0 ? id :
	    canon_lit(meta->request_id));
	jw_end_object(w);
}

enum err
gemini_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	const struct choice *c;
	struct json_writer w;
	size_t i, k;

	(void)chat;
	if (reply->from == &adapter_gemini) {
		buf_put(out, reply->raw.p, reply->raw.len);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "candidates");
	jw_array(&w);
	for (i = 0; i < reply->choice_count; i++) {
		c = &reply->choices[i];
		begin(&w, c->index);
		for (k = 0; k < c->part_count; k++)
			write_part(&w, &c->parts[k], a);
		end(&w, c->finish);
	}
	jw_end_array(&w);
	write_tail(&w, reply->id, reply->model, &reply->usage, meta);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

/* ------------------------------------------------------------- stream */

/* A call that is being gathered. */
struct gathered {
	struct gathered *next;
	int64_t choice, call;
	struct str id, name, signature;
	char *args;
	size_t len, size;
};

struct written {
	struct gathered *calls, **last;
	int64_t count;
	struct str id, model;
	int64_t choice; /* of the last finish */
	enum finish finish;
};

static struct str
kept(struct stream *s, struct str t)
{
	struct str out = { NULL, 0 };

	if (t.len > 0) {
		out.p = arena_dup(s->arena, t.p, t.len);
		out.len = out.p == NULL ? 0 : t.len;
	}
	return out;
}

static bool
gather_call(struct stream *s, struct written *st, const struct piece *p)
{
	struct gathered *g;

	if (st->count++ == CALLS_MAX)
		return false;
	g = arena_zalloc(s->arena, sizeof *g);
	if (g == NULL)
		return false;
	g->choice = p->choice;
	g->call = p->call;
	g->id = kept(s, p->id);
	g->name = kept(s, p->name);
	if (p->origin != NULL && strcmp(p->origin, "gemini") == 0)
		g->signature = kept(s, p->text);
	*st->last = g;
	st->last = &g->next;
	return true;
}

static bool
gather_args(struct stream *s, struct written *st, const struct piece *p)
{
	struct gathered *g = st->calls;
	size_t size;
	char *q;

	while (g != NULL && (g->choice != p->choice || g->call != p->call))
		g = g->next;
	if (g == NULL)
		return true;
	if (g->size - g->len < p->text.len) {
		size = (g->len + p->text.len) * 2;
		q = arena_resize(s->arena, g->args, g->size, size);
		if (q == NULL)
			return false;
		g->args = q;
		g->size = size;
	}
	memcpy(g->args + g->len, p->text.p, p->text.len);
	g->len += p->text.len;
	return true;
}

static void
open_chunk(struct json_writer *w, struct buf *out)
{
	buf_puts(out, "data: ");
	jw_init(w, out);
	jw_object(w);
	jw_key(w, "candidates");
	jw_array(w);
}

static void
close_chunk(struct json_writer *w, const struct written *st,
    const struct usage *u, const struct answer_meta *meta, struct buf *out)
{
	jw_end_array(w);
	write_tail(w, st->id, st->model, u, meta);
	buf_puts(out, "\r\n\r\n");
}

static bool
write_piece(struct stream *s, struct written *st, const struct piece *p,
    const struct answer_meta *meta, struct buf *out)
{
	static const struct usage none;
	struct str nothing = { NULL, 0 };
	struct json_writer w;
	bool ours = p->origin != NULL && strcmp(p->origin, "gemini") == 0;

	switch (p->kind) {
	case PIECE_TEXT:
	case PIECE_REFUSAL:
	case PIECE_REASONING:
		open_chunk(&w, out);
		begin(&w, p->choice);
		write_text(&w, p->text, p->kind == PIECE_REASONING, nothing);
		end(&w, FINISH_NONE);
		close_chunk(&w, st, &none, meta, out);
		return true;
	case PIECE_SIGNATURE:
		if (!ours)
			return true;
		open_chunk(&w, out);
		begin(&w, p->choice);
		write_text(&w, nothing, false, p->text);
		end(&w, FINISH_NONE);
		close_chunk(&w, st, &none, meta, out);
		return true;
	case PIECE_CALL:
		return gather_call(s, st, p);
	case PIECE_ARGS:
		return gather_args(s, st, p);
	case PIECE_FINISH:
		st->finish = p->finish;
		st->choice = p->choice;
		return true;
	default:
		return true;
	}
}

/* The last chunk: calls, the reason, and usage. */
static void
write_last(struct stream *s, struct written *st, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	struct json_writer w;
	struct gathered *g;

	open_chunk(&w, out);
	begin(&w, st->choice);
	for (g = st->calls; g != NULL; g = g->next)
		write_call(&w, g->id, g->name, g->args == NULL ?
		    canon_lit("{}") : (struct str){ g->args, g->len },
		    g->signature, s->scratch);
	end(&w, st->finish == FINISH_NONE ? FINISH_STOP : st->finish);
	close_chunk(&w, st, &d->usage, meta, out);
}

static struct written *
written(struct stream *s)
{
	struct written *st = s->own;

	if (st == NULL) {
		s->own = st = arena_zalloc(s->arena, sizeof *st);
		if (st != NULL)
			st->last = &st->calls;
	}
	return st;
}

static void
write_raw(const struct delta *d, struct buf *out)
{
	size_t i, from;

	buf_puts(out, "data: ");
	from = out->len;
	buf_put(out, d->raw.p, d->raw.len);
	for (i = from; !out->failed && i < out->len; i++)
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
	buf_puts(out, "\r\n\r\n");
}

enum err
gemini_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	struct written *st = written(s);
	size_t i;

	if (st == NULL)
		return ERR_INTERNAL;
	if (d->from == &adapter_gemini) {
		if (d->kind != DELTA_END) /* the end is no event here */
			write_raw(d, out);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	if (st->id.len == 0)
		st->id = kept(s, d->id);
	if (st->model.len == 0)
		st->model = kept(s, d->model);
	for (i = 0; i < d->piece_count; i++)
		if (!write_piece(s, st, &d->pieces[i], meta, out))
			return ERR_INTERNAL;
	if (d->kind == DELTA_END)
		write_last(s, st, d, meta, out);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

/* ------------------------------------------------------------- errors */

static const struct {
	int status;
	const char *word;
} words[] = {
	{ 400, "INVALID_ARGUMENT" },
	{ 401, "UNAUTHENTICATED" },
	{ 403, "PERMISSION_DENIED" },
	{ 404, "NOT_FOUND" },
	{ 405, "UNIMPLEMENTED" },
	{ 409, "ABORTED" },
	{ 413, "INVALID_ARGUMENT" },
	{ 415, "INVALID_ARGUMENT" },
	{ 422, "INVALID_ARGUMENT" },
	{ 429, "RESOURCE_EXHAUSTED" },
	{ 500, "INTERNAL" },
	{ 503, "UNAVAILABLE" },
	{ 504, "DEADLINE_EXCEEDED" },
};

void
gemini_write_error(enum err e, const struct fault *f,
    const struct answer_meta *meta, struct buf *out)
{
	int status = fault_status(e, f);
	const char *word = "UNAVAILABLE";
	struct json_writer w;
	size_t i;

	(void)meta;
	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].status == status)
			word = words[i].word;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "error");
	jw_object(&w);
	canon_put_int(&w, "code", status);
	jw_key(&w, "message");
	jw_string(&w, fault_text(e, f));
	jw_key(&w, "status");
	jw_string(&w, word);
	jw_end_object(&w);
	jw_end_object(&w);
}

void
gemini_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out)
{
	(void)s;
	buf_puts(out, "data: ");
	gemini_write_error(e, f, meta, out);
	buf_puts(out, "\r\n\r\n");
}
