/*
 * The catalog: every row of policy/catalog.json must be read back as an
 * independent reader (json-c) sees it; opening costs nearly nothing; a file
 * that is damaged anywhere is refused or harmless.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/catalog.h"
#include "policy/catalog_image.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static char dir[] = "/tmp/test_catalog.XXXXXX";
static char file[64];

/* A small catalog that has one of everything. */
static const char small[] =
    "{\"form\": 1, \"date\": \"2026-01-02\",\n"
    "\"providers\": [\n"
    "{\"name\":\"b\",\"title\":\"B\",\"adapter\":\"openai\","
    "\"base_url\":\"https://b.example/v1\",\"auth\":\"header\","
    "\"auth_header\":\"x-key\",\"quirks\":\"max_tokens no_stream_options\","
    "\"env\":\"B_KEY\",\"doc\":\"https://b.example\","
    "\"aliases\":[\"bee\"]},\n"
    "{\"name\":\"a\",\"adapter\":\"\",\"auth\":\"none\"}],\n"
    "\"models\": [\n"
    "{\"provider\":\"b\",\"name\":\"z/1\",\"title\":\"Z\",\"context\":1000,"
    "\"max_input\":900,\"max_output\":100,\"caps\":\"tools text_in\","
    "\"scores\":{\"X\":1.5,\"Y\":-2},\"price\":{\"input\":\"0.1\","
    "\"output\":2.5,\"request\":\"0.01\",\"tiers\":[{\"above\":200,"
    "\"input\":\"0.2\"},{\"above\":300,\"input\":\"0.3\"}]}},\n"
    "{\"provider\":\"b\",\"name\":\"m\",\"adapter\":\"anthropic\","
    "\"auth\":\"bearer\",\"quirks\":\"\",\"scores\":{\"X\":1.5}}]}\n";

static json_object *
get(json_object *o, const char *key)
{
	json_object *v = NULL;

	json_object_object_get_ex(o, key, &v);
	return v;
}

static const char *
text(json_object *o, const char *key)
{
	json_object *v = get(o, key);

	return v == NULL ? "" : json_object_get_string(v);
}

/* Of a model, else of its provider. */
static const char *
inherited(json_object *model, json_object *provider, const char *key)
{
	return get(model, key) != NULL ? text(model, key) :
	    text(provider, key);
}

static json_object *
load(void)
{
	json_object *o = json_object_from_file(SRCDIR "/policy/catalog.json");

	assert_non_null(o);
	return o;
}

/* Is a word among others with blanks between? */
static bool
has_word(const char *words, const char *word)
{
	size_t len = strlen(word);
	const char *p;

	for (p = strstr(words, word); p != NULL; p = strstr(p + 1, word))
		if ((p == words || p[-1] == ' ') &&
		    (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static size_t
word_count(const char *words)
{
	size_t n = 0;

	for (; *words != '\0'; words++)
		n += *words != ' ' && (words[1] == ' ' || words[1] == '\0');
	return n;
}

static void
same_words(const char *words, const char *const *names, size_t n,
    unsigned bits)
{
	size_t i;

	for (i = 0; i < n; i++)
		assert_int_equal((bits >> i) & 1, has_word(words, names[i]));
	assert_int_equal(__builtin_popcount(bits), word_count(words));
}

static void
same_quirks(const char *words, unsigned quirks)
{
	static const char *const names[] = { "no_stream_options",
		"max_tokens", "max_completion", "raw_predict" };

	same_words(words, names, 4, quirks);
}

static void
same_caps(const char *words, unsigned set)
{
	static const char *const names[] = { "tools", "reasoning",
		"structured", "image_in", "pdf_in", "audio_in", "video_in",
		"text_out", "image_out", "audio_out", "temperature",
		"attachment", "open_weights", "text_in", "video_out" };

	same_words(words, names, 15, set);
}

static void
same_auth(const char *word, enum auth_scheme auth)
{
	static const char *const names[] = { "bearer", "header", "sigv4",
		"google", "none" };

	assert_string_equal(*word == '\0' ? "bearer" : word, names[auth]);
}

/* "1.25" as nano-dollars, digit by digit. */
static int64_t
nano(const char *s)
{
	int64_t n = 0;
	int decimals = -1;

	for (; *s != '\0'; s++) {
		if (*s == '.') {
			decimals = 0;
			continue;
		}
		assert_in_range(*s, '0', '9');
		n = n * 10 + (*s - '0');
		decimals += decimals >= 0;
	}
	for (decimals = decimals < 0 ? 0 : decimals; decimals < 9; decimals++)
		n *= 10;
	return n;
}

static void
same_rates(json_object *price, const int64_t *rate, unsigned units)
{
	unsigned u;

	for (u = 0; u < units; u++) {
		json_object *v = get(price, unit_name(u));

		assert_int_equal(rate[u], v == NULL ? PRICE_UNSET :
		    nano(json_object_get_string(v)));
	}
}

static void
same_price(json_object *price, const struct price *p)
{
	json_object *tiers = get(price, "tiers");
	size_t n = tiers == NULL ? 0 : json_object_array_length(tiers), i;

	assert_int_equal(p->known, price != NULL);
	assert_int_equal(p->tiers, n);
	same_rates(price, p->rate, UNIT_COUNT);
	for (i = 0; i < n; i++) {
		json_object *tier = json_object_array_get_idx(tiers, i);

		assert_int_equal(p->tier[i].above,
		    json_object_get_int64(get(tier, "above")));
		same_rates(tier, p->tier[i].rate, UNIT_PER_MILLION);
	}
}

static void
same_scores(const struct catalog *c, json_object *scores,
    const struct catalog_model *m)
{
	struct catalog_score s;
	uint32_t i;

	assert_int_equal(m->scores,
	    scores == NULL ? 0 : json_object_object_length(scores));
	for (i = 0; i < m->scores; i++) {
		assert_true(catalog_score(c, m, i, &s));
		assert_true(s.value ==
		    json_object_get_double(get(scores, s.benchmark)));
	}
	assert_false(catalog_score(c, m, i, &s));
}

static void
same_provider(const struct catalog *c, json_object *o)
{
	struct catalog_provider p, alias;
	json_object *aliases = get(o, "aliases");
	size_t i, n = aliases == NULL ? 0 : json_object_array_length(aliases);

	assert_true(catalog_provider(c, text(o, "name"), &p));
	assert_string_equal(p.name, text(o, "name"));
	assert_string_equal(p.title, text(o, "title"));
	assert_string_equal(p.adapter, text(o, "adapter"));
	assert_string_equal(p.base_url, text(o, "base_url"));
	assert_string_equal(p.env, text(o, "env"));
	assert_string_equal(p.doc, text(o, "doc"));
	assert_string_equal(p.auth_header, text(o, "auth_header"));
	same_auth(text(o, "auth"), p.auth);
	same_quirks(text(o, "quirks"), p.quirks);
	for (i = 0; i < n; i++) {
		assert_true(catalog_provider(c, json_object_get_string(
		    json_object_array_get_idx(aliases, i)), &alias));
		assert_ptr_equal(alias.name, p.name);
	}
}

static void
same_model(const struct catalog *c, json_object *o, json_object *provider)
{
	struct catalog_model m;

	assert_true(catalog_model(c, text(o, "provider"), text(o, "name"),
	    &m));
	assert_string_equal(m.provider, text(o, "provider"));
	assert_string_equal(m.name, text(o, "name"));
	assert_string_equal(m.title, text(o, "title"));
	assert_string_equal(m.family, text(o, "family"));
	assert_string_equal(m.released, text(o, "released"));
	assert_string_equal(m.status, text(o, "status"));
	assert_int_equal(m.context, json_object_get_int64(get(o, "context")));
	assert_int_equal(m.max_input,
	    json_object_get_int64(get(o, "max_input")));
	assert_int_equal(m.max_output,
	    json_object_get_int64(get(o, "max_output")));
	assert_string_equal(m.adapter, inherited(o, provider, "adapter"));
	assert_string_equal(m.base_url, inherited(o, provider, "base_url"));
	same_auth(inherited(o, provider, "auth"), m.auth);
	assert_string_equal(m.auth_header, m.auth == AUTH_HEADER ?
	    inherited(o, provider, "auth_header") : "");
	same_quirks(inherited(o, provider, "quirks"), m.quirks);
	same_caps(text(o, "caps"), m.caps);
	same_price(get(o, "price"), &m.price);
	same_scores(c, get(o, "scores"), &m);
}

static json_object *
by_name(json_object *list, const char *name)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		if (strcmp(text(json_object_array_get_idx(list, i), "name"),
			name) == 0)
			return json_object_array_get_idx(list, i);
	return NULL;
}

static void
test_every_row(void **state)
{
	json_object *all = load(), *providers = get(all, "providers"),
		    *models = get(all, "models");
	size_t count = json_object_array_length(providers), i;
	struct catalog *c = catalog_open(NULL, NULL);

	(void)state;
	assert_non_null(c);
	assert_string_equal(catalog_date(c), text(all, "date"));
	/* All that models.dev has, and what it lacks. */
	assert_true(count >= 147);
	assert_int_equal(catalog_providers(c), count);
	for (i = 0; i < count; i++)
		same_provider(c, json_object_array_get_idx(providers, i));
	count = json_object_array_length(models);
	assert_true(count >= 5098);
	assert_int_equal(catalog_models(c), count);
	for (i = 0; i < count; i++) {
		json_object *o = json_object_array_get_idx(models, i);

		same_model(c, o, by_name(providers, text(o, "provider")));
	}
	catalog_close(c);
	json_object_put(all);
}

static void
test_order(void **state)
{
	struct catalog *c = catalog_open(NULL, NULL);
	struct catalog_provider p;
	struct catalog_model m;
	const char *name = "", *model;
	uint32_t i, k, next = 0;

	(void)state;
	for (i = 0; i < catalog_providers(c); i++, name = p.name) {
		assert_true(catalog_provider_at(c, i, &p));
		assert_true(strcmp(name, p.name) < 0);
		assert_int_equal(p.first, next);
		model = "";
		for (k = 0; k < p.count; k++, model = m.name) {
			assert_true(catalog_model_at(c, next++, &m));
			assert_ptr_equal(m.provider, p.name);
			assert_true(strcmp(model, m.name) < 0);
		}
	}
	assert_int_equal(next, catalog_models(c));
	assert_false(catalog_provider_at(c, i, &p));
	assert_false(catalog_provider_at(c, UINT32_MAX, &p));
	assert_false(catalog_model_at(c, next, &m));
	assert_false(catalog_model_at(c, UINT32_MAX, &m));
	catalog_close(c);
}

static void
test_absent(void **state)
{
	static const char *const names[] = { "", "a", "opena", "openai2",
		"OpenAI", "zzzz", "openai/gpt-4o", "\xff", " openai" };
	struct catalog *c = catalog_open(NULL, NULL);
	struct catalog_provider p, p0;
	struct catalog_model m, m0;
	size_t i;

	(void)state;
	memset(&p, 0x5a, sizeof p);
	memset(&m, 0x5a, sizeof m);
	p0 = p;
	m0 = m;
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_false(catalog_provider(c, names[i], &p));
		assert_false(catalog_model(c, names[i], "gpt-4o", &m));
		assert_false(catalog_model(c, "openai", names[i], &m));
		assert_false(catalog_model(c, "ollama", names[i], &m));
	}
	/* A model of another provider, and one in the first place of the next. */
	assert_false(catalog_model(c, "openai", "claude-sonnet-4-6", &m));
	assert_memory_equal(&p, &p0, sizeof p);
	assert_memory_equal(&m, &m0, sizeof m);
	catalog_close(c);
}

/* What is known from the providers' own documentation. */
static void
test_facts(void **state)
{
	static const struct {
		const char *name, *is, *adapter, *base_url;
		enum auth_scheme auth;
	} rows[] = {
		{ "openai", "openai", "openai", "https://api.openai.com/v1",
		    AUTH_BEARER },
		{ "anthropic", "anthropic", "anthropic",
		    "https://api.anthropic.com", AUTH_HEADER },
		{ "gemini", "google", "gemini",
		    "https://generativelanguage.googleapis.com/v1beta",
		    AUTH_HEADER },
		{ "groq", "groq", "openai", "https://api.groq.com/openai/v1",
		    AUTH_BEARER },
		{ "mistral", "mistral", "openai", "https://api.mistral.ai/v1",
		    AUTH_BEARER },
		{ "xai", "xai", "openai", "https://api.x.ai/v1", AUTH_BEARER },
		{ "deepseek", "deepseek", "openai",
		    "https://api.deepseek.com", AUTH_BEARER },
		{ "cohere", "cohere", "cohere", "https://api.cohere.com",
		    AUTH_BEARER },
		{ "perplexity", "perplexity", "openai",
		    "https://api.perplexity.ai", AUTH_BEARER },
		{ "together", "togetherai", "openai",
		    "https://api.together.xyz/v1", AUTH_BEARER },
		{ "fireworks", "fireworks-ai", "openai",
		    "https://api.fireworks.ai/inference/v1", AUTH_BEARER },
		{ "deepinfra", "deepinfra", "openai",
		    "https://api.deepinfra.com/v1/openai", AUTH_BEARER },
		{ "cerebras", "cerebras", "openai",
		    "https://api.cerebras.ai/v1", AUTH_BEARER },
		{ "openrouter", "openrouter", "openai",
		    "https://openrouter.ai/api/v1", AUTH_BEARER },
		{ "bedrock", "amazon-bedrock", "bedrock",
		    "https://bedrock-runtime.${region}.amazonaws.com",
		    AUTH_SIGV4 },
		{ "azure", "azure", "openai",
		    "https://${AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1",
		    AUTH_HEADER },
		{ "vertex", "google-vertex", "gemini",
		    "https://${region}-aiplatform.googleapis.com/v1/projects/"
		    "${project}/locations/${region}/publishers/google",
		    AUTH_GOOGLE },
		{ "ollama", "ollama", "openai", "http://127.0.0.1:11434/v1",
		    AUTH_NONE },
		{ "vllm", "vllm", "openai", "http://127.0.0.1:8000/v1",
		    AUTH_NONE },
		{ "lmstudio", "lmstudio", "openai", "http://127.0.0.1:1234/v1",
		    AUTH_NONE },
		{ "llamacpp", "llamacpp", "openai",
		    "http://127.0.0.1:8080/v1", AUTH_NONE },
	};
	struct catalog *c = catalog_open(NULL, NULL);
	struct catalog_provider p;
	struct catalog_model m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(catalog_provider(c, rows[i].name, &p));
		assert_string_equal(p.name, rows[i].is);
		assert_string_equal(p.adapter, rows[i].adapter);
		assert_string_equal(p.base_url, rows[i].base_url);
		assert_int_equal(p.auth, rows[i].auth);
	}
	assert_true(catalog_model(c, "gemini", "gemini-2.5-pro", &m));
	assert_string_equal(m.provider, "google");
	assert_int_equal(price_rate(&m.price, UNIT_INPUT, 200000), 1250000000);
	assert_int_equal(price_rate(&m.price, UNIT_INPUT, 200001), 2500000000);
	assert_true(catalog_model(c, "vertex", "claude-opus-4-1@20250805", &m));
	assert_string_equal(m.adapter, "anthropic");
	assert_int_equal(m.quirks, QUIRK_RAW_PREDICT);
	assert_int_equal(m.auth, AUTH_GOOGLE);
	assert_int_equal(m.price.rate[UNIT_CACHE_WRITE_1H], 30000000000);
	catalog_close(c);
}

static void
write_file(const void *data, size_t len)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

/* The small catalog's image, to be freed. */
static struct image *
small_image(size_t *len)
{
	struct image *image = calloc(1, 65536);
	struct fault f;
	int fd;

	assert_non_null(image);
	assert_int_equal(catalog_compile(small, sizeof small - 1, file, &f),
	    ERR_OK);
	fd = open(file, O_RDONLY);
	assert_true(fd >= 0);
	*len = (size_t)read(fd, image, 65536);
	close(fd);
	assert_int_equal(*len, image->size);
	return image;
}

static void
test_small(void **state)
{
	struct catalog_provider p;
	struct catalog_model m;
	struct catalog_score s;
	struct catalog *c;
	struct fault f;
	struct stat st;

	(void)state;
	assert_int_equal(catalog_compile(small, sizeof small - 1, file, &f),
	    ERR_OK);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	c = catalog_open(file, &f);
	assert_int_equal(f.code, ERR_OK);
	assert_string_equal(catalog_date(c), "2026-01-02");
	assert_int_equal(catalog_providers(c), 2);
	assert_int_equal(catalog_models(c), 2);
	assert_true(catalog_provider(c, "bee", &p));
	assert_string_equal(p.name, "b");
	assert_string_equal(p.auth_header, "x-key");
	assert_int_equal(p.quirks, QUIRK_MAX_TOKENS | QUIRK_NO_STREAM_OPTIONS);
	assert_int_equal(p.first, 0);
	assert_int_equal(p.count, 2);
	assert_true(catalog_provider(c, "a", &p));
	assert_int_equal(p.count, 0);
	assert_string_equal(p.adapter, "");
	assert_true(catalog_model(c, "bee", "z/1", &m));
	assert_int_equal(m.price.rate[UNIT_OUTPUT], 2500000000);
	assert_int_equal(m.price.rate[UNIT_REQUEST], 10000000);
	assert_int_equal(price_rate(&m.price, UNIT_INPUT, 250), 200000000);
	assert_int_equal(price_rate(&m.price, UNIT_INPUT, 301), 300000000);
	assert_true(catalog_score(c, &m, 1, &s));
	assert_string_equal(s.benchmark, "Y");
	assert_true(s.value == -2);
	assert_true(catalog_model(c, "b", "m", &m));
	assert_false(m.price.known);
	assert_string_equal(m.adapter, "anthropic");
	assert_string_equal(m.base_url, "https://b.example/v1");
	assert_int_equal(m.auth, AUTH_BEARER);
	assert_string_equal(m.auth_header, "");
	assert_int_equal(m.quirks, 0);
	catalog_close(c);
}

/* Everything a catalog can be asked. Its sum keeps the reads. */
static size_t
walk(const struct catalog *c)
{
	static const char *const names[] = { "a", "b", "bee", "zzz", "" };
	struct catalog_provider p;
	struct catalog_model m;
	struct catalog_score s;
	size_t n = strlen(catalog_date(c)), i;
	uint32_t k, j;

	for (k = 0; catalog_provider_at(c, k, &p); k++)
		n += strlen(p.name) + strlen(p.title) + strlen(p.adapter) +
		    strlen(p.base_url) + strlen(p.env) + strlen(p.doc) +
		    strlen(p.auth_header);
	for (k = 0; catalog_model_at(c, k, &m); k++) {
		n += strlen(m.provider) + strlen(m.name) + strlen(m.title) +
		    strlen(m.family) + strlen(m.released) + strlen(m.status) +
		    strlen(m.adapter) + strlen(m.base_url);
		n += (size_t)price_rate(&m.price, UNIT_REASONING, 250);
		for (j = 0; catalog_score(c, &m, j, &s); j++)
			n += strlen(s.benchmark);
	}
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		n += catalog_provider(c, names[i], &p);
		n += catalog_model(c, names[i], "z/1", &m);
		n += catalog_model(c, "b", names[i], &m);
	}
	return n;
}

static void
test_damage(void **state)
{
	static const unsigned char flips[] = { 0x01, 0x80, 0xff };
	size_t len, at, i, harmless = 0;
	struct image *image = small_image(&len), *bad = calloc(1, len);
	struct catalog *c;
	struct fault f;

	(void)state;
	assert_non_null(bad);
	for (at = 0; at < len; at++) {
		for (i = 0; i < sizeof flips; i++) {
			memcpy(bad, image, len);
			((unsigned char *)bad)[at] ^= flips[i];
			/* As it would come from a bad disk: always refused. */
			assert_int_not_equal(image_check(bad, len, &f), ERR_OK);
			if (at < sizeof bad->magic + sizeof bad->sum)
				continue;
			/* As somebody would make it on purpose. */
			bad->sum = image_sum(bad, len);
			write_file(bad, len);
			c = catalog_open(file, &f);
			assert_non_null(c);
			if (f.code == ERR_OK)
				harmless += walk(c) > 0;
			else
				assert_true(catalog_models(c) > 5000);
			catalog_close(c);
		}
	}
	/* Both kinds must have been met. */
	assert_true(harmless > 100 && harmless < len * sizeof flips - 1000);
	free(bad);
	free(image);
}

static void
test_bad_files(void **state)
{
	size_t len, at;
	struct image *image = small_image(&len);
	struct catalog *c;
	struct fault f;

	(void)state;
	for (at = 0; at <= len; at++) {
		write_file(image, at);
		c = catalog_open(file, &f);
		assert_int_equal(f.code, at == len ? ERR_OK : ERR_INTERNAL);
		assert_int_equal(catalog_models(c) > 5000, at != len);
		if (at != len)
			assert_string_equal(f.param, file);
		catalog_close(c);
	}
	assert_int_equal(chmod(file, 0666), 0);
	c = catalog_open(file, &f);
	assert_int_equal(f.code, ERR_INTERNAL);
	assert_true(catalog_models(c) > 5000);
	catalog_close(c);
	unlink(file);
	assert_int_equal(mkfifo(file, 0600), 0);
	c = catalog_open(file, &f);
	assert_int_equal(f.code, ERR_INTERNAL);
	catalog_close(c);
	unlink(file);
	c = catalog_open(dir, &f);
	assert_int_equal(f.code, ERR_INTERNAL);
	catalog_close(c);
	c = catalog_open(file, &f);
	assert_int_equal(f.code, ERR_OK);
	assert_true(catalog_models(c) > 5000);
	catalog_close(c);
	catalog_close(NULL);
	free(image);
}

#define P "{\"form\":1,\"date\":\"2026-01-02\",\"providers\":["
#define GOOD "{\"name\":\"p\",\"adapter\":\"\"}],\"models\":["
#define M P GOOD "{\"provider\":\"p\",\"name\":\"m\","

static void
test_compile_errors(void **state)
{
	static const struct {
		const char *json, *param, *text;
	} rows[] = {
		{ "{}", "form", "newer form" },
		{ "{\"form\":2,\"date\":\"2026-01-02\"}", "form", "newer" },
		{ "{\"form\":1,\"date\":\"2026\"}", "date", "2026-07-02" },
		{ "{\"form\":1,\"date\":\"2026-01-023\"}", "date", "" },
		{ "{\"form\":1,\"date\":\"2026-01-02\"}", "providers", "list" },
		{ P "],\"models\":{}}", "models", "not a list" },
		{ P "1],\"models\":[]}", "providers[0].name", "missing" },
		{ P "{\"name\":\"\"}],\"models\":[]}", "providers[0].name",
		    "empty" },
		{ P "{\"name\":\"a\\u0007\"}],\"models\":[]}",
		    "providers[0].name", "control" },
		{ P "{\"name\":\"a/b\"}],\"models\":[]}", "providers[0].name",
		    "slash" },
		{ P "{\"name\":\"a\"},{\"name\":\"a\"}],\"models\":[]}",
		    "providers[", "a: twice" },
		{ P "{\"name\":\"a\",\"adapter\":\"x\"}],\"models\":[]}",
		    "providers[0].base_url", "a: not an address" },
		{ P "{\"name\":\"a\",\"adapter\":\"x\","
		    "\"base_url\":\"ftp://x\"}],\"models\":[]}",
		    "providers[0].base_url", "" },
		{ P "{\"name\":\"a\",\"adapter\":\"x\","
		    "\"base_url\":\"http://x/\"}],\"models\":[]}",
		    "providers[0].base_url", "" },
		{ P "{\"name\":\"a\",\"auth\":\"magic\"}],\"models\":[]}",
		    "providers[0].auth", "unknown word" },
		{ P "{\"name\":\"a\",\"auth\":\"header\"}],\"models\":[]}",
		    "providers[0].auth_header", "header" },
		{ P "{\"name\":\"a\",\"auth\":\"header\","
		    "\"auth_header\":\"X Y\"}],\"models\":[]}",
		    "providers[0].auth_header", "header" },
		{ P "{\"name\":\"a\",\"quirks\":\"max_tokens odd\"}],"
		    "\"models\":[]}", "providers[0].quirks", "unknown" },
		{ P "{\"name\":\"a\",\"aliases\":[\"b\"]},{\"name\":\"b\"}],"
		    "\"models\":[]}", "providers[0].aliases", "of its own" },
		{ P "{\"name\":\"a\",\"aliases\":[\"c\"]},{\"name\":\"b\","
		    "\"aliases\":[\"c\"]}],\"models\":[]}", "aliases",
		    "two providers" },
		{ P GOOD "{\"name\":\"m\"}]}", "models[0].provider",
		    "m: missing" },
		{ P GOOD "{\"name\":\"m\",\"provider\":\"q\"}]}",
		    "models[0].provider", "m: no such provider" },
		{ M "\"context\":-1}]}", "models[0].context", "m: not a num" },
		{ M "\"context\":4294967296}]}", "models[0].context", "" },
		{ M "\"max_output\":1.5}]}", "models[0].max_output", "" },
		{ M "\"caps\":\"flying\"}]}", "models[0].caps", "unknown" },
		{ M "\"caps\":[]}]}", "models[0].caps", "not a string" },
		{ M "\"price\":3}]}", "models[0].price", "not an object" },
		{ M "\"price\":{\"inptu\":\"1\"}}]}", "models[0].price",
		    "unknown unit" },
		{ M "\"price\":{\"input\":\"-1\"}}]}", "models[0].price",
		    "no price" },
		{ M "\"price\":{\"input\":true}}]}", "models[0].price", "" },
		{ M "\"price\":{\"tiers\":{}}}]}", "models[0].price.tiers",
		    "list" },
		{ M "\"price\":{\"tiers\":[{\"input\":\"1\"}]}}]}",
		    "models[0].price.tiers", "above" },
		{ M "\"price\":{\"tiers\":[{\"above\":2},{\"above\":2}]}}]}",
		    "models[0].price.tiers", "ascend" },
		{ M "\"price\":{\"tiers\":[{\"above\":1},{\"above\":2},"
		    "{\"above\":3},{\"above\":4},{\"above\":5}]}}]}",
		    "models[0].price.tiers", "four" },
		{ M "\"price\":{\"tiers\":[{\"above\":1,\"request\":\"1\"}]}}]}",
		    "models[0].price", "unknown unit" },
		{ M "\"scores\":[1]}]}", "models[0].scores", "not an object" },
		{ M "\"scores\":{\"X\":\"1\"}}]}", "models[0].scores",
		    "not a number" },
		{ M "\"title\":7}]}", "models[0].title", "not a string" },
	};
	struct fault f;
	size_t i;

	(void)state;
	unlink(file);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		memset(&f, 0, sizeof f);
		if (catalog_compile(rows[i].json, strlen(rows[i].json), file,
			&f) != ERR_BAD_REQUEST ||
		    strncmp(f.param, rows[i].param, strlen(rows[i].param)) ||
		    strstr(f.text, rows[i].text) == NULL)
			fail_msg("%s: %s: %s", rows[i].json, f.param, f.text);
		assert_int_equal(access(file, F_OK), -1);
	}
	assert_int_equal(catalog_compile("{", 1, file, &f), ERR_BAD_JSON);
	assert_int_equal(catalog_compile("", 0, file, &f), ERR_BAD_JSON);
	assert_int_equal(catalog_compile(small, sizeof small - 1,
	    "/nowhere/at/all", &f), ERR_INTERNAL);
	assert_int_equal(catalog_compile(small, sizeof small - 1, dir, &f),
	    ERR_INTERNAL);
	assert_int_equal(catalog_compile(P "],\"models\":[]}",
	    strlen(P "],\"models\":[]}"), file, &f), ERR_OK);
}

/* Resident bytes of this process. */
static long
resident(void)
{
	long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%*d %ld", &pages), 1);
	fclose(statm);
	return pages * sysconf(_SC_PAGESIZE);
}

struct cost {
	int64_t ns;
	long bytes;
};

/* Open and ask ten times, in a process that has not touched the image. */
static void
measure(struct cost *out)
{
	static const char *const names[][2] = {
		{ "openai", "gpt-5.4" }, { "anthropic", "claude-sonnet-4-6" },
		{ "gemini", "gemini-2.5-pro" }, { "groq", "nothing" },
		{ "mistral", "mistral-large-latest" },
		{ "deepseek", "deepseek-v4-pro" },
		{ "zhipuai", "glm-4.6" }, { "302ai", "MiniMax-M1" },
		{ "openrouter", "openai/gpt-5.2" }, { "none", "none" }
	};
	struct timespec a, b;
	struct catalog_model m;
	struct catalog *c;
	size_t i, found = 0;

	out->bytes = resident();
	clock_gettime(CLOCK_MONOTONIC, &a);
	c = catalog_open(NULL, NULL);
	for (i = 0; c != NULL && i < 10; i++)
		found += catalog_model(c, names[i][0], names[i][1], &m);
	clock_gettime(CLOCK_MONOTONIC, &b);
	out->bytes = resident() - out->bytes;
	out->ns = (b.tv_sec - a.tv_sec) * INT64_C(1000000000) + b.tv_nsec -
	    a.tv_nsec;
	if (found < 7)
		out->ns = INT64_MAX;
	catalog_close(c);
}

static void
test_cost(void **state)
{
	struct cost best = { INT64_MAX, 0 }, cost;
	int round, status, ends[2];
	pid_t child;

	(void)state;
	for (round = 0; round < 10; round++) {
		assert_int_equal(pipe(ends), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			measure(&cost);
			_exit(write(ends[1], &cost, sizeof cost) !=
			    sizeof cost);
		}
		assert_int_equal(read(ends[0], &cost, sizeof cost),
		    sizeof cost);
		waitpid(child, &status, 0);
		close(ends[0]);
		close(ends[1]);
		if (cost.ns < best.ns)
			best.ns = cost.ns;
		if (cost.bytes > best.bytes)
			best.bytes = cost.bytes;
	}
	printf("open and 10 look-ups: %.1f us at best, %ld KiB resident at "
	    "worst (image %u KiB)\n", (double)best.ns / 1000,
	    best.bytes / 1024, image_builtin()->size / 1024);
	/* Parsing the JSON would take some 10 ms. An emulator has no clock. */
	if (getenv("TESTS_EMULATED") == NULL)
		assert_true(best.ns < 1000000);
#ifndef SANITIZED
	assert_true(best.bytes < 2 << 20);
#endif
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof file, "%s/catalog.bin", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir); /* nothing may be left over */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_compile_errors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
