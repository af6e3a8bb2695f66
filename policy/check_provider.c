/*
 * Providers: what the policy says, and what the catalog adds to it. Names no
 * dialect: how an adapter wants its credential is asked of the catalog.
 */
#include <string.h>
#include <strings.h>

#include "app/base/arena.h"
#include "policy/load.h"
#include "policy/secret.h"
#include "policy/url.h"

#define DEFAULT_ADAPTER "openai"
#define SECRET_MAX 8192

struct making {
	struct load *l;
	const struct src_provider *s;
	struct provider *p;
	struct catalog_provider row; /* zero: the catalog has none */
	bool known;
};

const char *const sign_words[] = {
	[SIGN_METHOD] = "method",
	[SIGN_HOST] = "host",
	[SIGN_PATH] = "path",
	[SIGN_QUERY] = "query",
	[SIGN_TIMESTAMP] = "timestamp",
	[SIGN_KEY_ID] = "key_id",
	[SIGN_BODY] = "body",
	[SIGN_BODY_HASH] = "body_hash",
	[SIGN_PARTS] = NULL,
};

/* Where a fault in a field is told: at the field when it is given. */
static const struct node *
place(const struct making *m, const char *key)
{
	const struct node *n = node_get(m->s->row.node, key);

	return n != NULL ? n : m->s->row.node;
}

static bool
given(const struct making *m, const char *key)
{
	return node_get(m->s->row.node, key) != NULL;
}

bool
adapter_known(const struct policy_env *env, const char *name)
{
	size_t i;

	for (i = 0; env->adapters[i] != NULL; i++)
		if (strcmp(env->adapters[i], name) == 0)
			return true;
	return false;
}

static void
unknown_adapter(const struct making *m, const char *name)
{
	struct guess g;
	char hint[128];
	size_t i;

	guess_init(&g, name);
	for (i = 0; m->l->env->adapters[i] != NULL; i++)
		guess_offer(&g, m->l->env->adapters[i]);
	diag_fault(m->l->diag, place(m, "adapter"), "unknown adapter '%s'%s",
	    name, guess_words(&g, hint, sizeof hint));
}

static void
make_adapter(const struct making *m)
{
	struct provider *p = m->p;

	if (p->adapter[0] != '\0') {
		if (!adapter_known(m->l->env, p->adapter))
			unknown_adapter(m, p->adapter);
	} else if (m->known && (m->row.adapter[0] == '\0' ||
	    !adapter_known(m->l->env, m->row.adapter))) {
		diag_fault(m->l->diag, m->s->row.node, "the dialect of '%s' is "
		    "not supported by this version; name an adapter if it "
		    "speaks another", p->name);
	} else {
		p->adapter = m->known ? m->row.adapter : DEFAULT_ADAPTER;
	}
}

/* How a provider of this dialect takes its key, when nothing says more. */
static void
auth_by_adapter(const struct making *m)
{
	const struct catalog *c = m->l->env->catalog;
	struct catalog_provider row = { 0 };
	uint32_t i, count = c != NULL ? catalog_providers(c) : 0;
	bool found;

	found = c != NULL && catalog_provider(c, m->p->adapter, &row) &&
	    strcmp(row.adapter, m->p->adapter) == 0;
	for (i = 0; i < count && !found; i++)
		found = catalog_provider_at(c, i, &row) &&
		    strcmp(row.adapter, m->p->adapter) == 0 &&
		    row.auth != AUTH_NONE;
	if (!found)
		return; /* bearer */
	m->p->auth = row.auth;
	m->p->auth_header = row.auth_header;
}

static void
make_auth(const struct making *m)
{
	struct provider *p = m->p;

	p->auth = AUTH_BEARER;
	p->auth_header = "";
	if (m->known && strcmp(p->adapter, m->row.adapter) == 0) {
		p->auth = m->row.auth;
		p->auth_header = m->row.auth_header;
		p->quirks = m->row.quirks;
	} else {
		auth_by_adapter(m);
		if (m->known && m->row.auth == AUTH_SIGV4 &&
		    adapter_known(m->l->env, p->adapter))
			p->auth = AUTH_SIGV4;
	}
}

/*
 * A dialect at a cloud that is not its home: with the cloud's way to show a
 * credential goes the cloud's way to name the model. signs: at home the
 * dialect has that credential too.
 */
static void
make_guest(const struct making *m, bool signs)
{
	struct provider *p = m->p;

	if (m->known && strcmp(p->adapter, m->row.adapter) == 0)
		return;
	if ((m->known && m->row.auth == AUTH_SIGV4) ||
	    (!signs && p->auth == AUTH_SIGV4))
		p->quirks |= QUIRK_INVOKE;
	else if (!signs && p->auth == AUTH_GOOGLE)
		p->quirks |= QUIRK_RAW_PREDICT;
}

/* Nothing is ever NULL. */
static void
fill_form(struct auth_form *f)
{
	const char **all[] = { &f->header, &f->prefix, &f->key_id_header,
		&f->timestamp_header, &f->service, &f->scope, &f->token_url };
	size_t i;

	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		if (*all[i] == NULL)
			*all[i] = "";
}

static void
make_sign(const struct making *m)
{
	const char *const *from = m->s->auth.sign.items;
	struct auth_form *form = &m->p->form;
	const struct node *at = place(m, "auth");
	size_t i, k;

	for (i = 0; i < m->s->auth.sign.count && i < SIGN_MAX; i++) {
		for (k = 0; k < SIGN_PARTS && from[i] != NULL; k++)
			if (strcmp(from[i], sign_words[k]) == 0)
				break;
		if (from[i] != NULL && k == SIGN_PARTS)
			diag_fault(m->l->diag, at,
			    "'%.40s' is nothing that can be signed", from[i]);
		form->sign[form->sign_count++] = (unsigned char)k;
	}
	if (form->sign_count == 0)
		diag_fault(m->l->diag, at, "'sign' is missing: what is "
		    "signed, as [ method, path, timestamp, body ]");
}

/* Names of headers go into requests: they must be such. */
static void
check_form(const struct making *m)
{
	const struct auth_form *form = &m->p->form;
	const char *const names[] = { form->header, form->key_id_header,
		form->timestamp_header };
	const char *wrong;
	size_t i;

	for (i = 0; i < 3; i++) {
		wrong = *names[i] == '\0' ? NULL : value_header_name(names[i]);
		if (wrong != NULL)
			diag_fault(m->l->diag, place(m, "auth"), "%s", wrong);
	}
	if ((m->p->auth == AUTH_HMAC || m->p->auth == AUTH_HEADER) &&
	    *form->header == '\0')
		diag_fault(m->l->diag, place(m, "auth"),
		    "'header' is missing");
}

/*
 * AWS' own SDKs take a key of Bedrock's own from here before any other
 * credential, unless told one.
 */
#define BEDROCK_KEY "AWS_BEARER_TOKEN_BEDROCK"

static bool
bedrock_key(const struct making *m)
{
	static const char *const own[] = { "auth", "key", "credentials",
		"access_key", "secret_key", "session_token" };
	const char *key;
	size_t i;

	for (i = 0; i < sizeof own / sizeof own[0]; i++)
		if (given(m, own[i]))
			return false;
	if (!m->known || strcmp(m->row.adapter, "bedrock") != 0 ||
	    !secret_env_set(m->l, BEDROCK_KEY))
		return false;
	key = secret_env(m->l, m->s->row.node, BEDROCK_KEY, SECRET_MAX);
	if (key != NULL)
		m->p->key = key;
	return key != NULL;
}

/* `auth:` of the policy takes the place of what the catalog says. */
static void
make_own_auth(const struct making *m)
{
	struct provider *p = m->p;
	struct provider home = { .adapter = p->adapter };
	struct making there = { .l = m->l, .s = m->s, .p = &home };

	auth_by_adapter(&there); /* how the dialect has it at home */
	p->form = m->s->auth.form;
	fill_form(&p->form);
	if (given(m, "auth")) {
		p->auth = (enum auth_scheme)m->s->auth.scheme;
		p->auth_header = p->form.header;
		check_form(m);
		if (p->auth == AUTH_HMAC)
			make_sign(m);
	} else if (given(m, "key") && p->auth == AUTH_SIGV4) {
		p->auth = AUTH_BEARER; /* a key of Bedrock's own */
	} else if (given(m, "key") && p->auth == AUTH_GOOGLE) {
		p->auth = AUTH_HEADER;
		p->auth_header = "x-goog-api-key";
	}
	if (p->auth == AUTH_SIGV4 && bedrock_key(m))
		p->auth = AUTH_BEARER;
	make_guest(m, home.auth == p->auth);
	if (p->auth == AUTH_SIGV4 && *p->region == '\0' &&
	    adapter_known(m->l->env, p->adapter))
		diag_fault(m->l->diag, m->s->row.node,
		    "'region' is missing: requests are signed for it");
}

static void
make_url(const struct making *m)
{
	struct provider *p = m->p;

	if (!given(m, "base_url")) {
		if (m->known && m->row.base_url[0] != '\0')
			p->base_url = address_fill(m->l, m->s->row.node, p,
			    m->row.base_url);
		else
			diag_fault(m->l->diag, m->s->row.node,
			    "'base_url' is missing");
	}
	if (p->base_url == NULL)
		p->base_url = ""; /* said */
	p->base_url = arena_dup(m->l->arena, p->base_url,
	    url_trimmed(p->base_url));
	if (p->base_url == NULL) {
		diag_nomem(m->l->diag);
		p->base_url = "";
	}
	if (url_private(p->base_url))
		p->private_net = true;
}

static void
unknown_provider(const struct making *m)
{
	struct catalog_provider row;
	struct guess g;
	char hint[128];
	uint32_t i;

	guess_init(&g, m->p->name);
	for (i = 0; m->l->env->catalog != NULL &&
	    i < catalog_providers(m->l->env->catalog); i++)
		if (catalog_provider_at(m->l->env->catalog, i, &row))
			guess_offer(&g, row.name);
	diag_fault(m->l->diag, m->s->row.node, "the catalog knows no provider "
	    "'%.64s'%s; one of your own needs base_url", m->p->name,
	    guess_words(&g, hint, sizeof hint));
}

static void
make_key(const struct making *m)
{
	struct provider *p = m->p;
	const char *key;

	if (given(m, "key")) {
		key = node_get(m->s->row.node, "key")->text;
		if (key != NULL && strcmp(key, "none") == 0)
			p->auth = AUTH_NONE;
		else if (p->auth == AUTH_NONE && !given(m, "auth"))
			p->auth = AUTH_BEARER;
		return;
	}
	if (p->auth == AUTH_NONE || p->auth == AUTH_SIGV4 ||
	    p->auth == AUTH_GOOGLE || p->auth == AUTH_AZURE)
		return; /* other fields, or the place it runs at, tell */
	if (*p->key != '\0')
		return; /* found already */
	if (!m->known || m->row.env[0] == '\0') {
		diag_fault(m->l->diag, m->s->row.node,
		    "'key' is missing (a secret reference, or none)");
		return;
	}
	key = secret_env(m->l, m->s->row.node, m->row.env, SECRET_MAX);
	if (key != NULL)
		p->key = key;
}

static void
make_headers(const struct making *m)
{
	const struct header *from = m->s->headers.items;
	size_t i, n = m->s->headers.count;
	struct header *to;

	if (n == 0)
		return;
	to = arena_alloc(m->l->arena, n * sizeof *to);
	if (to == NULL) {
		diag_nomem(m->l->diag);
		return;
	}
	for (i = 0; i < n; i++) {
		to[i] = from[i];
		if (to[i].value == NULL) /* missing, and only checked */
			to[i].value = "";
		if (from[i].name != NULL && m->p->auth == AUTH_HEADER &&
		    strcasecmp(from[i].name, m->p->auth_header) == 0)
			diag_fault(m->l->diag, place(m, "headers"),
			    "'%s' is set from key", from[i].name);
	}
	m->p->headers = to;
	m->p->header_count = n;
}

/* Nothing is ever NULL. */
static void
fill_blanks(struct provider *p)
{
	const char **all[] = { &p->name, &p->adapter, &p->base_url, &p->key,
		&p->auth_header, &p->organization, &p->project, &p->region,
		&p->api_version, &p->credentials, &p->access_key,
		&p->secret_key, &p->session_token, &p->retention,
		&p->timezone };
	size_t i;

	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		if (*all[i] == NULL)
			*all[i] = "";
}

static void
make_provider(struct load *l, const struct src_provider *s,
    struct provider *p)
{
	struct making m = { .l = l, .s = s, .p = p };

	*p = s->p;
	p->name = s->row.name;
	fill_blanks(p);
	p->margin = (unsigned)s->margin;
	passages_make(l, &s->passages, p);
	limits_make(l, &s->limits, p->timezone, &p->limits);
	if (s->row.node->kind != NODE_MAP && !node_null(s->row.node))
		return; /* said */
	m.known = l->env->catalog != NULL &&
	    catalog_provider(l->env->catalog, p->name, &m.row);
	if (!m.known && !given(&m, "base_url")) {
		unknown_provider(&m);
		return;
	}
	make_adapter(&m);
	make_auth(&m);
	make_own_auth(&m);
	make_url(&m);
	make_key(&m);
	make_headers(&m);
	if (m.known && strcmp(p->adapter, m.row.adapter) == 0)
		variants_make(l, p, &m.row, given(&m, "base_url"));
	if (url_clear(p->base_url) && !p->private_net && p->key[0] != '\0')
		diag_warn(l->diag, place(&m, "base_url"),
		    "the key goes over the network without TLS");
}

void
check_providers(struct load *l, const struct source *s, struct policy *p)
{
	const struct src_provider *rows = s->providers.items;
	size_t i, n = s->providers.count;

	if (n == 0)
		return;
	p->providers = arena_zalloc(l->arena, n * sizeof *p->providers);
	if (p->providers == NULL) {
		diag_nomem(l->diag);
		return;
	}
	p->provider_count = n;
	for (i = 0; i < n; i++) {
		make_provider(l, &rows[i], &p->providers[i]);
		p->providers[i].index = i;
	}
}
