/* Limits of the policy → counters of the ledger. */
#include "app/counters.h"

#include <stdio.h>
#include <string.h>

#include "app/base/arena.h"
#include "policy/policy.h"

_Static_assert((int)BUDGET_HOUR == (int)SPAN_HOUR &&
    (int)BUDGET_ONCE == (int)SPAN_ONCE, "windows are those of budgets");

const char *
counters_span(enum counter_span span)
{
	static const char *const names[SPAN_COUNT] = { "hour", "day", "week",
		"month", "once" };

	return names[span];
}

void
counters_init(struct counters *c, struct arena *a)
{
	memset(c, 0, sizeof *c);
	c->arena = a;
}

static struct counted *
add(struct counters *c, const char *scope, enum counter_kind kind,
    int64_t limit)
{
	struct counted *n;

	if (c->list == NULL)
		c->list = arena_zalloc(c->arena, LEDGER_PARTS *
		    sizeof *c->list);
	if (c->list == NULL || scope == NULL || c->count == LEDGER_PARTS) {
		c->failed = true;
		return NULL;
	}
	n = &c->list[c->count++];
	n->counter.scope = scope;
	n->counter.kind = kind;
	n->counter.limit = limit > LEDGER_MAX ? LEDGER_MAX : limit;
	n->counter.zone_name = "";
	return n;
}

/* The counter of this window if there is one already. */
static struct counted *
same_window(struct counters *c, const char *scope, const struct budget *b)
{
	struct counted *n;
	unsigned i;

	for (i = 0; i < c->count; i++) {
		n = &c->list[i];
		if (n->counter.kind == COUNTER_MONEY &&
		    (int)n->counter.span == (int)b->span &&
		    strcmp(n->counter.scope, scope) == 0 &&
		    strcmp(n->counter.zone_name, b->zone) == 0)
			return n;
	}
	return NULL;
}

/* Budgets of one window share its counter: the least that is hard refuses. */
static void
add_budget(struct counters *c, const char *scope, const struct budget *b)
{
	struct counted *n = same_window(c, scope, b);
	size_t i;

	if (n == NULL)
		n = add(c, scope, COUNTER_MONEY, LEDGER_MAX);
	if (n == NULL)
		return;
	n->counter.span = (enum counter_span)b->span;
	n->counter.zone = b->tz;
	n->counter.zone_name = b->zone;
	if (!b->soft && b->limit < n->counter.limit)
		n->counter.limit = b->limit;
	for (i = 0; i < COUNTED_BUDGETS && n->budget[i] != NULL; i++)
		continue;
	if (i < COUNTED_BUDGETS)
		n->budget[i] = b;
}

static void
add_limits(struct counters *c, const char *what, const char *name,
    const struct limits *l)
{
	char text[LEDGER_SCOPE];
	const char *scope;
	size_t i;

	if (l == NULL || (l->rpm == 0 && l->tpm == 0 && l->parallel == 0 &&
	    l->budget_count == 0))
		return;
	ledger_scope(text, what, name);
	scope = arena_str(c->arena, text);
	if (l->rpm > 0)
		add(c, scope, COUNTER_RPM, l->rpm);
	if (l->tpm > 0)
		add(c, scope, COUNTER_TPM, l->tpm);
	if (l->parallel > 0)
		add(c, scope, COUNTER_PARALLEL, l->parallel);
	for (i = 0; i < l->budget_count && scope != NULL; i++)
		add_budget(c, scope, &l->budgets[i]);
}

static void
add_pool(struct counters *c, const char *what, const char *name,
    const struct pool_limits *list, size_t count)
{
	if (*name != '\0')
		add_limits(c, what, name, pool_limits(list, count, name));
}

/* An end user is one of a key: another key's may have the same name. */
static void
add_end_user(struct counters *c, const struct vkey *k, const char *name)
{
	char *text;

	if (*name == '\0' || (k->may & MAY_USER) == 0)
		return;
	text = arena_printf(c->arena, "%zu:%s:%s", strlen(k->name), k->name,
	    name);
	if (text == NULL)
		c->failed = true;
	else
		add_limits(c, "end", text, &k->end_user);
}

void
counters_of_key(struct counters *c, const struct policy *p,
    const struct vkey *k, const char *end_user)
{
	size_t i;

	add_limits(c, "all", "", &p->limits);
	add_limits(c, "key", k->name, &k->limits);
	add_pool(c, "team", k->team, p->teams, p->team_count);
	add_pool(c, "user", k->user, p->users, p->user_count);
	add_pool(c, "tier", k->tier, p->tiers, p->tier_count);
	for (i = 0; i < k->tag_count; i++)
		add_pool(c, "tag", k->tags[i], p->tags, p->tag_count);
	add_end_user(c, k, end_user);
}

void
counters_of_model(struct counters *c, const struct model *m)
{
	add_limits(c, "model", m->name, &m->limits);
}

void
counters_of_provider(struct counters *c, const struct provider *p)
{
	add_limits(c, "provider", p->name, &p->limits);
}

static bool
counts(const struct counters *c, enum counter_kind kind)
{
	unsigned i;

	for (i = 0; i < c->count; i++)
		if (c->list[i].counter.kind == kind)
			return true;
	return false;
}

bool
counters_money(const struct counters *c)
{
	return counts(c, COUNTER_MONEY);
}

bool
counters_tokens(const struct counters *c)
{
	return counts(c, COUNTER_TPM);
}

int64_t
counters_share(const struct held *part, const struct budget *b)
{
	int64_t taken = part->counter->limit - part->left;

	if (b->limit == 0)
		return 100;
	return (int64_t)((__int128)taken * 100 / b->limit);
}
