/* Helpers of the adapters. */
#include "adapters/canon.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"

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

bool
parts_text(struct parts *out, enum part_kind kind, struct str s)
{
	struct part *p = s.len == 0 ? NULL : parts_add(out);

	if (p == NULL)
		return s.len == 0;
	p->kind = kind;
	p->text = s;
	return true;
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

struct piece *
pieces_text(struct pieces *ps, enum piece_kind kind, int64_t choice,
    struct str s)
{
	struct piece *p = s.len == 0 ? NULL : pieces_add(ps, kind, choice);

	if (p != NULL)
		p->text = s;
	return p;
}

void
pieces_take(struct pieces *ps, enum piece_kind kind, int64_t choice,
    struct buf *b)
{
	bool any = b->len > 0;
	struct str s = canon_take(ps->arena, b);

	ps->failed |= any && s.p == NULL;
	pieces_text(ps, kind, choice, s);
}

void
pieces_list(struct pieces *ps, enum piece_kind kind, int64_t choice,
    const struct json *doc, uint32_t list)
{
	uint32_t v;

	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		pieces_text(ps, kind, choice, canon_raw(doc, v));
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
canon_put_list(struct json_writer *w, const char *key, const struct str *list,
    size_t count)
{
	size_t i;

	if (count == 0)
		return;
	jw_key(w, key);
	jw_array(w);
	for (i = 0; i < count; i++)
		jw_stringn(w, list[i].p, list[i].len);
	jw_end_array(w);
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

/* Members with text below them, in any dialect. */
static const char *const texts[] = { "text", "summary", "thinking", "content",
	"arguments", "input", "args", "name", "function", "custom",
	"transcript", "refusal", "parts", "functionCall", "executableCode",
	"code", "tool_calls", "tool_plan", "toolUse", "reasoningContent",
	"reasoningText", "citationsContent" };

/* The input of a call may be an object, which is text as it stands. */
static bool
is_input(const char *word)
{
	return strcmp(word, "arguments") == 0 || strcmp(word, "input") == 0 ||
	    strcmp(word, "args") == 0;
}

static int64_t
member_bytes(const struct json *doc, uint32_t v, const char *word)
{
	uint32_t member = json_get(doc, v, word);

	return is_input(word) && json_type(doc, member) == JSON_OBJECT ?
	    (int64_t)canon_raw(doc, member).len :
	    canon_text_bytes(doc, member);
}

int64_t
canon_text_bytes(const struct json *doc, uint32_t v)
{
	int64_t sum = 0;
	uint32_t item;
	size_t i;

	switch (json_type(doc, v)) {
	case JSON_STRING:
		return (int64_t)canon_raw(doc, v).len - 2; /* the quotes */
	case JSON_ARRAY:
		for (item = json_first(doc, v); item != JSON_NONE;
		     item = json_next(doc, v, item))
			sum += canon_text_bytes(doc, item);
		return sum;
	case JSON_OBJECT:
		for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
			sum += member_bytes(doc, v, texts[i]);
		return sum;
	default:
		return 0;
	}
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

struct str
canon_take_list(struct arena *a, struct buf *b)
{
	struct str s = canon_take(a, b);

	return s.len > 2 ? s : (struct str){ NULL, 0 };
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
canon_parameters(const struct tool *t)
{
	return t->schema.p != NULL ? t->schema :
	    canon_lit("{\"type\":\"object\",\"properties\":{}}");
}

enum err
canon_functions(const struct chat *chat, struct fault *f)
{
	size_t i;

	for (i = 0; i < chat->tool_count; i++)
		if (strcmp(chat->tools[i].type, "function") != 0)
			return fault_set(f, ERR_BAD_REQUEST, "tools",
			    "the tool '%s' is known to its own provider only",
			    chat->tools[i].type);
	return ERR_OK;
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

static const char *
encode(struct arena *a, const char *s, const char *plain)
{
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

#define SEGMENT                                                              \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@"

const char *
canon_segment(struct arena *a, const char *s)
{
	return encode(a, s, SEGMENT);
}

const char *
canon_path(struct arena *a, const char *s)
{
	const char *p = s;
	size_t n;

	for (;; p += n + 1) {
		n = strcspn(p, "/");
		if (n == 0 || (n == 1 && *p == '.') ||
		    (n == 2 && memcmp(p, "..", 2) == 0))
			return "";
		if (p[n] == '\0')
			return encode(a, s, SEGMENT "/");
	}
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
canon_grown(const struct growing *g)
{
	return (struct str){ g->p == NULL ? "" : g->p, g->len };
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

enum err
canon_body(struct arena *a, struct http_call *call, struct buf *body,
    enum err e, struct fault *f)
{
	struct str s;

	if (e != ERR_OK) {
		buf_free(body);
		return e;
	}
	s = canon_take(a, body);
	if (s.p == NULL || call->url == NULL)
		return fault_memory(f);
	call->body = s.p;
	call->body_len = s.len;
	return ERR_OK;
}
