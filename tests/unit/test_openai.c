/*
 * OpenAI chat as the other side of a translation: requests to such providers,
 * answers to such clients. What recordings show is tested with them
 * (tests/corpus); here stands what they do not show.
 */
#include "adapters/canon.h"
#include "tests/unit/adapter_help.h"

#define HEAD "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":" \
	"\"user\",\"content\":\"q\"}"
#define CALLED ",{\"role\":\"assistant\",\"content\":[{\"type\":" \
	"\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}}]},{\"role\":" \
	"\"user\",\"content\":["
#define SCHEMA(more) "],\"output_config\":{\"format\":{\"type\":" \
	"\"json_schema\",\"schema\":{\"type\":\"object\",\"properties\":{" \
	"\"a\":{\"type\":\"string\"}}" more "}}}}"

/* Requests of Anthropic's dialect → what must stand in ours, what not. */
static const struct {
	const char *request, *has, *not;
} requests[] = {
	{ HEAD CALLED "{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
	  "\"is_error\":true,\"content\":\"no\"}]}]}",
	    "\"content\":\"Error: no\"}", "is_error" },
	{ HEAD CALLED "{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
	  "\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
	  "\"media_type\":\"image/gif\",\"data\":\"eA==\"}}]}]}]}",
	    "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
	    "\"image_url\":{\"url\":\"data:image/gif;base64,eA==\"}}]}",
	    "tool_result" },
	{ HEAD ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
	  "\"thinking\":\"t\",\"signature\":\"s\"}]}]}",
	    "\"role\":\"user\"", "assistant" },
	{ HEAD SCHEMA(""), "\"response_format\"", "\"strict\"" },
	{ HEAD SCHEMA(",\"required\":[\"a\"],\"additionalProperties\":false"),
	    "\"strict\":true", "\"tools\"" },
	{ HEAD "],\"system\":[{\"type\":\"text\",\"text\":\"s\"}],"
	  "\"stop_sequences\":[\"x\"]}",
	    "{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\"",
	    "stop_sequences" },
};

static void
test_requests(void **state)
{
	const char *body;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		bench_init(&b, "anthropic", "openai");
		body = bench_ask(&b, requests[i].request, NULL);
		if (strstr(body, requests[i].has) == NULL)
			fail_msg("%s lacks %s", body, requests[i].has);
		if (strstr(body, requests[i].not) != NULL)
			fail_msg("%s has %s", body, requests[i].not);
		bench_free(&b);
	}
}

static void
test_refused(void **state)
{
	static const char *const rows[] = {
		HEAD ",{\"role\":\"user\",\"content\":[{\"type\":\"novel\"}]}"
		"]}",
		HEAD ",{\"role\":\"user\",\"content\":[{\"type\":\"image\","
		"\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}]}]}",
		HEAD CALLED "{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
		"\"content\":[{\"type\":\"novel\"}]}]}]}",
		HEAD "],\"tools\":[{\"type\":\"bash_20250124\",\"name\":"
		"\"bash\"}]}",
	};
	struct bench b;
	enum err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bench_init(&b, "anthropic", "openai");
		bench_ask(&b, rows[i], &e);
		assert_int_equal(e, ERR_BAD_REQUEST);
		assert_true(*b.fault.text != '\0');
		bench_free(&b);
	}
}

#define EVENT(type, more) "data: {\"type\":\"" type "\"" more "}\n\n"
#define BLOCK(i, block) EVENT("content_block_start", ",\"index\":" #i \
	",\"content_block\":" block)
#define DELTA(i, delta) EVENT("content_block_delta", ",\"index\":" #i \
	",\"delta\":" delta)
#define STOP(i) EVENT("content_block_stop", ",\"index\":" #i)
#define THINK(i, t, s) BLOCK(i, "{\"type\":\"thinking\",\"thinking\":\"\"}") \
	DELTA(i, "{\"type\":\"thinking_delta\",\"thinking\":\"" t "\"}") \
	DELTA(i, "{\"type\":\"signature_delta\",\"signature\":\"" s "\"}") \
	STOP(i)

/* Two thoughts have two details; each part tells which it belongs to. */
static void
test_details(void **state)
{
	static const char stream[] = EVENT("message_start", ",\"message\":{}")
	    THINK(0, "one", "s1") THINK(1, "two", "s2")
	    EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"}")
	    EVENT("message_stop", "");
	struct bench b;
	size_t step;

	(void)state;
	bench_init(&b, "openai", "anthropic");
	for (step = 1; step < sizeof stream; step++) {
		assert_int_equal(bench_stream(&b, stream, sizeof stream - 1,
		    step), ERR_OK);
		bench_has(&b, "\"reasoning_content\":\"one\"", 1);
		bench_has(&b, "\"text\":\"one\",\"format\":"
			      "\"anthropic-claude-v1\",\"index\":0", 1);
		bench_has(&b, "\"signature\":\"s1\",\"format\":"
			      "\"anthropic-claude-v1\",\"index\":0", 1);
		bench_has(&b, "\"signature\":\"s2\",\"format\":"
			      "\"anthropic-claude-v1\",\"index\":1", 1);
		bench_has(&b, "\"finish_reason\":\"stop\"", 1);
		bench_has(&b, "data: [DONE]\n\n", 1);
	}
	bench_free(&b);
}

/* Details that a client gives back as they were streamed are put together. */
static void
test_details_back(void **state)
{
#define DETAIL(more) "{\"type\":\"reasoning.text\",\"format\":" \
	"\"anthropic-claude-v1\"," more "}"
	static const char ask[] = "{\"model\":\"m\",\"messages\":[{\"role\":"
	    "\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":"
	    "\"a\",\"reasoning_content\":\"onetwo\",\"reasoning_details\":["
	    DETAIL("\"text\":\"o\"") "," DETAIL("\"text\":\"ne\"") ","
	    DETAIL("\"signature\":\"s1\"") "," DETAIL("\"text\":\"two\"") ","
	    DETAIL("\"signature\":\"s2\"") "]}]}";
	const char *body;
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "anthropic");
	body = bench_ask(&b, ask, NULL);
	assert_non_null(strstr(body, "{\"type\":\"thinking\",\"thinking\":"
	    "\"one\",\"signature\":\"s1\"},{\"type\":\"thinking\","
	    "\"thinking\":\"two\",\"signature\":\"s2\"},{\"type\":\"text\","
	    "\"text\":\"a\"}"));
	bench_free(&b);
}

/* An image, and a whole answer without a reason. */
static void
test_whole(void **state)
{
	static const char answer[] = "{\"candidates\":[{\"content\":{"
	    "\"parts\":[{\"inline_data\":{\"mime_type\":\"image/png\","
	    "\"data\":\"eA==\"}}]}}]}";
	struct reply reply;
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "gemini");
	assert_int_equal(bench_reply(&b, answer, &reply), ERR_OK);
	bench_has(&b, "\"images\":[{\"type\":\"image_url\",\"image_url\":{"
		      "\"url\":\"data:image/png;base64,eA==\"}}]", 1);
	bench_has(&b, "\"finish_reason\":\"stop\"", 1);
	bench_free(&b);
}

static void
bench_shape(struct bench *b, struct estimate_chat *c, const char *ask,
    const char *more)
{
	char *whole = arena_printf(b->arena, "%s%s", ask, more);

	assert_non_null(whole);
	memset(&b->chat, 0, sizeof b->chat);
	b->chat.surface = b->surface;
	b->chat.path = b->chat.query = b->chat.beta = "";
	assert_int_equal(json_parse(&b->chat.doc, b->arena, whole,
	    strlen(whole), &b->fault), ERR_OK);
	assert_int_equal(b->surface->read_request(b->arena, &b->chat,
	    &b->fault), ERR_OK);
	assert_int_equal(b->surface->read_chat(b->arena, &b->chat, &b->fault),
	    ERR_OK);
	canon_shape(&b->chat, c);
}

/* What the estimate is told of a chat. */
static void
test_shape(void **state)
{
	static const char ask[] = "{\"model\":\"m\",\"messages\":["
	    "{\"role\":\"system\",\"content\":\"Be kind.\"},"
	    "{\"role\":\"user\",\"content\":\"Is 1234567 prime?\"},"
	    "{\"role\":\"assistant\",\"reasoning_content\":\"long ago\","
	    "\"content\":\"No\"},{\"role\":\"user\",\"content\":\"Sure?\"},"
	    "{\"role\":\"assistant\",\"reasoning_content\":\"now\","
	    "\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
	    "\"function\":{\"name\":\"test\",\"arguments\":\"{}\"}}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"no\"}],"
	    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
	    "\"test\",\"parameters\":{\"type\":\"object\",\"properties\":"
	    "{\"n\":{\"type\":\"integer\"}}}}}],\"tool_choice\":\"none\","
	    "\"parallel_tool_calls\":false,";
	struct estimate_chat c;
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "openai");
	bench_shape(&b, &c, ask, "\"enable_thinking\":false}");
	assert_int_equal(c.messages, 6);
	assert_int_equal(c.systems, 1);
	assert_int_equal(c.calls, 2);
	assert_int_equal(c.digits, 4);
	assert_int_equal(c.tools, 1);
	assert_int_equal(c.tools_fields, 1);
	assert_true(c.tools_words < c.tools_text);
	assert_true(c.last_reasoning > 0 && c.last_reasoning < c.reasoning);
	assert_true(c.no_tools && c.one_call && !c.must_call && !c.json);
	assert_true(c.unthinks && !c.thinks);
	bench_shape(&b, &c, ask, "\"thinking\":{\"type\":\"enabled\","
	    "\"clear_thinking\":false}}");
	assert_int_equal(c.last_reasoning, c.reasoning);
	assert_false(c.unthinks);
	bench_shape(&b, &c, ask, "\"thinking\":{\"type\":\"disabled\"}}");
	assert_true(c.unthinks);
	bench_shape(&b, &c, ask, "\"reasoning\":{\"enabled\":true}}");
	assert_true(c.thinks && !c.unthinks);
	bench_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_details_back),
		cmocka_unit_test(test_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
