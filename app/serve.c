/*
 * The master. It owns the listening socket and a table of workers, and does
 * nothing else: it reads no policy, holds no secret and serves no request,
 * so that there is little in it that can fail.
 */
#include "app/serve.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/admin.h"
#include "app/base/clock.h"
#include "app/listener.h"
#include "app/share.h"

#define WORKERS_MAX 256
#define TABLE_MAX 4096 /* with those that still drain */
#define SECOND INT64_C(1000000)
#define STEADY SECOND		 /* a worker that lives as long has started */
#define BACKOFF_FIRST (SECOND / 4)
#define BACKOFF_MAX (30 * SECOND)

struct worker {
	pid_t pid;
	int64_t started;
	unsigned slot; /* in the shared page */
	bool fresh;   /* takes the place of an old one when it is steady */
	bool leaving; /* was told to end */
};

struct master {
	struct listener listener;
	struct share share;
	unsigned want; /* workers */
	bool admin;    /* that answer the admin API alone */
	struct worker table[TABLE_MAX];
	size_t count;
	int64_t wait;	 /* before the next start, after deaths at once */
	int64_t next;	 /* no start before */
	int64_t replace; /* the fresh ones take over then; 0: none */
	unsigned ends;	 /* SIGTERMs that came */
	bool announced;
	sigset_t old_mask;
};

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
say(const char *fmt, ...)
{
	va_list ap;

	fputs("tollgate serve: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* sd_notify(3) in small: a datagram to NOTIFY_SOCKET, if there is one. */
static void
notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[96];
	size_t len;
	int fd, n;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof un.sun_path)
		return;
	memcpy(un.sun_path, path, len);
	if (path[0] == '@')
		un.sun_path[0] = '\0';
	n = snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%lld\n", state,
	    (long long)clock_mono());
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT,
	    (struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

/* --- workers ------------------------------------------------------------- */

static void
worker_become(struct master *m, pid_t master, unsigned slot)
{
	char name[] = "tollgate.fcgi";
	char *argv[] = { name, NULL };

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master || dup2(m->listener.fd, STDIN_FILENO) < 0)
		_exit(1);
	unsetenv("NOTIFY_SOCKET");
	if (m->admin)
		setenv(ADMIN_DOORS, "admin", 1);
	share_pass(&m->share, slot);
	signal(SIGHUP, SIG_IGN); /* until it can handle it */
	sigprocmask(SIG_SETMASK, &m->old_mask, NULL);
	execv("/proc/self/exe", argv);
	_exit(127);
}

static bool
slot_taken(const struct master *m, unsigned slot)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		if (m->table[i].slot == slot)
			return true;
	return false;
}

static void
worker_start(struct master *m, bool fresh)
{
	pid_t pid, master = getpid();
	unsigned slot = 0;

	if (m->count == TABLE_MAX) {
		m->next = clock_mono() + SECOND;
		return;
	}
	while (slot_taken(m, slot)) /* beyond the page there is no sharing */
		slot++;
	pid = fork();
	if (pid == 0)
		worker_become(m, master, slot);
	if (pid < 0) {
		say("cannot start a worker: %s", strerror(errno));
		m->next = clock_mono() + SECOND;
		return;
	}
	m->table[m->count++] = (struct worker){ .pid = pid,
		.started = clock_mono(), .slot = slot, .fresh = fresh };
}

/* Those that are leaving have been told: they know what to do. */
static void
worker_tell(struct worker *w, int sig)
{
	if (w->leaving && sig != SIGKILL)
		return;
	w->leaving = w->leaving || sig == SIGTERM;
	kill(w->pid, sig);
}

/* Tell all, or only those that are fresh, or only those that are not. */
enum which { ALL, FRESH, OLD };

static void
workers_tell(struct master *m, enum which which, int sig)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		if (which == ALL || m->table[i].fresh == (which == FRESH))
			worker_tell(&m->table[i], sig);
}

/* Those that are there to stay, or to take over. */
static unsigned
workers_count(const struct master *m, bool fresh)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < m->count; i++)
		n += !m->table[i].leaving && m->table[i].fresh == fresh;
	return n;
}

/* The fresh ones die at once: the old ones stay. */
static void
replace_cancel(struct master *m)
{
	say("the new workers do not stay alive: the old ones go on");
	workers_tell(m, FRESH, SIGTERM);
	m->replace = 0;
	notify("READY=1");
}

/* A worker is dead that was not told to end. */
static void
worker_lost(struct master *m, const struct worker *w, int status)
{
	int64_t now = clock_mono();

	if (WIFSIGNALED(status))
		say("worker %d died of signal %d", (int)w->pid,
		    WTERMSIG(status));
	else
		say("worker %d left with status %d", (int)w->pid,
		    WEXITSTATUS(status));
	if (w->fresh) {
		replace_cancel(m);
		return;
	}
	if (now - w->started >= STEADY)
		m->wait = 0;
	else if (m->wait == 0)
		m->wait = BACKOFF_FIRST;
	else if (now >= m->next) /* several deaths are one misfortune */
		m->wait = m->wait * 2 < BACKOFF_MAX ? m->wait * 2 : BACKOFF_MAX;
	m->next = now + m->wait;
}

static void
workers_reap(struct master *m)
{
	struct worker w;
	int status;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < m->count && m->table[i].pid != pid; i++)
			;
		if (i == m->count)
			continue;
		w = m->table[i];
		m->table[i] = m->table[--m->count];
		share_clear(&m->share, w.slot);
		if (!w.leaving && m->ends == 0)
			worker_lost(m, &w, status);
	}
}

/* The fresh ones have lived long enough: they are the workers now. */
static void
replace_done(struct master *m)
{
	size_t i;

	workers_tell(m, OLD, SIGTERM);
	for (i = 0; i < m->count; i++)
		m->table[i].fresh = false;
	m->replace = 0;
	notify("READY=1");
}

static void
replace_begin(struct master *m)
{
	unsigned i;

	if (m->replace != 0)
		return;
	notify("RELOADING=1");
	for (i = 0; i < m->want; i++)
		worker_start(m, true);
	m->replace = clock_mono() + STEADY;
}

/* --- the master's life --------------------------------------------------- */

static void
end_begin(struct master *m)
{
	if (m->ends++ > 0) {
		workers_tell(m, ALL, SIGKILL);
		return;
	}
	notify("STOPPING=1");
	listener_close(&m->listener);
	workers_tell(m, ALL, SIGTERM);
}

static void
signal_take(struct master *m, int sig)
{
	switch (sig) {
	case SIGCHLD:
		workers_reap(m);
		break;
	case SIGHUP:
		notify("RELOADING=1");
		workers_tell(m, ALL, SIGHUP);
		notify("READY=1");
		break;
	case SIGUSR1:
		if (m->ends == 0)
			replace_begin(m);
		break;
	case SIGTERM:
	case SIGINT:
		end_begin(m);
		break;
	default:
		break;
	}
}

/* Start what is missing; how long until there is something to do. */
static int64_t
tend(struct master *m)
{
	int64_t now = clock_mono(), until = now + 3600 * SECOND;

	if (m->ends > 0)
		return SECOND;
	while (workers_count(m, false) < m->want && now >= m->next)
		worker_start(m, false);
	if (!m->announced)
		notify("READY=1");
	m->announced = true;
	if (m->replace != 0 && now >= m->replace)
		replace_done(m);
	if (m->replace != 0)
		until = m->replace;
	if (workers_count(m, false) < m->want && m->next < until)
		until = m->next;
	return until > now ? until - now : 0;
}

static int
watch(struct master *m)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGUSR1, SIGTERM,
		SIGINT };
	struct timespec wait;
	sigset_t set;
	int64_t us;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, &m->old_mask);
	while (m->ends == 0 || m->count > 0) {
		us = tend(m);
		wait.tv_sec = us / SECOND;
		wait.tv_nsec = us % SECOND * 1000;
		signal_take(m, sigtimedwait(&set, NULL, &wait));
	}
	return 0;
}

/* --- the command line ---------------------------------------------------- */

static unsigned
processors(void)
{
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

/* A whole number from least to most, or -1. */
static long
number(const char *text, int base, long least, long most)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, base);
	if (errno != 0 || end == text || *end != '\0' || n < least || n > most)
		return -1;
	return n;
}

static int
usage(void)
{
	fputs("usage: tollgate serve [--socket PATH] [--mode 0660] "
	      "[--workers N] [--listen-fd N] [--admin]\n", stderr);
	return 2;
}

int
serve_command(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "mode", required_argument, NULL, 'm' },
		{ "workers", required_argument, NULL, 'w' },
		{ "listen-fd", required_argument, NULL, 'l' },
		{ "admin", no_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	static struct master m;
	const char *path = NULL;
	long mode = 0660, workers = (long)processors(), fd = -1;
	bool given = false;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			path = optarg;
		else if (c == 'm')
			mode = number(optarg, 8, 0, 0777);
		else if (c == 'w')
			workers = number(optarg, 10, 1, WORKERS_MAX);
		else if (c == 'l')
			fd = number(optarg, 10, 0, INT32_MAX);
		else if (c == 'a')
			m.admin = true;
		else
			return usage();
		given = given || c == 'l';
	}
	if (optind < argc || mode < 0 || workers < 0 || (given && fd < 0))
		return usage();
	m.want = (unsigned)workers;
	if (!listener_take(&m.listener, path, (mode_t)mode, (int)fd))
		return 1;
	share_make(&m.share, 4 * m.want);
	return watch(&m);
}
