/*
 * Cohere's Chat API, version 2 (docs.cohere.com/v2/reference/chat and
 * /chat-stream, read 2026-07), as a provider: clients do not speak it here.
 * cohere.c writes requests, cohere_answer.c reads answers.
 */
#ifndef TOLLGATE_ADAPTERS_COHERE_H
#define TOLLGATE_ADAPTERS_COHERE_H

#include "adapters/adapter.h"

/* See struct adapter. */
enum err cohere_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err cohere_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);

extern const struct adapter adapter_cohere;

#endif
