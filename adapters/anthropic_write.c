/*
 * Answers and errors towards a client that speaks Anthropic Messages: the
 * provider's own words where it speaks them too, else from the canonical
 * form, in the order of events that the official SDKs accumulate.
 */
#include "adapters/anthropic.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/citation.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

/* ------------------------------------------------------------- common */

static const struct {
	enum finish finish;
	const char *reason;
} reasons[] = {
	{ FINISH_STOP, "end_turn" },
	{ FINISH_LENGTH, "max_tokens" },
	{ FINISH_TOOLS, "tool_use" },
	{ FINISH_CONTENT, "refusal" },
	{ FINISH_ERROR, "end_turn" },
};

static void
write_reason(struct json_writer *w, enum finish finish, struct str stop)
{
	const char *reason = NULL;
	size_t i;

	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].finish == finish)
			reason = reasons[i].reason;
	if (finish == FINISH_STOP && stop.len > 0)
		reason = "stop_sequence";
	jw_key(w, "stop_reason");
	if (reason == NULL)
		jw_null(w);
	else
		jw_string(w, reason);
	jw_key(w, "stop_sequence");
	if (stop.len > 0)
		jw_stringn(w, stop.p, stop.len);
	else
		jw_null(w);
}

static void
write_usage(struct json_writer *w, const struct usage *u)
{
	const int64_t *n = u->n;

	jw_key(w, "usage");
	jw_object(w);
	canon_put_int(w, "input_tokens", n[UNIT_INPUT] +
	    n[UNIT_AUDIO_INPUT] + n[UNIT_IMAGE_INPUT]);
	canon_put_int(w, "cache_creation_input_tokens",
	    n[UNIT_CACHE_WRITE] + n[UNIT_CACHE_WRITE_1H]);
	if (n[UNIT_CACHE_WRITE_1H] > 0) {
		jw_key(w, "cache_creation");
		jw_object(w);
		canon_put_int(w, "ephemeral_5m_input_tokens",
		    n[UNIT_CACHE_WRITE]);
		canon_put_int(w, "ephemeral_1h_input_tokens",
		    n[UNIT_CACHE_WRITE_1H]);
		jw_end_object(w);
	}
	canon_put_int(w, "cache_read_input_tokens", n[UNIT_CACHED_INPUT]);
	canon_put_int(w, "output_tokens", usage_output(u));
	jw_end_object(w);
}

/* The message object up to its content. */
static void
begin_message(struct json_writer *w, struct str id, struct str model)
{
	jw_object(w);
	canon_put_str(w, "id", id);
	jw_key(w, "type");
	jw_string(w, "message");
	jw_key(w, "role");
	jw_string(w, "assistant");
	canon_put_str(w, "model", model);
	jw_key(w, "content");
	jw_array(w);
}

/* ------------------------------------------------------ whole answers */

/* What proves reasoning: with a mark when another maker must get it back. */
static struct str
proof_of(struct arena *a, const char *origin, bool sealed, struct str proof)
{
	if (proof.len == 0 || origin == NULL)
		return canon_lit("");
	return strcmp(origin, "anthropic") == 0 ? proof :
	    canon_mark(a, origin, sealed, proof);
}

static void
write_redacted(struct json_writer *w, struct str data)
{
	canon_begin(w, "redacted_thinking");
	canon_put_str(w, "data", data);
	jw_end_object(w);
}

static void
write_thinking(struct json_writer *w, const struct part *p, struct arena *a)
{
	struct str proof = proof_of(a, p->origin, p->sealed.len > 0,
	    p->sealed.len > 0 ? p->sealed : p->signature);

	if (p->sealed.len > 0 || (p->text.len == 0 && proof.len > 0 &&
	    strcmp(p->origin, "anthropic") != 0)) {
		if (proof.len > 0)
			write_redacted(w, proof);
		return;
	}
	if (p->text.len == 0 && proof.len == 0)
		return;
	canon_begin(w, "thinking");
	canon_put_text(w, "thinking", p->text);
	canon_put_str(w, "signature", proof);
	jw_end_object(w);
}

static void
write_call(struct json_writer *w, const struct part *p, struct arena *a)
{
	struct str proof = proof_of(a, p->origin, false, p->signature);

	if (proof.len > 0) /* a call has no place for it */
		write_redacted(w, proof);
	canon_begin(w, "tool_use");
	canon_put_str(w, "id", p->id);
	canon_put_str(w, "name", p->name);
	canon_put_raw(w, "input", canon_args(a, p->args));
	jw_end_object(w);
}

/* The dialect's answers hold no images: one is said in Markdown. */
static void
write_image(struct json_writer *w, const struct part *p, struct arena *a)
{
	struct str url = canon_data_text(a, p, "image/png");

	canon_begin(w, "text");
	canon_put_str(w, "text", canon_join(a, canon_lit("![image]("),
	    canon_join(a, url, canon_lit(")"))));
	jw_end_object(w);
}

/* The pages that a text rests on, from a list of OpenAI's annotations. */
static void
write_citations(struct json_writer *w, struct str list, struct arena *a)
{
	struct citation c;
	struct json doc;
	uint32_t v;

	if (list.len == 0 ||
	    json_parse(&doc, a, list.p, list.len, NULL) != ERR_OK)
		return;
	jw_key(w, "citations");
	jw_array(w);
	for (v = json_first(&doc, JSON_ROOT); v != JSON_NONE;
	    v = json_next(&doc, JSON_ROOT, v))
		if (citation_read(&doc, v, a, &c))
			citation_write_block(w, &c);
	jw_end_array(w);
}

static void
write_part(struct json_writer *w, const struct part *p, struct str citations,
    struct arena *a)
{
	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
		if (p->text.len == 0)
			break;
		canon_begin(w, "text");
		canon_put_str(w, "text", p->text);
		write_citations(w, citations, a);
		jw_end_object(w);
		break;
	case PART_REASONING:
		write_thinking(w, p, a);
		break;
	case PART_CALL:
		write_call(w, p, a);
		break;
	case PART_IMAGE:
		write_image(w, p, a);
		break;
	default:
		break;
	}
}

/* Citations stand at a text here: at the last one, as they tell none. */
static void
write_parts(struct json_writer *w, const struct choice *c, struct arena *a)
{
	struct str none = { NULL, 0 };
	size_t i, last = c->part_count;

	for (i = 0; i < c->part_count; i++)
		if (c->parts[i].kind == PART_TEXT && c->parts[i].text.len > 0)
			last = i;
	for (i = 0; i < c->part_count; i++)
		write_part(w, &c->parts[i], i == last ? c->citations : none,
		    a);
}

enum err
anthropic_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	const struct choice *c = reply->choices;
	struct json_writer w;

	(void)chat;
	if (reply->from == &adapter_anthropic) {
		buf_put(out, reply->raw.p, reply->raw.len);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	jw_init(&w, out);
	begin_message(&w, reply->id.len > 0 ? reply->id :
	    canon_lit(meta->request_id), reply->model.len > 0 ?
	    reply->model : canon_lit(meta->model));
	if (reply->choice_count > 0)
		write_parts(&w, c, a);
	jw_end_array(&w);
	write_reason(&w, reply->choice_count > 0 ? c->finish : FINISH_STOP,
	    reply->choice_count > 0 ? c->stop : (struct str){ NULL, 0 });
	write_usage(&w, &reply->usage);
	jw_end_object(&w);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

void
anthropic_write_count(int64_t tokens, struct buf *out)
{
	buf_printf(out, "{\"input_tokens\":%lld}", (long long)tokens);
}

/* ------------------------------------------------------------- stream */

/* The block that is open for the client. */
enum open { OPEN_NONE, OPEN_TEXT, OPEN_THINKING, OPEN_CALL };

/* A piece that waits for the open call to end; a call's text is its args. */
struct held {
	struct held *next;
	struct piece piece;
	struct growing text;
};

struct written {
	bool started;
	enum open open;
	int64_t index; /* of the open block, or of the next one */
	int64_t call;  /* the open call */
	struct growing args; /* of the open call, as far as they came */
	struct held *held, **last;
	bool failed;
	enum finish finish;
	struct str stop;
};

static void
open_event(struct json_writer *w, const char *name, struct buf *out)
{
	buf_printf(out, "event: %s\ndata: ", name);
	jw_init(w, out);
	canon_begin(w, name);
}

static void
close_event(struct json_writer *w, struct buf *out)
{
	jw_end_object(w);
	buf_puts(out, "\n\n");
}

static void
start(struct written *st, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	static const struct usage none;
	struct json_writer w;

	if (st->started)
		return;
	st->started = true;
	open_event(&w, "message_start", out);
	jw_key(&w, "message");
	begin_message(&w, d->id.len > 0 ? d->id :
	    canon_lit(meta->request_id), d->model.len > 0 ? d->model :
	    canon_lit(meta->model));
	jw_end_array(&w);
	write_reason(&w, FINISH_NONE, (struct str){ NULL, 0 });
	write_usage(&w, d->usage.known ? &d->usage : &none);
	jw_end_object(&w);
	close_event(&w, out);
}

static void
close_block(struct written *st, struct buf *out)
{
	struct json_writer w;

	if (st->open == OPEN_NONE)
		return;
	open_event(&w, "content_block_stop", out);
	canon_put_int(&w, "index", st->index++);
	close_event(&w, out);
	st->open = OPEN_NONE;
}

/* Begin a block; the caller writes what the block is. */
static void
open_block(struct written *st, enum open kind, struct json_writer *w,
    struct buf *out)
{
	close_block(st, out);
	st->open = kind;
	open_event(w, "content_block_start", out);
	canon_put_int(w, "index", st->index);
	jw_key(w, "content_block");
}

static void
need_text(struct written *st, struct buf *out)
{
	struct json_writer w;

	if (st->open == OPEN_TEXT)
		return;
	open_block(st, OPEN_TEXT, &w, out);
	canon_begin(&w, "text");
	canon_put_str(&w, "text", canon_lit(""));
	jw_end_object(&w);
	close_event(&w, out);
}

static void
need_thinking(struct written *st, struct buf *out)
{
	struct json_writer w;

	if (st->open == OPEN_THINKING)
		return;
	open_block(st, OPEN_THINKING, &w, out);
	canon_begin(&w, "thinking");
	canon_put_str(&w, "thinking", canon_lit(""));
	canon_put_str(&w, "signature", canon_lit(""));
	jw_end_object(&w);
	close_event(&w, out);
}

static void
write_sealed(struct written *st, struct str data, struct buf *out)
{
	struct json_writer w;

	if (data.len == 0)
		return;
	open_block(st, OPEN_TEXT, &w, out);
	write_redacted(&w, data);
	close_event(&w, out);
	close_block(st, out);
}

static void
begin_call(struct stream *s, struct written *st, const struct piece *p,
    struct buf *out)
{
	struct json_writer w;

	write_sealed(st, proof_of(s->scratch, p->origin, false, p->text),
	    out);
	st->call = p->call;
	st->args = (struct growing){ NULL, 0, 0 };
	open_block(st, OPEN_CALL, &w, out);
	canon_begin(&w, "tool_use");
	canon_put_str(&w, "id", p->id);
	canon_put_str(&w, "name", p->name);
	canon_put_raw(&w, "input", canon_lit("{}"));
	jw_end_object(&w);
	close_event(&w, out);
}

static void
write_block_delta(struct written *st, const char *type, const char *key,
    struct str text, struct buf *out)
{
	struct json_writer w;

	open_event(&w, "content_block_delta", out);
	canon_put_int(&w, "index", st->index);
	jw_key(&w, "delta");
	canon_begin(&w, type);
	canon_put_str(&w, key, text);
	jw_end_object(&w);
	close_event(&w, out);
}

static struct str
kept(struct stream *s, struct written *st, struct str t)
{
	struct str out = canon_keep(s->arena, t);

	st->failed |= out.len < t.len;
	return out;
}

/*
 * Blocks follow each other here, but the parts of calls may come mixed. What
 * comes while a call's arguments are not whole waits for the end.
 */
static bool
must_wait(struct stream *s, const struct written *st, const struct piece *p)
{
	if (p->kind == PIECE_FINISH || (p->kind == PIECE_ARGS &&
	    st->open == OPEN_CALL && st->call == p->call))
		return false;
	return st->held != NULL || (st->open == OPEN_CALL &&
	    !canon_is_object((struct str){ st->args.p, st->args.len },
		s->scratch));
}

static void
hold(struct stream *s, struct written *st, const struct piece *p)
{
	struct held *h = st->held;

	while (p->kind == PIECE_ARGS && h != NULL &&
	    (h->piece.kind != PIECE_CALL || h->piece.call != p->call))
		h = h->next;
	if (p->kind != PIECE_ARGS) {
		h = arena_zalloc(s->arena, sizeof *h);
		st->failed |= h == NULL;
		if (h == NULL)
			return;
		h->piece = *p;
		h->piece.id = kept(s, st, p->id);
		h->piece.name = kept(s, st, p->name);
		h->piece.text = kept(s, st, p->text);
		if (st->held == NULL)
			st->last = &st->held;
		*st->last = h;
		st->last = &h->next;
	} else if (h != NULL && !canon_grow(s->arena, &h->text, p->text)) {
		st->failed = true;
	}
}

static void
write_args(struct stream *s, struct written *st, const struct piece *p,
    struct buf *out)
{
	if (st->open != OPEN_CALL || st->call != p->call)
		return;
	st->failed |= !canon_grow(s->arena, &st->args, p->text);
	write_block_delta(st, "input_json_delta", "partial_json", p->text,
	    out);
}

static void
write_signature(struct stream *s, struct written *st, const struct piece *p,
    struct buf *out)
{
	struct str proof = proof_of(s->scratch, p->origin, false, p->text);
	bool ours = p->origin != NULL && strcmp(p->origin, "anthropic") == 0;

	if (proof.len == 0)
		return;
	if (st->open != OPEN_THINKING && !ours) {
		write_sealed(st, proof, out);
		return;
	}
	need_thinking(st, out);
	write_block_delta(st, "signature_delta", "signature", proof, out);
	close_block(st, out);
}

static void
write_made_image(struct stream *s, struct written *st, const struct piece *p,
    struct buf *out)
{
	need_text(st, out);
	write_block_delta(st, "text_delta", "text", canon_join(s->scratch,
	    canon_lit("![image]("), canon_join(s->scratch, p->text,
	    canon_lit(")"))), out);
}

static void
write_citation(struct stream *s, struct written *st, const struct piece *p,
    struct buf *out)
{
	struct json_writer w;
	struct citation c;
	struct json doc;

	if (json_parse(&doc, s->scratch, p->text.p, p->text.len, NULL) !=
	    ERR_OK || !citation_read(&doc, JSON_ROOT, s->scratch, &c))
		return;
	need_text(st, out);
	open_event(&w, "content_block_delta", out);
	canon_put_int(&w, "index", st->index);
	jw_key(&w, "delta");
	canon_begin(&w, "citations_delta");
	jw_key(&w, "citation");
	citation_write_block(&w, &c);
	jw_end_object(&w);
	close_event(&w, out);
}

static void
write_piece(struct stream *s, struct written *st, const struct piece *p,
    struct buf *out)
{
	if (p->choice != 0)
		return; /* the dialect has one choice; n > 1 is refused */
	if (must_wait(s, st, p)) {
		hold(s, st, p);
		return;
	}
	switch (p->kind) {
	case PIECE_TEXT:
	case PIECE_REFUSAL:
		need_text(st, out);
		write_block_delta(st, "text_delta", "text", p->text, out);
		break;
	case PIECE_REASONING:
		need_thinking(st, out);
		write_block_delta(st, "thinking_delta", "thinking", p->text,
		    out);
		break;
	case PIECE_SIGNATURE:
		write_signature(s, st, p, out);
		break;
	case PIECE_SEALED:
		write_sealed(st, proof_of(s->scratch, p->origin, true,
		    p->text), out);
		break;
	case PIECE_CALL:
		begin_call(s, st, p, out);
		break;
	case PIECE_ARGS:
		write_args(s, st, p, out);
		break;
	case PIECE_IMAGE:
		write_made_image(s, st, p, out);
		break;
	case PIECE_FINISH:
		st->finish = p->finish;
		if (p->text.len > 0)
			st->stop = kept(s, st, p->text);
		break;
	case PIECE_CITATION:
		write_citation(s, st, p, out);
		break;
	case PIECE_LOGPROBS:
		break;
	}
}

/* The open call is as whole as it will be: what waited follows it. */
static void
write_held(struct stream *s, struct written *st, struct buf *out)
{
	struct held *h = st->held;
	struct piece args = { .kind = PIECE_ARGS };

	st->held = NULL;
	for (; h != NULL; h = h->next) {
		close_block(st, out);
		write_piece(s, st, &h->piece, out);
		args.call = h->piece.call;
		args.text = (struct str){ h->text.p, h->text.len };
		if (h->text.len > 0)
			write_args(s, st, &args, out);
	}
}

static void
write_end(struct stream *s, struct written *st, const struct delta *d,
    struct buf *out)
{
	struct json_writer w;

	write_held(s, st, out);
	close_block(st, out);
	open_event(&w, "message_delta", out);
	jw_key(&w, "delta");
	jw_object(&w);
	write_reason(&w, st->finish == FINISH_NONE ? FINISH_STOP :
	    st->finish, st->stop);
	jw_end_object(&w);
	write_usage(&w, &d->usage);
	close_event(&w, out);
	open_event(&w, "message_stop", out);
	close_event(&w, out);
}

static struct written *
written(struct stream *s)
{
	if (s->own == NULL)
		s->own = arena_zalloc(s->arena, sizeof(struct written));
	return s->own;
}

/* What passes is followed as far as it may have to be ended by us. */
static void
follow(struct written *st, const char *event)
{
	st->started = true;
	if (event == NULL)
		return;
	if (strcmp(event, "content_block_start") == 0) {
		st->open = OPEN_TEXT;
	} else if (strcmp(event, "content_block_stop") == 0) {
		st->open = OPEN_NONE;
		st->index++;
	}
}

enum err
anthropic_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	struct written *st = written(s);
	size_t i;

	if (st == NULL)
		return ERR_INTERNAL;
	if (d->from == &adapter_anthropic) {
		canon_put_event(out, d->event, d->raw, "\n\n");
		follow(st, d->event);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	/* Not by an event that says nothing: the next may tell the id. */
	if (d->kind != DELTA_ERROR && (d->id.len > 0 || d->usage.known ||
	    d->piece_count > 0 || d->kind == DELTA_END))
		start(st, d, meta, out);
	for (i = 0; i < d->piece_count; i++)
		write_piece(s, st, &d->pieces[i], out);
	if (d->kind == DELTA_END)
		write_end(s, st, d, out);
	return out->failed || st->failed ? ERR_INTERNAL : ERR_OK;
}

/* ------------------------------------------------------------- errors */

static const struct {
	int status;
	const char *type;
} types[] = {
	{ 400, "invalid_request_error" },
	{ 401, "authentication_error" },
	{ 403, "permission_error" },
	{ 404, "not_found_error" },
	{ 405, "invalid_request_error" },
	{ 413, "request_too_large" },
	{ 415, "invalid_request_error" },
	{ 422, "invalid_request_error" },
	{ 429, "rate_limit_error" },
	{ 503, "overloaded_error" },
	{ 504, "timeout_error" },
};

static const char *
type_of(enum err e, const struct fault *f)
{
	int status = fault_status(e, f);
	size_t i;

	for (i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].status == status)
			return types[i].type;
	return "api_error";
}

void
anthropic_write_error(enum err e, const struct fault *f,
    const struct answer_meta *meta, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	canon_begin(&w, "error");
	jw_key(&w, "error");
	canon_begin(&w, type_of(e, f));
	jw_key(&w, "message");
	jw_string(&w, fault_text(e, f));
	jw_end_object(&w);
	jw_key(&w, "request_id");
	jw_string(&w, meta->request_id);
	jw_end_object(&w);
}

void
anthropic_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out)
{
	(void)s;
	buf_puts(out, "event: error\ndata: ");
	anthropic_write_error(e, f, meta, out);
	buf_puts(out, "\n\n");
}
