/* What the catalog's facts of providers make of one request. */
#include "tests/unit/adapter_help.h"

#include "policy/catalog.h"

#define HELLO "{\"role\":\"user\",\"content\":\"Hello\"}"
#define USAGE ",\"stream_options\":{\"include_usage\":true}"
#define CALL(id, more) "{\"role\":\"assistant\",\"content\":null" more "," \
	"\"tool_calls\":[{\"id\":\"" id "\",\"type\":\"function\"," \
	"\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}"
#define RESULT(id) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\"," \
	"\"content\":\"7\"}"
#define LONG_ID "call_0123456789abcdef"
#define SHORT_ID "ZrFnw4sdL" /* of that one */

/* A request of an OpenAI client and what goes on, "model" apart. */
static const struct {
	const char *provider, *model, *in, *out;
} same[] = {
	/* The bound on output, the role, usage in streams. */
	{ "openai", "gpt-4.1", "\"messages\":[" HELLO "],\"max_tokens\":9",
	  "\"messages\":[" HELLO "],\"max_completion_tokens\":9" },
	{ "openai", "gpt-4.1", "\"messages\":[{\"role\":\"developer\","
	  "\"content\":\"x\"}],\"seed\":4", "\"messages\":[{\"role\":"
	  "\"developer\",\"content\":\"x\"}],\"seed\":4" },
	{ "togetherai", "m", "\"messages\":[{\"role\":\"developer\","
	  "\"content\":\"x\"}],\"max_completion_tokens\":9",
	  "\"messages\":[{\"role\":\"system\",\"content\":\"x\"}],"
	  "\"max_tokens\":9" },
	{ "fireworks", "m", "\"messages\":[" HELLO "],"
	  "\"max_completion_tokens\":9,\"stream\":true", "\"messages\":["
	  HELLO "],\"stream\":true" USAGE ",\"max_tokens\":9" },
	{ "vllm", "m", "\"messages\":[" HELLO "],\"seed\":1,\"stream\":true",
	  "\"messages\":[" HELLO "],\"seed\":1,\"stream\":true" USAGE },
	{ "llama.cpp", "m", "\"messages\":[" HELLO "],\"cache_prompt\":true",
	  "\"messages\":[" HELLO "],\"cache_prompt\":true" },
	{ "lmstudio", "m", "\"messages\":[" HELLO "],"
	  "\"max_completion_tokens\":9", "\"messages\":[" HELLO "],"
	  "\"max_tokens\":9" },
	{ "huggingface", "m", "\"messages\":[" HELLO "],"
	  "\"max_completion_tokens\":9", "\"messages\":[" HELLO "],"
	  "\"max_tokens\":9" },
	{ "cloudflare", "m", "\"messages\":[" HELLO "],"
	  "\"max_completion_tokens\":9", "\"messages\":[" HELLO "],"
	  "\"max_tokens\":9" },
	{ "perplexity", "sonar", "\"messages\":[" HELLO "],"
	  "\"max_completion_tokens\":9,\"return_images\":true",
	  "\"messages\":[" HELLO "],\"return_images\":true,"
	  "\"max_tokens\":9" },
	/* Perplexity: the two sides take turns. */
	{ "perplexity", "sonar", "\"messages\":[{\"role\":\"system\","
	  "\"content\":\"s\"}," HELLO "," HELLO ",{\"role\":"
	  "\"assistant\",\"content\":\"a\"},{\"role\":\"user\","
	  "\"content\":\"\"},{\"role\":\"user\",\"content\":[{\"type\":"
	  "\"text\",\"text\":\"b\"}]},{\"role\":\"user\"}]",
	  "\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{"
	  "\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	  "\"Hello\"},{\"type\":\"text\",\"text\":\"Hello\"}]},{"
	  "\"role\":\"assistant\",\"content\":\"a\"},{\"role\":"
	  "\"user\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}]}]" },
	{ "openrouter", "m", "\"messages\":[" HELLO "],\"usage\":{"
	  "\"include\":true},\"max_completion_tokens\":9,\"stream\":true",
	  "\"messages\":[" HELLO "],\"usage\":{\"include\":true},"
	  "\"max_completion_tokens\":9,\"stream\":true" USAGE },
	/* Mistral: its own word, its own ids, no more than it knows. */
	{ "mistral", "m", "\"messages\":[" HELLO "],\"seed\":4,"
	  "\"stream\":true" USAGE ",\"max_completion_tokens\":9",
	  "\"messages\":[" HELLO "],\"stream\":true,\"max_tokens\":9,"
	  "\"random_seed\":4" },
	{ "mistral", "m", "\"messages\":[" CALL(LONG_ID, "") ","
	  RESULT(LONG_ID) "]", "\"messages\":[" CALL(SHORT_ID, "") ","
	  RESULT(SHORT_ID) "]" },
	{ "mistral", "m", "\"messages\":[" CALL("abcDEF123", "") ","
	  RESULT("abcDEF123") "]", "\"messages\":[" CALL("abcDEF123", "") ","
	  RESULT("abcDEF123") "]" },
	{ "mistral", "m", "\"messages\":[" CALL("abcDEF123",
	  ",\"reasoning_content\":\"hm\",\"refusal\":null") "]",
	  "\"messages\":[" CALL("abcDEF123", "") "]" },
	{ "groq", "m", "\"messages\":[" CALL("c1",
	  ",\"reasoning_content\":\"hm\",\"annotations\":[]") "],"
	  "\"max_completion_tokens\":9", "\"messages\":[" CALL("c1", "")
	  "],\"max_completion_tokens\":9" },
	{ "cerebras", "m", "\"messages\":[" CALL("c1",
	  ",\"reasoning\":\"hm\"") "]", "\"messages\":[" CALL("c1", "") "]" },
	/* Thinking, switched by an object and wanted back. */
	{ "deepseek", "m", "\"messages\":[" HELLO "],\"reasoning_effort\":"
	  "\"none\"", "\"messages\":[" HELLO "],\"thinking\":{\"type\":"
	  "\"disabled\"}" },
	{ "deepseek", "m", "\"messages\":[" HELLO "],\"reasoning_effort\":"
	  "\"minimal\"", "\"messages\":[" HELLO "],\"reasoning_effort\":"
	  "\"low\",\"thinking\":{\"type\":\"enabled\"}" },
	{ "zai", "m", "\"messages\":[" HELLO "],\"reasoning_effort\":\"low\","
	  "\"thinking\":{\"type\":\"disabled\"}", "\"messages\":[" HELLO "],"
	  "\"reasoning_effort\":\"low\",\"thinking\":{\"type\":"
	  "\"disabled\"}" },
	{ "xiaomi", "m", "\"messages\":[" HELLO "],\"reasoning_effort\":"
	  "\"high\"", "\"messages\":[" HELLO "],\"reasoning_effort\":"
	  "\"high\",\"thinking\":{\"type\":\"enabled\"}" },
	{ "deepseek", "m", "\"messages\":[{\"role\":\"assistant\","
	  "\"content\":\"a\",\"tool_calls\":[{\"id\":\"c\"}]},"
	  "{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":"
	  "\"assistant\",\"reasoning\":\"hm\",\"tool_calls\":[{\"id\":"
	  "\"c\"}]}]", "\"messages\":[{\"role\":\"assistant\","
	  "\"content\":\"a\",\"tool_calls\":[{\"id\":\"c\"}],"
	  "\"reasoning_content\":\"\"},{\"role\":\"assistant\","
	  "\"content\":\"a\"},{\"role\":\"assistant\",\"reasoning\":\"hm\","
	  "\"tool_calls\":[{\"id\":\"c\"}],\"reasoning_content\":\"hm\"}]" },
	/* By a flag; some models think in streams only. */
	{ "qwen", "qwen-plus", "\"messages\":[" HELLO "],"
	  "\"reasoning_effort\":\"none\"", "\"messages\":[" HELLO "],"
	  "\"enable_thinking\":false" },
	{ "qwen", "qwen-plus", "\"messages\":[" HELLO "],"
	  "\"reasoning_effort\":\"low\"", "\"messages\":[" HELLO "],"
	  "\"enable_thinking\":true" },
	{ "qwen", "qwen-plus", "\"messages\":[" HELLO "]",
	  "\"messages\":[" HELLO "]" },
	{ "qwen", "qwen3-32b", "\"messages\":[" HELLO "]",
	  "\"messages\":[" HELLO "],\"enable_thinking\":false" },
	{ "qwen", "qwen3-32b", "\"messages\":[" HELLO "],\"stream\":true",
	  "\"messages\":[" HELLO "],\"stream\":true" USAGE },
	{ "qwen", "qwen3-32b", "\"messages\":[" HELLO "],"
	  "\"enable_thinking\":true", "\"messages\":[" HELLO "],"
	  "\"enable_thinking\":true" },
	/* What a client asks for by name is the provider's to refuse. */
	{ "xai", "grok-build-0.1", "\"messages\":[" HELLO "],"
	  "\"reasoning_effort\":\"low\"", "\"messages\":[" HELLO "],"
	  "\"reasoning_effort\":\"low\"" },
};

/* How this catalog says that the model is spoken to. */
static void
take_facts(struct bench *b, const struct catalog *c, const char *provider,
    const char *model)
{
	struct catalog_provider p;
	struct catalog_model m;

	assert_true(catalog_provider(c, provider, &p));
	assert_string_equal(p.adapter, "openai");
	b->provider.quirks = p.quirks;
	if (catalog_model(c, p.name, model, &m)) {
		assert_string_equal(m.adapter, "openai");
		b->provider.quirks = m.quirks;
	}
}

static void
same_dialect(void **state)
{
	char in[2048], want[2048];
	struct bench b;
	size_t i;

	for (i = 0; i < sizeof same / sizeof same[0]; i++) {
		bench_init(&b, "openai", "openai");
		take_facts(&b, *state, same[i].provider, same[i].model);
		snprintf(in, sizeof in, "{\"model\":\"m\",%s}", same[i].in);
		snprintf(want, sizeof want, "{\"model\":\"their-model\",%s}",
		    same[i].out);
		assert_string_equal(bench_ask(&b, in, NULL), want);
		bench_free(&b);
	}
}

/* The same facts hold where another dialect was translated. */
static const struct {
	const char *provider, *model, *in;
	const char *has[4], *lacks[4];
} other[] = {
	{ "mistral", "m", "\"messages\":[{\"role\":\"assistant\",\"content\":"
	  "[{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\","
	  "\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":"
	  "\"tool_result\",\"tool_use_id\":\"toolu_1\",\"content\":\"7\"}]}]",
	  { "\"max_tokens\":5" }, { "toolu_1", "max_completion_tokens" } },
	{ "deepseek", "m", "\"thinking\":{\"type\":\"disabled\"},"
	  "\"messages\":[" HELLO "]",
	  { "\"thinking\":{\"type\":\"disabled\"}" },
	  { "reasoning_effort" } },
	{ "deepseek", "m", "\"messages\":[{\"role\":\"assistant\",\"content\":"
	  "[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"\"},"
	  "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}]}"
	  ",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
	  "\"tool_use_id\":\"t\",\"content\":\"7\"}]}]",
	  { "\"reasoning_content\":\"hm\"" }, { NULL } },
	{ "qwen", "qwen-plus", "\"thinking\":{\"type\":\"enabled\","
	  "\"budget_tokens\":2048},\"messages\":[" HELLO "]",
	  { "\"enable_thinking\":true" }, { "reasoning_effort" } },
	{ "xai", "grok-build-0.1", "\"thinking\":{\"type\":\"enabled\","
	  "\"budget_tokens\":2048},\"messages\":[" HELLO "]",
	  { "\"model\":\"their-model\"" }, { "reasoning_effort" } },
	{ "xai", "grok-4.3", "\"thinking\":{\"type\":\"enabled\","
	  "\"budget_tokens\":2048},\"messages\":[" HELLO "]",
	  { "\"reasoning_effort\":\"low\"" }, { NULL } },
};

static void
other_dialect(void **state)
{
	const char *got;
	struct bench b;
	char in[2048];
	size_t i, k;

	for (i = 0; i < sizeof other / sizeof other[0]; i++) {
		bench_init(&b, "anthropic", "openai");
		take_facts(&b, *state, other[i].provider, other[i].model);
		snprintf(in, sizeof in, "{\"model\":\"m\",\"max_tokens\":5,%s}",
		    other[i].in);
		got = bench_ask(&b, in, NULL);
		for (k = 0; k < 4 && other[i].has[k] != NULL; k++)
			if (strstr(got, other[i].has[k]) == NULL)
				fail_msg("%zu: no %s in %s", i,
				    other[i].has[k], got);
		for (k = 0; k < 4 && other[i].lacks[k] != NULL; k++)
			if (strstr(got, other[i].lacks[k]) != NULL)
				fail_msg("%zu: %s in %s", i,
				    other[i].lacks[k], got);
		bench_free(&b);
	}
}

static void
addresses(void **state)
{
	static const struct {
		const char *base, *version, *url;
	} rows[] = {
		{ "https://r.openai.azure.com/openai/v1", "",
		  "https://r.openai.azure.com/openai/v1/chat/completions" },
		{ "https://r.openai.azure.com/openai/v1", "preview",
		  "https://r.openai.azure.com/openai/v1/chat/completions"
		  "?api-version=preview" },
		{ "https://r.openai.azure.com/openai/deployments",
		  "2024-10-21", "https://r.openai.azure.com/openai/"
		  "deployments/their-model/chat/completions"
		  "?api-version=2024-10-21" },
		{ "http://h/deployments/x", "",
		  "http://h/deployments/x/chat/completions" },
		{ "h", "", "h/chat/completions" },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bench_init(&b, "openai", "openai");
		b.provider.base_url = rows[i].base;
		b.provider.api_version = rows[i].version;
		bench_ask(&b, "{\"model\":\"m\",\"messages\":[" HELLO "]}",
		    NULL);
		assert_string_equal(b.call.url, rows[i].url);
		bench_free(&b);
	}
}

/* Azure's key goes in a header of its own. */
static void
azure(void **state)
{
	struct catalog_provider p;

	assert_true(catalog_provider(*state, "azure", &p));
	assert_int_equal(p.auth, AUTH_HEADER);
	assert_string_equal(p.auth_header, "api-key");
	assert_int_equal(p.quirks, QUIRK_MAX_COMPLETION | QUIRK_EMBED_STRICT);
	assert_true(catalog_provider(*state, "cloudflare", &p));
	assert_non_null(strstr(p.base_url, "${CLOUDFLARE_ACCOUNT_ID}"));
}

static int
open_catalog(void **state)
{
	*state = catalog_open(NULL, NULL);
	return *state == NULL;
}

static int
close_catalog(void **state)
{
	catalog_close(*state);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_dialect),
		cmocka_unit_test(other_dialect),
		cmocka_unit_test(addresses),
		cmocka_unit_test(azure),
	};

	return cmocka_run_group_tests(tests, open_catalog, close_catalog);
}
