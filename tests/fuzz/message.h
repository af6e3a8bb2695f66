/* Sums of Amazon's event stream, for those who make messages. */
#ifndef TOLLGATE_TESTS_FUZZ_MESSAGE_H
#define TOLLGATE_TESTS_FUZZ_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

static uint32_t
message_crc(const char *p, size_t n)
{
	uint32_t crc = UINT32_MAX;
	int bit;

	while (n-- > 0) {
		crc ^= (unsigned char)*p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

static void
message_put(char *p, uint32_t n)
{
	p[0] = (char)(n >> 24);
	p[1] = (char)(n >> 16);
	p[2] = (char)(n >> 8);
	p[3] = (char)n;
}

#endif
