/* Embeddings: a client's request, and OpenAI's dialect as a provider. */
#include "adapters/embeddings.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reading.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

#define INPUTS 100000	/* of one request */
#define ONE_CALL 2048	/* of one call: OpenAI's bound */
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

/* Is the value one input by itself: a text or a list of numbers? */
static bool
is_tokens(const struct json *doc, uint32_t v)
{
	return json_type(doc, v) == JSON_ARRAY &&
	    json_type(doc, json_first(doc, v)) == JSON_NUMBER;
}

/* The first of the inputs; json_next goes on from there only in a list. */
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

static enum err
check_inputs(struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "input"), v;
	enum err e = ERR_OK;

	chat->task.texts = is_single(doc, list) ? 1 : json_count(doc, list);
	if (chat->task.texts == 0)
		return fault_set(f, ERR_BAD_REQUEST, "input",
		    "'input' is missing or empty");
	if (chat->task.texts > INPUTS)
		return fault_set(f, ERR_TOO_LARGE, "input",
		    "more than %d inputs", INPUTS);
	if (is_single(doc, list))
		return check_input(doc, list, f);
	for (v = json_first(doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(doc, list, v))
		e = check_input(doc, v, f);
	return e;
}

static enum err
embeddings_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0], true,
	    f);
	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK)
		e = check_inputs(chat, f);
	if (e == ERR_OK)
		e = rd_positive(doc, "dimensions", 0, &chat->task.dimensions,
		    f);
	if (e == ERR_OK && chat->task.dimensions > DIMENSIONS)
		e = fault_set(f, ERR_BAD_REQUEST, "dimensions",
		    "'dimensions' is more than %d", DIMENSIONS);
	if (e != ERR_OK)
		return e;
	chat->task.door = EMBEDDINGS_DOOR;
	chat->task.base64 = json_is(doc, json_get(doc, JSON_ROOT,
	    "encoding_format"), "base64");
	chat->choices = 1;
	chat->user = rd_word(doc, "user", a);
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
	struct reading r = { doc, a, chat, f };
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
	chat->task.purpose = rd_str(&r, JSON_ROOT, "input_type");
	canon_given(chat);
	chat->whole = true;
	return canon_extras(chat, a, known, sizeof known / sizeof known[0],
	    f);
}

/* ----------------------------------------------------------- provider */

void
embeddings_part(const struct chat *chat, struct http_call *call, size_t most,
    size_t *first, size_t *count)
{
	size_t texts = chat->task.texts;

	call->parts = (texts + most - 1) / most;
	*first = call->part * most;
	*count = texts - *first < most ? texts - *first : most;
}

enum err
embeddings_put_text(struct json_writer *w, const struct chat *chat, size_t i,
    struct fault *f)
{
	const struct part *p = chat->messages[i].parts;

	if (p->kind != PART_TEXT)
		return fault_set(f, ERR_BAD_REQUEST, "input",
		    "the provider takes texts only, no lists of tokens");
	jw_stringn(w, p->text.p, p->text.len);
	return ERR_OK;
}

/* The inputs of a part as they came, as a list. */
static struct str
some_inputs(struct arena *a, const struct chat *chat, size_t first,
    size_t count)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "input"), v;
	const char *raw;
	struct buf b;
	size_t i, len;

	buf_init(&b, LIMIT_BODY);
	v = json_first(doc, list);
	for (i = 0; i < first + count && v != JSON_NONE; i++) {
		raw = json_raw(doc, v, &len);
		if (i >= first) {
			buf_putc(&b, i == first ? '[' : ',');
			buf_put(&b, raw, len);
		}
		v = json_next(doc, list, v);
	}
	buf_putc(&b, ']');
	return canon_take(a, &b);
}

static enum err
edit_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct buf *body,
    struct fault *f)
{
	struct str model = canon_quoted(a, d->model), some;
	size_t first, count;
	struct edits e;

	if (model.p == NULL)
		return fault_memory(f);
	embeddings_part(chat, call, ONE_CALL, &first, &count);
	edits_init(&e, &chat->doc, a);
	edits_set(&e, JSON_ROOT, "model", model.p, model.len);
	if (call->parts > 1) {
		some = some_inputs(a, chat, first, count);
		if (some.p == NULL)
			return fault_memory(f);
		edits_set(&e, JSON_ROOT, "input", some.p, some.len);
	}
	return edits_apply(&e, body) ? ERR_OK : fault_memory(f);
}

static enum err
embeddings_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct buf body;
	enum err e;

	call->method = "POST";
	call->url = openai_url(a, d, "embeddings");
	buf_init(&body, LIMIT_BODY * 2);
	e = edit_request(a, chat, d, call, &body, f);
	return canon_body(a, call, &body, e, f);
}

enum err
embeddings_vector(struct arena *a, struct reply *reply,
    const struct json *doc, uint32_t v, struct fault *f)
{
	struct vector *list, *to;
	size_t n = reply->vector_count;

	/* Room by powers of two. */
	if ((n & (n - 1)) == 0) {
		list = arena_resize(a, reply->vectors, n * sizeof *list,
		    (n == 0 ? 1 : 2 * n) * sizeof *list);
		if (list == NULL)
			return ERR_INTERNAL;
		reply->vectors = list;
	}
	to = &reply->vectors[n];
	memset(to, 0, sizeof *to);
	if (json_nonempty(doc, v))
		to->base64 = canon_str(doc, v, a);
	else if (json_count(doc, v) > 0 && is_tokens(doc, v))
		to->numbers = canon_raw(doc, v);
	else
		return reply_bad(f, "an embedding that is no list of numbers");
	reply->vector_count++;
	return ERR_OK;
}

enum err
embeddings_counted(const struct chat *chat, const struct reply *reply,
    size_t most, struct fault *f)
{
	size_t texts = chat->task.texts;

	if (texts > most ? reply->vector_count > most :
	    reply->vector_count != texts)
		return reply_bad(f, "not one embedding for each input");
	return ERR_OK;
}

/*
 * The vectors in the order of the inputs, whatever order they come in. Where
 * an index is missing or wrong, they are taken as they stand.
 */
static enum err
read_vectors(struct arena *a, const struct json *doc, uint32_t data,
    struct reply *reply, struct fault *f)
{
	size_t count = json_count(doc, data), i;
	uint32_t *at = arena_alloc(a, count * sizeof *at + 1), v;
	bool ordered = true;
	enum err e = ERR_OK;
	int64_t n;

	if (at == NULL)
		return ERR_INTERNAL;
	for (i = 0; i < count; i++)
		at[i] = JSON_NONE;
	for (v = json_first(doc, data); v != JSON_NONE;
	    v = json_next(doc, data, v)) {
		if (json_int(doc, json_get(doc, v, "index"), &n) && n >= 0 &&
		    (size_t)n < count && at[n] == JSON_NONE)
			at[n] = v;
		else
			ordered = false;
	}
	v = json_first(doc, data);
	for (i = 0; i < count && e == ERR_OK; i++) {
		e = embeddings_vector(a, reply, doc, json_get(doc,
		    ordered ? at[i] : v, "embedding"), f);
		v = json_next(doc, data, v);
	}
	return e;
}

/* "usage" as OpenAI has it, or total_tokens alone (Voyage). */
static void
read_usage(const struct json *doc, struct usage *out)
{
	uint32_t u = json_get(doc, JSON_ROOT, "usage");
	int64_t n;

	if (openai_usage(doc, out)) {
		usage_set_output(out, 0);
	} else if (reply_tokens(doc, u, "total_tokens", &n)) {
		out->n[UNIT_INPUT] = n;
		out->known = true;
	}
}

static enum err
embeddings_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);
	uint32_t data;
	enum err e;

	(void)d;
	if (doc == NULL)
		return ERR_INTERNAL;
	e = reply_parse(a, body, len, doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	data = json_get(doc, JSON_ROOT, "data");
	if (json_type(doc, data) != JSON_ARRAY || json_count(doc, data) == 0)
		return reply_bad(f, "no embeddings");
	read_usage(doc, &reply->usage);
	reply->from = &adapter_embeddings;
	reply->doc = doc;
	reply->raw = canon_raw(doc, JSON_ROOT);
	reply->model = canon_str(doc, json_get(doc, JSON_ROOT, "model"), a);
	reply->finish = FINISH_STOP;
	e = read_vectors(a, doc, data, reply, f);
	return e == ERR_OK ? embeddings_counted(chat, reply, ONE_CALL, f) : e;
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
	char *text;

	if (json_parse(&doc, a, numbers.p, numbers.len, &f) != ERR_OK)
		return out;
	n = json_count(&doc, JSON_ROOT) * FLOAT;
	to = arena_alloc(a, n);
	text = arena_alloc(a, n / 3 * 4 + 8);
	if (to == NULL || text == NULL)
		return out;
	n = 0;
	for (v = json_first(&doc, JSON_ROOT); v != JSON_NONE;
	    v = json_next(&doc, JSON_ROOT, v), n += FLOAT)
		put_float(to + n, json_double(&doc, v, &x) ? x : 0);
	out.len = (size_t)EVP_EncodeBlock((unsigned char *)text, to, (int)n);
	out.p = text;
	return out;
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

static enum err
put_vector(struct arena *a, struct json_writer *w, const struct vector *v,
    bool base64)
{
	struct str s = v->base64;

	jw_key(w, "embedding");
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

/* May the provider's own body go on as it is? */
static bool
as_asked(const struct chat *chat, const struct reply *reply)
{
	size_t i;

	if (reply->from != &adapter_embeddings || reply->raw.len == 0)
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
		e = put_vector(a, &w, &reply->vectors[i], chat->task.base64);
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
	.read_request = embeddings_read_request,
	.read_chat = embeddings_read_chat,
	.write_reply = embeddings_write_reply,
	.write_error = openai_write_error,
	.write_request = embeddings_write_request,
	.read_reply = embeddings_read_reply,
	.classify = errors_classify,
};
