/* generateContent requests and the canonical form, both ways. */
#include "adapters/gemini.h"

#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

/* ------------------------------------------------------------ reading */

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

static enum err
memory(struct reading *r)
{
	return fault_memory(r->fault);
}

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
		return memory(r);
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
			return memory(r);
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
		return memory(r);
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
read_contents(struct reading *r)
{
	uint32_t list = json_get(r->doc, JSON_ROOT, "contents"), c;
	uint32_t system = member(r, JSON_ROOT, "systemInstruction");
	enum err e = ERR_OK;
	size_t i, k;

	r->chat->messages = arena_zalloc(r->arena, (json_count(r->doc, list) +
	    1) * sizeof *r->chat->messages);
	if (r->chat->messages == NULL)
		return memory(r);
	if (json_type(r->doc, system) == JSON_OBJECT)
		e = read_content(r, ROLE_SYSTEM, system);
	for (c = json_first(r->doc, list); c != JSON_NONE && e == ERR_OK;
	    c = json_next(r->doc, list, c))
		e = read_content(r, json_is(r->doc, json_get(r->doc, c,
		    "role"), "model") ? ROLE_ASSISTANT : ROLE_USER, c);
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
	struct tool *own;

	if (json_count(r->doc, list) == 0)
		return ERR_OK;
	chat->set |= PARAM_BIT(TOOLS);
	chat->tools = arena_zalloc(r->arena, count_tools(r, list) *
	    sizeof *chat->tools);
	if (chat->tools == NULL)
		return memory(r);
	for (t = json_first(r->doc, list); t != JSON_NONE;
	    t = json_next(r->doc, list, t)) {
		fns = member(r, t, "functionDeclarations");
		for (fn = json_first(r->doc, fns); fn != JSON_NONE;
		    fn = json_next(r->doc, fns, fn))
			read_function(r, fn, &chat->tools[chat->tool_count++]);
		for (key = json_first(r->doc, t); key != JSON_NONE;
		    key = json_next(r->doc, t, key)) {
			if (json_value(r->doc, key) == fns)
				continue;
			own = &chat->tools[chat->tool_count++];
			own->type = json_cstr(r->doc, key, r->arena);
			own->origin = "gemini";
			own->raw = canon_raw(r->doc, t);
			if (own->type == NULL)
				return memory(r);
		}
	}
	return ERR_OK;
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

/* Settings inside generationConfig that have no place: named like the rest. */
static enum err
config_extras(struct reading *r, uint32_t config)
{
	size_t n = json_count(r->doc, config), i;
	struct chat *chat = r->chat;
	const char **list;
	uint32_t key;

	list = arena_alloc(r->arena, (chat->extra_count + n + 1) *
	    sizeof *list);
	if (list == NULL)
		return memory(r);
	memcpy(list, chat->extras, chat->extra_count * sizeof *list);
	chat->extras = list;
	for (key = json_first(r->doc, config); key != JSON_NONE;
	    key = json_next(r->doc, config, key)) {
		for (i = 0; i < sizeof known_config / sizeof known_config[0];
		    i++)
			if (member(r, config, known_config[i]) ==
			    json_value(r->doc, key))
				break;
		if (i < sizeof known_config / sizeof known_config[0])
			continue;
		list[chat->extra_count] = json_cstr(r->doc, key, r->arena);
		if (list[chat->extra_count++] == NULL)
			return memory(r);
	}
	return ERR_OK;
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
	chat->set |= (chat->logprobs ? PARAM_BIT(LOGPROBS) : 0) |
	    (chat->top_logprobs > 0 ? PARAM_BIT(TOP_LOGPROBS) : 0) |
	    (chat->max_output > 0 ? PARAM_BIT(MAX_OUTPUT) : 0) |
	    (chat->choices > 1 ? PARAM_BIT(CHOICES) : 0);
	read_thinking(r, c);
	read_format(r, c);
	e = canon_stop(chat, r->arena, member(r, c, "stopSequences"),
	    r->fault);
	return e == ERR_OK ? config_extras(r, c) : e;
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
	if (e != ERR_OK)
		return e;
	read_tool_choice(&r);
	chat->whole = true;
	return ERR_OK;
}

/* ------------------------------------------------------------ writing */

struct writing {
	struct json_writer w;
	struct arena *arena;
	const struct chat *chat;
	const struct deployment *d;
	struct fault *fault;
	bool proven; /* a call of this turn has its signature */
};

static enum err
write_media(struct writing *x, const struct part *p)
{
	struct json_writer *w = &x->w;
	static const char *const otherwise[] = {
		[PART_IMAGE] = "image/png", [PART_AUDIO] = "audio/wav",
		[PART_VIDEO] = "video/mp4", [PART_FILE] = "application/pdf" };
	bool inl = p->data.p != NULL;

	if (p->file.p != NULL)
		return canon_refuse(x->fault,
		    "a file that another provider keeps");
	jw_object(w);
	jw_key(w, inl ? "inlineData" : "fileData");
	jw_object(w);
	canon_put_str(w, "mimeType", p->media_type.len > 0 ? p->media_type :
	    canon_lit(canon_url_type(p->url, otherwise[p->kind])));
	if (inl)
		canon_put_str(w, "data", p->data);
	else
		canon_put_text(w, "fileUri", p->url);
	jw_end_object(w);
	jw_end_object(w);
	return ERR_OK;
}

static bool
is_ours(const struct part *p)
{
	return p->origin != NULL && strcmp(p->origin, "gemini") == 0 &&
	    p->sealed.len == 0;
}

/* A signature that waits for the part that it belongs to. */
static bool
is_loose(const struct part *p)
{
	return p->kind == PART_REASONING && is_ours(p) && p->text.len == 0 &&
	    p->signature.len > 0;
}

/*
 * Clients of other dialects give a call's signature back as reasoning
 * without text that stands before it.
 */
static struct str
signature_of(const struct part *p, const struct part *before)
{
	struct str none = { NULL, 0 };

	if (is_ours(p) && p->signature.len > 0)
		return p->signature;
	return p->kind == PART_CALL && before != NULL && is_loose(before) ?
	    before->signature : none;
}

static void
write_signature(struct writing *x, const struct part *p,
    const struct part *before)
{
	struct str signature = signature_of(p, before);

	if (signature.len > 0) {
		canon_put_str(&x->w, "thoughtSignature", signature);
	} else if (p->kind == PART_CALL && !x->proven &&
	    gemini_needs_proof(x->d->model)) {
		/*
		 * Of parallel calls the first has one. Calls that another
		 * model made have none: Google's word for that
		 * (ai.google.dev/gemini-api/docs/thought-signatures).
		 */
		jw_key(&x->w, "thoughtSignature");
		jw_string(&x->w, "skip_thought_signature_validator");
	}
}

static enum err
write_call(struct writing *x, const struct part *p, const struct part *before)
{
	struct json_writer *w = &x->w;

	if (!canon_is_object(p->args, x->arena))
		return canon_refuse(x->fault,
		    "a tool call whose arguments are no object");
	jw_object(w);
	jw_key(w, "functionCall");
	jw_object(w);
	canon_put_str(w, "name", p->name);
	canon_put_raw(w, "args", p->args);
	jw_end_object(w);
	write_signature(x, p, before);
	jw_end_object(w);
	return ERR_OK;
}

/* The name of the function whose call has this id. */
static struct str
name_of(const struct chat *chat, const struct part *result)
{
	const struct message *m;
	size_t i, k;

	for (i = 0; i < chat->message_count; i++) {
		m = &chat->messages[i];
		for (k = 0; k < m->part_count; k++)
			if (m->parts[k].kind == PART_CALL &&
			    canon_same(m->parts[k].id, result->id))
				return m->parts[k].name;
	}
	return result->name.len > 0 ? result->name : canon_lit("function");
}

/* The answer must be an object: text that is one goes as it is. */
static enum err
write_result(struct writing *x, const struct part *p)
{
	struct json_writer *w = &x->w;
	struct str all = canon_lit("");
	size_t i;

	for (i = 0; i < p->part_count; i++)
		if (p->parts[i].kind == PART_TEXT)
			all = canon_join(x->arena, all, p->parts[i].text);
		else if (p->parts[i].kind == PART_OTHER)
			return canon_refuse(x->fault,
			    "a result of another dialect");
	jw_object(w);
	jw_key(w, "functionResponse");
	jw_object(w);
	canon_put_str(w, "name", name_of(x->chat, p));
	jw_key(w, "response");
	if (!p->failed && canon_is_object(all, x->arena)) {
		jw_raw(w, all.p, all.len);
	} else {
		jw_object(w);
		canon_put_str(w, p->failed ? "error" : "result", all);
		jw_end_object(w);
	}
	jw_end_object(w);
	jw_end_object(w);
	return ERR_OK;
}

/* What of a result is no text follows the results of its turn. */
static enum err
write_result_media(struct writing *x, const struct part *p)
{
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < p->part_count && e == ERR_OK; i++)
		if (p->parts[i].kind >= PART_IMAGE &&
		    p->parts[i].kind <= PART_FILE)
			e = write_media(x, &p->parts[i]);
	return e;
}

static void
write_text(struct writing *x, const struct part *p)
{
	jw_object(&x->w);
	canon_put_text(&x->w, "text", p->text);
	if (p->kind == PART_REASONING)
		canon_put_flag(&x->w, "thought", 1);
	write_signature(x, p, NULL);
	jw_end_object(&x->w);
}

/* That of others is left out; a loose signature goes with its call. */
static void
write_reasoning(struct writing *x, const struct part *p,
    const struct part *next)
{
	if (is_loose(p) && next != NULL && next->kind == PART_CALL)
		return;
	if (is_loose(p)) {
		jw_object(&x->w);
		canon_put_str(&x->w, "text", canon_lit(""));
		canon_put_str(&x->w, "thoughtSignature", p->signature);
		jw_end_object(&x->w);
	} else if (is_ours(p) && p->text.len > 0) {
		write_text(x, p);
	}
}

static enum err
write_part(struct writing *x, const struct part *p, const struct part *before,
    const struct part *next)
{
	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
		if (p->text.len > 0)
			write_text(x, p);
		return ERR_OK;
	case PART_REASONING:
		write_reasoning(x, p, next);
		return ERR_OK;
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_VIDEO:
	case PART_FILE:
		return write_media(x, p);
	case PART_CALL:
		return write_call(x, p, before);
	case PART_RESULT:
		return write_result(x, p);
	case PART_OTHER:
		break;
	}
	return canon_refuse(x->fault, "a content part of another dialect");
}

/* Is there anything in it that can be written? */
static bool
says(const struct message *m)
{
	const struct part *p;
	size_t i;

	for (i = 0; i < m->part_count; i++) {
		p = &m->parts[i];
		if (p->kind == PART_REASONING ? is_ours(p) &&
		    (p->text.len > 0 || is_loose(p)) :
		    (p->kind != PART_TEXT && p->kind != PART_REFUSAL) ||
		    p->text.len > 0)
			return true;
	}
	return false;
}

static bool
is_spoken(const struct message *m)
{
	return !canon_is_system(m) && says(m);
}

static enum err
write_parts(struct writing *x, const struct message *m)
{
	const struct part *p = m->parts;
	enum err e = ERR_OK;
	size_t i, n = m->part_count;

	for (i = 0; i < n && e == ERR_OK; i++)
		e = write_part(x, &p[i], i > 0 ? &p[i - 1] : NULL,
		    i + 1 < n ? &p[i + 1] : NULL);
	return e;
}

/* Does a message hold what proves a call to its maker? */
static bool
proves(const struct message *m)
{
	size_t i;

	for (i = 0; i < m->part_count; i++)
		if (is_ours(&m->parts[i]) && m->parts[i].signature.len > 0 &&
		    (m->parts[i].kind == PART_CALL ||
			is_loose(&m->parts[i])))
			return true;
	return false;
}

/* The parts of a turn; media of its results last. */
static enum err
write_turn(struct writing *x, size_t from, size_t to)
{
	const struct message *m;
	enum err e = ERR_OK;
	size_t i, k;

	x->proven = false;
	for (i = from; i < to; i++)
		x->proven |= proves(&x->chat->messages[i]);
	for (i = from; i < to && e == ERR_OK; i++)
		if (is_spoken(&x->chat->messages[i]))
			e = write_parts(x, &x->chat->messages[i]);
	for (i = from; i < to && e == ERR_OK; i++) {
		m = &x->chat->messages[i];
		for (k = 0; k < m->part_count && e == ERR_OK; k++)
			if (m->parts[k].kind == PART_RESULT)
				e = write_result_media(x, &m->parts[k]);
	}
	return e;
}

static enum err
write_system(struct writing *x)
{
	const struct chat *chat = x->chat;
	enum err e = ERR_OK;
	bool open = false;
	size_t i;

	for (i = 0; i < chat->message_count && e == ERR_OK; i++) {
		if (!canon_is_system(&chat->messages[i]) ||
		    !says(&chat->messages[i]))
			continue;
		if (!open) {
			jw_key(&x->w, "systemInstruction");
			jw_object(&x->w);
			jw_key(&x->w, "parts");
			jw_array(&x->w);
			open = true;
		}
		e = write_parts(x, &chat->messages[i]);
	}
	if (open) {
		jw_end_array(&x->w);
		jw_end_object(&x->w);
	}
	return e;
}

/* Turns alternate: neighbours of one side become one content. */
static enum err
write_contents(struct writing *x)
{
	const struct chat *chat = x->chat;
	enum err e = ERR_OK;
	size_t i, end, turns = 0;
	bool side;

	jw_key(&x->w, "contents");
	jw_array(&x->w);
	for (i = 0; i < chat->message_count && e == ERR_OK; i = end) {
		end = i + 1;
		if (!is_spoken(&chat->messages[i]))
			continue;
		side = chat->messages[i].role == ROLE_ASSISTANT;
		while (end < chat->message_count &&
		    (!is_spoken(&chat->messages[end]) ||
			(chat->messages[end].role == ROLE_ASSISTANT) == side))
			end++;
		jw_object(&x->w);
		jw_key(&x->w, "role");
		jw_string(&x->w, side ? "model" : "user");
		jw_key(&x->w, "parts");
		jw_array(&x->w);
		e = write_turn(x, i, end);
		jw_end_array(&x->w);
		jw_end_object(&x->w);
		turns++;
	}
	jw_end_array(&x->w);
	return e == ERR_OK && turns == 0 ?
	    canon_refuse(x->fault, "a chat of instructions only") : e;
}

static enum err
write_tools(struct writing *x)
{
	struct json_writer *w = &x->w;
	const struct tool *t;
	size_t i;

	if (x->chat->tool_count == 0)
		return ERR_OK;
	jw_key(w, "tools");
	jw_array(w);
	jw_object(w);
	jw_key(w, "functionDeclarations");
	jw_array(w);
	for (i = 0; i < x->chat->tool_count; i++) {
		t = &x->chat->tools[i];
		if (strcmp(t->type, "function") != 0)
			return fault_set(x->fault, ERR_BAD_REQUEST, "tools",
			    "the tool '%s' is known to its own provider only",
			    t->type);
		jw_object(w);
		canon_put_str(w, "name", t->name);
		canon_put_text(w, "description", t->description);
		canon_put_raw(w, "parametersJsonSchema", t->schema);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
	return ERR_OK;
}

static void
write_tool_choice(struct writing *x)
{
	static const char *const modes[] = { NULL, "AUTO", "NONE", "ANY",
		"ANY" };
	const struct chat *chat = x->chat;
	struct json_writer *w = &x->w;

	if (chat->tool_choice == CHOICE_UNSET || chat->tool_count == 0)
		return;
	jw_key(w, "toolConfig");
	jw_object(w);
	jw_key(w, "functionCallingConfig");
	jw_object(w);
	jw_key(w, "mode");
	jw_string(w, modes[chat->tool_choice]);
	if (chat->tool_choice == CHOICE_NAMED) {
		jw_key(w, "allowedFunctionNames");
		jw_array(w);
		jw_stringn(w, chat->tool_name.p, chat->tool_name.len);
		jw_end_array(w);
	}
	jw_end_object(w);
	jw_end_object(w);
}

/* Gemini 3 takes a level, those before a number of tokens. */
static void
write_thinking(struct writing *x)
{
	static const int64_t budgets[] = { [EFFORT_NONE] = 0,
		[EFFORT_MINIMAL] = 512, [EFFORT_LOW] = 1024,
		[EFFORT_MEDIUM] = 8192, [EFFORT_HIGH] = 24576,
		[EFFORT_MAX] = 24576 };
	static const char *const levels[] = { [EFFORT_NONE] = "minimal",
		[EFFORT_MINIMAL] = "minimal", [EFFORT_LOW] = "low",
		[EFFORT_MEDIUM] = "medium", [EFFORT_HIGH] = "high",
		[EFFORT_MAX] = "high" };
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;

	if (c->effort == EFFORT_UNSET && c->think_budget < 0)
		return;
	jw_key(w, "thinkingConfig");
	jw_object(w);
	if (c->think_budget >= 0) {
		canon_put_int(w, "thinkingBudget", c->think_budget);
	} else if (gemini_needs_proof(x->d->model)) {
		jw_key(w, "thinkingLevel");
		jw_string(w, levels[c->effort]);
	} else {
		canon_put_int(w, "thinkingBudget", budgets[c->effort]);
	}
	if (c->effort != EFFORT_NONE && !c->think_hidden)
		canon_put_flag(w, "includeThoughts", 1);
	jw_end_object(w);
}

static void
write_config(struct writing *x)
{
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;
	size_t i;

	jw_key(w, "generationConfig");
	jw_object(w);
	if (c->max_output > 0)
		canon_put_int(w, "maxOutputTokens", c->max_output);
	if (c->choices > 1)
		canon_put_int(w, "candidateCount", c->choices);
	canon_put_raw(w, "temperature", c->temperature);
	canon_put_raw(w, "topP", c->top_p);
	canon_put_raw(w, "topK", c->top_k);
	canon_put_raw(w, "seed", c->seed);
	canon_put_raw(w, "presencePenalty", c->presence_penalty);
	canon_put_raw(w, "frequencyPenalty", c->frequency_penalty);
	if (c->logprobs)
		canon_put_flag(w, "responseLogprobs", 1);
	if (c->top_logprobs > 0)
		canon_put_int(w, "logprobs", c->top_logprobs);
	if (c->stop_count > 0) {
		jw_key(w, "stopSequences");
		jw_array(w);
		for (i = 0; i < c->stop_count; i++)
			jw_stringn(w, c->stop[i].p, c->stop[i].len);
		jw_end_array(w);
	}
	if (c->format == FORMAT_JSON || c->format == FORMAT_SCHEMA) {
		jw_key(w, "responseMimeType");
		jw_string(w, "application/json");
		canon_put_raw(w, "responseJsonSchema", c->format_schema);
	}
	write_thinking(x);
	jw_end_object(w);
}

enum err
gemini_write_chat(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f)
{
	struct writing x = { .arena = a, .chat = chat, .d = d, .fault = f };
	enum err e;

	jw_init(&x.w, out);
	jw_object(&x.w);
	e = write_system(&x);
	if (e == ERR_OK)
		e = write_contents(&x);
	if (e == ERR_OK)
		e = write_tools(&x);
	if (e != ERR_OK)
		return e;
	write_tool_choice(&x);
	write_config(&x);
	jw_end_object(&x.w);
	return out->failed ? fault_memory(f) : ERR_OK;
}
