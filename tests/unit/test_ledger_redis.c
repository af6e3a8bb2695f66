/*
 * A Redis that misbehaves under the ledger: gone, paused, a replica, full,
 * forgetful, evicting, without its scripts. What needs a counter is refused
 * then, in time; nothing is forgotten; and it goes on when Redis does.
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
#include <glob.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "tests/unit/ledger_help.h"

#define DAY 20261128

static const struct counter daily = { .scope = "key:a",
	.kind = COUNTER_MONEY, .span = SPAN_MONTH, .limit = 100000 };
static const struct want claim = { &daily, 100 };
static const int64_t actual = 60;
static const struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
	.cost = 60 };

static struct world *
usual(void)
{
	struct world *w = world_new();

	w->setup.patience = 0; /* limits as they are */
	world_again(w);
	return w;
}

static void
cli(struct world *w, const char *line)
{
	const char *words[16];
	char text[256], *p, *save;
	int n = 0;

	snprintf(text, sizeof text, "%s", line);
	for (p = strtok_r(text, " ", &save); p != NULL;
	    p = strtok_r(NULL, " ", &save))
		words[n++] = p;
	words[n] = NULL;
	redis_cli(&w->server, NULL, 0, words);
}

/* A hold must be refused because of the store, within 250 ms. */
static void
is_closed(struct world *w)
{
	struct hold h = hold_new(w);
	int64_t t = clock_mono();
	struct ledger_answer a = hold(w, &h, &claim, 1);

	assert_int_equal(a.err, ERR_LEDGER);
	assert_string_not_equal(a.why, "");
	assert_true(clock_mono() - t < 250000);
}

/* It works within 2 s. */
static void
comes_back(struct world *w)
{
	int64_t t = clock_mono();
	struct ledger_answer a;
	struct hold h;

	do {
		h = hold_new(w);
		a = hold(w, &h, &claim, 1);
		if (a.err != ERR_OK)
			world_run(w, 20);
	} while (a.err != ERR_OK && clock_mono() - t < 3 * S);
	assert_int_equal(a.err, ERR_OK);
	assert_true(clock_mono() - t < 2 * S);
	release(w, &h);
}

/* What is owed gets there. */
static void
pays(struct world *w)
{
	int i;

	for (i = 0; i < 100 && ledger_owes(w->l) > 0; i++) {
		world_tick(w);
		world_run(w, 20);
	}
	assert_int_equal(ledger_owes(w->l), 0);
}

/* One call of 60 n$, and what it uses. */
static void
spend(struct world *w)
{
	struct hold h = hold_new(w);

	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
	ledger_sent(w->l, &h, NULL, NULL);
	assert_int_equal(settle(w, &h, &actual, &row, 1).err, ERR_OK);
}

/* Killed with holds open, and back with its file. */
static void
test_gone(void **state)
{
	static const char *const words[] = { "--appendonly", "yes",
		"--appendfsync", "always", NULL };
	struct world *w = usual();
	struct hold h[5];
	int i;

	(void)state;
	redis_kill(&w->server);
	redis_again(&w->server, words);
	comes_back(w);
	for (i = 0; i < 5; i++) {
		h[i] = hold_new(w);
		assert_int_equal(hold(w, &h[i], &claim, 1).err, ERR_OK);
		ledger_sent(w->l, &h[i], NULL, NULL);
	}
	world_run(w, 20);
	redis_kill(&w->server);
	for (i = 0; i < 20; i++)
		is_closed(w);
	for (i = 0; i < 5; i++)
		assert_int_equal(settle(w, &h[i], &actual, &row, 1).err,
		    ERR_LEDGER);
	/* And the hold of which nobody knew. */
	assert_in_range(ledger_owes(w->l), 5, 8);
	ledger_tick(w->l); /* in vain */
	world_run(w, 50);
	assert_in_range(ledger_owes(w->l), 5, 8);
	redis_again(&w->server, words);
	comes_back(w);
	pays(w);
	assert_int_equal(used_of(w, &daily), 5 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 5 * 60);
	world_free(w);
}

/*
 * Stopped for three seconds: holds of which nobody knows whether they were
 * taken are given back, settles are owed, all comes out even.
 */
static void
test_paused(void **state)
{
	struct world *w = usual();
	struct hold h = hold_new(w);
	int i;

	(void)state;
	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
	ledger_sent(w->l, &h, NULL, NULL);
	world_run(w, 20);
	kill(w->server.pid, SIGSTOP);
	for (i = 0; i < 10; i++)
		is_closed(w);
	assert_int_equal(settle(w, &h, &actual, &row, 1).err, ERR_LEDGER);
	world_run(w, 3000);
	kill(w->server.pid, SIGCONT);
	comes_back(w);
	pays(w);
	assert_int_equal(used_of(w, &daily), 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* Stopped again just as what is owed goes out: the next try is at once. */
static void
test_paused_again(void **state)
{
	struct world *w = usual();
	struct hold h = hold_new(w);

	(void)state;
	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
	ledger_sent(w->l, &h, NULL, NULL);
	world_run(w, 20);
	kill(w->server.pid, SIGSTOP);
	assert_int_equal(settle(w, &h, &actual, &row, 1).err, ERR_LEDGER);
	kill(w->server.pid, SIGCONT);
	comes_back(w);
	kill(w->server.pid, SIGSTOP);
	ledger_tick(w->l); /* in vain */
	world_run(w, 500);
	assert_true(ledger_owes(w->l) > 0);
	kill(w->server.pid, SIGCONT);
	comes_back(w);
	pays(w);
	assert_int_equal(used_of(w, &daily), 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

static long
resident(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/*
 * So many settle while it is stopped, or as many as TEST_LEDGER_OWED says: all
 * of them are paid, and the worker's memory is none of their number.
 */
static void
test_owes_many(void **state)
{
	const char *given = getenv("TEST_LEDGER_OWED");
	int i, many = given == NULL ? 2000 : atoi(given);
	static const struct counter large = { .scope = "key:large",
		.kind = COUNTER_MONEY, .span = SPAN_MONTH,
		.limit = LEDGER_MAX };
	const struct want c = { &large, 100 };
	struct world *w = usual();
	struct hold *h = calloc((size_t)many, sizeof *h);
	int64_t began;
	long memory;

	(void)state;
	assert_non_null(h);
	w->setup.patience = 500; /* of a busy machine */
	world_again(w);
	for (i = 0; i < many; i++) {
		h[i] = hold_new(w);
		h[i].apart = true; /* a settle of each */
		assert_int_equal(hold(w, &h[i], &c, 1).err, ERR_OK);
		ledger_sent(w->l, &h[i], NULL, NULL);
	}
	assert_int_equal(held_of(w, &large), many * 100);
	kill(w->server.pid, SIGSTOP);
	memory = resident();
	for (i = 0; i < many; i++)
		settle(w, &h[i], &actual, &row, 1);
	memory = resident() - memory;
	kill(w->server.pid, SIGCONT);
	began = clock_mono();
	do {
		ledger_tick(w->l);
		world_run(w, 20);
	} while (ledger_owes(w->l) > 0 && clock_mono() - began < 60 * S);
	printf("%d settled while it was away: %ld KiB of memory, paid in %lld "
	    "ms\n", many, memory, (long long)(clock_mono() - began) / 1000);
	assert_int_equal(ledger_owes(w->l), 0);
	assert_int_equal(used_of(w, &large), many * 60);
	assert_int_equal(held_of(w, &large), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, many * 60);
#ifndef __SANITIZE_ADDRESS__ /* it keeps what was freed */
	assert_true(memory <= 8192);
#endif
	free(h);
	world_free(w);
}

/* SCRIPT FLUSH every few calls. */
static void
test_scripts_flushed(void **state)
{
	struct world *w = usual();
	struct hold h;
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		if (i % 5 == 0)
			cli(w, "SCRIPT FLUSH");
		h = hold_new(w);
		assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
		if (i % 7 == 0)
			cli(w, "SCRIPT FLUSH");
		assert_int_equal(settle(w, &h, &actual, &row, 1).err, ERR_OK);
	}
	assert_int_equal(used_of(w, &daily), 50 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* A server that lets nobody speak of scripts, or call them by their digest. */
static void
test_scripts_blocked(void **state)
{
	struct world *w = usual();
	int i;

	(void)state;
	comes_back(w);
	cli(w, "SCRIPT FLUSH");
	cli(w, "ACL SETUSER default -script");
	world_again(w);
	comes_back(w);
	for (i = 0; i < 10; i++)
		spend(w);
	assert_int_equal(used_of(w, &daily), 10 * 60);
	/* Neither by their digest nor in full: closed, and open again after. */
	cli(w, "ACL SETUSER default -evalsha -eval");
	is_closed(w);
	cli(w, "ACL SETUSER default +evalsha +eval");
	comes_back(w);
	spend(w);
	assert_int_equal(used_of(w, &daily), 11 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* A slow way to it, that jitters: slower, and nothing else. */
static void
test_slow(void **state)
{
	static const struct counter ten = { .scope = "key:slow",
		.kind = COUNTER_MONEY, .span = SPAN_MONTH, .limit = 1000 };
	const struct want c = { &ten, 100 };
	struct world *w = usual();
	char address[128];
	struct hold h[20];
	pid_t proxy = redis_slow(&w->server, 20, 45, address, sizeof address);
	int i;

	(void)state;
	w->setup.store = address;
	w->setup.patience = 1000; /* the machine may be slow as well */
	world_again(w);
	for (i = 0; i < 20; i++) {
		h[i] = hold_new(w);
		assert_int_equal(hold(w, &h[i], &c, 1).err, i < 10 ? ERR_OK :
		    ERR_BUDGET);
	}
	for (i = 0; i < 10; i++) {
		ledger_sent(w->l, &h[i], NULL, NULL);
		assert_int_equal(settle(w, &h[i], &actual, &row, 1).err,
		    ERR_OK);
	}
	for (i = 0; i < 6; i++) {
		h[i] = hold_new(w);
		assert_int_equal(hold(w, &h[i], &c, 1).err, i < 4 ? ERR_OK :
		    ERR_BUDGET);
	}
	assert_int_equal(used_of(w, &ten), 600);
	assert_int_equal(held_of(w, &ten), 400);
	for (i = 0; i < 4; i++)
		release(w, &h[i]);
	world_free(w);
	kill(proxy, SIGKILL);
	waitpid(proxy, NULL, 0);
}

/* A script without end: closed, and open again when it is killed. */
static void
test_busy(void **state)
{
	struct world *w = usual();
	pid_t pid;

	(void)state;
	comes_back(w);
	cli(w, "CONFIG SET busy-reply-threshold 10");
	pid = fork();
	if (pid == 0) {
		char path[128];

		snprintf(path, sizeof path, "%s/redis.sock", w->server.dir);
		if (freopen("/dev/null", "w", stdout) != NULL)
			execlp("redis-cli", "redis-cli", "-s", path, "EVAL",
			    "while true do end", "0", (char *)NULL);
		_exit(127);
	}
	world_run(w, 300);
	is_closed(w);
	is_closed(w);
	cli(w, "SCRIPT KILL");
	comes_back(w);
	kill(pid, SIGKILL);
	world_free(w);
}

static void
test_replica(void **state)
{
	struct world *w = usual();
	struct hold h = hold_new(w);

	(void)state;
	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
	cli(w, "REPLICAOF 127.0.0.1 1");
	is_closed(w);
	assert_int_equal(settle(w, &h, &actual, &row, 1).err, ERR_LEDGER);
	cli(w, "REPLICAOF NO ONE");
	comes_back(w);
	pays(w);
	assert_int_equal(used_of(w, &daily), 60);
	world_free(w);
}

/* Full: nothing new, but what runs is settled. */
static void
test_full(void **state)
{
	struct world *w = usual();
	struct hold h = hold_new(w);

	(void)state;
	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
	cli(w, "CONFIG SET maxmemory-policy noeviction");
	cli(w, "CONFIG SET maxmemory 1");
	is_closed(w);
	assert_int_equal(settle(w, &h, &actual, &row, 1).err, ERR_OK);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &daily), 60);
	cli(w, "CONFIG SET maxmemory 0");
	comes_back(w);
	world_free(w);
}

/* One that may throw counters away is no store. */
static void
test_evicting(void **state)
{
	struct world *w = usual();

	(void)state;
	cli(w, "CONFIG SET maxmemory 100mb");
	cli(w, "CONFIG SET maxmemory-policy allkeys-lru");
	world_again(w);
	is_closed(w);
	is_closed(w);
	world_tick(w);
	world_run(w, 50);
	is_closed(w);
	cli(w, "CONFIG SET maxmemory-policy noeviction");
	world_tick(w);
	comes_back(w);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* ---- a Redis that has forgotten ---- */

/* Tick until it admits something; how long that took, µs. */
static int64_t
until_open(struct world *w, struct world *other)
{
	int64_t t = clock_mono();
	struct hold h;
	struct ledger_answer a;

	do {
		ledger_tick(w->l);
		world_run(w, 50);
		if (other != NULL) {
			ledger_tick(other->l);
			world_run(other, 50);
		}
		h = hold_new(w);
		a = hold(w, &h, &claim, 1);
	} while (a.err != ERR_OK && clock_mono() - t < 12 * S);
	assert_int_equal(a.err, ERR_OK);
	release(w, &h);
	return clock_mono() - t;
}

/* Emptied in the middle of the day, with holds open. */
static void
test_empty(void **state)
{
	struct world *w = usual();
	struct hold h = hold_new(w);
	int64_t took;
	int i, turn;

	(void)state;
	for (turn = 1; turn <= 2; turn++) {
		for (i = 0; i < 10; i++)
			spend(w);
		h = hold_new(w);
		assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
		ledger_sent(w->l, &h, NULL, NULL);
		world_run(w, 20);
		if (turn == 1) {
			cli(w, "FLUSHALL");
		} else {
			redis_kill(&w->server);
			redis_again(&w->server, NULL);
		}
		assert_int_equal(settle(w, &h, &actual, &row, 1).err,
		    ERR_LEDGER);
		took = until_open(w, NULL);
		pays(w);
		printf("emptied: open again after %lld ms\n",
		    (long long)took / 1000);
		assert_int_equal(used_of(w, &daily), turn * 11 * 60);
		assert_int_equal(held_of(w, &daily), 0);
		assert_int_equal(usage_of(w, DAY, DAY, NULL).requests,
		    turn * 11);
		assert_int_equal(usage_of(w, DAY, DAY, NULL).cost,
		    turn * 11 * 60);
	}
	world_free(w);
}

/* What it did not take while it knew nothing counts as soon as it does: no
 * tick of the clock lies between the two. */
static void
test_empty_owed(void **state)
{
	struct world *w = usual();
	struct hold h = hold_new(w);
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		spend(w);
	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
	cli(w, "FLUSHALL");
	assert_int_equal(settle(w, &h, &actual, &row, 1).err, ERR_LEDGER);
	for (i = 0; i < 60 && ledger_owes(w->l) > 0; i++)
		world_run(w, 50);
	assert_int_equal(ledger_owes(w->l), 0);
	assert_int_equal(used_of(w, &daily), 4 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
}

/* What it was told counts once, though a new connection comes soon after. */
static void
test_empty_and_gone(void **state)
{
	struct world *w = usual(), *other = world_join(w->server.dir, 0);
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		spend(w);
		spend(other);
	}
	world_run(other, 200);
	cli(w, "FLUSHALL");
	is_closed(w);
	until_open(w, NULL);
	/* The other one does not know yet. */
	cli(w, "CLIENT KILL TYPE normal");
	comes_back(w);
	comes_back(other);
	world_tick(w);
	world_tick(other);
	assert_int_equal(used_of(w, &daily), 6 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_leave(other);
	world_free(w);
}

/* Another worker of the host has not written yet what it settled. */
static void
test_empty_unwritten(void **state)
{
	struct world *w = usual(), *other = world_join(w->server.dir, 0);
	struct hold h;
	int i;

	(void)state;
	spend(w);
	for (i = 0; i < 5; i++)
		spend(other); /* and from here on it stands still */
	cli(w, "FLUSHALL");
	is_closed(w);
	for (i = 0; i < 10; i++) {
		ledger_tick(w->l);
		world_run(w, 50);
		is_closed(w);
	}
	world_run(other, 300);
	until_open(w, NULL);
	assert_int_equal(used_of(w, &daily), 6 * 60);
	/* One that has died is not waited for. */
	spend(other);
	world_leave(other);
	h = hold_new(w);
	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
	release(w, &h);
	cli(w, "FLUSHALL");
	is_closed(w);
	until_open(w, NULL);
	assert_int_equal(used_of(w, &daily), 7 * 60);
	world_free(w);
}

/* What is under way when it is emptied is held again, and ends as it should. */
static void
test_empty_under_way(void **state)
{
	static const struct counter parallel = { .scope = "key:a",
		.kind = COUNTER_PARALLEL, .limit = 2 };
	const struct want both[] = { { &daily, 100 }, { &parallel, 1 } };
	const struct usage_row who = { .day = DAY, .key = "a", .cost = 100 };
	const int64_t used[] = { 60, 0 };
	struct world *w = usual();
	struct hold sent_one = hold_new(w), waiting = hold_new(w), h;
	int64_t held;

	(void)state;
	assert_int_equal(hold_as(w, &sent_one, both, 2, &who).err, ERR_OK);
	ledger_sent(w->l, &sent_one, NULL, NULL);
	assert_int_equal(hold_as(w, &waiting, both, 2, &who).err, ERR_OK);
	world_run(w, 20);
	cli(w, "FLUSHALL");
	is_closed(w);
	until_open(w, NULL);
	world_run(w, 50);
	assert_int_equal(held_of(w, &daily), 200);
	assert_int_equal(held_of(w, &parallel), 2);
	usage_of(w, DAY, DAY, &held);
	assert_int_equal(held, 200);
	h = hold_new(w);
	assert_int_equal(hold(w, &h, &both[1], 1).err, ERR_RATE_LIMIT);
	assert_int_equal(settle(w, &sent_one, used, &row, 1).err, ERR_OK);
	assert_int_equal(used_of(w, &daily), 60);
	assert_int_equal(held_of(w, &daily), 100);
	/* Its worker dies: it had sent nothing. */
	ledger_forget(w->l, &waiting);
	world_move(w, LEDGER_LEASE + S);
	world_tick(w);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &daily), 60);
	assert_int_equal(held_of(w, &parallel), 0);
	/* One that had is charged when it is restored and then dies. */
	h = hold_new(w);
	assert_int_equal(hold_as(w, &h, both, 2, &who).err, ERR_OK);
	ledger_sent(w->l, &h, NULL, NULL);
	world_run(w, 200);
	cli(w, "FLUSHALL");
	is_closed(w);
	until_open(w, NULL);
	world_run(w, 50);
	ledger_forget(w->l, &h);
	world_move(w, LEDGER_LEASE + S);
	world_tick(w);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(used_of(w, &daily), 160);
	world_free(w);
}

/* The lock that says that a worker of this host has a settle under way. */
static int
journal_busy(const struct world *w)
{
	char pattern[160];
	glob_t found;
	int fd;

	snprintf(pattern, sizeof pattern, "%s/*.lock", w->server.dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	globfree(&found);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	return fd;
}

static void
count_answer(void *arg, const struct ledger_answer *a)
{
	int *answers = arg;

	assert_int_equal(a->err, ERR_OK);
	++*answers;
}

/*
 * Another worker makes the epoch of a new Redis while this one waits until
 * nobody has a settle under way: what waits goes on with the next that is asked.
 */
static void
test_forestalled(void **state)
{
	struct world *w = usual(), *other = world_join(w->server.dir, 0);
	struct hold first = hold_new(w), second = hold_new(w);
	const struct usage_row who = { .day = DAY, .key = "a" };
	int answers = 0, fd = journal_busy(w);

	(void)state;
	ledger_hold(w->l, &first, &claim, 1, &who, count_answer, &answers);
	world_run(w, 50);
	assert_int_equal(answers, 0);
	close(fd);
	spend(other);
	fd = journal_busy(w);
	ledger_hold(w->l, &second, &claim, 1, &who, count_answer, &answers);
	world_run(w, 100);
	assert_int_equal(answers, 2);
	close(fd);
	release(w, &first);
	release(w, &second);
	world_leave(other);
	world_free(w);
}

/* Two hosts: nothing is admitted before both have told what they used. */
static void
test_two_hosts(void **state)
{
	struct world *w = usual(), *other = world_host(w, "other");
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		spend(w);
	for (i = 0; i < 7; i++)
		spend(other);
	/* They have seen each other. */
	world_tick(w);
	world_tick(other);
	for (i = 0; i < 10; i++)
		world_tick(w);
	cli(w, "FLUSHALL");
	is_closed(w);
	for (i = 0; i < 20; i++) {
		ledger_tick(w->l);
		world_run(w, 50);
		is_closed(w);
	}
	until_open(w, other);
	assert_int_equal(used_of(w, &daily), 12 * 60);
	until_open(other, w);
	assert_int_equal(used_of(other, &daily), 12 * 60);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).requests, 12);
	for (i = 0; i < 3; i++)
		spend(other);
	assert_int_equal(used_of(w, &daily), 15 * 60);
	world_leave(other);
	world_free(w);
}

/* A host that nobody knew adds its share when it comes, once. */
static void
test_late_host(void **state)
{
	struct world *w = usual(), *other = world_host(w, "other");
	int i;

	(void)state;
	spend(w);
	for (i = 0; i < 7; i++)
		spend(other);
	cli(w, "FLUSHALL");
	is_closed(w);
	until_open(w, NULL);
	assert_int_equal(used_of(w, &daily), 60);
	until_open(other, NULL);
	assert_int_equal(used_of(w, &daily), 8 * 60);
	world_again(other);
	until_open(other, NULL);
	spend(other);
	assert_int_equal(used_of(w, &daily), 9 * 60);
	/* And a new one has nothing to add. */
	world_leave(other);
	other = world_host(w, "third");
	spend(other);
	assert_int_equal(used_of(w, &daily), 10 * 60);
	world_leave(other);
	world_free(w);
}

/* Settled while Redis is gone, by a process that ends before it is back. */
static void
test_owed_by_the_dead(void **state)
{
	static const char *const words[] = { "--appendonly", "yes",
		"--appendfsync", "always", NULL };
	struct world *w = usual();
	struct hold h[20];
	int i;

	(void)state;
	redis_kill(&w->server);
	redis_again(&w->server, words);
	comes_back(w);
	for (i = 0; i < 20; i++) {
		h[i] = hold_new(w);
		assert_int_equal(hold(w, &h[i], &claim, 1).err, ERR_OK);
		ledger_sent(w->l, &h[i], NULL, NULL);
	}
	world_run(w, 20);
	redis_kill(&w->server);
	for (i = 0; i < 20; i++)
		settle(w, &h[i], &actual, &row, 1);
	assert_true(ledger_owes(w->l) >= 20);
	world_again(w);
	assert_true(ledger_owes(w->l) >= 20);
	redis_again(&w->server, words);
	comes_back(w);
	pays(w);
	assert_int_equal(used_of(w, &daily), 20 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	/* It is in the journal as well. */
	world_run(w, 200);
	cli(w, "FLUSHALL");
	is_closed(w);
	until_open(w, NULL);
	assert_int_equal(used_of(w, &daily), 20 * 60);
	world_free(w);
}

/* Back with what it knew a moment ago: what it had acknowledged since. */
static void
test_lost_writes(void **state)
{
	struct world *w = usual();
	struct hold h = hold_new(w);
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		spend(w);
	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
	ledger_sent(w->l, &h, NULL, NULL);
	world_run(w, 20);
	cli(w, "SAVE");
	for (i = 0; i < 3; i++)
		spend(w);
	assert_int_equal(settle(w, &h, &actual, &row, 1).err, ERR_OK);
	assert_int_equal(used_of(w, &daily), 9 * 60);
	redis_kill(&w->server);
	redis_again(&w->server, NULL);
	comes_back(w);
	world_run(w, 50);
	assert_int_equal(used_of(w, &daily), 9 * 60);
	assert_int_equal(held_of(w, &daily), 0);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).cost, 9 * 60);
	/* And it is once in the journal. */
	world_run(w, 200);
	cli(w, "FLUSHALL");
	is_closed(w);
	until_open(w, NULL);
	assert_int_equal(used_of(w, &daily), 9 * 60);
	world_free(w);
}

static int64_t
keys_of(struct world *w)
{
	static const char *const words[] = { "DBSIZE", NULL };
	char text[64] = "";

	redis_cli(&w->server, text, sizeof text, words);
	return atoll(text);
}

/* That something was settled is remembered there as long as it may be said
 * again: of what was answered at once for a while, of the others for long. */
static void
test_marks_go(void **state)
{
	enum { NOTES = 5000, REMEMBERED = 4096, DROPS = 64 };
	struct world *w = world_new();
	struct hold h = hold_new(w), copy;
	int64_t before;
	int i;

	(void)state;
	assert_int_equal(hold(w, &h, &claim, 1).err, ERR_OK);
	copy = h;
	cli(w, "REPLICAOF 127.0.0.1 1");
	assert_int_equal(settle(w, &h, &actual, &row, 1).err, ERR_LEDGER);
	cli(w, "REPLICAOF NO ONE");
	comes_back(w);
	pays(w);
	assert_int_equal(used_of(w, &daily), 60);
	before = keys_of(w);
	for (i = 0; i < NOTES; i++) {
		ledger_note(w->l, &row, 1);
		if (i % 100 == 0)
			world_tick(w);
	}
	world_tick(w);
	assert_in_range(keys_of(w) - before, REMEMBERED - DROPS,
	    REMEMBERED + DROPS);
	assert_int_equal(usage_of(w, DAY, DAY, NULL).requests, NOTES + 1);
	copy.link = NULL;
	assert_int_equal(settle(w, &copy, &actual, &row, 1).err, ERR_OK);
	assert_int_equal(used_of(w, &daily), 60);
	world_free(w);
}

/* ---- a cluster ---- */

#define NODES 3

struct cluster {
	struct redis node[NODES];
	char port[NODES][8], id[NODES][64];
};

static void
ask_node(struct cluster *c, int i, char *out, size_t size, const char *a,
    const char *b, const char *d, const char *e, const char *f)
{
	const char *const words[] = { a, b, d, e, f, NULL };

	redis_cli(&c->node[i], out, size, words);
}

static void
start_cluster(struct cluster *c)
{
	static const char *const slots[NODES][2] = { { "0", "5460" },
		{ "5461", "10922" }, { "10923", "16383" } };
	char state[64];
	int i, turns;

	for (i = 0; i < NODES; i++) {
		const char *const words[] = { "--cluster-enabled", "yes",
			"--port", c->port[i], "--cluster-node-timeout",
			"2000", NULL };

		/* The bus has a port of its own, 10,000 above. */
		snprintf(c->port[i], sizeof c->port[i], "%d",
		    free_port() % 45000 + 5000);
		redis_start(&c->node[i], words);
		ask_node(c, i, NULL, 0, "CLUSTER", "ADDSLOTSRANGE",
		    slots[i][0], slots[i][1], NULL);
		ask_node(c, i, c->id[i], sizeof c->id[i], "CLUSTER", "MYID",
		    NULL, NULL, NULL);
	}
	for (i = 1; i < NODES; i++)
		ask_node(c, 0, NULL, 0, "CLUSTER", "MEET", "127.0.0.1",
		    c->port[i], NULL);
	/* Until all of them know all of them. */
	for (i = turns = 0; i < NODES && turns < 400; turns++) {
		ask_node(c, i, state, sizeof state, "CLUSTER", "INFO", NULL,
		    NULL, NULL);
		if (strncmp(state, "cluster_state:ok", 16) == 0)
			i++;
		else
			usleep(50000);
	}
	assert_int_equal(i, NODES);
}

/* All keys of the slot from one node to another, with work going on. */
static void
move_slot(struct cluster *c, int from, int to, const char *slot,
    void (*work)(void *), void *arg)
{
	const char *words[16] = { "MIGRATE", "127.0.0.1", c->port[to], "", "0",
		"5000", "KEYS" };
	char key[256];
	int i;

	ask_node(c, to, NULL, 0, "CLUSTER", "SETSLOT", slot, "IMPORTING",
	    c->id[from]);
	ask_node(c, from, NULL, 0, "CLUSTER", "SETSLOT", slot, "MIGRATING",
	    c->id[to]);
	for (;;) {
		ask_node(c, from, key, sizeof key, "CLUSTER", "GETKEYSINSLOT",
		    slot, "1", NULL);
		if (key[0] == '\0')
			break;
		words[7] = key;
		words[8] = NULL;
		redis_cli(&c->node[from], NULL, 0, words);
		work(arg);
	}
	/* First where it is now, or nobody would have it. */
	for (i = 0; i < NODES; i++)
		ask_node(c, (to + i) % NODES, NULL, 0, "CLUSTER", "SETSLOT",
		    slot, "NODE", c->id[to]);
}

struct worked {
	struct world *w;
	int admitted, closed, owed;
};

static void
work_once(void *arg)
{
	struct worked *d = arg;
	struct hold h = hold_new(d->w);
	struct ledger_answer a = hold(d->w, &h, &claim, 1);

	if (a.err != ERR_OK) {
		assert_int_equal(a.err, ERR_LEDGER);
		assert_string_not_equal(a.why, "CROSSSLOT");
		d->closed++;
		return;
	}
	ledger_sent(d->w->l, &h, NULL, NULL);
	d->admitted++;
	if (settle(d->w, &h, &actual, &row, 1).err != ERR_OK)
		d->owed++;
}

/* Three nodes; the slot of the ledger moves while it is used. */
static void
test_cluster(void **state)
{
	struct cluster c;
	struct world *w;
	struct worked d = { 0 };
	char address[64], slot[16];
	int i, owner;

	(void)state;
	start_cluster(&c);
	w = world_new();
	ask_node(&c, 0, slot, sizeof slot, "CLUSTER", "KEYSLOT",
	    "{tollgate}:epoch", NULL, NULL);
	owner = atoi(slot) <= 5460 ? 0 : atoi(slot) <= 10922 ? 1 : 2;
	/* We are told of a node that has not got it. */
	snprintf(address, sizeof address, "redis://127.0.0.1:%s",
	    c.port[(owner + 1) % NODES]);
	w->setup.store = address;
	world_again(w);
	comes_back(w);
	d.w = w;
	for (i = 0; i < 20; i++)
		work_once(&d);
	assert_int_equal(d.admitted, 20);
	move_slot(&c, owner, (owner + 2) % NODES, slot, work_once, &d);
	for (i = 0; i < 20; i++) {
		work_once(&d);
		world_tick(w);
	}
	pays(w);
	printf("cluster: %d admitted, %d refused while the slot moved, "
	    "%d settled later\n", d.admitted, d.closed, d.owed);
	assert_true(d.admitted >= 40);
	assert_int_equal(used_of(w, &daily), d.admitted * 60);
	assert_int_equal(held_of(w, &daily), 0);
	world_free(w);
	for (i = 0; i < NODES; i++)
		redis_end(&c.node[i]);
}

/* Keys of ours that hold something else, or what is no number. */
static void
test_rubbish(void **state)
{
	struct world *w = usual();
	struct hold h = hold_new(w);

	(void)state;
	comes_back(w);
	cli(w, "SET {tollgate}:c:key:a|p rubbish");
	{
		static const struct counter parallel = { .scope = "key:a",
			.kind = COUNTER_PARALLEL, .limit = 2 };
		const struct want both[] = { { &daily, 100 },
			{ &parallel, 1 } };

		assert_int_equal(hold(w, &h, both, 2).err, ERR_LEDGER);
	}
	/* Nothing of it was written. */
	assert_int_equal(held_of(w, &daily), 0);
	cli(w, "DEL {tollgate}:c:key:a|p");
	cli(w, "HSET {tollgate}:c:key:a|p u 1.5");
	{
		static const struct counter parallel = { .scope = "key:a",
			.kind = COUNTER_PARALLEL, .limit = 2 };
		const struct want c = { &parallel, 1 };

		assert_int_equal(hold(w, &h, &c, 1).err, ERR_LEDGER);
	}
	comes_back(w);
	world_free(w);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	alarm(300);
	over_redis = true;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_paused_again),
		cmocka_unit_test(test_owes_many),
		cmocka_unit_test(test_scripts_flushed),
		cmocka_unit_test(test_scripts_blocked),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_replica),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_evicting),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_empty_owed),
		cmocka_unit_test(test_empty_and_gone),
		cmocka_unit_test(test_empty_unwritten),
		cmocka_unit_test(test_empty_under_way),
		cmocka_unit_test(test_two_hosts),
		cmocka_unit_test(test_forestalled),
		cmocka_unit_test(test_late_host),
		cmocka_unit_test(test_owed_by_the_dead),
		cmocka_unit_test(test_lost_writes),
		cmocka_unit_test(test_marks_go),
		cmocka_unit_test(test_cluster),
		cmocka_unit_test(test_rubbish),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
