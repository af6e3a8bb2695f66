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
	int64_t actual;		  /* settle */
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
	int64_t lease;
	int64_t since; /* clock_mono */
	/* hold, more: the times in which all names hold good */
	int64_t from, until;
	const char *who;
	int64_t cost;
	struct op_part *part;
	unsigned parts;
	struct op_row *row;
	unsigned rows;
	struct hold *hold;
	ledger_fn *fn;
	void *arg;
	unsigned turns; /* the clock was wrong so often */
	bool first; /* the store was made for it */
	bool alone; /* its owner has gone */
	bool sent;  /* restore: it was */
	bool kept;  /* the store keeps it where it outlives the process */
	bool echo;  /* said once more: it counts already */
	bool said;  /* maybe before, without an answer, or by others */
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

/* A settle or release as text, and back on its way. False: it is none. */
void op_write(struct buf *out, const struct op *op);
bool op_replay(struct ledger *l, const char *text, bool echo);

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
