/*
 * Telling a Redis that has lost its counters, or that is new, what this host
 * has used (app/lua/rebuild.lua).
 */
#ifndef TOLLGATE_APP_LEDGER_REBUILD_H
#define TOLLGATE_APP_LEDGER_REBUILD_H

#include <stdbool.h>

#include "app/ledger_journal.h"
#include "app/store.h"

/* How it ended: the epoch that holds now, or NULL and why not. */
typedef void rebuild_fn(void *arg, const char *epoch, const char *why);

struct rebuild;

struct rebuild *rebuild_new(uv_loop_t *loop, struct store *store,
    struct journal *j, rebuild_fn *fn, void *arg);

/* Begin, unless it is under way. */
void rebuild_start(struct rebuild *r);
bool rebuild_running(const struct rebuild *r);

/* After the store was closed. NULL is fine. */
void rebuild_free(struct rebuild *r);

#endif
