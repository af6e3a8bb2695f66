/* Embeddings: what providers of all dialects write and read alike. */
#include <string.h>
#include <strings.h>

#include "adapters/canon.h"
#include "adapters/embeddings.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

#define FLOAT 4 /* bytes of a float32 */

/* ----------------------------------------------------------- requests */

#define LONGEST 4096 /* numbers of a vector; few models make more */
#define DIGITS 22    /* of a double, its sign and a comma */
#define FRAME 64     /* what stands around a vector */

size_t
embeddings_size(const struct chat *chat)
{
	size_t n = chat->task.dimensions > 0 ?
	    (size_t)chat->task.dimensions : LONGEST;

	return FRAME + (chat->task.base64 ? (n * FLOAT + 2) / 3 * 4 :
	    n * DIGITS);
}

/* So many inputs from `first` on go into one call. */
static size_t
fitting(const struct chat *chat, size_t first,
    const struct embeddings_bound *bound)
{
	size_t left = chat->task.texts - first, n;
	int64_t sum = 0;

	left = left < bound->texts ? left : bound->texts;
	if (bound->tokens == 0 || chat->task.sizes == NULL)
		return left;
	for (n = 0; n < left; n++) {
		sum += chat->task.sizes[first + n];
		if (n > 0 && sum > bound->tokens)
			break;
	}
	return n;
}

struct embeddings_slice
embeddings_slice(const struct chat *chat, size_t part,
    const struct embeddings_bound *bound, size_t *parts)
{
	struct embeddings_slice s = { 0, 0 };
	size_t texts = chat->task.texts, at = 0, n, count = 0;

	if (bound->tokens == 0) {
		at = part * bound->texts;
		if (at < texts)
			s = (struct embeddings_slice){ at,
				fitting(chat, at, bound) };
		count = (texts + bound->texts - 1) / bound->texts;
	} else {
		for (; at < texts; at += n, count++) {
			n = fitting(chat, at, bound);
			if (count == part)
				s = (struct embeddings_slice){ at, n };
		}
	}
	if (parts != NULL)
		*parts = count;
	return s;
}

enum err
embeddings_put_text(struct json_writer *w, const struct chat *chat, size_t i,
    struct fault *f)
{
	const struct part *p = chat->messages[i].parts;

	if (p->kind != PART_TEXT)
		return fault_set(f, ERR_BAD_REQUEST, "input",
		    "the provider takes texts only, no lists of tokens "
		    "and no media");
	jw_stringn(w, p->text.p, p->text.len);
	return ERR_OK;
}

enum err
embeddings_put_texts(struct json_writer *w, const char *key,
    const struct chat *chat, struct embeddings_slice s, struct fault *f)
{
	enum err e = ERR_OK;
	size_t i;

	jw_key(w, key);
	jw_array(w);
	for (i = 0; i < s.count && e == ERR_OK; i++)
		e = embeddings_put_text(w, chat, s.first + i, f);
	jw_end_array(w);
	return e;
}

void
embeddings_put_dimensions(struct json_writer *w, const char *key,
    const struct chat *chat)
{
	if (chat->task.dimensions > 0)
		canon_put_int(w, key, chat->task.dimensions);
}

/*
 * What vectors are for. Sources, read 2026-11: docs.cohere.com/reference/embed
 * (input_type), ai.google.dev/api/embeddings (TaskType),
 * docs.voyageai.com/reference/embeddings-api (input_type); "passage" is the
 * word of NVIDIA's and of the models E5.
 */
static const struct {
	const char *also; /* a further word for it, or NULL */
	const char *words[WORDS_COUNT];
} purposes[] = {
	{ NULL, { "search_query", "RETRIEVAL_QUERY", "query" } },
	{ "passage", { "search_document", "RETRIEVAL_DOCUMENT", "document" } },
	{ NULL, { "classification", "CLASSIFICATION", NULL } },
	{ NULL, { "clustering", "CLUSTERING", NULL } },
	{ NULL, { NULL, "SEMANTIC_SIMILARITY", NULL } },
	{ NULL, { NULL, "QUESTION_ANSWERING", NULL } },
	{ NULL, { NULL, "FACT_VERIFICATION", NULL } },
	{ NULL, { NULL, "CODE_RETRIEVAL_QUERY", NULL } },
};

static bool
is_word(struct str s, const char *word)
{
	return word != NULL && s.len == strlen(word) &&
	    strncasecmp(s.p, word, s.len) == 0;
}

const char *
embeddings_purpose(const struct chat *chat, enum embeddings_words words)
{
	struct str s = chat->task.purpose;
	size_t i, k;

	if (s.len == 0)
		return NULL;
	for (i = 0; i < sizeof purposes / sizeof purposes[0]; i++) {
		if (is_word(s, purposes[i].also))
			return purposes[i].words[words];
		for (k = 0; k < WORDS_COUNT; k++)
			if (is_word(s, purposes[i].words[k]))
				return purposes[i].words[words];
	}
	return NULL;
}

uint64_t
embeddings_unsaid(const struct chat *chat, enum embeddings_words words)
{
	return embeddings_purpose(chat, words) == NULL ? PARAM_BIT(PURPOSE) : 0;
}

enum err
embeddings_fixed(const struct chat *chat, int64_t has, struct fault *f)
{
	if (chat->task.dimensions == 0 || chat->task.dimensions == has)
		return ERR_OK;
	return fault_set(f, ERR_BAD_REQUEST, "dimensions",
	    "the model has vectors of %lld dimensions only", (long long)has);
}

/* ------------------------------------------------------------ answers */

enum err
embeddings_open(struct arena *a, const struct adapter *from, const char *body,
    size_t len, struct reply *reply, struct json **doc, struct fault *f)
{
	enum err e;

	*doc = arena_alloc(a, sizeof **doc);
	if (*doc == NULL)
		return ERR_INTERNAL;
	e = reply_parse(a, body, len, *doc, reply, f);
	if (e != ERR_OK)
		return e;
	reply->from = from;
	reply->doc = *doc;
	reply->finish = FINISH_STOP;
	return ERR_OK;
}

/* How many numbers a vector has; 0: it is none. */
static size_t
length_of(const struct json *doc, uint32_t v)
{
	size_t n = json_count(doc, v);
	uint32_t x;

	if (json_type(doc, v) != JSON_ARRAY)
		return 0;
	for (x = json_first(doc, v); x != JSON_NONE; x = json_next(doc, v, x))
		if (json_type(doc, x) != JSON_NUMBER)
			return 0;
	return n;
}

/* The same of one in base64. */
static size_t
length_of_base64(struct str s)
{
	size_t bytes = s.len / 4 * 3;

	if (s.len == 0 || !canon_is_base64(s))
		return 0;
	bytes -= s.p[s.len - 1] == '=';
	bytes -= s.p[s.len - 2] == '=';
	return bytes % FLOAT == 0 ? bytes / FLOAT : 0;
}

/* Room for one more, by powers of two. NULL: no memory. */
static struct vector *
add_vector(struct arena *a, struct reply *reply)
{
	size_t n = reply->vector_count;
	struct vector *list;

	if ((n & (n - 1)) == 0) {
		list = arena_resize(a, reply->vectors, n * sizeof *list,
		    (n == 0 ? 1 : 2 * n) * sizeof *list);
		if (list == NULL)
			return NULL;
		reply->vectors = list;
	}
	memset(&reply->vectors[n], 0, sizeof *reply->vectors);
	return &reply->vectors[n];
}

enum err
embeddings_vector(struct arena *a, const struct chat *chat,
    struct reply *reply, const struct json *doc, uint32_t v, struct fault *f)
{
	struct vector *to = add_vector(a, reply);
	size_t n;

	if (to == NULL)
		return ERR_INTERNAL;
	if (json_type(doc, v) == JSON_STRING) {
		to->base64 = canon_str(doc, v, a);
		n = length_of_base64(to->base64);
	} else {
		to->numbers = canon_raw(doc, v);
		n = length_of(doc, v);
	}
	if (n == 0)
		return reply_bad(f, "an embedding that is no list of numbers");
	if (chat->task.dimensions > 0 && (size_t)chat->task.dimensions != n)
		return reply_bad(f, "not the dimensions that were asked for");
	reply->vector_count++;
	return ERR_OK;
}

enum err
embeddings_vectors(struct arena *a, const struct chat *chat,
    struct reply *reply, const struct json *doc, uint32_t list,
    const char *member, struct fault *f)
{
	enum err e = ERR_OK;
	uint32_t v;

	if (json_type(doc, list) != JSON_ARRAY)
		return reply_bad(f, "no embeddings");
	for (v = json_first(doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(doc, list, v))
		e = embeddings_vector(a, chat, reply, doc, member == NULL ? v :
		    json_get(doc, v, member), f);
	return e;
}

enum err
embeddings_counted(const struct chat *chat, const struct reply *reply,
    const struct embeddings_bound *bound, struct fault *f)
{
	struct embeddings_slice s = embeddings_slice(chat, reply->part, bound,
	    NULL);

	if (reply->vector_count != s.count)
		return reply_bad(f, "not one embedding for each input");
	return ERR_OK;
}

void
embeddings_usage(const struct json *doc, uint32_t obj, const char *key,
    struct reply *reply)
{
	int64_t n;

	if (!reply_tokens(doc, obj, key, &n))
		return;
	reply->usage.n[UNIT_INPUT] = n;
	reply->usage.known = true;
}
