/*
 * One connection to a Redis by hiredis on libuv. Nothing else includes
 * hiredis. Its own adapter for libuv says nothing of errors that poll
 * reports (a refused connection is one), so ours is here.
 */
#include "app/store_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "app/base/decimal.h"

#define ITEMS 65536 /* of one reply */
#define DEPTH 8

struct lookup {
	uv_getaddrinfo_t req;
	struct conn *conn; /* NULL: it was closed meanwhile */
};

/* Numbers have no text of their own in a reply; theirs goes here. (Not on the
 * stack, where 8 KiB would be cleared for each reply.) */
struct digits {
	char text[256][DECIMAL_SIZE];
	unsigned used;
};

struct conn {
	uv_loop_t *loop;
	const struct conn_events *events;
	void *owner;		/* NULL: closed, tell nothing */
	struct store_place place;
	redisAsyncContext *ac;	/* NULL: none, or hiredis ends it itself */
	struct lookup *lookup;
	uv_poll_t poll;
	uv_timer_t later;	/* tells of what failed at once */
	uv_prepare_t turn;	/* the end of a turn: all is written at once */
	bool polling, timing, turning;
	bool replying;		/* within a call of events->reply */
	bool stuck;		/* the socket took not all: wait for room */
	int wanted;		/* by hiredis: UV_READABLE | UV_WRITABLE */
	int polled;		/* what of it the loop waits for */
	unsigned handles;	/* not yet closed */
	const char *why;
	struct store_item *items; /* of the reply that is told of, as digits */
	size_t size;
	struct digits digits;
};

/* ---- the end ---- */

static void
let_go(struct conn *c)
{
	if (c->handles > 0 || c->owner != NULL)
		return;
	free(c->items);
	free(c);
}

static void
on_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	c->handles--;
	let_go(c);
}

static void
close_handle(struct conn *c, uv_handle_t *h, bool *is_open)
{
	(void)c;
	if (*is_open)
		uv_close(h, on_closed);
	*is_open = false;
}

/* It is over, by itself. */
static void
fail(struct conn *c, const char *why)
{
	void *owner = c->owner;

	c->owner = NULL;
	close_handle(c, (uv_handle_t *)&c->later, &c->timing);
	close_handle(c, (uv_handle_t *)&c->turn, &c->turning);
	if (owner != NULL)
		c->events->down(owner, why);
}

static void
on_later(uv_timer_t *t)
{
	struct conn *c = t->data;

	fail(c, c->why);
}

/* Fail, but not from within this call. */
static void
fail_later(struct conn *c, const char *why)
{
	c->why = why;
	uv_timer_start(&c->later, on_later, 0, 0);
}

void
conn_close(struct conn *c)
{
	redisAsyncContext *ac;

	if (c == NULL)
		return;
	c->owner = NULL;
	if (c->lookup != NULL) {
		c->lookup->conn = NULL;
		uv_cancel((uv_req_t *)&c->lookup->req);
	}
	close_handle(c, (uv_handle_t *)&c->later, &c->timing);
	close_handle(c, (uv_handle_t *)&c->turn, &c->turning);
	ac = c->ac;
	c->ac = NULL;
	if (ac != NULL)
		redisAsyncFree(ac); /* ends the poll, too */
}

/* ---- libuv under hiredis ---- */

static void on_poll(uv_poll_t *h, int status, int events);

/*
 * To wait until a socket can be written takes three system calls, and nearly
 * always it can: so that is asked only when it could not, or to connect.
 */
static void
set_poll(struct conn *c)
{
	bool up = c->ac != NULL && (c->ac->c.flags & REDIS_CONNECTED) != 0;
	int events = up && !c->stuck ? c->wanted & ~UV_WRITABLE : c->wanted;

	if (events == c->polled || !c->polling)
		return;
	c->polled = events;
	if (events == 0)
		uv_poll_stop(&c->poll);
	else
		uv_poll_start(&c->poll, events, on_poll);
}

/* Write what there is; what does not fit waits for room. */
static void
write_all(struct conn *c)
{
	if (c->ac != NULL && (c->wanted & UV_WRITABLE) != 0)
		redisAsyncHandleWrite(c->ac);
	if (c->ac == NULL)
		return;
	c->stuck = (c->wanted & UV_WRITABLE) != 0;
	set_poll(c);
}

static void
on_turn(uv_prepare_t *t)
{
	struct conn *c = t->data;

	if (c->ac != NULL && (c->ac->c.flags & REDIS_CONNECTED) != 0 &&
	    (c->wanted & UV_WRITABLE) != 0 && !c->stuck)
		write_all(c);
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct conn *c = h->data;

	/* After an error poll has stopped: let hiredis find out which. */
	if (status != 0)
		events = UV_READABLE | UV_WRITABLE;
	if (c->ac != NULL && (events & UV_READABLE) != 0)
		redisAsyncHandleRead(c->ac);
	if (c->ac != NULL && (events & UV_WRITABLE & ~c->wanted) != 0)
		redisAsyncHandleWrite(c->ac);
	/* What the replies gave rise to goes at once, too. */
	write_all(c);
}

static void
want(struct conn *c, int events)
{
	c->wanted = events;
	set_poll(c);
}

static void
add_read(void *c)
{
	want(c, ((struct conn *)c)->wanted | UV_READABLE);
}

static void
del_read(void *c)
{
	want(c, ((struct conn *)c)->wanted & ~UV_READABLE);
}

static void
add_write(void *c)
{
	want(c, ((struct conn *)c)->wanted | UV_WRITABLE);
}

static void
del_write(void *c)
{
	want(c, ((struct conn *)c)->wanted & ~UV_WRITABLE);
}

static void
cleanup(void *arg)
{
	struct conn *c = arg;

	c->ac = NULL;
	close_handle(c, (uv_handle_t *)&c->poll, &c->polling);
}

/* ---- hiredis' events ---- */

static void
on_connect(const redisAsyncContext *ac, int status)
{
	struct conn *c = ac->data;

	if (status == REDIS_OK) {
		if (c->owner != NULL)
			c->events->up(c->owner);
		return;
	}
	c->ac = NULL; /* hiredis frees it as soon as this returns */
	fail(c, "the connection failed");
}

static void
on_disconnect(const redisAsyncContext *ac, int status)
{
	struct conn *c = ac->data;

	(void)status;
	c->ac = NULL;
	fail(c, "the connection was closed");
}

static bool
connect_to(struct conn *c, const char *host)
{
	redisAsyncContext *ac;

	ac = c->place.port == 0 ? redisAsyncConnectUnix(host) :
	    redisAsyncConnect(host, c->place.port);
	if (ac == NULL)
		return false;
	ac->data = c;
	if (ac->err != 0 || uv_poll_init(c->loop, &c->poll, ac->c.fd) != 0) {
		redisAsyncFree(ac);
		return false;
	}
	c->poll.data = c;
	c->polling = true;
	c->handles++;
	uv_unref((uv_handle_t *)&c->poll);
	c->ac = ac;
	ac->ev.data = c;
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = cleanup;
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	redisAsyncSetConnectCallback(ac, on_connect);
	return true;
}

static void
on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct lookup *l = req->data;
	struct conn *c = l->conn;
	char host[INET6_ADDRSTRLEN];

	free(l);
	if (c != NULL) {
		c->lookup = NULL;
		if (status != 0 || list == NULL ||
		    uv_ip_name(list->ai_addr, host, sizeof host) != 0 ||
		    !connect_to(c, host))
			fail(c, "its name cannot be resolved or reached");
	}
	uv_freeaddrinfo(list);
}

static bool
look_up(struct conn *c)
{
	struct addrinfo hints;
	struct lookup *l = malloc(sizeof *l);

	if (l == NULL)
		return false;
	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	l->conn = c;
	l->req.data = l;
	if (uv_getaddrinfo(c->loop, &l->req, on_looked_up, c->place.host,
	    NULL, &hints) != 0) {
		free(l);
		return false;
	}
	c->lookup = l;
	return true;
}

static bool
is_numeric(const char *host)
{
	unsigned char any[16];

	return inet_pton(AF_INET, host, any) == 1 ||
	    inet_pton(AF_INET6, host, any) == 1;
}

struct conn *
conn_open(uv_loop_t *loop, const struct store_place *place,
    const struct conn_events *events, void *owner)
{
	struct conn *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->events = events;
	c->owner = owner;
	c->place = *place;
	c->later.data = c;
	if (uv_timer_init(loop, &c->later) != 0) {
		free(c);
		return NULL;
	}
	uv_prepare_init(loop, &c->turn);
	c->turn.data = c;
	uv_prepare_start(&c->turn, on_turn);
	uv_unref((uv_handle_t *)&c->turn);
	c->timing = c->turning = true;
	c->handles = 2;
	if (place->port == 0 || is_numeric(place->host)) {
		if (!connect_to(c, place->host))
			fail_later(c, "it cannot be reached");
	} else if (!look_up(c))
		fail_later(c, "its name cannot be looked up");
	return c;
}

/* ---- commands and replies ---- */

static bool
add(struct conn *c, size_t *n, const char *p, size_t len)
{
	struct store_item *items;
	size_t size;

	if (*n == c->size) {
		size = c->size == 0 ? 64 : c->size * 2;
		items = size > ITEMS ? NULL :
		    realloc(c->items, size * sizeof *items);
		if (items == NULL)
			return false;
		c->items = items;
		c->size = size;
	}
	c->items[*n].p = p;
	c->items[(*n)++].len = len;
	return true;
}

static bool
flatten(struct conn *c, const redisReply *r, struct digits *d, size_t *n,
    int depth)
{
	size_t i, len;

	switch (r->type) {
	case REDIS_REPLY_ARRAY:
		for (i = 0; i < r->elements; i++)
			if (depth == DEPTH ||
			    !flatten(c, r->element[i], d, n, depth + 1))
				return false;
		return true;
	case REDIS_REPLY_INTEGER:
		if (d->used == sizeof d->text / sizeof d->text[0])
			return false;
		len = decimal(d->text[d->used], r->integer, 0);
		return add(c, n, d->text[d->used++], len);
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return add(c, n, r->str, (size_t)r->len);
	case REDIS_REPLY_NIL:
		return add(c, n, NULL, 0);
	default: /* an error inside an array */
		return false;
	}
}

/* An error's text, one line, as it may stand in a log. */
static void
clean(char *out, size_t size, const char *s)
{
	size_t i;

	for (i = 0; i + 1 < size && s[i] != '\0'; i++)
		out[i] = s[i] < ' ' || s[i] > '~' ? '?' : s[i];
	out[i] = '\0';
}

static void
on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
	struct conn *c = ac->data;
	const redisReply *r = reply;
	struct store_reply out = { .text = "" };
	char text[256];

	(void)arg;
	/* No reply: the connection ends, of which another call tells. */
	if (r == NULL || c->owner == NULL)
		return;
	c->digits.used = 0;
	if (r->type == REDIS_REPLY_ERROR) {
		clean(text, sizeof text, r->str);
		out.text = text;
		out.err = store_err_of(text);
	} else if (!flatten(c, r, &c->digits, &out.count, 0)) {
		out.err = STORE_BAD;
		out.count = 0;
	}
	out.item = c->items;
	c->replying = true;
	c->events->reply(c->owner, &out);
	c->replying = false;
}

bool
conn_send(struct conn *c, const char *p, size_t len)
{
	return c->ac != NULL && redisAsyncFormattedCommand(c->ac, on_reply,
	    NULL, p, len) == REDIS_OK;
}

void
conn_write(struct conn *c)
{
	/* Within hiredis it is not to be called; it writes after that. */
	if (c->ac != NULL && !c->replying && (c->wanted & UV_WRITABLE) != 0)
		write_all(c);
}

void
conn_read(struct conn *c)
{
	if (c->ac != NULL)
		redisAsyncHandleRead(c->ac);
}
