/*
 * What follows when an attempt has failed: which deployment is asked next, or
 * the same one again after a rest, or nothing. Pure: a plan, what was tried,
 * and a view of health in; a step out.
 */
#ifndef TOLLGATE_APP_PURSUIT_H
#define TOLLGATE_APP_PURSUIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/route.h"

#define PURSUIT_TRIALS 16 /* attempts remembered: more than may be made */

/* Failures after which the same deployment may do better a moment later. */
#define FAIL_PASSING (FAIL_CONNECT | FAIL_RATE | FAIL_SERVER | FAIL_OVERLOAD)

/* A deployment that was asked and how that ended. */
struct trial {
	const struct deployment *deployment;
	unsigned fail; /* FAIL_*, 0 = it is under way */
};

struct pursuit {
	const struct plan *plan;
	struct trial trials[PURSUIT_TRIALS];
	size_t trial_count;
	unsigned count; /* attempts that count against the plan's bound */
	unsigned rests; /* taken before the same deployments again */
	bool last;	/* what rests was tried all the same, or must not be */
};

/* The moment. */
struct prospect {
	unsigned fail;	  /* of the last attempt, 0 = none was made */
	int64_t now;	  /* clock_mono, µs */
	int64_t deadline; /* the same */
	uint64_t draw;	  /* random, for the rest's length */
	/* How a deployment stands; out zeroed, success 1000. */
	void (*look)(void *arg, const struct deployment *d,
	    struct standing *out);
	void *arg;
};

enum pursue {
	PURSUE_ASK,  /* step->deployment now */
	PURSUE_REST, /* ask again at step->at */
	PURSUE_STOP
};

struct pursue_step {
	const struct deployment *deployment;
	int64_t at;  /* clock_mono, with REST */
	bool again;  /* this deployment has failed before */
	bool last;   /* it rests: try it all the same */
};

/* What next? Changes nothing but p->rests and p->last. */
enum pursue pursue(struct pursuit *p, const struct prospect *at,
    struct pursue_step *step);

/*
 * A deployment for a second attempt beside the one under way, or NULL: the
 * next of the plan that is well and was not asked.
 */
const struct deployment *pursue_beside(const struct pursuit *p,
    const struct prospect *at);

/* d is asked. True: it is remembered. */
bool pursuit_tried(struct pursuit *p, const struct deployment *d);

/* The attempt at d ended so. */
void pursuit_failed(struct pursuit *p, const struct deployment *d,
    unsigned fail);

/*
 * When the first of what the plan looked at is back, µs from now, 0 = none
 * rests; *why the FAIL_* for which it rests.
 */
int64_t pursuit_back(const struct plan *plan, const struct prospect *at,
    unsigned *why);

#endif
