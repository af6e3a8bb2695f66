/*
 * A client's Responses request in the canonical form, for a provider of
 * another dialect. What only a provider with a memory or with tools of its
 * own could do is refused here, by name.
 */
#include "adapters/responses.h"

#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"

/* One request being read. */
struct reading {
	const struct json *doc;
	struct arena *arena;
	struct chat *chat;
	struct fault *fault;
	int item;		  /* number of the input item, for faults */
	struct message *assistant; /* the open one: items that follow join it */
	struct parts parts;	  /* its parts */
	struct str call_proof;	  /* what proves the next call to its maker */
	const char *call_origin;
};

static const char *const known[] = { "model", "input", "instructions",
	"stream", "stream_options", "background", "store",
	"max_output_tokens", "temperature", "top_p", "top_logprobs", "tools",
	"tool_choice", "parallel_tool_calls", "text", "reasoning", "include",
	"metadata", "previous_response_id", "conversation", "prompt",
	"prompt_cache_key", "safety_identifier", "service_tier",
	"truncation", "user", "models", "fallbacks" };

/* Members that lean on what a provider has stored. */
static const char *const stored[] = { "previous_response_id",
	"conversation", "prompt" };

static enum err
memory(struct reading *r)
{
	return fault_memory(r->fault);
}

static uint32_t
member(struct reading *r, uint32_t obj, const char *key)
{
	return json_get(r->doc, obj, key);
}

static struct str
text(struct reading *r, uint32_t obj, const char *key)
{
	return canon_str(r->doc, member(r, obj, key), r->arena);
}

static enum err
wrong(struct reading *r, const char *what)
{
	char where[40];

	snprintf(where, sizeof where, "input[%d]", r->item);
	return fault_set(r->fault, ERR_BAD_REQUEST, where, "'%s' %s", where,
	    what);
}

/* An item or part whose type only one provider knows. */
static enum err
unknown(struct reading *r, uint32_t v, const char *what)
{
	struct str type = text(r, v, "type");
	char where[40];

	snprintf(where, sizeof where, "input[%d]", r->item);
	return fault_set(r->fault, ERR_BAD_REQUEST, where,
	    "'%s' %s of type '%.*s' that this model's provider cannot take",
	    where, what, type.len > 64 ? 64 : (int)type.len,
	    type.len == 0 ? "" : type.p);
}

/* ------------------------------------------------------------ content */

static void
read_text(struct reading *r, uint32_t v, struct part *p)
{
	p->kind = PART_TEXT;
	p->text = text(r, v, "text");
}

static void
read_refusal(struct reading *r, uint32_t v, struct part *p)
{
	p->kind = PART_REFUSAL;
	p->text = text(r, v, "refusal");
}

static void
read_image(struct reading *r, uint32_t v, struct part *p)
{
	p->kind = PART_IMAGE;
	p->url = text(r, v, "image_url");
	p->file = text(r, v, "file_id");
	p->detail = text(r, v, "detail");
	canon_data_url(p);
}

/* file_data is a data: URL, or the bare base64 of a PDF. */
static void
read_file(struct reading *r, uint32_t v, struct part *p)
{
	p->kind = PART_FILE;
	p->name = text(r, v, "filename");
	p->file = text(r, v, "file_id");
	p->url = text(r, v, "file_data");
	canon_data_url(p);
	if (p->url.len > 0)
		p->data = p->url;
	p->url = text(r, v, "file_url");
}

static void
read_audio(struct reading *r, uint32_t v, struct part *p)
{
	uint32_t audio = member(r, v, "input_audio");
	struct str format = text(r, audio, "format");

	p->kind = PART_AUDIO;
	p->data = text(r, audio, "data");
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
read_part(struct reading *r, uint32_t v, struct parts *out)
{
	struct part *p;
	size_t i = 0;

	while (i < CONTENT_READERS && !json_is(r->doc, member(r, v, "type"),
	    content_readers[i].type))
		i++;
	if (i == CONTENT_READERS)
		return unknown(r, v, "has content");
	p = parts_add(out);
	if (p == NULL)
		return memory(r);
	content_readers[i].read(r, v, p);
	return ERR_OK;
}

/* A string, or a list of parts. */
static enum err
read_content(struct reading *r, uint32_t v, struct parts *out)
{
	enum err e = ERR_OK;
	struct part *p;
	uint32_t part;

	switch (json_type(r->doc, v)) {
	case JSON_STRING:
		p = parts_add(out);
		if (p == NULL)
			return memory(r);
		p->kind = PART_TEXT;
		p->text = canon_str(r->doc, v, r->arena);
		return ERR_OK;
	case JSON_ARRAY:
		for (part = json_first(r->doc, v);
		    part != JSON_NONE && e == ERR_OK;
		    part = json_next(r->doc, v, part))
			e = read_part(r, part, out);
		return e;
	case JSON_ABSENT:
	case JSON_NULL:
		return ERR_OK;
	default:
		return wrong(r, "has a content of a wrong type");
	}
}

/* -------------------------------------------------------------- items */

/* The assistant's message ends: what follows is somebody else's. */
static void
close_assistant(struct reading *r)
{
	if (r->assistant == NULL)
		return;
	r->assistant->parts = r->parts.list;
	r->assistant->part_count = r->parts.count;
	r->assistant = NULL;
}

static void
open_assistant(struct reading *r)
{
	if (r->assistant != NULL)
		return;
	r->assistant = &r->chat->messages[r->chat->message_count++];
	r->assistant->role = ROLE_ASSISTANT;
	r->parts = (struct parts){ .arena = r->arena };
}

static enum err
read_message(struct reading *r, uint32_t v)
{
	static const struct {
		const char *word;
		enum role role;
	} roles[] = { { "user", ROLE_USER }, { "system", ROLE_SYSTEM },
		{ "developer", ROLE_DEVELOPER } };
	struct parts parts = { .arena = r->arena };
	uint32_t role = member(r, v, "role");
	struct message *m;
	enum err e;
	size_t i;

	if (json_is(r->doc, role, "assistant")) {
		open_assistant(r);
		return read_content(r, member(r, v, "content"), &r->parts);
	}
	for (i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (json_is(r->doc, role, roles[i].word))
			break;
	if (i == sizeof roles / sizeof roles[0])
		return wrong(r, "has an unknown role");
	close_assistant(r);
	m = &r->chat->messages[r->chat->message_count++];
	m->role = roles[i].role;
	e = read_content(r, member(r, v, "content"), &parts);
	m->parts = parts.list;
	m->part_count = parts.count;
	return e;
}

static enum err
add_call(struct reading *r, uint32_t v, struct str args)
{
	struct part *p;

	open_assistant(r);
	p = parts_add(&r->parts);
	if (p == NULL)
		return memory(r);
	p->kind = PART_CALL;
	p->id = text(r, v, "call_id");
	p->name = text(r, v, "name");
	p->args = args;
	p->signature = r->call_proof;
	p->origin = r->call_origin;
	r->call_proof = (struct str){ NULL, 0 };
	r->call_origin = NULL;
	if (p->args.len == 0)
		p->args = canon_lit("{}");
	if (p->id.len == 0 || p->name.len == 0)
		return wrong(r, "must have a 'call_id' and a 'name'");
	return ERR_OK;
}

static enum err
read_call(struct reading *r, uint32_t v)
{
	return add_call(r, v, text(r, v, "arguments"));
}

/* A custom tool is a function of one text elsewhere: see read_custom. */
static enum err
read_custom_call(struct reading *r, uint32_t v)
{
	struct str input = text(r, v, "input"), args = { NULL, 0 };
	struct json_writer w;
	struct buf b;

	buf_init(&b, LIMIT_BODY_TEXT);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, RESPONSES_INPUT);
	jw_stringn(&w, input.p == NULL ? "" : input.p, input.len);
	jw_end_object(&w);
	if (!b.failed)
		args.p = arena_dup(r->arena, b.data, b.len);
	args.len = b.len;
	buf_free(&b);
	return args.p == NULL ? memory(r) : add_call(r, v, args);
}

static enum err
read_result(struct reading *r, uint32_t v)
{
	struct parts parts = { .arena = r->arena };
	struct parts inner = { .arena = r->arena };
	struct message *m;
	struct part *p;
	enum err e;

	close_assistant(r);
	p = parts_add(&parts);
	if (p == NULL)
		return memory(r);
	p->kind = PART_RESULT;
	p->id = text(r, v, "call_id");
	if (p->id.len == 0)
		return wrong(r, "must have a 'call_id'");
	e = read_content(r, member(r, v, "output"), &inner);
	p->parts = inner.list;
	p->part_count = inner.count;
	m = &r->chat->messages[r->chat->message_count++];
	m->role = ROLE_TOOL;
	m->parts = parts.list;
	m->part_count = 1;
	return e;
}

/* All the texts of a summary or content, with an empty line between. */
static enum err
gather(struct reading *r, uint32_t list, struct str *out)
{
	struct buf b;
	struct str s;
	uint32_t v;

	buf_init(&b, LIMIT_BODY_TEXT);
	for (v = json_first(r->doc, list); v != JSON_NONE;
	    v = json_next(r->doc, list, v)) {
		s = text(r, v, "text");
		if (s.len > 0 && b.len > 0)
			buf_puts(&b, "\n\n");
		if (s.len > 0)
			buf_put(&b, s.p, s.len);
	}
	if (b.len > 0 && !b.failed) {
		out->p = arena_dup(r->arena, b.data, b.len);
		out->len = out->p == NULL ? 0 : b.len;
	}
	if (b.failed || (b.len > 0 && out->p == NULL)) {
		buf_free(&b);
		return memory(r);
	}
	buf_free(&b);
	return ERR_OK;
}

/* Put what proves or holds the reasoning where its maker will look. */
static void
unseal(struct reading *r, struct part *p, struct str proof)
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
		r->call_proof = (struct str){ proof.p + n, proof.len - n };
		r->call_origin = p->origin;
		p->origin = NULL;
	} else {
		p->signature = proof;
	}
}

static enum err
read_reasoning(struct reading *r, uint32_t v)
{
	struct str sealed = text(r, v, "encrypted_content");
	struct part part, *p;
	enum err e;

	memset(&part, 0, sizeof part);
	part.kind = PART_REASONING;
	part.id = text(r, v, "id");
	e = gather(r, member(r, v, "summary"), &part.text);
	if (e == ERR_OK && part.text.len == 0)
		e = gather(r, member(r, v, "content"), &part.text);
	if (e != ERR_OK)
		return e;
	if (sealed.len > 0)
		unseal(r, &part, sealed);
	if (part.text.len == 0 && part.sealed.len == 0 &&
	    part.signature.len == 0)
		return ERR_OK;
	open_assistant(r);
	p = parts_add(&r->parts);
	if (p == NULL)
		return memory(r);
	*p = part;
	return ERR_OK;
}

static const struct {
	const char *type;
	enum err (*read)(struct reading *r, uint32_t v);
} item_readers[] = {
	{ "message", read_message },
	{ "function_call", read_call },
	{ "function_call_output", read_result },
	{ "custom_tool_call", read_custom_call },
	{ "custom_tool_call_output", read_result },
	{ "reasoning", read_reasoning },
};

static enum err
read_item(struct reading *r, uint32_t v)
{
	uint32_t type = member(r, v, "type");
	size_t i;

	if (json_type(r->doc, type) <= JSON_NULL &&
	    json_nonempty(r->doc, member(r, v, "role")))
		return read_message(r, v);
	for (i = 0; i < sizeof item_readers / sizeof item_readers[0]; i++)
		if (json_is(r->doc, type, item_readers[i].type))
			return item_readers[i].read(r, v);
	if (json_type(r->doc, type) <= JSON_NULL ||
	    json_is(r->doc, type, "item_reference"))
		return wrong(r, "refers to an item that is not stored here: "
		    "send the item itself");
	return unknown(r, v, "is an item");
}

static enum err
add_text(struct reading *r, enum role role, struct str s)
{
	struct message *m = &r->chat->messages[r->chat->message_count++];
	struct parts parts = { .arena = r->arena };
	struct part *p = parts_add(&parts);

	if (p == NULL)
		return memory(r);
	p->kind = PART_TEXT;
	p->text = s;
	m->role = role;
	m->parts = p;
	m->part_count = 1;
	return ERR_OK;
}

static enum err
read_input(struct reading *r)
{
	struct str instructions = text(r, JSON_ROOT, "instructions");
	uint32_t input = member(r, JSON_ROOT, "input"), v;
	enum err e = ERR_OK;

	r->chat->messages = arena_zalloc(r->arena, (json_count(r->doc,
	    input) + 2) * sizeof *r->chat->messages);
	if (r->chat->messages == NULL)
		return memory(r);
	if (instructions.len > 0)
		e = add_text(r, ROLE_SYSTEM, instructions);
	if (e == ERR_OK && json_type(r->doc, input) == JSON_STRING)
		return add_text(r, ROLE_USER, canon_str(r->doc, input,
		    r->arena));
	for (v = json_first(r->doc, input); v != JSON_NONE && e == ERR_OK;
	    v = json_next(r->doc, input, v), r->item++)
		e = read_item(r, v);
	close_assistant(r);
	return e;
}

/* -------------------------------------------------------------- tools */

/*
 * A custom tool takes free text, perhaps of a grammar. Any model can call it
 * as a function of one string; the grammar is told it in words. Its calls
 * come back to the client as calls of the custom tool.
 */
static enum err
read_custom(struct reading *r, uint32_t v, struct tool *t)
{
	uint32_t format = member(r, v, "format");
	struct str grammar = text(r, format, "definition");
	struct str syntax = text(r, format, "syntax");
	struct growing g = { NULL, 0, 0 };
	bool ok;

	t->type = "function";
	t->strict = -1;
	t->schema = canon_lit("{\"type\":\"object\",\"properties\":{\""
	    RESPONSES_INPUT "\":{\"type\":\"string\"}},\"required\":[\""
	    RESPONSES_INPUT "\"]}");
	if (grammar.len == 0)
		return ERR_OK;
	ok = canon_grow(r->arena, &g, t->description) &&
	    canon_grow(r->arena, &g, canon_lit("\n\nThe text must be of this "
	    "grammar (")) && canon_grow(r->arena, &g, syntax) &&
	    canon_grow(r->arena, &g, canon_lit("):\n")) &&
	    canon_grow(r->arena, &g, grammar);
	t->description = (struct str){ g.p, g.len };
	return ok ? ERR_OK : memory(r);
}

static enum err
read_tool(struct reading *r, uint32_t v, struct tool *t)
{
	uint32_t schema = member(r, v, "parameters");

	t->type = json_cstr(r->doc, member(r, v, "type"), r->arena);
	if (t->type == NULL)
		return fault_set(r->fault, ERR_BAD_REQUEST, "tools",
		    "every tool must have a 'type'");
	t->origin = "responses";
	t->raw = canon_raw(r->doc, v);
	t->name = text(r, v, "name");
	t->description = text(r, v, "description");
	t->strict = canon_flag(r->doc, member(r, v, "strict"));
	if (json_type(r->doc, schema) == JSON_OBJECT)
		t->schema = canon_raw(r->doc, schema);
	if ((strcmp(t->type, "function") == 0 ||
	    strcmp(t->type, "custom") == 0) && t->name.len == 0)
		return fault_set(r->fault, ERR_BAD_REQUEST, "tools",
		    "every function must have a 'name'");
	return strcmp(t->type, "custom") == 0 ? read_custom(r, v, t) :
	    ERR_OK;
}

static enum err
read_tools(struct reading *r)
{
	uint32_t list = member(r, JSON_ROOT, "tools"), v;
	struct chat *chat = r->chat;
	enum err e = ERR_OK;

	if (json_count(r->doc, list) == 0)
		return ERR_OK;
	chat->set |= PARAM_BIT(TOOLS);
	chat->tools = arena_zalloc(r->arena, json_count(r->doc, list) *
	    sizeof *chat->tools);
	if (chat->tools == NULL)
		return memory(r);
	for (v = json_first(r->doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(r->doc, list, v))
		e = read_tool(r, v, &chat->tools[chat->tool_count++]);
	return e;
}

/* A tool that is named: a function, a custom one among them. */
static bool
names_function(struct reading *r, uint32_t v)
{
	uint32_t type = member(r, v, "type");

	return (json_is(r->doc, type, "function") ||
	    json_is(r->doc, type, "custom")) &&
	    json_nonempty(r->doc, member(r, v, "name"));
}

static bool
is_allowed(struct reading *r, const struct tool *t, uint32_t list)
{
	struct str name;
	uint32_t v;

	for (v = json_first(r->doc, list); v != JSON_NONE;
	    v = json_next(r->doc, list, v)) {
		name = text(r, v, "name");
		if (names_function(r, v) && name.len == t->name.len &&
		    memcmp(name.p, t->name.p, name.len) == 0)
			return true;
	}
	return false;
}

/*
 * Some of the tools, at will or by force: no other dialect has a word for
 * it, but leaving the others out says the same.
 */
static enum err
read_allowed(struct reading *r, uint32_t v)
{
	uint32_t list = member(r, v, "tools");
	struct chat *chat = r->chat;
	size_t i, kept = 0;

	for (i = 0; i < chat->tool_count; i++)
		if (is_allowed(r, &chat->tools[i], list))
			chat->tools[kept++] = chat->tools[i];
	if (kept == 0)
		return fault_set(r->fault, ERR_BAD_REQUEST, "tool_choice",
		    "'tool_choice' allows none of the tools");
	chat->tool_count = kept;
	chat->tool_choice = json_is(r->doc, member(r, v, "mode"),
	    "required") ? CHOICE_REQUIRED : CHOICE_AUTO;
	return ERR_OK;
}

static enum err
read_tool_choice(struct reading *r)
{
	static const struct {
		const char *word;
		enum tool_choice choice;
	} words[] = { { "auto", CHOICE_AUTO }, { "none", CHOICE_NONE },
		{ "required", CHOICE_REQUIRED } };
	uint32_t v = member(r, JSON_ROOT, "tool_choice");
	struct chat *chat = r->chat;
	size_t i;

	if (json_type(r->doc, v) <= JSON_NULL)
		return ERR_OK;
	chat->set |= PARAM_BIT(TOOL_CHOICE);
	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (json_is(r->doc, v, words[i].word)) {
			chat->tool_choice = words[i].choice;
			return ERR_OK;
		}
	if (json_is(r->doc, member(r, v, "type"), "allowed_tools"))
		return read_allowed(r, v);
	chat->tool_name = text(r, v, "name");
	if (!names_function(r, v))
		return fault_set(r->fault, ERR_BAD_REQUEST, "tool_choice",
		    "'tool_choice' names no function");
	chat->tool_choice = CHOICE_NAMED;
	return ERR_OK;
}

/* ----------------------------------------------------------- settings */

static enum err
read_format(struct reading *r)
{
	uint32_t v = json_at(r->doc, JSON_ROOT, "text", "format", NULL);
	uint32_t type = member(r, v, "type");
	struct chat *chat = r->chat;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return ERR_OK;
	chat->set |= PARAM_BIT(FORMAT);
	if (json_is(r->doc, type, "text")) {
		chat->format = FORMAT_TEXT;
	} else if (json_is(r->doc, type, "json_object")) {
		chat->format = FORMAT_JSON;
	} else if (json_is(r->doc, type, "json_schema") &&
	    json_type(r->doc, member(r, v, "schema")) == JSON_OBJECT) {
		chat->format = FORMAT_SCHEMA;
		chat->format_name = text(r, v, "name");
		chat->format_description = text(r, v, "description");
		chat->format_strict = canon_flag(r->doc,
		    member(r, v, "strict"));
		chat->format_schema = canon_raw(r->doc,
		    member(r, v, "schema"));
	} else {
		return fault_set(r->fault, ERR_BAD_REQUEST, "text.format",
		    "'text.format' is of an unknown type or has no schema");
	}
	return ERR_OK;
}

static enum err
check_stored(struct reading *r)
{
	size_t i;

	for (i = 0; i < sizeof stored / sizeof stored[0]; i++)
		if (json_type(r->doc, member(r, JSON_ROOT, stored[i])) >
		    JSON_NULL)
			return fault_set(r->fault, ERR_BAD_REQUEST, stored[i],
			    "'%s' is not taken: this model's provider keeps "
			    "no responses, send the whole input", stored[i]);
	if (json_type(r->doc, member(r, JSON_ROOT, "background")) ==
	    JSON_TRUE)
		return fault_set(r->fault, ERR_BAD_REQUEST, "background",
		    "'background' is not taken by this model's provider");
	return ERR_OK;
}

/* A member that only passes on: a number or a string. */
static void
pass(struct reading *r, const char *key, enum json_type type, struct str *out,
    uint64_t bit)
{
	uint32_t v = member(r, JSON_ROOT, key);

	if (json_type(r->doc, v) != type)
		return;
	*out = type == JSON_STRING ? canon_str(r->doc, v, r->arena) :
	    canon_raw(r->doc, v);
	r->chat->set |= bit;
}

/*
 * What `include` asks for beside the answer. Reasoning that its maker can
 * read again always comes; the rest is of other providers' tools.
 */
static bool
read_include(struct reading *r)
{
	uint32_t list = member(r, JSON_ROOT, "include"), v;
	bool all = true;

	for (v = json_first(r->doc, list); v != JSON_NONE;
	    v = json_next(r->doc, list, v)) {
		if (json_is(r->doc, v, "message.output_text.logprobs"))
			r->chat->logprobs = true;
		else if (!json_is(r->doc, v, "reasoning.encrypted_content"))
			all = false;
	}
	return all;
}

static void
extra(struct chat *chat, bool is, const char *name)
{
	if (is)
		chat->extras[chat->extra_count++] = name;
}

static void
read_settings(struct reading *r)
{
	struct chat *c = r->chat;
	struct str word = canon_str(r->doc, json_at(r->doc, JSON_ROOT,
	    "reasoning", "effort", NULL), r->arena);

	pass(r, "temperature", JSON_NUMBER, &c->temperature,
	    PARAM_BIT(TEMPERATURE));
	pass(r, "top_p", JSON_NUMBER, &c->top_p, PARAM_BIT(TOP_P));
	pass(r, "service_tier", JSON_STRING, &c->service_tier,
	    PARAM_BIT(SERVICE_TIER));
	pass(r, "prompt_cache_key", JSON_STRING, &c->cache_key,
	    PARAM_BIT(CACHE_KEY));
	c->verbosity = canon_str(r->doc, json_at(r->doc, JSON_ROOT, "text",
	    "verbosity", NULL), r->arena);
	c->effort = canon_effort(word);
	c->parallel_calls = canon_flag(r->doc,
	    member(r, JSON_ROOT, "parallel_tool_calls"));
	json_int(r->doc, member(r, JSON_ROOT, "top_logprobs"),
	    &c->top_logprobs);
	extra(c, !read_include(r), "include");
	extra(c, json_type(r->doc, member(r, JSON_ROOT, "store")) ==
	    JSON_TRUE, "store");
	extra(c, json_is(r->doc, member(r, JSON_ROOT, "truncation"), "auto"),
	    "truncation");
	if (c->top_logprobs > 0)
		c->logprobs = true; /* other dialects ask for both */
	c->set |= (c->verbosity.len > 0 ? PARAM_BIT(VERBOSITY) : 0) |
	    (c->effort != EFFORT_UNSET ? PARAM_BIT(EFFORT) : 0) |
	    (c->parallel_calls >= 0 ? PARAM_BIT(PARALLEL_CALLS) : 0) |
	    (c->logprobs ? PARAM_BIT(LOGPROBS) : 0) |
	    (c->top_logprobs > 0 ? PARAM_BIT(TOP_LOGPROBS) : 0) |
	    (c->max_output > 0 ? PARAM_BIT(MAX_OUTPUT) : 0) |
	    (*c->user != '\0' ? PARAM_BIT(USER) : 0);
}

/*
 * metadata goes no further: it belongs to the answer, which has it. That
 * nothing is stored is what providers of other dialects do anyhow.
 */
enum err
responses_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	struct reading r = { .doc = &chat->doc, .arena = a, .chat = chat,
		.fault = f };
	enum err e;

	canon_defaults(chat);
	e = check_stored(&r);
	if (e == ERR_OK)
		e = read_input(&r);
	if (e == ERR_OK)
		e = read_tools(&r);
	if (e == ERR_OK)
		e = read_tool_choice(&r);
	if (e == ERR_OK)
		e = read_format(&r);
	if (e == ERR_OK)
		e = canon_extras(chat, a, known,
		    sizeof known / sizeof known[0], f);
	if (e != ERR_OK)
		return e;
	read_settings(&r);
	chat->whole = true;
	return ERR_OK;
}
