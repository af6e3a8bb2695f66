/*
 * Server-sent events as they come from providers, split at any byte (WHATWG
 * HTML, "Parsing an event stream"): LF, CRLF and CR end lines, a BOM is
 * skipped, one space after the colon is dropped, several data lines are
 * joined by LF, comments are counted and dropped, invalid UTF-8 becomes
 * U+FFFD, NUL becomes U+FFFD.
 */
#ifndef TOLLGATE_BASE_SSE_H
#define TOLLGATE_BASE_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/buf.h"
#include "app/base/err.h"

struct sse_event {
	const char *name; /* "event:" field, "" when there was none; C string */
	const char *data; /* joined data, not NUL-terminated, valid UTF-8 */
	size_t len;
	bool failure;	  /* its framing says that it tells of an error */
};

/* Called for each event; any answer but ERR_OK stops the feed. */
typedef enum err sse_fn(void *arg, const struct sse_event *ev);

struct sse {
	struct buf line, data;
	char name[64]; /* longer names are cut */
	bool started, cr, has_data;
	uint64_t comments; /* comment lines seen */
};

/* max: bytes of one event (data and line each) before ERR_BAD_UPSTREAM. */
void sse_init(struct sse *s, size_t max);
void sse_free(struct sse *s);

/*
 * Take len bytes; call fn for each event that they complete. The event's
 * memory is the parser's (or the fed bytes') and lives for the call. Events
 * without data lines are not delivered (WHATWG), but a name alone is kept
 * for none. Returns what fn returned, ERR_BAD_UPSTREAM when an event is over
 * the bound, ERR_INTERNAL when memory is short; after a failure only
 * sse_free.
 */
enum err sse_feed(struct sse *s, const char *bytes, size_t len, sse_fn *fn,
    void *arg);

/*
 * The stream ended: deliver an event that lacked its blank line (WHATWG
 * would drop it; providers forget the last newline, so it is delivered).
 */
enum err sse_end(struct sse *s, sse_fn *fn, void *arg);

#endif
