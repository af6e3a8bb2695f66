/* Framings: events and lines, cut anywhere, with their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/frames.h"

/* What came out, "name|data;" for each event. */
struct seen {
	char text[512];
	enum err answer; /* given to each event */
};

static enum err
note(void *arg, const struct sse_event *ev)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof s->text - n, "%s|%.*s;", ev->name,
	    (int)ev->len, ev->data);
	return s->answer;
}

static enum err
run(enum framing framing, size_t max, const char *in, size_t len, size_t step,
    struct seen *s)
{
	enum err e = ERR_OK;
	struct frames f;
	size_t i, n;

	*s->text = '\0';
	frames_init(&f, framing, max);
	for (i = 0; i < len && e == ERR_OK; i += n) {
		n = len - i < step ? len - i : step;
		e = frames_feed(&f, in + i, n, note, s);
	}
	if (e == ERR_OK)
		e = frames_end(&f, note, s);
	frames_free(&f);
	return e;
}

static const struct {
	enum framing framing;
	const char *in, *out;
} rows[] = {
	{ FRAMING_LINES, "", "" },
	{ FRAMING_LINES, "{\"a\":1}\n{\"b\":2}\n", "|{\"a\":1};|{\"b\":2};" },
	/* CR, blank lines, no end */
	{ FRAMING_LINES, "{\"a\":1}\r\n\r\n \n{\"b\":2}",
	  "|{\"a\":1};|{\"b\":2};" },
	{ FRAMING_LINES, "\n\n\n", "" },
	{ FRAMING_RAW, "", "" },
	{ FRAMING_LINES, "data: x\n", "|data: x;" },
	{ FRAMING_SSE, "event: a\ndata: x\n\ndata: y\n\n", "a|x;|y;" },
	{ FRAMING_SSE, "data: x\r\n\r\ndata: y", "|x;|y;" },
};

static void
cut_anywhere(void **state)
{
	struct seen s = { .answer = ERR_OK };
	size_t i, step, len;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		len = strlen(rows[i].in);
		for (step = 1; step <= len + 1; step++) {
			assert_int_equal(run(rows[i].framing, 100, rows[i].in,
			    len, step, &s), ERR_OK);
			assert_string_equal(s.text, rows[i].out);
		}
	}
}

/* A line of just the bound is taken, one more byte is not. */
static void
bounds(void **state)
{
	struct seen s = { .answer = ERR_OK };
	size_t step;

	(void)state;
	for (step = 1; step <= 12; step++) {
		assert_int_equal(run(FRAMING_LINES, 8, "12345678\n", 9, step,
		    &s), ERR_OK);
		assert_string_equal(s.text, "|12345678;");
		assert_int_equal(run(FRAMING_LINES, 8, "123456789\n", 10,
		    step, &s), ERR_BAD_UPSTREAM);
		assert_string_equal(s.text, "");
		assert_int_equal(run(FRAMING_LINES, 8, "123456789", 9, step,
		    &s), ERR_BAD_UPSTREAM);
	}
}

/* What the reader of an event says stops the feed. */
static void
stops(void **state)
{
	struct seen s = { .answer = ERR_UPSTREAM };
	size_t i, step;

	(void)state;
	for (i = 0; i < 2; i++)
		for (step = 1; step <= 20; step++) {
			assert_int_equal(run(i == 0 ? FRAMING_LINES :
			    FRAMING_SSE, 100, "data: x\n\ndata: y\n\n", 18,
			    step, &s), ERR_UPSTREAM);
			assert_string_equal(s.text, i == 0 ? "|data: x;" :
			    "|x;");
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(bounds),
		cmocka_unit_test(stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
