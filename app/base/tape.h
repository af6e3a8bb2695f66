/*
 * The tape, for the json*.c files alone. A node is two words: the offset in
 * the text, and length << 4 | escape flag << 3 | type. A string's offset and
 * length are those of its content, without the quotes. An array or object
 * has a second node behind the first: the index of the node after all that
 * is in it, and the number of its elements or pairs. The nodes of an object
 * alternate, key and value. While the parser is inside a container, the
 * first word of its second node is the container around it, so that the
 * tape is the parser's stack too.
 */
#ifndef TOLLGATE_BASE_TAPE_H
#define TOLLGATE_BASE_TAPE_H

#include "app/base/json.h"

#define NODE_ESCAPED 8u

#define NODE_AT(d, v) ((d)->tape[2 * (size_t)(v)])
#define NODE_INFO(d, v) ((d)->tape[2 * (size_t)(v) + 1])
#define NODE_TYPE(d, v) ((enum json_type)(NODE_INFO(d, v) & 7))
#define NODE_LEN(d, v) ((size_t)(NODE_INFO(d, v) >> 4))
#define NODE_TEXT(d, v) ((d)->text + NODE_AT(d, v))

/* Of an array or object: the node after it, and how much is in it. */
#define NODE_NEXT(d, v) ((d)->tape[2 * (size_t)(v) + 2])
#define NODE_COUNT(d, v) ((d)->tape[2 * (size_t)(v) + 3])

/* The node after v and all that is in it. */
#define NODE_SKIP(d, v) \
	(NODE_TYPE(d, v) >= JSON_ARRAY ? NODE_NEXT(d, v) : (v) + 1)

/*
 * The content of a checked string, decoded to out, which has room for n
 * bytes; how many it became.
 */
size_t tape_decode(const char *raw, size_t n, char *out);

/* Are two strings of the tape the same after decoding? */
bool tape_same(const struct json *doc, uint32_t v, uint32_t w);

/* What the check of keys takes from one object to the next; born zero. */
struct keys {
	struct slot *slots;
	size_t slots_size;
	char *decoded; /* room to decode a key */
	size_t decoded_size;
	uint64_t seed[2];
	bool seeded;
};

void keys_free(struct keys *k);

/*
 * Look for two equal keys in an object of two keys or more, whose last node
 * is the one before `end`: the second of them, else JSON_NONE, in *twin.
 * False when memory is short.
 */
bool keys_check(struct keys *k, const struct json *doc, uint32_t object,
    uint32_t end, uint32_t *twin);

/* Is a number, of checked grammar, too large for a double? */
bool tape_overflows(const char *digits, size_t n);

#endif
