/* The commands `models` and `models update`, by what they print and return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/models_cli.h"
#include "policy/price.h"

static char dir[] = "/tmp/test_models.XXXXXX";
static char state_path[64], image[96], out_path[64], err_path[64];
static char out[1 << 22], err[4096];

static void
slurp(const char *path, char *into, size_t size)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	into[fread(into, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* Run with words that end in NULL; what it wrote stands in out and err. */
static int
run(const char *first, ...)
{
	char *argv[16] = { strdup("models") };
	int saved[2], argc = 1, rc, i;
	const char *word;
	va_list ap;

	va_start(ap, first);
	for (word = first; word != NULL; word = va_arg(ap, const char *))
		argv[argc++] = strdup(word);
	va_end(ap);
	fflush(NULL);
	saved[0] = dup(1);
	saved[1] = dup(2);
	assert_non_null(freopen(out_path, "w", stdout));
	assert_non_null(freopen(err_path, "w", stderr));
	rc = models_command(argc, argv);
	fflush(NULL);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	for (i = 0; i < argc; i++)
		free(argv[i]);
	slurp(out_path, out, sizeof out);
	slurp(err_path, err, sizeof err);
	return rc;
}

static void
test_json(void **state)
{
	json_object *all, *models, *price;
	int64_t nano;
	const char *s;

	(void)state;
	assert_int_equal(run("--format", "json", NULL), 0);
	assert_string_equal(err, "");
	all = json_tokener_parse(out);
	assert_non_null(all);
	models = json_object_object_get(all, "models");
	assert_true(json_object_array_length(models) >= 5098);
	json_object_put(all);

	assert_int_equal(run("--provider=gemini", "--format=json", NULL), 0);
	all = json_tokener_parse(out);
	models = json_object_object_get(all, "models");
	assert_in_range(json_object_array_length(models), 5, 200);
	models = json_object_array_get_idx(models, 0);
	s = json_object_get_string(json_object_object_get(models, "provider"));
	assert_string_equal(s, "google");
	price = json_object_object_get(models, "price");
	s = json_object_to_json_string(json_object_object_get(price, "input"));
	assert_true(price_parse(s, strlen(s), &nano));
	json_object_put(all);
}

static void
test_table(void **state)
{
	const char *line;

	(void)state;
	assert_int_equal(run("--provider", "openai", NULL), 0);
	assert_non_null(strstr(out, "CONTEXT"));
	line = strstr(out, "\nopenai/gpt-4o-mini ");
	assert_non_null(line);
	assert_non_null(strstr(line, " 128000 "));
	assert_non_null(strstr(line, " 0.15 "));
	assert_non_null(strstr(line, " 0.6 "));
	assert_null(strstr(out, "anthropic/"));
}

/* Every provider, with what a policy must give for it. */
static void
test_providers(void **state)
{
	json_object *all, *list, *row;
	size_t i, n, alone = 0;
	const char *name, *needs;

	(void)state;
	assert_int_equal(run("--providers", "--format=json", NULL), 0);
	all = json_tokener_parse(out);
	assert_non_null(all);
	list = json_object_object_get(all, "providers");
	n = json_object_array_length(list);
	assert_true(n >= 147);
	for (i = 0; i < n; i++) {
		row = json_object_array_get_idx(list, i);
		name = json_object_get_string(
		    json_object_object_get(row, "name"));
		needs = json_object_get_string(
		    json_object_object_get(row, "needs"));
		alone += json_object_get_boolean(
		    json_object_object_get(row, "key_alone"));
		if (strcmp(name, "cohere") == 0)
			assert_string_equal(needs, "key");
		if (strcmp(name, "ollama") == 0)
			assert_string_equal(needs, "nothing");
		if (strcmp(name, "google-vertex") == 0)
			assert_string_equal(needs,
			    "service account, region, project");
		if (strcmp(name, "azure") == 0)
			assert_string_equal(needs,
			    "key, AZURE_RESOURCE_NAME");
	}
	assert_true(alone >= 130);
	assert_int_equal(alone, json_object_get_int(
	    json_object_object_get(all, "key_alone")));
	json_object_put(all);
	assert_int_equal(run("--providers", NULL), 0);
	assert_non_null(strstr(out, "\ncohere "));
	assert_non_null(strstr(out, "COHERE_API_KEY"));
}

/* docs/providers.md is what the catalog says. */
static void
test_providers_page(void **state)
{
	static char page[1 << 20];

	(void)state;
	assert_int_equal(run("--providers", "--format", "markdown", NULL), 0);
	slurp(DOCS "/providers.md", page, sizeof page);
	if (strcmp(page, out) != 0)
		fail_msg("docs/providers.md is not what the catalog says: "
		    "run make docs");
}

static void
test_misuse(void **state)
{
	(void)state;
	assert_int_equal(run("--provider", "nobody", NULL), 1);
	assert_non_null(strstr(err, "nobody"));
	assert_string_equal(out, "");
	assert_int_equal(run("--format", "xml", NULL), 2);
	assert_int_equal(run("--format", "markdown", NULL), 2);
	assert_int_equal(run("--providers", "--provider=x", NULL), 2);
	assert_int_equal(run("--what", NULL), 2);
	assert_int_equal(run("word", NULL), 2);
	assert_int_equal(run("update", NULL), 2);
	assert_int_equal(run("update", "a", "b", NULL), 2);
	assert_non_null(strstr(err, "usage"));
}

static void
test_update(void **state)
{
	FILE *file;

	(void)state;
	assert_int_equal(run("update", "/nowhere/at/all", NULL), 1);
	assert_non_null(strstr(err, "/nowhere/at/all"));
	assert_int_equal(run("update", dir, NULL), 1);
	file = fopen(out_path, "w");
	fputs("{\"form\":1,\"date\":\"2030-01-02\",\"providers\":[{\"name\":"
	      "\"p\",\"adapter\":\"\"}],\"models\":[{\"provider\":\"p\","
	      "\"name\":\"m\"}]}", file);
	fclose(file);
	/* The output goes over the input only when that was read. */
	assert_int_equal(rename(out_path, image), -1);
	assert_int_equal(mkdir(state_path, 0700), 0);
	assert_int_equal(rename(out_path, image), 0);
	assert_int_equal(run("update", image, NULL), 0);
	assert_non_null(strstr(out, "1 models of 1 providers"));
	assert_non_null(strstr(out, "2030-01-02"));
	assert_int_equal(run(NULL), 0);
	assert_non_null(strstr(out, "\np/m "));
	/* A file that is damaged: said, and the program's own is used. */
	assert_int_equal(truncate(image, 100), 0);
	assert_int_equal(run(NULL), 0);
	assert_non_null(strstr(err, image));
	assert_non_null(strstr(out, "\nopenai/gpt-4o-mini "));
	assert_int_equal(run("update", image, NULL), 1);
	assert_non_null(strstr(err, image));
}

static void
test_full(void **state)
{
	(void)state;
	snprintf(out_path, sizeof out_path, "/dev/full");
	assert_int_equal(run("--provider", "openai", NULL), 1);
	snprintf(out_path, sizeof out_path, "%s/out", dir);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(state_path, sizeof state_path, "%s/state", dir);
	snprintf(image, sizeof image, "%s/catalog.bin", state_path);
	snprintf(out_path, sizeof out_path, "%s/out", dir);
	snprintf(err_path, sizeof err_path, "%s/err", dir);
	return setenv("TOLLGATE_STATE", state_path, 1);
}

static int
teardown(void **state)
{
	(void)state;
	unlink(image);
	unlink(out_path);
	unlink(err_path);
	rmdir(state_path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_providers),
		cmocka_unit_test(test_providers_page),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
