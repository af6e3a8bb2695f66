/*
 * The input of a batch, line by line: each is a request as any other, is read
 * by its surface, bounded, and written as its provider takes it, so that
 * nothing gets into a batch that would not go out by itself. All of them are
 * for one path and one model, which is OpenAI's rule; so one deployment
 * answers them.
 */
#ifndef TOLLGATE_APP_LINES_H
#define TOLLGATE_APP_LINES_H

#include "adapters/batch.h"
#include "app/base/buf.h"

struct request;

/* Zeroed, and from lines_first on the owner's until lines_end. */
struct lines {
	struct arena *arena;	/* of what stays */
	struct arena *scratch;	/* of one line */
	const char *text;
	size_t len, at;
	const char *path;	/* of all: "/v1/chat/completions" */
	const struct adapter *surface;
	const char *door;	/* as chat.task.door */
	const char *model;	/* as the client names it */
	/* The caller's, before lines_some: */
	const struct deployment *deployment;
	const struct batch_dialect *dialect;
	int64_t output;		/* tokens, where a line sets no bound */
	bool strict;		/* refuse what the provider cannot take */
	/* What came of them: */
	const struct adapter *adapter; /* that asks the provider */
	int64_t count, most;	/* lines; n$ that they may cost */
	struct buf out;		/* for the provider */
	uint64_t *seen;		/* hashes of custom ids, 0 = free */
	size_t seen_size;
	uint64_t key[2];
};

/*
 * Begin: the first line tells path, surface and model, and is read into chat
 * (of the arena), for a plan. Errors name the line: "line 3: …".
 */
enum err lines_first(struct lines *l, struct arena *a, const char *text,
    size_t len, struct chat *chat, struct fault *f);

/*
 * Go on with so many bytes of text, or to its end (then *more is false).
 * ERR_BAD_REQUEST, ERR_TOO_LARGE: the line cannot be taken.
 */
enum err lines_some(struct lines *l, size_t bytes, bool *more,
    struct fault *f);

void lines_end(struct lines *l);

/* A price as that of a batch: its rates, in no other tier; rounded up. */
void lines_price(const struct price *p, struct price *out);

#endif
