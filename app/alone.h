/*
 * The plan of a request that names its provider itself, by a kept answer or
 * by a path: that one, and nobody else.
 */
#ifndef TOLLGATE_APP_ALONE_H
#define TOLLGATE_APP_ALONE_H

#include "app/request.h"

struct route_facts;

/* Is the provider where the key and the request demand it to be? */
bool alone_within(const struct request *r, const struct provider *p,
    const struct route_facts *facts);

/* Make it of this deployment (copied). asked: what usage calls it. */
enum err alone_plan(struct request *r, const struct deployment *d,
    const char *asked);

#endif
