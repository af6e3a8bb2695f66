/*
 * What a web server sends: the walk and the intake, cut into pieces as the
 * input says; then libfcgi, as the front gives requests to it. The story must
 * not depend on the cuts, bounds must hold, and libfcgi must find the very
 * pairs that params_whole has found.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/limits.h"
#include "app/front_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define STEP_MAX 64

/* What an intake said, as a number. */
struct story {
	uint64_t sum;
	unsigned ready;
};

static void
tell(struct story *s, uint64_t what)
{
	s->sum = (s->sum ^ what) * UINT64_C(1099511628211);
}

static void
tell_bytes(struct story *s, const struct buf *b)
{
	size_t i;

	tell(s, b->len);
	for (i = 0; i < b->len; i++)
		tell(s, (unsigned char)b->data[i]);
}

static size_t
pairs_count(const struct buf *b)
{
	const unsigned char *p = (const unsigned char *)b->data;
	size_t n = b->len, name, value, count = 0;

	for (; n > 0; count++) {
		assert(pair_length(&p, &n, &name));
		assert(pair_length(&p, &n, &value));
		assert(name + value <= n);
		p += name + value;
		n -= name + value;
	}
	return count;
}

static void
accept_whole(const struct intake *in)
{
	static struct head_pipe pipe = { { -1, -1 } };
	FCGX_Request q;
	size_t count;

	assert(in->params.len <= LIMIT_PARAMS);
	assert(head_decode(&pipe, in, -1, &q));
	for (count = 0; q.envp[count] != NULL; count++)
		assert(strchr(q.envp[count], '=') != NULL);
	assert(count == pairs_count(&in->params) + 1); /* and FCGI_ROLE */
	assert(count <= LIMIT_HEADERS + 1);
	head_free(&q);
}

static void
request_whole(struct story *s, const struct intake *in)
{
	s->ready++;
	tell(s, in->id);
	tell(s, in->keep);
	tell(s, in->refused);
	tell_bytes(s, &in->params);
	tell_bytes(s, &in->body);
	assert(in->body.len <= LIMIT_BODY);
	assert(in->refused == ERR_OK || in->phase != INTAKE_DONE);
	accept_whole(in);
}

/* Feed all; every request is answered as soon as a second one begins. */
static struct story
run(const uint8_t *data, size_t len, size_t step)
{
	struct story s = { 0, 0 };
	enum intake_says says = INTAKE_MORE;
	struct intake in;
	size_t n, had;

	intake_init(&in);
	while (len > 0 && says != INTAKE_BAD) {
		n = had = len < step ? len : step;
		says = intake_feed(&in, &data, &n);
		len -= had - n;
		if (says == INTAKE_MORE)
			assert(n == 0);
		else
			tell(&s, says);
		if (says == INTAKE_READY)
			request_whole(&s, &in);
		if (says == INTAKE_SECOND || says == INTAKE_ABORTED)
			says = intake_next(&in);
	}
	intake_free(&in);
	return s;
}

/*
 * Records whose heads are right, with what the input says in them: type, id,
 * length, padding. Few inputs that are bytes on the wire get as far.
 */
static void
records_make(struct buf *wire, const uint8_t *data, size_t len)
{
	static const char zero[256];
	unsigned char head[RECORD_HEAD];
	size_t n;

	while (len >= 4) {
		n = data[2] < len - 4 ? data[2] : len - 4;
		record_head(head, data[0] % (RECORD_UNKNOWN_TYPE + 2),
		    data[1] % 3, data[0] == RECORD_BEGIN ? RECORD_BODY : n);
		head[6] = data[3] % 9;
		buf_put(wire, head, sizeof head);
		if (data[0] == RECORD_BEGIN)
			buf_put(wire, "\0\1\1\0\0\0\0", RECORD_BODY);
		else
			buf_put(wire, data + 4, n);
		buf_put(wire, zero, head[6]);
		data += 4 + n;
		len -= 4 + n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;
	struct story whole, cut;
	struct buf wire;

	if (!ready)
		ready = FCGX_Init() == 0;
	if (len < 1)
		return 0;
	buf_init(&wire, MIB(1));
	if (data[0] > 127)
		records_make(&wire, data + 1, len - 1);
	else
		buf_put(&wire, data + 1, len - 1);
	if (wire.len > 0) {
		whole = run((uint8_t *)wire.data, wire.len, SIZE_MAX);
		cut = run((uint8_t *)wire.data, wire.len,
		    data[0] % STEP_MAX + 1);
		assert(whole.sum == cut.sum && whole.ready == cut.ready);
	}
	buf_free(&wire);
	return 0;
}
