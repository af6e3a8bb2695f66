/*
 * What is given out of purses, and when they are rolled. The state of a purse
 * is its account (what was used and not told yet, what is given out); the will
 * says the same for the case that this process is killed, and is changed first
 * where that matters: before a request goes out.
 */
#include "app/purse.h"

#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/base/siphash.h"
#include "app/will.h"

#define ROWS (WILL_ROWS / 2) /* of each account */
#define FIRST 16	     /* requests that a new purse has room for */
#define SEEN 256	     /* kinds of holds that are watched */
#define MEMORY KIB(64)
#define MOST (LEDGER_MAX / 16)
#define NEVER (INT64_C(60000000)) /* a set that found a limit near: so long */

/* Amounts of each part, and rows for the usage. */
struct account {
	int64_t amount[WILL_PARTS];
	unsigned rows;
	struct will_row row[ROWS];
};

struct part {
	struct counter counter;
	const char *name;
	int64_t begin, end; /* of the window, 0: none */
	int64_t expire;
	int64_t held;	/* by the store */
	int64_t live;	/* given out and not ended */
	int64_t given;	/* since the last roll */
	int64_t rate;	/* given between rolls, of late */
	int64_t most;	/* at once */
	int64_t left, reset; /* as the store told */
};

struct purse {
	struct purse *next;
	struct purses *all;
	uint64_t set;	  /* of its counters */
	struct hold hold; /* the one in the store */
	struct part part[WILL_PARTS];
	unsigned parts;
	int64_t from, until; /* of the windows */
	struct account unsaid; /* used, and not told yet */
	struct account saying; /* what the roll that is under way tells */
	struct account sent;   /* to be charged for those that are out */
	unsigned users[ROWS];  /* of its rows: how many are out */
	unsigned live;		/* given out */
	int64_t cost;		/* of all that are given out */
	int place;		/* in the will */
	struct op *op;		/* under way, or to be said again */
	bool again;		/* it had no answer */
	char next_id[LEDGER_ID];
	bool ends;    /* nothing is given out any more … */
	bool over;    /* … nor ever again */
	int64_t last; /* clock_mono: something was given out */
	int64_t asked, heard; /* clock_mono: the op, its last answer */
};

/* How often a set of counters was held of late. */
struct seen {
	uint64_t set;
	int64_t since, not_before;
	unsigned count;
};

struct purses {
	struct ledger *ledger;
	uv_timer_t timer;
	struct will *will;
	char *dir, *store;
	struct purse *first;
	size_t count;
	uint64_t key[2];
	struct seen seen[SEEN];
	struct will_settle before, now; /* on the way into the will */
	struct legacy *legacy; /* of a dead one, that is being said */
	unsigned saying;
	bool failed, closing;
};

static void arm(struct purses *ps);

/* ---- accounts ---- */

/* Of two that are none below 0; wills and kept settles know none above. */
static int64_t
sum(int64_t a, int64_t b)
{
	return a > LEDGER_MAX - b ? LEDGER_MAX : a + b;
}

static int64_t
sane(int64_t n)
{
	return n < 0 ? 0 : n > LEDGER_MAX ? LEDGER_MAX : n;
}

static struct will_row *
row_of(struct account *a, const char *who)
{
	struct will_row *r;

	for (r = a->row; r < a->row + a->rows; r++)
		if (strcmp(r->who, who) == 0)
			return r;
	return NULL;
}

/* The row of who, maybe a new one; NULL: there is no room for another. */
static struct will_row *
make_row(struct account *a, const char *who)
{
	struct will_row *r = row_of(a, who);

	if (r != NULL || a->rows == ROWS || strlen(who) >= WILL_WHO)
		return r;
	r = &a->row[a->rows++];
	memset(r, 0, sizeof *r);
	memcpy(r->who, who, strlen(who) + 1);
	return r;
}

/* Add to it; false: there is no room. */
static bool
add_row(struct account *a, const char *who, const int64_t n[5])
{
	struct will_row *r = make_row(a, who);
	int k;

	for (k = 0; r != NULL && k < 5; k++)
		r->n[k] = sum(r->n[k], n[k]);
	return r != NULL;
}

static bool
row_empty(const struct will_row *r)
{
	int k;

	for (k = 0; k < 5; k++)
		if (r->n[k] != 0)
			return false;
	return true;
}

/* Of those that are out: a row for each that may be sent. */
static bool
enter_row(struct purse *p, const char *who)
{
	struct account *a = &p->sent;
	unsigned rows = a->rows;
	struct will_row *r = make_row(a, who);

	if (r == NULL)
		return false;
	if (a->rows > rows)
		p->users[r - a->row] = 0;
	p->users[r - a->row]++;
	return true;
}

static void
leave_row(struct purse *p, const char *who, const int64_t n[5])
{
	struct account *a = &p->sent;
	struct will_row *r = row_of(a, who);
	int k;

	if (r == NULL)
		return;
	for (k = 0; k < 5; k++)
		r->n[k] = sane(r->n[k] - n[k]);
	if (--p->users[r - a->row] > 0)
		return;
	p->users[r - a->row] = p->users[--a->rows];
	*r = a->row[a->rows];
}

static void
copy_account(struct account *to, const struct account *from)
{
	memcpy(to->amount, from->amount, sizeof to->amount);
	memcpy(to->row, from->row, from->rows * sizeof *from->row);
	to->rows = from->rows;
}

static void
clear_account(struct account *a)
{
	memset(a->amount, 0, sizeof a->amount);
	a->rows = 0;
}

static bool
account_empty(const struct account *a)
{
	unsigned i;

	for (i = 0; i < WILL_PARTS; i++)
		if (a->amount[i] != 0)
			return false;
	return a->rows == 0;
}

/* ---- the will ---- */

static void
add_account(struct will_settle *s, const struct account *a)
{
	unsigned i;

	for (i = 0; i < WILL_PARTS; i++)
		s->actual[i] = sum(s->actual[i], a->amount[i]);
	for (i = 0; i < a->rows; i++)
		if (!row_empty(&a->row[i]))
			s->row[s->rows++] = a->row[i];
}

static void
put_settle(struct will_settle *s, const char *id, const struct account *a,
    const struct account *b)
{
	memcpy(s->id, id, LEDGER_ID);
	memset(s->actual, 0, sizeof s->actual);
	s->rows = 0;
	add_account(s, a);
	if (b != NULL)
		add_account(s, b);
}

/* What is to be said of the hold that is there now, or will be. */
static void
put_now(struct purse *p)
{
	put_settle(&p->all->now, p->op != NULL ? p->next_id : p->hold.id,
	    &p->unsaid, &p->sent);
}

static void
say_now(struct purse *p)
{
	put_now(p);
	will_say_now(p->all->will, p->place, &p->all->now);
}

/* A roll begins, or was answered. */
static void
say_both(struct purse *p)
{
	struct purses *ps = p->all;

	put_now(p);
	if (p->op != NULL)
		put_settle(&ps->before, p->hold.id, &p->saying, NULL);
	will_say(ps->will, p->place, p->op != NULL ? &ps->before : NULL,
	    &ps->now);
}

/* ---- sets of counters ---- */

static uint64_t
set_of(const struct purses *ps, uint64_t so_far, const struct counter *c)
{
	uint64_t n = siphash(ps->key, c->scope, strlen(c->scope));

	n ^= (uint64_t)c->limit * 8 + (uint64_t)c->kind;
	return (so_far ^ n) * UINT64_C(0x100000001b3) + (uint64_t)c->span;
}

static bool
same_counter(const struct counter *a, const struct counter *b)
{
	return a->kind == b->kind && a->limit == b->limit &&
	    strcmp(a->scope, b->scope) == 0 &&
	    (a->kind != COUNTER_MONEY || (a->span == b->span &&
	    strcmp(a->zone_name == NULL ? "" : a->zone_name,
	    b->zone_name == NULL ? "" : b->zone_name) == 0));
}

static bool
same_set(const struct purse *p, const struct want *claims, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (!same_counter(&p->part[i].counter, claims[i].counter))
			return false;
	return n == p->parts;
}

static struct purse *
find(const struct purses *ps, const struct want *claims, unsigned n)
{
	struct purse *p;
	uint64_t set = 0;
	unsigned i;

	if (ps->first == NULL || n > WILL_PARTS)
		return NULL;
	for (i = 0; i < n; i++)
		set = set_of(ps, set, claims[i].counter);
	for (p = ps->first; p != NULL; p = p->next)
		if (p->set == set && !p->ends && same_set(p, claims, n))
			return p;
	return NULL;
}

/* ---- rolls ---- */

/* What may still be given out. While a roll is under way it is what was held
 * before less what the roll tells: so much is held afterwards in any case. */
static int64_t
free_of(const struct purse *p, unsigned i)
{
	const struct part *t = &p->part[i];

	return t->held - t->live - p->saying.amount[i] - p->unsaid.amount[i];
}

/* A purse with less is none. */
static int64_t
least_target(const struct part *t)
{
	return 4 * (t->most < MOST ? t->most : MOST);
}

/*
 * Room for what the time until the next roll will want, and some more, within
 * its share of what was left. Requests at once come back in that time.
 */
static int64_t
target(const struct part *t)
{
	int64_t rate = t->counter.kind == COUNTER_PARALLEL ? t->live / 4 :
	    t->rate;
	int64_t want = 2 * (rate < MOST ? rate : MOST) + least_target(t);

	return want < t->left / PURSE_SHARE ? want : t->left / PURSE_SHARE;
}

static bool
any_free(const struct purse *p)
{
	unsigned i;

	for (i = 0; i < p->parts; i++)
		if (free_of(p, i) > 0)
			return true;
	return false;
}

static void
measure(struct part *t)
{
	t->rate = t->given > t->rate - t->rate / 4 ? t->given :
	    t->rate - t->rate / 4;
	t->given = 0;
}

static bool
roll_parts(struct purse *p, struct op *op)
{
	struct op_part *o;
	struct part *t;
	unsigned i;

	op->part = arena_zalloc(op->arena, p->parts * sizeof *op->part);
	for (i = 0; op->part != NULL && i < p->parts; i++) {
		o = &op->part[i];
		t = &p->part[i];
		measure(t);
		o->name[0] = o->name[1] = t->name;
		o->begin = t->begin;
		o->turn = o->end = t->end == 0 ? INT64_MAX : t->end;
		o->expire[0] = t->expire;
		o->kind = t->counter.kind;
		o->limit = t->counter.limit;
		o->actual = p->unsaid.amount[i];
		o->least = t->live + (p->ends || free_of(p, i) < 0 ? 0 :
		    free_of(p, i));
		o->amount = p->ends ? t->live : t->live + target(t);
		if (o->amount < o->least)
			o->amount = o->least;
		if (o->kind != COUNTER_MONEY)
			continue;
		if (o->amount > op->cost)
			op->cost = o->amount;
		if (o->least > op->least_cost)
			op->least_cost = o->least;
	}
	op->parts = p->parts;
	return op->part != NULL;
}

static bool
roll_rows(struct purse *p, struct op *op)
{
	unsigned i;

	op->row = arena_zalloc(op->arena, (p->unsaid.rows + 1) *
	    sizeof *op->row);
	for (i = 0; op->row != NULL && i < p->unsaid.rows; i++) {
		op->row[i].who = arena_str(op->arena, p->unsaid.row[i].who);
		memcpy(op->row[i].n, p->unsaid.row[i].n,
		    sizeof op->row[i].n);
		if (op->row[i].who == NULL)
			return false;
	}
	op->rows = p->unsaid.rows;
	return op->row != NULL;
}

/* The op that tells what was used: a roll, or the end. */
static struct op *
roll_op(struct purse *p, enum verb verb)
{
	struct op *op = op_new(p->all->ledger, verb, p->hold.id, NULL, NULL);

	if (op == NULL || !roll_parts(p, op) || !roll_rows(p, op) ||
	    !op_id(p->next_id)) {
		op_free(op);
		return NULL;
	}
	memcpy(op->next_id, p->next_id, sizeof op->next_id);
	op->purse = p;
	op->who = p->hold.who;
	op->from = p->from;
	op->until = p->until;
	return op;
}

/*
 * Tell the store what was used; it stands in `saying` while it is on its way.
 * False: there is no memory, later. (p may be gone when it was the end.)
 */
static bool
roll(struct purse *p, enum verb verb)
{
	struct op *op = roll_op(p, verb);

	if (op == NULL)
		return false;
	copy_account(&p->saying, &p->unsaid);
	clear_account(&p->unsaid);
	p->op = op;
	p->again = false;
	p->asked = clock_mono();
	say_both(p);
	op_run(op);
	return true;
}

static void
free_purse(struct purse *p)
{
	struct purse **at;

	for (at = &p->all->first; *at != p; at = &(*at)->next)
		continue;
	*at = p->next;
	p->all->count--;
	hold_unlink(&p->hold);
	arena_free(p->hold.arena);
	free(p);
}

/* Nothing is owed for it any more. */
static void
end_purse(struct purse *p)
{
	will_end(p->all->will, p->place);
	free_purse(p);
}

static struct seen *
seen_at(struct purses *ps, uint64_t set)
{
	return &ps->seen[set % SEEN];
}

/* A limit is near: this purse ends, and there is no other for a while. */
static void
retire(struct purse *p)
{
	struct seen *s = seen_at(p->all, p->set);

	p->ends = p->over = true;
	s->set = p->set;
	s->not_before = clock_mono() + NEVER;
}

/* The store has the hold that goes on. */
static void
rolled(struct purse *p, const struct op *op)
{
	struct part *t;
	unsigned i;
	/* Behind its window there is no room in any case. */
	bool turned = ledger_now(p->all->ledger) >= p->until;
	bool near = !op->grown && !op->twice;

	for (i = 0; i < p->parts; i++) {
		t = &p->part[i];
		t->held = op->grown ? op->part[i].amount : op->part[i].least;
		if (!op->twice) {
			t->left = op->part[i].left;
			t->reset = op->part[i].reset;
		}
		near = near || t->left / PURSE_SHARE < least_target(t);
		p->hold.part[i].amount = t->held;
	}
	memcpy(p->hold.id, p->next_id, sizeof p->hold.id);
	p->hold.renewed = p->heard = clock_mono();
	p->hold.cost = op->grown ? op->cost : op->least_cost;
	hold_link(p->all->ledger, &p->hold);
	if (near && !p->ends && !turned)
		retire(p);
	/* What it has is not known for sure; it may be woken. */
	if (op->twice)
		p->ends = true;
}

void
purse_answered(struct op *op)
{
	struct purse *p = op->purse;

	if (op->answer.err != ERR_OK && !p->all->closing) {
		op->said = true;
		p->again = true;
		return;
	}
	/* (On the way out what is kept is as good as told.) */
	if (op->verb == VERB_SETTLE && (op->answer.err == ERR_OK ||
	    op_keep(op))) {
		op_free(op);
		end_purse(p);
		return;
	}
	if (op->answer.err == ERR_OK) {
		p->op = NULL;
		rolled(p, op);
		clear_account(&p->saying);
		say_both(p);
		op_free(op);
		arm(p->all);
	}
}

/* What is to be done for p now; false: nothing, until something happens. */
static bool
step(struct purse *p)
{
	int64_t now = clock_mono();

	if (p->op != NULL)
		return false; /* its answer arms the timer */
	if (ledger_now(p->all->ledger) >= p->until)
		p->over = true;
	if (p->over || now - p->last >= PURSE_IDLE_MS * INT64_C(1000))
		p->ends = true;
	if (p->ends && p->live == 0)
		return !roll(p, VERB_SETTLE);
	if (!account_empty(&p->unsaid) || (p->ends && any_free(p)) ||
	    (!p->ends && now - p->heard > PURSE_HEARD_US / 2))
		return !roll(p, VERB_ROLL);
	return !p->ends;
}

static void
on_timer(uv_timer_t *t)
{
	struct purses *ps = t->data;
	struct purse *p, *next;
	bool more = false;

	for (p = ps->first; p != NULL; p = next) {
		next = p->next;
		more = step(p) || more;
	}
	if (more)
		arm(ps);
}

static void
arm(struct purses *ps)
{
	if (!ps->closing && !uv_is_active((uv_handle_t *)&ps->timer))
		uv_timer_start(&ps->timer, on_timer, PURSE_MS, 0);
}

/* ---- holds ---- */

static bool
may_give(const struct purse *p)
{
	int64_t now = clock_mono();

	if (p->op != NULL && now - p->asked > PURSE_PATIENCE_US)
		return false;
	return now - p->heard < PURSE_HEARD_US &&
	    now - p->hold.renewed < ledger_lease(p->all->ledger) / 2 &&
	    ledger_now(p->all->ledger) < p->until;
}

static bool
has_room(const struct purse *p, const struct want *claims)
{
	unsigned i;

	for (i = 0; i < p->parts; i++)
		if (claims[i].amount < 0 || claims[i].amount > LEDGER_MAX ||
		    claims[i].amount > free_of(p, i))
			return false;
	return true;
}

/* So much is asked for at once; what would make the purse none is not said. */
static void
note_want(struct part *t, int64_t amount)
{
	if (amount > t->most && amount <= t->left / PURSE_SHARE / 4)
		t->most = amount;
}

/* Would there be room if it were rolled? */
static bool
may_fit(const struct purse *p, const struct want *claims)
{
	unsigned i;

	for (i = 0; i < p->parts; i++)
		if (claims[i].amount > free_of(p, i) &&
		    claims[i].amount > target(&p->part[i]))
			return false;
	return true;
}

/* How one part looks to its owner. */
static void
give_part(struct purse *p, unsigned i, const struct want *w, struct held *out)
{
	struct part *t = &p->part[i];

	t->given += w->amount;
	if (t->counter.kind == COUNTER_RPM)
		p->unsaid.amount[i] += w->amount; /* it stays counted */
	else
		t->live += w->amount;
	*out = (struct held){ .counter = w->counter, .name = t->name,
		.begin = t->begin, .end = t->end, .amount = w->amount,
		.left = t->left + (free_of(p, i) > 0 ? free_of(p, i) : 0),
		.reset = t->reset };
	if (t->counter.kind == COUNTER_MONEY && t->end != 0)
		out->reset = t->end - ledger_now(p->all->ledger);
}

bool
purse_hold(struct purses *ps, struct hold *h, const struct want *claims,
    unsigned n, const char *who, int64_t cost)
{
	struct purse *p = find(ps, claims, n);
	unsigned i;

	if (p == NULL || cost < 0 || cost > LEDGER_MAX - p->cost ||
	    !may_give(p))
		return false;
	for (i = 0; i < n; i++)
		note_want(&p->part[i], claims[i].amount);
	if (p->op == NULL && !has_room(p, claims) && may_fit(p, claims))
		(void)roll(p, VERB_ROLL); /* it may have its answer at once */
	if (p->ends || !has_room(p, claims))
		return false;
	h->part = arena_alloc(h->arena, n * sizeof *h->part);
	h->who = arena_str(h->arena, who);
	if (h->part == NULL || h->who == NULL || !enter_row(p, who))
		return false;
	for (i = 0; i < n; i++)
		give_part(p, i, &claims[i], &h->part[i]);
	h->id[0] = '\0';
	h->parts = n;
	h->cost = cost;
	h->purse = p;
	h->live = true;
	p->live++;
	p->cost += cost;
	p->last = clock_mono();
	arm(ps);
	return true;
}

bool
purse_sent(struct hold *h)
{
	struct purse *p = h->purse;
	const int64_t n[5] = { 1, 0, 0, 0, h->cost };
	unsigned i;

	if (h->sent)
		return true;
	/* A worker that stood still may have lost what it holds. */
	if (clock_mono() - p->hold.renewed >= ledger_lease(p->all->ledger) ||
	    !add_row(&p->sent, h->who, n))
		return false;
	for (i = 0; i < h->parts; i++)
		if (p->part[i].counter.kind == COUNTER_TPM ||
		    p->part[i].counter.kind == COUNTER_MONEY)
			p->sent.amount[i] += h->part[i].amount;
	say_now(p);
	return true;
}

/* It is out no more. */
static void
take_in(struct hold *h)
{
	struct purse *p = h->purse;
	const int64_t n[5] = { h->sent, 0, 0, 0, h->sent ? h->cost : 0 };
	unsigned i;

	for (i = 0; i < h->parts; i++) {
		if (p->part[i].counter.kind != COUNTER_RPM)
			p->part[i].live -= h->part[i].amount;
		if (h->sent && (p->part[i].counter.kind == COUNTER_TPM ||
		    p->part[i].counter.kind == COUNTER_MONEY))
			p->sent.amount[i] -= h->part[i].amount;
	}
	leave_row(p, h->who, n);
	p->live--;
	p->cost -= h->cost;
	h->purse = NULL;
}

static void
use_rows(struct purse *p, const struct usage_row *rows, unsigned n)
{
	char who[WHO_SIZE];
	unsigned i;

	for (i = 0; i < n; i++) {
		const int64_t add[5] = { sane(rows[i].requests),
			sane(rows[i].input), sane(rows[i].output),
			sane(rows[i].cached), sane(rows[i].cost) };

		who_write(who, &rows[i]);
		if (!add_row(&p->unsaid, who, add))
			ledger_note(p->all->ledger, &rows[i], 1);
	}
}

void
purse_settle(struct hold *h, const int64_t *actual,
    const struct usage_row *rows, unsigned n)
{
	struct purse *p = h->purse;
	bool beyond = false;
	unsigned i;

	for (i = 0; i < h->parts; i++)
		if (p->part[i].counter.kind == COUNTER_TPM ||
		    p->part[i].counter.kind == COUNTER_MONEY)
			p->unsaid.amount[i] = sum(p->unsaid.amount[i],
			    sane(actual[i]));
	use_rows(p, rows, n);
	take_in(h);
	say_now(p);
	for (i = 0; i < p->parts; i++)
		beyond = beyond || free_of(p, i) < 0;
	/* More than was held: at once. */
	if (beyond && p->op == NULL)
		(void)roll(p, VERB_ROLL);
	arm(p->all);
}

void
purse_release(struct hold *h)
{
	struct purse *p = h->purse;
	bool sent = h->sent;

	take_in(h);
	if (sent)
		say_now(p);
	arm(p->all);
}

/* ---- new purses ---- */

static bool
name_parts(struct purse *p, const struct op *op, struct will_part *will)
{
	struct arena *a = p->hold.arena;
	const struct op_part *o;
	struct part *t;
	unsigned i;

	p->hold.part = arena_zalloc(a, op->parts * sizeof *p->hold.part);
	if (p->hold.part == NULL)
		return false;
	for (i = 0; i < op->parts; i++) {
		o = &op->part[i];
		t = &p->part[i];
		t->counter = *o->counter;
		t->counter.zone = NULL; /* the policy's: its window is known */
		t->counter.scope = arena_str(a, o->counter->scope);
		t->counter.zone_name = arena_str(a,
		    o->counter->zone_name == NULL ? "" : o->counter->zone_name);
		t->name = arena_str(a, o->name[o->pick]);
		if (t->counter.scope == NULL || t->counter.zone_name == NULL ||
		    t->name == NULL)
			return false;
		t->begin = o->pick == 0 ? o->begin : o->turn;
		t->end = op_part_end(o) == INT64_MAX ? 0 : op_part_end(o);
		t->expire = o->expire[o->pick];
		t->left = o->left;
		t->most = o->amount;
		t->rate = o->amount * (FIRST / 2 - 2);
		if (t->end != 0 && t->begin > p->from)
			p->from = t->begin;
		if (t->end != 0 && t->end < p->until)
			p->until = t->end;
		p->hold.part[i] = (struct held){ .counter = &t->counter,
			.name = t->name, .begin = t->begin, .end = t->end };
		will[i] = (struct will_part){ t->counter.kind, t->expire,
			t->name };
	}
	p->parts = p->hold.parts = op->parts;
	return true;
}

/* "key:NAME" of op's counters? Else it is not of that one alone. */
static const char *
common(const struct op *op, const char *what, const char *name)
{
	char scope[LEDGER_SCOPE];
	unsigned i;

	ledger_scope(scope, what, name);
	for (i = 0; i < op->parts; i++)
		if (strcmp(op->part[i].counter->scope, scope) == 0)
			return name;
	return "";
}

/* Whom a purse that was made for op is held for. */
static const char *
holder(struct arena *a, const struct op *op)
{
	char who[WHO_SIZE];
	struct usage_row row;

	memcpy(who, op->who, strlen(op->who) + 1);
	if (!who_read(who, &row))
		return NULL;
	row = (struct usage_row){ .day = row.day,
		.key = common(op, "key", row.key),
		.team = common(op, "team", row.team),
		.user = common(op, "user", row.user) };
	who_write(who, &(struct usage_row){ .day = row.day,
		.key = arena_str(a, row.key), .team = arena_str(a, row.team),
		.user = arena_str(a, row.user) });
	return arena_str(a, who);
}

static struct purse *
new_purse(struct purses *ps, const struct op *op, uint64_t set)
{
	struct purse *p = calloc(1, sizeof *p);
	struct will_part will[WILL_PARTS];

	if (p == NULL)
		return NULL;
	p->all = ps;
	p->set = set;
	p->until = INT64_MAX;
	p->hold.arena = arena_new(MEMORY);
	p->hold.live = p->hold.sent = true;
	p->place = -1;
	if (p->hold.arena != NULL && op_id(p->hold.id) &&
	    (p->hold.who = holder(p->hold.arena, op)) != NULL &&
	    name_parts(p, op, will))
		p->place = will_begin(ps->will, will, p->parts);
	if (p->place < 0) {
		arena_free(p->hold.arena);
		free(p);
		return NULL;
	}
	p->next = ps->first;
	ps->first = p;
	ps->count++;
	return p;
}

/* Has p what op was about, in the same windows? */
static bool
same_windows(const struct purse *p, const struct op *op)
{
	unsigned i;

	for (i = 0; i < op->parts && i < p->parts; i++)
		if (strcmp(p->part[i].name,
		    op->part[i].name[op->part[i].pick]) != 0)
			return false;
	return op->parts == p->parts;
}

/* Are all limits so far away that a purse would not be felt? */
static bool
far(const struct op *op)
{
	const struct op_part *o;
	unsigned i;

	for (i = 0; i < op->parts; i++) {
		o = &op->part[i];
		if (o->left / PURSE_SHARE / FIRST < o->amount || o->left == 0)
			return false;
	}
	return op->parts <= WILL_PARTS;
}

/* Was it held often of late? */
static bool
often(struct seen *s, uint64_t set)
{
	int64_t now = clock_mono();

	if (s->set != set || now - s->since > PURSE_OFTEN_US) {
		s->not_before = s->set == set ? s->not_before : 0;
		s->set = set;
		s->since = now;
		s->count = 0;
	}
	return ++s->count >= PURSE_OFTEN && now >= s->not_before;
}

void
purse_heard(struct purses *ps, const struct op *op)
{
	struct purse *p;
	uint64_t set = 0;
	unsigned i;

	for (i = 0; i < op->parts; i++)
		set = set_of(ps, set, op->part[i].counter);
	if (ps->closing || op->replaces || !often(seen_at(ps, set), set) ||
	    !far(op))
		return;
	for (p = ps->first; p != NULL; p = p->next)
		if (p->set == set && !p->over && same_windows(p, op))
			break;
	if (p == NULL)
		p = new_purse(ps, op, set);
	else if (!p->ends || p->op != NULL)
		return; /* it is there, or will be, or is just going */
	else
		p->ends = false; /* it has some that last */
	if (p != NULL) {
		p->last = clock_mono();
		(void)roll(p, VERB_ROLL);
		arm(ps);
	}
}

/* ---- the dead ---- */

static void
on_inherited(void *arg, const struct ledger_answer *a)
{
	struct purses *ps = arg;

	ps->failed = ps->failed || a->err != ERR_OK;
	if (--ps->saying > 0 || ps->legacy == NULL)
		return;
	legacy_end(ps->legacy, !ps->failed);
	ps->legacy = NULL;
}

static void
say_legacy(void *arg, const char *before, const char *now)
{
	struct purses *ps = arg;

	ps->saying++;
	if (!op_inherit(ps->ledger, before, now, on_inherited, ps)) {
		ps->failed = true;
		ps->saying--;
	}
}

/* A will at a time. */
static void
inherit(struct purses *ps)
{
	if (ps->legacy != NULL || ps->closing)
		return;
	ps->legacy = will_inherit(ps->dir, ps->store, ps->will);
	if (ps->legacy == NULL)
		return;
	ps->failed = false;
	ps->saying = 1; /* this one */
	legacy_each(ps->legacy, say_legacy, ps);
	on_inherited(ps, &(const struct ledger_answer){ .err = ERR_OK });
}

/* What had no answer. */
static void
say_again(struct purse *p)
{
	p->again = false;
	p->op->answer = (struct ledger_answer){ .which = -1, .why = "" };
	op_run(p->op);
}

void
purses_tick(struct purses *ps)
{
	struct purse *p, *next;

	for (p = ps->first; p != NULL; p = next) {
		next = p->next;
		if (p->again)
			say_again(p);
	}
	inherit(ps);
}

void
purses_anew(struct purses *ps)
{
	struct purse *p, *next;

	if (ps == NULL || ps->closing)
		return;
	for (p = ps->first; p != NULL; p = next) {
		next = p->next;
		p->heard = 0;
		if (p->again)
			say_again(p);
		else if (p->op == NULL)
			(void)roll(p, VERB_ROLL);
	}
}

/* ---- begin and end ---- */

size_t
purses_count(const struct purses *ps)
{
	return ps == NULL ? 0 : ps->count;
}

static void
on_closed(uv_handle_t *h)
{
	struct purses *ps = h->data;

	free(ps->dir);
	free(ps->store);
	free(ps);
}

struct purses *
purses_open(struct ledger *l, uv_loop_t *loop, const char *dir,
    const char *store)
{
	struct purses *ps = calloc(1, sizeof *ps);

	if (ps == NULL || uv_timer_init(loop, &ps->timer) != 0) {
		free(ps);
		return NULL;
	}
	ps->timer.data = ps;
	ps->ledger = l;
	ps->dir = strdup(dir);
	ps->store = strdup(store);
	ps->will = ps->dir == NULL || ps->store == NULL ? NULL :
	    will_open(dir, store);
	siphash_key(ps->key);
	if (ps->will == NULL) {
		uv_close((uv_handle_t *)&ps->timer, on_closed);
		return NULL;
	}
	return ps;
}

bool
purses_rest(struct purses *ps)
{
	struct purse *p, *next;

	for (p = ps->first; p != NULL; p = next) {
		next = p->next;
		p->ends = p->over = true;
		if (p->op == NULL && p->live == 0)
			(void)roll(p, VERB_SETTLE);
	}
	return ps->first == NULL;
}

void
purses_close(struct purses *ps)
{
	if (ps == NULL)
		return;
	ps->closing = true;
	uv_timer_stop(&ps->timer);
	(void)purses_rest(ps);
}

void
purses_free(struct purses *ps)
{
	if (ps == NULL)
		return;
	while (ps->first != NULL) {
		op_free(ps->first->op);
		free_purse(ps->first);
	}
	if (ps->legacy != NULL)
		legacy_end(ps->legacy, false);
	will_close(ps->will);
	uv_close((uv_handle_t *)&ps->timer, on_closed);
}
