/* One row a scheme; the form is checked by the policy before. */
#include "app/store_url.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define PORT 6379
#define SENTINEL_PORT 26379
#define DBS 65536

static int
hex(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *p = c == '\0' ? NULL : strchr(digits, c);

	if (p == NULL)
		return -1;
	return p - digits < 16 ? (int)(p - digits) : (int)(p - digits) - 6;
}

/* A part with its percent signs undone; false: too long, NUL, broken. */
static bool
part(char *out, size_t size, const char *s, size_t len)
{
	size_t n = 0, i;
	int hi, lo;
	char c;

	for (i = 0; i < len; i++) {
		c = s[i];
		if (c == '%') {
			hi = len - i > 2 ? hex(s[i + 1]) : -1;
			lo = len - i > 2 ? hex(s[i + 2]) : -1;
			if (hi < 0 || lo < 0)
				return false;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (c == '\0' || n + 1 >= size)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

static bool
number(const char *s, size_t len, int max, int *out)
{
	int n = 0;
	size_t i;

	if (len == 0 || len > 5)
		return false;
	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (s[i] - '0');
	}
	if (n >= max)
		return false;
	*out = n;
	return true;
}

bool
store_place_read(struct store_place *out, const char *s, size_t len, int def)
{
	const char *end = s + len, *colon, *host = s;
	size_t n;
	int port = def;

	if (len > 0 && *s == '[') {
		colon = memchr(s, ']', len);
		if (colon == NULL)
			return false;
		host = s + 1;
		n = (size_t)(colon - host);
		colon++;
	} else {
		colon = memchr(s, ':', len);
		if (colon == NULL)
			colon = end;
		n = (size_t)(colon - s);
	}
	if (n == 0 || n >= sizeof out->host || (colon < end && (*colon != ':' ||
	    !number(colon + 1, (size_t)(end - colon) - 1, 65536, &port))) ||
	    port == 0)
		return false;
	memcpy(out->host, host, n);
	out->host[n] = '\0';
	out->port = port;
	return true;
}

/* "user:password@" or ":password@" at *s; goes behind it. */
static bool
credentials(struct store_url *u, const char **s)
{
	const char *at = strrchr(*s, '@'), *colon;

	if (at == NULL)
		return true;
	colon = memchr(*s, ':', (size_t)(at - *s));
	if (colon == NULL) /* as redis-cli reads it: a user without password */
		return false;
	if (!part(u->user, sizeof u->user, *s, (size_t)(colon - *s)) ||
	    !part(u->password, sizeof u->password, colon + 1,
	    (size_t)(at - colon) - 1))
		return false;
	*s = at + 1;
	return true;
}

/* "", "/" or "/3". */
static bool
database(struct store_url *u, const char *s)
{
	if (*s == '\0' || strcmp(s, "/") == 0)
		return true;
	return *s == '/' && number(s + 1, strlen(s + 1), DBS, &u->db);
}

static bool
read_redis(struct store_url *u, const char *s)
{
	size_t n;

	if (!credentials(u, &s))
		return false;
	n = strcspn(s, "/");
	u->places = 1;
	return store_place_read(&u->place[0], s, n, PORT) &&
	    database(u, s + n);
}

static bool
read_unix(struct store_url *u, const char *s)
{
	const char *query;
	size_t n;

	if (*s != '/' && !credentials(u, &s))
		return false;
	query = strchr(s, '?');
	n = query != NULL ? (size_t)(query - s) : strlen(s);
	if (*s != '/' || n < 2 || n > 107)
		return false;
	memcpy(u->place[0].host, s, n);
	u->place[0].host[n] = '\0';
	u->places = 1;
	return query == NULL || (strncmp(query, "?db=", 4) == 0 &&
	    number(query + 4, strlen(query + 4), DBS, &u->db));
}

static bool
read_sentinel(struct store_url *u, const char *s)
{
	size_t n;

	if (!credentials(u, &s))
		return false;
	u->sentinel = true;
	for (;; s += n + 1) {
		n = strcspn(s, ",/");
		if (u->places == STORE_SENTINELS || s[n] == '\0' ||
		    !store_place_read(&u->place[u->places], s, n,
		    SENTINEL_PORT))
			return false;
		u->places++;
		if (s[n] == '/')
			break;
	}
	s += n + 1;
	n = strcspn(s, "/");
	return n > 0 && part(u->master, sizeof u->master, s, n) &&
	    database(u, s + n);
}

static const struct {
	const char *scheme;
	bool (*read)(struct store_url *u, const char *rest); /* NULL: not here */
} forms[] = {
	{ "redis://", read_redis },
	{ "redis+unix://", read_unix },
	{ "redis+sentinel://", read_sentinel },
	{ "rediss://", NULL },
};

enum err
store_url_read(struct store_url *out, const char *text, struct fault *f)
{
	struct store_url u;
	size_t i, n;
	bool good;

	for (i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		n = strlen(forms[i].scheme);
		if (strncmp(text, forms[i].scheme, n) != 0)
			continue;
		if (forms[i].read == NULL)
			return fault_set(f, ERR_INTERNAL, "store",
			    "this build has no TLS to Redis: its hiredis has "
			    "none; use redis+unix:// or a tunnel");
		memset(&u, 0, sizeof u);
		good = forms[i].read(&u, text + n);
		if (good)
			*out = u;
		OPENSSL_cleanse(&u, sizeof u);
		return good ? ERR_OK : fault_set(f, ERR_INTERNAL, "store",
		    "the address after %s makes no sense", forms[i].scheme);
	}
	return fault_set(f, ERR_INTERNAL, "store",
	    "not the address of a Redis");
}
