/* Looking at open batches, and settling what has ended. */
#include "app/batches.h"

#include <stdlib.h>
#include <string.h>

#include "app/ask.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/frames.h"
#include "app/base/limits.h"
#include "app/ledger.h"
#include "app/record.h"
#include "app/results.h"
#include "app/worker.h"

#define SECOND INT64_C(1000000)
#define TICKS 5		    /* between two questions for what is due */
#define MINE (60 * SECOND)  /* so long a batch is the asker's */
#define LATE (BATCHES_LEASE + LEDGER_TAKEN / 2) /* it was charged by then */
#define DOUBT 4		    /* times its bound no batch costs */

struct batches {
	struct worker *worker;
	struct registry *registry;
	struct look *looks;
	unsigned ticks;
	bool asking; /* what is due, or looking at it */
	bool closing, freeing;
};

/* What the answers came to. */
struct sum {
	struct usage usage;
	int64_t cost, answered, unknown;
};

struct look {
	struct look *next, **link;
	struct batches *owner;
	struct arena *arena, *scratch;
	struct policy *policy;
	const char *was;
	struct entry entry;
	struct results rs;
	struct ask ask;
	struct frames frames;
	bool reading;	/* frames are open */
	unsigned place;	/* output, errors */
	bool lost;	/* answers cannot be had any more */
	struct sum sum;
	struct hold hold;
	struct usage_row who; /* pays */
	struct fault fault;
	bool settling;	/* the ledger is asked */
	batches_fn *fn;
	void *arg;
};

/* --------------------------------------------------------------- life */

static void
look_free(struct look *k)
{
	struct batches *b = k->owner;

	ask_end(&k->ask);
	if (k->reading)
		frames_free(&k->frames);
	*k->link = k->next;
	if (k->next != NULL)
		k->next->link = k->link;
	policy_unref(k->policy);
	arena_free(k->scratch);
	arena_free(k->arena);
	free(k);
	if (b->closing && !b->freeing && b->looks == NULL)
		free(b);
}

static void
finish(struct look *k, enum err e)
{
	batches_fn *fn = k->fn;

	k->fn = NULL;
	if (fn != NULL)
		fn(k->arg, e, &k->fault, e == ERR_OK ? &k->entry : NULL);
	look_free(k);
}

static void
fail(struct look *k, enum err e, const char *why)
{
	finish(k, fault_set(&k->fault, e, NULL, "%s", why));
}

/* -------------------------------------------------------------- record */

static void
on_written(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct look *k = arg;

	(void)text;
	(void)len;
	if (e == ERR_OK && k->entry.settled)
		record_batch(k->owner->worker->recorder, &k->entry,
		    &k->who);
	if (e == ERR_OK || e == ERR_CONFLICT) /* another one was as far */
		finish(k, ERR_OK);
	else
		fail(k, ERR_KEPT, why);
}

static void
write_entry(struct look *k)
{
	struct registry_row row;
	struct fault f;
	struct registry *rg = batches_registry(k->owner, &f);

	if (k->owner->closing || rg == NULL ||
	    entry_row(k->arena, &k->entry, clock_wall(), &row) == NULL)
		fail(k, ERR_KEPT, err_row(ERR_KEPT)->text);
	else
		registry_put(rg, &row, k->was, on_written, k);
}

/* ------------------------------------------------------------- settle */

static bool
is_held(const struct look *k)
{
	return k->hold.parts > 0;
}

static void
on_settled(void *arg, const struct ledger_answer *a)
{
	struct look *k = arg;

	k->settling = false;
	if (a->err != ERR_OK) {
		fail(k, ERR_LEDGER, err_row(ERR_LEDGER)->text);
		return;
	}
	k->entry.settled = true;
	write_entry(k);
}

/* What it cost: what is not known, as an average line may. */
static void
conclude(struct look *k)
{
	struct entry *e = &k->entry;
	struct sum *s = &k->sum;
	int64_t each = e->lines > 0 ? e->most / e->lines : e->most, more;

	if (e->state.done > s->answered)
		s->unknown += e->state.done - s->answered;
	if (s->unknown > e->lines)
		s->unknown = e->lines;
	more = s->unknown * each;
	s->cost = k->lost ? e->most : s->cost > LEDGER_MAX - more ?
	    LEDGER_MAX : s->cost + more;
	if (s->cost / DOUBT > e->most)
		s->cost = e->most;
	e->spent = s->cost;
	e->answered = s->answered;
	e->input_tokens = usage_input(&s->usage);
	e->output_tokens = usage_output(&s->usage);
	e->cached = s->usage.n[UNIT_CACHED_INPUT];
}

static int64_t
amount(int64_t n)
{
	return n < 0 ? 0 : n > LEDGER_MAX ? LEDGER_MAX : n;
}

static void
settle(struct look *k)
{
	struct ledger *l = k->owner->worker->ledger;
	struct entry *e = &k->entry;
	int64_t actual[LEDGER_PARTS];
	struct usage_row *row = &k->who;
	unsigned i;

	conclude(k);
	if (l == NULL || !ledger_take(l, k->arena, e->hold, &k->hold) ||
	    !ledger_who(k->arena, e->hold, row)) {
		fail(k, ERR_LEDGER, err_row(ERR_LEDGER)->text);
		return;
	}
	if (is_held(k) && clock_wall() - e->tried * SECOND > LATE) {
		e->spent = e->most; /* so its lease ended */
		e->settled = true;
		write_entry(k);
		return;
	}
	row->day = ledger_day(l);
	row->requests = e->answered;
	row->input = amount(e->input_tokens);
	row->output = amount(e->output_tokens);
	row->cached = amount(e->cached);
	row->cost = amount(e->spent);
	for (i = 0; i < k->hold.parts; i++)
		actual[i] = row->cost;
	k->settling = true;
	ledger_settle(l, &k->hold, actual, row, 1, on_settled, k);
}

/* It goes on: so does its hold. */
static void
on_held(void *arg, const struct ledger_answer *a)
{
	struct look *k = arg;

	k->settling = false;
	if (a->err == ERR_OK && a->known)
		k->entry.tried = clock_wall() / SECOND;
	write_entry(k);
}

static void
hold_on(struct look *k)
{
	struct ledger *l = k->owner->worker->ledger;

	if (l != NULL && ledger_take(l, k->arena, k->entry.hold, &k->hold) &&
	    is_held(k)) {
		k->hold.lease = BATCHES_LEASE;
		k->settling = true;
		ledger_sent(l, &k->hold, on_held, k);
	} else {
		write_entry(k);
	}
}

/* ------------------------------------------------------------ answers */

static void
add_usage(struct sum *s, const struct usage *u, int64_t cost)
{
	size_t i;

	for (i = 0; i < UNIT_COUNT; i++)
		if (__builtin_add_overflow(s->usage.n[i], u->n[i],
		    &s->usage.n[i]))
			s->usage.n[i] = INT64_MAX;
	if (__builtin_add_overflow(s->cost, cost, &s->cost))
		s->cost = INT64_MAX;
}

/* One line of the answers; one that cannot be read is one that is not known. */
static void
count(struct look *k, const struct json *line)
{
	struct batch_line got;
	struct fault f;
	struct usage u;

	if (k->rs.dialect->read_line(k->scratch, line, &got, &f) != ERR_OK) {
		k->sum.unknown++;
		return;
	}
	if (got.status != 200 || got.body.len == 0)
		return;
	k->sum.answered++;
	if (!results_usage(&k->rs, k->scratch, got.body,
	    &u)) {
		k->sum.unknown++;
		return;
	}
	u.service = SERVICE_BATCH;
	u.n[UNIT_REQUEST] = 1;
	add_usage(&k->sum, &u, price_cost(&k->entry.price, &u));
}

static enum err
on_line(void *arg, const struct sse_event *ev)
{
	struct look *k = arg;
	struct json doc;
	char *text;

	if (ev == NULL || ev->len == 0)
		return ERR_OK;
	text = arena_dup(k->scratch, ev->data, ev->len);
	if (text != NULL)
		json_mend_escapes(text, ev->len);
	if (text != NULL && json_parse(&doc, k->scratch, text, ev->len,
	    NULL) == ERR_OK && json_type(&doc, JSON_ROOT) == JSON_OBJECT)
		count(k, &doc);
	else
		k->sum.unknown++;
	arena_reset(k->scratch);
	return ERR_OK;
}

static void
count_list(struct look *k)
{
	struct json doc, line;
	uint32_t list, v;
	size_t len;
	const char *p;

	if (json_parse(&doc, k->arena, k->ask.body.data, k->ask.body.len,
	    NULL) != ERR_OK) {
		k->lost = true;
		return;
	}
	list = k->rs.dialect->list(&doc);
	for (v = json_first(&doc, list); v != JSON_NONE;
	    v = json_next(&doc, list, v)) {
		p = json_raw(&doc, v, &len);
		if (json_parse(&line, k->scratch, p, len, NULL) == ERR_OK)
			count(k, &line);
		else
			k->sum.unknown++;
		arena_reset(k->scratch);
	}
}

static void next_place(struct look *k);

static bool
on_answers(void *arg, const char *p, size_t len)
{
	struct look *k = arg;

	if (frames_feed(&k->frames, p, len, on_line, k) != ERR_OK)
		k->lost = true; /* a line over the bound */
	return true;
}

static void
on_all(void *arg)
{
	struct look *k = arg;

	if (k->reading && k->ask.err == ERR_OK &&
	    frames_end(&k->frames, on_line, k) != ERR_OK)
		k->lost = true;
	if (k->reading)
		frames_free(&k->frames);
	k->reading = false;
	if (k->ask.err != ERR_OK && (k->ask.status == 404 ||
	    k->ask.status == 410)) {
		k->lost = true;
	} else if (k->ask.err != ERR_OK) {
		k->fault = k->ask.fault;
		finish(k, k->ask.err);
		return;
	} else if (k->rs.dialect->whole) {
		count_list(k);
	}
	k->place++;
	next_place(k);
}

/* Read the answers, where there are any; then settle. */
static void
next_place(struct look *k)
{
	const struct batch_state *s = &k->entry.state;
	const char *places[] = { s->output, s->errors }, *where;

	while (k->place < 2 && (*places[k->place] == '\0' || k->lost ||
	    (k->place == 1 && !k->rs.dialect->passes)))
		k->place++;
	if (k->place == 2) {
		settle(k);
		return;
	}
	where = places[k->place];
	ask_end(&k->ask);
	memset(&k->ask.call, 0, sizeof k->ask.call);
	k->ask.done = on_all;
	k->ask.data = k->rs.dialect->whole ? NULL : on_answers;
	if (!k->rs.dialect->whole)
		frames_init(&k->frames, FRAMING_LINES, LIMIT_EVENT_LARGE);
	k->reading = !k->rs.dialect->whole;
	if (k->rs.dialect->results(k->arena, k->ask.provider, where,
	    &k->ask.call, &k->fault) != ERR_OK || !ask_begin(&k->ask))
		fail(k, ERR_UPSTREAM, err_row(ERR_UPSTREAM)->text);
}

/* ---------------------------------------------------------- the batch */

static void
on_state(void *arg)
{
	struct look *k = arg;
	struct entry *e = &k->entry;
	struct batch_state s;
	enum err err = k->ask.err;

	if (err == ERR_OK)
		err = batch_read(k->rs.dialect, k->arena, k->ask.body.data == NULL ?
		    "" : k->ask.body.data, k->ask.body.len, &s, &k->fault);
	else
		k->fault = k->ask.fault;
	if (err != ERR_OK) {
		finish(k, err);
		return;
	}
	if (s.created == 0)
		s.created = e->state.created;
	e->state = s;
	if (batch_ended(s.status))
		next_place(k);
	else
		hold_on(k);
}

static void
begin(struct look *k)
{
	struct entry *e = &k->entry;

	if (!results_of(&k->rs, k->policy, e)) {
		fail(k, ERR_NO_ROUTE, "the provider of this batch is not in "
		    "the policy any more");
		return;
	}
	k->ask = (struct ask){ .worker = k->owner->worker,
		.arena = k->arena, .provider = k->rs.provider,
		.done = on_state, .arg = k };
	if (batch_ended(e->state.status)) {
		next_place(k);
		return;
	}
	if (k->rs.dialect->get(k->arena, k->rs.provider, e->own,
	    &k->ask.call, &k->fault) != ERR_OK || !ask_begin(&k->ask))
		fail(k, ERR_UPSTREAM, err_row(ERR_UPSTREAM)->text);
}

static struct look *
look_new(struct batches *b)
{
	struct look *k = calloc(1, sizeof *k);

	if (k == NULL)
		return NULL;
	k->owner = b;
	k->arena = arena_new(LIMIT_ARENA);
	k->scratch = arena_new(LIMIT_ARENA);
	k->policy = policy_ref(b->worker->policy);
	k->next = b->looks;
	k->link = &b->looks;
	if (k->next != NULL)
		k->next->link = &k->next;
	b->looks = k;
	return k;
}

void
batches_look(struct batches *b, const char *text, size_t len, batches_fn *fn,
    void *arg)
{
	struct look *k = look_new(b);
	struct fault f;

	if (k == NULL) {
		fault_memory(&f);
		fn(arg, ERR_INTERNAL, &f, NULL);
		return;
	}
	k->fn = fn;
	k->arg = arg;
	k->was = k->arena == NULL || k->scratch == NULL ? NULL :
	    arena_dup(k->arena, text, len);
	if (k->was == NULL ||
	    !entry_read(k->arena, k->was, len, &k->entry))
		fail(k, ERR_KEPT, "a record that is none");
	else if (k->entry.settled)
		finish(k, ERR_OK);
	else
		begin(k);
}

/* ---------------------------------------------------------------- due */

static void ask_due(struct batches *b);

static void
on_looked(void *arg, enum err e, const struct fault *f,
    const struct entry *entry)
{
	struct batches *b = arg;

	(void)entry;
	if (e != ERR_OK && !b->closing)
		recorder_note(b->worker->recorder, "warning",
		    "a batch cannot be looked at: %s", f->text);
	b->asking = false;
	if (e == ERR_OK && !b->closing)
		ask_due(b); /* there may be more */
}

static void
on_due(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct batches *b = arg;

	(void)why;
	if (e != ERR_OK || text == NULL || b->closing)
		b->asking = false;
	else
		batches_look(b, text, len, on_looked, b);
}

static void
ask_due(struct batches *b)
{
	struct fault f;
	struct registry *rg = batches_registry(b, &f);
	int64_t now = clock_wall();

	if (rg == NULL)
		return;
	b->asking = true;
	registry_due(rg, now, now + MINE, on_due, b);
}

void
batches_tick(struct batches *b)
{
	if (!b->asking && ++b->ticks % TICKS == 0)
		ask_due(b);
}

/* ------------------------------------------------------ begin and end */

struct registry *
batches_registry(struct batches *b, struct fault *f)
{
	struct registry_setup setup = { .loop = b->worker->loop,
		.store = b->worker->policy->store,
		.dir = b->worker->env.state_dir };

	if (b->registry == NULL && !b->closing)
		b->registry = registry_open(&setup, f);
	return b->registry;
}

struct batches *
batches_new(struct worker *w)
{
	struct batches *b = calloc(1, sizeof *b);

	if (b != NULL) {
		b->worker = w;
		b->ticks = (unsigned)(worker_random(w) % TICKS);
	}
	return b;
}

void
batches_free(struct batches *b)
{
	struct look *k, *next;

	if (b == NULL)
		return;
	b->closing = b->freeing = true;
	registry_close(b->registry);
	b->registry = NULL;
	for (k = b->looks; k != NULL; k = next) {
		next = k->next;
		if (!k->settling)
			fail(k, ERR_DRAINING, "");
	}
	b->freeing = false;
	if (b->looks == NULL)
		free(b); /* else with the last of them */
}
