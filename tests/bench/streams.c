/*
 * Many server-sent event streams at once, from one thread: opens them over a
 * ramp, reads the stamps that upstream.c puts into its chunks, and says how
 * late chunks were, how long the first one took, and whether any was lost or
 * out of order. Prints "open" when all streams have begun and a line of JSON
 * at the end. What it reads it checks, but it is no HTTP library: one
 * request a connection, plain HTTP/1.1.
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

#define BATCH 256
#define LINE 2048
#define SUB_BITS 6 /* a histogram's error is below 1/64 */
#define SLOTS (40 << SUB_BITS)

/* What comes next: a line of the head, a chunk's size, its bytes, its end. */
enum frame { HEAD, SIZE, DATA, SKIP, PLAIN, ENDED };

struct stream {
	int fd;
	enum frame frame;
	size_t left; /* of the chunk of the transfer coding */
	char line[LINE]; /* of an event, so far */
	size_t line_len;
	char mark[128]; /* of the head or the framing, so far; longer is cut */
	size_t mark_len;
	bool framed, ok, done, bad;
	unsigned expect; /* number of the next content chunk */
	int64_t start, begun, latest;
};

struct hist {
	uint64_t slot[SLOTS], total;
	int64_t max;
};

static struct {
	unsigned port, streams, ramp, chunks, timeout;
	const char *path, *key, *body;
} opt = { 0, 100, 1000, 100, 60, "/v1/chat/completions", "none", NULL };

static struct {
	unsigned started, begun, ended, complete, refused, broken, errors;
	uint64_t chunks, lost, disordered, reads;
	unsigned peak;
} count;

static struct hist delay, ttft, gap;
static struct stream *streams;
static char *request;
static size_t request_len;
static int epfd, timer;
static int64_t began;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned
slot_of(int64_t us)
{
	uint64_t v = us < 0 ? 0 : (uint64_t)us;
	unsigned shift;

	if (v < 1 << SUB_BITS)
		return (unsigned)v;
	shift = 63 - (unsigned)__builtin_clzll(v) - SUB_BITS;
	return (unsigned)(((shift + 1) << SUB_BITS) +
	    ((v >> shift) & ((1 << SUB_BITS) - 1)));
}

/* The middle of a slot, in microseconds. */
static double
slot_value(unsigned slot)
{
	unsigned shift;

	if (slot < 1 << SUB_BITS)
		return slot;
	shift = (slot >> SUB_BITS) - 1;
	return ((double)((1 << SUB_BITS) + (slot & ((1 << SUB_BITS) - 1))) +
	    0.5) * (double)((uint64_t)1 << shift);
}

static void
hist_add(struct hist *h, int64_t us)
{
	unsigned slot = slot_of(us);

	h->slot[slot < SLOTS ? slot : SLOTS - 1]++;
	h->total++;
	if (us > h->max)
		h->max = us;
}

/* Milliseconds below which a share p of the values lies. */
static double
hist_at(const struct hist *h, double p)
{
	uint64_t seen = 0, want = (uint64_t)(p * (double)h->total);
	unsigned i;

	for (i = 0; i < SLOTS; i++) {
		seen += h->slot[i];
		if (seen > want)
			return slot_value(i) / 1000;
	}
	return (double)h->max / 1000;
}

static void
hist_print(const char *name, const struct hist *h)
{
	printf(",\"%s\":{\"n\":%ju,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,"
	    "\"max\":%.3f}", name, (uintmax_t)h->total, hist_at(h, 0.5),
	    hist_at(h, 0.9), hist_at(h, 0.99), (double)h->max / 1000);
}

static void
stream_end(struct stream *s)
{
	if (s->fd == -1)
		return;
	close(s->fd);
	s->fd = -1;
	count.ended++;
	if (s->expect < opt.chunks)
		count.lost += opt.chunks - s->expect;
	if (!s->ok)
		count.refused++;
	else if (s->bad)
		count.errors++;
	else if (!s->done || (s->framed && s->frame != ENDED))
		count.broken++;
	else
		count.complete++;
}

static void
first_chunk(struct stream *s, int64_t now)
{
	s->begun = now;
	hist_add(&ttft, now - s->start);
	if (++count.begun == opt.streams) {
		printf("open\n");
		fflush(stdout);
	}
	if (count.begun - count.ended > count.peak)
		count.peak = count.begun - count.ended;
}

/* "…@NUMBER:STAMP; …" in a data line. Delays count while all are open. */
static void
content_chunk(struct stream *s, const char *at, int64_t now)
{
	char *end;
	unsigned long number = strtoul(at + 1, &end, 10);
	int64_t stamp = strtoll(*end == ':' ? end + 1 : "0", NULL, 10);

	if (stamp == 0) {
		s->bad = true;
		return;
	}
	if (s->begun == 0)
		first_chunk(s, now);
	count.chunks++;
	if (number < s->expect) {
		count.disordered++;
		return;
	}
	count.lost += number - s->expect;
	s->expect = (unsigned)number + 1;
	if (count.begun == opt.streams && count.ended == 0) {
		hist_add(&delay, now - stamp);
		if (s->latest != 0)
			hist_add(&gap, now - s->latest);
	}
	s->latest = now;
}

static void
event_line(struct stream *s, int64_t now)
{
	const char *at;

	s->line[s->line_len] = '\0';
	if (strncmp(s->line, "data:", 5) != 0)
		return;
	if (strncmp(s->line, "data: [DONE]", 12) == 0)
		s->done = true;
	else if ((at = strchr(s->line, '@')) != NULL)
		content_chunk(s, at, now);
	else if (strstr(s->line, "\"error\"") != NULL)
		s->bad = true;
}

static void
event_bytes(struct stream *s, const char *p, size_t len, int64_t now)
{
	const char *nl;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		nl = memchr(p, '\n', len);
		n = nl == NULL ? len : (size_t)(nl - p);
		if (s->line_len + n >= LINE) {
			s->bad = true;
			return;
		}
		memcpy(s->line + s->line_len, p, n);
		s->line_len += n;
		if (nl == NULL)
			return;
		event_line(s, now);
		s->line_len = 0;
		n++;
	}
}

static void
head_line(struct stream *s)
{
	if (strncmp(s->mark, "HTTP/1.", 7) == 0)
		s->ok = strncmp(s->mark + 8, " 200", 4) == 0;
	else if (strncasecmp(s->mark, "transfer-encoding: chunked", 26) == 0)
		s->framed = true;
	else if (s->mark[0] == '\0')
		s->frame = s->framed ? SIZE : PLAIN;
}

/* A line of the head or of the framing is complete. */
static void
mark_line(struct stream *s)
{
	if (s->mark_len > 0 && s->mark[s->mark_len - 1] == '\r')
		s->mark_len--;
	s->mark[s->mark_len] = '\0';
	s->mark_len = 0;
	if (s->frame == HEAD) {
		head_line(s);
	} else if (s->frame == SIZE) {
		s->left = strtoul(s->mark, NULL, 16);
		s->frame = s->left == 0 ? ENDED : DATA;
	} else {
		s->frame = SIZE;
	}
}

/* Gather such a line; answers the bytes that were taken. */
static size_t
mark_bytes(struct stream *s, const char *p, size_t len)
{
	const char *nl = memchr(p, '\n', len);
	size_t n = nl == NULL ? len : (size_t)(nl - p);
	size_t room = sizeof(s->mark) - 1 - s->mark_len;

	if (room > n)
		room = n;
	memcpy(s->mark + s->mark_len, p, room);
	s->mark_len += room;
	if (nl == NULL)
		return n;
	mark_line(s);
	return n + 1;
}

/* Take the framing off. */
static void
stream_bytes(struct stream *s, const char *p, size_t len, int64_t now)
{
	size_t n;

	for (; len > 0 && s->frame != ENDED; p += n, len -= n) {
		if (s->frame == PLAIN) {
			n = len;
			event_bytes(s, p, n, now);
		} else if (s->frame == DATA) {
			n = s->left < len ? s->left : len;
			event_bytes(s, p, n, now);
			if ((s->left -= n) == 0)
				s->frame = SKIP;
		} else {
			n = mark_bytes(s, p, len);
		}
	}
}

static void
stream_read(struct stream *s)
{
	static char buf[64 << 10];
	ssize_t n = recv(s->fd, buf, sizeof(buf), 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n > 0) {
		count.reads++;
		stream_bytes(s, buf, (size_t)n, clock_mono());
	}
	if (n <= 0 || s->frame == ENDED || s->bad)
		stream_end(s);
}

/* The request is smaller than a socket's buffer: one write takes it. */
static void
stream_write(struct stream *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };

	if (send(s->fd, request, request_len, MSG_NOSIGNAL) !=
	    (ssize_t)request_len)
		stream_end(s);
	else if (epoll_ctl(epfd, EPOLL_CTL_MOD, s->fd, &ev) == -1)
		die("epoll_ctl");
}

static void
stream_start(struct stream *s)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = s };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int one = 1;

	sin.sin_port = htons((uint16_t)opt.port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->start = clock_mono();
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		die("socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, s->fd, &ev) == -1)
		die("epoll_ctl");
	count.started++;
	if (connect(s->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 &&
	    errno != EINPROGRESS)
		stream_end(s);
}

/*
 * When stream i is to start: somewhere in its share of the ramp, so that
 * the streams' chunks do not fall together.
 */
static int64_t
start_of(unsigned i)
{
	uint64_t draw = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	double share = (double)(draw >> 40) / (double)(1 << 24);

	return began + (int64_t)(((double)i + share) * opt.ramp * 1000 /
	    opt.streams);
}

static void
start_due(void)
{
	struct itimerspec at = { .it_interval = { 0, 0 } };
	int64_t next;

	while (count.started < opt.streams) {
		next = start_of(count.started);
		if (next > clock_mono()) {
			at.it_value.tv_sec = next / 1000000;
			at.it_value.tv_nsec = next % 1000000 * 1000;
			break;
		}
		stream_start(&streams[count.started]);
	}
	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL) == -1)
		die("timerfd_settime");
}

static void
loop(void)
{
	struct epoll_event evs[BATCH];
	uint64_t ticks;
	int64_t limit = began + (int64_t)opt.timeout * 1000000;
	int i, n;

	start_due();
	while (count.ended < opt.streams && clock_mono() < limit) {
		n = epoll_wait(epfd, evs, BATCH, 200);
		for (i = 0; i < n; i++) {
			struct stream *s = evs[i].data.ptr;

			if (s == NULL && read(timer, &ticks, sizeof(ticks)) > 0)
				start_due();
			else if (s != NULL && (evs[i].events & EPOLLOUT) != 0)
				stream_write(s);
			else if (s != NULL)
				stream_read(s);
		}
	}
}

static void
make_request(void)
{
	static char body[64 << 10];
	FILE *f = fopen(opt.body, "re"), *out;
	size_t n;

	if (f == NULL)
		die(opt.body);
	n = fread(body, 1, sizeof(body), f);
	fclose(f);
	out = open_memstream(&request, &request_len);
	if (out == NULL)
		die("open_memstream");
	fprintf(out, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
	    "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
	    "Accept: text/event-stream\r\nContent-Length: %zu\r\n\r\n",
	    opt.path, opt.port, opt.key, n);
	fwrite(body, 1, n, out);
	if (fclose(out) != 0)
		die("fclose");
}

static void
report(void)
{
	printf("{\"streams\":%u,\"complete\":%u,\"refused\":%u,"
	    "\"broken\":%u,\"errors\":%u,\"unfinished\":%u,\"peak\":%u,"
	    "\"chunks\":%ju,\"lost\":%ju,\"disordered\":%ju,\"reads\":%ju,"
	    "\"seconds\":%.3f", opt.streams, count.complete, count.refused,
	    count.broken, count.errors, opt.streams - count.ended, count.peak,
	    (uintmax_t)count.chunks, (uintmax_t)count.lost,
	    (uintmax_t)count.disordered, (uintmax_t)count.reads,
	    (double)(clock_mono() - began) / 1e6);
	hist_print("delay", &delay);
	hist_print("ttft", &ttft);
	hist_print("gap", &gap);
	printf("}\n");
}

static void
options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "streams", required_argument, NULL, 'c' },
		{ "ramp", required_argument, NULL, 'r' },
		{ "chunks", required_argument, NULL, 'n' },
		{ "timeout", required_argument, NULL, 't' },
		{ "path", required_argument, NULL, 'u' },
		{ "key", required_argument, NULL, 'k' },
		{ "body", required_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'p': opt.port = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'c': opt.streams = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'r': opt.ramp = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'n': opt.chunks = (unsigned)strtoul(optarg, NULL, 10); break;
		case 't': opt.timeout = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'u': opt.path = optarg; break;
		case 'k': opt.key = optarg; break;
		case 'b': opt.body = optarg; break;
		default: exit(2);
		}
	}
	if (opt.body == NULL || opt.port == 0 || opt.streams == 0) {
		fprintf(stderr, "usage: streams --port N --body FILE "
		    "[--streams N] [--ramp MS] [--chunks N] [--timeout S] "
		    "[--path PATH] [--key KEY]\n");
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event ev = { .events = EPOLLIN };

	options(argc, argv);
	make_request();
	streams = calloc(opt.streams, sizeof(*streams));
	epfd = epoll_create1(EPOLL_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (streams == NULL || epfd == -1 || timer == -1)
		die("epoll_create1");
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, timer, &ev) == -1)
		die("epoll_ctl");
	began = clock_mono();
	loop();
	report();
	return 0;
}
