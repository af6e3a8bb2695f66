/*
 * A request to an Anthropic provider, from the canonical form of a client of
 * another dialect.
 */
#include "adapters/anthropic.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/base/buf.h"

#define MAX_TOKENS_UNKNOWN 4096 /* the dialect demands a bound */
#define THINK_LEAST 1024	/* the least budget that it takes */

struct writing {
	struct json_writer w;
	struct arena *arena;
	const struct chat *chat;
	struct fault *fault;
};

static void
write_cache(struct json_writer *w, enum cache_mark mark)
{
	if (mark == CACHE_NONE)
		return;
	jw_key(w, "cache_control");
	canon_begin(w, "ephemeral");
	if (mark == CACHE_1H) {
		jw_key(w, "ttl");
		jw_string(w, "1h");
	}
	jw_end_object(w);
}

/* Documents are PDF here, or plain text. */
static enum err
write_source(struct writing *x, const struct part *p, const char *otherwise)
{
	bool text = p->kind == PART_FILE && p->media_type.len > 5 &&
	    memcmp(p->media_type.p, "text/", 5) == 0;
	struct str data = text ? canon_decode(x->arena, p->data) : p->data;
	struct json_writer *w = &x->w;

	if (p->file.p != NULL)
		return canon_refuse(x->fault,
		    "a file that another provider keeps");
	if (p->kind == PART_FILE && p->data.p != NULL && !text &&
	    p->media_type.len > 0 && !canon_is(p->media_type, otherwise))
		return canon_refuse(x->fault, "a document of this type");
	if (p->data.p != NULL && data.p == NULL)
		return canon_refuse(x->fault, "a document that is no text");
	jw_key(w, "source");
	if (p->data.p != NULL) {
		canon_begin(w, text ? "text" : "base64");
		canon_put_str(w, "media_type", text ?
		    canon_lit("text/plain") : p->media_type.len > 0 ?
		    p->media_type : canon_lit(otherwise));
		canon_put_str(w, "data", data);
	} else {
		canon_begin(w, "url");
		canon_put_text(w, "url", p->url);
	}
	jw_end_object(w);
	return ERR_OK;
}

static enum err write_block(struct writing *x, const struct part *p);

static enum err
write_result(struct writing *x, const struct part *p)
{
	struct json_writer *w = &x->w;
	enum err e = ERR_OK;
	size_t i;

	canon_begin(w, "tool_result");
	canon_put_str(w, "tool_use_id", p->id);
	if (p->failed)
		canon_put_flag(w, "is_error", 1);
	jw_key(w, "content");
	jw_array(w);
	for (i = 0; i < p->part_count && e == ERR_OK; i++)
		e = write_block(x, &p->parts[i]);
	jw_end_array(w);
	write_cache(w, p->cache);
	jw_end_object(w);
	return e;
}

static enum err
write_call(struct writing *x, const struct part *p)
{
	if (!canon_is_object(p->args, x->arena))
		return canon_refuse(x->fault,
		    "a tool call whose arguments are no object");
	canon_begin(&x->w, "tool_use");
	canon_put_str(&x->w, "id", p->id);
	canon_put_str(&x->w, "name", p->name);
	canon_put_raw(&x->w, "input", p->args);
	write_cache(&x->w, p->cache);
	jw_end_object(&x->w);
	return ERR_OK;
}

/* Only its maker can take reasoning; that of others is left out. */
static bool
is_ours(const struct part *p)
{
	return p->kind == PART_REASONING && p->origin != NULL &&
	    strcmp(p->origin, "anthropic") == 0 &&
	    (p->sealed.len > 0 || p->signature.len > 0);
}

static void
write_thinking(struct json_writer *w, const struct part *p)
{
	if (!is_ours(p))
		return;
	if (p->sealed.len > 0) {
		canon_begin(w, "redacted_thinking");
		canon_put_str(w, "data", p->sealed);
	} else {
		canon_begin(w, "thinking");
		canon_put_text(w, "thinking", p->text);
		canon_put_str(w, "signature", p->signature);
	}
	jw_end_object(w);
}

/* The dialect refuses texts of nothing or of blanks only. */
static bool
is_blank(struct str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (strchr(" \t\r\n", s.p[i]) == NULL || s.p[i] == '\0')
			return false;
	return true;
}

static void
write_text(struct json_writer *w, const struct part *p)
{
	if (is_blank(p->text))
		return;
	canon_begin(w, "text");
	canon_put_str(w, "text", p->text);
	write_cache(w, p->cache);
	jw_end_object(w);
}

static enum err
write_media(struct writing *x, const struct part *p)
{
	bool image = p->kind == PART_IMAGE;
	enum err e;

	canon_begin(&x->w, image ? "image" : "document");
	e = write_source(x, p, image ? "image/png" : "application/pdf");
	if (!image && p->name.len > 0)
		canon_put_str(&x->w, "title", p->name);
	write_cache(&x->w, p->cache);
	jw_end_object(&x->w);
	return e;
}

static enum err
write_block(struct writing *x, const struct part *p)
{
	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
		write_text(&x->w, p);
		return ERR_OK;
	case PART_IMAGE:
	case PART_FILE:
		return write_media(x, p);
	case PART_CALL:
		return write_call(x, p);
	case PART_RESULT:
		return write_result(x, p);
	case PART_REASONING:
		write_thinking(&x->w, p);
		return ERR_OK;
	case PART_AUDIO:
		return canon_refuse(x->fault, "audio");
	case PART_VIDEO:
		return canon_refuse(x->fault, "video");
	case PART_OTHER:
		break;
	}
	return canon_refuse(x->fault, "a content part of another dialect");
}

/* There is no JSON mode without a schema here: it is asked for in words. */
static const struct part in_json = {
	.kind = PART_TEXT,
	.text = { "Answer with one valid JSON object and nothing else.", 51 },
};

/* Is there anything in it that can be written? */
static bool
says(const struct message *m)
{
	const struct part *p;
	size_t i;

	for (i = 0; i < m->part_count; i++) {
		p = &m->parts[i];
		if (p->kind == PART_REASONING ? is_ours(p) :
		    (p->kind != PART_TEXT && p->kind != PART_REFUSAL) ||
		    !is_blank(p->text))
			return true;
	}
	return false;
}

/* All instructions stand at the front here, in their order. */
static enum err
write_system(struct writing *x)
{
	const struct chat *chat = x->chat;
	enum err e = ERR_OK;
	size_t i, k, n = chat->format == FORMAT_JSON;

	for (i = 0; i < chat->message_count; i++)
		if (canon_is_system(&chat->messages[i]))
			n += says(&chat->messages[i]);
	if (n == 0)
		return ERR_OK;
	jw_key(&x->w, "system");
	jw_array(&x->w);
	for (i = 0; i < chat->message_count; i++)
		for (k = 0; canon_is_system(&chat->messages[i]) &&
		    e == ERR_OK && k < chat->messages[i].part_count; k++)
			e = write_block(x, &chat->messages[i].parts[k]);
	if (chat->format == FORMAT_JSON)
		write_text(&x->w, &in_json);
	jw_end_array(&x->w);
	return e;
}

static bool
is_spoken(const struct message *m)
{
	return !canon_is_system(m) && says(m);
}

/* The parts of a turn that are results, or those that are not. */
static enum err
write_turn(struct writing *x, size_t from, size_t to, bool results)
{
	const struct message *m;
	enum err e = ERR_OK;
	size_t i, k;

	for (i = from; i < to; i++) {
		m = &x->chat->messages[i];
		for (k = 0; is_spoken(m) && k < m->part_count && e == ERR_OK;
		    k++)
			if ((m->parts[k].kind == PART_RESULT) == results)
				e = write_block(x, &m->parts[k]);
	}
	return e;
}

/*
 * Turns alternate here: neighbours of one side become one message, in which
 * results come first.
 */
static enum err
write_messages(struct writing *x)
{
	const struct chat *chat = x->chat;
	enum err e = ERR_OK;
	size_t i, end, turns = 0;
	bool side;

	jw_key(&x->w, "messages");
	jw_array(&x->w);
	for (i = 0; i < chat->message_count && e == ERR_OK; i = end) {
		end = i + 1;
		if (!is_spoken(&chat->messages[i]))
			continue;
		end = canon_turn(chat, i, is_spoken);
		side = chat->messages[i].role == ROLE_ASSISTANT;
		jw_object(&x->w);
		jw_key(&x->w, "role");
		jw_string(&x->w, side ? "assistant" : "user");
		jw_key(&x->w, "content");
		jw_array(&x->w);
		e = write_turn(x, i, end, true);
		if (e == ERR_OK)
			e = write_turn(x, i, end, false);
		jw_end_array(&x->w);
		jw_end_object(&x->w);
		turns++;
	}
	jw_end_array(&x->w);
	return e == ERR_OK && turns == 0 ?
	    canon_refuse(x->fault, "a chat of instructions only") : e;
}

static void
write_tools(struct writing *x)
{
	struct json_writer *w = &x->w;
	const struct tool *t;
	size_t i;

	if (x->chat->tool_count == 0)
		return;
	jw_key(w, "tools");
	jw_array(w);
	for (i = 0; i < x->chat->tool_count; i++) {
		t = &x->chat->tools[i];
		jw_object(w);
		canon_put_str(w, "name", t->name);
		canon_put_str(w, "description", t->description);
		canon_put_raw(w, "input_schema", canon_parameters(t));
		if (t->strict == 1)
			canon_put_flag(w, "strict", 1);
		write_cache(w, t->cache);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void
write_tool_choice(struct writing *x)
{
	static const char *const types[] = { "auto", "auto", "none", "any",
		"tool" };
	const struct chat *chat = x->chat;

	if (chat->tool_count == 0 || (chat->tool_choice == CHOICE_UNSET &&
	    chat->parallel_calls != 0))
		return;
	jw_key(&x->w, "tool_choice");
	canon_begin(&x->w, types[chat->tool_choice]);
	if (chat->tool_choice == CHOICE_NAMED)
		canon_put_str(&x->w, "name", chat->tool_name);
	if (chat->parallel_calls == 0 && chat->tool_choice != CHOICE_NONE)
		canon_put_flag(&x->w, "disable_parallel_tool_use", 1);
	jw_end_object(&x->w);
}

static int64_t
bound_of(const struct chat *chat, const struct deployment *d)
{
	if (chat->max_output > 0)
		return chat->max_output;
	return d->max_output > 0 ? d->max_output : MAX_TOKENS_UNKNOWN;
}

/*
 * A turn that goes on after calls must begin with its signed thinking when
 * thinking is on: not so when another model made the calls.
 */
static bool
calls_unsigned(const struct chat *chat)
{
	const struct message *m;
	size_t i = chat->message_count, k;

	while (i > 0 && chat->messages[i - 1].role != ROLE_ASSISTANT)
		i--;
	if (i == 0)
		return false;
	m = &chat->messages[i - 1];
	for (k = 0; k < m->part_count; k++)
		if (is_ours(&m->parts[k]))
			return false;
	for (k = 0; k < m->part_count; k++)
		if (m->parts[k].kind == PART_CALL)
			return true;
	return false;
}

/* Thinking and a forced tool exclude each other. */
static bool
may_think(const struct chat *chat)
{
	return chat->tool_choice < CHOICE_REQUIRED &&
	    chat->effort != EFFORT_NONE && !calls_unsigned(chat) &&
	    (chat->effort != EFFORT_UNSET || chat->think_budget > 0);
}

/*
 * 406 for "claude-opus-4-6", 500 for "claude-sonnet-5"; 0 for older forms of
 * the name ("claude-3-5-haiku") and for models of others.
 */
static long
version_of(const char *model)
{
	const char *p = strstr(model, "claude-");
	long major, minor = 0;
	char *end;

	if (p == NULL || (p[7] >= '0' && p[7] <= '9'))
		return 0;
	p = strchr(p + 7, '-');
	if (p == NULL)
		return 0;
	major = strtol(p + 1, &end, 10);
	if (*end == '-' || *end == '.')
		minor = strtol(end + 1, NULL, 10);
	return major < 4 || major > 99 ? 0 : major * 100 +
	    (minor < 0 || minor > 99 ? 0 : minor);
}

/*
 * Since 4.6 the model itself decides how long it thinks, and later ones
 * refuse a budget; since 4.7 they refuse settings of sampling.
 */
static bool
adapts(const char *model)
{
	return version_of(model) >= 406;
}

static bool
samples(const char *model)
{
	return version_of(model) < 407;
}

/* Tokens to think with, 0 = do not think. */
static int64_t
think_budget(const struct chat *chat, int64_t bound)
{
	static const int64_t budgets[] = {
		[EFFORT_MINIMAL] = 1024, [EFFORT_LOW] = 2048,
		[EFFORT_MEDIUM] = 8192, [EFFORT_HIGH] = 16384,
		[EFFORT_MAX] = 32768,
	};
	int64_t n;

	if (!may_think(chat))
		return 0;
	n = chat->think_budget > 0 ? chat->think_budget :
	    chat->effort == EFFORT_UNSET ? 0 : budgets[chat->effort];
	if (n > bound / 2 && chat->think_budget <= 0)
		n = bound / 2; /* room must be left for the answer */
	return n < THINK_LEAST || n >= bound ? 0 : n;
}

static void
write_number_at_most(struct json_writer *w, const char *key, struct str n,
    double max, const char *instead)
{
	char digits[64];

	if (n.p == NULL || n.len >= sizeof digits)
		return;
	memcpy(digits, n.p, n.len);
	digits[n.len] = '\0';
	canon_put_raw(w, key, strtod(digits, NULL) > max ?
	    canon_lit(instead) : n);
}

/* True when the model is to think. */
static bool
write_think(struct writing *x, bool adaptive, int64_t bound)
{
	int64_t budget = think_budget(x->chat, bound);
	struct json_writer *w = &x->w;
	bool thinks = adaptive ? may_think(x->chat) : budget > 0;

	if (!thinks && !(adaptive && x->chat->effort == EFFORT_NONE))
		return false;
	jw_key(w, "thinking");
	canon_begin(w, !thinks ? "disabled" : adaptive ? "adaptive" :
	    "enabled");
	if (thinks && !adaptive)
		canon_put_int(w, "budget_tokens", budget);
	if (thinks && adaptive)
		canon_put_str(w, "display", canon_lit(x->chat->think_hidden ?
		    "omitted" : "summarized"));
	jw_end_object(w);
	return thinks;
}

/* How hard to think, and the form of the answer. */
static void
write_output(struct writing *x, bool effort)
{
	static const char *const words[] = { [EFFORT_MINIMAL] = "low",
		[EFFORT_LOW] = "low", [EFFORT_MEDIUM] = "medium",
		[EFFORT_HIGH] = "high", [EFFORT_MAX] = "max" };
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;

	effort = effort && c->effort > EFFORT_NONE;
	if (!effort && c->format != FORMAT_SCHEMA)
		return;
	jw_key(w, "output_config");
	jw_object(w);
	if (effort)
		canon_put_str(w, "effort", canon_lit(words[c->effort]));
	if (c->format == FORMAT_SCHEMA) {
		jw_key(w, "format");
		canon_begin(w, "json_schema");
		canon_put_raw(w, "schema", canon_closed(x->arena,
		    c->format_schema));
		jw_end_object(w);
	}
	jw_end_object(w);
}

static void
write_settings(struct writing *x, const struct deployment *d)
{
	const struct chat *c = x->chat;
	int64_t bound = bound_of(c, d);
	bool adaptive = adapts(d->model);
	struct json_writer *w = &x->w;

	canon_put_int(w, "max_tokens", bound);
	/* Thinking excludes them all. */
	if (!write_think(x, adaptive, bound) && samples(d->model)) {
		/* The scale ends at 1 here, at 2 elsewhere. */
		write_number_at_most(w, "temperature", c->temperature, 1,
		    "1");
		canon_put_raw(w, "top_p", c->top_p);
		canon_put_raw(w, "top_k", c->top_k);
	}
	canon_put_list(w, "stop_sequences", c->stop, c->stop_count);
	if (*c->user != '\0') {
		jw_key(w, "metadata");
		jw_object(w);
		jw_key(w, "user_id");
		jw_string(w, c->user);
		jw_end_object(w);
	}
	write_output(x, adaptive);
	if (c->stream && (d->provider->quirks & QUIRK_INVOKE) == 0)
		canon_put_flag(w, "stream", 1);
}

uint64_t
anthropic_lacks(const struct chat *chat, const struct deployment *d)
{
	bool asked = chat->effort > EFFORT_NONE || chat->think_budget > 0;
	bool thinks = adapts(d->model) ? may_think(chat) :
	    think_budget(chat, bound_of(chat, d)) > 0;
	uint64_t lacks = 0;

	if (thinks || !samples(d->model))
		lacks |= PARAM_BIT(TEMPERATURE) | PARAM_BIT(TOP_P) |
		    PARAM_BIT(TOP_K);
	if (asked && !thinks)
		lacks |= PARAM_BIT(EFFORT) | PARAM_BIT(THINK_BUDGET);
	return lacks;
}

enum err
anthropic_write_chat(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f)
{
	struct writing x = { .arena = a, .chat = chat, .fault = f };
	enum err e;

	jw_init(&x.w, out);
	jw_object(&x.w);
	jw_key(&x.w, anthropic_guest(d) != NULL ? "anthropic_version" :
	    "model");
	jw_string(&x.w, anthropic_guest(d) != NULL ? anthropic_guest(d) :
	    d->model);
	e = write_system(&x);
	if (e == ERR_OK)
		e = write_messages(&x);
	if (e == ERR_OK)
		e = canon_functions(chat, f);
	if (e != ERR_OK)
		return e;
	write_tools(&x);
	write_tool_choice(&x);
	write_settings(&x, d);
	jw_end_object(&x.w);
	return out->failed ? fault_memory(f) : ERR_OK;
}
