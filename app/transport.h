/*
 * The transport: HTTP calls to providers on the worker's loop, by libcurl's
 * multi-socket interface; nothing else in the program names libcurl. All
 * calls of a worker share connections, HTTP/2 streams, TLS sessions and
 * names. No redirects (a 3xx is an answer), no proxies, no cookies, no
 * protocols but http (HTTP/1.1) and https (HTTP/2 or 1.1, TLS 1.2 or later),
 * and no address that the policy did not name (app/address.h).
 *
 * A request that may have reached a provider is never sent again by the
 * transport, unless it is a GET or HEAD: a connection that dies before its
 * answer ends the call as CALL_BROKEN.
 *
 * Names are resolved by threads of libcurl, one a look-up; nothing blocks the
 * loop. The program must ignore SIGPIPE.
 */
#ifndef TOLLGATE_APP_TRANSPORT_H
#define TOLLGATE_APP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "app/base/err.h"

struct transport;
struct call;

/* Why a call ended. */
enum call_end {
	CALL_OK,	/* a whole answer */
	CALL_CONNECT,	/* none: name, refused, TLS, denied address … */
	CALL_TIMEOUT_CONNECT,
	CALL_TIMEOUT_BYTES, /* silence on the wire */
	CALL_BROKEN,	/* reset, truncated, not HTTP */
	CALL_TOO_LARGE,	/* headers, or what is held while paused */
	CALL_MEMORY
};

struct call_header {
	const char *name, *value;
};

/*
 * What to send. Everything is used during transport_start only, but the body.
 * Headers that frame the message or the connection (Content-Length, Expect,
 * Connection …) are the transport's own and refused.
 */
struct call_request {
	const char *method;		   /* "POST", "GET" */
	const char *url;		   /* http:// or https:// */
	const struct call_header *headers; /* values with CTLs are refused */
	size_t header_count;
	const char *body;		   /* must live until done; may be NULL */
	size_t body_len;
	/*
	 * More follows the body, by sink.more: so many bytes, or -1, as many
	 * as come (sent in chunks). 0 = nothing. It goes by HTTP/1.1 on a
	 * connection of its own, as libcurl 7.88 may leave a paused upload
	 * asleep on a shared one.
	 */
	int64_t upload;
	int64_t connect_timeout;	   /* µs, 0 = none */
	int64_t bytes_timeout;		   /* µs of silence, 0 = none */
	bool private_net;		   /* private and loopback addresses are allowed */
};

#define CALL_LATER ((size_t)-1)
#define CALL_OFF ((size_t)-2)

/*
 * All on the loop; none is called after done or transport_cancel, and none
 * while the call is paused. The struct is copied.
 */
struct call_sink {
	/*
	 * A connection stands and the request is written next: from here on
	 * the provider may have it. Once, or never (CALL_CONNECT …).
	 */
	void (*sent)(void *arg);
	/* The final status and, by call_header, its headers. */
	void (*head)(void *arg, struct call *c, int status);
	/*
	 * Bytes of the body, decoded of transfer codings. False pauses the
	 * call *after* taking these bytes; call_resume goes on. While it is
	 * paused the provider is held back over HTTP/1; over HTTP/2 bytes go
	 * on coming and are held, to a bound (then the call ends).
	 */
	bool (*data)(void *arg, struct call *c, const char *bytes, size_t len);
	/*
	 * With an upload: its next bytes, at most room of them, into `to`.
	 * Their number; 0 = that was all; CALL_LATER = none yet, call_feed
	 * tells when; CALL_OFF = there will be none: it ends as CALL_BROKEN.
	 */
	size_t (*more)(void *arg, char *to, size_t room);
	/* The end, exactly once unless cancelled; c is invalid afterwards. */
	void (*done)(void *arg, enum call_end end);
};

/*
 * A header of the answer (name without case), the first of several; or NULL,
 * also for one with a control character in it. Valid until done returns.
 */
const char *call_header(const struct call *c, const char *name);

/* Microseconds from start to connected, and to the first byte; -1 = not yet. */
int64_t call_connect_time(const struct call *c);
int64_t call_first_byte_time(const struct call *c);

struct transport *transport_new(uv_loop_t *loop);

/* Cancels what runs; the handles close on the loop. */
void transport_free(struct transport *t);

/*
 * Start a call. Callbacks come later, from the loop, never from within this
 * function. NULL when memory is short or the request is not sendable (bad
 * URL, CTL in a header).
 */
struct call *transport_start(struct transport *t,
    const struct call_request *rq, const struct call_sink *sink, void *arg);

/* Go on after data answered false. May be called from any callback. */
void call_resume(struct call *c);

/* Bytes are there after sink.more said CALL_LATER. From any callback. */
void call_feed(struct call *c);

/*
 * End it now: the connection is closed (HTTP/1) or the stream reset (HTTP/2).
 * No callback follows. Allowed from within callbacks of the same call.
 */
void transport_cancel(struct call *c);

/* Calls under way. */
size_t transport_active(const struct transport *t);

/* Another TLS trust store (a PEM file) than libcurl's; NULL resets. */
void transport_ca_file(struct transport *t, const char *path);

#endif
