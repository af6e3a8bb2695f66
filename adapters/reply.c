/* Helpers of the readers of providers' answers. */
#include "adapters/reply.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "app/base/arena.h"

enum err
reply_bad(struct fault *f, const char *what)
{
	return fault_set(f, ERR_BAD_UPSTREAM, NULL,
	    "the provider sent no usable answer: %s", what);
}

enum err
reply_cut(struct fault *f, bool started)
{
	return reply_bad(f, started ? "the stream was cut off" :
	    "an empty stream");
}

bool
reply_tokens(const struct json *doc, uint32_t obj, const char *key,
    int64_t *out)
{
	int64_t n;

	if (!json_int(doc, json_get(doc, obj, key), &n))
		return false;
	*out = n < 0 ? 0 : n > TOKENS_MAX ? TOKENS_MAX : n;
	return true;
}

int64_t
reply_count(const struct json *doc, uint32_t obj, const char *key)
{
	int64_t n = 0;

	reply_tokens(doc, obj, key, &n);
	return n;
}

static bool
append_choices(struct arena *a, struct reply *sum, const struct reply *part)
{
	size_t old = sum->choice_count, more = part->choice_count, i;
	struct choice *list = arena_resize(a, sum->choices,
	    old * sizeof *list, (old + more) * sizeof *list);

	if (list == NULL)
		return false;
	for (i = 0; i < more; i++) {
		list[old + i] = part->choices[i];
		list[old + i].index = (int64_t)(old + i);
	}
	sum->choices = list;
	sum->choice_count = old + more;
	return true;
}

enum err
reply_append(struct arena *a, struct reply *sum, const struct reply *part)
{
	size_t old = sum->vector_count, more = part->vector_count;
	struct vector *list = arena_resize(a, sum->vectors,
	    old * sizeof *list, (old + more) * sizeof *list);
	bool first = old == 0 && sum->choice_count == 0;
	unsigned i;

	if (list == NULL || !append_choices(a, sum, part))
		return ERR_INTERNAL;
	if (more > 0)
		memcpy(list + old, part->vectors, more * sizeof *list);
	sum->vectors = list;
	sum->vector_count = old + more;
	if (first) {
		sum->model = part->model;
		sum->id = part->id;
		sum->finish = part->finish;
	}
	sum->usage.known = part->usage.known &&
	    (first || sum->usage.known);
	for (i = 0; i < UNIT_COUNT; i++)
		sum->usage.n[i] = at_most(sum->usage.n[i] +
		    part->usage.n[i], TOKENS_MAX);
	return ERR_OK;
}

/*
 * In the words of OpenAI, Anthropic, Amazon, Google (serviceTier and
 * trafficType) and Groq; no one else's word means something else.
 */
static const struct {
	const char *word;
	enum service service;
} services[] = {
	{ "default", SERVICE_STANDARD },
	{ "standard", SERVICE_STANDARD },
	{ "on_demand", SERVICE_STANDARD },
	{ "ON_DEMAND", SERVICE_STANDARD },
	{ "flex", SERVICE_FLEX },
	{ "ON_DEMAND_FLEX", SERVICE_FLEX },
	{ "priority", SERVICE_PRIORITY },
	{ "ON_DEMAND_PRIORITY", SERVICE_PRIORITY },
	{ "batch", SERVICE_BATCH },
	{ "scale", SERVICE_RESERVED },
	{ "reserved", SERVICE_RESERVED },
	{ "PROVISIONED_THROUGHPUT", SERVICE_RESERVED },
};

bool
reply_service(const struct json *doc, uint32_t v, enum service *out)
{
	size_t i;

	if (json_type(doc, v) != JSON_STRING || json_is(doc, v, "") ||
	    json_is(doc, v, "auto"))
		return false;
	*out = SERVICE_OTHER;
	for (i = 0; i < sizeof services / sizeof services[0]; i++)
		if (json_is(doc, v, services[i].word))
			*out = services[i].service;
	return true;
}

enum err
reply_parse(struct arena *a, const char *body, size_t len, struct json *doc,
    struct reply *reply, struct fault *f)
{
	struct upstream_error *error;

	if (json_parse(doc, a, body, len, NULL) != ERR_OK)
		return reply_bad(f, "not JSON");
	if (!errors_present(doc))
		return ERR_OK;
	error = arena_zalloc(a, sizeof *error);
	if (error == NULL)
		return ERR_INTERNAL;
	errors_read(a, 200, doc, error);
	reply->error = error;
	return ERR_OK;
}

enum err
reply_event(struct arena *a, const char *data, size_t len, struct json *doc,
    struct fault *f)
{
	return json_parse(doc, a, data, len, NULL) == ERR_OK &&
	    json_type(doc, JSON_ROOT) == JSON_OBJECT ? ERR_OK :
	    reply_bad(f, "an event that is not JSON");
}

enum err
reply_failed(const struct upstream_error *error, delta_fn *emit, void *arg)
{
	struct delta d;

	memset(&d, 0, sizeof d);
	d.kind = DELTA_ERROR;
	d.error = error;
	return emit(arg, &d);
}

enum err
reply_error(struct arena *scratch, const struct json *doc, delta_fn *emit,
    void *arg)
{
	struct upstream_error error;

	errors_read(scratch, 0, doc, &error);
	return reply_failed(&error, emit, arg);
}

enum err
reply_end(const struct adapter *from, delta_fn *emit, void *arg)
{
	struct delta d;

	memset(&d, 0, sizeof d);
	d.kind = DELTA_END;
	d.from = from;
	return emit(arg, &d);
}
