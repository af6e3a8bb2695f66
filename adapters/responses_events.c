/*
 * Streams of providers that speak Responses. A client of the same dialect
 * gets the events as they came, with their names; for another one they
 * become pieces. The last event is the end mark: no [DONE] follows, and
 * where one does it is nothing.
 */
#include "adapters/responses.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/reply.h"
#include "adapters/responses_answer.h"
#include "app/base/arena.h"
#include "app/base/sse.h"

#define ITEMS_MAX 4096

/* An output item of the stream; its place is its output_index. */
struct item_seen {
	bool begun, said, done; /* said: text or arguments were streamed */
	int64_t call;		/* number of the call, -1 = no call */
	char text;		/* which text is shown: 's'ummary, 'c'ontent */
};

/* What a stream must remember between events. */
struct seen {
	struct item_seen *items;
	size_t count, size;
	int64_t calls;
	const char *id, *model;
	bool ended;
};

/* One event being read. */
struct reading {
	struct stream *s;
	struct seen *seen;
	struct json doc;
	struct pieces pieces;
	struct delta delta;
};

/* The item that an event is about; NULL beyond the bound. */
static struct item_seen *
item_of(struct reading *r, int64_t index)
{
	struct seen *seen = r->seen;
	struct item_seen *list;
	size_t size = seen->size;

	if (index < 0 || index >= ITEMS_MAX)
		return NULL;
	while (size <= (size_t)index)
		size = size * 2 + 4;
	if (size > seen->size) {
		list = arena_resize(r->s->arena, seen->items,
		    seen->size * sizeof *list, size * sizeof *list);
		if (list == NULL)
			return NULL;
		memset(list + seen->size, 0,
		    (size - seen->size) * sizeof *list);
		seen->items = list;
		seen->size = size;
	}
	return &seen->items[index];
}

static struct item_seen *
item_here(struct reading *r)
{
	int64_t index = 0;

	json_int(&r->doc, json_get(&r->doc, JSON_ROOT, "output_index"),
	    &index);
	return item_of(r, index);
}

static struct str
text(struct reading *r, uint32_t obj, const char *key)
{
	return canon_str(&r->doc, json_get(&r->doc, obj, key),
	    r->s->scratch);
}

static void
say(struct reading *r, enum piece_kind kind, struct str s)
{
	pieces_text(&r->pieces, kind, 0, s);
}

/* -------------------------------------------------------------- items */

static void
begin_call(struct reading *r, struct item_seen *it, uint32_t item)
{
	struct piece *p;

	if (it->begun)
		return;
	it->begun = true;
	it->call = r->seen->calls++;
	p = pieces_add(&r->pieces, PIECE_CALL, 0);
	if (p == NULL)
		return;
	p->call = it->call;
	p->id = responses_call_id(&r->doc, item, r->s->scratch);
	p->name = text(r, item, "name");
}

static void
more_args(struct reading *r, struct item_seen *it, struct str s)
{
	struct piece *p;

	if (s.len == 0 || !it->begun)
		return;
	it->said = true;
	p = pieces_add(&r->pieces, PIECE_ARGS, 0);
	if (p != NULL) {
		p->call = it->call;
		p->text = s;
	}
}

/* The texts of a message that were not streamed. */
static void
whole_message(struct reading *r, uint32_t item)
{
	uint32_t list = json_get(&r->doc, item, "content"), v;

	for (v = json_first(&r->doc, list); v != JSON_NONE;
	    v = json_next(&r->doc, list, v)) {
		say(r, PIECE_TEXT, text(r, v, "text"));
		say(r, PIECE_REFUSAL, text(r, v, "refusal"));
	}
}

static void
end_reasoning(struct reading *r, struct item_seen *it, uint32_t item)
{
	struct piece *p;
	struct str s;

	if (!it->said) {
		if (!responses_reasoning(&r->doc, item, r->s->scratch, &s))
			r->pieces.failed = true;
		else
			say(r, PIECE_REASONING, s);
	}
	p = pieces_text(&r->pieces, PIECE_SEALED, 0,
	    text(r, item, "encrypted_content"));
	if (p != NULL) {
		p->origin = "responses";
		p->id = text(r, item, "id");
	}
}

static void
end_image(struct reading *r, uint32_t item)
{
	struct part p;

	memset(&p, 0, sizeof p);
	if (responses_image(&r->doc, item, r->s->scratch, &p))
		say(r, PIECE_IMAGE, canon_data_text(r->s->scratch, &p,
		    "image/png"));
}

/* An item is whole: what of it was not streamed is said now. */
static void
end_item(struct reading *r, struct item_seen *it, uint32_t item)
{
	uint32_t type = json_get(&r->doc, item, "type");

	if (it->done)
		return;
	it->done = true;
	if (json_is(&r->doc, type, "function_call")) {
		begin_call(r, it, item);
		if (!it->said)
			more_args(r, it, text(r, item, "arguments"));
	} else if (json_is(&r->doc, type, "message")) {
		if (!it->said)
			whole_message(r, item);
	} else if (json_is(&r->doc, type, "reasoning")) {
		end_reasoning(r, it, item);
	} else if (json_is(&r->doc, type, "image_generation_call")) {
		end_image(r, item);
	}
}

/*
 * Messages and reasoning only show themselves with their first text; a call,
 * or a tool at work, is already something that must not be done twice.
 */
static enum delta_kind
kind_of_item(struct reading *r, uint32_t item)
{
	uint32_t type = json_get(&r->doc, item, "type");

	return json_is(&r->doc, type, "message") ||
	    json_is(&r->doc, type, "reasoning") ? DELTA_META : DELTA_CONTENT;
}

static void
item_added(struct reading *r, struct item_seen *it)
{
	uint32_t item = json_get(&r->doc, JSON_ROOT, "item");

	r->delta.kind = kind_of_item(r, item);
	if (r->s->pieces && json_is(&r->doc, json_get(&r->doc, item, "type"),
	    "function_call")) {
		begin_call(r, it, item);
		more_args(r, it, text(r, item, "arguments"));
	}
}

static void
item_done(struct reading *r, struct item_seen *it)
{
	if (r->s->pieces)
		end_item(r, it, json_get(&r->doc, JSON_ROOT, "item"));
	r->delta.kind = r->pieces.count > 0 ? DELTA_CONTENT : DELTA_META;
}

/* ------------------------------------------------------------- deltas */

static void
text_delta(struct reading *r, struct item_seen *it)
{
	uint32_t logprobs = json_get(&r->doc, JSON_ROOT, "logprobs");
	struct str raw;

	it->said = true;
	say(r, PIECE_TEXT, text(r, JSON_ROOT, "delta"));
	if (json_count(&r->doc, logprobs) == 0)
		return;
	raw = canon_raw(&r->doc, logprobs);
	raw.p = arena_printf(r->s->scratch, "{\"content\":%.*s}",
	    (int)raw.len, raw.p);
	raw.len = raw.p == NULL ? 0 : strlen(raw.p);
	say(r, PIECE_LOGPROBS, raw);
}

static void
refusal_delta(struct reading *r, struct item_seen *it)
{
	it->said = true;
	say(r, PIECE_REFUSAL, text(r, JSON_ROOT, "delta"));
}

/* A summary or the thoughts themselves; when both come the first is shown. */
static void
reasoning_delta(struct reading *r, struct item_seen *it, char which)
{
	if (it->text == '\0')
		it->text = which;
	if (it->text != which)
		return;
	it->said = true;
	say(r, PIECE_REASONING, text(r, JSON_ROOT, "delta"));
}

static void
summary_delta(struct reading *r, struct item_seen *it)
{
	reasoning_delta(r, it, 's');
}

static void
thought_delta(struct reading *r, struct item_seen *it)
{
	reasoning_delta(r, it, 'c');
}

/* Between two parts of a summary stands an empty line. */
static void
summary_part(struct reading *r, struct item_seen *it)
{
	if (it->said && it->text == 's')
		say(r, PIECE_REASONING, canon_lit("\n\n"));
}

static void
args_delta(struct reading *r, struct item_seen *it)
{
	more_args(r, it, text(r, JSON_ROOT, "delta"));
}

static void
annotation(struct reading *r, struct item_seen *it)
{
	(void)it;
	say(r, PIECE_CITATION, responses_citation(&r->doc, json_get(&r->doc,
	    JSON_ROOT, "annotation"), r->s->scratch));
}

/*
 * Events by their type. `always`: the kind depends on what is inside, so it
 * is looked at for clients of the same dialect too.
 */
static const struct {
	const char *type;
	enum delta_kind kind;
	bool always;
	void (*read)(struct reading *r, struct item_seen *it);
} events[] = {
	{ "response.output_text.delta", DELTA_CONTENT, false, text_delta },
	{ "response.function_call_arguments.delta", DELTA_CONTENT, false,
	    args_delta },
	{ "response.reasoning_summary_text.delta", DELTA_CONTENT, false,
	    summary_delta },
	{ "response.reasoning_text.delta", DELTA_CONTENT, false,
	    thought_delta },
	{ "response.refusal.delta", DELTA_CONTENT, false, refusal_delta },
	{ "response.reasoning_summary_part.added", DELTA_META, false,
	    summary_part },
	{ "response.output_text.annotation.added", DELTA_CONTENT, false,
	    annotation },
	{ "response.output_item.added", DELTA_META, true, item_added },
	{ "response.output_item.done", DELTA_META, true, item_done },
};
#define EVENTS (sizeof events / sizeof events[0])

/* --------------------------------------------------------------- ends */

static enum err
emit_error(struct reading *r, uint32_t from, delta_fn *emit, void *arg,
    struct fault *f)
{
	struct upstream_error error;

	if (!responses_failure(r->s->scratch, 0, &r->doc, from, &error))
		return reply_bad(f, "an error that cannot be read");
	return reply_failed(&error, emit, arg);
}

/* What the last event says of items that no event told of. */
static bool
owed_items(struct reading *r, uint32_t response)
{
	uint32_t list = json_get(&r->doc, response, "output"), v;
	struct item_seen *it;
	int64_t i = 0;

	for (v = json_first(&r->doc, list); v != JSON_NONE;
	    v = json_next(&r->doc, list, v)) {
		it = item_of(r, i++);
		if (it == NULL)
			return false;
		end_item(r, it, v);
	}
	return true;
}

/*
 * The answer is whole. The event itself is the end mark of this dialect, so
 * it goes with the end; before it what is owed to another one.
 */
static enum err
emit_end(struct reading *r, delta_fn *emit, void *arg, struct fault *f)
{
	uint32_t response = json_get(&r->doc, JSON_ROOT, "response");
	struct delta finish, *d = &r->delta;
	struct piece *p;
	enum err e;

	if (json_type(&r->doc, response) != JSON_OBJECT)
		return reply_bad(f, "an end without a response");
	responses_usage(&r->doc, response, &d->usage);
	finish = *d;
	finish.kind = DELTA_FINISH;
	finish.finish = responses_finish(&r->doc, response);
	finish.raw = (struct str){ NULL, 0 };
	finish.doc = NULL;
	if (r->s->pieces) {
		if (!owed_items(r, response))
			return reply_bad(f, "too many output items");
		p = pieces_add(&r->pieces, PIECE_FINISH, 0);
		if (p != NULL)
			p->finish = finish.finish;
		if (r->pieces.failed)
			return ERR_INTERNAL;
		finish.pieces = r->pieces.list;
		finish.piece_count = r->pieces.count;
	}
	e = emit(arg, &finish);
	if (e != ERR_OK)
		return e;
	d->kind = DELTA_END;
	r->seen->ended = true;
	return emit(arg, d);
}

/* ------------------------------------------------------------- stream */

/* Keep id and model of the answer, which only few events tell. */
static bool
keep_head(struct reading *r)
{
	uint32_t response = json_get(&r->doc, JSON_ROOT, "response");
	struct seen *seen = r->seen;
	char *s;

	if (json_type(&r->doc, response) == JSON_OBJECT) {
		s = json_cstr(&r->doc, json_get(&r->doc, response, "id"),
		    r->s->arena);
		if (*seen->id == '\0' && s != NULL)
			seen->id = s;
		s = json_cstr(&r->doc, json_get(&r->doc, response, "model"),
		    r->s->arena);
		if (*seen->model == '\0' && s != NULL)
			seen->model = s;
	}
	r->delta.id = canon_lit(seen->id);
	r->delta.model = canon_lit(seen->model);
	return true;
}

static enum err
read_plain(struct reading *r, const char *type, delta_fn *emit, void *arg,
    struct fault *f)
{
	struct item_seen *it;
	struct str delta;
	size_t i = 0, len = strlen(type);

	while (i < EVENTS && strcmp(events[i].type, type) != 0)
		i++;
	r->delta.kind = i < EVENTS ? events[i].kind : len > 6 &&
	    strcmp(type + len - 6, ".delta") == 0 ? DELTA_CONTENT :
	    DELTA_META;
	if (r->delta.kind == DELTA_CONTENT) {
		delta = canon_raw(&r->doc, json_get(&r->doc, JSON_ROOT,
		    "delta"));
		r->delta.text_bytes = (int64_t)delta.len;
	}
	if (i < EVENTS && (events[i].always || r->s->pieces)) {
		it = item_here(r);
		if (it == NULL)
			return reply_bad(f, "a wrong output index");
		events[i].read(r, it);
	}
	if (r->pieces.failed)
		return ERR_INTERNAL;
	r->delta.pieces = r->pieces.list;
	r->delta.piece_count = r->pieces.count;
	return emit(arg, &r->delta);
}

/* The name goes into a line of its own, so it must be one word. */
static bool
plain(const char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name <= 0x20 || *name == 0x7f)
			return false;
	return true;
}

static enum err
read_event(struct reading *r, const struct sse_event *ev, delta_fn *emit,
    void *arg, struct fault *f)
{
	char *type = json_cstr(&r->doc, json_get(&r->doc, JSON_ROOT, "type"),
	    r->s->scratch);
	const char *name = type != NULL ? type : ev->name;

	r->delta.from = &adapter_responses;
	r->delta.raw = (struct str){ ev->data, ev->len };
	r->delta.doc = &r->doc;
	r->delta.event = name;
	keep_head(r);
	if (strcmp(name, "error") == 0 ||
	    (type == NULL && errors_present(&r->doc)))
		return emit_error(r, JSON_ROOT, emit, arg, f);
	if (strcmp(name, "response.failed") == 0)
		return emit_error(r, json_get(&r->doc, JSON_ROOT,
		    "response"), emit, arg, f);
	if (strcmp(name, "response.completed") == 0 ||
	    strcmp(name, "response.incomplete") == 0)
		return emit_end(r, emit, arg, f);
	if (*name == '\0' || !plain(name))
		return reply_bad(f, "an event without a type");
	return read_plain(r, name, emit, arg, f);
}

enum err
responses_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct reading r = { .s = s, .seen = s->own,
		.pieces = { .arena = s->scratch } };
	enum err err;

	if (r.seen == NULL) {
		s->own = r.seen = arena_zalloc(s->arena, sizeof *r.seen);
		if (r.seen == NULL)
			return ERR_INTERNAL;
		r.seen->id = r.seen->model = "";
	}
	if (r.seen->ended)
		return ERR_OK;
	if (ev == NULL)
		return reply_bad(f, "the stream was cut off");
	if (ev->len == 0)
		return ERR_OK;
	if (ev->len >= 6 && memcmp(ev->data, "[DONE]", 6) == 0)
		return reply_bad(f, "the stream ended without its end");
	err = reply_event(s->scratch, ev->data, ev->len, &r.doc, f);
	return err == ERR_OK ? read_event(&r, ev, emit, arg, f) : err;
}
