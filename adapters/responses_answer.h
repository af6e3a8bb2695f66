/* What whole answers and streams of Responses providers have in common. */
#ifndef TOLLGATE_ADAPTERS_RESPONSES_ANSWER_H
#define TOLLGATE_ADAPTERS_RESPONSES_ANSWER_H

#include "adapters/adapter.h"

/* Usage and finish of a response object. */
void responses_usage(const struct json *doc, uint32_t response,
    struct usage *out);
enum finish responses_finish(const struct json *doc, uint32_t response);

/* The error in a response that failed, or in an event. False: no memory. */
bool responses_failure(struct arena *a, int status, const struct json *doc,
    uint32_t response, struct upstream_error *out);

/* Readable reasoning of an item: a summary, else the thoughts themselves. */
bool responses_reasoning(const struct json *doc, uint32_t item,
    struct arena *a, struct str *out);

/* An annotation as chat completions have it; nothing for other kinds. */
struct str responses_citation(const struct json *doc, uint32_t v,
    struct arena *a);

/* The image that a call of the provider's own tool made; false: none. */
bool responses_image(const struct json *doc, uint32_t item, struct arena *a,
    struct part *p);

/* The id that the answer to a call must name. */
struct str responses_call_id(const struct json *doc, uint32_t item,
    struct arena *a);

#endif
