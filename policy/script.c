/*
 * Counting letters: runs of letters are sought, and within each the runs of
 * the script, so that a digit or a mark of a script counts for nothing.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/script.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/base/limits.h"
#include "policy/pattern.h"

struct script {
	pcre2_code *letters, *own;
	pcre2_match_data *found;
};

static const struct {
	const char *name, *run;
} rows[SCRIPTS] = {
#define SCRIPT(name, class) { #name, "[" class "]++" },
#include "policy/script.def"
#undef SCRIPT
};

const char *
script_name(enum script_id id)
{
	return rows[id].name;
}

/* The texts are our own: they compile, or memory is short. */
static pcre2_code *
compile(const char *text)
{
	int error;
	PCRE2_SIZE at;

	return pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
	    PCRE2_UTF, &error, &at, NULL);
}

struct script *
script_new(enum script_id id)
{
	struct script *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->letters = compile("\\p{L}++");
	s->own = compile(rows[id].run);
	s->found = pcre2_match_data_create(1, NULL);
	if (s->letters == NULL || s->own == NULL || s->found == NULL) {
		script_free(s);
		return NULL;
	}
	return s;
}

void
script_free(struct script *s)
{
	if (s == NULL)
		return;
	pcre2_match_data_free(s->found);
	pcre2_code_free(s->own);
	pcre2_code_free(s->letters);
	free(s);
}

/*
 * The next run in text[*from..len): true, and where it ends in *to. That the
 * text is UTF-8 is seen to when the search begins.
 */
static bool
next_run(const struct script *s, const pcre2_code *code, const char *text,
    size_t len, size_t *from, size_t *to)
{
	const PCRE2_SIZE *range;

	if (*from >= len || pcre2_match(code, (PCRE2_SPTR)text, len, *from,
	    *from > 0 ? PCRE2_NO_UTF_CHECK : 0, s->found, NULL) < 0)
		return false;
	range = pcre2_get_ovector_pointer(s->found);
	*from = range[0];
	*to = range[1];
	return true;
}

static size_t
characters(const char *text, size_t from, size_t to)
{
	size_t n = 0;

	for (; from < to; from++)
		n += ((unsigned char)text[from] & 0xc0) != 0x80;
	return n;
}

bool
script_match(const struct script *s, const char *text, size_t len,
    unsigned share)
{
	size_t letters = 0, own = 0, from = 0, to = 0, a, b = 0;

	text = text_end(text, &len, LIMIT_SCRIPT_SEEN);
	for (; next_run(s, s->letters, text, len, &from, &to); from = to) {
		letters += characters(text, from, to);
		for (a = from; next_run(s, s->own, text, to, &a, &b); a = b)
			own += characters(text, a, b);
	}
	return letters > 0 && own * 100 >= letters * share;
}
