/* The sections of an image under construction, and its file. */
#include "policy/catalog_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_FIRST 4096 /* a power of two */

void
build_init(struct build *b)
{
	int s;

	memset(b, 0, sizeof *b);
	for (s = 0; s < SECTION_COUNT; s++)
		buf_init(&b->rows[s], IMAGE_MAX);
	buf_putc(&b->rows[SECTION_STRINGS], '\0');
}

void
build_free(struct build *b)
{
	int s;

	for (s = 0; s < SECTION_COUNT; s++)
		buf_free(&b->rows[s]);
	free(b->slots);
}

uint32_t
build_row(struct build *b, enum section s, const void *row)
{
	size_t index = b->rows[s].len / image_row_size[s];

	buf_put(&b->rows[s], row, image_row_size[s]);
	b->failed |= b->rows[s].failed;
	return (uint32_t)index;
}

uint32_t
build_shared(struct build *b, enum section s, const void *rows, uint32_t n)
{
	size_t bytes = (size_t)n * image_row_size[s], at;

	for (at = 0; at + bytes <= b->rows[s].len; at += image_row_size[s])
		if (bytes == 0 ||
		    memcmp(b->rows[s].data + at, rows, bytes) == 0)
			return (uint32_t)(at / image_row_size[s]);
	at = b->rows[s].len;
	buf_put(&b->rows[s], rows, bytes);
	b->failed |= b->rows[s].failed;
	return (uint32_t)(at / image_row_size[s]);
}

const char *
build_text(const struct build *b, uint32_t offset)
{
	return b->failed ? "" : b->rows[SECTION_STRINGS].data + offset;
}

void
build_get(const struct build *b, enum section s, uint32_t i, void *out)
{
	memset(out, 0, image_row_size[s]);
	if (!b->failed)
		memcpy(out, b->rows[s].data + (size_t)i * image_row_size[s],
		    image_row_size[s]);
}

static uint32_t
hash(const char *s)
{
	uint32_t h = 2166136261U;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619U;
	return h;
}

/* The slot in which a string is, or would be. */
static uint32_t *
slot_of(const struct build *b, const char *s)
{
	uint32_t i = hash(s);

	for (;; i++) {
		uint32_t *slot = &b->slots[i & (b->slot_count - 1)];

		if (*slot == 0 || strcmp(build_text(b, *slot), s) == 0)
			return slot;
	}
}

/* Keep the table of strings at most half full. */
static bool
grow_slots(struct build *b)
{
	uint32_t *old = b->slots, *new, n = b->slot_count, i;

	if (b->slots_used * 2 < n)
		return true;
	b->slot_count = n == 0 ? SLOTS_FIRST : n * 2;
	new = calloc(b->slot_count, sizeof *new);
	if (new == NULL) {
		b->slot_count = n;
		b->failed = true;
		return false;
	}
	b->slots = new;
	for (i = 0; i < n; i++)
		if (old[i] != 0)
			*slot_of(b, build_text(b, old[i])) = old[i];
	free(old);
	return true;
}

uint32_t
build_string(struct build *b, const char *s)
{
	struct buf *pool = &b->rows[SECTION_STRINGS];
	uint32_t *slot;

	b->failed |= pool->failed;
	if (*s == '\0' || b->failed || !grow_slots(b))
		return 0;
	slot = slot_of(b, s);
	if (*slot == 0) {
		*slot = (uint32_t)pool->len;
		b->slots_used++;
		buf_put(pool, s, strlen(s) + 1);
		b->failed |= pool->failed;
	}
	return *slot;
}

static uint32_t
align(size_t n)
{
	return (uint32_t)((n + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN);
}

/* Put the sections one behind the other. */
struct image *
build_image(const struct build *b, uint32_t date)
{
	uint64_t size = sizeof(struct image);
	struct image *image;
	int s;

	if (b->failed)
		return NULL;
	for (s = 0; s < SECTION_COUNT; s++)
		size += align(b->rows[s].len);
	if (size > IMAGE_MAX || (image = calloc(1, size)) == NULL)
		return NULL;
	image->magic = IMAGE_MAGIC;
	image->version = IMAGE_VERSION;
	image->size = (uint32_t)size;
	image->date = date;
	size = sizeof *image;
	for (s = 0; s < SECTION_COUNT; s++) {
		image->section[s].offset = (uint32_t)size;
		image->section[s].count =
		    (uint32_t)(b->rows[s].len / image_row_size[s]);
		if (b->rows[s].len > 0)
			memcpy((char *)image + size, b->rows[s].data,
			    b->rows[s].len);
		size += align(b->rows[s].len);
	}
	image->sum = image_sum(image, image->size);
	return image;
}

enum err
image_write(const struct image *image, const char *path, struct fault *f)
{
	const char *data = (const char *)image;
	char name[4096];
	size_t len = image->size, done;
	ssize_t n = 0;
	int fd, saved;

	if (snprintf(name, sizeof name, "%s.XXXXXX", path) >=
	    (int)sizeof name)
		return fault_set(f, ERR_INTERNAL, path, "the path is too long");
	fd = mkstemp(name);
	if (fd < 0)
		return fault_set(f, ERR_INTERNAL, path, "%s", strerror(errno));
	for (done = 0; done < len; done += (size_t)n) {
		n = write(fd, data + done, len - done);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			break;
	}
	if (n >= 0 && fchmod(fd, 0644) == 0 && fsync(fd) == 0 &&
	    rename(name, path) == 0) {
		close(fd);
		return ERR_OK;
	}
	saved = errno;
	close(fd);
	unlink(name);
	return fault_set(f, ERR_INTERNAL, path, "%s", strerror(saved));
}
