/* Plans of one provider. */
#include "app/alone.h"

#include "app/base/arena.h"
#include "policy/region.h"

bool
alone_within(const struct request *r, const struct provider *p,
    const struct route_facts *facts)
{
	return region_allows(p->region, "",
	    r->key->region != NULL ? r->key->region : "") &&
	    region_allows(p->region, "",
		facts->region != NULL ? facts->region : "");
}

enum err
alone_plan(struct request *r, const struct deployment *d, const char *asked)
{
	struct deployment *copy = arena_alloc(r->arena, sizeof *copy);
	const struct deployment **order = arena_alloc(r->arena,
	    sizeof(const struct deployment *));
	struct plan *plan = &r->plan;

	if (copy == NULL || order == NULL)
		return fault_memory(&r->fault);
	*copy = *d;
	order[0] = copy;
	plan->order = order;
	plan->count = 1;
	plan->asked = asked;
	plan->timeouts = &r->policy->timeouts;
	plan->attempts = r->policy->attempts;
	return ERR_OK;
}
