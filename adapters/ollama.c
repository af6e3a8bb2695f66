/* Ollama's chat: a canonical request on its way to the provider. */
#include "adapters/ollama.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

struct writing {
	struct json_writer w;
	struct arena *arena;
	const struct chat *chat;
	const struct deployment *d;
	struct fault *fault;
};

/* What a message of this dialect can carry, or why not. */
static enum err
check_part(struct writing *x, const struct part *p)
{
	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
	case PART_CALL:
	case PART_RESULT:
	case PART_REASONING:
		return ERR_OK;
	case PART_IMAGE:
		return p->data.p != NULL ? ERR_OK :
		    canon_refuse(x->fault, "an image without its bytes");
	case PART_AUDIO:
		return canon_refuse(x->fault, "audio");
	case PART_VIDEO:
		return canon_refuse(x->fault, "video");
	case PART_FILE:
		return canon_refuse(x->fault, "files");
	case PART_OTHER:
		break;
	}
	return canon_refuse(x->fault, "a content part of another dialect");
}

static enum err
check_parts(struct writing *x, const struct part *parts, size_t n)
{
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < n && e == ERR_OK; i++) {
		e = check_part(x, &parts[i]);
		if (e == ERR_OK && parts[i].kind == PART_RESULT)
			e = check_parts(x, parts[i].parts,
			    parts[i].part_count);
	}
	return e;
}

/* All texts of one kind as one string, with something before them. */
static void
put_texts(struct json_writer *w, const char *key, const char *before,
    const struct part *parts, size_t n, bool (*wanted)(const struct part *p))
{
	struct buf b;
	size_t i;

	buf_init(&b, LIMIT_BODY_TEXT);
	buf_puts(&b, before);
	for (i = 0; i < n; i++)
		if (wanted(&parts[i]))
			buf_put(&b, parts[i].text.p, parts[i].text.len);
	canon_put_buf(w, key, &b);
}

/* An image of the message, or of a tool's answer in it. */
static void
write_images(struct json_writer *w, const struct part *parts, size_t n,
    bool *open)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (parts[i].kind == PART_RESULT)
			write_images(w, parts[i].parts, parts[i].part_count,
			    open);
		if (parts[i].kind != PART_IMAGE)
			continue;
		if (!*open) {
			jw_key(w, "images");
			jw_array(w);
			*open = true;
		}
		jw_stringn(w, parts[i].data.p, parts[i].data.len);
	}
}

static bool
has_images(const struct part *parts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (parts[i].kind == PART_IMAGE ||
		    (parts[i].kind == PART_RESULT &&
			has_images(parts[i].parts, parts[i].part_count)))
			return true;
	return false;
}

static void
open_message(struct json_writer *w, const char *role)
{
	jw_object(w);
	jw_key(w, "role");
	jw_string(w, role);
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
			    result->id.len > 0 &&
			    m->parts[k].id.len == result->id.len &&
			    memcmp(m->parts[k].id.p, result->id.p,
				result->id.len) == 0)
				return m->parts[k].name;
	}
	return result->name;
}

static void
write_result(struct writing *x, const struct part *p)
{
	struct json_writer *w = &x->w;

	open_message(w, "tool");
	put_texts(w, "content", p->failed ? CANON_FAILED : "", p->parts,
	    p->part_count, canon_is_text);
	canon_put_str(w, "tool_name", name_of(x->chat, p));
	canon_put_str(w, "tool_call_id", p->id);
	jw_end_object(w);
}

static void
write_call(struct writing *x, const struct part *p)
{
	struct str args = canon_args(x->arena, p->args);
	struct json_writer *w = &x->w;

	jw_object(w);
	canon_put_str(w, "id", p->id);
	jw_key(w, "function");
	jw_object(w);
	canon_put_str(w, "name", p->name);
	canon_put_raw(w, "arguments", args);
	w->out->failed |= args.p == NULL;
	jw_end_object(w);
	jw_end_object(w);
}

static void
write_calls(struct writing *x, const struct message *m)
{
	bool open = false;
	size_t i;

	for (i = 0; i < m->part_count; i++) {
		if (m->parts[i].kind != PART_CALL)
			continue;
		if (!open) {
			jw_key(&x->w, "tool_calls");
			jw_array(&x->w);
			open = true;
		}
		write_call(x, &m->parts[i]);
	}
	if (open)
		jw_end_array(&x->w);
}

/* Reasoning in plain text goes back; that of a maker with proofs does not. */
static bool
goes_back(const struct part *p)
{
	return p->kind == PART_REASONING && p->text.len > 0 &&
	    p->signature.len == 0 && p->sealed.len == 0;
}

static void
write_turn(struct writing *x, const struct message *m)
{
	static const char *const roles[] = { "system", "system", "user",
		"assistant", "user" };
	struct json_writer *w = &x->w;
	bool open = false, thought = false;
	size_t i;

	open_message(w, roles[m->role]);
	put_texts(w, "content", "", m->parts, m->part_count, canon_is_text);
	write_images(w, m->parts, m->part_count, &open);
	if (open)
		jw_end_array(w);
	for (i = 0; i < m->part_count; i++)
		thought |= goes_back(&m->parts[i]);
	if (thought)
		put_texts(w, "thinking", "", m->parts, m->part_count,
		    goes_back);
	write_calls(x, m);
	jw_end_object(w);
}

/*
 * A tool's answer is a message of its own; images of it go into the user's
 * message behind it, as models look for them there.
 */
static enum err
write_message(struct writing *x, const struct message *m)
{
	enum err e = check_parts(x, m->parts, m->part_count);
	bool rest = m->part_count == 0;
	size_t i;

	if (e != ERR_OK)
		return e;
	for (i = 0; i < m->part_count; i++) {
		if (m->parts[i].kind == PART_RESULT)
			write_result(x, &m->parts[i]);
		else
			rest = true;
	}
	if (rest || has_images(m->parts, m->part_count))
		write_turn(x, m);
	return ERR_OK;
}

/* There is no word for "do not call": no tools are offered then. */
static enum err
write_tools(struct writing *x)
{
	const struct chat *chat = x->chat;
	struct json_writer *w = &x->w;
	const struct tool *t;
	enum err e;
	size_t i;

	if (chat->tool_count == 0 || chat->tool_choice == CHOICE_NONE)
		return ERR_OK;
	e = canon_functions(chat, x->fault);
	if (e != ERR_OK)
		return e;
	jw_key(w, "tools");
	jw_array(w);
	for (i = 0; i < chat->tool_count; i++) {
		t = &chat->tools[i];
		jw_object(w);
		canon_put_str(w, "type", canon_lit("function"));
		jw_key(w, "function");
		jw_object(w);
		canon_put_str(w, "name", t->name);
		canon_put_str(w, "description", t->description);
		canon_put_raw(w, "parameters", canon_parameters(t));
		jw_end_object(w);
		jw_end_object(w);
	}
	jw_end_array(w);
	return ERR_OK;
}

static void
write_options(struct json_writer *w, const struct chat *c)
{
	jw_key(w, "options");
	jw_object(w);
	if (c->max_output > 0)
		canon_put_int(w, "num_predict", c->max_output);
	canon_put_raw(w, "temperature", c->temperature);
	canon_put_raw(w, "top_p", c->top_p);
	canon_put_raw(w, "top_k", c->top_k);
	canon_put_raw(w, "seed", c->seed);
	canon_put_raw(w, "frequency_penalty", c->frequency_penalty);
	canon_put_raw(w, "presence_penalty", c->presence_penalty);
	canon_put_list(w, "stop", c->stop, c->stop_count);
	jw_end_object(w);
}

/* Off, or a level; models without levels read any of them as "on". */
static void
write_think(struct json_writer *w, const struct chat *c)
{
	static const char *const levels[] = { [EFFORT_MINIMAL] = "low",
		[EFFORT_LOW] = "low", [EFFORT_MEDIUM] = "medium",
		[EFFORT_HIGH] = "high", [EFFORT_MAX] = "high" };

	if (c->effort == EFFORT_NONE)
		canon_put_flag(w, "think", 0);
	else if (c->effort != EFFORT_UNSET)
		canon_put_str(w, "think", canon_lit(levels[c->effort]));
}

static void
write_settings(struct json_writer *w, const struct chat *c)
{
	if (c->format == FORMAT_JSON)
		canon_put_str(w, "format", canon_lit("json"));
	else if (c->format == FORMAT_SCHEMA)
		canon_put_raw(w, "format", c->format_schema);
	write_options(w, c);
	write_think(w, c);
	if (c->logprobs)
		canon_put_flag(w, "logprobs", 1);
	if (c->top_logprobs > 0)
		canon_put_int(w, "top_logprobs", c->top_logprobs);
	/* It streams unless told not to. */
	canon_put_flag(w, "stream", c->stream);
}

static enum err
write_chat(struct writing *x)
{
	struct json_writer *w = &x->w;
	enum err e = ERR_OK;
	size_t i;

	jw_object(w);
	jw_key(w, "model");
	jw_string(w, x->d->model);
	jw_key(w, "messages");
	jw_array(w);
	for (i = 0; i < x->chat->message_count && e == ERR_OK; i++)
		e = write_message(x, &x->chat->messages[i]);
	jw_end_array(w);
	if (e == ERR_OK)
		e = write_tools(x);
	if (e != ERR_OK)
		return e;
	write_settings(w, x->chat);
	jw_end_object(w);
	return ERR_OK;
}

static enum err
ollama_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct writing x = { .arena = a, .chat = chat, .d = d, .fault = f };
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = arena_printf(a, "%s/api/chat", d->provider->base_url);
	buf_init(&body, LIMIT_BODY * 2);
	jw_init(&x.w, &body);
	e = write_chat(&x);
	return canon_body(a, call, &body, e, f);
}

const struct adapter adapter_ollama = {
	.name = "ollama",
	.takes = PARAM_BIT(MAX_OUTPUT) | PARAM_BIT(TEMPERATURE) |
	    PARAM_BIT(TOP_P) | PARAM_BIT(TOP_K) | PARAM_BIT(STOP) |
	    PARAM_BIT(SEED) | PARAM_BIT(FREQUENCY_PENALTY) |
	    PARAM_BIT(PRESENCE_PENALTY) | PARAM_BIT(LOGPROBS) |
	    PARAM_BIT(TOP_LOGPROBS) | PARAM_BIT(TOOLS) | PARAM_BIT(FORMAT) |
	    PARAM_BIT(EFFORT),
	.framing = FRAMING_LINES,
	.write_request = ollama_write_request,
	.read_reply = ollama_read_reply,
	.read_event = ollama_read_event,
	.classify = errors_classify,
};
