/*
 * What a provider sends in the OpenAI dialect is kept byte for byte but for
 * mends that make it what OpenAI's own clients expect: call indexes from 0,
 * ids and types where they belong, known finish reasons, text as strings. Each
 * mend is an edit of the parsed text. What strict clients cannot do without
 * (id, created, model, whole usage counts, a finish reason before the end) is
 * added where a provider leaves it out. openai_answer.c mends whole answers,
 * openai_stream.c events, and openai_parts.c reads either, mended, for clients
 * of another dialect.
 */
#ifndef TOLLGATE_ADAPTERS_OPENAI_MEND_H
#define TOLLGATE_ADAPTERS_OPENAI_MEND_H

#include "adapters/adapter.h"
#include "app/base/json.h"

/* One document under repair. */
struct mend {
	const struct json *doc;
	struct arena *arena; /* for the edits: lives as long as the text */
	struct edits edits;
	enum finish finish;
	bool content;	     /* there was some */
	int64_t text_bytes;
};

/* What stands in every event of a stream, or at the top of an answer. */
struct mend_head {
	const char *id;	 /* as JSON: for those that have none */
	int64_t created; /* 0 until a mend needs it */
};

void mend_init(struct mend *m, const struct json *doc, struct arena *a);

/* The edited text, or the text itself if nothing changed. False: no memory. */
bool mend_done(struct mend *m, struct str *out);

/* obj[key] = raw JSON, which must live as long as the edits. */
void mend_set(struct mend *m, uint32_t obj, const char *key, const char *raw);

/* obj[key] = n, unless it stands there in just these digits. */
void mend_set_int(struct mend *m, uint32_t obj, const char *key, int64_t n);

/*
 * What every answer and every event begin with: id and model are strings,
 * created is a whole number.
 */
void mend_head(struct mend *m, const char *object, const char *model,
    struct mend_head *head);

/*
 * Counts that strict clients can read: whole numbers from 0 to 2^53. Null is
 * what some send until they know; where nothing is known usage is null.
 */
void mend_usage(struct mend *m);

/* A count of tokens, which some give with a fraction; false: it is none. */
bool mend_tokens(const struct json *doc, uint32_t v, int64_t *out);

/*
 * The finish reason in OpenAI's words. none: what a choice without one gets,
 * as JSON, or NULL when that is no fault.
 */
enum finish mend_finish(struct mend *m, uint32_t choice, const char *none);

/* A message or delta: weigh its content, and lists of texts become strings. */
void mend_message(struct mend *m, uint32_t msg);

/* The first part of a call: it has an id, a type and arguments. */
void mend_call_start(struct mend *m, uint32_t call, const char *id);

/*
 * A later part: clients add strings up, so what was said must not be said
 * again.
 */
void mend_call_more(struct mend *m, uint32_t call);

/* What a finish reason in OpenAI's words means. */
enum finish openai_finish(const struct json *doc, uint32_t v);

/*
 * The mended text in reply->raw → created and choices; in d->raw → pieces.
 * False or ERR_INTERNAL: no memory. cited: the stream's, false at first.
 */
enum err openai_read_choices(struct arena *a, struct reply *reply,
    struct fault *f);
bool openai_add_pieces(struct stream *s, struct delta *d, bool *cited);

#endif
