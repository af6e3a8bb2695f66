/*
 * Wills: what is in force when a process is killed, whatever the moment, and
 * what of files that anybody may have written is believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/base/boot.h"
#include "app/base/clock.h"
#include "app/base/draw.h"
#include "app/ledger_int.h"
#include "app/will.h"

#define STORE "redis://one"
#define WHO "20261128\x1fweb\x1f\x1f\x1f\x1fgpt 4\x1fopenai"
#define TEXT 16384
#define TOLD (2 * WILL_PURSES)

static char dir[64];

static const struct will_part money = { COUNTER_MONEY, 1796000000000000,
	"key:web|m|day||1795824000" };
static const struct will_part tokens = { COUNTER_TPM, 0, "key:web|t" };

/* What processes share. */
static struct shared {
	_Atomic int64_t said;
	_Atomic int ready, go, got, done;
} *shared;

/* What happens at the last moment before a lock, once; NULL: nothing. */
static void (*before_lock)(void);

int
flock(int fd, int how)
{
	void (*fn)(void) = before_lock;

	before_lock = NULL;
	if (fn != NULL)
		fn();
	return (int)syscall(SYS_flock, fd, how);
}

/* ---- the directory ---- */

static int
begin(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/tg-will-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

/* The next name in it from *d on; "" at the end. */
static void
next_name(DIR *d, char out[512])
{
	struct dirent *e;

	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			snprintf(out, 512, "%s/%.256s", dir, e->d_name);
			return;
		}
	out[0] = '\0';
}

/* How many files there are, and the path of the last one. */
static int
files(char path[512])
{
	DIR *d = opendir(dir);
	char name[512];
	int n = 0;

	assert_non_null(d);
	for (;;) {
		next_name(d, name);
		if (name[0] == '\0')
			break;
		if (path != NULL)
			memcpy(path, name, sizeof name);
		n++;
	}
	closedir(d);
	return n;
}

static void
empty(void)
{
	DIR *d = opendir(dir);
	char name[512];

	for (;;) {
		next_name(d, name);
		if (name[0] == '\0')
			break;
		if (unlink(name) != 0)
			rmdir(name);
	}
	closedir(d);
}

static int
end(void **state)
{
	(void)state;
	empty();
	return rmdir(dir);
}

/* ---- settles and what heirs hear ---- */

static struct heard {
	char id[TOLD][LEDGER_ID];
	char text[TOLD][TEXT];
	int n;
} heard;

static void
hear_one(struct heard *h, const char *text)
{
	assert_true(h->n < TOLD);
	assert_true(strlen(text) < TEXT);
	assert_int_equal(sscanf(text, "s %23s", h->id[h->n]), 1);
	snprintf(h->text[h->n++], TEXT, "%s", text);
}

static void
hear(void *arg, const char *before, const char *now)
{
	if (before != NULL)
		hear_one(arg, before);
	hear_one(arg, now);
}

static struct legacy *
inherit(void)
{
	struct legacy *l = will_inherit(dir, STORE, NULL);

	heard.n = 0;
	if (l != NULL)
		legacy_each(l, hear, &heard);
	return l;
}

/* The only will there is, which goes. */
static void
inherit_one(void)
{
	struct legacy *l = inherit();

	assert_non_null(l);
	assert_null(will_inherit(dir, STORE, NULL));
	legacy_end(l, true);
	assert_int_equal(files(NULL), 0);
}

/* All its numbers are n. */
static struct will_settle
settle_of(const char *id, int64_t n, uint32_t rows)
{
	struct will_settle s;
	uint32_t i;
	int k;

	memset(&s, 0xa5, sizeof s); /* what is not said may be anything */
	snprintf(s.id, sizeof s.id, "%s", id);
	s.rows = rows;
	for (k = 0; k < WILL_PARTS; k++)
		s.actual[k] = n;
	for (i = 0; i < rows; i++) {
		for (k = 0; k < 5; k++)
			s.row[i].n[k] = n;
		snprintf(s.row[i].who, WILL_WHO, "%s", WHO);
	}
	return s;
}

/* A will with one purse whose owner has gone. */
static void
leave(const char *store)
{
	const struct will_settle before = settle_of("idBefore", 76, 0),
	    now = settle_of("idNow", 77, 1);
	struct will *w = will_open(dir, store);
	int p = will_begin(w, &money, 1);

	assert_int_equal(p, 0);
	will_say(w, p, &before, &now);
	will_close(w);
}

/* ---- what an owner says ---- */

/* Byte by byte as op_write has it, which op_replay reads. */
static void
test_text(void **state)
{
	const struct will_part parts[] = { money, tokens };
	struct will_settle before = settle_of("0BeforeBeforeBeforeBefo", 0, 0),
	    now = settle_of("0NowNowNowNowNowNowNowN", 0, 2);
	struct will *w = will_open(dir, STORE);
	int p = will_begin(w, parts, 2);

	(void)state;
	before.actual[0] = 5;
	now.actual[0] = LEDGER_MAX;
	now.actual[1] = 12;
	memcpy(now.row[0].n, (const int64_t[]){ 1, 2, 3, 4, LEDGER_MAX },
	    sizeof now.row[0].n);
	will_say(w, p, &before, &now);
	will_close(w);
	inherit_one();
	assert_int_equal(heard.n, 2);
	assert_string_equal(heard.id[0], "0BeforeBeforeBeforeBefo");
	assert_string_equal(heard.text[0], "s 0BeforeBeforeBeforeBefo 2 0\n"
	    "3 5 1796000000000000 key:web|m|day||1795824000\n"
	    "1 0 0 key:web|t\n");
	assert_string_equal(heard.id[1], "0NowNowNowNowNowNowNowN");
	assert_string_equal(heard.text[1], "s 0NowNowNowNowNowNowNowN 2 2\n"
	    "3 9000000000000000 1796000000000000 key:web|m|day||1795824000\n"
	    "1 12 0 key:web|t\n"
	    "1 2 3 4 9000000000000000 " WHO "\n"
	    "0 0 0 0 0 " WHO "\n");
}

/* The largest there can be. */
static void
test_most(void **state)
{
	struct will_settle s = settle_of("0123456789abcdefghijklm",
	    LEDGER_MAX, WILL_ROWS);
	struct will_part part[WILL_PARTS + 1];
	char name[NAME_SIZE + 1];
	struct will *w = will_open(dir, STORE);
	int i;

	(void)state;
	memset(name, 'x', sizeof name);
	name[NAME_SIZE - 1] = '\0';
	for (i = 0; i <= WILL_PARTS; i++)
		part[i] = (struct will_part){ COUNTER_MONEY, INT64_MAX, name };
	for (i = 0; i < WILL_ROWS; i++)
		memset(s.row[i].who + strlen(WHO), 'y',
		    WILL_WHO - 1 - strlen(WHO));
	for (i = 0; i < WILL_ROWS; i++)
		s.row[i].who[WILL_WHO - 1] = '\0';
	assert_int_equal(will_begin(w, part, WILL_PARTS + 1), -1);
	for (i = 0; i < WILL_PURSES; i++) {
		assert_int_equal(will_begin(w, part, WILL_PARTS), i);
		will_say(w, i, &s, &s);
	}
	assert_int_equal(will_begin(w, part, WILL_PARTS), -1);
	will_end(w, 7);
	assert_int_equal(will_begin(w, part, WILL_PARTS), 7);
	will_close(w);
	inherit_one();
	assert_int_equal(heard.n, 2 * (WILL_PURSES - 1));
	for (i = 0; i < heard.n; i++)
		assert_int_equal(strlen(heard.text[i]), strlen("s  8 24\n") +
		    23 + WILL_PARTS * (strlen("3 9000000000000000 "
		    "9223372036854775807 \n") + NAME_SIZE - 1) +
		    WILL_ROWS * (5 * strlen("9000000000000000 ") + WILL_WHO));
}

static void
test_bad_parts(void **state)
{
	const struct will_part bad[] = { { COUNTER_KINDS, 0, "a" },
		{ COUNTER_RPM, -1, "a" }, { COUNTER_RPM, 0, "" },
		{ COUNTER_RPM, 0, " a" }, { COUNTER_RPM, 0, "a\nb" },
		{ COUNTER_RPM, 0, "a\x7f" } };
	struct will_part good = { COUNTER_RPM, 0, "a b" };
	char name[NAME_SIZE + 1];
	struct will *w = will_open(dir, STORE);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(will_begin(w, &bad[i], 1), -1);
	assert_int_equal(will_begin(w, &good, 1), 0);
	memset(name, 'x', sizeof name);
	name[NAME_SIZE] = '\0';
	good.name = name;
	assert_int_equal(will_begin(w, &good, 1), -1);
	name[NAME_SIZE - 1] = '\0';
	assert_int_equal(will_begin(w, &good, 1), 1);
	assert_int_equal(will_begin(w, NULL, 0), 2);
	will_close(w);
	inherit_one();
	assert_int_equal(heard.n, 0); /* nothing was said */
}

/* before stays while `now` changes, and goes when it is none. */
static void
test_says(void **state)
{
	const struct will_settle a = settle_of("a", 1, 1),
	    b = settle_of("b", 2, 0), c = settle_of("c", 3, 0);
	struct will *w = will_open(dir, STORE);
	int p = will_begin(w, &tokens, 1), q = will_begin(w, &tokens, 1);

	(void)state;
	will_say(w, p, &a, &b);
	will_say_now(w, p, &c);
	will_say_now(w, p, &b);
	will_say_now(w, p, &c);
	will_say(w, q, &a, &b);
	will_say(w, q, NULL, &a);
	will_close(w);
	inherit_one();
	assert_int_equal(heard.n, 3);
	assert_string_equal(heard.text[0], "s a 1 1\n1 1 0 key:web|t\n"
	    "1 1 1 1 1 " WHO "\n");
	assert_string_equal(heard.text[1], "s c 1 0\n1 3 0 key:web|t\n");
	assert_string_equal(heard.id[2], "a");
}

/* The file is there from the first purse to the last. */
static void
test_file(void **state)
{
	struct will *w = will_open(dir, STORE);
	struct stat st;
	char path[512];
	int p;

	(void)state;
	assert_int_equal(files(NULL), 0);
	p = will_begin(w, &money, 1);
	assert_int_equal(files(path), 1);
	assert_non_null(strstr(path, "/will."));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(st.st_blocks * 512 >= st.st_size);
	will_end(w, p);
	will_close(w);
	assert_int_equal(files(NULL), 0);
	will_close(will_open(dir, STORE));
	will_close(NULL);
	leave(STORE);
	assert_int_equal(files(NULL), 1);
	inherit_one();
}

/* Nothing may be given without a will that heirs can find. */
static void
test_removed(void **state)
{
	struct will *w = will_open(dir, STORE);
	int p = will_begin(w, &money, 1);

	(void)state;
	empty();
	assert_int_equal(will_begin(w, &money, 1), -1);
	will_end(w, p);
	assert_int_equal(will_begin(w, &money, 1), 0);
	assert_int_equal(files(NULL), 1);
	will_close(w);
	inherit_one();
}

static void
test_nowhere(void **state)
{
	struct will *w = will_open(NULL, STORE);

	(void)state;
	assert_int_equal(will_begin(w, &money, 1), -1);
	will_close(w);
	w = will_open("/nowhere/at/all", STORE);
	assert_int_equal(will_begin(w, &money, 1), -1);
	will_close(w);
	assert_null(will_inherit(NULL, STORE, NULL));
	assert_null(will_inherit("/nowhere/at/all", STORE, NULL));
	legacy_end(NULL, true);
}

/* ---- a full disk ---- */

static void
limit_files(bool full)
{
	struct rlimit r;

	getrlimit(RLIMIT_FSIZE, &r);
	r.rlim_cur = full ? 4096 : r.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static void
test_too_large(void **state)
{
	struct will *w = will_open(dir, STORE);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	limit_files(true);
	assert_int_equal(will_begin(w, &money, 1), -1);
	assert_int_equal(files(NULL), 0);
	limit_files(false);
	signal(SIGXFSZ, SIG_DFL);
	/* Not at once: whoever asks does so often. */
	assert_int_equal(will_begin(w, &money, 1), -1);
	usleep((useconds_t)WILL_AGAIN + 1000);
	assert_int_equal(will_begin(w, &money, 1), 0);
	will_close(w);
	inherit_one();
}

static void
fill_disk(void)
{
	static const char block[4096];
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/filler", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (fd >= 0 && write(fd, block, sizeof block) > 0)
		continue;
}

static void
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		print_message("%s\n", path);
	close(fd);
}

/* Mounts of its own, also for one who is not root. */
static bool
own_mounts(void)
{
	char uid[64], gid[64];

	snprintf(uid, sizeof uid, "%u %u 1", geteuid(), geteuid());
	snprintf(gid, sizeof gid, "%u %u 1", getegid(), getegid());
	if (unshare(CLONE_NEWNS) != 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
			return false;
		write_text("/proc/self/uid_map", uid);
		write_text("/proc/self/setgroups", "deny");
		write_text("/proc/self/gid_map", gid);
	}
	return mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0;
}

/* In a file system of its own. Returns what it ends with; 77: not allowed. */
static int
on_small_disk(void)
{
	const struct will_settle s = settle_of("id", 1, WILL_ROWS);
	struct will *w = will_open(dir, STORE);
	int i;

	if (!own_mounts() || mount("none", dir, "tmpfs", 0, "size=64k") != 0)
		return 77;
	if (will_begin(w, &money, 1) != -1 || files(NULL) != 0)
		return 1;
	if (mount("none", dir, "tmpfs", MS_REMOUNT, "size=4m") != 0)
		return 77;
	usleep((useconds_t)WILL_AGAIN + 1000);
	if (will_begin(w, &money, 1) != 0)
		return 2;
	fill_disk();
	for (i = 1; i < WILL_PURSES; i++)
		if (will_begin(w, &money, 1) != i)
			return 3;
	for (i = 0; i < 2 * WILL_PURSES; i++)
		will_say(w, i / 2, &s, &s);
	will_close(w);
	legacy_end(inherit(), true);
	return heard.n == 2 * WILL_PURSES ? 0 : 4;
}

static void
test_full(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(on_small_disk());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- whose will it is ---- */

static void
test_living(void **state)
{
	struct will *w = will_open(dir, STORE);

	(void)state;
	will_begin(w, &money, 1);
	assert_null(inherit());
	assert_null(will_inherit(dir, STORE, w));
	leave(STORE); /* of another owner */
	legacy_end(will_inherit(dir, STORE, w), true);
	assert_int_equal(files(NULL), 1);
	will_close(w);
	inherit_one();
}

/* A program that an owner has started knows nothing of its lock. */
static void
test_child(void **state)
{
	struct will *w = will_open(dir, STORE);
	int started[2], status;
	char byte;
	pid_t pid;

	(void)state;
	will_begin(w, &money, 1);
	assert_int_equal(pipe2(started, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		execlp("sleep", "sleep", "60", (char *)NULL);
		_exit(127);
	}
	close(started[1]);
	assert_int_equal(read(started[0], &byte, 1), 0);
	close(started[0]);
	will_close(w);
	inherit_one();
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void
test_other_store(void **state)
{
	struct legacy *l;

	(void)state;
	leave("redis://two");
	assert_null(inherit());
	assert_int_equal(files(NULL), 1);
	l = will_inherit(dir, "redis://two", NULL);
	assert_non_null(l);
	legacy_end(l, true);
	assert_int_equal(files(NULL), 0);
}

static void
test_left(void **state)
{
	(void)state;
	leave(STORE);
	legacy_end(inherit(), false);
	assert_int_equal(heard.n, 2);
	inherit_one();
	assert_int_equal(heard.n, 2);
}

static void
wait_for(_Atomic int *n, int least)
{
	while (atomic_load(n) < least)
		usleep(10);
}

static void
be_heir(void)
{
	struct legacy *l;

	shared->ready++;
	while (atomic_load(&shared->go) == 0)
		continue;
	l = inherit();
	shared->got += l != NULL && heard.n == 2;
	shared->done++;
	wait_for(&shared->done, 2);
	legacy_end(l, true);
	_exit(0);
}

static void
test_two_heirs(void **state)
{
	int round, i;

	(void)state;
	for (round = 0; round < 50; round++) {
		leave(STORE);
		memset(shared, 0, sizeof *shared);
		for (i = 0; i < 2; i++)
			if (fork() == 0)
				be_heir();
		wait_for(&shared->ready, 2);
		shared->go = 1;
		for (i = 0; i < 2; i++)
			wait(NULL);
		assert_int_equal(shared->got, 1);
		assert_int_equal(files(NULL), 0);
	}
}

static void
inherit_first(void)
{
	inherit_one();
	heard.n = -1;
}

/* It was open already when another heir had done with it. */
static void
test_late_heir(void **state)
{
	(void)state;
	leave(STORE);
	before_lock = inherit_first;
	assert_null(will_inherit(dir, STORE, NULL));
	assert_null(before_lock);
	assert_int_equal(heard.n, -1);
}

static void
inherit_nothing(void)
{
	assert_int_equal(files(NULL), 1);
	assert_null(will_inherit(dir, STORE, NULL));
	assert_int_equal(files(NULL), 1);
}

/* An heir who comes when the file is there and its lock is not. */
static void
test_early_heir(void **state)
{
	struct will *w = will_open(dir, STORE);

	(void)state;
	before_lock = inherit_nothing;
	assert_int_equal(will_begin(w, &money, 1), 0);
	assert_null(before_lock);
	will_close(w);
	inherit_one();
}

/* ---- owners that are killed ---- */

static const char *
id_of(char out[LEDGER_ID], char purse, int64_t n)
{
	snprintf(out, LEDGER_ID, "%c%lld", purse, (long long)n);
	return out;
}

static uint32_t
rows_of(int64_t n)
{
	return (uint32_t)(n * 7 % (WILL_ROWS + 1));
}

static struct will_settle
numbered(char purse, int64_t n)
{
	char id[LEDGER_ID];

	return settle_of(id_of(id, purse, n), n, rows_of(n));
}

/* The first purse lives on; the second ends and begins. */
static void
say_number(struct will *w, int64_t n)
{
	const struct will_settle before = numbered('a', n - 1),
	    now = numbered('a', n), other = numbered('b', n);

	if (n % 3 == 1)
		will_say_now(w, 0, &now);
	else
		will_say(w, 0, n % 3 == 0 ? &before : NULL, &now);
	if (n % 4 == 1 && will_begin(w, &tokens, 1) == 1)
		will_say_now(w, 1, &other);
	else if (n % 4 == 3)
		will_end(w, 1);
}

static void
be_owner(void)
{
	struct will *w = will_open(dir, STORE);
	int64_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (will_begin(w, &money, 1) != 0)
		_exit(1);
	for (n = 1;; n++) {
		say_number(w, n);
		atomic_store(&shared->said, n);
	}
}

/* The text of a settle whose numbers are n, at *out; which goes on. */
static void
want_text(char (**out)[TEXT], char purse, const struct will_part *part,
    int64_t n)
{
	char id[LEDGER_ID], *text = **out;
	uint32_t i;
	int len;

	len = snprintf(text, TEXT, "s %s 1 %u\n%d %lld %lld %s\n",
	    id_of(id, purse, n), rows_of(n), part->kind, (long long)n,
	    (long long)part->expire, part->name);
	for (i = 0; i < rows_of(n); i++)
		len += snprintf(text + len, (size_t)(TEXT - len),
		    "%lld %lld %lld %lld %lld " WHO "\n", (long long)n,
		    (long long)n, (long long)n, (long long)n, (long long)n);
	++*out;
}

/* Is it what the first purse says after `first`, and the second after n? */
static bool
heard_after(int64_t first, int64_t n)
{
	static char text[4][TEXT];
	char (*end)[TEXT] = text;
	int i;

	if (first % 3 == 0 && first > 0)
		want_text(&end, 'a', &money, first - 1);
	if (first % 3 == 1 && first > 1)
		want_text(&end, 'a', &money, first - 2);
	if (first > 0)
		want_text(&end, 'a', &money, first);
	if (n % 4 == 1 || n % 4 == 2)
		want_text(&end, 'b', &tokens, n - n % 4 + 1);
	if (heard.n != end - text)
		return false;
	for (i = 0; i < heard.n; i++)
		if (strcmp(heard.text[i], text[i]) != 0)
			return false;
	return true;
}

/* What was reported, or one more that was under way. */
static void
check_killed(int64_t said)
{
	bool good = heard_after(said, said) ||
	    heard_after(said + 1, said) || heard_after(said + 1, said + 1);
	int i;
	for (i = 0; i < heard.n && !good; i++)
		print_error("%lld: %s\n", (long long)said, heard.text[i]);
	assert_true(good);
}

/* What is left of one that was killed while it made its file. */
static void
check_fresh(void)
{
	const struct timespec old[2] = { { 1000000000, 0 },
		{ 1000000000, 0 } };
	char path[512];

	if (files(path) == 0)
		return;
	assert_non_null(strstr(path, "/new.will."));
	assert_null(inherit());
	assert_int_equal(files(NULL), 1);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_null(inherit());
	assert_int_equal(files(NULL), 0);
}

static int64_t
kill_one(uint64_t *draw, bool soon)
{
	struct legacy *l;
	int64_t until;
	int status;
	pid_t pid;

	memset(shared, 0, sizeof *shared);
	pid = fork();
	if (pid == 0)
		be_owner();
	while (!soon && atomic_load(&shared->said) < 10)
		usleep(10);
	until = clock_mono() + (int64_t)(draw_next(draw) % 1000);
	while (clock_mono() < until)
		continue;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	l = inherit();
	check_killed(shared->said);
	assert_true(l != NULL || soon);
	legacy_end(l, true);
	check_fresh();
	return shared->said;
}

static void
test_killed(void **state)
{
	const int kills = getenv("TESTS_EMULATED") != NULL ? 20 : 200;
	uint64_t draw = (uint64_t)clock_wall();
	int64_t said = 0;
	int i;

	(void)state;
	print_message("draw %llu\n", (unsigned long long)draw);
	for (i = 0; i < kills; i++) {
		said += kill_one(&draw, false);
		kill_one(&draw, true);
	}
	assert_true(said > 10 * kills);
}

/* Nothing but saying: it dies in the midst of a copy, if there is a midst. */
static void
be_busy(void)
{
	struct will *w = will_open(dir, STORE);
	struct will_settle s[2];
	int64_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	s[0] = settle_of("a", 1, WILL_ROWS);
	s[1] = settle_of("b", 2, WILL_ROWS);
	if (will_begin(w, &tokens, 1) != 0 || will_begin(w, &tokens, 1) != 1)
		_exit(1);
	for (n = 0;; n++) {
		will_say(w, 0, &s[n >> 1 & 1], &s[n >> 1 & 1]);
		will_say_now(w, 1, &s[n >> 1 & 1]);
		atomic_store(&shared->said, n);
	}
}

static bool
is_whole(const char *text)
{
	static char want[2][TEXT];
	uint32_t i;
	int k, len;

	for (k = 0; k < 2 && want[k][0] == '\0'; k++) {
		len = snprintf(want[k], TEXT, "s %c 1 %d\n1 %d 0 key:web|t\n",
		    'a' + k, WILL_ROWS, k + 1);
		for (i = 0; i < WILL_ROWS; i++)
			len += snprintf(want[k] + len, (size_t)(TEXT - len),
			    "%d %d %d %d %d " WHO "\n", k + 1, k + 1, k + 1,
			    k + 1, k + 1);
	}
	return strcmp(text, want[0]) == 0 || strcmp(text, want[1]) == 0;
}

static void
test_killed_busy(void **state)
{
	const int kills = getenv("TESTS_EMULATED") != NULL ? 10 : 100;
	int i, k;
	pid_t pid;

	(void)state;
	for (i = 0; i < kills; i++) {
		memset(shared, 0, sizeof *shared);
		pid = fork();
		if (pid == 0)
			be_busy();
		while (atomic_load(&shared->said) < 10)
			usleep(10);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		inherit_one();
		assert_int_equal(heard.n, 3);
		assert_string_equal(heard.text[0], heard.text[1]);
		for (k = 0; k < 3; k++)
			assert_true(is_whole(heard.text[k]));
	}
}

/* ---- files of strangers ---- */

static char *content;
static size_t content_size;

/* A will that was left, to be changed before it is put back. */
static void
load(char path[512])
{
	struct stat st;
	int fd;

	leave(STORE);
	assert_int_equal(files(path), 1);
	fd = open(path, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	content_size = (size_t)st.st_size;
	content = malloc(content_size + 1);
	assert_non_null(content);
	assert_int_equal(read(fd, content, content_size), content_size);
	content[content_size] = '\0';
	close(fd);
}

static void
save(const char *path, size_t size)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, content, size), size);
	close(fd);
	free(content);
}

enum where { HEAD, BOOT, NAME, BEFORE, NOW, ANCHORS };

static size_t
place_of(enum where where)
{
	static char boot[BOOT_ID];
	static const char *const what[ANCHORS] = { "", boot, "key:web|m",
		"idBefore", "idNow" };
	char *p;

	boot_id(boot);
	p = memmem(content, content_size, what[where], strlen(what[where]));
	assert_non_null(p);
	return (size_t)(p - content);
}

#define AT(member) offsetof(struct will_settle, member)
#define XS "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define ROW_WHO (AT(row) + offsetof(struct will_row, who))

static const struct patch {
	enum where where;
	long by;
	const char *bytes;
	size_t n;
	bool good; /* it is a will, and its purse is sound */
} patches[] = {
#define P(where, by, bytes, good) { where, (long)(by), bytes, \
    sizeof bytes - 1, good }
	/* The sound one, so that what is said of the others is about them. */
	P(NOW, 0, "idNow", true),
	P(NOW, 0, "id\xc3\xa4", true),
	P(NOW, 0, "a b", false),
	P(NOW, 0, "a\n", false),
	P(NOW, 0, "012345678901234567890123", false),
	P(NOW, AT(rows), "\x19\0\0\0", false),
	P(NOW, AT(rows), "\xff\xff\xff\xff", false),
	P(NOW, AT(rows), "\x02\0\0\0", false), /* there is no who in it */
	P(NOW, AT(rows), "\0\0\0\0", true),
	P(NOW, AT(actual), "\xff\xff\xff\xff\xff\xff\xff\xff", false),
	P(NOW, AT(actual), "\x01\x80\xfa\xca\x73\xf9\x1f\0", false),
	P(NOW, AT(actual), "\0\x80\xfa\xca\x73\xf9\x1f\0", true),
	P(NOW, AT(actual) + 8, "\xff\xff\xff\xff\xff\xff\xff\xff", true),
	P(NOW, AT(row), "\xff\xff\xff\xff\xff\xff\xff\xff", false),
	P(NOW, AT(row) + 32, "\x01\x80\xfa\xca\x73\xf9\x1f\0", false),
	P(NOW, AT(row) + 32, "\0\x80\xfa\xca\x73\xf9\x1f\0", true),
	P(NOW, ROW_WHO, "\0", false),
	P(NOW, ROW_WHO, "2026112x", false),
	P(NOW, ROW_WHO + 8, "\x1e", false),
	P(NOW, ROW_WHO + 9, "\n", false),
	P(NOW, ROW_WHO + 9, "\x7f", false),
	P(NOW, ROW_WHO + 9, "\x1f", false),
	P(NOW, ROW_WHO + sizeof WHO - 1, XS XS XS XS, false),
	P(BEFORE, 0, "", true),
	P(BEFORE, 0, "\x01", false),
	P(BEFORE, 0, "012345678901234567890123", false),
	P(BEFORE, AT(actual), "\xff\xff\xff\xff\xff\xff\xff\xff", false),
	P(BEFORE, AT(rows), "\x19\0\0\0", false),
	P(NAME, 0, "\0", false),
	P(NAME, 0, " ", false),
	P(NAME, 3, "\n", false),
	P(NAME, 0, XS XS XS XS, false),
	P(NAME, -8, "\x04", false),
	P(NAME, -5, "\x80", false),
	P(NAME, -8, "\0", true),
	P(NAME, -16, "\xff\xff\xff\xff\xff\xff\xff\xff", false),
	P(NAME, -20, "\x09", false),
	P(NAME, -20, "\x02", false), /* there is no name in it */
	P(NAME, -24, "\0", false),
	P(NAME, -24, "\x0f", false),
#undef P
};

static void
test_purses(void **state)
{
	const struct patch *p;
	char path[512];

	(void)state;
	for (p = patches; p < patches + sizeof patches / sizeof *patches;
	    p++) {
		load(path);
		memcpy(content + (long)place_of(p->where) + p->by, p->bytes,
		    p->n);
		save(path, content_size);
		inherit_one();
		if (heard.n != (p->good ? 2 : 0))
			print_error("patch %d\n", (int)(p - patches));
		assert_int_equal(heard.n, p->good ? 2 : 0);
	}
}

static void
test_heads(void **state)
{
	static const struct {
		enum where where;
		int by;
	} bad[] = { { HEAD, 0 }, { HEAD, 7 }, { HEAD, 8 }, { HEAD, 12 },
		{ HEAD, 16 }, { HEAD, 20 }, { BOOT, 0 }, { BOOT, 35 } };
	char path[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		load(path);
		content[place_of(bad[i].where) + (size_t)bad[i].by] ^= 1;
		save(path, content_size);
		assert_null(inherit());
		assert_int_equal(files(NULL), 0);
	}
}

/* The name of our store, and another one's in it: nothing of ours. */
static void
test_head_store(void **state)
{
	char path[512];

	(void)state;
	load(path);
	content[place_of(BOOT) + BOOT_ID + 40] ^= 1;
	save(path, content_size);
	assert_null(inherit());
	assert_int_equal(files(NULL), 1);
	empty();
}

static void
test_sizes(void **state)
{
	char path[512];
	size_t size;

	(void)state;
	load(path);
	size = content_size;
	save(path, 0);
	assert_null(inherit());
	load(path);
	save(path, size - 1);
	assert_null(inherit());
	load(path);
	save(path, size + 1);
	assert_null(inherit());
	load(path);
	memset(content, 0x5a, size);
	save(path, size);
	assert_null(inherit());
	assert_int_equal(files(NULL), 0);
}

/* Things of another kind under a will's name go, and what they lead to not. */
static void
test_kinds(void **state)
{
	char path[512], real[600];

	(void)state;
	leave(STORE);
	assert_int_equal(files(path), 1);
	snprintf(real, sizeof real, "%s/real", dir);
	assert_int_equal(rename(path, real), 0);
	assert_int_equal(symlink(real, path), 0);
	assert_null(inherit());
	assert_int_equal(files(path), 1);
	assert_string_equal(path, real);
	empty();
	leave(STORE);
	files(path);
	empty();
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(inherit());
	assert_int_equal(files(NULL), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(inherit());
	empty();
}

static void
test_modes(void **state)
{
	char path[512];

	(void)state;
	leave(STORE);
	files(path);
	assert_int_equal(chmod(path, 0640), 0);
	assert_null(inherit());
	assert_int_equal(files(NULL), 0);
	if (geteuid() != 0)
		return;
	leave(STORE);
	files(path);
	assert_int_equal(chown(path, 1, (gid_t)-1), 0);
	assert_null(inherit());
	assert_int_equal(files(NULL), 1);
	assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	inherit_one();
}

/* Other files of the directory are none of its business. */
static void
test_others(void **state)
{
	static const char *const names[] = { "will", "will.", "will.x",
		"new.db", "ledger.db" };
	const struct timespec old[2] = { { 1000000000, 0 },
		{ 1000000000, 0 } };
	char path[512];
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		assert_int_equal(futimens(fd, old), 0);
		close(fd);
	}
	assert_null(inherit());
	assert_int_equal(files(NULL), sizeof names / sizeof *names);
	empty();
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_text),
		T(test_most),
		T(test_bad_parts),
		T(test_says),
		T(test_file),
		T(test_removed),
		T(test_nowhere),
		T(test_too_large),
		T(test_full),
		T(test_living),
		T(test_child),
		T(test_other_store),
		T(test_left),
		T(test_two_heirs),
		T(test_late_heir),
		T(test_early_heir),
		T(test_killed),
		T(test_killed_busy),
		T(test_purses),
		T(test_heads),
		T(test_head_store),
		T(test_sizes),
		T(test_kinds),
		T(test_modes),
		T(test_others),
	};

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
