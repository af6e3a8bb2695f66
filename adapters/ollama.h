/*
 * Ollama's own chat API (docs.ollama.com/api/chat, read 2026-07), as a
 * provider: clients do not speak it here. ollama.c writes requests,
 * ollama_answer.c reads answers: one JSON text, or one a line.
 */
#ifndef TOLLGATE_ADAPTERS_OLLAMA_H
#define TOLLGATE_ADAPTERS_OLLAMA_H

#include "adapters/adapter.h"

/* See struct adapter. */
enum err ollama_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err ollama_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);

extern const struct adapter adapter_ollama;

#endif
