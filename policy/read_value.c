/*
 * Single values, and lists and maps of them, each looked at alone. No word
 * about a secret holds any of it.
 */
#include <string.h>
#include <strings.h>

#include "app/base/arena.h"
#include "policy/load.h"
#include "policy/read.h"
#include "policy/schema.h"
#include "policy/secret.h"
#include "policy/unit.h"
#include "policy/url.h"
#include "policy/vault.h"

const char *
read_scalar(struct load *l, const struct node *n)
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

const char *
read_keep(struct load *l, const char *s)
{
	char *copy = arena_str(l->arena, s);

	if (copy == NULL)
		diag_nomem(l->diag);
	return copy;
}

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
	case V_USE:
		return value_use(s);
	case V_MODEL:
		return value_model(s);
	case V_URL:
		return url_flaw(s);
	case V_STORE:
		return value_store(s);
	case V_LOG:
		return value_log(s);
	case V_PATH:
		return value_path(s);
	case V_ZONE:
		return value_zone(s, l->outside);
	case V_RETENTION:
		return value_retention(s);
	case V_PATTERNS:
		return value_pattern(s);
	case V_REGEX:
		return NULL; /* it is compiled later */
	default:
		return value_text(s);
	}
}

static const char *
read_checked(struct load *l, const struct node *n, const struct field *f)
{
	const char *s = read_scalar(l, n), *wrong;

	if (s == NULL)
		return NULL;
	if (f->max > 0 && n->len > (size_t)f->max) {
		diag_fault(l->diag, n, "is longer than %lld bytes",
		    (long long)f->max);
		return NULL;
	}
	wrong = text_flaw(l, f, s);
	if (wrong == NULL)
		return f->type == V_STORE ? s : read_keep(l, s);
	diag_fault(l->diag, n, "%s", wrong);
	return NULL;
}

void
read_text(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = read_checked(l, n, f);

	/* The address of a store may hold a password. */
	if (s != NULL && f->type == V_STORE) {
		s = vault_dup(l->vault, n->text, n->len);
		if (s == NULL)
			diag_nomem(l->diag);
	}
	*(const char **)out = s;
}

void
read_secret(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	struct vault *v = f->type == V_ONCE ? l->scratch : l->vault;
	const char *s = read_scalar(l, n), *secret;

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

void
read_hash(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	static const char scheme[] = "hmac-sha256:";
	size_t len = sizeof scheme - 1;
	const char *s = read_scalar(l, n);

	(void)f;
	if (s == NULL)
		return;
	if (strncmp(s, scheme, len) != 0 || n->len != len + 2 * KEY_HASH ||
	    strspn(s + len, "0123456789abcdefABCDEF") != 2 * KEY_HASH)
		diag_fault(l->diag, n,
		    "must be hmac-sha256: and 64 hexadecimal digits");
	else
		*(const char **)out = read_keep(l, s + len);
}

static void
out_of_range(struct load *l, const struct node *n, const struct field *f)
{
	char least[32], most[32];

	diag_fault(l->diag, n, "must be from %s to %s%s",
	    field_bound(f, f->min, least, sizeof least),
	    field_bound(f, f->max, most, sizeof most),
	    f->type == V_RATE ? ": no sane price is beyond" : "");
}

static const struct word *
word_find(const struct word *w, const char *s)
{
	for (; w != NULL && w->name != NULL; w++)
		if (strcmp(w->name, s) == 0)
			return w;
	return NULL;
}

static bool
rate(const char *text, int64_t *nano)
{
	return price_parse(text, strlen(text), nano);
}

/* What a number is read with, and what is said of one that is none. */
static const struct {
	bool (*parse)(const char *text, int64_t *out);
	const char *wrong;
} numbers[V_TYPES] = {
	[V_DURATION] = { unit_duration,
		"must be a duration with a unit, as 300ms, 2s or 5m" },
	[V_COUNT] = { unit_count, "must be a whole number, as 3, 40k or 1M" },
	[V_SHARE] = { unit_share, "must be whole per cent, as 20 %" },
	[V_HOURLY] = { unit_hourly,
		"must be money an hour, as 1.50 USD / hour" },
	[V_RATE] = { rate, "must be an amount of USD, as 0.15" },
	[V_DATE] = { unit_date, "must be an RFC 3339 date, as 2027-01-31 or "
		"2027-01-31T12:00:00Z" },
};

static void
no_number(struct load *l, const struct node *n, const struct field *f)
{
	const struct word *w = f->words;

	if (w == NULL)
		diag_fault(l->diag, n, "%s", numbers[f->type].wrong);
	else /* every list of such words has two */
		diag_fault(l->diag, n, "%s; or %s or %s",
		    numbers[f->type].wrong, w[0].name, w[1].name);
}

/*
 * A number of the type, in its bounds, or a word that stands for one; preset
 * texts pass here too.
 */
void
read_number(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = read_scalar(l, n);
	const struct word *w;
	int64_t v = 0;

	if (s == NULL)
		return;
	w = word_find(f->words, s);
	if (w != NULL)
		*(int64_t *)out = w->value;
	else if (!numbers[f->type].parse(s, &v))
		no_number(l, n, f);
	else if (v < f->min || (f->max > 0 && v > f->max))
		out_of_range(l, n, f);
	else
		*(int64_t *)out = v;
}

void
read_bool(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const char *s = read_scalar(l, n);

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

const struct word *
read_word(struct load *l, const struct node *n, const struct field *f)
{
	const char *s = read_scalar(l, n);
	const struct word *w;
	struct guess g;
	char hint[128];

	if (s == NULL)
		return NULL;
	w = word_find(f->words, s);
	if (w != NULL && w->value != WORD_LATER)
		return w;
	if (w != NULL) {
		diag_fault(l->diag, n, "'%s' is not supported by this version",
		    s);
		return NULL;
	}
	guess_init(&g, s);
	for (w = f->words; w->name != NULL; w++)
		guess_offer(&g, w->name);
	diag_fault(l->diag, n, "unknown %s '%.40s'%s", f->key, s,
	    guess_words(&g, hint, sizeof hint));
	return NULL;
}

void
read_choice(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const struct word *w = read_word(l, n, f);

	if (w != NULL)
		*(int *)out = w->value;
}

void *
read_room(struct load *l, const struct node *n, const struct field *f,
    size_t size, struct rows *rows)
{
	bool list = n->kind == NODE_LIST || f->type == V_MAP ||
	    f->type == V_HEADERS || f->type == V_SCORES;
	size_t count = list ? n->count : 1;

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

void
read_strings(struct load *l, const struct node *n, const struct field *f,
    void *out)
{
	const struct field one = { .type = f->type, .max = 256 };
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
	items = read_room(l, n, f, sizeof *items, rows);
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
	const char *s = read_scalar(l, n), *wrong;

	if (s == NULL || !secret_is_reference(s))
		return s == NULL ? NULL : read_checked(l, n, &text);
	s = secret_read(l, n, l->vault, 4096, false);
	wrong = s == NULL ? NULL : value_text(s);
	if (wrong == NULL)
		return s;
	diag_fault(l->diag, n, "%s", wrong);
	return NULL;
}

void
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
	h = read_room(l, n, f, sizeof *h, rows);
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
		h->name = read_keep(l, c->key);
		h->value = header_value(l, c);
	}
}
