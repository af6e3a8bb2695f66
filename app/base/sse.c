/*
 * The event-stream parser: whole lines are looked at where they lie, cut
 * ones are kept until they are whole. Knows no field but event and data.
 */
#include "app/base/sse.h"

#include <string.h>

#include "app/base/scan.h"

#define REPLACEMENT "\xef\xbf\xbd"

void
sse_init(struct sse *s, size_t max)
{
	memset(s, 0, sizeof *s);
	buf_init(&s->line, max);
	buf_init(&s->data, max);
}

void
sse_free(struct sse *s)
{
	buf_free(&s->line);
	buf_free(&s->data);
}

/* Append n bytes, or say why not: over the bound, or out of memory. */
static enum err
keep(struct buf *b, const void *p, size_t n)
{
	if (n > b->max - b->len)
		return ERR_BAD_UPSTREAM;
	buf_put(b, p, n);
	return b->failed ? ERR_INTERNAL : ERR_OK;
}

/* Where text that is valid UTF-8 without NUL ends. */
static const unsigned char *
clean(const unsigned char *p, const unsigned char *end)
{
	const unsigned char *from;

	do {
		from = p;
		p = scan_utf8(scan_ascii(p, end), end);
	} while (p > from && p < end);
	return p;
}

/* Append text, malformed UTF-8 and NUL replaced. */
static enum err
keep_clean(struct buf *b, const unsigned char *p, const unsigned char *end)
{
	const unsigned char *stop;
	enum err err;

	for (;;) {
		stop = clean(p, end);
		err = keep(b, p, (size_t)(stop - p));
		if (err != ERR_OK || stop == end)
			return err;
		err = keep(b, REPLACEMENT, strlen(REPLACEMENT));
		if (err != ERR_OK)
			return err;
		p = stop + (*stop == '\0' ? 1 : scan_malformed(stop, end));
	}
}

/* The field "event": as much as fits, cut between characters. */
static void
keep_name(struct sse *s, const unsigned char *p, const unsigned char *end)
{
	size_t n = 0, len, room;

	while (p < end) {
		room = sizeof s->name - 1 - n;
		len = (size_t)(clean(p, end) - p);
		if (len > room)
			for (len = room; (p[len] & 0xc0) == 0x80; len--)
				;
		memcpy(s->name + n, p, len);
		n += len;
		p += len;
		room -= len;
		if (p == end || room < strlen(REPLACEMENT) ||
		    clean(p, end) > p)
			break;
		memcpy(s->name + n, REPLACEMENT, strlen(REPLACEMENT));
		n += strlen(REPLACEMENT);
		p += *p == '\0' ? 1 : scan_malformed(p, end);
	}
	s->name[n] = '\0';
}

static enum err
deliver(struct sse *s, sse_fn *fn, void *arg)
{
	struct sse_event ev = { .name = s->name, .data = s->data.data,
		.len = s->data.len };
	enum err err = ERR_OK;

	if (ev.data == NULL)
		ev.data = "";
	if (s->has_data)
		err = fn(arg, &ev);
	s->has_data = false;
	s->name[0] = '\0';
	buf_clear(&s->data);
	return err;
}

static enum err
data_line(struct sse *s, const unsigned char *p, const unsigned char *end)
{
	enum err err = ERR_OK;

	if (s->has_data)
		err = keep(&s->data, "\n", 1);
	s->has_data = true;
	return err != ERR_OK ? err : keep_clean(&s->data, p, end);
}

/* One line without its end. */
static enum err
line(struct sse *s, const unsigned char *p, const unsigned char *end,
    sse_fn *fn, void *arg)
{
	const unsigned char *colon, *value;
	size_t n;

	if (!s->started && end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	s->started = true;
	if (p == end)
		return deliver(s, fn, arg);
	colon = memchr(p, ':', (size_t)(end - p));
	if (colon == p) {
		s->comments++;
		return ERR_OK;
	}
	value = colon == NULL ? end : colon + 1;
	if (value < end && *value == ' ')
		value++;
	n = (size_t)((colon == NULL ? end : colon) - p);
	if (n == 4 && memcmp(p, "data", 4) == 0)
		return data_line(s, value, end);
	if (n == 5 && memcmp(p, "event", 5) == 0)
		keep_name(s, value, end);
	return ERR_OK;
}

/* A line ends at `end`: what was kept of it, and from p on. */
static enum err
whole_line(struct sse *s, const unsigned char *p, const unsigned char *end,
    sse_fn *fn, void *arg)
{
	enum err err;

	if ((size_t)(end - p) > s->line.max - s->line.len)
		return ERR_BAD_UPSTREAM;
	if (s->line.len == 0)
		return line(s, p, end, fn, arg);
	err = keep(&s->line, p, (size_t)(end - p));
	if (err != ERR_OK)
		return err;
	p = (const unsigned char *)s->line.data;
	err = line(s, p, p + s->line.len, fn, arg);
	buf_clear(&s->line);
	return err;
}

enum err
sse_feed(struct sse *s, const char *bytes, size_t len, sse_fn *fn, void *arg)
{
	const unsigned char *p = (const unsigned char *)bytes, *end = p + len;
	const unsigned char *stop;
	enum err err;

	while (p < end) {
		if (s->cr && *p == '\n')
			p++;
		s->cr = false;
		stop = scan_line(p, end);
		if (stop == end)
			return keep(&s->line, p, (size_t)(end - p));
		err = whole_line(s, p, stop, fn, arg);
		if (err != ERR_OK)
			return err;
		s->cr = *stop == '\r';
		p = stop + 1;
	}
	return ERR_OK;
}

enum err
sse_end(struct sse *s, sse_fn *fn, void *arg)
{
	const unsigned char *none = (const unsigned char *)"";
	enum err err = ERR_OK;

	if (s->line.len > 0)
		err = whole_line(s, none, none, fn, arg);
	return err != ERR_OK ? err : deliver(s, fn, arg);
}
