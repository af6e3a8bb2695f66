/*
 * The parser: text to tape in one pass, without recursion. It accepts
 * nothing that another parser could read differently. Must not copy or
 * change text, and must not quote it in errors (but for names of keys).
 */
#include "app/base/json.h"

#include <stdio.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/base/scan.h"
#include "app/base/tape.h"

#define FIRST_NODES 4096 /* no more at the start, however long the text */
#define WORD(n) #n
#define WORDS(n) WORD(n)
#define DEPTH WORDS(LIMIT_JSON_DEPTH)

struct parser {
	struct json doc;
	struct arena *arena;
	const unsigned char *end;
	uint32_t count, room; /* nodes on the tape, and space for them */
	uint32_t open;	      /* the innermost container, or JSON_NONE */
	unsigned depth;
	struct keys keys;
	/* What went wrong, and where. */
	enum err err;
	const char *why;
	const unsigned char *where;
	uint32_t twin; /* the second of two equal keys, or JSON_NONE */
};

static const unsigned char *
fail(struct parser *ps, enum err err, const unsigned char *where,
    const char *why)
{
	ps->err = err;
	ps->where = where;
	ps->why = why;
	return NULL;
}

static const unsigned char *
bad(struct parser *ps, const unsigned char *where, const char *why)
{
	if (where >= ps->end)
		why = "unexpected end";
	return fail(ps, ERR_BAD_JSON, where, why);
}

static const unsigned char *
no_memory(struct parser *ps)
{
	return fail(ps, ERR_INTERNAL, ps->end, "out of memory");
}

/*
 * Room for some more nodes. At worst, text costs a node for each two bytes
 * ("1,") or two for each three ("[],"), and open containers two each.
 */
static bool
grow(struct parser *ps, const unsigned char *p)
{
	size_t most = ps->count + (size_t)(ps->end - p) / 3 * 2 +
	    2 * LIMIT_JSON_DEPTH + 8;
	size_t room = ps->room * (size_t)2;
	uint32_t *tape;

	if (room > most)
		room = most;
	tape = arena_resize(ps->arena, ps->doc.tape, ps->room * (size_t)8,
	    room * 8);
	if (tape == NULL)
		return no_memory(ps) != NULL;
	ps->doc.tape = tape;
	ps->room = (uint32_t)room;
	return true;
}

static void
push(struct parser *ps, enum json_type type, const unsigned char *from,
    const unsigned char *to)
{
	NODE_AT(&ps->doc, ps->count) =
	    (uint32_t)(from - (const unsigned char *)ps->doc.text);
	NODE_INFO(&ps->doc, ps->count) = (uint32_t)(to - from) << 4 | type;
	ps->count++;
}

static const unsigned char *
blank(const unsigned char *p, const unsigned char *end)
{
	while (p < end && *p <= ' ' &&
	    (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static int
hex4(const unsigned char *p)
{
	int i, n = 0;

	for (i = 0; i < 4; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			n = n << 4 | (p[i] - '0');
		else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')
			n = n << 4 | ((p[i] | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return n;
}

/* \uXXXX, and the second half of a pair; p is at the backslash. */
static const unsigned char *
unicode(struct parser *ps, const unsigned char *p)
{
	int n, low;

	if (ps->end - p < 6)
		return bad(ps, ps->end, "");
	n = hex4(p + 2);
	if (n < 0)
		return bad(ps, p, "bad \\u escape");
	if (n == 0)
		return bad(ps, p, "\\u0000 is not allowed");
	if (n < 0xd800 || n > 0xdfff)
		return p + 6;
	if (n > 0xdbff)
		return bad(ps, p, "surrogate without its pair");
	if (ps->end - p < 12)
		low = -1;
	else
		low = p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return bad(ps, p, "surrogate without its pair");
	return p + 12;
}

static const unsigned char *
escape(struct parser *ps, const unsigned char *p)
{
	if (ps->end - p < 2)
		return bad(ps, ps->end, "");
	switch (p[1]) {
	case 'u':
		return unicode(ps, p);
	case '"': case '\\': case '/':
	case 'b': case 'f': case 'n': case 'r': case 't':
		return p + 2;
	default:
		return bad(ps, p, "bad escape");
	}
}

/* A string; p is behind its first quote, the result behind its last. */
static const unsigned char *
string(struct parser *ps, const unsigned char *p)
{
	const unsigned char *from = p, *q;
	uint32_t escaped = 0;

	for (;;) {
		p = scan_plain(p, ps->end);
		if (p == ps->end)
			return bad(ps, p, "");
		if (*p == '"')
			break;
		if (*p == '\\') {
			escaped = NODE_ESCAPED;
			p = escape(ps, p);
			if (p == NULL)
				return NULL;
		} else if (*p >= 0x80) {
			q = scan_utf8(p, ps->end);
			if (q == p || (q < ps->end && *q >= 0x80))
				return bad(ps, q, "invalid UTF-8");
			p = q;
		} else {
			return bad(ps, p, *p == '\0' ? "NUL byte" :
			    "control character in a string");
		}
	}
	push(ps, (enum json_type)(JSON_STRING | escaped), from, p);
	return p + 1;
}

static const unsigned char *
digits(const unsigned char *p, const unsigned char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* At least one digit. */
static const unsigned char *
some_digits(struct parser *ps, const unsigned char *from)
{
	const unsigned char *p = digits(from, ps->end);

	return p == from ? bad(ps, p, "digit expected") : p;
}

static const unsigned char *
exponent(struct parser *ps, const unsigned char *p)
{
	if (p < ps->end && (*p == '+' || *p == '-'))
		p++;
	return some_digits(ps, p);
}

static const unsigned char *
number(struct parser *ps, const unsigned char *p)
{
	const unsigned char *from = p, *whole = *p == '-' ? p + 1 : p;
	bool large;

	p = some_digits(ps, whole);
	if (p == NULL)
		return NULL;
	if (*whole == '0' && p - whole > 1)
		return bad(ps, from, "number with a leading zero");
	large = p - whole > 308; /* fewer digits are below 1e308 */
	if (p < ps->end && *p == '.') {
		p = some_digits(ps, p + 1);
		if (p == NULL)
			return NULL;
	}
	if (p < ps->end && (*p | 0x20) == 'e') {
		p = exponent(ps, p + 1);
		if (p == NULL)
			return NULL;
		large = true;
	}
	if (large && tape_overflows((const char *)from, (size_t)(p - from)))
		return bad(ps, from, "number out of range");
	push(ps, JSON_NUMBER, from, p);
	return p;
}

static const unsigned char *
literal(struct parser *ps, const unsigned char *p, const char *word, size_t n,
    enum json_type type)
{
	if ((size_t)(ps->end - p) < n || memcmp(p, word, n) != 0)
		return bad(ps, p, "value expected");
	push(ps, type, p, p + n);
	return p + n;
}

static const unsigned char *
scalar(struct parser *ps, const unsigned char *p)
{
	switch (*p) {
	case '"':
		return string(ps, p + 1);
	case 't':
		return literal(ps, p, "true", 4, JSON_TRUE);
	case 'f':
		return literal(ps, p, "false", 5, JSON_FALSE);
	case 'n':
		return literal(ps, p, "null", 4, JSON_NULL);
	default:
		if (*p == '-' || (*p >= '0' && *p <= '9'))
			return number(ps, p);
		return bad(ps, p, "value expected");
	}
}

/* A key and its colon, up to the value. */
static const unsigned char *
key(struct parser *ps, const unsigned char *p)
{
	if (p == ps->end || *p != '"')
		return bad(ps, p, "key in double quotes expected");
	p = string(ps, p + 1);
	if (p == NULL)
		return NULL;
	p = blank(p, ps->end);
	if (p == ps->end || *p != ':')
		return bad(ps, p, "':' expected");
	return blank(p + 1, ps->end);
}

/* Are all keys of this object, at the end of the tape, different? */
static bool
check_keys(struct parser *ps, uint32_t object)
{
	uint32_t twin;

	if (!keys_check(&ps->keys, &ps->doc, object, ps->count, &twin))
		return no_memory(ps) != NULL;
	if (twin == JSON_NONE)
		return true;
	ps->twin = twin;
	return bad(ps, (const unsigned char *)NODE_TEXT(&ps->doc, twin) - 1,
	    "duplicate key") != NULL;
}

/* The innermost container ends before p. */
static bool
leave(struct parser *ps, const unsigned char *p)
{
	struct json *d = &ps->doc;
	uint32_t v = ps->open, around = NODE_NEXT(d, v);
	size_t n = (size_t)((const char *)p - NODE_TEXT(d, v));

	if (NODE_TYPE(d, v) == JSON_OBJECT && NODE_COUNT(d, v) > 1 &&
	    !check_keys(ps, v))
		return false;
	NODE_INFO(d, v) = (uint32_t)n << 4 | NODE_TYPE(d, v);
	NODE_NEXT(d, v) = ps->count;
	ps->open = around;
	ps->depth--;
	return true;
}

/*
 * Into an array or object: up to its first value, or, when it is empty, to
 * its end, with *whole set.
 */
static const unsigned char *
enter(struct parser *ps, const unsigned char *p, bool *whole)
{
	bool object = *p == '{';
	uint32_t v = ps->count;

	*whole = false;
	if (ps->depth == LIMIT_JSON_DEPTH)
		return fail(ps, ERR_TOO_LARGE, p,
		    "nested deeper than " DEPTH " levels");
	ps->depth++;
	push(ps, object ? JSON_OBJECT : JSON_ARRAY, p, p);
	ps->count++;
	NODE_NEXT(&ps->doc, v) = ps->open;
	NODE_COUNT(&ps->doc, v) = 0;
	ps->open = v;
	p = blank(p + 1, ps->end);
	if (p < ps->end && *p == (object ? '}' : ']')) {
		*whole = true;
		return leave(ps, p + 1) ? p + 1 : NULL;
	}
	NODE_COUNT(&ps->doc, v) = 1;
	return object ? key(ps, p) : p;
}

/* Behind a value: out of what ends here, up to the next value if any. */
static const unsigned char *
follow(struct parser *ps, const unsigned char *p)
{
	bool object;

	while (ps->open != JSON_NONE) {
		object = NODE_TYPE(&ps->doc, ps->open) == JSON_OBJECT;
		p = blank(p, ps->end);
		if (p < ps->end && *p == ',') {
			NODE_COUNT(&ps->doc, ps->open)++;
			p = blank(p + 1, ps->end);
			return object ? key(ps, p) : p;
		}
		if (p == ps->end || *p != (object ? '}' : ']'))
			return bad(ps, p, object ? "',' or '}' expected" :
			    "',' or ']' expected");
		p++;
		if (!leave(ps, p))
			return NULL;
	}
	return p;
}

static const unsigned char *
document(struct parser *ps, const unsigned char *p)
{
	bool whole;

	p = blank(p, ps->end);
	if (p < ps->end && *p == 0xef)
		return bad(ps, p, "byte order mark");
	do {
		/* One turn pushes at most a container and a key. */
		if (ps->room - ps->count < 4 && !grow(ps, p))
			return NULL;
		if (p == ps->end)
			return bad(ps, p, "");
		whole = true;
		if (*p == '{' || *p == '[')
			p = enter(ps, p, &whole);
		else
			p = scalar(ps, p);
		if (p != NULL && whole)
			p = follow(ps, p);
	} while (p != NULL && ps->open != JSON_NONE);
	if (p == NULL)
		return NULL;
	p = blank(p, ps->end);
	return p == ps->end ? p : bad(ps, p, "text behind the value");
}

/* Take away a character that was cut at the end. */
static void
mend_cut(char *path, size_t len)
{
	const unsigned char *p = (const unsigned char *)path, *end = p + len;

	while (p < end && *p != '\0') {
		p = scan_utf8(scan_ascii(p, end), end);
		if (p < end && *p >= 0x80)
			break;
	}
	path[p - (const unsigned char *)path] = '\0';
}

/* The way to a key of the innermost container: messages[3].role */
static void
twin_path(const struct parser *ps, char *path, size_t size)
{
	uint32_t way[LIMIT_JSON_DEPTH], v, i, n = 0;
	size_t at = 0;
	int len;

	for (v = ps->open; v != JSON_NONE; v = NODE_NEXT(&ps->doc, v))
		way[n++] = v;
	path[0] = '\0';
	for (i = n; i-- > 0 && at < size; ) {
		v = i == 0 ? ps->twin : way[i - 1] - 1;
		if (NODE_TYPE(&ps->doc, way[i]) == JSON_ARRAY)
			len = snprintf(path + at, size - at, "[%u]",
			    NODE_COUNT(&ps->doc, way[i]) - 1);
		else
			len = snprintf(path + at, size - at, "%s%.*s",
			    at == 0 ? "" : ".", (int)NODE_LEN(&ps->doc, v),
			    NODE_TEXT(&ps->doc, v));
		at += (size_t)len;
	}
	mend_cut(path, strlen(path));
}

static enum err
explain(const struct parser *ps, struct fault *f)
{
	const unsigned char *p = (const unsigned char *)ps->doc.text, *line;
	char path[sizeof f->param];
	size_t lines = 1;

	if (f == NULL || ps->err == ERR_INTERNAL)
		return fault_set(f, ps->err, NULL, "%s", ps->why);
	path[0] = '\0';
	if (ps->twin != JSON_NONE)
		twin_path(ps, path, sizeof path);
	for (line = p; p < ps->where; p++)
		if (*p == '\n') {
			lines++;
			line = p + 1;
		}
	return fault_set(f, ps->err, path, "line %zu, column %zu: %s%s%s",
	    lines, (size_t)(ps->where - line) + 1, ps->why,
	    path[0] != '\0' ? " " : "", path);
}

/* Give back what a long text's tape did not need. */
static void
trim(struct parser *ps)
{
	uint32_t *tape;

	if (ps->room <= FIRST_NODES || ps->count > ps->room / 8 * 7)
		return;
	tape = arena_resize(ps->arena, ps->doc.tape, ps->room * (size_t)8,
	    ps->count * (size_t)8);
	if (tape != NULL)
		ps->doc.tape = tape;
}

enum err
json_parse(struct json *doc, struct arena *a, const char *text, size_t len,
    struct fault *f)
{
	struct parser ps = {
		.doc.text = len == 0 ? "" : text, .doc.len = len, .arena = a,
		.open = JSON_NONE, .twin = JSON_NONE,
	};
	const unsigned char *p = (const unsigned char *)ps.doc.text;

	if (len > LIMIT_REPLY)
		return fault_set(f, ERR_TOO_LARGE, NULL,
		    "JSON of more than %zu bytes", (size_t)LIMIT_REPLY);
	ps.end = p + len;
	ps.room = len / 8 > FIRST_NODES ? FIRST_NODES : (uint32_t)len / 8 + 8;
	ps.doc.tape = arena_alloc(a, ps.room * (size_t)8);
	if (ps.doc.tape == NULL)
		no_memory(&ps);
	else
		p = document(&ps, p);
	keys_free(&ps.keys);
	if (ps.err != ERR_OK)
		return explain(&ps, f);
	trim(&ps);
	ps.doc.words = ps.count * 2;
	*doc = ps.doc;
	return ERR_OK;
}
