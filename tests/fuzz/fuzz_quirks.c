/* Requests to OpenAI-like providers: two bytes choose their departures. */
#include "tests/fuzz/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned quirks;

	if (size < 3)
		return 0;
	quirks = (unsigned)data[0] | (unsigned)data[1] << 8;
	return fuzz_provider("openai", quirks, data + 2, size - 2);
}
