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
#include "policy/pattern.h"
#include "policy/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
need(bool ok)
{
	if (!ok)
		abort();
}

static void
look_model(const struct model *m)
{
	const struct target_list *list;
	size_t i, j;

	for (i = 0; i < FALLBACK_KINDS; i++) {
		list = &m->fallbacks[i];
		for (j = 0; j < list->count; j++)
			need(list->list[j].weight > 0 &&
			    list->list[j].provider != NULL);
	}
	need((m->strategy == STRATEGY_RACE) == (m->hedge.share > 0));
	need(m->hedge.quantile < 100 && m->hedge.after >= 0 &&
	    m->hedge.share <= 100 && m->hedge.money >= 0);
	need(m->require.context >= 0);
	for (i = 0; i < m->require.demand_count; i++)
		need(m->require.demands[i].name != NULL);
}

static void
look_rule(const struct policy *p, const struct rule *r)
{
	const struct when *w = &r->when;
	size_t i;

	need(r->name != NULL && r->name[0] != '\0');
	need(strchr(r->use, '/') != NULL || policy_model(p, r->use) != NULL);
	need(w->stream >= -1 && w->stream <= 1 && w->hours.zone != NULL);
	need(w->hours.from >= 0 && w->hours.from < 1440 &&
	    w->hours.to >= 0 && w->hours.to <= 1440);
	need(w->script_share >= 1 && w->script_share <= 100);
	need(w->input_tokens.least <= w->input_tokens.most);
	for (i = 0; i < w->metadata_count; i++)
		need(w->metadata[i].name[0] != '\0' &&
		    w->metadata[i].count > 0);
	for (i = 0; i < w->header_count; i++)
		need(w->headers[i].name[0] != '\0' && w->headers[i].count > 0);
	if (w->prompt != NULL)
		(void)pattern_match(w->prompt, r->use, strlen(r->use),
		    NULL);
	if (w->script != NULL)
		(void)script_match(w->script, r->use, strlen(r->use), 50);
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
		look_model(m);
		need(m->target_count > 0 && m->attempts > 0 &&
		    m->timeouts.connect > 0 && m->timeouts.total >= 0);
		for (j = 0; j < m->target_count; j++) {
			need(m->targets[j].weight > 0);
			need(policy_direct(p, m->targets[j].id, a, &d));
			need(strcmp(d.id, m->targets[j].id) == 0);
		}
	}
	for (i = 0; i < p->rule_count; i++)
		look_rule(p, &p->rules[i]);
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
