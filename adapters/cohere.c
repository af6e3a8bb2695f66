/* Cohere Chat v2: a canonical request on its way to the provider. */
#include "adapters/cohere.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

struct writing {
	struct json_writer w;
	const struct chat *chat;
	const struct deployment *d;
	struct fault *fault;
};

static void
open_message(struct json_writer *w, const char *role)
{
	jw_object(w);
	jw_key(w, "role");
	jw_string(w, role);
}

static void
write_text(struct json_writer *w, const struct part *p)
{
	canon_begin(w, "text");
	canon_put_text(w, "text", p->text);
	jw_end_object(w);
}

static enum err
write_image(struct writing *x, const struct part *p)
{
	struct json_writer *w = &x->w;

	if (p->data.p == NULL && p->url.p == NULL)
		return canon_refuse(x->fault, "an image by its file id");
	canon_begin(w, "image_url");
	jw_key(w, "image_url");
	jw_object(w);
	canon_put_url(w, "url", p, "image/png");
	canon_put_str(w, "detail", p->detail);
	jw_end_object(w);
	jw_end_object(w);
	return ERR_OK;
}

static enum err
write_part(struct writing *x, const struct part *p)
{
	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
		write_text(&x->w, p);
		return ERR_OK;
	case PART_IMAGE:
		return write_image(x, p);
	case PART_CALL: /* these have places of their own */
	case PART_RESULT:
	case PART_REASONING:
		return ERR_OK;
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

/* One text is a string, more is a list. */
static enum err
write_content(struct writing *x, const struct part *parts, size_t n)
{
	size_t i, contents = 0, texts = 0, at = 0;
	enum err e = ERR_OK;

	for (i = 0; i < n; i++) {
		if (parts[i].kind == PART_RESULT)
			continue;
		contents++;
		texts += canon_is_text(&parts[i]);
		at = canon_is_text(&parts[i]) ? i : at;
	}
	jw_key(&x->w, "content");
	if (contents == texts && contents <= 1) {
		jw_stringn(&x->w, texts == 0 ? "" : parts[at].text.p,
		    texts == 0 ? 0 : parts[at].text.len);
		return ERR_OK;
	}
	jw_array(&x->w);
	for (i = 0; i < n && e == ERR_OK; i++)
		e = write_part(x, &parts[i]);
	jw_end_array(&x->w);
	return e;
}

static void
put_texts(struct json_writer *w, const struct part *parts, size_t n)
{
	struct buf b;
	size_t i;

	buf_init(&b, LIMIT_BODY_TEXT);
	for (i = 0; i < n; i++)
		if (canon_is_text(&parts[i]))
			buf_put(&b, parts[i].text.p, parts[i].text.len);
	jw_stringn(w, b.data == NULL ? "" : b.data, b.len);
	w->out->failed |= b.failed;
	buf_free(&b);
}

/* A failure is told as a document with an error: there is no flag for it. */
static void
write_result(struct json_writer *w, const struct part *p)
{
	open_message(w, "tool");
	canon_put_str(w, "tool_call_id", p->id);
	jw_key(w, "content");
	if (p->failed) {
		jw_array(w);
		canon_begin(w, "document");
		jw_key(w, "document");
		jw_object(w);
		jw_key(w, "data");
		jw_object(w);
		jw_key(w, "error");
	}
	put_texts(w, p->parts, p->part_count);
	if (p->failed) {
		jw_end_object(w);
		jw_end_object(w);
		jw_end_object(w);
		jw_end_array(w);
	}
	jw_end_object(w);
}

/*
 * A tool's answer is text here: images of it go into the user's message
 * behind it.
 */
static enum err
write_result_media(struct writing *x, const struct part *p)
{
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < p->part_count && e == ERR_OK; i++)
		if (!canon_is_text(&p->parts[i]))
			e = write_part(x, &p->parts[i]);
	return e;
}

static bool
has_media(const struct part *p)
{
	size_t i;

	for (i = 0; p->kind == PART_RESULT && i < p->part_count; i++)
		if (!canon_is_text(&p->parts[i]))
			return true;
	return false;
}

/* A user's turn: results first, each a message, then all the rest. */
static enum err
write_user(struct writing *x, const struct message *m)
{
	size_t i, rest = 0, media = 0;
	enum err e = ERR_OK;

	for (i = 0; i < m->part_count; i++) {
		if (m->parts[i].kind == PART_RESULT)
			write_result(&x->w, &m->parts[i]);
		rest += m->parts[i].kind != PART_RESULT;
		media += has_media(&m->parts[i]);
	}
	if (rest + media == 0 && m->part_count > 0)
		return ERR_OK;
	open_message(&x->w, "user");
	if (media == 0) {
		e = write_content(x, m->parts, m->part_count);
	} else {
		jw_key(&x->w, "content");
		jw_array(&x->w);
		for (i = 0; i < m->part_count && e == ERR_OK; i++)
			e = has_media(&m->parts[i]) ?
			    write_result_media(x, &m->parts[i]) :
			    write_part(x, &m->parts[i]);
		jw_end_array(&x->w);
	}
	jw_end_object(&x->w);
	return e;
}

/*
 * Reasoning goes back in plain text, to models that reason; that of another
 * maker, with its proof, is left out.
 */
static bool
goes_back(const struct writing *x, const struct part *p)
{
	return p->kind == PART_REASONING && p->text.len > 0 &&
	    p->signature.len == 0 && p->sealed.len == 0 &&
	    (x->d->caps & CAP_REASONING) != 0;
}

static enum err
write_said(struct writing *x, const struct message *m)
{
	struct json_writer *w = &x->w;
	enum err e = ERR_OK;
	size_t i;

	jw_key(w, "content");
	jw_array(w);
	for (i = 0; i < m->part_count && e == ERR_OK; i++) {
		if (!goes_back(x, &m->parts[i])) {
			e = write_part(x, &m->parts[i]);
			continue;
		}
		canon_begin(w, "thinking");
		canon_put_str(w, "thinking", m->parts[i].text);
		jw_end_object(w);
	}
	jw_end_array(w);
	return e;
}

static void
write_calls(struct json_writer *w, const struct message *m)
{
	const struct part *p;
	size_t i;

	jw_key(w, "tool_calls");
	jw_array(w);
	for (i = 0; i < m->part_count; i++) {
		p = &m->parts[i];
		if (p->kind != PART_CALL)
			continue;
		canon_begin(w, "function");
		canon_put_str(w, "id", p->id);
		jw_key(w, "function");
		jw_object(w);
		canon_put_str(w, "name", p->name);
		canon_put_str(w, "arguments", p->args);
		jw_end_object(w);
		jw_end_object(w);
	}
	jw_end_array(w);
}

/* What was said before calls is the plan for them, as it is in answers. */
static enum err
write_assistant(struct writing *x, const struct message *m)
{
	size_t i, calls = 0, texts = 0, others = 0;
	enum err e = ERR_OK;

	for (i = 0; i < m->part_count; i++) {
		calls += m->parts[i].kind == PART_CALL;
		texts += canon_is_text(&m->parts[i]) &&
		    m->parts[i].text.len > 0;
		others += goes_back(x, &m->parts[i]) ||
		    (!canon_is_text(&m->parts[i]) &&
			m->parts[i].kind != PART_CALL &&
			m->parts[i].kind != PART_REASONING);
	}
	open_message(&x->w, "assistant");
	if (others > 0) {
		e = write_said(x, m);
	} else if (texts > 0 || calls == 0) {
		jw_key(&x->w, calls > 0 ? "tool_plan" : "content");
		put_texts(&x->w, m->parts, m->part_count);
	}
	if (calls > 0)
		write_calls(&x->w, m);
	jw_end_object(&x->w);
	return e;
}

static enum err
write_message(struct writing *x, const struct message *m)
{
	enum err e;

	switch (m->role) {
	case ROLE_ASSISTANT:
		return write_assistant(x, m);
	case ROLE_USER:
	case ROLE_TOOL:
		return write_user(x, m);
	default:
		break;
	}
	open_message(&x->w, "system");
	e = write_content(x, m->parts, m->part_count);
	jw_end_object(&x->w);
	return e;
}

static bool
is_named(const struct chat *chat, const struct tool *t)
{
	return t->name.len == chat->tool_name.len &&
	    memcmp(t->name.p, chat->tool_name.p, t->name.len) == 0;
}

/*
 * The one function that must be called is the only one offered: there is no
 * other word for it.
 */
static void
write_tools(struct writing *x)
{
	const struct chat *chat = x->chat;
	struct json_writer *w = &x->w;
	const struct tool *t;
	size_t i, strict = 0;

	if (chat->tool_count == 0)
		return;
	jw_key(w, "tools");
	jw_array(w);
	for (i = 0; i < chat->tool_count; i++) {
		t = &chat->tools[i];
		strict += t->strict == 1;
		if (chat->tool_choice == CHOICE_NAMED && !is_named(chat, t))
			continue;
		canon_begin(w, "function");
		jw_key(w, "function");
		jw_object(w);
		canon_put_str(w, "name", t->name);
		canon_put_str(w, "description", t->description);
		canon_put_raw(w, "parameters", canon_parameters(t));
		jw_end_object(w);
		jw_end_object(w);
	}
	jw_end_array(w);
	if (strict == chat->tool_count)
		canon_put_flag(w, "strict_tools", 1);
	if (chat->tool_choice == CHOICE_NONE)
		canon_put_str(w, "tool_choice", canon_lit("NONE"));
	else if (chat->tool_choice >= CHOICE_REQUIRED)
		canon_put_str(w, "tool_choice", canon_lit("REQUIRED"));
}

static void
write_format(struct writing *x)
{
	const struct chat *chat = x->chat;

	if (chat->format == FORMAT_UNSET)
		return;
	jw_key(&x->w, "response_format");
	canon_begin(&x->w, chat->format == FORMAT_TEXT ? "text" :
	    "json_object");
	if (chat->format == FORMAT_SCHEMA)
		canon_put_raw(&x->w, "json_schema", chat->format_schema);
	jw_end_object(&x->w);
}

/* Tokens to think with for an effort; 0 = as many as the model likes. */
static const int64_t budgets[] = { [EFFORT_MINIMAL] = 512,
	[EFFORT_LOW] = 2048, [EFFORT_MEDIUM] = 8192, [EFFORT_HIGH] = 0,
	[EFFORT_MAX] = 0 };

static void
write_thinking(struct writing *x)
{
	const struct chat *c = x->chat;
	int64_t budget = c->think_budget;

	if (c->effort == EFFORT_UNSET && budget < 0)
		return;
	jw_key(&x->w, "thinking");
	if (c->effort == EFFORT_NONE || budget == 0) {
		canon_begin(&x->w, "disabled");
	} else {
		canon_begin(&x->w, "enabled");
		if (budget < 0)
			budget = budgets[c->effort];
		if (budget > 0)
			canon_put_int(&x->w, "token_budget", budget);
	}
	jw_end_object(&x->w);
}

static void
write_settings(struct writing *x)
{
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;

	if (c->max_output > 0)
		canon_put_int(w, "max_tokens", c->max_output);
	canon_put_raw(w, "temperature", c->temperature);
	canon_put_raw(w, "p", c->top_p);
	canon_put_raw(w, "k", c->top_k);
	canon_put_raw(w, "seed", c->seed);
	canon_put_raw(w, "frequency_penalty", c->frequency_penalty);
	canon_put_raw(w, "presence_penalty", c->presence_penalty);
	canon_put_list(w, "stop_sequences", c->stop, c->stop_count);
	if (c->logprobs)
		canon_put_flag(w, "logprobs", 1);
	write_thinking(x);
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
		e = canon_functions(x->chat, x->fault);
	if (e != ERR_OK)
		return e;
	write_tools(x);
	write_format(x);
	write_settings(x);
	jw_end_object(w);
	return ERR_OK;
}

/* Strict are all tools or none. */
static uint64_t
cohere_lacks(const struct chat *chat, const struct deployment *d)
{
	size_t i;

	(void)d;
	for (i = 0; i < chat->tool_count; i++)
		if (chat->tools[i].strict != 1)
			return PARAM_BIT(STRICT_TOOLS);
	return 0;
}

static enum err
cohere_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct writing x = { .chat = chat, .d = d, .fault = f };
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = arena_printf(a, "%s/v2/chat", d->provider->base_url);
	buf_init(&body, LIMIT_BODY * 2);
	jw_init(&x.w, &body);
	e = write_chat(&x);
	return canon_body(a, call, &body, e, f);
}

const struct adapter adapter_cohere = {
	.name = "cohere",
	.takes = PARAM_BIT(MAX_OUTPUT) | PARAM_BIT(TEMPERATURE) |
	    PARAM_BIT(TOP_P) | PARAM_BIT(TOP_K) | PARAM_BIT(STOP) |
	    PARAM_BIT(SEED) | PARAM_BIT(FREQUENCY_PENALTY) |
	    PARAM_BIT(PRESENCE_PENALTY) | PARAM_BIT(LOGPROBS) |
	    PARAM_BIT(TOOLS) | PARAM_BIT(TOOL_CHOICE) | PARAM_BIT(FORMAT) |
	    PARAM_BIT(EFFORT) | PARAM_BIT(THINK_BUDGET) |
	    PARAM_BIT(STRICT_TOOLS),
	.framing = FRAMING_SSE,
	.lacks = cohere_lacks,
	.write_request = cohere_write_request,
	.read_reply = cohere_read_reply,
	.read_event = cohere_read_event,
	.classify = errors_classify,
};
