/*
 * The transport over TLS, against `openssl s_server` (HTTP/1) and, where it
 * is installed, `nghttpd` (HTTP/2). Certificates are made for the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/base/limits.h"
#include "tests/unit/calls.h"

extern char **environ;

static char dir[] = "/tmp/test-tls-XXXXXX";

/* --- processes --------------------------------------------------------- */

/* Start argv[0] with its output thrown away; 0 when it is not there. */
static pid_t
launch(const char *const *argv)
{
	posix_spawn_file_actions_t fa;
	char *args[16];
	pid_t pid = 0;
	size_t i;

	for (i = 0; argv[i] != NULL; i++) {
		assert_true(i < 15);
		args[i] = strdup(argv[i]);
	}
	args[i] = NULL;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, args[0], &fa, NULL, args, environ) != 0)
		pid = 0;
	posix_spawn_file_actions_destroy(&fa);
	for (i = 0; args[i] != NULL; i++)
		free(args[i]);
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int
tcp_socket(struct sockaddr_in *sin, int port)
{
	memset(sin, 0, sizeof *sin);
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)port);
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
free_port(void)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof sin;
	int fd = tcp_socket(&sin, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

/* Until someone listens; false after 5 s. */
static bool
wait_port(int port)
{
	struct sockaddr_in sin;
	int i, fd, rc;

	for (i = 0; i < 500; i++) {
		fd = tcp_socket(&sin, port);
		rc = connect(fd, (struct sockaddr *)&sin, sizeof sin);
		close(fd);
		if (rc == 0)
			return true;
		usleep(10000);
	}
	return false;
}

static const char *
in_dir(char *out, size_t size, const char *name, const char *suffix)
{
	snprintf(out, size, "%s/%s%s", dir, name, suffix);
	return out;
}

static pid_t
tls_server(const char *cert, const char *version, int *port)
{
	char crt[128], key[128], accept[32];
	const char *argv[] = { "openssl", "s_server", "-accept", accept,
		"-cert", in_dir(crt, sizeof crt, cert, ".crt"), "-key",
		in_dir(key, sizeof key, cert, ".key"), "-www", "-quiet",
		version, NULL };
	pid_t pid;

	*port = free_port();
	snprintf(accept, sizeof accept, "127.0.0.1:%d", *port);
	pid = launch(argv);
	assert_true(pid > 0);
	assert_true(wait_port(*port));
	return pid;
}

/* 0 when nghttpd is not installed. */
static pid_t
h2_server(int *port)
{
	char crt[128], key[128], www[128], number[16];
	const char *argv[] = { "nghttpd", "--address=127.0.0.1", "-d",
		in_dir(www, sizeof www, "www", ""), number,
		in_dir(key, sizeof key, "good", ".key"),
		in_dir(crt, sizeof crt, "good", ".crt"), NULL };
	pid_t pid;

	*port = free_port();
	snprintf(number, sizeof number, "%d", *port);
	pid = launch(argv);
	if (pid > 0)
		assert_true(wait_port(*port));
	return pid;
}

/* --- HTTP/1 over TLS --------------------------------------------------- */

static void
tls_start(struct probe *p, int port, const char *path)
{
	char url[128];
	struct call_request rq = { .method = "GET", .url = url,
		.connect_timeout = 30 * SECOND, .bytes_timeout = 30 * SECOND,
		.private_net = true };

	snprintf(url, sizeof url, "https://localhost:%d%s", port, path);
	p->c = transport_start(p->w->t, &rq, &sink, p);
	assert_non_null(p->c);
}

static void
tls_get(struct probe *p, struct world *w, int port, const char *path)
{
	*p = (struct probe){ .w = w };
	tls_start(p, port, path);
	run_until(w, &p->dones, 1);
}

static void
trust(struct world *w, const char *name)
{
	char ca[128];

	transport_ca_file(w->t, in_dir(ca, sizeof ca, name, ".crt"));
}

static void
test_certificates(void **state)
{
	static const struct {
		const char *cert, *ca, *version;
		enum call_end end;
	} rows[] = {
		{ "good", "ca", NULL, CALL_OK },
		{ "good", "ca", "-tls1_2", CALL_OK },
		{ "good", "ca", "-tls1_3", CALL_OK },
		{ "good", "ca", "-tls1_1", CALL_CONNECT },
		{ "good", NULL, NULL, CALL_CONNECT }, /* not a public CA */
		{ "good", "self", NULL, CALL_CONNECT },
		{ "good", "absent", NULL, CALL_CONNECT },
		{ "other", "ca", NULL, CALL_CONNECT },
		{ "old", "ca", NULL, CALL_CONNECT },
		{ "self", "ca", NULL, CALL_CONNECT },
		{ "self", "self", NULL, CALL_OK },
	};
	struct world *w = *state;
	struct probe p;
	size_t i;
	pid_t pid;
	int port;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].ca != NULL)
			trust(w, rows[i].ca);
		else
			transport_ca_file(w->t, NULL);
		pid = tls_server(rows[i].cert, rows[i].version, &port);
		tls_get(&p, w, port, "/");
		end(pid);
		if (p.end != rows[i].end)
			fail_msg("%s trusted by %s: end %d", rows[i].cert,
			    rows[i].ca, p.end);
		assert_int_equal(p.sent, p.end == CALL_OK);
		assert_int_equal(p.status, p.end == CALL_OK ? 200 : 0);
	}
}

/* A peer that does not speak TLS, and one that says nothing at all. */
static void
test_no_tls(void **state)
{
	struct world *w = *state;
	struct probe p[3];
	struct call_request rq;
	struct sockaddr_in sin;
	socklen_t len = sizeof sin;
	char url[128];
	int i, fd = tcp_socket(&sin, 0);

	tls_get(&p[0], w, w->h->port, "/plain");
	assert_int_equal(p[0].end, CALL_CONNECT);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	rq = request(w, url, sizeof url, "/");
	rq.connect_timeout = SECOND / 5;
	snprintf(url, sizeof url, "https://127.0.0.1:%d/",
	    ntohs(sin.sin_port));
	/* The others wait for the first one's connection. */
	for (i = 0; i < 3; i++) {
		p[i] = (struct probe){ .w = w };
		p[i].c = transport_start(w->t, &rq, &sink, &p[i]);
	}
	for (i = 0; i < 3; i++) {
		run_until(w, &p[i].dones, 1);
		assert_int_equal(p[i].end, CALL_TIMEOUT_CONNECT);
		assert_int_equal(p[i].sent, 0);
	}
	close(fd);
}

/* --- HTTP/2 ------------------------------------------------------------ */

/* Is it our end of a connection to that port? */
static bool
leads_to(int fd, int port)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof sin;

	return getpeername(fd, (struct sockaddr *)&sin, &len) == 0 &&
	    sin.sin_family == AF_INET && ntohs(sin.sin_port) == port;
}

static int
connections_to(int port)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += leads_to(fd, port);
	return n;
}

static void
test_multiplexing(void **state)
{
	enum { N = 50 };
	struct world *w = *state;
	struct probe p[N];
	pid_t pid;
	int port, i;

	pid = h2_server(&port);
	if (pid == 0)
		skip();
	trust(w, "ca");
	for (i = 0; i < N; i++) {
		p[i] = (struct probe){ .w = w };
		tls_start(&p[i], port, "/small");
	}
	for (i = 0; i < N; i++) {
		run_until(w, &p[i].dones, 1);
		assert_int_equal(p[i].end, CALL_OK);
		assert_int_equal(p[i].sent, 1);
		assert_string_equal(p[i].body, "hello\n");
	}
	assert_int_equal(connections_to(port), 1);
	end(pid);
}

static long
cpu_ms(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000 +
	    (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1000;
}

/* Run until nothing comes any more. */
static void
run_quiet(struct world *w)
{
	long cpu;
	int quiet = 0;

	while (quiet < 4 && !w->late) {
		cpu = cpu_ms();
		run_ms(w, 250);
		quiet = cpu_ms() - cpu < 50 ? quiet + 1 : 0;
	}
}

/* A slow taker must not hold up the others on its connection. */
static void
test_paused_neighbour(void **state)
{
	struct world *w = *state;
	struct probe slow = { .w = w, .pause = true }, quick;
	pid_t pid;
	int port, i;

	pid = h2_server(&port);
	if (pid == 0)
		skip();
	trust(w, "ca");
	tls_start(&slow, port, "/huge");
	run_until(w, &slow.datas, 1);
	for (i = 0; i < 20; i++) {
		tls_get(&quick, w, port, "/small");
		assert_int_equal(quick.end, CALL_OK);
	}
	assert_int_equal(connections_to(port), 1);
	/* What it holds is bounded; what was held is delivered. */
	run_quiet(w);
	slow.pause = false;
	call_resume(slow.c);
	run_until(w, &slow.dones, 1);
	assert_int_equal(slow.end, CALL_TOO_LARGE);
	assert_in_range(slow.bytes, LIMIT_CALL_HELD - 16384,
	    LIMIT_CALL_HELD + 16384);
	tls_get(&quick, w, port, "/small");
	assert_int_equal(quick.end, CALL_OK);
	end(pid);
}

/* Paused and resumed again and again, beside others; all bytes come. */
static void
test_h2_back_pressure(void **state)
{
	struct world *w = *state;
	struct probe p[4], quick;
	pid_t pid;
	int port, i, round;
	long cpu;

	pid = h2_server(&port);
	if (pid == 0)
		skip();
	trust(w, "ca");
	for (i = 0; i < 4; i++) {
		p[i] = (struct probe){ .w = w, .pause = true };
		tls_start(&p[i], port, "/big");
	}
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 4; i++)
			run_until(w, &p[i].datas, 1);
		cpu = cpu_ms();
		run_ms(w, 300);
		/* No spinning on what is not taken. */
		assert_in_range(cpu_ms() - cpu, 0, 100);
		tls_get(&quick, w, port, "/small");
		assert_int_equal(quick.end, CALL_OK);
		for (i = 0; i < 4; i++) {
			p[i].datas = 0;
			call_resume(p[i].c);
		}
	}
	for (i = 0; i < 4; i++) {
		p[i].pause = false;
		call_resume(p[i].c);
	}
	for (i = 0; i < 4; i++) {
		run_until(w, &p[i].dones, 1);
		assert_int_equal(p[i].end, CALL_OK);
		assert_int_equal(p[i].bytes, 8000000);
	}
	end(pid);
}

static void
test_h2_cancel(void **state)
{
	struct world *w = *state;
	struct probe p, other;
	pid_t pid;
	int port, phase;

	pid = h2_server(&port);
	if (pid == 0)
		skip();
	trust(w, "ca");
	tls_get(&p, w, port, "/small");
	for (phase = AT_SENT; phase <= AT_DATA; phase++) {
		other = (struct probe){ .w = w };
		tls_start(&other, port, "/small");
		p = (struct probe){ .w = w };
		p.act[phase] = ACT_CANCEL;
		tls_start(&p, port, "/big");
		run_until(w, &other.dones, 1);
		while (transport_active(w->t) > 0 && !w->late)
			uv_run(&w->loop, UV_RUN_ONCE);
		assert_int_equal(other.end, CALL_OK);
		assert_int_equal(p.dones, 0);
		assert_int_equal(p.datas, phase == AT_DATA);
	}
	assert_int_equal(connections_to(port), 1);
	end(pid);
}

static void
test_h2_server_dies(void **state)
{
	struct world *w = *state;
	struct probe p[5];
	pid_t pid;
	int port, i;

	pid = h2_server(&port);
	if (pid == 0)
		skip();
	trust(w, "ca");
	for (i = 0; i < 5; i++) {
		p[i] = (struct probe){ .w = w, .pause = true };
		tls_start(&p[i], port, "/huge");
	}
	for (i = 0; i < 5; i++)
		run_until(w, &p[i].datas, 1);
	end(pid);
	for (i = 0; i < 5; i++) {
		p[i].pause = false;
		call_resume(p[i].c);
		run_until(w, &p[i].dones, 1);
		assert_true(p[i].end != CALL_OK);
	}
}

/* --- all --------------------------------------------------------------- */

static int
make_certs(void **state)
{
	const char *argv[] = { "sh", SRCDIR "/tests/unit/certs.sh", dir, NULL };
	int status = 1;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	if (waitpid(launch(argv), &status, 0) < 0)
		return -1;
	return status;
}

static int
drop_certs(void **state)
{
	const char *argv[] = { "rm", "-rf", dir, NULL };

	(void)state;
	return waitpid(launch(argv), NULL, 0) > 0 ? 0 : -1;
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* An argument picks tests by name ("test_h2*"). */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH(test_certificates),
		WITH(test_no_tls),
		WITH(test_multiplexing),
		WITH(test_paused_neighbour),
		WITH(test_h2_back_pressure),
		WITH(test_h2_cancel),
		WITH(test_h2_server_dies),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
