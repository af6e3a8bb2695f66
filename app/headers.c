/*
 * The store of answer headers: names and values behind each other in one
 * buffer, searched from the front. It trusts no byte of them.
 */
#include "app/headers.h"

#include <string.h>
#include <strings.h>

#include "adapters/adapter.h"
#include "app/base/limits.h"

/* A store this small is kept for the next answer. */
#define KEEP_BYTES KIB(4)

/* These frame the message or the connection: the transport writes them. */
static const char *const own[] = {
	"connection", "content-length", "expect", "keep-alive",
	"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"
};

static bool
is_tchar(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool
header_is_token(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!is_tchar((unsigned char)s[i]))
			return false;
	return len > 0;
}

bool
header_name_sendable(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof own / sizeof own[0]; i++)
		if (strcasecmp(name, own[i]) == 0)
			return false;
	return header_is_token(name, strlen(name));
}

bool
header_value_sendable(const char *value)
{
	const unsigned char *p;

	for (p = (const unsigned char *)value; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

enum err
http_call_header(struct http_call *call, const char *name, const char *value)
{
	size_t max = sizeof call->headers / sizeof call->headers[0];

	if (name == NULL || value == NULL || call->header_count == max)
		return ERR_INTERNAL;
	call->headers[call->header_count++] = (struct header){ name, value };
	return ERR_OK;
}

void
headers_init(struct headers *h)
{
	memset(h, 0, sizeof *h);
	/* Each line ends in CRLF and ": " parts it: two NULs take no more. */
	buf_init(&h->text, LIMIT_REPLY_HEADERS + 2);
}

void
headers_free(struct headers *h)
{
	buf_free(&h->text);
}

void
headers_reset(struct headers *h)
{
	if (h->text.size > KEEP_BYTES)
		buf_free(&h->text);
	buf_clear(&h->text);
	h->bytes = h->lines = 0;
}

void
headers_drop(struct headers *h)
{
	buf_clear(&h->text);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
value_is_clean(const char *p, size_t len)
{
	size_t i;
	unsigned char c;

	for (i = 0; i < len; i++) {
		c = (unsigned char)p[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static void
store(struct headers *h, const char *line, size_t len)
{
	const char *colon, *value, *end = line + len;

	colon = memchr(line, ':', len);
	if (colon == NULL || !header_is_token(line, (size_t)(colon - line)))
		return;
	for (value = colon + 1; value < end && is_blank(*value); value++)
		;
	if (end > value && end[-1] == '\n')
		end--;
	if (end > value && end[-1] == '\r')
		end--;
	while (end > value && is_blank(end[-1]))
		end--;
	if (!value_is_clean(value, (size_t)(end - value)))
		return;
	buf_put(&h->text, line, (size_t)(colon - line));
	buf_putc(&h->text, '\0');
	buf_put(&h->text, value, (size_t)(end - value));
	buf_putc(&h->text, '\0');
}

enum headers_end
headers_line(struct headers *h, const char *line, size_t len, bool keep)
{
	if (len > LIMIT_REPLY_HEADERS - h->bytes ||
	    h->lines >= LIMIT_REPLY_LINES)
		return HEADERS_TOO_LARGE;
	h->bytes += len;
	h->lines++;
	if (keep)
		store(h, line, len);
	return h->text.failed ? HEADERS_MEMORY : HEADERS_OK;
}

const char *
headers_get(const struct headers *h, const char *name)
{
	const char *p = h->text.data, *end, *value;

	if (p == NULL)
		return NULL;
	for (end = p + h->text.len; p < end;) {
		value = p + strlen(p) + 1;
		if (strcasecmp(p, name) == 0)
			return value;
		p = value + strlen(value) + 1;
	}
	return NULL;
}
