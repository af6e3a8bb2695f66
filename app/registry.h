/*
 * What the house must remember of things that providers keep for its keys:
 * files and batches. A record is a text under an id; it belongs to an owner,
 * may be due at a time (an open batch wants to be looked at), and is
 * forgotten at another. In the store of the policy, for all its hosts:
 *
 *	Redis     tollgate:{kept}:r:ID      record; expires when it is forgotten
 *	          tollgate:{kept}:o:OWNER   sorted set of ids by their making
 *	          tollgate:{kept}:due       sorted set of ids by when due
 *	          tollgate:{kept}:b:ID      hash of the pieces of a body
 *	embedded  the tables record and piece of kept.db
 *
 * Bodies are kept in pieces, sealed by their owner (app/spool.h): nothing here
 * can read them. All of them together have REGISTRY_BODIES bytes at most.
 *
 * Two stores, one contract; single-threaded, on the loop. Every answer comes
 * once, maybe before the call returns. Times are µs since 1970.
 */
#ifndef TOLLGATE_APP_REGISTRY_H
#define TOLLGATE_APP_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "app/base/err.h"

struct registry;

#define REGISTRY_TEXT (256 << 10) /* bytes of a record */
#define REGISTRY_PAGE 100	  /* records of a list */
#define REGISTRY_BODIES (INT64_C(256) << 20) /* beside a ledger in a Redis */

struct registry_setup {
	uv_loop_t *loop;
	const char *store; /* of the policy; "" = embedded */
	const char *dir;   /* the state directory; NULL: none */
	int patience;	   /* ms for a Redis, 0 = STORE_COMMAND_MS */
};

struct registry_row {
	const char *id, *owner;
	int64_t made, due, forget; /* due 0: never */
	const char *text;
};

/* NULL: the fault tells why. Opens nothing yet. */
struct registry *registry_open(const struct registry_setup *setup,
    struct fault *f);

/* Questions under way are answered with ERR_KEPT first. NULL is fine. */
void registry_close(struct registry *rg);

/*
 * A text that was found, or NULL: there is none, or (of what changes
 * something) it is done. ERR_KEPT: the store cannot be asked; why is for the
 * log. The text ends with the call.
 */
typedef void registry_fn(void *arg, enum err e, const char *text, size_t len,
    const char *why);

/*
 * Write a record. was "": there must be none; else it must be this one, or
 * nothing is written: ERR_CONFLICT. NULL: whatever is there.
 */
void registry_put(struct registry *rg, const struct registry_row *row,
    const char *was, registry_fn *fn, void *arg);

void registry_get(struct registry *rg, const char *id, registry_fn *fn,
    void *arg);
void registry_drop(struct registry *rg, const char *id, const char *owner,
    registry_fn *fn, void *arg);

/*
 * The owner's records, the newest first, at most n of those behind the id
 * `after` ("" = from the first; one that is not there: none); text NULL at
 * the end.
 */
void registry_list(struct registry *rg, const char *owner, const char *after,
    unsigned n, registry_fn *fn, void *arg);

/*
 * One record that is due now, for the asker alone until `until`: it is due
 * again then, unless it was written before.
 */
void registry_due(struct registry *rg, int64_t now, int64_t until,
    registry_fn *fn, void *arg);

/* Pieces of a body 0.., and all of them gone. ERR_TOO_LARGE: no room. */
void registry_keep(struct registry *rg, const char *id, unsigned n,
    const char *p, size_t len, int64_t forget, registry_fn *fn, void *arg);
void registry_piece(struct registry *rg, const char *id, unsigned n,
    registry_fn *fn, void *arg);
void registry_lose(struct registry *rg, const char *id, registry_fn *fn,
    void *arg);

#endif
