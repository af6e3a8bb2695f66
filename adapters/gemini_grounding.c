/* What Google says of the pages that an answer rests on. */
#include "adapters/gemini_grounding.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/citation.h"
#include "adapters/gemini.h"
#include "adapters/reply.h"
#include "app/base/buf.h"

#define CHUNKS_MAX 1024
#define SUPPORTS_MAX 512

/* The page of a chunk of grounding: of the web, or one of the provider's. */
static bool
read_page(const struct json *doc, uint32_t chunk, struct arena *a,
    struct citation *out)
{
	static const char *const kinds[] = { "web", "retrievedContext",
		"maps" };
	uint32_t v = JSON_NONE;
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0] &&
	    json_type(doc, v) != JSON_OBJECT; i++)
		v = gemini_get(doc, chunk, kinds[i]);
	memset(out, 0, sizeof *out);
	out->url = canon_str(doc, json_get(doc, v, "uri"), a);
	out->title = canon_str(doc, json_get(doc, v, "title"), a);
	return out->url.len > 0;
}

/* The number-th chunk, or JSON_NONE. */
static uint32_t
chunk_at(const struct json *doc, uint32_t chunks, int64_t number)
{
	uint32_t c = json_first(doc, chunks);

	while (c != JSON_NONE && number-- > 0)
		c = json_next(doc, chunks, c);
	return c;
}

/* A text and the pages that it rests on, which are noted as used. */
static void
write_support(const struct json *doc, uint32_t support, uint32_t chunks,
    struct str text, struct json_writer *w, struct arena *a,
    bool used[CHUNKS_MAX])
{
	uint32_t segment = json_get(doc, support, "segment"), v;
	uint32_t list = gemini_get(doc, support, "groundingChunkIndices");
	int64_t from = citation_chars_of(text, reply_count(doc, segment,
	    "startIndex"));
	int64_t to = citation_chars_of(text, reply_count(doc, segment,
	    "endIndex"));
	struct citation c;
	int64_t n, i = 0;

	for (v = json_first(doc, list); v != JSON_NONE && i < CHUNKS_MAX;
	    v = json_next(doc, list, v), i++) {
		if (!json_int(doc, v, &n) || n < 0 || n >= CHUNKS_MAX ||
		    !read_page(doc, chunk_at(doc, chunks, n), a, &c))
			continue;
		c.start = from;
		c.end = to;
		citation_write(w, &c);
		used[n] = true;
	}
}

struct str
gemini_citations(const struct json *doc, uint32_t candidate, struct str text,
    struct arena *a)
{
	uint32_t meta = json_get(doc, candidate, "groundingMetadata"), v;
	uint32_t chunks = json_get(doc, meta, "groundingChunks");
	uint32_t list = json_get(doc, meta, "groundingSupports");
	struct str s = { NULL, 0 };
	bool used[CHUNKS_MAX] = { false };
	struct citation page;
	struct json_writer w;
	struct buf b;
	size_t i = 0;

	if (json_count(doc, chunks) == 0)
		return s;
	buf_init(&b, LIMIT_BODY_TEXT);
	jw_init(&w, &b);
	jw_array(&w);
	if (text.len > CITATION_TEXT)
		text.len = 0;
	for (v = json_first(doc, list); v != JSON_NONE && i < SUPPORTS_MAX;
	    v = json_next(doc, list, v), i++)
		write_support(doc, v, chunks, text, &w, a, used);
	i = 0;
	for (v = json_first(doc, chunks); v != JSON_NONE && i < CHUNKS_MAX;
	    v = json_next(doc, chunks, v), i++)
		if (!used[i] && read_page(doc, v, a, &page))
			citation_write(&w, &page);
	jw_end_array(&w);
	return canon_take_list(a, &b);
}
