/* Pages that an answer of generateContent rests on. */
#ifndef TOLLGATE_ADAPTERS_GEMINI_GROUNDING_H
#define TOLLGATE_ADAPTERS_GEMINI_GROUNDING_H

#include "adapters/chat.h"

struct arena;

/*
 * The groundingMetadata of a candidate as a list of OpenAI's annotations:
 * those of single texts of the answer, then those of the whole. text: the
 * answer's, as Google counts its bytes. Nothing when it names no page.
 */
struct str gemini_citations(const struct json *doc, uint32_t candidate,
    struct str text, struct arena *a);

#endif
