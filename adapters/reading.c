/* Helpers of the readers of clients' requests. */
#include "adapters/reading.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/base/form.h"

enum err
rd_types(const struct json *doc, const struct rd_member *list,
    size_t count, bool quoted, struct fault *f)
{
	unsigned type;
	size_t i;

	if (json_type(doc, JSON_ROOT) != JSON_OBJECT)
		return fault_set(f, ERR_BAD_REQUEST, NULL,
		    "the body must be a JSON object");
	for (i = 0; i < count; i++) {
		type = 1U << json_type(doc,
		    json_get(doc, JSON_ROOT, list[i].name));
		if ((type & (list[i].types | IS(ABSENT) | IS(NULL))) == 0)
			return fault_set(f, ERR_BAD_REQUEST, list[i].name,
			    quoted ? "'%s' must be %s" : "%s: must be %s",
			    list[i].name, list[i].what);
	}
	return ERR_OK;
}

enum err
rd_positive(const struct json *doc, const char *name, int64_t otherwise,
    int64_t *out, struct fault *f)
{
	uint32_t v = json_get(doc, JSON_ROOT, name);
	int64_t n = otherwise;

	if (json_type(doc, v) == JSON_NUMBER &&
	    (!json_int(doc, v, &n) || n < 1))
		return fault_set(f, ERR_BAD_REQUEST, name,
		    "'%s' must be a positive integer", name);
	*out = n;
	return ERR_OK;
}

unsigned
rd_needs(const struct json *doc, uint32_t content,
    const struct rd_need *list, size_t count)
{
	unsigned needs = 0;
	uint32_t part, type;
	size_t i;

	if (json_type(doc, content) != JSON_ARRAY)
		return 0;
	for (part = json_first(doc, content); part != JSON_NONE;
	    part = json_next(doc, content, part)) {
		type = json_get(doc, part, "type");
		for (i = 0; i < count; i++)
			if (json_is(doc, type, list[i].type))
				needs |= list[i].cap;
	}
	return needs;
}

const char *
rd_word(const struct json *doc, const char *name, struct arena *a)
{
	const char *s = json_cstr(doc, json_get(doc, JSON_ROOT, name), a);

	return s == NULL ? "" : s;
}

enum err
rd_text(const struct reading *r, uint32_t v, struct parts *out)
{
	struct part *p = parts_add(out);

	if (p == NULL)
		return fault_memory(r->fault);
	p->kind = PART_TEXT;
	p->text = canon_str(r->doc, v, r->arena);
	return ERR_OK;
}

uint32_t
rd_get(const struct reading *r, uint32_t obj, const char *key)
{
	return json_get(r->doc, obj, key);
}

struct str
rd_str(const struct reading *r, uint32_t obj, const char *key)
{
	return canon_str(r->doc, json_get(r->doc, obj, key), r->arena);
}

enum err
rd_rest(struct reading *r, uint32_t obj, const char *prefix,
    const char *const *known, size_t count)
{
	return canon_rest(r->chat, r->arena, obj, prefix, known, count,
	    r->fault);
}

enum cache_mark
rd_cache(const struct reading *r, uint32_t obj)
{
	uint32_t mark = json_get(r->doc, obj, "cache_control");

	if (json_type(r->doc, mark) != JSON_OBJECT)
		return CACHE_NONE;
	return json_is(r->doc, json_get(r->doc, mark, "ttl"), "1h") ?
	    CACHE_1H : CACHE_5M;
}

void
rd_pass(struct reading *r, const char *key, enum json_type type,
    struct str *out, uint64_t bit)
{
	uint32_t v = json_get(r->doc, JSON_ROOT, key);

	if (json_type(r->doc, v) != type)
		return;
	*out = type == JSON_STRING ? canon_str(r->doc, v, r->arena) :
	    canon_raw(r->doc, v);
	r->chat->set |= bit;
}

enum err
rd_once(const struct form *form, struct fault *f)
{
	const char *name;
	size_t i, n;

	for (i = 0; i < form->count; i++) {
		name = form->part[i].name;
		n = strlen(name);
		if (form_find(form, name) != &form->part[i] &&
		    (n < 2 || strcmp(name + n - 2, "[]") != 0))
			return fault_set(f, ERR_BAD_REQUEST, name,
			    "'%.64s' is given twice", name);
	}
	return ERR_OK;
}
