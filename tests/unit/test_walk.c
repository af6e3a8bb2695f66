/* The walk over FastCGI records, and the gathering of requests above it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/base/limits.h"
#include "app/intake.h"
#include "tests/unit/webserver.h"

/* One letter for each thing told, with type and id. */
static void
walk_story(struct buf *story, struct walk *w, const unsigned char *p, size_t n)
{
	static const char letters[] = {
		[WALK_BODY] = 'B',
		[WALK_DATA] = 'D',
		[WALK_EOF] = 'E',
		[WALK_OTHER] = 'O',
		[WALK_BAD] = '!',
	};
	enum walk_says says;

	while ((says = walk_next(w, &p, &n)) != WALK_MORE) {
		if (says == WALK_DATA)
			buf_put(story, w->data, w->len);
		else
			buf_printf(story, "%c%u.%u ", letters[says], w->type,
			    w->id);
		if (says == WALK_BAD)
			return;
	}
	assert_int_equal(n, 0);
}

#define BYTES(s) s, sizeof(s) - 1

static const struct {
	enum walk_side side;
	const char *bytes;
	size_t len;
	const char *story;
} stories[] = {
	{ WALK_SERVER, BYTES("\1\1\0\7\0\10\0\0\0\1\1\0\0\0\0\0"), "B1.7 " },
	{ WALK_SERVER, BYTES("\1\1\0\7\0\10\3\0\0\1\1\0\0\0\0\0xyz"), "B1.7 " },
	{ WALK_SERVER, BYTES("\1\1\0\7\0\10\3\0\0\1\1\0\0\0\0\0xy"), "" },
	{ WALK_SERVER, BYTES("\1\5\1\2\0\3\0\0abc"), "abc" },
	{ WALK_SERVER, BYTES("\1\5\1\2\0\3\1\0abcx\1\5\1\2\0\0\0\0"),
	    "abcE5.258 " },
	{ WALK_SERVER, BYTES("\1\4\0\1\0\0\0\0\1\2\0\1\0\0\0\0"),
	    "E4.1 O2.1 " },
	{ WALK_SERVER, BYTES("\1\11\0\0\0\2\1\0ab."), "O9.0 " },
	{ WALK_SERVER, BYTES("\1\310\0\0\0\0\0\0"), "O200.0 " },
	{ WALK_SERVER, BYTES("\1\310\0\1\0\0\0\0"), "!200.1 " },
	{ WALK_SERVER, BYTES("\2\5\0\1\0\0\0\0"), "!0.0 " },
	{ WALK_SERVER, BYTES("\1\1\0\7\0\11\0\0\0\1\1\0\0\0\0\0\0"), "!1.7 " },
	{ WALK_SERVER, BYTES("\1\4\0\0\0\1\0\0x"), "!4.0 " },
	{ WALK_SERVER, BYTES("\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"), "!3.1 " },
	{ WALK_RESPONDER, BYTES("\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"), "B3.1 " },
	{ WALK_RESPONDER, BYTES("\1\6\0\1\0\1\0\0x\1\7\0\1\0\1\0\0y"), "xy" },
	{ WALK_RESPONDER, BYTES("\1\5\0\1\0\1\0\0x"), "!5.1 " },
	{ WALK_RESPONDER, BYTES("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"), "!1.1 " },
	{ WALK_RESPONDER, BYTES("\1\12\0\0\0\1\0\0x"), "O10.0 " },
};

static void
test_stories(void **state)
{
	const unsigned char *p;
	struct buf story;
	struct walk w;
	size_t i, cut, end;

	(void)state;
	for (i = 0; i < sizeof stories / sizeof *stories; i++) {
		for (cut = 0; cut <= stories[i].len; cut++) {
			p = (const unsigned char *)stories[i].bytes;
			buf_init(&story, 4096);
			walk_init(&w, stories[i].side);
			walk_story(&story, &w, p, cut);
			walk_story(&story, &w, p + cut, stories[i].len - cut);
			buf_putc(&story, '\0');
			/* What is bad stays bad: it may be told twice. */
			end = strcspn(story.data, "!");
			assert_int_equal(end, strcspn(stories[i].story, "!"));
			assert_memory_equal(story.data, stories[i].story, end);
			assert_int_equal(w.bad,
			    strchr(stories[i].story, '!') != NULL);
			buf_free(&story);
		}
	}
}

/* A long stream, cut anywhere, tells the same. */
static void
test_splits(void **state)
{
	struct buf wire, want, got;
	struct walk w;
	char text[3000];
	size_t i, k, round;

	(void)state;
	srand(815);
	for (i = 0; i < sizeof text; i++)
		text[i] = (char)rand();
	buf_init(&wire, MIB(1));
	buf_init(&want, MIB(1));
	ws_begin(&wire, 3, true);
	for (i = 0; i < 40; i++)
		ws_record(&wire, i % 2 ? RECORD_STDIN : RECORD_PARAMS, 3, text,
		    (size_t)rand() % sizeof text + 1, (unsigned)rand() % 256);
	ws_record(&wire, RECORD_STDIN, 3, NULL, 0, 255);
	walk_init(&w, WALK_SERVER);
	walk_story(&want, &w, (unsigned char *)wire.data, wire.len);
	assert_true(walk_between(&w));
	for (round = 0; round < 300; round++) {
		buf_init(&got, MIB(1));
		walk_init(&w, WALK_SERVER);
		for (i = 0; i < wire.len; i += k) {
			k = (size_t)rand() % (round + 1) + 1;
			if (k > wire.len - i)
				k = wire.len - i;
			walk_story(&got, &w, (unsigned char *)wire.data + i, k);
		}
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.data, want.data, want.len);
		buf_free(&got);
	}
	buf_free(&wire);
	buf_free(&want);
}

static void
test_head(void **state)
{
	unsigned char head[RECORD_HEAD];

	(void)state;
	record_head(head, RECORD_STDOUT, 0x1234, 0xfedc);
	assert_memory_equal(head, "\1\6\x12\x34\xfe\xdc\0\0", 8);
}

static const struct {
	const char *bytes;
	size_t len;
	unsigned max;
	size_t whole; /* SIZE_MAX: not to be taken */
	bool all;
} pairs[] = {
	{ BYTES("\1\1Ab"), 9, 4, true },
	{ BYTES("\1\0A"), 9, 3, true },
	{ BYTES("\1\1Ab\1\1C"), 9, 4, false },
	{ BYTES("\1\1Ab\1\1Cd"), 1, 4, false },
	{ BYTES("\1\1Ab\1"), 9, 4, false },
	{ BYTES("\200\0\0\1\200\0\0\1Ab"), 9, 10, true },
	{ BYTES("\200\0\0\1\200\0\0\2Ab"), 9, 0, false },
	{ BYTES("\377\377\377\377\377\377\377\377A"), 9, 0, false },
	{ BYTES("\1\377\377\377\377A"), 9, 0, false },
	{ BYTES("\1\200\0\0"), 9, 0, false },
	{ BYTES("\0\1b"), 9, SIZE_MAX, false },
	{ BYTES("\2\1A=b"), 9, SIZE_MAX, false },
	{ BYTES("\1\2Ab\0"), 9, SIZE_MAX, false },
	{ BYTES("\1\1Ab\1\2A\0b"), 9, SIZE_MAX, false },
	{ BYTES("\1\3Aa=b"), 9, 6, true },
};

static void
test_pairs(void **state)
{
	size_t i, whole;
	bool all;

	(void)state;
	for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		all = false;
		whole = params_whole((const unsigned char *)pairs[i].bytes,
		    pairs[i].len, pairs[i].max, &all);
		assert_int_equal(whole, pairs[i].whole);
		assert_int_equal(all, pairs[i].all);
	}
}

/* Feed all of b in steps; what the intake says at last, but "more". */
static enum intake_says
feed(struct intake *in, const struct buf *b, size_t step)
{
	const unsigned char *p = (const unsigned char *)b->data;
	enum intake_says says, last = INTAKE_MORE;
	size_t left = b->len, n, had;

	while (left > 0) {
		n = had = left < step ? left : step;
		says = intake_feed(in, &p, &n);
		left -= had - n;
		if (says != INTAKE_MORE)
			last = says;
		if (says == INTAKE_BAD || says == INTAKE_SECOND)
			break;
	}
	return last;
}

static void
test_intake(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 7, 8, 9, 100, 1 << 20 };
	struct intake in;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, MIB(1));
	ws_request(&b, 5, true, "/x", "hello", 5);
	for (i = 0; i < sizeof steps / sizeof *steps; i++) {
		intake_init(&in);
		assert_true(intake_idle(&in));
		assert_int_equal(feed(&in, &b, steps[i]), INTAKE_READY);
		assert_false(intake_idle(&in));
		assert_int_equal(in.phase, INTAKE_DONE);
		assert_int_equal(in.id, 5);
		assert_true(in.keep);
		assert_int_equal(in.refused, ERR_OK);
		assert_int_equal(in.body.len, 5);
		assert_memory_equal(in.body.data, "hello", 5);
		assert_int_equal(feed(&in, &b, 1 << 20), INTAKE_SECOND);
		assert_int_equal(intake_next(&in), INTAKE_MORE);
		assert_int_equal(in.phase, INTAKE_PARAMS);
		intake_free(&in);
	}
	buf_free(&b);
}

/* A stream of one request in records of one byte stays within its bound. */
static void
test_intake_bounds(void **state)
{
	char *large = calloc(1, LIMIT_BODY + 1);
	struct intake in;
	struct buf b;

	(void)state;
	buf_init(&b, MIB(64));
	ws_request(&b, 1, false, "/x", large, LIMIT_BODY);
	intake_init(&in);
	assert_int_equal(feed(&in, &b, 60000), INTAKE_READY);
	assert_int_equal(in.refused, ERR_OK);
	assert_int_equal(in.body.len, LIMIT_BODY);
	intake_free(&in);
	buf_clear(&b);
	ws_request(&b, 1, false, "/x", large, LIMIT_BODY + 1);
	intake_init(&in);
	assert_int_equal(feed(&in, &b, 60000), INTAKE_READY);
	assert_int_equal(in.refused, ERR_TOO_LARGE);
	assert_int_equal(in.body.len, 0);
	assert_int_equal(in.phase, INTAKE_DONE);
	intake_free(&in);
	buf_free(&b);
	free(large);
}

/* Late records of an ended request, and what belongs to nobody. */
static void
test_intake_late(void **state)
{
	struct intake in;
	struct buf b;

	(void)state;
	buf_init(&b, MIB(1));
	intake_init(&in);
	ws_record(&b, RECORD_STDIN, 1, "late", 4, 4);
	ws_record(&b, RECORD_ABORT, 1, NULL, 0, 0);
	assert_int_equal(feed(&in, &b, 5), INTAKE_MORE);
	assert_true(intake_idle(&in));
	buf_clear(&b);
	ws_request(&b, 1, true, "/x", "hello", 5);
	b.len -= 8;
	assert_int_equal(feed(&in, &b, 5), INTAKE_MORE);
	buf_clear(&b);
	ws_record(&b, RECORD_ABORT, 2, NULL, 0, 0);
	ws_record(&b, RECORD_STDIN, 2, "foreign", 7, 1);
	assert_int_equal(feed(&in, &b, 5), INTAKE_MORE);
	assert_int_equal(in.body.len, 5);
	buf_clear(&b);
	ws_record(&b, RECORD_ABORT, 1, NULL, 0, 0);
	assert_int_equal(feed(&in, &b, 5), INTAKE_ABORTED);
	intake_free(&in);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_intake),
		cmocka_unit_test(test_intake_bounds),
		cmocka_unit_test(test_intake_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
