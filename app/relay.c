/* From a provider's bytes to the client's. */
#include "app/relay.h"

#include <string.h>
#include <strings.h>

#include "adapters/canon.h"
#include "adapters/envelope.h"
#include "adapters/reply.h"
#include "app/admit.h"
#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/bounds.h"
#include "app/worker.h"
#include "policy/estimate.h"

/*
 * Bytes of one event that count towards the bound of an answer: pages and
 * pictures come whole, and are no tokens.
 */
#define EVENT_WEIGHT 2048

/* Note why the attempt is over; the words come from us. */
static enum err
broken(struct attempt *at, const char *reason, const char *text)
{
	struct upstream_error *e = &at->error;

	at->fail = FAIL_BROKEN;
	at->reason = reason;
	memset(e, 0, sizeof *e);
	e->fail = FAIL_BROKEN;
	e->message = text;
	e->type = e->code = e->param = "";
	return ERR_BAD_UPSTREAM;
}

static const char *
keep(struct attempt *at, const char *s)
{
	const char *p = arena_str(at->request->arena, s);

	return p == NULL ? "" : p;
}

/* The provider said why; keep its words beyond the attempt. */
static enum err
failed(struct attempt *at, const struct upstream_error *error)
{
	struct upstream_error *e = &at->error;

	at->fail = error->fail == 0 ? FAIL_SERVER : error->fail;
	at->reason = "provider_error";
	e->fail = at->fail;
	e->status = error->status;
	e->message = keep(at, error->message);
	e->type = keep(at, error->type);
	e->code = keep(at, error->code);
	e->param = keep(at, error->param);
	return ERR_UPSTREAM;
}

/*
 * Some providers refuse a prompt with a good status and no content: no answer
 * where the policy has a list for that.
 */
static bool
refused(const struct attempt *at, enum finish finish, int64_t text_bytes)
{
	const struct request *r = at->request;

	return finish == FINISH_CONTENT && text_bytes == 0 &&
	    at->first_content == 0 && r->forward->winner == NULL &&
	    r->plan.instead_count[FALLBACK_CONTENT] > 0;
}

static enum err
refusal(struct attempt *at)
{
	struct upstream_error e = { .fail = FAIL_REQUEST | FAIL_CONTENT,
		.message = "the provider's content filter refused the request",
		.type = "", .code = "content_filter", .param = "" };

	return failed(at, &e);
}

/* ----------------------------------------------------------- settling */

/* What the provider did not tell is counted as it was seen. */
static void
count_seen(struct attempt *at)
{
	int64_t seen = estimate_text_bytes(at->text_bytes);
	struct usage *u = &at->usage;

	u->known = true;
	if (at->request->chat.task.door != NULL && u->n[UNIT_SEARCH] > 0)
		return; /* sold by the search */
	if ((u->n[UNIT_IMAGE] > 0 || u->n[UNIT_CHARACTERS] > 0 ||
	    u->n[UNIT_SECOND] > 0) && usage_output(u) == 0)
		return; /* sold by the piece: there are no tokens to tell */
	if (usage_input(u) == 0) {
		u->n[UNIT_INPUT] = canon_tokens_at(&at->request->chat,
		    at->deployment->id, at->deployment->provider->adapter);
		u->estimated = true;
	}
	if (at->told.known && usage_output(u) > 0)
		return; /* else it said nothing, or only how it began */
	if (seen > usage_output(u)) {
		usage_set_output(u, seen);
		u->estimated = true;
	}
}

/*
 * An answer of the background that its stream was left before it told its
 * usage: the provider works on, and the answer may be read when it is done.
 */
static bool
works_on(const struct attempt *at)
{
	return at->request->chat.background && !at->told.known &&
	    at->ended != 0 && !at->served && at->status / 100 == 2 &&
	    strcmp(at->reason, "provider_error") != 0;
}

/* So it is paid as if it had used what it may. */
static void
count_most(struct attempt *at)
{
	int64_t most = admit_output(at->request);

	count_seen(at);
	at->usage.estimated = true;
	if (most > usage_output(&at->usage))
		usage_set_output(&at->usage, most);
}

/*
 * A request that nobody knows of is paid with its bounds, unless its provider
 * said that it did not do it.
 */
static void
settle_raw(struct attempt *at)
{
	if (!at->usage.known && at->sent != 0 && at->ended != 0 &&
	    (at->status == 0 || at->status / 100 == 2))
		meter_most(at->request->chat.raw->passage, &at->usage);
}

void
relay_settle(struct attempt *at)
{
	struct usage *u = &at->usage;

	*u = at->told.known ? at->told : at->begun;
	/* What was given up was read by its provider all the same, if whole. */
	if (at->adapter->raw) {
		settle_raw(at);
	} else if (works_on(at)) {
		count_most(at);
	} else if (u->known || at->first_content != 0 || at->text_bytes > 0 ||
	    (at->left && at->sent != 0 && !at->uploading &&
		at->status < 400)) {
		if (!at->request->chat.free)
			count_seen(at);
		at->doubtful = at->told.known && u->estimated;
		if (admit_cut(at->request, u))
			at->doubtful = true;
	}
	u->n[UNIT_REQUEST] = u->known; /* what was answered is one */
	at->cost = u->known && at->deployment->price.known ?
	    price_cost(&at->deployment->price, u) : -1;
}

/* ------------------------------------------------------------- stream */

/* Send what is written; the first time with the head before it. */
static void
send_out(struct attempt *at)
{
	struct request *r = at->request;

	if (r->forward->winner == NULL) {
		forward_commit(at);
		answer_head(r, at->adapter->raw ? at->status : 200,
		    at->type != NULL ? at->type : r->chat.stream_list ?
		    "application/json; charset=utf-8" :
		    "text/event-stream; charset=utf-8", at->length);
	}
	answer_bytes(r, at->out.data, at->out.len);
	r->forward->quiet = clock_mono();
	buf_clear(&at->out);
}

/* What is known only at the end, for those who do not read usage events. */
static void
write_summary(struct attempt *at, struct buf *out)
{
	char cost[32];

	buf_printf(out, ": tollgate input=%lld output=%lld",
	    (long long)usage_input(&at->usage),
	    (long long)usage_output(&at->usage));
	if (at->cost >= 0) {
		price_format(at->cost, cost, sizeof cost);
		buf_printf(out, " cost=%s", cost);
	}
	buf_puts(out, at->usage.estimated ? " estimated\n\n" : "\n\n");
}

static enum err
write_delta(struct attempt *at, const struct delta *d)
{
	struct request *r = at->request;
	struct answer_meta meta;

	answer_meta(r, at, &meta);
	return r->surface->write_delta(&at->writer, d, &meta, &at->out);
}

static enum err
relay_finish(struct attempt *at, const struct delta *d)
{
	struct delta end = *d;
	enum err e;

	relay_settle(at);
	/* The client hears what its provider told, as of a whole answer. */
	end.usage = at->told.known ? at->told : at->usage;
	if (!at->request->surface->bare)
		write_summary(at, &at->out);
	e = write_delta(at, &end);
	if (e != ERR_OK)
		return e;
	at->request->forward->whole = true;
	send_out(at);
	return ERR_OK;
}

/*
 * The provider goes on past the bound that it was given: the answer ends as
 * one that was too long, and its call with it.
 */
static enum err
cut_off(struct attempt *at)
{
	static const struct piece length = { .kind = PIECE_FINISH,
		.finish = FINISH_LENGTH };
	static const struct delta finish = { .kind = DELTA_FINISH,
		.event = "", .pieces = &length, .piece_count = 1,
		.finish = FINISH_LENGTH }, end = { .kind = DELTA_END,
		.event = "", .finish = FINISH_LENGTH };
	enum err e;

	if (at->request->chat.choices > 1 || (at->adapter ==
	    at->request->surface && strcmp(at->adapter->name, "responses") ==
	    0)) /* half an object cannot be ended well */
		return broken(at, "past_bound", "an answer past its bound");
	at->reason = "past_bound";
	at->finish = FINISH_LENGTH;
	e = write_delta(at, &finish);
	if (e == ERR_OK)
		e = relay_finish(at, &end);
	at->content = 0; /* nothing is to come that we would wait for */
	return e;
}

static bool
past_bound(const struct attempt *at)
{
	const struct chat *c = &at->request->chat;
	int64_t bound = c->max_output;

	if (c->choices > 1 && __builtin_mul_overflow(bound, c->choices,
	    &bound))
		return false;
	return bounds_past(bound, at->weight, at->contents);
}

static void
note_content(struct attempt *at, const struct delta *d)
{
	at->content = clock_mono();
	at->text_bytes += d->text_bytes;
	at->contents += d->text_bytes > 0;
	at->weight += d->text_bytes < EVENT_WEIGHT ? d->text_bytes :
	    EVENT_WEIGHT;
	if (d->finish != FINISH_NONE)
		at->finish = d->finish;
	if (at->first_content == 0)
		at->first_content = at->content;
}

static enum err
relay_delta(void *arg, const struct delta *d)
{
	struct attempt *at = arg;
	enum err e;

	if (at->request->forward->whole)
		return ERR_OK; /* it was cut off within this event */
	if (d->kind == DELTA_ERROR)
		return failed(at, d->error);
	if (d->usage.known) {
		at->told = d->usage;
		relay_settle(at);
	}
	if (d->begun.known)
		at->begun = d->begun;
	if (!d->usage.known && d->usage.service != SERVICE_STANDARD)
		at->begun.service = d->usage.service; /* told before counts */
	if (d->kind == DELTA_END)
		return relay_finish(at, d);
	if (refused(at, d->finish, d->text_bytes))
		return refusal(at);
	if (d->kind == DELTA_CONTENT || d->kind == DELTA_FINISH)
		note_content(at, d);
	e = write_delta(at, d);
	if (e != ERR_OK)
		return e;
	if (at->first_content != 0) {
		send_out(at);
		return d->kind == DELTA_CONTENT && past_bound(at) ?
		    cut_off(at) : ERR_OK;
	}
	if (at->out.len > LIMIT_HELD +
	    HELD_ECHOES * at->request->x->body_len)
		return broken(at, "no_content", "no content in its stream");
	return ERR_OK;
}

/* An event whose text would be refused for half a character, mended. */
static const struct sse_event *
mended(struct attempt *at, const struct sse_event *ev, struct sse_event *own)
{
	char *copy;

	if (ev == NULL || json_bad_escape(ev->data, ev->len, 0) == ev->len)
		return ev;
	copy = arena_dup(at->reader.scratch, ev->data, ev->len);
	if (copy == NULL)
		return ev;
	json_mend_escapes(copy, ev->len);
	*own = *ev;
	own->data = copy;
	return own;
}

static enum err
relay_event(void *arg, const struct sse_event *ev)
{
	struct attempt *at = arg;
	struct fault f = { .code = ERR_OK };
	struct sse_event own, inside;
	enum err e = ERR_OK;

	if (ev != NULL && at->frames.framing == FRAMING_EVENTSTREAM &&
	    at->adapter->framing != FRAMING_EVENTSTREAM) {
		e = envelope_open(at->reader.scratch, ev, &inside);
		ev = &inside;
	}
	if (e == ERR_OK) {
		if (at->frames.framing != FRAMING_RAW)
			ev = mended(at, ev, &own);
		e = at->adapter->read_event(&at->reader, ev,
		    relay_delta, at, &f);
	}
	arena_reset(at->reader.scratch);
	if (e == ERR_BAD_UPSTREAM && at->fail == 0)
		return broken(at, "unusable_stream", keep(at, f.text));
	return e;
}

/* ------------------------------------------------------ whole answers */

/* What the provider answered, as the client may have it. */
static void
keep_said(struct attempt *at)
{
	size_t len = at->body.len;

	if (len == 0 || memchr(at->body.data, '\0', len) != NULL)
		return;
	at->said.p = attempt_redacted(at, arena_dup(at->arena,
	    at->body.data, len));
	at->said.len = strlen(at->said.p);
}

static enum err
end_error(struct attempt *at)
{
	struct upstream_error error;

	memset(&error, 0, sizeof error);
	error.message = error.type = error.code = error.param = "";
	at->adapter->classify(at->arena, at->status, at->body.data == NULL ?
	    "" : at->body.data, at->body.len, &error);
	if (at->adapter->raw)
		keep_said(at);
	if (*error.type == '\0' && at->error_type != NULL)
		error.type = arena_dup(at->arena, at->error_type,
		    strcspn(at->error_type, ":"));
	if (error.type == NULL)
		error.type = "";
	return failed(at, &error);
}

static enum err
send_reply(struct attempt *at, const struct reply *reply)
{
	struct request *r = at->request;
	struct answer_meta meta;
	struct buf out;
	enum err e;

	answer_meta(r, at, &meta);
	buf_init(&out, LIMIT_REPLY * 2);
	e = r->surface->write_reply(at->arena, &r->chat, reply, &meta, &out);
	if (e == ERR_OK) {
		forward_commit(at);
		r->forward->whole = true;
		answer_body(r, 200, reply->type == NULL ? "application/json" :
		    reply->type, out.data, out.len);
	}
	buf_free(&out);
	return e;
}

/* One part of several was answered: what it brought is kept. */
static enum err
end_part(struct attempt *at, const struct reply *reply)
{
	enum err e = reply_append(at->arena, &at->sum, reply);

	at->told = at->sum.usage;
	if (e == ERR_OK)
		at->part++;
	return e;
}

/* The body as read_reply may refer to it until the answer is written. */
static const char *
body_of(struct attempt *at)
{
	if (at->body.len == 0)
		return "";
	json_mend_escapes(at->body.data, at->body.len);
	return at->parts > 1 ? arena_dup(at->arena, at->body.data,
	    at->body.len) : at->body.data;
}

static enum err
read_body(struct attempt *at, struct reply *reply)
{
	struct request *r = at->request;
	struct fault f = { .code = ERR_OK };
	const char *body = body_of(at);
	enum err e;

	memset(reply, 0, sizeof *reply);
	reply->part = at->part;
	if (body == NULL)
		return ERR_INTERNAL;
	e = at->adapter->read_reply(at->arena, &r->chat, at->deployment, body,
	    at->body.len, reply, &f);
	if (e == ERR_BAD_UPSTREAM)
		return broken(at, "unusable_body", keep(at, f.text));
	if (e == ERR_OK && reply->error != NULL)
		return failed(at, reply->error);
	return e;
}

static enum err
end_body(struct attempt *at)
{
	struct request *r = at->request;
	struct reply reply;
	enum err e = read_body(at, &reply);

	if (e != ERR_OK)
		return e;
	if (r->chat.stream && !reply.streams)
		return broken(at, "not_a_stream",
		    "a whole answer where a stream was asked for");
	if (at->parts > 1) {
		e = end_part(at, &reply);
		if (e != ERR_OK || at->part < at->parts)
			return e;
		reply = at->sum;
	}
	at->part = at->parts;
	at->told = reply.usage;
	if (refused(at, reply.finish, reply.text_bytes))
		return refusal(at);
	at->text_bytes = reply.text_bytes;
	at->finish = reply.finish;
	if (!r->chat.free)
		at->first_content = clock_mono();
	relay_settle(at);
	/* An answer that is no chat tells of usage, be it an estimate. */
	if (r->chat.task.door != NULL && !reply.usage.known)
		reply.usage = at->usage;
	return send_reply(at, &reply);
}

/* -------------------------------------------------------------- doors */

/* Does the body begin as events do, whatever its label says? */
static bool
looks_like_events(const char *p, size_t len)
{
	static const char *const starts[] = { "data:", "event:", "id:",
		"retry:", ":" };
	size_t i;

	while (len > 0 && (*p == '\n' || *p == '\r'))
		p++, len--;
	for (i = 0; i < sizeof starts / sizeof starts[0]; i++)
		if (len >= strlen(starts[i]) &&
		    memcmp(p, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static void
gather(struct attempt *at)
{
	buf_init(&at->body, at->status / 100 == 2 ? LIMIT_REPLY :
	    LIMIT_ERROR_BODY);
}

/*
 * Bytes are what is neither an error nor Mistral's answer, and of a raw request
 * all that is no error; their type goes to the client.
 */
static bool
judge_bytes(struct attempt *at, const char *type)
{
	bool good = at->status / 100 == 2, raw = at->adapter->raw;

	if (type == NULL)
		type = "application/octet-stream";
	if (!raw && (!good || strcasestr(type, "json") != NULL ||
	    strncasecmp(type, "text/", 5) == 0))
		return false;
	at->type = strlen(type) > LIMIT_TYPE ? "application/octet-stream" :
	    keep(at, type);
	if (good && raw)
		meter_begin(&at->meter, at->request->chat.raw->passage, type,
		    at->reader.scratch);
	if (good)
		frames_init(&at->frames, FRAMING_RAW, LIMIT_EVENT);
	return good;
}

/* Is this body read as events, or gathered whole? Decided once. */
static void
judge(struct attempt *at, const char *p, size_t len)
{
	/* An empty body is judged when its call is over. */
	const char *type = at->call == NULL ? NULL :
	    call_header(at->call, "content-type");

	bool messages = type != NULL &&
	    strcasestr(type, "vnd.amazon.eventstream") != NULL;

	at->judged = true;
	if (at->request->chat.task.bytes) {
		at->streaming = judge_bytes(at, type);
		if (!at->streaming)
			gather(at);
		return;
	}
	at->streaming = at->request->chat.stream && at->status / 100 == 2 &&
	    (messages || at->adapter->framing != FRAMING_SSE ||
		(type != NULL && strcasestr(type, "event-stream") != NULL) ||
		looks_like_events(p, len));
	if (at->streaming)
		frames_init(&at->frames, messages ? FRAMING_EVENTSTREAM :
		    at->adapter->framing, at->adapter->large_events ?
		    LIMIT_EVENT_LARGE : LIMIT_EVENT);
	else
		gather(at);
}

enum err
relay_data(struct attempt *at, const char *p, size_t len)
{
	struct forward *fw = at->request->forward;
	enum err e;

	at->last_byte = clock_mono();
	if (at->first_byte == 0)
		at->first_byte = at->last_byte;
	if (fw->whole)
		return ERR_OK; /* what comes after the end mark is nothing */
	if (!at->judged)
		judge(at, p, len);
	if (!at->streaming) {
		buf_put(&at->body, p, len);
		return at->body.failed ? broken(at, "too_large",
		    "an answer over the bound") : ERR_OK;
	}
	meter_feed(&at->meter, p, len);
	e = frames_feed(&at->frames, p, len, relay_event, at);
	if (e == ERR_BAD_UPSTREAM && at->fail == 0)
		return broken(at, "unusable_stream",
		    "an event over the bound or malformed");
	return e;
}

enum err
relay_end(struct attempt *at)
{
	struct forward *fw = at->request->forward;
	enum err e;

	if (fw->whole)
		return ERR_OK;
	if (!at->judged)
		judge(at, "", 0);
	if (!at->streaming)
		return at->status / 100 == 2 ? end_body(at) : end_error(at);
	if (at->adapter->raw)
		meter_end(&at->meter, &at->told);
	e = frames_end(&at->frames, relay_event, at);
	if (e == ERR_BAD_UPSTREAM && at->fail == 0)
		return broken(at, "unusable_stream",
		    "the stream was cut off");
	if (e == ERR_OK && !fw->whole)
		e = relay_event(at, NULL);
	return e;
}

void
relay_break(struct request *r)
{
	struct attempt *at = r->forward->winner;
	struct answer_meta meta;

	buf_clear(&at->out);
	answer_meta(r, at, &meta);
	r->surface->write_stream_error(&at->writer, r->err, &r->fault, &meta,
	    &at->out);
	send_out(at);
}

void
relay_ping(struct request *r)
{
	static const char ping[] = ": ping\n\n";

	r->forward->quiet = clock_mono();
	if (r->chat.task.bytes) /* nothing may stand between them */
		return;
	if (r->surface->bare) /* an empty line is nothing to anybody */
		answer_bytes(r, "\n", 1);
	else
		answer_bytes(r, ping, sizeof ping - 1);
}
