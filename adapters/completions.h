/* What the files of the legacy completions dialect share: completions.c. */
#ifndef TOLLGATE_ADAPTERS_COMPLETIONS_H
#define TOLLGATE_ADAPTERS_COMPLETIONS_H

#include "adapters/adapter.h"

/* See struct adapter for each of these. */
enum err completions_read_chat(struct arena *a, struct chat *chat,
    struct fault *f);
enum err completions_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err completions_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);
enum err completions_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out);
enum err completions_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out);
void completions_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out);

extern const struct adapter adapter_completions;

#endif
