/*
 * Anthropic Messages without a program around it: requests, answers and
 * streams, from and to another dialect. What recordings show is tested with
 * them (tests/corpus/test_dialects.py); here stands what they do not show.
 */
#include "tests/unit/adapter_help.h"

#define ASK "{\"role\":\"user\",\"content\":\"q\"}"
#define O_HEAD "{\"model\":\"m\",\"max_tokens\":5000,\"messages\":[" ASK
#define CALLED                                                              \
	",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"       \
	"\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","  \
	"\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"     \
	"\"c\",\"content\":\"r\"}"

/* Requests of OpenAI's dialect → what must stand in ours, and what not. */
static const struct {
	const char *model, *request, *has, *not;
} requests[] = {
	{ "claude-sonnet-4-5", O_HEAD "],\"reasoning_effort\":\"low\"}",
	    "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}",
	    "output_config" },
	{ "claude-3-5-haiku-20241022", O_HEAD "],\"temperature\":1.7}",
	    "\"temperature\":1}", "1.7" },
	{ "claude-opus-4-6", O_HEAD "],\"reasoning_effort\":\"high\"}",
	    "\"effort\":\"high\"", "budget_tokens" },
	{ "claude-opus-4-6", O_HEAD "],\"temperature\":0.5}",
	    "\"temperature\":0.5", "thinking" },
	{ "claude-opus-5", O_HEAD "],\"temperature\":0.5}", "\"max_tokens\"",
	    "temperature" },
	{ "claude-opus-5", O_HEAD "],\"reasoning_effort\":\"none\"}",
	    "\"thinking\":{\"type\":\"disabled\"}", "effort" },
	{ "claude-sonnet-4-20250514",
	    O_HEAD "],\"reasoning_effort\":\"medium\"}",
	    "\"budget_tokens\":2500", "adaptive" },
	{ "m", O_HEAD "],\"reasoning_effort\":\"low\",\"tools\":[{\"type\":"
	       "\"function\",\"function\":{\"name\":\"f\"}}],"
	       "\"tool_choice\":\"required\"}",
	    "\"tool_choice\":{\"type\":\"any\"}", "thinking" },
	{ "m", O_HEAD CALLED "],\"reasoning_effort\":\"low\"}",
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"c\",", "thinking" },
	{ "m", O_HEAD ",{\"role\":\"assistant\",\"content\":\" \"}]}", "\"role\":\"user\"",
	    "assistant" },
	{ "m", O_HEAD "],\"response_format\":{\"type\":\"json_object\"}}",
	    "one valid JSON object", "output_config" },
	{ "m", O_HEAD "],\"tools\":[{\"type\":\"function\",\"function\":{"
	       "\"name\":\"f\",\"strict\":true,\"parameters\":{\"type\":"
	       "\"object\"}}}],\"parallel_tool_calls\":false}",
	    "\"strict\":true", "\"parallel" },
	{ "m", O_HEAD "],\"response_format\":{\"type\":\"json_schema\","
	       "\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":"
	       "\"object\",\"properties\":{\"a\":{\"type\":\"object\"}}}}}}",
	    "{\"a\":{\"type\":\"object\",\"additionalProperties\":false}},"
	    "\"additionalProperties\":false}",
	    "strict" },
};

static void
test_requests(void **state)
{
	const char *body;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		bench_init(&b, "openai", "anthropic");
		b.deployment.model = requests[i].model;
		body = bench_ask(&b, requests[i].request, NULL);
		if (strstr(body, requests[i].has) == NULL)
			fail_msg("%s lacks %s", body, requests[i].has);
		if (strstr(body, requests[i].not) != NULL)
			fail_msg("%s has %s", body, requests[i].not);
		bench_free(&b);
	}
}

/* Settings that exclude each other are told, not lost. */
static void
test_lacks(void **state)
{
	struct bench b;
	uint64_t lacks;

	(void)state;
	bench_init(&b, "openai", "anthropic");
	bench_read(&b, O_HEAD "],\"reasoning_effort\":\"low\","
			      "\"temperature\":0.5}");
	b.deployment.model = "claude-sonnet-4-5";
	lacks = b.to->lacks(&b.chat, &b.deployment);
	assert_true((lacks & PARAM_BIT(TEMPERATURE)) != 0);
	assert_true((lacks & PARAM_BIT(EFFORT)) == 0);
	b.chat.max_output = 100; /* no room to think */
	lacks = b.to->lacks(&b.chat, &b.deployment);
	assert_true((lacks & PARAM_BIT(TEMPERATURE)) == 0);
	assert_true((lacks & PARAM_BIT(EFFORT)) != 0);
	bench_free(&b);
}

/* The client's own document: only the model and foreign proofs change. */
static void
test_own(void **state)
{
	static const char ask[] =
	    "{ \"model\":\"m\",\"max_tokens\":9, \"messages\":[" ASK ",{"
	    "\"role\":\"assistant\",\"content\":[%s{\"type\":\"text\","
	    "\"text\":\"a\"}]}],\"new\":[1, 2]}";
	static const struct {
		const char *block;
		bool stays;
	} rows[] = {
		{ "{\"type\":\"thinking\",\"thinking\":\"t\","
		  "\"signature\":\"c2ln\"},",
		    true },
		{ "{\"type\":\"redacted_thinking\",\"data\":\"c2ln\"},",
		    true },
		{ "{\"type\":\"thinking\",\"thinking\":\"t\","
		  "\"signature\":\"\"},",
		    false },
		{ "{\"type\":\"redacted_thinking\","
		  "\"data\":\"tollgate/gemini+c2ln\"},",
		    false },
		{ "{\"type\":\"thinking\",\"thinking\":\"t\","
		  "\"signature\":\"tollgate/nobody+c2ln\"},",
		    false },
	};
	char request[1024], want[1024], own[64];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bench_init(&b, "anthropic", "anthropic");
		snprintf(request, sizeof request, ask, rows[i].block);
		snprintf(want, sizeof want, ask, rows[i].stays ?
		    rows[i].block : "");
		snprintf(own, sizeof own, "{ \"model\":\"their-model\",");
		assert_string_equal(bench_ask(&b, request, NULL) +
		    strlen(own), want + strlen("{ \"model\":\"m\","));
		assert_memory_equal(b.call.body, own, strlen(own));
		assert_string_equal(b.call.url,
		    "http://provider.test/v1/messages");
		bench_free(&b);
	}
}

static void
test_bad_requests(void **state)
{
	static const struct {
		const char *request, *param;
	} rows[] = {
		{ "[]", "" },
		{ "{\"model\":\"m\",\"messages\":[" ASK "]}", "max_tokens" },
		{ "{\"model\":\"m\",\"max_tokens\":0,\"messages\":[" ASK "]}",
		    "max_tokens" },
		{ "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[]}",
		    "messages" },
		{ "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{}]}",
		    "messages.0.role" },
		{ "{\"model\":1,\"max_tokens\":1,\"messages\":[" ASK "]}",
		    "model" },
		{ "{\"model\":\"m\",\"max_tokens\":1,\"tools\":{},"
		  "\"messages\":[" ASK "]}",
		    "tools" },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bench_init(&b, "anthropic", "anthropic");
		b.chat.path = "";
		assert_int_equal(json_parse(&b.chat.doc, b.arena,
		    rows[i].request, strlen(rows[i].request), NULL), ERR_OK);
		assert_int_equal(b.surface->read_request(b.arena, &b.chat,
		    &b.fault), ERR_BAD_REQUEST);
		assert_string_equal(b.fault.param, rows[i].param);
		bench_free(&b);
	}
}

#define CHUNK "data: {\"id\":\"i\",\"object\":\"chat.completion.chunk\"," \
	"\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
#define CALL(i, words) CHUNK "\"delta\":{\"tool_calls\":[{\"index\":" #i \
	"," words "}]},\"finish_reason\":null}]}\n\n"
#define BEGIN(i, id) CALL(i, "\"id\":\"" id "\",\"type\":\"function\"," \
	"\"function\":{\"name\":\"f\",\"arguments\":\"\"}")
#define ARGS(i, args) CALL(i, "\"function\":{\"arguments\":\"" args "\"}")
#define END CHUNK "\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n" \
	"data: [DONE]\n\n"

/* Calls whose parts come mixed: whole blocks, one after the other. */
static void
test_mixed_calls(void **state)
{
	static const char stream[] = BEGIN(0, "a") BEGIN(1, "b")
	    ARGS(1, "{\\\"n\\\":") ARGS(0, "{\\\"m\\\":1}") ARGS(1, "2}")
	    CHUNK "\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\n"
	    END;
	const char *first, *second, *text;
	struct bench b;
	size_t step;

	(void)state;
	bench_init(&b, "anthropic", "openai");
	for (step = sizeof stream - 1; step > 0; step = step / 3) {
		assert_int_equal(bench_stream(&b, stream, sizeof stream - 1,
		    step), ERR_OK);
		bench_has(&b, "event: content_block_start", 3);
		bench_has(&b, "event: content_block_stop", 3);
		bench_has(&b, "\"stop_reason\":\"tool_use\"", 1);
		buf_putc(&b.out, '\0');
		first = strstr(b.out.data, "\"id\":\"a\"");
		second = strstr(b.out.data, "\"id\":\"b\"");
		text = strstr(b.out.data, "\"text\":\"x\"");
		assert_true(first < second && second < text);
		assert_non_null(strstr(second, "\"partial_json\":"
		    "\"{\\\"n\\\":2}\""));
	}
	bench_free(&b);
}

/* Calls one after the other are not held back. */
static void
test_calls_in_turn(void **state)
{
	static const char stream[] = BEGIN(0, "a") ARGS(0, "{}")
	    BEGIN(1, "b") ARGS(1, "{\\\"n\\\":");
	struct bench b;

	(void)state;
	bench_init(&b, "anthropic", "openai");
	assert_int_equal(bench_stream(&b, stream, sizeof stream - 1, 7),
	    ERR_BAD_UPSTREAM); /* it is cut off */
	bench_has(&b, "\"id\":\"b\"", 1);
	bench_has(&b, "{\\\"n\\\":", 1);
	bench_free(&b);
}

/* Ends, good and bad, of a provider's stream. */
static void
test_ends(void **state)
{
#define START "event: message_start\ndata: {\"type\":\"message_start\"," \
	"\"message\":{\"id\":\"i\",\"usage\":{\"input_tokens\":7," \
	"\"output_tokens\":1}}}\n\n"
#define LAST(reason) "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":" \
	"\"" reason "\"},\"usage\":{\"output_tokens\":5}}\n\n" \
	"data: {\"type\":\"message_stop\"}\n\n"
	static const struct {
		const char *stream;
		enum err err;
		unsigned fail;
		enum finish finish;
	} rows[] = {
		{ "", ERR_BAD_UPSTREAM, 0, FINISH_NONE },
		{ START, ERR_BAD_UPSTREAM, 0, FINISH_NONE },
		{ START "data: nothing\n\n", ERR_BAD_UPSTREAM, 0,
		    FINISH_NONE },
		{ START "data: {}\n\n", ERR_BAD_UPSTREAM, 0,
		    FINISH_NONE },
		{ START "data: {\"type\":\"new_event\"}\n\n" LAST("end_turn"),
		    ERR_OK, 0, FINISH_STOP },
		{ START LAST("a_new_reason"), ERR_OK, 0, FINISH_STOP },
		{ START LAST("max_tokens"), ERR_OK, 0, FINISH_LENGTH },
		{ START LAST("refusal"), ERR_OK, 0, FINISH_CONTENT },
		{ START LAST("tool_use") "data: nothing\n\n", ERR_OK, 0,
		    FINISH_TOOLS },
		{ "event: error\ndata: {\"type\":\"error\",\"error\":{"
		  "\"type\":\"overloaded_error\",\"message\":\"o\"}}\n\n",
		    ERR_UPSTREAM, FAIL_SERVER | FAIL_OVERLOAD,
		    FINISH_NONE },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bench_init(&b, "openai", "anthropic");
		assert_int_equal(bench_stream(&b, rows[i].stream,
		    strlen(rows[i].stream), 5), rows[i].err);
		assert_int_equal(b.fail, rows[i].fail);
		assert_int_equal(b.finish, rows[i].finish);
		assert_int_equal(b.ends, rows[i].err == ERR_OK);
		if (rows[i].err == ERR_OK) {
			assert_int_equal(b.usage.n[UNIT_INPUT], 7);
			assert_int_equal(b.usage.n[UNIT_OUTPUT], 5);
		}
		bench_free(&b);
	}
}

/* A signature of another maker goes out with its mark and comes back. */
static void
test_marks(void **state)
{
	static const char answer[] =
	    "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{"
	    "\"name\":\"f\",\"args\":{\"a\":1}},\"thoughtSignature\":"
	    "\"c2ln\"}]},\"finishReason\":\"STOP\"}]}";
	static const char ask[] = "{\"model\":\"m\",\"max_tokens\":9,"
	    "\"messages\":[" ASK ",{\"role\":\"assistant\",\"content\":%.*s}"
	    ",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
	    "\"tool_use_id\":\"%.*s\",\"content\":\"r\"}]}]}";
	struct json doc;
	struct str content, id;
	char request[2048];
	struct reply reply;
	struct bench b;

	(void)state;
	bench_init(&b, "anthropic", "gemini");
	assert_int_equal(bench_reply(&b, answer, &reply), ERR_OK);
	bench_has(&b, "{\"type\":\"redacted_thinking\",\"data\":"
		      "\"tollgate/gemini+c2ln\"}", 1);
	assert_int_equal(json_parse(&doc, b.arena, b.out.data, b.out.len,
	    NULL), ERR_OK);
	content.p = json_raw(&doc, json_get(&doc, JSON_ROOT, "content"),
	    &content.len);
	id.p = strstr(b.out.data, "\"id\":\"call_") + 6;
	id.len = strcspn(id.p, "\"");
	snprintf(request, sizeof request, ask, (int)content.len, content.p,
	    (int)id.len, id.p);
	assert_non_null(strstr(bench_ask(&b, request, NULL),
	    "\"args\":{\"a\":1}},\"thoughtSignature\":\"c2ln\"}"));
	bench_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_lacks),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_mixed_calls),
		cmocka_unit_test(test_calls_in_turn),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
