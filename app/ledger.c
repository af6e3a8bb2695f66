/*
 * What both stores have in common: which counters in which windows a verb is
 * about, whose holds are alive, and what could not be said to the store yet.
 */
#include "app/ledger.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/decimal.h"
#include "app/base/limits.h"
#include "app/ledger_int.h"
#include "app/purse.h"
#include "policy/zone.h"

#define SECOND INT64_C(1000000)
#define OP_MEMORY KIB(512)
#define SANE_TIME (1000000000 * SECOND) /* of 2001 */
#define RENEW 256 /* leases in one go */
/* A store with a clock of its own may say that a window has turned, and again
 * when the answer to that took its time. */
#define TURNS 3

struct ledger {
	const struct backend *backend;
	void *b;
	int64_t lease;
	struct hold *holds; /* the live ones that the store has */
	struct purses *purses;
	struct op *owed, **owed_end;
	size_t owes;
	size_t ops; /* verbs under way, those that are owed among them */
	bool closing;
};

/* ---- windows ---- */

#define NAME_WORDS 5

static const char *const letters[COUNTER_KINDS] = { "r", "t", "p", "m" };

static const char *const spans[SPAN_COUNT] = { "hour", "day", "week", "month",
	"once" };

_Static_assert((int)SPAN_HOUR == (int)ZONE_HOUR &&
    (int)SPAN_MONTH == (int)ZONE_MONTH, "spans are those of zones");

/* The words with '|' between them; NULL: no memory. */
static const char *
join(struct arena *a, const char *const *words, size_t n)
{
	size_t len[NAME_WORDS], total = 0, i;
	char *out, *p;

	for (i = 0; i < n; i++) {
		len[i] = strlen(words[i]);
		total += len[i] + 1;
	}
	p = out = arena_alloc(a, total);
	for (i = 0; out != NULL && i < n; i++) {
		memcpy(p, words[i], len[i]);
		p += len[i];
		*p++ = i + 1 < n ? '|' : '\0';
	}
	return out;
}

/* The counter's name for the window that begins then (s): scope|r, scope|m|once
 * or scope|m|span|zone|begin. Many a request; printf would be felt. */
static const char *
name_of(struct arena *a, const struct counter *c, int64_t begin)
{
	char digits[DECIMAL_SIZE];
	const char *const words[NAME_WORDS] = { c->scope, letters[c->kind],
		spans[c->span], c->zone == NULL || c->zone_name == NULL ? "" :
		c->zone_name, digits };

	if (c->kind != COUNTER_MONEY)
		return join(a, words, 2);
	if (c->span == SPAN_ONCE)
		return join(a, words, 3);
	decimal(digits, begin, 0);
	return join(a, words, NAME_WORDS);
}

/* A counter without windows. */
static void
plain_part(struct op_part *p, const char *name)
{
	p->name[0] = p->name[1] = name;
	p->begin = 0;
	p->turn = p->end = INT64_MAX;
	p->expire[0] = p->expire[1] = 0;
}

/* The window of now and the one behind it. */
static bool
window_part(struct arena *a, const struct counter *c, int64_t now,
    struct op_part *p)
{
	int64_t begin, turn, again, end;
	enum zone_span span = (enum zone_span)c->span;

	zone_span(c->zone, span, now / SECOND, &begin, &turn);
	zone_span(c->zone, span, turn, &again, &end);
	p->name[0] = name_of(a, c, begin);
	p->name[1] = name_of(a, c, again);
	p->begin = begin * SECOND;
	p->turn = turn * SECOND;
	p->end = end * SECOND;
	p->expire[0] = p->turn + WINDOW_KEEP;
	p->expire[1] = p->end + WINDOW_KEEP;
	return p->name[0] != NULL && p->name[1] != NULL;
}

static bool
scope_good(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = strlen(s);

	if (n == 0 || n >= LEDGER_SCOPE)
		return false;
	for (; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

static bool
amount_good(int64_t n)
{
	return n >= 0 && n <= LEDGER_MAX;
}

static bool
counter_good(const struct counter *c)
{
	return scope_good(c->scope) && (unsigned)c->kind < COUNTER_KINDS &&
	    (unsigned)c->span < SPAN_COUNT && amount_good(c->limit) &&
	    (c->zone_name == NULL || strlen(c->zone_name) <= 64);
}

/* What h has of this counter already, or NULL. */
static const struct held *
part_of(const struct hold *h, const struct counter *c)
{
	const struct counter *o;
	unsigned i;

	for (i = 0; i < h->parts; i++) {
		o = h->part[i].counter;
		if (o == c || (o->kind == c->kind &&
		    strcmp(o->scope, c->scope) == 0 &&
		    (c->kind != COUNTER_MONEY || (o->span == c->span &&
		    o->zone == c->zone))))
			return &h->part[i];
	}
	return NULL;
}

/* Which names a claim is about now. */
static bool
name_part(struct op *op, const struct hold *h, struct op_part *p, int64_t now)
{
	const struct counter *c = p->counter;
	const struct held *old = part_of(h, c);

	if (old != NULL) {
		plain_part(p, arena_str(op->arena, old->name));
		p->begin = old->begin;
		p->end = old->end == 0 ? INT64_MAX : old->end;
	} else if (c->kind == COUNTER_MONEY && c->span != SPAN_ONCE) {
		if (!window_part(op->arena, c, now, p))
			return false;
		op->from = p->begin > op->from ? p->begin : op->from;
		op->until = p->end < op->until ? p->end : op->until;
	} else
		plain_part(p, name_of(op->arena, c, 0));
	return p->name[0] != NULL;
}

/* Two claims on one counter would be looked at twice, then added up. */
static bool
all_differ(const struct op *op)
{
	unsigned i, k;

	for (i = 0; i < op->parts; i++)
		for (k = 0; k < i; k++)
			if (strcmp(op->part[i].name[0],
			    op->part[k].name[0]) == 0)
				return false;
	return true;
}

static bool
name_parts(struct op *op, const struct hold *h)
{
	struct ledger *l = op->ledger;
	int64_t now = l->backend->now(l->b);
	unsigned i;

	op->from = 0;
	op->until = INT64_MAX;
	for (i = 0; i < op->parts; i++)
		if (!name_part(op, h, &op->part[i], now))
			return false;
	return all_differ(op);
}

/* The claims as parts, and room for them in the hold. */
static bool
claim(struct op *op, struct hold *h, const struct want *claims, unsigned n)
{
	struct held *grown;
	unsigned i, fresh = 0;

	for (i = 0; i < n; i++) {
		if (!counter_good(claims[i].counter) ||
		    !amount_good(claims[i].amount))
			return false;
		fresh += part_of(h, claims[i].counter) == NULL;
	}
	if (n == 0 || n > LEDGER_PARTS || fresh + h->parts > LEDGER_PARTS)
		return false;
	op->part = arena_zalloc(op->arena, n * sizeof *op->part);
	grown = arena_resize(h->arena, h->part, h->parts * sizeof *h->part,
	    (h->parts + fresh) * sizeof *h->part);
	if (op->part == NULL || grown == NULL)
		return false;
	h->part = grown;
	for (i = 0; i < n; i++) {
		op->part[i].counter = claims[i].counter;
		op->part[i].kind = claims[i].counter->kind;
		op->part[i].limit = claims[i].counter->limit;
		op->part[i].amount = claims[i].amount;
		op->part[i].room = arena_alloc(h->arena, NAME_SIZE);
		if (op->part[i].room == NULL)
			return false;
	}
	op->parts = n;
	return name_parts(op, h);
}

/* ---- verbs on their way ---- */

struct op *
op_new(struct ledger *l, enum verb verb, const char *id, ledger_fn *fn,
    void *arg)
{
	struct arena *a = arena_new(OP_MEMORY);
	struct op *op = a == NULL ? NULL : arena_zalloc(a, sizeof *op);

	if (op == NULL) {
		arena_free(a);
		return NULL;
	}
	op->arena = a;
	op->ledger = l;
	l->ops++;
	op->verb = verb;
	snprintf(op->id, sizeof op->id, "%s", id);
	op->lease = l->lease;
	op->since = clock_mono();
	op->until = INT64_MAX;
	op->fn = fn;
	op->arg = arg;
	op->answer.which = -1;
	op->answer.why = "";
	return op;
}

void
op_free(struct op *op)
{
	if (op == NULL)
		return;
	op->ledger->ops--;
	arena_free(op->arena);
}

static void
refuse(ledger_fn *fn, void *arg, struct op *op, const char *why)
{
	struct ledger_answer a = { .err = ERR_INTERNAL, .which = -1,
		.why = why };

	op_free(op);
	if (fn != NULL)
		fn(arg, &a);
}

void
hold_unlink(struct hold *h)
{
	if (h->link == NULL)
		return;
	*h->link = h->next;
	if (h->next != NULL)
		h->next->link = h->link;
	h->link = NULL;
	h->next = NULL;
}

void
hold_link(struct ledger *l, struct hold *h)
{
	if (h->link != NULL)
		return;
	h->next = l->holds;
	h->link = &l->holds;
	if (h->next != NULL)
		h->next->link = &h->next;
	l->holds = h;
}

/* Write down what the store has taken. */
static void
keep_part(struct hold *h, const struct op_part *from)
{
	const char *name = from->name[from->pick];
	struct held *to = NULL;
	unsigned i;

	for (i = 0; i < h->parts && to == NULL; i++)
		if (strcmp(h->part[i].name, name) == 0)
			to = &h->part[i];
	if (to == NULL) {
		to = &h->part[h->parts++];
		memset(to, 0, sizeof *to);
		to->counter = from->counter;
		assert(strlen(name) < NAME_SIZE);
		to->name = memcpy(from->room, name, strlen(name) + 1);
		to->begin = from->pick == 0 ? from->begin : from->turn;
		to->end = op_part_end(from);
		if (to->end == INT64_MAX)
			to->begin = to->end = 0;
	}
	to->amount += from->amount;
	to->left = from->left;
	to->reset = from->reset;
}

static void
taken(struct ledger *l, struct hold *h, const struct op *op)
{
	unsigned i;

	for (i = 0; i < op->parts; i++)
		keep_part(h, &op->part[i]);
	h->cost = op->verb == VERB_MORE ? h->cost + op->cost : op->cost;
	h->live = true;
	h->renewed = clock_mono();
	hold_link(l, h);
}

/* ---- what the store must still hear ---- */

bool
op_keep(struct op *op)
{
	struct ledger *l = op->ledger;

	return l->backend->keep != NULL && l->backend->keep(l->b, op);
}

/* It is said again with the next tick. */
static void
wait_owed(struct ledger *l, struct op *op)
{
	op->said = true;
	op->next = NULL;
	*l->owed_end = op;
	l->owed_end = &op->next;
	l->owes++;
}

static void
owe(struct ledger *l, struct op *op)
{
	/* A mark that money may be owed is of use for a short time only. One
	 * that is kept already is free for the next try then. */
	if (op->echo || op->verb == VERB_RESTORE ||
	    (op->verb != VERB_SENT && op_keep(op)) || op->kept) {
		op_free(op);
		return;
	}
	if (l->closing || l->owes >= LEDGER_OWED) {
		/* Its lease runs out: then it is charged in full. */
		op_free(op);
		return;
	}
	op->fn = NULL;
	wait_owed(l, op);
}

static struct op *
take_owed(struct ledger *l)
{
	struct op *op = l->owed;

	if (op != NULL) {
		l->owed = op->next;
		if (l->owed == NULL)
			l->owed_end = &l->owed;
		l->owes--;
	}
	return op;
}

static void
run(struct ledger *l, struct op *op)
{
	op->answer = (struct ledger_answer){ .which = -1, .why = "" };
	l->backend->run(l->b, op);
}

void
op_run(struct op *op)
{
	run(op->ledger, op);
}

/* Its owner has gone: what was taken goes back. */
static void
give_back(struct ledger *l, struct op *op)
{
	op->verb = VERB_RELEASE;
	op->parts = 0;
	run(l, op);
}

static void
end(struct op *op)
{
	ledger_fn *fn = op->fn;

	op->fn = NULL;
	if (fn != NULL)
		fn(op->arg, &op->answer);
}

/* A hold out of a purse that has one of its own now. The mark goes first: killed
 * between the two the worker has paid too much, not too little. */
static bool
replace(struct ledger *l, struct hold *h)
{
	struct op *op = h->sent ? op_new(l, VERB_SENT, h->id, NULL, NULL) :
	    NULL;

	if (h->sent && op == NULL)
		return false; /* no memory: it stays what it is */
	if (op != NULL)
		run(l, op);
	purse_release(h); /* (its request stays counted) */
	h->parts = 0;
	return true;
}

static void
asked(struct ledger *l, struct op *op)
{
	struct hold *h = op->hold;

	if (h != NULL)
		h->asking = NULL;
	if (op->alone) {
		/* A hold that may be there or not is given back as well. */
		if (op->verb == VERB_HOLD && (op->answer.err == ERR_OK ||
		    (op->answer.err == ERR_LEDGER && op->answer.known)))
			give_back(l, op);
		else
			op_free(op);
		return;
	}
	if (op->answer.err == ERR_OK && op->replaces && !replace(l, h))
		op->answer.err = ERR_LEDGER;
	if (op->answer.err == ERR_OK)
		taken(l, h, op);
	if (op->answer.err == ERR_OK && op->verb == VERB_HOLD && !h->apart)
		purse_heard(l->purses, op);
	end(op);
	/* Nobody knows whether it is there; it will not be used. */
	if (op->verb == VERB_HOLD && op->answer.err == ERR_LEDGER &&
	    op->answer.known)
		give_back(l, op);
	else
		op_free(op);
}

void
op_done(struct op *op)
{
	struct ledger *l = op->ledger;

	if (op->purse != NULL) {
		purse_answered(op);
		return;
	}
	if (op->verb == VERB_HOLD || op->verb == VERB_MORE) {
		asked(l, op);
		return;
	}
	/* What the dead owe is said until it is answered: were it kept besides,
	 * or all of a will said again, the journal would have it twice. */
	if (op->heir && op->answer.err == ERR_LEDGER && !l->closing) {
		wait_owed(l, op);
		return;
	}
	end(op);
	if (op->answer.err == ERR_LEDGER && !op->heir)
		owe(l, op);
	else
		op_free(op);
}

void
op_clock(struct op *op)
{
	struct ledger *l = op->ledger;

	if (op->turns++ < TURNS && !op->alone && name_parts(op, op->hold)) {
		run(l, op);
		return;
	}
	op->answer.err = ERR_LEDGER;
	op->answer.why = "the store's clock is not to be followed";
	op_done(op);
}

int64_t
op_part_end(const struct op_part *p)
{
	return p->pick == 0 && p->turn != INT64_MAX ? p->turn : p->end;
}

void
op_refuse(struct op *op, unsigned i, int64_t left, int64_t retry,
    bool reserved, int64_t now)
{
	const struct op_part *p = &op->part[i];
	struct ledger_answer *a = &op->answer;

	if (retry == OP_WINDOW)
		retry = op_part_end(p) == INT64_MAX ? -1 :
		    op_part_end(p) - now;
	/* What others hold comes free at any moment. */
	if (reserved && (retry < 0 || retry > WAIT_HELD))
		retry = WAIT_HELD;
	if (a->which >= 0 && (a->retry < 0 ||
	    (retry >= 0 && retry <= a->retry)))
		return;
	a->err = p->kind == COUNTER_MONEY ? ERR_BUDGET : ERR_RATE_LIMIT;
	a->which = (int)i;
	a->left = left < 0 ? 0 : left;
	a->retry = retry;
	a->reserved = reserved;
}

/* ---- verbs as text ---- */

/* A line: words with a blank between them, numbers in the middle. */
static void
put_words(struct buf *out, const char *first, const int64_t *n, size_t count,
    const char *last)
{
	size_t i;

	buf_puts(out, first);
	for (i = 0; i < count; i++) {
		if (i > 0 || *first != '\0')
			buf_putc(out, ' ');
		buf_int(out, n[i]);
	}
	if (*last != '\0')
		buf_putc(out, ' ');
	buf_puts(out, last);
	buf_putc(out, '\n');
}

void
op_write(struct buf *out, const struct op *op)
{
	const int64_t counts[] = { op->parts, op->rows };
	const struct op_part *p;
	unsigned i;

	buf_puts(out, op->verb == VERB_RELEASE ? "r " : "s ");
	put_words(out, op->id, counts, 2, "");
	for (i = 0; i < op->parts; i++) {
		p = &op->part[i];
		put_words(out, "", (const int64_t[]){ p->kind, p->actual,
		    p->expire[0] }, 3, p->name[0]);
	}
	for (i = 0; i < op->rows; i++)
		put_words(out, "", op->row[i].n, 5, op->row[i].who);
}

/* The line at *text into the arena; *text goes on behind it. */
static char *
next_line(struct arena *a, const char **text)
{
	const char *end = strchr(*text, '\n');
	char *line;

	if (end == NULL)
		return NULL;
	line = arena_dup(a, *text, (size_t)(end - *text));
	*text = end + 1;
	return line;
}

static bool
read_part(struct op_part *p, char *line)
{
	long long actual, expire;
	int kind, n = -1;

	if (line == NULL || sscanf(line, "%d %lld %lld %n", &kind, &actual,
	    &expire, &n) < 3 || n < 0 || kind < 0 || kind >= COUNTER_KINDS ||
	    !amount_good(actual) || expire < 0)
		return false;
	plain_part(p, line + n);
	p->kind = (enum counter_kind)kind;
	p->actual = actual;
	p->expire[0] = expire;
	return true;
}

static bool
read_row(struct op_row *r, char *line)
{
	long long v[5];
	int n = -1, k;

	if (line == NULL || sscanf(line, "%lld %lld %lld %lld %lld %n", &v[0],
	    &v[1], &v[2], &v[3], &v[4], &n) < 5 || n < 0)
		return false;
	for (k = 0; k < 5; k++) {
		if (!amount_good(v[k]))
			return false;
		r->n[k] = v[k];
	}
	r->who = line + n;
	return true;
}

static bool
read_op(struct op *op, const char *text)
{
	char verb;
	unsigned i;

	if (sscanf(text, "%c %23s %u %u", &verb, op->id, &op->parts,
	    &op->rows) != 4 || (verb != 's' && verb != 'r') ||
	    op->parts > LEDGER_PARTS || op->rows > LEDGER_ROWS ||
	    next_line(op->arena, &text) == NULL)
		return false;
	op->verb = verb == 's' ? VERB_SETTLE : VERB_RELEASE;
	op->part = arena_zalloc(op->arena, (op->parts + 1) *
	    sizeof *op->part);
	op->row = arena_zalloc(op->arena, (op->rows + 1) * sizeof *op->row);
	if (op->part == NULL || op->row == NULL)
		return false;
	for (i = 0; i < op->parts; i++)
		if (!read_part(&op->part[i], next_line(op->arena, &text)))
			return false;
	for (i = 0; i < op->rows; i++)
		if (!read_row(&op->row[i], next_line(op->arena, &text)))
			return false;
	return true;
}

/*
 * The roll from `before` to the hold that `now` settles. It takes no more than
 * that will use: then nothing of it is free meanwhile, and nothing is refused.
 */
static bool
inherit_roll(struct op *roll, const char *before, const struct op *now)
{
	const struct usage_row nobody = { .day = ledger_day(roll->ledger) };
	char who[WHO_SIZE];
	unsigned i;

	if (!read_op(roll, before) || roll->parts != now->parts)
		return false;
	for (i = 0; i < now->parts; i++)
		roll->part[i].least = now->part[i].actual;
	memcpy(roll->next_id, now->id, sizeof roll->next_id);
	who_write(who, &nobody);
	roll->who = arena_str(roll->arena, who);
	roll->verb = VERB_ROLL;
	roll->until = 1; /* the least, whatever the limits are */
	return roll->who != NULL;
}

/* The settle that comes behind: a hold that is settled must not begin again. */
static void
roll_inherited(void *arg, const struct ledger_answer *a)
{
	struct op *op = arg;

	if (a->err == ERR_OK) {
		run(op->ledger, op);
		return;
	}
	op->answer = *a;
	end(op);
	op_free(op);
}

bool
op_inherit(struct ledger *l, const char *before, const char *now,
    ledger_fn *fn, void *arg)
{
	struct op *op = op_new(l, VERB_SETTLE, "", fn, arg);
	struct op *roll = before == NULL ? NULL :
	    op_new(l, VERB_ROLL, "", roll_inherited, op);

	if (op == NULL || !read_op(op, now) || (before != NULL &&
	    (roll == NULL || !inherit_roll(roll, before, op)))) {
		op_free(op);
		op_free(roll);
		return false;
	}
	op->heir = op->said = true;
	if (roll == NULL) {
		run(l, op);
		return true;
	}
	roll->heir = roll->said = true;
	run(l, roll);
	return true;
}

bool
op_replay(struct ledger *l, const char *text, bool echo)
{
	struct op *op = op_new(l, VERB_SETTLE, "", NULL, NULL);

	if (op == NULL)
		return true; /* later */
	if (!read_op(op, text)) {
		op_free(op);
		return false;
	}
	op->kept = !echo;
	op->echo = echo;
	op->said = true;
	run(l, op);
	return true;
}

/* ---- the callers' ---- */

/* 16 random bytes as 22 digits. */
bool
op_id(char out[LEDGER_ID])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz";
	unsigned char bytes[LEDGER_ID - 1];
	int64_t t = clock_wall() / 1000;
	int i;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	/* The time first, so that neighbours in time are so in the store. */
	for (i = 7; i >= 0; i--, t /= 62)
		out[i] = digits[t % 62];
	for (i = 8; i < LEDGER_ID - 1; i++)
		out[i] = digits[bytes[i] % 62];
	out[LEDGER_ID - 1] = '\0';
	return true;
}

static void
fine(ledger_fn *fn, void *arg)
{
	const struct ledger_answer a = { .err = ERR_OK, .known = true,
		.which = -1, .why = "" };

	if (fn != NULL)
		fn(arg, &a);
}

static void
ask(struct ledger *l, struct op *op, struct hold *h)
{
	op->hold = h;
	h->asking = op;
	run(l, op);
}

void
ledger_hold(struct ledger *l, struct hold *h, const struct want *claims,
    unsigned n, const struct usage_row *who, ledger_fn *fn, void *arg)
{
	struct op *op;
	char text[WHO_SIZE];

	if (h->live || h->asking != NULL) {
		refuse(fn, arg, NULL, "a hold that is one already");
		return;
	}
	h->parts = 0;
	h->sent = false;
	who_write(text, who);
	if (!h->apart && purse_hold(l->purses, h, claims, n, text, who->cost)) {
		fine(fn, arg);
		return;
	}
	h->who = arena_str(h->arena, text);
	op = op_id(h->id) ? op_new(l, VERB_HOLD, h->id, fn, arg) : NULL;
	if (op != NULL) {
		op->who = arena_str(op->arena, text);
		op->cost = who->cost;
	}
	if (op == NULL || op->who == NULL || h->who == NULL ||
	    !amount_good(op->cost) ||
	    !claim(op, h, claims, n)) {
		refuse(fn, arg, op, "no memory, or a counter that is none");
		return;
	}
	ask(l, op, h);
}

/*
 * A hold of its own in the store for one that came out of a purse, of all that
 * it has and of what it wants more. Its request was counted.
 */
static bool
replacement(struct op *op, struct hold *h, const struct want *claims,
    unsigned n)
{
	struct want all[LEDGER_PARTS];
	const struct held *has;
	unsigned i, count = 0;

	op->replaces = true;
	op->who = arena_str(op->arena, h->who);
	for (i = 0; i < h->parts; i++)
		all[count++] = (struct want){ h->part[i].counter,
			h->part[i].counter->kind == COUNTER_RPM ? 0 :
			h->part[i].amount };
	for (i = 0; i < n; i++) {
		has = part_of(h, claims[i].counter);
		if (!amount_good(claims[i].amount))
			return false;
		if (has != NULL)
			all[has - h->part].amount += claims[i].amount;
		else if (count < LEDGER_PARTS)
			all[count++] = claims[i];
		else
			return false;
	}
	return op->who != NULL && claim(op, h, all, count);
}

static void
replace_more(struct ledger *l, struct hold *h, const struct want *claims,
    unsigned n, int64_t cost, ledger_fn *fn, void *arg)
{
	struct op *op = NULL;

	if (h->asking == NULL && amount_good(cost) &&
	    amount_good(h->cost + cost) && op_id(h->id))
		op = op_new(l, VERB_HOLD, h->id, fn, arg);
	if (op == NULL || !replacement(op, h, claims, n)) {
		refuse(fn, arg, op, "no memory, or nothing to add to");
		return;
	}
	op->cost = h->cost + cost;
	ask(l, op, h);
}

void
ledger_more(struct ledger *l, struct hold *h, const struct want *claims,
    unsigned n, int64_t cost, ledger_fn *fn, void *arg)
{
	struct op *op = NULL;

	if (h->purse != NULL) {
		replace_more(l, h, claims, n, cost, fn, arg);
		return;
	}
	if (h->live && h->asking == NULL && amount_good(cost))
		op = op_new(l, VERB_MORE, h->id, fn, arg);
	if (op == NULL || !claim(op, h, claims, n)) {
		refuse(fn, arg, op, "no memory, or nothing to add to");
		return;
	}
	op->cost = cost;
	ask(l, op, h);
}

bool
ledger_sent(struct ledger *l, struct hold *h, ledger_fn *fn, void *arg)
{
	struct op *op = NULL;

	if (h->purse != NULL) {
		h->sent = purse_sent(h);
		if (h->sent)
			fine(fn, arg);
		else
			refuse(fn, arg, NULL, "no hold any more");
		return h->sent;
	}
	/* A worker that stood still may have lost what it holds. */
	if (h->live && clock_mono() - h->renewed < l->lease)
		op = op_new(l, VERB_SENT, h->id, fn, arg);
	if (op == NULL) {
		refuse(fn, arg, NULL, "no memory, or no hold any more");
		return false;
	}
	/* A lease that has hardly begun need not be renewed as well. */
	if (h->lease > 0)
		op->lease = h->lease;
	else if (clock_mono() - h->renewed < l->lease / 4)
		op->lease = 0;
	h->sent = true;
	run(l, op);
	return true;
}

/* Numbers of rows are `least` to LEDGER_MAX. */
static bool
settle_rows(struct op *op, const struct usage_row *rows, unsigned n,
    int64_t least)
{
	char who[WHO_SIZE];
	unsigned i, k;

	if (n > LEDGER_ROWS)
		return false;
	op->row = arena_zalloc(op->arena, n * sizeof *op->row);
	for (i = 0; op->row != NULL && i < n; i++) {
		who_write(who, &rows[i]);
		op->row[i].day = rows[i].day;
		op->row[i].who = arena_str(op->arena, who);
		op->row[i].n[0] = rows[i].requests;
		op->row[i].n[1] = rows[i].input;
		op->row[i].n[2] = rows[i].output;
		op->row[i].n[3] = rows[i].cached;
		op->row[i].n[4] = rows[i].cost;
		for (k = 0; k < 5; k++)
			if (op->row[i].n[k] < least ||
			    op->row[i].n[k] > LEDGER_MAX)
				return false;
		if (op->row[i].who == NULL)
			return false;
	}
	op->rows = n;
	return op->row != NULL;
}

static bool
settle_parts(struct op *op, const struct hold *h, const int64_t *actual)
{
	const struct held *from;
	struct op_part *p;
	unsigned i;

	op->part = arena_zalloc(op->arena, (h->parts + 1) * sizeof *op->part);
	for (i = 0; op->part != NULL && i < h->parts; i++) {
		from = &h->part[i];
		p = &op->part[i];
		plain_part(p, arena_str(op->arena, from->name));
		p->kind = from->counter->kind;
		p->amount = from->amount;
		p->actual = p->kind == COUNTER_TPM || p->kind == COUNTER_MONEY ?
		    actual[i] : 0;
		p->expire[0] = from->end == 0 ? 0 : from->end + WINDOW_KEEP;
		if (p->name[0] == NULL || !amount_good(p->actual))
			return false;
	}
	op->parts = h->parts;
	return op->part != NULL;
}

/* Nobody waits any more for what is being asked. */
static void
leave_question(struct hold *h)
{
	if (h->asking == NULL)
		return;
	h->asking->alone = true;
	h->asking->hold = NULL;
	h->asking->fn = NULL;
	h->asking = NULL;
}

/* The hold is over for its owner. */
static void
close_hold(struct hold *h)
{
	leave_question(h);
	hold_unlink(h);
	h->live = false;
}

void
ledger_settle(struct ledger *l, struct hold *h, const int64_t *actual,
    const struct usage_row *rows, unsigned n, ledger_fn *fn, void *arg)
{
	struct op *op;

	if (h->purse != NULL) {
		purse_settle(h, actual, rows, n);
		close_hold(h);
		fine(fn, arg);
		return;
	}
	op = h->live ? op_new(l, VERB_SETTLE, h->id, fn, arg) : NULL;
	if (op == NULL || !settle_parts(op, h, actual) ||
	    !settle_rows(op, rows, n, 0)) {
		/* The lease is renewed no more, runs out, and is charged. */
		close_hold(h);
		refuse(fn, arg, op, "no memory, or amounts that are none");
		return;
	}
	op->said = h->taken;
	close_hold(h);
	run(l, op);
}

void
ledger_release(struct ledger *l, struct hold *h, ledger_fn *fn, void *arg)
{
	struct op *op;

	if (h->purse != NULL) {
		purse_release(h);
		close_hold(h);
		fine(fn, arg);
		return;
	}
	op = h->live ? op_new(l, VERB_RELEASE, h->id, fn, arg) : NULL;
	close_hold(h);
	if (op == NULL)
		refuse(fn, arg, NULL, "no memory, or no hold");
	else
		run(l, op);
}

/* ---- holds that outlive their process ---- */

bool
ledger_none(struct ledger *l, struct hold *h, const struct usage_row *who)
{
	char text[WHO_SIZE];

	(void)l;
	who_write(text, who);
	h->who = arena_str(h->arena, text);
	h->parts = 0;
	h->cost = who->cost;
	h->live = h->who != NULL && op_id(h->id);
	return h->live;
}

void
ledger_leave(struct ledger *l, struct hold *h, struct buf *out)
{
	const struct held *p;
	unsigned i;

	(void)l;
	put_words(out, h->id, (const int64_t[]){ h->cost, h->parts }, 2, "");
	buf_puts(out, h->who);
	buf_putc(out, '\n');
	for (i = 0; i < h->parts; i++) {
		p = &h->part[i];
		put_words(out, "", (const int64_t[]){ p->counter->kind,
		    p->amount, p->begin, p->end }, 4, p->name);
	}
	close_hold(h);
}

/* "kind amount begin end name" */
static bool
take_part(struct arena *a, struct held *p, char *line)
{
	struct counter *c = arena_zalloc(a, sizeof *c);
	long long amount, begin, end;
	int kind, n = -1;

	if (c == NULL || line == NULL || sscanf(line, "%d %lld %lld %lld %n",
	    &kind, &amount, &begin, &end, &n) < 4 || n < 0 || kind < 0 ||
	    kind >= COUNTER_KINDS || !amount_good(amount) || begin < 0 ||
	    end < 0)
		return false;
	c->kind = (enum counter_kind)kind;
	c->scope = "";
	*p = (struct held){ .counter = c, .name = line + n, .begin = begin,
		.end = end, .amount = amount };
	return true;
}

bool
ledger_take(struct ledger *l, struct arena *a, const char *text,
    struct hold *h)
{
	long long cost;
	unsigned i, parts;

	(void)l;
	memset(h, 0, sizeof *h);
	if (sscanf(text, "%23s %lld %u", h->id, &cost, &parts) != 3 ||
	    !amount_good(cost) || parts > LEDGER_PARTS ||
	    next_line(a, &text) == NULL)
		return false;
	h->arena = a;
	h->cost = cost;
	h->who = next_line(a, &text);
	h->part = arena_zalloc(a, (parts + 1) * sizeof *h->part);
	if (h->who == NULL || h->part == NULL)
		return false;
	for (i = 0; i < parts; i++)
		if (!take_part(a, &h->part[i], next_line(a, &text)))
			return false;
	h->parts = parts;
	h->renewed = clock_mono();
	h->live = h->sent = h->taken = true;
	return true;
}

bool
ledger_who(struct arena *a, const char *text, struct usage_row *out)
{
	char *who;

	if (next_line(a, &text) == NULL)
		return false;
	who = next_line(a, &text);
	return who != NULL && who_read(who, out);
}

/* Rows without a hold: a settle of one that never was. */
static void
note(struct ledger *l, const struct usage_row *rows, unsigned n,
    int64_t least, ledger_fn *fn, void *arg)
{
	struct hold none;
	struct op *op;

	memset(&none, 0, sizeof none);
	op = op_id(none.id) ? op_new(l, VERB_SETTLE, none.id, fn, arg) : NULL;
	if (op != NULL && settle_parts(op, &none, NULL) &&
	    settle_rows(op, rows, n, least))
		run(l, op);
	else
		refuse(fn, arg, op, "no memory, or amounts that are none");
}

void
ledger_note(struct ledger *l, const struct usage_row *rows, unsigned n)
{
	note(l, rows, n, 0, NULL, NULL);
}

void
ledger_correct(struct ledger *l, const struct usage_row *row, ledger_fn *fn,
    void *arg)
{
	note(l, row, 1, -LEDGER_MAX, fn, arg);
}

void
ledger_forget(struct ledger *l, struct hold *h)
{
	(void)l;
	close_hold(h);
}

static bool
restore_parts(struct op *op, const struct hold *h)
{
	struct op_part *p;
	unsigned i;

	op->part = arena_zalloc(op->arena, h->parts * sizeof *op->part);
	for (i = 0; op->part != NULL && i < h->parts; i++) {
		p = &op->part[i];
		plain_part(p, arena_str(op->arena, h->part[i].name));
		if (p->name[0] == NULL)
			return false;
		p->kind = h->part[i].counter->kind;
		p->limit = h->part[i].counter->limit;
		/* When it was asked is not known any more. */
		p->amount = p->kind == COUNTER_RPM ? 0 : h->part[i].amount;
		p->expire[0] = h->part[i].end == 0 ? 0 :
		    h->part[i].end + WINDOW_KEEP;
	}
	op->parts = h->parts;
	return op->part != NULL;
}

void
ledger_restore(struct ledger *l)
{
	struct hold *h;
	struct op *op;

	for (h = l->holds; h != NULL; h = h->next) {
		op = op_new(l, VERB_RESTORE, h->id, NULL, NULL);
		if (op == NULL)
			return;
		op->who = arena_str(op->arena, h->who);
		op->cost = h->cost;
		op->sent = h->sent;
		if (op->who != NULL && restore_parts(op, h))
			run(l, op);
		else
			op_free(op);
	}
}

void
ledger_anew(struct ledger *l)
{
	purses_anew(l->purses);
}

static void
renew(struct ledger *l)
{
	const char *ids[RENEW];
	int64_t now = clock_mono();
	struct hold *h;
	unsigned n = 0;

	for (h = l->holds; h != NULL; h = h->next) {
		if (now - h->renewed < l->lease / 3)
			continue;
		h->renewed = now;
		if (h->sent && h->lease > 0)
			continue; /* its lease is longer than that */
		ids[n++] = h->id;
		if (n == RENEW) {
			l->backend->renew(l->b, ids, n, l->lease);
			n = 0;
		}
	}
	if (n > 0)
		l->backend->renew(l->b, ids, n, l->lease);
}

void
ledger_tick(struct ledger *l)
{
	size_t n = l->owes;
	struct op *op;

	renew(l);
	/* Those that fail once more are behind these. */
	for (; n > 0 && (op = take_owed(l)) != NULL; n--)
		run(l, op);
	purses_tick(l->purses);
	l->backend->tick(l->b);
}

int64_t
ledger_now(const struct ledger *l)
{
	int64_t now = l->backend->now(l->b);

	/* The store has not been asked yet: its time is not known. */
	return now > SANE_TIME ? now : clock_wall();
}

int32_t
ledger_day(const struct ledger *l)
{
	struct zone_time t;

	zone_local(NULL, ledger_now(l) / SECOND, &t);
	return t.year * 10000 + t.month * 100 + t.day;
}

int64_t
ledger_lease(const struct ledger *l)
{
	return l->lease;
}

size_t
ledger_owes(const struct ledger *l)
{
	return l->owes + purses_count(l->purses) +
	    (l->backend->owes == NULL ? 0 : l->backend->owes(l->b));
}

void
ledger_look(struct ledger *l, const struct counter *c, counter_fn *fn,
    void *arg)
{
	struct arena *a = arena_new(KIB(16));
	struct op_part p;
	int64_t now = ledger_now(l);
	bool good = a != NULL && counter_good(c);

	if (good && c->kind == COUNTER_MONEY && c->span != SPAN_ONCE)
		good = window_part(a, c, now, &p);
	else if (good)
		plain_part(&p, name_of(a, c, 0));
	if (good && p.name[0] != NULL)
		l->backend->look(l->b, p.name[0], c->kind, fn, arg);
	else
		fn(arg, ERR_INTERNAL, NULL);
	arena_free(a);
}

void
ledger_usage(struct ledger *l, int32_t from, int32_t to, usage_fn *fn,
    void *arg)
{
	l->backend->usage(l->b, from, to, fn, arg);
}

/* Where wills are: beside the file of the embedded store, or the journal. */
static const char *
state_of(const struct ledger_setup *setup)
{
	return strncmp(setup->store, "embedded:", 9) == 0 ? setup->store + 9 :
	    setup->dir;
}

struct ledger *
ledger_open(const struct ledger_setup *setup, struct fault *f)
{
	struct ledger *l = calloc(1, sizeof *l);
	bool embedded = strncmp(setup->store, "embedded", 8) == 0 ||
	    setup->store[0] == '\0';

	if (l == NULL) {
		fault_set(f, ERR_INTERNAL, "store", "no memory");
		return NULL;
	}
	l->lease = setup->lease > 0 ? setup->lease : LEDGER_LEASE;
	l->owed_end = &l->owed;
	l->backend = embedded ? &ledger_sqlite : &ledger_redis;
	l->b = embedded ? ledger_sqlite_open(setup, f) :
	    ledger_redis_open(setup, l, f);
	if (l->b == NULL) {
		free(l);
		return NULL;
	}
	l->purses = purses_open(l, setup->loop, state_of(setup), embedded ?
	    "embedded" : setup->store);
	if (l->purses == NULL) {
		ledger_close(l);
		fault_set(f, ERR_INTERNAL, "store", "no memory");
		return NULL;
	}
	return l;
}

bool
ledger_rest(struct ledger *l)
{
	return l == NULL || (purses_rest(l->purses) && l->ops == l->owes);
}

void
ledger_close(struct ledger *l)
{
	struct op *op;

	if (l == NULL)
		return;
	l->closing = true;
	purses_close(l->purses);
	while ((op = take_owed(l)) != NULL)
		run(l, op);
	while (l->holds != NULL)
		hold_unlink(l->holds);
	l->backend->close(l->b);
	purses_free(l->purses);
	free(l);
}
