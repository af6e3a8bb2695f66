/*
 * The table of doors, how a path finds its row, and the two doors that need
 * no knowledge of models: health and readiness.
 */
#include "app/endpoint.h"

#include <ctype.h>
#include <string.h>

#include "app/admin.h"
#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/base/percent.h"
#include "app/filed.h"
#include "app/metrics.h"
#include "app/models.h"
#include "app/nowhere.h"
#include "app/worker.h"

static enum verdict serve_health(struct request *r);
static enum verdict serve_ready(struct request *r);

static const struct endpoint doors[] = {
	{ "POST", "/v1/chat/completions", "openai", "chat", "chat",
	    false, false, NULL },
	{ "POST", "/v1/responses", "responses", "responses", "chat",
	    false, false, NULL },
	{ "POST", "/v1/responses/input_tokens", "responses", "input_tokens",
	    "count", false, false, NULL },
	{ "GET", "/v1/responses/*", "kept", "retrieve", "retrieve",
	    false, false, NULL },
	{ "DELETE", "/v1/responses/*", "kept", "delete", "delete",
	    false, false, NULL },
	{ "POST", "/v1/responses/*/cancel", "kept", "cancel", "cancel",
	    false, false, NULL },
	{ "GET", "/v1/responses/*/input_items", "kept", "input_items",
	    "input_items", false, false, NULL },
	{ "POST", "/v1/completions", "completions", "completions", "chat",
	    false, false, NULL },
	{ "POST", "/v1/messages", "anthropic", "messages", "chat",
	    false, false, NULL },
	{ "POST", "/v1/messages/count_tokens", "anthropic", "count_tokens",
	    "count", false, false, NULL },
	{ "POST", "/v1beta/models/*:embedContent", "gemini_embed",
	    "embeddings", "embeddings", false, false, NULL },
	{ "POST", "/v1beta/models/*:batchEmbedContents", "gemini_embed",
	    "embeddings", "embeddings", false, false, NULL },
	{ "POST", "/v1/models/*:embedContent", "gemini_embed",
	    "embeddings", "embeddings", false, false, NULL },
	{ "POST", "/v1/models/*:batchEmbedContents", "gemini_embed",
	    "embeddings", "embeddings", false, false, NULL },
	{ "POST", "/v1beta/models/", "gemini", "generate", "chat",
	    false, false, NULL },
	{ "POST", "/v1/models/", "gemini", "generate", "chat",
	    false, false, NULL },
	{ "POST", "/v1/audio/transcriptions", "transcriptions",
	    "transcriptions", "transcriptions", false, false, NULL },
	{ "POST", "/v1/audio/translations", "translations",
	    "translations", "translations", false, false, NULL },
	{ "POST", "/v1/embeddings", "embeddings", "embeddings", "embeddings",
	    false, false, NULL },
	{ "POST", "/v1/rerank", "rerank", "rerank", "rerank",
	    false, false, NULL },
	{ "POST", "/v2/rerank", "rerank", "rerank", "rerank",
	    false, false, NULL },
	{ "POST", "/v1/moderations", "moderations", "moderations",
	    "moderations", false, false, NULL },
	{ "POST", "/v1/images/generations", "images", "images", "images",
	    false, false, NULL },
	{ "POST", "/v1/images/edits", "image_edits", "image_edits",
	    "image_edits", false, false, NULL },
	{ "POST", "/v1/images/variations", "image_variations",
	    "image_variations", "image_variations", false, false, NULL },
	{ "POST", "/v1/audio/speech", "speech", "speech", "speech",
	    false, false, NULL },
	{ "POST", "/v1/files", "files", "upload", "files",
	    false, false, NULL },
	{ "GET", "/v1/files", "filed", "files", "files",
	    false, false, filed_list },
	{ "GET", "/v1/files/*", "filed", "file", "files",
	    false, false, NULL },
	{ "DELETE", "/v1/files/*", "filed", "file_delete", "files",
	    false, false, NULL },
	{ "GET", "/v1/files/*/content", "filed", "file_content", "files",
	    false, false, NULL },
	{ "POST", "/v1/batches", "batches", "batch_create", "batches",
	    false, false, NULL },
	{ "GET", "/v1/batches", "filed", "batches", "batches",
	    false, false, filed_list },
	{ "GET", "/v1/batches/*", "filed", "batch", "batches",
	    false, false, NULL },
	{ "POST", "/v1/batches/*/cancel", "filed", "batch_cancel", "batches",
	    false, false, NULL },
	{ "GET", "/passthrough/", "passthrough", "passthrough",
	    "passthrough", false, false, NULL },
	{ "POST", "/passthrough/", "passthrough", "passthrough",
	    "passthrough", false, false, NULL },
	{ "PUT", "/passthrough/", "passthrough", "passthrough",
	    "passthrough", false, false, NULL },
	{ "PATCH", "/passthrough/", "passthrough", "passthrough",
	    "passthrough", false, false, NULL },
	{ "DELETE", "/passthrough/", "passthrough", "passthrough",
	    "passthrough", false, false, NULL },
	{ "GET", "/v1/models", "openai", "models", "models",
	    false, false, models_list },
	{ "GET", "/v1/models/", "openai", "models", "models",
	    false, false, models_one },
	{ "GET", "/metrics", "openai", "metrics", "metrics",
	    false, false, metrics_serve },
	{ "GET", "/healthz", "openai", "health", "health",
	    true, false, serve_health },
	{ "GET", "/readyz", "openai", "health", "health",
	    true, false, serve_ready },
};

/* Does it begin and end so? What is between is its name. */
static bool
frames(const char *head, size_t before, const char *tail, struct str path,
    struct str *name)
{
	size_t after = strlen(tail);

	if (path.len <= before + after || memcmp(path.p, head, before) != 0 ||
	    memcmp(path.p + path.len - after, tail, after) != 0)
		return false;
	name->p = path.p + before;
	name->len = path.len - before - after;
	return true;
}

/* name: what stands for the '*' or behind the last '/', as it came. */
static bool
path_matches(const struct endpoint *e, struct str path, struct str *name)
{
	const char *star = strchr(e->path, '*');
	size_t n = strlen(e->path);

	*name = (struct str){ "", 0 };
	if (star != NULL) /* a model's name may hold slashes */
		return frames(e->path, (size_t)(star - e->path), star + 1,
		    path, name) && (star[1] == ':' ||
		    memchr(name->p, '/', name->len) == NULL);
	if (e->path[n - 1] == '/')
		return frames(e->path, n, "", path, name);
	return path.len == n && memcmp(path.p, e->path, n) == 0;
}

/* The row of a path and method; r->allow: when only the method is wrong. */
static const struct endpoint *
find(struct request *r, const struct endpoint *rows, size_t n,
    const char *method, struct str path)
{
	struct str name;
	size_t i;

	r->allow = NULL;
	for (i = 0; i < n; i++) {
		if (!path_matches(&rows[i], path, &name))
			continue;
		if (strcmp(rows[i].method, method) == 0) {
			r->allow = NULL;
			return &rows[i];
		}
		if (r->allow != NULL && strstr(r->allow, rows[i].method) !=
		    NULL)
			continue;
		r->allow = r->allow == NULL ? rows[i].method :
		    arena_printf(r->arena, "%s, %s", r->allow,
			rows[i].method);
	}
	return NULL;
}

static bool
plain_id(const char *s)
{
	size_t n;

	for (n = 0; s[n] != '\0'; n++)
		if (!isalnum((unsigned char)s[n]) &&
		    strchr("-_.:/+=", s[n]) == NULL)
			return false;
	return n > 0 && n <= 128;
}

/* The client's own id for the request when it is a decent one, else ours. */
static const char *
request_id(struct request *r)
{
	const char *theirs = request_header(r, "HTTP_X_REQUEST_ID"), *id;

	if (theirs != NULL && plain_id(theirs))
		id = arena_str(r->arena, theirs);
	else
		id = arena_printf(r->arena, "req_%016llx%016llx",
		    (unsigned long long)worker_random(r->worker),
		    (unsigned long long)worker_random(r->worker));
	return id == NULL ? "req_0" : id;
}

/* No door; who asks must show a key before he hears of it. */
static enum verdict
none(struct request *r)
{
	r->endpoint = &nowhere;
	return GO;
}

static enum verdict
found(struct request *r, const struct endpoint *e, struct str path)
{
	struct str name;

	r->endpoint = e;
	if (e->serve == NULL || e->admin)
		r->surface = adapter_find(e->surface);
	if (path_matches(e, path, &name) && name.len > 0) {
		r->name = r->surface->raw ?
		    arena_dup(r->arena, name.p, name.len) :
		    percent_decode(r->arena, name.p, name.len);
		if (r->name == NULL)
			return none(r);
	}
	return r->x->refused == ERR_OK ? GO :
	    request_fault(r, r->x->refused);
}

enum verdict
endpoint_route(struct request *r)
{
	const char *uri = exchange_param(r->x, "REQUEST_URI");
	const char *method = exchange_param(r->x, "REQUEST_METHOD");
	const struct endpoint *e;
	struct str path;
	size_t len, n;

	r->id = request_id(r);
	r->surface = adapter_find("openai");
	r->name = r->query = "";
	if (uri == NULL || method == NULL || *uri != '/')
		return none(r);
	r->surface = nowhere_surface(r, uri);
	len = strcspn(uri, "?");
	if (uri[len] == '?')
		r->query = uri + len + 1;
	if (strlen(uri) > LIMIT_URI)
		return request_fault(r, ERR_HEADERS_TOO_LARGE);
	/* Who may not, hears what everybody hears of a path that is none. */
	n = admin_prefix(r, uri, len);
	if (n > 0 ? !admin_allowed(r) : r->worker->admin_only)
		return none(r);
	path = (struct str){ uri + n, len - n };
	e = n > 0 ? find(r, admin_doors, admin_door_count, method, path) :
	    find(r, doors, sizeof doors / sizeof doors[0], method, path);
	if (n == 0 && nowhere_foreign(r->surface, uri, len))
		e = NULL;
	if (e != NULL)
		return found(r, e, path);
	if (n > 0) /* who that is, is known */
		return request_fault(r, r->allow == NULL ? ERR_NOT_FOUND :
		    ERR_BAD_METHOD);
	if (nowhere_known(r->surface, uri, len))
		r->allow = NULL;
	return none(r);
}

enum verdict
endpoint_serve(struct request *r)
{
	if (r->endpoint->serve == NULL)
		return GO;
	if (r->x->more)
		return request_fail(r, ERR_BAD_REQUEST, NULL,
		    "no form is taken here");
	return r->endpoint->serve(r);
}

static enum verdict
serve_health(struct request *r)
{
	static const char ok[] = "{\"status\":\"ok\"}";

	answer_json(r, 200, ok, sizeof ok - 1);
	return DONE;
}

/* Ready to serve; tells when a newer policy had to be refused. */
static enum verdict
serve_ready(struct request *r)
{
	const struct worker *w = r->worker;
	bool ready = !w->stopping;
	struct json_writer j;
	struct buf b;

	buf_init(&b, KIB(4));
	jw_init(&j, &b);
	jw_object(&j);
	jw_key(&j, "status");
	jw_string(&j, ready ? "ready" : "stopping");
	jw_key(&j, "policy");
	jw_object(&j);
	jw_key(&j, "version");
	jw_stringn(&j, r->policy->hash, strnlen(r->policy->hash, 12));
	jw_key(&j, "loaded");
	jw_int(&j, w->loaded / 1000000);
	jw_key(&j, "refused");
	if (*w->refused_policy == '\0')
		jw_null(&j);
	else
		jw_string(&j, w->refused_policy);
	jw_end_object(&j);
	jw_end_object(&j);
	answer_built(r, ready ? 200 : 503, &b);
	return DONE;
}
