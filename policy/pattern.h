/*
 * A regular expression of a policy (PCRE2): Unicode, case counts unless it
 * says (?i), "." is any character but a line's end unless it says (?s). What
 * one match may cost is bounded whatever the pattern and the text are.
 */
#ifndef TOLLGATE_POLICY_PATTERN_H
#define TOLLGATE_POLICY_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pattern; /* opaque */

/*
 * Compile a text of at most LIMIT_PATTERN bytes. NULL when it is wrong: why
 * then says what and where, "missing closing parenthesis (at byte 4)", or
 * is "" when memory is short. The result is the caller's.
 */
struct pattern *pattern_new(const char *text, char *why, size_t size);
void pattern_free(struct pattern *p); /* NULL is fine */

/*
 * Is it found in the text, UTF-8? Of a text longer than LIMIT_PROMPT_SEEN the
 * last so many bytes are looked at. What would cost more than the bounds
 * allow, and what is no UTF-8, counts as not found. Equal texts, equal
 * answers: the bounds are steps, not time.
 *
 * left: the steps that all matches of a request may still take together
 * (PATTERN_STEPS at first), less by this one's; a match is allowed few, and
 * no more, when they are used up. NULL: this match stands alone.
 */
#define PATTERN_STEPS INT64_C(100000000)
bool pattern_match(const struct pattern *p, const char *text, size_t len,
    int64_t *left);

/* How often a match was given up at a bound. */
uint64_t pattern_given_up(const struct pattern *p);

/*
 * The part of a text that is looked at: its end, most bytes of it at most,
 * cut where a character of UTF-8 begins.
 */
const char *text_end(const char *text, size_t *len, size_t most);

#endif
