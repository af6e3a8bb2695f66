/*
 * Streams in the OpenAI chat dialect. Clients of it count on calls being
 * numbered from 0, on every choice ending and on one id for all events: what
 * a provider leaves out is added, the rest passes as it came.
 */
#include "adapters/openai.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai_mend.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/sse.h"

#define CHOICES_MAX 128
#define CALLS_MAX 1024

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
	enum service service; /* the last that it told of */
	bool cited; /* pages beside the choices were told of */
	struct mend_head head; /* its id: the first that is not empty */
};

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
		mend_set_int(m, call, "index", (int64_t)ours);
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
	mend_set_int(m, call, "index", (int64_t)ours);
	mend_call_start(m, call, made == NULL ? id : made);
	return true;
}

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
		mend_set_int(m, choice, "index", place);
	seen = choice_seen(s->own, s->arena, index);
	if (seen == NULL)
		return false;
	if (mend_finish(m, choice, NULL) != FINISH_NONE)
		seen->finished = true;
	delta = json_get(m->doc, choice, "delta");
	if (json_type(m->doc, delta) != JSON_OBJECT) {
		mend_set(m, choice, "delta", "{}");
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

	if (seen->head.id[1] != '"' || !json_nonempty(doc, v))
		return;
	raw = json_raw(doc, v, &len);
	raw = arena_dup(s->arena, raw, len);
	if (raw != NULL)
		seen->head.id = raw;
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
	mend_head(&m, "chat.completion.chunk", s->deployment->model,
	    &seen->head);
	reply_service(doc, json_get(doc, JSON_ROOT, "service_tier"),
	    &seen->service);
	openai_usage(doc, &d.usage);
	d.usage.service = seen->service;
	if (json_count(doc, choices) == 0)
		openai_place_usage(&m, &d.usage, s->scratch);
	else /* counts beside content: an event of their own ends the stream */
		mend_usage(&m);
	if (json_type(doc, choices) != JSON_ARRAY)
		mend_set(&m, JSON_ROOT, "choices", "[]");
	for (c = json_first(doc, choices); c != JSON_NONE;
	    c = json_next(doc, choices, c))
		if (!mend_chunk_choice(&m, s, c, place++))
			return reply_bad(f, "a malformed chunk");
	if (!mend_done(&m, &d.raw))
		return ERR_INTERNAL;
	d.from = adapter_find("openai");
	d.id = canon_str(doc, json_get(doc, JSON_ROOT, "id"), s->scratch);
	d.event = "";
	if (s->pieces) {
		d.model = canon_str(doc, json_get(doc, JSON_ROOT, "model"),
		    s->scratch);
		if (!openai_add_pieces(s, &d, &seen->cited))
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
		return reply_bad(f, "an empty stream");
	for (i = 0; i < seen->count; i++) {
		if (seen->choices[i].finished)
			continue;
		e = owed_finish(s, &seen->choices[i], emit, arg, f);
		if (e != ERR_OK)
			return e;
	}
	seen->ended = true;
	return reply_end(NULL, emit, arg);
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
		seen->head.id = "\"\"";
	}
	if (seen->ended)
		return ERR_OK;
	if (ev == NULL)
		return all_finished(seen) ? emit_end(s, emit, arg, f) :
		    reply_bad(f, "the stream was cut off");
	if (ev->len >= 6 && memcmp(ev->data, "[DONE]", 6) == 0)
		return emit_end(s, emit, arg, f);
	if (ev->len == 0)
		return ERR_OK;
	err = reply_event(s->scratch, ev->data, ev->len, &doc, f);
	if (err != ERR_OK)
		return err;
	if (strcmp(ev->name, "error") == 0 || errors_present(&doc))
		return reply_error(s->scratch, &doc, emit, arg);
	return read_chunk(s, &doc, emit, arg, f);
}
