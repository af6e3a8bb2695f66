/* What the linker calls in place of malloc, calloc, realloc and free. */
#include "tests/unit/alloc.h"

#include <malloc.h>
#include <stdlib.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static size_t left;
static bool failed;
static size_t held, marked, peak;

void
alloc_fail(size_t k)
{
	left = k;
	failed = false;
}

bool
alloc_failed(void)
{
	return failed;
}

void
alloc_mark(void)
{
	marked = peak = held;
}

size_t
alloc_peak(void)
{
	return peak - marked;
}

static bool
fails(void)
{
	if (left == 0 || --left > 0)
		return false;
	failed = true;
	return true;
}

static void *
count(void *p)
{
	if (p != NULL)
		held += malloc_usable_size(p);
	if (held > peak)
		peak = held;
	return p;
}

static void
forget(void *p)
{
	size_t n = p == NULL ? 0 : malloc_usable_size(p);

	held = n < held ? held - n : 0;
}

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : count(__real_malloc(n));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : count(__real_calloc(n, size));
}

void *
__wrap_realloc(void *p, size_t n)
{
	void *q;
	size_t old = p == NULL ? 0 : malloc_usable_size(p);

	if (fails())
		return NULL;
	q = __real_realloc(p, n);
	if (q != NULL)
		held = old < held ? held - old : 0;
	return count(q);
}

void
__wrap_free(void *p)
{
	forget(p);
	__real_free(p);
}
