/*
 * Locks of single bytes of a file that stays empty. They belong to the open
 * file, so that they end with it, however the worker does.
 */
#include "app/token_lock.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

int
token_lock_open(const char *dir)
{
	char path[PATH_MAX];

	if (dir == NULL || snprintf(path, sizeof path, "%s/tokens.lock",
	    dir) >= (int)sizeof path)
		return -1;
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static bool
set(int fd, const unsigned char *key, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET,
		.l_len = 1 };

	l.l_start = (off_t)((uint32_t)(key[0] & 0x7f) << 24 |
	    (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3]);
	return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

bool
token_lock_take(int fd, const unsigned char *key)
{
	return fd < 0 || set(fd, key, F_WRLCK);
}

void
token_lock_leave(int fd, const unsigned char *key)
{
	if (fd >= 0)
		(void)set(fd, key, F_UNLCK);
}
