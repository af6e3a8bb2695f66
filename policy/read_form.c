/*
 * Values with a form of their own: sets of words, times that may be measured
 * ones, names with numbers, money a time.
 */
#include <string.h>

#include "policy/load.h"
#include "policy/price.h"
#include "policy/read.h"
#include "policy/schema.h"
#include "policy/unit.h"

#define SCORE_MAX 100000 /* sanity: of any benchmark */

/* One word or a list of them. */
void
read_set(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const struct node *c = n->kind == NODE_LIST ? n->first : n;
	const struct word *w;
	unsigned bits = 0;

	if (n->kind == NODE_LIST && c == NULL)
		diag_fault(l->diag, n, "is empty; leave it out");
	for (; c != NULL; c = c == n ? NULL : c->next) {
		w = read_word(l, c, f);
		if (w != NULL)
			bits |= (unsigned)w->value;
	}
	*(unsigned *)out = bits;
}

/* "p95" as 95, or 0. */
static unsigned
quantile(const char *s)
{
	if (s[0] != 'p' || s[1] < '1' || s[1] > '9')
		return 0;
	if (s[2] == '\0')
		return (unsigned)(s[1] - '0');
	if (s[2] < '0' || s[2] > '9' || s[3] != '\0')
		return 0;
	return (unsigned)((s[1] - '0') * 10 + s[2] - '0');
}

void
read_delay(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = read_scalar(l, n);
	struct src_delay *d = out;
	char most[32];
	int64_t us;

	if (s == NULL)
		return;
	d->time = 0;
	d->quantile = quantile(s);
	if (d->quantile > 0)
		return;
	if (strcmp(s, "none") == 0 || !unit_duration(s, &us))
		diag_fault(l->diag, n, "must be a duration, as 300ms, or a "
		    "quantile of what was measured, as p95");
	else if (us > f->max)
		diag_fault(l->diag, n, "must be at most %s",
		    field_bound(f, f->max, most, sizeof most));
	else
		d->time = us;
}

/* Names and numbers. */
void
read_scores(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	struct rows *rows = out;
	struct src_score *to;
	const struct node *c;
	const char *s, *wrong;
	int64_t nano;

	if (n->kind != NODE_MAP) {
		diag_fault(l->diag, n, "must be a map of names and numbers");
		return;
	}
	to = read_room(l, n, f, sizeof *to, rows);
	if (to == NULL)
		return;
	for (c = n->first; c != NULL; c = c->next, to++) {
		rows->count++;
		to->node = c;
		wrong = strlen(c->key) > 128 ? "the name is too long" :
			value_text(c->key);
		if (wrong != NULL)
			diag_fault(l->diag, c, "%s", wrong);
		else
			to->name = read_keep(l, c->key);
		s = read_scalar(l, c);
		if (s == NULL)
			continue;
		if (!price_parse(s, strlen(s), &nano) ||
		    nano > SCORE_MAX * INT64_C(1000000000))
			diag_fault(l->diag, c, "must be a number from 0 to %d, "
			    "as 40 or 72.5", SCORE_MAX);
		else
			to->value = (double)nano / 1e9;
	}
}

void
read_budget(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = read_scalar(l, n);
	struct src_money *m = out;

	(void)f;
	if (s == NULL)
		return;
	m->read = unit_budget(s, &m->amount, &m->span);
	if (!m->read)
		diag_fault(l->diag, n, "must be money an hour, day, week or "
		    "month, as 0.50 USD / day, or credit, as 25 USD once; at "
		    "most 9000000 USD");
}

/* One more into an ascending list of as many as there is room for. */
static void
add_percent(struct load *l, const struct node *n, const struct field *f,
    unsigned *list)
{
	const char *s = read_scalar(l, n);
	unsigned i, k;
	int64_t v;

	if (s == NULL)
		return;
	if (!unit_share(s, &v) || v < f->min || v > f->max) {
		diag_fault(l->diag, n, "must be whole per cent from %d %% to "
		    "%d %%, as 80 %%", (int)f->min, (int)f->max);
		return;
	}
	for (i = 0; list[i] != 0 && list[i] < (unsigned)v; i++)
		;
	if (list[i] == (unsigned)v) {
		diag_fault(l->diag, n, "stands twice");
		return;
	}
	for (k = BUDGET_WARNINGS - 1; k > i; k--)
		list[k] = list[k - 1];
	list[i] = (unsigned)v;
}

void
read_percents(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const struct node *c = n->kind == NODE_LIST ? n->first : n;

	memset(out, 0, BUDGET_WARNINGS * sizeof(unsigned));
	if (n->kind == NODE_LIST && c == NULL)
		diag_fault(l->diag, n, "is empty; leave it out");
	else if (n->kind == NODE_LIST && n->count > BUDGET_WARNINGS)
		diag_fault(l->diag, n, "has more than %d entries",
		    BUDGET_WARNINGS);
	else
		for (; c != NULL; c = c == n ? NULL : c->next)
			add_percent(l, c, f, out);
}
