/* Edits, against rows of exact texts and against a plain tree. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "tests/unit/alloc.h"

/*
 * One edit in words: the verb (see below), the way to the container with
 * members by key and elements by number, what in it, and the new raw text.
 */
struct step {
	char verb; /* = set, + add, - remove, ! replace */
	const char *way, *what, *raw;
};

struct row {
	const char *text;
	struct step steps[5];
	const char *want;
};

static const struct row rows[] = {
	{ "{ \"a\" : 1 }", { { 0 } }, "{ \"a\" : 1 }" },
	/* Set: there, not there, in an empty object, twice. */
	{ "{\"a\":1}", { { '=', "", "a", "2" } }, "{\"a\":2}" },
	{ "{ \"a\" : 1 , \"b\":2}", { { '=', "", "a", "[7]" } },
	    "{ \"a\" : [7] , \"b\":2}" },
	{ "{\"a\":1 }", { { '=', "", "b", "2" } }, "{\"a\":1,\"b\":2 }" },
	{ "{}", { { '=', "", "a", "1" } }, "{\"a\":1}" },
	{ "{ }", { { '=', "", "a", "1" }, { '=', "", "b", "2" } },
	    "{\"a\":1,\"b\":2 }" },
	{ "{\"a\":1}", { { '=', "", "a", "2" }, { '=', "", "a", "3" } },
	    "{\"a\":3}" },
	{ "{}", { { '=', "", "a", "1" }, { '=', "", "b", "2" },
	    { '=', "", "a", "3" } }, "{\"a\":3,\"b\":2}" },
	{ "{\"\\u0061\":1}", { { '=', "", "a", "2" } }, "{\"\\u0061\":2}" },
	{ "{}", { { '=', "", "q\"\n", "1" } }, "{\"q\\\"\\n\":1}" },
	{ "{\"a\":\"x\"}", { { '=', "", "a", "\"y\"" } }, "{\"a\":\"y\"}" },
	{ "{\"a\":\"\"}", { { '=', "", "a", "\"y\"" } }, "{\"a\":\"y\"}" },
	{ "{\"a\":{\"b\":{}}}", { { '=', "a b", "c", "1" },
	    { '=', "a", "d", "2" }, { '=', "", "e", "3" } },
	    "{\"a\":{\"b\":{\"c\":1},\"d\":2},\"e\":3}" },
	/* Add. */
	{ "{\"a\":1}", { { '+', "", "b", "2" }, { '+', "", "c", "3" } },
	    "{\"a\":1,\"b\":2,\"c\":3}" },
	{ "{}", { { '+', "", "b", "2" }, { '+', "", "c", "3" } },
	    "{\"b\":2,\"c\":3}" },
	/* Remove: first, middle, last, neighbours, all. */
	{ "{\"a\":1, \"b\":2, \"c\":3}", { { '-', "", "a", "" } },
	    "{\"b\":2, \"c\":3}" },
	{ "{\"a\":1, \"b\":2, \"c\":3}", { { '-', "", "b", "" } },
	    "{\"a\":1, \"c\":3}" },
	{ "{\"a\":1, \"b\":2, \"c\":3 }", { { '-', "", "c", "" } },
	    "{\"a\":1, \"b\":2 }" },
	{ "{\"a\":1, \"b\":2, \"c\":3}", { { '-', "", "a", "" },
	    { '-', "", "b", "" } }, "{\"c\":3}" },
	{ "{\"a\":1, \"b\":2, \"c\":3}", { { '-', "", "c", "" },
	    { '-', "", "b", "" } }, "{\"a\":1}" },
	{ "{\"a\":1, \"b\":2, \"c\":3}", { { '-', "", "c", "" },
	    { '-', "", "a", "" } }, "{\"b\":2}" },
	{ "{ \"a\":1, \"b\":2, \"c\":3 }", { { '-', "", "c", "" },
	    { '-', "", "a", "" }, { '-', "", "b", "" } }, "{  }" },
	{ "{\"a\":1}", { { '-', "", "b", "" } }, "{\"a\":1}" },
	{ "{\"a\":1}", { { '-', "", "a", "" }, { '-', "", "a", "" } }, "{}" },
	/* Together. */
	{ "{\"a\":1}", { { '-', "", "a", "" }, { '=', "", "b", "2" } },
	    "{\"b\":2}" },
	{ "{\"a\":1}", { { '-', "", "a", "" }, { '=', "", "a", "2" } },
	    "{\"a\":2}" },
	{ "{\"a\":1}", { { '=', "", "a", "2" }, { '-', "", "a", "" } },
	    "{}" },
	{ "{\"a\":1}", { { '=', "", "b", "2" }, { '-', "", "b", "" } },
	    "{\"a\":1}" },
	{ "{}", { { '=', "", "b", "2" }, { '-', "", "b", "" },
	    { '=', "", "c", "3" } }, "{\"c\":3}" },
	{ "{}", { { '=', "", "b", "2" }, { '-', "", "b", "" },
	    { '=', "", "b", "3" } }, "{\"b\":3}" },
	{ "{}", { { '+', "", "b", "2" }, { '-', "", "b", "" } }, "{}" },
	{ "{}", { { '+', "", "b", "2" }, { '=', "", "b", "3" } },
	    "{\"b\":3}" },
	{ "{\"a\":1,\"b\":2,\"c\":3}", { { '=', "", "a", "7" },
	    { '-', "", "b", "" }, { '=', "", "c", "9" } },
	    "{\"a\":7,\"c\":9}" },
	{ "{\"a\":1,\"b\":2,\"c\":3}", { { '-', "", "a", "" },
	    { '=', "", "b", "8" }, { '-', "", "c", "" },
	    { '+', "", "d", "4" } }, "{\"b\":8,\"d\":4}" },
	{ "{\"a\":1,\"b\":2}", { { '-', "", "b", "" }, { '-', "", "a", "" },
	    { '+', "", "d", "4" }, { '+', "", "e", "5" } },
	    "{\"d\":4,\"e\":5}" },
	/* Elements. */
	{ "[1, 2, 3]", { { '-', "", "0", "" } }, "[2, 3]" },
	{ "[1, 2, 3]", { { '-', "", "1", "" } }, "[1, 3]" },
	{ "[1, 2, 3 ]", { { '-', "", "2", "" } }, "[1, 2 ]" },
	{ "[1, 2, 3]", { { '-', "", "2", "" }, { '-', "", "0", "" },
	    { '-', "", "1", "" } }, "[]" },
	{ "[1, 2, 3]", { { '-', "", "2", "" }, { '!', "", "1", "[9]" },
	    { '-', "", "0", "" } }, "[[9]]" },
	{ "[\"x\",\"y\"]", { { '-', "", "0", "" }, { '!', "", "1", "0" } },
	    "[0]" },
	{ "[[1],[2,3],[]]", { { '-', "1", "0", "" }, { '-', "", "2", "" },
	    { '-', "0", "0", "" } }, "[[],[3]]" },
	/* What is inside something replaced or removed goes with it. */
	{ "{\"a\":{\"b\":1}}", { { '=', "a", "b", "2" },
	    { '=', "", "a", "0" } }, "{\"a\":0}" },
	{ "{\"a\":{\"b\":1}}", { { '=', "", "a", "0" },
	    { '=', "a", "c", "2" } }, "{\"a\":0}" },
	{ "{\"a\":{\"b\":1},\"z\":0}", { { '-', "a", "b", "" },
	    { '+', "a", "c", "1" }, { '-', "", "a", "" } }, "{\"z\":0}" },
	{ "[{\"a\":{}},1]", { { '+', "0 a", "c", "1" },
	    { '-', "", "0", "" }, { '!', "", "1", "5" } }, "[5]" },
	/* The root. */
	{ " [1] ", { { '!', "", NULL, "{}" } }, " {} " },
	{ " \"s\" ", { { '!', "", NULL, "1" } }, " 1 " },
	/* Nothing to do on the wrong type. */
	{ "[1]", { { '=', "", "a", "1" }, { '+', "", "a", "1" } }, "[1]" },
	{ "{\"a\":1}", { { '=', "a", "b", "1" } }, "{\"a\":1}" },
};

/* The value at one step of a way. */
static uint32_t
member(const struct json *d, uint32_t v, const char *name)
{
	uint32_t e;
	int i;

	if (json_type(d, v) == JSON_OBJECT)
		return json_get(d, v, name);
	e = json_first(d, v);
	for (i = atoi(name); i > 0; i--)
		e = json_next(d, v, e);
	return e;
}

static uint32_t
walk(const struct json *d, const char *way)
{
	uint32_t v = JSON_ROOT;
	char name[8];
	size_t n;

	while (*way != '\0') {
		n = strcspn(way, " ");
		snprintf(name, sizeof name, "%.*s", (int)n, way);
		v = member(d, v, name);
		way += n + (way[n] == ' ');
	}
	return v;
}

static void
take(struct edits *e, const struct json *d, const struct step *s)
{
	uint32_t v = walk(d, s->way);

	if (s->verb == '=')
		edits_set(e, v, s->what, s->raw, strlen(s->raw));
	else if (s->verb == '+')
		edits_add(e, v, s->what, s->raw, strlen(s->raw));
	else if (s->verb == '!')
		edits_replace(e, s->what == NULL ? v : member(d, v, s->what),
		    s->raw, strlen(s->raw));
	else if (json_type(d, v) == JSON_OBJECT)
		edits_remove(e, v, s->what);
	else
		edits_remove_element(e, v, member(d, v, s->what));
}

static void
edits_as_told(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	const struct row *r;
	struct edits e;
	struct json d;
	struct buf out;
	size_t i, k;

	(void)state;
	buf_init(&out, KIB(4));
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		r = &rows[i];
		assert_int_equal(json_parse(&d, a, r->text, strlen(r->text),
		    NULL), ERR_OK);
		edits_init(&e, &d, a);
		assert_true(edits_none(&e));
		for (k = 0; r->steps[k].verb != 0; k++)
			take(&e, &d, &r->steps[k]);
		if (strcmp(r->text, r->want) != 0)
			assert_false(edits_none(&e));
		buf_clear(&out);
		assert_true(edits_apply(&e, &out));
		if (out.len != strlen(r->want) ||
		    memcmp(out.data, r->want, out.len) != 0)
			fail_msg("row %zu: %.*s, not %s", i, (int)out.len,
			    out.data, r->want);
	}
	buf_free(&out);
	arena_free(a);
}

static void
ignores_what_is_not_there(void **state)
{
	static const char text[] = "[[1,2],{\"a\":3},4]";
	struct arena *a = arena_new(LIMIT_ARENA);
	struct edits e;
	struct json d;
	uint32_t inner;

	(void)state;
	assert_int_equal(json_parse(&d, a, text, strlen(text), NULL), ERR_OK);
	edits_init(&e, &d, a);
	edits_replace(&e, JSON_NONE, "1", 1);
	edits_set(&e, JSON_NONE, "a", "1", 1);
	edits_add(&e, JSON_NONE, "a", "1", 1);
	edits_remove(&e, JSON_NONE, "a");
	edits_remove_element(&e, JSON_NONE, 1);
	edits_remove_element(&e, JSON_ROOT, JSON_NONE);
	edits_remove_element(&e, JSON_ROOT, JSON_ROOT);
	inner = json_first(&d, JSON_ROOT);
	edits_remove_element(&e, inner, json_next(&d, JSON_ROOT, inner));
	assert_true(edits_none(&e));
	arena_free(a);
}

/* --- the plain tree --- */

struct item {
	uint32_t node;
	const char *raw; /* of a replaced value */
	bool removed;
	char name[8];
	struct item *child, *last, *next;
};

static struct item *
item_new(struct arena *a, struct item *parent)
{
	struct item *it = arena_zalloc(a, sizeof *it);

	assert_non_null(it);
	if (parent != NULL && parent->last != NULL)
		parent->last->next = it;
	else if (parent != NULL)
		parent->child = it;
	if (parent != NULL)
		parent->last = it;
	return it;
}

static void
tree(struct arena *a, const struct json *d, struct item *it, uint32_t v)
{
	struct item *child;
	uint32_t k;
	char *name;

	it->node = v;
	for (k = json_first(d, v); k != JSON_NONE; k = json_next(d, v, k)) {
		child = item_new(a, it);
		name = json_cstr(d, k, a);
		if (json_type(d, v) == JSON_OBJECT)
			snprintf(child->name, sizeof child->name, "%s", name);
		tree(a, d, child,
		    json_type(d, v) == JSON_OBJECT ? json_value(d, k) : k);
	}
}

/* The tree as text without blanks. */
static void
print_item(struct buf *b, const struct json *d, const struct item *it)
{
	bool object = json_type(d, it->node) == JSON_OBJECT, comma = false;
	const struct item *c;
	const char *raw;
	size_t len;

	if (it->raw != NULL) {
		buf_puts(b, it->raw);
		return;
	}
	if (!object && json_type(d, it->node) != JSON_ARRAY) {
		raw = json_raw(d, it->node, &len);
		buf_put(b, raw, len);
		return;
	}
	buf_putc(b, object ? '{' : '[');
	for (c = it->child; c != NULL; c = c->next) {
		if (c->removed)
			continue;
		if (comma)
			buf_putc(b, ',');
		comma = true;
		if (object)
			buf_printf(b, "\"%s\":", c->name);
		print_item(b, d, c);
	}
	buf_putc(b, object ? '}' : ']');
}

static void
print_text(struct buf *b, struct arena *a, const char *text, size_t len)
{
	struct item *root = item_new(a, NULL);
	struct fault f;
	struct json d;

	if (json_parse(&d, a, text, len, &f) != ERR_OK)
		fail_msg("%.*s: %s", (int)len, text, f.text);
	tree(a, &d, root, JSON_ROOT);
	print_item(b, &d, root);
}

static uint64_t seed = 2463534242u;

static uint32_t
draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static void
blanks(struct buf *b)
{
	if (draw(3) == 0)
		buf_puts(b, draw(2) ? " " : "\n\t");
}

static void
random_text(struct buf *b, int depth)
{
	static const char *const atom[] = { "1", "2.50", "\"s\"", "\"\\n\"",
		"null", "\"\"", "[ ]", "{ }" };
	int object = (int)draw(2), n, i;

	if (depth == 0 || draw(4) == 0) {
		buf_puts(b, atom[draw(8)]);
		if (b->len > 1 && b->data[b->len - 2] == ' ')
			b->data[b->len - 2] = "\n "[draw(2)];
		return;
	}
	buf_putc(b, object ? '{' : '[');
	n = (int)draw(5);
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		blanks(b);
		if (object) {
			buf_printf(b, "\"%c\"", 'a' + i);
			blanks(b);
			buf_putc(b, ':');
			blanks(b);
		}
		random_text(b, depth - 1);
		blanks(b);
	}
	buf_putc(b, object ? '}' : ']');
}

/* Some value that is not the root, and what it is in. */
static struct item *
pick(struct item *it, struct item **parent)
{
	struct item *c;
	uint32_t n;

	for (;;) {
		for (n = 0, c = it->child; c != NULL; c = c->next)
			n += c->node != JSON_NONE;
		if (n == 0)
			return NULL;
		n = draw(n);
		for (c = it->child; n > 0 || c->node == JSON_NONE; c = c->next)
			n -= c->node != JSON_NONE;
		*parent = it;
		if (draw(2) == 0)
			return c;
		if (c->child == NULL)
			return c;
		it = c;
	}
}

/* Set or remove a pair that the text has not. */
static void
edit_new(struct arena *a, struct edits *e, struct item *obj, const char *raw)
{
	static unsigned serial;
	struct item *c, *found = NULL;
	char name[8];

	snprintf(name, sizeof name, "n%u", draw(3));
	if (draw(4) == 0) { /* edits_add: never a name that is there */
		snprintf(name, sizeof name, "x%u", serial++ % 100000);
		edits_add(e, obj->node, name, raw, strlen(raw));
	} else {
		for (c = obj->child; c != NULL; c = c->next)
			if (strcmp(c->name, name) == 0 && !c->removed)
				found = c;
		if (draw(3) == 0) {
			edits_remove(e, obj->node, name);
			if (found != NULL)
				found->removed = true;
			return;
		}
		edits_set(e, obj->node, name, raw, strlen(raw));
		if (found != NULL) {
			found->raw = raw;
			return;
		}
	}
	c = item_new(a, obj);
	memcpy(c->name, name, sizeof name);
	c->node = JSON_NONE;
	c->raw = raw;
}

static void
edit_somewhere(struct arena *a, struct edits *e, const struct json *d,
    struct item *root)
{
	static const char *const raws[] = { "1e5", "\"new\"", "[]", "{}",
		"[1,{\"k\":2}]", "null" };
	const char *raw = raws[draw(6)];
	struct item *parent, *it = pick(root, &parent);
	bool object;

	if (it == NULL)
		return;
	object = json_type(d, parent->node) == JSON_OBJECT;
	if (json_type(d, it->node) == JSON_OBJECT && draw(3) == 0) {
		edit_new(a, e, it, raw);
		return;
	}
	if (draw(2) == 0) {
		it->removed = true;
		if (object)
			edits_remove(e, parent->node, it->name);
		else
			edits_remove_element(e, parent->node, it->node);
		return;
	}
	it->removed = false;
	it->raw = raw;
	if (object && draw(2) == 0)
		edits_set(e, parent->node, it->name, raw, strlen(raw));
	else
		edits_replace(e, it->node, raw, strlen(raw));
}

static void
agrees_with_a_tree(void **state)
{
	struct buf text, out, got, want;
	struct item *root;
	struct arena *a;
	struct edits e;
	struct json d;
	int turn, n;

	(void)state;
	buf_init(&text, KIB(64));
	buf_init(&out, KIB(64));
	buf_init(&got, KIB(64));
	buf_init(&want, KIB(64));
	for (turn = 0; turn < 20000; turn++) {
		a = arena_new(LIMIT_ARENA);
		buf_clear(&text);
		buf_clear(&out);
		buf_clear(&got);
		buf_clear(&want);
		random_text(&text, 4);
		assert_int_equal(json_parse(&d, a, text.data, text.len, NULL),
		    ERR_OK);
		root = item_new(a, NULL);
		tree(a, &d, root, JSON_ROOT);
		edits_init(&e, &d, a);
		for (n = (int)draw(8); n > 0; n--)
			edit_somewhere(a, &e, &d, root);
		assert_true(edits_apply(&e, &out));
		print_item(&want, &d, root);
		print_text(&got, a, out.data, out.len);
		if (got.len != want.len ||
		    memcmp(got.data, want.data, got.len) != 0)
			fail_msg("%.*s\n%.*s\n%.*s", (int)text.len, text.data,
			    (int)out.len, out.data, (int)want.len, want.data);
		arena_free(a);
	}
	buf_free(&text);
	buf_free(&out);
	buf_free(&got);
	buf_free(&want);
}

/* As many edits as a hostile request can ask for stay quick. */
static void
takes_many_edits(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA);
	struct edits e;
	struct json d;
	struct buf text, out;
	uint32_t arr, v;
	int i;

	(void)state;
	buf_init(&text, LIMIT_BODY);
	buf_init(&out, LIMIT_BODY);
	buf_puts(&text, "{\"m\":[0");
	for (i = 0; i < 100000; i++)
		buf_puts(&text, ",{\"role\":1,\"cache\":2,\"x\":3}");
	buf_puts(&text, "]}");
	assert_int_equal(json_parse(&d, a, text.data, text.len, NULL), ERR_OK);
	edits_init(&e, &d, a);
	arr = json_get(&d, JSON_ROOT, "m");
	i = 0;
	for (v = json_first(&d, arr); v != JSON_NONE;
	    v = json_next(&d, arr, v), i++) {
		edits_remove(&e, v, "cache");
		edits_remove(&e, v, "not there");
		edits_set(&e, v, "new", "4", 1);
		if (i % 2 == 0)
			edits_remove_element(&e, arr, v);
	}
	assert_true(edits_apply(&e, &out));
	assert_int_equal(out.len, 6 + 2 + 50000 *
	    (sizeof ",{\"role\":1,\"x\":3,\"new\":4}" - 1) - 1);
	assert_memory_equal(out.data, "{\"m\":[{\"role\":1,\"x\":3,\"new\":4},",
	    31);
	buf_free(&text);
	buf_free(&out);
	arena_free(a);
}

static void
survives_lack_of_memory(void **state)
{
	static const char text[] = "{\"a\":1,\"b\":[1,2,3]}";
	struct arena *a;
	struct edits e;
	struct json d;
	struct buf out;
	size_t k;
	bool ok;
	int i;

	(void)state;
	for (k = 1;; k++) {
		alloc_fail(0);
		a = arena_new(LIMIT_ARENA);
		buf_init(&out, KIB(64));
		assert_int_equal(json_parse(&d, a, text, strlen(text), NULL),
		    ERR_OK);
		edits_init(&e, &d, a);
		alloc_fail(k);
		for (i = 0; i < 200; i++)
			edits_set(&e, JSON_ROOT, i % 2 ? "new" : "a", "0", 1);
		ok = edits_apply(&e, &out);
		if (alloc_failed()) {
			assert_false(ok);
			if (e.failed)
				assert_false(edits_none(&e));
		}
		buf_free(&out);
		arena_free(a);
		if (!alloc_failed())
			break;
	}
	alloc_fail(0);
	assert_true(ok);
	assert_in_range(k, 3, 1000);
	/* A buffer that is too small. */
	a = arena_new(LIMIT_ARENA);
	buf_init(&out, 10);
	assert_int_equal(json_parse(&d, a, text, strlen(text), NULL), ERR_OK);
	edits_init(&e, &d, a);
	assert_false(edits_apply(&e, &out));
	edits_set(&e, JSON_ROOT, "a", "2", 1);
	buf_clear(&out);
	assert_false(edits_apply(&e, &out));
	buf_free(&out);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_as_told),
		cmocka_unit_test(ignores_what_is_not_there),
		cmocka_unit_test(agrees_with_a_tree),
		cmocka_unit_test(takes_many_edits),
		cmocka_unit_test(survives_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
