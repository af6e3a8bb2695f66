/* Digits from the last to the first. */
#include "app/base/decimal.h"

#include <assert.h>
#include <string.h>

/* Half the divisions. */
static const char pairs[] =
    "00010203040506070809101112131415161718192021222324"
    "25262728293031323334353637383940414243444546474849"
    "50515253545556575859606162636465666768697071727374"
    "75767778798081828384858687888990919293949596979899";

size_t
decimal(char out[DECIMAL_SIZE], int64_t value, unsigned places)
{
	char text[DECIMAL_SIZE], *p = text + sizeof text;
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	size_t len;

	assert(places <= 18);
	if (left < 10 && places == 0 && value >= 0) {
		out[0] = (char)('0' + left);
		out[1] = '\0';
		return 1;
	}
	for (; places > 0 && left % 10 == 0; places--)
		left /= 10;
	if (places > 0) {
		for (; places > 0; places--, left /= 10)
			*--p = (char)('0' + left % 10);
		*--p = '.';
	}
	for (; left >= 100; left /= 100) {
		p -= 2;
		memcpy(p, &pairs[left % 100 * 2], 2);
	}
	if (left >= 10)
		*--p = (char)('0' + left % 10);
	*--p = (char)('0' + (left >= 10 ? left / 10 : left));
	if (value < 0)
		*--p = '-';
	len = (size_t)(text + sizeof text - p);
	memcpy(out, p, len);
	out[len] = '\0';
	return len;
}
