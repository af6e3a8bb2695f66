/*
 * The fields of a row of the catalog's JSON. What is wrong with one is said
 * with the row's name; unknown keys are passed over, unknown words are not.
 */
#include "policy/catalog_row.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "policy/catalog.h"

#define TEXT_MAX 2048 /* bytes of any string */

/* A word of the JSON and its bit or number. */
struct word {
	const char *text;
	unsigned value;
};

static const struct word quirk_words[] = {
	{ "no_stream_options", QUIRK_NO_STREAM_OPTIONS },
	{ "max_tokens", QUIRK_MAX_TOKENS },
	{ "max_completion", QUIRK_MAX_COMPLETION },
	{ "raw_predict", QUIRK_RAW_PREDICT },
	{ "invoke", QUIRK_INVOKE },
	{ "random_seed", QUIRK_RANDOM_SEED },
	{ "short_ids", QUIRK_SHORT_IDS },
	{ "plain_turns", QUIRK_PLAIN_TURNS },
	{ "reasoning_back", QUIRK_REASONING_BACK },
	{ "thinking_type", QUIRK_THINKING_TYPE },
	{ "enable_thinking", QUIRK_ENABLE_THINKING },
	{ "streamed_thinking", QUIRK_STREAMED_THINKING },
	{ "no_effort", QUIRK_NO_EFFORT },
	{ "take_turns", QUIRK_TAKE_TURNS },
	{ "embed_voyage", QUIRK_EMBED_VOYAGE },
	{ "embed_mistral", QUIRK_EMBED_MISTRAL },
	{ "embed_bytes", QUIRK_EMBED_BYTES },
	{ "images_path", QUIRK_IMAGES_PATH },
	{ "image_pixels", QUIRK_IMAGE_PIXELS },
	{ "image_ratio", QUIRK_IMAGE_RATIO },
	{ "embed_strict", QUIRK_EMBED_STRICT },
	{ "rerank_pairs", QUIRK_RERANK_PAIRS },
	{ "image_workflow", QUIRK_IMAGE_WORKFLOW },
	{ NULL, 0 }
};

static const struct word cap_words[] = {
	{ "tools", CAP_TOOLS },
	{ "reasoning", CAP_REASONING },
	{ "structured", CAP_STRUCTURED },
	{ "temperature", CAP_TEMPERATURE },
	{ "attachment", CAP_ATTACHMENT },
	{ "open_weights", CAP_OPEN_WEIGHTS },
	{ "text_in", CAP_TEXT_IN },
	{ "image_in", CAP_IMAGE_IN },
	{ "pdf_in", CAP_PDF_IN },
	{ "audio_in", CAP_AUDIO_IN },
	{ "video_in", CAP_VIDEO_IN },
	{ "text_out", CAP_TEXT_OUT },
	{ "image_out", CAP_IMAGE_OUT },
	{ "audio_out", CAP_AUDIO_OUT },
	{ "video_out", CAP_VIDEO_OUT },
	{ NULL, 0 }
};

static const struct word auth_words[] = {
	{ "bearer", AUTH_BEARER },
	{ "header", AUTH_HEADER },
	{ "sigv4", AUTH_SIGV4 },
	{ "google", AUTH_GOOGLE },
	{ "none", AUTH_NONE },
	{ NULL, 0 }
};

void
row_wrong(struct compiler *c, const char *key, const char *why)
{
	char param[96];

	if (c->err != ERR_OK)
		return;
	if (c->at == NULL) {
		c->err = fault_set(c->f, ERR_BAD_REQUEST, key, "%s", why);
		return;
	}
	snprintf(param, sizeof param, "%s[%u].%s", c->what, c->at->index, key);
	c->err = fault_set(c->f, ERR_BAD_REQUEST, param, "%s: %s",
	    c->at->name, why);
}

void
row_no_memory(struct compiler *c)
{
	if (c->err == ERR_OK)
		c->err = fault_set(c->f, ERR_INTERNAL, NULL, "out of memory");
}

const char *
row_text(struct compiler *c, uint32_t obj, const char *key, const char *absent)
{
	uint32_t v = json_get(&c->doc, obj, key);
	const char *s;
	size_t i;

	if (v == JSON_NONE && absent != NULL)
		return absent;
	if (json_type(&c->doc, v) != JSON_STRING) {
		row_wrong(c, key, v == JSON_NONE ? "missing" : "not a string");
		return "";
	}
	s = json_cstr(&c->doc, v, c->arena);
	if (s == NULL) {
		row_no_memory(c);
		return "";
	}
	for (i = 0; s[i] != '\0'; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
			row_wrong(c, key, "control characters");
			return "";
		}
	if (i > TEXT_MAX || (i == 0 && absent == NULL)) {
		row_wrong(c, key, i == 0 ? "empty" : "too long");
		return "";
	}
	return s;
}

uint32_t
row_shared(struct compiler *c, uint32_t obj, const char *key, uint32_t absent)
{
	if (json_get(&c->doc, obj, key) == JSON_NONE)
		return absent;
	return build_string(&c->build, row_text(c, obj, key, ""));
}

/* A key's number of tokens; absent is 0. */
static uint32_t
tokens(struct compiler *c, uint32_t obj, const char *key)
{
	uint32_t v = json_get(&c->doc, obj, key);
	int64_t n = 0;

	if (v == JSON_NONE)
		return 0;
	if (!json_int(&c->doc, v, &n) || n < 0 || n > UINT32_MAX) {
		row_wrong(c, key, "not a number of tokens");
		return 0;
	}
	return (uint32_t)n;
}

/* The value of a single word of len bytes, or -1. */
static int64_t
word_value(const struct word *words, const char *s, size_t len)
{
	for (; words->text != NULL; words++)
		if (strlen(words->text) == len &&
		    memcmp(words->text, s, len) == 0)
			return words->value;
	return -1;
}

/* The bits of words with blanks between them. */
static unsigned
bits(struct compiler *c, uint32_t obj, const char *key,
    const struct word *words, unsigned absent)
{
	const char *s = row_text(c, obj, key, "");
	unsigned set = 0;

	if (json_get(&c->doc, obj, key) == JSON_NONE)
		return absent;
	while (*s != '\0') {
		size_t len = strcspn(s, " ");
		int64_t bit = word_value(words, s, len);

		if (bit < 0) {
			row_wrong(c, key, "an unknown word");
			return 0;
		}
		set |= (unsigned)bit;
		s += len;
		s += strspn(s, " ");
	}
	return set;
}

static bool
good_url(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && s[len - 1] != '/' && strchr(s, ' ') == NULL &&
	    (strncmp(s, "https://", 8) == 0 || strncmp(s, "http://", 7) == 0 ||
		strncmp(s, "${", 2) == 0);
}

static bool
good_header(const char *s)
{
	return *s != '\0' &&
	    s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

uint32_t
row_wire(struct compiler *c, uint32_t obj, const struct image_wire *base)
{
	struct image_wire w = { .auth = base->auth };
	const char *s = row_text(c, obj, "auth", "");
	int64_t auth = word_value(auth_words, s, strlen(s));

	w.adapter = row_shared(c, obj, "adapter", base->adapter);
	w.base_url = row_shared(c, obj, "base_url", base->base_url);
	w.quirks = bits(c, obj, "quirks", quirk_words, base->quirks);
	if (*s != '\0') {
		w.auth = auth < 0 ? AUTH_NONE : (uint32_t)auth;
		if (auth < 0)
			row_wrong(c, "auth", "an unknown word");
	}
	if (w.auth == AUTH_HEADER)
		w.auth_header = row_shared(c, obj, "auth_header",
		    base->auth_header);
	if (c->err != ERR_OK)
		return 0;
	if (w.adapter != 0 && !good_url(build_text(&c->build, w.base_url)))
		row_wrong(c, "base_url", "not an address");
	if (w.auth == AUTH_HEADER &&
	    !good_header(build_text(&c->build, w.auth_header)))
		row_wrong(c, "auth_header", "not a header's name");
	return build_shared(&c->build, SECTION_WIRES, &w, 1);
}

static bool
rate(struct compiler *c, uint32_t v, int64_t *out)
{
	const char *s;
	size_t len;

	s = json_type(&c->doc, v) == JSON_NUMBER ?
	    json_raw(&c->doc, v, &len) :
	    json_str(&c->doc, v, c->arena, &len);
	return s != NULL && price_parse(s, len, out);
}

/* The rates of a price or a tier; units: how many it may have. */
static void
compile_rates(struct compiler *c, uint32_t obj, unsigned units, int64_t *rates)
{
	uint32_t k, v;
	unsigned u;

	for (u = 0; u < units; u++)
		rates[u] = PRICE_UNSET;
	for (k = json_first(&c->doc, obj); k != JSON_NONE;
	     k = json_next(&c->doc, obj, k)) {
		if (json_is(&c->doc, k, "tiers") ||
		    json_is(&c->doc, k, "above"))
			continue;
		for (u = 0; u < units; u++)
			if (json_is(&c->doc, k, unit_name(u)))
				break;
		v = json_value(&c->doc, k);
		if (u == units)
			row_wrong(c, "price", "an unknown unit");
		else if (!rate(c, v, &rates[u]))
			row_wrong(c, "price", "a rate that is no price in USD");
	}
}

static void
compile_tiers(struct compiler *c, uint32_t list, struct image_price *p)
{
	struct price_tier tier[PRICE_TIERS];
	uint32_t v, n = 0;

	memset(tier, 0, sizeof tier);
	if (json_type(&c->doc, list) != JSON_ARRAY ||
	    json_count(&c->doc, list) > PRICE_TIERS) {
		row_wrong(c, "price.tiers", "not a list of at most four");
		return;
	}
	for (v = json_first(&c->doc, list); v != JSON_NONE;
	     v = json_next(&c->doc, list, v), n++) {
		if (!json_int(&c->doc, json_get(&c->doc, v, "above"),
			&tier[n].above) || tier[n].above < 0 ||
		    (n > 0 && tier[n].above <= tier[n - 1].above)) {
			row_wrong(c, "price.tiers", "above must ascend");
			return;
		}
		compile_rates(c, v, UNIT_PER_MILLION, tier[n].rate);
	}
	p->tiers = n;
	p->first_tier = build_shared(&c->build, SECTION_TIERS, tier, n);
}

static uint32_t
compile_price(struct compiler *c, uint32_t obj)
{
	struct image_price p;
	uint32_t tiers;

	if (obj == JSON_NONE)
		return IMAGE_NONE;
	memset(&p, 0, sizeof p);
	if (json_type(&c->doc, obj) != JSON_OBJECT) {
		row_wrong(c, "price", "not an object");
		return IMAGE_NONE;
	}
	compile_rates(c, obj, UNIT_COUNT, p.rate);
	tiers = json_get(&c->doc, obj, "tiers");
	if (tiers != JSON_NONE)
		compile_tiers(c, tiers, &p);
	return build_shared(&c->build, SECTION_PRICES, &p, 1);
}

static void
compile_scores(struct compiler *c, uint32_t obj, struct image_model *m)
{
	struct image_score *list;
	uint32_t k, n = 0;

	m->scores = json_count(&c->doc, obj);
	if (obj == JSON_NONE || m->scores == 0)
		return;
	if (json_type(&c->doc, obj) != JSON_OBJECT) {
		row_wrong(c, "scores", "not an object");
		m->scores = 0;
		return;
	}
	list = arena_zalloc(c->arena, m->scores * sizeof *list);
	for (k = json_first(&c->doc, obj); list != NULL && k != JSON_NONE;
	     k = json_next(&c->doc, obj, k), n++) {
		const char *name = json_cstr(&c->doc, k, c->arena);

		if (name == NULL)
			break;
		if (!json_double(&c->doc, json_value(&c->doc, k),
			&list[n].value) || !isfinite(list[n].value))
			row_wrong(c, "scores", "not a number");
		list[n].benchmark = build_string(&c->build, name);
	}
	if (n < m->scores)
		row_no_memory(c);
	else
		m->first_score = build_shared(&c->build, SECTION_SCORES, list, n);
}

void
row_model(struct compiler *c, uint32_t obj, struct image_model *m)
{
	m->price = compile_price(c, json_get(&c->doc, obj, "price"));
	compile_scores(c, json_get(&c->doc, obj, "scores"), m);
	m->context = tokens(c, obj, "context");
	m->max_input = tokens(c, obj, "max_input");
	m->max_output = tokens(c, obj, "max_output");
	m->caps = bits(c, obj, "caps", cap_words, 0);
}
