/*
 * Between the two halves of the catalog's compiler: catalog_compile.c puts
 * the rows in order, catalog_row.c reads the fields of a row.
 */
#ifndef TOLLGATE_POLICY_CATALOG_ROW_H
#define TOLLGATE_POLICY_CATALOG_ROW_H

#include <stdint.h>

#include "app/base/arena.h"
#include "app/base/err.h"
#include "app/base/json.h"
#include "policy/catalog_build.h"

/* A row of the JSON, to be brought in order. */
struct entry {
	uint32_t provider; /* 0 for a row that is a provider */
	const char *name;
	uint32_t value;	   /* its object */
	uint32_t index;	   /* in the JSON's list */
};

struct entries {
	struct entry *list;
	uint32_t count;
};

struct compiler {
	struct json doc;
	struct arena *arena;
	struct fault *f;
	enum err err;		/* the first failure */
	const char *what;	/* "models": the list of the row at hand */
	const struct entry *at; /* the row at hand, or NULL */
	struct entries providers, models;
	struct build build;
};

/* Note the first failure: which key of the row at hand, and why. */
void row_wrong(struct compiler *c, const char *key, const char *why);
void row_no_memory(struct compiler *c);

/*
 * The string of a key: absent reads as the given default, which is NULL for
 * a key that must be there. Never NULL; "" on failure.
 */
const char *row_text(struct compiler *c, uint32_t obj, const char *key,
    const char *absent);

/* The same as a string of the pool; absent reads as another one. */
uint32_t row_shared(struct compiler *c, uint32_t obj, const char *key,
    uint32_t absent);

/* The wire of a row, shared; where it is silent, that of base. */
uint32_t row_wire(struct compiler *c, uint32_t obj,
    const struct image_wire *base);

/* What a model has besides names and wire. */
void row_model(struct compiler *c, uint32_t obj, struct image_model *m);

#endif
