/*
 * Escapes that are JSON by its grammar and no text by Unicode's rules. Some
 * providers cut characters in two; their answers need not be lost for it.
 */
#include "app/base/json.h"

#include <string.h>

/* The code unit of the four hex digits at p, or -1. */
static int
unit(const char *p)
{
	int n = 0, i;

	for (i = 0; i < 4; i++) {
		n <<= 4;
		if (p[i] >= '0' && p[i] <= '9')
			n |= p[i] - '0';
		else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')
			n |= (p[i] | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return n;
}

/* Does a low surrogate's escape stand at p? */
static bool
is_low(const char *p, const char *end)
{
	int n;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return false;
	n = unit(p + 2);
	return n >= 0xdc00 && n <= 0xdfff;
}

size_t
json_bad_escape(const char *text, size_t len, size_t from)
{
	const char *p = text + from, *end = text + len;
	int n;

	while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
		if (end - p < 6 || p[1] != 'u') {
			if (end - p < 2)
				break;
			p += 2; /* also over an escaped backslash */
			continue;
		}
		n = unit(p + 2);
		if (n == 0 || (n >= 0xdc00 && n <= 0xdfff))
			return (size_t)(p - text);
		if (n >= 0xd800 && n <= 0xdbff) {
			if (!is_low(p + 6, end))
				return (size_t)(p - text);
			p += 6;
		}
		p += n < 0 ? 2 : 6;
	}
	return len;
}

void
json_mend_escapes(char *text, size_t len)
{
	size_t at = 0;

	while ((at = json_bad_escape(text, len, at)) < len) {
		memcpy(text + at, "\\ufffd", 6);
		at += 6;
	}
}
