/*
 * TZif files (RFC 8536): a table of the instants at which a zone's offset
 * changed, and behind it a rule in the form of POSIX's TZ for all that comes
 * later. Everything in the file is checked.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "policy/zone.h"
#include "policy/zone_int.h"

#define ZONES "/usr/share/zoneinfo"
#define NAME_MAX_LEN 64
#define FILE_MAX KIB(64)
#define HEADER 44    /* bytes */
#define TEXT_MAX 128 /* of the rule at the end */

/* ---- the rule at the end of a file ---- */

/* Digits up to `most`, or -1. */
static int
read_number(const char **p, int most)
{
	int n = 0;

	if (**p < '0' || **p > '9')
		return -1;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		n = 10 * n + (**p - '0');
		if (n > most)
			return -1;
	}
	return n;
}

/* [+-]h[:mm[:ss]] of at most 167 hours, as seconds. */
static bool
read_time(const char **p, int32_t *out)
{
	int sign = 1, part[3] = { 0 }, i;

	if (**p == '-' || **p == '+')
		sign = *(*p)++ == '-' ? -1 : 1;
	for (i = 0; i < 3; i++) {
		part[i] = read_number(p, i == 0 ? 167 : 59);
		if (part[i] < 0)
			return false;
		if (**p != ':' || i == 2)
			break;
		(*p)++;
	}
	for (i++; i < 3; i++)
		part[i] = 0;
	*out = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
	return true;
}

/* A zone's abbreviation, "CET" or "<+03>"; what it is does not matter. */
static bool
read_abbreviation(const char **p)
{
	const char *from = *p;

	if (**p == '<') {
		*p += strcspn(*p, ">");
		return *(*p) == '>' && (*p)++ - from > 1;
	}
	while ((**p >= 'A' && **p <= 'Z') || (**p >= 'a' && **p <= 'z'))
		(*p)++;
	return *p - from >= 3;
}

/* An offset is written west of Greenwich. */
static bool
read_offset(const char **p, int32_t *out)
{
	int32_t west;

	if (!read_time(p, &west) || west < -OFFSET_MAX || west > OFFSET_MAX)
		return false;
	*out = -west;
	return true;
}

static bool
read_month_turn(const char **p, struct turn *t)
{
	t->kind = TURN_MONTH;
	t->month = read_number(p, 12);
	if (t->month < 1 || *(*p)++ != '.')
		return false;
	t->week = read_number(p, 5);
	if (t->week < 1 || *(*p)++ != '.')
		return false;
	t->day = read_number(p, 6);
	return t->day >= 0;
}

static bool
read_turn(const char **p, struct turn *t)
{
	bool ok;

	if (*(*p)++ != ',')
		return false;
	if (**p == 'M') {
		(*p)++;
		ok = read_month_turn(p, t);
	} else if (**p == 'J') {
		(*p)++;
		t->kind = TURN_JULIAN;
		t->day = read_number(p, 365);
		ok = t->day >= 1;
	} else {
		t->kind = TURN_DAY;
		t->day = read_number(p, 365);
		ok = t->day >= 0;
	}
	t->time = 7200;
	if (ok && **p == '/') {
		(*p)++;
		ok = read_time(p, &t->time);
	}
	return ok;
}

/* "CET-1CEST,M3.5.0,M10.5.0/3" */
static bool
read_rule(struct zone *z, const char *p)
{
	if (!read_abbreviation(&p) || !read_offset(&p, &z->std))
		return false;
	z->ruled = true;
	if (*p == '\0')
		return true;
	z->turns = true;
	z->dst = z->std + 3600;
	return read_abbreviation(&p) &&
	    (*p == ',' || read_offset(&p, &z->dst)) &&
	    read_turn(&p, &z->to_dst) && read_turn(&p, &z->to_std) &&
	    *p == '\0';
}

/* ---- the table ---- */

struct file {
	const unsigned char *p, *end; /* what is left */
	int width;		      /* bytes of an instant */
	uint32_t isut, isstd, leaps, times, types, chars;
};

static int64_t
read_int(const unsigned char *p, int width)
{
	uint64_t n = (p[0] & 0x80) != 0 ? UINT64_MAX : 0;

	while (width-- > 0)
		n = n << 8 | *p++;
	return (int64_t)n;
}

/* The counts of a header; false when the block behind it is not all there. */
static bool
read_header(struct file *f, int width, uint64_t *block)
{
	uint32_t *const counts[] = { &f->isut, &f->isstd, &f->leaps, &f->times,
		&f->types, &f->chars };
	size_t i;

	if (f->end - f->p < HEADER || memcmp(f->p, "TZif", 4) != 0)
		return false;
	for (i = 0; i < 6; i++)
		*counts[i] = (uint32_t)read_int(f->p + 20 + 4 * i, 4);
	f->p += HEADER;
	f->width = width;
	*block = (uint64_t)f->times * (unsigned)(width + 1) +
	    (uint64_t)f->types * 6 + f->chars +
	    (uint64_t)f->leaps * (unsigned)(width + 4) + f->isstd + f->isut;
	return *block <= (uint64_t)(f->end - f->p);
}

/* The offset of type i, or false. */
static bool
read_type(const struct file *f, uint32_t i, int32_t *out)
{
	const unsigned char *types = f->p +
	    (size_t)f->times * (unsigned)(f->width + 1);

	if (i >= f->types)
		return false;
	*out = (int32_t)read_int(types + 6 * (size_t)i, 4);
	return *out >= -OFFSET_MAX && *out <= OFFSET_MAX;
}

/* Changes of name or kind only are left out. */
static bool
read_table(struct arena *a, struct zone *z, const struct file *f)
{
	int64_t *at = arena_alloc(a, f->times * sizeof *at), t;
	int32_t *offset = arena_alloc(a, f->times * sizeof *offset), o, last;
	const unsigned char *type = f->p + (size_t)f->times * (unsigned)f->width;
	int64_t before = INT64_MIN;
	uint32_t i;

	if (at == NULL || offset == NULL || !read_type(f, 0, &z->before))
		return false;
	last = z->before;
	for (i = 0; i < f->times; i++) {
		t = read_int(f->p + (size_t)i * (unsigned)f->width, f->width);
		if (t < before || !read_type(f, type[i], &o))
			return false;
		before = t;
		if (o == last && i + 1 < f->times)
			continue; /* the last one is where the rule begins */
		at[z->count] = t;
		offset[z->count++] = last = o;
	}
	z->at = at;
	z->offset = offset;
	return true;
}

/* The text between two newlines behind the table. */
static bool
read_footer(struct zone *z, const unsigned char *p, const unsigned char *end)
{
	char text[TEXT_MAX];
	size_t n;

	if (end - p < 2 || *p++ != '\n')
		return false;
	for (n = 0; p < end && *p != '\n'; p++) {
		if (n + 1 == sizeof text || *p == '\0')
			return false;
		text[n++] = (char)*p;
	}
	text[n] = '\0';
	return p < end && (n == 0 || read_rule(z, text));
}

const struct zone *
zone_read(struct arena *a, const void *p, size_t len)
{
	struct file f = { .p = p, .end = (const unsigned char *)p + len };
	struct zone *z = arena_zalloc(a, sizeof *z);
	uint64_t block;
	bool wide = len > 4 && f.p[4] >= '2';

	if (z == NULL || !read_header(&f, 4, &block))
		return NULL;
	if (wide) {
		f.p += block;
		if (!read_header(&f, 8, &block))
			return NULL;
	}
	if (f.leaps != 0 || !read_table(a, z, &f))
		return NULL;
	if (wide && !read_footer(z, f.p + block, f.end))
		return NULL;
	return z;
}

static bool
is_name(const char *s)
{
	return s[0] != '/' && strlen(s) <= NAME_MAX_LEN &&
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		      "0123456789_+/-") == strlen(s);
}

/* The whole of a file of at most FILE_MAX bytes; its length, 0 = not so. */
static size_t
read_file(const char *path, unsigned char *data)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return 0;
	while (len < FILE_MAX && n > 0) {
		n = read(fd, data + len, FILE_MAX - len);
		if (n > 0)
			len += (size_t)n;
	}
	close(fd);
	return n == 0 ? len : 0;
}

const struct zone *
zone_load(struct arena *a, const char *name)
{
	char path[sizeof ZONES + NAME_MAX_LEN + 2];
	const struct zone *z;
	unsigned char *data;
	size_t len;

	if (name[0] == '\0' || strcmp(name, "UTC") == 0)
		return arena_zalloc(a, sizeof(struct zone));
	if (!is_name(name))
		return NULL;
	snprintf(path, sizeof path, ZONES "/%s", name);
	data = malloc(FILE_MAX);
	if (data == NULL)
		return NULL;
	len = read_file(path, data);
	z = len > 0 ? zone_read(a, data, len) : NULL;
	free(data);
	return z;
}
