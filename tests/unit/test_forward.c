/* The pure parts around forwarding: errors read, rests asked, secrets blotted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/errors.h"
#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/credential.h"
#include "app/health.h"
#include "app/ratelimit.h"

static const struct token no_token = { "", "", "", "", 0 };

static void
test_errors(void **state)
{
	static const struct {
		int status;
		const char *body;
		unsigned fail;
		const char *message, *code;
	} rows[] = {
		{ 400, "{\"error\":{\"message\":\"m\",\"code\":\"c\"}}",
		    FAIL_REQUEST, "m", "c" },
		{ 400, "{\"error\":{\"message\":\"This model's maximum context "
		       "length is 8192 tokens\"}}",
		    FAIL_REQUEST | FAIL_CONTEXT,
		    "This model's maximum context length is 8192 tokens", "" },
		{ 400, "{\"error\":{\"message\":\"The input token count (9) "
		       "exceeds the maximum number of tokens allowed (8).\"}}",
		    FAIL_REQUEST | FAIL_CONTEXT, "The input token count (9) "
		    "exceeds the maximum number of tokens allowed (8).", "" },
		{ 400, "{\"error\":{\"message\":\"input length and "
		       "`max_tokens` exceed context limit: 9 + 2 > 10\"}}",
		    FAIL_REQUEST | FAIL_CONTEXT, "input length and "
		    "`max_tokens` exceed context limit: 9 + 2 > 10", "" },
		{ 400, "{\"error\":\"This model's maximum prompt length is 8\"}",
		    FAIL_REQUEST | FAIL_CONTEXT,
		    "This model's maximum prompt length is 8", "" },
		{ 500, "{\"error\":{\"code\":500,\"message\":"
		       "\"Context size has been exceeded.\"}}",
		    FAIL_SERVER | FAIL_CONTEXT,
		    "Context size has been exceeded.", "500" },
		{ 400, "{\"error\":{\"message\":"
		       "\"Output blocked by content filtering policy\"}}",
		    FAIL_REQUEST | FAIL_CONTENT,
		    "Output blocked by content filtering policy", "" },
		{ 400, "{\"error\":{\"code\":\"content_filter\","
		       "\"message\":\"no\"}}",
		    FAIL_REQUEST | FAIL_CONTENT, "no", "content_filter" },
		{ 400, "{\"code\":\"x\",\"error\":\"Incorrect API key "
		       "provided: ab\"}",
		    FAIL_AUTH, "Incorrect API key provided: ab", "x" },
		{ 401, "{\"message\":\"Unauthorized\"}", FAIL_AUTH,
		    "Unauthorized", "" },
		{ 402, "{}", FAIL_QUOTA, "", "" },
		{ 404, "{\"detail\":\"Not Found\"}", FAIL_MISSING,
		    "Not Found", "" },
		{ 422, "{\"detail\":[{\"msg\":\"field required\"}]}",
		    FAIL_REQUEST, "field required", "" },
		{ 429, "{\"error\":{\"message\":\"slow\",\"code\":429}}",
		    FAIL_RATE, "slow", "429" },
		{ 429, "{\"error\":{\"type\":\"insufficient_quota\","
		       "\"message\":\"pay\"}}",
		    FAIL_QUOTA, "pay", "" },
		{ 500, "{\"errors\":[{\"message\":\"oh\",\"code\":7}]}",
		    FAIL_SERVER, "oh", "7" },
		{ 502, "<html>no</html>", FAIL_SERVER, "", "" },
		{ 503, "", FAIL_SERVER | FAIL_OVERLOAD, "", "" },
		{ 529, "{\"error\":{\"type\":\"overloaded_error\"}}",
		    FAIL_SERVER | FAIL_OVERLOAD, "", "" },
		{ 400, "[{\"error\":{\"message\":\"g\",\"code\":400}}]",
		    FAIL_REQUEST, "g", "400" },
		{ 302, "moved", FAIL_BROKEN, "", "" },
		{ 0, "{\"error\":{\"message\":\"Overloaded\"}}",
		    FAIL_SERVER | FAIL_OVERLOAD, "Overloaded", "" },
		{ 0, "{\"error\":{\"message\":\"x\",\"code\":429}}", FAIL_RATE,
		    "x", "429" },
		{ 0, "{\"error\":\"boom\"}", FAIL_SERVER, "boom", "" },
		{ 200, "{\"error\":{\"message\":\"x\",\"code\":502}}",
		    FAIL_SERVER, "x", "502" },
	};
	struct arena *a = arena_new(MIB(1));
	struct upstream_error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		errors_classify(a, rows[i].status, rows[i].body,
		    strlen(rows[i].body), &e);
		assert_int_equal(e.fail, rows[i].fail);
		assert_string_equal(e.message, rows[i].message);
		assert_string_equal(e.code, rows[i].code);
	}
	arena_free(a);
}

static void
test_retry_after(void **state)
{
	const int64_t wall = INT64_C(1795342439) * 1000000; /* 2026-11-22 10:13:59 */
	static const struct {
		const char *ms, *value;
		int64_t want; /* µs */
	} rows[] = {
		{ NULL, NULL, -1 },
		{ NULL, "2", 2000000 },
		{ NULL, "0", 0 },
		{ NULL, "1.5", 1500000 },
		{ "250", "9", 250000 },
		{ "x", "9", 9000000 },
		{ NULL, "-1", -1 },
		{ NULL, "1000000000", 3600000000 },
		{ NULL, "soon", -1 },
		{ NULL, "2 ", -1 },
		{ NULL, "nan", -1 },
		{ NULL, "", -1 },
		{ NULL, "Sun, 22 Nov 2026 10:14:09 GMT", 10000000 },
		{ NULL, "Sun, 22 Nov 2026 09:00:00 GMT", 0 },
		{ NULL, "Sun, 22 Nov 2026 10:14:09 CET", -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_true(retry_after(rows[i].ms, rows[i].value, wall) ==
		    rows[i].want);
}

static void
test_redact(void **state)
{
	static const struct {
		const char *key, *text, *want;
	} rows[] = {
		{ "sk-abc/def+1", "bad key sk-abc/def+1 here",
		    "bad key ************ here" },
		{ "sk-abc/def+1", "sk-abc/def+1sk-abc/def+1",
		    "************************" },
		{ "sk-abc/def+1", "url sk-abc%2Fdef%2B1.",
		    "url ****************." },
		{ "sk-abc/def+1", "b64 c2stYWJjL2RlZisx!",
		    "b64 ****************!" },
		{ "sk-abc/def+12", "b64 c2stYWJjL2RlZisxMg==",
		    "b64 *****************g==" },
		{ "", "nothing to hide", "nothing to hide" },
	};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct provider p = { .key = rows[i].key };

		strncpy(text, rows[i].text, sizeof text - 1);
		text[sizeof text - 1] = '\0';
		credential_redact(&p, NULL, text);
		assert_string_equal(text, rows[i].want);
	}
}

static void
test_headers(void **state)
{
	const struct header own[] = { { "x-own", "1" } };
	struct provider p = { .key = "k", .auth = AUTH_BEARER,
		.auth_header = "", .organization = "org", .project = "prj",
		.headers = own, .header_count = 1 };
	struct arena *a = arena_new(MIB(1));
	struct http_call c = { .method = "POST" };

	(void)state;
	assert_int_equal(credential_add(a, &p, &no_token, 0, &c), ERR_OK);
	assert_int_equal(c.header_count, 5);
	assert_string_equal(c.headers[1].name, "authorization");
	assert_string_equal(c.headers[1].value, "Bearer k");
	assert_string_equal(c.headers[4].name, "x-own");
	c.header_count = 0;
	p.auth = AUTH_HEADER;
	p.auth_header = "api-key";
	assert_int_equal(credential_add(a, &p, &no_token, 0, &c), ERR_OK);
	assert_string_equal(c.headers[1].name, "api-key");
	assert_string_equal(c.headers[1].value, "k");
	c.header_count = 0;
	p.key = "";
	p.organization = p.project = "";
	p.header_count = 0;
	assert_int_equal(credential_add(a, &p, &no_token, 0, &c), ERR_OK);
	assert_int_equal(c.header_count, 1);
	/* Too many headers is an error, not an overrun. */
	c.header_count = sizeof c.headers / sizeof c.headers[0];
	assert_int_not_equal(credential_add(a, &p, &no_token, 0, &c), ERR_OK);
	arena_free(a);
}

/* Headers of an answer: pairs of name and value, NULL at the end. */
static const char *
get(void *arg, const char *name)
{
	const char *const *h = arg;

	for (; *h != NULL; h += 2)
		if (strcmp(h[0], name) == 0)
			return h[1];
	return NULL;
}

static void
test_ratelimits(void **state)
{
	static const struct {
		const char *headers[16];
		const char *want[RATELIMITS];
	} rows[] = {
		{ { "x-ratelimit-limit-requests", "15000",
		    "x-ratelimit-remaining-requests", "14999",
		    "x-ratelimit-reset-requests", "1h6m15.48s",
		    "x-ratelimit-limit-tokens", "33333.333333333336",
		    "x-ratelimit-remaining-tokens", "-1",
		    "x-ratelimit-reset-tokens", "864ms" },
		    { "15000", "14999", "1h6m15.48s", "33333", "", "864ms" } },
		{ { "anthropic-ratelimit-requests-limit", "4000",
		    "anthropic-ratelimit-requests-remaining", "3999",
		    "anthropic-ratelimit-requests-reset",
		    "2026-11-22T10:14:09Z",
		    "anthropic-ratelimit-tokens-reset",
		    "2026-11-22T09:00:00Z" },
		    { "4000", "3999", "10.000s", "", "", "0.000s" } },
		{ { "x-ratelimit-reset-tokens-minute", "2.566441774368286",
		    "x-ratelimit-limit-requests-minute", "500" },
		    { "500", "", "", "", "", "2.566s" } },
		{ { "x-ratelimit-limit-requests", "12x",
		    "x-ratelimit-limit-tokens", "",
		    "x-ratelimit-reset-tokens", "soon",
		    "x-ratelimit-reset-requests",
		    "1111111111111111111111111111s",
		    "x-ratelimit-remaining-tokens",
		    "99999999999999999999999" },
		    { "", "", "", "", "", "" } },
		{ { NULL }, { "", "", "", "", "", "" } },
	};
	const int64_t wall = INT64_C(1795342439) * 1000000;
	struct ratelimits r;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ratelimits_read(&r, get, (void *)(uintptr_t)rows[i].headers,
		    wall);
		for (k = 0; k < RATELIMITS; k++)
			assert_string_equal(r.value[k], rows[i].want[k]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_redact),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_ratelimits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
