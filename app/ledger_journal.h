/*
 * What a host must remember of a ledger that is in a Redis: which epoch of it
 * is known, what the host has used so that a Redis that has lost everything
 * can be told, what it still owes, and which other hosts there are. One SQLite
 * file in the state directory, shared by the workers of the host.
 *
 * What is used is gathered and written on another thread, to the disk, within
 * JOURNAL_MS.
 */
#ifndef TOLLGATE_APP_LEDGER_JOURNAL_H
#define TOLLGATE_APP_LEDGER_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "app/base/err.h"

#define JOURNAL_MS 100
#define JOURNAL_ID 24 /* an epoch or a host, with its NUL */
#define JOURNAL_HOSTS 64

struct journal;

/* store: the address of the Redis; of each there is a file of its own. */
struct journal *journal_open(uv_loop_t *loop, const char *dir,
    const char *store, struct fault *f);

/* Writes what is gathered first. The loop must run once more. */
void journal_close(struct journal *j);

/* Can it be written at the moment? */
bool journal_good(const struct journal *j);

/* The name of this host, made once. */
const char *journal_host(const struct journal *j);

/* The epoch that is known, "" = none; and another one. */
void journal_epoch(struct journal *j, char out[JOURNAL_ID]);
bool journal_set_epoch(struct journal *j, const char *epoch);

/* Money used of a counter (it may be forgotten after `expire`, µs, 0 = ask
 * the calendar), and a row of usage; both are added up. */
void journal_used(struct journal *j, const char *name, int64_t n,
    int64_t expire);
void journal_row(struct journal *j, const char *who, const int64_t n[5]);

/* Write it now, on this thread. False: it cannot be written. */
bool journal_flush(struct journal *j);

/*
 * A settle is asked of the Redis, and was answered: between the two it may
 * count there, and here it does not yet.
 */
void journal_asked(struct journal *j);
void journal_answered(struct journal *j);

/*
 * Is all written that any worker of this host has settled? True: it stays so
 * until journal_go_on, as no worker can settle meanwhile. Processes that died
 * are not waited for.
 */
bool journal_rest(struct journal *j);
void journal_go_on(struct journal *j);

/*
 * All that this host has used, as what a Redis holds: key, field and value.
 * False: it cannot be read.
 */
typedef void journal_fn(void *arg, const char *key, const char *field,
    int64_t n, int64_t expire);
bool journal_each(struct journal *j, journal_fn *fn, void *arg);

/* A verb that the store has not got; one that is there already is nobody's
 * again. False: it was not written. */
bool journal_owe(struct journal *j, const char *id, const char *text);

/* It has it now. True: it stood there. */
bool journal_paid(struct journal *j, const char *id);

/* Up to n of them that nobody else is at; they are ours for 10 s. */
typedef void owed_fn(void *arg, const char *text);
void journal_owed(struct journal *j, int n, owed_fn *fn, void *arg);
size_t journal_owes(struct journal *j);

/* Another host was seen at that time (µs). */
void journal_saw(struct journal *j, const char *host, int64_t at);

/* Those that were seen since. Returns how many, at most JOURNAL_HOSTS. */
size_t journal_hosts(struct journal *j, int64_t since,
    char out[JOURNAL_HOSTS][JOURNAL_ID]);

#endif
