/*
 * Batches: how the dialects of providers take a file of requests, tell how far
 * they are and give the answers. Clients speak OpenAI's form of all of it
 * (platform.openai.com/docs/api-reference/batch and …/files, read 2026-11);
 * requests and answers themselves are the adapters' to translate. Pure, as
 * these: no I/O, memory from the arena.
 */
#ifndef TOLLGATE_ADAPTERS_BATCH_H
#define TOLLGATE_ADAPTERS_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"

#define BATCH_LINES 50000   /* requests of a batch: OpenAI's bound */
#define BATCH_CUSTOM_ID 256 /* bytes of a client's name of one */
#define BATCH_ID 200	    /* bytes of a provider's id */
#define BATCH_FAILURE 65536 /* bytes of why a batch failed; more is dropped */

/* OpenAI's words for how a batch stands, in this order. */
enum batch_status {
	BATCH_VALIDATING,
	BATCH_IN_PROGRESS,
	BATCH_FINALIZING,
	BATCH_CANCELLING,
	BATCH_COMPLETED, /* this and what follows: it has ended */
	BATCH_FAILED,
	BATCH_EXPIRED,
	BATCH_CANCELLED,
	BATCH_STATUSES
};

const char *batch_status_word(enum batch_status s);
enum batch_status batch_status_of(const struct json *doc, uint32_t v);
#define batch_ended(status) ((status) >= BATCH_COMPLETED)

/*
 * What a provider says of a batch. Times are s since 1970, 0: not said; ids are
 * the provider's, "" where there is none.
 */
struct batch_state {
	enum batch_status status;
	const char *id;
	const char *output; /* where the answers are: an id, a path */
	const char *errors; /* … and those that are none, if apart */
	const char *failure; /* OpenAI's list of errors as JSON, "" = none */
	int64_t created, begun, expires, finalizing, completed, failed,
	    expired, cancelling, cancelled;
	int64_t total, done, bad; /* requests */
};

/* What is ordered. */
struct batch_order {
	const char *file;     /* the provider's id of the input, or NULL: */
	struct str requests;  /* its lines, as put_line wrote them */
	const char *path;     /* "/v1/chat/completions": OpenAI's endpoint */
	const char *window;   /* "24h" */
	struct str metadata;  /* JSON text of an object, p NULL = none */
};

/* A file on its way to a provider. */
struct batch_upload {
	const char *purpose, *filename;
	struct str content;
	int64_t ttl; /* s after which it is to go, 0 = not said */
};

/* A line of the answers. */
struct batch_line {
	const char *custom_id;
	int status;	 /* HTTP; 200: body is an answer of its dialect */
	struct str body; /* JSON text: an answer, or what stands for an error */
	const char *code, *message; /* of one that has no answer, "" */
};

/* One dialect. Errors as those of struct adapter. */
struct batch_dialect {
	const char *name;
	bool keeps;  /* the input is a file that the provider keeps */
	bool passes; /* answers are in OpenAI's form of lines */
	bool whole;  /* answers come in one document, not in lines */
	size_t most; /* bytes of the input, 0 = LIMIT_BODY */

	/*
	 * One request of the input, with the end of its line. False: its
	 * custom_id cannot be said.
	 */
	bool (*put_line)(struct buf *out, struct str custom_id,
	    const char *path, struct str body);

	/* Of providers that keep files: have one, all of these are theirs. */
	enum err (*upload)(struct arena *a, const struct provider *p,
	    const struct batch_upload *u, struct http_call *call,
	    struct fault *f);
	enum err (*file)(struct arena *a, const struct provider *p,
	    const char *method, const char *id, const char *tail,
	    struct http_call *call, struct fault *f);

	enum err (*create)(struct arena *a, const struct deployment *d,
	    const struct batch_order *order, struct http_call *call,
	    struct fault *f);
	enum err (*get)(struct arena *a, const struct provider *p,
	    const char *id, struct http_call *call, struct fault *f);
	enum err (*cancel)(struct arena *a, const struct provider *p,
	    const char *id, struct http_call *call, struct fault *f);
	/* What create, get and cancel are answered with: by batch_read. */
	enum err (*read)(struct arena *a, const char *body, size_t len,
	    struct batch_state *out, struct fault *f);
	/* The answers at `where`: state's output or errors. */
	enum err (*results)(struct arena *a, const struct provider *p,
	    const char *where, struct http_call *call, struct fault *f);
	/* One line of them; with `whole`, one element of the list. */
	enum err (*read_line)(struct arena *a, const struct json *line,
	    struct batch_line *out, struct fault *f);
	/* The list in the document, with `whole`; JSON_NONE: there is none. */
	uint32_t (*list)(const struct json *doc);
};

/* That of a provider, by the dialect it is spoken to in; NULL: it has none. */
const struct batch_dialect *batch_dialect_of(const struct provider *p);

/*
 * A path where batches may go, and what is spoken there: "/v1/responses" →
 * "responses", as a name of a surface. NULL: it is none.
 */
const char *batch_surface(const char *path);
/* The other way, by the adapter that asks the provider. NULL: none. */
const char *batch_path(const struct adapter *asks);

/* What a provider says of a batch, within bounds. */
enum err batch_read(const struct batch_dialect *d, struct arena *a,
    const char *body, size_t len, struct batch_state *out, struct fault *f);

/* The door behind it (struct task), NULL: a chat. */
const char *batch_door(const char *path);

/*
 * A provider that keeps no files has a batch's answers as the batch itself, and
 * those of one that does may have to be translated. Their files have names of
 * our own then: "file-out-ID" for what was answered,
 * "file-err-ID" for what was not, where there is any. batch_of_file: the ID,
 * or NULL; batch_is_error: of the second kind.
 */
bool batch_files(struct arena *a, struct batch_state *s);
const char *batch_file(struct arena *a, const char *id, bool errors);
const char *batch_of_file(const char *own);
bool batch_is_error(const char *own);

/*
 * A line of the answers in OpenAI's form. body: the answer as its client reads
 * it, p NULL: there is none.
 */
void batch_put_answer(struct buf *out, const struct batch_line *line,
    struct str body);

/* Helpers of the dialects. */
void batch_list(struct buf *out, struct str lines); /* [line, line …] */
const char *batch_text(const struct json *doc, uint32_t obj, const char *key,
    struct arena *a); /* "" when it is no string */
enum err batch_parse(struct arena *a, const char *body, size_t len,
    struct json *doc, struct fault *f);
int64_t batch_time(const char *rfc3339); /* 0: it is none */

/*
 * "POST", "GET" … base, tail, and what is left as one segment: …/files/ID.
 * p NULL in id: none.
 */
enum err batch_call(struct arena *a, const char *method, const char *base,
    const char *path, const char *id, const char *tail,
    struct http_call *call, struct fault *f);

extern const struct batch_dialect batch_openai, batch_anthropic,
    batch_gemini;

#endif
