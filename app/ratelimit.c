/* One row a header of ours, with the names that providers have for it. */
#include "app/ratelimit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES 4

static const struct {
	const char *ours;
	const char *theirs[NAMES]; /* the first that is there counts */
	bool reset;
} rows[RATELIMITS] = {
	{ "x-ratelimit-limit-requests",
	    { "x-ratelimit-limit-requests",
		"anthropic-ratelimit-requests-limit",
		"x-ratelimit-limit-req-minute",
		"x-ratelimit-limit-requests-minute" }, false },
	{ "x-ratelimit-remaining-requests",
	    { "x-ratelimit-remaining-requests",
		"anthropic-ratelimit-requests-remaining",
		"x-ratelimit-remaining-req-minute",
		"x-ratelimit-remaining-requests-minute" }, false },
	{ "x-ratelimit-reset-requests",
	    { "x-ratelimit-reset-requests",
		"anthropic-ratelimit-requests-reset",
		"x-ratelimit-reset-requests-minute" }, true },
	{ "x-ratelimit-limit-tokens",
	    { "x-ratelimit-limit-tokens",
		"anthropic-ratelimit-tokens-limit",
		"x-ratelimit-limit-tokens-minute",
		"ratelimitbysize-limit" }, false },
	{ "x-ratelimit-remaining-tokens",
	    { "x-ratelimit-remaining-tokens",
		"anthropic-ratelimit-tokens-remaining",
		"x-ratelimit-remaining-tokens-minute",
		"ratelimitbysize-remaining" }, false },
	{ "x-ratelimit-reset-tokens",
	    { "x-ratelimit-reset-tokens",
		"anthropic-ratelimit-tokens-reset",
		"x-ratelimit-reset-tokens-minute",
		"ratelimitbysize-reset" }, true },
};

const char *
ratelimit_name(unsigned i)
{
	return rows[i].ours;
}

/* A count, of which some providers send fractions. */
static void
read_count(const char *text, char *out, size_t size)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 19 || (text[n] != '\0' && text[n] != '.'))
		return;
	snprintf(out, size, "%.*s", (int)n, text);
}

/* "6m0s", "864ms": units in their place already. */
static bool
is_duration(const char *text)
{
	size_t n = strspn(text, "0123456789.hms");

	return n > 1 && n < 20 && text[n] == '\0' && text[0] >= '0' &&
	    text[0] <= '9' && (text[n - 1] == 's' || text[n - 1] == 'm' ||
	    text[n - 1] == 'h');
}

static void
write_seconds(double seconds, char *out, size_t size)
{
	if (!(seconds > 0))
		seconds = 0;
	if (seconds < 1e8)
		snprintf(out, size, "%.3fs", seconds);
}

/* A duration, seconds, or a moment (RFC 3339, UTC). */
static void
read_reset(const char *text, int64_t wall, char *out, size_t size)
{
	struct tm tm;
	char *end;
	double n;

	if (is_duration(text)) {
		snprintf(out, size, "%s", text);
		return;
	}
	memset(&tm, 0, sizeof tm);
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end != NULL && (*end == 'Z' || *end == '.')) {
		write_seconds((double)timegm(&tm) - (double)wall / 1e6, out,
		    size);
		return;
	}
	if (*text < '0' || *text > '9')
		return;
	n = strtod(text, &end);
	if (*end == '\0')
		write_seconds(n, out, size);
}

void
ratelimits_read(struct ratelimits *out,
    const char *(*get)(void *arg, const char *name), void *arg, int64_t wall)
{
	const char *text;
	unsigned i, k;

	memset(out, 0, sizeof *out);
	for (i = 0; i < RATELIMITS; i++) {
		text = NULL;
		for (k = 0; k < NAMES && rows[i].theirs[k] != NULL &&
		    text == NULL; k++)
			text = get(arg, rows[i].theirs[k]);
		if (text == NULL)
			continue;
		if (rows[i].reset)
			read_reset(text, wall, out->value[i],
			    sizeof out->value[i]);
		else
			read_count(text, out->value[i],
			    sizeof out->value[i]);
	}
}
