/*
 * Any bytes to the event-stream parser, whole and in pieces: the events must
 * be the same, their data valid UTF-8 and within the bound. The first byte
 * chooses the bound.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/limits.h"
#include "app/base/scan.h"
#include "app/base/siphash.h"
#include "app/base/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "not so: %s\n", what);
		abort();
	}
}

struct log {
	struct buf text;
	size_t max;
};

static bool
is_clean(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;
	const unsigned char *from;

	do {
		from = p;
		p = scan_utf8(scan_ascii(p, end), end);
	} while (p > from && p < end);
	return p == end;
}

static enum err
note(void *arg, const struct sse_event *ev)
{
	struct log *log = arg;

	demand(ev->len <= log->max, "data within the bound");
	demand(is_clean(ev->data, ev->len), "clean data");
	demand(is_clean(ev->name, strlen(ev->name)), "a clean name");
	buf_printf(&log->text, "[%s|%zu|", ev->name, ev->len);
	buf_put(&log->text, ev->data, ev->len);
	return ERR_OK;
}

/* In pieces of 1 to `piece` bytes, each a block of its own. */
static void
run(struct log *log, const uint8_t *data, size_t size, uint64_t seed,
    size_t piece)
{
	enum err err = ERR_OK;
	struct sse s;
	size_t n;
	char *copy;

	buf_init(&log->text, MIB(64));
	sse_init(&s, log->max);
	while (size > 0 && err == ERR_OK) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		n = 1 + (size_t)(seed >> 33) % piece;
		n = n < size ? n : size;
		copy = malloc(n);
		demand(copy != NULL, "memory");
		memcpy(copy, data, n);
		err = sse_feed(&s, copy, n, note, log);
		free(copy);
		data += n;
		size -= n;
	}
	if (err == ERR_OK)
		err = sse_end(&s, note, log);
	demand(err == ERR_OK || err == ERR_BAD_UPSTREAM, "a clear error");
	buf_printf(&log->text, "%d %llu", (int)err,
	    err == ERR_OK ? (unsigned long long)s.comments : 0);
	sse_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t key[2] = { 1, 2 };
	static const size_t bounds[] = { 8, 40, 1000, LIMIT_EVENT };
	static const size_t pieces[] = { 1, 3, 20, 400 };
	struct log whole, cut;
	uint64_t seed;
	size_t i;

	if (size == 0)
		return 0;
	seed = siphash(key, data, size);
	whole.max = cut.max = bounds[data[0] % 4];
	data++;
	size--;
	run(&whole, data, size, 0, size + 1 + MIB(64));
	for (i = 0; i < 4; i++) {
		run(&cut, data, size, seed + i, pieces[i]);
		demand(cut.text.len == whole.text.len &&
		    memcmp(cut.text.data, whole.text.data, cut.text.len) == 0,
		    "cuts change nothing");
		buf_free(&cut.text);
	}
	buf_free(&whole.text);
	return 0;
}
