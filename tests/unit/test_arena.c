/* The arena: cap, alignment, resizing, and no byte lost or shared. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "tests/unit/alloc.h"

static uint64_t seed = 521288629u;

static uint32_t
draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static void
aligns_all(void **state)
{
	struct arena *a = arena_new(MIB(1));
	size_t n;
	void *p;

	(void)state;
	for (n = 0; n < 3000; n += 7) {
		p = arena_alloc(a, n);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		memset(p, 0xff, n);
	}
	arena_free(a);
	arena_free(NULL);
}

static void
clears(void **state)
{
	struct arena *a = arena_new(MIB(1));
	unsigned char *p;
	size_t n, i;

	(void)state;
	memset(arena_alloc(a, 1000), 0xff, 1000);
	arena_reset(a);
	for (n = 1; n < 5000; n *= 3) {
		p = arena_zalloc(a, n);
		assert_non_null(p);
		for (i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
	}
	arena_free(a);
}

/* All of the cap can be had, and nothing beyond it. */
static void
keeps_to_its_cap(void **state)
{
	static const size_t caps[] = { 0, 1, 16, 100, 1000, 2047, 2048, 2049,
		5000, 70000, 300000 };
	static const size_t pieces[] = { 16, 64, 500, 1500 };
	struct arena *a;
	size_t i, k, got;

	(void)state;
	for (i = 0; i < sizeof caps / sizeof caps[0]; i++)
		for (k = 0; k < 4; k++) {
			a = arena_new(caps[i]);
			for (got = 0; arena_alloc(a, pieces[k]) != NULL; )
				got += pieces[k];
			assert_true(arena_used(a) <= caps[i]);
			assert_true(got <= caps[i]);
			/* No more is lost than a piece at a block's end. */
			assert_true(got + pieces[k] + 16 >
			    caps[i] - caps[i] / 3);
			assert_null(arena_alloc(a, caps[i] + 1));
			assert_null(arena_alloc(a, SIZE_MAX));
			assert_null(arena_alloc(a, SIZE_MAX - 40));
			arena_free(a);
		}
	a = arena_new(10000);
	assert_non_null(arena_alloc(a, 10000));
	assert_int_equal(arena_used(a), 10000);
	assert_null(arena_alloc(a, 1));
	arena_reset(a);
	assert_int_equal(arena_used(a), 0);
	assert_non_null(arena_alloc(a, 10000));
	arena_free(a);
}

struct piece {
	unsigned char *p;
	size_t n;
	unsigned char fill;
};

static void
check(const struct piece *pc)
{
	size_t i;

	for (i = 0; i < pc->n; i++)
		if (pc->p[i] != pc->fill)
			fail_msg("byte %zu of %zu", i, pc->n);
}

/* Pieces that grow and shrink at random keep what is theirs. */
static void
resizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 500, 1000,
		1023, 1024, 1025, 2000, 5000, 70000 };
	struct piece pieces[40] = { { 0 } };
	struct piece *pc;
	struct arena *a = arena_new(LIMIT_ARENA);
	unsigned char *p;
	size_t n;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		pc = &pieces[draw(40)];
		check(pc);
		n = sizes[draw(14)];
		p = arena_resize(a, pc->p, pc->n, n);
		assert_non_null(p);
		pc->p = p;
		if (n > pc->n)
			memset(p + pc->n, pc->fill, n - pc->n);
		pc->n = n;
		check(pc);
		pc->fill = (unsigned char)i;
		memset(p, pc->fill, n);
		if (i % 2000 == 0) {
			arena_reset(a);
			memset(pieces, 0, sizeof pieces);
		}
	}
	for (i = 0; i < 40; i++)
		check(&pieces[i]);
	arena_free(a);
}

static void
resizes_within_the_cap(void **state)
{
	struct arena *a = arena_new(10000);
	char *p = arena_alloc(a, 4000), *q;

	(void)state;
	assert_non_null(p);
	memset(p, 'x', 4000);
	assert_null(arena_resize(a, p, 4000, 10001));
	assert_null(arena_resize(a, p, 4000, SIZE_MAX));
	assert_int_equal(arena_used(a), 4000);
	q = arena_resize(a, p, 4000, 10000);
	assert_non_null(q);
	assert_int_equal(q[3999], 'x');
	assert_int_equal(arena_used(a), 10000);
	q = arena_resize(a, q, 10000, 2000);
	assert_non_null(q);
	assert_int_equal(q[1999], 'x');
	assert_int_equal(arena_used(a), 2000);
	/* Down to a piece of a shared block: the old one is given back. */
	q = arena_resize(a, q, 2000, 10);
	assert_non_null(q);
	assert_int_equal(q[9], 'x');
	assert_true(arena_used(a) < 3000);
	arena_free(a);
}

static void
copies_strings(void **state)
{
	struct arena *a = arena_new(MIB(1));
	char text[3000], *p;

	(void)state;
	memset(text, 'y', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_string_equal(arena_str(a, "abc"), "abc");
	assert_string_equal(arena_str(a, ""), "");
	assert_string_equal(arena_str(a, text), text);
	assert_string_equal(arena_dup(a, "abcdef", 3), "abc");
	assert_string_equal(arena_dup(a, NULL, 0), "");
	p = arena_dup(a, "a\0b", 3);
	assert_memory_equal(p, "a\0b", 4);
	assert_null(arena_dup(a, "x", SIZE_MAX));
	assert_null(arena_dup(a, "x", SIZE_MAX - 1));
	assert_string_equal(arena_printf(a, "%s-%d", "n", 5), "n-5");
	assert_string_equal(arena_printf(a, "%s", ""), "");
	assert_string_equal(arena_printf(a, "%s", text), text);
	arena_free(a);
	a = arena_new(100);
	assert_null(arena_str(a, text));
	assert_null(arena_printf(a, "%s", text));
	assert_string_equal(arena_str(a, "still"), "still");
	arena_free(a);
}

static void
survives_lack_of_memory(void **state)
{
	struct arena *a;
	size_t k;
	char *p, *q;

	(void)state;
	for (k = 1;; k++) {
		alloc_fail(k);
		a = arena_new(MIB(1));
		if (a != NULL) {
			p = arena_alloc(a, 100);
			(void)arena_zalloc(a, 3000);
			(void)arena_str(a, "text");
			if (p != NULL) {
				memset(p, 'z', 100);
				q = arena_resize(a, p, 100, 4000);
				if (q == NULL)
					assert_int_equal(p[99], 'z');
				else
					p = arena_resize(a, q, 4000, 9000);
				if (p != NULL)
					assert_int_equal(p[99], 'z');
			}
			(void)arena_printf(a, "%d", 5);
		}
		arena_free(a);
		if (!alloc_failed())
			break;
	}
	alloc_fail(0);
	assert_in_range(k, 4, 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligns_all),
		cmocka_unit_test(clears),
		cmocka_unit_test(keeps_to_its_cap),
		cmocka_unit_test(resizes),
		cmocka_unit_test(resizes_within_the_cap),
		cmocka_unit_test(copies_strings),
		cmocka_unit_test(survives_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
