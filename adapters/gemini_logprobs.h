/* Probabilities of tokens: Google's form and OpenAI's. */
#ifndef TOLLGATE_ADAPTERS_GEMINI_LOGPROBS_H
#define TOLLGATE_ADAPTERS_GEMINI_LOGPROBS_H

#include "adapters/chat.h"

struct arena;

/* A candidate's logprobsResult in OpenAI's form; nothing when it has none. */
struct str gemini_read_logprobs(const struct json *doc, uint32_t candidate,
    struct arena *a);

/* "logprobsResult" from OpenAI's form; nothing when that says nothing. */
void gemini_put_logprobs(struct json_writer *w, struct str logprobs,
    struct arena *a);

#endif
