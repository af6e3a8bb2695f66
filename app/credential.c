/* Credentials for providers: one row a scheme. */
#include "app/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "app/base/arena.h"

static enum err
push(struct http_call *call, const char *name, const char *value)
{
	size_t max = sizeof call->headers / sizeof call->headers[0];

	if (name == NULL || value == NULL || call->header_count == max)
		return ERR_INTERNAL;
	call->headers[call->header_count].name = name;
	call->headers[call->header_count++].value = value;
	return ERR_OK;
}

static enum err
by_bearer(struct arena *a, const struct provider *p, struct http_call *call)
{
	if (*p->key == '\0')
		return ERR_OK;
	return push(call, "authorization",
	    arena_printf(a, "Bearer %s", p->key));
}

static enum err
by_header(struct arena *a, const struct provider *p, struct http_call *call)
{
	(void)a;
	return *p->key == '\0' ? ERR_OK : push(call, p->auth_header, p->key);
}

static enum err
by_nothing(struct arena *a, const struct provider *p, struct http_call *call)
{
	(void)a;
	(void)p;
	(void)call;
	return ERR_OK;
}

static enum err (*const schemes[])(struct arena *a, const struct provider *p,
    struct http_call *call) = {
	[AUTH_BEARER] = by_bearer,
	[AUTH_HEADER] = by_header,
	[AUTH_NONE] = by_nothing,
};

enum err
credential_add(struct arena *a, const struct provider *p,
    struct http_call *call)
{
	enum err e;
	size_t i;

	if (p->auth >= sizeof schemes / sizeof schemes[0] ||
	    schemes[p->auth] == NULL)
		return ERR_INTERNAL;
	e = push(call, "content-type", "application/json");
	if (e == ERR_OK)
		e = schemes[p->auth](a, p, call);
	if (e == ERR_OK && *p->organization != '\0')
		e = push(call, "openai-organization", p->organization);
	if (e == ERR_OK && *p->project != '\0')
		e = push(call, "openai-project", p->project);
	for (i = 0; e == ERR_OK && i < p->header_count; i++)
		e = push(call, p->headers[i].name, p->headers[i].value);
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
	static const char plain[] = "-_.~";
	char *url = malloc(len * 3 + 1), *o = url;
	unsigned char c;
	size_t i;

	if (url == NULL) {
		*text = '\0';
		return;
	}
	for (i = 0; i < len; i++) {
		c = (unsigned char)secret[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || strchr(plain, c) != NULL)
			*o++ = (char)c;
		else
			o += snprintf(o, 4, "%%%02X", c);
	}
	*o = '\0';
	blot(text, url);
	free(url);
}

void
credential_redact(const struct provider *p, char *text)
{
	size_t len = strlen(p->key);

	if (len == 0)
		return;
	blot(text, p->key);
	blot_base64(text, p->key, len);
	blot_url(text, p->key, len);
}
