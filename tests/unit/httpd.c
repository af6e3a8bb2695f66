/* The server of bad manners. A thread a connection; blocking, plain. */
#include "tests/unit/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIG_BODY (20 << 20)

struct peer {
	struct httpd *h;
	int fd;
	char head[65536];
	size_t have; /* bytes of the next request's beginning in head */
};

/* A path's manners; false closes the connection. */
typedef bool manner(struct peer *p);

static bool
put(struct peer *p, const void *data, size_t len)
{
	const char *s = data;
	ssize_t n;

	while (len > 0) {
		n = send(p->fd, s, len, MSG_NOSIGNAL);
		if (n <= 0) {
			p->h->dropped++;
			return false;
		}
		s += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
say(struct peer *p, const char *text)
{
	return put(p, text, strlen(text));
}

/* Wait that long, or until the client leaves (false). */
static bool
wait_ms(struct peer *p, int ms)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLRDHUP };

	while (ms > 0 && !p->h->stop) {
		if (poll(&pfd, 1, ms < 20 ? ms : 20) > 0)
			return false;
		ms -= 20;
	}
	return !p->h->stop;
}

/* End with RST instead of FIN. */
static bool
reset(struct peer *p)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	return false;
}

static bool
m_plain(struct peer *p)
{
	return say(p, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
	    "X-One: first\r\nx-one: second\r\nX-Empty:\r\n"
	    "X-Blank:   padded \t \r\n\r\nhello");
}

static bool
m_chunked(struct peer *p)
{
	return say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n") && wait_ms(p, 30) &&
	    say(p, "5;x=y\r\nworld\r\n0\r\n"
	    "X-Trailer: t\r\n\r\n");
}

static bool
m_until_close(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\n\r\nhello");
	return false;
}

static bool
m_slow(struct peer *p)
{
	return wait_ms(p, 300) && m_plain(p);
}

static bool
m_reset_now(struct peer *p)
{
	return reset(p);
}

static bool
m_reset_head(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\nContent-Le");
	wait_ms(p, 30);
	return reset(p);
}

static bool
m_reset_body(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	wait_ms(p, 30);
	return reset(p);
}

static bool
m_close_now(struct peer *p)
{
	(void)p;
	return false;
}

static bool
m_short_length(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	return false;
}

static bool
m_short_chunk(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n");
	return false;
}

static bool
m_bad_chunk(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "zz\r\nhello\r\n");
	return false;
}

static bool
m_stall_head(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\nContent-");
	wait_ms(p, 20000);
	return false;
}

static bool
m_stall_body(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	wait_ms(p, 20000);
	return false;
}

static bool
m_silent(struct peer *p)
{
	wait_ms(p, 20000);
	return false;
}

/* Ten bytes, one every 60 ms. */
static bool
m_trickle(struct peer *p)
{
	int i;

	(void)say(p, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	for (i = 0; i < 10; i++)
		if (!wait_ms(p, 60) || !say(p, "x"))
			return false;
	return true;
}

static bool
m_endless_head(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\n");
	while (!p->h->stop)
		if (!say(p, "X-More: and more and more and more\r\n"))
			return false;
	return false;
}

static bool
m_endless_interim(struct peer *p)
{
	while (!p->h->stop)
		if (!say(p, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"))
			return false;
	return false;
}

static bool
m_endless_trailers(struct peer *p)
{
	(void)say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n0\r\n");
	while (!p->h->stop)
		if (!say(p, "X-More: and more and more and more\r\n"))
			return false;
	return false;
}

static bool
m_many_lines(struct peer *p)
{
	int i;

	(void)say(p, "HTTP/1.1 200 OK\r\n");
	for (i = 0; i < 300; i++)
		if (!say(p, "A: b\r\n"))
			return false;
	return say(p, "Content-Length: 0\r\n\r\n");
}

/* One header line of so many bytes. */
static bool
long_line(struct peer *p, size_t len)
{
	char *line = malloc(len);
	bool ok;

	if (line == NULL)
		abort();
	memset(line, 'x', len);
	ok = say(p, "HTTP/1.1 200 OK\r\nX-Long: ") && put(p, line, len) &&
	    say(p, "\r\nContent-Length: 0\r\n\r\n");
	free(line);
	return ok;
}

static bool
m_head_300k(struct peer *p)
{
	return long_line(p, 300 << 10);
}

static bool
m_head_80k(struct peer *p)
{
	return long_line(p, 80 << 10);
}

static bool
m_head_60k(struct peer *p)
{
	return long_line(p, 60 << 10);
}

static bool
m_odd_head(struct peer *p)
{
	return say(p, "HTTP/1.1 200 OK\r\n"
	    "X-Ctl: a\001b\r\n"
	    "X-Cr: a\rX-Smuggled: yes\r\n"
	    "X Space: no\r\n"
	    "X-Fold: one\r\n two\r\n"
	    ": noname\r\n"
	    "X-Tab: a\tb\r\n"
	    "X-Lf: ok\n"
	    "Content-Length: 5\r\n\r\nhello");
}

static bool
m_no_colon(struct peer *p)
{
	return say(p, "HTTP/1.1 200 OK\r\nNoColon\r\n"
	    "Content-Length: 5\r\n\r\nhello");
}

static bool
m_continue(struct peer *p)
{
	return say(p, "HTTP/1.1 100 Continue\r\nX-One: interim\r\n\r\n"
	    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") && m_plain(p);
}

static bool
m_switch(struct peer *p)
{
	(void)say(p, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
	    "Connection: Upgrade\r\n\r\nhello");
	return false;
}

static bool
m_redirect(struct peer *p)
{
	char text[256];

	snprintf(text, sizeof text, "HTTP/1.1 302 Found\r\nLocation: "
	    "http://127.0.0.1:%d/plain\r\nContent-Length: 0\r\n\r\n",
	    p->h->port);
	return say(p, text);
}

static bool
m_unauthorized(struct peer *p)
{
	return say(p, "HTTP/1.1 401 Unauthorized\r\n"
	    "WWW-Authenticate: Basic realm=\"x\"\r\n"
	    "WWW-Authenticate: Negotiate\r\nContent-Length: 5\r\n\r\nhello");
}

static bool
m_garbage(struct peer *p)
{
	(void)say(p, "\x16\x03\x01 this is no HTTP\r\n\r\nhello");
	return false;
}

static bool
m_no_content(struct peer *p)
{
	return say(p, "HTTP/1.1 204 No Content\r\n\r\n");
}

static bool
m_gzip(struct peer *p)
{
	return say(p, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
	    "Content-Length: 5\r\n\r\nhello");
}

/* 20 MB as fast as the client takes them, each byte known by its place. */
static bool
push(struct peer *p, size_t total)
{
	static const size_t step = 64 << 10;
	unsigned char *block = malloc(step);
	size_t i, at;
	bool ok = true;

	if (block == NULL)
		abort();
	for (at = 0; ok && at < total; at += step) {
		for (i = 0; i < step; i++)
			block[i] = (unsigned char)((at + i) % 251);
		ok = put(p, block, step);
		if (ok)
			p->h->pushed += (long)step;
	}
	free(block);
	return ok;
}

static bool
m_big(struct peer *p)
{
	char text[128];

	snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n"
	    "Content-Length: %d\r\n\r\n", BIG_BODY);
	return say(p, text) && push(p, BIG_BODY);
}

static bool
m_big_chunked(struct peer *p)
{
	char text[128];

	snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n%x\r\n", BIG_BODY);
	return say(p, text) && push(p, BIG_BODY) && say(p, "\r\n0\r\n\r\n");
}

/* Answers, and hangs up a little later without having said so. */
static bool
m_then_close(struct peer *p)
{
	(void)m_plain(p);
	wait_ms(p, 50);
	return false;
}

/* The first request of a connection is answered, the second one is not. */
static bool
m_second_dies(struct peer *p)
{
	static _Thread_local int count;

	if (count++ == 0)
		return m_plain(p);
	return reset(p);
}

/* 100 short events, one each 10 ms. */
static bool
m_events(struct peer *p)
{
	int i;

	if (!say(p, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n"))
		return false;
	for (i = 0; i < 100; i++)
		if (!wait_ms(p, 10) || !say(p, "9\r\ndata: x\n\n\r\n"))
			return false;
	return say(p, "0\r\n\r\n");
}

static const struct {
	const char *path;
	manner *manner;
} manners[] = {
	{ "/plain", m_plain },
	{ "/chunked", m_chunked },
	{ "/until-close", m_until_close },
	{ "/slow", m_slow },
	{ "/reset-now", m_reset_now },
	{ "/reset-head", m_reset_head },
	{ "/reset-body", m_reset_body },
	{ "/close-now", m_close_now },
	{ "/short-length", m_short_length },
	{ "/short-chunk", m_short_chunk },
	{ "/bad-chunk", m_bad_chunk },
	{ "/stall-head", m_stall_head },
	{ "/stall-body", m_stall_body },
	{ "/silent", m_silent },
	{ "/trickle", m_trickle },
	{ "/endless-head", m_endless_head },
	{ "/endless-interim", m_endless_interim },
	{ "/endless-trailers", m_endless_trailers },
	{ "/many-lines", m_many_lines },
	{ "/head-300k", m_head_300k },
	{ "/head-80k", m_head_80k },
	{ "/head-60k", m_head_60k },
	{ "/odd-head", m_odd_head },
	{ "/no-colon", m_no_colon },
	{ "/continue", m_continue },
	{ "/switch", m_switch },
	{ "/redirect", m_redirect },
	{ "/unauthorized", m_unauthorized },
	{ "/garbage", m_garbage },
	{ "/no-content", m_no_content },
	{ "/gzip", m_gzip },
	{ "/big", m_big },
	{ "/big-chunked", m_big_chunked },
	{ "/then-close", m_then_close },
	{ "/second-dies", m_second_dies },
	{ "/events", m_events },
};

/* --- reading ----------------------------------------------------------- */

/* More bytes into head; false at the end of the connection. */
static bool
more(struct peer *p)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
	ssize_t n;

	while (poll(&pfd, 1, 20) == 0)
		if (p->h->stop)
			return false;
	n = recv(p->fd, p->head + p->have, sizeof p->head - 1 - p->have, 0);
	if (n <= 0)
		return false;
	p->have += (size_t)n;
	p->head[p->have] = '\0';
	return true;
}

static size_t
head_len(struct peer *p)
{
	char *end;

	while ((end = p->have > 0 ? strstr(p->head, "\r\n\r\n") : NULL) == NULL)
		if (p->have >= sizeof p->head - 1 || !more(p) ||
		    p->head[0] < ' ') /* TLS, perhaps: no HTTP */
			return 0;
	return (size_t)(end - p->head) + 4;
}

/* The body's bytes, counted and summed; what follows stays in head. */
static bool
skip_body(struct peer *p, size_t begin, size_t len)
{
	unsigned long sum = 0;
	size_t n, left = len, i;

	p->have -= begin;
	memmove(p->head, p->head + begin, p->have + 1);
	while (left > 0) {
		if (p->have == 0 && !more(p))
			return false;
		n = p->have < left ? p->have : left;
		for (i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)p->head[i];
		left -= n;
		p->have -= n;
		memmove(p->head, p->head + n, p->have + 1);
		if (p->have == 0)
			p->head[0] = '\0';
	}
	p->h->body_sum = sum;
	p->h->body_len = (long)len;
	return true;
}

static manner *
find_manner(const char *head)
{
	const char *path = strchr(head, ' ');
	size_t i, n;

	if (path == NULL)
		return NULL;
	path++;
	n = strcspn(path, " ?");
	for (i = 0; i < sizeof manners / sizeof manners[0]; i++)
		if (strlen(manners[i].path) == n &&
		    strncmp(manners[i].path, path, n) == 0)
			return manners[i].manner;
	return NULL;
}

static bool
serve_one(struct peer *p)
{
	size_t n = head_len(p);
	manner *m;
	const char *length;
	bool post;

	if (n == 0)
		return false;
	p->h->requests++;
	snprintf(p->h->last_head, sizeof p->h->last_head, "%.*s", (int)n,
	    p->head);
	m = find_manner(p->head);
	post = strncmp(p->head, "POST ", 5) == 0;
	length = strcasestr(p->head, "\r\nContent-Length:");
	if (length != NULL && length < p->head + n) {
		if (!skip_body(p, n, strtoul(length + 17, NULL, 10)))
			return false;
	} else {
		p->have -= n;
		memmove(p->head, p->head + n, p->have + 1);
	}
	if (post)
		p->h->posts++;
	if (m == NULL)
		return say(p, "HTTP/1.1 404 Not Found\r\n"
		    "Content-Length: 0\r\n\r\n");
	return m(p);
}

static void *
peer_main(void *arg)
{
	struct peer *p = arg;

	while (!p->h->stop && serve_one(p))
		;
	close(p->fd);
	p->h->open--;
	free(p);
	return NULL;
}

static void
spawn(struct httpd *h, int fd)
{
	struct peer *p = calloc(1, sizeof *p);
	pthread_attr_t attr;
	pthread_t id;

	if (p == NULL)
		abort();
	p->h = h;
	p->fd = fd;
	h->connections++;
	h->open++;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&id, &attr, peer_main, p) != 0)
		abort();
	pthread_attr_destroy(&attr);
}

static void *
accept_main(void *arg)
{
	struct httpd *h = arg;
	struct pollfd pfd = { .fd = h->fd, .events = POLLIN };
	int fd;

	while (!h->stop) {
		if (poll(&pfd, 1, 20) <= 0)
			continue;
		fd = accept(h->fd, NULL, NULL);
		if (fd >= 0)
			spawn(h, fd);
	}
	close(h->fd);
	h->open--;
	return NULL;
}

struct httpd *
httpd_start(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	struct httpd *h = calloc(1, sizeof *h);
	pthread_t id;

	if (h == NULL)
		abort();
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (h->fd < 0 || bind(h->fd, (struct sockaddr *)&sin, sizeof sin) ||
	    listen(h->fd, 512) ||
	    getsockname(h->fd, (struct sockaddr *)&sin, &len))
		abort();
	h->port = ntohs(sin.sin_port);
	h->open = 1;
	if (pthread_create(&id, NULL, accept_main, h) != 0)
		abort();
	pthread_detach(id);
	return h;
}

void
httpd_stop(struct httpd *h)
{
	h->stop = true;
	while (h->open > 0)
		usleep(1000);
	free(h);
}
