/*
 * Usage as people ask for it: rows of the ledger gathered, added up by some of
 * their words, and written as a table, CSV or JSON. Pure.
 */
#ifndef TOLLGATE_APP_USAGE_H
#define TOLLGATE_APP_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct fault;
struct usage_row;
struct usage_table;

/* What rows are told apart by, in the order of their columns. */
enum usage_by {
	USAGE_DAY,
	USAGE_KEY,
	USAGE_TEAM,
	USAGE_USER,
	USAGE_TAG, /* a row with several tags counts for each of them */
	USAGE_MODEL,
	USAGE_PROVIDER,
	USAGE_BYS
};

enum usage_format { USAGE_TABLE, USAGE_CSV, USAGE_JSON };

/*
 * "model,team" as bits 1 << enum usage_by. False: the fault (maybe NULL) says
 * which word is none, and which there are.
 */
bool usage_by_read(const char *text, unsigned *by, struct fault *f);
bool usage_format_read(const char *text, enum usage_format *out,
    struct fault *f);

/*
 * A day to begin or end with, called `name`: "2026-11-01", or, as "7d", so
 * many days of which `today` (20261128) is the last. False: neither.
 */
bool usage_day_read(const char *name, const char *text, int32_t today,
    int32_t *out, struct fault *f);

/* NULL: no memory. */
struct usage_table *usage_new(unsigned by);
void usage_free(struct usage_table *t); /* NULL is fine */

/* Add a row; held: n$ that it holds at the moment. False: no memory. */
bool usage_add(struct usage_table *t, const struct usage_row *row,
    int64_t held);

/* Write all of it, in order; out->failed: no memory. */
void usage_write(struct usage_table *t, enum usage_format format,
    struct buf *out);

#endif
