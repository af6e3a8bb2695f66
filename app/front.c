/*
 * The answer's queue, common to FastCGI and CGI. The owner's writes are only
 * queued; they go out once a turn of the loop, so that a head, a body and an
 * end that were written together leave in one record and one system call.
 * Owner's calls come from here too, never from within the owner's own call.
 */
#include "app/front_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/limits.h"

#define TURN 16	     /* writes of one exchange before others have their turn */
#define KEEP 512 /* memory that an empty queue may keep */

static struct answer *
answer_of(struct exchange *x)
{
	return (struct answer *)(void *)x;
}

static const struct answer *
answer_peek(const struct exchange *x)
{
	return (const struct answer *)(const void *)x;
}

static void on_idle(uv_idle_t *idle);

static size_t
pending(const struct answer *a)
{
	return a->out.len - a->head;
}

/*
 * An idle handle, not a prepare handle: while it is active the loop does not
 * sleep, from whatever phase of the loop it was started.
 */
static void
mark_dirty(struct answer *a)
{
	struct front *f = a->front;

	if (a->dirty)
		return;
	a->dirty = true;
	a->next_dirty = f->dirty;
	f->dirty = a;
	uv_idle_start(&f->idle, on_idle);
}

static void
queue_trim(struct answer *a)
{
	if (pending(a) > 0)
		return;
	a->head = 0;
	if (a->out.data != NULL)
		explicit_bzero(a->out.data, a->out.len);
	if (a->out.size > KEEP)
		buf_free(&a->out);
	else
		buf_clear(&a->out);
}

/* Bring out what the client takes. False: more turns are due at once. */
static bool
send_out(struct answer *a)
{
	const struct front_ops *ops = a->front->ops;
	bool more = true, ready = true;
	int turn;
	ssize_t n;

	for (turn = 0; turn < TURN && ready; turn++) {
		more = pending(a) > 0 || (a->ended && !a->finished);
		if (a->gone || !more)
			break;
		ready = ops->ready(a);
		if (!ready)
			break;
		n = ops->put(a, pending(a) > 0 ? a->out.data + a->head : "",
		    pending(a));
		if (n < 0)
			a->gone = true;
		else
			a->head += (size_t)n;
	}
	queue_trim(a);
	if (!a->gone)
		ops->await(a, !ready);
	return turn < TURN;
}

/* Tell the owner what it waits for. It may end or abort the exchange here. */
static void
tell(struct answer *a)
{
	struct front *f = a->front;

	if (a->ended)
		return;
	if (a->gone && !a->told) {
		a->told = true;
		f->calls.gone(f->arg, &a->x);
	} else if (a->full && !a->gone && pending(a) < LOW_OUT) {
		a->full = false;
		f->calls.drained(f->arg, &a->x);
	}
}

void
answer_pump(struct answer *a)
{
	struct front *f = a->front;

	if (!a->gone && !send_out(a))
		mark_dirty(a);
	tell(a);
	if (!a->ended || (!a->gone && !a->finished))
		return;
	if (a->dirty) /* the list still names it: next turn */
		return;
	buf_free(&a->out);
	f->active--;
	f->ops->release(a);
	front_check(f);
}

static void
on_idle(uv_idle_t *idle)
{
	struct front *f = idle->data;
	struct answer *a, *list = f->dirty;

	f->dirty = NULL;
	uv_idle_stop(idle);
	while ((a = list) != NULL) {
		list = a->next_dirty;
		a->dirty = false;
		answer_pump(a);
	}
	if (!f->stopped || f->quiet || front_active(f) > 0)
		return;
	f->quiet = true;
	if (f->calls.idle != NULL)
		f->calls.idle(f->arg);
}

void
front_check(struct front *f)
{
	if (f->stopped && !f->freed && !f->quiet && front_active(f) == 0)
		uv_idle_start(&f->idle, on_idle);
}

void
answer_gone(struct answer *a)
{
	if (a->gone)
		return;
	a->gone = true;
	mark_dirty(a);
}

void
answer_start(struct front *f, struct answer *a)
{
	a->front = f;
	buf_init(&a->out, LIMIT_ARENA);
	f->active++;
	f->calls.request(f->arg, &a->x);
}

bool
exchange_write(struct exchange *x, const char *bytes, size_t len)
{
	struct answer *a = answer_of(x);

	assert(!a->ended);
	if (a->gone)
		return false;
	if (a->head > a->out.len / 2 && a->out.len + len > a->out.size) {
		buf_drop(&a->out, a->head);
		a->head = 0;
	}
	buf_put(&a->out, bytes, len);
	if (a->out.failed) { /* a gap must not go out as if it were whole */
		answer_gone(a);
		return false;
	}
	mark_dirty(a);
	if (pending(a) > LIMIT_OUT)
		a->full = true;
	return !a->full;
}

size_t
exchange_pending(const struct exchange *x)
{
	return pending(answer_peek(x));
}

bool
exchange_gone(const struct exchange *x)
{
	return answer_peek(x)->gone;
}

void
exchange_end(struct exchange *x)
{
	struct answer *a = answer_of(x);

	assert(!a->ended);
	a->ended = true;
	mark_dirty(a);
}

void
exchange_abort(struct exchange *x)
{
	answer_of(x)->gone = true;
	exchange_end(x);
}

static bool
named(const char *param, const char *name, size_t len)
{
	/* Most differ early; few begin with the same letters. */
	return param[0] == name[0] && strncmp(param, name, len) == 0 &&
	    param[len] == '=';
}

const char *
exchange_param(const struct exchange *x, const char *name)
{
	const char *const *p;
	size_t len = strlen(name);

	for (p = x->params; *p != NULL; p++)
		if (named(*p, name, len))
			return *p + len + 1;
	return NULL;
}

unsigned
exchange_param_count(const struct exchange *x, const char *name)
{
	const char *const *p;
	size_t len = strlen(name);
	unsigned count = 0;

	for (p = x->params; *p != NULL; p++)
		count += named(*p, name, len);
	return count;
}

void
front_init(struct front *f, uv_loop_t *loop, const struct front_ops *ops,
    const struct front_calls *calls, void *arg)
{
	f->loop = loop;
	f->ops = ops;
	f->calls = *calls;
	f->arg = arg;
	uv_idle_init(loop, &f->idle);
	f->idle.data = f;
	f->handles = 1;
}

void
front_closed(struct front *f)
{
	if (--f->handles == 0)
		free(f);
}

static void
on_idle_closed(uv_handle_t *h)
{
	front_closed(h->data);
}

void
front_stop(struct front *f)
{
	if (f->stopped)
		return;
	f->stopped = true;
	f->ops->stop(f);
	front_check(f);
}

void
front_cut(struct front *f)
{
	f->ops->cut(f);
}

size_t
front_active(const struct front *f)
{
	return f->active + (f->stopped ? f->ops->waiting(f) : 0);
}

void
front_free(struct front *f)
{
	if (f == NULL || f->freed)
		return;
	assert(f->active == 0);
	f->freed = true;
	front_stop(f);
	f->ops->close(f);
	uv_close((uv_handle_t *)&f->idle, on_idle_closed);
}
