/*
 * What a client is told when a limit or a budget refuses its request: which
 * one, whether it is worth to ask again, and when.
 */
#ifndef TOLLGATE_APP_REFUSAL_H
#define TOLLGATE_APP_REFUSAL_H

#include "app/ledger.h"
#include "app/request.h"

/* What did not fit, and what the ledger said of it. */
struct refusal {
	const struct counter *counter;
	int64_t wanted; /* of it: the most that the request can use */
	int64_t output; /* tokens of output that this counts with, 0 = none */
	struct ledger_answer answer;
};

/* Note it as the request's error, with its headers; DONE. */
enum verdict refusal_tell(struct request *r, const struct refusal *no);

/*
 * In words: that the limit is reached, that others hold it, or that it is less
 * than this request alone may need.
 */
void refusal_words(const struct refusal *no, char *out, size_t size);

#endif
