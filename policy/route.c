/*
 * plan_make: from what a client asks for to an ordered list of deployments.
 * Pure. Rules choose the model, its lists are gathered, filter.c takes out
 * what may not or cannot, order.c puts the rest in order.
 */
#include "policy/route.h"

#include <math.h>
#include <string.h>

#include "policy/forecast.h"
#include "policy/route_int.h"

#define LEN(x) (sizeof(x) / sizeof(x)[0])

const char *
out_word(enum out o)
{
	static const char *const words[OUT_REASONS] = {
		[OUT_NOT] = "in",
		[OUT_TWICE] = "twice",
		[OUT_FORBIDDEN] = "forbidden",
		[OUT_CAPABILITY] = "capability",
		[OUT_CONTEXT] = "context",
		[OUT_DOOR] = "endpoint",
		[OUT_REGION] = "region",
		[OUT_RETENTION] = "retention",
		[OUT_SCORE] = "score",
		[OUT_UNPRICED] = "unpriced",
		[OUT_CAPPED] = "capped",
		[OUT_COOLING] = "cooling",
		[OUT_PROBING] = "probing",
		[OUT_DEADLINE] = "deadline",
	};

	return (unsigned)o < OUT_REASONS ? words[o] : "unknown";
}

static enum err
no_memory(struct fault *f)
{
	return fault_set(f, ERR_INTERNAL, NULL, "out of memory");
}

/* ---- what is asked for ---- */

/* Deployments to gather: where they stand, and how many. */
struct source {
	const struct deployment *list;
	size_t count;
};

/* A name that is asked for: a model of the policy, or provider/model. */
struct asked {
	const char *name;
	const struct model *model;
	struct deployment *direct;
};

static enum err
find_asked(struct planning *p, const char *name, struct asked *out,
    struct fault *f)
{
	out->name = name;
	out->model = policy_model(p->policy, name);
	if (out->model != NULL)
		return ERR_OK;
	out->direct = arena_zalloc(p->arena, sizeof *out->direct);
	if (out->direct == NULL)
		return no_memory(f);
	if (!policy_direct(p->policy, name, p->arena, out->direct))
		return fault_set(f, ERR_MODEL_NOT_FOUND, "model",
		    "the model '%s' does not exist", name);
	return ERR_OK;
}

static enum err
may_ask(const struct route_facts *facts, const char *name, struct fault *f)
{
	if (vkey_allows(facts->key, name))
		return ERR_OK;
	return fault_set(f, ERR_FORBIDDEN, "model",
	    "this key may not use the model '%s'", name);
}

/*
 * All names of the request, the first as the rules have it. Whether the key
 * may use them is told before whether they are there.
 */
static enum err
find_all(struct planning *p, struct plan *plan, struct asked *asked,
    struct fault *f)
{
	const struct route_facts *facts = p->facts;
	enum err e = may_ask(facts, facts->model, f);
	size_t i;

	for (i = 0; i < facts->more_count && e == ERR_OK; i++)
		e = may_ask(facts, facts->more[i], f);
	if (e != ERR_OK)
		return e;
	plan->rule = rule_find(p->policy, &p->known);
	plan->asked = plan->rule != NULL ? plan->rule->use : facts->model;
	e = find_asked(p, plan->asked, &asked[0], f);
	for (i = 0; i < facts->more_count && e == ERR_OK; i++)
		e = find_asked(p, facts->more[i], &asked[1 + i], f);
	return e;
}

/* ---- candidates ---- */

static struct source
source_of(const struct asked *a, bool targets, enum fallback_kind kind)
{
	struct source s = { a->direct, 1 };

	if (a->model == NULL) {
		s.count = targets;
	} else if (targets) {
		s.list = a->model->targets;
		s.count = a->model->target_count;
	} else {
		s.list = a->model->fallbacks[kind].list;
		s.count = a->model->fallbacks[kind].count;
	}
	return s;
}

/* What another model that leads to the same deployment may not mind. */
static bool
is_demand(enum out o)
{
	return o == OUT_CAPABILITY || o == OUT_CONTEXT || o == OUT_SCORE;
}

/* Stands it in an earlier group of the same kind? */
static bool
is_twice(const struct planning *p, const struct group *g, const char *id)
{
	const struct candidate *c;
	size_t i;

	for (i = 0; i < g->first; i++) {
		c = &p->all[i];
		if (c->kind == g->kind && !is_demand(c->out) &&
		    strcmp(c->deployment->id, id) == 0)
			return true;
	}
	return false;
}

static void
add_group(struct planning *p, const struct asked *a, bool targets,
    enum fallback_kind kind)
{
	struct source s = source_of(a, targets, kind);
	struct group *g = &p->groups[p->group_count];
	struct candidate *c;
	size_t i;

	*g = (struct group){ .model = a->model, .name = a->name,
		.first = p->count, .targets = targets, .kind = kind };
	for (i = 0; i < s.count; i++) {
		c = &p->all[p->count++];
		memset(c, 0, sizeof *c);
		c->deployment = &s.list[i];
		c->kind = kind;
		c->target = targets;
		c->price = -1;
		c->score = NAN;
		if (is_twice(p, g, c->deployment->id))
			c->out = OUT_TWICE;
		else
			filter_candidate(p, g, c);
	}
	g->count = s.count;
	p->group_count++;
}

static void
add_groups(struct planning *p, const struct asked *asked, size_t count)
{
	size_t i;
	int kind;

	p->count = p->group_count = 0;
	p->largest = NULL;
	for (i = 0; i < count; i++)
		add_group(p, &asked[i], true, FALLBACK_GENERAL);
	for (kind = 0; kind < FALLBACK_KINDS; kind++)
		for (i = 0; i < count; i++)
			add_group(p, &asked[i], false, kind);
}

static bool
make_room(struct planning *p, const struct asked *asked, size_t count)
{
	size_t i, n = 0;
	int kind;

	for (i = 0; i < count; i++) {
		n += source_of(&asked[i], true, FALLBACK_GENERAL).count;
		for (kind = 0; kind < FALLBACK_KINDS; kind++)
			n += source_of(&asked[i], false, kind).count;
	}
	p->all = arena_alloc(p->arena, n * sizeof *p->all);
	p->groups = arena_alloc(p->arena,
	    count * (1 + FALLBACK_KINDS) * sizeof *p->groups);
	return p->all != NULL && p->groups != NULL;
}

/* Is there one that may and can: now, or whatever its health? */
static bool
any_able(const struct planning *p, bool now)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		if (p->all[i].kind == FALLBACK_GENERAL &&
		    (p->all[i].out == OUT_NOT ||
			(!now && p->all[i].out >= OUT_CAPPED)))
			return true;
	return false;
}

/* Is there one that a request too long for the targets can go to? */
static bool
any_longer(const struct planning *p)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		if (p->all[i].kind == FALLBACK_CONTEXT &&
		    p->all[i].out == OUT_NOT)
			return true;
	return false;
}

/*
 * All candidates, each with its reason. An estimate alone refuses nothing:
 * what seems too long for all goes to the list for that, else to the largest.
 */
static void
gather(struct planning *p, const struct asked *asked, size_t count)
{
	add_groups(p, asked, count);
	if (any_able(p, true))
		return;
	p->lenient = true;
	add_groups(p, asked, count);
	if (p->largest == NULL || any_able(p, false))
		return;
	if (any_longer(p))
		p->longer = true;
	else
		p->largest->out = filter_standing(p, p->largest);
}

/* ---- prices ---- */

static void
price_candidates(struct planning *p, const struct plan *plan)
{
	const struct route_view *v = p->view;
	struct forecast f = { .output = FORECAST_OUTPUT,
		.bound = p->facts->max_output };
	int64_t output = 0;
	struct candidate *c;
	size_t i;

	if (v->expected_output != NULL)
		output = v->expected_output(v->arg, plan->asked);
	if (p->facts->apart)
		f.output = p->facts->max_output;
	else if (output > 0)
		f.output = output;
	for (i = 0; i < p->count; i++) {
		c = &p->all[i];
		f.input = known_input_tokens_at(&p->known, c->deployment);
		if (v->cached_share != NULL)
			f.cached = v->cached_share(v->arg, c->deployment);
		c->price = forecast_price(c->deployment, &f);
	}
}

static bool
any_wants_price(const struct asked *asked, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (order_wants_price(asked[i].model))
			return true;
	return false;
}

/* ---- the plan ---- */

/* Append what is in of a group to the list of its kind. */
static void
take_group(struct planning *p, const struct group *g,
    struct candidate **list, const struct deployment **order, size_t *count)
{
	size_t i, n = 0;

	for (i = 0; i < g->count; i++)
		if (p->all[g->first + i].out == OUT_NOT)
			list[n++] = &p->all[g->first + i];
	order_group(p, g, list, n);
	for (i = 0; i < n; i++)
		order[(*count)++] = list[i]->deployment;
}

static size_t
count_kind(const struct planning *p, enum fallback_kind kind)
{
	size_t i, n = 0;

	for (i = 0; i < p->count; i++)
		n += p->all[i].kind == kind;
	return n;
}

static bool
take_groups(struct planning *p, struct plan *plan)
{
	const struct deployment **lists[FALLBACK_KINDS];
	size_t counts[FALLBACK_KINDS] = { 0 };
	struct candidate **list;
	int kind, first;
	size_t i;

	list = arena_alloc(p->arena, p->count * sizeof(struct candidate *));
	if (list == NULL)
		return false;
	for (kind = 0; kind < FALLBACK_KINDS; kind++) {
		lists[kind] = arena_alloc(p->arena,
		    count_kind(p, kind) * sizeof(struct deployment *));
		if (lists[kind] == NULL)
			return false;
	}
	for (i = 0; i < p->group_count; i++)
		take_group(p, &p->groups[i], list, lists[p->groups[i].kind],
		    &counts[p->groups[i].kind]);
	first = p->longer ? FALLBACK_CONTEXT : FALLBACK_GENERAL;
	plan->order = lists[first];
	plan->count = counts[first];
	for (kind = FALLBACK_GENERAL + 1; kind < FALLBACK_KINDS; kind++) {
		if (kind == first)
			continue; /* it is the order itself */
		plan->instead[kind] = lists[kind];
		plan->instead_count[kind] = counts[kind];
	}
	return true;
}

/* Nothing is left: better one honest try than to refuse everything. */
static void
take_least_bad(struct planning *p, struct plan *plan)
{
	struct candidate *c = filter_least_bad(p, &plan->cooled);

	if (c == NULL)
		return;
	c->out = OUT_NOT;
	plan->order[plan->count++] = c->deployment;
}

/* A second attempt beside the first, where that is safe. */
static const struct hedge *
hedge_of(const struct planning *p, const struct plan *plan)
{
	const struct model *m = plan->model;

	if (m == NULL || m->strategy != STRATEGY_RACE || plan->count < 2 ||
	    (p->facts->tools && !m->hedge.tools))
		return NULL;
	return &m->hedge;
}

static void
take_terms(const struct planning *p, const struct asked *a, struct plan *plan)
{
	plan->model = a->model;
	plan->timeouts = &p->policy->timeouts;
	plan->attempts = p->policy->attempts;
	if (a->model == NULL)
		return;
	plan->timeouts = &a->model->timeouts;
	plan->attempts = a->model->attempts;
	plan->strict = a->model->strict;
}

static enum err
make(struct planning *p, struct plan *plan, struct fault *f)
{
	size_t count = 1 + p->facts->more_count;
	struct asked *asked = arena_zalloc(p->arena, count * sizeof *asked);
	enum err e;

	if (asked == NULL)
		return no_memory(f);
	e = find_all(p, plan, asked, f);
	if (e != ERR_OK)
		return e;
	if (!make_room(p, asked, count))
		return no_memory(f);
	take_terms(p, &asked[0], plan);
	p->pays = !p->facts->free && (vkey_pays(p->policy, p->facts->key,
	    p->facts->user != NULL && p->facts->user[0] != '\0') ||
	    (plan->model != NULL && limits_pay(&plan->model->limits)));
	gather(p, asked, count);
	if (p->facts->prices || any_wants_price(asked, count))
		price_candidates(p, plan);
	if (!take_groups(p, plan))
		return no_memory(f);
	if (plan->count == 0)
		take_least_bad(p, plan);
	plan->hedge = hedge_of(p, plan);
	plan->all = p->all;
	plan->all_count = p->count;
	return plan->count > 0 ? ERR_OK : filter_fault(p, plan->asked, f);
}

enum err
plan_make(const struct policy *p, const struct route_facts *facts,
    const struct route_view *view, struct arena *a, struct plan *out,
    struct fault *f)
{
	struct planning planning = { .policy = p, .facts = facts,
		.view = view, .arena = a, .draw = facts->draw };
	struct plan plan;
	enum err e;

	memset(&plan, 0, sizeof plan);
	known_init(&planning.known, facts);
	e = make(&planning, &plan, f);
	/* Without a route the plan tells why. */
	if (e == ERR_OK || e == ERR_NO_ROUTE || e == ERR_BAD_REQUEST)
		*out = plan;
	return e;
}
