/*
 * The one request of a CGI process (RFC 3875): parameters from the
 * environment, the body from standard input (before the loop runs, but for a
 * large form), the answer to standard output; either may be a pipe, a socket
 * or a file. Only names that CGI knows are
 * taken: the environment holds more, and some of it is nobody's business.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/base/form.h"
#include "app/cgi_names.h"
#include "app/front_int.h"

#define DRAIN_SECONDS 5 /* for the server to get rid of an unread body */
#define CHUNK 4096 /* what a pipe takes whole when poll says it takes any */

struct cgi {
	struct front front;
	struct outlet outlet;
	uv_poll_t out;	  /* not for files, which never wait */
	uv_timer_t start; /* the request is handed out on the loop */
	uv_poll_t in;	  /* of a body that is read on the loop */
	uv_timer_t feed;  /* … from a file, which never waits; else patience */
	bool fed;	  /* these two are set up */
	bool in_polled;
	uint64_t left;	  /* bytes of that body to come, UINT64_MAX: to its end */
	struct buf held;  /* what came and was not taken */
	bool polled;
	bool writable; /* polled for writing */
	bool half; /* the other half of the socket is closed */
	size_t written;
	const char **params;
	char *body;
	size_t body_len;
};

static struct cgi *
cgi_of(struct outlet *o)
{
	return (struct cgi *)(void *)o->front;
}

/* --- the request ------------------------------------------------------- */

static bool
params_read(struct cgi *s)
{
	size_t count = 0, bytes = 0;
	char **e;

	s->params = calloc(LIMIT_HEADERS + 1, sizeof *s->params);
	s->outlet.x.params = s->params;
	if (s->params == NULL)
		return false;
	for (e = environ; *e != NULL; e++) {
		if (!cgi_known(*e))
			continue;
		bytes += strlen(*e);
		if (count == LIMIT_HEADERS || bytes > LIMIT_PARAMS) {
			s->outlet.x.refused = ERR_HEADERS_TOO_LARGE;
			break;
		}
		s->params[count++] = *e;
	}
	return true;
}

static enum err
length_read(const char *text, uint64_t *length)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; text[i] != '\0'; i++) {
		if (text[i] < '0' || text[i] > '9' || i > 17)
			return ERR_BAD_REQUEST;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	*length = n;
	return n > LIMIT_BODY ? ERR_TOO_LARGE : ERR_OK;
}

/* Some bytes of standard input: their number, 0 at its end, -1 too late. */
static ssize_t
stdin_read(char *p, size_t n, int64_t until)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int64_t left;
	ssize_t got;

	for (;;) {
		left = until - clock_mono();
		if (left <= 0)
			return -1;
		if (poll(&in, 1, (int)(left / 1000) + 1) <= 0)
			continue;
		got = read(STDIN_FILENO, p, n);
		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN)
			return 0;
	}
}

/* Read and throw away, so that the server does not choke on it. */
static void
stdin_drain(uint64_t length, int64_t until)
{
	char waste[KIB(16)];
	ssize_t n = 1;

	for (; length > 0 && n > 0; length -= (uint64_t)n)
		n = stdin_read(waste,
		    length < sizeof waste ? (size_t)length : sizeof waste,
		    until);
}

/* A body that came in chunks has no length: it ends where input ends. */
static enum err
body_read_open(struct cgi *s, int64_t until)
{
	struct buf b;
	ssize_t n;

	buf_init(&b, LIMIT_BODY + KIB(16));
	for (;;) {
		if (b.len > LIMIT_BODY || !buf_reserve(&b, KIB(16))) {
			buf_free(&b);
			stdin_drain(UINT64_MAX, until);
			return ERR_TOO_LARGE;
		}
		n = stdin_read(b.data + b.len, KIB(16), until);
		if (n <= 0)
			break;
		b.len += (size_t)n;
	}
	s->body = b.data;
	s->outlet.x.body = b.data;
	s->outlet.x.body_len = s->body_len = b.len;
	return n < 0 ? ERR_SLOW_CLIENT : ERR_OK;
}

static bool
is_post(const struct exchange *x)
{
	const char *method = exchange_param(x, "REQUEST_METHOD");

	return method != NULL && strcmp(method, "POST") == 0;
}

static enum err
body_read(struct cgi *s, size_t length, int64_t until)
{
	size_t have = 0;
	ssize_t n;

	s->body = malloc(length);
	if (s->body == NULL)
		return ERR_INTERNAL;
	while (have < length) {
		n = stdin_read(s->body + have, length - have, until);
		if (n <= 0)
			return n < 0 ? ERR_SLOW_CLIENT : ERR_BAD_REQUEST;
		have += (size_t)n;
	}
	s->outlet.x.body = s->body;
	s->outlet.x.body_len = s->body_len = length;
	return ERR_OK;
}

/* A large form is read as its owner takes it. */
static bool
is_open(struct cgi *s, bool sized, uint64_t length)
{
	struct exchange *x = &s->outlet.x;

	if (!form_is(exchange_param(x, "CONTENT_TYPE")) ||
	    (sized ? length <= LIMIT_WINDOW : !is_post(x)))
		return false;
	s->left = sized ? length : UINT64_MAX;
	buf_init(&s->held, LIMIT_BODY + KIB(64));
	return x->more = true;
}

static bool
request_read(struct cgi *s)
{
	struct exchange *x = &s->outlet.x;
	int64_t until;
	uint64_t length = 0;
	const char *text;
	enum err e;

	x->arrived = clock_mono();
	x->body = "";
	if (!params_read(s))
		return false;
	until = x->arrived + LIMIT_INTAKE_SECONDS * INT64_C(1000000);
	text = exchange_param(x, "CONTENT_LENGTH");
	e = text == NULL ? ERR_OK : length_read(text, &length);
	if (x->refused == ERR_OK && e != ERR_BAD_REQUEST &&
	    is_open(s, text != NULL, length))
		return true;
	if (x->refused != ERR_OK || e == ERR_TOO_LARGE)
		stdin_drain(length, until);
	else if (e == ERR_OK && length > 0)
		e = body_read(s, (size_t)length, until);
	else if (e == ERR_OK && text == NULL && is_post(x))
		e = body_read_open(s, until);
	if (x->refused == ERR_OK)
		x->refused = e;
	return true;
}

/* --- a body that is read on the loop ----------------------------------- */

static void on_in(uv_poll_t *handle, int status, int events);
static void on_feed(uv_timer_t *feed);

/* Read on, or leave it to the server to wait. */
static void
body_await(struct cgi *s)
{
	const struct exchange *x = &s->outlet.x;
	bool read_on = x->more && !s->outlet.ended && s->held.len < x->want;

	if (!s->fed)
		return;
	if (s->in_polled && read_on)
		uv_poll_start(&s->in, UV_READABLE, on_in);
	else if (s->in_polled)
		uv_poll_stop(&s->in);
	if (read_on)
		uv_timer_start(&s->feed, on_feed,
		    s->in_polled ? LIMIT_INTAKE_SECONDS * 1000 : 0, 0);
	else
		uv_timer_stop(&s->feed);
}

static void
body_show(struct cgi *s)
{
	struct exchange *x = &s->outlet.x;

	x->body = s->held.len > 0 ? s->held.data : "";
	x->body_len = s->held.len;
}

/* It is whole, or refused. */
static void
body_over(struct cgi *s, enum err e)
{
	s->outlet.x.more = false;
	s->outlet.x.refused = e;
}

static void
body_came(struct cgi *s)
{
	body_show(s);
	body_await(s);
	outlet_body(&s->outlet);
}

/* Some of it, without waiting longer than the one read. */
static void
body_some(struct cgi *s)
{
	size_t room = s->left < KIB(64) ? (size_t)s->left : KIB(64);
	ssize_t n;

	if (s->held.len > LIMIT_BODY || !buf_reserve(&s->held, room)) {
		body_over(s, ERR_TOO_LARGE);
	} else if ((n = read(STDIN_FILENO, s->held.data + s->held.len,
	    room)) > 0) {
		s->held.len += (size_t)n;
		if (s->left != UINT64_MAX)
			s->left -= (uint64_t)n;
		if (s->left == 0)
			body_over(s, ERR_OK);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		body_over(s, n == 0 && s->left == UINT64_MAX ? ERR_OK :
		    ERR_BAD_REQUEST);
		s->left = 0;
	}
	body_came(s);
}

static void
on_in(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	body_some(handle->data);
}

static void
on_feed(uv_timer_t *feed)
{
	struct cgi *s = feed->data;

	if (s->in_polled) {
		body_over(s, ERR_SLOW_CLIENT);
		body_came(s);
	} else {
		body_some(s);
	}
}

static void
cgi_take(struct outlet *o, size_t n)
{
	struct cgi *s = cgi_of(o);
	size_t left = s->held.len - n;

	buf_drop(&s->held, n);
	if (s->held.data != NULL)
		explicit_bzero(s->held.data + left, n);
}

static void
cgi_want(struct outlet *o)
{
	body_show(cgi_of(o));
	body_await(cgi_of(o));
}

static void
body_start(struct cgi *s, uv_loop_t *loop)
{
	uv_timer_init(loop, &s->feed);
	s->feed.data = s->in.data = s;
	s->front.handles++;
	s->in_polled = uv_poll_init(loop, &s->in, STDIN_FILENO) == 0;
	s->front.handles += s->in_polled;
	s->fed = true;
}

/* --- the answer -------------------------------------------------------- */

/*
 * Nobody reads any more? Apache gives one socket as input and output and
 * closes its half of it behind the body, which is no hang-up.
 */
static bool
hung_up(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO };

	return poll(&p, 1, 0) == 1 &&
	    (p.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

static void on_out(uv_poll_t *handle, int status, int events);

static void
watch(struct cgi *s)
{
	int events = (s->half ? 0 : UV_DISCONNECT) |
	    (s->writable ? UV_WRITABLE : 0);

	if (events == 0)
		uv_poll_stop(&s->out);
	else
		uv_poll_start(&s->out, events, on_out);
}

static void
on_out(uv_poll_t *handle, int status, int events)
{
	struct cgi *s = handle->data;

	if (status < 0 || ((events & UV_DISCONNECT) != 0 && hung_up())) {
		uv_poll_stop(handle);
		s->polled = false;
		outlet_gone(&s->outlet);
		return;
	}
	if ((events & UV_DISCONNECT) != 0) {
		s->half = true; /* and it would be told again and again */
		watch(s);
	}
	if ((events & UV_WRITABLE) != 0)
		outlet_pump(&s->outlet);
}

static bool
cgi_ready(struct outlet *o)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	(void)o;
	return poll(&p, 1, 0) > 0;
}

static void
cgi_await(struct outlet *o, bool writable)
{
	struct cgi *s = cgi_of(o);

	if (!s->polled || s->writable == writable)
		return;
	s->writable = writable;
	watch(s);
}

static ssize_t
cgi_put(struct outlet *o, const char *p, size_t n)
{
	ssize_t done = 0;

	if (n > 0)
		done = write(STDOUT_FILENO, p, n < CHUNK ? n : CHUNK);
	if (done < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -1;
	o->finished = o->ended && (size_t)done == n;
	return done;
}

static void
cgi_release(struct outlet *o)
{
	struct cgi *s = cgi_of(o);

	if (s->polled)
		uv_poll_stop(&s->out);
	s->polled = false;
	if (s->fed && s->left > 0)
		stdin_drain(s->left, clock_mono() + DRAIN_SECONDS *
		    INT64_C(1000000));
	s->left = 0;
	cgi_take(o, s->held.len);
	buf_free(&s->held);
	if (s->body != NULL)
		explicit_bzero(s->body, s->body_len);
	free(s->body);
	free(s->params);
	s->body = NULL;
	s->params = NULL;
}

static void
cgi_stop(struct front *f)
{
	(void)f; /* there is but one request, and it has come */
}

static void
cgi_cut(struct front *f)
{
	struct cgi *s = (struct cgi *)(void *)f;

	if (s->outlet.ended)
		outlet_gone(&s->outlet);
}

static size_t
cgi_waiting(const struct front *f)
{
	const struct cgi *s = (const struct cgi *)(const void *)f;

	return uv_is_active((const uv_handle_t *)&s->start) ? 1 : 0;
}

static void
on_closed(uv_handle_t *h)
{
	struct cgi *s = h->data;

	front_closed(&s->front);
}

static void
cgi_close(struct front *f)
{
	struct cgi *s = (struct cgi *)(void *)f;

	if (uv_handle_get_type((uv_handle_t *)&s->out) == UV_POLL)
		uv_close((uv_handle_t *)&s->out, on_closed);
	if (s->in_polled)
		uv_close((uv_handle_t *)&s->in, on_closed);
	if (s->fed)
		uv_close((uv_handle_t *)&s->feed, on_closed);
	uv_close((uv_handle_t *)&s->start, on_closed);
}

static const struct front_ops cgi_ops = {
	.ready = cgi_ready,
	.await = cgi_await,
	.put = cgi_put,
	.take = cgi_take,
	.want = cgi_want,
	.release = cgi_release,
	.stop = cgi_stop,
	.cut = cgi_cut,
	.waiting = cgi_waiting,
	.close = cgi_close,
};

static void
on_start(uv_timer_t *start)
{
	struct cgi *s = start->data;

	outlet_start(&s->front, &s->outlet);
	body_await(s);
}

struct front *
front_cgi(uv_loop_t *loop, const struct front_calls *calls, void *arg)
{
	struct cgi *s = calloc(1, sizeof *s);
	int off = 0;

	if (s == NULL || !request_read(s)) {
		free(s);
		return NULL;
	}
	signal(SIGPIPE, SIG_IGN);
	front_init(&s->front, loop, &cgi_ops, calls, arg);
	s->polled = uv_poll_init(loop, &s->out, STDOUT_FILENO) == 0;
	if (s->polled) {
		ioctl(STDOUT_FILENO, FIONBIO, &off); /* others may share it */
		s->out.data = s;
		s->front.handles++;
		watch(s);
	}
	uv_timer_init(loop, &s->start);
	s->start.data = s;
	s->front.handles++;
	uv_timer_start(&s->start, on_start, 0, 0);
	if (s->outlet.x.more)
		body_start(s, loop);
	return &s->front;
}
