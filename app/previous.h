/* Going on with an answer that a provider keeps. */
#ifndef TOLLGATE_APP_PREVIOUS_H
#define TOLLGATE_APP_PREVIOUS_H

#include "app/request.h"

struct route_facts;

/* Whose answers a provider's are: the request's key's. */
void previous_owner(const struct request *r, const struct provider *p,
    struct owner *out);

void previous_owner_named(const struct request *r, const char *provider,
    struct owner *out);

/*
 * Step: when the request goes on with a kept answer, only the provider that
 * keeps it stays in the plan; when no such answer is this key's, 404. Where
 * no provider of the plan keeps any, adapters say what they cannot take.
 */
enum verdict previous_check(struct request *r);

/*
 * The plan of a request for the kept answer chat.path itself: the provider
 * that keeps it, alone, free of charge; its id is chat.previous_own then.
 * ERR_NOT_FOUND: the answer is not this key's, or nobody keeps it;
 * ERR_FORBIDDEN, ERR_BAD_REQUEST: key or request demand that nothing is kept;
 * ERR_NO_ROUTE: it is in a region where this request may not go.
 */
enum err previous_plan(struct request *r, const struct route_facts *facts);

/* --- what that is made of, for all that providers keep --- */

/*
 * Who keeps what the id names, by the proof behind it: the key's own. NULL:
 * nobody, or it is another's. chat.previous_own is the provider's id then.
 */
const struct provider *previous_keeper(struct request *r, const char *id);

/*
 * May anything be kept for this request? ERR_FORBIDDEN, ERR_BAD_REQUEST.
 * what: "kept answers".
 */
enum err previous_retention(struct request *r,
    const struct route_facts *facts, const char *what);

/* The plan is that provider, without a model, free of charge. */
enum err previous_alone(struct request *r, const struct provider *p);

#endif
