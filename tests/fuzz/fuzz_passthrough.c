/*
 * Paths, patterns and queries of requests that go to a provider as they came:
 * a path, a pattern, a query, a line each. What is taken is taken in one form
 * only, which is the same when it is read again; a pattern takes what a plain
 * definition of it takes. What stands behind is an answer that is metered.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/meter.h"
#include "app/passthrough.h"
#include "policy/passage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LONG 64 /* beyond it the plain definition takes too long */

/* What a pattern takes, as it is defined. */
static bool
takes(const char *pattern, const char *path)
{
	size_t n;

	if (*pattern == '\0')
		return *path == '\0';
	if (strcmp(pattern, "/**") == 0 && *path == '/')
		return true;
	if (*pattern != '*')
		return *pattern == *path && takes(pattern + 1, path + 1);
	for (n = 1; n <= strcspn(path, "/:"); n++)
		if (takes(pattern + 1, path + n))
			return true;
	return false;
}

static void
check_path(const char *path, const char *pattern)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()+,=:@/";
	char *out = malloc(strlen(path) + 1), *again;

	if (out == NULL)
		return;
	if (passage_path(path, strlen(path), out)) {
		again = malloc(strlen(out) + 1);
		if (*out != '/' || out[strspn(out, good)] != '\0' ||
		    strstr(out, "//") != NULL || strstr(out, "/../") != NULL ||
		    strstr(out, "/./") != NULL)
			abort();
		if (again == NULL || !passage_path(out, strlen(out), again) ||
		    strcmp(out, again) != 0)
			abort();
		free(again);
		if (passage_flaw(out) != NULL || !passage_matches(out, out) ||
		    !passage_matches("/**", out))
			abort();
		if (passage_flaw(pattern) == NULL && strlen(out) < LONG &&
		    strlen(pattern) < LONG &&
		    passage_matches(pattern, out) != takes(pattern, out))
			abort();
	}
	free(out);
}

static void
check_query(struct arena *a, const char *query)
{
	const char *out, *again;
	struct fault f;

	if (passthrough_query(a, query, &out, &f) != ERR_OK)
		return;
	if (strpbrk(out, "#+ /?;@\r\n\t\\\"") != NULL ||
	    passthrough_query(a, out, &again, &f) != ERR_OK ||
	    strcmp(out, again) != 0)
		abort();
}

static void
check_meter(const char *body, size_t len)
{
	static const struct measure measures[] = {
		{ UNIT_INPUT, "/usage/in", 100 },
		{ UNIT_SECOND, "/list/1/s", 10 },
	};
	static const struct passage row = { .path = "/a",
		.measures = measures, .measure_count = 2 };
	static const char *const types[] = { "application/json",
		"text/event-stream", "application/x-ndjson", "text/plain" };
	struct arena *scratch = arena_new(MIB(64));
	struct meter m;
	struct usage u;
	size_t i;

	for (i = 0; scratch != NULL && i < 4; i++) {
		meter_begin(&m, &row, types[i], scratch);
		meter_feed(&m, body, len / 2);
		meter_feed(&m, body + len / 2, len - len / 2);
		meter_end(&m, &u);
		meter_free(&m);
		if (!u.known || u.n[UNIT_INPUT] < 0 ||
		    u.n[UNIT_INPUT] >= 500 || u.n[UNIT_SECOND] < 0 ||
		    u.n[UNIT_SECOND] >= 50)
			abort();
	}
	arena_free(scratch);
}

/* The next line, as a text of its own. */
static const char *
line(struct arena *a, const uint8_t **p, const uint8_t *end)
{
	const uint8_t *nl = memchr(*p, '\n', (size_t)(end - *p)), *at = *p;

	if (nl == NULL)
		nl = end;
	*p = nl < end ? nl + 1 : end;
	return arena_dup(a, (const char *)at, (size_t)(nl - at));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data, *end = data + size;
	struct arena *a = arena_new(MIB(16));
	const char *path, *pattern, *query;

	if (size == 0 || a == NULL) {
		arena_free(a);
		return 0;
	}
	path = line(a, &p, end);
	pattern = line(a, &p, end);
	query = line(a, &p, end);
	if (path != NULL && pattern != NULL && query != NULL) {
		check_path(path, pattern);
		check_query(a, query);
		check_meter((const char *)p, (size_t)(end - p));
	}
	arena_free(a);
	return 0;
}
