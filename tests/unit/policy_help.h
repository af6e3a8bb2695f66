/*
 * What the tests of the policy share: a small catalog of their own, files in
 * a folder of their own, and loads of texts.
 */
#ifndef TOLLGATE_TESTS_POLICY_HELP_H
#define TOLLGATE_TESTS_POLICY_HELP_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "policy/catalog.h"
#include "policy/policy.h"

static const char catalog_text[] =
    "{ \"form\": 1, \"source\": \"test\", \"licence\": \"none\",\n"
    "\"date\": \"2026-07-02\", \"providers\": [\n"
    "{\"name\":\"anthropic\",\"title\":\"Anthropic\",\"adapter\":\"anthropic\","
    "\"base_url\":\"https://api.anthropic.com\",\"auth\":\"header\","
    "\"auth_header\":\"x-api-key\",\"quirks\":\"\","
    "\"env\":\"ANTHROPIC_API_KEY\",\"doc\":\"\"},\n"
    "{\"name\":\"cloudy\",\"title\":\"Cloudy\",\"adapter\":\"openai\","
    "\"base_url\":\"https://api.cloudy.example/${CLOUDY_ACCOUNT_ID}/v1\","
    "\"auth\":\"bearer\",\"quirks\":\"max_tokens\",\"env\":\"CLOUDY_KEY CLOUD_KEY CLD_KEY\","
    "\"doc\":\"\"},\n"
    "{\"name\":\"mute\",\"title\":\"Mute\",\"adapter\":\"\","
    "\"base_url\":\"https://mute.example\",\"auth\":\"bearer\","
    "\"quirks\":\"\",\"env\":\"MUTE_KEY\",\"doc\":\"\"},\n"
    "{\"name\":\"ollama\",\"title\":\"Ollama\",\"adapter\":\"openai\","
    "\"base_url\":\"http://127.0.0.1:11434/v1\",\"auth\":\"none\","
    "\"quirks\":\"max_tokens\",\"env\":\"\",\"doc\":\"\"},\n"
    "{\"name\":\"openai\",\"title\":\"OpenAI\",\"adapter\":\"openai\","
    "\"base_url\":\"https://api.openai.com/v1\",\"auth\":\"bearer\","
    "\"quirks\":\"max_completion\",\"env\":\"OPENAI_API_KEY\",\"doc\":\"\"},\n"
    "{\"name\":\"regional\",\"title\":\"Regional\",\"adapter\":\"openai\","
    "\"base_url\":\"https://${region}.regional.example/v1\","
    "\"auth\":\"bearer\",\"quirks\":\"\",\"env\":\"REGIONAL_KEY\","
    "\"doc\":\"\",\"aliases\":[\"local-region\"]},\n"
    "{\"name\":\"signed\",\"title\":\"Signed\",\"adapter\":\"bedrock\","
    "\"base_url\":\"https://signed.example\",\"auth\":\"sigv4\","
    "\"quirks\":\"\",\"env\":\"SIGNED_KEY\",\"doc\":\"\"}\n"
    "], \"models\": [\n"
    "{\"provider\":\"anthropic\",\"name\":\"claude-sonnet-4-5\","
    "\"title\":\"Claude Sonnet 4.5\",\"context\":200000,"
    "\"max_output\":64000,\"caps\":\"tools text_out\","
    "\"price\":{\"input\":\"3\",\"output\":\"15\"}},\n"
    "{\"provider\":\"openai\",\"name\":\"gpt-5.4\",\"title\":\"GPT-5.4\","
    "\"context\":400000,\"max_output\":128000,\"caps\":\"tools text_out\","
    "\"scores\":{\"SWE-Bench Verified\":70.5,\"GPQA Diamond\":88},"
    "\"price\":{\"input\":\"2.5\",\"output\":\"15\","
    "\"cached_input\":\"0.25\"}},\n"
    "{\"provider\":\"openai\",\"name\":\"gpt-5.4-mini\","
    "\"title\":\"GPT-5.4 mini\",\"context\":400000,\"max_output\":128000,"
    "\"scores\":{\"SWE-Bench Verified\":40},"
    "\"caps\":\"text_out\",\"price\":{\"input\":\"0.25\",\"output\":\"2\"}},\n"
    "{\"provider\":\"anthropic\",\"name\":\"other-door\","
    "\"title\":\"Other door\",\"context\":1000,\"max_output\":100,"
    "\"caps\":\"text_out\",\"adapter\":\"openai\","
    "\"base_url\":\"https://other.anthropic.example/v1\","
    "\"auth\":\"bearer\",\"auth_header\":\"\"},\n"
    "{\"provider\":\"openai\",\"name\":\"o5-mini\","
    "\"quirks\":\"max_tokens\",\"title\":\"o5 mini\","
    "\"context\":200000,\"max_output\":100000,\"caps\":\"text_out\","
    "\"price\":{\"input\":\"1\",\"output\":\"4\"}},\n"
    "{\"provider\":\"openai\",\"name\":\"speaks-other\","
    "\"title\":\"Speaks other\",\"context\":1000,\"max_output\":100,"
    "\"caps\":\"text_out\",\"adapter\":\"responses\"},\n"
    "{\"provider\":\"regional\",\"name\":\"org/model-7b\","
    "\"title\":\"Model 7B\",\"context\":32000,\"max_output\":8000,"
    "\"caps\":\"text_out\",\"price\":{\"input\":\"0.1\",\"output\":\"0.2\"}}\n"
    "] }\n";

static const char *const test_adapters[] = { "openai", "anthropic", NULL };

/* The folder that a test program lives in; it is its working directory. */
static char home[256];
static struct catalog *catalog;
static struct policy_env env;

static inline void
put_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)),
	    (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static inline int
group_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct fault f;

	(void)state;
	snprintf(home, sizeof home, "%s/test-policy-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(home) == NULL || chdir(home) != 0)
		return -1;
	if (catalog_compile(catalog_text, sizeof catalog_text - 1,
	    "catalog.bin", &f) != ERR_OK) {
		fprintf(stderr, "catalog: %s: %s\n", f.param, f.text);
		return -1;
	}
	catalog = catalog_open("catalog.bin", &f);
	if (catalog == NULL)
		return -1;
	memset(&env, 0, sizeof env);
	env.catalog = catalog;
	env.adapters = test_adapters;
	env.state_dir = home;
	return 0;
}

static inline int
group_teardown(void **state)
{
	char command[300];

	(void)state;
	catalog_close(catalog);
	if (chdir("/") != 0)
		return -1;
	snprintf(command, sizeof command, "rm -rf '%s'", home);
	/* A shell, in a test only: home is ours and has no quotes. */
	return system(command) == 0 ? 0 : -1;
}

/* Load a path; what was said is a C string to be freed by the caller. */
static inline struct policy *
load_path(const char *path, char **said)
{
	struct policy *p;
	struct buf out;

	buf_init(&out, 1 << 22);
	p = policy_load(path, &env, &out);
	buf_putc(&out, '\0');
	assert_false(out.failed);
	*said = out.data;
	return p;
}

static inline struct policy *
load_text(const char *text, char **said)
{
	put_file("policy.yaml", text, 0644);
	return load_path("policy.yaml", said);
}

/* A policy that must load without a word. */
static inline struct policy *
load_good(const char *text)
{
	struct policy *p;
	char *said;

	p = load_text(text, &said);
	assert_string_equal(said, "");
	assert_non_null(p);
	free(said);
	return p;
}

#endif
