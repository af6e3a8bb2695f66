/*
 * Amazon Bedrock's Converse dialect (docs.aws.amazon.com, Bedrock API
 * Reference, Converse and ConverseStream, read 2026-11), as a provider only.
 * Four files share it: bedrock.c is the table, the address and the errors,
 * bedrock_ask.c writes requests, bedrock_block.c their content,
 * bedrock_answer.c reads answers.
 */
#ifndef TOLLGATE_ADAPTERS_BEDROCK_H
#define TOLLGATE_ADAPTERS_BEDROCK_H

#include "adapters/adapter.h"

/* How a family of models takes what Converse itself has no word for. */
enum bedrock_think {
	THINK_UNKNOWN,
	THINK_BUDGET,	/* thinking: { type: enabled, budget_tokens } */
	THINK_ADAPTIVE, /* thinking: { type: adaptive }, output_config.effort */
	THINK_NOVA,	/* reasoningConfig.maxReasoningEffort */
	THINK_WORD	/* reasoning_effort */
};

struct bedrock_family {
	const char *mark;  /* part of the model's name; NULL ends the table */
	enum bedrock_think think;
	const char *top_k; /* "a" or "a.b": where it stands, NULL = nowhere */
	bool claude;
};

/* That of a model's name; never NULL. */
const struct bedrock_family *bedrock_family(const char *model);

/* A request while it is written. */
struct bedrock_writing {
	struct json_writer w;
	struct arena *arena;
	const struct chat *chat;
	const struct deployment *d;
	const struct bedrock_family *family;
	struct fault *fault;
	unsigned documents; /* so far */
};

enum err bedrock_write_block(struct bedrock_writing *x,
    const struct part *p);

/* Reasoning that a model of this dialect signed or sealed? */
bool bedrock_is_ours(const struct part *p);

/*
 * May prompts of this family be marked for the cache: what is said, and tools?
 * (Bedrock User Guide, Prompt caching, read 2026-11.)
 */
bool bedrock_caches(const struct bedrock_family *family, bool tools);

/* What marks the end of what may be cached; nothing without a mark. */
void bedrock_write_cache(struct json_writer *w, enum cache_mark mark);

/*
 * Settings (PARAM_BIT) that exclude each other on Claude: those that the body
 * goes without because the model thinks, or thinking because of the rest.
 */
uint64_t bedrock_unsaid(const struct chat *chat, const struct deployment *d);

/* The body from the canonical form, appended to out. */
enum err bedrock_write_chat(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f);

/* See struct adapter for each of these. */
enum err bedrock_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err bedrock_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);
void bedrock_classify(struct arena *a, int status, const char *body,
    size_t len, struct upstream_error *out);

extern const struct adapter adapter_bedrock;

#endif
