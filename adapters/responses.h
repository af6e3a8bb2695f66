/*
 * The OpenAI Responses dialect (platform.openai.com/docs/api-reference/
 * responses, read 2026-07), without memory of our own: what a provider stores
 * only that provider can be asked for again. Nine files share it: responses.c
 * is the surface and the table, responses_chat.c and responses_input.c read a
 * client's request, responses_ask.c writes a provider's, responses_answer.c
 * reads answers, responses_events.c streams, responses_write.c,
 * responses_items.c and responses_tell.c write both.
 */
#ifndef TOLLGATE_ADAPTERS_RESPONSES_H
#define TOLLGATE_ADAPTERS_RESPONSES_H

#include "adapters/adapter.h"

struct reading;

/* What the ids of reasoning items that we made begin with. */
#define RESPONSES_OUR_REASONING "rs_tg_"

/* What stands, behind its maker's mark, before what proves the next call. */
#define RESPONSES_CALL_PROOF "call:"

/* The one argument of the function that a custom tool is elsewhere. */
#define RESPONSES_INPUT "input"

/* See struct adapter for each of these. */
enum err responses_read_chat(struct arena *a, struct chat *chat,
    struct fault *f);
enum err responses_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err responses_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);
enum err responses_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out);
void responses_write_count(int64_t tokens, struct buf *out);
enum err responses_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out);
void responses_write_error(enum err e, const struct fault *f,
    const struct answer_meta *meta, struct buf *out);
void responses_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out);

/* The body for a provider from the canonical form, appended to out. */
enum err responses_write_chat(const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f);

/* The input of a request → chat->messages. Errors name the item. */
enum err responses_read_input(struct reading *r);

extern const struct adapter adapter_responses;

#endif
