/* Guessed token counts. */
#include "policy/estimate.h"

/*
 * English and code run near four bytes a token with today's tokenizers; a
 * character beyond ASCII is more often a token of its own.
 */
int64_t
estimate_tokens(const char *text, size_t len)
{
	int64_t quarters = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		quarters += c < 0x80 ? 1 : c >= 0xc0 ? 3 : 0;
	}
	return (quarters + 3) / 4;
}

int64_t
estimate_text_bytes(int64_t bytes)
{
	return (bytes + 3) / 4;
}
