/*
 * Local time and its spans: which offset holds at an instant, by a zone's
 * table and, behind it, by its rule.
 */
#include "policy/zone.h"

#include "policy/zone_int.h"

#define DAY 86400

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
