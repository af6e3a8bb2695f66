/* The page that a pool's workers share. */
#include "app/share.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "TOLLGATE_SHARE" /* descriptor, slot, slots */
#define FREE UINT32_MAX
#define SLOTS_MAX 4096
#define MARGIN 4 /* connections that make no difference */

static bool
map(struct share *s, int fd)
{
	void *p = mmap(NULL, s->slots * sizeof *s->held,
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	s->held = p == MAP_FAILED ? NULL : p;
	return s->held != NULL;
}

bool
share_make(struct share *s, unsigned slots)
{
	unsigned i;

	s->held = NULL;
	s->slots = slots;
	s->fd = memfd_create("share", MFD_CLOEXEC);
	if (s->fd < 0)
		return false;
	if (ftruncate(s->fd, (off_t)(slots * sizeof *s->held)) != 0 ||
	    !map(s, s->fd)) {
		close(s->fd);
		return false;
	}
	for (i = 0; i < slots; i++)
		share_clear(s, i);
	return true;
}

void
share_clear(struct share *s, unsigned slot)
{
	if (s->held != NULL && slot < s->slots)
		atomic_store_explicit(&s->held[slot], FREE,
		    memory_order_relaxed);
}

void
share_pass(const struct share *s, unsigned slot)
{
	char text[48];
	int fd;

	unsetenv(VARIABLE);
	if (s->held == NULL || slot >= s->slots)
		return;
	fd = dup(s->fd); /* without close-on-exec */
	snprintf(text, sizeof text, "%d,%u,%u", fd, slot, s->slots);
	if (fd >= 0)
		setenv(VARIABLE, text, 1);
}

void
share_join(struct share *s)
{
	const char *text = getenv(VARIABLE);
	struct stat st;
	int fd, end = 0;

	s->held = NULL;
	if (text == NULL ||
	    sscanf(text, "%d,%u,%u%n", &fd, &s->slot, &s->slots, &end) != 3 ||
	    text[end] != '\0' || fd <= STDERR_FILENO ||
	    s->slots > SLOTS_MAX || s->slot >= s->slots)
		return;
	unsetenv(VARIABLE);
	if (fstat(fd, &st) != 0 ||
	    st.st_size != (off_t)(s->slots * sizeof *s->held))
		return;
	map(s, fd);
	close(fd);
	share_tell(s, 0);
}

void
share_tell(struct share *s, uint32_t held)
{
	if (s->held != NULL)
		atomic_store_explicit(&s->held[s->slot], held,
		    memory_order_relaxed);
}

bool
share_heavy(const struct share *s, uint32_t held)
{
	uint32_t other;
	unsigned i;

	if (s->held == NULL || held <= MARGIN)
		return false;
	for (i = 0; i < s->slots; i++) {
		other = atomic_load_explicit(&s->held[i],
		    memory_order_relaxed);
		if (i != s->slot && other != FREE &&
		    other < held - held / 8 - MARGIN)
			return true;
	}
	return false;
}

void
share_leave(struct share *s)
{
	if (s->held == NULL)
		return;
	share_clear(s, s->slot);
	munmap((void *)(uintptr_t)s->held, s->slots * sizeof *s->held);
	s->held = NULL;
}
