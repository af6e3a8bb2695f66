/*
 * Hosts that share a Redis share what makes deployments rest. A host that a
 * provider refuses writes
 *
 *	tollgate:{health}:PROVIDER/MODEL = HOST FAIL FINGERPRINT END
 *
 * (hexadecimal; END in ms since 1970) for as long as the rest lasts, and takes
 * it away when its probe was served. Once a second one worker of each host
 * reads the keys of the policy's deployments. Only what a provider said is
 * shared: that this host cannot reach one is no fact about the others.
 *
 * A Redis that is away changes nothing; each host then knows for itself.
 */
#ifndef TOLLGATE_APP_HEALTH_SHARE_H
#define TOLLGATE_APP_HEALTH_SHARE_H

#include <uv.h>

#include "policy/policy.h"

struct health;
struct health_share;

/* NULL when memory is short. h outlives it. */
struct health_share *health_share_new(uv_loop_t *loop, struct health *h);

/* Once a second, with the policy in force: its store, its deployments. */
void health_share_tick(struct health_share *s, struct policy *p);

/* Its handles end on the loop; NULL is fine. */
void health_share_free(struct health_share *s);

#endif
