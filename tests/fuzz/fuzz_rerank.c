/* What ranks and what moderates, of every provider. */
#include "tests/fuzz/door.h"

static const struct door_row rows[] = {
	{ "rerank", "rerank", "m", "http://p", 0, NULL },
	{ "rerank", "openai_rerank", "m", "http://p", 0, NULL },
	{ "rerank", "openai_rerank", "m", "http://p",
	    QUIRK_EMBED_VOYAGE, NULL },
	{ "rerank", "bedrock_rerank", "cohere.rerank-v3-5:0", "http://p",
	    0, NULL },
	{ "rerank", "bedrock_rerank", "amazon.rerank-v1:0", "http://p",
	    0, NULL },
	{ "moderations", "moderations", "m", "http://p", 0, NULL },
	{ "rerank", "openai_rerank", "m", "http://p/openai",
	    QUIRK_RERANK_PAIRS, NULL },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return door_run(rows, sizeof rows / sizeof rows[0], data, size);
}
