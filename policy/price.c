/*
 * Prices and costs in whole nano-dollars. All products are made and added in
 * 128 bits and rounded once; there is no floating point in this file, and
 * there must be none.
 */
#include "policy/price.h"

#include <string.h>

#include "app/base/decimal.h"

#define COUNT_MAX (INT64_C(1) << 53) /* units of one kind in one request */
#define MILLION 1000000
#define PERCENT 100
#define DECIMALS 9	     /* of a dollar that a nano-dollar can tell */
#define DIGITS_MAX 16	     /* of MONEY_MAX: more cannot be in range */
#define EXPONENT_MAX 1000000 /* beyond it only zero is in range */

/* fallback: what a unit costs as when it has no rate; itself = it is free. */
static const struct {
	const char *name;
	enum unit fallback;
} units[] = {
	[UNIT_INPUT] = { "input", UNIT_INPUT },
	[UNIT_OUTPUT] = { "output", UNIT_OUTPUT },
	[UNIT_CACHED_INPUT] = { "cached_input", UNIT_INPUT },
	[UNIT_CACHE_WRITE] = { "cache_write", UNIT_INPUT },
	[UNIT_CACHE_WRITE_1H] = { "cache_write_1h", UNIT_CACHE_WRITE },
	[UNIT_REASONING] = { "reasoning", UNIT_OUTPUT },
	[UNIT_AUDIO_INPUT] = { "audio_input", UNIT_INPUT },
	[UNIT_AUDIO_OUTPUT] = { "audio_output", UNIT_OUTPUT },
	[UNIT_IMAGE_INPUT] = { "image_input", UNIT_INPUT },
	[UNIT_IMAGE_OUTPUT] = { "image_output", UNIT_OUTPUT },
	[UNIT_CHARACTERS] = { "characters", UNIT_CHARACTERS },
	[UNIT_REQUEST] = { "request", UNIT_REQUEST },
	[UNIT_IMAGE] = { "image", UNIT_IMAGE },
	[UNIT_SENT_IMAGE] = { "sent_image", UNIT_SENT_IMAGE },
	[UNIT_SEARCH] = { "search", UNIT_SEARCH },
	[UNIT_SECOND] = { "second", UNIT_SECOND },
};
_Static_assert(sizeof units / sizeof units[0] == UNIT_COUNT, "a row a unit");

static const char *const services[] = {
	[SERVICE_STANDARD] = "standard",
	[SERVICE_FLEX] = "flex",
	[SERVICE_PRIORITY] = "priority",
	[SERVICE_BATCH] = "batch",
	[SERVICE_RESERVED] = "reserved",
	[SERVICE_OTHER] = "other",
};
_Static_assert(sizeof services / sizeof services[0] == SERVICE_COUNT,
    "a name a tier");

const char *
service_name(enum service s)
{
	return (unsigned)s < SERVICE_COUNT ? services[s] : NULL;
}

const char *
unit_name(enum unit u)
{
	return (unsigned)u < UNIT_COUNT ? units[u].name : NULL;
}

void
price_init(struct price *p)
{
	unsigned i, u;

	memset(p, 0, sizeof *p);
	for (u = 0; u < UNIT_COUNT; u++)
		p->rate[u] = PRICE_UNSET;
	for (i = 0; i < SERVICE_COUNT; i++)
		p->service[i] = PRICE_UNSET;
	for (i = 0; i < PRICE_TIERS; i++)
		for (u = 0; u < UNIT_PER_MILLION; u++)
			p->tier[i].rate[u] = PRICE_UNSET;
}

/* A count as the contract wants it, whatever came. */
static int64_t
count_of(const struct usage *u, enum unit i)
{
	if (u->n[i] < 0)
		return 0;
	return u->n[i] > COUNT_MAX ? COUNT_MAX : u->n[i];
}

int64_t
usage_input(const struct usage *u)
{
	return count_of(u, UNIT_INPUT) + count_of(u, UNIT_CACHED_INPUT) +
	    count_of(u, UNIT_CACHE_WRITE) + count_of(u, UNIT_CACHE_WRITE_1H) +
	    count_of(u, UNIT_AUDIO_INPUT) + count_of(u, UNIT_IMAGE_INPUT);
}

int64_t
usage_output(const struct usage *u)
{
	return count_of(u, UNIT_OUTPUT) + count_of(u, UNIT_REASONING) +
	    count_of(u, UNIT_AUDIO_OUTPUT) + count_of(u, UNIT_IMAGE_OUTPUT);
}

void
usage_set_input(struct usage *u, int64_t tokens)
{
	u->n[UNIT_CACHED_INPUT] = 0;
	u->n[UNIT_AUDIO_INPUT] = u->n[UNIT_IMAGE_INPUT] = 0;
	u->n[UNIT_CACHE_WRITE] = u->n[UNIT_CACHE_WRITE_1H] = 0;
	u->n[UNIT_INPUT] = tokens;
}

void
usage_set_output(struct usage *u, int64_t tokens)
{
	u->n[UNIT_REASONING] = 0;
	u->n[UNIT_AUDIO_OUTPUT] = u->n[UNIT_IMAGE_OUTPUT] = 0;
	u->n[UNIT_OUTPUT] = tokens;
}

/* The tier that holds for so much input, or NULL. */
static const struct price_tier *
tier_of(const struct price *p, int64_t all_input)
{
	const struct price_tier *t = NULL;
	unsigned i;

	for (i = 0; i < p->tiers && i < PRICE_TIERS; i++)
		if (all_input > p->tier[i].above)
			t = &p->tier[i];
	return t;
}

/* A unit's own rate, the tier's before the plain one, or PRICE_UNSET. */
static int64_t
own_rate(const struct price *p, const struct price_tier *t, enum unit u)
{
	if (t != NULL && u < UNIT_PER_MILLION && t->rate[u] >= 0)
		return t->rate[u];
	return p->rate[u];
}

int64_t
price_rate(const struct price *p, enum unit u, int64_t all_input)
{
	const struct price_tier *t = tier_of(p, all_input);
	int64_t rate;

	for (;;) {
		rate = own_rate(p, t, u);
		if (rate >= 0)
			return rate > PRICE_MAX ? PRICE_MAX : rate;
		if (units[u].fallback == u)
			return 0;
		u = units[u].fallback;
	}
}

/* The per cent of a service tier. */
static uint64_t
factor_of(const struct price *p, enum service s)
{
	int64_t v;

	/* Standard is what the rates are of, and what nobody knows. */
	if (s == SERVICE_STANDARD || (unsigned)s >= SERVICE_OTHER)
		return PERCENT;
	v = p->service[s];
	if (v < 0)
		return PERCENT;
	return (uint64_t)(v > SERVICE_MAX ? SERVICE_MAX : v);
}

/*
 * What tokens × rates come to in a service tier of so many per cent, with
 * the fees: whole n$, so that it is rounded once.
 */
static int64_t
total(unsigned __int128 tokens, uint64_t percent, unsigned __int128 fees)
{
	const uint64_t part = (uint64_t)MILLION * PERCENT;
	unsigned __int128 sum = (tokens * percent + (part - 1)) / part + fees;

	return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

int64_t
price_cost(const struct price *p, const struct usage *u)
{
	/* < 11 × 2^53 × 10^15 (× 1000) < 2^117, and 5 × 2^53 × 10^15. */
	unsigned __int128 tokens = 0, fees = 0;
	int64_t all = usage_input(u);
	unsigned i;

	if (!p->known)
		return 0;
	for (i = 0; i < UNIT_COUNT; i++) {
		unsigned __int128 part = (uint64_t)count_of(u, i);

		part *= (uint64_t)price_rate(p, i, all);
		if (i < UNIT_PER_MILLION)
			tokens += part;
		else
			fees += part;
	}
	return total(tokens, factor_of(p, u->service), fees);
}

/* The dearest of some units, over all tiers that so much input may reach. */
static int64_t
dearest(const struct price *p, const enum unit *of, size_t n, int64_t input)
{
	int64_t most = 0, rate;
	unsigned tier;
	size_t i;

	for (i = 0; i < n; i++) {
		rate = price_rate(p, of[i], 0);
		most = rate > most ? rate : most;
		for (tier = 0; tier < p->tiers && tier < PRICE_TIERS; tier++) {
			if (input <= p->tier[tier].above)
				continue;
			rate = price_rate(p, of[i], p->tier[tier].above + 1);
			most = rate > most ? rate : most;
		}
	}
	return most;
}

/* The dearest service tier: a request may get any, whatever it asked for. */
static uint64_t
dearest_factor(const struct price *p)
{
	uint64_t most = PERCENT, v;
	unsigned i;

	for (i = 0; i < SERVICE_COUNT; i++) {
		v = factor_of(p, i);
		most = v > most ? v : most;
	}
	return most;
}

static unsigned __int128
times(const struct price *p, const int64_t *counts, enum unit u)
{
	return (unsigned __int128)(uint64_t)counts[u] *
	    (uint64_t)price_rate(p, u, 0);
}

int64_t
price_bound(const struct price *p, int64_t input, int64_t output, bool writes,
    int64_t searches, const int64_t *counts)
{
	static const enum unit in[] = { UNIT_INPUT, UNIT_CACHED_INPUT,
		UNIT_AUDIO_INPUT, UNIT_IMAGE_INPUT, UNIT_CACHE_WRITE,
		UNIT_CACHE_WRITE_1H };
	static const enum unit out[] = { UNIT_OUTPUT, UNIT_REASONING,
		UNIT_AUDIO_OUTPUT, UNIT_IMAGE_OUTPUT };
	unsigned __int128 tokens, fees;

	if (!p->known)
		return 0;
	tokens = (unsigned __int128)(uint64_t)input * (uint64_t)dearest(p, in,
	    writes ? 6 : 4, input) + (unsigned __int128)(uint64_t)output *
	    (uint64_t)dearest(p, out, 4, input);
	fees = (uint64_t)price_rate(p, UNIT_REQUEST, 0);
	fees += (unsigned __int128)(uint64_t)searches *
	    (uint64_t)price_rate(p, UNIT_SEARCH, 0);
	if (counts != NULL) {
		tokens += times(p, counts, UNIT_CHARACTERS);
		fees += times(p, counts, UNIT_IMAGE) +
		    times(p, counts, UNIT_SENT_IMAGE) +
		    times(p, counts, UNIT_SECOND);
	}
	return total(tokens, dearest_factor(p), fees);
}

/* A decimal number being read: digits × 10^exp. */
struct decimal {
	uint64_t digits; /* without zeros at the end */
	int64_t zeros;	 /* that followed the last other digit */
	int64_t after;	 /* digits after the point */
	int64_t exp;
};

/* Take the digits at p; false when there is none or there are too many. */
static bool
read_digits(struct decimal *d, const char **p, const char *end, bool fraction)
{
	const char *start = *p;
	int significant = 0;
	uint64_t n;

	for (n = d->digits; n != 0; n /= 10)
		significant++;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		d->after += fraction;
		if (**p == '0') {
			d->zeros += d->digits != 0;
			continue;
		}
		if (d->digits != 0)
			significant += (int)(d->zeros < DIGITS_MAX ?
			    d->zeros : DIGITS_MAX);
		if (++significant > DIGITS_MAX)
			return false;
		for (; d->zeros > 0; d->zeros--)
			d->digits *= 10;
		d->digits = d->digits * 10 + (uint64_t)(**p - '0');
	}
	return *p > start;
}

/* The exponent behind 'e', kept small: what it says beyond is the same. */
static bool
read_exponent(struct decimal *d, const char **p, const char *end)
{
	bool negative = false;
	const char *start;

	if (*p < end && (**p == '+' || **p == '-'))
		negative = *(*p)++ == '-';
	for (start = *p; *p < end && **p >= '0' && **p <= '9'; (*p)++)
		if (d->exp < EXPONENT_MAX)
			d->exp = d->exp * 10 + (**p - '0');
	if (negative)
		d->exp = -d->exp;
	return *p > start;
}

static bool
parse(const char *text, size_t len, uint64_t most, int64_t *nano)
{
	struct decimal d = { 0 };
	const char *p = text, *end = text + len;
	int64_t exp;

	if (!read_digits(&d, &p, end, false))
		return false;
	if (p < end && *p == '.') {
		p++;
		if (!read_digits(&d, &p, end, true))
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (!read_exponent(&d, &p, end))
			return false;
	}
	if (p != end)
		return false;
	exp = d.exp + d.zeros - d.after + DECIMALS;
	if (d.digits == 0)
		exp = 0;
	if (exp < 0)
		return false;
	for (; exp > 0 && d.digits <= most; exp--)
		d.digits *= 10;
	if (d.digits > most)
		return false;
	*nano = (int64_t)d.digits;
	return true;
}

bool
price_parse(const char *text, size_t len, int64_t *nano)
{
	return parse(text, len, PRICE_MAX, nano);
}

bool
money_parse(const char *text, size_t len, int64_t *nano)
{
	return parse(text, len, MONEY_MAX, nano);
}

static void
raise_rates(int64_t *rate, size_t n, unsigned percent)
{
	unsigned __int128 v;
	size_t i;

	for (i = 0; i < n; i++) {
		if (rate[i] < 0)
			continue; /* falls back to one that is raised */
		v = (unsigned __int128)(uint64_t)rate[i] * (100 + percent);
		v = (v + 99) / 100;
		rate[i] = v > PRICE_MAX ? PRICE_MAX : (int64_t)v;
	}
}

void
price_raise(struct price *p, unsigned percent)
{
	unsigned i;

	raise_rates(p->rate, UNIT_COUNT, percent);
	for (i = 0; i < p->tiers && i < PRICE_TIERS; i++)
		raise_rates(p->tier[i].rate, UNIT_PER_MILLION, percent);
}

void
price_format(int64_t nano, char *out, size_t size)
{
	char text[DECIMAL_SIZE];
	size_t len = decimal(text, nano, DECIMALS);

	if (size == 0)
		return;
	if (len >= size)
		len = size - 1;
	memcpy(out, text, len);
	out[len] = '\0';
}
