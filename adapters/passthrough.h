/*
 * Requests of a provider's own API that go there as they came, whatever it
 * speaks: the surface and the provider in one. What may be sent is the
 * policy's to say and app/passthrough.c's to check; this one puts chat.raw
 * into a call, and gives the answer on byte by byte. Errors of ours have the
 * shape of OpenAI's.
 */
#ifndef TOLLGATE_ADAPTERS_PASSTHROUGH_H
#define TOLLGATE_ADAPTERS_PASSTHROUGH_H

#include "adapters/adapter.h"

#define PASSTHROUGH_DOOR "passthrough"

extern const struct adapter adapter_passthrough;

#endif
