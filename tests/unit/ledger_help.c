/* See ledger_help.h. */
#include "tests/unit/ledger_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/limits.h"
#include "policy/unit.h"

/* ms for an answer: tests of whole builds may run beside this one. */
#define PATIENCE 20000

bool over_redis;

static volatile int64_t *the_shift;
static int64_t the_jump;

static int64_t
shifted_wall(void)
{
	return clock_wall() + *the_shift + the_jump;
}

static int64_t
shifted_steady(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * S + t.tv_nsec / 1000 + *the_shift;
}

static const struct ledger_clock shifted = { shifted_wall, shifted_steady };

static void
open_ledger(struct world *w)
{
	struct fault f;

	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->setup.loop = &w->loop;
	w->l = ledger_open(&w->setup, &f);
	if (w->l == NULL)
		print_error("%s: %s\n", f.param, f.text);
	assert_non_null(w->l);
	w->arena = arena_new(MIB(64));
	assert_non_null(w->arena);
}

static void
close_ledger(struct world *w)
{
	int turns = 0;

	ledger_close(w->l);
	/* The disk may be slow. */
	do
		world_run(w, 10);
	while (uv_loop_close(&w->loop) != 0 && ++turns < PATIENCE / 10);
	assert_true(turns < PATIENCE / 10);
	arena_free(w->arena);
}

/* Where the clock's shift is. */
static void
make_shift(struct world *w, char *path, size_t size)
{
	int fd;
	void *p;

	snprintf(path, size, "%s/shift", w->server.dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof *w->shift), 0);
	p = mmap(NULL, sizeof *w->shift, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	assert_true(p != MAP_FAILED);
	close(fd);
	w->shift = p;
	the_shift = p;
}

static void
set_up(struct world *w)
{
	w->setup.store = w->redis ? w->server.address : "embedded";
	w->setup.dir = w->server.dir;
	w->setup.clock = &shifted;
	w->setup.patience = PATIENCE / 2;
}

struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof *w);
	char path[128];

	assert_non_null(w);
	the_jump = 0;
	w->redis = over_redis;
	snprintf(w->server.dir, sizeof w->server.dir,
	    "/tmp/test_ledger.XXXXXX");
	assert_non_null(mkdtemp(w->server.dir));
	snprintf(w->server.address, sizeof w->server.address,
	    "redis+unix://%s/redis.sock", w->server.dir);
	make_shift(w, path, sizeof path);
	if (w->redis) {
		setenv("SHIFT_TIME", path, 1);
		setenv("LD_PRELOAD", SHIFT_TIME_SO, 1);
		redis_again(&w->server, NULL);
		unsetenv("LD_PRELOAD");
	}
	set_up(w);
	open_ledger(w);
	return w;
}

void
world_free(struct world *w)
{
	close_ledger(w);
	munmap((void *)(uintptr_t)w->shift, sizeof *w->shift);
	redis_end(&w->server);
	free(w);
}

struct world *
world_join(const char *dir, int64_t lease)
{
	struct world *w = calloc(1, sizeof *w);
	char path[128];

	assert_non_null(w);
	w->redis = over_redis;
	snprintf(w->server.dir, sizeof w->server.dir, "%s", dir);
	snprintf(w->server.address, sizeof w->server.address,
	    "redis+unix://%s/redis.sock", dir);
	make_shift(w, path, sizeof path);
	set_up(w);
	w->setup.lease = lease;
	open_ledger(w);
	return w;
}

struct world *
world_host(struct world *other, const char *name)
{
	struct world *w = calloc(1, sizeof *w);
	char path[128];

	assert_non_null(w);
	w->redis = other->redis;
	w->server = other->server;
	make_shift(w, path, sizeof path);
	set_up(w);
	snprintf(w->state, sizeof w->state, "%s/%s", w->server.dir, name);
	w->setup.dir = w->state;
	open_ledger(w);
	return w;
}

void
world_leave(struct world *w)
{
	close_ledger(w);
	munmap((void *)(uintptr_t)w->shift, sizeof *w->shift);
	free(w);
}

void
world_again(struct world *w)
{
	close_ledger(w);
	open_ledger(w);
}

void
world_lease(struct world *w, int64_t lease)
{
	close_ledger(w);
	w->setup.lease = lease;
	open_ledger(w);
}

void
world_set_time(struct world *w, const char *text)
{
	int64_t t;

	close_ledger(w);
	assert_true(unit_date(text, &t));
	*w->shift = t * S - clock_wall();
	if (!w->redis) { /* as after a boot: the file's clock is set anew */
		char path[128];

		snprintf(path, sizeof path, "%s/ledger.db", w->server.dir);
		unlink(path);
	}
	open_ledger(w);
}

void
world_move(struct world *w, int64_t us)
{
	*w->shift += us;
}

static void
on_turn(uv_timer_t *t)
{
	(void)t;
}

/* A turn of the loop goes on waiting after an answer that came of a timer:
 * so there is another timer. */
static void
run_until(struct world *w, int ms, const int *calls)
{
	int64_t end = clock_mono() + ms * INT64_C(1000);
	uv_timer_t t;

	uv_timer_init(&w->loop, &t);
	uv_timer_start(&t, on_turn, 1, 1);
	while (clock_mono() < end && (calls == NULL || *calls == 0))
		uv_run(&w->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&w->loop, UV_RUN_NOWAIT);
}

void
world_run(struct world *w, int ms)
{
	run_until(w, ms, NULL);
}

void
world_tick(struct world *w)
{
	struct counter c = { .scope = "nothing", .kind = COUNTER_PARALLEL };

	ledger_tick(w->l);
	used_of(w, &c); /* comes back behind all that the tick asked */
}

void
world_ticks(struct world *w, int n)
{
	while (n-- > 0)
		world_tick(w);
}

void
world_jump(struct world *w, int64_t us)
{
	(void)w;
	the_jump = us;
}

struct got {
	int calls;
	struct ledger_answer a;
};

static void
on_answer(void *arg, const struct ledger_answer *a)
{
	struct got *g = arg;

	g->calls++;
	g->a = *a;
}

static struct ledger_answer
wait_for(struct world *w, struct got *g)
{
	run_until(w, PATIENCE, &g->calls);
	assert_int_equal(g->calls, 1);
	return g->a;
}

struct ledger_answer
hold_as(struct world *w, struct hold *h, const struct want *claims,
    unsigned n, const struct usage_row *who)
{
	struct got g = { 0 };

	ledger_hold(w->l, h, claims, n, who, on_answer, &g);
	return wait_for(w, &g);
}

struct ledger_answer
hold(struct world *w, struct hold *h, const struct want *claims, unsigned n)
{
	struct usage_row who = { .day = 20261128, .key = "k", .cost = 0 };

	return hold_as(w, h, claims, n, &who);
}

struct ledger_answer
more(struct world *w, struct hold *h, const struct want *claims, unsigned n,
    int64_t cost)
{
	struct got g = { 0 };

	ledger_more(w->l, h, claims, n, cost, on_answer, &g);
	return wait_for(w, &g);
}

struct ledger_answer
sent(struct world *w, struct hold *h)
{
	struct got g = { 0 };

	ledger_sent(w->l, h, on_answer, &g);
	return wait_for(w, &g);
}

struct ledger_answer
settle(struct world *w, struct hold *h, const int64_t *actual,
    const struct usage_row *rows, unsigned n)
{
	struct got g = { 0 };

	ledger_settle(w->l, h, actual, rows, n, on_answer, &g);
	return wait_for(w, &g);
}

struct ledger_answer
release(struct world *w, struct hold *h)
{
	struct got g = { 0 };

	ledger_release(w->l, h, on_answer, &g);
	return wait_for(w, &g);
}

struct looked {
	int calls;
	enum err err;
	struct counter_state st;
};

static void
on_look(void *arg, enum err e, const struct counter_state *st)
{
	struct looked *l = arg;

	l->calls++;
	l->err = e;
	if (st != NULL)
		l->st = *st;
}

static struct counter_state
state_of(struct world *w, const struct counter *c)
{
	struct looked l = { 0 };

	ledger_look(w->l, c, on_look, &l);
	run_until(w, PATIENCE, &l.calls);
	assert_int_equal(l.calls, 1);
	assert_int_equal(l.err, ERR_OK);
	return l.st;
}

int64_t
used_of(struct world *w, const struct counter *c)
{
	return state_of(w, c).used;
}

int64_t
held_of(struct world *w, const struct counter *c)
{
	return state_of(w, c).held;
}

struct sum {
	int calls;
	enum err err;
	struct usage_row row;
	int64_t held;
};

static void
on_usage(void *arg, enum err e, const struct usage_row *row, int64_t held)
{
	struct sum *s = arg;

	if (row == NULL) {
		s->calls++;
		s->err = e;
		return;
	}
	s->row.requests += row->requests;
	s->row.input += row->input;
	s->row.output += row->output;
	s->row.cached += row->cached;
	s->row.cost += row->cost;
	s->held += held;
}

struct usage_row
usage_of(struct world *w, int32_t from, int32_t to, int64_t *held)
{
	struct sum s = { 0 };

	ledger_usage(w->l, from, to, on_usage, &s);
	run_until(w, PATIENCE, &s.calls);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.err, ERR_OK);
	if (held != NULL)
		*held = s.held;
	return s.row;
}

struct hold
hold_new(struct world *w)
{
	struct hold h;

	memset(&h, 0, sizeof h);
	h.arena = w->arena;
	return h;
}
