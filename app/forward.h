/*
 * Forwarding: attempts at the deployments of the plan until one answers.
 * Nothing goes to the client before the first content; until then the next
 * deployment may be tried, after it never.
 */
#ifndef TOLLGATE_APP_FORWARD_H
#define TOLLGATE_APP_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/adapter.h"
#include "app/base/buf.h"
#include "app/base/frames.h"
#include "app/ratelimit.h"
#include "app/request.h"
#include "app/token.h"
#include "app/transport.h"

/* One try at one deployment. */
struct attempt {
	struct attempt *next;
	struct request *request;
	const struct deployment *deployment;
	const struct adapter *adapter;

	/* For the record. µs of clock_mono, 0 = not yet. */
	int64_t started, sent, first_byte, first_content, last_byte, ended;
	int status;	   /* HTTP, 0 = none came */
	unsigned fail;	   /* FAIL_*, 0 = it answered */
	const char *error_type; /* of a header of its answer, or NULL */
	const char *reason; /* for the record: "429", "timeout" … */
	struct usage usage;
	int64_t text_bytes;
	int64_t cost;	   /* n$, -1 = not known */
	int64_t date;	   /* of an error's head, s since 1970, -1 */
	int64_t rest;	   /* retry-after it asked for, µs, -1 */
	enum finish finish;

	/* While it runs. */
	struct token_wait wait; /* for the provider's credential */
	struct token token;	/* what it was asked with, as the request lives */
	struct call *call;
	struct arena *arena;
	struct stream reader;
	struct frames frames;
	struct buf body;   /* of an answer that is not a stream */
	bool streaming;	   /* the body is read as events */
	bool judged;	   /* what kind of body it is is known */
};

struct forward {
	struct attempt *first, *current; /* a list, the last is current */
	size_t next;	   /* place in the plan */
	unsigned count;	   /* attempts so far */
	bool renewed;	   /* a refused credential was fetched anew: once */
	bool committed;	   /* content went to the client */
	bool whole;	   /* the answer is complete */
	bool finished;	   /* nothing further to wait for */
	struct stream writer;
	struct buf out;	   /* stream bytes not yet sent */
	struct upstream_error error; /* of the last attempt, text in the arena */
	struct ratelimits limits;    /* as the last answer told them */
	int64_t retry_after; /* least one asked by a provider, µs, -1 */
	int64_t deadline;  /* of all attempts, clock_mono */
	int64_t content;   /* when the last content came, clock_mono */
	int64_t quiet;	   /* when the client last got a byte, clock_mono */
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

#endif
