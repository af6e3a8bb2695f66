/*
 * Embeddings on Bedrock: InvokeModel, whose body is that of the model's maker
 * (docs.aws.amazon.com/bedrock/latest/userguide, "Amazon Titan Embeddings
 * Text" and "Cohere Embed", read 2026-11). Titan takes one text a call and
 * tells its tokens, Cohere takes 96 and tells nothing in the body.
 */
#include <string.h>

#include "adapters/bedrock.h"
#include "adapters/canon.h"
#include "adapters/embeddings.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

struct maker {
	const char *mark;     /* in the model's name, behind any region */
	struct embeddings_bound bound;
	int64_t fixed;	      /* its vectors have this length only, 0 = not */
	enum err (*write)(struct json_writer *w, const struct chat *chat,
	    struct embeddings_slice s, struct fault *f);
	enum err (*read)(struct arena *a, const struct chat *chat,
	    struct reply *reply, const struct json *doc, struct fault *f);
};

static enum err
write_titan(struct json_writer *w, const struct chat *chat,
    struct embeddings_slice s, struct fault *f)
{
	jw_key(w, "inputText");
	return embeddings_put_text(w, chat, s.first, f);
}

/* The second version alone makes vectors of other lengths. */
static enum err
write_titan_2(struct json_writer *w, const struct chat *chat,
    struct embeddings_slice s, struct fault *f)
{
	embeddings_put_dimensions(w, "dimensions", chat);
	return write_titan(w, chat, s, f);
}

static enum err
read_titan(struct arena *a, const struct chat *chat, struct reply *reply,
    const struct json *doc, struct fault *f)
{
	embeddings_usage(doc, JSON_ROOT, "inputTextTokenCount", reply);
	return embeddings_vector(a, chat, reply, doc, json_get(doc, JSON_ROOT,
	    "embedding"), f);
}

static enum err
write_cohere(struct json_writer *w, const struct chat *chat,
    struct embeddings_slice s, struct fault *f)
{
	const char *purpose = embeddings_purpose(chat, WORDS_COHERE);

	canon_put_str(w, "input_type", canon_lit(purpose != NULL ? purpose :
	    "search_document"));
	return embeddings_put_texts(w, "texts", chat, s, f);
}

static enum err
write_cohere_4(struct json_writer *w, const struct chat *chat,
    struct embeddings_slice s, struct fault *f)
{
	embeddings_put_dimensions(w, "output_dimension", chat);
	return write_cohere(w, chat, s, f);
}

/* A list of vectors, or lists by their type. */
static enum err
read_cohere(struct arena *a, const struct chat *chat, struct reply *reply,
    const struct json *doc, struct fault *f)
{
	uint32_t list = json_get(doc, JSON_ROOT, "embeddings");

	if (json_type(doc, list) == JSON_OBJECT)
		list = json_get(doc, list, "float");
	return embeddings_vectors(a, chat, reply, doc, list, NULL, f);
}

static const struct maker makers[] = {
	{ "amazon.titan-embed-text-v2", { 1, 0 }, 0, write_titan_2,
	    read_titan },
	{ "amazon.titan-embed-", { 1, 0 }, 1536, write_titan, read_titan },
	{ "cohere.embed-english-v3", { 96, 0 }, 1024, write_cohere,
	    read_cohere },
	{ "cohere.embed-multilingual-v3", { 96, 0 }, 1024, write_cohere,
	    read_cohere },
	{ "cohere.embed-", { 96, 0 }, 0, write_cohere_4, read_cohere },
};

/* By the model's name, which may be an ARN; NULL: nobody we know. */
static const struct maker *
maker_of(const struct deployment *d)
{
	size_t i;

	if (strstr(d->model, "titan-embed-image") != NULL)
		return NULL;
	for (i = 0; i < sizeof makers / sizeof makers[0]; i++)
		if (strstr(d->model, makers[i].mark) != NULL)
			return &makers[i];
	return NULL;
}

static enum err
write_body(const struct maker *m, const struct chat *chat,
    struct embeddings_slice s, struct buf *body, struct fault *f)
{
	struct json_writer w;
	enum err e = m->fixed > 0 ? embeddings_fixed(chat, m->fixed, f) :
	    ERR_OK;

	if (e != ERR_OK)
		return e;
	jw_init(&w, body);
	jw_object(&w);
	e = m->write(&w, chat, s, f);
	jw_end_object(&w);
	return e;
}

static enum err
bedrock_embed_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	const struct maker *m = maker_of(d);
	struct embeddings_slice s;
	struct buf body;
	enum err e;

	if (m == NULL)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "of Bedrock's models those of Titan and Cohere alone make "
		    "embeddings of texts here");
	s = embeddings_slice(chat, call->part, &m->bound, &call->parts);
	call->method = "POST";
	call->url = arena_printf(a, "%s/model/%s/invoke",
	    d->provider->base_url, canon_segment(a, d->model));
	buf_init(&body, LIMIT_BODY_TEXT);
	e = write_body(m, chat, s, &body, f);
	return canon_body(a, call, &body, e, f);
}

static enum err
bedrock_embed_read(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	const struct maker *m = maker_of(d);
	struct json *doc;
	enum err e;

	if (m == NULL)
		return reply_bad(f, "no model of embeddings");
	e = embeddings_open(a, &adapter_bedrock_embed, body, len, reply, &doc,
	    f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	reply->id = canon_str(doc, json_get(doc, JSON_ROOT, "id"), a);
	e = m->read(a, chat, reply, doc, f);
	return e == ERR_OK ? embeddings_counted(chat, reply, &m->bound, f) : e;
}

static uint64_t
bedrock_embed_lacks(const struct chat *chat, const struct deployment *d)
{
	const struct maker *m = maker_of(d);

	return m != NULL && m->read == read_cohere ?
	    embeddings_unsaid(chat, WORDS_COHERE) : PARAM_BIT(PURPOSE);
}

const struct adapter adapter_bedrock_embed = {
	.name = "bedrock_embed",
	.takes = PARAM_BIT(PURPOSE),
	.lacks = bedrock_embed_lacks,
	.error_header = "x-amzn-errortype",
	.write_request = bedrock_embed_write,
	.read_reply = bedrock_embed_read,
	.classify = bedrock_classify,
};
