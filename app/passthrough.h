/*
 * Requests of a provider's own API below /passthrough/{provider}/: whether the
 * key may, which row of the policy it is, and what of the request goes on.
 */
#ifndef TOLLGATE_APP_PASSTHROUGH_H
#define TOLLGATE_APP_PASSTHROUGH_H

#include "app/request.h"

struct route_facts;

/*
 * Make chat.raw of the request. ERR_NOT_ALLOWED: its key may not;
 * ERR_NOT_FOUND: the policy has no such path; ERR_BAD_METHOD: only others of
 * it (r->allow); ERR_BAD_REQUEST: path, query or body are none that go on.
 */
enum err passthrough_read(struct request *r);

/*
 * Its plan: the provider, alone, once. ERR_NO_ROUTE: it is not where, or keeps
 * what, key or request demand; ERR_BAD_REQUEST: the row has no price, and money
 * is counted.
 */
enum err passthrough_plan(struct request *r, const struct route_facts *facts);

/*
 * A client's query as it goes on, from the arena: decoded and encoded anew,
 * without a key of ours. ERR_BAD_REQUEST: it is not well encoded, is too much,
 * or has what would stand for another credential or method.
 */
enum err passthrough_query(struct arena *a, const char *query,
    const char **out, struct fault *f);

#endif
