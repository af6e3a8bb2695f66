/* Cohere Chat v2 as a provider: requests, whole answers, streams, errors. */
#include "tests/unit/adapter_help.h"

#define HELLO "{\"role\":\"user\",\"content\":\"Hello\"}"

/* Requests on the surface openai and what Cohere is sent. */
static const struct {
	const char *in, *messages, *rest;
	unsigned caps;
} requests[] = {
	{ "\"messages\":[" HELLO "]", HELLO, "\"stream\":false", 0 },
	{ "\"messages\":[{\"role\":\"developer\",\"content\":\"Be terse\"},"
	  HELLO "],\"stream\":true,\"max_tokens\":9,\"top_p\":0.5,"
	  "\"top_k\":7,\"seed\":42,\"temperature\":0.30,"
	  "\"frequency_penalty\":0.1,\"presence_penalty\":0.2,"
	  "\"stop\":\"END\",\"logprobs\":true",
	  "{\"role\":\"system\",\"content\":\"Be terse\"}," HELLO,
	  "\"max_tokens\":9,\"temperature\":0.30,\"p\":0.5,\"k\":7,"
	  "\"seed\":42,\"frequency_penalty\":0.1,\"presence_penalty\":0.2,"
	  "\"stop_sequences\":[\"END\"],\"logprobs\":true,\"stream\":true",
	  0 },
	{ "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
	  "\"text\":\"See\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	  "\"data:image/gif;base64,R0lG\",\"detail\":\"low\"}}]}]",
	  "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	  "\"See\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	  "\"data:image/gif;base64,R0lG\",\"detail\":\"low\"}}]}",
	  "\"stream\":false", 0 },
	/* Text before calls is the plan; results are messages. */
	{ "\"messages\":[" HELLO ",{\"role\":\"assistant\",\"content\":"
	  "\"I look.\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},"
	  "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"7\"}]",
	  HELLO ",{\"role\":\"assistant\",\"tool_plan\":\"I look.\","
	  "\"tool_calls\":[{\"type\":\"function\",\"id\":\"c1\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},"
	  "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"7\"}",
	  "\"stream\":false", 0 },
	/* Reasoning goes back to models that reason only. */
	{ "\"messages\":[" HELLO ",{\"role\":\"assistant\",\"content\":\"A\","
	  "\"reasoning_content\":\"hm\"}]",
	  HELLO ",{\"role\":\"assistant\",\"content\":[{\"type\":"
	  "\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":"
	  "\"A\"}]}", "\"stream\":false", CAP_REASONING },
	{ "\"messages\":[" HELLO ",{\"role\":\"assistant\",\"content\":\"A\","
	  "\"reasoning_content\":\"hm\"}]",
	  HELLO ",{\"role\":\"assistant\",\"content\":\"A\"}",
	  "\"stream\":false", 0 },
	{ "\"messages\":[" HELLO "],\"reasoning_effort\":\"none\"", HELLO,
	  "\"thinking\":{\"type\":\"disabled\"},\"stream\":false", 0 },
	{ "\"messages\":[" HELLO "],\"reasoning_effort\":\"low\"", HELLO,
	  "\"thinking\":{\"type\":\"enabled\",\"token_budget\":2048},"
	  "\"stream\":false", 0 },
	{ "\"messages\":[" HELLO "],\"reasoning_effort\":\"high\"", HELLO,
	  "\"thinking\":{\"type\":\"enabled\"},\"stream\":false", 0 },
	{ "\"messages\":[" HELLO "],\"reasoning\":{\"max_tokens\":99}", HELLO,
	  "\"thinking\":{\"type\":\"enabled\",\"token_budget\":99},"
	  "\"stream\":false", 0 },
	{ "\"messages\":[" HELLO "],\"response_format\":{\"type\":"
	  "\"json_object\"}", HELLO,
	  "\"response_format\":{\"type\":\"json_object\"},\"stream\":false",
	  0 },
	{ "\"messages\":[" HELLO "],\"response_format\":{\"type\":"
	  "\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":"
	  "{\"type\":\"object\"}}}", HELLO,
	  "\"response_format\":{\"type\":\"json_object\",\"json_schema\":"
	  "{\"type\":\"object\"}},\"stream\":false", 0 },
};

static void
requests_written(void **state)
{
	char in[4096], want[4096];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		bench_init(&b, "openai", "cohere");
		b.deployment.caps = requests[i].caps;
		snprintf(in, sizeof in, "{\"model\":\"m\",%s}",
		    requests[i].in);
		snprintf(want, sizeof want, "{\"model\":\"their-model\","
		    "\"messages\":[%s],%s}", requests[i].messages,
		    requests[i].rest);
		assert_string_equal(bench_ask(&b, in, NULL), want);
		assert_string_equal(b.call.url,
		    "http://provider.test/v2/chat");
		assert_string_equal(b.call.method, "POST");
		bench_free(&b);
	}
}

#define FN(name) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\""
#define SCHEMA "\"parameters\":{\"type\":\"object\",\"properties\":{}}}}"

static const struct {
	const char *in, *out;
} tools[] = {
	{ "\"tools\":[" FN("f") "}}]",
	  "\"tools\":[" FN("f") "," SCHEMA "]," },
	{ "\"tools\":[" FN("f") ",\"strict\":true}}],\"tool_choice\":"
	  "\"required\"",
	  "\"tools\":[" FN("f") "," SCHEMA "],\"strict_tools\":true,"
	  "\"tool_choice\":\"REQUIRED\"," },
	{ "\"tools\":[" FN("f") ",\"strict\":true}}," FN("g") "}}],"
	  "\"tool_choice\":\"none\"",
	  "\"tools\":[" FN("f") "," SCHEMA "," FN("g") "," SCHEMA "],"
	  "\"tool_choice\":\"NONE\"," },
	{ "\"tools\":[" FN("f") "}}," FN("g") "}}],\"tool_choice\":"
	  "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}",
	  "\"tools\":[" FN("g") "," SCHEMA "],\"tool_choice\":"
	  "\"REQUIRED\"," },
};

static void
tools_and_choice(void **state)
{
	char in[2048], want[2048];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof tools / sizeof tools[0]; i++) {
		bench_init(&b, "openai", "cohere");
		snprintf(in, sizeof in, "{\"model\":\"m\",\"messages\":["
		    HELLO "],%s}", tools[i].in);
		snprintf(want, sizeof want, "{\"model\":\"their-model\","
		    "\"messages\":[" HELLO "],%s\"stream\":false}",
		    tools[i].out);
		assert_string_equal(bench_ask(&b, in, NULL), want);
		bench_free(&b);
	}
}

/* Anthropic's results: several in a turn, a failed one, images of one. */
static void
results_of_a_turn(void **state)
{
	static const char in[] = "{\"model\":\"m\",\"max_tokens\":5,"
	    "\"messages\":[{\"role\":\"user\",\"content\":["
	    "{\"type\":\"text\",\"text\":\"Here\"},"
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":"
	    "\"down\",\"is_error\":true},{\"type\":\"tool_result\","
	    "\"tool_use_id\":\"b\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"x\"},{\"type\":\"image\",\"source\":{\"type\":"
	    "\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBO\"}}]}"
	    "]}]}";
	struct bench b;
	const char *got;

	(void)state;
	bench_init(&b, "anthropic", "cohere");
	got = bench_ask(&b, in, NULL);
	assert_string_equal(got, "{\"model\":\"their-model\",\"messages\":["
	    "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":[{\"type\":"
	    "\"document\",\"document\":{\"data\":{\"error\":\"down\"}}}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":\"x\"},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"Here\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	    "\"data:image/png;base64,iVBO\"}}]}],\"max_tokens\":5,"
	    "\"stream\":false}");
	bench_free(&b);
}

static void
refused(void **state)
{
	static const char *const parts[] = {
		"{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA==\","
		"\"format\":\"wav\"}}",
		"{\"type\":\"file\",\"file\":{\"file_data\":"
		"\"data:application/pdf;base64,JVBE\"}}",
		"{\"type\":\"video_url\",\"video_url\":{\"url\":\"http://v\"}}",
		"{\"type\":\"mystery\"}",
	};
	char in[1024];
	struct bench b;
	enum err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		bench_init(&b, "openai", "cohere");
		snprintf(in, sizeof in, "{\"model\":\"m\",\"messages\":[{"
		    "\"role\":\"user\",\"content\":[%s]}]}", parts[i]);
		bench_ask(&b, in, &e);
		assert_int_equal(e, ERR_BAD_REQUEST);
		assert_string_equal(b.fault.param, "messages");
		bench_free(&b);
	}
}

#define ASK "{\"model\":\"m\",\"messages\":[" HELLO "]}"
#define ASK_STREAM "{\"model\":\"m\",\"messages\":[" HELLO \
	"],\"stream\":true,\"stream_options\":{\"include_usage\":true}}"

static void
whole(void **state)
{
	static const char body[] = "{\"id\":\"r1\",\"message\":{\"role\":"
	    "\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
	    "\"hm\"},{\"type\":\"text\",\"text\":\"Hi\"}],\"citations\":["
	    "{\"start\":0,\"end\":2,\"text\":\"Hi\",\"sources\":[{\"type\":"
	    "\"document\",\"id\":\"d\",\"document\":{\"url\":\"http://u\","
	    "\"title\":\"T\"}},{\"type\":\"tool\",\"id\":\"t\","
	    "\"tool_output\":{\"content\":\"x\"}}]}]},"
	    "\"finish_reason\":\"MAX_TOKENS\",\"logprobs\":[{\"text\":\"Hi\","
	    "\"token_ids\":[1,2],\"logprobs\":[-0.5,-0.25]}],\"usage\":{"
	    "\"billed_units\":{\"input_tokens\":26,\"output_tokens\":147,"
	    "\"search_units\":2},\"tokens\":{\"input_tokens\":1431,"
	    "\"output_tokens\":152,\"reasoning_tokens\":145},"
	    "\"cached_tokens\":1392}}";
	struct reply r;
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "cohere");
	bench_read(&b, ASK);
	assert_int_equal(bench_reply(&b, body, &r), ERR_OK);
	assert_int_equal(r.finish, FINISH_LENGTH);
	assert_int_equal(r.usage.n[UNIT_INPUT], 26);
	assert_int_equal(r.usage.n[UNIT_CACHED_INPUT], 0);
	assert_int_equal(r.usage.n[UNIT_REASONING], 145);
	assert_int_equal(r.usage.n[UNIT_OUTPUT], 2);
	assert_int_equal(r.usage.n[UNIT_SEARCH], 2);
	bench_has(&b, "\"reasoning_content\":\"hm\"", 1);
	bench_has(&b, "\"content\":\"Hi\"", 1);
	bench_has(&b, "\"finish_reason\":\"length\"", 1);
	bench_has(&b, "\"start_index\":0,\"end_index\":2,"
	    "\"url\":\"http://u\",\"title\":\"T\"", 1);
	bench_has(&b, "\"logprob\":-0.75,\"bytes\":[72,105]", 1);
	bench_free(&b);
}

/* Where nothing is said of billing, tokens count, cached ones apart. */
static void
usage_without_billing(void **state)
{
	static const char body[] = "{\"message\":{\"tool_plan\":\"I look.\","
	    "\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
	    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
	    "\"finish_reason\":\"TOOL_CALL\",\"usage\":{\"tokens\":{"
	    "\"input_tokens\":10.0,\"output_tokens\":3},\"cached_tokens\":4}}";
	struct reply r;
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "cohere");
	bench_read(&b, ASK);
	assert_int_equal(bench_reply(&b, body, &r), ERR_OK);
	assert_int_equal(r.usage.n[UNIT_INPUT], 6);
	assert_int_equal(r.usage.n[UNIT_CACHED_INPUT], 4);
	assert_int_equal(r.usage.n[UNIT_OUTPUT], 3);
	assert_int_equal(r.finish, FINISH_TOOLS);
	bench_has(&b, "\"content\":\"I look.\"", 1);
	bench_has(&b, "\"name\":\"f\"", 1);
	bench_free(&b);
}

static void
bad_answers(void **state)
{
	static const char *const bodies[] = { "", "[]", "{}", "{\"message\":1}",
		"{\"message\":{", "null", "\"x\"" };
	static const struct {
		const char *body, *message;
		unsigned fail;
	} errors[] = {
		{ "{\"message\":\"too many tokens\"}", "too many tokens", 0 },
		{ "{\"finish_reason\":\"ERROR\",\"message\":{},\"error\":"
		  "\"No valid \\\"response\\\"\"}", "No valid \"response\"",
		  FAIL_SERVER },
		{ "{\"finish_reason\":\"TIMEOUT\",\"message\":{}}",
		  "the provider ended its answer with an error",
		  FAIL_SERVER },
	};
	struct reply r;
	struct bench b;
	size_t i;

	(void)state;
	bench_init(&b, "openai", "cohere");
	bench_read(&b, ASK);
	for (i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
		assert_int_equal(bench_reply(&b, bodies[i], &r),
		    ERR_BAD_UPSTREAM);
	for (i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		assert_int_equal(bench_reply(&b, errors[i].body, &r), ERR_OK);
		assert_non_null(r.error);
		assert_string_equal(r.error->message, errors[i].message);
		if (errors[i].fail != 0)
			assert_int_equal(r.error->fail, errors[i].fail);
	}
	bench_free(&b);
}

#define MSG(x) "\"delta\":{\"message\":{" x "}}}\n\n"
#define EVENT(type, index, x) "event: " type "\ndata: {\"type\":\"" type \
	"\",\"index\":" index "," MSG(x)
#define START "event: message-start\ndata: {\"id\":\"r1\",\"type\":" \
	"\"message-start\",\"delta\":{\"message\":{\"role\":" \
	"\"assistant\"}}}\n\n"
#define END(reason, more) "event: message-end\ndata: {\"type\":" \
	"\"message-end\",\"delta\":{\"finish_reason\":\"" reason "\"" more \
	"}}\n\n"
#define USAGE ",\"usage\":{\"billed_units\":{\"input_tokens\":5," \
	"\"output_tokens\":6},\"tokens\":{\"input_tokens\":99," \
	"\"output_tokens\":9,\"reasoning_tokens\":2}}"

static const char stream_text[] = START
    EVENT("content-start", "0", "\"content\":{\"type\":\"thinking\","
	"\"thinking\":\"\"}")
    EVENT("content-delta", "0", "\"content\":{\"thinking\":\"hm\"}")
    EVENT("content-start", "1", "\"content\":{\"type\":\"text\","
	"\"text\":\"H\"}")
    EVENT("content-delta", "1", "\"content\":{\"text\":\"\xc3\xa9llo\"}")
    EVENT("citation-start", "0", "\"citations\":{\"start\":0,\"end\":1,"
	"\"sources\":[{\"type\":\"document\",\"document\":{\"url\":"
	"\"http://u\"}}]}")
    "event: citation-end\ndata: {\"type\":\"citation-end\",\"index\":0}\n\n"
    END("COMPLETE", USAGE) "data: [DONE]\n\n";

static const char stream_calls[] = START
    "event: tool-plan-delta\ndata: {\"type\":\"tool-plan-delta\"," MSG(
	"\"tool_plan\":\"I look.\"")
    EVENT("tool-call-start", "0", "\"tool_calls\":{\"id\":\"a\",\"type\":"
	"\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}")
    EVENT("tool-call-delta", "0", "\"tool_calls\":{\"function\":{"
	"\"arguments\":\"{\\\"x\\\":\"}}")
    EVENT("tool-call-delta", "0", "\"tool_calls\":{\"function\":{"
	"\"arguments\":\"1}\"}}")
    EVENT("tool-call-start", "1", "\"tool_calls\":{\"id\":\"b\",\"type\":"
	"\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}")
    END("TOOL_CALL", USAGE);

static void
streamed(void **state)
{
	size_t step, len = sizeof stream_text - 1;
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "cohere");
	bench_read(&b, ASK_STREAM);
	for (step = 1; step <= len; step += step < 80 ? 1 : len) {
		assert_int_equal(bench_stream(&b, stream_text, len, step),
		    ERR_OK);
		assert_int_equal(b.ends, 1);
		assert_int_equal(b.finish, FINISH_STOP);
		assert_int_equal(b.usage.n[UNIT_INPUT], 5);
		assert_int_equal(b.usage.n[UNIT_REASONING], 2);
		assert_int_equal(b.usage.n[UNIT_OUTPUT], 4);
		bench_has(&b, "\"reasoning_content\":\"hm\"", 1);
		bench_has(&b, "\"content\":\"H\"", 1);
		bench_has(&b, "\"content\":\"\xc3\xa9llo\"", 1);
		bench_has(&b, "\"url\":\"http://u\"", 1);
		bench_has(&b, "\"finish_reason\":\"stop\"", 1);
		bench_has(&b, "data: [DONE]", 1);
	}
	bench_free(&b);
}

static void
streamed_calls(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "cohere");
	bench_read(&b, ASK_STREAM);
	assert_int_equal(bench_stream(&b, stream_calls,
	    sizeof stream_calls - 1, 7), ERR_OK);
	assert_int_equal(b.finish, FINISH_TOOLS);
	bench_has(&b, "\"content\":\"I look.\"", 1);
	bench_has(&b, "\"index\":0,\"id\":\"a\"", 1);
	bench_has(&b, "\"arguments\":\"{\\\"x\\\":\"", 1);
	bench_has(&b, "\"arguments\":\"1}\"", 1);
	bench_has(&b, "\"index\":1,\"id\":\"b\"", 1);
	bench_has(&b, "\"finish_reason\":\"tool_calls\"", 1);
	bench_free(&b);
}

static void
failed_streams(void **state)
{
	static const struct {
		const char *bytes;
		enum err e;
		const char *message; /* of the provider, NULL: none */
	} cases[] = {
		{ "", ERR_BAD_UPSTREAM, NULL },
		{ START, ERR_BAD_UPSTREAM, NULL },
		{ START "data: [DONE]\n\n", ERR_BAD_UPSTREAM, NULL },
		{ "data: {\n\n", ERR_BAD_UPSTREAM, NULL },
		{ "data: [1]\n\n", ERR_BAD_UPSTREAM, NULL },
		{ START END("ERROR", ",\"error\":\"No valid response\""),
		  ERR_UPSTREAM, "No valid response" },
		{ START END("ERROR", ""), ERR_UPSTREAM,
		  "the provider ended its answer with an error" },
		{ "data: {\"message\":\"invalid api token\"}\n\n",
		  ERR_UPSTREAM, "invalid api token" },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bench_init(&b, "openai", "cohere");
		bench_read(&b, ASK_STREAM);
		assert_int_equal(bench_stream(&b, cases[i].bytes,
		    strlen(cases[i].bytes), 1000), cases[i].e);
		assert_int_equal(b.errors, cases[i].message != NULL);
		assert_int_equal(b.ends, 0);
		if (cases[i].message != NULL)
			assert_string_equal(b.message, cases[i].message);
		bench_free(&b);
	}
}

static void
error_bodies(void **state)
{
	static const char body[] =
	    "{\"id\":\"x\",\"message\":\"invalid api token\"}";
	const struct adapter *to = adapter_find("cohere");
	struct arena *a = arena_new(MIB(1));
	struct upstream_error e;

	(void)state;
	memset(&e, 0, sizeof e);
	to->classify(a, 401, body, sizeof body - 1, &e);
	assert_int_equal(e.fail, FAIL_AUTH);
	assert_string_equal(e.message, "invalid api token");
	arena_free(a);
}

/* No door leads to it. */
static void
only_a_provider(void **state)
{
	(void)state;
	assert_null(adapter_find("cohere")->read_request);
	assert_null(adapter_find("cohere")->write_reply);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_written),
		cmocka_unit_test(tools_and_choice),
		cmocka_unit_test(results_of_a_turn),
		cmocka_unit_test(refused),
		cmocka_unit_test(whole),
		cmocka_unit_test(usage_without_billing),
		cmocka_unit_test(bad_answers),
		cmocka_unit_test(streamed),
		cmocka_unit_test(streamed_calls),
		cmocka_unit_test(failed_streams),
		cmocka_unit_test(error_bodies),
		cmocka_unit_test(only_a_provider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
