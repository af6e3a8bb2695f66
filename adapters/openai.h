/*
 * The OpenAI chat dialect (platform.openai.com/docs/api-reference/chat, read
 * 2026-07) as its hundred speakers really speak it. openai.c is the surface
 * and the table, openai_chat.c reads requests into the canonical form,
 * openai_ask.c writes them from it, openai_quirks.c knows what single providers
 * take; openai_answer.c, openai_stream.c, openai_parts.c and openai_mend.c read
 * and mend answers, openai_write.c writes them.
 */
#ifndef TOLLGATE_ADAPTERS_OPENAI_H
#define TOLLGATE_ADAPTERS_OPENAI_H

#include "adapters/adapter.h"

/* struct adapter's read_reply and read_event. */
enum err openai_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err openai_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);

/* The rest of a request, for another dialect (struct adapter's read_chat). */
enum err openai_read_chat(struct arena *a, struct chat *chat,
    struct fault *f);

/*
 * The address of a path ("embeddings") at the deployment's provider. Azure's
 * older form: a base_url that ends in /deployments is followed by the
 * deployment's name, and the interface has a version. NULL: no memory.
 */
const char *openai_url(struct arena *a, const struct deployment *d,
    const char *path);

/*
 * A door's request: the client's document at that path, with the provider's
 * name of the model and nothing else changed (struct adapter's write_request).
 */
enum err openai_pass_on(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *path, struct http_call *call,
    struct fault *f);

/* The same of a form: its parts as they came, but for the model. */
enum err openai_pass_form(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *path, struct http_call *call,
    struct fault *f);

/* The body for a provider from the canonical form, appended to out. */
enum err openai_write_chat(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f);

/* A part with audio: { "type": "input_audio", ... }, in Responses as well. */
void openai_write_audio(struct json_writer *w, const struct part *p);

/*
 * An edit of a request: usage comes with the stream, whether the client asked
 * or not.
 */
void openai_ask_usage(struct edits *e, const struct chat *chat,
    unsigned quirks);

/*
 * Departures of the deployment's provider, as edits of a request; the same
 * for a body that openai_write_chat wrote. False: memory is short.
 */
void openai_quirks(struct edits *e, const struct chat *chat,
    const struct deployment *d);
bool openai_write_quirks(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *body);

/* struct adapter's writing functions of a surface (openai_write.c). */
enum err openai_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out);
enum err openai_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out);
void openai_write_error(enum err e, const struct fault *f,
    const struct answer_meta *meta, struct buf *out);
void openai_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out);

/* write_delta of doors whose events go on as they came, under their names. */
enum err openai_pass_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out);

/* What stands behind "error" in an answer. */
void openai_write_error_object(struct json_writer *w, enum err e,
    const struct fault *f);

/* Usage as an object in OpenAI's form. */
void openai_write_usage(struct json_writer *w, const struct usage *u);

/* The "tool_calls" of an answer or message, when parts hold any PART_CALL. */
void openai_write_calls(struct json_writer *w, const struct part *parts,
    size_t n);

/* "reasoning_content" and "reasoning_details" of parts, when there are any. */
void openai_write_reasoning(struct json_writer *w, const struct part *parts,
    size_t n);

extern const struct adapter adapter_openai;

/*
 * Usage as any OpenAI-like answer states it (top level, x_groq, a choice's
 * own); false when there is none. Absurd figures are clamped to 0..2^53.
 */
bool openai_usage(const struct json *doc, struct usage *out);

/*
 * Mend the usage of an answer (see mend_usage); what stands elsewhere goes to
 * the top level too, where clients look for it.
 */
struct mend;
void openai_place_usage(struct mend *m, const struct usage *u,
    struct arena *a);

#endif
