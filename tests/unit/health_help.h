/*
 * What the tests of health share: two deployments, and attempts at them that
 * begin and end.
 */
#ifndef TOLLGATE_TESTS_HEALTH_HELP_H
#define TOLLGATE_TESTS_HEALTH_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/adapter.h"
#include "app/health.h"
#include "app/health_table.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static const struct provider provider = { .name = "p", .fingerprint = 7 };
static const struct deployment da = { .id = "p/a", .provider = &provider };
static const struct deployment db = { .id = "p/b", .provider = &provider };

static inline struct standing
stands(struct health *h, const struct deployment *d, int64_t now)
{
	struct standing st;

	health_look(h, d, false, now, &st);
	return st;
}

static inline bool
claims(struct health *h, const struct deployment *d, enum claim c,
    int64_t now, bool *probe)
{
	return health_claim(h, d, c, now, probe);
}

/* An attempt that begins and ends at the same time. */
static inline void
fails(struct health *h, const struct deployment *d, unsigned fail,
    int64_t rest, int64_t now)
{
	bool probe;

	assert_true(claims(h, d, CLAIM_FIRST, now, &probe));
	health_end(h, d, &(struct outcome){ .fail = fail, .rest = rest,
	    .probe = probe }, now);
}

static inline void
serves(struct health *h, const struct deployment *d, int64_t ttft,
    int64_t now)
{
	bool probe;

	assert_true(claims(h, d, CLAIM_FIRST, now, &probe));
	health_end(h, d, &(struct outcome){ .served = true, .rest = -1,
	    .ttft = ttft, .probe = probe }, now);
}

#endif
