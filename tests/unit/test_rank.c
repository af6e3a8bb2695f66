/*
 * Rerank and moderations: what each provider is sent, what may be used, the
 * order of results, and answers that are none.
 */
#include <stdlib.h>

#include "adapters/moderations.h"
#include "adapters/rerank.h"
#include "tests/unit/adapter_help.h"

static void
start(struct bench *b, const char *door, const char *to, unsigned quirks)
{
	bench_init(b, door, to);
	b->provider.base_url = "http://p/v1/openai";
	b->provider.quirks = quirks;
	b->deployment.model = strstr(to, "bedrock") != NULL ?
	    "cohere.rerank-v3-5:0" : "a/m";
}

/* A request at the door: what it says of it. */
static enum err
knock(struct bench *b, const char *door, const char *body)
{
	bench_init(b, door, door);
	b->chat.surface = b->surface;
	b->chat.path = b->chat.query = b->chat.beta = "";
	assert_int_equal(json_parse(&b->chat.doc, b->arena, body,
	    strlen(body), &b->fault), ERR_OK);
	return b->surface->read_request(b->arena, &b->chat, &b->fault);
}

/* ------------------------------------------------------------- rerank */

#define ASK "{\"model\":\"x\",\"query\":\"q\\u0022\",\"documents\":"
#define TEXTS ASK "[\"a\",\"b\\n\",\"\"]"
#define OBJECTS ASK "[{\"text\":\"a\",\"n\":1},\"b\"]"
#define FIELDS ASK "[{\"t\":\"a\",\"u\":\"b\",\"n\":1},{\"u\":\"c\"}],"      \
	"\"rank_fields\":[\"u\",\"t\",\"n\",\"none\"]"

static const struct {
	const char *to;
	unsigned quirks;
	const char *in, *url, *body;
} requests[] = {
	{ "rerank", 0, TEXTS ",\"new\":1}", "http://p/v1/openai/v2/rerank",
	    "{\"model\":\"a/m\",\"query\":\"q\\u0022\",\"documents\":"
	    "[\"a\",\"b\\n\",\"\"],\"new\":1}" },
	{ "rerank", 0, TEXTS ",\"top_n\":9,\"max_chunks_per_doc\":1,"
	    "\"return_documents\":true}", "http://p/v1/openai/v2/rerank",
	    "{\"model\":\"a/m\",\"query\":\"q\\u0022\",\"documents\":"
	    "[\"a\",\"b\\n\",\"\"],\"top_n\":3}" },
	{ "rerank", 0, OBJECTS "}", "http://p/v1/openai/v2/rerank",
	    "{\"model\":\"a/m\",\"query\":\"q\\u0022\",\"documents\":"
	    "[\"a\",\"b\"]}" },
	{ "openai_rerank", 0, FIELDS "}", "http://p/v1/openai/rerank",
	    "{\"model\":\"a/m\",\"query\":\"q\\\"\",\"documents\":"
	    "[\"b\\na\",\"c\"]}" },
	{ "openai_rerank", 0, TEXTS ",\"top_n\":2}",
	    "http://p/v1/openai/rerank",
	    "{\"model\":\"a/m\",\"query\":\"q\\\"\",\"documents\":"
	    "[\"a\",\"b\\n\",\"\"],\"top_n\":2}" },
	{ "openai_rerank", QUIRK_EMBED_VOYAGE, TEXTS ",\"top_n\":2}",
	    "http://p/v1/openai/rerank",
	    "{\"model\":\"a/m\",\"query\":\"q\\\"\",\"documents\":"
	    "[\"a\",\"b\\n\",\"\"],\"top_k\":2}" },
	{ "openai_rerank", QUIRK_RERANK_PAIRS, TEXTS ",\"top_n\":2}",
	    "http://p/v1/inference/a/m",
	    "{\"queries\":[\"q\\\"\",\"q\\\"\",\"q\\\"\"],\"documents\":"
	    "[\"a\",\"b\\n\",\"\"]}" },
	{ "bedrock_rerank", 0, TEXTS ",\"top_n\":2}",
	    "http://p/v1/openai/model/cohere.rerank-v3-5%3A0/invoke",
	    "{\"api_version\":2,\"query\":\"q\\\"\",\"documents\":"
	    "[\"a\",\"b\\n\",\"\"],\"top_n\":2}" },
};

static void
test_requests(void **state)
{
	struct bench b;
	const char *body;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		start(&b, RERANK_DOOR, requests[i].to, requests[i].quirks);
		body = bench_ask(&b, requests[i].in, NULL);
		assert_string_equal(body, requests[i].body);
		assert_string_equal(b.call.url, requests[i].url);
		bench_free(&b);
	}
}

/* A model that ranks nothing is not asked. */
static void
test_other_model(void **state)
{
	struct bench b;
	enum err e;

	(void)state;
	start(&b, RERANK_DOOR, "bedrock_rerank", 0);
	b.deployment.model = "amazon.nova-lite-v1:0";
	(void)bench_ask(&b, TEXTS "}", &e);
	assert_int_equal(e, ERR_BAD_REQUEST);
	assert_string_equal(b.fault.param, "model");
	bench_free(&b);
}

static const struct {
	const char *door, *body, *param;
} refused[] = {
	{ RERANK_DOOR, "[]", NULL },
	{ RERANK_DOOR, "{\"query\":\"q\",\"documents\":[\"a\"]}", "model" },
	{ RERANK_DOOR, ASK "null}", "documents" },
	{ RERANK_DOOR, ASK "[]}", "documents" },
	{ RERANK_DOOR, ASK "\"a\"}", "documents" },
	{ RERANK_DOOR, ASK "[[\"a\"]]}", "documents" },
	{ RERANK_DOOR, ASK "[\"a\",null]}", "documents" },
	{ RERANK_DOOR, ASK "[{\"title\":\"a\"}]}", "documents" },
	{ RERANK_DOOR, ASK "[{\"text\":1}]}", "documents" },
	{ RERANK_DOOR, ASK "[\"a\"],\"top_n\":0}", "top_n" },
	{ RERANK_DOOR, ASK "[\"a\"],\"top_n\":1.5}", "top_n" },
	{ RERANK_DOOR, ASK "[\"a\"],\"top_n\":[1]}", "top_n" },
	{ RERANK_DOOR, ASK "[\"a\"],\"rank_fields\":\"a\"}", "rank_fields" },
	{ RERANK_DOOR, ASK "[\"a\"],\"return_documents\":\"yes\"}",
	    "return_documents" },
	{ RERANK_DOOR, ASK "[\"a\"],\"max_tokens_per_doc\":0}",
	    "max_tokens_per_doc" },
	{ MODERATIONS_DOOR, "{}", "input" },
	{ MODERATIONS_DOOR, "{\"input\":\"\"}", "input" },
	{ MODERATIONS_DOOR, "{\"input\":{\"type\":\"text\"}}", "input" },
	{ MODERATIONS_DOOR, "{\"input\":[\"a\",{\"type\":\"text\",\"text\":"
	    "\"b\"}]}", "input" },
	{ MODERATIONS_DOOR, "{\"input\":[{\"type\":\"text\",\"text\":\"b\"},"
	    "\"a\"]}", "input" },
	{ MODERATIONS_DOOR, "{\"input\":[{\"type\":\"text\",\"text\":1}]}",
	    "input" },
	{ MODERATIONS_DOOR, "{\"input\":[{\"type\":\"image_url\","
	    "\"image_url\":\"http://a\"}]}", "input" },
	{ MODERATIONS_DOOR, "{\"input\":\"a\",\"model\":[]}", "model" },
};

static void
test_refused(void **state)
{
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (knock(&b, refused[i].door, refused[i].body) !=
		    ERR_BAD_REQUEST)
			fail_msg("taken: %s", refused[i].body);
		if (refused[i].param != NULL)
			assert_string_equal(b.fault.param, refused[i].param);
		bench_free(&b);
	}
}

/* The query's tokens count with each document; searches by the hundred. */
static void
test_most(void **state)
{
	static const struct {
		size_t documents, length;
		int64_t tokens, searches;
	} rows[] = { { 1, 1, 0, 1 }, { 2, 1, 3, 1 }, { 100, 1, 297, 1 },
		{ 101, 1, 300, 2 }, { 10, 4000, 27, 1 },
		{ 100, 4000, 297, 9 } };
	char *body = malloc(600000);
	struct bench b;
	size_t i, k, n;

	(void)state;
	assert_non_null(body);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		n = (size_t)sprintf(body, "{\"model\":\"m\",\"query\":\"q\","
		    "\"documents\":[");
		for (k = 0; k < rows[i].documents; k++)
			n += (size_t)sprintf(body + n, "%s\"%0*d\"",
			    k == 0 ? "" : ",", (int)rows[i].length, 1);
		(void)sprintf(body + n, "]}");
		assert_int_equal(knock(&b, RERANK_DOOR, body), ERR_OK);
		assert_int_equal(b.chat.task.most[UNIT_INPUT],
		    rows[i].tokens);
		assert_int_equal(b.chat.task.most[UNIT_SEARCH],
		    rows[i].searches);
		bench_free(&b);
	}
	free(body);
}

#define RESULTS "\"results\":[{\"index\":2,\"relevance_score\":0.90},{"      \
	"\"index\":0,\"relevance_score\":1e-3}]"
#define ORDERED "{\"index\":2,\"relevance_score\":0.90},{\"index\":0,"       \
	"\"relevance_score\":1e-3}"

/* Whoever answers, the order and the digits; tokens -1: none are told. */
static const struct {
	const char *to, *more, *body, *out;
	int64_t tokens, searches;
} answers[] = {
	{ "rerank", "", "{\"id\":\"i\"," RESULTS ",\"meta\":{\"billed_units\":"
	    "{\"search_units\":2}},\"new\":[]}", "{\"id\":\"i\"," RESULTS
	    ",\"meta\":{\"billed_units\":{\"search_units\":2}},\"new\":[]}",
	    -1, 2 },
	{ "rerank", ",\"return_documents\":true", "{\"id\":\"i\"," RESULTS
	    ",\"meta\":{\"billed_units\":{\"search_units\":2}}}",
	    "{\"index\":2,\"relevance_score\":0.90,\"document\":{\"text\":"
	    "\"\"}},{\"index\":0,\"relevance_score\":1e-3,\"document\":{"
	    "\"text\":\"a\"}}", -1, 2 },
	{ "rerank", ",\"top_n\":1", "{" RESULTS "}",
	    "[{\"index\":2,\"relevance_score\":0.90}]", -1, 0 },
	{ "openai_rerank", "", "{\"data\":[{\"index\":0,\"score\":1e-3},{"
	    "\"index\":2,\"score\":0.90}],\"usage\":{\"total_tokens\":7}}",
	    ORDERED, 7, 0 },
	{ "openai_rerank", "", "{" RESULTS ",\"usage\":{\"prompt_tokens\":7,"
	    "\"search_units\":3}}", ORDERED, 7, 3 },
	{ "openai_rerank", "", "{" RESULTS ",\"meta\":{\"tokens\":{"
	    "\"input_tokens\":7}}}", ORDERED, 7, 0 },
	{ "openai_rerank", "", "{\"scores\":[1e-3,0,0.90],\"input_tokens\":7}",
	    "[{\"index\":2,\"relevance_score\":0.90},{\"index\":0,"
	    "\"relevance_score\":1e-3},{\"index\":1,\"relevance_score\":0}]",
	    7, 0 },
	{ "bedrock_rerank", "", "{" RESULTS "}", ORDERED, -1, 0 },
};

static void
test_answers(void **state)
{
	char asked[256];
	struct reply reply;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		start(&b, RERANK_DOOR, answers[i].to, 0);
		(void)snprintf(asked, sizeof asked, TEXTS "%s}",
		    answers[i].more);
		(void)bench_ask(&b, asked, NULL);
		assert_int_equal(bench_reply(&b, answers[i].body, &reply),
		    ERR_OK);
		bench_has(&b, answers[i].out, 1);
		assert_int_equal(reply.usage.known, answers[i].tokens >= 0 ||
		    answers[i].searches > 0);
		assert_int_equal(usage_input(&reply.usage),
		    answers[i].tokens < 0 ? 0 : answers[i].tokens);
		assert_int_equal(reply.usage.n[UNIT_SEARCH],
		    answers[i].searches);
		bench_free(&b);
	}
}

/* Searches that are sold and not told are counted, and said to be. */
static void
test_untold(void **state)
{
	struct reply reply;
	struct bench b;

	(void)state;
	start(&b, RERANK_DOOR, "bedrock_rerank", 0);
	b.deployment.price.known = true;
	b.deployment.price.rate[UNIT_SEARCH] = 5;
	(void)bench_ask(&b, TEXTS "}", NULL);
	assert_int_equal(bench_reply(&b, "{" RESULTS "}", &reply), ERR_OK);
	assert_true(reply.usage.known && reply.usage.estimated);
	assert_int_equal(reply.usage.n[UNIT_SEARCH], 1);
	bench_free(&b);
}

/* None of these ranks three documents, or is a verdict. */
static const struct {
	const char *door, *body;
} wrong[] = {
	{ RERANK_DOOR, "" },
	{ RERANK_DOOR, "[0.1,0.2,0.3]" },
	{ RERANK_DOOR, "{}" },
	{ RERANK_DOOR, "{\"results\":[]}" },
	{ RERANK_DOOR, "{\"results\":{\"0\":1}}" },
	{ RERANK_DOOR, "{\"results\":[{\"index\":0}]}" },
	{ RERANK_DOOR, "{\"results\":[{\"relevance_score\":1}]}" },
	{ RERANK_DOOR, "{\"results\":[{\"index\":3,\"score\":1}]}" },
	{ RERANK_DOOR, "{\"results\":[{\"index\":-1,\"score\":1}]}" },
	{ RERANK_DOOR, "{\"results\":[{\"index\":0.5,\"score\":1}]}" },
	{ RERANK_DOOR, "{\"results\":[{\"index\":1e30,\"score\":1}]}" },
	{ RERANK_DOOR, "{\"results\":[{\"index\":0,\"score\":\"1\"}]}" },
	{ RERANK_DOOR, "{\"results\":[{\"index\":0,\"score\":1},{\"index\":0,"
	    "\"score\":2}]}" },
	{ RERANK_DOOR, "{\"results\":[null]}" },
	{ RERANK_DOOR, "{\"scores\":[1,2]}" },
	{ RERANK_DOOR, "{\"scores\":[1,2,3,4]}" },
	{ RERANK_DOOR, "{\"scores\":[1,2,null]}" },
	{ RERANK_DOOR, "{\"scores\":[1,2,{\"index\":0,\"score\":1}]}" },
	{ MODERATIONS_DOOR, "" },
	{ MODERATIONS_DOOR, "[]" },
	{ MODERATIONS_DOOR, "{\"results\":[]}" },
	{ MODERATIONS_DOOR, "{\"results\":{}}" },
};

static void
test_wrong(void **state)
{
	struct reply reply;
	struct bench b;
	bool ranks;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		ranks = strcmp(wrong[i].door, RERANK_DOOR) == 0;
		start(&b, wrong[i].door, ranks ? "openai_rerank" :
		    MODERATIONS_DOOR, 0);
		(void)bench_ask(&b, ranks ? TEXTS "}" : "{\"input\":\"a\"}",
		    NULL);
		if (bench_reply(&b, wrong[i].body, &reply) != ERR_BAD_UPSTREAM)
			fail_msg("taken: %s", wrong[i].body);
		bench_free(&b);
	}
}

/* -------------------------------------------------------- moderations */

#define PARTS "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\"," \
	"\"image_url\":{\"url\":\"http://a\"}}]"

static void
test_moderations(void **state)
{
	static const struct {
		const char *in, *model, *body;
		size_t texts, messages;
		unsigned needs;
	} rows[] = {
		{ "{\"input\":\"a\"}", MODERATIONS_MODEL,
		    "{\"input\":\"a\",\"model\":\"a/m\"}", 1, 1, 0 },
		{ "{\"model\":null,\"input\":[\"a\",\"b\"]}",
		    MODERATIONS_MODEL,
		    "{\"model\":\"a/m\",\"input\":[\"a\",\"b\"]}", 2, 2, 0 },
		{ "{\"model\":\"x\",\"input\":" PARTS ",\"new\":1}", "x",
		    "{\"model\":\"a/m\",\"input\":" PARTS ",\"new\":1}", 2, 1,
		    CAP_IMAGE_IN },
	};
	struct bench b;
	const char *body;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(&b, MODERATIONS_DOOR, MODERATIONS_DOOR, 0);
		body = bench_ask(&b, rows[i].in, NULL);
		assert_string_equal(body, rows[i].body);
		assert_string_equal(b.call.url,
		    "http://p/v1/openai/moderations");
		assert_string_equal(b.chat.model, rows[i].model);
		assert_int_equal(b.chat.task.texts, rows[i].texts);
		assert_int_equal(b.chat.needs, rows[i].needs);
		assert_int_equal(b.surface->read_chat(b.arena, &b.chat,
		    &b.fault), ERR_OK);
		assert_int_equal(b.chat.message_count, rows[i].messages);
		bench_free(&b);
	}
}

/* The verdict goes on as it came; what it tells of usage has no output. */
static void
test_verdict(void **state)
{
	static const char *const bodies[] = {
		"{\"id\":\"m\",\"results\":[{\"flagged\":true, \"x\":1e-7}]}",
		"{\"results\":[{}],\"usage\":{\"prompt_tokens\":7,"
		"\"total_tokens\":9,\"completion_tokens\":2}}" };
	struct reply reply;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		start(&b, MODERATIONS_DOOR, MODERATIONS_DOOR, 0);
		(void)bench_ask(&b, "{\"input\":\"a\"}", NULL);
		assert_int_equal(bench_reply(&b, bodies[i], &reply), ERR_OK);
		bench_has(&b, bodies[i], 1);
		assert_int_equal(reply.usage.known, i == 1);
		assert_int_equal(usage_input(&reply.usage), i == 1 ? 7 : 0);
		assert_int_equal(reply.usage.n[UNIT_OUTPUT], 0);
		bench_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_other_model),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_untold),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_moderations),
		cmocka_unit_test(test_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
