/*
 * The OpenAI chat dialect (platform.openai.com/docs/api-reference/chat, read
 * 2026-07) as its hundred speakers really speak it. Two files share it:
 * openai.c asks and writes, openai_answer.c reads and mends answers.
 */
#ifndef TOLLGATE_ADAPTERS_OPENAI_H
#define TOLLGATE_ADAPTERS_OPENAI_H

#include "adapters/adapter.h"

/* struct adapter's read_reply and read_event. */
enum err openai_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err openai_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);

/*
 * Usage as any OpenAI-like answer states it (top level, x_groq, a choice's
 * own); false when there is none. Absurd figures are clamped to 0..2^53.
 */
bool openai_usage(const struct json *doc, struct usage *out);

#endif
