/*
 * YAML (and so JSON) text as a tree of nodes that know their file, line and
 * path. Bounded in size, depth and count; anchors, aliases, tags, merge keys
 * and second documents are refused, so that what stands in the file is what
 * is meant. Knows nothing of policies.
 */
#ifndef TOLLGATE_POLICY_YAML_H
#define TOLLGATE_POLICY_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/diag.h"

struct vault;

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAP
};

struct node {
	enum node_kind kind;
	bool plain;	       /* a scalar without quotes */
	unsigned line, column; /* from 1; of the key when it has one */
	unsigned index;	       /* place in the list above */
	unsigned count;	       /* children */
	const struct source_file *file;
	const char *key;       /* name in the map above, NULL in a list */
	const char *text;      /* of a scalar; no NUL inside */
	size_t len;
	struct node *parent, *first, *last, *next;
};

/*
 * The tree of a text, in the vault's memory (it may hold secrets). NULL when
 * there is none; the diag has heard why. An empty text is an empty map.
 * diag may say faults (as a key twice) on a tree that is returned.
 */
struct node *yaml_read(const char *text, size_t len,
    const struct source_file *file, struct vault *mem, struct diag *d);

/* A map's value by name, or NULL. */
struct node *node_get(const struct node *map, const char *key);

/* Is it "null", "~" or nothing at all? */
bool node_null(const struct node *n);

/*
 * Say which names stand twice among the children of a map, naming both
 * places: within one file, or (across) in two. Takes memory for a while;
 * tells the diag when there is none.
 */
void node_unique(const struct node *map, bool across, struct diag *d);

#endif
