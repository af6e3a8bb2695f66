/*
 * What an answer that goes to the client as it came tells of the units that
 * its row of the policy has a price for. It looks on, and changes nothing.
 */
#ifndef TOLLGATE_APP_METER_H
#define TOLLGATE_APP_METER_H

#include <stdbool.h>
#include <stddef.h>

#include "app/base/buf.h"
#include "app/base/frames.h"
#include "policy/policy.h"

struct arena;

struct meter {
	const struct passage *passage; /* NULL: it has not begun */
	enum { METER_NOT, METER_WHOLE, METER_EVENTS } form;
	struct buf body;
	struct frames frames;
	struct arena *scratch;
	struct usage told;
	bool found[UNIT_COUNT];
};

/* type: of the answer's content. scratch is reset whenever it was used. */
void meter_begin(struct meter *m, const struct passage *p, const char *type,
    struct arena *scratch);
void meter_feed(struct meter *m, const char *p, size_t len);

/*
 * The answer is whole: what it told; of what it did not, or told as more than
 * four times the bound, the bound (u->estimated).
 */
void meter_end(struct meter *m, struct usage *u);

/* Frees what it holds; one that has not begun is fine. */
void meter_free(struct meter *m);

/* All of the bounds: what is owed where nobody tells. */
void meter_most(const struct passage *p, struct usage *u);

#endif
