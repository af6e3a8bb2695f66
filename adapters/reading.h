/*
 * What the readers of clients' requests have in common: checks at the door, and
 * reading into the canonical form.
 */
#ifndef TOLLGATE_ADAPTERS_READING_H
#define TOLLGATE_ADAPTERS_READING_H

#include "adapters/adapter.h"

#define IS(type) (1U << (JSON_##type))
#define IS_BOOL (IS(TRUE) | IS(FALSE))

/*
 * A member of the body that we know, and what it may be. Null is always "not
 * given", and members that we do not know pass untouched.
 */
struct rd_member {
	const char *name;
	unsigned types;	  /* IS() */
	const char *what; /* "an array" */
};

/*
 * ERR_BAD_REQUEST for a body that is no object, or a member of another type:
 * "'tools' must be an array", or "tools: must be …" in dialects whose errors
 * are written so.
 */
enum err rd_types(const struct json *doc, const struct rd_member *list,
    size_t count, bool quoted, struct fault *f);

/* A positive integer member, or `otherwise` when it is not given. */
enum err rd_positive(const struct json *doc, const char *name,
    int64_t otherwise, int64_t *out, struct fault *f);

/* A kind of content that only some models can take. */
struct rd_need {
	const char *type;
	unsigned cap; /* CAP_* */
};

/* What a list of parts asks for, by their "type"; 0 when it is no list. */
unsigned rd_needs(const struct json *doc, uint32_t content,
    const struct rd_need *list, size_t count);

/* A string member of the body, or "". */
const char *rd_word(const struct json *doc, const char *name,
    struct arena *a);

/* One request being read into the canonical form. */
struct reading {
	const struct json *doc; /* the chat's own */
	struct arena *arena;
	struct chat *chat;
	struct fault *fault;
};

struct parts;

/*
 * ERR_BAD_REQUEST for a form with two parts of one name, unless that ends in
 * "[]": a provider may take the last of them, and we the first.
 */
enum err rd_once(const struct form *form, struct fault *f);

/* A string of the source as one more part, of text. */
enum err rd_text(const struct reading *r, uint32_t v, struct parts *out);

uint32_t rd_get(const struct reading *r, uint32_t obj, const char *key);
struct str rd_str(const struct reading *r, uint32_t obj, const char *key);

/*
 * What an object has beside the known members goes into chat->extras, where
 * it says something: "tools.defer_loading".
 */
enum err rd_rest(struct reading *r, uint32_t obj, const char *prefix,
    const char *const *known, size_t count);
#define RD_REST(r, obj, prefix, known)                                       \
	rd_rest(r, obj, prefix, known, sizeof(known) / sizeof(known)[0])

/* {"cache_control": {"type": "ephemeral", "ttl": "1h"}} of obj. */
enum cache_mark rd_cache(const struct reading *r, uint32_t obj);

/*
 * A member of the body that only passes on: the content of a string, else
 * its source text. Of another type it is not given.
 */
void rd_pass(struct reading *r, const char *key, enum json_type type,
    struct str *out, uint64_t bit);

#endif
