/*
 * A web server's side of FastCGI for tests: requests are built in a buffer,
 * answers are read to their end. Blocking; meant for a thread of its own.
 */
#ifndef TOLLGATE_TESTS_WEBSERVER_H
#define TOLLGATE_TESTS_WEBSERVER_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/base/buf.h"
#include "app/record_walk.h"

struct reply {
	struct buf out;	    /* content of FCGI_STDOUT */
	struct buf err;	    /* content of FCGI_STDERR */
	bool ended;	    /* FCGI_END_REQUEST came */
	bool closed;	    /* the connection ended */
	bool reset;	    /* … with an error */
	unsigned management; /* management records */
	uint16_t id;
	uint32_t status;
	struct walk walk;
	unsigned char rest[65536]; /* read and not walked */
	size_t rest_len;
};

static inline void
ws_record(struct buf *b, unsigned type, uint16_t id, const void *p, size_t n,
    unsigned pad)
{
	static const unsigned char zero[255];
	unsigned char head[RECORD_HEAD];

	record_head(head, (enum record_type)type, id, n);
	head[6] = (unsigned char)pad;
	buf_put(b, head, sizeof head);
	buf_put(b, p, n);
	buf_put(b, zero, pad);
}

static inline void
ws_begin(struct buf *b, uint16_t id, bool keep)
{
	unsigned char body[8] = { 0, 1, keep };

	ws_record(b, RECORD_BEGIN, id, body, sizeof body, 0);
}

static inline void
ws_length(struct buf *b, size_t n)
{
	if (n > 127)
		buf_putc(b, (char)(n >> 24 | 0x80));
	if (n > 127)
		buf_putc(b, (char)(n >> 16));
	if (n > 127)
		buf_putc(b, (char)(n >> 8));
	buf_putc(b, (char)n);
}

static inline void
ws_pair(struct buf *b, const char *name, const char *value)
{
	ws_length(b, strlen(name));
	ws_length(b, strlen(value));
	buf_puts(b, name);
	buf_puts(b, value);
}

/* A stream in records of at most step bytes, and its end. */
static inline void
ws_stream(struct buf *b, unsigned type, uint16_t id, const char *p, size_t n,
    size_t step)
{
	size_t k;

	for (; n > 0; p += k, n -= k) {
		k = n < step ? n : step;
		ws_record(b, type, id, p, k, (unsigned)(-k & 7));
	}
	ws_record(b, type, id, NULL, 0, 0);
}

/* A whole request for uri with a body. */
static inline void
ws_request(struct buf *b, uint16_t id, bool keep, const char *uri,
    const char *body, size_t len)
{
	char length[32];
	struct buf pairs;

	buf_init(&pairs, 1 << 20);
	snprintf(length, sizeof length, "%zu", len);
	ws_pair(&pairs, "REQUEST_METHOD", len > 0 ? "POST" : "GET");
	ws_pair(&pairs, "REQUEST_URI", uri);
	ws_pair(&pairs, "CONTENT_LENGTH", length);
	ws_pair(&pairs, "HTTP_EMPTY", "");
	ws_begin(b, id, keep);
	ws_stream(b, RECORD_PARAMS, id, pairs.data, pairs.len, 65535);
	ws_stream(b, RECORD_STDIN, id, body, len, 65535);
	buf_free(&pairs);
}

static inline int
ws_connect(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof un) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* In steps of at most step bytes. False when the other side is gone. */
static inline bool
ws_send(int fd, const char *p, size_t n, size_t step)
{
	ssize_t k;

	for (; n > 0; p += k, n -= (size_t)k) {
		k = send(fd, p, n < step ? n : step, MSG_NOSIGNAL);
		if (k < 0)
			return false;
	}
	return true;
}

static inline void
reply_init(struct reply *r)
{
	memset(r, 0, sizeof *r);
	buf_init(&r->out, (size_t)1 << 30);
	buf_init(&r->err, 1 << 20);
	walk_init(&r->walk, WALK_RESPONDER);
}

static inline void
reply_free(struct reply *r)
{
	buf_free(&r->out);
	buf_free(&r->err);
}

/* Take what has been read; true at the end of a request. */
static inline bool
reply_walk(struct reply *r)
{
	const unsigned char *p = r->rest;
	size_t n = r->rest_len;
	enum walk_says says = WALK_OTHER;

	while (!r->ended && says != WALK_MORE && says != WALK_BAD) {
		says = walk_next(&r->walk, &p, &n);
		if (says == WALK_DATA)
			buf_put(r->walk.type == RECORD_STDOUT ? &r->out :
				&r->err, r->walk.data, r->walk.len);
		else if (says == WALK_BODY)
			r->ended = true;
		else if (says == WALK_OTHER)
			r->management++;
		r->id = says == WALK_MORE ? r->id : r->walk.id;
	}
	memmove(r->rest, p, n);
	r->rest_len = n;
	return r->ended || says == WALK_BAD;
}

/* Read until the end of a request or of the connection. */
static inline void
reply_read(struct reply *r, int fd)
{
	ssize_t n;

	while (!reply_walk(r)) {
		n = recv(fd, r->rest, sizeof r->rest, 0);
		if (n <= 0) {
			r->closed = true;
			r->reset = n < 0;
			return;
		}
		r->rest_len = (size_t)n;
	}
}

/* On to the next answer of a kept connection. */
static inline void
reply_next(struct reply *r)
{
	buf_clear(&r->out);
	r->ended = false;
}

#endif
