/*
 * One output item while it grows, and the events that tell of it: what
 * responses_items.c is made of.
 */
#ifndef TOLLGATE_ADAPTERS_RESPONSES_TELL_H
#define TOLLGATE_ADAPTERS_RESPONSES_TELL_H

#include "adapters/responses_items.h"

enum item_kind {
	ITEM_MESSAGE,
	ITEM_REASONING,
	ITEM_CALL,
	ITEM_CUSTOM, /* a call of a custom tool */
	ITEM_IMAGE
};

/* A part of a message. */
struct content {
	struct content *next;
	bool refusal;
	int64_t index;
	struct growing text;
	struct growing logprobs, notes; /* elements, commas between */
	int64_t note_count;
};

struct item {
	struct item *next;
	enum item_kind kind;
	int64_t index;
	const char *id;
	bool open, whole;
	struct content *first, *last; /* of a message */
	bool part;		      /* a part of it is open */
	struct growing text;	      /* of reasoning; arguments */
	struct str seal;	      /* of reasoning; image data; custom input */
	int64_t call;
	struct str call_id, name;
};

/* Texts that grow or stay; without memory s->failed is set. */
void items_append(struct items *s, struct growing *t, struct str more);
void items_add(struct items *s, struct growing *t, struct str element);
struct str items_keep(struct items *s, struct str text);

/* An event about an item, up to items_close_event(); s->out is not NULL. */
void tell_open(struct items *s, const struct item *it, struct json_writer *w,
    const char *type);

/* "key": [elements] from those of a list without its brackets. */
void tell_elements(struct json_writer *w, const char *key, struct str list);

/* These write nothing when s->out is NULL. */
void tell_item(struct items *s, const struct item *it, const char *type);
void tell_summary(struct items *s, const struct item *it, const char *type,
    struct str text);

/* `blank`: as it is when it begins. */
void tell_part(struct items *s, const struct item *it,
    const struct content *c, const char *type, bool blank);

/* An event about a text: place names its index, NULL for none. */
void tell_text(struct items *s, const struct item *it, const char *type,
    const char *place, int64_t index, const char *key, struct str text);

/* The open part of a message ends, if there is one; the item as a whole. */
void tell_part_end(struct items *s, struct item *it);
void tell_end(struct items *s, struct item *it, bool whole);

#endif
