/* OpenAI Responses: requests, whole answers, streams, errors, both ways. */
#include "tests/unit/adapter_help.h"

#define USER(t) "{\"role\":\"user\",\"content\":\"" t "\"}"
#define CALL(id, args) "{\"type\":\"function_call\",\"call_id\":\"" id       \
	"\",\"name\":\"f\",\"arguments\":\"" args "\"}"
#define RESULT(id, t) "{\"type\":\"function_call_output\",\"call_id\":\"" id \
	"\",\"output\":\"" t "\"}"

/* Requests of a Responses client and what a chat provider is sent. */
static const struct {
	const char *in, *out;
} to_chat[] = {
	{ "\"input\":\"Hi\"", "\"messages\":[" USER("Hi") "]" },
	{ "\"input\":\"Hi\",\"instructions\":\"Be terse\"",
	  "\"messages\":[{\"role\":\"system\",\"content\":\"Be terse\"},"
	  USER("Hi") "]" },
	{ "\"input\":[" USER("a") ",{\"type\":\"message\",\"role\":"
	  "\"developer\",\"content\":[{\"type\":\"input_text\",\"text\":"
	  "\"b\"}]}]",
	  "\"messages\":[" USER("a") ",{\"role\":\"system\",\"content\":"
	  "\"b\"}]" },
	/* What an assistant said and called is one message. */
	{ "\"input\":[" USER("a") ",{\"role\":\"assistant\",\"content\":["
	  "{\"type\":\"output_text\",\"text\":\"b\",\"annotations\":[]}]},"
	  CALL("c1", "{}") "," CALL("c2", "") "," RESULT("c1", "x") ","
	  RESULT("c2", "y") "]",
	  "\"messages\":[" USER("a") ",{\"role\":\"assistant\",\"content\":"
	  "\"b\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":"
	  "\"c2\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	  "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
	  "\"c1\",\"content\":\"x\"},{\"role\":\"tool\",\"tool_call_id\":"
	  "\"c2\",\"content\":\"y\"}]" },
	{ "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
	  "\"input_image\",\"image_url\":\"data:image/gif;base64,R0lG\","
	  "\"detail\":\"low\"},{\"type\":\"input_file\",\"filename\":"
	  "\"a.pdf\",\"file_data\":\"JVBE\"}]}]",
	  "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
	  "\"image_url\",\"image_url\":{\"url\":\"data:image/gif;base64,"
	  "R0lG\",\"detail\":\"low\"}},{\"type\":\"file\",\"file\":{"
	  "\"filename\":\"a.pdf\",\"file_data\":\"data:application/pdf;"
	  "base64,JVBE\"}}]}]" },
	{ "\"input\":\"Hi\",\"max_output_tokens\":9,\"temperature\":0.30,"
	  "\"top_p\":0.5,\"reasoning\":{\"effort\":\"low\"},\"text\":{"
	  "\"verbosity\":\"low\",\"format\":{\"type\":\"json_schema\","
	  "\"name\":\"n\",\"schema\":{\"a\":1},\"strict\":true}},"
	  "\"metadata\":{\"k\":\"v\"},\"store\":true,\"user\":\"u\"",
	  "\"messages\":[" USER("Hi") "],\"response_format\":{\"type\":"
	  "\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":"
	  "{\"a\":1},\"strict\":true}},\"max_tokens\":9,\"temperature\":"
	  "0.30,\"top_p\":0.5,\"reasoning_effort\":\"low\",\"verbosity\":"
	  "\"low\",\"user\":\"u\"" },
	/* Allowed tools: the others are left out. */
	{ "\"input\":\"Hi\",\"tools\":[{\"type\":\"function\",\"name\":"
	  "\"f\"},{\"type\":\"function\",\"name\":\"g\",\"strict\":false}],"
	  "\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":"
	  "\"required\",\"tools\":[{\"type\":\"function\",\"name\":\"g\"}]}",
	  "\"messages\":[" USER("Hi") "],\"tools\":[{\"type\":\"function\","
	  "\"function\":{\"name\":\"g\",\"strict\":false}}],"
	  "\"tool_choice\":\"required\"" },
};

static void
requests_to_chat(void **state)
{
	char in[4096], want[4096];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof to_chat / sizeof to_chat[0]; i++) {
		bench_init(&b, "responses", "openai");
		snprintf(in, sizeof in, "{\"model\":\"m\",%s}", to_chat[i].in);
		snprintf(want, sizeof want, "{\"model\":\"their-model\",%s}",
		    to_chat[i].out);
		assert_string_equal(bench_ask(&b, in, NULL), want);
		bench_free(&b);
	}
}

/* Requests of a chat client and what a Responses provider is sent. */
static const struct {
	const char *in, *out;
} from_chat[] = {
	{ "\"messages\":[" USER("Hi") "]",
	  "\"input\":[" USER("Hi") "],\"store\":false" },
	{ "\"messages\":[" USER("Hi") ",{\"role\":\"assistant\",\"content\":"
	  "null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":"
	  "\"tool\",\"tool_call_id\":\"c1\",\"content\":\"x\"}]",
	  "\"input\":[" USER("Hi") "," CALL("c1", "{}") ","
	  RESULT("c1", "x") "],\"store\":false" },
	/* Its own sealed reasoning goes back, that of others does not. */
	{ "\"messages\":[" USER("Hi") ",{\"role\":\"assistant\",\"content\":"
	  "\"a\",\"reasoning_details\":[{\"type\":\"reasoning.encrypted\","
	  "\"data\":\"S\",\"id\":\"rs_1\",\"format\":"
	  "\"openai-responses-v1\"},{\"type\":\"reasoning.text\",\"text\":"
	  "\"t\",\"signature\":\"s\",\"format\":\"anthropic-claude-v1\"}]}]",
	  "\"input\":[" USER("Hi") ",{\"type\":\"reasoning\",\"id\":"
	  "\"rs_1\",\"summary\":[],\"encrypted_content\":\"S\"},{\"role\":"
	  "\"assistant\",\"content\":\"a\"}],\"store\":false" },
	{ "\"messages\":[" USER("Hi") "],\"reasoning_effort\":\"high\","
	  "\"logprobs\":true,\"max_tokens\":5,\"stream\":true",
	  "\"input\":[" USER("Hi") "],\"reasoning\":{\"effort\":\"high\","
	  "\"summary\":\"auto\"},\"include\":[\"reasoning."
	  "encrypted_content\",\"message.output_text.logprobs\"],"
	  "\"max_output_tokens\":5,\"store\":false,\"stream\":true" },
	{ "\"messages\":[" USER("Hi") "],\"response_format\":{\"type\":"
	  "\"json_object\"},\"tools\":[{\"type\":\"function\",\"function\":"
	  "{\"name\":\"f\"}}],\"tool_choice\":\"none\"",
	  "\"input\":[" USER("Hi") "],\"tools\":[{\"type\":\"function\","
	  "\"name\":\"f\",\"parameters\":{\"type\":\"object\","
	  "\"properties\":{}},\"strict\":false}],\"tool_choice\":\"none\","
	  "\"text\":{\"format\":{\"type\":\"json_object\"}},\"store\":"
	  "false" },
};

static void
requests_from_chat(void **state)
{
	char in[4096], want[4096];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof from_chat / sizeof from_chat[0]; i++) {
		bench_init(&b, "openai", "responses");
		snprintf(in, sizeof in, "{\"model\":\"m\",%s}",
		    from_chat[i].in);
		snprintf(want, sizeof want, "{\"model\":\"their-model\",%s}",
		    from_chat[i].out);
		assert_string_equal(bench_ask(&b, in, NULL), want);
		assert_string_equal(b.call.url,
		    "http://provider.test/responses");
		bench_free(&b);
	}
}

/* The same dialect: every byte but the model, and no foreign reasoning. */
static void
request_passes(void **state)
{
	static const char in[] = "{ \"model\" : \"m\", \"new\": [1.50],"
	    "\"previous_response_id\":\"resp_1\", \"input\":[{\"type\":"
	    "\"reasoning\",\"id\":\"rs_tg_0_0\",\"summary\":[]},{\"type\":"
	    "\"reasoning\",\"id\":\"rs_9\",\"summary\":[]},{\"type\":"
	    "\"item_reference\",\"id\":\"msg_1\"}] }";
	struct bench b;

	(void)state;
	bench_init(&b, "responses", "responses");
	assert_string_equal(bench_ask(&b, in, NULL), "{ \"model\" : "
	    "\"their-model\", \"new\": [1.50],\"previous_response_id\":"
	    "\"resp_1\", \"input\":[{\"type\":\"reasoning\",\"id\":\"rs_9\","
	    "\"summary\":[]},{\"type\":\"item_reference\",\"id\":"
	    "\"msg_1\"}] }");
	bench_free(&b);
}

static const struct {
	const char *more, *param;
	bool later; /* only when another dialect is to take it */
} refusals[] = {
	{ "\"input\":7", "input", false },
	{ "\"input\":[\"a\"]", "input[0]", false },
	{ "\"stream\":true", "input", false },
	{ "\"input\":\"a\",\"stream\":1", "stream", false },
	{ "\"input\":\"a\",\"max_output_tokens\":-1", "max_output_tokens",
	  false },
	{ "\"input\":\"a\",\"background\":true", "background", false },
	{ "\"input\":\"a\",\"previous_response_id\":\"r\"",
	  "previous_response_id", true },
	{ "\"input\":\"a\",\"background\":true,\"stream\":true",
	  "background", true },
	{ "\"input\":[{\"id\":\"msg_1\"}]", "input[0]", true },
	{ "\"input\":[" USER("a") ",{\"role\":\"ghost\"}]", "input[1]",
	  true },
	{ "\"input\":[{\"role\":\"user\",\"content\":5}]", "input[0]",
	  true },
	{ "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"x\"}]}]",
	  "input[0]", true },
	{ "\"input\":[{\"type\":\"function_call\",\"name\":\"f\"}]",
	  "input[0]", true },
	{ "\"input\":[{\"type\":\"function_call_output\"}]", "input[0]",
	  true },
	{ "\"input\":\"a\",\"tools\":[{\"name\":\"f\"}]", "tools", true },
	{ "\"input\":\"a\",\"tool_choice\":{\"type\":\"allowed_tools\","
	  "\"tools\":[]}", "tool_choice", true },
};

static void
requests_refused(void **state)
{
	char in[1024];
	struct bench b;
	enum err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		bench_init(&b, "responses", "openai");
		b.chat.surface = b.surface;
		b.chat.path = b.chat.query = b.chat.beta = "";
		snprintf(in, sizeof in, "{\"model\":\"m\",%s}",
		    refusals[i].more);
		assert_int_equal(json_parse(&b.chat.doc, b.arena, in,
		    strlen(in), &b.fault), ERR_OK);
		e = b.surface->read_request(b.arena, &b.chat, &b.fault);
		assert_int_equal(e == ERR_OK, refusals[i].later);
		if (e == ERR_OK)
			e = b.surface->read_chat(b.arena, &b.chat, &b.fault);
		assert_int_equal(e, ERR_BAD_REQUEST);
		assert_string_equal(b.fault.param, refusals[i].param);
		bench_free(&b);
	}
}

/* ------------------------------------------------------------ answers */

#define CHAT_STREAM "{\"model\":\"m\",\"messages\":[" USER("Hi")             \
	"],\"stream\":true,\"stream_options\":{\"include_usage\":true}}"

static const char answer[] =
    "event: response.created\n"
    "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\","
    "\"model\":\"x\",\"output\":[]},\"sequence_number\":0}\n\n"
    "data: {\"type\":\"response.output_item.added\",\"output_index\":0,"
    "\"item\":{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]}}\n\n"
    "data: {\"type\":\"response.reasoning_summary_text.delta\","
    "\"output_index\":0,\"delta\":\"h\\u00e4\"}\n\n"
    "data: {\"type\":\"response.output_item.done\",\"output_index\":0,"
    "\"item\":{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],"
    "\"encrypted_content\":\"S\"}}\n\n"
    "data: {\"type\":\"keepalive\"}\n\n"
    "data: {\"type\":\"response.output_text.delta\",\"output_index\":1,"
    "\"delta\":\"Hi\"}\n\n"
    "data: {\"type\":\"response.output_item.added\",\"output_index\":2,"
    "\"item\":{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":"
    "\"f\",\"arguments\":\"\"}}\n\n"
    "data: {\"type\":\"response.function_call_arguments.delta\","
    "\"output_index\":2,\"delta\":\"{}\"}\n\n"
    "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\","
    "\"status\":\"completed\",\"output\":[{\"type\":\"reasoning\"},"
    "{\"type\":\"message\"},{\"type\":\"function_call\",\"call_id\":\"c1\","
    "\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":\"function_call\","
    "\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"[1]\"}],\"usage\":{"
    "\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":4},"
    "\"output_tokens\":8,\"output_tokens_details\":{\"reasoning_tokens\":3},"
    "\"total_tokens\":18}}}\n\n";

/* In pieces of every size, for a chat client. */
static void
stream_to_chat(void **state)
{
	struct bench b;
	size_t step;

	(void)state;
	for (step = 1; step < sizeof answer; step += step < 40 ? 1 : 97) {
		bench_init(&b, "openai", "responses");
		bench_ask(&b, CHAT_STREAM, NULL);
		assert_int_equal(bench_stream(&b, answer, sizeof answer - 1,
		    step), ERR_OK);
		assert_int_equal(b.ends, 1);
		assert_int_equal(b.finish, FINISH_TOOLS);
		assert_int_equal(b.usage.n[UNIT_INPUT], 6);
		assert_int_equal(b.usage.n[UNIT_CACHED_INPUT], 4);
		assert_int_equal(b.usage.n[UNIT_REASONING], 3);
		assert_int_equal(b.usage.n[UNIT_OUTPUT], 5);
		bench_has(&b, "\"reasoning_content\":\"h\xc3\xa4\"", 1);
		bench_has(&b, "\"data\":\"S\",\"id\":\"rs_1\",\"format\":"
		    "\"openai-responses-v1\"", 1);
		bench_has(&b, "\"content\":\"Hi\"", 1);
		bench_has(&b, "\"index\":0,\"id\":\"c1\"", 1);
		/* What no event told of, the last one does. */
		bench_has(&b, "\"index\":1,\"id\":\"c2\"", 1);
		bench_has(&b, "\"arguments\":\"[1]\"", 1);
		bench_has(&b, "\"finish_reason\":\"tool_calls\"", 1);
		bench_has(&b, "data: [DONE]\n\n", 1);
		bench_free(&b);
	}
}

/* For a client of the same dialect each event gets its name, no more. */
static void
stream_passes(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, "responses", "responses");
	bench_ask(&b, "{\"model\":\"m\",\"input\":\"Hi\",\"stream\":true}",
	    NULL);
	assert_int_equal(bench_stream(&b, answer, sizeof answer - 1, 7),
	    ERR_OK);
	assert_int_equal(b.ends, 1);
	bench_has(&b, "event: response.created\ndata: {\"type\":"
	    "\"response.created\"", 1);
	bench_has(&b, "event: response.completed\ndata: ", 1);
	bench_has(&b, "event: keepalive\n", 1);
	bench_has(&b, "\n\n", 9);
	bench_has(&b, "[DONE]", 0);
	bench_free(&b);
}

static const struct {
	const char *bytes;
	enum err err;
	unsigned fail;
} bad_streams[] = {
	{ "", ERR_BAD_UPSTREAM, 0 },
	{ "data: [DONE]\n\n", ERR_BAD_UPSTREAM, 0 },
	{ "data: {\n\n", ERR_BAD_UPSTREAM, 0 },
	{ "data: {\"type\":\"response.created\"}\n\n", ERR_BAD_UPSTREAM, 0 },
	{ "data: {\"type\":\"a\\nb\"}\n\n", ERR_BAD_UPSTREAM, 0 },
	{ "data: {\"type\":\"response.completed\"}\n\n", ERR_BAD_UPSTREAM,
	  0 },
	{ "data: {\"type\":\"response.output_text.delta\",\"output_index\":"
	  "-1,\"delta\":\"a\"}\n\n", ERR_BAD_UPSTREAM, 0 },
	{ "event: error\ndata: {\"type\":\"error\",\"code\":"
	  "\"rate_limit_exceeded\",\"message\":\"slow\"}\n\n", ERR_UPSTREAM,
	  FAIL_RATE },
	{ "data: {\"type\":\"error\",\"error\":{\"type\":\"server_error\","
	  "\"message\":\"x\"}}\n\n", ERR_UPSTREAM, FAIL_SERVER },
	{ "data: {\"error\":{\"message\":\"x\"}}\n\n", ERR_UPSTREAM,
	  FAIL_SERVER },
	{ "data: {\"type\":\"response.failed\",\"response\":{\"status\":"
	  "\"failed\",\"error\":{\"code\":\"context_length_exceeded\","
	  "\"message\":\"long\"}}}\n\n", ERR_UPSTREAM,
	  FAIL_REQUEST | FAIL_CONTEXT },
};

static void
streams_that_fail(void **state)
{
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad_streams / sizeof bad_streams[0]; i++) {
		bench_init(&b, "openai", "responses");
		bench_ask(&b, CHAT_STREAM, NULL);
		assert_int_equal(bench_stream(&b, bad_streams[i].bytes,
		    strlen(bad_streams[i].bytes), 1000), bad_streams[i].err);
		assert_int_equal(b.ends, 0);
		assert_int_equal(b.fail, bad_streams[i].fail);
		bench_free(&b);
	}
}

#define CHUNK(delta) "data: {\"id\":\"chatcmpl-1\",\"object\":"              \
	"\"chat.completion.chunk\",\"created\":5,\"model\":\"x\","           \
	"\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}\n\n"
#define PART(i, id, args) "\"tool_calls\":[{\"index\":" i ",\"id\":\"" id    \
	"\",\"type\":\"function\",\"function\":{\"name\":\"f\","             \
	"\"arguments\":\"" args "\"}}]"
#define MORE(i, args) "\"tool_calls\":[{\"index\":" i ",\"function\":{"      \
	"\"arguments\":\"" args "\"}}]"

/* A chat provider's stream; parts of two calls come mixed. */
static const char chat_answer[] = CHUNK("\"reasoning_content\":\"hm\"")
    CHUNK("\"content\":\"Hi\"") CHUNK(PART("0", "c1", "{\\\"a\\\":"))
    CHUNK(PART("1", "c2", "{}")) CHUNK(MORE("0", "1}"))
    "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{},"
    "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":3,"
    "\"completion_tokens\":4,\"total_tokens\":7}}\n\ndata: [DONE]\n\n";

static void
stream_from_chat(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, "responses", "openai");
	bench_ask(&b, "{\"model\":\"m\",\"input\":\n\"Hi\",\"stream\":true,"
	    "\"metadata\":{\"k\":\r\n\"v\"}}", NULL);
	assert_int_equal(bench_stream(&b, chat_answer, sizeof chat_answer - 1,
	    64), ERR_OK);
	bench_has(&b, "\"sequence_number\":0,\"response\":{\"id\":"
	    "\"resp_chatcmpl-1\"", 1);
	bench_has(&b, "\"metadata\":{\"k\":  \"v\"}", 3);
	bench_has(&b, "event: response.reasoning_summary_text.delta\n", 1);
	bench_has(&b, "event: response.output_item.added\n", 4);
	bench_has(&b, "event: response.output_item.done\n", 4);
	bench_has(&b, "\"arguments\":\"{\\\"a\\\":1}\"", 3);
	bench_has(&b, "event: response.completed\n", 1);
	assert_int_equal(b.usage.n[UNIT_OUTPUT], 4);
	bench_has(&b, "\"store\":false", 3);
	bench_has(&b, "[DONE]", 0);
	bench_free(&b);
}

/* A custom tool is a function of one text elsewhere, and comes back whole. */
static void
custom_tool(void **state)
{
	static const char in[] = "{\"model\":\"m\",\"stream\":true,\"tools\":"
	    "[{\"type\":\"custom\",\"name\":\"f\",\"description\":\"d\","
	    "\"format\":{\"type\":\"grammar\",\"syntax\":\"lark\","
	    "\"definition\":\"start: A\"}}],\"tool_choice\":{\"type\":"
	    "\"custom\",\"name\":\"f\"},\"input\":[" USER("a") ",{\"type\":"
	    "\"custom_tool_call\",\"call_id\":\"c0\",\"name\":\"f\","
	    "\"input\":\"x\\ny\"},{\"type\":\"custom_tool_call_output\","
	    "\"call_id\":\"c0\",\"output\":\"ok\"}]}";
	static const char said[] =
	    CHUNK(PART("0", "c1", "{\\\"input\\\":\\\"p\\\\n"))
	    CHUNK(MORE("0", "q\\\"}")) CHUNK(PART("1", "c2", "no JSON"))
	    "data: [DONE]\n\n";
	struct bench b;

	(void)state;
	bench_init(&b, "responses", "openai");
	assert_string_equal(bench_ask(&b, in, NULL), "{\"model\":"
	    "\"their-model\",\"messages\":[" USER("a") ",{\"role\":"
	    "\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c0\","
	    "\"type\":\"function\",\"function\":{\"name\":\"f\","
	    "\"arguments\":\"{\\\"input\\\":\\\"x\\\\ny\\\"}\"}}]},{\"role\":"
	    "\"tool\",\"tool_call_id\":\"c0\",\"content\":\"ok\"}],"
	    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
	    "\"description\":\"d\\n\\nThe text must be of this grammar (lark):"
	    "\\nstart: A\",\"parameters\":{\"type\":\"object\","
	    "\"properties\":{\"input\":{\"type\":\"string\"}},\"required\":"
	    "[\"input\"]}}}],\"tool_choice\":{\"type\":\"function\","
	    "\"function\":{\"name\":\"f\"}},\"stream\":true,"
	    "\"stream_options\":{\"include_usage\":true}}");
	assert_int_equal(bench_stream(&b, said, sizeof said - 1, 50), ERR_OK);
	bench_has(&b, "event: response.custom_tool_call_input.delta\n", 2);
	bench_has(&b, "\"delta\":\"p\\nq\"", 1);
	bench_has(&b, "\"call_id\":\"c1\",\"name\":\"f\",\"input\":"
	    "\"p\\nq\"", 2);
	bench_has(&b, "\"call_id\":\"c2\",\"name\":\"f\",\"input\":"
	    "\"no JSON\"", 2);
	bench_has(&b, "function_call", 0);
	bench_free(&b);
}

static const struct {
	const char *body, *has;
} chat_replies[] = {
	{ "{\"id\":\"a\",\"choices\":[{\"index\":0,\"message\":{\"content\":"
	  "\"Hi\"},\"finish_reason\":\"length\"}]}",
	  "\"status\":\"incomplete\",\"model\":\"their-model\","
	  "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}" },
	{ "{\"choices\":[{\"index\":0,\"message\":{\"content\":null,"
	  "\"refusal\":\"No\"},\"finish_reason\":\"stop\"}]}",
	  "\"content\":[{\"type\":\"refusal\",\"refusal\":\"No\"}]" },
	{ "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\","
	  "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":"
	  "{\"url\":\"http://u\",\"title\":\"T\"}}]},\"finish_reason\":"
	  "\"stop\",\"logprobs\":{\"content\":[{\"token\":\"Hi\"}]}}]}",
	  "\"annotations\":[{\"type\":\"url_citation\",\"start_index\":0,"
	  "\"end_index\":0,\"url\":\"http://u\",\"title\":\"T\"}],"
	  "\"logprobs\":[{\"token\":\"Hi\"}]" },
	{ "{\"choices\":[{\"index\":0,\"message\":{\"content\":null,"
	  "\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\","
	  "\"arguments\":\"\"}}]},\"finish_reason\":\"tool_calls\"}]}",
	  "\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"" },
};

static void
replies_from_chat(void **state)
{
	struct reply reply;
	struct bench b;
	struct json doc;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof chat_replies / sizeof chat_replies[0]; i++) {
		bench_init(&b, "responses", "openai");
		bench_ask(&b, "{\"model\":\"m\",\"input\":\"Hi\"}", NULL);
		assert_int_equal(bench_reply(&b, chat_replies[i].body,
		    &reply), ERR_OK);
		bench_has(&b, chat_replies[i].has, 1);
		assert_int_equal(json_parse(&doc, b.arena, b.out.data,
		    b.out.len, NULL), ERR_OK);
		bench_free(&b);
	}
}

static const struct {
	const char *body;
	enum err err;
	unsigned fail;
	const char *has; /* for a chat client */
} replies[] = {
	{ "", ERR_BAD_UPSTREAM, 0, NULL },
	{ "{}", ERR_BAD_UPSTREAM, 0, NULL },
	{ "{\"status\":\"failed\",\"error\":{\"code\":\"server_error\","
	  "\"message\":\"x\"}}", ERR_OK, FAIL_SERVER, NULL },
	{ "{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"x\"}}",
	  ERR_OK, FAIL_RATE, NULL },
	{ "{\"status\":\"completed\",\"error\":null,\"output\":[]}", ERR_OK,
	  0, "\"content\":null" },
	{ "{\"output\":[{\"type\":\"message\",\"content\":[{\"type\":"
	  "\"output_text\",\"text\":\"a\"},{\"type\":\"output_text\","
	  "\"text\":\"b\"}]}]}", ERR_OK, 0, "\"content\":\"ab\"" },
	{ "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
	  "\"content_filter\"},\"output\":[]}", ERR_OK, 0,
	  "\"finish_reason\":\"content_filter\"" },
	{ "{\"output\":[{\"type\":\"reasoning\",\"summary\":[{\"text\":"
	  "\"a\"},{\"text\":\"b\"}],\"content\":[{\"text\":\"c\"}]}]}",
	  ERR_OK, 0, "\"reasoning_content\":\"a\\n\\nb\"" },
};

static void
replies_to_chat(void **state)
{
	struct reply reply;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		bench_init(&b, "openai", "responses");
		bench_ask(&b, "{\"model\":\"m\",\"messages\":[" USER("Hi")
		    "]}", NULL);
		assert_int_equal(bench_reply(&b, replies[i].body, &reply),
		    replies[i].err);
		assert_int_equal(reply.error == NULL ? 0 : reply.error->fail,
		    replies[i].fail);
		if (replies[i].has != NULL)
			bench_has(&b, replies[i].has, 1);
		bench_free(&b);
	}
}

/* An answer that breaks off after its beginning. */
static void
stream_error(void **state)
{
	static const struct answer_meta meta = { .request_id = "req_1",
		.provider = "p", .model = "m", .cost = -1 };
	struct bench b;

	(void)state;
	bench_init(&b, "responses", "openai");
	bench_ask(&b, "{\"model\":\"m\",\"input\":\"Hi\",\"stream\":true}",
	    NULL);
	bench_stream(&b, CHUNK("\"content\":\"Hi\""),
	    strlen(CHUNK("\"content\":\"Hi\"")), 1000);
	buf_clear(&b.out);
	fault_set(&b.fault, ERR_BAD_UPSTREAM, NULL, "cut \"off\"");
	b.surface->write_stream_error(&b.writer, ERR_BAD_UPSTREAM, &b.fault,
	    &meta, &b.out);
	bench_has(&b, "event: error\ndata: {\"type\":\"error\","
	    "\"sequence_number\":5,\"code\":\"bad_upstream\",\"message\":"
	    "\"cut \\\"off\\\"\"", 1);
	bench_has(&b, "event: response.failed\ndata: {\"type\":"
	    "\"response.failed\",\"sequence_number\":6,\"response\":{\"id\":"
	    "\"resp_chatcmpl-1\"", 1);
	bench_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_to_chat),
		cmocka_unit_test(requests_from_chat),
		cmocka_unit_test(request_passes),
		cmocka_unit_test(requests_refused),
		cmocka_unit_test(stream_to_chat),
		cmocka_unit_test(stream_passes),
		cmocka_unit_test(streams_that_fail),
		cmocka_unit_test(stream_from_chat),
		cmocka_unit_test(custom_tool),
		cmocka_unit_test(replies_from_chat),
		cmocka_unit_test(replies_to_chat),
		cmocka_unit_test(stream_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
