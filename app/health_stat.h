/*
 * What is learned of a deployment, as words and counters that many processes
 * write without locks: each change is one atomic step that leaves something
 * sound, whoever is killed after it. A count may be lost in a race; nothing
 * here is worth a lock. Every value may also have come from a bad disk: what
 * is read is bounded.
 */
#ifndef TOLLGATE_APP_HEALTH_STAT_H
#define TOLLGATE_APP_HEALTH_STAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint64_t word;

/*
 * An average that follows what changes: its half-life is `tau` (µs) at any
 * rate of samples, and one sample moves it at most half of the way.
 */
void level_add(word *w, int64_t value, int64_t now, int64_t tau);

/* Its value, 0 when there is none or the last sample is older than `old`. */
int64_t level_read(const word *w, int64_t now, int64_t old);

/*
 * Two counts of the last periods: a ring of `n` words, one a period of `len`
 * µs. ring_count adds one to the first, and to the second if `also`.
 */
struct counts {
	uint64_t all, also;
};

void ring_count(word *ring, unsigned n, int64_t len, int64_t now, bool also);
struct counts ring_read(const word *ring, unsigned n, int64_t len,
    int64_t now);

/*
 * Add one to both unless that would make more than `percent` of the first
 * (with this one) the second. All who ask at once are told right.
 */
bool ring_within(word *ring, unsigned n, int64_t len, int64_t now,
    unsigned percent);

/*
 * The same of a sum: add amount unless it would be more than most; room: only
 * tell whether it would.
 */
bool sum_room(const word *ring, unsigned n, int64_t len, int64_t now,
    int64_t amount, int64_t most);
bool sum_within(word *ring, unsigned n, int64_t len, int64_t now,
    int64_t amount, int64_t most);

/* A mean of the last 32 or so values; 0 = none. */
void mean_add(word *w, int64_t value);
int64_t mean_read(const word *w);

/* The share of one amount in another, of late, per mille. */
void share_add(word *w, int64_t all, int64_t part);
unsigned share_read(const word *w);

/*
 * Times from 1 ms to 18 minutes, counted in buckets no wider than an eighth;
 * four windows of two minutes, each worth half as much as the one after it.
 */
#define SPREAD_BUCKETS 144
#define SPREAD_WINDOWS 4
#define SPREAD_LEAST 20 /* samples that make a quantile */

struct spread {
	struct {
		_Atomic uint32_t epoch;
		_Atomic uint32_t count[SPREAD_BUCKETS];
	} window[SPREAD_WINDOWS];
};

void spread_add(struct spread *s, int64_t us, int64_t now);

/*
 * The times that percent[0..n) (ascending, 1..99) of the samples keep, µs;
 * all 0 when there are too few.
 */
void spread_read(const struct spread *s, int64_t now,
    const unsigned *percent, int64_t *out, unsigned n);

#endif
