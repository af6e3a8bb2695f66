/* Upper bounds of what a request uses. */
#include "app/bounds.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "adapters/canon.h"
#include "app/base/arena.h"

/* What providers add to a text at most: a turn's marks, a tool's, the rest. */
#define TURN_TOKENS 16
#define TOOL_TOKENS 64
#define REQUEST_TOKENS 1024
#define MEDIA_TOKENS 8192 /* of a picture or file, and one for 8 bytes */
#define SEARCHES 10	  /* that one request may make */
#define RESEARCHES 100	  /* that a model does which was made for it */
#define KEPT_TOKENS 200000 /* of what a provider keeps, where it says nothing */
#define DOUBT 4		  /* so many times a bound nobody uses */

#define MEDIA                                                                \
	(CAP_IMAGE_IN | CAP_PDF_IN | CAP_AUDIO_IN | CAP_VIDEO_IN |           \
	    CAP_ATTACHMENT)

static int64_t
of_parts(const struct part *parts, size_t count)
{
	const struct part *p;
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		p = &parts[i];
		if (p->data.len + p->url.len + p->file.len > 0)
			sum += MEDIA_TOKENS + (int64_t)p->data.len / 8;
		sum += (int64_t)(p->text.len + p->name.len + p->args.len +
		    p->id.len + p->signature.len + p->sealed.len);
		if (p->kind == PART_OTHER)
			sum += (int64_t)p->raw.len;
		sum += of_parts(p->parts, p->part_count);
	}
	return sum;
}

/*
 * No tokenizer makes more than one token of a byte, so the body bounds what
 * has no media; of what has, texts and so much a piece.
 */
static int64_t
of_input(struct arena *a, struct chat *c)
{
	int64_t sum = REQUEST_TOKENS;
	size_t i;

	if ((c->needs & MEDIA) == 0 || !canon_whole(a, c))
		return sum + (int64_t)c->doc.len;
	for (i = 0; i < c->message_count; i++)
		sum += TURN_TOKENS + (int64_t)c->messages[i].name.len +
		    of_parts(c->messages[i].parts, c->messages[i].part_count);
	for (i = 0; i < c->tool_count; i++)
		sum += TOOL_TOKENS + (int64_t)(c->tools[i].name.len +
		    c->tools[i].description.len + c->tools[i].schema.len +
		    c->tools[i].raw.len);
	return sum + (int64_t)c->format_schema.len;
}

/*
 * What a request says that its bill may hold beside: words anywhere in it. A
 * tool of the provider's own may bring any text into the prompt.
 */
enum { SAYS_CACHE = 1, SAYS_SEARCH = 2, SAYS_MORE = 4, SAYS_ALL = 7 };

static const struct {
	const char *word;
	size_t at; /* a byte of it that is rare in texts: looked for first */
	unsigned says;
} marks[] = {
	{ "cache_control", 5, SAYS_CACHE },
	{ "cachePoint", 5, SAYS_CACHE },
	{ "search", 5, SAYS_SEARCH | SAYS_MORE },
	{ "\"plugins\"", 4, SAYS_SEARCH },
	{ "fetch", 4, SAYS_MORE },
	{ "code_", 4, SAYS_MORE },
	{ "\"mcp", 3, SAYS_MORE },
	{ "url_context", 3, SAYS_MORE },
	{ "conversation", 3, SAYS_MORE },
};

static const bool rare[256] = { ['_'] = true, ['P'] = true, ['h'] = true,
	['g'] = true, ['p'] = true, ['v'] = true, ['\\'] = true };

/*
 * A letter, '_' or '"' written as its number ("\u0063"), as no encoder does:
 * a word may be hidden there.
 */
static bool
is_hidden(const char *p, size_t len)
{
	char hex[3] = { 0 };
	long c;

	if (len < 6 || memcmp(p, "\\u00", 4) != 0)
		return false;
	memcpy(hex, p + 4, 2);
	c = strtol(hex, NULL, 16);
	return isalpha((int)c) || c == '_' || c == '"';
}

static unsigned
said_at(const char *text, size_t len, size_t i)
{
	unsigned says = 0;
	size_t k, at, n;

	if (text[i] == '\\')
		return is_hidden(text + i, len - i) ? SAYS_ALL : 0;
	for (k = 0; k < sizeof marks / sizeof marks[0]; k++) {
		at = marks[k].at;
		if (marks[k].word[at] != text[i] || i < at)
			continue;
		n = strlen(marks[k].word);
		if (len - (i - at) >= n &&
		    memcmp(text + i - at, marks[k].word, n) == 0)
			says |= marks[k].says;
	}
	return says;
}

/* All of them in one pass: it is felt with long prompts. */
static unsigned
said(const char *text, size_t len)
{
	unsigned says = 0;
	size_t i;

	for (i = 0; i < len; i++)
		if (rare[(unsigned char)text[i]])
			says |= said_at(text, len, i);
	return says;
}

static enum err
set_output(struct arena *a, struct chat *c, const struct deployment *d,
    int64_t most, struct fault *f)
{
	if (c->max_output > 0)
		return ERR_OK;
	if (d->max_output > 0 && d->max_output < most)
		most = d->max_output;
	if (c->surface->bound_output != NULL)
		return c->surface->bound_output(a, c, most, f);
	c->max_output = most;
	return ERR_OK;
}

/* Searches of a model that makes them unasked: by its provider's name of it. */
static int64_t
searches_of(const struct deployment *d)
{
	static const struct {
		const char *word;
		int64_t most;
	} names[] = {
		{ "research", RESEARCHES }, /* sonar-deep-research */
		{ "search", SEARCHES },	    /* gpt-4o-search-preview */
		{ ":online", SEARCHES },    /* OpenRouter */
	};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strstr(d->model, names[i].word) != NULL)
			return names[i].most;
	return 0;
}

/* What the policy has for the most that an answer may tell. */
static void
set_declared(struct bounds *b, const int64_t *most)
{
	struct usage u = { .known = true };

	memcpy(u.n, most, sizeof u.n);
	*b = (struct bounds){ .input = usage_input(&u),
		.output = usage_output(&u), .searches = most[UNIT_SEARCH],
		.fees = most, .writes = true };
}

/*
 * Nothing but what it sends is read, and `most` bounds the rest. Who makes one
 * image a call reads it again for each.
 */
static enum err
set_task(struct bounds *b, const struct chat *chat)
{
	const struct task *t = &chat->task;
	const int64_t *most = t->most;
	int64_t read = REQUEST_TOKENS + (int64_t)(chat->doc.len - t->bulk) +
	    (int64_t)t->media * MEDIA_TOKENS + most[UNIT_INPUT] +
	    most[UNIT_AUDIO_INPUT];

	if (chat->raw != NULL) {
		set_declared(b, most);
		return ERR_OK;
	}
	*b = (struct bounds){ .output = most[UNIT_OUTPUT],
		.input = most[UNIT_IMAGE] > 1 ? read * most[UNIT_IMAGE] : read,
		.searches = most[UNIT_SEARCH], .fees = most };
	return ERR_OK;
}

enum err
bounds_set(struct bounds *b, struct arena *a, struct chat *chat,
    const struct deployment *d, int64_t most, struct fault *f)
{
	unsigned says;
	enum err e;

	if (chat->task.door != NULL)
		return set_task(b, chat);
	says = said(chat->doc.text, chat->doc.len);
	b->writes = (says & SAYS_CACHE) != 0;
	b->searches = (says & SAYS_SEARCH) != 0 ? SEARCHES : 0;
	b->open = (says & SAYS_MORE) != 0 || chat->previous_id != NULL ||
	    searches_of(d) > 0;
	b->input = of_input(a, chat);
	if (chat->previous_id != NULL) /* all of that is read again */
		b->input += d->context > 0 ? d->context : KEPT_TOKENS;
	e = set_output(a, chat, d, most, f);
	b->output = chat->max_output;
	if (chat->choices > 1 &&
	    __builtin_mul_overflow(b->output, chat->choices, &b->output))
		b->output = INT64_MAX;
	return e;
}

static bool
beyond(int64_t told, int64_t bound)
{
	return told / DOUBT > bound;
}

bool
bounds_cut(const struct bounds *b, struct usage *u)
{
	int64_t input = b == NULL || b->open ? BOUNDS_SANE : b->input;
	int64_t output = b == NULL ? BOUNDS_SANE : b->output;
	bool cut = false;

	if (beyond(usage_input(u), input)) {
		usage_set_input(u, input);
		cut = true;
	}
	if (beyond(usage_output(u), output)) {
		usage_set_output(u, output);
		cut = true;
	}
	if (u->n[UNIT_SEARCH] > DOUBT * DOUBT * SEARCHES &&
	    (b == NULL || beyond(u->n[UNIT_SEARCH], b->searches))) {
		u->n[UNIT_SEARCH] = b == NULL ? SEARCHES : b->searches;
		cut = true;
	}
	return cut;
}

bool
bounds_past(int64_t bound, int64_t bytes, int64_t events)
{
	int64_t most;

	if (bound <= 0 || bound > BOUNDS_SANE * 100)
		return false;
	most = bound + bound / 20 + 256;
	return bytes / 8 > most || (bytes / 4 > most && events > most);
}

int64_t
bounds_cost(const struct bounds *b, const struct deployment *d)
{
	int64_t own = searches_of(d);

	return price_bound(&d->price, b->input, b->output, b->writes,
	    own > b->searches ? own : b->searches, b->fees);
}
