/*
 * Texts with a form of their own: names, stores, zones, headers. Each check
 * answers NULL or what is wrong, in words that do not quote the text.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "app/base/limits.h"
#include "policy/load.h"
#include "policy/unit.h"

#define ZONES "/usr/share/zoneinfo"

static const char digits[] = "0123456789";
static const char letters_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
static const char name_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@+-";
static const char token_chars[] = /* RFC 9110, 5.6.2 */
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    "!#$%&'*+-.^_`|~";

const char *
value_name(const char *s)
{
	if (strchr(s, '/') != NULL)
		return "a name has no '/'";
	if (s[strspn(s, name_chars)] != '\0' || s[0] == '\0' ||
	    strchr(letters_digits, s[0]) == NULL)
		return "a name has letters, digits and . _ : @ + - and begins "
		       "with a letter or digit";
	return NULL;
}

/* Is every byte printable ASCII or part of UTF-8, and none a blank? */
static bool
visible(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= 0x20 || *s == 0x7f)
			return false;
	return true;
}

const char *
value_model(const char *s)
{
	if (strlen(s) > LIMIT_MODEL_NAME)
		return "a model's name is too long";
	if (!visible(s))
		return "a model's name has no blanks or control characters";
	return NULL;
}

const char *
value_target(const char *s)
{
	const char *slash = strchr(s, '/');

	if (slash == NULL || slash == s || slash[1] == '\0')
		return "a target is written provider/model";
	return value_model(s);
}

const char *
value_use(const char *s)
{
	return strchr(s, '/') != NULL ? value_target(s) : value_name(s);
}

const char *
value_pattern(const char *s)
{
	if (s[0] == '\0')
		return "a pattern is empty";
	return value_model(s);
}

/* "host", "host:port" or "[v6]:port" of len bytes. */
static bool
host_port(const char *s, size_t len)
{
	char host[256];
	const char *colon;
	size_t n = len, i;
	unsigned port = 0;

	if (len > 0 && s[0] == '[') {
		const char *end = memchr(s, ']', len);

		if (end == NULL)
			return false;
		colon = end + 1 < s + len ? end + 1 : NULL;
		n = (size_t)(end - s) + 1;
	} else {
		colon = memchr(s, ':', len);
		if (colon != NULL)
			n = (size_t)(colon - s);
	}
	if (n == 0 || n >= sizeof host)
		return false;
	memcpy(host, s, n);
	host[n] = '\0';
	if (host[0] == '[') {
		struct in6_addr a6;

		host[n - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &a6) != 1)
			return false;
	} else if (host[strspn(host, letters_digits)] != '\0' &&
	    strspn(host, name_chars) != n)
		return false;
	if (colon == NULL)
		return true;
	if (*colon != ':' || colon + 1 == s + len || len - n - 1 > 5)
		return false;
	for (i = n + 1; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		port = port * 10 + (unsigned)(s[i] - '0');
	}
	return port > 0 && port < 65536;
}

/* "" or digits of a small number up to the end. */
static bool
database(const char *s)
{
	return strspn(s, digits) == strlen(s) && strlen(s) <= 5;
}

static const char *
store_redis(const char *s)
{
	const char *at = strrchr(s, '@'), *slash;
	size_t len;

	if (at != NULL) /* user:password@ before it */
		s = at + 1;
	slash = strchr(s, '/');
	len = slash != NULL ? (size_t)(slash - s) : strlen(s);
	if (!host_port(s, len) || (slash != NULL && !database(slash + 1)))
		return "a store is written redis://host:port/db";
	return NULL;
}

static const char *
store_unix(const char *s)
{
	const char *query = strchr(s, '?');
	size_t len = query != NULL ? (size_t)(query - s) : strlen(s);

	if (s[0] != '/' || len < 2 || len > 107 ||
	    (query != NULL && (strncmp(query, "?db=", 4) != 0 ||
		query[4] == '\0' || !database(query + 4))))
		return "a store is written redis+unix:///path.sock?db=0";
	return NULL;
}

static const char *
store_sentinel(const char *s)
{
	static const char wrong[] =
	    "a store is written redis+sentinel://h1:p,h2:p/name/db";
	const char *at = strrchr(s, '@'), *name, *db;
	size_t n;

	if (at != NULL)
		s = at + 1;
	name = strchr(s, '/');
	if (name == NULL)
		return wrong;
	for (;; s += n + 1) {
		n = strcspn(s, ",/");
		if (!host_port(s, n))
			return wrong;
		if (s + n == name)
			break;
	}
	name++;
	n = strcspn(name, "/");
	db = name + n;
	if (n == 0 || strspn(name, name_chars) < n ||
	    (*db == '/' && !database(db + 1)))
		return wrong;
	return NULL;
}

const char *
value_store(const char *s)
{
	static const struct {
		const char *scheme;
		const char *(*check)(const char *rest);
	} forms[] = {
		{ "redis://", store_redis },
		{ "rediss://", store_redis },
		{ "redis+unix://", store_unix },
		{ "redis+sentinel://", store_sentinel },
	};
	size_t i, n;

	if (!visible(s))
		return "an address has no blanks or control characters";
	if (strcmp(s, "embedded") == 0 ||
	    (strncmp(s, "embedded:/", 10) == 0 && s[10] != '\0'))
		return NULL;
	for (i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		n = strlen(forms[i].scheme);
		if (strncmp(s, forms[i].scheme, n) == 0)
			return forms[i].check(s + n);
	}
	return "a store is embedded, embedded:/dir, redis://, rediss://, "
	       "redis+unix:// or redis+sentinel://";
}

const char *
value_log(const char *s)
{
	if (strcmp(s, "stderr") == 0)
		return NULL;
	if (s[0] != '/' || s[strlen(s) - 1] == '/')
		return "must be stderr or the absolute path of a file";
	return NULL;
}

const char *
value_zone(const char *s, bool outside)
{
	char path[128];

	if (strspn(s, letters_digits) == 0 || strlen(s) > 64 ||
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		      "0123456789_+/-") != strlen(s) || strstr(s, "//") != NULL)
		return "is not the name of a time zone, as Europe/Berlin";
	if (!outside || strcmp(s, "UTC") == 0)
		return NULL;
	snprintf(path, sizeof path, ZONES "/%s", s);
	/* A host without the data base cannot tell. */
	if (access(path, R_OK) != 0 && access(ZONES "/UTC", R_OK) == 0)
		return "this host knows no such time zone";
	return NULL;
}

const char *
value_retention(const char *s)
{
	int64_t us;

	if (strcmp(s, "none") != 0 && !unit_duration(s, &us))
		return "must be none or a duration, as 30 days";
	return NULL;
}

/* A header that a rule may look at. */
const char *
value_header_seen(const char *s)
{
	static const char *const secret[] = { "authorization",
		"proxy-authorization", "x-api-key", "x-goog-api-key",
		"cookie" };
	size_t i;

	if (s[0] == '\0' || strlen(s) > 128 ||
	    strspn(s, token_chars) != strlen(s))
		return "is not the name of a header";
	for (i = 0; i < sizeof secret / sizeof secret[0]; i++)
		if (strcasecmp(s, secret[i]) == 0)
			return "this header holds a secret";
	return NULL;
}

const char *
value_header_name(const char *s)
{
	/* Ours to set, or of one hop. */
	static const char *const ours[] = { "host", "content-length",
		"content-type", "content-encoding", "authorization",
		"proxy-authorization", "transfer-encoding", "connection",
		"keep-alive", "proxy-connection", "te", "trailer", "upgrade",
		"expect", "accept-encoding" };
	size_t i;

	if (s[0] == '\0' || strlen(s) > 128 ||
	    strspn(s, token_chars) != strlen(s))
		return "is not the name of a header";
	for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (strcasecmp(s, ours[i]) == 0)
			return "this header is not yours to set";
	return NULL;
}

/* Where no door of the house is: that would close it. */
const char *
value_path(const char *s)
{
	static const char *const doors[] = { "/v1", "/v1beta", "/v2",
		"/healthz", "/readyz", "/metrics" };
	size_t i, n = strlen(s);

	if (n < 2 || s[0] != '/' || s[n - 1] == '/' ||
	    strstr(s, "//") != NULL || strstr(s, "/.") != NULL ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789._~/-") != n)
		return "is a path as /admin, of letters, digits and . _ ~ / -";
	for (i = 0; i < sizeof doors / sizeof doors[0]; i++) {
		n = strlen(doors[i]);
		if (strncmp(s, doors[i], n) == 0 &&
		    (s[n] == '\0' || s[n] == '/'))
			return "there are other doors at this path";
	}
	return NULL;
}

const char *
value_text(const char *s)
{
	const char *p;

	for (p = s; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return "holds a control character";
	if (s[0] == '\0')
		return "has no value";
	if (s[0] == ' ' || p[-1] == ' ')
		return "begins or ends with a blank";
	return NULL;
}
