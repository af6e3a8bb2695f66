/* See adapter.h. */
#include "tests/fuzz/adapter.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_adapter("anthropic", data, size);
}
