/*
 * Local time: against the C library's for every zone of the host, the spans
 * of odd days one by one, and files that are not sound.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "app/base/arena.h"
#include "app/base/draw.h"
#include "app/base/limits.h"
#include "policy/zone.h"

#define LEN(x) (sizeof(x) / sizeof(x)[0])

static struct arena *arena;

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(MIB(64));
	return arena == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static void
use_zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

/* Every zone of zone1970.tab, at instants from 1900 to 2120. */
static void
test_libc(void **state)
{
	const int64_t from = -2208988800, to = 4733510400;
	char line[256], name[96];
	const struct zone *z;
	struct zone_time got;
	uint64_t draw = 7;
	int zones = 0, i;
	struct tm want;
	time_t t;
	FILE *f;

	(void)state;
	f = fopen("/usr/share/zoneinfo/zone1970.tab", "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		if (line[0] == '#' ||
		    sscanf(line, "%*s %*s %95s", name) != 1)
			continue;
		z = zone_load(arena, name);
		assert_non_null(z);
		use_zone(name);
		for (i = 0; i < 2000; i++) {
			t = from + (time_t)(draw_next(&draw) %
			    (uint64_t)(to - from));
			assert_non_null(localtime_r(&t, &want));
			zone_local(z, t, &got);
			if (zone_offset(z, t) != want.tm_gmtoff ||
			    got.year != want.tm_year + 1900 ||
			    got.month != want.tm_mon + 1 ||
			    got.day != want.tm_mday ||
			    got.hour != want.tm_hour ||
			    got.minute != want.tm_min ||
			    got.second != want.tm_sec ||
			    got.weekday != want.tm_wday)
				fail_msg("%s at %lld", name, (long long)t);
		}
		zones++;
	}
	fclose(f);
	use_zone("UTC");
	assert_true(zones > 250);
}

static int64_t
utc(int y, int mo, int d, int h, int mi)
{
	struct tm tm = { .tm_year = y - 1900, .tm_mon = mo - 1, .tm_mday = d,
		.tm_hour = h, .tm_min = mi };

	return timegm(&tm);
}

#define UTC(...) { __VA_ARGS__ }

static void
test_spans(void **state)
{
	static const struct {
		const char *zone;
		enum zone_span span;
		int at[5], begin[5], end[5]; /* UTC */
	} rows[] = {
		{ "UTC", ZONE_DAY, UTC(2026, 3, 1, 23, 59),
		    UTC(2026, 3, 1, 0, 0), UTC(2026, 3, 2, 0, 0) },
		{ "", ZONE_MONTH, UTC(2024, 2, 29, 12, 0),
		    UTC(2024, 2, 1, 0, 0), UTC(2024, 3, 1, 0, 0) },
		{ "UTC", ZONE_MONTH, UTC(2026, 12, 31, 23, 59),
		    UTC(2026, 12, 1, 0, 0), UTC(2027, 1, 1, 0, 0) },
		/* Monday to Monday, from a Sunday. */
		{ "UTC", ZONE_WEEK, UTC(2026, 11, 29, 5, 0),
		    UTC(2026, 11, 23, 0, 0), UTC(2026, 11, 30, 0, 0) },
		{ "UTC", ZONE_WEEK, UTC(2026, 11, 30, 0, 0),
		    UTC(2026, 11, 30, 0, 0), UTC(2026, 12, 7, 0, 0) },
		/* 23 and 25 hours. */
		{ "Europe/Berlin", ZONE_DAY, UTC(2026, 3, 29, 12, 0),
		    UTC(2026, 3, 28, 23, 0), UTC(2026, 3, 29, 22, 0) },
		{ "Europe/Berlin", ZONE_DAY, UTC(2026, 10, 25, 12, 0),
		    UTC(2026, 10, 24, 22, 0), UTC(2026, 10, 25, 23, 0) },
		{ "Europe/Berlin", ZONE_WEEK, UTC(2026, 3, 29, 12, 0),
		    UTC(2026, 3, 22, 23, 0), UTC(2026, 3, 29, 22, 0) },
		{ "Europe/Berlin", ZONE_MONTH, UTC(2026, 3, 31, 22, 0),
		    UTC(2026, 3, 31, 22, 0), UTC(2026, 4, 30, 22, 0) },
		/* Beyond the table, by the rule. */
		{ "America/New_York", ZONE_DAY, UTC(2061, 3, 13, 12, 0),
		    UTC(2061, 3, 13, 5, 0), UTC(2061, 3, 14, 4, 0) },
		{ "Asia/Shanghai", ZONE_DAY, UTC(2026, 11, 28, 15, 59),
		    UTC(2026, 11, 27, 16, 0), UTC(2026, 11, 28, 16, 0) },
		/* No midnight: the day begins at one. */
		{ "America/Sao_Paulo", ZONE_DAY, UTC(2018, 11, 4, 12, 0),
		    UTC(2018, 11, 4, 3, 0), UTC(2018, 11, 5, 2, 0) },
		/* Midnight twice: the first one counts. */
		{ "America/Havana", ZONE_DAY, UTC(2025, 11, 2, 5, 30),
		    UTC(2025, 11, 2, 4, 0), UTC(2025, 11, 3, 5, 0) },
		/* At 24:00 back to 23:00: the day is 25 hours. */
		{ "America/Asuncion", ZONE_DAY, UTC(2024, 3, 24, 3, 30),
		    UTC(2024, 3, 23, 3, 0), UTC(2024, 3, 24, 4, 0) },
		/* At 00:01 back to 23:01: the new day goes on. */
		{ "America/St_Johns", ZONE_DAY, UTC(2010, 11, 7, 2, 45),
		    UTC(2010, 11, 7, 2, 30), UTC(2010, 11, 8, 3, 30) },
		/* A day that was left out: the next one follows at once. */
		{ "Pacific/Apia", ZONE_DAY, UTC(2011, 12, 30, 9, 59),
		    UTC(2011, 12, 29, 10, 0), UTC(2011, 12, 30, 10, 0) },
		{ "Asia/Kolkata", ZONE_HOUR, UTC(2026, 1, 1, 0, 40),
		    UTC(2026, 1, 1, 0, 30), UTC(2026, 1, 1, 1, 30) },
		/* Half an hour back at 02:00: what comes twice is cut off. */
		{ "Australia/Lord_Howe", ZONE_HOUR, UTC(2026, 4, 4, 14, 50),
		    UTC(2026, 4, 4, 14, 0), UTC(2026, 4, 4, 15, 0) },
		{ "Australia/Lord_Howe", ZONE_HOUR, UTC(2026, 4, 4, 15, 10),
		    UTC(2026, 4, 4, 15, 0), UTC(2026, 4, 4, 15, 30) },
	};
	int64_t begin, end;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(rows); i++) {
		const int *a = rows[i].at, *b = rows[i].begin, *e = rows[i].end;

		zone_span(zone_load(arena, rows[i].zone), rows[i].span,
		    utc(a[0], a[1], a[2], a[3], a[4]), &begin, &end);
		if (begin != utc(b[0], b[1], b[2], b[3], b[4]) ||
		    end != utc(e[0], e[1], e[2], e[3], e[4]))
			fail_msg("row %zu: %lld to %lld", i, (long long)begin,
			    (long long)end);
	}
}

/* Spans hold their instant, follow each other and are of a sane length. */
static void
test_spans_tile(void **state)
{
	static const char *const zones[] = { "Europe/Berlin", "Europe/Dublin",
		"America/Havana", "America/Nuuk", "Africa/Casablanca",
		"Australia/Lord_Howe", "Asia/Gaza", "Pacific/Apia",
		"America/Sao_Paulo", "Antarctica/Troll", "Asia/Tehran" };
	static const int64_t most[ZONE_SPANS] = { 7200, 2 * 86400, 8 * 86400,
		32 * 86400 };
	int64_t t, begin, end, next, last, again;
	const struct zone *z;
	uint64_t draw = 3;
	size_t i;
	int n, span;

	(void)state;
	for (i = 0; i < LEN(zones); i++) {
		z = zone_load(arena, zones[i]);
		assert_non_null(z);
		for (n = 0; n < 4000; n++) {
			t = (int64_t)(draw_next(&draw) % 4102444800u);
			span = n % ZONE_SPANS;
			zone_span(z, span, t, &begin, &end);
			assert_true(begin <= t && t < end);
			assert_true(end - begin <= most[span]);
			zone_span(z, span, end, &next, &last);
			assert_int_equal(next, end);
			zone_span(z, span, begin - 1, &again, &last);
			assert_int_equal(last, begin);
			zone_span(z, span, end - 1, &again, &last);
			assert_int_equal(again, begin);
			assert_int_equal(last, end);
		}
	}
}

static void
test_instants(void **state)
{
	struct zone_time t = { .year = 2026, .month = 3, .day = 29,
		.hour = 2, .minute = 30 };
	const struct zone *z = zone_load(arena, "Europe/Berlin");

	(void)state;
	/* A time that is jumped over is that of the jump. */
	assert_int_equal(zone_instant(z, &t), utc(2026, 3, 29, 1, 0));
	t.month = 10; /* a time that comes twice is the first one */
	t.day = 25;
	assert_int_equal(zone_instant(z, &t), utc(2026, 10, 25, 0, 30));
	t.month = 14;
	t.day = 0;
	assert_int_equal(zone_instant(z, &t), utc(2027, 1, 31, 1, 30));
	assert_int_equal(zone_instant(NULL, &t), utc(2027, 1, 31, 2, 30));
	assert_in_range(zone_offset(z, INT64_MAX), 3600, 7200);
	assert_int_equal(zone_offset(z, INT64_MIN), 3208); /* local mean time */
}

static void
test_names(void **state)
{
	static const char *const bad[] = { "/etc/passwd", "../../../etc/passwd",
		"Europe", "No/Where", "zone.tab", "Europe/Berlin\n",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
	size_t i;

	(void)state;
	for (i = 0; i < LEN(bad); i++)
		assert_null(zone_load(arena, bad[i]));
}

/* Cut anywhere, or any byte another one: refused or of sane answers. */
static void
test_damage(void **state)
{
	unsigned char good[8192], bad[8192];
	struct arena *small = arena_new(MIB(1));
	int64_t begin, end;
	const struct zone *z;
	uint64_t draw = 11;
	size_t n, i;
	FILE *f;
	int span;

	(void)state;
	f = fopen("/usr/share/zoneinfo/Europe/Berlin", "r");
	assert_non_null(f);
	n = fread(good, 1, sizeof good, f);
	fclose(f);
	assert_in_range(n, 100, sizeof good - 1);
	for (i = 0; i < n; i++) {
		arena_reset(small);
		assert_null(zone_read(small, good, i));
	}
	for (i = 0; i < 20000; i++) {
		arena_reset(small);
		memcpy(bad, good, n);
		bad[draw_next(&draw) % n] = (unsigned char)draw_next(&draw);
		bad[n - 1 - draw_next(&draw) % 40] =
		    (unsigned char)draw_next(&draw);
		z = zone_read(small, bad, n);
		for (span = 0; z != NULL && span < ZONE_SPANS; span++) {
			zone_span(z, span, 1800000000, &begin, &end);
			assert_true(begin <= 1800000000 && end > 1800000000);
		}
	}
	arena_free(small);
}

static void
test_rules(void **state)
{
	static const struct {
		const char *rule;
		bool taken;
		int32_t january, july; /* of 2026, the middle */
	} rows[] = {
		{ "<+03>-3", true, 10800, 10800 },
		{ "EST5EDT,M3.2.0,M11.1.0", true, -18000, -14400 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", true, 0, 3600 },
		{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", true, -7200, -3600 },
		{ "XYZ-1:30ABC-2:30,J60,J300/3:30:15", true, 5400, 9000 },
		{ "XYZ0ABC,59,299", true, 0, 3600 },
		{ "", true, 0, 0 },
		{ "XY0", false, 0, 0 },
		{ "XYZ", false, 0, 0 },
		{ "XYZ27", false, 0, 0 },
		{ "XYZ0ABC", false, 0, 0 },
		{ "XYZ0ABC,M13.1.0,M1.1.0", false, 0, 0 },
		{ "XYZ0ABC,M1.6.0,M1.1.0", false, 0, 0 },
		{ "XYZ0ABC,M1.1.7,M1.1.0", false, 0, 0 },
		{ "XYZ0ABC,J0,J1", false, 0, 0 },
		{ "XYZ0ABC,M3.1.0/168,M4.1.0", false, 0, 0 },
		{ "XYZ0ABC,M3.1.0,M4.1.0 ", false, 0, 0 },
		{ "<+0", false, 0, 0 },
	};
	/* A header of one type and nothing else, and again with 8-byte times. */
	unsigned char file[256];
	const struct zone *z;
	size_t i, n, k;

	(void)state;
	for (i = 0; i < LEN(rows); i++) {
		memset(file, 0, sizeof file);
		for (k = 0, n = 0; k < 2; k++) {
			memcpy(file + n, "TZif2", 5);
			file[n + 39] = 1; /* types */
			n += 44 + 6;
		}
		file[n++] = '\n';
		memcpy(file + n, rows[i].rule, strlen(rows[i].rule));
		n += strlen(rows[i].rule);
		file[n++] = '\n';
		z = zone_read(arena, file, n);
		if ((z != NULL) != rows[i].taken)
			fail_msg("%s", rows[i].rule);
		if (z == NULL)
			continue;
		assert_int_equal(zone_offset(z, utc(2026, 1, 15, 0, 0)),
		    rows[i].january);
		assert_int_equal(zone_offset(z, utc(2026, 7, 15, 0, 0)),
		    rows[i].july);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_spans_tile),
		cmocka_unit_test(test_instants),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
