/* Time: monotonic for timers and deadlines, wall for stamps and windows. */
#ifndef TOLLGATE_BASE_CLOCK_H
#define TOLLGATE_BASE_CLOCK_H

#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC. */
int64_t clock_mono(void);

/* Microseconds since 1970 of CLOCK_REALTIME. */
int64_t clock_wall(void);

#endif
