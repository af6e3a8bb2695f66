/*
 * A small HTTP/1.1 server for tests, in threads of the test program: what it
 * does is decided by the path. It does what good servers do and, mostly, what
 * bad ones do.
 */
#ifndef TOLLGATE_TESTS_UNIT_HTTPD_H
#define TOLLGATE_TESTS_UNIT_HTTPD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct httpd {
	int fd;
	int port;
	atomic_int connections; /* accepted */
	atomic_int requests;	/* heads read */
	atomic_int posts;	/* of them POST, body read */
	atomic_int open;	/* connections under way */
	atomic_long pushed;	/* body bytes written by the pushing paths */
	atomic_int dropped;	/* writes that failed: the client left */
	atomic_bool stop;
	char last_head[4096];	/* of the last request */
	atomic_ulong body_sum;	/* of the last request's body bytes */
	atomic_long body_len;
};

/* Listens on a free port of 127.0.0.1; dies when it cannot. */
struct httpd *httpd_start(void);

/* All connections are closed and all threads ended. */
void httpd_stop(struct httpd *h);

#endif
