/*
 * `tollgate health`: how the deployments stand, from the table that the
 * workers share; and forgetting what is held against them.
 */
#include "app/health_cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/cli.h"
#include "app/health.h"
#include "policy/state.h"

#define ALL "--all"

static const char usage[] =
    "usage: tollgate health [--json] [--pardon DEPLOYMENT | --pardon --all]\n";

struct row {
	char *id;
	struct standing st;
	struct health_sums sums;
};

struct rows {
	struct row *list;
	size_t count;
	int64_t now;
	bool failed; /* out of memory */
};

static void
add(void *arg, const char *id, const struct standing *st,
    const struct health_sums *sums)
{
	struct rows *rows = arg;
	struct row *list = reallocarray(rows->list, rows->count + 1,
	    sizeof *list);

	if (list == NULL) {
		rows->failed = true;
		return;
	}
	rows->list = list;
	list[rows->count] = (struct row){ strdup(id), *st, *sums };
	if (list[rows->count].id == NULL)
		rows->failed = true;
	else
		rows->count++;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->id,
	    ((const struct row *)b)->id);
}

static const char *
state_word(const struct row *r)
{
	if (r->st.why == 0)
		return "well";
	if (r->st.probing)
		return "probing";
	return r->st.cooling != 0 ? "cooling" : "half-open";
}

/* "cooling 34 s (rate)" */
static void
state_text(const struct row *r, int64_t now, char *out, size_t size)
{
	const char *word = state_word(r), *why = fail_word(r->st.why);

	if (r->st.why == 0)
		snprintf(out, size, "%s", word);
	else if (r->st.cooling == 0)
		snprintf(out, size, "%s (%s)", word, why);
	else
		snprintf(out, size, "%s %" PRId64 " s (%s)", word,
		    (r->st.cooling - now + 999999) / 1000000, why);
}

static uint64_t
failures(const struct row *r)
{
	const struct health_sums *s = &r->sums;
	uint64_t others = s->served + s->given_up + r->st.in_flight;

	return s->attempts > others ? s->attempts - others : 0;
}

static void
print_number(int64_t n, int64_t unit, int width)
{
	if (n == 0)
		printf(" %*s", width, "-");
	else
		printf(" %*" PRId64, width, (n + unit / 2) / unit);
}

static void
print_table(const struct rows *rows)
{
	const struct row *r;
	char state[64];
	size_t i;

	printf("%-40s %-26s %7s %7s %7s %6s %5s %6s %9s %7s %7s\n",
	    "DEPLOYMENT", "STATE", "P50 MS", "P90 MS", "P95 MS", "TOK/S",
	    "OK %", "ACTIVE", "ATTEMPTS", "CLI_FAILED", "HEDGES");
	for (i = 0; i < rows->count; i++) {
		r = &rows->list[i];
		state_text(r, rows->now, state, sizeof state);
		printf("%-40s %-26s", r->id, state);
		print_number(r->st.p50, 1000, 7);
		print_number(r->st.p90, 1000, 7);
		print_number(r->st.p95, 1000, 7);
		print_number(r->st.speed, 1000, 6);
		printf(" %5.1f %6u %9" PRIu64 " %7" PRIu64 " %7" PRIu64 "\n",
		    r->st.success / 10.0, r->st.in_flight, r->sums.attempts,
		    failures(r), r->sums.hedges);
	}
}

static void
json_number(struct json_writer *w, const char *key, int64_t n)
{
	jw_key(w, key);
	jw_int(w, n);
}

static void
json_failures(struct json_writer *w, const struct health_sums *s)
{
	unsigned i;

	jw_key(w, "failed");
	jw_object(w);
	for (i = 0; i < FAIL_WORDS; i++)
		if (s->failed[i] != 0)
			json_number(w, fail_word(1U << i),
			    (int64_t)s->failed[i]);
	jw_end_object(w);
}

static void
json_row(struct json_writer *w, const struct row *r, int64_t now)
{
	const struct standing *st = &r->st;
	const struct health_sums *s = &r->sums;

	jw_object(w);
	jw_key(w, "deployment");
	jw_string(w, r->id);
	jw_key(w, "state");
	jw_string(w, state_word(r));
	if (st->why != 0) {
		jw_key(w, "why");
		jw_string(w, fail_word(st->why));
	}
	json_number(w, "rests_ms", st->cooling == 0 ? 0 :
	    (st->cooling - now + 999) / 1000);
	json_number(w, "ttft_ms", st->ttft / 1000);
	json_number(w, "ttft_p50_ms", st->p50 / 1000);
	json_number(w, "ttft_p90_ms", st->p90 / 1000);
	json_number(w, "ttft_p95_ms", st->p95 / 1000);
	json_number(w, "tokens_per_second", st->speed / 1000);
	json_number(w, "requests_of_minute", (int64_t)st->requests);
	json_number(w, "failures_of_minute", (int64_t)st->failures);
	json_number(w, "in_flight", st->in_flight);
	json_number(w, "attempts", (int64_t)s->attempts);
	json_number(w, "served", (int64_t)s->served);
	json_number(w, "given_up", (int64_t)s->given_up);
	json_number(w, "hedges", (int64_t)s->hedges);
	json_number(w, "probes", (int64_t)s->probes);
	json_number(w, "input_tokens", (int64_t)s->input);
	json_number(w, "output_tokens", (int64_t)s->output);
	json_failures(w, s);
	jw_end_object(w);
}

static void
print_json(const struct rows *rows)
{
	struct json_writer w;
	struct buf b;
	size_t i;

	printf("{\"deployments\":[");
	for (i = 0; i < rows->count; i++) {
		buf_init(&b, MIB(1));
		jw_init(&w, &b);
		json_row(&w, &rows->list[i], rows->now);
		printf("%s\n%.*s", i == 0 ? "" : ",", (int)b.len, b.data);
		buf_free(&b);
	}
	printf("\n]}\n");
}

static int
show(struct health *h, bool json)
{
	struct rows rows = { .now = clock_mono() };
	size_t i;

	health_each(h, rows.now, add, &rows);
	if (rows.count > 0)
		qsort(rows.list, rows.count, sizeof rows.list[0], by_id);
	if (json)
		print_json(&rows);
	else
		print_table(&rows);
	for (i = 0; i < rows.count; i++)
		free(rows.list[i].id);
	free(rows.list);
	if (rows.failed || fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "tollgate: %s\n", rows.failed ?
		    "out of memory" : strerror(errno));
		return CLI_FAILED;
	}
	return 0;
}

static int
pardon(struct health *h, const char *id)
{
	bool all = strcmp(id, ALL) == 0;

	if (health_pardon(h, all ? NULL : id) == 0 && !all) {
		fprintf(stderr, "tollgate: nothing is known of a deployment "
		    "'%s'\n", id);
		return CLI_FAILED;
	}
	return 0;
}

int
health_command(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pardon", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 }
	};
	const char *id = NULL, *dir = state_dir();
	struct health *h;
	bool json = false, good = true;
	int option, rc;

	optind = 0;
	while (good && (option = getopt_long(argc, argv, "jp:", options,
	    NULL)) != -1)
		if (option == 'j')
			json = true;
		else if (option == 'p')
			id = optarg;
		else
			good = false;
	if (!good || optind != argc || (json && id != NULL)) {
		fputs(usage, stderr);
		return CLI_MISUSED;
	}
	h = health_watch(dir);
	if (h == NULL) {
		fprintf(stderr, "tollgate: %s: no worker has told of its "
		    "health here, or it is not ours to read\n",
		    dir == NULL ? "no directory for the state" : dir);
		return CLI_FAILED;
	}
	rc = id == NULL ? show(h, json) : pardon(h, id);
	health_free(h);
	return rc;
}
