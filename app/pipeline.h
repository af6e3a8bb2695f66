/* The way of a request. */
#ifndef TOLLGATE_APP_PIPELINE_H
#define TOLLGATE_APP_PIPELINE_H

#include "app/base/err.h"

struct chat;
struct exchange;
struct form;
struct request;
struct worker;

/* Begin the way of a request that the front brought. */
void pipeline_begin(struct worker *w, struct exchange *x);

/* Its body goes on; its client is gone; the worker must leave. */
void pipeline_body(struct request *r);
void pipeline_gone(struct request *r);
void pipeline_stop(struct request *r);

/*
 * A form's plain fields become the chat's document, the form its form. Errors
 * as of json_parse; r's fault tells.
 */
enum err pipeline_form(struct request *r, const struct form *form,
    struct chat *chat);

/* Go on where it waited. The request may be gone afterwards. */
void pipeline_run(struct request *r);

#endif
