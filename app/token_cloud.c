/* Tokens of Google (service account, machine) and Microsoft Entra ID. */
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/token_int.h"
#include "policy/url.h"

#define DOCUMENT_MAX KIB(64)
#define GOOGLE_TOKENS "https://oauth2.googleapis.com/token"
#define GOOGLE_SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define GOOGLE_HOST "metadata.google.internal"
#define AZURE_HOST "https://login.microsoftonline.com"
#define AZURE_SCOPE "https://cognitiveservices.azure.com/.default"
#define JWT_SECONDS 3600

/* ------------------------------------------------------------ signature */

static void
put_base64url(struct buf *b, const void *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789-_";
	const unsigned char *s = p;
	unsigned bits = 0, have = 0;

	while (n-- > 0) {
		bits = bits << 8 | *s++;
		for (have += 8; have >= 6; have -= 6)
			buf_putc(b, digits[bits >> (have - 6) & 63]);
	}
	if (have > 0)
		buf_putc(b, digits[bits << (6 - have) & 63]);
}

/* No passphrase is ever asked for. */
static int
no_password(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

const char *
find_rs256(struct finding *f, const char *pem, const char *text, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
	EVP_PKEY *key = bio == NULL ? NULL :
	    PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *sign = NULL;
	const char *out = NULL;
	size_t n = 0;
	struct buf b;

	buf_init(&b, KIB(8));
	if (key != NULL && ctx != NULL &&
	    EVP_PKEY_base_id(key) == EVP_PKEY_RSA &&
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(ctx, NULL, &n, (const unsigned char *)text,
		len) == 1 && (sign = arena_alloc(f->arena, n)) != NULL &&
	    EVP_DigestSign(ctx, sign, &n, (const unsigned char *)text,
		len) == 1) {
		put_base64url(&b, sign, n);
		out = b.failed ? NULL : arena_dup(f->arena, b.data, b.len);
	}
	buf_free(&b);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return out;
}

/* --------------------------------------------------------------- Google */

static const char *
google_document(struct finding *f)
{
	const char *path = find_env("GOOGLE_APPLICATION_CREDENTIALS");

	if (*f->credentials != '\0')
		return f->credentials;
	return *path == '\0' ? NULL :
	    find_file(f->arena, path, DOCUMENT_MAX);
}

static bool
account_there(struct finding *f)
{
	return *f->credentials != '\0' ||
	    *find_env("GOOGLE_APPLICATION_CREDENTIALS") != '\0';
}

static void
put_claims(struct buf *b, const char *email, const char *audience,
    const char *scope, int64_t now)
{
	struct json_writer w;

	jw_init(&w, b);
	jw_object(&w);
	jw_key(&w, "iss");
	jw_string(&w, email);
	jw_key(&w, "scope");
	jw_string(&w, scope);
	jw_key(&w, "aud");
	jw_string(&w, audience);
	jw_key(&w, "iat");
	jw_int(&w, now);
	jw_key(&w, "exp");
	jw_int(&w, now + JWT_SECONDS);
	jw_end_object(&w);
}

/* header.claims.signature (RFC 7519, RS256); NULL: the key is none. */
static const char *
make_jwt(struct finding *f, const char *key_id, const char *pem,
    const struct buf *claims)
{
	struct json_writer w;
	struct buf head, text;
	const char *sign = NULL, *jwt = NULL;

	buf_init(&head, KIB(4));
	buf_init(&text, KIB(64));
	jw_init(&w, &head);
	jw_object(&w);
	jw_key(&w, "alg");
	jw_string(&w, "RS256");
	jw_key(&w, "typ");
	jw_string(&w, "JWT");
	if (*key_id != '\0') {
		jw_key(&w, "kid");
		jw_string(&w, key_id);
	}
	jw_end_object(&w);
	put_base64url(&text, head.data, head.failed ? 0 : head.len);
	buf_putc(&text, '.');
	put_base64url(&text, claims->data, claims->failed ? 0 : claims->len);
	if (!head.failed && !text.failed && !claims->failed)
		sign = find_rs256(f, pem, text.data, text.len);
	if (sign != NULL) {
		buf_printf(&text, ".%s", sign);
		jwt = text.failed ? NULL :
		    arena_dup(f->arena, text.data, text.len);
	}
	buf_free(&head);
	buf_free(&text);
	return jwt;
}

static enum find
account_begin(struct finding *f, int64_t now, struct http_call *call)
{
	const char *text = google_document(f), *email, *url, *jwt;
	char *pem;
	struct buf b;
	struct json doc;

	if (text == NULL || json_parse(&doc, f->arena, text, strlen(text),
	    NULL) != ERR_OK)
		return find_failed(f, "the service account is no JSON");
	email = find_text(f, &doc, JSON_ROOT, "client_email");
	url = *f->form.token_url != '\0' ? f->form.token_url :
	    find_text(f, &doc, JSON_ROOT, "token_uri");
	if (*url == '\0')
		url = GOOGLE_TOKENS;
	pem = json_cstr(&doc, json_get(&doc, JSON_ROOT, "private_key"),
	    f->arena);
	if (pem == NULL || *email == '\0')
		return find_failed(f, "the service account has no key");
	f->private_net = url_flaw(url) == NULL && url_private(url);
	if (url_flaw(url) != NULL || (url_clear(url) && !f->private_net))
		return find_failed(f, "the token endpoint must have https");
	buf_init(&b, KIB(8));
	put_claims(&b, email, url, *f->form.scope != '\0' ? f->form.scope :
	    GOOGLE_SCOPE, now);
	jwt = make_jwt(f, find_text(f, &doc, JSON_ROOT, "private_key_id"),
	    pem, &b);
	buf_free(&b);
	if (jwt == NULL)
		return find_failed(f, "the service account's key is none");
	buf_init(&b, KIB(64));
	find_form(&b, "grant_type",
	    "urn:ietf:params:oauth:grant-type:jwt-bearer");
	find_form(&b, "assertion", jwt);
	return find_post(f, url, &b, call);
}

static enum find
oauth_answer(struct finding *f, int64_t now, int status, const char *body,
    size_t len, struct http_call *call)
{
	(void)now;
	(void)call;
	return find_oauth(f, status, body, len);
}

const struct token_source source_google_account = {
	.auth = AUTH_GOOGLE, .there = account_there, .begin = account_begin,
	.answer = oauth_answer };

static bool
machine_there(struct finding *f)
{
	(void)f;
	return true;
}

static enum find
machine_begin(struct finding *f, int64_t now, struct http_call *call)
{
	const char *host = find_env("GCE_METADATA_HOST");

	(void)now;
	f->private_net = true;
	find_header(call, "metadata-flavor", "Google");
	return find_get(f, arena_printf(f->arena, "http://%s/computeMetadata"
	    "/v1/instance/service-accounts/default/token", *host != '\0' ?
	    host : GOOGLE_HOST), call);
}

const struct token_source source_google_machine = {
	.auth = AUTH_GOOGLE, .there = machine_there, .begin = machine_begin,
	.answer = oauth_answer };

/* ------------------------------------------------------------ Microsoft */

static bool
client_there(struct finding *f)
{
	return *f->credentials != '\0' ||
	    (*find_env("AZURE_TENANT_ID") != '\0' &&
		*find_env("AZURE_CLIENT_ID") != '\0' &&
		*find_env("AZURE_CLIENT_SECRET") != '\0');
}

/* Only what an id in an address may hold. */
static bool
is_id(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789-._");

	return n > 0 && s[n] == '\0';
}

static enum find
client_begin(struct finding *f, int64_t now, struct http_call *call)
{
	const char *tenant = find_env("AZURE_TENANT_ID"), *url;
	const char *id = find_env("AZURE_CLIENT_ID");
	const char *secret = find_env("AZURE_CLIENT_SECRET");
	struct json doc;
	struct buf b;

	(void)now;
	if (*f->credentials != '\0') {
		if (json_parse(&doc, f->arena, f->credentials,
		    strlen(f->credentials), NULL) != ERR_OK)
			return find_failed(f, "the credentials are no JSON");
		tenant = find_text(f, &doc, JSON_ROOT, "tenant_id");
		id = find_text(f, &doc, JSON_ROOT, "client_id");
		secret = find_text(f, &doc, JSON_ROOT, "client_secret");
	}
	if (!is_id(tenant) || *id == '\0' || *secret == '\0')
		return find_failed(f, "the credentials lack tenant_id, "
		    "client_id or client_secret");
	url = *f->form.token_url != '\0' ? f->form.token_url :
	    arena_printf(f->arena, AZURE_HOST "/%s/oauth2/v2.0/token",
		tenant);
	if (url == NULL)
		return find_failed(f, "out of memory");
	f->private_net = url_private(url);
	if (url_clear(url) && !f->private_net)
		return find_failed(f, "the token endpoint must have https");
	buf_init(&b, KIB(64));
	find_form(&b, "grant_type", "client_credentials");
	find_form(&b, "client_id", id);
	find_form(&b, "client_secret", secret);
	find_form(&b, "scope", *f->form.scope != '\0' ? f->form.scope :
	    AZURE_SCOPE);
	return find_post(f, url, &b, call);
}

const struct token_source source_azure_client = {
	.auth = AUTH_AZURE, .there = client_there, .begin = client_begin,
	.answer = oauth_answer };
