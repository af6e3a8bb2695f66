/*
 * Patterns with a price. A backtracking matcher may take the square of a
 * text's length with the plainest pattern, (foo|bar).*baz, and PCRE2's own
 * limits hold for each place where a match may begin, not for all of them.
 * So every item of a pattern is compiled with a callout before it, which adds
 * up how far the match has moved since the last one, and ends it at a sum.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/limits.h"

#define NESTING 50	/* of groups */
#define BACKTRACKS 200000 /* from one beginning */
#define DEPTH 5000	/* of backtracking points */
#define HEAP_KIB 4096
#define STEPS 12000000	/* bytes walked over, all beginnings together */
#define STEPS_LEAST 120000 /* of one match, also when none are left */
#define ITEM 8		/* steps that an item costs by itself */

struct pattern {
	pcre2_code *code;
	pcre2_match_context *bounds;
	uint64_t given_up;
};

struct walk {
	PCRE2_SIZE at;
	uint64_t steps, most;
};

/* Not zero ends the match with this error. */
static int
count_steps(pcre2_callout_block *block, void *arg)
{
	struct walk *w = arg;
	PCRE2_SIZE at = block->current_position;

	w->steps += ITEM + (at > w->at ? at - w->at : w->at - at);
	w->at = at;
	return w->steps > w->most ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static pcre2_code *
compile(const char *text, int *error, PCRE2_SIZE *at)
{
	pcre2_compile_context *c = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	if (c == NULL)
		return NULL;
	pcre2_set_max_pattern_length(c, LIMIT_PATTERN);
	pcre2_set_parens_nest_limit(c, NESTING);
	code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
	    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C |
	    PCRE2_AUTO_CALLOUT, error, at, c);
	pcre2_compile_context_free(c);
	return code;
}

struct pattern *
pattern_new(const char *text, char *why, size_t size)
{
	struct pattern *p = calloc(1, sizeof *p);
	int error = PCRE2_ERROR_NOMEMORY;
	PCRE2_SIZE at = 0;
	PCRE2_UCHAR words[160];

	if (p == NULL)
		goto short_of_memory;
	p->code = compile(text, &error, &at);
	if (p->code == NULL) {
		if (error == PCRE2_ERROR_NOMEMORY)
			goto short_of_memory;
		pcre2_get_error_message(error, words, sizeof words);
		snprintf(why, size, "%s (at byte %zu)", (const char *)words,
		    (size_t)at);
		pattern_free(p);
		return NULL;
	}
	p->bounds = pcre2_match_context_create(NULL);
	if (p->bounds == NULL)
		goto short_of_memory;
	pcre2_set_match_limit(p->bounds, BACKTRACKS);
	pcre2_set_depth_limit(p->bounds, DEPTH);
	pcre2_set_heap_limit(p->bounds, HEAP_KIB);
	return p;
short_of_memory:
	pattern_free(p);
	snprintf(why, size, "%s", "");
	return NULL;
}

void
pattern_free(struct pattern *p)
{
	if (p == NULL)
		return;
	pcre2_match_context_free(p->bounds);
	pcre2_code_free(p->code);
	free(p);
}

const char *
text_end(const char *text, size_t *len, size_t most)
{
	size_t skip;

	if (*len <= most)
		return text;
	skip = *len - most;
	while (skip < *len && ((unsigned char)text[skip] & 0xc0) == 0x80)
		skip++;
	*len -= skip;
	return text + skip;
}

/* The steps that a match may take, of those that are left. */
static uint64_t
allowed(const int64_t *left)
{
	if (left == NULL || *left >= STEPS)
		return STEPS;
	return *left > STEPS_LEAST ? (uint64_t)*left : STEPS_LEAST;
}

bool
pattern_match(const struct pattern *p, const char *text, size_t len,
    int64_t *left)
{
	struct pattern *own = (struct pattern *)(uintptr_t)p; /* its count */
	pcre2_match_data *found = pcre2_match_data_create(1, NULL);
	struct walk walk = { .most = allowed(left) };
	int rc = PCRE2_ERROR_NOMEMORY;

	text = text_end(text, &len, LIMIT_PROMPT_SEEN);
	if (found != NULL) {
		pcre2_set_callout(p->bounds, count_steps, &walk);
		rc = pcre2_match(p->code, (PCRE2_SPTR)text, len, 0, 0, found,
		    p->bounds);
		pcre2_set_callout(p->bounds, NULL, NULL);
	}
	pcre2_match_data_free(found);
	if (left != NULL)
		*left -= (int64_t)walk.steps;
	if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT ||
	    rc == PCRE2_ERROR_HEAPLIMIT || rc == PCRE2_ERROR_NOMEMORY)
		own->given_up++;
	return rc >= 0;
}

uint64_t
pattern_given_up(const struct pattern *p)
{
	return p->given_up;
}
