/*
 * Look-ups in a compiled catalog: binary searches over its rows, no memory
 * but the handle. The image in the program is trusted, one from a file is
 * checked before its first use; nothing is checked here.
 */
#include "policy/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/catalog_image.h"

struct catalog {
	const struct image *image;
	void *map; /* NULL: the image in the program */
	size_t len;
};

/* Map a file that is open, when it is a sound image. */
static enum err
map_file(struct catalog *c, int fd, struct fault *f)
{
	struct stat st;
	void *map;
	enum err e;

	if (fstat(fd, &st) != 0)
		return fault_set(f, ERR_INTERNAL, NULL, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fault_set(f, ERR_INTERNAL, NULL, "not a regular file");
	/* The check would be worth nothing. */
	if (st.st_mode & S_IWOTH)
		return fault_set(f, ERR_INTERNAL, NULL,
		    "anybody may write to it");
	if (st.st_size <= 0 || (uint64_t)st.st_size > IMAGE_MAX)
		return fault_set(f, ERR_INTERNAL, NULL, "not a catalog");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return fault_set(f, ERR_INTERNAL, NULL, "%s", strerror(errno));
	e = image_check(map, (size_t)st.st_size, f);
	if (e != ERR_OK) {
		munmap(map, (size_t)st.st_size);
		return e;
	}
	c->map = map;
	c->len = (size_t)st.st_size;
	c->image = map;
	return ERR_OK;
}

static void
open_file(struct catalog *c, const char *file, struct fault *f)
{
	struct fault why;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		if (errno != ENOENT)
			fault_set(f, ERR_INTERNAL, file, "%s",
			    strerror(errno));
		return;
	}
	if (map_file(c, fd, &why) != ERR_OK)
		fault_set(f, why.code, file, "%s", why.text);
	close(fd);
}

struct catalog *
catalog_open(const char *file, struct fault *f)
{
	struct catalog *c = calloc(1, sizeof *c);

	if (c == NULL) {
		fault_set(f, ERR_INTERNAL, NULL, "out of memory");
		return NULL;
	}
	fault_set(f, ERR_OK, NULL, "%s", "");
	c->image = image_builtin();
	if (file != NULL)
		open_file(c, file, f);
	return c;
}

void
catalog_close(struct catalog *c)
{
	if (c == NULL)
		return;
	if (c->map != NULL)
		munmap(c->map, c->len);
	free(c);
}

/* Row i of a section. */
static const void *
row(const struct catalog *c, enum section s, uint32_t i)
{
	return (const char *)c->image + c->image->section[s].offset +
	    (size_t)i * image_row_size[s];
}

static const char *
string(const struct catalog *c, uint32_t offset)
{
	return row(c, SECTION_STRINGS, offset);
}

const char *
catalog_date(const struct catalog *c)
{
	return string(c, c->image->date);
}

uint32_t
catalog_providers(const struct catalog *c)
{
	return c->image->section[SECTION_PROVIDERS].count;
}

uint32_t
catalog_models(const struct catalog *c)
{
	return c->image->section[SECTION_MODELS].count;
}

/*
 * The row with this name among count rows from first on; in each section
 * that is searched the name is a row's first word. IMAGE_NONE = none.
 */
static uint32_t
search(const struct catalog *c, enum section s, uint32_t first,
    uint32_t count, const char *name)
{
	uint32_t low = first, high = first + count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const uint32_t *r = row(c, s, mid);
		int order = strcmp(name, string(c, *r));

		if (order == 0)
			return mid;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return IMAGE_NONE;
}

static uint32_t
find_provider(const struct catalog *c, const char *name)
{
	const struct image_alias *a;
	uint32_t i;

	i = search(c, SECTION_PROVIDERS, 0, catalog_providers(c), name);
	if (i != IMAGE_NONE)
		return i;
	i = search(c, SECTION_ALIASES, 0,
	    c->image->section[SECTION_ALIASES].count, name);
	if (i == IMAGE_NONE)
		return i;
	a = row(c, SECTION_ALIASES, i);
	return a->provider;
}

bool
catalog_provider_at(const struct catalog *c, uint32_t i,
    struct catalog_provider *out)
{
	const struct image_provider *p;
	const struct image_wire *w;

	if (i >= catalog_providers(c))
		return false;
	p = row(c, SECTION_PROVIDERS, i);
	w = row(c, SECTION_WIRES, p->wire);
	out->name = string(c, p->name);
	out->title = string(c, p->title);
	out->adapter = string(c, w->adapter);
	out->base_url = string(c, w->base_url);
	out->env = string(c, p->env);
	out->doc = string(c, p->doc);
	out->auth_header = string(c, w->auth_header);
	out->auth = w->auth;
	out->quirks = w->quirks;
	out->first = p->first;
	out->count = p->count;
	return true;
}

bool
catalog_provider(const struct catalog *c, const char *name,
    struct catalog_provider *out)
{
	return catalog_provider_at(c, find_provider(c, name), out);
}

static void
fill_price(const struct catalog *c, uint32_t i, struct price *out)
{
	const struct image_price *p;
	uint32_t k;

	price_init(out);
	if (i == IMAGE_NONE)
		return;
	p = row(c, SECTION_PRICES, i);
	out->known = true;
	out->tiers = p->tiers;
	memcpy(out->rate, p->rate, sizeof out->rate);
	for (k = 0; k < p->tiers; k++)
		memcpy(&out->tier[k], row(c, SECTION_TIERS, p->first_tier + k),
		    sizeof out->tier[k]);
}

bool
catalog_model_at(const struct catalog *c, uint32_t i,
    struct catalog_model *out)
{
	const struct image_provider *p;
	const struct image_model *m;
	const struct image_wire *w;

	if (i >= catalog_models(c))
		return false;
	m = row(c, SECTION_MODELS, i);
	p = row(c, SECTION_PROVIDERS, m->provider);
	w = row(c, SECTION_WIRES, m->wire);
	out->provider = string(c, p->name);
	out->name = string(c, m->name);
	out->title = string(c, m->title);
	out->family = string(c, m->family);
	out->released = string(c, m->released);
	out->status = string(c, m->status);
	out->context = m->context;
	out->max_input = m->max_input;
	out->max_output = m->max_output;
	out->caps = m->caps;
	out->scores = m->scores;
	out->first_score = m->first_score;
	out->adapter = string(c, w->adapter);
	out->base_url = string(c, w->base_url);
	out->auth_header = string(c, w->auth_header);
	out->auth = w->auth;
	out->quirks = w->quirks;
	fill_price(c, m->price, &out->price);
	return true;
}

bool
catalog_model(const struct catalog *c, const char *provider,
    const char *model, struct catalog_model *out)
{
	const struct image_provider *p;
	uint32_t i = find_provider(c, provider);

	if (i == IMAGE_NONE)
		return false;
	p = row(c, SECTION_PROVIDERS, i);
	i = search(c, SECTION_MODELS, p->first, p->count, model);
	return catalog_model_at(c, i, out);
}

bool
catalog_score(const struct catalog *c, const struct catalog_model *m,
    uint32_t i, struct catalog_score *out)
{
	const struct image_score *s;

	if (i >= m->scores)
		return false;
	s = row(c, SECTION_SCORES, m->first_score + i);
	out->benchmark = string(c, s->benchmark);
	out->value = s->value;
	return true;
}
