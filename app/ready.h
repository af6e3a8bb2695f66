/*
 * Sockets watched by an epoll set of our own, which hangs in the loop as one
 * descriptor. libuv's uv_poll takes five system calls to begin and one to
 * end; where a connection lives for one request, or is waited for anew with
 * each request, that is more than the request's own reads and writes. Here
 * it is one to begin, and none to end before close().
 *
 * All on the loop. A callback may do anything to any watch, its own too:
 * events that were fetched with it and not yet told are dropped.
 */
#ifndef TOLLGATE_APP_READY_H
#define TOLLGATE_APP_READY_H

#include <stdbool.h>

#include <uv.h>

struct ready;
struct ready_set;

#define READY_ERROR 0x100 /* the socket is broken; it is not watched any more */

/* events: UV_READABLE | UV_WRITABLE | UV_DISCONNECT, or READY_ERROR alone. */
typedef void ready_fn(struct ready *r, int events);

/* A part of what owns the socket; all fields but data are the set's. */
struct ready {
	struct ready_set *set;
	struct ready *next; /* of the closed ones */
	ready_fn *fn;
	void (*closed)(struct ready *r);
	void *data;
	int fd;
	int events; /* that are waited for, 0 = not in the set */
};

/* NULL when memory or descriptors are short. */
struct ready_set *ready_set_new(uv_loop_t *loop);

/*
 * Release it; its watches are closed or forgotten. done (may be NULL) comes
 * from the loop, when everything is gone.
 */
void ready_set_free(struct ready_set *s, void (*done)(void *arg), void *arg);

/* Make a watch of a descriptor; it waits for nothing yet. */
void ready_init(struct ready *r, struct ready_set *s, int fd, ready_fn *fn);

/* Wait for these events, 0 = for none. False when the system refuses. */
bool ready_watch(struct ready *r, int events);

/*
 * No event of it comes any more; the descriptor may be closed now, and must
 * be before its number is watched again. closed is called later from the
 * loop, to release what r is part of. ready_forget: at once, without it.
 */
void ready_close(struct ready *r, void (*closed)(struct ready *r));
void ready_forget(struct ready *r);

#endif
