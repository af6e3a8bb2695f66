/*
 * One fetch of a credential at a time on a host: a lock for each credential,
 * between all workers that share the state directory. Each worker keeps a
 * token of its own. To share one would put a secret into a file, for as many
 * fetches saved in a token's life as there are workers; what a provider must
 * not see is all of them at once.
 */
#ifndef TOLLGATE_APP_TOKEN_LOCK_H
#define TOLLGATE_APP_TOKEN_LOCK_H

#include <stdbool.h>

/* The locks' file in the directory; -1: none can be had, and none is held. */
int token_lock_open(const char *dir);

/* Take the lock of a key (4 bytes of it count); false: another has it. */
bool token_lock_take(int fd, const unsigned char *key);
void token_lock_leave(int fd, const unsigned char *key);

#endif
