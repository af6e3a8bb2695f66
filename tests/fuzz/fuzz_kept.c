/* Answers that a provider keeps: a query, and what it says. */
#include "tests/fuzz/door.h"

static const struct door_row rows[] = {
	{ "kept", "kept", "", "http://p", 0, "retrieve" },
	{ "kept", "kept", "", "http://p", 0, "delete" },
	{ "kept", "kept", "", "http://p", 0, "cancel" },
	{ "kept", "kept", "", "http://p", 0, "input_items" },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return door_run(rows, sizeof rows / sizeof rows[0], data, size);
}
