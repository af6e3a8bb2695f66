/*
 * Whole answers of providers that speak Responses (streams:
 * responses_events.c). For a client of the same dialect they pass as they
 * came; for another one the output items are read into parts. Of what the
 * provider's own tools did only images show in other dialects.
 */
#include "adapters/responses.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/reply.h"
#include "adapters/responses_answer.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"

static struct str
text(const struct json *doc, uint32_t obj, const char *key, struct arena *a)
{
	return canon_str(doc, json_get(doc, obj, key), a);
}

/* -------------------------------------------------------------- usage */

/* As the provider counts them: OpenAI, or xAI of the web and of X. */
static bool
searches_told(const struct json *doc, uint32_t response, int64_t *n)
{
	uint32_t calls = json_at(doc, response, "usage",
	    "server_side_tool_usage_details", NULL);
	int64_t web = 0, x = 0;

	if (reply_tokens(doc, json_at(doc, response, "tool_usage",
	    "web_search", NULL), "num_requests", n))
		return true;
	if (!reply_tokens(doc, calls, "web_search_calls", &web))
		return false;
	reply_tokens(doc, calls, "x_search_calls", &x);
	*n = at_most(web + x, TOKENS_MAX);
	return true;
}

/* Web searches that were really made: they are paid for one by one. */
static int64_t
searches(const struct json *doc, uint32_t response)
{
	uint32_t list = json_get(doc, response, "output"), v;
	int64_t n = 0;

	if (searches_told(doc, response, &n))
		return n;
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		n += json_is(doc, json_get(doc, v, "type"),
		    "web_search_call") && json_is(doc, json_at(doc, v,
		    "action", "type", NULL), "search");
	return n;
}

void
responses_usage(const struct json *doc, uint32_t response, struct usage *out)
{
	uint32_t u = json_get(doc, response, "usage"), in, of;
	int64_t prompt, answer, thought, *n = out->n;

	memset(out, 0, sizeof *out);
	if (json_type(doc, json_get(doc, u, "input_tokens")) != JSON_NUMBER &&
	    json_type(doc, json_get(doc, u, "output_tokens")) != JSON_NUMBER)
		return;
	in = json_get(doc, u, "input_tokens_details");
	of = json_get(doc, u, "output_tokens_details");
	prompt = reply_count(doc, u, "input_tokens");
	answer = reply_count(doc, u, "output_tokens");
	thought = reply_count(doc, of, "reasoning_tokens");
	/* Some count reasoning beside the output, most in it. */
	if (thought > 0 && reply_count(doc, u, "total_tokens") ==
	    prompt + answer + thought)
		answer += thought;
	n[UNIT_CACHED_INPUT] = at_most(reply_count(doc, in,
	    "cached_tokens"), prompt);
	n[UNIT_CACHE_WRITE] = at_most(reply_count(doc, in,
	    "cache_write_tokens"), prompt - n[UNIT_CACHED_INPUT]);
	n[UNIT_INPUT] = prompt - n[UNIT_CACHED_INPUT] - n[UNIT_CACHE_WRITE];
	n[UNIT_REASONING] = at_most(thought, answer);
	n[UNIT_OUTPUT] = answer - n[UNIT_REASONING];
	n[UNIT_SEARCH] = searches(doc, response);
	reply_service(doc, json_get(doc, response, "service_tier"),
	    &out->service);
	out->known = true;
}

enum finish
responses_finish(const struct json *doc, uint32_t response)
{
	uint32_t list = json_get(doc, response, "output"), v;
	uint32_t why = json_at(doc, response, "incomplete_details", "reason",
	    NULL);

	if (json_is(doc, json_get(doc, response, "status"), "incomplete"))
		return json_is(doc, why, "content_filter") ? FINISH_CONTENT :
		    FINISH_LENGTH;
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		if (json_is(doc, json_get(doc, v, "type"), "function_call"))
			return FINISH_TOOLS;
	return FINISH_STOP;
}

/*
 * The error of a response that failed. Its object looks like a plain error
 * body, so it is read as one.
 */
bool
responses_failure(struct arena *a, int status, const struct json *doc,
    uint32_t response, struct upstream_error *out)
{
	struct str raw = canon_raw(doc, response);
	struct json inner;

	if (raw.p == NULL ||
	    json_parse(&inner, a, raw.p, raw.len, NULL) != ERR_OK)
		return false;
	errors_read(a, status, &inner, out);
	if (strcmp(out->type, "error") == 0)
		out->type = "";
	if (*out->type == '\0')
		out->type = out->code;
	return true;
}

/* ------------------------------------------------------ whole answers */

static struct part *
add(struct parts *out, enum part_kind kind)
{
	struct part *p = parts_add(out);

	if (p != NULL)
		p->kind = kind;
	return p;
}

/* All texts of a list, with an empty line between. NULL p: there are none. */
static bool
gather(const struct json *doc, uint32_t list, struct arena *a,
    struct str *out)
{
	struct buf b;
	struct str s;
	uint32_t v;
	bool ok;

	buf_init(&b, LIMIT_REPLY);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		s = text(doc, v, "text", a);
		if (s.len > 0 && b.len > 0)
			buf_puts(&b, "\n\n");
		if (s.len > 0)
			buf_put(&b, s.p, s.len);
	}
	*out = (struct str){ NULL, 0 };
	if (b.len > 0 && !b.failed) {
		out->p = arena_dup(a, b.data, b.len);
		out->len = out->p == NULL ? 0 : b.len;
	}
	ok = !b.failed && (b.len == 0 || out->p != NULL);
	buf_free(&b);
	return ok;
}

/* The readable reasoning of an item: a summary, else what was thought. */
bool
responses_reasoning(const struct json *doc, uint32_t item, struct arena *a,
    struct str *out)
{
	return gather(doc, json_get(doc, item, "summary"), a, out) &&
	    (out->len > 0 || gather(doc, json_get(doc, item, "content"), a,
	    out));
}

/* An annotation in the form that chat completions give it. */
struct str
responses_citation(const struct json *doc, uint32_t v, struct arena *a)
{
	static const char *const keys[] = { "start_index", "end_index",
		"url", "title" };
	struct str s = { NULL, 0 };
	struct json_writer w;
	struct buf b;
	size_t i;

	if (!json_is(doc, json_get(doc, v, "type"), "url_citation"))
		return s;
	buf_init(&b, LIMIT_EVENT_LARGE);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, "type");
	jw_string(&w, "url_citation");
	jw_key(&w, "url_citation");
	jw_object(&w);
	for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
		canon_put_raw(&w, keys[i],
		    canon_raw(doc, json_get(doc, v, keys[i])));
	jw_end_object(&w);
	jw_end_object(&w);
	return canon_take(a, &b);
}

/* What a message adds up beside its parts. */
struct beside {
	struct buf citations, logprobs; /* elements, commas between */
};

static void
add_element(struct buf *out, struct str s)
{
	if (s.len == 0)
		return;
	if (out->len > 0)
		buf_putc(out, ',');
	buf_put(out, s.p, s.len);
}

static bool
read_message(const struct json *doc, uint32_t item, struct parts *out,
    struct beside *b)
{
	uint32_t list = json_get(doc, item, "content"), v, n, l;
	struct part *p;
	bool refusal;

	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		refusal = json_is(doc, json_get(doc, v, "type"), "refusal");
		if (!refusal && !json_is(doc, json_get(doc, v, "type"),
		    "output_text"))
			continue;
		p = add(out, refusal ? PART_REFUSAL : PART_TEXT);
		if (p == NULL)
			return false;
		p->text = text(doc, v, refusal ? "refusal" : "text",
		    out->arena);
		l = json_get(doc, v, "annotations");
		for (n = json_first(doc, l); n != JSON_NONE;
		    n = json_next(doc, l, n))
			add_element(&b->citations, responses_citation(doc, n,
			    out->arena));
		l = json_get(doc, v, "logprobs");
		for (n = json_first(doc, l); n != JSON_NONE;
		    n = json_next(doc, l, n))
			add_element(&b->logprobs, canon_raw(doc, n));
	}
	return true;
}

/* Text and seal are two parts: other dialects show one or the other. */
static bool
read_reasoning(const struct json *doc, uint32_t item, struct parts *out)
{
	struct str sealed = text(doc, item, "encrypted_content", out->arena);
	struct part *p;
	struct str s;

	if (!responses_reasoning(doc, item, out->arena, &s))
		return false;
	if (s.len > 0) {
		p = add(out, PART_REASONING);
		if (p == NULL)
			return false;
		p->text = s;
	}
	if (sealed.len == 0)
		return true;
	p = add(out, PART_REASONING);
	if (p == NULL)
		return false;
	p->sealed = sealed;
	p->id = text(doc, item, "id", out->arena);
	p->origin = "responses";
	return true;
}

/* The id that the call's answer must name. */
struct str
responses_call_id(const struct json *doc, uint32_t item, struct arena *a)
{
	struct str id = text(doc, item, "call_id", a);

	return id.len > 0 ? id : text(doc, item, "id", a);
}

static bool
read_call(const struct json *doc, uint32_t item, struct parts *out)
{
	struct part *p = add(out, PART_CALL);

	if (p == NULL)
		return false;
	p->id = responses_call_id(doc, item, out->arena);
	p->name = text(doc, item, "name", out->arena);
	p->args = text(doc, item, "arguments", out->arena);
	if (p->args.len == 0)
		p->args = canon_lit("{}");
	return true;
}

bool
responses_image(const struct json *doc, uint32_t item, struct arena *a,
    struct part *p)
{
	struct str format = text(doc, item, "output_format", a);

	p->kind = PART_IMAGE;
	p->data = text(doc, item, "result", a);
	p->media_type = canon_lit("image/png");
	if (format.len > 0 && format.len < 16)
		p->media_type = canon_printf(a, "image/%.*s", (int)format.len,
		    format.p);
	return p->data.len > 0;
}

static bool
read_image(const struct json *doc, uint32_t item, struct parts *out)
{
	struct part image, *p;

	memset(&image, 0, sizeof image);
	if (!responses_image(doc, item, out->arena, &image))
		return true;
	p = parts_add(out);
	if (p != NULL)
		*p = image;
	return p != NULL;
}

static bool
read_item(const struct json *doc, uint32_t item, struct parts *out,
    struct beside *b)
{
	uint32_t type = json_get(doc, item, "type");

	if (json_is(doc, type, "message"))
		return read_message(doc, item, out, b);
	if (json_is(doc, type, "reasoning"))
		return read_reasoning(doc, item, out);
	if (json_is(doc, type, "function_call"))
		return read_call(doc, item, out);
	if (json_is(doc, type, "image_generation_call"))
		return read_image(doc, item, out);
	return true;
}

/* "before" elements "after", or nothing when there are no elements. */
static struct str
wrap(const char *before, const struct buf *b, const char *after,
    struct arena *a)
{
	struct str s = { NULL, 0 };
	size_t n = strlen(before), m = strlen(after);
	char *p;

	if (b->len == 0)
		return s;
	p = arena_alloc(a, n + b->len + m + 1);
	if (p == NULL)
		return s;
	memcpy(p, before, n);
	memcpy(p + n, b->data, b->len);
	memcpy(p + n + b->len, after, m + 1);
	s.p = p;
	s.len = n + b->len + m;
	return s;
}

static bool
read_choice(struct arena *a, const struct json *doc, struct reply *reply)
{
	uint32_t list = json_get(doc, JSON_ROOT, "output"), v;
	struct choice *c = arena_zalloc(a, sizeof *c);
	struct parts parts = { .arena = a };
	struct beside b;
	bool ok = c != NULL;

	buf_init(&b.citations, LIMIT_REPLY);
	buf_init(&b.logprobs, LIMIT_REPLY);
	for (v = json_first(doc, list); v != JSON_NONE && ok;
	    v = json_next(doc, list, v))
		ok = read_item(doc, v, &parts, &b);
	ok = ok && !b.citations.failed && !b.logprobs.failed;
	if (ok) {
		c->parts = parts.list;
		c->part_count = parts.count;
		c->finish = reply->finish;
		c->citations = wrap("[", &b.citations, "]", a);
		c->logprobs = wrap("{\"content\":[", &b.logprobs, "]}", a);
		reply->choices = c;
		reply->choice_count = 1;
	}
	buf_free(&b.citations);
	buf_free(&b.logprobs);
	return ok;
}

/* Is it an error instead of an answer? */
static enum err
check_failure(struct arena *a, const struct json *doc, struct reply *reply)
{
	struct upstream_error *error;

	if (!errors_present(doc) && !json_is(doc, json_get(doc, JSON_ROOT,
	    "status"), "failed"))
		return ERR_OK;
	error = arena_zalloc(a, sizeof *error);
	if (error == NULL || !responses_failure(a, 0, doc, JSON_ROOT, error))
		return ERR_INTERNAL;
	reply->error = error;
	return ERR_OK;
}

enum err
responses_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);
	uint32_t output;
	enum err e;

	(void)d;
	if (doc == NULL)
		return ERR_INTERNAL;
	if (json_parse(doc, a, body, len, NULL) != ERR_OK)
		return reply_bad(f, "not JSON");
	e = check_failure(a, doc, reply);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	reply->from = &adapter_responses;
	reply->raw = (struct str){ body, len };
	reply->doc = doc;
	if (chat->count)
		return json_type(doc, json_get(doc, JSON_ROOT,
		    "input_tokens")) == JSON_NUMBER ? ERR_OK :
		    reply_bad(f, "no count");
	output = json_get(doc, JSON_ROOT, "output");
	if (json_type(doc, output) != JSON_ARRAY)
		return reply_bad(f, "no output");
	reply->id = text(doc, JSON_ROOT, "id", a);
	reply->model = text(doc, JSON_ROOT, "model", a);
	json_int(doc, json_get(doc, JSON_ROOT, "created_at"),
	    &reply->created);
	responses_usage(doc, JSON_ROOT, &reply->usage);
	reply->finish = responses_finish(doc, JSON_ROOT);
	reply->text_bytes = canon_text_bytes(doc, output);
	if (chat->surface == reply->from)
		return ERR_OK;
	return read_choice(a, doc, reply) ? ERR_OK : ERR_INTERNAL;
}
