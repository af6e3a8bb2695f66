/*
 * Which counters of the ledger a request is about: the limits of the policy
 * for its key, team, users, tier, tags, model and provider as counters. Pure;
 * all from the arena.
 */
#ifndef TOLLGATE_APP_COUNTERS_H
#define TOLLGATE_APP_COUNTERS_H

#include <stdbool.h>

#include "app/ledger.h"

struct arena;
struct budget;
struct model;
struct policy;
struct provider;
struct vkey;

#define COUNTED_BUDGETS 4

/* A counter, and the budgets of the policy that it serves. */
struct counted {
	struct counter counter; /* first; limit LEDGER_MAX: of soft ones only */
	/* Of one window; NULL behind the last. */
	const struct budget *budget[COUNTED_BUDGETS];
};

struct counters {
	struct arena *arena;
	struct counted *list; /* NULL: none */
	unsigned count;
	bool failed; /* no memory, or more than LEDGER_PARTS */
};

void counters_init(struct counters *c, struct arena *a);

/*
 * Of everyone, the key, its team, user, tier and tags, and the end user whom
 * the key may name ("" = none).
 */
void counters_of_key(struct counters *c, const struct policy *p,
    const struct vkey *k, const char *end_user);

void counters_of_model(struct counters *c, const struct model *m);
void counters_of_provider(struct counters *c, const struct provider *p);

/* "day", "once" */
const char *counters_span(enum counter_span span);

/* Is money (or are tokens) counted by one of them? */
bool counters_money(const struct counters *c);
bool counters_tokens(const struct counters *c);

/*
 * Per cent of a budget that is used or held, by what the ledger told of its
 * part; 0..LEDGER_MAX.
 */
int64_t counters_share(const struct held *part, const struct budget *b);

#endif
