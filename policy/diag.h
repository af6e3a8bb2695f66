/*
 * What is wrong with a policy, gathered while it is read and told at the end
 * in the order of the files: "file:line: path: message". Never quotes a
 * value that may be a secret: the callers see to that, this file sees to
 * control characters and length.
 */
#ifndef TOLLGATE_POLICY_DIAG_H
#define TOLLGATE_POLICY_DIAG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf;
struct node;

/* A file of the policy; order is its place among them. */
struct source_file {
	const char *path; /* "": it is none, and no file and line is told */
	unsigned order;
};

struct diag; /* opaque */

/* NULL when memory is short. */
struct diag *diag_new(void);
void diag_free(struct diag *d);

/* A fault (or a warning) at a node, or in a file at a line. */
void diag_fault(struct diag *d, const struct node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void diag_warn(struct diag *d, const struct node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void diag_fault_at(struct diag *d, const struct source_file *file,
    unsigned line, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Memory was short: the load fails, whatever else is right. */
void diag_nomem(struct diag *d);
bool diag_short(const struct diag *d);

/* Has so much been said that no more will be shown? */
bool diag_full(const struct diag *d);

/* Has anything but warnings been said? */
bool diag_failed(const struct diag *d);

/* All of it, sorted, one line each. */
void diag_write(struct diag *d, struct buf *out);

/*
 * The candidate nearest to a mistyped word, or NULL when none is near:
 * begin with *best = NULL and *distance = SIZE_MAX, offer each name.
 */
struct guess {
	const char *word, *best;
	size_t distance;
};
void guess_init(struct guess *g, const char *word);
void guess_offer(struct guess *g, const char *name);

/* " (did you mean 'x'?)" or "", in the buffer given. */
const char *guess_words(const struct guess *g, char *out, size_t size);

#endif
