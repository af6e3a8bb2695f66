/*
 * Routing: which deployments answer this request, in which order. plan_make
 * is pure: policy, facts of the request, a view of health and a random draw
 * in; an ordered plan out, with the reason for each deployment that is not
 * in it. `tollgate explain` prints the very plan that a request gets.
 *
 * The way: rules (first match: another model) → filters (may it, can it,
 * does it fit, is it allowed to see this, is it well, is there time) → the
 * strategy's order → general fallbacks behind it.
 *
 * Every name that the client gives must be allowed to its key. Where a rule
 * or a fallback of the policy leads need not: its owner has decided that.
 * What is asked for as provider/model is sent there whatever the catalog
 * knows of it; only region and retention, health and time can keep it back.
 */
#ifndef TOLLGATE_POLICY_ROUTE_H
#define TOLLGATE_POLICY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/err.h"
#include "policy/policy.h"

struct arena;

/* What a request can tell of itself, looked up only when a rule asks. */
struct facts_calls {
	/* Estimated input tokens, 0.. */
	int64_t (*input_tokens)(void *arg);
	/* The same as a deployment counts them; NULL: as above. */
	int64_t (*input_tokens_at)(void *arg, const struct deployment *d);
	/* Text of the prompt (UTF-8, "" = none); lives as the request. */
	const char *(*prompt)(void *arg, enum prompt_part part, size_t *len);
	/* A request header by its name in lower case, or NULL. */
	const char *(*header)(void *arg, const char *name);
	/* A member of the request's metadata as text, or NULL. */
	const char *(*metadata)(void *arg, const char *name);
	/* Is that a tag of the request or of its key? */
	bool (*tag)(void *arg, const char *pattern);
	/* Per cent left of the key's tightest budget, < 0 = it has none. */
	int (*budget_left)(void *arg);
	/* Does a provider offer what is asked for at all? NULL: it does. */
	bool (*offered)(void *arg, const struct provider *p);
};

/* What of a request decides its way. Strings are "" when not given. */
struct route_facts {
	const struct vkey *key;
	const char *model;	  /* as the client named it */
	const char *const *more;  /* further models that the request names, in
				   * order: tried behind the first */
	size_t more_count;
	const char *endpoint;	  /* the operation: "chat", "messages" … */
	bool stream;
	bool tools;		  /* it brings tools that may act */
	bool free;		  /* it costs nothing: tokens are counted */
	bool prices;		  /* somebody wants to see expected prices */
	unsigned needs;		  /* CAP_* */
	int64_t max_output;	  /* tokens, 0 = not bounded by the client */
	bool apart;		  /* no chat: its texts need not fit in a window
				   * together, and max_output is all it has */
	int64_t input_bytes;	  /* of the body: no more tokens than these, 0
				   * = not known */
	const char *user;	  /* end user, where the key may name one */
	const char *session;	  /* x-tollgate-session */
	const char *region;	  /* x-tollgate-region: beside the key's */
	bool no_retention;	  /* x-tollgate-retention: none */
	int64_t wall;		  /* µs since 1970 */
	int64_t left;		  /* µs until its deadline, INT64_MAX = none */
	uint64_t draw;		  /* random */
	const struct facts_calls *calls; /* NULL: nothing more is known */
	void *arg;
};

/* How a deployment stands at this moment. */
struct standing {
	int64_t cooling;    /* µs of clock_mono until which it rests, 0 = not */
	unsigned why;	    /* FAIL_* for which it rests, or did until now */
	bool probing;	    /* it may be back, and one request is finding out */
	unsigned in_flight; /* attempts under way, of all workers */
	int64_t ttft;	    /* learned of late, µs, 0 = nothing */
	int64_t p50, p90, p95; /* of TTFT, µs, 0 = too few samples */
	int64_t speed;	    /* output tokens a second × 1000, 0 = nothing */
	unsigned success;   /* per mille of the last minute, 1000 when none */
	uint64_t requests, failures; /* of the last minute */
	bool capped;	    /* its provider's money is used up for now */
};

/* The view of health that a plan is made with. */
struct route_view {
	void (*look)(void *arg, const struct deployment *d,
	    struct standing *out); /* out zeroed, success 1000 */
	/* Output tokens that answers of this model have of late, 0 = unknown. */
	int64_t (*expected_output)(void *arg, const char *model);
	/* Share of input read from caches of late, per mille. */
	unsigned (*cached_share)(void *arg, const struct deployment *d);
	void *arg;
	int64_t now; /* µs of clock_mono */
};

/* Why a deployment is not in the plan. */
enum out {
	OUT_NOT,	/* it is in */
	OUT_TWICE,	/* it stands before already */
	OUT_FORBIDDEN,	/* the key may not use the model it stands for */
	OUT_DOOR,	/* its provider has nothing of the kind */
	OUT_CAPABILITY,
	OUT_CONTEXT,	/* the request surely does not fit */
	OUT_REGION,
	OUT_RETENTION,
	OUT_SCORE,	/* below what the model requires, or not known */
	OUT_UNPRICED,	/* it has no price, and money is counted */
	OUT_CAPPED,	/* its provider's budget is used up */
	OUT_COOLING,
	OUT_PROBING,
	OUT_DEADLINE,	/* its learned p90 TTFT does not fit in what is left */
	OUT_REASONS
};

/* "cooling": the word for explanations. */
const char *out_word(enum out o);

/* A deployment that was looked at. */
struct candidate {
	const struct deployment *deployment;
	enum fallback_kind kind; /* which list it comes from; FALLBACK_GENERAL
				  * also for the targets themselves */
	bool target;		 /* of the model's own targets */
	enum out out;
	int64_t price;		 /* expected n$ of this request, -1 = unknown
				  * or not asked for */
	double score;		 /* the first demand's, NAN = none */
	struct standing standing;
};

struct plan {
	const struct model *model;	 /* NULL: asked by provider/model */
	const struct rule *rule;	 /* that matched, or NULL */
	const char *asked;		 /* what is used: a model's name */
	const struct deployment **order; /* the ones to try, first to last */
	size_t count;
	/* To be tried after a failure of that kind (not GENERAL: in order). */
	const struct deployment **instead[FALLBACK_KINDS];
	size_t instead_count[FALLBACK_KINDS];
	const struct timeouts *timeouts; /* the policy's: lives with it */
	unsigned attempts;		 /* at most */
	bool strict;
	bool cooled; /* all are cooling: the least bad is tried once */
	const struct hedge *hedge; /* NULL: none for this request */
	struct candidate *all;	   /* everything that was looked at */
	size_t all_count;
};

/*
 * Make the plan for a request; memory from the arena. Fails with
 * ERR_FORBIDDEN (the key may not), ERR_MODEL_NOT_FOUND, ERR_NO_ROUTE (nothing
 * is left that may and can), ERR_BAD_REQUEST (what is left has no price, and
 * money is counted; out->all is set with these two and tells why) or
 * ERR_INTERNAL (memory), param "model". Stable: equal inputs, equal plan.
 */
enum err plan_make(const struct policy *p, const struct route_facts *facts,
    const struct route_view *view, struct arena *a, struct plan *out,
    struct fault *f);

#endif
