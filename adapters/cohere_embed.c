/*
 * Embeddings at Cohere: POST /v2/embed (docs.cohere.com/reference/embed, read
 * 2026-11): at most 96 texts a call, input_type required, usage in
 * meta.billed_units.
 */
#include <string.h>

#include "adapters/canon.h"
#include "adapters/embeddings.h"
#include "adapters/errors.h"
#include "app/base/arena.h"

static const struct embeddings_bound bound = { 96, 0 };

/* Only embed-v4 and what comes after it makes vectors of other lengths. */
static enum err
check_dimensions(const struct chat *chat, const struct deployment *d,
    struct fault *f)
{
	if (strstr(d->model, "-v3.0") == NULL &&
	    strstr(d->model, "-v2.0") == NULL)
		return ERR_OK;
	return embeddings_fixed(chat, strstr(d->model, "light") != NULL ? 384 :
	    strstr(d->model, "english-v2") != NULL ? 4096 :
	    strstr(d->model, "multilingual-v2") != NULL ? 768 : 1024, f);
}

static enum err
write_body(const struct chat *chat, const struct deployment *d,
    struct embeddings_slice s, struct buf *body, struct fault *f)
{
	const char *purpose = embeddings_purpose(chat, WORDS_COHERE);
	struct json_writer w;
	enum err e = check_dimensions(chat, d, f);

	if (e != ERR_OK)
		return e;
	jw_init(&w, body);
	jw_object(&w);
	canon_put_str(&w, "model", canon_lit(d->model));
	e = embeddings_put_texts(&w, "texts", chat, s, f);
	canon_put_str(&w, "input_type", canon_lit(purpose != NULL ? purpose :
	    "search_document"));
	jw_key(&w, "embedding_types");
	jw_array(&w);
	jw_string(&w, "float");
	jw_end_array(&w);
	if (strstr(d->model, "-v3.0") == NULL)
		embeddings_put_dimensions(&w, "output_dimension", chat);
	jw_end_object(&w);
	return e;
}

static enum err
cohere_embed_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct embeddings_slice s = embeddings_slice(chat, call->part, &bound,
	    &call->parts);
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = arena_printf(a, "%s/v2/embed", d->provider->base_url);
	buf_init(&body, LIMIT_BODY_TEXT);
	e = write_body(chat, d, s, &body, f);
	return canon_body(a, call, &body, e, f);
}

static enum err
cohere_embed_read(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc;
	enum err e;

	(void)d;
	e = embeddings_open(a, &adapter_cohere_embed, body, len, reply, &doc,
	    f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	embeddings_usage(doc, json_get(doc, json_get(doc, JSON_ROOT, "meta"),
	    "billed_units"), "input_tokens", reply);
	reply->id = canon_str(doc, json_get(doc, JSON_ROOT, "id"), a);
	e = embeddings_vectors(a, chat, reply, doc, json_get(doc, json_get(doc,
	    JSON_ROOT, "embeddings"), "float"), NULL, f);
	return e == ERR_OK ? embeddings_counted(chat, reply, &bound, f) : e;
}

static uint64_t
cohere_embed_lacks(const struct chat *chat, const struct deployment *d)
{
	(void)d;
	return embeddings_unsaid(chat, WORDS_COHERE);
}

const struct adapter adapter_cohere_embed = {
	.name = "cohere_embed",
	.takes = PARAM_BIT(PURPOSE),
	.lacks = cohere_embed_lacks,
	.write_request = cohere_embed_write,
	.read_reply = cohere_embed_read,
	.classify = errors_classify,
};
