/*
 * An output item as JSON, and the events that tell of it, in the order that
 * the official SDKs accumulate: item added, part added, deltas, text done,
 * part done, item done.
 */
#include "adapters/responses_tell.h"

#include "adapters/responses.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

void
items_append(struct items *s, struct growing *t, struct str more)
{
	s->failed |= !canon_grow(s->arena, t, more);
}

void
items_add(struct items *s, struct growing *t, struct str element)
{
	if (element.len > 0 && t->len > 0)
		items_append(s, t, canon_lit(","));
	items_append(s, t, element);
}

struct str
items_keep(struct items *s, struct str text)
{
	struct str out = { arena_dup(s->arena, text.len == 0 ? "" : text.p,
	    text.len), text.len };

	s->failed |= out.p == NULL;
	return out.p == NULL ? canon_lit("") : out;
}

void
tell_elements(struct json_writer *w, const char *key, struct str list)
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

void
tell_open(struct items *s, const struct item *it, struct json_writer *w,
    const char *type)
{
	items_open_event(s, w, type);
	canon_put_text(w, "item_id", canon_lit(it->id));
	canon_put_int(w, "output_index", it->index);
}

/* `blank`: as it is when it begins. */
static void
write_content(struct json_writer *w, const struct content *c, bool blank)
{
	static const struct growing nothing;

	if (c->refusal) {
		canon_begin(w, "refusal");
		canon_put_str(w, "refusal", canon_grown(blank ? &nothing :
		    &c->text));
	} else {
		canon_begin(w, "output_text");
		canon_put_str(w, "text", canon_grown(blank ? &nothing :
		    &c->text));
		tell_elements(w, "annotations", canon_grown(blank ? &nothing :
		    &c->notes));
		tell_elements(w, "logprobs", canon_grown(blank ? &nothing :
		    &c->logprobs));
	}
	jw_end_object(w);
}

static void
write_message(struct json_writer *w, const struct item *it)
{
	const struct content *c;

	canon_put_text(w, "role", canon_lit("assistant"));
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
	canon_put_text(w, "text", text);
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
	canon_put_text(w, "id", canon_lit(it->id));
	canon_put_text(w, "status", canon_lit(it->open ? "in_progress" :
	    it->whole ? "completed" : "incomplete"));
	switch (it->kind) {
	case ITEM_MESSAGE:
		write_message(w, it);
		break;
	case ITEM_REASONING:
		write_reasoning(w, it);
		break;
	case ITEM_CALL:
		canon_put_text(w, "call_id", it->call_id);
		canon_put_text(w, "name", it->name);
		canon_put_str(w, "arguments", canon_grown(&it->text));
		break;
	case ITEM_CUSTOM:
		canon_put_text(w, "call_id", it->call_id);
		canon_put_text(w, "name", it->name);
		canon_put_text(w, "input", it->seal);
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

void
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

void
tell_part(struct items *s, const struct item *it, const struct content *c,
    const char *type, bool blank)
{
	struct json_writer w;

	if (s->out == NULL)
		return;
	tell_open(s, it, &w, type);
	canon_put_int(&w, "content_index", c->index);
	jw_key(&w, "part");
	write_content(&w, c, blank);
	items_close_event(s, &w);
}

void
tell_summary(struct items *s, const struct item *it, const char *type,
    struct str text)
{
	struct json_writer w;

	if (s->out == NULL)
		return;
	tell_open(s, it, &w, type);
	canon_put_int(&w, "summary_index", 0);
	jw_key(&w, "part");
	write_summary_part(&w, text);
	items_close_event(s, &w);
}

void
tell_text(struct items *s, const struct item *it, const char *type,
    const char *place, int64_t index, const char *key, struct str text)
{
	struct json_writer w;

	if (s->out == NULL)
		return;
	tell_open(s, it, &w, type);
	if (place != NULL)
		canon_put_int(&w, place, index);
	canon_put_text(&w, key, text);
	items_close_event(s, &w);
}

/* ------------------------------------------------------------- ending */

void
tell_part_end(struct items *s, struct item *it)
{
	struct content *c = it->last;
	struct json_writer w;

	if (!it->part)
		return;
	it->part = false;
	if (c->refusal) {
		tell_text(s, it, "response.refusal.done", "content_index",
		    c->index, "refusal", canon_grown(&c->text));
	} else if (s->out != NULL) {
		tell_open(s, it, &w, "response.output_text.done");
		canon_put_int(&w, "content_index", c->index);
		canon_put_str(&w, "text", canon_grown(&c->text));
		tell_elements(&w, "logprobs", canon_grown(&c->logprobs));
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
	    "summary_index", 0, "text", canon_grown(&it->text));
	tell_summary(s, it, "response.reasoning_summary_part.done",
	    canon_grown(&it->text));
}

/* Arguments must be there, if only as an empty object. */
static void
close_call(struct items *s, struct item *it)
{
	if (it->text.len == 0) {
		items_append(s, &it->text, canon_lit("{}"));
		tell_text(s, it, "response.function_call_arguments.delta",
		    NULL, 0, "delta", canon_grown(&it->text));
	}
	if (s->out == NULL)
		return;
	tell_text(s, it, "response.function_call_arguments.done", NULL, 0,
	    "arguments", canon_grown(&it->text));
}

/* The text that the model put into the one argument; else all it wrote. */
static void
close_custom(struct items *s, struct item *it)
{
	struct str args = canon_grown(&it->text), input = { NULL, 0 };
	struct json doc;

	if (args.len > 0 && json_parse(&doc, s->scratch, args.p, args.len,
	    NULL) == ERR_OK)
		input = canon_str(&doc, json_get(&doc, JSON_ROOT,
		    RESPONSES_INPUT), s->scratch);
	it->seal = items_keep(s, input.p == NULL ? args : input);
	if (it->seal.len > 0)
		tell_text(s, it, "response.custom_tool_call_input.delta",
		    NULL, 0, "delta", it->seal);
	tell_text(s, it, "response.custom_tool_call_input.done", NULL, 0,
	    "input", it->seal);
}

void
tell_end(struct items *s, struct item *it, bool whole)
{
	static void (*const closers[])(struct items *s, struct item *it) = {
		[ITEM_MESSAGE] = tell_part_end,
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
