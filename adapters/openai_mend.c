/*
 * Mends of a document in the OpenAI dialect: each is an edit of the parsed
 * text, and one without need of any passes byte for byte.
 */
#include "adapters/openai_mend.h"

#include <string.h>
#include <time.h>

#include "adapters/canon.h"
#include "adapters/openai.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/decimal.h"
#include "app/base/limits.h"

/* Finish reasons as they are sent, and the word of OpenAI's set. */
static const struct {
	const char *from, *to; /* to NULL: pass as it is */
	enum finish finish;
} finishes[] = {
	{ "stop", NULL, FINISH_STOP },
	{ "length", NULL, FINISH_LENGTH },
	{ "tool_calls", NULL, FINISH_TOOLS },
	{ "function_call", NULL, FINISH_TOOLS },
	{ "content_filter", NULL, FINISH_CONTENT },
	{ "eos", "stop", FINISH_STOP },
	{ "eos_token", "stop", FINISH_STOP },
	{ "end_turn", "stop", FINISH_STOP },
	{ "stop_sequence", "stop", FINISH_STOP },
	{ "STOP", "stop", FINISH_STOP },
	{ "COMPLETE", "stop", FINISH_STOP },
	{ "tool_call", "tool_calls", FINISH_TOOLS },
	{ "tool_use", "tool_calls", FINISH_TOOLS },
	{ "max_tokens", "length", FINISH_LENGTH },
	{ "model_length", "length", FINISH_LENGTH },
	{ "MAX_TOKENS", "length", FINISH_LENGTH },
	{ "guardrail_intervened", "content_filter", FINISH_CONTENT },
	{ "content_filtered", "content_filter", FINISH_CONTENT },
	{ "refusal", "content_filter", FINISH_CONTENT },
	{ "sensitive", "content_filter", FINISH_CONTENT },
	{ "SAFETY", "content_filter", FINISH_CONTENT },
};

/* Members of a delta or message that are content when not empty. */
static const char *const contents[] = { "content", "reasoning_content",
	"reasoning", "refusal", "tool_calls", "function_call", "audio",
	"images", "reasoning_details", "annotations" };

void
mend_init(struct mend *m, const struct json *doc, struct arena *a)
{
	memset(m, 0, sizeof *m);
	m->doc = doc;
	m->arena = a;
	edits_init(&m->edits, doc, a);
}

bool
mend_done(struct mend *m, struct str *out)
{
	struct buf b;
	char *p;

	if (edits_none(&m->edits)) {
		out->p = m->doc->text;
		out->len = m->doc->len;
		return !m->edits.failed;
	}
	buf_init(&b, LIMIT_REPLY);
	p = edits_apply(&m->edits, &b) ? arena_dup(m->arena, b.data, b.len) :
	    NULL;
	if (p != NULL) {
		out->p = p;
		out->len = b.len;
	}
	buf_free(&b);
	return p != NULL;
}

void
mend_set(struct mend *m, uint32_t obj, const char *key, const char *raw)
{
	edits_set(&m->edits, obj, key, raw, strlen(raw));
}

void
mend_set_int(struct mend *m, uint32_t obj, const char *key, int64_t n)
{
	uint32_t v = json_get(m->doc, obj, key);
	char digits[DECIMAL_SIZE], *raw;
	size_t count = decimal(digits, n, 0), len;
	const char *was;

	if (json_type(m->doc, v) == JSON_NUMBER) {
		was = json_raw(m->doc, v, &len);
		if (len == count && memcmp(was, digits, len) == 0)
			return;
	}
	raw = arena_str(m->arena, digits);
	if (raw == NULL)
		m->edits.failed = true;
	else
		mend_set(m, obj, key, raw);
}

/* obj[key] = text as a JSON string. */
static void
set_string(struct mend *m, uint32_t obj, const char *key, const char *text,
    size_t len)
{
	struct buf b;
	char *raw;

	buf_init(&b, LIMIT_REPLY);
	json_quote(&b, text, len);
	raw = b.failed ? NULL : arena_dup(m->arena, b.data, b.len);
	if (raw == NULL)
		m->edits.failed = true;
	else
		edits_set(&m->edits, obj, key, raw, b.len);
	buf_free(&b);
}

void
mend_head(struct mend *m, const char *object, const char *model,
    struct mend_head *head)
{
	uint32_t created = json_get(m->doc, JSON_ROOT, "created");
	int64_t n;
	double d;

	if (!json_is(m->doc, json_get(m->doc, JSON_ROOT, "object"), object))
		set_string(m, JSON_ROOT, "object", object, strlen(object));
	if (json_type(m->doc, json_get(m->doc, JSON_ROOT, "id")) !=
	    JSON_STRING)
		mend_set(m, JSON_ROOT, "id", head->id);
	if (json_type(m->doc, json_get(m->doc, JSON_ROOT, "model")) !=
	    JSON_STRING)
		set_string(m, JSON_ROOT, "model", model, strlen(model));
	if (json_double(m->doc, created, &d) && d >= 0 && d < TOKENS_MAX) {
		n = (int64_t)d;
	} else {
		if (head->created == 0)
			head->created = (int64_t)time(NULL);
		n = head->created;
	}
	mend_set_int(m, JSON_ROOT, "created", n);
}

bool
mend_tokens(const struct json *doc, uint32_t v, int64_t *out)
{
	int64_t n;
	double d;

	if (json_int(doc, v, &n))
		*out = n < 0 ? 0 : n > TOKENS_MAX ? TOKENS_MAX : n;
	else if (json_double(doc, v, &d))
		*out = d <= 0 ? 0 : d > TOKENS_MAX ? TOKENS_MAX : (int64_t)d;
	else
		return false;
	return true;
}

void
mend_usage(struct mend *m)
{
	static const char *const names[] = { "prompt_tokens",
		"completion_tokens", "total_tokens" };
	uint32_t u = json_get(m->doc, JSON_ROOT, "usage"), v;
	int64_t n[3] = { 0, 0, 0 };
	bool known[3];
	size_t i;

	if (json_type(m->doc, u) == JSON_ABSENT ||
	    json_type(m->doc, u) == JSON_NULL)
		return;
	for (i = 0; i < 3; i++) {
		v = json_get(m->doc, u, names[i]);
		known[i] = mend_tokens(m->doc, v, &n[i]);
	}
	if (!known[0] && !known[1]) {
		mend_set(m, JSON_ROOT, "usage", "null");
		return;
	}
	if (!known[2])
		n[2] = n[0] + n[1];
	for (i = 0; i < 3; i++)
		mend_set_int(m, u, names[i], n[i]);
}

enum finish
openai_finish(const struct json *doc, uint32_t v)
{
	size_t i;

	for (i = 0; i < sizeof finishes / sizeof finishes[0]; i++)
		if (json_is(doc, v, finishes[i].from))
			return finishes[i].finish;
	return FINISH_NONE;
}

enum finish
mend_finish(struct mend *m, uint32_t choice, const char *none)
{
	uint32_t v = json_get(m->doc, choice, "finish_reason");
	size_t i;

	if (!json_nonempty(m->doc, v)) {
		if (none != NULL)
			mend_set(m, choice, "finish_reason", none);
		else if (json_type(m->doc, v) > JSON_NULL)
			mend_set(m, choice, "finish_reason", "null");
		return FINISH_NONE;
	}
	for (i = 0; i < sizeof finishes / sizeof finishes[0]; i++) {
		if (!json_is(m->doc, v, finishes[i].from))
			continue;
		if (finishes[i].to != NULL)
			set_string(m, choice, "finish_reason", finishes[i].to,
			    strlen(finishes[i].to));
		return m->finish = finishes[i].finish;
	}
	/* A word nobody knows still ends it. */
	mend_set(m, choice, "finish_reason", "\"stop\"");
	return m->finish = FINISH_STOP;
}

/* Append the text parts of a list of content parts. */
static void
gather(struct mend *m, uint32_t list, const char *member, struct buf *out)
{
	uint32_t part, v;
	const char *p;
	size_t len;

	for (part = json_first(m->doc, list); part != JSON_NONE;
	    part = json_next(m->doc, list, part)) {
		v = json_get(m->doc, part, member);
		if (json_type(m->doc, v) == JSON_ARRAY) {
			gather(m, v, "text", out);
			continue;
		}
		p = json_str(m->doc, v, m->arena, &len);
		if (p != NULL)
			buf_put(out, p, len);
	}
}

/* Magistral's content, a list of thinking and text parts, as two strings. */
static void
mend_parts(struct mend *m, uint32_t msg, uint32_t list)
{
	struct buf b;

	buf_init(&b, LIMIT_REPLY);
	gather(m, list, "text", &b);
	m->edits.failed |= b.failed;
	set_string(m, msg, "content", b.data == NULL ? "" : b.data, b.len);
	buf_clear(&b);
	gather(m, list, "thinking", &b);
	m->edits.failed |= b.failed;
	if (b.len > 0 && json_type(m->doc, json_get(m->doc, msg,
	    "reasoning_content")) <= JSON_NULL)
		set_string(m, msg, "reasoning_content", b.data, b.len);
	buf_free(&b);
}

static bool
not_empty(const struct json *doc, uint32_t v)
{
	switch (json_type(doc, v)) {
	case JSON_STRING:
		return json_nonempty(doc, v);
	case JSON_ARRAY:
	case JSON_OBJECT:
		return json_count(doc, v) > 0;
	default:
		return false;
	}
}

/*
 * See what of a delta or message is content, and how much. Reasoning is often
 * told twice, in one word and in another.
 */
static void
weigh(struct mend *m, uint32_t msg)
{
	int64_t bytes, reasoning = 0;
	uint32_t v;
	size_t i;

	for (i = 0; i < sizeof contents / sizeof contents[0]; i++) {
		v = json_get(m->doc, msg, contents[i]);
		if (!not_empty(m->doc, v))
			continue;
		m->content = true;
		bytes = canon_text_bytes(m->doc, v);
		if (strncmp(contents[i], "reasoning", 9) != 0)
			m->text_bytes += bytes;
		else if (bytes > reasoning)
			reasoning = bytes;
	}
	m->text_bytes += reasoning;
}

void
mend_message(struct mend *m, uint32_t msg)
{
	uint32_t v = json_get(m->doc, msg, "content");

	weigh(m, msg);
	if (json_type(m->doc, v) == JSON_ARRAY)
		mend_parts(m, msg, v);
}

/* Arguments must be a string: null is nothing yet, an object its text. */
static void
mend_arguments(struct mend *m, uint32_t fn)
{
	uint32_t v = json_get(m->doc, fn, "arguments");
	const char *raw;
	size_t len;

	if (json_type(m->doc, fn) != JSON_OBJECT)
		return;
	switch (json_type(m->doc, v)) {
	case JSON_STRING:
		break;
	case JSON_ABSENT:
	case JSON_NULL:
		mend_set(m, fn, "arguments", "\"\"");
		break;
	default:
		raw = json_raw(m->doc, v, &len);
		set_string(m, fn, "arguments", raw, len);
	}
}

void
mend_call_start(struct mend *m, uint32_t call, const char *id)
{
	uint32_t type = json_get(m->doc, call, "type");

	if (!json_nonempty(m->doc, json_get(m->doc, call, "id")))
		set_string(m, call, "id", id, strlen(id));
	if (!json_nonempty(m->doc, type))
		mend_set(m, call, "type", "\"function\"");
	mend_arguments(m, json_get(m->doc, call, "function"));
}

void
mend_call_more(struct mend *m, uint32_t call)
{
	uint32_t fn = json_get(m->doc, call, "function");

	edits_remove(&m->edits, call, "id");
	if (json_type(m->doc, json_get(m->doc, call, "type")) == JSON_NULL)
		edits_remove(&m->edits, call, "type");
	edits_remove(&m->edits, fn, "name");
	if (json_get(m->doc, fn, "arguments") != JSON_NONE)
		mend_arguments(m, fn);
}
