/*
 * A request on its way into libcurl: checked first, then set. Nothing of the
 * caller's is kept but the body.
 */
#include "app/transport_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/base/limits.h"

/* Bodies beyond this leave in many writes, which count as life. */
#define WATCHED_BODY KIB(16)

/* Names that libcurl would fill in by itself if they were absent. */
static const char *const unwanted[] = { "Expect", "Content-Type" };
static const char chunked[] = "Transfer-Encoding: chunked";
#define UNWANTED (sizeof unwanted / sizeof unwanted[0])

static bool
is_blank_text(const char *s)
{
	return s[strspn(s, " ")] == '\0';
}

static bool
has_header(const struct call_request *rq, const char *name)
{
	size_t i;

	for (i = 0; i < rq->header_count; i++)
		if (strcasecmp(rq->headers[i].name, name) == 0)
			return true;
	return false;
}

static size_t
append(char *to, const char *s)
{
	size_t n = strlen(s);

	memcpy(to, s, n + 1);
	return n;
}

/* "Name: value", or "Name;" which is how libcurl writes an empty one. */
static size_t
write_line(char *to, const struct call_header *h)
{
	size_t n = append(to, h->name);

	if (is_blank_text(h->value))
		return n + append(to + n, ";") + 1;
	n += append(to + n, ": ");
	return n + append(to + n, h->value) + 1;
}

/* The list that libcurl reads, nodes and text in one block, or NULL. */
static bool
make_lines(struct call *c, const struct call_request *rq)
{
	size_t i, count = rq->header_count + UNWANTED + 1, size;
	struct curl_slist *node;
	char *text;

	size = count * sizeof *node + UNWANTED * 32 + sizeof chunked;
	for (i = 0; i < rq->header_count; i++)
		size += strlen(rq->headers[i].name) +
		    strlen(rq->headers[i].value) + 3;
	c->lines = calloc(1, size);
	if (c->lines == NULL)
		return false;
	c->lines_size = size;
	node = c->lines;
	text = (char *)(node + count);
	for (i = 0; i < rq->header_count; i++, node++) {
		node->data = text;
		node->next = node + 1;
		text += write_line(text, &rq->headers[i]);
	}
	for (i = 0; i < UNWANTED; i++) {
		if (has_header(rq, unwanted[i]))
			continue;
		node->data = text;
		node->next = node + 1;
		text += append(text, unwanted[i]);
		text += append(text, ":") + 1;
		node++;
	}
	if (rq->upload < 0) {
		memcpy(text, chunked, sizeof chunked);
		node->data = text;
		node->next = node + 1;
		node++;
	}
	node[-1].next = NULL; /* Expect is always there */
	return true;
}

/* One part of the parsed URL in out, "" when it has none. */
static bool
url_part(CURLU *u, CURLUPart part, char *out, size_t size)
{
	char *s = NULL;
	size_t len;

	out[0] = '\0';
	if (curl_url_get(u, part, &s, 0) != CURLUE_OK)
		return true;
	len = strlen(s);
	if (len < size)
		memcpy(out, s, len + 1);
	curl_free(s);
	return len < size;
}

/* Sets scheme and host; only hosts short enough to be addresses are kept. */
static bool
parse_url(CURLU *u, const char *url, struct known_url *k)
{
	char part[8];

	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
		return false;
	if (!url_part(u, CURLUPART_USER, part, sizeof part) || part[0] ||
	    !url_part(u, CURLUPART_PASSWORD, part, sizeof part) || part[0])
		return false;
	if (!url_part(u, CURLUPART_SCHEME, k->scheme, sizeof k->scheme))
		return false;
	if (!url_part(u, CURLUPART_HOST, k->host, sizeof k->host))
		k->host[0] = '\0';
	return strcmp(k->scheme, "https") == 0 ||
	    strcmp(k->scheme, "http") == 0;
}

/* Keep what was found, unless the query may hold a credential. */
static void
remember_url(struct transport *t, const char *url, struct known_url *found)
{
	struct known_url *k = &t->known[t->known_next];

	if (strchr(url, '?') != NULL)
		return;
	found->url = strdup(url);
	if (found->url == NULL)
		return;
	free(k->url);
	*k = *found;
	t->known_next = (t->known_next + 1) % KNOWN_URLS;
}

/* A worker asks few URLs again and again; parsing one takes longer. */
static bool
check_url(struct call *c, const char *url, char *scheme, size_t size)
{
	struct transport *t = c->transport;
	struct known_url found = { .url = NULL };
	const struct known_url *k = t->known;

	while (k < t->known + KNOWN_URLS &&
	    (k->url == NULL || strcmp(k->url, url) != 0))
		k++;
	if (k == t->known + KNOWN_URLS) {
		if (!parse_url(t->url, url, &found))
			return false;
		remember_url(t, url, &found);
		k = &found;
	}
	snprintf(scheme, size, "%s", k->scheme);
	memcpy(c->host, k->host, sizeof c->host);
	return true;
}

static bool
check_headers(const struct call_request *rq)
{
	size_t i;

	if (!header_is_token(rq->method, strlen(rq->method)))
		return false;
	for (i = 0; i < rq->header_count; i++)
		if (!header_name_sendable(rq->headers[i].name) ||
		    !header_value_sendable(rq->headers[i].value))
			return false;
	return true;
}

/* The body is read by parts. */
static int
set_upload(struct call *c, const struct call_request *rq)
{
	CURL *e = c->easy;
	int bad = 0;

	c->prefix = rq->body;
	c->prefix_len = rq->body_len;
	bad |= curl_easy_setopt(e, CURLOPT_POST, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDS, NULL);
	bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
	    rq->upload < 0 ? (curl_off_t)-1 :
	    (curl_off_t)rq->body_len + rq->upload);
	bad |= curl_easy_setopt(e, CURLOPT_READFUNCTION, call_on_read);
	bad |= curl_easy_setopt(e, CURLOPT_READDATA, c);
	bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
	    CURL_HTTP_VERSION_1_1);
	bad |= curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	return bad;
}

static int
set_method(struct call *c, const struct call_request *rq)
{
	CURL *e = c->easy;
	bool post = rq->body != NULL || strcmp(rq->method, "POST") == 0;
	bool head = strcmp(rq->method, "HEAD") == 0;
	bool plain = head || strcmp(rq->method, post ? "POST" : "GET") == 0;
	int bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
	    CURL_HTTP_VERSION_2TLS);
	bad |= curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 0L);
	bad |= curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 0L);
	c->idempotent = head || strcmp(rq->method, "GET") == 0;
	if (rq->upload != 0) {
		bad |= set_upload(c, rq);
	} else if (post) {
		bad |= curl_easy_setopt(e, CURLOPT_POST, 1L);
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)rq->body_len);
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDS,
		    rq->body != NULL ? rq->body : "");
	} else {
		bad |= curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
		bad |= curl_easy_setopt(e, CURLOPT_NOBODY, (long)head);
	}
	bad |= curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST,
	    plain ? NULL : rq->method);
	bad |= curl_easy_setopt(e, CURLOPT_NOPROGRESS,
	    (long)(rq->body_len <= WATCHED_BODY && rq->upload == 0));
	return bad;
}

/*
 * The trust store is parsed once a worker and shared by all connections, if
 * it is one file: libcurl does not keep one that includes a directory.
 */
static int
set_trust(struct call *c)
{
	struct transport *t = c->transport;
	const char *file = t->ca_file != NULL ? t->ca_file : t->ca_default;
	int bad = 0;

	if (file == NULL)
		return 0;
	bad |= curl_easy_setopt(c->easy, CURLOPT_CAINFO, file);
	bad |= curl_easy_setopt(c->easy, CURLOPT_CAPATH, NULL);
	return bad;
}

bool
call_prepare(struct call *c, const struct call_request *rq)
{
	CURL *e = c->easy;
	char scheme[8];
	int bad = 0;

	if (!check_headers(rq) ||
	    !check_url(c, rq->url, scheme, sizeof scheme) ||
	    !make_lines(c, rq))
		return false;
	bad |= curl_easy_setopt(e, CURLOPT_URL, rq->url);
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, scheme);
	/* Who would open a connection waits for one that is being made. */
	bad |= curl_easy_setopt(e, CURLOPT_PIPEWAIT,
	    (long)(strcmp(scheme, "https") == 0));
	bad |= curl_easy_setopt(e, CURLOPT_HTTPHEADER,
	    (struct curl_slist *)c->lines);
	bad |= set_method(c, rq);
	bad |= set_trust(c);
	c->connect_timeout = rq->connect_timeout;
	c->bytes_timeout = rq->bytes_timeout;
	c->private_net = rq->private_net;
	c->connected = c->first_byte = -1;
	c->why = -1;
	return bad == 0;
}
