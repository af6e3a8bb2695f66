/* One table of series; each is written for all deployments in turn. */
#include "app/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/health.h"
#include "app/worker.h"
#include "config.h"

#define OTHER "other" /* deployments that the policy does not name */

struct row {
	const char *id; /* of the policy */
	struct standing st;
	struct health_sums sums;
};

struct rows {
	const struct policy *policy;
	struct row *list;
	size_t count, size;
	struct row other;
	bool any_other;
	int64_t now;
};

/* One sample, written with its labels already open: name{deployment="…" */
struct sample {
	struct buf *b;
	const char *name;
	const struct row *row;
	int64_t now;
};

/* A label's value: backslash, quote and line end are escaped. */
static void
put_value(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\' || *s == '"' || *s == '\n')
			buf_putc(b, '\\');
		buf_putc(b, *s == '\n' ? 'n' : *s);
	}
}

/* more: a further label, or NULL. */
static void
begin(const struct sample *s, const char *more, const char *value)
{
	size_t provider = strcspn(s->row->id, "/");

	buf_printf(s->b, "%s{deployment=\"", s->name);
	put_value(s->b, s->row->id);
	buf_puts(s->b, "\",provider=\"");
	if (s->row->id[provider] == '/')
		buf_put(s->b, s->row->id, provider);
	else
		buf_puts(s->b, OTHER);
	buf_putc(s->b, '"');
	if (more != NULL)
		buf_printf(s->b, ",%s=\"%s\"", more, value);
	buf_puts(s->b, "} ");
}

static void
put_count(const struct sample *s, uint64_t n)
{
	begin(s, NULL, NULL);
	buf_printf(s->b, "%" PRIu64 "\n", n);
}

static void
put_real(const struct sample *s, double value)
{
	begin(s, NULL, NULL);
	buf_printf(s->b, "%.6g\n", value);
}

static void
cooling(const struct sample *s)
{
	put_real(s, s->row->st.cooling == 0 ? 0 :
	    (double)(s->row->st.cooling - s->now) / 1e6);
}

static void
available(const struct sample *s)
{
	put_count(s, s->row->st.why == 0);
}

static void
in_flight(const struct sample *s)
{
	put_count(s, s->row->st.in_flight);
}

static void
success(const struct sample *s)
{
	put_real(s, s->row->st.success / 1000.0);
}

static void
quantile(const struct sample *s, const char *q, int64_t us)
{
	if (us == 0)
		return; /* too few samples */
	begin(s, "quantile", q);
	buf_printf(s->b, "%.6g\n", (double)us / 1e6);
}

static void
ttft(const struct sample *s)
{
	quantile(s, "0.5", s->row->st.p50);
	quantile(s, "0.9", s->row->st.p90);
	quantile(s, "0.95", s->row->st.p95);
}

static void
speed(const struct sample *s)
{
	if (s->row->st.speed != 0)
		put_real(s, (double)s->row->st.speed / 1000);
}

static void
attempts(const struct sample *s)
{
	put_count(s, s->row->sums.attempts);
}

static void
served(const struct sample *s)
{
	put_count(s, s->row->sums.served);
}

static void
given_up(const struct sample *s)
{
	put_count(s, s->row->sums.given_up);
}

static void
hedges(const struct sample *s)
{
	put_count(s, s->row->sums.hedges);
}

static void
probes(const struct sample *s)
{
	put_count(s, s->row->sums.probes);
}

static void
failures(const struct sample *s)
{
	unsigned i;

	for (i = 0; i < FAIL_WORDS; i++) {
		if (s->row->sums.failed[i] == 0)
			continue;
		begin(s, "kind", fail_word(1U << i));
		buf_printf(s->b, "%" PRIu64 "\n", s->row->sums.failed[i]);
	}
}

static void
tokens(const struct sample *s)
{
	begin(s, "direction", "input");
	buf_printf(s->b, "%" PRIu64 "\n", s->row->sums.input);
	begin(s, "direction", "output");
	buf_printf(s->b, "%" PRIu64 "\n", s->row->sums.output);
}

static const struct {
	const char *name, *type, *help;
	void (*put)(const struct sample *s);
} series[] = {
	{ "tollgate_deployment_available", "gauge",
	    "1 when the deployment is well, 0 when it rests or is to be tried "
	    "by one request.", available },
	{ "tollgate_deployment_cooling_seconds", "gauge",
	    "How long the deployment still rests, 0 when it does not.",
	    cooling },
	{ "tollgate_deployment_in_flight", "gauge",
	    "Attempts under way, of all workers of this host.", in_flight },
	{ "tollgate_deployment_success_ratio", "gauge",
	    "Share of attempts of the last minute that were served.",
	    success },
	{ "tollgate_deployment_ttft_seconds", "gauge",
	    "Learned time from the request to its first content.", ttft },
	{ "tollgate_deployment_output_tokens_per_second", "gauge",
	    "Learned speed of answers.", speed },
	{ "tollgate_deployment_attempts_total", "counter",
	    "Attempts that were begun.", attempts },
	{ "tollgate_deployment_served_total", "counter",
	    "Attempts that were served.", served },
	{ "tollgate_deployment_given_up_total", "counter",
	    "Attempts that lost a race or whose client left.", given_up },
	{ "tollgate_deployment_failures_total", "counter",
	    "Failures by kind; an attempt may have several.", failures },
	{ "tollgate_deployment_hedges_total", "counter",
	    "Attempts that were begun beside another one.", hedges },
	{ "tollgate_deployment_probes_total", "counter",
	    "Attempts that were to find out whether it is back.", probes },
	{ "tollgate_deployment_tokens_total", "counter",
	    "Tokens as the provider counted them.", tokens },
};

/* Counters of one that is not to be named. */
static void
lump(struct row *to, const struct standing *st, const struct health_sums *sums)
{
	unsigned i;

	to->st.in_flight += st->in_flight;
	to->sums.attempts += sums->attempts;
	to->sums.served += sums->served;
	to->sums.hedges += sums->hedges;
	to->sums.probes += sums->probes;
	to->sums.given_up += sums->given_up;
	to->sums.input += sums->input;
	to->sums.output += sums->output;
	for (i = 0; i < FAIL_WORDS; i++)
		to->sums.failed[i] += sums->failed[i];
}

static void
add(void *arg, const char *id, const struct standing *st,
    const struct health_sums *sums)
{
	struct rows *rows = arg;
	const struct deployment *d = policy_target(rows->policy, id);
	size_t size = rows->size == 0 ? 64 : 2 * rows->size;
	struct row *list;

	if (d != NULL && rows->count == rows->size) {
		list = reallocarray(rows->list, size, sizeof *list);
		if (list != NULL) {
			rows->list = list;
			rows->size = size;
		}
	}
	if (d == NULL || rows->count == rows->size) {
		lump(&rows->other, st, sums);
		rows->any_other = true;
		return;
	}
	rows->list[rows->count++] = (struct row){ d->id, *st, *sums };
}

static void
put_series(const struct rows *rows, struct buf *b)
{
	struct sample s = { .b = b, .now = rows->now };
	size_t i, k;

	for (i = 0; i < sizeof series / sizeof series[0]; i++) {
		s.name = series[i].name;
		buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", s.name,
		    series[i].help, s.name, series[i].type);
		for (k = 0; k < rows->count; k++) {
			s.row = &rows->list[k];
			series[i].put(&s);
		}
		s.row = &rows->other;
		if (rows->any_other)
			series[i].put(&s);
	}
}

enum verdict
metrics_serve(struct request *r)
{
	struct rows rows = { .policy = r->policy, .now = clock_mono(),
		.other = { .id = OTHER, .st = { .success = 1000 } } };
	struct buf b;

	if ((r->key->may & MAY_METRICS) == 0)
		return request_fail(r, ERR_NOT_ALLOWED, NULL,
		    "this key may not read /metrics");
	health_each(r->worker->health, rows.now, add, &rows);
	buf_init(&b, LIMIT_REPLY);
	buf_puts(&b, "# HELP tollgate_build_info The program that answers.\n"
		     "# TYPE tollgate_build_info gauge\n"
		     "tollgate_build_info{version=\"" PACKAGE_VERSION
		     "\"} 1\n");
	buf_printf(&b, "# HELP tollgate_budget_warnings_total Warnings that a "
	    "share of a budget is used.\n"
	    "# TYPE tollgate_budget_warnings_total counter\n"
	    "tollgate_budget_warnings_total %llu\n",
	    (unsigned long long)health_warnings(r->worker->health));
	put_series(&rows, &b);
	free(rows.list);
	if (b.failed) {
		buf_free(&b);
		return request_fail(r, ERR_INTERNAL, NULL, "out of memory");
	}
	answer_head(r, 200, "text/plain; version=0.0.4; charset=utf-8",
	    (long long)b.len);
	answer_bytes(r, b.data, b.len);
	buf_free(&b);
	return DONE;
}
