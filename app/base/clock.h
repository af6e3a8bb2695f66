/* Time: monotonic for timers and deadlines, wall for stamps and windows. */
#ifndef TOLLGATE_BASE_CLOCK_H
#define TOLLGATE_BASE_CLOCK_H

#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC. */
int64_t clock_mono(void);

/* Microseconds since 1970 of CLOCK_REALTIME. */
int64_t clock_wall(void);

/*
 * "Sat, 28 Nov 2026 14:00:00 GMT" (RFC 9110 §5.6.7, the form that is sent)
 * as seconds since 1970, -1: it is none. s may be NULL.
 */
int64_t clock_http_date(const char *s);

#endif
