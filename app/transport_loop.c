/*
 * libcurl's sockets and its timer on the loop. Knows calls only to fail one
 * that cannot be watched.
 */
#include "app/transport_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/address.h"

/* --- sockets ----------------------------------------------------------- */

static void on_ready_socket(struct ready *, int);

static struct watch *
watch_of(const struct transport *t, curl_socket_t fd)
{
	return (size_t)fd < t->watches_size ? t->watches[fd] : NULL;
}

static void
watch_end(struct transport *t, curl_socket_t fd)
{
	struct watch *w = t->watches[fd];

	t->watches[fd] = NULL;
	ready_forget(&w->ready);
	free(w);
}

/* Room in the table for a descriptor. */
static bool
watch_room(struct transport *t, size_t fd)
{
	size_t size = t->watches_size == 0 ? 64 : t->watches_size;
	struct watch **p;

	if (fd < t->watches_size)
		return true;
	while (size <= fd)
		size *= 2;
	p = realloc(t->watches, size * sizeof *p);
	if (p == NULL)
		return false;
	memset(p + t->watches_size, 0,
	    (size - t->watches_size) * sizeof *p);
	t->watches = p;
	t->watches_size = size;
	return true;
}

static struct watch *
watch_new(struct transport *t, curl_socket_t fd)
{
	struct watch *w;

	if (!watch_room(t, (size_t)fd))
		return NULL;
	if (t->watches[fd] != NULL) /* closed without a word */
		watch_end(t, fd);
	w = calloc(1, sizeof *w);
	if (w == NULL)
		return NULL;
	w->transport = t;
	ready_init(&w->ready, t->ready, fd, on_ready_socket);
	w->ready.data = w;
	t->watches[fd] = w;
	return w;
}

void
transport_unwatch(struct transport *t)
{
	size_t fd;

	for (fd = 0; fd < t->watches_size; fd++)
		if (t->watches[fd] != NULL)
			watch_end(t, (curl_socket_t)fd);
	free(t->watches);
	t->watches = NULL;
	t->watches_size = 0;
}

curl_socket_t
transport_on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *sa)
{
	const struct call *c = arg;
	struct watch *w;
	int fd;

	(void)purpose;
	if (!address_allowed(&sa->addr, c->private_net, c->host))
		return CURL_SOCKET_BAD;
	fd = socket(sa->family, sa->socktype | SOCK_CLOEXEC, sa->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	w = watch_new(c->transport, fd);
	if (w == NULL) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	w->ours = true;
	return fd;
}

int
transport_on_close(void *arg, curl_socket_t fd)
{
	struct transport *t = arg;

	if (watch_of(t, fd) != NULL)
		watch_end(t, fd);
	return close(fd);
}

/* --- the loop ---------------------------------------------------------- */

static void
run_curl(struct transport *t, curl_socket_t fd, int what)
{
	int running;

	transport_enter(t);
	(void)curl_multi_socket_action(t->multi, fd, what, &running);
	transport_leave(t);
}

static void
on_ready_socket(struct ready *r, int events)
{
	struct watch *w = r->data;
	struct transport *t = w->transport;
	curl_socket_t fd = r->fd;
	int what = 0;

	if (w->wanted == 0) { /* the peer closes an idle connection */
		(void)ready_watch(r, 0);
		return;
	}
	/*
	 * It is not watched after an error. What came before it may still be
	 * unread, so libcurl is to read, not to be told of the error.
	 */
	if (events == READY_ERROR)
		events = UV_READABLE | UV_WRITABLE;
	if (events & UV_READABLE)
		what |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		what |= CURL_CSELECT_OUT;
	run_curl(t, fd, what);
	w = watch_of(t, fd);
	if (w != NULL && w->wanted != 0 && w->ready.events == 0)
		(void)ready_watch(&w->ready, w->wanted);
}

/* No memory for a watch: this call cannot go on, the others can. */
static void
fail_call(CURL *easy)
{
	char *p = NULL;
	struct call *c;

	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &p) != CURLE_OK ||
	    p == NULL)
		return;
	c = (struct call *)(void *)p;
	c->wants_end = true;
	call_enqueue(c);
}

int
transport_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
    void *assigned)
{
	struct transport *t = arg;
	struct watch *w = watch_of(t, fd);
	int events = ((what & CURL_POLL_IN) ? UV_READABLE : 0) |
	    ((what & CURL_POLL_OUT) ? UV_WRITABLE : 0);

	(void)assigned;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL && !w->ours)
			watch_end(t, fd);
		else if (w != NULL)
			w->wanted = 0;
		return 0;
	}
	if (w == NULL)
		w = watch_new(t, fd);
	if (w == NULL || !ready_watch(&w->ready, events))
		fail_call(easy);
	else
		w->wanted = events;
	return 0;
}

static void on_timer_due(uv_timer_t *);

int
transport_on_timer(CURLM *multi, long ms, void *arg)
{
	struct transport *t = arg;

	(void)multi;
	if (ms < 0)
		uv_timer_stop(&t->curl_timer);
	else
		uv_timer_start(&t->curl_timer, on_timer_due,
		    ms > 0 ? (uint64_t)ms + 1 : 0, 0);
	return 0;
}

/*
 * libcurl sets its timer again only when the time changes: if this one came
 * too early (the loop's clock lags behind while callbacks run) it would be
 * the last.
 */
static void
on_timer_due(uv_timer_t *timer)
{
	struct transport *t = timer->data;
	long ms = -1;

	run_curl(t, CURL_SOCKET_TIMEOUT, 0);
	if (t->closed || uv_is_active((uv_handle_t *)timer))
		return;
	(void)curl_multi_timeout(t->multi, &ms);
	if (ms >= 0)
		(void)transport_on_timer(t->multi, ms, t);
}
