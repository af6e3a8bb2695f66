/*
 * From policy/catalog.json, or a newer file in its form, to an image. Runs
 * at build time (policy/mkcatalog.c) and for `tollgate models update`, never
 * while requests are served.
 */
#include "policy/catalog.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/limits.h"
#include "policy/catalog_row.h"

#define FORM 1		      /* of the JSON */
#define PROVIDER_NAME_MAX 128 /* bytes */

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->provider != y->provider)
		return x->provider < y->provider ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The number of the provider of this name; -1 = none. */
static int64_t
provider_number(const struct compiler *c, const char *name)
{
	const struct entry key = { .name = name }, *found;

	found = bsearch(&key, c->providers.list, c->providers.count,
	    sizeof key, compare_entries);
	return found == NULL ? -1 : found - c->providers.list;
}

/* Bring a list's rows in order of name; no name twice. */
static void
sort(struct compiler *c, struct entries *e)
{
	uint32_t i;

	if (e->count > 0)
		qsort(e->list, e->count, sizeof *e->list, compare_entries);
	for (i = 1; i < e->count; i++)
		if (compare_entries(&e->list[i - 1], &e->list[i]) == 0) {
			c->at = &e->list[i];
			row_wrong(c, "name", "twice");
		}
	c->at = NULL;
}

/* Look at one row and append it. A model knows its provider by number. */
static void
gather_row(struct compiler *c, struct entries *e, uint32_t v)
{
	bool model = e == &c->models;
	struct entry *at = &e->list[e->count];
	int64_t provider = 0;

	*at = (struct entry) { .name = "?", .value = v, .index = e->count++ };
	c->at = at;
	at->name = row_text(c, v, "name", NULL);
	if (strlen(at->name) > (model ? LIMIT_MODEL_NAME : PROVIDER_NAME_MAX))
		row_wrong(c, "name", "too long");
	if (!model && strchr(at->name, '/') != NULL)
		row_wrong(c, "name", "a slash in a provider's name");
	if (model)
		provider = provider_number(c, row_text(c, v, "provider", NULL));
	if (provider < 0)
		row_wrong(c, "provider", "no such provider");
	at->provider = (uint32_t)provider;
	c->at = NULL;
}

static void
gather(struct compiler *c, const char *what, struct entries *e)
{
	uint32_t list = json_get(&c->doc, JSON_ROOT, what), v;

	c->what = what;
	if (json_type(&c->doc, list) != JSON_ARRAY) {
		row_wrong(c, what, "not a list");
		return;
	}
	e->list = arena_zalloc(c->arena,
	    json_count(&c->doc, list) * sizeof *e->list);
	if (e->list == NULL) {
		row_no_memory(c);
		return;
	}
	for (v = json_first(&c->doc, list); v != JSON_NONE && c->err == ERR_OK;
	     v = json_next(&c->doc, list, v))
		gather_row(c, e, v);
	if (c->err == ERR_OK)
		sort(c, e);
}

static int
compare_aliases(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Provider i's other names, behind those already in list. */
static void
gather_aliases(struct compiler *c, uint32_t i, struct entry *list,
    uint32_t *n)
{
	uint32_t v, names = json_get(&c->doc, c->providers.list[i].value,
	    "aliases");

	for (v = json_first(&c->doc, names); v != JSON_NONE;
	     v = json_next(&c->doc, names, v)) {
		const char *name = json_cstr(&c->doc, v, c->arena);

		c->at = &c->providers.list[i];
		if (name == NULL || *name == '\0' ||
		    strlen(name) > PROVIDER_NAME_MAX ||
		    strchr(name, '/') != NULL ||
		    provider_number(c, name) >= 0)
			row_wrong(c, "aliases", "not a name of its own");
		else
			list[(*n)++] = (struct entry) { .name = name,
				.provider = i };
	}
	c->at = NULL;
}

static void
compile_aliases(struct compiler *c)
{
	uint32_t i, n = 0, most = 0;
	struct entry *list;

	for (i = 0; i < c->providers.count; i++)
		most += json_count(&c->doc, json_get(&c->doc,
		    c->providers.list[i].value, "aliases"));
	list = arena_zalloc(c->arena, most * sizeof *list);
	if (list == NULL) {
		row_no_memory(c);
		return;
	}
	for (i = 0; i < c->providers.count; i++)
		gather_aliases(c, i, list, &n);
	if (n > 0)
		qsort(list, n, sizeof *list, compare_aliases);
	for (i = 0; i < n; i++) {
		struct image_alias a = {
			.name = build_string(&c->build, list[i].name),
			.provider = list[i].provider
		};

		if (i > 0 && strcmp(list[i - 1].name, list[i].name) == 0)
			row_wrong(c, "aliases", "one name for two providers");
		build_row(&c->build, SECTION_ALIASES, &a);
	}
}

static void
compile_providers(struct compiler *c)
{
	static const struct image_wire none = { .auth = AUTH_BEARER };
	uint32_t i, model = 0;

	for (i = 0; i < c->providers.count && c->err == ERR_OK; i++) {
		const struct entry *at = &c->providers.list[i];
		struct image_provider p = { .first = model };

		c->what = "providers";
		c->at = at;
		for (; model < c->models.count &&
		     c->models.list[model].provider == i; model++)
			p.count++;
		p.name = build_string(&c->build, at->name);
		p.title = row_shared(c, at->value, "title", 0);
		p.env = row_shared(c, at->value, "env", 0);
		p.doc = row_shared(c, at->value, "doc", 0);
		p.wire = row_wire(c, at->value, &none);
		build_row(&c->build, SECTION_PROVIDERS, &p);
	}
	c->at = NULL;
}

/* The wire of a provider that is compiled already. */
static struct image_wire
provider_wire(const struct compiler *c, uint32_t provider)
{
	struct image_provider p;
	struct image_wire w;

	build_get(&c->build, SECTION_PROVIDERS, provider, &p);
	build_get(&c->build, SECTION_WIRES, p.wire, &w);
	return w;
}

static void
compile_models(struct compiler *c)
{
	uint32_t i;

	for (i = 0; i < c->models.count && c->err == ERR_OK; i++) {
		const struct entry *at = &c->models.list[i];
		struct image_wire base = provider_wire(c, at->provider);
		struct image_model m = { .provider = at->provider };
		uint32_t v = at->value;

		c->what = "models";
		c->at = at;
		m.name = build_string(&c->build, at->name);
		m.title = row_shared(c, v, "title", 0);
		m.family = row_shared(c, v, "family", 0);
		m.released = row_shared(c, v, "released", 0);
		m.status = row_shared(c, v, "status", 0);
		m.wire = row_wire(c, v, &base);
		row_model(c, v, &m);
		build_row(&c->build, SECTION_MODELS, &m);
	}
	c->at = NULL;
}

/* The date of the facts, as a string of the pool. */
static uint32_t
compile_head(struct compiler *c)
{
	static const char form[] = "dddd-dd-dd";
	const char *date;
	int64_t n;
	size_t i;

	if (!json_int(&c->doc, json_get(&c->doc, JSON_ROOT, "form"), &n) ||
	    n != FORM)
		row_wrong(c, "form", "not a catalog, or of a newer form");
	date = row_text(c, JSON_ROOT, "date", NULL);
	for (i = 0; i < sizeof form; i++)
		if (form[i] == 'd' ? date[i] < '0' || date[i] > '9' :
			date[i] != form[i]) {
			row_wrong(c, "date", "not as 2026-07-02");
			return 0;
		}
	return build_string(&c->build, date);
}

static enum err
compile(struct compiler *c, const char *json, size_t len, const char *path)
{
	struct image *image;
	uint32_t date;
	enum err e;

	e = json_parse(&c->doc, c->arena, json, len, c->f);
	if (e != ERR_OK)
		return e;
	date = compile_head(c);
	if (c->err == ERR_OK)
		gather(c, "providers", &c->providers);
	if (c->err == ERR_OK)
		gather(c, "models", &c->models);
	if (c->err == ERR_OK)
		compile_providers(c);
	if (c->err == ERR_OK)
		compile_aliases(c);
	if (c->err == ERR_OK)
		compile_models(c);
	if (c->err != ERR_OK)
		return c->err;
	image = build_image(&c->build, date);
	if (image == NULL)
		return fault_set(c->f, ERR_INTERNAL, NULL,
		    "the catalog is too large for the memory");
	e = image_check(image, image->size, c->f);
	if (e == ERR_OK)
		e = image_write(image, path, c->f);
	free(image);
	return e;
}

enum err
catalog_compile(const char *json, size_t len, const char *path,
    struct fault *f)
{
	struct compiler c = { .f = f };
	enum err e;

	c.arena = arena_new(LIMIT_ARENA);
	if (c.arena == NULL)
		return fault_set(f, ERR_INTERNAL, NULL, "out of memory");
	build_init(&c.build);
	e = compile(&c, json, len, path);
	build_free(&c.build);
	arena_free(c.arena);
	return e;
}
