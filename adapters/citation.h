/*
 * Pages of the web that an answer rests on. Between two dialects they travel
 * as OpenAI's annotations (JSON text, `url_citation`); here is how one is read
 * and written, and what other dialects have for it.
 */
#ifndef TOLLGATE_ADAPTERS_CITATION_H
#define TOLLGATE_ADAPTERS_CITATION_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/chat.h"

struct arena;

struct citation {
	struct str url, title;
	struct str content;  /* what the page says, or nothing */
	int64_t start, end;  /* of the answer's text, in characters; end 0 =
			      * which text it is for is not known */
};

/* One annotation, nested or flat; false: it is not of a page. */
bool citation_read(const struct json *doc, uint32_t v, struct arena *a,
    struct citation *out);

/* As one annotation. */
void citation_write(struct json_writer *w, const struct citation *c);

/* As one citation of a text block of Anthropic's. */
void citation_write_block(struct json_writer *w, const struct citation *c);

/*
 * Is this a citation of that kind which citation_write_block made? Its
 * provider would not take it back.
 */
bool citation_is_foreign(const struct json *doc, uint32_t v);

/*
 * "groundingMetadata" of Google's, from the text of a list of annotations, for
 * an answer of this text; nothing when the list names no page.
 */
void citation_put_grounding(struct json_writer *w, struct str list,
    struct str text, struct arena *a);

/*
 * Each place in a text is counted from its beginning: of longer texts than
 * this, places are not told.
 */
#define CITATION_TEXT (1U << 20)

/* Characters (code points) of a text, and of its first n bytes. */
int64_t citation_chars(struct str text);
int64_t citation_chars_of(struct str text, int64_t bytes);

#endif
