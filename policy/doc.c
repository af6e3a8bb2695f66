/* The reference, written from the table of schema.c. */
#include "app/base/buf.h"
#include "policy/policy.h"
#include "policy/schema.h"

/* A chapter's address within the page. */
static void
put_anchor(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++)
		buf_putc(out, *s == ' ' ? '-' : *s);
}

/* "`fallback`, `weighted`" */
static void
put_choices(struct buf *out, const struct field *f)
{
	const struct word *w;
	bool first = true;

	for (w = f->words; w->name != NULL; w++)
		if (w->value != WORD_LATER) {
			buf_printf(out, "%s`%s`", first ? "" : ", ", w->name);
			first = false;
		}
}

/* "list of target", "map by name", "`fallback`, `weighted`", "duration". */
static void
put_type(struct buf *out, const struct field *f)
{
	char least[32], most[32];

	if (f->words != NULL)
		put_choices(out, f);
	if (f->type == V_SET)
		buf_puts(out, "; one or a list");
	if (f->type == V_CHOICE || f->type == V_SET)
		return;
	buf_printf(out, "%s%s", f->words != NULL ? " or " : "",
	    type_words(f->type)->name);
	if (f->shape != NULL) {
		buf_printf(out, " of [%s](#", f->shape->name);
		put_anchor(out, f->shape->title);
		buf_putc(out, ')');
	}
	if (f->type == V_COUNT || f->type == V_DURATION || f->type == V_SHARE)
		buf_printf(out, ", %s to %s",
		    field_bound(f, f->min, least, sizeof least),
		    field_bound(f, f->max, most, sizeof most));
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
		if (w->help != NULL && w->help[0] != '\0') {
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
		buf_printf(out, f->flags & F_DOT ? "| `%s`, `%s.NAME` | " :
		    "| `%s` | ", f->key, f->key);
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
    "A first policy:\n"
    "\n"
    "```yaml\n"
    "providers:\n"
    "  openai: { key: env:OPENAI_API_KEY }\n"
    "models:\n"
    "  smart: openai/gpt-5.4\n"
    "keys:\n"
    "  - { name: me, secret: env:MY_KEY }\n"
    "```\n"
    "\n"
    "## How values are written\n"
    "\n"
    "| type | written as |\n"
    "|---|---|\n"
    "| duration | a number and a unit: `300ms`, `1.5s`, `5m`, `1h`, "
    "`90 days`; `none` or `0` for no bound |\n"
    "| number | digits, with `k` for thousand and `M` for million: `3`, "
    "`40k`, `1.5M` |\n"
    "| USD | a decimal number: `0.15`; from 0 to 10000 a million, or 1000 "
    "each |\n"
    "| USD / hour | `1.50 USD / hour` |\n"
    "| money a time | `0.50 USD / day`; `hour`, `day`, `week` (from Monday) "
    "and `month` are those of the calendar; `25 USD once` is credit that is "
    "used up |\n"
    "| per cent | a whole number and the sign: `20 %` |\n"
    "| quantile | `p50`, `p95`: of a hundred measured times, the 50th, the "
    "95th |\n"
    "| scores | names and numbers: `{ \"SWE-Bench Verified\": 40, "
    "triage: 72.5 }` |\n"
    "| comparison | `\"> 8000\"`, `\"<= 40k\"`, `100..2k`, or a number "
    "alone; of per cent `\"< 20 %\"`, `10..20 %` |\n"
    "| times of day | `\"22:00-06:00\"` |\n"
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
	shapes_gather(&all, &policy_shape);
	for (i = 0; i < all.count; i++) {
		buf_printf(out, "\n## %s\n\n%s\n\n", all.list[i]->title,
		    all.list[i]->help);
		put_table(out, all.list[i]);
		put_later(out, all.list[i]);
		if (all.list[i]->example != NULL)
			buf_printf(out, "\n```yaml\n%s```\n",
			    all.list[i]->example);
	}
}
