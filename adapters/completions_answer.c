/*
 * Answers of providers that speak text completions: they pass as they came,
 * for nobody else can ask for them; what metering needs is read.
 */
#include "adapters/completions.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/sse.h"

/* What a stream must remember between events. */
struct seen {
	bool content, finished, ended;
};

static enum finish
finish_of(const struct json *doc, uint32_t choice)
{
	static const struct {
		const char *word;
		enum finish finish;
	} words[] = { { "length", FINISH_LENGTH },
		{ "content_filter", FINISH_CONTENT } };
	uint32_t v = json_get(doc, choice, "finish_reason");
	size_t i;

	if (!json_nonempty(doc, v))
		return FINISH_NONE;
	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (json_is(doc, v, words[i].word))
			return words[i].finish;
	return FINISH_STOP;
}

/* Bytes of text of all choices. */
static int64_t
weigh(const struct json *doc, uint32_t choices)
{
	int64_t bytes = 0;
	uint32_t c, v;
	size_t len;

	for (c = json_first(doc, choices); c != JSON_NONE;
	    c = json_next(doc, choices, c)) {
		v = json_get(doc, c, "text");
		if (!json_nonempty(doc, v))
			continue;
		json_raw(doc, v, &len);
		bytes += (int64_t)len;
	}
	return bytes;
}

enum err
completions_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	uint32_t choices;
	struct json doc;
	enum err e;

	(void)chat;
	(void)d;
	e = reply_parse(a, body, len, &doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	choices = json_get(&doc, JSON_ROOT, "choices");
	if (json_type(&doc, json_first(&doc, choices)) != JSON_OBJECT)
		return reply_bad(f, "no choices");
	reply->from = &adapter_completions;
	reply->raw = (struct str){ body, len };
	reply->id = canon_str(&doc, json_get(&doc, JSON_ROOT, "id"), a);
	reply->model = canon_str(&doc, json_get(&doc, JSON_ROOT, "model"), a);
	reply->finish = finish_of(&doc, json_first(&doc, choices));
	reply->text_bytes = weigh(&doc, choices);
	openai_usage(&doc, &reply->usage);
	return ERR_OK;
}

/* ------------------------------------------------------------- stream */

static enum err
emit_end(struct seen *seen, delta_fn *emit, void *arg, struct fault *f)
{
	if (!seen->content && !seen->finished)
		return reply_bad(f, "an empty stream");
	seen->ended = true;
	return reply_end(NULL, emit, arg);
}

static enum err
read_chunk(struct stream *s, const struct json *doc, delta_fn *emit,
    void *arg)
{
	uint32_t choices = json_get(doc, JSON_ROOT, "choices"), c;
	struct seen *seen = s->own;
	struct delta d;

	if (errors_present(doc))
		return reply_error(s->scratch, doc, emit, arg);
	memset(&d, 0, sizeof d);
	d.from = &adapter_completions;
	d.raw = (struct str){ doc->text, doc->len };
	d.event = "";
	d.id = canon_str(doc, json_get(doc, JSON_ROOT, "id"), s->scratch);
	d.text_bytes = weigh(doc, choices);
	for (c = json_first(doc, choices); c != JSON_NONE &&
	    d.finish == FINISH_NONE; c = json_next(doc, choices, c))
		d.finish = finish_of(doc, c);
	openai_usage(doc, &d.usage);
	d.kind = d.text_bytes > 0 ? DELTA_CONTENT :
	    d.finish != FINISH_NONE ? DELTA_FINISH :
	    json_count(doc, choices) == 0 && d.usage.known ? DELTA_USAGE :
	    DELTA_META;
	seen->content |= d.text_bytes > 0;
	seen->finished |= d.finish != FINISH_NONE;
	return emit(arg, &d);
}

enum err
completions_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct seen *seen = s->own;
	struct json doc;
	enum err err;

	if (seen == NULL) {
		s->own = seen = arena_zalloc(s->arena, sizeof *seen);
		if (seen == NULL)
			return ERR_INTERNAL;
	}
	if (seen->ended)
		return ERR_OK;
	if (ev == NULL)
		return seen->finished ? emit_end(seen, emit, arg, f) :
		    reply_bad(f, "the stream was cut off");
	if (ev->len >= 6 && memcmp(ev->data, "[DONE]", 6) == 0)
		return emit_end(seen, emit, arg, f);
	if (ev->len == 0)
		return ERR_OK;
	err = reply_event(s->scratch, ev->data, ev->len, &doc, f);
	if (err != ERR_OK)
		return err;
	return read_chunk(s, &doc, emit, arg);
}
