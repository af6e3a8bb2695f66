/*
 * Limits and budgets: put together from what a row says, its tier and its
 * zone; and whether money is counted where no price is known.
 */
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "policy/load.h"
#include "policy/schema.h"
#include "policy/vault.h"

static const char *const spans[] = { [BUDGET_HOUR] = "hour",
	[BUDGET_DAY] = "day", [BUDGET_WEEK] = "week",
	[BUDGET_MONTH] = "month" };

/* "" is UTC, whatever it is called. */
static const char *
zone_of(const char *own, const char *otherwise)
{
	const char *zone = own != NULL ? own : otherwise;

	return zone == NULL || strcmp(zone, "UTC") == 0 ? "" : zone;
}

static void
check_budget(struct load *l, const struct src_budget *s,
    const struct budget *b)
{
	const struct node *n = s->row.node, *at = node_get(n, "zone");

	if (b->span == BUDGET_ONCE && at != NULL)
		diag_fault(l->diag, at, "credit that is used up once has no "
		    "zone");
	at = node_get(n, "warn");
	if (b->limit == 0 && (at != NULL || b->soft))
		diag_fault(l->diag, at != NULL ? at : n, "of 0 USD there are "
		    "no shares to warn at");
}

/* Two of the same window would be one counter with two limits. */
static void
check_windows(struct load *l, const struct src_budget *s,
    const struct budget *b, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++) {
		if (b[k].span != b[i].span ||
		    (b[k].span != BUDGET_ONCE &&
			strcmp(b[k].zone, b[i].zone) != 0))
			continue;
		if (b[k].span == BUDGET_ONCE)
			diag_fault(l->diag, s[i].row.node, "there is a credit "
			    "already");
		else
			diag_fault(l->diag, s[i].row.node, "there is a budget "
			    "of the same %s already", spans[b[k].span]);
		return;
	}
}

/* Its zones are loaded when all else is right. */
static void
remember(struct load *l, struct budget *list, size_t count)
{
	struct budget_list *b = vault_alloc(l->scratch, sizeof *b);

	if (b == NULL) {
		diag_nomem(l->diag);
		return;
	}
	b->next = l->budgets;
	b->list = list;
	b->count = count;
	l->budgets = b;
}

static void
make_budgets(struct load *l, const struct rows *rows, const char *zone,
    struct limits *out)
{
	const struct src_budget *s = rows->items;
	struct budget *b;
	size_t i;

	if (rows->count == 0)
		return;
	b = arena_zalloc(l->arena, rows->count * sizeof *b);
	if (b == NULL) {
		diag_nomem(l->diag);
		return;
	}
	for (i = 0; i < rows->count; i++) {
		b[i].limit = s[i].limit.amount;
		b[i].span = (enum budget_span)s[i].limit.span;
		b[i].zone = b[i].span == BUDGET_ONCE ? "" :
			zone_of(s[i].zone, zone);
		b[i].soft = s[i].soft;
		memcpy(b[i].warn, s[i].warn, sizeof b[i].warn);
		if (b[i].soft && b[i].warn[0] == 0)
			b[i].warn[0] = 100;
		if (s[i].limit.read) {
			check_budget(l, &s[i], &b[i]);
			check_windows(l, s, b, i);
		}
	}
	remember(l, b, rows->count);
	out->budgets = b;
	out->budget_count = rows->count;
}

void
limits_make(struct load *l, const struct src_limits *s, const char *zone,
    struct limits *out)
{
	out->rpm = s->rpm == UNSET ? 0 : s->rpm;
	out->tpm = s->tpm == UNSET ? 0 : s->tpm;
	out->parallel = s->parallel == UNSET ? 0 : s->parallel;
	make_budgets(l, &s->budgets, zone, out);
}

void
limits_inherit(struct limits *to, const struct limits *other)
{
	if (to->rpm == 0)
		to->rpm = other->rpm;
	if (to->tpm == 0)
		to->tpm = other->tpm;
	if (to->parallel == 0)
		to->parallel = other->parallel;
	if (to->budget_count == 0) {
		to->budgets = other->budgets;
		to->budget_count = other->budget_count;
	}
}

bool
limits_set(const struct limits *l)
{
	return l->rpm > 0 || l->tpm > 0 || l->parallel > 0 ||
	    l->budget_count > 0;
}

/* ---- limits that names share ---- */

static int
by_name(const void *pa, const void *pb)
{
	const struct pool_limits *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

static struct pool_limits *
pools_new(struct load *l, size_t n)
{
	struct pool_limits *list = n == 0 ? NULL :
		arena_zalloc(l->arena, n * sizeof *list);

	if (list == NULL && n > 0)
		diag_nomem(l->diag);
	return list;
}

static bool
empty(const struct node *n)
{
	return node_null(n) || (n->kind == NODE_MAP && n->count == 0);
}

static void
make_pools(struct load *l, const struct rows *rows, const char *zone,
    struct pool_limits **out, size_t *count)
{
	const struct src_pool *s = rows->items;
	struct pool_limits *list = pools_new(l, rows->count);
	size_t i;

	if (list == NULL)
		return;
	for (i = 0; i < rows->count; i++) {
		list[i].name = s[i].row.name;
		limits_make(l, &s[i].limits, zone, &list[i].limits);
		if (empty(s[i].row.node))
			diag_warn(l->diag, s[i].row.node, "limits nothing");
	}
	qsort(list, rows->count, sizeof *list, by_name);
	*out = list;
	*count = rows->count;
}

/* Of tiers that share any. */
static void
make_shared(struct load *l, const struct rows *rows, struct policy *p)
{
	const struct src_tier *s = rows->items;
	struct pool_limits *list = pools_new(l, rows->count);
	size_t i, n = 0;

	for (i = 0; list != NULL && i < rows->count; i++) {
		limits_make(l, &s[i].shared.limits, p->timezone,
		    &list[n].limits);
		if (!limits_set(&list[n].limits))
			continue;
		list[n++].name = s[i].row.name;
	}
	if (n == 0)
		return;
	qsort(list, n, sizeof *list, by_name);
	p->tiers = list;
	p->tier_count = n;
}

void
check_pools(struct load *l, const struct source *s, struct policy *p)
{
	limits_make(l, &s->limits.limits, p->timezone, &p->limits);
	make_pools(l, &s->teams, p->timezone, &p->teams, &p->team_count);
	make_pools(l, &s->users, p->timezone, &p->users, &p->user_count);
	make_pools(l, &s->tags, p->timezone, &p->tags, &p->tag_count);
	make_shared(l, &s->tiers, p);
}

/* ---- money without a price ---- */

#define STEPS_MAX 1000000 /* keys and targets that are looked at */

/* Does a rule name the target itself? Then it may be for anyone. */
static bool
in_rule(const struct node *n)
{
	while (n->parent != NULL && n->parent->parent != NULL)
		n = n->parent;
	return n->key != NULL && strcmp(n->key, "rules") == 0;
}

static bool
has_target(const struct model *m, const char *id, size_t *steps)
{
	struct target_list list = { m->targets, m->target_count };
	size_t i, k;

	for (k = 0; k <= FALLBACK_KINDS; k++) {
		*steps += 1 + list.count;
		for (i = 0; i < list.count; i++)
			if (strcmp(list.list[i].id, id) == 0)
				return true;
		if (k < FALLBACK_KINDS)
			list = m->fallbacks[k];
	}
	return false;
}

/* Keys need not be allowed what a rule leads to. */
static bool
led_to(const struct policy *p, const struct model *m)
{
	size_t i;

	for (i = 0; i < p->rule_count; i++)
		if (p->rules[i].use != NULL &&
		    strcmp(p->rules[i].use, m->name) == 0)
			return true;
	return false;
}

/* Is there a key that gets the model (NULL: any) and whose money counts? */
static bool
key_gets(const struct policy *p, const struct model *m, bool counted,
    size_t *steps)
{
	size_t i;

	for (i = 0; i < p->key_count && ++*steps <= STEPS_MAX; i++)
		if ((m == NULL || vkey_allows(&p->keys[i], m->name)) &&
		    (counted || vkey_pays(p, &p->keys[i], true)))
			return true;
	return false;
}

/* May a request of which money is counted get there? */
static bool
reached(const struct policy *p, const struct unpriced *u, size_t *steps)
{
	bool counted = limits_pay(&u->provider->limits);
	const struct model *m;
	size_t i;

	if (in_rule(u->node))
		return key_gets(p, NULL, counted, steps);
	for (i = 0; i < p->model_count && *steps <= STEPS_MAX; i++) {
		m = &p->models[i];
		if (has_target(m, u->id, steps) &&
		    key_gets(p, led_to(p, m) ? NULL : m,
			counted || limits_pay(&m->limits), steps))
			return true;
	}
	return false;
}

/* May a key whose money is counted send requests to it as they are? */
static bool
key_passes(const struct policy *p, const struct provider *to, size_t *steps)
{
	bool counted = limits_pay(&to->limits);
	size_t i;

	for (i = 0; i < p->key_count && ++*steps <= STEPS_MAX; i++)
		if (vkey_passes(&p->keys[i], to->name) &&
		    (counted || vkey_pays(p, &p->keys[i], true)))
			return true;
	return false;
}

/* Rows of `passthrough:` that nobody tells the cost of. */
static void
check_passages(struct load *l, const struct source *s,
    const struct policy *p, size_t *steps)
{
	const struct src_provider *rows = s->providers.items;
	const struct provider *to;
	size_t i, k;

	for (i = 0; i < p->provider_count; i++) {
		to = &p->providers[i];
		for (k = 0; k < to->passage_count; k++) {
			if (to->passages[k].price.known ||
			    !key_passes(p, to, steps))
				continue;
			diag_warn(l->diag, node_get(rows[i].row.node,
			    "passthrough"), "the price of '%.100s' is not "
			    "known: it is refused where money is limited; "
			    "give 'price'", to->passages[k].path);
			break; /* one says it */
		}
	}
}

void
check_priced(struct load *l, const struct source *s, const struct policy *p)
{
	const struct unpriced *u;
	size_t steps = 0;

	if (diag_failed(l->diag))
		return; /* what is wrong has no value */
	check_passages(l, s, p, &steps);
	for (u = l->unpriced; u != NULL; u = u->next) {
		if (!reached(p, u, &steps))
			continue;
		diag_warn(l->diag, u->node, "the price of '%.100s' is not "
		    "known: it is refused where money is limited; give 'price' "
		    "or 'default_price'", u->id);
	}
}
