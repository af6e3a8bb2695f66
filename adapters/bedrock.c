/* Converse: the table, the way to the provider, its errors. */
#include "adapters/bedrock.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

/*
 * The first row whose mark is in the model's name. Claude before 4.6 thinks
 * within a budget, later ones decide by themselves how long.
 */
static const struct bedrock_family families[] = {
	{ "claude-3", THINK_BUDGET, "top_k", true },
	{ "claude-sonnet-4-2", THINK_BUDGET, "top_k", true },
	{ "claude-sonnet-4-5", THINK_BUDGET, "top_k", true },
	{ "claude-opus-4-2", THINK_BUDGET, "top_k", true },
	{ "claude-opus-4-1", THINK_BUDGET, "top_k", true },
	{ "claude-opus-4-5", THINK_BUDGET, "top_k", true },
	{ "claude-haiku-4-5", THINK_BUDGET, "top_k", true },
	{ "claude", THINK_ADAPTIVE, "top_k", true },
	{ "nova-2", THINK_NOVA, "inferenceConfig.topK", false },
	{ "nova", THINK_UNKNOWN, "inferenceConfig.topK", false },
	{ "gpt-oss", THINK_WORD, NULL, false },
	{ "mistral", THINK_UNKNOWN, "top_k", false },
	{ "cohere", THINK_UNKNOWN, "k", false },
	{ NULL, THINK_UNKNOWN, NULL, false },
};

const struct bedrock_family *
bedrock_family(const char *model)
{
	size_t i = 0;

	while (families[i].mark != NULL &&
	    strstr(model, families[i].mark) == NULL)
		i++;
	return &families[i];
}

bool
bedrock_caches(const struct bedrock_family *family, bool tools)
{
	return family->claude || (!tools && family->mark != NULL &&
	    strncmp(family->mark, "nova", 4) == 0);
}

/* Also marks of tools, where only those of messages are taken. */
static uint64_t
bedrock_lacks(const struct chat *chat, const struct deployment *d)
{
	uint64_t lacks = bedrock_unsaid(chat, d);
	size_t i;

	for (i = 0; i < chat->tool_count; i++)
		if (chat->tools[i].cache != CACHE_NONE &&
		    !bedrock_caches(bedrock_family(d->model), true))
			return lacks | PARAM_BIT(CACHE_MARKS);
	return lacks;
}

static uint64_t
bedrock_takes(const struct deployment *d)
{
	const struct bedrock_family *family = bedrock_family(d->model);
	uint64_t takes = adapter_bedrock.takes;

	if (family->think == THINK_UNKNOWN)
		takes &= ~(PARAM_BIT(EFFORT) | PARAM_BIT(THINK_BUDGET));
	if (family->top_k == NULL)
		takes &= ~PARAM_BIT(TOP_K);
	if (!bedrock_caches(family, false))
		takes &= ~PARAM_BIT(CACHE_MARKS);
	return takes;
}

/* A model's name may be an ARN, with colons and slashes: all one segment. */
static const char *
address_of(struct arena *a, const struct chat *chat,
    const struct deployment *d)
{
	return arena_printf(a, "%s/model/%s/%s", d->provider->base_url,
	    canon_segment(a, d->model), chat->stream ? "converse-stream" :
	    "converse");
}

static enum err
bedrock_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = address_of(a, chat, d);
	buf_init(&body, LIMIT_BODY_TEXT);
	e = bedrock_write_chat(a, chat, d, &body, f);
	return canon_body(a, call, &body, e, f);
}

/* What its statuses and words mean where they differ from others'. */
static const struct {
	int status;
	const char *word; /* in the message, "" = whatever it says */
	unsigned fail;
} meanings[] = {
	/* "Too many tokens, please wait": a rate, not a length. */
	{ 429, "", FAIL_RATE },
	{ 424, "", FAIL_SERVER },
	{ 400, "model identifier is invalid", FAIL_MISSING },
	{ 400, "doesn't support the model", FAIL_MISSING },
	{ 400, "on-demand throughput", FAIL_MISSING },
	{ 400, "Input is too long", FAIL_REQUEST | FAIL_CONTEXT },
	{ 404, "", FAIL_MISSING },
};

void
bedrock_classify(struct arena *a, int status, const char *body, size_t len,
    struct upstream_error *out)
{
	size_t i;

	errors_classify(a, status, body, len, out);
	for (i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
		if (meanings[i].status == status &&
		    strstr(out->message, meanings[i].word) != NULL) {
			out->fail = meanings[i].fail;
			return;
		}
}

const struct adapter adapter_bedrock = {
	.name = "bedrock",
	.takes = PARAM_BIT(MAX_OUTPUT) | PARAM_BIT(TEMPERATURE) |
	    PARAM_BIT(TOP_P) | PARAM_BIT(TOP_K) | PARAM_BIT(STOP) |
	    PARAM_BIT(TOOLS) | PARAM_BIT(TOOL_CHOICE) | PARAM_BIT(FORMAT) |
	    PARAM_BIT(EFFORT) | PARAM_BIT(THINK_BUDGET) |
	    PARAM_BIT(SERVICE_TIER) | PARAM_BIT(CACHE_MARKS) |
	    PARAM_BIT(STRICT_TOOLS),
	.takes_of = bedrock_takes,
	.lacks = bedrock_lacks,
	.framing = FRAMING_EVENTSTREAM,
	.error_header = "x-amzn-errortype",
	.write_request = bedrock_write_request,
	.read_reply = bedrock_read_reply,
	.read_event = bedrock_read_event,
	.classify = bedrock_classify,
};
