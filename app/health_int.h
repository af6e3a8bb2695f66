/* Between the parts of health: the handle, words, and slots. */
#ifndef TOLLGATE_APP_HEALTH_INT_H
#define TOLLGATE_APP_HEALTH_INT_H

#include "app/health.h"
#include "app/health_table.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

struct health {
	struct table_map map;
	uint64_t random;
	int64_t now; /* of the last call that told it */
	health_tell_fn *tell;
	void *tell_arg;
};

static inline uint64_t
get(const word *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static inline void
put(word *w, uint64_t value)
{
	atomic_store_explicit(w, value, memory_order_relaxed);
}

static inline void
count(word *w, int64_t n)
{
	if (n > 0)
		atomic_fetch_add_explicit(w, (uint64_t)n,
		    memory_order_relaxed);
}

/* The slot of a deployment; NULL: it has none, or (made up) gets none. */
struct slot *health_slot(struct health *h, const struct deployment *d,
    bool make, int64_t now);

/* How what it is the slot of stands; out is as for one without a slot. */
void health_stand(const struct table *t, struct slot *s, bool whole,
    int64_t now, struct standing *out);

/* Forget the last minute's ends. */
void health_forget(struct slot *s);

/* It does not rest any more. False: it did not. */
bool health_come_back(struct slot *s, int64_t now);

#endif
