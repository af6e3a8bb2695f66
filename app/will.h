/*
 * What is to be settled in a worker's name when it is killed: its will, a file
 * of mapped memory beside what the ledger keeps. The worker changes it before
 * the world changes; whatever the moment at which it dies, one whole state of
 * each purse is in force. Another process of the host takes it over as soon as
 * the owner's lock on it is free, which the kernel sees to.
 *
 *   will.<hash of the store>.<random>, and new.will.… while it is being made
 *
 * It holds for this boot only, since memory that was not written back is lost
 * with the machine. There are ids, names, rows of usage and numbers in it, no
 * content and no secrets. Single-threaded.
 */
#ifndef TOLLGATE_APP_WILL_H
#define TOLLGATE_APP_WILL_H

#include <stdbool.h>
#include <stdint.h>

#include "app/ledger.h"

#define WILL_PURSES 16 /* of one worker */
#define WILL_PARTS 8   /* counters of a purse */
#define WILL_ROWS 24   /* rows of usage of one settle */
#define WILL_WHO 256   /* bytes of a who with its NUL */
#define WILL_AGAIN INT64_C(1000000) /* µs after which a file is tried again */

struct will_row {
	int64_t n[5];	    /* requests, input, output, cached, cost */
	char who[WILL_WHO]; /* as who_write makes it */
};

/*
 * Heirs believe what is as here only: an id of characters that can be seen,
 * numbers 0..LEDGER_MAX, a who that who_read can read.
 */
struct will_settle {
	char id[LEDGER_ID]; /* "" = none */
	uint32_t rows;	    /* 0..WILL_ROWS */
	int64_t actual[WILL_PARTS]; /* of the purse's parts, in their order */
	struct will_row row[WILL_ROWS];
};

struct will_part {
	enum counter_kind kind;
	int64_t expire;	  /* µs, 0: never */
	const char *name; /* of the counter and its window in the store */
};

/* ---- the owner's ---- */

struct will;

/*
 * The will of this process for what it has in `store` (its address, as the
 * policy has it); no file is made yet. NULL: no memory. dir may be NULL or not
 * be there: then there are no places.
 */
struct will *will_open(const char *dir, const char *store);

/*
 * The file goes when no purse has a place in it; else it stays for the heirs,
 * who may take it at once, also this process. NULL is fine.
 */
void will_close(struct will *w);

/*
 * A place for a purse, 0..WILL_PURSES-1, with nothing in force in it. -1: all
 * are taken, a part is not sound (0..WILL_PARTS of them, names of 1..255 bytes
 * without control characters that do not begin with a blank), or no file can
 * be had; then it is tried again after WILL_AGAIN. The first call makes the
 * file, whole: what is said in it later needs no room on the disk. The parts
 * are copied.
 */
int will_begin(struct will *w, const struct will_part *part, unsigned parts);

/*
 * Both are in force at once, in place of what was. before may be NULL: none.
 * They are copied, rows up to `rows`.
 */
void will_say(struct will *w, int place, const struct will_settle *before,
    const struct will_settle *now);

/* The same of `now` alone; `before` stays as it is. */
void will_say_now(struct will *w, int place, const struct will_settle *now);

/* Nothing is owed any more; the place is free. */
void will_end(struct will *w, int place);

/* ---- the heirs' ---- */

struct legacy;

/*
 * The next will of a process that is dead, which nobody else can take until
 * legacy_end; NULL: there is none, or no memory. Not `own` (may be NULL). On
 * the way files go that are no wills or of another boot, and those that were
 * never finished. Files of other users are left alone (root may look into a
 * directory of the workers' user), and wills for other stores are.
 */
struct legacy *will_inherit(const char *dir, const char *store,
    const struct will *own);

/*
 * Of each purse in it what is in force, as texts of op_write that op_inherit
 * reads: before (NULL: none) and now. They are valid during the call only. A
 * purse that is not sound in all, or has nothing in force, is left out.
 */
typedef void legacy_fn(void *arg, const char *before, const char *now);
void legacy_each(struct legacy *l, legacy_fn *fn, void *arg);

/*
 * done: the file goes; else it is there for the next one, who may be the same.
 * NULL is fine.
 */
void legacy_end(struct legacy *l, bool done);

#endif
