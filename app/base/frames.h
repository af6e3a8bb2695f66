/*
 * Framings of a streamed answer: server-sent events, JSON lines, and what
 * else a dialect may use; all give events of one kind (struct sse_event:
 * name and data).
 */
#ifndef TOLLGATE_BASE_FRAMES_H
#define TOLLGATE_BASE_FRAMES_H

#include <stddef.h>

#include "app/base/buf.h"
#include "app/base/err.h"
#include "app/base/sse.h"

enum framing {
	FRAMING_SSE,
	FRAMING_LINES,	    /* one JSON text a line (NDJSON) */
	FRAMING_EVENTSTREAM, /* application/vnd.amazon.eventstream */
	FRAMING_RAW	    /* bytes: an event is what came at once */
};

struct frames {
	enum framing framing;
	size_t max;
	struct sse sse;	 /* FRAMING_SSE */
	struct buf part; /* an event that is not yet whole, all others */
};

/* max: bytes of one event before ERR_BAD_UPSTREAM. */
void frames_init(struct frames *f, enum framing framing, size_t max);
void frames_free(struct frames *f);

/* As sse_feed and sse_end. */
enum err frames_feed(struct frames *f, const char *p, size_t len, sse_fn *fn,
    void *arg);
enum err frames_end(struct frames *f, sse_fn *fn, void *arg);

#endif
