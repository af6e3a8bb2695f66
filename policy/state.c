/* Where the program's own files are. Reads the environment, opens nothing. */
#include "policy/state.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/catalog.h"

#define SYSTEM_DIR "/var/lib/tollgate"

/* A variable that is set to something. */
static const char *
variable(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && *s != '\0' ? s : NULL;
}

static bool
system_dir_usable(void)
{
	struct stat st;

	return stat(SYSTEM_DIR, &st) == 0 && S_ISDIR(st.st_mode) &&
	    eaccess(SYSTEM_DIR, W_OK | X_OK) == 0;
}

const char *
state_dir(void)
{
	static char dir[PATH_MAX];
	const char *base = variable("TOLLGATE_STATE"), *below = "";

	if (base == NULL && system_dir_usable())
		base = SYSTEM_DIR;
	if (base == NULL) {
		base = variable("XDG_STATE_HOME");
		below = "/tollgate";
		/* The specification: a relative path is to be ignored. */
		if (base != NULL && *base != '/')
			base = NULL;
	}
	if (base == NULL) {
		base = variable("HOME");
		below = "/.local/state/tollgate";
	}
	if (base == NULL ||
	    snprintf(dir, sizeof dir, "%s%s", base, below) >= (int)sizeof dir)
		return NULL;
	return dir;
}

enum err
state_dir_make(const char *dir, struct fault *f)
{
	char path[PATH_MAX];
	struct stat st;
	char *p;

	if (snprintf(path, sizeof path, "%s", dir) >= (int)sizeof path)
		return fault_set(f, ERR_INTERNAL, dir, "the path is too long");
	for (p = path + 1; *path != '\0' && *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		/* What is really wrong shows at the last part. */
		mkdir(path, 0700);
		*p = '/';
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return fault_set(f, ERR_INTERNAL, dir, "%s", strerror(errno));
	if (stat(path, &st) != 0)
		return fault_set(f, ERR_INTERNAL, dir, "%s", strerror(errno));
	return S_ISDIR(st.st_mode) ? ERR_OK :
	    fault_set(f, ERR_INTERNAL, dir, "not a directory");
}

const char *
state_catalog_path(void)
{
	static char path[PATH_MAX];
	const char *dir = state_dir();

	if (dir == NULL || snprintf(path, sizeof path, "%s/catalog.bin",
	    dir) >= (int)sizeof path)
		return NULL;
	return path;
}

struct catalog *
state_catalog(struct fault *f)
{
	return catalog_open(state_catalog_path(), f);
}
