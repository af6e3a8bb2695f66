/*
 * What the model says as output items. Calls may be told of side by side; all
 * else one by one.
 */
#include "adapters/responses_items.h"

#include <string.h>

#include "adapters/citation.h"
#include "adapters/responses.h"
#include "adapters/responses_tell.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

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
		    canon_is_object(canon_grown(&it->text), s->scratch)))
			tell_end(s, it, true);
}

void
items_close(struct items *s, bool whole)
{
	struct item *it;

	for (it = s->first; it != NULL; it = it->next)
		tell_end(s, it, whole || it->next != NULL);
}

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
	tell_part_end(s, it);
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
	items_append(s, &c->text, text);
	items_add(s, &c->logprobs, list);
	if (s->out == NULL)
		return;
	tell_open(s, s->last, &w, "response.output_text.delta");
	canon_put_int(&w, "content_index", c->index);
	canon_put_text(&w, "delta", text);
	tell_elements(&w, "logprobs", list);
	items_close_event(s, &w);
}

void
items_refusal(struct items *s, struct str text)
{
	struct content *c = need_content(s, true);

	if (c == NULL)
		return;
	items_append(s, &c->text, text);
	tell_text(s, s->last, "response.refusal.delta", "content_index",
	    c->index, "delta", text);
}

/* A chat completion's annotation as this dialect has it: flat. */
static struct str
flat(struct items *s, struct str annotation)
{
	struct str out = { NULL, 0 };
	struct json_writer w;
	struct citation c;
	struct json doc;
	struct buf b;

	if (json_parse(&doc, s->scratch, annotation.p, annotation.len,
	    NULL) != ERR_OK ||
	    !citation_read(&doc, JSON_ROOT, s->scratch, &c))
		return out;
	buf_init(&b, LIMIT_EVENT_LARGE * 2);
	jw_init(&w, &b);
	canon_begin(&w, "url_citation");
	canon_put_int(&w, "start_index", c.start);
	canon_put_int(&w, "end_index", c.end);
	canon_put_str(&w, "url", c.url);
	canon_put_text(&w, "title", c.title);
	jw_end_object(&w);
	if (b.failed)
		s->failed = true;
	else
		out = items_keep(s, (struct str){ b.data, b.len });
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
	items_add(s, &c->notes, note);
	if (s->out != NULL) {
		tell_open(s, s->last, &w,
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
		tell_summary(s, it,
		    "response.reasoning_summary_part.added", canon_lit(""));
	}
	items_append(s, &it->text, text);
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
	tell_end(s, it, true);
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
		seal_item(s, items_keep(s, data));
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
	it->call_id = items_keep(s, p->id);
	it->name = items_keep(s, p->name);
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
	it->seal = items_keep(s, p.data);
	tell_end(s, it, true);
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
	items_append(s, &it->text, text);
	if (it->kind == ITEM_CALL)
		tell_text(s, it, "response.function_call_arguments.delta",
		    NULL, 0, "delta", text);
}
