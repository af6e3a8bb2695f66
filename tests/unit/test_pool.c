/*
 * Not a test but what the tests of serve and of the connector run: the front
 * and the master as the program has them, with an owner who answers by what
 * REQUEST_URI asks for. With a listening socket on descriptor 0 a worker,
 * as "test_pool serve …" the master, else one CGI request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/front.h"
#include "app/serve.h"

static uv_loop_t loop;
static struct front *front;
static uv_signal_t term, hup;
static uv_timer_t slow;
static unsigned reloads;
static struct exchange *waiting;
static size_t left;
static int status;

static void
answer(struct exchange *x)
{
	char text[512];
	const char *uri = exchange_param(x, "REQUEST_URI");
	unsigned sum = 0;
	size_t i;

	for (i = 0; i < x->body_len; i++)
		sum = sum * 31 + (unsigned char)x->body[i];
	snprintf(text, sizeof text,
	    "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n"
	    "pid=%d reloads=%u len=%zu sum=%u refused=%s uri=%.200s path=%s\n",
	    (int)getpid(), reloads, x->body_len, sum,
	    err_row(x->refused)->label, uri != NULL ? uri : "-",
	    exchange_param(x, "PATH") != NULL ? "leaked" : "-");
	exchange_write(x, text, strlen(text));
	exchange_end(x);
}

static void
on_slow(uv_timer_t *t)
{
	(void)t;
	answer(waiting);
	waiting = NULL;
}

static void
pump(struct exchange *x)
{
	static const char block[4096] = { 'x' };
	bool more = true;

	for (; left > 0 && more; left -= sizeof block)
		more = exchange_write(x, block, sizeof block);
	if (left == 0)
		exchange_end(x);
}

static void
on_request(void *arg, struct exchange *x)
{
	const char *uri = exchange_param(x, "REQUEST_URI");

	(void)arg;
	if (uri != NULL && strcmp(uri, "/die") == 0) {
		_exit(9);
	} else if (uri != NULL && strcmp(uri, "/half") == 0) {
		exchange_write(x, "Status: 200 OK\r\n\r\nhalf", 22);
		exchange_abort(x);
	} else if (uri != NULL && strcmp(uri, "/slow") == 0) {
		waiting = x;
		uv_timer_start(&slow, on_slow, 1500, 0);
	} else if (uri != NULL && strcmp(uri, "/big") == 0) {
		exchange_write(x, "Status: 200 OK\r\n\r\n", 18);
		left = (size_t)40 << 20;
		pump(x);
	} else {
		answer(x);
	}
}

static void
on_drained(void *arg, struct exchange *x)
{
	(void)arg;
	pump(x);
}

static void
on_gone(void *arg, struct exchange *x)
{
	(void)arg;
	fputs("gone\n", stderr);
	status = 7;
	if (x == waiting) {
		waiting = NULL;
		uv_timer_stop(&slow);
	}
	exchange_end(x);
}

static const struct front_calls calls = {
	.request = on_request,
	.drained = on_drained,
	.gone = on_gone,
};

static void
on_term(uv_signal_t *s, int sig)
{
	(void)sig;
	uv_signal_stop(s);
	uv_signal_stop(&hup);
	front_stop(front);
}

static void
on_hup(uv_signal_t *s, int sig)
{
	(void)s;
	(void)sig;
	reloads++;
}

static int
worker(void)
{
	const char *broken = getenv("POOL_BROKEN"); /* a file */

	if (broken != NULL && access(broken, F_OK) == 0)
		return 3;
	front = front_listen(&loop, STDIN_FILENO, &calls, NULL);
	uv_signal_start(&term, on_term, SIGTERM);
	uv_signal_start(&hup, on_hup, SIGHUP);
	return 0;
}

int
main(int argc, char **argv)
{
	int yes = 0;
	socklen_t len = sizeof yes;

	if (argc > 1)
		return serve_command(argc - 1, argv + 1);
	uv_loop_init(&loop);
	uv_signal_init(&loop, &term);
	uv_signal_init(&loop, &hup);
	uv_timer_init(&loop, &slow);
	getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len);
	if (yes != 0 && worker() != 0)
		return 3;
	if (yes == 0)
		front = front_cgi(&loop, &calls, NULL);
	if (front == NULL)
		return 1;
	uv_run(&loop, UV_RUN_DEFAULT);
	front_free(front);
	uv_close((uv_handle_t *)&term, NULL);
	uv_close((uv_handle_t *)&hup, NULL);
	uv_close((uv_handle_t *)&slow, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) == 0 && yes == 0 ? status : 0;
}
