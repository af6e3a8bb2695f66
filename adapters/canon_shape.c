/* What of a request is text, and the estimate of its length. */
#include <string.h>

#include "adapters/canon.h"
#include "policy/estimate.h"

#define ESTIMATE_MEDIUM 1000 /* an image, a page: providers differ much */

static int64_t
estimate_str(struct str s, struct estimate_chat *out)
{
	return s.len == 0 ? 0 : estimate_tokens_digits(s.p, s.len,
	    &out->digits);
}

/* The texts of a part that are no reasoning. */
static int64_t
estimate_part(const struct part *p, struct estimate_chat *out)
{
	int64_t sum = estimate_str(p->text, out) + estimate_str(p->args, out);

	if (p->kind == PART_CALL)
		sum += estimate_str(p->name, out);
	if (p->kind == PART_OTHER)
		sum += estimate_str(p->raw, out);
	if (p->kind >= PART_IMAGE && p->kind <= PART_FILE)
		sum += ESTIMATE_MEDIUM;
	return sum;
}

static void
shape_reasoning(struct str text, struct estimate_chat *out)
{
	int64_t n = text.len == 0 ? 0 : estimate_tokens(text.p, text.len);

	out->reasoning += n;
	out->last_reasoning += n;
}

/* Reasoning that only its maker reads: of Gemini it is the signature. */
static size_t
sealed_length(const struct part *p)
{
	if (p->sealed.len == 0 && p->origin != NULL &&
	    strcmp(p->origin, "gemini") == 0)
		return p->signature.len;
	return p->sealed.len;
}

static void
shape_seal(const struct part *p, struct estimate_chat *out)
{
	size_t len = sealed_length(p);

	out->seals += len > 0;
	out->last_seals += len > 0;
	out->sealed += (int64_t)len;
	out->last_sealed += (int64_t)len;
}

static void
shape_parts(const struct part *parts, size_t n, struct estimate_chat *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (parts[i].kind == PART_REASONING)
			shape_reasoning(parts[i].text, out);
		else
			out->text += estimate_part(&parts[i], out);
		shape_seal(&parts[i], out);
		out->calls += parts[i].kind == PART_CALL ||
		    parts[i].kind == PART_RESULT;
		shape_parts(parts[i].parts, parts[i].part_count, out);
	}
}

/* Did the user speak, and not only a tool in their place? */
static bool
is_spoken(const struct message *m)
{
	size_t i;

	if (m->role != ROLE_USER)
		return false;
	for (i = 0; i < m->part_count; i++)
		if (m->parts[i].kind != PART_RESULT)
			return true;
	return false;
}

static void
shape_message(const struct message *m, struct estimate_chat *out)
{
	out->systems += m->role == ROLE_SYSTEM || m->role == ROLE_DEVELOPER;
	if (is_spoken(m))
		out->last_seals = out->last_sealed = out->last_reasoning = 0;
	shape_parts(m->parts, m->part_count, out);
}

static void
shape_words(struct str s, struct estimate_schema *to)
{
	estimate_more(s.p, s.len, to->words);
}

static void
shape_tools(const struct chat *chat, struct estimate_chat *out)
{
	struct estimate_schema all;
	size_t i;

	memset(&all, 0, sizeof all);
	for (i = 0; i < chat->tool_count; i++) {
		shape_words(chat->tools[i].name, &all);
		shape_words(chat->tools[i].description, &all);
		estimate_schema(chat->tools[i].schema.p,
		    chat->tools[i].schema.len, &all);
	}
	out->tools = (int64_t)chat->tool_count;
	out->tools_text = estimate_schema_json(&all);
	out->tools_words = estimate_weigh(all.words);
	out->tools_fields = all.fields;
	out->digits += all.words[EST_MORE_DIGITS];
	out->no_tools = chat->tool_choice == CHOICE_NONE;
	out->must_call = chat->tool_choice >= CHOICE_REQUIRED;
	out->one_call = chat->parallel_calls == 0;
}

static void
shape_format(const struct chat *chat, struct estimate_chat *out)
{
	struct estimate_schema all;

	out->json = chat->format == FORMAT_JSON;
	if (chat->format_schema.len == 0)
		return;
	memset(&all, 0, sizeof all);
	shape_words(chat->format_name, &all);
	shape_words(chat->format_description, &all);
	estimate_schema(chat->format_schema.p, chat->format_schema.len, &all);
	out->schema_text = estimate_schema_json(&all);
	out->schema_words = estimate_weigh(all.words);
	out->schema_fields = all.fields;
}

/*
 * Is reasoning asked for, or none wanted? Some say it in words of their own
 * that go only to whom they are meant for: "thinking" of DeepSeek and Z.ai,
 * "enable_thinking" of Qwen, "enabled" of OpenRouter. Z.ai keeps old reasoning
 * only when told not to clear it.
 */
static void
shape_thinking(const struct chat *chat, struct estimate_chat *out)
{
	const struct json *d = &chat->doc;
	uint32_t type = json_at(d, JSON_ROOT, "thinking", "type", NULL),
		 clear = json_at(d, JSON_ROOT, "thinking", "clear_thinking",
		     NULL);
	enum json_type flag = json_type(d, json_get(d, JSON_ROOT,
	    "enable_thinking")), enabled = json_type(d, json_at(d, JSON_ROOT,
	    "reasoning", "enabled", NULL));

	out->thinks = chat->think_budget > 0 || chat->effort > EFFORT_NONE ||
	    enabled == JSON_TRUE;
	if (json_type(d, clear) == JSON_FALSE)
		out->last_reasoning = out->reasoning;
	out->unthinks = !out->thinks && (chat->effort == EFFORT_NONE ||
	    json_is(d, type, "disabled") || flag == JSON_FALSE ||
	    enabled == JSON_FALSE);
}

void
canon_shape(const struct chat *chat, struct estimate_chat *out)
{
	size_t i;

	memset(out, 0, sizeof *out);
	out->messages = (int64_t)chat->message_count;
	for (i = 0; i < chat->message_count; i++)
		shape_message(&chat->messages[i], out);
	shape_tools(chat, out);
	shape_format(chat, out);
	shape_thinking(chat, out);
}

int64_t
canon_tokens(struct chat *chat)
{
	if (chat->input_estimate == 0)
		chat->input_estimate = chat->whole ?
		    canon_tokens_at(chat, "", "") :
		    estimate_tokens(chat->doc.text, chat->doc.len);
	return chat->input_estimate;
}

int64_t
canon_tokens_at(struct chat *chat, const char *id, const char *dialect)
{
	if (!chat->whole)
		return canon_tokens(chat);
	if (chat->shape.messages == 0)
		canon_shape(chat, &chat->shape);
	return estimate_chat(&chat->shape, id, dialect);
}
