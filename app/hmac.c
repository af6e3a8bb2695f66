/* The text that is signed, part by part, and its signature. */
#include "app/hmac.h"

#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "app/headers.h"

static const char *const separators[] = {
	[SEPARATE_NEWLINE] = "\n",
	[SEPARATE_NOT] = "",
	[SEPARATE_DOT] = ".",
	[SEPARATE_COLON] = ":",
};

struct signing {
	const struct provider *p;
	const struct http_call *call;
	const char *stamp;
	const char *host, *path, *query; /* of the URL */
	size_t host_len, path_len;
	const EVP_MD *md;
	struct buf text;
};

static void
split_url(struct signing *s)
{
	const char *url = strstr(s->call->url, "://");

	s->host = url == NULL ? s->call->url : url + 3;
	s->host_len = strcspn(s->host, "/?");
	s->path = s->host + s->host_len;
	s->path_len = strcspn(s->path, "?");
	s->query = s->path + s->path_len;
	s->query += *s->query == '?';
}

static void
put_body_hash(struct signing *s)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[EVP_MAX_MD_SIZE * 2 + 1];
	unsigned n = 0;

	if (!EVP_Digest(s->call->body == NULL ? "" : s->call->body,
	    s->call->body_len, digest, &n, s->md, NULL)) {
		s->text.failed = true;
		return;
	}
	hash_hex(hex, digest, n);
	buf_puts(&s->text, hex);
}

static void
put_part(struct signing *s, unsigned part)
{
	switch (part) {
	case SIGN_METHOD:
		buf_puts(&s->text, s->call->method);
		break;
	case SIGN_HOST:
		buf_put(&s->text, s->host, s->host_len);
		break;
	case SIGN_PATH:
		buf_put(&s->text, s->path, s->path_len);
		break;
	case SIGN_QUERY:
		buf_puts(&s->text, s->query);
		break;
	case SIGN_TIMESTAMP:
		buf_puts(&s->text, s->stamp);
		break;
	case SIGN_KEY_ID:
		buf_puts(&s->text, s->p->access_key);
		break;
	case SIGN_BODY:
		buf_put(&s->text, s->call->body, s->call->body_len);
		break;
	default:
		put_body_hash(s);
		break;
	}
}

static const char *
stamp_of(struct arena *a, const struct auth_form *f, int64_t now)
{
	time_t t = (time_t)(now / 1000);
	char text[32];
	struct tm tm;

	if (f->stamp != STAMP_ISO8601)
		return arena_printf(a, "%lld", (long long)
		    (f->stamp == STAMP_SECONDS ? now / 1000 : now));
	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return NULL;
	return arena_str(a, text);
}

/* The signature of the text in the form that is wanted. */
static const char *
signature(struct arena *a, const struct signing *s)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	char text[EVP_MAX_MD_SIZE * 2 + 8];
	unsigned n = 0;

	if (s->text.failed || HMAC(s->md, s->p->key,
	    (int)strlen(s->p->key), (const unsigned char *)s->text.data,
	    s->text.len, mac, &n) == NULL)
		return NULL;
	if (s->p->form.encoding == SIGN_HEX)
		hash_hex(text, mac, n);
	else
		EVP_EncodeBlock((unsigned char *)text, mac, (int)n);
	return arena_printf(a, "%s%s", s->p->form.prefix, text);
}

enum err
hmac_sign(struct arena *a, const struct provider *p, int64_t now,
    struct http_call *call)
{
	const struct auth_form *f = &p->form;
	struct signing s = { .p = p, .call = call,
		.stamp = stamp_of(a, f, now),
		.md = f->hash == SIGN_SHA512 ? EVP_sha512() : EVP_sha256() };
	enum err e;
	size_t i;

	if (s.stamp == NULL)
		return ERR_INTERNAL;
	split_url(&s);
	buf_init(&s.text, LIMIT_BODY * 2 + KIB(64));
	for (i = 0; i < f->sign_count; i++) {
		if (i > 0)
			buf_puts(&s.text, separators[f->separator]);
		put_part(&s, f->sign[i]);
	}
	e = http_call_header(call, f->header, signature(a, &s));
	if (e == ERR_OK && *f->key_id_header != '\0')
		e = http_call_header(call, f->key_id_header, p->access_key);
	if (e == ERR_OK && *f->timestamp_header != '\0')
		e = http_call_header(call, f->timestamp_header, s.stamp);
	buf_free(&s.text);
	return e;
}
