/*
 * The arena: a list of blocks. Small requests are cut from the newest block,
 * large ones get a block of their own, which can then grow in place.
 */
#include "app/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN alignof(max_align_t)
#define BLOCK_FIRST 960 /* with its head within what malloc keeps at hand */
#define BLOCK_MAX 65536

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif

#ifdef ASAN
#define ALONE(n) true /* every allocation is a malloc of its own */
#else
#define ALONE(n) ((n) > BLOCK_FIRST) /* else a block might not hold it */
#endif

struct block {
	struct block *prev, *next; /* next: of lone blocks only */
	size_t size, used;
	alignas(ALIGN) char data[];
};

struct arena {
	struct block *top;   /* newest shared block, older ones behind prev */
	struct block *alone; /* blocks with one allocation each */
	size_t cap, used, step;
};

struct arena *
arena_new(size_t cap)
{
	struct arena *a = calloc(1, sizeof *a);

	if (a != NULL) {
		a->cap = cap;
		a->step = BLOCK_FIRST;
	}
	return a;
}

static void
free_list(struct block *b)
{
	struct block *prev;

	for (; b != NULL; b = prev) {
		prev = b->prev;
		free(b);
	}
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	free_list(a->top);
	free_list(a->alone);
	free(a);
}

void
arena_reset(struct arena *a)
{
	struct block *b, *prev;

	free_list(a->alone);
	a->alone = NULL;
	for (b = a->top; b != NULL && b->prev != NULL; b = prev) {
		prev = b->prev;
		free(b);
	}
	a->top = b;
	a->used = 0;
	if (b != NULL) {
		b->used = 0;
		a->used = b->size;
	}
}

static struct block *
block_new(struct arena *a, size_t size)
{
	struct block *b;

	if (size > a->cap - a->used)
		return NULL;
	b = malloc(sizeof *b + size);
	if (b == NULL)
		return NULL;
	b->prev = b->next = NULL;
	b->size = size;
	b->used = 0;
	a->used += size;
	return b;
}

static void *
alloc_alone(struct arena *a, size_t n)
{
	struct block *b = block_new(a, n);

	if (b == NULL)
		return NULL;
	b->used = n;
	b->prev = a->alone;
	if (b->prev != NULL)
		b->prev->next = b;
	a->alone = b;
	return b->data;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct block *b = a->top;
	size_t left;
	void *p;

	if (n > SIZE_MAX / 2)
		return NULL;
	if (ALONE(n))
		return alloc_alone(a, n);
	n = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (b == NULL || b->size - b->used < n) {
		left = a->cap - a->used;
		b = block_new(a, left < a->step && left >= n ? left : a->step);
		if (b == NULL)
			return NULL;
		b->prev = a->top;
		a->top = b;
		if (a->step < BLOCK_MAX)
			a->step *= 2;
	}
	p = b->data + b->used;
	b->used += n;
	return p;
}

void *
arena_zalloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);

	if (p != NULL)
		memset(p, 0, n);
	return p;
}

static struct block *
block_of(void *p)
{
	return (struct block *)(void *)((char *)p -
	    offsetof(struct block, data));
}

static void *
resize_alone(struct arena *a, void *p, size_t old, size_t n)
{
	struct block *b, *was = block_of(p);

	if (n > old && n - old > a->cap - a->used)
		return NULL;
	b = realloc(was, sizeof *b + n);
	if (b == NULL)
		return NULL;
	a->used = a->used - b->size + n;
	b->size = b->used = n;
	if (b->prev != NULL)
		b->prev->next = b;
	if (b->next != NULL)
		b->next->prev = b;
	else
		a->alone = b;
	return b->data;
}

static void
free_alone(struct arena *a, struct block *b)
{
	if (b->prev != NULL)
		b->prev->next = b->next;
	if (b->next != NULL)
		b->next->prev = b->prev;
	else
		a->alone = b->prev;
	a->used -= b->size;
	free(b);
}

/* Make the newest piece of the newest block larger or smaller. */
static bool
resize_last(struct arena *a, void *p, size_t old, size_t n)
{
	struct block *b = a->top;
	size_t from;

	old = (old + ALIGN - 1) & ~(ALIGN - 1);
	n = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (b == NULL || old > b->used || b->data + (b->used - old) != p)
		return false;
	from = b->used - old;
	if (n > b->size - from)
		return false;
	b->used = from + n;
	return true;
}

void *
arena_resize(struct arena *a, void *p, size_t old, size_t n)
{
	void *q;

	if (p == NULL)
		return arena_alloc(a, n);
	if (n > SIZE_MAX / 2)
		return NULL;
	if (ALONE(old) && ALONE(n))
		return resize_alone(a, p, old, n);
	if (!ALONE(old) && !ALONE(n) && resize_last(a, p, old, n))
		return p;
	q = arena_alloc(a, n);
	if (q == NULL)
		return NULL;
	memcpy(q, p, old < n ? old : n);
	if (ALONE(old))
		free_alone(a, block_of(p));
	return q;
}

char *
arena_dup(struct arena *a, const char *p, size_t n)
{
	char *q;

	if (n == SIZE_MAX)
		return NULL;
	q = arena_alloc(a, n + 1);
	if (q != NULL) {
		if (n > 0)
			memcpy(q, p, n);
		q[n] = '\0';
	}
	return q;
}

char *
arena_str(struct arena *a, const char *s)
{
	return arena_dup(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	p = arena_alloc(a, (size_t)n + 1);
	if (p == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}
