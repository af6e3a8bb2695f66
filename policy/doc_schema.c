/*
 * The JSON Schema, written from the table of schema.c. The JSON is put
 * together by hand: its texts are our own, plain and few.
 */
#include <inttypes.h>
#include <string.h>

#include "app/base/buf.h"
#include "policy/policy.h"
#include "policy/schema.h"

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
	const struct type_words *words = type_words(t);

	buf_puts(out, t == V_BOOL ? "\"type\": \"boolean\"" :
	    words->number ? "\"type\": [ \"string\", \"number\" ]" :
	    "\"type\": \"string\"");
	if (words->pattern != NULL) {
		buf_puts(out, ", \"pattern\": ");
		put_json(out, words->pattern);
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

/* One text or a list of them. */
static void
put_strings(struct buf *out, const struct field *f)
{
	(void)f;
	buf_puts(out, "\"anyOf\": [ { \"type\": [ \"string\", \"number\" "
	    "] }, { \"type\": \"array\", \"minItems\": 1, "
	    "\"items\": { \"type\": [ \"string\", \"number\" ] } } ]");
}

/* A number, or a word that stands for one. */
static void
put_count(struct buf *out, const struct field *f)
{
	if (f->words != NULL) {
		buf_puts(out, "\"anyOf\": [ { ");
		put_choice(out, f);
		buf_puts(out, " }, { ");
	}
	put_scalar(out, f->type);
	if (f->words != NULL)
		buf_puts(out, " } ]");
}

static void
put_list(struct buf *out, const struct field *f)
{
	buf_printf(out, "\"type\": \"array\", \"minItems\": %" PRId64
	    ", \"maxItems\": %" PRId64 ", \"items\": ", f->min, f->max);
	put_ref(out, f->shape);
}

/* One of the words, or a list of them. */
static void
put_set(struct buf *out, const struct field *f)
{
	buf_puts(out, "\"anyOf\": [ { ");
	put_choice(out, f);
	buf_puts(out, " }, { \"type\": \"array\", \"minItems\": 1, "
	    "\"items\": { ");
	put_choice(out, f);
	buf_puts(out, " } } ]");
}

/* One share, or some of them. */
static void
put_percents(struct buf *out, const struct field *f)
{
	buf_puts(out, "\"anyOf\": [ { ");
	put_scalar(out, f->type);
	buf_printf(out, " }, { \"type\": \"array\", \"minItems\": 1, "
	    "\"maxItems\": %d, \"items\": { ", BUDGET_WARNINGS);
	put_scalar(out, f->type);
	buf_puts(out, " } } ]");
}

static void
put_scores(struct buf *out, const struct field *f)
{
	buf_printf(out, "\"type\": \"object\", \"minProperties\": %" PRId64
	    ", \"maxProperties\": %" PRId64 ", \"additionalProperties\": { ",
	    f->min, f->max);
	put_scalar(out, V_RATE);
	buf_puts(out, " }");
}

static void
put_matches(struct buf *out, const struct field *f)
{
	buf_puts(out, "\"type\": \"object\", \"minProperties\": 1, "
	    "\"additionalProperties\": { ");
	put_strings(out, f);
	buf_puts(out, " }");
}

static void
put_headers(struct buf *out, const struct field *f)
{
	(void)f;
	buf_puts(out, "\"type\": \"object\", \"additionalProperties\": "
	    "{ \"type\": [ \"string\", \"number\" ] }");
}

static void
put_struct(struct buf *out, const struct field *f)
{
	buf_puts(out, "\"allOf\": [ ");
	put_ref(out, f->shape);
	buf_puts(out, " ]");
}

static void
put_rows(struct buf *out, const struct field *f)
{
	if ((f->flags & F_ONE) == 0) {
		put_list(out, f);
		return;
	}
	buf_puts(out, "\"anyOf\": [ ");
	put_ref(out, f->shape);
	buf_puts(out, ", { ");
	put_list(out, f);
	buf_puts(out, " } ]");
}

static void
put_map(struct buf *out, const struct field *f)
{
	buf_puts(out, "\"type\": \"object\", \"propertyNames\": { ");
	put_scalar(out, V_NAME);
	buf_puts(out, " }, \"additionalProperties\": ");
	put_ref(out, f->shape);
}

/* Those that are no single text of a form. */
static void (*const writers[V_TYPES])(struct buf *, const struct field *) = {
	[V_CHOICE] = put_choice,
	[V_COUNT] = put_count,
	[V_SET] = put_set,
	[V_PERCENTS] = put_percents,
	[V_SCORES] = put_scores,
	[V_STRINGS] = put_strings,
	[V_PATTERNS] = put_strings,
	[V_MATCHES] = put_matches,
	[V_HEADERS] = put_headers,
	[V_STRUCT] = put_struct,
	[V_LIST] = put_rows,
	[V_MAP] = put_map,
};

static void
put_value(struct buf *out, const struct field *f)
{
	if (writers[f->type] != NULL)
		writers[f->type](out, f);
	else
		put_scalar(out, f->type);
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

/* Keys of which only the beginning is fixed: metadata.NAME. */
static void
put_dotted(struct buf *out, const struct shape *s, const char *indent)
{
	const struct field *f;
	const char *sep = "";

	for (f = s->fields; f->key != NULL; f++) {
		if (!(f->flags & F_DOT))
			continue;
		if (sep[0] == '\0')
			buf_printf(out, ",\n%s\"patternProperties\": { ",
			    indent);
		buf_printf(out, "%s\"^%s\\\\..+$\": { ", sep, f->key);
		put_strings(out, f);
		buf_puts(out, " }");
		sep = ", ";
	}
	if (sep[0] != '\0')
		buf_puts(out, " }");
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
	put_dotted(out, s, indent);
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
	if (brief->type == V_LIST) { /* a single value is no map here */
		put_scalar(out, brief_field(brief->shape)->type);
		buf_puts(out, " },\n        { ");
		put_list(out, brief);
	} else {
		put_value(out, brief);
	}
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
	shapes_gather(&all, &policy_shape);
	for (i = 1; i < all.count; i++) {
		put_def(out, all.list[i]);
		buf_puts(out, i + 1 < all.count ? ",\n" : "\n");
	}
	buf_puts(out, "  }\n}\n");
}
