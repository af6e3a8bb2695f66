/*
 * Answers of a batch: what each used, and each as its client reads it.
 */
#ifndef TOLLGATE_APP_RESULTS_H
#define TOLLGATE_APP_RESULTS_H

#include "app/entry.h"

/* Who made them and for whom. Of an entry; zeroed by results_of. */
struct results {
	const struct entry *entry;
	const struct batch_dialect *dialect;
	const struct adapter *surface; /* that the client speaks */
	const struct adapter *adapter; /* that asks the provider */
	const char *door;	       /* struct task */
	const struct provider *provider; /* as it is spoken to */
	struct deployment deployment;
};

/* False: the policy does not have its provider any more. */
bool results_of(struct results *rs, const struct policy *p,
    const struct entry *e);

/* What an answer used; false: it does not tell. Memory of the scratch. */
bool results_usage(const struct results *rs, struct arena *scratch,
    struct str body, struct usage *out);

/*
 * A line of answers (errors: of those that have none) in OpenAI's form behind
 * out, if it is of that kind. ERR_BAD_UPSTREAM: it cannot be read.
 */
enum err results_line(const struct results *rs, struct arena *scratch,
    const struct json *line, bool errors, struct buf *out, struct fault *f);

#endif
