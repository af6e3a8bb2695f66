/* JSON Schemas on their way from one dialect into another. */
#include "adapters/canon.h"

#include <string.h>

#include "app/base/json.h"

/* The schema after an edit of its whole tree. */
static struct str
edited(struct arena *a, struct str schema,
    void (*edit)(const struct json *doc, uint32_t v, struct edits *e))
{
	struct json doc;
	struct edits e;
	struct buf b;

	if (schema.p == NULL ||
	    json_parse(&doc, a, schema.p, schema.len, NULL) != ERR_OK)
		return schema;
	edits_init(&e, &doc, a);
	edit(&doc, JSON_ROOT, &e);
	if (edits_none(&e))
		return schema;
	buf_init(&b, LIMIT_BODY_TEXT);
	b.failed |= !edits_apply(&e, &b);
	return canon_take(a, &b);
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
	struct str raw = canon_raw(doc, v), s = edited(a, raw, lower_types);

	return s.p == NULL ? raw : s;
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
	return edited(a, schema, close_objects);
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
