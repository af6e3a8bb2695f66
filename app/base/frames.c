/* Framings: one row each. */
#include "app/base/frames.h"

#include <string.h>

#include "app/base/eventstream.h"

static enum err
sse_rows_feed(struct frames *f, const char *p, size_t len, sse_fn *fn,
    void *arg)
{
	return sse_feed(&f->sse, p, len, fn, arg);
}

static enum err
sse_rows_end(struct frames *f, sse_fn *fn, void *arg)
{
	return sse_end(&f->sse, fn, arg);
}

static enum err
line(const char *p, size_t len, sse_fn *fn, void *arg)
{
	struct sse_event ev = { .name = "", .data = p, .len = len };

	while (ev.len > 0 && (ev.data[ev.len - 1] == '\r' ||
	    ev.data[ev.len - 1] == ' '))
		ev.len--;
	return ev.len == 0 ? ERR_OK : fn(arg, &ev);
}

/* The line that was begun before, now whole. */
static enum err
begun_line(struct frames *f, const char *p, size_t len, sse_fn *fn,
    void *arg)
{
	enum err e;

	buf_put(&f->part, p, len);
	if (f->part.failed)
		return ERR_BAD_UPSTREAM;
	e = line(f->part.data, f->part.len, fn, arg);
	buf_clear(&f->part);
	return e;
}

static enum err
lines_feed(struct frames *f, const char *p, size_t len, sse_fn *fn,
    void *arg)
{
	const char *end;
	enum err e;

	while ((end = memchr(p, '\n', len)) != NULL) {
		if (f->part.len > 0)
			e = begun_line(f, p, (size_t)(end - p), fn, arg);
		else if ((size_t)(end - p) > f->max)
			e = ERR_BAD_UPSTREAM;
		else
			e = line(p, (size_t)(end - p), fn, arg);
		if (e != ERR_OK)
			return e;
		len -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	buf_put(&f->part, p, len);
	return f->part.failed ? ERR_BAD_UPSTREAM : ERR_OK;
}

static enum err
lines_end(struct frames *f, sse_fn *fn, void *arg)
{
	return f->part.len == 0 ? ERR_OK : begun_line(f, "", 0, fn, arg);
}

static enum err
messages_feed(struct frames *f, const char *p, size_t len, sse_fn *fn,
    void *arg)
{
	return eventstream_feed(&f->part, f->max, p, len, fn, arg);
}

static enum err
messages_end(struct frames *f, sse_fn *fn, void *arg)
{
	(void)fn;
	(void)arg;
	return eventstream_end(&f->part);
}

static enum err
raw_feed(struct frames *f, const char *p, size_t len, sse_fn *fn, void *arg)
{
	struct sse_event ev = { .name = "", .data = p, .len = len };

	(void)f;
	return len == 0 ? ERR_OK : fn(arg, &ev);
}

static enum err
raw_end(struct frames *f, sse_fn *fn, void *arg)
{
	(void)f;
	(void)fn;
	(void)arg;
	return ERR_OK;
}

static const struct {
	enum err (*feed)(struct frames *f, const char *p, size_t len,
	    sse_fn *fn, void *arg);
	enum err (*end)(struct frames *f, sse_fn *fn, void *arg);
} framings[] = {
	[FRAMING_SSE] = { sse_rows_feed, sse_rows_end },
	[FRAMING_LINES] = { lines_feed, lines_end },
	[FRAMING_EVENTSTREAM] = { messages_feed, messages_end },
	[FRAMING_RAW] = { raw_feed, raw_end },
};

void
frames_init(struct frames *f, enum framing framing, size_t max)
{
	f->framing = framing;
	f->max = max;
	buf_init(&f->part, max);
	sse_init(&f->sse, max);
}

void
frames_free(struct frames *f)
{
	sse_free(&f->sse);
	buf_free(&f->part);
}

enum err
frames_feed(struct frames *f, const char *p, size_t len, sse_fn *fn,
    void *arg)
{
	return framings[f->framing].feed(f, p, len, fn, arg);
}

enum err
frames_end(struct frames *f, sse_fn *fn, void *arg)
{
	return framings[f->framing].end(f, fn, arg);
}
