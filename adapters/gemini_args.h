/*
 * Arguments of a call that come in parts (streamFunctionCallArguments): each
 * part tells by a JSONPath (RFC 9535, names and numbers only) which value it
 * is of, and strings come piece by piece. They are gathered into one object.
 */
#ifndef TOLLGATE_ADAPTERS_GEMINI_ARGS_H
#define TOLLGATE_ADAPTERS_GEMINI_ARGS_H

#include <stdbool.h>

#include "adapters/chat.h"

struct arena;
struct gemini_args;

/* Memory is the arena's. NULL: none. */
struct gemini_args *gemini_args_new(struct arena *a);

/*
 * Add the list `parts` (partialArgs). False: a path that is none, that
 * contradicts one before, or too many values; or no memory.
 */
bool gemini_args_add(struct gemini_args *g, const struct json *doc,
    uint32_t parts);

/* The object as text from the arena; p NULL: no memory. */
struct str gemini_args_text(const struct gemini_args *g, struct arena *a);

#endif
