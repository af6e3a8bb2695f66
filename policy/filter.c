/*
 * Filters: may this deployment have the request, can it take it, and is it
 * well enough to be asked now?
 */
#include <math.h>
#include <string.h>

#include "policy/load.h"
#include "policy/region.h"
#include "policy/route_int.h"

#define LEN(x) (sizeof(x) / sizeof(x)[0])

/* What is asked for as provider/model demands nothing of itself. */
static const struct require no_demands = { .any_context = true,
	.any_caps = true };

static const struct require *
require_of(const struct group *g)
{
	return g->model != NULL ? &g->model->require : &no_demands;
}

/*
 * What the catalog tells where it is so and mostly does not where it is not
 * known: those that surely can come alone, unless there are none.
 */
#define CAPS_SPARSE CAP_STRUCTURED

static enum out
by_door(struct planning *p, const struct group *g, struct candidate *c)
{
	const struct route_facts *f = p->facts;

	(void)g;
	return f->calls == NULL || f->calls->offered == NULL ||
	    f->calls->offered(f->arg, c->deployment->provider) ? OUT_NOT :
								 OUT_DOOR;
}

static enum out
by_capability(struct planning *p, const struct group *g, struct candidate *c)
{
	const struct require *r = require_of(g);
	unsigned needs = r->any_caps ? 0 : p->facts->needs;

	if (p->lenient)
		needs &= ~(unsigned)CAPS_SPARSE;
	needs |= r->caps;
	/* Of what the catalog does not know at all, all is believed. */
	return c->deployment->caps != 0 && (needs & ~c->deployment->caps) != 0 ?
		OUT_CAPABILITY : OUT_NOT;
}

static enum out
by_region(struct planning *p, const struct group *g, struct candidate *c)
{
	const struct deployment *d = c->deployment;
	const char *asked = p->facts->region;

	(void)g;
	if (!region_allows(d->provider->region, d->model,
	    p->facts->key->region != NULL ? p->facts->key->region : "") ||
	    (asked != NULL &&
		!region_allows(d->provider->region, d->model, asked)))
		return OUT_REGION;
	return OUT_NOT;
}

static enum out
by_retention(struct planning *p, const struct group *g, struct candidate *c)
{
	(void)g;
	if (!p->facts->key->no_retention && !p->facts->no_retention)
		return OUT_NOT;
	return strcmp(c->deployment->provider->retention, "none") == 0 ?
		OUT_NOT : OUT_RETENTION;
}

static enum out
by_score(struct planning *p, const struct group *g, struct candidate *c)
{
	const struct require *r = require_of(g);
	enum out out = OUT_NOT;
	double score;
	size_t i;

	for (i = 0; i < r->demand_count; i++) {
		const struct demand *d = &r->demands[i];

		score = deployment_score(p->policy->catalog, c->deployment,
		    d);
		if (i == 0)
			c->score = score;
		if (!(score >= d->least)) /* also when it is NAN */
			out = OUT_SCORE;
	}
	return out;
}

/* What has no price cannot be held to a budget: the key's or its provider's. */
static enum out
by_price(struct planning *p, const struct group *g, struct candidate *c)
{
	const struct deployment *d = c->deployment;

	(void)g;
	if (d->price.known || p->facts->free || !(p->pays ||
	    limits_pay(&p->policy->providers[d->provider->index].limits)))
		return OUT_NOT;
	return OUT_UNPRICED;
}

/* A window that the policy demands: what is not known does not meet it. */
static enum out
by_window(struct planning *p, const struct group *g, struct candidate *c)
{
	(void)p;
	return c->deployment->context < require_of(g)->context ? OUT_CONTEXT :
								  OUT_NOT;
}

/*
 * A request that surely does not fit: what is estimated has to be larger than
 * the window by a quarter.
 */
static enum out
by_context(struct planning *p, const struct group *g, struct candidate *c)
{
	const struct require *r = require_of(g);
	int64_t context = c->deployment->context, bytes = p->facts->input_bytes;

	if (p->facts->apart || r->any_context || r->context > 0 ||
	    context == 0 ||
	    (bytes > 0 && bytes <= context) ||
	    known_input_tokens_at(&p->known, c->deployment) / 5 * 4 <=
		context)
		return OUT_NOT;
	if (g->kind == FALLBACK_GENERAL && (p->largest == NULL ||
	    context > p->largest->deployment->context))
		p->largest = c;
	return OUT_CONTEXT;
}

enum out
filter_standing(const struct planning *p, const struct candidate *c)
{
	const struct standing *s = &c->standing;

	if (s->capped)
		return OUT_CAPPED;
	if (s->cooling > p->view->now)
		return OUT_COOLING;
	if (s->probing)
		return OUT_PROBING;
	if (s->p90 > 0 && s->p90 > p->facts->left)
		return OUT_DEADLINE;
	return OUT_NOT;
}

void
filter_candidate(struct planning *p, const struct group *g,
    struct candidate *c)
{
	static enum out (*const filters[])(struct planning *,
	    const struct group *, struct candidate *) = { by_door,
		by_capability, by_region, by_retention, by_price, by_score, by_window,
		by_context };
	size_t i;

	c->standing.success = 1000;
	p->view->look(p->view->arg, c->deployment, &c->standing);
	c->out = OUT_NOT;
	for (i = 0; i < LEN(filters) && c->out == OUT_NOT; i++)
		c->out = filters[i](p, g, c);
	if (c->out == OUT_NOT)
		c->out = filter_standing(p, c);
}

/* Is a, which rests or is being tried, sooner back than b? */
static bool
sooner(const struct standing *a, const struct standing *b)
{
	return a->probing != b->probing ? b->probing :
					  a->cooling < b->cooling;
}

struct candidate *
filter_least_bad(const struct planning *p, bool *cooled)
{
	struct candidate *c, *slow = NULL, *rests = NULL;
	const struct standing *s;
	size_t i;

	for (i = 0; i < p->count; i++) {
		c = &p->all[i];
		s = &c->standing;
		if (c->kind != FALLBACK_GENERAL)
			continue;
		/* More often than not it is in time. */
		if (c->out == OUT_DEADLINE && s->p50 <= p->facts->left &&
		    (slow == NULL || s->p90 < slow->standing.p90))
			slow = c;
		if ((c->out == OUT_COOLING || c->out == OUT_PROBING) &&
		    (rests == NULL || sooner(s, &rests->standing)))
			rests = c;
	}
	*cooled = slow == NULL && rests != NULL;
	return slow != NULL ? slow : rests;
}

/*
 * The filter that took the last one: of the reasons there are, the one that
 * is looked at last.
 */
enum err
filter_fault(const struct planning *p, const char *asked, struct fault *f)
{
	static const struct {
		enum out out;
		const char *text;
	} rows[] = {
		{ OUT_DEADLINE, "answers in the time that is left" },
		{ OUT_CAPPED, "has anything left of its budget" },
		{ OUT_CONTEXT, "has the context window that is required" },
		{ OUT_SCORE, "has the score that is required" },
		{ OUT_RETENTION, "keeps nothing (retention: none)" },
		{ OUT_REGION, "is in the region that is demanded" },
		{ OUT_CAPABILITY, "can do what the request needs" },
	};
	size_t i, j;

	/* That is the policy's to mend, and no matter of the moment. */
	for (j = 0; j < p->count; j++)
		if (p->all[j].kind == FALLBACK_GENERAL &&
		    p->all[j].out == OUT_UNPRICED)
			return fault_set(f, ERR_BAD_REQUEST, "model",
			    "the price of '%s' is not known, and there is a "
			    "budget: the policy must give a price",
			    p->all[j].deployment->id);
	for (i = 0; i < LEN(rows); i++)
		for (j = 0; j < p->count; j++)
			if (p->all[j].kind == FALLBACK_GENERAL &&
			    p->all[j].out == rows[i].out)
				return fault_set(f, ERR_NO_ROUTE, "model",
				    "no provider of the model '%s' %s", asked,
				    rows[i].text);
	if (p->count > 0 && p->all[0].out == OUT_DOOR)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "no provider of the model '%s' offers %s", asked,
		    p->facts->endpoint);
	return fault_set(f, ERR_NO_ROUTE, "model",
	    "no provider serves the model '%s'", asked);
}
