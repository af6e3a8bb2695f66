/*
 * How deployments stand: the contract of health.h on the shared table. Here
 * the parts come together; each is explained where it lives: the table
 * (health_table.h), rests (health_rest.h), what is learned (health_stat.h).
 */
#include "app/health.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "adapters/adapter.h"
#include "app/base/clock.h"
#include "app/base/draw.h"
#include "app/health_int.h"
#include "app/health_rest.h"

#define TTFT_TAU (2 * SECOND) /* follows a change within 10 s */
#define TTFT_OLD MINUTE	      /* then it is tried anew, not avoided for ever */
#define SPEED_TAU (20 * SECOND)
#define SPEED_OLD (10 * MINUTE)
#define SPEED_LEAST (SECOND / 20) /* a shorter answer tells no speed */

#define RING_LEN (10 * SECOND)
#define FEW 5 /* requests of a minute that tell no share of failures */

#define RETRY_SHARE 6 /* one in so many attempts of a minute may be again … */
#define RETRY_MORE 30 /* … and so many more */

#define QUANTILE_OLD 250 /* ms that quantiles are kept */
#define TTFT_MOST (60 * MINUTE)

/* Not the deployment's doing. */
#define FAIL_CLIENT (FAIL_REQUEST | FAIL_CONTEXT | FAIL_CONTENT)

static const unsigned percents[QUANTILES] = { 50, 90, 95 };

struct health *
health_open(const char *dir)
{
	struct health *h = calloc(1, sizeof *h);

	if (h == NULL || !table_open(&h->map, dir)) {
		free(h);
		return NULL;
	}
	if (getrandom(&h->random, sizeof h->random, GRND_NONBLOCK) < 0)
		h->random = (uint64_t)clock_wall();
	return h;
}

struct health *
health_watch(const char *dir)
{
	struct health *h = calloc(1, sizeof *h);

	if (h == NULL || !table_look(&h->map, dir)) {
		free(h);
		return NULL;
	}
	return h;
}

void
health_free(struct health *h)
{
	if (h == NULL)
		return;
	table_close(&h->map);
	free(h);
}

/*
 * A name that a client made up gets no slot: there is no end of such names.
 */
struct slot *
health_slot(struct health *h, const struct deployment *d, bool make,
    int64_t now)
{
	if (now > h->now)
		h->now = now;
	return d->unlisted ? NULL : table_slot(h->map.table, d->id, make, now);
}

/* Is it held against a credential that is not in use any more? */
static bool
pardoned(const struct slot *s, const struct deployment *d, uint64_t rest)
{
	return d->provider != NULL && d->provider->fingerprint != 0 &&
	    (rest_why(rest) & (FAIL_AUTH | FAIL_QUOTA)) != 0 &&
	    get(&s->fingerprint) != d->provider->fingerprint;
}

/* -------------------------------------------------------------- looks */

static uint64_t
under_way(const struct table *t, const struct slot *s)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < TABLE_COLUMNS; i++)
		if (atomic_load_explicit(&t->column[i],
		    memory_order_relaxed) != 0)
			n += atomic_load_explicit(&s->active[i],
			    memory_order_relaxed);
	return n < INT32_MAX ? n : INT32_MAX;
}

/* Reading them off the spread costs more than a look should. */
static void
quantiles(struct timing *s, int64_t now, int64_t out[QUANTILES])
{
	uint32_t ms = (uint32_t)(now / 1000), at, kept;
	unsigned i;

	at = atomic_load_explicit(&s->quantile_at, memory_order_acquire);
	if (at != 0 && ms - at < QUANTILE_OLD) {
		for (i = 0; i < QUANTILES; i++) {
			kept = atomic_load_explicit(&s->quantile[i],
			    memory_order_relaxed);
			out[i] = kept < TTFT_MOST ? kept : TTFT_MOST;
		}
		return;
	}
	spread_read(&s->spread, now, percents, out, QUANTILES);
	for (i = 0; i < QUANTILES; i++)
		atomic_store_explicit(&s->quantile[i], (uint32_t)out[i],
		    memory_order_relaxed);
	atomic_store_explicit(&s->quantile_at, ms, memory_order_release);
}

void
health_stand(const struct table *t, struct slot *s, bool whole, int64_t now,
    struct standing *out)
{
	struct timing *timing = &s->timing[whole];
	uint64_t rest = get(&s->rest);
	int64_t q[QUANTILES];
	struct counts c;

	out->cooling = rest_until(rest, now);
	out->why = rest_why(rest);
	out->probing = rest_probing(rest, now);
	out->in_flight = (unsigned)under_way(t, s);
	out->ttft = level_read(&timing->ttft, now, TTFT_OLD);
	out->speed = level_read(&s->speed, now, SPEED_OLD);
	quantiles(timing, now, q);
	out->p50 = q[0];
	out->p90 = q[1];
	out->p95 = q[2];
	c = ring_read(s->minute, MINUTE_RING, RING_LEN, now);
	out->requests = c.all;
	out->failures = c.also < c.all ? c.also : c.all;
	if (c.all > 0)
		out->success = (unsigned)((out->requests - out->failures) *
		    1000 / out->requests);
}

void
health_look(struct health *h, const struct deployment *d, bool whole,
    int64_t now, struct standing *out)
{
	struct slot *s = health_slot(h, d, false, now);

	memset(out, 0, sizeof *out);
	out->success = 1000;
	if (s == NULL)
		return;
	table_sweep(&h->map, now);
	health_stand(h->map.table, s, whole, now, out);
	if (out->why != 0 && pardoned(s, d, get(&s->rest))) {
		out->cooling = 0;
		out->why = 0;
		out->probing = false;
	}
}

int64_t
health_quantile(struct health *h, const struct deployment *d, bool whole,
    unsigned percent, int64_t now)
{
	struct slot *s = health_slot(h, d, false, now);
	int64_t out = 0;

	if (s != NULL && percent >= 1 && percent <= 99)
		spread_read(&s->timing[whole].spread, now, &percent,
		    &out, 1);
	return out;
}

/* ------------------------------------------------------------- claims */

/*
 * Of the last minute's attempts, one in six and 30 may be ones at the same
 * deployment again: then a storm makes at most 1.2 attempts a request of many.
 * A few more in a race of processes are no harm.
 */
static bool
take_retry(struct slot *s, enum claim claim, int64_t now)
{
	bool again = claim == CLAIM_AGAIN;
	struct counts c = ring_read(s->again, MINUTE_RING, RING_LEN, now);

	if (again && c.also >= c.all / RETRY_SHARE + RETRY_MORE)
		return false;
	ring_count(s->again, MINUTE_RING, RING_LEN, now, again);
	return true;
}

/*
 * What rests because its provider told it to, or would have to, is tried by
 * one at a time; what only failed often may be tried by all whom nobody else
 * can serve.
 */
#define FAIL_TOLD (FAIL_RATE | FAIL_QUOTA | FAIL_AUTH)

static bool
enter(struct slot *s, const struct deployment *d, enum claim claim,
    int64_t now, bool *probe)
{
	uint64_t old = get(&s->rest), next, from;

	do {
		from = pardoned(s, d, old) ? REST_WELL : old;
		if (!rest_claim(from, now, claim == CLAIM_LAST, &next, probe))
			return claim == CLAIM_LAST &&
			    (rest_why(from) & FAIL_TOLD) == 0;
	} while (next != old && !atomic_compare_exchange_weak(&s->rest, &old,
	    next));
	return true;
}

static _Atomic uint32_t *
column(struct health *h, struct slot *s)
{
	return h->map.column < 0 ? NULL : &s->active[h->map.column];
}

bool
health_claim(struct health *h, const struct deployment *d, enum claim claim,
    int64_t now, bool *probe)
{
	struct slot *s = health_slot(h, d, true, now);
	_Atomic uint32_t *mine;

	*probe = false;
	if (s == NULL)
		return true;
	table_name(s, d->id, now);
	table_sweep(&h->map, now);
	if (!take_retry(s, claim, now))
		return false;
	if (!enter(s, d, claim, now, probe))
		return false;
	mine = column(h, s);
	if (mine != NULL)
		atomic_fetch_add_explicit(mine, 1, memory_order_relaxed);
	count(&s->attempts, 1);
	count(&s->hedges, claim == CLAIM_HEDGE);
	count(&s->probes, *probe);
	return true;
}

/* --------------------------------------------------------------- ends */

/* The column is written by its owner alone. */
static void
leave(struct health *h, struct slot *s)
{
	_Atomic uint32_t *mine = column(h, s);
	uint32_t n;

	if (mine == NULL)
		return;
	n = atomic_load_explicit(mine, memory_order_relaxed);
	if (n > 0)
		atomic_store_explicit(mine, n - 1, memory_order_relaxed);
}

static void
learn(struct slot *s, const struct outcome *o, int64_t now)
{
	int64_t ttft = o->ttft < TTFT_MOST ? o->ttft : TTFT_MOST;

	if (ttft > 0) {
		level_add(&s->timing[o->whole].ttft, ttft, now, TTFT_TAU);
		spread_add(&s->timing[o->whole].spread, ttft, now);
	}
	if (o->tokens > 1 && o->tokens < INT32_MAX &&
	    o->duration >= SPEED_LEAST)
		level_add(&s->speed, o->tokens * SECOND / o->duration * 1000 +
		    o->tokens * SECOND % o->duration * 1000 / o->duration,
		    now, SPEED_TAU);
	share_add(&s->cached, o->input, o->cached);
	count(&s->input, o->input);
	count(&s->output, o->tokens);
}

void
health_forget(struct slot *s)
{
	unsigned i;

	for (i = 0; i < MINUTE_RING; i++)
		put(&s->minute[i], 0);
}

/* The word of its rest after a failure that counts. */
static uint64_t
after_failure(const struct slot *s, uint64_t w, const struct outcome *o,
    int64_t now, uint64_t draw)
{
	struct counts c;

	if (o->probe && rest_why(w) != 0)
		return rest_probe_failed(w, now, o->fail, o->rest, draw);
	c = ring_read(s->minute, MINUTE_RING, RING_LEN, now);
	if (rest_at_once(o->fail, o->rest) ||
	    (rest_why(w) == 0 && c.all >= FEW && c.also * 2 > c.all))
		return rest_failed(w, now, o->fail, o->rest, draw);
	return w;
}

static void
failed(struct health *h, struct slot *s, const struct deployment *d,
    const struct outcome *o, int64_t now)
{
	uint64_t old, next, draw = draw_next(&h->random);
	int64_t until;

	ring_count(s->minute, MINUTE_RING, RING_LEN, now, true);
	/* Before the rest, so that nobody takes it for that of an old one. */
	if ((o->fail & (FAIL_AUTH | FAIL_QUOTA)) != 0 && d->provider != NULL)
		put(&s->fingerprint, d->provider->fingerprint);
	old = get(&s->rest);
	do
		next = after_failure(s, old, o, now, draw);
	while (next != old && !atomic_compare_exchange_weak(&s->rest, &old,
	    next));
	until = rest_until(next, now);
	if (h->tell != NULL && until > rest_until(old, now))
		h->tell(h->tell_arg, d, rest_why(next), until - now);
}

bool
health_come_back(struct slot *s, int64_t now)
{
	uint64_t old = get(&s->rest);

	if (rest_why(old) == 0)
		return false;
	health_forget(s);
	while (!atomic_compare_exchange_weak(&s->rest, &old,
	    rest_served(old, now)))
		continue;
	return true;
}

void
health_back(struct health *h, const struct deployment *d, int64_t now)
{
	struct slot *s = health_slot(h, d, false, now);

	if (s != NULL && health_come_back(s, now) && h->tell != NULL)
		h->tell(h->tell_arg, d, 0, 0);
}

/* The probe found out nothing: another one may. */
static void
released(struct slot *s)
{
	uint64_t old = get(&s->rest);

	while (!atomic_compare_exchange_weak(&s->rest, &old,
	    rest_released(old)))
		continue;
}

static void
count_failure(struct slot *s, unsigned fail)
{
	unsigned i;

	for (i = 0; i < sizeof s->failed / sizeof s->failed[0]; i++)
		count(&s->failed[i], fail >> i & 1);
}

void
health_end(struct health *h, const struct deployment *d,
    const struct outcome *o, int64_t now)
{
	struct slot *s = health_slot(h, d, true, now);

	if (s == NULL)
		return;
	table_name(s, d->id, now);
	leave(h, s);
	learn(s, o, now);
	if (!o->served)
		count_failure(s, o->fail);
	if (o->served) {
		count(&s->served, 1);
		if (o->probe)
			health_back(h, d, now);
		ring_count(s->minute, MINUTE_RING, RING_LEN, now, false);
	} else if (!o->silent && o->fail != 0 && (o->fail & FAIL_CLIENT) == 0) {
		failed(h, s, d, o, now);
	} else {
		count(&s->given_up, o->fail == 0);
		if (o->probe)
			released(s);
	}
}
