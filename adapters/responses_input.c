/*
 * The input of a client's Responses request as messages: each item is a
 * message, a call, an answer to one or a piece of reasoning, and what the
 * assistant said in a row becomes one message.
 */
#include "adapters/responses.h"

#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "adapters/reading.h"
#include "adapters/responses_answer.h"
#include "app/base/arena.h"

/* The input on its way into messages. */
struct input {
	struct reading *r;
	int item;		  /* number of the input item, for faults */
	struct message *assistant; /* the open one: items that follow join it */
	struct parts parts;	  /* its parts */
	struct str call_proof;	  /* what proves the next call to its maker */
	const char *call_origin;
};

static enum err
wrong(struct input *x, const char *what)
{
	char where[40];

	snprintf(where, sizeof where, "input[%d]", x->item);
	return fault_set(x->r->fault, ERR_BAD_REQUEST, where, "'%s' %s", where,
	    what);
}

/* An item or part whose type only one provider knows. */
static enum err
unknown(struct input *x, uint32_t v, const char *what)
{
	struct str type = rd_str(x->r, v, "type");
	char where[40];

	snprintf(where, sizeof where, "input[%d]", x->item);
	return fault_set(x->r->fault, ERR_BAD_REQUEST, where,
	    "'%s' %s of type '%.*s' that this model's provider cannot take",
	    where, what, type.len > 64 ? 64 : (int)type.len,
	    type.len == 0 ? "" : type.p);
}

/* ------------------------------------------------------------ content */

static void
read_text(struct reading *r, uint32_t v, struct part *p)
{
	p->kind = PART_TEXT;
	p->text = rd_str(r, v, "text");
}

static void
read_refusal(struct reading *r, uint32_t v, struct part *p)
{
	p->kind = PART_REFUSAL;
	p->text = rd_str(r, v, "refusal");
}

static void
read_image(struct reading *r, uint32_t v, struct part *p)
{
	p->kind = PART_IMAGE;
	p->url = rd_str(r, v, "image_url");
	p->file = rd_str(r, v, "file_id");
	p->detail = rd_str(r, v, "detail");
	canon_data_url(p);
}

/* file_data is a data: URL, or the bare base64 of a PDF. */
static void
read_file(struct reading *r, uint32_t v, struct part *p)
{
	p->kind = PART_FILE;
	p->name = rd_str(r, v, "filename");
	p->file = rd_str(r, v, "file_id");
	p->url = rd_str(r, v, "file_data");
	canon_data_url(p);
	if (p->url.len > 0)
		p->data = p->url;
	p->url = rd_str(r, v, "file_url");
}

static void
read_audio(struct reading *r, uint32_t v, struct part *p)
{
	uint32_t audio = rd_get(r, v, "input_audio");
	struct str format = rd_str(r, audio, "format");

	p->kind = PART_AUDIO;
	p->data = rd_str(r, audio, "data");
	if (format.len > 0 && format.len < 32)
		p->media_type = canon_printf(r->arena, "audio/%.*s",
		    (int)format.len, format.p);
	else
		p->media_type = canon_lit("audio/wav");
}

static const struct {
	const char *type;
	void (*read)(struct reading *r, uint32_t v, struct part *p);
} content_readers[] = {
	{ "input_text", read_text },
	{ "output_text", read_text },
	{ "text", read_text },
	{ "refusal", read_refusal },
	{ "input_image", read_image },
	{ "input_file", read_file },
	{ "input_audio", read_audio },
};
#define CONTENT_READERS (sizeof content_readers / sizeof content_readers[0])

static enum err
read_part(struct input *x, uint32_t v, struct parts *out)
{
	struct reading *r = x->r;
	struct part *p;
	size_t i = 0;

	while (i < CONTENT_READERS && !json_is(r->doc, rd_get(r, v, "type"),
	    content_readers[i].type))
		i++;
	if (i == CONTENT_READERS)
		return unknown(x, v, "has content");
	p = parts_add(out);
	if (p == NULL)
		return fault_memory(r->fault);
	content_readers[i].read(r, v, p);
	return ERR_OK;
}

/* A string, or a list of parts. */
static enum err
read_content(struct input *x, uint32_t v, struct parts *out)
{
	struct reading *r = x->r;
	enum err e = ERR_OK;
	uint32_t part;

	switch (json_type(r->doc, v)) {
	case JSON_STRING:
		return rd_text(r, v, out);
	case JSON_ARRAY:
		for (part = json_first(r->doc, v);
		    part != JSON_NONE && e == ERR_OK;
		    part = json_next(r->doc, v, part))
			e = read_part(x, part, out);
		return e;
	case JSON_ABSENT:
	case JSON_NULL:
		return ERR_OK;
	default:
		return wrong(x, "has a content of a wrong type");
	}
}

/* -------------------------------------------------------------- items */

/* The assistant's message ends: what follows is somebody else's. */
static void
close_assistant(struct input *x)
{
	if (x->assistant == NULL)
		return;
	x->assistant->parts = x->parts.list;
	x->assistant->part_count = x->parts.count;
	x->assistant = NULL;
}

static void
open_assistant(struct input *x)
{
	struct chat *chat = x->r->chat;

	if (x->assistant != NULL)
		return;
	x->assistant = &chat->messages[chat->message_count++];
	x->assistant->role = ROLE_ASSISTANT;
	x->parts = (struct parts){ .arena = x->r->arena };
}

static enum err
read_message(struct input *x, uint32_t v)
{
	static const struct {
		const char *word;
		enum role role;
	} roles[] = { { "user", ROLE_USER }, { "system", ROLE_SYSTEM },
		{ "developer", ROLE_DEVELOPER } };
	struct reading *r = x->r;
	struct parts parts = { .arena = r->arena };
	uint32_t role = rd_get(r, v, "role");
	struct message *m;
	enum err e;
	size_t i;

	if (json_is(r->doc, role, "assistant")) {
		open_assistant(x);
		return read_content(x, rd_get(r, v, "content"), &x->parts);
	}
	for (i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (json_is(r->doc, role, roles[i].word))
			break;
	if (i == sizeof roles / sizeof roles[0])
		return wrong(x, "has an unknown role");
	close_assistant(x);
	m = &r->chat->messages[r->chat->message_count++];
	m->role = roles[i].role;
	e = read_content(x, rd_get(r, v, "content"), &parts);
	m->parts = parts.list;
	m->part_count = parts.count;
	return e;
}

static enum err
add_call(struct input *x, uint32_t v, struct str args)
{
	struct reading *r = x->r;
	struct part *p;

	open_assistant(x);
	p = parts_add(&x->parts);
	if (p == NULL)
		return fault_memory(r->fault);
	p->kind = PART_CALL;
	p->id = rd_str(r, v, "call_id");
	p->name = rd_str(r, v, "name");
	p->args = args;
	p->signature = x->call_proof;
	p->origin = x->call_origin;
	x->call_proof = (struct str){ NULL, 0 };
	x->call_origin = NULL;
	if (p->args.len == 0)
		p->args = canon_lit("{}");
	if (p->id.len == 0 || p->name.len == 0)
		return wrong(x, "must have a 'call_id' and a 'name'");
	return ERR_OK;
}

static enum err
read_call(struct input *x, uint32_t v)
{
	return add_call(x, v, rd_str(x->r, v, "arguments"));
}

/* A custom tool is a function of one text elsewhere: see read_custom. */
static enum err
read_custom_call(struct input *x, uint32_t v)
{
	struct str args;
	struct json_writer w;
	struct buf b;

	buf_init(&b, LIMIT_BODY_TEXT);
	jw_init(&w, &b);
	jw_object(&w);
	canon_put_text(&w, RESPONSES_INPUT, rd_str(x->r, v, "input"));
	jw_end_object(&w);
	args = canon_take(x->r->arena, &b);
	return args.p == NULL ? fault_memory(x->r->fault) :
	    add_call(x, v, args);
}

static enum err
read_result(struct input *x, uint32_t v)
{
	struct reading *r = x->r;
	struct parts parts = { .arena = r->arena };
	struct parts inner = { .arena = r->arena };
	struct message *m;
	struct part *p;
	enum err e;

	close_assistant(x);
	p = parts_add(&parts);
	if (p == NULL)
		return fault_memory(r->fault);
	p->kind = PART_RESULT;
	p->id = rd_str(r, v, "call_id");
	if (p->id.len == 0)
		return wrong(x, "must have a 'call_id'");
	e = read_content(x, rd_get(r, v, "output"), &inner);
	p->parts = inner.list;
	p->part_count = inner.count;
	m = &r->chat->messages[r->chat->message_count++];
	m->role = ROLE_TOOL;
	m->parts = parts.list;
	m->part_count = 1;
	return e;
}

/* Put what proves or holds the reasoning where its maker will look. */
static void
unseal(struct input *x, struct part *p, struct str proof)
{
	static const char call[] = RESPONSES_CALL_PROOF;
	size_t n = sizeof call - 1;
	bool sealed;

	if (!canon_unmark(&proof, &p->origin, &sealed)) {
		p->origin = "responses";
		p->sealed = proof;
	} else if (p->origin == NULL) {
		return; /* nobody here made it */
	} else if (sealed) {
		p->sealed = proof;
	} else if (proof.len > n && memcmp(proof.p, call, n) == 0) {
		x->call_proof = (struct str){ proof.p + n, proof.len - n };
		x->call_origin = p->origin;
		p->origin = NULL;
	} else {
		p->signature = proof;
	}
}

static enum err
read_reasoning(struct input *x, uint32_t v)
{
	struct reading *r = x->r;
	struct str sealed = rd_str(r, v, "encrypted_content");
	struct part part, *p;

	memset(&part, 0, sizeof part);
	part.kind = PART_REASONING;
	part.id = rd_str(r, v, "id");
	if (!responses_reasoning(r->doc, v, r->arena, &part.text))
		return fault_memory(r->fault);
	if (sealed.len > 0)
		unseal(x, &part, sealed);
	if (part.text.len == 0 && part.sealed.len == 0 &&
	    part.signature.len == 0)
		return ERR_OK;
	open_assistant(x);
	p = parts_add(&x->parts);
	if (p == NULL)
		return fault_memory(r->fault);
	*p = part;
	return ERR_OK;
}

static const struct {
	const char *type;
	enum err (*read)(struct input *x, uint32_t v);
} item_readers[] = {
	{ "message", read_message },
	{ "function_call", read_call },
	{ "function_call_output", read_result },
	{ "custom_tool_call", read_custom_call },
	{ "custom_tool_call_output", read_result },
	{ "reasoning", read_reasoning },
};

static enum err
read_item(struct input *x, uint32_t v)
{
	struct reading *r = x->r;
	uint32_t type = rd_get(r, v, "type");
	size_t i;

	if (json_type(r->doc, type) <= JSON_NULL &&
	    json_nonempty(r->doc, rd_get(r, v, "role")))
		return read_message(x, v);
	for (i = 0; i < sizeof item_readers / sizeof item_readers[0]; i++)
		if (json_is(r->doc, type, item_readers[i].type))
			return item_readers[i].read(x, v);
	if (json_type(r->doc, type) <= JSON_NULL ||
	    json_is(r->doc, type, "item_reference"))
		return wrong(x, "refers to an item that is not stored here: "
		    "send the item itself");
	return unknown(x, v, "is an item");
}

static enum err
add_text(struct reading *r, enum role role, struct str s)
{
	struct message *m = &r->chat->messages[r->chat->message_count++];
	struct parts parts = { .arena = r->arena };
	struct part *p = parts_add(&parts);

	if (p == NULL)
		return fault_memory(r->fault);
	p->kind = PART_TEXT;
	p->text = s;
	m->role = role;
	m->parts = p;
	m->part_count = 1;
	return ERR_OK;
}

enum err
responses_read_input(struct reading *r)
{
	struct str instructions = rd_str(r, JSON_ROOT, "instructions");
	uint32_t input = rd_get(r, JSON_ROOT, "input"), v;
	struct input x = { .r = r };
	enum err e = ERR_OK;

	r->chat->messages = arena_zalloc(r->arena, (json_count(r->doc,
	    input) + 2) * sizeof *r->chat->messages);
	if (r->chat->messages == NULL)
		return fault_memory(r->fault);
	if (instructions.len > 0)
		e = add_text(r, ROLE_SYSTEM, instructions);
	if (e == ERR_OK && json_type(r->doc, input) == JSON_STRING)
		return add_text(r, ROLE_USER, canon_str(r->doc, input,
		    r->arena));
	for (v = json_first(r->doc, input); v != JSON_NONE && e == ERR_OK;
	    v = json_next(r->doc, input, v), x.item++)
		e = read_item(&x, v);
	close_assistant(&x);
	return e;
}
