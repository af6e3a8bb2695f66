/*
 * Departures of single providers from OpenAI's chat, as edits of a request
 * that is otherwise ready: one row a bit of policy/catalog.h. Nothing here
 * changes what is asked, only the words for it.
 */
#include "adapters/openai.h"

#include <ctype.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

#define SHORT_ID 9

struct fix {
	struct edits *e;
	const struct json *doc;
	const struct chat *chat;
	const struct deployment *d;
};

static uint32_t
member(struct fix *x, uint32_t obj, const char *key)
{
	return json_get(x->doc, obj, key);
}

static void
set(struct fix *x, uint32_t obj, const char *key, const char *raw)
{
	edits_set(x->e, obj, key, raw, strlen(raw));
}

/* One after the other: the messages of the request. */
static uint32_t
first_message(struct fix *x)
{
	return json_first(x->doc, member(x, JSON_ROOT, "messages"));
}

static uint32_t
next_message(struct fix *x, uint32_t m)
{
	return json_next(x->doc, member(x, JSON_ROOT, "messages"), m);
}

static void
name_seed(struct fix *x)
{
	uint32_t seed = member(x, JSON_ROOT, "seed");
	const char *raw;
	size_t len;

	if (seed == JSON_NONE)
		return;
	raw = json_raw(x->doc, seed, &len);
	if (member(x, JSON_ROOT, "random_seed") == JSON_NONE)
		edits_add(x->e, JSON_ROOT, "random_seed", raw, len);
	edits_remove(x->e, JSON_ROOT, "seed");
}

static void
name_developer(struct fix *x)
{
	uint32_t m;

	for (m = first_message(x); m != JSON_NONE; m = next_message(x, m))
		if (json_is(x->doc, member(x, m, "role"), "developer"))
			set(x, m, "role", "\"system\"");
}

/*
 * An id of another form as nine letters and figures, the same for the same:
 * calls and their results are still told by it. Not a secret, so any good
 * mixing does (FNV-1a).
 */
static void
shorten(struct fix *x, uint32_t obj, const char *key)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct str s = canon_str(x->doc, member(x, obj, key), x->e->arena);
	uint64_t h = UINT64_C(14695981039346656037);
	char id[SHORT_ID + 3] = "\"", *raw;
	bool fits = s.len == SHORT_ID;
	size_t i;

	if (s.p == NULL)
		return;
	for (i = 0; i < s.len; i++) {
		fits = fits && isalnum((unsigned char)s.p[i]) != 0;
		h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
	}
	if (fits)
		return;
	h ^= h >> 32;
	for (i = 0; i < SHORT_ID; i++, h /= 62)
		id[i + 1] = letters[h % 62];
	id[SHORT_ID + 1] = '"';
	raw = arena_str(x->e->arena, id);
	if (raw == NULL)
		x->e->failed = true;
	else
		set(x, obj, key, raw);
}

static void
short_ids(struct fix *x)
{
	uint32_t m, calls, c;

	for (m = first_message(x); m != JSON_NONE; m = next_message(x, m)) {
		shorten(x, m, "tool_call_id");
		calls = member(x, m, "tool_calls");
		for (c = json_first(x->doc, calls); c != JSON_NONE;
		    c = json_next(x->doc, calls, c))
			shorten(x, c, "id");
	}
}

/* Parts of an answer that a client gives back with it. */
static void
plain_turns(struct fix *x)
{
	static const char *const names[] = { "reasoning_content", "reasoning",
		"reasoning_details", "refusal", "annotations" };
	uint32_t m;
	size_t i;

	for (m = first_message(x); m != JSON_NONE; m = next_message(x, m))
		for (i = 0; i < sizeof names / sizeof names[0]; i++)
			edits_remove(x->e, m, names[i]);
}

/*
 * A turn with calls must tell the reasoning before them, be it empty: it may
 * stand under the other name, or come from a model that told none.
 */
static void
reasoning_back(struct fix *x)
{
	uint32_t m, said;
	const char *raw;
	size_t len;

	for (m = first_message(x); m != JSON_NONE; m = next_message(x, m)) {
		said = member(x, m, "reasoning");
		if (json_count(x->doc, member(x, m, "tool_calls")) == 0 ||
		    json_type(x->doc, member(x, m, "reasoning_content")) ==
			JSON_STRING)
			continue;
		raw = json_raw(x->doc, said, &len);
		if (json_type(x->doc, said) == JSON_STRING)
			edits_set(x->e, m, "reasoning_content", raw, len);
		else
			set(x, m, "reasoning_content", "\"\"");
	}
}

/* Is this a turn of the user or the assistant, and the same as that one? */
static bool
same_side(struct fix *x, uint32_t a, uint32_t b)
{
	static const char *const sides[] = { "user", "assistant" };
	size_t i;

	for (i = 0; i < 2; i++)
		if (json_is(x->doc, member(x, a, "role"), sides[i]) &&
		    json_is(x->doc, member(x, b, "role"), sides[i]))
			return json_count(x->doc, member(x, a, "tool_calls")) +
			    json_count(x->doc, member(x, b, "tool_calls")) ==
			    0;
	return false;
}

/* The parts of a content, a string being one. */
static void
put_parts(struct fix *x, uint32_t content, struct json_writer *w)
{
	struct str s = canon_str(x->doc, content, x->e->arena), raw;
	uint32_t v;

	if (s.len > 0) {
		jw_object(w);
		canon_put_str(w, "type", canon_lit("text"));
		canon_put_str(w, "text", s);
		jw_end_object(w);
	}
	if (json_type(x->doc, content) != JSON_ARRAY)
		return;
	for (v = json_first(x->doc, content); v != JSON_NONE;
	    v = json_next(x->doc, content, v)) {
		raw = canon_raw(x->doc, v);
		jw_raw(w, raw.p, raw.len);
	}
}

/* The messages from m until `end` become one. */
static void
join(struct fix *x, uint32_t m, uint32_t end)
{
	uint32_t list = member(x, JSON_ROOT, "messages"), n;
	struct json_writer w;
	struct buf b;
	char *raw;

	buf_init(&b, LIMIT_BODY_TEXT);
	jw_init(&w, &b);
	jw_array(&w);
	put_parts(x, member(x, m, "content"), &w);
	for (n = next_message(x, m); n != end; n = next_message(x, n)) {
		put_parts(x, member(x, n, "content"), &w);
		edits_remove_element(x->e, list, n);
	}
	jw_end_array(&w);
	raw = b.failed ? NULL : arena_dup(x->e->arena, b.data, b.len);
	if (raw == NULL)
		x->e->failed = true;
	else
		edits_set(x->e, m, "content", raw, b.len);
	buf_free(&b);
}

static void
take_turns(struct fix *x)
{
	uint32_t m, end, n;

	for (m = first_message(x); m != JSON_NONE; m = end) {
		for (n = m, end = next_message(x, m); end != JSON_NONE &&
		    same_side(x, m, end); end = next_message(x, end))
			n = end;
		if (n != m)
			join(x, m, end);
	}
}

/* The effort of the request, EFFORT_UNSET when none is told. */
static enum effort
effort_of(struct fix *x)
{
	return canon_effort(canon_str(x->doc, member(x, JSON_ROOT,
	    "reasoning_effort"), x->e->arena));
}

/* thinking: {type} is the switch; an effort beside it is the level. */
static void
thinking_type(struct fix *x)
{
	enum effort effort = effort_of(x);

	if (effort == EFFORT_UNSET ||
	    member(x, JSON_ROOT, "thinking") != JSON_NONE)
		return;
	if (effort == EFFORT_NONE) {
		set(x, JSON_ROOT, "thinking", "{\"type\":\"disabled\"}");
		edits_remove(x->e, JSON_ROOT, "reasoning_effort");
		return;
	}
	set(x, JSON_ROOT, "thinking", "{\"type\":\"enabled\"}");
	if (effort == EFFORT_MINIMAL)
		set(x, JSON_ROOT, "reasoning_effort", "\"low\"");
}

static void
enable_thinking(struct fix *x)
{
	enum effort effort = effort_of(x);

	if (effort == EFFORT_UNSET ||
	    member(x, JSON_ROOT, "enable_thinking") != JSON_NONE)
		return;
	set(x, JSON_ROOT, "enable_thinking", effort == EFFORT_NONE ?
	    "false" : "true");
	edits_remove(x->e, JSON_ROOT, "reasoning_effort");
}

/* A whole answer is refused unless thinking is off. */
static void
streamed_thinking(struct fix *x)
{
	if (!x->chat->stream &&
	    member(x, JSON_ROOT, "enable_thinking") == JSON_NONE)
		set(x, JSON_ROOT, "enable_thinking", "false");
}

/*
 * The model thinks as it likes. What a client of this dialect asks for by
 * name is the provider's to refuse; what we made of another dialect's words
 * is left out.
 */
static void
no_effort(struct fix *x)
{
	if (x->chat->surface != &adapter_openai)
		edits_remove(x->e, JSON_ROOT, "reasoning_effort");
}

/* In order: of two edits of one member the later counts. */
static const struct {
	unsigned bit;
	void (*run)(struct fix *x);
} rows[] = {
	{ QUIRK_RANDOM_SEED, name_seed },
	{ QUIRK_MAX_TOKENS, name_developer },
	{ QUIRK_SHORT_IDS, short_ids },
	{ QUIRK_PLAIN_TURNS, plain_turns },
	{ QUIRK_REASONING_BACK, reasoning_back },
	{ QUIRK_TAKE_TURNS, take_turns },
	{ QUIRK_THINKING_TYPE, thinking_type },
	{ QUIRK_ENABLE_THINKING, enable_thinking },
	{ QUIRK_STREAMED_THINKING, streamed_thinking },
	{ QUIRK_NO_EFFORT, no_effort },
};

void
openai_quirks(struct edits *e, const struct chat *chat,
    const struct deployment *d)
{
	struct fix x = { .e = e, .doc = e->doc, .chat = chat, .d = d };
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if ((d->provider->quirks & rows[i].bit) != 0)
			rows[i].run(&x);
}

bool
openai_write_quirks(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *body)
{
	unsigned all = 0;
	struct edits e;
	struct json doc;
	struct buf out;
	bool good;
	char *text;
	size_t i;

	/* openai_write_chat itself writes no developer. */
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].bit != QUIRK_MAX_TOKENS)
			all |= rows[i].bit;
	if ((d->provider->quirks & all) == 0)
		return true;
	text = body->failed ? NULL : arena_dup(a, body->data, body->len);
	if (text == NULL ||
	    json_parse(&doc, a, text, body->len, NULL) != ERR_OK)
		return false;
	edits_init(&e, &doc, a);
	openai_quirks(&e, chat, d);
	if (edits_none(&e))
		return true;
	buf_init(&out, body->max);
	good = edits_apply(&e, &out);
	buf_clear(body);
	buf_put(body, out.data, out.len);
	buf_free(&out);
	return good && !body->failed;
}
