/*
 * The reference and the JSON Schema, written from the table of schema.c. The
 * JSON is put together by hand: its texts are our own, plain and few.
 */
#include <inttypes.h>
#include <string.h>

#include "app/base/buf.h"
#include "policy/load.h"
#include "policy/schema.h"

#define SHAPES_MAX 16

/* The shapes that are met from the top, each once. */
struct shapes {
	const struct shape *list[SHAPES_MAX];
	const char *title[SHAPES_MAX]; /* key under which it is met first */
	size_t count;
};

static void
gather(struct shapes *all, const struct shape *s, const char *title)
{
	const struct field *f;
	size_t i;

	for (i = 0; i < all->count; i++)
		if (all->list[i] == s)
			return;
	if (all->count == SHAPES_MAX)
		return;
	all->list[all->count] = s;
	all->title[all->count++] = title;
	for (f = s->fields; f->key != NULL; f++)
		if (f->shape != NULL)
			gather(all, f->shape, f->key);
}

/* "list of target", "map by name", "`fallback`, `weighted`", "duration". */
static void
put_type(struct buf *out, const struct field *f)
{
	const struct word *w;
	bool first = true;

	if (f->type == V_CHOICE) {
		for (w = f->words; w->name != NULL; w++)
			if (w->value != WORD_LATER) {
				buf_printf(out, "%s`%s`", first ? "" : ", ",
				    w->name);
				first = false;
			}
		return;
	}
	buf_puts(out, type_words(f->type)->name);
	if (f->shape != NULL)
		buf_printf(out, " of [%s](#%s)", f->shape->name, f->key);
}

static void
put_default(struct buf *out, const struct field *f)
{
	if (f->flags & F_NEEDED)
		buf_puts(out, "must be given");
	else if (f->preset != NULL)
		buf_printf(out, "`%s`", f->preset);
	else if (f->otherwise != NULL)
		buf_puts(out, f->otherwise);
	else
		buf_puts(out, "-");
}

/* Bars would end a column of the table. */
static void
put_cell(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '|')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
}

static void
put_words(struct buf *out, const struct field *f)
{
	const struct word *w;
	const char *sep = ": ";

	if (f->words == NULL)
		return;
	for (w = f->words; w->name != NULL; w++)
		if (w->help != NULL) {
			buf_printf(out, "%s`%s` %s", sep, w->name, w->help);
			sep = ", ";
		}
}

static void
put_table(struct buf *out, const struct shape *s)
{
	const struct field *f;

	buf_puts(out, "| key | type | default | meaning |\n"
		      "|---|---|---|---|\n");
	for (f = s->fields; f->key != NULL; f++) {
		if (f->type == V_LATER)
			continue;
		buf_printf(out, "| `%s` | ", f->key);
		put_type(out, f);
		buf_puts(out, " | ");
		put_default(out, f);
		buf_puts(out, " | ");
		put_cell(out, f->help);
		put_words(out, f);
		buf_puts(out, " |\n");
	}
}

static void
put_later(struct buf *out, const struct shape *s)
{
	const struct field *f;
	const struct word *w;
	const char *sep = "\nKnown but refused by this version: ";
	bool any = false;

	for (f = s->fields; f->key != NULL; f++) {
		if (f->type == V_LATER) {
			buf_printf(out, "%s`%s` (%s)", sep, f->key, f->help);
			sep = ", ";
			any = true;
		}
		for (w = f->words; w != NULL && w->name != NULL; w++)
			if (w->value == WORD_LATER) {
				buf_printf(out, "%s`%s: %s`", sep, f->key,
				    w->name);
				sep = ", ";
				any = true;
			}
	}
	if (any)
		buf_puts(out, ".\n");
}

static const char doc_head[] =
    "# Policy reference\n"
    "\n"
    "<!-- Written by `make docs` from the table in policy/schema.c; a test "
    "compares. -->\n"
    "\n"
    "A policy is one YAML file (JSON is valid too) or a directory of them "
    "(`*.yaml`, `*.yml`, `*.json`, in order of name; their sections are "
    "merged). `TOLLGATE_POLICY` names it; `/etc/tollgate/policy.yaml` is the "
    "default. It is checked whole: `tollgate check` lists every fault with "
    "file, line and path, and a policy with faults never comes into force. "
    "`policy.schema.json` beside this page is the JSON Schema for editors.\n"
    "\n"
    "Left out of YAML: anchors, aliases, tags, merge keys and further "
    "documents. A pattern that begins with `*` needs quotes.\n"
    "\n"
    "## How values are written\n"
    "\n"
    "| type | written as |\n"
    "|---|---|\n"
    "| duration | a number and a unit: `300ms`, `1.5s`, `5m`, `1h`, "
    "`90 days`; `none` or `0` for no bound |\n"
    "| number | digits, with `k` for thousand and `M` for million: `3`, "
    "`40k`, `1.5M` |\n"
    "| USD | a decimal number: `0.15` |\n"
    "| date | RFC 3339: `2027-01-31` or `2027-01-31T12:00:00Z` |\n"
    "| name | letters, digits and `. _ - : @ +`, the first one a letter or "
    "digit |\n"
    "| pattern | a name, in which `*` stands for any characters |\n"
    "| secret | a reference, never the secret itself: `env:NAME` (a variable "
    "of the environment), `file:/path` (a regular file, no link, of this user "
    "or root, closed to others; one newline at its end is dropped), "
    "`plain:text` (with a warning). Empty secrets are refused |\n";

void
policy_doc(struct buf *out)
{
	struct shapes all = { .count = 0 };
	size_t i;

	buf_puts(out, doc_head);
	gather(&all, &policy_shape, "sections");
	for (i = 0; i < all.count; i++) {
		buf_printf(out, "\n## %s\n\n%s\n\n", all.title[i],
		    all.list[i]->help);
		put_table(out, all.list[i]);
		put_later(out, all.list[i]);
		if (all.list[i]->example != NULL)
			buf_printf(out, "\n```yaml\n%s```\n",
			    all.list[i]->example);
	}
}

/* A JSON string of one of our own texts. */
static void
put_json(struct buf *out, const char *s)
{
	buf_putc(out, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static void
put_ref(struct buf *out, const struct shape *s)
{
	const char *p;

	buf_puts(out, "{ \"$ref\": \"#/$defs/");
	for (p = s->name; *p != '\0'; p++)
		buf_putc(out, *p == ' ' ? '_' : *p);
	buf_puts(out, "\" }");
}

/* A text of a form; editors hand over 3 and 0.15 as numbers. */
static void
put_scalar(struct buf *out, enum value_type t)
{
	const char *pattern = type_words(t)->pattern;

	if (t == V_DURATION || t == V_COUNT || t == V_RATE)
		buf_puts(out, "\"type\": [ \"string\", \"number\" ]");
	else if (t == V_BOOL)
		buf_puts(out, "\"type\": \"boolean\"");
	else if (t == V_TEXT || t == V_NAME)
		buf_puts(out, "\"type\": [ \"string\", \"number\" ]");
	else
		buf_puts(out, "\"type\": \"string\"");
	if (pattern != NULL) {
		buf_puts(out, ", \"pattern\": ");
		put_json(out, pattern);
	}
}

static void
put_choice(struct buf *out, const struct field *f)
{
	const struct word *w;
	const char *sep = "\"enum\": [ ";

	for (w = f->words; w->name != NULL; w++)
		if (w->value != WORD_LATER) {
			buf_printf(out, "%s\"%s\"", sep, w->name);
			sep = ", ";
		}
	buf_puts(out, " ]");
}

static void
put_value(struct buf *out, const struct field *f)
{
	switch (f->type) {
	case V_CHOICE:
		put_choice(out, f);
		break;
	case V_STRINGS:
	case V_PATTERNS:
		buf_puts(out, "\"anyOf\": [ { \"type\": \"string\" }, "
		    "{ \"type\": \"array\", \"minItems\": 1, "
		    "\"items\": { \"type\": [ \"string\", \"number\" ] } } ]");
		break;
	case V_HEADERS:
		buf_puts(out, "\"type\": \"object\", "
		    "\"additionalProperties\": "
		    "{ \"type\": [ \"string\", \"number\" ] }");
		break;
	case V_STRUCT:
		buf_puts(out, "\"allOf\": [ ");
		put_ref(out, f->shape);
		buf_puts(out, " ]");
		break;
	case V_LIST:
		buf_puts(out, f->flags & F_ONE ? "\"anyOf\": [ " : "");
		if (f->flags & F_ONE) {
			put_ref(out, f->shape);
			buf_puts(out, ", { ");
		}
		buf_printf(out, "\"type\": \"array\", \"minItems\": %" PRId64
		    ", \"items\": ", f->min);
		put_ref(out, f->shape);
		buf_puts(out, f->flags & F_ONE ? " } ]" : "");
		break;
	case V_MAP:
		buf_puts(out, "\"type\": \"object\", \"propertyNames\": { ");
		put_scalar(out, V_NAME);
		buf_puts(out, " }, \"additionalProperties\": ");
		put_ref(out, f->shape);
		break;
	default:
		put_scalar(out, f->type);
		break;
	}
}

/* Keys that must be given. */
static void
put_required(struct buf *out, const struct shape *s, const char *indent)
{
	const struct field *f;
	bool any = false;

	for (f = s->fields; f->key != NULL; f++) {
		if (!(f->flags & F_NEEDED))
			continue;
		if (any)
			buf_puts(out, ", ");
		else
			buf_printf(out, ",\n%s\"required\": [ ", indent);
		put_json(out, f->key);
		any = true;
	}
	if (any)
		buf_puts(out, " ]");
}

/* The map itself: its keys, and no others. */
static void
put_object(struct buf *out, const struct shape *s, const char *indent)
{
	const struct field *f;
	const char *sep = "";

	buf_printf(out, "\"type\": [ \"object\", \"null\" ],\n%s"
	    "\"additionalProperties\": false,\n%s\"properties\": {\n", indent,
	    indent);
	for (f = s->fields; f->key != NULL; f++) {
		if (f->type == V_LATER)
			continue;
		buf_printf(out, "%s%s  \"%s\": { \"description\": ", sep,
		    indent, f->key);
		put_json(out, f->help);
		buf_printf(out, ",\n%s    ", indent);
		put_value(out, f);
		buf_puts(out, " }");
		sep = ",\n";
	}
	buf_printf(out, "\n%s}", indent);
	put_required(out, s, indent);
}

static const struct field *
brief_field(const struct shape *s)
{
	const struct field *f;

	for (f = s->fields; f->key != NULL; f++)
		if (s->brief != NULL && strcmp(f->key, s->brief) == 0)
			return f;
	return NULL;
}

static void
put_def(struct buf *out, const struct shape *s)
{
	const struct field *brief = brief_field(s);
	const char *p;

	buf_puts(out, "    \"");
	for (p = s->name; *p != '\0'; p++)
		buf_putc(out, *p == ' ' ? '_' : *p);
	buf_puts(out, "\": { \"description\": ");
	put_json(out, s->help);
	buf_puts(out, ",\n");
	if (brief == NULL) {
		buf_puts(out, "      ");
		put_object(out, s, "      ");
		buf_puts(out, " }");
		return;
	}
	buf_puts(out, "      \"anyOf\": [\n        { ");
	put_value(out, brief);
	buf_puts(out, " },\n        { ");
	put_object(out, s, "          ");
	buf_puts(out, " } ] }");
}

void
policy_schema(struct buf *out)
{
	struct shapes all = { .count = 0 };
	size_t i;

	buf_puts(out, "{\n  \"$schema\": "
	    "\"https://json-schema.org/draft/2020-12/schema\",\n"
	    "  \"title\": \"tollgate policy\",\n  ");
	put_object(out, &policy_shape, "  ");
	buf_puts(out, ",\n  \"$defs\": {\n");
	gather(&all, &policy_shape, "");
	for (i = 1; i < all.count; i++) {
		put_def(out, all.list[i]);
		buf_puts(out, i + 1 < all.count ? ",\n" : "\n");
	}
	buf_puts(out, "  }\n}\n");
}
