/* Anthropic Messages: a client's request, and the way to a provider. */
#include "adapters/anthropic.h"

#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "adapters/citation.h"
#include "adapters/errors.h"
#include "adapters/reading.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"

/* Types of the members that we know; what we do not know passes. */
static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "messages", IS(ARRAY), "an array" },
	{ "max_tokens", IS(NUMBER), "an integer" },
	{ "system", IS(STRING) | IS(ARRAY), "a string or an array" },
	{ "stream", IS_BOOL, "a boolean" },
	{ "temperature", IS(NUMBER), "a number" },
	{ "top_p", IS(NUMBER), "a number" },
	{ "top_k", IS(NUMBER), "an integer" },
	{ "stop_sequences", IS(ARRAY), "an array" },
	{ "tools", IS(ARRAY), "an array" },
	{ "tool_choice", IS(OBJECT), "an object" },
	{ "thinking", IS(OBJECT), "an object" },
	{ "metadata", IS(OBJECT), "an object" },
};

/* Content blocks that ask for a capability. */
static const struct rd_need blocks[] = {
	{ "image", CAP_IMAGE_IN },
	{ "document", CAP_PDF_IN },
};

static enum err
check_messages(struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "messages"), m;
	char where[40];
	int i = 0;

	if (json_count(doc, list) == 0)
		return fault_set(f, ERR_BAD_REQUEST, "messages",
		    "messages: at least one message is required");
	if (json_count(doc, list) > LIMIT_MESSAGES)
		return fault_set(f, ERR_TOO_LARGE, "messages",
		    "more than %d messages", LIMIT_MESSAGES);
	for (m = json_first(doc, list); m != JSON_NONE;
	    m = json_next(doc, list, m), i++) {
		if (!json_nonempty(doc, json_get(doc, m, "role"))) {
			snprintf(where, sizeof where, "messages.%d.role", i);
			return fault_set(f, ERR_BAD_REQUEST, where,
			    "%s: field required", where);
		}
		chat->needs |= rd_needs(doc,
		    json_get(doc, m, "content"), blocks,
		    sizeof blocks / sizeof blocks[0]);
	}
	return ERR_OK;
}

static enum err
anthropic_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0],
	    false, f);
	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK)
		e = check_messages(chat, f);
	if (e != ERR_OK)
		return e;
	if (!chat->count && (!json_int(doc, json_get(doc, JSON_ROOT,
	    "max_tokens"), &chat->max_output) || chat->max_output < 1))
		return fault_set(f, ERR_BAD_REQUEST, "max_tokens",
		    "max_tokens: a positive integer is required");
	chat->stream = !chat->count && json_type(doc, json_get(doc, JSON_ROOT,
	    "stream")) == JSON_TRUE;
	chat->stream_usage = chat->stream;
	chat->choices = 1;
	if (json_count(doc, json_get(doc, JSON_ROOT, "tools")) > 0)
		chat->needs |= CAP_TOOLS;
	chat->user = json_cstr(doc, json_at(doc, JSON_ROOT, "metadata",
	    "user_id", NULL), a);
	if (chat->user == NULL)
		chat->user = "";
	return ERR_OK;
}

/* ----------------------------------------------------------- provider */

const char *
anthropic_guest(const struct deployment *d)
{
	if ((d->provider->quirks & QUIRK_RAW_PREDICT) != 0)
		return "vertex-2023-10-16";
	return (d->provider->quirks & QUIRK_INVOKE) != 0 ?
	    "bedrock-2023-05-31" : NULL;
}

static const char *
address_of(struct arena *a, const struct chat *chat,
    const struct deployment *d)
{
	const char *base = d->provider->base_url;

	if ((d->provider->quirks & QUIRK_RAW_PREDICT) != 0)
		return arena_printf(a, "%s/models/%s:%s", base,
		    canon_segment(a, d->model), chat->stream ?
		    "streamRawPredict" : "rawPredict");
	if ((d->provider->quirks & QUIRK_INVOKE) != 0)
		return arena_printf(a, "%s/model/%s/%s", base,
		    canon_segment(a, d->model), chat->stream ?
		    "invoke-with-response-stream" : "invoke");
	return arena_printf(a, "%s/v1/messages%s", base, chat->count ?
	    "/count_tokens" : "");
}

/* "a,b" as ["a","b"]: on Bedrock the header is a member of the body. */
static struct str
beta_list(struct arena *a, const char *beta)
{
	struct str s = { NULL, 0 };
	struct json_writer w;
	struct buf b;
	size_t n;

	buf_init(&b, KIB(64));
	jw_init(&w, &b);
	jw_array(&w);
	for (; *beta != '\0'; beta += n + (beta[n] == ',')) {
		beta += strspn(beta, " ");
		n = strcspn(beta, ", ");
		if (n > 0)
			jw_stringn(&w, beta, n);
	}
	jw_end_array(&w);
	s.p = b.failed ? NULL : arena_dup(a, b.data, b.len);
	s.len = s.p == NULL ? 0 : b.len;
	buf_free(&b);
	return s;
}

static void
edit_guest(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct edits *e)
{
	bool invoke = (d->provider->quirks & QUIRK_INVOKE) != 0;
	struct str beta;

	edits_remove(e, JSON_ROOT, "model");
	if (invoke)
		edits_remove(e, JSON_ROOT, "stream");
	if (!invoke || *chat->beta == '\0')
		return;
	beta = beta_list(a, chat->beta);
	if (beta.p != NULL)
		edits_set(e, JSON_ROOT, "anthropic_beta", beta.p, beta.len);
	else
		e->failed = true;
}

/* Is this thinking that Anthropic did not sign? */
static bool
is_foreign(const struct json *doc, uint32_t block, struct arena *a)
{
	bool plain = json_is(doc, json_get(doc, block, "type"), "thinking");
	struct str proof = canon_str(doc, json_get(doc, block, plain ?
	    "signature" : "data"), a);
	const char *origin;
	bool sealed;

	if (!plain && !json_is(doc, json_get(doc, block, "type"),
	    "redacted_thinking"))
		return false;
	return (plain && proof.p != NULL && proof.len == 0) ||
	    canon_unmark(&proof, &origin, &sealed);
}

/* Citations that we made of others' cannot be given back. */
static void
drop_citations(struct edits *e, const struct json *doc, uint32_t block)
{
	uint32_t list = json_get(doc, block, "citations"), c;

	if (json_type(doc, list) != JSON_ARRAY)
		return;
	for (c = json_first(doc, list); c != JSON_NONE;
	    c = json_next(doc, list, c))
		if (citation_is_foreign(doc, c))
			edits_remove_element(e, list, c);
}

/* What another maker's model thought went through our client: not for here. */
static void
drop_foreign(struct edits *e, const struct json *doc, struct arena *a)
{
	uint32_t list = json_get(doc, JSON_ROOT, "messages"), m, content, b;

	for (m = json_first(doc, list); m != JSON_NONE;
	    m = json_next(doc, list, m)) {
		content = json_get(doc, m, "content");
		if (json_type(doc, content) != JSON_ARRAY)
			continue;
		for (b = json_first(doc, content); b != JSON_NONE;
		    b = json_next(doc, content, b)) {
			if (is_foreign(doc, b, a))
				edits_remove_element(e, content, b);
			drop_citations(e, doc, b);
		}
	}
}

static enum err
edit_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *body, struct fault *f)
{
	const char *guest = anthropic_guest(d);
	struct str word = canon_quoted(a, guest != NULL ? guest : d->model);
	struct edits e;

	edits_init(&e, &chat->doc, a);
	if (word.p != NULL)
		edits_set(&e, JSON_ROOT, guest != NULL ? "anthropic_version" :
		    "model", word.p, word.len);
	if (guest != NULL)
		edit_guest(a, chat, d, &e);
	drop_foreign(&e, &chat->doc, a);
	return word.p != NULL && edits_apply(&e, body) ? ERR_OK :
	    fault_memory(f);
}

static enum err
anthropic_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	bool ours = chat->surface == &adapter_anthropic;
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = address_of(a, chat, d);
	if (anthropic_guest(d) == NULL)
		call->headers[call->header_count++] = (struct header){
		    "anthropic-version", ANTHROPIC_VERSION };
	if (ours && *chat->beta != '\0' &&
	    (d->provider->quirks & QUIRK_INVOKE) == 0)
		call->headers[call->header_count++] =
		    (struct header){ "anthropic-beta", chat->beta };
	buf_init(&body, LIMIT_BODY * 2);
	e = ours ? edit_request(a, chat, d, &body, f) :
	    anthropic_write_chat(a, chat, d, &body, f);
	return canon_body(a, call, &body, e, f);
}

const struct adapter adapter_anthropic = {
	.name = "anthropic",
	.takes = PARAM_BIT(MAX_OUTPUT) | PARAM_BIT(TEMPERATURE) |
	    PARAM_BIT(TOP_P) | PARAM_BIT(TOP_K) | PARAM_BIT(STOP) |
	    PARAM_BIT(TOOLS) | PARAM_BIT(TOOL_CHOICE) |
	    PARAM_BIT(PARALLEL_CALLS) | PARAM_BIT(FORMAT) |
	    PARAM_BIT(EFFORT) | PARAM_BIT(THINK_BUDGET) | PARAM_BIT(USER) |
	    PARAM_BIT(CACHE_MARKS) | PARAM_BIT(STRICT_TOOLS),
	.framing = FRAMING_SSE,
	.read_request = anthropic_read_request,
	.read_chat = anthropic_read_chat,
	.write_reply = anthropic_write_reply,
	.write_count = anthropic_write_count,
	.write_delta = anthropic_write_delta,
	.write_error = anthropic_write_error,
	.write_stream_error = anthropic_write_stream_error,
	.lacks = anthropic_lacks,
	.write_request = anthropic_write_request,
	.read_reply = anthropic_read_reply,
	.read_event = anthropic_read_event,
	.classify = errors_classify,
};
