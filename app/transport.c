/*
 * The transport: libcurl's multi-socket interface on a libuv loop. It moves
 * bytes and keeps time; it knows no dialect, reads no policy and never
 * decides to try again.
 *
 * libcurl must not be entered from its own callbacks, and a call must not
 * vanish under the callback that uses it. So whatever enters libcurl or calls
 * a sink stands between transport_enter() and transport_leave(); what callers
 * ask for meanwhile (start, resume, cancel) waits in a queue that the latter
 * works off.
 *
 * Times: libcurl's own connect timeout does not reach a call that waits for
 * another call's connection, and it knows no silence; both are kept here by
 * one timer set to the earliest deadline of all calls.
 */
#include "app/transport_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "app/base/clock.h"

/* Connections kept beside those in use. */
#define IDLE_CONNECTIONS 128
/* Deadlines that close together are looked at together, ms. */
#define SWEEP_GRAIN 10

void
transport_enter(struct transport *t)
{
	t->inside++;
}

void
call_enqueue(struct call *c)
{
	if (!c->queued)
		TAILQ_INSERT_TAIL(&c->transport->queue, c, wait);
	c->queued = true;
}

/* --- ends -------------------------------------------------------------- */

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

/* It is over; done comes now, or after what is held was taken. */
static void
call_end(struct call *c, enum call_end end)
{
	c->end = end;
	c->ended = true;
	detach(c);
	if (c->paused && !c->dead)
		return;
	call_done(c);
}

static void
finish(CURLMsg *m)
{
	CURLcode result = m->data.result; /* m goes with the handle */
	char *p = NULL;

	(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
	call_end((struct call *)(void *)p,
	    call_end_of((struct call *)(void *)p, result));
}

/* --- time limits ------------------------------------------------------- */

/* When the call has waited too long, µs. */
static int64_t
deadline(const struct call *c)
{
	if (c->paused || c->starved || c->ended || c->dead)
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
void
call_arm(struct call *c)
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
	transport_enter(t);
	/* No call but c leaves the list here: cancels wait. */
	for (c = TAILQ_FIRST(&t->running); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		at = deadline(c);
		if (at <= now)
			call_end(c, c->sent ? CALL_TIMEOUT_BYTES :
					      CALL_TIMEOUT_CONNECT);
		else if (at < first)
			first = at;
	}
	sweep_by(t, first);
	transport_leave(t);
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
	call_arm(c);
	call_deliver(c);
	if (c->paused || c->dead)
		return;
	if (c->ended) {
		call_done(c);
		return;
	}
	if (c->shared)
		return;
	/* It may call on_body here and now. */
	code = curl_easy_pause(c->easy, c->starved ? CURLPAUSE_SEND :
	    CURLPAUSE_CONT);
	if (code != CURLE_OK && !c->dead)
		call_end(c, call_end_of(c, code));
}

/* An upload goes on; what is paused of the answer stays so. */
static void
feed(struct call *c)
{
	CURLcode code;

	c->starved = false;
	c->alive = clock_mono();
	call_arm(c);
	code = curl_easy_pause(c->easy, c->paused && !c->shared ?
	    CURLPAUSE_RECV : CURLPAUSE_CONT);
	if (code != CURLE_OK && !c->dead)
		call_end(c, call_end_of(c, code));
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
		call_end(c, CALL_MEMORY);
	} else if (c->wants_add) {
		c->wants_add = false;
		if (!add(c))
			call_end(c, CALL_MEMORY);
	} else if (c->wants_resume) {
		c->wants_resume = false;
		if (c->wants_feed)
			call_enqueue(c); /* after this */
		if (c->paused)
			resume(c);
	} else if (c->wants_feed) {
		c->wants_feed = false;
		if (c->starved && !c->ended)
			feed(c);
	}
}

static void shut(struct transport *);

/* Outermost: end what is done, do what waited, until nothing is left. */
void
transport_leave(struct transport *t)
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

/* Callers asked for something while libcurl was not running. */
static void
on_kick(uv_timer_t *timer)
{
	struct transport *t = timer->data;

	transport_enter(t);
	transport_leave(t);
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
	bad |= curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION,
	    transport_on_socket);
	bad |= curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
	bad |= curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, transport_on_timer);
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
	transport_unwatch(t);
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
	transport_enter(t);
	transport_leave(t);
}

/* --- the contract ------------------------------------------------------ */

struct call *
transport_start(struct transport *t, const struct call_request *rq,
    const struct call_sink *sink, void *arg)
{
	struct call *c;

	if (t->closing)
		return NULL;
	c = call_take(t, strncasecmp(rq->url, "https:", 6) == 0);
	if (c == NULL)
		return NULL;
	if (!call_prepare(c, rq)) {
		call_put(c);
		return NULL;
	}
	c->sink = *sink;
	c->arg = arg;
	c->started = clock_mono();
	TAILQ_INSERT_TAIL(&t->running, c, entry);
	t->active++;
	c->wants_add = true;
	call_enqueue(c);
	kick(t);
	call_arm(c);
	return c;
}

void
call_resume(struct call *c)
{
	if (c->dead)
		return;
	c->wants_resume = true;
	call_enqueue(c);
	kick(c->transport);
}

void
call_feed(struct call *c)
{
	if (c->dead || !c->starved)
		return;
	c->wants_feed = true;
	call_enqueue(c);
	kick(c->transport);
}

void
transport_cancel(struct call *c)
{
	struct transport *t = c->transport;

	if (c->dead)
		return;
	c->dead = true;
	call_enqueue(c);
	transport_enter(t);
	transport_leave(t);
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
