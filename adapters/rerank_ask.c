/*
 * Rerank at others than Cohere: Jina's form (Together, vLLM), Voyage's, whose
 * word for top_n is top_k (both as recorded in the corpus), and InvokeModel of
 * Bedrock, whose Cohere refuses a request without version 2
 * (github.com/cohere-ai/cohere-python/issues/613, read 2026-11). The makers'
 * references were not read.
 */
#include <string.h>

#include "adapters/bedrock.h"
#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/rerank.h"
#include "app/base/arena.h"
#include "policy/catalog.h"

#define COHERE_VERSION 2

static enum err
openai_rerank_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	bool voyage = (d->provider->quirks & QUIRK_EMBED_VOYAGE) != 0;
	struct json_writer w;
	struct buf body;

	call->method = "POST";
	call->url = openai_url(a, d, "rerank");
	buf_init(&body, LIMIT_BODY_TEXT);
	jw_init(&w, &body);
	jw_object(&w);
	canon_put_str(&w, "model", canon_lit(d->model));
	rerank_put(&w, chat, voyage ? "top_k" : "top_n");
	jw_end_object(&w);
	return canon_body(a, call, &body, ERR_OK, f);
}

static enum err
openai_rerank_read(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	return rerank_read(a, &adapter_openai_rerank, chat, d, body, len,
	    reply, f);
}

static enum err
bedrock_rerank_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct json_writer w;
	struct buf body;

	if (strstr(d->model, "rerank") == NULL)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "the model does not rank documents");
	call->method = "POST";
	call->url = arena_printf(a, "%s/model/%s/invoke",
	    d->provider->base_url, canon_segment(a, d->model));
	buf_init(&body, LIMIT_BODY_TEXT);
	jw_init(&w, &body);
	jw_object(&w);
	if (strstr(d->model, "cohere.") != NULL)
		canon_put_int(&w, "api_version", COHERE_VERSION);
	rerank_put(&w, chat, "top_n");
	jw_end_object(&w);
	return canon_body(a, call, &body, ERR_OK, f);
}

static enum err
bedrock_rerank_read(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	return rerank_read(a, &adapter_bedrock_rerank, chat, d, body, len,
	    reply, f);
}

const struct adapter adapter_openai_rerank = {
	.name = "openai_rerank",
	.write_request = openai_rerank_write,
	.read_reply = openai_rerank_read,
	.classify = errors_classify,
};

const struct adapter adapter_bedrock_rerank = {
	.name = "bedrock_rerank",
	.error_header = "x-amzn-errortype",
	.write_request = bedrock_rerank_write,
	.read_reply = bedrock_rerank_read,
	.classify = bedrock_classify,
};
