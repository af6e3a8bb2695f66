/* Regions and the areas they lie in. */
#include "policy/region.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "policy/policy.h"

#define LEN(x) (sizeof(x) / sizeof(x)[0])
#define NAME_SIZE 64 /* of a region or a pattern, with a NUL */

static const struct {
	const char *name, *in, *out;
} areas[] = {
#define AREA(name, in, out) { name, in, out },
#include "policy/region.def"
#undef AREA
};

/* In small letters; false when it is longer than any region. */
static bool
fold(const char *s, size_t len, char out[NAME_SIZE])
{
	size_t i;

	if (len >= NAME_SIZE)
		return false;
	for (i = 0; i < len; i++)
		out[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 32) : s[i];
	out[len] = '\0';
	return true;
}

/* Does one of the patterns between blanks match? */
static bool
listed(const char *patterns, const char *name)
{
	char pattern[NAME_SIZE];
	size_t n;

	for (; *patterns != '\0'; patterns += n) {
		patterns += strspn(patterns, " ");
		n = strcspn(patterns, " ");
		if (n > 0 && fold(patterns, n, pattern) &&
		    glob_match(pattern, name))
			return true;
	}
	return false;
}

bool
region_within(const char *region, const char *demand)
{
	char r[NAME_SIZE], d[NAME_SIZE];
	size_t i, n = strlen(demand);

	if (n == 0)
		return true;
	if (region[0] == '\0' || !fold(region, strlen(region), r) ||
	    !fold(demand, n, d))
		return false;
	for (i = 0; i < LEN(areas); i++)
		if (strcmp(areas[i].name, d) == 0)
			return listed(areas[i].in, r) &&
			    !listed(areas[i].out, r);
	return strncmp(r, d, n) == 0 && (r[n] == '\0' || r[n] == '-');
}

/* The area of an inference profile, "us.anthropic…", or NULL. */
static const char *
profile_area(const char *model)
{
	static const struct {
		const char *prefix, *area;
	} profiles[] = {
		{ "us.", "us" },
		{ "us-gov.", "us" },
		{ "eu.", "eu" },
		{ "jp.", "jp" },
		{ "au.", "au" },
		{ "ca.", "ca" },
		{ "apac.", "apac" }, /* more than one area: none of ours */
		{ "global.", "global" },
	};
	size_t i;

	for (i = 0; i < LEN(profiles); i++)
		if (strncasecmp(model, profiles[i].prefix,
		    strlen(profiles[i].prefix)) == 0)
			return profiles[i].area;
	return NULL;
}

bool
region_allows(const char *region, const char *model, const char *demand)
{
	const char *area = profile_area(model);

	if (!region_within(region, demand))
		return false;
	/* A profile's own region is wider than "eu-west-1". */
	return demand[0] == '\0' || area == NULL ||
	    region_within(area, demand);
}
