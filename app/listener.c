/* Where the master's socket comes from. */
#include "app/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_DIR "/var/lib/tollgate"
#define BACKLOG 4096

#define say(...) \
	do { \
		fputs("tollgate serve: ", stderr); \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr); \
	} while (0)

static bool
listens(int fd)
{
	int yes = 0;
	socklen_t len = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 &&
	    yes != 0;
}

/* Remove a socket that nobody listens on. False: leave it. */
static bool
stale_remove(const struct sockaddr_un *un)
{
	struct stat st;
	int fd, rc;

	if (lstat(un->sun_path, &st) != 0)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		say("'%s' is in the way and no socket", un->sun_path);
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	rc = connect(fd, (const struct sockaddr *)un, sizeof *un);
	if (rc != 0 && errno == ECONNREFUSED) {
		close(fd);
		return unlink(un->sun_path) == 0;
	}
	close(fd);
	say("somebody listens on '%s' already", un->sun_path);
	return false;
}

static int
bind_path(struct listener *l, const char *path, mode_t mode)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	mode_t old;
	int fd, rc;

	if (strlen(path) >= sizeof un.sun_path) {
		say("the socket's path is too long: '%s'", path);
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path));
	if (!stale_remove(&un))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	old = umask(~mode & 0777); /* never open for a moment */
	rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&un, sizeof un);
	umask(old);
	if (rc != 0 || listen(fd, BACKLOG) != 0) {
		say("cannot listen on '%s': %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	memcpy(l->bound, un.sun_path, sizeof l->bound);
	return fd;
}

static int
bind_default(struct listener *l, mode_t mode)
{
	const char *dir = getenv("TOLLGATE_STATE");
	char path[256];
	int n;

	n = snprintf(path, sizeof path, "%s/tollgate.sock",
	    dir != NULL && dir[0] != '\0' ? dir : STATE_DIR);
	if (n < 0 || (size_t)n >= sizeof path) {
		say("TOLLGATE_STATE is too long");
		return -1;
	}
	return bind_path(l, path, mode);
}

/* Sockets that systemd passes: the first one, from descriptor 3 on. */
static int
passed_fd(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	bool mine = pid != NULL && fds != NULL &&
	    strtol(pid, NULL, 10) == (long)getpid() &&
	    strtol(fds, NULL, 10) >= 1;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return mine ? 3 : -1;
}

bool
listener_take(struct listener *l, const char *path, mode_t mode, int given)
{
	int fd = passed_fd();

	if (given >= 0)
		fd = given;
	else if (path != NULL)
		fd = bind_path(l, path, mode);
	else if (fd < 0)
		fd = listens(STDIN_FILENO) ? STDIN_FILENO :
		    bind_default(l, mode);
	if (fd < 0)
		return false;
	if (!listens(fd)) {
		say("descriptor %d is no listening socket", fd);
		return false;
	}
	l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* the workers get it as 0 */
	if (fd != STDIN_FILENO && l->fd >= 0)
		close(fd);
	return l->fd >= 0;
}

void
listener_close(struct listener *l)
{
	if (l->bound[0] != '\0')
		unlink(l->bound);
	l->bound[0] = '\0';
	close(l->fd);
}
