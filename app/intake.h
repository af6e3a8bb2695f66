/*
 * Gathers one FastCGI request at a time from the bytes of a connection, so
 * that libfcgi, which blocks when it reads, sees only what is whole. Keeps
 * within LIMIT_PARAMS, LIMIT_HEADERS and LIMIT_BODY: what is beyond is
 * counted as refused and thrown away as it comes. A form larger than
 * LIMIT_WINDOW is handed out open, as soon as its parameters are whole: its
 * taker empties `body` as it comes. No I/O, no clock.
 */
#ifndef TOLLGATE_APP_INTAKE_H
#define TOLLGATE_APP_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/buf.h"
#include "app/base/err.h"
#include "app/record_walk.h"

enum intake_phase {
	INTAKE_IDLE,   /* no request has begun */
	INTAKE_PARAMS, /* its parameters come */
	INTAKE_BODY,   /* they are whole, its body comes */
	INTAKE_REST,   /* handed out refused, the rest is thrown away */
	INTAKE_DONE    /* whole */
};

enum intake_says {
	INTAKE_MORE,	/* all bytes taken, nothing to hand out yet */
	INTAKE_READY,	/* hand it out: whole, refused, or open; or say of an
			 * open one that it is now whole or refused */
	INTAKE_ABORTED, /* the server takes the present request back */
	INTAKE_ASKED,	/* a management record: walk.type says which */
	INTAKE_SECOND,	/* another request begins behind the present one */
	INTAKE_BAD	/* not FastCGI, or memory is short: close */
};

struct intake {
	enum intake_phase phase;
	uint16_t id;
	bool keep;	   /* FCGI_KEEP_CONN */
	bool open;	   /* handed out before its body was whole */
	bool second;	   /* the BEGIN of a second one is in walk.body */
	enum err refused;  /* ERR_TOO_LARGE, ERR_HEADERS_TOO_LARGE or ERR_OK */
	struct buf params; /* content of FCGI_PARAMS: whole pairs when ready */
	struct buf body;
	struct walk walk;
};

void intake_init(struct intake *in);
void intake_free(struct intake *in);

/* n bytes of the body were taken; or: throw away what is there and to come. */
void intake_taken(struct intake *in, size_t n);
void intake_refuse(struct intake *in, enum err e);

/* No body is to come, or what comes is thrown away. */
bool intake_over(const struct intake *in);

/*
 * Take from *p and *n until there is something to tell. After
 * INTAKE_SECOND no more may be fed before intake_next.
 */
enum intake_says intake_feed(struct intake *in, const unsigned char **p,
    size_t *n);

/* Forget the present request; go on with the second one, if it began. */
enum intake_says intake_next(struct intake *in);

/* Nothing of a request has come. */
bool intake_idle(const struct intake *in);

/*
 * The length of the whole pairs at the start of FCGI_PARAMS content, at most
 * max of them; *all tells whether that is everything. SIZE_MAX when a name
 * or value holds what would not survive as "NAME=value" in C strings.
 */
size_t params_whole(const unsigned char *p, size_t n, unsigned max, bool *all);

#endif
