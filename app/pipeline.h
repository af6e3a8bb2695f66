/* The way of a request. */
#ifndef TOLLGATE_APP_PIPELINE_H
#define TOLLGATE_APP_PIPELINE_H

struct exchange;
struct request;
struct worker;

/* Begin the way of a request that the front brought. */
void pipeline_begin(struct worker *w, struct exchange *x);

/* Go on where it waited. The request may be gone afterwards. */
void pipeline_run(struct request *r);

#endif
