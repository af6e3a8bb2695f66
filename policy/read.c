/*
 * From nodes to structs, by the table of schema.c: maps, lists and rows. Each
 * value is read by the reader of its type (read_value.c); what must fit
 * together is checked afterwards.
 */
#include "policy/read.h"

#include <string.h>

#include "policy/load.h"
#include "policy/schema.h"

static void read_shape(struct load *l, const struct node *n,
    const struct shape *s, void *out);
static void blank(struct load *l, const struct shape *s, bool presets,
    void *out);
static void read_value(struct load *l, const struct node *n,
    const struct field *f, void *out);

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
		row->name = read_keep(l, n->key);
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
	at = read_room(l, n, f, f->shape->size, rows);
	if (at == NULL)
		return;
	if (n->kind != want) { /* one value alone */
		read_row(l, n, f, (struct row *)(void *)at);
		rows->count = 1;
		return;
	}
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
	[V_USE] = read_text,
	[V_MODEL] = read_text,
	[V_SECRET] = read_secret,
	[V_ONCE] = read_secret,
	[V_DOCUMENT] = read_secret,
	[V_URL] = read_text,
	[V_STORE] = read_text,
	[V_LOG] = read_text,
	[V_PATH] = read_text,
	[V_ZONE] = read_text,
	[V_RETENTION] = read_text,
	[V_HASH] = read_hash,
	[V_REGEX] = read_text,
	[V_DURATION] = read_number,
	[V_COUNT] = read_number,
	[V_SHARE] = read_number,
	[V_HOURLY] = read_number,
	[V_RATE] = read_number,
	[V_DATE] = read_number,
	[V_BOOL] = read_bool,
	[V_CHOICE] = read_choice,
	[V_SET] = read_set,
	[V_DELAY] = read_delay,
	[V_BUDGET] = read_budget,
	[V_PERCENTS] = read_percents,
	[V_RANGE] = read_range,
	[V_SHARES] = read_range,
	[V_HOURS] = read_hours,
	[V_STRINGS] = read_strings,
	[V_PATTERNS] = read_strings,
	[V_HEADERS] = read_headers,
	[V_SCORES] = read_scores,
	[V_MATCHES] = read_matches,
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
	size_t n;

	for (f = s->fields; f->key != NULL; f++) {
		n = strlen(f->key);
		if (strncmp(f->key, key, n) == 0 && (key[n] == '\0' ||
		    ((f->flags & F_DOT) && key[n] == '.')))
			return f;
	}
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
read_key(struct load *l, const struct node *n, struct src_key *out)
{
	static const struct node nothing = { .kind = NODE_MAP };
	const struct field *f = field_find(&policy_shape, "keys");

	memset(out, 0, sizeof *out);
	if (n != NULL) {
		read_row(l, n, f, &out->row);
		return;
	}
	blank(l, f->shape, true, out);
	out->row.node = &nothing;
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
