/* Records of files and batches. */
#include "app/entry.h"

#include <stddef.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

#define SECOND INT64_C(1000000)
#define DAY (INT64_C(86400) * SECOND)
#define SOONEST (5 * SECOND)   /* after a batch was made */
#define LATEST (300 * SECOND)  /* between two looks at an open one */
#define BATCH_KEEP (30 * DAY)
#define FILE_KEEP (30 * DAY)

#define AT(member) offsetof(struct entry, member)

static const struct {
	const char *key;
	size_t at;
} texts[] = {
	{ "kind", AT(kind) }, { "id", AT(id) }, { "own", AT(own) },
	{ "key", AT(key) }, { "provider", AT(provider) },
	{ "adapter", AT(adapter) }, { "deployment", AT(deployment) },
	{ "up", AT(up) }, { "model", AT(model) }, { "path", AT(path) },
	{ "purpose", AT(purpose) }, { "filename", AT(filename) },
	{ "input", AT(input) }, { "window", AT(window) },
	{ "metadata", AT(metadata) }, { "hold", AT(hold) },
	{ "state", AT(state.id) }, { "output", AT(state.output) },
	{ "errors", AT(state.errors) }, { "failure", AT(state.failure) },
};

static const struct {
	const char *key;
	size_t at;
} numbers[] = {
	{ "made", AT(made) }, { "expires", AT(expires) },
	{ "lines", AT(lines) }, { "most", AT(most) }, { "bytes", AT(bytes) },
	{ "pieces", AT(pieces) }, { "tried", AT(tried) },
	{ "spent", AT(spent) }, { "answered", AT(answered) },
	{ "input_tokens", AT(input_tokens) },
	{ "output_tokens", AT(output_tokens) }, { "cached", AT(cached) },
	{ "created_at", AT(state.created) },
	{ "in_progress_at", AT(state.begun) },
	{ "expires_at", AT(state.expires) },
	{ "finalizing_at", AT(state.finalizing) },
	{ "completed_at", AT(state.completed) },
	{ "failed_at", AT(state.failed) },
	{ "expired_at", AT(state.expired) },
	{ "cancelling_at", AT(state.cancelling) },
	{ "cancelled_at", AT(state.cancelled) },
	{ "total", AT(state.total) }, { "done", AT(state.done) },
	{ "bad", AT(state.bad) },
};

#define COUNT(list) (sizeof (list) / sizeof (list)[0])
#define FIRST_TIME 12 /* of the numbers: created_at … cancelled_at */
#define TIMES 9

static const char *const *
text_at(const struct entry *e, size_t at)
{
	return (const char *const *)(const void *)((const char *)e + at);
}

static int64_t
number_at(const struct entry *e, size_t at)
{
	return *(const int64_t *)(const void *)((const char *)e + at);
}

void
entry_init(struct entry *e)
{
	size_t i;

	memset(e, 0, sizeof *e);
	price_init(&e->price);
	for (i = 0; i < COUNT(texts); i++)
		*(const char **)(void *)((char *)e + texts[i].at) = "";
}

/* ------------------------------------------------------------- prices */

/* All numbers of a price in their order; NULL behind the last. */
static int64_t *
price_number(struct price *p, size_t i)
{
	size_t k;

	if (i < UNIT_COUNT)
		return &p->rate[i];
	i -= UNIT_COUNT;
	if (i < SERVICE_COUNT)
		return &p->service[i];
	i -= SERVICE_COUNT;
	k = i / (UNIT_PER_MILLION + 1);
	i %= UNIT_PER_MILLION + 1;
	if (k >= p->tiers)
		return NULL;
	return i == 0 ? &p->tier[k].above : &p->tier[k].rate[i - 1];
}

static void
put_price(struct json_writer *w, const struct price *from)
{
	struct price p = *from;
	const int64_t *n;
	size_t i;

	jw_array(w);
	jw_int(w, p.known);
	jw_int(w, p.tiers);
	for (i = 0; (n = price_number(&p, i)) != NULL; i++)
		jw_int(w, *n);
	jw_end_array(w);
}

static bool
sane(int64_t n)
{
	return n >= PRICE_UNSET && n <= PRICE_MAX;
}

static bool
get_price(const struct json *doc, uint32_t list, struct price *p)
{
	uint32_t v = json_first(doc, list);
	int64_t known = 0, tiers = 0, *n;
	size_t i;

	if (!json_int(doc, v, &known))
		return false;
	v = json_next(doc, list, v);
	if (!json_int(doc, v, &tiers) || tiers < 0 || tiers > PRICE_TIERS)
		return false;
	price_init(p);
	p->known = known != 0;
	p->tiers = (unsigned)tiers;
	for (i = 0; (n = price_number(p, i)) != NULL; i++) {
		v = v == JSON_NONE ? v : json_next(doc, list, v);
		if (!json_int(doc, v, n) || !sane(*n))
			return false;
	}
	return true;
}

/* --------------------------------------------------------------- text */

const char *
entry_write(struct arena *a, const struct entry *e)
{
	struct json_writer w;
	struct buf b;
	const char *s;
	size_t i;

	buf_init(&b, REGISTRY_TEXT);
	jw_init(&w, &b);
	jw_object(&w);
	for (i = 0; i < COUNT(texts); i++) {
		s = *text_at(e, texts[i].at);
		if (*s == '\0')
			continue;
		jw_key(&w, texts[i].key);
		jw_string(&w, s);
	}
	for (i = 0; i < COUNT(numbers); i++) {
		if (number_at(e, numbers[i].at) == 0)
			continue;
		jw_key(&w, numbers[i].key);
		jw_int(&w, number_at(e, numbers[i].at));
	}
	jw_key(&w, "price");
	put_price(&w, &e->price);
	jw_key(&w, "status");
	jw_string(&w, batch_status_word(e->state.status));
	jw_key(&w, "settled");
	jw_bool(&w, e->settled);
	jw_end_object(&w);
	s = b.failed ? NULL : arena_dup(a, b.data, b.len);
	buf_free(&b);
	return s;
}

bool
entry_read(struct arena *a, const char *text, size_t len, struct entry *e)
{
	struct json doc;
	char *s;
	size_t i;

	entry_init(e);
	if (json_parse(&doc, a, text, len, NULL) != ERR_OK)
		return false;
	for (i = 0; i < COUNT(texts); i++) {
		s = json_cstr(&doc, json_get(&doc, JSON_ROOT, texts[i].key),
		    a);
		if (s != NULL)
			*(const char **)(void *)((char *)e + texts[i].at) = s;
	}
	for (i = 0; i < COUNT(numbers); i++)
		json_int(&doc, json_get(&doc, JSON_ROOT, numbers[i].key),
		    (int64_t *)(void *)((char *)e + numbers[i].at));
	e->state.status = batch_status_of(&doc, json_get(&doc, JSON_ROOT,
	    "status"));
	e->settled = json_type(&doc, json_get(&doc, JSON_ROOT, "settled")) ==
	    JSON_TRUE;
	return *e->kind != '\0' && *e->id != '\0' && *e->key != '\0' &&
	    get_price(&doc, json_get(&doc, JSON_ROOT, "price"), &e->price);
}

const char *
entry_owner(struct arena *a, const char *kind, const char *key)
{
	return arena_printf(a, "%s %s", kind, key);
}

/* The older a batch is, the longer it may wait. */
int64_t
entry_due(const struct entry *e, int64_t now)
{
	int64_t age = now - e->made * SECOND, wait = age / 4;

	if (e->settled || strcmp(e->kind, "batch") != 0)
		return 0;
	return now + (wait < SOONEST ? SOONEST : wait > LATEST ? LATEST :
	    wait);
}

int64_t
entry_forget(const struct entry *e)
{
	if (strcmp(e->kind, "batch") == 0)
		return e->made * SECOND + BATCH_KEEP;
	return e->expires > 0 ? e->expires * SECOND :
	    e->made * SECOND + FILE_KEEP;
}

const char *
entry_row(struct arena *a, const struct entry *e, int64_t now,
    struct registry_row *out)
{
	*out = (struct registry_row){ .id = e->id,
		.owner = entry_owner(a, e->kind, e->key),
		.made = e->made * SECOND, .due = entry_due(e, now),
		.forget = entry_forget(e), .text = entry_write(a, e) };
	return out->owner == NULL ? NULL : out->text;
}

/* ---------------------------------------------------- for the client */

static void
put_id(struct json_writer *w, struct arena *a, const char *key,
    const struct owner *owner, const char *own)
{
	const char *id = *own == '\0' ? NULL : owned_id(a, owner,
	    (struct str){ own, strlen(own) });

	jw_key(w, key);
	if (id == NULL)
		jw_null(w);
	else
		jw_string(w, id);
}

bool
entry_translates(const struct entry *e)
{
	const char *surface = batch_surface(e->path);

	return surface != NULL && adapter_find(surface) !=
	    adapter_for(batch_door(e->path), e->adapter);
}

/* Where the client finds its answers, or what has none. */
static void
put_file(struct json_writer *w, struct arena *a, const char *key,
    const struct owner *owner, const struct entry *e, bool errors)
{
	const struct batch_state *s = &e->state;
	const char *own = errors ? s->errors : s->output;

	if (!batch_ended(s->status) || !e->settled)
		own = "";
	else if (*own != '\0' && entry_translates(e))
		own = batch_file(a, e->own, errors);
	put_id(w, a, key, owner, own == NULL ? "" : own);
}

static void
put_raw(struct json_writer *w, const char *key, const char *text)
{
	jw_key(w, key);
	if (*text == '\0')
		jw_null(w);
	else
		jw_raw(w, text, strlen(text));
}

static void
put_counts(struct json_writer *w, const struct entry *e)
{
	const struct batch_state *s = &e->state;

	jw_key(w, "request_counts");
	jw_object(w);
	canon_put_int(w, "total", s->total > 0 ? s->total : e->lines);
	canon_put_int(w, "completed", s->done);
	canon_put_int(w, "failed", s->bad);
	jw_end_object(w);
}

/*
 * A batch has not ended for its client before it is settled: where its answers
 * are is not told, nor can they be deleted, until they are counted.
 */
static void
show_batch(struct json_writer *w, struct arena *a, const struct owner *owner,
    const struct entry *e)
{
	const struct batch_state *s = &e->state;
	bool over = batch_ended(s->status) && e->settled;
	size_t i;

	canon_put_text(w, "object", canon_lit("batch"));
	canon_put_text(w, "endpoint", canon_lit(e->path));
	canon_put_text(w, "model", canon_lit(e->model));
	put_raw(w, "errors", s->failure);
	canon_put_text(w, "input_file_id", canon_lit(e->input));
	canon_put_text(w, "completion_window", canon_lit(e->window));
	canon_put_text(w, "status", canon_lit(batch_status_word(
	    batch_ended(s->status) && !over ? BATCH_FINALIZING : s->status)));
	put_file(w, a, "output_file_id", owner, e, false);
	put_file(w, a, "error_file_id", owner, e, true);
	for (i = FIRST_TIME; i < FIRST_TIME + TIMES; i++) {
		jw_key(w, numbers[i].key);
		if (number_at(e, numbers[i].at) == 0)
			jw_null(w);
		else
			jw_int(w, number_at(e, numbers[i].at));
	}
	put_counts(w, e);
	put_raw(w, "metadata", e->metadata);
}

static void
show_file(struct json_writer *w, const struct entry *e)
{
	canon_put_text(w, "object", canon_lit("file"));
	canon_put_int(w, "bytes", e->bytes);
	canon_put_int(w, "created_at", e->made);
	if (e->expires > 0)
		canon_put_int(w, "expires_at", e->expires);
	canon_put_text(w, "filename", canon_lit(e->filename));
	canon_put_text(w, "purpose", canon_lit(e->purpose));
	canon_put_text(w, "status", canon_lit("processed"));
	jw_key(w, "status_details");
	jw_null(w);
}

void
entry_show(struct json_writer *w, struct arena *a, const struct owner *owner,
    const struct entry *e)
{
	jw_object(w);
	canon_put_text(w, "id", canon_lit(e->id));
	if (strcmp(e->kind, "batch") == 0)
		show_batch(w, a, owner, e);
	else
		show_file(w, e);
	jw_end_object(w);
}
