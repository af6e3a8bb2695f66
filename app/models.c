/*
 * Models in OpenAI's shape, with the members that OpenRouter made common:
 * context_length, pricing (USD a token, as decimal strings), top_provider.
 */
#include "app/models.h"

#include <string.h>
#include <time.h>

#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/decimal.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/worker.h"

static const struct {
	unsigned cap;
	const char *name;
} capabilities[] = {
	{ CAP_TOOLS, "tools" },
	{ CAP_REASONING, "reasoning" },
	{ CAP_STRUCTURED, "structured_output" },
	{ CAP_IMAGE_IN, "image_input" },
	{ CAP_PDF_IN, "pdf_input" },
	{ CAP_AUDIO_IN, "audio_input" },
	{ CAP_VIDEO_IN, "video_input" },
	{ CAP_IMAGE_OUT, "image_output" },
	{ CAP_AUDIO_OUT, "audio_output" },
};

/* OpenRouter's names of rates. `each`: a price of one, else of 10^6. */
static const struct {
	const char *name;
	enum unit unit;
	bool each;
} rates[] = {
	{ "prompt", UNIT_INPUT, false },
	{ "completion", UNIT_OUTPUT, false },
	{ "input_cache_read", UNIT_CACHED_INPUT, false },
	{ "input_cache_write", UNIT_CACHE_WRITE, false },
	{ "internal_reasoning", UNIT_REASONING, false },
	{ "request", UNIT_REQUEST, true },
	{ "image", UNIT_IMAGE, true },
	{ "web_search", UNIT_SEARCH, true },
};

static void
write_prices(struct json_writer *w, const struct price *p)
{
	char text[DECIMAL_SIZE];
	size_t i;

	if (!p->known) {
		jw_null(w);
		return;
	}
	jw_object(w);
	for (i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		if (p->rate[rates[i].unit] == PRICE_UNSET)
			continue;
		decimal(text, p->rate[rates[i].unit],
		    rates[i].each ? 9 : 15);
		jw_key(w, rates[i].name);
		jw_string(w, text);
	}
	jw_end_object(w);
}

static void
write_size(struct json_writer *w, const char *key, uint32_t n)
{
	jw_key(w, key);
	if (n == 0)
		jw_null(w);
	else
		jw_int(w, n);
}

static int64_t
day_of(const char *released)
{
	struct tm tm;

	memset(&tm, 0, sizeof tm);
	if (strptime(released, "%Y-%m-%d", &tm) == NULL)
		return 0;
	return (int64_t)timegm(&tm);
}

static void
write_caps(struct json_writer *w, unsigned caps)
{
	size_t i;

	jw_array(w);
	for (i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
		if ((caps & capabilities[i].cap) != 0)
			jw_string(w, capabilities[i].name);
	jw_end_array(w);
}

static void
write_model(struct json_writer *w, const struct worker *wk, const char *id,
    const struct deployment *d)
{
	struct catalog_model m;
	bool known = catalog_model(wk->env.catalog, d->provider->name,
	    d->model, &m);

	jw_object(w);
	jw_key(w, "id");
	jw_string(w, id);
	jw_key(w, "object");
	jw_string(w, "model");
	jw_key(w, "created");
	jw_int(w, known ? day_of(m.released) : 0);
	jw_key(w, "owned_by");
	jw_string(w, d->provider->name);
	write_size(w, "context_length", d->context);
	jw_key(w, "pricing");
	write_prices(w, &d->price);
	jw_key(w, "capabilities");
	write_caps(w, d->caps);
	jw_key(w, "top_provider");
	jw_object(w);
	write_size(w, "context_length", d->context);
	write_size(w, "max_completion_tokens", d->max_output);
	jw_end_object(w);
	jw_end_object(w);
}

/* The catalog's models of the policy's providers, asked for directly. */
static void
write_direct(struct request *r, struct json_writer *w)
{
	const struct policy *p = r->policy;
	struct catalog_provider cp;
	struct catalog_model m;
	struct deployment d;
	const char *id;
	size_t i;
	uint32_t k;

	for (i = 0; i < p->provider_count; i++) {
		if (!catalog_provider(p->catalog, p->providers[i].name, &cp))
			continue;
		for (k = cp.first; k < cp.first + cp.count; k++) {
			if (!catalog_model_at(p->catalog, k, &m))
				continue;
			id = arena_printf(r->arena, "%s/%s",
			    p->providers[i].name, m.name);
			if (id != NULL && vkey_allows(r->key, id) &&
			    policy_direct(p, id, r->arena, &d))
				write_model(w, r->worker, id, &d);
		}
	}
}

enum verdict
models_list(struct request *r)
{
	const struct policy *p = r->policy;
	struct json_writer w;
	struct buf b;
	size_t i;

	buf_init(&b, LIMIT_REPLY);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, "object");
	jw_string(&w, "list");
	jw_key(&w, "data");
	jw_array(&w);
	for (i = 0; i < p->model_count; i++)
		if (vkey_allows(r->key, p->models[i].name))
			write_model(&w, r->worker, p->models[i].name,
			    &p->models[i].targets[0]);
	write_direct(r, &w);
	jw_end_array(&w);
	jw_end_object(&w);
	answer_built(r, 200, &b);
	return DONE;
}

enum verdict
models_one(struct request *r)
{
	const struct model *m = policy_model(r->policy, r->name);
	const struct deployment *d = NULL;
	struct deployment direct;
	struct json_writer w;
	struct buf b;

	if (vkey_allows(r->key, r->name)) {
		if (m != NULL)
			d = &m->targets[0];
		else if (policy_direct(r->policy, r->name, r->arena, &direct))
			d = &direct;
	}
	if (d == NULL)
		return request_fail(r, ERR_MODEL_NOT_FOUND, "model",
		    "the model '%s' does not exist", r->name);
	buf_init(&b, KIB(64));
	jw_init(&w, &b);
	write_model(&w, r->worker, r->name, d);
	answer_built(r, 200, &b);
	return DONE;
}
