/* Embeddings of every provider. */
#include "tests/fuzz/door.h"

static const struct door_row rows[] = {
	{ "embeddings", "embeddings", "m", "http://p", 0 },
	{ "embeddings", "embeddings", "voyage-3.5", "http://p",
	    QUIRK_EMBED_VOYAGE },
	{ "embeddings", "embeddings", "m", "http://p", QUIRK_EMBED_MISTRAL },
	{ "embeddings", "embeddings", "m", "http://p", QUIRK_EMBED_BYTES },
	{ "embeddings", "gemini_embed", "m", "http://p", 0 },
	{ "embeddings", "gemini_embed", "m", "http://p/publishers/google", 0 },
	{ "embeddings", "gemini_embed", "gemini-embedding-2",
	    "http://p/publishers/google", 0 },
	{ "embeddings", "cohere_embed", "m", "http://p", 0 },
	{ "embeddings", "ollama_embed", "m", "http://p", 0 },
	{ "embeddings", "bedrock_embed", "amazon.titan-embed-text-v2:0",
	    "http://p", 0 },
	{ "embeddings", "bedrock_embed", "cohere.embed-v4:0", "http://p",
	    0 },
	{ "gemini_embed", "gemini_embed", "m", "http://p", 0 },
	{ "gemini_embed", "gemini_embed", "m", "http://p/publishers/google",
	    0 },
	{ "gemini_embed", "embeddings", "m", "http://p", 0 },
	{ "gemini_embed", "embeddings", "voyage-3.5", "http://p",
	    QUIRK_EMBED_VOYAGE },
	{ "gemini_embed", "cohere_embed", "m", "http://p", 0 },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return door_run(rows, sizeof rows / sizeof rows[0], data, size);
}
