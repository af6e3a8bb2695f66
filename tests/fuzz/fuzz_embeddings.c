/* Embeddings of every provider. */
#include "tests/fuzz/door.h"

static const struct door_row rows[] = {
	{ "embeddings", "embeddings", "m", "http://p", 0, NULL },
	{ "embeddings", "embeddings", "voyage-3.5", "http://p",
	    QUIRK_EMBED_VOYAGE, NULL },
	{ "embeddings", "embeddings", "m", "http://p",
	    QUIRK_EMBED_MISTRAL, NULL },
	{ "embeddings", "embeddings", "m", "http://p",
	    QUIRK_EMBED_BYTES, NULL },
	{ "embeddings", "gemini_embed", "m", "http://p", 0, NULL },
	{ "embeddings", "gemini_embed", "m", "http://p/publishers/google",
	    0, NULL },
	{ "embeddings", "gemini_embed", "gemini-embedding-2",
	    "http://p/publishers/google", 0, NULL },
	{ "embeddings", "cohere_embed", "m", "http://p", 0, NULL },
	{ "embeddings", "ollama_embed", "m", "http://p", 0, NULL },
	{ "embeddings", "bedrock_embed", "amazon.titan-embed-text-v2:0",
	    "http://p", 0, NULL },
	{ "embeddings", "bedrock_embed", "cohere.embed-v4:0", "http://p",
	    0, NULL },
	{ "gemini_embed", "gemini_embed", "m", "http://p", 0, NULL },
	{ "gemini_embed", "gemini_embed", "m", "http://p/publishers/google",
	    0, NULL },
	{ "gemini_embed", "embeddings", "m", "http://p", 0, NULL },
	{ "gemini_embed", "embeddings", "voyage-3.5", "http://p",
	    QUIRK_EMBED_VOYAGE, NULL },
	{ "gemini_embed", "cohere_embed", "m", "http://p", 0, NULL },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return door_run(rows, sizeof rows / sizeof rows[0], data, size);
}
