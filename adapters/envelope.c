/* Base64 in JSON in a message, and out again. */
#include "adapters/envelope.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

#include "adapters/canon.h"
#include "app/base/arena.h"

static enum err
open_bytes(struct arena *a, struct str b64, struct sse_event *inside)
{
	unsigned char *out;
	size_t pad = 0;
	int n;

	if (b64.p == NULL || b64.len == 0 || b64.len % 4 != 0 ||
	    b64.len > INT_MAX)
		return ERR_BAD_UPSTREAM;
	while (pad < 2 && b64.p[b64.len - 1 - pad] == '=')
		pad++;
	if (memchr(b64.p, '=', b64.len - pad) != NULL)
		return ERR_BAD_UPSTREAM;
	out = arena_alloc(a, b64.len / 4 * 3 + 1);
	if (out == NULL)
		return ERR_INTERNAL;
	n = EVP_DecodeBlock(out, (const unsigned char *)b64.p, (int)b64.len);
	if (n < (int)pad)
		return ERR_BAD_UPSTREAM;
	inside->data = (const char *)out;
	inside->len = (size_t)n - pad;
	return ERR_OK;
}

static enum err
open_failure(struct arena *a, const struct sse_event *message,
    const struct json *doc, struct sse_event *inside)
{
	struct str words = canon_str(doc, json_get(doc, JSON_ROOT,
	    "message"), a);
	struct json_writer w;
	enum err e = ERR_OK;
	struct buf b;

	buf_init(&b, LIMIT_EVENT_LARGE * 2);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, "error");
	jw_object(&w);
	jw_key(&w, "type");
	jw_string(&w, message->name);
	jw_key(&w, "message");
	jw_stringn(&w, words.p == NULL ? "" : words.p, words.len);
	jw_end_object(&w);
	jw_end_object(&w);
	inside->name = "error";
	inside->len = b.len;
	inside->data = b.failed ? NULL : arena_dup(a, b.data, b.len);
	if (inside->data == NULL)
		e = ERR_INTERNAL;
	buf_free(&b);
	return e;
}

enum err
envelope_open(struct arena *a, const struct sse_event *message,
    struct sse_event *inside)
{
	struct json doc = { .text = NULL };
	bool json;

	*inside = (struct sse_event){ .name = "", .data = "" };
	json = json_parse(&doc, a, message->data, message->len, NULL) ==
	    ERR_OK;
	if (message->failure) {
		if (!json && json_parse(&doc, a, "{}", 2, NULL) != ERR_OK)
			return ERR_INTERNAL;
		return open_failure(a, message, &doc, inside);
	}
	return json ? open_bytes(a, canon_str(&doc, json_get(&doc, JSON_ROOT,
	    "bytes"), a), inside) : ERR_BAD_UPSTREAM;
}
