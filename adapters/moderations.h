/*
 * POST /v1/moderations as OpenAI defines it (its SDK's types and
 * recordings; the reference itself was not read): the surface, and providers
 * that speak the same. Mistral has categories of its own, which pass as they
 * are. An input is a text, a list
 * of texts, each a message, or a list of parts, together one message.
 */
#ifndef TOLLGATE_ADAPTERS_MODERATIONS_H
#define TOLLGATE_ADAPTERS_MODERATIONS_H

#include "adapters/adapter.h"

#define MODERATIONS_DOOR "moderations"
#define MODERATIONS_MODEL "omni-moderation-latest" /* where none is named */

extern const struct adapter adapter_moderations;

#endif
