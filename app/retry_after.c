/* How long a provider asks to be left alone. */
#include <stdlib.h>

#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/health.h"

#define SECOND INT64_C(1000000)

static int64_t
bounded(double seconds)
{
	if (!(seconds >= 0))
		return -1;
	if (seconds > LIMIT_RETRY_AFTER)
		seconds = LIMIT_RETRY_AFTER;
	return (int64_t)(seconds * 1e6);
}

static bool
number(const char *s, double *out)
{
	char *end;

	if (s == NULL || *s < '0' || *s > '9')
		return false;
	*out = strtod(s, &end);
	return *end == '\0';
}

int64_t
retry_after(const char *ms, const char *value, int64_t wall)
{
	int64_t date;
	double n;

	if (number(ms, &n))
		return bounded(n / 1000);
	if (number(value, &n))
		return bounded(n);
	date = clock_http_date(value);
	if (date < 0)
		return -1;
	n = (double)(date - wall / SECOND);
	return bounded(n < 0 ? 0 : n);
}
