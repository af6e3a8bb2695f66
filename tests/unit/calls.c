/* Calls that remember what became of them, on a loop of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/calls.h"

static void
act(struct probe *p, enum phase phase)
{
	uv_stop(&p->w->loop); /* do not wait before the test has looked */
	switch (p->act[phase]) {
	case ACT_NONE:
		break;
	case ACT_CANCEL:
		transport_cancel(p->victim != NULL ? p->victim : p->c);
		break;
	case ACT_RESUME:
		call_resume(p->c);
		break;
	case ACT_START:
		start(p->spawn, "/plain");
		break;
	case ACT_FREE:
		transport_free(p->w->t);
		p->w->t = NULL;
		break;
	}
}

static void
on_sent(void *arg)
{
	struct probe *p = arg;

	assert_int_equal(p->heads + p->datas + p->dones, 0);
	p->sent++;
	act(p, AT_SENT);
}

void
on_head(void *arg, struct call *c, int status)
{
	struct probe *p = arg;
	const char *type = call_header(c, "content-type");

	assert_ptr_equal(c, p->c);
	assert_int_equal(p->sent, 1);
	assert_int_equal(p->datas + p->dones, 0);
	p->heads++;
	p->status = status;
	snprintf(p->type, sizeof p->type, "%s", type != NULL ? type : "");
	p->connect_time = call_connect_time(c);
	p->first_byte_time = call_first_byte_time(c);
	act(p, AT_HEAD);
}

static bool
on_data(void *arg, struct call *c, const char *bytes, size_t len)
{
	struct probe *p = arg;
	size_t i;

	assert_ptr_equal(c, p->c);
	assert_int_equal(p->heads, 1);
	assert_int_equal(p->dones, 0);
	assert_true(len > 0);
	for (i = 0; i < len; i++) {
		if (p->bytes + i < KEPT)
			p->body[p->bytes + i] = bytes[i];
		if (p->check_bytes && (unsigned char)bytes[i] !=
		    (p->bytes + i) % 251)
			p->wrong_byte = true;
	}
	p->bytes += len;
	p->datas++;
	act(p, AT_DATA);
	if (p->pause_once) {
		p->pause_once = false;
		return false;
	}
	return !p->pause;
}

static void
on_done(void *arg, enum call_end end)
{
	struct probe *p = arg;

	assert_int_equal(p->dones, 0);
	p->dones++;
	p->end = end;
	act(p, AT_DONE);
}

const struct call_sink sink = { .sent = on_sent, .head = on_head,
	.data = on_data, .done = on_done };

/* --- the world --------------------------------------------------------- */

static void
on_guard(uv_timer_t *timer)
{
	struct world *w = timer->data;

	w->late = true;
	uv_stop(&w->loop);
}

static void
on_elapsed(uv_timer_t *timer)
{
	struct world *w = timer->data;

	w->elapsed = true;
	uv_stop(&w->loop);
}

int
setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	if (w == NULL || uv_loop_init(&w->loop) != 0)
		return -1;
	w->h = httpd_start();
	w->t = transport_new(&w->loop);
	uv_timer_init(&w->loop, &w->guard);
	uv_timer_init(&w->loop, &w->timer);
	w->guard.data = w->timer.data = w;
	uv_timer_start(&w->guard, on_guard, 60000, 0);
	*state = w;
	return w->t != NULL ? 0 : -1;
}

/* After a test nothing of the transport may be left on the loop. */
int
teardown(void **state)
{
	struct world *w = *state;
	int left;

	transport_free(w->t);
	uv_close((uv_handle_t *)&w->guard, NULL);
	uv_close((uv_handle_t *)&w->timer, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	left = uv_loop_close(&w->loop);
	httpd_stop(w->h);
	free(w);
	return left;
}

/* Run until *flag is as large as want, or fail. */
void
run_until(struct world *w, const int *flag, int want)
{
	while (*flag < want && !w->late)
		uv_run(&w->loop, UV_RUN_ONCE);
	if (w->late)
		fail_msg("nothing more happened");
}

void
run_ms(struct world *w, unsigned ms)
{
	w->elapsed = false;
	uv_timer_start(&w->timer, on_elapsed, ms, 0);
	while (!w->elapsed)
		uv_run(&w->loop, UV_RUN_ONCE);
}

struct call_request
request(struct world *w, char *url, size_t size, const char *path)
{
	struct call_request rq = { .method = "GET", .url = url,
		.connect_timeout = 30 * SECOND, .bytes_timeout = 30 * SECOND,
		.private_net = true };

	snprintf(url, size, "http://127.0.0.1:%d%s", w->h->port, path);
	return rq;
}

void
start(struct probe *p, const char *path)
{
	char url[256];
	struct call_request rq = request(p->w, url, sizeof url, path);

	p->c = transport_start(p->w->t, &rq, &sink, p);
	assert_non_null(p->c);
	assert_int_equal(p->sent + p->heads + p->datas + p->dones, 0);
}

void
get(struct probe *p, struct world *w, const char *path)
{
	*p = (struct probe){ .w = w };
	start(p, path);
	run_until(w, &p->dones, 1);
}
