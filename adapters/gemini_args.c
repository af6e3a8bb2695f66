/* A tree of values that grows along paths. */
#include "adapters/gemini_args.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/gemini.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

#define VALUES_MAX 8192
#define DEPTH_MAX 32

enum value_kind {
	VALUE_NOTHING,
	VALUE_OBJECT,
	VALUE_ARRAY,
	VALUE_STRING,
	VALUE_RAW
};

struct value {
	struct value *next, *first, *last; /* siblings; members or elements */
	struct str key;	     /* of a member */
	enum value_kind kind;
	struct growing text; /* STRING: its content; RAW: JSON */
};

struct gemini_args {
	struct arena *arena;
	struct value root;
	int values;
};

struct gemini_args *
gemini_args_new(struct arena *a)
{
	struct gemini_args *g = arena_zalloc(a, sizeof *g);

	if (g != NULL) {
		g->arena = a;
		g->root.kind = VALUE_OBJECT;
	}
	return g;
}

/* --------------------------------------------------------------- paths */

/* A step of a path: a name, or a number (name.p NULL). */
struct step {
	struct str name;
	int64_t number;
};

/* 'it''s' and "so": up to the closing quote, \ before what is meant so. */
static bool
read_quoted(const char **at, const char *end, struct arena *a,
    struct str *out)
{
	const char quote = **at, *p = *at + 1;
	char *copy = arena_alloc(a, (size_t)(end - p) + 1);
	size_t n = 0;

	if (copy == NULL)
		return false;
	for (; p < end && *p != quote; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		copy[n++] = *p;
	}
	if (p == end)
		return false;
	*at = p + 1;
	*out = (struct str){ copy, n };
	return true;
}

static bool
read_number(const char **at, const char *end, int64_t *out)
{
	const char *p = *at;

	for (*out = 0; p < end && *p >= '0' && *p <= '9'; p++)
		if ((*out = *out * 10 + (*p - '0')) > VALUES_MAX)
			return false;
	if (p == *at)
		return false;
	*at = p;
	return true;
}

/* ".name", "[3]", "['name']". */
static bool
read_step(const char **at, const char *end, struct arena *a,
    struct step *out)
{
	const char *p = *at + 1;

	*out = (struct step){ { NULL, 0 }, 0 };
	if (p >= end)
		return false;
	if (**at == '.') {
		out->name.p = p;
		while (p < end && *p != '.' && *p != '[')
			p++;
		out->name.len = (size_t)(p - out->name.p);
		*at = p;
		return out->name.len > 0;
	}
	if (**at != '[')
		return false;
	*at = p;
	if (!(*p == '\'' || *p == '"' ? read_quoted(at, end, a, &out->name) :
	    read_number(at, end, &out->number)))
		return false;
	return *at < end && *(*at)++ == ']';
}

/* --------------------------------------------------------------- values */

static struct value *
add_value(struct gemini_args *g, struct value *to, struct str key)
{
	struct value *v = g->values++ < VALUES_MAX ?
	    arena_zalloc(g->arena, sizeof *v) : NULL;

	if (v == NULL)
		return NULL;
	v->key = canon_keep(g->arena, key);
	if (v->key.len < key.len)
		return NULL;
	if (to->last == NULL)
		to->first = v;
	else
		to->last->next = v;
	return to->last = v;
}

/* The member of that name, or the element of that number; made where it is
 * not there. NULL: it cannot be. */
static struct value *
descend(struct gemini_args *g, struct value *v, const struct step *s)
{
	enum value_kind kind = s->name.p != NULL ? VALUE_OBJECT : VALUE_ARRAY;
	struct value *c = v->first;
	int64_t n = s->number;

	if (v->kind == VALUE_NOTHING)
		v->kind = kind;
	if (v->kind != kind)
		return NULL;
	if (kind == VALUE_OBJECT) {
		while (c != NULL && !canon_same(c->key, s->name))
			c = c->next;
		return c != NULL ? c : add_value(g, v, s->name);
	}
	for (; c != NULL && n > 0; n--)
		c = c->next;
	while (c == NULL && n-- >= 0) /* those between are not told of yet */
		if (add_value(g, v, (struct str){ NULL, 0 }) == NULL)
			return NULL;
	return c != NULL ? c : v->last;
}

static struct value *
find(struct gemini_args *g, struct str path)
{
	struct value *v = &g->root;
	const char *p, *end;
	struct step step;
	int depth = 0;

	if (path.len < 2 || *path.p != '$')
		return NULL;
	p = path.p + 1;
	end = path.p + path.len;
	while (p < end && v != NULL) {
		if (++depth > DEPTH_MAX || !read_step(&p, end, g->arena,
		    &step))
			return NULL;
		v = descend(g, v, &step);
	}
	return v;
}

static bool
set_string(struct gemini_args *g, struct value *v, struct str more)
{
	if (v->kind == VALUE_NOTHING)
		v->kind = VALUE_STRING;
	return v->kind == VALUE_STRING && canon_grow(g->arena, &v->text, more);
}

static bool
set_raw(struct gemini_args *g, struct value *v, struct str raw)
{
	if (v->kind != VALUE_NOTHING)
		return false;
	v->kind = VALUE_RAW;
	return canon_grow(g->arena, &v->text, raw);
}

static bool
add_part(struct gemini_args *g, const struct json *doc, uint32_t part)
{
	struct value *v = find(g, canon_str(doc, gemini_get(doc, part,
	    "jsonPath"), g->arena));
	uint32_t s = gemini_get(doc, part, "stringValue");
	uint32_t n = gemini_get(doc, part, "numberValue");
	uint32_t b = gemini_get(doc, part, "boolValue");

	if (v == NULL)
		return false;
	if (json_type(doc, s) == JSON_STRING)
		return set_string(g, v, canon_str(doc, s, g->arena));
	if (json_type(doc, n) == JSON_NUMBER)
		return set_raw(g, v, canon_raw(doc, n));
	if (json_type(doc, b) == JSON_TRUE || json_type(doc, b) == JSON_FALSE)
		return set_raw(g, v, canon_raw(doc, b));
	return gemini_get(doc, part, "nullValue") == JSON_NONE ||
	    set_raw(g, v, canon_lit("null"));
}

bool
gemini_args_add(struct gemini_args *g, const struct json *doc, uint32_t parts)
{
	uint32_t p;

	for (p = json_first(doc, parts); p != JSON_NONE;
	    p = json_next(doc, parts, p))
		if (!add_part(g, doc, p))
			return false;
	return true;
}

/* As deep as paths may be. */
static void
write_value(struct json_writer *w, const struct value *v)
{
	const struct value *c;

	switch (v->kind) {
	case VALUE_OBJECT:
		jw_object(w);
		for (c = v->first; c != NULL; c = c->next) {
			jw_key(w, c->key.p == NULL ? "" : c->key.p);
			write_value(w, c);
		}
		jw_end_object(w);
		break;
	case VALUE_ARRAY:
		jw_array(w);
		for (c = v->first; c != NULL; c = c->next)
			write_value(w, c);
		jw_end_array(w);
		break;
	case VALUE_STRING:
		jw_stringn(w, v->text.p == NULL ? "" : v->text.p,
		    v->text.len);
		break;
	case VALUE_RAW:
		jw_raw(w, v->text.p, v->text.len);
		break;
	case VALUE_NOTHING:
		jw_null(w);
		break;
	}
}

struct str
gemini_args_text(const struct gemini_args *g, struct arena *a)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, LIMIT_REPLY);
	jw_init(&w, &b);
	write_value(&w, &g->root);
	return canon_take(a, &b);
}
