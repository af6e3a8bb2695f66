/*
 * In which script is a text written? The share of a script among the letters
 * of a UTF-8 text, by the Unicode data of PCRE2. Digits, marks, blanks and
 * pictures are no letters.
 */
#ifndef TOLLGATE_POLICY_SCRIPT_H
#define TOLLGATE_POLICY_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

struct script; /* opaque */

/* Numbers of the rows of script.def. */
enum script_id {
#define SCRIPT(name, class) SCRIPT_##name,
#include "policy/script.def"
#undef SCRIPT
	SCRIPTS
};

/* "Han" */
const char *script_name(enum script_id id);

/* Ready to count one script; NULL when memory is short. The caller's. */
struct script *script_new(enum script_id id);
void script_free(struct script *s); /* NULL is fine */

/*
 * Are at least share (1..100) per cent of the text's letters of this script?
 * Not when it has none, nor when it is no UTF-8. Of a text longer than
 * LIMIT_SCRIPT_SEEN the last so many bytes are looked at.
 */
bool script_match(const struct script *s, const char *text, size_t len,
    unsigned share);

#endif
