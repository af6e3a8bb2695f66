/*
 * A client's Responses request in the canonical form, for a provider of
 * another dialect: tools and settings (the input: responses_input.c). What
 * only a provider with a memory or with tools of its own could do is refused
 * here, by name.
 */
#include "adapters/responses.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/reading.h"
#include "app/base/arena.h"

static const char *const known[] = { "model", "input", "instructions",
	"stream", "stream_options", "background", "store",
	"max_output_tokens", "temperature", "top_p", "top_logprobs", "tools",
	"tool_choice", "parallel_tool_calls", "text", "reasoning", "include",
	"metadata", "previous_response_id", "conversation", "prompt",
	"prompt_cache_key", "safety_identifier", "service_tier",
	"truncation", "user", "models", "fallbacks" };

static const char *const known_tool[] = { "type", "name", "description",
	"parameters", "strict", "format" };
static const char *const known_text[] = { "format", "verbosity" };

/* Members that lean on what a provider has stored. */
static const char *const stored[] = { "previous_response_id",
	"conversation", "prompt" };

/* -------------------------------------------------------------- tools */

/*
 * A custom tool takes free text, perhaps of a grammar. Any model can call it
 * as a function of one string; the grammar is told it in words. Its calls
 * come back to the client as calls of the custom tool.
 */
static enum err
read_custom(struct reading *r, uint32_t v, struct tool *t)
{
	uint32_t format = rd_get(r, v, "format");
	struct str grammar = rd_str(r, format, "definition");
	struct str syntax = rd_str(r, format, "syntax");
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
	return ok ? ERR_OK : fault_memory(r->fault);
}

static enum err
read_tool(struct reading *r, uint32_t v, struct tool *t)
{
	uint32_t schema = rd_get(r, v, "parameters");

	t->type = json_cstr(r->doc, rd_get(r, v, "type"), r->arena);
	if (t->type == NULL)
		return fault_set(r->fault, ERR_BAD_REQUEST, "tools",
		    "every tool must have a 'type'");
	t->origin = "responses";
	t->raw = canon_raw(r->doc, v);
	t->name = rd_str(r, v, "name");
	t->description = rd_str(r, v, "description");
	t->strict = canon_flag(r->doc, rd_get(r, v, "strict"));
	if (json_type(r->doc, schema) == JSON_OBJECT)
		t->schema = canon_raw(r->doc, schema);
	if ((strcmp(t->type, "function") == 0 ||
	    strcmp(t->type, "custom") == 0) && t->name.len == 0)
		return fault_set(r->fault, ERR_BAD_REQUEST, "tools",
		    "every function must have a 'name'");
	if (strcmp(t->type, "custom") == 0)
		return read_custom(r, v, t);
	return strcmp(t->type, "function") == 0 ?
	    RD_REST(r, v, "tools", known_tool) : ERR_OK;
}

static enum err
read_tools(struct reading *r)
{
	uint32_t list = rd_get(r, JSON_ROOT, "tools"), v;
	struct chat *chat = r->chat;
	enum err e = ERR_OK;

	if (json_count(r->doc, list) == 0)
		return ERR_OK;
	chat->set |= PARAM_BIT(TOOLS);
	chat->tools = arena_zalloc(r->arena, json_count(r->doc, list) *
	    sizeof *chat->tools);
	if (chat->tools == NULL)
		return fault_memory(r->fault);
	for (v = json_first(r->doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(r->doc, list, v))
		e = read_tool(r, v, &chat->tools[chat->tool_count++]);
	return e;
}

/* A tool that is named: a function, a custom one among them. */
static bool
names_function(struct reading *r, uint32_t v)
{
	uint32_t type = rd_get(r, v, "type");

	return (json_is(r->doc, type, "function") ||
	    json_is(r->doc, type, "custom")) &&
	    json_nonempty(r->doc, rd_get(r, v, "name"));
}

static bool
is_allowed(struct reading *r, const struct tool *t, uint32_t list)
{
	struct str name;
	uint32_t v;

	for (v = json_first(r->doc, list); v != JSON_NONE;
	    v = json_next(r->doc, list, v)) {
		name = rd_str(r, v, "name");
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
	uint32_t list = rd_get(r, v, "tools");
	struct chat *chat = r->chat;
	size_t i, kept = 0;

	for (i = 0; i < chat->tool_count; i++)
		if (is_allowed(r, &chat->tools[i], list))
			chat->tools[kept++] = chat->tools[i];
	if (kept == 0)
		return fault_set(r->fault, ERR_BAD_REQUEST, "tool_choice",
		    "'tool_choice' allows none of the tools");
	chat->tool_count = kept;
	chat->tool_choice = json_is(r->doc, rd_get(r, v, "mode"),
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
	uint32_t v = rd_get(r, JSON_ROOT, "tool_choice");
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
	if (json_is(r->doc, rd_get(r, v, "type"), "allowed_tools"))
		return read_allowed(r, v);
	chat->tool_name = rd_str(r, v, "name");
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
	uint32_t type = rd_get(r, v, "type");
	struct chat *chat = r->chat;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return ERR_OK;
	chat->set |= PARAM_BIT(FORMAT);
	if (json_is(r->doc, type, "text")) {
		chat->format = FORMAT_TEXT;
	} else if (json_is(r->doc, type, "json_object")) {
		chat->format = FORMAT_JSON;
	} else if (json_is(r->doc, type, "json_schema") &&
	    json_type(r->doc, rd_get(r, v, "schema")) == JSON_OBJECT) {
		chat->format = FORMAT_SCHEMA;
		chat->format_name = rd_str(r, v, "name");
		chat->format_description = rd_str(r, v, "description");
		chat->format_strict = canon_flag(r->doc,
		    rd_get(r, v, "strict"));
		chat->format_schema = canon_raw(r->doc,
		    rd_get(r, v, "schema"));
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
		if (json_type(r->doc, rd_get(r, JSON_ROOT, stored[i])) >
		    JSON_NULL)
			return fault_set(r->fault, ERR_BAD_REQUEST, stored[i],
			    "'%s' is not taken: this model's provider keeps "
			    "no responses, send the whole input", stored[i]);
	if (json_type(r->doc, rd_get(r, JSON_ROOT, "background")) ==
	    JSON_TRUE)
		return fault_set(r->fault, ERR_BAD_REQUEST, "background",
		    "'background' is not taken by this model's provider");
	return ERR_OK;
}

/*
 * What `include` asks for beside the answer. Reasoning that its maker can
 * read again always comes; the rest is of other providers' tools.
 */
static bool
read_include(struct reading *r)
{
	uint32_t list = rd_get(r, JSON_ROOT, "include"), v;
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

static enum err
read_more(struct reading *r)
{
	const struct {
		bool is;
		const char *name;
	} extras[] = {
		{ !read_include(r), "include" },
		{ json_type(r->doc, rd_get(r, JSON_ROOT, "store")) ==
		    JSON_TRUE, "store" },
		{ json_is(r->doc, rd_get(r, JSON_ROOT, "truncation"),
		    "auto"), "truncation" },
	};
	size_t i;

	for (i = 0; i < sizeof extras / sizeof extras[0]; i++)
		if (extras[i].is && canon_extra(r->chat, r->arena,
		    extras[i].name) != ERR_OK)
			return fault_memory(r->fault);
	return RD_REST(r, rd_get(r, JSON_ROOT, "text"), "text", known_text);
}

static void
read_settings(struct reading *r)
{
	struct chat *c = r->chat;
	struct str word = canon_str(r->doc, json_at(r->doc, JSON_ROOT,
	    "reasoning", "effort", NULL), r->arena);

	rd_pass(r, "temperature", JSON_NUMBER, &c->temperature,
	    PARAM_BIT(TEMPERATURE));
	rd_pass(r, "top_p", JSON_NUMBER, &c->top_p, PARAM_BIT(TOP_P));
	rd_pass(r, "service_tier", JSON_STRING, &c->service_tier,
	    PARAM_BIT(SERVICE_TIER));
	rd_pass(r, "prompt_cache_key", JSON_STRING, &c->cache_key,
	    PARAM_BIT(CACHE_KEY));
	c->verbosity = canon_str(r->doc, json_at(r->doc, JSON_ROOT, "text",
	    "verbosity", NULL), r->arena);
	c->effort = canon_effort(word);
	c->parallel_calls = canon_flag(r->doc,
	    rd_get(r, JSON_ROOT, "parallel_tool_calls"));
	json_int(r->doc, rd_get(r, JSON_ROOT, "top_logprobs"),
	    &c->top_logprobs);
	if (c->top_logprobs > 0)
		c->logprobs = true; /* other dialects ask for both */
	c->set |= (c->verbosity.len > 0 ? PARAM_BIT(VERBOSITY) : 0) |
	    (c->effort != EFFORT_UNSET ? PARAM_BIT(EFFORT) : 0);
	canon_given(c);
}

/*
 * metadata goes no further: it belongs to the answer, which has it. That
 * nothing is stored is what providers of other dialects do anyhow.
 */
enum err
responses_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	struct reading r = { &chat->doc, a, chat, f };
	enum err e;

	canon_defaults(chat);
	e = check_stored(&r);
	if (e == ERR_OK)
		e = responses_read_input(&r);
	if (e == ERR_OK)
		e = read_tools(&r);
	if (e == ERR_OK)
		e = read_tool_choice(&r);
	if (e == ERR_OK)
		e = read_format(&r);
	if (e == ERR_OK)
		e = canon_extras(chat, a, known,
		    sizeof known / sizeof known[0], f);
	if (e == ERR_OK)
		e = read_more(&r);
	if (e != ERR_OK)
		return e;
	read_settings(&r);
	canon_done(chat);
	return ERR_OK;
}
