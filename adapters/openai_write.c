/*
 * Answers and errors towards a client that speaks the OpenAI chat dialect:
 * a provider's own words where it speaks it too, else from the canonical
 * form.
 */
#include "adapters/openai.h"

#include <string.h>
#include <time.h>

#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"

/* The writer's memory of one stream. */
struct written {
	const char *id;	   /* of the answer, "" until known */
	const char *model; /* the same */
	int64_t created;
	uint64_t roles[2]; /* choices that have begun, as bits */
	int64_t detail;	   /* index of the open detail of reasoning */
	bool usage;	   /* an event of usage alone went out */
};

static const struct {
	enum finish finish;
	const char *word;
} words[] = {
	{ FINISH_STOP, "stop" },
	{ FINISH_LENGTH, "length" },
	{ FINISH_TOOLS, "tool_calls" },
	{ FINISH_CONTENT, "content_filter" },
	{ FINISH_ERROR, "error" },
};

static void
write_finish(struct json_writer *w, enum finish finish)
{
	size_t i;

	jw_key(w, "finish_reason");
	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].finish == finish) {
			jw_string(w, words[i].word);
			return;
		}
	jw_null(w);
}

static void
write_meta(struct json_writer *w, const struct answer_meta *meta)
{
	char cost[32];

	jw_object(w);
	jw_key(w, "request_id");
	jw_string(w, meta->request_id);
	jw_key(w, "provider");
	jw_string(w, meta->provider);
	jw_key(w, "model");
	jw_string(w, meta->model);
	if (meta->cost >= 0) {
		price_format(meta->cost, cost, sizeof cost);
		jw_key(w, "cost");
		jw_string(w, cost);
	}
	jw_end_object(w);
}

void
openai_write_usage(struct json_writer *w, const struct usage *u)
{
	int64_t in = usage_input(u), of = usage_output(u);
	int64_t written = u->n[UNIT_CACHE_WRITE] + u->n[UNIT_CACHE_WRITE_1H];

	jw_object(w);
	canon_put_int(w, "prompt_tokens", in);
	canon_put_int(w, "completion_tokens", of);
	canon_put_int(w, "total_tokens", in + of);
	jw_key(w, "prompt_tokens_details");
	jw_object(w);
	canon_put_int(w, "cached_tokens", u->n[UNIT_CACHED_INPUT]);
	canon_put_int(w, "audio_tokens", u->n[UNIT_AUDIO_INPUT]);
	if (written > 0) /* as OpenRouter names them */
		canon_put_int(w, "cache_write_tokens", written);
	jw_end_object(w);
	jw_key(w, "completion_tokens_details");
	jw_object(w);
	canon_put_int(w, "reasoning_tokens", u->n[UNIT_REASONING]);
	canon_put_int(w, "audio_tokens", u->n[UNIT_AUDIO_OUTPUT]);
	jw_end_object(w);
	jw_end_object(w);
}

/* One event; line ends between tokens would end the data line. */
static void
write_event(struct buf *out, const char *p, size_t len)
{
	size_t from;

	buf_puts(out, "data: ");
	from = out->len;
	buf_put(out, p, len);
	canon_one_line(out, from);
	buf_puts(out, "\n\n");
}

/* The provider's usage event with our own words added at its end. */
static void
write_usage_event(const struct delta *d, const struct answer_meta *meta,
    struct buf *out)
{
	size_t len = d->raw.len;
	struct json_writer w;
	struct buf b;

	while (len > 0 && d->raw.p[len - 1] != '}')
		len--;
	buf_init(&b, LIMIT_EVENT_LARGE * 2);
	buf_put(&b, d->raw.p, len - 1);
	buf_puts(&b, ",\"tollgate\":");
	jw_init(&w, &b);
	write_meta(&w, meta);
	buf_putc(&b, '}');
	if (b.failed)
		out->failed = true;
	else
		write_event(out, b.data, b.len);
	buf_free(&b);
}

static struct written *
written(struct stream *s)
{
	struct written *st = s->own;

	if (st == NULL) {
		s->own = st = arena_zalloc(s->arena, sizeof *st);
		if (st != NULL) {
			st->id = st->model = "";
			st->created = (int64_t)time(NULL);
		}
	}
	return st;
}

/* ------------------------------------------------------- from pieces */

/* The head of a chunk up to its list of choices. */
static void
open_chunk(struct json_writer *w, const struct written *st,
    const struct answer_meta *meta, struct buf *out)
{
	buf_puts(out, "data: ");
	jw_init(w, out);
	jw_object(w);
	jw_key(w, "id");
	jw_string(w, *st->id == '\0' ? meta->request_id : st->id);
	jw_key(w, "object");
	jw_string(w, "chat.completion.chunk");
	canon_put_int(w, "created", st->created);
	jw_key(w, "model");
	jw_string(w, *st->model == '\0' ? meta->model : st->model);
	jw_key(w, "choices");
	jw_array(w);
}

/* The usage event that OpenAI's own stream would have had. */
static void
write_own_usage(const struct written *st, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	struct json_writer w;

	open_chunk(&w, st, meta, out);
	jw_end_array(&w);
	jw_key(&w, "usage");
	openai_write_usage(&w, &d->usage);
	jw_key(&w, "tollgate");
	write_meta(&w, meta);
	jw_end_object(&w);
	buf_puts(out, "\n\n");
}

static void
close_chunk(struct json_writer *w, struct buf *out)
{
	jw_end_array(w);
	jw_end_object(w);
	buf_puts(out, "\n\n");
}

/* An image that was made, in the form of OpenRouter. */
static void
write_image_url(struct json_writer *w, struct str url)
{
	jw_object(w);
	jw_key(w, "type");
	jw_string(w, "image_url");
	jw_key(w, "image_url");
	jw_object(w);
	canon_put_str(w, "url", url);
	jw_end_object(w);
	jw_end_object(w);
}

static void
write_detail(struct json_writer *w, const char *type, const char *key,
    const struct piece *p, int64_t index)
{
	jw_key(w, "reasoning_details");
	jw_array(w);
	jw_object(w);
	jw_key(w, "type");
	jw_string(w, type);
	canon_put_str(w, key, p->text);
	if (p->id.len > 0)
		canon_put_str(w, "id", p->id);
	jw_key(w, "format");
	jw_string(w, canon_format(p->origin));
	canon_put_int(w, "index", index);
	jw_end_object(w);
	jw_end_array(w);
}

/* What proves a call to Gemini, in the form of Google's OpenAI surface. */
static void
write_call_signature(struct json_writer *w, struct str signature)
{
	if (signature.len == 0)
		return;
	jw_key(w, "extra_content");
	jw_object(w);
	jw_key(w, "google");
	jw_object(w);
	canon_put_str(w, "thought_signature", signature);
	jw_end_object(w);
	jw_end_object(w);
}

/* A part of a call: with id and name at its beginning. */
static void
write_call_piece(struct json_writer *w, const struct piece *p)
{
	bool begins = p->kind == PIECE_CALL;

	jw_key(w, "tool_calls");
	jw_array(w);
	jw_object(w);
	canon_put_int(w, "index", p->call);
	if (begins) {
		canon_put_str(w, "id", p->id);
		jw_key(w, "type");
		jw_string(w, "function");
	}
	jw_key(w, "function");
	jw_object(w);
	if (begins)
		canon_put_str(w, "name", p->name);
	jw_key(w, "arguments");
	if (begins || p->text.p == NULL)
		jw_string(w, "");
	else
		jw_stringn(w, p->text.p, p->text.len);
	jw_end_object(w);
	if (begins)
		write_call_signature(w, p->text);
	jw_end_object(w);
	jw_end_array(w);
}

/*
 * Reasoning is text for those who read it, and for its maker a detail whose
 * parts have the same index; a proof ends the detail.
 */
static void
write_reasoning(struct written *st, struct json_writer *w,
    const struct piece *p)
{
	switch (p->kind) {
	case PIECE_REASONING:
		canon_put_str(w, "reasoning_content", p->text);
		if (p->origin != NULL)
			write_detail(w, "reasoning.text", "text", p,
			    st->detail);
		break;
	case PIECE_SIGNATURE:
		write_detail(w, "reasoning.text", "signature", p,
		    st->detail++);
		break;
	default:
		write_detail(w, "reasoning.encrypted", "data", p,
		    st->detail++);
		break;
	}
}

static void
write_piece_delta(struct written *st, struct json_writer *w,
    const struct piece *p)
{
	size_t from;

	switch (p->kind) {
	case PIECE_TEXT:
		canon_put_str(w, "content", p->text);
		break;
	case PIECE_REFUSAL:
		canon_put_str(w, "refusal", p->text);
		break;
	case PIECE_REASONING:
	case PIECE_SIGNATURE:
	case PIECE_SEALED:
		write_reasoning(st, w, p);
		break;
	case PIECE_CALL:
	case PIECE_ARGS:
		write_call_piece(w, p);
		break;
	case PIECE_CITATION:
		jw_key(w, "annotations");
		jw_array(w);
		from = w->out->len;
		jw_raw(w, p->text.p, p->text.len);
		canon_one_line(w->out, from);
		jw_end_array(w);
		break;
	case PIECE_IMAGE:
		jw_key(w, "images");
		jw_array(w);
		write_image_url(w, p->text);
		jw_end_array(w);
		break;
	case PIECE_LOGPROBS:
	case PIECE_FINISH:
		break;
	}
}

static void
write_piece(struct written *st, const struct piece *p,
    const struct answer_meta *meta, struct buf *out)
{
	uint64_t *roles = &st->roles[(p->choice >> 6) & 1];
	uint64_t bit = UINT64_C(1) << (p->choice & 63);
	struct json_writer w;

	open_chunk(&w, st, meta, out);
	jw_object(&w);
	canon_put_int(&w, "index", p->choice);
	jw_key(&w, "delta");
	jw_object(&w);
	if ((*roles & bit) == 0) {
		jw_key(&w, "role");
		jw_string(&w, "assistant");
		*roles |= bit;
	}
	write_piece_delta(st, &w, p);
	jw_end_object(&w);
	if (p->kind == PIECE_LOGPROBS)
		canon_put_raw(&w, "logprobs", p->text);
	write_finish(&w, p->kind == PIECE_FINISH ? p->finish : FINISH_NONE);
	jw_end_object(&w);
	close_chunk(&w, out);
}

static enum err
remember(struct stream *s, struct written *st, const struct delta *d)
{
	if (*st->id == '\0' && d->id.len > 0)
		st->id = arena_dup(s->arena, d->id.p, d->id.len);
	if (*st->model == '\0' && d->model.len > 0)
		st->model = arena_dup(s->arena, d->model.p, d->model.len);
	return st->id == NULL || st->model == NULL ? ERR_INTERNAL : ERR_OK;
}

static void
write_end(struct stream *s, const struct written *st, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	if (s->chat->stream_usage && !st->usage && d->usage.known)
		write_own_usage(st, d, meta, out);
	buf_puts(out, "data: [DONE]\n\n");
}

enum err
openai_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	struct written *st = written(s);
	bool ours = d->from == &adapter_openai;
	size_t i;

	if (st == NULL || remember(s, st, d) != ERR_OK)
		return ERR_INTERNAL;
	if (d->kind == DELTA_END) {
		write_end(s, st, d, meta, out);
	} else if (ours && d->kind == DELTA_USAGE) {
		if (s->chat->stream_usage)
			write_usage_event(d, meta, out);
		st->usage = true;
	} else if (ours) {
		write_event(out, d->raw.p, d->raw.len);
	} else {
		for (i = 0; i < d->piece_count; i++)
			write_piece(st, &d->pieces[i], meta, out);
	}
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

/* ------------------------------------------------------ whole answers */

void
openai_write_calls(struct json_writer *w, const struct part *parts, size_t n)
{
	bool open = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (parts[i].kind != PART_CALL)
			continue;
		if (!open) {
			jw_key(w, "tool_calls");
			jw_array(w);
			open = true;
		}
		jw_object(w);
		canon_put_str(w, "id", parts[i].id);
		jw_key(w, "type");
		jw_string(w, "function");
		jw_key(w, "function");
		jw_object(w);
		canon_put_str(w, "name", parts[i].name);
		canon_put_str(w, "arguments", parts[i].args);
		jw_end_object(w);
		write_call_signature(w, parts[i].signature);
		jw_end_object(w);
	}
	if (open)
		jw_end_array(w);
}

/* The texts of all parts of a kind, one after the other. */
static void
write_texts(struct json_writer *w, const char *key, const struct part *parts,
    size_t n, enum part_kind kind, bool or_null)
{
	bool any = false;
	struct buf b;
	size_t i;

	buf_init(&b, LIMIT_BODY_TEXT);
	for (i = 0; i < n; i++)
		if (parts[i].kind == kind && parts[i].text.p != NULL) {
			buf_put(&b, parts[i].text.p, parts[i].text.len);
			any = true;
		}
	if (any || or_null)
		jw_key(w, key);
	if (any)
		jw_stringn(w, b.data == NULL ? "" : b.data, b.len);
	else if (or_null)
		jw_null(w);
	w->out->failed |= b.failed;
	buf_free(&b);
}

void
openai_write_reasoning(struct json_writer *w, const struct part *parts,
    size_t n)
{
	const struct part *p;
	bool open = false;
	size_t i;

	write_texts(w, "reasoning_content", parts, n, PART_REASONING, false);
	for (i = 0; i < n; i++) {
		p = &parts[i];
		if (p->kind != PART_REASONING ||
		    (p->signature.p == NULL && p->sealed.p == NULL))
			continue;
		if (!open) {
			jw_key(w, "reasoning_details");
			jw_array(w);
			open = true;
		}
		jw_object(w);
		jw_key(w, "type");
		jw_string(w, p->sealed.p == NULL ? "reasoning.text" :
		    "reasoning.encrypted");
		canon_put_str(w, "text", p->text);
		canon_put_str(w, "signature", p->signature);
		canon_put_str(w, "data", p->sealed);
		canon_put_str(w, "id", p->id);
		jw_key(w, "format");
		jw_string(w, canon_format(p->origin));
		jw_end_object(w);
	}
	if (open)
		jw_end_array(w);
}

static void
write_images(struct json_writer *w, const struct choice *c, struct arena *a)
{
	bool open = false;
	size_t i;

	for (i = 0; i < c->part_count; i++) {
		if (c->parts[i].kind != PART_IMAGE)
			continue;
		if (!open) {
			jw_key(w, "images");
			jw_array(w);
			open = true;
		}
		write_image_url(w, canon_data_text(a, &c->parts[i],
		    "image/png"));
	}
	if (open)
		jw_end_array(w);
}

static void
write_choice(struct json_writer *w, const struct choice *c, struct arena *a)
{
	jw_object(w);
	canon_put_int(w, "index", c->index);
	jw_key(w, "message");
	jw_object(w);
	jw_key(w, "role");
	jw_string(w, "assistant");
	write_texts(w, "content", c->parts, c->part_count, PART_TEXT, true);
	write_texts(w, "refusal", c->parts, c->part_count, PART_REFUSAL, true);
	openai_write_reasoning(w, c->parts, c->part_count);
	write_images(w, c, a);
	canon_put_raw(w, "annotations", c->citations);
	openai_write_calls(w, c->parts, c->part_count);
	jw_end_object(w);
	jw_key(w, "logprobs");
	if (c->logprobs.p == NULL)
		jw_null(w);
	else
		jw_raw(w, c->logprobs.p, c->logprobs.len);
	write_finish(w, c->finish);
	jw_end_object(w);
}

enum err
openai_pass_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	(void)s;
	(void)meta;
	if (d->raw.len > 0)
		canon_put_event(out, d->event == NULL || *d->event == '\0' ?
		    NULL : d->event, d->raw, "\n\n");
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

enum err
openai_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	struct json_writer w;
	size_t i;

	(void)chat;
	if (reply->from == &adapter_openai) {
		buf_put(out, reply->raw.p, reply->raw.len);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	jw_init(&w, out);
	jw_object(&w);
	canon_put_str(&w, "id", reply->id.len > 0 ? reply->id :
	    canon_lit(meta->request_id));
	jw_key(&w, "object");
	jw_string(&w, "chat.completion");
	canon_put_int(&w, "created", reply->created != 0 ? reply->created :
	    (int64_t)time(NULL));
	canon_put_str(&w, "model", reply->model.len > 0 ? reply->model :
	    canon_lit(meta->model));
	jw_key(&w, "choices");
	jw_array(&w);
	for (i = 0; i < reply->choice_count; i++)
		write_choice(&w, &reply->choices[i], a);
	jw_end_array(&w);
	if (reply->usage.known) {
		jw_key(&w, "usage");
		openai_write_usage(&w, &reply->usage);
	}
	jw_end_object(&w);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

/* ------------------------------------------------------------- errors */

void
openai_write_error_object(struct json_writer *w, enum err e,
    const struct fault *f)
{
	jw_object(w);
	jw_key(w, "message");
	jw_string(w, fault_text(e, f));
	jw_key(w, "type");
	jw_string(w, fault_type(e, f));
	jw_key(w, "param");
	if (*f->param == '\0')
		jw_null(w);
	else
		jw_string(w, f->param);
	jw_key(w, "code");
	jw_string(w, fault_name(e, f));
	jw_end_object(w);
}

void
openai_write_error(enum err e, const struct fault *f,
    const struct answer_meta *meta, struct buf *out)
{
	struct json_writer w;

	(void)meta;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "error");
	openai_write_error_object(&w, e, f);
	jw_end_object(&w);
}

void
openai_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out)
{
	static const char failed[] = "[{\"index\":0,\"delta\":{},"
				     "\"finish_reason\":\"error\"}]";
	struct written *st = written(s);
	struct json_writer w;

	buf_puts(out, "data: ");
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "error");
	openai_write_error_object(&w, e, f);
	jw_key(&w, "id");
	jw_string(&w, st == NULL || *st->id == '\0' ? meta->request_id :
	    st->id);
	jw_key(&w, "object");
	jw_string(&w, "chat.completion.chunk");
	jw_key(&w, "choices");
	jw_raw(&w, failed, sizeof failed - 1);
	jw_end_object(&w);
	buf_puts(out, "\n\n");
}

