/*
 * A page that the workers of one pool share: each tells how many connections
 * it holds, so that a worker with many can let one with few accept. A hint,
 * never a truth: nothing fails without it, and nobody waits for anybody.
 */
#ifndef TOLLGATE_APP_SHARE_H
#define TOLLGATE_APP_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct share {
	_Atomic uint32_t *held; /* one a slot; NULL: there is no sharing */
	unsigned slots;
	unsigned slot; /* ours */
	int fd;	       /* the master's */
};

/* The master's: make a page of slots, all free. False: no sharing. */
bool share_make(struct share *s, unsigned slots);

/* Between fork and exec: the new program is to use that slot. */
void share_pass(const struct share *s, unsigned slot);

/* The worker of that slot has ended. */
void share_clear(struct share *s, unsigned slot);

/* The worker's: take the slot that the master passed, if it did. */
void share_join(struct share *s);

/* Tell how many connections are held. */
void share_tell(struct share *s, uint32_t held);

/* Does another worker hold clearly less than held? */
bool share_heavy(const struct share *s, uint32_t held);

/* Take no more part; the slot says nothing from now on. */
void share_leave(struct share *s);

#endif
