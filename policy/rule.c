/* Rules: conditions against facts, the cheap ones first. */
#include "policy/rule.h"

#include <string.h>

#include "policy/estimate.h"
#include "policy/pattern.h"
#include "policy/script.h"
#include "policy/zone.h"

#define LEN(x) (sizeof(x) / sizeof(x)[0])
#define SECOND INT64_C(1000000) /* µs */

void
known_init(struct known *k, const struct route_facts *facts)
{
	memset(k, 0, sizeof *k);
	k->facts = facts;
	k->input_tokens = -1;
	k->steps = PATTERN_STEPS;
}

int64_t
known_input_tokens(struct known *k)
{
	const struct route_facts *f = k->facts;

	if (k->input_tokens >= 0)
		return k->input_tokens;
	if (f->calls != NULL && f->calls->input_tokens != NULL)
		k->input_tokens = f->calls->input_tokens(f->arg);
	else
		k->input_tokens = estimate_text_bytes(f->input_bytes);
	if (k->input_tokens < 0)
		k->input_tokens = 0;
	return k->input_tokens;
}

int64_t
known_input_tokens_at(struct known *k, const struct deployment *d)
{
	const struct route_facts *f = k->facts;
	int64_t n;

	if (f->calls == NULL || f->calls->input_tokens_at == NULL)
		return known_input_tokens(k);
	n = f->calls->input_tokens_at(f->arg, d);
	return n > 0 ? n : 0;
}

static int
known_budget(struct known *k)
{
	const struct route_facts *f = k->facts;

	if (!k->budget_asked) {
		k->budget_asked = true;
		k->budget_left = -1;
		if (f->calls != NULL && f->calls->budget_left != NULL)
			k->budget_left = f->calls->budget_left(f->arg);
	}
	return k->budget_left;
}

static const char *
known_prompt(struct known *k, enum prompt_part part, size_t *len)
{
	const struct route_facts *f = k->facts;

	if (k->prompt[part].text == NULL) {
		if (f->calls != NULL && f->calls->prompt != NULL)
			k->prompt[part].text = f->calls->prompt(f->arg, part,
			    &k->prompt[part].len);
		if (k->prompt[part].text == NULL) {
			k->prompt[part].text = "";
			k->prompt[part].len = 0;
		}
	}
	*len = k->prompt[part].len;
	return k->prompt[part].text;
}

/* ---- conditions; each holds when it is not set ---- */

static bool
matches(const char *const *patterns, size_t count, const char *value)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (glob_match(patterns[i], value))
			return true;
	return false;
}

static bool
one_of(const struct strings *s, const char *value)
{
	return s->list == NULL ||
	    (value != NULL && value[0] != '\0' &&
		matches(s->list, s->count, value));
}

static bool
within(const struct range *r, int64_t n)
{
	return !r->set || (r->least <= n && n <= r->most);
}

/* What stands in the request and its key. */
static bool
when_plain(const struct when *w, struct known *k)
{
	const struct route_facts *f = k->facts;
	const char *user = f->user != NULL && f->user[0] != '\0' ? f->user :
		f->key->user;

	return one_of(&w->models, f->model) && one_of(&w->keys, f->key->name) &&
	    one_of(&w->teams, f->key->team) && one_of(&w->tiers, f->key->tier) &&
	    one_of(&w->users, user) && one_of(&w->endpoints, f->endpoint) &&
	    (w->stream < 0 || (w->stream != 0) == f->stream) &&
	    (w->needs & ~f->needs) == 0 &&
	    (!w->output_tokens.set || (f->max_output > 0 &&
		within(&w->output_tokens, f->max_output)));
}

static bool
has_tag(const struct route_facts *f, const char *pattern)
{
	size_t i;

	if (f->calls != NULL && f->calls->tag != NULL)
		return f->calls->tag(f->arg, pattern);
	for (i = 0; i < f->key->tag_count; i++)
		if (glob_match(pattern, f->key->tags[i]))
			return true;
	return false;
}

static bool
when_tags(const struct when *w, struct known *k)
{
	size_t i;

	for (i = 0; i < w->tags.count; i++)
		if (has_tag(k->facts, w->tags.list[i]))
			return true;
	return w->tags.list == NULL;
}

/* Of every name one of its patterns must match; what is not there has none. */
static bool
all_match(const struct match *list, size_t count,
    const char *(*get)(void *, const char *), void *arg)
{
	const char *value;
	size_t i;

	for (i = 0; i < count; i++) {
		value = get != NULL ? get(arg, list[i].name) : NULL;
		if (value == NULL ||
		    !matches(list[i].patterns, list[i].count, value))
			return false;
	}
	return true;
}

static bool
when_named(const struct when *w, struct known *k)
{
	const struct route_facts *f = k->facts;
	const struct facts_calls *c = f->calls;

	return all_match(w->headers, w->header_count,
	    c != NULL ? c->header : NULL, f->arg) &&
	    all_match(w->metadata, w->metadata_count,
	    c != NULL ? c->metadata : NULL, f->arg);
}

static bool
when_hours(const struct when *w, struct known *k)
{
	const struct hours *h = &w->hours;
	int64_t wall = k->facts->wall;
	struct zone_time now;
	int minute, day;
	bool in;

	if (!h->set)
		return true;
	zone_local(h->tz, wall / SECOND - (wall % SECOND < 0), &now);
	minute = now.hour * 60 + now.minute;
	day = now.weekday; /* on which these hours began */
	in = minute >= h->from;
	if (h->from < h->to) {
		in = in && minute < h->to;
	} else if (!in) { /* behind midnight */
		in = minute < h->to;
		day = (day + 6) % 7;
	}
	return in && (h->days == 0 || (h->days >> day & 1) != 0);
}

static bool
when_budget(const struct when *w, struct known *k)
{
	int left;

	if (!w->budget_left.set)
		return true;
	left = known_budget(k);
	return left >= 0 && within(&w->budget_left, left);
}

static bool
when_input(const struct when *w, struct known *k)
{
	return !w->input_tokens.set ||
	    within(&w->input_tokens, known_input_tokens(k));
}

static bool
when_prompt(const struct when *w, struct known *k)
{
	const char *text;
	size_t len;

	if (w->prompt == NULL && w->script == NULL)
		return true;
	text = known_prompt(k, w->prompt_part, &len);
	return (w->script == NULL ||
	    script_match(w->script, text, len, w->script_share)) &&
	    (w->prompt == NULL || pattern_match(w->prompt, text, len,
		&k->steps));
}

bool
rule_match(const struct when *w, struct known *k)
{
	/* In order of what they cost. */
	static bool (*const conditions[])(const struct when *,
	    struct known *) = { when_plain, when_hours, when_tags, when_named,
		when_budget, when_input, when_prompt };
	size_t i;

	for (i = 0; i < LEN(conditions); i++)
		if (!conditions[i](w, k))
			return false;
	return true;
}

const struct rule *
rule_find(const struct policy *p, struct known *k)
{
	size_t i;

	for (i = 0; i < p->rule_count; i++)
		if (rule_match(&p->rules[i].when, k))
			return &p->rules[i];
	return NULL;
}
