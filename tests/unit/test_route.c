/* plan_make: who may, in which order, and who is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/limits.h"
#include "policy/route.h"

static const char text[] =
    "providers:\n"
    "  a: { adapter: openai, base_url: http://127.0.0.1:1/v1, key: none }\n"
    "  b: { adapter: openai, base_url: http://127.0.0.1:2/v1, key: none }\n"
    "  c: { adapter: openai, base_url: http://127.0.0.1:3/v1, key: none }\n"
    "models:\n"
    "  one: a/x\n"
    "  three: { targets: [ a/x, b/y, c/z ], attempts: 2 }\n"
    "  heavy:\n"
    "    strategy: weighted\n"
    "    targets:\n"
    "      - { provider: a, model: x, weight: 7 }\n"
    "      - { provider: b, model: y, weight: 2 }\n"
    "      - { provider: c, model: z, weight: 1 }\n"
    "keys:\n"
    "  - { name: all, secret: 'plain:a-secret-of-some-length' }\n"
    "  - { name: few, secret: 'plain:another-secret-of-length',\n"
    "      models: [ one, 'b/*' ] }\n";

struct world {
	struct catalog *catalog;
	struct policy *policy;
	struct arena *arena;
	const char *cool[3]; /* deployments that cool, with until = 100, 200, 300 */
};

static void
look(void *arg, const struct deployment *d, struct standing *out)
{
	const struct world *w = arg;
	int i;

	for (i = 0; i < 3; i++)
		if (w->cool[i] != NULL && strcmp(w->cool[i], d->id) == 0)
			out->cooling = 100 * (i + 1);
}

static int
setup(void **state)
{
	static struct world w;
	char path[] = "/tmp/test_routeXXXXXX";
	struct policy_env env = { .adapters = adapter_names,
		.state_dir = "/tmp" };
	struct buf out;
	FILE *f;

	f = fdopen(mkstemp(path), "w");
	fwrite(text, 1, sizeof text - 1, f);
	fclose(f);
	w.catalog = catalog_open(NULL, NULL);
	env.catalog = w.catalog;
	buf_init(&out, MIB(1));
	w.policy = policy_load(path, &env, &out);
	remove(path);
	if (w.policy == NULL)
		fprintf(stderr, "%.*s", (int)out.len, out.data);
	buf_free(&out);
	w.arena = arena_new(MIB(16));
	*state = &w;
	return w.policy == NULL;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	policy_unref(w->policy);
	catalog_close(w->catalog);
	arena_free(w->arena);
	return 0;
}

static const struct vkey *
key(const struct world *w, const char *name)
{
	size_t i;

	for (i = 0; i < w->policy->key_count; i++)
		if (strcmp(w->policy->keys[i].name, name) == 0)
			return &w->policy->keys[i];
	fail_msg("no key %s", name);
	return NULL;
}

static enum err
plan(struct world *w, const char *who, const char *model, uint64_t draw,
    struct plan *out)
{
	struct route_facts facts = { .key = key(w, who), .model = model,
		.draw = draw };
	struct route_view view = { .look = look, .arg = w, .now = 50 };
	struct fault f;

	return plan_make(w->policy, &facts, &view, w->arena, out, &f);
}

static void
cool(struct world *w, const char *a, const char *b, const char *c)
{
	w->cool[0] = a;
	w->cool[1] = b;
	w->cool[2] = c;
}

static void
test_order(void **state)
{
	struct world *w = *state;
	struct plan p;

	cool(w, NULL, NULL, NULL);
	assert_int_equal(plan(w, "all", "three", 1, &p), ERR_OK);
	assert_int_equal(p.count, 3);
	assert_string_equal(p.order[0]->id, "a/x");
	assert_string_equal(p.order[1]->id, "b/y");
	assert_string_equal(p.order[2]->id, "c/z");
	assert_int_equal(p.attempts, 2);
	assert_false(p.cooled);
}

static void
test_who_may(void **state)
{
	static const struct {
		const char *who, *model;
		enum err want;
	} rows[] = {
		{ "all", "one", ERR_OK },
		{ "all", "b/anything", ERR_OK },
		{ "all", "nothing", ERR_MODEL_NOT_FOUND },
		{ "all", "nobody/x", ERR_MODEL_NOT_FOUND },
		{ "few", "one", ERR_OK },
		{ "few", "three", ERR_FORBIDDEN },
		{ "few", "b/y", ERR_OK },
		{ "few", "a/x", ERR_FORBIDDEN },
		{ "few", "nothing", ERR_FORBIDDEN },
	};
	struct world *w = *state;
	struct plan p;
	size_t i;

	cool(w, NULL, NULL, NULL);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(plan(w, rows[i].who, rows[i].model, 1, &p),
		    rows[i].want);
}

static void
test_cooling(void **state)
{
	struct world *w = *state;
	struct plan p;

	cool(w, "a/x", NULL, NULL);
	assert_int_equal(plan(w, "all", "three", 1, &p), ERR_OK);
	assert_int_equal(p.count, 2);
	assert_string_equal(p.order[0]->id, "b/y");
	assert_false(p.cooled);
	/* All of them: the one that is back first, and that one only. */
	cool(w, "c/z", "a/x", "b/y");
	assert_int_equal(plan(w, "all", "three", 1, &p), ERR_OK);
	assert_int_equal(p.count, 1);
	assert_string_equal(p.order[0]->id, "c/z");
	assert_true(p.cooled);
}

/* Each target is first as often as its weight says, within 4 sigma. */
static void
test_weights(void **state)
{
	struct world *w = *state;
	int first[3] = { 0 }, i, n = 20000, k;
	static const double share[3] = { 0.7, 0.2, 0.1 };
	struct plan p;
	double d;

	cool(w, NULL, NULL, NULL);
	for (i = 0; i < n; i++) {
		assert_int_equal(plan(w, "all", "heavy",
		    (uint64_t)i * 2654435761u, &p), ERR_OK);
		assert_int_equal(p.count, 3);
		assert_ptr_not_equal(p.order[0], p.order[1]);
		assert_ptr_not_equal(p.order[1], p.order[2]);
		assert_ptr_not_equal(p.order[0], p.order[2]);
		first[p.order[0]->id[0] - 'a']++;
		if (i % 1000 == 0)
			arena_reset(w->arena);
	}
	for (k = 0; k < 3; k++) {
		d = first[k] - n * share[k];
		assert_true(d * d < 16 * n * share[k] * (1 - share[k]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_who_may),
		cmocka_unit_test(test_cooling),
		cmocka_unit_test(test_weights),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
