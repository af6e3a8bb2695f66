/* Credentials: where they may stand, and whose they are. */
#include "app/auth.h"

#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/hash.h"
#include "app/base/percent.h"
#include "app/keycache.h"
#include "app/worker.h"

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

/* A key was found; it may be over. */
static enum verdict
take_key(struct request *r, const struct vkey *key)
{
	if (key->expires != 0 && clock_wall() / 1000000 >= key->expires)
		return request_fault(r, ERR_BAD_KEY);
	r->key = key;
	return GO;
}

/* What the store said of the key. */
static enum verdict
take_answer(struct request *r)
{
	r->issued = r->key_wait.issued;
	if (r->gone)
		return request_fault(r, ERR_CLIENT_GONE);
	return r->issued == NULL ? request_fault(r, r->key_wait.err) :
	    take_key(r, r->issued->key);
}

static void
on_answer(void *arg)
{
	struct request *r = arg;

	r->key_state = KEY_TOLD;
	worker_wake(r->worker, r);
}

/* Keys of the store all have a check sum, and were looked for in the policy. */
static enum verdict
ask_store(struct request *r, const unsigned char hash[KEY_HASH])
{
	r->key_state = KEY_ASKED;
	r->key_wait.fn = on_answer;
	r->key_wait.arg = r;
	return keycache_find(r->worker->keys, r->policy, hash,
	    &r->key_wait) ? take_answer(r) : WAIT;
}

static enum verdict
look_up(struct request *r, const char *token)
{
	unsigned char hash[KEY_HASH];
	size_t len = strlen(token);
	const struct vkey *key;
	enum verdict v;

	if (!policy_hash(r->policy, token, len, hash))
		return request_fault(r, ERR_BAD_KEY);
	key = policy_key_of(r->policy, hash);
	if (key != NULL)
		v = take_key(r, key);
	else if (hash_vkey_check(token, len))
		v = ask_store(r, hash);
	else
		v = request_fault(r, ERR_BAD_KEY);
	OPENSSL_cleanse(hash, sizeof hash);
	return v;
}

enum verdict
auth_check(struct request *r)
{
	const char *token = NULL, *value;
	size_t i;

	if (r->endpoint->open || r->endpoint->admin)
		return GO;
	if (r->key_state != KEY_UNASKED)
		return r->key_state == KEY_ASKED ? WAIT : take_answer(r);
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
	return look_up(r, token);
}
