/* Embeddings: a client's request, and the answer to it. */
#include "adapters/embeddings.h"

#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reading.h"
#include "app/base/arena.h"

#define INPUTS 100000	/* of one request */
#define ALWAYS 2048	/* so many are taken: OpenAI's own bound */
#define DIMENSIONS 65536

static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "input", IS(STRING) | IS(ARRAY), "a string or an array" },
	{ "encoding_format", IS(STRING), "a string" },
	{ "dimensions", IS(NUMBER), "an integer" },
	{ "input_type", IS(STRING), "a string" },
	{ "user", IS(STRING), "a string" },
};

static const char *const known[] = { "model", "input", "encoding_format",
	"dimensions", "input_type", "user", "models", "fallbacks" };

/* ----------------------------------------------------------- request */

/* Is the value a list of numbers, by its first element? */
static bool
is_tokens(const struct json *doc, uint32_t v)
{
	return json_type(doc, v) == JSON_ARRAY &&
	    json_type(doc, json_first(doc, v)) == JSON_NUMBER;
}

/* Is the value one input by itself: a text or a list of numbers? */
static bool
is_single(const struct json *doc, uint32_t input)
{
	return json_type(doc, input) == JSON_STRING || is_tokens(doc, input);
}

static enum err
check_tokens(const struct json *doc, uint32_t list, struct fault *f)
{
	int64_t n;
	uint32_t v;

	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		if (!json_int(doc, v, &n) || n < 0 || n > UINT32_MAX)
			return fault_set(f, ERR_BAD_REQUEST, "input",
			    "a list of tokens holds whole numbers only");
	return ERR_OK;
}

static enum err
check_input(const struct json *doc, uint32_t v, struct fault *f)
{
	if (json_nonempty(doc, v))
		return ERR_OK;
	if (is_tokens(doc, v))
		return check_tokens(doc, v, f);
	return fault_set(f, ERR_BAD_REQUEST, "input",
	    "every input must be a text or a list of tokens, and not empty");
}

/*
 * How many tokens an input has at most, roughly: hardly any text has more than
 * one in two bytes.
 */
static uint32_t
size_of(const struct json *doc, uint32_t v)
{
	size_t len = 0;

	if (json_type(doc, v) == JSON_ARRAY)
		return (uint32_t)json_count(doc, v);
	(void)json_raw(doc, v, &len);
	return (uint32_t)(len / 2 + 1);
}

enum err
embeddings_begin(struct arena *a, struct chat *chat, size_t texts,
    const char *name, struct fault *f)
{
	if (texts == 0)
		return fault_set(f, ERR_BAD_REQUEST, name,
		    "'%s' is missing or empty", name);
	if (texts > INPUTS)
		return fault_set(f, ERR_TOO_LARGE, name,
		    "more than %d inputs", INPUTS);
	chat->task.door = EMBEDDINGS_DOOR;
	chat->task.texts = texts;
	chat->task.sizes = arena_alloc(a, texts * sizeof *chat->task.sizes);
	chat->choices = 1;
	return chat->task.sizes == NULL ? fault_memory(f) : ERR_OK;
}

static enum err
check_inputs(struct chat *chat, struct arena *a, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "input"), v;
	bool single = is_single(doc, list);
	size_t n = 0;
	enum err e;

	e = embeddings_begin(a, chat, single ? 1 : json_count(doc, list),
	    "input", f);
	v = single ? list : json_first(doc, list);
	for (; n < chat->task.texts && e == ERR_OK; n++) {
		e = check_input(doc, v, f);
		chat->task.sizes[n] = size_of(doc, v);
		v = v == list ? v : json_next(doc, list, v);
	}
	return e;
}

/* Providers' own digits are fewer than the most by a half. */
enum err
embeddings_room(const struct chat *chat, const char *name, struct fault *f)
{
	size_t most;

	if (chat->task.dimensions > DIMENSIONS)
		return fault_set(f, ERR_BAD_REQUEST, "dimensions",
		    "a vector of more than %d dimensions", DIMENSIONS);
	most = LIMIT_REPLY * 2 / embeddings_size(chat);
	if (!chat->task.base64)
		most = most * 3 / 2;
	if (most < ALWAYS)
		most = ALWAYS;
	if (chat->task.texts <= most)
		return ERR_OK;
	return fault_set(f, ERR_TOO_LARGE, name, "more than %zu inputs, "
	    "whose vectors would not fit in one answer", most);
}

/* Other forms of vectors than OpenAI's would be read as if they were these. */
static enum err
check_format(struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t v = json_get(doc, JSON_ROOT, "encoding_format");

	chat->task.base64 = json_is(doc, v, "base64");
	if (chat->task.base64 || json_type(doc, v) != JSON_STRING ||
	    json_is(doc, v, "float"))
		return ERR_OK;
	return fault_set(f, ERR_BAD_REQUEST, "encoding_format",
	    "'encoding_format' is 'float' or 'base64'");
}

static enum err
embeddings_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	const char *purpose;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0], true,
	    f);
	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK)
		e = check_inputs(chat, a, f);
	if (e == ERR_OK)
		e = check_format(chat, f);
	if (e == ERR_OK)
		e = rd_positive(doc, "dimensions", 0, &chat->task.dimensions,
		    f);
	if (e == ERR_OK)
		e = embeddings_room(chat, "input", f);
	if (e != ERR_OK)
		return e;
	chat->user = rd_word(doc, "user", a);
	purpose = rd_word(doc, "input_type", a);
	chat->task.purpose = canon_lit(purpose);
	if (*purpose != '\0')
		chat->set |= PARAM_BIT(PURPOSE);
	if (*chat->user != '\0')
		chat->set |= PARAM_BIT(USER);
	return ERR_OK;
}

/* One input as a message. */
static bool
add_input(struct chat *chat, struct arena *a, uint32_t v)
{
	struct message *m = &chat->messages[chat->message_count++];
	struct part *p = arena_zalloc(a, sizeof *p);

	if (p == NULL)
		return false;
	m->role = ROLE_USER;
	m->parts = p;
	m->part_count = 1;
	if (json_type(&chat->doc, v) == JSON_STRING) {
		p->kind = PART_TEXT;
		p->text = canon_str(&chat->doc, v, a);
		return p->text.p != NULL;
	}
	p->kind = PART_OTHER;
	p->origin = "openai";
	p->raw = canon_raw(&chat->doc, v);
	return true;
}

static enum err
embeddings_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "input"), v;
	bool good;

	canon_defaults(chat);
	chat->messages = arena_zalloc(a, chat->task.texts *
	    sizeof *chat->messages);
	if (chat->messages == NULL)
		return fault_memory(f);
	chat->message_count = 0;
	good = !is_single(doc, list) || add_input(chat, a, list);
	if (!is_single(doc, list))
		for (v = json_first(doc, list); v != JSON_NONE && good;
		    v = json_next(doc, list, v))
			good = add_input(chat, a, v);
	if (!good)
		return fault_memory(f);
	canon_given(chat);
	chat->whole = true;
	return canon_extras(chat, a, known, sizeof known / sizeof known[0],
	    f);
}

/* ------------------------------------------------------------ answers */

#define FLOAT 4 /* bytes of a float32 */

static void
put_float(unsigned char *to, double x)
{
	union {
		float f;
		uint32_t bits;
	} u = { .f = (float)x };
	unsigned i;

	for (i = 0; i < FLOAT; i++)
		to[i] = (unsigned char)(u.bits >> 8 * i);
}

static double
get_float(const unsigned char *from)
{
	union {
		float f;
		uint32_t bits;
	} u = { .bits = 0 };
	unsigned i;

	for (i = 0; i < FLOAT; i++)
		u.bits |= (uint32_t)from[i] << 8 * i;
	return (double)u.f;
}

/* Numbers as base64. p NULL: no memory. */
static struct str
packed(struct arena *a, struct str numbers)
{
	struct str out = { NULL, 0 };
	struct json doc;
	struct fault f;
	unsigned char *to;
	size_t n = 0;
	double x;
	uint32_t v;

	if (json_parse(&doc, a, numbers.p, numbers.len, &f) != ERR_OK)
		return out;
	n = json_count(&doc, JSON_ROOT) * FLOAT;
	to = arena_alloc(a, n);
	if (to == NULL)
		return out;
	n = 0;
	for (v = json_first(&doc, JSON_ROOT); v != JSON_NONE;
	    v = json_next(&doc, JSON_ROOT, v), n += FLOAT)
		put_float(to + n, json_double(&doc, v, &x) ? x : 0);
	return canon_encode(a, (struct str){ (const char *)to, n });
}

/* The other way. False: it is no base64 of whole floats, or no memory. */
static bool
put_unpacked(struct arena *a, struct json_writer *w, struct str base64)
{
	struct str bytes = canon_decode(a, base64);
	char text[32];
	size_t i;
	int n;

	if (bytes.p == NULL || bytes.len % FLOAT != 0)
		return false;
	jw_array(w);
	for (i = 0; i < bytes.len; i += FLOAT) {
		n = snprintf(text, sizeof text, "%.9g", get_float(
		    (const unsigned char *)bytes.p + i));
		/* "inf" and "nan" are no JSON. */
		if (text[n - 1] > '9')
			n = snprintf(text, sizeof text, "0");
		jw_raw(w, text, (size_t)n);
	}
	jw_end_array(w);
	return true;
}

enum err
embeddings_put_vector(struct arena *a, struct json_writer *w, const char *key,
    const struct vector *v, bool base64)
{
	struct str s = v->base64;

	jw_key(w, key);
	if (base64) {
		if (s.p == NULL)
			s = packed(a, v->numbers);
		if (s.p == NULL)
			return ERR_INTERNAL;
		jw_stringn(w, s.p, s.len);
		return ERR_OK;
	}
	if (s.p != NULL)
		return put_unpacked(a, w, s) ? ERR_OK : ERR_INTERNAL;
	jw_raw(w, v->numbers.p, v->numbers.len);
	return ERR_OK;
}

/* May the provider's own body go on as it is? Some tell of usage otherwise. */
static bool
as_asked(const struct chat *chat, const struct reply *reply)
{
	const struct json *doc = reply->doc;
	size_t i;

	if (reply->from != &adapter_embeddings || reply->raw.len == 0 ||
	    !json_is(doc, json_get(doc, JSON_ROOT, "object"), "list") ||
	    json_type(doc, json_get(doc, json_get(doc, JSON_ROOT, "usage"),
		"prompt_tokens")) != JSON_NUMBER)
		return false;
	for (i = 0; i < reply->vector_count; i++)
		if (chat->task.base64 != (reply->vectors[i].base64.p != NULL))
			return false;
	return true;
}

static enum err
embeddings_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	int64_t in = usage_input(&reply->usage);
	enum err e = ERR_OK;
	struct json_writer w;
	size_t i;

	if (as_asked(chat, reply)) {
		buf_put(out, reply->raw.p, reply->raw.len);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	jw_init(&w, out);
	jw_object(&w);
	canon_put_str(&w, "object", canon_lit("list"));
	jw_key(&w, "data");
	jw_array(&w);
	for (i = 0; i < reply->vector_count && e == ERR_OK; i++) {
		jw_object(&w);
		canon_put_str(&w, "object", canon_lit("embedding"));
		canon_put_int(&w, "index", (int64_t)i);
		e = embeddings_put_vector(a, &w, "embedding",
		    &reply->vectors[i], chat->task.base64);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	canon_put_str(&w, "model", reply->model.len > 0 ? reply->model :
	    canon_lit(meta->model));
	jw_key(&w, "usage");
	jw_object(&w);
	canon_put_int(&w, "prompt_tokens", in);
	canon_put_int(&w, "total_tokens", in);
	jw_end_object(&w);
	jw_end_object(&w);
	return e == ERR_OK && out->failed ? ERR_INTERNAL : e;
}

const struct adapter adapter_embeddings = {
	.name = EMBEDDINGS_DOOR,
	.takes = PARAM_BIT(PURPOSE),
	.read_request = embeddings_read_request,
	.read_chat = embeddings_read_chat,
	.write_reply = embeddings_write_reply,
	.write_error = openai_write_error,
	.lacks = embeddings_lacks,
	.write_request = embeddings_write_request,
	.read_reply = embeddings_read_reply,
	.classify = errors_classify,
};
