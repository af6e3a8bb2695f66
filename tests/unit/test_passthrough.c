/*
 * Requests that go to a provider as they came: which paths do, which row of
 * the policy they are, what of a query goes on, and what an answer tells of
 * its cost.
 */
#include "tests/unit/policy_help.h"

#include "adapters/chat.h"
#include "app/base/limits.h"
#include "app/bounds.h"
#include "app/meter.h"
#include "app/passthrough.h"
#include "policy/passage.h"

#define USD INT64_C(1000000000)

/* ----------------------------------------------------------------- paths */

static const struct {
	const char *in, *out; /* out NULL: refused */
} paths[] = {
	{ "/files", "/files" },
	{ "/files/file-1.pdf", "/files/file-1.pdf" },
	{ "/a/b:c@d,e=f+g!h$i&j'k(l)m~n_o", "/a/b:c@d,e=f+g!h$i&j'k(l)m~n_o" },
	{ "/%66%69les/%41%5a%30", "/files/AZ0" },
	{ "/a%2D%5f%7e", "/a-_~" },
	{ "/.hidden/..a/a..", "/.hidden/..a/a.." },
	{ "", NULL },
	{ "/", NULL },
	{ "//", NULL },
	{ "files", NULL },
	{ "/files/", NULL },
	{ "//files", NULL },
	{ "/a//b", NULL },
	{ "/.", NULL },
	{ "/..", NULL },
	{ "/...", NULL },
	{ "/a/..", NULL },
	{ "/a/../b", NULL },
	{ "/a/./b", NULL },
	{ "/%2e", NULL },
	{ "/a/%2e%2e/b", NULL },
	{ "/a/.%2E/b", NULL },
	{ "/a%2e", NULL },
	{ "/a%2fb", NULL },
	{ "/a%2Fb", NULL },
	{ "/a%5cb", NULL },
	{ "/a\\b", NULL },
	{ "/a%252fb", NULL },
	{ "/a%25", NULL },
	{ "/a%00", NULL },
	{ "/a%0a", NULL },
	{ "/a%0d%0aHost:", NULL },
	{ "/a%20", NULL },
	{ "/a b", NULL },
	{ "/a\tb", NULL },
	{ "/a\x7f", NULL },
	{ "/a%3f", NULL },
	{ "/a?b", NULL },
	{ "/a#b", NULL },
	{ "/a%23", NULL },
	{ "/a;b", NULL },
	{ "/..;/a", NULL },
	{ "/a%3bb", NULL },
	{ "/a%3ab", NULL }, /* a verb of Google's would hide so */
	{ "/a%40b", NULL },
	{ "/a%2ab", NULL },
	{ "/a*", NULL },
	{ "/a[b]", NULL },
	{ "/a|b", NULL },
	{ "/a\"b", NULL },
	{ "/a<b", NULL },
	{ "/a%", NULL },
	{ "/a%4", NULL },
	{ "/a%4g", NULL },
	{ "/a%u0041", NULL },
	{ "/%c0%ae%c0%ae/a", NULL },
	{ "/%e0%80%af", NULL },
	{ "/%ef%bc%8f", NULL },
	{ "/\xc3\xa4", NULL },
	{ "/\xff", NULL },
};

static void
takes_one_form(void **state)
{
	char out[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		if (passage_path(paths[i].in, strlen(paths[i].in), out) !=
		    (paths[i].out != NULL))
			fail_msg("%s", paths[i].in);
		if (paths[i].out != NULL)
			assert_string_equal(out, paths[i].out);
	}
	assert_false(passage_path("/a\0b", 4, out));
	assert_false(passage_path("/a%4", 4, out)); /* nothing behind its end */
	assert_true(passage_path("/a%41", 2, out));
	assert_string_equal(out, "/a");
}

static void
bounds_length(void **state)
{
	char in[PASSAGE_PATH + 2], out[PASSAGE_PATH + 3];
	size_t i;

	(void)state;
	memset(in, 'a', sizeof in);
	in[0] = '/';
	assert_true(passage_path(in, PASSAGE_PATH, out));
	assert_false(passage_path(in, PASSAGE_PATH + 1, out));
	for (i = 0; i < 2 * (PASSAGE_SEGMENTS + 1); i += 2)
		memcpy(in + i, "/a", 2);
	assert_true(passage_path(in, 2 * PASSAGE_SEGMENTS, out));
	assert_false(passage_path(in, 2 * (PASSAGE_SEGMENTS + 1), out));
}

/* -------------------------------------------------------------- patterns */

static void
knows_patterns(void **state)
{
	static const struct {
		const char *pattern;
		bool good;
	} rows[] = {
		{ "/files", true }, { "/files/*", true }, { "/**", true },
		{ "/a*/b*c/**", true }, { "/m/*:go", true },
		{ "", false }, { "files", false }, { "/", false },
		{ "/a/", false }, { "/a//b", false }, { "/../a", false },
		{ "/**/a", false }, { "/a**", false }, { "/a/b**", false },
		{ "/***", false }, { "/**/**", false }, { "/a?b", false },
		{ "/a%41", false }, { "/a b", false }, { "/a;b", false },
		{ "/\xc3\xa4", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if ((passage_flaw(rows[i].pattern) == NULL) != rows[i].good)
			fail_msg("%s", rows[i].pattern);
}

static void
matches(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool is;
	} rows[] = {
		{ "/files", "/files", true },
		{ "/files", "/files2", false },
		{ "/files", "/file", false },
		{ "/files", "/files/a", false },
		{ "/Files", "/files", false },
		{ "/files/*", "/files/a", true },
		{ "/files/*", "/files", false },
		{ "/files/*", "/files/a/b", false },
		{ "/files/*", "/files/a:b", false },
		{ "/files/*/content", "/files/a/content", true },
		{ "/files/*/content", "/files/a/b/content", false },
		{ "/m/*:count", "/m/gemini-3:count", true },
		{ "/m/*:count", "/m/gemini-3:generate", false },
		{ "/m/*:count", "/m/a:b:count", false },
		{ "/m/*:count", "/m/:count", false },
		{ "/m/ft:*:*", "/m/ft:a:b", true },
		{ "/a*b*c", "/a1b2c", true },
		{ "/a*b*c", "/abbbc", true },
		{ "/a*b*c", "/abc", false },
		{ "/a*b", "/aXbXb", true },
		{ "/**", "/a", true },
		{ "/**", "/a/b:c/d", true },
		{ "/a/**", "/a/b/c", true },
		{ "/a/**", "/a", false },
		{ "/a/**", "/ab/c", false },
		{ "/*/x/**", "/a/x/b", true },
		{ "/*/x/**", "/a/b/x/c", false },
		{ "/*b/**", "/ab/c", true },
		{ "/*b/**", "/abb/c/d", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (passage_matches(rows[i].pattern, rows[i].path) !=
		    rows[i].is)
			fail_msg("%s %s", rows[i].pattern, rows[i].path);
}

static const char whole[] =
    "providers:\n"
    "  openai:\n"
    "    key: none\n"
    "    margin: 50 %\n"
    "    passthrough:\n"
    "      - /models\n"
    "      - { path: /files/*, methods: DELETE, price: { request: 0.1 } }\n"
    "      - { path: /files/**, methods: [ GET, PUT ] }\n"
    "      - path: /jobs\n"
    "        methods: POST\n"
    "        price: { input: 1, output: 2, second: 0.5, request: 0.001 }\n"
    "        units:\n"
    "          input: { at: /usage/in, at_most: 1k }\n"
    "          output: { at: /usage/out, at_most: 100 }\n"
    "          second: { at: /took/0/s, at_most: 60 }\n"
    "  anthropic: { key: none }\n"
    "tiers: { pro: { passthrough: [ openai ] } }\n"
    "keys:\n"
    "  - { name: none, secret: env:VK1 }\n"
    "  - { name: own, tier: pro, secret: env:VK2, passthrough: \"a*\" }\n"
    "  - { name: tiered, tier: pro, secret: env:VK3 }\n";

static const struct vkey *
key_of(const struct policy *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->key_count; i++)
		if (strcmp(p->keys[i].name, name) == 0)
			return &p->keys[i];
	fail_msg("no key %s", name);
	return NULL;
}

static void
finds_rows(void **state)
{
	struct policy *p = load_good(whole);
	const struct provider *o = policy_provider(p, "openai", 6);
	const struct passage *row;
	unsigned methods;

	(void)state;
	assert_int_equal(o->passage_count, 4);
	assert_int_equal(policy_provider(p, "anthropic", 9)->passage_count, 0);
	row = passage_find(o, "/models", "GET", &methods);
	assert_ptr_equal(row, &o->passages[0]);
	assert_false(row->price.known);
	assert_null(passage_find(o, "/models", "POST", &methods));
	assert_int_equal(methods, METHOD_GET);
	row = passage_find(o, "/files/a", "DELETE", &methods);
	assert_int_equal(price_rate(&row->price, UNIT_REQUEST, 0),
	    USD * 15 / 100);
	assert_ptr_equal(passage_find(o, "/files/a", "PUT", &methods),
	    &o->passages[2]);
	assert_null(passage_find(o, "/files/a", "POST", &methods));
	assert_int_equal(methods, METHOD_GET | METHOD_PUT | METHOD_DELETE);
	assert_null(passage_find(o, "/files/a", "BREW", &methods));
	assert_null(passage_find(o, "/nothing", "GET", &methods));
	assert_int_equal(methods, 0);
	policy_unref(p);
}

static void
grants(void **state)
{
	struct policy *p = load_good(whole);

	(void)state;
	assert_false(vkey_passes(key_of(p, "none"), "openai"));
	assert_true(vkey_passes(key_of(p, "tiered"), "openai"));
	assert_false(vkey_passes(key_of(p, "tiered"), "anthropic"));
	assert_true(vkey_passes(key_of(p, "own"), "anthropic"));
	assert_false(vkey_passes(key_of(p, "own"), "openai"));
	policy_unref(p);
}

/* Rows without a price, where money is counted: a word to the policy. */
static void
warns(void **state)
{
	static const struct {
		const char *rows, *key;
		bool warned;
	} cases[] = {
		{ "/a", "passthrough: openai, budget: 1 USD / day", true },
		{ "[ { path: /a, price: { request: 0 } }, /b ]",
		    "passthrough: \"*\", budget: 1 USD / day", true },
		{ "{ path: /a, price: { request: 0 } }",
		    "passthrough: openai, budget: 1 USD / day", false },
		{ "/a", "passthrough: openai", false },
		{ "/a", "budget: 1 USD / day", false },
		{ "/a, budget: 1 USD / day", "passthrough: openai", true },
	};
	char text[400], *said;
	struct policy *p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(text, sizeof text, "providers: { openai: { key: none, "
		    "passthrough: %s } }\nkeys: [ { name: k, secret: env:VK1, "
		    "%s } ]\n", cases[i].rows, cases[i].key);
		p = load_text(text, &said);
		if (p == NULL || (strstr(said, "providers.openai.passthrough: "
		    "warning: the price of '/") != NULL) != cases[i].warned)
			fail_msg("%s%s", text, said);
		free(said);
		policy_unref(p);
	}
}

/* --------------------------------------------------------------- queries */

static void
queries(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} rows[] = {
		{ "", "" },
		{ "a=1&b=2", "a=1&b=2" },
		{ "a&b=&=c", "a&b=&=c" },
		{ "&&a=1&&", "a=1" },
		{ "a=b+c%20d%2Be", "a=b%20c%20d%2Be" },
		{ "a[]=1&b=/:,", "a%5B%5D=1&b=%2F%3A%2C" },
		{ "a=%c3%a4#b", "a=%C3%A4%23b" },
		{ "key=tg_x", "" },
		{ "a=1&key=x&b=2", "a=1&b=2" },
		{ "KEY=x&%6b%65y=y&key", "" },
		{ "a=key&keys=1", "a=key&keys=1" },
		{ "page_token=x", "page_token=x" },
		{ "access_token=x", NULL },
		{ "Access%5Ftoken=x", NULL },
		{ "api-key=x", NULL },
		{ "a=1&X-Amz-Date=1", NULL },
		{ "$httpMethod=DELETE", NULL },
		{ "%24HTTPheaders=a", NULL },
		{ "$filter=a", "%24filter=a" },
		{ "_method=PUT", NULL },
		{ "a=%", NULL },
		{ "a=%0a", NULL },
		{ "a%00=1", NULL },
		{ "a=%zz", NULL },
	};
	struct arena *a = arena_new(1 << 20);
	struct fault f;
	const char *out;
	enum err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		e = passthrough_query(a, rows[i].in, &out, &f);
		if ((e == ERR_OK) != (rows[i].out != NULL))
			fail_msg("%s", rows[i].in);
		if (e == ERR_OK)
			assert_string_equal(out, rows[i].out);
		else
			assert_int_equal(e, ERR_BAD_REQUEST);
	}
	arena_free(a);
}

/* ------------------------------------------------------------------ money */

/* What an answer of that type, in pieces of that length, comes to. */
static struct usage
metered(const struct passage *p, const char *type, const char *body,
    size_t piece)
{
	struct arena *scratch = arena_new(1 << 20);
	size_t len = strlen(body), i;
	struct meter m;
	struct usage u;

	meter_begin(&m, p, type, scratch);
	for (i = 0; i < len; i += piece)
		meter_feed(&m, body + i, len - i < piece ? len - i : piece);
	meter_end(&m, &u);
	meter_free(&m);
	arena_free(scratch);
	assert_true(u.known);
	return u;
}

static void
meters(void **state)
{
	static const char sse[] = "text/event-stream; charset=utf-8";
	static const char json[] = "application/problem+json";
	static const struct {
		const char *type, *body;
		int64_t input, output, second;
		bool estimated;
	} rows[] = {
		{ json, "{\"usage\":{\"in\":7,\"out\":8},\"took\":[{\"s\":1.01"
			"}]}", 7, 8, 2, false },
		{ json, "{\"usage\":{\"in\":0,\"out\":0},\"took\":[{\"s\":0}]}",
		    0, 0, 0, false },
		{ json, "{\"usage\":{\"in\":7,\"out\":400},\"took\":[{\"s\":241"
			"}]}", 7, 400, 60, true },
		{ json, "{\"usage\":{\"in\":4001,\"out\":-1},\"took\":[]}",
		    1000, 100, 60, true },
		{ json, "{\"usage\":{\"in\":1e300,\"out\":\"8\"}}", 1000, 100,
		    60, true },
		{ json, "{\"usage\":{\"in\":7,\"out\":8}", 1000, 100, 60,
		    true },
		{ json, "", 1000, 100, 60, true },
		{ "text/plain", "{\"usage\":{\"in\":7,\"out\":8}}", 1000, 100,
		    60, true },
		{ NULL, "{\"usage\":{\"in\":7,\"out\":8}}", 1000, 100, 60,
		    true },
		{ sse, "data: {\"usage\":{\"in\":1}}\n\n"
		       "data: {\"usage\":{\"in\":2,\"out\":3}}\n\ndata: x\n\n"
		       "data: {\"took\":[{\"s\":4}]}\n\ndata: [DONE]\n\n", 2, 3,
		    4, false },
		{ "application/x-ndjson", "{\"usage\":{\"in\":5}}\n"
		       "{\"usage\":{\"out\":6}}\n{\"took\":[{\"s\":7}]}", 5, 6,
		    7, false },
	};
	struct policy *p = load_good(whole);
	const struct passage *row =
	    &policy_provider(p, "openai", 6)->passages[3];
	struct usage u;
	size_t i, piece;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (piece = 1; piece < 100; piece += 13) {
			u = metered(row, rows[i].type, rows[i].body, piece);
			if (u.n[UNIT_INPUT] != rows[i].input ||
			    u.n[UNIT_OUTPUT] != rows[i].output ||
			    u.n[UNIT_SECOND] != rows[i].second ||
			    u.estimated != rows[i].estimated)
				fail_msg("row %zu: %lld %lld %lld", i,
				    (long long)u.n[UNIT_INPUT],
				    (long long)u.n[UNIT_OUTPUT],
				    (long long)u.n[UNIT_SECOND]);
		}
	u = metered(&policy_provider(p, "openai", 6)->passages[1], json, "{}",
	    1);
	assert_false(u.estimated); /* nothing is counted there */
	policy_unref(p);
}

/* A body beyond the bound is given on, and its cost is the bound. */
static void
meters_no_more(void **state)
{
	struct policy *p = load_good(whole);
	const struct passage *row =
	    &policy_provider(p, "openai", 6)->passages[3];
	size_t size = LIMIT_METERED + 100, tail;
	char *body = malloc(size + 1);
	static const char end[] = "\",\"usage\":{\"in\":7,\"out\":8},"
	    "\"took\":[{\"s\":1}]}";
	struct usage u;

	(void)state;
	assert_non_null(body);
	memset(body, 'x', size);
	memcpy(body, "{\"a\":\"", 6);
	tail = sizeof end - 1;
	memcpy(body + size - tail, end, tail + 1);
	u = metered(row, "application/json", body, 65536);
	assert_int_equal(u.n[UNIT_INPUT], 1000);
	assert_true(u.estimated);
	free(body);
	policy_unref(p);
}

/* What is held covers whatever is settled. */
static void
holds(void **state)
{
	struct policy *p = load_good(whole);
	const struct passage *row =
	    &policy_provider(p, "openai", 6)->passages[3];
	struct raw raw = { .passage = row };
	struct chat chat = { .raw = &raw, .task.door = "passthrough" };
	struct deployment d = { .model = "", .price = row->price };
	struct bounds b;
	struct usage most;
	size_t i;

	(void)state;
	for (i = 0; i < row->measure_count; i++)
		chat.task.most[row->measures[i].unit] =
		    row->measures[i].at_most;
	assert_int_equal(bounds_set(&b, NULL, &chat, &d, 1, NULL), ERR_OK);
	assert_int_equal(b.input, 1000);
	assert_int_equal(b.output, 100);
	meter_most(row, &most);
	most.n[UNIT_REQUEST] = 1;
	/* 1000 × 1.5 + 100 × 3 USD a million, 60 × 0.75, 0.0015 */
	assert_int_equal(price_cost(&row->price, &most),
	    1500000 + 300000 + 45 * USD + 1500000);
	assert_int_equal(bounds_cost(&b, &d), price_cost(&row->price, &most));
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_one_form),
		cmocka_unit_test(bounds_length),
		cmocka_unit_test(knows_patterns),
		cmocka_unit_test(matches),
		cmocka_unit_test(finds_rows),
		cmocka_unit_test(grants),
		cmocka_unit_test(warns),
		cmocka_unit_test(queries),
		cmocka_unit_test(meters),
		cmocka_unit_test(meters_no_more),
		cmocka_unit_test(holds),
	};

	setenv("VK1", "a-secret-of-some-length-1", 1);
	setenv("VK2", "a-secret-of-some-length-2", 1);
	setenv("VK3", "a-secret-of-some-length-3", 1);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
