/* Words and counters without locks. */
#include "app/health_stat.h"

#include <string.h>

#define MILLISECOND 1000
#define WINDOW INT64_C(120000000) /* µs */

/* Swap a word for one made from it, until nobody came between. */
#define CHANGE(w, old, made)                                                 \
	do                                                                   \
		(made);                                                      \
	while (!atomic_compare_exchange_weak_explicit(w, &(old), next,       \
	    memory_order_relaxed, memory_order_relaxed))

static uint64_t
get(const word *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

/* ------------------------------------------------------------- levels */

/* The word: value in the high half, ms of the last sample in the low one. */
static uint64_t
level_next(uint64_t old, uint32_t value, uint32_t at, uint32_t tau)
{
	uint32_t since = at - (uint32_t)old;
	double have = (double)(uint32_t)(old >> 32), part;

	if (have == 0)
		return (uint64_t)value << 32 | at;
	if (since > INT32_MAX) /* another process was a little faster */
		since = 0;
	part = (double)since / ((double)since + tau);
	if (part > 0.5)
		part = 0.5;
	have += ((double)value - have) * part;
	return (uint64_t)(uint32_t)(have + 0.5) << 32 | at;
}

void
level_add(word *w, int64_t value, int64_t now, int64_t tau)
{
	uint64_t old = get(w), next;
	uint32_t v = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;

	if (value <= 0)
		return;
	CHANGE(w, old, next = level_next(old, v,
	    (uint32_t)(now / MILLISECOND), (uint32_t)(tau / MILLISECOND)));
}

int64_t
level_read(const word *w, int64_t now, int64_t old)
{
	uint64_t have = get(w);
	uint32_t since = (uint32_t)(now / MILLISECOND) - (uint32_t)have;

	if (since > INT32_MAX)
		since = 0;
	return (int64_t)since * MILLISECOND > old ? 0 : (int64_t)(have >> 32);
}

/* -------------------------------------------------------------- rings */

/* The word: 24 bits of period, 20 of the one count, 20 of the other. */
#define PERIODS 0xffffffU
#define COUNT_MAX 0xfffffU

static uint32_t
period(int64_t now, int64_t len)
{
	return (uint32_t)(now / len) & PERIODS;
}

static uint64_t
count_word(uint32_t p, struct counts c)
{
	if (c.all > COUNT_MAX)
		c.all = COUNT_MAX;
	if (c.also > COUNT_MAX)
		c.also = COUNT_MAX;
	return (uint64_t)p << 40 | c.all << 20 | c.also;
}

static struct counts
counts_of(uint64_t w, uint32_t p)
{
	struct counts c = { 0, 0 };

	if (w >> 40 == p)
		c = (struct counts){ w >> 20 & COUNT_MAX, w & COUNT_MAX };
	return c;
}

static uint64_t
counted(uint64_t w, uint32_t p, uint64_t all, uint64_t also)
{
	struct counts c = counts_of(w, p);

	c.all += all;
	c.also += also;
	return count_word(p, c);
}

void
ring_count(word *ring, unsigned n, int64_t len, int64_t now, bool also)
{
	uint32_t p = period(now, len);
	word *w = &ring[p % n];
	uint64_t old = get(w), next;

	CHANGE(w, old, next = counted(old, p, 1, also ? 1 : 0));
}

struct counts
ring_read(const word *ring, unsigned n, int64_t len, int64_t now)
{
	struct counts sum = { 0, 0 }, c;
	uint32_t p = period(now, len), q;
	unsigned i;

	for (i = 0; i < n && i <= p; i++) {
		q = p - i;
		c = counts_of(get(&ring[q % n]), q);
		sum.all += c.all;
		sum.also += c.also;
	}
	return sum;
}

bool
ring_within(word *ring, unsigned n, int64_t len, int64_t now,
    unsigned percent)
{
	uint32_t p = period(now, len);
	word *w = &ring[p % n];
	uint64_t old = get(w), next;
	struct counts sum;

	do {
		sum = ring_read(ring, n, len, now);
		if ((sum.also + 1) * 100 > (sum.all + 1) * percent)
			return false;
		next = counted(old, p, 0, 1);
	} while (!atomic_compare_exchange_weak_explicit(w, &old, next,
	    memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* The word: 20 bits of period, 44 of the sum. */
#define SUM_PERIODS 0xfffffU
#define SUM_MAX ((INT64_C(1) << 44) - 1)

static int64_t
sum_of(uint64_t w, uint32_t p)
{
	return w >> 44 == p ? (int64_t)(w & SUM_MAX) : 0;
}

bool
sum_room(const word *ring, unsigned n, int64_t len, int64_t now,
    int64_t amount, int64_t most)
{
	uint32_t p = (uint32_t)(now / len) & SUM_PERIODS;
	int64_t sum = 0;
	unsigned i;

	for (i = 0; i < n && i <= p; i++)
		sum += sum_of(get(&ring[(p - i) % n]), p - i);
	return amount >= 0 && most >= sum && amount <= most - sum &&
	    amount <= SUM_MAX - sum_of(get(&ring[p % n]), p);
}

bool
sum_within(word *ring, unsigned n, int64_t len, int64_t now, int64_t amount,
    int64_t most)
{
	uint32_t p = (uint32_t)(now / len) & SUM_PERIODS;
	word *w = &ring[p % n];
	uint64_t old = get(w), next;

	do {
		if (!sum_room(ring, n, len, now, amount, most))
			return false;
		next = (uint64_t)p << 44 | (uint64_t)(sum_of(old, p) + amount);
	} while (!atomic_compare_exchange_weak_explicit(w, &old, next,
	    memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* -------------------------------------------------------------- means */

/* The word: 40 bits of 256ths, 24 of the number of values. */
#define MEAN_OF 32
#define MEAN_MAX ((INT64_C(1) << 31) - 1)

static uint64_t
mean_next(uint64_t old, int64_t value)
{
	int64_t mean = (int64_t)(old >> 24), n = (int64_t)(old & 0xffffff);

	if (n < MEAN_OF)
		n++;
	else
		n = MEAN_OF;
	mean += (value * 256 - mean) / n;
	return (uint64_t)mean << 24 | (uint64_t)n;
}

void
mean_add(word *w, int64_t value)
{
	uint64_t old = get(w), next;

	if (value <= 0)
		return;
	if (value > MEAN_MAX)
		value = MEAN_MAX;
	CHANGE(w, old, next = mean_next(old, value));
}

int64_t
mean_read(const word *w)
{
	return (int64_t)(get(w) >> 24) / 256;
}

/* The word: 32 bits of all, 32 of the part, in sixteenths of what is given. */
#define SHARE_UNIT 16
#define SHARE_OF (UINT32_C(1) << 16) /* about a million tokens */

static uint64_t
share_next(uint64_t old, uint64_t all, uint64_t part)
{
	all += old >> 32;
	part += old & UINT32_MAX;
	while (all > SHARE_OF) {
		all /= 2;
		part /= 2;
	}
	return all << 32 | (part < all ? part : all);
}

void
share_add(word *w, int64_t all, int64_t part)
{
	uint64_t old = get(w), next;

	if (all <= 0 || part < 0)
		return;
	all = (all - 1) / SHARE_UNIT + 1;
	part = part == 0 ? 0 : (part - 1) / SHARE_UNIT + 1;
	CHANGE(w, old, next = share_next(old, (uint64_t)all, (uint64_t)part));
}

unsigned
share_read(const word *w)
{
	uint64_t have = get(w), all = have >> 32, part = have & UINT32_MAX;

	if (all == 0)
		return 0;
	return (unsigned)((part < all ? part : all) * 1000 / all);
}

/* ------------------------------------------------------------ spreads */

/*
 * Units of 1,024 µs: below eight, one a bucket; then eight buckets for each
 * power of two.
 */
#define UNIT_BITS 10
#define UNITS_MAX ((UINT32_C(1) << 20) - 1)

static unsigned
bucket(int64_t us)
{
	int64_t units = us >> UNIT_BITS;
	uint32_t v = units > UNITS_MAX ? UNITS_MAX : (uint32_t)units;
	unsigned e;

	if (v < 8)
		return v;
	e = 31 - (unsigned)__builtin_clz(v);
	return (e - 2) * 8 + (v >> (e - 3) & 7);
}

/* Where a bucket begins, and (i + 1) where it ends, µs. */
static int64_t
edge(unsigned i)
{
	if (i < 8)
		return (int64_t)i << UNIT_BITS;
	return (int64_t)(8 + i % 8) << (i / 8 - 1) << UNIT_BITS;
}

static uint32_t
epoch_of(int64_t now)
{
	return (uint32_t)(now / WINDOW) + 1; /* 0 is a window never used */
}

void
spread_add(struct spread *s, int64_t us, int64_t now)
{
	uint32_t epoch = epoch_of(now), old;
	unsigned w = epoch % SPREAD_WINDOWS, i;

	if (us < 0)
		return;
	old = atomic_load_explicit(&s->window[w].epoch, memory_order_relaxed);
	/* Who opens the window anew empties it; a few samples may be lost. */
	if (old != epoch && atomic_compare_exchange_strong_explicit(
	    &s->window[w].epoch, &old, epoch, memory_order_relaxed,
	    memory_order_relaxed))
		for (i = 0; i < SPREAD_BUCKETS; i++)
			atomic_store_explicit(&s->window[w].count[i], 0,
			    memory_order_relaxed);
	atomic_fetch_add_explicit(&s->window[w].count[bucket(us)], 1,
	    memory_order_relaxed);
}

/* All windows in one, the older the less; the number of samples. */
static uint64_t
merge(const struct spread *s, int64_t now, uint64_t sum[SPREAD_BUCKETS])
{
	uint32_t epoch = epoch_of(now), have, age;
	uint64_t samples = 0, n;
	unsigned w, i;

	memset(sum, 0, SPREAD_BUCKETS * sizeof *sum);
	for (w = 0; w < SPREAD_WINDOWS; w++) {
		have = atomic_load_explicit(&s->window[w].epoch,
		    memory_order_relaxed);
		age = epoch - have;
		if (have == 0 || age >= SPREAD_WINDOWS)
			continue;
		for (i = 0; i < SPREAD_BUCKETS; i++) {
			n = atomic_load_explicit(&s->window[w].count[i],
			    memory_order_relaxed);
			samples += n;
			sum[i] += n << (SPREAD_WINDOWS - 1 - age);
		}
	}
	return samples;
}

void
spread_read(const struct spread *s, int64_t now, const unsigned *percent,
    int64_t *out, unsigned n)
{
	uint64_t sum[SPREAD_BUCKETS], total = 0, below = 0, want;
	unsigned i, k = 0;

	memset(out, 0, n * sizeof *out);
	if (merge(s, now, sum) < SPREAD_LEAST)
		return;
	for (i = 0; i < SPREAD_BUCKETS; i++)
		total += sum[i];
	for (i = 0; i < SPREAD_BUCKETS && k < n; i++) {
		want = (total * percent[k] + 99) / 100;
		while (k < n && below + sum[i] >= want) {
			out[k++] = edge(i) + (edge(i + 1) - edge(i)) *
			    (int64_t)(want - below) / (int64_t)sum[i];
			if (k < n)
				want = (total * percent[k] + 99) / 100;
		}
		below += sum[i];
	}
}
