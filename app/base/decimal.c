/* Digits from the last to the first. */
#include "app/base/decimal.h"

#include <assert.h>
#include <string.h>

size_t
decimal(char out[DECIMAL_SIZE], int64_t value, unsigned places)
{
	char text[DECIMAL_SIZE], *p = text + sizeof text;
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	size_t len;

	assert(places <= 18);
	for (; places > 0 && left % 10 == 0; places--)
		left /= 10;
	if (places > 0) {
		for (; places > 0; places--, left /= 10)
			*--p = (char)('0' + left % 10);
		*--p = '.';
	}
	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (value < 0)
		*--p = '-';
	len = (size_t)(text + sizeof text - p);
	memcpy(out, p, len);
	out[len] = '\0';
	return len;
}
