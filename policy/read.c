/*
 * From nodes to values, by the table of schema.c: one reader a type. Looks
 * at each value alone; what must fit together is checked afterwards.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "app/base/arena.h"
#include "policy/load.h"
#include "policy/schema.h"
#include "policy/secret.h"
#include "policy/unit.h"
#include "policy/url.h"
#include "policy/vault.h"

typedef void read_fn(struct load *l, const struct node *n,
    const struct field *f, void *out);

static void read_shape(struct load *l, const struct node *n,
    const struct shape *s, void *out);
static void blank(struct load *l, const struct shape *s, bool presets,
    void *out);
static void read_value(struct load *l, const struct node *n,
    const struct field *f, void *out);

/* The text of a scalar that says something, or NULL. */
static const char *
scalar(struct load *l, const struct node *n)
{
	if (n->kind != NODE_SCALAR)
		diag_fault(l->diag, n, "must be a single value, not a %s",
		    n->kind == NODE_MAP ? "map" : "list");
	else if (n->len == 0 || node_null(n))
		diag_fault(l->diag, n, "has no value");
	else
		return n->text;
	return NULL;
}

static const char *
keep(struct load *l, const char *s)
{
	char *copy = arena_str(l->arena, s);

	if (copy == NULL)
		diag_nomem(l->diag);
	return copy;
}

/* Memory for the time of the load, zeroed. */
static void *
borrow(struct load *l, size_t count, size_t size)
{
	void *p = vault_alloc(l->scratch, count * size);

	if (p == NULL)
		diag_nomem(l->diag);
	return p;
}

/* What is wrong with a text of this type, or NULL. */
static const char *
text_flaw(struct load *l, const struct field *f, const char *s)
{
	switch (f->type) {
	case V_NAME:
		return value_name(s);
	case V_TARGET:
		return value_target(s);
	case V_MODEL:
		return value_model(s);
	case V_URL:
		return url_flaw(s);
	case V_STORE:
		return value_store(s);
	case V_LOG:
		return value_log(s);
	case V_ZONE:
		return value_zone(s, l->outside);
	case V_RETENTION:
		return value_retention(s);
	case V_PATTERNS:
		return value_pattern(s);
	default:
		return value_text(s);
	}
}

static const char *
read_checked(struct load *l, const struct node *n, const struct field *f)
{
	const char *s = scalar(l, n), *wrong;

	if (s == NULL)
		return NULL;
	if (f->max > 0 && n->len > (size_t)f->max) {
		diag_fault(l->diag, n, "is longer than %lld bytes",
		    (long long)f->max);
		return NULL;
	}
	wrong = text_flaw(l, f, s);
	if (wrong == NULL)
		return keep(l, s);
	diag_fault(l->diag, n, "%s", wrong);
	return NULL;
}

static void
read_text(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	*(const char **)out = read_checked(l, n, f);
}

static void
read_secret(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	struct vault *v = f->type == V_ONCE ? l->scratch : l->vault;
	const char *s = scalar(l, n), *secret;

	if (s == NULL)
		return;
	if (strcmp(s, "none") == 0) {
		if (f->flags & F_NONE)
			*(const char **)out = "";
		else
			diag_fault(l->diag, n, "cannot be none");
		return;
	}
	secret = secret_read(l, n, v, (size_t)f->max, f->type == V_DOCUMENT);
	if (secret != NULL && strlen(secret) < (size_t)f->min)
		diag_fault(l->diag, n, "is shorter than %lld bytes",
		    (long long)f->min);
	*(const char **)out = secret;
}

static void
read_hash(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	static const char scheme[] = "hmac-sha256:";
	size_t len = sizeof scheme - 1;
	const char *s = scalar(l, n);

	(void)f;
	if (s == NULL)
		return;
	if (strncmp(s, scheme, len) != 0 || n->len != len + 2 * KEY_HASH ||
	    strspn(s + len, "0123456789abcdefABCDEF") != 2 * KEY_HASH)
		diag_fault(l->diag, n,
		    "must be hmac-sha256: and 64 hexadecimal digits");
	else
		*(const char **)out = keep(l, s + len);
}

/* A bound as a person writes it. */
static const char *
bound(enum value_type t, int64_t v, char *out, size_t size)
{
	int64_t unit = t == V_RATE ? 1000000000 : t == V_DURATION ? 1000 : 1;
	const char *name = t == V_RATE ? " USD" : t == V_DURATION ? "ms" : "";

	if (t == V_DURATION && v % 1000000 == 0) {
		unit = 1000000;
		name = "s";
	}
	snprintf(out, size, "%lld%s", (long long)(v / unit), name);
	return out;
}

static void
out_of_range(struct load *l, const struct node *n, const struct field *f)
{
	char least[32], most[32];

	diag_fault(l->diag, n, "must be from %s to %s%s",
	    bound(f->type, f->min, least, sizeof least),
	    bound(f->type, f->max, most, sizeof most),
	    f->type == V_RATE ? ": no sane price is beyond" : "");
}

/* A number of the type, in its bounds; preset texts pass here too. */
static void
read_number(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = scalar(l, n);
	int64_t v = 0;
	bool ok = false;

	if (s == NULL)
		return;
	if (f->type == V_DURATION)
		ok = unit_duration(s, &v);
	else if (f->type == V_DATE)
		ok = unit_date(s, &v);
	else if (f->type == V_RATE)
		ok = price_parse(s, n->len, &v);
	else
		ok = unit_count(s, &v);
	if (!ok)
		diag_fault(l->diag, n, "%s",
		    f->type == V_DURATION ?
			"must be a duration with a unit, as 300ms, 2s or 5m" :
		    f->type == V_DATE ?
			"must be an RFC 3339 date, as 2027-01-31 or "
			"2027-01-31T12:00:00Z" :
		    f->type == V_RATE ?
			"must be an amount of USD, as 0.15" :
			"must be a whole number, as 3, 40k or 1M");
	else if (v < f->min || (f->max > 0 && v > f->max))
		out_of_range(l, n, f);
	else
		*(int64_t *)out = v;
}

static void
read_bool(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = scalar(l, n);

	(void)f;
	if (s == NULL)
		return;
	if (n->plain && strcmp(s, "true") == 0)
		*(bool *)out = true;
	else if (n->plain && strcmp(s, "false") == 0)
		*(bool *)out = false;
	else
		diag_fault(l->diag, n, "must be true or false");
}

static void
read_choice(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = scalar(l, n);
	const struct word *w;
	struct guess g;
	char hint[128];

	if (s == NULL)
		return;
	guess_init(&g, s);
	for (w = f->words; w->name != NULL; w++) {
		if (strcmp(w->name, s) == 0)
			break;
		guess_offer(&g, w->name);
	}
	if (w->name == NULL)
		diag_fault(l->diag, n, "unknown %s '%.40s'%s", f->key, s,
		    guess_words(&g, hint, sizeof hint));
	else if (w->value == WORD_LATER)
		diag_fault(l->diag, n, "'%s' is not supported by this version",
		    s);
	else
		*(int *)out = w->value;
}

/* Room for the children of a list, or for one value alone; false: said. */
static void *
rows_new(struct load *l, const struct node *n, const struct field *f,
    size_t size, struct rows *rows)
{
	size_t count = n->kind == NODE_SCALAR ? 1 : n->count;

	if (f->max > 0 && count > (size_t)f->max) {
		diag_fault(l->diag, n, "has more than %lld entries",
		    (long long)f->max);
		return NULL;
	}
	if (count < (size_t)f->min) {
		diag_fault(l->diag, n, "is empty");
		return NULL;
	}
	rows->count = 0; /* the key may stand twice: that is told elsewhere */
	rows->items = borrow(l, count, size);
	return rows->items;
}

static void
read_strings(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	struct field one = { .type = f->type, .max = 256 };
	struct rows *rows = out;
	const char **items;
	const struct node *c;

	if (n->kind == NODE_MAP) {
		diag_fault(l->diag, n, "must be a list");
		return;
	}
	if (node_null(n) || (n->kind == NODE_LIST && n->count == 0)) {
		/* "none at all" and "no bound" must not be mixed up. */
		diag_fault(l->diag, n, "is empty; leave it out");
		return;
	}
	items = rows_new(l, n, f, sizeof *items, rows);
	if (items == NULL)
		return;
	if (n->kind == NODE_SCALAR)
		items[rows->count++] = read_checked(l, n, &one);
	for (c = n->first; n->kind == NODE_LIST && c != NULL; c = c->next)
		items[rows->count++] = read_checked(l, c, &one);
}

static const char *
header_value(struct load *l, const struct node *n)
{
	static const struct field text = { .type = V_TEXT, .max = 4096 };
	const char *s = scalar(l, n), *wrong;

	if (s == NULL || !secret_is_reference(s))
		return s == NULL ? NULL : read_checked(l, n, &text);
	s = secret_read(l, n, l->vault, 4096, false);
	wrong = s == NULL ? NULL : value_text(s);
	if (wrong == NULL)
		return s;
	diag_fault(l->diag, n, "%s", wrong);
	return NULL;
}

static void
read_headers(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	struct rows *rows = out;
	struct header *h;
	const struct node *c, *d;
	const char *wrong;

	if (n->kind != NODE_MAP) {
		diag_fault(l->diag, n, "must be a map of names and values");
		return;
	}
	h = rows_new(l, n, f, sizeof *h, rows);
	if (h == NULL)
		return;
	for (c = n->first; c != NULL; c = c->next, h++) {
		rows->count++;
		wrong = value_header_name(c->key);
		for (d = n->first; d != c && wrong == NULL; d = d->next)
			if (strcasecmp(d->key, c->key) == 0 &&
			    strcmp(d->key, c->key) != 0)
				wrong = "stands twice, in other letters";
		if (wrong != NULL)
			diag_fault(l->diag, c, "%s", wrong);
		h->name = keep(l, c->key);
		h->value = header_value(l, c);
	}
}

static void
read_struct(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	if (n->kind != NODE_MAP && !node_null(n) && f->shape->brief == NULL)
		diag_fault(l->diag, n, "must be a map");
	else
		read_shape(l, n, f->shape, out);
}

/* One row of a list or map, with its head. */
static void
read_row(struct load *l, const struct node *n, const struct field *f,
    struct row *row)
{
	const char *wrong;

	row->node = n;
	blank(l, f->shape, true, row);
	if (f->type == V_MAP) {
		wrong = value_name(n->key);
		if (wrong == NULL && strlen(n->key) > 64)
			wrong = "the name is longer than 64 bytes";
		if (wrong != NULL)
			diag_fault(l->diag, n, "%s", wrong);
		row->name = keep(l, n->key);
	}
	if (n->kind != NODE_MAP && f->shape->brief == NULL &&
	    !(node_null(n) && f->type == V_MAP))
		diag_fault(l->diag, n, "must be a map");
	else
		read_shape(l, n, f->shape, row);
}

static void
read_rows(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	struct rows *rows = out;
	enum node_kind want = f->type == V_MAP ? NODE_MAP : NODE_LIST;
	const struct node *c;
	char *at;

	if (node_null(n) && f->min == 0)
		return;
	if (n->kind != want && (!(f->flags & F_ONE) || node_null(n))) {
		diag_fault(l->diag, n, "must be a %s", f->type == V_MAP ?
		    "map of names" : "list");
		return;
	}
	if (n->kind != want) { /* one value alone */
		rows->items = borrow(l, 1, f->shape->size);
		if (rows->items != NULL)
			read_row(l, n, f, rows->items);
		rows->count = rows->items != NULL;
		return;
	}
	at = rows_new(l, n, f, f->shape->size, rows);
	if (at == NULL)
		return;
	for (c = n->first; c != NULL; c = c->next) {
		read_row(l, c, f, (struct row *)(void *)at);
		at += f->shape->size;
		rows->count++;
	}
}

static void
read_later(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	(void)out;
	diag_fault(l->diag, n, "'%s' is not supported by this version",
	    f->key);
}

static read_fn *const readers[V_TYPES] = {
	[V_TEXT] = read_text,
	[V_NAME] = read_text,
	[V_TARGET] = read_text,
	[V_MODEL] = read_text,
	[V_SECRET] = read_secret,
	[V_ONCE] = read_secret,
	[V_DOCUMENT] = read_secret,
	[V_URL] = read_text,
	[V_STORE] = read_text,
	[V_LOG] = read_text,
	[V_ZONE] = read_text,
	[V_RETENTION] = read_text,
	[V_HASH] = read_hash,
	[V_DURATION] = read_number,
	[V_COUNT] = read_number,
	[V_RATE] = read_number,
	[V_DATE] = read_number,
	[V_BOOL] = read_bool,
	[V_CHOICE] = read_choice,
	[V_STRINGS] = read_strings,
	[V_PATTERNS] = read_strings,
	[V_HEADERS] = read_headers,
	[V_STRUCT] = read_struct,
	[V_LIST] = read_rows,
	[V_MAP] = read_rows,
	[V_LATER] = read_later,
};

static void
read_value(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	readers[f->type](l, n, f, out);
}

static const struct field *
field_find(const struct shape *s, const char *key)
{
	const struct field *f;

	for (f = s->fields; f->key != NULL; f++)
		if (strcmp(f->key, key) == 0)
			return f;
	return NULL;
}

static void
unknown(struct load *l, const struct node *n, const struct shape *s)
{
	const struct field *f;
	struct guess g;
	char hint[128];

	guess_init(&g, n->key);
	for (f = s->fields; f->key != NULL; f++)
		if (f->type != V_LATER)
			guess_offer(&g, f->key);
	diag_fault(l->diag, n, "unknown key '%.60s'%s", n->key,
	    guess_words(&g, hint, sizeof hint));
}

/* The same key twice was told by node_unique; the last one counts here. */
static void
read_shape(struct load *l, const struct node *n, const struct shape *s,
    void *out)
{
	const struct field *f;
	const struct node *c;

	if (n->kind != NODE_MAP && !node_null(n)) { /* has a brief form */
		f = field_find(s, s->brief);
		read_value(l, n, f, (char *)out + f->offset);
		return;
	}
	for (c = n->first; c != NULL; c = c->next) {
		f = field_find(s, c->key);
		if (f == NULL)
			unknown(l, c, s);
		else
			read_value(l, c, f, (char *)out + f->offset);
	}
	for (f = s->fields; f->key != NULL; f++)
		if ((f->flags & F_NEEDED) && node_get(n, f->key) == NULL)
			diag_fault(l->diag, n, "'%s' is missing", f->key);
}

/* What a struct holds before anything is read: presets or "not given". */
static void
blank(struct load *l, const struct shape *s, bool presets, void *out)
{
	const struct field *f;
	struct node text = { .kind = NODE_SCALAR, .plain = true };
	char *at;

	for (f = s->fields; f->key != NULL; f++) {
		at = (char *)out + f->offset;
		if (f->type == V_STRUCT) {
			blank(l, f->shape, !(f->flags & F_BARE), at);
		} else if (presets && f->preset != NULL) {
			text.text = f->preset;
			text.len = strlen(f->preset);
			read_value(l, &text, f, at);
		} else if (f->type >= V_DURATION && f->type <= V_DATE) {
			*(int64_t *)(void *)at = UNSET;
		}
	}
}

void
read_policy(struct load *l, const struct node *root, struct source *s)
{
	memset(s, 0, sizeof *s);
	blank(l, &policy_shape, true, s);
	if (root->kind != NODE_MAP)
		diag_fault(l->diag, root, "must be a map of sections");
	else
		read_shape(l, root, &policy_shape, s);
}
