/* Embeddings: providers that speak OpenAI's dialect, and how they depart. */
#include <string.h>

#include "adapters/canon.h"
#include "adapters/embeddings.h"
#include "adapters/openai.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

/*
 * The bounds of a call: OpenAI's where others tell none
 * (platform.openai.com/docs/api-reference/embeddings/create: 2,048 inputs,
 * 300,000 tokens), Mistral's (docs.mistral.ai, 16,384 tokens), Voyage's
 * (docs.voyageai.com/docs/embeddings: 1,000 texts; 120,000 tokens, of some
 * models more). All read 2026-11.
 */
static const struct departure {
	unsigned quirk;	      /* QUIRK_*, 0 = the rest of them */
	const char *model;    /* its name begins so, "" = any */
	struct embeddings_bound bound;
	const char *dimensions; /* the word for them */
	bool purpose;	      /* input_type, in Voyage's words */
	bool plain;	      /* no `user`; encoding_format base64 or none */
	bool bytes;	      /* answers are signed bytes in base64 */
} departures[] = {
	{ QUIRK_EMBED_VOYAGE, "voyage-3.5", { 1000, 320000 },
	    "output_dimension", true, true, false },
	{ QUIRK_EMBED_VOYAGE, "", { 1000, 120000 }, "output_dimension", true,
	    true, false },
	{ QUIRK_EMBED_MISTRAL, "", { 512, 16000 }, "output_dimension", false,
	    true, false },
	{ QUIRK_EMBED_BYTES, "", { 512, 120000 }, "dimensions", false, true,
	    true },
	{ QUIRK_EMBED_STRICT, "", { 2048, 300000 }, "dimensions", false, false,
	    false },
	{ 0, "", { 2048, 300000 }, "dimensions", true, false, false },
};

static const struct departure *
departure_of(const struct deployment *d)
{
	const struct departure *x = departures;

	while (x->quirk != 0 && ((d->provider->quirks & x->quirk) == 0 ||
	    strncmp(d->model, x->model, strlen(x->model)) != 0))
		x++;
	return x;
}

/* Its bound, and no more vectors than an answer has room for. */
static struct embeddings_bound
bound_of(const struct chat *chat, const struct departure *x)
{
	struct embeddings_bound bound = x->bound;
	size_t most = LIMIT_REPLY / embeddings_size(chat);

	if (bound.texts > most)
		bound.texts = most > 0 ? most : 1;
	return bound;
}

/* ----------------------------------------------------------- requests */

/* The inputs of a part as they came, as a list. */
static struct str
some_inputs(struct arena *a, const struct chat *chat,
    struct embeddings_slice s)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "input"), v;
	const char *raw;
	struct buf b;
	size_t i, len;

	buf_init(&b, LIMIT_BODY);
	v = json_first(doc, list);
	for (i = 0; i < s.first + s.count && v != JSON_NONE; i++) {
		raw = json_raw(doc, v, &len);
		if (i >= s.first) {
			buf_putc(&b, i == s.first ? '[' : ',');
			buf_put(&b, raw, len);
		}
		v = json_next(doc, list, v);
	}
	buf_putc(&b, ']');
	return canon_take(a, &b);
}

/* A member under another name, as it came. */
static void
rename_member(struct edits *e, const struct json *doc, const char *from,
    const char *to)
{
	uint32_t v = json_get(doc, JSON_ROOT, from);
	const char *raw;
	size_t len;

	if (v == JSON_NONE || strcmp(from, to) == 0)
		return;
	raw = json_raw(doc, v, &len);
	edits_remove(e, JSON_ROOT, from);
	if (json_type(doc, v) != JSON_NULL)
		edits_set(e, JSON_ROOT, to, raw, len);
}

static void
name_purpose(struct edits *e, struct arena *a, const struct chat *chat,
    const struct departure *x)
{
	const char *to = x->purpose ?
	    embeddings_purpose(chat, WORDS_VOYAGE) : NULL;
	struct str word;

	if (x->quirk == 0)
		return;
	edits_remove(e, JSON_ROOT, "input_type");
	if (to == NULL)
		return;
	word = canon_quoted(a, to);
	if (word.p == NULL)
		e->failed = true;
	else
		edits_set(e, JSON_ROOT, "input_type", word.p, word.len);
}

/* What this provider has no word for, or another one. */
static void
depart(struct edits *e, struct arena *a, const struct chat *chat,
    const struct departure *x)
{
	const struct json *doc = &chat->doc;

	rename_member(e, doc, "dimensions", x->dimensions);
	name_purpose(e, a, chat, x);
	if (!x->plain)
		return;
	edits_remove(e, JSON_ROOT, "user");
	if (x->bytes || !chat->task.base64)
		edits_remove(e, JSON_ROOT, "encoding_format");
}

/* For clients of another dialect: from the inputs as they were read. */
static enum err
write_inputs(const struct chat *chat, const struct deployment *d,
    struct http_call *call, struct buf *body, struct fault *f)
{
	const struct departure *x = departure_of(d);
	const char *purpose = x->purpose && x->quirk != 0 ?
	    embeddings_purpose(chat, WORDS_VOYAGE) : NULL;
	struct embeddings_bound bound = bound_of(chat, x);
	struct embeddings_slice s = embeddings_slice(chat, call->part, &bound,
	    &call->parts);
	struct json_writer w;
	enum err e;

	jw_init(&w, body);
	jw_object(&w);
	canon_put_str(&w, "model", canon_lit(d->model));
	e = embeddings_put_texts(&w, "input", chat, s, f);
	embeddings_put_dimensions(&w, x->dimensions, chat);
	if (purpose != NULL)
		canon_put_str(&w, "input_type", canon_lit(purpose));
	jw_end_object(&w);
	return e;
}

static enum err
edit_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct buf *body,
    struct fault *f)
{
	const struct departure *x = departure_of(d);
	struct str model = canon_quoted(a, d->model), some;
	struct embeddings_bound bound = bound_of(chat, x);
	struct embeddings_slice s = embeddings_slice(chat, call->part, &bound,
	    &call->parts);
	struct edits e;

	if (model.p == NULL)
		return fault_memory(f);
	edits_init(&e, &chat->doc, a);
	edits_set(&e, JSON_ROOT, "model", model.p, model.len);
	if (call->parts > 1) {
		some = some_inputs(a, chat, s);
		if (some.p == NULL)
			return fault_memory(f);
		edits_set(&e, JSON_ROOT, "input", some.p, some.len);
	}
	depart(&e, a, chat, x);
	return edits_apply(&e, body) ? ERR_OK : fault_memory(f);
}

/* Perplexity's stand below /v1, which its address for chat does not have. */
static const char *
path_of(const struct deployment *d)
{
	const char *base = d->provider->base_url;
	size_t n = strlen(base);

	return departure_of(d)->bytes &&
	    (n < 3 || strcmp(base + n - 3, "/v1") != 0) ? "v1/embeddings" :
	    "embeddings";
}

uint64_t
embeddings_lacks(const struct chat *chat, const struct deployment *d)
{
	const struct departure *x = departure_of(d);
	uint64_t lacks = x->plain ? PARAM_BIT(USER) : 0;

	/* What it takes that we do not know, its own clients know. */
	if (x->quirk == 0 && chat->surface != &adapter_embeddings)
		lacks |= PARAM_BIT(PURPOSE);
	if (x->quirk != 0)
		lacks |= x->purpose ? embeddings_unsaid(chat, WORDS_VOYAGE) :
		    PARAM_BIT(PURPOSE);
	return lacks;
}

enum err
embeddings_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = openai_url(a, d, path_of(d));
	buf_init(&body, LIMIT_BODY * 2);
	e = chat->surface == &adapter_embeddings ?
	    edit_request(a, chat, d, call, &body, f) :
	    write_inputs(chat, d, call, &body, f);
	return canon_body(a, call, &body, e, f);
}

/* ------------------------------------------------------------ answers */

/*
 * Signed bytes in base64 (docs.perplexity.ai, "base64_int8", read 2026-11) as
 * numbers: their scale means nothing, as vectors are compared by direction.
 */
static enum err
add_bytes(struct arena *a, const struct chat *chat, struct reply *reply,
    struct str base64, struct fault *f)
{
	struct str bytes = canon_decode(a, base64), text;
	struct json *doc = arena_alloc(a, sizeof *doc);
	struct buf b;
	size_t i;

	if (doc == NULL)
		return ERR_INTERNAL;
	if (bytes.p == NULL || bytes.len == 0)
		return reply_bad(f, "an embedding that is no base64");
	buf_init(&b, LIMIT_REPLY);
	for (i = 0; i < bytes.len; i++)
		buf_printf(&b, "%c%d", i == 0 ? '[' : ',',
		    (int)(signed char)bytes.p[i]);
	buf_putc(&b, ']');
	text = canon_take(a, &b);
	if (text.p == NULL || json_parse(doc, a, text.p, text.len, f) != ERR_OK)
		return ERR_INTERNAL;
	reply->raw = (struct str){ NULL, 0 };
	return embeddings_vector(a, chat, reply, doc, JSON_ROOT, f);
}

static enum err
add_vector(struct arena *a, const struct chat *chat,
    const struct departure *x, struct reply *reply, uint32_t item,
    struct fault *f)
{
	const struct json *doc = reply->doc;
	uint32_t v = json_get(doc, item, "embedding");

	if (x->bytes && json_type(doc, v) == JSON_STRING)
		return add_bytes(a, chat, reply, canon_str(doc, v, a), f);
	return embeddings_vector(a, chat, reply, doc, v, f);
}

/* Where each index stands → at; false: they are not 0.. in some order. */
static bool
by_index(const struct json *doc, uint32_t data, uint32_t *at, size_t count)
{
	uint32_t v;
	int64_t n;
	size_t i;

	for (i = 0; i < count; i++)
		at[i] = JSON_NONE;
	for (v = json_first(doc, data); v != JSON_NONE;
	    v = json_next(doc, data, v)) {
		if (!json_int(doc, json_get(doc, v, "index"), &n) || n < 0 ||
		    (size_t)n >= count || at[n] != JSON_NONE)
			return false;
		at[n] = v;
	}
	return true;
}

/*
 * The vectors in the order of the inputs, whatever order they come in. Where
 * an index is missing or wrong, they are taken as they stand.
 */
static enum err
read_vectors(struct arena *a, const struct chat *chat,
    const struct departure *x, uint32_t data, struct reply *reply,
    struct fault *f)
{
	const struct json *doc = reply->doc;
	size_t count = json_count(doc, data), i;
	uint32_t *at = arena_alloc(a, count * sizeof *at + 1), v;
	enum err e = ERR_OK;
	bool ordered;

	if (at == NULL)
		return ERR_INTERNAL;
	ordered = by_index(doc, data, at, count);
	v = json_first(doc, data);
	for (i = 0; i < count && e == ERR_OK; i++) {
		e = add_vector(a, chat, x, reply, ordered ? at[i] : v, f);
		v = json_next(doc, data, v);
	}
	return e;
}

/* "usage" as OpenAI has it, or total_tokens alone (Voyage). */
static void
read_usage(const struct json *doc, struct reply *reply)
{
	uint32_t u = json_get(doc, JSON_ROOT, "usage");

	if (openai_usage(doc, &reply->usage))
		usage_set_output(&reply->usage, 0);
	else
		embeddings_usage(doc, u, "total_tokens", reply);
}

enum err
embeddings_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	const struct departure *x = departure_of(d);
	struct embeddings_bound bound = bound_of(chat, x);
	struct json *doc;
	uint32_t data;
	enum err e;

	e = embeddings_open(a, &adapter_embeddings, body, len, reply, &doc, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	data = json_get(doc, JSON_ROOT, "data");
	if (json_type(doc, data) != JSON_ARRAY || json_count(doc, data) == 0)
		return reply_bad(f, "no embeddings");
	read_usage(doc, reply);
	reply->raw = canon_raw(doc, JSON_ROOT);
	reply->model = canon_str(doc, json_get(doc, JSON_ROOT, "model"), a);
	e = read_vectors(a, chat, x, data, reply, f);
	return e == ERR_OK ? embeddings_counted(chat, reply, &bound, f) : e;
}
