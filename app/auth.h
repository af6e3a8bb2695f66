/* Who asks: the credential of a request and its virtual key. */
#ifndef TOLLGATE_APP_AUTH_H
#define TOLLGATE_APP_AUTH_H

#include "app/request.h"

/*
 * Step: find the key. It may come as Authorization: Bearer, x-api-key,
 * x-goog-api-key or ?key=; two different ones in a request are refused.
 */
enum verdict auth_check(struct request *r);

#endif
