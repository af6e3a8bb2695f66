/* The writer: exact texts, and that the parser reads back what went in. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/json.h"
#include "app/base/limits.h"

#define S(text) text, sizeof text - 1
#define FFFD "\xef\xbf\xbd"

static void
is_text(const struct buf *b, const char *want)
{
	assert_false(b->failed);
	if (b->len != strlen(want) || memcmp(b->data, want, b->len) != 0)
		fail_msg("%.*s, not %s", (int)b->len, b->data, want);
}

static void
places_commas(void **state)
{
	struct json_writer w;
	struct buf b;

	(void)state;
	buf_init(&b, KIB(4));
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, "a");
	jw_int(&w, 1);
	jw_key(&w, "b\"");
	jw_array(&w);
	jw_array(&w);
	jw_end_array(&w);
	jw_object(&w);
	jw_end_object(&w);
	jw_null(&w);
	jw_bool(&w, true);
	jw_bool(&w, false);
	jw_string(&w, "x");
	jw_stringn(&w, "yz", 1);
	jw_stringn(&w, NULL, 0);
	jw_double(&w, 0.5);
	jw_raw(&w, "{ }", 3);
	jw_array(&w);
	jw_int(&w, 1);
	jw_int(&w, 2);
	jw_end_array(&w);
	jw_end_array(&w);
	jw_key(&w, "");
	jw_object(&w);
	jw_key(&w, "k");
	jw_null(&w);
	jw_end_object(&w);
	jw_key(&w, "z");
	jw_int(&w, 0);
	jw_end_object(&w);
	is_text(&b, "{\"a\":1,\"b\\\"\":[[],{},null,true,false,\"x\",\"y\","
	    "\"\",0.5,{ },[1,2]],\"\":{\"k\":null},\"z\":0}");
	buf_free(&b);
}

struct quoted {
	const char *text;
	size_t len;
	const char *want;
};

static const struct quoted quoted[] = {
	{ S(""), "\"\"" },
	{ S("plain text, longer than sixteen bytes"),
	    "\"plain text, longer than sixteen bytes\"" },
	{ S("\"\\/"), "\"\\\"\\\\/\"" },
	{ S("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
	{ S("\x01\x1f\x0b\x7f"), "\"\\u0001\\u001f\\u000b\x7f\"" },
	{ S("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
	    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
	{ S("a\0b"), "\"a" FFFD "b\"" },
	{ S("\xff"), "\"" FFFD "\"" },
	{ S("a\x80z"), "\"a" FFFD "z\"" },
	{ S("\xe2\x82"), "\"" FFFD "\"" },
	{ S("\xe2\x82z"), "\"" FFFD "z\"" },
	{ S("\xe2\x82\xe2\x82\xac"), "\"" FFFD "\xe2\x82\xac\"" },
	{ S("\xed\xa0\x80"), "\"" FFFD FFFD FFFD "\"" },
	{ S("\xc0\x80"), "\"" FFFD FFFD "\"" },
	{ S("\xf0\x9f\x98\"\xf0\x9f"), "\"" FFFD "\\\"" FFFD "\"" },
	{ S("\xf4\x90\x80\x80"), "\"" FFFD FFFD FFFD FFFD "\"" },
	{ S("0123456789abcde\"0123456789abcdef\n"),
	    "\"0123456789abcde\\\"0123456789abcdef\\n\"" },
};

static void
quotes(void **state)
{
	struct buf b;
	char *copy;
	size_t i;

	(void)state;
	buf_init(&b, KIB(4));
	for (i = 0; i < sizeof quoted / sizeof quoted[0]; i++) {
		buf_clear(&b);
		copy = malloc(quoted[i].len + 1);
		assert_non_null(copy);
		memcpy(copy + 1, quoted[i].text, quoted[i].len);
		json_quote(&b, copy + 1, quoted[i].len);
		is_text(&b, quoted[i].want);
		free(copy);
	}
	buf_free(&b);
}

static void
writes_whole_numbers(void **state)
{
	static const int64_t n[] = { 0, 1, -1, 9, 10, -10, 1234567890123,
		INT64_MAX, INT64_MIN };
	struct json_writer w;
	char want[32];
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, KIB(4));
	for (i = 0; i < sizeof n / sizeof n[0]; i++) {
		buf_clear(&b);
		jw_init(&w, &b);
		jw_int(&w, n[i]);
		snprintf(want, sizeof want, "%lld", (long long)n[i]);
		is_text(&b, want);
	}
	buf_free(&b);
}

struct real {
	double d;
	const char *want;
};

static const struct real reals[] = {
	{ 0, "0" }, { 0.1, "0.1" }, { 0.7, "0.7" }, { 1, "1" },
	{ -1.5, "-1.5" },
	{ 100, "100" }, { 1e21, "1e+21" }, { 0.3, "0.3" },
	{ 0.1 + 0.2, "0.30000000000000004" }, { 1.0 / 3, "0.3333333333333333" },
	{ 9007199254740993.0, "9007199254740992" }, { 1e-7, "1e-07" },
	{ DBL_MAX, "1.7976931348623157e+308" }, { 5e-324, "5e-324" },
	{ DBL_MIN, "2.2250738585072014e-308" }, { (double)NAN, "null" },
	{ (double)INFINITY, "null" }, { -(double)INFINITY, "null" },
	{ -0.0, "-0" },
};

static uint64_t seed = 362436069u;

static uint32_t
draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32);
}

static double
read_back(const struct buf *b, struct arena *a)
{
	struct json d;
	double x = 77;

	assert_int_equal(json_parse(&d, a, b->data, b->len, NULL), ERR_OK);
	assert_true(json_double(&d, JSON_ROOT, &x));
	return x;
}

static void
writes_doubles(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	struct json_writer w;
	struct buf b;
	uint64_t bits;
	double d;
	size_t i;

	(void)state;
	buf_init(&b, KIB(4));
	for (i = 0; i < sizeof reals / sizeof reals[0]; i++) {
		buf_clear(&b);
		jw_init(&w, &b);
		jw_double(&w, reals[i].d);
		is_text(&b, reals[i].want);
		if (isfinite(reals[i].d))
			assert_true(read_back(&b, a) == reals[i].d);
	}
	for (i = 0; i < 20000; i++) {
		bits = (uint64_t)draw() << 32 | draw();
		memcpy(&d, &bits, sizeof d);
		if (!isfinite(d))
			continue;
		buf_clear(&b);
		jw_init(&w, &b);
		jw_double(&w, d);
		assert_true(read_back(&b, a) == d);
	}
	buf_free(&b);
	arena_free(a);
}

/* Any bytes in: the parser takes what comes out; clean text unchanged. */
static void
is_read_back(void **state)
{
	static const char *const part[] = { "a", "\"", "\\", "\n", "\x01",
		"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x7f",
		"0123456789abcdef", "\xff", "\xe2\x82", "\xc0" };
	struct arena *a;
	struct buf text, out;
	struct json d;
	const char *s;
	size_t len;
	uint32_t k;
	bool clean;
	int i, n;

	(void)state;
	buf_init(&text, KIB(4));
	buf_init(&out, KIB(16));
	for (i = 0; i < 20000; i++) {
		a = arena_new(LIMIT_ARENA);
		buf_clear(&text);
		buf_clear(&out);
		clean = true;
		for (n = (int)(draw() % 12); n > 0; n--) {
			k = draw() % (i % 2 ? 13 : 10);
			clean = clean && k < 10;
			buf_puts(&text, part[k]);
		}
		json_quote(&out, text.data, text.len);
		assert_int_equal(json_parse(&d, a, out.data, out.len, NULL),
		    ERR_OK);
		s = json_str(&d, JSON_ROOT, a, &len);
		assert_non_null(s);
		if (clean) {
			assert_int_equal(len, text.len);
			if (len > 0)
				assert_memory_equal(s, text.data, len);
		} else {
			assert_non_null(memmem(s, len, FFFD, 3));
		}
		arena_free(a);
	}
	buf_free(&text);
	buf_free(&out);
}

static void
stays_in_bounds(void **state)
{
	struct json_writer w;
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	jw_init(&w, &b);
	jw_array(&w);
	jw_string(&w, "1234567");
	assert_false(b.failed);
	jw_end_array(&w);
	assert_true(b.failed);
	jw_int(&w, 1);
	assert_true(b.failed);
	assert_in_range(b.len, 0, 10);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_commas),
		cmocka_unit_test(quotes),
		cmocka_unit_test(writes_whole_numbers),
		cmocka_unit_test(writes_doubles),
		cmocka_unit_test(is_read_back),
		cmocka_unit_test(stays_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
