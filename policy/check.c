/*
 * Models: targets resolved against providers and catalog, wildcards
 * expanded, what was not given filled in from the top level.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "policy/load.h"
#include "policy/schema.h"

/* The deployments of one model while it grows. */
struct targets {
	struct load *l;
	struct policy *p;
	const struct node *node; /* of the model */
	struct deployment *list;
	size_t count, size;
	bool full; /* said so */
};

/* One target as it stands in the policy, names apart. */
struct aim {
	const struct src_target *s;
	const struct provider *provider;
	const char *model;
	const struct node *node; /* where its name stands */
	bool wild;
};

static const struct provider *
find_provider(const struct policy *p, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < p->provider_count; i++)
		if (strlen(p->providers[i].name) == len &&
		    memcmp(p->providers[i].name, name, len) == 0)
			return &p->providers[i];
	return NULL;
}

static void
unknown_provider(struct targets *t, const struct node *n, const char *name,
    size_t len)
{
	struct guess g;
	char word[80], hint[128];
	size_t i;

	snprintf(word, sizeof word, "%.*s", (int)(len < 64 ? len : 64), name);
	guess_init(&g, word);
	for (i = 0; i < t->p->provider_count; i++)
		guess_offer(&g, t->p->providers[i].name);
	diag_fault(t->l->diag, n, "unknown provider '%s'%s", word,
	    guess_words(&g, hint, sizeof hint));
}

/* Is this deployment among them already? */
static bool
present(const struct targets *t, const struct provider *provider,
    const char *model)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		if (t->list[i].provider->index == provider->index &&
		    strcmp(t->list[i].model, model) == 0)
			return true;
	return false;
}

static struct deployment *
grow(struct targets *t)
{
	struct deployment *list;
	size_t size;

	if (t->count == LIMIT_POLICY_TARGETS) {
		if (!t->full)
			diag_fault(t->l->diag, t->node,
			    "has more than %d targets", LIMIT_POLICY_TARGETS);
		t->full = true;
		return NULL;
	}
	if (t->count == t->size) {
		size = t->size == 0 ? 8 : 2 * t->size;
		list = realloc(t->list, size * sizeof *list);
		if (list == NULL) {
			diag_nomem(t->l->diag);
			return NULL;
		}
		t->list = list;
		t->size = size;
	}
	memset(&t->list[t->count], 0, sizeof *t->list);
	return &t->list[t->count++];
}

static bool
is_set(const struct src_target *s)
{
	return node_get(s->row.node, "price") != NULL;
}

/* A price row of the policy, its tiers in order. */
static void
take_price(struct load *l, const struct src_target *s, struct price *out)
{
	const struct src_tier_price *tier = s->price.tiers.items;
	const struct node *n = node_get(s->row.node, "price");
	size_t i;

	*out = s->price.price;
	out->known = true;
	out->tiers = 0;
	if (n->kind == NODE_MAP && n->count == 0)
		diag_fault(l->diag, n, "is empty; give at least one rate");
	for (i = 0; i < s->price.tiers.count && i < PRICE_TIERS; i++) {
		if (i > 0 && tier[i].tier.above <= tier[i - 1].tier.above)
			diag_fault(l->diag, tier[i].row.node,
			    "'above' must be more than in the row before");
		out->tier[out->tiers++] = tier[i].tier;
	}
}

static void
add(struct targets *t, const struct aim *aim, const char *model,
    const struct catalog_model *facts)
{
	struct deployment *d = grow(t);

	if (d == NULL)
		return;
	price_init(&d->price);
	d->provider = facts != NULL ? variant_for(aim->provider, facts) :
		aim->provider;
	d->model = arena_str(t->l->arena, model);
	d->id = arena_printf(t->l->arena, "%s/%s", aim->provider->name,
	    model);
	if (d->model == NULL || d->id == NULL) {
		diag_nomem(t->l->diag);
		t->count--;
		return;
	}
	if (facts != NULL) {
		d->price = facts->price;
		d->context = facts->context;
		d->max_output = facts->max_output;
		d->caps = facts->caps;
	}
	d->weight = (unsigned)aim->s->weight;
	if (is_set(aim->s))
		take_price(t->l, aim->s, &d->price);
	if (aim->s->context != UNSET)
		d->context = (uint32_t)aim->s->context;
}

/* All models of the provider in the catalog that the pattern takes. */
static void
add_wild(struct targets *t, const struct aim *aim)
{
	const struct catalog *c = t->l->env->catalog;
	struct catalog_provider row;
	struct catalog_model m;
	uint32_t i;
	bool any = false;

	if (c == NULL || !catalog_provider(c, aim->provider->name, &row)) {
		diag_fault(t->l->diag, aim->node, "the catalog knows no models "
		    "of '%s': name them without '*'", aim->provider->name);
		return;
	}
	for (i = 0; i < row.count && !t->full; i++) {
		if (!catalog_model_at(c, row.first + i, &m) ||
		    !glob_match(aim->model, m.name))
			continue;
		if (variant_for(aim->provider, &m) == NULL)
			continue; /* a dialect that is not there yet */
		any = true;
		if (!present(t, aim->provider, m.name))
			add(t, aim, m.name, &m);
	}
	if (!any)
		diag_fault(t->l->diag, aim->node, "no model of '%s' in the "
		    "catalog matches '%s'", aim->provider->name, aim->model);
}

/* A model that the catalog should know but does not may be a slip. */
static void
warn_strange(struct targets *t, const struct aim *aim)
{
	const struct catalog *c = t->l->env->catalog;
	struct catalog_provider row;
	struct catalog_model m;
	struct guess g;
	char hint[128];
	uint32_t i;

	if (c == NULL || !catalog_provider(c, aim->provider->name, &row) ||
	    row.count == 0)
		return;
	guess_init(&g, aim->model);
	for (i = 0; i < row.count && !diag_full(t->l->diag); i++)
		if (catalog_model_at(c, row.first + i, &m))
			guess_offer(&g, m.name);
	diag_warn(t->l->diag, aim->node, "the catalog knows no model '%.80s' "
	    "of '%s'%s", aim->model, aim->provider->name,
	    guess_words(&g, hint, sizeof hint));
}

static void
add_one(struct targets *t, const struct aim *aim)
{
	struct catalog_model m;
	bool known;

	if (present(t, aim->provider, aim->model)) {
		diag_fault(t->l->diag, aim->node, "'%s/%s' is a target already",
		    aim->provider->name, aim->model);
		return;
	}
	known = policy_facts(t->l->env->catalog, aim->provider, aim->model,
	    &m);
	if (known && variant_for(aim->provider, &m) == NULL) {
		diag_fault(t->l->diag, aim->node, "'%s' speaks a dialect (%s) "
		    "that is not supported by this version", aim->model,
		    m.adapter);
		return;
	}
	if (!known && !is_set(aim->s))
		warn_strange(t, aim);
	add(t, aim, aim->model, known ? &m : NULL);
}

/* What the row names: a target in one word, or provider and model. */
static bool
take_aim(struct targets *t, const struct src_target *s, struct aim *aim)
{
	const struct node *at = s->row.node, *n;
	const char *name = s->provider;
	bool one = node_get(at, "target") != NULL || at->kind == NODE_SCALAR;
	bool two = node_get(at, "provider") != NULL ||
	    node_get(at, "model") != NULL;
	size_t len;

	aim->s = s;
	aim->node = at;
	if (at->kind == NODE_LIST)
		return false; /* said */
	if (one == two) {
		diag_fault(t->l->diag, at, one ?
		    "has both target and provider or model" :
		    "needs provider and model");
		return false;
	}
	if (one) {
		if (s->target == NULL)
			return false; /* said */
		name = s->target;
		len = strcspn(name, "/");
		aim->model = name + len + 1;
	} else {
		n = node_get(at, "provider");
		if (n == NULL || node_get(at, "model") == NULL)
			diag_fault(t->l->diag, at, "'%s' is missing",
			    n == NULL ? "provider" : "model");
		if (name == NULL || s->model == NULL)
			return false;
		len = strlen(name);
		aim->model = s->model;
		aim->node = n;
	}
	aim->provider = find_provider(t->p, name, len);
	if (aim->provider == NULL)
		unknown_provider(t, aim->node, name, len);
	if (!one)
		aim->node = node_get(at, "model");
	aim->wild = strchr(aim->model, '*') != NULL;
	return aim->provider != NULL;
}

static void
fill_timeouts(struct timeouts *to, const struct timeouts *from)
{
	int64_t *const t[] = { &to->connect, &to->first_byte,
		&to->first_token, &to->idle, &to->bytes, &to->total };
	const int64_t f[] = { from->connect, from->first_byte,
		from->first_token, from->idle, from->bytes, from->total };
	size_t i;

	if (to->first_byte == UNSET)
		to->first_byte = to->first_token;
	for (i = 0; i < sizeof f / sizeof f[0]; i++)
		if (*t[i] == UNSET)
			*t[i] = f[i];
}

static void
check_model(struct load *l, const struct src_model *s, struct policy *p,
    struct model *m)
{
	struct targets t = { .l = l, .p = p, .node = s->row.node };
	const struct src_target *rows = s->targets.items;
	struct aim aim;
	size_t i;

	m->name = s->row.name;
	m->strategy = (enum strategy)s->strategy;
	m->timeouts = s->timeouts;
	m->strict = s->strict;
	m->attempts = s->attempts == UNSET ? p->attempts :
		(unsigned)s->attempts;
	fill_timeouts(&m->timeouts, &p->timeouts);
	for (i = 0; i < s->targets.count; i++) {
		if (!take_aim(&t, &rows[i], &aim))
			continue;
		if (aim.wild)
			add_wild(&t, &aim);
		else
			add_one(&t, &aim);
	}
	if (t.count > 0) {
		m->targets = arena_alloc(l->arena, t.count * sizeof *t.list);
		if (m->targets != NULL) {
			memcpy(m->targets, t.list, t.count * sizeof *t.list);
			m->target_count = t.count;
		} else {
			diag_nomem(l->diag);
		}
	}
	free(t.list);
}

void
check_models(struct load *l, const struct source *s, struct policy *p)
{
	const struct src_model *rows = s->models.items;
	size_t i, n = s->models.count;

	if (n == 0)
		return;
	p->models = arena_zalloc(l->arena, n * sizeof *p->models);
	if (p->models == NULL) {
		diag_nomem(l->diag);
		return;
	}
	p->model_count = n;
	for (i = 0; i < n; i++)
		check_model(l, &rows[i], p, &p->models[i]);
}
