/* The walk over FastCGI records. No memory, no I/O. */
#include "app/record_walk.h"

#include <string.h>

enum kind {
	KIND_NONE,   /* not to be sent by this side */
	KIND_STREAM, /* content is delivered, an empty record ends it */
	KIND_BODY,   /* exactly eight bytes */
	KIND_SKIP    /* content is skipped */
};

/* What each side may send about a request (id not 0). */
static const uint8_t kinds[2][RECORD_UNKNOWN_TYPE + 1] = {
	[WALK_SERVER] = {
		[RECORD_BEGIN] = KIND_BODY,
		[RECORD_ABORT] = KIND_SKIP,
		[RECORD_PARAMS] = KIND_STREAM,
		[RECORD_STDIN] = KIND_STREAM,
		[RECORD_DATA] = KIND_STREAM,
	},
	[WALK_RESPONDER] = {
		[RECORD_END] = KIND_BODY,
		[RECORD_STDOUT] = KIND_STREAM,
		[RECORD_STDERR] = KIND_STREAM,
	},
};

void
walk_init(struct walk *w, enum walk_side side)
{
	memset(w, 0, sizeof *w);
	w->side = side;
}

bool
walk_between(const struct walk *w)
{
	return w->have == 0 && !w->bad;
}

/*
 * Management records (id 0) may be of any type that is not about a request:
 * a type yet unknown is for the one above to answer.
 */
static enum kind
kind_of(const struct walk *w)
{
	bool known = w->type <= RECORD_UNKNOWN_TYPE;

	if (w->type == 0)
		return KIND_NONE;
	if (w->id != 0)
		return known ? kinds[w->side][w->type] : KIND_NONE;
	if (!known || w->type >= RECORD_GET_VALUES)
		return KIND_SKIP;
	return KIND_NONE;
}

static bool
header_read(struct walk *w)
{
	if (w->head[0] != 1) /* version */
		return false;
	w->type = w->head[1];
	w->id = (uint16_t)(w->head[2] << 8 | w->head[3]);
	w->left = (uint16_t)(w->head[4] << 8 | w->head[5]);
	w->pad = w->head[6];
	w->kind = kind_of(w);
	switch (w->kind) {
	case KIND_STREAM:
		w->what = w->left == 0 ? WALK_EOF : WALK_MORE;
		return true;
	case KIND_BODY:
		w->what = WALK_BODY;
		return w->left == RECORD_BODY;
	case KIND_SKIP:
		w->what = WALK_OTHER;
		return true;
	default:
		return false;
	}
}

static size_t
take(const unsigned char **p, size_t *n, size_t want)
{
	size_t got = *n < want ? *n : want;

	*p += got;
	*n -= got;
	return got;
}

/* Content of the record; true when it is to be told. */
static bool
content(struct walk *w, const unsigned char **p, size_t *n)
{
	size_t got;

	w->data = *p;
	got = take(p, n, w->left);
	w->len = got;
	if (w->kind == KIND_BODY)
		memcpy(w->body + RECORD_BODY - w->left, w->data, got);
	w->left = (uint16_t)(w->left - got);
	return w->kind == KIND_STREAM;
}

enum walk_says
walk_next(struct walk *w, const unsigned char **p, size_t *n)
{
	size_t got;

	while (!w->bad) {
		if (w->have < RECORD_HEAD) {
			if (*n == 0)
				return WALK_MORE;
			got = take(p, n, RECORD_HEAD - (size_t)w->have);
			memcpy(w->head + w->have, *p - got, got);
			w->have = (uint8_t)(w->have + got);
			if (w->have < RECORD_HEAD)
				return WALK_MORE;
			if (!header_read(w))
				w->bad = true;
			continue;
		}
		if (w->left + w->pad > 0 && *n == 0)
			return WALK_MORE;
		if (w->left > 0) {
			if (content(w, p, n))
				return WALK_DATA;
			continue;
		}
		w->pad = (uint8_t)(w->pad - take(p, n, w->pad));
		if (w->pad > 0)
			return WALK_MORE;
		w->have = 0;
		if (w->what != WALK_MORE)
			return w->what;
	}
	return WALK_BAD;
}

void
record_head(unsigned char head[RECORD_HEAD], enum record_type type,
    uint16_t id, size_t length)
{
	head[0] = 1;
	head[1] = (unsigned char)type;
	head[2] = (unsigned char)(id >> 8);
	head[3] = (unsigned char)id;
	head[4] = (unsigned char)(length >> 8);
	head[5] = (unsigned char)length;
	head[6] = 0;
	head[7] = 0;
}

bool
pair_length(const unsigned char **p, size_t *n, size_t *length)
{
	const unsigned char *b = *p;
	size_t used = 1, len;

	if (*n < 1)
		return false;
	len = b[0];
	if (len > 127) {
		if (*n < 4)
			return false;
		len = (size_t)(b[0] & 127) << 24 | (size_t)b[1] << 16 |
		    (size_t)b[2] << 8 | b[3];
		used = 4;
	}
	*p += used;
	*n -= used;
	*length = len;
	return true;
}
