/* Facts of a request for its plan. */
#include "app/facts.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"
#include "app/health.h"

#define SECOND 1e6 /* µs */
#define TIMEOUT_MAX 86400 /* s */

static const char *
header(const struct facts *f, const char *name)
{
	const char *value = f->from.header(f->from.arg, name);

	return value == NULL ? "" : value;
}

/* ------------------------------------------------ looked up when asked */

static int64_t
input_tokens(void *arg)
{
	struct facts *f = arg;

	canon_whole(f->from.arena, f->from.chat);
	return canon_tokens(f->from.chat);
}

static int64_t
input_tokens_at(void *arg, const struct deployment *d)
{
	struct facts *f = arg;

	canon_whole(f->from.arena, f->from.chat);
	return canon_tokens_at(f->from.chat, d->id, d->provider->adapter);
}

static bool
belongs(const struct chat *chat, size_t i, enum prompt_part part, size_t last)
{
	enum role role = chat->messages[i].role;

	switch (part) {
	case PROMPT_LAST:
		return i == last;
	case PROMPT_SYSTEM:
		return role == ROLE_SYSTEM || role == ROLE_DEVELOPER;
	default:
		return true;
	}
}

static void
add_texts(struct buf *b, const struct part *parts, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (parts[i].kind == PART_TEXT) {
			if (b->len > 0)
				buf_putc(b, '\n');
			buf_put(b, parts[i].text.p, parts[i].text.len);
		} else if (parts[i].kind == PART_RESULT) {
			add_texts(b, parts[i].parts, parts[i].part_count);
		}
	}
}

/* Of a result's turn the client did not write anything itself. */
static bool
says_something(const struct message *m)
{
	size_t i;

	for (i = 0; i < m->part_count; i++)
		if (m->parts[i].kind == PART_TEXT)
			return m->role == ROLE_USER;
	return false;
}

static const char *
prompt(void *arg, enum prompt_part part, size_t *len)
{
	struct facts *f = arg;
	struct chat *chat = f->from.chat;
	size_t i, last = SIZE_MAX;
	struct buf b;

	if (f->prompts[part].p == NULL) {
		canon_whole(f->from.arena, chat);
		buf_init(&b, LIMIT_BODY);
		for (i = 0; i < chat->message_count; i++)
			if (says_something(&chat->messages[i]))
				last = i;
		for (i = 0; i < chat->message_count; i++)
			if (belongs(chat, i, part, last))
				add_texts(&b, chat->messages[i].parts,
				    chat->messages[i].part_count);
		f->prompts[part].p = b.failed || b.len == 0 ? "" :
		    arena_dup(f->from.arena, b.data, b.len);
		if (f->prompts[part].p == NULL)
			f->prompts[part].p = "";
		f->prompts[part].len = strlen(f->prompts[part].p);
		buf_free(&b);
	}
	*len = f->prompts[part].len;
	return f->prompts[part].p;
}

/* "x-team" → HTTP_X_TEAM. */
static const char *
header_named(void *arg, const char *name)
{
	struct facts *f = arg;
	char cgi[5 + 64 + 1] = "HTTP_";
	size_t i;

	for (i = 0; name[i] != '\0' && i < 64; i++)
		cgi[5 + i] = name[i] == '-' ? '_' :
		    name[i] >= 'a' && name[i] <= 'z' ?
		    (char)(name[i] - 'a' + 'A') : name[i];
	return name[i] != '\0' ? NULL : f->from.header(f->from.arg, cgi);
}

/* A string's content, or the digits and words of what is none. */
static const char *
as_text(struct facts *f, const struct json *doc, uint32_t v)
{
	const char *raw;
	size_t len;

	switch (json_type(doc, v)) {
	case JSON_STRING:
		return json_cstr(doc, v, f->from.arena);
	case JSON_NUMBER:
	case JSON_TRUE:
	case JSON_FALSE:
		raw = json_raw(doc, v, &len);
		return arena_dup(f->from.arena, raw, len);
	default:
		return NULL;
	}
}

/* The header's metadata come before the body's: a proxy may have set them. */
static const char *
metadata(void *arg, const char *name)
{
	struct facts *f = arg;
	const struct json *doc = &f->from.chat->doc;
	uint32_t v = JSON_NONE;

	if (f->metadata.text != NULL)
		v = json_get(&f->metadata, JSON_ROOT, name);
	if (v != JSON_NONE)
		return as_text(f, &f->metadata, v);
	return as_text(f, doc, json_at(doc, JSON_ROOT, "metadata", name,
	    NULL));
}

/* Is one of a list of words, parted by commas, a match? */
static bool
list_has(struct arena *a, const char *list, const char *pattern)
{
	const char *end, *tag;
	size_t len;

	for (; *list != '\0'; list = *end == ',' ? end + 1 : end) {
		while (*list == ' ' || *list == '\t')
			list++;
		end = list + strcspn(list, ",");
		len = (size_t)(end - list);
		while (len > 0 && (list[len - 1] == ' ' ||
		    list[len - 1] == '\t'))
			len--;
		tag = len == 0 ? NULL : arena_dup(a, list, len);
		if (tag != NULL && glob_match(pattern, tag))
			return true;
	}
	return false;
}

static bool
tag(void *arg, const char *pattern)
{
	struct facts *f = arg;
	const struct vkey *key = f->from.key;
	size_t i;

	for (i = 0; i < key->tag_count; i++)
		if (glob_match(pattern, key->tags[i]))
			return true;
	return list_has(f->from.arena, header(f, "HTTP_X_TOLLGATE_TAGS"),
	    pattern);
}

static int
budget_left(void *arg)
{
	const struct facts *f = arg;

	return f->from.budget_left;
}

static bool
offered(void *arg, const struct provider *p)
{
	const struct facts *f = arg;

	return adapter_for(f->from.chat->task.door, p->adapter) != NULL;
}

static const struct facts_calls calls = {
	.input_tokens = input_tokens,
	.input_tokens_at = input_tokens_at,
	.prompt = prompt,
	.header = header_named,
	.metadata = metadata,
	.tag = tag,
	.budget_left = budget_left,
	.offered = offered,
};

/* ------------------------------------------------------------- health */

static void
look(void *arg, const struct deployment *d, struct standing *out)
{
	struct facts *f = arg;

	health_look(f->from.health, d, !f->from.chat->stream, f->from.mono,
	    out);
}

static int64_t
expected_output(void *arg, const char *model)
{
	struct facts *f = arg;

	return health_expected_output(f->from.health, model);
}

static unsigned
cached_share(void *arg, const struct deployment *d)
{
	struct facts *f = arg;

	return health_cached_share(f->from.health, d);
}

/* -------------------------------------------------------------- doors */

static enum err
bad_header(struct fault *fault, const char *name, const char *why)
{
	return fault_set(fault, ERR_BAD_REQUEST, name, "%s %s", name, why);
}

static enum err
read_timeout(struct facts *f, struct fault *fault)
{
	const char *asked = header(f, "HTTP_X_TOLLGATE_TIMEOUT");
	double seconds;
	char *end;

	f->deadline = INT64_MAX;
	if (*asked == '\0')
		return ERR_OK;
	seconds = strtod(asked, &end);
	if (*end != '\0' || !(seconds > 0) ||
	    asked[strspn(asked, "0123456789.eE+-")] != '\0') /* "inf", "0x9" */
		return bad_header(fault, "x-tollgate-timeout",
		    "must be a number of seconds");
	if (seconds <= TIMEOUT_MAX)
		f->deadline = f->from.arrived + (int64_t)(seconds * SECOND);
	return ERR_OK;
}

static enum err
read_metadata(struct facts *f, struct fault *fault)
{
	const char *text = header(f, "HTTP_X_TOLLGATE_METADATA");
	struct json doc;

	if (*text == '\0')
		return ERR_OK;
	if (json_parse(&doc, f->from.arena, text, strlen(text), fault) !=
	    ERR_OK || json_type(&doc, JSON_ROOT) != JSON_OBJECT)
		return bad_header(fault, "x-tollgate-metadata",
		    "must be a JSON object");
	f->metadata = doc;
	return ERR_OK;
}

static enum err
read_retention(struct facts *f, struct fault *fault)
{
	const char *asked = header(f, "HTTP_X_TOLLGATE_RETENTION");

	if (*asked != '\0' && strcmp(asked, "none") != 0)
		return bad_header(fault, "x-tollgate-retention",
		    "can be none only");
	f->route.no_retention = *asked != '\0';
	return ERR_OK;
}

enum err
facts_gather(struct facts *f, const struct facts_source *from,
    struct fault *fault)
{
	const struct chat *chat = from->chat;
	enum err e;

	memset(f, 0, sizeof *f);
	f->from = *from;
	f->route = (struct route_facts){
		.key = from->key,
		.model = chat->model,
		.more = chat->more,
		.more_count = chat->more_count,
		.endpoint = from->operation,
		.stream = chat->stream,
		.tools = (chat->needs & CAP_TOOLS) != 0,
		.free = chat->free,
		.prices = from->prices,
		.needs = chat->needs,
		.max_output = chat->task.door != NULL ?
		    chat->task.most[UNIT_OUTPUT] : chat->max_output,
		.apart = chat->task.door != NULL,
		.input_bytes = (int64_t)(chat->doc.len - chat->task.bulk),
		.user = (from->key->may & MAY_USER) != 0 ? chat->user : "",
		.session = header(f, "HTTP_X_TOLLGATE_SESSION"),
		.region = header(f, "HTTP_X_TOLLGATE_REGION"),
		.wall = from->wall,
		.draw = from->draw,
		.calls = &calls,
		.arg = f,
	};
	f->view = (struct route_view){
		.look = look,
		.expected_output = expected_output,
		.cached_share = cached_share,
		.arg = f,
		.now = from->mono,
	};
	e = read_timeout(f, fault);
	if (e == ERR_OK)
		e = read_metadata(f, fault);
	if (e == ERR_OK)
		e = read_retention(f, fault);
	f->route.left = f->deadline == INT64_MAX ? INT64_MAX :
	    f->deadline - from->mono;
	return e;
}

/* The names of one list into chat->more. */
static enum err
take_list(struct arena *a, struct chat *chat, const char *member,
    struct fault *fault)
{
	const struct json *doc = &chat->doc;
	uint32_t list = json_get(doc, JSON_ROOT, member), v;
	const char *name;

	if (list == JSON_NONE || json_type(doc, list) == JSON_NULL)
		return ERR_OK;
	if (json_type(doc, list) != JSON_ARRAY)
		return fault_set(fault, ERR_BAD_REQUEST, member,
		    "'%s' must be a list of models", member);
	for (v = json_first(doc, list); v != JSON_NONE;
	     v = json_next(doc, list, v)) {
		if (!json_nonempty(doc, v))
			return fault_set(fault, ERR_BAD_REQUEST, member,
			    "'%s' must be a list of names of models", member);
		if (chat->more_count == FACTS_MODELS)
			return fault_set(fault, ERR_BAD_REQUEST, member,
			    "more than %d further models are named",
			    FACTS_MODELS);
		name = json_cstr(doc, v, a);
		if (name == NULL)
			return fault_set(fault, ERR_INTERNAL, NULL,
			    "out of memory");
		chat->more[chat->more_count++] = name;
	}
	return ERR_OK;
}

/* The document without the lists, and with a model where it had none. */
static enum err
parse_rest(struct arena *a, struct chat *chat, uint32_t first,
    struct fault *fault)
{
	const char *raw, *text;
	struct edits ed;
	struct buf out;
	size_t len;
	bool ok;

	edits_init(&ed, &chat->doc, a);
	edits_remove(&ed, JSON_ROOT, "models");
	edits_remove(&ed, JSON_ROOT, "fallbacks");
	raw = json_raw(&chat->doc, first, &len);
	if (raw != NULL && *chat->path == '\0' &&
	    json_get(&chat->doc, JSON_ROOT, "model") == JSON_NONE)
		edits_add(&ed, JSON_ROOT, "model", raw, len);
	buf_init(&out, LIMIT_BODY);
	ok = edits_apply(&ed, &out);
	len = out.len;
	text = ok ? arena_dup(a, out.data, len) : NULL;
	buf_free(&out);
	return text == NULL ? fault_set(fault, ERR_INTERNAL, NULL,
	    "out of memory") : json_parse(&chat->doc, a, text, len, fault);
}

enum err
facts_narrow(struct arena *a, struct chat *chat, struct fault *fault)
{
	const struct json *doc = &chat->doc;
	uint32_t models = json_get(doc, JSON_ROOT, "models");
	enum err e;

	if (models == JSON_NONE &&
	    json_get(doc, JSON_ROOT, "fallbacks") == JSON_NONE)
		return ERR_OK;
	chat->more = arena_alloc(a, FACTS_MODELS * sizeof *chat->more);
	if (chat->more == NULL)
		return fault_set(fault, ERR_INTERNAL, NULL, "out of memory");
	e = take_list(a, chat, "models", fault);
	if (e == ERR_OK)
		e = take_list(a, chat, "fallbacks", fault);
	return e == ERR_OK ? parse_rest(a, chat, json_first(doc, models),
	    fault) : e;
}
