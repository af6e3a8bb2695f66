/* Whole numbers as decimal text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/base/decimal.h"

static void
test_forms(void **state)
{
	static const struct {
		int64_t value;
		unsigned places;
		const char *text;
	} rows[] = {
		{ 0, 0, "0" },
		{ 0, 9, "0" },
		{ 7, 0, "7" },
		{ -7, 0, "-7" },
		{ 1500, 3, "1.5" },
		{ -20, 3, "-0.02" },
		{ 7000, 3, "7" },
		{ 1, 9, "0.000000001" },
		{ 1000000001, 9, "1.000000001" },
		{ 100, 1, "10" },
		{ 120, 1, "12" },
		{ INT64_MAX, 0, "9223372036854775807" },
		{ INT64_MAX, 9, "9223372036.854775807" },
		{ 1, 18, "0.000000000000000001" },
		{ 1500000, 15, "0.0000000015" },
		{ INT64_MIN, 18, "-9.223372036854775808" },
		{ INT64_MIN, 0, "-9223372036854775808" },
		{ INT64_MIN, 9, "-9223372036.854775808" },
	};
	char out[DECIMAL_SIZE];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		n = decimal(out, rows[i].value, rows[i].places);
		assert_string_equal(out, rows[i].text);
		assert_int_equal(n, strlen(out));
	}
}

/* Without places it is what printf writes. */
static void
test_as_printf(void **state)
{
	char out[DECIMAL_SIZE], expected[DECIMAL_SIZE];
	uint64_t draw = 1;
	int64_t n;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		draw = draw * UINT64_C(6364136223846793005) + 1442695;
		n = (int64_t)draw >> (draw >> 3 & 63);
		snprintf(expected, sizeof expected, "%" PRId64, n);
		decimal(out, n, 0);
		assert_string_equal(out, expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_as_printf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
