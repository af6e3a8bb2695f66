/*
 * Routing: which deployments answer this request, in which order. plan_make
 * is pure: policy, facts of the request, a view of health and a random draw
 * in; an ordered plan out, with the reason for each deployment that is not
 * in it. `tollgate explain` can print the very plan that a request gets.
 */
#ifndef TOLLGATE_POLICY_ROUTE_H
#define TOLLGATE_POLICY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/err.h"
#include "policy/policy.h"

struct arena;

/* What of a request decides its way. */
struct route_facts {
	const struct vkey *key;
	const char *model; /* as the client named it */
	unsigned needs;	   /* CAP_* */
	uint64_t draw;	   /* random, for `weighted` */
};

/* What is known of the deployments' health at this moment. */
struct route_health {
	/* µs of clock_mono until which d is cooling, 0 = it is not. */
	int64_t (*cooling)(void *arg, const struct deployment *d);
	void *arg;
	int64_t now; /* µs of clock_mono */
};

struct plan {
	const struct deployment **order; /* the ones to try, first to last */
	size_t count;
	const struct timeouts *timeouts; /* the policy's: lives with it */
	unsigned attempts;		 /* at most */
	bool strict;
	bool cooled; /* all are cooling: the least bad is tried once */
};

/*
 * Make the plan for a request; memory from the arena. Fails with
 * ERR_FORBIDDEN (the key may not), ERR_MODEL_NOT_FOUND, ERR_NO_ROUTE or
 * ERR_INTERNAL (memory), param "model".
 */
enum err plan_make(const struct policy *p, const struct route_facts *facts,
    const struct route_health *health, struct arena *a, struct plan *out,
    struct fault *f);

#endif
