/* What a worker has learned of deployments: who is cooling, and until when. */
#ifndef TOLLGATE_APP_HEALTH_H
#define TOLLGATE_APP_HEALTH_H

#include <stdint.h>

#include "policy/policy.h"

struct health;

struct health *health_new(void); /* NULL: short of memory */
void health_free(struct health *h);

/* µs of clock_mono until which d is cooling, 0 = it is not. */
int64_t health_cooling(const struct health *h, const struct deployment *d);

/*
 * An attempt at d failed for the reasons fail (FAIL_*) at now (clock_mono);
 * the provider asked for retry_after µs of rest (-1 = it did not say).
 */
void health_failed(struct health *h, const struct deployment *d,
    unsigned fail, int64_t retry_after, int64_t now);

/* An attempt at d went well. */
void health_served(struct health *h, const struct deployment *d);

/*
 * What `retry-after-ms` and `Retry-After` (seconds, or an HTTP date; RFC
 * 9110 §10.2.3) ask for, in µs, 0..LIMIT_RETRY_AFTER seconds; -1 when neither
 * says anything usable. Either may be NULL; wall is µs since 1970.
 */
int64_t retry_after(const char *ms, const char *value, int64_t wall);

#endif
