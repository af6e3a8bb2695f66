/* Credentials for providers: one row a scheme. */
#include "app/credential.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/percent.h"
#include "app/headers.h"
#include "app/hmac.h"
#include "app/sigv4.h"

/* What a scheme works with. */
struct credential {
	struct arena *arena;
	const struct provider *provider;
	const struct token *token;
	int64_t now, now_ms; /* since 1970 */
};

static enum err
by_bearer(const struct credential *c, struct http_call *call)
{
	if (*c->provider->key == '\0')
		return ERR_OK;
	return http_call_header(call, "authorization",
	    arena_printf(c->arena, "Bearer %s", c->provider->key));
}

static enum err
by_header(const struct credential *c, struct http_call *call)
{
	return *c->provider->key == '\0' ? ERR_OK :
	    http_call_header(call, c->provider->auth_header, c->provider->key);
}

static enum err
by_nothing(const struct credential *c, struct http_call *call)
{
	(void)c;
	(void)call;
	return ERR_OK;
}

/* A token that was fetched. */
static enum err
by_token(const struct credential *c, struct http_call *call)
{
	return http_call_header(call, "authorization",
	    arena_printf(c->arena, "Bearer %s", c->token->bearer));
}

static enum err
by_sigv4(const struct credential *c, struct http_call *call)
{
	struct sigv4 s = { .access_key = c->token->access_key,
		.secret_key = c->token->secret_key,
		.session_token = c->token->session_token,
		.region = c->provider->region,
		.service = c->provider->form.service,
		.when = c->now + c->token->skew };

	return sigv4_sign(c->arena, &s, call);
}

static enum err
by_hmac(const struct credential *c, struct http_call *call)
{
	return hmac_sign(c->arena, c->provider, c->now_ms, call);
}

/* early: before the policy's own headers, which a signature may cover. */
static const struct {
	enum err (*add)(const struct credential *c, struct http_call *call);
	bool early;
} schemes[] = {
	[AUTH_BEARER] = { by_bearer, true },
	[AUTH_HEADER] = { by_header, true },
	[AUTH_NONE] = { by_nothing, true },
	[AUTH_SIGV4] = { by_sigv4, false },
	[AUTH_GOOGLE] = { by_token, true },
	[AUTH_AZURE] = { by_token, true },
	[AUTH_HMAC] = { by_hmac, false },
};

enum err
credential_add(struct arena *a, const struct provider *p,
    const struct token *token, int64_t wall, struct http_call *call)
{
	const struct credential c = { .arena = a, .provider = p,
		.token = token, .now = wall / 1000000,
		.now_ms = wall / 1000 };
	enum err e;
	size_t i;

	if (p->auth >= sizeof schemes / sizeof schemes[0] ||
	    schemes[p->auth].add == NULL)
		return ERR_INTERNAL;
	e = http_call_header(call, "content-type", call->type != NULL ?
	    call->type : "application/json");
	if (e == ERR_OK && schemes[p->auth].early)
		e = schemes[p->auth].add(&c, call);
	/* Elsewhere these are parts of the address. */
	if (e == ERR_OK && p->auth == AUTH_BEARER && *p->organization != '\0')
		e = http_call_header(call, "openai-organization", p->organization);
	if (e == ERR_OK && p->auth == AUTH_BEARER && *p->project != '\0')
		e = http_call_header(call, "openai-project", p->project);
	for (i = 0; e == ERR_OK && i < p->header_count; i++)
		e = http_call_header(call, p->headers[i].name, p->headers[i].value);
	if (e == ERR_OK && !schemes[p->auth].early)
		e = schemes[p->auth].add(&c, call);
	return e;
}

/* Overwrite every occurrence of what. */
static void
blot(char *text, const char *what)
{
	size_t len = strlen(what);
	char *p;

	if (len < 4) /* too short to be told from ordinary words */
		return;
	for (p = strstr(text, what); p != NULL; p = strstr(p + len, what))
		memset(p, '*', len);
}

static void
blot_base64(char *text, const char *secret, size_t len)
{
	char *b64 = malloc(len * 4 / 3 + 8);
	size_t n;

	if (b64 == NULL) {
		*text = '\0'; /* rather no words than a leak */
		return;
	}
	n = (size_t)EVP_EncodeBlock((unsigned char *)b64,
	    (const unsigned char *)secret, (int)len);
	/* The last group depends on what follows it: match what is before. */
	while (n > 0 && b64[n - 1] == '=')
		n--;
	b64[len % 3 == 0 ? n : n - 1] = '\0';
	blot(text, b64);
	free(b64);
}

static void
blot_url(char *text, const char *secret, size_t len)
{
	struct buf url;

	buf_init(&url, len * 3 + 1);
	percent_put(&url, secret, len);
	buf_putc(&url, '\0');
	if (url.failed)
		*text = '\0';
	else
		blot(text, url.data);
	buf_free(&url);
}

static void
blot_all(char *text, const char *secret)
{
	size_t len = secret == NULL ? 0 : strlen(secret);

	if (len == 0)
		return;
	blot(text, secret);
	blot_base64(text, secret, len);
	blot_url(text, secret, len);
}

void
credential_redact(const struct provider *p, const struct token *token,
    char *text)
{
	blot_all(text, p->key);
	blot_all(text, p->access_key);
	blot_all(text, p->secret_key);
	blot_all(text, p->session_token);
	if (token == NULL)
		return;
	blot_all(text, token->bearer);
	blot_all(text, token->access_key);
	blot_all(text, token->secret_key);
	blot_all(text, token->session_token);
}
