/*
 * Secret references: env:NAME, file:/path, plain:text. A secret is only ever
 * in a vault; no message holds any part of one, nor of a text that should
 * have been a reference.
 */
#ifndef TOLLGATE_POLICY_SECRET_H
#define TOLLGATE_POLICY_SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct load;
struct node;
struct vault;

/*
 * The secret that a scalar refers to, in the vault, of at most max bytes;
 * lines: it may have several. NULL when there is none: the diag has heard
 * why (with check_only, a missing one is but a warning).
 */
const char *secret_read(struct load *l, const struct node *n,
    struct vault *vault, size_t max, bool lines);

/*
 * The same for an environment variable: the first that is set of those that
 * names has, with one blank between them.
 */
const char *secret_env(struct load *l, const struct node *n,
    const char *names, size_t max);

/* Is one of them set, and to be looked at? */
bool secret_env_set(const struct load *l, const char *names);

/* Does the text begin like a reference that secret_read would take? */
bool secret_is_reference(const char *text);

/*
 * The pepper of the state directory as text, made when it is not there (not
 * with check_only). NULL: none, and *why (static or from the arena) tells.
 */
const char *secret_pepper(struct load *l, const char **why);

#endif
