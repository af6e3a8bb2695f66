/* Kept answers: whose they are, and who keeps them. */
#include "app/previous.h"

#include <stdio.h>
#include <string.h>

#include "adapters/kept.h"
#include "app/alone.h"
#include "policy/route.h"

void
previous_owner_named(const struct request *r, const char *provider,
    struct owner *out)
{
	memset(out, 0, sizeof *out);
	if (r->key == NULL)
		return;
	out->secret = r->policy->pepper;
	out->secret_len = sizeof r->policy->pepper;
	out->key = r->key->name;
	out->provider = provider;
}

void
previous_owner(const struct request *r, const struct provider *p,
    struct owner *out)
{
	previous_owner_named(r, p->name, out);
}

/* The provider's own id where d keeps the answer, else NULL. */
static const char *
kept_by(const struct request *r, const struct deployment *d)
{
	struct str given = { r->chat.previous_id,
		strlen(r->chat.previous_id) };
	struct owner owner;

	if (adapter_find(d->provider->adapter) != r->surface)
		return NULL;
	previous_owner(r, d->provider, &owner);
	return owned_open(r->arena, &owner, given);
}

/* Leave in the list who keeps the answer. */
static size_t
keep(struct request *r, const struct deployment **list, size_t count)
{
	const char *own;
	size_t i, n = 0;

	for (i = 0; i < count; i++) {
		own = kept_by(r, list[i]);
		if (own == NULL)
			continue;
		r->chat.previous_own = own;
		list[n++] = list[i];
	}
	return n;
}

static bool
anybody_keeps(const struct request *r)
{
	size_t i;

	for (i = 0; i < r->plan.count; i++)
		if (adapter_find(r->plan.order[i]->provider->adapter) ==
		    r->surface)
			return true;
	return false;
}

enum verdict
previous_check(struct request *r)
{
	struct plan *plan = &r->plan;
	size_t i;

	if (r->chat.previous_id == NULL || !anybody_keeps(r))
		return GO;
	plan->count = keep(r, plan->order, plan->count);
	for (i = 0; i < FALLBACK_KINDS; i++)
		plan->instead_count[i] = keep(r, plan->instead[i],
		    plan->instead_count[i]);
	if (plan->count > 0)
		return GO;
	request_fail(r, ERR_NOT_FOUND, "previous_response_id",
	    "Previous response with id '%.200s' not found.",
	    r->chat.previous_id);
	snprintf(r->fault.name, sizeof r->fault.name,
	    "previous_response_not_found");
	return DONE;
}

/* ------------------------------------------------ the kept answer itself */

static enum err
not_kept(struct request *r)
{
	fault_set(&r->fault, ERR_NOT_FOUND, "response_id",
	    "Response with id '%.200s' not found: no provider keeps it for "
	    "this key (only those that speak the Responses API themselves "
	    "keep any)", r->chat.path);
	snprintf(r->fault.name, sizeof r->fault.name, "response_not_found");
	return ERR_NOT_FOUND;
}

/* Who must not have anything kept, has nothing kept. */
enum err
previous_retention(struct request *r, const struct route_facts *facts,
    const char *what)
{
	if (r->key->no_retention) {
		fault_set(&r->fault, ERR_FORBIDDEN, NULL,
		    "of this key nothing may be kept (retention: none), so "
		    "%s are not for it", what);
		snprintf(r->fault.name, sizeof r->fault.name,
		    "retention_not_allowed");
		return ERR_FORBIDDEN;
	}
	return !facts->no_retention ? ERR_OK :
	    fault_set(&r->fault, ERR_BAD_REQUEST, "x-tollgate-retention",
		"%s are asked for, and that nothing is kept", what);
}

enum err
previous_alone(struct request *r, const struct provider *p)
{
	const struct deployment d = { .id = p->name, .provider = p,
		.model = "", .price.known = true,
		.unlisted = true }; /* its health is that of its models */

	return alone_plan(r, &d, "");
}

/* Whose proof stands behind the id? */
const struct provider *
previous_keeper(struct request *r, const char *id)
{
	struct str given = { id, strlen(id) };
	const struct policy *p = r->policy;
	struct owner owner;
	size_t i;

	for (i = 0; i < p->provider_count; i++) {
		previous_owner(r, &p->providers[i], &owner);
		r->chat.previous_own = owned_open(r->arena, &owner, given);
		if (r->chat.previous_own != NULL)
			return &p->providers[i];
	}
	return NULL;
}

enum err
previous_plan(struct request *r, const struct route_facts *facts)
{
	enum err e = previous_retention(r, facts, "kept answers");
	const struct provider *p;

	if (e != ERR_OK)
		return e;
	p = previous_keeper(r, r->chat.path);
	p = p == NULL ? NULL : provider_speaking(p, KEPT_DIALECT);
	if (p == NULL)
		return not_kept(r);
	return alone_within(r, p, facts) ? previous_alone(r, p) :
	    fault_set(&r->fault, ERR_NO_ROUTE, NULL,
		"the provider that keeps this response is not in the region "
		"that is demanded");
}
