/*
 * One call to a provider that is no attempt of a request's plan: for a file, a
 * batch, or its answers. With the provider's credential over the worker's
 * transport, as attempts; a refused token is fetched anew once.
 */
#ifndef TOLLGATE_APP_ASK_H
#define TOLLGATE_APP_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "adapters/adapter.h"
#include "app/base/buf.h"
#include "app/token.h"

struct arena;
struct call;
struct worker;

struct ask {
	/* The asker's; all live until done, or until ask_cancel. */
	struct worker *worker;
	struct arena *arena; /* of the call and of what it says */
	const struct provider *provider;
	struct http_call call; /* without its credential */
	/*
	 * Bytes of an answer with a good status, as they come; false: enough
	 * for now (ask_resume). NULL: they are gathered in body. head comes
	 * before the first of them (NULL: not wanted).
	 */
	void (*head)(void *arg);
	bool (*data)(void *arg, const char *p, size_t len);
	void (*done)(void *arg); /* once, from the loop; may begin another */
	void *arg;

	/* What came. */
	int status;	  /* 0: no answer */
	const char *type; /* of its body, "" */
	struct buf body;  /* freed by ask_end */
	enum err err;	  /* ERR_OK: a whole answer with a good status */
	struct fault fault; /* else: what to tell a client */
	bool unsent;	  /* the provider has surely not got it */
	bool refused;	  /* it answered that it did not do it */

	/* Its own. */
	struct call *running;
	struct token_wait wait;
	struct token token;
	bool renewed, open;
	bool busy; /* begun, and not done */
};

/* False: it cannot be asked, and the fault tells why; done is not called. */
bool ask_begin(struct ask *k);

void ask_resume(struct ask *k);

/* No callback follows. Frees what ask_end does. Also for one that is done. */
void ask_end(struct ask *k);

#endif
