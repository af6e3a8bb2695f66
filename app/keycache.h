/*
 * Keys of the store, as a worker sees them: looked up by the keyed hash of a
 * secret, and remembered for KEYCACHE_US from when the store was asked, found
 * or not, so that what is revoked or changed holds on every host within two
 * seconds. Of bounded size; a flood of made-up keys costs look-ups, nothing
 * else. A secret that was revoked and one that never was are the same: the
 * store has no row.
 */
#ifndef TOLLGATE_APP_KEYCACHE_H
#define TOLLGATE_APP_KEYCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "app/base/err.h"
#include "policy/policy.h"

#define KEYCACHE_US INT64_C(1000000)
#define KEYCACHE_SLOTS 4096	  /* secrets that are remembered */
#define KEYCACHE_QUESTIONS 1024 /* look-ups under way; more are refused */

struct arena;
struct keycache;

/* A key under a policy. Its owners count; the last one ends it. */
struct issued {
	unsigned refs;
	struct arena *arena;
	struct policy *policy;
	const struct vkey *key;
};

void issued_unref(struct issued *k); /* NULL is fine */

/* Who asks, and the answer. */
struct key_wait {
	void (*fn)(void *arg);
	void *arg;
	enum err err;
	struct issued *issued; /* the asker's reference */
};

/* note hears, once in a while, what is wrong with a key. NULL: memory. */
struct keycache *keycache_new(uv_loop_t *loop, const char *state_dir,
    void (*note)(void *arg, const char *text), void *arg);

/* Nobody may be waiting. Its handles end on the loop; NULL is fine. */
void keycache_free(struct keycache *c);

/*
 * The key of that hash under the policy, into w; or NULL: w->err tells why
 * (ERR_BAD_KEY, ERR_KEYS). The caller owns one reference. False: w->fn is called when it is
 * known (maybe before this returns); w must live until then.
 */
bool keycache_find(struct keycache *c, struct policy *p,
    const unsigned char hash[KEY_HASH], struct key_wait *w);

#endif
