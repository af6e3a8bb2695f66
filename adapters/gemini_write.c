/*
 * Answers and errors towards a client that speaks generateContent: the
 * provider's own words where it speaks them too, else from the canonical
 * form. A call is written whole, as the dialect has no parts of one.
 */
#include "adapters/gemini.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/citation.h"
#include "adapters/gemini_logprobs.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

#define CALLS_MAX 1024
#define CHOICES_MAX 128

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

/* Where there is audio: how many tokens are of it, and how many of text. */
static void
write_audio(struct json_writer *w, const char *key, int64_t text,
    int64_t audio)
{
	if (audio == 0)
		return;
	jw_key(w, key);
	jw_array(w);
	jw_object(w);
	canon_put_str(w, "modality", canon_lit("TEXT"));
	canon_put_int(w, "tokenCount", text);
	jw_end_object(w);
	jw_object(w);
	canon_put_str(w, "modality", canon_lit("AUDIO"));
	canon_put_int(w, "tokenCount", audio);
	jw_end_object(w);
	jw_end_array(w);
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
	write_audio(w, "promptTokensDetails", in - u->n[UNIT_AUDIO_INPUT],
	    u->n[UNIT_AUDIO_INPUT]);
	write_audio(w, "candidatesTokensDetails", of - u->n[UNIT_REASONING] -
	    u->n[UNIT_AUDIO_OUTPUT], u->n[UNIT_AUDIO_OUTPUT]);
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

/* The end of the content, after which members of the candidate may stand. */
static void
end_content(struct json_writer *w, enum finish finish)
{
	jw_end_array(w);
	jw_end_object(w);
	write_reason(w, finish);
}

static void
end(struct json_writer *w, enum finish finish)
{
	end_content(w, finish);
	jw_end_object(w);
}

static void
write_text(struct json_writer *w, struct str text, bool thought,
    struct str signature)
{
	jw_object(w);
	canon_put_text(w, "text", text);
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
	canon_put_raw(w, "args", canon_args(a, args));
	jw_end_object(w);
	if (signature.len > 0)
		canon_put_str(w, "thoughtSignature", signature);
	jw_end_object(w);
}

/*
 * What proves reasoning: with a mark when another maker must get it back.
 * The field is of bytes: clients decode it, so it must be base64.
 */
static struct str
proof_of(struct arena *a, const char *origin, bool sealed, struct str proof)
{
	struct str none = { NULL, 0 };

	if (origin == NULL || !canon_is_base64(proof))
		return none;
	return strcmp(origin, "gemini") == 0 && !sealed ? proof :
	    canon_mark(a, origin, sealed, proof);
}

static void
write_image(struct json_writer *w, const struct part *p)
{
	jw_object(w);
	jw_key(w, "inlineData");
	jw_object(w);
	canon_put_str(w, "mimeType", p->media_type);
	canon_put_str(w, "data", p->data);
	jw_end_object(w);
	jw_end_object(w);
}

/* ------------------------------------------------------ whole answers */

static void
write_part(struct json_writer *w, const struct part *p, struct arena *a)
{
	struct str none = { NULL, 0 }, proof = proof_of(a, p->origin,
	    p->sealed.len > 0, p->sealed.len > 0 ? p->sealed : p->signature);

	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
		write_text(w, p->text, false, none);
		break;
	case PART_REASONING:
		if (p->text.len > 0 || proof.len > 0)
			write_text(w, p->text, true, proof);
		break;
	case PART_CALL:
		write_call(w, p->id, p->name, p->args, proof, a);
		break;
	case PART_IMAGE:
	case PART_AUDIO:
		write_image(w, p);
		break;
	default:
		break;
	}
}

/* All that a choice says. */
static struct str
text_of(const struct choice *c, struct arena *a)
{
	struct growing g = { NULL, 0, 0 };
	size_t i;

	for (i = 0; i < c->part_count; i++)
		if (c->parts[i].kind == PART_TEXT &&
		    !canon_grow(a, &g, c->parts[i].text))
			break; /* then places are not told */
	return canon_grown(&g);
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
		end_content(&w, c->finish);
		gemini_put_logprobs(&w, c->logprobs, a);
		if (c->citations.len > 0)
			citation_put_grounding(&w, c->citations,
			    text_of(c, a), a);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	write_tail(&w, reply->id, reply->model, &reply->usage, meta);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

void
gemini_write_count(int64_t tokens, struct buf *out)
{
	buf_printf(out, "{\"totalTokens\":%lld}", (long long)tokens);
}

/* ------------------------------------------------------------- stream */

/* A call that is being gathered. */
struct gathered {
	struct gathered *next;
	int64_t choice, call;
	struct str id, name, signature;
	struct growing args;
};

/* A choice that was begun, and why it ended. */
struct ended {
	struct ended *next;
	int64_t choice;
	enum finish finish;
	struct growing text;  /* all of it, and … */
	struct growing notes; /* … what it rests on, elements of a list */
};

struct written {
	bool list, begun; /* one array instead of events; something is out */
	struct gathered *calls, **last;
	int64_t count;
	struct str id, model;
	struct ended *choices;
};

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
	g->id = canon_keep(s->arena, p->id);
	g->name = canon_keep(s->arena, p->name);
	g->signature = canon_keep(s->arena, proof_of(s->scratch, p->origin,
	    false, p->text));
	if (g->id.len < p->id.len || g->name.len < p->name.len)
		return false; /* rather no answer than a call without a name */
	*st->last = g;
	st->last = &g->next;
	return true;
}

static bool
gather_args(struct stream *s, struct written *st, const struct piece *p)
{
	struct gathered *g = st->calls;

	while (g != NULL && (g->choice != p->choice || g->call != p->call))
		g = g->next;
	return g == NULL || canon_grow(s->arena, &g->args, p->text);
}

/* The choice of a piece; NULL: no memory, or too many. */
static struct ended *
choice_of(struct stream *s, struct written *st, int64_t choice)
{
	struct ended **at = &st->choices;
	int n = 0;

	for (; *at != NULL && (*at)->choice != choice; at = &(*at)->next)
		if (++n == CHOICES_MAX)
			return NULL;
	if (*at == NULL && (*at = arena_zalloc(s->arena, sizeof **at)) !=
	    NULL)
		(*at)->choice = choice;
	return *at;
}

/* What stands before and after an answer of the stream. */
static void
before(struct written *st, struct buf *out)
{
	buf_puts(out, !st->list ? "data: " : st->begun ? ",\r\n" : "[");
	st->begun = true;
}

static void
after(const struct written *st, struct buf *out)
{
	buf_puts(out, st->list ? "\n" : "\r\n\r\n");
}

static void
open_chunk(struct json_writer *w, struct written *st, struct buf *out)
{
	before(st, out);
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
	after(st, out);
}

/* A chunk with one part. */
static void
write_chunk(struct written *st, const struct piece *p, struct str text,
    struct str proof, const struct answer_meta *meta, struct buf *out)
{
	static const struct usage none;
	struct json_writer w;
	struct part image = { .url = p->text };

	open_chunk(&w, st, out);
	begin(&w, p->choice);
	if (p->kind == PIECE_IMAGE) {
		canon_data_url(&image);
		write_image(&w, &image);
	} else {
		write_text(&w, text, p->kind != PIECE_TEXT &&
		    p->kind != PIECE_REFUSAL, proof);
	}
	end(&w, FINISH_NONE);
	close_chunk(&w, st, &none, meta, out);
}

/* They have a chunk of their own, as they have no place in a part. */
static void
write_logprobs(struct stream *s, struct written *st, const struct piece *p,
    const struct answer_meta *meta, struct buf *out)
{
	static const struct usage none;
	struct json_writer w;

	open_chunk(&w, st, out);
	begin(&w, p->choice);
	end_content(&w, FINISH_NONE);
	gemini_put_logprobs(&w, p->text, s->scratch);
	jw_end_object(&w);
	close_chunk(&w, st, &none, meta, out);
}

static bool
write_piece(struct stream *s, struct written *st, const struct piece *p,
    const struct answer_meta *meta, struct buf *out)
{
	struct ended *choice = choice_of(s, st, p->choice);
	struct str none = { NULL, 0 }, proof;

	if (choice == NULL)
		return false;
	switch (p->kind) {
	case PIECE_TEXT:
		if (!canon_grow(s->arena, &choice->text, p->text))
			return false;
		write_chunk(st, p, p->text, none, meta, out);
		return true;
	case PIECE_REFUSAL:
	case PIECE_REASONING:
	case PIECE_IMAGE:
		write_chunk(st, p, p->text, none, meta, out);
		return true;
	case PIECE_SIGNATURE:
	case PIECE_SEALED:
		proof = proof_of(s->scratch, p->origin,
		    p->kind == PIECE_SEALED, p->text);
		if (proof.len > 0)
			write_chunk(st, p, none, proof, meta, out);
		return true;
	case PIECE_CALL:
		return gather_call(s, st, p);
	case PIECE_ARGS:
		return gather_args(s, st, p);
	case PIECE_FINISH:
		choice->finish = p->finish;
		return true;
	case PIECE_CITATION:
		return canon_grow(s->arena, &choice->notes,
		    canon_lit(choice->notes.len > 0 ? "," : "[")) &&
		    canon_grow(s->arena, &choice->notes, p->text);
	case PIECE_LOGPROBS:
		write_logprobs(s, st, p, meta, out);
		break;
	}
	return true;
}

static void
write_notes(struct json_writer *w, const struct ended *c, struct arena *a)
{
	if (c->notes.len > 0)
		citation_put_grounding(w, canon_join(a,
		    canon_grown(&c->notes), canon_lit("]")),
		    canon_grown(&c->text), a);
}

/* The last chunk: calls, the reasons, and usage. */
static void
write_last(struct stream *s, struct written *st, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	const struct ended *c;
	struct json_writer w;
	struct gathered *g;

	open_chunk(&w, st, out);
	for (c = st->choices; c != NULL; c = c->next) {
		begin(&w, c->choice);
		for (g = st->calls; g != NULL; g = g->next)
			if (g->choice == c->choice)
				write_call(&w, g->id, g->name,
				    (struct str){ g->args.p, g->args.len },
				    g->signature, s->scratch);
		end_content(&w, c->finish == FINISH_NONE ? FINISH_STOP :
		    c->finish);
		write_notes(&w, c, s->scratch);
		jw_end_object(&w);
	}
	close_chunk(&w, st, &d->usage, meta, out);
}

static struct written *
written(struct stream *s)
{
	struct written *st = s->own;

	if (st == NULL) {
		s->own = st = arena_zalloc(s->arena, sizeof *st);
		if (st != NULL) {
			st->last = &st->calls;
			st->list = s->chat->stream_list;
		}
	}
	return st;
}

static void
write_raw(struct written *st, const struct delta *d, struct buf *out)
{
	size_t from;

	before(st, out);
	from = out->len;
	buf_put(out, d->raw.p, d->raw.len);
	canon_one_line(out, from);
	after(st, out);
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
			write_raw(st, d, out);
		else if (st->list)
			buf_puts(out, "]\n");
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	if (st->id.len == 0)
		st->id = canon_keep(s->arena, d->id);
	if (st->model.len == 0)
		st->model = canon_keep(s->arena, d->model);
	for (i = 0; i < d->piece_count; i++)
		if (!write_piece(s, st, &d->pieces[i], meta, out))
			return ERR_INTERNAL;
	if (d->kind == DELTA_END) {
		write_last(s, st, d, meta, out);
		buf_puts(out, st->list ? "]\n" : "");
	}
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
	struct written *st = written(s);

	if (st == NULL)
		return;
	before(st, out);
	gemini_write_error(e, f, meta, out);
	after(st, out);
	buf_puts(out, st->list ? "]\n" : "");
}
