/*
 * The admin API: keys of the store and usage, as JSON, below the path that the
 * policy's `admin` names, for whoever has its credential. For everybody else,
 * holders of virtual keys among them, there is nothing: the same 404 as for
 * any path that is none.
 *
 *	GET    /keys               all keys
 *	POST   /keys               make one: its settings, with a name
 *	GET    /keys/NAME          one
 *	PATCH  /keys/NAME          settings to change; null takes one away
 *	DELETE /keys/NAME          revoke it
 *	POST   /keys/NAME/rotate   a new secret; {"grace": "24h"}
 *	GET    /usage              as of `tollgate usage`: ?by=&since=&until=
 *
 * What was made answers with {"key": …, "secret": …}: told this once.
 */
#ifndef TOLLGATE_APP_ADMIN_H
#define TOLLGATE_APP_ADMIN_H

#include <stdbool.h>
#include <stddef.h>

#include "app/request.h"

struct admin;

/* What a worker keeps for it. NULL: memory. */
struct admin *admin_new(void);

/* Nobody may be waiting. Its handles end on the loop; NULL is fine. */
void admin_free(struct admin *a);

/* "admin" in it: workers that answer this alone, as of `serve --admin`. */
#define ADMIN_DOORS "TOLLGATE_DOORS"

/*
 * How much of the path is the admin path; 0: it is not below it, or this
 * worker has nothing to do with it.
 */
size_t admin_prefix(const struct request *r, const char *path, size_t len);

/* Does the request carry the admin credential, once, as a bearer token? */
bool admin_allowed(const struct request *r);

/* Rows of the table of doors. */
extern const struct endpoint admin_doors[];
extern const size_t admin_door_count;

#endif
