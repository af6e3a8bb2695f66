/* Moderations: the client's own document, and the provider's own answer. */
#include "adapters/moderations.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reading.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

#define INPUTS 10000 /* of one request */

static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "input", IS(STRING) | IS(ARRAY), "a string or an array" },
};

static const char *const known[] = { "model", "input", "models",
	"fallbacks" };

static const struct rd_need needs[] = {
	{ "image_url", CAP_IMAGE_IN },
};

/* ----------------------------------------------------------- request */

static enum err
bad_input(struct fault *f, const char *why)
{
	return fault_set(f, ERR_BAD_REQUEST, "input", "%s", why);
}

/* {type: text, text} or {type: image_url, image_url: {url}}. */
static bool
is_part(const struct json *doc, uint32_t v)
{
	uint32_t type = json_get(doc, v, "type");

	if (json_is(doc, type, "text"))
		return json_type(doc, json_get(doc, v, "text")) ==
		    JSON_STRING;
	return json_is(doc, type, "image_url") &&
	    json_nonempty(doc, json_get(doc, json_get(doc, v, "image_url"),
		"url"));
}

static enum err
check_input(const struct json *doc, uint32_t input, struct fault *f)
{
	bool parts;
	uint32_t v;

	if (json_type(doc, input) == JSON_STRING &&
	    json_nonempty(doc, input))
		return ERR_OK;
	if (json_count(doc, input) == 0)
		return bad_input(f, "'input' is missing or empty");
	if (json_count(doc, input) > INPUTS)
		return fault_set(f, ERR_TOO_LARGE, "input",
		    "more than %d inputs", INPUTS);
	v = json_first(doc, input);
	parts = json_type(doc, v) == JSON_OBJECT;
	for (; v != JSON_NONE; v = json_next(doc, input, v))
		if (parts ? !is_part(doc, v) :
		    json_type(doc, v) != JSON_STRING)
			return bad_input(f, "'input' is a text, a list of "
			    "texts, or a list of {type: text} and "
			    "{type: image_url}");
	return ERR_OK;
}

/* One that is not named is OpenAI's newest, which costs nothing there. */
static enum err
read_model(struct chat *chat, struct arena *a, struct fault *f)
{
	uint32_t v = json_get(&chat->doc, JSON_ROOT, "model");

	if (v != JSON_NONE && json_type(&chat->doc, v) != JSON_NULL)
		return canon_model(chat, a, f);
	chat->model = MODERATIONS_MODEL;
	return ERR_OK;
}

static enum err
moderations_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t input;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0], true,
	    f);
	if (e == ERR_OK)
		e = read_model(chat, a, f);
	input = json_get(doc, JSON_ROOT, "input");
	if (e == ERR_OK)
		e = check_input(doc, input, f);
	if (e != ERR_OK)
		return e;
	chat->task.door = MODERATIONS_DOOR;
	chat->task.texts = json_type(doc, input) == JSON_ARRAY ?
	    json_count(doc, input) : 1;
	chat->needs |= rd_needs(doc, input, needs,
	    sizeof needs / sizeof needs[0]);
	chat->choices = 1;
	chat->user = "";
	return ERR_OK;
}

static bool
add_part(struct parts *to, const struct json *doc, uint32_t v)
{
	struct part *p = parts_add(to);

	if (p == NULL)
		return false;
	if (json_type(doc, v) == JSON_STRING ||
	    json_is(doc, json_get(doc, v, "type"), "text")) {
		p->kind = PART_TEXT;
		p->text = canon_str(doc, json_type(doc, v) == JSON_STRING ?
		    v : json_get(doc, v, "text"), to->arena);
		return p->text.p != NULL;
	}
	p->kind = PART_IMAGE;
	p->url = canon_str(doc, json_get(doc, json_get(doc, v, "image_url"),
	    "url"), to->arena);
	canon_data_url(p);
	return p->url.p != NULL || p->data.p != NULL;
}

/* A list of parts is one message, of texts a message each. */
static bool
add_message(struct chat *chat, struct arena *a, uint32_t v)
{
	const struct json *doc = &chat->doc;
	bool list = json_type(doc, v) == JSON_ARRAY, good = true;
	struct message *m = &chat->messages[chat->message_count++];
	struct parts parts = { .arena = a };
	uint32_t p = list ? json_first(doc, v) : v;

	while (p != JSON_NONE && good) {
		good = add_part(&parts, doc, p);
		p = list ? json_next(doc, v, p) : JSON_NONE;
	}
	m->role = ROLE_USER;
	m->parts = parts.list;
	m->part_count = parts.count;
	return good;
}

static enum err
moderations_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t input = json_get(doc, JSON_ROOT, "input"), v;
	bool texts = json_type(doc, input) == JSON_ARRAY &&
	    json_type(doc, json_first(doc, input)) == JSON_STRING, good;

	canon_defaults(chat);
	chat->messages = arena_zalloc(a, chat->task.texts *
	    sizeof *chat->messages);
	if (chat->messages == NULL)
		return fault_memory(f);
	chat->message_count = 0;
	good = texts || add_message(chat, a, input);
	if (texts)
		for (v = json_first(doc, input); v != JSON_NONE && good;
		    v = json_next(doc, input, v))
			good = add_message(chat, a, v);
	if (!good)
		return fault_memory(f);
	canon_given(chat);
	chat->whole = true;
	return canon_extras(chat, a, known, sizeof known / sizeof known[0],
	    f);
}

/* ---------------------------------------------------------- provider */

static enum err
moderations_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	return openai_pass_on(a, chat, d, "moderations", call, f);
}

/* OpenAI tells no usage; a verdict has no tokens of its own. */
static enum err
moderations_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);
	uint32_t list;
	enum err e;

	(void)chat;
	(void)d;
	if (doc == NULL)
		return ERR_INTERNAL;
	e = reply_parse(a, body, len, doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	list = json_get(doc, JSON_ROOT, "results");
	if (json_type(doc, list) != JSON_ARRAY || json_count(doc, list) == 0)
		return reply_bad(f, "no results");
	if (openai_usage(doc, &reply->usage))
		usage_set_output(&reply->usage, 0);
	reply->from = &adapter_moderations;
	reply->doc = doc;
	reply->raw = canon_raw(doc, JSON_ROOT);
	reply->id = canon_str(doc, json_get(doc, JSON_ROOT, "id"), a);
	reply->model = canon_str(doc, json_get(doc, JSON_ROOT, "model"), a);
	reply->finish = FINISH_STOP;
	return ERR_OK;
}

static enum err
moderations_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	(void)a;
	(void)chat;
	(void)meta;
	buf_put(out, reply->raw.p, reply->raw.len);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

const struct adapter adapter_moderations = {
	.name = MODERATIONS_DOOR,
	.read_request = moderations_read_request,
	.read_chat = moderations_read_chat,
	.write_reply = moderations_write_reply,
	.write_error = openai_write_error,
	.write_request = moderations_write_request,
	.read_reply = moderations_read_reply,
	.classify = errors_classify,
};
