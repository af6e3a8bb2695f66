/* Pages of the web that an answer rests on, in all dialects' words. */
#include "adapters/citation.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"

#define PAGES_MAX 512

static struct str
text(const struct json *doc, uint32_t obj, const char *key, struct arena *a)
{
	return canon_str(doc, json_get(doc, obj, key), a);
}

bool
citation_read(const struct json *doc, uint32_t v, struct arena *a,
    struct citation *out)
{
	uint32_t page = json_get(doc, v, "url_citation");

	if (json_type(doc, page) != JSON_OBJECT)
		page = v;
	memset(out, 0, sizeof *out);
	out->url = text(doc, page, "url", a);
	if (out->url.len == 0)
		return false;
	out->title = text(doc, page, "title", a);
	out->content = text(doc, page, "content", a);
	if (out->content.len == 0)
		out->content = text(doc, page, "summary", a);
	json_int(doc, json_get(doc, page, "start_index"), &out->start);
	json_int(doc, json_get(doc, page, "end_index"), &out->end);
	if (out->start < 0 || out->end < out->start)
		out->start = out->end = 0;
	return true;
}

void
citation_write(struct json_writer *w, const struct citation *c)
{
	canon_begin(w, "url_citation");
	jw_key(w, "url_citation");
	jw_object(w);
	canon_put_int(w, "start_index", c->start);
	canon_put_int(w, "end_index", c->end);
	canon_put_str(w, "url", c->url);
	canon_put_text(w, "title", c->title);
	if (c->content.len > 0)
		canon_put_str(w, "content", c->content);
	jw_end_object(w);
	jw_end_object(w);
}

/* An index is what its maker proves it with: one that we make has none. */
void
citation_write_block(struct json_writer *w, const struct citation *c)
{
	canon_begin(w, "web_search_result_location");
	canon_put_str(w, "url", c->url);
	canon_put_text(w, "title", c->title);
	canon_put_text(w, "cited_text", c->content);
	jw_key(w, "encrypted_index");
	jw_string(w, "");
	jw_end_object(w);
}

bool
citation_is_foreign(const struct json *doc, uint32_t v)
{
	uint32_t index = json_get(doc, v, "encrypted_index");

	return json_is(doc, json_get(doc, v, "type"),
	    "web_search_result_location") &&
	    json_type(doc, index) == JSON_STRING && !json_nonempty(doc, index);
}

/* ------------------------------------------------------------ grounding */

static bool
begins(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

int64_t
citation_chars_of(struct str text_of, int64_t bytes)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < text_of.len && (int64_t)i < bytes; i++)
		n += begins(text_of.p[i]);
	return n;
}

int64_t
citation_chars(struct str text_of)
{
	return citation_chars_of(text_of, (int64_t)text_of.len);
}

/* Where character number n begins, in bytes. */
static int64_t
bytes_of(struct str text_of, int64_t n)
{
	size_t i;

	for (i = 0; i < text_of.len; i++)
		if (begins(text_of.p[i]) && n-- == 0)
			break;
	return (int64_t)i;
}

/* The pages of a list, each once; where[i] is the place of citation i. */
struct pages {
	struct citation *list;
	size_t count; /* citations */
	size_t *where;
	size_t pages;
};

static bool
read_pages(struct pages *p, const struct json *doc, struct arena *a)
{
	size_t n = json_count(doc, JSON_ROOT), i;
	uint32_t v;

	if (n > PAGES_MAX)
		n = PAGES_MAX;
	memset(p, 0, sizeof *p);
	p->list = arena_alloc(a, n * sizeof *p->list);
	p->where = arena_alloc(a, n * sizeof *p->where);
	if (n == 0 || p->list == NULL || p->where == NULL)
		return false;
	for (v = json_first(doc, JSON_ROOT); v != JSON_NONE && p->count < n;
	    v = json_next(doc, JSON_ROOT, v)) {
		if (!citation_read(doc, v, a, &p->list[p->count]))
			continue;
		for (i = 0; i < p->count; i++)
			if (canon_same(p->list[i].url,
			    p->list[p->count].url))
				break;
		p->where[p->count] = i < p->count ? p->where[i] : p->pages++;
		p->count++;
	}
	return p->count > 0;
}

static void
write_chunks(struct json_writer *w, const struct pages *p)
{
	size_t i, next = 0;

	jw_key(w, "groundingChunks");
	jw_array(w);
	for (i = 0; i < p->count; i++) {
		if (p->where[i] != next)
			continue;
		next++;
		jw_object(w);
		jw_key(w, "web");
		jw_object(w);
		canon_put_str(w, "uri", p->list[i].url);
		canon_put_text(w, "title", p->list[i].title);
		jw_end_object(w);
		jw_end_object(w);
	}
	jw_end_array(w);
}

/* Which text is for which page; places are of bytes there. */
static void
write_supports(struct json_writer *w, const struct pages *p,
    struct str text_of)
{
	const struct citation *c;
	int64_t from, to;
	size_t i;

	jw_key(w, "groundingSupports");
	jw_array(w);
	for (i = 0; i < p->count; i++) {
		c = &p->list[i];
		from = bytes_of(text_of, c->start);
		to = bytes_of(text_of, c->end);
		if (to <= from)
			continue;
		jw_object(w);
		jw_key(w, "segment");
		jw_object(w);
		canon_put_int(w, "startIndex", from);
		canon_put_int(w, "endIndex", to);
		canon_put_str(w, "text", (struct str){ text_of.p + from,
		    (size_t)(to - from) });
		jw_end_object(w);
		jw_key(w, "groundingChunkIndices");
		jw_array(w);
		jw_int(w, (int64_t)p->where[i]);
		jw_end_array(w);
		jw_end_object(w);
	}
	jw_end_array(w);
}

void
citation_put_grounding(struct json_writer *w, struct str list,
    struct str text_of, struct arena *a)
{
	struct pages p;
	struct json doc;

	if (list.len == 0 || json_parse(&doc, a, list.p, list.len, NULL) !=
	    ERR_OK || !read_pages(&p, &doc, a))
		return;
	if (text_of.len > CITATION_TEXT)
		text_of.len = 0;
	jw_key(w, "groundingMetadata");
	jw_object(w);
	write_chunks(w, &p);
	write_supports(w, &p, text_of);
	jw_end_object(w);
}
