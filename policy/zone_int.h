/* Between zone_read.c, which reads zones, and zone.c, which tells time. */
#ifndef TOLLGATE_POLICY_ZONE_INT_H
#define TOLLGATE_POLICY_ZONE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OFFSET_MAX (26 * 3600) /* RFC 8536, 3.2: -25 h < offset < 26 h */

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

#endif
