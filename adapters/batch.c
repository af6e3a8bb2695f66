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
};

const struct batch_dialect *
batch_dialect_of(const struct provider *p)
{
	size_t i;

	for (i = 0; i < sizeof dialects / sizeof dialects[0]; i++)
		if (strcmp(p->adapter, dialects[i].adapter) == 0)
			return dialects[i].dialect;
	return NULL;
}

static const struct {
	const char *path, *surface;
} paths[] = {
	{ "/v1/chat/completions", "openai" },
	{ "/v1/responses", "responses" },
	{ "/v1/embeddings", "embeddings" },
	{ "/v1/completions", "completions" },
	{ "/v1/moderations", "moderations" },
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
batch_path(const struct adapter *asks)
{
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (strcmp(asks->name, paths[i].surface) == 0)
			return paths[i].path;
	return NULL;
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
