/*
 * Output items and the events that tell of them, in the order that the
 * official SDKs accumulate: item added, part added, deltas, text done, part
 * done, item done. Calls may be told of side by side; all else one by one.
 */
#include "adapters/responses_items.h"

#include <string.h>

#include "adapters/responses.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

enum item_kind {
	ITEM_MESSAGE,
	ITEM_REASONING,
	ITEM_CALL,
	ITEM_CUSTOM, /* a call of a custom tool */
	ITEM_IMAGE
};

/* A part of a message. */
struct content {
	struct content *next;
	bool refusal;
	int64_t index;
	struct growing text;
	struct growing logprobs, notes; /* elements, commas between */
	int64_t note_count;
};

struct item {
	struct item *next;
	enum item_kind kind;
	int64_t index;
	const char *id;
	bool open, whole;
	struct content *first, *last; /* of a message */
	bool part;		      /* a part of it is open */
	struct growing text;	      /* of reasoning; arguments */
	struct str seal;	      /* of reasoning; image data; custom input */
	int64_t call;
	struct str call_id, name;
};

void
items_init(struct items *s, struct arena *a, const struct chat *chat)
{
	struct str id;

	memset(s, 0, sizeof *s);
	s->arena = s->scratch = a;
	s->chat = chat;
	id = canon_call_id(a);
	s->failed = id.len <= 5;
	s->base = s->failed ? "" : id.p + 5; /* behind "call_" */
}

static void
append(struct items *s, struct growing *t, struct str more)
{
	s->failed |= !canon_grow(s->arena, t, more);
}

static void
append_element(struct items *s, struct growing *t, struct str element)
{
	if (element.len > 0 && t->len > 0)
		append(s, t, canon_lit(","));
	append(s, t, element);
}

static struct str
keep(struct items *s, struct str text)
{
	struct str out = { arena_dup(s->arena, text.len == 0 ? "" : text.p,
	    text.len), text.len };

	s->failed |= out.p == NULL;
	return out.p == NULL ? canon_lit("") : out;
}

/* ------------------------------------------------------------ writing */

static struct str
str_of(const struct growing *t)
{
	return (struct str){ t->p == NULL ? "" : t->p, t->len };
}

static void
put_text(struct json_writer *w, const char *key, const struct growing *t)
{
	jw_key(w, key);
	jw_stringn(w, t->p == NULL ? "" : t->p, t->len);
}

static void
put_str(struct json_writer *w, const char *key, struct str s)
{
	jw_key(w, key);
	jw_stringn(w, s.p == NULL ? "" : s.p, s.len);
}

static void
put_elements(struct json_writer *w, const char *key, struct str list)
{
	jw_key(w, key);
	jw_array(w);
	if (list.len > 0)
		jw_raw(w, list.p, list.len);
	jw_end_array(w);
}

void
items_open_event(struct items *s, struct json_writer *w, const char *type)
{
	buf_printf(s->out, "event: %s\ndata: ", type);
	s->event = s->out->len;
	jw_init(w, s->out);
	canon_begin(w, type);
	canon_put_int(w, "sequence_number", s->sequence++);
}

void
items_close_event(struct items *s, struct json_writer *w)
{
	jw_end_object(w);
	canon_one_line(s->out, s->event);
	buf_puts(s->out, "\n\n");
}

static void
open_event(struct items *s, const struct item *it, struct json_writer *w,
    const char *type)
{
	items_open_event(s, w, type);
	put_str(w, "item_id", canon_lit(it->id));
	canon_put_int(w, "output_index", it->index);
}

/* `blank`: as it is when it begins. */
static void
write_content(struct json_writer *w, const struct content *c, bool blank)
{
	static const struct growing nothing;

	if (c->refusal) {
		canon_begin(w, "refusal");
		put_text(w, "refusal", blank ? &nothing : &c->text);
	} else {
		canon_begin(w, "output_text");
		put_text(w, "text", blank ? &nothing : &c->text);
		put_elements(w, "annotations", str_of(blank ? &nothing :
		    &c->notes));
		put_elements(w, "logprobs", str_of(blank ? &nothing :
		    &c->logprobs));
	}
	jw_end_object(w);
}

static void
write_message(struct json_writer *w, const struct item *it)
{
	const struct content *c;

	put_str(w, "role", canon_lit("assistant"));
	jw_key(w, "content");
	jw_array(w);
	for (c = it->first; c != NULL; c = c->next)
		write_content(w, c, false);
	jw_end_array(w);
}

static void
write_summary_part(struct json_writer *w, struct str text)
{
	canon_begin(w, "summary_text");
	put_str(w, "text", text);
	jw_end_object(w);
}

static void
write_reasoning(struct json_writer *w, const struct item *it)
{
	jw_key(w, "summary");
	jw_array(w);
	if (it->text.len > 0)
		write_summary_part(w, (struct str){ it->text.p,
		    it->text.len });
	jw_end_array(w);
	canon_put_str(w, "encrypted_content", it->seal);
}

static void
write_item(struct json_writer *w, const struct item *it)
{
	static const char *const types[] = { "message", "reasoning",
		"function_call", "custom_tool_call",
		"image_generation_call" };

	canon_begin(w, types[it->kind]);
	put_str(w, "id", canon_lit(it->id));
	put_str(w, "status", canon_lit(it->open ? "in_progress" :
	    it->whole ? "completed" : "incomplete"));
	switch (it->kind) {
	case ITEM_MESSAGE:
		write_message(w, it);
		break;
	case ITEM_REASONING:
		write_reasoning(w, it);
		break;
	case ITEM_CALL:
		put_str(w, "call_id", it->call_id);
		put_str(w, "name", it->name);
		put_text(w, "arguments", &it->text);
		break;
	case ITEM_CUSTOM:
		put_str(w, "call_id", it->call_id);
		put_str(w, "name", it->name);
		put_str(w, "input", it->seal);
		break;
	case ITEM_IMAGE:
		jw_key(w, "result");
		if (it->open)
			jw_null(w);
		else
			jw_stringn(w, it->seal.p, it->seal.len);
		break;
	}
	jw_end_object(w);
}

void
items_write(const struct items *s, struct json_writer *w)
{
	const struct item *it;

	jw_array(w);
	for (it = s->first; it != NULL; it = it->next)
		write_item(w, it);
	jw_end_array(w);
}

static void
tell_item(struct items *s, const struct item *it, const char *type)
{
	struct json_writer w;

	if (s->out == NULL)
		return;
	items_open_event(s, &w, type);
	canon_put_int(&w, "output_index", it->index);
	jw_key(&w, "item");
	write_item(&w, it);
	items_close_event(s, &w);
}

static void
tell_part(struct items *s, const struct item *it, const struct content *c,
    const char *type, bool blank)
{
	struct json_writer w;

	if (s->out == NULL)
		return;
	open_event(s, it, &w, type);
	canon_put_int(&w, "content_index", c->index);
	jw_key(&w, "part");
	write_content(&w, c, blank);
	items_close_event(s, &w);
}

static void
tell_summary_part(struct items *s, const struct item *it, const char *type,
    struct str text)
{
	struct json_writer w;

	if (s->out == NULL)
		return;
	open_event(s, it, &w, type);
	canon_put_int(&w, "summary_index", 0);
	jw_key(&w, "part");
	write_summary_part(&w, text);
	items_close_event(s, &w);
}

/* An event about a text: place names its index, 0 for none. */
static void
tell_text(struct items *s, const struct item *it, const char *type,
    const char *place, int64_t index, const char *key, struct str text)
{
	struct json_writer w;

	if (s->out == NULL)
		return;
	open_event(s, it, &w, type);
	if (place != NULL)
		canon_put_int(&w, place, index);
	put_str(&w, key, text);
	items_close_event(s, &w);
}

/* ------------------------------------------------------------- ending */

static void
close_part(struct items *s, struct item *it)
{
	struct content *c = it->last;
	struct json_writer w;

	if (!it->part)
		return;
	it->part = false;
	if (c->refusal) {
		tell_text(s, it, "response.refusal.done", "content_index",
		    c->index, "refusal", str_of(&c->text));
	} else if (s->out != NULL) {
		open_event(s, it, &w, "response.output_text.done");
		canon_put_int(&w, "content_index", c->index);
		put_text(&w, "text", &c->text);
		put_elements(&w, "logprobs", str_of(&c->logprobs));
		items_close_event(s, &w);
	}
	tell_part(s, it, c, "response.content_part.done", false);
}

static void
close_summary(struct items *s, struct item *it)
{
	if (!it->part)
		return;
	it->part = false;
	tell_text(s, it, "response.reasoning_summary_text.done",
	    "summary_index", 0, "text", str_of(&it->text));
	tell_summary_part(s, it, "response.reasoning_summary_part.done",
	    str_of(&it->text));
}

/* Arguments must be there, if only as an empty object. */
static void
close_call(struct items *s, struct item *it)
{
	if (it->text.len == 0) {
		append(s, &it->text, canon_lit("{}"));
		tell_text(s, it, "response.function_call_arguments.delta",
		    NULL, 0, "delta", str_of(&it->text));
	}
	if (s->out == NULL)
		return;
	tell_text(s, it, "response.function_call_arguments.done", NULL, 0,
	    "arguments", str_of(&it->text));
}

/* The text that the model put into the one argument; else all it wrote. */
static void
close_custom(struct items *s, struct item *it)
{
	struct str args = str_of(&it->text), input = { NULL, 0 };
	struct json doc;

	if (args.len > 0 && json_parse(&doc, s->scratch, args.p, args.len,
	    NULL) == ERR_OK)
		input = canon_str(&doc, json_get(&doc, JSON_ROOT,
		    RESPONSES_INPUT), s->scratch);
	it->seal = keep(s, input.p == NULL ? args : input);
	if (it->seal.len > 0)
		tell_text(s, it, "response.custom_tool_call_input.delta",
		    NULL, 0, "delta", it->seal);
	tell_text(s, it, "response.custom_tool_call_input.done", NULL, 0,
	    "input", it->seal);
}

static void
close_item(struct items *s, struct item *it, bool whole)
{
	static void (*const closers[])(struct items *s, struct item *it) = {
		[ITEM_MESSAGE] = close_part,
		[ITEM_REASONING] = close_summary,
		[ITEM_CALL] = close_call,
		[ITEM_CUSTOM] = close_custom,
		[ITEM_IMAGE] = NULL,
	};

	if (!it->open)
		return;
	if (closers[it->kind] != NULL)
		closers[it->kind](s, it);
	it->open = false;
	it->whole = whole;
	tell_item(s, it, "response.output_item.done");
}

static bool
is_call(const struct item *it)
{
	return it->kind == ITEM_CALL || it->kind == ITEM_CUSTOM;
}

/*
 * Before something new begins: all that is open ends, but for calls whose
 * arguments are not whole yet, because more of them may come.
 */
static void
close_before(struct items *s)
{
	struct item *it;

	for (it = s->first; it != NULL; it = it->next)
		if (it->open && (!is_call(it) ||
		    canon_is_object(str_of(&it->text), s->scratch)))
			close_item(s, it, true);
}

void
items_close(struct items *s, bool whole)
{
	struct item *it;

	for (it = s->first; it != NULL; it = it->next)
		close_item(s, it, whole || it->next != NULL);
}

/* ---------------------------------------------------------- beginning */

static struct item *
begin_item(struct items *s, enum item_kind kind)
{
	static const char *const prefixes[] = { "msg_tg_",
		RESPONSES_OUR_REASONING, "fc_tg_", "ctc_tg_", "ig_tg_" };
	struct item *it;

	close_before(s);
	it = arena_zalloc(s->arena, sizeof *it);
	if (it == NULL) {
		s->failed = true;
		return NULL;
	}
	it->kind = kind;
	it->index = s->count++;
	it->open = true;
	it->id = arena_printf(s->arena, "%s%s_%lld", prefixes[kind], s->base,
	    (long long)it->index);
	if (it->id == NULL) {
		s->failed = true;
		it->id = "";
	}
	if (s->last == NULL)
		s->first = it;
	else
		s->last->next = it;
	return s->last = it;
}

/* The item at the end when it is of this kind and still open. */
static struct item *
open_one(struct items *s, enum item_kind kind)
{
	struct item *it = s->last;

	return it != NULL && it->open && it->kind == kind ? it : NULL;
}

static struct content *
need_content(struct items *s, bool refusal)
{
	struct item *it = open_one(s, ITEM_MESSAGE);
	struct content *c;

	if (it == NULL) {
		it = begin_item(s, ITEM_MESSAGE);
		if (it == NULL)
			return NULL;
		tell_item(s, it, "response.output_item.added");
	}
	if (it->part && it->last->refusal == refusal)
		return it->last;
	close_part(s, it);
	c = arena_zalloc(s->arena, sizeof *c);
	if (c == NULL) {
		s->failed = true;
		return NULL;
	}
	c->refusal = refusal;
	c->index = it->last == NULL ? 0 : it->last->index + 1;
	if (it->last == NULL)
		it->first = c;
	else
		it->last->next = c;
	it->last = c;
	it->part = true;
	tell_part(s, it, c, "response.content_part.added", true);
	return c;
}

/* The elements of {"content": [..]} without their brackets. */
static struct str
elements(struct items *s, struct str logprobs)
{
	struct str raw = { NULL, 0 };
	struct json doc;
	uint32_t list;

	if (logprobs.len == 0 || json_parse(&doc, s->scratch, logprobs.p,
	    logprobs.len, NULL) != ERR_OK)
		return raw;
	list = json_get(&doc, JSON_ROOT, "content");
	if (json_type(&doc, list) != JSON_ARRAY || json_count(&doc, list) == 0)
		return raw;
	raw = canon_raw(&doc, list);
	return (struct str){ raw.p + 1, raw.len - 2 };
}

void
items_text(struct items *s, struct str text, struct str logprobs)
{
	struct content *c = need_content(s, false);
	struct str list = elements(s, logprobs);
	struct json_writer w;

	if (c == NULL)
		return;
	append(s, &c->text, text);
	append_element(s, &c->logprobs, list);
	if (s->out == NULL)
		return;
	open_event(s, s->last, &w, "response.output_text.delta");
	canon_put_int(&w, "content_index", c->index);
	put_str(&w, "delta", text);
	put_elements(&w, "logprobs", list);
	items_close_event(s, &w);
}

void
items_refusal(struct items *s, struct str text)
{
	struct content *c = need_content(s, true);

	if (c == NULL)
		return;
	append(s, &c->text, text);
	tell_text(s, s->last, "response.refusal.delta", "content_index",
	    c->index, "delta", text);
}

/* A chat completion's annotation as this dialect has it: flat. */
static struct str
flat(struct items *s, struct str annotation)
{
	static const char *const keys[] = { "start_index", "end_index",
		"url", "title" };
	static const char *const none[] = { "0", "0", "\"\"", "\"\"" };
	struct str out = { NULL, 0 }, raw;
	struct json_writer w;
	struct json doc;
	uint32_t v;
	struct buf b;
	size_t i;

	if (json_parse(&doc, s->scratch, annotation.p, annotation.len,
	    NULL) != ERR_OK || !json_is(&doc, json_get(&doc, JSON_ROOT,
	    "type"), "url_citation"))
		return out;
	v = json_get(&doc, JSON_ROOT, "url_citation");
	buf_init(&b, LIMIT_EVENT_LARGE * 2);
	jw_init(&w, &b);
	canon_begin(&w, "url_citation");
	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		raw = canon_raw(&doc, json_get(&doc, v, keys[i]));
		canon_put_raw(&w, keys[i], raw.p == NULL ||
		    canon_is(raw, "null") ? canon_lit(none[i]) : raw);
	}
	jw_end_object(&w);
	if (b.failed)
		s->failed = true;
	else
		out = keep(s, (struct str){ b.data, b.len });
	buf_free(&b);
	return out;
}

void
items_citation(struct items *s, struct str annotation)
{
	struct str note = flat(s, annotation);
	struct json_writer w;
	struct content *c;

	if (note.len == 0)
		return;
	c = need_content(s, false);
	if (c == NULL)
		return;
	append_element(s, &c->notes, note);
	if (s->out != NULL) {
		open_event(s, s->last, &w,
		    "response.output_text.annotation.added");
		canon_put_int(&w, "content_index", c->index);
		canon_put_int(&w, "annotation_index", c->note_count);
		canon_put_raw(&w, "annotation", note);
		items_close_event(s, &w);
	}
	c->note_count++;
}

static struct item *
need_reasoning(struct items *s)
{
	struct item *it = open_one(s, ITEM_REASONING);

	if (it != NULL)
		return it;
	it = begin_item(s, ITEM_REASONING);
	if (it != NULL)
		tell_item(s, it, "response.output_item.added");
	return it;
}

void
items_reasoning(struct items *s, struct str text)
{
	struct item *it = need_reasoning(s);

	if (it == NULL || text.len == 0)
		return;
	if (!it->part) {
		it->part = true;
		tell_summary_part(s, it,
		    "response.reasoning_summary_part.added", canon_lit(""));
	}
	append(s, &it->text, text);
	tell_text(s, it, "response.reasoning_summary_text.delta",
	    "summary_index", 0, "delta", text);
}

/* It completes the reasoning before it, or stands for itself. */
static void
seal_item(struct items *s, struct str seal)
{
	struct item *it = need_reasoning(s);

	s->failed |= seal.p == NULL;
	if (it == NULL || seal.p == NULL)
		return;
	it->seal = seal;
	close_item(s, it, true);
}

void
items_signature(struct items *s, const char *origin, struct str text)
{
	if (origin != NULL && text.len > 0)
		seal_item(s, canon_mark(s->arena, origin, false, text));
}

/* Of this dialect's own makers it goes with the text, else it is alone. */
void
items_sealed(struct items *s, const char *origin, struct str data)
{
	if (origin == NULL || data.len == 0)
		return;
	if (strcmp(origin, "responses") == 0) {
		seal_item(s, keep(s, data));
		return;
	}
	close_before(s);
	seal_item(s, canon_mark(s->arena, origin, true, data));
}

/* What proves a call has no place in it here: it goes before it. */
static void
call_proof(struct items *s, const char *origin, struct str proof)
{
	if (origin != NULL && proof.len > 0)
		seal_item(s, canon_mark(s->arena, origin, false,
		    canon_join(s->scratch, canon_lit(RESPONSES_CALL_PROOF),
		    proof)));
}

/* Did the client name it as a custom tool? */
static bool
is_custom(const struct items *s, struct str name)
{
	const struct json *doc = &s->chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "tools"), v;
	struct str said;

	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		if (!json_is(doc, json_get(doc, v, "type"), "custom"))
			continue;
		said = canon_str(doc, json_get(doc, v, "name"), s->scratch);
		if (name.len > 0 && said.len == name.len &&
		    memcmp(said.p, name.p, name.len) == 0)
			return true;
	}
	return false;
}

void
items_call(struct items *s, const struct piece *p)
{
	struct item *it;

	close_before(s);
	call_proof(s, p->origin, p->text);
	it = begin_item(s, is_custom(s, p->name) ? ITEM_CUSTOM : ITEM_CALL);
	if (it == NULL)
		return;
	it->call = p->call;
	it->call_id = keep(s, p->id);
	it->name = keep(s, p->name);
	tell_item(s, it, "response.output_item.added");
}

/* An image that the model made is what this dialect's own tool makes. */
void
items_image(struct items *s, struct str url)
{
	struct part p = { .kind = PART_IMAGE, .url = url };
	struct item *it;

	canon_data_url(&p);
	if (p.data.p == NULL)
		return;
	it = begin_item(s, ITEM_IMAGE);
	if (it == NULL)
		return;
	tell_item(s, it, "response.output_item.added");
	it->seal = keep(s, p.data);
	close_item(s, it, true);
}

void
items_args(struct items *s, int64_t call, struct str text)
{
	struct item *it = s->first;

	while (it != NULL && (!is_call(it) || !it->open ||
	    it->call != call))
		it = it->next;
	if (it == NULL || text.len == 0)
		return;
	append(s, &it->text, text);
	if (it->kind == ITEM_CALL)
		tell_text(s, it, "response.function_call_arguments.delta",
		    NULL, 0, "delta", text);
}
