/*
 * Where a credential comes from, step by step: a request, its answer, until
 * there is one. No I/O but the environment and small local files; the calls
 * are made by token.c.
 */
#ifndef TOLLGATE_APP_TOKEN_SOURCE_H
#define TOLLGATE_APP_TOKEN_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"

struct arena;

#define TOKEN_FOREVER (INT64_C(1) << 32) /* a life without an end, s */
#define TOKEN_TEXT 8192 /* bytes of one secret */

/* What a source gives; strings from the arena that find was given. */
struct found {
	const char *bearer;
	const char *access_key, *secret_key, *session_token;
	int64_t life; /* seconds from now on, 0 = unknown */
};

/* A credential on its way, with what it needs of the policy copied. */
struct finding {
	struct arena *arena; /* all of it */
	enum auth_scheme auth;
	struct auth_form form;
	const char *credentials, *access_key, *secret_key, *session_token;
	const char *region;
	const struct token_source *source;
	int step;
	const char *note;    /* between steps: a session, the name of a role */
	bool private_net;    /* this call may go to a private address */
	const char *failure; /* why there is none; never a secret */
	struct found found;
};

enum find {
	FIND_DONE,  /* finding->found */
	FIND_CALL,  /* send the call, then give the answer to find_answer */
	FIND_FAILED /* finding->failure */
};

/* Does the scheme need one that the policy does not hold whole? */
bool find_needed(const struct provider *p);

/* Copy what is needed of the provider. False: memory. */
bool find_init(struct finding *f, struct arena *a, const struct provider *p);

/* Begin: the first source that says it is there. now: seconds since 1970. */
enum find find_begin(struct finding *f, int64_t now, struct http_call *call);

/* Go on with an answer; status 0 = there was none. */
enum find find_answer(struct finding *f, int64_t now, int status,
    const char *body, size_t len, struct http_call *call);

#endif
