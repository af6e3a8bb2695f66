/* Usage by words, until the ledger gets it. */
#include "app/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS LEDGER_ROWS /* as many as one settle takes */
#define WORDS 6

struct kept {
	struct usage_row row;
	char words[WORDS][LEDGER_WORD];
};

struct tally {
	unsigned count;
	struct kept kept[ROWS];
};

struct tally *
tally_new(void)
{
	return calloc(1, sizeof(struct tally));
}

void
tally_free(struct tally *t)
{
	free(t);
}

/* The words of a row, in one order. */
static void
words_of(const struct usage_row *row, const char *out[WORDS])
{
	unsigned i;

	out[0] = row->key;
	out[1] = row->team;
	out[2] = row->user;
	out[3] = row->tag;
	out[4] = row->model;
	out[5] = row->provider;
	for (i = 0; i < WORDS; i++)
		if (out[i] == NULL)
			out[i] = "";
}

/* A row with its words in place of its own, cut to their room. */
static void
keep(struct kept *k, const struct usage_row *row)
{
	const char *words[WORDS];
	unsigned i;

	words_of(row, words);
	for (i = 0; i < WORDS; i++)
		snprintf(k->words[i], LEDGER_WORD, "%s", words[i]);
	k->row = *row;
	k->row.key = k->words[0];
	k->row.team = k->words[1];
	k->row.user = k->words[2];
	k->row.tag = k->words[3];
	k->row.model = k->words[4];
	k->row.provider = k->words[5];
}

static void
add(struct usage_row *to, const struct usage_row *from)
{
	to->requests += from->requests;
	to->input += from->input;
	to->output += from->output;
	to->cached += from->cached;
	to->cost += from->cost;
}

static bool
same(const struct kept *k, const struct usage_row *row)
{
	const char *words[WORDS];
	unsigned i;

	words_of(row, words);
	for (i = 0; i < WORDS; i++)
		if (strncmp(k->words[i], words[i], LEDGER_WORD - 1) != 0)
			return false;
	return k->row.day == row->day;
}

static struct kept *
find(struct tally *t, const struct usage_row *row)
{
	unsigned i;

	for (i = 0; i < t->count; i++)
		if (same(&t->kept[i], row))
			return &t->kept[i];
	return NULL;
}

void
tally_add(struct tally *t, struct ledger *l, const struct usage_row *rows,
    unsigned n)
{
	struct kept *have;
	unsigned i;

	for (i = 0; i < n; i++) {
		have = find(t, &rows[i]);
		if (have != NULL && have->row.cost <
		    LEDGER_MAX - rows[i].cost) {
			add(&have->row, &rows[i]);
			continue;
		}
		if (t->count == ROWS)
			tally_flush(t, l);
		keep(&t->kept[t->count++], &rows[i]);
	}
}

void
tally_flush(struct tally *t, struct ledger *l)
{
	struct usage_row rows[ROWS];
	unsigned i;

	for (i = 0; i < t->count; i++)
		rows[i] = t->kept[i].row;
	if (t->count > 0)
		ledger_note(l, rows, t->count);
	t->count = 0;
}
