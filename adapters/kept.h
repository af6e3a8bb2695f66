/*
 * Answers that a provider keeps, themselves: read again, deleted, cancelled,
 * their input listed (platform.openai.com/docs/api-reference/responses: get,
 * delete, cancel, input-items, read 2026-11). A surface whose requests have no
 * body: the id stands in the path, settings in the query. What an answer cost
 * was paid when it was made, so nothing of this is.
 */
#ifndef TOLLGATE_ADAPTERS_KEPT_H
#define TOLLGATE_ADAPTERS_KEPT_H

#include "adapters/adapter.h"

#define KEPT_DOOR "kept"
#define KEPT_DIALECT "responses" /* of providers that keep any */

/*
 * As a surface: chat.word is what to do ("retrieve", "delete", "cancel",
 * "input_items"), chat.path the client's id. As a provider: chat.previous_own
 * is the provider's.
 */
extern const struct adapter adapter_kept;

#endif
