/*
 * The loaded policy: its life and its look-ups. Nothing is read or checked
 * here; everything was when it was made.
 */
#include "policy/policy.h"

#include <assert.h>
#include <math.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "policy/load.h"
#include "policy/vault.h"

#define MAGIC 0x706f6c31u

/* A thing that ends with the policy. */
struct owned {
	struct owned *next;
	void *thing;
	void (*end)(void *thing);
};

/* What a policy is inside: it lives in its own vault, pepper and all. */
struct own {
	struct policy p; /* first: the two are one address */
	unsigned magic;
	struct vault *vault;
	struct owned *things;
	const struct model **models;	   /* by name */
	const struct provider **providers; /* by name */
	const struct deployment **targets; /* by id */
	size_t target_count;
};

static struct own *
own_of(const struct policy *p)
{
	struct own *o = (struct own *)(uintptr_t)p;

	assert(o->magic == MAGIC);
	return o;
}

struct policy *
policy_new(void)
{
	struct vault *v = vault_new(LIMIT_POLICY_MEMORY);
	struct own *o = v != NULL ? vault_alloc(v, sizeof *o) : NULL;

	if (o == NULL)
		goto out;
	o->p.arena = arena_new(LIMIT_POLICY_MEMORY);
	if (o->p.arena == NULL)
		goto out;
	o->magic = MAGIC;
	o->vault = v;
	o->p.refs = 1;
	return &o->p;
out:
	vault_free(v);
	return NULL;
}

struct vault *
policy_vault(struct policy *p)
{
	return own_of(p)->vault;
}

bool
policy_own(struct policy *p, void *thing, void (*end)(void *thing))
{
	struct own *own = own_of(p);
	struct owned *o = arena_alloc(p->arena, sizeof *o);

	if (o == NULL) {
		end(thing);
		return false;
	}
	o->next = own->things;
	o->thing = thing;
	o->end = end;
	own->things = o;
	return true;
}

struct policy *
policy_ref(struct policy *p)
{
	assert(own_of(p)->p.refs > 0);
	p->refs++;
	return p;
}

void
policy_unref(struct policy *p)
{
	struct vault *v;
	struct owned *o;

	if (p == NULL)
		return;
	v = own_of(p)->vault;
	assert(p->refs > 0);
	if (--p->refs > 0)
		return;
	for (o = own_of(p)->things; o != NULL; o = o->next)
		o->end(o->thing);
	arena_free(p->arena);
	own_of(p)->magic = 0;
	vault_free(v); /* p lies in it */
}

static int
model_order(const void *pa, const void *pb)
{
	const struct model *const *a = pa, *const *b = pb;

	return strcmp((*a)->name, (*b)->name);
}

static int
provider_order(const void *pa, const void *pb)
{
	const struct provider *const *a = pa, *const *b = pb;

	return strcmp((*a)->name, (*b)->name);
}

/* The one with a price of its own before others: that is what it costs. */
static int
target_order(const void *pa, const void *pb)
{
	const struct deployment *const *a = pa, *const *b = pb;
	int cmp = strcmp((*a)->id, (*b)->id);

	return cmp != 0 ? cmp : (*b)->price.known - (*a)->price.known;
}

/* The lists of a model: its own targets, then its fallbacks. */
static struct target_list
model_list(const struct model *m, size_t i)
{
	struct target_list own = { m->targets, m->target_count };

	return i == 0 ? own : m->fallbacks[i - 1];
}

static size_t
target_total(const struct policy *p)
{
	size_t i, j, n = 0;

	for (i = 0; i < p->model_count; i++)
		for (j = 0; j <= FALLBACK_KINDS; j++)
			n += model_list(&p->models[i], j).count;
	return n;
}

bool
policy_index_names(struct policy *p)
{
	struct own *o = own_of(p);
	size_t i;

	o->models = arena_alloc(p->arena, p->model_count * sizeof(*o->models));
	o->providers = arena_alloc(p->arena,
	    p->provider_count * sizeof(*o->providers));
	if (o->models == NULL || o->providers == NULL)
		return false;
	for (i = 0; i < p->provider_count; i++)
		o->providers[i] = &p->providers[i];
	for (i = 0; i < p->model_count; i++)
		o->models[i] = &p->models[i];
	qsort(o->models, p->model_count, sizeof(*o->models), model_order);
	qsort(o->providers, p->provider_count, sizeof(*o->providers),
	    provider_order);
	return true;
}

bool
policy_index_targets(struct policy *p)
{
	struct own *o = own_of(p);
	size_t i, j, k, n = target_total(p);
	struct target_list list;

	o->targets = arena_alloc(p->arena, n * sizeof(*o->targets));
	if (o->targets == NULL)
		return false;
	for (i = 0; i < p->model_count; i++)
		for (j = 0; j <= FALLBACK_KINDS; j++) {
			list = model_list(&p->models[i], j);
			for (k = 0; k < list.count; k++)
				o->targets[o->target_count++] = &list.list[k];
		}
	qsort(o->targets, n, sizeof(*o->targets), target_order);
	return true;
}

const struct model *
policy_model(const struct policy *p, const char *name)
{
	const struct own *o = own_of(p);
	size_t lo = 0, hi = p->model_count, mid;
	int cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = strcmp(name, o->models[mid]->name);
		if (cmp == 0)
			return o->models[mid];
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* name[0..len) against a C string, as strcmp would. */
static int
compare(const char *name, size_t len, const char *s)
{
	int cmp = strncmp(name, s, len);

	return cmp != 0 ? cmp : s[len] != '\0' ? -1 : 0;
}

const struct provider *
policy_provider(const struct policy *p, const char *name, size_t len)
{
	const struct own *o = own_of(p);
	size_t lo = 0, hi = p->provider_count, mid;
	int cmp;

	if (memchr(name, '\0', len) != NULL)
		return NULL;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = compare(name, len, o->providers[mid]->name);
		if (cmp == 0)
			return o->providers[mid];
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

bool
policy_hash(const struct policy *p, const char *secret, size_t len,
    unsigned char out[KEY_HASH])
{
	const size_t tg = sizeof HASH_VKEY_PREFIX - 1;

	if (len == 0 || len > LIMIT_CREDENTIAL)
		return false;
	if (len >= tg && memcmp(secret, HASH_VKEY_PREFIX, tg) == 0 &&
	    !hash_vkey_check(secret, len))
		return false;
	return hash_hmac(out, p->pepper, sizeof p->pepper, secret, len) ==
	    ERR_OK;
}

const struct vkey *
policy_key_of(const struct policy *p, const unsigned char hash[KEY_HASH])
{
	size_t lo = 0, hi = p->key_count, mid;

	/* Who does not know the pepper learns nothing from the way down. */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (memcmp(hash, p->keys[mid].hash, KEY_HASH) <= 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (lo < p->key_count &&
	    CRYPTO_memcmp(hash, p->keys[lo].hash, KEY_HASH) == 0)
		return &p->keys[lo];
	return NULL;
}

const struct vkey *
policy_key(const struct policy *p, const char *secret, size_t len)
{
	unsigned char hash[KEY_HASH];
	const struct vkey *found;

	if (p->key_count == 0 || !policy_hash(p, secret, len, hash))
		return NULL;
	found = policy_key_of(p, hash);
	OPENSSL_cleanse(hash, sizeof hash);
	return found;
}

bool
policy_has_key(const struct policy *p, const char *name)
{
	size_t lo = 0, hi = p->key_count, mid;
	int cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = strcmp(name, p->key_names[mid]);
		if (cmp == 0)
			return true;
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return false;
}

/* Greedy, with one place to go back to: never more than |p| × |n| steps. */
bool
glob_match(const char *pattern, const char *name)
{
	const char *star = NULL, *back = NULL;

	while (*name != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			back = name;
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star + 1;
			name = ++back;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool
vkey_allows(const struct vkey *k, const char *model)
{
	size_t i;

	for (i = 0; i < k->model_count; i++)
		if (glob_match(k->models[i], model))
			return true;
	return k->model_count == 0;
}

bool
vkey_passes(const struct vkey *k, const char *provider)
{
	size_t i;

	for (i = 0; i < k->passing_count; i++)
		if (glob_match(k->passing[i], provider))
			return true;
	return false;
}

bool
policy_facts(const struct catalog *c, const struct provider *provider,
    const char *model, struct catalog_model *out)
{
	struct catalog_provider row;

	return c != NULL && catalog_provider(c, provider->name, &row) &&
	    catalog_model(c, row.name, model, out);
}

double
deployment_score(const struct catalog *c, const struct deployment *d,
    const struct demand *want)
{
	struct catalog_model m;
	struct catalog_score score;
	uint32_t k;
	size_t i;

	for (i = 0; want->task && i < d->score_count; i++)
		if (strcmp(d->scores[i].task, want->name) == 0)
			return d->scores[i].value;
	if (want->task || !policy_facts(c, d->provider, d->model, &m))
		return NAN;
	for (k = 0; catalog_score(c, &m, k, &score); k++)
		if (strcmp(score.benchmark, want->name) == 0)
			return score.value;
	return NAN;
}

/* The same deployment as a target of some model, or NULL. */
static const struct deployment *
find_target(const struct own *o, const char *id)
{
	size_t lo = 0, hi = o->target_count, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(id, o->targets[mid]->id) <= 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (lo < o->target_count && strcmp(id, o->targets[lo]->id) == 0)
		return o->targets[lo];
	return NULL;
}

const struct limits *
pool_limits(const struct pool_limits *list, size_t count, const char *name)
{
	size_t lo = 0, hi = count, mid;
	int cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = strcmp(name, list[mid].name);
		if (cmp == 0)
			return &list[mid].limits;
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

bool
limits_pay(const struct limits *l)
{
	return l != NULL && l->budget_count > 0;
}

bool
vkey_pays(const struct policy *p, const struct vkey *k, bool end_user)
{
	size_t i;

	for (i = 0; i < k->tag_count; i++)
		if (limits_pay(pool_limits(p->tags, p->tag_count,
		    k->tags[i])))
			return true;
	return limits_pay(&p->limits) || limits_pay(&k->limits) ||
	    (end_user && limits_pay(&k->end_user)) ||
	    limits_pay(pool_limits(p->teams, p->team_count, k->team)) ||
	    limits_pay(pool_limits(p->users, p->user_count, k->user)) ||
	    limits_pay(pool_limits(p->tiers, p->tier_count, k->tier));
}

const struct deployment *
policy_target(const struct policy *p, const char *id)
{
	return find_target(own_of(p), id);
}

void
policy_charge(const struct policy *p, struct deployment *d)
{
	if (!d->price.known)
		d->price = p->default_price;
	price_raise(&d->price, d->provider->margin);
}

bool
policy_direct(const struct policy *p, const char *name, struct arena *a,
    struct deployment *out)
{
	const char *slash = strchr(name, '/');
	const struct provider *provider;
	const struct deployment *same;
	struct deployment d = { .weight = 1 };
	struct catalog_model m;

	if (slash == NULL || value_target(name) != NULL)
		return false;
	provider = policy_provider(p, name, (size_t)(slash - name));
	if (provider == NULL)
		return false;
	same = find_target(own_of(p), name);
	if (same != NULL) {
		*out = *same;
		out->weight = 1;
		return true;
	}
	d.provider = provider;
	d.id = arena_str(a, name);
	d.model = arena_str(a, slash + 1);
	if (d.id == NULL || d.model == NULL)
		return false;
	price_init(&d.price);
	d.unlisted = true;
	if (policy_facts(p->catalog, provider, slash + 1, &m)) {
		d.unlisted = false;
		d.price = m.price;
		d.context = m.context;
		d.max_output = m.max_output;
		d.caps = m.caps;
		d.provider = variant_for(provider, &m);
		if (d.provider == NULL)
			return false;
	}
	policy_charge(p, &d);
	*out = d;
	return true;
}
