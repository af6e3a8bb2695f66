/*
 * Rules: what they use must be there, patterns compiled, conditions put
 * together; and what can never be reached is told.
 */
#include <string.h>

#include "app/base/arena.h"
#include "policy/load.h"
#include "policy/pattern.h"
#include "policy/schema.h"
#include "policy/script.h"

static void
end_pattern(void *thing)
{
	pattern_free(thing);
}

static void
end_script(void *thing)
{
	script_free(thing);
}

static struct strings
keep_list(struct load *l, const struct rows *rows)
{
	struct strings s = { keep_strings(l, rows), rows->count };

	return s;
}

static const struct match *
keep_matches(struct load *l, const struct rows *rows)
{
	const struct src_match *from = rows->items;
	struct match *to;
	size_t i;

	if (rows->count == 0)
		return NULL;
	to = arena_alloc(l->arena, rows->count * sizeof *to);
	if (to == NULL) {
		diag_nomem(l->diag);
		return NULL;
	}
	for (i = 0; i < rows->count; i++) {
		to[i].name = from[i].name;
		to[i].patterns = keep_strings(l, &from[i].patterns);
		to[i].count = from[i].patterns.count;
	}
	return to;
}

/* What a rule looks for in the prompt. */
static void
take_prompt(struct load *l, const struct src_when *s, const struct node *n,
    struct policy *p, struct when *w)
{
	char why[200];
	struct pattern *pattern;
	struct script *script;

	w->prompt_part = (enum prompt_part)s->prompt_part;
	w->script_share = (unsigned)s->script_share;
	if (s->prompt != NULL) {
		pattern = pattern_new(s->prompt, why, sizeof why);
		if (pattern == NULL && why[0] != '\0')
			diag_fault(l->diag, node_get(n, "prompt"), "%s", why);
		else if (pattern != NULL && policy_own(p, pattern, end_pattern))
			w->prompt = pattern;
		else
			diag_nomem(l->diag);
	}
	if (s->script > 0) {
		script = script_new((enum script_id)(s->script - 1));
		if (script != NULL && policy_own(p, script, end_script))
			w->script = script;
		else
			diag_nomem(l->diag);
	}
}

static void
take_hours(const struct src_when *s, const struct node *n, struct when *w)
{
	w->hours = s->hours;
	if (w->hours.zone == NULL)
		w->hours.zone = "";
	w->hours.set = node_get(n, "time") != NULL ||
	    node_get(n, "days") != NULL;
}

static void
take_when(struct load *l, const struct src_when *s, const struct node *n,
    struct policy *p, struct when *w)
{
	w->keys = keep_list(l, &s->keys);
	w->teams = keep_list(l, &s->teams);
	w->tiers = keep_list(l, &s->tiers);
	w->users = keep_list(l, &s->users);
	w->tags = keep_list(l, &s->tags);
	w->models = keep_list(l, &s->models);
	w->endpoints = keep_list(l, &s->endpoints);
	w->metadata = keep_matches(l, &s->metadata);
	w->metadata_count = s->metadata.count;
	w->headers = keep_matches(l, &s->headers);
	w->header_count = s->headers.count;
	w->stream = node_get(n, "stream") == NULL ? -1 : s->stream;
	w->input_tokens = s->input_tokens;
	w->output_tokens = s->output_tokens;
	w->budget_left = s->budget_left;
	w->needs = s->needs;
	take_prompt(l, s, n, p, w);
	take_hours(s, n, w);
}

/* A key of `when` that says nothing without one of two others, as told. */
static const struct {
	const char *key, *one, *other, *or;
} leaning[] = {
	{ "prompt_part", "prompt", "script", " or 'script'" },
	{ "script_share", "script", "script", "" },
	{ "zone", "time", "days", " or 'days'" },
};

static void
check_together(struct load *l, const struct node *n)
{
	const struct node *at;
	size_t i;

	for (i = 0; i < sizeof leaning / sizeof leaning[0]; i++) {
		at = node_get(n, leaning[i].key);
		if (at != NULL && node_get(n, leaning[i].one) == NULL &&
		    node_get(n, leaning[i].other) == NULL)
			diag_fault(l->diag, at, "means nothing without '%s'%s",
			    leaning[i].one, leaning[i].or);
	}
	at = node_get(n, "tags");
	if (at != NULL && node_get(n, "tag") != NULL)
		diag_fault(l->diag, at, "'tag' and 'tags' mean the same: give one");
}

/* A name of a tier that no row has may be a slip. */
static void
check_tiers(struct load *l, const struct source *s, const struct rows *names,
    const struct node *n)
{
	const struct src_tier *rows = s->tiers.items;
	const char *const *name = names->items;
	struct guess g;
	char hint[128];
	size_t i, j;

	for (i = 0; i < names->count; i++) {
		if (name[i] == NULL || strchr(name[i], '*') != NULL)
			continue;
		guess_init(&g, name[i]);
		for (j = 0; j < s->tiers.count; j++) {
			if (strcmp(rows[j].row.name, name[i]) == 0)
				break;
			guess_offer(&g, rows[j].row.name);
		}
		if (j == s->tiers.count)
			diag_warn(l->diag, n, "unknown tier '%.60s'%s",
			    name[i], guess_words(&g, hint, sizeof hint));
	}
}

static void
check_use(struct load *l, const struct src_rule *s, struct policy *p)
{
	const struct node *n = node_get(s->row.node, "use");
	struct src_target target = { .row = { n, NULL }, .target = s->use,
		.context = UNSET };
	struct rows one = { &target, 1 };
	struct target_list found = { NULL, 0 };

	if (strchr(s->use, '/') == NULL)
		check_alias(l, p, n, s->use);
	else if (strchr(s->use, '*') != NULL)
		diag_fault(l->diag, n, "names one model: no '*'");
	else
		targets_make(l, p, &one, n, NULL, &found);
}

static void
check_rule(struct load *l, const struct source *s, const struct src_rule *row,
    struct policy *p, struct rule *r)
{
	const struct node *n = node_get(row->row.node, "when");
	size_t number = (size_t)(r - p->rules), i;

	r->name = row->name != NULL ? row->name :
		arena_printf(l->arena, "rule %zu", number + 1);
	if (r->name == NULL) {
		diag_nomem(l->diag);
		r->name = "";
	}
	for (i = 0; i < number; i++)
		if (strcmp(p->rules[i].name, r->name) == 0)
			diag_fault(l->diag, row->row.node, "rule %zu has the "
			    "same name", i + 1);
	r->use = row->use;
	if (row->use != NULL)
		check_use(l, row, p);
	if (n == NULL || n->kind != NODE_MAP)
		n = row->row.node; /* matches all, or it is said */
	else
		check_together(l, n);
	take_when(l, &row->when, n, p, &r->when);
	check_tiers(l, s, &row->when.tiers, n);
}

/* Does it hold for every request? */
static bool
matches_all(const struct src_rule *row)
{
	const struct node *n = node_get(row->row.node, "when");

	return n == NULL || node_null(n) ||
	    (n->kind == NODE_MAP && n->count == 0);
}

void
check_rules(struct load *l, const struct source *s, struct policy *p)
{
	const struct src_rule *rows = s->rules.items;
	size_t i, n = s->rules.count, all = n;

	if (n == 0)
		return;
	p->rules = arena_zalloc(l->arena, n * sizeof *p->rules);
	if (p->rules == NULL) {
		diag_nomem(l->diag);
		return;
	}
	for (i = 0; i < n; i++) {
		check_rule(l, s, &rows[i], p, &p->rules[i]);
		if (i == all + 1)
			diag_warn(l->diag, rows[i].row.node, "is never "
			    "reached, nor what follows: rule %zu matches all "
			    "requests", i);
		if (all == n && matches_all(&rows[i]))
			all = i;
	}
	p->rule_count = n;
}
