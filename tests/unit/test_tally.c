/* Usage without a hold, as the ledger gets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/tally.h"

static struct usage_row told[8 * LEDGER_ROWS];
static char words[8 * LEDGER_ROWS][2][LEDGER_WORD];
static unsigned count, calls;

/* In place of the ledger's: its rows live as long as the call. */
void
ledger_note(struct ledger *l, const struct usage_row *rows, unsigned n)
{
	unsigned i;

	(void)l;
	calls++;
	assert_in_range(n, 1, LEDGER_ROWS);
	for (i = 0; i < n; i++, count++) {
		told[count] = rows[i];
		snprintf(words[count][0], LEDGER_WORD, "%s", rows[i].key);
		snprintf(words[count][1], LEDGER_WORD, "%s",
		    rows[i].provider);
	}
}

static int
begin(void **state)
{
	count = calls = 0;
	*state = tally_new();
	return *state == NULL;
}

static int
end(void **state)
{
	tally_free(*state);
	return 0;
}

static struct usage_row
row_of(const char *key, int32_t day, int64_t cost)
{
	return (struct usage_row){ .day = day, .key = key, .team = "",
		.user = "", .model = "m", .provider = "p", .requests = 1,
		.input = 2, .output = 3, .cached = 1, .cost = cost };
}

/* Rows of the same words and day are one; words are copied. */
static void
test_same(void **state)
{
	char key[] = "web";
	struct usage_row rows[] = { row_of(key, 20261128, 5),
		row_of("web", 20261128, 7), row_of("web", 20261129, 1),
		row_of("we", 20261128, 1) };

	tally_add(*state, NULL, rows, 4);
	memset(key, 'x', 3);
	tally_add(*state, NULL, &rows[1], 1);
	assert_int_equal(calls, 0);
	tally_flush(*state, NULL);
	assert_int_equal(count, 3);
	assert_string_equal(words[0][0], "web");
	assert_string_equal(words[0][1], "p");
	assert_int_equal(told[0].requests, 3);
	assert_int_equal(told[0].input, 6);
	assert_int_equal(told[0].output, 9);
	assert_int_equal(told[0].cached, 3);
	assert_int_equal(told[0].cost, 19);
	assert_int_equal(told[1].day, 20261129);
	assert_string_equal(words[2][0], "we");
	tally_flush(*state, NULL);
	assert_int_equal(calls, 1);
}

/* Words that are too long are cut, and still the same. */
static void
test_long(void **state)
{
	char a[300], b[300];
	struct usage_row rows[2];

	memset(a, 'k', sizeof a - 1);
	a[sizeof a - 1] = '\0';
	memcpy(b, a, sizeof b);
	b[LEDGER_WORD - 1] = '\0';
	rows[0] = row_of(a, 1, 1);
	rows[1] = row_of(b, 1, 1);
	tally_add(*state, NULL, rows, 2);
	tally_flush(*state, NULL);
	assert_int_equal(count, 1);
	assert_int_equal(strlen(words[0][0]), LEDGER_WORD - 1);
}

/* What is full goes to the ledger; no sum is more than it takes. */
static void
test_full(void **state)
{
	struct usage_row row;
	char key[16];
	unsigned i;

	for (i = 0; i < 3 * LEDGER_ROWS; i++) {
		snprintf(key, sizeof key, "key%u", i);
		row = row_of(key, 1, LEDGER_MAX - 1);
		tally_add(*state, NULL, &row, 1);
	}
	assert_int_equal(calls, 2);
	tally_add(*state, NULL, &row, 1);
	tally_flush(*state, NULL);
	assert_int_equal(count, 3 * LEDGER_ROWS + 1);
	for (i = 0; i < count; i++)
		assert_in_range(told[i].cost, 0, LEDGER_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same, begin, end),
		cmocka_unit_test_setup_teardown(test_long, begin, end),
		cmocka_unit_test_setup_teardown(test_full, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
