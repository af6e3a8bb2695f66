/* What the dialects of batches have in common. */
#include "adapters/batch.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "adapters/canon.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

static const char *const words[BATCH_STATUSES] = { "validating",
	"in_progress", "finalizing", "cancelling", "completed", "failed",
	"expired", "cancelled" };

const char *
batch_status_word(enum batch_status s)
{
	return words[s];
}

/* One that nobody knows is one that goes on. */
enum batch_status
batch_status_of(const struct json *doc, uint32_t v)
{
	int i;

	for (i = 0; i < BATCH_STATUSES; i++)
		if (json_is(doc, v, words[i]))
			return (enum batch_status)i;
	return BATCH_IN_PROGRESS;
}

/* The first of a dialect's name is its own; others are spoken there too. */
static const struct {
	const char *adapter;
	const struct batch_dialect *dialect;
} dialects[] = {
	{ "openai", &batch_openai },
	{ "responses", &batch_openai },
	{ "completions", &batch_openai },
	{ "anthropic", &batch_anthropic },
	{ "gemini", &batch_gemini },
};

/* Where a cloud lends a model, its maker's batches are not. */
static bool
is_lent(const struct provider *p)
{
	return (p->quirks & (QUIRK_RAW_PREDICT | QUIRK_INVOKE)) != 0 ||
	    strstr(p->base_url, "/publishers/") != NULL;
}

const struct batch_dialect *
batch_dialect_of(const struct provider *p)
{
	size_t i;

	for (i = 0; i < sizeof dialects / sizeof dialects[0]; i++)
		if (strcmp(p->adapter, dialects[i].adapter) == 0 &&
		    !is_lent(p))
			return dialects[i].dialect;
	return NULL;
}

static const struct {
	const char *path, *surface;
	bool door;
} paths[] = {
	{ "/v1/chat/completions", "openai", false },
	{ "/v1/responses", "responses", false },
	{ "/v1/embeddings", "embeddings", true },
	{ "/v1/completions", "completions", false },
	{ "/v1/moderations", "moderations", true },
};

const char *
batch_surface(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (strcmp(path, paths[i].path) == 0)
			return paths[i].surface;
	return NULL;
}

const char *
batch_door(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (paths[i].door && strcmp(path, paths[i].path) == 0)
			return paths[i].surface;
	return NULL;
}

const char *
batch_path(const struct adapter *asks)
{
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (strcmp(asks->name, paths[i].surface) == 0)
			return paths[i].path;
	return NULL;
}

enum err
batch_read(const struct batch_dialect *d, struct arena *a, const char *body,
    size_t len, struct batch_state *out, struct fault *f)
{
	enum err e = d->read(a, body, len, out, f);

	if (e != ERR_OK)
		return e;
	if (*out->id == '\0' || strlen(out->id) > BATCH_ID ||
	    strlen(out->output) > BATCH_ID || strlen(out->errors) > BATCH_ID)
		return reply_bad(f, "an id that is none");
	if (strlen(out->failure) > BATCH_FAILURE)
		out->failure = "";
	return ERR_OK;
}

const char *
batch_text(const struct json *doc, uint32_t obj, const char *key,
    struct arena *a)
{
	const char *s = json_cstr(doc, json_get(doc, obj, key), a);

	return s == NULL ? "" : s;
}

enum err
batch_parse(struct arena *a, const char *body, size_t len, struct json *doc,
    struct fault *f)
{
	if (json_parse(doc, a, body, len, NULL) != ERR_OK ||
	    json_type(doc, JSON_ROOT) != JSON_OBJECT)
		return reply_bad(f, "no JSON object");
	return ERR_OK;
}

int64_t
batch_time(const char *s)
{
	struct tm tm;
	time_t t;
	int n = 0;

	memset(&tm, 0, sizeof tm);
	if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
	    &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6 ||
	    n == 0 || tm.tm_year < 1970)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = timegm(&tm);
	return t < 0 ? 0 : (int64_t)t;
}

/* --------------------------------------------- answers without a file */

#define ANSWERS "file-out-"
#define ERRORS "file-err-"

const char *
batch_file(struct arena *a, const char *id, bool errors)
{
	return arena_printf(a, "%s%s", errors ? ERRORS : ANSWERS, id);
}

bool
batch_files(struct arena *a, struct batch_state *s)
{
	s->output = s->errors = "";
	if (!batch_ended(s->status))
		return true;
	if (s->done > 0)
		s->output = batch_file(a, s->id, false);
	if (s->bad > 0)
		s->errors = batch_file(a, s->id, true);
	return s->output != NULL && s->errors != NULL;
}

const char *
batch_of_file(const char *own)
{
	size_t n = sizeof ANSWERS - 1;

	return strncmp(own, ANSWERS, n) == 0 || batch_is_error(own) ?
	    own + n : NULL;
}

bool
batch_is_error(const char *own)
{
	return strncmp(own, ERRORS, sizeof ERRORS - 1) == 0;
}

static void
put_error(struct json_writer *w, const struct batch_line *l)
{
	jw_object(w);
	canon_put_text(w, "code", canon_lit(l->code));
	canon_put_text(w, "message", canon_lit(l->message));
	jw_end_object(w);
}

static void
put_response(struct json_writer *w, const struct batch_line *l,
    struct str body)
{
	jw_object(w);
	canon_put_int(w, "status_code", l->status);
	canon_put_text(w, "request_id", canon_lit(""));
	jw_key(w, "body");
	if (body.p != NULL) {
		jw_raw(w, body.p, body.len);
	} else {
		jw_object(w);
		jw_key(w, "error");
		put_error(w, l);
		jw_end_object(w);
	}
	jw_end_object(w);
}

void
batch_put_answer(struct buf *out, const struct batch_line *l, struct str body)
{
	struct json_writer w;
	size_t from = out->len;

	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "id");
	jw_null(&w);
	canon_put_text(&w, "custom_id", canon_lit(l->custom_id));
	jw_key(&w, "response");
	if (l->status == 0)
		jw_null(&w);
	else
		put_response(&w, l, body);
	jw_key(&w, "error");
	if (l->status == 0)
		put_error(&w, l);
	else
		jw_null(&w);
	jw_end_object(&w);
	canon_one_line(out, from);
	buf_putc(out, '\n');
}

void
batch_list(struct buf *out, struct str lines)
{
	const char *p = lines.p, *end;
	size_t left = lines.len, n;

	buf_putc(out, '[');
	for (; left > 0; p += n, left -= n) {
		end = memchr(p, '\n', left);
		n = end == NULL ? left : (size_t)(end - p) + 1;
		if (p != lines.p)
			buf_putc(out, ',');
		buf_put(out, p, end == NULL ? n : n - 1);
	}
	buf_putc(out, ']');
}

enum err
batch_call(struct arena *a, const char *method, const char *base,
    const char *path, const char *id, const char *tail,
    struct http_call *call, struct fault *f)
{
	call->method = method;
	call->url = arena_printf(a, "%s%s%s%s%s", base, path,
	    id == NULL ? "" : "/", id == NULL ? "" : canon_segment(a, id),
	    tail);
	return call->url == NULL ? fault_memory(f) : ERR_OK;
}
