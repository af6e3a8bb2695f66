/*
 * Batches that are open: looked at, and settled when they have ended. Nobody
 * need ask for that: each worker asks the registry now and then for one that
 * is due, which is then its own for a while; and a client's question looks as
 * well. Whoever looks, and however many at once: a batch is settled once, as
 * its hold is.
 *
 * What the answers cost is read from them, line by line, at the price that was
 * held, in the window of the hold. Until that is done a client does not hear
 * that its batch has ended, nor where its answers are.
 */
#ifndef TOLLGATE_APP_BATCHES_H
#define TOLLGATE_APP_BATCHES_H

#include "app/entry.h"

struct batches;
struct worker;

/*
 * From the last look on a batch is held so long, µs: a hold that nobody looks
 * at any more is charged in full then.
 */
#define BATCHES_LEASE (INT64_C(3) * 86400 * 1000000)

struct batches *batches_new(struct worker *w);

/* Everything under way ends; a settle that was said counts. NULL is fine. */
void batches_free(struct batches *b);

/* About once a second. */
void batches_tick(struct batches *b);

/* The registry; NULL: there is none, and the fault tells why. */
struct registry *batches_registry(struct batches *b, struct fault *f);

/*
 * Look at the batch of that record (text as the registry has it): ask its
 * provider, settle it if it has ended, write the record anew. fn is called
 * once, maybe before this returns, with what is known then, or with an error
 * and entry NULL. The entry ends with the call.
 */
typedef void batches_fn(void *arg, enum err e, const struct fault *f,
    const struct entry *entry);
void batches_look(struct batches *b, const char *text, size_t len,
    batches_fn *fn, void *arg);

#endif
