/*
 * GET /metrics: how deployments stand, in Prometheus' text format 0.0.4, for
 * keys that may read it. All workers of a host tell the same. Labels are names
 * of the policy alone: what clients made up is counted as "other".
 */
#ifndef TOLLGATE_APP_METRICS_H
#define TOLLGATE_APP_METRICS_H

#include "app/request.h"

enum verdict metrics_serve(struct request *r);

#endif
