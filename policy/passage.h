/*
 * Paths below a provider's base URL: what of a client's may be sent there at
 * all, and which row of `passthrough:` it is. Pure; nothing is looked up.
 *
 * A path is taken in one form only, as servers differ in what they take for
 * the same: segments of letters, digits and "-._~!$&'()+,=:@" between single
 * slashes. So there is nothing in it that anybody decodes, and no segment of
 * dots, no empty one, no parameter (";") and no backslash.
 */
#ifndef TOLLGATE_POLICY_PASSAGE_H
#define TOLLGATE_POLICY_PASSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

#define PASSAGE_PATH 2048   /* bytes of a path */
#define PASSAGE_SEGMENTS 32 /* of it */

/*
 * A client's path (as it came, len bytes) in that form, into out, which has
 * room for len + 1 bytes: %XX of a letter, a digit, '-', '_' or '~' is that
 * character. False: there is something else in it, or it is too long.
 */
bool passage_path(const char *path, size_t len, char *out);

/*
 * NULL when a text is a pattern of such paths, else what is wrong with it. '*'
 * stands for one character or more but '/' and ':' (behind which Google has
 * its verbs); "**" as the whole last segment for all that may follow.
 */
const char *passage_flaw(const char *pattern);

bool passage_matches(const char *pattern, const char *path);

/*
 * The first row of the provider's that has path and method; NULL: none, and
 * methods are then the bits (enum method) that rows of this path have.
 */
const struct passage *passage_find(const struct provider *p,
    const char *path, const char *method, unsigned *methods);

/* The word of a method, or NULL. */
const char *passage_method(unsigned bit);

#endif
