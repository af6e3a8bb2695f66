/*
 * A plan in words: which deployments will be tried in which order, and why
 * each of the others is not among them. For `tollgate explain` and, of a live
 * request, for the header x-tollgate-explain.
 */
#ifndef TOLLGATE_APP_EXPLAIN_H
#define TOLLGATE_APP_EXPLAIN_H

#include <stddef.h>

#include "policy/route.h"

struct buf;

/*
 * The plan as one JSON object, appended to out: asked, rule, strategy,
 * attempts, order, context_window, content_policy, hedge, deployments (each
 * with its reason, expected price in USD and learned figures). e, f: what
 * plan_make answered; with an error there is a member error. now: clock_mono.
 * With most > 0 an object of more bytes is written without the figures, then
 * without the deployments that are in, and then with a few names of each list
 * and `counts`, how many are in and out for which reason.
 */
void explain_json(const struct plan *plan, enum err e, const struct fault *f,
    int64_t now, size_t most, struct buf *out);

/* The same as a table for a person. */
void explain_table(const struct plan *plan, enum err e,
    const struct fault *f, int64_t now, struct buf *out);

/* "cheapest" */
const char *strategy_word(enum strategy s);

#endif
