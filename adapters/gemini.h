/*
 * Google's generateContent dialect (ai.google.dev/api/generate-content and
 * Vertex AI, v1beta, read 2026-07). Eight files share it: gemini.c is the
 * surface and the table, gemini_chat.c reads requests into the canonical form,
 * gemini_ask.c writes them from it, gemini_answer.c reads answers,
 * gemini_write.c writes them; gemini_args.c, gemini_grounding.c and
 * gemini_logprobs.c know arguments in parts, citations and probabilities. Its
 * JSON is protobuf's: members may be in camelCase or snake_case.
 */
#ifndef TOLLGATE_ADAPTERS_GEMINI_H
#define TOLLGATE_ADAPTERS_GEMINI_H

#include "adapters/adapter.h"

/* A member under its camelCase name, else in snake_case; JSON_NONE. */
uint32_t gemini_get(const struct json *doc, uint32_t obj, const char *camel);

/*
 * The first len bytes of the path → chat->model. ERR_BAD_REQUEST: too long, or
 * with a space.
 */
enum err gemini_model(struct arena *a, struct chat *chat, size_t len,
    struct fault *f);

/* CAP_* of the media of a part, 0 = it has none. */
unsigned gemini_needs(const struct json *doc, uint32_t part);

/* Does this model demand what proves its calls, and take levels of thinking? */
bool gemini_needs_proof(const char *model);

/* See struct adapter for each of these. */
enum err gemini_read_chat(struct arena *a, struct chat *chat,
    struct fault *f);
enum err gemini_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err gemini_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);
enum err gemini_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out);
enum err gemini_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out);
void gemini_write_count(int64_t tokens, struct buf *out);
void gemini_write_error(enum err e, const struct fault *f,
    const struct answer_meta *meta, struct buf *out);
void gemini_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out);

/* The body for a provider from the canonical form, appended to out. */
enum err gemini_write_chat(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f);

extern const struct adapter adapter_gemini;

#endif
