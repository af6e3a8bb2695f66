/*
 * The doors for files and batches. They go the way of every request up to
 * admission, with a plan of one provider: the one that the first request of
 * a batch leads to, or that keeps what is asked for, which is told by the proof
 * behind its id (adapters/owned.h). What is then asked of it is no chat with
 * its attempts but a call or two (app/ask.h) and a record of the registry, so
 * they take the place of forwarding. A batch has a hold of its own for what
 * its requests may cost; app/batches.h ends it.
 */
#ifndef TOLLGATE_APP_FILED_H
#define TOLLGATE_APP_FILED_H

#include "app/facts.h"
#include "app/request.h"

/* Is the request's door one of these? */
bool filed_is(const struct request *r);

/*
 * Its plan. Errors as those of plan_make and previous_plan; a batch whose
 * first line cannot be read is refused here.
 */
enum err filed_plan(struct request *r, const struct facts_source *from,
    const struct route_facts *facts);

/* Step: do it; WAIT while providers or the store are asked. Others: GO. */
enum verdict filed_run(struct request *r);

/* A door that no provider is asked for: lists. */
enum verdict filed_list(struct request *r);

/* The client's queue has room again; it left; the worker must leave. */
void filed_drained(struct request *r);
void filed_gone(struct request *r);
void filed_stop(struct request *r);

/* Closing step: nothing is under way any more. */
void filed_close(struct request *r);

#endif
