/* The buffer: content, bound to the byte, failure that sticks. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/buf.h"
#include "app/base/limits.h"
#include "tests/unit/alloc.h"

static void
gathers(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, KIB(64));
	assert_null(b.data);
	buf_put(&b, NULL, 0);
	buf_puts(&b, "");
	assert_null(b.data);
	buf_puts(&b, "abc");
	buf_putc(&b, 'd');
	buf_put(&b, "e\0f", 3);
	buf_printf(&b, "%d%s", 12, "g");
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.data, "abcde\0f12g", 10);
	buf_drop(&b, 0);
	assert_int_equal(b.len, 10);
	buf_drop(&b, 7);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "12g", 3);
	buf_drop(&b, 3);
	assert_int_equal(b.len, 0);
	buf_drop(&b, 0);
	buf_puts(&b, "x");
	assert_memory_equal(b.data, "x", 1);
	buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_true(b.size > 0);
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	assert_int_equal(b.max, KIB(64));
	buf_free(&b);
}

/* In every way of writing max bytes fit, and not one more. */
static void
keeps_to_its_bound(void **state)
{
	static const size_t bounds[] = { 0, 1, 10, 255, 256, 257, 300, 511,
		512, 513, 1000, 5000 };
	char text[5002];
	struct buf b;
	size_t i, n, k;
	int way;

	(void)state;
	for (i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		for (n = bounds[i]; n <= bounds[i] + 1; n++)
			for (way = 0; way < 5; way++) {
				memset(text, 'a', n);
				text[n] = '\0';
				buf_init(&b, bounds[i]);
				if (way == 0)
					buf_put(&b, text, n);
				else if (way == 1)
					buf_puts(&b, text);
				else if (way == 2)
					buf_printf(&b, "%s", text);
				else if (way == 3)
					for (k = 0; k < n; k++)
						buf_putc(&b, 'a');
				else if (buf_reserve(&b, n) && n > 0)
					memcpy(b.data, text, b.len = n);
				assert_int_equal(b.failed, n > bounds[i]);
				assert_true(b.size <= bounds[i]);
				if (n <= bounds[i]) {
					assert_int_equal(b.len, n);
					if (n > 0)
						assert_memory_equal(b.data,
						    text, n);
				}
				buf_free(&b);
			}
}

static void
failure_sticks(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_puts(&b, "abc");
	buf_puts(&b, "def");
	assert_true(b.failed);
	assert_true(b.len <= 5);
	buf_puts(&b, "g");
	buf_putc(&b, 'h');
	buf_printf(&b, "%d", 1);
	assert_false(buf_reserve(&b, 1));
	assert_false(buf_reserve(&b, 0));
	assert_true(b.failed);
	assert_true(b.len <= 5);
	buf_clear(&b);
	assert_false(b.failed);
	buf_puts(&b, "12345");
	assert_false(b.failed);
	assert_memory_equal(b.data, "12345", 5);
	buf_free(&b);
	/* Bounds that double beyond what a size can say. */
	alloc_fail(1);
	buf_init(&b, SIZE_MAX);
	assert_false(buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed && alloc_failed());
	alloc_fail(1);
	buf_init(&b, SIZE_MAX);
	assert_false(buf_reserve(&b, SIZE_MAX / 2 + 2));
	assert_true(b.failed && alloc_failed());
}

static void
survives_lack_of_memory(void **state)
{
	char text[1000];
	struct buf b;
	size_t k;

	(void)state;
	memset(text, 'b', sizeof text);
	text[sizeof text - 1] = '\0';
	for (k = 1;; k++) {
		buf_init(&b, MIB(1));
		alloc_fail(k);
		buf_puts(&b, "abc");
		buf_put(&b, text, sizeof text - 1);
		buf_printf(&b, "%s", text);
		assert_int_equal(b.failed, alloc_failed());
		buf_free(&b);
		if (!alloc_failed())
			break;
	}
	alloc_fail(0);
	assert_in_range(k, 3, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gathers),
		cmocka_unit_test(keeps_to_its_bound),
		cmocka_unit_test(failure_sticks),
		cmocka_unit_test(survives_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
