/* One call to a provider beside the plan. */
#include "app/ask.h"

#include <string.h>

#include "adapters/errors.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/credential.h"
#include "app/forward.h"
#include "app/transport.h"
#include "app/worker.h"

#define SILENCE INT64_C(120000000) /* µs without a byte */

static void
tell(struct ask *k)
{
	k->running = NULL;
	k->busy = false;
	k->done(k->arg);
}

/* The provider's words, without our credential in them. */
static const char *
clean(struct ask *k, const char *words)
{
	char *p = arena_str(k->arena, words);

	if (p == NULL)
		return "";
	credential_redact(k->provider, &k->token, p);
	return p;
}

static void
read_error(struct ask *k)
{
	struct upstream_error e;

	memset(&e, 0, sizeof e);
	errors_classify(k->arena, k->status, k->body.len == 0 ? "" :
	    k->body.data, k->body.len, &e);
	/* What is missing is a file or a batch, no model. */
	if (k->status == 404)
		e.fail = FAIL_REQUEST;
	e.message = clean(k, e.message);
	e.type = clean(k, e.type);
	e.code = clean(k, e.code);
	e.param = clean(k, e.param);
	k->err = forward_verdict(&e, &k->fault);
	/* What stands before a provider does not know what it did. */
	k->refused = k->status <= 500 || k->status == 503 ||
	    k->status == 529;
}

/* ---------------------------------------------------------- transport */

static void
on_sent(void *arg)
{
	struct ask *k = arg;

	k->unsent = false;
}

static void
on_head(void *arg, struct call *c, int status)
{
	struct ask *k = arg;
	const char *type = call_header(c, "content-type");

	k->status = status;
	k->type = type == NULL ? "" : arena_str(k->arena, type);
	if (k->type == NULL)
		k->type = "";
	if (status / 100 == 2 && k->head != NULL)
		k->head(k->arg);
}

static bool
on_data(void *arg, struct call *c, const char *p, size_t len)
{
	struct ask *k = arg;

	(void)c;
	if (k->status / 100 == 2 && k->data != NULL)
		return k->data(k->arg, p, len);
	if (k->status / 100 == 2 || k->body.len + len <= LIMIT_ERROR_BODY)
		buf_put(&k->body, p, len);
	return true;
}

/* May a new token do better? Then it is asked once more. */
static bool
renew(struct ask *k)
{
	if (k->renewed || (k->status != 401 && k->status != 403) ||
	    !tokens_refused(k->worker->tokens, k->provider))
		return false;
	k->renewed = true;
	buf_clear(&k->body);
	return ask_begin(k);
}

static void
on_done(void *arg, enum call_end end)
{
	struct ask *k = arg;

	k->running = NULL;
	if (end != CALL_OK) {
		k->err = end == CALL_TIMEOUT_BYTES ||
		    end == CALL_TIMEOUT_CONNECT ? ERR_TIMEOUT :
		    ERR_BAD_UPSTREAM;
		fault_set(&k->fault, k->err, NULL, "%s",
		    err_row(k->err)->text);
		k->status = 0;
	} else if (k->status / 100 != 2) {
		if (renew(k))
			return;
		read_error(k);
	} else if (k->body.failed) {
		k->err = fault_set(&k->fault, ERR_BAD_UPSTREAM, NULL,
		    "an answer over the bound");
	}
	tell(k);
}

static const struct call_sink sink = { .sent = on_sent, .head = on_head,
	.data = on_data, .done = on_done };

static bool
start(struct ask *k)
{
	struct http_call hc = k->call;
	struct call_header headers[sizeof hc.headers / sizeof hc.headers[0]];
	struct call_request rq = { .method = hc.method, .url = hc.url,
		.headers = headers, .body = hc.body, .body_len = hc.body_len,
		.connect_timeout = k->worker->policy->timeouts.connect,
		.bytes_timeout = SILENCE,
		.private_net = k->provider->private_net };
	size_t i;

	/* Signed anew each time: the time is in it. */
	if (credential_add(k->arena, k->provider, &k->token, clock_wall(),
	    &hc) != ERR_OK)
		return false;
	for (i = 0; i < hc.header_count; i++)
		headers[i] = (struct call_header){ hc.headers[i].name,
			hc.headers[i].value };
	rq.header_count = hc.header_count;
	rq.body = hc.body;
	rq.body_len = hc.body_len;
	rq.method = hc.method;
	rq.url = hc.url;
	k->unsent = true;
	k->running = transport_start(k->worker->transport, &rq, &sink, k);
	return k->running != NULL;
}

/* ------------------------------------------------------------- tokens */

static bool
keep_token(struct ask *k, const struct token *t)
{
	k->token.bearer = arena_str(k->arena, t->bearer);
	k->token.access_key = arena_str(k->arena, t->access_key);
	k->token.secret_key = arena_str(k->arena, t->secret_key);
	k->token.session_token = arena_str(k->arena, t->session_token);
	k->token.skew = t->skew;
	return k->token.bearer != NULL && k->token.access_key != NULL &&
	    k->token.secret_key != NULL && k->token.session_token != NULL;
}

static void
on_token(void *arg)
{
	struct ask *k = arg;

	if (!ask_begin(k))
		tell(k);
}

bool
ask_begin(struct ask *k)
{
	struct token token;

	if (!k->open)
		buf_init(&k->body, LIMIT_REPLY);
	k->open = k->busy = true;
	k->status = 0;
	k->type = "";
	k->err = ERR_OK;
	k->refused = false;
	k->unsent = true;
	k->wait.ready = on_token;
	k->wait.arg = k;
	switch (tokens_get(k->worker->tokens, k->provider, &token, &k->wait)) {
	case TOKEN_WAIT:
		return true;
	case TOKEN_READY:
		if (keep_token(k, &token) && start(k))
			return true;
		k->err = fault_set(&k->fault, ERR_INTERNAL, NULL,
		    "the provider cannot be asked");
		k->busy = false;
		return false;
	case TOKEN_FAILED:
		break;
	}
	k->err = fault_set(&k->fault, ERR_UPSTREAM, NULL, "%s",
	    err_row(ERR_UPSTREAM)->text);
	k->busy = false;
	return false;
}

void
ask_resume(struct ask *k)
{
	if (k->running != NULL)
		call_resume(k->running);
}

void
ask_end(struct ask *k)
{
	if (!k->open)
		return;
	tokens_leave(&k->wait);
	if (k->running != NULL)
		transport_cancel(k->running);
	k->running = NULL;
	buf_free(&k->body);
	k->open = k->busy = false;
}
