/*
 * The canonical request: what every reader of one does in the same way (the
 * model's name, stop sequences, members without a place in it), and its turns.
 */
#include "adapters/canon.h"

#include <string.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/decimal.h"
#include "app/base/limits.h"

#define EXTRAS_MAX 64

enum err
canon_prompt(struct arena *a, struct chat *chat, struct fault *f)
{
	struct message *m = arena_zalloc(a, sizeof *m);
	struct parts parts = { .arena = a };

	canon_defaults(chat);
	if (m == NULL || !parts_text(&parts, PART_TEXT, canon_str(&chat->doc,
	    json_get(&chat->doc, JSON_ROOT, "prompt"), a)))
		return fault_memory(f);
	m->role = ROLE_USER;
	m->parts = parts.list;
	m->part_count = parts.count;
	chat->messages = m;
	chat->message_count = 1;
	chat->whole = true;
	return ERR_OK;
}

enum err
canon_model(struct chat *chat, struct arena *a, struct fault *f)
{
	uint32_t v = json_get(&chat->doc, JSON_ROOT, "model");
	const char *p;

	if (!json_nonempty(&chat->doc, v))
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "'model' is missing");
	chat->model = json_cstr(&chat->doc, v, a);
	if (chat->model == NULL)
		return fault_memory(f);
	if (strlen(chat->model) > LIMIT_MODEL_NAME)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "'model' is longer than %d bytes", LIMIT_MODEL_NAME);
	for (p = chat->model; *p != '\0'; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return fault_set(f, ERR_BAD_REQUEST, "model",
			    "'model' holds a space or control character");
	return ERR_OK;
}

size_t
canon_turn(const struct chat *chat, size_t from,
    bool (*is_spoken)(const struct message *m))
{
	const struct message *m = chat->messages;
	bool side = m[from].role == ROLE_ASSISTANT;
	size_t end = from + 1;

	while (end < chat->message_count && (!is_spoken(&m[end]) ||
	    (m[end].role == ROLE_ASSISTANT) == side))
		end++;
	return end;
}

bool
canon_whole(struct arena *a, struct chat *chat)
{
	struct chat copy = *chat;
	struct fault ignored;

	if (chat->whole || chat->unreadable)
		return chat->whole;
	if (chat->surface->read_chat(a, &copy, &ignored) == ERR_OK)
		*chat = copy;
	else
		chat->unreadable = true;
	return chat->whole;
}

void
canon_defaults(struct chat *chat)
{
	chat->parallel_calls = chat->format_strict = chat->store = -1;
	chat->think_budget = -1;
}

void
canon_given(struct chat *chat)
{
	const struct chat *c = chat;

	chat->set |= (c->parallel_calls >= 0 ? PARAM_BIT(PARALLEL_CALLS) :
		0) | (c->store >= 0 ? PARAM_BIT(STORE) : 0) |
	    (c->logprobs ? PARAM_BIT(LOGPROBS) : 0) |
	    (c->top_logprobs > 0 ? PARAM_BIT(TOP_LOGPROBS) : 0) |
	    (c->max_output > 0 ? PARAM_BIT(MAX_OUTPUT) : 0) |
	    (c->choices > 1 ? PARAM_BIT(CHOICES) : 0) |
	    (*c->user != '\0' ? PARAM_BIT(USER) : 0);
}

enum err
canon_stop(struct chat *chat, struct arena *a, uint32_t v, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t s, n = json_type(doc, v) == JSON_STRING ? 1 :
	    json_type(doc, v) == JSON_ARRAY ? json_count(doc, v) : 0;

	if (n == 0)
		return ERR_OK;
	chat->stop = arena_alloc(a, n * sizeof *chat->stop);
	if (chat->stop == NULL)
		return fault_memory(f);
	chat->set |= PARAM_BIT(STOP);
	if (json_type(doc, v) == JSON_STRING) {
		chat->stop[chat->stop_count++] = canon_str(doc, v, a);
		return ERR_OK;
	}
	for (s = json_first(doc, v); s != JSON_NONE;
	    s = json_next(doc, v, s)) {
		if (json_type(doc, s) != JSON_STRING)
			return fault_set(f, ERR_BAD_REQUEST, "stop",
			    "'stop' must hold strings only");
		chat->stop[chat->stop_count++] = canon_str(doc, s, a);
	}
	return ERR_OK;
}

enum err
canon_extra(struct chat *chat, struct arena *a, const char *name)
{
	size_t i;

	if (name == NULL)
		return ERR_INTERNAL;
	for (i = 0; i < chat->extra_count; i++)
		if (strcmp(chat->extras[i], name) == 0)
			return ERR_OK;
	if (chat->extras == NULL)
		chat->extras = arena_alloc(a, EXTRAS_MAX *
		    sizeof *chat->extras);
	if (chat->extras == NULL)
		return ERR_INTERNAL;
	if (chat->extra_count < EXTRAS_MAX) /* enough to know of */
		chat->extras[chat->extra_count++] = name;
	return ERR_OK;
}

/* What says as much as a member that is not there. */
static bool
is_nothing(const struct json *doc, uint32_t v, bool root)
{
	switch (json_type(doc, v)) {
	case JSON_ABSENT:
	case JSON_NULL:
		return true;
	case JSON_FALSE:
		return !root;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return !root && json_count(doc, v) == 0;
	case JSON_STRING:
		return !root && !json_nonempty(doc, v);
	default:
		return false;
	}
}

enum err
canon_rest(struct chat *chat, struct arena *a, uint32_t obj,
    const char *prefix, const char *const *known, size_t count,
    struct fault *f)
{
	const struct json *doc = &chat->doc;
	const char *name;
	uint32_t key;
	size_t i;

	if (json_type(doc, obj) != JSON_OBJECT)
		return ERR_OK;
	for (key = json_first(doc, obj); key != JSON_NONE;
	    key = json_next(doc, obj, key)) {
		for (i = 0; i < count; i++)
			if (json_is(doc, key, known[i]))
				break;
		if (i < count || is_nothing(doc, json_value(doc, key),
		    prefix == NULL))
			continue;
		name = json_cstr(doc, key, a);
		if (name != NULL && prefix != NULL)
			name = arena_printf(a, "%s.%s", prefix, name);
		if (canon_extra(chat, a, name) != ERR_OK)
			return fault_memory(f);
	}
	return ERR_OK;
}

enum err
canon_extras(struct chat *chat, struct arena *a, const char *const *known,
    size_t count, struct fault *f)
{
	return canon_rest(chat, a, JSON_ROOT, NULL, known, count, f);
}

/* Of parts and the parts of results: the settings among them. */
static uint64_t
set_of(const struct part *parts, size_t n)
{
	uint64_t set = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (parts[i].cache != CACHE_NONE)
			set |= PARAM_BIT(CACHE_MARKS);
		if (parts[i].kind == PART_IMAGE && parts[i].detail.len > 0 &&
		    !canon_is(parts[i].detail, "auto"))
			set |= PARAM_BIT(IMAGE_DETAIL);
		set |= set_of(parts[i].parts, parts[i].part_count);
	}
	return set;
}

void
canon_done(struct chat *chat)
{
	const struct message *m;
	size_t i;

	for (i = 0; i < chat->message_count; i++) {
		m = &chat->messages[i];
		chat->set |= set_of(m->parts, m->part_count);
		if (m->name.len > 0 && m->role != ROLE_TOOL)
			chat->set |= PARAM_BIT(NAMES);
	}
	for (i = 0; i < chat->tool_count; i++) {
		if (chat->tools[i].cache != CACHE_NONE)
			chat->set |= PARAM_BIT(CACHE_MARKS);
		if (chat->tools[i].strict == 1)
			chat->set |= PARAM_BIT(STRICT_TOOLS);
	}
	chat->whole = true;
}

enum err
canon_bound(struct arena *a, struct chat *chat, const char *within,
    const char *word, int64_t tokens, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t obj = within == NULL ? JSON_ROOT :
	    json_get(doc, JSON_ROOT, within);
	const char *text, *raw = NULL;
	char number[DECIMAL_SIZE];
	struct edits ed;
	struct buf out;
	size_t len;

	decimal(number, tokens, 0);
	edits_init(&ed, doc, a);
	if (json_type(doc, obj) == JSON_OBJECT) {
		edits_set(&ed, obj, word, number, strlen(number));
	} else {
		raw = arena_printf(a, "{\"%s\":%s}", word, number);
		if (raw == NULL)
			return fault_memory(f);
		edits_set(&ed, JSON_ROOT, within, raw, strlen(raw));
	}
	buf_init(&out, LIMIT_BODY + KIB(1));
	text = edits_apply(&ed, &out) ? arena_dup(a, out.data, out.len) : NULL;
	len = out.len;
	buf_free(&out);
	if (text == NULL)
		return fault_memory(f);
	chat->max_output = tokens;
	if (chat->whole)
		chat->set |= PARAM_BIT(MAX_OUTPUT);
	return json_parse(&chat->doc, a, text, len, f);
}
