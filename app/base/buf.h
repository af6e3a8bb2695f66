/*
 * A growing byte buffer that is born with the size at which it fails. The
 * failure sticks: writers go on without checks and look at `failed` once, at
 * the end. Its memory is its own (malloc), freed by buf_free.
 */
#ifndef TOLLGATE_BASE_BUF_H
#define TOLLGATE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;  /* NULL while nothing was written; not NUL-terminated */
	size_t len;  /* bytes written */
	size_t size; /* bytes allocated */
	size_t max;  /* len never goes beyond */
	bool failed; /* beyond max or out of memory: len and data are stale */
};

/* An empty buffer that may grow to max bytes; allocates nothing. */
void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);

/* Forget the content and a failure; keep the memory. */
void buf_clear(struct buf *b);

void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_int(struct buf *b, int64_t n); /* its decimal digits */
void buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Drop n <= len bytes from the front. */
void buf_drop(struct buf *b, size_t n);

/* Room for n more bytes at data + len, or false (and failed). */
bool buf_reserve(struct buf *b, size_t n);

#endif
