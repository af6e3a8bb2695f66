/*
 * What the readers of providers' answers have in common, whole answers and
 * streams: saying that an answer is of no use, counts of tokens, errors under
 * a good status, and the deltas that look alike in every dialect.
 */
#ifndef TOLLGATE_ADAPTERS_REPLY_H
#define TOLLGATE_ADAPTERS_REPLY_H

#include "adapters/adapter.h"

/* The most tokens that a provider is believed: doubles hold it exactly. */
#define TOKENS_MAX (INT64_C(1) << 53)

/* ERR_BAD_UPSTREAM; what: "an empty stream". */
enum err reply_bad(struct fault *f, const char *what);

/* The same for a stream without its end. */
enum err reply_cut(struct fault *f, bool started);

/*
 * A count of tokens, brought into 0..TOKENS_MAX. False, and out untouched,
 * when the member is no whole number.
 */
bool reply_tokens(const struct json *doc, uint32_t obj, const char *key,
    int64_t *out);

/* The same as a value, 0 when there is none. */
int64_t reply_count(const struct json *doc, uint32_t obj, const char *key);

/*
 * What a member says of the service tier → out; false, and out untouched,
 * when it is no word, or one for what the provider chooses itself.
 */
bool reply_service(const struct json *doc, uint32_t v, enum service *out);

static inline int64_t
at_most(int64_t n, int64_t max)
{
	return n < max ? n : max;
}

/*
 * The body of an answer with a good status → doc. An error that stands in it
 * comes in reply->error, with ERR_OK. ERR_BAD_UPSTREAM: it is no JSON;
 * ERR_INTERNAL: no memory.
 */
enum err reply_parse(struct arena *a, const char *body, size_t len,
    struct json *doc, struct reply *reply, struct fault *f);

/*
 * What a part of an answer brought, behind what is in sum already: vectors,
 * choices, and usage added up (known when that of all parts is). Ids, model and `from`
 * are the first part's; sum has no raw form.
 */
enum err reply_append(struct arena *a, struct reply *sum,
    const struct reply *part);

/* The data of an event → doc, an object. ERR_BAD_UPSTREAM: it is none. */
enum err reply_event(struct arena *a, const char *data, size_t len,
    struct json *doc, struct fault *f);

/* DELTA_ERROR: one that was read already, or the one in an event. */
enum err reply_failed(const struct upstream_error *error, delta_fn *emit,
    void *arg);
enum err reply_error(struct arena *scratch, const struct json *doc,
    delta_fn *emit, void *arg);

/* DELTA_END; from may be NULL: the end mark is not of that dialect. */
enum err reply_end(const struct adapter *from, delta_fn *emit, void *arg);

#endif
