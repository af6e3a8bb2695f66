/*
 * Credentials that the policy does not hold but tells how to get: keys of
 * AWS roles, tokens of Google and Microsoft. One cache a worker. What is
 * there is given at once and fetched anew ahead of its end, over the
 * worker's transport; the old one serves until it ends. Nothing blocks the
 * loop but the reading of small local files.
 */
#ifndef TOLLGATE_APP_TOKEN_H
#define TOLLGATE_APP_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "policy/policy.h"

struct token_entry;
struct tokens;
struct transport;

/* Strings are "" when not there; they live until the loop is entered again. */
struct token {
	const char *bearer;
	const char *access_key, *secret_key, *session_token;
	int64_t skew; /* s that the provider's clock is ahead of ours */
};

enum token_state {
	TOKEN_READY,
	TOKEN_WAIT,  /* it is being fetched: tokens_wait tells when */
	TOKEN_FAILED
};

/* Someone who waits. Zeroed by its owner, who leaves before it ends. */
struct token_wait {
	struct token_wait *next, **link; /* link NULL: not waiting */
	void (*ready)(void *arg); /* ask tokens_get again */
	void *arg;
};

/* dir: the state directory, for the lock between workers; NULL: no lock. */
struct tokens *tokens_new(uv_loop_t *loop, struct transport *transport,
    const char *dir);
void tokens_free(struct tokens *t); /* calls nobody */

/*
 * The credential for a provider as it is now. Schemes that need none that
 * must be fetched are always READY. When it WAITs, w (if not NULL) is told
 * once, from the loop.
 */
enum token_state tokens_get(struct tokens *t, const struct provider *p,
    struct token *out, struct token_wait *w);
void tokens_leave(struct token_wait *w);

/*
 * The provider refused the credential. True: it was a fetched one and is
 * fetched anew now, so that asking again may help. Not more often than once
 * in TOKEN_REFUSED_SECONDS.
 */
#define TOKEN_REFUSED_SECONDS 30
bool tokens_refused(struct tokens *t, const struct provider *p);

/*
 * The provider refused a request for reasons that may lie in our clock: its
 * error's type and message, and what clock_http_date made of its Date. True:
 * they did, and tokens_get gives a better skew from now on.
 */
bool tokens_skewed(struct tokens *t, const struct provider *p,
    const char *type, const char *message, int64_t date);

/* Call once a second or so: what nears its end and is in use is renewed. */
void tokens_tick(struct tokens *t);

#endif
