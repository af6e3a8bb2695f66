/*
 * Ids of answers that a provider keeps, to be gone on with later. All keys
 * of the gateway share the provider's account, so that who knows an id could
 * go on with another's answer. Therefore the client gets the id with a proof
 * behind it, of the key that it belongs to and of the provider that keeps
 * the answer: "resp_123_tg0f…" (32 hex digits of HMAC-SHA-256). Nothing is
 * stored; every host with the policy's pepper can check it.
 */
#ifndef TOLLGATE_ADAPTERS_OWNED_H
#define TOLLGATE_ADAPTERS_OWNED_H

#include <stddef.h>

#include "adapters/chat.h"

struct arena;

struct owner {
	const unsigned char *secret; /* the pepper; NULL: nothing is bound */
	size_t secret_len;
	const char *key;      /* name of the virtual key */
	const char *provider; /* name of the provider */
};

/* The id as the client gets it; NULL only when memory is short. */
const char *owned_id(struct arena *a, const struct owner *o, struct str id);

/*
 * The provider's id of one that a client gave back; NULL: it is not of that
 * key at that provider (or memory is short).
 */
const char *owned_open(struct arena *a, const struct owner *o,
    struct str given);

#endif
