/* Readiness of sockets by an epoll set within the loop's own. */
#include "app/ready.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 64 /* events fetched at once */

struct ready_set {
	uv_poll_t poll;
	uv_idle_t idle; /* runs while closed ones are to be released */
	struct ready *closed;
	struct epoll_event batch[BATCH];
	int at, count; /* the events of batch that are not yet told */
	int epfd;
	size_t watched;	  /* sockets in the set */
	unsigned handles; /* not yet closed */
	void (*done)(void *arg);
	void *arg;
};

static const struct {
	int uv;
	uint32_t epoll;
} names[] = {
	{ UV_READABLE, EPOLLIN },
	{ UV_WRITABLE, EPOLLOUT },
	{ UV_DISCONNECT, EPOLLRDHUP },
};

static uint32_t
to_epoll(int events)
{
	uint32_t e = 0;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if ((events & names[i].uv) != 0)
			e |= names[i].epoll;
	return e;
}

/* A hang-up is found by whatever the owner waits for. */
static int
from_epoll(uint32_t e, int wanted)
{
	int events = 0;
	size_t i;

	if ((e & EPOLLHUP) != 0)
		return wanted;
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if ((e & names[i].epoll) != 0)
			events |= names[i].uv;
	return events & wanted;
}

static void
release_closed(struct ready_set *s)
{
	struct ready *r;

	while ((r = s->closed) != NULL) {
		s->closed = r->next;
		r->closed(r);
	}
}

static void
on_idle(uv_idle_t *idle)
{
	uv_idle_stop(idle);
	release_closed(idle->data);
}

static void
tell(struct ready *r, uint32_t e)
{
	int events;

	if ((e & EPOLLERR) != 0) {
		ready_watch(r, 0);
		r->fn(r, READY_ERROR);
		return;
	}
	events = from_epoll(e, r->events);
	if (events != 0)
		r->fn(r, events);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct ready_set *s = poll->data;
	struct ready *r;

	(void)status;
	(void)events;
	s->count = epoll_wait(s->epfd, s->batch, BATCH, 0);
	for (s->at = 0; s->at < s->count; s->at++) {
		r = s->batch[s->at].data.ptr;
		if (r != NULL)
			tell(r, s->batch[s->at].events);
	}
	s->count = 0;
}

struct ready_set *
ready_set_new(uv_loop_t *loop)
{
	struct ready_set *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epfd < 0 || uv_poll_init(loop, &s->poll, s->epfd) != 0) {
		if (s->epfd >= 0)
			close(s->epfd);
		free(s);
		return NULL;
	}
	uv_idle_init(loop, &s->idle);
	s->poll.data = s->idle.data = s;
	s->handles = 2;
	uv_poll_start(&s->poll, UV_READABLE, on_poll);
	uv_unref((uv_handle_t *)&s->poll);
	return s;
}

static void
on_closed(uv_handle_t *h)
{
	struct ready_set *s = h->data;

	if (--s->handles > 0)
		return;
	release_closed(s);
	close(s->epfd);
	if (s->done != NULL)
		s->done(s->arg);
	free(s);
}

void
ready_set_free(struct ready_set *s, void (*done)(void *arg), void *arg)
{
	s->done = done;
	s->arg = arg;
	uv_close((uv_handle_t *)&s->poll, on_closed);
	uv_close((uv_handle_t *)&s->idle, on_closed);
}

void
ready_init(struct ready *r, struct ready_set *s, int fd, ready_fn *fn)
{
	*r = (struct ready){ .set = s, .fd = fd, .fn = fn };
}

/* What was fetched for it will not be told. */
static void
drop_fetched(struct ready *r)
{
	struct ready_set *s = r->set;
	int i;

	for (i = s->at; i < s->count; i++)
		if (s->batch[i].data.ptr == r)
			s->batch[i].data.ptr = NULL;
}

/* An empty set does not keep the loop alive. */
static void
count_watched(struct ready_set *s, bool was, bool is)
{
	if (was == is)
		return;
	if (is && s->watched++ == 0)
		uv_ref((uv_handle_t *)&s->poll);
	else if (!is && --s->watched == 0)
		uv_unref((uv_handle_t *)&s->poll);
}

bool
ready_watch(struct ready *r, int events)
{
	struct epoll_event ev = { .events = to_epoll(events), .data.ptr = r };
	int op = EPOLL_CTL_MOD;

	if (events == r->events)
		return true;
	if (events == 0)
		op = EPOLL_CTL_DEL;
	else if (r->events == 0)
		op = EPOLL_CTL_ADD;
	if (epoll_ctl(r->set->epfd, op, r->fd, &ev) != 0)
		return false;
	count_watched(r->set, r->events != 0, events != 0);
	r->events = events;
	return true;
}

void
ready_forget(struct ready *r)
{
	drop_fetched(r);
	count_watched(r->set, r->events != 0, false);
	r->events = 0; /* close() takes it out of the set */
}

void
ready_close(struct ready *r, void (*closed)(struct ready *r))
{
	struct ready_set *s = r->set;

	ready_forget(r);
	r->closed = closed;
	r->next = s->closed;
	s->closed = r;
	if (!uv_is_closing((uv_handle_t *)&s->idle))
		uv_idle_start(&s->idle, on_idle);
}
