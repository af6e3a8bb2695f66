/* Helpers of the adapters. */
#include "adapters/canon.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "app/base/arena.h"
#include "policy/estimate.h"

struct part *
parts_add(struct parts *p)
{
	size_t size = p->size * 2 + 2;
	struct part *list;

	if (p->count == p->size) {
		list = arena_resize(p->arena, p->list,
		    p->size * sizeof *list, size * sizeof *list);
		if (list == NULL)
			return NULL;
		p->list = list;
		p->size = size;
	}
	memset(&p->list[p->count], 0, sizeof *p->list);
	return &p->list[p->count++];
}

struct piece *
pieces_add(struct pieces *ps, enum piece_kind kind, int64_t choice)
{
	size_t size = ps->size * 2 + 4;
	struct piece *list;

	if (ps->count == ps->size) {
		list = arena_resize(ps->arena, ps->list,
		    ps->size * sizeof *list, size * sizeof *list);
		if (list == NULL) {
			ps->failed = true;
			return NULL;
		}
		ps->list = list;
		ps->size = size;
	}
	memset(&ps->list[ps->count], 0, sizeof *ps->list);
	ps->list[ps->count].kind = kind;
	ps->list[ps->count].choice = choice;
	return &ps->list[ps->count++];
}

void
pieces_text(struct pieces *ps, enum piece_kind kind, int64_t choice,
    struct str s)
{
	struct piece *p;

	if (s.len > 0 && (p = pieces_add(ps, kind, choice)) != NULL)
		p->text = s;
}

void
canon_put_str(struct json_writer *w, const char *key, struct str s)
{
	if (s.p == NULL)
		return;
	jw_key(w, key);
	jw_stringn(w, s.p, s.len);
}

void
canon_one_line(struct buf *out, size_t from)
{
	size_t i;

	if (out->failed || from >= out->len ||
	    (memchr(out->data + from, '\n', out->len - from) == NULL &&
	    memchr(out->data + from, '\r', out->len - from) == NULL))
		return;
	for (i = from; i < out->len; i++)
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
}

void
canon_put_raw(struct json_writer *w, const char *key, struct str s)
{
	size_t from;

	if (s.p == NULL)
		return;
	jw_key(w, key);
	from = w->out->len;
	jw_raw(w, s.p, s.len);
	canon_one_line(w->out, from);
}

void
canon_put_text(struct json_writer *w, const char *key, struct str s)
{
	canon_put_str(w, key, s.p == NULL ? canon_lit("") : s);
}

void
canon_put_buf(struct json_writer *w, const char *key, struct buf *b)
{
	jw_key(w, key);
	jw_stringn(w, b->data == NULL ? "" : b->data, b->len);
	w->out->failed |= b->failed;
	buf_free(b);
}

void
canon_begin(struct json_writer *w, const char *type)
{
	jw_object(w);
	jw_key(w, "type");
	jw_string(w, type);
}

void
canon_put_event(struct buf *out, const char *name, struct str raw,
    const char *end)
{
	size_t from;

	if (name != NULL)
		buf_printf(out, "event: %s\n", name);
	buf_puts(out, "data: ");
	from = out->len;
	buf_put(out, raw.p, raw.len);
	canon_one_line(out, from);
	buf_puts(out, end);
}

void
canon_put_int(struct json_writer *w, const char *key, int64_t n)
{
	jw_key(w, key);
	jw_int(w, n);
}

void
canon_put_flag(struct json_writer *w, const char *key, int flag)
{
	if (flag < 0)
		return;
	jw_key(w, key);
	jw_bool(w, flag != 0);
}

struct str
canon_str(const struct json *doc, uint32_t v, struct arena *a)
{
	struct str s = { NULL, 0 };

	if (json_type(doc, v) == JSON_STRING)
		s.p = json_str(doc, v, a, &s.len);
	return s;
}

struct str
canon_raw(const struct json *doc, uint32_t v)
{
	struct str s = { NULL, 0 };

	if (json_type(doc, v) != JSON_ABSENT)
		s.p = json_raw(doc, v, &s.len);
	return s;
}

struct str
canon_lit(const char *s)
{
	return (struct str){ s, strlen(s) };
}

struct str
canon_keep(struct arena *a, struct str s)
{
	struct str out = { NULL, 0 };

	if (s.len > 0)
		out.p = arena_dup(a, s.p, s.len);
	out.len = out.p == NULL ? 0 : s.len;
	return out;
}

struct str
canon_take(struct arena *a, struct buf *b)
{
	struct str s = { NULL, 0 };

	if (!b->failed) {
		s.p = arena_dup(a, b->data, b->len);
		s.len = s.p == NULL ? 0 : b->len;
	}
	buf_free(b);
	return s;
}

bool
canon_same(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
canon_is_system(const struct message *m)
{
	return m->role == ROLE_SYSTEM || m->role == ROLE_DEVELOPER;
}

bool
canon_is_text(const struct part *p)
{
	return p->kind == PART_TEXT || p->kind == PART_REFUSAL;
}

enum err
canon_refuse(struct fault *f, const char *what)
{
	return fault_set(f, ERR_BAD_REQUEST, "messages",
	    "the provider cannot take %s", what);
}

struct str
canon_printf(struct arena *a, const char *fmt, ...)
{
	struct str s = { NULL, 0 };
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof text)
		return s;
	s.p = arena_dup(a, text, (size_t)n);
	s.len = s.p == NULL ? 0 : (size_t)n;
	return s;
}

bool
canon_is(struct str s, const char *word)
{
	return s.p != NULL && s.len == strlen(word) &&
	    memcmp(s.p, word, s.len) == 0;
}

int
canon_flag(const struct json *doc, uint32_t v)
{
	switch (json_type(doc, v)) {
	case JSON_TRUE:
		return 1;
	case JSON_FALSE:
		return 0;
	default:
		return -1;
	}
}

void
canon_data_url(struct part *p)
{
	static const char mark[] = ";base64,";
	const char *at;

	if (p->url.len < 5 || memcmp(p->url.p, "data:", 5) != 0)
		return;
	at = memmem(p->url.p, p->url.len, mark, sizeof mark - 1);
	if (at == NULL)
		return;
	p->media_type.p = p->url.p + 5;
	p->media_type.len = (size_t)(at - p->media_type.p);
	p->data.p = at + sizeof mark - 1;
	p->data.len = (size_t)(p->url.p + p->url.len - p->data.p);
	p->url = (struct str){ NULL, 0 };
}

static void
write_data_url(struct buf *out, const struct part *p, const char *otherwise)
{
	buf_puts(out, "data:");
	if (p->media_type.len > 0)
		buf_put(out, p->media_type.p, p->media_type.len);
	else
		buf_puts(out, otherwise);
	buf_puts(out, ";base64,");
	buf_put(out, p->data.p, p->data.len);
}

struct str
canon_data_text(struct arena *a, const struct part *p, const char *otherwise)
{
	struct buf b;

	buf_init(&b, LIMIT_BODY_TEXT);
	write_data_url(&b, p, otherwise);
	return canon_take(a, &b);
}

void
canon_put_url(struct json_writer *w, const char *key, const struct part *p,
    const char *otherwise)
{
	struct buf b;

	if (p->data.p == NULL) {
		canon_put_str(w, key, p->url);
		return;
	}
	buf_init(&b, LIMIT_BODY_TEXT);
	write_data_url(&b, p, otherwise);
	canon_put_buf(w, key, &b);
}

static const struct {
	const char *word;
	enum effort effort;
} efforts[] = {
	{ "none", EFFORT_NONE },
	{ "minimal", EFFORT_MINIMAL },
	{ "low", EFFORT_LOW },
	{ "medium", EFFORT_MEDIUM },
	{ "high", EFFORT_HIGH },
	{ "xhigh", EFFORT_MAX },
	{ "max", EFFORT_MAX },
};

enum effort
canon_effort(struct str word)
{
	size_t i;

	for (i = 0; word.p != NULL &&
	    i < sizeof efforts / sizeof efforts[0]; i++)
		if (canon_is(word, efforts[i].word))
			return efforts[i].effort;
	return EFFORT_UNSET;
}

const char *
canon_effort_word(enum effort e)
{
	size_t i;

	for (i = 0; i < sizeof efforts / sizeof efforts[0]; i++)
		if (efforts[i].effort == e)
			return efforts[i].word;
	return "medium";
}

/* Who made a piece of reasoning, as OpenRouter's answers name it. */
static const struct {
	const char *format, *origin;
} formats[] = {
	{ "anthropic-claude-v1", "anthropic" },
	{ "openai-responses-v1", "responses" },
	{ "google-gemini-v1", "gemini" },
	{ "bedrock-converse-v1", "bedrock" },
};

const char *
canon_origin(struct str format)
{
	size_t i;

	for (i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (canon_is(format, formats[i].format))
			return formats[i].origin;
	return NULL;
}

const char *
canon_format(const char *origin)
{
	size_t i;

	for (i = 0; origin != NULL && i < sizeof formats /
	    sizeof formats[0]; i++)
		if (strcmp(origin, formats[i].origin) == 0)
			return formats[i].format;
	return "";
}

enum err
canon_model(struct chat *chat, struct arena *a, struct fault *f)
{
	uint32_t v = json_get(&chat->doc, JSON_ROOT, "model");
	const char *p;

	if (!json_nonempty(&chat->doc, v))
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "'model' is missing");
	chat->model = json_cstr(&chat->doc, v, a);
	if (chat->model == NULL)
		return fault_memory(f);
	if (strlen(chat->model) > LIMIT_MODEL_NAME)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "'model' is longer than %d bytes", LIMIT_MODEL_NAME);
	for (p = chat->model; *p != '\0'; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return fault_set(f, ERR_BAD_REQUEST, "model",
			    "'model' holds a space or control character");
	return ERR_OK;
}

const char *
canon_segment(struct arena *a, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~@";
	const char *out = NULL;
	struct buf b;

	buf_init(&b, KIB(16));
	for (; *s != '\0'; s++)
		if (strchr(plain, *s) != NULL)
			buf_putc(&b, *s);
		else
			buf_printf(&b, "%%%02X", (unsigned char)*s);
	if (!b.failed && b.len > 0)
		out = arena_dup(a, b.data, b.len);
	buf_free(&b);
	return out == NULL ? "" : out;
}

struct str
canon_quoted(struct arena *a, const char *text)
{
	struct buf b;

	buf_init(&b, KIB(64));
	json_quote(&b, text, strlen(text));
	return canon_take(a, &b);
}

bool
canon_is_object(struct str text, struct arena *a)
{
	struct json doc;

	return text.p != NULL &&
	    json_parse(&doc, a, text.p, text.len, NULL) == ERR_OK &&
	    json_type(&doc, JSON_ROOT) == JSON_OBJECT;
}

/* Replace "OBJECT" by "object" wherever it is the type of a schema. */
static void
lower_types(const struct json *doc, uint32_t v, struct edits *e)
{
	static const char *const types[][2] = { { "STRING", "\"string\"" },
		{ "NUMBER", "\"number\"" }, { "INTEGER", "\"integer\"" },
		{ "BOOLEAN", "\"boolean\"" }, { "ARRAY", "\"array\"" },
		{ "OBJECT", "\"object\"" }, { "NULL", "\"null\"" } };
	bool object = json_type(doc, v) == JSON_OBJECT;
	uint32_t type = json_get(doc, v, "type"), n;
	size_t i;

	if (!object && json_type(doc, v) != JSON_ARRAY)
		return;
	for (i = 0; i < sizeof types / sizeof types[0]; i++)
		if (json_is(doc, type, types[i][0]))
			edits_replace(e, type, types[i][1],
			    strlen(types[i][1]));
	for (n = json_first(doc, v); n != JSON_NONE; n = json_next(doc, v, n))
		lower_types(doc, object ? json_value(doc, n) : n, e);
}

struct str
canon_schema(const struct json *doc, uint32_t v, struct arena *a)
{
	struct str s = canon_raw(doc, v);
	struct json schema;
	struct edits e;
	struct buf b;

	if (s.p == NULL || json_parse(&schema, a, s.p, s.len, NULL) != ERR_OK)
		return s;
	edits_init(&e, &schema, a);
	lower_types(&schema, JSON_ROOT, &e);
	if (edits_none(&e))
		return s;
	buf_init(&b, LIMIT_BODY_TEXT);
	if (edits_apply(&e, &b)) {
		s.p = arena_dup(a, b.data, b.len);
		s.len = s.p == NULL ? 0 : b.len;
	}
	buf_free(&b);
	return s;
}

static bool
is_object_schema(const struct json *doc, uint32_t v)
{
	return json_is(doc, json_get(doc, v, "type"), "object") ||
	    json_type(doc, json_get(doc, v, "properties")) == JSON_OBJECT;
}

static void
close_objects(const struct json *doc, uint32_t v, struct edits *e)
{
	bool object = json_type(doc, v) == JSON_OBJECT;
	uint32_t n;

	if (!object && json_type(doc, v) != JSON_ARRAY)
		return;
	if (object && is_object_schema(doc, v) &&
	    json_get(doc, v, "additionalProperties") == JSON_NONE)
		edits_add(e, v, "additionalProperties", "false", 5);
	for (n = json_first(doc, v); n != JSON_NONE; n = json_next(doc, v, n))
		close_objects(doc, object ? json_value(doc, n) : n, e);
}

struct str
canon_closed(struct arena *a, struct str schema)
{
	struct str s = schema;
	struct json doc;
	struct edits e;
	struct buf b;

	if (s.p == NULL || json_parse(&doc, a, s.p, s.len, NULL) != ERR_OK)
		return s;
	edits_init(&e, &doc, a);
	close_objects(&doc, JSON_ROOT, &e);
	if (edits_none(&e))
		return s;
	buf_init(&b, LIMIT_BODY_TEXT);
	s.p = edits_apply(&e, &b) ? arena_dup(a, b.data, b.len) : NULL;
	s.len = s.p == NULL ? 0 : b.len;
	buf_free(&b);
	return s;
}

static bool
strict_objects(const struct json *doc, uint32_t v)
{
	bool object = json_type(doc, v) == JSON_OBJECT;
	uint32_t n;

	if (!object && json_type(doc, v) != JSON_ARRAY)
		return true;
	if (object && is_object_schema(doc, v) &&
	    (json_type(doc, json_get(doc, v, "additionalProperties")) !=
		JSON_FALSE || json_count(doc, json_get(doc, v,
		"properties")) != json_count(doc, json_get(doc, v,
		"required"))))
		return false;
	for (n = json_first(doc, v); n != JSON_NONE; n = json_next(doc, v, n))
		if (!strict_objects(doc, object ? json_value(doc, n) : n))
			return false;
	return true;
}

bool
canon_is_strict(struct arena *a, struct str schema)
{
	struct json doc;

	return schema.p != NULL &&
	    json_parse(&doc, a, schema.p, schema.len, NULL) == ERR_OK &&
	    strict_objects(&doc, JSON_ROOT);
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

struct str
canon_decode(struct arena *a, struct str s)
{
	struct str out = { NULL, 0 };
	unsigned bits = 0;
	size_t i, n = 0;
	int held = 0, v;
	char *p;

	while (s.len > 0 && s.p[s.len - 1] == '=')
		s.len--;
	p = arena_alloc(a, s.len + 1);
	for (i = 0; p != NULL && i < s.len; i++) {
		v = base64_value(s.p[i]);
		if (v < 0)
			return out;
		bits = bits << 6 | (unsigned)v;
		held += 6;
		if (held >= 8) {
			held -= 8;
			p[n++] = (char)(bits >> held & 0xff);
		}
	}
	if (p == NULL)
		return out;
	p[n] = '\0';
	return (struct str){ p, n };
}

const char *
canon_url_type(struct str url, const char *otherwise)
{
	static const struct {
		const char *end, *type;
	} types[] = { { ".png", "image/png" }, { ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" }, { ".gif", "image/gif" },
		{ ".webp", "image/webp" }, { ".pdf", "application/pdf" },
		{ ".mp4", "video/mp4" }, { ".mp3", "audio/mp3" },
		{ ".wav", "audio/wav" }, { ".txt", "text/plain" } };
	size_t len = 0, n, i;

	while (len < url.len && url.p[len] != '?' && url.p[len] != '#')
		len++;
	for (i = 0; i < sizeof types / sizeof types[0]; i++) {
		n = strlen(types[i].end);
		if (len > n && strncasecmp(url.p + len - n, types[i].end,
		    n) == 0)
			return types[i].type;
	}
	return otherwise;
}

struct str
canon_call_id(struct arena *a)
{
	unsigned long long n = 0;

	if (getrandom(&n, sizeof n, GRND_NONBLOCK) != (ssize_t)sizeof n)
		n = (unsigned long long)(uintptr_t)a;
	return canon_printf(a, "call_%016llx", n);
}

struct str
canon_args(struct arena *a, struct str args)
{
	struct json_writer w;
	struct buf b;

	if (args.len == 0)
		return canon_lit("{}");
	if (canon_is_object(args, a))
		return args;
	buf_init(&b, LIMIT_BODY_TEXT);
	jw_init(&w, &b);
	jw_object(&w);
	canon_put_str(&w, "arguments", args);
	jw_end_object(&w);
	return canon_take(a, &b);
}

bool
canon_grow(struct arena *a, struct growing *g, struct str more)
{
	size_t size;
	char *p;

	if (more.len == 0)
		return true;
	if (g->size - g->len < more.len) {
		size = (g->len + more.len) * 2;
		p = arena_resize(a, g->p, g->size, size);
		if (p == NULL)
			return false;
		g->p = p;
		g->size = size;
	}
	memcpy(g->p + g->len, more.p, more.len);
	g->len += more.len;
	return true;
}

struct str
canon_join(struct arena *a, struct str first, struct str second)
{
	struct str s = { NULL, 0 };
	char *p;

	if (first.len == 0 || second.len == 0)
		return first.len == 0 ? second : first;
	p = arena_alloc(a, first.len + second.len + 1);
	if (p == NULL)
		return s;
	memcpy(p, first.p, first.len);
	memcpy(p + first.len, second.p, second.len);
	p[first.len + second.len] = '\0';
	s.p = p;
	s.len = first.len + second.len;
	return s;
}

/* "tollgate/anthropic++": the sign that fills up tells what follows. */
static const char mark_start[] = "tollgate/";
#define MARK_PROOF '+'
#define MARK_SEALED '/'

static size_t
mark_of(const char *origin, bool sealed, char *out, size_t size)
{
	int n = snprintf(out, size, "%s%s", mark_start, origin);

	if (n < 0 || (size_t)n + 5 > size)
		return 0;
	do
		out[n++] = sealed ? MARK_SEALED : MARK_PROOF;
	while (n % 4 != 0);
	out[n] = '\0';
	return (size_t)n;
}

struct str
canon_mark(struct arena *a, const char *origin, bool sealed,
    struct str proof)
{
	char mark[64];

	return canon_join(a, (struct str){ mark, mark_of(origin, sealed, mark,
	    sizeof mark) }, proof);
}

bool
canon_unmark(struct str *proof, const char **origin, bool *sealed)
{
	char mark[64];
	size_t i, n;
	int k;

	if (proof->len < sizeof mark_start - 1 || memcmp(proof->p,
	    mark_start, sizeof mark_start - 1) != 0)
		return false;
	for (i = 0; i < sizeof formats / sizeof formats[0]; i++)
		for (k = 0; k < 2; k++) {
			n = mark_of(formats[i].origin, k == 1, mark,
			    sizeof mark);
			if (proof->len < n || memcmp(proof->p, mark, n) != 0)
				continue;
			*origin = formats[i].origin;
			*sealed = k == 1;
			proof->p += n;
			proof->len -= n;
			return true;
		}
	*origin = NULL; /* a mark of a maker that we do not know */
	*sealed = true;
	return true;
}

bool
canon_is_base64(struct str s)
{
	size_t i, n = s.len;

	while (n > 0 && s.len - n < 2 && s.p[n - 1] == '=')
		n--;
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '+' &&
		    s.p[i] != '/')
			return false;
	return n > 0 && s.len % 4 == 0;
}

#define ESTIMATE_MEDIUM 1000 /* an image, a page: providers differ much */

static int64_t
estimate_str(struct str s)
{
	return s.len == 0 ? 0 : estimate_tokens(s.p, s.len);
}

static int64_t
estimate_parts(const struct part *parts, size_t n)
{
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		sum += estimate_str(parts[i].text) +
		    estimate_str(parts[i].args) +
		    (parts[i].kind == PART_CALL ? estimate_str(parts[i].name) :
			0) + (parts[i].kind == PART_OTHER ?
			estimate_str(parts[i].raw) : 0) +
		    estimate_parts(parts[i].parts, parts[i].part_count);
		if (parts[i].kind >= PART_IMAGE && parts[i].kind <= PART_FILE)
			sum += ESTIMATE_MEDIUM;
	}
	return sum;
}

int64_t
canon_estimate(const struct chat *chat)
{
	int64_t sum = ESTIMATE_REQUEST;
	const struct tool *t;
	size_t i;

	for (i = 0; i < chat->message_count; i++)
		sum += ESTIMATE_MESSAGE + estimate_parts(
		    chat->messages[i].parts, chat->messages[i].part_count);
	for (i = 0; i < chat->tool_count; i++) {
		t = &chat->tools[i];
		sum += estimate_str(t->name) + estimate_str(t->description) +
		    estimate_str(t->schema) + (i == 0 ? ESTIMATE_TOOLS : 0);
	}
	return sum;
}

void
canon_defaults(struct chat *chat)
{
	chat->parallel_calls = chat->format_strict = chat->store = -1;
	chat->think_budget = -1;
}

enum err
canon_stop(struct chat *chat, struct arena *a, uint32_t v, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t s, n = json_type(doc, v) == JSON_STRING ? 1 :
	    json_type(doc, v) == JSON_ARRAY ? json_count(doc, v) : 0;

	if (n == 0)
		return ERR_OK;
	chat->stop = arena_alloc(a, n * sizeof *chat->stop);
	if (chat->stop == NULL)
		return fault_memory(f);
	chat->set |= PARAM_BIT(STOP);
	if (json_type(doc, v) == JSON_STRING) {
		chat->stop[chat->stop_count++] = canon_str(doc, v, a);
		return ERR_OK;
	}
	for (s = json_first(doc, v); s != JSON_NONE;
	    s = json_next(doc, v, s)) {
		if (json_type(doc, s) != JSON_STRING)
			return fault_set(f, ERR_BAD_REQUEST, "stop",
			    "'stop' must hold strings only");
		chat->stop[chat->stop_count++] = canon_str(doc, s, a);
	}
	return ERR_OK;
}

enum err
canon_extras(struct chat *chat, struct arena *a, const char *const *known,
    size_t count, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t key;
	size_t i;

	chat->extras = arena_alloc(a, (json_count(doc, JSON_ROOT) + 1) *
	    sizeof *chat->extras);
	if (chat->extras == NULL)
		return fault_memory(f);
	for (key = json_first(doc, JSON_ROOT); key != JSON_NONE;
	    key = json_next(doc, JSON_ROOT, key)) {
		for (i = 0; i < count; i++)
			if (json_is(doc, key, known[i]))
				break;
		if (i < count ||
		    json_type(doc, json_value(doc, key)) == JSON_NULL)
			continue;
		chat->extras[chat->extra_count] = json_cstr(doc, key, a);
		if (chat->extras[chat->extra_count++] == NULL)
			return fault_memory(f);
	}
	return ERR_OK;
}
