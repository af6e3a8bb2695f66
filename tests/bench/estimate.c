/*
 * estimate [-v] DIR: how far the token estimate is from what providers
 * counted. DIR holds recordings as PROVIDER/CASE/request.json with
 * response.json or stream.sse beside it. Looked at are chat requests without
 * images, sound and files: the text of the messages and the JSON of the tools
 * are estimated; what a provider adds (its template, words around the tools)
 * is what a constant for a message and for having tools stands for.
 */
#include <glob.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "policy/estimate.h"

#define CASES_MAX 10000
#define LONG_TOKENS 100 /* from here on a text outweighs the constants */

/* What is counted, and by whom. */
struct sample {
	int64_t estimate, truth;
	bool tools;
};

static struct sample samples[CASES_MAX];
static size_t sample_count;

static bool
read_file(const char *path, struct buf *b)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		return false;
	while (!feof(file) && !ferror(file) && buf_reserve(b, 65536))
		b->len += fread(b->data + b->len, 1, 65536, file);
	fclose(file);
	return !b->failed;
}

static int64_t
estimate_value(const struct json *doc, uint32_t v, struct arena *a)
{
	const char *s;
	size_t len;

	s = json_type(doc, v) == JSON_STRING ? json_str(doc, v, a, &len) :
	    json_raw(doc, v, &len);
	return v == JSON_NONE || s == NULL ? 0 : estimate_tokens(s, len);
}

/* The text of a message's content; -1 when there is more than text in it. */
static int64_t
estimate_content(const struct json *doc, uint32_t content, struct arena *a)
{
	int64_t sum = 0;
	uint32_t v;

	if (json_type(doc, content) == JSON_STRING)
		return estimate_value(doc, content, a);
	for (v = json_first(doc, content); v != JSON_NONE;
	     v = json_next(doc, content, v)) {
		if (!json_is(doc, json_get(doc, v, "type"), "text"))
			return -1;
		sum += estimate_value(doc, json_get(doc, v, "text"), a);
	}
	return sum;
}

/* A whole chat request; -1 when it is none that can be estimated. */
static int64_t
estimate_request(const struct json *doc, struct arena *a, bool *tools)
{
	uint32_t list = json_get(doc, JSON_ROOT, "messages"), v, calls;
	int64_t sum = ESTIMATE_REQUEST, n;

	if (json_count(doc, list) == 0)
		return -1;
	for (v = json_first(doc, list); v != JSON_NONE;
	     v = json_next(doc, list, v)) {
		n = estimate_content(doc, json_get(doc, v, "content"), a);
		if (n < 0)
			return -1;
		sum += n + ESTIMATE_MESSAGE;
		calls = json_get(doc, v, "tool_calls");
		if (json_count(doc, calls) > 0)
			sum += estimate_value(doc, calls, a);
	}
	v = json_get(doc, JSON_ROOT, "tools");
	*tools = json_count(doc, v) > 0;
	if (*tools)
		sum += estimate_value(doc, v, a) + ESTIMATE_TOOLS;
	v = json_get(doc, JSON_ROOT, "response_format");
	if (json_get(doc, v, "json_schema") != JSON_NONE)
		sum += estimate_value(doc, v, a);
	return sum;
}

/* The last count of prompt tokens that an answer names, or 0. */
static int64_t
prompt_tokens(struct buf *b)
{
	static const char key[] = "\"prompt_tokens\"";
	const char *p;
	int64_t n = 0;

	buf_putc(b, '\0');
	if (b->failed)
		return 0;
	for (p = b->data; (p = strstr(p, key)) != NULL;) {
		p += sizeof key - 1;
		p += strspn(p, " :");
		if (*p >= '1' && *p <= '9')
			n = strtoll(p, NULL, 10);
	}
	return n;
}

/* The number of tokens in the answer beside a request. */
static int64_t
truth_of(const char *request)
{
	static const char *const names[] = { "response.json", "stream.sse" };
	const char *slash = strrchr(request, '/');
	char path[4096];
	int64_t n = 0;
	struct buf b;
	size_t i;

	for (i = 0; n == 0 && i < 2; i++) {
		snprintf(path, sizeof path, "%.*s/%s",
		    (int)(slash - request), request, names[i]);
		buf_init(&b, LIMIT_REPLY);
		if (read_file(path, &b))
			n = prompt_tokens(&b);
		buf_free(&b);
	}
	return n;
}

static void
take(const char *path, bool verbose)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	struct sample *s = &samples[sample_count];
	struct json doc;
	struct buf b;

	buf_init(&b, LIMIT_BODY);
	if (a != NULL && sample_count < CASES_MAX && read_file(path, &b) &&
	    json_parse(&doc, a, b.data, b.len, NULL) == ERR_OK) {
		s->estimate = estimate_request(&doc, a, &s->tools);
		s->truth = s->estimate < 0 ? 0 : truth_of(path);
		if (s->truth > 0) {
			sample_count++;
			if (verbose)
				printf("%+6.0f %% %6jd %6jd %s %s\n",
				    100.0 * (double)s->estimate /
				    (double)s->truth - 100,
				    (intmax_t)s->estimate, (intmax_t)s->truth,
				    s->tools ? "tools" : "-    ", path);
		}
	}
	buf_free(&b);
	arena_free(a);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The distribution of the error over the samples that fit. */
static void
report(const char *what, bool tools, int64_t from)
{
	static double error[CASES_MAX], tokens[CASES_MAX];
	size_t i, n = 0, near = 0;

	for (i = 0; i < sample_count; i++) {
		const struct sample *s = &samples[i];

		if (s->tools != tools || s->truth < from)
			continue;
		tokens[n] = fabs((double)(s->estimate - s->truth));
		error[n] = 100.0 * (double)s->estimate / (double)s->truth - 100;
		near += fabs(error[n++]) <= 15;
	}
	if (n == 0)
		return;
	qsort(error, n, sizeof *error, by_value);
	qsort(tokens, n, sizeof *tokens, by_value);
	printf("%-28s %4zu cases, within 15 %%: %3.0f %%; error: 10th %+.0f, "
	    "25th %+.0f, median %+.0f, 75th %+.0f, 90th %+.0f %%; "
	    "half within %.0f tokens\n", what, n,
	    100.0 * (double)near / (double)n, error[n / 10], error[n / 4],
	    error[n / 2], error[n * 3 / 4], error[n * 9 / 10], tokens[n / 2]);
}

int
main(int argc, char **argv)
{
	bool verbose = argc == 3 && strcmp(argv[1], "-v") == 0;
	char pattern[4096];
	glob_t found;
	size_t i;

	if (argc != 2 && !verbose) {
		fprintf(stderr, "usage: estimate [-v] DIR\n");
		return 2;
	}
	snprintf(pattern, sizeof pattern, "%s/*/*/request.json",
	    argv[argc - 1]);
	if (glob(pattern, 0, NULL, &found) != 0) {
		fprintf(stderr, "%s: no recordings\n", argv[argc - 1]);
		return 1;
	}
	for (i = 0; i < found.gl_pathc; i++)
		take(found.gl_pathv[i], verbose);
	globfree(&found);
	report("text", false, 0);
	report("text of 100 tokens and more", false, LONG_TOKENS);
	report("with tools", true, 0);
	return sample_count == 0;
}
