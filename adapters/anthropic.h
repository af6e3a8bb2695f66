/*
 * The Anthropic Messages dialect (docs.anthropic.com/en/api/messages, version
 * 2023-06-01, read 2026-07). Five files share it: anthropic.c is the surface
 * and the table, anthropic_chat.c reads requests into the canonical form,
 * anthropic_ask.c writes them from it, anthropic_answer.c reads answers,
 * anthropic_write.c writes them.
 */
#ifndef TOLLGATE_ADAPTERS_ANTHROPIC_H
#define TOLLGATE_ADAPTERS_ANTHROPIC_H

#include "adapters/adapter.h"

#define ANTHROPIC_VERSION "2023-06-01"

/* See struct adapter for each of these. */
enum err anthropic_read_chat(struct arena *a, struct chat *chat,
    struct fault *f);
enum err anthropic_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err anthropic_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);
enum err anthropic_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out);
enum err anthropic_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out);
void anthropic_write_count(int64_t tokens, struct buf *out);
void anthropic_write_error(enum err e, const struct fault *f,
    const struct answer_meta *meta, struct buf *out);
void anthropic_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out);

/* The body for a provider from the canonical form, appended to out. */
enum err anthropic_write_chat(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f);

/*
 * The anthropic_version that stands in the body where Claude lives at a cloud
 * (the address then names the model), NULL elsewhere.
 */
const char *anthropic_guest(const struct deployment *d);

/* Settings of the chat that exclude each other there, or that d refuses. */
uint64_t anthropic_lacks(const struct chat *chat, const struct deployment *d);

/* stop_reason ↔ enum finish. */
enum finish anthropic_finish(const struct json *doc, uint32_t v);

extern const struct adapter adapter_anthropic;

#endif
