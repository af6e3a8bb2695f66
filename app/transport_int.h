/*
 * Inside the transport: its structs and what its files need of each other.
 * Only app/transport*.c include this, and only they name libcurl.
 */
#ifndef TOLLGATE_APP_TRANSPORT_INT_H
#define TOLLGATE_APP_TRANSPORT_INT_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "app/headers.h"
#include "app/ready.h"
#include "app/transport.h"

TAILQ_HEAD(calls, call);

/* Bytes that came while a call was paused. */
struct piece {
	STAILQ_ENTRY(piece) next;
	size_t len;
	char bytes[];
};
STAILQ_HEAD(pieces, piece);

/*
 * A socket that libcurl waits for. libcurl forgets a connection's socket
 * whenever a call ends and names it anew with the next one; ours are watched
 * on meanwhile, until they are closed. Others (of libcurl's resolver) are
 * closed without a word, so they are forgotten with libcurl.
 */
struct watch {
	struct ready ready;
	struct transport *transport;
	int wanted; /* what libcurl waits for, 0 = nothing now */
	bool ours;  /* on_open made it, on_close ends it */
};

/* URLs that need not be parsed again. */
#define KNOWN_URLS 16

/* What is known of a URL. */
struct known_url {
	char *url; /* NULL: of none */
	char scheme[8];
	char host[64]; /* when it may be an address */
};

struct transport {
	uv_loop_t *loop;
	CURLM *multi;
	CURLSH *share; /* TLS sessions */
	CURLU *url;    /* scratch of transport_start */
	struct known_url known[KNOWN_URLS];
	unsigned known_next; /* place for the next one */
	char *ca_file;
	char *ca_default; /* libcurl's own bundle, NULL = a directory */
	uv_timer_t curl_timer, sweep_timer, kick_timer;
	int64_t sweep_at; /* µs; when sweep_timer will fire */
	struct ready_set *ready;
	struct watch **watches; /* by descriptor, NULL = none */
	size_t watches_size;
	struct calls running, queue, idle;
	size_t active, idle_count;
	size_t held; /* bytes held by all calls */
	unsigned inside;  /* depth of enter() */
	unsigned handles; /* libuv handles not closed yet */
	bool closing, closed;
};

struct call {
	struct transport *transport;
	TAILQ_ENTRY(call) entry; /* of running or idle */
	TAILQ_ENTRY(call) wait;	 /* of queue, when queued */
	CURL *easy;
	struct call_sink sink;
	void *arg;
	void *lines; /* the request's header list, one block */
	size_t lines_size;
	struct headers headers; /* of the answer */
	struct pieces held;
	size_t held_bytes;
	int64_t started, connected, first_byte; /* µs */
	int64_t alive;				/* last bytes either way */
	int64_t connect_timeout, bytes_timeout;
	curl_off_t uploaded;
	const char *prefix; /* of an upload: the body, and what of it is left */
	size_t prefix_len;
	char host[64];	/* the URL's host when it may be an address */
	int why;	/* enum call_end that overrules libcurl's; -1 */
	enum call_end end; /* when ended */
	bool tls; /* the handle is made for it */
	bool private_net;
	bool idempotent; /* may be sent twice */
	bool added;	 /* libcurl has it */
	bool queued, wants_add, wants_resume, wants_feed, wants_end;
	bool sent;
	bool in_head, headed; /* inside a head; the final head was delivered */
	bool shared;	      /* HTTP/2: others use the connection too */
	bool paused;
	bool starved; /* an upload that waits for bytes */
	bool ended; /* while paused: only held bytes and done are owed */
	bool dead;  /* cancelled, or done was called */
};

/* --- transport.c: what is under way ------------------------------------ */

/*
 * Whatever enters libcurl or calls a sink stands between these two. The
 * outermost leave tells ends and does what was asked for meanwhile.
 */
void transport_enter(struct transport *t);
void transport_leave(struct transport *t);

/* Look at the call in the next (or this) leave. */
void call_enqueue(struct call *c);

/* Its deadline may have come nearer. */
void call_arm(struct call *c);

/* --- transport_call.c: handles, and libcurl's callbacks of a call ------- */

/* A call in no list, fresh for a request; NULL when memory is short. */
struct call *call_take(struct transport *t, bool tls);
/* libcurl asks for the bytes of an upload. */
size_t call_on_read(char *to, size_t size, size_t n, void *arg);
/* Keep or free it; it is in no list. */
void call_put(struct call *c);
void call_free(struct call *c);

/* Give the sink what is held, until it pauses again. */
void call_deliver(struct call *c);

/* libcurl's result, read with what the call has seen. */
enum call_end call_end_of(const struct call *c, CURLcode code);

/* --- transport_request.c ------------------------------------------------ */

/* Set the request; false when it is not sendable or memory is short. */
bool call_prepare(struct call *c, const struct call_request *rq);

/* --- transport_loop.c: sockets and libcurl's timer ---------------------- */

int transport_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
    void *assigned);
int transport_on_timer(CURLM *multi, long ms, void *arg);
curl_socket_t transport_on_open(void *arg, curlsocktype purpose,
    struct curl_sockaddr *sa);
int transport_on_close(void *arg, curl_socket_t fd);

/* End all watches. */
void transport_unwatch(struct transport *t);

#endif
