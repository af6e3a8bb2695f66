/* Between the store (app/store.c) and its connection (app/store_conn.c). */
#ifndef TOLLGATE_APP_STORE_INT_H
#define TOLLGATE_APP_STORE_INT_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "app/store.h"
#include "app/store_url.h"

struct conn;

/* What a connection tells its owner; never from within conn_open. */
struct conn_events {
	void (*up)(void *owner);
	/* The next reply, in the order of conn_send. */
	void (*reply)(void *owner, const struct store_reply *r);
	/* It failed or was closed by the other end. It ends itself. */
	void (*down)(void *owner, const char *why);
};

/* Connect; names are looked up on libuv's threads. NULL: no memory. */
struct conn *conn_open(uv_loop_t *loop, const struct store_place *place,
    const struct conn_events *events, void *owner);

/*
 * Bytes of one whole command; p[len] is a NUL: hiredis looks at it. False: no
 * memory; the connection is of no use.
 */
bool conn_send(struct conn *c, const char *p, size_t len);

/* Write what the socket takes now; may call events. */
void conn_write(struct conn *c);

/* Take what has come already; may call events. */
void conn_read(struct conn *c);

/* End it; no event comes any more. NULL is fine. */
void conn_close(struct conn *c);

#endif
