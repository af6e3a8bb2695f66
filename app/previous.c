/* Kept answers: whose they are, and who keeps them. */
#include "app/previous.h"

#include <stdio.h>
#include <string.h>

void
previous_owner(const struct request *r, const struct provider *p,
    struct owner *out)
{
	memset(out, 0, sizeof *out);
	if (r->key == NULL)
		return;
	out->secret = r->policy->pepper;
	out->secret_len = sizeof r->policy->pepper;
	out->key = r->key->name;
	out->provider = p->name;
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
