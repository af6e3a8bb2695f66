/*
 * Building a catalog's image: rows and strings are gathered in sections, each
 * string and each shared row once, and put together at the end. Knows nothing
 * of JSON. A lack of memory sticks and shows in build_image. Private to
 * policy/catalog*.c.
 */
#ifndef TOLLGATE_POLICY_CATALOG_BUILD_H
#define TOLLGATE_POLICY_CATALOG_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "app/base/buf.h"
#include "app/base/err.h"
#include "policy/catalog_image.h"

struct build {
	struct buf rows[SECTION_COUNT];
	uint32_t *slots; /* hash table of the strings: offsets, 0 = free */
	uint32_t slot_count, slots_used;
	bool failed;
};

void build_init(struct build *b);
void build_free(struct build *b);

/* Add a row to a section; its index. */
uint32_t build_row(struct build *b, enum section s, const void *row);

/* The index of n rows in a section: of equal ones, or added now. */
uint32_t build_shared(struct build *b, enum section s, const void *rows,
    uint32_t n);

/* The offset of a string in the pool. s is not within the pool itself. */
uint32_t build_string(struct build *b, const char *s);

/* A string of the pool, until the next one is added. */
const char *build_text(const struct build *b, uint32_t offset);

/* A copy of row i of a section. */
void build_get(const struct build *b, enum section s, uint32_t i, void *out);

/* The image, to be freed; NULL when memory is or was short. */
struct image *build_image(const struct build *b, uint32_t date);

/* Write an image to a file beside path, then rename it to path. */
enum err image_write(const struct image *image, const char *path,
    struct fault *f);

#endif
