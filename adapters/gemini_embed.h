/*
 * embedContent and batchEmbedContents (ai.google.dev/api/embeddings, and
 * google-genai's models.py; read 2026-11): the surface, and Google as the
 * provider. Which of the two it is, the body tells: {content} or {requests}.
 * gemini_embed_chat.c is the surface, gemini_embed.c writes to Google and
 * reads its answers. The path is the model's name.
 *
 * Each request is a message (embeddings.h), with the content as it came in
 * raw. Texts of a content are one text to others; what else it holds goes to
 * Google only. taskType and outputDimensionality must
 * be the same in all of them, as clients have them; what the vectors are for
 * is chat.task.purpose.
 */
#ifndef TOLLGATE_ADAPTERS_GEMINI_EMBED_H
#define TOLLGATE_ADAPTERS_GEMINI_EMBED_H

#include "adapters/adapter.h"

/* Request i, 0..; of a client of this surface. */
uint32_t gemini_embed_row(const struct chat *chat, size_t i);

/* See struct adapter for each of these. */
enum err gemini_embed_read_request(struct arena *a, struct chat *chat,
    struct fault *f);
enum err gemini_embed_read_chat(struct arena *a, struct chat *chat,
    struct fault *f);
enum err gemini_embed_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out);

#endif
