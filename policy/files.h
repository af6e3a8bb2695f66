/* The files of a policy. Private to the loader. */
#ifndef TOLLGATE_POLICY_FILES_H
#define TOLLGATE_POLICY_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "app/base/limits.h"

struct diag;
struct policy_file;
struct source_file;
struct vault;

/* In order of name. */
struct listing {
	char *paths[LIMIT_POLICY_FILES];
	size_t count;
	bool more; /* than we take */
};

/* 0 or an errno. A path that is no directory is its own listing. */
int listing_make(struct listing *ls, const char *path);
void listing_free(struct listing *ls);

/*
 * A whole file, in the vault's memory, and the marks to see its changes by.
 * NULL: the diag has heard why.
 */
char *file_read(struct diag *d, struct vault *mem,
    const struct source_file *file, struct policy_file *to, size_t *len);

/* Say that a path cannot be read, with an errno. */
void file_unreadable(struct diag *d, const struct source_file *file, int err);

#endif
