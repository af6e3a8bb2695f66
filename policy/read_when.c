/*
 * Values of conditions: comparisons, times of day, patterns for what has a
 * name.
 */
#include <ctype.h>
#include <string.h>

#include "policy/load.h"
#include "policy/read.h"
#include "policy/schema.h"
#include "policy/unit.h"
#include "policy/vault.h"

/* Only what lies within the field's bounds can be met. */
void
read_range(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = read_scalar(l, n);
	struct range r = { .set = true };

	if (s == NULL)
		return;
	if (!unit_range(s, f->type == V_SHARES, &r.least, &r.most))
		diag_fault(l->diag, n, "%s", f->type == V_SHARES ?
		    "must be a comparison, as < 20 % or 10..50 %" :
		    "must be a comparison, as > 8000, <= 40k, 100..2k or 3");
	else if (r.least > r.most || r.least > f->max || r.most < f->min)
		diag_fault(l->diag, n, "can never hold");
	else
		*(struct range *)out = r;
}

void
read_hours(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = read_scalar(l, n);
	struct hours *h = out;

	(void)f;
	if (s == NULL)
		return;
	if (unit_hours(s, &h->from, &h->to))
		h->set = true;
	else
		diag_fault(l->diag, n, "must be from one time of day to "
		    "another, as 22:00-06:00");
}

/* Room for more rows behind those that are there. */
static struct src_match *
make_room(struct load *l, const struct node *n, const struct field *f,
    struct rows *rows, size_t more)
{
	struct src_match *to;

	if (rows->count + more > (size_t)f->max) {
		diag_fault(l->diag, n, "has more than %lld entries",
		    (long long)f->max);
		return NULL;
	}
	to = vault_alloc(l->scratch, (rows->count + more) * sizeof *to);
	if (to == NULL) {
		diag_nomem(l->diag);
		return NULL;
	}
	if (rows->count > 0)
		memcpy(to, rows->items, rows->count * sizeof *to);
	rows->items = to;
	return to;
}

static const char *
keep_name(struct load *l, const struct node *n, const struct field *f,
    const char *name)
{
	char lower[129];
	const char *wrong;
	size_t i;

	if (f->flags & F_HEADER)
		wrong = value_header_seen(name);
	else
		wrong = strlen(name) > 128 ? "the name is too long" :
			value_text(name);
	if (wrong != NULL) {
		diag_fault(l->diag, n, "%s", wrong);
		return NULL;
	}
	for (i = 0; name[i] != '\0'; i++)
		lower[i] = (char)((f->flags & F_HEADER) ?
		    tolower((unsigned char)name[i]) : name[i]);
	lower[i] = '\0';
	return read_keep(l, lower);
}

static void
add_match(struct load *l, const struct node *n, const struct field *f,
    const char *name, struct rows *rows)
{
	const struct field patterns = { .key = f->key, .type = V_STRINGS,
		.max = 256 };
	struct src_match *all = rows->items, *m = &all[rows->count];
	size_t i;

	m->node = n;
	m->name = keep_name(l, n, f, name);
	read_strings(l, n, &patterns, &m->patterns);
	if (m->name == NULL)
		return; /* said */
	for (i = 0; i < rows->count; i++)
		if (strcmp(all[i].name, m->name) == 0) {
			diag_fault(l->diag, n, "'%s' stands twice", m->name);
			return;
		}
	rows->count++;
}

/* `metadata.env: x`, or `metadata: { env: x }`, or both. */
void
read_matches(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	size_t len = strlen(f->key);
	struct rows *rows = out;
	const struct node *c;

	if (n->key[len] == '.') {
		if (make_room(l, n, f, rows, 1) != NULL)
			add_match(l, n, f, n->key + len + 1, rows);
		return;
	}
	if (n->kind != NODE_MAP) {
		diag_fault(l->diag, n, "must be a map of names and patterns");
		return;
	}
	if (n->count == 0)
		diag_fault(l->diag, n, "is empty; leave it out");
	else if (make_room(l, n, f, rows, n->count) != NULL)
		for (c = n->first; c != NULL; c = c->next)
			add_match(l, c, f, c->key, rows);
}
