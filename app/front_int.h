/*
 * What the two fronts share: the answer's queue and who is told what. Only
 * for app/front*.c and their tests.
 */
#ifndef TOLLGATE_APP_FRONT_INT_H
#define TOLLGATE_APP_FRONT_INT_H

#include <sys/types.h>

#include "app/base/buf.h"
#include "app/front.h"

struct outlet;

/* How a front brings bytes out. */
struct front_ops {
	/* May some bytes be written without blocking? */
	bool (*ready)(struct outlet *o);
	/* Have outlet_pump called when they may, or no longer. */
	void (*await)(struct outlet *o, bool writable);
	/*
	 * Write some of n bytes; when all is out and o->ended, write the end
	 * too, if it fits, and set o->finished. The bytes taken, or -1.
	 */
	ssize_t (*put)(struct outlet *o, const char *p, size_t n);
	/* So many bytes of the body may be forgotten. */
	void (*take)(struct outlet *o, size_t n);
	/* What the owner wants of a body that goes on is another; or it ended. */
	void (*want)(struct outlet *o);
	/* Over: release the request; the connection too unless finished. */
	void (*release)(struct outlet *o);
	void (*stop)(struct front *f);
	void (*cut)(struct front *f);
	/* Connections without an exchange, for now. */
	size_t (*waiting)(const struct front *f);
	/* Close the front's own handles. */
	void (*close)(struct front *f);
};

/* An exchange and the way back. */
struct outlet {
	struct exchange x; /* first: what the owner sees */
	struct front *front;
	struct outlet *next_dirty;
	struct buf out;
	size_t head;	/* bytes of out that are written */
	bool dirty;	/* in the list of outlets to be pumped */
	bool full;	/* the owner waits for drained */
	bool gone;	/* the client's side is gone, or ours had to give up */
	bool told;	/* the owner knows that it is gone */
	bool ended;	/* by the owner */
	bool cut;	/* without an end, when all is out */
	bool finished;	/* the end is written */
};

struct front {
	const struct front_ops *ops;
	uv_loop_t *loop;
	struct front_calls calls;
	void *arg;
	uv_idle_t idle; /* runs while outlets are dirty */
	struct outlet *dirty;
	size_t active;
	unsigned handles; /* not yet closed */
	bool stopped, freed;
	bool quiet; /* the owner knows that nothing will come */
};

/* Set up the common part. */
void front_init(struct front *f, uv_loop_t *loop, const struct front_ops *ops,
    const struct front_calls *calls, void *arg);

/* uv_close callback of every handle of a front: counts, and frees f. */
void front_closed(struct front *f);

/* A connection ended: is there anything left to wait for? */
void front_check(struct front *f);

/* Hand out a whole request. */
void outlet_start(struct front *f, struct outlet *o);

/* More of the body is there: tell the owner, unless it has ended. */
void outlet_body(struct outlet *o);

/* The client's side is gone: tell the owner, soon. */
void outlet_gone(struct outlet *o);

/* Write what can be written, tell the owner, release what is over. */
void outlet_pump(struct outlet *o);

#endif
