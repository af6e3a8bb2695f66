/* Headers signed by HMAC, as the policy's `auth:` describes them. Pure. */
#ifndef TOLLGATE_APP_HMAC_H
#define TOLLGATE_APP_HMAC_H

#include <stdint.h>

#include "adapters/adapter.h"

struct arena;

/*
 * Sign the call with the provider's key and add the headers of its form.
 * now: milliseconds since 1970. ERR_INTERNAL: no room or no memory.
 */
enum err hmac_sign(struct arena *a, const struct provider *p, int64_t now,
    struct http_call *call);

#endif
