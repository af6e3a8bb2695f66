/* Going on with an answer that a provider keeps. */
#ifndef TOLLGATE_APP_PREVIOUS_H
#define TOLLGATE_APP_PREVIOUS_H

#include "app/request.h"

/* Whose answers a provider's are: the request's key's. */
void previous_owner(const struct request *r, const struct provider *p,
    struct owner *out);

/*
 * Step: when the request goes on with a kept answer, only the provider that
 * keeps it stays in the plan; when no such answer is this key's, 404. Where
 * no provider of the plan keeps any, adapters say what they cannot take.
 */
enum verdict previous_check(struct request *r);

#endif
