/* Converse requests from the canonical form. */
#include "adapters/bedrock.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/base/buf.h"

#define THINK_LEAST 1024
#define BOUND_UNKNOWN 4096 /* tokens of an answer, to find room for thinking */

static const char no_schema[] = "{\"type\":\"object\",\"properties\":{}}";

/* Inside a result there is no place for a mark: it goes behind it. */
static enum cache_mark
mark_of(const struct part *p)
{
	enum cache_mark mark = p->cache;
	size_t i;

	for (i = 0; i < p->part_count; i++)
		if (p->parts[i].cache > mark)
			mark = p->parts[i].cache;
	return mark;
}

static enum err
write_parts(struct bedrock_writing *x, const struct message *m)
{
	bool caches = bedrock_caches(x->family, false);
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < m->part_count && e == ERR_OK; i++) {
		e = bedrock_write_block(x, &m->parts[i]);
		if (caches)
			bedrock_write_cache(&x->w, mark_of(&m->parts[i]));
	}
	return e;
}

/*
 * All instructions stand at the front here, in their order. There is no JSON
 * mode without a schema: it is asked for in words.
 */
static enum err
write_system(struct bedrock_writing *x)
{
	static const struct part in_json = { .kind = PART_TEXT,
		.text = { "Answer with one valid JSON object and nothing "
			  "else.", 51 } };
	const struct chat *chat = x->chat;
	bool json = chat->format == FORMAT_JSON, any = json;
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < chat->message_count; i++)
		any |= canon_is_system(&chat->messages[i]);
	if (!any)
		return ERR_OK;
	jw_key(&x->w, "system");
	jw_array(&x->w);
	for (i = 0; i < chat->message_count && e == ERR_OK; i++)
		if (canon_is_system(&chat->messages[i]))
			e = write_parts(x, &chat->messages[i]);
	if (json && e == ERR_OK)
		e = bedrock_write_block(x, &in_json);
	jw_end_array(&x->w);
	return e;
}

static void
open_message(struct json_writer *w, bool assistant)
{
	jw_object(w);
	jw_key(w, "role");
	jw_string(w, assistant ? "assistant" : "user");
	jw_key(w, "content");
	jw_array(w);
}

static void
close_message(struct json_writer *w)
{
	jw_end_array(w);
	jw_end_object(w);
}

/* Turns alternate here: neighbours of one side become one message. */
static enum err
write_messages(struct bedrock_writing *x)
{
	const struct chat *chat = x->chat;
	const struct message *m;
	enum err e = ERR_OK;
	int side, open = -1; /* 0 user, 1 assistant */
	size_t i;

	jw_key(&x->w, "messages");
	jw_array(&x->w);
	for (i = 0; i < chat->message_count && e == ERR_OK; i++) {
		m = &chat->messages[i];
		side = m->role == ROLE_ASSISTANT;
		if (canon_is_system(m))
			continue;
		if (side != open) {
			if (open >= 0)
				close_message(&x->w);
			open_message(&x->w, side);
			open = side;
		}
		e = write_parts(x, m);
	}
	if (open >= 0)
		close_message(&x->w);
	jw_end_array(&x->w);
	if (e == ERR_OK && open < 0)
		return canon_refuse(x->fault, "a chat of instructions only");
	return e;
}

/* ------------------------------------------------------------- tools */

static void
write_spec(struct json_writer *w, struct str name, struct str description,
    struct str schema, int strict)
{
	jw_object(w);
	jw_key(w, "toolSpec");
	jw_object(w);
	canon_put_str(w, "name", name);
	if (description.len > 0)
		canon_put_str(w, "description", description);
	jw_key(w, "inputSchema");
	jw_object(w);
	canon_put_raw(w, "json", schema.p != NULL ? schema :
	    canon_lit(no_schema));
	jw_end_object(w);
	if (strict == 1)
		canon_put_flag(w, "strict", 1);
	jw_end_object(w);
	jw_end_object(w);
}

/* The call number n of the conversation, NULL when there are fewer. */
static const struct part *
call_at(const struct chat *chat, size_t n)
{
	size_t i, k;

	for (i = 0; i < chat->message_count; i++)
		for (k = 0; k < chat->messages[i].part_count; k++)
			if (chat->messages[i].parts[k].kind == PART_CALL &&
			    n-- == 0)
				return &chat->messages[i].parts[k];
	return NULL;
}

static bool
called_before(const struct chat *chat, size_t n, struct str name)
{
	const struct part *p;

	while (n-- > 0) {
		p = call_at(chat, n);
		if (p->name.len == name.len &&
		    memcmp(p->name.p, name.p, name.len) == 0)
			return true;
	}
	return false;
}

/*
 * A conversation with calls in it is refused there unless their tools are
 * declared; a client that offers none any more has to have them named.
 */
static void
write_past_tools(struct bedrock_writing *x)
{
	const struct str none = { NULL, 0 };
	const struct part *p;
	size_t i;

	for (i = 0; i < 64 && (p = call_at(x->chat, i)) != NULL; i++)
		if (p->name.len > 0 && !called_before(x->chat, i, p->name))
			write_spec(&x->w, p->name, none, none, -1);
}

static void
write_own_tools(struct bedrock_writing *x)
{
	const struct tool *t;
	size_t i;

	for (i = 0; i < x->chat->tool_count; i++) {
		t = &x->chat->tools[i];
		write_spec(&x->w, t->name, t->description, t->schema,
		    t->strict);
		if (bedrock_caches(x->family, true))
			bedrock_write_cache(&x->w, t->cache);
	}
}

static void
write_tool_choice(struct bedrock_writing *x)
{
	static const char *const words[] = { [CHOICE_AUTO] = "auto",
		[CHOICE_REQUIRED] = "any", [CHOICE_NAMED] = "tool" };
	enum tool_choice choice = x->chat->tool_choice;

	if (choice == CHOICE_UNSET || choice == CHOICE_NONE)
		return;
	jw_key(&x->w, "toolChoice");
	jw_object(&x->w);
	jw_key(&x->w, words[choice]);
	jw_object(&x->w);
	if (choice == CHOICE_NAMED)
		canon_put_str(&x->w, "name", x->chat->tool_name);
	jw_end_object(&x->w);
	jw_end_object(&x->w);
}

/* "Call none" has no word here: the tools are left out, where that can be. */
static enum err
write_tools(struct bedrock_writing *x)
{
	const struct chat *chat = x->chat;
	bool past = call_at(chat, 0) != NULL;
	bool none = chat->tool_choice == CHOICE_NONE;
	enum err e;

	if (none && past && chat->tool_count > 0)
		return fault_set(x->fault, ERR_BAD_REQUEST, "tool_choice",
		    "the provider cannot forbid calls in a conversation that "
		    "has some");
	if (!past && (none || chat->tool_count == 0))
		return ERR_OK;
	e = canon_functions(chat, x->fault);
	if (e != ERR_OK)
		return e;
	jw_key(&x->w, "toolConfig");
	jw_object(&x->w);
	jw_key(&x->w, "tools");
	jw_array(&x->w);
	if (chat->tool_count > 0)
		write_own_tools(x);
	else
		write_past_tools(x);
	jw_end_array(&x->w);
	if (chat->tool_count > 0)
		write_tool_choice(x);
	jw_end_object(&x->w);
	return ERR_OK;
}

/* ---------------------------------------------------------- settings */

/* Tokens to think with, 0 = do not think. */
static int64_t
think_budget(const struct bedrock_writing *x)
{
	static const int64_t budgets[] = {
		[EFFORT_MINIMAL] = 1024, [EFFORT_LOW] = 2048,
		[EFFORT_MEDIUM] = 8192, [EFFORT_HIGH] = 16384,
		[EFFORT_MAX] = 32768,
	};
	const struct chat *c = x->chat;
	int64_t bound = c->max_output > 0 ? c->max_output :
	    x->d->max_output > 0 ? x->d->max_output : BOUND_UNKNOWN;
	int64_t n;

	n = c->think_budget > 0 ? c->think_budget :
	    c->effort == EFFORT_UNSET ? 0 : budgets[c->effort];
	if (n > bound / 2 && c->think_budget <= 0)
		n = bound / 2; /* room must be left for the answer */
	return n < THINK_LEAST || n >= bound ? 0 : n;
}

/*
 * Claude's turn that goes on after calls must begin with its signed thinking
 * when thinking is on: not so when another model made the calls.
 */
static bool
calls_unsigned(const struct chat *chat)
{
	size_t i = chat->message_count, k;
	const struct message *m;
	bool calls = false;

	while (i > 0 && chat->messages[i - 1].role != ROLE_ASSISTANT)
		i--;
	if (i == 0)
		return false;
	m = &chat->messages[i - 1];
	for (k = 0; k < m->part_count; k++) {
		if (bedrock_is_ours(&m->parts[k]))
			return false;
		calls |= m->parts[k].kind == PART_CALL;
	}
	return calls;
}

/* Is the model to think in a way that excludes other settings? */
static bool
thinks(const struct bedrock_writing *x)
{
	const struct chat *c = x->chat;

	/* Thinking and a forced tool exclude each other. */
	if (!x->family->claude || c->tool_choice >= CHOICE_REQUIRED ||
	    c->effort == EFFORT_NONE || calls_unsigned(c) ||
	    (c->effort == EFFORT_UNSET && c->think_budget <= 0))
		return false;
	return x->family->think == THINK_ADAPTIVE || think_budget(x) > 0;
}

uint64_t
bedrock_unsaid(const struct chat *chat, const struct deployment *d)
{
	const struct bedrock_writing x = { .chat = chat, .d = d,
		.family = bedrock_family(d->model) };
	bool asked = chat->effort > EFFORT_NONE || chat->think_budget > 0;

	if (!x.family->claude)
		return 0;
	if (thinks(&x))
		return PARAM_BIT(TEMPERATURE) | PARAM_BIT(TOP_P) |
		    PARAM_BIT(TOP_K);
	return asked ? PARAM_BIT(EFFORT) | PARAM_BIT(THINK_BUDGET) : 0;
}

/* The scale ends at 1 here, at 2 elsewhere. */
static void
write_temperature(struct json_writer *w, struct str n)
{
	char digits[64];

	if (n.p == NULL || n.len >= sizeof digits)
		return;
	memcpy(digits, n.p, n.len);
	digits[n.len] = '\0';
	canon_put_raw(w, "temperature", strtod(digits, NULL) > 1 ?
	    canon_lit("1") : n);
}

static void
write_inference(struct bedrock_writing *x)
{
	const struct chat *c = x->chat;
	bool free = !thinks(x);
	int64_t bound = c->max_output;
	struct json_writer *w = &x->w;

	/* A budget must be below the bound, so there has to be one. */
	if (bound == 0 && !free && x->family->think == THINK_BUDGET)
		bound = x->d->max_output > 0 ? x->d->max_output :
		    BOUND_UNKNOWN;
	jw_key(w, "inferenceConfig");
	jw_object(w);
	if (bound > 0)
		canon_put_int(w, "maxTokens", bound);
	if (free) {
		write_temperature(w, c->temperature);
		canon_put_raw(w, "topP", c->top_p);
	}
	canon_put_list(w, "stopSequences", c->stop, c->stop_count);
	jw_end_object(w);
}

static const char *
effort_word(enum effort e)
{
	static const char *const words[] = { [EFFORT_MINIMAL] = "low",
		[EFFORT_LOW] = "low", [EFFORT_MEDIUM] = "medium",
		[EFFORT_HIGH] = "high", [EFFORT_MAX] = "high" };

	return e == EFFORT_UNSET || e == EFFORT_NONE ? NULL : words[e];
}

/* How long and whether to think, in the words of the model's family. */
static void
write_thinking(struct bedrock_writing *x)
{
	const char *word = effort_word(x->chat->effort);
	struct json_writer *w = &x->w;

	if (x->family->think == THINK_WORD && word != NULL) {
		jw_key(w, "reasoning_effort");
		jw_string(w, word);
	} else if (x->family->think == THINK_NOVA && word != NULL) {
		jw_key(w, "reasoningConfig");
		jw_object(w);
		jw_key(w, "type");
		jw_string(w, "enabled");
		jw_key(w, "maxReasoningEffort");
		jw_string(w, word);
		jw_end_object(w);
	} else if (thinks(x)) {
		jw_key(w, "thinking");
		jw_object(w);
		jw_key(w, "type");
		jw_string(w, x->family->think == THINK_BUDGET ? "enabled" :
		    "adaptive");
		if (x->family->think == THINK_BUDGET)
			canon_put_int(w, "budget_tokens", think_budget(x));
		jw_end_object(w);
		if (x->family->think == THINK_ADAPTIVE && word != NULL) {
			jw_key(w, "output_config");
			jw_object(w);
			jw_key(w, "effort");
			jw_string(w, word);
			jw_end_object(w);
		}
	}
}

/* "a" or "a.b" of the family's table. */
static void
write_top_k(struct bedrock_writing *x)
{
	const char *at = x->family->top_k, *dot;
	char outer[32];

	if (at == NULL || x->chat->top_k.p == NULL || thinks(x))
		return;
	dot = strchr(at, '.');
	if (dot == NULL || (size_t)(dot - at) >= sizeof outer) {
		canon_put_raw(&x->w, at, x->chat->top_k);
		return;
	}
	memcpy(outer, at, (size_t)(dot - at));
	outer[dot - at] = '\0';
	jw_key(&x->w, outer);
	jw_object(&x->w);
	canon_put_raw(&x->w, dot + 1, x->chat->top_k);
	jw_end_object(&x->w);
}

static void
write_extra_fields(struct bedrock_writing *x)
{
	struct json_writer *w = &x->w, before = *w;
	size_t len = w->out->len, empty;

	jw_key(w, "additionalModelRequestFields");
	jw_object(w);
	empty = w->out->len;
	write_top_k(x);
	write_thinking(x);
	if (w->out->len > empty) {
		jw_end_object(w);
	} else { /* nothing to say: as if nothing had been begun */
		w->out->len = len;
		*w = before;
	}
	if (x->family->claude && x->chat->stop_count > 0) {
		jw_key(w, "additionalModelResponseFieldPaths");
		jw_array(w);
		jw_string(w, "/stop_sequence");
		jw_end_array(w);
	}
}

/* The schema goes as a text. */
static void
write_format(struct bedrock_writing *x)
{
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;

	if (c->format != FORMAT_SCHEMA)
		return;
	jw_key(w, "outputConfig");
	jw_object(w);
	jw_key(w, "textFormat");
	jw_object(w);
	jw_key(w, "type");
	jw_string(w, "json_schema");
	jw_key(w, "structure");
	jw_object(w);
	jw_key(w, "jsonSchema");
	jw_object(w);
	canon_put_str(w, "schema", c->format_schema);
	if (c->format_name.len > 0)
		canon_put_str(w, "name", c->format_name);
	if (c->format_description.len > 0)
		canon_put_str(w, "description", c->format_description);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

/* "auto" leaves it to the provider, which is what saying nothing does. */
static enum err
write_tier(struct bedrock_writing *x)
{
	static const char *const tiers[] = { "default", "flex", "priority",
		"reserved" };
	struct str tier = x->chat->service_tier;
	size_t i;

	if (tier.p == NULL || canon_is(tier, "auto"))
		return ERR_OK;
	for (i = 0; i < sizeof tiers / sizeof tiers[0]; i++)
		if (canon_is(tier, tiers[i])) {
			jw_key(&x->w, "serviceTier");
			jw_object(&x->w);
			canon_put_str(&x->w, "type", tier);
			jw_end_object(&x->w);
			return ERR_OK;
		}
	return fault_set(x->fault, ERR_BAD_REQUEST, "service_tier",
	    "the provider has no such service tier");
}

enum err
bedrock_write_chat(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f)
{
	struct bedrock_writing x = { .arena = a, .chat = chat, .d = d,
		.fault = f, .family = bedrock_family(d->model) };
	enum err e;

	jw_init(&x.w, out);
	jw_object(&x.w);
	e = write_messages(&x);
	if (e == ERR_OK)
		e = write_system(&x);
	if (e == ERR_OK)
		e = write_tools(&x);
	if (e == ERR_OK)
		e = write_tier(&x);
	if (e != ERR_OK)
		return e;
	write_inference(&x);
	write_extra_fields(&x);
	write_format(&x);
	jw_end_object(&x.w);
	return out->failed ? fault_memory(f) : ERR_OK;
}
