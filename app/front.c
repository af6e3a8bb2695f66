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

static struct outlet *
outlet_of(struct exchange *x)
{
	return (struct outlet *)(void *)x;
}

static const struct outlet *
outlet_peek(const struct exchange *x)
{
	return (const struct outlet *)(const void *)x;
}

static void on_idle(uv_idle_t *idle);

static size_t
pending(const struct outlet *o)
{
	return o->out.len - o->head;
}

/*
 * An idle handle, not a prepare handle: while it is active the loop does not
 * sleep, from whatever phase of the loop it was started.
 */
static void
mark_dirty(struct outlet *o)
{
	struct front *f = o->front;

	if (o->dirty)
		return;
	o->dirty = true;
	o->next_dirty = f->dirty;
	f->dirty = o;
	uv_idle_start(&f->idle, on_idle);
}

static void
queue_trim(struct outlet *o)
{
	if (pending(o) > 0)
		return;
	o->head = 0;
	if (o->out.data != NULL)
		explicit_bzero(o->out.data, o->out.len);
	if (o->out.size > KEEP)
		buf_free(&o->out);
	else
		buf_clear(&o->out);
}

/* Bring out what the client takes. False: more turns are due at once. */
static bool
send_out(struct outlet *o)
{
	const struct front_ops *ops = o->front->ops;
	bool more = true, ready = true;
	int turn;
	ssize_t n;

	for (turn = 0; turn < TURN && ready; turn++) {
		more = pending(o) > 0 ||
		    (o->ended && !o->cut && !o->finished);
		if (o->gone || !more)
			break;
		ready = ops->ready(o);
		if (!ready)
			break;
		n = ops->put(o, pending(o) > 0 ? o->out.data + o->head : "",
		    pending(o));
		if (n < 0)
			o->gone = true;
		else
			o->head += (size_t)n;
	}
	queue_trim(o);
	if (!o->gone)
		ops->await(o, !ready);
	return turn < TURN;
}

/* Tell the owner what it waits for. It may end or abort the exchange here. */
static void
tell(struct outlet *o)
{
	struct front *f = o->front;

	if (o->ended)
		return;
	if (o->gone && !o->told) {
		o->told = true;
		f->calls.gone(f->arg, &o->x);
	} else if (o->full && !o->gone && pending(o) < LOW_OUT) {
		o->full = false;
		f->calls.drained(f->arg, &o->x);
	}
}

void
outlet_pump(struct outlet *o)
{
	struct front *f = o->front;

	if (!o->gone && !send_out(o))
		mark_dirty(o);
	if (o->cut && pending(o) == 0)
		o->gone = true;
	tell(o);
	if (!o->ended || (!o->gone && !o->finished))
		return;
	if (o->dirty) /* the list still names it: next turn */
		return;
	buf_free(&o->out);
	f->active--;
	f->ops->release(o);
	front_check(f);
}

static void
on_idle(uv_idle_t *idle)
{
	struct front *f = idle->data;
	struct outlet *o, *list = f->dirty;

	f->dirty = NULL;
	uv_idle_stop(idle);
	while ((o = list) != NULL) {
		list = o->next_dirty;
		o->dirty = false;
		outlet_pump(o);
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
outlet_gone(struct outlet *o)
{
	if (o->gone)
		return;
	o->gone = true;
	mark_dirty(o);
}

void
outlet_start(struct front *f, struct outlet *o)
{
	o->front = f;
	o->x.want = LIMIT_WINDOW;
	buf_init(&o->out, LIMIT_ARENA);
	f->active++;
	f->calls.request(f->arg, &o->x);
}

void
outlet_body(struct outlet *o)
{
	struct front *f = o->front;

	if (!o->ended && !o->gone)
		f->calls.body(f->arg, &o->x);
}

void
exchange_take(struct exchange *x, size_t n)
{
	struct outlet *o = outlet_of(x);

	o->front->ops->take(o, n);
	o->front->ops->want(o);
}

void
exchange_want(struct exchange *x, size_t most)
{
	struct outlet *o = outlet_of(x);

	x->want = most;
	if (x->more)
		o->front->ops->want(o);
}

bool
exchange_write(struct exchange *x, const char *bytes, size_t len)
{
	struct outlet *o = outlet_of(x);

	assert(!o->ended);
	if (o->gone)
		return false;
	if (o->head > o->out.len / 2 && o->out.len + len > o->out.size) {
		buf_drop(&o->out, o->head);
		o->head = 0;
	}
	buf_put(&o->out, bytes, len);
	if (o->out.failed) { /* a gap must not go out as if it were whole */
		outlet_gone(o);
		return false;
	}
	mark_dirty(o);
	if (pending(o) > LIMIT_OUT)
		o->full = true;
	return !o->full;
}

size_t
exchange_pending(const struct exchange *x)
{
	return pending(outlet_peek(x));
}

bool
exchange_gone(const struct exchange *x)
{
	return outlet_peek(x)->gone;
}

void
exchange_end(struct exchange *x)
{
	struct outlet *o = outlet_of(x);

	assert(!o->ended);
	o->ended = true;
	if (x->more)
		o->front->ops->want(o);
	mark_dirty(o);
}

void
exchange_abort(struct exchange *x)
{
	outlet_of(x)->cut = true;
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
