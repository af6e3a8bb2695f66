/*
 * One try at one deployment: its credential, its call, what became of it.
 * What its end means for the request is forward.c's to say.
 */
#ifndef TOLLGATE_APP_ATTEMPT_H
#define TOLLGATE_APP_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/adapter.h"
#include "app/base/buf.h"
#include "app/base/frames.h"
#include "app/meter.h"
#include "app/ratelimit.h"
#include "app/token.h"
#include "app/transport.h"

struct request;

#define ATTEMPT_HEADERS 7 /* of a raw answer that go on */

struct attempt {
	struct attempt *next;
	struct request *request;
	const struct deployment *deployment;
	const struct adapter *adapter;
	bool hedge; /* it was begun beside another one */
	bool probe; /* it finds out whether the deployment is back */

	/* For the record. µs of clock_mono, 0 = not yet. */
	int64_t started, sent, first_byte, first_content, last_byte, ended;
	int status;	   /* HTTP, 0 = none came */
	unsigned fail;	   /* FAIL_*, 0 = it answered or was given up */
	const char *error_type; /* of a header of its answer, or NULL */
	const char *reason; /* for the record: "429", "timeout" … */
	struct upstream_error error; /* text in the request's arena */
	const char *dropped; /* what the provider could not take, or NULL */
	struct ratelimits limits; /* as its answer told them */
	struct usage begun, told; /* as its provider said: at first, last */
	struct usage usage;	  /* as it is counted (relay_settle) */
	bool doubtful;		  /* the provider's word was not taken for it */
	int64_t text_bytes, contents; /* of content; events that had some */
	int64_t weight;		  /* text_bytes without what is large */
	int64_t cost;	   /* n$, -1 = not known */
	int64_t date;	   /* of an error's head, s since 1970, -1 */
	int64_t rest;	   /* retry-after it asked for, µs, -1 */
	enum finish finish;
	bool served;
	bool uploading; /* its request is still on the way */
	bool lost;    /* another one's content came first */
	bool left;    /* given up while it ran: its provider may go on */
	bool draining; /* it goes on, as its provider bills it to its end */
	bool excused; /* its failure says nothing about the deployment */

	/* What is too much for one call goes in several, one after another. */
	size_t part, parts; /* the one under way; 0 parts = one */
	struct reply sum;   /* of the parts that were answered */

	/* While it runs. */
	struct token_wait wait; /* for the provider's credential */
	struct token token;	/* what it was asked with, as the request lives */
	struct call *call;
	struct arena *arena;
	struct stream reader;
	struct frames frames;
	struct buf body;   /* of an answer that is not a stream */
	struct meter meter; /* of a raw answer */
	struct header headers[ATTEMPT_HEADERS]; /* the same */
	size_t header_count;
	int64_t length;	   /* of its body, -1 = not said */
	struct str said;   /* a raw error, without our credential */
	struct stream writer; /* towards the client */
	struct buf out;	   /* stream bytes not yet sent */
	int64_t content;   /* when the last content came, clock_mono */
	const char *type;  /* of a body of bytes, in the request's arena */
	bool streaming;	   /* the body is read as events */
	bool judged;	   /* what kind of body it is is known */
};

/* How it went that an attempt was to begin. */
enum attempt_begun {
	ATTEMPT_RUNS,	/* or has failed already: forward_failed was told */
	ATTEMPT_UNSAID,	/* the provider cannot be told this: r->fault */
	ATTEMPT_ERROR	/* ours: r->fault */
};

/* A new attempt of r, not yet begun; NULL: short of memory. */
struct attempt *attempt_new(struct request *r, const struct deployment *d);

/* Get its credential, then send it. */
enum attempt_begun attempt_begin(struct attempt *at);

/* All of its upload is given to the transport: the answer's time begins. */
void attempt_uploaded(struct attempt *at);

/* It failed for a reason of ours or of the wire; tells forward_failed. */
void attempt_fails(struct attempt *at, unsigned fail, const char *reason);

/*
 * Its client has left. True: it goes on, for the usage at its end (on_abort),
 * if the worker has a place for it (LIMIT_DRAINS).
 */
bool attempt_drain(struct attempt *at);

/* Give it up without a failure: another one won, the client left … */
void attempt_give_up(struct attempt *at, const char *reason);

/* It is over; what the record needs of it stays. */
void attempt_close(struct attempt *at);

/*
 * The nearest moment at which something of it is overdue (clock_mono), and
 * which limit has passed now, or NULL.
 */
int64_t attempt_due(const struct attempt *at);
const char *attempt_overdue(const struct attempt *at, int64_t now);

/*
 * Its provider's words without our credential, from the request's arena;
 * before they are cut to length, lest a part of it stays.
 */
const char *attempt_redacted(const struct attempt *at, const char *words);

#endif
