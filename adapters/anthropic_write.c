/*
 * Answers and errors towards a client that speaks Anthropic Messages: the
 * provider's own words where it speaks them too, else from the canonical
 * form, in the order of events that the official SDKs accumulate.
 */
#include "adapters/anthropic.h"

#include <string.h>

#include "adapters/canon.h"
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
	    n[UNIT_AUDIO_INPUT]);
	canon_put_int(w, "cache_creation_input_tokens",
	    n[UNIT_CACHE_WRITE] + n[UNIT_CACHE_WRITE_1H]);
	canon_put_int(w, "cache_read_input_tokens", n[UNIT_CACHED_INPUT]);
	canon_put_int(w, "output_tokens", usage_output(u));
	jw_end_object(w);
}

static void
begin(struct json_writer *w, const char *type)
{
	jw_object(w);
	jw_key(w, "type");
	jw_string(w, type);
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

static void
write_thinking(struct json_writer *w, const struct part *p)
{
	if (p->sealed.p != NULL) {
		begin(w, "redacted_thinking");
		canon_put_str(w, "data", p->sealed);
	} else {
		begin(w, "thinking");
		canon_put_str(w, "thinking", p->text.p == NULL ?
		    canon_lit("") : p->text);
		canon_put_str(w, "signature", p->signature.p == NULL ?
		    canon_lit("") : p->signature);
	}
	jw_end_object(w);
}

static void
write_part(struct json_writer *w, const struct part *p, struct arena *a)
{
	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
		begin(w, "text");
		canon_put_str(w, "text", p->text);
		jw_end_object(w);
		break;
	case PART_REASONING:
		write_thinking(w, p);
		break;
	case PART_CALL:
		begin(w, "tool_use");
		canon_put_str(w, "id", p->id);
		canon_put_str(w, "name", p->name);
		/* A model's broken arguments are no JSON to put here. */
		canon_put_raw(w, "input", canon_is_object(p->args, a) ?
		    p->args : canon_lit("{}"));
		jw_end_object(w);
		break;
	default:
		break;
	}
}

enum err
anthropic_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	const struct choice *c = reply->choices;
	struct json_writer w;
	size_t i;

	(void)chat;
	if (reply->from == &adapter_anthropic) {
		buf_put(out, reply->raw.p, reply->raw.len);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	jw_init(&w, out);
	begin_message(&w, reply->id.len > 0 ? reply->id :
	    canon_lit(meta->request_id), reply->model.len > 0 ?
	    reply->model : canon_lit(meta->model));
	for (i = 0; reply->choice_count > 0 && i < c->part_count; i++)
		write_part(&w, &c->parts[i], a);
	jw_end_array(&w);
	write_reason(&w, reply->choice_count > 0 ? c->finish : FINISH_STOP,
	    reply->choice_count > 0 ? c->stop : (struct str){ NULL, 0 });
	write_usage(&w, &reply->usage);
	jw_end_object(&w);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

/* ------------------------------------------------------------- stream */

/* The block that is open for the client. */
enum open { OPEN_NONE, OPEN_TEXT, OPEN_THINKING, OPEN_CALL };

struct written {
	bool started;
	enum open open;
	int64_t index; /* of the open block, or of the next one */
	int64_t call;  /* the open call */
	enum finish finish;
	struct str stop;
};

static void
open_event(struct json_writer *w, const char *name, struct buf *out)
{
	buf_printf(out, "event: %s\ndata: ", name);
	jw_init(w, out);
	begin(w, name);
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
	begin(&w, "text");
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
	begin(&w, "thinking");
	canon_put_str(&w, "thinking", canon_lit(""));
	canon_put_str(&w, "signature", canon_lit(""));
	jw_end_object(&w);
	close_event(&w, out);
}

static void
begin_call(struct written *st, const struct piece *p, struct buf *out)
{
	struct json_writer w;

	st->call = p->call;
	open_block(st, OPEN_CALL, &w, out);
	begin(&w, "tool_use");
	canon_put_str(&w, "id", p->id);
	canon_put_str(&w, "name", p->name);
	canon_put_raw(&w, "input", canon_lit("{}"));
	jw_end_object(&w);
	close_event(&w, out);
}

static void
write_sealed(struct written *st, const struct piece *p, struct buf *out)
{
	struct json_writer w;

	open_block(st, OPEN_TEXT, &w, out);
	begin(&w, "redacted_thinking");
	canon_put_str(&w, "data", p->text);
	jw_end_object(&w);
	close_event(&w, out);
	close_block(st, out);
}

static void
write_block_delta(struct written *st, const char *type, const char *key,
    struct str text, struct buf *out)
{
	struct json_writer w;

	open_event(&w, "content_block_delta", out);
	canon_put_int(&w, "index", st->index);
	jw_key(&w, "delta");
	begin(&w, type);
	canon_put_str(&w, key, text);
	jw_end_object(&w);
	close_event(&w, out);
}

static void
write_piece(struct stream *s, struct written *st, const struct piece *p,
    struct buf *out)
{
	if (p->choice != 0)
		return; /* the dialect has one choice; n > 1 is refused */
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
		need_thinking(st, out);
		write_block_delta(st, "signature_delta", "signature", p->text,
		    out);
		break;
	case PIECE_SEALED:
		write_sealed(st, p, out);
		break;
	case PIECE_CALL:
		begin_call(st, p, out);
		break;
	case PIECE_ARGS:
		if (st->open == OPEN_CALL && st->call == p->call)
			write_block_delta(st, "input_json_delta",
			    "partial_json", p->text, out);
		break;
	case PIECE_FINISH:
		st->finish = p->finish;
		if (p->text.len > 0) {
			st->stop.p = arena_dup(s->arena, p->text.p,
			    p->text.len);
			st->stop.len = st->stop.p == NULL ? 0 : p->text.len;
		}
		break;
	case PIECE_LOGPROBS:
	case PIECE_CITATION:
		break;
	}
}

static void
write_end(struct written *st, const struct delta *d, struct buf *out)
{
	struct json_writer w;

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

/* The provider's own event; line ends between tokens would end its line. */
static void
write_raw(const struct delta *d, struct buf *out)
{
	size_t i, from;

	buf_printf(out, "event: %s\ndata: ", d->event);
	from = out->len;
	buf_put(out, d->raw.p, d->raw.len);
	for (i = from; !out->failed && i < out->len; i++)
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
	buf_puts(out, "\n\n");
}

static struct written *
written(struct stream *s)
{
	if (s->own == NULL)
		s->own = arena_zalloc(s->arena, sizeof(struct written));
	return s->own;
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
		write_raw(d, out);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	if (d->kind != DELTA_ERROR)
		start(st, d, meta, out);
	for (i = 0; i < d->piece_count; i++)
		write_piece(s, st, &d->pieces[i], out);
	if (d->kind == DELTA_END)
		write_end(st, d, out);
	return out->failed ? ERR_INTERNAL : ERR_OK;
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
	begin(&w, "error");
	jw_key(&w, "error");
	begin(&w, type_of(e, f));
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
