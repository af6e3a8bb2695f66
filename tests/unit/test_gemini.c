/*
 * generateContent without a program around it: requests, answers and
 * streams, from and to another dialect. What recordings show is tested with
 * them (tests/corpus/test_dialects.py); here stands what they do not show.
 */
#include "tests/unit/adapter_help.h"

#define O_HEAD "{\"model\":\"m\",\"messages\":[{\"role\":\"user\"," \
	"\"content\":\"q\"}"
#define CALLED ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{" \
	"\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\"," \
	"\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":" \
	"\"c\",\"content\":\"%s\"}]}"

static const struct {
	const char *model, *request, *has, *not;
} requests[] = {
	{ "gemini-2.5-pro", O_HEAD "],\"reasoning_effort\":\"low\"}",
	    "\"thinkingBudget\":1024", "thinkingLevel" },
	{ "gemini-3-pro", O_HEAD "],\"reasoning_effort\":\"low\"}",
	    "\"thinkingLevel\":\"low\"", "thinkingBudget" },
	{ "google/gemini-3.1-pro", O_HEAD "],\"reasoning_effort\":\"none\"}",
	    "\"thinkingLevel\":\"minimal\"", "includeThoughts" },
	{ "gemini-2.5-pro", O_HEAD "],\"n\":2,\"seed\":7,\"logprobs\":true,"
	    "\"top_logprobs\":3}",
	    "\"candidateCount\":2,\"seed\":7,\"responseLogprobs\":true,"
	    "\"logprobs\":3", "topP" },
	{ "m", O_HEAD CALLED, "\"response\":{\"result\":\"%s\"}", "skip_" },
	{ "m", O_HEAD ",{\"role\":\"user\",\"content\":[{\"type\":"
	    "\"image_url\",\"image_url\":{\"url\":\"http://x/a.jpg?b\"}}]}]}",
	    "{\"mimeType\":\"image/jpeg\",\"fileUri\":\"http://x/a.jpg?b\"}",
	    "inlineData" },
	{ "gemini-3-pro", O_HEAD CALLED,
	    "\"thoughtSignature\":\"skip_thought_signature_validator\"",
	    "generationConfig\":null" },
	/* Mistral's form of audio; a format that is not given. */
	{ "m", O_HEAD ",{\"role\":\"user\",\"content\":[{\"type\":"
	    "\"input_audio\",\"input_audio\":\"eA==\"}]}]}",
	    "{\"mimeType\":\"audio/wav\",\"data\":\"eA==\"}", "audio/\"" },
	/* Together's: the number of alternatives. */
	{ "gemini-2.5-pro", O_HEAD "],\"logprobs\":2}",
	    "\"responseLogprobs\":true,\"logprobs\":2", "topP" },
};

/* Results in the order of their calls: nothing else tells them apart. */
static void
test_order(void **state)
{
#define CALL_OF(id) "{\"id\":\"" id "\",\"type\":\"function\",\"function\":" \
	"{\"name\":\"f\",\"arguments\":\"{}\"}}"
#define ANSWER_OF(id) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\"," \
	"\"content\":\"to " id "\"}"
	static const char request[] = O_HEAD ",{\"role\":\"assistant\","
		"\"tool_calls\":[" CALL_OF("a") "," CALL_OF("b") "," CALL_OF("c")
		"]}," ANSWER_OF("c") "," ANSWER_OF("none") "," ANSWER_OF("a") ","
		ANSWER_OF("b") "]}";
	static const char *const order[] = { "to a", "to b", "to c",
		"to none" };
	const char *at;
	struct bench b;
	size_t i;

	(void)state;
	bench_init(&b, "openai", "gemini");
	at = bench_ask(&b, request, NULL);
	for (i = 0; i < sizeof order / sizeof order[0]; i++) {
		at = strstr(at, order[i]);
		if (at == NULL)
			fail_msg("%s: %s", order[i], b.call.body);
	}
	bench_free(&b);
}

/* What has no place is named, whatever it is. */
static void
test_named(void **state)
{
	static const char *const rows[][2] = {
		{ "\"reasoning_effort\":\"default\"", "reasoning_effort" },
		{ "\"reasoning\":{\"enabled\":true}", "reasoning.enabled" },
	};
	char request[160];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bench_init(&b, "openai", "gemini");
		snprintf(request, sizeof request, O_HEAD "],%s}", rows[i][0]);
		bench_ask(&b, request, NULL);
		assert_int_equal(b.chat.extra_count, 1);
		assert_string_equal(b.chat.extras[0], rows[i][1]);
		bench_free(&b);
	}
}

/* A role that nobody knows is not the user's. */
static void
test_role(void **state)
{
	static const char request[] = "{\"contents\":[{\"role\":\"wizard\","
		"\"parts\":[{\"text\":\"q\"}]}]}";
	struct bench b;

	(void)state;
	bench_init(&b, "gemini", "openai");
	b.chat.surface = b.surface;
	b.chat.path = "m:generateContent";
	b.chat.query = b.chat.beta = "";
	assert_int_equal(json_parse(&b.chat.doc, b.arena, request,
	    sizeof request - 1, NULL), ERR_OK);
	assert_int_equal(b.surface->read_request(b.arena, &b.chat, &b.fault),
	    ERR_OK);
	assert_int_equal(b.surface->read_chat(b.arena, &b.chat, &b.fault),
	    ERR_BAD_REQUEST);
	bench_free(&b);
}

/* The prompt's count may be missing beside the sum of all. */
static void
test_sum(void **state)
{
	static const char answer[] = "{\"candidates\":[{\"content\":{"
		"\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\"}],"
		"\"usageMetadata\":{\"candidatesTokenCount\":1,"
		"\"thoughtsTokenCount\":116,\"totalTokenCount\":692}}";
	struct reply reply;
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "gemini");
	assert_int_equal(bench_reply(&b, answer, &reply), ERR_OK);
	assert_true(reply.usage.known);
	assert_int_equal(reply.usage.n[UNIT_INPUT], 575);
	assert_int_equal(reply.usage.n[UNIT_OUTPUT], 1);
	assert_int_equal(reply.usage.n[UNIT_REASONING], 116);
	bench_free(&b);
}

static void
test_requests(void **state)
{
	const char *body;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		bench_init(&b, "openai", "gemini");
		b.deployment.model = requests[i].model;
		body = bench_ask(&b, requests[i].request, NULL);
		if (strstr(body, requests[i].has) == NULL)
			fail_msg("%s lacks %s", body, requests[i].has);
		if (strstr(body, requests[i].not) != NULL)
			fail_msg("%s has %s", body, requests[i].not);
		bench_free(&b);
	}
}

/* Read a path and a document as a surface. */
static enum err
read_at(struct bench *b, const char *path, const char *query,
    const char *body)
{
	bench_init(b, "gemini", "gemini");
	b->chat.surface = b->surface;
	b->chat.path = path;
	b->chat.query = query;
	b->chat.beta = "";
	assert_int_equal(json_parse(&b->chat.doc, b->arena, body,
	    strlen(body), NULL), ERR_OK);
	return b->surface->read_request(b->arena, &b->chat, &b->fault);
}

static void
test_paths(void **state)
{
	static const char ask[] =
	    "{\"contents\":[{\"parts\":[{\"text\":\"q\"}]}]}";
	static const struct {
		const char *path, *query, *model, *url;
		enum err err;
	} rows[] = {
		{ "m:generateContent", "", "m",
		    "/models/their-model:generateContent", ERR_OK },
		{ "a/b:streamGenerateContent", "alt=sse&key=k", "a/b",
		    "/models/their-model:streamGenerateContent?alt=sse",
		    ERR_OK },
		{ "m:countTokens", "", "m", "/models/their-model:countTokens",
		    ERR_OK },
		{ "m:streamGenerateContent", "", "m",
		    "/models/their-model:streamGenerateContent?alt=sse",
		    ERR_OK },
		{ "m:streamGenerateContent", "key=k&alt=json", "m",
		    "/models/their-model:streamGenerateContent?alt=sse",
		    ERR_OK },
		{ "m:streamGenerateContent", "alt=proto", "", "",
		    ERR_BAD_REQUEST },
		{ "m", "", "", "", ERR_NOT_FOUND },
		{ ":generateContent", "", "", "", ERR_NOT_FOUND },
		{ "m:embedContent", "", "", "", ERR_NOT_FOUND },
		{ "a b:generateContent", "", "", "", ERR_BAD_REQUEST },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(read_at(&b, rows[i].path, rows[i].query,
		    ask), rows[i].err);
		if (rows[i].err == ERR_OK) {
			assert_string_equal(b.chat.model, rows[i].model);
			assert_int_equal(b.to->write_request(b.arena, &b.chat,
			    &b.deployment, &b.call, &b.fault), ERR_OK);
			assert_string_equal(b.call.url +
			    strlen("http://provider.test"), rows[i].url);
			assert_string_equal(b.call.body, ask);
		}
		bench_free(&b);
	}
}

/* The client's own document without proofs of other makers. */
static void
test_own(void **state)
{
#define OWN(part) "{ \"contents\":[{\"role\":\"model\",\"parts\":[" part \
	"]}], \"x\":1.50}"
	static const struct {
		const char *model, *request, *want;
	} rows[] = {
		{ "m", OWN("{\"text\":\"a\",\"thoughtSignature\":\"c2ln\"}"),
		    OWN("{\"text\":\"a\",\"thoughtSignature\":\"c2ln\"}") },
		{ "m", OWN("{\"text\":\"a\",\"thoughtSignature\":"
			   "\"tollgate/anthropic++c2ln\"}"),
		    OWN("{\"text\":\"a\"}") },
		{ "m", OWN("{\"thought_signature\":"
			   "\"tollgate/anthropic//c2ln\",\"text\":\"a\"}"),
		    OWN("{\"text\":\"a\"}") },
		{ "gemini-3-pro", OWN("{\"functionCall\":{\"name\":\"f\"},"
			   "\"thoughtSignature\":"
			   "\"tollgate/anthropic++c2ln\"}"),
		    OWN("{\"functionCall\":{\"name\":\"f\"},"
			"\"thoughtSignature\":"
			"\"skip_thought_signature_validator\"}") },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(read_at(&b, "m:generateContent", "",
		    rows[i].request), ERR_OK);
		b.deployment.model = rows[i].model;
		assert_int_equal(b.to->write_request(b.arena, &b.chat,
		    &b.deployment, &b.call, &b.fault), ERR_OK);
		assert_string_equal(b.call.body, rows[i].want);
		bench_free(&b);
	}
}

static void
test_bad_requests(void **state)
{
	static const char *const rows[] = { "[]", "{}", "{\"contents\":[]}",
		"{\"contents\":[{}],\"generationConfig\":{"
		"\"candidateCount\":0}}",
		"{\"contents\":[{}],\"generation_config\":{"
		"\"max_output_tokens\":-1}}" };
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(read_at(&b, "m:generateContent", "",
		    rows[i]), ERR_BAD_REQUEST);
		bench_free(&b);
	}
}

/* One answer of one part. */
#define PART(part, more) "data: {\"candidates\":[{\"content\":{\"parts\":[" \
	part "]}" more "}],\"usageMetadata\":{\"promptTokenCount\":7," \
	"\"candidatesTokenCount\":5,\"thoughtsTokenCount\":2," \
	"\"cachedContentTokenCount\":3}}\r\n\r\n"
#define TEXT PART("{\"text\":\"a\"}", "")
#define LAST(reason) PART("{\"text\":\"\"}", ",\"finishReason\":\"" reason "\"")

static void
test_ends(void **state)
{
	static const struct {
		const char *stream;
		enum err err;
		unsigned fail;
		enum finish finish;
	} rows[] = {
		{ "", ERR_BAD_UPSTREAM, 0, FINISH_NONE },
		{ TEXT, ERR_BAD_UPSTREAM, 0, FINISH_NONE },
		{ TEXT "data: {\r\n\r\n", ERR_BAD_UPSTREAM, 0,
		    FINISH_NONE },
		{ TEXT LAST("FINISH_REASON_UNSPECIFIED"), ERR_BAD_UPSTREAM, 0,
		    FINISH_NONE },
		{ TEXT LAST("STOP"), ERR_OK, 0, FINISH_STOP },
		{ TEXT LAST("SOMETHING_NEW"), ERR_OK, 0, FINISH_STOP },
		{ TEXT LAST("SPII"), ERR_OK, 0, FINISH_CONTENT },
		{ PART("{\"functionCall\":{\"name\":\"f\"}}", "") LAST("STOP"),
		    ERR_OK, 0, FINISH_TOOLS },
		{ PART("{\"functionCall\":{\"partialArgs\":[]}}", "") LAST("STOP"), ERR_BAD_UPSTREAM, 0, FINISH_NONE },
		{ "data: {\"error\":{\"code\":429,\"message\":\"q\"}}\r\n\r\n",
		    ERR_UPSTREAM, FAIL_RATE, FINISH_NONE },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bench_init(&b, "openai", "gemini");
		assert_int_equal(bench_stream(&b, rows[i].stream,
		    strlen(rows[i].stream), 5), rows[i].err);
		assert_int_equal(b.fail, rows[i].fail);
		assert_int_equal(b.finish, rows[i].finish);
		assert_int_equal(b.ends, rows[i].err == ERR_OK);
		if (rows[i].err == ERR_OK) {
			assert_int_equal(b.usage.n[UNIT_INPUT], 4);
			assert_int_equal(b.usage.n[UNIT_CACHED_INPUT], 3);
			assert_int_equal(b.usage.n[UNIT_OUTPUT], 5);
			assert_int_equal(b.usage.n[UNIT_REASONING], 2);
		}
		bench_free(&b);
	}
}

/* Arguments over several lines and ones that are no JSON. */
static void
test_arguments(void **state)
{
	static const struct {
		const char *args, *want;
	} rows[] = {
		{ "{\\n\\\"a\\\": 1\\n}", "\"args\":{ \"a\": 1 }" },
		{ "", "\"args\":{}" },
		{ "{\\\"a\\\":", "\"args\":{\"arguments\":\"{\\\"a\\\":\"}" },
		{ "[1]", "\"args\":{\"arguments\":\"[1]\"}" },
	};
	char stream[2048];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bench_init(&b, "gemini", "openai");
		snprintf(stream, sizeof stream, "data: {\"choices\":[{"
		    "\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
		    "\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":"
		    "\"%s\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n"
		    "data: [DONE]\n\n", rows[i].args);
		assert_int_equal(bench_stream(&b, stream, strlen(stream), 9),
		    ERR_OK);
		bench_has(&b, rows[i].want, 1);
		bench_has(&b, "\n\r\n", 1); /* one event, one line */
		bench_has(&b, "\"finishReason\":\"STOP\"", 1);
		bench_free(&b);
	}
}

#define CALL(more) PART("{\"functionCall\":{" more "}}", "")
#define NAMED CALL("\"name\":\"f\",\"willContinue\":true")
#define MORE(path, value) CALL("\"partialArgs\":[{\"jsonPath\":\"" path \
	"\"," value "}],\"willContinue\":true")

/* Arguments in parts: what paths may be, and what contradicts itself. */
static void
test_parts(void **state)
{
	static const struct {
		const char *stream, *want; /* NULL: not usable */
	} rows[] = {
		{ NAMED LAST("STOP"), "{}" },
		{ NAMED CALL("") CALL("") LAST("STOP"), "{}" },
		{ NAMED MORE("$.a", "\"stringValue\":\"x\"") MORE("$.a",
		    "\"stringValue\":\"y\"") LAST("STOP"),
		    "{\\\"a\\\":\\\"xy\\\"}" },
		{ NAMED MORE("$['a.b'][1]", "\"numberValue\":1")
		    LAST("STOP"), "{\\\"a.b\\\":[null,1]}" },
		{ NAMED MORE("$.a", "\"boolValue\":true") MORE("$.b",
		    "\"nullValue\":\"NULL_VALUE\"") LAST("STOP"),
		    "{\\\"a\\\":true,\\\"b\\\":null}" },
		{ MORE("$.a", "\"numberValue\":1") LAST("STOP"), NULL },
		{ NAMED MORE("a", "\"numberValue\":1") LAST("STOP"), NULL },
		{ NAMED CALL("\"partialArgs\":[{\"numberValue\":1}]")
		    LAST("STOP"), NULL },
		{ NAMED MORE("$", "\"numberValue\":1") LAST("STOP"), NULL },
		{ NAMED MORE("$..a", "\"numberValue\":1") LAST("STOP"),
		    NULL },
		{ NAMED MORE("$.a[", "\"numberValue\":1") LAST("STOP"),
		    NULL },
		{ NAMED MORE("$.a[-1]", "\"numberValue\":1") LAST("STOP"),
		    NULL },
		{ NAMED MORE("$.a['b]", "\"numberValue\":1") LAST("STOP"),
		    NULL },
		{ NAMED MORE("$.a[999999999999999999999]",
		    "\"numberValue\":1") LAST("STOP"), NULL },
		{ NAMED MORE("$[0]", "\"numberValue\":1") LAST("STOP"),
		    NULL },
		{ NAMED MORE("$.a", "\"numberValue\":1") MORE("$.a.b",
		    "\"numberValue\":1") LAST("STOP"), NULL },
		{ NAMED MORE("$.a", "\"numberValue\":1") MORE("$.a",
		    "\"numberValue\":2") LAST("STOP"), NULL },
	};
	char want[128];
	struct bench b;
	size_t i;
	enum err e;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bench_init(&b, "openai", "gemini");
		e = bench_stream(&b, rows[i].stream, strlen(rows[i].stream),
		    7);
		if (e != (rows[i].want == NULL ? ERR_BAD_UPSTREAM : ERR_OK))
			fail_msg("%d for %s", (int)e, rows[i].stream);
		snprintf(want, sizeof want, "\"arguments\":\"%s\"",
		    rows[i].want == NULL ? "" : rows[i].want);
		if (rows[i].want != NULL)
			bench_has(&b, want, 1);
		bench_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_role),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
