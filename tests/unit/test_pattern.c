/* Regular expressions with a bound on what they cost, and scripts of text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/base/limits.h"
#include "policy/pattern.h"
#include "policy/script.h"

/* Microseconds of the processor: others may be at work. */
static int64_t
clock_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool
found(const char *pattern, const char *text)
{
	char why[200] = "";
	struct pattern *p = pattern_new(pattern, why, sizeof why);
	bool yes;

	if (p == NULL)
		fail_msg("%s: %s", pattern, why);
	yes = pattern_match(p, text, strlen(text), NULL);
	assert_int_equal(pattern_given_up(p), 0);
	pattern_free(p);
	return yes;
}

static void
finds(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool yes;
	} rows[] = {
		{ "faq", "see the faq", true },
		{ "faq", "see the FAQ", false },
		{ "(?i)faq|opening hours", "When are your Opening Hours?",
		  true },
		{ "(?i)straße", "STRASSE, STRAßE", true },
		{ "(?i)ÄRZTE", "ärzte", true },
		{ "^hello", "well\nhello", false },
		{ "(?m)^hello", "well\nhello", true },
		{ "a.c", "a\nc", false },
		{ "(?s)a.c", "a\nc", true },
		{ "^.$", "\xe6\xbc\xa2", true }, /* one character */
		{ "\\bk\xc3\xb6ln\\b", "in k\xc3\xb6ln.", true },
		{ "\\bk\\b", "k\xc3\xb6ln", false }, /* ö is a letter */
		{ "\\p{Han}{2}", "\xe6\xbc\xa2\xe5\xad\x97", true },
		{ "(\\w)\\1{3}", "hmmmm", true },
		{ "", "anything", true },
		{ "x", "", false },
		{ "x(?C1)y", "xy", true }, /* a callout of the writer's own */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (found(rows[i].pattern, rows[i].text) != rows[i].yes)
			fail_msg("%s in %s", rows[i].pattern, rows[i].text);
}

static void
refuses(void **state)
{
	static const struct {
		const char *pattern, *why;
	} rows[] = {
		{ "(ab", "missing closing parenthesis (at byte 3)" },
		{ "*", "quantifier does not follow a repeatable item (at byte "
		       "0)" },
		{ "[z-a]", "range out of order in character class (at byte "
			   "3)" },
		{ "\\Ca", "using \\C is disabled by the application (at byte "
			  "2)" },
		{ "\xff", NULL },
		{ "\\p{Klingon}", NULL },
		{ "(?:(?:ab){1000}){1000}", NULL },
	};
	char why[200], deep[LIMIT_PATTERN + 2];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		why[0] = '\0';
		if (pattern_new(rows[i].pattern, why, sizeof why) != NULL)
			fail_msg("%s", rows[i].pattern);
		assert_true(why[0] != '\0');
		if (rows[i].why != NULL)
			assert_string_equal(why, rows[i].why);
	}
	memset(deep, '(', 60);
	memset(deep + 60, ')', 60);
	deep[120] = '\0';
	assert_null(pattern_new(deep, why, sizeof why));
	memset(deep, 'a', sizeof deep - 1);
	deep[LIMIT_PATTERN + 1] = '\0';
	assert_null(pattern_new(deep, why, sizeof why));
	deep[LIMIT_PATTERN] = '\0';
	pattern_free(pattern_new(deep, why, sizeof why));
	pattern_free(NULL);
}

/* A text of one word again and again, with something behind it. */
static char *
repeated(const char *word, size_t len, const char *end)
{
	char *s = malloc(len + strlen(end) + 1);
	size_t i, n = strlen(word);

	assert_non_null(s);
	for (i = 0; i < len; i++)
		s[i] = word[i % n];
	strcpy(s + len, end);
	return s;
}

/* The plainest of patterns against the nastiest of texts. */
static void
costs_little(void **state)
{
	static const struct {
		const char *pattern, *word, *end;
	} rows[] = {
		{ "(a+)+$", "a", "!" },
		{ "(foo|bar).*(baz|qux)", "foo ", "" },
		{ "a+[bc]", "a", "" },
		{ "[\\w.]+@[\\w.]+\\.com", "a", " @" },
		{ "(\\w+\\s?)*:", "word ", "" },
		{ "(?:a?){200}a{200}z|y", "a", "" },
		{ "(.*)\\1{3}z|y", "ab", "" },
		{ "((a|b)*c|(a|b)*d)*e|y", "ab", "" },
		{ "(?=(\\w*))\\1z|y", "abc", "" },
		{ "\\X+z|y", "e\xcc\x81", "" },
		{ "(?<=a{3})b*c|y", "aab", "" },
		{ "(\\((?:[^()]|(?1))*\\))z|y", "(", "" },
		{ "\\p{L}+\\d", "\xc3\xb6", "" },
	};
	struct pattern *p;
	char why[200], *text;
	const int64_t bound = getenv("TESTS_EMULATED") != NULL ? 20000000 :
		200000; /* it would be hours */
	int64_t start, took, most = 0;
	uint64_t given_up = 0;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		p = pattern_new(rows[i].pattern, why, sizeof why);
		if (p == NULL)
			fail_msg("%s: %s", rows[i].pattern, why);
		text = repeated(rows[i].word, LIMIT_PROMPT_SEEN - 32,
		    rows[i].end);
		start = clock_cpu();
		assert_false(pattern_match(p, text, strlen(text), NULL));
		took = clock_cpu() - start;
		if (took > most)
			most = took;
		print_message("%8lld us%s: %s\n", (long long)took,
		    pattern_given_up(p) > 0 ? ", given up" : "",
		    rows[i].pattern);
		given_up += pattern_given_up(p);
		free(text);
		pattern_free(p);
	}
	assert_true(given_up > 0);
	print_message("dearest match: %lld us\n", (long long)most);
	assert_true(most < bound);
}

/* What people look for in what people write is never given up. */
static void
ordinary(void **state)
{
	static const char page[] =
	    "Dear team, I ordered two lamps on 3 March (no. 4711-0815) and "
	    "only one of them came. Could you tell me where the other one "
	    "is? My address is still Goethestra\xc3\x9f" "e 12, K\xc3\xb6ln; "
	    "write to ann.example at mail.example or call +49 221 555 01 any "
	    "day from 9 to 17. If it is lost I would rather have my money "
	    "back, thank you. \xe8\xaf\xb7\xe7\xad\x94\xe5\xa4\x8d\n";
	static const char *const patterns[] = {
		"(?i)faq|opening hours",
		"(?i)\\b(refund|invoice|credit note)s?\\b",
		"\\b[\\w.+-]+@[\\w-]+\\.[\\w.]+\\b",
		"(?:\\d[ -]?){13,16}",
		"(\\w+\\s+){3}never",
		"\\b\\w+ing\\s+\\w+ed\\b",
		"(?s)BEGIN.*END",
		"(?i)(how|what|why).{0,80}(cancel|terminate)",
		"[\\p{Han}\\p{Hiragana}]{20,}",
		"^\\s*(SELECT|INSERT|UPDATE)\\b",
		"(?m)^(#|//|\\*).*TODO",
		"(?<!\\d)\\d{3}-\\d{2}-\\d{4}(?!\\d)",
	};
	size_t size = (LIMIT_PROMPT_SEEN / (sizeof page - 1)) *
	    (sizeof page - 1), i;
	char why[200], *text = repeated(page, size, "");
	struct pattern *p;
	int64_t start, took;

	(void)state;
	for (i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		p = pattern_new(patterns[i], why, sizeof why);
		if (p == NULL)
			fail_msg("%s: %s", patterns[i], why);
		start = clock_cpu();
		assert_false(pattern_match(p, text, strlen(text), NULL));
		took = clock_cpu() - start;
		print_message("%8lld us: %s\n", (long long)took, patterns[i]);
		assert_int_equal(pattern_given_up(p), 0);
		pattern_free(p);
	}
	free(text);
}

/* Only the end of a long text is looked at, from a whole character on. */
static void
looks_at_the_end(void **state)
{
	struct pattern *p = pattern_new("^\xc3\xb6|needle", (char[80]){ 0 },
	    80);
	size_t len = LIMIT_PROMPT_SEEN + 1001;
	char *text = repeated("\xc3\xb6", len - 1, "");
	const char *end;

	(void)state;
	assert_non_null(p);
	assert_true(pattern_match(p, text, len - 1, NULL));
	len = strlen(text);
	end = text_end(text, &len, LIMIT_PROMPT_SEEN);
	assert_int_equal(len, LIMIT_PROMPT_SEEN);
	assert_ptr_equal(end, text + 1000);
	len = strlen(text) - 1; /* half a character at the end */
	end = text_end(text, &len, LIMIT_PROMPT_SEEN);
	assert_int_equal(len, LIMIT_PROMPT_SEEN - 1);
	assert_false(pattern_match(p, text, strlen(text) - 1, NULL));
	memset(text, 'x', strlen(text));
	memcpy(text, "needle", 6);
	assert_false(pattern_match(p, text, strlen(text), NULL));
	memcpy(text + 1100, "needle", 6);
	assert_true(pattern_match(p, text, strlen(text), NULL));
	len = 3;
	assert_ptr_equal(text_end(text, &len, 3), text);
	assert_int_equal(len, 3);
	free(text);
	pattern_free(p);
}

static bool
written(enum script_id id, const char *text, unsigned share)
{
	struct script *s = script_new(id);
	bool yes;

	assert_non_null(s);
	yes = script_match(s, text, strlen(text), share);
	script_free(s);
	return yes;
}

static void
scripts(void **state)
{
	static const struct {
		enum script_id id;
		const char *text;
	} rows[] = {
		{ SCRIPT_Latin, "Guten Tag, K\xc3\xb6ln! Ti\xe1\xba\xbfng" },
		{ SCRIPT_Cyrillic, "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5"
			"\xd1\x82, 123" },
		{ SCRIPT_Greek, "\xce\xba\xce\xb1\xce\xbb\xce\xb7" },
		{ SCRIPT_Han, "\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c"
			"\xe4\xb8\x96\xe7\x95\x8c 42" },
		{ SCRIPT_Hiragana, "\xe3\x81\x93\xe3\x82\x93" },
		{ SCRIPT_Katakana, "\xe3\x82\xab\xe3\x83\xbc" },
		{ SCRIPT_Japanese, "\xe6\xbc\xa2\xe5\xad\x97\xe3\x81\xae"
			"\xe3\x82\xab" },
		{ SCRIPT_Hangul, "\xec\x95\x88\xeb\x85\x95" },
		{ SCRIPT_Korean, "\xec\x95\x88\xe6\xbc\xa2" },
		{ SCRIPT_Arabic, "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7" },
		{ SCRIPT_Hebrew, "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d" },
		{ SCRIPT_Thai, "\xe0\xb8\xaa\xe0\xb8\xa7\xe0\xb8\xb1\xe0\xb8"
			"\xaa\xe0\xb8\x94\xe0\xb8\xb5" },
		{ SCRIPT_Devanagari, "\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8"
			"\xe0\xa5\x8d\xe0\xa4\xa4\xe0\xa5\x87 123" },
		{ SCRIPT_Bengali, "\xe0\xa6\xa8\xe0\xa6\xae" },
		{ SCRIPT_Tamil, "\xe0\xae\xb5\xe0\xae\xa3\xe0\xae\x95" },
	};
	size_t i;
	int id;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (!written(rows[i].id, rows[i].text, 100))
			fail_msg("%s: %s", script_name(rows[i].id),
			    rows[i].text);
	for (id = 0; id < SCRIPTS; id++) /* all can be made; none is pictures */
		assert_false(written((enum script_id)id,
		    "42 \xf0\x9f\x98\x80 \xe0\xa5\xa7\xcc\x81", 1));
	assert_string_equal(script_name(SCRIPT_Han), "Han");
}

static void
script_shares(void **state)
{
	/* 4 letters of Latin, 2 of Han; figures and marks are none */
	static const char mixed[] = "ab 12 cd e\xcc\x81"
	    "\xe6\xbc\xa2\xe5\xad\x97 \xe3\x80\x82";
	struct script *s = script_new(SCRIPT_Han);
	char *text = repeated("ab ", 3 * LIMIT_SCRIPT_SEEN, "");
	int64_t start;

	(void)state;
	assert_true(written(SCRIPT_Han, mixed, 28)); /* 2 of 7 */
	assert_false(written(SCRIPT_Han, mixed, 29));
	assert_true(written(SCRIPT_Latin, mixed, 71));
	assert_false(written(SCRIPT_Latin, mixed, 72));
	assert_false(written(SCRIPT_Latin, "", 1));
	assert_false(written(SCRIPT_Latin, "ab\xff", 1));
	assert_non_null(s);
	start = clock_cpu();
	assert_false(script_match(s, text, strlen(text), 1));
	print_message("letters of %zu bytes: %lld us\n",
	    (size_t)LIMIT_SCRIPT_SEEN, (long long)(clock_cpu() - start));
	/* what stands before the part that is looked at counts for nothing */
	memcpy(text, "\xe6\xbc\xa2", 3);
	assert_false(script_match(s, text, strlen(text), 1));
	script_free(s);
	script_free(NULL);
	free(text);
}

/* Many dear patterns of one request cost no more than a few. */
static void
test_sum(void **state)
{
	struct pattern *dear = pattern_new("(foo|bar).*(baz|qux)", NULL, 0);
	struct pattern *cheap = pattern_new("needle", NULL, 0);
	int64_t left = PATTERN_STEPS;
	char *text = malloc(KIB(64) + 8);
	clock_t began = clock();
	double took;
	size_t i;

	(void)state;
	for (i = 0; i < KIB(64); i += 4)
		memcpy(text + i, "foo ", 4);
	memcpy(text + KIB(64) - 8, "needle  ", 9);
	for (i = 0; i < 1000; i++)
		assert_false(pattern_match(dear, text, KIB(64), &left));
	took = (double)(clock() - began) / CLOCKS_PER_SEC;
	print_message("1,000 dear patterns on 64 KiB: %.2f s of CPU\n", took);
	assert_true(left <= 0);
	assert_true(took < (getenv("TESTS_EMULATED") != NULL ? 50.0 : 5.0));
	/* What is cheap still works: nothing slips past it. */
	assert_true(pattern_match(cheap, text, KIB(64), &left));
	free(text);
	pattern_free(dear);
	pattern_free(cheap);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(refuses),
		cmocka_unit_test(costs_little),
		cmocka_unit_test(ordinary),
		cmocka_unit_test(looks_at_the_end),
		cmocka_unit_test(scripts),
		cmocka_unit_test(script_shares),
		cmocka_unit_test(test_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
