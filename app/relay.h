/*
 * The relay: bytes of a provider's answer → events → deltas → the client's
 * dialect → the client. It knows nothing of attempts before or after.
 */
#ifndef TOLLGATE_APP_RELAY_H
#define TOLLGATE_APP_RELAY_H

#include <stddef.h>

#include "app/forward.h"

/*
 * Bytes of the body of a running attempt. ERR_OK goes on; else the attempt
 * failed: at->fail and the forward's error tell why.
 */
enum err relay_data(struct attempt *at, const char *p, size_t len);

/* The body ended well on the wire. ERR_OK: the answer is whole. */
enum err relay_end(struct attempt *at);

/* Tell a client that has content already that no more will come. */
void relay_break(struct request *r);

/* A keep-alive comment on a stream that has begun. */
void relay_ping(struct request *r);

/*
 * Usage and cost: as the provider told; by our own count what it did not tell
 * or what content tells that it cannot be (none); cut to the request's bounds
 * where it is far beyond them (then and there it is `doubtful`). What was
 * given up after it was sent has had its input read. An answer of the
 * background that was left before its end counts as all that it may use.
 */
void relay_settle(struct attempt *at);

#endif
