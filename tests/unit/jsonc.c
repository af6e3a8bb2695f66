/* Comparing a tape with the tree of json-c, value by value. */
#include "tests/unit/jsonc.h"

#include <stdlib.h>
#include <string.h>

#define json_type jsonc_type /* the one name that both have */
#include <json-c/json.h>
#undef json_type

#include "app/base/arena.h"
#include "app/base/limits.h"

/*
 * json-c 0.16 takes an escaped character beyond U+FFFF for half of a pair
 * when its low 16 bits look like one (U+1DA00): there it is no judge.
 */
static bool
jsonc_errs(const char *p, size_t len)
{
	size_t i;
	unsigned c;

	for (i = 0; i + 3 < len; i++) {
		c = ((unsigned)(unsigned char)p[i + 1] & 0x3f) << 12 |
		    ((unsigned)(unsigned char)p[i + 2] & 0x3f) << 6;
		if (((unsigned char)p[i] & 0xf8) == 0xf0 &&
		    (c & 0xf800) == 0xd800)
			return true;
	}
	return false;
}

static const char *value(const struct json *doc, uint32_t v,
    struct arena *a, struct json_object *o);

static const char *
string(const struct json *doc, uint32_t v, struct arena *a, const char *s,
    size_t n)
{
	const char *ours;
	size_t len;

	ours = json_str(doc, v, a, &len);
	if (ours == NULL)
		return "a string is none";
	if (len != n || memcmp(ours, s, n) != 0)
		return jsonc_errs(ours, len) ? NULL : "string content";
	if (json_nonempty(doc, v) != (n > 0))
		return "nonempty";
	ours = json_cstr(doc, v, a);
	if (ours == NULL || strlen(ours) != n || memcmp(ours, s, n) != 0)
		return "C string";
	return json_is(doc, v, ours) ? NULL : "json_is";
}

static const char *
number(const struct json *doc, uint32_t v, struct json_object *o)
{
	int64_t n;
	double d;

	if (json_type(doc, v) != JSON_NUMBER || !json_double(doc, v, &d))
		return "a number is none";
	if (d != json_object_get_double(o) &&
	    json_object_is_type(o, json_type_double))
		return "double value";
	if (json_int(doc, v, &n)) {
		if (json_object_is_type(o, json_type_int))
			return n == json_object_get_int64(o) ? NULL : "integer";
		return (double)n == d ? NULL : "integer from a double";
	}
	if (json_object_is_type(o, json_type_int) && d < 9.2e18 && d > -9.2e18)
		return "an integer is none";
	return NULL;
}

static const char *
array(const struct json *doc, uint32_t v, struct arena *a,
    struct json_object *o)
{
	size_t i = 0, n = json_object_array_length(o);
	const char *why;
	uint32_t e;

	if (json_type(doc, v) != JSON_ARRAY || json_count(doc, v) != n)
		return "array length";
	for (e = json_first(doc, v); e != JSON_NONE; e = json_next(doc, v, e)) {
		if (i == n)
			return "array too long";
		why = value(doc, e, a, json_object_array_get_idx(o, i++));
		if (why != NULL)
			return why;
	}
	return i == n ? NULL : "array too short";
}

static const char *
object(const struct json *doc, uint32_t v, struct arena *a,
    struct json_object *o)
{
	uint32_t k = json_first(doc, v);
	const char *why;

	if (json_type(doc, v) != JSON_OBJECT ||
	    json_count(doc, v) != (uint32_t)json_object_object_length(o))
		return "object size";
	json_object_object_foreach(o, name, val) {
		why = string(doc, k, a, name, strlen(name));
		if (why != NULL)
			return why;
		if (json_get(doc, v, name) != json_value(doc, k))
			return "json_get";
		why = value(doc, json_value(doc, k), a, val);
		if (why != NULL)
			return why;
		k = json_next(doc, v, k);
	}
	return k == JSON_NONE ? NULL : "object too long";
}

static const char *
value(const struct json *doc, uint32_t v, struct arena *a,
    struct json_object *o)
{
	switch (json_object_get_type(o)) {
	case json_type_null:
		return json_type(doc, v) == JSON_NULL ? NULL : "null";
	case json_type_boolean:
		return json_type(doc, v) == (json_object_get_boolean(o) ?
		    JSON_TRUE : JSON_FALSE) ? NULL : "boolean";
	case json_type_int:
	case json_type_double:
		return number(doc, v, o);
	case json_type_string:
		return string(doc, v, a, json_object_get_string(o),
		    (size_t)json_object_get_string_len(o));
	case json_type_array:
		return array(doc, v, a, o);
	case json_type_object:
		return object(doc, v, a, o);
	}
	return "a type of its own";
}

const char *
jsonc_differs(const struct json *doc)
{
	struct json_tokener *tok = json_tokener_new_ex(LIMIT_JSON_DEPTH + 2);
	struct arena *a = arena_new(LIMIT_ARENA);
	struct json_object *o = NULL;
	const char *why = "memory";
	char *text = malloc(doc->len + 1);

	if (tok != NULL && a != NULL && text != NULL) {
		memcpy(text, doc->text, doc->len);
		text[doc->len] = '\0';
		o = json_tokener_parse_ex(tok, text, (int)doc->len + 1);
		if (json_tokener_get_error(tok) != json_tokener_success)
			why = json_tokener_error_desc(
			    json_tokener_get_error(tok));
		else
			why = value(doc, JSON_ROOT, a, o);
	}
	json_object_put(o);
	json_tokener_free(tok);
	arena_free(a);
	free(text);
	return why;
}
