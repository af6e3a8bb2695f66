/*
 * HTTP header lines of a call: which may be sent, and a bounded store of
 * those that came back. Knows nothing of libcurl and does no I/O.
 */
#ifndef TOLLGATE_APP_HEADERS_H
#define TOLLGATE_APP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/base/buf.h"
#include "app/base/err.h"

struct http_call;

/* A token of RFC 9110 that is not the transport's own (Content-Length …). */
bool header_name_sendable(const char *name);

/* No control characters (CR, LF and HTAB are some). */
bool header_value_sendable(const char *value);

/* A token of RFC 9110: one character or more. */
bool header_is_token(const char *s, size_t len);

/*
 * Add a header to a call (adapters/adapter.h); name and value are kept as
 * they are. ERR_INTERNAL: one of them is NULL, or there is no place.
 */
enum err http_call_header(struct http_call *call, const char *name,
    const char *value);

/* Why a line could not be taken. */
enum headers_end {
	HEADERS_OK,
	HEADERS_TOO_LARGE, /* bytes or lines over their bound */
	HEADERS_MEMORY
};

struct headers {
	struct buf text; /* "name\0value\0" … */
	size_t bytes;	 /* of all lines seen, kept or not */
	size_t lines;
};

/* Allocates nothing. */
void headers_init(struct headers *h);
void headers_free(struct headers *h);

/* Forget all lines and counts; keep the memory when it is little. */
void headers_reset(struct headers *h);

/* Forget the lines kept so far, but count on (an interim answer ended). */
void headers_drop(struct headers *h);

/*
 * Count a line, as it came with its line end; with keep also store it, when
 * it is "name: value" with a good name and no control character but HTAB in
 * its value. Others are left out, without an error.
 */
enum headers_end headers_line(struct headers *h, const char *line, size_t len,
    bool keep);

/* The first value of that name, case ignored, or NULL; valid until reset. */
const char *headers_get(const struct headers *h, const char *name);

#endif
