/*
 * Batches of Google's AI Studio (ai.google.dev/api/batch-api, read 2026-11):
 * models/M:batchGenerateContent with its requests in the body, which is then an
 * operation "batches/ID" that has the responses in it when it is done. Vertex
 * takes batches from its own storage only, so it is none of these. JSON is
 * protobuf's: counts are numbers in strings.
 */
#include <stdlib.h>
#include <string.h>

#include "adapters/batch.h"
#include "adapters/canon.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

#define NAME "batches/"

/* ------------------------------------------------------------ requests */

static bool
gemini_put_line(struct buf *out, struct str custom_id, const char *path,
    struct str body)
{
	struct json_writer w;
	size_t from = out->len;

	(void)path;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "request");
	jw_raw(&w, body.p, body.len);
	jw_key(&w, "metadata");
	jw_object(&w);
	jw_key(&w, "key");
	jw_stringn(&w, custom_id.p, custom_id.len);
	jw_end_object(&w);
	jw_end_object(&w);
	canon_one_line(out, from);
	buf_putc(out, '\n');
	return true;
}

static enum err
gemini_create(struct arena *a, const struct deployment *d,
    const struct batch_order *o, struct http_call *call, struct fault *f)
{
	enum err e = batch_call(a, "POST", d->provider->base_url, "/models",
	    d->model, ":batchGenerateContent", call, f);
	struct buf body;

	buf_init(&body, LIMIT_BODY * 2);
	buf_puts(&body, "{\"batch\":{\"displayName\":\"tollgate\","
	    "\"inputConfig\":{\"requests\":{\"requests\":");
	batch_list(&body, o->requests);
	buf_puts(&body, "}}}}");
	return canon_body(a, call, &body, e, f);
}

static enum err
gemini_get(struct arena *a, const struct provider *p, const char *id,
    struct http_call *call, struct fault *f)
{
	return batch_call(a, "GET", p->base_url, "/batches", id, "", call, f);
}

static enum err
gemini_cancel(struct arena *a, const struct provider *p, const char *id,
    struct http_call *call, struct fault *f)
{
	return batch_call(a, "POST", p->base_url, "/batches", id, ":cancel",
	    call, f);
}

static enum err
gemini_results(struct arena *a, const struct provider *p, const char *where,
    struct http_call *call, struct fault *f)
{
	return gemini_get(a, p, batch_of_file(where), call, f);
}

/* -------------------------------------------------------------- states */

static const struct {
	const char *word;
	enum batch_status status;
} states[] = {
	{ "BATCH_STATE_PENDING", BATCH_VALIDATING },
	{ "BATCH_STATE_SUCCEEDED", BATCH_COMPLETED },
	{ "BATCH_STATE_FAILED", BATCH_FAILED },
	{ "BATCH_STATE_CANCELLED", BATCH_CANCELLED },
	{ "BATCH_STATE_EXPIRED", BATCH_EXPIRED },
};

static enum batch_status
status_of(const struct json *doc, uint32_t v)
{
	size_t i;

	for (i = 0; i < sizeof states / sizeof states[0]; i++)
		if (json_is(doc, v, states[i].word))
			return states[i].status;
	return BATCH_IN_PROGRESS;
}

/* A number, or one in a string; 0 where there is none. */
static int64_t
count_of(const struct json *doc, uint32_t obj, const char *key,
    struct arena *a)
{
	int64_t n = reply_count(doc, obj, key);

	return n > 0 ? n : at_most(llabs(strtoll(batch_text(doc, obj, key,
	    a), NULL, 10)), TOKENS_MAX);
}

static int64_t
time_of(const struct json *doc, uint32_t obj, const char *key,
    struct arena *a)
{
	return batch_time(batch_text(doc, obj, key, a));
}

/* The operation's error as a list of OpenAI's; NULL: no memory. */
static const char *
failure_of(const struct json *doc, struct arena *a)
{
	uint32_t error = json_get(doc, JSON_ROOT, "error");
	struct str text;

	if (json_type(doc, error) != JSON_OBJECT)
		return "";
	text = canon_quoted(a, batch_text(doc, error, "message", a));
	return text.p == NULL ? NULL : arena_printf(a, "{\"object\":\"list\","
	    "\"data\":[{\"code\":\"batch_failed\",\"message\":%.*s,"
	    "\"line\":null,\"param\":null}]}", (int)text.len, text.p);
}

static void
set_end(struct batch_state *s, int64_t when)
{
	switch (s->status) {
	case BATCH_CANCELLED:
		s->cancelled = when;
		break;
	case BATCH_EXPIRED:
		s->expired = when;
		break;
	case BATCH_FAILED:
		s->failed = when;
		break;
	default:
		s->completed = when;
	}
}

static enum err
gemini_read(struct arena *a, const char *body, size_t len,
    struct batch_state *s, struct fault *f)
{
	struct json doc;
	const char *name;
	uint32_t about, n;
	enum err e = batch_parse(a, body, len, &doc, f);

	if (e != ERR_OK)
		return e;
	memset(s, 0, sizeof *s);
	about = json_get(&doc, JSON_ROOT, "metadata");
	n = json_get(&doc, about, "batchStats");
	name = batch_text(&doc, JSON_ROOT, "name", a);
	if (strncmp(name, NAME, sizeof NAME - 1) != 0)
		return reply_bad(f, "no batch");
	s->id = name + sizeof NAME - 1;
	s->status = status_of(&doc, json_get(&doc, about, "state"));
	s->created = s->begun = time_of(&doc, about, "createTime", a);
	s->done = count_of(&doc, n, "successfulRequestCount", a);
	s->bad = count_of(&doc, n, "failedRequestCount", a);
	s->total = count_of(&doc, n, "requestCount", a);
	s->failure = failure_of(&doc, a);
	set_end(s, time_of(&doc, about, "endTime", a));
	if (*s->id == '\0')
		return reply_bad(f, "no id");
	return batch_files(a, s) && s->failure != NULL ? ERR_OK :
	    fault_memory(f);
}

/* ------------------------------------------------------------- results */

static uint32_t
list_in(const struct json *doc, uint32_t output)
{
	return json_at(doc, output, "inlinedResponses", "inlinedResponses",
	    NULL);
}

static uint32_t
gemini_list(const struct json *doc)
{
	uint32_t list = list_in(doc, json_get(doc, JSON_ROOT, "response"));

	return list != JSON_NONE ? list : list_in(doc, json_at(doc,
	    JSON_ROOT, "metadata", "output", NULL));
}

static enum err
gemini_read_line(struct arena *a, const struct json *line,
    struct batch_line *out, struct fault *f)
{
	uint32_t error = json_get(line, JSON_ROOT, "error");

	memset(out, 0, sizeof *out);
	out->custom_id = batch_text(line, json_get(line, JSON_ROOT,
	    "metadata"), "key", a);
	out->code = batch_text(line, error, "status", a);
	out->message = batch_text(line, error, "message", a);
	out->body = canon_raw(line, json_get(line, JSON_ROOT, "response"));
	out->status = out->body.len > 0 ? 200 : 400;
	return out->body.len > 0 || json_type(line, error) == JSON_OBJECT ?
	    ERR_OK : reply_bad(f, "neither answer nor error");
}

const struct batch_dialect batch_gemini = {
	.name = "gemini",
	.whole = true,
	.most = MIB(19), /* 20 MB of a whole request */
	.put_line = gemini_put_line,
	.create = gemini_create,
	.get = gemini_get,
	.cancel = gemini_cancel,
	.read = gemini_read,
	.results = gemini_results,
	.read_line = gemini_read_line,
	.list = gemini_list,
};
