/* Units that an answer tells of. */
#include "app/meter.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "app/base/arena.h"
#include "app/base/json.h"
#include "app/base/limits.h"

#define DOUBT 4 /* so many times a bound nobody uses */
#define MOST 9007199254740992.0 /* 2^53: what a usage may hold */

/* Fractions are rounded up. False: it is no number of things. */
static bool
amount(const struct json *doc, uint32_t v, int64_t *out)
{
	double d;

	if (!json_double(doc, v, &d) || !(d >= 0 && d <= MOST))
		return false;
	*out = (int64_t)ceil(d);
	return true;
}

/* Take from a document what is in it. */
static void
look(struct meter *m, const char *text, size_t len)
{
	const struct measure *row;
	struct json doc;
	size_t i;

	if (json_parse(&doc, m->scratch, text, len, NULL) == ERR_OK)
		for (i = 0; i < m->passage->measure_count; i++) {
			row = &m->passage->measures[i];
			if (amount(&doc, json_pointer(&doc, row->at),
			    &m->told.n[row->unit]))
				m->found[row->unit] = true;
		}
	arena_reset(m->scratch);
}

static enum err
on_event(void *arg, const struct sse_event *ev)
{
	look(arg, ev->data, ev->len);
	return ERR_OK;
}

static bool
says(const char *type, const char *word)
{
	return type != NULL && strcasestr(type, word) != NULL;
}

void
meter_begin(struct meter *m, const struct passage *p, const char *type,
    struct arena *scratch)
{
	bool lines = says(type, "ndjson") || says(type, "jsonl");

	memset(m, 0, sizeof *m);
	m->passage = p;
	m->scratch = scratch;
	if (p->measure_count == 0)
		return;
	if (lines || says(type, "event-stream")) {
		m->form = METER_EVENTS;
		frames_init(&m->frames, lines ? FRAMING_LINES : FRAMING_SSE,
		    LIMIT_EVENT_LARGE);
	} else if (says(type, "json")) {
		m->form = METER_WHOLE;
		buf_init(&m->body, LIMIT_METERED);
	}
}

/* Forget the bytes: there is nothing more to be found in them. */
static void
leave(struct meter *m)
{
	if (m->form == METER_EVENTS)
		frames_free(&m->frames);
	else if (m->form == METER_WHOLE)
		buf_free(&m->body);
	m->form = METER_NOT;
}

void
meter_feed(struct meter *m, const char *p, size_t len)
{
	bool good = true;

	if (m->form == METER_EVENTS) {
		good = frames_feed(&m->frames, p, len, on_event, m) == ERR_OK;
	} else if (m->form == METER_WHOLE) {
		buf_put(&m->body, p, len);
		good = !m->body.failed;
	}
	if (!good)
		leave(m);
}

void
meter_end(struct meter *m, struct usage *u)
{
	const struct measure *row;
	size_t i;

	if (m->form == METER_EVENTS)
		frames_end(&m->frames, on_event, m);
	else if (m->form == METER_WHOLE && m->body.len > 0)
		look(m, m->body.data, m->body.len);
	leave(m);
	*u = m->told;
	u->known = true;
	for (i = 0; i < m->passage->measure_count; i++) {
		row = &m->passage->measures[i];
		if (m->found[row->unit] &&
		    u->n[row->unit] <= row->at_most * DOUBT)
			continue;
		u->n[row->unit] = row->at_most;
		u->estimated = true;
	}
}

void
meter_free(struct meter *m)
{
	leave(m);
}

void
meter_most(const struct passage *p, struct usage *u)
{
	size_t i;

	memset(u, 0, sizeof *u);
	u->known = true;
	for (i = 0; i < p->measure_count; i++) {
		u->n[p->measures[i].unit] = p->measures[i].at_most;
		u->estimated = true;
	}
}
