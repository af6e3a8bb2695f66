/*
 * A provider for the bench: one thread that answers chat completions, and
 * messages where the path ends in that, over HTTP/1.1 as fast as it can, so
 * that what is measured is whatever stands in front of it. A request with
 * "stream": true gets server-sent events, each stamped with CLOCK_MONOTONIC
 * when it is sent; all others get one fixed answer. It must not be put where
 * anybody but the bench can reach it: it knows no keys and no limits beyond
 * its own buffers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "app/base/clock.h"

#define MAX_REQUEST (8 << 20)
#define BATCH 256
#define TEXT 1024 /* the events that are sent at once */

/* What a provider of this kind says. */
struct dialect {
	const char *open, *shut; /* of a whole answer, around its text */
	const char *start;	 /* events before the first content */
	int (*chunk)(char *to, unsigned number, int64_t stamp);
	int (*end)(char *to, unsigned tokens);
};

struct conn {
	int fd;
	bool last; /* close after this answer */
	bool waits; /* for the socket to take more */
	char *in, *out;
	size_t in_len, in_size;
	size_t out_len, out_off, out_size;
	/* While it streams: its place in the queue, which is in order of due. */
	bool streaming, framed;
	const struct dialect *dialect;
	unsigned sent;
	int64_t due;
	struct conn *prev, *next;
};

struct request {
	size_t head, body;
	bool http10, close, stats, framed;
	const struct dialect *dialect;
};

struct answer {
	char *bytes;
	size_t len;
};

static struct {
	unsigned port, reply, chunks, every;
} opt = { 0, 1024, 100, 20 };

static struct {
	uint64_t requests, streams, chunks, connections, aborted;
} count;

static int epfd, timer;
static struct conn *first, *last; /* the streams */
static struct answer whole[2][2]; /* of a dialect: keep-alive, close */

#define CHUNK_OPEN "data: {\"id\":\"chatcmpl-bench\",\"object\":"              \
	"\"chat.completion.chunk\",\"created\":1700000000,"                     \
	"\"model\":\"bench\",\"choices\":["

static int
chat_chunk(char *to, unsigned number, int64_t stamp)
{
	return snprintf(to, TEXT, CHUNK_OPEN "{\"index\":0,\"delta\":"
	    "{\"content\":\"@%u:%jd; \"},\"logprobs\":null,"
	    "\"finish_reason\":null}]}\n\n", number, (intmax_t)stamp);
}

static int
chat_end(char *to, unsigned tokens)
{
	return snprintf(to, TEXT, CHUNK_OPEN "{\"index\":0,\"delta\":{},"
	    "\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"
	    CHUNK_OPEN "],\"usage\":{\"prompt_tokens\":200,"
	    "\"completion_tokens\":%u,\"total_tokens\":%u}}\n\n"
	    "data: [DONE]\n\n", tokens, tokens + 200);
}

static int
message_chunk(char *to, unsigned number, int64_t stamp)
{
	return snprintf(to, TEXT, "event: content_block_delta\n"
	    "data: {\"type\":\"content_block_delta\",\"index\":0,"
	    "\"delta\":{\"type\":\"text_delta\",\"text\":"
	    "\"@%u:%jd; \"}}\n\n", number, (intmax_t)stamp);
}

static int
message_end(char *to, unsigned tokens)
{
	return snprintf(to, TEXT, "event: content_block_stop\n"
	    "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
	    "event: message_delta\n"
	    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
	    "\"end_turn\",\"stop_sequence\":null},\"usage\":"
	    "{\"output_tokens\":%u}}\n\n"
	    "event: message_stop\n"
	    "data: {\"type\":\"message_stop\"}\n\n", tokens);
}

static const struct dialect dialects[2] = {
	{ .open = "{\"id\":\"chatcmpl-bench\",\"object\":"
	    "\"chat.completion\",\"created\":1700000000,\"model\":"
	    "\"bench\",\"choices\":[{\"index\":0,\"message\":"
	    "{\"role\":\"assistant\",\"content\":\"",
	    .shut = "\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
	    "\"usage\":{\"prompt_tokens\":200,\"completion_tokens\":120,"
	    "\"total_tokens\":320}}",
	    .start = "", .chunk = chat_chunk, .end = chat_end },
	{ .open = "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":"
	    "\"assistant\",\"model\":\"bench\",\"content\":"
	    "[{\"type\":\"text\",\"text\":\"",
	    .shut = "\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":"
	    "null,\"usage\":{\"input_tokens\":200,"
	    "\"cache_creation_input_tokens\":0,"
	    "\"cache_read_input_tokens\":0,\"output_tokens\":120}}",
	    .start = "event: message_start\n"
	    "data: {\"type\":\"message_start\",\"message\":{\"id\":"
	    "\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\","
	    "\"model\":\"bench\",\"content\":[],\"stop_reason\":null,"
	    "\"stop_sequence\":null,\"usage\":{\"input_tokens\":200,"
	    "\"cache_creation_input_tokens\":0,"
	    "\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n"
	    "event: content_block_start\n"
	    "data: {\"type\":\"content_block_start\",\"index\":0,"
	    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
	    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
	    .chunk = message_chunk, .end = message_end }
};

static void conn_pump(struct conn *);

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void *
grow(void *p, size_t n)
{
	p = realloc(p, n);
	if (p == NULL)
		die("realloc");
	return p;
}

/* Take a stream out of the queue. */
static void
queue_remove(struct conn *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		last = c->prev;
	c->prev = c->next = NULL;
}

/* All streams have one period, so its place is at the end or close to it. */
static void
queue_add(struct conn *c)
{
	struct conn *at = last;

	while (at != NULL && at->due > c->due)
		at = at->prev;
	c->prev = at;
	c->next = at == NULL ? first : at->next;
	if (c->next != NULL)
		c->next->prev = c;
	else
		last = c;
	if (at != NULL)
		at->next = c;
	else
		first = c;
}

static void
conn_close(struct conn *c)
{
	if (c->streaming) {
		count.aborted++;
		queue_remove(c);
	}
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

static void
conn_watch(struct conn *c, bool waits)
{
	struct epoll_event ev = { .data.ptr = c };

	if (c->waits == waits)
		return;
	c->waits = waits;
	ev.events = EPOLLIN | (waits ? EPOLLOUT : 0);
	if (epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev) == -1)
		die("epoll_ctl");
}

/* Send now what the socket takes, keep the rest. False: the peer is gone. */
static bool
conn_send(struct conn *c, const char *p, size_t len)
{
	ssize_t n = 0;

	if (c->out_len == c->out_off) {
		c->out_len = c->out_off = 0;
		n = send(c->fd, p, len, MSG_NOSIGNAL);
		if (n == -1 && errno != EAGAIN)
			return false;
		if (n == -1)
			n = 0;
	}
	if ((size_t)n == len)
		return true;
	len -= (size_t)n;
	if (c->out_len + len > c->out_size) {
		c->out_size = (c->out_len + len) * 2;
		c->out = grow(c->out, c->out_size);
	}
	memcpy(c->out + c->out_len, p + n, len);
	c->out_len += len;
	conn_watch(c, true);
	return true;
}

/* False: the peer is gone. */
static bool
conn_flush(struct conn *c)
{
	ssize_t n;

	while (c->out_off < c->out_len) {
		n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off,
		    MSG_NOSIGNAL);
		if (n == -1)
			return errno == EAGAIN;
		c->out_off += (size_t)n;
	}
	conn_watch(c, false);
	return true;
}

static bool
header_is(const char *line, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	*value = line + n + 1 + strspn(line + n + 1, " ");
	return true;
}

/* The lines of a head that matter here. head ends in an empty line. */
static void
request_head(struct request *rq, const char *head)
{
	const char *line, *v;

	line = strstr(head, " HTTP/1.0\r");
	rq->http10 = line != NULL && line < strstr(head, "\r\n");
	rq->close = rq->http10;
	rq->stats = strncmp(head, "GET /stats", 10) == 0;
	line = strstr(head, "/messages ");
	rq->dialect = &dialects[line != NULL && line < strstr(head, "\r\n")];
	for (line = strstr(head, "\r\n") + 2; *line != '\r';
	     line = strstr(line, "\r\n") + 2) {
		if (header_is(line, "content-length", &v))
			rq->body = strtoul(v, NULL, 10);
		else if (header_is(line, "connection", &v))
			rq->close = strncasecmp(v, "keep-alive", 10) != 0;
		else if (header_is(line, "transfer-encoding", &v))
			rq->framed = true;
	}
}

static bool
wants_stream(const char *body, size_t len)
{
	static const char key[] = "\"stream\"";
	const char *p = memmem(body, len, key, sizeof(key) - 1);

	if (p == NULL)
		return false;
	p += sizeof(key) - 1;
	while (p < body + len && (*p == ' ' || *p == ':'))
		p++;
	return body + len - p >= 4 && memcmp(p, "true", 4) == 0;
}

/* An event, framed as a chunk when the connection is to live on. */
static bool
send_event(struct conn *c, const char *text, size_t len)
{
	char frame[TEXT + 16];
	int n;

	if (!c->framed)
		return conn_send(c, text, len);
	n = snprintf(frame, sizeof(frame), "%zx\r\n%.*s\r\n", len, (int)len,
	    text);
	return conn_send(c, frame, (size_t)n);
}

static bool
stream_chunk(struct conn *c)
{
	char text[TEXT];
	int n = c->dialect->chunk(text, c->sent++, clock_mono());

	count.chunks++;
	return send_event(c, text, (size_t)n);
}

static bool
stream_end(struct conn *c)
{
	char text[TEXT];
	int n = c->dialect->end(text, c->sent);

	c->streaming = false;
	queue_remove(c);
	return send_event(c, text, (size_t)n) &&
	    (!c->framed || conn_send(c, "0\r\n\r\n", 5));
}

static bool
stream_start(struct conn *c, const struct request *rq)
{
	char head[160];
	int n;

	c->framed = !rq->http10;
	c->sent = 0;
	c->streaming = true;
	c->dialect = rq->dialect;
	c->due = clock_mono() + opt.every * 1000;
	queue_add(c);
	count.streams++;
	n = snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s%s\r\n",
	    c->framed ? "Transfer-Encoding: chunked\r\n" : "",
	    rq->close ? "Connection: close\r\n" : "");
	return conn_send(c, head, (size_t)n) &&
	    (*c->dialect->start == '\0' || send_event(c, c->dialect->start,
		strlen(c->dialect->start))) && stream_chunk(c);
}

static bool
send_stats(struct conn *c)
{
	char body[256], all[512];
	int n;

	n = snprintf(body, sizeof(body),
	    "{\"requests\":%ju,\"streams\":%ju,\"chunks\":%ju,"
	    "\"connections\":%ju,\"aborted\":%ju}\n",
	    (uintmax_t)count.requests, (uintmax_t)count.streams,
	    (uintmax_t)count.chunks, (uintmax_t)count.connections,
	    (uintmax_t)count.aborted);
	n = snprintf(all, sizeof(all),
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Connection: close\r\nContent-Length: %d\r\n\r\n%s", n, body);
	c->last = true;
	return conn_send(c, all, (size_t)n);
}

static bool
answer(struct conn *c, const struct request *rq)
{
	const struct answer *a;

	if (rq->stats)
		return send_stats(c);
	count.requests++;
	c->last = rq->close;
	if (wants_stream(c->in + rq->head, rq->body))
		return stream_start(c, rq);
	a = &whole[rq->dialect - dialects][rq->close];
	return conn_send(c, a->bytes, a->len);
}

/* Is a whole request at the front of the buffer? -1: it never will be. */
static int
request_ready(struct conn *c, struct request *rq)
{
	char *end;

	end = c->in_len == 0 ? NULL : memmem(c->in, c->in_len, "\r\n\r\n", 4);
	if (end == NULL)
		return c->in_len > (64 << 10) ? -1 : 0;
	*rq = (struct request){ .head = (size_t)(end - c->in) + 4 };
	request_head(rq, c->in);
	if (rq->framed || rq->body > MAX_REQUEST)
		return -1;
	return rq->head + rq->body <= c->in_len;
}

/* Answer what is there; at most one stream at a time. May release c. */
static void
conn_pump(struct conn *c)
{
	struct request rq;
	bool ok = true;
	int ready = 0;
	size_t n;

	while (ok && !c->streaming && !c->last &&
	    (ready = request_ready(c, &rq)) == 1) {
		ok = answer(c, &rq);
		n = rq.head + rq.body;
		c->in_len -= n;
		memmove(c->in, c->in + n, c->in_len);
	}
	if (!ok || ready == -1 ||
	    (c->last && !c->streaming && c->out_off == c->out_len))
		conn_close(c);
}

static void
conn_read(struct conn *c)
{
	ssize_t n;

	if (c->in_size - c->in_len < 4096) {
		c->in_size = c->in_size == 0 ? 8192 : c->in_size * 2;
		c->in = grow(c->in, c->in_size + 1);
	}
	n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0 || c->in_len + (size_t)n > MAX_REQUEST * 2) {
		conn_close(c);
		return;
	}
	c->in_len += (size_t)n;
	c->in[c->in_len] = '\0'; /* heads are read as strings */
	conn_pump(c);
}

static void
conn_event(struct conn *c, uint32_t events)
{
	if ((events & EPOLLOUT) != 0 && !conn_flush(c)) {
		conn_close(c);
		return;
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		conn_read(c);
	else
		conn_pump(c);
}

static void
accept_all(int listener)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct conn *c;
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c = grow(NULL, sizeof(*c));
		*c = (struct conn){ .fd = fd };
		ev.data.ptr = c;
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
			die("epoll_ctl");
		count.connections++;
	}
}

/* Send the chunks that are due, then set the timer to the next one. */
static void
run_streams(void)
{
	struct itimerspec at = { .it_interval = { 0, 0 } };
	struct conn *c;
	bool ok;

	while ((c = first) != NULL && c->due <= clock_mono()) {
		if (c->sent == opt.chunks) {
			ok = stream_end(c);
			if (!ok)
				conn_close(c);
			else
				conn_pump(c); /* the next request, or the end */
			continue;
		}
		queue_remove(c);
		c->due += opt.every * 1000;
		queue_add(c);
		if (!stream_chunk(c))
			conn_close(c);
	}
	if (first != NULL) {
		at.it_value.tv_sec = first->due / 1000000;
		at.it_value.tv_nsec = first->due % 1000000 * 1000;
	}
	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL) == -1)
		die("timerfd_settime");
}

/* The fixed answer, of opt.reply bytes of JSON. */
static void
answer_make(struct answer *a, const struct dialect *d, const char *connection)
{
	static const char prose[] = "The tide turns at noon, and the boats "
	    "that lay on the sand lift one by one. ";
	size_t n, fixed = strlen(d->open) + strlen(d->shut);
	size_t room = opt.reply > fixed ? opt.reply - fixed : 0;
	FILE *f = open_memstream(&a->bytes, &a->len);

	if (f == NULL)
		die("open_memstream");
	fprintf(f, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "%sContent-Length: %zu\r\n\r\n%s", connection, fixed + room,
	    d->open);
	for (; room > 0; room -= n) {
		n = room < sizeof(prose) - 1 ? room : sizeof(prose) - 1;
		fprintf(f, "%.*s", (int)n, prose);
	}
	fputs(d->shut, f);
	if (fclose(f) != 0)
		die("fclose");
}

static int
listen_at(unsigned port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd, one = 1;

	sin.sin_port = htons((uint16_t)port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 8192) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		die("listen");
	printf("%u\n", ntohs(sin.sin_port));
	fflush(stdout);
	return fd;
}

static void
loop(int listener)
{
	struct epoll_event evs[BATCH];
	uint64_t ticks;
	int i, n;

	for (;;) {
		n = epoll_wait(epfd, evs, BATCH, -1);
		if (n == -1 && errno != EINTR)
			die("epoll_wait");
		for (i = 0; i < n; i++) {
			if (evs[i].data.ptr == NULL)
				accept_all(listener);
			else if (evs[i].data.ptr == &timer)
				(void)!read(timer, &ticks, sizeof(ticks));
			else
				conn_event(evs[i].data.ptr, evs[i].events);
		}
		if (first != NULL)
			run_streams();
	}
}

static void
options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "reply", required_argument, NULL, 'r' },
		{ "chunks", required_argument, NULL, 'n' },
		{ "every", required_argument, NULL, 'e' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "p:r:n:e:", names, NULL)) != -1) {
		unsigned *to = c == 'p' ? &opt.port :
		    c == 'r' ? &opt.reply :
		    c == 'n' ? &opt.chunks :
		    c == 'e' ? &opt.every : NULL;

		if (to == NULL) {
			fprintf(stderr, "usage: upstream [--port N] "
			    "[--reply BYTES] [--chunks N] [--every MS]\n");
			exit(2);
		}
		*to = (unsigned)strtoul(optarg, NULL, 10);
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int listener, i;

	options(argc, argv);
	for (i = 0; i < 2; i++) {
		answer_make(&whole[i][0], &dialects[i], "");
		answer_make(&whole[i][1], &dialects[i],
		    "Connection: close\r\n");
	}
	epfd = epoll_create1(EPOLL_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (epfd == -1 || timer == -1)
		die("epoll_create1");
	listener = listen_at(opt.port);
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, listener, &ev) == -1)
		die("epoll_ctl");
	ev.data.ptr = &timer;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, timer, &ev) == -1)
		die("epoll_ctl");
	loop(listener);
	return 0;
}
