/*
 * Quantities as a person writes them. Whole text or nothing; outputs are
 * untouched on failure. No locale, no floating point.
 */
#ifndef TOLLGATE_POLICY_UNIT_H
#define TOLLGATE_POLICY_UNIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * "300ms", "2s", "1.5s", "5m", "1h", "90 days" as microseconds. "0" and
 * "none" need no unit.
 */
bool unit_duration(const char *text, int64_t *us);

/* "4000", "40k", "1.5M" (10^3, 10^6; nothing of a unit may be left over). */
bool unit_count(const char *text, int64_t *n);

/* "20 %" as 20; whole per cent. */
bool unit_share(const char *text, int64_t *percent);

/* "1.50 USD / hour" as n$ an hour. */
bool unit_hourly(const char *text, int64_t *nano);

/*
 * "0.50 USD / day" or "25 USD once" as n$ and enum budget_span; up to
 * MONEY_MAX.
 */
bool unit_budget(const char *text, int64_t *nano, int *span);

/*
 * "> 8000", "<= 40k", "= 3", "3", "100..2k" as the whole numbers that it
 * holds for, least to most (INT64_MIN and INT64_MAX: no bound); per cent
 * when share: "< 20 %", "10..20 %". least > most when it holds for none.
 */
bool unit_range(const char *text, bool share, int64_t *least, int64_t *most);

/* "22:00-06:00" as minutes since midnight, 0..1439; the end up to 1440. */
bool unit_hours(const char *text, int *from, int *to);

/*
 * RFC 3339 "2026-12-31" (its first second, UTC) or
 * "2026-12-31T23:59:59+01:00", as seconds since 1970; fractions are cut.
 */
bool unit_date(const char *text, int64_t *seconds);

#endif
