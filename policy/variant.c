/*
 * Some models of a provider are spoken to in another way than the others: by
 * another dialect, at another address, with another quirk. For each such way
 * there is a copy of the provider that differs just in that.
 */
#include <string.h>

#include "app/base/arena.h"
#include "policy/load.h"
#include "policy/url.h"

struct variant {
	const struct variant *next;
	struct catalog_model way; /* one that is spoken to so */
	struct provider p;
	bool usable; /* its dialect is here, its address is known */
};

static bool
same_way(const struct catalog_model *a, const struct catalog_model *b)
{
	return a->auth == b->auth && a->quirks == b->quirks &&
	    strcmp(a->adapter, b->adapter) == 0 &&
	    strcmp(a->base_url, b->base_url) == 0 &&
	    strcmp(a->auth_header, b->auth_header) == 0;
}

static bool
as_provider(const struct catalog_model *m, const struct catalog_provider *row)
{
	return m->auth == row->auth && m->quirks == row->quirks &&
	    strcmp(m->adapter, row->adapter) == 0 &&
	    strcmp(m->base_url, row->base_url) == 0 &&
	    strcmp(m->auth_header, row->auth_header) == 0;
}

static const struct variant *
find(const struct provider *p, const struct catalog_model *m)
{
	const struct variant *v;

	for (v = p->variants; v != NULL; v = v->next)
		if (same_way(&v->way, m))
			return v;
	return NULL;
}

/*
 * What the policy says of the provider holds for all its models: an address
 * of its own stays, and with it the dialect that is spoken there.
 */
static void
fill(struct load *l, struct variant *v, const struct catalog_provider *row,
    bool own_url)
{
	const struct catalog_model *m = &v->way;
	struct provider *p = &v->p;
	const char *url;

	if (own_url) {
		v->usable = true;
		if (strcmp(m->adapter, row->adapter) == 0)
			p->quirks = m->quirks;
		return;
	}
	p->adapter = m->adapter;
	p->quirks = m->quirks;
	if (p->auth == row->auth) { /* else the policy chose its own */
		p->auth_header = m->auth_header;
		p->auth = m->auth;
	}
	url = p->base_url;
	if (strcmp(m->base_url, row->base_url) != 0)
		url = address_fill(l, NULL, p, m->base_url);
	p->base_url = url != NULL ? url : "";
	p->private_net = p->private_net || url_private(p->base_url);
	v->usable = url != NULL && adapter_known(l->env, m->adapter);
}

void
variants_make(struct load *l, struct provider *p,
    const struct catalog_provider *row, bool own_url)
{
	struct catalog_model m;
	struct variant *v;
	uint32_t i;

	for (i = 0; i < row->count; i++) {
		if (!catalog_model_at(l->env->catalog, row->first + i, &m) ||
		    as_provider(&m, row) || find(p, &m) != NULL)
			continue;
		v = arena_zalloc(l->arena, sizeof *v);
		if (v == NULL) {
			diag_nomem(l->diag);
			return;
		}
		v->way = m;
		v->p = *p;
		v->p.variants = NULL;
		fill(l, v, row, own_url);
		v->next = p->variants;
		p->variants = v;
	}
}

void
variants_fingerprint(struct provider *p)
{
	const struct variant *v;

	for (v = p->variants; v != NULL; v = v->next)
		((struct variant *)(uintptr_t)v)->p.fingerprint =
		    p->fingerprint;
}

const struct provider *
variant_for(const struct provider *p, const struct catalog_model *m)
{
	const struct variant *v = find(p, m);

	if (v == NULL)
		return p;
	return v->usable ? &v->p : NULL;
}

const struct provider *
provider_speaking(const struct provider *p, const char *adapter)
{
	const struct variant *v;

	if (strcmp(p->adapter, adapter) == 0)
		return p;
	for (v = p->variants; v != NULL; v = v->next)
		if (v->usable && strcmp(v->p.adapter, adapter) == 0)
			return &v->p;
	return NULL;
}
