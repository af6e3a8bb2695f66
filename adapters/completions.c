/*
 * OpenAI's legacy text completions (platform.openai.com/docs/api-reference/
 * completions, read 2026-07). As a surface: a prompt is put to any chat
 * provider as one user message. As a provider: only for clients of the same
 * dialect, because what a chat looks like as plain text is a model's own
 * matter. Four files share it: completions.c asks, completions_chat.c has the
 * canonical request, completions_answer.c reads answers,
 * completions_write.c writes them.
 */
#include "adapters/completions.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reading.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"

static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "prompt", IS(STRING) | IS(ARRAY), "a string or an array" },
	{ "suffix", IS(STRING), "a string" },
	{ "max_tokens", IS(NUMBER), "an integer" },
	{ "temperature", IS(NUMBER), "a number" },
	{ "top_p", IS(NUMBER), "a number" },
	{ "n", IS(NUMBER), "an integer" },
	{ "best_of", IS(NUMBER), "an integer" },
	{ "logprobs", IS(NUMBER), "an integer" },
	{ "echo", IS_BOOL, "a boolean" },
	{ "stream", IS_BOOL, "a boolean" },
	{ "stream_options", IS(OBJECT), "an object" },
	{ "stop", IS(STRING) | IS(ARRAY), "a string or an array" },
	{ "presence_penalty", IS(NUMBER), "a number" },
	{ "frequency_penalty", IS(NUMBER), "a number" },
	{ "seed", IS(NUMBER), "an integer" },
	{ "logit_bias", IS(OBJECT), "an object" },
	{ "user", IS(STRING), "a string" },
};

/*
 * Answers that the client pays for: best_of of them are made for each
 * prompt, and a list of strings or of token lists holds several prompts.
 */
static enum err
read_choices(struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "prompt");
	int64_t n, best, prompts = 1;
	enum err e;

	e = rd_positive(doc, "n", 1, &n, f);
	if (e == ERR_OK)
		e = rd_positive(doc, "best_of", n, &best, f);
	if (e != ERR_OK)
		return e;
	if (json_type(doc, list) == JSON_ARRAY && json_type(doc,
	    json_first(doc, list)) != JSON_NUMBER)
		prompts = json_count(doc, list);
	if (n > 128 || best > 128 || prompts > LIMIT_MESSAGES)
		return fault_set(f, ERR_BAD_REQUEST, "n",
		    "too many answers are asked for");
	chat->choices = (best > n ? best : n) * (prompts > 0 ? prompts : 1);
	return ERR_OK;
}

static enum err
completions_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0],
	    true, f);
	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK && json_type(doc, json_get(doc, JSON_ROOT,
	    "prompt")) <= JSON_NULL)
		e = fault_set(f, ERR_BAD_REQUEST, "prompt",
		    "'prompt' is missing");
	if (e == ERR_OK)
		e = read_choices(chat, f);
	if (e == ERR_OK)
		e = rd_positive(doc, "max_tokens", 0, &chat->max_output,
		    f);
	if (e != ERR_OK)
		return e;
	chat->stream = json_type(doc, json_get(doc, JSON_ROOT, "stream")) ==
	    JSON_TRUE;
	chat->stream_usage = json_type(doc, json_at(doc, JSON_ROOT,
	    "stream_options", "include_usage", NULL)) == JSON_TRUE;
	chat->user = rd_word(doc, "user", a);
	return ERR_OK;
}

/* ----------------------------------------------------------- provider */

static enum err
completions_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct str model = canon_quoted(a, d->model);
	struct edits e;
	struct buf body;

	if (chat->surface != &adapter_completions)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "this model takes plain prompts only: "
		    "use POST /v1/completions");
	call->method = "POST";
	call->url = arena_printf(a, "%s/completions", d->provider->base_url);
	if (model.p == NULL)
		return fault_memory(f);
	edits_init(&e, &chat->doc, a);
	edits_set(&e, JSON_ROOT, "model", model.p, model.len);
	openai_ask_usage(&e, chat, d->provider->quirks);
	buf_init(&body, LIMIT_BODY * 2);
	return canon_body(a, call, &body, edits_apply(&e, &body) ? ERR_OK :
	    fault_memory(f), f);
}

static enum err
completions_bound(struct arena *a, struct chat *chat, int64_t tokens, struct fault *f)
{
	return canon_bound(a, chat, NULL, "max_tokens", tokens, f);
}

const struct adapter adapter_completions = {
	.name = "completions",
	.framing = FRAMING_SSE,
	.read_request = completions_read_request,
	.bound_output = completions_bound,
	.read_chat = completions_read_chat,
	.write_reply = completions_write_reply,
	.write_delta = completions_write_delta,
	.write_error = openai_write_error,
	.write_stream_error = completions_write_stream_error,
	.write_request = completions_write_request,
	.read_reply = completions_read_reply,
	.read_event = completions_read_event,
	.classify = errors_classify,
};
