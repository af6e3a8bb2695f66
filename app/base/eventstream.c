/* Amazon's event stream. Knows nothing of what the messages say. */
#include "app/base/eventstream.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PRELUDE 12 /* two lengths and a CRC */
#define TRAILER 4  /* a CRC */
#define NAME_SIZE 64

/* CRC-32 of zlib, four bits at a time: crc goes on from what it was. */
static uint32_t
crc32(uint32_t crc, const char *p, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	crc = ~crc;
	while (n-- > 0) {
		crc ^= (unsigned char)*p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static uint32_t
number(const char *p, size_t bytes)
{
	uint32_t n = 0;

	while (bytes-- > 0)
		n = n << 8 | (unsigned char)*p++;
	return n;
}

/* The length of the message that begins so, 0 = it cannot be one. */
static size_t
message_length(const char *p, size_t max)
{
	uint32_t total = number(p, 4), headers = number(p + 4, 4);

	if (number(p + 8, 4) != crc32(0, p, 8) || total > max ||
	    total < PRELUDE + TRAILER || headers > total - PRELUDE - TRAILER)
		return 0;
	return total;
}

/* A header's value; p NULL for types that are no text. */
struct value {
	const char *p;
	size_t len;
};

/*
 * Bytes of a value by its type: true, false, 8, 16, 32 and 64 bits, bytes,
 * text, time, UUID. Bytes and text have a length of two bytes before them.
 */
#define WITH_LENGTH (-1)
#define TYPE_TEXT 7
static const int sizes[] = { 0, 0, 1, 2, 4, 8, WITH_LENGTH, WITH_LENGTH, 8,
	16 };

/* The value at *p, which moves on; false when it is cut off or unknown. */
static bool
read_value(const char **p, const char *end, struct value *v)
{
	size_t type, n;

	if (*p == end)
		return false;
	type = (unsigned char)*(*p)++;
	if (type >= sizeof sizes / sizeof sizes[0])
		return false;
	n = (size_t)sizes[type];
	if (sizes[type] == WITH_LENGTH) {
		if (end - *p < 2)
			return false;
		n = number(*p, 2);
		*p += 2;
	}
	if ((size_t)(end - *p) < n)
		return false;
	*v = (struct value){ type == TYPE_TEXT ? *p : NULL, n };
	*p += n;
	return true;
}

/* What of the headers tells the kind of message. */
enum known { MESSAGE_TYPE, EVENT_TYPE, EXCEPTION_TYPE, ERROR_CODE,
	ERROR_MESSAGE, KNOWN };

static const char *const names[KNOWN] = { ":message-type", ":event-type",
	":exception-type", ":error-code", ":error-message" };

static bool
read_headers(const char *p, const char *end, struct value v[KNOWN])
{
	struct value one;
	const char *name;
	size_t len, i;

	while (p < end) {
		len = (unsigned char)*p++;
		if (len == 0 || (size_t)(end - p) < len)
			return false;
		name = p;
		p += len;
		if (!read_value(&p, end, &one))
			return false;
		for (i = 0; i < KNOWN; i++)
			if (len == strlen(names[i]) &&
			    memcmp(name, names[i], len) == 0)
				v[i] = one;
	}
	return true;
}

static bool
is(const struct value *v, const char *word)
{
	return v->p != NULL && v->len == strlen(word) &&
	    memcmp(v->p, word, v->len) == 0;
}

/* A C string of a header; control characters and bytes above 7 bits are '?'. */
static void
copy_name(char out[NAME_SIZE], const struct value *v)
{
	size_t i, n = v->p == NULL ? 0 : v->len;

	if (n > NAME_SIZE - 1)
		n = NAME_SIZE - 1;
	for (i = 0; i < n; i++)
		out[i] = v->p[i] > 0x20 && v->p[i] < 0x7f ? v->p[i] : '?';
	out[n] = '\0';
}

/* One whole message. */
static enum err
deliver(const char *p, size_t total, sse_fn *fn, void *arg)
{
	size_t headers = number(p + 4, 4);
	const char *payload = p + PRELUDE + headers;
	const char *end = p + total - TRAILER;
	struct sse_event ev = { .data = payload, .failure = true };
	struct value v[KNOWN] = { 0 };
	char name[NAME_SIZE];

	if (number(end, TRAILER) != crc32(0, p, total - TRAILER) ||
	    !read_headers(p + PRELUDE, payload, v))
		return ERR_BAD_UPSTREAM;
	ev.len = (size_t)(end - payload);
	ev.name = name;
	if (is(&v[MESSAGE_TYPE], "exception")) {
		copy_name(name, &v[EXCEPTION_TYPE]);
	} else if (is(&v[MESSAGE_TYPE], "error")) {
		copy_name(name, &v[ERROR_CODE]);
		if (ev.len == 0 && v[ERROR_MESSAGE].p != NULL) {
			ev.data = v[ERROR_MESSAGE].p;
			ev.len = v[ERROR_MESSAGE].len;
		}
	} else {
		ev.failure = false;
		copy_name(name, &v[EVENT_TYPE]);
	}
	return fn(arg, &ev);
}

/* Bring the begun message up to `want` bytes as far as there are some. */
static void
fill(struct buf *part, size_t want, const char **p, size_t *len)
{
	size_t n = want - part->len;

	if (n > *len)
		n = *len;
	buf_put(part, *p, n);
	*p += n;
	*len -= n;
}

/* Go on with the message that was begun before. */
static enum err
begun(struct buf *part, size_t max, const char **p, size_t *len, sse_fn *fn,
    void *arg)
{
	size_t total;
	enum err e;

	if (part->len < PRELUDE)
		fill(part, PRELUDE, p, len);
	if (part->failed)
		return ERR_INTERNAL;
	if (part->len < PRELUDE)
		return ERR_OK;
	total = message_length(part->data, max);
	if (total == 0)
		return ERR_BAD_UPSTREAM;
	fill(part, total, p, len);
	if (part->failed)
		return ERR_INTERNAL;
	if (part->len < total)
		return ERR_OK;
	e = deliver(part->data, total, fn, arg);
	buf_clear(part);
	return e;
}

enum err
eventstream_feed(struct buf *part, size_t max, const char *p, size_t len,
    sse_fn *fn, void *arg)
{
	enum err e = ERR_OK;
	size_t total;

	while (len > 0 && e == ERR_OK) {
		if (part->len > 0 || len < PRELUDE) {
			e = begun(part, max, &p, &len, fn, arg);
			continue;
		}
		total = message_length(p, max);
		if (total == 0)
			return ERR_BAD_UPSTREAM;
		if (len < total) {
			e = begun(part, max, &p, &len, fn, arg);
			continue;
		}
		e = deliver(p, total, fn, arg);
		p += total;
		len -= total;
	}
	return e;
}

enum err
eventstream_end(const struct buf *part)
{
	return part->len == 0 ? ERR_OK : ERR_BAD_UPSTREAM;
}
