/*
 * FastCGI connections on the loop. Requests are gathered as they come
 * (app/intake.h); a whole one is given to libfcgi, which decodes its
 * parameters (app/front_head.h). Answers are framed here, since libfcgi's
 * writer takes 8 KiB of memory for each exchange; at most one record of
 * content at a time is written, when poll says that it fits.
 *
 * The socket is polled for reading all the time, also while its exchange
 * runs: so an abort, a hang-up and the rest of a refused upload are seen.
 */
#include "app/front_fcgi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/front_head.h"
#include "app/front_int.h"
#include "app/intake.h"
#include "app/ready.h"
#include "app/share.h"

#define RECORD 8184	   /* content of an answer's record: 8 KiB with its head */
#define RECORD_LAST 8160   /* … with the records that end it behind */
#define READS 8		   /* recv calls of one connection before others' turn */
#define ACCEPTS 2	   /* new connections before other workers' turn */
#define ACCEPTS_LATE 16   /* … when they have had their turn */
#define YIELD_MS 2	   /* for a worker with less to take it */
#define PAUSE_MS 200	   /* no accepting when descriptors ran out */
#define TICK_MS 500	   /* how exact due times are */
#define SECOND INT64_C(1000000)
#define GRACE_SECONDS 5	   /* for a new connection, once we stop */
#define LINGER_SECONDS 5   /* for the server to stop sending what we refused */

struct fcgi {
	struct front front;
	int fd; /* listens; the caller's */
	uv_poll_t listen;
	uv_timer_t pause; /* until accepting is tried again */
	uv_timer_t tick;  /* runs while a connection has a due time */
	struct ready_set *ready; /* the connections */
	struct conn *conns;
	size_t count, running, timed;
	unsigned patience;
	bool accepting;
	bool yielded; /* others had the time to accept */
	struct share share;
	struct head_pipe head;
	const char *allowed; /* FCGI_WEB_SERVER_ADDRS, or NULL */
	unsigned char bytes[KIB(64)];
};

struct conn {
	struct ready ready;
	struct fcgi *fcgi;
	struct conn *next, **link;
	struct fcgi_request *request; /* the running one, or NULL */
	struct intake in;
	struct buf ahead; /* what came behind the start of a second request */
	int64_t arrived, due; /* µs, 0: none */
	int fd;
	bool full;     /* enough of an open request's body is here */
	bool writable; /* polled for writing too */
	bool used;     /* something has come over it */
	bool lingering; /* answered; the server still sends */
	bool closing;
};

struct fcgi_request {
	struct outlet outlet; /* first: see front_int.h */
	struct conn *conn;
	FCGX_Request fcgx;
	char *body;
	size_t body_len;
	uint16_t id; /* of its records */
	bool keep; /* the connection, when the answer is out */
};

static void take(struct conn *c, const unsigned char *p, size_t n);
static void conn_watch(struct conn *c);
static void listen_set(struct fcgi *s);
static void on_tick(uv_timer_t *tick);
static void on_pause_over(uv_timer_t *pause);

/* --- connections ------------------------------------------------------- */

static void
conn_events(struct conn *c)
{
	int events = 0;

	if (c->closing)
		return;
	if (c->request == NULL || !c->request->outlet.gone) {
		events = c->in.second || c->full ? UV_DISCONNECT : UV_READABLE;
		if (c->writable)
			events |= UV_WRITABLE;
	}
	/* It can only fail for a first one: see conn_start. */
	(void)ready_watch(&c->ready, events);
}

static void
on_conn_closed(struct ready *r)
{
	struct conn *c = r->data;
	struct front *f = &c->fcgi->front;

	free(c);
	front_closed(f);
}

static void
conn_due(struct conn *c, int64_t due)
{
	struct fcgi *s = c->fcgi;

	if (due != 0 && c->due == 0 && s->timed++ == 0)
		uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
	else if (due == 0 && c->due != 0)
		s->timed--;
	c->due = due;
}

static void
conn_close(struct conn *c)
{
	struct fcgi *s = c->fcgi;

	if (c->closing)
		return;
	c->closing = true;
	conn_due(c, 0);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	share_tell(&s->share, (uint32_t)--s->count);
	ready_close(&c->ready, on_conn_closed);
	close(c->fd);
	intake_free(&c->in);
	buf_free(&c->ahead);
	listen_set(s);
	front_check(&s->front);
}

/*
 * The server's side ended or broke. What is still to be read there is worth
 * nothing; a running exchange's owner must hear of it and end it first.
 */
static void
conn_lost(struct conn *c)
{
	if (c->request == NULL) {
		conn_close(c);
		return;
	}
	outlet_gone(&c->request->outlet);
	conn_events(c);
}

/*
 * Close so that the answer arrives: a socket that is closed with unread
 * bytes resets the connection, and the server may drop our answer for it.
 */
static void
conn_linger(struct conn *c)
{
	c->lingering = true;
	shutdown(c->fd, SHUT_WR);
	conn_due(c, clock_mono() + LINGER_SECONDS * SECOND);
	conn_events(c);
}

/* --- a request, from whole to released -------------------------------- */

static void
request_free(struct fcgi_request *r)
{
	head_free(&r->fcgx);
	if (r->body != NULL)
		explicit_bzero(r->body, r->body_len);
	free(r->body);
	free(r);
}

/* The body as gathered becomes the request's own. */
static void
body_move(struct fcgi_request *r, struct buf *b)
{
	char *fit;

	r->body = b->data;
	r->body_len = b->len;
	if (b->size - b->len > KIB(4) && b->len > 0) {
		fit = realloc(b->data, b->len);
		if (fit != NULL)
			r->body = fit;
	}
	buf_init(b, b->max);
}

/* What the owner of an open request sees of its body. */
static void
body_show(struct conn *c)
{
	struct exchange *x = &c->request->outlet.x;

	x->body = c->in.body.len > 0 ? c->in.body.data : "";
	x->body_len = c->in.body.len;
	x->more = c->in.phase == INTAKE_BODY;
	x->refused = c->in.refused;
}

/* Read on, or hold the server back; who is to send has a time for it. */
static void
body_await(struct conn *c)
{
	c->full = c->in.phase == INTAKE_BODY &&
	    c->in.body.len >= c->request->outlet.x.want;
	conn_due(c, c->full || c->in.phase != INTAKE_BODY ? 0 :
	    clock_mono() + c->fcgi->patience * SECOND);
	conn_events(c);
}

/* Something happened to the body of an open request. */
static void
body_came(struct conn *c)
{
	body_show(c);
	body_await(c);
	outlet_body(&c->request->outlet);
}

static void
request_take(struct outlet *o, size_t n)
{
	intake_taken(&((struct fcgi_request *)(void *)o)->conn->in, n);
}

static void
request_want(struct outlet *o)
{
	struct conn *c = ((struct fcgi_request *)(void *)o)->conn;

	if (o->ended && c->in.phase == INTAKE_BODY)
		intake_refuse(&c->in, c->in.refused);
	body_show(c);
	body_await(c);
}

static void
request_start(struct conn *c)
{
	struct fcgi_request *r = calloc(1, sizeof *r);
	struct exchange *x;

	if (r == NULL) {
		conn_close(c);
		return;
	}
	r->conn = c;
	if (!head_decode(&c->fcgi->head, &c->in, c->fd, &r->fcgx)) {
		request_free(r);
		conn_close(c);
		return;
	}
	r->id = c->in.id;
	if (!c->in.open)
		body_move(r, &c->in.body);
	r->keep = c->in.keep && c->in.refused == ERR_OK;
	buf_free(&c->in.params);
	x = &r->outlet.x;
	x->params = (const char *const *)r->fcgx.envp;
	x->body = r->body != NULL ? r->body : "";
	x->body_len = r->body_len;
	x->refused = c->in.refused;
	x->more = c->in.phase == INTAKE_BODY;
	x->arrived = c->arrived;
	c->request = r;
	c->fcgi->running++;
	conn_due(c, x->more ? clock_mono() + c->fcgi->patience * SECOND : 0);
	outlet_start(&c->fcgi->front, &r->outlet);
}

static bool
request_ready(struct outlet *o)
{
	const struct fcgi_request *r = (struct fcgi_request *)(void *)o;
	struct pollfd p = { .fd = r->conn->fd, .events = POLLOUT };

	/* An error is found by writing. */
	return poll(&p, 1, 0) > 0;
}

static void
request_await(struct outlet *o, bool writable)
{
	struct conn *c = ((struct fcgi_request *)(void *)o)->conn;

	c->writable = writable;
	conn_events(c);
}

static ssize_t
request_put(struct outlet *o, const char *p, size_t n)
{
	const struct fcgi_request *r = (struct fcgi_request *)(void *)o;
	bool last = o->ended && !o->cut && n <= RECORD_LAST;
	/* The end of STDOUT; the end of the request, with its status 0. */
	unsigned char head[RECORD_HEAD], end[2 * RECORD_HEAD + RECORD_BODY];
	struct iovec iov[3];
	struct msghdr msg = { .msg_iov = iov };
	size_t total = 0, i;

	if (n > RECORD)
		n = RECORD;
	if (n > 0) {
		record_head(head, RECORD_STDOUT, r->id, n);
		iov[msg.msg_iovlen++] = (struct iovec){ head, sizeof head };
		iov[msg.msg_iovlen++] = (struct iovec){ (void *)(uintptr_t)p, n };
	}
	if (last) {
		memset(end, 0, sizeof end);
		record_head(end, RECORD_STDOUT, r->id, 0);
		record_head(end + RECORD_HEAD, RECORD_END, r->id, RECORD_BODY);
		iov[msg.msg_iovlen++] = (struct iovec){ end, sizeof end };
	}
	for (i = 0; i < msg.msg_iovlen; i++)
		total += iov[i].iov_len;
	/* It is a blocking socket with room for all: less is a failure. */
	if (sendmsg(r->conn->fd, &msg, MSG_NOSIGNAL) != (ssize_t)total)
		return -1;
	o->finished = last;
	return (ssize_t)n;
}

/* The connection is kept: on to the next request, which may have begun. */
static void
conn_next(struct conn *c)
{
	struct buf ahead = c->ahead;

	buf_init(&c->ahead, ahead.max);
	c->arrived = clock_mono();
	if (intake_next(&c->in) == INTAKE_BAD)
		conn_close(c);
	else if (ahead.len > 0)
		take(c, (const unsigned char *)ahead.data, ahead.len);
	else
		conn_watch(c);
	buf_free(&ahead);
	conn_events(c);
}

static void
request_release(struct outlet *o)
{
	struct fcgi_request *r = (struct fcgi_request *)(void *)o;
	struct conn *c = r->conn;
	bool keep = r->keep && o->finished && !o->gone &&
	    c->in.phase == INTAKE_DONE;
	bool linger = o->finished && !o->gone;

	c->request = NULL;
	c->fcgi->running--;
	c->writable = c->full = false;
	request_free(r);
	if (linger && !keep && c->in.phase == INTAKE_REST) {
		conn_linger(c);
		return;
	}
	if (!keep || (c->fcgi->front.stopped && !c->in.second)) {
		conn_close(c);
		return;
	}
	conn_next(c);
}

/* --- bytes come in ----------------------------------------------------- */

/*
 * Answer a management record. All that FCGI_GET_VALUES can ask is answered
 * whatever it asked: names beyond the question do no harm.
 */
static void
management_answer(struct conn *c)
{
	static const char values[] = "\016\005FCGI_MAX_CONNS16384"
				     "\015\005FCGI_MAX_REQS16384"
				     "\017\001FCGI_MPXS_CONNS0";
	unsigned char out[RECORD_HEAD + sizeof values] = { 0 };
	size_t len = RECORD_BODY;

	if (c->in.walk.type == RECORD_GET_VALUES) {
		len = sizeof values - 1;
		record_head(out, RECORD_GET_VALUES_RESULT, 0, len);
		memcpy(out + RECORD_HEAD, values, len);
	} else {
		record_head(out, RECORD_UNKNOWN_TYPE, 0, len);
		out[RECORD_HEAD] = c->in.walk.type;
	}
	len += RECORD_HEAD;
	if (send(c->fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
		conn_lost(c);
}

/* What the intake says of the bytes; false: no more of them. */
static bool
heed(struct conn *c, enum intake_says says, const unsigned char *p, size_t n)
{
	switch (says) {
	case INTAKE_READY:
		if (c->request == NULL)
			request_start(c);
		return !c->closing;
	case INTAKE_ASKED:
		management_answer(c);
		return !c->closing;
	case INTAKE_SECOND: /* waits for the end of the running one */
		buf_put(&c->ahead, p, n);
		if (c->ahead.failed)
			conn_lost(c);
		return false;
	case INTAKE_ABORTED:
	case INTAKE_BAD:
		conn_lost(c);
		return false;
	default:
		return true;
	}
}

/* A request that is not whole yet has a time to become so. */
static void
conn_watch(struct conn *c)
{
	struct fcgi *s = c->fcgi;
	bool waits = c->in.phase == INTAKE_PARAMS || c->in.phase == INTAKE_BODY;

	if (c->closing || c->lingering)
		return;
	if (!waits && walk_between(&c->in.walk))
		conn_due(c, 0);
	else if (c->request == NULL && c->due == 0)
		conn_due(c, c->arrived + s->patience * SECOND);
}

static void
take(struct conn *c, const unsigned char *p, size_t n)
{
	enum intake_says says;

	c->used = true;
	if (intake_idle(&c->in))
		c->arrived = clock_mono();
	while (n > 0) {
		says = intake_feed(&c->in, &p, &n);
		if (!heed(c, says, p, n))
			break;
	}
	if (c->request != NULL && c->request->outlet.x.more)
		body_came(c);
	conn_watch(c);
}

/* Read what is there, some of it. */
static void
conn_read(struct conn *c)
{
	unsigned char *bytes = c->fcgi->bytes;
	const size_t size = sizeof c->fcgi->bytes;
	ssize_t n = (ssize_t)size;
	int i;

	for (i = 0; i < READS && n == (ssize_t)size; i++) {
		if (c->closing || c->in.second || c->full)
			break;
		n = recv(c->fd, bytes, size, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			conn_lost(c);
			return;
		}
		if (c->lingering)
			continue;
		take(c, bytes, (size_t)n);
		explicit_bzero(bytes, (size_t)n);
	}
	conn_events(c);
}

static void
on_ready(struct ready *r, int events)
{
	struct conn *c = r->data;

	if (events == READY_ERROR) {
		conn_lost(c);
		return;
	}
	if ((events & UV_READABLE) != 0)
		conn_read(c);
	else if ((events & UV_DISCONNECT) != 0)
		conn_lost(c);
	if ((events & UV_WRITABLE) != 0 && !c->closing && c->request != NULL)
		outlet_pump(&c->request->outlet);
}

/* --- time -------------------------------------------------------------- */

static void
conn_overdue(struct conn *c)
{
	if (c->lingering || c->in.phase != INTAKE_BODY) {
		conn_close(c);
		return;
	}
	/* The parameters are known: it can be told why. */
	intake_refuse(&c->in, ERR_SLOW_CLIENT);
	if (c->request != NULL)
		body_came(c);
	else
		request_start(c);
}

static void
on_tick(uv_timer_t *tick)
{
	struct fcgi *s = tick->data;
	struct conn *c, *next;
	int64_t now = clock_mono();

	for (c = s->conns; c != NULL; c = next) {
		next = c->next;
		if (c->due != 0 && c->due <= now)
			conn_overdue(c);
	}
	if (s->timed == 0)
		uv_timer_stop(tick);
}

/* --- accepting --------------------------------------------------------- */

static void
conn_start(struct fcgi *s, int fd)
{
	struct conn *c = calloc(1, sizeof *c);

	if (c != NULL)
		ready_init(&c->ready, s->ready, fd, on_ready);
	if (c == NULL || !ready_watch(&c->ready, UV_READABLE)) {
		free(c);
		close(fd);
		return;
	}
	c->ready.data = c;
	c->fcgi = s;
	c->fd = fd;
	c->next = s->conns;
	c->link = &s->conns;
	if (c->next != NULL)
		c->next->link = &c->next;
	s->conns = c;
	share_tell(&s->share, (uint32_t)++s->count);
	s->front.handles++;
	intake_init(&c->in);
	buf_init(&c->ahead, sizeof s->bytes);
	conn_events(c);
}

/* FCGI_WEB_SERVER_ADDRS (FastCGI 1.0, section 3.2): who may connect by TCP. */
static bool
peer_allowed(const struct fcgi *s, const struct sockaddr_storage *peer)
{
	char name[INET_ADDRSTRLEN];
	const struct sockaddr_in *in = (const void *)peer;
	const char *p = s->allowed;
	size_t n, len;

	if (p == NULL || peer->ss_family != AF_INET)
		return p == NULL || peer->ss_family == AF_UNIX;
	if (inet_ntop(AF_INET, &in->sin_addr, name, sizeof name) == NULL)
		return false;
	len = strlen(name);
	for (; *p != '\0'; p += n) {
		p += strspn(p, ", ");
		n = strcspn(p, ", ");
		if (n == len && memcmp(p, name, n) == 0)
			return true;
	}
	return false;
}

/* One connection; false: no more of them now. */
static bool
accept_one(struct fcgi *s)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNIX };
	socklen_t len = sizeof peer;
	int fd, on = 1;

	fd = accept4(s->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EAGAIN)
			return false;
		if (errno == EINTR || errno == ECONNABORTED)
			return true;
		/* Out of descriptors or memory: do not spin. */
		uv_timer_start(&s->pause, on_pause_over, PAUSE_MS, 0);
		listen_set(s);
		return false;
	}
	if (!peer_allowed(s, &peer)) {
		close(fd);
		return true;
	}
	if (peer.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	conn_start(s, fd);
	return true;
}

static void
on_listen(uv_poll_t *handle, int status, int events)
{
	struct fcgi *s = handle->data;
	int i, most = s->yielded ? ACCEPTS_LATE : ACCEPTS;

	(void)events;
	if (status < 0) {
		s->accepting = false;
		uv_timer_start(&s->pause, on_pause_over, PAUSE_MS, 0);
		return;
	}
	if (!s->yielded && share_heavy(&s->share, (uint32_t)s->count)) {
		s->yielded = true;
		uv_timer_start(&s->pause, on_pause_over, YIELD_MS, 0);
		listen_set(s);
		return;
	}
	s->yielded = false;
	for (i = 0; i < most && s->count < LIMIT_EXCHANGES; i++)
		if (!accept_one(s))
			break;
	listen_set(s);
}

static void
on_pause_over(uv_timer_t *pause)
{
	listen_set(pause->data);
}

/* Listen, unless there is a reason not to. */
static void
listen_set(struct fcgi *s)
{
	bool want = !s->front.stopped && s->count < LIMIT_EXCHANGES &&
	    !uv_is_active((uv_handle_t *)&s->pause);

	if (want == s->accepting)
		return;
	s->accepting = want;
	if (want)
		uv_poll_start(&s->listen, UV_READABLE, on_listen);
	else
		uv_poll_stop(&s->listen);
}

/* --- the front as a whole ---------------------------------------------- */

/* Has the server written, or closed, what was not read yet? */
static bool
conn_quiet(const struct conn *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

/*
 * The server counts on every connection that was accepted: a new one still
 * brings its request. A kept one that is idle it has to find closed.
 */
static void
fcgi_stop(struct front *f)
{
	struct fcgi *s = (struct fcgi *)(void *)f;
	struct conn *c, *next;

	uv_timer_stop(&s->pause);
	share_leave(&s->share);
	listen_set(s);
	for (c = s->conns; c != NULL; c = next) {
		next = c->next;
		if (c->request != NULL || c->due != 0)
			continue;
		if (c->used && conn_quiet(c))
			conn_close(c);
		else
			conn_due(c, clock_mono() + GRACE_SECONDS * SECOND);
	}
}

static void
fcgi_cut(struct front *f)
{
	struct fcgi *s = (struct fcgi *)(void *)f;
	struct conn *c, *next;

	for (c = s->conns; c != NULL; c = next) {
		next = c->next;
		if (c->request == NULL)
			conn_close(c);
		else if (c->request->outlet.ended)
			conn_lost(c);
	}
}

static size_t
fcgi_waiting(const struct front *f)
{
	const struct fcgi *s = (const struct fcgi *)(const void *)f;

	return s->count - s->running;
}

static void
on_closed(uv_handle_t *h)
{
	struct fcgi *s = h->data;

	front_closed(&s->front);
}

static void
on_ready_closed(void *arg)
{
	struct fcgi *s = arg;

	front_closed(&s->front);
}

static void
fcgi_close(struct front *f)
{
	struct fcgi *s = (struct fcgi *)(void *)f;
	struct conn *c, *next;

	for (c = s->conns; c != NULL; c = next) {
		next = c->next;
		conn_close(c);
	}
	head_close(&s->head);
	uv_close((uv_handle_t *)&s->listen, on_closed);
	uv_close((uv_handle_t *)&s->pause, on_closed);
	uv_close((uv_handle_t *)&s->tick, on_closed);
	ready_set_free(s->ready, on_ready_closed, s);
}

static const struct front_ops fcgi_ops = {
	.ready = request_ready,
	.await = request_await,
	.put = request_put,
	.take = request_take,
	.want = request_want,
	.release = request_release,
	.stop = fcgi_stop,
	.cut = fcgi_cut,
	.waiting = fcgi_waiting,
	.close = fcgi_close,
};

struct front *
front_listen(uv_loop_t *loop, int listen_fd, const struct front_calls *calls,
    void *arg)
{
	struct fcgi *s = calloc(1, sizeof *s);

	if (s == NULL || !head_library() ||
	    (s->ready = ready_set_new(loop)) == NULL) {
		free(s);
		return NULL;
	}
	if (uv_poll_init(loop, &s->listen, listen_fd) != 0) {
		ready_set_free(s->ready, free, s);
		return NULL;
	}
	front_init(&s->front, loop, &fcgi_ops, calls, arg);
	uv_timer_init(loop, &s->pause);
	uv_timer_init(loop, &s->tick);
	s->listen.data = s->pause.data = s->tick.data = s;
	s->front.handles += 4;
	s->fd = listen_fd;
	head_init(&s->head);
	s->patience = LIMIT_INTAKE_SECONDS;
	s->allowed = getenv("FCGI_WEB_SERVER_ADDRS");
	share_join(&s->share);
	listen_set(s);
	return &s->front;
}

void
front_patience(struct front *f, unsigned seconds)
{
	((struct fcgi *)(void *)f)->patience = seconds;
}

size_t
front_connections(const struct front *f)
{
	return ((const struct fcgi *)(const void *)f)->count;
}
