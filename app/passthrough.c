/* What may go to a provider as it came. */
#include "app/passthrough.h"

#include <string.h>
#include <strings.h>

#include "app/alone.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"
#include "app/base/percent.h"
#include "app/headers.h"
#include "policy/passage.h"

#define PAIRS 64 /* of a query: as many as can be signed */

/* -------------------------------------------------------------- headers */

/*
 * Those of the client that go on. All others do not: whatever shows who it is
 * to us, to a proxy or to a provider, frames the message, or names another
 * method.
 */
static const struct {
	const char *cgi, *name;
} passed[] = {
	{ "HTTP_ACCEPT", "accept" },
	{ "HTTP_ACCEPT_LANGUAGE", "accept-language" },
	{ "HTTP_ANTHROPIC_BETA", "anthropic-beta" },
	{ "HTTP_ANTHROPIC_VERSION", "anthropic-version" },
	{ "HTTP_IDEMPOTENCY_KEY", "idempotency-key" },
	{ "HTTP_OPENAI_BETA", "openai-beta" },
	{ "HTTP_RANGE", "range" },
};

#define PASSED (sizeof passed / sizeof passed[0])

static enum err
take_headers(struct request *r, struct raw *raw)
{
	struct header *list = arena_alloc(r->arena, PASSED * sizeof *list);
	const char *value;
	size_t i;

	if (list == NULL)
		return fault_memory(&r->fault);
	for (i = 0; i < PASSED; i++) {
		value = request_header(r, passed[i].cgi);
		if (value == NULL || *value == '\0')
			continue;
		if (!header_value_sendable(value))
			return fault_set(&r->fault, ERR_BAD_REQUEST,
			    passed[i].name, "a header has a control character");
		list[raw->header_count++] = (struct header){ passed[i].name,
			value };
	}
	raw->headers = list;
	return ERR_OK;
}

/* A body, which a GET has not, and of what type it is. */
static enum err
take_body(struct request *r, struct raw *raw)
{
	const char *type = request_header(r, "CONTENT_TYPE");
	bool get = strcmp(raw->method, "GET") == 0;

	if (get && r->x->body_len > 0)
		return fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
		    "a GET has no body");
	if (type != NULL && (strlen(type) > LIMIT_TYPE ||
	    !header_value_sendable(type)))
		return fault_set(&r->fault, ERR_BAD_REQUEST, "content-type",
		    "the type of the body is not well formed");
	if (!get && (r->x->body_len > 0 ||
	    strcmp(raw->method, "DELETE") != 0))
		raw->body = (struct str){ r->x->body, r->x->body_len };
	raw->type = type != NULL && *type != '\0' ? type :
	    r->x->body_len > 0 ? "application/octet-stream" : NULL;
	return ERR_OK;
}

/* ---------------------------------------------------------------- query */

/* By the beginnings of names, or whole names; the rest goes on. */
static const struct {
	const char *name;
	bool whole, drop;
} names[] = {
	{ "key", true, true }, /* where Google's clients have ours */
	{ "access_token", true, false },
	{ "api-key", true, false },
	{ "api_key", true, false },
	{ "apikey", true, false },
	{ "auth_token", true, false },
	{ "oauth_token", true, false },
	{ "subscription-key", true, false },
	{ "x-amz-", false, false },
	{ "x-goog-", false, false },
	{ "$http", false, false }, /* Google: another method, other headers */
	{ "$req", false, false },
	{ "$ct", false, false },
	{ "_method", true, false },
	{ "x-http-method", false, false },
};

#define NAMES (sizeof names / sizeof names[0])

static size_t
row_of(const char *name)
{
	size_t i;

	for (i = 0; i < NAMES; i++)
		if (names[i].whole ? strcasecmp(name, names[i].name) == 0 :
		    strncasecmp(name, names[i].name, strlen(names[i].name)) ==
			0)
			break;
	return i;
}

/* In a query '+' is a blank, to most who read one. */
static const char *
decoded(struct arena *a, const char *p, size_t len)
{
	char *copy = arena_dup(a, p, len);
	size_t i;

	for (i = 0; copy != NULL && i < len; i++)
		if (copy[i] == '+')
			copy[i] = ' ';
	return copy == NULL ? NULL : percent_decode(a, copy, len);
}

static enum err
put_pair(struct arena *a, const char *p, size_t len, struct buf *out,
    struct fault *f)
{
	const char *eq = memchr(p, '=', len), *name, *value = NULL;
	size_t n = eq == NULL ? len : (size_t)(eq - p), row;

	name = decoded(a, p, n);
	if (eq != NULL)
		value = decoded(a, eq + 1, len - n - 1);
	if (name == NULL || (eq != NULL && value == NULL))
		return fault_set(f, ERR_BAD_REQUEST, NULL,
		    "the query is not well encoded");
	row = row_of(name);
	if (row < NAMES && names[row].drop)
		return ERR_OK;
	if (row < NAMES)
		return fault_set(f, ERR_BAD_REQUEST, names[row].name,
		    "the query has a '%s…', which does not go on",
		    names[row].name);
	if (out->len > 0)
		buf_putc(out, '&');
	percent_put(out, name, strlen(name));
	if (value != NULL) {
		buf_putc(out, '=');
		percent_put(out, value, strlen(value));
	}
	return ERR_OK;
}

enum err
passthrough_query(struct arena *a, const char *query, const char **out,
    struct fault *f)
{
	enum err e = ERR_OK;
	struct buf b;
	size_t len, n = 0;

	buf_init(&b, LIMIT_URI * 4);
	for (; *query != '\0' && e == ERR_OK; query += len + (query[len] ==
	    '&')) {
		len = strcspn(query, "&");
		if (len > 0 && ++n > PAIRS)
			e = fault_set(f, ERR_BAD_REQUEST, NULL,
			    "the query has more than %d parts", PAIRS);
		else if (len > 0)
			e = put_pair(a, query, len, &b, f);
	}
	*out = b.failed ? NULL : b.len == 0 ? "" :
	    arena_dup(a, b.data, b.len);
	buf_free(&b);
	return e == ERR_OK && *out == NULL ? fault_memory(f) : e;
}

/* ----------------------------------------------------------------- path */

static enum err
not_there(struct request *r)
{
	return fault_set(&r->fault, ERR_NOT_FOUND, NULL,
	    "the policy lets no such path of a provider through");
}

/* Methods of other rows of the path, for the client; none: it is not there. */
static enum err
wrong_method(struct request *r, unsigned methods)
{
	unsigned bit;

	if (methods == 0)
		return not_there(r);
	for (bit = 1; bit <= METHOD_DELETE; bit <<= 1)
		if ((methods & bit) != 0)
			r->allow = r->allow == NULL ? passage_method(bit) :
			    arena_printf(r->arena, "%s, %s", r->allow,
				passage_method(bit));
	return fault_set(&r->fault, ERR_BAD_METHOD, NULL, "%s",
	    err_row(ERR_BAD_METHOD)->text);
}

/* The row that path and method are, and the path as it goes on. */
static enum err
take_path(struct request *r, const char *path, struct raw *raw)
{
	size_t len = strlen(path);
	char *out = arena_alloc(r->arena, len + 1);
	unsigned methods;

	if (out == NULL)
		return fault_memory(&r->fault);
	if (!passage_path(path, len, out))
		return fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
		    "the path has what could be read in two ways: segments "
		    "have letters, digits and - . _ ~ ! $ & ' ( ) + , = : @, "
		    "none is empty or dots");
	raw->path = out;
	raw->passage = passage_find(raw->provider, out, raw->method,
	    &methods);
	if (raw->passage == NULL)
		return wrong_method(r, methods);
	/* As no model can be called: it begins with a slash. */
	raw->name = arena_printf(r->arena, "/passthrough/%s%s",
	    raw->provider->name, raw->passage->path);
	return raw->name == NULL ? fault_memory(&r->fault) : ERR_OK;
}

/* Who may not, hears the same of every name. */
static enum err
take_provider(struct request *r, size_t len, struct raw *raw)
{
	const char *name = arena_dup(r->arena, r->name, len);

	if (name == NULL)
		return fault_memory(&r->fault);
	if (!vkey_passes(r->key, name))
		return fault_set(&r->fault, ERR_NOT_ALLOWED, NULL,
		    "this key may not use the API of this provider itself "
		    "(passthrough)");
	raw->provider = policy_provider(r->policy, name, len);
	return raw->provider == NULL ? not_there(r) : ERR_OK;
}

enum err
passthrough_read(struct request *r)
{
	struct raw *raw = arena_zalloc(r->arena, sizeof *raw);
	size_t len = strcspn(r->name, "/");
	enum err e;

	if (raw == NULL)
		return fault_memory(&r->fault);
	r->chat.raw = raw;
	raw->method = r->endpoint->method;
	e = take_provider(r, len, raw);
	if (e == ERR_OK)
		e = take_path(r, r->name + len, raw);
	if (e == ERR_OK)
		e = passthrough_query(r->arena, r->query, &raw->query,
		    &r->fault);
	if (e == ERR_OK)
		e = take_headers(r, raw);
	return e == ERR_OK ? take_body(r, raw) : e;
}

/* ----------------------------------------------------------------- plan */

static enum err
check_demands(struct request *r, const struct route_facts *facts)
{
	const struct provider *p = r->chat.raw->provider;

	if (!alone_within(r, p, facts))
		return fault_set(&r->fault, ERR_NO_ROUTE, NULL,
		    "the provider is not in the region that is demanded");
	if ((r->key->no_retention || facts->no_retention) &&
	    strcmp(p->retention, "none") != 0)
		return fault_set(&r->fault, ERR_NO_ROUTE, NULL,
		    "the provider keeps what it is sent, and retention: none "
		    "is demanded");
	return ERR_OK;
}

enum err
passthrough_plan(struct request *r, const struct route_facts *facts)
{
	const struct raw *raw = r->chat.raw;
	const struct deployment d = { .id = raw->name,
		.provider = raw->provider, .model = "",
		.price = raw->passage->price };
	enum err e = check_demands(r, facts);

	if (e != ERR_OK)
		return e;
	if (!d.price.known && (vkey_pays(r->policy, r->key, false) ||
	    limits_pay(&raw->provider->limits)))
		return fault_set(&r->fault, ERR_BAD_REQUEST, NULL,
		    "the price of '%s' is not known, and there is a budget: "
		    "the policy must give a price", raw->name);
	e = alone_plan(r, &d, raw->name);
	r->plan.attempts = 1; /* who knows what it does when it is done twice */
	return e;
}
