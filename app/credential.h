/* Our credential for a provider: headers of a call, by its auth scheme. */
#ifndef TOLLGATE_APP_CREDENTIAL_H
#define TOLLGATE_APP_CREDENTIAL_H

#include "adapters/adapter.h"
#include "app/token.h"

struct arena;

/*
 * Add the provider's credential and own headers to the call. token: what
 * tokens_get gave (it must live as long as the call); wall: clock_wall. The
 * call must be complete otherwise: a signature covers it.
 */
enum err credential_add(struct arena *a, const struct provider *p,
    const struct token *token, int64_t wall, struct http_call *call);

/*
 * Blot out the provider's secrets and those of the token in force (NULL:
 * none) (plain, URL-encoded or base64) wherever it
 * stands in a text that came from the provider. In place.
 */
void credential_redact(const struct provider *p, const struct token *token,
    char *text);

#endif
