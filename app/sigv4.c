/* The signature: canonical request, text to sign, derived key. */
#include "app/sigv4.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/crypto.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "app/base/percent.h"
#include "app/headers.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SEGMENTS_MAX 64
#define PAIRS_MAX 64
#define HEADERS_MAX                                                          \
	(sizeof((struct http_call *)0)->headers / sizeof(struct header) + 1)

/* The parts of a URL that count; all point into it. */
struct url {
	struct str host, path, query;
};

static bool
split(const char *url, struct url *u)
{
	static const struct {
		const char *scheme, *port; /* which goes without saying */
	} known[] = { { "https://", ":443" }, { "http://", ":80" } };
	size_t i, n;

	for (i = 0; i < 2; i++)
		if (strncasecmp(url, known[i].scheme,
		    strlen(known[i].scheme)) == 0)
			break;
	if (i == 2)
		return false;
	url += strlen(known[i].scheme);
	u->host = (struct str){ url, strcspn(url, "/?#") };
	url += u->host.len;
	n = strlen(known[i].port);
	if (u->host.len > n && memcmp(url - n, known[i].port, n) == 0)
		u->host.len -= n;
	u->path = (struct str){ url, strcspn(url, "?#") };
	url += u->path.len;
	u->query = (struct str){ url, 0 };
	if (*url == '?')
		u->query = (struct str){ url + 1, strcspn(url + 1, "#") };
	return true;
}

/*
 * The path, encoded as it is sent and then once more, without empty
 * segments, "." and "..".
 */
static bool
put_path(struct buf *out, struct str path)
{
	struct str seg[SEGMENTS_MAX];
	const char *p = path.p, *end = p + path.len, *slash;
	size_t n = 0, i, len;
	bool more = true;

	for (; more; p = slash + 1) {
		slash = memchr(p, '/', (size_t)(end - p));
		more = slash != NULL;
		len = (size_t)((more ? slash : end) - p);
		if (len == 2 && memcmp(p, "..", 2) == 0) {
			n -= n > 0;
		} else if (len > 0 && !(len == 1 && *p == '.')) {
			if (n == SEGMENTS_MAX)
				return false;
			seg[n++] = (struct str){ p, len };
		}
		if (!more)
			break;
	}
	for (i = 0; i < n; i++) {
		buf_putc(out, '/');
		percent_put(out, seg[i].p, seg[i].len);
	}
	if (n == 0 || (path.len > 0 && end[-1] == '/'))
		buf_putc(out, '/');
	buf_putc(out, '\n');
	return true;
}

static int
compare(struct str a, struct str b)
{
	int c = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

	return c != 0 ? c : a.len < b.len ? -1 : a.len > b.len;
}

struct pair {
	struct str name, value;
};

static int
compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int c = compare(x->name, y->name);

	return c != 0 ? c : compare(x->value, y->value);
}

/* The query, which is encoded as it is sent, in order of its names. */
static bool
put_query(struct buf *out, struct str query)
{
	struct pair pairs[PAIRS_MAX];
	const char *p = query.p, *end = p + query.len, *amp, *eq;
	size_t n = 0, i;

	for (; p < end; p = amp + 1) {
		amp = memchr(p, '&', (size_t)(end - p));
		if (amp == NULL)
			amp = end;
		eq = memchr(p, '=', (size_t)(amp - p));
		if (eq == NULL)
			eq = amp;
		if (n == PAIRS_MAX)
			return false;
		if (amp == p)
			continue;
		pairs[n].name = (struct str){ p, (size_t)(eq - p) };
		eq += eq < amp;
		pairs[n++].value = (struct str){ eq, (size_t)(amp - eq) };
	}
	qsort(pairs, n, sizeof pairs[0], compare_pairs);
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(out, '&');
		buf_put(out, pairs[i].name.p, pairs[i].name.len);
		buf_putc(out, '=');
		buf_put(out, pairs[i].value.p, pairs[i].value.len);
	}
	buf_putc(out, '\n');
	return true;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static void
put_name(struct buf *out, const char *name)
{
	while (*name != '\0')
		buf_putc(out, lower(*name++));
}

/* Without blanks around it, several in a row as one. */
static void
put_value(struct buf *out, const char *p)
{
	bool blank = false, any = false;

	for (; *p != '\0'; p++) {
		if (*p == ' ' || *p == '\t') {
			blank = true;
			continue;
		}
		if (blank && any)
			buf_putc(out, ' ');
		buf_putc(out, *p);
		blank = false;
		any = true;
	}
}

static int
compare_headers(const void *a, const void *b)
{
	const struct header *x = a, *y = b;

	return strcasecmp(x->name, y->name);
}

/* The headers in order, then the list of their names (also to `signed_`). */
static void
put_headers(struct buf *out, const struct http_call *call, const char *host,
    struct buf *signed_)
{
	struct header list[HEADERS_MAX];
	size_t i, n = call->header_count;

	memcpy(list, call->headers, n * sizeof list[0]);
	list[n++] = (struct header){ "host", host };
	qsort(list, n, sizeof list[0], compare_headers);
	for (i = 0; i < n; i++) {
		put_name(out, list[i].name);
		buf_putc(out, ':');
		put_value(out, list[i].value);
		buf_putc(out, '\n');
		if (i > 0)
			buf_putc(signed_, ';');
		put_name(signed_, list[i].name);
	}
	buf_putc(out, '\n');
	buf_put(out, signed_->data, signed_->len);
	buf_putc(out, '\n');
}

/* The digest in hex of the canonical request. */
static enum err
digest_request(struct arena *a, const struct http_call *call,
    struct buf *signed_, char hex[HASH_HEX_SIZE])
{
	struct url u = { .host = { NULL, 0 } };
	enum err e = ERR_INTERNAL;
	const char *host;
	struct buf b;

	if (!split(call->url, &u))
		return ERR_INTERNAL;
	host = arena_dup(a, u.host.p, u.host.len);
	buf_init(&b, KIB(512));
	buf_printf(&b, "%s\n", call->method);
	if (host != NULL && put_path(&b, u.path) && put_query(&b, u.query)) {
		put_headers(&b, call, host, signed_);
		e = hash_sha256_hex(hex, call->body == NULL ? "" : call->body,
		    call->body_len);
	}
	buf_put(&b, hex, e == ERR_OK ? strlen(hex) : 0);
	if (e == ERR_OK)
		e = b.failed || signed_->failed ? ERR_INTERNAL :
		    hash_sha256_hex(hex, b.data, b.len);
	buf_free(&b);
	return e;
}

/* The key of that day, region and service signs the text. */
static enum err
sign(const struct sigv4 *s, const char *day, const char *text, size_t len,
    char hex[HASH_HEX_SIZE])
{
	const char *steps[] = { day, s->region, s->service, "aws4_request" };
	size_t n = strlen(s->secret_key) + 4, i, key_len = n;
	unsigned char key[HASH_LEN];
	char *first = malloc(n + 1);
	const void *from = first;
	enum err e = ERR_OK;

	if (first == NULL)
		return ERR_INTERNAL;
	memcpy(first, "AWS4", 4);
	memcpy(first + 4, s->secret_key, n - 4);
	for (i = 0; i < 4 && e == ERR_OK; i++) {
		e = hash_hmac(key, from, key_len, steps[i], strlen(steps[i]));
		from = key;
		key_len = sizeof key;
	}
	if (e == ERR_OK)
		e = hash_hmac_hex(hex, key, sizeof key, text, len);
	OPENSSL_cleanse(key, sizeof key);
	OPENSSL_cleanse(first, n);
	free(first);
	return e;
}

static enum err
authorize(struct arena *a, const struct sigv4 *s, struct http_call *call,
    const char *stamp, const struct buf *signed_, const char *digest)
{
	char hex[HASH_HEX_SIZE], day[9];
	const char *scope, *text;
	enum err e;

	memcpy(day, stamp, 8);
	day[8] = '\0';
	scope = arena_printf(a, "%s/%s/%s/aws4_request", day, s->region,
	    s->service);
	if (scope == NULL)
		return ERR_INTERNAL;
	text = arena_printf(a, ALGORITHM "\n%s\n%s\n%s", stamp, scope,
	    digest);
	if (text == NULL)
		return ERR_INTERNAL;
	e = sign(s, day, text, strlen(text), hex);
	if (e != ERR_OK)
		return e;
	return http_call_header(call, "authorization", arena_printf(a, ALGORITHM
	    " Credential=%s/%s, SignedHeaders=%.*s, Signature=%s",
	    s->access_key, scope, (int)signed_->len, signed_->data, hex));
}

enum err
sigv4_sign(struct arena *a, const struct sigv4 *s, struct http_call *call)
{
	time_t when = (time_t)s->when;
	char stamp[24], digest[HASH_HEX_SIZE];
	struct buf signed_;
	struct tm tm;
	enum err e;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm) != 16)
		return ERR_INTERNAL;
	e = http_call_header(call, "x-amz-date", arena_str(a, stamp));
	if (e == ERR_OK && *s->session_token != '\0')
		e = http_call_header(call, "x-amz-security-token", s->session_token);
	if (e != ERR_OK)
		return e;
	buf_init(&signed_, KIB(16));
	e = digest_request(a, call, &signed_, digest);
	if (e == ERR_OK)
		e = authorize(a, s, call, stamp, &signed_, digest);
	buf_free(&signed_);
	return e;
}

/* The words of a clock that is off, and from how many seconds on. */
static const struct {
	const char *word;
	int64_t least;
} skews[] = {
	{ "RequestTimeTooSkewed", 1 },
	{ "RequestExpired", 1 },
	{ "RequestInTheFuture", 1 },
	{ "Signature expired", 1 },
	{ "Signature not yet current", 1 },
	{ "InvalidSignatureException", 240 },
	{ "SignatureDoesNotMatch", 240 },
	{ "AuthFailure", 240 },
};

bool
sigv4_skewed(const char *type, const char *message, int64_t off)
{
	int64_t far = off < 0 ? -off : off;
	size_t i;

	for (i = 0; i < sizeof skews / sizeof skews[0]; i++)
		if (far >= skews[i].least &&
		    (strstr(type, skews[i].word) != NULL ||
			strstr(message, skews[i].word) != NULL))
			return true;
	return false;
}
