/*
 * Readers: one a type of value, told by the field where and how. What is
 * wrong goes to the diag, and the load has failed. Private to the loader.
 */
#ifndef TOLLGATE_POLICY_READ_H
#define TOLLGATE_POLICY_READ_H

#include <stddef.h>

struct field;
struct load;
struct node;
struct rows;
struct word;

typedef void read_fn(struct load *l, const struct node *n,
    const struct field *f, void *out);

read_fn read_text, read_secret, read_hash, read_number, read_bool,
    read_choice, read_strings, read_headers;
read_fn read_set, read_delay, read_scores, read_budget,
    read_percents; /* read_form.c */
read_fn read_range, read_hours, read_matches; /* read_when.c */

/* The text of a scalar that says something, or NULL: the diag knows. */
const char *read_scalar(struct load *l, const struct node *n);

/* One of the field's words, or NULL: the diag knows. */
const struct word *read_word(struct load *l, const struct node *n,
    const struct field *f);

/* A copy for as long as the policy lives; NULL: the diag knows. */
const char *read_keep(struct load *l, const char *s);

/*
 * Room for the children of a list or map, or for one value alone, in
 * rows->items, for the time of the load and zeroed; rows->count is 0. NULL:
 * the diag has heard why.
 */
void *read_room(struct load *l, const struct node *n, const struct field *f,
    size_t size, struct rows *rows);

#endif
