/*
 * Any bytes to the parser. What it takes, json-c must take and see alike;
 * written anew it must be the same; edited it must still be JSON. And any
 * bytes at all, quoted, are a string.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/base/siphash.h"
#include "tests/unit/jsonc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "not so: %s\n", what);
		abort();
	}
}

static uint32_t
draw(uint64_t *seed, uint32_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 33) % below;
}

/* Depth is bounded by the parser. */
static void
rewrite(struct json_writer *w, const struct json *d, uint32_t v,
    struct arena *a)
{
	bool object = json_type(d, v) == JSON_OBJECT;
	const char *s;
	size_t len;
	uint32_t k;

	if (json_type(d, v) == JSON_STRING) {
		s = json_str(d, v, a, &len);
		jw_stringn(w, s, len);
	} else if (!object && json_type(d, v) != JSON_ARRAY) {
		s = json_raw(d, v, &len);
		jw_raw(w, s, len);
	} else {
		(object ? jw_object : jw_array)(w);
		for (k = json_first(d, v); k != JSON_NONE;
		    k = json_next(d, v, k)) {
			if (object)
				jw_key(w, json_cstr(d, k, a));
			rewrite(w, d, object ? json_value(d, k) : k, a);
		}
		(object ? jw_end_object : jw_end_array)(w);
	}
}

static void
round_trip(const struct json *d, struct arena *a)
{
	struct json_writer w;
	struct buf once, twice;
	struct json again;

	buf_init(&once, MIB(16));
	buf_init(&twice, MIB(16));
	jw_init(&w, &once);
	rewrite(&w, d, JSON_ROOT, a);
	demand(json_parse(&again, a, once.data, once.len, NULL) == ERR_OK,
	    "what was written is taken");
	demand(json_count(&again, 0) == json_count(d, 0) &&
	    again.words == d->words, "as much came back");
	jw_init(&w, &twice);
	rewrite(&w, &again, JSON_ROOT, a);
	demand(once.len == twice.len &&
	    memcmp(once.data, twice.data, once.len) == 0, "the same twice");
	buf_free(&once);
	buf_free(&twice);
}

/* One edit of something in v or below. */
static void
edit(struct edits *e, const struct json *d, uint32_t v, struct arena *a,
    uint64_t *seed)
{
	uint32_t k, n, value;
	bool object;

	for (;;) {
		object = json_type(d, v) == JSON_OBJECT;
		if (object && draw(seed, 3) == 0) {
			edits_set(e, v, draw(seed, 2) ? "new" : "model",
			    "[1]", 3);
			return;
		}
		n = json_count(d, v);
		if (n == 0)
			return;
		k = json_first(d, v);
		for (n = draw(seed, n); n > 0; n--)
			k = json_next(d, v, k);
		value = object ? json_value(d, k) : k;
		if (draw(seed, 2) == 0 || json_count(d, value) == 0)
			break;
		v = value;
	}
	if (draw(seed, 2) == 0)
		edits_replace(e, value, "{\"r\":0}", 7);
	else if (object)
		edits_remove(e, v, json_cstr(d, k, a));
	else
		edits_remove_element(e, v, k);
}

static void
try_edits(const struct json *d, struct arena *a, uint64_t seed)
{
	struct json after;
	struct edits e;
	struct buf out;
	uint32_t n;

	buf_init(&out, MIB(16));
	edits_init(&e, d, a);
	for (n = draw(&seed, 12); n > 0; n--)
		edit(&e, d, JSON_ROOT, a, &seed);
	demand(edits_apply(&e, &out), "edits apply");
	/* A new value may be deeper than what it replaced. */
	n = json_parse(&after, a, out.data, out.len, NULL);
	demand(n == ERR_OK || n == ERR_TOO_LARGE, "what was edited is taken");
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t key[2] = { 1, 2 };
	struct arena *a = arena_new(LIMIT_ARENA);
	const char *text = (const char *)data, *why;
	struct fault f;
	struct json d;
	struct buf b;

	demand(a != NULL, "memory");
	buf_init(&b, MIB(16));
	json_quote(&b, text, size);
	demand(json_parse(&d, a, b.data, b.len, &f) == ERR_OK, "quoted");
	buf_free(&b);
	if (json_parse(&d, a, text, size, &f) == ERR_OK) {
		why = jsonc_differs(&d);
		demand(why == NULL, why);
		round_trip(&d, a);
		try_edits(&d, a, siphash(key, data, size) | 1);
	} else {
		demand(f.code == ERR_BAD_JSON || f.code == ERR_TOO_LARGE,
		    "a clear error");
		demand(strncmp(f.text, "line ", 5) == 0, "a place");
	}
	arena_free(a);
	return 0;
}
