/* Percent-encoding (RFC 3986 §2.1), there and back. */
#ifndef TOLLGATE_BASE_PERCENT_H
#define TOLLGATE_BASE_PERCENT_H

#include <stddef.h>

struct arena;
struct buf;

/* Put n bytes: all but letters, digits and "-._~" as %XX. */
void percent_put(struct buf *out, const char *p, size_t n);

/*
 * Decode len bytes once, NUL-terminated, from the arena. NULL: a broken
 * escape, a control character (NUL is one), or no memory.
 */
const char *percent_decode(struct arena *a, const char *p, size_t len);

#endif
