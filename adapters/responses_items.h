/*
 * The output items of an answer that is being written from the canonical
 * form: each knows all that was said, for the events that tell it whole and
 * for the response object at the end. With out NULL nothing is written yet:
 * a whole answer gathers its items this way.
 */
#ifndef TOLLGATE_ADAPTERS_RESPONSES_ITEMS_H
#define TOLLGATE_ADAPTERS_RESPONSES_ITEMS_H

#include "adapters/canon.h"
#include "adapters/chat.h"

struct item; /* opaque */

struct items {
	struct arena *arena;   /* of all that is kept */
	struct arena *scratch; /* for the event at hand */
	const struct chat *chat;
	struct buf *out;       /* events go here; NULL = none are written */
	size_t event;	       /* where in out the open one begins */
	int64_t sequence;      /* number of the next event */
	const char *base;      /* what the items' ids have in common */
	struct item *first, *last;
	int64_t count;
	bool failed;	       /* memory was short */
};

void items_init(struct items *s, struct arena *a, const struct chat *chat);

/* What the model says, piece by piece. logprobs: OpenAI's form or nothing. */
void items_text(struct items *s, struct str text, struct str logprobs);
void items_refusal(struct items *s, struct str text);
void items_citation(struct items *s, struct str annotation);
void items_reasoning(struct items *s, struct str text);
void items_signature(struct items *s, const char *origin, struct str text);
void items_sealed(struct items *s, const char *origin, struct str data);
void items_call(struct items *s, const struct piece *p);
void items_image(struct items *s, struct str url);
void items_args(struct items *s, int64_t call, struct str text);

/* Nothing more comes; the last item is whole or was cut short. */
void items_close(struct items *s, bool whole);

/* The array of all items. */
void items_write(const struct items *s, struct json_writer *w);

/* One event: open, add members, close. */
void items_open_event(struct items *s, struct json_writer *w,
    const char *type);
void items_close_event(struct items *s, struct json_writer *w);

#endif
