/*
 * A pattern (the first line) and a text: what compiles must end soon on any
 * text, say the same twice, and count when it gives up. The text's scripts
 * are looked at too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/limits.h"
#include "policy/pattern.h"
#include "policy/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
need(bool ok)
{
	if (!ok)
		abort();
}

static void
match(const char *text, const char *subject, size_t len)
{
	char why[200] = "x";
	struct pattern *p = pattern_new(text, why, sizeof why);
	bool found;
	uint64_t given_up;

	if (p == NULL) {
		need(strcmp(why, "x") != 0);
		return;
	}
	found = pattern_match(p, subject, len, NULL);
	given_up = pattern_given_up(p);
	need(given_up <= 1 && !(found && given_up > 0));
	need(pattern_match(p, subject, len, NULL) == found);
	need(pattern_given_up(p) == 2 * given_up);
	pattern_free(p);
}

/* One letter is of a script or not; shares only fall. */
static void
scripts(enum script_id id, const char *subject, size_t len)
{
	struct script *s = script_new(id);
	bool before = true, now;
	unsigned share;

	need(s != NULL);
	for (share = 1; share <= 100; share += 33) {
		now = script_match(s, subject, len, share);
		need(before || !now);
		before = now;
	}
	script_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[LIMIT_PATTERN + 2];
	const uint8_t *nl = memchr(data, '\n', len);
	size_t n = nl != NULL ? (size_t)(nl - data) : len;
	const char *subject = (const char *)data + n + (nl != NULL);
	size_t rest = len - n - (nl != NULL);

	if (n >= sizeof text)
		return 0;
	memcpy(text, data, n);
	text[n] = '\0';
	match(text, subject, rest);
	scripts((enum script_id)(len % SCRIPTS), subject, rest);
	return 0;
}
