/*
 * Paths and methods that are no door: a door of its own, which is told from
 * others only when the key has been seen. So who has none learns nothing of
 * what is here, and every path that is not open wants a key.
 */
#ifndef TOLLGATE_APP_NOWHERE_H
#define TOLLGATE_APP_NOWHERE_H

#include "app/request.h"

/*
 * The door of what is none. It answers 405 where r->allow names the methods of
 * its path, else 404 with what tollgate does not offer and what is near.
 */
extern const struct endpoint nowhere;

/*
 * Is this one of the paths of the providers' APIs that tollgate knows and does
 * not offer to this surface's clients, whatever the method?
 */
bool nowhere_known(const struct adapter *surface, const char *path,
    size_t len);

/* Is the door there for OpenAI's clients, and does this one mean another? */
bool nowhere_foreign(const struct adapter *surface, const char *path,
    size_t len);

/* Whose shapes an answer has that no door decides: by path, else by headers. */
const struct adapter *nowhere_surface(const struct request *r,
    const char *path);

#endif
