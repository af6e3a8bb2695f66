/*
 * The ledger in a Redis: one script a verb (app/lua), on the worker's one
 * connection. What the scripts answer is checked like all that comes from
 * outside.
 *
 * A Redis that forgets is the danger. One that may evict keys is not used.
 * One that has no epoch has lost everything: then nothing is admitted until
 * somebody has told it again what was used.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/decimal.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "app/ledger_int.h"
#include "app/ledger_journal.h"
#include "app/ledger_lua.h"
#include "app/ledger_rebuild.h"
#include "app/store.h"

#define PREFIX "{tollgate}:"
#define MARK_MS "315360000000" /* ten years: see ask_mark */
#define NO_EPOCH "?" /* of a host that has seen none: equal to none */
#define REPLAY 100   /* of what is owed, in one tick */
#define RECENT 4096  /* settles that are remembered … */
#define RECENT_US (INT64_C(15) * 1000000) /* … for so long */
#define DROPS 64     /* marks that go with one command */
#define HOSTS_TICKS 10 /* other hosts are looked at so often */
#define ARGS (16 + 8 * LEDGER_PARTS + 6 * LEDGER_ROWS + LEDGER_PARTS * 4)

enum script { S_HOLD, S_SETTLE, S_ROLL, S_RENEW, S_REAP, S_LOOK, S_LEASES,
	S_COUNT };

#define PIECES 7

/* Of what a script is made: each has what it needs, as a function that is not
 * called costs the server a microsecond all the same. */
static const char *const pieces[S_COUNT][PIECES] = {
	[S_HOLD] = { lua_head, lua_counters, lua_hold },
	[S_SETTLE] = { lua_head, lua_counters, lua_lease, lua_settle,
		lua_settled },
	[S_ROLL] = { lua_head, lua_counters, lua_lease, lua_settle, lua_roll,
		lua_settled },
	[S_RENEW] = { lua_head, lua_renew },
	[S_REAP] = { lua_head, lua_counters, lua_lease, lua_reap },
	[S_LOOK] = { lua_head, lua_counters, lua_look },
	[S_LEASES] = { lua_head, lua_counters, lua_lease, lua_leases },
};

/*
 * A settle that the server has acknowledged, and may lose all the same. When
 * it goes from here nobody says it again, unless it was said before without an
 * answer, or is owed: then the server's mark that it was has no use any more.
 */
struct recent {
	int64_t at; /* clock_mono */
	char *text;
	char id[LEDGER_ID]; /* of the mark, "" = it stays */
};

struct redis {
	struct store *store;
	struct store_script script[S_COUNT];
	char *text[S_COUNT];
	struct ledger *ledger;
	struct journal *journal;
	struct rebuild *rebuild;
	char epoch[JOURNAL_ID];
	const char *lost;  /* why nothing is admitted now, NULL: it is */
	char lost_why[64];
	struct op *parked; /* until there is an epoch */
	unsigned ticks;
	struct recent recent[RECENT]; /* a ring */
	unsigned oldest, newest; /* of the ring: from … to before … */
	char drop[DROPS][LEDGER_ID]; /* marks that go */
	unsigned drops;
	bool closing;
	bool timed;
	int64_t offset;    /* of the server's clock to clock_mono */
	bool evicts;	   /* its memory policy may drop counters */
	bool reaping;
	struct store_item items[ARGS]; /* of the command that is written */
};

/* ---- words of a command ---- */

/* The store takes them with the call: so one place does for all commands. */
struct words {
	struct arena *a;
	struct store_item *item; /* ARGS */
	size_t n;
	bool failed;
};

static void
word(struct words *w, const char *s)
{
	if (s == NULL || w->n == ARGS) {
		w->failed = true;
		return;
	}
	w->item[w->n++] = (struct store_item){ s, strlen(s) };
}

static void
number(struct words *w, int64_t n)
{
	char text[DECIMAL_SIZE];
	size_t len = decimal(text, n, 0);

	word(w, arena_dup(w->a, text, len));
}

static void
word2(struct words *w, const char *a, const char *b)
{
	size_t n = strlen(a), more = strlen(b) + 1;
	char *p = arena_alloc(w->a, n + more);

	if (p != NULL) {
		memcpy(p, a, n);
		memcpy(p + n, b, more);
	}
	word(w, p);
}

static void
words_init(struct words *w, struct redis *b, struct arena *a)
{
	w->a = a;
	w->n = 0;
	w->item = b->items;
	w->failed = false;
	word(w, PREFIX "epoch");
	word(w, PREFIX "due");
}

/* ---- answers ---- */

static bool
is(const struct store_item *i, const char *text)
{
	return i->p != NULL && i->len == strlen(text) &&
	    memcmp(i->p, text, i->len) == 0;
}

/* A whole number, maybe negative. */
static bool
read_number(const struct store_item *i, int64_t *out)
{
	char text[24];
	bool minus = i->p != NULL && i->len > 1 && i->p[0] == '-';

	if (i->p == NULL || i->len >= sizeof text)
		return false;
	memcpy(text, i->p + minus, i->len - minus);
	text[i->len - minus] = '\0';
	if (!amount_read(text, out))
		return false;
	if (minus)
		*out = -*out;
	return true;
}

/* The head of every answer: a word, the epoch, the time. */
static bool
read_head(struct redis *b, const struct store_reply *r, int64_t *now)
{
	if (r->count < 3 || r->item[0].p == NULL || r->item[1].p == NULL ||
	    !read_number(&r->item[2], now))
		return false;
	b->offset = *now - clock_mono();
	b->timed = true;
	return true;
}

static void
closed(struct op *op, const char *why, bool maybe)
{
	op->answer = (struct ledger_answer){ .err = ERR_LEDGER, .which = -1,
		.known = maybe, .why = why };
	op_done(op);
}

/* What is left of each part, and when it is whole again. */
static bool
read_left(struct op *op, const struct store_reply *r, size_t at)
{
	unsigned i;

	if (r->count != at + 2 * (size_t)op->parts)
		return false;
	for (i = 0; i < op->parts; i++)
		if (!read_number(&r->item[at + 2 * i], &op->part[i].left) ||
		    !read_number(&r->item[at + 1 + 2 * i], &op->part[i].reset))
			return false;
	return true;
}

static bool
read_ok(struct op *op, const struct store_reply *r)
{
	if (op->verb != VERB_HOLD && op->verb != VERB_MORE)
		return true; /* nobody asked how much is left */
	return read_left(op, r, 3);
}

/* Why nothing is admitted, NULL: it is. */
static const char *
shut(const struct redis *b)
{
	if (b->evicts)
		return "the store may evict counters";
	if (!journal_good(b->journal))
		return "the journal cannot be written";
	return b->lost;
}

/* The hold that goes on; where the answer to an earlier try was lost it is not
 * known how much there is. A store that admits nothing gives no room. */
static bool
read_rolled(struct redis *b, struct op *op, const struct store_reply *r)
{
	op->grown = r->count > 4 && is(&r->item[4], "1") && shut(b) == NULL;
	op->twice = is(&r->item[0], "TWICE");
	return op->twice || read_left(op, r, 5);
}

/* Money is whole again at the end of its window. */
static void
money_resets(struct op *op, int64_t now)
{
	struct op_part *p;
	unsigned i;

	for (i = 0; i < op->parts; i++) {
		p = &op->part[i];
		if (p->kind == COUNTER_MONEY && p->left < p->limit &&
		    op_part_end(p) != INT64_MAX)
			p->reset = op_part_end(p) - now;
	}
}

static bool
read_refusals(struct op *op, const struct store_reply *r, int64_t now)
{
	int64_t n[4]; /* index, left, retry, reserved */
	size_t i;
	int k;

	if (r->count < 7 || (r->count - 3) % 4 != 0)
		return false;
	for (i = 3; i < r->count; i += 4) {
		for (k = 0; k < 4; k++)
			if (!read_number(&r->item[i + (size_t)k], &n[k]))
				return false;
		if (n[0] < 0 || n[0] >= op->parts)
			return false;
		op_refuse(op, (unsigned)n[0], n[1], n[2], n[3] == 1, now);
	}
	return true;
}

static void run(void *b, struct op *op);
static void replay(void *arg, const char *text);
static void resume(struct redis *b);

/* ---- epochs ---- */

/* What waited for an epoch goes on, or is refused. */
static void
unpark(struct redis *b, const char *why)
{
	struct op *op, *list = b->parked;

	b->parked = NULL;
	while ((op = list) != NULL) {
		list = op->next;
		if (why == NULL)
			run(b, op);
		else
			closed(op, why, false);
	}
}

static void
on_rebuilt(void *arg, const char *epoch, const char *why)
{
	struct redis *b = arg;

	if (epoch != NULL && journal_set_epoch(b->journal, epoch)) {
		snprintf(b->epoch, sizeof b->epoch, "%s", epoch);
		resume(b);
		unpark(b, NULL);
		return;
	}
	snprintf(b->lost_why, sizeof b->lost_why, "%s", epoch != NULL ?
	    "the journal cannot be written" : why);
	b->lost = b->lost_why;
	unpark(b, b->lost);
}

/*
 * The store has no epoch, or another one than we know. Unless another worker
 * of this host has seen to that already (then true), it must be told what we
 * have used.
 */
static bool
lost(struct redis *b, const struct store_item *theirs)
{
	char known[JOURNAL_ID];

	journal_epoch(b->journal, known);
	if (known[0] != '\0' && is(theirs, known)) {
		snprintf(b->epoch, sizeof b->epoch, "%s", known);
		resume(b);
		/* Our own rebuild, which has nothing to do any more, waits for
		 * as long as the others have verbs under way. */
		unpark(b, NULL);
		return true;
	}
	if (b->lost == NULL && strcmp(b->epoch, NO_EPOCH) != 0)
		b->lost = "the store has lost its counters";
	if (!b->closing)
		rebuild_start(b->rebuild);
	return false;
}

static void
no_epoch(struct redis *b, struct op *op, const struct store_item *theirs)
{
	bool first = strcmp(b->epoch, NO_EPOCH) == 0;

	/* (An echo would count twice in what was told.) */
	if (lost(b, theirs) && !op->first && !op->echo) {
		op->first = true;
		run(b, op);
		return;
	}
	/* A store that is new to us takes no time. */
	if (first && rebuild_running(b->rebuild) && !op->first) {
		op->first = true;
		op->next = b->parked;
		b->parked = op;
		return;
	}
	closed(op, "the store has lost its counters", false);
}

/* ---- the journal ---- */

/* The store has charged a lease, or (-1) taken that back. */
static void
journal_charge(struct redis *b, const struct store_item *lease, int sign)
{
	char *text = lease->p == NULL ? NULL : strndup(lease->p, lease->len);
	char *rest = text;
	int64_t n[5] = { sign, 0, 0, 0, 0 };
	struct lease_line line;
	const char *who;

	if (text != NULL && lease_read(&rest, &who, &n[4])) {
		n[4] *= sign;
		journal_row(b->journal, who, n);
		while (lease_line(&rest, &line))
			if (line.kind == COUNTER_MONEY)
				journal_used(b->journal, line.name,
				    sign * line.amount, 0);
	}
	free(text);
}

static void
journal_settle(struct redis *b, const struct op *op)
{
	unsigned i;

	for (i = 0; i < op->parts; i++)
		if (op->part[i].kind == COUNTER_MONEY)
			journal_used(b->journal, op->part[i].name[0],
			    op->part[i].actual, op->part[i].expire[0]);
	for (i = 0; i < op->rows; i++)
		journal_row(b->journal, op->row[i].who, op->row[i].n);
}

/* Marks that are of no use go in one command; one that is lost costs memory
 * until its time. */
static void
drop_marks(struct redis *b)
{
	char keys[DROPS][sizeof PREFIX + 2 + LEDGER_ID];
	struct store_item argv[1 + DROPS] = { { "UNLINK", 6 } };
	unsigned i;
	int n;

	for (i = 0; i < b->drops; i++) {
		n = snprintf(keys[i], sizeof keys[i], PREFIX "d:%s",
		    b->drop[i]);
		argv[1 + i] = (struct store_item){ keys[i], (size_t)n };
	}
	if (b->drops > 0)
		store_command(b->store, argv, 1 + b->drops, NULL, NULL);
	b->drops = 0;
}

static void
forget_oldest(struct redis *b)
{
	struct recent *r = &b->recent[b->oldest++ % RECENT];

	free(r->text);
	r->text = NULL;
	if (r->id[0] == '\0')
		return;
	memcpy(b->drop[b->drops++], r->id, sizeof r->id);
	if (b->drops == DROPS)
		drop_marks(b);
}

static void
forget_past(struct redis *b)
{
	int64_t since = clock_mono() - RECENT_US;

	while (b->oldest != b->newest &&
	    b->recent[b->oldest % RECENT].at < since)
		forget_oldest(b);
	drop_marks(b);
}

/* first: it was answered when it was said for the first time. */
static void
remember(struct redis *b, const struct op *op, bool first)
{
	struct recent *r;
	struct buf text;

	if (b->newest - b->oldest == RECENT)
		forget_oldest(b);
	r = &b->recent[b->newest++ % RECENT];
	buf_init(&text, KIB(256));
	op_write(&text, op);
	buf_putc(&text, '\0');
	r->at = clock_mono();
	r->text = text.failed ? NULL : text.data; /* its owner from now on */
	snprintf(r->id, sizeof r->id, "%s", first ? op->id : "");
	if (text.failed)
		buf_free(&text);
}

/*
 * A new connection, maybe to another server, which may not have what the old
 * one acknowledged last: replication does not wait. What was settled of late
 * is said once more.
 */
static void
echo(struct redis *b)
{
	int64_t since = clock_mono() - RECENT_US;
	struct recent *r;
	unsigned i;

	for (i = b->oldest; i != b->newest; i++) {
		r = &b->recent[i % RECENT];
		if (r->text == NULL || r->at < since)
			continue;
		r->id[0] = '\0'; /* who knows when this one gets there */
		op_replay(b->ledger, r->text, true);
	}
}

/*
 * The store knows again what was used: the journal told it, what was settled a
 * moment ago with it, so that this is not said once more. What is under way is
 * held again, and what was settled while it did not know is said, before
 * anything is admitted that these left no room for.
 */
static void
resume(struct redis *b)
{
	b->lost = NULL;
	while (b->oldest != b->newest)
		forget_oldest(b);
	b->drops = 0; /* their marks have gone */
	ledger_restore(b->ledger);
	/* To take them locks the file: not for nothing. */
	if (journal_owes(b->journal) > 0)
		journal_owed(b->journal, REPLAY, replay, b);
}

/*
 * The end of a hold as the store tells it: OK, GONE (it had none), TWICE (it
 * knew) or LATE (it had charged, and took that back).
 */
static bool
ended(struct redis *b, struct op *op, const struct store_reply *r)
{
	bool twice = is(&r->item[0], "TWICE"), late = is(&r->item[0], "LATE");
	bool gone = is(&r->item[0], "GONE"), owed;

	if (!twice && !late && !gone && !is(&r->item[0], "OK"))
		return false;
	op->answer.known = !gone;
	if ((op->verb != VERB_SETTLE && op->verb != VERB_RELEASE &&
	    op->verb != VERB_ROLL) || op->echo)
		return true;
	if (op->verb == VERB_ROLL && !read_rolled(b, op, r))
		return false;
	/* What it knew it may have learnt from us, without our hearing so; a
	 * roll always has, and from the dead whose heirs we are. */
	owed = op->verb == VERB_ROLL || op->heir ||
	    (op->kept && journal_paid(b->journal, op->id));
	if (late && r->count > 3)
		journal_charge(b, &r->item[3], -1);
	if (op->verb == VERB_RELEASE)
		return true;
	if (!twice || owed)
		journal_settle(b, op);
	remember(b, op, !op->said && !twice);
	return true;
}

/* Every answer but OK. */
static void
other(struct redis *b, struct op *op, const struct store_reply *r, int64_t now)
{
	if (is(&r->item[0], "EMPTY") || is(&r->item[0], "EPOCH"))
		no_epoch(b, op, &r->item[1]);
	else if (is(&r->item[0], "CLOCK"))
		op_clock(op);
	else if (is(&r->item[0], "NO") && read_refusals(op, r, now))
		op_done(op);
	else if (is(&r->item[0], "GONE") && op->verb == VERB_MORE)
		closed(op, "the hold has run out", false);
	else if (ended(b, op, r)) {
		money_resets(op, now);
		op_done(op);
	} else
		closed(op, "an answer that makes no sense", true);
}

static void
on_reply(void *arg, const struct store_reply *r)
{
	struct op *op = arg;
	struct redis *b = op->b;
	int64_t now;

	if (r->err != STORE_OK) {
		closed(op, store_err_name(r->err), r->err == STORE_TIMEOUT ||
		    r->err == STORE_LOST);
		return;
	}
	if (!read_head(b, r, &now)) {
		closed(op, "an answer that makes no sense", true);
		return;
	}
	op->answer.known = true;
	if (!is(&r->item[0], "OK") || op->verb == VERB_ROLL) {
		other(b, op, r, now);
	} else if ((b->evicts && op->verb == VERB_HOLD) || !read_ok(op, r)) {
		closed(op, b->evicts ? "the store may evict counters" :
		    "an answer that makes no sense", true);
	} else {
		ended(b, op, r);
		money_resets(op, now);
		op_done(op);
	}
}

/* What counts there now stands in the journal, or is owed. */
static void
on_settled(void *arg, const struct store_reply *r)
{
	struct op *op = arg;
	struct redis *b = op->b;

	on_reply(op, r);
	journal_answered(b->journal);
}

/* The lease is there, and marked, or it is not. */
static void
on_marked(void *arg, const struct store_reply *r)
{
	struct op *op = arg;
	int64_t n;

	if (r->err != STORE_OK)
		closed(op, store_err_name(r->err), r->err == STORE_TIMEOUT ||
		    r->err == STORE_LOST);
	else if (r->count != 1 || !read_number(&r->item[0], &n))
		closed(op, "an answer that makes no sense", true);
	else {
		op->answer.known = n == 1;
		op_done(op);
	}
}

static int64_t
now_of(void *arg)
{
	struct redis *b = arg;

	return b->timed ? clock_mono() + b->offset : clock_wall();
}

/* ---- verbs ---- */

/* When it may be forgotten, ms since 1970, 0: never. */
static void
expiry(struct words *w, int64_t us)
{
	number(w, us / 1000 + (us % 1000 > 0));
}

/*
 * The windows of now by the server's clock as far as it is known here, and the
 * time in which they are that. (Where it is another one the server says so, and
 * with that what time it is.)
 */
static void
pick_windows(struct op *op, int64_t now, int64_t *from, int64_t *until)
{
	struct op_part *p;
	int64_t begin, end;
	unsigned i;

	*from = *until = 0;
	for (i = 0; i < op->parts; i++) {
		p = &op->part[i];
		p->pick = 0;
		if (p->turn == INT64_MAX)
			continue;
		p->pick = now >= p->turn;
		begin = p->pick == 0 ? p->begin : p->turn;
		end = op_part_end(p);
		*from = begin > *from ? begin : *from;
		*until = *until == 0 || end < *until ? end : *until;
	}
}

static void
hold_words(struct words *w, struct op *op, int64_t now)
{
	const struct op_part *p;
	int64_t from, until;
	unsigned i;

	pick_windows(op, now, &from, &until);
	number(w, op->lease);
	number(w, from);
	number(w, until);
	word(w, op->verb == VERB_MORE ? "m" : op->verb == VERB_HOLD ? "h" :
	    op->sent ? "s" : "r");
	word(w, op->verb == VERB_MORE ? "" : op->who);
	number(w, op->cost);
	for (i = 0; i < op->parts; i++) {
		p = &op->part[i];
		number(w, (int)p->kind);
		number(w, p->limit);
		number(w, p->amount);
		word(w, p->name[p->pick]);
		if (p->kind == COUNTER_MONEY)
			expiry(w, p->expire[p->pick]);
	}
}

/* What was used of which counters; requests were when they came. */
static void
settle_words(struct words *w, const struct op *op)
{
	bool settles = op->verb != VERB_RELEASE;
	const struct op_part *p;
	unsigned i, k, used = 0;

	for (i = 0; i < op->parts && settles; i++)
		used += op->part[i].actual > 0;
	word(w, settles ? "s" : "r");
	number(w, used);
	number(w, op->rows);
	for (i = 0; i < op->parts && used > 0; i++) {
		p = &op->part[i];
		if (p->actual <= 0)
			continue;
		number(w, (int)p->kind);
		number(w, p->actual);
		word(w, p->name[0]);
		expiry(w, p->expire[0]);
	}
	for (i = 0; i < op->rows; i++) {
		word(w, op->row[i].who);
		for (k = 0; k < 5; k++)
			number(w, op->row[i].n[k]);
	}
}

/* What is to be held from then on, in its place. */
static void
roll_words(struct words *w, const struct op *op)
{
	const struct op_part *p;
	unsigned i;

	word(w, op->next_id);
	number(w, op->lease);
	number(w, op->from);
	number(w, op->until == INT64_MAX ? 0 : op->until);
	word(w, op->who);
	number(w, op->cost);
	number(w, op->least_cost);
	for (i = 0; i < op->parts; i++) {
		p = &op->part[i];
		number(w, (int)p->kind);
		number(w, p->limit);
		number(w, p->amount);
		number(w, p->least);
		word(w, p->name[0]);
		expiry(w, p->expire[0]);
	}
}

static void
ask_hold(struct redis *b, struct op *op)
{
	struct words w;

	words_init(&w, b, op->arena);
	word2(&w, PREFIX "l:", op->id);
	word(&w, b->epoch);
	word(&w, op->id);
	hold_words(&w, op, now_of(b));
	if (w.failed)
		closed(op, "no memory", false);
	else if (shut(b) != NULL)
		closed(op, shut(b), false);
	else
		store_run(b->store, &b->script[S_HOLD], 3, w.item, w.n,
		    on_reply, op);
}

static void
ask_settle(struct redis *b, struct op *op)
{
	struct words w;

	words_init(&w, b, op->arena);
	word2(&w, PREFIX "l:", op->id);
	word2(&w, PREFIX "d:", op->id);
	word(&w, b->epoch);
	word(&w, op->id);
	settle_words(&w, op);
	if (op->verb == VERB_ROLL)
		roll_words(&w, op);
	if (w.failed) {
		closed(op, "no memory", false);
		return;
	}
	journal_asked(b->journal);
	store_run(b->store, &b->script[op->verb == VERB_ROLL ? S_ROLL :
	    S_SETTLE], 4, w.item, w.n, on_settled, op);
}

static void renew(void *arg, const char *const *ids, unsigned n,
    int64_t lease);

/*
 * The mark that money may be owed: the lease's own text gets an end, so far
 * away that it means nothing else. That is a command without a script, may be
 * said twice, and tells whether there is a lease.
 */
static void
ask_mark(struct redis *b, struct op *op)
{
	struct store_item argv[3] = { { "PEXPIRE", 7 }, { NULL, 0 },
		{ MARK_MS, sizeof MARK_MS - 1 } };
	char key[sizeof PREFIX + 2 + LEDGER_ID] = PREFIX "l:";
	const char *id = op->id;
	int64_t lease = op->lease;

	memcpy(key + sizeof PREFIX + 1, id, strlen(id) + 1);
	argv[1] = (struct store_item){ key, strlen(key) };
	if (lease > 0)
		renew(b, &id, 1, lease);
	store_command(b->store, argv, 3, on_marked, op);
	/* Before the request goes out: the worker may be killed any time. */
	store_push(b->store);
}

static void
run(void *arg, struct op *op)
{
	static void (*const asks[VERBS])(struct redis *, struct op *) = {
		[VERB_HOLD] = ask_hold, [VERB_MORE] = ask_hold,
		[VERB_SENT] = ask_mark, [VERB_SETTLE] = ask_settle,
		[VERB_RELEASE] = ask_settle, [VERB_ROLL] = ask_settle,
		[VERB_RESTORE] = ask_hold,
	};
	struct redis *b = arg;

	op->b = b;
	asks[op->verb](b, op);
}

static void
renew(void *arg, const char *const *ids, unsigned n, int64_t lease)
{
	struct redis *b = arg;
	struct arena *a = arena_new(KIB(256));
	struct words w;
	unsigned i;

	if (a == NULL)
		return;
	words_init(&w, b, a);
	word(&w, PREFIX "none");
	word(&w, b->epoch);
	number(&w, lease);
	for (i = 0; i < n; i++)
		word(&w, ids[i]);
	if (!w.failed)
		store_run(b->store, &b->script[S_RENEW], 3, w.item, w.n, NULL,
		    NULL);
	arena_free(a);
}

static void
on_reaped(void *arg, const struct store_reply *r)
{
	struct redis *b = arg;
	char host[JOURNAL_ID];
	int64_t now, charged, seen;
	size_t i;

	b->reaping = false;
	if (r->err != STORE_OK || !read_head(b, r, &now))
		return;
	if (is(&r->item[0], "EMPTY") || is(&r->item[0], "EPOCH"))
		lost(b, &r->item[1]);
	if (!is(&r->item[0], "OK") || r->count < 5 ||
	    !read_number(&r->item[4], &charged) || charged < 0 ||
	    (size_t)charged > r->count - 5)
		return;
	for (i = 5; i < 5 + (size_t)charged; i++)
		journal_charge(b, &r->item[i], 1);
	for (; i + 1 < r->count; i += 2) {
		if (r->item[i].p == NULL || r->item[i].len >= sizeof host ||
		    !read_number(&r->item[i + 1], &seen))
			continue;
		snprintf(host, sizeof host, "%.*s", (int)r->item[i].len,
		    r->item[i].p);
		journal_saw(b->journal, host, seen);
	}
}

static void see_memory(void *arg, const struct store_reply *r);

static void
ask_memory(struct redis *b)
{
	const struct store_item argv[2] = { { "INFO", 4 }, { "memory", 6 } };

	store_command(b->store, argv, 2, see_memory, b);
}

/*
 * So that none is asked for twice because the server does not know it: the
 * mark that a request goes out must get there with its first try. Where SCRIPT
 * is forbidden the scripts go in full when they are needed.
 */
static void
load_scripts(struct redis *b)
{
	struct store_item argv[3] = { { "SCRIPT", 6 }, { "LOAD", 4 } };
	int i;

	for (i = 0; i < S_COUNT; i++) {
		argv[2] = (struct store_item){ b->script[i].text,
			b->script[i].len };
		store_command(b->store, argv, 3, NULL, NULL);
	}
}

static void
on_greet(void *arg)
{
	struct redis *b = arg;

	ask_memory(b);
	load_scripts(b);
	echo(b);
	ledger_anew(b->ledger);
}

/* A field of INFO, "name:value\r\n"; NULL: not there. */
static const char *
info_field(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	return p == NULL || p[strlen(name)] != ':' ? NULL :
	    p + strlen(name) + 1;
}

static void
see_memory(void *arg, const struct store_reply *r)
{
	struct redis *b = arg;
	const char *max, *policy;
	char *text;

	if (r->err != STORE_OK || r->count != 1 || r->item[0].p == NULL)
		return;
	text = strndup(r->item[0].p, r->item[0].len);
	if (text == NULL)
		return;
	max = info_field(text, "\nmaxmemory");
	policy = info_field(text, "\nmaxmemory_policy");
	/* Volatile ones take keys with an expiry: windows have one. */
	b->evicts = max != NULL && *max != '0' && policy != NULL &&
	    strncmp(policy, "noeviction", 10) != 0;
	free(text);
}

/* Ask a script without parts of its own. */
static void
ask(struct redis *b, enum script s, store_fn *fn, void *arg, const char *one,
    const char *two)
{
	/* Those that only read may do so whatever the epoch. */
	struct store_item argv[6] = { { PREFIX "epoch", 0 },
		{ PREFIX "due", 0 }, { PREFIX "none", 0 },
		{ s == S_REAP ? b->epoch : "", 0 },
		{ one, 0 }, { two, 0 } };
	size_t n = one == NULL ? 4 : 6, i;

	for (i = 0; i < n; i++)
		argv[i].len = strlen(argv[i].p);
	store_run(b->store, &b->script[s], 3, argv, n, fn, arg);
}

static void
replay(void *arg, const char *text)
{
	struct redis *b = arg;
	char id[LEDGER_ID] = "";

	/* What cannot be read now never will. */
	if (!op_replay(b->ledger, text, false) &&
	    sscanf(text, "%*c %23s", id) == 1)
		journal_paid(b->journal, id);
}

static void
tick(void *arg)
{
	struct redis *b = arg;

	if (b->evicts)
		ask_memory(b);
	forget_past(b);
	if (b->lost != NULL)
		rebuild_start(b->rebuild);
	else if (store_up(b->store))
		journal_owed(b->journal, REPLAY, replay, b);
	if (b->reaping)
		return;
	b->reaping = true;
	ask(b, S_REAP, on_reaped, b, journal_host(b->journal),
	    b->ticks++ % HOSTS_TICKS == 0 ? "1" : "0");
}

static bool
keep(void *arg, const struct op *op)
{
	struct redis *b = arg;
	struct buf text;
	bool kept;

	buf_init(&text, KIB(256));
	op_write(&text, op);
	buf_putc(&text, '\0');
	kept = !text.failed && journal_owe(b->journal, op->id, text.data);
	buf_free(&text);
	return kept;
}

static size_t
owes(void *arg)
{
	struct redis *b = arg;

	return journal_owes(b->journal);
}

/* ---- reading ---- */

struct question {
	struct redis *b;
	counter_fn *counter;
	usage_fn *usage;
	void *arg;
	int32_t day, to; /* usage: the day that is asked for, and the last */
	enum err err;
};

static void
on_looked(void *arg, const struct store_reply *r)
{
	struct question *q = arg;
	struct counter_state st;
	int64_t now;

	if (r->err == STORE_OK && read_head(q->b, r, &now) &&
	    r->count == 5 && is(&r->item[0], "OK") &&
	    read_number(&r->item[3], &st.used) &&
	    read_number(&r->item[4], &st.held))
		q->counter(q->arg, ERR_OK, &st);
	else if (r->err == STORE_OK && r->count == 3 &&
	    is(&r->item[0], "EMPTY") && strcmp(q->b->epoch, NO_EPOCH) == 0) {
		memset(&st, 0, sizeof st); /* a new store */
		q->counter(q->arg, ERR_OK, &st);
	} else
		q->counter(q->arg, ERR_LEDGER, NULL);
	free(q);
}

static void
look(void *arg, const char *name, enum counter_kind kind, counter_fn *fn,
    void *fn_arg)
{
	struct question *q = calloc(1, sizeof *q);
	char digit[2] = { (char)('0' + kind), '\0' };

	if (q == NULL) {
		fn(fn_arg, ERR_LEDGER, NULL);
		return;
	}
	q->b = arg;
	q->counter = fn;
	q->arg = fn_arg;
	ask(q->b, S_LOOK, on_looked, q, digit, name);
}

/* What leases hold: pairs of who and cost behind the head. */
static void
on_leases(void *arg, const struct store_reply *r)
{
	struct question *q = arg;
	struct usage_row row;
	int64_t now, cost;
	char *who;
	size_t i;

	if (r->err != STORE_OK || !read_head(q->b, r, &now))
		q->err = ERR_LEDGER;
	for (i = 3; q->err == ERR_OK && i + 1 < r->count; i += 2) {
		who = r->item[i].p == NULL ? NULL :
		    strndup(r->item[i].p, r->item[i].len);
		if (who != NULL && read_number(&r->item[i + 1], &cost) &&
		    who_read(who, &row) && row.day >= q->day &&
		    row.day <= q->to)
			q->usage(q->arg, ERR_OK, &row, cost);
		free(who);
	}
	q->usage(q->arg, q->err, NULL, 0);
	free(q);
}

/* One field of a day: a letter for the number, then who. */
static void
usage_field(struct question *q, int32_t day, const struct store_item *name,
    const struct store_item *value)
{
	static const char letters[] = "rioc$";
	struct usage_row row;
	int64_t n;
	char *who;
	const char *letter = name->p == NULL || name->len < 2 ? NULL :
	    strchr(letters, name->p[0]);

	if (letter == NULL || *letter == '\0' || !read_number(value, &n))
		return;
	who = malloc(name->len + 16);
	if (who == NULL)
		return;
	snprintf(who, name->len + 16, "%08d%.*s", (int)day,
	    (int)name->len - 1, name->p + 1);
	if (who_read(who, &row)) {
		int64_t *const to[] = { &row.requests, &row.input,
			&row.output, &row.cached, &row.cost };

		*to[letter - letters] = n;
		q->usage(q->arg, ERR_OK, &row, 0);
	}
	free(who);
}

static int32_t
day_after(int32_t day)
{
	int d = day % 100, m = day / 100 % 100, y = day / 10000;

	/* Days that are none cost an empty answer. */
	if (++d > 31) {
		d = 1;
		if (++m > 12) {
			m = 1;
			y++;
		}
	}
	return y * 10000 + m * 100 + d;
}

static void ask_day(struct question *q, int32_t day);

struct day {
	struct question *q;
	int32_t day;
};

static void
on_day(void *arg, const struct store_reply *r)
{
	struct day *d = arg;
	struct question *q = d->q;
	int32_t day = d->day;
	size_t i;

	free(d);
	if (r->err != STORE_OK)
		q->err = ERR_LEDGER;
	for (i = 0; r->err == STORE_OK && i + 1 < r->count; i += 2)
		usage_field(q, day, &r->item[i], &r->item[i + 1]);
	if (q->err == ERR_OK && day < q->to)
		ask_day(q, day_after(day));
	else
		ask(q->b, S_LEASES, on_leases, q, NULL, NULL);
}

static void
ask_day(struct question *q, int32_t day)
{
	struct day *d = malloc(sizeof *d);
	char key[40];
	struct store_item argv[2] = { { "HGETALL", 7 }, { key, 0 } };

	if (d == NULL) {
		q->usage(q->arg, ERR_LEDGER, NULL, 0);
		free(q);
		return;
	}
	d->q = q;
	d->day = day;
	argv[1].len = (size_t)snprintf(key, sizeof key, PREFIX "u:%08d",
	    (int)day);
	store_command(q->b->store, argv, 2, on_day, d);
}

static void
usage(void *arg, int32_t from, int32_t to, usage_fn *fn, void *fn_arg)
{
	struct question *q = calloc(1, sizeof *q);

	if (q == NULL) {
		fn(fn_arg, ERR_LEDGER, NULL, 0);
		return;
	}
	q->b = arg;
	q->usage = fn;
	q->arg = fn_arg;
	q->day = from;
	q->to = to;
	ask_day(q, from);
}

/* ---- begin and end ---- */

static void
free_redis(struct redis *b)
{
	int i;

	for (i = 0; i < S_COUNT; i++)
		free(b->text[i]);
	for (i = 0; i < RECENT; i++)
		free(b->recent[i].text);
	if (b->journal != NULL)
		journal_close(b->journal);
	free(b);
}

static void
close_redis(void *arg)
{
	struct redis *b = arg;

	b->closing = true;
	store_close(b->store);
	unpark(b, "closing");
	rebuild_free(b->rebuild);
	free_redis(b);
}

static bool
make_scripts(struct redis *b)
{
	struct buf text;
	int i, k;

	for (i = 0; i < S_COUNT; i++) {
		buf_init(&text, KIB(64));
		for (k = 0; k < PIECES && pieces[i][k] != NULL; k++)
			buf_puts(&text, pieces[i][k]);
		if (text.failed) {
			buf_free(&text);
			return false;
		}
		b->text[i] = text.data; /* its owner from now on */
		store_script_init(&b->script[i], text.data, text.len);
	}
	return true;
}

static enum err
open_parts(struct redis *b, const struct ledger_setup *setup, struct fault *f)
{
	b->journal = journal_open(setup->loop, setup->dir, setup->store, f);
	if (b->journal == NULL)
		return ERR_INTERNAL;
	journal_epoch(b->journal, b->epoch);
	if (b->epoch[0] == '\0')
		snprintf(b->epoch, sizeof b->epoch, NO_EPOCH);
	b->store = store_open(setup->loop, setup->store, f);
	if (b->store == NULL)
		return ERR_INTERNAL;
	b->rebuild = rebuild_new(setup->loop, b->store, b->journal,
	    on_rebuilt, b);
	if (b->rebuild != NULL && make_scripts(b))
		return ERR_OK;
	return fault_set(f, ERR_INTERNAL, "store", "no memory");
}

void *
ledger_redis_open(const struct ledger_setup *setup, struct ledger *l,
    struct fault *f)
{
	struct redis *b = calloc(1, sizeof *b);

	if (b == NULL) {
		fault_set(f, ERR_INTERNAL, "store", "no memory");
		return NULL;
	}
	b->ledger = l;
	if (open_parts(b, setup, f) != ERR_OK) {
		close_redis(b);
		return NULL;
	}
	if (setup->patience > 0)
		store_limits(b->store, setup->patience, setup->patience);
	store_greet(b->store, on_greet, b);
	return b;
}

const struct backend ledger_redis = { run, renew, tick, now_of, look, usage,
	close_redis, keep, owes };
