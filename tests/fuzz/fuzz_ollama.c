/* The adapter ollama: requests to it, its answers whole and streamed. */
#include "tests/fuzz/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_provider("ollama", 0, data, size);
}
