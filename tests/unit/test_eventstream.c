/*
 * Amazon's event stream: messages of every kind, every split, every single
 * wrong byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/frames.h"
#include "app/base/limits.h"

static uint32_t
crc_of(const char *p, size_t n)
{
	uint32_t crc = UINT32_MAX;
	int bit;

	while (n-- > 0) {
		crc ^= (unsigned char)*p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

static void
put_number(struct buf *b, uint32_t n, int bytes)
{
	while (bytes-- > 0)
		buf_putc(b, (char)(n >> (bytes * 8)));
}

static void
put_text(struct buf *b, const char *name, const char *value)
{
	buf_putc(b, (char)strlen(name));
	buf_puts(b, name);
	buf_putc(b, 7);
	put_number(b, (uint32_t)strlen(value), 2);
	buf_puts(b, value);
}

/* A message of these header bytes and payload. */
static void
put_message(struct buf *out, const struct buf *headers, const char *payload)
{
	size_t from = out->len;

	put_number(out, (uint32_t)(16 + headers->len + strlen(payload)), 4);
	put_number(out, (uint32_t)headers->len, 4);
	put_number(out, crc_of(out->data + from, 8), 4);
	buf_put(out, headers->data, headers->len);
	buf_puts(out, payload);
	put_number(out, crc_of(out->data + from, out->len - from), 4);
}

static void
put_event(struct buf *out, const char *type, const char *payload)
{
	struct buf h;

	buf_init(&h, 1000);
	put_text(&h, ":event-type", type);
	put_text(&h, ":content-type", "application/json");
	put_text(&h, ":message-type", "event");
	put_message(out, &h, payload);
	buf_free(&h);
}

/* Headers of every type before the ones that count. */
static void
put_all_types(struct buf *out)
{
	static const int sizes[] = { 0, 0, 1, 2, 4, 8, -1, -1, 8, 16 };
	struct buf h;
	int i, k;

	buf_init(&h, 1000);
	for (i = 0; i < 10; i++) {
		buf_putc(&h, 1);
		buf_putc(&h, (char)('a' + i));
		buf_putc(&h, (char)i);
		if (sizes[i] < 0)
			put_number(&h, 3, 2);
		for (k = 0; k < (sizes[i] < 0 ? 3 : sizes[i]); k++)
			buf_putc(&h, (char)(i + k));
	}
	put_text(&h, ":message-type", "exception");
	put_text(&h, ":exception-type", "throttlingException");
	put_message(out, &h, "{\"message\":\"slow down\"}");
	buf_free(&h);
}

static void
put_error(struct buf *out)
{
	struct buf h;

	buf_init(&h, 1000);
	put_text(&h, ":message-type", "error");
	put_text(&h, ":error-code", "Internal\x01" "Error");
	put_text(&h, ":error-message", "it broke");
	put_message(out, &h, "");
	buf_free(&h);
}

static const char all_events[] =
    "[messageStart|{\"role\":\"assistant\"}]"
    "[contentBlockDelta|{\"delta\":{\"text\":\"\xc3\xa9\"}}]"
    "[!throttlingException|{\"message\":\"slow down\"}]"
    "[!Internal?Error|it broke]";

static void
all_bytes(struct buf *out)
{
	buf_init(out, 10000);
	put_event(out, "messageStart", "{\"role\":\"assistant\"}");
	put_event(out, "contentBlockDelta",
	    "{\"delta\":{\"text\":\"\xc3\xa9\"}}");
	put_all_types(out);
	put_error(out);
}

static enum err
note(void *arg, const struct sse_event *ev)
{
	struct buf *log = arg;

	buf_printf(log, "[%s%s|", ev->failure ? "!" : "", ev->name);
	buf_put(log, ev->data, ev->len);
	buf_putc(log, ']');
	return ERR_OK;
}

/* In pieces of `piece` bytes, each a block of its own, the first of `first`. */
static enum err
run(struct buf *log, const char *p, size_t len, size_t first, size_t piece,
    size_t max)
{
	enum err e = ERR_OK;
	struct frames f;
	char *copy;
	size_t n = first;

	buf_init(log, 10000);
	frames_init(&f, FRAMING_EVENTSTREAM, max);
	while (len > 0 && e == ERR_OK) {
		n = n < len ? n : len;
		copy = malloc(n);
		assert_non_null(copy);
		memcpy(copy, p, n);
		e = frames_feed(&f, copy, n, note, log);
		free(copy);
		p += n;
		len -= n;
		n = piece;
	}
	if (e == ERR_OK)
		e = frames_end(&f, note, log);
	frames_free(&f);
	return e;
}

static void
expect(const struct buf *log, const char *want, size_t len)
{
	assert_int_equal(log->len, len);
	assert_memory_equal(log->data, want, len);
}

static void
test_splits(void **state)
{
	struct buf in, log;
	size_t i;

	(void)state;
	all_bytes(&in);
	for (i = 1; i <= in.len; i++) {
		assert_int_equal(run(&log, in.data, in.len, i, in.len,
		    LIMIT_EVENT), ERR_OK);
		expect(&log, all_events, sizeof all_events - 1);
		buf_free(&log);
		assert_int_equal(run(&log, in.data, in.len, i, i,
		    LIMIT_EVENT), ERR_OK);
		expect(&log, all_events, sizeof all_events - 1);
		buf_free(&log);
	}
	buf_free(&in);
}

/* One bit wrong anywhere, or the end anywhere but between messages. */
static void
test_wrong(void **state)
{
	struct buf in, log;
	size_t i, first;

	(void)state;
	all_bytes(&in);
	first = ((size_t)(unsigned char)in.data[2] << 8) +
	    (unsigned char)in.data[3];
	for (i = 0; i < in.len; i++) {
		in.data[i] ^= 0x10;
		assert_int_equal(run(&log, in.data, in.len, 40, 40,
		    LIMIT_EVENT), ERR_BAD_UPSTREAM);
		buf_free(&log);
		in.data[i] ^= 0x10;
	}
	for (i = 1; i < first; i++) {
		assert_int_equal(run(&log, in.data, i, i, i, LIMIT_EVENT),
		    ERR_BAD_UPSTREAM);
		assert_int_equal(log.len, 0);
		buf_free(&log);
	}
	buf_free(&in);
}

static void
put_raw(struct buf *out, const char *headers, size_t n)
{
	struct buf h;

	buf_init(&h, 1000);
	buf_put(&h, headers, n);
	put_message(out, &h, "{}");
	buf_free(&h);
}

/* Right sums around headers that are none. */
static void
test_headers(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum err err;
	} rows[] = {
		{ "", 0, ERR_OK },
		{ "\x01", 1, ERR_BAD_UPSTREAM },
		{ "\x00\x00", 2, ERR_BAD_UPSTREAM },
		{ "\x01" "a", 2, ERR_BAD_UPSTREAM },
		{ "\x01" "a\x00", 3, ERR_OK },
		{ "\x01" "a\x0a", 3, ERR_BAD_UPSTREAM },
		{ "\x01" "a\x07\x00", 4, ERR_BAD_UPSTREAM },
		{ "\x01" "a\x07\x00\x00", 5, ERR_OK },
		{ "\x01" "a\x07\x00\x02x", 6, ERR_BAD_UPSTREAM },
		{ "\x01" "a\x09x", 4, ERR_BAD_UPSTREAM },
		{ "\x0d:message-type\x04\x00\x00\x00\x01", 19, ERR_OK },
	};
	struct buf in, log;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_init(&in, 1000);
		put_raw(&in, rows[i].bytes, rows[i].len);
		assert_int_equal(run(&log, in.data, in.len, in.len, 1,
		    LIMIT_EVENT), rows[i].err);
		if (rows[i].err == ERR_OK)
			expect(&log, "[|{}]", 5);
		buf_free(&log);
		buf_free(&in);
	}
}

/* Lengths with right sums that no message can have, and the bound. */
static void
test_lengths(void **state)
{
	static const uint32_t rows[][2] = { { 15, 0 }, { 0, 0 }, { 16, 1 },
		{ 100, 85 }, { UINT32_MAX, 0 }, { UINT32_MAX, UINT32_MAX },
		{ 65, 0 } };
	struct buf in, log;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_init(&in, 1000);
		put_number(&in, rows[i][0], 4);
		put_number(&in, rows[i][1], 4);
		put_number(&in, crc_of(in.data, 8), 4);
		assert_int_equal(run(&log, in.data, in.len, 12, 1, 64),
		    ERR_BAD_UPSTREAM);
		buf_free(&log);
		assert_int_equal(run(&log, in.data, in.len, 1, 1, 64),
		    ERR_BAD_UPSTREAM);
		buf_free(&log);
		buf_free(&in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
