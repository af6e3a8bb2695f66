/*
 * The table of health: a file in the state directory that all processes of
 * this host and boot map. It is made whole under another name and renamed; a
 * file that is not ours (owner, mode, size, version, boot) is replaced, never
 * read. Its blocks are reserved, so that a full disk cannot kill us later.
 *
 * A process has a column for its attempts under way. The column is its own as
 * long as it holds a lock on a byte of the file, which the system releases
 * whatever its end: what a dead process left is found by its lock being free.
 *
 * A newcomer's slot is claimed by swapping in its hash; slots are never given
 * back, but one that was idle for long goes to a newcomer when it finds no
 * free one.
 */
#ifndef TOLLGATE_APP_HEALTH_TABLE_H
#define TOLLGATE_APP_HEALTH_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/base/boot.h"
#include "app/health.h"
#include "app/health_stat.h"

#define TABLE_SLOTS 2048  /* deployments; powers of two */
#define TABLE_MODELS 1024 /* names that clients ask for */
#define TABLE_COLUMNS 128 /* processes that count what they have under way */
#define TABLE_WARNED 1024 /* warnings that are not given again */
#define TABLE_ID 256	  /* bytes of a deployment's id, with its NUL */

#define MINUTE_RING 6 /* of 10 s */
#define HEDGE_RING 5  /* of a minute */
#define MONEY_RING 6  /* of 10 minutes */

#define QUANTILES 3 /* p50, p90, p95 */

/* How long answers took to their first content. */
struct timing {
	word ttft;
	struct spread spread;
	_Atomic uint32_t quantile[QUANTILES]; /* read off it, µs … */
	_Atomic uint32_t quantile_at;	      /* … at this ms, 0 = never */
};

/* A deployment. */
struct slot {
	word rest;	  /* health_rest.h */
	word fingerprint; /* of the credential that it was refused with */
	word elsewhere;	  /* until when another host says that it rests, 0 */
	_Atomic int64_t used; /* µs of clock_mono */
	_Atomic uint32_t named; /* its id is whole */
	char id[TABLE_ID];
	word minute[MINUTE_RING]; /* ends, and failures among them */
	word again[MINUTE_RING]; /* attempts, and those at it again */
	struct timing timing[2]; /* of streams; of whole answers */
	word speed, cached;
	word attempts, served, hedges, probes, given_up, input, output;
	word failed[16];
	_Atomic uint32_t active[TABLE_COLUMNS];
};

/* A model as clients ask for it. */
struct model_slot {
	_Atomic int64_t used;
	word output; /* tokens of its answers, mean */
	word hedges[HEDGE_RING]; /* answers, and requests that were doubled */
	word money[MONEY_RING];	 /* n$ of the doubles */
};

struct table_head {
	char magic[8];
	uint32_t version, size;
	char boot[BOOT_ID];
};

struct table {
	struct table_head head;
	_Atomic int64_t swept; /* when dead columns were last looked for */
	_Atomic int64_t asked; /* when other hosts were last asked */
	word warnings;		/* that were given */
	word warned[TABLE_WARNED]; /* what of: hashes */
	word host;	       /* a random number, 0 = not drawn yet */
	_Atomic uint8_t column[TABLE_COLUMNS]; /* it may hold something */
	word slot_hash[TABLE_SLOTS]; /* 0 = free */
	word model_hash[TABLE_MODELS];
	struct model_slot models[TABLE_MODELS];
	struct slot slots[TABLE_SLOTS];
};

struct table_map {
	struct table *table;
	int fd;	    /* -1: memory of our own */
	int column; /* ours, -1 = none is free */
};

/*
 * Map the table of a directory, making it when need be; memory of our own
 * when the directory cannot be used. False: no memory.
 */
bool table_open(struct table_map *m, const char *dir);

/*
 * The one that is there, made by anybody if we are root; it gets no column.
 * False: there is none that is sound.
 */
bool table_look(struct table_map *m, const char *dir);

void table_close(struct table_map *m);

/* Empty the columns of processes that are dead, once a second. */
void table_sweep(struct table_map *m, int64_t now);

/* A deployment's slot; NULL: it has none (and, with make, gets none). */
struct slot *table_slot(struct table *t, const char *id, bool make,
    int64_t now);

/* It is in use, by the deployment of that id. */
void table_name(struct slot *s, const char *id, int64_t now);

/* A model's, made when it is not there. NULL: there is no place. */
struct model_slot *table_model(struct table *t, const char *name,
    int64_t now);

/* The i-th slot when it is in use and its id (copied) is decent. */
struct slot *table_at(struct table *t, unsigned i, char id[TABLE_ID]);

#endif
