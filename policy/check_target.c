/*
 * Targets resolved against providers and catalog, wildcards expanded, models
 * that fallbacks name replaced by their targets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "policy/load.h"
#include "policy/schema.h"
#include "policy/vault.h"

/* The deployments of one list while it grows. */
struct targets {
	struct load *l;
	struct policy *p;
	const struct node *node; /* of the list */
	const struct model *own; /* in fallbacks: whose they are */
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

/* Has it a price of its own? */
static bool
is_set(const struct src_target *s)
{
	return node_get(s->row.node, "price") != NULL;
}

/* Nothing but what service tiers cost: the rates are the catalog's. */
static bool
tiers_alone(const struct node *n)
{
	return n->kind == NODE_MAP && n->count == 1 &&
	    node_get(n, "service_tiers") != NULL;
}

static void
take_services(const struct src_price *s, struct price *out)
{
	memcpy(out->service, s->price.service, sizeof out->service);
	out->service[SERVICE_STANDARD] = PRICE_UNSET; /* no keys of these */
	out->service[SERVICE_OTHER] = PRICE_UNSET;
}

void
price_make(struct load *l, const struct src_price *s, const struct node *n,
    struct price *out)
{
	const struct src_tier_price *tier = s->tiers.items;
	size_t i;

	if (tiers_alone(n)) {
		if (!out->known)
			diag_fault(l->diag, n, "has no rate, and the catalog "
			    "knows none either; give at least one rate");
		take_services(s, out);
		return;
	}
	*out = s->price;
	take_services(s, out);
	out->known = true;
	out->tiers = 0;
	if ((n->kind == NODE_MAP && n->count == 0) || node_null(n))
		diag_fault(l->diag, n, "is empty; give at least one rate");
	for (i = 0; i < s->tiers.count && i < PRICE_TIERS; i++) {
		if (i > 0 && tier[i].tier.above <= tier[i - 1].tier.above)
			diag_fault(l->diag, tier[i].row.node,
			    "'above' must be more than in the row before");
		out->tier[out->tiers++] = tier[i].tier;
	}
}

static void
take_scores(struct load *l, const struct rows *rows, struct deployment *d)
{
	const struct src_score *from = rows->items;
	struct task_score *to;
	size_t i;

	if (rows->count == 0)
		return;
	to = arena_alloc(l->arena, rows->count * sizeof *to);
	if (to == NULL) {
		diag_nomem(l->diag);
		return;
	}
	for (i = 0; i < rows->count; i++) {
		to[i].task = from[i].name;
		to[i].value = from[i].value;
	}
	d->scores = to;
	d->score_count = rows->count;
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
	d->weight = aim->s->weight > 0 ? (unsigned)aim->s->weight : 1;
	take_scores(t->l, &aim->s->scores, d);
	if (is_set(aim->s))
		price_make(t->l, &aim->s->price,
		    node_get(aim->s->row.node, "price"), &d->price);
	policy_charge(t->p, d);
	if (aim->s->context != UNSET)
		d->context = (uint32_t)aim->s->context;
}

/* One that nobody can tell the cost of: a word to who counts money. */
static void
note_unpriced(struct targets *t, const struct aim *aim,
    const struct deployment *d)
{
	struct unpriced *u = vault_alloc(t->l->scratch, sizeof *u);

	if (u == NULL) {
		diag_nomem(t->l->diag);
		return;
	}
	u->next = t->l->unpriced;
	u->node = aim->node;
	u->provider = aim->provider;
	u->id = d->id;
	t->l->unpriced = u;
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
	size_t before;
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
	before = t->count;
	add(t, aim, aim->model, known ? &m : NULL);
	if (t->count > before && !t->list[before].price.known)
		note_unpriced(t, aim, &t->list[before]);
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

const struct model *
check_alias(struct load *l, const struct policy *p, const struct node *n,
    const char *name)
{
	const struct model *m = policy_model(p, name);
	struct guess g;
	char hint[128];
	size_t i;

	if (m != NULL)
		return m;
	guess_init(&g, name);
	for (i = 0; i < p->model_count && !diag_full(l->diag); i++)
		guess_offer(&g, p->models[i].name);
	diag_fault(l->diag, n, "unknown model '%.80s'%s", name,
	    guess_words(&g, hint, sizeof hint));
	return NULL;
}

/* Is that row the name of a model? Then its targets, one level deep. */
static bool
add_alias(struct targets *t, const struct src_target *s)
{
	const struct model *m;
	struct deployment *d;
	size_t i;

	if (s->target == NULL || strchr(s->target, '/') != NULL)
		return false;
	m = check_alias(t->l, t->p, s->row.node, s->target);
	if (m == t->own)
		diag_fault(t->l->diag, s->row.node,
		    "a model cannot be its own fallback");
	else if (m != NULL && s->row.node->kind == NODE_MAP &&
	    s->row.node->count > 1)
		diag_fault(t->l->diag, s->row.node,
		    "a model that stands for its targets takes nothing else");
	for (i = 0; m != NULL && m != t->own && i < m->target_count; i++) {
		if (present(t, m->targets[i].provider, m->targets[i].model))
			continue;
		d = grow(t);
		if (d == NULL)
			break;
		*d = m->targets[i];
	}
	return true;
}

void
targets_make(struct load *l, struct policy *p, const struct rows *rows,
    const struct node *node, const struct model *own,
    struct target_list *out)
{
	struct targets t = { .l = l, .p = p, .node = node, .own = own };
	const struct src_target *s = rows->items;
	struct aim aim;
	size_t i;

	for (i = 0; i < rows->count; i++) {
		if (own != NULL && add_alias(&t, &s[i]))
			continue;
		if (!take_aim(&t, &s[i], &aim))
			continue;
		if (aim.wild)
			add_wild(&t, &aim);
		else
			add_one(&t, &aim);
	}
	if (t.count > 0) {
		out->list = arena_alloc(l->arena, t.count * sizeof *t.list);
		if (out->list != NULL) {
			memcpy(out->list, t.list, t.count * sizeof *t.list);
			out->count = t.count;
		} else {
			diag_nomem(l->diag);
		}
	}
	free(t.list);
}
