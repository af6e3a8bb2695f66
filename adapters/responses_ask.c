/*
 * A request to a provider that speaks Responses, from the canonical form of
 * a client that does not. Nothing is to be stored there: the client has the
 * whole conversation.
 */
#include "adapters/responses.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/openai.h"
#include "app/base/buf.h"

struct writing {
	struct json_writer w;
	const struct chat *chat;
	struct fault *fault;
};

/* ------------------------------------------------------------ content */

static void
write_image(struct json_writer *w, const struct part *p)
{
	canon_begin(w, "input_image");
	canon_put_url(w, "image_url", p, "image/png");
	canon_put_str(w, "file_id", p->file);
	canon_put_str(w, "detail", p->detail.len > 0 ? p->detail :
	    canon_lit("auto"));
	jw_end_object(w);
}

static void
write_file(struct json_writer *w, const struct part *p)
{
	canon_begin(w, "input_file");
	canon_put_str(w, "file_id", p->file);
	if (p->data.p != NULL) {
		canon_put_str(w, "filename", p->name.len > 0 ? p->name :
		    canon_lit("file.pdf"));
		canon_put_url(w, "file_data", p, "application/pdf");
	} else {
		canon_put_str(w, "file_url", p->url);
	}
	jw_end_object(w);
}

/* One part of a message or of a tool's answer. */
static enum err
write_part(struct writing *x, const struct part *p, bool assistant)
{
	struct json_writer *w = &x->w;

	switch (p->kind) {
	case PART_TEXT:
		canon_begin(w, assistant ? "output_text" : "input_text");
		canon_put_text(w, "text", p->text);
		if (assistant)
			canon_put_raw(w, "annotations", canon_lit("[]"));
		jw_end_object(w);
		return ERR_OK;
	case PART_REFUSAL:
		canon_begin(w, "refusal");
		canon_put_text(w, "refusal", p->text);
		jw_end_object(w);
		return ERR_OK;
	case PART_IMAGE:
		write_image(w, p);
		return ERR_OK;
	case PART_FILE:
		write_file(w, p);
		return ERR_OK;
	case PART_AUDIO:
		openai_write_audio(w, p);
		return ERR_OK;
	case PART_VIDEO:
		return canon_refuse(x->fault, "video");
	default:
		return canon_refuse(x->fault,
		    "a content part of another dialect");
	}
}

/* -------------------------------------------------------------- items */

/* Parts n of a message, or the text alone where there is nothing else. */
static enum err
write_content(struct writing *x, const char *key, const struct part *p,
    size_t n, bool assistant)
{
	enum err e = ERR_OK;
	size_t i;

	if (n == 1 && p->kind == PART_TEXT) {
		canon_put_text(&x->w, key, p->text);
		return ERR_OK;
	}
	jw_key(&x->w, key);
	jw_array(&x->w);
	for (i = 0; i < n && e == ERR_OK; i++)
		e = write_part(x, &p[i], assistant);
	jw_end_array(&x->w);
	return e;
}

static void
write_call(struct writing *x, const struct part *p)
{
	canon_begin(&x->w, "function_call");
	canon_put_text(&x->w, "call_id", p->id);
	canon_put_text(&x->w, "name", p->name);
	canon_put_text(&x->w, "arguments", p->args);
	jw_end_object(&x->w);
}

/* That it failed stands before all that it says. */
static enum err
write_failed(struct writing *x, const struct part *p)
{
	const struct part failed = { .kind = PART_TEXT,
		.text = canon_lit(CANON_FAILED) };
	struct buf b;
	enum err e;
	size_t i;

	if (p->part_count == 1 && p->parts[0].kind == PART_TEXT) {
		buf_init(&b, LIMIT_BODY_TEXT);
		buf_puts(&b, CANON_FAILED);
		buf_put(&b, p->parts[0].text.p, p->parts[0].text.len);
		canon_put_buf(&x->w, "output", &b);
		return ERR_OK;
	}
	jw_key(&x->w, "output");
	jw_array(&x->w);
	e = write_part(x, &failed, false);
	for (i = 0; i < p->part_count && e == ERR_OK; i++)
		e = write_part(x, &p->parts[i], false);
	jw_end_array(&x->w);
	return e;
}

static enum err
write_result(struct writing *x, const struct part *p)
{
	enum err e = ERR_OK;

	canon_begin(&x->w, "function_call_output");
	canon_put_text(&x->w, "call_id", p->id);
	if (p->part_count == 0)
		canon_put_text(&x->w, "output", canon_lit(p->failed ?
		    CANON_FAILED : ""));
	else if (p->failed)
		e = write_failed(x, p);
	else
		e = write_content(x, "output", p->parts, p->part_count,
		    false);
	jw_end_object(&x->w);
	return e;
}

/* Only its maker can take reasoning; that of others is left out. */
static void
write_reasoning(struct writing *x, const struct part *p)
{
	struct json_writer *w = &x->w;

	if (p->origin == NULL || strcmp(p->origin, "responses") != 0 ||
	    p->sealed.len == 0)
		return;
	canon_begin(w, "reasoning");
	if (p->id.len > 0)
		canon_put_str(w, "id", p->id);
	jw_key(w, "summary");
	jw_array(w);
	if (p->text.len > 0) {
		canon_begin(w, "summary_text");
		canon_put_str(w, "text", p->text);
		jw_end_object(w);
	}
	jw_end_array(w);
	canon_put_str(w, "encrypted_content", p->sealed);
	jw_end_object(w);
}

static bool
is_item(const struct part *p)
{
	return p->kind == PART_CALL || p->kind == PART_RESULT ||
	    p->kind == PART_REASONING;
}

/* A message and the items that stand beside messages here, in order. */
static enum err
write_message(struct writing *x, const struct message *m)
{
	static const char *const roles[] = { "system", "developer", "user",
		"assistant", "user" };
	enum err e = ERR_OK;
	size_t i = 0, n;

	while (i < m->part_count && e == ERR_OK) {
		if (m->parts[i].kind == PART_CALL)
			write_call(x, &m->parts[i++]);
		else if (m->parts[i].kind == PART_REASONING)
			write_reasoning(x, &m->parts[i++]);
		else if (m->parts[i].kind == PART_RESULT)
			e = write_result(x, &m->parts[i++]);
		else {
			for (n = 1; i + n < m->part_count &&
			    !is_item(&m->parts[i + n]); n++)
				;
			jw_object(&x->w);
			jw_key(&x->w, "role");
			jw_string(&x->w, roles[m->role]);
			e = write_content(x, "content", &m->parts[i], n,
			    m->role == ROLE_ASSISTANT);
			jw_end_object(&x->w);
			i += n;
		}
	}
	return e;
}

static enum err
write_input(struct writing *x)
{
	enum err e = ERR_OK;
	size_t i;

	jw_key(&x->w, "input");
	jw_array(&x->w);
	for (i = 0; i < x->chat->message_count && e == ERR_OK; i++)
		e = write_message(x, &x->chat->messages[i]);
	jw_end_array(&x->w);
	return e;
}

/* ----------------------------------------------------------- settings */

/*
 * Schema and strictness are always said: what is not said would be taken as
 * strict here, which no other dialect does.
 */
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
		canon_begin(w, "function");
		canon_put_str(w, "name", t->name);
		canon_put_str(w, "description", t->description);
		canon_put_raw(w, "parameters", canon_parameters(t));
		canon_put_flag(w, "strict", t->strict == 1);
		jw_end_object(w);
	}
	jw_end_array(w);
	canon_put_flag(w, "parallel_tool_calls", x->chat->parallel_calls);
}

static void
write_tool_choice(struct writing *x)
{
	static const char *const words[] = { NULL, "auto", "none",
		"required", NULL };
	const struct chat *chat = x->chat;

	if (chat->tool_choice == CHOICE_UNSET || chat->tool_count == 0)
		return;
	jw_key(&x->w, "tool_choice");
	if (chat->tool_choice != CHOICE_NAMED) {
		jw_string(&x->w, words[chat->tool_choice]);
		return;
	}
	canon_begin(&x->w, "function");
	canon_put_str(&x->w, "name", chat->tool_name);
	jw_end_object(&x->w);
}

static void
write_text_settings(struct writing *x)
{
	static const char *const words[] = { NULL, "text", "json_object",
		"json_schema" };
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;

	if (c->format == FORMAT_UNSET && c->verbosity.len == 0)
		return;
	jw_key(w, "text");
	jw_object(w);
	if (c->format != FORMAT_UNSET) {
		jw_key(w, "format");
		canon_begin(w, words[c->format]);
		if (c->format == FORMAT_SCHEMA) {
			canon_put_str(w, "name", c->format_name.len == 0 ?
			    canon_lit("answer") : c->format_name);
			canon_put_str(w, "description",
			    c->format_description);
			canon_put_raw(w, "schema", c->format_schema);
			canon_put_flag(w, "strict", c->format_strict);
		}
		jw_end_object(w);
	}
	if (c->verbosity.len > 0)
		canon_put_str(w, "verbosity", c->verbosity);
	jw_end_object(w);
}

/*
 * A client that sets an effort gets the reasoning too: what can be read of
 * it, and what the model needs of it in the next turn.
 */
static void
write_reasoning_settings(struct writing *x)
{
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;
	bool thinks = c->effort > EFFORT_NONE;

	if (c->effort != EFFORT_UNSET) {
		jw_key(w, "reasoning");
		jw_object(w);
		jw_key(w, "effort");
		jw_string(w, canon_effort_word(c->effort));
		if (thinks && !c->think_hidden) {
			jw_key(w, "summary");
			jw_string(w, "auto");
		}
		jw_end_object(w);
	}
	if (!thinks && !c->logprobs)
		return;
	jw_key(w, "include");
	jw_array(w);
	if (thinks)
		jw_string(w, "reasoning.encrypted_content");
	if (c->logprobs)
		jw_string(w, "message.output_text.logprobs");
	jw_end_array(w);
}

static void
write_settings(struct writing *x)
{
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;

	if (c->max_output > 0)
		canon_put_int(w, "max_output_tokens", c->max_output);
	canon_put_raw(w, "temperature", c->temperature);
	canon_put_raw(w, "top_p", c->top_p);
	if (c->top_logprobs > 0)
		canon_put_int(w, "top_logprobs", c->top_logprobs);
	canon_put_raw(w, "metadata", c->metadata);
	canon_put_str(w, "service_tier", c->service_tier);
	canon_put_str(w, "prompt_cache_key", c->cache_key);
	canon_put_flag(w, "store", c->store == 1);
	if (*c->user != '\0') {
		jw_key(w, "user");
		jw_string(w, c->user);
	}
	if (c->stream)
		canon_put_flag(w, "stream", 1);
}

enum err
responses_write_chat(const struct chat *chat, const struct deployment *d,
    struct buf *out, struct fault *f)
{
	struct writing x = { .chat = chat, .fault = f };
	enum err e;

	jw_init(&x.w, out);
	jw_object(&x.w);
	jw_key(&x.w, "model");
	jw_string(&x.w, d->model);
	e = write_input(&x);
	if (e == ERR_OK)
		e = canon_functions(chat, f);
	if (e != ERR_OK)
		return e;
	write_tools(&x);
	write_tool_choice(&x);
	write_text_settings(&x);
	write_reasoning_settings(&x);
	write_settings(&x);
	jw_end_object(&x.w);
	return out->failed ? fault_memory(f) : ERR_OK;
}
