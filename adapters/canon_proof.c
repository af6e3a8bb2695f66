/*
 * What proves reasoning to its maker: who made it, and the marks under which
 * it goes through clients of other dialects.
 */
#include "adapters/canon.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "app/base/arena.h"

/* Who made a piece of reasoning, as OpenRouter's answers name it. */
static const struct {
	const char *format, *origin;
} formats[] = {
	{ "anthropic-claude-v1", "anthropic" },
	{ "openai-responses-v1", "responses" },
	{ "google-gemini-v1", "gemini" },
	{ "bedrock-converse-v1", "bedrock" },
};

const char *
canon_origin(struct str format)
{
	size_t i;

	for (i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (canon_is(format, formats[i].format))
			return formats[i].origin;
	return NULL;
}

const char *
canon_format(const char *origin)
{
	size_t i;

	for (i = 0; origin != NULL && i < sizeof formats /
	    sizeof formats[0]; i++)
		if (strcmp(origin, formats[i].origin) == 0)
			return formats[i].format;
	return "";
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

struct str
canon_decode(struct arena *a, struct str s)
{
	struct str out = { NULL, 0 };
	unsigned bits = 0;
	size_t i, n = 0;
	int held = 0, v;
	char *p;

	while (s.len > 0 && s.p[s.len - 1] == '=')
		s.len--;
	p = arena_alloc(a, s.len + 1);
	for (i = 0; p != NULL && i < s.len; i++) {
		v = base64_value(s.p[i]);
		if (v < 0)
			return out;
		bits = bits << 6 | (unsigned)v;
		held += 6;
		if (held >= 8) {
			held -= 8;
			p[n++] = (char)(bits >> held & 0xff);
		}
	}
	if (p == NULL)
		return out;
	p[n] = '\0';
	return (struct str){ p, n };
}

struct str
canon_encode(struct arena *a, struct str bytes)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = (const unsigned char *)bytes.p;
	char *p = arena_alloc(a, bytes.len / 3 * 4 + 5), *o = p;
	size_t i, left;
	unsigned bits;

	if (p == NULL)
		return (struct str){ NULL, 0 };
	for (i = 0; i < bytes.len; i += 3) {
		left = bytes.len - i;
		bits = (unsigned)from[i] << 16;
		bits |= left > 1 ? (unsigned)from[i + 1] << 8 : 0;
		bits |= left > 2 ? from[i + 2] : 0;
		*o++ = letters[bits >> 18];
		*o++ = letters[bits >> 12 & 63];
		*o++ = left > 1 ? letters[bits >> 6 & 63] : '=';
		*o++ = left > 2 ? letters[bits & 63] : '=';
	}
	*o = '\0';
	return (struct str){ p, (size_t)(o - p) };
}

/* "tollgate/anthropic++": the sign that fills up tells what follows. */
static const char mark_start[] = "tollgate/";
#define MARK_PROOF '+'
#define MARK_SEALED '/'

static size_t
mark_of(const char *origin, bool sealed, char *out, size_t size)
{
	int n = snprintf(out, size, "%s%s", mark_start, origin);

	if (n < 0 || (size_t)n + 5 > size)
		return 0;
	do
		out[n++] = sealed ? MARK_SEALED : MARK_PROOF;
	while (n % 4 != 0);
	out[n] = '\0';
	return (size_t)n;
}

struct str
canon_mark(struct arena *a, const char *origin, bool sealed,
    struct str proof)
{
	char mark[64];

	return canon_join(a, (struct str){ mark, mark_of(origin, sealed, mark,
	    sizeof mark) }, proof);
}

bool
canon_unmark(struct str *proof, const char **origin, bool *sealed)
{
	char mark[64];
	size_t i, n;
	int k;

	if (proof->len < sizeof mark_start - 1 || memcmp(proof->p,
	    mark_start, sizeof mark_start - 1) != 0)
		return false;
	for (i = 0; i < sizeof formats / sizeof formats[0]; i++)
		for (k = 0; k < 2; k++) {
			n = mark_of(formats[i].origin, k == 1, mark,
			    sizeof mark);
			if (proof->len < n || memcmp(proof->p, mark, n) != 0)
				continue;
			*origin = formats[i].origin;
			*sealed = k == 1;
			proof->p += n;
			proof->len -= n;
			return true;
		}
	*origin = NULL; /* a mark of a maker that we do not know */
	*sealed = true;
	return true;
}

bool
canon_is_base64(struct str s)
{
	size_t i, n = s.len;

	while (n > 0 && s.len - n < 2 && s.p[n - 1] == '=')
		n--;
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '+' &&
		    s.p[i] != '/')
			return false;
	return n > 0 && s.len % 4 == 0;
}
