/*
 * Embeddings at Google. AI Studio has batchEmbedContents
 * (ai.google.dev/api/embeddings), 100 texts a call, and gets the requests of
 * its own clients as they came. Vertex has predict for the
 * older models and embedContent for those behind gemini-embedding-001
 * (cloud.google.com/vertex-ai/generative-ai/docs/model-reference/
 * text-embeddings-api, and google-genai's models.py). All read 2026-11.
 */
#include "adapters/gemini_embed.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/embeddings.h"
#include "adapters/errors.h"
#include "adapters/gemini.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

struct form {
	const char *verb;
	struct embeddings_bound bound;
	enum err (*write)(struct json_writer *w, struct str model,
	    const struct chat *chat, const struct deployment *d,
	    struct embeddings_slice s, struct fault *f);
	enum err (*read)(struct arena *a, const struct chat *chat,
	    struct reply *reply, const struct json *doc, struct fault *f);
};

/*
 * Of the models behind the first, what a text is for is told in the text
 * itself (ai.google.dev/gemini-api/docs/embeddings, read 2026-11).
 */
static bool
takes_purpose(const struct deployment *d)
{
	return strstr(d->model, "gemini-embedding-") == NULL ||
	    strstr(d->model, "gemini-embedding-001") != NULL ||
	    strstr(d->model, "gemini-embedding-exp") != NULL;
}

static const char *
purpose_of(const struct chat *chat, const struct deployment *d)
{
	return takes_purpose(d) ? embeddings_purpose(chat, WORDS_GEMINI) :
	    NULL;
}

/* "content": {"parts": [{"text": …}]}, or as Google's client wrote it. */
static enum err
put_content(struct json_writer *w, const struct chat *chat, size_t i,
    struct fault *f)
{
	const struct part *p = chat->messages[i].parts;
	enum err e;

	if (chat->surface == &adapter_gemini_embed) {
		canon_put_raw(w, "content", p->raw);
		return ERR_OK;
	}
	jw_key(w, "content");
	jw_object(w);
	jw_key(w, "parts");
	jw_array(w);
	jw_object(w);
	jw_key(w, "text");
	e = embeddings_put_text(w, chat, i, f);
	jw_end_object(w);
	jw_end_array(w);
	jw_end_object(w);
	return e;
}

static void
put_purpose(struct json_writer *w, const char *key, const struct chat *chat,
    const struct deployment *d)
{
	const char *purpose = purpose_of(chat, d);

	if (purpose != NULL)
		canon_put_str(w, key, canon_lit(purpose));
}

/* ---------------------------------------------------------- AI Studio */

static enum err
write_row(struct json_writer *w, struct str model, const struct chat *chat,
    const struct deployment *d, size_t i, struct fault *f)
{
	enum err e;

	jw_object(w);
	canon_put_str(w, "model", model);
	e = put_content(w, chat, i, f);
	put_purpose(w, "taskType", chat, d);
	embeddings_put_dimensions(w, "outputDimensionality", chat);
	jw_end_object(w);
	return e;
}

/* A request of Google's client, but for the name of the model. */
static void
put_own(struct json_writer *w, struct str model, const struct json *doc,
    uint32_t row)
{
	struct str name;
	uint32_t key;

	jw_object(w);
	canon_put_str(w, "model", model);
	for (key = json_first(doc, row); key != JSON_NONE;
	    key = json_next(doc, row, key)) {
		if (json_is(doc, key, "model"))
			continue;
		name = canon_raw(doc, key);
		jw_raw(w, name.p, name.len);
		buf_putc(w->out, ':');
		w->comma = false;
		name = canon_raw(doc, json_value(doc, key));
		jw_raw(w, name.p, name.len);
	}
	jw_end_object(w);
}

static enum err
write_batch(struct json_writer *w, struct str model, const struct chat *chat,
    const struct deployment *d, struct embeddings_slice s, struct fault *f)
{
	bool own = chat->surface == &adapter_gemini_embed;
	uint32_t row = own ? gemini_embed_row(chat, s.first) : JSON_NONE;
	enum err e = ERR_OK;
	size_t i;

	jw_key(w, "requests");
	jw_array(w);
	for (i = 0; i < s.count && e == ERR_OK; i++) {
		if (!own) {
			e = write_row(w, model, chat, d, s.first + i, f);
			continue;
		}
		put_own(w, model, &chat->doc, row);
		if (i + 1 < s.count)
			row = json_next(&chat->doc, json_get(&chat->doc,
			    JSON_ROOT, "requests"), row);
	}
	jw_end_array(w);
	return e;
}

/* Only newer models tell of usage. */
static void
read_usage(struct reply *reply, const struct json *doc)
{
	embeddings_usage(doc, json_get(doc, JSON_ROOT, "usageMetadata"),
	    "promptTokenCount", reply);
}

static enum err
read_batch(struct arena *a, const struct chat *chat, struct reply *reply,
    const struct json *doc, struct fault *f)
{
	read_usage(reply, doc);
	return embeddings_vectors(a, chat, reply, doc, json_get(doc, JSON_ROOT,
	    "embeddings"), "values", f);
}

/* ------------------------------------------------------------- Vertex */

static enum err
write_instances(struct json_writer *w, struct str model,
    const struct chat *chat, const struct deployment *d,
    struct embeddings_slice s, struct fault *f)
{
	enum err e = ERR_OK;
	size_t i;

	(void)model;
	jw_key(w, "instances");
	jw_array(w);
	for (i = 0; i < s.count && e == ERR_OK; i++) {
		jw_object(w);
		jw_key(w, "content");
		e = embeddings_put_text(w, chat, s.first + i, f);
		put_purpose(w, "task_type", chat, d);
		jw_end_object(w);
	}
	jw_end_array(w);
	/* Too long a text is an error, as elsewhere, and not cut short. */
	jw_key(w, "parameters");
	jw_object(w);
	jw_key(w, "autoTruncate");
	jw_bool(w, false);
	embeddings_put_dimensions(w, "outputDimensionality", chat);
	jw_end_object(w);
	return e;
}

static enum err
read_predictions(struct arena *a, const struct chat *chat,
    struct reply *reply, const struct json *doc, struct fault *f)
{
	uint32_t list = json_get(doc, JSON_ROOT, "predictions"), v, one;
	bool known = true;
	int64_t n, sum = 0;
	enum err e = ERR_OK;

	if (json_type(doc, list) != JSON_ARRAY)
		return reply_bad(f, "no embeddings");
	for (v = json_first(doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(doc, list, v)) {
		one = json_get(doc, v, "embeddings");
		e = embeddings_vector(a, chat, reply, doc, json_get(doc, one,
		    "values"), f);
		known = known && reply_tokens(doc, json_get(doc, one,
		    "statistics"), "token_count", &n);
		if (known)
			sum = at_most(sum + n, TOKENS_MAX);
	}
	reply->usage.known = known;
	reply->usage.n[UNIT_INPUT] = known ? sum : 0;
	return e;
}

static enum err
write_one(struct json_writer *w, struct str model, const struct chat *chat,
    const struct deployment *d, struct embeddings_slice s, struct fault *f)
{
	enum err e = put_content(w, chat, s.first, f);

	(void)model;
	(void)d;
	if (chat->task.dimensions == 0)
		return e;
	jw_key(w, "embedContentConfig");
	jw_object(w);
	embeddings_put_dimensions(w, "outputDimensionality", chat);
	jw_end_object(w);
	return e;
}

static enum err
read_one(struct arena *a, const struct chat *chat, struct reply *reply,
    const struct json *doc, struct fault *f)
{
	read_usage(reply, doc);
	return embeddings_vector(a, chat, reply, doc, json_get(doc,
	    json_get(doc, JSON_ROOT, "embedding"), "values"), f);
}

/* ------------------------------------------------------------- both */

static const struct form studio = { "batchEmbedContents", { 100, 0 },
	write_batch, read_batch };
/* 250 instances and 20,000 tokens a call, of Gemini's first model one. */
static const struct form predict = { "predict", { 250, 20000 },
	write_instances, read_predictions };
static const struct form predict_one = { "predict", { 1, 0 },
	write_instances, read_predictions };
static const struct form embed_one = { "embedContent", { 1, 0 }, write_one,
	read_one };

/* At Vertex models have a publisher. */
static const struct form *
form_of(const struct deployment *d)
{
	if (strstr(d->provider->base_url, "/publishers/") == NULL)
		return &studio;
	if (!takes_purpose(d))
		return &embed_one;
	return strstr(d->model, "gemini-embedding-") != NULL ? &predict_one :
	    &predict;
}

static enum err
gemini_embed_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	const struct form *form = form_of(d);
	struct embeddings_slice s = embeddings_slice(chat, call->part,
	    &form->bound, &call->parts);
	struct json_writer w;
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = arena_printf(a, "%s/models/%s:%s", d->provider->base_url,
	    d->model, form->verb);
	buf_init(&body, LIMIT_BODY_TEXT);
	jw_init(&w, &body);
	jw_object(&w);
	e = form->write(&w, canon_printf(a, "models/%s", d->model), chat, d, s,
	    f);
	jw_end_object(&w);
	return canon_body(a, call, &body, e, f);
}

static enum err
gemini_embed_read(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	const struct form *form = form_of(d);
	struct json *doc;
	enum err e;

	e = embeddings_open(a, &adapter_gemini_embed, body, len, reply, &doc,
	    f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	e = form->read(a, chat, reply, doc, f);
	return e == ERR_OK ? embeddings_counted(chat, reply, &form->bound, f) :
	    e;
}

static uint64_t
gemini_embed_lacks(const struct chat *chat, const struct deployment *d)
{
	if (chat->surface == &adapter_gemini_embed && form_of(d) == &studio)
		return 0;
	return PARAM_BIT(TITLE) | (takes_purpose(d) ? embeddings_unsaid(chat, WORDS_GEMINI) :
	    PARAM_BIT(PURPOSE));
}

const struct adapter adapter_gemini_embed = {
	.name = "gemini_embed",
	.takes = PARAM_BIT(PURPOSE),
	.read_request = gemini_embed_read_request,
	.read_chat = gemini_embed_read_chat,
	.write_reply = gemini_embed_write_reply,
	.write_error = gemini_write_error,
	.lacks = gemini_embed_lacks,
	.write_request = gemini_embed_write,
	.read_reply = gemini_embed_read,
	.classify = errors_classify,
};
