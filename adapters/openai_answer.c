/*
 * Answers in the OpenAI chat dialect, whole and streamed. What a provider
 * sends is kept byte for byte but for mends that make it what OpenAI's own
 * clients expect: call indexes from 0, ids and types where they belong,
 * known finish reasons, text as strings. Each mend is an edit of the parsed
 * text; an event without need of one passes untouched. What strict clients
 * cannot do without (id, created, model, whole usage counts, a finish reason
 * before the end) is added where a provider leaves it out.
 */
#include "adapters/openai.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "adapters/answer.h"
#include "adapters/canon.h"
#include "adapters/errors.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/decimal.h"
#include "app/base/limits.h"
#include "app/base/sse.h"

#define CHOICES_MAX 128
#define CALLS_MAX 1024

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

/* A tool call that has begun: its number is its place in the array. */
struct call_seen {
	int64_t theirs; /* index the provider gave, -1 = none */
	const char *id;
};

struct choice_seen {
	int64_t index;
	struct call_seen *calls;
	size_t count, size;
	bool finished;
};

/* What a stream must remember between events. */
struct seen {
	struct choice_seen *choices;
	size_t count, size;
	bool content, finished, ended;
	const char *id;	 /* as JSON: the first that is not empty */
	int64_t created; /* 0 until a mend needs it */
};

/* One document under repair. */
struct mend {
	const struct json *doc;
	struct arena *arena; /* for the edits: lives as long as the text */
	struct edits edits;
	struct usage usage;
	enum finish finish;
	bool content;
	int64_t text_bytes;
};

/* ------------------------------------------------------------- usage */

static bool
tokens(const struct json *doc, uint32_t v, int64_t *out)
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

static int64_t
first_tokens(const struct json *doc, uint32_t a, uint32_t b)
{
	int64_t n = 0;

	if (!tokens(doc, a, &n))
		tokens(doc, b, &n);
	return n;
}

static uint32_t
usage_object(const struct json *doc)
{
	uint32_t v, choice;

	v = json_get(doc, JSON_ROOT, "usage");
	if (json_type(doc, v) == JSON_OBJECT)
		return v;
	v = json_at(doc, JSON_ROOT, "x_groq", "usage", NULL);
	if (json_type(doc, v) == JSON_OBJECT)
		return v;
	choice = json_first(doc, json_get(doc, JSON_ROOT, "choices"));
	v = json_get(doc, choice, "usage");
	return json_type(doc, v) == JSON_OBJECT ? v : JSON_NONE;
}

bool
openai_usage(const struct json *doc, struct usage *out)
{
	uint32_t u = usage_object(doc), in, of;
	int64_t prompt = 0, answer = 0, total = 0, thought, *n;
	bool any;

	any = tokens(doc, json_get(doc, u, "prompt_tokens"), &prompt);
	any |= tokens(doc, json_get(doc, u, "completion_tokens"), &answer);
	if (!any)
		return false;
	tokens(doc, json_get(doc, u, "total_tokens"), &total);
	in = json_get(doc, u, "prompt_tokens_details");
	of = json_get(doc, u, "completion_tokens_details");
	memset(out, 0, sizeof *out);
	n = out->n;
	n[UNIT_CACHED_INPUT] = at_most(first_tokens(doc,
	    json_get(doc, in, "cached_tokens"),
	    json_get(doc, u, "prompt_cache_hit_tokens")), prompt);
	n[UNIT_CACHE_WRITE] = at_most(first_tokens(doc,
	    json_get(doc, in, "cache_write_tokens"),
	    json_get(doc, in, "cache_creation_tokens")),
	    prompt - n[UNIT_CACHED_INPUT]);
	n[UNIT_AUDIO_INPUT] = at_most(first_tokens(doc,
	    json_get(doc, in, "audio_tokens"), JSON_NONE),
	    prompt - n[UNIT_CACHED_INPUT] - n[UNIT_CACHE_WRITE]);
	n[UNIT_INPUT] = prompt - n[UNIT_CACHED_INPUT] -
	    n[UNIT_CACHE_WRITE] - n[UNIT_AUDIO_INPUT];
	thought = first_tokens(doc, json_get(doc, of, "reasoning_tokens"),
	    json_get(doc, u, "reasoning_tokens"));
	/* xAI counts reasoning beside the completion, all others in it. */
	if (thought > 0 && total == prompt + answer + thought)
		answer = at_most(answer + thought, TOKENS_MAX);
	n[UNIT_REASONING] = at_most(thought, answer);
	n[UNIT_AUDIO_OUTPUT] = at_most(first_tokens(doc,
	    json_get(doc, of, "audio_tokens"), JSON_NONE),
	    answer - n[UNIT_REASONING]);
	n[UNIT_OUTPUT] = answer - n[UNIT_REASONING] - n[UNIT_AUDIO_OUTPUT];
	out->known = true;
	return true;
}

/* ------------------------------------------------------------- mends */

static void
mend_init(struct mend *m, const struct json *doc, struct arena *a)
{
	memset(m, 0, sizeof *m);
	m->doc = doc;
	m->arena = a;
	edits_init(&m->edits, doc, a);
}

static void
set(struct mend *m, uint32_t obj, const char *key, const char *raw)
{
	edits_set(&m->edits, obj, key, raw, strlen(raw));
}

/* obj[key] = n, unless it stands there in just these digits. */
static void
set_int(struct mend *m, uint32_t obj, const char *key, int64_t n)
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
		set(m, obj, key, raw);
}

/*
 * Counts that strict clients can read: whole numbers from 0 to 2^53. Null is
 * what some send until they know; where nothing is known usage is null.
 */
static void
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
		known[i] = tokens(m->doc, v, &n[i]);
	}
	if (!known[0] && !known[1]) {
		set(m, JSON_ROOT, "usage", "null");
		return;
	}
	if (!known[2])
		n[2] = n[0] + n[1];
	for (i = 0; i < 3; i++)
		set_int(m, u, names[i], n[i]);
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

static enum finish
finish_of(const struct json *doc, uint32_t v)
{
	size_t i;

	for (i = 0; i < sizeof finishes / sizeof finishes[0]; i++)
		if (json_is(doc, v, finishes[i].from))
			return finishes[i].finish;
	return FINISH_NONE;
}

/*
 * The finish reason in OpenAI's words. none: what a choice without one gets,
 * as JSON, or NULL when that is no fault.
 */
static enum finish
mend_finish(struct mend *m, uint32_t choice, const char *none)
{
	uint32_t v = json_get(m->doc, choice, "finish_reason");
	size_t i;

	if (!json_nonempty(m->doc, v)) {
		if (none != NULL)
			set(m, choice, "finish_reason", none);
		else if (json_type(m->doc, v) > JSON_NULL)
			set(m, choice, "finish_reason", "null");
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
	set(m, choice, "finish_reason", "\"stop\"");
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
	if (b.len > 0 && json_get(m->doc, msg, "reasoning_content") ==
	    JSON_NONE)
		set_string(m, msg, "reasoning_content", b.data, b.len);
	buf_free(&b);
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
		set(m, fn, "arguments", "\"\"");
		break;
	default:
		raw = json_raw(m->doc, v, &len);
		set_string(m, fn, "arguments", raw, len);
	}
}

/* The first part of a call: it has an id, a type and arguments. */
static void
mend_call_start(struct mend *m, uint32_t call, const char *id)
{
	uint32_t type = json_get(m->doc, call, "type");

	if (!json_nonempty(m->doc, json_get(m->doc, call, "id")))
		set_string(m, call, "id", id, strlen(id));
	if (!json_nonempty(m->doc, type))
		set(m, call, "type", "\"function\"");
	mend_arguments(m, json_get(m->doc, call, "function"));
}

/*
 * A later part: clients add strings up, so what was said must not be said
 * again.
 */
static void
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

static struct choice_seen *
choice_seen(struct seen *s, struct arena *a, int64_t index)
{
	struct choice_seen *c;
	size_t i;

	for (i = 0; i < s->count; i++)
		if (s->choices[i].index == index)
			return &s->choices[i];
	if (s->count == CHOICES_MAX)
		return NULL;
	if (s->count == s->size) {
		c = arena_resize(a, s->choices, s->size * sizeof *c,
		    (s->size * 2 + 1) * sizeof *c);
		if (c == NULL)
			return NULL;
		s->choices = c;
		s->size = s->size * 2 + 1;
	}
	c = &s->choices[s->count++];
	memset(c, 0, sizeof *c);
	c->index = index;
	return c;
}

/* Which call a part belongs to, or count when it begins a new one. */
static size_t
call_of(const struct choice_seen *c, int64_t theirs, const char *id,
    bool named)
{
	size_t i;

	for (i = c->count; i-- > 0;) {
		if (theirs >= 0 && c->calls[i].theirs != theirs)
			continue;
		if (*id == '\0' || strcmp(c->calls[i].id, id) == 0)
			return theirs < 0 && *id == '\0' && named ? c->count :
			    i;
	}
	return c->count;
}

static bool
call_begin(struct choice_seen *c, struct arena *a, int64_t theirs,
    const char *id)
{
	struct call_seen *n;
	size_t size = c->size * 2 + 2;

	if (c->count == CALLS_MAX)
		return false;
	if (c->count == c->size) {
		n = arena_resize(a, c->calls, c->size * sizeof *n,
		    size * sizeof *n);
		if (n == NULL)
			return false;
		c->calls = n;
		c->size = size;
	}
	id = arena_str(a, id);
	if (id == NULL)
		return false;
	c->calls[c->count].theirs = theirs;
	c->calls[c->count++].id = id;
	return true;
}

/* One part of a streamed call. False beyond a bound. */
static bool
mend_call_part(struct mend *m, struct stream *s, struct choice_seen *c,
    uint32_t call)
{
	uint32_t fn = json_get(m->doc, call, "function");
	const char *id, *made = NULL;
	int64_t theirs = -1;
	size_t ours;

	if (json_type(m->doc, call) != JSON_OBJECT)
		return false;
	id = json_cstr(m->doc, json_get(m->doc, call, "id"), s->scratch);
	if (id == NULL)
		id = "";
	json_int(m->doc, json_get(m->doc, call, "index"), &theirs);
	ours = call_of(c, theirs, id,
	    json_nonempty(m->doc, json_get(m->doc, fn, "name")));
	if (ours < c->count) {
		set_int(m, call, "index", (int64_t)ours);
		mend_call_more(m, call);
		return true;
	}
	if (*id == '\0') {
		made = arena_printf(s->scratch, "call_%lld_%zu",
		    (long long)c->index, ours);
		if (made == NULL)
			return false;
	}
	if (!call_begin(c, s->arena, theirs, id))
		return false;
	set_int(m, call, "index", (int64_t)ours);
	mend_call_start(m, call, made == NULL ? id : made);
	return true;
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

/* See what of a delta or message is content, and how much. */
static void
weigh(struct mend *m, uint32_t msg)
{
	uint32_t v;
	size_t i, len;

	for (i = 0; i < sizeof contents / sizeof contents[0]; i++) {
		v = json_get(m->doc, msg, contents[i]);
		if (!not_empty(m->doc, v))
			continue;
		m->content = true;
		json_raw(m->doc, v, &len);
		m->text_bytes += (int64_t)len;
	}
}

static void
mend_message(struct mend *m, uint32_t msg)
{
	uint32_t v = json_get(m->doc, msg, "content");

	weigh(m, msg);
	if (json_type(m->doc, v) == JSON_ARRAY)
		mend_parts(m, msg, v);
}

/* ------------------------------------------------------------ answer */

/* The edited text of the document, or the text itself when nothing changed. */
static bool
mended(struct mend *m, struct str *out)
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

/*
 * What every answer and every event begin with: id and model are strings,
 * created is a whole number.
 */
static void
mend_head(struct mend *m, const char *object, const char *model,
    struct seen *seen)
{
	uint32_t created = json_get(m->doc, JSON_ROOT, "created");
	int64_t n;
	double d;

	if (!json_is(m->doc, json_get(m->doc, JSON_ROOT, "object"), object))
		set_string(m, JSON_ROOT, "object", object, strlen(object));
	if (json_type(m->doc, json_get(m->doc, JSON_ROOT, "id")) !=
	    JSON_STRING)
		set(m, JSON_ROOT, "id", seen->id);
	if (json_type(m->doc, json_get(m->doc, JSON_ROOT, "model")) !=
	    JSON_STRING)
		set_string(m, JSON_ROOT, "model", model, strlen(model));
	if (json_double(m->doc, created, &d) && d >= 0 && d < TOKENS_MAX) {
		n = (int64_t)d;
	} else {
		if (seen->created == 0)
			seen->created = (int64_t)time(NULL);
		n = seen->created;
	}
	set_int(m, JSON_ROOT, "created", n);
}

static void
mend_whole_choice(struct mend *m, uint32_t choice, int64_t place)
{
	uint32_t msg = json_get(m->doc, choice, "message"), calls, call;
	bool called;
	char id[40];
	int i = 0;

	calls = json_get(m->doc, msg, "tool_calls");
	called = json_count(m->doc, calls) > 0;
	if (json_get(m->doc, choice, "index") == JSON_NONE)
		set_int(m, choice, "index", place);
	if (mend_finish(m, choice, called ? "\"tool_calls\"" :
	    "\"stop\"") == FINISH_NONE)
		m->finish = called ? FINISH_TOOLS : FINISH_STOP;
	mend_message(m, msg);
	if (json_get(m->doc, msg, "role") == JSON_NONE)
		set(m, msg, "role", "\"assistant\"");
	if (json_get(m->doc, msg, "content") == JSON_NONE)
		set(m, msg, "content", "null");
	for (call = json_first(m->doc, calls); call != JSON_NONE;
	    call = json_next(m->doc, calls, call)) {
		snprintf(id, sizeof id, "call_%lld_%d", (long long)place,
		    i++);
		mend_call_start(m, call, id);
	}
}

/* ---------------------------------------------------------- canonical */

/* Reasoning under any of its names, as text. */
static struct str
reasoning_text(const struct json *doc, uint32_t msg, struct arena *a)
{
	struct str s = canon_str(doc, json_get(doc, msg, "reasoning_content"),
	    a);

	return s.len > 0 ? s : canon_str(doc, json_get(doc, msg, "reasoning"),
	    a);
}

static bool
add_text(struct parts *out, enum part_kind kind, struct str s)
{
	struct part *p;

	if (s.len == 0)
		return true;
	p = parts_add(out);
	if (p == NULL)
		return false;
	p->kind = kind;
	p->text = s;
	return true;
}

/* OpenRouter's details of reasoning: text with what proves it. */
static bool
add_details(struct parts *out, const struct json *doc, uint32_t list)
{
	struct part *p;
	uint32_t d;

	for (d = json_first(doc, list); d != JSON_NONE;
	    d = json_next(doc, list, d)) {
		p = parts_add(out);
		if (p == NULL)
			return false;
		p->kind = PART_REASONING;
		p->text = canon_str(doc, json_get(doc, d, "text"), out->arena);
		if (p->text.len == 0)
			p->text = canon_str(doc, json_get(doc, d, "summary"),
			    out->arena);
		p->signature = canon_str(doc, json_get(doc, d, "signature"),
		    out->arena);
		p->sealed = canon_str(doc, json_get(doc, d, "data"),
		    out->arena);
		p->origin = canon_origin(canon_str(doc,
		    json_get(doc, d, "format"), out->arena));
	}
	return true;
}

/* The object that names a call: of a function, or of a tool of free text. */
static uint32_t
called(const struct json *doc, uint32_t call)
{
	uint32_t fn = json_get(doc, call, "function");

	return json_type(doc, fn) == JSON_OBJECT ? fn :
	    json_get(doc, call, "custom");
}

static struct str
call_args(const struct json *doc, uint32_t fn, struct arena *a)
{
	struct str s = canon_str(doc, json_get(doc, fn, "arguments"), a);

	return s.p != NULL ? s : canon_str(doc, json_get(doc, fn, "input"), a);
}

/* The older form of a call, which has no id. */
static bool
add_function_call(struct parts *out, const struct json *doc, uint32_t fn)
{
	struct part *p;

	/* An empty one is how some say that there is none. */
	if (!json_nonempty(doc, json_get(doc, fn, "name")))
		return true;
	p = parts_add(out);
	if (p == NULL)
		return false;
	p->kind = PART_CALL;
	p->id = canon_call_id(out->arena);
	p->name = canon_str(doc, json_get(doc, fn, "name"), out->arena);
	p->args = call_args(doc, fn, out->arena);
	return true;
}

static bool
add_calls(struct parts *out, const struct json *doc, uint32_t list)
{
	uint32_t c, fn;
	struct part *p;

	for (c = json_first(doc, list); c != JSON_NONE;
	    c = json_next(doc, list, c)) {
		fn = called(doc, c);
		p = parts_add(out);
		if (p == NULL)
			return false;
		p->kind = PART_CALL;
		p->id = canon_str(doc, json_get(doc, c, "id"), out->arena);
		p->name = canon_str(doc, json_get(doc, fn, "name"),
		    out->arena);
		p->args = call_args(doc, fn, out->arena);
		if (p->args.len == 0)
			p->args = canon_lit("{}");
	}
	return true;
}

/* A choice of a mended answer in the canonical form. */
static bool
read_choice(const struct json *doc, uint32_t v, struct arena *a,
    struct choice *out)
{
	uint32_t msg = json_get(doc, v, "message");
	uint32_t details = json_get(doc, msg, "reasoning_details");
	struct parts parts = { .arena = a };
	bool ok;

	json_int(doc, json_get(doc, v, "index"), &out->index);
	out->finish = finish_of(doc, json_get(doc, v, "finish_reason"));
	out->logprobs = canon_raw(doc, json_get(doc, v, "logprobs"));
	if (json_type(doc, json_get(doc, v, "logprobs")) != JSON_OBJECT)
		out->logprobs = (struct str){ NULL, 0 };
	if (json_count(doc, json_get(doc, msg, "annotations")) > 0)
		out->citations = canon_raw(doc, json_get(doc, msg,
		    "annotations"));
	ok = json_count(doc, details) > 0 ? add_details(&parts, doc,
	    details) : add_text(&parts, PART_REASONING,
	    reasoning_text(doc, msg, a));
	ok = ok && add_text(&parts, PART_TEXT, canon_str(doc,
	    json_get(doc, msg, "content"), a));
	ok = ok && add_text(&parts, PART_REFUSAL, canon_str(doc,
	    json_get(doc, msg, "refusal"), a));
	ok = ok && add_calls(&parts, doc, json_get(doc, msg, "tool_calls"));
	ok = ok && add_function_call(&parts, doc, json_get(doc, msg,
	    "function_call"));
	out->parts = parts.list;
	out->part_count = parts.count;
	return ok;
}

/* The mended answer read once more, for a surface of another dialect. */
static enum err
read_choices(struct arena *a, struct reply *reply, struct fault *f)
{
	uint32_t list, v;
	struct json doc;

	if (json_parse(&doc, a, reply->raw.p, reply->raw.len, f) != ERR_OK)
		return ERR_INTERNAL;
	json_int(&doc, json_get(&doc, JSON_ROOT, "created"),
	    &reply->created);
	list = json_get(&doc, JSON_ROOT, "choices");
	reply->choices = arena_zalloc(a, json_count(&doc, list) *
	    sizeof *reply->choices);
	if (reply->choices == NULL)
		return ERR_INTERNAL;
	for (v = json_first(&doc, list); v != JSON_NONE;
	    v = json_next(&doc, list, v))
		if (!read_choice(&doc, v, a,
		    &reply->choices[reply->choice_count++]))
			return ERR_INTERNAL;
	return ERR_OK;
}

/* ------------------------------------------------------------- pieces */

static void
piece_details(struct pieces *ps, const struct json *doc, uint32_t list,
    int64_t choice)
{
	const char *origin;
	size_t from;
	uint32_t d;

	for (d = json_first(doc, list); d != JSON_NONE;
	    d = json_next(doc, list, d)) {
		from = ps->count;
		origin = canon_origin(canon_str(doc, json_get(doc, d,
		    "format"), ps->arena));
		pieces_text(ps, PIECE_REASONING, choice, canon_str(doc,
		    json_get(doc, d, "text"), ps->arena));
		pieces_text(ps, PIECE_REASONING, choice, canon_str(doc,
		    json_get(doc, d, "summary"), ps->arena));
		pieces_text(ps, PIECE_SIGNATURE, choice, canon_str(doc,
		    json_get(doc, d, "signature"), ps->arena));
		pieces_text(ps, PIECE_SEALED, choice, canon_str(doc,
		    json_get(doc, d, "data"), ps->arena));
		for (; from < ps->count; from++)
			ps->list[from].origin = origin;
	}
}

static void
piece_calls(struct pieces *ps, const struct json *doc, uint32_t list,
    int64_t choice)
{
	struct str id, name, args;
	int64_t index;
	struct piece *p;
	uint32_t c, fn;

	for (c = json_first(doc, list); c != JSON_NONE;
	    c = json_next(doc, list, c)) {
		index = 0;
		json_int(doc, json_get(doc, c, "index"), &index);
		fn = called(doc, c);
		id = canon_str(doc, json_get(doc, c, "id"), ps->arena);
		name = canon_str(doc, json_get(doc, fn, "name"), ps->arena);
		args = call_args(doc, fn, ps->arena);
		if (id.len > 0 && (p = pieces_add(ps, PIECE_CALL, choice)) !=
		    NULL) {
			p->call = index;
			p->id = id;
			p->name = name;
		}
		if (args.len > 0 && (p = pieces_add(ps, PIECE_ARGS,
		    choice)) != NULL) {
			p->call = index;
			p->text = args;
		}
	}
}

/* The older form: the part with the name begins the one call. */
static void
piece_function_call(struct pieces *ps, const struct json *doc, uint32_t fn,
    int64_t choice)
{
	struct str name = canon_str(doc, json_get(doc, fn, "name"),
	    ps->arena);
	struct piece *p;

	if (name.len > 0 && (p = pieces_add(ps, PIECE_CALL, choice)) !=
	    NULL) {
		p->id = canon_call_id(ps->arena);
		p->name = name;
	}
	pieces_text(ps, PIECE_ARGS, choice, canon_str(doc, json_get(doc, fn,
	    "arguments"), ps->arena));
}

static void
piece_choice(struct pieces *ps, const struct json *doc, uint32_t v)
{
	uint32_t delta = json_get(doc, v, "delta"), list, n;
	int64_t choice = 0;
	enum finish finish;
	struct piece *p;

	json_int(doc, json_get(doc, v, "index"), &choice);
	list = json_get(doc, delta, "reasoning_details");
	if (json_count(doc, list) > 0)
		piece_details(ps, doc, list, choice);
	else
		pieces_text(ps, PIECE_REASONING, choice,
		    reasoning_text(doc, delta, ps->arena));
	pieces_text(ps, PIECE_TEXT, choice, canon_str(doc,
	    json_get(doc, delta, "content"), ps->arena));
	pieces_text(ps, PIECE_REFUSAL, choice, canon_str(doc,
	    json_get(doc, delta, "refusal"), ps->arena));
	piece_calls(ps, doc, json_get(doc, delta, "tool_calls"), choice);
	piece_function_call(ps, doc, json_get(doc, delta, "function_call"),
	    choice);
	list = json_get(doc, delta, "annotations");
	for (n = json_first(doc, list); n != JSON_NONE;
	    n = json_next(doc, list, n))
		pieces_text(ps, PIECE_CITATION, choice, canon_raw(doc, n));
	if (json_type(doc, json_get(doc, v, "logprobs")) == JSON_OBJECT)
		pieces_text(ps, PIECE_LOGPROBS, choice, canon_raw(doc,
		    json_get(doc, v, "logprobs")));
	finish = finish_of(doc, json_get(doc, v, "finish_reason"));
	if (finish != FINISH_NONE &&
	    (p = pieces_add(ps, PIECE_FINISH, choice)) != NULL)
		p->finish = finish;
}

/* The mended event read once more, for a surface of another dialect. */
static bool
add_pieces(struct stream *s, struct delta *d)
{
	struct pieces ps = { .arena = s->scratch };
	uint32_t list, v;
	struct json doc;

	if (json_parse(&doc, s->scratch, d->raw.p, d->raw.len, NULL) != ERR_OK)
		return false;
	list = json_get(&doc, JSON_ROOT, "choices");
	for (v = json_first(&doc, list); v != JSON_NONE;
	    v = json_next(&doc, list, v))
		piece_choice(&ps, &doc, v);
	d->pieces = ps.list;
	d->piece_count = ps.count;
	return !ps.failed;
}

static const char *
cstr_or_empty(const struct json *doc, uint32_t v, struct arena *a)
{
	const char *s = json_cstr(doc, v, a);

	return s == NULL ? "" : s;
}

static void
str_of(const struct json *doc, const char *key, struct arena *a,
    struct str *out)
{
	out->p = cstr_or_empty(doc, json_get(doc, JSON_ROOT, key), a);
	out->len = strlen(out->p);
}

enum err
openai_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);
	struct seen seen = { .id = "\"\"" };
	struct mend m;
	uint32_t choices, c;
	int64_t place = 0;
	enum err e;

	if (doc == NULL)
		return ERR_INTERNAL;
	e = answer_parse(a, body, len, doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	choices = json_get(doc, JSON_ROOT, "choices");
	c = json_first(doc, choices);
	if (json_type(doc, choices) != JSON_ARRAY ||
	    json_type(doc, json_get(doc, c, "message")) != JSON_OBJECT)
		return answer_bad(f, "no choices");
	mend_init(&m, doc, a);
	mend_head(&m, "chat.completion", d->model, &seen);
	mend_usage(&m);
	for (; c != JSON_NONE; c = json_next(doc, choices, c))
		mend_whole_choice(&m, c, place++);
	if (!mended(&m, &reply->raw))
		return ERR_INTERNAL;
	reply->from = adapter_find("openai");
	openai_usage(doc, &reply->usage);
	reply->finish = m.finish;
	reply->text_bytes = m.text_bytes;
	str_of(doc, "id", a, &reply->id);
	str_of(doc, "model", a, &reply->model);
	return chat->surface == reply->from ? ERR_OK :
	    read_choices(a, reply, f);
}

/* ------------------------------------------------------------ stream */

static bool
mend_chunk_choice(struct mend *m, struct stream *s, uint32_t choice,
    int64_t place)
{
	struct choice_seen *seen;
	uint32_t delta, calls, call;
	int64_t index = place;

	if (json_type(m->doc, choice) != JSON_OBJECT)
		return false;
	if (!json_int(m->doc, json_get(m->doc, choice, "index"), &index))
		set_int(m, choice, "index", place);
	seen = choice_seen(s->own, s->arena, index);
	if (seen == NULL)
		return false;
	if (mend_finish(m, choice, NULL) != FINISH_NONE)
		seen->finished = true;
	delta = json_get(m->doc, choice, "delta");
	if (json_type(m->doc, delta) != JSON_OBJECT) {
		set(m, choice, "delta", "{}");
		return true;
	}
	mend_message(m, delta);
	calls = json_get(m->doc, delta, "tool_calls");
	for (call = json_first(m->doc, calls); call != JSON_NONE;
	    call = json_next(m->doc, calls, call))
		if (!mend_call_part(m, s, seen, call))
			return false;
	return true;
}

/* The id of the answer, for events of it that have none. */
static void
keep_id(struct stream *s, const struct json *doc)
{
	uint32_t v = json_get(doc, JSON_ROOT, "id");
	struct seen *seen = s->own;
	const char *raw;
	size_t len;

	if (seen->id[1] != '"' || !json_nonempty(doc, v))
		return;
	raw = json_raw(doc, v, &len);
	raw = arena_dup(s->arena, raw, len);
	if (raw != NULL)
		seen->id = raw;
}

static enum err
read_chunk(struct stream *s, const struct json *doc, delta_fn *emit,
    void *arg, struct fault *f)
{
	struct seen *seen = s->own;
	uint32_t choices = json_get(doc, JSON_ROOT, "choices"), c;
	int64_t place = 0;
	struct delta d;
	struct mend m;

	mend_init(&m, doc, s->scratch);
	memset(&d, 0, sizeof d);
	keep_id(s, doc);
	mend_head(&m, "chat.completion.chunk", s->deployment->model, seen);
	mend_usage(&m);
	if (json_type(doc, choices) != JSON_ARRAY)
		set(&m, JSON_ROOT, "choices", "[]");
	for (c = json_first(doc, choices); c != JSON_NONE;
	    c = json_next(doc, choices, c))
		if (!mend_chunk_choice(&m, s, c, place++))
			return answer_bad(f, "a malformed chunk");
	if (!mended(&m, &d.raw))
		return ERR_INTERNAL;
	openai_usage(doc, &d.usage);
	d.from = adapter_find("openai");
	str_of(doc, "id", s->scratch, &d.id);
	d.event = "";
	if (s->pieces) {
		str_of(doc, "model", s->scratch, &d.model);
		if (!add_pieces(s, &d))
			return ERR_INTERNAL;
	}
	d.finish = m.finish;
	d.text_bytes = m.text_bytes;
	if (m.content)
		d.kind = DELTA_CONTENT;
	else if (m.finish != FINISH_NONE)
		d.kind = DELTA_FINISH;
	else if (place == 0 && d.usage.known)
		d.kind = DELTA_USAGE;
	else
		d.kind = DELTA_META;
	seen->content |= m.content;
	seen->finished |= m.finish != FINISH_NONE;
	return emit(arg, &d);
}

/* The finish that a provider left out before its end mark. */
static enum err
owed_finish(struct stream *s, const struct choice_seen *c, delta_fn *emit,
    void *arg, struct fault *f)
{
	struct json doc;
	char *text;

	text = arena_printf(s->scratch, "{\"choices\":[{\"index\":%lld,"
	    "\"delta\":{},\"finish_reason\":\"%s\"}]}",
	    (long long)c->index, c->count > 0 ? "tool_calls" : "stop");
	if (text == NULL || json_parse(&doc, s->scratch, text, strlen(text),
	    NULL) != ERR_OK)
		return ERR_INTERNAL;
	return read_chunk(s, &doc, emit, arg, f);
}

/* The answer is whole: what is owed, then the end. */
static enum err
emit_end(struct stream *s, delta_fn *emit, void *arg, struct fault *f)
{
	struct seen *seen = s->own;
	enum err e;
	size_t i;

	if (!seen->content && !seen->finished)
		return answer_bad(f, "an empty stream");
	for (i = 0; i < seen->count; i++) {
		if (seen->choices[i].finished)
			continue;
		e = owed_finish(s, &seen->choices[i], emit, arg, f);
		if (e != ERR_OK)
			return e;
	}
	seen->ended = true;
	return answer_end(NULL, emit, arg);
}

/* The stream ended without an end mark: whole if every choice is. */
static bool
all_finished(const struct seen *seen)
{
	size_t i;

	for (i = 0; i < seen->count; i++)
		if (!seen->choices[i].finished)
			return false;
	return seen->count > 0;
}

enum err
openai_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct seen *seen = s->own;
	struct json doc;
	enum err err;

	if (seen == NULL) {
		s->own = seen = arena_zalloc(s->arena, sizeof *seen);
		if (seen == NULL)
			return ERR_INTERNAL;
		seen->id = "\"\"";
	}
	if (seen->ended)
		return ERR_OK;
	if (ev == NULL)
		return all_finished(seen) ? emit_end(s, emit, arg, f) :
		    answer_bad(f, "the stream was cut off");
	if (ev->len >= 6 && memcmp(ev->data, "[DONE]", 6) == 0)
		return emit_end(s, emit, arg, f);
	if (ev->len == 0)
		return ERR_OK;
	err = answer_event(s->scratch, ev->data, ev->len, &doc, f);
	if (err != ERR_OK)
		return err;
	if (strcmp(ev->name, "error") == 0 || errors_present(&doc))
		return answer_error(s->scratch, &doc, emit, arg);
	return read_chunk(s, &doc, emit, arg, f);
}
