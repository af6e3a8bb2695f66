/*
 * The adapter bedrock: requests to it, its answers whole and streamed. A
 * stream is given as lines "name data" ("!name data": an exception) and goes
 * in as messages with right sums.
 */
#include "tests/fuzz/message.h"
#include "tests/fuzz/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_header(struct buf *b, const char *name, const char *value, size_t len)
{
	buf_putc(b, (char)strlen(name));
	buf_puts(b, name);
	buf_putc(b, 7);
	buf_putc(b, (char)(len >> 8));
	buf_putc(b, (char)len);
	buf_put(b, value, len);
}

static void
put_message(struct buf *out, const char *line, size_t len)
{
	bool failure = len > 0 && *line == '!';
	const char *end = line + len, *data;
	char head[12], sum[4];
	struct buf b;

	line += failure;
	data = memchr(line, ' ', (size_t)(end - line));
	if (data == NULL || data - line > 200)
		return;
	buf_init(&b, MIB(2));
	put_header(&b, ":message-type", failure ? "exception" : "event",
	    failure ? 9 : 5);
	put_header(&b, failure ? ":exception-type" : ":event-type", line,
	    (size_t)(data - line));
	message_put(head, (uint32_t)(16 + b.len + (size_t)(end - data - 1)));
	message_put(head + 4, (uint32_t)b.len);
	message_put(head + 8, message_crc(head, 8));
	line = data + 1;
	buf_put(&b, line, (size_t)(end - line));
	len = out->len;
	buf_put(out, head, sizeof head);
	buf_put(out, b.data, b.len);
	if (!out->failed) {
		message_put(sum, message_crc(out->data + len,
		    out->len - len));
		buf_put(out, sum, sizeof sum);
	}
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1, *end, *nl;
	struct buf out;

	if (size < 2 || data[0] % 4 % 3 != 2)
		return fuzz_provider("bedrock", 0, data, size);
	buf_init(&out, MIB(4));
	buf_putc(&out, (char)data[0]);
	for (end = (const char *)data + size; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			nl = end;
		put_message(&out, p, (size_t)(nl - p));
	}
	if (!out.failed)
		fuzz_provider("bedrock", 0, (const uint8_t *)out.data,
		    out.len);
	buf_free(&out);
	return 0;
}
