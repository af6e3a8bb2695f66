/* Ollama's own chat as a provider: requests, answers, lines, errors. */
#include "tests/unit/adapter_help.h"

#define HELLO "{\"role\":\"user\",\"content\":\"Hello\"}"

static const struct {
	const char *in, *messages, *rest;
} requests[] = {
	{ "\"messages\":[" HELLO "]", HELLO,
	  "\"options\":{},\"stream\":false" },
	{ "\"messages\":[{\"role\":\"system\",\"content\":\"Be terse\"},"
	  HELLO "],\"stream\":true,\"max_tokens\":9,\"top_p\":0.5,"
	  "\"top_k\":7,\"seed\":42,\"temperature\":0,"
	  "\"frequency_penalty\":0.1,\"presence_penalty\":0.2,"
	  "\"stop\":[\"A\",\"B\"],\"logprobs\":true,\"top_logprobs\":2",
	  "{\"role\":\"system\",\"content\":\"Be terse\"}," HELLO,
	  "\"options\":{\"num_predict\":9,\"temperature\":0,\"top_p\":0.5,"
	  "\"top_k\":7,\"seed\":42,\"frequency_penalty\":0.1,"
	  "\"presence_penalty\":0.2,\"stop\":[\"A\",\"B\"]},"
	  "\"logprobs\":true,\"top_logprobs\":2,\"stream\":true" },
	{ "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
	  "\"text\":\"See\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	  "\"data:image/gif;base64,R0lG\"}}]}]",
	  "{\"role\":\"user\",\"content\":\"See\",\"images\":[\"R0lG\"]}",
	  "\"options\":{},\"stream\":false" },
	{ "\"messages\":[" HELLO ",{\"role\":\"assistant\",\"content\":null,"
	  "\"reasoning_content\":\"hm\",\"tool_calls\":[{\"id\":\"c1\","
	  "\"type\":\"function\",\"function\":{\"name\":\"f\","
	  "\"arguments\":\"{\\\"a\\\": 1}\"}}]},{\"role\":\"tool\","
	  "\"tool_call_id\":\"c1\",\"content\":\"7\"}]",
	  HELLO ",{\"role\":\"assistant\",\"content\":\"\",\"thinking\":"
	  "\"hm\",\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":"
	  "\"f\",\"arguments\":{\"a\": 1}}}]},{\"role\":\"tool\","
	  "\"content\":\"7\",\"tool_name\":\"f\",\"tool_call_id\":\"c1\"}",
	  "\"options\":{},\"stream\":false" },
	/* What a model calls arguments need not be an object. */
	{ "\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":"
	  "\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	  "\"arguments\":\"two\"}}]}]",
	  "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{"
	  "\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":{"
	  "\"arguments\":\"two\"}}}]}",
	  "\"options\":{},\"stream\":false" },
	{ "\"messages\":[" HELLO "],\"reasoning_effort\":\"none\","
	  "\"response_format\":{\"type\":\"json_object\"}", HELLO,
	  "\"format\":\"json\",\"options\":{},\"think\":false,"
	  "\"stream\":false" },
	{ "\"messages\":[" HELLO "],\"reasoning_effort\":\"minimal\","
	  "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
	  "{\"name\":\"n\",\"schema\":{\"type\":\"object\"}}}", HELLO,
	  "\"format\":{\"type\":\"object\"},\"options\":{},\"think\":\"low\","
	  "\"stream\":false" },
	{ "\"messages\":[" HELLO "],\"tools\":[{\"type\":\"function\","
	  "\"function\":{\"name\":\"f\"}}]", HELLO,
	  "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
	  "\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],"
	  "\"options\":{},\"stream\":false" },
	{ "\"messages\":[" HELLO "],\"tools\":[{\"type\":\"function\","
	  "\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"none\"", HELLO,
	  "\"options\":{},\"stream\":false" },
};

static void
requests_written(void **state)
{
	char in[4096], want[4096];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		bench_init(&b, "openai", "ollama");
		snprintf(in, sizeof in, "{\"model\":\"m\",%s}",
		    requests[i].in);
		snprintf(want, sizeof want, "{\"model\":\"their-model\","
		    "\"messages\":[%s],%s}", requests[i].messages,
		    requests[i].rest);
		assert_string_equal(bench_ask(&b, in, NULL), want);
		assert_string_equal(b.call.url,
		    "http://provider.test/api/chat");
		bench_free(&b);
	}
}

/* Anthropic's results: their images follow in the user's message. */
static void
results_with_images(void **state)
{
	static const char in[] = "{\"model\":\"m\",\"max_tokens\":5,"
	    "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
	    "\"tool_use\",\"id\":\"b\",\"name\":\"shot\",\"input\":{}}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
	    "\"tool_use_id\":\"b\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"x\"},{\"type\":\"image\",\"source\":{\"type\":"
	    "\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBO\"}}]}"
	    "]}]}";
	struct bench b;

	(void)state;
	bench_init(&b, "anthropic", "ollama");
	assert_string_equal(bench_ask(&b, in, NULL),
	    "{\"model\":\"their-model\",\"messages\":[{\"role\":"
	    "\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"b\","
	    "\"function\":{\"name\":\"shot\",\"arguments\":{}}}]},{\"role\":"
	    "\"tool\",\"content\":\"x\",\"tool_name\":\"shot\","
	    "\"tool_call_id\":\"b\"},{\"role\":\"user\",\"content\":\"\","
	    "\"images\":[\"iVBO\"]}],\"options\":{\"num_predict\":5},"
	    "\"stream\":false}");
	bench_free(&b);
}

static void
refused(void **state)
{
	static const char *const parts[] = {
		"{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://i\"}}",
		"{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA==\","
		"\"format\":\"wav\"}}",
		"{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}",
		"{\"type\":\"video_url\",\"video_url\":{\"url\":\"http://v\"}}",
		"{\"type\":\"mystery\"}",
	};
	char in[1024];
	struct bench b;
	enum err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		bench_init(&b, "openai", "ollama");
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
	static const char body[] = "{\"model\":\"q\",\"created_at\":"
	    "\"2024-02-29T00:00:01.5Z\",\"message\":{\"role\":\"assistant\","
	    "\"content\":\"Hi\",\"thinking\":\"hm\",\"tool_calls\":[{\"id\":"
	    "\"c\",\"function\":{\"index\":0,\"name\":\"f\",\"arguments\":"
	    "{\"a\":2}}},{\"function\":{\"name\":\"g\",\"arguments\":{}}}]},"
	    "\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":31,"
	    "\"eval_count\":14,\"logprobs\":[{\"token\":\"Hi\",\"logprob\":"
	    "-0.25}]}";
	struct reply r;
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "ollama");
	bench_read(&b, ASK);
	assert_int_equal(bench_reply(&b, body, &r), ERR_OK);
	assert_int_equal(r.created, 1709164801);
	assert_int_equal(r.finish, FINISH_TOOLS);
	assert_int_equal(r.usage.n[UNIT_INPUT], 31);
	assert_int_equal(r.usage.n[UNIT_OUTPUT], 14);
	bench_has(&b, "\"reasoning_content\":\"hm\"", 1);
	bench_has(&b, "\"content\":\"Hi\"", 1);
	bench_has(&b, "\"id\":\"c\"", 1);
	bench_has(&b, "\"arguments\":\"{\\\"a\\\":2}\"", 1);
	bench_has(&b, "\"id\":\"call_", 1);
	bench_has(&b, "\"finish_reason\":\"tool_calls\"", 1);
	bench_has(&b, "{\"token\":\"Hi\",\"logprob\":-0.25,\"bytes\":null,"
	    "\"top_logprobs\":[]}", 1);
	bench_free(&b);
}

static void
times(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2000-02-29T12:00:00Z", 951825600 },
		{ "2000-03-01T00:00:00Z", 951868800 },
		{ "2026-12-31T23:59:59.999999Z", 1798761599 },
		{ "2100-03-01T00:00:00Z", 4107542400 },
		{ "2026-13-01T00:00:00Z", 0 },
		{ "2026-12-31T23:59:59+02:00", 0 },
		{ "yesterday, more or less", 0 },
		{ "", 0 },
	};
	char body[256];
	struct reply r;
	struct bench b;
	size_t i;

	(void)state;
	bench_init(&b, "openai", "ollama");
	bench_read(&b, ASK);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(body, sizeof body, "{\"created_at\":\"%s\","
		    "\"message\":{\"content\":\"x\"},\"done\":true}",
		    rows[i].text);
		assert_int_equal(bench_reply(&b, body, &r), ERR_OK);
		assert_int_equal(r.created, rows[i].seconds);
		assert_false(r.usage.known);
	}
	bench_free(&b);
}

static void
bad_answers(void **state)
{
	static const char *const bodies[] = { "", "[]", "{}", "{\"message\":1}",
		"{\"message\":{\"content\":\"x\"},\"done\":false}", "null" };
	struct reply r;
	struct bench b;
	size_t i;

	(void)state;
	bench_init(&b, "openai", "ollama");
	bench_read(&b, ASK);
	for (i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
		assert_int_equal(bench_reply(&b, bodies[i], &r),
		    ERR_BAD_UPSTREAM);
	assert_int_equal(bench_reply(&b, "{\"error\":\"out of VRAM\"}", &r),
	    ERR_OK);
	assert_non_null(r.error);
	assert_string_equal(r.error->message, "out of VRAM");
	bench_free(&b);
}

#define LINE(x) "{\"model\":\"q\",\"created_at\":\"2026-05-04T22:48:14Z\"," \
	"\"message\":{\"role\":\"assistant\"," x "},\"done\":false}\n"
#define DONE(reason) "{\"model\":\"q\",\"message\":{\"role\":\"assistant\"," \
	"\"content\":\"\"},\"done\":true,\"done_reason\":\"" reason "\","    \
	"\"prompt_eval_count\":20,\"eval_count\":2}\n"

static const char stream_text[] =
    LINE("\"content\":\"\",\"thinking\":\"hm\"")
    LINE("\"content\":\"H\xc3\xa9\"") "\r\n"
    LINE("\"content\":\"llo\"")
    DONE("length");

static const char stream_calls[] =
    LINE("\"content\":\"\",\"tool_calls\":[{\"id\":\"a\",\"function\":{"
	"\"name\":\"f\",\"arguments\":{\"x\":1}}}]")
    LINE("\"content\":\"\",\"tool_calls\":[{\"id\":\"b\",\"function\":{"
	"\"index\":1,\"name\":\"g\",\"arguments\":{}}}]")
    DONE("stop");

static void
streamed(void **state)
{
	size_t step, len = sizeof stream_text - 1;
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "ollama");
	bench_read(&b, ASK_STREAM);
	for (step = 1; step <= len; step++) {
		/* The last time without the line's end. */
		assert_int_equal(bench_stream(&b, stream_text,
		    step == len ? len - 1 : len, step), ERR_OK);
		assert_int_equal(b.ends, 1);
		assert_int_equal(b.finish, FINISH_LENGTH);
		assert_int_equal(b.usage.n[UNIT_INPUT], 20);
		assert_int_equal(b.usage.n[UNIT_OUTPUT], 2);
		bench_has(&b, "\"reasoning_content\":\"hm\"", 1);
		bench_has(&b, "\"content\":\"H\xc3\xa9\"", 1);
		bench_has(&b, "\"content\":\"llo\"", 1);
		bench_has(&b, "\"finish_reason\":\"length\"", 1);
		bench_has(&b, "data: [DONE]", 1);
	}
	bench_free(&b);
}

static void
streamed_calls(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, "openai", "ollama");
	bench_read(&b, ASK_STREAM);
	assert_int_equal(bench_stream(&b, stream_calls,
	    sizeof stream_calls - 1, 5), ERR_OK);
	assert_int_equal(b.finish, FINISH_TOOLS);
	bench_has(&b, "\"index\":0,\"id\":\"a\"", 1);
	bench_has(&b, "\"index\":1,\"id\":\"b\"", 1);
	bench_has(&b, "{\\\"x\\\":1}", 1);
	bench_has(&b, "\"finish_reason\":\"tool_calls\"", 1);
	bench_free(&b);
}

static void
failed_streams(void **state)
{
	static const struct {
		const char *bytes;
		enum err e;
		const char *message;
	} cases[] = {
		{ "", ERR_BAD_UPSTREAM, NULL },
		{ "\n\n", ERR_BAD_UPSTREAM, NULL },
		{ LINE("\"content\":\"x\""), ERR_BAD_UPSTREAM, NULL },
		{ "{\n", ERR_BAD_UPSTREAM, NULL },
		{ "[]\n", ERR_BAD_UPSTREAM, NULL },
		{ LINE("\"content\":\"x\"") "{\"error\":\"unloaded\"}\n",
		  ERR_UPSTREAM, "unloaded" },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bench_init(&b, "openai", "ollama");
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_written),
		cmocka_unit_test(results_with_images),
		cmocka_unit_test(refused),
		cmocka_unit_test(whole),
		cmocka_unit_test(times),
		cmocka_unit_test(bad_answers),
		cmocka_unit_test(streamed),
		cmocka_unit_test(streamed_calls),
		cmocka_unit_test(failed_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
