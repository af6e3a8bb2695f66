/*
 * Answers towards a client of text completions: the provider's own words
 * where it speaks them too, else the text of a chat's answer. Reasoning has
 * no place here; a refusal is text like any other.
 */
#include "adapters/completions.h"

#include <string.h>
#include <time.h>

#include "adapters/canon.h"
#include "adapters/openai.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

#define CHOICES_MAX 128

/* The writer's memory of one stream. */
struct written {
	const char *id, *model; /* NULL until something was written */
	int64_t created;
	struct {
		bool begun;	    /* something of it was written */
		int64_t offset;	    /* characters of it so far */
		enum finish finish; /* told at the end: text may follow it */
	} choices[CHOICES_MAX];
	bool usage;		/* an event of usage alone went out */
};

static const char *
word_of(enum finish finish)
{
	static const char *const words[] = {
		[FINISH_NONE] = NULL,
		[FINISH_STOP] = "stop",
		[FINISH_LENGTH] = "length",
		[FINISH_TOOLS] = "stop",
		[FINISH_CONTENT] = "content_filter",
		[FINISH_ERROR] = "error",
	};

	return words[finish];
}

/* The prompt, when the client wants it before the answer. */
static struct str
echo_of(const struct chat *chat)
{
	if (json_type(&chat->doc, json_get(&chat->doc, JSON_ROOT, "echo")) !=
	    JSON_TRUE || chat->message_count == 0)
		return (struct str){ NULL, 0 };
	return chat->messages[0].parts[0].text;
}

static int64_t
characters(struct str s)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < s.len; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* ----------------------------------------------------------- logprobs */

/* One list of the old form; what: a member of each element of the new one. */
static void
write_list(struct json_writer *w, const struct json *doc, uint32_t list,
    const char *name, const char *what)
{
	uint32_t v;

	jw_key(w, name);
	jw_array(w);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		struct str raw = canon_raw(doc, json_get(doc, v, what));

		if (raw.p == NULL)
			jw_null(w);
		else
			jw_raw(w, raw.p, raw.len);
	}
	jw_end_array(w);
}

/* The likeliest tokens of one place as {"token": logprob}. */
static void
write_top(struct json_writer *w, const struct json *doc, uint32_t list,
    struct arena *a)
{
	uint32_t v, twin;
	struct str raw;
	char *token;
	bool said;

	jw_object(w);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		token = json_cstr(doc, json_get(doc, v, "token"), a);
		raw = canon_raw(doc, json_get(doc, v, "logprob"));
		said = token == NULL || raw.p == NULL;
		/* Tokens of bytes may read alike; a key stands once. */
		for (twin = json_first(doc, list); twin != v && !said;
		    twin = json_next(doc, list, twin))
			said = json_is(doc, json_get(doc, twin, "token"),
			    token);
		if (said)
			continue;
		jw_key(w, token);
		jw_raw(w, raw.p, raw.len);
	}
	jw_end_object(w);
}

/* Chat's logprobs in the old form; *offset: where its tokens stand. */
static void
write_logprobs(struct json_writer *w, struct str logprobs, int64_t *offset,
    struct arena *a)
{
	struct json doc;
	uint32_t list, v;

	jw_key(w, "logprobs");
	if (logprobs.len == 0 || json_parse(&doc, a, logprobs.p,
	    logprobs.len, NULL) != ERR_OK || json_count(&doc, list =
	    json_get(&doc, JSON_ROOT, "content")) == 0) {
		jw_null(w);
		return;
	}
	jw_object(w);
	write_list(w, &doc, list, "tokens", "token");
	write_list(w, &doc, list, "token_logprobs", "logprob");
	jw_key(w, "top_logprobs");
	jw_array(w);
	for (v = json_first(&doc, list); v != JSON_NONE;
	    v = json_next(&doc, list, v))
		write_top(w, &doc, json_get(&doc, v, "top_logprobs"), a);
	jw_end_array(w);
	jw_key(w, "text_offset");
	jw_array(w);
	for (v = json_first(&doc, list); v != JSON_NONE;
	    v = json_next(&doc, list, v)) {
		jw_int(w, *offset);
		*offset += characters(canon_str(&doc, json_get(&doc, v,
		    "token"), a));
	}
	jw_end_array(w);
	jw_end_object(w);
}

/* ------------------------------------------------------------- common */

static void
put(struct json_writer *w, const char *key, const char *s)
{
	jw_key(w, key);
	if (s == NULL)
		jw_null(w);
	else
		jw_string(w, s);
}

static void
open_answer(struct json_writer *w, const char *id, int64_t created,
    const char *model)
{
	jw_object(w);
	put(w, "id", id);
	put(w, "object", "text_completion");
	canon_put_int(w, "created", created);
	put(w, "model", model);
	jw_key(w, "choices");
	jw_array(w);
}

/* One choice whose text is a and then b. */
static void
write_choice(struct json_writer *w, int64_t index, struct str a,
    struct str b, enum finish finish, struct str logprobs, int64_t *offset,
    struct arena *arena)
{
	struct str text = canon_join(arena, a, b);

	w->out->failed |= text.p == NULL && a.len + b.len > 0;
	jw_object(w);
	jw_key(w, "text");
	jw_stringn(w, text.p == NULL ? "" : text.p, text.len);
	canon_put_int(w, "index", index);
	write_logprobs(w, logprobs, offset, arena);
	put(w, "finish_reason", word_of(finish));
	jw_end_object(w);
}

/* ------------------------------------------------------ whole answers */

static struct str
text_of(struct arena *a, const struct choice *c, struct buf *out)
{
	struct growing g = { NULL, 0, 0 };
	size_t i;

	for (i = 0; i < c->part_count; i++)
		if (c->parts[i].kind == PART_TEXT ||
		    c->parts[i].kind == PART_REFUSAL)
			out->failed |= !canon_grow(a, &g, c->parts[i].text);
	return (struct str){ g.p, g.len };
}

enum err
completions_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	const struct choice *c;
	struct json_writer w;
	struct str echo;
	int64_t offset;
	size_t i;

	if (reply->from == &adapter_completions) {
		buf_put(out, reply->raw.p, reply->raw.len);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	echo = echo_of(chat);
	jw_init(&w, out);
	open_answer(&w, reply->id.len > 0 ? arena_dup(a, reply->id.p,
	    reply->id.len) : meta->request_id, reply->created != 0 ?
	    reply->created : (int64_t)time(NULL), reply->model.len > 0 ?
	    arena_dup(a, reply->model.p, reply->model.len) : meta->model);
	for (i = 0; i < reply->choice_count; i++) {
		c = &reply->choices[i];
		offset = characters(echo);
		write_choice(&w, c->index, echo, text_of(a, c, out),
		    c->finish == FINISH_NONE ? FINISH_STOP : c->finish,
		    c->logprobs, &offset, a);
	}
	jw_end_array(&w);
	if (reply->usage.known) {
		jw_key(&w, "usage");
		openai_write_usage(&w, &reply->usage);
	}
	jw_end_object(&w);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

/* ------------------------------------------------------------- stream */

static struct written *
written(struct stream *s, const struct delta *d,
    const struct answer_meta *meta)
{
	struct written *st = s->own;

	if (st == NULL) {
		s->own = st = arena_zalloc(s->arena, sizeof *st);
		if (st != NULL)
			st->created = (int64_t)time(NULL);
	}
	if (st == NULL || st->id != NULL || d == NULL)
		return st;
	st->id = d->id.len > 0 ? arena_dup(s->arena, d->id.p, d->id.len) :
	    arena_str(s->arena, meta->request_id);
	st->model = d->model.len > 0 ? arena_dup(s->arena, d->model.p,
	    d->model.len) : arena_str(s->arena, meta->model);
	return st->id == NULL || st->model == NULL ? NULL : st;
}

/* Logprobs of the text in the same event. */
static struct str
logprobs_of(const struct delta *d, int64_t choice)
{
	size_t i;

	for (i = 0; i < d->piece_count; i++)
		if (d->pieces[i].kind == PIECE_LOGPROBS &&
		    d->pieces[i].choice == choice)
			return d->pieces[i].text;
	return (struct str){ NULL, 0 };
}

static void
write_chunk(struct stream *s, struct written *st, int64_t choice,
    struct str text, struct str logprobs, enum finish finish,
    struct buf *out)
{
	struct str echo = { NULL, 0 };
	struct json_writer w;
	size_t from;

	if (!st->choices[choice].begun) {
		st->choices[choice].begun = true;
		echo = echo_of(s->chat);
		st->choices[choice].offset = characters(echo);
	}
	buf_puts(out, "data: ");
	from = out->len;
	jw_init(&w, out);
	open_answer(&w, st->id, st->created, st->model);
	write_choice(&w, choice, echo, text, finish, logprobs,
	    &st->choices[choice].offset, s->scratch);
	jw_end_array(&w);
	jw_end_object(&w);
	canon_one_line(out, from);
	buf_puts(out, "\n\n");
}

static void
write_piece(struct stream *s, struct written *st, const struct delta *d,
    const struct piece *p, struct buf *out)
{
	if (p->choice < 0 || p->choice >= CHOICES_MAX)
		return; /* the reader has refused so many */
	if (p->kind == PIECE_FINISH)
		st->choices[p->choice].finish = p->finish;
	else if (p->kind == PIECE_TEXT || p->kind == PIECE_REFUSAL)
		write_chunk(s, st, p->choice, p->text, logprobs_of(d,
		    p->choice), FINISH_NONE, out);
}

static void
write_end(struct stream *s, struct written *st, const struct delta *d,
    struct buf *out)
{
	struct str none = { NULL, 0 };
	struct json_writer w;
	int64_t i;

	for (i = 0; i < CHOICES_MAX; i++)
		if (st->choices[i].finish != FINISH_NONE)
			write_chunk(s, st, i, none, none,
			    st->choices[i].finish, out);

	if (s->chat->stream_usage && !st->usage && d->usage.known) {
		buf_puts(out, "data: ");
		jw_init(&w, out);
		open_answer(&w, st->id, st->created, st->model);
		jw_end_array(&w);
		jw_key(&w, "usage");
		openai_write_usage(&w, &d->usage);
		jw_end_object(&w);
		buf_puts(out, "\n\n");
	}
	buf_puts(out, "data: [DONE]\n\n");
}

enum err
completions_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	struct written *st = written(s, d, meta);
	size_t i;

	if (st == NULL)
		return ERR_INTERNAL;
	if (d->kind == DELTA_END) {
		write_end(s, st, d, out);
	} else if (d->from == &adapter_completions) {
		if (d->kind != DELTA_USAGE || s->chat->stream_usage)
			canon_put_event(out, NULL, d->raw, "\n\n");
		st->usage |= d->kind == DELTA_USAGE;
	} else {
		for (i = 0; i < d->piece_count; i++)
			write_piece(s, st, d, &d->pieces[i], out);
	}
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

void
completions_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out)
{
	struct written *st = written(s, NULL, meta);
	struct str none = { NULL, 0 };
	struct json_writer w;
	int64_t offset = 0;

	buf_puts(out, "data: ");
	jw_init(&w, out);
	open_answer(&w, st == NULL || st->id == NULL ? meta->request_id :
	    st->id, (int64_t)time(NULL), meta->model);
	write_choice(&w, 0, none, none, FINISH_ERROR, none, &offset,
	    s->scratch);
	jw_end_array(&w);
	jw_key(&w, "error");
	openai_write_error_object(&w, e, f);
	jw_end_object(&w);
	buf_puts(out, "\n\n");
}
