/*
 * plan_make under random policies, facts and health: never a deployment that
 * a filter forbids, equal plans from equal inputs, nobody without a place or a
 * reason. And the strategies in figures: shares, prices counted another way,
 * changes that are followed, requests that stay where they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/arena.h"
#include "app/base/draw.h"
#include "app/base/limits.h"
#include "policy/load.h"
#include "policy/route.h"

#define LEN(x) (sizeof(x) / sizeof(x)[0])
#define PROVIDERS 6
#define MODELS 4
#define POOL 12 /* deployments that lists choose from */
#define PLANS 20000
#define NOW 1000

struct world {
	struct policy *policy;
	struct arena *arena; /* of one plan */
	uint64_t draw;	     /* what the next random thing is made from */
	struct deployment pool[POOL];
	struct standing health[POOL];
	struct vkey key;
	struct route_facts facts;
	const char *more[2];
	int64_t tokens;
};

static const char *const names[MODELS] = { "m0", "m1", "m2", "m3" };
static const char *const regions[] = { "", "eu", "eu-west-1", "eu-west-2",
	"us-east-1", "europe-west4" };
static const char *const demands[] = { "", "", "", "", "", "eu", "us",
	"eu-west" };

static uint64_t
below(struct world *w, uint64_t n)
{
	return draw_next(&w->draw) % n;
}

static bool
chance(struct world *w, unsigned percent)
{
	return below(w, 100) < percent;
}

/* ---- a random world ---- */

static void
make_price(struct world *w, struct price *p)
{
	unsigned i;

	price_init(p);
	p->known = chance(w, 85);
	p->rate[UNIT_INPUT] = (int64_t)below(w, 20) * 250000000;
	p->rate[UNIT_OUTPUT] = (int64_t)below(w, 20) * 1000000000;
	if (chance(w, 50))
		p->rate[UNIT_CACHED_INPUT] = p->rate[UNIT_INPUT] / 10;
	if (chance(w, 30))
		p->rate[UNIT_REQUEST] = (int64_t)below(w, 5) * 1000000;
	p->tiers = (unsigned)below(w, 3);
	for (i = 0; i < p->tiers; i++) {
		p->tier[i].above = (i + 1) * 100000;
		p->tier[i].rate[UNIT_INPUT] = p->rate[UNIT_INPUT] * (i + 2);
		if (chance(w, 50))
			p->tier[i].rate[UNIT_OUTPUT] =
			    p->rate[UNIT_OUTPUT] * 2;
	}
}

static void
make_pool(struct world *w)
{
	static const char *const tasks[] = { "triage", "other" };
	static const char *const ids[POOL] = { "p0/a", "p1/a", "p2/a",
		"p3/a", "p4/a", "p5/a", "p0/b", "p1/b", "p2/b", "p3/b",
		"p4/b", "p5/b" };
	struct task_score *scores;
	struct deployment *d;
	size_t i;

	for (i = 0; i < POOL; i++) {
		d = &w->pool[i];
		memset(d, 0, sizeof *d);
		d->id = ids[i];
		d->model = ids[i] + 3;
		d->provider = &w->policy->providers[i % PROVIDERS];
		d->weight = (unsigned)below(w, 20) + 1;
		make_price(w, &d->price);
		d->context = chance(w, 30) ? 0 :
			1000u << below(w, 8);
		d->max_output = chance(w, 50) ? 0 : 300;
		d->caps = chance(w, 30) ? 0 : (unsigned)below(w, 16);
		scores = arena_alloc(w->policy->arena, sizeof *scores);
		scores->task = tasks[below(w, 2)];
		scores->value = (double)below(w, 100);
		d->scores = scores;
		d->score_count = chance(w, 70);
	}
}

static void
make_list(struct world *w, struct deployment **list, size_t *count,
    size_t least)
{
	size_t n = least + below(w, 4), start = below(w, POOL), i;

	*list = arena_alloc(w->policy->arena, n * sizeof **list);
	for (i = 0; i < n; i++)
		(*list)[i] = w->pool[(start + 5 * i) % POOL];
	*count = n;
}

static void
make_model(struct world *w, struct model *m, const char *name)
{
	static const struct demand demand = { "triage", 40, true };
	int kind;

	memset(m, 0, sizeof *m);
	m->name = name;
	m->strategy = (enum strategy)below(w, STRATEGY_RACE + 1);
	m->sticky = (enum sticky)below(w, STICKY_SESSION + 1);
	m->attempts = 3;
	make_list(w, &m->targets, &m->target_count, 1);
	for (kind = 0; kind < FALLBACK_KINDS; kind++)
		if (chance(w, 40))
			make_list(w, &m->fallbacks[kind].list,
			    &m->fallbacks[kind].count, 0);
	if (chance(w, 10)) {
		m->require.demands = &demand;
		m->require.demand_count = 1;
	}
	m->require.context = chance(w, 10) ? 8000 : 0;
	m->require.caps = chance(w, 10) ? CAP_TOOLS : 0;
	m->require.any_context = chance(w, 10);
	m->require.any_caps = chance(w, 10);
	m->hedge.tools = chance(w, 50);
	m->hedge.money = chance(w, 50);
}

static void
make_policy(struct world *w)
{
	static const char *const ids[PROVIDERS] = { "p0", "p1", "p2", "p3",
		"p4", "p5" };
	struct provider *providers;
	struct model *models;
	size_t i;

	w->policy = policy_new();
	assert_non_null(w->policy);
	providers = arena_zalloc(w->policy->arena,
	    PROVIDERS * sizeof *providers);
	models = arena_zalloc(w->policy->arena, MODELS * sizeof *models);
	for (i = 0; i < PROVIDERS; i++) {
		providers[i].name = ids[i];
		providers[i].region = regions[below(w, LEN(regions))];
		providers[i].retention = chance(w, 50) ? "none" : "30 days";
	}
	w->policy->providers = providers;
	w->policy->provider_count = PROVIDERS;
	make_pool(w);
	for (i = 0; i < MODELS; i++)
		make_model(w, &models[i], names[i]);
	w->policy->models = models;
	w->policy->model_count = MODELS;
	assert_true(policy_index_names(w->policy));
	assert_true(policy_index_targets(w->policy));
}

static void
make_health(struct world *w)
{
	struct standing *s;
	unsigned ill = (unsigned)below(w, 100);
	size_t i;

	for (i = 0; i < POOL; i++) {
		s = &w->health[i];
		memset(s, 0, sizeof *s);
		s->success = 1000;
		if (chance(w, ill))
			s->cooling = (int64_t)below(w, 2 * NOW);
		s->probing = chance(w, ill / 8);
		s->capped = chance(w, ill / 8);
		s->in_flight = (unsigned)below(w, 10);
		s->ttft = chance(w, 70) ? (int64_t)below(w, 1000) : 0;
		s->p90 = chance(w, 50) ? (int64_t)below(w, 1000) : 0;
		s->p50 = s->p90 / 2;
	}
}

static int64_t
tell_tokens(void *arg)
{
	return ((struct world *)arg)->tokens;
}

static const struct facts_calls calls = { .input_tokens = tell_tokens };

static void
make_facts(struct world *w)
{
	static const char *const users[] = { "", "ann", "bob" };
	struct route_facts *f = &w->facts;

	memset(&w->key, 0, sizeof w->key);
	w->key.name = "k";
	w->key.user = w->key.team = w->key.tier = "";
	w->key.region = demands[below(w, LEN(demands))];
	w->key.no_retention = chance(w, 5);
	memset(f, 0, sizeof *f);
	f->key = &w->key;
	f->model = chance(w, 90) ? names[below(w, MODELS)] :
		w->pool[below(w, POOL)].id;
	w->more[0] = names[below(w, MODELS)];
	w->more[1] = w->pool[below(w, POOL)].id;
	f->more = w->more;
	f->more_count = chance(w, 30) ? 1 + below(w, 2) : 0;
	f->endpoint = "chat";
	f->tools = chance(w, 30);
	f->needs = (unsigned)(below(w, 16) & below(w, 16) & below(w, 16));
	f->max_output = chance(w, 50) ? (int64_t)below(w, 2000) : 0;
	f->user = users[below(w, 3)];
	f->session = users[below(w, 3)];
	f->region = demands[below(w, LEN(demands))];
	f->no_retention = chance(w, 10);
	f->left = chance(w, 70) ? INT64_MAX : (int64_t)below(w, 1000);
	f->draw = draw_next(&w->draw);
	f->calls = &calls;
	f->arg = w;
	w->tokens = (int64_t)1 << below(w, 18);
}

static size_t
index_of(const struct world *w, const struct deployment *d)
{
	size_t i;

	for (i = 0; i < POOL; i++)
		if (strcmp(w->pool[i].id, d->id) == 0)
			return i;
	fail_msg("%s is of nobody", d->id);
	return 0;
}

static void
look(void *arg, const struct deployment *d, struct standing *out)
{
	const struct world *w = arg;

	*out = w->health[index_of(w, d)];
}

static int64_t
expected_output(void *arg, const char *model)
{
	(void)arg;
	return strcmp(model, "m0") == 0 ? 0 : 40 * (model[1] - '0');
}

static unsigned
cached_share(void *arg, const struct deployment *d)
{
	return (unsigned)(index_of(arg, d) * 90);
}

static enum err
make_plan(struct world *w, struct plan *out)
{
	const struct route_view view = { .look = look, .arg = w, .now = NOW,
		.expected_output = expected_output,
		.cached_share = cached_share };
	struct fault f;

	memset(out, 0, sizeof *out);
	return plan_make(w->policy, &w->facts, &view, w->arena, out, &f);
}

/* ---- what must hold, said in another way ---- */

/* Is the region of a provider in what is demanded: the names used here. */
static bool
in_region(const char *have, const char *demand)
{
	static const char *const pairs[] = { "eu:eu", "eu:eu-west-1",
		"eu:europe-west4", "us:us-east-1", "eu-west:eu-west-1",
		"eu-west:eu-west-2" };
	char both[64];
	size_t i;

	snprintf(both, sizeof both, "%s:%s", demand, have);
	for (i = 0; i < LEN(pairs); i++)
		if (strcmp(pairs[i], both) == 0)
			return true;
	return demand[0] == '\0';
}

/* The model whose list a candidate comes from demands these; NULL: none. */
static const struct model *
model_of(const struct world *w, const struct candidate *c)
{
	size_t i, k;

	for (i = 0; i < MODELS; i++) {
		const struct model *m = &w->policy->models[i];

		for (k = 0; k < m->target_count; k++)
			if (&m->targets[k] == c->deployment)
				return m;
		for (k = 0; k < m->fallbacks[c->kind].count; k++)
			if (&m->fallbacks[c->kind].list[k] == c->deployment)
				return m;
	}
	return NULL;
}

/* May the request go there at all? */
static bool
may(const struct world *w, const struct candidate *c)
{
	const struct deployment *d = c->deployment;
	const struct provider *p = d->provider;
	const struct model *m = model_of(w, c);
	unsigned needs = 0;

	if (!in_region(p->region, w->key.region) ||
	    !in_region(p->region, w->facts.region))
		return false;
	if ((w->key.no_retention || w->facts.no_retention) &&
	    strcmp(p->retention, "none") != 0)
		return false;
	if (m == NULL)
		return true;
	if (m->require.demand_count > 0 && (d->score_count == 0 ||
	    strcmp(d->scores[0].task, "triage") != 0 ||
	    d->scores[0].value < 40))
		return false;
	if (!m->require.any_caps)
		needs = w->facts.needs & ~(unsigned)CAP_STRUCTURED;
	needs |= m->require.caps;
	return (d->caps == 0 || (needs & d->caps) == needs) &&
	    d->context >= m->require.context;
}

static bool
fits(const struct world *w, const struct candidate *c)
{
	const struct model *m = model_of(w, c);

	return m == NULL || m->require.any_context ||
	    m->require.context > 0 || c->deployment->context == 0 ||
	    w->tokens <= c->deployment->context * 1.25;
}

static bool
is_well(const struct world *w, const struct candidate *c)
{
	const struct standing *s = &w->health[index_of(w, c->deployment)];

	return s->cooling <= NOW && !s->probing &&
	    !(s->p90 > 0 && s->p90 > w->facts.left);
}

static bool
is_capped(const struct world *w, const struct candidate *c)
{
	return w->health[index_of(w, c->deployment)].capped;
}

/* How often a deployment stands in the list of its kind. */
static size_t
places(const struct plan *p, const struct candidate *c)
{
	const struct deployment **list = p->instead[c->kind];
	size_t n = p->instead_count[c->kind], i, found = 0;

	/* The list for what is too long is the order where all is so. */
	if (c->kind == FALLBACK_GENERAL ||
	    (c->kind == FALLBACK_CONTEXT && n == 0)) {
		list = p->order;
		n = p->count;
	}
	for (i = 0; i < n; i++)
		found += list[i] == c->deployment;
	return found;
}

static size_t
total(const struct plan *p)
{
	return p->count + p->instead_count[FALLBACK_CONTEXT] +
	    p->instead_count[FALLBACK_CONTENT];
}

/* Does its model demand too much of it (also of the largest, put back)? */
static bool
minds(const struct world *w, const struct candidate *c)
{
	return c->out == OUT_SCORE || c->out == OUT_CAPABILITY ||
	    c->out == OUT_CONTEXT ||
	    ((c->out == OUT_NOT || c->out >= OUT_CAPPED) && !fits(w, c));
}

static void
check_candidate(const struct world *w, const struct plan *p, size_t i)
{
	const struct candidate *c = &p->all[i];
	bool alone = p->count == 1 && p->order[0] == c->deployment, twice;
	size_t k;

	/* A model that is named twice has its targets twice. */
	if (c->out != OUT_TWICE && c->out != OUT_CONTEXT)
		assert_int_equal(places(p, c), c->out == OUT_NOT);
	for (k = 0, twice = false; k < i; k++)
		twice |= p->all[k].kind == c->kind &&
		    !minds(w, &p->all[k]) &&
		    strcmp(p->all[k].deployment->id, c->deployment->id) == 0;
	assert_int_equal(c->out == OUT_TWICE, twice);
	if (c->out != OUT_NOT)
		return;
	assert_true(may(w, c));
	assert_false(is_capped(w, c));
	assert_true(fits(w, c) || alone);
	assert_true(is_well(w, c) || alone);
}

static void
check_plan(const struct world *w, enum err e, const struct plan *p)
{
	size_t i, in = 0, could = 0;

	for (i = 0; i < p->all_count; i++) {
		const struct candidate *c = &p->all[i];

		check_candidate(w, p, i);
		in += c->out == OUT_NOT;
		could += c->kind == FALLBACK_GENERAL && may(w, c) &&
		    fits(w, c) && is_well(w, c) && !is_capped(w, c);
	}
	assert_int_equal(in, total(p));
	/* Nobody is refused while one may, can and is well. */
	assert_true(could == 0 || (e == ERR_OK && !p->cooled));
	assert_true(p->count == 0 || e == ERR_OK);
	assert_true(p->hedge == NULL || p->count > 1);
}

/* The same plan again: the same, to the last place. */
static void
check_stable(struct world *w, enum err e, const struct plan *p)
{
	struct plan again;
	size_t i;

	assert_int_equal(make_plan(w, &again), e);
	assert_int_equal(again.count, p->count);
	assert_int_equal(again.all_count, p->all_count);
	assert_int_equal(again.cooled, p->cooled);
	for (i = 0; i < p->count; i++)
		assert_string_equal(again.order[i]->id, p->order[i]->id);
	for (i = 0; i < p->all_count; i++)
		assert_int_equal(again.all[i].out, p->all[i].out);
}

/* Another draw changes the order and never who is in it. */
static void
check_draw(struct world *w, const struct plan *p)
{
	struct plan other;
	size_t i, k, found;

	w->facts.draw = draw_next(&w->draw);
	make_plan(w, &other);
	assert_int_equal(other.count, p->count);
	for (i = 0; i < p->count; i++) {
		for (k = 0, found = 0; k < other.count; k++)
			found += other.order[k] == p->order[i] ||
			    strcmp(other.order[k]->id, p->order[i]->id) == 0;
		assert_int_equal(found, 1);
	}
}

static void
test_properties(void **state)
{
	struct world *w = *state;
	size_t refused = 0, cooled = 0, i;
	struct plan p;
	enum err e;

	w->policy = NULL;
	for (i = 0; i < PLANS; i++) {
		w->draw = i;
		if (i % 20 == 0) {
			policy_unref(w->policy);
			make_policy(w);
		}
		make_health(w);
		make_facts(w);
		e = make_plan(w, &p);
		assert_true(e == ERR_OK || e == ERR_NO_ROUTE);
		check_plan(w, e, &p);
		check_stable(w, e, &p);
		check_draw(w, &p);
		refused += e != ERR_OK;
		cooled += p.cooled;
		arena_reset(w->arena);
	}
	policy_unref(w->policy);
	assert_in_range(refused, PLANS / 100, PLANS / 2);
	assert_in_range(cooled, PLANS / 100, PLANS / 2);
	print_message("%d random plans: %zu refused, %zu of what rests\n",
	    PLANS, refused, cooled);
}

/* ---- strategies ---- */

/* One model "m1" of these targets, nothing else, all well. */
static void
make_simple(struct world *w, enum strategy strategy, size_t targets)
{
	struct model *m;
	size_t i;

	w->draw = 1;
	make_policy(w);
	for (i = 0; i < POOL; i++) {
		w->pool[i].caps = w->pool[i].context = 0;
		w->pool[i].weight = 1;
	}
	m = &w->policy->models[1];
	memset(m, 0, sizeof *m);
	m->name = names[1];
	m->strategy = strategy;
	m->targets = w->pool;
	m->target_count = targets;
	memset(w->health, 0, sizeof w->health);
	memset(&w->facts, 0, sizeof w->facts);
	memset(&w->key, 0, sizeof w->key);
	w->key.name = "k";
	w->facts.key = &w->key;
	w->facts.model = names[1];
	w->facts.left = INT64_MAX;
	w->facts.calls = &calls;
	w->facts.arg = w;
	w->tokens = 100;
}

/* The first of a plan with this draw. */
static size_t
first(struct world *w, uint64_t draw)
{
	struct plan p;

	w->facts.draw = draw;
	assert_int_equal(make_plan(w, &p), ERR_OK);
	assert_true(p.count > 0);
	draw = index_of(w, p.order[0]);
	arena_reset(w->arena);
	return draw;
}

static void
test_weighted(void **state)
{
	static const unsigned weights[] = { 50, 25, 12, 8, 4, 1 };
	enum { N = 10000 };
	struct world *w = *state;
	double share, d, worst = 0;
	int count[LEN(weights)] = { 0 }, i;
	size_t k;

	make_simple(w, STRATEGY_WEIGHTED, LEN(weights));
	for (k = 0; k < LEN(weights); k++)
		w->pool[k].weight = weights[k];
	for (i = 0; i < N; i++)
		count[first(w, (uint64_t)i)]++;
	for (k = 0; k < LEN(weights); k++) {
		share = weights[k] / 100.0;
		d = count[k] - N * share;
		d = d * d / (N * share * (1 - share));
		worst = d > worst ? d : worst;
	}
	policy_unref(w->policy);
	assert_true(worst < 9);
	print_message("weighted: %d requests, shares within %.2f sigma "
	    "squared (bound 9)\n", N, worst);
}

/*
 * What a request costs, in 10^-6 n$: one sum for each kind, rates looked up
 * by hand.
 */
static int64_t
naive_cost(const struct price *p, int64_t in, int64_t cached, int64_t out)
{
	int64_t ri = p->rate[UNIT_INPUT], ro = p->rate[UNIT_OUTPUT];
	int64_t rc = p->rate[UNIT_CACHED_INPUT], sum;
	unsigned i;

	for (i = 0; i < p->tiers; i++) {
		if (in + cached <= p->tier[i].above)
			continue;
		ri = p->tier[i].rate[UNIT_INPUT];
		ro = p->tier[i].rate[UNIT_OUTPUT] == PRICE_UNSET ?
			p->rate[UNIT_OUTPUT] : p->tier[i].rate[UNIT_OUTPUT];
	}
	rc = rc == PRICE_UNSET ? ri : rc;
	sum = in * ri + cached * rc + out * ro;
	sum = sum / 1000000 + (sum % 1000000 > 0);
	return sum + (p->rate[UNIT_REQUEST] > 0 ? p->rate[UNIT_REQUEST] : 0);
}

/* Each deployment counts another number of tokens. */
static int64_t
tell_tokens_at(void *arg, const struct deployment *d)
{
	struct world *w = arg;

	return w->tokens + 1000 * (int64_t)index_of(w, d);
}

static const struct facts_calls calls_at = { .input_tokens = tell_tokens,
	.input_tokens_at = tell_tokens_at };

/* What is expected at target k, n$, or -1. */
static int64_t
naive_price(struct world *w, size_t k)
{
	const struct deployment *d = &w->pool[k];
	int64_t cached, out = 40; /* as expected_output tells of m1 */
	int64_t in = w->tokens + 1000 * (int64_t)k;

	if (!d->price.known)
		return -1;
	cached = in * (int64_t)(k * 90) / 1000;
	if (w->facts.max_output > 0 && w->facts.max_output < out)
		out = w->facts.max_output;
	if (d->max_output > 0 && d->max_output < out)
		out = d->max_output;
	return naive_cost(&d->price, in - cached, cached, out);
}

static void
test_cheapest(void **state)
{
	enum { N = 200 };
	struct world *w = *state;
	int64_t best, price;
	size_t i, k, want, got, tiered = 0;
	struct plan p;

	for (i = 0; i < N; i++) {
		make_simple(w, STRATEGY_CHEAPEST, 8);
		w->draw = i;
		for (k = 0; k < 8; k++) {
			make_price(w, &w->pool[k].price);
			w->pool[k].max_output = k % 2 == 0 ? 0 : 25;
		}
		w->facts.calls = &calls_at;
		w->tokens = (int64_t)below(w, 400000);
		w->facts.max_output = chance(w, 50) ?
			(int64_t)below(w, 80) : 0;
		want = 8;
		best = -1;
		for (k = 0; k < 8; k++) {
			price = naive_price(w, k);
			if (price >= 0 && (best < 0 || price < best)) {
				best = price;
				want = k;
			}
		}
		assert_true(want < 8);
		assert_int_equal(make_plan(w, &p), ERR_OK);
		got = index_of(w, p.order[0]);
		for (k = 0; k < 8; k++)
			assert_int_equal(p.all[k].price, naive_price(w, k));
		assert_int_equal(got, want);
		tiered += w->pool[got].price.tiers > 0 && w->tokens > 100000;
		arena_reset(w->arena);
		policy_unref(w->policy);
	}
	assert_true(tiered > 10);
	print_message("cheapest: %d of %d as counted by hand, %zu at the price"
	    " of a tier\n", N, N, tiered);
}

/*
 * Two deployments under 50 requests a second; after a while they change
 * places. Learned as health does: old values fade within two seconds.
 */
static void
test_follows(void **state)
{
	enum { RATE = 50, SECONDS = 30 };
	struct world *w = *state;
	int64_t real[3] = { 100000, 300000, 500000 };
	int i, second, after = -1, to[SECONDS] = { 0 };
	size_t k;

	make_simple(w, STRATEGY_LOWEST_LATENCY, 3);
	for (i = 0; i < RATE * SECONDS; i++) {
		second = i / RATE;
		if (i == RATE * SECONDS / 3) {
			real[0] = 500000;
			real[2] = 50000;
		}
		k = first(w, (uint64_t)i * 77);
		to[second] += k == (second < SECONDS / 3 ? 0 : 2);
		w->health[k].ttft = w->health[k].ttft == 0 ? real[k] :
			(w->health[k].ttft * 7 + real[k]) / 8;
	}
	policy_unref(w->policy);
	for (second = 0; second < SECONDS && after < 0; second++)
		if (second >= SECONDS / 3 && to[second] >= RATE * 85 / 100)
			after = second - SECONDS / 3;
	assert_true(to[SECONDS / 3 - 1] >= RATE * 85 / 100);
	assert_in_range(after, 0, 9);
	assert_true(to[SECONDS - 1] >= RATE * 85 / 100);
	print_message("lowest_latency: a change is followed after %d s\n",
	    after);
}

static void
test_least_busy(void **state)
{
	struct world *w = *state;
	size_t i, k, most = 0;

	make_simple(w, STRATEGY_LEAST_BUSY, 3);
	w->pool[0].weight = 6;
	w->pool[1].weight = 3;
	for (i = 0; i < 1000; i++)
		w->health[first(w, i)].in_flight++;
	for (k = 0; k < 3; k++)
		most = w->health[k].in_flight > most ?
			w->health[k].in_flight : most;
	/* As their weights say, to a request. */
	assert_in_range(w->health[0].in_flight, 599, 601);
	assert_in_range(w->health[1].in_flight, 299, 301);
	assert_in_range(w->health[2].in_flight, 99, 101);
	policy_unref(w->policy);
}

/* Where each of n sessions goes. */
static void
homes(struct world *w, size_t n, size_t *out)
{
	char session[32];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(session, sizeof session, "session-%zu", i);
		w->facts.session = session;
		out[i] = first(w, i * 31 + 7);
	}
}

static void
test_sticky(void **state)
{
	enum { N = 4000 };
	static size_t before[N], without[N], again[N];
	static const double share[4] = { 0.4, 0.3, 0.2, 0.1 };
	struct world *w = *state;
	int count[4] = { 0 };
	double d;
	size_t i;

	make_simple(w, STRATEGY_WEIGHTED, 4);
	w->policy->models[1].sticky = STICKY_SESSION;
	for (i = 0; i < 4; i++)
		w->pool[i].weight = 4 - (unsigned)i;
	homes(w, N, before);
	w->health[1].cooling = 2 * NOW;
	homes(w, N, without);
	w->health[1].cooling = 0;
	homes(w, N, again);
	for (i = 0; i < N; i++) {
		assert_true(before[i] == 1 || without[i] == before[i]);
		assert_int_not_equal(without[i], 1);
		assert_int_equal(again[i], before[i]);
		count[before[i]]++;
	}
	for (i = 0; i < 4; i++) {
		d = count[i] - N * share[i];
		assert_true(d * d < 16 * N * share[i] * (1 - share[i]));
	}
	policy_unref(w->policy);
}

/* By whom: the session, else the user, else the key. */
static void
test_sticky_value(void **state)
{
	struct world *w = *state;
	struct model *m;
	size_t home[4], i, moved = 0;
	char name[16];

	make_simple(w, STRATEGY_WEIGHTED, 6);
	m = &w->policy->models[1];
	m->sticky = STICKY_SESSION;
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "v%zu", i);
		w->facts.session = name;
		w->facts.user = "other";
		home[0] = first(w, i);
		w->facts.session = "";
		w->facts.user = name;
		home[1] = first(w, i + 1);
		w->facts.user = "";
		w->key.name = name;
		home[2] = first(w, i + 2);
		m->sticky = STICKY_KEY;
		w->facts.session = w->facts.user = "other";
		home[3] = first(w, i + 3);
		m->sticky = STICKY_SESSION;
		assert_int_equal(home[0], home[1]);
		assert_int_equal(home[0], home[2]);
		assert_int_equal(home[0], home[3]);
		moved += home[0] != 0;
	}
	assert_true(moved > 100);
	policy_unref(w->policy);
}

static int
setup(void **state)
{
	static struct world w;

	w.arena = arena_new(MIB(4));
	*state = &w;
	return w.arena == NULL;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	arena_free(w->arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_weighted),
		cmocka_unit_test(test_cheapest),
		cmocka_unit_test(test_follows),
		cmocka_unit_test(test_least_busy),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_sticky_value),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
