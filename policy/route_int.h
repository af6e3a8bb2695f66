/*
 * Between the parts of plan_make: route.c gathers candidates, filter.c says
 * which may be tried, order.c in which order.
 */
#ifndef TOLLGATE_POLICY_ROUTE_INT_H
#define TOLLGATE_POLICY_ROUTE_INT_H

#include "app/base/arena.h"
#include "policy/route.h"
#include "policy/rule.h"

/* Candidates of one list of one model; they stand together in plan.all. */
struct group {
	const struct model *model; /* NULL: asked for as provider/model */
	const char *name;	   /* what was asked for */
	size_t first, count;
	bool targets;		   /* in the order of the model's strategy;
				    * else as they stand */
	enum fallback_kind kind;
};

/* A plan while it is made. */
struct planning {
	const struct policy *policy;
	const struct route_facts *facts;
	const struct route_view *view;
	struct arena *arena;
	struct known known;
	uint64_t draw;
	struct group *groups;
	size_t group_count;
	struct candidate *all;
	size_t count;
	bool pays;	      /* money is counted, whoever answers */
	bool lenient;	      /* not even by what may be a gap of the catalog
			       * is one left out */
	bool longer;	      /* the list for what is too long comes first */
	struct candidate *largest; /* of those in order that only the
				    * estimate says to be too small */
};

/* ---- filter.c ---- */

/*
 * Set c->out (and standing, score): whether a model's candidate may be tried.
 * What it is capable and allowed of comes first, how it stands now last.
 */
void filter_candidate(struct planning *p, const struct group *g,
    struct candidate *c);

/* Why it cannot be tried now, whatever it may. */
enum out filter_standing(const struct planning *p, const struct candidate *c);

/*
 * Of those that are left out for how they stand the one to try all the same,
 * or NULL; *cooled tells whether it rests.
 */
struct candidate *filter_least_bad(const struct planning *p, bool *cooled);

/* The error of a plan with nothing in it. */
enum err filter_fault(const struct planning *p, const char *asked,
    struct fault *f);

/* ---- order.c ---- */

/* Does the strategy of that model want prices? */
bool order_wants_price(const struct model *m);

/*
 * Bring the n candidates of a group that are in into the order in which they
 * are tried. list has room for n more.
 */
void order_group(struct planning *p, const struct group *g,
    struct candidate **list, size_t n);

#endif
