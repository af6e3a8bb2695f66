/* Gathering requests from FastCGI records. No I/O, no clock. */
#include "app/intake.h"

#include <string.h>

#include "app/base/form.h"
#include "app/base/limits.h"

#define ROLE_RESPONDER 1
#define FLAG_KEEP_CONN 1

void
intake_init(struct intake *in)
{
	memset(in, 0, sizeof *in);
	walk_init(&in->walk, WALK_SERVER);
	buf_init(&in->params, LIMIT_PARAMS);
	buf_init(&in->body, LIMIT_BODY);
}

/* Prompts and keys do not stay behind in freed memory. */
static void
wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->len);
	buf_free(b);
}

void
intake_free(struct intake *in)
{
	wipe(&in->params);
	wipe(&in->body);
}

void
intake_taken(struct intake *in, size_t n)
{
	size_t left = in->body.len - n;

	buf_drop(&in->body, n);
	if (in->body.data != NULL)
		explicit_bzero(in->body.data + left, n);
}

void
intake_refuse(struct intake *in, enum err e)
{
	in->refused = e;
	in->phase = INTAKE_REST;
	wipe(&in->body);
}

bool
intake_over(const struct intake *in)
{
	return in->phase == INTAKE_REST || in->phase == INTAKE_DONE;
}

bool
intake_idle(const struct intake *in)
{
	return in->phase == INTAKE_IDLE && walk_between(&in->walk);
}

static enum intake_says
begin(struct intake *in)
{
	const unsigned char *b = in->walk.body;

	if (in->walk.id == 0 || (b[0] << 8 | b[1]) != ROLE_RESPONDER)
		return INTAKE_BAD;
	in->id = in->walk.id;
	in->keep = (b[2] & FLAG_KEEP_CONN) != 0;
	in->phase = INTAKE_PARAMS;
	return INTAKE_MORE;
}

enum intake_says
intake_next(struct intake *in)
{
	intake_free(in);
	in->refused = ERR_OK;
	in->open = false;
	in->phase = INTAKE_IDLE;
	if (!in->second)
		return INTAKE_MORE;
	in->second = false;
	return begin(in);
}

/* One pair taken from *p and *n; false when it is not all there. */
static bool
pair_whole(const unsigned char **p, size_t *n, bool *clean)
{
	size_t name, value;

	if (!pair_length(p, n, &name) || !pair_length(p, n, &value))
		return false;
	if (name > *n || value > *n - name)
		return false;
	*clean = name > 0 && memchr(*p, '=', name) == NULL &&
	    memchr(*p, '\0', name + value) == NULL;
	*p += name + value;
	*n -= name + value;
	return true;
}

size_t
params_whole(const unsigned char *p, size_t n, unsigned max, bool *all)
{
	const unsigned char *at = p;
	size_t left = n, whole = 0;
	unsigned count;
	bool clean;

	for (count = 0; left > 0 && count < max; count++) {
		if (!pair_whole(&at, &left, &clean))
			break;
		if (!clean)
			return SIZE_MAX;
		whole = (size_t)(at - p);
	}
	*all = whole == n;
	return whole;
}

/* A parameter's value by its name, NULL: there is none. Only whole pairs. */
static const char *
param(const struct buf *params, const char *name, size_t *len)
{
	const unsigned char *p = (const unsigned char *)params->data;
	size_t left = params->len, n = strlen(name), name_len;

	while (left > 0 && pair_length(&p, &left, &name_len) &&
	    pair_length(&p, &left, len)) {
		if (name_len == n && memcmp(p, name, n) == 0)
			return (const char *)p + n;
		p += name_len + *len;
		left -= name_len + *len;
	}
	return NULL;
}

/* Is that decimal more than a window, or no number at all? */
static bool
is_large(const char *p, size_t len)
{
	size_t n = 0, i;

	for (i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9' || n > LIMIT_UPLOAD)
			return true;
		n = n * 10 + (size_t)(p[i] - '0');
	}
	return len == 0 || n > LIMIT_WINDOW;
}

/* A large form is for its taker to hold back: nobody has it whole. */
static bool
is_open(const struct intake *in)
{
	char type[FORM_TYPE];
	size_t len;
	const char *p = param(&in->params, "CONTENT_TYPE", &len);

	if (p == NULL)
		return false;
	len = len < sizeof type ? len : sizeof type - 1;
	memcpy(type, p, len);
	type[len] = '\0';
	p = param(&in->params, "CONTENT_LENGTH", &len);
	return form_is(type) && (p == NULL || is_large(p, len));
}

static enum intake_says
params_end(struct intake *in)
{
	const unsigned char *p = (const unsigned char *)in->params.data;
	size_t whole = 0, left;
	bool all = true;

	if (in->params.len > 0)
		whole = params_whole(p, in->params.len, LIMIT_HEADERS, &all);
	if (whole == SIZE_MAX)
		return INTAKE_BAD;
	if (!all && in->refused == ERR_OK) {
		/* Too many, or a length that lies about what is there? */
		left = params_whole(p, in->params.len, UINT32_MAX, &all);
		if (left == SIZE_MAX || !all)
			return INTAKE_BAD;
		in->refused = ERR_HEADERS_TOO_LARGE;
	}
	in->params.len = whole;
	in->phase = in->refused == ERR_OK ? INTAKE_BODY : INTAKE_REST;
	in->open = in->refused == ERR_OK && is_open(in);
	return in->refused == ERR_OK && !in->open ? INTAKE_MORE :
	    INTAKE_READY;
}

/* As much as its bound allows; false when it was not all. */
static bool
gather(struct intake *in, struct buf *b)
{
	size_t room = b->max - b->len;
	size_t n = in->walk.len < room ? in->walk.len : room;

	buf_put(b, in->walk.data, n);
	return n == in->walk.len;
}

static enum intake_says
params_record(struct intake *in, enum walk_says says)
{
	if (in->phase != INTAKE_PARAMS)
		return INTAKE_BAD;
	if (says == WALK_EOF)
		return params_end(in);
	if (!gather(in, &in->params))
		in->refused = ERR_HEADERS_TOO_LARGE;
	return in->params.failed ? INTAKE_BAD : INTAKE_MORE;
}

static enum intake_says
stdin_record(struct intake *in, enum walk_says says)
{
	if (in->phase == INTAKE_PARAMS)
		return INTAKE_BAD;
	if (says == WALK_EOF) {
		bool first = in->phase == INTAKE_BODY;

		in->phase = INTAKE_DONE;
		return first ? INTAKE_READY : INTAKE_MORE;
	}
	if (in->phase != INTAKE_BODY)
		return INTAKE_MORE;
	if (!gather(in, &in->body)) {
		intake_refuse(in, ERR_TOO_LARGE);
		return INTAKE_READY;
	}
	return in->body.failed ? INTAKE_BAD : INTAKE_MORE;
}

/* A record about the present request. */
static enum intake_says
record(struct intake *in, enum walk_says says)
{
	switch (in->walk.type) {
	case RECORD_PARAMS:
		return params_record(in, says);
	case RECORD_STDIN:
		return stdin_record(in, says);
	case RECORD_ABORT:
		return INTAKE_ABORTED;
	default:
		return INTAKE_BAD; /* FCGI_DATA belongs to filters */
	}
}

static enum intake_says
judge(struct intake *in, enum walk_says says)
{
	if (says == WALK_MORE)
		return INTAKE_MORE;
	if (says == WALK_BAD)
		return INTAKE_BAD;
	if (says == WALK_BODY) {
		if (in->phase == INTAKE_IDLE)
			return begin(in);
		if (in->phase == INTAKE_PARAMS || in->phase == INTAKE_BODY)
			return INTAKE_BAD; /* no multiplexing */
		in->second = true;
		return INTAKE_SECOND;
	}
	if (in->walk.id == 0)
		return INTAKE_ASKED;
	/* Late records of a request that has ended are no fault. */
	if (in->phase == INTAKE_IDLE || in->walk.id != in->id)
		return INTAKE_MORE;
	return record(in, says);
}

enum intake_says
intake_feed(struct intake *in, const unsigned char **p, size_t *n)
{
	enum walk_says says;
	enum intake_says told;

	do {
		says = walk_next(&in->walk, p, n);
		told = judge(in, says);
	} while (told == INTAKE_MORE && says != WALK_MORE);
	return told;
}
