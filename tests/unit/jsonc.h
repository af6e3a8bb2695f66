/*
 * The second opinion: json-c reads the same text, and the two trees are
 * walked side by side.
 */
#ifndef TOLLGATE_TESTS_JSONC_H
#define TOLLGATE_TESTS_JSONC_H

#include "app/base/json.h"

/* NULL when json-c sees in the text what doc says, else what differs. */
const char *jsonc_differs(const struct json *doc);

#endif
