/* Legacy text completions: the way to chats, the same dialect, refusals. */
#include "tests/unit/adapter_help.h"

static const struct {
	const char *in, *out;
} requests[] = {
	{ "\"prompt\":\"Hi\"", "" },
	{ "\"prompt\":[\"Hi\"],\"max_tokens\":9,\"n\":2,\"stop\":\".\","
	  "\"temperature\":0.30,\"logprobs\":3,\"seed\":4,\"echo\":true,"
	  "\"best_of\":2,\"suffix\":null,\"user\":\"u\"",
	  ",\"max_tokens\":9,\"n\":2,\"temperature\":0.30,\"seed\":4,"
	  "\"logprobs\":true,\"top_logprobs\":3,\"stop\":[\".\"],"
	  "\"user\":\"u\"" },
	{ "\"prompt\":\"Hi\",\"stream\":true",
	  ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" },
};

static void
requests_to_chat(void **state)
{
	char in[1024], want[1024];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		bench_init(&b, "completions", "openai");
		snprintf(in, sizeof in, "{\"model\":\"m\",%s}",
		    requests[i].in);
		snprintf(want, sizeof want, "{\"model\":\"their-model\","
		    "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
		    "%s}", requests[i].out);
		assert_string_equal(bench_ask(&b, in, NULL), want);
		assert_int_equal(b.chat.extra_count, 0);
		bench_free(&b);
	}
}

static const struct {
	const char *more, *param;
	bool later; /* only when a chat is to take it */
} refusals[] = {
	{ "\"n\":1", "prompt", false },
	{ "\"prompt\":{}", "prompt", false },
	{ "\"prompt\":\"a\",\"n\":0", "n", false },
	{ "\"prompt\":\"a\",\"best_of\":129", "n", false },
	{ "\"prompt\":\"a\",\"max_tokens\":1.5", "max_tokens", false },
	{ "\"prompt\":\"a\",\"logprobs\":true", "logprobs", false },
	{ "\"prompt\":[\"a\",\"b\"]", "prompt", true },
	{ "\"prompt\":[1,2]", "prompt", true },
	{ "\"prompt\":[[1]]", "prompt", true },
	{ "\"prompt\":[]", "prompt", true },
	{ "\"prompt\":\"a\",\"suffix\":\"b\"", "suffix", true },
	{ "\"prompt\":\"a\",\"stop\":[1]", "stop", true },
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
		bench_init(&b, "completions", "openai");
		b.chat.surface = b.surface;
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

/* What is paid for: best_of of each prompt. */
static void
choices_counted(void **state)
{
	struct bench b;
	const char *got;

	(void)state;
	bench_init(&b, "completions", "completions");
	got = bench_ask(&b, "{\"model\":\"m\",\"prompt\":[\"a\",\"b\"],"
	    "\"n\":2,\"best_of\":3}", NULL);
	assert_int_equal(b.chat.choices, 6);
	assert_string_equal(got, "{\"model\":\"their-model\",\"prompt\":["
	    "\"a\",\"b\"],\"n\":2,\"best_of\":3}");
	assert_string_equal(b.call.url, "http://provider.test/completions");
	bench_free(&b);
}

static void
best_of_named(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, "completions", "openai");
	bench_ask(&b, "{\"model\":\"m\",\"prompt\":\"a\",\"best_of\":3,"
	    "\"logit_bias\":{\"5\":1},\"novel\":1}", NULL);
	assert_int_equal(b.chat.extra_count, 3);
	assert_int_equal(b.chat.choices, 1);
	bench_free(&b);
}

/* A chat has no plain form that all models share. */
static void
chats_refused(void **state)
{
	struct bench b;
	enum err e;

	(void)state;
	bench_init(&b, "openai", "completions");
	bench_ask(&b, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
	    "\"content\":\"a\"}]}", &e);
	assert_int_equal(e, ERR_BAD_REQUEST);
	assert_string_equal(b.fault.param, "model");
	bench_free(&b);
}

#define CHUNK(i, delta, more) "data: {\"id\":\"c1\",\"created\":5,\"model\":" \
	"\"x\",\"choices\":[{\"index\":" i ",\"delta\":{" delta "}" more     \
	"}]}\n\n"

/* A token that reads like another, text after a finish, two choices. */
static const char chat_answer[] = CHUNK("0", "\"reasoning_content\":\"hm\"", "")
    CHUNK("0", "\"content\":\"\xc3\xa4\"", ",\"logprobs\":{\"content\":[{"
    "\"token\":\"\xc3\xa4\",\"logprob\":-0.50,\"top_logprobs\":[{\"token\":"
    "\"a\",\"logprob\":-1},{\"token\":\"a\",\"logprob\":-2}]}]}")
    CHUNK("1", "\"content\":\"b\"", "")
    CHUNK("0", "", ",\"finish_reason\":\"length\"")
    CHUNK("0", "\"content\":\"c\"", ",\"logprobs\":{\"content\":[{"
    "\"token\":\"c\",\"logprob\":-0.25}]}")
    CHUNK("1", "", ",\"finish_reason\":\"tool_calls\"")
    "data: [DONE]\n\n";

static void
stream_from_chat(void **state)
{
	struct bench b;
	size_t step;

	(void)state;
	for (step = 1; step < sizeof chat_answer; step += 13) {
		bench_init(&b, "completions", "openai");
		bench_ask(&b, "{\"model\":\"m\",\"prompt\":\"Hi\",\"n\":2,"
		    "\"echo\":true,\"stream\":true,\"logprobs\":2}", NULL);
		assert_int_equal(bench_stream(&b, chat_answer,
		    sizeof chat_answer - 1, step), ERR_OK);
		bench_has(&b, "\"text\":\"Hi\xc3\xa4\",\"index\":0,"
		    "\"logprobs\":{\"tokens\":[\"\xc3\xa4\"],"
		    "\"token_logprobs\":[-0.50],\"top_logprobs\":[{\"a\":-1"
		    "}],\"text_offset\":[2]},\"finish_reason\":null", 1);
		bench_has(&b, "\"text\":\"Hib\",\"index\":1,\"logprobs\":"
		    "null,\"finish_reason\":null", 1);
		bench_has(&b, "\"text_offset\":[3]", 1);
		bench_has(&b, "\"text\":\"\",\"index\":0,\"logprobs\":null,"
		    "\"finish_reason\":\"length\"", 1);
		bench_has(&b, "\"text\":\"\",\"index\":1,\"logprobs\":null,"
		    "\"finish_reason\":\"stop\"", 1);
		bench_has(&b, "\"id\":\"c1\",\"object\":\"text_completion\"",
		    5);
		bench_has(&b, "hm", 0);
		bench_has(&b, "data: [DONE]\n\n", 1);
		bench_free(&b);
	}
}

static void
reply_from_chat(void **state)
{
	struct reply reply;
	struct bench b;

	(void)state;
	bench_init(&b, "completions", "openai");
	bench_ask(&b, "{\"model\":\"m\",\"prompt\":\"Hi\"}", NULL);
	assert_int_equal(bench_reply(&b, "{\"id\":\"c1\",\"created\":5,"
	    "\"model\":\"x\",\"choices\":[{\"index\":0,\"message\":{"
	    "\"content\":null,\"refusal\":\"No\"},\"finish_reason\":"
	    "\"content_filter\"}],\"usage\":{\"prompt_tokens\":1,"
	    "\"completion_tokens\":2,\"total_tokens\":3}}", &reply), ERR_OK);
	bench_has(&b, "{\"id\":\"c1\",\"object\":\"text_completion\","
	    "\"created\":5,\"model\":\"x\",\"choices\":[{\"text\":\"No\","
	    "\"index\":0,\"logprobs\":null,\"finish_reason\":"
	    "\"content_filter\"}],\"usage\":{\"prompt_tokens\":1,"
	    "\"completion_tokens\":2,\"total_tokens\":3,", 1);
	bench_free(&b);
}

#define TEXT(t, f) "data: {\"id\":\"t1\", \"choices\":[{\"text\":\"" t       \
	"\",\"index\":0,\"finish_reason\":" f "}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,"        \
	"\"completion_tokens\":2,\"total_tokens\":3}}\n\n"

static const struct {
	const char *bytes;
	enum err err;
	int usage; /* events of it that a client sees that asked for none */
} streams[] = {
	{ TEXT("a", "null") TEXT("", "\"stop\"") USAGE "data: [DONE]\n\n",
	  ERR_OK, 0 },
	{ TEXT("a", "\"length\""), ERR_OK, 0 },
	{ TEXT("a", "null"), ERR_BAD_UPSTREAM, 0 },
	{ "data: [DONE]\n\n", ERR_BAD_UPSTREAM, 0 },
	{ "", ERR_BAD_UPSTREAM, 0 },
	{ "data: x\n\n", ERR_BAD_UPSTREAM, 0 },
	{ TEXT("a", "null") "data: {\"error\":{\"message\":\"x\"}}\n\n",
	  ERR_UPSTREAM, 0 },
};

static void
streams_pass(void **state)
{
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		bench_init(&b, "completions", "completions");
		assert_string_equal(bench_ask(&b, "{\"model\":\"m\","
		    "\"prompt\":\"Hi\",\"stream\":true}", NULL),
		    "{\"model\":\"their-model\",\"prompt\":\"Hi\",\"stream\":"
		    "true,\"stream_options\":{\"include_usage\":true}}");
		assert_int_equal(bench_stream(&b, streams[i].bytes,
		    strlen(streams[i].bytes), 11), streams[i].err);
		assert_int_equal(b.ends, streams[i].err == ERR_OK);
		if (streams[i].err == ERR_OK) {
			bench_has(&b, "data: [DONE]\n\n", 1);
			bench_has(&b, "data: {\"id\":\"t1\", ", 2 - (i == 1));
			bench_has(&b, "prompt_tokens", streams[i].usage);
		}
		bench_free(&b);
	}
}

static void
stream_error(void **state)
{
	static const struct answer_meta meta = { .request_id = "req_1",
		.provider = "p", .model = "m", .cost = -1 };
	struct bench b;

	(void)state;
	bench_init(&b, "completions", "openai");
	bench_ask(&b, "{\"model\":\"m\",\"prompt\":\"Hi\"}", NULL);
	b.writer.arena = b.arena;
	b.writer.scratch = b.scratch;
	b.writer.chat = &b.chat;
	fault_set(&b.fault, ERR_TIMEOUT, NULL, "late");
	b.surface->write_stream_error(&b.writer, ERR_TIMEOUT, &b.fault, &meta,
	    &b.out);
	bench_has(&b, "\"finish_reason\":\"error\"}],\"error\":{\"message\":"
	    "\"late\",\"type\":\"upstream_timeout\"", 1);
	bench_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_to_chat),
		cmocka_unit_test(requests_refused),
		cmocka_unit_test(choices_counted),
		cmocka_unit_test(best_of_named),
		cmocka_unit_test(chats_refused),
		cmocka_unit_test(stream_from_chat),
		cmocka_unit_test(reply_from_chat),
		cmocka_unit_test(streams_pass),
		cmocka_unit_test(stream_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
