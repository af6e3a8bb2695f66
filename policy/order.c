/*
 * Strategies: in which order the deployments of a model are tried. Everything
 * random comes from the draw of the request.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/draw.h"
#include "app/base/siphash.h"
#include "policy/forecast.h"
#include "policy/route_int.h"

#define EXPLORE 50   /* per mille of requests that try what is not the best */
#define BUSY 1000000000 /* more than the square of the largest weight */

/* A candidate and what it is put in order by. */
struct ranked {
	int64_t key;
	size_t place; /* the order of those with the same key */
	struct candidate *c;
};

static int
by_rank(const void *pa, const void *pb)
{
	const struct ranked *a = pa, *b = pb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

/* By a key, least first; equal ones stay in their order. */
static void
sort(struct planning *p, struct candidate **list, size_t n,
    int64_t (*key)(const struct candidate *))
{
	struct ranked *r = arena_alloc(p->arena, n * sizeof *r);
	size_t i;

	if (r == NULL)
		return; /* the order of the policy will do */
	for (i = 0; i < n; i++) {
		r[i].key = key(list[i]);
		r[i].place = i;
		r[i].c = list[i];
	}
	qsort(r, n, sizeof *r, by_rank);
	for (i = 0; i < n; i++)
		list[i] = r[i].c;
}

/* Bring list[i] to the front; the others keep their order. */
static void
bring_first(struct candidate **list, size_t i)
{
	struct candidate *c = list[i];

	memmove(list + 1, list, i * sizeof(struct candidate *));
	list[0] = c;
}

static void
order_given(struct planning *p, struct candidate **list, size_t n)
{
	(void)p;
	(void)list;
	(void)n;
}

/* Each place goes to one of the rest with a chance as its weight. */
static void
order_weighted(struct planning *p, struct candidate **list, size_t n)
{
	uint64_t sum = 0, pick;
	size_t i, j;

	for (i = 0; i < n; i++)
		sum += list[i]->deployment->weight;
	for (i = 0; i + 1 < n; i++) {
		pick = sum == 0 ? 0 : draw_next(&p->draw) % sum;
		for (j = i; j + 1 < n; j++) {
			if (pick < list[j]->deployment->weight)
				break;
			pick -= list[j]->deployment->weight;
		}
		sum -= list[j]->deployment->weight;
		bring_first(list + i, j - i);
	}
}

static int64_t
busy_key(const struct candidate *c)
{
	unsigned weight = c->deployment->weight;

	return (int64_t)c->standing.in_flight * BUSY /
	    (weight > 0 ? weight : 1);
}

static void
order_least_busy(struct planning *p, struct candidate **list, size_t n)
{
	order_weighted(p, list, n);
	sort(p, list, n, busy_key);
}

static int64_t
latency_key(const struct candidate *c)
{
	return c->standing.ttft > 0 ? c->standing.ttft : INT64_MAX;
}

/*
 * The fastest first. What nobody asks is never known to have become faster:
 * a small share of requests goes to another one, to one of which nothing is
 * known before all others.
 */
static void
order_lowest_latency(struct planning *p, struct candidate **list, size_t n)
{
	size_t known;

	order_weighted(p, list, n);
	sort(p, list, n, latency_key);
	if (n < 2 || draw_next(&p->draw) % 1000 >= EXPLORE)
		return;
	for (known = 0; known < n && list[known]->standing.ttft > 0;)
		known++;
	if (known == 0)
		return;
	if (known < n)
		bring_first(list, known);
	else
		bring_first(list, 1 + draw_next(&p->draw) % (n - 1));
}

static int64_t
price_key(const struct candidate *c)
{
	return c->price >= 0 ? c->price : INT64_MAX;
}

static void
order_cheapest(struct planning *p, struct candidate **list, size_t n)
{
	sort(p, list, n, price_key);
}

static void (*const orders[])(struct planning *, struct candidate **,
    size_t) = {
	[STRATEGY_FALLBACK] = order_given,
	[STRATEGY_WEIGHTED] = order_weighted,
	[STRATEGY_LEAST_BUSY] = order_least_busy,
	[STRATEGY_LOWEST_LATENCY] = order_lowest_latency,
	[STRATEGY_CHEAPEST] = order_cheapest,
	[STRATEGY_RACE] = order_given,
};

bool
order_wants_price(const struct model *m)
{
	return m != NULL && (m->strategy == STRATEGY_CHEAPEST ||
	    (m->strategy == STRATEGY_RACE && m->hedge.money > 0));
}

/* ---- stickiness ---- */

/* What holds requests together, or "" when that is not known. */
static const char *
sticky_value(const struct route_facts *f, enum sticky how)
{
	if (how == STICKY_SESSION && f->session != NULL &&
	    f->session[0] != '\0')
		return f->session;
	if (how >= STICKY_USER && f->user != NULL && f->user[0] != '\0')
		return f->user;
	return f->key->name;
}

/*
 * Rendezvous hashing with weights: each deployment draws a number from its
 * name and the value, the least wins. When one goes, only its own requests
 * move, and they come back with it. The same on all hosts.
 */
static double
sticky_score(const struct deployment *d, const char *value)
{
	static const uint64_t key[2] = { 0x746f6c6c67617465, 1 };
	uint64_t both[2] = { siphash(key, d->id, strlen(d->id)),
		siphash(key, value, strlen(value)) };
	uint64_t h = siphash(key, both, sizeof both);
	double u = ((double)(h >> 11) + 0.5) / 9007199254740992.0; /* 2^53 */

	return -log(u) / (d->weight > 0 ? d->weight : 1);
}

static void
stick(const struct planning *p, enum sticky how, struct candidate **list,
    size_t n)
{
	const char *value = sticky_value(p->facts, how);
	double best = INFINITY, score;
	size_t i, first = 0;

	for (i = 0; i < n; i++) {
		score = sticky_score(list[i]->deployment, value);
		/* Equal scores: by name, for a list in any order. */
		if (score < best || (score == best &&
		    strcmp(list[i]->deployment->id,
			list[first]->deployment->id) < 0)) {
			best = score;
			first = i;
		}
	}
	if (n > 0)
		bring_first(list, first);
}

void
order_group(struct planning *p, const struct group *g,
    struct candidate **list, size_t n)
{
	if (g->model == NULL || !g->targets)
		return;
	orders[g->model->strategy](p, list, n);
	if (g->model->sticky != STICKY_NOT)
		stick(p, g->model->sticky, list, n);
}
