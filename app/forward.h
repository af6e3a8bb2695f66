/*
 * Forwarding: attempts at the deployments of the plan until one answers.
 * Nothing goes to the client before the first content; until then the next
 * deployment may be tried, or a second one beside the first, after it never.
 *
 * attempt.c is one try, relay.c its bytes on their way to the client,
 * pursuit.c what follows a failure; forward.c holds them together.
 */
#ifndef TOLLGATE_APP_FORWARD_H
#define TOLLGATE_APP_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/adapter.h"
#include "app/attempt.h"
#include "app/health.h"
#include "app/pursuit.h"
#include "app/request.h"

struct forward {
	struct attempt *first, *last; /* a list, in the order they began */
	struct attempt *winner;	 /* its content went to the client */
	struct attempt *failed;	 /* the last one that failed */
	unsigned running;	 /* attempts under way */
	unsigned fallbacks;	 /* attempts that a failure led to */
	struct pursuit pursuit;
	bool whole;	   /* the client has a whole answer */
	bool finished;	   /* nothing further to wait for */
	bool renewed;	   /* a refused credential was fetched anew: once */
	bool hedged;	   /* the second attempt was decided on */
	const struct deployment *admitting; /* the ledger is asked for it */
	enum claim admitting_as;
	const struct deployment *resting; /* who is asked after the rest */
	struct fault *unsaid; /* why a provider could not be told, or NULL */
	int64_t rest_until; /* clock_mono, 0 = it does not rest */
	int64_t hedge_at;   /* clock_mono, 0 = there is none to come */
	int64_t retry_after; /* least one asked by a provider, µs, -1 */
	int64_t deadline;    /* of all attempts, clock_mono */
	int64_t quiet;	     /* when the client last got a byte, clock_mono */
};

/* Step: ask providers; WAIT until one has answered or all have failed. */
enum verdict forward_run(struct request *r);

/* The client's queue has room again. */
void forward_drained(struct request *r);

/* The client left: stop paying. */
void forward_gone(struct request *r);

/* The worker must leave: end this answer now. */
void forward_stop(struct request *r);

/* Closing step: no call is under way any more, usage and cost are known. */
void forward_settle(struct request *r);

/* Give back what is left. */
void forward_release(struct request *r);

/*
 * What a client is told of a provider's error, whose words have nothing of our
 * credential any more; fills the fault and returns its code.
 */
enum err forward_verdict(const struct upstream_error *e, struct fault *f);

/* The attempt that an answer is about: the winner, else the last; or NULL. */
const struct attempt *forward_shown(const struct request *r);

/* --- what attempts tell --- */

/* Its first content is about to go out: it wins, the others are cancelled. */
void forward_commit(struct attempt *at);

/* It ended well, or not: at->fail and at->error tell why. Closed by this. */
void forward_served(struct attempt *at);
void forward_failed(struct attempt *at);

/* It could not be sent: r->fault tells why. Closed already. */
void forward_unsent(struct attempt *at, enum attempt_begun begun);

/* The ledger has answered whether one more may be asked. */
void forward_admitted(struct request *r);

/* The request is all sent, though its body came in pieces: time runs anew. */
void forward_uploaded(struct request *r);

/* The client's body will never be whole: r->err and r->fault tell why. */
void forward_broken(struct request *r);

/* Set the timer anew: something that has a time limit has begun or ended. */
void forward_arm(struct request *r);

#endif
