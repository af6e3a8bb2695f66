/* generateContent: a client's request, and the way to a provider. */
#include "adapters/gemini.h"

#include <ctype.h>
#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"

static const char whole[] = ":generateContent";
static const char streamed[] = ":streamGenerateContent";
static const char counted[] = ":countTokens";

uint32_t
gemini_get(const struct json *doc, uint32_t obj, const char *camel)
{
	uint32_t v = json_get(doc, obj, camel);
	char snake[64];
	size_t n = 0;

	if (v != JSON_NONE)
		return v;
	for (; *camel != '\0' && n < sizeof snake - 2; camel++) {
		if (isupper((unsigned char)*camel))
			snake[n++] = '_';
		snake[n++] = (char)tolower((unsigned char)*camel);
	}
	snake[n] = '\0';
	return json_get(doc, obj, snake);
}

enum err
gemini_model(struct arena *a, struct chat *chat, size_t len, struct fault *f)
{
	if (len > LIMIT_MODEL_NAME)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "the model's name is longer than %d bytes",
		    LIMIT_MODEL_NAME);
	chat->model = arena_dup(a, chat->path, len);
	if (chat->model == NULL)
		return fault_memory(f);
	if (strchr(chat->model, ' ') != NULL)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "the model's name holds a space");
	return ERR_OK;
}

/* "MODEL:verb" of the path → chat->model and chat->stream. */
static enum err
read_path(struct arena *a, struct chat *chat, struct fault *f)
{
	size_t len = strlen(chat->path), n;
	const char *verb;
	enum err e;

	chat->stream = len >= sizeof streamed &&
	    strcmp(chat->path + len - (sizeof streamed - 1), streamed) == 0;
	chat->count = len >= sizeof counted &&
	    strcmp(chat->path + len - (sizeof counted - 1), counted) == 0;
	verb = chat->stream ? streamed : chat->count ? counted : whole;
	n = strlen(verb);
	if (len <= n || strcmp(chat->path + len - n, verb) != 0)
		return fault_set(f, ERR_NOT_FOUND, NULL,
		    "no such method; generateContent, "
		    "streamGenerateContent, countTokens, embedContent and "
		    "batchEmbedContents are known");
	e = gemini_model(a, chat, len - n, f);
	if (e != ERR_OK || !chat->stream ||
	    strstr(chat->query, "alt=sse") != NULL)
		return e;
	chat->stream_list = true; /* what the API does unless told */
	return strstr(chat->query, "alt=") == NULL ||
	    strstr(chat->query, "alt=json") != NULL ? ERR_OK :
	    fault_set(f, ERR_BAD_REQUEST, "alt",
	    "alt must be sse or json");
}

unsigned
gemini_needs(const struct json *doc, uint32_t part)
{
	uint32_t data = gemini_get(doc, part, "inlineData");
	struct str type = { NULL, 0 };
	const char *p;

	if (data == JSON_NONE)
		data = gemini_get(doc, part, "fileData");
	p = json_raw(doc, gemini_get(doc, data, "mimeType"), &type.len);
	if (p == NULL || type.len < 7)
		return 0;
	if (memcmp(p, "\"image/", 7) == 0)
		return CAP_IMAGE_IN;
	if (memcmp(p, "\"audio/", 7) == 0)
		return CAP_AUDIO_IN;
	if (memcmp(p, "\"video/", 7) == 0)
		return CAP_VIDEO_IN;
	return CAP_PDF_IN;
}

static enum err
gemini_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t contents = json_get(doc, JSON_ROOT, "contents"), c, parts, p;
	uint32_t config = gemini_get(doc, JSON_ROOT, "generationConfig");
	enum err e;

	if (json_type(doc, JSON_ROOT) != JSON_OBJECT)
		return fault_set(f, ERR_BAD_REQUEST, NULL,
		    "the body must be a JSON object");
	e = read_path(a, chat, f);
	if (e != ERR_OK)
		return e;
	if (json_count(doc, contents) == 0 && !(chat->count && json_type(doc,
	    gemini_get(doc, JSON_ROOT, "generateContentRequest")) ==
	    JSON_OBJECT))
		return fault_set(f, ERR_BAD_REQUEST, "contents",
		    "contents is not specified");
	if (json_count(doc, contents) > LIMIT_MESSAGES)
		return fault_set(f, ERR_TOO_LARGE, "contents",
		    "more than %d contents", LIMIT_MESSAGES);
	for (c = json_first(doc, contents); c != JSON_NONE;
	    c = json_next(doc, contents, c)) {
		parts = json_get(doc, c, "parts");
		if (json_type(doc, parts) != JSON_ARRAY)
			continue;
		for (p = json_first(doc, parts); p != JSON_NONE;
		    p = json_next(doc, parts, p))
			chat->needs |= gemini_needs(doc, p);
	}
	chat->choices = 1;
	json_int(doc, gemini_get(doc, config, "candidateCount"),
	    &chat->choices);
	json_int(doc, gemini_get(doc, config, "maxOutputTokens"),
	    &chat->max_output);
	if (chat->choices < 1 || chat->max_output < 0)
		return fault_set(f, ERR_BAD_REQUEST, "generationConfig",
		    "candidateCount and maxOutputTokens must be positive");
	if (json_count(doc, json_get(doc, JSON_ROOT, "tools")) > 0)
		chat->needs |= CAP_TOOLS;
	chat->stream_usage = chat->stream;
	chat->user = "";
	return ERR_OK;
}

/* ----------------------------------------------------------- provider */

/* A proof of another maker that went through our client: not for here. */
static void
drop_proof(struct edits *e, const struct json *doc, uint32_t part,
    const char *model, struct arena *a)
{
	static const char skip[] = "\"skip_thought_signature_validator\"";
	uint32_t v = gemini_get(doc, part, "thoughtSignature");
	struct str proof = canon_str(doc, v, a);
	const char *origin;
	bool sealed;

	if (!canon_unmark(&proof, &origin, &sealed))
		return;
	if (gemini_get(doc, part, "functionCall") != JSON_NONE &&
	    gemini_needs_proof(model)) {
		edits_replace(e, v, skip, sizeof skip - 1);
		return;
	}
	edits_remove(e, part, "thoughtSignature");
	edits_remove(e, part, "thought_signature");
}

static void
drop_foreign(struct edits *e, const struct json *doc, const char *model,
    struct arena *a)
{
	uint32_t list = json_get(doc, JSON_ROOT, "contents"), c, parts, p;

	for (c = json_first(doc, list); c != JSON_NONE;
	    c = json_next(doc, list, c)) {
		parts = json_get(doc, c, "parts");
		if (json_type(doc, parts) != JSON_ARRAY)
			continue;
		for (p = json_first(doc, parts); p != JSON_NONE;
		    p = json_next(doc, parts, p))
			drop_proof(e, doc, p, model, a);
	}
}

bool
gemini_needs_proof(const char *model)
{
	const char *p = strstr(model, "gemini-");

	return p != NULL && isdigit((unsigned char)p[7]) && p[7] >= '3';
}

/* The client's own document; it names no model. */
static enum err
own_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *body, struct fault *f)
{
	struct edits e;

	edits_init(&e, &chat->doc, a);
	edits_remove(&e, JSON_ROOT, "model");
	drop_foreign(&e, &chat->doc, d->model, a);
	return edits_apply(&e, body) ? ERR_OK : fault_memory(f);
}

static enum err
gemini_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = arena_printf(a, "%s/models/%s%s%s",
	    d->provider->base_url, d->model, chat->stream ? streamed :
	    chat->count ? counted : whole,
	    chat->stream ? "?alt=sse" : "");
	buf_init(&body, LIMIT_BODY * 2);
	e = chat->surface == &adapter_gemini ?
	    own_request(a, chat, d, &body, f) :
	    gemini_write_chat(a, chat, d, &body, f);
	return canon_body(a, call, &body, e, f);
}

/* Both spellings of a member are Google's; the client's is kept. */
static enum err
gemini_bound(struct arena *a, struct chat *chat, int64_t tokens,
    struct fault *f)
{
	bool snake = json_get(&chat->doc, JSON_ROOT, "generation_config") !=
	    JSON_NONE;

	return canon_bound(a, chat, snake ? "generation_config" :
	    "generationConfig", "maxOutputTokens", tokens, f);
}

const struct adapter adapter_gemini = {
	.name = "gemini",
	.large_events = true,
	.takes = PARAM_BIT(MAX_OUTPUT) | PARAM_BIT(TEMPERATURE) |
	    PARAM_BIT(TOP_P) | PARAM_BIT(TOP_K) | PARAM_BIT(CHOICES) |
	    PARAM_BIT(STOP) | PARAM_BIT(SEED) |
	    PARAM_BIT(FREQUENCY_PENALTY) | PARAM_BIT(PRESENCE_PENALTY) |
	    PARAM_BIT(LOGPROBS) | PARAM_BIT(TOP_LOGPROBS) |
	    PARAM_BIT(TOOLS) | PARAM_BIT(TOOL_CHOICE) | PARAM_BIT(FORMAT) |
	    PARAM_BIT(EFFORT) | PARAM_BIT(THINK_BUDGET),
	.framing = FRAMING_SSE,
	.bare = true,
	.read_request = gemini_read_request,
	.bound_output = gemini_bound,
	.read_chat = gemini_read_chat,
	.write_reply = gemini_write_reply,
	.write_count = gemini_write_count,
	.write_delta = gemini_write_delta,
	.write_error = gemini_write_error,
	.write_stream_error = gemini_write_stream_error,
	.write_request = gemini_write_request,
	.read_reply = gemini_read_reply,
	.read_event = gemini_read_event,
	.classify = errors_classify,
};
