/*
 * The file is a head and a place for each purse. Of the two settles of a purse
 * a place has two copies each, and one word that tells which are in force: the
 * others are written, then the word is.
 */
#include "app/will.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "app/base/boot.h"
#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/hash.h"
#include "app/ledger_int.h"

#define MAGIC "tg will\n"
#define VERSION 1
#define PREFIX "will."
#define FRESH "new." /* before a name of a file that is being made */
#define STORE_DIGITS 16 /* of the store's hash in the name */
#define RANDOM 16 /* bytes */
#define FILE_NAME (sizeof PREFIX + STORE_DIGITS + 1 + 2 * RANDOM)
#define FRESH_AGE INT64_C(60000000) /* µs; to make one takes a moment */

/* The word of a place; 0: it is free. */
#define USED 1U
#define BEFORE 2U /* the second copy of `before` is in force */
#define NOW 4U
#define WORD_BITS (USED | BEFORE | NOW)

/* The text of a settle at most: its head, parts and rows. */
#define TEXT_SIZE (64 + WILL_PARTS * (NAME_SIZE + 48) + \
    WILL_ROWS * (WILL_WHO + 5 * 20))

/* All of it is compared, so that no byte may be left to chance. */
struct head {
	char magic[8];
	uint32_t version, size, settle, row;
	char boot[BOOT_ID];
	char store[HASH_HEX_SIZE];
	char zero[7];
};

_Static_assert(sizeof(struct head) == 24 + BOOT_ID + HASH_HEX_SIZE + 7,
    "no gaps in the head");

struct part {
	int64_t expire;
	uint32_t kind, zero;
	char name[NAME_SIZE];
};

struct place {
	_Atomic uint32_t word;
	uint32_t parts;
	struct part part[WILL_PARTS];
	struct will_settle before[2], now[2];
};

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && sizeof(_Atomic uint32_t) == 4,
    "a word that is there whole or not at all");

struct file {
	struct head head;
	struct place place[WILL_PURSES];
};

struct will {
	char *dir;
	struct head head;
	bool able; /* the head is whole */
	int64_t again; /* clock_mono before which no file is tried */
	char name[FILE_NAME];
	int fd; /* locked; -1: there is no file */
	struct file *file;
	uint32_t word[WILL_PURSES]; /* those in the file, which we only write */
};

struct legacy {
	DIR *dir;
	int fd; /* locked */
	char name[FILE_NAME];
	struct buf before, now; /* texts that are told */
	struct file file; /* a copy: what was checked stays so */
};

/* ---- what is sound ---- */

/* Is there a NUL in it, and no control character but the gaps of a who? */
static bool
text_good(const char *s, size_t size, char gap)
{
	const char *end = memchr(s, '\0', size);

	if (end == NULL)
		return false;
	for (; s < end; s++)
		if (((unsigned char)*s < ' ' || *s == 0x7f) && *s != gap)
			return false;
	return true;
}

/* A reader of lines takes blanks at the start for its own. */
static bool
name_good(const char *s, size_t size)
{
	return text_good(s, size, '\0') && *s != '\0' && *s != ' ';
}

static bool
id_good(const char id[LEDGER_ID])
{
	return text_good(id, LEDGER_ID, '\0') && strchr(id, ' ') == NULL;
}

static bool
who_good(const char who[WILL_WHO])
{
	char copy[WILL_WHO];
	struct usage_row row;

	if (!text_good(who, WILL_WHO, WHO_GAP))
		return false;
	memcpy(copy, who, sizeof copy);
	return who_read(copy, &row);
}

static bool
amounts_good(const int64_t *n, size_t count)
{
	for (; count > 0; count--, n++)
		if (*n < 0 || *n > LEDGER_MAX)
			return false;
	return true;
}

static bool
settle_good(const struct will_settle *s, unsigned parts)
{
	uint32_t i;

	if (!id_good(s->id))
		return false;
	if (s->id[0] == '\0')
		return true;
	if (s->rows > WILL_ROWS || !amounts_good(s->actual, parts))
		return false;
	for (i = 0; i < s->rows; i++)
		if (!amounts_good(s->row[i].n, 5) || !who_good(s->row[i].who))
			return false;
	return true;
}

static bool
parts_good(const struct place *p)
{
	const struct part *t;

	if (p->parts > WILL_PARTS)
		return false;
	for (t = p->part; t < p->part + p->parts; t++)
		if (t->kind >= COUNTER_KINDS || t->expire < 0 ||
		    !name_good(t->name, sizeof t->name))
			return false;
	return true;
}

/* ---- the file's head and name ---- */

/* False: no will can be made or believed. */
static bool
head_make(struct head *head, const char *store)
{
	memset(head, 0, sizeof *head);
	memcpy(head->magic, MAGIC, sizeof head->magic);
	head->version = VERSION;
	head->size = sizeof(struct file);
	head->settle = sizeof(struct will_settle);
	head->row = sizeof(struct will_row);
	boot_id(head->boot);
	return head->boot[0] != '\0' &&
	    hash_sha256_hex(head->store, store, strlen(store)) == ERR_OK;
}

/* How the names of the wills for this store begin; returns the length. */
static size_t
prefix_make(char out[FILE_NAME], const struct head *head)
{
	return (size_t)snprintf(out, FILE_NAME, PREFIX "%.*s.", STORE_DIGITS,
	    head->store);
}

static bool
name_make(char out[FILE_NAME], const struct head *head)
{
	unsigned char bytes[RANDOM];

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	hash_hex(out + prefix_make(out, head), bytes, sizeof bytes);
	return true;
}

static bool
lock(int fd)
{
	int rc;

	while ((rc = flock(fd, LOCK_EX | LOCK_NB)) != 0 && errno == EINTR)
		continue;
	return rc == 0;
}

/* Is the name still that of the open file? Tells how the file is. */
static bool
still(int dir, const char *name, int fd, struct stat *st)
{
	struct stat named;

	return fstat(fd, st) == 0 && st->st_nlink > 0 &&
	    fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    named.st_dev == st->st_dev && named.st_ino == st->st_ino;
}

/* ---- the owner's ---- */

/* The lock goes with the last of the descriptor and the mapping. */
static void
drop_file(struct will *w)
{
	if (w->file != NULL)
		munmap(w->file, sizeof *w->file);
	w->file = NULL;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

/* Without its blocks a full disk would be a SIGBUS in the midst of a say. */
static bool
fill_file(struct will *w)
{
	void *p;
	int rc;

	if (!lock(w->fd))
		return false;
	while ((rc = posix_fallocate(w->fd, 0, sizeof *w->file)) == EINTR)
		continue;
	if (rc != 0)
		return false;
	p = mmap(NULL, sizeof *w->file, PROT_READ | PROT_WRITE, MAP_SHARED,
	    w->fd, 0);
	if (p == MAP_FAILED)
		return false;
	w->file = p;
	w->file->head = w->head;
	return true;
}

/* It has its name only when it is whole and locked. */
static bool
make_in(struct will *w, int dir)
{
	char fresh[sizeof FRESH + FILE_NAME];

	if (!name_make(w->name, &w->head))
		return false;
	snprintf(fresh, sizeof fresh, FRESH "%s", w->name);
	w->fd = openat(dir, fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (w->fd < 0)
		return false;
	if (fill_file(w) && renameat(dir, fresh, dir, w->name) == 0)
		return true;
	unlinkat(dir, fresh, 0);
	drop_file(w);
	return false;
}

static bool
make_file(struct will *w)
{
	int dir;
	bool made;

	if (!w->able || clock_mono() < w->again)
		return false;
	dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	made = dir >= 0 && make_in(w, dir);
	if (dir >= 0)
		close(dir);
	if (!made)
		w->again = clock_mono() + WILL_AGAIN;
	return made;
}

static bool
is_empty(const struct will *w)
{
	int i;

	for (i = 0; i < WILL_PURSES; i++)
		if (w->word[i] != 0)
			return false;
	return true;
}

/* A file that somebody has removed is no will: nobody would find it. */
static bool
have_file(struct will *w)
{
	struct stat st;

	if (w->file != NULL && (fstat(w->fd, &st) != 0 || st.st_nlink == 0)) {
		if (!is_empty(w))
			return false;
		drop_file(w);
	}
	return w->file != NULL || make_file(w);
}

struct will *
will_open(const char *dir, const char *store)
{
	struct will *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->fd = -1;
	w->able = dir != NULL && head_make(&w->head, store);
	w->dir = strdup(dir == NULL ? "" : dir);
	if (w->dir != NULL)
		return w;
	free(w);
	return NULL;
}

void
will_close(struct will *w)
{
	struct stat st;
	int dir;

	if (w == NULL)
		return;
	dir = w->file == NULL || !is_empty(w) ? -1 :
	    open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		if (still(dir, w->name, w->fd, &st))
			unlinkat(dir, w->name, 0);
		close(dir);
	}
	drop_file(w);
	free(w->dir);
	free(w);
}

/*
 * What is written before the word may not be moved behind it, nor what the next
 * say writes, into the copies that were in force until then, before it. The
 * compiler is told so; a processor ends a killed thread between two
 * instructions, with all before done, and the lock hands that over to heirs.
 */
static void
set_word(struct will *w, int place, uint32_t word)
{
	w->word[place] = word;
	atomic_store_explicit(&w->file->place[place].word, word,
	    memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

static bool
copy_part(struct part *to, const struct will_part *from)
{
	size_t n = strlen(from->name);

	if (n >= sizeof to->name || !name_good(from->name, n + 1) ||
	    (unsigned)from->kind >= COUNTER_KINDS || from->expire < 0)
		return false;
	to->expire = from->expire;
	to->kind = (uint32_t)from->kind;
	memcpy(to->name, from->name, n + 1);
	return true;
}

int
will_begin(struct will *w, const struct will_part *part, unsigned parts)
{
	struct place *p;
	unsigned k;
	int i = 0;

	while (i < WILL_PURSES && w->word[i] != 0)
		i++;
	if (i == WILL_PURSES || parts > WILL_PARTS || !have_file(w))
		return -1;
	/* Whole, so that its pages are there when requests wait. */
	p = &w->file->place[i];
	memset(p->part, 0, sizeof *p - offsetof(struct place, part));
	p->parts = parts;
	for (k = 0; k < parts; k++)
		if (!copy_part(&p->part[k], &part[k]))
			return -1;
	set_word(w, i, USED);
	return i;
}

static void
copy_settle(struct will_settle *to, const struct will_settle *from)
{
	if (from == NULL) {
		to->id[0] = '\0';
		return;
	}
	assert(from->rows <= WILL_ROWS);
	memcpy(to, from, offsetof(struct will_settle, row));
	memcpy(to->row, from->row, from->rows * sizeof *from->row);
}

static struct place *
place_of(struct will *w, int place)
{
	assert(place >= 0 && place < WILL_PURSES && w->word[place] != 0);
	return &w->file->place[place];
}

void
will_say(struct will *w, int place, const struct will_settle *before,
    const struct will_settle *now)
{
	struct place *p = place_of(w, place);
	uint32_t word = w->word[place] ^ (BEFORE | NOW);

	copy_settle(&p->before[(word & BEFORE) != 0], before);
	copy_settle(&p->now[(word & NOW) != 0], now);
	set_word(w, place, word);
}

void
will_say_now(struct will *w, int place, const struct will_settle *now)
{
	struct place *p = place_of(w, place);
	uint32_t word = w->word[place] ^ NOW;

	copy_settle(&p->now[(word & NOW) != 0], now);
	set_word(w, place, word);
}

void
will_end(struct will *w, int place)
{
	place_of(w, place);
	set_word(w, place, 0);
}

/* ---- the heirs' ---- */

static bool
read_file(int fd, struct file *out)
{
	char *p = (char *)out;
	size_t have = 0;
	ssize_t n;

	while (have < sizeof *out) {
		n = pread(fd, p + have, sizeof *out - have, (off_t)have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

enum verdict { OURS, OTHERS, NONE };

/* What is a file that is locked for us? A copy of it stands in *file then. */
static enum verdict
judge(int fd, const struct stat *st, const struct head *want,
    struct file *file)
{
	const struct head *have = &file->head;

	if ((st->st_mode & 077) != 0 || st->st_size != (off_t)sizeof *file)
		return NONE;
	if (!read_file(fd, file))
		return OTHERS;
	if (memcmp(have, want, offsetof(struct head, boot)) != 0)
		return NONE;
	if (memcmp(have->store, want->store, sizeof have->store) != 0)
		return OTHERS;
	return memcmp(have, want, sizeof *have) == 0 ? OURS : NONE;
}

/* Open and locked, and the name still its own; -1: it is not for us. */
static int
open_dead(int dir, const char *name, struct stat *st)
{
	int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC |
	    O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (lock(fd) && still(dir, name, fd, st) && S_ISREG(st->st_mode) &&
	    st->st_uid == geteuid())
		return fd;
	close(fd);
	return -1;
}

/* One that its maker never finished. */
static void
sweep(int dir, const char *name)
{
	struct stat st;
	int fd = open_dead(dir, name, &st);
	int64_t age;

	if (fd < 0)
		return;
	age = clock_wall() - ((int64_t)st.st_mtim.tv_sec * 1000000 +
	    st.st_mtim.tv_nsec / 1000);
	/* One of the future is of a clock that was set back. */
	if (age > FRESH_AGE || age < -FRESH_AGE)
		unlinkat(dir, name, 0);
	close(fd);
}

/* Is it something else than a file, of ours? */
static bool
is_no_file(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_uid == geteuid() && !S_ISREG(st.st_mode);
}

/* The file of that name becomes l's, if it can be. */
static bool
take(struct legacy *l, const char *name, const struct head *head)
{
	int dir = dirfd(l->dir);
	enum verdict v = NONE;
	struct stat st;

	l->fd = -1;
	if (!is_no_file(dir, name)) {
		l->fd = open_dead(dir, name, &st);
		v = l->fd < 0 ? OTHERS : judge(l->fd, &st, head, &l->file);
	}
	if (v == NONE)
		unlinkat(dir, name, 0);
	if (v == OURS) {
		snprintf(l->name, sizeof l->name, "%s", name);
		return true;
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	return false;
}

static bool
find(struct legacy *l, const struct head *head, const char *own)
{
	char prefix[FILE_NAME];
	size_t n = prefix_make(prefix, head);
	struct dirent *e;

	while ((e = readdir(l->dir)) != NULL) {
		if (strncmp(e->d_name, FRESH PREFIX, strlen(FRESH PREFIX)) == 0)
			sweep(dirfd(l->dir), e->d_name);
		else if (strncmp(e->d_name, prefix, n) == 0 &&
		    strlen(e->d_name) < FILE_NAME &&
		    strcmp(e->d_name, own) != 0 && take(l, e->d_name, head))
			return true;
	}
	return false;
}

struct legacy *
will_inherit(const char *dir, const char *store, const struct will *own)
{
	struct head head;
	struct legacy *l;

	if (dir == NULL || !head_make(&head, store))
		return NULL;
	l = calloc(1, sizeof *l);
	if (l == NULL)
		return NULL;
	l->fd = -1;
	buf_init(&l->before, TEXT_SIZE);
	buf_init(&l->now, TEXT_SIZE);
	l->dir = opendir(dir);
	/* Their room now: a will that is left out half could not be told. */
	if (l->dir != NULL && buf_reserve(&l->before, TEXT_SIZE) &&
	    buf_reserve(&l->now, TEXT_SIZE) &&
	    find(l, &head, own == NULL ? "" : own->name))
		return l;
	legacy_end(l, false);
	return NULL;
}

static void
write_settle(struct buf *b, const struct place *p, const struct will_settle *s)
{
	struct op_part part[WILL_PARTS];
	struct op_row row[WILL_ROWS];
	struct op op = { .verb = VERB_SETTLE, .part = part,
		.parts = p->parts, .row = row, .rows = s->rows };
	uint32_t i;

	memcpy(op.id, s->id, sizeof op.id);
	for (i = 0; i < p->parts; i++)
		part[i] = (struct op_part){ .name = { p->part[i].name },
			.kind = (enum counter_kind)p->part[i].kind,
			.actual = s->actual[i],
			.expire = { p->part[i].expire } };
	for (i = 0; i < s->rows; i++) {
		row[i].who = s->row[i].who;
		memcpy(row[i].n, s->row[i].n, sizeof row[i].n);
	}
	op_write(b, &op);
}

/* Its text, with a NUL; NULL: there is none. */
static const char *
text_of(struct buf *out, const struct place *p, const struct will_settle *s)
{
	if (s->id[0] == '\0')
		return NULL;
	buf_clear(out);
	write_settle(out, p, s);
	buf_putc(out, '\0');
	assert(!out->failed);
	return out->data;
}

static void
tell_place(struct legacy *l, const struct place *p, legacy_fn *fn, void *arg)
{
	uint32_t word = atomic_load_explicit(&p->word, memory_order_relaxed);
	const struct will_settle *before = &p->before[(word & BEFORE) != 0];
	const struct will_settle *now = &p->now[(word & NOW) != 0];

	if ((word & USED) == 0 || (word & ~WORD_BITS) != 0 || !parts_good(p) ||
	    !settle_good(before, p->parts) || !settle_good(now, p->parts) ||
	    now->id[0] == '\0')
		return;
	fn(arg, text_of(&l->before, p, before), text_of(&l->now, p, now));
}

void
legacy_each(struct legacy *l, legacy_fn *fn, void *arg)
{
	int i;

	for (i = 0; i < WILL_PURSES; i++)
		tell_place(l, &l->file.place[i], fn, arg);
}

void
legacy_end(struct legacy *l, bool done)
{
	struct stat st;

	if (l == NULL)
		return;
	if (l->fd >= 0) {
		if (done && still(dirfd(l->dir), l->name, l->fd, &st))
			unlinkat(dirfd(l->dir), l->name, 0);
		close(l->fd);
	}
	if (l->dir != NULL)
		closedir(l->dir);
	buf_free(&l->before);
	buf_free(&l->now);
	free(l);
}
