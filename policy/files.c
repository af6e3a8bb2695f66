/*
 * The files of a policy: which there are, what is in them, whether they have
 * changed since. Nothing of their content is understood here.
 */
#include "policy/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/base/limits.h"
#include "policy/diag.h"
#include "policy/policy.h"
#include "policy/vault.h"

static bool
policy_name(const char *name)
{
	static const char *const ends[] = { ".yaml", ".yml", ".json" };
	size_t i, len = strlen(name), n;

	for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		n = strlen(ends[i]);
		if (len > n && name[0] != '.' &&
		    strcmp(name + len - n, ends[i]) == 0)
			return true;
	}
	return false;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
listing_free(struct listing *ls)
{
	while (ls->count > 0)
		free(ls->paths[--ls->count]);
}

static bool
listing_add(struct listing *ls, const char *dir, const char *name)
{
	size_t n = strlen(dir) + (name != NULL ? strlen(name) : 0) + 2;
	char *path;

	if (ls->count == LIMIT_POLICY_FILES) {
		ls->more = true;
		return true;
	}
	path = malloc(n);
	if (path == NULL)
		return false;
	snprintf(path, n, "%s%s%s", dir,
	    name == NULL || dir[strlen(dir) - 1] == '/' ? "" : "/",
	    name != NULL ? name : "");
	ls->paths[ls->count++] = path;
	return true;
}

int
listing_make(struct listing *ls, const char *path)
{
	struct dirent *e;
	struct stat st;
	DIR *d;
	int err = 0;

	memset(ls, 0, sizeof *ls);
	if (stat(path, &st) != 0)
		return errno;
	if (!S_ISDIR(st.st_mode))
		return listing_add(ls, path, NULL) ? 0 : ENOMEM;
	d = opendir(path);
	if (d == NULL)
		return errno;
	while (err == 0 && (e = readdir(d)) != NULL)
		if (policy_name(e->d_name) &&
		    !listing_add(ls, path, e->d_name))
			err = ENOMEM;
	closedir(d);
	if (ls->count > 0)
		qsort(ls->paths, ls->count, sizeof ls->paths[0], by_path);
	if (err != 0)
		listing_free(ls);
	return err;
}

static void
stamp(struct policy_file *f, const struct stat *st)
{
	f->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 +
	    st->st_mtim.tv_nsec;
	f->size = st->st_size;
	f->inode = st->st_ino;
}

bool
policy_changed(const struct policy *p, const char *path)
{
	struct policy_file now;
	struct listing ls;
	struct stat st;
	bool changed;
	size_t i;

	if (listing_make(&ls, path) != 0)
		return true;
	changed = ls.count != p->file_count;
	for (i = 0; i < ls.count && !changed; i++) {
		const struct policy_file *was = &p->files[i];

		if (strcmp(ls.paths[i], was->path) != 0 ||
		    stat(ls.paths[i], &st) != 0) {
			changed = true;
			break;
		}
		stamp(&now, &st);
		changed = now.mtime_ns != was->mtime_ns ||
		    now.size != was->size || now.inode != was->inode;
	}
	listing_free(&ls);
	return changed;
}

void
file_unreadable(struct diag *d, const struct source_file *file, int err)
{
	diag_fault_at(d, file, 1, "policy", "cannot be read: %s",
	    strerror(err));
}

/* The whole file, or NULL and said why. */
static char *
slurp(struct diag *d, struct vault *mem, const struct source_file *file,
    int fd, struct policy_file *to, size_t *len)
{
	struct stat st;
	size_t at = 0;
	ssize_t n = 1;
	char *text;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		diag_fault_at(d, file, 1, "policy",
		    "is not a regular file");
		return NULL;
	}
	if ((size_t)st.st_size > LIMIT_POLICY) {
		diag_fault_at(d, file, 1, "policy",
		    "is larger than %zu bytes", LIMIT_POLICY);
		return NULL;
	}
	stamp(to, &st);
	text = vault_alloc(mem, (size_t)st.st_size + 1);
	if (text == NULL) {
		diag_nomem(d);
		return NULL;
	}
	while (at < (size_t)st.st_size && n != 0) {
		n = read(fd, text + at, (size_t)st.st_size - at);
		if (n < 0 && errno != EINTR) {
			file_unreadable(d, file, errno);
			return NULL;
		}
		if (n > 0)
			at += (size_t)n;
	}
	*len = at;
	return text;
}

char *
file_read(struct diag *d, struct vault *mem, const struct source_file *file,
    struct policy_file *to, size_t *len)
{
	char *text;
	int fd;

	to->path = file->path;
	fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		file_unreadable(d, file, errno);
		return NULL;
	}
	text = slurp(d, mem, file, fd, to, len);
	close(fd);
	return text;
}
