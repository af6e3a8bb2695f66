/* Which provider a file or a batch is for. */
#include "app/filed_int.h"

#include <string.h>

#include "adapters/files.h"
#include "app/alone.h"
#include "app/base/arena.h"
#include "app/base/form.h"
#include "app/previous.h"
#include "app/worker.h"

#define OUTPUT_BOUND 16000 /* tokens, where nobody sets a bound */

static bool
takes_batches(const struct deployment *d, const char *door)
{
	return batch_dialect_of(d->provider) != NULL &&
	    adapter_for(door, d->provider->adapter) != NULL;
}

/* The first request of a batch leads to where all of them go. */
static enum err
plan_lines(struct request *r, struct filed *job,
    const struct facts_source *from)
{
	const struct form_part *p = filed_part(r);
	struct chat *chat = arena_alloc(r->arena, sizeof *chat);
	struct facts *facts = arena_zalloc(r->arena, sizeof *facts);
	struct facts_source src = *from;
	struct plan *plan = &r->plan;
	enum err e;
	size_t i;

	if (chat == NULL || facts == NULL)
		return fault_memory(&r->fault);
	e = lines_first(&job->lines, r->arena, p->data, p->len, chat,
	    &r->fault);
	if (e != ERR_OK)
		return e;
	r->chat.model = chat->model;
	src.chat = chat;
	src.operation = chat->word;
	e = facts_gather(facts, &src, &r->fault);
	if (e == ERR_OK)
		e = plan_make(r->policy, &facts->route, &facts->view,
		    r->arena, plan, &r->fault);
	if (e != ERR_OK)
		return e;
	for (i = 0; i < plan->count; i++)
		if (takes_batches(plan->order[i], chat->task.door))
			break;
	if (i == plan->count)
		return fault_set(&r->fault, ERR_BAD_REQUEST, "model",
		    "no provider of the model '%s' takes batches",
		    chat->model);
	plan->order[0] = plan->order[i];
	plan->count = 1;
	memset(plan->instead_count, 0, sizeof plan->instead_count);
	job->lines.deployment = plan->order[0];
	job->lines.strict = plan->strict;
	job->lines.output = r->key->max_output > 0 ? r->key->max_output :
	    OUTPUT_BOUND;
	return ERR_OK;
}

/* Any other file goes to the model's provider, or to the first that keeps. */
static enum err
plan_file(struct request *r, const struct facts_source *from,
    const struct route_facts *facts)
{
	const struct policy *p = r->policy;
	struct facts *own = arena_zalloc(r->arena, sizeof *own);
	const struct batch_dialect *dialect;
	enum err e;
	size_t i;

	if (own == NULL)
		return fault_memory(&r->fault);
	if (*r->chat.model != '\0') {
		e = facts_gather(own, from, &r->fault);
		if (e == ERR_OK)
			e = plan_make(p, &own->route, &own->view, r->arena,
			    &r->plan, &r->fault);
		return e == ERR_OK ? previous_alone(r,
		    &p->providers[r->plan.order[0]->provider->index]) : e;
	}
	for (i = 0; i < p->provider_count; i++) {
		dialect = batch_dialect_of(&p->providers[i]);
		if (dialect != NULL && dialect->keeps &&
		    alone_within(r, &p->providers[i], facts))
			return previous_alone(r, &p->providers[i]);
	}
	return fault_set(&r->fault, ERR_NO_ROUTE, NULL,
	    "no provider that this key may use keeps files");
}

static enum err
plan_kept(struct request *r, const char *what, const char *id,
    const struct route_facts *facts)
{
	const struct provider *p = previous_keeper(r, id);

	if (p == NULL) {
		filed_missing(r, what, id);
		return ERR_NOT_FOUND;
	}
	return alone_within(r, p, facts) ? previous_alone(r, p) :
	    fault_set(&r->fault, ERR_NO_ROUTE, NULL,
		"its provider is not in the region that is demanded");
}

static enum err
plan(struct request *r, struct filed *job, const struct facts_source *from,
    const struct route_facts *facts)
{
	const struct door *door = filed_door(r);

	if (door->what != NULL)
		return plan_kept(r, door->what, r->chat.path, facts);
	if (door->begin == filed_create)
		return plan_kept(r, "File", filed_member(r, "input_file_id"),
		    facts);
	return strcmp(filed_member(r, "purpose"), "batch") == 0 ?
	    plan_lines(r, job, from) : plan_file(r, from, facts);
}

/* As it is, or as the first of those that some model of it needs. */
static const struct provider *
batching(const struct provider *p)
{
	const struct provider *as = p;
	size_t i;

	for (i = 0; batch_dialect_of(as) == NULL && adapter_names[i] != NULL;
	    i++) {
		as = provider_speaking(p, adapter_names[i]);
		if (as == NULL)
			as = p;
	}
	return as;
}

enum err
filed_plan(struct request *r, const struct facts_source *from,
    const struct route_facts *facts)
{
	enum err e = previous_retention(r, facts, "files and batches");
	struct filed *job = filed_job(r);

	if (job == NULL)
		return fault_memory(&r->fault);
	if (e == ERR_OK)
		e = plan(r, job, from, facts);
	if (e != ERR_OK)
		return e;
	job->provider = batching(r->plan.order[0]->provider);
	job->dialect = batch_dialect_of(job->provider);
	job->lines.dialect = job->dialect;
	if (job->dialect == NULL)
		return fault_set(&r->fault, ERR_NOT_FOUND, NULL,
		    "the provider keeps neither files nor batches");
	return job->dialect->keeps || job->lines.arena != NULL ||
	    r->chat.form == NULL ? ERR_OK : fault_set(&r->fault,
	    ERR_BAD_REQUEST, "purpose", "the provider keeps no files but "
	    "those of batches");
}
