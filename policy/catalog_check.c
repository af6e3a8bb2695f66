/*
 * The check of a compiled catalog that came from a file. Once it passed, a
 * look-up follows offsets and indexes without looking again; so it must see
 * every row. It reads only, and never beyond what it has already checked.
 */
#include "policy/catalog_image.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "policy/catalog.h"

const uint32_t image_row_size[SECTION_COUNT] = {
	[SECTION_PROVIDERS] = sizeof(struct image_provider),
	[SECTION_ALIASES] = sizeof(struct image_alias),
	[SECTION_WIRES] = sizeof(struct image_wire),
	[SECTION_MODELS] = sizeof(struct image_model),
	[SECTION_PRICES] = sizeof(struct image_price),
	[SECTION_TIERS] = sizeof(struct price_tier),
	[SECTION_SCORES] = sizeof(struct image_score),
	[SECTION_STRINGS] = 1,
};

/* The image under check, with its parts at hand. */
struct view {
	const struct image *image;
	const struct image_provider *providers;
	const struct image_alias *aliases;
	const struct image_wire *wires;
	const struct image_model *models;
	const struct image_price *prices;
	const struct price_tier *tiers;
	const struct image_score *scores;
	const char *strings;
};

/*
 * FNV-1a in words. A step is a bijection of both its inputs, so that an error
 * within one word always shows.
 */
uint64_t
image_sum(const struct image *image, size_t size)
{
	const char *p = (const char *)image;
	uint64_t sum = UINT64_C(0xcbf29ce484222325), word;
	size_t at = offsetof(struct image, sum) + sizeof image->sum;

	for (; at < size; at += sizeof word) {
		memcpy(&word, p + at, sizeof word);
		sum = (sum ^ word) * UINT64_C(0x100000001b3);
	}
	return sum;
}

static uint32_t
rows(const struct view *v, enum section s)
{
	return v->image->section[s].count;
}

static const void *
start(const struct image *image, enum section s)
{
	return (const char *)image + image->section[s].offset;
}

/* first..first + count within the rows of a section? */
static bool
range(const struct view *v, enum section s, uint32_t first, uint32_t count)
{
	return first <= rows(v, s) && count <= rows(v, s) - first;
}

/* Offsets of strings, all within the pool? */
static bool
strings(const struct view *v, const uint32_t *offsets, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (offsets[i] >= rows(v, SECTION_STRINGS))
			return false;
	return true;
}

static const char *
check_head(const struct image *image, size_t len)
{
	uint64_t end = sizeof *image;
	int s;

	if (len < sizeof *image || image->magic != IMAGE_MAGIC)
		return "not a catalog of this kind of machine";
	if (image->version != IMAGE_VERSION)
		return "a catalog of another version of the program";
	if (image->size != len || len % IMAGE_ALIGN != 0 || len > IMAGE_MAX)
		return "the catalog is cut off or too long";
	if (image_sum(image, len) != image->sum)
		return "the catalog is damaged";
	for (s = 0; s < SECTION_COUNT; s++) {
		if (image->section[s].offset % IMAGE_ALIGN != 0 ||
		    image->section[s].offset < end)
			return "a section lies where it must not";
		end = image->section[s].offset +
		    (uint64_t)image->section[s].count * image_row_size[s];
		if (end > len)
			return "a section is too long";
	}
	return image->zero != 0 ? "the head is not empty where it must be" :
	    NULL;
}

/* Every string ends within the pool, and none can break a header or a log. */
static const char *
check_strings(const struct view *v)
{
	uint32_t n = rows(v, SECTION_STRINGS), i;

	if (n == 0 || v->strings[0] != '\0' || v->strings[n - 1] != '\0')
		return "the strings have no end";
	for (i = 0; i < n; i++)
		if (((unsigned char)v->strings[i] < 0x20 &&
			v->strings[i] != '\0') || v->strings[i] == 0x7f)
			return "a string has a control character";
	return v->image->date >= n ? "the date lies outside" : NULL;
}

static const char *
check_wires(const struct view *v)
{
	uint32_t i;

	for (i = 0; i < rows(v, SECTION_WIRES); i++) {
		const struct image_wire *w = &v->wires[i];

		if (!strings(v, &w->adapter, 3))
			return "a string of an address lies outside";
		if (w->auth > AUTH_NONE)
			return "an unknown way to send a key";
	}
	return NULL;
}

static const char *
check_rates(const int64_t *rate, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (rate[i] < PRICE_UNSET || rate[i] > PRICE_MAX)
			return "a rate out of range";
	return NULL;
}

static const char *
check_prices(const struct view *v)
{
	const char *fault = NULL;
	uint32_t i, k;

	for (i = 0; fault == NULL && i < rows(v, SECTION_TIERS); i++) {
		fault = check_rates(v->tiers[i].rate, UNIT_PER_MILLION);
		if (v->tiers[i].above < 0)
			fault = "a tier below nothing";
	}
	for (i = 0; fault == NULL && i < rows(v, SECTION_PRICES); i++) {
		const struct image_price *p = &v->prices[i];

		fault = check_rates(p->rate, UNIT_COUNT);
		if (p->tiers > PRICE_TIERS ||
		    !range(v, SECTION_TIERS, p->first_tier, p->tiers))
			return "tiers that are not there";
		for (k = 1; k < p->tiers; k++)
			if (v->tiers[p->first_tier + k].above <=
			    v->tiers[p->first_tier + k - 1].above)
				return "tiers in disorder";
	}
	return fault;
}

static const char *
check_scores(const struct view *v)
{
	uint32_t i;

	for (i = 0; i < rows(v, SECTION_SCORES); i++)
		if (!strings(v, &v->scores[i].benchmark, 1) ||
		    !isfinite(v->scores[i].value))
			return "a score that is none";
	return NULL;
}

/* Do the names at these offsets ascend? */
static bool
ascend(const struct view *v, uint32_t a, uint32_t b)
{
	return strcmp(v->strings + a, v->strings + b) < 0;
}

static const char *
check_providers(const struct view *v)
{
	uint32_t i, next = 0;

	for (i = 0; i < rows(v, SECTION_PROVIDERS); i++) {
		const struct image_provider *p = &v->providers[i];

		if (!strings(v, &p->name, 4) ||
		    p->wire >= rows(v, SECTION_WIRES))
			return "a provider refers to what is not there";
		if (!ascend(v, i > 0 ? p[-1].name : 0, p->name))
			return "providers in disorder";
		if (p->first != next ||
		    !range(v, SECTION_MODELS, p->first, p->count))
			return "models that are not there";
		next += p->count;
	}
	return next != rows(v, SECTION_MODELS) ? "models of nobody" : NULL;
}

static const char *
check_aliases(const struct view *v)
{
	uint32_t i;

	for (i = 0; i < rows(v, SECTION_ALIASES); i++) {
		const struct image_alias *a = &v->aliases[i];

		if (!strings(v, &a->name, 1) ||
		    a->provider >= rows(v, SECTION_PROVIDERS))
			return "an alias of nobody";
		if (!ascend(v, i > 0 ? a[-1].name : 0, a->name))
			return "aliases in disorder";
	}
	return NULL;
}

static const char *
check_models(const struct view *v)
{
	uint32_t i;

	for (i = 0; i < rows(v, SECTION_MODELS); i++) {
		const struct image_model *m = &v->models[i];
		const struct image_provider *p;

		if (!strings(v, &m->name, 5) ||
		    m->provider >= rows(v, SECTION_PROVIDERS) ||
		    m->wire >= rows(v, SECTION_WIRES) ||
		    (m->price != IMAGE_NONE &&
			m->price >= rows(v, SECTION_PRICES)) ||
		    !range(v, SECTION_SCORES, m->first_score, m->scores))
			return "a model refers to what is not there";
		p = &v->providers[m->provider];
		if (i < p->first || i - p->first >= p->count)
			return "a model of another provider";
		if (!ascend(v, i > p->first ? m[-1].name : 0, m->name))
			return "models in disorder";
	}
	return NULL;
}

enum err
image_check(const void *p, size_t len, struct fault *f)
{
	static const char *(*const checks[])(const struct view *) = {
		check_strings, check_wires, check_prices, check_scores,
		check_providers, check_aliases, check_models
	};
	struct view v = { .image = p };
	const char *fault = check_head(p, len);
	size_t i;

	if (fault == NULL) {
		v.providers = start(p, SECTION_PROVIDERS);
		v.aliases = start(p, SECTION_ALIASES);
		v.wires = start(p, SECTION_WIRES);
		v.models = start(p, SECTION_MODELS);
		v.prices = start(p, SECTION_PRICES);
		v.tiers = start(p, SECTION_TIERS);
		v.scores = start(p, SECTION_SCORES);
		v.strings = start(p, SECTION_STRINGS);
	}
	for (i = 0; fault == NULL && i < sizeof checks / sizeof checks[0]; i++)
		fault = checks[i](&v);
	return fault == NULL ? ERR_OK :
	    fault_set(f, ERR_INTERNAL, NULL, "%s", fault);
}
