/* Heads, bodies and errors towards the client. */
#include "app/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/admit.h"
#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/decimal.h"
#include "app/base/limits.h"
#include "app/forward.h"
#include "app/previous.h"

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};

static const char *
phrase(int status)
{
	size_t i;

	for (i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return status < 300 ? "OK" : status < 500 ? "Refused" : "Error";
}

void
answer_meta(const struct request *r, const struct attempt *at,
    struct answer_meta *meta)
{
	meta->request_id = r->id;
	meta->provider = at == NULL ? "" : at->deployment->provider->name;
	meta->model = at == NULL ? "" : at->deployment->model;
	meta->cost = at == NULL ? -1 : at->cost;
	memset(&meta->owner, 0, sizeof meta->owner);
	if (at != NULL)
		previous_owner(r, at->deployment->provider, &meta->owner);
}

/* A header line; what is not visible ASCII in a value becomes '?'. */
static void
header_text(struct buf *b, const char *name, const char *value)
{
	char *p;

	buf_puts(b, name);
	buf_puts(b, ": ");
	if (buf_reserve(b, strlen(value) + 2)) {
		for (p = b->data + b->len; *value != '\0'; value++)
			*p++ = *value < 0x20 || *value > 0x7e ? '?' : *value;
		b->len = (size_t)(p - b->data);
	}
	buf_puts(b, "\r\n");
}

static void
header(struct buf *b, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
header(struct buf *b, const char *name, const char *fmt, ...)
{
	char value[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof value, fmt, ap);
	va_end(ap);
	header_text(b, name, value);
}

static void
header_number(struct buf *b, const char *name, int64_t n)
{
	char text[DECIMAL_SIZE];

	decimal(text, n, 0);
	header_text(b, name, text);
}

static void
milliseconds(struct buf *b, const char *name, int64_t us)
{
	char text[DECIMAL_SIZE];

	if (us < 0)
		return;
	decimal(text, us, 3);
	header_text(b, name, text);
}

/* Time that was ours, not the providers'. */
static int64_t
overhead(const struct request *r, int64_t now)
{
	const struct attempt *at;
	int64_t theirs = 0;

	for (at = r->forward->first; at != NULL; at = at->next)
		theirs += (at->ended != 0 ? at->ended : at->last_byte != 0 ?
		    at->last_byte : now) - at->started;
	return now - r->arrived - theirs;
}

/* The provider's limits, where the key has none of its own. */
static void
rate_headers(const struct request *r, const struct attempt *at, struct buf *b)
{
	struct ratelimits limits;
	unsigned i;

	memset(&limits, 0, sizeof limits);
	if (at != NULL)
		limits = at->limits;
	admit_ratelimits(r, &limits);
	for (i = 0; i < RATELIMITS; i++)
		if (*limits.value[i] != '\0')
			header_text(b, ratelimit_name(i), limits.value[i]);
}

static void
forward_headers(const struct request *r, const struct attempt *at,
    struct buf *b)
{
	const struct forward *fw = r->forward;
	const struct provider *p = at->deployment->provider;
	char cost[32];
	size_t i;

	header_text(b, "x-tollgate-provider", p->name);
	if (*at->deployment->model != '\0')
		header_text(b, "x-tollgate-model", at->deployment->model);
	header_number(b, "x-tollgate-attempts", fw->pursuit.count);
	header_number(b, "x-tollgate-fallbacks", fw->fallbacks);
	if (*p->region != '\0')
		header_text(b, "x-tollgate-region", p->region);
	/* Of the provider's own answer, not of ours in place of it. */
	for (i = 0; (fw->winner != NULL || fw->whole) &&
	    i < at->header_count; i++)
		header_text(b, at->headers[i].name, at->headers[i].value);
	if (at->dropped != NULL)
		header(b, "x-tollgate-dropped", "%s", at->dropped);
	if (at->cost >= 0 && !r->chat.stream) {
		price_format(at->cost, cost, sizeof cost);
		header_text(b, "x-tollgate-cost", cost);
	}
	milliseconds(b, "x-tollgate-overhead-ms", overhead(r, clock_mono()));
	if (at->first_content != 0 && r->chat.stream)
		milliseconds(b, "x-tollgate-ttft-ms",
		    at->first_content - r->arrived);
}

static void
build_head(struct request *r, struct buf *b, int status, const char *type,
    long long length)
{
	const struct attempt *at = forward_shown(r);

	header(b, "Status", "%d %s", status, phrase(status));
	header_text(b, "Content-Type", type);
	if (length >= 0)
		header_number(b, "Content-Length", length);
	else
		buf_puts(b, "Cache-Control: no-cache\r\n"
			    "X-Accel-Buffering: no\r\n");
	header_text(b, "x-request-id", r->id);
	if (r->allow != NULL)
		header_text(b, "Allow", r->allow);
	if (r->retry_after > 0)
		header_number(b, "Retry-After", r->retry_after);
	if (r->plan.rule != NULL)
		header_text(b, "x-tollgate-route", r->plan.rule->name);
	if (r->explanation != NULL)
		header_text(b, "x-tollgate-explain", r->explanation);
	rate_headers(r, at, b);
	if (r->hopeless)
		buf_puts(b, "x-should-retry: false\r\n");
	if (at != NULL)
		forward_headers(r, at, b);
	buf_puts(b, "\r\n");
}

void
answer_head(struct request *r, int status, const char *type,
    long long length)
{
	struct buf b;

	if (r->gone)
		return;
	buf_init(&b, KIB(16));
	build_head(r, &b, status, type, length);
	r->begun = true;
	r->status = status;
	answer_bytes(r, b.data, b.len);
	buf_free(&b);
}

void
answer_bytes(struct request *r, const char *p, size_t len)
{
	if (len == 0 || r->gone)
		return;
	r->bytes_out += len;
	if (!exchange_write(r->x, p, len) && !exchange_gone(r->x))
		r->full = true;
}

void
answer_body(struct request *r, int status, const char *type,
    const char *body, size_t len)
{
	answer_head(r, status, type, (long long)len);
	answer_bytes(r, body, len);
}

void
answer_json(struct request *r, int status, const char *body, size_t len)
{
	answer_body(r, status, "application/json", body, len);
}

void
answer_built(struct request *r, int status, struct buf *b)
{
	if (b->failed)
		request_fail(r, ERR_INTERNAL, NULL, "out of memory");
	else
		answer_json(r, status, b->data, b->len);
	buf_free(b);
}

static void
answer_error(struct request *r)
{
	struct answer_meta meta;
	struct buf body;

	answer_meta(r, forward_shown(r), &meta);
	buf_init(&body, KIB(16));
	buf_puts(&body, r->chat.stream_list ? "[" : "");
	r->surface->write_error(r->err, &r->fault, &meta, &body);
	buf_puts(&body, r->chat.stream_list ? "]" : "");
	answer_json(r, fault_status(r->err, &r->fault), body.data, body.len);
	buf_free(&body);
}

void
answer_close(struct request *r)
{
	/* Of bytes nothing else tells that they are not all. */
	bool cut = r->begun && r->err != ERR_OK && r->chat.task.bytes &&
	    !(r->forward != NULL && r->forward->whole);

	r->ended = clock_mono();
	if (!r->begun && !r->gone && r->err != ERR_OK)
		answer_error(r);
	if (r->begun && !cut)
		exchange_end(r->x);
	else
		exchange_abort(r->x); /* or the client left before a byte */
}
