/* The small commands: check, policy-doc, version. */
#include "app/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/limits.h"
#include "app/worker.h"
#include "config.h"
#include "policy/policy.h"
#include "policy/state.h"

static int
usage(const char *text)
{
	fprintf(stderr, "usage: tollgate %s\n", text);
	return 2;
}

int
version_command(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("tollgate %s\n", PACKAGE_VERSION);
	return EXIT_SUCCESS;
}

/* "2 providers, 1 model, 3 keys": of what the policy has. */
static void
print_counts(const struct policy *p)
{
	const struct {
		const char *name;
		size_t count;
		bool always;
	} rows[] = {
		{ "provider", p->provider_count, true },
		{ "model", p->model_count, true },
		{ "rule", p->rule_count, false },
		{ "key", p->key_count, true },
		{ "team", p->team_count, false },
		{ "user", p->user_count, false },
		{ "tag", p->tag_count, false },
	};
	const char *sep = "";
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].count == 0 && !rows[i].always)
			continue;
		printf("%s%zu %s%s", sep, rows[i].count, rows[i].name,
		    rows[i].count == 1 ? "" : "s");
		sep = ", ";
	}
	printf("\n");
}

int
check_command(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : policy_path();
	struct policy_env env = {
		.adapters = adapter_names,
		.state_dir = state_dir(),
		.check_only = true,
	};
	struct catalog *catalog;
	struct policy *p;
	struct buf out;

	if (argc > 2)
		return usage("check [FILE]");
	catalog = state_catalog(NULL);
	if (catalog == NULL)
		return EXIT_FAILURE;
	env.catalog = catalog;
	buf_init(&out, MIB(8));
	p = policy_load(path, &env, &out);
	if (out.len > 0)
		fwrite(out.data, 1, out.len, stderr);
	if (p != NULL) {
		printf("%s: ok: ", path);
		print_counts(p);
	}
	buf_free(&out);
	policy_unref(p);
	catalog_close(catalog);
	return p == NULL ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
policy_doc_command(int argc, char **argv)
{
	bool schema = argc == 2 && strcmp(argv[1], "--schema") == 0;
	struct buf out;

	if (argc > 1 && !schema)
		return usage("policy-doc [--schema]");
	buf_init(&out, MIB(8));
	if (schema)
		policy_schema(&out);
	else
		policy_doc(&out);
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
	return EXIT_SUCCESS;
}
