/*
 * Batches: lines of an input, what a provider says of a batch, answers, and
 * the records that the store gives back. The first byte chooses the dialect,
 * the second what the rest is. Lines that are taken and answers that are
 * written must be JSON, a line each.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/frames.h"
#include "app/base/limits.h"
#include "app/ledger.h"
#include "app/lines.h"
#include "app/results.h"
#include "app/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *adapter;
	const struct batch_dialect *dialect;
} rows[] = {
	{ "openai", &batch_openai },
	{ "anthropic", &batch_anthropic },
	{ "gemini", &batch_gemini },
};

struct target {
	struct arena *arena, *scratch;
	struct provider provider;
	struct deployment deployment;
	struct entry entry;
	struct results results;
};

/* Each line by itself. */
static void
must_be_lines(struct arena *a, const char *p, size_t len)
{
	const char *end;
	struct json doc;

	for (; len > 0; len -= (size_t)(end + 1 - p), p = end + 1) {
		end = memchr(p, '\n', len);
		if (end == NULL || json_parse(&doc, a, p, (size_t)(end - p),
		    NULL) != ERR_OK)
			abort();
	}
}

static void
take_lines(struct target *t, const char *p, size_t len)
{
	struct lines l;
	struct chat chat;
	struct fault f;
	bool more = true;
	enum err e;

	memset(&l, 0, sizeof l);
	e = lines_first(&l, t->arena, p, len, &chat, &f);
	l.deployment = &t->deployment;
	l.dialect = t->results.dialect;
	l.output = 100;
	while (e == ERR_OK && more)
		e = lines_some(&l, 64, &more, &f);
	if (e == ERR_OK)
		must_be_lines(t->arena, l.out.data, l.out.len);
	lines_end(&l);
}

static void
read_state(struct target *t, const char *p, size_t len)
{
	struct batch_state s;
	struct fault f;

	if (batch_read(t->results.dialect, t->arena, p, len, &s, &f) == ERR_OK &&
	    (s.id == NULL || *s.id == '\0' || s.output == NULL ||
		s.errors == NULL || s.failure == NULL))
		abort();
}

static enum err
on_line(void *arg, const struct sse_event *ev)
{
	struct target *t = arg;
	struct json doc;
	struct usage u;
	struct fault f;
	struct buf out;

	if (ev == NULL || json_parse(&doc, t->scratch, ev->data, ev->len,
	    NULL) != ERR_OK)
		return ERR_OK;
	buf_init(&out, MIB(16));
	results_line(&t->results, t->scratch, &doc, false, &out, &f);
	results_line(&t->results, t->scratch, &doc, true, &out, &f);
	results_usage(&t->results, t->scratch, (struct str){ ev->data,
	    ev->len }, &u);
	if (!out.failed)
		must_be_lines(t->scratch, out.data, out.len);
	buf_free(&out);
	arena_reset(t->scratch);
	return ERR_OK;
}

static void
read_answers(struct target *t, const char *p, size_t len)
{
	struct frames frames;

	frames_init(&frames, FRAMING_LINES, KIB(64));
	if (frames_feed(&frames, p, len, on_line, t) == ERR_OK)
		frames_end(&frames, on_line, t);
	frames_free(&frames);
}

static void
read_record(struct target *t, const char *p, size_t len)
{
	struct entry e, again;
	struct hold h;
	struct spool s;
	const char *text;

	if (entry_read(t->arena, p, len, &e)) {
		text = entry_write(t->arena, &e);
		if (text != NULL && !entry_read(t->arena, text, strlen(text),
		    &again))
			abort();
	}
	ledger_take(NULL, t->arena, p, &h);
	spool_find(p, &s);
}

static void (*const modes[])(struct target *t, const char *p, size_t len) = {
	take_lines, read_state, read_answers, read_record };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target t;
	size_t row;
	char *text;

	if (size < 2)
		return 0;
	row = data[0] % (sizeof rows / sizeof rows[0]);
	memset(&t, 0, sizeof t);
	t.arena = arena_new(MIB(64));
	t.scratch = arena_new(MIB(64));
	t.provider = (struct provider){ .name = "p",
		.adapter = rows[row].adapter, .base_url = "http://h/v1",
		.key = "", .api_version = "" };
	t.deployment = (struct deployment){ .id = "p/m", .model = "m",
		.provider = &t.provider };
	price_init(&t.deployment.price);
	entry_init(&t.entry);
	t.entry.model = "m";
	t.entry.up = "m";
	t.results = (struct results){ .entry = &t.entry,
		.dialect = rows[row].dialect,
		.surface = adapter_find("openai"),
		.adapter = adapter_find(rows[row].adapter),
		.provider = &t.provider, .deployment = t.deployment };
	text = t.arena == NULL || t.scratch == NULL ? NULL :
	    arena_dup(t.arena, (const char *)data + 2, size - 2);
	if (text != NULL)
		modes[data[1] % (sizeof modes / sizeof modes[0])](&t, text,
		    size - 2);
	arena_free(t.scratch);
	arena_free(t.arena);
	return 0;
}
