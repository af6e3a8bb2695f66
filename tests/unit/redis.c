/* Starting and ending a redis-server. */
#include "tests/unit/redis.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS 48

static bool
answers(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char reply[8] = "";
	bool good;
	int fd;

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	good = fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
	    write(fd, "PING\r\n", 6) == 6 &&
	    read(fd, reply, sizeof reply - 1) > 0;
	close(fd);
	return good;
}

static void
run(struct redis *r, const char *const *words)
{
	const char *argv[WORDS] = { "redis-server", "--port", "0", "--save",
		"", "--unixsocket", "redis.sock", "--enable-debug-command",
		"yes", "--daemonize", "no", "--loglevel", "warning",
		"--dir", r->dir };
	int n = 15, fd;

	while (words != NULL && *words != NULL && n < WORDS - 1)
		argv[n++] = *words++;
	argv[n] = NULL;
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open("/dev/null", O_WRONLY);
	dup2(fd, STDOUT_FILENO);
	if (chdir(r->dir) == 0)
		execvp(argv[0], (char **)(uintptr_t)argv);
	_exit(127);
}

void
redis_again(struct redis *r, const char *const *words)
{
	char path[96];
	int i;

	snprintf(path, sizeof path, "%s/redis.sock", r->dir);
	run(r, words);
	for (i = 0; i < 500 && !answers(path); i++)
		usleep(10000);
	assert_true(i < 500);
}

void
redis_start(struct redis *r, const char *const *words)
{
	snprintf(r->dir, sizeof r->dir, "/tmp/test_redis.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->address, sizeof r->address, "redis+unix://%s/redis.sock",
	    r->dir);
	redis_again(r, words);
}

void
redis_kill(struct redis *r)
{
	if (r->pid <= 0)
		return;
	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	r->pid = 0;
}

void
redis_end(struct redis *r)
{
	redis_kill(r);
	remove_tree(r->dir);
}

void
redis_cli(struct redis *r, char *out, size_t size, const char *const *words)
{
	const char *argv[WORDS] = { "redis-cli", "-s", "redis.sock", "--raw" };
	char buf[4096];
	ssize_t got, len = 0;
	int n = 4, fd[2], status;
	pid_t pid;

	while (*words != NULL && n < WORDS - 1)
		argv[n++] = *words++;
	argv[n] = NULL;
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		if (chdir(r->dir) == 0)
			execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	close(fd[1]);
	while ((got = read(fd[0], buf + len, sizeof buf - 1 - (size_t)len)) >
	    0)
		len += got;
	close(fd[0]);
	buf[len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	if (out != NULL)
		snprintf(out, size, "%s", buf);
}

static int
local_socket(const char *dir, const char *name, struct sockaddr_un *at)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(at->sun_path, sizeof at->sun_path, "%.64s/%s", dir, name);
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

/* What comes of `from` goes to `to`, as slow as that. False: it is over. */
static bool
pass_slowly(int from, int to, int ms)
{
	char piece[4096];
	ssize_t n = read(from, piece, sizeof piece), i;

	if (ms == 0)
		return n > 0 && write(to, piece, (size_t)n) == n;
	usleep((unsigned)ms * 1000);
	for (i = 0; i < n; i++)
		if (write(to, piece + i, 1) != 1)
			return false;
	return n > 0;
}

static void
serve_slowly(int client, const char *dir, int ms, int more)
{
	struct sockaddr_un at;
	int server = local_socket(dir, "redis.sock", &at);
	struct pollfd p[2] = { { .fd = client, .events = POLLIN },
		{ .fd = server, .events = POLLIN } };
	bool runs = connect(server, (struct sockaddr *)&at, sizeof at) == 0;

	while (runs && poll(p, 2, -1) > 0)
		runs = (p[0].revents == 0 || pass_slowly(client, server, 0)) &&
		    (p[1].revents == 0 || pass_slowly(server, client, ms +
			(more == 0 ? 0 : rand() % (more + 1))));
	close(client);
	close(server);
}

pid_t
redis_slow(const struct redis *r, int ms, int more, char *address,
    size_t size)
{
	struct sockaddr_un at;
	int l = local_socket(r->dir, "slow.sock", &at), c;
	pid_t pid;

	snprintf(address, size, "redis+unix://%s", at.sun_path);
	assert_int_equal(bind(l, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(l, 5), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while ((c = accept(l, NULL, NULL)) >= 0)
			serve_slowly(c, r->dir, ms, more);
		_exit(0);
	}
	close(l);
	return pid;
}

int
free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	getsockname(fd, (struct sockaddr *)&sa, &len);
	close(fd);
	return ntohs(sa.sin_port);
}

void
remove_tree(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}
