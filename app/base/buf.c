/* The growing buffer. */
#include "app/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/decimal.h"

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof *b);
	b->max = max;
}

void
buf_free(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

bool
buf_reserve(struct buf *b, size_t n)
{
	size_t size;
	char *p;

	if (!b->failed && b->size - b->len >= n)
		return true;
	if (b->failed || n > b->max - b->len) {
		b->failed = true;
		return false;
	}
	size = b->size < 256 ? 256 : b->size;
	while (size - b->len < n && size <= b->max / 2)
		size *= 2;
	if (size > b->max || size - b->len < n)
		size = b->max;
	p = realloc(b->data, size);
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->size = size;
	return true;
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_reserve(b, n))
		return;
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_putc(struct buf *b, char c)
{
	if (buf_reserve(b, 1))
		b->data[b->len++] = c;
}

void
buf_int(struct buf *b, int64_t n)
{
	char text[DECIMAL_SIZE];

	buf_put(b, text, decimal(text, n, 0));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[256], *large = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof small) {
		va_start(ap, fmt);
		n = vasprintf(&large, fmt, ap);
		va_end(ap);
	}
	if (n < 0) {
		b->failed = true;
		return;
	}
	buf_put(b, large != NULL ? large : small, (size_t)n);
	free(large);
}

void
buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	if (b->len > 0 && n > 0)
		memmove(b->data, b->data + n, b->len);
}
