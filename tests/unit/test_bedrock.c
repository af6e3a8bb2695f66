/*
 * What the recordings do not reach of Bedrock: meanings of errors, families
 * of models, envelopes, signatures by HMAC and what of secrets is blotted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/bedrock.h"
#include "adapters/envelope.h"
#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/credential.h"

static void
test_errors(void **state)
{
	static const struct {
		int status;
		const char *message;
		unsigned fail;
	} rows[] = {
		{ 429, "Too many tokens, please wait before trying again.",
		    FAIL_RATE },
		{ 400, "Input is too long for requested model.",
		    FAIL_REQUEST | FAIL_CONTEXT },
		{ 400, "The provided model identifier is invalid.",
		    FAIL_MISSING },
		{ 400, "Invocation of model ID x with on-demand throughput "
		       "isn't supported.", FAIL_MISSING },
		{ 400, "Malformed input request", FAIL_REQUEST },
		{ 403, "The security token included in the request is "
		       "expired", FAIL_AUTH },
		{ 404, "Could not resolve the foundation model",
		    FAIL_MISSING },
		{ 408, "Model timeout", FAIL_TIMEOUT },
		{ 424, "The model failed", FAIL_SERVER },
		{ 500, "oh", FAIL_SERVER },
		{ 503, "busy", FAIL_SERVER | FAIL_OVERLOAD },
	};
	struct arena *a = arena_new(MIB(1));
	struct upstream_error e;
	const char *body;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		body = arena_printf(a, "{\"message\":\"%s\"}",
		    rows[i].message);
		bedrock_classify(a, rows[i].status, body, strlen(body), &e);
		assert_string_equal(e.message, rows[i].message);
		assert_int_equal(e.fail, rows[i].fail);
	}
	arena_free(a);
}

static void
test_families(void **state)
{
	static const struct {
		const char *model;
		enum bedrock_think think;
		bool top_k;
	} rows[] = {
		{ "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
		    THINK_BUDGET, true },
		{ "anthropic.claude-sonnet-4-20250514-v1:0", THINK_BUDGET,
		    true },
		{ "global.anthropic.claude-opus-4-6-v1", THINK_ADAPTIVE,
		    true },
		{ "amazon.nova-2-lite-v1:0", THINK_NOVA, true },
		{ "amazon.nova-pro-v1:0", THINK_UNKNOWN, true },
		{ "openai.gpt-oss-20b-1:0", THINK_WORD, false },
		{ "meta.llama3-1-8b-instruct-v1:0", THINK_UNKNOWN, false },
		{ "", THINK_UNKNOWN, false },
	};
	struct deployment d = { .id = "p/m" };
	uint64_t takes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		d.model = rows[i].model;
		takes = adapter_bedrock.takes_of(&d);
		assert_int_equal(bedrock_family(d.model)->think,
		    rows[i].think);
		assert_int_equal((takes & PARAM_BIT(TOP_K)) != 0,
		    rows[i].top_k);
		assert_int_equal((takes & PARAM_BIT(EFFORT)) != 0,
		    rows[i].think != THINK_UNKNOWN);
	}
}

#define SAMPLING \
	(PARAM_BIT(TEMPERATURE) | PARAM_BIT(TOP_P) | PARAM_BIT(TOP_K))
#define THINKING (PARAM_BIT(EFFORT) | PARAM_BIT(THINK_BUDGET))

/* What thinking excludes, and what excludes thinking, is named. */
static void
test_unsaid(void **state)
{
	static const struct {
		const char *model, *origin; /* of the turn's reasoning */
		bool calls;
		enum effort effort;
		enum tool_choice choice;
		int64_t max_output;
		uint64_t want;
	} rows[] = {
		{ "claude-sonnet-4-5", NULL, false, EFFORT_UNSET, CHOICE_AUTO,
		    9000, 0 },
		{ "claude-sonnet-4-5", NULL, false, EFFORT_NONE, CHOICE_AUTO,
		    9000, 0 },
		{ "claude-sonnet-4-5", NULL, false, EFFORT_HIGH, CHOICE_AUTO,
		    9000, SAMPLING },
		{ "claude-sonnet-4-5", NULL, false, EFFORT_HIGH, CHOICE_AUTO,
		    1000, THINKING },
		{ "claude-sonnet-4-5", NULL, false, EFFORT_HIGH,
		    CHOICE_REQUIRED, 9000, THINKING },
		{ "claude-sonnet-4-5", NULL, true, EFFORT_HIGH, CHOICE_AUTO,
		    9000, THINKING },
		{ "claude-sonnet-4-5", "anthropic", true, EFFORT_HIGH,
		    CHOICE_AUTO, 9000, THINKING },
		{ "claude-sonnet-4-5", "bedrock", true, EFFORT_HIGH,
		    CHOICE_AUTO, 9000, SAMPLING },
		{ "claude-opus-4-7", NULL, true, EFFORT_LOW, CHOICE_AUTO, 0,
		    THINKING },
		{ "claude-opus-4-7", "bedrock", true, EFFORT_LOW, CHOICE_AUTO,
		    0, SAMPLING },
		{ "amazon.nova-2-lite-v1:0", NULL, true, EFFORT_HIGH,
		    CHOICE_AUTO, 9000, 0 },
	};
	struct part parts[] = {
		{ .kind = PART_REASONING, .text = { "hm", 2 },
		    .signature = { "s", 1 } },
		{ .kind = PART_CALL },
	};
	struct part result = { .kind = PART_RESULT };
	struct message turns[] = {
		{ .role = ROLE_ASSISTANT, .parts = parts },
		{ .role = ROLE_USER, .parts = &result, .part_count = 1 },
	};
	struct chat chat = { .messages = turns, .message_count = 2 };
	struct deployment d = { .id = "p/m" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		d.model = rows[i].model;
		parts[0].origin = rows[i].origin;
		turns[0].part_count = rows[i].calls ? 2 : 1;
		chat.effort = rows[i].effort;
		chat.tool_choice = rows[i].choice;
		chat.max_output = rows[i].max_output;
		assert_int_equal(bedrock_unsaid(&chat, &d), rows[i].want);
	}
}

static void
test_envelope(void **state)
{
	static const struct {
		const char *data;
		bool failure;
		enum err err;
		const char *want;
	} rows[] = {
		{ "{\"bytes\":\"e30=\",\"p\":\"abc\"}", false, ERR_OK, "{}" },
		{ "{\"bytes\":\"e30K\"}", false, ERR_OK, "{}\n" },
		{ "{\"bytes\":\"eA==\"}", false, ERR_OK, "x" },
		{ "{\"bytes\":\"\"}", false, ERR_BAD_UPSTREAM, "" },
		{ "{\"bytes\":\"e30\"}", false, ERR_BAD_UPSTREAM, "" },
		{ "{\"bytes\":\"e3-_\"}", false, ERR_BAD_UPSTREAM, "" },
		{ "{\"bytes\":\"====\"}", false, ERR_BAD_UPSTREAM, "" },
		{ "{\"bytes\":7}", false, ERR_BAD_UPSTREAM, "" },
		{ "{}", false, ERR_BAD_UPSTREAM, "" },
		{ "no", false, ERR_BAD_UPSTREAM, "" },
		{ "{\"message\":\"slow\"}", true, ERR_OK,
		    "{\"error\":{\"type\":\"t\",\"message\":\"slow\"}}" },
		{ "no", true, ERR_OK,
		    "{\"error\":{\"type\":\"t\",\"message\":\"\"}}" },
	};
	struct arena *a = arena_new(MIB(1));
	struct sse_event ev, out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ev = (struct sse_event){ .name = "t", .data = rows[i].data,
			.len = strlen(rows[i].data),
			.failure = rows[i].failure };
		assert_int_equal(envelope_open(a, &ev, &out), rows[i].err);
		if (rows[i].err != ERR_OK)
			continue;
		assert_int_equal(out.len, strlen(rows[i].want));
		assert_memory_equal(out.data, rows[i].want, out.len);
		assert_string_equal(out.name, rows[i].failure ? "error" : "");
	}
	arena_free(a);
}

/* RFC 4231, case 2, as a provider that signs the body alone. */
static void
test_hmac(void **state)
{
	static const struct {
		int hash, encoding;
		const char *want;
	} rows[] = {
		{ SIGN_SHA256, SIGN_HEX,
		    "5bdcc146bf60754e6a042426089575c7"
		    "5a003f089d2739839dec58b964ec3843" },
		{ SIGN_SHA256, SIGN_BASE64,
		    "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=" },
		{ SIGN_SHA512, SIGN_HEX,
		    "164b7a7bfcf819e2e395fbe73b56e0a3"
		    "87bd64222e831fd610270cd7ea250554"
		    "9758bf75c05a994a6d034f65f8f0e6fd"
		    "caeab1a34d4a6b4b636e070a38bce737" },
	};
	const struct token none = { "", "", "", "", 0 };
	struct provider p = { .key = "Jefe", .auth = AUTH_HMAC,
		.organization = "", .project = "", .access_key = "id",
		.form = { .header = "x-sign", .prefix = "",
		    .key_id_header = "", .timestamp_header = "x-time",
		    .sign = { SIGN_BODY }, .sign_count = 1 } };
	struct arena *a = arena_new(MIB(1));
	struct http_call c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		p.form.hash = rows[i].hash;
		p.form.encoding = rows[i].encoding;
		c = (struct http_call){ .method = "POST",
			.url = "https://h/p?q=1",
			.body = "what do ya want for nothing?",
			.body_len = 28 };
		assert_int_equal(credential_add(a, &p, &none,
		    INT64_C(1440938160) * 1000000, &c), ERR_OK);
		assert_int_equal(c.header_count, 3);
		assert_string_equal(c.headers[1].name, "x-sign");
		assert_string_equal(c.headers[1].value, rows[i].want);
		assert_string_equal(c.headers[2].value, "1440938160");
	}
	arena_free(a);
}

static void
test_redact(void **state)
{
	struct provider p = { .key = "", .access_key = "AKIDPOLICY",
		.secret_key = "sec/ret", .session_token = "" };
	const struct token t = { .bearer = "ya29.token", .access_key =
		"AKIDROLE", .secret_key = "other", .session_token =
		"sess+ion" };
	char text[] = "AKIDPOLICY sec/ret sec%2Fret ya29.token AKIDROLE "
		      "other sess+ion c2VjL3JldA== left";

	(void)state;
	credential_redact(&p, &t, text);
	assert_null(strstr(text, "AKID"));
	assert_null(strstr(text, "ret"));
	assert_null(strstr(text, "ya29"));
	assert_null(strstr(text, "other"));
	assert_null(strstr(text, "sess"));
	assert_null(strstr(text, "c2VjL3Jl"));
	assert_non_null(strstr(text, "left"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_unsaid),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_redact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
