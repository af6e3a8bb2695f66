/* Rows are kept as they come; what is alike is added up once, sorted. */
#include "app/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/decimal.h"
#include "app/base/err.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/ledger.h"
#include "policy/unit.h"

#define NUMBERS 6
#define COST 4 /* from this one on they are n$ */
#define PLACES 9

static const char *const bys[USAGE_BYS] = { "day", "key", "team", "user",
	"tag", "model", "provider" };

static const struct {
	const char *name, *head;
} numbers[NUMBERS] = {
	{ "requests", "REQUESTS" },
	{ "input_tokens", "INPUT" },
	{ "output_tokens", "OUTPUT" },
	{ "cached_tokens", "CACHED" },
	{ "cost_nano", "COST USD" },
	{ "held_nano", "HELD USD" },
};

struct line {
	const char *word[USAGE_BYS]; /* "" where rows are not told apart */
	int64_t n[NUMBERS];
};

struct usage_table {
	struct arena *arena;
	unsigned by;
	struct line *line;
	size_t count, size;
	int32_t day_number; /* of the last row, and its text */
	const char *day_text;
};

/* ---- what is asked ---- */

/* The place of a word in a list, or its end: the fault has the list. */
static unsigned
find_word(const char *word, size_t len, const char *const *list,
    unsigned count, const char *name, const char *kind, struct fault *f)
{
	char all[128] = "";
	size_t at = 0;
	unsigned i;

	for (i = 0; i < count; i++)
		if (strlen(list[i]) == len && memcmp(list[i], word, len) == 0)
			return i;
	for (i = 0; i < count && at < sizeof all; i++)
		at += (size_t)snprintf(all + at, sizeof all - at, "%s%s",
		    i == 0 ? "" : ", ", list[i]);
	fault_set(f, ERR_BAD_REQUEST, name, "'%.*s' is no %s; there are %s",
	    len < 60 ? (int)len : 60, word, kind, all);
	return count;
}

bool
usage_by_read(const char *text, unsigned *by, struct fault *f)
{
	unsigned bits = 0, i;
	size_t n;

	for (;;) {
		n = strcspn(text, ",");
		i = find_word(text, n, bys, USAGE_BYS, "by", "column", f);
		if (i == USAGE_BYS)
			return false;
		bits |= 1U << i;
		if (text[n] == '\0')
			break;
		text += n + 1;
	}
	*by = bits;
	return true;
}

bool
usage_format_read(const char *text, enum usage_format *out, struct fault *f)
{
	static const char *const names[] = { "table", "csv", "json" };
	const unsigned count = sizeof names / sizeof names[0];
	unsigned i = find_word(text, strlen(text), names, count, "format",
	    "format", f);

	if (i == count)
		return false;
	*out = (enum usage_format)i;
	return true;
}

#define DAY_US (INT64_C(86400) * 1000000)

static int32_t
days_before(int32_t day, int64_t days)
{
	char text[16];
	int64_t t;
	struct tm tm;
	time_t at;

	snprintf(text, sizeof text, "%04d-%02d-%02d", day / 10000,
	    day / 100 % 100, day % 100);
	if (!unit_date(text, &t))
		return day;
	at = (time_t)(t - days * 86400);
	gmtime_r(&at, &tm);
	return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 +
	    tm.tm_mday;
}

static bool
read_day(const char *text, int32_t today, int32_t *out)
{
	int64_t us, t;
	int y, m, d, n = -1;

	if (sscanf(text, "%4d-%2d-%2d%n", &y, &m, &d, &n) == 3 &&
	    text[n] == '\0') {
		if (!unit_date(text, &t))
			return false;
		*out = y * 10000 + m * 100 + d;
		return true;
	}
	if (!unit_duration(text, &us) || us > 4000 * DAY_US)
		return false;
	*out = days_before(today, us <= DAY_US ? 0 :
	    (us + DAY_US - 1) / DAY_US - 1);
	return true;
}

bool
usage_day_read(const char *name, const char *text, int32_t today,
    int32_t *out, struct fault *f)
{
	if (read_day(text, today, out))
		return true;
	fault_set(f, ERR_BAD_REQUEST, name, "'%.60s' is neither a day, as "
	    "2026-11-01, nor a number of days, as 7d", text);
	return false;
}

/* ---- rows ---- */

struct usage_table *
usage_new(unsigned by)
{
	struct usage_table *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->by = by;
	t->arena = arena_new(MIB(512));
	if (t->arena == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
usage_free(struct usage_table *t)
{
	if (t == NULL)
		return;
	arena_free(t->arena);
	free(t->line);
	free(t);
}

static const char *
day_text(struct usage_table *t, int32_t day)
{
	if (t->day_text == NULL || t->day_number != day) {
		t->day_number = day;
		t->day_text = arena_printf(t->arena, "%04d-%02d-%02d",
		    day / 10000, day / 100 % 100, day % 100);
	}
	return t->day_text;
}

static struct line *
new_line(struct usage_table *t)
{
	size_t size = t->size == 0 ? 256 : t->size * 2;
	struct line *grown;

	if (t->count == t->size) {
		grown = reallocarray(t->line, size, sizeof *grown);
		if (grown == NULL)
			return NULL;
		t->line = grown;
		t->size = size;
	}
	memset(&t->line[t->count], 0, sizeof *t->line);
	return &t->line[t->count++];
}

/* One line, with that tag. */
static bool
add_line(struct usage_table *t, const struct usage_row *row, int64_t held,
    const char *tag)
{
	const char *const words[USAGE_BYS] = { NULL, row->key, row->team,
		row->user, tag, row->model, row->provider };
	const int64_t n[NUMBERS] = { row->requests, row->input, row->output,
		row->cached, row->cost, held };
	struct line *l = new_line(t);
	unsigned i;

	if (l == NULL)
		return false;
	memcpy(l->n, n, sizeof l->n);
	for (i = 0; i < USAGE_BYS; i++) {
		if ((t->by & 1U << i) == 0)
			l->word[i] = "";
		else if (i == USAGE_DAY)
			l->word[i] = day_text(t, row->day);
		else
			l->word[i] = arena_str(t->arena,
			    words[i] == NULL ? "" : words[i]);
		if (l->word[i] == NULL)
			return false;
	}
	return true;
}

bool
usage_add(struct usage_table *t, const struct usage_row *row, int64_t held)
{
	const char *tags = row->tag == NULL ? "" : row->tag;
	char tag[LEDGER_WORD];
	size_t n;

	if ((t->by & 1U << USAGE_TAG) == 0)
		return add_line(t, row, held, "");
	for (;; tags += n + 1) {
		n = strcspn(tags, ",");
		snprintf(tag, sizeof tag, "%.*s", (int)n, tags);
		if (!add_line(t, row, held, tag))
			return false;
		if (tags[n] == '\0')
			return true;
	}
}

static int
order(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int i, c = 0;

	for (i = 0; i < USAGE_BYS && c == 0; i++)
		c = strcmp(x->word[i], y->word[i]);
	return c;
}

static void
add_up(struct usage_table *t)
{
	size_t i, last = 0;
	int k;

	if (t->count == 0)
		return;
	qsort(t->line, t->count, sizeof *t->line, order);
	for (i = 1; i < t->count; i++) {
		if (order(&t->line[last], &t->line[i]) != 0) {
			t->line[++last] = t->line[i];
			continue;
		}
		for (k = 0; k < NUMBERS; k++)
			t->line[last].n[k] += t->line[i].n[k];
	}
	t->count = last + 1;
}

/* ---- forms ---- */

static void
write_json(const struct usage_table *t, struct buf *out)
{
	struct json_writer w;
	size_t i;
	int k;

	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "rows");
	jw_array(&w);
	for (i = 0; i < t->count; i++) {
		jw_object(&w);
		for (k = 0; k < USAGE_BYS; k++) {
			if ((t->by & 1U << k) == 0)
				continue;
			jw_key(&w, bys[k]);
			jw_string(&w, t->line[i].word[k]);
		}
		for (k = 0; k < NUMBERS; k++) {
			jw_key(&w, numbers[k].name);
			jw_int(&w, t->line[i].n[k]);
		}
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	buf_putc(out, '\n');
}

/* A cell of CSV (RFC 4180 §2). */
static void
put_cell(struct buf *out, const char *s)
{
	if (s[strcspn(s, ",\"\r\n")] == '\0') {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			buf_putc(out, '"');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static void
write_csv(const struct usage_table *t, struct buf *out)
{
	size_t i;
	int k;

	for (k = 0; k < USAGE_BYS; k++)
		if ((t->by & 1U << k) != 0)
			buf_printf(out, "%s,", bys[k]);
	for (k = 0; k < NUMBERS; k++)
		buf_printf(out, "%s%s", k == 0 ? "" : ",", numbers[k].name);
	buf_puts(out, "\r\n");
	for (i = 0; i < t->count; i++) {
		for (k = 0; k < USAGE_BYS; k++) {
			if ((t->by & 1U << k) == 0)
				continue;
			put_cell(out, t->line[i].word[k]);
			buf_putc(out, ',');
		}
		for (k = 0; k < NUMBERS; k++)
			buf_printf(out, "%s%lld", k == 0 ? "" : ",",
			    (long long)t->line[i].n[k]);
		buf_puts(out, "\r\n");
	}
}

/* Characters of UTF-8 text. */
static int
width(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void
put_word(struct buf *out, const char *s, int wide)
{
	int i;

	buf_puts(out, s);
	for (i = width(s); i < wide + 2; i++)
		buf_putc(out, ' ');
}

static void
put_numbers(const struct line *l, struct buf *out)
{
	char text[DECIMAL_SIZE];
	int k;

	for (k = 0; k < NUMBERS; k++) {
		decimal(text, l->n[k], k >= COST ? PLACES : 0);
		buf_printf(out, "%s%12s", k == 0 ? "" : "  ", text);
	}
	buf_putc(out, '\n');
}

static void
write_table(const struct usage_table *t, struct buf *out)
{
	static const char *const heads[USAGE_BYS] = { "DAY", "KEY", "TEAM",
		"USER", "TAG", "MODEL", "PROVIDER" };
	int wide[USAGE_BYS], k, w;
	size_t i;

	for (k = 0; k < USAGE_BYS; k++) {
		wide[k] = width(heads[k]);
		for (i = 0; i < t->count; i++) {
			w = width(t->line[i].word[k]);
			wide[k] = w > wide[k] ? w : wide[k];
		}
		if ((t->by & 1U << k) != 0)
			put_word(out, heads[k], wide[k]);
	}
	for (k = 0; k < NUMBERS; k++)
		buf_printf(out, "%s%12s", k == 0 ? "" : "  ",
		    numbers[k].head);
	buf_putc(out, '\n');
	for (i = 0; i < t->count; i++) {
		for (k = 0; k < USAGE_BYS; k++)
			if ((t->by & 1U << k) != 0)
				put_word(out, t->line[i].word[k], wide[k]);
		put_numbers(&t->line[i], out);
	}
}

void
usage_write(struct usage_table *t, enum usage_format format, struct buf *out)
{
	static void (*const forms[])(const struct usage_table *,
	    struct buf *) = {
		[USAGE_TABLE] = write_table,
		[USAGE_CSV] = write_csv,
		[USAGE_JSON] = write_json,
	};

	add_up(t);
	forms[format](t, out);
}
