/*
 * The table of health: processes that share it, come, go and are killed; and
 * files that are not what they should be.
 */
#include "tests/unit/health_help.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/draw.h"

static char dir[64];

static int
dir_make(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/test-health-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
dir_remove(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command); /* a name of our own, without quotes */
}

static const char *
file(void)
{
	static char path[96];

	snprintf(path, sizeof path, "%s/health", dir);
	return path;
}

/* A process that claims, tells what it got by its exit, or waits. */
static pid_t
process(int (*run)(struct health *h, int ready), int ready[2])
{
	struct health *h;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	close(ready[0]);
	h = health_open(dir);
	_exit(h == NULL ? 99 : run(h, ready[1]));
}

static int
code(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static void
say(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

static void
hear(int fd, int times)
{
	char c;

	while (times-- > 0)
		assert_int_equal(read(fd, &c, 1), 1);
}

/* All at once, when the rest is over. */
static int
race_for_probe(struct health *h, int ready)
{
	int64_t over = stands(h, &da, clock_mono()).cooling;
	int got = 0, i;
	bool probe;

	say(ready);
	while (clock_mono() < over - 1000)
		usleep(500);
	for (i = 0; i < 5000; i++) {
		if (!health_claim(h, &da, CLAIM_FIRST, clock_mono(), &probe))
			continue;
		got++;
		if (!probe)
			return 50;
	}
	return got;
}

static void
test_one_probe(void **state)
{
	struct health *h = health_open(dir);
	pid_t pids[8];
	int ready[2], i, sum = 0;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	fails(h, &da, FAIL_RATE, SECOND / 5, clock_mono());
	for (i = 0; i < 8; i++)
		pids[i] = process(race_for_probe, ready);
	for (i = 0; i < 8; i++)
		sum += code(pids[i]);
	assert_int_equal(sum, 1);
	assert_true(stands(h, &da, clock_mono()).probing);
	close(ready[0]);
	close(ready[1]);
	health_free(h);
}

static void
bounded(void *arg, const char *id, const struct standing *st,
    const struct health_sums *sums)
{
	const int64_t *now = arg;

	(void)sums;
	assert_true(strlen(id) < TABLE_ID);
	assert_true(st->cooling == 0 ||
	    (st->cooling > *now && st->cooling < *now + 30 * HOUR));
	assert_true(st->success <= 1000 && st->failures <= st->requests);
	assert_true(st->p50 >= 0 && st->p95 <= HOUR && st->ttft >= 0 &&
	    st->speed >= 0);
}

static int
hold_three(struct health *h, int ready)
{
	bool probe;
	int i;

	for (i = 0; i < 3; i++)
		if (!health_claim(h, &da, CLAIM_FIRST, clock_mono(), &probe))
			return 1;
	say(ready);
	for (;;)
		pause();
}

/* Claims and ends without pause, to be killed in the midst of something. */
static int
hurry(struct health *h, int ready)
{
	int64_t now;
	bool probe;

	say(ready);
	do {
		now = clock_mono();
		if (health_claim(h, &db, CLAIM_LAST, now, &probe))
			health_end(h, &db, &(struct outcome){ .rest = -1,
			    .served = now % 3 == 0, .fail = FAIL_SERVER,
			    .probe = probe, .ttft = 1000 }, now);
	} while (now > 0);
	return 0;
}

static void
test_killed(void **state)
{
	struct health *h = health_open(dir);
	int64_t now = clock_mono() + SECOND;
	pid_t pids[6];
	int ready[2], i;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	for (i = 0; i < 6; i++)
		pids[i] = process(i < 3 ? hold_three : hurry, ready);
	hear(ready[0], 6);
	assert_int_equal(stands(h, &da, clock_mono()).in_flight, 9);
	usleep(100000);
	for (i = 0; i < 6; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < 6; i++)
		assert_int_equal(code(pids[i]), 100);
	usleep(1100000); /* the dead are looked for once a second */
	assert_int_equal(stands(h, &da, clock_mono()).in_flight, 0);
	assert_int_equal(stands(h, &db, clock_mono()).in_flight, 0);
	health_each(h, now, bounded, &now);
	/* Their columns are free for others. */
	pids[0] = process(hold_three, ready);
	hear(ready[0], 1);
	assert_int_equal(stands(h, &da, clock_mono()).in_flight, 3);
	kill(pids[0], SIGKILL);
	code(pids[0]);
	close(ready[0]);
	close(ready[1]);
	health_free(h);
}

/* What one learns the others know; an orderly end takes its column along. */
static void
test_shared(void **state)
{
	struct health *a = health_open(dir), *b = health_open(dir), *c;
	int64_t now = clock_mono();
	struct stat st;
	bool probe;

	(void)state;
	assert_int_equal(stat(file(), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(st.st_size == (off_t)sizeof(struct table));
	fails(a, &da, FAIL_AUTH, -1, now);
	assert_true(stands(b, &da, now).cooling > now);
	assert_true(claims(a, &db, CLAIM_FIRST, now, &probe));
	assert_int_equal(stands(b, &db, now).in_flight, 1);
	health_free(a);
	assert_int_equal(stands(b, &db, now).in_flight, 0);
	c = health_watch(dir);
	assert_non_null(c);
	assert_true(stands(c, &da, now).cooling > now);
	health_pardon(c, "p/a");
	assert_true(stands(b, &da, now).cooling == 0);
	health_free(c);
	health_free(b);
	assert_null(health_watch("/nowhere/at/all"));
}

static void
spoil(off_t at, const void *p, size_t n)
{
	int fd = open(file(), O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, n, at), (ssize_t)n);
	close(fd);
}

/* A file that is not what we made is replaced, and not looked into. */
static void
test_spoiled_file(void **state)
{
	struct health *h;
	struct stat before, st;
	int64_t now = clock_mono();
	int kind;

	(void)state;
	for (kind = 0; kind < 8; kind++) {
		h = health_open(dir);
		fails(h, &da, FAIL_AUTH, -1, now);
		health_free(h);
		assert_int_equal(stat(file(), &before), 0);
		if (kind == 0)
			spoil(0, "x", 1); /* magic */
		else if (kind == 1)
			spoil(offsetof(struct table_head, version), "\377", 1);
		else if (kind == 2)
			spoil(offsetof(struct table_head, boot), "zzz", 3);
		else if (kind == 3)
			assert_int_equal(truncate(file(), 100), 0);
		else if (kind == 4)
			assert_int_equal(chmod(file(), 0644), 0);
		else if (kind == 5)
			assert_int_equal(truncate(file(), 0), 0);
		else {
			assert_int_equal(unlink(file()), 0);
			assert_int_equal(kind == 6 ?
			    symlink("/etc/passwd", file()) :
			    mkfifo(file(), 0600), 0);
		}
		assert_null(health_watch(dir));
		h = health_open(dir);
		assert_non_null(h);
		assert_true(stands(h, &da, now).cooling == 0);
		assert_int_equal(lstat(file(), &st), 0);
		assert_true(S_ISREG(st.st_mode) && (kind >= 6 ||
		    st.st_ino != before.st_ino));
		assert_int_equal(st.st_mode & 07777, 0600);
		health_free(h);
	}
}

/* Without a directory each has memory of its own. */
static void
test_no_directory(void **state)
{
	struct health *h;

	(void)state;
	assert_int_equal(mkdir(file(), 0700), 0); /* cannot be replaced */
	h = health_open(dir);
	assert_non_null(h);
	fails(h, &da, FAIL_RATE, SECOND, MINUTE);
	assert_true(stands(h, &da, MINUTE).cooling > 0);
	health_free(h);
	assert_int_equal(rmdir(file()), 0);
	h = health_open("/dev/null/x");
	assert_non_null(h);
	health_free(h);
}

/* Everything behind the head is noise: bounded values, and no end of it. */
static void
test_noise(void **state)
{
	static unsigned char noise[sizeof(struct table)];
	char id[32];
	struct deployment d = { .id = id, .provider = &provider };
	int64_t now = clock_mono();
	uint64_t draw = 1, x;
	struct health *h;
	struct standing st;
	size_t i;
	bool probe;
	int round;

	(void)state;
	for (round = 0; round < 4; round++) {
		health_free(health_open(dir));
		for (i = 0; i < sizeof noise; i += sizeof x) {
			x = round == 0 ? ~UINT64_C(0) : draw_next(&draw);
			memcpy(noise + i, &x, sizeof x);
		}
		spoil(sizeof(struct table_head), noise,
		    sizeof noise - sizeof(struct table_head));
		h = health_open(dir);
		health_each(h, now, bounded, &now);
		for (i = 0; i < 3000; i++) {
			snprintf(id, sizeof id, "p/%zu", i);
			if (claims(h, &d, (enum claim)(i % 4), now, &probe))
				health_end(h, &d, &(struct outcome){
				    .served = i % 2 == 0, .fail = 1U << i % 12,
				    .rest = i % 5 == 0 ? SECOND : -1,
				    .ttft = 1000, .probe = probe }, now);
			health_look(h, &d, false, now, &st);
			bounded(&now, id, &st, NULL);
			health_hedge(h, id, 50, 1000, 1, now);
			health_answered(h, id, 5);
			assert_true(health_expected_output(h, id) >= 0);
			assert_in_range(health_cached_share(h, &d), 0, 1000);
			assert_true(health_quantile(h, &d, false, 99, now) >= 0);
		}
		health_each(h, now, bounded, &now);
		health_free(h);
		assert_int_equal(unlink(file()), 0);
	}
}

/* More deployments than places: the rest goes without, nothing breaks. */
static void
test_full(void **state)
{
	struct health *h = health_open(NULL);
	char id[32];
	struct deployment d = { .id = id, .provider = &provider };
	int64_t now = HOUR;
	int i, remembered = 0;

	(void)state;
	for (i = 0; i < 2 * TABLE_SLOTS; i++) {
		snprintf(id, sizeof id, "p/%d", i);
		fails(h, &d, FAIL_RATE, MINUTE, now);
		remembered += stands(h, &d, now).cooling > now;
	}
	assert_in_range(remembered, TABLE_SLOTS * 3 / 4, TABLE_SLOTS);
	/* After an idle while the places go to others. */
	now += HOUR;
	fails(h, &d, FAIL_RATE, MINUTE, now);
	assert_true(stands(h, &d, now).cooling > now);
	assert_true(stands(h, &d, now).requests == 1);
	health_free(h);
}

static void
test_cost(void **state)
{
	struct health *h = health_open(dir);
	struct outcome o = { .served = true, .rest = -1, .ttft = 300000,
		.tokens = 100, .duration = SECOND, .input = 10 };
	int64_t began, now, n = 200000, i;
	struct standing st;
	bool probe;

	(void)state;
	for (i = 0; i < 100; i++)
		serves(h, &da, 300000 + i, clock_mono());
	began = clock_mono();
	for (i = 0; i < n; i++) {
		now = began + i; /* as time goes by */
		health_look(h, &da, false, now, &st);
	}
	print_message("a look: %.2f us\n",
	    (double)(clock_mono() - began) / (double)n);
	began = clock_mono();
	for (i = 0; i < n; i++) {
		now = began + i;
		claims(h, &da, CLAIM_FIRST, now, &probe);
		health_end(h, &da, &o, now);
	}
	print_message("a claim and its end: %.2f us\n",
	    (double)(clock_mono() - began) / (double)n);
	began = clock_mono();
	for (i = 0; i < n / 10; i++)
		health_quantile(h, &da, false, 95, began);
	print_message("a quantile: %.2f us\n",
	    (double)(clock_mono() - began) / ((double)n / 10));
	health_free(h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_make, dir_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_probe),
		TEST(test_killed),
		TEST(test_shared),
		TEST(test_spoiled_file),
		TEST(test_no_directory),
		TEST(test_noise),
		TEST(test_full),
		TEST(test_cost),
	};

	alarm(120); /* a process that waits for one that is gone */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
