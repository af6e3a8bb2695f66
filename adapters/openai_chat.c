/*
 * The OpenAI chat request and the canonical form, both ways. Used only when
 * the other side speaks another dialect; else the client's own document goes
 * on with edits (openai.c).
 */
#include "adapters/openai.h"

#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

/* ------------------------------------------------------------ reading */

/* One request being read. */
struct reading {
	const struct json *doc;
	struct arena *arena;
	struct chat *chat;
	struct fault *fault;
};

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

static enum err
wrong(struct reading *r, const char *param, const char *what)
{
	return fault_set(r->fault, ERR_BAD_REQUEST, param, "'%s' %s", param,
	    what);
}

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

/* An image by URL, or its bytes when the URL is of the data: kind. */
static void
read_image(struct reading *r, uint32_t part, struct part *out)
{
	uint32_t image = member(r, part, "image_url");

	out->kind = PART_IMAGE;
	if (json_type(r->doc, image) == JSON_STRING)
		out->url = canon_str(r->doc, image, r->arena);
	else
		out->url = text(r, image, "url");
	out->detail = text(r, image, "detail");
	canon_data_url(out);
}

static void
read_audio(struct reading *r, uint32_t part, struct part *out)
{
	uint32_t audio = member(r, part, "input_audio");
	struct str format = text(r, audio, "format");

	out->kind = PART_AUDIO;
	out->data = text(r, audio, "data");
	out->media_type = canon_printf(r->arena, "audio/%.*s",
	    (int)format.len, format.len == 0 ? "wav" : format.p);
}

static void
read_file(struct reading *r, uint32_t part, struct part *out)
{
	uint32_t file = member(r, part, "file");

	out->kind = PART_FILE;
	out->name = text(r, file, "filename");
	out->file = text(r, file, "file_id");
	out->url = text(r, file, "file_data");
	canon_data_url(out);
}

static void
read_video(struct reading *r, uint32_t part, struct part *out)
{
	out->kind = PART_VIDEO;
	out->url = text(r, member(r, part, "video_url"), "url");
	canon_data_url(out);
}

static void
read_text(struct reading *r, uint32_t part, struct part *out)
{
	out->kind = PART_TEXT;
	out->text = text(r, part, "text");
}

static void
read_refusal(struct reading *r, uint32_t part, struct part *out)
{
	out->kind = PART_REFUSAL;
	out->text = text(r, part, "refusal");
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

static enum cache_mark
cache_mark(struct reading *r, uint32_t obj)
{
	uint32_t mark = member(r, obj, "cache_control");

	if (json_type(r->doc, mark) != JSON_OBJECT)
		return CACHE_NONE;
	return json_is(r->doc, member(r, mark, "ttl"), "1h") ? CACHE_1H :
	    CACHE_5M;
}

static enum err
read_part(struct reading *r, uint32_t part, struct parts *out)
{
	struct part *p = parts_add(out);
	uint32_t type = member(r, part, "type");
	size_t i;

	if (p == NULL)
		return memory(r);
	p->cache = cache_mark(r, part);
	for (i = 0; i < sizeof readers / sizeof readers[0]; i++)
		if (json_is(r->doc, type, readers[i].type)) {
			readers[i].read(r, part, p);
			return ERR_OK;
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
	struct part *p;
	enum err e = ERR_OK;

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
		return wrong(r, "messages", "has a content of a wrong type");
	}
}

static enum err
read_call(struct reading *r, uint32_t call, struct parts *out)
{
	uint32_t fn = member(r, call, "function");
	struct part *p = parts_add(out);

	if (p == NULL)
		return memory(r);
	p->kind = PART_CALL;
	p->id = text(r, call, "id");
	if (json_type(r->doc, fn) != JSON_OBJECT)
		fn = member(r, call, "custom");
	p->name = text(r, fn, "name");
	p->args = text(r, fn, "arguments");
	if (p->args.len == 0)
		p->args = canon_lit("{}");
	/* Signatures of others' reasoning ride here (Gemini's own form). */
	p->signature = canon_str(r->doc, json_at(r->doc, call,
	    "extra_content", "google", "thought_signature", NULL), r->arena);
	if (p->signature.len > 0)
		p->origin = "gemini";
	return ERR_OK;
}

static void
read_detail(struct reading *r, uint32_t d, struct part *p)
{
	memset(p, 0, sizeof *p);
	p->kind = PART_REASONING;
	p->text = text(r, d, "text");
	if (p->text.len == 0)
		p->text = text(r, d, "summary");
	p->signature = text(r, d, "signature");
	p->sealed = text(r, d, "data");
	p->id = text(r, d, "id");
	p->origin = canon_origin(canon_str(r->doc, member(r, d, "format"),
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

/* Reasoning that the client gives back, with what proves it. */
static enum err
read_reasoning(struct reading *r, uint32_t msg, struct parts *out)
{
	static const char *const names[] = { "reasoning_content",
		"reasoning" };
	uint32_t list = member(r, msg, "reasoning_details"), d;
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
			return memory(r);
		*p = part;
	}
	if (json_count(r->doc, list) > 0)
		return ERR_OK;
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		s = text(r, msg, names[i]);
		if (s.len == 0)
			continue;
		p = parts_add(out);
		if (p == NULL)
			return memory(r);
		p->kind = PART_REASONING;
		p->text = s;
		return ERR_OK;
	}
	return ERR_OK;
}

static enum err
read_assistant(struct reading *r, uint32_t msg, struct parts *out)
{
	uint32_t calls = member(r, msg, "tool_calls"), c;
	struct str refusal = text(r, msg, "refusal");
	struct part *p;
	enum err e;

	e = read_reasoning(r, msg, out);
	if (e == ERR_OK)
		e = read_content(r, member(r, msg, "content"), out);
	if (e == ERR_OK && refusal.len > 0) {
		p = parts_add(out);
		if (p == NULL)
			return memory(r);
		p->kind = PART_REFUSAL;
		p->text = refusal;
	}
	for (c = json_first(r->doc, calls); c != JSON_NONE && e == ERR_OK;
	    c = json_next(r->doc, calls, c))
		e = read_call(r, c, out);
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
		return memory(r);
	p->kind = PART_RESULT;
	p->cache = cache_mark(r, msg);
	p->id = text(r, msg, "tool_call_id");
	p->name = text(r, msg, "name");
	e = read_content(r, member(r, msg, "content"), &inner);
	p->parts = inner.list;
	p->part_count = inner.count;
	return e;
}

static enum err
read_message(struct reading *r, uint32_t msg, struct message *out)
{
	struct parts parts = { .arena = r->arena };
	uint32_t role = member(r, msg, "role");
	enum err e;
	size_t i = 0;

	while (i < sizeof roles / sizeof roles[0] &&
	    !json_is(r->doc, role, roles[i].word))
		i++;
	if (i == sizeof roles / sizeof roles[0])
		return wrong(r, "messages", "has a message of unknown role");
	out->role = roles[i].role;
	out->name = text(r, msg, "name");
	if (out->role == ROLE_ASSISTANT)
		e = read_assistant(r, msg, &parts);
	else if (out->role == ROLE_TOOL)
		e = read_result(r, msg, &parts);
	else
		e = read_content(r, member(r, msg, "content"), &parts);
	if (parts.count > 0 && cache_mark(r, msg) != CACHE_NONE)
		parts.list[parts.count - 1].cache = cache_mark(r, msg);
	out->parts = parts.list;
	out->part_count = parts.count;
	return e;
}

static enum err
read_messages(struct reading *r)
{
	uint32_t list = member(r, JSON_ROOT, "messages"), m;
	struct chat *chat = r->chat;
	enum err e = ERR_OK;

	chat->messages = arena_zalloc(r->arena, json_count(r->doc, list) *
	    sizeof *chat->messages);
	if (chat->messages == NULL)
		return memory(r);
	for (m = json_first(r->doc, list); m != JSON_NONE && e == ERR_OK;
	    m = json_next(r->doc, list, m))
		e = read_message(r, m, &chat->messages[chat->message_count++]);
	return e;
}

static void
read_tool(struct reading *r, uint32_t v, struct tool *out)
{
	uint32_t fn = member(r, v, "function");
	char *type = json_cstr(r->doc, member(r, v, "type"), r->arena);

	out->raw = canon_raw(r->doc, v);
	out->origin = "openai";
	if (json_type(r->doc, fn) != JSON_OBJECT &&
	    type != NULL && strcmp(type, "function") != 0) {
		out->type = type;
		out->name = text(r, v, "name");
		return;
	}
	if (json_type(r->doc, fn) != JSON_OBJECT)
		fn = v; /* the old `functions` */
	out->type = "function";
	out->name = text(r, fn, "name");
	out->description = text(r, fn, "description");
	out->strict = canon_flag(r->doc, member(r, fn, "strict"));
	out->cache = cache_mark(r, v);
	if (json_type(r->doc, member(r, fn, "parameters")) == JSON_OBJECT)
		out->schema = canon_raw(r->doc, member(r, fn, "parameters"));
}

static enum err
read_tools(struct reading *r)
{
	uint32_t list = member(r, JSON_ROOT, "tools"), v;
	struct chat *chat = r->chat;

	if (json_count(r->doc, list) == 0)
		list = member(r, JSON_ROOT, "functions");
	if (json_count(r->doc, list) == 0)
		return ERR_OK;
	chat->set |= PARAM_BIT(TOOLS);
	chat->tools = arena_zalloc(r->arena, json_count(r->doc, list) *
	    sizeof *chat->tools);
	if (chat->tools == NULL)
		return memory(r);
	for (v = json_first(r->doc, list); v != JSON_NONE;
	    v = json_next(r->doc, list, v))
		read_tool(r, v, &chat->tools[chat->tool_count++]);
	return ERR_OK;
}

static enum err
read_tool_choice(struct reading *r)
{
	static const struct {
		const char *word;
		enum tool_choice choice;
	} words[] = { { "auto", CHOICE_AUTO }, { "none", CHOICE_NONE },
		{ "required", CHOICE_REQUIRED }, { "any", CHOICE_REQUIRED } };
	uint32_t v = member(r, JSON_ROOT, "tool_choice");
	struct chat *chat = r->chat;
	size_t i;

	if (json_type(r->doc, v) == JSON_ABSENT)
		v = member(r, JSON_ROOT, "function_call");
	if (json_type(r->doc, v) <= JSON_NULL)
		return ERR_OK;
	chat->set |= PARAM_BIT(TOOL_CHOICE);
	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (json_is(r->doc, v, words[i].word)) {
			chat->tool_choice = words[i].choice;
			return ERR_OK;
		}
	chat->tool_name = text(r, member(r, v, "function"), "name");
	if (chat->tool_name.len == 0)
		chat->tool_name = text(r, v, "name");
	if (chat->tool_name.len == 0)
		return wrong(r, "tool_choice", "names no function");
	chat->tool_choice = CHOICE_NAMED;
	return ERR_OK;
}

static enum err
read_format(struct reading *r)
{
	uint32_t v = member(r, JSON_ROOT, "response_format"), s;
	struct chat *chat = r->chat;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return ERR_OK;
	chat->set |= PARAM_BIT(FORMAT);
	s = member(r, v, "json_schema");
	if (json_is(r->doc, member(r, v, "type"), "text")) {
		chat->format = FORMAT_TEXT;
	} else if (json_is(r->doc, member(r, v, "type"), "json_object")) {
		chat->format = FORMAT_JSON;
	} else if (json_type(r->doc, s) == JSON_OBJECT) {
		chat->format = FORMAT_SCHEMA;
		chat->format_name = text(r, s, "name");
		chat->format_description = text(r, s, "description");
		chat->format_strict = canon_flag(r->doc,
		    member(r, s, "strict"));
		chat->format_schema = canon_raw(r->doc,
		    member(r, s, "schema"));
		if (json_type(r->doc, member(r, s, "schema")) != JSON_OBJECT)
			return wrong(r, "response_format",
			    "has no JSON schema");
	} else {
		return wrong(r, "response_format", "is of an unknown type");
	}
	return ERR_OK;
}

static void
read_effort(struct reading *r)
{
	uint32_t reasoning = member(r, JSON_ROOT, "reasoning");
	struct chat *chat = r->chat;
	struct str word = text(r, JSON_ROOT, "reasoning_effort");

	if (word.len == 0)
		word = text(r, reasoning, "effort");
	chat->effort = canon_effort(word);
	if (chat->effort != EFFORT_UNSET)
		chat->set |= PARAM_BIT(EFFORT);
	if (json_int(r->doc, member(r, reasoning, "max_tokens"),
	    &chat->think_budget))
		chat->set |= PARAM_BIT(THINK_BUDGET);
	chat->think_hidden = json_type(r->doc, member(r, reasoning,
	    "exclude")) == JSON_TRUE;
}

/* A member that only passes on: a number, a string or an object. */
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

static void
read_settings(struct reading *r)
{
	struct chat *c = r->chat;

	pass(r, "temperature", JSON_NUMBER, &c->temperature,
	    PARAM_BIT(TEMPERATURE));
	pass(r, "top_p", JSON_NUMBER, &c->top_p, PARAM_BIT(TOP_P));
	pass(r, "top_k", JSON_NUMBER, &c->top_k, PARAM_BIT(TOP_K));
	pass(r, "seed", JSON_NUMBER, &c->seed, PARAM_BIT(SEED));
	pass(r, "frequency_penalty", JSON_NUMBER, &c->frequency_penalty,
	    PARAM_BIT(FREQUENCY_PENALTY));
	pass(r, "presence_penalty", JSON_NUMBER, &c->presence_penalty,
	    PARAM_BIT(PRESENCE_PENALTY));
	pass(r, "logit_bias", JSON_OBJECT, &c->logit_bias,
	    PARAM_BIT(LOGIT_BIAS));
	pass(r, "metadata", JSON_OBJECT, &c->metadata, PARAM_BIT(METADATA));
	pass(r, "verbosity", JSON_STRING, &c->verbosity,
	    PARAM_BIT(VERBOSITY));
	pass(r, "service_tier", JSON_STRING, &c->service_tier,
	    PARAM_BIT(SERVICE_TIER));
	pass(r, "prompt_cache_key", JSON_STRING, &c->cache_key,
	    PARAM_BIT(CACHE_KEY));
	c->parallel_calls = canon_flag(r->doc,
	    member(r, JSON_ROOT, "parallel_tool_calls"));
	c->store = canon_flag(r->doc, member(r, JSON_ROOT, "store"));
	c->logprobs = json_type(r->doc, member(r, JSON_ROOT, "logprobs")) ==
	    JSON_TRUE;
	json_int(r->doc, member(r, JSON_ROOT, "top_logprobs"),
	    &c->top_logprobs);
	c->set |= (c->parallel_calls >= 0 ? PARAM_BIT(PARALLEL_CALLS) : 0) |
	    (c->store >= 0 ? PARAM_BIT(STORE) : 0) |
	    (c->logprobs ? PARAM_BIT(LOGPROBS) : 0) |
	    (c->top_logprobs > 0 ? PARAM_BIT(TOP_LOGPROBS) : 0) |
	    (c->max_output > 0 ? PARAM_BIT(MAX_OUTPUT) : 0) |
	    (c->choices > 1 ? PARAM_BIT(CHOICES) : 0) |
	    (*c->user != '\0' ? PARAM_BIT(USER) : 0);
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
		e = canon_stop(chat, a, member(&r, JSON_ROOT, "stop"), f);
	if (e == ERR_OK)
		e = canon_extras(chat, a, known,
		    sizeof known / sizeof known[0], f);
	if (e != ERR_OK)
		return e;
	read_effort(&r);
	read_settings(&r);
	chat->whole = true;
	return ERR_OK;
}

/* ------------------------------------------------------------ writing */

static void
write_image(struct json_writer *w, const struct part *p)
{
	canon_begin(w, "image_url");
	jw_key(w, "image_url");
	jw_object(w);
	canon_put_url(w, "url", p, "image/png");
	canon_put_str(w, "detail", p->detail);
	jw_end_object(w);
	jw_end_object(w);
}

static void
write_audio(struct json_writer *w, const struct part *p)
{
	struct str format = p->media_type;
	const char *slash = format.p == NULL ? NULL :
	    memchr(format.p, '/', format.len);

	if (slash != NULL) {
		format.len -= (size_t)(slash + 1 - format.p);
		format.p = slash + 1;
	}
	if (format.len == 4 && memcmp(format.p, "mpeg", 4) == 0)
		format = canon_lit("mp3");
	canon_begin(w, "input_audio");
	jw_key(w, "input_audio");
	jw_object(w);
	canon_put_str(w, "data", p->data);
	canon_put_str(w, "format", format.p == NULL ? canon_lit("wav") :
	    format);
	jw_end_object(w);
	jw_end_object(w);
}

static void
write_file(struct json_writer *w, const struct part *p)
{
	canon_begin(w, "file");
	jw_key(w, "file");
	jw_object(w);
	canon_put_str(w, "file_id", p->file);
	canon_put_str(w, "filename", p->name.p == NULL && p->file.p == NULL ?
	    canon_lit("file.pdf") : p->name);
	if (p->file.p == NULL)
		canon_put_url(w, "file_data", p, "application/pdf");
	jw_end_object(w);
	jw_end_object(w);
}

static void
write_video(struct json_writer *w, const struct part *p)
{
	canon_begin(w, "video_url");
	jw_key(w, "video_url");
	jw_object(w);
	canon_put_url(w, "url", p, "video/mp4");
	jw_end_object(w);
	jw_end_object(w);
}

static void
write_text_part(struct json_writer *w, const struct part *p)
{
	canon_begin(w, "text");
	canon_put_str(w, "text", p->text);
	jw_end_object(w);
}

/* Kinds that may stand in a list of content parts; others have own places. */
static void (*const part_writers[])(struct json_writer *w,
    const struct part *p) = {
	[PART_TEXT] = write_text_part,
	[PART_IMAGE] = write_image,
	[PART_AUDIO] = write_audio,
	[PART_VIDEO] = write_video,
	[PART_FILE] = write_file,
};

static bool
is_content(const struct part *p)
{
	return (size_t)p->kind < sizeof part_writers /
	    sizeof part_writers[0] && part_writers[p->kind] != NULL;
}

/* Text alone is a string: every speaker of the dialect understands that. */
static void
write_content(struct json_writer *w, const struct part *parts, size_t n)
{
	size_t i, contents = 0, texts = 0, at = 0;

	for (i = 0; i < n; i++) {
		if (!is_content(&parts[i]))
			continue;
		contents++;
		texts += parts[i].kind == PART_TEXT;
		at = i;
	}
	jw_key(w, "content");
	if (contents == 0) {
		jw_null(w);
	} else if (contents == 1 && texts == 1) {
		jw_stringn(w, parts[at].text.p, parts[at].text.len);
	} else {
		jw_array(w);
		for (i = 0; i < n; i++)
			if (is_content(&parts[i]))
				part_writers[parts[i].kind](w, &parts[i]);
		jw_end_array(w);
	}
}

static void
open_message(struct json_writer *w, const char *role, struct str name)
{
	jw_object(w);
	jw_key(w, "role");
	jw_string(w, role);
	if (name.len > 0)
		canon_put_str(w, "name", name);
}

/*
 * A tool's answer is text here: other parts of it go into a user message
 * behind it, which is where this dialect can show an image.
 */
static void
write_result(struct json_writer *w, const struct part *p)
{
	static const char failed[] = "Error: "; /* there is no flag for it */
	struct buf b;
	size_t i;

	open_message(w, "tool", (struct str){ NULL, 0 });
	canon_put_str(w, "tool_call_id", p->id);
	buf_init(&b, LIMIT_BODY_TEXT);
	if (p->failed)
		buf_put(&b, failed, sizeof failed - 1);
	for (i = 0; i < p->part_count; i++)
		if (p->parts[i].kind == PART_TEXT)
			buf_put(&b, p->parts[i].text.p, p->parts[i].text.len);
	canon_put_buf(w, "content", &b);
	jw_end_object(w);
}

static void
write_result_media(struct json_writer *w, const struct message *m)
{
	const struct part *p;
	bool open = false;
	size_t i, k;

	for (i = 0; i < m->part_count; i++) {
		p = &m->parts[i];
		for (k = 0; p->kind == PART_RESULT && k < p->part_count; k++) {
			if (p->parts[k].kind == PART_TEXT ||
			    !is_content(&p->parts[k]))
				continue;
			if (!open) {
				open_message(w, "user",
				    (struct str){ NULL, 0 });
				jw_key(w, "content");
				jw_array(w);
				open = true;
			}
			part_writers[p->parts[k].kind](w, &p->parts[k]);
		}
	}
	if (open) {
		jw_end_array(w);
		jw_end_object(w);
	}
}

/* Is there anything in it besides results and what cannot be written? */
static bool
has_content(const struct message *m)
{
	const struct part *p;
	size_t i;

	for (i = 0; i < m->part_count; i++) {
		p = &m->parts[i];
		if (is_content(p) ? p->kind != PART_TEXT || p->text.len > 0 :
		    p->kind == PART_CALL || p->kind == PART_REFUSAL)
			return true;
	}
	return false;
}

/* What this dialect has no words for is refused, not left out. */
static enum err
check_parts(const struct part *parts, size_t n, struct fault *f)
{
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < n && e == ERR_OK; i++) {
		if (parts[i].kind == PART_OTHER)
			return fault_set(f, ERR_BAD_REQUEST, "messages",
			    "the provider cannot take a content part of "
			    "another dialect");
		if (parts[i].file.p != NULL)
			return fault_set(f, ERR_BAD_REQUEST, "messages",
			    "the provider cannot take a file that another "
			    "provider keeps");
		e = check_parts(parts[i].parts, parts[i].part_count, f);
	}
	return e;
}

/* Reasoning in plain text, for those who want it back; no other's proofs. */
static void
write_thoughts(struct json_writer *w, const struct message *m)
{
	const struct part *p;
	struct buf b;
	size_t i;

	buf_init(&b, LIMIT_BODY_TEXT);
	for (i = 0; i < m->part_count; i++) {
		p = &m->parts[i];
		if (p->kind == PART_REASONING && p->signature.len == 0 &&
		    p->sealed.len == 0)
			buf_put(&b, p->text.p, p->text.len);
	}
	if (b.len > 0) {
		jw_key(w, "reasoning_content");
		jw_stringn(w, b.data, b.len);
	}
	w->out->failed |= b.failed;
	buf_free(&b);
}

static void
write_message(struct json_writer *w, const struct message *m, unsigned quirks)
{
	static const char *const names[] = { "system", "developer", "user",
		"assistant", "user" };
	const char *role = m->role == ROLE_DEVELOPER &&
	    (quirks & QUIRK_MAX_COMPLETION) == 0 ? "system" :
	    names[m->role];
	struct str refusal = { NULL, 0 };
	size_t i;

	for (i = 0; i < m->part_count; i++) {
		if (m->parts[i].kind == PART_RESULT)
			write_result(w, &m->parts[i]);
		if (m->parts[i].kind == PART_REFUSAL)
			refusal = m->parts[i].text;
	}
	write_result_media(w, m);
	if (!has_content(m))
		return;
	open_message(w, role, m->name);
	write_content(w, m->parts, m->part_count);
	canon_put_str(w, "refusal", refusal);
	if ((quirks & QUIRK_REASONING_BACK) != 0)
		write_thoughts(w, m);
	openai_write_calls(w, m->parts, m->part_count);
	jw_end_object(w);
}

static enum err
write_tools(struct json_writer *w, const struct chat *chat, struct fault *f)
{
	const struct tool *t;
	size_t i;

	if (chat->tool_count == 0)
		return ERR_OK;
	jw_key(w, "tools");
	jw_array(w);
	for (i = 0; i < chat->tool_count; i++) {
		t = &chat->tools[i];
		if (strcmp(t->type, "function") != 0)
			return fault_set(f, ERR_BAD_REQUEST, "tools",
			    "the tool '%s' is known to its own provider only",
			    t->type);
		canon_begin(w, "function");
		jw_key(w, "function");
		jw_object(w);
		canon_put_str(w, "name", t->name);
		canon_put_str(w, "description", t->description);
		canon_put_raw(w, "parameters", t->schema);
		canon_put_flag(w, "strict", t->strict);
		jw_end_object(w);
		jw_end_object(w);
	}
	jw_end_array(w);
	return ERR_OK;
}

static void
write_tool_choice(struct json_writer *w, const struct chat *chat)
{
	static const char *const words[] = { NULL, "auto", "none",
		"required", NULL };

	if (chat->tool_choice == CHOICE_UNSET || chat->tool_count == 0)
		return;
	jw_key(w, "tool_choice");
	if (chat->tool_choice != CHOICE_NAMED) {
		jw_string(w, words[chat->tool_choice]);
		return;
	}
	canon_begin(w, "function");
	jw_key(w, "function");
	jw_object(w);
	canon_put_str(w, "name", chat->tool_name);
	jw_end_object(w);
	jw_end_object(w);
}

static void
write_format(struct json_writer *w, const struct chat *chat, struct arena *a)
{
	static const char *const words[] = { NULL, "text", "json_object",
		"json_schema" };

	if (chat->format == FORMAT_UNSET)
		return;
	jw_key(w, "response_format");
	canon_begin(w, words[chat->format]);
	if (chat->format == FORMAT_SCHEMA) {
		jw_key(w, "json_schema");
		jw_object(w);
		canon_put_str(w, "name", chat->format_name.len == 0 ?
		    canon_lit("answer") : chat->format_name);
		canon_put_str(w, "description", chat->format_description);
		canon_put_raw(w, "schema", chat->format_schema);
		canon_put_flag(w, "strict", chat->format_strict < 0 &&
		    canon_is_strict(a, chat->format_schema) ? 1 :
		    chat->format_strict);
		jw_end_object(w);
	}
	jw_end_object(w);
}

static void
write_settings(struct json_writer *w, const struct chat *c,
    const char *max_name)
{
	size_t i;

	if (c->max_output > 0) {
		jw_key(w, max_name);
		jw_int(w, c->max_output);
	}
	if (c->choices > 1) {
		jw_key(w, "n");
		jw_int(w, c->choices);
	}
	canon_put_raw(w, "temperature", c->temperature);
	canon_put_raw(w, "top_p", c->top_p);
	canon_put_raw(w, "seed", c->seed);
	canon_put_raw(w, "frequency_penalty", c->frequency_penalty);
	canon_put_raw(w, "presence_penalty", c->presence_penalty);
	canon_put_raw(w, "logit_bias", c->logit_bias);
	if (c->logprobs)
		canon_put_flag(w, "logprobs", 1);
	if (c->top_logprobs > 0) {
		jw_key(w, "top_logprobs");
		jw_int(w, c->top_logprobs);
	}
	if (c->stop_count > 0) {
		jw_key(w, "stop");
		jw_array(w);
		for (i = 0; i < c->stop_count; i++)
			jw_stringn(w, c->stop[i].p, c->stop[i].len);
		jw_end_array(w);
	}
	if (c->effort != EFFORT_UNSET) {
		jw_key(w, "reasoning_effort");
		jw_string(w, canon_effort_word(c->effort));
	}
	canon_put_str(w, "verbosity", c->verbosity);
	canon_put_raw(w, "metadata", c->metadata);
	canon_put_str(w, "service_tier", c->service_tier);
	canon_put_str(w, "prompt_cache_key", c->cache_key);
	canon_put_flag(w, "store", c->store);
	if (*c->user != '\0') {
		jw_key(w, "user");
		jw_string(w, c->user);
	}
}

enum err
openai_write_chat(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f)
{
	unsigned quirks = d->provider->quirks;
	struct json_writer w;
	enum err e;
	size_t i;

	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "model");
	jw_string(&w, d->model);
	jw_key(&w, "messages");
	jw_array(&w);
	for (i = 0; i < chat->message_count; i++) {
		e = check_parts(chat->messages[i].parts,
		    chat->messages[i].part_count, f);
		if (e != ERR_OK)
			return e;
		write_message(&w, &chat->messages[i], quirks);
	}
	jw_end_array(&w);
	e = write_tools(&w, chat, f);
	if (e != ERR_OK)
		return e;
	write_tool_choice(&w, chat);
	if (chat->tool_count > 0)
		canon_put_flag(&w, "parallel_tool_calls", chat->parallel_calls);
	write_format(&w, chat, a);
	write_settings(&w, chat, (quirks & QUIRK_MAX_COMPLETION) != 0 ?
	    "max_completion_tokens" : "max_tokens");
	if (chat->stream) {
		canon_put_flag(&w, "stream", 1);
		if ((quirks & QUIRK_NO_STREAM_OPTIONS) == 0)
			canon_put_raw(&w, "stream_options",
			    canon_lit("{\"include_usage\":true}"));
	}
	jw_end_object(&w);
	return out->failed ? fault_memory(f) : ERR_OK;
}
