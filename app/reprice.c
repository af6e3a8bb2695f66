/* Costs of what was used, computed anew. */
#include "app/reprice.h"

#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/decimal.h"
#include "app/base/limits.h"
#include "app/ledger.h"
#include "policy/policy.h"

struct entry {
	struct usage_row row;
	enum reprice_kind kind;
	int64_t now; /* n$ */
};

struct reprice {
	const struct policy *policy;
	struct arena *arena, *scratch;
	struct entry *list;
	size_t count, size;
};

/* ---- prices ---- */

static bool
same_price(const struct price *a, const struct price *b)
{
	return a->known == b->known && a->tiers == b->tiers &&
	    memcmp(a->rate, b->rate, sizeof a->rate) == 0 &&
	    memcmp(a->service, b->service, sizeof a->service) == 0 &&
	    memcmp(a->tier, b->tier, a->tiers * sizeof a->tier[0]) == 0;
}

/* Take the price of those of a list at that provider; false: another one. */
static bool
take_prices(const struct deployment *list, size_t n, const char *provider,
    const struct price **out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(list[i].provider->name, provider) != 0)
			continue;
		if (*out != NULL && !same_price(*out, &list[i].price))
			return false;
		*out = &list[i].price;
	}
	return true;
}

/* The one price of a model at a provider, or NULL. */
static const struct price *
price_of(const struct policy *p, struct arena *a, const char *model,
    const char *provider)
{
	const struct model *m = policy_model(p, model);
	const struct price *price = NULL;
	struct deployment *d;
	int k;

	if (m == NULL) {
		d = arena_zalloc(a, sizeof *d);
		return d != NULL && policy_direct(p, model, a, d) &&
		    strcmp(d->provider->name, provider) == 0 ? &d->price :
		    NULL;
	}
	if (!take_prices(m->targets, m->target_count, provider, &price))
		return NULL;
	for (k = 0; k < FALLBACK_KINDS; k++)
		if (!take_prices(m->fallbacks[k].list, m->fallbacks[k].count,
		    provider, &price))
			return NULL;
	return price;
}

/* Do input, output and cached input tell all that it charges? */
static bool
told_by_rows(const struct price *p)
{
	static const struct {
		enum unit unit, as;
	} others[] = {
		{ UNIT_CACHE_WRITE, UNIT_INPUT },
		{ UNIT_CACHE_WRITE_1H, UNIT_INPUT },
		{ UNIT_AUDIO_INPUT, UNIT_INPUT },
		{ UNIT_IMAGE_INPUT, UNIT_INPUT },
		{ UNIT_REASONING, UNIT_OUTPUT },
		{ UNIT_AUDIO_OUTPUT, UNIT_OUTPUT },
		{ UNIT_IMAGE_OUTPUT, UNIT_OUTPUT },
	};
	/* A request that nobody answered is one in its row, and has no fee. */
	static const enum unit fees[] = { UNIT_CHARACTERS, UNIT_REQUEST,
		UNIT_IMAGE, UNIT_SENT_IMAGE, UNIT_SEARCH, UNIT_SECOND };
	size_t i;

	for (i = 0; i < sizeof others / sizeof others[0]; i++)
		if (price_rate(p, others[i].unit, 0) !=
		    price_rate(p, others[i].as, 0))
			return false;
	for (i = 0; i < sizeof fees / sizeof fees[0]; i++)
		if (price_rate(p, fees[i], 0) != 0)
			return false;
	for (i = 0; i < SERVICE_COUNT; i++)
		if (p->service[i] >= 0)
			return false;
	return p->tiers == 0;
}

enum reprice_kind
reprice_row(const struct policy *p, struct arena *scratch,
    const struct usage_row *row, int64_t *cost)
{
	const struct price *price = price_of(p, scratch, row->model,
	    row->provider);
	int64_t cached = row->cached < row->input ? row->cached : row->input;
	struct usage u = { .known = true };
	struct price plain;
	int64_t now;

	if (price == NULL || !price->known)
		return REPRICE_UNKNOWN;
	if (row->input == 0 && row->output == 0 && row->cost > 0)
		return REPRICE_ABOUT; /* charged, but nobody told the counts */
	plain = *price;
	plain.tiers = 0; /* a day is no request: none of them holds for it */
	u.n[UNIT_INPUT] = row->input - cached;
	u.n[UNIT_CACHED_INPUT] = cached;
	u.n[UNIT_OUTPUT] = row->output;
	u.n[UNIT_REQUEST] = row->requests;
	now = price_cost(&plain, &u);
	if (now > LEDGER_MAX)
		return REPRICE_UNKNOWN;
	/* Each request was rounded up by itself. */
	if (now <= row->cost && row->cost - now < row->requests)
		now = row->cost;
	*cost = now;
	return told_by_rows(price) ? REPRICE_EXACT : REPRICE_ABOUT;
}

/* ---- rows ---- */

struct reprice *
reprice_new(const struct policy *p)
{
	struct reprice *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->policy = p;
	r->arena = arena_new(MIB(512));
	r->scratch = arena_new(MIB(64));
	if (r->arena != NULL && r->scratch != NULL)
		return r;
	reprice_free(r);
	return NULL;
}

void
reprice_free(struct reprice *r)
{
	if (r == NULL)
		return;
	arena_free(r->arena);
	arena_free(r->scratch);
	free(r->list);
	free(r);
}

/* The words of a row, to copy and to compare. */
static void
words_of(struct usage_row *row, const char **out[6])
{
	const char **const all[6] = { &row->model, &row->provider, &row->key,
		&row->team, &row->user, &row->tag };

	memcpy(out, all, sizeof all);
}

bool
reprice_add(struct reprice *r, const struct usage_row *row)
{
	size_t size = r->size == 0 ? 256 : 2 * r->size, i;
	struct entry *grown;
	const char **word[6];

	if (r->count == r->size) {
		grown = reallocarray(r->list, size, sizeof *grown);
		if (grown == NULL)
			return false;
		r->list = grown;
		r->size = size;
	}
	memset(&r->list[r->count], 0, sizeof r->list[0]);
	r->list[r->count].row = *row;
	words_of(&r->list[r->count].row, word);
	for (i = 0; i < 6; i++) {
		*word[i] = arena_str(r->arena, *word[i] == NULL ? "" :
		    *word[i]);
		if (*word[i] == NULL)
			return false;
	}
	r->count++;
	return true;
}

static int
order(const void *pa, const void *pb)
{
	struct usage_row a = ((const struct entry *)pa)->row;
	struct usage_row b = ((const struct entry *)pb)->row;
	const char **wa[6], **wb[6];
	int i, c = 0;

	words_of(&a, wa);
	words_of(&b, wb);
	for (i = 0; i < 6 && c == 0; i++)
		c = strcmp(*wa[i], *wb[i]);
	return c != 0 ? c : (a.day > b.day) - (a.day < b.day);
}

/* Stores tell of a row in parts. */
static void
add_up(struct reprice *r)
{
	struct usage_row *to;
	const struct usage_row *from;
	size_t i, last = 0;

	if (r->count == 0)
		return;
	qsort(r->list, r->count, sizeof r->list[0], order);
	for (i = 1; i < r->count; i++) {
		if (order(&r->list[last], &r->list[i]) != 0) {
			r->list[++last] = r->list[i];
			continue;
		}
		to = &r->list[last].row;
		from = &r->list[i].row;
		to->requests += from->requests;
		to->input += from->input;
		to->output += from->output;
		to->cached += from->cached;
		to->cost += from->cost;
	}
	r->count = last + 1;
}

void
reprice_run(struct reprice *r)
{
	struct entry *e;
	size_t i;

	add_up(r);
	for (i = 0; i < r->count; i++) {
		e = &r->list[i];
		e->now = e->row.cost;
		e->kind = reprice_row(r->policy, r->scratch, &e->row,
		    &e->now);
		arena_reset(r->scratch);
	}
}

bool
reprice_change(const struct reprice *r, size_t *i, struct usage_row *out)
{
	const struct entry *e;

	while (*i < r->count) {
		e = &r->list[(*i)++];
		if (e->now == e->row.cost)
			continue;
		*out = e->row;
		out->requests = out->input = out->output = out->cached = 0;
		out->cost = e->now - e->row.cost;
		return true;
	}
	return false;
}

/* ---- what is shown ---- */

/* Rows of one model at one provider: from i to before what it returns. */
static size_t
group(const struct reprice *r, size_t i, struct entry *sum)
{
	size_t k;

	*sum = r->list[i];
	for (k = i + 1; k < r->count &&
	    strcmp(r->list[k].row.model, sum->row.model) == 0 &&
	    strcmp(r->list[k].row.provider, sum->row.provider) == 0; k++) {
		sum->row.requests += r->list[k].row.requests;
		sum->row.cost += r->list[k].row.cost;
		sum->now += r->list[k].now;
		if (r->list[k].kind > sum->kind)
			sum->kind = r->list[k].kind;
	}
	return k;
}

void
reprice_write(const struct reprice *r, struct buf *out)
{
	static const char *const kinds[REPRICE_KINDS] = { "exact", "about",
		"not known: left as it is" };
	char was[DECIMAL_SIZE], now[DECIMAL_SIZE], more[DECIMAL_SIZE];
	struct entry sum;
	int64_t all_was = 0, all_now = 0;
	size_t i = 0;

	buf_printf(out, "%-28s %-16s %10s %16s %16s %16s  %s\n", "MODEL",
	    "PROVIDER", "REQUESTS", "WAS USD", "NOW USD", "DIFFERENCE",
	    "KNOWN");
	while (i < r->count) {
		i = group(r, i, &sum);
		decimal(was, sum.row.cost, 9);
		decimal(now, sum.now, 9);
		decimal(more, sum.now - sum.row.cost, 9);
		buf_printf(out, "%-28s %-16s %10lld %16s %16s %16s  %s\n",
		    sum.row.model, sum.row.provider,
		    (long long)sum.row.requests, was, now, more,
		    kinds[sum.kind]);
		all_was += sum.row.cost;
		all_now += sum.now;
	}
	decimal(was, all_was, 9);
	decimal(now, all_now, 9);
	decimal(more, all_now - all_was, 9);
	buf_printf(out, "%-28s %-16s %10s %16s %16s %16s\n", "all", "", "",
	    was, now, more);
}
