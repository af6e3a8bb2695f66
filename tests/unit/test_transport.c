/* The transport against servers of all manners, on a loop of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/limits.h"
#include "tests/unit/calls.h"

/* --- answers ----------------------------------------------------------- */

static const struct {
	const char *path;
	int status;
	const char *body;
	enum call_end end;
} answers[] = {
	{ "/plain", 200, "hello", CALL_OK },
	{ "/chunked", 200, "helloworld", CALL_OK },
	{ "/until-close", 200, "hello", CALL_OK },
	{ "/slow", 200, "hello", CALL_OK },
	{ "/trickle", 200, "xxxxxxxxxx", CALL_OK },
	{ "/continue", 200, "hello", CALL_OK },
	{ "/head-60k", 200, "", CALL_OK },
	{ "/odd-head", 200, "hello", CALL_OK },
	{ "/no-colon", 0, "", CALL_BROKEN },
	{ "/redirect", 302, "", CALL_OK },
	{ "/unauthorized", 401, "hello", CALL_OK },
	{ "/no-content", 204, "", CALL_OK },
	{ "/gzip", 200, "hello", CALL_OK },
	{ "/nowhere", 404, "", CALL_OK },
	{ "/reset-now", 0, "", CALL_BROKEN },
	{ "/reset-head", 0, "", CALL_BROKEN },
	{ "/reset-body", 200, "hello", CALL_BROKEN },
	{ "/close-now", 0, "", CALL_BROKEN },
	{ "/short-length", 200, "hello", CALL_BROKEN },
	{ "/short-chunk", 200, "hello", CALL_BROKEN },
	{ "/bad-chunk", 200, "", CALL_BROKEN },
	{ "/garbage", 0, "", CALL_BROKEN },
	{ "/switch", 0, "", CALL_BROKEN },
	{ "/endless-head", 0, "", CALL_TOO_LARGE },
	{ "/endless-interim", 0, "", CALL_TOO_LARGE },
	{ "/endless-trailers", 200, "hello", CALL_TOO_LARGE },
	{ "/many-lines", 0, "", CALL_TOO_LARGE },
	{ "/head-80k", 0, "", CALL_TOO_LARGE },
	{ "/head-300k", 0, "", CALL_TOO_LARGE },
};

static void
test_answers(void **state)
{
	struct world *w = *state;
	struct probe p;
	size_t i;

	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		get(&p, w, answers[i].path);
		if (p.status != answers[i].status || p.end != answers[i].end ||
		    strcmp(p.body, answers[i].body) != 0 || p.sent != 1)
			fail_msg("%s: sent %d, status %d, body %s, end %d",
			    answers[i].path, p.sent, p.status, p.body, p.end);
		assert_int_equal(transport_active(w->t), 0);
	}
}

static void
look_plain(void *arg, struct call *c, int status)
{
	assert_string_equal(call_header(c, "x-ONE"), "first");
	assert_string_equal(call_header(c, "X-Empty"), "");
	assert_string_equal(call_header(c, "X-Blank"), "padded");
	assert_string_equal(call_header(c, "Content-Length"), "5");
	assert_null(call_header(c, "X-On"));
	assert_null(call_header(c, "Link"));
	on_head(arg, c, status);
}

static void
look_odd(void *arg, struct call *c, int status)
{
	assert_null(call_header(c, "X-Ctl"));
	assert_null(call_header(c, "X-Cr"));
	assert_null(call_header(c, "X-Smuggled"));
	assert_null(call_header(c, "X Space"));
	assert_null(call_header(c, "NoColon"));
	assert_null(call_header(c, ""));
	assert_string_equal(call_header(c, "X-Tab"), "a\tb");
	assert_string_equal(call_header(c, "X-Lf"), "ok");
	on_head(arg, c, status);
}

static void
look(struct world *w, const char *path,
    void (*head)(void *, struct call *, int))
{
	struct probe p = { .w = w };
	struct call_sink s = sink;
	char url[256];
	struct call_request rq = request(w, url, sizeof url, path);

	s.head = head;
	p.c = transport_start(w->t, &rq, &s, &p);
	assert_non_null(p.c);
	run_until(w, &p.dones, 1);
	assert_int_equal(p.heads, 1);
	assert_int_equal(p.end, CALL_OK);
}

static void
test_headers(void **state)
{
	look(*state, "/plain", look_plain);
	look(*state, "/continue", look_plain);
	look(*state, "/odd-head", look_odd);
}

/* --- requests ---------------------------------------------------------- */

static void
test_post(void **state)
{
	struct world *w = *state;
	static const struct call_header headers[] = {
		{ "Authorization", "Bearer secret" },
		{ "Content-Type", "application/json" },
		{ "X-Empty", "" },
		{ "X-Blank", "  " },
	};
	struct probe p = { .w = w };
	char url[256], *body = malloc(3 << 20);
	struct call_request rq = request(w, url, sizeof url, "/plain?a=b");
	unsigned long sum = 0;
	size_t i;

	assert_non_null(body);
	rq.method = "POST";
	rq.headers = headers;
	rq.header_count = sizeof headers / sizeof headers[0];
	rq.body = body;
	rq.body_len = 3 << 20;
	for (i = 0; i < rq.body_len; i++) {
		body[i] = (char)(i % 253);
		sum = sum * 31 + (unsigned char)body[i];
	}
	p.c = transport_start(w->t, &rq, &sink, &p);
	assert_non_null(p.c);
	memset(url, 'x', sizeof url - 1); /* it may go at once */
	run_until(w, &p.dones, 1);
	free(body);
	assert_int_equal(p.end, CALL_OK);
	assert_int_equal(w->h->body_len, rq.body_len);
	assert_true(w->h->body_sum == sum);
	assert_ptr_equal(strstr(w->h->last_head,
	    "POST /plain?a=b HTTP/1.1\r\n"), w->h->last_head);
	assert_non_null(strstr(w->h->last_head,
	    "\r\nAuthorization: Bearer secret\r\n"));
	assert_non_null(strstr(w->h->last_head,
	    "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(w->h->last_head, "\r\nX-Empty:\r\n"));
	assert_non_null(strstr(w->h->last_head, "\r\nX-Blank:\r\n"));
	assert_non_null(strstr(w->h->last_head,
	    "\r\nUser-Agent: tollgate/"));
	assert_null(strstr(w->h->last_head, "Expect"));
	assert_null(strcasestr(w->h->last_head, "Accept-Encoding"));
	assert_null(strcasestr(w->h->last_head, "Cookie"));
}

/* Nothing of a request stays in the handle for the next one. */
static void
test_methods(void **state)
{
	static const struct {
		const char *method, *body, *line;
		const char *length; /* NULL = no such header */
	} rows[] = {
		{ "POST", "abc", "POST /plain ", "Content-Length: 3\r\n" },
		{ "GET", NULL, "GET /plain ", NULL },
		{ "PUT", "abcd", "PUT /plain ", "Content-Length: 4\r\n" },
		{ "DELETE", NULL, "DELETE /plain ", NULL },
		{ "POST", NULL, "POST /plain ", "Content-Length: 0\r\n" },
		{ "GET", NULL, "GET /plain ", NULL },
	};
	static const struct call_header secret = { "X-Secret", "s" };
	struct world *w = *state;
	struct call_request rq;
	struct probe p;
	char url[256];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		p = (struct probe){ .w = w };
		rq = request(w, url, sizeof url, "/plain");
		rq.method = rows[i].method;
		rq.body = rows[i].body;
		rq.body_len = rq.body != NULL ? strlen(rq.body) : 0;
		rq.headers = &secret;
		rq.header_count = i % 2;
		p.c = transport_start(w->t, &rq, &sink, &p);
		assert_non_null(p.c);
		run_until(w, &p.dones, 1);
		assert_int_equal(p.end, CALL_OK);
		assert_ptr_equal(strstr(w->h->last_head, rows[i].line),
		    w->h->last_head);
		if (rows[i].length != NULL)
			assert_non_null(strstr(w->h->last_head,
			    rows[i].length));
		else
			assert_null(strstr(w->h->last_head,
			    "Content-Length"));
		assert_null(strstr(w->h->last_head, "Content-Type"));
		assert_int_equal(strstr(w->h->last_head, "X-Secret") != NULL,
		    i % 2);
	}
	assert_int_equal(w->h->connections, 1);
}

static void
refuse(struct world *w, const char *method, const char *url, const char *name,
    const char *value)
{
	struct call_header header = { name, value };
	struct call_request rq = { .method = method, .url = url,
		.headers = &header, .header_count = 1, .private_net = true };
	struct probe p = { .w = w };

	if (transport_start(w->t, &rq, &sink, &p) != NULL)
		fail_msg("taken: %s %s %s %s", method, url, name, value);
	assert_int_equal(transport_active(w->t), 0);
}

static void
test_refusals(void **state)
{
	static const char *const urls[] = { "", "/", "127.0.0.1", "ftp://a/",
		"file:///etc/passwd", "gopher://a/", "dict://a/", "http://",
		"http://user@127.0.0.1/", "http://u:p@127.0.0.1/",
		"http://:p@127.0.0.1/", "http://127.0.0.1:99999/",
		"http://127.0.0.1/a b", "http://127.0.0.1/a\r\nX: y",
		"http://127.0.0.1\n/", "http://[::1", "https//a/",
		"HTTPS+X://a/" };
	static const char *const names[] = { "", "a b", "a:b", "a\r\nb", "a\n",
		"a\tb", "\x80", "Content-Length", "transfer-encoding",
		"Connection", "Expect", "Upgrade", "TE" };
	static const char *const values[] = { "a\r\nX: y", "a\n", "\r", "\t",
		"a\x01", "a\x7f" };
	static const char *const methods[] = { "", "GET /", "GET\r\n", "G\x80" };
	size_t i;

	for (i = 0; i < sizeof urls / sizeof urls[0]; i++)
		refuse(*state, "GET", urls[i], "A", "b");
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		refuse(*state, "GET", "http://127.0.0.1/", names[i], "b");
	for (i = 0; i < sizeof values / sizeof values[0]; i++)
		refuse(*state, "GET", "http://127.0.0.1/", "A", values[i]);
	for (i = 0; i < sizeof methods / sizeof methods[0]; i++)
		refuse(*state, methods[i], "http://127.0.0.1/", "A", "b");
}

/* The environment has no say. */
static void
test_environment(void **state)
{
	struct probe p;

	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	get(&p, *state, "/plain");
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(p.end, CALL_OK);
}

/* --- time -------------------------------------------------------------- */

static void
time_limit(struct world *w, const char *path, int64_t limit, enum call_end end)
{
	struct probe p = { .w = w };
	char url[256];
	struct call_request rq = request(w, url, sizeof url, path);
	int64_t began = clock_mono(), took;

	rq.bytes_timeout = limit;
	p.c = transport_start(w->t, &rq, &sink, &p);
	run_until(w, &p.dones, 1);
	took = clock_mono() - began;
	assert_int_equal(p.end, end);
	if (end == CALL_TIMEOUT_BYTES)
		assert_in_range(took, limit, limit + SECOND);
}

static void
test_silence(void **state)
{
	time_limit(*state, "/silent", SECOND / 5, CALL_TIMEOUT_BYTES);
	time_limit(*state, "/stall-head", SECOND / 5, CALL_TIMEOUT_BYTES);
	time_limit(*state, "/stall-body", SECOND / 5, CALL_TIMEOUT_BYTES);
	/* Ten times 60 ms: long, but never silent. */
	time_limit(*state, "/trickle", SECOND / 4, CALL_OK);
	time_limit(*state, "/slow", 0, CALL_OK);
}

/* A server that accepts and never reads: the upload stands still. */
static void
test_stalled_upload(void **state)
{
	struct world *w = *state;
	struct probe p = { .w = w };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	size_t size = 32 << 20;
	char url[64], *body = calloc(1, size);
	struct call_request rq = { .method = "POST", .url = url, .body = body,
		.body_len = size, .bytes_timeout = SECOND / 4,
		.private_net = true };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_non_null(body);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/",
	    ntohs(sin.sin_port));
	p.c = transport_start(w->t, &rq, &sink, &p);
	run_until(w, &p.dones, 1);
	assert_int_equal(p.sent, 1);
	assert_int_equal(p.end, CALL_TIMEOUT_BYTES);
	close(fd);
	free(body);
}

static void
test_connect_timeout(void **state)
{
	struct world *w = *state;
	struct probe p = { .w = w };
	struct call_request rq = { .method = "GET",
		/* Documentation network: goes nowhere, or is refused. */
		.url = "http://192.0.2.1:9/", .connect_timeout = SECOND / 5,
		.private_net = true };
	int64_t began = clock_mono();

	p.c = transport_start(w->t, &rq, &sink, &p);
	run_until(w, &p.dones, 1);
	assert_int_equal(p.sent, 0);
	if (p.end != CALL_CONNECT) /* no route from here */
		assert_int_equal(p.end, CALL_TIMEOUT_CONNECT);
	assert_in_range(clock_mono() - began, 0, SECOND);
}

static void
test_times(void **state)
{
	struct probe p;

	get(&p, *state, "/slow");
	assert_in_range(p.connect_time, 0, SECOND / 5);
	assert_in_range(p.first_byte_time, SECOND / 4, SECOND);
}

/* --- connections ------------------------------------------------------- */

static void
test_reuse(void **state)
{
	struct world *w = *state;
	struct probe p;
	int i;

	for (i = 0; i < 50; i++) {
		get(&p, w, i % 2 ? "/plain" : "/chunked");
		assert_int_equal(p.end, CALL_OK);
	}
	assert_int_equal(w->h->connections, 1);
	/* The server hung up meanwhile: seen before the next request. */
	get(&p, w, "/then-close");
	run_ms(w, 120);
	get(&p, w, "/plain");
	assert_int_equal(p.end, CALL_OK);
	assert_int_equal(w->h->connections, 2);
}

/* A POST that may have been taken is never sent again; a GET is. */
static void
test_no_second_post(void **state)
{
	struct world *w = *state;
	struct probe p;
	char url[256];
	struct call_request rq = request(w, url, sizeof url, "/second-dies");

	rq.method = "POST";
	rq.body = "abc";
	rq.body_len = 3;
	p = (struct probe){ .w = w };
	p.c = transport_start(w->t, &rq, &sink, &p);
	run_until(w, &p.dones, 1);
	assert_int_equal(p.end, CALL_OK);
	p = (struct probe){ .w = w };
	p.c = transport_start(w->t, &rq, &sink, &p);
	run_until(w, &p.dones, 1);
	assert_int_equal(p.end, CALL_BROKEN);
	assert_int_equal(p.sent, 1);
	run_ms(w, 50);
	assert_int_equal(w->h->posts, 2);

	get(&p, w, "/second-dies");
	get(&p, w, "/second-dies");
	assert_int_equal(p.end, CALL_OK);
	assert_int_equal(p.sent, 1);
}

static void
test_many(void **state)
{
	enum { N = 200 };
	struct world *w = *state;
	struct probe *p = calloc(N, sizeof *p);
	int i, round;

	assert_non_null(p);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < N; i++) {
			p[i] = (struct probe){ .w = w };
			start(&p[i], i % 3 ? "/chunked" : "/plain");
		}
		assert_int_equal(transport_active(w->t), N);
		for (i = 0; i < N; i++)
			run_until(w, &p[i].dones, 1);
		for (i = 0; i < N; i++) {
			assert_int_equal(p[i].end, CALL_OK);
			assert_int_equal(p[i].sent, 1);
			assert_string_equal(p[i].body, i % 3 ? "helloworld" :
							       "hello");
		}
	}
	assert_int_equal(transport_active(w->t), 0);
	/* What is idle is bounded (128), and was used again. */
	run_ms(w, 100);
	assert_in_range(w->h->open - 1, 1, 130);
	assert_in_range(w->h->connections, N, 2 * N);
	free(p);
}

/* --- back-pressure ----------------------------------------------------- */

static void
press_back(struct world *w, const char *path)
{
	struct probe p = { .w = w, .check_bytes = true, .pause = true };
	char url[256];
	struct call_request rq = request(w, url, sizeof url, path);
	long pushed;
	size_t bytes;
	int i;

	w->h->pushed = 0;
	rq.bytes_timeout = SECOND / 10; /* a paused call does not count */
	p.c = transport_start(w->t, &rq, &sink, &p);
	for (i = 0; i < 3; i++) {
		run_until(w, &p.datas, i + 1);
		bytes = p.bytes;
		do { /* until the socket buffers are full */
			pushed = w->h->pushed;
			run_ms(w, 150);
		} while (w->h->pushed != pushed && !w->late);
		assert_int_equal(p.datas, i + 1);
		assert_true(p.bytes == bytes);
		assert_true(pushed < 16 << 20);
		call_resume(p.c);
	}
	p.pause = false;
	run_until(w, &p.dones, 1);
	assert_int_equal(p.end, CALL_OK);
	assert_int_equal(p.bytes, 20 << 20);
	assert_false(p.wrong_byte);
}

static void
test_back_pressure(void **state)
{
	press_back(*state, "/big");
	press_back(*state, "/big-chunked");
}

/* Paused with all bytes here: done waits for the resume. */
static void
test_done_waits(void **state)
{
	struct world *w = *state;
	struct probe p = { .w = w, .pause_once = true };

	start(&p, "/plain");
	run_until(w, &p.datas, 1);
	run_ms(w, 100);
	assert_int_equal(p.dones, 0);
	assert_int_equal(transport_active(w->t), 1);
	call_resume(p.c);
	assert_int_equal(p.dones, 0);
	run_until(w, &p.dones, 1);
	assert_int_equal(p.end, CALL_OK);
	assert_string_equal(p.body, "hello");
	/* Resumed from within data itself. */
	p = (struct probe){ .w = w, .pause_once = true,
		.act = { [AT_DATA] = ACT_RESUME } };
	start(&p, "/chunked");
	run_until(w, &p.dones, 1);
	assert_string_equal(p.body, "helloworld");
}

/* --- uploads ----------------------------------------------------------- */

#define UPLOAD 300000
#define MOST 1000 /* bytes given at a time */

/* A probe whose body comes by parts, each when the one before was taken. */
struct giver {
	struct probe p; /* first: the sink's arg */
	size_t left, there;
	bool off;	/* break it off in the midst */
	int asked, starved;
};

static size_t
give(void *arg, char *to, size_t room)
{
	struct giver *g = arg;
	size_t n = g->there < room ? g->there : room;

	g->asked++;
	if (g->off && g->left < UPLOAD / 2)
		return CALL_OFF;
	if (g->left == 0)
		return 0;
	if (n == 0) {
		g->starved++;
		return CALL_LATER;
	}
	memset(to, 'u', n);
	g->there -= n;
	g->left -= n;
	return n;
}

static void
send_parts(struct world *w, struct giver *g)
{
	struct call_request rq;
	struct call_sink with = sink;
	char url[128];

	*g = (struct giver){ .p.w = w, .left = UPLOAD, .off = g->off };
	rq = request(w, url, sizeof url, "/plain");
	rq.method = "POST";
	rq.body = "head";
	rq.body_len = 4;
	rq.upload = UPLOAD;
	rq.bytes_timeout = SECOND / 5; /* not of the client's time */
	with.more = give;
	g->p.c = transport_start(w->t, &rq, &with, &g->p);
	assert_non_null(g->p.c);
	run_ms(w, 600);
	assert_int_equal(g->p.dones, 0);
	while (g->p.dones == 0) {
		g->there = g->left < MOST ? g->left : MOST;
		if (g->p.dones == 0)
			call_feed(g->p.c);
		run_ms(w, 1);
	}
}

static void
test_upload(void **state)
{
	struct world *w = *state;
	struct giver g = { .off = false };
	unsigned long sum = 0;
	size_t i;

	for (i = 0; i < UPLOAD + 4; i++) /* as httpd sums up */
		sum = sum * 31 + (unsigned char)(i < 4 ? "head"[i] : 'u');
	send_parts(w, &g);
	assert_int_equal(g.p.end, CALL_OK);
	assert_int_equal(g.p.status, 200);
	assert_int_equal(w->h->body_len, UPLOAD + 4);
	assert_int_equal(w->h->body_sum, sum);
	assert_true(g.starved > UPLOAD / MOST / 2);
	assert_non_null(strstr(w->h->last_head, "Content-Length: 300004\r\n"));
	/* A handle that is used again is as others are. */
	get(&g.p, w, "/plain");
	assert_int_equal(g.p.end, CALL_OK);
	g.off = true;
	send_parts(w, &g);
	assert_int_equal(g.p.end, CALL_BROKEN);
}

/* --- cancelling -------------------------------------------------------- */

static void
test_cancel_within(void **state)
{
	static const char *const paths[] = { "/plain", "/chunked", "/events",
		"/big", "/until-close", "/short-length" };
	struct world *w = *state;
	struct probe p, after;
	size_t i;
	int phase;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		for (phase = AT_SENT; phase < PHASES; phase++) {
			p = (struct probe){ .w = w };
			p.act[phase] = ACT_CANCEL;
			start(&p, paths[i]);
			while (transport_active(w->t) > 0 && !w->late)
				uv_run(&w->loop, UV_RUN_ONCE);
			assert_false(w->late);
			assert_int_equal(p.sent, 1);
			assert_int_equal(p.heads, phase >= AT_HEAD);
			assert_int_equal(p.dones, phase == AT_DONE);
			if (phase < AT_DATA)
				assert_int_equal(p.datas, 0);
			if (phase == AT_DATA)
				assert_int_equal(p.datas, 1);
			get(&after, w, "/plain");
			assert_string_equal(after.body, "hello");
		}
	}
}

/* From outside, at every age of a call. */
static void
test_cancel_outside(void **state)
{
	struct world *w = *state;
	struct probe p;
	int rounds, i;

	for (rounds = 0; rounds < 40; rounds++) {
		p = (struct probe){ .w = w, .pause = rounds % 4 == 3 };
		start(&p, rounds % 2 ? "/big" : "/events");
		for (i = 0; i < rounds && p.dones == 0; i++)
			uv_run(&w->loop, UV_RUN_NOWAIT);
		if (rounds % 3 == 0 && p.datas == 0)
			run_ms(w, 15);
		if (p.dones > 0)
			continue;
		transport_cancel(p.c);
		assert_int_equal(transport_active(w->t), 0);
		i = p.datas;
		run_ms(w, 5);
		assert_int_equal(p.datas, i);
		assert_int_equal(p.dones, 0);
	}
}

/* The server sees it, and soon. */
static void
test_cancel_seen(void **state)
{
	struct world *w = *state;
	struct probe p = { .w = w };

	start(&p, "/events");
	run_until(w, &p.datas, 2);
	assert_int_equal(w->h->open, 2);
	transport_cancel(p.c);
	run_ms(w, 150);
	assert_int_equal(w->h->open, 1);
}

/* One call's callback cancels, resumes and starts others. */
static void
test_among_calls(void **state)
{
	struct world *w = *state;
	struct probe loser = { .w = w }, winner, spawned;
	int phase;

	for (phase = AT_SENT; phase < PHASES; phase++) {
		loser = (struct probe){ .w = w };
		winner = (struct probe){ .w = w };
		spawned = (struct probe){ .w = w };
		start(&loser, "/silent");
		run_until(w, &loser.sent, 1);
		winner.victim = loser.c;
		winner.act[phase] = ACT_CANCEL;
		start(&winner, "/plain");
		run_until(w, &winner.dones, 1);
		assert_int_equal(winner.end, CALL_OK);
		assert_int_equal(loser.dones, 0);
		while (transport_active(w->t) > 0 && !w->late)
			uv_run(&w->loop, UV_RUN_ONCE);
		assert_false(w->late);

		winner = (struct probe){ .w = w, .spawn = &spawned };
		winner.act[phase] = ACT_START;
		start(&winner, "/until-close");
		run_until(w, &winner.dones, 1);
		run_until(w, &spawned.dones, 1);
		assert_string_equal(spawned.body, "hello");
	}
}

static void
test_free_running(void **state)
{
	static const char *const paths[] = { "/silent", "/events", "/big",
		"/stall-body", "/plain" };
	struct world *w = *state;
	struct probe p[5];
	size_t i;

	for (i = 0; i < 5; i++) {
		p[i] = (struct probe){ .w = w, .pause = i == 2 };
		start(&p[i], paths[i]);
	}
	run_until(w, &p[2].datas, 1);
	run_until(w, &p[4].dones, 1);
	p[4] = (struct probe){ .w = w };
	start(&p[4], "/plain"); /* not even begun */
	transport_free(w->t);
	w->t = NULL;
	run_ms(w, 20);
	for (i = 0; i < 5; i++)
		assert_int_equal(p[i].dones, 0);
	assert_int_equal(p[4].sent, 0);
}

static void
test_free_within(void **state)
{
	struct world *w = *state;
	struct probe p = { .w = w };

	p.act[AT_DATA] = ACT_FREE;
	start(&p, "/events");
	run_until(w, &p.datas, 1);
	run_ms(w, 50);
	assert_int_equal(p.datas, 1);
	assert_int_equal(p.dones, 0);
}

/* --- addresses --------------------------------------------------------- */

static enum call_end
knock(struct world *w, const char *url, bool private_net)
{
	struct probe p = { .w = w };
	struct call_request rq = { .method = "GET", .url = url,
		.connect_timeout = 3 * SECOND, .bytes_timeout = 3 * SECOND,
		.private_net = private_net };

	p.c = transport_start(w->t, &rq, &sink, &p);
	if (p.c == NULL)
		fail_msg("not sendable: %s", url);
	run_until(w, &p.dones, 1);
	if (p.end != CALL_OK)
		assert_int_equal(p.sent, 0);
	return p.end;
}

static void
test_denied(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost",
		"127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0",
		"[::1]", "[::ffff:127.0.0.1]", "[::]", "[::127.0.0.1]",
		"169.254.169.254", "[64:ff9b::7f00:1]", "10.0.0.1" };
	struct world *w = *state;
	char url[128];
	size_t i;

	for (i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		snprintf(url, sizeof url, "http://%s:%d/plain", hosts[i],
		    w->h->port);
		if (knock(w, url, false) != CALL_CONNECT)
			fail_msg("connected to %s", url);
	}
	assert_int_equal(w->h->connections, 0);
	/* What another call was allowed to open is not for this one. */
	snprintf(url, sizeof url, "http://127.0.0.1:%d/plain", w->h->port);
	assert_int_equal(knock(w, url, true), CALL_OK);
	assert_int_equal(knock(w, url, false), CALL_CONNECT);
	assert_int_equal(knock(w, url, true), CALL_OK);
	assert_int_equal(w->h->requests, 2);
	snprintf(url, sizeof url, "http://0.0.0.0:%d/plain", w->h->port);
	assert_int_equal(knock(w, url, true), CALL_CONNECT);
	snprintf(url, sizeof url, "http://localhost:%d/plain", w->h->port);
	assert_int_equal(knock(w, url, true), CALL_OK);
	assert_int_equal(knock(w, "http://127.0.0.1:1/", true), CALL_CONNECT);
	assert_int_equal(knock(w, "http://no-such-host.invalid/", true),
	    CALL_CONNECT);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* An argument picks tests by name ("test_c*"). */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH(test_answers),
		WITH(test_headers),
		WITH(test_post),
		WITH(test_methods),
		WITH(test_refusals),
		WITH(test_environment),
		WITH(test_silence),
		WITH(test_stalled_upload),
		WITH(test_connect_timeout),
		WITH(test_times),
		WITH(test_reuse),
		WITH(test_no_second_post),
		WITH(test_many),
		WITH(test_back_pressure),
		WITH(test_done_waits),
		WITH(test_upload),
		WITH(test_cancel_within),
		WITH(test_cancel_outside),
		WITH(test_cancel_seen),
		WITH(test_among_calls),
		WITH(test_free_running),
		WITH(test_free_within),
		WITH(test_denied),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
