/* Writing JSON. What comes out here, the parser takes. */
#include "app/base/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/buf.h"
#include "app/base/scan.h"

/* What stands behind the backslash for a byte; 0: it has no such form. */
static const char short_form[256] = { ['"'] = '"', ['\\'] = '\\',
	['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };

/* A byte that has no short form; returns how many it takes along. */
static size_t
put_special(struct buf *out, const unsigned char *p, const unsigned char *end)
{
	static const char hex[] = "0123456789abcdef";
	char six[6] = { '\\', 'u', '0', '0' };

	if (*p == '\0' || *p >= 0x80) { /* no JSON of ours has a NUL */
		buf_put(out, "\xef\xbf\xbd", 3);
		return *p == '\0' ? 1 : scan_malformed(p, end);
	}
	six[4] = hex[*p >> 4];
	six[5] = hex[*p & 15];
	buf_put(out, six, 6);
	return 1;
}

/* The first byte that cannot stand as it is. */
static const unsigned char *
scan_quotable(const unsigned char *p, const unsigned char *end)
{
	do
		p = scan_utf8(scan_plain(p, end), end);
	while (p < end && *p >= 0x20 && *p < 0x80 && short_form[*p] == '\0');
	return p;
}

void
json_quote(struct buf *out, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *q;
	const unsigned char *end = len == 0 ? p : p + len;
	size_t n;

	if (!buf_reserve(out, len + 2))
		return;
	out->data[out->len++] = '"';
	while (p < end) {
		q = scan_quotable(p, end);
		n = (size_t)(q - p);
		if (!buf_reserve(out, n + (q < end ? 2 : 1)))
			return;
		memcpy(out->data + out->len, p, n);
		out->len += n;
		p = q;
		if (p == end)
			break;
		if (short_form[*p] != '\0') {
			out->data[out->len++] = '\\';
			out->data[out->len++] = short_form[*p++];
		} else {
			p += put_special(out, p, end);
		}
	}
	buf_putc(out, '"');
}

void
jw_init(struct json_writer *w, struct buf *out)
{
	w->out = out;
	w->comma = false;
}

/* A value comes: the comma before it, and one before what follows it. */
static void
separate(struct json_writer *w)
{
	if (w->comma)
		buf_putc(w->out, ',');
	w->comma = true;
}

static void
begin(struct json_writer *w, char c)
{
	separate(w);
	buf_putc(w->out, c);
	w->comma = false;
}

static void
end(struct json_writer *w, char c)
{
	buf_putc(w->out, c);
	w->comma = true;
}

void
jw_object(struct json_writer *w)
{
	begin(w, '{');
}

void
jw_end_object(struct json_writer *w)
{
	end(w, '}');
}

void
jw_array(struct json_writer *w)
{
	begin(w, '[');
}

void
jw_end_array(struct json_writer *w)
{
	end(w, ']');
}

void
jw_key(struct json_writer *w, const char *key)
{
	separate(w);
	json_quote(w->out, key, strlen(key));
	buf_putc(w->out, ':');
	w->comma = false;
}

void
jw_string(struct json_writer *w, const char *s)
{
	jw_stringn(w, s, strlen(s));
}

void
jw_stringn(struct json_writer *w, const char *s, size_t len)
{
	separate(w);
	json_quote(w->out, s, len);
}

void
jw_raw(struct json_writer *w, const char *raw, size_t len)
{
	separate(w);
	buf_put(w->out, raw, len);
}

void
jw_bool(struct json_writer *w, bool b)
{
	separate(w);
	buf_puts(w->out, b ? "true" : "false");
}

void
jw_null(struct json_writer *w)
{
	separate(w);
	buf_puts(w->out, "null");
}

void
jw_int(struct json_writer *w, int64_t n)
{
	char digits[24], *p = digits + sizeof digits;
	uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (n < 0)
		*--p = '-';
	separate(w);
	buf_put(w->out, p, (size_t)(digits + sizeof digits - p));
}

void
jw_double(struct json_writer *w, double d)
{
	char text[40], *p;
	int precision, len;

	if (!isfinite(d)) {
		jw_null(w);
		return;
	}
	/* Fifteen digits always survive, and %g drops zeros at the end. */
	precision = fabs(d) < DBL_MIN ? 1 : 15;
	do
		len = snprintf(text, sizeof text, "%.*g", precision, d);
	while (++precision <= 17 && strtod(text, NULL) != d);
	for (p = text; *p != '\0'; p++)
		if (strchr("0123456789+-e", *p) == NULL)
			*p = '.'; /* the locale's sign, if it has another */
	separate(w);
	buf_put(w->out, text, (size_t)len);
}
