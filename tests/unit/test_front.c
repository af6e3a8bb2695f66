/*
 * The FastCGI front on a real loop and a real socket. A thread plays the web
 * server; the owner's side answers by what REQUEST_URI asks for.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <time.h>

#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/front.h"
#include "app/front_fcgi.h"
#include "tests/unit/webserver.h"

#define PARALLEL 500
#define FEW 60 /* descriptors */

struct world;
typedef bool client_fn(struct world *w);

/* One run of the loop. */
struct world {
	uv_loop_t loop;
	uv_async_t done; /* the client has finished */
	struct front *front;
	client_fn *client;
	bool stopping;	 /* the client stops the front by itself */
	bool good;	 /* what the client says */
	const char *failed; /* its first failed check */
	char dir[64], path[96];
	/* What the owner saw. */
	unsigned requests, gone, drained;
	size_t most_pending;
	struct exchange *held[PARALLEL];
	unsigned held_count, held_until;
};

struct owner { /* of one exchange */
	struct world *world;
	size_t left; /* bytes still to be written */
	size_t at;
};

/* A failed check in the client's thread. */
#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			if (w->failed == NULL) \
				w->failed = #cond; \
			return false; \
		} \
	} while (0)

/* --- the owner's side --------------------------------------------------- */

static uint32_t
checksum(const char *p, size_t n)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619u;
	return h;
}

static void
say(struct exchange *x, const char *text)
{
	exchange_write(x, text, strlen(text));
}

static void
answer_echo(struct exchange *x)
{
	char line[128];

	snprintf(line, sizeof line, "%zu %u %s\n", x->body_len,
	    checksum(x->body, x->body_len), err_row(x->refused)->label);
	say(x, "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n");
	say(x, line);
	exchange_end(x);
}

/* Bytes that tell where they belong. */
static void
pump_big(struct exchange *x)
{
	struct owner *o = x->user;
	char chunk[4096];
	size_t i, n;
	bool more = true;

	while (more && o->left > 0) {
		n = o->left < sizeof chunk ? o->left : sizeof chunk;
		for (i = 0; i < n; i++)
			chunk[i] = (char)((o->at + i) * 31 >> 3);
		o->at += n;
		o->left -= n;
		more = exchange_write(x, chunk, n);
		if (exchange_pending(x) > o->world->most_pending)
			o->world->most_pending = exchange_pending(x);
	}
	if (o->left > 0)
		return;
	free(o);
	x->user = NULL;
	exchange_end(x);
}

static void
answer_big(struct world *w, struct exchange *x, size_t n)
{
	struct owner *o = calloc(1, sizeof *o);

	o->world = w;
	o->left = n;
	x->user = o;
	pump_big(x);
}

/* Wait until enough of them wait, then answer all. */
static void
hold(struct world *w, struct exchange *x)
{
	unsigned i;

	w->held[w->held_count++] = x;
	if (w->held_count < w->held_until)
		return;
	for (i = 0; i < w->held_count; i++)
		answer_echo(w->held[i]);
	w->held_count = 0;
}

static void
on_request(void *arg, struct exchange *x)
{
	struct world *w = arg;
	const char *uri = exchange_param(x, "REQUEST_URI");

	w->requests++;
	assert_true(x->arrived > 0 && x->arrived <= clock_mono());
	if (uri == NULL || strncmp(uri, "/echo", 5) == 0) {
		answer_echo(x);
	} else if (strncmp(uri, "/big/", 5) == 0) {
		answer_big(w, x, strtoul(uri + 5, NULL, 10));
	} else if (strcmp(uri, "/hold") == 0) {
		hold(w, x);
	} else if (strcmp(uri, "/abort") == 0) {
		say(x, "Status: 200 OK\r\n\r\nhalf");
		exchange_abort(x);
	} else if (strcmp(uri, "/param") == 0) {
		assert_string_equal(exchange_param(x, "HTTP_EMPTY"), "");
		assert_null(exchange_param(x, "HTTP_EMPT"));
		assert_int_equal(exchange_param_count(x, "HTTP_TWICE"), 2);
		assert_int_equal(exchange_param_count(x, "HTTP_NEVER"), 0);
		answer_echo(x);
	}
}

static void
on_drained(void *arg, struct exchange *x)
{
	struct world *w = arg;

	w->drained++;
	assert_true(exchange_pending(x) < LOW_OUT);
	pump_big(x);
}

static void
on_gone(void *arg, struct exchange *x)
{
	struct world *w = arg;
	unsigned i;

	w->gone++;
	assert_true(exchange_gone(x));
	assert_false(exchange_write(x, "late", 4));
	free(x->user);
	x->user = NULL;
	for (i = 0; i < w->held_count; i++)
		if (w->held[i] == x)
			w->held[i--] = w->held[--w->held_count];
	exchange_end(x);
}

static void
on_quiet(void *arg)
{
	struct world *w = arg;

	assert_int_equal(front_active(w->front), 0);
	assert_int_equal(front_connections(w->front), 0);
	front_free(w->front);
	uv_close((uv_handle_t *)&w->done, NULL);
}

static const struct front_calls calls = {
	.request = on_request,
	.drained = on_drained,
	.gone = on_gone,
	.idle = on_quiet,
};

/* --- running the loop --------------------------------------------------- */

static int
listen_at(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(listen(fd, 1024), 0);
	return fd;
}

static void
on_done(uv_async_t *done)
{
	struct world *w = done->data;

	front_stop(w->front);
}

static void *
client_thread(void *arg)
{
	struct world *w = arg;

	w->good = w->client(w);
	if (!w->stopping)
		uv_async_send(&w->done);
	return NULL;
}

static void
world_start(struct world *w)
{
	int fd;

	memset(w, 0, sizeof *w);
	snprintf(w->dir, sizeof w->dir, "/tmp/tollgate-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof w->path, "%s/s", w->dir);
	fd = listen_at(w->path);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->front = front_listen(&w->loop, fd, &calls, w);
	assert_non_null(w->front);
	uv_async_init(&w->loop, &w->done, on_done);
	w->done.data = w;
	w->loop.data = (void *)(intptr_t)fd;
}

static void
world_run(struct world *w, client_fn *client)
{
	pthread_t thread;

	w->client = client;
	alarm(300);
	assert_int_equal(pthread_create(&thread, NULL, client_thread, w), 0);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	pthread_join(thread, NULL);
	close((int)(intptr_t)w->loop.data);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	unlink(w->path);
	rmdir(w->dir);
	if (!w->good)
		fail_msg("client: %s", w->failed);
}

static void
run(struct world *w, client_fn *client)
{
	world_start(w);
	world_run(w, client);
}

/* --- what the client does ----------------------------------------------- */

/* Send bytes on a new connection, read one answer into r. */
static int
talk(struct world *w, struct reply *r, struct buf *b)
{
	int fd = ws_connect(w->path);

	reply_init(r);
	ws_send(fd, b->data, b->len, b->len);
	reply_read(r, fd);
	return fd;
}

static bool
says(const struct reply *r, const char *text)
{
	return r->out.len >= strlen(text) &&
	    memmem(r->out.data, r->out.len, text, strlen(text)) != NULL;
}

static bool
echo_good(struct world *w)
{
	struct reply r;
	struct buf b;
	int fd;

	buf_init(&b, MIB(1));
	ws_request(&b, 1, false, "/echo", "hello", 5);
	fd = talk(w, &r, &b);
	CHECK(says(&r, "\r\n\r\n5 1335831723 OK\n"));
	CHECK(r.ended && !r.closed && r.id == 1);
	CHECK(recv(fd, r.rest, 1, 0) == 0); /* not kept */
	close(fd);
	reply_free(&r);
	buf_free(&b);
	return true;
}

static void
test_small(void **state)
{
	struct world w;

	(void)state;
	run(&w, echo_good);
	assert_int_equal(w.requests, 1);
	assert_int_equal(w.gone, 0);
}

static bool
param_client(struct world *w)
{
	struct buf b, pairs;
	struct reply r;

	buf_init(&b, MIB(1));
	buf_init(&pairs, MIB(1));
	ws_pair(&pairs, "REQUEST_URI", "/param");
	ws_pair(&pairs, "HTTP_EMPTY", "");
	ws_pair(&pairs, "HTTP_TWICE", "1");
	ws_pair(&pairs, "HTTP_TWICE", "2");
	ws_begin(&b, 7, false);
	ws_stream(&b, RECORD_PARAMS, 7, pairs.data, pairs.len, 3);
	ws_stream(&b, RECORD_STDIN, 7, NULL, 0, 1);
	close(talk(w, &r, &b));
	CHECK(says(&r, "0 2166136261 OK\n") && r.id == 7);
	reply_free(&r);
	buf_free(&b);
	buf_free(&pairs);
	return true;
}

static void
test_params(void **state)
{
	struct world w;

	(void)state;
	run(&w, param_client);
}

static bool
size_good(struct world *w, size_t n, enum err refused)
{
	char want[96], *body = malloc(n + 1);
	struct reply r;
	struct buf b;
	size_t i;

	for (i = 0; i < n; i++)
		body[i] = (char)(i * 2654435761u >> 24);
	snprintf(want, sizeof want, "%zu %u %s\n", refused ? 0 : n,
	    checksum(body, refused ? 0 : n), err_row(refused)->label);
	buf_init(&b, MIB(64));
	ws_request(&b, 1, false, "/echo", body, n);
	close(talk(w, &r, &b));
	CHECK(says(&r, want));
	CHECK(r.ended && !r.reset);
	reply_free(&r);
	buf_free(&b);
	free(body);
	return true;
}

static bool
sizes_client(struct world *w)
{
	return size_good(w, 0, ERR_OK) && size_good(w, 1, ERR_OK) &&
	    size_good(w, 65534, ERR_OK) && size_good(w, 65535, ERR_OK) &&
	    size_good(w, 65536, ERR_OK) && size_good(w, 65537, ERR_OK) &&
	    size_good(w, MIB(1), ERR_OK) && size_good(w, LIMIT_BODY, ERR_OK) &&
	    size_good(w, LIMIT_BODY + 1, ERR_TOO_LARGE) &&
	    size_good(w, LIMIT_BODY + MIB(9), ERR_TOO_LARGE);
}

static void
test_sizes(void **state)
{
	struct world w;

	(void)state;
	run(&w, sizes_client);
	assert_int_equal(w.requests, 10);
	assert_int_equal(w.gone, 0);
}

static bool
bytewise_client(struct world *w)
{
	struct reply r;
	struct buf b;
	size_t i;
	int fd;

	buf_init(&b, MIB(1));
	ws_request(&b, 1, true, "/echo", "hello", 5);
	fd = ws_connect(w->path);
	reply_init(&r);
	for (i = 0; i < b.len; i++) {
		CHECK(ws_send(fd, b.data + i, 1, 1));
		usleep(300);
	}
	reply_read(&r, fd);
	CHECK(says(&r, "5 1335831723 OK\n"));
	close(fd);
	reply_free(&r);
	buf_free(&b);
	return true;
}

static void
test_bytewise(void **state)
{
	struct world w;

	(void)state;
	run(&w, bytewise_client);
}

/* Requests in series on one connection, in random pieces. */
static bool
kept_client(struct world *w)
{
	struct reply r;
	struct buf b;
	unsigned i;
	int fd = ws_connect(w->path);

	buf_init(&b, MIB(1));
	reply_init(&r);
	srand(4711);
	for (i = 0; i < 50; i++) {
		buf_clear(&b);
		if (i % 7 == 3) /* a late record of a request that is over */
			ws_record(&b, RECORD_ABORT, 1, NULL, 0, 0);
		ws_request(&b, (uint16_t)(i % 3 + 1), true, "/echo", "hello",
		    5);
		CHECK(ws_send(fd, b.data, b.len, (size_t)(rand() % 40 + 1)));
		reply_read(&r, fd);
		CHECK(says(&r, "5 1335831723 OK\n") && r.ended && !r.closed);
		CHECK(r.id == i % 3 + 1);
		reply_next(&r);
	}
	close(fd);
	reply_free(&r);
	buf_free(&b);
	return true;
}

static void
test_kept(void **state)
{
	struct world w;

	(void)state;
	run(&w, kept_client);
	assert_int_equal(w.requests, 50);
	assert_int_equal(w.gone, 0);
}

/* The second and third request come before the first is answered. */
static bool
pipelined_client(struct world *w)
{
	struct reply r;
	struct buf b;
	unsigned i;
	int fd;

	buf_init(&b, MIB(1));
	ws_request(&b, 1, true, "/big/100000", "", 0);
	ws_request(&b, 2, true, "/echo", "hello", 5);
	ws_request(&b, 3, false, "/echo", "hello", 5);
	fd = talk(w, &r, &b);
	CHECK(r.out.len == 100000 && r.id == 1 && r.ended);
	for (i = 2; i <= 3; i++) {
		reply_next(&r);
		reply_read(&r, fd);
		CHECK(says(&r, "5 1335831723 OK\n") && r.id == i && r.ended);
	}
	close(fd);
	reply_free(&r);
	buf_free(&b);
	return true;
}

static void
test_pipelined(void **state)
{
	struct world w;

	(void)state;
	run(&w, pipelined_client);
	assert_int_equal(w.requests, 3);
}

/* Close after every possible number of bytes. */
static bool
cut_client(struct world *w)
{
	struct buf b;
	size_t i;
	int fd;

	buf_init(&b, MIB(1));
	ws_request(&b, 1, true, "/hold", "hello", 5);
	for (i = 0; i <= b.len; i++) {
		fd = ws_connect(w->path);
		CHECK(fd >= 0);
		CHECK(ws_send(fd, b.data, i, i));
		if (i % 2)
			usleep(500);
		close(fd);
	}
	buf_free(&b);
	return echo_good(w);
}

static void
test_cut(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	w.held_until = PARALLEL;
	world_run(&w, cut_client);
	assert_int_equal(w.requests, 2); /* the last cut is none */
	assert_int_equal(w.gone, 1);
}

/* Each of these must end the connection without an answer. */
static const struct {
	const char *what;
	size_t len;
	const char *bytes;
} garbage[] = {
	{ "HTTP", 18, "GET / HTTP/1.1\r\n\r\n" },
	{ "version 2", 16, "\2\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0" },
	{ "type 0", 8, "\1\0\0\1\0\0\0\0" },
	{ "an unknown type with an id", 8, "\1\143\0\1\0\0\0\0" },
	{ "BEGIN of id 0", 16, "\1\1\0\0\0\10\0\0\0\1\0\0\0\0\0\0" },
	{ "a short BEGIN", 15, "\1\1\0\1\0\7\0\0\0\1\0\0\0\0\0" },
	{ "a long BEGIN", 17, "\1\1\0\1\0\11\0\0\0\1\0\0\0\0\0\0\0" },
	{ "an authorizer", 16, "\1\1\0\1\0\10\0\0\0\2\0\0\0\0\0\0" },
	{ "STDOUT from a server", 8, "\1\6\0\1\0\0\0\0" },
	{ "END from a server", 16, "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0" },
	{ "STDIN before PARAMS", 24,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\5\0\1\0\0\0\0" },
	{ "DATA", 24,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\10\0\1\0\0\0\0" },
	{ "a second BEGIN at once", 32,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
	    "\1\1\0\2\0\10\0\0\0\1\0\0\0\0\0\0" },
	{ "ABORT during intake", 24,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\2\0\1\0\0\0\0" },
	{ "PARAMS after their end", 40,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
	    "\1\4\0\1\0\0\0\0"
	    "\1\4\0\1\0\2\0\0\1\0A\0\0\0\0\0" },
	{ "a name longer than the stream", 34,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
	    "\1\4\0\1\0\2\0\0\5\0\1\4\0\1\0\0\0\0" },
	{ "lengths that add up to less than nothing", 41,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
	    "\1\4\0\1\0\11\0\0\377\377\377\377\377\377\377\377A"
	    "\1\4\0\1\0\0\0\0" },
	{ "a length cut off", 35,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
	    "\1\4\0\1\0\3\0\0\1\200\0\1\4\0\1\0\0\0\0" },
	{ "a name with an equals sign", 37,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
	    "\1\4\0\1\0\5\0\0\2\1A=x\1\4\0\1\0\0\0\0" },
	{ "a NUL in a value", 36,
	    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
	    "\1\4\0\1\0\4\0\0\1\1A\0\1\4\0\1\0\0\0\0" },
};

static bool
garbage_client(struct world *w)
{
	struct reply r;
	struct buf b;
	size_t i;
	int fd;

	for (i = 0; i < sizeof garbage / sizeof *garbage; i++) {
		w->failed = garbage[i].what;
		buf_init(&b, MIB(1));
		buf_put(&b, garbage[i].bytes, garbage[i].len);
		fd = talk(w, &r, &b);
		CHECK(r.closed && !r.ended && r.out.len == 0);
		close(fd);
		reply_free(&r);
		buf_free(&b);
	}
	w->failed = NULL;
	return echo_good(w);
}

static void
test_garbage(void **state)
{
	struct world w;

	(void)state;
	run(&w, garbage_client);
	assert_int_equal(w.requests, 1);
}

static bool
big_good(struct world *w, struct reply *r, size_t n)
{
	size_t i;

	CHECK(r->out.len == n && r->ended);
	for (i = 0; i < n; i++)
		CHECK(r->out.data[i] == (char)(i * 31 >> 3));
	return true;
}

/* 50 MB; while its reader sleeps, others are served. */
static bool
slow_reader_client(struct world *w)
{
	struct reply r;
	struct buf b;
	int fd = ws_connect(w->path);
	unsigned i;

	buf_init(&b, MIB(1));
	ws_request(&b, 1, false, "/big/50000000", "", 0);
	CHECK(ws_send(fd, b.data, b.len, b.len));
	usleep(100000);
	for (i = 0; i < 20; i++)
		if (!echo_good(w))
			return false;
	reply_init(&r);
	reply_read(&r, fd);
	close(fd);
	if (!big_good(w, &r, 50000000))
		return false;
	reply_free(&r);
	buf_free(&b);
	return true;
}

static void
test_slow_reader(void **state)
{
	struct world w;

	(void)state;
	run(&w, slow_reader_client);
	assert_true(w.drained > 10);
	assert_true(w.most_pending > LIMIT_OUT);
	assert_true(w.most_pending <= LIMIT_OUT + 4096);
}

/* Answers around the size of a record. */
static bool
edges_client(struct world *w)
{
	static const size_t sizes[] = { 1, 7, 8, 8152, 8153, 8159, 8160, 8161,
		8183, 8184, 8185, 16344, 16368, 65536 };
	char uri[32];
	struct reply r;
	struct buf b;
	size_t i;

	for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		buf_init(&b, MIB(1));
		snprintf(uri, sizeof uri, "/big/%zu", sizes[i]);
		ws_request(&b, 1, false, uri, "", 0);
		close(talk(w, &r, &b));
		if (!big_good(w, &r, sizes[i]))
			return false;
		reply_free(&r);
		buf_free(&b);
	}
	return true;
}

static void
test_edges(void **state)
{
	struct world w;

	(void)state;
	run(&w, edges_client);
}

/* A reader that leaves in the middle. */
static bool
leaver_client(struct world *w)
{
	char some[1000];
	struct buf b;
	int fd = ws_connect(w->path);

	buf_init(&b, MIB(1));
	ws_request(&b, 1, false, "/big/50000000", "", 0);
	CHECK(ws_send(fd, b.data, b.len, b.len));
	CHECK(recv(fd, some, sizeof some, MSG_WAITALL) == sizeof some);
	close(fd);
	buf_free(&b);
	return echo_good(w);
}

static void
test_leaver(void **state)
{
	struct world w;

	(void)state;
	run(&w, leaver_client);
	assert_int_equal(w.gone, 1);
}

static bool
parallel_client(struct world *w)
{
	int fds[PARALLEL];
	struct reply r;
	struct buf b;
	unsigned i;

	buf_init(&b, MIB(1));
	ws_request(&b, 1, false, "/hold", "hello", 5);
	for (i = 0; i < PARALLEL; i++) {
		fds[i] = ws_connect(w->path);
		CHECK(fds[i] >= 0);
		CHECK(ws_send(fds[i], b.data, b.len, b.len));
	}
	for (i = 0; i < PARALLEL; i++) {
		reply_init(&r);
		reply_read(&r, fds[i]);
		CHECK(says(&r, "5 1335831723 OK\n") && r.ended);
		reply_free(&r);
		close(fds[i]);
	}
	buf_free(&b);
	return true;
}

static void
test_parallel(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	w.held_until = PARALLEL;
	world_run(&w, parallel_client);
	assert_int_equal(w.requests, PARALLEL);
}

static int64_t
cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* Descriptors run out: the front waits without spinning, then goes on. */
static bool
descriptors_client(struct world *w)
{
	int fds[FEW], n = 0, i;
	int64_t spent;

	while (n < FEW && (fds[n] = ws_connect(w->path)) >= 0)
		n++;
	CHECK(n > 5 && n < FEW);
	spent = cpu_time();
	usleep(500000);
	CHECK(cpu_time() - spent < 100000);
	for (i = 0; i < n; i++)
		close(fds[i]);
	return echo_good(w);
}

static void
test_descriptors(void **state)
{
	struct rlimit old, few;
	struct world w;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	world_start(&w);
	few = old;
	few.rlim_cur = FEW;
	setrlimit(RLIMIT_NOFILE, &few);
	world_run(&w, descriptors_client);
	setrlimit(RLIMIT_NOFILE, &old);
}

static bool
abort_client(struct world *w)
{
	struct reply r;
	struct buf b;

	buf_init(&b, MIB(1));
	ws_request(&b, 1, true, "/abort", "hello", 5);
	close(talk(w, &r, &b));
	CHECK(r.closed && !r.ended);
	reply_free(&r);
	buf_free(&b);
	return echo_good(w);
}

static void
test_abort(void **state)
{
	struct world w;

	(void)state;
	run(&w, abort_client);
	assert_int_equal(w.gone, 0);
}

/* The server takes a running request back, by a record or by closing. */
static bool
gone_client(struct world *w)
{
	struct reply r;
	struct buf b;
	int fd = ws_connect(w->path);

	buf_init(&b, MIB(1));
	ws_request(&b, 1, true, "/hold", "hello", 5);
	CHECK(ws_send(fd, b.data, b.len, b.len));
	usleep(20000);
	close(fd);
	ws_record(&b, RECORD_ABORT, 1, NULL, 0, 0);
	close(talk(w, &r, &b));
	CHECK(r.closed && !r.ended);
	reply_free(&r);
	/* Also behind the start of the next one. */
	buf_clear(&b);
	ws_request(&b, 1, true, "/hold", "hello", 5);
	ws_begin(&b, 2, true);
	fd = ws_connect(w->path);
	CHECK(ws_send(fd, b.data, b.len, b.len));
	usleep(20000);
	close(fd);
	buf_free(&b);
	return echo_good(w);
}

static void
test_gone(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	w.held_until = PARALLEL;
	world_run(&w, gone_client);
	assert_int_equal(w.gone, 3);
	assert_int_equal(w.requests, 4);
}

/* Parameters beyond their bounds are told, and the upload is borne. */
static bool
headers_client(struct world *w)
{
	static char large[LIMIT_PARAMS], body[MIB(4)];
	char name[32];
	struct buf b, pairs;
	struct reply r;
	unsigned i, kind;

	memset(large, 'x', sizeof large - 1);
	for (kind = 0; kind < 2; kind++) {
		buf_init(&b, MIB(8));
		buf_init(&pairs, MIB(1));
		ws_pair(&pairs, "REQUEST_URI", "/echo/headers");
		for (i = 0; i < LIMIT_HEADERS && kind == 0; i++) {
			snprintf(name, sizeof name, "HTTP_X_%u", i);
			ws_pair(&pairs, name, "y");
		}
		if (kind == 1)
			ws_pair(&pairs, "HTTP_LARGE", large);
		ws_begin(&b, 1, true);
		ws_stream(&b, RECORD_PARAMS, 1, pairs.data, pairs.len, 60000);
		ws_stream(&b, RECORD_STDIN, 1, body, sizeof body, 65535);
		close(talk(w, &r, &b));
		CHECK(says(&r, "0 2166136261 HEADERS_TOO_LARGE\n"));
		CHECK(r.ended && !r.reset);
		reply_free(&r);
		buf_free(&b);
		buf_free(&pairs);
	}
	return true;
}

static void
test_headers(void **state)
{
	struct world w;

	(void)state;
	run(&w, headers_client);
	assert_int_equal(w.requests, 2);
}

/* Exactly the bounds are fine. */
static bool
fitting_client(struct world *w)
{
	static char large[LIMIT_PARAMS];
	struct buf b, pairs;
	struct reply r;
	size_t n;

	buf_init(&b, MIB(8));
	buf_init(&pairs, MIB(1));
	ws_pair(&pairs, "REQUEST_URI", "/echo/headers");
	n = LIMIT_PARAMS - pairs.len - 1 - 4 - strlen("HTTP_LARGE");
	memset(large, 'x', n);
	ws_pair(&pairs, "HTTP_LARGE", large);
	CHECK(pairs.len == LIMIT_PARAMS);
	ws_begin(&b, 1, true);
	ws_stream(&b, RECORD_PARAMS, 1, pairs.data, pairs.len, 60000);
	ws_stream(&b, RECORD_STDIN, 1, "", 0, 1);
	close(talk(w, &r, &b));
	CHECK(says(&r, "0 2166136261 OK\n"));
	reply_free(&r);
	buf_free(&b);
	buf_free(&pairs);
	return true;
}

static void
test_fitting(void **state)
{
	struct world w;

	(void)state;
	run(&w, fitting_client);
}

/* Unfinished requests have their time. */
static bool
patience_client(struct world *w)
{
	struct reply r;
	struct buf b;
	int fd;

	buf_init(&b, MIB(1));
	ws_request(&b, 1, true, "/echo", "hello", 5);
	b.len -= 8; /* all but the end of the body */
	fd = talk(w, &r, &b);
	CHECK(says(&r, "0 2166136261 SLOW_CLIENT\n") && r.ended);
	CHECK(recv(fd, r.rest, 1, 0) == 0);
	close(fd);
	reply_free(&r);
	b.len = 5; /* within the first header */
	close(talk(w, &r, &b));
	CHECK(r.closed && r.out.len == 0);
	reply_free(&r);
	b.len = 30; /* within the parameters */
	close(talk(w, &r, &b));
	CHECK(r.closed && r.out.len == 0);
	reply_free(&r);
	buf_free(&b);
	return true;
}

static void
test_patience(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	front_patience(w.front, 1);
	world_run(&w, patience_client);
	assert_int_equal(w.requests, 1);
}

static bool
management_client(struct world *w)
{
	struct reply r;
	struct buf b;
	int fd;

	buf_init(&b, MIB(1));
	ws_record(&b, RECORD_GET_VALUES, 0, "\17\0FCGI_MPXS_CONNS", 17, 3);
	ws_record(&b, 99, 0, "what", 4, 0);
	ws_request(&b, 1, true, "/echo", "hello", 5);
	fd = talk(w, &r, &b);
	CHECK(r.management == 2);
	CHECK(says(&r, "5 1335831723 OK\n") && r.ended);
	close(fd);
	reply_free(&r);
	buf_free(&b);
	return true;
}

static void
test_management(void **state)
{
	struct world w;

	(void)state;
	run(&w, management_client);
}

/*
 * A stop closes idle kept connections, but what is under way and what has
 * only connected is served.
 */
static bool
stop_client(struct world *w)
{
	struct reply r;
	struct buf b;
	int idle, busy, fresh;

	buf_init(&b, MIB(1));
	ws_request(&b, 1, true, "/echo", "hello", 5);
	idle = talk(w, &r, &b);
	CHECK(r.ended);
	fresh = ws_connect(w->path);
	reply_free(&r);
	buf_clear(&b);
	ws_request(&b, 1, true, "/big/9000000", "hello", 5);
	busy = ws_connect(w->path);
	CHECK(ws_send(busy, b.data, b.len, b.len));
	usleep(50000);
	uv_async_send(&w->done);
	CHECK(recv(idle, r.rest, 1, 0) == 0);
	reply_init(&r);
	reply_read(&r, busy);
	CHECK(r.out.len == 9000000 && r.ended);
	CHECK(recv(busy, r.rest, 1, 0) == 0);
	reply_free(&r);
	reply_init(&r);
	buf_clear(&b);
	ws_request(&b, 1, true, "/echo", "hello", 5);
	CHECK(ws_send(fresh, b.data, b.len, 20));
	reply_read(&r, fresh);
	CHECK(says(&r, "5 1335831723 OK\n") && r.ended);
	CHECK(recv(fresh, r.rest, 1, 0) == 0);
	close(idle);
	close(busy);
	close(fresh);
	reply_free(&r);
	buf_free(&b);
	return true;
}

static void
test_stop(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	w.stopping = true;
	world_run(&w, stop_client);
	assert_int_equal(w.requests, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_bytewise),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_leaver),
		cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_fitting),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_management),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
