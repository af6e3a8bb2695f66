/*
 * The front: requests come in and answers go out here, and nothing else in
 * the program names libfcgi. One struct exchange is one request with its way
 * back, whether it came over FastCGI (any number at a time on the loop) or
 * as CGI (one, then the loop ends).
 *
 * Everything runs on the worker's loop and never blocks: a request is
 * gathered as it comes and given to libfcgi only when it is whole,
 * and output goes out only when poll says that the socket takes it. A large
 * form alone is handed out before its body has come (app/intake.h): its owner
 * takes the body piece by piece, and the client is held back meanwhile.
 */
#ifndef TOLLGATE_APP_FRONT_H
#define TOLLGATE_APP_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "app/base/err.h"

struct front;

struct exchange {
	/* CGI names ("REQUEST_URI") and values, NULL at the end; ours to read. */
	const char *const *params;
	/* body_len bytes, never NULL; with `more` what has come and not been
	 * taken, until the next `body` call, exchange_take or exchange_end. */
	const char *body;
	size_t body_len;
	bool more;	  /* the body goes on */
	size_t want;	  /* bytes of it that hold the client back */
	enum err refused; /* what the front itself found: ERR_TOO_LARGE, … or OK */
	int64_t arrived;  /* clock_mono when its first byte was seen */
	void *user;	  /* the owner's */
};

/* What the front tells its owner. All on the loop. */
struct front_calls {
	/* A request, but for `more` whole. The owner must end it with
	 * exchange_end. */
	void (*request)(void *arg, struct exchange *x);
	/* More of its body has come, or all, or it was refused. */
	void (*body)(void *arg, struct exchange *x);
	/* The queue fell below LOW_OUT again after exchange_write said full. */
	void (*drained)(void *arg, struct exchange *x);
	/* The client's side is gone: writes are dropped, exchange_end is still due. */
	void (*gone)(void *arg, struct exchange *x);
	/* After front_stop: no exchange runs and none can come. May be NULL. */
	void (*idle)(void *arg);
};

/*
 * Serve FastCGI connections of a listening socket (made non-blocking; it
 * stays the caller's) on the loop. NULL when memory is short. calls is
 * copied. SIGPIPE is ignored from now on.
 */
struct front *front_listen(uv_loop_t *loop, int listen_fd,
    const struct front_calls *calls, void *arg);

/*
 * Serve the one request of this process' environment, standard input and
 * standard output (RFC 3875). The body is read before the loop runs.
 */
struct front *front_cgi(uv_loop_t *loop, const struct front_calls *calls,
    void *arg);

/*
 * Take no more connections; close idle ones. Running exchanges go on, and
 * what has been accepted is still served: requests may come until `idle`.
 */
void front_stop(struct front *f);

/*
 * After front_stop: wait no longer. Connections whose request is not whole
 * close, and so do those whose client does not take the rest of an answer
 * that is ended. Exchanges that run stay; their owner is to end them.
 */
void front_cut(struct front *f);

/*
 * Exchanges handed out that are not ended, or whose answer is not all out;
 * once stopped, also connections that may still bring one.
 */
size_t front_active(const struct front *f);

/* Release it; no exchange may be running. Its handles close on the loop. */
void front_free(struct front *f);

/* A parameter's value, or NULL. */
const char *exchange_param(const struct exchange *x, const char *name);

/* How many parameters have this name (two servers' spellings may fall together). */
unsigned exchange_param_count(const struct exchange *x, const char *name);

/*
 * Queue bytes of the CGI answer ("Status: 200 OK\r\n…"). Copies them. False
 * when the queue is over LIMIT_OUT (the bytes are queued all the same: stop
 * producing until `drained`) or the client is gone.
 */
bool exchange_write(struct exchange *x, const char *bytes, size_t len);

/* The owner is done with the first n bytes of x->body, at most body_len. */
void exchange_take(struct exchange *x, size_t n);

/*
 * Hold the client back when so many bytes of a body that goes on are here and
 * not taken (LIMIT_WINDOW at first; at most LIMIT_BODY, beyond which it is
 * refused). A client that sends nothing meanwhile is ERR_SLOW_CLIENT.
 */
void exchange_want(struct exchange *x, size_t most);

/* Bytes queued and not yet taken by the socket. */
size_t exchange_pending(const struct exchange *x);
bool exchange_gone(const struct exchange *x);

/*
 * The answer is complete: what is queued still goes out, then the request
 * ends and x is invalid (it is released later; the caller forgets it now).
 */
void exchange_end(struct exchange *x);

/*
 * Break it off behind what is queued: the client must see a truncated answer,
 * not an end. As CGI it cannot be told.
 */
void exchange_abort(struct exchange *x);

#endif
