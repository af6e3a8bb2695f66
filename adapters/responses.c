/* OpenAI Responses: a client's request, and the way to a provider. */
#include "adapters/responses.h"

#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/reading.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"

static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "input", IS(STRING) | IS(ARRAY), "a string or an array" },
	{ "instructions", IS(STRING), "a string" },
	{ "stream", IS_BOOL, "a boolean" },
	{ "stream_options", IS(OBJECT), "an object" },
	{ "background", IS_BOOL, "a boolean" },
	{ "store", IS_BOOL, "a boolean" },
	{ "max_output_tokens", IS(NUMBER), "an integer" },
	{ "temperature", IS(NUMBER), "a number" },
	{ "top_p", IS(NUMBER), "a number" },
	{ "top_logprobs", IS(NUMBER), "an integer" },
	{ "tools", IS(ARRAY), "an array" },
	{ "tool_choice", IS(STRING) | IS(OBJECT), "a string or an object" },
	{ "parallel_tool_calls", IS_BOOL, "a boolean" },
	{ "text", IS(OBJECT), "an object" },
	{ "reasoning", IS(OBJECT), "an object" },
	{ "include", IS(ARRAY), "an array" },
	{ "metadata", IS(OBJECT), "an object" },
	{ "previous_response_id", IS(STRING), "a string" },
	{ "prompt", IS(OBJECT), "an object" },
	{ "prompt_cache_key", IS(STRING), "a string" },
	{ "safety_identifier", IS(STRING), "a string" },
	{ "service_tier", IS(STRING), "a string" },
	{ "truncation", IS(STRING), "a string" },
	{ "user", IS(STRING), "a string" },
};

/* Content parts that ask for a capability. */
static const struct rd_need parts[] = {
	{ "input_image", CAP_IMAGE_IN },
	{ "input_file", CAP_PDF_IN },
	{ "input_audio", CAP_AUDIO_IN },
};

static unsigned
needs_of(const struct json *doc, uint32_t content)
{
	return rd_needs(doc, content, parts,
	    sizeof parts / sizeof parts[0]);
}

static bool
given(const struct json *doc, const char *name)
{
	return json_type(doc, json_get(doc, JSON_ROOT, name)) > JSON_NULL;
}

static enum err
check_input(struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "input"), item;
	char where[40];
	int i = 0;

	if (!given(doc, "input") && !given(doc, "previous_response_id") &&
	    !given(doc, "prompt") && !given(doc, "conversation"))
		return fault_set(f, ERR_BAD_REQUEST, "input",
		    "'input' is missing");
	if (json_type(doc, list) != JSON_ARRAY)
		return ERR_OK;
	if (json_count(doc, list) > LIMIT_MESSAGES)
		return fault_set(f, ERR_TOO_LARGE, "input",
		    "more than %d items", LIMIT_MESSAGES);
	for (item = json_first(doc, list); item != JSON_NONE;
	    item = json_next(doc, list, item), i++) {
		if (json_type(doc, item) != JSON_OBJECT) {
			snprintf(where, sizeof where, "input[%d]", i);
			return fault_set(f, ERR_BAD_REQUEST, where,
			    "every item of 'input' must be an object");
		}
		chat->needs |= needs_of(doc, json_get(doc, item, "content")) |
		    needs_of(doc, json_get(doc, item, "output"));
	}
	return ERR_OK;
}

/*
 * An answer that a provider works out while nobody listens would be paid for
 * by nobody: it is only taken when its stream tells what it used.
 */
static enum err
check_background(struct chat *chat, struct fault *f)
{
	chat->background = json_type(&chat->doc, json_get(&chat->doc,
	    JSON_ROOT, "background")) == JSON_TRUE;
	if (chat->stream || !chat->background)
		return ERR_OK;
	return fault_set(f, ERR_BAD_REQUEST, "background",
	    "'background' is only taken together with 'stream'");
}

static enum err
responses_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0],
	    true, f);
	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK)
		e = check_input(chat, f);
	if (e != ERR_OK)
		return e;
	if (given(doc, "max_output_tokens") && (!json_int(doc, json_get(doc,
	    JSON_ROOT, "max_output_tokens"), &chat->max_output) ||
	    chat->max_output < 1))
		return fault_set(f, ERR_BAD_REQUEST, "max_output_tokens",
		    "'max_output_tokens' must be a positive integer");
	chat->stream = !chat->count && json_type(doc, json_get(doc, JSON_ROOT,
	    "stream")) == JSON_TRUE;
	chat->stream_usage = chat->stream;
	chat->choices = 1;
	if (json_count(doc, json_get(doc, JSON_ROOT, "tools")) > 0)
		chat->needs |= CAP_TOOLS;
	if (json_is(doc, json_at(doc, JSON_ROOT, "text", "format", "type",
	    NULL), "json_schema"))
		chat->needs |= CAP_STRUCTURED;
	if (given(doc, "previous_response_id"))
		chat->previous_id = rd_word(doc,
		    "previous_response_id", a);
	chat->user = rd_word(doc, "safety_identifier", a);
	if (*chat->user == '\0')
		chat->user = rd_word(doc, "user", a);
	return check_background(chat, f);
}

/* ----------------------------------------------------------- provider */

/*
 * Reasoning that another dialect's model made, given back by the client: no
 * provider of this dialect can read it, and it would refuse it.
 */
static bool
foreign(const struct json *doc, uint32_t item, struct arena *a)
{
	struct str id, sealed;
	const char *origin;
	bool whole;

	if (!json_is(doc, json_get(doc, item, "type"), "reasoning"))
		return false;
	sealed = canon_str(doc, json_get(doc, item, "encrypted_content"), a);
	if (sealed.len > 0)
		return canon_unmark(&sealed, &origin, &whole);
	id = canon_str(doc, json_get(doc, item, "id"), a);
	return id.len >= strlen(RESPONSES_OUR_REASONING) &&
	    memcmp(id.p, RESPONSES_OUR_REASONING,
	    strlen(RESPONSES_OUR_REASONING)) == 0;
}

/* The client's own document with the edits that are the gateway's. */
static enum err
edit_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *body, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "input"), item;
	struct str model = canon_quoted(a, d->model), previous;
	struct edits e;

	if (model.p == NULL)
		return fault_memory(f);
	edits_init(&e, doc, a);
	edits_set(&e, JSON_ROOT, "model", model.p, model.len);
	if (chat->previous_own != NULL) {
		previous = canon_quoted(a, chat->previous_own);
		if (previous.p == NULL)
			return fault_memory(f);
		edits_set(&e, JSON_ROOT, "previous_response_id", previous.p,
		    previous.len);
	}
	if (json_type(doc, list) == JSON_ARRAY)
		for (item = json_first(doc, list); item != JSON_NONE;
		    item = json_next(doc, list, item))
			if (foreign(doc, item, a))
				edits_remove_element(&e, list, item);
	return edits_apply(&e, body) ? ERR_OK : fault_memory(f);
}

static enum err
responses_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = arena_printf(a, "%s/responses%s", d->provider->base_url,
	    chat->count ? "/input_tokens" : "");
	buf_init(&body, LIMIT_BODY * 2);
	e = chat->surface == &adapter_responses ?
	    edit_request(a, chat, d, &body, f) :
	    responses_write_chat(chat, d, &body, f);
	return canon_body(a, call, &body, e, f);
}

static enum err
responses_bound(struct arena *a, struct chat *chat, int64_t tokens, struct fault *f)
{
	return canon_bound(a, chat, NULL, "max_output_tokens", tokens, f);
}

const struct adapter adapter_responses = {
	.name = "responses",
	.large_events = true,
	.takes = PARAM_BIT(MAX_OUTPUT) | PARAM_BIT(TEMPERATURE) |
	    PARAM_BIT(TOP_P) | PARAM_BIT(LOGPROBS) |
	    PARAM_BIT(TOP_LOGPROBS) | PARAM_BIT(TOOLS) |
	    PARAM_BIT(TOOL_CHOICE) | PARAM_BIT(PARALLEL_CALLS) |
	    PARAM_BIT(FORMAT) | PARAM_BIT(EFFORT) | PARAM_BIT(VERBOSITY) |
	    PARAM_BIT(METADATA) | PARAM_BIT(USER) |
	    PARAM_BIT(SERVICE_TIER) | PARAM_BIT(STORE) |
	    PARAM_BIT(CACHE_KEY) | PARAM_BIT(IMAGE_DETAIL) |
	    PARAM_BIT(STRICT_TOOLS),
	.framing = FRAMING_SSE,
	.read_request = responses_read_request,
	.bound_output = responses_bound,
	.read_chat = responses_read_chat,
	.write_reply = responses_write_reply,
	.write_count = responses_write_count,
	.write_delta = responses_write_delta,
	.write_error = responses_write_error,
	.write_stream_error = responses_write_stream_error,
	.write_request = responses_write_request,
	.read_reply = responses_read_reply,
	.read_event = responses_read_event,
	.classify = errors_classify,
};
