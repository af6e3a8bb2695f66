/*
 * Models: what was not given is filled in from the top level, what does not
 * fit together is told.
 */
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "policy/load.h"
#include "policy/schema.h"
#include "policy/vault.h"

#define BENCHMARKS_MAX 1024 /* more than any catalog has */

/* The key of fallbacks of each kind, as in the table. */
static const char *const kinds[FALLBACK_KINDS] = {
	[FALLBACK_GENERAL] = "general",
	[FALLBACK_CONTEXT] = "context_window",
	[FALLBACK_CONTENT] = "content_policy",
};

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
check_hedge(struct load *l, const struct src_model *s, struct model *m)
{
	const struct node *n = node_get(s->row.node, "hedge");

	if (m->strategy != STRATEGY_RACE) {
		if (n != NULL)
			diag_fault(l->diag, n, "needs strategy: race");
		return;
	}
	m->hedge.after = s->hedge.after.time;
	m->hedge.quantile = s->hedge.after.quantile;
	m->hedge.share = (unsigned)s->hedge.share;
	m->hedge.money = s->hedge.money == UNSET ? 0 : s->hedge.money;
	m->hedge.tools = s->hedge.tools;
}

/* The names of all benchmarks of the catalog, once a load. */
static void
gather_benchmarks(struct load *l)
{
	const struct catalog *c = l->env->catalog;
	const char **names = vault_alloc(l->scratch,
	    BENCHMARKS_MAX * sizeof *names);
	struct catalog_model m;
	struct catalog_score score;
	uint32_t i, k;
	size_t j, n = 0;

	if (names == NULL) {
		diag_nomem(l->diag);
		return;
	}
	for (i = 0; catalog_model_at(c, i, &m); i++)
		for (k = 0; catalog_score(c, &m, k, &score); k++) {
			for (j = 0; j < n; j++)
				if (strcmp(names[j], score.benchmark) == 0)
					break;
			if (j == n && n < BENCHMARKS_MAX)
				names[n++] = score.benchmark;
		}
	l->benchmarks.items = names;
	l->benchmarks.count = n;
}

/* A name that the catalog does not know may be a slip: false. */
static bool
check_benchmark(struct load *l, const struct src_score *s)
{
	const char *const *names;
	struct guess g;
	char hint[128];
	size_t i;

	if (l->env->catalog == NULL)
		return true;
	if (l->benchmarks.items == NULL)
		gather_benchmarks(l);
	names = l->benchmarks.items;
	guess_init(&g, s->name);
	for (i = 0; i < l->benchmarks.count; i++) {
		if (strcmp(names[i], s->name) == 0)
			return true;
		guess_offer(&g, names[i]);
	}
	diag_warn(l->diag, s->node, "the catalog knows no benchmark "
	    "'%.80s'%s", s->name, guess_words(&g, hint, sizeof hint));
	return false;
}

/* A demand that no target can meet leaves the model without an answer. */
static void
check_reached(struct load *l, const struct model *m, const struct node *n,
    const struct demand *want)
{
	size_t i;

	for (i = 0; i < m->target_count; i++)
		if (deployment_score(l->env->catalog, &m->targets[i], want) >=
		    want->least)
			return;
	if (m->target_count > 0)
		diag_warn(l->diag, n, "no target is known to reach this");
}

static void
add_demands(struct load *l, const struct rows *rows, bool task,
    struct model *m, struct demand *to)
{
	const struct src_score *s = rows->items;
	size_t i;

	for (i = 0; i < rows->count; i++) {
		if (s[i].name == NULL)
			continue; /* said */
		to[i].name = s[i].name;
		to[i].least = s[i].value;
		to[i].task = task;
		if (task || check_benchmark(l, &s[i]))
			check_reached(l, m, s[i].node, &to[i]);
	}
}

static void
check_require(struct load *l, const struct src_model *s, struct model *m)
{
	const struct src_require *from = &s->require;
	struct require *to = &m->require;
	size_t n = from->benchmarks.count + from->scores.count;
	struct demand *list;

	to->any_context = from->context == CONTEXT_NONE;
	to->context = from->context > 0 ? from->context : 0;
	to->any_caps = (from->caps & CAPS_NONE) != 0;
	to->caps = from->caps & ~(unsigned)CAPS_NONE;
	if (n == 0)
		return;
	list = arena_zalloc(l->arena, n * sizeof *list);
	if (list == NULL) {
		diag_nomem(l->diag);
		return;
	}
	add_demands(l, &from->benchmarks, false, m, list);
	add_demands(l, &from->scores, true, m, list + from->benchmarks.count);
	to->demands = list;
	to->demand_count = n;
}

static void
check_model(struct load *l, const struct src_model *s, struct policy *p,
    struct model *m)
{
	struct target_list own = { NULL, 0 };

	m->name = s->row.name;
	m->strategy = (enum strategy)s->strategy;
	m->sticky = (enum sticky)s->sticky;
	m->timeouts = s->timeouts;
	m->strict = s->strict;
	m->attempts = s->attempts == UNSET ? p->attempts :
		(unsigned)s->attempts;
	fill_timeouts(&m->timeouts, &p->timeouts);
	targets_make(l, p, &s->targets, s->row.node, NULL, &own);
	m->targets = own.list;
	m->target_count = own.count;
	check_require(l, s, m);
	check_hedge(l, s, m);
	limits_make(l, &s->limits, p->timezone, &m->limits);
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

void
check_fallbacks(struct load *l, const struct source *s, struct policy *p)
{
	const struct src_model *rows = s->models.items;
	const struct node *n, *list;
	size_t i, k;

	for (i = 0; i < p->model_count; i++) {
		n = node_get(rows[i].row.node, "fallbacks");
		for (k = 0; n != NULL && k < FALLBACK_KINDS; k++) {
			list = node_get(n, kinds[k]);
			targets_make(l, p, &rows[i].fallbacks.lists[k],
			    list != NULL ? list : n, &p->models[i],
			    &p->models[i].fallbacks[k]);
		}
	}
}
