/*
 * Counting and failing allocations, for programs linked with ALLOC_LINKFLAGS
 * (the linker sends malloc, calloc and realloc here).
 */
#ifndef TOLLGATE_TESTS_ALLOC_H
#define TOLLGATE_TESTS_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* The k-th allocation from now on fails (1: the next); 0: none. */
void alloc_fail(size_t k);

/* Did it come to that failure since alloc_fail? */
bool alloc_failed(void);

/* Forget the peak; the most bytes held since, beyond those held then. */
void alloc_mark(void);
size_t alloc_peak(void);

#endif
