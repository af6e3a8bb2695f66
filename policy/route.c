/* plan_make: from an alias to an ordered list of deployments. Pure. */
#include "policy/route.h"

#include <string.h>

#include "app/base/arena.h"
#include "app/base/draw.h"

static void
swap(const struct deployment **a, const struct deployment **b)
{
	const struct deployment *t = *a;

	*a = *b;
	*b = t;
}

/* Each place goes to one of the rest with a chance as its weight. */
static void
order_weighted(struct plan *plan, uint64_t draw)
{
	uint64_t sum, pick;
	size_t i, j;

	for (i = 0; i + 1 < plan->count; i++) {
		sum = 0;
		for (j = i; j < plan->count; j++)
			sum += plan->order[j]->weight;
		pick = sum == 0 ? 0 : draw_next(&draw) % sum;
		for (j = i; j + 1 < plan->count; j++) {
			if (pick < plan->order[j]->weight)
				break;
			pick -= plan->order[j]->weight;
		}
		swap(&plan->order[i], &plan->order[j]);
	}
}

/*
 * Leave out what is cooling. When everything is, keep the one that comes
 * back first: better one honest try than to refuse everything.
 */
static void
drop_cooling(struct plan *plan, const struct route_view *v)
{
	const struct deployment *best = NULL;
	struct standing st;
	int64_t best_until = 0;
	size_t i, kept = 0;

	for (i = 0; i < plan->count; i++) {
		memset(&st, 0, sizeof st);
		v->look(v->arg, plan->order[i], &st);
		if (st.cooling <= v->now) {
			plan->order[kept++] = plan->order[i];
		} else if (best == NULL || st.cooling < best_until) {
			best = plan->order[i];
			best_until = st.cooling;
		}
	}
	if (kept == 0 && best != NULL) {
		plan->order[kept++] = best;
		plan->cooled = true;
	}
	plan->count = kept;
}

static enum err
no_memory(struct fault *f)
{
	return fault_set(f, ERR_INTERNAL, NULL, "out of memory");
}

static enum err
plan_alias(const struct model *m, struct arena *a, struct plan *plan,
    struct fault *f)
{
	size_t i;

	plan->timeouts = &m->timeouts;
	plan->attempts = m->attempts;
	plan->strict = m->strict;
	plan->order = arena_alloc(a,
	    m->target_count * sizeof *plan->order);
	if (plan->order == NULL)
		return no_memory(f);
	for (i = 0; i < m->target_count; i++)
		plan->order[plan->count++] = &m->targets[i];
	return ERR_OK;
}

static enum err
plan_direct(const struct policy *p, const char *name, struct arena *a,
    struct plan *plan, struct fault *f)
{
	struct deployment *d = arena_alloc(a, sizeof *d);

	plan->timeouts = &p->timeouts;
	plan->attempts = p->attempts;
	plan->order = arena_alloc(a, sizeof *plan->order);
	if (d == NULL || plan->order == NULL)
		return no_memory(f);
	if (!policy_direct(p, name, a, d))
		return fault_set(f, ERR_MODEL_NOT_FOUND, "model",
		    "the model '%s' does not exist", name);
	plan->order[plan->count++] = d;
	return ERR_OK;
}

enum err
plan_make(const struct policy *p, const struct route_facts *facts,
    const struct route_view *view, struct arena *a, struct plan *out,
    struct fault *f)
{
	const struct model *m;
	struct plan plan;
	enum err e;

	memset(&plan, 0, sizeof plan);
	plan.asked = facts->model;
	if (!vkey_allows(facts->key, facts->model))
		return fault_set(f, ERR_FORBIDDEN, "model",
		    "this key may not use the model '%s'", facts->model);
	m = policy_model(p, facts->model);
	if (m != NULL)
		e = plan_alias(m, a, &plan, f);
	else
		e = plan_direct(p, facts->model, a, &plan, f);
	if (e != ERR_OK)
		return e;
	if (m != NULL && m->strategy == STRATEGY_WEIGHTED)
		order_weighted(&plan, facts->draw);
	drop_cooling(&plan, view);
	if (plan.count == 0)
		return fault_set(f, ERR_NO_ROUTE, "model",
		    "no provider serves the model '%s'", facts->model);
	*out = plan;
	return ERR_OK;
}
