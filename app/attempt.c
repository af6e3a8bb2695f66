/* One try at one deployment, from its credential to its end. */
#include "app/attempt.h"

#include <string.h>

#include "app/admit.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/credential.h"
#include "app/forward.h"
#include "app/health.h"
#include "app/relay.h"
#include "app/sigv4.h"
#include "app/upload.h"
#include "app/worker.h"

/* How the end of a call counts, when no answer tells it better. */
static const struct {
	unsigned fail;
	const char *reason;
} ends[] = {
	[CALL_OK] = { 0, "" },
	[CALL_CONNECT] = { FAIL_CONNECT, "connect" },
	[CALL_TIMEOUT_CONNECT] = { FAIL_CONNECT | FAIL_TIMEOUT,
	    "connect_timeout" },
	[CALL_TIMEOUT_BYTES] = { FAIL_TIMEOUT, "bytes_timeout" },
	[CALL_BROKEN] = { FAIL_BROKEN, "broken" },
	[CALL_TOO_LARGE] = { FAIL_BROKEN, "too_large" },
	[CALL_MEMORY] = { FAIL_BROKEN, "memory" },
};

/* ------------------------------------------------------------ endings */

/*
 * From sent to first content. What lost its race before any would have taken
 * longer than it did.
 */
static int64_t
ttft(const struct attempt *at)
{
	if (at->sent == 0)
		return 0;
	if (at->first_content != 0)
		return at->first_content - at->sent;
	return at->lost ? at->ended - at->sent : 0;
}

/* What its deployment's health learns of it. */
static void
tell_health(const struct attempt *at)
{
	const struct usage *u = &at->usage;
	bool counted = u->known && !u->estimated;
	struct outcome o = {
		.served = at->served,
		.silent = at->excused || (!at->served && (at->fail == 0 ||
		    (at->fail & (FAIL_REQUEST | FAIL_CONTEXT |
		    FAIL_CONTENT)) != 0)),
		.probe = at->probe,
		.whole = !at->request->chat.stream,
		.fail = at->fail,
		.rest = at->rest,
		.ttft = ttft(at),
		.tokens = counted ? usage_output(u) : 0,
		.duration = at->first_content == 0 ? 0 :
		    at->ended - at->first_content,
		.input = counted ? usage_input(u) : 0,
		.cached = counted ? u->n[UNIT_CACHED_INPUT] : 0,
	};

	health_end(at->request->worker->health, at->deployment, &o,
	    at->ended);
}

void
attempt_close(struct attempt *at)
{
	if (at->ended != 0)
		return;
	at->ended = clock_mono();
	at->request->forward->running--;
	at->request->worker->drains -= at->draining;
	tokens_leave(&at->wait);
	if (at->call != NULL)
		transport_cancel(at->call);
	at->call = NULL;
	if (at->streaming)
		frames_free(&at->frames);
	else if (at->judged)
		buf_free(&at->body);
	if (at != at->request->forward->winner)
		buf_free(&at->out);
	meter_free(&at->meter);
	relay_settle(at);
	tell_health(at);
	arena_free(at->arena);
	at->arena = NULL;
}

void
attempt_fails(struct attempt *at, unsigned fail, const char *reason)
{
	struct upstream_error *e = &at->error;

	at->fail = fail;
	at->reason = reason;
	memset(e, 0, sizeof *e);
	e->fail = fail;
	e->message = e->type = e->code = e->param = "";
	forward_failed(at);
}

void
attempt_give_up(struct attempt *at, const char *reason)
{
	if (at->ended != 0)
		return;
	at->reason = reason;
	at->left = true;
	attempt_close(at);
}

bool
attempt_drain(struct attempt *at)
{
	struct worker *w = at->request->worker;

	if (at->ended != 0 || at->sent == 0 || at->uploading ||
	    w->drains >= LIMIT_DRAINS ||
	    at->deployment->provider->on_abort != ABORT_DRAIN)
		return false;
	at->draining = true;
	w->drains++;
	return true;
}

const char *
attempt_redacted(const struct attempt *at, const char *words)
{
	char *p = words == NULL ? NULL : arena_str(at->request->arena, words);

	if (p == NULL)
		return "";
	credential_redact(at->deployment->provider, &at->token, p);
	return p;
}

/* ------------------------------------------------------------- limits */

static void
sooner(int64_t *when, int64_t from, int64_t after)
{
	if (from != 0 && after != 0 && from + after < *when)
		*when = from + after;
}

int64_t
attempt_due(const struct attempt *at)
{
	const struct request *r = at->request;
	const struct timeouts *t = r->plan.timeouts;
	int64_t when = INT64_MAX;

	if (at->call == NULL) /* its credential is on the way */
		sooner(&when, at->started, t->connect);
	if (at->uploading) /* the transport looks after that */
		return when;
	if (at->first_content == 0)
		sooner(&when, at->sent, r->chat.stream ? t->first_token :
		    at->first_byte == 0 ? t->first_byte : 0);
	else if (!r->full)
		sooner(&when, at->content, t->idle);
	if (!r->chat.stream && at->status != 0)
		sooner(&when, at->last_byte, t->bytes);
	return when;
}

const char *
attempt_overdue(const struct attempt *at, int64_t now)
{
	const struct request *r = at->request;
	const struct timeouts *t = r->plan.timeouts;
	int64_t first = r->chat.stream ? t->first_token : t->first_byte;

	if (at->call == NULL && t->connect != 0 &&
	    now >= at->started + t->connect)
		return "credential_timeout";
	if (at->uploading)
		return NULL;
	if (first != 0 && at->sent != 0 && now >= at->sent + first &&
	    (r->chat.stream ? at->first_content : at->first_byte) == 0)
		return r->chat.stream ? "first_token_timeout" :
		    "first_byte_timeout";
	if (t->idle != 0 && at->first_content != 0 && !r->full &&
	    now >= at->content + t->idle)
		return "idle_timeout";
	if (t->bytes != 0 && !r->chat.stream && at->status != 0 &&
	    now >= at->last_byte + t->bytes)
		return "bytes_timeout";
	return NULL;
}

/* ---------------------------------------------------------- transport */

void
attempt_uploaded(struct attempt *at)
{
	if (!at->uploading)
		return;
	at->uploading = false;
	at->sent = clock_mono();
	forward_uploaded(at->request);
}

static size_t
on_more(void *arg, char *to, size_t room)
{
	return upload_more(arg, to, room);
}

static void
on_sent(void *arg)
{
	struct attempt *at = arg;

	if (!admit_sent(at->request)) {
		attempt_fails(at, FAIL_BROKEN, "hold_over");
		return;
	}
	at->sent = clock_mono();
	forward_arm(at->request); /* the first token is due from here on */
}

static const char *
get_header(void *call, const char *name)
{
	return call_header(call, name);
}

/* Of a head that tells of an error: what may help, and how long to rest. */
static void
read_error_head(struct attempt *at, struct call *c)
{
	struct forward *fw = at->request->forward;
	const char *name = at->adapter->error_header, *type;

	at->date = clock_http_date(call_header(c, "date"));
	if (at->deployment->provider->auth == AUTH_SIGV4)
		name = SIGV4_ERROR_HEADER; /* whatever dialect is behind it */
	type = name == NULL ? NULL : call_header(c, name);
	if (name != NULL)
		at->error_type = arena_str(at->arena, type == NULL ? "" :
		    type);
	at->rest = retry_after(call_header(c, "retry-after-ms"),
	    call_header(c, "retry-after"), clock_wall());
	if (at->rest >= 0 &&
	    (fw->retry_after < 0 || at->rest < fw->retry_after))
		fw->retry_after = at->rest;
}

/* The length that a head tells, -1: none. */
static int64_t
length_of(const char *value)
{
	size_t len = value == NULL ? 0 : strlen(value);
	int64_t n = 0;
	size_t i;

	if (len == 0 || len > 15 || value[strspn(value, "0123456789")] != '\0')
		return -1;
	for (i = 0; i < len; i++)
		n = n * 10 + (value[i] - '0');
	return n;
}

/*
 * What of its head goes to a client that asked for the answer as it is: what
 * the body is. Not who answers, what it remembers of whom, where it is.
 */
static void
take_headers(struct attempt *at, struct call *c)
{
	static const char *const names[] = { "accept-ranges",
		"content-disposition", "content-encoding", "content-language",
		"content-range", "etag", "last-modified" };
	const char *value;
	size_t i;

	_Static_assert(sizeof names / sizeof names[0] == ATTEMPT_HEADERS,
	    "room for each");
	at->length = length_of(call_header(c, "content-length"));
	for (i = 0; i < ATTEMPT_HEADERS; i++) {
		value = call_header(c, names[i]);
		if (value != NULL)
			at->headers[at->header_count++] = (struct header){
				names[i], attempt_redacted(at, value) };
	}
}

static void
on_head(void *arg, struct call *c, int status)
{
	struct attempt *at = arg;

	at->status = status;
	at->last_byte = clock_mono();
	ratelimits_read(&at->limits, get_header, c, clock_wall());
	if (!at->request->chat.stream)
		forward_arm(at->request); /* the body's next byte is due */
	if (at->adapter->raw)
		take_headers(at, c);
	if (status >= 400)
		read_error_head(at, c);
}

/* The relay said that it cannot go on; without a word it was memory. */
static void
relay_failed(struct attempt *at)
{
	if (at->fail == 0)
		attempt_fails(at, FAIL_BROKEN, "memory");
	else
		forward_failed(at);
}

static bool
on_data(void *arg, struct call *c, const char *p, size_t len)
{
	struct attempt *at = arg;
	struct request *r = at->request;
	bool first = at->first_content == 0;

	(void)c;
	if (relay_data(at, p, len) != ERR_OK) {
		relay_failed(at);
		return true;
	}
	if (r->forward->whole || (first && at->first_content != 0))
		forward_arm(r); /* its grace; content and pings are due */
	return !r->full;
}

static void next_part(struct attempt *at);

static void
on_done(void *arg, enum call_end end)
{
	struct attempt *at = arg;

	at->call = NULL;
	if (end != CALL_OK && !at->request->forward->whole)
		attempt_fails(at, ends[end].fail, ends[end].reason);
	else if (relay_end(at) != ERR_OK)
		relay_failed(at);
	else if (at->part < at->parts && !at->request->gone)
		next_part(at);
	else
		forward_served(at);
}

static const struct call_sink sink = {
	.sent = on_sent,
	.head = on_head,
	.data = on_data,
	.more = on_more,
	.done = on_done,
};

/* ---------------------------------------------------------- beginning */

static struct call *
start_call(struct attempt *at, const struct http_call *hc)
{
	struct request *r = at->request;
	const struct timeouts *t = r->plan.timeouts;
	struct call_header headers[sizeof hc->headers /
	    sizeof hc->headers[0]];
	struct call_request rq = {
		.method = hc->method,
		.url = hc->url,
		.headers = headers,
		.header_count = hc->header_count,
		.body = hc->body,
		.body_len = hc->body_len,
		.connect_timeout = t->connect,
		.bytes_timeout = r->chat.stream ? t->bytes : 0,
		.private_net = at->deployment->provider->private_net,
	};
	size_t i;

	if (hc->rest) {
		upload_begin(r, at);
		at->uploading = true;
		rq.upload = upload_length(r);
		/* Neither the request nor its answer moves any more. */
		rq.bytes_timeout = t->first_byte;
	}

	for (i = 0; i < hc->header_count; i++) {
		headers[i].name = hc->headers[i].name;
		headers[i].value = hc->headers[i].value;
	}
	return transport_start(r->worker->transport, &rq, &sink, at);
}

/*
 * What the provider's dialect has no word for: refused where the policy is
 * strict, else left out and named in the answer's headers.
 */
static enum err
check_dropped(struct request *r, struct attempt *at)
{
	const struct adapter *to = at->adapter;
	const struct deployment *d = at->deployment;
	uint64_t takes = to->takes_of == NULL ? to->takes : to->takes_of(d);
	uint64_t lacks = to->lacks == NULL ? 0 : to->lacks(&r->chat, d);
	bool own = to == r->surface; /* all else goes on as it came */
	uint64_t left = r->chat.set & ((own ? 0 : ~takes) | lacks);
	size_t extras = own ? 0 : r->chat.extra_count;
	struct buf b;
	unsigned i;

	if (left == 0 && extras == 0)
		return ERR_OK;
	buf_init(&b, KIB(4));
	for (i = 0; i < PARAM_COUNT; i++)
		if ((left >> i & 1) != 0)
			buf_printf(&b, "%s%s", b.len > 0 ? ", " : "",
			    param_word(i));
	for (i = 0; i < extras; i++)
		buf_printf(&b, "%s%.64s", b.len > 0 ? ", " : "",
		    r->chat.extras[i]);
	at->dropped = b.failed ? "many" : arena_dup(r->arena, b.data, b.len);
	buf_free(&b);
	if (at->dropped == NULL)
		return ERR_INTERNAL;
	return r->plan.strict ? fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
	    "the provider cannot take: %s", at->dropped) : ERR_OK;
}

/* The request in the provider's dialect, with our credential. */
static enum err
write_call(struct request *r, struct attempt *at, struct http_call *hc)
{
	const struct provider *p = at->deployment->provider;
	bool own = at->adapter == r->surface;
	enum err e = ERR_OK;

	if (!own && !r->chat.whole)
		e = r->surface->read_chat(r->arena, &r->chat, &r->fault);
	if (e == ERR_OK && (!own || r->chat.task.door != NULL))
		e = check_dropped(r, at);
	hc->part = at->part;
	if (e == ERR_OK)
		e = at->adapter->write_request(at->arena, &r->chat,
		    at->deployment, hc, &r->fault);
	at->parts = hc->parts;
	return e == ERR_OK ? credential_add(at->arena, p, &at->token,
	    clock_wall(), hc) : e;
}

/* The cache may give the token up while the attempt needs it. */
static bool
keep_token(struct attempt *at, const struct token *t)
{
	struct arena *a = at->request->arena;

	at->token.bearer = arena_str(a, t->bearer);
	at->token.access_key = arena_str(a, t->access_key);
	at->token.secret_key = arena_str(a, t->secret_key);
	at->token.session_token = arena_str(a, t->session_token);
	at->token.skew = t->skew;
	return at->token.bearer != NULL && at->token.access_key != NULL &&
	    at->token.secret_key != NULL && at->token.session_token != NULL;
}

/* Send the request. */
static enum attempt_begun
attempt_send(struct attempt *at, const struct token *token)
{
	struct request *r = at->request;
	struct http_call hc;
	enum err e;

	memset(&hc, 0, sizeof hc);
	e = keep_token(at, token) ? write_call(r, at, &hc) :
	    fault_set(&r->fault, ERR_INTERNAL, NULL, "out of memory");
	if (e == ERR_OK) {
		at->call = start_call(at, &hc);
		if (at->call == NULL)
			e = fault_set(&r->fault, ERR_INTERNAL, NULL,
			    "the provider cannot be asked");
	}
	if (e == ERR_OK) {
		forward_arm(r);
		return ATTEMPT_RUNS;
	}
	attempt_give_up(at, "not_sent");
	r->err = e;
	return e == ERR_INTERNAL ? ATTEMPT_ERROR : ATTEMPT_UNSAID;
}

/* A part was answered: the next one, with the same credential. */
static void
next_part(struct attempt *at)
{
	struct http_call hc;

	memset(&hc, 0, sizeof hc);
	buf_free(&at->body);
	at->judged = false;
	at->first_byte = at->status = 0;
	if (write_call(at->request, at, &hc) == ERR_OK)
		at->call = start_call(at, &hc);
	if (at->call == NULL)
		attempt_fails(at, FAIL_BROKEN, "memory");
	else
		forward_arm(at->request);
}

enum attempt_begun
attempt_begin(struct attempt *at)
{
	struct token token;

	switch (tokens_get(at->request->worker->tokens,
	    at->deployment->provider, &token, &at->wait)) {
	case TOKEN_READY:
		return attempt_send(at, &token);
	case TOKEN_WAIT:
		forward_arm(at->request);
		return ATTEMPT_RUNS;
	case TOKEN_FAILED:
		break;
	}
	attempt_fails(at, FAIL_AUTH, "no_credential");
	return ATTEMPT_RUNS;
}

static void
on_token(void *arg)
{
	struct attempt *at = arg;
	enum attempt_begun begun = attempt_begin(at);

	if (begun != ATTEMPT_RUNS)
		forward_unsent(at, begun);
}

struct attempt *
attempt_new(struct request *r, const struct deployment *d)
{
	struct attempt *at = arena_zalloc(r->arena, sizeof *at);

	if (at == NULL)
		return NULL;
	at->arena = arena_new(LIMIT_ARENA);
	if (at->arena == NULL)
		return NULL;
	at->request = r;
	at->deployment = d;
	at->adapter = r->surface->raw ? r->surface :
	    adapter_for(r->chat.task.door, d->provider->adapter);
	at->started = clock_mono();
	at->cost = at->rest = at->date = at->length = -1;
	at->reason = "";
	at->wait.ready = on_token;
	at->wait.arg = at;
	at->reader = (struct stream){ .arena = at->arena,
		.scratch = r->worker->scratch, .chat = &r->chat,
		.deployment = d, .pieces = at->adapter != r->surface };
	at->writer = (struct stream){ .arena = r->arena,
		.scratch = r->worker->scratch, .chat = &r->chat };
	buf_init(&at->out, LIMIT_EVENT_LARGE * 4);
	r->forward->running++;
	return at;
}
