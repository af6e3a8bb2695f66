/*
 * Edits: gathered in the order of the calls, worked into a list of splices
 * (text from..to becomes something else), and applied in one pass. Where two
 * splices overlap the outer one wins.
 */
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/tape.h"

enum kind {
	REPLACE, /* node by raw */
	REMOVE,	 /* element, or value with its key, from container */
	PUT,	 /* a key that the container has not: replace or append */
	ADD,	 /* append */
	DROP	 /* undo a PUT or ADD */
};

struct edit {
	enum kind kind;
	uint32_t node, container;
	size_t order; /* of the calls */
	const char *key; /* of PUT, ADD and DROP */
	const char *raw;
	size_t len;
};

struct splice {
	size_t from, to;
	size_t order; /* among splices at the same place */
	bool comma;   /* one before the text */
	const struct edit *edit; /* what comes in, or NULL */
};

/* What edits_apply works on. */
struct work {
	const struct json *doc;
	struct splice *list;
	size_t count;
};

void
edits_init(struct edits *e, const struct json *doc, struct arena *a)
{
	memset(e, 0, sizeof *e);
	e->doc = doc;
	e->arena = a;
}

static void
gather(struct edits *e, struct edit edit)
{
	size_t size = e->size == 0 ? 8 : e->size * 2;
	struct edit *list;

	if (e->count == e->size) {
		list = arena_resize(e->arena, e->list, e->size * sizeof *list,
		    size * sizeof *list);
		if (list == NULL) {
			e->failed = true;
			return;
		}
		e->list = list;
		e->size = size;
	}
	edit.order = e->count;
	e->list[e->count++] = edit;
}

/* An edit of a pair that is not in the text; the key is copied. */
static void
gather_key(struct edits *e, enum kind kind, uint32_t obj, const char *key,
    const char *raw, size_t len)
{
	key = arena_str(e->arena, key);
	if (key == NULL)
		e->failed = true;
	else if (json_type(e->doc, obj) == JSON_OBJECT)
		gather(e, (struct edit){ .kind = kind, .container = obj,
		    .key = key, .raw = raw, .len = len });
}

void
edits_replace(struct edits *e, uint32_t v, const char *raw, size_t len)
{
	if (json_type(e->doc, v) != JSON_ABSENT)
		gather(e, (struct edit){ .kind = REPLACE, .node = v,
		    .raw = raw, .len = len });
}

void
edits_set(struct edits *e, uint32_t obj, const char *key, const char *raw,
    size_t len)
{
	uint32_t v = json_get(e->doc, obj, key);

	if (v != JSON_NONE)
		edits_replace(e, v, raw, len);
	else
		gather_key(e, PUT, obj, key, raw, len);
}

void
edits_add(struct edits *e, uint32_t obj, const char *key, const char *raw,
    size_t len)
{
	gather_key(e, ADD, obj, key, raw, len);
}

void
edits_remove(struct edits *e, uint32_t obj, const char *key)
{
	uint32_t v = json_get(e->doc, obj, key);

	if (v != JSON_NONE)
		gather(e, (struct edit){ .kind = REMOVE, .node = v,
		    .container = obj });
	else if (e->count > 0)
		gather_key(e, DROP, obj, key, NULL, 0);
}

void
edits_remove_element(struct edits *e, uint32_t arr, uint32_t v)
{
	if (json_type(e->doc, arr) == JSON_ARRAY && v > arr + 1 &&
	    v < NODE_NEXT(e->doc, arr))
		gather(e, (struct edit){ .kind = REMOVE, .node = v,
		    .container = arr });
}

bool
edits_none(const struct edits *e)
{
	return e->count == 0 && !e->failed;
}

static int
compare(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

/* Edits of the same node side by side, in the order of the calls. */
static int
by_node(const void *pa, const void *pb)
{
	const struct edit *a = pa, *b = pb;
	int c = compare(a->kind >= PUT, b->kind >= PUT);

	if (c == 0)
		c = a->kind >= PUT ? compare(a->container, b->container) :
		    compare(a->node, b->node);
	return c != 0 ? c : compare(a->order, b->order);
}

/* Removals first, those of one container side by side, as in the text. */
static int
by_container(const void *pa, const void *pb)
{
	const struct edit *a = pa, *b = pb;
	int c = compare(a->kind != REMOVE, b->kind != REMOVE);

	if (c == 0 && a->kind == REMOVE)
		c = compare(a->container, b->container);
	return c != 0 ? c : compare(a->node, b->node);
}

static int
by_place(const void *pa, const void *pb)
{
	const struct splice *a = pa, *b = pb;
	int c = compare(a->from, b->from);

	return c != 0 ? c : compare(a->order, b->order);
}

/* Where the raw text of a node starts and ends. */
static size_t
start_of(const struct json *doc, uint32_t v)
{
	return NODE_AT(doc, v) - (NODE_TYPE(doc, v) == JSON_STRING ? 1u : 0u);
}

static size_t
end_of(const struct json *doc, uint32_t v)
{
	return NODE_AT(doc, v) + NODE_LEN(doc, v) +
	    (NODE_TYPE(doc, v) == JSON_STRING ? 1u : 0u);
}

static void
splice(struct work *w, size_t from, size_t to, bool comma,
    const struct edit *edit)
{
	w->list[w->count] = (struct splice){ .from = from, .to = to,
		.order = w->count, .comma = comma, .edit = edit };
	w->count++;
}

/* Of several edits of one node only the last counts. */
static size_t
keep_last(struct edit *list, size_t n)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++)
		if (i + 1 == n || list[i + 1].node != list[i].node)
			list[kept++] = list[i];
	return kept;
}

/*
 * The n removals of one container, in the order of the text. A run of them
 * goes with what separates it from its right neighbour, at the end of the
 * container from its left one.
 */
static void
remove_runs(struct work *w, const struct edit *list, size_t n)
{
	const struct json *d = w->doc;
	uint32_t container = list[0].container, v, value, kept = JSON_NONE;
	uint32_t run = JSON_NONE;
	size_t i = 0, end = 0;

	for (v = json_first(d, container); v != JSON_NONE;
	    v = json_next(d, container, v)) {
		value = NODE_TYPE(d, container) == JSON_OBJECT ? v + 1 : v;
		while (i < n && list[i].node < value)
			i++; /* not one of this container's own */
		if (i < n && list[i].node == value) {
			if (run == JSON_NONE)
				run = v;
			end = end_of(d, value);
			i++;
			continue;
		}
		if (run != JSON_NONE)
			splice(w, start_of(d, run), start_of(d, v), false,
			    NULL);
		run = JSON_NONE;
		kept = value;
	}
	if (run != JSON_NONE)
		splice(w, kept == JSON_NONE ? start_of(d, run) :
		    end_of(d, kept), end, false, NULL);
}

/* How many of the first n edits (removals, sorted) are of this container. */
static uint32_t
count_removed(const struct edit *list, size_t n, uint32_t container)
{
	size_t low = 0, high = n, mid;
	uint32_t count = 0;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (list[mid].container < container)
			low = mid + 1;
		else
			high = mid;
	}
	while (low < n && list[low++].container == container)
		count++;
	return count;
}

/*
 * The n additions to one object, in the order of the calls: the last PUT of
 * a key stands at the place of its first one.
 */
static void
settle(struct edit *list, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		if (list[i].kind == ADD)
			continue;
		for (k = 0; k < i; k++) {
			if (list[k].kind == DROP ||
			    strcmp(list[k].key, list[i].key) != 0)
				continue;
			if (list[i].kind == PUT) {
				list[k].raw = list[i].raw;
				list[k].len = list[i].len;
				list[i].kind = DROP;
				break;
			}
			list[k].kind = DROP;
		}
	}
}

static void
append(struct work *w, const struct edit *list, size_t n, uint32_t left)
{
	const struct json *d = w->doc;
	uint32_t obj = list[0].container, v, last = JSON_NONE;
	size_t i, at = start_of(d, obj) + 1;
	bool comma = left > 0;

	for (v = json_first(d, obj); v != JSON_NONE; v = json_next(d, obj, v))
		last = v + 1;
	if (last != JSON_NONE)
		at = end_of(d, last);
	for (i = 0; i < n; i++) {
		if (list[i].kind == DROP)
			continue;
		splice(w, at, at, comma, &list[i]);
		comma = true;
	}
}

/* The whole list of splices from the edits. */
static void
plan(struct work *w, struct edit *list, size_t n)
{
	size_t i, k, old = 0, removed = 0;

	qsort(list, n, sizeof *list, by_node);
	while (old < n && list[old].kind < PUT)
		old++;
	k = keep_last(list, old);
	qsort(list, k, sizeof *list, by_container);
	while (removed < k && list[removed].kind == REMOVE)
		removed++;
	for (i = removed; i < k; i++)
		splice(w, start_of(w->doc, list[i].node),
		    end_of(w->doc, list[i].node), false, &list[i]);
	for (i = 0; i < removed; i = k) {
		for (k = i; k < removed &&
		    list[k].container == list[i].container; k++)
			;
		remove_runs(w, list + i, k - i);
	}
	for (i = old; i < n; i = k) {
		for (k = i; k < n && list[k].container == list[i].container;
		    k++)
			;
		settle(list + i, k - i);
		append(w, list + i, k - i,
		    json_count(w->doc, list[i].container) -
		    count_removed(list, removed, list[i].container));
	}
}

static void
put(struct buf *out, const struct splice *s)
{
	if (s->comma)
		buf_putc(out, ',');
	if (s->edit == NULL)
		return;
	if (s->edit->key != NULL) {
		json_quote(out, s->edit->key, strlen(s->edit->key));
		buf_putc(out, ':');
	}
	buf_put(out, s->edit->raw, s->edit->len);
}

bool
edits_apply(struct edits *e, struct buf *out)
{
	struct work w = { .doc = e->doc };
	const char *text = e->doc->text;
	size_t at = 0, i;

	if (e->failed)
		return false;
	if (e->count == 0) {
		buf_put(out, text, e->doc->len);
		return !out->failed;
	}
	/* A removal gives at most one splice, all others one each. */
	w.list = arena_alloc(e->arena, e->count * sizeof *w.list);
	if (w.list == NULL)
		return false;
	plan(&w, e->list, e->count);
	qsort(w.list, w.count, sizeof *w.list, by_place);
	for (i = 0; i < w.count; i++) {
		if (w.list[i].from < at)
			continue; /* inside something replaced or removed */
		buf_put(out, text + at, w.list[i].from - at);
		put(out, &w.list[i]);
		at = w.list[i].to;
	}
	buf_put(out, text + at, e->doc->len - at);
	return !out->failed;
}
