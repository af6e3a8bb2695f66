/* Limits and budgets of a request: which counters, how much, and what it was. */
#include "app/admit.h"

#include <stdio.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/decimal.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/base/siphash.h"
#include "app/bounds.h"
#include "app/counters.h"
#include "app/forward.h"
#include "app/ratelimit.h"
#include "app/record.h"
#include "app/refusal.h"
#include "app/tally.h"
#include "app/webhook.h"
#include "app/worker.h"

#define SECOND INT64_C(1000000)
#define OUTPUT_BOUND 16000 /* tokens, where nobody sets a bound */

/* What goes with a counter of the same place in admission.counters. */
struct gate {
	const struct provider *provider; /* NULL: it counts all attempts */
	int64_t held;
};

struct admission {
	struct hold hold;
	struct counters counters;
	struct gate gates[LEDGER_PARTS];
	struct bounds bounds;
	int64_t least; /* n$ that an attempt holds, whatever it costs */
	struct usage_row who;
	/* The question to the ledger that is under way or was answered. */
	unsigned char asked[LEDGER_PARTS]; /* places */
	int64_t wanted[LEDGER_PARTS];
	unsigned count;
	/* The attempt that it is for, NULL: what was given is counted. */
	const struct deployment *about;
	bool inside;			/* within the call that asks */
	bool answered;
	struct ledger_answer answer;
	struct refusal soonest; /* of the providers that were passed over */
	bool sent;   /* a request went out */
	bool marked; /* and the hold knows that money may be owed */
};

/* -------------------------------------------------------------- gates */

/* The place of a counter that the ledger gives back. */
static unsigned
place_of(const struct admission *ad, const struct counter *c)
{
	return (unsigned)((const struct counted *)(const void *)c -
	    ad->counters.list);
}

/* A provider's counters, once; the copies of a provider share its. */
static void
add_provider(struct request *r, const struct provider *p)
{
	struct admission *ad = r->admission;
	const struct provider *row = &r->policy->providers[p->index];
	unsigned i;

	for (i = 0; i < ad->counters.count; i++)
		if (ad->gates[i].provider == row)
			return;
	counters_of_provider(&ad->counters, row);
	for (; i < ad->counters.count; i++)
		ad->gates[i].provider = row;
}

static bool
concerns(const struct request *r, const struct gate *g,
    const struct deployment *d)
{
	return g->provider == NULL ||
	    g->provider == &r->policy->providers[d->provider->index];
}

/* Does a provider of the list count tokens or money? */
static bool
measured(const struct request *r, const struct deployment *const *list,
    size_t count)
{
	const struct limits *l;
	size_t i;

	for (i = 0; i < count; i++) {
		l = &r->policy->providers[list[i]->provider->index].limits;
		if (l->tpm > 0 || limits_pay(l))
			return true;
	}
	return false;
}

/* Are they counted of this request, whoever will answer it in the end? */
static bool
is_measured(const struct request *r)
{
	const struct admission *ad = r->admission;
	const struct plan *plan = &r->plan;
	size_t kind;

	if (counters_tokens(&ad->counters) || counters_money(&ad->counters) ||
	    measured(r, plan->order, plan->count))
		return true;
	for (kind = 0; kind < FALLBACK_KINDS; kind++)
		if (measured(r, plan->instead[kind],
		    plan->instead_count[kind]))
			return true;
	return false;
}

static enum err
set_bounds(struct request *r)
{
	struct admission *ad = r->admission;

	/* What is free needs a budget all the same that is not used up. */
	ad->least = r->chat.free || r->chat.raw != NULL;
	if (r->chat.free || !is_measured(r))
		return ERR_OK;
	return bounds_set(&ad->bounds, r->arena, &r->chat, r->plan.order[0],
	    r->key->max_output > 0 ? r->key->max_output : OUTPUT_BOUND,
	    &r->fault);
}

/* As the ledger takes it, whatever a provider told. */
static int64_t
amount(int64_t n)
{
	return n < 0 ? 0 : n > LEDGER_MAX ? LEDGER_MAX : n;
}

bool
admit_cut(const struct request *r, struct usage *u)
{
	const struct admission *ad = r->admission;

	return bounds_cut(ad != NULL && (ad->bounds.output > 0 ||
	    ad->bounds.searches > 0) ? &ad->bounds : NULL, u);
}

int64_t
admit_output(const struct request *r)
{
	const struct admission *ad = r->admission;

	return ad != NULL && ad->bounds.output > 0 ? ad->bounds.output :
	    r->chat.max_output > 0 ? r->chat.max_output : OUTPUT_BOUND;
}

static int64_t
most_money(const struct admission *ad, const struct deployment *d)
{
	int64_t most = amount(bounds_cost(&ad->bounds, d));

	return most > ad->least ? most : ad->least;
}

static int64_t
most_tokens(const struct admission *ad)
{
	return amount(amount(ad->bounds.input) + amount(ad->bounds.output));
}

/* ------------------------------------------------------------ amounts */

static int64_t
tokens_of(const struct attempt *at)
{
	return at->usage.known ? usage_input(&at->usage) +
	    usage_output(&at->usage) : 0;
}

/* What an attempt has taken of a gate or may still take. */
static int64_t
taken(const struct admission *ad, enum counter_kind kind,
    const struct attempt *at)
{
	bool runs = at->ended == 0;

	switch (kind) {
	case COUNTER_RPM:
		return 1;
	case COUNTER_PARALLEL:
		return runs;
	case COUNTER_TPM:
		return runs ? most_tokens(ad) : tokens_of(at);
	default:
		return runs ? most_money(ad, at->deployment) :
		    at->cost > 0 ? at->cost : 0;
	}
}

/* What must be held of a counter when d (NULL: nobody) is asked as well. */
static int64_t
needed(const struct request *r, unsigned i, const struct deployment *d)
{
	const struct admission *ad = r->admission;
	enum counter_kind kind = ad->counters.list[i].counter.kind;
	const struct gate *g = &ad->gates[i];
	const struct attempt *at = r->forward == NULL ? NULL :
	    r->forward->first;
	int64_t sum = 0;

	if (g->provider == NULL && (kind == COUNTER_RPM ||
	    kind == COUNTER_PARALLEL))
		return 1; /* it is one request, however often it is tried */
	for (; at != NULL; at = at->next)
		if (concerns(r, g, at->deployment))
			sum = amount(sum + amount(taken(ad, kind, at)));
	if (d == NULL || !concerns(r, g, d))
		return sum;
	switch (kind) {
	case COUNTER_RPM:
	case COUNTER_PARALLEL:
		return sum + 1;
	case COUNTER_TPM:
		return amount(sum + most_tokens(ad));
	default:
		return amount(sum + most_money(ad, d));
	}
}

/* ------------------------------------------------- what was heard last */

/* A share of a budget is used: in the records, and to the webhook. */
static void
warn(struct worker *w, const char *scope, const struct budget *b,
    int64_t share)
{
	char usd[40];
	struct json_writer j;
	struct buf out;

	recorder_note(w->recorder, "warning", "budget of %s: %lld %% used",
	    scope, (long long)share);
	price_format(b->limit, usd, sizeof usd);
	buf_init(&out, KIB(4));
	jw_init(&j, &out);
	jw_object(&j);
	jw_key(&j, "event");
	jw_string(&j, "budget");
	jw_key(&j, "scope");
	jw_string(&j, scope);
	jw_key(&j, "used_percent");
	jw_int(&j, share);
	jw_key(&j, "limit");
	jw_string(&j, usd);
	jw_key(&j, "window");
	jw_string(&j, counters_span((enum counter_span)b->span));
	jw_key(&j, "soft");
	jw_bool(&j, b->soft);
	jw_key(&j, "time");
	jw_int(&j, clock_wall() / SECOND);
	jw_end_object(&j);
	if (!out.failed)
		webhooks_post(w->webhooks, w->policy->webhook, out.data,
		    out.len);
	buf_free(&out);
}

/* Shares at which to warn: once a window, whichever worker sees it. */
static void
warn_of(struct request *r, const struct budget *b, const struct held *p)
{
	static const uint64_t key[2] = { 0x746f6c6c67617465, 2 };
	int64_t share = counters_share(p, b);
	size_t i;

	for (i = 0; i < BUDGET_WARNINGS && b->warn[i] != 0; i++)
		if (share >= b->warn[i] && health_warn(r->worker->health,
		    siphash(key, p->name, strlen(p->name)) +
		    (uint64_t)b->limit * BUDGET_WARNINGS + i))
			warn(r->worker, p->counter->scope, b, b->warn[i]);
}

static struct seen *
seen_at(struct worker *w, const char *key, uint64_t *hash)
{
	*hash = siphash(w->seen_key, key, strlen(key));
	return &w->seen[*hash % SEEN];
}

/* Remember how much of the key's tightest budget is left, and warn. */
static void
remember(struct request *r)
{
	const struct admission *ad = r->admission;
	const struct counted *c;
	const struct held *p;
	int64_t left, least = 101;
	struct seen *s;
	uint64_t hash;
	unsigned i, k;

	for (i = 0; i < ad->hold.parts; i++) {
		p = &ad->hold.part[i];
		c = &ad->counters.list[place_of(ad, p->counter)];
		for (k = 0; k < COUNTED_BUDGETS && c->budget[k] != NULL; k++) {
			warn_of(r, c->budget[k], p);
			left = 100 - counters_share(p, c->budget[k]);
			if (c->counter.limit < LEDGER_MAX && left < least &&
			    ad->gates[place_of(ad, p->counter)].provider ==
				NULL)
				least = left < 0 ? 0 : left;
		}
	}
	if (least > 100)
		return;
	s = seen_at(r->worker, r->key->name, &hash);
	s->key = hash;
	s->left = (int)least;
}

int
admit_budget_left(struct worker *w, const struct vkey *key)
{
	uint64_t hash;
	const struct seen *s = seen_at(w, key->name, &hash);

	return s->key == hash ? s->left : -1;
}

/* ------------------------------------------------------------- asking */

static void
on_answer(void *arg, const struct ledger_answer *a)
{
	struct request *r = arg;
	struct admission *ad = r->admission;

	ad->answer = *a;
	ad->answered = true;
	if (ad->inside)
		return;
	if (r->forward == NULL)
		worker_wake(r->worker, r);
	else
		forward_admitted(r);
}

/*
 * What more must be held so that d may be asked; returns its money. Counters
 * of other providers are left alone: one that is overdrawn takes nothing, not
 * even 0.
 */
static int64_t
want(struct request *r, const struct deployment *d, struct want *out)
{
	struct admission *ad = r->admission;
	int64_t more, cost = 0;
	const struct counter *c;
	unsigned i;

	ad->count = 0;
	for (i = 0; i < ad->counters.count; i++) {
		c = &ad->counters.list[i].counter;
		if (!concerns(r, &ad->gates[i], d))
			continue;
		more = needed(r, i, d) - ad->gates[i].held;
		if (more < 0 || (more == 0 && ad->hold.live))
			continue; /* the first time, of all: windows are set */
		if (c->kind == COUNTER_MONEY && more > cost)
			cost = more;
		out[ad->count] = (struct want){ c, more };
		ad->asked[ad->count] = (unsigned char)i;
		ad->wanted[ad->count++] = more;
	}
	return cost;
}

/* The plan leaves out what cannot be held; money is not held as nothing. */
static bool
holdable(const struct request *r, const struct deployment *d)
{
	const struct admission *ad = r->admission;
	unsigned i;

	for (i = 0; i < ad->counters.count; i++)
		if (ad->counters.list[i].counter.kind == COUNTER_MONEY &&
		    concerns(r, &ad->gates[i], d))
			return d->price.known || r->chat.free;
	return true;
}

/* Take a hold, or add to it, so that d may be asked. */
static void
ask(struct request *r, const struct deployment *d)
{
	struct admission *ad = r->admission;
	struct want wants[LEDGER_PARTS];
	int64_t cost = want(r, d, wants);

	ad->about = d;
	ad->answer = (struct ledger_answer){ .which = -1,
		.err = !ad->counters.failed && holdable(r, d) ? ERR_OK :
		ERR_INTERNAL };
	ad->answered = ad->count == 0 || ad->answer.err != ERR_OK;
	if (ad->answered)
		return;
	ad->inside = true;
	if (ad->hold.live) {
		ledger_more(r->worker->ledger, &ad->hold, wants, ad->count,
		    cost, on_answer, r);
	} else {
		ad->who.provider = d->provider->name;
		ad->who.cost = most_money(ad, d);
		ledger_hold(r->worker->ledger, &ad->hold, wants, ad->count,
		    &ad->who, on_answer, r);
	}
	ad->inside = false;
}

/* The answer is here: what was asked for is held now. */
static void
take(struct request *r)
{
	struct admission *ad = r->admission;
	unsigned i;

	for (i = 0; i < ad->count; i++)
		ad->gates[ad->asked[i]].held += ad->wanted[i];
	remember(r);
}

/* ----------------------------------------------------------- refusals */

static size_t
sift(const struct deployment **list, size_t count, const struct provider *p)
{
	size_t i, n = 0;

	for (i = 0; i < count; i++)
		if (list[i]->provider->index != p->index)
			list[n++] = list[i];
	return n;
}

/* Take out of the plan all that goes to p. */
static void
drop_provider(struct plan *plan, const struct provider *p)
{
	size_t i, kind;

	plan->count = sift(plan->order, plan->count, p);
	for (kind = 0; kind < FALLBACK_KINDS; kind++)
		plan->instead_count[kind] = sift(plan->instead[kind],
		    plan->instead_count[kind], p);
	for (i = 0; i < plan->all_count; i++)
		if (plan->all[i].deployment->provider->index == p->index &&
		    plan->all[i].out == OUT_NOT)
			plan->all[i].out = OUT_CAPPED;
}

/* --------------------------------------------------------------- step */

/* "a,b", as many as a row has room for: usage counts for each of them. */
static const char *
tags_of(struct arena *a, const struct vkey *k)
{
	const char *all = k->tag_count == 0 ? "" : k->tags[0], *more;
	size_t i;

	for (i = 1; i < k->tag_count; i++) {
		if (strlen(all) + strlen(k->tags[i]) + 2 > LEDGER_WORD)
			continue;
		more = arena_printf(a, "%s,%s", all, k->tags[i]);
		all = more == NULL ? all : more;
	}
	return all;
}

static void
set_who(struct request *r)
{
	struct usage_row *who = &r->admission->who;
	const struct vkey *k = r->key;

	*who = (struct usage_row){
		.day = ledger_day(r->worker->ledger),
		.key = k->name,
		.team = k->team,
		.user = k->user,
		.tag = tags_of(r->arena, k),
		.model = r->plan.asked,
		.requests = 1,
	};
}

static enum err
prepare(struct request *r)
{
	struct admission *ad = arena_zalloc(r->arena, sizeof *ad);
	enum err e;

	r->admission = ad;
	if (ad == NULL)
		return fault_memory(&r->fault);
	ad->hold.arena = r->arena;
	counters_init(&ad->counters, r->arena);
	counters_of_key(&ad->counters, r->policy, r->key, r->chat.user);
	if (r->plan.model != NULL)
		counters_of_model(&ad->counters, r->plan.model);
	add_provider(r, r->plan.order[0]->provider);
	if (ad->counters.failed)
		return fault_set(&r->fault, ERR_INTERNAL, NULL,
		    "too many limits for one request");
	if (ad->counters.count > 0 && r->worker->ledger == NULL)
		return fault_set(&r->fault, ERR_LEDGER, NULL, "%s",
		    err_row(ERR_LEDGER)->text);
	e = set_bounds(r);
	if (e == ERR_OK && r->worker->ledger != NULL)
		set_who(r);
	return e;
}

/* The first of the plan that limits allow; each has its provider's gates. */
static void
ask_first(struct request *r)
{
	add_provider(r, r->plan.order[0]->provider);
	ask(r, r->plan.order[0]);
}

/* Why the store cannot be asked: once a second is enough. */
static void
note_unasked(struct worker *w, const char *why)
{
	int64_t now = clock_mono();

	if (w->unasked != 0 && now < w->unasked + SECOND)
		return;
	w->unasked = now;
	recorder_note(w->recorder, "error", "limits and budgets cannot be "
	    "checked: %s", why == NULL || *why == '\0' ? "no answer" : why);
}

/* Pass a provider over; the client is told of the one that waits least. */
static void
pass_over(struct request *r, const struct provider *p,
    const struct refusal *no)
{
	struct refusal *least = &r->admission->soonest;
	int64_t retry = no->answer.retry;

	if (least->counter == NULL || (retry >= 0 &&
	    (least->answer.retry < 0 || retry < least->answer.retry)))
		*least = *no;
	drop_provider(&r->plan, p);
}

/* No provider of the plan has anything left. */
static enum verdict
none_left(struct request *r)
{
	const struct refusal *no = &r->admission->soonest;

	refusal_tell(r, no);
	r->err = r->fault.code = ERR_OVERLOADED;
	r->hopeless = no->answer.retry < 0;
	return DONE;
}

static enum verdict
judge(struct request *r)
{
	struct admission *ad = r->admission;
	const struct ledger_answer *a = &ad->answer;
	struct refusal no = { .answer = *a, .output = ad->bounds.output };
	const struct provider *p;

	if (a->err == ERR_OK) {
		take(r);
		ad->about = NULL;
		return GO;
	}
	if (a->err == ERR_LEDGER)
		note_unasked(r->worker, a->why);
	if (a->which < 0 || (unsigned)a->which >= ad->count)
		return request_fail(r, a->err == ERR_LEDGER ? ERR_LEDGER :
		    ERR_INTERNAL, NULL, "%s", err_row(a->err)->text);
	no.counter = &ad->counters.list[ad->asked[a->which]].counter;
	no.wanted = ad->wanted[a->which];
	p = ad->gates[ad->asked[a->which]].provider;
	if (p == NULL)
		return refusal_tell(r, &no);
	pass_over(r, p, &no);
	if (r->plan.count == 0)
		return none_left(r);
	ask_first(r);
	return ad->answered ? judge(r) : WAIT;
}

enum verdict
admit_check(struct request *r)
{
	enum err e;

	if (r->admission == NULL) {
		e = prepare(r);
		if (e != ERR_OK)
			return request_fault(r, e);
		ask_first(r);
	}
	return r->admission->answered ? judge(r) : WAIT;
}

/* ----------------------------------------------------------- attempts */

/* The ledger is asked for what d takes beside what is held; NO: it cannot. */
static enum admitted
ask_attempt(struct request *r, const struct deployment *d)
{
	struct admission *ad = r->admission;

	if (ad->hold.asking != NULL)
		return ADMIT_NO; /* one question at a time */
	add_provider(r, d->provider);
	if (ad->counters.failed ||
	    (ad->counters.count > 0 && r->worker->ledger == NULL))
		return ADMIT_NO;
	ask(r, d);
	return ad->answered ? ADMIT_YES : ADMIT_WAIT;
}

enum admitted
admit_attempt(struct request *r, const struct deployment *d)
{
	struct admission *ad = r->admission;
	enum admitted can;

	if (ad == NULL)
		return ADMIT_YES;
	if (ad->about != d || !ad->answered) {
		can = ask_attempt(r, d);
		if (can != ADMIT_YES)
			return can;
	}
	ad->about = NULL;
	if (ad->answer.err != ERR_OK)
		return ADMIT_NO;
	take(r);
	return ADMIT_YES;
}

bool
admit_sent(struct request *r)
{
	struct admission *ad = r->admission;

	if (ad == NULL)
		return true;
	ad->sent = true;
	if (!ad->hold.live || ad->marked)
		return true;
	ad->marked = ledger_sent(r->worker->ledger, &ad->hold, NULL, NULL);
	return ad->marked;
}

void
admit_who(const struct request *r, struct usage_row *out)
{
	*out = r->admission->who;
}

/* ------------------------------------------------------------- settle */

/* What each part of the hold came to. */
static void
actual_amounts(const struct request *r, int64_t *actual)
{
	const struct admission *ad = r->admission;
	unsigned i;

	for (i = 0; i < ad->hold.parts; i++)
		actual[i] = needed(r, place_of(ad, ad->hold.part[i].counter),
		    NULL);
}

static unsigned
usage_rows(const struct request *r, struct usage_row *rows)
{
	const struct attempt *at, *shown = forward_shown(r);
	unsigned n = 0;

	for (at = r->forward->first; at != NULL; at = at->next) {
		if ((!at->usage.known && at != shown) || n == LEDGER_ROWS)
			continue;
		rows[n] = r->admission->who;
		rows[n].provider = at->deployment->provider->name;
		rows[n].requests = at == shown;
		rows[n].input = amount(usage_input(&at->usage));
		rows[n].output = amount(usage_output(&at->usage));
		rows[n].cached = amount(at->usage.n[UNIT_CACHED_INPUT]);
		rows[n++].cost = amount(at->cost);
	}
	return n;
}

void
admit_settle(struct request *r)
{
	struct admission *ad = r->admission;
	struct worker *w = r->worker;
	struct usage_row rows[LEDGER_ROWS];
	int64_t actual[LEDGER_PARTS];
	unsigned n = 0;

	if (ad == NULL || w->ledger == NULL || ad->who.requests == 0)
		return;
	if (r->forward != NULL && !r->chat.free)
		n = usage_rows(r, rows);
	if (!ad->hold.live) {
		tally_add(w->tally, w->ledger, rows, n);
	} else if (!ad->sent && n == 0) {
		ledger_release(w->ledger, &ad->hold, NULL, NULL);
	} else {
		if (r->forward != NULL)
			actual_amounts(r, actual);
		ledger_settle(w->ledger, &ad->hold, actual, rows, n, NULL,
		    NULL);
	}
}

void
admit_release(struct request *r)
{
	if (r->admission != NULL && r->worker->ledger != NULL)
		ledger_forget(r->worker->ledger, &r->admission->hold);
}

void
admit_flush(struct worker *w)
{
	if (w->ledger != NULL)
		tally_flush(w->tally, w->ledger);
}

/* ------------------------------------------------------------ headers */

static void
put_limit(struct ratelimits *out, unsigned slot, const struct held *p)
{
	char text[DECIMAL_SIZE];

	decimal(text, p->counter->limit, 0);
	snprintf(out->value[slot], sizeof out->value[slot], "%.22s", text);
	decimal(text, p->left, 0);
	snprintf(out->value[slot + 1], sizeof out->value[slot + 1], "%.22s",
	    text);
	decimal(text, p->reset, 6);
	snprintf(out->value[slot + 2], sizeof out->value[slot + 2], "%.21ss",
	    text);
}

void
admit_ratelimits(const struct request *r, struct ratelimits *out)
{
	static const struct {
		enum counter_kind kind;
		unsigned slot;
	} rows[] = { { COUNTER_RPM, 0 }, { COUNTER_TPM, 3 } };
	const struct admission *ad = r->admission;
	const struct held *p, *least;
	unsigned i, k;

	for (k = 0; ad != NULL && k < sizeof rows / sizeof rows[0]; k++) {
		least = NULL;
		for (i = 0; i < ad->hold.parts; i++) {
			p = &ad->hold.part[i];
			if (p->counter->kind == rows[k].kind &&
			    ad->gates[place_of(ad, p->counter)].provider ==
				NULL && (least == NULL || p->left < least->left))
				least = p;
		}
		if (least != NULL)
			put_limit(out, rows[k].slot, least);
	}
}
