/*
 * The ledger: what may still be asked for, and what was used. A request takes
 * a hold on every counter that applies to it, in one step that either fits
 * all of them or changes nothing; at its end the hold makes place for what was
 * really used, in the window in which it was taken, once, however often that
 * is said.
 *
 *   hold ─▶ (more) ─▶ sent ─▶ settle     used += actual
 *     └──────────────────────▶ release   nothing was billed
 *
 * A hold lives as long as its worker, which renews its lease. A lease that
 * runs out (the worker died) is dropped when nothing had been sent yet, and
 * charged in full when something had; a settle that comes after all corrects
 * that to the truth. One that is to outlive its worker (a batch) is left with a
 * lease of its own, as a text with which any process can settle it.
 *
 * Kinds of counters: requests and tokens in any 60 s (of a resolution of
 * LEDGER_SLOT, on the safe side), requests at once, and money in the calendar
 * windows of a zone. `used + held + amount <= limit` for all of them. Tokens
 * and money that turn out to be more than was held are used all the same;
 * nothing is admitted then until there is room again.
 *
 * Of counters that many requests are on, far from their limits, a worker holds
 * more in advance and gives holds out of that by itself (app/purse.h): the
 * verbs then wait for no store. Near a limit each hold asks it.
 *
 * Two stores: a Redis, for any number of hosts, and a file, for one. When the
 * store cannot be asked, what needs a counter is refused (ERR_LEDGER). What
 * is owed to it then (settle, release) is kept and given later.
 *
 * Amounts are requests, tokens or n$, 0..LEDGER_MAX: what a Lua number tells
 * apart. Times are µs. Single-threaded, on the loop.
 */
#ifndef TOLLGATE_APP_LEDGER_H
#define TOLLGATE_APP_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "app/base/err.h"

struct arena;
struct buf;
struct ledger;
struct op;
struct purse;
struct zone;

#define LEDGER_MAX INT64_C(9000000000000000)
#define LEDGER_ID 24		      /* an id with its NUL */
#define LEDGER_PARTS 64		      /* counters of one hold */
#define LEDGER_ROWS 32		      /* usage rows of one settle */
#define LEDGER_SCOPE 128	      /* bytes of a scope with its NUL */
#define LEDGER_WORD 128		      /* bytes of a row's word with its NUL */
#define LEDGER_LEASE INT64_C(30000000)
#define LEDGER_MINUTE INT64_C(60000000)
#define LEDGER_SLOT INT64_C(250000)
#define LEDGER_OWED 16384	      /* settles that wait for the store */

enum counter_kind {
	COUNTER_RPM,	  /* requests in 60 s */
	COUNTER_TPM,	  /* tokens in 60 s */
	COUNTER_PARALLEL, /* requests at once */
	COUNTER_MONEY,	  /* n$ in a window */
	COUNTER_KINDS
};

enum counter_span { /* the first ones as enum zone_span */
	SPAN_HOUR,
	SPAN_DAY,
	SPAN_WEEK,
	SPAN_MONTH,
	SPAN_ONCE, /* no window: credit that is used up */
	SPAN_COUNT
};

/* A limit. Lives at least until the end of the holds on it. */
struct counter {
	const char *scope;	/* "key:web", "provider:openai": LEDGER_SCOPE */
	enum counter_kind kind;
	enum counter_span span; /* COUNTER_MONEY */
	const struct zone *zone; /* NULL = UTC */
	const char *zone_name;	 /* IANA, "" = UTC */
	int64_t limit;
};

/* How much of it a request wants: 1 of requests. */
struct want {
	const struct counter *counter;
	int64_t amount;
};

/* Who used what: a row of a day, added to what is there. "" = none. */
struct usage_row {
	int32_t day; /* 20261128, of ledger_day */
	const char *key, *team, *user, *tag, *model, *provider;
	int64_t requests, input, output, cached; /* tokens */
	int64_t cost;				 /* n$ */
};

/* What a hold has of one counter. */
struct held {
	const struct counter *counter;
	const char *name; /* of the counter and its window in the store */
	int64_t begin, end; /* of the window; 0: none */
	int64_t amount;	  /* held */
	/* As the last hold or more told: */
	int64_t left;	  /* limit - used - held, not below 0 */
	int64_t reset;	  /* µs until it is whole again, 0 = it is */
};

/*
 * The caller's, zeroed at first, from the first hold until settle or release
 * was called; the arena as long.
 */
struct hold {
	char id[LEDGER_ID];
	struct arena *arena;
	struct held *part;
	unsigned parts;
	bool live;		  /* a settle or release is owed */
	bool sent;		  /* money may be owed */
	const char *who;	  /* charged when its lease runs out */
	int64_t cost;		  /* … and how much */
	struct op *asking;	  /* hold or more is under way */
	int64_t renewed;	  /* clock_mono of the last lease */
	int64_t lease;		  /* µs of its own from `sent` on, 0 = the ledger's */
	bool taken;		  /* of a text: others may settle it as well */
	bool apart;		  /* it may be left: never out of a purse */
	struct purse *purse;	  /* out of which it is, else NULL */
	struct hold *next, **link; /* the ledger's list */
};

struct ledger_answer {
	enum err err;  /* ERR_OK; ERR_RATE_LIMIT, ERR_BUDGET: does not fit;
			* ERR_LEDGER: not known; ERR_INTERNAL: a wrong call */
	bool known;    /* false: the store had nothing of this hold; with
			* ERR_LEDGER: it may have carried it out all the same */
	int which;     /* index of the claim that did not fit, or -1 */
	bool reserved; /* … but for what others hold at the moment */
	int64_t left;  /* what it has left, not below 0 */
	int64_t retry; /* µs until it may fit, -1: never */
	const char *why; /* for the log, "" = nothing to say */
};

/* Called once; maybe before the verb returns. */
typedef void ledger_fn(void *arg, const struct ledger_answer *a);

/* Clocks in µs, for tests; NULL: the system's. */
struct ledger_clock {
	int64_t (*wall)(void);	 /* since 1970 */
	int64_t (*steady)(void); /* since the boot, as all processes see it */
};

struct ledger_setup {
	uv_loop_t *loop;
	const char *store; /* of the policy; "" = embedded */
	const char *dir;   /* the state directory */
	int64_t lease;	   /* 0 = LEDGER_LEASE */
	const struct ledger_clock *clock;
	int patience;	   /* ms for a Redis, 0 = STORE_COMMAND_MS */
};

/* NULL: the fault tells why. */
struct ledger *ledger_open(const struct ledger_setup *setup, struct fault *f);

/*
 * Nothing more is asked of it: tell the store what it has not been told. True:
 * it has answered all that it can be asked now. NULL is fine.
 */
bool ledger_rest(struct ledger *l);

/*
 * End it. What is owed to the store and cannot be given now is lost to this
 * process (its leases will be charged in full). NULL is fine. The loop must
 * run once more.
 */
void ledger_close(struct ledger *l);

/* To be called about once a second: renews leases, gives what is owed,
 * lets leases run out. */
void ledger_tick(struct ledger *l);

/* The ledger's time, µs since 1970, and its day in UTC as 20261128. */
int64_t ledger_now(const struct ledger *l);
int32_t ledger_day(const struct ledger *l);

/* Settles and the like that the store has not got yet. */
size_t ledger_owes(const struct ledger *l);

/*
 * Take `claims` at once, all or nothing. `who` is the row to which the hold is
 * charged when its lease runs out after it was sent, with who->cost.
 */
void ledger_hold(struct ledger *l, struct hold *h, const struct want *claims,
    unsigned n, const struct usage_row *who, ledger_fn *fn, void *arg);

/*
 * Hold more, before a dearer attempt: of counters that it has already (in
 * the window that it has) or of others. cost is added to who->cost.
 */
void ledger_more(struct ledger *l, struct hold *h, const struct want *claims,
    unsigned n, int64_t cost, ledger_fn *fn, void *arg);

/*
 * From now on money may be owed for it: say so before the request goes out.
 * False: the lease may be over, do not send. True needs no answer, fn may be
 * NULL; a worker that waits for it and hears that the hold is not known must
 * not send either.
 */
bool ledger_sent(struct ledger *l, struct hold *h, ledger_fn *fn, void *arg);

/*
 * What was really used: actual[i] of h->part[i] (ignored for requests), and
 * rows for the usage. The hold is over, whatever the answer (also to a `more`
 * that is under way: nobody is told of it); with
 * ERR_LEDGER it is owed and will be given later. fn may be NULL.
 */
void ledger_settle(struct ledger *l, struct hold *h, const int64_t *actual,
    const struct usage_row *rows, unsigned n, ledger_fn *fn, void *arg);

/* Nothing was billed. As ledger_settle with nothing. Counted requests stay. */
void ledger_release(struct ledger *l, struct hold *h, ledger_fn *fn,
    void *arg);

/*
 * A hold on nothing, where no counter applies: so that its settle counts once
 * all the same. False: no randomness or no memory.
 */
bool ledger_none(struct ledger *l, struct hold *h,
    const struct usage_row *who);

/*
 * Leave a hold that was sent (and was `apart` from its beginning): it lives on
 * in the store for its own lease, and is no more this process'. Its text is
 * appended to out. ledger_take makes it
 * a hold again, with memory of the arena: to be settled, released or (by
 * `sent`) given its lease anew, once. False: it is no such text, or no memory.
 * Who takes one twice settles it once: an id is settled once within
 * LEDGER_TAKEN behind its end.
 */
#define LEDGER_TAKEN (INT64_C(86400) * 1000000)
void ledger_leave(struct ledger *l, struct hold *h, struct buf *out);
bool ledger_take(struct ledger *l, struct arena *a, const char *text,
    struct hold *h);

/* The row that such a text is charged to; its words are of the arena. */
bool ledger_who(struct arena *a, const char *text, struct usage_row *out);

/*
 * Usage without a hold: rows that are added to what is there, once, as soon
 * as the store takes them.
 */
void ledger_note(struct ledger *l, const struct usage_row *rows, unsigned n);

/*
 * The same of one row whose numbers may be negative, to put right what is
 * there. Counters of money stay as they are. With ERR_LEDGER it may have been
 * taken, or will be.
 */
void ledger_correct(struct ledger *l, const struct usage_row *row,
    ledger_fn *fn, void *arg);

/*
 * The owner of h goes: an answer that is still to come is told to nobody, and
 * what it brings is released. A live hold must be settled or released before.
 */
void ledger_forget(struct ledger *l, struct hold *h);

/*
 * "user:NAME" for a name of any bytes; one that is too long or has control
 * characters stands there as its digest.
 */
void ledger_scope(char out[LEDGER_SCOPE], const char *what, const char *name);

/* ---- reading ---- */

struct counter_state {
	int64_t used, held;
};

typedef void counter_fn(void *arg, enum err e, const struct counter_state *s);

/* How a counter stands in its window of now. */
void ledger_look(struct ledger *l, const struct counter *c, counter_fn *fn,
    void *arg);

/* One row with held money of its live leases; fn(NULL) at the end. */
typedef void usage_fn(void *arg, enum err e, const struct usage_row *row,
    int64_t held);

/* All rows of these days (20261101..20261130), in no order. */
void ledger_usage(struct ledger *l, int32_t from, int32_t to, usage_fn *fn,
    void *arg);

#endif
