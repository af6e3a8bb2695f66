/*
 * What the ledger costs where each request asks the store (near a limit, not
 * out of a purse): hold and settle of a request with six counters, in N
 * processes that do nothing else, `depth` requests of each at once.
 *
 *	tests/bench/ledger STORE [PROCESSES [DEPTH [SECONDS]]]
 *	tests/bench/ledger --ping REDIS [SECONDS]
 *
 * STORE as in a policy: embedded:/dir, redis+unix:///path, … Prints the time
 * of a hold, of a settle and of both (µs, p50 and p99, all processes
 * together), requests a second, and the CPU time of the processes a request.
 * Judges nothing.
 *
 * --ping: what a way to a Redis and back takes at the least, a PING every 5 ms
 * by the same client on the same kind of loop. Beside a load it tells what of
 * the time of a hold is nobody's script.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/ledger.h"
#include "app/store.h"
#include "policy/state.h"

#define SAMPLES 200000
#define DEPTH 256

struct result {
	int64_t count, failed, cpu;
	int64_t hold[SAMPLES], settle[SAMPLES];
};

struct one {
	struct bench *b;
	struct arena *arena;
	struct hold h;
	int64_t began;
	int64_t took; /* by the hold */
};

struct bench {
	uv_loop_t loop;
	uv_timer_t tick;
	struct ledger *l;
	struct result *r;
	int64_t until;
	int busy;
	struct one one[DEPTH];
};

static const struct counter counters[] = {
	{ "global", COUNTER_PARALLEL, 0, NULL, "", 1000000 },
	{ "provider:p", COUNTER_MONEY, SPAN_DAY, NULL, "", LEDGER_MAX },
	{ "team:t", COUNTER_MONEY, SPAN_MONTH, NULL, "", LEDGER_MAX },
	{ "key:k", COUNTER_MONEY, SPAN_DAY, NULL, "", LEDGER_MAX },
	{ "key:k", COUNTER_RPM, 0, NULL, "", LEDGER_MAX },
	{ "key:k", COUNTER_TPM, 0, NULL, "", LEDGER_MAX },
};
#define COUNTERS (sizeof counters / sizeof counters[0])

static void begin(struct one *o);

static void
settled(void *arg, const struct ledger_answer *a)
{
	struct one *o = arg;
	struct result *r = o->b->r;

	if (a->err != ERR_OK || r->count == SAMPLES)
		r->failed++;
	else {
		r->hold[r->count] = o->took;
		r->settle[r->count++] = clock_mono() - o->began;
	}
	o->b->busy--;
}

static void
held(void *arg, const struct ledger_answer *a)
{
	static const int64_t actual[COUNTERS] = { 0, 700, 700, 700, 0, 90 };
	const struct usage_row row = { .day = 20261128, .key = "k",
		.team = "t", .model = "m", .provider = "p", .requests = 1,
		.input = 50, .output = 40, .cost = 700 };
	struct one *o = arg;

	if (a->err != ERR_OK) {
		o->b->r->failed++;
		o->b->busy--;
		return;
	}
	o->took = clock_mono() - o->began;
	o->began = clock_mono();
	ledger_settle(o->b->l, &o->h, actual, &row, 1, settled, o);
}

static void
begin(struct one *o)
{
	const struct usage_row who = { .day = 20261128, .key = "k",
		.cost = 1000 };
	struct want claims[COUNTERS];
	size_t i;

	for (i = 0; i < COUNTERS; i++)
		claims[i] = (struct want){ &counters[i],
			counters[i].kind == COUNTER_MONEY ? 1000 :
			counters[i].kind == COUNTER_TPM ? 100 : 1 };
	arena_reset(o->arena);
	memset(&o->h, 0, sizeof o->h);
	o->h.arena = o->arena;
	o->h.apart = true;
	o->b->busy++;
	o->began = clock_mono();
	ledger_hold(o->b->l, &o->h, claims, COUNTERS, &who, held, o);
}

static void
on_tick(uv_timer_t *t)
{
	ledger_tick(((struct bench *)t->data)->l);
}

/* Keep `depth` requests under way, each from the loop. */
static void
work(struct bench *b, int depth)
{
	int i;

	while (clock_mono() < b->until || b->busy > 0) {
		for (i = 0; i < depth && clock_mono() < b->until; i++)
			if (!b->one[i].h.live && b->one[i].h.asking == NULL &&
			    b->busy < depth)
				begin(&b->one[i]);
		uv_run(&b->loop, b->busy > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	}
}

static int
run(const char *store, int depth, int seconds, struct result *r)
{
	static struct bench b;
	struct ledger_setup setup = { .loop = &b.loop, .store = store,
		.dir = state_dir(),
		.patience = 2000 };
	struct rusage u;
	struct fault f;
	int i;

	uv_loop_init(&b.loop);
	b.l = ledger_open(&setup, &f);
	if (b.l == NULL) {
		fprintf(stderr, "%s: %s\n", f.param, f.text);
		return 1;
	}
	b.r = r;
	for (i = 0; i < depth; i++) {
		b.one[i].b = &b;
		b.one[i].arena = arena_new(MIB(1));
	}
	uv_timer_init(&b.loop, &b.tick);
	b.tick.data = &b;
	uv_timer_start(&b.tick, on_tick, 1000, 1000);
	b.until = clock_mono() + seconds * INT64_C(1000000);
	work(&b, depth);
	ledger_close(b.l);
	getrusage(RUSAGE_SELF, &u);
	r->cpu = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) +
	    u.ru_utime.tv_usec + u.ru_stime.tv_usec;
	return 0;
}

static int
order(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
tell(const char *what, int64_t *v, size_t n)
{
	qsort(v, n, sizeof *v, order);
	if (n > 0)
		printf("%-12s p50 %6lld us  p99 %6lld us  max %7lld us\n",
		    what, (long long)v[n / 2], (long long)v[n * 99 / 100],
		    (long long)v[n - 1]);
}

static void
report(const struct result *r, int processes, int seconds)
{
	int64_t *hold, *settle, *both, count = 0, failed = 0, cpu = 0;
	size_t n = 0;
	int64_t k;
	int i;

	for (i = 0; i < processes; i++)
		count += r[i].count;
	hold = calloc((size_t)count + 1, 3 * sizeof *hold);
	if (hold == NULL)
		return;
	settle = hold + count;
	both = settle + count;
	for (i = 0; i < processes; i++) {
		failed += r[i].failed;
		cpu += r[i].cpu;
		for (k = 0; k < r[i].count; k++, n++) {
			hold[n] = r[i].hold[k];
			settle[n] = r[i].settle[k];
			both[n] = hold[n] + settle[n];
		}
	}
	tell("hold", hold, n);
	tell("settle", settle, n);
	tell("both", both, n);
	printf("%lld requests/s, %lld failed, %.1f us CPU a request\n",
	    (long long)(count / seconds), (long long)failed,
	    count == 0 ? 0.0 : (double)cpu / (double)count);
	free(hold);
}

/* ---- the floor ---- */

#define PING_EVERY 5 /* ms */

struct ping {
	uv_loop_t loop;
	uv_timer_t timer;
	struct store *s;
	int64_t took[SAMPLES], began;
	size_t n, failed;
	bool asking;
};

static void
on_pong(void *arg, const struct store_reply *r)
{
	struct ping *p = arg;

	p->asking = false;
	if (r->err != STORE_OK || p->n == SAMPLES)
		p->failed++;
	else
		p->took[p->n++] = clock_mono() - p->began;
}

static void
on_ping(uv_timer_t *t)
{
	static const struct store_item argv = { "PING", 4 };
	struct ping *p = t->data;

	if (p->asking)
		return;
	p->asking = true;
	p->began = clock_mono();
	store_command(p->s, &argv, 1, on_pong, p);
}

static int
ping(const char *address, int seconds)
{
	static struct ping p;
	struct fault f;
	int64_t until;
	bool bad;

	uv_loop_init(&p.loop);
	p.s = store_open(&p.loop, address, &f);
	if (p.s == NULL) {
		fprintf(stderr, "%s: %s\n", f.param, f.text);
		return 1;
	}
	store_limits(p.s, 2000, 2000);
	uv_timer_init(&p.loop, &p.timer);
	p.timer.data = &p;
	uv_timer_start(&p.timer, on_ping, PING_EVERY, PING_EVERY);
	until = clock_mono() + seconds * INT64_C(1000000);
	while (clock_mono() < until)
		uv_run(&p.loop, UV_RUN_ONCE);
	tell("ping", p.took, p.n);
	bad = p.n == 0 || p.failed > 0;
	store_close(p.s); /* one may be under way */
	return bad;
}

int
main(int argc, char **argv)
{
	int processes = argc > 2 ? atoi(argv[2]) : 8;
	int depth = argc > 3 ? atoi(argv[3]) : 1;
	int seconds = argc > 4 ? atoi(argv[4]) : 3, i, status, bad = 0;
	struct result *r;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 2 && strcmp(argv[1], "--ping") == 0)
		return ping(argv[2], argc > 3 ? atoi(argv[3]) : 1);
	if (argc < 2 || processes < 1 || depth < 1 || depth > DEPTH ||
	    seconds < 1) {
		fprintf(stderr, "usage: ledger STORE [PROCESSES [DEPTH "
		    "[SECONDS]]]\n       ledger --ping REDIS [SECONDS]\n");
		return 2;
	}
	r = mmap(NULL, (size_t)processes * sizeof *r, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		return 1;
	for (i = 0; i < processes; i++)
		if (fork() == 0)
			_exit(run(argv[1], depth, seconds, &r[i]));
	while (wait(&status) > 0)
		bad |= status;
	report(r, processes, seconds);
	return bad != 0;
}
