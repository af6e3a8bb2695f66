/*
 * Embeddings: what goes into one call, what each provider is sent, the order
 * of vectors, both their forms, and answers that are none.
 */
#include "adapters/embeddings.h"
#include "tests/unit/adapter_help.h"

/* ----------------------------------------------------------- requests */

/* Every input is in one part, in order, and no part is too large. */
static void
check_slices(const struct chat *chat, const struct embeddings_bound *bound)
{
	size_t parts, part, next = 0, i;
	struct embeddings_slice s;
	int64_t sum;

	(void)embeddings_slice(chat, 0, bound, &parts);
	for (part = 0; part < parts; part++) {
		s = embeddings_slice(chat, part, bound, NULL);
		assert_int_equal(s.first, next);
		assert_in_range(s.count, 1, bound->texts);
		for (i = 0, sum = 0; i < s.count; i++)
			sum += chat->task.sizes[s.first + i];
		assert_true(bound->tokens == 0 || s.count == 1 ||
		    sum <= bound->tokens);
		next += s.count;
	}
	assert_int_equal(next, chat->task.texts);
	assert_int_equal(embeddings_slice(chat, parts, bound, NULL).count, 0);
}

static void
test_slices(void **state)
{
	static const struct embeddings_bound bounds[] = { { 1, 0 }, { 96, 0 },
		{ 2048, 300 }, { 3, 10 }, { 2048, 1 }, { 1, 1 },
		{ 2048, 1000000 } };
	static uint32_t sizes[500];
	struct chat chat;
	size_t i, n;

	(void)state;
	memset(&chat, 0, sizeof chat);
	for (i = 0; i < 500; i++)
		sizes[i] = (uint32_t)(i * 7919 % 41);
	sizes[250] = UINT32_MAX;
	chat.task.sizes = sizes;
	for (i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		for (n = 1; n <= 500; n += n < 5 ? 1 : 99) {
			chat.task.texts = n;
			check_slices(&chat, &bounds[i]);
		}
}

#define VERTEX "http://v/publishers/google"

static const struct {
	const char *to, *model, *base;
	unsigned quirks;
	const char *in, *url, *body;
} requests[] = {
	{ "embeddings", "m", "http://o/v1", 0,
	    "{\"model\":\"x\",\"input\":[[1,2],[3]],\"dimensions\":8}",
	    "http://o/v1/embeddings",
	    "{\"model\":\"m\",\"input\":[[1,2],[3]],\"dimensions\":8}" },
	{ "embeddings", "voyage-3.5", "http://o/v1", QUIRK_EMBED_VOYAGE,
	    "{\"model\":\"x\",\"input\":\"a\",\"dimensions\":256,\"user\":"
	    "\"u\",\"encoding_format\":\"float\",\"input_type\":"
	    "\"search_query\"}", "http://o/v1/embeddings",
	    "{\"model\":\"voyage-3.5\",\"input\":\"a\",\"input_type\":"
	    "\"query\",\"output_dimension\":256}" },
	{ "embeddings", "m", "http://o/v1", QUIRK_EMBED_MISTRAL,
	    "{\"model\":\"x\",\"input\":\"a\",\"dimensions\":256,\"user\":"
	    "\"u\",\"encoding_format\":\"base64\",\"input_type\":\"query\"}",
	    "http://o/v1/embeddings",
	    "{\"model\":\"m\",\"input\":\"a\",\"encoding_format\":"
	    "\"base64\",\"output_dimension\":256}" },
	{ "embeddings", "m", "http://o", QUIRK_EMBED_BYTES,
	    "{\"model\":\"x\",\"input\":\"a\",\"encoding_format\":"
	    "\"base64\"}", "http://o/v1/embeddings",
	    "{\"model\":\"m\",\"input\":\"a\"}" },
	{ "gemini_embed", "gemini-embedding-001", "http://g/v1beta", 0,
	    "{\"model\":\"x\",\"input\":[\"a\",\"b\"],\"dimensions\":768,"
	    "\"input_type\":\"document\"}",
	    "http://g/v1beta/models/gemini-embedding-001:batchEmbedContents",
	    "{\"requests\":[{\"model\":\"models/gemini-embedding-001\","
	    "\"content\":{\"parts\":[{\"text\":\"a\"}]},\"taskType\":"
	    "\"RETRIEVAL_DOCUMENT\",\"outputDimensionality\":768},{\"model\":"
	    "\"models/gemini-embedding-001\",\"content\":{\"parts\":[{"
	    "\"text\":\"b\"}]},\"taskType\":\"RETRIEVAL_DOCUMENT\","
	    "\"outputDimensionality\":768}]}" },
	{ "gemini_embed", "text-embedding-005", VERTEX, 0,
	    "{\"model\":\"x\",\"input\":[\"a\",\"b\"],\"input_type\":"
	    "\"clustering\"}", VERTEX "/models/text-embedding-005:predict",
	    "{\"instances\":[{\"content\":\"a\",\"task_type\":"
	    "\"CLUSTERING\"},{\"content\":\"b\",\"task_type\":\"CLUSTERING\""
	    "}],\"parameters\":{\"autoTruncate\":false}}" },
	{ "gemini_embed", "gemini-embedding-2", VERTEX, 0,
	    "{\"model\":\"x\",\"input\":\"a\",\"dimensions\":768}",
	    VERTEX "/models/gemini-embedding-2:embedContent",
	    "{\"content\":{\"parts\":[{\"text\":\"a\"}]},"
	    "\"embedContentConfig\":{\"outputDimensionality\":768}}" },
	{ "cohere_embed", "embed-v4.0", "http://c", 0,
	    "{\"model\":\"x\",\"input\":\"a\",\"dimensions\":512}",
	    "http://c/v2/embed",
	    "{\"model\":\"embed-v4.0\",\"texts\":[\"a\"],\"input_type\":"
	    "\"search_document\",\"embedding_types\":[\"float\"],"
	    "\"output_dimension\":512}" },
	{ "cohere_embed", "embed-english-light-v3.0", "http://c", 0,
	    "{\"model\":\"x\",\"input\":\"a\",\"dimensions\":384}",
	    "http://c/v2/embed",
	    "{\"model\":\"embed-english-light-v3.0\",\"texts\":[\"a\"],"
	    "\"input_type\":\"search_document\",\"embedding_types\":["
	    "\"float\"]}" },
	{ "ollama_embed", "m", "http://l", 0,
	    "{\"model\":\"x\",\"input\":[\"a\",\"b\"],\"dimensions\":8}",
	    "http://l/api/embed",
	    "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"truncate\":false,"
	    "\"dimensions\":8}" },
	{ "bedrock_embed", "eu.amazon.titan-embed-text-v2:0", "http://b", 0,
	    "{\"model\":\"x\",\"input\":[\"a\",\"b\"],\"dimensions\":512}",
	    "http://b/model/eu.amazon.titan-embed-text-v2%3A0/invoke",
	    "{\"dimensions\":512,\"inputText\":\"a\"}" },
	{ "bedrock_embed", "amazon.titan-embed-text-v1", "http://b", 0,
	    "{\"model\":\"x\",\"input\":\"a\",\"dimensions\":1536}",
	    "http://b/model/amazon.titan-embed-text-v1/invoke",
	    "{\"inputText\":\"a\"}" },
	{ "bedrock_embed", "global.cohere.embed-v4:0", "http://b", 0,
	    "{\"model\":\"x\",\"input\":\"a\",\"dimensions\":512,"
	    "\"input_type\":\"query\"}",
	    "http://b/model/global.cohere.embed-v4%3A0/invoke",
	    "{\"output_dimension\":512,\"input_type\":\"search_query\","
	    "\"texts\":[\"a\"]}" },
};

static void
start(struct bench *b, const char *to, const char *model, const char *base,
    unsigned quirks)
{
	bench_init(b, EMBEDDINGS_DOOR, to);
	b->deployment.model = model;
	b->provider.base_url = base;
	b->provider.quirks = quirks;
}

static void
test_requests(void **state)
{
	struct bench b;
	const char *body;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		start(&b, requests[i].to, requests[i].model, requests[i].base,
		    requests[i].quirks);
		body = bench_ask(&b, requests[i].in, NULL);
		assert_string_equal(body, requests[i].body);
		assert_string_equal(b.call.url, requests[i].url);
		bench_free(&b);
	}
}

/* What cannot be had, and the member that says so. */
static const struct {
	const char *to, *model, *more, *param;
} refused[] = {
	{ "gemini_embed", "gemini-embedding-001", "\"input\":[1,2]", "input" },
	{ "cohere_embed", "embed-v4.0", "\"input\":[1,2]", "input" },
	{ "ollama_embed", "m", "\"input\":[[1],[2]]", "input" },
	{ "bedrock_embed", "amazon.titan-embed-text-v1", "\"input\":[1]",
	    "input" },
	{ "bedrock_embed", "amazon.titan-embed-text-v1",
	    "\"input\":\"a\",\"dimensions\":8", "dimensions" },
	{ "bedrock_embed", "cohere.embed-multilingual-v3",
	    "\"input\":\"a\",\"dimensions\":8", "dimensions" },
	{ "cohere_embed", "embed-english-v3.0",
	    "\"input\":\"a\",\"dimensions\":8", "dimensions" },
	{ "bedrock_embed", "amazon.titan-embed-image-v1", "\"input\":\"a\"",
	    "model" },
	{ "bedrock_embed", "anthropic.claude-x", "\"input\":\"a\"", "model" },
};

static void
test_refused(void **state)
{
	char request[256];
	struct bench b;
	enum err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		start(&b, refused[i].to, refused[i].model, "http://p", 0);
		(void)snprintf(request, sizeof request,
		    "{\"model\":\"x\",%s}", refused[i].more);
		(void)bench_ask(&b, request, &e);
		assert_int_equal(e, ERR_BAD_REQUEST);
		assert_string_equal(b.fault.param, refused[i].param);
		bench_free(&b);
	}
}

/* ------------------------------------------------------------ answers */

#define ASKED(format) "{\"model\":\"x\",\"input\":[\"a\",\"b\"],"           \
	"\"encoding_format\":\"" format "\"}"
#define DATA(one, two) "{\"data\":[" one "," two "]}"
#define ROW(index, vector) "{\"index\":" index ",\"embedding\":" vector "}"
#define ONE "[1,0.1,-2.5]"
#define TWO "[3e-10,0,7]"
/* The same as float32, little endian (Python's struct and base64). */
#define ONE_64 "\"AACAP83MzD0AACDA\""
#define TWO_64 "\"P+2kLwAAAAAAAOBA\""
/* inf, -inf, nan: no JSON has them. */
#define NONE_64 "\"AACAfwAAgP8AAMB/\""

static enum err
answer(struct bench *b, const char *to, const char *asked, const char *body)
{
	struct reply reply;

	start(b, to, strcmp(to, "bedrock_embed") == 0 ?
	    "cohere.embed-english-v3" : "m", "http://p", 0);
	(void)bench_ask(b, asked, NULL);
	return bench_reply(b, body, &reply);
}

#define FIRST "{\"object\":\"embedding\",\"index\":0,\"embedding\":"
#define SECOND "},{\"object\":\"embedding\",\"index\":1,\"embedding\":"

/* Numbers as numbers keep their digits; base64 gives float32's shortest. */
static const struct {
	const char *asked, *body, *first, *second;
} forms[] = {
	{ ASKED("float"), DATA(ROW("0", ONE), ROW("1", TWO)), ONE, TWO },
	{ ASKED("float"), DATA(ROW("1", TWO), ROW("0", ONE)), ONE, TWO },
	/* Indexes of no use: as they stand. */
	{ ASKED("float"), DATA(ROW("7", ONE), ROW("0", TWO)), ONE, TWO },
	{ ASKED("float"), DATA(ROW("0", ONE), ROW("0", TWO)), ONE, TWO },
	{ ASKED("float"), DATA("{\"embedding\":" ONE "}", ROW("0", TWO)),
	    ONE, TWO },
	{ ASKED("base64"), DATA(ROW("1", TWO), ROW("0", ONE)), ONE_64,
	    TWO_64 },
	{ ASKED("base64"), DATA(ROW("1", TWO_64), ROW("0", ONE_64)), ONE_64,
	    TWO_64 },
	{ ASKED("base64"), DATA(ROW("0", ONE_64), ROW("1", TWO)), ONE_64,
	    TWO_64 },
	{ ASKED("float"), DATA(ROW("0", ONE_64), ROW("1", TWO_64)),
	    "[1,0.100000001,-2.5]", "[2.99999997e-10,0,7]" },
	{ ASKED("float"), DATA(ROW("0", NONE_64), ROW("1", ONE)), "[0,0,0]",
	    ONE },
	{ ASKED("base64"), DATA(ROW("0", NONE_64), ROW("1", ONE)), NONE_64,
	    ONE_64 },
	/* Too large for a float32. */
	{ ASKED("base64"), DATA(ROW("0", "[1e39,-1e39]"), ROW("1", ONE)),
	    "\"AACAfwAAgP8=\"", ONE_64 },
};

static void
test_forms(void **state)
{
	char want[512];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		assert_int_equal(answer(&b, "embeddings", forms[i].asked,
		    forms[i].body), ERR_OK);
		(void)snprintf(want, sizeof want, FIRST "%s" SECOND "%s}",
		    forms[i].first, forms[i].second);
		bench_has(&b, want, 1);
		bench_free(&b);
	}
}

/* None of these is one vector for each of two inputs. */
static const struct {
	const char *to, *body;
} wrong[] = {
	{ "embeddings", "{}" },
	{ "embeddings", "{\"data\":[]}" },
	{ "embeddings", "{\"data\":{}}" },
	{ "embeddings", "{\"data\":[" ROW("0", ONE) "]}" },
	{ "embeddings", "{\"data\":[" ROW("0", ONE) "," ROW("1", ONE) ","
	    ROW("2", ONE) "]}" },
	{ "embeddings", DATA(ROW("0", ONE), "7") },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "[]")) },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "null")) },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "[\"1\",\"2\"]")) },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "[1,\"2\"]")) },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "[1,null]")) },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "[" ONE "]")) },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "{\"0\":1}")) },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "\"\"")) },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "\"AACA\"")) },
	{ "embeddings", DATA(ROW("0", ONE), ROW("1", "\"?ACAPw==\"")) },
	{ "gemini_embed", "{\"embeddings\":[{\"values\":" ONE "}]}" },
	{ "gemini_embed", "{\"embeddings\":[{\"values\":" ONE "},{}]}" },
	{ "gemini_embed", "{\"embedding\":{\"values\":" ONE "}}" },
	{ "cohere_embed", "{\"embeddings\":{\"int8\":[[1],[2]]}}" },
	{ "cohere_embed", "{\"embeddings\":{\"float\":[" ONE "]}}" },
	{ "ollama_embed", "{\"embeddings\":[" ONE ",7]}" },
	{ "ollama_embed", "{\"embedding\":" ONE "}" },
	{ "bedrock_embed", "{\"embeddings\":[" ONE "]}" },
	{ "bedrock_embed", "{\"embedding\":" ONE "}" },
};

static void
test_wrong(void **state)
{
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		if (answer(&b, wrong[i].to, ASKED("float"), wrong[i].body) !=
		    ERR_BAD_UPSTREAM)
			fail_msg("taken: %s", wrong[i].body);
		bench_free(&b);
	}
}

/* Another length than was asked for is a wrong answer, in either form. */
static void
test_length(void **state)
{
	static const char *const bodies[] = { "{\"data\":[" ROW("0", ONE) "]}",
		"{\"data\":[" ROW("0", ONE_64) "]}" };
	char asked[128];
	struct bench b;
	int n, i;

	(void)state;
	for (i = 0; i < 2; i++)
		for (n = 2; n <= 4; n++) {
			(void)snprintf(asked, sizeof asked, "{\"model\":"
			    "\"x\",\"input\":\"a\",\"dimensions\":%d}", n);
			assert_int_equal(answer(&b, "embeddings", asked,
			    bodies[i]), n == 3 ? ERR_OK : ERR_BAD_UPSTREAM);
			bench_free(&b);
		}
}

/* Usage by each provider's own word for it. */
static const struct {
	const char *to, *body;
	int64_t tokens; /* -1: it tells none */
} told[] = {
	{ "embeddings", "{\"data\":[" ROW("0", ONE) "],\"usage\":{"
	    "\"prompt_tokens\":5,\"total_tokens\":5}}", 5 },
	{ "embeddings", "{\"data\":[" ROW("0", ONE) "],\"usage\":{"
	    "\"total_tokens\":5}}", 5 },
	{ "embeddings", "{\"data\":[" ROW("0", ONE) "]}", -1 },
	{ "gemini_embed", "{\"embeddings\":[{\"values\":" ONE "}],"
	    "\"usageMetadata\":{\"promptTokenCount\":5}}", 5 },
	{ "gemini_embed", "{\"embeddings\":[{\"values\":" ONE "}]}", -1 },
	{ "cohere_embed", "{\"embeddings\":{\"float\":[" ONE "]},\"meta\":{"
	    "\"billed_units\":{\"input_tokens\":5}}}", 5 },
	{ "ollama_embed", "{\"embeddings\":[" ONE "],\"prompt_eval_count\":5}",
	    5 },
	{ "bedrock_embed", "{\"embeddings\":[" ONE "]}", -1 },
};

static void
test_usage(void **state)
{
	struct reply reply;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof told / sizeof told[0]; i++) {
		start(&b, told[i].to, strcmp(told[i].to, "bedrock_embed") ==
		    0 ? "cohere.embed-english-v3" : "m", "http://p", 0);
		(void)bench_ask(&b, "{\"model\":\"x\",\"input\":\"a\"}", NULL);
		assert_int_equal(bench_reply(&b, told[i].body, &reply),
		    ERR_OK);
		assert_int_equal(reply.usage.known, told[i].tokens >= 0);
		if (reply.usage.known)
			assert_int_equal(usage_input(&reply.usage),
			    told[i].tokens);
		bench_free(&b);
	}
}

/* ------------------------------------------------------ Google's surface */

#define CONTENT(text) "\"content\":{\"parts\":[{\"text\":\"" text "\"}]}"
#define IMAGE "\"content\":{\"parts\":[{\"text\":\"a\"},{\"inlineData\":{" \
	"\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}]}"

static const struct {
	const char *to, *model, *base;
	unsigned quirks;
	const char *in, *url, *body;
} googles[] = {
	{ "gemini_embed", "g", "http://g/v1beta", 0,
	    "{" CONTENT("a") ",\"new\":[1, 2]}",
	    "http://g/v1beta/models/g:batchEmbedContents",
	    "{\"requests\":[{\"model\":\"models/g\"," CONTENT("a")
	    ",\"new\":[1, 2]}]}" },
	{ "gemini_embed", "g", "http://g/v1beta", 0,
	    "{\"requests\":[{\"model\":null," IMAGE ",\"title\":\"t\"},{"
	    CONTENT("\\u0062") "}]}",
	    "http://g/v1beta/models/g:batchEmbedContents",
	    "{\"requests\":[{\"model\":\"models/g\"," IMAGE
	    ",\"title\":\"t\"},{\"model\":\"models/g\","
	    CONTENT("\\u0062") "}]}" },
	{ "gemini_embed", "gemini-embedding-2", VERTEX, 0,
	    "{" IMAGE ",\"output_dimensionality\":8}",
	    VERTEX "/models/gemini-embedding-2:embedContent",
	    "{" IMAGE ",\"embedContentConfig\":{\"outputDimensionality\":8}}" },
	{ "gemini_embed", "text-embedding-005", VERTEX, 0,
	    "{" CONTENT("a") ",\"task_type\":\"CLUSTERING\"}",
	    VERTEX "/models/text-embedding-005:predict",
	    "{\"instances\":[{\"content\":\"a\",\"task_type\":"
	    "\"CLUSTERING\"}],\"parameters\":{\"autoTruncate\":false}}" },
	{ "embeddings", "m", "http://o/v1", QUIRK_EMBED_STRICT,
	    "{\"content\":{\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
	    "\"taskType\":\"CLUSTERING\",\"outputDimensionality\":8}",
	    "http://o/v1/embeddings",
	    "{\"model\":\"m\",\"input\":[\"a\\nb\"],\"dimensions\":8}" },
	{ "embeddings", "voyage-3", "http://o/v1", QUIRK_EMBED_VOYAGE,
	    "{\"requests\":[{" CONTENT("a") ",\"taskType\":"
	    "\"RETRIEVAL_QUERY\",\"outputDimensionality\":8}]}",
	    "http://o/v1/embeddings",
	    "{\"model\":\"voyage-3\",\"input\":[\"a\"],"
	    "\"output_dimension\":8,\"input_type\":\"query\"}" },
	{ "ollama_embed", "m", "http://l", 0, "{" CONTENT("a") "}",
	    "http://l/api/embed",
	    "{\"model\":\"m\",\"input\":[\"a\"],\"truncate\":false}" },
};

static void
start_google(struct bench *b, const char *to, const char *model,
    const char *base, unsigned quirks)
{
	start(b, to, model, base, quirks);
	b->surface = adapter_find("gemini_embed");
}

static void
test_google(void **state)
{
	struct bench b;
	const char *body;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof googles / sizeof googles[0]; i++) {
		start_google(&b, googles[i].to, googles[i].model,
		    googles[i].base, googles[i].quirks);
		body = bench_ask(&b, googles[i].in, NULL);
		assert_string_equal(body, googles[i].body);
		assert_string_equal(b.call.url, googles[i].url);
		bench_free(&b);
	}
}

/* A picture counts for what it may cost, and goes to Google only. */
static void
test_google_media(void **state)
{
	struct bench b;
	enum err e;

	(void)state;
	start_google(&b, "cohere_embed", "embed-v4.0", "http://c", 0);
	(void)bench_ask(&b, "{" IMAGE "}", &e);
	assert_int_equal(e, ERR_BAD_REQUEST);
	assert_string_equal(b.fault.param, "input");
	assert_int_equal(b.chat.task.media, 1);
	assert_true((b.chat.needs & CAP_IMAGE_IN) != 0);
	bench_free(&b);
}

/* Whatever the provider's form, the client gets its own. */
static void
test_google_answers(void **state)
{
	static const struct {
		const char *to, *in, *body, *out;
	} rows[] = {
		{ "embeddings", "{" CONTENT("a") "}",
		    "{\"data\":[" ROW("0", ONE_64) "],\"usage\":{"
		    "\"prompt_tokens\":5,\"total_tokens\":5}}",
		    "{\"embedding\":{\"values\":[1,0.100000001,-2.5]},"
		    "\"usageMetadata\":{\"promptTokenCount\":5}}" },
		{ "gemini_embed", "{" CONTENT("a") "}",
		    "{\"embeddings\":[{\"values\":" ONE "}]}",
		    "{\"embedding\":{\"values\":" ONE "},\"usageMetadata\":"
		    "{\"promptTokenCount\":0}}" },
		{ "ollama_embed", "{\"requests\":[{" CONTENT("a") "},{"
		    CONTENT("b") "}]}", "{\"embeddings\":[" ONE "," TWO "]}",
		    "{\"embeddings\":[{\"values\":" ONE "},{\"values\":" TWO
		    "}],\"usageMetadata\":{\"promptTokenCount\":0}}" },
	};
	struct reply reply;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start_google(&b, rows[i].to, "m", "http://p", 0);
		(void)bench_ask(&b, rows[i].in, NULL);
		assert_int_equal(bench_reply(&b, rows[i].body, &reply),
		    ERR_OK);
		bench_has(&b, rows[i].out, 1);
		assert_int_equal(b.out.len, strlen(rows[i].out));
		bench_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_google),
		cmocka_unit_test(test_google_media),
		cmocka_unit_test(test_google_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
