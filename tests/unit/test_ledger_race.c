/*
 * Eight processes at one store, over both kinds of it: limits and budgets
 * hold to the unit, and processes that are killed at any moment leave nothing
 * behind. The processes are this program with arguments.
 *
 * TEST_LEDGER_KILLS: how many are killed (the promises say 1,000).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/draw.h"
#include "tests/unit/ledger_help.h"

#define PROCESSES 8
#define DAY 20261128
#define NOON "2026-11-28T12:00:00Z" /* by the store: the host has another day */
#define LEASE (5 * S)

/* What all processes write down, in a mapped file of the world. */
struct notes {
	_Atomic int64_t tries, admitted;
	_Atomic int64_t given;	/* out of purses */
	_Atomic int64_t billed; /* n$ that were really used */
	_Atomic int64_t maybe;	/* the same with calls that were never sure to be
				 * marked as sent */
	_Atomic int64_t late;	/* holds whose lease was over too early */
	_Atomic int64_t most;	/* requests at once */
	_Atomic int64_t now;
	_Atomic int stop;
};

static const struct counter budget = { .scope = "team:t",
	.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = 100 * 1000 };
static const struct counter rpm = { .scope = "team:t", .kind = COUNTER_RPM,
	.limit = 400 };
static const struct counter tpm = { .scope = "team:t", .kind = COUNTER_TPM,
	.limit = 10000 };
static const struct counter parallel = { .scope = "team:t",
	.kind = COUNTER_PARALLEL, .limit = 3 };
static const struct counter wide = { .scope = "team:t",
	.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = 30000 * 1000 };
static const struct counter large = { .scope = "team:t",
	.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = INT64_C(1) << 50 };

static struct notes *
open_notes(const char *dir)
{
	char path[128];
	void *p;
	int fd;

	snprintf(path, sizeof path, "%s/notes", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(struct notes)), 0);
	p = mmap(NULL, sizeof(struct notes), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	close(fd);
	assert_true(p != MAP_FAILED);
	return p;
}

/* ---- what a process does ---- */

/* On a machine that is busy it may have to wait for the store. */
static void
must_settle(struct world *w, struct hold *h, const int64_t *actual,
    const struct usage_row *rows, unsigned n)
{
	if (settle(w, h, actual, rows, n).err == ERR_OK)
		return;
	while (ledger_owes(w->l) > 0) {
		ledger_tick(w->l);
		world_run(w, 20);
	}
}

/* So many calls of 1,000 n$; as many pass as the budget has. */
static void
spend(struct world *w, struct notes *n, int calls)
{
	const struct want c = { &budget, 1000 };
	const int64_t actual = 1000;
	struct hold h;

	while (calls-- > 0) {
		h = hold_new(w);
		n->tries++;
		if (hold(w, &h, &c, 1).err != ERR_OK)
			continue;
		n->admitted++;
		sent(w, &h);
		n->billed += actual;
		must_settle(w, &h, &actual, NULL, 0);
	}
}

/* The same until it is used up, most of it out of purses. What others have in
 * theirs comes back. */
static void
spend_all(struct world *w, struct notes *n)
{
	const struct want c = { &wide, 1000 };
	const int64_t actual = 1000;
	struct ledger_answer a;
	struct hold h;

	for (;;) {
		if (n->tries++ % 16 == 0)
			world_run(w, 1);
		h = hold_new(w);
		a = hold(w, &h, &c, 1);
		if (a.err == ERR_BUDGET && !a.reserved)
			return;
		if (a.err != ERR_OK) {
			world_run(w, 20);
			continue;
		}
		n->admitted++;
		n->given += h.purse != NULL;
		sent(w, &h);
		n->billed += actual;
		must_settle(w, &h, &actual, NULL, 0);
	}
}

static void
ask_rates(struct world *w, struct notes *n, int calls)
{
	const struct want c[] = { { &rpm, 1 }, { &tpm, 30 } };
	const int64_t actual[] = { 0, 30 };
	struct hold h;

	while (calls-- > 0) {
		h = hold_new(w);
		n->tries++;
		if (hold(w, &h, c, 2).err != ERR_OK)
			continue;
		n->admitted++;
		must_settle(w, &h, actual, NULL, 0);
	}
}

static void
ask_parallel(struct world *w, struct notes *n, int calls)
{
	const struct want c = { &parallel, 1 };
	const int64_t none = 0;
	int64_t now, most;
	struct hold h;

	while (calls-- > 0) {
		h = hold_new(w);
		n->tries++;
		if (hold(w, &h, &c, 1).err != ERR_OK)
			continue;
		n->admitted++;
		now = ++n->now;
		most = n->most;
		while (now > most &&
		    !atomic_compare_exchange_weak(&n->most, &most, now))
			continue;
		usleep(300);
		n->now--;
		must_settle(w, &h, &none, NULL, 0);
	}
}

/* Calls without end; whoever is killed is killed. far: out of purses. */
static void
live(struct world *w, struct notes *n, bool far)
{
	uint64_t random = (uint64_t)getpid();
	struct want c[] = { { &large, 0 }, { &parallel, 1 } };
	struct counter many = parallel;
	struct usage_row row = { .day = DAY, .key = "k", .requests = 1 };
	int64_t actual[2] = { 0, 0 };
	struct hold h;

	many.limit = far ? 10000000 : 1000;
	c[1].counter = &many;
	while (!n->stop) {
		c[0].amount = actual[0] = row.cost =
		    (int64_t)(draw_next(&random) % 100000);
		h = hold_new(w);
		if (hold_as(w, &h, c, 2, &row).err != ERR_OK)
			continue;
		n->given += h.purse != NULL;
		n->maybe += actual[0];
		if (!sent(w, &h).known) {
			/* It came too late: a worker does not send then. */
			n->maybe -= actual[0];
			n->late++;
			release(w, &h);
			continue;
		}
		/* From here on the provider bills. */
		n->billed += actual[0];
		if (draw_next(&random) % 4 == 0)
			usleep(draw_next(&random) % 3000);
		must_settle(w, &h, actual, &row, 1);
		if (n->admitted++ % 32 == 0 && far)
			world_run(w, 1); /* purses live on the loop */
	}
}

/* Killed as soon as it has said that it sends: the mark must be out. */
static void
mark_and_die(struct world *w)
{
	const struct want c = { &large, 4711 };
	const struct usage_row row = { .day = DAY, .key = "k",
		.cost = 4711 };
	struct hold h = hold_new(w);

	assert_int_equal(hold_as(w, &h, &c, 1, &row).err, ERR_OK);
	ledger_sent(w->l, &h, NULL, NULL);
	kill(getpid(), SIGKILL);
}

static int
child(char **argv)
{
	struct world *w;
	struct notes *n;
	int calls = atoi(argv[4]);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	over_redis = strcmp(argv[1], "redis") == 0;
	/* Short only for those that are killed: a busy machine may halt a
	 * process for long. */
	w = world_join(argv[2], strcmp(argv[3], "live") == 0 ||
	    strcmp(argv[3], "far") == 0 || strcmp(argv[3], "die") == 0 ?
	    LEASE : 0);
	n = open_notes(argv[2]);
	if (strcmp(argv[3], "spend") == 0)
		spend(w, n, calls);
	else if (strcmp(argv[3], "rates") == 0)
		ask_rates(w, n, calls);
	else if (strcmp(argv[3], "parallel") == 0)
		ask_parallel(w, n, calls);
	else if (strcmp(argv[3], "die") == 0)
		mark_and_die(w);
	else if (strcmp(argv[3], "all") == 0)
		spend_all(w, n);
	else
		live(w, n, strcmp(argv[3], "far") == 0);
	world_leave(w);
	return 0;
}

/* ---- processes ---- */

static pid_t
start(const struct world *w, const char *what, int calls)
{
	char n[16];
	pid_t pid;

	snprintf(n, sizeof n, "%d", calls);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execl("/proc/self/exe", "test_ledger_race",
		    over_redis ? "redis" : "embedded", w->server.dir, what, n,
		    (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void
all(const struct world *w, const char *what, int calls)
{
	pid_t pid[PROCESSES];
	int i, status;

	for (i = 0; i < PROCESSES; i++)
		pid[i] = start(w, what, calls);
	for (i = 0; i < PROCESSES; i++) {
		waitpid(pid[i], &status, 0);
		assert_int_equal(status, 0);
	}
}

static void
tell(const char *what, const struct notes *n)
{
	printf("%s, %s: %lld tries of %d processes, %lld admitted\n",
	    over_redis ? "redis" : "embedded", what, (long long)n->tries,
	    PROCESSES, (long long)n->admitted);
}

/* A budget of 100 calls, tried 1,000 times. */
static void
test_budget(void **state)
{
	struct world *w = world_new();
	struct notes *n;

	(void)state;
	world_set_time(w, NOON);
	n = open_notes(w->server.dir);
	all(w, "spend", 125);
	tell("budget of 100 calls", n);
	assert_int_equal(n->tries, 1000);
	assert_int_equal(n->admitted, 100);
	/* A first look tells the store's time: it may be of the host's day. */
	(void)used_of(w, &budget);
	assert_int_equal(used_of(w, &budget), 100 * 1000);
	assert_int_equal(held_of(w, &budget), 0);
	assert_int_equal(n->billed, 100 * 1000);
	munmap(n, sizeof *n);
	world_free(w);
}

/* The tighter of two rates: 10,000 tokens are 333 calls of 30. */
static void
test_rates(void **state)
{
	struct world *w = world_new();
	struct notes *n;

	(void)state;
	world_set_time(w, NOON);
	n = open_notes(w->server.dir);
	all(w, "rates", 125);
	tell("400 requests or 10,000 tokens a minute", n);
	assert_int_equal(n->admitted, 333);
	assert_int_equal(used_of(w, &tpm), 9990);
	assert_int_equal(used_of(w, &rpm), 333);
	munmap(n, sizeof *n);
	world_free(w);
}

static void
test_parallel(void **state)
{
	struct world *w = world_new();
	struct notes *n;

	(void)state;
	world_set_time(w, NOON);
	n = open_notes(w->server.dir);
	all(w, "parallel", 100);
	tell("3 requests at once", n);
	assert_in_range(n->most, 2, 3);
	assert_int_equal(held_of(w, &parallel), 0);
	munmap(n, sizeof *n);
	world_free(w);
}

/* A budget of 30,000 calls that eight processes have purses of. */
static void
test_purses(void **state)
{
	struct world *w = world_new();
	struct notes *n;

	(void)state;
	world_set_time(w, NOON);
	n = open_notes(w->server.dir);
	all(w, "all", 0);
	tell("budget of 30,000 calls", n);
	printf("%lld of them out of purses\n", (long long)n->given);
	assert_true(n->given > 3000);
	assert_int_equal(n->admitted, 30000);
	world_ticks(w, 10);
	assert_int_equal(used_of(w, &wide), wide.limit);
	assert_int_equal(held_of(w, &wide), 0);
	assert_int_equal(n->billed, wide.limit);
	munmap(n, sizeof *n);
	world_free(w);
}

/* Nothing stays held, and used is what was billed. */
static void
killed(const char *how)
{
	const char *text = getenv("TEST_LEDGER_KILLS");
	int kills = text == NULL ? 200 : atoi(text), i, k, status;
	struct world *w = world_new();
	uint64_t random = 7;
	pid_t pid[PROCESSES];
	struct notes *n;
	int64_t used, held;
	struct usage_row sum;

	world_set_time(w, NOON);
	n = open_notes(w->server.dir);
	for (i = 0; i < PROCESSES; i++)
		pid[i] = start(w, how, 0);
	for (k = 0; k < kills; k++) {
		usleep(5000 + draw_next(&random) % 30000);
		i = (int)(draw_next(&random) % PROCESSES);
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
		pid[i] = start(w, how, 0);
	}
	n->stop = 1;
	for (i = 0; i < PROCESSES; i++) {
		waitpid(pid[i], &status, 0);
		assert_int_equal(status, 0);
	}
	usleep(LEASE + 100000);
	for (i = 0; i < 20 + kills; i++)
		world_tick(w); /* a will each */
	used = used_of(w, &large);
	held = held_of(w, &large);
	sum = usage_of(w, DAY, DAY, NULL);
	printf("%s, %d killed: %lld calls settled, %lld out of purses, billed "
	    "n$%lld, used n$%lld, at most n$%lld, held n$%lld, late %lld\n",
	    over_redis ? "redis" : "embedded", kills, (long long)n->admitted,
	    (long long)n->given,
	    (long long)n->billed, (long long)used, (long long)n->maybe,
	    (long long)held, (long long)n->late);
	assert_int_equal(held, 0);
	assert_int_equal(held_of(w, &parallel), 0);
	assert_true(n->billed <= used && used <= n->maybe);
	assert_int_equal(sum.cost, used);
	assert_true(n->given > n->admitted / 2 ||
	    strcmp(how, "live") == 0);
	munmap(n, sizeof *n);
	world_free(w);
}

static void
test_killed(void **state)
{
	(void)state;
	killed("live");
}

/* The same with what they gave out themselves: their wills tell. */
static void
test_killed_purses(void **state)
{
	(void)state;
	killed("far");
}

static void
test_marked(void **state)
{
	struct world *w = world_new();
	int i, status;

	(void)state;
	world_set_time(w, NOON);
	for (i = 0; i < 10; i++) {
		waitpid(start(w, "die", 0), &status, 0);
		assert_true(WIFSIGNALED(status));
	}
	usleep(LEASE + 100000);
	world_ticks(w, 3);
	assert_int_equal(held_of(w, &large), 0);
	assert_int_equal(used_of(w, &large), 10 * 4711);
	world_free(w);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_purses),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_killed_purses),
		cmocka_unit_test(test_marked),
	};
	int failed;

	alarm(300);
	if (argc == 5)
		return child(argv);
	failed = cmocka_run_group_tests_name("embedded", tests, set_up, NULL);
	over_redis = true;
	return failed + cmocka_run_group_tests_name("redis", tests, set_up,
	    NULL);
}
