/*
 * tollgate.cgi: carries one CGI call to the pool's socket, so that a call
 * costs a small process and not a start of the whole gateway. Speaks FastCGI
 * to the pool; knows nothing of what it carries. Links libc only.
 *
 * Where no pool answers, the program tollgate.fcgi beside this one takes its
 * place and answers by itself; until then nothing was read of the request.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/uio.h>
#include <unistd.h>

#include "app/cgi_names.h"
#include "app/record_walk.h"

#define STATE_DIR "/var/lib/tollgate"
#define ID 1
#define CHUNK 32768
#define DRAIN 5	    /* seconds of silence while an unread body is thrown away */
#define PATIENCE 10 /* seconds for the pool to take the connection */

struct relay {
	int fd;		/* the pool */
	uint64_t left;	/* bytes of the body still to be read */
	bool open;	/* its length is not known: it ends where input ends */
	bool upload;	/* the body is not wholly sent */
	bool spoken;	/* something went to standard output */
	bool cut;	/* the body ended too early */
	bool ended;	/* the pool ended the request */
	int status;	/* … with this exit status */
	struct walk walk;
	unsigned char in[CHUNK], out[RECORD_HEAD + CHUNK];
};

/* An answer of our own, in the dialect that most clients read. */
static int
refuse(const char *status, const char *type, const char *text)
{
	printf("Status: %s\r\nContent-Type: application/json\r\n\r\n"
	       "{\"error\":{\"message\":\"%s\",\"type\":\"%s\","
	       "\"param\":null,\"code\":\"%s\"}}\n",
	    status, text, type, type);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* --- the pool, or what stands in for it --------------------------------- */

static bool
socket_path(struct sockaddr_un *un)
{
	const char *path = getenv("TOLLGATE_SOCKET");
	const char *dir = getenv("TOLLGATE_STATE");
	int n;

	un->sun_family = AF_UNIX;
	if (path != NULL && path[0] != '\0')
		n = snprintf(un->sun_path, sizeof un->sun_path, "%s", path);
	else
		n = snprintf(un->sun_path, sizeof un->sun_path,
		    "%s/tollgate.sock",
		    dir != NULL && dir[0] != '\0' ? dir : STATE_DIR);
	return n > 0 && (size_t)n < sizeof un->sun_path;
}

static int
pool_connect(void)
{
	const struct timeval patience = { .tv_sec = PATIENCE };
	struct sockaddr_un un = { 0 };
	int fd;

	if (!socket_path(&un))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&un, sizeof un) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
stand_in(void)
{
	static const char program[] = "tollgate.fcgi";
	char path[4096];
	char *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		if (slash != NULL &&
		    slash + 1 + sizeof program <= path + sizeof path) {
			memcpy(slash + 1, program, sizeof program);
			signal(SIGPIPE, SIG_DFL);
			execl(path, program, (char *)NULL);
		}
	}
	return refuse("503 Service Unavailable", "overloaded_error",
	    "no gateway answers and none can be started");
}

/* --- the request -------------------------------------------------------- */

static bool
send_all(int fd, const unsigned char *p, size_t n)
{
	ssize_t k;

	for (; n > 0; p += k, n -= (size_t)k) {
		k = send(fd, p, n, MSG_NOSIGNAL);
		if (k < 0 && errno == EINTR)
			k = 0;
		if (k < 0)
			return false;
	}
	return true;
}

static size_t
length_put(unsigned char *p, size_t n)
{
	if (n < 128) {
		p[0] = (unsigned char)n;
		return 1;
	}
	p[0] = (unsigned char)(n >> 24 | 0x80);
	p[1] = (unsigned char)(n >> 16);
	p[2] = (unsigned char)(n >> 8);
	p[3] = (unsigned char)n;
	return 4;
}

/* Bytes of a stream gathered into records. */
static bool
stream_put(struct relay *r, size_t *have, const void *p, size_t n)
{
	const unsigned char *bytes = p;
	size_t k;

	while (n > 0) {
		k = n < CHUNK - *have ? n : CHUNK - *have;
		memcpy(r->out + RECORD_HEAD + *have, bytes, k);
		*have += k;
		bytes += k;
		n -= k;
		if (*have < CHUNK)
			continue;
		record_head(r->out, RECORD_PARAMS, ID, *have);
		if (!send_all(r->fd, r->out, RECORD_HEAD + *have))
			return false;
		*have = 0;
	}
	return true;
}

static bool
variable_put(struct relay *r, size_t *have, const char *variable)
{
	const char *equals = strchr(variable, '=');
	unsigned char lengths[8];
	size_t name = (size_t)(equals - variable), value = strlen(equals + 1);
	size_t n;

	if (name > INT32_MAX || value > INT32_MAX)
		return true;
	n = length_put(lengths, name);
	n += length_put(lengths + n, value);
	return stream_put(r, have, lengths, n) &&
	    stream_put(r, have, variable, name) &&
	    stream_put(r, have, equals + 1, value);
}

static bool
params_send(struct relay *r)
{
	unsigned char begin[RECORD_HEAD + RECORD_BODY] = { 0 };
	size_t have = 0;
	char **e;

	record_head(begin, RECORD_BEGIN, ID, RECORD_BODY);
	begin[RECORD_HEAD + 1] = 1; /* responder */
	if (!send_all(r->fd, begin, sizeof begin))
		return false;
	for (e = environ; *e != NULL; e++)
		if (cgi_known(*e) && !variable_put(r, &have, *e))
			return false;
	if (have > 0) {
		record_head(r->out, RECORD_PARAMS, ID, have);
		if (!send_all(r->fd, r->out, RECORD_HEAD + have))
			return false;
	}
	record_head(begin, RECORD_PARAMS, ID, 0);
	return send_all(r->fd, begin, RECORD_HEAD);
}

/*
 * CONTENT_LENGTH, or false when it is no number. Apache gives none with a
 * body that came in chunks, and ends the input behind it.
 */
static bool
length_read(struct relay *r)
{
	const char *p = getenv("CONTENT_LENGTH");
	const char *method = getenv("REQUEST_METHOD");
	uint64_t n = 0;
	size_t i;

	r->open = p == NULL && method != NULL && strcmp(method, "POST") == 0;
	for (i = 0; p != NULL && p[i] != '\0'; i++) {
		if (p[i] < '0' || p[i] > '9' || i > 17)
			return false;
		n = n * 10 + (uint64_t)(p[i] - '0');
	}
	r->left = r->open ? UINT64_MAX : n;
	return true;
}

/* Some of the body; false: the client's side broke off. */
static bool
body_relay(struct relay *r)
{
	size_t want = r->left < CHUNK ? (size_t)r->left : CHUNK;
	ssize_t n = 0;

	if (want > 0) {
		n = read(STDIN_FILENO, r->out + RECORD_HEAD, want);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return true;
		if (n < 0 || (n == 0 && !r->open)) {
			r->cut = true;
			return false;
		}
	}
	r->left -= (uint64_t)n;
	record_head(r->out, RECORD_STDIN, ID, (size_t)n);
	r->upload = n > 0;
	/* A pool that takes no more may have answered already. */
	if (!send_all(r->fd, r->out, RECORD_HEAD + (size_t)n))
		r->upload = false;
	return true;
}

/*
 * What the pool did not want: a server that cannot get rid of a body never
 * looks at the answer.
 */
static void
body_drain(struct relay *r)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	ssize_t n = 1;

	while (r->left > 0 && n > 0 && poll(&in, 1, DRAIN * 1000) > 0) {
		n = read(STDIN_FILENO, r->out,
		    r->left < CHUNK ? (size_t)r->left : CHUNK);
		if (n > 0)
			r->left -= (uint64_t)n;
	}
}

/* --- the answer --------------------------------------------------------- */

static bool
write_all(int fd, const unsigned char *p, size_t n)
{
	struct pollfd out = { .fd = fd, .events = POLLOUT };
	ssize_t k;

	for (; n > 0; p += k, n -= (size_t)k) {
		k = write(fd, p, n);
		if (k < 0 && errno == EAGAIN)
			poll(&out, 1, -1);
		if (k < 0 && (errno == EINTR || errno == EAGAIN))
			k = 0;
		if (k < 0)
			return false;
	}
	return true;
}

/* One thing that the pool told. False: it makes no sense, or nobody reads. */
static bool
record_take(struct relay *r, enum walk_says says)
{
	const struct walk *w = &r->walk;
	const unsigned char *b = w->body;

	if (says == WALK_BAD || (says != WALK_OTHER && w->id != ID))
		return false;
	if (says == WALK_DATA && w->type == RECORD_STDOUT) {
		r->spoken = true;
		return write_all(STDOUT_FILENO, w->data, w->len);
	}
	if (says == WALK_DATA)
		write_all(STDERR_FILENO, w->data, w->len);
	if (says == WALK_BODY) {
		r->ended = b[4] == 0; /* protocolStatus: complete */
		r->status = b[3];
		return r->ended;
	}
	return true;
}

/* Some of the answer; false: it is over. */
static bool
answer_relay(struct relay *r)
{
	const unsigned char *p = r->in;
	enum walk_says says;
	size_t n;
	ssize_t got = recv(r->fd, r->in, sizeof r->in, 0);

	if (got < 0 && errno == EINTR)
		return true;
	if (got <= 0)
		return false;
	n = (size_t)got;
	while ((says = walk_next(&r->walk, &p, &n)) != WALK_MORE)
		if (!record_take(r, says) || r->ended)
			return false;
	return true;
}

/* Both ways, until the answer is over or the client is gone. */
static void
relay(struct relay *r)
{
	struct pollfd fds[3];
	bool more = true;

	while (more) {
		fds[0] = (struct pollfd){ r->fd, POLLIN, 0 };
		fds[1] = (struct pollfd){ STDOUT_FILENO, 0, 0 };
		fds[2] = (struct pollfd){ r->upload ? STDIN_FILENO : -1,
			POLLIN, 0 };
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			more = answer_relay(r);
		else if ((fds[1].revents & (POLLERR | POLLNVAL)) != 0)
			more = false; /* nobody reads: the pool will see it */
		else if (fds[2].revents != 0)
			more = body_relay(r);
	}
}

int
main(void)
{
	static struct relay r;

	signal(SIGPIPE, SIG_IGN);
	if (!length_read(&r))
		return refuse("400 Bad Request", "invalid_request_error",
		    "the content length is not valid");
	r.fd = pool_connect();
	if (r.fd < 0)
		return stand_in();
	r.upload = true;
	walk_init(&r.walk, WALK_RESPONDER);
	if (params_send(&r))
		relay(&r);
	if (r.spoken)
		body_drain(&r);
	if (r.ended)
		return r.status;
	if (r.spoken)
		return 1;
	if (r.cut)
		return refuse("400 Bad Request", "invalid_request_error",
		    "the body is shorter than the content length");
	return refuse("502 Bad Gateway", "server_error",
	    "the gateway broke off");
}
