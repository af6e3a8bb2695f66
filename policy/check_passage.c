/*
 * What may go to a provider as it came, and which keys may send it.
 */
#include <string.h>

#include "app/base/arena.h"
#include "policy/load.h"
#include "policy/passage.h"

static const struct node *
place(const struct src_passage *s, const char *key)
{
	const struct node *n = node_get(s->row.node, key);

	return n != NULL ? n : s->row.node;
}

/* The unit of that name, but for requests, which count themselves. */
static enum unit
unit_of(const char *name)
{
	unsigned u;

	for (u = 0; u < UNIT_COUNT; u++)
		if (u != UNIT_REQUEST && strcmp(unit_name(u), name) == 0)
			break;
	return u;
}

static void
unknown_unit(struct load *l, const struct src_measure *s)
{
	struct guess g;
	char hint[128];
	unsigned u;

	guess_init(&g, s->row.name);
	for (u = 0; u < UNIT_COUNT; u++)
		if (u != UNIT_REQUEST)
			guess_offer(&g, unit_name(u));
	diag_fault(l->diag, s->row.node, "unknown unit '%.40s'%s",
	    s->row.name, guess_words(&g, hint, sizeof hint));
}

static void
make_measures(struct load *l, const struct src_passage *s,
    struct passage *to)
{
	const struct src_measure *from = s->units.items;
	struct measure *list;
	size_t i;

	if (s->units.count == 0)
		return;
	list = arena_zalloc(l->arena, s->units.count * sizeof *list);
	if (list == NULL) {
		diag_nomem(l->diag);
		return;
	}
	for (i = 0; i < s->units.count; i++) {
		if (from[i].row.name == NULL)
			continue; /* no memory: said */
		list[i].unit = unit_of(from[i].row.name);
		list[i].at = from[i].at != NULL ? from[i].at : "";
		list[i].at_most = from[i].at_most;
		if (list[i].unit == UNIT_COUNT)
			unknown_unit(l, &from[i]);
		else if (from[i].at != NULL && *from[i].at != '/')
			diag_fault(l->diag, node_get(from[i].row.node, "at"),
			    "must be a JSON pointer, as /usage/total_tokens");
	}
	to->measures = list;
	to->measure_count = s->units.count;
}

static void
make_passage(struct load *l, const struct src_passage *s, unsigned margin,
    struct passage *to)
{
	const char *wrong = s->path == NULL ? NULL : passage_flaw(s->path);

	to->path = s->path != NULL ? s->path : "";
	to->methods = s->methods;
	price_init(&to->price);
	if (wrong != NULL)
		diag_fault(l->diag, place(s, "path"), "%s", wrong);
	make_measures(l, s, to);
	if (node_get(s->row.node, "price") != NULL)
		price_make(l, &s->price, node_get(s->row.node, "price"),
		    &to->price);
	else if (to->measure_count > 0)
		diag_fault(l->diag, place(s, "units"), "units without a "
		    "price cost nothing: give 'price'");
	price_raise(&to->price, margin);
}

void
passages_make(struct load *l, const struct rows *rows, struct provider *p)
{
	const struct src_passage *s = rows->items;
	struct passage *list;
	size_t i;

	if (rows->count == 0)
		return;
	list = arena_zalloc(l->arena, rows->count * sizeof *list);
	if (list == NULL) {
		diag_nomem(l->diag);
		return;
	}
	for (i = 0; i < rows->count; i++)
		make_passage(l, &s[i], p->margin, &list[i]);
	p->passages = list;
	p->passage_count = rows->count;
}

/* ------------------------------------------------------------------ keys */

void
check_passing(struct load *l, const struct policy *p, const struct rows *rows,
    const struct node *list)
{
	const char *const *names = rows->items;
	const struct node *n = list->kind == NODE_LIST ? list->first : list;
	const struct provider *to;
	struct guess g;
	char hint[128];
	size_t i, j;

	for (i = 0; i < rows->count && n != NULL; i++, n = n->next) {
		if (names[i] == NULL || strchr(names[i], '*') != NULL)
			continue;
		to = policy_provider(p, names[i], strlen(names[i]));
		if (to != NULL && to->passage_count == 0)
			diag_warn(l->diag, n, "the provider has no "
			    "'passthrough'");
		if (to != NULL)
			continue;
		guess_init(&g, names[i]);
		for (j = 0; j < p->provider_count && !diag_full(l->diag); j++)
			guess_offer(&g, p->providers[j].name);
		diag_fault(l->diag, n, "unknown provider '%.80s'%s", names[i],
		    guess_words(&g, hint, sizeof hint));
	}
}
