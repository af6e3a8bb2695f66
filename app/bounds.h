/*
 * The most that a request can use: upper bounds of its tokens, so that what
 * is held covers what is billed.
 */
#ifndef TOLLGATE_APP_BOUNDS_H
#define TOLLGATE_APP_BOUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/chat.h"

struct arena;
struct deployment;

#define BOUNDS_SANE INT64_C(10000000) /* tokens that no request has */

struct bounds {
	int64_t input, output; /* tokens */
	int64_t searches;
	const int64_t *fees; /* [UNIT_COUNT]: images, seconds, characters; the
			      * request's own, NULL = none */
	bool writes; /* input may be written to a provider's cache */
	bool open;   /* its provider may read more than it was sent */
};

/*
 * Bound the chat's input, and its output by what the client set; where it set
 * nothing, by `most` tokens (or d's own maximum, if that is less), which are
 * then written into the request. Fails as adapter.bound_output does.
 */
enum err bounds_set(struct bounds *b, struct arena *a, struct chat *chat,
    const struct deployment *d, int64_t most, struct fault *f);

/*
 * Usage that its provider told and that is more than four times a bound
 * cannot be true: that side is the bound then. b NULL, and what a provider
 * reads beside the request: as if BOUNDS_SANE were the bound. True: it was
 * cut.
 */
bool bounds_cut(const struct bounds *b, struct usage *u);

/*
 * Has a stream gone on past its bound (tokens; 0: none) by more than 5 % and
 * 256 tokens, if a token has at most eight bytes, or four where as many events
 * came?
 */
bool bounds_past(int64_t bound, int64_t bytes, int64_t events);

/* What it can cost at d, n$, 0..INT64_MAX. */
int64_t bounds_cost(const struct bounds *b, const struct deployment *d);

#endif
