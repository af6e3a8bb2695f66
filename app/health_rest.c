/*
 * The word: bits 0..39 a time in ms of clock_mono (the end of the rest; when
 * well, since when), 40..43 how often it rested before, 44..47 why it rests
 * (a row of kinds, 0 = well), 48..63 when the probe began (0 = none is under
 * way; else seconds of clock_mono, modulo 65,535, plus 1).
 */
#include "app/health_rest.h"

#include "adapters/adapter.h"
#include "app/base/limits.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define PROBE_LIMIT 60	       /* s; then its process is taken for dead */
#define GOOD MINUTE	       /* well for so long: the past is forgotten */
#define LEAST (SECOND / 10)    /* of what a provider asks */
#define MOST (29 * HOUR)       /* no rest is longer: 24 h and a fifth */
#define LEVELS 15
#define PROBE_TIMES 65535

/*
 * How long it rests: `first`, then `base`, doubled each time up to `cap`.
 * A failure with several bits is that of the first row. A refused credential
 * gets one early second chance, lest a single refusal that a client brought
 * about (a file of somebody else's, say) closes the deployment for an hour.
 */
static const struct kind {
	unsigned fail;
	int64_t first, base, cap;
	bool at_once; /* else only when too many fail */
	bool asks;    /* a time that the provider asks for is honoured */
} kinds[] = {
	{ 0, 0, 0, 0, false, false }, /* well */
	{ FAIL_AUTH, MINUTE, HOUR, 24 * HOUR, true, false },
	{ FAIL_QUOTA, MINUTE, HOUR, 24 * HOUR, true, true },
	{ FAIL_RATE, SECOND, 2 * SECOND, MINUTE, true, true },
	{ FAIL_OVERLOAD, 5 * SECOND, 10 * SECOND, 5 * MINUTE, false, true },
	{ FAIL_SERVER, 5 * SECOND, 10 * SECOND, 5 * MINUTE, false, true },
	{ FAIL_TIMEOUT, 5 * SECOND, 10 * SECOND, 5 * MINUTE, false, false },
	{ FAIL_CONNECT, 5 * SECOND, 10 * SECOND, 5 * MINUTE, false, false },
	{ FAIL_MISSING, 5 * SECOND, 10 * SECOND, 5 * MINUTE, false, false },
	{ ~0U, 5 * SECOND, 10 * SECOND, 5 * MINUTE, false, false },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct rest {
	int64_t until; /* µs */
	unsigned level, kind, probe;
};

static struct rest
unpack(uint64_t w)
{
	struct rest r = {
		.until = (int64_t)(w & 0xffffffffff) * 1000,
		.level = (unsigned)(w >> 40) & 15,
		.kind = (unsigned)(w >> 44) & 15,
		.probe = (unsigned)(w >> 48),
	};

	/* Nothing but ours writes such a word; a bad disk does too. */
	if (r.kind >= KINDS)
		r.kind = KINDS - 1;
	return r;
}

static uint64_t
pack(const struct rest *r)
{
	uint64_t ms = ((uint64_t)r->until + 999) / 1000;

	return (ms & 0xffffffffff) | (uint64_t)r->level << 40 |
	    (uint64_t)r->kind << 44 | (uint64_t)r->probe << 48;
}

static unsigned
kind_of(unsigned fail)
{
	unsigned i = 1;

	while ((kinds[i].fail & fail) == 0 && i < KINDS - 1)
		i++;
	return i;
}

bool
rest_at_once(unsigned fail, int64_t asked)
{
	const struct kind *k = &kinds[kind_of(fail)];

	return k->at_once || (k->asks && asked >= 0);
}

/* A rest that ends beyond all bounds was never ours. */
static bool
resting(const struct rest *r, int64_t now)
{
	return r->kind != 0 && r->until > now && r->until <= now + MOST;
}

int64_t
rest_until(uint64_t w, int64_t now)
{
	struct rest r = unpack(w);

	return resting(&r, now) ? r.until : 0;
}

unsigned
rest_why(uint64_t w)
{
	unsigned kind = unpack(w).kind;

	return kind == KINDS - 1 ? FAIL_BROKEN : kinds[kind].fail;
}

static unsigned
probe_time(int64_t now)
{
	return (unsigned)(now / SECOND % PROBE_TIMES) + 1;
}

static bool
probing(const struct rest *r, int64_t now)
{
	unsigned since;

	if (r->kind == 0 || r->probe == 0)
		return false;
	since = (probe_time(now) + PROBE_TIMES - r->probe) % PROBE_TIMES;
	return since < PROBE_LIMIT;
}

bool
rest_probing(uint64_t w, int64_t now)
{
	struct rest r = unpack(w);

	return probing(&r, now);
}

bool
rest_claim(uint64_t w, int64_t now, bool early, uint64_t *next, bool *probe)
{
	struct rest r = unpack(w);

	*next = w;
	*probe = false;
	if (r.kind == 0)
		return true;
	if (probing(&r, now) || (resting(&r, now) && !early))
		return false;
	r.probe = probe_time(now);
	*probe = true;
	*next = pack(&r);
	return true;
}

/* Between four and six fifths of it. */
static int64_t
jittered(int64_t t, uint64_t draw)
{
	return t - t / 5 + (int64_t)(draw % (uint64_t)(2 * (t / 5) + 1));
}

static int64_t
length(unsigned kind, unsigned level, int64_t asked, uint64_t draw)
{
	const struct kind *k = &kinds[kind];
	int64_t t = k->first;

	if (asked >= 0 && k->asks) {
		if (asked > LIMIT_RETRY_AFTER * SECOND)
			asked = LIMIT_RETRY_AFTER * SECOND;
		return asked < LEAST ? LEAST : asked;
	}
	if (level > 0)
		t = k->base;
	while (level-- > 1 && t < k->cap)
		t *= 2;
	return jittered(t < k->cap ? t : k->cap, draw);
}

uint64_t
rest_failed(uint64_t w, int64_t now, unsigned fail, int64_t asked,
    uint64_t draw)
{
	struct rest r = unpack(w);
	unsigned kind = kind_of(fail);
	int64_t until;

	if (r.kind == 0) {
		if (r.until > now || r.until + GOOD < now || r.until == 0)
			r.level = 0;
		else if (r.level < LEVELS)
			r.level++;
		until = now + length(kind, r.level, asked, draw);
		r = (struct rest){ until, r.level, kind, 0 };
		return pack(&r);
	}
	/*
	 * It rests already: what began before that and fails now adds nothing,
	 * but that the provider asks for longer.
	 */
	if (asked < 0 || !kinds[kind].asks)
		return w;
	until = now + length(kind, 0, asked, draw);
	if (until > r.until || r.until > now + MOST)
		r.until = until;
	return pack(&r);
}

uint64_t
rest_probe_failed(uint64_t w, int64_t now, unsigned fail, int64_t asked,
    uint64_t draw)
{
	struct rest r = unpack(w);

	if (r.kind == 0 || resting(&r, now)) { /* it was an early one */
		r = unpack(rest_failed(w, now, fail, asked, draw));
	} else {
		if (r.level < LEVELS)
			r.level++;
		r.kind = kind_of(fail);
		r.until = now + length(r.kind, r.level, asked, draw);
	}
	r.probe = 0;
	return pack(&r);
}

uint64_t
rest_served(uint64_t w, int64_t now)
{
	struct rest r = unpack(w);

	if (r.kind == 0)
		return w;
	r = (struct rest){ now, r.level, 0, 0 };
	return pack(&r);
}

uint64_t
rest_released(uint64_t w)
{
	struct rest r = unpack(w);

	r.probe = 0;
	return pack(&r);
}

uint64_t
rest_elsewhere(uint64_t w, int64_t now, int64_t until, unsigned fail)
{
	struct rest r = unpack(w);

	if (until > now + MOST || until <= now)
		return w;
	if (r.kind == 0)
		r = (struct rest){ until, r.level, kind_of(fail), 0 };
	else if (until > r.until || r.until > now + MOST)
		r.until = until;
	return pack(&r);
}
