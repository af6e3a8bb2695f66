/* Faults of a policy: gathered, sorted, told. */
#include "policy/diag.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/buf.h"
#include "policy/yaml.h"

#define SAY_MAX 1000 /* faults told; the rest is counted */
#define TEXT_MAX 400
#define PATH_MAX_SHOWN 200
#define WORD_MAX 64

struct say {
	const struct source_file *file;
	unsigned line, column;
	size_t nth; /* keeps the order of those at one place */
	bool warning;
	char path[PATH_MAX_SHOWN];
	char text[TEXT_MAX];
};

struct diag {
	struct say *list;
	size_t count, size, more, faults;
	bool nomem;
};

struct diag *
diag_new(void)
{
	return calloc(1, sizeof(struct diag));
}

void
diag_free(struct diag *d)
{
	if (d == NULL)
		return;
	free(d->list);
	free(d);
}

void
diag_nomem(struct diag *d)
{
	d->nomem = true;
}

bool
diag_short(const struct diag *d)
{
	return d->nomem;
}

bool
diag_full(const struct diag *d)
{
	return d->count == SAY_MAX;
}

bool
diag_failed(const struct diag *d)
{
	return d->nomem || d->faults > 0;
}

static struct say *
say_new(struct diag *d, bool warning)
{
	struct say *list;
	size_t size;

	if (!warning)
		d->faults++;
	if (d->count == SAY_MAX) {
		d->more++;
		return NULL;
	}
	if (d->count == d->size) {
		size = d->size == 0 ? 16 : 2 * d->size;
		list = realloc(d->list, size * sizeof *list);
		if (list == NULL) {
			d->nomem = true;
			return NULL;
		}
		d->list = list;
		d->size = size;
	}
	memset(&d->list[d->count], 0, sizeof *d->list);
	d->list[d->count].nth = d->count;
	d->list[d->count].warning = warning;
	return &d->list[d->count++];
}

/* Terminals and logs read this: no control characters. */
static void
make_plain(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

/* "models.smart.targets[1]", from the top of the tree down. */
static size_t
path_put(const struct node *n, char *out, size_t size)
{
	size_t at;
	int w;

	out[0] = '\0';
	if (n->parent == NULL)
		return 0;
	at = path_put(n->parent, out, size);
	if (n->key != NULL)
		w = snprintf(out + at, size - at, "%s%.80s",
		    at > 0 ? "." : "", n->key);
	else
		w = snprintf(out + at, size - at, "[%u]", n->index);
	if (w < 0)
		return at;
	at += (size_t)w;
	return at < size ? at : size - 1;
}

static void say_at(struct diag *d, const struct node *n, bool warning,
    const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

static void
say_at(struct diag *d, const struct node *n, bool warning, const char *fmt,
    va_list ap)
{
	struct say *s = say_new(d, warning);

	if (s == NULL)
		return;
	s->file = n->file;
	s->line = n->line;
	s->column = n->column;
	path_put(n, s->path, sizeof s->path);
	vsnprintf(s->text, sizeof s->text, fmt, ap);
}

void
diag_fault(struct diag *d, const struct node *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_at(d, n, false, fmt, ap);
	va_end(ap);
}

void
diag_warn(struct diag *d, const struct node *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_at(d, n, true, fmt, ap);
	va_end(ap);
}

void
diag_fault_at(struct diag *d, const struct source_file *file, unsigned line,
    const char *path, const char *fmt, ...)
{
	struct say *s = say_new(d, false);
	va_list ap;

	if (s == NULL)
		return;
	s->file = file;
	s->line = line;
	snprintf(s->path, sizeof s->path, "%s", path);
	va_start(ap, fmt);
	vsnprintf(s->text, sizeof s->text, fmt, ap);
	va_end(ap);
}

static int
compare(const void *pa, const void *pb)
{
	const struct say *a = pa, *b = pb;

	if (a->file->order != b->file->order)
		return a->file->order < b->file->order ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return a->nth < b->nth ? -1 : 1;
}

/* "file:line: path: " */
static void
put_place(struct buf *out, const struct say *s)
{
	bool file = *s->file->path != '\0';

	if (file)
		buf_printf(out, "%s:%u: ", s->file->path, s->line);
	if (*s->path != '\0' || file)
		buf_printf(out, "%s: ", *s->path == '\0' ? "policy" : s->path);
}

void
diag_write(struct diag *d, struct buf *out)
{
	struct say *s;
	size_t i;

	if (d->count > 0)
		qsort(d->list, d->count, sizeof *d->list, compare);
	for (i = 0; i < d->count; i++) {
		s = &d->list[i];
		make_plain(s->path);
		make_plain(s->text);
		put_place(out, s);
		buf_printf(out, "%s%s\n", s->warning ? "warning: " : "",
		    s->text);
	}
	if (d->more > 0)
		buf_printf(out, "policy: %zu more faults are not shown\n",
		    d->more);
	if (d->nomem)
		buf_puts(out, "policy: out of memory\n");
}

/* Damerau-Levenshtein, with three rows; words are cut at WORD_MAX. */
static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], *two = rows[0], *one = rows[1];
	size_t *now = rows[2], *t, la, lb, i, j, best;

	la = strnlen(a, WORD_MAX);
	lb = strnlen(b, WORD_MAX);
	memset(rows, 0, sizeof rows);
	for (j = 0; j <= lb; j++)
		one[j] = j;
	for (i = 1; i <= la; i++) {
		now[0] = i;
		for (j = 1; j <= lb; j++) {
			best = one[j - 1] + (a[i - 1] != b[j - 1]);
			if (one[j] + 1 < best)
				best = one[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && two[j - 2] + 1 < best)
				best = two[j - 2] + 1;
			now[j] = best;
		}
		t = two;
		two = one;
		one = now;
		now = t;
	}
	return one[lb];
}

void
guess_init(struct guess *g, const char *word)
{
	g->word = word;
	g->best = NULL;
	g->distance = (strnlen(word, WORD_MAX) + 2) / 3;
}

void
guess_offer(struct guess *g, const char *name)
{
	size_t n, la = strnlen(g->word, WORD_MAX), lb = strnlen(name, WORD_MAX);

	/* Cheap bound first: thousands of names may be offered. */
	if ((la > lb ? la - lb : lb - la) > g->distance)
		return;
	n = distance(g->word, name);
	if (n < g->distance || (n == g->distance && g->best == NULL)) {
		g->best = name;
		g->distance = n;
	}
}

const char *
guess_words(const struct guess *g, char *out, size_t size)
{
	out[0] = '\0';
	if (g->best != NULL)
		snprintf(out, size, " (did you mean '%.80s'?)", g->best);
	return out;
}
