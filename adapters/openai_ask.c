/*
 * A request to a provider that speaks OpenAI chat, from the canonical form of
 * a client that does not.
 */
#include "adapters/openai.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/base/buf.h"

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

void
openai_write_audio(struct json_writer *w, const struct part *p)
{
	struct str format = p->media_type;
	const char *slash = format.p == NULL ? NULL :
	    memchr(format.p, '/', format.len);

	if (slash != NULL) {
		format.len -= (size_t)(slash + 1 - format.p);
		format.p = slash + 1;
	}
	canon_begin(w, "input_audio");
	jw_key(w, "input_audio");
	jw_object(w);
	canon_put_str(w, "data", p->data);
	canon_put_str(w, "format", canon_is(format, "mpeg") ?
	    canon_lit("mp3") : format.p == NULL ? canon_lit("wav") : format);
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
	[PART_AUDIO] = openai_write_audio,
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
	struct buf b;
	size_t i;

	open_message(w, "tool", (struct str){ NULL, 0 });
	canon_put_str(w, "tool_call_id", p->id);
	buf_init(&b, LIMIT_BODY_TEXT);
	buf_puts(&b, p->failed ? CANON_FAILED : "");
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

static void
write_tools(struct json_writer *w, const struct chat *chat)
{
	const struct tool *t;
	size_t i;

	if (chat->tool_count == 0)
		return;
	jw_key(w, "tools");
	jw_array(w);
	for (i = 0; i < chat->tool_count; i++) {
		t = &chat->tools[i];
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
	canon_put_list(w, "stop", c->stop, c->stop_count);
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
	e = canon_functions(chat, f);
	if (e != ERR_OK)
		return e;
	write_tools(&w, chat);
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
