/* Percent-encoding: knows nothing of what parts an address has. */
#include "app/base/percent.h"

#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"

void
percent_put(struct buf *out, const char *p, size_t n)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	static const char hex[] = "0123456789ABCDEF";
	unsigned char c;

	for (; n-- > 0; p++) {
		c = (unsigned char)*p;
		if (c != '\0' && strchr(plain, c) != NULL) {
			buf_putc(out, *p);
			continue;
		}
		buf_put(out, (char[]){ '%', hex[c >> 4], hex[c & 15] }, 3);
	}
}

/* The value of a hexadecimal digit, -1 when it is none. */
static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

const char *
percent_decode(struct arena *a, const char *p, size_t len)
{
	char *out = arena_alloc(a, len + 1), *o = out;
	size_t i;

	if (out == NULL)
		return NULL;
	for (i = 0; i < len; i++, o++) {
		*o = p[i];
		if (p[i] == '%') {
			if (len - i < 3 || digit(p[i + 1]) < 0 ||
			    digit(p[i + 2]) < 0)
				return NULL;
			*o = (char)(digit(p[i + 1]) << 4 | digit(p[i + 2]));
			i += 2;
		}
		if ((unsigned char)*o < 0x20 || *o == 0x7f)
			return NULL;
	}
	*o = '\0';
	return out;
}
