/*
 * What a request will cost at a deployment, before anyone has answered it:
 * from its estimated input, what of such input was read from the provider's
 * cache of late, and the output that answers of its model have of late.
 */
#ifndef TOLLGATE_POLICY_FORECAST_H
#define TOLLGATE_POLICY_FORECAST_H

#include <stdint.h>

#include "policy/policy.h"

#define FORECAST_OUTPUT 500 /* tokens of an answer when none was seen yet */

struct forecast {
	int64_t input;	/* tokens, all of them */
	unsigned cached; /* per mille of them read from a cache */
	int64_t output;	/* tokens, FORECAST_OUTPUT when nothing is known */
	int64_t bound;	/* of the output by the client, 0 = none */
};

/* n$ of such a request at d, or -1 when its price is not known. */
int64_t forecast_price(const struct deployment *d, const struct forecast *f);

#endif
