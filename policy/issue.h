/*
 * Keys that stand in no file of the policy. Their settings are a row as those
 * of `keys:` are, by the same table, in JSON (or YAML), without `secret` and
 * `hash`; what they leave out they have from their tier.
 */
#ifndef TOLLGATE_POLICY_ISSUE_H
#define TOLLGATE_POLICY_ISSUE_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

struct arena;

#define ISSUE_ROW (32 << 10) /* bytes of a row at most */

/*
 * The key of a row under this policy, from the arena; its parts may point
 * into the policy, which must outlive it. Its hash is all zeros. NULL when
 * the row is wrong, its tier is not there, the policy has a key of its name,
 * or (strict) it names models that are not there: faults has one line for
 * each, "member: message". Looks at no secret.
 */
struct vkey *issue_key(const struct policy *p, const char *text, size_t len,
    bool strict, struct arena *a, struct buf *faults);

#endif
