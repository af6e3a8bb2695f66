/* The parser and the reading functions. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "tests/unit/alloc.h"
#include "tests/unit/jsonc.h"

#define S(text) text, sizeof text - 1

struct text {
	const char *text;
	size_t len;
};

static const struct text good[] = {
	{ S("null") }, { S("true") }, { S("false") }, { S("0") }, { S("-0") },
	{ S("1") }, { S("-1") }, { S("10") }, { S("1234567890") },
	{ S("0.5") }, { S("-0.5") }, { S("1e5") }, { S("1E5") },
	{ S("1e+5") }, { S("1e-5") }, { S("1.5e10") }, { S("0e0") },
	{ S("0E+1") }, { S("0.0e-0") }, { S("1e308") },
	{ S("1.7976931348623157e308") }, { S("-1.7976931348623157e308") },
	{ S("17976931348623157e292") }, { S("1e-400") }, { S("0e999999") },
	{ S("0.0000000000000000000000000001e320") },
	{ S("4.9406564584124654e-324") }, { S("9223372036854775807") },
	{ S("-9223372036854775808") }, { S("9007199254740993") },
	{ S("\"\"") }, { S("\"a\"") }, { S("\"\\\"\"") }, { S("\"\\\\\"") },
	{ S("\"\\/\"") }, { S("\"\\b\\f\\n\\r\\t\"") }, { S("\"/\"") },
	{ S("\"\\u0001\"") }, { S("\"\\u0041\"") }, { S("\"\\u00e9\"") },
	{ S("\"\\u00E9\"") }, { S("\"\\u20ac\"") }, { S("\"\\ud83d\\ude00\"") },
	{ S("\"\\uD83D\\uDE00x\"") }, { S("\"\\uFFFF\"") },
	{ S("\"\\udbff\\udfff\"") }, { S("\"\x7f\"") },
	{ S("\"\xc2\x80\"") }, { S("\"\xdf\xbf\"") }, { S("\"\xe0\xa0\x80\"") },
	{ S("\"\xed\x9f\xbf\"") }, { S("\"\xee\x80\x80\"") },
	{ S("\"\xef\xbf\xbf\"") }, { S("\"\xef\xbb\xbf\"") },
	{ S("\"\xf0\x90\x80\x80\"") }, { S("\"\xf4\x8f\xbf\xbf\"") },
	{ S("\"\xe2\x80\xa8\"") }, { S("\"0123456789abcdef\"") },
	{ S("\"0123456789abcde\\n0123456789abcdef\\n\"") },
	{ S("\"0123456789abcd\xc3\xa9 0123456789abcde\xe2\x82\xac\"") },
	{ S("[]") }, { S("{}") }, { S("[ ]") }, { S("{ }") }, { S("[[]]") },
	{ S("[{}]") }, { S("{\"a\":{}}") }, { S("[1]") }, { S("[1,2]") },
	{ S("[1 , 2 ]") }, { S("[[],[],[]]") }, { S("[null,true,false]") },
	{ S(" 1") }, { S("1 ") }, { S("\t\r\n 1 \t\r\n") },
	{ S("{\"a\":1}") }, { S("{ \"a\" : 1 }") }, { S("{\"\":1}") },
	{ S("{\"a\":1,\"b\":2}") }, { S("{\"a\":1,\"A\":2}") },
	{ S("{\"a\":{\"a\":{\"a\":1}}}") }, { S("[{\"a\":1},{\"a\":2}]") },
	{ S("{\"ab\":1,\"ba\":2}") }, { S("{\"a\":1,\"\\u0062\":2}") },
	{ S("{\"\\u0061\":1,\"\\u0062\":2}") },
	{ S("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,"
	    "\"h\":8,\"i\":9,\"j\":10,\"k\":11,\"l\":12,\"m\":13,\"n\":14,"
	    "\"o\":15,\"p\":16,\"q\":17,\"\\u0072\":18}") },
	{ S("{\"a\":[1,{\"b\":[2,{\"c\":[3]}]}]}") },
	{ S("[1.0,2.50,300e-2,-0.0]") },
	{ S("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
	    "[{\"type\":\"text\",\"text\":\"hi\"}]}],\"stream\":true}") },
};

struct bad {
	const char *text;
	size_t len;
	unsigned line, column;
	const char *reason;
};

#define NINES50 "99999999999999999999999999999999999999999999999999"
#define NINES300 NINES50 NINES50 NINES50 NINES50 NINES50 NINES50

static const struct bad bad[] = {
	{ S(""), 1, 1, "unexpected end" },
	{ S(" "), 1, 2, "unexpected end" },
	{ S("\n\n "), 3, 2, "unexpected end" },
	{ S("\0"), 1, 1, "value expected" },
	{ S("1\0"), 1, 2, "text behind" },
	{ S("\xef\xbb\xbf" "1"), 1, 1, "byte order mark" },
	{ S("nul"), 1, 1, "value expected" },
	{ S("nulL"), 1, 1, "value expected" },
	{ S("nullx"), 1, 5, "text behind" },
	{ S("True"), 1, 1, "value expected" },
	{ S("NaN"), 1, 1, "value expected" },
	{ S("[Infinity]"), 1, 2, "value expected" },
	{ S("-Infinity"), 1, 2, "digit expected" },
	{ S("[-]"), 1, 3, "digit expected" },
	{ S("-"), 1, 2, "unexpected end" },
	{ S("+1"), 1, 1, "value expected" },
	{ S(".5"), 1, 1, "value expected" },
	{ S("1."), 1, 3, "unexpected end" },
	{ S("[1.]"), 1, 4, "digit expected" },
	{ S("[1.e5]"), 1, 4, "digit expected" },
	{ S("1e"), 1, 3, "unexpected end" },
	{ S("[1e]"), 1, 4, "digit expected" },
	{ S("[1e+]"), 1, 5, "digit expected" },
	{ S("[1e+-1]"), 1, 5, "digit expected" },
	{ S("01"), 1, 1, "leading zero" },
	{ S("[-01]"), 1, 2, "leading zero" },
	{ S("00"), 1, 1, "leading zero" },
	{ S("00.5"), 1, 1, "leading zero" },
	{ S("0x10"), 1, 2, "text behind" },
	{ S("1_000"), 1, 2, "text behind" },
	{ S("1e999"), 1, 1, "out of range" },
	{ S("[ -1e999]"), 1, 3, "out of range" },
	{ S("1e309"), 1, 1, "out of range" },
	{ S("1.7976931348623159e308"), 1, 1, "out of range" },
	{ S("1e99999999999999999999999999"), 1, 1, "out of range" },
	{ S(NINES300 "999999999"), 1, 1, "out of range" },
	{ S("1 2"), 1, 3, "text behind" },
	{ S("[] []"), 1, 4, "text behind" },
	{ S("{}}"), 1, 3, "text behind" },
	{ S("1,"), 1, 2, "text behind" },
	{ S("1//x"), 1, 2, "text behind" },
	{ S("/**/1"), 1, 1, "value expected" },
	{ S("[1,//\n2]"), 1, 4, "value expected" },
	{ S("'a'"), 1, 1, "value expected" },
	{ S("{'a':1}"), 1, 2, "key in double quotes" },
	{ S("{a:1}"), 1, 2, "key in double quotes" },
	{ S("{1:1}"), 1, 2, "key in double quotes" },
	{ S("{null:1}"), 1, 2, "key in double quotes" },
	{ S("{,}"), 1, 2, "key in double quotes" },
	{ S("{\"a\":1,}"), 1, 8, "key in double quotes" },
	{ S("{\"a\":1,,\"b\":2}"), 1, 8, "key in double quotes" },
	{ S("{\"a\"}"), 1, 5, "':' expected" },
	{ S("{\"a\" 1}"), 1, 6, "':' expected" },
	{ S("{\"a\",1}"), 1, 5, "':' expected" },
	{ S("{\"a\":}"), 1, 6, "value expected" },
	{ S("{\"a\":,}"), 1, 6, "value expected" },
	{ S("{\"a\"::1}"), 1, 6, "value expected" },
	{ S("{\"a\":1 \"b\":2}"), 1, 8, "',' or '}'" },
	{ S("{\"a\":1]"), 1, 7, "',' or '}'" },
	{ S("{\"a\":1;}"), 1, 7, "',' or '}'" },
	{ S("{]"), 1, 2, "key in double quotes" },
	{ S("{"), 1, 2, "unexpected end" },
	{ S("{\"a\""), 1, 5, "unexpected end" },
	{ S("{\"a\":"), 1, 6, "unexpected end" },
	{ S("{\"a\":1"), 1, 7, "unexpected end" },
	{ S("{\"a\":1,"), 1, 8, "unexpected end" },
	{ S("["), 1, 2, "unexpected end" },
	{ S("[1"), 1, 3, "unexpected end" },
	{ S("[1,"), 1, 4, "unexpected end" },
	{ S("[1,]"), 1, 4, "value expected" },
	{ S("[,]"), 1, 2, "value expected" },
	{ S("[,1]"), 1, 2, "value expected" },
	{ S("[1 2]"), 1, 4, "',' or ']'" },
	{ S("[1}"), 1, 3, "',' or ']'" },
	{ S("[}"), 1, 2, "value expected" },
	{ S("]"), 1, 1, "value expected" },
	{ S("[\n1,\n2,\n x]"), 4, 2, "value expected" },
	{ S("{\r\n\"a\":\r\n\"b\" \"c\"}"), 3, 5, "',' or '}'" },
	{ S("[\v1]"), 1, 2, "value expected" },
	{ S("[\f1]"), 1, 2, "value expected" },
	{ S("[\xc2\xa0" "1]"), 1, 2, "value expected" },
	{ S("[1\0]"), 1, 3, "',' or ']'" },
	{ S("\""), 1, 2, "unexpected end" },
	{ S("\"a"), 1, 3, "unexpected end" },
	{ S("\"a\\"), 1, 4, "unexpected end" },
	{ S("\"a\\\""), 1, 5, "unexpected end" },
	{ S("\"\0\""), 1, 2, "NUL byte" },
	{ S("\"a\nb\""), 1, 3, "control character" },
	{ S("\"a\tb\""), 1, 3, "control character" },
	{ S("\"\x1f\""), 1, 2, "control character" },
	{ S("\"0123456789abcdef0123\x01 0123456789abcdef\""), 1, 22,
	    "control character" },
	{ S("\"\\a\""), 1, 2, "bad escape" },
	{ S("\"\\x41\""), 1, 2, "bad escape" },
	{ S("\"\\'\""), 1, 2, "bad escape" },
	{ S("\"\\0\""), 1, 2, "bad escape" },
	{ S("\"\\\0\""), 1, 2, "bad escape" },
	{ S("\"\\\n\""), 1, 2, "bad escape" },
	{ S("\"\\U0041\""), 1, 2, "bad escape" },
	{ S("\"\\u\""), 1, 5, "unexpected end" },
	{ S("\"\\u004\" "), 1, 2, "bad \\u escape" },
	{ S("\"\\u00g1\""), 1, 2, "bad \\u escape" },
	{ S("\"\\u-123\""), 1, 2, "bad \\u escape" },
	{ S("\"\\u+041\""), 1, 2, "bad \\u escape" },
	{ S("\"\\u 041\""), 1, 2, "bad \\u escape" },
	{ S("\"\\u0000\""), 1, 2, "\\u0000" },
	{ S("{\"\\u0000\":1}"), 1, 3, "\\u0000" },
	{ S("\"\\ud800\""), 1, 2, "surrogate" },
	{ S("\"\\udbff\""), 1, 2, "surrogate" },
	{ S("\"x\\udc00\""), 1, 3, "surrogate" },
	{ S("\"\\ud83dxxxxxx\""), 1, 2, "surrogate" },
	{ S("\"\\ud83d\\n00000\""), 1, 2, "surrogate" },
	{ S("\"\\ud83d\\ud83d\""), 1, 2, "surrogate" },
	{ S("\"\\ud83d\\u0041\""), 1, 2, "surrogate" },
	{ S("\"\\ud83d\\u00\""), 1, 2, "surrogate" },
	{ S("\"\\ude00\\ud83d\""), 1, 2, "surrogate" },
	{ S("\"\x80\""), 1, 2, "UTF-8" },
	{ S("\"a\xbf\""), 1, 3, "UTF-8" },
	{ S("\"\xc0\x80\""), 1, 2, "UTF-8" },
	{ S("\"\xc1\xbf\""), 1, 2, "UTF-8" },
	{ S("\"\xc3\""), 1, 2, "UTF-8" },
	{ S("\"\xc3(\""), 1, 2, "UTF-8" },
	{ S("\"\xe0\x80\x80\""), 1, 2, "UTF-8" },
	{ S("\"\xe0\x9f\xbf\""), 1, 2, "UTF-8" },
	{ S("\"\xe2\x82\""), 1, 2, "UTF-8" },
	{ S("\"\xe2(\xa1\""), 1, 2, "UTF-8" },
	{ S("\"\xed\xa0\x80\""), 1, 2, "UTF-8" },
	{ S("\"\xed\xbf\xbf\""), 1, 2, "UTF-8" },
	{ S("\"\xf0\x80\x80\x80\""), 1, 2, "UTF-8" },
	{ S("\"\xf0\x8f\xbf\xbf\""), 1, 2, "UTF-8" },
	{ S("\"\xf0\x9f\x98\""), 1, 2, "UTF-8" },
	{ S("\"\xf4\x90\x80\x80\""), 1, 2, "UTF-8" },
	{ S("\"\xf5\x80\x80\x80\""), 1, 2, "UTF-8" },
	{ S("\"\xff\""), 1, 2, "UTF-8" },
	{ S("\"\xfe\""), 1, 2, "UTF-8" },
	{ S("\"\xc3\xa9\xe9\""), 1, 4, "UTF-8" },
	{ S("\"0123456789abcdefg\xe9 and more than sixteen\""), 1, 19,
	    "UTF-8" },
	{ S("{\"\xff\":1}"), 1, 3, "UTF-8" },
};

/* Equal keys: where the second is, and the way to it. */
struct twins {
	const char *text;
	unsigned line, column;
	const char *path;
};

static const struct twins twins[] = {
	{ "{\"a\":1,\"a\":2}", 1, 8, "a" },
	{ "{\"a\":1,\"b\":2,\"a\":3}", 1, 14, "a" },
	{ "{\"\":1,\n\"\":2}", 2, 1, "" },
	{ "{\"a\":1,\"\\u0061\":2}", 1, 8, "\\u0061" },
	{ "{\"\\u0061\":1,\"a\":2}", 1, 13, "a" },
	{ "{\"\\u0061\":1,\"\\u0061\":2}", 1, 13, "\\u0061" },
	{ "{\"\xc3\xa9\":1,\"\\u00e9\":2}", 1, 9, "\\u00e9" },
	{ "{\"x\\u00e9\":1,\"x\xc3\xa9\\n\":2,\"\\u0078\xc3\xa9\":3}", 1, 24,
	    "\\u0078\xc3\xa9" },
	{ "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", 1, 19,
	    "\xf0\x9f\x98\x80" },
	{ "[{\"a\":1,\"a\":2}]", 1, 9, "[0].a" },
	{ "[[[],[1,{\"a\":1,\"a\":2}]]]", 1, 16, "[0][1][1].a" },
	{ "{\"messages\":[1,2,3,{\"role\":1,\n  \"role\":2}]}", 2, 3,
	    "messages[3].role" },
	{ "{\"x\":{\"y\":{\"z\":{\"k\":[],\"k\":{}}}}}", 1, 24, "x.y.z.k" },
	{ "{\"a\":{\"b\":1,\"b\":2},\"a\":3}", 1, 13, "a.b" },
	{ "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,"
	  "\"i\":9,\"j\":10,\"k\":11,\"l\":12,\"m\":13,\"n\":14,\"o\":15,"
	  "\"p\":16,\"q\":17,\n\"\\u0063\":18}", 2, 1, "\\u0063" },
	{ "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,"
	  "\"i\":9,\"j\":10,\"k\":11,\"l\":12,\"m\":13,\"n\":14,\"o\":15,"
	  "\"\\u0070\":16,\"q\":17,\n\"p\":18}", 2, 1, "p" },
};

/* Parse a copy that ends where memory ends, so that overruns show. */
static enum err
parse(struct json *doc, struct arena *a, const char *text, size_t len,
    struct fault *f)
{
	char *copy = arena_alloc(a, len);

	assert_non_null(copy);
	memcpy(copy, text, len);
	memset(f, 0, sizeof *f);
	return json_parse(doc, a, copy, len, f);
}

static void
accepts_good_texts(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	const char *why;
	struct fault f;
	struct json d;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (parse(&d, a, good[i].text, good[i].len, &f) != ERR_OK)
			fail_msg("%s: %s", good[i].text, f.text);
		why = jsonc_differs(&d);
		if (why != NULL)
			fail_msg("%s: %s", good[i].text, why);
	}
	arena_free(a);
}

static void
refuses_bad_texts(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	struct json d, was;
	struct fault f;
	char start[64];
	size_t i;

	(void)state;
	memset(&d, 0x5a, sizeof d);
	was = d;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (parse(&d, a, bad[i].text, bad[i].len, &f) != ERR_BAD_JSON)
			fail_msg("row %zu accepted: %s", i, bad[i].text);
		snprintf(start, sizeof start, "line %u, column %u: ",
		    bad[i].line, bad[i].column);
		if (strncmp(f.text, start, strlen(start)) != 0 ||
		    strstr(f.text, bad[i].reason) == NULL)
			fail_msg("row %zu: %s: %s, not %s%s", i, bad[i].text,
			    f.text, start, bad[i].reason);
		assert_int_equal(f.code, ERR_BAD_JSON);
		assert_string_equal(f.param, "");
		assert_int_equal(json_parse(&d, a, bad[i].text, bad[i].len,
		    NULL), ERR_BAD_JSON);
	}
	assert_memory_equal(&d, &was, sizeof d);
	arena_free(a);
}

/* Every start of a good text but itself is a bad one, or a shorter number. */
static void
refuses_cut_texts(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	struct fault f;
	struct json d;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (strchr("[{\"tfn", good[i].text[0]) == NULL)
			continue;
		for (n = 0; n < good[i].len; n++)
			assert_int_equal(parse(&d, a, good[i].text, n, &f),
			    ERR_BAD_JSON);
	}
	arena_free(a);
}

static void
refuses_twins(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	struct fault f;
	struct json d;
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof twins / sizeof twins[0]; i++) {
		assert_int_equal(parse(&d, a, twins[i].text,
		    strlen(twins[i].text), &f), ERR_BAD_JSON);
		snprintf(text, sizeof text, "line %u, column %u: duplicate "
		    "key%s%s", twins[i].line, twins[i].column,
		    twins[i].path[0] == '\0' ? "" : " ", twins[i].path);
		assert_string_equal(f.text, text);
		assert_string_equal(f.param, twins[i].path);
	}
	arena_free(a);
}

static void
cuts_long_paths(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	struct buf b;
	struct fault f;
	struct json d;
	size_t i, shift;

	(void)state;
	for (shift = 0; shift < 3; shift++) {
		buf_init(&b, KIB(4));
		for (i = 0; i < 60; i++)
			buf_puts(&b, "{\"\xe2\x82\xac\":");
		buf_printf(&b, "{\"%.*s\":1,\"%.*s\":2}", (int)shift, "xyz",
		    (int)shift, "xyz");
		for (i = 0; i < 60; i++)
			buf_putc(&b, '}');
		assert_int_equal(parse(&d, a, b.data, b.len, &f),
		    ERR_BAD_JSON);
		assert_in_range(strlen(f.param), 90, sizeof f.param - 1);
		assert_memory_equal(f.param, "\xe2\x82\xac.\xe2\x82\xac.", 8);
		i = strlen(f.param);
		assert_true(f.param[i - 1] == '.' ||
		    memcmp(f.param + i - 3, "\xe2\x82\xac", 3) == 0);
		buf_free(&b);
	}
	arena_free(a);
}

static void
bounds_depth_and_length(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	char text[2 * LIMIT_JSON_DEPTH + 2];
	char *huge;
	struct fault f;
	struct json d;
	uint32_t v;
	int depth;

	(void)state;
	memset(text, '[', LIMIT_JSON_DEPTH + 1);
	memset(text + LIMIT_JSON_DEPTH + 1, ']', LIMIT_JSON_DEPTH + 1);
	assert_int_equal(parse(&d, a, text, sizeof text, &f), ERR_TOO_LARGE);
	assert_string_equal(f.text, "line 1, column 129: nested deeper than "
	    "128 levels");
	assert_int_equal(parse(&d, a, text + 1, sizeof text - 2, &f), ERR_OK);
	for (v = JSON_ROOT, depth = 0; v != JSON_NONE; depth++)
		v = json_first(&d, v);
	assert_int_equal(depth, LIMIT_JSON_DEPTH);
	huge = calloc(1, LIMIT_REPLY + 1);
	assert_non_null(huge);
	memset(huge, ' ', LIMIT_REPLY + 1);
	huge[0] = '1';
	assert_int_equal(json_parse(&d, a, huge, LIMIT_REPLY + 1, &f),
	    ERR_TOO_LARGE);
	assert_non_null(strstr(f.text, "67108864 bytes"));
	assert_int_equal(json_parse(&d, a, huge, LIMIT_REPLY, &f), ERR_OK);
	free(huge);
	arena_free(a);
}

static const char sample[] =
    "{\"s\":\"a\\u00e9\\n\",\"plain\":\"text\",\"empty\":\"\",\"n\":null,"
    "\"t\":true,\"f\":false,\"arr\":[1,[2],{\"k\":3},\"x\"],"
    "\"o\":{\"in\":{\"deep\":42}},\"\\u006bey\":7,\"num\":1.50}";

static void
reads_values(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	struct fault f;
	struct json d;
	const char *s;
	uint32_t v, arr;
	int64_t n = -1;
	size_t len;

	(void)state;
	assert_int_equal(parse(&d, a, S(sample), &f), ERR_OK);
	assert_int_equal(json_type(&d, JSON_ROOT), JSON_OBJECT);
	assert_int_equal(json_count(&d, JSON_ROOT), 10);
	s = json_str(&d, json_get(&d, JSON_ROOT, "s"), a, &len);
	assert_int_equal(len, 4);
	assert_memory_equal(s, "a\xc3\xa9\n", 4);
	assert_string_equal(json_cstr(&d, json_get(&d, JSON_ROOT, "s"), a),
	    "a\xc3\xa9\n");
	assert_true(json_is(&d, json_get(&d, 0, "s"), "a\xc3\xa9\n"));
	assert_false(json_is(&d, json_get(&d, 0, "s"), "a\xc3\xa9"));
	assert_false(json_is(&d, json_get(&d, 0, "s"), "a\xc3\xa9\n."));
	assert_false(json_is(&d, json_get(&d, 0, "s"), "a\xc3\xa8\n"));
	s = json_str(&d, json_get(&d, JSON_ROOT, "plain"), a, &len);
	assert_true(s > d.text && s < d.text + d.len);
	assert_int_equal(len, 4);
	assert_false(json_nonempty(&d, json_get(&d, JSON_ROOT, "empty")));
	assert_true(json_nonempty(&d, json_get(&d, JSON_ROOT, "plain")));
	assert_true(json_is(&d, json_get(&d, 0, "empty"), ""));
	assert_int_equal(json_type(&d, json_get(&d, 0, "n")), JSON_NULL);
	assert_int_equal(json_type(&d, json_get(&d, 0, "t")), JSON_TRUE);
	assert_int_equal(json_type(&d, json_get(&d, 0, "f")), JSON_FALSE);
	assert_true(json_int(&d, json_get(&d, 0, "key"), &n));
	assert_int_equal(n, 7);
	v = json_at(&d, JSON_ROOT, "o", "in", "deep", NULL);
	assert_true(json_int(&d, v, &n));
	assert_int_equal(n, 42);
	assert_int_equal(json_at(&d, JSON_ROOT, "o", "out", "deep", NULL),
	    JSON_NONE);
	assert_int_equal(json_at(&d, JSON_ROOT, NULL), JSON_ROOT);
	arr = json_get(&d, JSON_ROOT, "arr");
	v = json_next(&d, arr, json_next(&d, arr, json_first(&d, arr)));
	assert_int_equal(json_type(&d, v), JSON_OBJECT);
	s = json_raw(&d, v, &len);
	assert_int_equal(len, 7);
	assert_memory_equal(s, "{\"k\":3}", 7);
	v = json_next(&d, arr, v);
	s = json_raw(&d, v, &len);
	assert_int_equal(len, 3);
	assert_memory_equal(s, "\"x\"", 3);
	assert_int_equal(json_next(&d, arr, v), JSON_NONE);
	s = json_raw(&d, json_get(&d, 0, "num"), &len);
	assert_memory_equal(s, "1.50", len);
	s = json_raw(&d, JSON_ROOT, &len);
	assert_int_equal(len, d.len);
	arena_free(a);
}

/* Look-ups on nothing, on the wrong type, and beyond the tape. */
static void
answers_absent(void **state)
{
	static const uint32_t odd[] = { JSON_NONE, JSON_NONE - 1, 1000, 30 };
	struct arena *a = arena_new(LIMIT_ARENA);
	uint32_t one, v;
	struct fault f;
	struct json d;
	size_t len, i;
	int64_t n = 5;
	double x = 5;

	(void)state;
	assert_int_equal(parse(&d, a, S("[1,\"s\",{},[],{\"a\":1}]"), &f),
	    ERR_OK);
	for (i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		v = odd[i];
		assert_int_equal(json_type(&d, v), JSON_ABSENT);
		assert_int_equal(json_get(&d, v, "a"), JSON_NONE);
		assert_int_equal(json_at(&d, v, "a", "b", NULL), JSON_NONE);
		assert_int_equal(json_first(&d, v), JSON_NONE);
		assert_int_equal(json_next(&d, v, 0), JSON_NONE);
		assert_int_equal(json_next(&d, 0, v), JSON_NONE);
		assert_int_equal(json_value(&d, v), JSON_NONE);
		assert_int_equal(json_count(&d, v), 0);
		assert_null(json_str(&d, v, a, &len));
		assert_null(json_cstr(&d, v, a));
		assert_null(json_raw(&d, v, &len));
		assert_false(json_is(&d, v, ""));
		assert_false(json_nonempty(&d, v));
		assert_false(json_int(&d, v, &n));
		assert_false(json_double(&d, v, &x));
	}
	one = json_first(&d, JSON_ROOT);
	v = json_next(&d, JSON_ROOT, one);
	assert_int_equal(json_get(&d, JSON_ROOT, "a"), JSON_NONE);
	assert_int_equal(json_get(&d, one, "a"), JSON_NONE);
	assert_int_equal(json_get(&d, v, "a"), JSON_NONE);
	assert_int_equal(json_first(&d, one), JSON_NONE);
	assert_int_equal(json_next(&d, one, one), JSON_NONE);
	assert_int_equal(json_value(&d, one), JSON_NONE);
	assert_int_equal(json_count(&d, v), 0);
	assert_null(json_str(&d, one, a, &len));
	assert_false(json_int(&d, v, &n));
	assert_false(json_double(&d, v, &x));
	v = json_next(&d, JSON_ROOT, v);
	assert_int_equal(json_first(&d, v), JSON_NONE);
	assert_int_equal(json_get(&d, v, ""), JSON_NONE);
	assert_int_equal(n, 5);
	assert_true(x == 5);
	arena_free(a);
}

struct whole {
	const char *text;
	bool fits;
	int64_t n;
};

static const struct whole whole[] = {
	{ "5", true, 5 }, { "5.0", true, 5 }, { "5e0", true, 5 },
	{ "50e-1", true, 5 }, { "0.5e1", true, 5 }, { "0.005E+3", true, 5 },
	{ "-5.000", true, -5 }, { "0", true, 0 }, { "-0", true, 0 },
	{ "0.000", true, 0 }, { "0e400", true, 0 }, { "-0.0e-99", true, 0 },
	{ "0e99999999999999999999", true, 0 }, { "5.5", false, 0 },
	{ "5e-1", false, 0 }, { "1e-400", false, 0 }, { "1e18", true,
	1000000000000000000 }, { "1e19", false, 0 }, { "1e300", false, 0 },
	{ "9223372036854775807", true, INT64_MAX },
	{ "9223372036854775808", false, 0 },
	{ "-9223372036854775808", true, INT64_MIN },
	{ "-9223372036854775809", false, 0 },
	{ "9999999999999999999", false, 0 },
	{ "18446744073709551621", false, 0 },
	{ "92233720368547758070e-1", true, INT64_MAX },
	{ "9007199254740993", true, 9007199254740993 },
	{ "9007199254740993.0", true, 9007199254740993 },
	{ "10", true, 10 }, { "1000000", true, 1000000 },
};

static void
reads_whole_numbers(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	struct fault f;
	struct json d;
	int64_t n;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof whole / sizeof whole[0]; i++) {
		n = 77;
		assert_int_equal(parse(&d, a, whole[i].text,
		    strlen(whole[i].text), &f), ERR_OK);
		if (json_int(&d, JSON_ROOT, &n) != whole[i].fits ||
		    n != (whole[i].fits ? whole[i].n : 77))
			fail_msg("%s: %lld", whole[i].text, (long long)n);
	}
	arena_free(a);
}

/* As strtod says, whatever the length. */
static void
reads_doubles(void **state)
{
	static const char *const text[] = {
		"0.1", "-0.7", "1e22", "1e23", "123456789.125", "5e-324",
		"2.2250738585072011e-308", "2.2250738585072014e-308",
		"9007199254740993", "1.7976931348623157e308", "1e-320",
		"2.4703282292062328e-324", "2.4703282292062327e-324",
		"0.30000000000000004", "4.35", "179769313486231570e291",
	};
	struct arena *a = arena_new(LIMIT_ARENA);
	struct buf b;
	struct fault f;
	struct json d;
	double x;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof text / sizeof text[0]; i++) {
		assert_int_equal(parse(&d, a, text[i], strlen(text[i]), &f),
		    ERR_OK);
		assert_true(json_double(&d, JSON_ROOT, &x));
		assert_true(x == strtod(text[i], NULL));
	}
	/* 2^53 + 1 is half way: a digit far behind decides. */
	for (i = 0; i < 2; i++) {
		buf_init(&b, KIB(64));
		buf_puts(&b, "9007199254740993.");
		while (b.len < 3000)
			buf_putc(&b, '0');
		buf_puts(&b, i == 0 ? "0" : "1");
		assert_int_equal(parse(&d, a, b.data, b.len, &f), ERR_OK);
		assert_true(json_double(&d, JSON_ROOT, &x));
		assert_true(x == (i == 0 ? 9007199254740992. :
		    9007199254740994.));
		buf_free(&b);
	}
	arena_free(a);
}

/* What rounds to infinity is refused, the last number before it is not. */
static void
draws_the_line_at_infinity(void **state)
{
	static const char limit[] =
	    "179769313486231580793728971405303415079934132710037826936173"
	    "778980444968292764750946649017977587207096330286416692887910"
	    "946555547851940402630657488671505820681908902000708383676273"
	    "854845817711531764475730270069855571366959622842914819860834"
	    "936475292719074168444365510704342711559699508093042880177904"
	    "174497792";
	static const char *const tail[] = { "", "0", "1", "00000000001" };
	struct arena *a = arena_new(LIMIT_ARENA);
	char text[400];
	struct fault f;
	struct json d;
	size_t i, n;
	int len;

	(void)state;
	for (n = 1; n < sizeof limit; n++)
		for (i = 0; i < sizeof tail / sizeof tail[0]; i++) {
			len = snprintf(text, sizeof text, "%.1s.%.*s%se308",
			    limit, (int)n - 1, limit + 1,
			    n == 1 ? "0" : tail[i]);
			assert_int_equal(parse(&d, a, text, (size_t)len, &f),
			    strtod(text, NULL) > 1.7976931348623157e308 ?
			    ERR_BAD_JSON : ERR_OK);
		}
	len = snprintf(text, sizeof text, "%s", limit);
	assert_int_equal(parse(&d, a, text, (size_t)len, &f), ERR_BAD_JSON);
	text[len - 1]--;
	assert_int_equal(parse(&d, a, text, (size_t)len, &f), ERR_OK);
	arena_free(a);
}

static uint64_t seed = 88172645463325252u;

static uint32_t
draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static void
random_blank(struct buf *b)
{
	while (draw(4) == 0)
		buf_putc(b, " \t\r\n"[draw(4)]);
}

static void
random_string(struct buf *b, int serial)
{
	static const char *const part[] = { "a", "model", "\\n", "\\u00e9",
		"\xc3\xa9", "\xe2\x82\xac", "\\ud83d\\ude00",
		"\xf0\x9f\x98\x80", "0123456789abcdef0", "\\\"", "\\\\", "/",
		"\\u0001", "\x7f", " " };

	buf_putc(b, '"');
	if (serial >= 0)
		buf_printf(b, "%d", serial);
	while (draw(4) != 0)
		buf_puts(b, part[draw(sizeof part / sizeof part[0])]);
	buf_putc(b, '"');
}

static void
random_value(struct buf *b, unsigned depth)
{
	static const char *const atom[] = { "null", "true", "false", "0", "-1",
		"3.25", "1e3", "-2.5E-3", "123456789012", "0.1" };
	bool object;
	int i, n;

	random_blank(b);
	if (depth == 0 || draw(3) == 0) {
		if (draw(2) == 0)
			random_string(b, -1);
		else
			buf_puts(b, atom[draw(sizeof atom / sizeof atom[0])]);
	} else {
		object = draw(2) == 0;
		buf_putc(b, object ? '{' : '[');
		n = (int)draw(draw(8) == 0 ? 40 : 6);
		for (i = 0; i < n; i++) {
			if (i > 0)
				buf_putc(b, ',');
			random_blank(b);
			if (object) {
				random_string(b, i);
				random_blank(b);
				buf_putc(b, ':');
			}
			random_value(b, depth - 1);
		}
		random_blank(b);
		buf_putc(b, object ? '}' : ']');
	}
	random_blank(b);
}

static void
agrees_with_jsonc(void **state)
{
	struct arena *a;
	const char *why;
	struct fault f;
	struct json d;
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, MIB(1));
	for (i = 0; i < 2000; i++) {
		buf_clear(&b);
		random_value(&b, draw(6));
		assert_false(b.failed);
		a = arena_new(LIMIT_ARENA);
		if (parse(&d, a, b.data, b.len, &f) != ERR_OK)
			fail_msg("%.*s: %s", (int)b.len, b.data, f.text);
		why = jsonc_differs(&d);
		if (why != NULL)
			fail_msg("%.*s: %s", (int)b.len, b.data, why);
		arena_free(a);
	}
	buf_free(&b);
}

/*
 * A byte changed, taken or added: what we still take, json-c takes and sees
 * alike.
 */
static void
agrees_on_broken_texts(void **state)
{
	static const char strange[] = "{}[],:\"\\ \0\n\x7f\xff\xc3-+.0eEu'/";
	struct arena *a;
	struct fault f;
	struct json d;
	struct buf b;
	int i, taken = 0;
	size_t at;

	(void)state;
	buf_init(&b, MIB(1));
	for (i = 0; i < 20000; i++) {
		if (i % 5 == 0)
			do {
				buf_clear(&b);
				random_value(&b, 3);
			} while (b.len < 10 || b.len > 2000);
		at = draw((uint32_t)b.len);
		b.data[at] = strange[draw(sizeof strange - 1)];
		a = arena_new(LIMIT_ARENA);
		if (parse(&d, a, b.data, b.len, &f) == ERR_OK) {
			taken++;
			assert_null(jsonc_differs(&d));
		}
		arena_free(a);
	}
	assert_in_range(taken, 100, 19000);
	buf_free(&b);
}

/* Texts made to hurt: [count] times `part`, with a number in it. */
struct bomb {
	const char *name, *head, *part, *tail;
	int count;
	enum err err;
};

static const struct bomb bombs[] = {
	{ "empty arrays", "[[]", ",[]", "]", 1000000, ERR_OK },
	{ "empty objects", "[{}", ",{}", "]", 1000000, ERR_OK },
	{ "ones", "[1", ",1", "]", 2000000, ERR_OK },
	{ "depth", "", "[", "", 100000, ERR_TOO_LARGE },
	{ "object depth", "", "{\"a\":", "", 100000, ERR_TOO_LARGE },
	{ "keys", "{\"k\":0", ",\"%d\":0", "}", 100000, ERR_OK },
	{ "escaped keys", "{\"k\":0", ",\"\\u0041%d\":0", "}", 100000,
	    ERR_OK },
	{ "keys of like outside", "{\"k\":0", ",\"a%07da\":0", "}", 100000,
	    ERR_OK },
	{ "equal keys", "{\"k\":0", ",\"a\":0", "}", 100000, ERR_BAD_JSON },
	{ "empty keys", "{\"k\":0", ",\"\":0", "}", 115000, ERR_BAD_JSON },
	{ "objects of 17 keys", "[0", ",{\"a\":1,\"b\":2,\"c\":3,\"d\":4,"
	    "\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":1,\"k\":2,\"l\":3,"
	    "\"m\":4,\"n\":5,\"o\":6,\"p\":7,\"q\":8}", "]", 10000, ERR_OK },
	{ "objects of 16 escaped keys", "[0", ",{\"\\u0061\":1,\"\\u0062\":2,"
	    "\"\\u0063\":3,\"\\u0064\":4,\"\\u0065\":5,\"\\u0066\":6,"
	    "\"\\u0067\":7,\"\\u0068\":8,\"\\u0069\":9,\"\\u006a\":1,"
	    "\"\\u006b\":2,\"\\u006c\":3,\"\\u006d\":4,\"\\u006e\":5,"
	    "\"\\u006f\":6,\"\\u0070\":7}", "]", 5000, ERR_OK },
	{ "exponents", "[0", ",1e300", "]", 200000, ERR_OK },
	{ "largest exponents", "[0", ",1e308", "]", 200000, ERR_OK },
	{ "escapes", "\"", "\\n", "\"", 1000000, ERR_OK },
	{ "accents", "\"", "\xc3\xa9 ", "\"", 500000, ERR_OK },
	{ "digits", "1.", "1234567890", "e-5", 100000, ERR_OK },
	{ "blanks", "[", " \n", "]", 1000000, ERR_OK },
};

/* Is time no measure: an instrumented build, or valgrind around it? */
static bool
is_slow(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    defined(__clang__) || !defined(__OPTIMIZE__)
	return true;
#else
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "vgpreload") != NULL;
#endif
}

/* Microseconds that this process worked: others may load the machine. */
static int64_t
work_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
survives_bombs(void **state)
{
	const struct bomb *m;
	struct arena *a;
	struct fault f;
	struct json d;
	struct buf b;
	int64_t best, t;
	size_t i;
	int k;

	(void)state;
	for (m = bombs; m < bombs + sizeof bombs / sizeof bombs[0]; m++) {
		buf_init(&b, LIMIT_BODY);
		buf_puts(&b, m->head);
		for (k = 0; k < m->count; k++) {
			const char *hole = strchr(m->part, '%');

			buf_put(&b, m->part, hole == NULL ? strlen(m->part) :
			    (size_t)(hole - m->part));
			if (hole != NULL) {
				buf_printf(&b, "%07d", k);
				buf_puts(&b, strchr(hole, 'd') + 1);
			}
		}
		buf_puts(&b, m->tail);
		assert_false(b.failed);
		for (i = 0, best = INT64_MAX; i < 3; i++) {
			alloc_mark();
			a = arena_new(LIMIT_ARENA);
			t = work_time();
			assert_int_equal(json_parse(&d, a, b.data, b.len, &f),
			    m->err);
			t = work_time() - t;
			arena_free(a);
			best = t < best ? t : best;
			if (b.len + alloc_peak() > 8 * b.len + KIB(256))
				fail_msg("%s: %zu bytes for %zu", m->name,
				    alloc_peak(), b.len);
		}
		if (!is_slow() && best > (int64_t)(b.len / 20) + 2000)
			fail_msg("%s: %lld us for %zu bytes", m->name,
			    (long long)best, b.len);
		buf_free(&b);
	}
}

/* Whatever allocation fails: a clear error, and nothing lost. */
static void
survives_lack_of_memory(void **state)
{
	struct arena *a;
	struct fault f;
	struct json d;
	struct buf b;
	size_t k, len;
	int i;

	(void)state;
	buf_init(&b, MIB(1));
	buf_puts(&b, "{\"first\":\"\\n\"");
	for (i = 0; i < 9000; i++)
		buf_printf(&b, ",\"\\u0061%d\":[%d]", i, i);
	buf_putc(&b, '}');
	assert_false(b.failed);
	for (k = 1;; k++) {
		alloc_fail(0);
		a = arena_new(LIMIT_ARENA);
		assert_non_null(a);
		memset(&f, 0, sizeof f);
		memset(&d, 0, sizeof d);
		alloc_fail(k);
		if (json_parse(&d, a, b.data, b.len, &f) != ERR_OK) {
			assert_int_equal(f.code, ERR_INTERNAL);
			assert_string_equal(f.text, "out of memory");
			assert_null(d.tape);
		} else {
			if (json_str(&d, 3, a, &len) == NULL)
				assert_true(alloc_failed());
			if (json_cstr(&d, 3, a) == NULL)
				assert_true(alloc_failed());
		}
		arena_free(a);
		if (!alloc_failed())
			break;
	}
	alloc_fail(0);
	assert_in_range(k, 4, 100);
	/* An arena that is too small says so too. */
	a = arena_new(KIB(64));
	assert_int_equal(json_parse(&d, a, b.data, b.len, &f), ERR_INTERNAL);
	arena_free(a);
	buf_free(&b);
}

/* Halves of characters become U+FFFD, and nothing else changes. */
static void
mends_escapes(void **state)
{
	static const char *const rows[][2] = {
		{ "\"plain\"", "\"plain\"" },
		{ "\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\"" },
		{ "\"\\ud83d\"", "\"\\ufffd\"" },
		{ "\"\\ude00x\"", "\"\\ufffdx\"" },
		{ "\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\"" },
		{ "\"\\uD83D\\u0041\"", "\"\\ufffd\\u0041\"" },
		{ "\"a\\u0000b\"", "\"a\\ufffdb\"" },
		{ "\"\\\\ud83d\"", "\"\\\\ud83d\"" },
		{ "\"\\\\\\ud83d\"", "\"\\\\\\ufffd\"" },
		{ "\"\\ud8", "\"\\ud8" },
		{ "\"\\", "\"\\" },
	};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(text, sizeof text, "%s", rows[i][0]);
		json_mend_escapes(text, strlen(text));
		assert_string_equal(text, rows[i][1]);
		assert_int_equal(json_bad_escape(text, strlen(text), 0),
		    strlen(text));
	}
}

/* JSON pointers, and what is none. */
static void
points(void **state)
{
	static const char text[] = "{\"a\":{\"b\":[10,{\"c\":11}]},\"\":12,"
	    "\"x/y\":13,\"m~n\":14,\"0\":15}";
	static const struct {
		const char *pointer;
		int64_t n; /* -1: nothing, or no number */
	} rows[] = {
		{ "/a/b/0", 10 }, { "/a/b/1/c", 11 }, { "/", 12 },
		{ "/x~1y", 13 }, { "/m~0n", 14 }, { "/0", 15 },
		{ "", -1 }, { "a", -1 }, { "/a/b/2", -1 }, { "/a/b/-", -1 },
		{ "/a/b/00", -1 }, { "/a/b/", -1 }, { "/a/b/x", -1 },
		{ "/a/b/99999999999999999999", -1 }, { "/a/c/d", -1 },
		{ "/m~2n", -1 }, { "/m~", -1 }, { "/a/b/0/x", -1 },
	};
	struct arena *a = arena_new(1 << 20);
	struct json doc;
	int64_t n;
	size_t i;

	(void)state;
	assert_int_equal(json_parse(&doc, a, text, sizeof text - 1, NULL),
	    ERR_OK);
	assert_int_equal(json_pointer(&doc, ""), JSON_ROOT);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!json_int(&doc, json_pointer(&doc, rows[i].pointer), &n))
			n = -1;
		if (n != rows[i].n)
			fail_msg("%s: %lld", rows[i].pointer, (long long)n);
	}
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_good_texts),
		cmocka_unit_test(refuses_bad_texts),
		cmocka_unit_test(refuses_cut_texts),
		cmocka_unit_test(refuses_twins),
		cmocka_unit_test(mends_escapes),
		cmocka_unit_test(cuts_long_paths),
		cmocka_unit_test(bounds_depth_and_length),
		cmocka_unit_test(reads_values),
		cmocka_unit_test(answers_absent),
		cmocka_unit_test(points),
		cmocka_unit_test(reads_whole_numbers),
		cmocka_unit_test(reads_doubles),
		cmocka_unit_test(draws_the_line_at_infinity),
		cmocka_unit_test(agrees_with_jsonc),
		cmocka_unit_test(agrees_on_broken_texts),
		cmocka_unit_test(survives_bombs),
		cmocka_unit_test(survives_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
