/*
 * The canonical form: request (chat), answer (reply), streamed part (delta).
 * Every dialect is read into it and written from it, so K dialects cost 2K
 * translations. What a dialect says and this form does not know stays in the
 * parsed document behind it and comes back when the same dialect is on the
 * other side.
 */
#ifndef TOLLGATE_ADAPTERS_CHAT_H
#define TOLLGATE_ADAPTERS_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/err.h"
#include "app/base/json.h"
#include "policy/price.h"

struct adapter;

/* Bytes that are no C string: valid UTF-8, not NUL-terminated. */
struct str {
	const char *p;
	size_t len;
};

/* What a request needs of a model (CAP_* of catalog.h) and how it is asked. */
struct chat {
	const struct adapter *surface; /* the dialect it came in */
	struct json doc;	       /* the body as it came */
	const char *model;	       /* as the client named it */
	bool stream;
	bool stream_usage;	       /* the client asked for usage in the stream */
	int64_t max_output;	       /* tokens, 0 = the client set none */
	int64_t choices;	       /* n, 1.. */
	unsigned needs;		       /* CAP_* */
	int64_t input_estimate;	       /* tokens, our guess */
	const char *user;	       /* end user as named by the client, "" */
};

/* Why an answer ended. */
enum finish {
	FINISH_NONE,
	FINISH_STOP,
	FINISH_LENGTH,
	FINISH_TOOLS,
	FINISH_CONTENT, /* filtered */
	FINISH_ERROR
};

struct upstream_error;

/* A whole answer. */
struct reply {
	const struct upstream_error *error; /* not NULL: this instead of all else */
	const struct adapter *from; /* the dialect that raw is in */
	struct str raw;		    /* normalised body of that dialect */
	struct str id, model;	    /* as the provider gave them */
	struct usage usage;
	enum finish finish;
	int64_t text_bytes;	    /* of all content, to estimate usage */
};

enum delta_kind {
	DELTA_META,    /* nothing for the reader yet: role, id, filter results */
	DELTA_CONTENT, /* text, reasoning, refusal, tool call, audio … */
	DELTA_FINISH,  /* a choice ended */
	DELTA_USAGE,   /* usage and nothing else */
	DELTA_ERROR,   /* the provider failed inside a stream: see error */
	DELTA_END      /* the answer is whole */
};

/* One streamed part. */
struct delta {
	enum delta_kind kind;
	const struct adapter *from; /* the dialect that raw is in */
	struct str raw;		    /* normalised event data of that dialect, or empty */
	struct str id;		    /* the answer's id as the provider gave it, or empty */
	enum finish finish;	    /* with DELTA_FINISH */
	struct usage usage;	    /* known: it came with this event; END: of all */
	int64_t text_bytes;	    /* of content in this event */
	const struct upstream_error *error; /* with DELTA_ERROR */
};

typedef enum err delta_fn(void *arg, const struct delta *d);

#endif
