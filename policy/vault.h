/*
 * Memory for secrets: its own pages, left out of core dumps and cleansed
 * before they go. Nothing is freed alone. The policy keeps one vault for the
 * secrets it needs, and the loader one for what it only looks at.
 */
#ifndef TOLLGATE_POLICY_VAULT_H
#define TOLLGATE_POLICY_VAULT_H

#include <stddef.h>

struct vault;

/* An empty vault of at most cap bytes, or NULL when memory is short. */
struct vault *vault_new(size_t cap);

/* Cleanse and end it; NULL is fine. */
void vault_free(struct vault *v);

/* n zero bytes, aligned for any object; NULL when there are none. */
void *vault_alloc(struct vault *v, size_t n);

/* A copy with a NUL behind it. */
char *vault_dup(struct vault *v, const char *p, size_t n);

#endif
