/*
 * Usage that no hold is about, gathered in the worker and given to the ledger
 * once a second: keys without limits cost the store nothing a request, and
 * are served while it is away. What a worker has not given when it is killed
 * is lost; it is of no key that has a budget.
 */
#ifndef TOLLGATE_APP_TALLY_H
#define TOLLGATE_APP_TALLY_H

#include "app/ledger.h"

struct tally;

struct tally *tally_new(void); /* NULL: short of memory */
void tally_free(struct tally *t);

/* Add rows; their words are copied. Rows of the same words become one. */
void tally_add(struct tally *t, struct ledger *l,
    const struct usage_row *rows, unsigned n);

/* Give all of it to the ledger. */
void tally_flush(struct tally *t, struct ledger *l);

#endif
