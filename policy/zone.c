/*
 * TZif files (RFC 8536): a table of the instants at which a zone's offset
 * changed, and behind it a rule in the form of POSIX's TZ for all that comes
 * later. Everything in the file is checked.
 */
#include "policy/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/base/arena.h"
#include "app/base/limits.h"

#define ZONES "/usr/share/zoneinfo"
#define NAME_MAX_LEN 64
#define FILE_MAX KIB(64)
#define DAY 86400
#define OFFSET_MAX (26 * 3600) /* RFC 8536, 3.2: -25 h < offset < 26 h */
#define HEADER 44	       /* bytes */
#define TEXT_MAX 128	       /* of the rule at the end */

/* A day of the year on which the offset changes, and the local time of it. */
struct turn {
	enum { TURN_JULIAN, TURN_DAY, TURN_MONTH } kind; /* Jn, n, Mm.w.d */
	int day;	  /* n; for TURN_MONTH the weekday */
	int month, week;  /* 1..12, 1..5 (5 = the last) */
	int32_t time;	  /* seconds from midnight, may be negative */
};

struct zone {
	size_t count;
	const int64_t *at;     /* when each offset begins, ascending */
	const int32_t *offset; /* from at[i] on */
	int32_t before;	       /* the offset before at[0] */
	bool ruled;	       /* beyond the table std, dst and turns hold */
	bool turns;	       /* else std for ever */
	int32_t std, dst;
	struct turn to_dst, to_std;
};

/* ---- the calendar (proleptic Gregorian) ---- */

static int64_t
floor_div(int64_t n, int64_t d)
{
	return n / d - (n % d < 0);
}

/* Days since 1970 of a date; month and day may be beyond their ranges. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t era, yoe, doy;

	year += floor_div(month - 1, 12);
	month = month - 1 - 12 * floor_div(month - 1, 12); /* 0..11 */
	/* The year begins in March, so that its odd day is its last. */
	year -= month < 2;
	era = floor_div(year, 400);
	yoe = year - era * 400;
	doy = (153 * ((month + 10) % 12) + 2) / 5;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy + day - 1 -
	    719468;
}

static void
date_of(int64_t days, struct zone_time *out)
{
	int64_t era, doe, yoe, doy, mp;

	days += 719468;
	era = floor_div(days, 146097);
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	out->day = (int)(doy - (153 * mp + 2) / 5 + 1);
	out->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	out->year = (int)(yoe + era * 400 + (out->month <= 2));
}

static int
weekday_of(int64_t days)
{
	return (int)(days + 4 - 7 * floor_div(days + 4, 7)); /* 1970: Thursday */
}

/* ---- which offset holds, and from when to when ---- */

struct segment {
	int64_t since, until; /* since <= t < until */
	int32_t offset;
};

/* The instant of a turn in a year, the clocks being at this offset. */
static int64_t
turn_at(const struct turn *t, int64_t year, int32_t offset)
{
	int64_t days = days_of(year, 1, 1), next;
	bool leap = days_of(year, 3, 1) - days == 60;

	switch (t->kind) {
	case TURN_JULIAN: /* 1..365; 29 February is never counted */
		days += t->day - 1 + (leap && t->day >= 60);
		break;
	case TURN_DAY: /* 0..365 */
		days += t->day;
		break;
	case TURN_MONTH:
		days = days_of(year, t->month, 1);
		next = days_of(year, t->month + 1, 1);
		days += (t->day - weekday_of(days) + 7) % 7 + 7 * (t->week - 1);
		if (days >= next)
			days -= 7;
		break;
	}
	return days * DAY + t->time - offset;
}

/* The segment of the rule: turns of the years around t, in order of time. */
static void
segment_ruled(const struct zone *z, int64_t t, struct segment *s)
{
	struct zone_time now;
	int64_t in, back, turn[6];
	int32_t to[6], hold;
	int i, year;
	bool first;

	s->offset = z->std;
	if (!z->turns)
		return;
	date_of(floor_div(t, DAY), &now);
	for (i = 0; i < 6; i += 2) {
		year = now.year + i / 2 - 1;
		in = turn_at(&z->to_dst, year, z->std);
		back = turn_at(&z->to_std, year, z->dst);
		first = in < back;
		turn[i] = first ? in : back;
		to[i] = first ? z->dst : z->std;
		turn[i + 1] = first ? back : in;
		to[i + 1] = first ? z->std : z->dst;
	}
	hold = to[1];
	for (i = 0; i < 6 && turn[i] <= t; i++)
		hold = to[i];
	s->offset = hold;
	if (i > 0 && turn[i - 1] > s->since)
		s->since = turn[i - 1];
	if (i < 6)
		s->until = turn[i];
}

static void
segment_of(const struct zone *z, int64_t t, struct segment *s)
{
	size_t lo = 0, hi, mid;

	s->since = INT64_MIN;
	s->until = INT64_MAX;
	s->offset = 0;
	if (z == NULL)
		return;
	for (hi = z->count; lo < hi;) {
		mid = lo + (hi - lo) / 2;
		if (z->at[mid] <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo > 0)
		s->since = z->at[lo - 1];
	if (lo < z->count)
		s->until = z->at[lo];
	if (lo == z->count && z->ruled)
		segment_ruled(z, t, s);
	else
		s->offset = lo > 0 ? z->offset[lo - 1] : z->before;
}

/* ---- what is asked ---- */

/* Far beyond any date of use, so that sums cannot overflow. */
static int64_t
bounded(int64_t t)
{
	const int64_t most = INT64_C(1) << 45;

	return t > most ? most : t < -most ? -most : t;
}

int32_t
zone_offset(const struct zone *z, int64_t t)
{
	struct segment s;

	segment_of(z, bounded(t), &s);
	return s.offset;
}

void
zone_local(const struct zone *z, int64_t t, struct zone_time *out)
{
	int64_t days;
	int rest;

	t = bounded(t);
	t += zone_offset(z, t);
	days = floor_div(t, DAY);
	rest = (int)(t - days * DAY);
	date_of(days, out);
	out->hour = rest / 3600;
	out->minute = rest / 60 % 60;
	out->second = rest % 60;
	out->weekday = weekday_of(days);
}

/* The first instant at which the clocks show `local` or later. */
static int64_t
reach(const struct zone *z, int64_t local)
{
	int64_t t = local - OFFSET_MAX - DAY;
	struct segment s;

	for (;;) {
		segment_of(z, t, &s);
		if (t + s.offset >= local)
			return t;
		if (local - s.offset < s.until)
			return local - s.offset;
		t = s.until;
	}
}

int64_t
zone_instant(const struct zone *z, const struct zone_time *local)
{
	return reach(z, bounded(days_of(local->year, local->month,
	    local->day) * DAY + (int64_t)local->hour * 3600 +
	    (int64_t)local->minute * 60 + local->second));
}

/*
 * Hours follow the clock at its present offset, cut where it jumps: a jump
 * that is not of whole hours leaves a shorter one.
 */
static void
span_hour(const struct zone *z, int64_t t, int64_t *begin, int64_t *end)
{
	struct segment s;

	segment_of(z, t, &s);
	*begin = floor_div(t + s.offset, 3600) * 3600 - s.offset;
	*end = *begin + 3600;
	if (*begin < s.since)
		*begin = s.since;
	if (*end > s.until)
		*end = s.until;
}

/* Local midnight of the first day of the span, n spans from that of `day`. */
static int64_t
span_begin(const struct zone *z, enum zone_span span,
    const struct zone_time *day, int64_t days, int n)
{
	if (span == ZONE_MONTH)
		days = days_of(day->year, day->month + n, 1);
	else if (span == ZONE_WEEK)
		days += 7 * n - (day->weekday + 6) % 7;
	else
		days += n;
	return reach(z, days * DAY);
}

void
zone_span(const struct zone *z, enum zone_span span, int64_t t,
    int64_t *begin, int64_t *end)
{
	struct zone_time day;
	int64_t days;
	int n = 0;

	t = bounded(t);
	if (span == ZONE_HOUR) {
		span_hour(z, t, begin, end);
		return;
	}
	zone_local(z, t, &day);
	days = days_of(day.year, day.month, day.day);
	/* Clocks that go back over midnight show a day that is over. */
	if (span_begin(z, span, &day, days, 1) <= t)
		n = 1;
	*begin = span_begin(z, span, &day, days, n);
	*end = span_begin(z, span, &day, days, n + 1);
}

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
