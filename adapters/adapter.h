/*
 * An adapter is our code for one wire dialect, both ways: as a surface that
 * clients speak, and as a provider. It only translates: no I/O, no statics,
 * memory from the arena it is given. A NULL function means the default or
 * "not offered". Registered by one row in adapters.def; nothing else in the
 * program names a dialect.
 */
#ifndef TOLLGATE_ADAPTERS_ADAPTER_H
#define TOLLGATE_ADAPTERS_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/chat.h"
#include "adapters/owned.h"
#include "app/base/err.h"
#include "app/base/frames.h"
#include "policy/policy.h"

struct arena;
struct buf;
struct sse_event;

/* Why an attempt failed, as bits; policy is masks over them. */
enum fail {
	FAIL_CONNECT = 1 << 0,	/* nothing was sent */
	FAIL_TIMEOUT = 1 << 1,
	FAIL_RATE = 1 << 2,	/* 429 */
	FAIL_SERVER = 1 << 3,	/* 5xx */
	FAIL_OVERLOAD = 1 << 4, /* 503, 529 */
	FAIL_AUTH = 1 << 5,	/* 401, 403: our credential */
	FAIL_CONTEXT = 1 << 6,	/* too long for this model */
	FAIL_CONTENT = 1 << 7,	/* content policy */
	FAIL_BROKEN = 1 << 8,	/* no usable answer */
	FAIL_REQUEST = 1 << 9,	/* the client's own fault: 400, 404, 422 … */
	FAIL_QUOTA = 1 << 10,	/* our account is out of money */
	FAIL_MISSING = 1 << 11	/* the provider has no such model */
};

/* Failures that another deployment may do better. */
#define FAIL_RETRYABLE                                                       \
	(FAIL_CONNECT | FAIL_TIMEOUT | FAIL_RATE | FAIL_SERVER |             \
	    FAIL_OVERLOAD | FAIL_AUTH | FAIL_BROKEN | FAIL_QUOTA |           \
	    FAIL_MISSING)

/* A provider's error, read from its answer; strings from the arena or "". */
struct upstream_error {
	unsigned fail; /* FAIL_* */
	int status;    /* HTTP status, 0 = it came inside a stream */
	const char *message, *type, *code, *param;
};

/* A request to a provider, ready for the transport. */
struct http_call {
	const char *method;
	const char *url;
	struct header headers[40];
	size_t header_count;
	const char *body;
	size_t body_len;
	const char *type; /* of the body, NULL = JSON */
	size_t part;  /* in: which of the parts is written, 0.. */
	size_t parts; /* out: so many calls it takes, 0 = one */
	bool rest;    /* out: behind the body the rest of the client's form goes */
};

/* Who answers, for the gateway's own marks in an answer. */
struct answer_meta {
	const char *request_id;
	const char *provider; /* "" until known */
	const char *model;    /* the provider's name of it */
	int64_t cost;	      /* n$, -1 = not known */
	struct owner owner;   /* of what the provider keeps of it */
};

/*
 * A reader of one streamed answer, and a writer of one: an adapter's own
 * memory between events (from the attempt's arena), opaque to the house.
 */
struct stream {
	struct arena *arena;	/* lives as long as the attempt */
	struct arena *scratch;	/* reset after every event */
	const struct chat *chat;
	const struct deployment *deployment;
	bool pieces;		/* another dialect will write: make pieces */
	void *own;		/* the adapter's */
};

struct adapter {
	const char *name; /* "openai" */
	uint64_t takes;	  /* PARAM_BIT()s that it can say to its provider */
	/* That for one deployment, where models differ; NULL: always takes. */
	uint64_t (*takes_of)(const struct deployment *d);
	enum framing framing; /* of its provider's streams */
	bool large_events;    /* one may hold an image or a whole answer */
	const char *error_header; /* of an answer: its type of error, or NULL */

	/* --- as a client surface --- */

	bool bare; /* its official clients stumble over comments in SSE */
	bool bodiless; /* its requests have none: their document is {} */
	bool form;     /* they are multipart/form-data: chat.form */
	bool or_json;  /* … or JSON, as their type says */
	/*
	 * The form's part that may be on the way still when the request is
	 * written (form.begun: the body ends with that part's header, and
	 * http_call.rest is set), or NULL: forms come whole.
	 */
	const char *file;
	bool raw;      /* they are anything: chat.raw; their document is {} */

	/*
	 * Read a checked request into the first part of chat (already
	 * zeroed; doc set). Errors name the field in f->param.
	 */
	enum err (*read_request)(struct arena *a, struct chat *chat,
	    struct fault *f);
	/*
	 * Read all the rest, because a provider of another dialect is to
	 * take it. Sets chat->whole, and is not called again then.
	 */
	enum err (*read_chat)(struct arena *a, struct chat *chat,
	    struct fault *f);
	/*
	 * The client set no bound on output tokens: write this one into its
	 * document and into chat->max_output, as if it had. NULL: its clients
	 * must set one.
	 */
	enum err (*bound_output)(struct arena *a, struct chat *chat,
	    int64_t tokens, struct fault *f);
	/*
	 * The whole answer in this dialect, appended to out: reply->raw when
	 * reply->from is this adapter, else from its choices.
	 */
	enum err (*write_reply)(struct arena *a, const struct chat *chat,
	    const struct reply *reply, const struct answer_meta *meta,
	    struct buf *out);
	/* The answer to chat->count when we count ourselves. NULL: not offered. */
	void (*write_count)(int64_t tokens, struct buf *out);
	/*
	 * One delta as SSE bytes, appended to out (nothing when this dialect
	 * has no word for it): d->raw when d->from is this adapter, else
	 * from its pieces. DELTA_END writes what closes the answer and the
	 * end mark; its usage is that of the whole answer.
	 */
	enum err (*write_delta)(struct stream *s, const struct delta *d,
	    const struct answer_meta *meta, struct buf *out);
	/* An error body. */
	void (*write_error)(enum err e, const struct fault *f,
	    const struct answer_meta *meta, struct buf *out);
	/* An error inside a stream that has begun, as SSE bytes. */
	void (*write_stream_error)(struct stream *s, enum err e,
	    const struct fault *f, const struct answer_meta *meta,
	    struct buf *out);

	/* --- as a provider --- */

	/*
	 * Of the settings in `takes`: those that it cannot say with this
	 * request to this model (chat->whole). NULL: none.
	 */
	uint64_t (*lacks)(const struct chat *chat,
	    const struct deployment *d);
	/*
	 * The provider's request: URL, headers (credential apart), body. With
	 * chat->surface this adapter: the client's own document with edits;
	 * else from the canonical form (chat->whole). What cannot be said at
	 * all is refused with ERR_BAD_REQUEST and its param; settings beyond
	 * `takes` are the caller's to refuse or to drop with a note.
	 */
	enum err (*write_request)(struct arena *a, const struct chat *chat,
	    const struct deployment *d, struct http_call *call,
	    struct fault *f);
	/*
	 * A whole answer with a 2xx status. ERR_BAD_UPSTREAM: not usable. An
	 * error that the provider put under a 2xx comes in reply->error.
	 */
	enum err (*read_reply)(struct arena *a, const struct chat *chat,
	    const struct deployment *d, const char *body, size_t len,
	    struct reply *reply, struct fault *f);
	/*
	 * One event of a stream → deltas through emit. ERR_BAD_UPSTREAM: not
	 * usable. The end of the stream is read_event with ev NULL: emit
	 * what is still owed (finish, usage, DELTA_END), or fail with
	 * ERR_BAD_UPSTREAM when the answer was cut off.
	 */
	enum err (*read_event)(struct stream *s, const struct sse_event *ev,
	    delta_fn *emit, void *arg, struct fault *f);
	/* An answer with an error status, whatever its body. */
	void (*classify)(struct arena *a, int status, const char *body,
	    size_t len, struct upstream_error *out);
};

/* By name, or NULL. */
const struct adapter *adapter_find(const char *name);

/*
 * The one that asks providers of this dialect for what a door stands for
 * (task.door, NULL: a chat); NULL: they do not offer it.
 */
const struct adapter *adapter_for(const char *door, const char *dialect);

/* Names of providers' dialects, NULL at the end. */
extern const char *const adapter_names[];

#endif
