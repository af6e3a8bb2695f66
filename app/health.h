/*
 * How deployments stand: who rests and until when, how fast each answers, how
 * many attempts are under way, how often it fails. One table for all workers
 * of a host (a shared mapping in the state directory; memory of its own
 * where there is none). Nothing here is a promise about money: it may be lost.
 *
 * Times are µs of clock_mono unless said otherwise.
 */
#ifndef TOLLGATE_APP_HEALTH_H
#define TOLLGATE_APP_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "policy/route.h"

struct health;

/* dir: the state directory, or NULL. NULL only when memory is short. */
struct health *health_open(const char *dir);

/*
 * The table that is there already, to be looked at by a person; it is never
 * made. NULL: there is none that is sound.
 */
struct health *health_watch(const char *dir);
void health_free(struct health *h);

/*
 * How d stands now; `capped` is not known here. Its times are those of
 * streams or of whole answers, whose first content is all of them.
 */
void health_look(struct health *h, const struct deployment *d, bool whole,
    int64_t now, struct standing *out);

/*
 * The learned TTFT that `percent` (1..99) of d's answers keep, µs; 0 when
 * there are too few to tell.
 */
int64_t health_quantile(struct health *h, const struct deployment *d,
    bool whole, unsigned percent, int64_t now);

/* What kind of attempt begins. */
enum claim {
	CLAIM_FIRST, /* of a request, or the first of it at this deployment */
	CLAIM_AGAIN, /* at a deployment that has failed this request before:
		      * takes from its retry budget, a fifth of the other
		      * attempts there and 36, a minute */
	CLAIM_HEDGE, /* beside another one */
	/*
	 * All rest: the least bad is tried all the same. Where it rests for a
	 * 429, a lack of money or a refused credential, by one request at a
	 * time over all workers, as an early probe.
	 */
	CLAIM_LAST
};

/*
 * An attempt at d is about to begin. False: not now (it rests, another
 * request is its probe, or the retry budget is spent). True: it counts as
 * under way until health_end; *probe tells whether it is the one that finds
 * out if d is back.
 */
bool health_claim(struct health *h, const struct deployment *d,
    enum claim claim, int64_t now, bool *probe);

/*
 * The first content of a probe has come: the deployment is back, however long
 * its answer will be. Not needed, but others need not wait for the end.
 */
void health_back(struct health *h, const struct deployment *d, int64_t now);

/* How an attempt that was claimed ended. */
struct outcome {
	bool served;	  /* it answered */
	bool silent;	  /* neither good nor bad: the client left, it lost a
			   * race, the request was at fault */
	bool probe;	  /* as health_claim told */
	bool whole;	  /* no stream was asked for */
	unsigned fail;	  /* FAIL_*, when not served */
	/*
	 * µs that the provider asked for, -1 = none: a 429 then rests 1 s,
	 * twice as long each time it is repeated.
	 */
	int64_t rest;
	/*
	 * µs from sent to first content, 0 = none came. Of one that lost its
	 * race before any: to its end, for it would have taken longer still;
	 * else what is learned is of the fast ones only.
	 */
	int64_t ttft;
	int64_t tokens;	  /* output tokens, 0 = unknown */
	int64_t duration; /* first content → end, µs */
	int64_t input, cached; /* input tokens, all and read from a cache */
};

void health_end(struct health *h, const struct deployment *d,
    const struct outcome *o, int64_t now);

/*
 * May one more request of this model be doubled? Counts it as doubled when
 * so. share: per cent of the model's requests of the last five minutes (as
 * health_answered counts them; 100: no bound); money: n$ an hour (0 = no
 * bound), of which `price` (n$, -1 = unknown: then money must be 0) is taken.
 */
bool health_hedge(struct health *h, const char *model, unsigned share,
    int64_t money, int64_t price, int64_t now);

/* A request of this model was answered with so many output tokens. */
void health_answered(struct health *h, const char *model, int64_t tokens);

/*
 * Is this (a hash that all processes make alike) to be warned of? Not if any
 * process of the host was told so before. Counts those that are.
 */
bool health_warn(struct health *h, uint64_t what);
uint64_t health_warnings(struct health *h);

/* Output tokens of its answers of late, 0 = unknown. */
int64_t health_expected_output(struct health *h, const char *model);

/* Share of input tokens of late that d read from a cache, per mille. */
unsigned health_cached_share(struct health *h, const struct deployment *d);

/*
 * Forget what is held against a deployment (or, NULL, against all); how many
 * were found.
 */
size_t health_pardon(struct health *h, const char *id);

/* Sums since the table was made, for /metrics. */
struct health_sums {
	uint64_t attempts, served, hedges, probes;
	uint64_t failed[16];	/* by bit of FAIL_* */
	uint64_t given_up;	/* neither: lost a race, the client left */
	uint64_t input, output; /* tokens */
};

/*
 * For those who share rests with other hosts. fn is called when an attempt of
 * this process made a deployment rest (fail: why, rest: µs), or ended its
 * rest (rest 0). NULL: nobody asks any more.
 */
typedef void health_tell_fn(void *arg, const struct deployment *d,
    unsigned fail, int64_t rest);
void health_tell(struct health *h, health_tell_fn *fn, void *arg);

/* Another host says that d rests until then; says so no more. */
void health_elsewhere(struct health *h, const struct deployment *d,
    unsigned fail, int64_t until, int64_t now);
void health_returned(struct health *h, const struct deployment *d,
    int64_t now);

/* Whose turn is it, of all workers of this host, this second? */
bool health_turn(struct health *h, int64_t now);

/* This host's table, by a random number that all its workers know. */
uint64_t health_host(struct health *h);

/* FAIL_RATE → "rate": the first bit of them; "none" for none of FAIL_WORDS. */
#define FAIL_WORDS 12
const char *fail_word(unsigned fail);

/* Every deployment that was ever asked, in no order. */
typedef void health_fn(void *arg, const char *id,
    const struct standing *st, const struct health_sums *sums);
void health_each(struct health *h, int64_t now, health_fn *fn, void *arg);

/*
 * What `retry-after-ms` and `Retry-After` (seconds, or an HTTP date; RFC
 * 9110 §10.2.3) ask for, in µs, 0..LIMIT_RETRY_AFTER seconds; -1 when neither
 * says anything usable. Either may be NULL; wall is µs since 1970.
 */
int64_t retry_after(const char *ms, const char *value, int64_t wall);

#endif
