/* Random numbers for choices that need not be secret. */
#ifndef TOLLGATE_BASE_DRAW_H
#define TOLLGATE_BASE_DRAW_H

#include <stdint.h>

/* The next number of a small generator; any state will do to begin. */
uint64_t draw_next(uint64_t *state);

#endif
