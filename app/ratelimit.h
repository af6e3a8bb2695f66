/*
 * Rate limits as providers tell them, each in its own headers, in the form
 * that OpenAI's clients read: x-ratelimit-{limit,remaining,reset}-{requests,
 * tokens}. Names are those of recorded answers (2026-07).
 */
#ifndef TOLLGATE_APP_RATELIMIT_H
#define TOLLGATE_APP_RATELIMIT_H

#include <stdint.h>

#define RATELIMITS 6

struct ratelimits {
	char value[RATELIMITS][24]; /* "" = not told */
};

/* Our header of slot i < RATELIMITS: "x-ratelimit-limit-requests" … */
const char *ratelimit_name(unsigned i);

/*
 * Read what an answer tells: get(arg, name) is a header's value or NULL.
 * Counts are whole and not negative, resets are durations as "1m2.5s" or
 * "0.250s"; what is neither is left out. wall: µs since 1970.
 */
void ratelimits_read(struct ratelimits *out,
    const char *(*get)(void *arg, const char *name), void *arg,
    int64_t wall);

#endif
