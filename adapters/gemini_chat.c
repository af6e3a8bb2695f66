/* A client's generateContent request into the canonical form. */
#include "adapters/gemini.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"

struct reading {
	const struct json *doc;
	struct arena *arena;
	struct chat *chat;
	struct fault *fault;
	int calls; /* seen so far, for ids that were not given */
};

static const char *const known[] = { "model", "contents",
	"systemInstruction", "system_instruction", "tools", "toolConfig",
	"tool_config", "generationConfig", "generation_config" };

static const char *const known_config[] = { "temperature", "topP", "topK",
	"candidateCount", "maxOutputTokens", "stopSequences", "seed",
	"presencePenalty", "frequencyPenalty", "responseMimeType",
	"responseSchema", "responseJsonSchema", "responseLogprobs",
	"logprobs", "thinkingConfig" };

static const char *const known_part[] = { "text", "thought",
	"thoughtSignature", "inlineData", "fileData", "functionCall",
	"functionResponse" };
static const char *const known_function[] = { "name", "description",
	"parameters", "parametersJsonSchema" };
static const char *const known_choice[] = { "functionCallingConfig" };
static const char *const known_calling[] = { "mode",
	"allowedFunctionNames" };
static const char *const known_thinking[] = { "includeThoughts",
	"thinkingBudget", "thinkingLevel" };

static uint32_t
member(struct reading *r, uint32_t obj, const char *key)
{
	return gemini_get(r->doc, obj, key);
}

static struct str
text(struct reading *r, uint32_t obj, const char *key)
{
	return canon_str(r->doc, member(r, obj, key), r->arena);
}

/*
 * Members of an object that have no place, under either form of their names:
 * named like the rest.
 */
static enum err
rest(struct reading *r, uint32_t obj, const char *prefix,
    const char *const *known_here, size_t count)
{
	uint32_t key, v;
	const char *name;
	size_t i;

	for (key = json_type(r->doc, obj) != JSON_OBJECT ? JSON_NONE :
	    json_first(r->doc, obj); key != JSON_NONE;
	    key = json_next(r->doc, obj, key)) {
		v = json_value(r->doc, key);
		for (i = 0; i < count; i++)
			if (member(r, obj, known_here[i]) == v)
				break;
		if (i < count || json_type(r->doc, v) <= JSON_FALSE)
			continue;
		name = json_cstr(r->doc, key, r->arena);
		if (name != NULL && prefix != NULL)
			name = arena_printf(r->arena, "%s.%s", prefix, name);
		if (canon_extra(r->chat, r->arena, name) != ERR_OK)
			return fault_memory(r->fault);
	}
	return ERR_OK;
}
#define REST(r, obj, prefix, list)                                           \
	rest(r, obj, prefix, list, sizeof list / sizeof list[0])

/* What kind of part a MIME type is. */
static enum part_kind
kind_of(struct str type)
{
	static const struct {
		const char *prefix;
		enum part_kind kind;
	} kinds[] = { { "image/", PART_IMAGE }, { "audio/", PART_AUDIO },
		{ "video/", PART_VIDEO } };
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (type.len > 6 && memcmp(type.p, kinds[i].prefix, 6) == 0)
			return kinds[i].kind;
	return PART_FILE;
}

static void
read_media(struct reading *r, uint32_t v, struct part *p)
{
	p->media_type = text(r, v, "mimeType");
	p->data = text(r, v, "data");
	p->url = text(r, v, "fileUri");
	p->name = text(r, v, "displayName");
	p->kind = kind_of(p->media_type);
}

static void
read_call(struct reading *r, uint32_t v, struct part *p)
{
	p->kind = PART_CALL;
	p->id = text(r, v, "id");
	p->name = text(r, v, "name");
	p->args = canon_raw(r->doc, json_get(r->doc, v, "args"));
	if (p->args.p == NULL)
		p->args = canon_lit("{}");
	if (p->id.len == 0)
		p->id = canon_printf(r->arena, "call_%d", r->calls);
	r->calls++;
}

/*
 * Calls without ids are answered by name: the first call of that name that
 * has no answer yet.
 */
static struct str
answered_id(struct reading *r, struct str name)
{
	const struct message *m;
	const struct part *p;
	size_t i, k;

	for (i = r->chat->message_count; i-- > 0;) {
		m = &r->chat->messages[i];
		if (m->role != ROLE_ASSISTANT)
			continue;
		for (k = 0; k < m->part_count; k++) {
			p = &m->parts[k];
			if (p->kind == PART_CALL && !p->failed &&
			    canon_same(p->name, name)) {
				m->parts[k].failed = true; /* taken */
				return p->id;
			}
		}
		break;
	}
	return canon_printf(r->arena, "call_%d", r->calls++);
}

static enum err
read_result(struct reading *r, uint32_t v, struct part *p)
{
	uint32_t answer = json_get(r->doc, v, "response");
	uint32_t only = json_get(r->doc, answer, "result");
	uint32_t list = json_get(r->doc, v, "parts"), part, media;
	struct parts inner = { .arena = r->arena };
	struct part *t = parts_add(&inner);

	if (t == NULL)
		return fault_memory(r->fault);
	p->kind = PART_RESULT;
	p->name = text(r, v, "name");
	p->id = text(r, v, "id");
	if (p->id.len == 0)
		p->id = answered_id(r, p->name);
	if (only == JSON_NONE)
		only = json_get(r->doc, answer, "output");
	p->failed = json_get(r->doc, answer, "error") != JSON_NONE;
	if (only == JSON_NONE)
		only = json_get(r->doc, answer, "error");
	t->kind = PART_TEXT;
	t->text = json_type(r->doc, only) == JSON_STRING &&
	    json_count(r->doc, answer) == 1 ?
	    canon_str(r->doc, only, r->arena) : canon_raw(r->doc, answer);
	for (part = json_first(r->doc, list); part != JSON_NONE;
	    part = json_next(r->doc, list, part)) {
		media = member(r, part, "inlineData");
		if (media == JSON_NONE)
			media = member(r, part, "fileData");
		t = parts_add(&inner);
		if (t == NULL)
			return fault_memory(r->fault);
		read_media(r, media, t);
	}
	p->parts = inner.list;
	p->part_count = inner.count;
	return ERR_OK;
}

/*
 * What proves a thought or a call: Google's, unless a mark tells of another
 * maker (see gemini_write.c). Thoughts come in parts when they were streamed,
 * the last of which has the proof.
 */
static void
read_proof(struct reading *r, uint32_t v, struct parts *out)
{
	struct part *p = &out->list[out->count - 1], *before = p - 1;
	struct str proof = text(r, v, "thoughtSignature");
	bool sealed = false;

	if (p->kind == PART_REASONING || proof.len > 0)
		p->origin = "gemini";
	canon_unmark(&proof, &p->origin, &sealed);
	if (sealed)
		p->sealed = proof;
	else
		p->signature = proof;
	if (out->count < 2 || p->kind != PART_REASONING || sealed ||
	    before->kind != PART_REASONING || before->sealed.len > 0 ||
	    before->signature.len > 0)
		return;
	before->text = canon_join(r->arena, before->text, p->text);
	before->signature = p->signature;
	before->origin = p->origin;
	out->count--;
}

static enum err
read_part(struct reading *r, uint32_t v, struct parts *out)
{
	struct part *p = parts_add(out);
	uint32_t media = member(r, v, "inlineData");
	enum err e = ERR_OK;

	if (p == NULL)
		return fault_memory(r->fault);
	if (media == JSON_NONE)
		media = member(r, v, "fileData");
	if (media != JSON_NONE) {
		read_media(r, media, p);
	} else if (member(r, v, "functionCall") != JSON_NONE) {
		read_call(r, member(r, v, "functionCall"), p);
	} else if (member(r, v, "functionResponse") != JSON_NONE) {
		e = read_result(r, member(r, v, "functionResponse"), p);
	} else if (json_type(r->doc, json_get(r->doc, v, "text")) ==
	    JSON_STRING) {
		p->kind = json_type(r->doc, json_get(r->doc, v, "thought")) ==
		    JSON_TRUE ? PART_REASONING : PART_TEXT;
		p->text = text(r, v, "text");
	} else {
		p->kind = PART_OTHER;
		p->origin = "gemini";
		p->raw = canon_raw(r->doc, v);
	}
	if (e == ERR_OK && p->kind != PART_OTHER)
		e = REST(r, v, "contents", known_part);
	if (e == ERR_OK)
		read_proof(r, v, out);
	return e;
}

static enum err
read_content(struct reading *r, enum role role, uint32_t content)
{
	uint32_t parts = json_get(r->doc, content, "parts"), v;
	struct message *m = &r->chat->messages[r->chat->message_count];
	struct parts list = { .arena = r->arena };
	enum err e = ERR_OK;

	if (json_type(r->doc, parts) == JSON_OBJECT)
		e = read_part(r, parts, &list);
	for (v = json_type(r->doc, parts) == JSON_ARRAY ?
	    json_first(r->doc, parts) : JSON_NONE;
	    v != JSON_NONE && e == ERR_OK; v = json_next(r->doc, parts, v))
		e = read_part(r, v, &list);
	m->role = role;
	m->parts = list.list;
	m->part_count = list.count;
	r->chat->message_count++;
	return e;
}

static enum err
read_turn(struct reading *r, uint32_t content)
{
	static const struct {
		const char *word;
		enum role role;
	} roles[] = { { "user", ROLE_USER }, { "model", ROLE_ASSISTANT },
		{ "function", ROLE_USER } };
	uint32_t role = json_get(r->doc, content, "role");
	size_t i;

	if (json_type(r->doc, role) <= JSON_NULL)
		return read_content(r, ROLE_USER, content);
	for (i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (json_is(r->doc, role, roles[i].word))
			return read_content(r, roles[i].role, content);
	return fault_set(r->fault, ERR_BAD_REQUEST, "contents",
	    "'contents' has a role other than user and model");
}

static enum err
read_contents(struct reading *r)
{
	uint32_t list = json_get(r->doc, JSON_ROOT, "contents"), c;
	uint32_t system = member(r, JSON_ROOT, "systemInstruction");
	enum err e = ERR_OK;
	size_t i, k;

	r->chat->messages = arena_zalloc(r->arena, (json_count(r->doc, list) +
	    1) * sizeof *r->chat->messages);
	if (r->chat->messages == NULL)
		return fault_memory(r->fault);
	if (json_type(r->doc, system) == JSON_OBJECT)
		e = read_content(r, ROLE_SYSTEM, system);
	for (c = json_first(r->doc, list); c != JSON_NONE && e == ERR_OK;
	    c = json_next(r->doc, list, c))
		e = read_turn(r, c);
	/* `failed` of a call was a mark of answered_id. */
	for (i = 0; i < r->chat->message_count; i++)
		for (k = 0; k < r->chat->messages[i].part_count; k++)
			if (r->chat->messages[i].parts[k].kind == PART_CALL)
				r->chat->messages[i].parts[k].failed = false;
	return e;
}

static size_t
count_tools(struct reading *r, uint32_t list)
{
	uint32_t t, fns;
	size_t n = 0;

	for (t = json_first(r->doc, list); t != JSON_NONE;
	    t = json_next(r->doc, list, t)) {
		fns = member(r, t, "functionDeclarations");
		n += json_count(r->doc, fns) + json_count(r->doc, t);
	}
	return n;
}

static void
read_function(struct reading *r, uint32_t fn, struct tool *t)
{
	uint32_t schema = member(r, fn, "parametersJsonSchema");

	if (schema == JSON_NONE)
		schema = json_get(r->doc, fn, "parameters");
	t->type = "function";
	t->origin = "gemini";
	t->strict = -1;
	t->name = text(r, fn, "name");
	t->description = text(r, fn, "description");
	t->raw = canon_raw(r->doc, fn);
	if (json_type(r->doc, schema) == JSON_OBJECT)
		t->schema = canon_schema(r->doc, schema, r->arena);
}

static enum err
read_tools(struct reading *r)
{
	uint32_t list = json_get(r->doc, JSON_ROOT, "tools"), t, key, fns, fn;
	struct chat *chat = r->chat;
	enum err e = ERR_OK;
	struct tool *own;

	if (json_count(r->doc, list) == 0)
		return ERR_OK;
	chat->set |= PARAM_BIT(TOOLS);
	chat->tools = arena_zalloc(r->arena, count_tools(r, list) *
	    sizeof *chat->tools);
	if (chat->tools == NULL)
		return fault_memory(r->fault);
	for (t = json_first(r->doc, list); t != JSON_NONE;
	    t = json_next(r->doc, list, t)) {
		fns = member(r, t, "functionDeclarations");
		for (fn = json_first(r->doc, fns);
		    fn != JSON_NONE && e == ERR_OK;
		    fn = json_next(r->doc, fns, fn)) {
			read_function(r, fn, &chat->tools[chat->tool_count++]);
			e = REST(r, fn, "tools", known_function);
		}
		for (key = json_first(r->doc, t); key != JSON_NONE;
		    key = json_next(r->doc, t, key)) {
			if (json_value(r->doc, key) == fns)
				continue;
			own = &chat->tools[chat->tool_count++];
			own->type = json_cstr(r->doc, key, r->arena);
			own->origin = "gemini";
			own->raw = canon_raw(r->doc, t);
			if (own->type == NULL)
				return fault_memory(r->fault);
		}
	}
	return e;
}

/* Only these functions may be called: no other dialect need know of more. */
static void
keep_tools(struct reading *r, uint32_t names)
{
	struct chat *chat = r->chat;
	size_t i, n = 0;
	uint32_t name;

	if (json_count(r->doc, names) == 0)
		return;
	for (i = 0; i < chat->tool_count; i++)
		for (name = json_first(r->doc, names); name != JSON_NONE;
		    name = json_next(r->doc, names, name))
			if (canon_same(chat->tools[i].name,
			    canon_str(r->doc, name, r->arena))) {
				chat->tools[n++] = chat->tools[i];
				break;
			}
	chat->tool_count = n;
}

static void
read_tool_choice(struct reading *r)
{
	static const struct {
		const char *mode;
		enum tool_choice choice;
	} modes[] = { { "AUTO", CHOICE_AUTO }, { "ANY", CHOICE_REQUIRED },
		{ "NONE", CHOICE_NONE }, { "VALIDATED", CHOICE_AUTO } };
	uint32_t v = member(r, member(r, JSON_ROOT, "toolConfig"),
	    "functionCallingConfig"), names;
	struct chat *chat = r->chat;
	size_t i;

	for (i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (json_is(r->doc, json_get(r->doc, v, "mode"),
		    modes[i].mode)) {
			chat->tool_choice = modes[i].choice;
			chat->set |= PARAM_BIT(TOOL_CHOICE);
		}
	names = member(r, v, "allowedFunctionNames");
	keep_tools(r, names);
	if (chat->tool_choice == CHOICE_REQUIRED &&
	    json_count(r->doc, names) == 1) {
		chat->tool_choice = CHOICE_NAMED;
		chat->tool_name = canon_str(r->doc, json_first(r->doc, names),
		    r->arena);
	}
}

static void
pass(struct reading *r, uint32_t config, const char *key, struct str *out,
    uint64_t bit)
{
	uint32_t v = member(r, config, key);

	if (json_type(r->doc, v) != JSON_NUMBER)
		return;
	*out = canon_raw(r->doc, v);
	r->chat->set |= bit;
}

static void
read_thinking(struct reading *r, uint32_t config)
{
	uint32_t v = member(r, config, "thinkingConfig");
	struct chat *chat = r->chat;
	struct str level = text(r, v, "thinkingLevel");
	char word[16];
	size_t i;

	if (json_int(r->doc, member(r, v, "thinkingBudget"),
	    &chat->think_budget)) {
		chat->set |= PARAM_BIT(THINK_BUDGET);
		chat->effort = chat->think_budget == 0 ? EFFORT_NONE :
		    chat->think_budget < 0 ? EFFORT_MEDIUM :
		    chat->think_budget <= 2048 ? EFFORT_LOW :
		    chat->think_budget <= 8192 ? EFFORT_MEDIUM : EFFORT_HIGH;
	}
	if (level.len > 0 && level.len < sizeof word) {
		for (i = 0; i < level.len; i++)
			word[i] = (char)(level.p[i] | 0x20);
		chat->effort = canon_effort((struct str){ word, level.len });
	}
	if (chat->effort != EFFORT_UNSET)
		chat->set |= PARAM_BIT(EFFORT);
	chat->think_hidden = canon_flag(r->doc, member(r, v,
	    "includeThoughts")) != 1;
}

static void
read_format(struct reading *r, uint32_t config)
{
	uint32_t schema = member(r, config, "responseJsonSchema");
	struct chat *chat = r->chat;

	if (schema == JSON_NONE)
		schema = member(r, config, "responseSchema");
	if (json_type(r->doc, schema) == JSON_OBJECT) {
		chat->format = FORMAT_SCHEMA;
		chat->format_schema = canon_schema(r->doc, schema, r->arena);
	} else if (json_is(r->doc, member(r, config, "responseMimeType"),
	    "application/json")) {
		chat->format = FORMAT_JSON;
	}
	if (chat->format != FORMAT_UNSET)
		chat->set |= PARAM_BIT(FORMAT);
}

static enum err
read_config(struct reading *r)
{
	uint32_t c = member(r, JSON_ROOT, "generationConfig");
	struct chat *chat = r->chat;
	enum err e;

	pass(r, c, "temperature", &chat->temperature,
	    PARAM_BIT(TEMPERATURE));
	pass(r, c, "topP", &chat->top_p, PARAM_BIT(TOP_P));
	pass(r, c, "topK", &chat->top_k, PARAM_BIT(TOP_K));
	pass(r, c, "seed", &chat->seed, PARAM_BIT(SEED));
	pass(r, c, "presencePenalty", &chat->presence_penalty,
	    PARAM_BIT(PRESENCE_PENALTY));
	pass(r, c, "frequencyPenalty", &chat->frequency_penalty,
	    PARAM_BIT(FREQUENCY_PENALTY));
	chat->logprobs = canon_flag(r->doc, member(r, c,
	    "responseLogprobs")) == 1;
	json_int(r->doc, json_get(r->doc, c, "logprobs"),
	    &chat->top_logprobs);
	canon_given(chat);
	read_thinking(r, c);
	read_format(r, c);
	e = canon_stop(chat, r->arena, member(r, c, "stopSequences"),
	    r->fault);
	if (e == ERR_OK)
		e = REST(r, c, NULL, known_config);
	if (e == ERR_OK)
		e = REST(r, member(r, c, "thinkingConfig"),
		    "thinkingConfig", known_thinking);
	return e;
}

/* What of the choice of tools no other dialect has. */
static enum err
tool_rest(struct reading *r)
{
	uint32_t v = member(r, JSON_ROOT, "toolConfig");
	enum err e = REST(r, v, "toolConfig", known_choice);

	return e != ERR_OK ? e : REST(r, member(r, v,
	    "functionCallingConfig"), "functionCallingConfig",
	    known_calling);
}

enum err
gemini_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	struct reading r = { .doc = &chat->doc, .arena = a, .chat = chat,
		.fault = f };
	enum err e;

	canon_defaults(chat);
	e = read_contents(&r);
	if (e == ERR_OK)
		e = read_tools(&r);
	if (e == ERR_OK)
		e = canon_extras(chat, a, known,
		    sizeof known / sizeof known[0], f);
	if (e == ERR_OK)
		e = read_config(&r);
	if (e == ERR_OK)
		e = tool_rest(&r);
	if (e != ERR_OK)
		return e;
	read_tool_choice(&r);
	canon_done(chat);
	return ERR_OK;
}
