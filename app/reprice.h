/*
 * What was used, at the prices of today: rows of the ledger against the
 * policy's deployments. A row tells the model that was used (an alias, or
 * provider/model) and the provider; where that provider has one price for it,
 * the row's counts are multiplied anew.
 *
 * A day's row has no more than requests, input, output and cached tokens. So
 * a new cost is exact (but for the rounding of each request, below 1 n$) when
 * the price knows no other kinds; with tiers, written caches, reasoning or
 * fees of their own it is what these counts alone come to. Pure.
 */
#ifndef TOLLGATE_APP_REPRICE_H
#define TOLLGATE_APP_REPRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct buf;
struct policy;
struct usage_row;

enum reprice_kind {
	REPRICE_EXACT,
	REPRICE_ABOUT,	 /* the price has more kinds than the row has counts */
	REPRICE_UNKNOWN, /* the policy has no such model there any more, or no
			  * price, or several: nothing is changed */
	REPRICE_KINDS
};

/* What one row comes to now; *cost is untouched when that is not known. */
enum reprice_kind reprice_row(const struct policy *p, struct arena *scratch,
    const struct usage_row *row, int64_t *cost);

/* Rows as they are gathered: of the same words, added up. */
struct reprice; /* opaque */
struct reprice *reprice_new(const struct policy *p); /* NULL: no memory */
void reprice_free(struct reprice *r);
bool reprice_add(struct reprice *r, const struct usage_row *row);

/* All are there: what each comes to. */
void reprice_run(struct reprice *r);

/* A table: model, provider, what it was, is, and how it is known. */
void reprice_write(const struct reprice *r, struct buf *out);

/*
 * The next row to be added to the usage, all zeros but its cost (which may be
 * negative), so that it is right; *i is 0 at first. False: there are no more.
 */
bool reprice_change(const struct reprice *r, size_t *i,
    struct usage_row *out);

#endif
