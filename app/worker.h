/*
 * A worker: one event loop with everything on it, and what its requests
 * share. There are as many workers as processes.
 */
#ifndef TOLLGATE_APP_WORKER_H
#define TOLLGATE_APP_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "adapters/adapter.h"
#include "policy/policy.h"

struct admin;
struct batches;
struct front;
struct health;
struct health_share;
struct keycache;
struct ledger;
struct recorder;
struct request;
struct tally;
struct tokens;
struct transport;
struct webhooks;

#define SEEN 1024 /* keys whose budget a worker remembers */

/* What a worker heard last of a key's tightest budget. */
struct seen {
	uint64_t key; /* hash of its name, 0 = none */
	int left;     /* per cent */
};

struct worker {
	uv_loop_t *loop;
	struct front *front;
	struct transport *transport;
	struct tokens *tokens;	/* credentials that are fetched */
	struct policy *policy;	/* the one in force */
	struct policy_env env;
	const char *policy_path;
	char refused_policy[160]; /* why a newer one is not, "" = none */
	int64_t loaded;		/* clock_wall of the one in force */
	struct health *health;
	struct health_share *health_share; /* with other hosts */
	struct keycache *keys;	/* of the store */
	struct ledger *ledger;	/* NULL: it cannot be opened */
	bool no_ledger;		/* that was told */
	int64_t unasked;	/* when that it does not answer was told */
	struct tally *tally;
	struct webhooks *webhooks;
	struct batches *batches;
	uint64_t seen_key[2];
	struct seen seen[SEEN];
	struct admin *admin;
	struct recorder *recorder;
	struct arena *scratch;	/* reset after every event */
	struct request *requests;
	unsigned drains;	/* attempts that go on though nobody listens */
	struct request *wake_first, *wake_last;
	uv_idle_t wake;
	uv_timer_t tick;	/* policy changes, drain */
	uv_timer_t leaving;
	int64_t close_by;	/* clock_mono: when leaving ends */
	uv_signal_t signals[4];
	uint64_t random;
	bool one_shot;		/* CGI */
	bool admin_only;	/* of a pool that answers the admin API alone */
	bool stopping;
	int64_t stop_by;	/* clock_mono */
};

/* Serve a listening socket, or (fd < 0) the one request of a CGI. Exit code. */
int worker_main(int listen_fd);

/* Run r's way on from the loop, soon, not from within this call. */
void worker_wake(struct worker *w, struct request *r);

void worker_remember(struct worker *w, struct request *r);
void worker_forget(struct worker *w, struct request *r);

/* Random bits, good for draws and names, not for secrets. */
uint64_t worker_random(struct worker *w);

/* /etc/tollgate/policy.yaml or $TOLLGATE_POLICY. */
const char *policy_path(void);

#endif
