/* Requests that go to a provider as they came. */
#include "adapters/passthrough.h"

#include <string.h>
#include <strings.h>

#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

static enum err
passthrough_read_request(struct arena *a, struct chat *chat,
    struct fault *f)
{
	const struct passage *p = chat->raw->passage;
	size_t i;

	(void)a;
	(void)f;
	chat->model = chat->raw->name;
	chat->user = "";
	chat->choices = 1;
	chat->task.door = PASSTHROUGH_DOOR;
	chat->task.bytes = true;
	for (i = 0; i < p->measure_count; i++)
		chat->task.most[p->measures[i].unit] =
		    p->measures[i].at_most;
	return ERR_OK;
}

/* The policy's own header of that name goes before the client's. */
static bool
own_header(const struct provider *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->header_count; i++)
		if (strcasecmp(p->headers[i].name, name) == 0)
			return true;
	return false;
}

static enum err
passthrough_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	const struct raw *raw = chat->raw;
	size_t i;

	call->method = raw->method;
	call->url = arena_printf(a, "%s%s%s%s", d->provider->base_url,
	    raw->path, *raw->query != '\0' ? "?" : "", raw->query);
	call->body = raw->body.p;
	call->body_len = raw->body.len;
	call->type = raw->type;
	for (i = 0; i < raw->header_count; i++)
		if (!own_header(d->provider, raw->headers[i].name))
			call->headers[call->header_count++] = raw->headers[i];
	return call->url == NULL ? fault_memory(f) : ERR_OK;
}

static enum err
passthrough_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct delta d;

	(void)s;
	(void)f;
	if (ev == NULL)
		return reply_end(&adapter_passthrough, emit, arg);
	memset(&d, 0, sizeof d);
	d.kind = DELTA_CONTENT;
	d.from = &adapter_passthrough;
	d.event = "";
	d.raw = (struct str){ ev->data, ev->len };
	return emit(arg, &d);
}

static enum err
passthrough_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	(void)s;
	(void)meta;
	buf_put(out, d->raw.p, d->raw.len);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

/* Bytes have no words for it: they break off. */
static void
passthrough_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out)
{
	(void)s;
	(void)e;
	(void)f;
	(void)meta;
	(void)out;
}

/*
 * What is missing is no model, and a conflict is the client's: all but what is
 * between us and the provider.
 */
static bool
of_client(int status)
{
	static const int ours[] = { 401, 402, 403, 407, 408, 429 };
	size_t i;

	for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (ours[i] == status)
			return false;
	return status / 100 == 4;
}

static void
passthrough_classify(struct arena *a, int status, const char *body,
    size_t len, struct upstream_error *out)
{
	errors_classify(a, status, body, len, out);
	if (of_client(status))
		out->fail = FAIL_REQUEST;
}

const struct adapter adapter_passthrough = {
	.name = PASSTHROUGH_DOOR,
	.framing = FRAMING_RAW,
	.bare = true,
	.raw = true,
	.read_request = passthrough_read_request,
	.write_delta = passthrough_write_delta,
	.write_error = openai_write_error,
	.write_stream_error = passthrough_write_stream_error,
	.write_request = passthrough_write_request,
	.read_event = passthrough_read_event,
	.classify = passthrough_classify,
};
