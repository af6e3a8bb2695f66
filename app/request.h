/*
 * A request on its way: what each step found, kept until the last step has
 * recorded it. The way itself is in pipeline.c.
 */
#ifndef TOLLGATE_APP_REQUEST_H
#define TOLLGATE_APP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "adapters/adapter.h"
#include "adapters/chat.h"
#include "app/base/buf.h"
#include "app/base/err.h"
#include "app/front.h"
#include "app/keycache.h"
#include "policy/policy.h"
#include "policy/route.h"

struct admission;
struct admin_job;
struct filed;
struct forward;
struct request;
struct upload;
struct worker;

/* What a step says: on to the next; enter me again; this was the last. */
enum verdict { GO, WAIT, DONE };

/* A door of the house: a row of the table in endpoint.c. */
struct endpoint {
	const char *method;
	const char *path;      /* ends in '/': the rest is a name, with
				* slashes or not; '*': a name without,
				* but before a ':' */
	const char *surface;   /* adapter whose shapes are spoken here */
	const char *word;      /* "messages": in rules */
	const char *operation; /* "chat": in records */
	bool open;	       /* no key needed */
	bool admin;	       /* the admin credential was shown */
	/* Answered by the house itself; NULL: by a provider. */
	enum verdict (*serve)(struct request *r);
};

struct request {
	unsigned magic;
	struct worker *worker;
	struct request *prev, *next; /* all of the worker's */
	struct request *woken;	     /* the worker's queue of wake-ups */
	bool queued;
	struct exchange *x;    /* not after answer_close */
	struct arena *arena;
	struct policy *policy; /* one version from start to end */
	size_t step;	       /* place on the way */
	int64_t arrived;       /* clock_mono */

	/* route */
	const char *id;		/* x-request-id */
	const struct endpoint *endpoint;
	const struct adapter *surface;
	const char *name;	/* in the path, "", decoded but of a raw
				 * surface */
	const char *query;	/* "" */

	/* serve */
	struct admin_job *admin_job; /* of the admin API */

	/* authenticate, read, plan */
	const struct vkey *key;	/* of the policy, or of the store: */
	struct issued *issued;
	enum { KEY_UNASKED, KEY_ASKED, KEY_TOLD } key_state;
	struct key_wait key_wait;
	struct upload *upload;	/* of a form that goes on as it comes, or NULL */
	struct chat chat;
	struct plan plan;
	const char *explanation; /* of the plan, when it was asked for */
	int64_t deadline;	 /* that the client set, clock_mono */

	/* admit */
	struct admission *admission; /* NULL until it is asked for */

	/* forward */
	struct forward *forward; /* NULL until a provider is asked */
	uv_timer_t timer;
	bool timer_open;
	bool full;		 /* the client's queue is full: pause */
	bool gone;		 /* the client left */

	struct filed *filed;	 /* of files and batches, in its place */

	/* answer */
	enum err err;
	struct fault fault;
	bool begun;		 /* the head went out */
	int status;		 /* that was sent, 0 = none */
	int64_t retry_after;	 /* seconds for the client, 0 = none */
	bool hopeless;		 /* the client need not ask again */
	const char *allow;	 /* methods, with ERR_BAD_METHOD */
	uint64_t bytes_out;
	int64_t ended;		 /* clock_mono */
};

#define REQUEST_MAGIC 0x70111ea7U

/* Note an error and end the way: `return request_fail(r, …)` in a step. */
enum verdict request_fail(struct request *r, enum err e, const char *param,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* End the way with the fault that a function filled in. */
enum verdict request_fault(struct request *r, enum err e);

/* A request header by its CGI name ("HTTP_X_REQUEST_ID"), or NULL. */
const char *request_header(const struct request *r, const char *name);

#endif
