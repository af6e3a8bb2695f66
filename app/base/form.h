/*
 * A body of multipart/form-data (RFC 7578 over RFC 2046): whole in memory, its
 * parts where they stand, nothing copied but their names; or its beginning, and
 * the rest of the part that is open there as it comes. Own code, as the parsers
 * that are well kept belong to a server or a mail program and want its world.
 * Header fields are read as browsers and SDKs write them: name and filename
 * quoted, with %22 and \" for a quote.
 */
#ifndef TOLLGATE_BASE_FORM_H
#define TOLLGATE_BASE_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "app/base/err.h"

struct arena;
struct buf;

#define FORM_TYPE 24	     /* bytes of a content type that say what it is */
#define FORM_PARTS 128	     /* of one body */
#define FORM_HEAD 4096	     /* bytes of the header of a part */
#define FORM_BOUNDARY 70     /* RFC 2046, 5.1.1 */

struct form_part {
	const char *name;     /* UTF-8 as it came, without control characters */
	const char *filename; /* NULL: it is a plain field */
	const char *type;     /* of its content, "" = not said */
	const char *data;     /* in the body */
	size_t len;
	size_t held; /* bytes of data that are there: len, but of an open part */
	bool plain;  /* its header says one name, to every reader */
};

struct form {
	const char *boundary;
	struct form_part *part;
	size_t count;
	bool open; /* the last part goes on behind what was read */
	size_t begun; /* parts up to one that was open; 0: it came whole */
};

/* Is that the type of such a body? "multipart/form-data; boundary=…" */
bool form_is(const char *content_type);

/*
 * Read the body of that type. ERR_BAD_REQUEST: it has no boundary or more
 * parts than FORM_PARTS, a part without a name, or no end; the body must live
 * as long as the form.
 */
enum err form_read(struct form *form, struct arena *a,
    const char *content_type, const char *body, size_t len, struct fault *f);

/*
 * The same of a body of which only len bytes have come: when all of it is
 * there but the end of the last part's data, the form is open. When more than
 * that is missing, the part that has no end of its header is not counted.
 */
enum err form_begin(struct form *form, struct arena *a,
    const char *content_type, const char *body, size_t len, struct fault *f);

enum form_says {
	FORM_DATA, /* so many bytes are data of the open part */
	FORM_END,  /* … and behind them a delimiter stands */
	FORM_ODD   /* the boundary stands where it delimits nothing */
};

/*
 * Of the n bytes that come next of an open part: how many are data, whatever
 * follows. Those behind them are to be shown again with what comes then.
 */
size_t form_data(const struct form *form, const char *p, size_t n,
    enum form_says *says);

/*
 * Behind FORM_END: the rest of the body, from the delimiter on. The form is
 * open no longer. Errors as form_read; and the body must end where it says so.
 */
enum err form_rest(struct form *form, struct arena *a, const char *p,
    size_t n, struct fault *f);

/*
 * Its plain fields as a JSON object of strings; those whose name ends in "[]",
 * as lists under the name without it. Of fields of one name the first counts.
 */
void form_json(const struct form *form, struct buf *out);

/* The first part of that name, or NULL. */
const struct form_part *form_find(const struct form *form, const char *name);

/*
 * Write one part; the boundary must not stand in any data (that of the form
 * that the parts are of does not). form_end closes the body. Quotes in names are
 * escaped as browsers do, backslashes too, which some take for the beginning of
 * an escaped quote; line ends are left out.
 */
void form_put(struct buf *out, const char *boundary,
    const struct form_part *p);
void form_put_head(struct buf *out, const char *boundary,
    const struct form_part *p); /* its data follows */
void form_end(struct buf *out, const char *boundary);

#endif
