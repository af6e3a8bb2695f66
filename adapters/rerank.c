/* Rerank: a client's request, Cohere as the provider, and the answer. */
#include "adapters/rerank.h"

#include <stdlib.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/reading.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

#define DOCUMENTS 10000	   /* of one request, as at Cohere */
#define PER_SEARCH 100	   /* documents */
#define PIECE_TOKENS 500   /* of a document with its query */
#define PIECE_LEAST 250	   /* of the document alone, however long the query */
#define DOCUMENT_TOKENS 4096 /* what is behind them is not read, if not said */

static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "query", IS(STRING), "a string" },
	{ "documents", IS(ARRAY), "an array" },
	{ "top_n", IS(NUMBER), "an integer" },
	{ "max_tokens_per_doc", IS(NUMBER), "an integer" },
	{ "return_documents", IS_BOOL, "a boolean" },
	{ "rank_fields", IS(ARRAY), "an array" },
};

static const char *const known[] = { "model", "query", "documents", "top_n",
	"return_documents", "rank_fields", "models", "fallbacks" };

/* ----------------------------------------------------------- request */

size_t
rerank_documents(const struct chat *chat)
{
	return chat->task.texts - 1;
}

size_t
rerank_top(const struct chat *chat)
{
	size_t count = rerank_documents(chat);
	int64_t n;

	return json_int(&chat->doc, json_get(&chat->doc, JSON_ROOT, "top_n"),
	    &n) && n > 0 && (uint64_t)n < count ? (size_t)n : count;
}

static enum err
check_documents(const struct json *doc, uint32_t list, struct fault *f)
{
	uint32_t v;
	bool fields = json_count(doc, json_get(doc, JSON_ROOT,
	    "rank_fields")) > 0;

	if (json_type(doc, list) != JSON_ARRAY || json_count(doc, list) == 0)
		return fault_set(f, ERR_BAD_REQUEST, "documents",
		    "'documents' is missing or empty");
	if (json_count(doc, list) > DOCUMENTS)
		return fault_set(f, ERR_TOO_LARGE, "documents",
		    "more than %d documents", DOCUMENTS);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		if (json_type(doc, v) != JSON_STRING &&
		    (json_type(doc, v) != JSON_OBJECT || (!fields &&
		    json_type(doc, json_get(doc, v, "text")) != JSON_STRING)))
			return fault_set(f, ERR_BAD_REQUEST, "documents",
			    "a document is a text, or an object with 'text'");
	return ERR_OK;
}

static int64_t
pieces(size_t bytes, int64_t room, int64_t most, int64_t bytes_per_token)
{
	int64_t tokens = (int64_t)bytes / bytes_per_token + 1;

	if (tokens > most)
		tokens = most;
	return (tokens + room - 1) / room;
}

/* Searches of a request, when a token has so many bytes. */
static int64_t
searches(const struct chat *chat, int64_t bytes_per_token)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "documents"), v;
	int64_t room, sum = 0, most = DOCUMENT_TOKENS;
	size_t len = 0;

	(void)json_raw(doc, json_get(doc, JSON_ROOT, "query"), &len);
	room = PIECE_TOKENS - (int64_t)len / bytes_per_token;
	if (room < PIECE_LEAST)
		room = PIECE_LEAST;
	(void)json_int(doc, json_get(doc, JSON_ROOT, "max_tokens_per_doc"),
	    &most);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		(void)json_raw(doc, v, &len);
		sum += pieces(len, room, most, bytes_per_token);
	}
	return (sum + PER_SEARCH - 1) / PER_SEARCH;
}

static enum err
rerank_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	size_t len = 0;
	int64_t n;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0], true,
	    f);
	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK && !json_nonempty(doc, json_get(doc, JSON_ROOT,
	    "query")))
		e = fault_set(f, ERR_BAD_REQUEST, "query",
		    "'query' is missing or empty");
	if (e == ERR_OK)
		e = check_documents(doc, json_get(doc, JSON_ROOT,
		    "documents"), f);
	if (e == ERR_OK)
		e = rd_positive(doc, "top_n", 1, &n, f);
	if (e == ERR_OK)
		e = rd_positive(doc, "max_tokens_per_doc", 1, &n, f);
	if (e != ERR_OK)
		return e;
	chat->task.door = RERANK_DOOR;
	chat->task.texts = 1 + json_count(doc, json_get(doc, JSON_ROOT,
	    "documents"));
	(void)json_raw(doc, json_get(doc, JSON_ROOT, "query"), &len);
	/* Where tokens are sold, the query's count with every document. */
	chat->task.most[UNIT_INPUT] = (int64_t)(len *
	    (chat->task.texts - 2));
	chat->task.most[UNIT_SEARCH] = searches(chat, 1);
	chat->choices = 1;
	chat->user = "";
	return ERR_OK;
}

/* The fields of a document that the client ranks by, a line each. */
static struct str
some_fields(const struct json *doc, uint32_t v, uint32_t fields,
    struct arena *a)
{
	struct str name, text;
	struct buf b;
	uint32_t i;

	buf_init(&b, LIMIT_BODY_TEXT);
	for (i = json_first(doc, fields); i != JSON_NONE;
	    i = json_next(doc, fields, i)) {
		name = canon_str(doc, i, a);
		if (name.p == NULL || (name.p = arena_printf(a, "%.*s",
		    (int)name.len, name.p)) == NULL)
			continue;
		text = canon_str(doc, json_get(doc, v, name.p), a);
		if (text.p == NULL)
			continue;
		if (b.len > 0)
			buf_putc(&b, '\n');
		buf_put(&b, text.p, text.len);
	}
	return canon_take(a, &b);
}

static struct str
document_text(const struct json *doc, uint32_t v, struct arena *a)
{
	uint32_t fields = json_get(doc, JSON_ROOT, "rank_fields");

	if (json_type(doc, v) == JSON_STRING)
		return canon_str(doc, v, a);
	return json_count(doc, fields) > 0 ? some_fields(doc, v, fields, a) :
	    canon_str(doc, json_get(doc, v, "text"), a);
}

static bool
add_text(struct chat *chat, struct arena *a, struct str text)
{
	struct message *m = &chat->messages[chat->message_count++];
	struct part *p = arena_zalloc(a, sizeof *p);

	if (p == NULL || text.p == NULL)
		return false;
	p->kind = PART_TEXT;
	p->text = text;
	m->role = ROLE_USER;
	m->parts = p;
	m->part_count = 1;
	return true;
}

static enum err
rerank_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "documents"), v;
	bool good;

	canon_defaults(chat);
	chat->messages = arena_zalloc(a, chat->task.texts *
	    sizeof *chat->messages);
	if (chat->messages == NULL)
		return fault_memory(f);
	chat->message_count = 0;
	good = add_text(chat, a, canon_str(doc, json_get(doc, JSON_ROOT,
	    "query"), a));
	for (v = json_first(doc, list); v != JSON_NONE && good;
	    v = json_next(doc, list, v))
		good = add_text(chat, a, document_text(doc, v, a));
	if (!good)
		return fault_memory(f);
	canon_given(chat);
	chat->whole = true;
	return canon_extras(chat, a, known, sizeof known / sizeof known[0],
	    f);
}

void
rerank_put_documents(struct json_writer *w, const struct chat *chat)
{
	size_t i;

	jw_key(w, "documents");
	jw_array(w);
	for (i = 1; i < chat->message_count; i++)
		jw_stringn(w, chat->messages[i].parts[0].text.p,
		    chat->messages[i].parts[0].text.len);
	jw_end_array(w);
}

void
rerank_put(struct json_writer *w, const struct chat *chat, const char *top)
{
	int64_t n;

	canon_put_text(w, "query", chat->messages[0].parts[0].text);
	rerank_put_documents(w, chat);
	if (json_int(&chat->doc, json_get(&chat->doc, JSON_ROOT, "top_n"),
	    &n))
		canon_put_int(w, top, (int64_t)rerank_top(chat));
}

/* ------------------------------------------------------------ Cohere */

/* Documents of the first version as the second has them: texts. */
static bool
as_texts(struct edits *e, struct arena *a, const struct chat *chat)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "documents"), v;
	struct json_writer w;
	struct str all, text;
	struct buf b;

	buf_init(&b, LIMIT_BODY_TEXT);
	jw_init(&w, &b);
	jw_array(&w);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		text = document_text(doc, v, a);
		jw_stringn(&w, text.p == NULL ? "" : text.p, text.len);
	}
	jw_end_array(&w);
	all = canon_take(a, &b);
	if (all.p != NULL)
		edits_set(e, JSON_ROOT, "documents", all.p, all.len);
	return all.p != NULL;
}

static bool
any_object(const struct chat *chat)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "documents"), v;

	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		if (json_type(doc, v) == JSON_OBJECT)
			return true;
	return false;
}

/* More than there are documents is refused by some, and means all. */
static bool
bound_top(struct edits *e, struct arena *a, const struct chat *chat)
{
	struct str n = canon_printf(a, "%zu", rerank_top(chat));
	int64_t asked;

	if (json_int(&chat->doc, json_get(&chat->doc, JSON_ROOT, "top_n"),
	    &asked) && n.p != NULL)
		edits_set(e, JSON_ROOT, "top_n", n.p, n.len);
	return n.p != NULL;
}

static enum err
rerank_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct str model = canon_quoted(a, d->model);
	struct buf body;
	struct edits e;

	call->method = "POST";
	call->url = arena_printf(a, "%s/v2/rerank", d->provider->base_url);
	edits_init(&e, &chat->doc, a);
	if (model.p == NULL || !bound_top(&e, a, chat) ||
	    (any_object(chat) && !as_texts(&e, a, chat)))
		return fault_memory(f);
	edits_set(&e, JSON_ROOT, "model", model.p, model.len);
	edits_remove(&e, JSON_ROOT, "return_documents");
	edits_remove(&e, JSON_ROOT, "rank_fields");
	edits_remove(&e, JSON_ROOT, "max_chunks_per_doc");
	buf_init(&body, LIMIT_BODY * 2);
	return canon_body(a, call, &body, edits_apply(&e, &body) ? ERR_OK :
	    fault_memory(f), f);
}

static enum err
rerank_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	return rerank_read(a, &adapter_rerank, chat, d, body, len, reply, f);
}

/* ------------------------------------------------------------ answers */

/* Where one of them tells how much of a unit was used; the first counts. */
static const struct {
	enum unit unit;
	const char *in, *within, *name; /* NULL: the answer itself */
} told[] = {
	{ UNIT_INPUT, "usage", NULL, "total_tokens" },
	{ UNIT_INPUT, "usage", NULL, "prompt_tokens" },
	{ UNIT_INPUT, "meta", "billed_units", "input_tokens" },
	{ UNIT_INPUT, "meta", "tokens", "input_tokens" },
	{ UNIT_INPUT, NULL, NULL, "input_tokens" },
	{ UNIT_SEARCH, "meta", "billed_units", "search_units" },
	{ UNIT_SEARCH, "usage", NULL, "search_units" },
};

static bool
read_told(const struct json *doc, enum unit unit, int64_t *n)
{
	uint32_t v;
	size_t i;

	for (i = 0; i < sizeof told / sizeof told[0]; i++) {
		if (told[i].unit != unit)
			continue;
		v = told[i].in == NULL ? JSON_ROOT :
		    json_get(doc, JSON_ROOT, told[i].in);
		if (told[i].within != NULL)
			v = json_get(doc, v, told[i].within);
		if (reply_tokens(doc, v, told[i].name, n))
			return true;
	}
	return false;
}

static void
read_usage(const struct json *doc, const struct chat *chat,
    const struct deployment *d, struct usage *u)
{
	u->known = read_told(doc, UNIT_INPUT, &u->n[UNIT_INPUT]);
	if (read_told(doc, UNIT_SEARCH, &u->n[UNIT_SEARCH])) {
		u->known = true;
	} else if (price_rate(&d->price, UNIT_SEARCH, 0) > 0) {
		u->n[UNIT_SEARCH] = searches(chat, 4);
		u->known = u->estimated = true;
	}
}

static bool
before(const struct score *a, const struct score *b)
{
	return a->value > b->value ||
	    (a->value >= b->value && a->index < b->index);
}

/* The most relevant first; they come so, or nearly. */
static int
by_relevance(const void *x, const void *y)
{
	return before(x, y) ? -1 : 1;
}

/* {index, relevance_score | score}, or a score at its document's place. */
static enum err
read_score(const struct json *doc, uint32_t v, size_t place, size_t count,
    bool *seen, struct score *out, struct fault *f)
{
	bool bare = json_type(doc, v) == JSON_NUMBER;
	uint32_t score = bare ? v : json_get(doc, v, "relevance_score");
	int64_t n = (int64_t)place;

	if (score == JSON_NONE)
		score = json_get(doc, v, "score");
	if (!json_double(doc, score, &out->value) || (!bare && !json_int(doc,
	    json_get(doc, v, "index"), &n)) || n < 0 || (uint64_t)n >= count)
		return reply_bad(f, "a result without index or score");
	if (seen[n])
		return reply_bad(f, "a result that comes twice");
	seen[n] = true;
	out->index = (size_t)n;
	out->digits = canon_raw(doc, score);
	return ERR_OK;
}

static enum err
read_scores(struct arena *a, const struct chat *chat, uint32_t list,
    struct reply *reply, struct fault *f)
{
	const struct json *doc = reply->doc;
	size_t n = json_count(doc, list), count = rerank_documents(chat);
	bool bare = json_type(doc, json_first(doc, list)) == JSON_NUMBER;
	bool *seen = arena_zalloc(a, count);
	enum err e = ERR_OK;
	uint32_t v;

	reply->scores = arena_zalloc(a, n * sizeof *reply->scores + 1);
	if (seen == NULL || reply->scores == NULL)
		return ERR_INTERNAL;
	if (bare && n != count)
		return reply_bad(f, "not one score for each document");
	for (v = json_first(doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(doc, list, v), reply->score_count++)
		e = read_score(doc, v, reply->score_count, count, seen,
		    &reply->scores[reply->score_count], f);
	if (e != ERR_OK)
		return e;
	for (n = 1; n < reply->score_count; n++)
		if (before(&reply->scores[n], &reply->scores[n - 1]))
			reply->raw = (struct str){ NULL, 0 };
	qsort(reply->scores, reply->score_count, sizeof *reply->scores,
	    by_relevance);
	if (reply->score_count > rerank_top(chat)) {
		reply->score_count = rerank_top(chat);
		reply->raw = (struct str){ NULL, 0 };
	}
	return ERR_OK;
}

static uint32_t
list_of(const struct json *doc)
{
	static const char *const names[] = { "results", "data", "scores" };
	uint32_t v = JSON_NONE;
	size_t i;

	for (i = 0; i < 3 && json_type(doc, v) != JSON_ARRAY; i++)
		v = json_get(doc, JSON_ROOT, names[i]);
	return v;
}

enum err
rerank_read(struct arena *a, const struct adapter *from,
    const struct chat *chat, const struct deployment *d, const char *body,
    size_t len, struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);
	uint32_t list;
	enum err e;

	if (doc == NULL)
		return ERR_INTERNAL;
	e = reply_parse(a, body, len, doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	list = list_of(doc);
	if (json_type(doc, list) != JSON_ARRAY || json_count(doc, list) == 0)
		return reply_bad(f, "no results");
	reply->from = from;
	reply->doc = doc;
	reply->raw = canon_raw(doc, JSON_ROOT);
	reply->id = canon_str(doc, json_get(doc, JSON_ROOT, "id"), a);
	reply->model = canon_str(doc, json_get(doc, JSON_ROOT, "model"), a);
	reply->finish = FINISH_STOP;
	read_usage(doc, chat, d, &reply->usage);
	return read_scores(a, chat, list, reply, f);
}

/* A document as the client gave it, of texts as an object. */
static void
put_document(struct json_writer *w, const struct json *doc, uint32_t v)
{
	if (json_type(doc, v) == JSON_OBJECT) {
		canon_put_raw(w, "document", canon_raw(doc, v));
		return;
	}
	jw_key(w, "document");
	jw_object(w);
	canon_put_raw(w, "text", canon_raw(doc, v));
	jw_end_object(w);
}

static enum err
put_results(struct arena *a, struct json_writer *w, const struct chat *chat,
    const struct reply *reply, bool documents)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "documents"), v;
	uint32_t *at = arena_alloc(a, chat->task.texts * sizeof *at);
	size_t i = 0;

	if (at == NULL)
		return ERR_INTERNAL;
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		at[i++] = v;
	jw_key(w, "results");
	jw_array(w);
	for (i = 0; i < reply->score_count; i++) {
		jw_object(w);
		canon_put_int(w, "index", (int64_t)reply->scores[i].index);
		canon_put_raw(w, "relevance_score", reply->scores[i].digits);
		if (documents)
			put_document(w, doc, at[reply->scores[i].index]);
		jw_end_object(w);
	}
	jw_end_array(w);
	return ERR_OK;
}

static void
put_meta(struct json_writer *w, const struct usage *u)
{
	jw_key(w, "meta");
	jw_object(w);
	jw_key(w, "api_version");
	jw_object(w);
	canon_put_str(w, "version", canon_lit("2"));
	jw_end_object(w);
	jw_key(w, "billed_units");
	jw_object(w);
	if (u->n[UNIT_SEARCH] > 0)
		canon_put_int(w, "search_units", u->n[UNIT_SEARCH]);
	if (usage_input(u) > 0)
		canon_put_int(w, "input_tokens", usage_input(u));
	jw_end_object(w);
	jw_end_object(w);
}

static enum err
rerank_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	bool documents = json_type(&chat->doc, json_get(&chat->doc, JSON_ROOT,
	    "return_documents")) == JSON_TRUE;
	struct json_writer w;
	enum err e;

	if (reply->from == &adapter_rerank && reply->raw.len > 0 &&
	    !documents) {
		buf_put(out, reply->raw.p, reply->raw.len);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	jw_init(&w, out);
	jw_object(&w);
	canon_put_str(&w, "id", reply->id.len > 0 ? reply->id :
	    canon_lit(meta->request_id));
	e = put_results(a, &w, chat, reply, documents);
	put_meta(&w, &reply->usage);
	jw_end_object(&w);
	return e == ERR_OK && out->failed ? ERR_INTERNAL : e;
}

/* Cohere's errors are a message, and an id since its second version. */
static void
rerank_write_error(enum err e, const struct fault *f,
    const struct answer_meta *meta, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w);
	canon_put_str(&w, "id", canon_lit(meta->request_id));
	canon_put_str(&w, "message", canon_lit(fault_text(e, f)));
	jw_end_object(&w);
}

const struct adapter adapter_rerank = {
	.name = RERANK_DOOR,
	.read_request = rerank_read_request,
	.read_chat = rerank_read_chat,
	.write_reply = rerank_write_reply,
	.write_error = rerank_write_error,
	.write_request = rerank_write_request,
	.read_reply = rerank_read_reply,
	.classify = errors_classify,
};
