/* Errors of providers: one reader for all their forms. */
#include "adapters/errors.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/base/arena.h"

/* What a status means when the body tells nothing better. */
static const struct {
	int from, to;
	unsigned fail;
} by_status[] = {
	{ 401, 401, FAIL_AUTH },
	{ 402, 402, FAIL_QUOTA },
	{ 403, 403, FAIL_AUTH },
	{ 404, 404, FAIL_MISSING },
	{ 408, 408, FAIL_TIMEOUT },
	{ 409, 409, FAIL_SERVER },
	{ 413, 413, FAIL_REQUEST | FAIL_CONTEXT },
	{ 429, 429, FAIL_RATE },
	{ 400, 499, FAIL_REQUEST },
	{ 503, 503, FAIL_SERVER | FAIL_OVERLOAD },
	{ 504, 504, FAIL_SERVER | FAIL_TIMEOUT },
	{ 529, 529, FAIL_SERVER | FAIL_OVERLOAD },
	{ 500, 599, FAIL_SERVER },
};

/*
 * Words in type, code or message that say more than the status. The first
 * row that fits decides. `statuses`: only where the status is one of these
 * hundreds, as bits (1 << 4 = 4xx, 1 << 0 = inside a stream).
 */
#define S4 (1U << 4)
#define S5 (1U << 5)
#define S0 (1U << 0)
static const struct {
	const char *word;
	unsigned statuses;
	unsigned fail;
} by_word[] = {
	{ "context_length_exceeded", S4 | S0, FAIL_REQUEST | FAIL_CONTEXT },
	{ "maximum context length", S4 | S0, FAIL_REQUEST | FAIL_CONTEXT },
	{ "context window", S4 | S0, FAIL_REQUEST | FAIL_CONTEXT },
	{ "prompt is too long", S4 | S0, FAIL_REQUEST | FAIL_CONTEXT },
	{ "input is too long", S4 | S0, FAIL_REQUEST | FAIL_CONTEXT },
	{ "too many tokens", S4 | S0, FAIL_REQUEST | FAIL_CONTEXT },
	{ "exceeds the maximum number of tokens", S4 | S0, /* Gemini */
	    FAIL_REQUEST | FAIL_CONTEXT },
	{ "exceed context limit", S4 | S0, /* Anthropic: with max_tokens */
	    FAIL_REQUEST | FAIL_CONTEXT },
	{ "maximum prompt length", S4 | S0, FAIL_REQUEST | FAIL_CONTEXT },
	{ "context size has been exceeded", S5, /* llama.cpp, as a 500 */
	    FAIL_SERVER | FAIL_CONTEXT },
	{ "content_filter", S4 | S0, FAIL_REQUEST | FAIL_CONTENT },
	{ "content_policy", S4 | S0, FAIL_REQUEST | FAIL_CONTENT },
	{ "content management policy", S4 | S0, FAIL_REQUEST | FAIL_CONTENT },
	{ "content filtering policy", S4 | S0, FAIL_REQUEST | FAIL_CONTENT },
	{ "insufficient_quota", S4 | S0, FAIL_QUOTA },
	{ "credit balance", S4 | S0, FAIL_QUOTA },
	{ "invalid_api_key", S4 | S0, FAIL_AUTH },
	{ "incorrect api key", S4 | S0, FAIL_AUTH },
	{ "api key not valid", S4 | S0, FAIL_AUTH },
	{ "authentication_error", S4 | S0, FAIL_AUTH },
	{ "rate_limit", S4 | S0, FAIL_RATE },
	{ "rate limit", S0, FAIL_RATE },
	{ "too many requests", S0, FAIL_RATE },
	{ "overloaded", S5 | S0, FAIL_SERVER | FAIL_OVERLOAD },
	{ "model_not_found", S4 | S0, FAIL_MISSING },
	{ "invalid_request", S0, FAIL_REQUEST },
	{ "tool_use_failed", S0, FAIL_REQUEST },
};

static unsigned
fail_of_status(int status)
{
	size_t i;

	for (i = 0; i < sizeof by_status / sizeof by_status[0]; i++)
		if (status >= by_status[i].from && status <= by_status[i].to)
			return by_status[i].fail;
	return status == 0 ? FAIL_SERVER : FAIL_BROKEN;
}

static unsigned
fail_of(const struct upstream_error *e)
{
	unsigned where = 1U << (e->status / 100 % 10);
	size_t i;

	for (i = 0; i < sizeof by_word / sizeof by_word[0]; i++)
		if ((by_word[i].statuses & where) != 0 &&
		    (strcasestr(e->code, by_word[i].word) != NULL ||
			strcasestr(e->type, by_word[i].word) != NULL ||
			strcasestr(e->message, by_word[i].word) != NULL))
			return by_word[i].fail;
	return fail_of_status(e->status);
}

/* A string or number at v as text, "" for anything else. */
static const char *
text_at(const struct json *doc, uint32_t v, struct arena *a)
{
	const char *p = NULL;
	size_t len;

	switch (json_type(doc, v)) {
	case JSON_STRING:
		p = json_cstr(doc, v, a);
		break;
	case JSON_NUMBER:
		p = json_raw(doc, v, &len);
		p = arena_dup(a, p, len);
		break;
	default:
		break;
	}
	return p == NULL ? "" : p;
}

/* The error inside the first choice, or JSON_NONE. */
static uint32_t
choice_error(const struct json *doc)
{
	uint32_t choice, v;

	choice = json_first(doc, json_get(doc, JSON_ROOT, "choices"));
	v = json_get(doc, choice, "error");
	return json_type(doc, v) == JSON_OBJECT && json_count(doc, v) > 0 ?
	    v : JSON_NONE;
}

/* The object that tells of the error: where the known forms put it. */
static uint32_t
error_object(const struct json *doc)
{
	uint32_t v;

	v = json_get(doc, JSON_ROOT, "error");
	if (json_type(doc, v) == JSON_OBJECT)
		return v;
	v = json_first(doc, json_get(doc, JSON_ROOT, "errors"));
	if (json_type(doc, v) == JSON_OBJECT)
		return v;
	v = choice_error(doc);
	if (v != JSON_NONE)
		return v;
	/* An array around it all: Gemini's OpenAI surface. */
	if (json_type(doc, JSON_ROOT) == JSON_ARRAY) {
		v = json_first(doc, JSON_ROOT);
		if (json_type(doc, json_get(doc, v, "error")) == JSON_OBJECT)
			return json_get(doc, v, "error");
		return v;
	}
	return JSON_ROOT;
}

static const char *
message_of(const struct json *doc, uint32_t err, struct arena *a)
{
	static const char *const names[] = { "message", "detail", "error",
		"msg", "error_message" };
	uint32_t v, first;
	const char *s;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		v = json_get(doc, err, names[i]);
		s = text_at(doc, v, a);
		if (*s != '\0')
			return s;
		/* A list of complaints, {detail: [{msg}]}: the first. */
		first = json_first(doc, v);
		s = text_at(doc, first, a);
		if (*s == '\0')
			s = text_at(doc, json_get(doc, first, "msg"), a);
		if (*s != '\0' && json_type(doc, v) == JSON_ARRAY)
			return s;
	}
	return text_at(doc, json_get(doc, JSON_ROOT, "detail"), a);
}

void
errors_read(struct arena *a, int status, const struct json *doc,
    struct upstream_error *out)
{
	uint32_t err = error_object(doc);
	int64_t code;

	out->status = status;
	out->message = message_of(doc, err, a);
	out->type = text_at(doc, json_get(doc, err, "type"), a);
	if (*out->type == '\0') /* AWS, where no header tells it */
		out->type = text_at(doc, json_get(doc, err, "__type"), a);
	out->code = text_at(doc, json_get(doc, err, "code"), a);
	out->param = text_at(doc, json_get(doc, err, "param"), a);
	/* A status as code, inside a stream or under a 200. */
	if (status < 400 && (json_int(doc, json_get(doc, err, "code"),
	    &code) || json_int(doc, json_get(doc, err, "status_code"),
	    &code)) && code >= 400 && code <= 599)
		out->status = (int)code;
	out->fail = fail_of(out);
}

void
errors_classify(struct arena *a, int status, const char *body, size_t len,
    struct upstream_error *out)
{
	struct json doc;

	if (json_parse(&doc, a, body, len, NULL) == ERR_OK) {
		errors_read(a, status, &doc, out);
		return;
	}
	out->status = status;
	out->message = out->type = out->code = out->param = "";
	out->fail = fail_of_status(status);
}

bool
errors_present(const struct json *doc)
{
	uint32_t v = json_get(doc, JSON_ROOT, "error");

	switch (json_type(doc, v)) {
	case JSON_OBJECT:
		return json_count(doc, v) > 0;
	case JSON_STRING:
		return json_nonempty(doc, v);
	case JSON_ABSENT:
		break;
	default:
		return false;
	}
	return json_is(doc, json_get(doc, JSON_ROOT, "object"), "error") ||
	    choice_error(doc) != JSON_NONE ||
	    json_type(doc, json_first(doc,
		json_get(doc, JSON_ROOT, "errors"))) == JSON_OBJECT;
}
