/*
 * A policy's text through the whole loader, without a look at files or
 * environment; then all look-ups in what loads. What is said must be lines
 * of the one form, and a text that does not load must be told why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "policy/catalog.h"
#include "policy/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
need(bool ok)
{
	if (!ok)
		abort();
}

static void
look(const struct policy *p)
{
	struct arena *a = arena_new(1 << 20);
	struct deployment d;
	const struct model *m;
	size_t i, j;

	need(a != NULL);
	for (i = 0; i < p->provider_count; i++) {
		const struct provider *v = &p->providers[i];

		need(policy_provider(p, v->name, strlen(v->name)) != NULL);
		need(v->base_url[0] != '\0' && v->key != NULL &&
		    v->session_token != NULL && v->timezone != NULL);
	}
	for (i = 0; i < p->model_count; i++) {
		m = &p->models[i];
		need(policy_model(p, m->name) == m);
		need(m->target_count > 0 && m->attempts > 0 &&
		    m->timeouts.connect > 0 && m->timeouts.total >= 0);
		for (j = 0; j < m->target_count; j++) {
			need(m->targets[j].weight > 0);
			need(policy_direct(p, m->targets[j].id, a, &d));
			need(strcmp(d.id, m->targets[j].id) == 0);
		}
	}
	for (i = 0; i < p->key_count; i++)
		(void)vkey_allows(&p->keys[i], "openai/gpt-5.4");
	(void)policy_key(p, "outside", 7);
	arena_free(a);
}

/* "name:line: path: words", each line. */
static void
check_words(const struct buf *out)
{
	const char *s = out->len > 0 ? out->data : "", *end = s + out->len;
	const char *nl;

	for (; s < end; s = nl + 1) {
		nl = memchr(s, '\n', (size_t)(end - s));
		need(nl != NULL);
		need(strncmp(s, "f.yaml:", 7) == 0 ||
		    strncmp(s, "policy: ", 8) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const adapters[] = { "openai", "anthropic", NULL };
	static struct catalog *catalog;
	struct policy_env env = { .adapters = adapters };
	struct policy *p;
	struct buf out;

	if (catalog == NULL)
		catalog = catalog_open(NULL, NULL);
	need(catalog != NULL);
	env.catalog = catalog;
	env.check_only = len % 2;
	buf_init(&out, 1 << 22);
	p = policy_load_text("f.yaml", (const char *)data, len, &env, &out);
	need(!out.failed && (p != NULL || out.len > 0));
	check_words(&out);
	if (p != NULL)
		look(p);
	policy_unref(p);
	buf_free(&out);
	return 0;
}
