/*
 * The store against a real Redis of its own: each command one reply, in time,
 * and never another's; what it does when the server is gone, paused, slow,
 * full, a replica, one of a cluster, or behind a sentinel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/store.h"
#include "app/store_url.h"
#include "tests/unit/redis.h"

static uv_loop_t loop;

/* What a command got. */
struct got {
	int calls;
	enum store_err err;
	char text[512]; /* items with blanks between */
	int64_t at;
};

static void
take(void *arg, const struct store_reply *r)
{
	struct got *g = arg;
	size_t i, n = 0;

	g->calls++;
	g->err = r->err;
	g->at = clock_mono();
	g->text[0] = '\0';
	for (i = 0; i < r->count && n < sizeof g->text; i++)
		n += (size_t)snprintf(g->text + n, sizeof g->text - n, "%s%.*s",
		    i > 0 ? " " : "", r->item[i].p == NULL ? 3 :
		    (int)r->item[i].len, r->item[i].p == NULL ? "nil" :
		    r->item[i].p);
	if (r->err != STORE_OK)
		snprintf(g->text, sizeof g->text, "%s", r->text);
}

static void
on_late(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

/* Run the loop for ms, or until *calls is n. */
static void
run(int ms, const int *calls, int n)
{
	static uv_timer_t t;
	bool late = false;

	uv_timer_init(&loop, &t);
	t.data = &late;
	uv_timer_start(&t, on_late, (uint64_t)ms, 0);
	while (!late && (calls == NULL || *calls < n))
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void
give(struct store *s, struct got *g, const char *line)
{
	static char text[1024];
	struct store_item argv[16];
	size_t n = 0;
	char *p, *save;

	memset(g, 0, sizeof *g);
	snprintf(text, sizeof text, "%s", line);
	for (p = strtok_r(text, " ", &save); p != NULL;
	    p = strtok_r(NULL, " ", &save))
		argv[n++] = (struct store_item){ p, strlen(p) };
	store_command(s, argv, n, take, g);
}

static const char *
ask(struct store *s, const char *line)
{
	static struct got g;

	give(s, &g, line);
	run(1000, &g.calls, 1);
	assert_int_equal(g.calls, 1);
	return g.err == STORE_OK ? g.text : store_err_name(g.err);
}

static struct store *
opened(const char *address)
{
	struct fault f;
	struct store *s = store_open(&loop, address, &f);

	assert_non_null(s);
	return s;
}

static void
closed(struct store *s)
{
	store_close(s);
	run(20, NULL, 0);
}

/* ---- addresses ---- */

static void
test_addresses(void **state)
{
	static const struct {
		const char *text, *host;
		int port, db;
		const char *user, *password;
	} good[] = {
		{ "redis://127.0.0.1:6379/0", "127.0.0.1", 6379, 0, "", "" },
		{ "redis://h", "h", 6379, 0, "", "" },
		{ "redis://h/7", "h", 6379, 7, "", "" },
		{ "redis://[::1]:7000/2", "::1", 7000, 2, "", "" },
		{ "redis://:s%40%3ac@h:1", "h", 1, 0, "", "s@:c" },
		{ "redis://u:p@x@h", "h", 6379, 0, "u", "p@x" },
		{ "redis+unix:///a/b.sock?db=3", "/a/b.sock", 0, 3, "", "" },
		{ "redis+unix:///a/b.sock", "/a/b.sock", 0, 0, "", "" },
		{ "redis+sentinel://a:1,b/m/4", "a", 1, 4, "", "" },
	};
	static const char *const wrong[] = { "", "redis://", "redis://h:0",
		"redis://h:65536", "redis://h:1x", "redis://h/x",
		"redis://u@h", "redis://:%zz@h", "redis://:%0@h",
		"redis://:%00@h", "redis://[::1", "redis+unix://a/b",
		"redis+unix:///a?db=", "redis+sentinel://a:1",
		"redis+sentinel://a:1/", "rediss://h:1", "http://h",
		"redis://h/65536" };
	struct store_url u;
	struct fault f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(store_url_read(&u, good[i].text, &f), ERR_OK);
		assert_string_equal(u.place[0].host, good[i].host);
		assert_int_equal(u.place[0].port, good[i].port);
		assert_int_equal(u.db, good[i].db);
		assert_string_equal(u.user, good[i].user);
		assert_string_equal(u.password, good[i].password);
	}
	assert_true(u.sentinel);
	assert_int_equal(u.places, 2);
	assert_string_equal(u.master, "m");
	assert_int_equal(u.place[1].port, 26379);
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		memset(&u, 'x', sizeof u);
		assert_int_not_equal(store_url_read(&u, wrong[i], &f), ERR_OK);
		assert_int_equal(u.db, 0x78787878); /* untouched */
	}
	store_url_read(&u, "redis://:geheim@[::1", &f);
	assert_null(strstr(f.text, "geheim"));
}

static void
test_errors(void **state)
{
	static const struct {
		const char *text;
		enum store_err e;
	} rows[] = {
		{ "OOM command not allowed when used memory > 'maxmemory'.",
		    STORE_OOM },
		{ "READONLY You can't write against a read only replica.",
		    STORE_READONLY },
		{ "MASTERDOWN Link with MASTER is down", STORE_MASTERDOWN },
		{ "NOREPLICAS Not enough good replicas to write.",
		    STORE_NOREPLICAS },
		{ "BUSY Redis is busy running a script.", STORE_BUSY },
		{ "NOSCRIPT No matching script.", STORE_NOSCRIPT },
		{ "LOADING Redis is loading the dataset in memory",
		    STORE_LOADING },
		{ "MISCONF Redis is configured to save RDB snapshots",
		    STORE_MISCONF },
		{ "MOVED 3999 127.0.0.1:6381", STORE_MOVED },
		{ "ASK 3999 127.0.0.1:6381", STORE_ASK },
		{ "CROSSSLOT Keys in request don't hash to the same slot",
		    STORE_CROSSSLOT },
		{ "TRYAGAIN Multiple keys request during rehashing of slot",
		    STORE_TRYAGAIN },
		{ "CLUSTERDOWN The cluster is down", STORE_CLUSTERDOWN },
		{ "WRONGPASS invalid username-password pair",
		    STORE_WRONGPASS },
		{ "ERR unknown command", STORE_SERVER },
		{ "OOMPH", STORE_SERVER },
		{ "", STORE_SERVER },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(store_err_of(rows[i].text), rows[i].e);
}

/* ---- a good server ---- */

static void
test_commands(void **state)
{
	enum { MANY = 2000 };
	static struct got g[MANY];
	static const char body[] = "return {KEYS[1], ARGV[1], 7, false, {'x'}}";
	struct store_item argv[2] = { { "k", 1 }, { "a\r\nb", 4 } };
	struct store_script sc;
	struct store_sums sums;
	struct redis r;
	struct store *s;
	char line[64];
	int i;

	(void)state;
	redis_start(&r, NULL);
	s = opened(r.address);
	assert_string_equal(ask(s, "SET a 1"), "OK");
	assert_string_equal(ask(s, "GET a"), "1");
	assert_string_equal(ask(s, "GET none"), "nil");
	assert_string_equal(ask(s, "INCR a"), "2");
	assert_string_equal(ask(s, "NONSENSE"), "SERVER");
	/* Many at once, each its own reply. */
	for (i = 0; i < MANY; i++) {
		snprintf(line, sizeof line, "ECHO n%d", i);
		give(s, &g[i], line);
	}
	run(1000, &g[MANY - 1].calls, 1);
	for (i = 0; i < MANY; i++) {
		snprintf(line, sizeof line, "n%d", i);
		assert_int_equal(g[i].calls, 1);
		assert_string_equal(g[i].text, line);
	}
	/* The server does not know the script at first, and forgets it. */
	store_script_init(&sc, body, sizeof body - 1);
	for (i = 0; i < 3; i++) {
		memset(g, 0, sizeof g[0]);
		store_run(s, &sc, 1, argv, 2, take, g);
		run(1000, &g[0].calls, 1);
		assert_string_equal(g[0].text, "k a\r\nb 7 nil x");
		if (i == 1)
			assert_string_equal(ask(s, "SCRIPT FLUSH"), "OK");
	}
	store_count(s, &sums);
	assert_int_equal(sums.connections, 1);
	closed(s);
	redis_end(&r);
}

static void
test_password(void **state)
{
	static const char *const words[] = { "--requirepass", "s@c:r/t", NULL };
	char address[256];
	struct redis r;
	struct store *s;

	(void)state;
	/* The helper's PING is answered, if by NOAUTH. */
	redis_start(&r, words);
	snprintf(address, sizeof address, "redis+unix://:%s@%s/redis.sock",
	    "s%40c:r%2Ft", r.dir);
	s = opened(address);
	assert_string_equal(ask(s, "SET a 1"), "OK");
	closed(s);
	snprintf(address, sizeof address, "redis+unix://:wrong@%s/redis.sock"
	    "?db=2", r.dir);
	s = opened(address);
	assert_string_equal(ask(s, "SET a 1"), "DOWN");
	assert_false(store_up(s));
	closed(s);
	redis_end(&r);
}

static void
test_database(void **state)
{
	char address[160], port[8];
	const char *const words[] = { "--port", port, NULL };
	struct redis r;
	struct store *s;

	(void)state;
	snprintf(port, sizeof port, "%d", free_port());
	redis_start(&r, words);
	snprintf(address, sizeof address, "redis://localhost:%s/3", port);
	s = opened(address);
	assert_string_equal(ask(s, "SET a three"), "OK");
	closed(s);
	snprintf(address, sizeof address, "redis://127.0.0.1:%s", port);
	s = opened(address);
	assert_string_equal(ask(s, "GET a"), "nil");
	assert_string_equal(ask(s, "SELECT 3"), "OK");
	assert_string_equal(ask(s, "GET a"), "three");
	closed(s);
	redis_end(&r);
}

/* ---- a bad one ---- */

/* Commands must be answered in ms. */
static void
in_time(struct store *s, int ms, enum store_err a, enum store_err b)
{
	struct got g;
	int64_t t = clock_mono();

	give(s, &g, "PING");
	run(2000, &g.calls, 1);
	assert_int_equal(g.calls, 1);
	assert_true(g.err == a || g.err == b);
	assert_true(g.at - t < ms * 1000);
}

static void
test_gone(void **state)
{
	char address[160];
	struct redis r;
	struct store *s;
	int64_t t;
	int i;

	(void)state;
	redis_start(&r, NULL);
	s = opened(r.address);
	assert_string_equal(ask(s, "PING"), "PONG");
	redis_kill(&r);
	for (i = 0; i < 10; i++)
		in_time(s, 200, STORE_LOST, STORE_DOWN);
	assert_false(store_up(s));
	for (i = 0; i < 1000; i++)
		in_time(s, 20, STORE_DOWN, STORE_DOWN);
	redis_again(&r, NULL);
	t = clock_mono();
	while (!store_up(s))
		run(10, NULL, 0);
	assert_true(clock_mono() - t < 2000000);
	assert_string_equal(ask(s, "PING"), "PONG");
	closed(s);
	/* Nobody at a port, no such name, a store that is closed at once. */
	snprintf(address, sizeof address, "redis://127.0.0.1:%d", free_port());
	s = opened(address);
	in_time(s, 200, STORE_DOWN, STORE_TIMEOUT);
	closed(s);
	s = opened("redis://no-such-name.invalid:1");
	in_time(s, 200, STORE_DOWN, STORE_TIMEOUT);
	closed(s);
	s = opened("redis://no-such-name.invalid:1");
	{
		struct got g;

		give(s, &g, "PING");
		store_close(s);
		assert_int_equal(g.err, STORE_LOST);
		assert_int_equal(g.calls, 1);
	}
	run(200, NULL, 0);
	redis_end(&r);
}

/* What became of commands that each asked for a number of their own. */
struct tally {
	int served, wrong, late, never;
};

static void
count(struct tally *t, const struct got *g, int number)
{
	char own[16];

	snprintf(own, sizeof own, "%d", number);
	assert_int_equal(g->calls, 1);
	t->served += g->err == STORE_OK;
	t->wrong += g->err == STORE_OK && strcmp(g->text, own) != 0;
	t->late += g->err == STORE_TIMEOUT;
	t->never += g->err != STORE_OK;
}

/*
 * A reply that comes too late is nobody's: each gets its own or none, and the
 * connection on which it would come is not used again.
 */
static void
test_late(void **state)
{
	enum { EACH = 100, SLOW = 8 };
	static struct got slow, g[EACH];
	const char *given = getenv("TEST_STORE_LATE");
	int turns = (given == NULL ? 4000 : atoi(given)) / EACH;
	struct store_sums before, after;
	struct tally t = { 0 };
	struct redis r;
	struct store *s;
	char line[32];
	int i, k;

	(void)state;
	redis_start(&r, NULL);
	s = opened(r.address);
	assert_string_equal(ask(s, "PING"), "PONG");
	store_count(s, &before);
	for (i = 0; i < turns; i++) {
		give(s, &slow, i % SLOW == 0 ? "DEBUG SLEEP 0.14" :
		    "ECHO other");
		for (k = 0; k < EACH; k++) {
			snprintf(line, sizeof line, "ECHO %d", i * EACH + k);
			give(s, &g[k], line);
			if (k % 10 == 0)
				run(1, NULL, 0);
		}
		run(2000, &g[EACH - 1].calls, 1);
		run(i % SLOW == 0 ? 160 : 1, NULL, 0);
		assert_int_equal(slow.calls, 1);
		for (k = 0; k < EACH; k++)
			count(&t, &g[k], i * EACH + k);
	}
	store_count(s, &after);
	printf("late replies: %d too late, %d of %d served, %d of another, "
	    "%d connections\n", t.late, t.served, turns * EACH, t.wrong,
	    (int)(after.connections - before.connections));
	assert_int_equal(t.wrong, 0);
	assert_true(t.late >= turns / SLOW * EACH / 2);
	assert_true(t.served >= turns * EACH / 2);
	assert_true((int)(after.connections - before.connections) >=
	    t.late / EACH);
	assert_string_equal(ask(s, "ECHO end"), "end");
	closed(s);
	redis_end(&r);
}

static void
test_paused(void **state)
{
	struct store_sums before, after;
	struct redis r;
	struct store *s;
	int64_t t;
	int i;

	(void)state;
	redis_start(&r, NULL);
	s = opened(r.address);
	assert_string_equal(ask(s, "PING"), "PONG");
	kill(r.pid, SIGSTOP);
	for (i = 0; i < 6; i++)
		in_time(s, 250, STORE_TIMEOUT, STORE_DOWN);
	assert_false(store_up(s));
	in_time(s, 60, STORE_DOWN, STORE_DOWN);
	/* One connection a second is tried. */
	store_count(s, &before);
	run(3000, NULL, 0);
	store_count(s, &after);
	assert_in_range(after.connections - before.connections, 2, 4);
	kill(r.pid, SIGCONT);
	t = clock_mono();
	while (!store_up(s))
		run(10, NULL, 0);
	assert_true(clock_mono() - t < 2000000);
	assert_string_equal(ask(s, "PING"), "PONG");
	closed(s);
	redis_end(&r);
}

/* ---- a slow way ---- */

/* 20 ms later and byte by byte: slower, and nothing else. */
static void
test_slow(void **state)
{
	enum { MANY = 60 };
	static struct got g[MANY];
	struct store_sums sums;
	char address[160], line[32];
	struct redis r;
	struct store *s;
	pid_t proxy;
	int i;

	(void)state;
	redis_start(&r, NULL);
	proxy = redis_slow(&r, 20, 0, address, sizeof address);
	s = opened(address);
	store_limits(s, 500, 500); /* the machine may be slow as well */
	for (i = 0; i < MANY; i++) {
		snprintf(line, sizeof line, "ECHO n%d", i);
		give(s, &g[i], line);
		if (i % 3 == 2)
			run(500, &g[i].calls, 1);
	}
	for (i = 0; i < MANY; i++) {
		snprintf(line, sizeof line, "n%d", i);
		assert_int_equal(g[i].calls, 1);
		assert_int_equal(g[i].err, STORE_OK);
		assert_string_equal(g[i].text, line);
	}
	store_count(s, &sums);
	assert_int_equal(sums.failed, 0);
	assert_int_equal(sums.connections, 1);
	closed(s);
	kill(proxy, SIGKILL);
	waitpid(proxy, NULL, 0);
	redis_end(&r);
}

static void
test_replica(void **state)
{
	static const char *const words[] = { "--replicaof", "127.0.0.1", "1",
		NULL };
	static const char *const promote[] = { "REPLICAOF", "NO", "ONE",
		NULL };
	struct redis r;
	struct store *s;
	const char *got;

	(void)state;
	redis_start(&r, words);
	s = opened(r.address);
	got = ask(s, "SET a 1");
	assert_string_equal(got, "READONLY");
	in_time(s, 20, STORE_DOWN, STORE_DOWN);
	redis_cli(&r, NULL, 0, promote);
	while (!store_up(s))
		run(10, NULL, 0);
	assert_string_equal(ask(s, "SET a 1"), "OK");
	closed(s);
	redis_end(&r);
}

/* ---- more than one ---- */

static void
test_sentinel(void **state)
{
	char address[160], port[8], sentinel_port[8], path[128];
	const char *const words[] = { "--port", port, NULL };
	struct redis r, sentinel;
	struct store *s;
	FILE *f;

	(void)state;
	snprintf(port, sizeof port, "%d", free_port());
	redis_start(&r, words);
	snprintf(sentinel_port, sizeof sentinel_port, "%d", free_port());
	snprintf(path, sizeof path, "%s/s.conf", r.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "port %s\nunixsocket %s/redis2.sock\n"
	    "sentinel monitor main 127.0.0.1 %s 1\n", sentinel_port, r.dir,
	    port);
	fclose(f);
	sentinel.pid = fork();
	if (sentinel.pid == 0) {
		if (freopen("/dev/null", "w", stdout) != NULL)
			execlp("redis-server", "redis-server", path,
			    "--sentinel", (char *)NULL);
		_exit(127);
	}
	/* The first sentinel is down: the second is asked. */
	snprintf(address, sizeof address,
	    "redis+sentinel://127.0.0.1:1,127.0.0.1:%s/main", sentinel_port);
	s = opened(address);
	do {
		ask(s, "PING");
		run(20, NULL, 0);
	} while (!store_up(s));
	assert_string_equal(ask(s, "SET a sent"), "OK");
	assert_string_equal(ask(s, "GET a"), "sent");
	closed(s);
	snprintf(address, sizeof address,
	    "redis+sentinel://127.0.0.1:%s/other", sentinel_port);
	s = opened(address);
	assert_string_equal(ask(s, "PING"), "DOWN");
	closed(s);
	redis_kill(&sentinel);
	redis_end(&r);
}

/* Two nodes share the slots; a key is on the one that we do not know. */
static void
test_cluster(void **state)
{
	char port[2][8], address[160], state_of[64];
	const char *words[2][7], *cli[8];
	struct redis r[2];
	struct store *s;
	int i, turns = 0;

	(void)state;
	for (i = 0; i < 2; i++) {
		snprintf(port[i], sizeof port[i], "%d", free_port() % 50000 +
		    5000);
		memcpy(words[i], ((const char *[]){ "--cluster-enabled", "yes",
		    "--port", port[i], "--cluster-require-full-coverage",
		    "no", NULL }), sizeof words[i]);
		redis_start(&r[i], words[i]);
		memcpy(cli, ((const char *[]){ "CLUSTER", "ADDSLOTSRANGE",
		    i == 0 ? "0" : "8192", i == 0 ? "8191" : "16383", NULL }),
		    5 * sizeof cli[0]);
		redis_cli(&r[i], NULL, 0, cli);
	}
	memcpy(cli, ((const char *[]){ "CLUSTER", "MEET", "127.0.0.1",
	    port[1], NULL }), 5 * sizeof cli[0]);
	redis_cli(&r[0], NULL, 0, cli);
	snprintf(address, sizeof address, "redis://127.0.0.1:%s", port[0]);
	s = opened(address);
	/* "foo" is in slot 12182, "bar" in 5061, until they know each other. */
	do {
		snprintf(state_of, sizeof state_of, "%s", ask(s, "SET foo 1"));
		run(50, NULL, 0);
	} while (strcmp(state_of, "OK") != 0 && ++turns < 100);
	assert_string_equal(state_of, "OK");
	assert_string_equal(ask(s, "GET foo"), "1");
	assert_string_equal(ask(s, "SET bar 2"), "OK");
	assert_string_equal(ask(s, "GET bar"), "2");
	assert_string_equal(ask(s, "MGET foo bar"), "CROSSSLOT");
	closed(s);
	redis_end(&r[0]);
	redis_end(&r[1]);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	alarm(300);
	return uv_loop_init(&loop);
}

static int
tear_down(void **state)
{
	(void)state;
	uv_run(&loop, UV_RUN_NOWAIT);
	return uv_loop_close(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_database),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_replica),
		cmocka_unit_test(test_sentinel),
		cmocka_unit_test(test_cluster),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
