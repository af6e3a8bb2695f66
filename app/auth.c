/* Credentials: where they may stand, and whose they are. */
#include "app/auth.h"

#include <string.h>
#include <strings.h>

#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/base/percent.h"

/* The token behind "Bearer ", or NULL when the header is of another kind. */
static const char *
bearer(const char *value)
{
	if (strncasecmp(value, "Bearer", 6) != 0 || value[6] != ' ')
		return NULL;
	for (value += 6; *value == ' '; value++)
		continue;
	return value;
}

static const char *
as_it_is(const char *value)
{
	return value;
}

/* Headers that may carry a key. */
static const struct {
	const char *header;
	const char *(*token)(const char *value);
} places[] = {
	{ "HTTP_AUTHORIZATION", bearer },
	{ "HTTP_X_API_KEY", as_it_is },
	{ "HTTP_X_GOOG_API_KEY", as_it_is },
};

/* The value of ?key=, decoded into the arena; NULL when there is none. */
static const char *
query_key(struct request *r)
{
	const char *p = r->query, *end;
	const char *key;

	while (*p != '\0' && strncmp(p, "key=", 4) != 0) {
		p = strchr(p, '&');
		if (p == NULL)
			return NULL;
		p++;
	}
	if (*p == '\0')
		return NULL;
	p += 4;
	end = p + strcspn(p, "&");
	key = percent_decode(r->arena, p, (size_t)(end - p));
	return key == NULL ? p : key; /* as it stands it is nobody's key */
}

/* Take a credential; false when another one was there before. */
static bool
take(const char **have, const char *token)
{
	if (token == NULL || *token == '\0')
		return true;
	if (*have != NULL && strcmp(*have, token) != 0)
		return false;
	*have = token;
	return true;
}

static enum verdict
two_keys(struct request *r)
{
	return request_fail(r, ERR_TWO_KEYS, NULL,
	    "the request carries two different keys");
}

enum verdict
auth_check(struct request *r)
{
	const char *token = NULL, *value;
	size_t i;

	if (r->endpoint->open)
		return GO;
	for (i = 0; i < sizeof places / sizeof places[0]; i++) {
		/* Two spellings of a header can fall together in CGI. */
		if (exchange_param_count(r->x, places[i].header) > 1)
			return two_keys(r);
		value = request_header(r, places[i].header);
		if (value != NULL && !take(&token, places[i].token(value)))
			return two_keys(r);
	}
	if (!take(&token, query_key(r)))
		return two_keys(r);
	if (token == NULL)
		return request_fault(r, ERR_NO_KEY);
	if (strlen(token) <= LIMIT_CREDENTIAL)
		r->key = policy_key(r->policy, token, strlen(token));
	if (r->key != NULL && r->key->expires != 0 &&
	    clock_wall() / 1000000 >= r->key->expires)
		r->key = NULL;
	return r->key == NULL ? request_fault(r, ERR_BAD_KEY) : GO;
}
