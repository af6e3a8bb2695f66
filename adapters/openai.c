/*
 * The OpenAI chat dialect: a client's request at the door, and the same
 * document on its way to a provider. openai.h tells of the other files.
 */
#include "adapters/openai.h"

#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/reading.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/form.h"
#include "app/base/limits.h"

/* ----------------------------------------------------------- request */

static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "messages", IS(ARRAY), "an array" },
	{ "stream", IS_BOOL, "a boolean" },
	{ "stream_options", IS(OBJECT), "an object" },
	{ "n", IS(NUMBER), "an integer" },
	{ "max_tokens", IS(NUMBER), "an integer" },
	{ "max_completion_tokens", IS(NUMBER), "an integer" },
	{ "temperature", IS(NUMBER), "a number" },
	{ "top_p", IS(NUMBER), "a number" },
	{ "frequency_penalty", IS(NUMBER), "a number" },
	{ "presence_penalty", IS(NUMBER), "a number" },
	{ "stop", IS(STRING) | IS(ARRAY), "a string or an array" },
	{ "tools", IS(ARRAY), "an array" },
	{ "tool_choice", IS(STRING) | IS(OBJECT), "a string or an object" },
	{ "response_format", IS(OBJECT), "an object" },
	{ "logit_bias", IS(OBJECT), "an object" },
	{ "user", IS(STRING), "a string" },
};

/* Content parts that ask for a capability. */
static const struct rd_need parts[] = {
	{ "image_url", CAP_IMAGE_IN },
	{ "input_audio", CAP_AUDIO_IN },
	{ "file", CAP_PDF_IN },
	{ "video_url", CAP_VIDEO_IN },
};

static enum err
read_messages(struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "messages"), m;
	char where[40];
	int i = 0;

	if (json_count(doc, list) == 0)
		return fault_set(f, ERR_BAD_REQUEST, "messages",
		    "'messages' must hold at least one message");
	if (json_count(doc, list) > LIMIT_MESSAGES)
		return fault_set(f, ERR_TOO_LARGE, "messages",
		    "more than %d messages", LIMIT_MESSAGES);
	for (m = json_first(doc, list); m != JSON_NONE;
	    m = json_next(doc, list, m), i++) {
		if (!json_nonempty(doc, json_get(doc, m, "role"))) {
			snprintf(where, sizeof where, "messages[%d].role", i);
			return fault_set(f, ERR_BAD_REQUEST, where,
			    "every message must be an object with a 'role'");
		}
		chat->needs |= rd_needs(doc,
		    json_get(doc, m, "content"), parts,
		    sizeof parts / sizeof parts[0]);
	}
	return ERR_OK;
}

static enum err
read_limits(struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	enum err e;

	e = rd_positive(doc, "n", 1, &chat->choices, f);
	if (e == ERR_OK)
		e = rd_positive(doc, "max_tokens", 0, &chat->max_output,
		    f);
	if (e == ERR_OK)
		e = rd_positive(doc, "max_completion_tokens",
		    chat->max_output, &chat->max_output, f);
	return e;
}

static enum err
openai_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0],
	    true, f);
	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK)
		e = read_messages(chat, f);
	if (e == ERR_OK)
		e = read_limits(chat, f);
	if (e != ERR_OK)
		return e;
	chat->stream = json_type(doc, json_get(doc, JSON_ROOT, "stream")) ==
	    JSON_TRUE;
	chat->stream_usage = json_type(doc, json_at(doc, JSON_ROOT,
	    "stream_options", "include_usage", NULL)) == JSON_TRUE;
	if (json_count(doc, json_get(doc, JSON_ROOT, "tools")) > 0)
		chat->needs |= CAP_TOOLS;
	if (json_is(doc, json_at(doc, JSON_ROOT, "response_format", "type",
	    NULL), "json_schema"))
		chat->needs |= CAP_STRUCTURED;
	chat->user = rd_word(doc, "user", a);
	return ERR_OK;
}

void
openai_ask_usage(struct edits *e, const struct chat *chat, unsigned quirks)
{
	const struct json *doc = &chat->doc;
	uint32_t options = json_get(doc, JSON_ROOT, "stream_options");

	if (!chat->stream || (quirks & QUIRK_NO_STREAM_OPTIONS) != 0)
		edits_remove(e, JSON_ROOT, "stream_options");
	else if (json_type(doc, options) != JSON_OBJECT)
		edits_set(e, JSON_ROOT, "stream_options",
		    "{\"include_usage\":true}", 22);
	else if (!chat->stream_usage)
		edits_set(e, options, "include_usage", "true", 4);
}

/* The bound on output under the name that this provider knows. */
static void
name_limit(struct edits *e, const struct chat *chat, unsigned quirks)
{
	static const char *const names[] = { "max_tokens",
		"max_completion_tokens" };
	const struct json *doc = &chat->doc;
	const char *want, *other, *raw;
	uint32_t v;
	size_t len;

	if ((quirks & (QUIRK_MAX_TOKENS | QUIRK_MAX_COMPLETION)) == 0)
		return;
	want = names[(quirks & QUIRK_MAX_COMPLETION) != 0];
	other = names[(quirks & QUIRK_MAX_COMPLETION) == 0];
	v = json_get(doc, JSON_ROOT, other);
	if (v == JSON_NONE)
		return;
	if (json_get(doc, JSON_ROOT, want) == JSON_NONE &&
	    json_type(doc, v) == JSON_NUMBER) {
		raw = json_raw(doc, v, &len);
		edits_add(e, JSON_ROOT, want, raw, len);
	}
	edits_remove(e, JSON_ROOT, other);
}

/* The client's own document with the edits that are the gateway's. */
static enum err
edit_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *body, struct fault *f)
{
	struct str model = canon_quoted(a, d->model);
	struct edits e;

	if (model.p == NULL)
		return fault_memory(f);
	edits_init(&e, &chat->doc, a);
	edits_set(&e, JSON_ROOT, "model", model.p, model.len);
	openai_ask_usage(&e, chat, d->provider->quirks);
	name_limit(&e, chat, d->provider->quirks);
	openai_quirks(&e, chat, d);
	return edits_apply(&e, body) ? ERR_OK : fault_memory(f);
}

const char *
openai_url(struct arena *a, const struct deployment *d, const char *path)
{
	static const char end[] = "/deployments";
	const struct provider *p = d->provider;
	size_t n = strlen(p->base_url);
	bool named = n >= sizeof end - 1 &&
	    strcmp(p->base_url + n - (sizeof end - 1), end) == 0;

	return arena_printf(a, "%s%s%s/%s%s%s", p->base_url,
	    named ? "/" : "", named ? d->model : "", path,
	    *p->api_version != '\0' ? "?api-version=" : "", p->api_version);
}

enum err
openai_pass_on(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *path, struct http_call *call,
    struct fault *f)
{
	struct str model = canon_quoted(a, d->model);
	struct buf body;
	struct edits e;

	if (model.p == NULL)
		return fault_memory(f);
	call->method = "POST";
	call->url = openai_url(a, d, path);
	edits_init(&e, &chat->doc, a);
	edits_set(&e, JSON_ROOT, "model", model.p, model.len);
	buf_init(&body, LIMIT_BODY * 2);
	return canon_body(a, call, &body, edits_apply(&e, &body) ? ERR_OK :
	    fault_memory(f), f);
}

/* The client's form with the provider's name of the model. */
static void
put_form(struct buf *out, const struct form *form, const char *model)
{
	struct form_part p;
	size_t i, n = form->begun > 0 ? form->begun : form->count;

	for (i = 0; i < n; i++) {
		p = form->part[i];
		if (p.filename == NULL && (strcmp(p.name, "models") == 0 ||
		    strcmp(p.name, "fallbacks") == 0))
			continue;
		if (p.filename == NULL && strcmp(p.name, "model") == 0) {
			p.data = model;
			p.len = strlen(model);
		}
		if (i + 1 == form->begun)
			form_put_head(out, form->boundary, &p);
		else
			form_put(out, form->boundary, &p);
	}
	if (form->begun == 0)
		form_end(out, form->boundary);
}

enum err
openai_pass_form(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *path, struct http_call *call,
    struct fault *f)
{
	struct buf body;

	call->method = "POST";
	call->url = openai_url(a, d, path);
	call->type = arena_printf(a, "multipart/form-data; boundary=\"%s\"",
	    chat->form->boundary);
	if (call->type == NULL)
		return fault_memory(f);
	call->rest = chat->form->begun > 0;
	buf_init(&body, LIMIT_BODY + KIB(256));
	put_form(&body, chat->form, d->model);
	return canon_body(a, call, &body, ERR_OK, f);
}

static enum err
openai_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = openai_url(a, d, "chat/completions");
	buf_init(&body, LIMIT_BODY * 2);
	if (chat->surface == &adapter_openai)
		e = edit_request(a, chat, d, &body, f);
	else
		e = openai_write_chat(a, chat, d, &body, f);
	if (e == ERR_OK && chat->surface != &adapter_openai &&
	    !openai_write_quirks(a, chat, d, &body))
		e = fault_memory(f);
	return canon_body(a, call, &body, e, f);
}

static enum err
openai_bound(struct arena *a, struct chat *chat, int64_t tokens,
    struct fault *f)
{
	return canon_bound(a, chat, NULL, "max_completion_tokens", tokens, f);
}

const struct adapter adapter_openai = {
	.name = "openai",
	.takes = PARAM_BIT(MAX_OUTPUT) | PARAM_BIT(TEMPERATURE) |
	    PARAM_BIT(TOP_P) | PARAM_BIT(CHOICES) | PARAM_BIT(STOP) |
	    PARAM_BIT(SEED) | PARAM_BIT(FREQUENCY_PENALTY) |
	    PARAM_BIT(PRESENCE_PENALTY) | PARAM_BIT(LOGIT_BIAS) |
	    PARAM_BIT(LOGPROBS) | PARAM_BIT(TOP_LOGPROBS) |
	    PARAM_BIT(TOOLS) | PARAM_BIT(TOOL_CHOICE) |
	    PARAM_BIT(PARALLEL_CALLS) | PARAM_BIT(FORMAT) |
	    PARAM_BIT(EFFORT) | PARAM_BIT(VERBOSITY) | PARAM_BIT(METADATA) |
	    PARAM_BIT(USER) | PARAM_BIT(SERVICE_TIER) | PARAM_BIT(STORE) |
	    PARAM_BIT(CACHE_KEY) | PARAM_BIT(NAMES) |
	    PARAM_BIT(IMAGE_DETAIL) | PARAM_BIT(STRICT_TOOLS),
	.read_request = openai_read_request,
	.bound_output = openai_bound,
	.read_chat = openai_read_chat,
	.write_reply = openai_write_reply,
	.write_delta = openai_write_delta,
	.write_error = openai_write_error,
	.write_stream_error = openai_write_stream_error,
	.write_request = openai_write_request,
	.read_reply = openai_read_reply,
	.read_event = openai_read_event,
	.classify = errors_classify,
};
