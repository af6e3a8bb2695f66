/*
 * Embeddings at Ollama: POST /api/embed (docs.ollama.com/api/embed, read
 * 2026-11): a list of texts, dimensions, usage in prompt_eval_count. A text
 * that is too long is an error, as elsewhere, and not cut short.
 */
#include "adapters/canon.h"
#include "adapters/embeddings.h"
#include "adapters/errors.h"
#include "app/base/arena.h"

/* It tells of no bound; more at once would only take memory. */
static const struct embeddings_bound bound = { 512, 0 };

static enum err
write_body(const struct chat *chat, const struct deployment *d,
    struct embeddings_slice s, struct buf *body, struct fault *f)
{
	struct json_writer w;
	enum err e;

	jw_init(&w, body);
	jw_object(&w);
	canon_put_str(&w, "model", canon_lit(d->model));
	e = embeddings_put_texts(&w, "input", chat, s, f);
	jw_key(&w, "truncate");
	jw_bool(&w, false);
	embeddings_put_dimensions(&w, "dimensions", chat);
	jw_end_object(&w);
	return e;
}

static enum err
ollama_embed_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct embeddings_slice s = embeddings_slice(chat, call->part, &bound,
	    &call->parts);
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = arena_printf(a, "%s/api/embed", d->provider->base_url);
	buf_init(&body, LIMIT_BODY_TEXT);
	e = write_body(chat, d, s, &body, f);
	return canon_body(a, call, &body, e, f);
}

static enum err
ollama_embed_read(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc;
	enum err e;

	(void)d;
	e = embeddings_open(a, &adapter_ollama_embed, body, len, reply, &doc,
	    f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	embeddings_usage(doc, JSON_ROOT, "prompt_eval_count", reply);
	reply->model = canon_str(doc, json_get(doc, JSON_ROOT, "model"), a);
	e = embeddings_vectors(a, chat, reply, doc, json_get(doc, JSON_ROOT,
	    "embeddings"), NULL, f);
	return e == ERR_OK ? embeddings_counted(chat, reply, &bound, f) : e;
}

const struct adapter adapter_ollama_embed = {
	.name = "ollama_embed",
	.write_request = ollama_embed_write,
	.read_reply = ollama_embed_read,
	.classify = errors_classify,
};
