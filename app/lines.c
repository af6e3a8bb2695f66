/* The lines of a batch on their way to a provider. */
#include "app/lines.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/base/siphash.h"
#include "app/bounds.h"
#include "app/facts.h"

#define SEEN_LEAST 1024

static enum err
refuse(const struct lines *l, struct fault *f, const char *what)
{
	return fault_set(f, ERR_BAD_REQUEST, "file", "line %lld: %s",
	    (long long)l->count + 1, what);
}

/* What a line's own reader says, with the line's number before it. */
static enum err
number(const struct lines *l, enum err e, struct fault *f)
{
	char text[sizeof f->text];

	memcpy(text, f->text, sizeof text);
	return fault_set(f, e == ERR_BAD_JSON ? ERR_BAD_REQUEST : e, "file",
	    "line %lld: %s", (long long)l->count + 1, text);
}

/* The next line that says something; false: there is none. */
static bool
next(struct lines *l, struct str *line)
{
	const char *p, *end;

	while (l->at < l->len) {
		p = l->text + l->at;
		end = memchr(p, '\n', l->len - l->at);
		line->p = p;
		line->len = end == NULL ? l->len - l->at : (size_t)(end - p);
		l->at += line->len + (end != NULL);
		while (line->len > 0 && strchr(" \t\r",
		    line->p[line->len - 1]) != NULL)
			line->len--;
		if (line->len > 0)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------ one line */

struct line {
	struct json doc;
	struct str custom_id, body;
	const char *url;
};

static enum err
read_line(struct lines *l, struct arena *a, struct str text,
    struct line *out, struct fault *f)
{
	uint32_t method;
	enum err e = json_parse(&out->doc, a, text.p, text.len, f);

	if (e != ERR_OK)
		return number(l, e, f);
	if (json_type(&out->doc, JSON_ROOT) != JSON_OBJECT)
		return refuse(l, f, "it must be an object");
	out->custom_id = canon_str(&out->doc, json_get(&out->doc, JSON_ROOT,
	    "custom_id"), a);
	if (out->custom_id.len == 0 || out->custom_id.len > BATCH_CUSTOM_ID)
		return refuse(l, f, "'custom_id' must be a text of up to 256 "
		    "bytes");
	method = json_get(&out->doc, JSON_ROOT, "method");
	if (!json_is(&out->doc, method, "POST"))
		return refuse(l, f, "'method' must be 'POST'");
	out->url = batch_text(&out->doc, JSON_ROOT, "url", a);
	out->body = canon_raw(&out->doc, json_get(&out->doc, JSON_ROOT,
	    "body"));
	if (out->body.len == 0 || *out->body.p != '{')
		return refuse(l, f, "'body' must be an object");
	return ERR_OK;
}

static enum err
read_body(struct lines *l, struct arena *a, struct str body,
    struct chat *chat, struct fault *f)
{
	enum err e;

	memset(chat, 0, sizeof *chat);
	chat->surface = l->surface;
	chat->path = chat->query = chat->beta = "";
	chat->word = l->surface->name;
	e = json_parse(&chat->doc, a, body.p, body.len, f);
	if (e == ERR_OK)
		e = facts_narrow(a, chat, f);
	if (e == ERR_OK)
		e = l->surface->read_request(a, chat, f);
	if (e != ERR_OK)
		return number(l, e, f);
	if (chat->stream || chat->background)
		return refuse(l, f, "a batch has no streams and no background");
	return ERR_OK;
}

/* Note the id; false: it was there, or memory is short. */
static bool
note(uint64_t *table, size_t size, uint64_t hash)
{
	size_t i = hash & (size - 1);

	while (table[i] != 0 && table[i] != hash)
		i = (i + 1) & (size - 1);
	if (table[i] == hash)
		return false;
	table[i] = hash;
	return true;
}

static bool
grow(struct lines *l)
{
	size_t size = l->seen_size == 0 ? SEEN_LEAST : l->seen_size * 4, i;
	uint64_t *table = arena_zalloc(l->arena, size * sizeof *table);

	if (table == NULL)
		return false;
	for (i = 0; i < l->seen_size; i++)
		if (l->seen[i] != 0)
			note(table, size, l->seen[i]);
	l->seen = table;
	l->seen_size = size;
	return true;
}

static enum err
note_id(struct lines *l, struct str id, struct fault *f)
{
	uint64_t hash = siphash(l->key, id.p, id.len);

	if ((size_t)l->count * 2 >= l->seen_size && !grow(l))
		return fault_memory(f);
	return note(l->seen, l->seen_size, hash == 0 ? 1 : hash) ? ERR_OK :
	    refuse(l, f, "its 'custom_id' was there before");
}

/* --------------------------------------------------------------- doors */

enum err
lines_first(struct lines *l, struct arena *a, const char *text, size_t len,
    struct chat *chat, struct fault *f)
{
	const char *surface;
	struct line line;
	struct str s;
	enum err e;

	l->arena = a;
	l->text = text;
	l->len = len;
	l->scratch = arena_new(LIMIT_ARENA);
	buf_init(&l->out, LIMIT_BODY * 2);
	siphash_key(l->key);
	if (l->scratch == NULL)
		return fault_memory(f);
	if (!next(l, &s))
		return fault_set(f, ERR_BAD_REQUEST, "file",
		    "a batch needs at least one line");
	l->at = 0;
	e = read_line(l, a, s, &line, f);
	if (e != ERR_OK)
		return e;
	surface = batch_surface(line.url);
	l->surface = surface == NULL ? NULL : adapter_find(surface);
	if (l->surface == NULL)
		return refuse(l, f, "'url' must be a path that batches have: "
		    "/v1/chat/completions, /v1/responses, /v1/embeddings, "
		    "/v1/completions or /v1/moderations");
	l->path = line.url;
	e = read_body(l, a, line.body, chat, f);
	l->model = e == ERR_OK ? chat->model : "";
	l->door = chat->task.door;
	return e;
}

void
lines_price(const struct price *p, struct price *out)
{
	int64_t factor = p->service[SERVICE_BATCH];
	size_t i, k;

	*out = *p;
	for (i = 0; i < SERVICE_COUNT; i++)
		out->service[i] = PRICE_UNSET;
	if (factor == PRICE_UNSET)
		return;
	for (i = 0; i < UNIT_PER_MILLION; i++) {
		if (p->rate[i] != PRICE_UNSET)
			out->rate[i] = (p->rate[i] * factor + 99) / 100;
		for (k = 0; k < p->tiers; k++)
			if (p->tier[k].rate[i] != PRICE_UNSET)
				out->tier[k].rate[i] = (p->tier[k].rate[i] *
				    factor + 99) / 100;
	}
}

/* What the line may cost, with a bound of its output in it. */
static enum err
bound(struct lines *l, struct chat *chat, struct fault *f)
{
	struct deployment d = *l->deployment;
	struct bounds b;
	enum err e;

	memset(&b, 0, sizeof b);
	e = bounds_set(&b, l->scratch, chat, &d, l->output, f);
	if (e != ERR_OK)
		return number(l, e, f);
	lines_price(&l->deployment->price, &d.price);
	if (__builtin_add_overflow(l->most, bounds_cost(&b, &d), &l->most))
		l->most = INT64_MAX;
	return ERR_OK;
}

/* What the provider has no word for is refused where the policy says so. */
static enum err
check_strict(const struct lines *l, const struct chat *chat, struct fault *f)
{
	const struct adapter *to = l->adapter;
	uint64_t takes = to->takes_of == NULL ? to->takes :
	    to->takes_of(l->deployment);

	return l->strict && ((chat->set & ~takes) != 0 ||
	    chat->extra_count > 0) ? refuse(l, f,
	    "the provider cannot take all of its settings") : ERR_OK;
}

static enum err
write_line(struct lines *l, struct chat *chat, struct str custom_id,
    struct fault *f)
{
	const char *path = batch_path(l->adapter);
	struct http_call call;
	enum err e = ERR_OK;

	memset(&call, 0, sizeof call);
	if (l->adapter != l->surface && !chat->whole)
		e = l->surface->read_chat == NULL ? fault_set(f,
		    ERR_BAD_REQUEST, NULL, "the provider does not take it") :
		    l->surface->read_chat(l->scratch, chat, f);
	if (e == ERR_OK && l->adapter != l->surface)
		e = check_strict(l, chat, f);
	if (e == ERR_OK)
		e = l->adapter->write_request(l->scratch, chat,
		    l->deployment, &call, f);
	if (e != ERR_OK)
		return number(l, e, f);
	if (call.parts > 1)
		return refuse(l, f, "it is too much for one request");
	if (!l->dialect->put_line(&l->out, custom_id, path == NULL ? "" : path,
	    (struct str){ call.body, call.body_len }))
		return refuse(l, f, "its 'custom_id' is too long for the "
		    "provider");
	return l->out.failed || l->out.len > (l->dialect->most > 0 ?
	    l->dialect->most : LIMIT_BODY) ? fault_set(f, ERR_TOO_LARGE,
	    "file", "the requests are more than the provider takes in one "
	    "batch") : ERR_OK;
}

static enum err
take(struct lines *l, struct str text, struct fault *f)
{
	struct line line;
	struct chat chat;
	enum err e = read_line(l, l->scratch, text, &line, f);

	if (e != ERR_OK)
		return e;
	if (l->count == BATCH_LINES)
		return fault_set(f, ERR_TOO_LARGE, "file",
		    "more than %d lines", BATCH_LINES);
	if (strcmp(line.url, l->path) != 0)
		return refuse(l, f, "all lines must have the same 'url'");
	e = read_body(l, l->scratch, line.body, &chat, f);
	if (e == ERR_OK && strcmp(chat.model, l->model) != 0)
		e = refuse(l, f, "all lines must name the same model");
	if (e == ERR_OK)
		e = note_id(l, line.custom_id, f);
	if (e == ERR_OK)
		e = bound(l, &chat, f);
	return e == ERR_OK ? write_line(l, &chat, line.custom_id, f) : e;
}

enum err
lines_some(struct lines *l, size_t bytes, bool *more, struct fault *f)
{
	size_t end = l->at + bytes < l->len ? l->at + bytes : l->len;
	struct str line;
	enum err e;

	l->adapter = adapter_for(l->door, l->deployment->provider->adapter);
	*more = false;
	if (l->adapter == NULL)
		return fault_set(f, ERR_BAD_REQUEST, "file",
		    "the provider does not offer that");
	while (l->at < end) {
		if (!next(l, &line))
			return ERR_OK;
		e = take(l, line, f);
		arena_reset(l->scratch);
		if (e != ERR_OK)
			return e;
		l->count++;
	}
	*more = l->at < l->len;
	return ERR_OK;
}

void
lines_end(struct lines *l)
{
	if (l->arena == NULL)
		return;
	arena_free(l->scratch);
	buf_free(&l->out);
	l->arena = NULL;
}
