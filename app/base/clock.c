/* The two clocks. */
#include "app/base/clock.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

static int64_t
now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
clock_mono(void)
{
	return now(CLOCK_MONOTONIC);
}

int64_t
clock_wall(void)
{
	return now(CLOCK_REALTIME);
}

int64_t
clock_http_date(const char *s)
{
	const char *end;
	struct tm tm;

	memset(&tm, 0, sizeof tm);
	end = s == NULL ? NULL :
	    strptime(s, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return end == NULL || *end != '\0' ? -1 : (int64_t)timegm(&tm);
}
