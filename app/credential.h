/* Our credential for a provider: headers of a call, by its auth scheme. */
#ifndef TOLLGATE_APP_CREDENTIAL_H
#define TOLLGATE_APP_CREDENTIAL_H

#include "adapters/adapter.h"

struct arena;

/* Add the provider's credential and own headers to the call. */
enum err credential_add(struct arena *a, const struct provider *p,
    struct http_call *call);

/*
 * Blot out the provider's secret (plain, URL-encoded or base64) wherever it
 * stands in a text that came from the provider. In place.
 */
void credential_redact(const struct provider *p, char *text);

#endif
