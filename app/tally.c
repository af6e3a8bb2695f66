/* Usage by words, until the ledger gets it. */
#include "app/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/siphash.h"

#define ROWS LEDGER_ROWS /* as many as one settle takes */
#define WORDS 6

struct kept {
	struct usage_row row;
	uint64_t hash; /* of its words and day */
	char words[WORDS][LEDGER_WORD];
};

struct tally {
	uint64_t key[2];
	unsigned count;
	struct kept kept[ROWS];
};

struct tally *
tally_new(void)
{
	struct tally *t = calloc(1, sizeof *t);

	if (t != NULL)
		siphash_key(t->key);
	return t;
}

void
tally_free(struct tally *t)
{
	free(t);
}

/* The words of a row, in one order. */
static void
words_of(struct usage_row *row, const char ***out)
{
	out[0] = &row->key;
	out[1] = &row->team;
	out[2] = &row->user;
	out[3] = &row->tag;
	out[4] = &row->model;
	out[5] = &row->provider;
}

/* A row with its words in place of its own, cut to their room. */
static void
keep(struct tally *t, struct kept *k, const struct usage_row *row)
{
	const char **words[WORDS];
	unsigned i;

	memset(k, 0, sizeof *k);
	k->row = *row;
	words_of(&k->row, words);
	for (i = 0; i < WORDS; i++) {
		snprintf(k->words[i], LEDGER_WORD, "%s",
		    *words[i] == NULL ? "" : *words[i]);
		*words[i] = k->words[i];
	}
	k->hash = siphash(t->key, k->words, sizeof k->words) ^
	    (uint64_t)(uint32_t)row->day;
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

/* Kept under the address that its words have now. */
static void
move(struct kept *to, const struct kept *from)
{
	const char **words[WORDS];
	unsigned i;

	*to = *from;
	words_of(&to->row, words);
	for (i = 0; i < WORDS; i++)
		*words[i] = to->words[i];
}

static struct kept *
find(struct tally *t, const struct kept *k)
{
	unsigned i;

	for (i = 0; i < t->count; i++)
		if (t->kept[i].hash == k->hash &&
		    t->kept[i].row.day == k->row.day &&
		    memcmp(t->kept[i].words, k->words, sizeof k->words) == 0)
			return &t->kept[i];
	return NULL;
}

void
tally_add(struct tally *t, struct ledger *l, const struct usage_row *rows,
    unsigned n)
{
	struct kept k, *have;
	unsigned i;

	for (i = 0; i < n; i++) {
		keep(t, &k, &rows[i]);
		have = find(t, &k);
		if (have != NULL && have->row.cost <
		    LEDGER_MAX - rows[i].cost) {
			add(&have->row, &rows[i]);
			continue;
		}
		if (t->count == ROWS)
			tally_flush(t, l);
		move(&t->kept[t->count++], &k);
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
