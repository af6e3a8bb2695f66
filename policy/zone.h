/*
 * Time in a zone of the IANA data base: local time at an instant, and where
 * the local hour, day, week or month around an instant begins and ends, days
 * of 23 and 25 hours included. Read from the host's TZif files (RFC 8536)
 * without the C library's one global zone. Instants are seconds since 1970,
 * UTC; a zone never changes once it is loaded.
 */
#ifndef TOLLGATE_POLICY_ZONE_H
#define TOLLGATE_POLICY_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct zone; /* opaque */

/*
 * The zone of that name, "Europe/Berlin", from the arena. "" and "UTC" are
 * there without a file. NULL when the name is none, the host does not know
 * it, its file is not sound or counts leap seconds, or memory is short. Reads
 * a file: not for the way of a request.
 */
const struct zone *zone_load(struct arena *a, const char *name);

/* The same from the bytes of a TZif file, for tests. */
const struct zone *zone_read(struct arena *a, const void *p, size_t len);

/* Seconds east of UTC at that instant; z NULL is UTC in all of these. */
int32_t zone_offset(const struct zone *z, int64_t t);

struct zone_time {
	int year, month, day;	  /* 1970, 1..12, 1..31 */
	int hour, minute, second; /* 0..23, 0..59, 0..59 */
	int weekday;		  /* 0 = Sunday */
};

void zone_local(const struct zone *z, int64_t t, struct zone_time *out);

/*
 * The first instant at which the clocks of the zone show this time or a later
 * one: where they jump over it, that of the jump. Month and day may lie
 * beyond their ranges (month 13 is the next year's January). Hour, minute and
 * second as well; weekday is not looked at.
 */
int64_t zone_instant(const struct zone *z, const struct zone_time *local);

enum zone_span {
	ZONE_HOUR,
	ZONE_DAY,
	ZONE_WEEK, /* begins on Monday (ISO 8601) */
	ZONE_MONTH,
	ZONE_SPANS
};

/*
 * The span that t lies in: *begin <= t < *end. Spans of one kind follow each
 * other without gap. A day begins at the first instant with its date; an hour
 * that comes twice is two hours.
 */
void zone_span(const struct zone *z, enum zone_span span, int64_t t,
    int64_t *begin, int64_t *end);

#endif
