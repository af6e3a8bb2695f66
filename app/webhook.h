/*
 * Words to an operator's address: one POST of a JSON object each, over the
 * worker's transport. Nobody waits for them and nothing depends on them; one
 * that fails is lost but for the record that says so.
 */
#ifndef TOLLGATE_APP_WEBHOOK_H
#define TOLLGATE_APP_WEBHOOK_H

#include <stddef.h>

struct transport;
struct webhooks;

/* told: called with a text when one could not be delivered. */
struct webhooks *webhooks_new(struct transport *t,
    void (*told)(void *arg, const char *text), void *arg); /* NULL: memory */

/* Before the transport goes; what is under way is given up. NULL is fine. */
void webhooks_free(struct webhooks *w);

/* Post body (copied) to url. "" is nowhere. */
void webhooks_post(struct webhooks *w, const char *url, const char *body,
    size_t len);

#endif
