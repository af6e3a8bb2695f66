/* The expected price of a request. */
#include "policy/forecast.h"

#include <string.h>

static int64_t
least(int64_t n, int64_t bound)
{
	return bound > 0 && bound < n ? bound : n;
}

int64_t
forecast_price(const struct deployment *d, const struct forecast *f)
{
	unsigned share = f->cached < 1000 ? f->cached : 1000;
	struct usage u;

	if (!d->price.known)
		return -1;
	memset(&u, 0, sizeof u);
	u.known = true;
	u.estimated = true;
	/* In two parts, so that no number of tokens is too large. */
	u.n[UNIT_CACHED_INPUT] = f->input / 1000 * share +
	    f->input % 1000 * share / 1000;
	u.n[UNIT_INPUT] = f->input - u.n[UNIT_CACHED_INPUT];
	u.n[UNIT_OUTPUT] = least(least(f->output, f->bound), d->max_output);
	u.n[UNIT_REQUEST] = 1;
	return price_cost(&d->price, &u);
}
