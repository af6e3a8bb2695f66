/*
 * When a deployment rests and when it is tried again, in one word of 64 bits:
 * whoever changes it makes the new word from the old one and swaps the two if
 * the old one still stands. So a process that is killed leaves a whole word,
 * and of many that want to try at the same time one wins. Pure.
 *
 *	well ── a failure that counts ──▶ rests until a time
 *	 ▲                                    │ is over (or: all others rest)
 *	 └─ served ─── one attempt, the probe ┤
 *	                                      └─ failed ─▶ rests twice as long
 */
#ifndef TOLLGATE_APP_HEALTH_REST_H
#define TOLLGATE_APP_HEALTH_REST_H

#include <stdbool.h>
#include <stdint.h>

#define REST_WELL UINT64_C(0) /* as a new deployment stands */

/* Does a failure of these bits make it rest at once? asked: µs, -1 = none. */
bool rest_at_once(unsigned fail, int64_t asked);

/* Until when it rests, µs of clock_mono; 0: it does not. */
int64_t rest_until(uint64_t w, int64_t now);

/* The FAIL_* for which it rests, also when the rest is over; 0: it is well. */
unsigned rest_why(uint64_t w);

/* Is a probe under way? One that takes too long does not count any more. */
bool rest_probing(uint64_t w, int64_t now);

/*
 * May an attempt begin? Then *next is the word that must be swapped in, and
 * *probe tells whether it is the probe. early: even before the rest is over.
 */
bool rest_claim(uint64_t w, int64_t now, bool early, uint64_t *next,
    bool *probe);

/*
 * The words after an attempt: it failed so that it must rest (draw: random);
 * it failed or was served as the probe; nothing was learned by the probe.
 */
uint64_t rest_failed(uint64_t w, int64_t now, unsigned fail, int64_t asked,
    uint64_t draw);
uint64_t rest_probe_failed(uint64_t w, int64_t now, unsigned fail,
    int64_t asked, uint64_t draw);
uint64_t rest_served(uint64_t w, int64_t now);
uint64_t rest_released(uint64_t w);

/* Another host says that it rests, at least until then, and why. */
uint64_t rest_elsewhere(uint64_t w, int64_t now, int64_t until,
    unsigned fail);

#endif
