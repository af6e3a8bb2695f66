/*
 * A client's OpenAI chat request into the canonical form. Used only when the
 * provider speaks another dialect; else the client's own document goes on
 * with edits (openai.c).
 */
#include "adapters/openai.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/reading.h"
#include "app/base/arena.h"

static const struct {
	const char *word;
	enum role role;
} roles[] = {
	{ "system", ROLE_SYSTEM },
	{ "developer", ROLE_DEVELOPER },
	{ "user", ROLE_USER },
	{ "assistant", ROLE_ASSISTANT },
	{ "tool", ROLE_TOOL },
	{ "function", ROLE_TOOL },
};

/* Members of a request that the canonical form has a place for. */
static const char *const known[] = { "model", "messages", "stream",
	"stream_options", "n", "max_tokens", "max_completion_tokens",
	"temperature", "top_p", "top_k", "frequency_penalty",
	"presence_penalty", "seed", "stop", "logit_bias", "logprobs",
	"top_logprobs", "tools", "tool_choice", "parallel_tool_calls",
	"functions", "function_call", "response_format", "reasoning_effort",
	"reasoning", "metadata", "user", "service_tier", "store",
	"prompt_cache_key", "verbosity", "models", "fallbacks" };

/*
 * The same of objects inside: what an answer had that is given back
 * (annotations) is no setting.
 */
static const char *const known_message[] = { "role", "content", "name",
	"tool_calls", "tool_call_id", "function_call", "refusal",
	"reasoning", "reasoning_content", "reasoning_details",
	"annotations", "cache_control" };
static const char *const known_part[] = { "type", "text", "refusal",
	"image_url", "input_audio", "file", "video_url", "cache_control" };
static const char *const known_tool[] = { "type", "function",
	"cache_control" };
static const char *const known_reasoning[] = { "effort", "max_tokens",
	"exclude" };
static const char *const known_function[] = { "name", "description",
	"parameters", "strict" };

static enum err
wrong(struct reading *r, const char *param, const char *what)
{
	return fault_set(r->fault, ERR_BAD_REQUEST, param, "'%s' %s", param,
	    what);
}

/* An image by URL, or its bytes when the URL is of the data: kind. */
static void
read_image(struct reading *r, uint32_t part, struct part *out)
{
	uint32_t image = rd_get(r, part, "image_url");

	out->kind = PART_IMAGE;
	if (json_type(r->doc, image) == JSON_STRING)
		out->url = canon_str(r->doc, image, r->arena);
	else
		out->url = rd_str(r, image, "url");
	out->detail = rd_str(r, image, "detail");
	canon_data_url(out);
}

static void
read_audio(struct reading *r, uint32_t part, struct part *out)
{
	uint32_t audio = rd_get(r, part, "input_audio");
	struct str format = rd_str(r, audio, "format");

	if (format.len == 0)
		format = canon_lit("wav");
	out->kind = PART_AUDIO;
	out->data = json_type(r->doc, audio) == JSON_STRING ? /* Mistral's */
	    canon_str(r->doc, audio, r->arena) : rd_str(r, audio, "data");
	out->media_type = canon_printf(r->arena, "audio/%.*s",
	    (int)format.len, format.p);
}

static void
read_file(struct reading *r, uint32_t part, struct part *out)
{
	uint32_t file = rd_get(r, part, "file");

	out->kind = PART_FILE;
	out->name = rd_str(r, file, "filename");
	out->file = rd_str(r, file, "file_id");
	out->url = rd_str(r, file, "file_data");
	canon_data_url(out);
}

static void
read_video(struct reading *r, uint32_t part, struct part *out)
{
	out->kind = PART_VIDEO;
	out->url = rd_str(r, rd_get(r, part, "video_url"), "url");
	canon_data_url(out);
}

static void
read_text(struct reading *r, uint32_t part, struct part *out)
{
	out->kind = PART_TEXT;
	out->text = rd_str(r, part, "text");
}

static void
read_refusal(struct reading *r, uint32_t part, struct part *out)
{
	out->kind = PART_REFUSAL;
	out->text = rd_str(r, part, "refusal");
}

static const struct {
	const char *type;
	void (*read)(struct reading *r, uint32_t part, struct part *out);
} readers[] = {
	{ "text", read_text },
	{ "refusal", read_refusal },
	{ "image_url", read_image },
	{ "input_audio", read_audio },
	{ "file", read_file },
	{ "video_url", read_video },
};

static enum err
read_part(struct reading *r, uint32_t part, struct parts *out)
{
	struct part *p = parts_add(out);
	uint32_t type = rd_get(r, part, "type");
	size_t i;

	if (p == NULL)
		return fault_memory(r->fault);
	p->cache = rd_cache(r, part);
	for (i = 0; i < sizeof readers / sizeof readers[0]; i++)
		if (json_is(r->doc, type, readers[i].type)) {
			readers[i].read(r, part, p);
			return RD_REST(r, part, "messages", known_part);
		}
	p->kind = PART_OTHER;
	p->origin = "openai";
	p->raw = canon_raw(r->doc, part);
	return ERR_OK;
}

static enum err
read_content(struct reading *r, uint32_t v, struct parts *out)
{
	uint32_t part;
	enum err e = ERR_OK;

	switch (json_type(r->doc, v)) {
	case JSON_STRING:
		return rd_text(r, v, out);
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
		return wrong(r, "messages", "has a content of a wrong type");
	}
}

static enum err
read_call(struct reading *r, uint32_t call, struct parts *out)
{
	uint32_t fn = rd_get(r, call, "function");
	struct part *p = parts_add(out);

	if (p == NULL)
		return fault_memory(r->fault);
	p->kind = PART_CALL;
	p->id = rd_str(r, call, "id");
	if (json_type(r->doc, fn) != JSON_OBJECT)
		fn = rd_get(r, call, "custom");
	p->name = rd_str(r, fn, "name");
	p->args = rd_str(r, fn, "arguments");
	if (p->args.len == 0)
		p->args = canon_lit("{}");
	/* Signatures of others' reasoning ride here (Gemini's own form). */
	p->signature = canon_str(r->doc, json_at(r->doc, call,
	    "extra_content", "google", "thought_signature", NULL), r->arena);
	if (p->signature.len > 0)
		p->origin = "gemini";
	return ERR_OK;
}

/*
 * The older form of a call, and of its answer: both without an id, and one at
 * a time.
 */
static struct str
function_id(struct reading *r, struct str name)
{
	return canon_printf(r->arena, "call_%.*s", (int)name.len,
	    name.len == 0 ? "" : name.p);
}

static enum err
read_function_call(struct reading *r, uint32_t fn, struct parts *out)
{
	struct part *p = parts_add(out);

	if (p == NULL)
		return fault_memory(r->fault);
	p->kind = PART_CALL;
	p->name = rd_str(r, fn, "name");
	p->id = function_id(r, p->name);
	p->args = rd_str(r, fn, "arguments");
	if (p->args.len == 0)
		p->args = canon_lit("{}");
	return ERR_OK;
}

static void
read_detail(struct reading *r, uint32_t d, struct part *p)
{
	memset(p, 0, sizeof *p);
	p->kind = PART_REASONING;
	p->text = rd_str(r, d, "text");
	if (p->text.len == 0)
		p->text = rd_str(r, d, "summary");
	p->signature = rd_str(r, d, "signature");
	p->sealed = rd_str(r, d, "data");
	p->id = rd_str(r, d, "id");
	p->origin = canon_origin(canon_str(r->doc, rd_get(r, d, "format"),
	    r->arena));
}

/* Clients may give back the parts of a detail as they were streamed. */
static bool
continues(const struct part *before, const struct part *p)
{
	return before->kind == PART_REASONING && before->sealed.len == 0 &&
	    p->sealed.len == 0 && before->signature.len == 0 &&
	    before->origin == p->origin && p->origin != NULL;
}

static bool
has_thoughts(const struct parts *parts)
{
	size_t i;

	for (i = 0; i < parts->count; i++)
		if (parts->list[i].text.len > 0)
			return true;
	return false;
}

/* Reasoning that the client gives back, with what proves it. */
static enum err
read_reasoning(struct reading *r, uint32_t msg, struct parts *out)
{
	static const char *const names[] = { "reasoning_content",
		"reasoning" };
	uint32_t list = rd_get(r, msg, "reasoning_details"), d;
	struct part *p, part;
	struct str s;
	size_t i;

	for (d = json_first(r->doc, list); d != JSON_NONE;
	    d = json_next(r->doc, list, d)) {
		read_detail(r, d, &part);
		p = out->count == 0 ? NULL : &out->list[out->count - 1];
		if (p != NULL && continues(p, &part)) {
			p->text = canon_join(r->arena, p->text, part.text);
			p->signature = part.signature;
			p->id = p->id.len > 0 ? p->id : part.id;
			continue;
		}
		p = parts_add(out);
		if (p == NULL)
			return fault_memory(r->fault);
		*p = part;
	}
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		s = rd_str(r, msg, names[i]);
		if (s.len == 0 || has_thoughts(out)) /* they are the same */
			continue;
		p = parts_add(out);
		if (p == NULL)
			return fault_memory(r->fault);
		p->kind = PART_REASONING;
		p->text = s;
		return ERR_OK;
	}
	return ERR_OK;
}

static enum err
read_assistant(struct reading *r, uint32_t msg, struct parts *out)
{
	uint32_t calls = rd_get(r, msg, "tool_calls"), c;
	struct str refusal = rd_str(r, msg, "refusal");
	struct part *p;
	enum err e;

	e = read_reasoning(r, msg, out);
	if (e == ERR_OK)
		e = read_content(r, rd_get(r, msg, "content"), out);
	if (e == ERR_OK && refusal.len > 0) {
		p = parts_add(out);
		if (p == NULL)
			return fault_memory(r->fault);
		p->kind = PART_REFUSAL;
		p->text = refusal;
	}
	for (c = json_first(r->doc, calls); c != JSON_NONE && e == ERR_OK;
	    c = json_next(r->doc, calls, c))
		e = read_call(r, c, out);
	c = rd_get(r, msg, "function_call");
	if (e == ERR_OK && json_type(r->doc, c) == JSON_OBJECT)
		e = read_function_call(r, c, out);
	return e;
}

/* The message with a tool's answer: one result whose parts are its content. */
static enum err
read_result(struct reading *r, uint32_t msg, struct parts *out)
{
	struct part *p = parts_add(out);
	struct parts inner = { .arena = r->arena };
	enum err e;

	if (p == NULL)
		return fault_memory(r->fault);
	p->kind = PART_RESULT;
	p->cache = rd_cache(r, msg);
	p->id = rd_str(r, msg, "tool_call_id");
	p->name = rd_str(r, msg, "name");
	if (json_is(r->doc, rd_get(r, msg, "role"), "function"))
		p->id = function_id(r, p->name);
	e = read_content(r, rd_get(r, msg, "content"), &inner);
	p->parts = inner.list;
	p->part_count = inner.count;
	return e;
}

static enum err
read_message(struct reading *r, uint32_t msg, struct message *out)
{
	struct parts parts = { .arena = r->arena };
	uint32_t role = rd_get(r, msg, "role");
	enum err e;
	size_t i = 0;

	while (i < sizeof roles / sizeof roles[0] &&
	    !json_is(r->doc, role, roles[i].word))
		i++;
	if (i == sizeof roles / sizeof roles[0])
		return wrong(r, "messages", "has a message of unknown role");
	out->role = roles[i].role;
	out->name = rd_str(r, msg, "name");
	if (out->role == ROLE_ASSISTANT)
		e = read_assistant(r, msg, &parts);
	else if (out->role == ROLE_TOOL)
		e = read_result(r, msg, &parts);
	else
		e = read_content(r, rd_get(r, msg, "content"), &parts);
	if (parts.count > 0 && rd_cache(r, msg) != CACHE_NONE)
		parts.list[parts.count - 1].cache = rd_cache(r, msg);
	if (e == ERR_OK)
		e = RD_REST(r, msg, "messages", known_message);
	out->parts = parts.list;
	out->part_count = parts.count;
	return e;
}

static enum err
read_messages(struct reading *r)
{
	uint32_t list = rd_get(r, JSON_ROOT, "messages"), m;
	struct chat *chat = r->chat;
	enum err e = ERR_OK;

	chat->messages = arena_zalloc(r->arena, json_count(r->doc, list) *
	    sizeof *chat->messages);
	if (chat->messages == NULL)
		return fault_memory(r->fault);
	for (m = json_first(r->doc, list); m != JSON_NONE && e == ERR_OK;
	    m = json_next(r->doc, list, m))
		e = read_message(r, m, &chat->messages[chat->message_count++]);
	return e;
}

static enum err
read_tool(struct reading *r, uint32_t v, struct tool *out)
{
	enum err e = ERR_OK;
	uint32_t fn = rd_get(r, v, "function");
	char *type = json_cstr(r->doc, rd_get(r, v, "type"), r->arena);

	out->raw = canon_raw(r->doc, v);
	out->origin = "openai";
	if (json_type(r->doc, fn) != JSON_OBJECT &&
	    type != NULL && strcmp(type, "function") != 0) {
		out->type = type;
		out->name = rd_str(r, v, "name");
		return ERR_OK;
	}
	if (json_type(r->doc, fn) != JSON_OBJECT)
		fn = v; /* the old `functions` */
	else
		e = RD_REST(r, v, "tools", known_tool);
	if (e == ERR_OK)
		e = RD_REST(r, fn, "tools", known_function);
	out->type = "function";
	out->name = rd_str(r, fn, "name");
	out->description = rd_str(r, fn, "description");
	out->strict = canon_flag(r->doc, rd_get(r, fn, "strict"));
	out->cache = rd_cache(r, v);
	if (json_type(r->doc, rd_get(r, fn, "parameters")) == JSON_OBJECT)
		out->schema = canon_raw(r->doc, rd_get(r, fn, "parameters"));
	return e;
}

static enum err
read_tools(struct reading *r)
{
	uint32_t list = rd_get(r, JSON_ROOT, "tools"), v;
	struct chat *chat = r->chat;
	enum err e = ERR_OK;

	if (json_count(r->doc, list) == 0)
		list = rd_get(r, JSON_ROOT, "functions");
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

static enum err
read_tool_choice(struct reading *r)
{
	static const struct {
		const char *word;
		enum tool_choice choice;
	} words[] = { { "auto", CHOICE_AUTO }, { "none", CHOICE_NONE },
		{ "required", CHOICE_REQUIRED }, { "any", CHOICE_REQUIRED } };
	uint32_t v = rd_get(r, JSON_ROOT, "tool_choice");
	struct chat *chat = r->chat;
	size_t i;

	if (json_type(r->doc, v) == JSON_ABSENT)
		v = rd_get(r, JSON_ROOT, "function_call");
	if (json_type(r->doc, v) <= JSON_NULL)
		return ERR_OK;
	chat->set |= PARAM_BIT(TOOL_CHOICE);
	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (json_is(r->doc, v, words[i].word)) {
			chat->tool_choice = words[i].choice;
			return ERR_OK;
		}
	chat->tool_name = rd_str(r, rd_get(r, v, "function"), "name");
	if (chat->tool_name.len == 0)
		chat->tool_name = rd_str(r, v, "name");
	if (chat->tool_name.len == 0)
		return wrong(r, "tool_choice", "names no function");
	chat->tool_choice = CHOICE_NAMED;
	return ERR_OK;
}

static enum err
read_format(struct reading *r)
{
	uint32_t v = rd_get(r, JSON_ROOT, "response_format"), s;
	struct chat *chat = r->chat;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return ERR_OK;
	chat->set |= PARAM_BIT(FORMAT);
	s = rd_get(r, v, "json_schema");
	if (json_is(r->doc, rd_get(r, v, "type"), "text")) {
		chat->format = FORMAT_TEXT;
	} else if (json_is(r->doc, rd_get(r, v, "type"), "json_object")) {
		chat->format = FORMAT_JSON;
	} else if (json_type(r->doc, s) == JSON_OBJECT) {
		chat->format = FORMAT_SCHEMA;
		chat->format_name = rd_str(r, s, "name");
		chat->format_description = rd_str(r, s, "description");
		chat->format_strict = canon_flag(r->doc,
		    rd_get(r, s, "strict"));
		chat->format_schema = canon_raw(r->doc,
		    rd_get(r, s, "schema"));
		if (json_type(r->doc, rd_get(r, s, "schema")) != JSON_OBJECT)
			return wrong(r, "response_format",
			    "has no JSON schema");
	} else {
		return wrong(r, "response_format", "is of an unknown type");
	}
	return ERR_OK;
}

static enum err
read_effort(struct reading *r)
{
	uint32_t reasoning = rd_get(r, JSON_ROOT, "reasoning");
	struct chat *chat = r->chat;
	struct str word = rd_str(r, JSON_ROOT, "reasoning_effort");

	if (word.len == 0)
		word = rd_str(r, reasoning, "effort");
	chat->effort = canon_effort(word);
	if (chat->effort != EFFORT_UNSET)
		chat->set |= PARAM_BIT(EFFORT);
	if (json_int(r->doc, rd_get(r, reasoning, "max_tokens"),
	    &chat->think_budget))
		chat->set |= PARAM_BIT(THINK_BUDGET);
	chat->think_hidden = json_type(r->doc, rd_get(r, reasoning,
	    "exclude")) == JSON_TRUE;
	if (word.len > 0 && chat->effort == EFFORT_UNSET &&
	    canon_extra(chat, r->arena, "reasoning_effort") != ERR_OK)
		return fault_memory(r->fault);
	return RD_REST(r, reasoning, "reasoning", known_reasoning);
}

/* Together's form tells the number of alternatives in `logprobs` itself. */
static void
read_logprobs(struct reading *r)
{
	uint32_t v = rd_get(r, JSON_ROOT, "logprobs");
	struct chat *c = r->chat;

	c->logprobs = json_type(r->doc, v) == JSON_TRUE;
	if (json_int(r->doc, v, &c->top_logprobs))
		c->logprobs = c->top_logprobs > 0;
	json_int(r->doc, rd_get(r, JSON_ROOT, "top_logprobs"),
	    &c->top_logprobs);
}

static void
read_settings(struct reading *r)
{
	struct chat *c = r->chat;

	rd_pass(r, "temperature", JSON_NUMBER, &c->temperature,
	    PARAM_BIT(TEMPERATURE));
	rd_pass(r, "top_p", JSON_NUMBER, &c->top_p, PARAM_BIT(TOP_P));
	rd_pass(r, "top_k", JSON_NUMBER, &c->top_k, PARAM_BIT(TOP_K));
	rd_pass(r, "seed", JSON_NUMBER, &c->seed, PARAM_BIT(SEED));
	rd_pass(r, "frequency_penalty", JSON_NUMBER, &c->frequency_penalty,
	    PARAM_BIT(FREQUENCY_PENALTY));
	rd_pass(r, "presence_penalty", JSON_NUMBER, &c->presence_penalty,
	    PARAM_BIT(PRESENCE_PENALTY));
	rd_pass(r, "logit_bias", JSON_OBJECT, &c->logit_bias,
	    PARAM_BIT(LOGIT_BIAS));
	rd_pass(r, "metadata", JSON_OBJECT, &c->metadata, PARAM_BIT(METADATA));
	rd_pass(r, "verbosity", JSON_STRING, &c->verbosity,
	    PARAM_BIT(VERBOSITY));
	rd_pass(r, "service_tier", JSON_STRING, &c->service_tier,
	    PARAM_BIT(SERVICE_TIER));
	rd_pass(r, "prompt_cache_key", JSON_STRING, &c->cache_key,
	    PARAM_BIT(CACHE_KEY));
	c->parallel_calls = canon_flag(r->doc,
	    rd_get(r, JSON_ROOT, "parallel_tool_calls"));
	c->store = canon_flag(r->doc, rd_get(r, JSON_ROOT, "store"));
	read_logprobs(r);
	canon_given(c);
}

enum err
openai_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	struct reading r = { &chat->doc, a, chat, f };
	enum err e;

	canon_defaults(chat);
	e = read_messages(&r);
	if (e == ERR_OK)
		e = read_tools(&r);
	if (e == ERR_OK)
		e = read_tool_choice(&r);
	if (e == ERR_OK)
		e = read_format(&r);
	if (e == ERR_OK)
		e = canon_stop(chat, a, rd_get(&r, JSON_ROOT, "stop"), f);
	if (e == ERR_OK)
		e = canon_extras(chat, a, known,
		    sizeof known / sizeof known[0], f);
	if (e == ERR_OK)
		e = read_effort(&r);
	if (e != ERR_OK)
		return e;
	read_settings(&r);
	canon_done(chat);
	return ERR_OK;
}
