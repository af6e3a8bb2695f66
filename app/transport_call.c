/*
 * A call's handle of libcurl: made, kept, given back; what libcurl tells of
 * it; and how its end is read. Decides nothing about time or other calls.
 */
#include "config.h"

#include "app/transport_int.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "app/address.h"
#include "app/base/clock.h"
#include "app/base/limits.h"

/* Handles kept for later calls. */
#define IDLE_CALLS 64
/*
 * A connection idle for longer is not used again: shorter than what servers
 * and balancers usually allow (60 s and more), so that a request seldom meets
 * the peer's close.
 */
#define IDLE_SECONDS 50L
#define NAME_CACHE_SECONDS 60L
#define KEEPALIVE_SECONDS 60L
/*
 * A read; also the memory of a running call for reading. With HTTP/2 (https
 * alone speaks it here) a whole frame is to fit, lest it stops the connection
 * until it was taken; and libcurl may refuse to resize a used handle.
 */
#define READ_BYTES 2048L
#define READ_BYTES_TLS 16384L
#define WRITE_BYTES 16384L

/* --- bytes held -------------------------------------------------------- */

/*
 * Over HTTP/2 libcurl 7.88 may leave a stream asleep that was paused and
 * goes on, and what it keeps of one is bounded by nothing but its window of
 * 32 MB. So there a paused call holds its bytes here, and is ended when they
 * are too many.
 */
static size_t
hold(struct call *c, const char *bytes, size_t len)
{
	struct transport *t = c->transport;
	struct piece *p;

	if (len > LIMIT_CALL_HELD - c->held_bytes ||
	    len > LIMIT_CALLS_HELD - t->held) {
		c->why = CALL_TOO_LARGE;
		return 0;
	}
	p = malloc(sizeof *p + len);
	if (p == NULL) {
		c->why = CALL_MEMORY;
		return 0;
	}
	p->len = len;
	memcpy(p->bytes, bytes, len);
	STAILQ_INSERT_TAIL(&c->held, p, next);
	c->held_bytes += len;
	t->held += len;
	return len;
}

/* The first piece, taken out; NULL when nothing is held. */
static struct piece *
take_piece(struct call *c)
{
	struct piece *p = STAILQ_FIRST(&c->held);

	if (p == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&c->held, next);
	c->held_bytes -= p->len;
	c->transport->held -= p->len;
	return p;
}

void
call_deliver(struct call *c)
{
	struct piece *p;

	while (!c->paused && !c->dead && (p = take_piece(c)) != NULL) {
		c->paused = !c->sink.data(c->arg, c, p->bytes, p->len);
		free(p);
	}
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
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_TCP_NODELAY, 1 },
	{ CURLOPT_TCP_KEEPALIVE, 1 },
	{ CURLOPT_TCP_KEEPIDLE, KEEPALIVE_SECONDS },
	{ CURLOPT_TCP_KEEPINTVL, KEEPALIVE_SECONDS / 2 },
	{ CURLOPT_DNS_CACHE_TIMEOUT, NAME_CACHE_SECONDS },
	{ CURLOPT_MAXAGE_CONN, IDLE_SECONDS },
	{ CURLOPT_UPLOAD_BUFFERSIZE, WRITE_BYTES },
	{ CURLOPT_CONNECTTIMEOUT_MS, INT_MAX }, /* kept by the sweep */
};

static size_t on_header(char *, size_t, size_t, void *);
static size_t on_body(char *, size_t, size_t, void *);
static int on_ready(void *, char *, char *, int, int);
static int on_progress(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

/* What never changes from call to call. */
static bool
set_fixed(struct call *c)
{
	CURL *e = c->easy;
	int bad = 0;
	size_t i;

	for (i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		bad |= curl_easy_setopt(e, fixed[i].option, fixed[i].value);
	bad |= curl_easy_setopt(e, CURLOPT_BUFFERSIZE,
	    c->tls ? READ_BYTES_TLS : READ_BYTES);
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
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, transport_on_open);
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
	bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, transport_on_close);
	bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, c->transport);
	return bad == 0;
}

void
call_free(struct call *c)
{
	curl_easy_cleanup(c->easy);
	headers_free(&c->headers);
	free(c);
}

static struct call *
call_new(struct transport *t, bool tls)
{
	struct call *c;

	c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->transport = t;
	c->tls = tls;
	headers_init(&c->headers);
	STAILQ_INIT(&c->held);
	c->easy = curl_easy_init();
	if (c->easy == NULL || !set_fixed(c)) {
		call_free(c);
		return NULL;
	}
	return c;
}

/* A call from the idle ones, or a new one; in no list. */
struct call *
call_take(struct transport *t, bool tls)
{
	struct call *c;

	c = TAILQ_FIRST(&t->idle);
	while (c != NULL && c->tls != tls)
		c = TAILQ_NEXT(c, entry);
	if (c == NULL)
		return call_new(t, tls);
	TAILQ_REMOVE(&t->idle, c, entry);
	t->idle_count--;
	*c = (struct call){ .transport = t, .easy = c->easy,
		.headers = c->headers, .tls = tls };
	STAILQ_INIT(&c->held);
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
void
call_put(struct call *c)
{
	struct transport *t = c->transport;
	struct piece *p;

	forget_request(c);
	headers_reset(&c->headers);
	while ((p = take_piece(c)) != NULL)
		free(p);
	if (t->closing || t->idle_count >= IDLE_CALLS) {
		call_free(c);
		return;
	}
	TAILQ_INSERT_HEAD(&t->idle, c, entry);
	t->idle_count++;
}

/* --- libcurl's callbacks ----------------------------------------------- */

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
	call_arm(c);
	c->sink.sent(c->arg);
	return c->dead ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

size_t
call_on_read(char *to, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t room = size * n, got;

	if (c->dead)
		return CURL_READFUNC_ABORT;
	if (c->prefix_len > 0) {
		got = room < c->prefix_len ? room : c->prefix_len;
		memcpy(to, c->prefix, got);
		c->prefix += got;
		c->prefix_len -= got;
		return got;
	}
	got = c->sink.more(c->arg, to, room);
	c->starved = got == CALL_LATER;
	if (c->dead || got == CALL_OFF)
		return CURL_READFUNC_ABORT;
	return c->starved ? CURL_READFUNC_PAUSE : got;
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
	long status = 0, version = 0;

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
	(void)curl_easy_getinfo(c->easy, CURLINFO_HTTP_VERSION, &version);
	c->shared = version >= CURL_HTTP_VERSION_2_0;
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

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t len = size * n;

	if (c->dead || !c->headed)
		return 0;
	c->alive = clock_mono();
	if (c->paused && c->shared)
		return hold(c, bytes, len);
	if (c->paused)
		return CURL_WRITEFUNC_PAUSE; /* a rest that was read before */
	if (!c->sink.data(c->arg, c, bytes, len)) {
		c->paused = true;
		if (!c->shared)
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
enum call_end
call_end_of(const struct call *c, CURLcode code)
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
