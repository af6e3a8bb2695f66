/*
 * JSON Schemas, by one pass over their text. It was parsed as part of a
 * request, so that only strings and brackets matter.
 */
#include <stdbool.h>
#include <string.h>

#include "policy/estimate.h"

#define DEPTH_MAX 64 /* what lies deeper is not looked at */

/* What a key of a schema has. */
enum key {
	KEY_OTHER, /* words of JSON Schema itself */
	KEY_SAID,  /* words for the model */
	KEY_NAMES  /* an object whose keys are names */
};

static const struct {
	const char *word;
	enum key key;
} keys[] = {
	{ "properties", KEY_NAMES }, { "patternProperties", KEY_NAMES },
	{ "$defs", KEY_NAMES }, { "definitions", KEY_NAMES },
	{ "description", KEY_SAID }, { "enum", KEY_SAID },
	{ "const", KEY_SAID }, { "default", KEY_SAID },
};

/* An object or a list that is open. */
struct level {
	bool list, names; /* names: its keys are names of members */
	enum key key;	  /* under which its values stand */
};

struct walk {
	const char *p, *end;
	struct estimate_schema *out;
	struct level levels[DEPTH_MAX];
	size_t depth;
	bool value; /* a value is next, not a key */
};

static enum key
key_of(const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strlen(keys[i].word) == len &&
		    memcmp(keys[i].word, word, len) == 0)
			return keys[i].key;
	return KEY_OTHER;
}

/* A string; p is behind its first quote, and then behind its last. */
static void
walk_string(struct walk *w)
{
	struct level *l = &w->levels[w->depth - 1];
	const char *text = w->p;
	size_t len;
	bool said;

	while (w->p < w->end && *w->p != '"')
		w->p += *w->p == '\\' && w->end - w->p > 1 ? 2 : 1;
	len = (size_t)(w->p - text);
	w->p += w->p < w->end;
	w->out->marks++;
	said = l->list || w->value ? l->key == KEY_SAID : l->names;
	estimate_more(text, len, said ? w->out->words : w->out->own);
	if (!l->list && !w->value) {
		w->out->fields += l->names;
		l->key = l->names ? KEY_OTHER : key_of(text, len);
	}
}

static void
walk_open(struct walk *w, bool list)
{
	const struct level *l = &w->levels[w->depth - 1];

	w->levels[w->depth] = (struct level){ .list = list,
		.names = !list && !l->names && l->key == KEY_NAMES,
		.key = list && l->key == KEY_SAID ? KEY_SAID : KEY_OTHER };
	w->depth++;
	w->value = false;
}

/* A sign or a letter outside of strings. */
static void
walk_sign(struct walk *w, char c)
{
	switch (c) {
	case ':':
		w->value = true;
		break;
	case ',':
		w->value = false;
		break;
	case '{':
	case '[':
		walk_open(w, c == '[');
		break;
	case '}':
	case ']':
		w->depth--;
		break;
	case '0' ... '9':
	case 'a' ... 'z':
		w->out->marks++;
		while (w->p < w->end && ((*w->p >= '0' && *w->p <= '9') ||
		    (*w->p >= 'a' && *w->p <= 'z')))
			w->p++;
		break;
	default:
		break;
	}
}

void
estimate_schema(const char *json, size_t len, struct estimate_schema *s)
{
	struct walk w = { .p = json, .out = s, .depth = 1 };

	if (len == 0)
		return;
	w.end = json + len;
	while (w.p < w.end && w.depth > 0 && w.depth < DEPTH_MAX) {
		if (*w.p++ == '"') {
			walk_string(&w);
			w.value = false;
		} else {
			walk_sign(&w, w.p[-1]);
		}
	}
}

int64_t
estimate_schema_json(const struct estimate_schema *s)
{
	int64_t all[EST_COUNT];
	size_t i;

	for (i = 0; i < EST_COUNT; i++)
		all[i] = s->words[i] + s->own[i];
	return estimate_weigh(all) + s->marks;
}
