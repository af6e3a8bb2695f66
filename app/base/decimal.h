/* Whole numbers as decimal text, for where printf would be felt. */
#ifndef TOLLGATE_BASE_DECIMAL_H
#define TOLLGATE_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_SIZE 32 /* the longest text and its NUL */

/*
 * value / 10^places (0..18) with no zeros at the end of its fraction:
 * 1500, 3 is "1.5"; -20, 3 is "-0.02"; 7000, 3 is "7". Returns the length.
 */
size_t decimal(char out[DECIMAL_SIZE], int64_t value, unsigned places);

#endif
