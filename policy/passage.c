/* Paths that go to a provider as they came. */
#include "policy/passage.h"

#include <string.h>

#define UNRESERVED                                                           \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~"

static const char plain[] = UNRESERVED ".!$&'()+,=:@";
static const char pattern_chars[] = UNRESERVED ".!$&'()+,=:@*/";

static bool
one_of(const char *set, char c)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static int
hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p;

	if (c >= 'A' && c <= 'F')
		c = (char)(c | 0x20);
	p = c == '\0' ? NULL : strchr(digits, c);
	return p == NULL ? -1 : (int)(p - digits);
}

/* The character at p, decoded where that changes nothing; '\0': none. */
static char
next_char(const char **p, const char *end)
{
	char c = *(*p)++;
	int high, low;

	if (c != '%')
		return one_of(plain, c) ? c : '\0';
	if (end - *p < 2)
		return '\0';
	high = hex((*p)[0]);
	low = hex((*p)[1]);
	*p += 2;
	if (high < 0 || low < 0 || high > 7)
		return '\0';
	c = (char)(high << 4 | low);
	return one_of(UNRESERVED, c) ? c : '\0';
}

/* Neither empty nor dots and nothing else. */
static bool
segment_good(const char *s, size_t len)
{
	return len > 0 && strspn(s, ".") < len;
}

/* Of a text of good characters: a slash, and good segments. */
static bool
segments_good(const char *s)
{
	size_t len, n = 0;

	for (; *s == '/'; s += len) {
		len = strcspn(++s, "/");
		if (!segment_good(s, len) || ++n > PASSAGE_SEGMENTS)
			return false;
	}
	return n > 0 && *s == '\0';
}

bool
passage_path(const char *path, size_t len, char *out)
{
	const char *p = path, *end = path + len;
	char *to = out;

	if (len > PASSAGE_PATH)
		return false;
	while (p < end) {
		if (*p == '/') {
			*to++ = *p++;
			continue;
		}
		*to = next_char(&p, end);
		if (*to++ == '\0')
			return false;
	}
	*to = '\0';
	return segments_good(out);
}

const char *
passage_flaw(const char *pattern)
{
	size_t len = strlen(pattern);
	const char *twice = strstr(pattern, "**");

	if (*pattern != '/')
		return "must begin with '/'";
	if (pattern[strspn(pattern, pattern_chars)] != '\0')
		return "has a character that no such path has: letters, "
		       "digits and - . _ ~ ! $ & ' ( ) + , = : @";
	if (!segments_good(pattern))
		return "has a segment that is empty or dots, or too many";
	if (twice != NULL && (twice + 2 != pattern + len ||
	    twice[-1] != '/'))
		return "'**' can only be the whole last segment";
	return NULL;
}

static bool
ends(char c)
{
	return c == '\0' || c == '/' || c == ':';
}

/*
 * What a star takes ends before '/' and ':', so the last one is all there is
 * to try again: the shorter an earlier one is, the more is left for the rest.
 */
bool
passage_matches(const char *pattern, const char *path)
{
	const char *star = NULL, *from = NULL;

	for (;;) {
		if (*path == '/' && strcmp(pattern, "/**") == 0)
			return true;
		if (*pattern == '*' && !ends(*path)) {
			star = ++pattern;
			from = ++path;
		} else if (*pattern == *path && *pattern != '*') {
			if (*pattern == '\0')
				return true;
			pattern++;
			path++;
		} else if (star == NULL || ends(*from)) {
			return false;
		} else {
			pattern = star;
			path = ++from;
		}
	}
}

static const struct {
	unsigned bit;
	const char *word;
} methods_known[] = {
	{ METHOD_GET, "GET" },
	{ METHOD_POST, "POST" },
	{ METHOD_PUT, "PUT" },
	{ METHOD_PATCH, "PATCH" },
	{ METHOD_DELETE, "DELETE" },
};

#define METHODS (sizeof methods_known / sizeof methods_known[0])

const char *
passage_method(unsigned bit)
{
	size_t i;

	for (i = 0; i < METHODS; i++)
		if (methods_known[i].bit == bit)
			return methods_known[i].word;
	return NULL;
}

static unsigned
bit_of(const char *method)
{
	size_t i;

	for (i = 0; i < METHODS; i++)
		if (strcmp(methods_known[i].word, method) == 0)
			return methods_known[i].bit;
	return 0;
}

const struct passage *
passage_find(const struct provider *p, const char *path, const char *method,
    unsigned *methods)
{
	unsigned bit = bit_of(method);
	const struct passage *row;
	size_t i;

	*methods = 0;
	for (i = 0; i < p->passage_count; i++) {
		row = &p->passages[i];
		if (!passage_matches(row->path, path))
			continue;
		if ((row->methods & bit) != 0)
			return row;
		*methods |= row->methods;
	}
	return NULL;
}
