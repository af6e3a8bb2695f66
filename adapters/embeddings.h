/*
 * POST /v1/embeddings as OpenAI defines it (platform.openai.com/docs/
 * api-reference/embeddings, read 2026-11): the surface, and providers that
 * speak the same. Other dialects' providers read the inputs as messages of
 * one part each, a text, or a list of token numbers (PART_OTHER), and give
 * one vector for each in reply.vectors.
 */
#ifndef TOLLGATE_ADAPTERS_EMBEDDINGS_H
#define TOLLGATE_ADAPTERS_EMBEDDINGS_H

#include "adapters/adapter.h"

#define EMBEDDINGS_DOOR "embeddings"

/*
 * Which inputs go into this part: from *first on, *count of them, `most` in
 * one call; sets call->parts.
 */
void embeddings_part(const struct chat *chat, struct http_call *call,
    size_t most, size_t *first, size_t *count);

/*
 * The text of input i into the writer. ERR_BAD_REQUEST where it is a list of
 * tokens: another provider has other numbers for them.
 */
enum err embeddings_put_text(struct json_writer *w, const struct chat *chat,
    size_t i, struct fault *f);

/*
 * Append a vector to the reply: an array of numbers, or a string of base64.
 * ERR_BAD_UPSTREAM: it is neither, or empty.
 */
enum err embeddings_vector(struct arena *a, struct reply *reply,
    const struct json *doc, uint32_t v, struct fault *f);

/*
 * Is there one vector for each input, as far as it can be told where at most
 * so many go into one call? ERR_BAD_UPSTREAM: no.
 */
enum err embeddings_counted(const struct chat *chat,
    const struct reply *reply, size_t most, struct fault *f);

extern const struct adapter adapter_embeddings;

#endif
