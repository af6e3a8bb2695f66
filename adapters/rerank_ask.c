/*
 * Rerank at others than Cohere: Jina's form (Together, Fireworks, OpenRouter,
 * SiliconFlow, Novita, vLLM), Voyage's, whose word for top_n is top_k (both as
 * recorded in the corpus), DeepInfra's, which has an address for each model
 * beside that of OpenAI's dialect and a query for each document
 * (deepinfra.com/Qwen/Qwen3-Reranker-0.6B/api, read 2026-11), and InvokeModel
 * of Bedrock, whose Cohere refuses a request without version 2
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

/* http://…/v1/openai → http://…/v1/inference/MODEL */
static const char *
pairs_url(struct arena *a, const struct deployment *d)
{
	static const char tail[] = "/openai";
	const char *base = d->provider->base_url;
	size_t n = strlen(base), skip = sizeof tail - 1;
	const char *model = canon_path(a, d->model);

	if (*model == '\0')
		return NULL;
	if (n >= skip && strcmp(base + n - skip, tail) == 0)
		n -= skip;
	return arena_printf(a, "%.*s/inference/%s", (int)n, base, model);
}

/* As many queries as documents. */
static enum err
pairs_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct json_writer w;
	struct buf body;
	size_t i;

	call->url = pairs_url(a, d);
	if (call->url == NULL)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "the provider has no such model");
	buf_init(&body, LIMIT_BODY_TEXT);
	jw_init(&w, &body);
	jw_object(&w);
	jw_key(&w, "queries");
	jw_array(&w);
	for (i = 1; i < chat->message_count && !body.failed; i++)
		jw_stringn(&w, chat->messages[0].parts[0].text.p,
		    chat->messages[0].parts[0].text.len);
	jw_end_array(&w);
	rerank_put_documents(&w, chat);
	jw_end_object(&w);
	return canon_body(a, call, &body, ERR_OK, f);
}

static enum err
openai_rerank_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	bool voyage = (d->provider->quirks & QUIRK_EMBED_VOYAGE) != 0;
	struct json_writer w;
	struct buf body;

	call->method = "POST";
	if ((d->provider->quirks & QUIRK_RERANK_PAIRS) != 0)
		return pairs_write(a, chat, d, call, f);
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
