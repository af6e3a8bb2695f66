/*
 * estimate [-v | -f] DIR: how far the token estimate is from what providers
 * counted. DIR holds recordings as PROVIDER/CASE/request.json with meta.json,
 * and response.json or a stream beside them. Each chat request is read as one
 * of a client is, and estimated for the model that answered it. Looked at are
 * requests of text, with and without tools of the client: what has images,
 * sound, files, tools of the provider or an answer that it kept is no text,
 * nor what a model that searches by itself was asked. Left out as well is an
 * answer whose numbers contradict one another (told).
 *
 * -v shows each of them, -f the numbers that the templates are fitted to
 * (estimate_fit.py).
 */
#include <glob.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "policy/estimate.h"

#define CASES_MAX 10000
#define NAME_SIZE 64
#define LONG_TOKENS 100 /* from here on a text outweighs the template */
#define NEAR 15.0	/* per cent */

/* What is counted, and by whom. */
struct sample {
	int64_t estimate, truth;
	bool tools;
	char provider[NAME_SIZE];
};

static struct sample samples[CASES_MAX];
static size_t sample_count;

/* The dialect that a recording's API speaks, as meta.json names it. */
static const struct {
	const char *api, *dialect;
} dialects[] = {
	{ "chat", "openai" },
	{ "mantle-chat", "openai" },
	{ "openai-compat-chat", "openai" },
	{ "messages", "anthropic" },
	{ "count_tokens", "anthropic" },
	{ "rawPredict", "anthropic" },
	{ "streamRawPredict", "anthropic" },
	{ "responses", "responses" },
	{ "mantle-responses", "responses" },
	{ "generateContent", "gemini" },
	{ "streamGenerateContent", "gemini" },
};

static bool
read_file(const char *path, struct buf *b)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		return false;
	while (!feof(file) && !ferror(file) && buf_reserve(b, 65536))
		b->len += fread(b->data + b->len, 1, 65536, file);
	fclose(file);
	return !b->failed;
}

/* The file `name` beside a request. */
static bool
read_beside(const char *request, const char *name, struct buf *b)
{
	const char *slash = strrchr(request, '/');
	char path[4096];

	snprintf(path, sizeof path, "%.*s/%s", (int)(slash - request), request,
	    name);
	buf_init(b, LIMIT_REPLY);
	return read_file(path, b);
}

/* The largest number that a member of this name has anywhere, or 0. */
static int64_t
largest(const char *text, const char *key)
{
	int64_t n = 0, m;
	const char *p;

	for (p = text; (p = strstr(p, key)) != NULL;) {
		p += strlen(key);
		p += strspn(p, " :\t\r\n");
		m = *p >= '0' && *p <= '9' ? strtoll(p, NULL, 10) : 0;
		n = m > n ? m : n;
	}
	return n;
}

/*
 * All input tokens that an answer tells of, or 0; also when its numbers
 * contradict one another: more read from the cache than there were in all.
 */
static int64_t
told(const char *text)
{
	static const char *const whole[] = { "\"prompt_tokens\"",
		"\"promptTokenCount\"", "\"input_tokens\"" };
	int64_t n = 0;
	size_t i;

	for (i = 0; i < 3 && n == 0; i++)
		n = largest(text, whole[i]);
	if (largest(text, "\"cached_tokens\"") > n)
		return 0;
	/* Anthropic tells of the three apart. */
	return n + largest(text, "\"cache_read_input_tokens\"") +
	    largest(text, "\"cache_creation_input_tokens\"");
}

static int64_t
truth_of(const char *request)
{
	static const char *const names[] = { "response.json", "stream.sse",
		"stream.json" };
	int64_t n = 0;
	struct buf b;
	size_t i;

	for (i = 0; n == 0 && i < 3; i++) {
		if (read_beside(request, names[i], &b)) {
			buf_putc(&b, '\0');
			n = b.failed ? 0 : told(b.data);
		}
		buf_free(&b);
	}
	return n;
}

static bool
is_text(const struct part *parts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((parts[i].kind >= PART_IMAGE &&
		    parts[i].kind <= PART_FILE) ||
		    parts[i].kind == PART_OTHER ||
		    !is_text(parts[i].parts, parts[i].part_count))
			return false;
	return true;
}

static bool
is_text_chat(const struct chat *chat)
{
	size_t i;

	for (i = 0; i < chat->message_count; i++)
		if (!is_text(chat->messages[i].parts,
		    chat->messages[i].part_count))
			return false;
	for (i = 0; i < chat->tool_count; i++)
		if (strcmp(chat->tools[i].type, "function") != 0)
			return false;
	for (i = 0; i < chat->extra_count; i++)
		if (strcmp(chat->extras[i], "mcp_servers") == 0)
			return false;
	return chat->message_count > 0 && chat->previous.len == 0 &&
	    chat->previous_id == NULL;
}

/* Read the request as one of a client; false when it is no text. */
static bool
read_chat(struct arena *a, const struct buf *body, const char *api,
    const char *model, struct chat *chat)
{
	size_t i, n = sizeof dialects / sizeof dialects[0];

	for (i = 0; i < n && strcmp(dialects[i].api, api) != 0; i++)
		continue;
	if (i == n)
		return false;
	memset(chat, 0, sizeof *chat);
	chat->surface = adapter_find(dialects[i].dialect);
	chat->query = chat->beta = "";
	chat->path = arena_printf(a, "%s:generateContent", model);
	return json_parse(&chat->doc, a, body->data, body->len, NULL) ==
	    ERR_OK && chat->surface->read_request(a, chat, NULL) == ERR_OK &&
	    chat->surface->read_chat(a, chat, NULL) == ERR_OK &&
	    is_text_chat(chat);
}

static void
show(const struct sample *s, const char *model, const char *path)
{
	printf("%+6.0f %% %6jd %6jd %-34.34s %s\n",
	    100.0 * (double)s->estimate / (double)s->truth - 100,
	    (intmax_t)s->estimate, (intmax_t)s->truth, model, path);
}

static void
show_features(const struct chat *chat, const struct sample *s,
    const char *id, const char *path)
{
	struct estimate_chat c;

	canon_shape(chat, &c);
	printf("{\"path\":\"%s\",\"id\":\"%s@%s\",\"truth\":%jd", path, id,
	    chat->surface->name, (intmax_t)s->truth);
#define SHOW(member) printf(",\"" #member "\":%jd", (intmax_t)c.member);
	SHOW(messages) SHOW(systems) SHOW(text) SHOW(digits) SHOW(reasoning)
	SHOW(last_reasoning) SHOW(seals)
	SHOW(sealed) SHOW(last_seals) SHOW(last_sealed) SHOW(calls)
	SHOW(tools) SHOW(tools_text) SHOW(tools_words) SHOW(tools_fields)
	SHOW(schema_text) SHOW(schema_words) SHOW(schema_fields) SHOW(thinks)
	SHOW(unthinks) SHOW(json) SHOW(no_tools) SHOW(must_call) SHOW(one_call)
#undef SHOW
	printf("}\n");
}

static void
take(struct arena *a, const char *path, char mode)
{
	struct sample *s = &samples[sample_count];
	struct json meta;
	struct buf body, about;
	struct chat chat;
	const char *api, *model, *provider, *id;

	buf_init(&body, LIMIT_BODY);
	if (!read_beside(path, "meta.json", &about) ||
	    !read_file(path, &body) || sample_count == CASES_MAX ||
	    json_parse(&meta, a, about.data, about.len, NULL) != ERR_OK)
		goto out;
	api = json_cstr(&meta, json_get(&meta, JSON_ROOT, "api"), a);
	model = json_cstr(&meta, json_get(&meta, JSON_ROOT, "model"), a);
	provider = json_cstr(&meta, json_get(&meta, JSON_ROOT, "provider"), a);
	if (api == NULL || provider == NULL ||
	    !read_chat(a, &body, api, model != NULL ? model : "x", &chat))
		goto out;
	model = model != NULL ? model : chat.model;
	id = arena_printf(a, "%s/%s", provider, model);
	if (id == NULL || strstr(id, "compound") != NULL)
		goto out;
	snprintf(s->provider, sizeof s->provider, "%s", provider);
	s->tools = chat.tool_count > 0;
	s->estimate = canon_tokens_at(&chat, id, chat.surface->name);
	s->truth = truth_of(path);
	if (s->truth == 0)
		goto out;
	sample_count++;
	if (mode == 'v')
		show(s, model, path);
	else if (mode == 'f')
		show_features(&chat, s, id, path);
out:
	buf_free(&about);
	buf_free(&body);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The distribution of the error over the samples that fit. */
static void
report(const char *what, const char *provider, int tools, int64_t from)
{
	static double error[CASES_MAX];
	size_t i, n = 0, near = 0;

	for (i = 0; i < sample_count; i++) {
		const struct sample *s = &samples[i];

		if ((tools >= 0 && s->tools != (tools == 1)) ||
		    s->truth < from || (provider != NULL &&
			strcmp(s->provider, provider) != 0))
			continue;
		error[n] = 100.0 * (double)s->estimate / (double)s->truth - 100;
		near += fabs(error[n++]) <= NEAR;
	}
	if (n == 0)
		return;
	qsort(error, n, sizeof *error, by_value);
	printf("%-28s %4zu cases, within 15 %%: %3.0f %%; error: 10th %+.0f, "
	    "median %+.0f, 90th %+.0f %%\n", what, n,
	    100.0 * (double)near / (double)n, error[n / 10], error[n / 2],
	    error[n * 9 / 10]);
}

/*
 * What the filter of windows might refuse though it fits: estimates more than
 * a quarter above the truth. They do no harm below the smallest window.
 */
static void
report_refusable(void)
{
	int64_t largest = 0;
	size_t i, n = 0;

	for (i = 0; i < sample_count; i++) {
		const struct sample *s = &samples[i];

		if (s->estimate / 5 * 4 <= s->truth)
			continue;
		n++;
		largest = s->estimate > largest ? s->estimate : largest;
	}
	printf("a quarter too large and more: %zu cases, up to %jd tokens\n",
	    n, (intmax_t)largest);
}

int
main(int argc, char **argv)
{
	char mode = argc == 3 && argv[1][0] == '-' ? argv[1][1] : '\0';
	struct arena *a = arena_new(LIMIT_ARENA);
	char pattern[4096];
	glob_t found;
	size_t i;

	if (argc != 2 && mode != 'v' && mode != 'f') {
		fprintf(stderr, "usage: estimate [-v | -f] DIR\n");
		return 2;
	}
	snprintf(pattern, sizeof pattern, "%s/*/*/request.json",
	    argv[argc - 1]);
	if (a == NULL || glob(pattern, 0, NULL, &found) != 0) {
		fprintf(stderr, "%s: no recordings\n", argv[argc - 1]);
		return 1;
	}
	for (i = 0; i < found.gl_pathc; i++) {
		take(a, found.gl_pathv[i], mode);
		arena_reset(a);
	}
	globfree(&found);
	arena_free(a);
	if (mode == 'f')
		return 0;
	/* Recordings are in order of their providers. */
	for (i = 0; i < sample_count; i++)
		if (i == 0 || strcmp(samples[i].provider,
		    samples[i - 1].provider) != 0)
			report(samples[i].provider, samples[i].provider, -1, 0);
	report("all", NULL, -1, 0);
	report("without tools", NULL, 0, 0);
	report("with tools", NULL, 1, 0);
	report("of 100 tokens and more", NULL, -1, LONG_TOKENS);
	report_refusable();
	return sample_count == 0;
}
