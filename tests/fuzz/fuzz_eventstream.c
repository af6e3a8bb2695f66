/*
 * Any bytes to the parser of Amazon's event stream, whole and in pieces: the
 * events must be the same. Where a message could be, its sums are set right,
 * so that what is behind them is reached; the first byte can keep them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/frames.h"
#include "tests/fuzz/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX 4096

static enum err
note(void *arg, const struct sse_event *ev)
{
	struct buf *log = arg;

	if (ev->len > MAX || strlen(ev->name) > 63)
		abort();
	buf_printf(log, "[%d%s|%zu|", ev->failure, ev->name, ev->len);
	buf_put(log, ev->data, ev->len);
	return ERR_OK;
}

static void
run(struct buf *log, const char *p, size_t size, size_t piece)
{
	enum err e = ERR_OK;
	struct frames f;
	size_t n;
	char *copy;

	buf_init(log, 1 << 24);
	frames_init(&f, FRAMING_EVENTSTREAM, MAX);
	for (; size > 0 && e == ERR_OK; p += n, size -= n) {
		n = piece < size ? piece : size;
		copy = malloc(n);
		if (copy == NULL)
			abort();
		memcpy(copy, p, n);
		e = frames_feed(&f, copy, n, note, log);
		free(copy);
	}
	if (e == ERR_OK)
		e = frames_end(&f, note, log);
	if (e != ERR_OK && e != ERR_BAD_UPSTREAM)
		abort();
	buf_printf(log, "%d", (int)e);
	frames_free(&f);
}

static void
mend(char *p, size_t size)
{
	size_t total;

	while (size >= 16) {
		p[0] = p[1] = 0;
		total = (size_t)(unsigned char)p[2] << 8 |
		    (unsigned char)p[3];
		if (total < 16 || total > size)
			return;
		message_put(p + 8, message_crc(p, 8));
		message_put(p + total - 4, message_crc(p, total - 4));
		p += total;
		size -= total;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 3, 11, 100 };
	struct buf whole, cut;
	char *copy;
	size_t i;

	if (size < 2 || (copy = malloc(size - 1)) == NULL)
		return 0;
	memcpy(copy, data + 1, --size);
	if (data[0] % 8 != 0)
		mend(copy, size);
	run(&whole, copy, size, size);
	for (i = 0; i < 4; i++) {
		run(&cut, copy, size, pieces[i]);
		if (cut.len != whole.len ||
		    memcmp(cut.data, whole.data, cut.len) != 0)
			abort();
		buf_free(&cut);
	}
	buf_free(&whole);
	free(copy);
	return 0;
}
