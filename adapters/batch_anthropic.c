/*
 * Anthropic's message batches (docs.anthropic.com/en/api/creating-message-
 * batches and those beside it, read 2026-11): requests go in one body, and
 * there is one list of results, of those that failed as well. A custom_id may
 * have letters, digits, '-' and '_' only, 64 at most: others go in base64 of
 * the URL's alphabet behind a mark.
 */
#include <string.h>

#include "adapters/anthropic.h"
#include "adapters/batch.h"
#include "adapters/canon.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

#define PATH "/v1/messages/batches"
#define ID_MOST 64
#define MARK "tg-"

/* ------------------------------------------------------------ requests */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz0123456789-_";

static bool
is_plain(struct str id)
{
	size_t i;

	for (i = 0; i < id.len; i++)
		if (memchr(digits, id.p[i], sizeof digits - 1) == NULL)
			return false;
	return id.len <= ID_MOST && (id.len < sizeof MARK - 1 ||
	    memcmp(id.p, MARK, sizeof MARK - 1) != 0);
}

/* False: it is too long for that. */
static bool
put_marked(struct buf *out, struct str id)
{
	unsigned v, k;
	size_t i;

	if ((id.len * 4 + 2) / 3 > ID_MOST - (sizeof MARK - 1))
		return false;
	buf_puts(out, MARK);
	for (i = 0; i < id.len; i += 3) {
		v = (unsigned)(unsigned char)id.p[i] << 16;
		if (i + 1 < id.len)
			v |= (unsigned)(unsigned char)id.p[i + 1] << 8;
		if (i + 2 < id.len)
			v |= (unsigned)(unsigned char)id.p[i + 2];
		for (k = 0; k < 4 && i + k <= id.len; k++)
			buf_putc(out, digits[v >> (18 - 6 * k) & 63]);
	}
	return true;
}

static bool
anthropic_put_line(struct buf *out, struct str custom_id, const char *path,
    struct str body)
{
	size_t from = out->len;

	(void)path;
	buf_puts(out, "{\"custom_id\":\"");
	if (is_plain(custom_id))
		buf_put(out, custom_id.p, custom_id.len);
	else if (!put_marked(out, custom_id))
		return false;
	buf_puts(out, "\",\"params\":");
	buf_put(out, body.p, body.len);
	buf_putc(out, '}');
	canon_one_line(out, from);
	buf_putc(out, '\n');
	return true;
}

static enum err
call_to(struct arena *a, const struct provider *p, const char *method,
    const char *id, const char *tail, struct http_call *call,
    struct fault *f)
{
	call->headers[call->header_count++] = (struct header){
		"anthropic-version", ANTHROPIC_VERSION };
	return batch_call(a, method, p->base_url, PATH, id, tail, call, f);
}

static enum err
anthropic_create(struct arena *a, const struct deployment *d,
    const struct batch_order *o, struct http_call *call, struct fault *f)
{
	enum err e = call_to(a, d->provider, "POST", NULL, "", call, f);
	struct buf body;

	buf_init(&body, LIMIT_BODY * 2);
	buf_puts(&body, "{\"requests\":");
	batch_list(&body, o->requests);
	buf_putc(&body, '}');
	return canon_body(a, call, &body, e, f);
}

static enum err
anthropic_get(struct arena *a, const struct provider *p, const char *id,
    struct http_call *call, struct fault *f)
{
	return call_to(a, p, "GET", id, "", call, f);
}

static enum err
anthropic_cancel(struct arena *a, const struct provider *p, const char *id,
    struct http_call *call, struct fault *f)
{
	return call_to(a, p, "POST", id, "/cancel", call, f);
}

static enum err
anthropic_results(struct arena *a, const struct provider *p,
    const char *where, struct http_call *call, struct fault *f)
{
	return call_to(a, p, "GET", batch_of_file(where), "/results", call,
	    f);
}

/* -------------------------------------------------------------- states */

static int64_t
time_of(const struct json *doc, const char *key, struct arena *a)
{
	return batch_time(batch_text(doc, JSON_ROOT, key, a));
}

/* It "ended", whatever became of it: its counts tell. */
static enum batch_status
status_of(const struct json *doc, bool cancels, int64_t gone, int64_t late)
{
	uint32_t v = json_get(doc, JSON_ROOT, "processing_status");

	if (json_is(doc, v, "canceling"))
		return BATCH_CANCELLING;
	if (!json_is(doc, v, "ended"))
		return BATCH_IN_PROGRESS;
	return cancels && gone > 0 ? BATCH_CANCELLED :
	    late > 0 ? BATCH_EXPIRED : BATCH_COMPLETED;
}

static enum err
anthropic_read(struct arena *a, const char *body, size_t len,
    struct batch_state *s, struct fault *f)
{
	struct json doc;
	uint32_t n;
	int64_t gone, late, ended;
	enum err e = batch_parse(a, body, len, &doc, f);

	if (e != ERR_OK)
		return e;
	memset(s, 0, sizeof *s);
	n = json_get(&doc, JSON_ROOT, "request_counts");
	s->id = batch_text(&doc, JSON_ROOT, "id", a);
	s->failure = "";
	s->created = time_of(&doc, "created_at", a);
	s->begun = s->created;
	s->expires = time_of(&doc, "expires_at", a);
	s->cancelling = time_of(&doc, "cancel_initiated_at", a);
	gone = reply_count(&doc, n, "canceled");
	late = reply_count(&doc, n, "expired");
	s->done = reply_count(&doc, n, "succeeded");
	s->bad = reply_count(&doc, n, "errored") + gone + late;
	s->total = s->done + s->bad + reply_count(&doc, n, "processing");
	s->status = status_of(&doc, s->cancelling > 0, gone, late);
	ended = time_of(&doc, "ended_at", a);
	*(s->status == BATCH_CANCELLED ? &s->cancelled : s->status ==
	    BATCH_EXPIRED ? &s->expired : &s->completed) = ended;
	if (*s->id == '\0')
		return reply_bad(f, "no id");
	return batch_files(a, s) ? ERR_OK : fault_memory(f);
}

/* ------------------------------------------------------------- results */

static struct str
unmarked(struct arena *a, const char *id)
{
	size_t n = sizeof MARK - 1;

	return strncmp(id, MARK, n) != 0 ? (struct str){ id, strlen(id) } :
	    canon_decode(a, (struct str){ id + n, strlen(id + n) });
}

/* What has no answer: by the type of its result. */
static const struct {
	const char *type, *code, *message;
} ends[] = {
	{ "expired", "batch_expired",
	    "This request could not be executed before the completion "
	    "window expired." },
	{ "canceled", "batch_cancelled",
	    "This request was cancelled before it was executed." },
};

static enum err
anthropic_read_line(struct arena *a, const struct json *line,
    struct batch_line *out, struct fault *f)
{
	uint32_t result = json_get(line, JSON_ROOT, "result");
	uint32_t type = json_get(line, result, "type"), error;
	struct str id = unmarked(a, batch_text(line, JSON_ROOT, "custom_id",
	    a));
	size_t i;

	memset(out, 0, sizeof *out);
	out->custom_id = id.p == NULL ? NULL : arena_dup(a, id.p, id.len);
	out->code = out->message = "";
	if (out->custom_id == NULL || json_type(line, result) != JSON_OBJECT)
		return reply_bad(f, "a line without a result");
	if (json_is(line, type, "succeeded")) {
		out->status = 200;
		out->body = canon_raw(line, json_get(line, result,
		    "message"));
		return ERR_OK;
	}
	for (i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (json_is(line, type, ends[i].type)) {
			out->code = ends[i].code;
			out->message = ends[i].message;
			return ERR_OK;
		}
	/* {"type": "errored", "error": {"type": "error", "error": {…}}} */
	error = json_at(line, result, "error", "error", NULL);
	out->status = json_is(line, json_get(line, error, "type"),
	    "invalid_request_error") ? 400 : 500;
	out->code = batch_text(line, error, "type", a);
	out->message = batch_text(line, error, "message", a);
	return ERR_OK;
}

const struct batch_dialect batch_anthropic = {
	.name = "anthropic",
	.put_line = anthropic_put_line,
	.create = anthropic_create,
	.get = anthropic_get,
	.cancel = anthropic_cancel,
	.read = anthropic_read,
	.results = anthropic_results,
	.read_line = anthropic_read_line,
};
