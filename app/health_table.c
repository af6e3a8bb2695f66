/* The file of the table, its columns and its slots. */
#include "app/health_table.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/base/siphash.h"
#include "policy/state.h"

#define NAME "health"
#define MAGIC "tghealth"
#define VERSION 4

#define SECOND INT64_C(1000000)
#define IDLE (600 * SECOND) /* a slot that may go to another deployment */
#define REACH 32 /* places that are looked at for one hash */
#define TRIES 100 /* of 10 ms, for the lock on the directory */

/* ----------------------------------------------------------- the file */

/* How a table of this program and this boot begins. */
static bool
head_make(struct table_head *head)
{
	memset(head, 0, sizeof *head);
	memcpy(head->magic, MAGIC, sizeof head->magic);
	head->version = VERSION;
	head->size = sizeof(struct table);
	boot_id(head->boot);
	return head->boot[0] != '\0';
}

/* Is it a file of ours, and of nobody else's? */
static bool
ours(int fd, const struct table_head *head, bool anyone)
{
	struct table_head have;
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_uid == geteuid() || (anyone && geteuid() == 0)) &&
	    (st.st_mode & 077) == 0 &&
	    st.st_size == (off_t)sizeof(struct table) &&
	    pread(fd, &have, sizeof have, 0) == (ssize_t)sizeof have &&
	    memcmp(&have, head, sizeof have) == 0;
}

static int
open_sound(const char *path, const struct table_head *head, bool anyone)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && !ours(fd, head, anyone)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int
make_file(const char *path, const struct table_head *head)
{
	char new[PATH_MAX];
	int fd;

	if (snprintf(new, sizeof new, "%s.new", path) >= (int)sizeof new)
		return -1;
	unlink(new); /* left by one that was killed */
	fd = open(new, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return -1;
	if (posix_fallocate(fd, 0, sizeof(struct table)) == 0 &&
	    pwrite(fd, head, sizeof *head, 0) == (ssize_t)sizeof *head &&
	    rename(new, path) == 0)
		return fd;
	unlink(new);
	close(fd);
	return -1;
}

static bool
lock_directory(int fd)
{
	static const struct timespec pause = { 0, 10000000 };
	int i;

	for (i = 0; i < TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		nanosleep(&pause, NULL);
	}
	return false;
}

/*
 * Root may look at a directory of the workers' user; what is theirs there it
 * does not replace.
 */
static bool
of_another(const char *path)
{
	struct stat st;

	return geteuid() == 0 && lstat(path, &st) == 0 && st.st_uid != 0;
}

/* One at a time, lest two replace the same file and each keep its own. */
static int
open_or_make(const char *dir, const char *path, const struct table_head *head)
{
	int fd = open_sound(path, head, false), lock;
	struct fault f;

	if (fd >= 0)
		return fd;
	if (of_another(path) || state_dir_make(dir, &f) != ERR_OK)
		return -1;
	lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0)
		return -1;
	if (lock_directory(lock)) {
		fd = open_sound(path, head, false);
		if (fd < 0)
			fd = make_file(path, head);
	}
	close(lock);
	return fd;
}

static bool
map(struct table_map *m, int fd)
{
	void *p = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE,
	    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return false;
	*m = (struct table_map){ p, fd, -1 };
	return true;
}

static bool
path_of(const char *dir, char path[PATH_MAX])
{
	return dir != NULL &&
	    snprintf(path, PATH_MAX, "%s/" NAME, dir) < PATH_MAX;
}

/* ------------------------------------------------------------ columns */

static bool
lock_column(int fd, int column, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET,
		.l_start = column, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static void
empty_column(struct table *t, int column)
{
	unsigned i;

	for (i = 0; i < TABLE_SLOTS; i++)
		if (atomic_load_explicit(&t->slot_hash[i],
		    memory_order_relaxed) != 0)
			atomic_store_explicit(&t->slots[i].active[column], 0,
			    memory_order_relaxed);
	atomic_store(&t->column[column], 0);
}

static void
take_column(struct table_map *m)
{
	int i;

	for (i = 0; i < TABLE_COLUMNS && m->column < 0; i++)
		if (m->fd < 0 || lock_column(m->fd, i, F_WRLCK))
			m->column = i;
	if (m->column < 0)
		return;
	empty_column(m->table, m->column);
	atomic_store(&m->table->column[m->column], 1);
}

void
table_sweep(struct table_map *m, int64_t now)
{
	struct table *t = m->table;
	int64_t last = atomic_load_explicit(&t->swept, memory_order_relaxed);
	int i;

	if ((last > now - SECOND && last <= now) || m->fd < 0 ||
	    !atomic_compare_exchange_strong(&t->swept, &last, now))
		return;
	for (i = 0; i < TABLE_COLUMNS; i++) {
		if (i == m->column || atomic_load(&t->column[i]) == 0 ||
		    !lock_column(m->fd, i, F_WRLCK))
			continue;
		empty_column(t, i);
		lock_column(m->fd, i, F_UNLCK);
	}
}

bool
table_open(struct table_map *m, const char *dir)
{
	struct table_head head;
	char path[PATH_MAX];
	int fd = -1;

	if (path_of(dir, path) && head_make(&head))
		fd = open_or_make(dir, path, &head);
	if (fd >= 0 && !map(m, fd)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0 && !map(m, -1))
		return false;
	take_column(m);
	return true;
}

bool
table_look(struct table_map *m, const char *dir)
{
	struct table_head head;
	char path[PATH_MAX];
	int fd = -1;

	if (path_of(dir, path) && head_make(&head))
		fd = open_sound(path, &head, true);
	if (fd >= 0 && !map(m, fd)) {
		close(fd);
		fd = -1;
	}
	return fd >= 0;
}

void
table_close(struct table_map *m)
{
	if (m->column >= 0)
		empty_column(m->table, m->column);
	munmap(m->table, sizeof *m->table);
	if (m->fd >= 0)
		close(m->fd);
}

/* -------------------------------------------------------------- slots */

static uint64_t
hash_of(const char *s)
{
	static const uint64_t key[2] = { 0x746f6c6c67617465, 0x6865616c7468 };
	uint64_t h = siphash(key, s, strlen(s));

	return h == 0 ? 1 : h; /* 0 is a free place */
}

static bool
idle(const _Atomic int64_t *used, int64_t now)
{
	int64_t at = atomic_load_explicit(used, memory_order_relaxed);

	return at > now || at < now - IDLE;
}

/* What looking for a hash found. */
struct found {
	unsigned at;
	bool there;  /* it is the one looked for */
	uint64_t old; /* else what stands there, to be swapped */
};

/*
 * The place of a hash; else the first free one, else (of `used`, one each
 * `size` bytes) one that was idle for long. False: none of these.
 */
static bool
find(word *hashes, unsigned n, uint64_t hash, struct found *f)
{
	unsigned i;

	f->there = false;
	for (i = 0; i < REACH; i++) {
		f->at = (unsigned)(hash + i) & (n - 1);
		f->old = atomic_load_explicit(&hashes[f->at],
		    memory_order_acquire);
		f->there = f->old == hash;
		if (f->there || f->old == 0)
			return true;
	}
	return false;
}

static void
wipe(struct slot *s)
{
	atomic_store(&s->named, 0);
	memset((char *)s + sizeof s->rest, 0,
	    offsetof(struct slot, active) - sizeof s->rest);
	atomic_store(&s->rest, 0);
}

/* Of the places in reach, one whose deployment was idle for long. */
static bool
find_idle(struct table *t, uint64_t hash, int64_t now, struct found *f)
{
	unsigned i;

	for (i = 0; i < REACH; i++) {
		f->at = (unsigned)(hash + i) & (TABLE_SLOTS - 1);
		f->old = atomic_load(&t->slot_hash[f->at]);
		if (idle(&t->slots[f->at].used, now))
			return true;
	}
	return false;
}

struct slot *
table_slot(struct table *t, const char *id, bool make, int64_t now)
{
	uint64_t hash = hash_of(id);
	struct slot *s = NULL;
	struct found f;
	bool room;

	do {
		room = find(t->slot_hash, TABLE_SLOTS, hash, &f);
		if (!room && make)
			room = find_idle(t, hash, now, &f);
		if (!room || (!f.there && !make))
			return NULL;
		s = &t->slots[f.at];
		if (f.there)
			return s;
	} while (!atomic_compare_exchange_strong(&t->slot_hash[f.at], &f.old,
	    hash));
	if (f.old != 0)
		wipe(s);
	return s;
}

void
table_name(struct slot *s, const char *id, int64_t now)
{
	atomic_store_explicit(&s->used, now, memory_order_relaxed);
	if (atomic_load_explicit(&s->named, memory_order_acquire) == 1)
		return;
	/* Two who come at once write the same. */
	snprintf(s->id, sizeof s->id, "%s", id);
	atomic_store_explicit(&s->named, 1, memory_order_release);
}

struct model_slot *
table_model(struct table *t, const char *model, int64_t now)
{
	uint64_t hash = hash_of(model);
	struct model_slot *s;
	struct found f;

	if (!find(t->model_hash, TABLE_MODELS, hash, &f)) {
		f.at = (unsigned)hash & (TABLE_MODELS - 1);
		f.old = atomic_load(&t->model_hash[f.at]);
		if (!idle(&t->models[f.at].used, now))
			return NULL;
	}
	s = &t->models[f.at];
	if (!f.there && atomic_compare_exchange_strong(&t->model_hash[f.at],
	    &f.old, hash))
		memset(s, 0, sizeof *s);
	atomic_store_explicit(&s->used, now, memory_order_relaxed);
	return s;
}

struct slot *
table_at(struct table *t, unsigned i, char id[TABLE_ID])
{
	struct slot *s = &t->slots[i];
	size_t n;

	if (atomic_load(&t->slot_hash[i]) == 0 ||
	    atomic_load_explicit(&s->named, memory_order_acquire) != 1)
		return NULL;
	memcpy(id, s->id, TABLE_ID);
	id[TABLE_ID - 1] = '\0';
	for (n = 0; id[n] != '\0'; n++)
		if ((unsigned char)id[n] < ' ' || id[n] == 0x7f)
			return NULL;
	return n == 0 ? NULL : s;
}
