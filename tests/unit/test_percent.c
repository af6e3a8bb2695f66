/* Percent-encoding, and what is refused of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/percent.h"

static void
test_put(void **state)
{
	static const char in[] = "aZ09-._~ /+%\0\xc3\xa4";
	static const char out[] = "aZ09-._~%20%2F%2B%25%00%C3%A4";
	struct buf b;

	(void)state;
	buf_init(&b, 256);
	percent_put(&b, in, sizeof in - 1);
	assert_int_equal(b.len, sizeof out - 1);
	assert_memory_equal(b.data, out, b.len);
	buf_free(&b);
}

static void
test_decode(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} rows[] = {
		{ "", "" },
		{ "plain+", "plain+" },
		{ "a%2fb%2FC", "a/b/C" },
		{ "%c3%A4", "\xc3\xa4" },
		{ "%2541", "%41" },
		{ "%", NULL },
		{ "%4", NULL },
		{ "%4g", NULL },
		{ "%-1", NULL },
		{ "%00", NULL },
		{ "a%0d%0ab", NULL },
		{ "a\tb", NULL },
		{ "%7F", NULL },
	};
	struct arena *a = arena_new(1 << 16);
	const char *got;
	size_t i;

	(void)state;
	assert_non_null(a);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		got = percent_decode(a, rows[i].in, strlen(rows[i].in));
		if (rows[i].out == NULL)
			assert_null(got);
		else
			assert_string_equal(got, rows[i].out);
	}
	/* What stands behind the end is not looked at. */
	assert_null(percent_decode(a, "a%41", 3));
	assert_string_equal(percent_decode(a, "a%41", 1), "a");
	arena_free(a);
}

/* All bytes there and back, but those that are never let in. */
static void
test_round(void **state)
{
	struct arena *a = arena_new(1 << 16);
	char all[256];
	const char *got;
	struct buf b;
	size_t n = 0;
	int c;

	(void)state;
	for (c = 0x20; c < 0x100; c++)
		if (c != 0x7f)
			all[n++] = (char)c;
	buf_init(&b, 1024);
	percent_put(&b, all, n);
	got = percent_decode(a, b.data, b.len);
	assert_non_null(got);
	assert_int_equal(strlen(got), n);
	assert_memory_equal(got, all, n);
	buf_free(&b);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
