/*
 * A ledger of a test's own, over either store, with a clock that the test
 * moves; and its verbs as calls that return when the answer is there.
 */
#ifndef TOLLGATE_TESTS_LEDGER_HELP_H
#define TOLLGATE_TESTS_LEDGER_HELP_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "app/base/arena.h"
#include "app/ledger.h"
#include "tests/unit/redis.h"

#define S INT64_C(1000000)

struct world {
	bool redis;
	struct redis server;	  /* dir of both */
	volatile int64_t *shift;  /* of the store's time to the system's */
	struct ledger_setup setup;
	char state[128];
	uv_loop_t loop;
	struct ledger *l;
	struct arena *arena;
};

extern bool over_redis; /* which store world_new takes */

struct world *world_new(void);
void world_free(struct world *w);

/* A ledger on the store of a world in that directory, for another process. */
struct world *world_join(const char *dir, int64_t lease);
void world_leave(struct world *w);

/* Another host at the Redis of w: it has a state directory of its own. */
struct world *world_host(struct world *w, const char *name);

/* The ledger of this process anew. */
void world_again(struct world *w);

/* A lease of other length for ledgers opened from now on. */
void world_lease(struct world *w, int64_t lease);

void world_set_time(struct world *w, const char *rfc3339);
void world_move(struct world *w, int64_t us);

/* The embedded store's system clock alone, by so much from where it was. */
void world_jump(struct world *w, int64_t us);

/* Run the loop for so long. */
void world_run(struct world *w, int ms);

/* One tick, and what it starts. */
void world_tick(struct world *w);
void world_ticks(struct world *w, int n);

struct ledger_answer hold(struct world *w, struct hold *h,
    const struct want *claims, unsigned n);
struct ledger_answer hold_as(struct world *w, struct hold *h,
    const struct want *claims, unsigned n, const struct usage_row *who);
struct ledger_answer more(struct world *w, struct hold *h,
    const struct want *claims, unsigned n, int64_t cost);
struct ledger_answer sent(struct world *w, struct hold *h);
struct ledger_answer settle(struct world *w, struct hold *h,
    const int64_t *actual, const struct usage_row *rows, unsigned n);
struct ledger_answer release(struct world *w, struct hold *h);

int64_t used_of(struct world *w, const struct counter *c);
int64_t held_of(struct world *w, const struct counter *c);

/* The sum of all rows of these days; held in *held. */
struct usage_row usage_of(struct world *w, int32_t from, int32_t to,
    int64_t *held);

/* A hold that is to be begun. */
struct hold hold_new(struct world *w);

#endif
