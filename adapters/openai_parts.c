/*
 * A mended answer or event of the OpenAI dialect in the canonical form, for a
 * client of another one.
 */
#include "adapters/openai.h"

#include "adapters/canon.h"
#include "adapters/citation.h"
#include "adapters/openai_mend.h"
#include "app/base/arena.h"

/* Reasoning under any of its names, as text. */
static struct str
reasoning_text(const struct json *doc, uint32_t msg, struct arena *a)
{
	struct str s = canon_str(doc, json_get(doc, msg, "reasoning_content"),
	    a);

	return s.len > 0 ? s : canon_str(doc, json_get(doc, msg, "reasoning"),
	    a);
}

/* The object that names a call: of a function, or of a tool of free text. */
static uint32_t
called(const struct json *doc, uint32_t call)
{
	uint32_t fn = json_get(doc, call, "function");

	return json_type(doc, fn) == JSON_OBJECT ? fn :
	    json_get(doc, call, "custom");
}

static struct str
call_args(const struct json *doc, uint32_t fn, struct arena *a)
{
	struct str s = canon_str(doc, json_get(doc, fn, "arguments"), a);

	return s.p != NULL ? s : canon_str(doc, json_get(doc, fn, "input"), a);
}

/* One page that the provider names beside its choices. */
static void
write_page(const struct json *doc, uint32_t v, struct json_writer *w,
    struct arena *a)
{
	struct citation c = { .url = canon_str(doc, v, a) };

	if (json_type(doc, v) == JSON_OBJECT) {
		c.url = canon_str(doc, json_get(doc, v, "url"), a);
		c.title = canon_str(doc, json_get(doc, v, "title"), a);
		c.content = canon_str(doc, json_get(doc, v, "snippet"), a);
	}
	if (c.url.len > 0)
		citation_write(w, &c);
}

/*
 * Pages that stand beside the choices (Perplexity, xAI): results of a search,
 * or addresses alone. A list of annotations, or nothing.
 */
static struct str
pages(const struct json *doc, struct arena *a)
{
	uint32_t list = json_get(doc, JSON_ROOT, "search_results"), v;
	struct str none = { NULL, 0 };
	struct json_writer w;
	struct buf b;

	if (json_type(doc, list) != JSON_ARRAY || json_count(doc, list) == 0)
		list = json_get(doc, JSON_ROOT, "citations");
	if (json_type(doc, list) != JSON_ARRAY || json_count(doc, list) == 0)
		return none;
	buf_init(&b, LIMIT_BODY_TEXT);
	jw_init(&w, &b);
	jw_array(&w);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		write_page(doc, v, &w, a);
	jw_end_array(&w);
	return canon_take_list(a, &b);
}

/* ------------------------------------------------------ whole answers */

/* OpenRouter's details of reasoning: text with what proves it. */
static bool
add_details(struct parts *out, const struct json *doc, uint32_t list)
{
	struct part *p;
	uint32_t d;

	for (d = json_first(doc, list); d != JSON_NONE;
	    d = json_next(doc, list, d)) {
		p = parts_add(out);
		if (p == NULL)
			return false;
		p->kind = PART_REASONING;
		p->text = canon_str(doc, json_get(doc, d, "text"), out->arena);
		if (p->text.len == 0)
			p->text = canon_str(doc, json_get(doc, d, "summary"),
			    out->arena);
		p->signature = canon_str(doc, json_get(doc, d, "signature"),
		    out->arena);
		p->sealed = canon_str(doc, json_get(doc, d, "data"),
		    out->arena);
		p->origin = canon_origin(canon_str(doc,
		    json_get(doc, d, "format"), out->arena));
	}
	return true;
}

/* The older form of a call, which has no id. */
static bool
add_function_call(struct parts *out, const struct json *doc, uint32_t fn)
{
	struct part *p;

	/* An empty one is how some say that there is none. */
	if (!json_nonempty(doc, json_get(doc, fn, "name")))
		return true;
	p = parts_add(out);
	if (p == NULL)
		return false;
	p->kind = PART_CALL;
	p->id = canon_call_id(out->arena);
	p->name = canon_str(doc, json_get(doc, fn, "name"), out->arena);
	p->args = call_args(doc, fn, out->arena);
	return true;
}

static bool
add_calls(struct parts *out, const struct json *doc, uint32_t list)
{
	uint32_t c, fn;
	struct part *p;

	for (c = json_first(doc, list); c != JSON_NONE;
	    c = json_next(doc, list, c)) {
		fn = called(doc, c);
		p = parts_add(out);
		if (p == NULL)
			return false;
		p->kind = PART_CALL;
		p->id = canon_str(doc, json_get(doc, c, "id"), out->arena);
		p->name = canon_str(doc, json_get(doc, fn, "name"),
		    out->arena);
		p->args = call_args(doc, fn, out->arena);
		if (p->args.len == 0)
			p->args = canon_lit("{}");
	}
	return true;
}

/* A choice of a mended answer in the canonical form. */
static bool
read_choice(const struct json *doc, uint32_t v, struct arena *a,
    struct choice *out)
{
	uint32_t msg = json_get(doc, v, "message");
	uint32_t details = json_get(doc, msg, "reasoning_details");
	struct parts parts = { .arena = a };
	bool ok;

	json_int(doc, json_get(doc, v, "index"), &out->index);
	out->finish = openai_finish(doc, json_get(doc, v, "finish_reason"));
	out->logprobs = canon_raw(doc, json_get(doc, v, "logprobs"));
	if (json_type(doc, json_get(doc, v, "logprobs")) != JSON_OBJECT)
		out->logprobs = (struct str){ NULL, 0 };
	if (json_count(doc, json_get(doc, msg, "annotations")) > 0)
		out->citations = canon_raw(doc, json_get(doc, msg,
		    "annotations"));
	else
		out->citations = pages(doc, a);
	ok = json_count(doc, details) > 0 ? add_details(&parts, doc,
	    details) : parts_text(&parts, PART_REASONING,
	    reasoning_text(doc, msg, a));
	ok = ok && parts_text(&parts, PART_TEXT, canon_str(doc,
	    json_get(doc, msg, "content"), a));
	ok = ok && parts_text(&parts, PART_REFUSAL, canon_str(doc,
	    json_get(doc, msg, "refusal"), a));
	ok = ok && add_calls(&parts, doc, json_get(doc, msg, "tool_calls"));
	ok = ok && add_function_call(&parts, doc, json_get(doc, msg,
	    "function_call"));
	out->parts = parts.list;
	out->part_count = parts.count;
	return ok;
}

/* The mended answer read once more, for a surface of another dialect. */
enum err
openai_read_choices(struct arena *a, struct reply *reply, struct fault *f)
{
	uint32_t list, v;
	struct json doc;

	if (json_parse(&doc, a, reply->raw.p, reply->raw.len, f) != ERR_OK)
		return ERR_INTERNAL;
	json_int(&doc, json_get(&doc, JSON_ROOT, "created"),
	    &reply->created);
	list = json_get(&doc, JSON_ROOT, "choices");
	reply->choices = arena_zalloc(a, json_count(&doc, list) *
	    sizeof *reply->choices);
	if (reply->choices == NULL)
		return ERR_INTERNAL;
	for (v = json_first(&doc, list); v != JSON_NONE;
	    v = json_next(&doc, list, v))
		if (!read_choice(&doc, v, a,
		    &reply->choices[reply->choice_count++]))
			return ERR_INTERNAL;
	return ERR_OK;
}

/* ------------------------------------------------------------- pieces */

static void
piece_details(struct pieces *ps, const struct json *doc, uint32_t list,
    int64_t choice)
{
	const char *origin;
	size_t from;
	uint32_t d;

	for (d = json_first(doc, list); d != JSON_NONE;
	    d = json_next(doc, list, d)) {
		from = ps->count;
		origin = canon_origin(canon_str(doc, json_get(doc, d,
		    "format"), ps->arena));
		pieces_text(ps, PIECE_REASONING, choice, canon_str(doc,
		    json_get(doc, d, "text"), ps->arena));
		pieces_text(ps, PIECE_REASONING, choice, canon_str(doc,
		    json_get(doc, d, "summary"), ps->arena));
		pieces_text(ps, PIECE_SIGNATURE, choice, canon_str(doc,
		    json_get(doc, d, "signature"), ps->arena));
		pieces_text(ps, PIECE_SEALED, choice, canon_str(doc,
		    json_get(doc, d, "data"), ps->arena));
		for (; from < ps->count; from++)
			ps->list[from].origin = origin;
	}
}

static void
piece_calls(struct pieces *ps, const struct json *doc, uint32_t list,
    int64_t choice)
{
	struct str id, name, args;
	int64_t index;
	struct piece *p;
	uint32_t c, fn;

	for (c = json_first(doc, list); c != JSON_NONE;
	    c = json_next(doc, list, c)) {
		index = 0;
		json_int(doc, json_get(doc, c, "index"), &index);
		fn = called(doc, c);
		id = canon_str(doc, json_get(doc, c, "id"), ps->arena);
		name = canon_str(doc, json_get(doc, fn, "name"), ps->arena);
		args = call_args(doc, fn, ps->arena);
		if (id.len > 0 && (p = pieces_add(ps, PIECE_CALL, choice)) !=
		    NULL) {
			p->call = index;
			p->id = id;
			p->name = name;
		}
		if (args.len > 0 && (p = pieces_add(ps, PIECE_ARGS,
		    choice)) != NULL) {
			p->call = index;
			p->text = args;
		}
	}
}

/* The older form: the part with the name begins the one call. */
static void
piece_function_call(struct pieces *ps, const struct json *doc, uint32_t fn,
    int64_t choice)
{
	struct str name = canon_str(doc, json_get(doc, fn, "name"),
	    ps->arena);
	struct piece *p;

	if (name.len > 0 && (p = pieces_add(ps, PIECE_CALL, choice)) !=
	    NULL) {
		p->id = canon_call_id(ps->arena);
		p->name = name;
	}
	pieces_text(ps, PIECE_ARGS, choice, canon_str(doc, json_get(doc, fn,
	    "arguments"), ps->arena));
}

static void
piece_choice(struct pieces *ps, const struct json *doc, uint32_t v)
{
	uint32_t delta = json_get(doc, v, "delta"), list;
	int64_t choice = 0;
	enum finish finish;
	struct piece *p;

	json_int(doc, json_get(doc, v, "index"), &choice);
	list = json_get(doc, delta, "reasoning_details");
	if (json_count(doc, list) > 0)
		piece_details(ps, doc, list, choice);
	else
		pieces_text(ps, PIECE_REASONING, choice,
		    reasoning_text(doc, delta, ps->arena));
	pieces_text(ps, PIECE_TEXT, choice, canon_str(doc,
	    json_get(doc, delta, "content"), ps->arena));
	pieces_text(ps, PIECE_REFUSAL, choice, canon_str(doc,
	    json_get(doc, delta, "refusal"), ps->arena));
	piece_calls(ps, doc, json_get(doc, delta, "tool_calls"), choice);
	piece_function_call(ps, doc, json_get(doc, delta, "function_call"),
	    choice);
	pieces_list(ps, PIECE_CITATION, choice, doc,
	    json_get(doc, delta, "annotations"));
	if (json_type(doc, json_get(doc, v, "logprobs")) == JSON_OBJECT)
		pieces_text(ps, PIECE_LOGPROBS, choice, canon_raw(doc,
		    json_get(doc, v, "logprobs")));
	finish = openai_finish(doc, json_get(doc, v, "finish_reason"));
	if (finish != FINISH_NONE &&
	    (p = pieces_add(ps, PIECE_FINISH, choice)) != NULL)
		p->finish = finish;
}

/* Pages beside the choices: every event repeats them, the first counts. */
static void
piece_pages(struct pieces *ps, const struct json *doc, bool *cited)
{
	struct str all = { NULL, 0 };
	struct json found;
	size_t i;

	for (i = 0; i < ps->count; i++)
		*cited |= ps->list[i].kind == PIECE_CITATION;
	if (!*cited)
		all = pages(doc, ps->arena);
	if (all.len == 0 || json_parse(&found, ps->arena, all.p, all.len,
	    NULL) != ERR_OK)
		return;
	pieces_list(ps, PIECE_CITATION, 0, &found, JSON_ROOT);
	*cited = true;
}

/* The mended event read once more, for a surface of another dialect. */
bool
openai_add_pieces(struct stream *s, struct delta *d, bool *cited)
{
	struct pieces ps = { .arena = s->scratch };
	uint32_t list, v;
	struct json doc;

	if (json_parse(&doc, s->scratch, d->raw.p, d->raw.len, NULL) != ERR_OK)
		return false;
	list = json_get(&doc, JSON_ROOT, "choices");
	for (v = json_first(&doc, list); v != JSON_NONE;
	    v = json_next(&doc, list, v))
		piece_choice(&ps, &doc, v);
	piece_pages(&ps, &doc, cited);
	d->pieces = ps.list;
	d->piece_count = ps.count;
	return !ps.failed;
}
