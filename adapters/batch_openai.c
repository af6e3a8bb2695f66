/*
 * Files and batches of OpenAI and of those who speak as it does. Azure's older
 * form has its version in the query and paths without "/v1" in a batch
 * (learn.microsoft.com, Azure OpenAI: Batch - Create, read 2026-11).
 */
#include <string.h>

#include "adapters/batch.h"
#include "adapters/canon.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/decimal.h"
#include "app/base/form.h"
#include "app/base/hash.h"

#define V1 "/v1"

/* Azure's older form of address: …/openai/deployments, or a version. */
static bool
is_versioned(const struct provider *p)
{
	return *p->api_version != '\0';
}

static const char *
base_of(struct arena *a, const struct provider *p)
{
	static const char end[] = "/deployments";
	size_t n = strlen(p->base_url), k = sizeof end - 1;

	return n >= k && strcmp(p->base_url + n - k, end) == 0 ?
	    arena_dup(a, p->base_url, n - k) : p->base_url;
}

static const char *
tail_of(struct arena *a, const struct provider *p, const char *tail)
{
	return is_versioned(p) ? arena_printf(a, "%s?api-version=%s", tail,
	    p->api_version) : tail;
}

static enum err
call_to(struct arena *a, const struct provider *p, const char *method,
    const char *path, const char *id, const char *tail,
    struct http_call *call, struct fault *f)
{
	const char *base = base_of(a, p), *end = tail_of(a, p, tail);

	if (base == NULL || end == NULL)
		return fault_memory(f);
	return batch_call(a, method, base, path, id, end, call, f);
}

/* The path of a batch as the provider names it. */
static const char *
path_at(const struct provider *p, const char *path)
{
	return is_versioned(p) && strncmp(path, V1, sizeof V1 - 1) == 0 ?
	    path + sizeof V1 - 1 : path;
}

static bool
openai_put_line(struct buf *out, struct str custom_id, const char *path,
    struct str body)
{
	struct json_writer w;
	size_t from = out->len;

	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "custom_id");
	jw_stringn(&w, custom_id.p, custom_id.len);
	jw_key(&w, "method");
	jw_string(&w, "POST");
	jw_key(&w, "url");
	jw_string(&w, path);
	jw_key(&w, "body");
	jw_raw(&w, body.p, body.len);
	jw_end_object(&w);
	canon_one_line(out, from);
	buf_putc(out, '\n');
	return true;
}

/* ------------------------------------------------------------- files */

static void
put_field(struct buf *b, const char *boundary, const char *name,
    const char *value)
{
	struct form_part p = { .name = name, .type = "", .data = value,
		.len = strlen(value) };

	form_put(b, boundary, &p);
}

/* Made of the content's digest: it cannot stand in the content. */
static const char *
boundary_for(struct arena *a, struct str content)
{
	char hex[HASH_HEX_SIZE];

	return hash_sha256_hex(hex, content.p, content.len) != ERR_OK ? NULL :
	    arena_printf(a, "tollgate-%.40s", hex);
}

static enum err
openai_upload(struct arena *a, const struct provider *p,
    const struct batch_upload *u, struct http_call *call, struct fault *f)
{
	const char *boundary = boundary_for(a, u->content);
	struct form_part file = { .name = "file", .filename = u->filename,
		.type = "application/octet-stream", .data = u->content.p,
		.len = u->content.len };
	char ttl[DECIMAL_SIZE];
	enum err e = call_to(a, p, "POST", "/files", NULL, "", call, f);
	struct buf body;

	if (e != ERR_OK || boundary == NULL)
		return e != ERR_OK ? e : fault_memory(f);
	call->type = arena_printf(a, "multipart/form-data; boundary=\"%s\"",
	    boundary);
	buf_init(&body, LIMIT_BODY * 2);
	put_field(&body, boundary, "purpose", u->purpose);
	if (u->ttl > 0) {
		decimal(ttl, u->ttl, 0);
		put_field(&body, boundary, "expires_after[anchor]",
		    "created_at");
		put_field(&body, boundary, "expires_after[seconds]", ttl);
	}
	form_put(&body, boundary, &file);
	form_end(&body, boundary);
	return canon_body(a, call, &body, call->type == NULL ?
	    fault_memory(f) : ERR_OK, f);
}

static enum err
openai_file(struct arena *a, const struct provider *p, const char *method,
    const char *id, const char *tail, struct http_call *call,
    struct fault *f)
{
	return call_to(a, p, method, "/files", id, tail, call, f);
}

/* ----------------------------------------------------------- batches */

static enum err
openai_create(struct arena *a, const struct deployment *d,
    const struct batch_order *o, struct http_call *call, struct fault *f)
{
	const struct provider *p = d->provider;
	enum err e = call_to(a, p, "POST", "/batches", NULL, "", call, f);
	struct json_writer w;
	struct buf body;

	buf_init(&body, LIMIT_BODY);
	jw_init(&w, &body);
	jw_object(&w);
	jw_key(&w, "input_file_id");
	jw_string(&w, o->file);
	jw_key(&w, "endpoint");
	jw_string(&w, path_at(p, o->path));
	jw_key(&w, "completion_window");
	jw_string(&w, o->window);
	canon_put_raw(&w, "metadata", o->metadata);
	jw_end_object(&w);
	return canon_body(a, call, &body, e, f);
}

static enum err
openai_get(struct arena *a, const struct provider *p, const char *id,
    struct http_call *call, struct fault *f)
{
	return call_to(a, p, "GET", "/batches", id, "", call, f);
}

static enum err
openai_cancel(struct arena *a, const struct provider *p, const char *id,
    struct http_call *call, struct fault *f)
{
	return call_to(a, p, "POST", "/batches", id, "/cancel", call, f);
}

static int64_t
count_of(const struct json *doc, const char *key)
{
	return reply_count(doc, json_get(doc, JSON_ROOT, "request_counts"),
	    key);
}

static enum err
openai_read(struct arena *a, const char *body, size_t len,
    struct batch_state *s, struct fault *f)
{
	static const struct {
		const char *key;
		size_t at;
	} times[] = {
		{ "created_at", offsetof(struct batch_state, created) },
		{ "in_progress_at", offsetof(struct batch_state, begun) },
		{ "expires_at", offsetof(struct batch_state, expires) },
		{ "finalizing_at", offsetof(struct batch_state, finalizing) },
		{ "completed_at", offsetof(struct batch_state, completed) },
		{ "failed_at", offsetof(struct batch_state, failed) },
		{ "expired_at", offsetof(struct batch_state, expired) },
		{ "cancelling_at", offsetof(struct batch_state, cancelling) },
		{ "cancelled_at", offsetof(struct batch_state, cancelled) },
	};
	struct json doc;
	struct str errors;
	size_t i;
	enum err e = batch_parse(a, body, len, &doc, f);

	if (e != ERR_OK)
		return e;
	memset(s, 0, sizeof *s);
	s->id = batch_text(&doc, JSON_ROOT, "id", a);
	s->output = batch_text(&doc, JSON_ROOT, "output_file_id", a);
	s->errors = batch_text(&doc, JSON_ROOT, "error_file_id", a);
	s->status = batch_status_of(&doc, json_get(&doc, JSON_ROOT,
	    "status"));
	for (i = 0; i < sizeof times / sizeof times[0]; i++)
		*(int64_t *)(void *)((char *)s + times[i].at) =
		    reply_count(&doc, JSON_ROOT, times[i].key);
	errors = json_type(&doc, json_get(&doc, JSON_ROOT, "errors")) ==
	    JSON_OBJECT ? canon_raw(&doc, json_get(&doc, JSON_ROOT,
	    "errors")) : (struct str){ "", 0 };
	s->failure = arena_dup(a, errors.p, errors.len);
	s->total = count_of(&doc, "total");
	s->done = count_of(&doc, "completed");
	s->bad = count_of(&doc, "failed");
	if (*s->id == '\0')
		return reply_bad(f, "no id");
	return s->failure == NULL ? fault_memory(f) : ERR_OK;
}

static enum err
openai_results(struct arena *a, const struct provider *p, const char *where,
    struct http_call *call, struct fault *f)
{
	return openai_file(a, p, "GET", where, "/content", call, f);
}

/* {"custom_id", "response": {"status_code", "body"}, "error"} */
static enum err
openai_read_line(struct arena *a, const struct json *line,
    struct batch_line *out, struct fault *f)
{
	uint32_t response = json_get(line, JSON_ROOT, "response");
	uint32_t error = json_get(line, JSON_ROOT, "error");
	int64_t status = 0;

	memset(out, 0, sizeof *out);
	out->custom_id = batch_text(line, JSON_ROOT, "custom_id", a);
	out->code = batch_text(line, error, "code", a);
	out->message = batch_text(line, error, "message", a);
	if (json_type(line, response) != JSON_OBJECT)
		return json_type(line, error) == JSON_OBJECT ? ERR_OK :
		    reply_bad(f, "a line of neither answer nor error");
	json_int(line, json_get(line, response, "status_code"), &status);
	out->status = status > 0 && status < 600 ? (int)status : 0;
	out->body = canon_raw(line, json_get(line, response, "body"));
	return ERR_OK;
}

const struct batch_dialect batch_openai = {
	.name = "openai",
	.keeps = true,
	.passes = true,
	.put_line = openai_put_line,
	.upload = openai_upload,
	.file = openai_file,
	.create = openai_create,
	.get = openai_get,
	.cancel = openai_cancel,
	.read = openai_read,
	.results = openai_results,
	.read_line = openai_read_line,
};
