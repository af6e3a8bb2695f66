/*
 * What of a request decides its way, gathered for plan_make: some of it at
 * once, the rest (texts of the prompt, estimates, metadata) when a rule asks.
 * The command line gathers the same from a file, so that `tollgate explain`
 * shows the plan that a request would get.
 */
#ifndef TOLLGATE_APP_FACTS_H
#define TOLLGATE_APP_FACTS_H

#include <stddef.h>
#include <stdint.h>

#include "adapters/chat.h"
#include "policy/route.h"

struct arena;
struct health;

#define FACTS_MODELS 16 /* further models that a request may name */

/* Where facts come from. Everything outlives the facts. */
struct facts_source {
	struct arena *arena;
	const struct vkey *key;
	struct chat *chat; /* read_request is done; read whole when needed */
	const char *operation;
	/* A header by its CGI name ("HTTP_X_TEAM"), or NULL. */
	const char *(*header)(void *arg, const char *name);
	void *arg;
	struct health *health;
	int64_t wall, mono; /* now: clock_wall, clock_mono */
	int64_t arrived;    /* clock_mono */
	uint64_t draw;
	int budget_left; /* per cent of the key's tightest, -1 */
	bool prices;	 /* somebody wants to see expected prices */
};

/* What was looked up is kept here. */
struct facts {
	struct facts_source from;
	struct route_facts route; /* its arg is this struct */
	struct route_view view;	  /* the same */
	int64_t deadline;	  /* that the client set, clock_mono, INT64_MAX */
	struct {
		const char *p;
		size_t len;
	} prompts[PROMPT_PARTS];
	struct json metadata; /* of the header; text NULL = none */
};

/*
 * Fill f for plan_make(…, &f->route, &f->view, …). ERR_BAD_REQUEST: a header
 * of ours (x-tollgate-timeout, -metadata, -retention) says nothing usable;
 * its name is the param.
 */
enum err facts_gather(struct facts *f, const struct facts_source *from,
    struct fault *fault);

/*
 * Take the lists `models` and `fallbacks` out of a request's document: what
 * they name goes to chat->more, the rest is parsed anew as chat->doc, so that
 * no provider sees them. A request without `model` asks for the first of
 * `models`, unless its path names one. Does nothing when there is neither.
 * Before read_request; chat->path is set.
 */
enum err facts_narrow(struct arena *a, struct chat *chat,
    struct fault *fault);

#endif
