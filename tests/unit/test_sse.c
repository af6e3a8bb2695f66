/* The event-stream parser, whole and cut at every place. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/limits.h"
#include "app/base/sse.h"
#include "tests/unit/alloc.h"

#define S(text) text, sizeof text - 1
#define FFFD "\xef\xbf\xbd"

/* What came, in one line: [name|data], and the error if any. */
struct log {
	struct buf text;
	size_t events, stop_at;
};

static enum err
note(void *arg, const struct sse_event *ev)
{
	struct log *log = arg;

	buf_puts(&log->text, "[");
	buf_puts(&log->text, ev->name);
	buf_puts(&log->text, "|");
	buf_put(&log->text, ev->data, ev->len);
	buf_puts(&log->text, "]");
	return ++log->events == log->stop_at ? ERR_CLIENT_GONE : ERR_OK;
}

/* Feed a copy, so that reading beyond it shows. */
static enum err
feed(struct sse *s, const char *p, size_t n, struct log *log)
{
	char *copy = malloc(n == 0 ? 1 : n);
	enum err err;

	assert_non_null(copy);
	memcpy(copy, p, n);
	err = sse_feed(s, copy, n, note, log);
	free(copy);
	return err;
}

/* One run with cuts at a and b; the log ends in the error and comments. */
static void
run(struct log *log, const char *p, size_t n, size_t max, size_t a, size_t b)
{
	struct sse s;
	enum err err;

	buf_clear(&log->text);
	log->events = 0;
	sse_init(&s, max);
	err = feed(&s, p, a, log);
	if (err == ERR_OK)
		err = feed(&s, p + a, b - a, log);
	if (err == ERR_OK)
		err = feed(&s, p + b, n - b, log);
	if (err == ERR_OK)
		err = sse_end(&s, note, log);
	buf_printf(&log->text, "%s %llu", err_row(err)->label,
	    (unsigned long long)s.comments);
	sse_free(&s);
}

struct stream {
	const char *bytes;
	size_t len, max;
	const char *want;
};

static const struct stream streams[] = {
	{ S(""), 100, "OK 0" },
	{ S("\n\n\n"), 100, "OK 0" },
	{ S("data: a\n\n"), 100, "[|a]OK 0" },
	{ S("data: a\r\n\r\n"), 100, "[|a]OK 0" },
	{ S("data: a\r\r"), 100, "[|a]OK 0" },
	{ S("data: a\n\r\ndata: b\r\n\rdata: c\r\n\n"), 100,
	    "[|a][|b][|c]OK 0" },
	{ S("data: a\r\rdata: b\r\rdata: c"), 100, "[|a][|b][|c]OK 0" },
	{ S("data:a\n\ndata:  b\n\ndata:\tc\n\n"), 100,
	    "[|a][| b][|\tc]OK 0" },
	{ S("data: a\ndata: b\ndata:c\n\n"), 100, "[|a\nb\nc]OK 0" },
	{ S("data\n\n"), 100, "[|]OK 0" },
	{ S("data:\n\n"), 100, "[|]OK 0" },
	{ S("data\ndata\n\n"), 100, "[|\n]OK 0" },
	{ S("data:\r\ndata: x\r\ndata:\r\n\r\n"), 100, "[|\nx\n]OK 0" },
	{ S("\xef\xbb\xbf" "data: a\n\ndata: b\n\n"), 100, "[|a][|b]OK 0" },
	{ S("\xef\xbb\xbf\xef\xbb\xbf" "data: a\n\ndata: b\n\n"), 100,
	    "[|b]OK 0" },
	{ S("\n\xef\xbb\xbf" "data: a\n\n"), 100, "OK 0" },
	{ S("\xef\xbb\xbf\n\ndata: a\n\n"), 100, "[|a]OK 0" },
	{ S("\xef\xbb"), 100, "OK 0" },
	{ S("data: \xef\xbb\xbf" "a\n\n"), 100, "[|\xef\xbb\xbf" "a]OK 0" },
	{ S(": comment\n\ndata: a\n:\n: b\ndata: c\n\n:x"), 100,
	    "[|a\nc]OK 4" },
	{ S("event: ping\ndata: {}\n\n"), 100, "[ping|{}]OK 0" },
	{ S("data: {}\nevent: late\n\ndata: b\n\n"), 100,
	    "[late|{}][|b]OK 0" },
	{ S("event: alone\n\ndata: b\n\n"), 100, "[|b]OK 0" },
	{ S("event: a\nevent: b\ndata: c\n\n"), 100, "[b|c]OK 0" },
	{ S("event\ndata: c\n\n"), 100, "[|c]OK 0" },
	{ S("event: a\nevent:\ndata: c\n\n"), 100, "[|c]OK 0" },
	{ S("id: 7\nretry: 100\nfoo: bar\nDATA: x\ndata : y\n data: z\n\n"),
	    100, "OK 0" },
	{ S("id: 7\ndata: a:b: c\n\n"), 100, "[|a:b: c]OK 0" },
	{ S("data: a"), 100, "[|a]OK 0" },
	{ S("data: a\n"), 100, "[|a]OK 0" },
	{ S("data: a\r"), 100, "[|a]OK 0" },
	{ S("data: a\n\ndata: [DONE]"), 100, "[|a][|[DONE]]OK 0" },
	{ S("data: a\ndata"), 100, "[|a\n]OK 0" },
	{ S("data: \xe2\x82\xac\xf0\x9f\x98\x80\n\n"), 100,
	    "[|\xe2\x82\xac\xf0\x9f\x98\x80]OK 0" },
	{ S("data: \xff\n\n"), 100, "[|" FFFD "]OK 0" },
	{ S("data: a\xe2\x82\nb\n\n"), 100, "[|a" FFFD "]OK 0" },
	{ S("data: \xe2\x82\xe2\x82\xac\n\n"), 100,
	    "[|" FFFD "\xe2\x82\xac]OK 0" },
	{ S("data: \xf0\x9f\x98\n\n"), 100, "[|" FFFD "]OK 0" },
	{ S("data: \xf0\x80\x80\n\n"), 100, "[|" FFFD FFFD FFFD "]OK 0" },
	{ S("data: \xed\xa0\x80x\n\n"), 100, "[|" FFFD FFFD FFFD "x]OK 0" },
	{ S("data: \xc0\xaf\n\n"), 100, "[|" FFFD FFFD "]OK 0" },
	{ S("data: \xf4\x90\x80\x80\n\n"), 100,
	    "[|" FFFD FFFD FFFD FFFD "]OK 0" },
	{ S("data: a\0b\0\n\n"), 100, "[|a" FFFD "b" FFFD "]OK 0" },
	{ S("da\0ta: a\n\n"), 100, "OK 0" },
	{ S("event: a\0b\xff\ndata: c\n\n"), 100, "[a" FFFD "b" FFFD "|c]OK 0" },
	{ S("event: 0123456789012345678901234567890123456789012345678901234567"
	    "89012345\ndata: c\n\n"), 100, "[01234567890123456789012345678901"
	    "2345678901234567890123456789012|c]OK 0" },
	{ S("event: 0123456789012345678901234567890123456789012345678901234567"
	    "89\xe2\x82\xac" "x\ndata: c\n\n"), 100, "[0123456789012345678901"
	    "23456789012345678901234567890123456789\xe2\x82\xac|c]OK 0" },
	{ S("event: 0123456789012345678901234567890123456789012345678901234567"
	    "890\xe2\x82\xac" "x\ndata: c\n\n"), 100, "[0123456789012345678901"
	    "234567890123456789012345678901234567890|c]OK 0" },
	{ S("event: 0123456789012345678901234567890123456789012345678901234567"
	    "890\xff" "x\ndata: c\n\n"), 100, "[0123456789012345678901"
	    "234567890123456789012345678901234567890|c]OK 0" },
	/* Bounds: the line, and the joined data. */
	{ S("data: 1234\n\n"), 10, "[|1234]OK 0" },
	{ S("data: 12345\n\n"), 10, "BAD_UPSTREAM 0" },
	{ S("data: 12345"), 10, "BAD_UPSTREAM 0" },
	{ S("data: a\n\n:123456789\n\n:1234567890\n"), 10,
	    "[|a]BAD_UPSTREAM 1" },
	{ S("data:1234\ndata:56789\n\n"), 10, "[|1234\n56789]OK 0" },
	{ S("data:1234\ndata:56789\ndata\n\n"), 10, "BAD_UPSTREAM 0" },
	{ S("data:\xff\xff\xff\n\n"), 10,
	    "[|" FFFD FFFD FFFD "]OK 0" },
	{ S("data:\xff\xff\xff\xff\n\n"), 10, "BAD_UPSTREAM 0" },
	{ S("data:\ndata:\ndata:\ndata:\ndata:\ndata:\ndata:\ndata:\ndata:\n"
	    "data:\ndata:\n\n"), 10, "[|\n\n\n\n\n\n\n\n\n\n]OK 0" },
};

static void
parses_streams(void **state)
{
	struct log log = { .stop_at = 0 };
	const struct stream *t;
	size_t i;

	(void)state;
	buf_init(&log.text, KIB(64));
	for (i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		t = &streams[i];
		run(&log, t->bytes, t->len, t->max, t->len, t->len);
		if (log.text.len != strlen(t->want) ||
		    memcmp(log.text.data, t->want, log.text.len) != 0)
			fail_msg("row %zu: %.*s, not %s", i,
			    (int)log.text.len, log.text.data, t->want);
	}
	buf_free(&log.text);
}

/* Two cuts everywhere, also at the same place (an empty feed). */
static void
cuts_change_nothing(void **state)
{
	struct log log = { .stop_at = 0 };
	const struct stream *t;
	size_t i, a, b;

	(void)state;
	buf_init(&log.text, KIB(64));
	for (i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		t = &streams[i];
		for (a = 0; a <= t->len; a++)
			for (b = a; b <= t->len; b++) {
				run(&log, t->bytes, t->len, t->max, a, b);
				if (log.text.len != strlen(t->want) ||
				    memcmp(log.text.data, t->want,
				    log.text.len) != 0)
					fail_msg("row %zu at %zu, %zu: %.*s",
					    i, a, b, (int)log.text.len,
					    log.text.data);
			}
	}
	buf_free(&log.text);
}

static void
feeds_byte_by_byte(void **state)
{
	struct log log = { .stop_at = 0 };
	const struct stream *t;
	struct sse s;
	enum err err;
	size_t i, k;

	(void)state;
	buf_init(&log.text, KIB(64));
	for (i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		t = &streams[i];
		buf_clear(&log.text);
		sse_init(&s, t->max);
		for (k = 0, err = ERR_OK; k < t->len && err == ERR_OK; k++)
			err = feed(&s, t->bytes + k, 1, &log);
		if (err == ERR_OK)
			err = sse_end(&s, note, &log);
		buf_printf(&log.text, "%s %llu", err_row(err)->label,
		    (unsigned long long)s.comments);
		assert_int_equal(log.text.len, strlen(t->want));
		assert_memory_equal(log.text.data, t->want, log.text.len);
		sse_free(&s);
	}
	buf_free(&log.text);
}

/* An error of the callback ends the feed at once. */
static void
stops_when_told(void **state)
{
	static const char text[] = "data: a\n\ndata: b\n\ndata: c";
	struct log log = { .stop_at = 2 };
	struct sse s;

	(void)state;
	buf_init(&log.text, KIB(64));
	sse_init(&s, 100);
	assert_int_equal(feed(&s, S(text), &log), ERR_CLIENT_GONE);
	assert_int_equal(log.events, 2);
	sse_free(&s);
	log.stop_at = 3;
	log.events = 0;
	sse_init(&s, 100);
	assert_int_equal(feed(&s, S(text), &log), ERR_OK);
	assert_int_equal(sse_end(&s, note, &log), ERR_CLIENT_GONE);
	assert_int_equal(log.events, 3);
	sse_free(&s);
	buf_free(&log.text);
}

/* The bound of the house, to the byte, in pieces as curl gives them. */
static void
takes_large_events(void **state)
{
	struct log log = { .stop_at = 0 };
	char piece[1000];
	struct sse s;
	enum err err;
	size_t n, over;

	(void)state;
	memset(piece, 'x', sizeof piece);
	for (over = 0; over < 2; over++) {
		buf_init(&log.text, 2 * LIMIT_EVENT);
		log.events = 0;
		sse_init(&s, LIMIT_EVENT);
		err = sse_feed(&s, "data:", 5, note, &log);
		for (n = 5; n < LIMIT_EVENT && err == ERR_OK; ) {
			size_t k = LIMIT_EVENT - n < sizeof piece ?
			    LIMIT_EVENT - n : sizeof piece;

			err = sse_feed(&s, piece, k, note, &log);
			n += k;
		}
		assert_int_equal(err, ERR_OK);
		err = sse_feed(&s, over ? "x\n\n" : "\n\n", over ? 3 : 2,
		    note, &log);
		assert_int_equal(err, over ? ERR_BAD_UPSTREAM : ERR_OK);
		assert_int_equal(log.events, !over);
		if (!over)
			assert_int_equal(log.text.len, LIMIT_EVENT - 5 + 3);
		sse_free(&s);
		buf_free(&log.text);
	}
}

static enum err
ignore(void *arg, const struct sse_event *ev)
{
	*(size_t *)arg += ev->len;
	return ERR_OK;
}

static void
survives_lack_of_memory(void **state)
{
	static const char text[] = "data: abc\ndata: def\n\ndata: ghi";
	size_t k, got, n = sizeof text - 1;
	struct sse s;
	enum err err;

	(void)state;
	for (k = 1;; k++) {
		got = 0;
		sse_init(&s, 1000);
		alloc_fail(k);
		err = sse_feed(&s, text, 13, ignore, &got);
		if (err == ERR_OK)
			err = sse_feed(&s, text + 13, n - 13, ignore, &got);
		if (err == ERR_OK)
			err = sse_end(&s, ignore, &got);
		sse_free(&s);
		if (!alloc_failed())
			break;
		assert_int_equal(err, ERR_INTERNAL);
	}
	alloc_fail(0);
	assert_int_equal(err, ERR_OK);
	assert_int_equal(got, 7 + 3);
	assert_true(k > 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_streams),
		cmocka_unit_test(cuts_change_nothing),
		cmocka_unit_test(feeds_byte_by_byte),
		cmocka_unit_test(stops_when_told),
		cmocka_unit_test(takes_large_events),
		cmocka_unit_test(survives_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
