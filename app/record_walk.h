/*
 * A walk over FastCGI records (FastCGI 1.0, section 3.3) split at any byte:
 * bytes go in, what they mean comes out, one thing a call. Pure: no memory,
 * no I/O, and it knows nothing of requests, only of records. Every length is
 * checked against what is there.
 */
#ifndef TOLLGATE_APP_RECORD_WALK_H
#define TOLLGATE_APP_RECORD_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_type {
	RECORD_BEGIN = 1,
	RECORD_ABORT,
	RECORD_END,
	RECORD_PARAMS,
	RECORD_STDIN,
	RECORD_STDOUT,
	RECORD_STDERR,
	RECORD_DATA,
	RECORD_GET_VALUES,
	RECORD_GET_VALUES_RESULT,
	RECORD_UNKNOWN_TYPE
};

#define RECORD_HEAD 8	     /* bytes of a header */
#define RECORD_BODY 8	     /* bytes of a BEGIN and of an END body */
#define RECORD_CONTENT 65535 /* most content of a record */

/* Whose records these are: each side may send only its own. */
enum walk_side { WALK_SERVER, WALK_RESPONDER };

enum walk_says {
	WALK_MORE,  /* all bytes taken; nothing (more) to tell */
	WALK_BODY,  /* a BEGIN or END record, its 8 bytes in body */
	WALK_DATA,  /* content of a stream record: data, len */
	WALK_EOF,   /* the empty record that ends a stream */
	WALK_OTHER, /* any other record, its content skipped */
	WALK_BAD    /* not FastCGI; the walk is over */
};

struct walk {
	/* Of the record that the answer is about. */
	uint8_t type; /* enum record_type, or an unknown management type */
	uint16_t id;
	unsigned char body[RECORD_BODY];
	const unsigned char *data; /* within the bytes given */
	size_t len;
	/* The walk's own. */
	unsigned char head[RECORD_HEAD];
	uint8_t have; /* bytes in head */
	uint8_t pad;  /* padding still to come */
	uint16_t left; /* content still to come */
	uint8_t what, kind;
	bool bad;
	enum walk_side side;
};

void walk_init(struct walk *w, enum walk_side side);

/* Take from *p and *n until there is something to tell. */
enum walk_says walk_next(struct walk *w, const unsigned char **p, size_t *n);

/* Between two records, no byte of a next one seen. */
bool walk_between(const struct walk *w);

/* Write the header of a record without padding. */
void record_head(unsigned char head[RECORD_HEAD], enum record_type type,
    uint16_t id, size_t content);

/*
 * The length of one name or value of FCGI_PARAMS (one byte, or four with the
 * top bit set) at *p, taken from *p and *n. False when it is not all there.
 */
bool pair_length(const unsigned char **p, size_t *n, size_t *length);

#endif
