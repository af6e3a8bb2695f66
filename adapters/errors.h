/*
 * Reading a provider's error, in whatever form: {error: {message, type,
 * code}}, {error: "text"}, {message}, {detail}, {errors: [..]}, integer
 * codes, or no JSON at all. The forms are those of the public API references
 * and of recorded answers; a new one is a row in a table here.
 */
#ifndef TOLLGATE_ADAPTERS_ERRORS_H
#define TOLLGATE_ADAPTERS_ERRORS_H

#include "adapters/adapter.h"

/*
 * An answer with an error status (or status 0 for one inside a stream) whose
 * body may be anything. out is always filled: message may be "" and nothing
 * of a body that is not JSON is kept. Strings come from the arena.
 */
void errors_classify(struct arena *a, int status, const char *body,
    size_t len, struct upstream_error *out);

/* The same from a parsed document. */
void errors_read(struct arena *a, int status, const struct json *doc,
    struct upstream_error *out);

/* Does this document of a 2xx answer tell of an error? */
bool errors_present(const struct json *doc);

#endif
