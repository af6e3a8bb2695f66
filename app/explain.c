/* Plans in words. */
#include "app/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/base/buf.h"
#include "app/base/json.h"
#include "policy/price.h"

#define SECOND INT64_C(1000000)
#define MILLISECOND INT64_C(1000)

enum detail { DETAIL_ALL, DETAIL_REASONS, DETAIL_OUT, DETAIL_COUNTS };

#define FEW 8 /* that are named of a list, with counts */

static const char *const strategies[] = {
	[STRATEGY_FALLBACK] = "fallback",
	[STRATEGY_WEIGHTED] = "weighted",
	[STRATEGY_LEAST_BUSY] = "least_busy",
	[STRATEGY_LOWEST_LATENCY] = "lowest_latency",
	[STRATEGY_CHEAPEST] = "cheapest",
	[STRATEGY_RACE] = "race",
};

static const char *const lists[FALLBACK_KINDS] = {
	[FALLBACK_GENERAL] = "general",
	[FALLBACK_CONTEXT] = "context_window",
	[FALLBACK_CONTENT] = "content_policy",
};

const char *
strategy_word(enum strategy s)
{
	return strategies[s];
}

static const char *
strategy_of(const struct plan *plan)
{
	return plan->model == NULL ? "direct" :
	    strategy_word(plan->model->strategy);
}

/* --------------------------------------------------------------- JSON */

static void
text(struct json_writer *w, const char *key, const char *value)
{
	jw_key(w, key);
	if (value == NULL)
		jw_null(w);
	else
		jw_string(w, value);
}

static void
number(struct json_writer *w, const char *key, int64_t n)
{
	jw_key(w, key);
	jw_int(w, n);
}

static void
order(struct json_writer *w, const char *key,
    const struct deployment *const *list, size_t count, size_t most)
{
	size_t i;

	jw_key(w, key);
	jw_array(w);
	for (i = 0; i < count && i < most; i++)
		jw_string(w, list[i]->id);
	jw_end_array(w);
}

static void
hedge(struct json_writer *w, const struct hedge *h)
{
	char after[32];

	jw_key(w, "hedge");
	if (h == NULL) {
		jw_null(w);
		return;
	}
	if (h->quantile != 0)
		snprintf(after, sizeof after, "p%u", h->quantile);
	else
		snprintf(after, sizeof after, "%lldms",
		    (long long)(h->after / MILLISECOND));
	jw_object(w);
	text(w, "after", after);
	number(w, "budget_percent", h->share);
	jw_end_object(w);
}

static void
figures(struct json_writer *w, const struct candidate *c, int64_t now)
{
	const struct standing *st = &c->standing;
	char usd[32];

	if (c->price >= 0) {
		price_format(c->price, usd, sizeof usd);
		text(w, "price", usd);
	}
	if (!isnan(c->score)) {
		jw_key(w, "score");
		jw_double(w, c->score);
	}
	if (st->cooling > now)
		number(w, "cooling_ms", (st->cooling - now) / MILLISECOND);
	if (st->ttft != 0)
		number(w, "ttft_ms", st->ttft / MILLISECOND);
	if (st->p90 != 0)
		number(w, "ttft_p90_ms", st->p90 / MILLISECOND);
	if (st->speed != 0)
		number(w, "tokens_per_second", st->speed / 1000);
	number(w, "success_permille", st->success);
	number(w, "in_flight", st->in_flight);
}

/* How many are in, and out for which reason. */
static void
counts(struct json_writer *w, const struct plan *plan)
{
	int64_t n[OUT_REASONS] = { 0 };
	size_t i;

	for (i = 0; i < plan->all_count; i++)
		n[plan->all[i].out]++;
	jw_key(w, "counts");
	jw_object(w);
	for (i = 0; i < OUT_REASONS; i++)
		if (n[i] > 0)
			number(w, out_word((enum out)i), n[i]);
	jw_end_object(w);
}

static void
candidates(struct json_writer *w, const struct plan *plan, int64_t now,
    enum detail detail)
{
	const struct candidate *c;
	size_t i;

	jw_key(w, "deployments");
	jw_array(w);
	for (i = 0; i < plan->all_count; i++) {
		c = &plan->all[i];
		if (detail == DETAIL_OUT && c->out == OUT_NOT)
			continue;
		jw_object(w);
		text(w, "deployment", c->deployment->id);
		if (!c->target)
			text(w, "list", lists[c->kind]);
		text(w, "out", c->out == OUT_NOT ? NULL : out_word(c->out));
		if (detail == DETAIL_ALL)
			figures(w, c, now);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void
write_json(const struct plan *plan, enum err e, const struct fault *f,
    int64_t now, enum detail detail, struct buf *out)
{
	size_t most = detail == DETAIL_COUNTS ? FEW : SIZE_MAX;
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w);
	text(&w, "model", plan->asked);
	text(&w, "rule", plan->rule == NULL ? NULL : plan->rule->name);
	text(&w, "strategy", strategy_of(plan));
	number(&w, "attempts", plan->attempts);
	if (e != ERR_OK)
		text(&w, "error", f->text);
	order(&w, "order", plan->order, plan->count, most);
	order(&w, "context_window", plan->instead[FALLBACK_CONTEXT],
	    plan->instead_count[FALLBACK_CONTEXT], most);
	order(&w, "content_policy", plan->instead[FALLBACK_CONTENT],
	    plan->instead_count[FALLBACK_CONTENT], most);
	hedge(&w, plan->hedge);
	if (detail == DETAIL_COUNTS)
		counts(&w, plan);
	else
		candidates(&w, plan, now, detail);
	jw_end_object(&w);
}

void
explain_json(const struct plan *plan, enum err e, const struct fault *f,
    int64_t now, size_t most, struct buf *out)
{
	size_t begin = out->len;
	enum detail detail;

	for (detail = DETAIL_ALL; detail <= DETAIL_COUNTS; detail++) {
		out->len = begin;
		write_json(plan, e, f, now, detail, out);
		if (most == 0 || out->len - begin <= most)
			return;
	}
}

/* -------------------------------------------------------------- table */

/* Its place among those that will be tried, 0 = none. */
static size_t
place(const struct plan *plan, const struct candidate *c)
{
	size_t i;

	for (i = 0; i < plan->count; i++)
		if (plan->order[i] == c->deployment)
			return i + 1;
	return 0;
}

static void
table_row(const struct plan *plan, const struct candidate *c, int64_t now,
    struct buf *out)
{
	const struct standing *st = &c->standing;
	char order_text[24] = "-", price[40] = "-", ttft[24] = "-";
	size_t n = place(plan, c);

	if (n > 0 && c->out == OUT_NOT)
		snprintf(order_text, sizeof order_text, "%zu", n);
	if (c->price >= 0)
		price_format(c->price, price, sizeof price);
	if (st->ttft != 0)
		snprintf(ttft, sizeof ttft, "%.3fs",
		    (double)st->ttft / 1e6);
	buf_printf(out, "%-5s  %-44s %-12s %10s %9s %7.1f%%", order_text,
	    c->deployment->id, c->target ? "target" : lists[c->kind], price,
	    ttft, st->success / 10.0);
	if (c->out != OUT_NOT)
		buf_printf(out, "  out: %s", out_word(c->out));
	if (st->cooling > now)
		buf_printf(out, " (%.1fs)", (double)(st->cooling - now) / 1e6);
	buf_putc(out, '\n');
}

void
explain_table(const struct plan *plan, enum err e, const struct fault *f,
    int64_t now, struct buf *out)
{
	size_t i;

	buf_printf(out, "model     %s\n", plan->asked);
	if (plan->rule != NULL)
		buf_printf(out, "rule      %s\n", plan->rule->name);
	buf_printf(out, "strategy  %s\nattempts  %u\n", strategy_of(plan),
	    plan->attempts);
	if (plan->cooled)
		buf_puts(out, "all of its deployments rest; the least bad is "
		    "tried once\n");
	if (e != ERR_OK)
		buf_printf(out, "refused   %s\n", f->text);
	buf_printf(out, "\n%-5s  %-44s %-12s %10s %9s %8s\n", "order",
	    "deployment", "from", "price USD", "TTFT", "success");
	for (i = 0; i < plan->all_count; i++)
		table_row(plan, &plan->all[i], now, out);
}
