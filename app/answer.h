/* What goes to the client: heads, bodies, errors. */
#ifndef TOLLGATE_APP_ANSWER_H
#define TOLLGATE_APP_ANSWER_H

#include <stddef.h>

#include "app/request.h"

struct attempt;

/*
 * Send the head. length: bytes of the body, or -1 for a stream. The headers
 * that name provider, model, attempts and cost are filled from the request.
 */
void answer_head(struct request *r, int status, const char *type,
    long long length);

/* Send bytes of the body; sets r->full when the client is slow. */
void answer_bytes(struct request *r, const char *p, size_t len);

/* A whole answer; the same with a JSON body. */
void answer_body(struct request *r, int status, const char *type,
    const char *body, size_t len);
void answer_json(struct request *r, int status, const char *body,
    size_t len);

/* The same of a body that was built; one that failed is an error. Frees b. */
void answer_built(struct request *r, int status, struct buf *b);

/* Closing step: an error that was not yet told, then the end. */
void answer_close(struct request *r);

/* Who answers (NULL: nobody yet), for marks in an answer. */
void answer_meta(const struct request *r, const struct attempt *at,
    struct answer_meta *meta);

#endif
