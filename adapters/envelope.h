/*
 * Events of another dialect in messages of Amazon's event stream, as
 * InvokeModelWithResponseStream sends them: { "bytes": "base64" }.
 */
#ifndef TOLLGATE_ADAPTERS_ENVELOPE_H
#define TOLLGATE_ADAPTERS_ENVELOPE_H

#include "app/base/err.h"
#include "app/base/sse.h"

struct arena;

/*
 * The event inside; an exception becomes the event "error" with the body
 * { error: { type, message } }. Memory from the arena. ERR_BAD_UPSTREAM: it
 * is no such message.
 */
enum err envelope_open(struct arena *a, const struct sse_event *message,
    struct sse_event *inside);

#endif
