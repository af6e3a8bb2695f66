/* Watches of sockets: who is told what, and what is not told any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/ready.h"

struct end {
	struct ready ready;
	int here, there; /* a pair of sockets */
	int told, events;
	struct end *victim; /* closed when this one is told */
	bool released;
};

static uv_loop_t loop;
static struct ready_set *set;
static bool set_gone;

static int
setup(void **state)
{
	(void)state;
	set_gone = false;
	assert_int_equal(uv_loop_init(&loop), 0);
	set = ready_set_new(&loop);
	assert_non_null(set);
	return 0;
}

static void
on_set_gone(void *arg)
{
	(void)arg;
	set_gone = true;
}

static int
teardown(void **state)
{
	(void)state;
	ready_set_free(set, on_set_gone, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(set_gone);
	assert_int_equal(uv_loop_close(&loop), 0);
	return 0;
}

static void
on_released(struct ready *r)
{
	struct end *e = r->data;

	e->released = true;
}

static void
end_close(struct end *e)
{
	ready_close(&e->ready, on_released);
	close(e->here);
}

static void
on_ready(struct ready *r, int events)
{
	struct end *e = r->data;

	e->told++;
	e->events = events;
	if (e->victim != NULL)
		end_close(e->victim);
}

static void
end_open(struct end *e)
{
	int pair[2];

	memset(e, 0, sizeof *e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	e->here = pair[0];
	e->there = pair[1];
	ready_init(&e->ready, set, e->here, on_ready);
	e->ready.data = e;
}

/* Some turns of the loop that do not wait. */
static void
turns(void)
{
	int i;

	for (i = 0; i < 4; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void
test_events(void **state)
{
	struct end e;

	(void)state;
	end_open(&e);
	assert_true(ready_watch(&e.ready, UV_READABLE));
	turns();
	assert_int_equal(e.told, 0);
	assert_int_equal(write(e.there, "x", 1), 1);
	turns();
	assert_true(e.told > 1); /* as long as it is there to be read */
	assert_int_equal(e.events, UV_READABLE);
	assert_true(ready_watch(&e.ready, UV_READABLE | UV_WRITABLE));
	turns();
	assert_int_equal(e.events, UV_READABLE | UV_WRITABLE);
	assert_true(ready_watch(&e.ready, 0));
	e.told = 0;
	turns();
	assert_int_equal(e.told, 0);
	assert_true(ready_watch(&e.ready, UV_WRITABLE));
	turns();
	assert_int_equal(e.events, UV_WRITABLE);
	end_close(&e);
	close(e.there);
	turns();
	assert_true(e.released);
}

static void
test_hang_up(void **state)
{
	struct end e;

	(void)state;
	end_open(&e);
	assert_true(ready_watch(&e.ready, UV_DISCONNECT));
	assert_int_equal(write(e.there, "x", 1), 1);
	turns();
	assert_int_equal(e.told, 0);
	assert_int_equal(shutdown(e.there, SHUT_WR), 0);
	turns();
	assert_int_equal(e.events, UV_DISCONNECT);
	assert_true(ready_watch(&e.ready, UV_READABLE));
	close(e.there);
	e.events = 0;
	turns();
	assert_int_equal(e.events, UV_READABLE);
	end_close(&e);
	turns(); /* it lives on the stack */
}

static void
test_error(void **state)
{
	struct end e;

	(void)state;
	end_open(&e);
	/* Closed with our bytes unread there: a reset. */
	assert_int_equal(write(e.here, "x", 1), 1);
	assert_true(ready_watch(&e.ready, UV_READABLE));
	close(e.there);
	turns();
	assert_int_equal(e.told, 1);
	assert_int_equal(e.events, READY_ERROR);
	assert_int_equal(e.ready.events, 0);
	end_close(&e);
	turns();
}

/* Both are readable in one turn; whoever is told first closes the other. */
static void
test_close_other(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a);
	end_open(&b);
	a.victim = &b;
	b.victim = &a;
	assert_true(ready_watch(&a.ready, UV_READABLE));
	assert_true(ready_watch(&b.ready, UV_READABLE));
	assert_int_equal(write(a.there, "x", 1), 1);
	assert_int_equal(write(b.there, "x", 1), 1);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(a.told + b.told, 1);
	if (a.told) {
		a.victim = NULL;
		end_close(&a);
	} else {
		b.victim = NULL;
		end_close(&b);
	}
	turns();
	assert_true(a.released && b.released);
	assert_int_equal(a.told + b.told, 1);
	close(a.there);
	close(b.there);
}

static void
test_close_self(void **state)
{
	struct end e;

	(void)state;
	end_open(&e);
	e.victim = &e;
	assert_true(ready_watch(&e.ready, UV_READABLE));
	assert_int_equal(write(e.there, "x", 1), 1);
	turns();
	assert_int_equal(e.told, 1);
	assert_true(e.released);
	close(e.there);
}

/* A number that is closed and given again is a new descriptor. */
static void
test_same_number(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a);
	assert_true(ready_watch(&a.ready, UV_READABLE));
	ready_forget(&a.ready);
	close(a.here);
	close(a.there);
	end_open(&b);
	assert_int_equal(b.here, a.here);
	assert_true(ready_watch(&b.ready, UV_READABLE));
	assert_int_equal(write(b.there, "x", 1), 1);
	turns();
	assert_int_equal(a.told, 0);
	assert_true(b.told > 0);
	end_close(&b);
	turns();
	close(b.there);
}

static void
test_refused(void **state)
{
	struct ready r;

	(void)state;
	ready_init(&r, set, -1, on_ready);
	assert_false(ready_watch(&r, UV_READABLE));
	assert_int_equal(r.events, 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_events),
		TEST(test_hang_up),
		TEST(test_error),
		TEST(test_close_other),
		TEST(test_close_self),
		TEST(test_same_number),
		TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
