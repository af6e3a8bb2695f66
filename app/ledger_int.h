/* Between the ledger (app/ledger.c) and its two stores. */
#ifndef TOLLGATE_APP_LEDGER_INT_H
#define TOLLGATE_APP_LEDGER_INT_H

#include "app/ledger.h"

/* A minute in slots, and one more because the first is not over at once. */
#define SLOTS (LEDGER_MINUTE / LEDGER_SLOT + 1)

#define DONE_KEEP (INT64_C(86400) * 1000000)	   /* ids of settled holds */
#define WINDOW_KEEP (INT64_C(35) * 86400 * 1000000) /* counters that are over */
#define RATE_KEEP (INT64_C(120) * 1000000)	   /* rates that nobody uses */
#define REAP 16 /* leases that one step lets run out */
#define WAIT_HELD INT64_C(1000000) /* told when only others' ends free room */
#define WHO_SIZE (7 * LEDGER_WORD)
#define NAME_SIZE (LEDGER_SCOPE + 128)

enum verb {
	VERB_HOLD,
	VERB_MORE,
	VERB_SENT,
	VERB_SETTLE,
	VERB_RELEASE,
	VERB_ROLL,    /* settle, and a hold of another id in its place */
	VERB_RESTORE, /* a hold that a Redis has lost, whatever the limit */
	VERBS
};

struct op_part {
	const struct counter *counter; /* hold, more: as the caller has it */
	char *room;		       /* NAME_SIZE for the name in the hold */
	/* The window of now and the next one; the same twice when there is but
	 * one. The store takes the second from `turn` on. */
	const char *name[2];
	int64_t begin, turn, end; /* of both together */
	int64_t expire[2];	  /* when it may be forgotten, 0: never */
	enum counter_kind kind;
	int64_t limit, amount;
	int64_t actual;		  /* settle, roll */
	int64_t least;		  /* roll: held where `amount` does not fit */
	/* The store's: */
	int pick;		  /* which name, which expiry */
	int64_t left, reset;
};

struct op_row {
	int32_t day;
	const char *who; /* "20261128", key, …, provider: WHO_GAP between */
	int64_t n[5];	 /* requests, input, output, cached, cost */
};

#define WHO_GAP '\x1f'

/* One verb on its way. All in its arena. */
struct op {
	struct op *next;
	struct ledger *ledger;
	void *b; /* the store that it is with */
	struct arena *arena;
	enum verb verb;
	char id[LEDGER_ID];
	char next_id[LEDGER_ID]; /* roll: of the hold that goes on */
	int64_t lease;
	int64_t since; /* clock_mono */
	/* hold, more, roll: the times in which all names hold good */
	int64_t from, until;
	const char *who;
	int64_t cost;
	int64_t least_cost; /* roll: where the least is held */
	struct op_part *part;
	unsigned parts;
	struct op_row *row;
	unsigned rows;
	struct hold *hold;
	struct purse *purse; /* whose own it is; else NULL */
	ledger_fn *fn;
	void *arg;
	unsigned turns; /* the clock was wrong so often */
	bool first; /* the store was made for it */
	bool alone; /* its owner has gone */
	bool sent;  /* restore: it was */
	bool kept;  /* the store keeps it where it outlives the process */
	bool echo;  /* said once more: it counts already */
	bool said;  /* maybe before, without an answer, or by others */
	bool grown; /* roll: the amounts are held, not the least of them */
	bool twice; /* roll: it was answered before, which nobody heard */
	bool heir;  /* of one that is dead */
	bool replaces; /* hold: one that came out of a purse */
	struct ledger_answer answer;
};

/* A store. Each run ends in one op_done, now or later. */
struct backend {
	void (*run)(void *b, struct op *op);
	/* Give leases of the holds a new end; nobody waits for it. */
	void (*renew)(void *b, const char *const *ids, unsigned n,
	    int64_t lease);
	void (*tick)(void *b); /* leases that ran out, what is to be forgotten */
	int64_t (*now)(void *b);
	void (*look)(void *b, const char *name, enum counter_kind kind,
	    counter_fn *fn, void *arg);
	void (*usage)(void *b, int32_t from, int32_t to, usage_fn *fn,
	    void *arg);
	void (*close)(void *b);
	/*
	 * Keep a verb that could not be given and give it later (op_replay);
	 * false, or NULL: the ledger must. owes: how many are kept.
	 */
	bool (*keep)(void *b, const struct op *op);
	size_t (*owes)(void *b);
};

/* The store has lost its leases: give it those of the live holds again. */
void ledger_restore(struct ledger *l);

/* The store may be another one, without what was acknowledged last; what was
 * settled of late has been said to it again. */
void ledger_anew(struct ledger *l);

/* A settle or release as text, and back on its way. False: it is none. */
void op_write(struct buf *out, const struct op *op);
bool op_replay(struct ledger *l, const char *text, bool echo);

/*
 * The same of one that is dead: what its purse has to settle, in its name.
 * Where a roll was under way (before, else NULL) it is said first, so that what
 * the new hold must settle is held at any time. fn hears of the end of both,
 * once; false: it cannot be read, or no memory.
 */
bool op_inherit(struct ledger *l, const char *before, const char *now,
    ledger_fn *fn, void *arg);

/* An op of that verb about a hold's id; all else as after zalloc. NULL: no
 * memory. op_run gives it to the store, op_free ends one that was not. */
struct op *op_new(struct ledger *l, enum verb verb, const char *id,
    ledger_fn *fn, void *arg);
void op_run(struct op *op);
void op_free(struct op *op);

/* Keep it beyond the process, if the store can; false: it cannot. */
bool op_keep(struct op *op);

/* An id that nobody else has. False: no randomness. */
bool op_id(char out[LEDGER_ID]);

/* In the list of those whose leases are renewed, and out of it. */
void hold_link(struct ledger *l, struct hold *h);
void hold_unlink(struct hold *h);

/* How long a lease lasts, µs. */
int64_t ledger_lease(const struct ledger *l);

/*
 * The op has its answer (op->answer, parts' left and reset). The ledger takes
 * it back.
 */
void op_done(struct op *op);

/* The store says that it is `now`, which the names of the op do not cover. */
void op_clock(struct op *op);

/* The end of the window that was picked; INT64_MAX: it has none. */
int64_t op_part_end(const struct op_part *p);

/*
 * Part i refuses, with so much left. retry: µs, -1 never, OP_WINDOW at the
 * end of the window. Of several the one that lasts longest is told.
 */
#define OP_WINDOW (-2)
void op_refuse(struct op *op, unsigned i, int64_t left, int64_t retry,
    bool reserved, int64_t now);

extern const struct backend ledger_sqlite, ledger_redis;

void *ledger_sqlite_open(const struct ledger_setup *setup, struct fault *f);
void *ledger_redis_open(const struct ledger_setup *setup, struct ledger *l,
    struct fault *f);

/* Read "20261128\x1fkey\x1f…" in place; false: it is not one. */
bool who_read(char *who, struct usage_row *out);

/* Write it: WHO_SIZE is enough. Control characters become '?'. */
void who_write(char out[WHO_SIZE], const struct usage_row *row);

/*
 * A lease as text: who, cost, and a line "kind amount name" a part. The
 * stores keep it whole and read it when it runs out.
 */
void lease_write(struct buf *out, const char *who, int64_t cost);
void lease_add(struct buf *out, enum counter_kind kind, int64_t amount,
    const char *name);

struct lease_line {
	enum counter_kind kind;
	int64_t amount;
	const char *name;
};

/*
 * Read in place: who and cost, then line by line; *text goes on behind what
 * was read. False: the end, or not the text of a lease (then **text is not
 * NUL).
 */
bool lease_read(char **text, const char **who, int64_t *cost);
bool lease_line(char **text, struct lease_line *out);

/* A whole number 0..LEDGER_MAX that is the whole text. */
bool amount_read(const char *s, int64_t *out);

#endif
