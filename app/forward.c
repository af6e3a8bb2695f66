/*
 * Attempts: start one, hear how it ends, decide what follows. The decision
 * stands in one place, next_or_fail.
 */
#include "app/forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/credential.h"
#include "app/health.h"
#include "app/relay.h"
#include "app/sigv4.h"
#include "app/worker.h"
#include "policy/estimate.h"

#define SECOND INT64_C(1000000)
#define MILLISECOND INT64_C(1000)
#define END_GRACE (1 * SECOND) /* from the end mark to the end of the call */

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

/*
 * What the client is told when all attempts have failed: the first row that
 * has a bit of the last failure. `words`: the provider's message is passed
 * on; `status`: its status too.
 */
static const struct {
	unsigned fail;
	enum err err;
	bool words, status;
} verdicts[] = {
	{ FAIL_AUTH, ERR_UPSTREAM, false, false },
	{ FAIL_REQUEST, ERR_BAD_REQUEST, true, true },
	{ FAIL_MISSING, ERR_MODEL_NOT_FOUND, true, false },
	{ FAIL_QUOTA, ERR_UPSTREAM, false, false }, /* ours, not the client's */
	{ FAIL_RATE, ERR_RATE_LIMIT, true, false },
	{ FAIL_TIMEOUT, ERR_TIMEOUT, false, false },
	{ FAIL_OVERLOAD, ERR_OVERLOADED, true, false },
	{ FAIL_SERVER, ERR_UPSTREAM, true, false },
	{ FAIL_CONNECT, ERR_BAD_UPSTREAM, false, false },
	{ ~0U, ERR_BAD_UPSTREAM, false, false },
};

static void next_or_fail(struct request *r);
static void arm(struct request *r);

/* ----------------------------------------------------------- endings */

/* All is said: let the way go on from the loop. */
static void
finished(struct request *r)
{
	r->forward->finished = true;
	if (r->timer_open)
		uv_timer_stop(&r->timer);
	worker_wake(r->worker, r);
}

/* The attempt is over; what the record needs of it stays. */
static void
attempt_close(struct attempt *at)
{
	if (at->ended != 0)
		return;
	at->ended = clock_mono();
	tokens_leave(&at->wait);
	if (at->call != NULL)
		transport_cancel(at->call);
	at->call = NULL;
	if (at->streaming)
		frames_free(&at->frames);
	else if (at->judged)
		buf_free(&at->body);
	relay_settle(at);
	arena_free(at->arena);
	at->arena = NULL;
}

static void
copy(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s);
}

/*
 * A provider's words without our credential; before they are cut to length,
 * lest a part of it stays.
 */
static const char *
redacted(struct request *r, const char *words)
{
	const struct attempt *at = r->forward->current;
	char *p = words == NULL ? NULL : arena_str(r->arena, words);

	if (p == NULL)
		return "";
	credential_redact(at->deployment->provider, &at->token, p);
	return p;
}

/* Turn the last failure into the client's error. */
static void
conclude(struct request *r)
{
	struct upstream_error *e = &r->forward->error;
	struct fault *f = &r->fault;
	const char *param = redacted(r, e->param);
	size_t i = 0;

	while ((verdicts[i].fail & e->fail) == 0 && verdicts[i].fail != ~0U)
		i++;
	r->err = verdicts[i].err;
	fault_set(f, r->err, param, "%s", err_row(r->err)->text);
	if (r->forward->retry_after >= 0 && (r->err == ERR_RATE_LIMIT ||
	    r->err == ERR_OVERLOADED))
		r->retry_after = (r->forward->retry_after + SECOND - 1) /
		    SECOND;
	if (verdicts[i].words) {
		if (*e->message != '\0')
			fault_set(f, r->err, param, "%s",
			    redacted(r, e->message));
		if ((e->fail & FAIL_REQUEST) != 0) {
			copy(f->type, sizeof f->type, redacted(r, e->type));
			copy(f->name, sizeof f->name, redacted(r, e->code));
		}
	}
	if (verdicts[i].status && e->status >= 400 && e->status < 500)
		f->status = e->status;
}

/* No attempt is left, or none may follow. */
static void
fail_request(struct request *r)
{
	conclude(r);
	if (r->forward->committed && !r->gone)
		relay_break(r);
	finished(r);
}

/* May the same deployment do better with a new token or a right clock? */
static bool
renewed(const struct attempt *at)
{
	const struct provider *p = at->deployment->provider;
	const struct upstream_error *e = &at->request->forward->error;
	struct tokens *t = at->request->worker->tokens;

	return (at->fail & FAIL_AUTH) != 0 &&
	    (tokens_skewed(t, p, e->type, e->message, at->date) ||
		tokens_refused(t, p));
}

/* The current attempt failed: at->fail and forward->error tell why. */
static void
attempt_failed(struct attempt *at)
{
	struct request *r = at->request;
	struct forward *fw = r->forward;

	attempt_close(at);
	/* A token may end early: the same deployment, with a new one. */
	if (!fw->renewed && !fw->committed && fw->next > 0 && renewed(at)) {
		fw->renewed = true;
		fw->next--;
		next_or_fail(r);
		return;
	}
	if (at->fail != 0)
		health_end(r->worker->health, at->deployment,
		    &(struct outcome){ .fail = at->fail, .rest = at->rest,
		    .silent = (at->fail & FAIL_REQUEST) != 0 }, at->ended);
	if (r->forward->committed)
		fail_request(r);
	else
		next_or_fail(r);
}

/* It failed for a reason of ours or of the wire. */
static void
attempt_fails(struct attempt *at, unsigned fail, const char *reason)
{
	struct upstream_error *e = &at->request->forward->error;

	at->fail = fail;
	at->reason = reason;
	memset(e, 0, sizeof *e);
	e->fail = fail;
	e->message = e->type = e->code = e->param = "";
	attempt_failed(at);
}

static void
attempt_served(struct attempt *at)
{
	struct request *r = at->request;

	attempt_close(at);
	health_end(r->worker->health, at->deployment,
	    &(struct outcome){ .served = true, .rest = -1 }, at->ended);
	finished(r);
}

/* ---------------------------------------------------------- transport */

static void
on_sent(void *arg)
{
	struct attempt *at = arg;

	at->sent = clock_mono();
	arm(at->request); /* the first token is due from here on */
}

static const char *
get_header(void *call, const char *name)
{
	return call_header(call, name);
}

static const char *
or_empty(const char *s)
{
	return s == NULL ? "" : s;
}

static void
on_head(void *arg, struct call *c, int status)
{
	struct attempt *at = arg;
	struct forward *fw = at->request->forward;
	const char *name;

	at->status = status;
	at->last_byte = clock_mono();
	ratelimits_read(&fw->limits, get_header, c, clock_wall());
	if (!at->request->chat.stream)
		arm(at->request); /* the next byte of the body is due */
	if (status < 400)
		return;
	at->date = clock_http_date(call_header(c, "date"));
	name = at->adapter->error_header;
	if (at->deployment->provider->auth == AUTH_SIGV4)
		name = SIGV4_ERROR_HEADER; /* whatever dialect is behind it */
	if (name != NULL)
		at->error_type = arena_str(at->arena,
		    or_empty(call_header(c, name)));
	at->rest = retry_after(call_header(c, "retry-after-ms"),
	    call_header(c, "retry-after"), clock_wall());
	if (at->rest >= 0 &&
	    (fw->retry_after < 0 || at->rest < fw->retry_after))
		fw->retry_after = at->rest;
}

static bool
on_data(void *arg, struct call *c, const char *p, size_t len)
{
	struct attempt *at = arg;
	struct request *r = at->request;
	bool first = at->first_content == 0;
	enum err e;

	(void)c;
	e = relay_data(at, p, len);
	if (e != ERR_OK) {
		if (at->fail == 0)
			attempt_fails(at, FAIL_BROKEN, "memory");
		else
			attempt_failed(at);
		return true;
	}
	if (r->forward->whole || (first && at->first_content != 0))
		arm(r); /* the call gets its grace; content and pings are due */
	return !r->full;
}

static void
on_done(void *arg, enum call_end end)
{
	struct attempt *at = arg;
	enum err e;

	at->call = NULL;
	if (end == CALL_OK || at->request->forward->whole) {
		e = relay_end(at);
		if (e == ERR_OK)
			attempt_served(at);
		else if (at->fail == 0)
			attempt_fails(at, FAIL_BROKEN, "memory");
		else
			attempt_failed(at);
		return;
	}
	attempt_fails(at, ends[end].fail, ends[end].reason);
}

static const struct call_sink sink = {
	.sent = on_sent,
	.head = on_head,
	.data = on_data,
	.done = on_done,
};

/* ------------------------------------------------------------- timers */

static void
sooner(int64_t *when, int64_t from, int64_t after)
{
	if (from != 0 && after != 0 && from + after < *when)
		*when = from + after;
}

/* The nearest moment at which something must be looked at. */
static int64_t
next_moment(const struct request *r)
{
	const struct timeouts *t = r->plan.timeouts;
	const struct forward *fw = r->forward;
	const struct attempt *at = fw->current;
	int64_t when = fw->deadline;

	if (fw->whole) {
		sooner(&when, fw->content, END_GRACE);
		return when;
	}
	if (at->call == NULL) /* its credential is on the way */
		sooner(&when, at->started, t->connect);
	if (at->first_content == 0)
		sooner(&when, at->sent, r->chat.stream ? t->first_token :
		    at->first_byte == 0 ? t->first_byte : 0);
	else if (!r->full)
		sooner(&when, fw->content, t->idle);
	if (!r->chat.stream && at->status != 0)
		sooner(&when, at->last_byte, t->bytes);
	if (fw->committed)
		sooner(&when, fw->quiet, PING_MS * MILLISECOND);
	return when;
}

/* Which time limit has passed? NULL: none. */
static const char *
overdue(const struct request *r, int64_t now)
{
	const struct timeouts *t = r->plan.timeouts;
	const struct forward *fw = r->forward;
	const struct attempt *at = fw->current;
	int64_t first = r->chat.stream ? t->first_token : t->first_byte;

	if (now >= fw->deadline)
		return "total_timeout";
	if (at->call == NULL && t->connect != 0 &&
	    now >= at->started + t->connect)
		return "credential_timeout";
	if (first != 0 && at->sent != 0 && now >= at->sent + first &&
	    (r->chat.stream ? at->first_content : at->first_byte) == 0)
		return r->chat.stream ? "first_token_timeout" :
		    "first_byte_timeout";
	if (t->idle != 0 && at->first_content != 0 && !r->full &&
	    now >= fw->content + t->idle)
		return "idle_timeout";
	if (t->bytes != 0 && !r->chat.stream && at->status != 0 &&
	    now >= at->last_byte + t->bytes)
		return "bytes_timeout";
	return NULL;
}

static void
on_timer(uv_timer_t *timer)
{
	struct request *r = timer->data;
	struct forward *fw = r->forward;
	int64_t now = clock_mono();
	const char *late;

	if (fw == NULL || fw->finished || fw->current->ended != 0)
		return;
	if (fw->whole) {
		if (now >= fw->content + END_GRACE) {
			attempt_served(fw->current);
			return;
		}
	} else if ((late = overdue(r, now)) != NULL) {
		attempt_fails(fw->current, FAIL_TIMEOUT, late);
		return;
	}
	if (fw->committed && !fw->whole &&
	    now >= fw->quiet + PING_MS * MILLISECOND)
		relay_ping(r);
	arm(r);
}

/*
 * One timer a request, set for the nearest moment. Content only moves the
 * moment further away, so a chunk costs no timer: when it fires too early it
 * is set anew.
 */
static void
arm(struct request *r)
{
	int64_t left = next_moment(r) - clock_mono();

	uv_update_time(r->worker->loop);
	uv_timer_start(&r->timer, on_timer, left <= 0 ? 0 :
	    (uint64_t)(left + 999) / 1000, 0);
}

/* ----------------------------------------------------------- attempts */

static struct attempt *
attempt_new(struct request *r, const struct deployment *d)
{
	struct forward *fw = r->forward;
	struct attempt *at = arena_zalloc(r->arena, sizeof *at);

	if (at == NULL)
		return NULL;
	at->arena = arena_new(LIMIT_ARENA);
	if (at->arena == NULL)
		return NULL;
	at->request = r;
	at->deployment = d;
	at->adapter = adapter_find(d->provider->adapter);
	at->started = clock_mono();
	at->cost = at->rest = at->date = -1;
	at->reason = "";
	at->reader = (struct stream){ .arena = at->arena,
		.scratch = r->worker->scratch, .chat = &r->chat,
		.deployment = d, .pieces = at->adapter != r->surface };
	if (fw->current == NULL)
		fw->first = at;
	else
		fw->current->next = at;
	fw->current = at;
	fw->count++;
	return at;
}

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
check_dropped(struct request *r, const struct attempt *at)
{
	const struct adapter *to = at->adapter;
	const struct deployment *d = at->deployment;
	uint64_t takes = to->takes_of == NULL ? to->takes : to->takes_of(d);
	uint64_t lacks = to->lacks == NULL ? 0 : to->lacks(&r->chat, d);
	uint64_t left = r->chat.set & (~takes | lacks);
	struct buf b;
	unsigned i;

	if (left == 0 && r->chat.extra_count == 0)
		return ERR_OK;
	buf_init(&b, KIB(4));
	for (i = 0; i < PARAM_COUNT; i++)
		if ((left >> i & 1) != 0)
			buf_printf(&b, "%s%s", b.len > 0 ? ", " : "",
			    param_word(i));
	for (i = 0; i < r->chat.extra_count; i++)
		buf_printf(&b, "%s%.64s", b.len > 0 ? ", " : "",
		    r->chat.extras[i]);
	r->dropped = b.failed ? "many" : arena_dup(r->arena, b.data, b.len);
	buf_free(&b);
	if (r->dropped == NULL)
		return ERR_INTERNAL;
	return r->plan.strict ? fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
	    "the provider cannot take: %s", r->dropped) : ERR_OK;
}

/* The request in the provider's dialect, with our credential. */
static enum err
write_call(struct request *r, struct attempt *at, struct http_call *hc)
{
	const struct provider *p = at->deployment->provider;
	enum err e = ERR_OK;

	r->dropped = NULL;
	if (at->adapter != r->surface) {
		if (!r->chat.whole)
			e = r->surface->read_chat(r->arena, &r->chat,
			    &r->fault);
		if (e == ERR_OK)
			e = check_dropped(r, at);
	}
	if (e == ERR_OK)
		e = at->adapter->write_request(at->arena, &r->chat,
		    at->deployment, hc, &r->fault);
	return e == ERR_OK ? credential_add(at->arena, p, &at->token,
	    clock_wall(), hc) : e;
}

/* Clouds that lend a model have no such door under its dialect's name. */
static bool
can_count(const struct request *r, const struct deployment *d)
{
	return adapter_find(d->provider->adapter) == r->surface &&
	    (d->provider->quirks & (QUIRK_RAW_PREDICT | QUIRK_INVOKE)) == 0;
}

/* Count the tokens here, as no provider of this dialect is at hand. */
static void
count_here(struct request *r)
{
	enum err e = ERR_OK;
	struct buf out;

	if (!r->chat.whole)
		e = r->surface->read_chat(r->arena, &r->chat, &r->fault);
	if (e != ERR_OK) {
		request_fault(r, e);
		return;
	}
	buf_init(&out, KIB(4));
	r->surface->write_count(r->chat.message_count > 0 ?
	    canon_estimate(&r->chat) : estimate_tokens(r->x->body,
	    r->x->body_len), &out);
	r->forward->committed = r->forward->whole = true;
	answer_json(r, 200, out.data, out.len);
	buf_free(&out);
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

/* Send the request. False: it cannot be sent, r->fault says why. */
static bool
attempt_send(struct request *r, struct attempt *at, const struct token *token)
{
	struct http_call hc;
	enum err e;

	memset(&hc, 0, sizeof hc);
	e = keep_token(at, token) ? write_call(r, at, &hc) :
	    fault_set(&r->fault, ERR_INTERNAL, NULL, "out of memory");
	if (e != ERR_OK) {
		attempt_close(at);
		request_fault(r, e);
		return false;
	}
	at->call = start_call(at, &hc);
	if (at->call == NULL) {
		attempt_close(at);
		request_fail(r, ERR_INTERNAL, NULL,
		    "the provider cannot be asked");
		return false;
	}
	arm(r);
	return true;
}

/* Go on when the credential is there; wait for it. As attempt_send. */
static bool
attempt_begin(struct request *r, struct attempt *at)
{
	struct token token;

	switch (tokens_get(r->worker->tokens, at->deployment->provider,
	    &token, &at->wait)) {
	case TOKEN_READY:
		return attempt_send(r, at, &token);
	case TOKEN_WAIT:
		arm(r);
		return true;
	case TOKEN_FAILED:
		break;
	}
	attempt_fails(at, FAIL_AUTH, "no_credential");
	return true;
}

static void
on_token(void *arg)
{
	struct attempt *at = arg;

	if (!attempt_begin(at->request, at))
		finished(at->request);
}

/* Ask a deployment. False: it could not even be asked, r->fault says why. */
static bool
attempt_start(struct request *r, const struct deployment *d)
{
	struct attempt *at;

	if (r->chat.count && !can_count(r, d)) {
		count_here(r);
		return false;
	}
	at = attempt_new(r, d);
	if (at == NULL) {
		request_fail(r, ERR_INTERNAL, NULL, "out of memory");
		return false;
	}
	at->wait.ready = on_token;
	at->wait.arg = at;
	buf_clear(&r->forward->out);
	r->forward->writer.own = NULL;
	memset(&r->forward->limits, 0, sizeof r->forward->limits);
	return attempt_begin(r, at);
}

/*
 * The one decision: nothing reached the client, so the next deployment may
 * try, while the failure is one that another may do better, tries and time
 * are left, and the client is still there.
 */
static void
next_or_fail(struct request *r)
{
	struct forward *fw = r->forward;
	unsigned most = r->plan.attempts + (fw->renewed ? 1 : 0);
	bool again = (fw->error.fail & FAIL_RETRYABLE) != 0 && !r->gone &&
	    fw->next < r->plan.count && fw->count < most &&
	    clock_mono() < fw->deadline;

	if (again || fw->current == NULL) {
		if (!attempt_start(r, r->plan.order[fw->next++]))
			finished(r);
		return;
	}
	fail_request(r);
}

static int64_t
deadline(const struct request *r)
{
	const char *asked = request_header(r, "HTTP_X_TOLLGATE_TIMEOUT");
	int64_t total = r->plan.timeouts->total;
	double seconds;
	char *end;

	if (asked != NULL && *asked != '\0') {
		seconds = strtod(asked, &end);
		if (*end == '\0' && seconds > 0 && seconds < 86400 &&
		    (total == 0 || seconds * 1e6 < (double)total))
			total = (int64_t)(seconds * 1e6);
	}
	return clock_mono() + (total == 0 ? 86400 * SECOND : total);
}

enum verdict
forward_run(struct request *r)
{
	struct forward *fw = r->forward;

	if (fw != NULL)
		return fw->finished ? DONE : WAIT;
	fw = arena_zalloc(r->arena, sizeof *fw);
	if (fw == NULL || uv_timer_init(r->worker->loop, &r->timer) != 0)
		return request_fail(r, ERR_INTERNAL, NULL, "out of memory");
	r->timer.data = r;
	r->timer_open = true;
	r->forward = fw;
	fw->retry_after = -1;
	fw->deadline = deadline(r);
	buf_init(&fw->out, LIMIT_EVENT_LARGE * 4);
	fw->writer = (struct stream){ .arena = r->arena,
		.scratch = r->worker->scratch, .chat = &r->chat };
	next_or_fail(r);
	return fw->finished ? DONE : WAIT;
}

void
forward_drained(struct request *r)
{
	struct forward *fw = r->forward;

	r->full = false;
	if (fw == NULL || fw->finished)
		return;
	fw->content = clock_mono(); /* the pause was the client's, not theirs */
	if (fw->current->call != NULL)
		call_resume(fw->current->call);
	arm(r);
}

void
forward_gone(struct request *r)
{
	struct forward *fw = r->forward;

	r->gone = true;
	if (fw == NULL || fw->finished)
		return;
	if (!fw->whole) {
		request_fail(r, ERR_CLIENT_GONE, NULL, "the client left");
		fw->current->reason = "client_gone";
	}
	attempt_close(fw->current);
	finished(r);
}

void
forward_stop(struct request *r)
{
	struct forward *fw = r->forward;

	if (fw == NULL || fw->finished)
		return;
	if (!fw->whole) {
		request_fail(r, ERR_DRAINING, NULL, "%s",
		    err_row(ERR_DRAINING)->text);
		fw->current->reason = "shutdown";
	}
	attempt_close(fw->current);
	if (fw->committed && !fw->whole)
		relay_break(r);
	finished(r);
}

void
forward_settle(struct request *r)
{
	struct attempt *at;

	if (r->forward == NULL)
		return;
	for (at = r->forward->first; at != NULL; at = at->next)
		attempt_close(at);
}

void
forward_release(struct request *r)
{
	if (r->forward != NULL)
		buf_free(&r->forward->out);
}
