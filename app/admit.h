/*
 * Admission: what of limits and budgets a request takes before it is sent,
 * what each further attempt adds, and what it all came to. The ledger keeps
 * the counters (app/ledger.h); this says which ones and how much.
 *
 * A hold covers the most that the request can cost: an upper bound of its
 * input and of its output (the client's max_tokens, else one that is written
 * into the request here) at the prices of the plan's first deployment. Before
 * an attempt that would go beyond it, more is held; where that is refused the
 * deployment is passed over.
 */
#ifndef TOLLGATE_APP_ADMIT_H
#define TOLLGATE_APP_ADMIT_H

#include "app/request.h"

struct attempt;
struct deployment;
struct ratelimits;
struct usage_row;
struct worker;

/* Step: take the hold; WAIT for the store; 429, 503 when it is refused. */
enum verdict admit_check(struct request *r);

enum admitted {
	ADMIT_YES,
	ADMIT_NO,  /* its provider's limits or the key's do not allow it */
	ADMIT_WAIT /* forward_admitted tells */
};

/* May d be asked too, beside and after what was asked? */
enum admitted admit_attempt(struct request *r, const struct deployment *d);

/*
 * A request goes out: money may be owed from here on. False: its hold may be
 * over (the worker stood still for long), it must not go out.
 */
bool admit_sent(struct request *r);

/*
 * Cut usage that cannot be to what the request can use at most; true when it
 * was more (bounds_cut).
 */
bool admit_cut(const struct request *r, struct usage *u);

/* Output tokens that an attempt may use at most: as bounded, or as assumed. */
int64_t admit_output(const struct request *r);

/* The row that usage of this request is noted under. */
void admit_who(const struct request *r, struct usage_row *out);

/* Closing step: the hold becomes what was used; usage is noted. */
void admit_settle(struct request *r);

/* The request goes: nobody listens for an answer any more. */
void admit_release(struct request *r);

/*
 * What is left of the tightest limits on requests and tokens, in the form of
 * providers' headers; slots that no limit is about are left as they are.
 */
void admit_ratelimits(const struct request *r, struct ratelimits *out);

/*
 * Per cent left of the tightest budget of a key, as this worker last heard of
 * it; -1 when it has none or was not heard of.
 */
int admit_budget_left(struct worker *w, const struct vkey *key);

/* Usage that was noted and is not in the store yet goes there. */
void admit_flush(struct worker *w);

#endif
