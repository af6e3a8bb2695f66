/*
 * An arena owns all memory of one request (or one policy): nothing taken
 * from it is freed alone, all goes at once. It has a cap from birth. Built
 * with AddressSanitizer each allocation is a malloc of its own, so that
 * overruns are seen. Not for use by two threads at a time.
 */
#ifndef TOLLGATE_BASE_ARENA_H
#define TOLLGATE_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* A new arena of at most cap bytes, or NULL when memory is short. */
struct arena *arena_new(size_t cap);

/* End the arena and all that came from it; NULL is fine. */
void arena_free(struct arena *a);

/* Forget all allocations but keep a first block for the next use. */
void arena_reset(struct arena *a);

/*
 * n bytes aligned for any object, or NULL beyond the cap or when memory is
 * short. n may be 0 (a valid pointer). arena_zalloc clears them.
 */
void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);

/*
 * Make the block p of old bytes one of n bytes, in place where it can be;
 * p NULL allocates. The old block must not be used afterwards. NULL leaves
 * it as it was.
 */
void *arena_resize(struct arena *a, void *p, size_t old, size_t n);

/* A copy of n bytes with a NUL behind them, or NULL. */
char *arena_dup(struct arena *a, const char *p, size_t n);
char *arena_str(struct arena *a, const char *s);

/* printf into the arena, or NULL. */
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Bytes taken from the system by this arena. */
size_t arena_used(const struct arena *a);

#endif
