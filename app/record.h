/*
 * The record: one JSON line a request, to stderr or a file. It tells who,
 * what, where, how long and how much; never content, never a secret.
 */
#ifndef TOLLGATE_APP_RECORD_H
#define TOLLGATE_APP_RECORD_H

#include "app/request.h"

struct entry;
struct recorder;
struct usage_row;

/* where: "stderr" or a path (created 0600, appended). NULL: short of memory. */
struct recorder *recorder_new(const char *where);
void recorder_free(struct recorder *rec);

/* Write elsewhere from now on, or to the same path anew (log rotation). */
void recorder_reopen(struct recorder *rec, const char *where);

/* A line of the worker's own: level "info" or "error", one sentence. */
void recorder_note(struct recorder *rec, const char *level, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* A batch was settled: its own line, of who ordered it. */
void record_batch(struct recorder *rec, const struct entry *e,
    const struct usage_row *who);

/* Closing step. */
void record_write(struct request *r);

#endif
