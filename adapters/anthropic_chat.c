/* A client's Anthropic request into the canonical form. */
#include "adapters/anthropic.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/reading.h"
#include "app/base/arena.h"

static const char *const known[] = { "model", "messages", "max_tokens",
	"system", "stream", "temperature", "top_p", "top_k",
	"stop_sequences", "tools", "tool_choice", "thinking", "metadata",
	"output_config", "output_format" };

/*
 * The same of objects inside: what an answer had that is given back
 * (citations, caller) is no setting.
 */
static const char *const known_block[] = { "type", "text", "source", "title",
	"id", "name", "input", "tool_use_id", "is_error", "content",
	"thinking", "signature", "data", "cache_control", "citations",
	"caller" };
static const char *const known_tool[] = { "type", "name", "description",
	"input_schema", "strict", "cache_control" };
static const char *const known_thinking[] = { "type", "budget_tokens",
	"display" };
static const char *const known_output[] = { "effort", "format" };
static const char *const known_metadata[] = { "user_id" };

static enum err read_blocks(struct reading *r, uint32_t v, struct parts *out);

static enum err
read_text(struct reading *r, uint32_t b, struct part *p)
{
	p->kind = PART_TEXT;
	p->text = rd_str(r, b, "text");
	return ERR_OK;
}

/* A document of plain text becomes text: its title goes before it. */
static void
entitle(struct reading *r, struct part *p, struct str title)
{
	if (title.len > 0)
		p->text = canon_join(r->arena, canon_join(r->arena, title,
		    canon_lit("\n\n")), p->text);
}

/* An image or document: base64, URL, file id, or plain text. */
static enum err
read_source(struct reading *r, uint32_t b, struct part *p)
{
	uint32_t s = rd_get(r, b, "source");

	if (json_is(r->doc, rd_get(r, s, "type"), "content"))
		return fault_set(r->fault, ERR_BAD_REQUEST, "messages",
		    "the provider cannot take a document made of blocks");
	if (json_type(r->doc, json_at(r->doc, b, "citations", "enabled",
	    NULL)) == JSON_TRUE)
		return fault_set(r->fault, ERR_BAD_REQUEST, "messages",
		    "the provider cannot cite documents");

	p->media_type = rd_str(r, s, "media_type");
	p->url = rd_str(r, s, "url");
	p->file = rd_str(r, s, "file_id");
	p->name = rd_str(r, b, "title");
	if (json_is(r->doc, rd_get(r, s, "type"), "text")) {
		p->kind = PART_TEXT;
		p->text = rd_str(r, s, "data");
		entitle(r, p, p->name);
	} else {
		p->data = rd_str(r, s, "data");
	}
	return ERR_OK;
}

static enum err
read_image(struct reading *r, uint32_t b, struct part *p)
{
	p->kind = PART_IMAGE;
	return read_source(r, b, p);
}

static enum err
read_document(struct reading *r, uint32_t b, struct part *p)
{
	p->kind = PART_FILE;
	return read_source(r, b, p);
}

static enum err
read_call(struct reading *r, uint32_t b, struct part *p)
{
	p->kind = PART_CALL;
	p->id = rd_str(r, b, "id");
	p->name = rd_str(r, b, "name");
	p->args = canon_raw(r->doc, rd_get(r, b, "input"));
	if (p->args.p == NULL)
		p->args = canon_lit("{}");
	return ERR_OK;
}

static enum err
read_result(struct reading *r, uint32_t b, struct part *p)
{
	struct parts inner = { .arena = r->arena };
	enum err e;

	p->kind = PART_RESULT;
	p->id = rd_str(r, b, "tool_use_id");
	p->failed = json_type(r->doc, rd_get(r, b, "is_error")) == JSON_TRUE;
	e = read_blocks(r, rd_get(r, b, "content"), &inner);
	p->parts = inner.list;
	p->part_count = inner.count;
	return e;
}

/* Ours, unless a mark tells of another maker (see anthropic_write.c). */
static void
read_proof(struct part *p, struct str proof, bool sealed)
{
	p->origin = "anthropic";
	canon_unmark(&proof, &p->origin, &sealed);
	if (proof.len == 0)
		p->origin = NULL;
	else if (sealed)
		p->sealed = proof;
	else
		p->signature = proof;
}

static enum err
read_thinking(struct reading *r, uint32_t b, struct part *p)
{
	p->kind = PART_REASONING;
	p->text = rd_str(r, b, "thinking");
	read_proof(p, rd_str(r, b, "signature"), false);
	return ERR_OK;
}

static enum err
read_redacted(struct reading *r, uint32_t b, struct part *p)
{
	p->kind = PART_REASONING;
	read_proof(p, rd_str(r, b, "data"), true);
	return ERR_OK;
}

static const struct {
	const char *type;
	enum err (*read)(struct reading *r, uint32_t b, struct part *p);
} readers[] = {
	{ "text", read_text },
	{ "image", read_image },
	{ "document", read_document },
	{ "tool_use", read_call },
	{ "tool_result", read_result },
	{ "thinking", read_thinking },
	{ "redacted_thinking", read_redacted },
};

static enum err
read_block(struct reading *r, uint32_t b, struct parts *out)
{
	struct part part;
	struct part *p;
	enum err e = ERR_OK;
	size_t i;

	/* Results are read with blocks of their own: the list may move. */
	memset(&part, 0, sizeof part);
	part.kind = PART_OTHER;
	part.origin = "anthropic";
	part.raw = canon_raw(r->doc, b);
	for (i = 0; i < sizeof readers / sizeof readers[0]; i++)
		if (json_is(r->doc, rd_get(r, b, "type"), readers[i].type)) {
			part.origin = NULL;
			e = readers[i].read(r, b, &part);
			break;
		}
	part.cache = rd_cache(r, b);
	if (e == ERR_OK)
		e = RD_REST(r, b, "messages", known_block);
	p = e == ERR_OK ? parts_add(out) : NULL;
	if (p == NULL)
		return e == ERR_OK ? fault_memory(r->fault) : e;
	*p = part;
	return ERR_OK;
}

/* A string, or a list of blocks. */
static enum err
read_blocks(struct reading *r, uint32_t v, struct parts *out)
{
	enum err e = ERR_OK;
	uint32_t b;

	if (json_type(r->doc, v) == JSON_STRING)
		return rd_text(r, v, out);
	for (b = json_first(r->doc, v); b != JSON_NONE && e == ERR_OK;
	    b = json_next(r->doc, v, b))
		e = read_block(r, b, out);
	return e;
}

static enum err
read_message(struct reading *r, enum role role, uint32_t content)
{
	struct message *m = &r->chat->messages[r->chat->message_count++];
	struct parts parts = { .arena = r->arena };
	enum err e = read_blocks(r, content, &parts);

	m->role = role;
	m->parts = parts.list;
	m->part_count = parts.count;
	return e;
}

static enum err
read_messages(struct reading *r)
{
	uint32_t system = rd_get(r, JSON_ROOT, "system");
	uint32_t list = rd_get(r, JSON_ROOT, "messages"), m, role;
	enum err e = ERR_OK;

	r->chat->messages = arena_zalloc(r->arena, (json_count(r->doc, list) +
	    1) * sizeof *r->chat->messages);
	if (r->chat->messages == NULL)
		return fault_memory(r->fault);
	if (json_nonempty(r->doc, system) || json_count(r->doc, system) > 0)
		e = read_message(r, ROLE_SYSTEM, system);
	for (m = json_first(r->doc, list); m != JSON_NONE && e == ERR_OK;
	    m = json_next(r->doc, list, m)) {
		role = rd_get(r, m, "role");
		e = read_message(r, json_is(r->doc, role, "assistant") ?
		    ROLE_ASSISTANT : json_is(r->doc, role, "system") ?
		    ROLE_SYSTEM : ROLE_USER, rd_get(r, m, "content"));
	}
	return e;
}

static enum err
read_tools(struct reading *r)
{
	uint32_t list = rd_get(r, JSON_ROOT, "tools"), v;
	struct chat *chat = r->chat;
	enum err e = ERR_OK;
	struct tool *t;
	char *type;

	if (json_count(r->doc, list) == 0)
		return ERR_OK;
	chat->set |= PARAM_BIT(TOOLS);
	chat->tools = arena_zalloc(r->arena, json_count(r->doc, list) *
	    sizeof *chat->tools);
	if (chat->tools == NULL)
		return fault_memory(r->fault);
	for (v = json_first(r->doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(r->doc, list, v)) {
		t = &chat->tools[chat->tool_count++];
		e = RD_REST(r, v, "tools", known_tool);
		type = json_cstr(r->doc, rd_get(r, v, "type"), r->arena);
		t->type = type == NULL || strcmp(type, "custom") == 0 ?
		    "function" : type;
		t->origin = "anthropic";
		t->name = rd_str(r, v, "name");
		t->description = rd_str(r, v, "description");
		t->strict = canon_flag(r->doc, rd_get(r, v, "strict"));
		t->cache = rd_cache(r, v);
		t->raw = canon_raw(r->doc, v);
		if (json_type(r->doc, rd_get(r, v, "input_schema")) ==
		    JSON_OBJECT)
			t->schema = canon_raw(r->doc,
			    rd_get(r, v, "input_schema"));
	}
	return e;
}

static enum err
read_tool_choice(struct reading *r)
{
	static const struct {
		const char *type;
		enum tool_choice choice;
	} types[] = { { "auto", CHOICE_AUTO }, { "any", CHOICE_REQUIRED },
		{ "tool", CHOICE_NAMED }, { "none", CHOICE_NONE } };
	uint32_t v = rd_get(r, JSON_ROOT, "tool_choice");
	struct chat *chat = r->chat;
	size_t i;
	int off;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return ERR_OK;
	for (i = 0; i < sizeof types / sizeof types[0]; i++)
		if (json_is(r->doc, rd_get(r, v, "type"), types[i].type))
			chat->tool_choice = types[i].choice;
	if (chat->tool_choice == CHOICE_UNSET)
		return fault_set(r->fault, ERR_BAD_REQUEST, "tool_choice",
		    "tool_choice: unknown type");
	chat->set |= PARAM_BIT(TOOL_CHOICE);
	chat->tool_name = rd_str(r, v, "name");
	off = canon_flag(r->doc, rd_get(r, v, "disable_parallel_tool_use"));
	if (off >= 0) {
		chat->parallel_calls = !off;
		chat->set |= PARAM_BIT(PARALLEL_CALLS);
	}
	return ERR_OK;
}

static void
read_reasoning(struct reading *r)
{
	uint32_t v = rd_get(r, JSON_ROOT, "thinking");
	uint32_t config = rd_get(r, JSON_ROOT, "output_config");
	struct chat *chat = r->chat;

	chat->effort = canon_effort(rd_str(r, config, "effort"));
	if (json_is(r->doc, rd_get(r, v, "type"), "disabled"))
		chat->effort = EFFORT_NONE;
	else if (json_is(r->doc, rd_get(r, v, "type"), "adaptive") &&
	    chat->effort == EFFORT_UNSET)
		chat->effort = EFFORT_MEDIUM;
	if (json_int(r->doc, rd_get(r, v, "budget_tokens"),
	    &chat->think_budget))
		chat->set |= PARAM_BIT(THINK_BUDGET);
	if (chat->effort == EFFORT_UNSET && chat->think_budget > 0)
		chat->effort = chat->think_budget <= 2048 ? EFFORT_LOW :
		    chat->think_budget <= 8192 ? EFFORT_MEDIUM : EFFORT_HIGH;
	if (chat->effort != EFFORT_UNSET)
		chat->set |= PARAM_BIT(EFFORT);
	chat->think_hidden = json_is(r->doc, rd_get(r, v, "display"),
	    "omitted");
}

static void
read_format(struct reading *r)
{
	uint32_t v = json_at(r->doc, JSON_ROOT, "output_config", "format",
	    NULL);
	struct chat *chat = r->chat;

	if (json_type(r->doc, v) != JSON_OBJECT)
		v = rd_get(r, JSON_ROOT, "output_format");
	if (json_type(r->doc, rd_get(r, v, "schema")) != JSON_OBJECT)
		return;
	chat->format = FORMAT_SCHEMA;
	chat->format_schema = canon_raw(r->doc, rd_get(r, v, "schema"));
	chat->set |= PARAM_BIT(FORMAT);
}

/* What settings have beside what is read of them. */
static enum err
read_rest(struct reading *r)
{
	enum err e = canon_extras(r->chat, r->arena, known,
	    sizeof known / sizeof known[0], r->fault);

	if (e == ERR_OK)
		e = RD_REST(r, rd_get(r, JSON_ROOT, "thinking"), "thinking",
		    known_thinking);
	if (e == ERR_OK)
		e = RD_REST(r, rd_get(r, JSON_ROOT, "output_config"),
		    "output_config", known_output);
	if (e == ERR_OK)
		e = RD_REST(r, rd_get(r, JSON_ROOT, "metadata"), "metadata",
		    known_metadata);
	return e;
}

enum err
anthropic_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	struct reading r = { &chat->doc, a, chat, f };
	enum err e;

	canon_defaults(chat);
	chat->set = PARAM_BIT(MAX_OUTPUT) |
	    (*chat->user == '\0' ? 0 : PARAM_BIT(USER));
	e = read_messages(&r);
	if (e == ERR_OK)
		e = read_tools(&r);
	if (e == ERR_OK)
		e = read_tool_choice(&r);
	if (e == ERR_OK)
		e = canon_stop(chat, a, rd_get(&r, JSON_ROOT,
		    "stop_sequences"), f);
	if (e == ERR_OK)
		e = read_rest(&r);
	if (e != ERR_OK)
		return e;
	read_reasoning(&r);
	read_format(&r);
	rd_pass(&r, "temperature", JSON_NUMBER, &chat->temperature,
	    PARAM_BIT(TEMPERATURE));
	rd_pass(&r, "top_p", JSON_NUMBER, &chat->top_p,
	    PARAM_BIT(TOP_P));
	rd_pass(&r, "top_k", JSON_NUMBER, &chat->top_k,
	    PARAM_BIT(TOP_K));
	canon_done(chat);
	return ERR_OK;
}
