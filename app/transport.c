/*
 * The transport: libcurl's multi-socket interface on a libuv loop. It moves
 * bytes and keeps time; it knows no dialect, reads no policy and never
 * decides to try again.
 *
 * libcurl must not be entered from its own callbacks, and a call must not
 * vanish under the callback that uses it. So whatever enters libcurl or calls
 * a sink stands between enter() and leave(); what callers ask for meanwhile
 * (start, resume, cancel) waits in a queue that leave() works off.
 *
 * Times: libcurl's own connect timeout does not reach a call that waits for
 * another call's connection, and it knows no silence; both are kept here by
 * one timer set to the earliest deadline of all calls.
 */
#include "config.h"

#include "app/transport.h"

#include <assert.h>
#include <curl/curl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/address.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/headers.h"
#include "app/ready.h"

/* URLs that need not be parsed again. */
#define KNOWN_URLS 16
/* Handles kept for later calls. */
#define IDLE_CALLS 64
/* Connections kept beside those in use. */
#define IDLE_CONNECTIONS 128
/*
 * A connection idle for longer is not used again: shorter than what servers
 * and balancers usually allow (60 s and more), so that a request seldom meets
 * the peer's close.
 */
#define IDLE_SECONDS 50L
#define NAME_CACHE_SECONDS 60L
#define KEEPALIVE_SECONDS 60L
/* A read; also the memory of a running call for reading. */
#define READ_BYTES 16384L
#define WRITE_BYTES 16384L
/* Bodies beyond this leave in many writes, which count as life. */
#define WATCHED_BODY KIB(16)
/* Deadlines that close together are looked at together, ms. */
#define SWEEP_GRAIN 10

TAILQ_HEAD(calls, call);

/*
 * A socket that libcurl waits for. libcurl forgets a connection's socket
 * whenever a call ends and names it anew with the next one; ours are watched
 * on meanwhile, until they are closed. Others (of libcurl's resolver) are
 * closed without a word, so they are forgotten with libcurl.
 */
struct watch {
	struct ready ready;
	struct transport *transport;
	int wanted; /* what libcurl waits for, 0 = nothing now */
	bool ours;  /* on_open made it, on_close ends it */
};

/* What is known of a URL. */
struct known_url {
	char *url; /* NULL: of none */
	char scheme[8];
	char host[64]; /* when it may be an address */
};

struct transport {
	uv_loop_t *loop;
	CURLM *multi;
	CURLSH *share; /* TLS sessions */
	CURLU *url;    /* scratch of transport_start */
	struct known_url known[KNOWN_URLS];
	unsigned known_next; /* place for the next one */
	char *ca_file;
	char *ca_default; /* libcurl's own bundle, NULL = a directory */
	uv_timer_t curl_timer, sweep_timer, kick_timer;
	int64_t sweep_at; /* µs; when sweep_timer will fire */
	struct ready_set *ready;
	struct watch **watches; /* by descriptor, NULL = none */
	size_t watches_size;
	struct calls running, queue, idle;
	size_t active, idle_count;
	unsigned inside;  /* depth of enter() */
	unsigned handles; /* libuv handles not closed yet */
	bool closing, closed;
};

struct call {
	struct transport *transport;
	TAILQ_ENTRY(call) entry; /* of running or idle */
	TAILQ_ENTRY(call) wait;	 /* of queue, when queued */
	CURL *easy;
	struct call_sink sink;
	void *arg;
	void *lines; /* the request's header list, one block */
	size_t lines_size;
	struct headers headers; /* of the answer */
	int64_t started, connected, first_byte; /* µs */
	int64_t alive;				/* last bytes either way */
	int64_t connect_timeout, bytes_timeout;
	curl_off_t uploaded;
	char host[64];	/* the URL's host when it may be an address */
	int why;	/* enum call_end that overrules libcurl's; -1 */
	enum call_end end; /* when ended */
	bool private_net;
	bool idempotent; /* may be sent twice */
	bool added;	 /* libcurl has it */
	bool queued, wants_add, wants_resume, wants_end;
	bool sent;
	bool in_head, headed; /* inside a head; the final head was delivered */
	bool paused;
	bool ended; /* while paused: only done is owed */
	bool dead;  /* cancelled, or done was called */
};

static void leave(struct transport *);

static void
enter(struct transport *t)
{
	t->inside++;
}

static void
enqueue(struct call *c)
{
	if (!c->queued)
		TAILQ_INSERT_TAIL(&c->transport->queue, c, wait);
	c->queued = true;
}

/* --- calls and their handles ------------------------------------------- */

static const struct {
	CURLoption option;
	long value;
} fixed[] = {
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_QUICK_EXIT, 1 }, /* a cancel does not wait for a name */
	{ CURLOPT_FOLLOWLOCATION, 0 },
	{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
	{ CURLOPT_PATH_AS_IS, 1 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
	{ CURLOPT_HTTP09_ALLOWED, 0 },
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS },
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_TCP_NODELAY, 1 },
	{ CURLOPT_TCP_KEEPALIVE, 1 },
	{ CURLOPT_TCP_KEEPIDLE, KEEPALIVE_SECONDS },
	{ CURLOPT_TCP_KEEPINTVL, KEEPALIVE_SECONDS / 2 },
	{ CURLOPT_DNS_CACHE_TIMEOUT, NAME_CACHE_SECONDS },
	{ CURLOPT_MAXAGE_CONN, IDLE_SECONDS },
	{ CURLOPT_BUFFERSIZE, READ_BYTES },
	{ CURLOPT_UPLOAD_BUFFERSIZE, WRITE_BYTES },
	{ CURLOPT_CONNECTTIMEOUT_MS, INT_MAX }, /* kept by the sweep */
};

static size_t on_header(char *, size_t, size_t, void *);
static size_t on_body(char *, size_t, size_t, void *);
static int on_ready(void *, char *, char *, int, int);
static int on_progress(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
static curl_socket_t on_open(void *, curlsocktype, struct curl_sockaddr *);
static int on_close(void *, curl_socket_t);

/* What never changes from call to call. */
static bool
set_fixed(struct call *c)
{
	CURL *e = c->easy;
	int bad = 0;
	size_t i;

	for (i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		bad |= curl_easy_setopt(e, fixed[i].option, fixed[i].value);
	bad |= curl_easy_setopt(e, CURLOPT_SHARE, c->transport->share);
	bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	bad |= curl_easy_setopt(e, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(e, CURLOPT_USERAGENT,
	    "tollgate/" PACKAGE_VERSION);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	bad |= curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_ready);
	bad |= curl_easy_setopt(e, CURLOPT_PREREQDATA, c);
	bad |= curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
	bad |= curl_easy_setopt(e, CURLOPT_XFERINFODATA, c);
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
	bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, c->transport);
	return bad == 0;
}

static void
call_free(struct call *c)
{
	curl_easy_cleanup(c->easy);
	headers_free(&c->headers);
	free(c);
}

static struct call *
call_new(struct transport *t)
{
	struct call *c;

	c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->transport = t;
	headers_init(&c->headers);
	c->easy = curl_easy_init();
	if (c->easy == NULL || !set_fixed(c)) {
		call_free(c);
		return NULL;
	}
	return c;
}

/* A call from the idle ones, or a new one; in no list. */
static struct call *
call_take(struct transport *t)
{
	struct call *c;

	c = TAILQ_FIRST(&t->idle);
	if (c == NULL)
		return call_new(t);
	TAILQ_REMOVE(&t->idle, c, entry);
	t->idle_count--;
	*c = (struct call){ .transport = t, .easy = c->easy,
		.headers = c->headers };
	return c;
}

/* Forget the request: its credentials and the caller's body. */
static void
forget_request(struct call *c)
{
	CURL *e = c->easy;

	(void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, NULL);
	(void)curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	if (c->lines != NULL)
		explicit_bzero(c->lines, c->lines_size);
	free(c->lines);
	c->lines = NULL;
}

/* Back to the idle ones; the call is in no list. */
static void
call_put(struct call *c)
{
	struct transport *t = c->transport;

	forget_request(c);
	headers_reset(&c->headers);
	if (t->closing || t->idle_count >= IDLE_CALLS) {
		call_free(c);
		return;
	}
	TAILQ_INSERT_HEAD(&t->idle, c, entry);
	t->idle_count++;
}

/*
 * libcurl bounds all connections, used and idle, by one number; what is
 * wanted is a bound of the idle ones.
 */
static void
bound_connections(struct transport *t)
{
	(void)curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS,
	    (long)(t->active + IDLE_CONNECTIONS));
}

/* Take it from libcurl: what runs is closed or reset. Not from callbacks. */
static void
detach(struct call *c)
{
	if (c->added)
		(void)curl_multi_remove_handle(c->transport->multi, c->easy);
	c->added = false;
}

/* The call's last act; it is not to be touched afterwards. */
static void
retire(struct call *c)
{
	struct transport *t = c->transport;

	detach(c);
	if (c->queued)
		TAILQ_REMOVE(&t->queue, c, wait);
	c->queued = false;
	TAILQ_REMOVE(&t->running, c, entry);
	t->active--;
	bound_connections(t);
	call_put(c);
}

/* Tell the sink and retire; between enter and leave. */
static void
call_done(struct call *c)
{
	if (!c->dead) {
		c->dead = true;
		c->sink.done(c->arg, c->end);
	}
	retire(c);
}

/* It is over; done comes now or, as nothing else does, after a resume. */
static void
end_call(struct call *c, enum call_end end)
{
	c->end = end;
	c->ended = true;
	detach(c);
	if (c->paused && !c->dead)
		return;
	call_done(c);
}

/* --- time limits ------------------------------------------------------- */

/* When the call has waited too long, µs. */
static int64_t
deadline(const struct call *c)
{
	if (c->paused || c->ended || c->dead)
		return INT64_MAX;
	if (c->sent)
		return c->bytes_timeout > 0 ? c->alive + c->bytes_timeout :
					      INT64_MAX;
	return c->connect_timeout > 0 ? c->started + c->connect_timeout :
					INT64_MAX;
}

static void on_sweep(uv_timer_t *);

static void
sweep_by(struct transport *t, int64_t at)
{
	int64_t wait;

	if (at >= t->sweep_at || t->closing)
		return;
	t->sweep_at = at;
	wait = (at - clock_mono()) / 1000 + 1;
	uv_timer_start(&t->sweep_timer, on_sweep,
	    wait < SWEEP_GRAIN ? SWEEP_GRAIN : (uint64_t)wait, 0);
}

/* The call's deadline may have come nearer. (Later ones are found later.) */
static void
arm_sweep(struct call *c)
{
	sweep_by(c->transport, deadline(c));
}

static void
on_sweep(uv_timer_t *timer)
{
	struct transport *t = timer->data;
	struct call *c, *next;
	int64_t now = clock_mono(), first = INT64_MAX, at;

	t->sweep_at = INT64_MAX;
	enter(t);
	/* No call but c leaves the list here: cancels wait for leave(). */
	for (c = TAILQ_FIRST(&t->running); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		at = deadline(c);
		if (at <= now)
			end_call(c, c->sent ? CALL_TIMEOUT_BYTES :
					      CALL_TIMEOUT_CONNECT);
		else if (at < first)
			first = at;
	}
	sweep_by(t, first);
	leave(t);
}

/* --- the request ------------------------------------------------------- */

/* Names that libcurl would fill in by itself if they were absent. */
static const char *const unwanted[] = { "Expect", "Content-Type" };
#define UNWANTED (sizeof unwanted / sizeof unwanted[0])

static bool
is_blank_text(const char *s)
{
	return s[strspn(s, " ")] == '\0';
}

static bool
has_header(const struct call_request *rq, const char *name)
{
	size_t i;

	for (i = 0; i < rq->header_count; i++)
		if (strcasecmp(rq->headers[i].name, name) == 0)
			return true;
	return false;
}

static size_t
append(char *to, const char *s)
{
	size_t n = strlen(s);

	memcpy(to, s, n + 1);
	return n;
}

/* "Name: value", or "Name;" which is how libcurl writes an empty one. */
static size_t
write_line(char *to, const struct call_header *h)
{
	size_t n = append(to, h->name);

	if (is_blank_text(h->value))
		return n + append(to + n, ";") + 1;
	n += append(to + n, ": ");
	return n + append(to + n, h->value) + 1;
}

/* The list that libcurl reads, nodes and text in one block, or NULL. */
static bool
make_lines(struct call *c, const struct call_request *rq)
{
	size_t i, count = rq->header_count + UNWANTED, size;
	struct curl_slist *node;
	char *text;

	size = count * sizeof *node + UNWANTED * 32;
	for (i = 0; i < rq->header_count; i++)
		size += strlen(rq->headers[i].name) +
		    strlen(rq->headers[i].value) + 3;
	c->lines = calloc(1, size);
	if (c->lines == NULL)
		return false;
	c->lines_size = size;
	node = c->lines;
	text = (char *)(node + count);
	for (i = 0; i < rq->header_count; i++, node++) {
		node->data = text;
		node->next = node + 1;
		text += write_line(text, &rq->headers[i]);
	}
	for (i = 0; i < UNWANTED; i++) {
		if (has_header(rq, unwanted[i]))
			continue;
		node->data = text;
		node->next = node + 1;
		text += append(text, unwanted[i]);
		text += append(text, ":") + 1;
		node++;
	}
	node[-1].next = NULL; /* Expect is always there */
	return true;
}

/* One part of the parsed URL in out, "" when it has none. */
static bool
url_part(CURLU *u, CURLUPart part, char *out, size_t size)
{
	char *s = NULL;
	size_t len;

	out[0] = '\0';
	if (curl_url_get(u, part, &s, 0) != CURLUE_OK)
		return true;
	len = strlen(s);
	if (len < size)
		memcpy(out, s, len + 1);
	curl_free(s);
	return len < size;
}

/* Sets scheme and host; only hosts short enough to be addresses are kept. */
static bool
parse_url(CURLU *u, const char *url, struct known_url *k)
{
	char part[8];

	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
		return false;
	if (!url_part(u, CURLUPART_USER, part, sizeof part) || part[0] ||
	    !url_part(u, CURLUPART_PASSWORD, part, sizeof part) || part[0])
		return false;
	if (!url_part(u, CURLUPART_SCHEME, k->scheme, sizeof k->scheme))
		return false;
	if (!url_part(u, CURLUPART_HOST, k->host, sizeof k->host))
		k->host[0] = '\0';
	return strcmp(k->scheme, "https") == 0 ||
	    strcmp(k->scheme, "http") == 0;
}

/* Keep what was found, unless the query may hold a credential. */
static void
remember_url(struct transport *t, const char *url, struct known_url *found)
{
	struct known_url *k = &t->known[t->known_next];

	if (strchr(url, '?') != NULL)
		return;
	found->url = strdup(url);
	if (found->url == NULL)
		return;
	free(k->url);
	*k = *found;
	t->known_next = (t->known_next + 1) % KNOWN_URLS;
}

/* A worker asks few URLs again and again; parsing one takes longer. */
static bool
check_url(struct call *c, const char *url, char *scheme, size_t size)
{
	struct transport *t = c->transport;
	struct known_url found = { .url = NULL };
	const struct known_url *k = t->known;

	while (k < t->known + KNOWN_URLS &&
	    (k->url == NULL || strcmp(k->url, url) != 0))
		k++;
	if (k == t->known + KNOWN_URLS) {
		if (!parse_url(t->url, url, &found))
			return false;
		remember_url(t, url, &found);
		k = &found;
	}
	snprintf(scheme, size, "%s", k->scheme);
	memcpy(c->host, k->host, sizeof c->host);
	return true;
}

static bool
check_headers(const struct call_request *rq)
{
	size_t i;

	if (!header_is_token(rq->method, strlen(rq->method)))
		return false;
	for (i = 0; i < rq->header_count; i++)
		if (!header_name_sendable(rq->headers[i].name) ||
		    !header_value_sendable(rq->headers[i].value))
			return false;
	return true;
}

static int
set_method(struct call *c, const struct call_request *rq)
{
	CURL *e = c->easy;
	bool post = rq->body != NULL || strcmp(rq->method, "POST") == 0;
	bool head = strcmp(rq->method, "HEAD") == 0;
	bool plain = head || strcmp(rq->method, post ? "POST" : "GET") == 0;
	int bad = 0;

	c->idempotent = head || strcmp(rq->method, "GET") == 0;
	if (post) {
		bad |= curl_easy_setopt(e, CURLOPT_POST, 1L);
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)rq->body_len);
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDS,
		    rq->body != NULL ? rq->body : "");
	} else {
		bad |= curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
		bad |= curl_easy_setopt(e, CURLOPT_NOBODY, (long)head);
	}
	bad |= curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST,
	    plain ? NULL : rq->method);
	bad |= curl_easy_setopt(e, CURLOPT_NOPROGRESS,
	    (long)(rq->body_len <= WATCHED_BODY));
	return bad;
}

/*
 * The trust store is parsed once a worker and shared by all connections, if
 * it is one file: libcurl does not keep one that includes a directory.
 */
static int
set_trust(struct call *c)
{
	struct transport *t = c->transport;
	const char *file = t->ca_file != NULL ? t->ca_file : t->ca_default;
	int bad = 0;

	if (file == NULL)
		return 0;
	bad |= curl_easy_setopt(c->easy, CURLOPT_CAINFO, file);
	bad |= curl_easy_setopt(c->easy, CURLOPT_CAPATH, NULL);
	return bad;
}

static bool
prepare(struct call *c, const struct call_request *rq)
{
	CURL *e = c->easy;
	char scheme[8];
	int bad = 0;

	if (!check_headers(rq) ||
	    !check_url(c, rq->url, scheme, sizeof scheme) ||
	    !make_lines(c, rq))
		return false;
	bad |= curl_easy_setopt(e, CURLOPT_URL, rq->url);
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, scheme);
	/* Who would open a connection waits for one that is being made. */
	bad |= curl_easy_setopt(e, CURLOPT_PIPEWAIT,
	    (long)(strcmp(scheme, "https") == 0));
	bad |= curl_easy_setopt(e, CURLOPT_HTTPHEADER,
	    (struct curl_slist *)c->lines);
	bad |= set_method(c, rq);
	bad |= set_trust(c);
	c->connect_timeout = rq->connect_timeout;
	c->bytes_timeout = rq->bytes_timeout;
	c->private_net = rq->private_net;
	c->connected = c->first_byte = -1;
	c->why = -1;
	return bad == 0;
}

/* --- sockets ----------------------------------------------------------- */

static void on_ready_socket(struct ready *, int);

static struct watch *
watch_of(const struct transport *t, curl_socket_t fd)
{
	return (size_t)fd < t->watches_size ? t->watches[fd] : NULL;
}

static void
watch_end(struct transport *t, curl_socket_t fd)
{
	struct watch *w = t->watches[fd];

	t->watches[fd] = NULL;
	ready_forget(&w->ready);
	free(w);
}

/* Room in the table for a descriptor. */
static bool
watch_room(struct transport *t, size_t fd)
{
	size_t size = t->watches_size == 0 ? 64 : t->watches_size;
	struct watch **p;

	if (fd < t->watches_size)
		return true;
	while (size <= fd)
		size *= 2;
	p = realloc(t->watches, size * sizeof *p);
	if (p == NULL)
		return false;
	memset(p + t->watches_size, 0,
	    (size - t->watches_size) * sizeof *p);
	t->watches = p;
	t->watches_size = size;
	return true;
}

static struct watch *
watch_new(struct transport *t, curl_socket_t fd)
{
	struct watch *w;

	if (!watch_room(t, (size_t)fd))
		return NULL;
	if (t->watches[fd] != NULL) /* closed without a word */
		watch_end(t, fd);
	w = calloc(1, sizeof *w);
	if (w == NULL)
		return NULL;
	w->transport = t;
	ready_init(&w->ready, t->ready, fd, on_ready_socket);
	w->ready.data = w;
	t->watches[fd] = w;
	return w;
}

/* --- libcurl's callbacks ----------------------------------------------- */

static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *sa)
{
	const struct call *c = arg;
	struct watch *w;
	int fd;

	(void)purpose;
	if (!address_allowed(&sa->addr, c->private_net, c->host))
		return CURL_SOCKET_BAD;
	fd = socket(sa->family, sa->socktype | SOCK_CLOEXEC, sa->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	w = watch_new(c->transport, fd);
	if (w == NULL) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	w->ours = true;
	return fd;
}

static int
on_close(void *arg, curl_socket_t fd)
{
	struct transport *t = arg;

	if (watch_of(t, fd) != NULL)
		watch_end(t, fd);
	return close(fd);
}

/*
 * A connection stands and the request is written next. On a connection that
 * another call made the address was checked for that call, so it is checked
 * again. A second time here means that libcurl wants to send again because a
 * used connection died before an answer; the provider may have taken the
 * request (and charge for it), so that is not the transport's to decide.
 */
static int
on_ready(void *arg, char *ip, char *own_ip, int port, int own_port)
{
	struct call *c = arg;

	(void)own_ip;
	(void)port;
	(void)own_port;
	if (c->dead || !address_text_allowed(ip, c->private_net, c->host))
		return CURL_PREREQFUNC_ABORT;
	if (c->sent)
		return c->idempotent ? CURL_PREREQFUNC_OK :
				       CURL_PREREQFUNC_ABORT;
	c->sent = true;
	c->alive = clock_mono();
	c->connected = c->alive - c->started;
	arm_sweep(c);
	c->sink.sent(c->arg);
	return c->dead ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* Asked for with large bodies only: the provider takes them. */
static int
on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow,
    curl_off_t ultotal, curl_off_t ulnow)
{
	struct call *c = arg;

	(void)dltotal;
	(void)dlnow;
	(void)ultotal;
	if (c->uploaded != ulnow) {
		c->uploaded = ulnow;
		c->alive = clock_mono();
	}
	return c->dead;
}

/* The empty line: an interim answer is forgotten, a final one delivered. */
static bool
end_of_head(struct call *c)
{
	long status = 0;

	c->in_head = false;
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 100 && status < 200 && status != 101) {
		headers_drop(&c->headers);
		c->first_byte = -1;
		return true;
	}
	if (status < 200 || status > 599) {
		c->why = CALL_BROKEN;
		return false;
	}
	c->headed = true;
	c->sink.head(c->arg, c, (int)status);
	return !c->dead;
}

/* A line of a head, interim or final, or of trailers (counted, not kept). */
static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t len = size * n;

	if (c->dead)
		return 0;
	c->alive = clock_mono();
	switch (headers_line(&c->headers, line, len,
	    c->in_head && !c->headed)) {
	case HEADERS_TOO_LARGE:
		c->why = CALL_TOO_LARGE;
		return 0;
	case HEADERS_MEMORY:
		c->why = CALL_MEMORY;
		return 0;
	case HEADERS_OK:
		break;
	}
	if (c->headed)
		return len;
	if (!c->in_head) { /* the status line */
		c->in_head = true;
		c->first_byte = c->alive - c->started;
		return len;
	}
	if (line[0] != '\r' && line[0] != '\n')
		return len;
	return end_of_head(c) ? len : 0;
}

/*
 * A pause takes the bytes at hand. What libcurl had already read it keeps and
 * brings again: over HTTP/1 a buffer's rest, over HTTP/2 up to the stream's
 * window (32 MB, fixed by libcurl), so that other streams of the connection
 * go on.
 */
static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t len = size * n;

	if (c->dead || !c->headed)
		return 0;
	c->alive = clock_mono();
	if (c->paused)
		return CURL_WRITEFUNC_PAUSE;
	if (!c->sink.data(c->arg, c, bytes, len)) {
		c->paused = true;
		(void)curl_easy_pause(c->easy, CURLPAUSE_RECV);
	}
	return c->dead ? 0 : len;
}

/* --- how it ended ------------------------------------------------------ */

static const struct {
	CURLcode code;
	enum call_end end;
} ends[] = {
	{ CURLE_OK, CALL_OK },
	{ CURLE_OUT_OF_MEMORY, CALL_MEMORY },
	{ CURLE_FAILED_INIT, CALL_MEMORY },
	{ CURLE_UNSUPPORTED_PROTOCOL, CALL_CONNECT },
	{ CURLE_URL_MALFORMAT, CALL_CONNECT },
	{ CURLE_COULDNT_RESOLVE_HOST, CALL_CONNECT },
	{ CURLE_COULDNT_CONNECT, CALL_CONNECT },
	{ CURLE_SSL_CONNECT_ERROR, CALL_CONNECT },
	{ CURLE_SSL_CERTPROBLEM, CALL_CONNECT },
	{ CURLE_SSL_CIPHER, CALL_CONNECT },
	{ CURLE_SSL_CACERT_BADFILE, CALL_CONNECT },
	{ CURLE_SSL_ISSUER_ERROR, CALL_CONNECT },
	{ CURLE_SSL_INVALIDCERTSTATUS, CALL_CONNECT },
	{ CURLE_PEER_FAILED_VERIFICATION, CALL_CONNECT },
	{ CURLE_OPERATION_TIMEDOUT, CALL_TIMEOUT_BYTES },
};

static enum call_end
end_of_code(CURLcode code)
{
	size_t i;

	for (i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (ends[i].code == code)
			return ends[i].end;
	return CALL_BROKEN;
}

/* What libcurl says, read with what the call has seen. */
static enum call_end
end_of(const struct call *c, CURLcode code)
{
	enum call_end end;

	if (c->why >= 0)
		return (enum call_end)c->why;
	end = end_of_code(code);
	/* A header line over libcurl's own bound also "lacks memory". */
	if (end == CALL_MEMORY && c->sent && !c->headed)
		return CALL_TOO_LARGE;
	if (end == CALL_MEMORY)
		return end;
	if (!c->sent)
		return end == CALL_TIMEOUT_BYTES ? CALL_TIMEOUT_CONNECT :
						   CALL_CONNECT;
	/* Once sent a call is not "not connected", whatever went wrong. */
	if (end == CALL_CONNECT || (end == CALL_OK && !c->headed))
		return CALL_BROKEN;
	return end;
}

static void
finish(CURLMsg *m)
{
	CURLcode result = m->data.result; /* m goes with the handle */
	char *p = NULL;

	(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
	end_call((struct call *)(void *)p,
	    end_of((struct call *)(void *)p, result));
}

/* --- what waited ------------------------------------------------------- */

static bool
add(struct call *c)
{
	if (curl_multi_add_handle(c->transport->multi, c->easy) != CURLM_OK)
		return false;
	c->added = true;
	bound_connections(c->transport);
	return true;
}

static void
resume(struct call *c)
{
	CURLcode code;

	c->paused = false;
	c->alive = clock_mono();
	arm_sweep(c);
	if (c->ended) {
		call_done(c);
		return;
	}
	/* It may call on_body here and now. */
	code = curl_easy_pause(c->easy, CURLPAUSE_CONT);
	if (code != CURLE_OK && !c->dead)
		end_call(c, end_of(c, code));
}

/* One thing that a queued call wants; it may be gone afterwards. */
static void
serve(struct call *c)
{
	TAILQ_REMOVE(&c->transport->queue, c, wait);
	c->queued = false;
	if (c->dead) {
		retire(c);
	} else if (c->wants_end) {
		end_call(c, CALL_MEMORY);
	} else if (c->wants_add) {
		c->wants_add = false;
		if (!add(c))
			end_call(c, CALL_MEMORY);
	} else if (c->wants_resume) {
		c->wants_resume = false;
		if (c->paused)
			resume(c);
	}
}

static void shut(struct transport *);

/* Outermost: end what is done, do what waited, until nothing is left. */
static void
leave(struct transport *t)
{
	CURLMsg *m;
	struct call *c;
	int left;

	if (t->inside == 1) {
		for (;;) {
			m = curl_multi_info_read(t->multi, &left);
			c = TAILQ_FIRST(&t->queue);
			if (m != NULL && m->msg == CURLMSG_DONE)
				finish(m);
			else if (c != NULL)
				serve(c);
			else
				break;
		}
		if (t->closing && !t->closed)
			shut(t);
	}
	t->inside--;
}

/* --- the loop ---------------------------------------------------------- */

static void
run_curl(struct transport *t, curl_socket_t fd, int what)
{
	int running;

	enter(t);
	(void)curl_multi_socket_action(t->multi, fd, what, &running);
	leave(t);
}

static void
on_ready_socket(struct ready *r, int events)
{
	struct watch *w = r->data;
	struct transport *t = w->transport;
	curl_socket_t fd = r->fd;
	int what = 0;

	if (w->wanted == 0) { /* the peer closes an idle connection */
		(void)ready_watch(r, 0);
		return;
	}
	/*
	 * It is not watched after an error. What came before it may still be
	 * unread, so libcurl is to read, not to be told of the error.
	 */
	if (events == READY_ERROR)
		events = UV_READABLE | UV_WRITABLE;
	if (events & UV_READABLE)
		what |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		what |= CURL_CSELECT_OUT;
	run_curl(t, fd, what);
	w = watch_of(t, fd);
	if (w != NULL && w->wanted != 0 && w->ready.events == 0)
		(void)ready_watch(&w->ready, w->wanted);
}

/* No memory for a watch: this call cannot go on, the others can. */
static void
fail_call(CURL *easy)
{
	char *p = NULL;
	struct call *c;

	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &p) != CURLE_OK ||
	    p == NULL)
		return;
	c = (struct call *)(void *)p;
	c->wants_end = true;
	enqueue(c);
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct transport *t = arg;
	struct watch *w = watch_of(t, fd);
	int events = ((what & CURL_POLL_IN) ? UV_READABLE : 0) |
	    ((what & CURL_POLL_OUT) ? UV_WRITABLE : 0);

	(void)assigned;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL && !w->ours)
			watch_end(t, fd);
		else if (w != NULL)
			w->wanted = 0;
		return 0;
	}
	if (w == NULL)
		w = watch_new(t, fd);
	if (w == NULL || !ready_watch(&w->ready, events))
		fail_call(easy);
	else
		w->wanted = events;
	return 0;
}

static void on_curl_timer(uv_timer_t *);

static int
on_timer(CURLM *multi, long ms, void *arg)
{
	struct transport *t = arg;

	(void)multi;
	if (ms < 0)
		uv_timer_stop(&t->curl_timer);
	else
		uv_timer_start(&t->curl_timer, on_curl_timer,
		    ms > 0 ? (uint64_t)ms + 1 : 0, 0);
	return 0;
}

/*
 * libcurl sets its timer again only when the time changes: if this one came
 * too early (the loop's clock lags behind while callbacks run) it would be
 * the last.
 */
static void
on_curl_timer(uv_timer_t *timer)
{
	struct transport *t = timer->data;
	long ms = -1;

	run_curl(t, CURL_SOCKET_TIMEOUT, 0);
	if (t->closed || uv_is_active((uv_handle_t *)timer))
		return;
	(void)curl_multi_timeout(t->multi, &ms);
	if (ms >= 0)
		(void)on_timer(t->multi, ms, t);
}

/* Callers asked for something while libcurl was not running. */
static void
on_kick(uv_timer_t *timer)
{
	struct transport *t = timer->data;

	enter(t);
	leave(t);
}

static void
kick(struct transport *t)
{
	if (t->inside == 0)
		uv_timer_start(&t->kick_timer, on_kick, 0, 0);
}

/* --- birth and death --------------------------------------------------- */

static void
set_ca_default(struct transport *t)
{
	CURL *e = curl_easy_init();
	char *file = NULL;

	if (e == NULL)
		return;
	(void)curl_easy_getinfo(e, CURLINFO_CAINFO, &file);
	if (file != NULL && access(file, R_OK) == 0)
		t->ca_default = strdup(file);
	curl_easy_cleanup(e);
}

static void
transport_destroy(struct transport *t)
{
	size_t i;

	if (t->multi != NULL)
		(void)curl_multi_cleanup(t->multi);
	if (t->share != NULL)
		(void)curl_share_cleanup(t->share);
	curl_url_cleanup(t->url);
	free(t->ca_file);
	free(t->ca_default);
	for (i = 0; i < KNOWN_URLS; i++)
		free(t->known[i].url);
	free(t->watches);
	free(t);
	curl_global_cleanup();
}

static bool
set_multi(struct transport *t)
{
	int bad = 0;

	t->multi = curl_multi_init();
	t->share = curl_share_init();
	t->url = curl_url();
	if (t->multi == NULL || t->share == NULL || t->url == NULL)
		return false;
	bad |= curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	bad |= curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
	bad |= curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	bad |= curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
	bad |= curl_multi_setopt(t->multi, CURLMOPT_PIPELINING,
	    CURLPIPE_MULTIPLEX);
	bad |= (int)curl_share_setopt(t->share, CURLSHOPT_SHARE,
	    CURL_LOCK_DATA_SSL_SESSION);
	return bad == 0;
}

static void
timer_init(struct transport *t, uv_timer_t *timer)
{
	uv_timer_init(t->loop, timer);
	timer->data = t;
	t->handles++;
}

struct transport *
transport_new(uv_loop_t *loop)
{
	struct transport *t;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	t = calloc(1, sizeof *t);
	if (t == NULL) {
		curl_global_cleanup();
		return NULL;
	}
	t->loop = loop;
	t->sweep_at = INT64_MAX;
	TAILQ_INIT(&t->running);
	TAILQ_INIT(&t->queue);
	TAILQ_INIT(&t->idle);
	if (!set_multi(t) || (t->ready = ready_set_new(loop)) == NULL) {
		transport_destroy(t);
		return NULL;
	}
	t->handles++;
	set_ca_default(t);
	timer_init(t, &t->curl_timer);
	timer_init(t, &t->sweep_timer);
	timer_init(t, &t->kick_timer);
	return t;
}

/* The last handle closed. */
static void
shut_end(struct transport *t)
{
	if (t->closed && t->handles == 0)
		transport_destroy(t);
}

static void
on_timer_closed(uv_handle_t *h)
{
	struct transport *t = h->data;

	t->handles--;
	shut_end(t);
}

static void
on_ready_freed(void *arg)
{
	struct transport *t = arg;

	t->handles--;
	shut_end(t);
}

static void
shut(struct transport *t)
{
	struct call *c;
	size_t fd;

	t->closed = true;
	while ((c = TAILQ_FIRST(&t->running)) != NULL) {
		c->dead = true;
		retire(c);
	}
	while ((c = TAILQ_FIRST(&t->idle)) != NULL) {
		TAILQ_REMOVE(&t->idle, c, entry);
		call_free(c);
	}
	(void)curl_multi_cleanup(t->multi);
	t->multi = NULL;
	for (fd = 0; fd < t->watches_size; fd++)
		if (t->watches[fd] != NULL)
			watch_end(t, (curl_socket_t)fd);
	ready_set_free(t->ready, on_ready_freed, t);
	uv_close((uv_handle_t *)&t->curl_timer, on_timer_closed);
	uv_close((uv_handle_t *)&t->sweep_timer, on_timer_closed);
	uv_close((uv_handle_t *)&t->kick_timer, on_timer_closed);
}

void
transport_free(struct transport *t)
{
	if (t == NULL || t->closing)
		return;
	t->closing = true;
	enter(t);
	leave(t);
}

/* --- the contract ------------------------------------------------------ */

struct call *
transport_start(struct transport *t, const struct call_request *rq,
    const struct call_sink *sink, void *arg)
{
	struct call *c;

	if (t->closing)
		return NULL;
	c = call_take(t);
	if (c == NULL)
		return NULL;
	if (!prepare(c, rq)) {
		call_put(c);
		return NULL;
	}
	c->sink = *sink;
	c->arg = arg;
	c->started = clock_mono();
	TAILQ_INSERT_TAIL(&t->running, c, entry);
	t->active++;
	c->wants_add = true;
	enqueue(c);
	kick(t);
	arm_sweep(c);
	return c;
}

void
call_resume(struct call *c)
{
	if (c->dead)
		return;
	c->wants_resume = true;
	enqueue(c);
	kick(c->transport);
}

void
transport_cancel(struct call *c)
{
	struct transport *t = c->transport;

	if (c->dead)
		return;
	c->dead = true;
	enqueue(c);
	enter(t);
	leave(t);
}

const char *
call_header(const struct call *c, const char *name)
{
	return headers_get(&c->headers, name);
}

int64_t
call_connect_time(const struct call *c)
{
	return c->connected;
}

int64_t
call_first_byte_time(const struct call *c)
{
	return c->first_byte;
}

size_t
transport_active(const struct transport *t)
{
	return t->active;
}

void
transport_ca_file(struct transport *t, const char *path)
{
	free(t->ca_file);
	t->ca_file = path != NULL ? strdup(path) : NULL;
}
