/*
 * Messages of application/vnd.amazon.eventstream, split at any byte: a
 * prelude (two lengths and their CRC), headers, a payload, a CRC of all. A
 * message whose sums or lengths are wrong ends the stream: what follows a
 * lost place cannot be trusted.
 *
 * A message becomes an event: its name is the :event-type, or the
 * :exception-type or :error-code, with `failure` set; its data the payload,
 * or (an error without payload) the :error-message.
 */
#ifndef TOLLGATE_BASE_EVENTSTREAM_H
#define TOLLGATE_BASE_EVENTSTREAM_H

#include <stddef.h>

#include "app/base/buf.h"
#include "app/base/err.h"
#include "app/base/sse.h"

/*
 * Take len bytes; part holds a message that is not yet whole (empty at
 * first, its bound at least max). As sse_feed: what fn returned,
 * ERR_BAD_UPSTREAM for a malformed message or one of more than max bytes,
 * ERR_INTERNAL when memory is short.
 */
enum err eventstream_feed(struct buf *part, size_t max, const char *p,
    size_t len, sse_fn *fn, void *arg);

/* ERR_BAD_UPSTREAM when a message was cut off. */
enum err eventstream_end(const struct buf *part);

#endif
