/* embedContent, batchEmbedContents: a client's request, and its answer. */
#include "adapters/gemini_embed.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/embeddings.h"
#include "adapters/gemini.h"
#include "app/base/arena.h"
#include "app/base/limits.h"

static const char *const known[] = { "model", "content", "requests",
	"taskType", "task_type", "title", "outputDimensionality",
	"output_dimensionality" };

static bool
is_single(const struct chat *chat)
{
	return json_get(&chat->doc, JSON_ROOT, "requests") == JSON_NONE;
}

/* ----------------------------------------------------------- request */

static enum err
bad(struct fault *f, const char *name, const char *why)
{
	return fault_set(f, ERR_BAD_REQUEST, name, "%s", why);
}

/* "models/NAME" of a request is the NAME of the path. */
static enum err
check_model(const struct chat *chat, uint32_t row, struct fault *f)
{
	static const char prefix[] = "\"models/";
	const struct json *doc = &chat->doc;
	uint32_t v = json_get(doc, row, "model");
	size_t skip = sizeof prefix - 1, n = strlen(chat->model), len = 0;
	const char *raw = json_raw(doc, v, &len);

	if (v == JSON_NONE || json_type(doc, v) == JSON_NULL ||
	    json_is(doc, v, chat->model) ||
	    (len == skip + n + 1 && memcmp(raw, prefix, skip) == 0 &&
	    memcmp(raw + skip, chat->model, n) == 0))
		return ERR_OK;
	return bad(f, "model", "a request names another model than its path");
}

/* What a part may be: a text, or data in the request itself. */
static enum err
check_part(struct chat *chat, uint32_t part, struct fault *f)
{
	const struct json *doc = &chat->doc;

	if (json_nonempty(doc, json_get(doc, part, "text")))
		return ERR_OK;
	if (json_type(doc, gemini_get(doc, part, "inlineData")) !=
	    JSON_OBJECT)
		return bad(f, "content", "a part of a content is a text that "
		    "is not empty, or inlineData");
	chat->needs |= gemini_needs(doc, part);
	chat->task.media++;
	return ERR_OK;
}

static enum err
check_content(struct chat *chat, uint32_t content, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t parts = json_get(doc, content, "parts"), p;
	enum err e = ERR_OK;

	if (json_type(doc, parts) != JSON_ARRAY || json_count(doc, parts) == 0)
		return bad(f, "content", "'content' has no parts");
	for (p = json_first(doc, parts); p != JSON_NONE && e == ERR_OK;
	    p = json_next(doc, parts, p))
		e = check_part(chat, p, f);
	return e;
}

/* Settings of a request; those of all are those of the first. */
static enum err
check_settings(struct chat *chat, struct arena *a, uint32_t row, bool first,
    struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t size = gemini_get(doc, row, "outputDimensionality");
	struct str purpose = canon_str(doc, gemini_get(doc, row, "taskType"),
	    a);
	int64_t n = 0;

	if (size != JSON_NONE && json_type(doc, size) != JSON_NULL &&
	    (!json_int(doc, size, &n) || n < 1))
		return bad(f, "outputDimensionality",
		    "'outputDimensionality' must be a positive integer");
	if (purpose.p == NULL || canon_is(purpose, "TASK_TYPE_UNSPECIFIED"))
		purpose = canon_lit("");
	if (json_nonempty(doc, json_get(doc, row, "title")))
		chat->set |= PARAM_BIT(TITLE);
	if (first) {
		chat->task.dimensions = n;
		chat->task.purpose = purpose;
		chat->set |= purpose.len > 0 ? PARAM_BIT(PURPOSE) : 0;
	}
	return n == chat->task.dimensions &&
	    canon_same(purpose, chat->task.purpose) ? ERR_OK :
	    bad(f, "requests", "all requests must have the same taskType and "
	    "outputDimensionality");
}

/* Hardly any text has more than one token in two bytes. */
static enum err
check_row(struct chat *chat, struct arena *a, uint32_t row, size_t i,
    struct fault *f)
{
	uint32_t content = json_get(&chat->doc, row, "content");
	size_t len = 0;
	enum err e;

	if (json_type(&chat->doc, content) != JSON_OBJECT)
		return bad(f, "content", "'content' must be an object");
	(void)json_raw(&chat->doc, content, &len);
	chat->task.sizes[i] = (uint32_t)(len / 2 + 1);
	e = check_model(chat, row, f);
	if (e == ERR_OK)
		e = check_content(chat, content, f);
	return e == ERR_OK ? check_settings(chat, a, row, i == 0, f) : e;
}

static enum err
check_rows(struct chat *chat, struct arena *a, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "requests"), v;
	enum err e = ERR_OK;
	size_t i = 0;

	if (list == JSON_NONE)
		return check_row(chat, a, JSON_ROOT, 0, f);
	for (v = json_first(doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(doc, list, v))
		e = check_row(chat, a, v, i++, f);
	return e;
}

/* One of the two forms, and not both. */
static enum err
check_form(const struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;

	if (json_type(doc, JSON_ROOT) != JSON_OBJECT)
		return bad(f, NULL, "the body must be a JSON object");
	if (is_single(chat))
		return ERR_OK;
	if (json_type(doc, json_get(doc, JSON_ROOT, "requests")) !=
	    JSON_ARRAY)
		return bad(f, "requests", "'requests' must be an array");
	return json_get(doc, JSON_ROOT, "content") == JSON_NONE ? ERR_OK :
	    bad(f, "requests", "'requests' and 'content' are both there");
}

enum err
gemini_embed_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	enum err e = check_form(chat, f);

	chat->user = "";
	if (e == ERR_OK)
		e = gemini_model(a, chat, strlen(chat->path), f);
	if (e == ERR_OK)
		e = embeddings_begin(a, chat, is_single(chat) ? 1 :
		    json_count(&chat->doc, json_get(&chat->doc, JSON_ROOT,
			"requests")), "requests", f);
	if (e == ERR_OK)
		e = check_rows(chat, a, f);
	if (e == ERR_OK)
		e = embeddings_room(chat, "requests", f);
	/* Vertex takes it in other words, though its dialect is the same. */
	return e == ERR_OK ? gemini_embed_read_chat(a, chat, f) : e;
}

/* ------------------------------------------------------- whole request */

uint32_t
gemini_embed_row(const struct chat *chat, size_t i)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "requests");
	uint32_t v = list == JSON_NONE ? JSON_ROOT : json_first(doc, list);

	while (i-- > 0 && v != JSON_NONE)
		v = json_next(doc, list, v);
	return v;
}

/* The texts of a content, a line each; p NULL: it has others, or no memory. */
static struct str
joined(struct arena *a, const struct json *doc, uint32_t parts)
{
	struct str text;
	struct buf b;
	uint32_t p;

	buf_init(&b, LIMIT_BODY_TEXT);
	for (p = json_first(doc, parts); p != JSON_NONE;
	    p = json_next(doc, parts, p)) {
		text = canon_str(doc, json_get(doc, p, "text"), a);
		if (text.p == NULL) {
			buf_free(&b);
			return text;
		}
		if (b.len > 0)
			buf_putc(&b, '\n');
		buf_put(&b, text.p, text.len);
	}
	return canon_take(a, &b);
}

static bool
add_row(struct chat *chat, struct arena *a, uint32_t row)
{
	const struct json *doc = &chat->doc;
	uint32_t content = json_get(doc, row, "content");
	struct message *m = &chat->messages[chat->message_count++];
	struct part *p = arena_zalloc(a, sizeof *p);

	if (p == NULL)
		return false;
	m->role = ROLE_USER;
	m->parts = p;
	m->part_count = 1;
	p->text = joined(a, doc, json_get(doc, content, "parts"));
	p->kind = p->text.p != NULL ? PART_TEXT : PART_OTHER;
	p->origin = "gemini";
	p->raw = canon_raw(doc, content);
	return true;
}

enum err
gemini_embed_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, "requests"), v;
	enum err e = ERR_OK;

	canon_defaults(chat);
	chat->messages = arena_zalloc(a, chat->task.texts *
	    sizeof *chat->messages);
	if (chat->messages == NULL)
		return fault_memory(f);
	chat->message_count = 0;
	v = is_single(chat) ? JSON_ROOT : json_first(doc, list);
	while (v != JSON_NONE && e == ERR_OK) {
		e = add_row(chat, a, v) ? canon_rest(chat, a, v, NULL, known,
		    sizeof known / sizeof known[0], f) : fault_memory(f);
		v = is_single(chat) ? JSON_NONE : json_next(doc, list, v);
	}
	canon_given(chat);
	chat->whole = e == ERR_OK;
	return e;
}

/* ------------------------------------------------------------- answer */

static enum err
put_values(struct arena *a, struct json_writer *w, const struct vector *v)
{
	enum err e;

	jw_object(w);
	e = embeddings_put_vector(a, w, "values", v, false);
	jw_end_object(w);
	return e;
}

enum err
gemini_embed_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	bool single = is_single(chat);
	struct json_writer w;
	enum err e = ERR_OK;
	size_t i;

	(void)meta;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, single ? "embedding" : "embeddings");
	if (!single)
		jw_array(&w);
	for (i = 0; i < reply->vector_count && e == ERR_OK; i++)
		e = put_values(a, &w, &reply->vectors[i]);
	if (!single)
		jw_end_array(&w);
	jw_key(&w, "usageMetadata");
	jw_object(&w);
	canon_put_int(&w, "promptTokenCount", usage_input(&reply->usage));
	jw_end_object(&w);
	jw_end_object(&w);
	return e == ERR_OK && out->failed ? ERR_INTERNAL : e;
}
