/*
 * JSON at the door. One pass over the text checks it strictly (RFC 8259, and
 * beyond it: no duplicate keys, no NUL, only valid UTF-8 and paired
 * surrogates, one value, bounded depth) and leaves a tape of 8-byte nodes
 * that point into the text. Nothing is copied: numbers keep their digits,
 * objects their order, and what was checked is what is sent.
 *
 * A value is named by its index on the tape; the root is 0. The text must
 * outlive the document. Reading functions accept JSON_NONE and values of the
 * wrong type, and answer "absent", so that look-ups chain without checks.
 */
#ifndef TOLLGATE_BASE_JSON_H
#define TOLLGATE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/err.h"

struct arena;
struct buf;

enum json_type {
	JSON_ABSENT, /* what json_type says of JSON_NONE */
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

#define JSON_NONE UINT32_MAX
#define JSON_ROOT 0

struct json {
	const char *text;
	size_t len;
	uint32_t *tape; /* opaque: json.c alone reads it */
	uint32_t words;
};

/*
 * Check text[0..len) and fill doc, its tape from the arena (at most about 8
 * bytes a byte of text). len up to LIMIT_REPLY; depth up to LIMIT_JSON_DEPTH.
 * Fails with ERR_BAD_JSON (f names line, column and reason, and the path of
 * a duplicate key, which is f->param too, with keys as they are written;
 * never quotes string content), ERR_TOO_LARGE (depth, length: text says
 * which) or ERR_INTERNAL (memory). Also refused: numbers that no finite
 * double is near to (1e999).
 */
enum err json_parse(struct json *doc, struct arena *a, const char *text,
    size_t len, struct fault *f);

/*
 * Where the first escape at or after `from` begins that no text can hold: a
 * lone surrogate, or \\u0000; len when there is none. json_parse refuses
 * these; a provider's may be replaced by json_mend_escapes, which puts
 * \\ufffd (as long) in their place.
 */
size_t json_bad_escape(const char *text, size_t len, size_t from);
void json_mend_escapes(char *text, size_t len);

enum json_type json_type(const struct json *doc, uint32_t v);

/* The value of a key (plain C string) of an object, or JSON_NONE. */
uint32_t json_get(const struct json *doc, uint32_t obj, const char *key);

/* json_get along a path of keys that ends in NULL: json_at(d, v, "a", "b", NULL) */
uint32_t json_at(const struct json *doc, uint32_t obj, ...)
    __attribute__((sentinel));

/*
 * The value at a JSON pointer (RFC 6901) from the root, "" being the root
 * itself; JSON_NONE where nothing is, and for what is no pointer.
 */
uint32_t json_pointer(const struct json *doc, const char *pointer);

/*
 * Walk the elements of an array, or the keys of an object (whose value is
 * json_value(doc, key)): first, then next until JSON_NONE.
 *	for (v = json_first(d, a); v != JSON_NONE; v = json_next(d, a, v))
 */
uint32_t json_first(const struct json *doc, uint32_t container);
uint32_t json_next(const struct json *doc, uint32_t container, uint32_t v);
uint32_t json_value(const struct json *doc, uint32_t key);

/* Number of elements or of pairs; 0 for anything else. */
uint32_t json_count(const struct json *doc, uint32_t container);

/*
 * The decoded content of a string: points into the text when it has no
 * escapes, else into the arena. NOT NUL-terminated; *len is set. NULL when v
 * is no string or memory is short. json_cstr is NUL-terminated, always from
 * the arena.
 */
const char *json_str(const struct json *doc, uint32_t v, struct arena *a,
    size_t *len);
char *json_cstr(const struct json *doc, uint32_t v, struct arena *a);

/* Is v a string equal to s (after decoding)? Allocates nothing. */
bool json_is(const struct json *doc, uint32_t v, const char *s);

/* Is v a string with at least one character? */
bool json_nonempty(const struct json *doc, uint32_t v);

/*
 * A number without fraction that fits: 5, 5.0 and 5e0 are all 5. False
 * (out untouched) for anything else.
 */
bool json_int(const struct json *doc, uint32_t v, int64_t *out);
bool json_double(const struct json *doc, uint32_t v, double *out);

/* The source bytes of a value, quotes and brackets included. */
const char *json_raw(const struct json *doc, uint32_t v, size_t *len);

/*
 * Edits: a copy of a document's text with some values replaced, removed or
 * added and every other byte as it came. Gather edits, then apply once. Of
 * several edits of one value the last counts; edits inside a value that is
 * itself replaced or removed are lost with it. Edits of what is not there
 * (JSON_NONE, the wrong type) do nothing. Memory from the arena; a failure
 * sticks and shows in edits_apply.
 */
struct edit; /* opaque */
struct edits {
	const struct json *doc;
	struct arena *arena;
	struct edit *list;
	size_t count, size;
	bool failed;
};

void edits_init(struct edits *e, const struct json *doc, struct arena *a);

/* Replace value v by raw JSON (not copied: must live until apply). */
void edits_replace(struct edits *e, uint32_t v, const char *raw, size_t len);

/* Set obj[key] to raw JSON (as above), replacing or adding it last. */
void edits_set(struct edits *e, uint32_t obj, const char *key,
    const char *raw, size_t len);

/* Add a pair to obj without looking whether the key is there. */
void edits_add(struct edits *e, uint32_t obj, const char *key,
    const char *raw, size_t len);

/* Remove a key and its value from obj, when it is there. */
void edits_remove(struct edits *e, uint32_t obj, const char *key);

/* Remove element v of an array. */
void edits_remove_element(struct edits *e, uint32_t arr, uint32_t v);

/* No edits at all: the text may be sent as it is. */
bool edits_none(const struct edits *e);

/* Append the edited text to out. False when memory was short anywhere. */
bool edits_apply(struct edits *e, struct buf *out);

/*
 * Writing: commas and colons are the writer's work. Depth at most
 * LIMIT_JSON_DEPTH. Strings must be UTF-8 without NUL (what is not comes out
 * as U+FFFD, so that the parser takes it); errors stick in the buffer.
 */
struct json_writer {
	struct buf *out;
	bool comma; /* the next value needs one before it */
};

void jw_init(struct json_writer *w, struct buf *out);
void jw_object(struct json_writer *w);	/* { */
void jw_end_object(struct json_writer *w);
void jw_array(struct json_writer *w);	/* [ */
void jw_end_array(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key);
void jw_string(struct json_writer *w, const char *s);
void jw_stringn(struct json_writer *w, const char *s, size_t len);
void jw_int(struct json_writer *w, int64_t n);
void jw_bool(struct json_writer *w, bool b);
void jw_null(struct json_writer *w);
void jw_double(struct json_writer *w, double d); /* shortest exact form; NaN, infinity: null */
void jw_raw(struct json_writer *w, const char *raw, size_t len);

/* One string value, quoted and escaped, appended to out. */
void json_quote(struct buf *out, const char *s, size_t len);

#endif
