/* Keys whose row comes from elsewhere: read by the loader's own table. */
#include "policy/issue.h"

#include <string.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "policy/load.h"
#include "policy/schema.h"
#include "policy/vault.h"
#include "policy/zone.h"

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

static const struct vkey *
tier_key(const struct policy *p, const char *tier)
{
	size_t i;

	for (i = 0; i < p->tier_key_count; i++)
		if (strcmp(p->tier_keys[i].name, tier) == 0)
			return &p->tier_keys[i];
	return NULL;
}

/* Where a member stands, else the row. */
static const struct node *
place(const struct src_key *s, const char *key)
{
	const struct node *n = node_get(s->row.node, key);

	return n != NULL ? n : s->row.node;
}

/* What it says itself, else what its tier says. */
static void
grant(struct load *l, const struct src_key *s, const struct vkey *tier,
    struct vkey *k)
{
	const struct src_grant *own = &s->grant;

	k->models = own->models.count > 0 ? keep_strings(l, &own->models) :
	    tier->models;
	k->model_count = own->models.count > 0 ? own->models.count :
	    tier->model_count;
	k->passing = own->passing.count > 0 ? keep_strings(l, &own->passing) :
	    tier->passing;
	k->passing_count = own->passing.count > 0 ? own->passing.count :
	    tier->passing_count;
	k->may = node_get(s->row.node, "may") != NULL ? own->may : tier->may;
	k->region = own->region != NULL ? own->region : or_empty(tier->region);
	k->no_retention = own->retention != 0 || tier->no_retention;
	k->max_output = own->max_output != UNSET ? own->max_output :
	    tier->max_output;
}

/* The zone of a budget that it has itself; those of its tier are loaded. */
static void
load_zones(struct load *l, const struct node *row)
{
	struct budget_list *b;
	size_t i;

	for (b = l->budgets; b != NULL; b = b->next)
		for (i = 0; i < b->count; i++) {
			if (*b->list[i].zone == '\0')
				continue;
			b->list[i].tz = zone_load(l->arena, b->list[i].zone);
			if (b->list[i].tz == NULL)
				diag_fault(l->diag, row, "the time zone '%s' "
				    "cannot be read", b->list[i].zone);
		}
}

static void
limit(struct load *l, const struct policy *p, const struct src_key *s,
    const struct vkey *tier, struct vkey *k)
{
	limits_make(l, &s->grant.limits, p->timezone, &k->limits);
	limits_make(l, &s->grant.end_users.limits, p->timezone, &k->end_user);
	limits_inherit(&k->limits, &tier->limits);
	limits_inherit(&k->end_user, &tier->end_user);
	load_zones(l, s->row.node);
}

static void
make(struct load *l, const struct policy *p, const struct src_key *s,
    bool strict, struct vkey *k)
{
	static const struct vkey none = { .max_output = KEY_MAX_OUTPUT };
	const struct vkey *tier = &none;

	k->name = or_empty(s->name);
	k->tier = or_empty(s->tier);
	k->team = or_empty(s->team);
	k->user = or_empty(s->user);
	k->expires = s->expires == UNSET ? 0 : s->expires;
	keep_tags(l, &s->tags, k);
	if (s->tier != NULL)
		tier = tier_key(p, s->tier);
	if (tier == NULL) {
		diag_fault(l->diag, place(s, "tier"), "unknown tier '%s'",
		    s->tier);
		return;
	}
	grant(l, s, tier, k);
	limit(l, p, s, tier, k);
	if (strict) {
		check_patterns(l, p, &s->grant.models, place(s, "models"));
		check_passing(l, p, &s->grant.passing,
		    place(s, "passthrough"));
	}
	if (policy_has_key(p, k->name))
		diag_fault(l->diag, place(s, "name"),
		    "the policy has a key of the name '%s'", k->name);
}

/* A secret would be looked up where the row says: that is for files only. */
static bool
no_secret(struct load *l, const struct node *row)
{
	static const char *const members[] = { "secret", "hash" };
	const struct node *n;
	size_t i;

	for (i = 0; i < sizeof members / sizeof members[0]; i++) {
		n = node_get(row, members[i]);
		if (n == NULL)
			continue;
		diag_fault(l->diag, n, "cannot be set");
		return false;
	}
	return true;
}

static void
read_row(struct load *l, const struct policy *p, const struct node *row,
    bool strict, struct vkey *k)
{
	struct src_key s;

	if (!no_secret(l, row))
		return;
	read_key(l, row, &s);
	if (row->kind == NODE_MAP && !diag_short(l->diag))
		make(l, p, &s, strict, k);
}

struct vkey *
issue_key(const struct policy *p, const char *text, size_t len, bool strict,
    struct arena *a, struct buf *faults)
{
	static const struct source_file file = { "", 1 };
	const struct policy_env env = { .catalog = p->catalog };
	struct load l = { .env = &env, .arena = a, .outside = true };
	struct vkey *k = arena_zalloc(a, sizeof *k);
	bool good = false;
	struct node *row;

	l.diag = diag_new();
	l.scratch = vault_new(MIB(8));
	if (k == NULL || l.diag == NULL || l.scratch == NULL) {
		buf_puts(faults, "out of memory\n");
		goto out;
	}
	if (len > ISSUE_ROW) {
		buf_puts(faults, "the settings are too long\n");
		goto out;
	}
	row = yaml_read(text, len, &file, l.scratch, l.diag);
	if (row != NULL)
		read_row(&l, p, row, strict, k);
	good = row != NULL && !diag_failed(l.diag);
	diag_write(l.diag, faults);
out:
	vault_free(l.scratch);
	diag_free(l.diag);
	return good ? k : NULL;
}
