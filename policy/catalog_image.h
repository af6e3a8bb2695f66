/*
 * How the compiled catalog lies in memory and in its file: a head, then
 * sections of rows of fixed size, the last one being a pool of NUL-terminated
 * strings. Rows name strings by their offset in the pool and other rows by
 * their index, so the image may lie anywhere. Everything is in the machine's
 * own byte order: the magic number of an image from another kind of machine
 * reads differently. Private to policy/catalog*.c and their tests.
 */
#ifndef TOLLGATE_POLICY_CATALOG_IMAGE_H
#define TOLLGATE_POLICY_CATALOG_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "app/base/err.h"
#include "policy/price.h"

#define IMAGE_MAGIC UINT64_C(0x54414c4f47303101)
#define IMAGE_VERSION 2
#define IMAGE_ALIGN 8
#define IMAGE_MAX ((size_t)64 << 20) /* bytes of an image */
#define IMAGE_NONE UINT32_MAX	     /* no such row */

enum section {
	SECTION_PROVIDERS, /* by name */
	SECTION_ALIASES,   /* by name; none is a provider's name */
	SECTION_WIRES,
	SECTION_MODELS,	   /* by provider, then by name */
	SECTION_PRICES,
	SECTION_TIERS,
	SECTION_SCORES,
	SECTION_STRINGS,   /* bytes; begins with NUL: offset 0 is "" */
	SECTION_COUNT
};

struct image {
	uint64_t magic;
	uint64_t sum;	  /* image_sum of it */
	uint32_t version;
	uint32_t size;	  /* bytes of the image, a multiple of IMAGE_ALIGN */
	uint32_t date;	  /* string */
	uint32_t zero;
	struct {
		uint32_t offset; /* from the image's start, aligned */
		uint32_t count;	 /* rows */
	} section[SECTION_COUNT];
};

struct image_provider {
	uint32_t name, title, env, doc; /* strings */
	uint32_t wire;
	uint32_t first, count; /* models */
};

struct image_alias {
	uint32_t name; /* string */
	uint32_t provider;
};

/* Where and how a provider, or one model of it, is spoken to. */
struct image_wire {
	uint32_t adapter, base_url, auth_header; /* strings */
	uint32_t auth, quirks;
};

struct image_model {
	uint32_t name, title, family, released, status; /* strings */
	uint32_t provider, wire;
	uint32_t price; /* or IMAGE_NONE */
	uint32_t first_score, scores;
	uint32_t context, max_input, max_output, caps;
};

struct image_price {
	int64_t rate[UNIT_COUNT];
	uint32_t first_tier, tiers;
};

struct image_score {
	double value;
	uint32_t benchmark; /* string */
	uint32_t zero;
};

/* Bytes of a row of each section. */
extern const uint32_t image_row_size[SECTION_COUNT];

/*
 * A sum over all of the image behind image.sum; size is a multiple of
 * IMAGE_ALIGN and at least that of a struct image.
 */
uint64_t image_sum(const struct image *image, size_t size);

/*
 * Is this a whole and sound image, safe for all look-ups? p is aligned to
 * IMAGE_ALIGN. The fault says what is wrong.
 */
enum err image_check(const void *p, size_t len, struct fault *f);

/* The image in the program, from policy/catalog.json at build time. */
const struct image *image_builtin(void);

#endif
