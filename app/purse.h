/*
 * Purses: what a worker holds in advance and gives out itself, so that a
 * request on counters that are far from their limits waits for no store.
 *
 * A purse is a hold in the store on a set of counters that is asked for often.
 * All that it gives out is held there, so `used + held <= limit` is true there
 * at any time. What was used of it is told once in a while: it is rolled, which
 * settles its hold and takes another in its place, in one step (VERB_ROLL).
 * Where a limit comes near it ends, and each hold asks the store again. What is
 * to be settled when the worker is killed stands in its will (app/will.h).
 *
 * Here is what is given out, and when a purse is rolled; app/ledger.c has the
 * verbs.
 */
#ifndef TOLLGATE_APP_PURSE_H
#define TOLLGATE_APP_PURSE_H

#include "app/ledger_int.h"

#define PURSE_MS 20	 /* between two rolls */
#define PURSE_IDLE_MS 100 /* then it gives back what it has */
#define PURSE_OFTEN 8	 /* holds within PURSE_OFTEN_US make a purse … */
#define PURSE_OFTEN_US INT64_C(50000)
#define PURSE_SHARE 256 /* … which wants at most this part of what is left */
/* Nothing is given out when the store has not answered for so long, or lets a
 * roll wait for so long. */
#define PURSE_HEARD_US INT64_C(200000)
#define PURSE_PATIENCE_US INT64_C(50000)

struct purses;

/*
 * The purses of a ledger, none yet; wills are kept in dir, for that store.
 * NULL: no memory.
 */
struct purses *purses_open(struct ledger *l, uv_loop_t *loop, const char *dir,
    const char *store);

/* Give back all that nobody has. True: there is none left. */
bool purses_rest(struct purses *ps);

/*
 * Their ends are asked for, as far as the store is there. Wills of what could
 * not be said stay for the heirs. purses_free when the store is closed; the loop
 * must run once more. NULL is fine.
 */
void purses_close(struct purses *ps);
void purses_free(struct purses *ps);

/* Once a second: say again what had no answer, and what the dead owe. */
void purses_tick(struct purses *ps);

/*
 * The store may not have what it has acknowledged: nothing is given out until
 * it holds again what purses are to have.
 */
void purses_anew(struct purses *ps);

/* Purses that are not settled yet. */
size_t purses_count(const struct purses *ps);

/*
 * Take h out of a purse: parts, in the order of the claims, as the store would
 * answer. who and cost: the charge of a lease. False: the store must be asked.
 */
bool purse_hold(struct purses *ps, struct hold *h, const struct want *claims,
    unsigned n, const char *who, int64_t cost);

/* The store gave a hold of its own: were there many of the kind? */
void purse_heard(struct purses *ps, const struct op *op);

/* The verbs for a hold out of a purse (h->purse); sent: false: do not. */
bool purse_sent(struct hold *h);
void purse_settle(struct hold *h, const int64_t *actual,
    const struct usage_row *rows, unsigned n);
void purse_release(struct hold *h);

/* A purse's own op (op->purse) has its answer. */
void purse_answered(struct op *op);

#endif
