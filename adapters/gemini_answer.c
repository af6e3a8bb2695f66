/* Answers of generateContent, whole and streamed: the same object. */
#include "adapters/gemini.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/gemini_args.h"
#include "adapters/gemini_grounding.h"
#include "adapters/gemini_logprobs.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/sse.h"

#define CANDIDATES_MAX 64

static const struct {
	const char *word;
	enum finish finish;
} reasons[] = {
	{ "STOP", FINISH_STOP },
	{ "MAX_TOKENS", FINISH_LENGTH },
	{ "SAFETY", FINISH_CONTENT },
	{ "RECITATION", FINISH_CONTENT },
	{ "LANGUAGE", FINISH_CONTENT },
	{ "BLOCKLIST", FINISH_CONTENT },
	{ "PROHIBITED_CONTENT", FINISH_CONTENT },
	{ "SPII", FINISH_CONTENT },
	{ "IMAGE_SAFETY", FINISH_CONTENT },
	{ "MODEL_ARMOR", FINISH_CONTENT },
};

/* ------------------------------------------------------------- usage */

static int64_t
modality_of(const struct json *doc, uint32_t details, const char *word)
{
	int64_t sum = 0;
	uint32_t d;

	for (d = json_first(doc, details); d != JSON_NONE;
	    d = json_next(doc, details, d))
		if (json_is(doc, json_get(doc, d, "modality"), word))
			sum += reply_count(doc, d, "tokenCount");
	return sum;
}

static bool
is_number(const struct json *doc, uint32_t obj, const char *key)
{
	return json_type(doc, json_get(doc, obj, key)) == JSON_NUMBER;
}

/* Tokens of one side: those of sound and of pictures apart, as told. */
static void
split(const struct json *doc, uint32_t details, int64_t all, int64_t *text,
    int64_t *audio, int64_t *images)
{
	*audio = at_most(modality_of(doc, details, "AUDIO"), all);
	*images = at_most(modality_of(doc, details, "IMAGE"), all - *audio);
	*text = all - *audio - *images;
}

/* The prompt's count may be missing beside the sum of all. */
static void
read_usage(const struct json *doc, struct usage *out)
{
	uint32_t u = json_get(doc, JSON_ROOT, "usageMetadata");
	int64_t prompt, answer, cached, *n = out->n;

	if (!is_number(doc, u, "promptTokenCount") &&
	    !is_number(doc, u, "totalTokenCount"))
		return;
	answer = reply_count(doc, u, "candidatesTokenCount");
	prompt = reply_count(doc, u, "promptTokenCount") +
	    reply_count(doc, u, "toolUsePromptTokenCount");
	if (!is_number(doc, u, "promptTokenCount"))
		prompt = reply_count(doc, u, "totalTokenCount") - answer -
		    reply_count(doc, u, "thoughtsTokenCount");
	if (prompt < 0)
		prompt = 0;
	cached = reply_count(doc, u, "cachedContentTokenCount");
	memset(out, 0, sizeof *out);
	n[UNIT_CACHED_INPUT] = at_most(cached, prompt);
	prompt -= n[UNIT_CACHED_INPUT];
	split(doc, json_get(doc, u, "promptTokensDetails"), prompt,
	    &n[UNIT_INPUT], &n[UNIT_AUDIO_INPUT], &n[UNIT_IMAGE_INPUT]);
	split(doc, json_get(doc, u, "candidatesTokensDetails"), answer,
	    &n[UNIT_OUTPUT], &n[UNIT_AUDIO_OUTPUT], &n[UNIT_IMAGE_OUTPUT]);
	n[UNIT_REASONING] = reply_count(doc, u, "thoughtsTokenCount");
	if (!reply_service(doc, json_get(doc, u, "serviceTier"),
	    &out->service)) /* Vertex says it otherwise */
		reply_service(doc, json_get(doc, u, "trafficType"),
		    &out->service);
	out->known = true;
}

/* ------------------------------------------------------------ finish */

/* STOP ends calls as well here. Words nobody knows end an answer too. */
static enum finish
finish_of(const struct json *doc, uint32_t candidate, bool calls)
{
	uint32_t v = json_get(doc, candidate, "finishReason");
	size_t i;

	if (!json_nonempty(doc, v) ||
	    json_is(doc, v, "FINISH_REASON_UNSPECIFIED"))
		return FINISH_NONE;
	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (json_is(doc, v, reasons[i].word))
			return calls && reasons[i].finish == FINISH_STOP ?
			    FINISH_TOOLS : reasons[i].finish;
	return calls ? FINISH_TOOLS : FINISH_STOP;
}

static bool
blocked(const struct json *doc)
{
	return json_type(doc, json_at(doc, JSON_ROOT, "promptFeedback",
	    "blockReason", NULL)) == JSON_STRING ||
	    (json_type(doc, json_get(doc, JSON_ROOT, "promptFeedback")) ==
		JSON_OBJECT && json_count(doc, json_get(doc, JSON_ROOT,
		"candidates")) == 0);
}

/* ----------------------------------------------------- whole answers */

/* Other dialects know signatures of reasoning and of calls only. */
static bool
part_signature(struct parts *out)
{
	struct part *p = parts_add(out), *of;

	if (p == NULL)
		return false;
	of = p - 1;
	p->kind = PART_REASONING;
	p->origin = of->origin;
	p->signature = of->signature;
	of->signature = (struct str){ NULL, 0 };
	return true;
}

static bool
read_part(const struct json *doc, uint32_t v, struct parts *out, int *calls)
{
	uint32_t call = gemini_get(doc, v, "functionCall");
	uint32_t data = gemini_get(doc, v, "inlineData");
	struct arena *a = out->arena;
	struct part *p = parts_add(out);

	if (p == NULL)
		return false;
	p->origin = "gemini";
	p->signature = canon_str(doc, gemini_get(doc, v, "thoughtSignature"),
	    a);
	if (call != JSON_NONE) {
		p->kind = PART_CALL;
		p->name = canon_str(doc, json_get(doc, call, "name"), a);
		p->args = canon_raw(doc, json_get(doc, call, "args"));
		if (p->args.p == NULL)
			p->args = canon_lit("{}");
		p->id = canon_str(doc, json_get(doc, call, "id"), a);
		if (p->id.len == 0)
			p->id = canon_call_id(a);
		(*calls)++;
	} else if (data != JSON_NONE) {
		p->kind = PART_IMAGE;
		p->media_type = canon_str(doc, gemini_get(doc, data,
		    "mimeType"), a);
		p->data = canon_str(doc, json_get(doc, data, "data"), a);
	} else if (json_type(doc, json_get(doc, v, "text")) == JSON_STRING) {
		p->kind = json_type(doc, json_get(doc, v, "thought")) ==
		    JSON_TRUE ? PART_REASONING : PART_TEXT;
		p->text = canon_str(doc, json_get(doc, v, "text"), a);
	} else {
		p->kind = PART_OTHER;
		p->raw = canon_raw(doc, v);
	}
	return p->signature.len == 0 || p->kind == PART_CALL ||
	    p->kind == PART_REASONING || part_signature(out);
}

/* All that a candidate says. */
static struct str
text_of(const struct parts *parts)
{
	struct growing g = { NULL, 0, 0 };
	size_t i;

	for (i = 0; i < parts->count; i++)
		if (parts->list[i].kind == PART_TEXT &&
		    !canon_grow(parts->arena, &g, parts->list[i].text))
			break; /* then places are not told */
	return canon_grown(&g);
}

static bool
read_candidate(const struct json *doc, uint32_t v, struct arena *a,
    struct choice *c)
{
	uint32_t list = json_at(doc, v, "content", "parts", NULL), p;
	struct parts parts = { .arena = a };
	int calls = 0;

	json_int(doc, json_get(doc, v, "index"), &c->index);
	for (p = json_first(doc, list); p != JSON_NONE;
	    p = json_next(doc, list, p))
		if (!read_part(doc, p, &parts, &calls))
			return false;
	c->parts = parts.list;
	c->part_count = parts.count;
	c->finish = finish_of(doc, v, calls > 0);
	if (c->finish == FINISH_NONE)
		c->finish = calls > 0 ? FINISH_TOOLS : FINISH_STOP;
	c->citations = gemini_citations(doc, v, text_of(&parts), a);
	c->logprobs = gemini_read_logprobs(doc, v, a);
	return true;
}

static enum err
read_candidates(const struct json *doc, struct arena *a, struct reply *reply)
{
	uint32_t list = json_get(doc, JSON_ROOT, "candidates"), v;
	size_t n = json_count(doc, list);

	reply->choices = arena_zalloc(a, (n + 1) * sizeof *reply->choices);
	if (reply->choices == NULL)
		return ERR_INTERNAL;
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		if (!read_candidate(doc, v, a,
		    &reply->choices[reply->choice_count++]))
			return ERR_INTERNAL;
	if (n == 0) { /* the prompt was blocked */
		reply->choices[0].finish = FINISH_CONTENT;
		reply->choice_count = 1;
	}
	reply->finish = reply->choices[0].finish;
	return ERR_OK;
}

enum err
gemini_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json doc;
	enum err e;

	(void)d;
	e = reply_parse(a, body, len, &doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	if (chat->count) {
		reply->from = &adapter_gemini;
		reply->raw = (struct str){ body, len };
		return json_type(&doc, json_get(&doc, JSON_ROOT,
		    "totalTokens")) == JSON_NUMBER ? ERR_OK :
		    reply_bad(f, "no count");
	}
	if (json_count(&doc, json_get(&doc, JSON_ROOT, "candidates")) == 0 &&
	    !blocked(&doc))
		return reply_bad(f, "no candidates");
	reply->from = &adapter_gemini;
	reply->raw = (struct str){ body, len };
	reply->id = canon_str(&doc, json_get(&doc, JSON_ROOT, "responseId"),
	    a);
	reply->model = canon_str(&doc, json_get(&doc, JSON_ROOT,
	    "modelVersion"), a);
	read_usage(&doc, &reply->usage);
	reply->text_bytes = canon_text_bytes(&doc, json_get(&doc, JSON_ROOT,
	    "candidates"));
	return read_candidates(&doc, a, reply);
}

/* ------------------------------------------------------------ stream */

/* What a stream must remember between events. */
struct seen {
	int64_t calls[CANDIDATES_MAX];
	struct gemini_args *args[CANDIDATES_MAX]; /* of a call in parts */
	struct usage usage;
	bool answered, finished, ended;
	struct growing text[CANDIDATES_MAX]; /* of each, for another dialect */
};

/* One event on its way into a delta. */
struct event {
	const struct json *doc;
	struct seen *seen;
	struct arena *scratch, *arena;
	bool wants; /* pieces, for another dialect */
	struct pieces pieces;
	struct delta d;
};

static void
piece_args(struct event *e, int64_t choice, struct str args)
{
	struct piece *p = pieces_add(&e->pieces, PIECE_ARGS, choice);

	if (p == NULL)
		return;
	p->call = e->seen->calls[choice] - 1;
	p->text = args;
	e->pieces.failed |= args.p == NULL;
}

/* A call in parts ends: its arguments are whole. */
static void
end_args(struct event *e, int64_t choice)
{
	if (e->seen->args[choice] != NULL)
		piece_args(e, choice, gemini_args_text(
		    e->seen->args[choice], e->scratch));
	e->seen->args[choice] = NULL;
}

/*
 * One part of a call in parts: the first has the name, later ones have
 * arguments, the last says that none will follow. False: it is malformed.
 */
static bool
more_args(struct event *e, uint32_t call, int64_t choice)
{
	uint32_t parts = gemini_get(e->doc, call, "partialArgs");
	struct gemini_args **g = &e->seen->args[choice];

	if (*g == NULL) /* the end of one that has ended */
		return json_count(e->doc, parts) == 0 &&
		    e->seen->calls[choice] > 0;
	if (!gemini_args_add(*g, e->doc, parts))
		return false;
	if (json_type(e->doc, gemini_get(e->doc, call, "willContinue")) !=
	    JSON_TRUE)
		end_args(e, choice);
	return true;
}

static bool
in_parts(const struct json *doc, uint32_t call)
{
	return json_type(doc, gemini_get(doc, call, "willContinue")) ==
	    JSON_TRUE ||
	    json_count(doc, gemini_get(doc, call, "partialArgs")) > 0;
}

static bool
piece_call(struct event *e, uint32_t call, int64_t choice, struct str sign)
{
	struct str args = canon_raw(e->doc, json_get(e->doc, call, "args"));
	bool named = json_nonempty(e->doc, json_get(e->doc, call, "name"));
	struct piece *p;

	if (!e->wants) { /* what goes on as it came is not looked into */
		e->seen->calls[choice] += named;
		return true;
	}
	if (!named)
		return more_args(e, call, choice);
	end_args(e, choice);
	p = pieces_add(&e->pieces, PIECE_CALL, choice);
	if (p == NULL)
		return true;
	p->call = e->seen->calls[choice]++;
	p->id = canon_str(e->doc, json_get(e->doc, call, "id"), e->scratch);
	if (p->id.len == 0)
		p->id = canon_call_id(e->scratch);
	p->name = canon_str(e->doc, json_get(e->doc, call, "name"),
	    e->scratch);
	p->text = sign;
	p->origin = "gemini";
	if (!in_parts(e->doc, call)) {
		piece_args(e, choice, args.p == NULL ? canon_lit("{}") :
		    args);
		return true;
	}
	e->seen->args[choice] = gemini_args_new(e->arena);
	e->pieces.failed |= e->seen->args[choice] == NULL;
	return e->pieces.failed || more_args(e, call, choice);
}

static void
piece_image(struct event *e, uint32_t data, int64_t choice)
{
	struct part p = { .media_type = canon_str(e->doc, gemini_get(e->doc,
	    data, "mimeType"), e->scratch), .data = canon_str(e->doc,
	    json_get(e->doc, data, "data"), e->scratch) };

	pieces_text(&e->pieces, PIECE_IMAGE, choice, canon_data_text(
	    e->scratch, &p, "image/png"));
}

static bool
piece_part(struct event *e, uint32_t v, int64_t choice)
{
	uint32_t data = gemini_get(e->doc, v, "inlineData");
	uint32_t call = gemini_get(e->doc, v, "functionCall");
	struct str sign = canon_str(e->doc, gemini_get(e->doc, v,
	    "thoughtSignature"), e->scratch);
	struct str s = canon_str(e->doc, json_get(e->doc, v, "text"),
	    e->scratch);
	bool thought = json_type(e->doc, json_get(e->doc, v, "thought")) ==
	    JSON_TRUE;
	struct piece *p;

	if (s.len > 0 || call != JSON_NONE || data != JSON_NONE)
		e->d.kind = DELTA_CONTENT;
	if (data != JSON_NONE)
		piece_image(e, data, choice);
	e->d.text_bytes += (int64_t)s.len;
	if (call != JSON_NONE) {
		e->d.text_bytes += (int64_t)canon_raw(e->doc, call).len;
		return piece_call(e, call, choice, sign);
	}
	pieces_text(&e->pieces, thought ? PIECE_REASONING : PIECE_TEXT,
	    choice, s);
	if (!thought && e->wants && s.len > 0 &&
	    !canon_grow(e->arena, &e->seen->text[choice], s))
		e->pieces.failed = true;
	p = pieces_text(&e->pieces, PIECE_SIGNATURE, choice, sign);
	if (p != NULL)
		p->origin = "gemini";
	return true;
}

static void
piece_finish(struct event *e, enum finish finish, int64_t choice)
{
	struct piece *p;

	if (finish == FINISH_NONE)
		return;
	e->seen->finished = true;
	e->d.finish = finish;
	if (e->d.kind != DELTA_CONTENT)
		e->d.kind = DELTA_FINISH;
	p = pieces_add(&e->pieces, PIECE_FINISH, choice);
	if (p != NULL)
		p->finish = finish;
}

/* Before a signature that ends the text which they are for. */
static void
piece_citations(struct event *e, uint32_t v, int64_t choice)
{
	struct str all = gemini_citations(e->doc, v,
	    canon_grown(&e->seen->text[choice]), e->scratch);
	struct pieces *ps = &e->pieces;
	struct piece last, *p;
	bool ends = ps->count > 0 &&
	    ps->list[ps->count - 1].kind == PIECE_SIGNATURE;
	struct json doc;

	if (all.p == NULL ||
	    json_parse(&doc, e->scratch, all.p, all.len, NULL) != ERR_OK)
		return;
	if (ends)
		last = ps->list[--ps->count];
	pieces_list(ps, PIECE_CITATION, choice, &doc, JSON_ROOT);
	if (ends && (p = pieces_add(ps, PIECE_SIGNATURE, choice)) != NULL)
		*p = last;
}

static bool
piece_candidate(struct event *e, uint32_t v)
{
	uint32_t list = json_at(e->doc, v, "content", "parts", NULL), p;
	enum finish finish;
	int64_t choice = 0;

	json_int(e->doc, json_get(e->doc, v, "index"), &choice);
	if (choice < 0 || choice >= CANDIDATES_MAX)
		return false;
	for (p = json_first(e->doc, list); p != JSON_NONE;
	    p = json_next(e->doc, list, p))
		if (!piece_part(e, p, choice))
			return false;
	if (e->wants)
		pieces_text(&e->pieces, PIECE_LOGPROBS, choice,
		    gemini_read_logprobs(e->doc, v, e->scratch));
	piece_citations(e, v, choice);
	finish = finish_of(e->doc, v, e->seen->calls[choice] > 0);
	if (finish != FINISH_NONE)
		end_args(e, choice);
	piece_finish(e, finish, choice);
	return true;
}

/* There is no end mark: the end of the bytes after a finish is one. */
static enum err
emit_end(struct seen *seen, delta_fn *emit, void *arg, struct fault *f)
{
	if (!seen->finished)
		return reply_cut(f, seen->answered);
	seen->ended = true;
	return reply_end(&adapter_gemini, emit, arg);
}

static enum err
read_chunk(struct event *e, const struct sse_event *ev, delta_fn *emit,
    void *arg, struct fault *f)
{
	uint32_t list = json_get(e->doc, JSON_ROOT, "candidates"), v;

	e->d.from = &adapter_gemini;
	e->d.raw = (struct str){ ev->data, ev->len };
	e->d.event = "";
	e->d.id = canon_str(e->doc, json_get(e->doc, JSON_ROOT,
	    "responseId"), e->scratch);
	e->d.model = canon_str(e->doc, json_get(e->doc, JSON_ROOT,
	    "modelVersion"), e->scratch);
	read_usage(e->doc, &e->d.usage);
	for (v = json_first(e->doc, list); v != JSON_NONE;
	    v = json_next(e->doc, list, v))
		if (!piece_candidate(e, v))
			return reply_bad(f, "a malformed chunk");
	if (json_count(e->doc, list) == 0 && blocked(e->doc))
		piece_finish(e, FINISH_CONTENT, 0);
	e->seen->answered = true;
	if (e->pieces.failed)
		return ERR_INTERNAL;
	e->d.pieces = e->pieces.list;
	e->d.piece_count = e->pieces.count;
	return emit(arg, &e->d);
}

enum err
gemini_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct event e = { .scratch = s->scratch, .arena = s->arena,
		.wants = s->pieces,
		.pieces = { .arena = s->scratch } };
	struct json doc;

	if (s->own == NULL)
		s->own = arena_zalloc(s->arena, sizeof(struct seen));
	e.seen = s->own;
	if (e.seen == NULL)
		return ERR_INTERNAL;
	if (e.seen->ended)
		return ERR_OK;
	if (ev == NULL)
		return emit_end(e.seen, emit, arg, f);
	if (ev->len == 0)
		return ERR_OK;
	if (json_parse(&doc, s->scratch, ev->data, ev->len, NULL) != ERR_OK)
		return reply_bad(f, "an event that is not JSON");
	if (errors_present(&doc))
		return reply_error(s->scratch, &doc, emit, arg);
	e.doc = &doc;
	return read_chunk(&e, ev, emit, arg, f);
}
