/* A limit or a budget refuses: in words, and whether waiting helps. */
#include "app/refusal.h"

#include <stdio.h>

#include "app/counters.h"
#include "policy/policy.h"

#define SECOND INT64_C(1000000)

/* "the budget of 5 USD / day of key:web" */
static void
name_counter(const struct counter *c, char *out, size_t size)
{
	static const char *const kinds[] = { "requests a minute",
		"tokens a minute", "requests at a time" };
	char usd[40];

	if (c->kind == COUNTER_MONEY) {
		price_format(c->limit, usd, sizeof usd);
		snprintf(out, size, "the budget of %s USD%s%s of %s", usd,
		    c->span == SPAN_ONCE ? " " : " / ",
		    counters_span(c->span), c->scope);
	} else {
		snprintf(out, size, "the limit of %lld %s of %s",
		    (long long)c->limit, kinds[c->kind], c->scope);
	}
}

/* "cost 0.03 USD, with 16000 tokens of output": the most that it can. */
static void
name_most(const struct refusal *no, char *out, size_t size)
{
	char usd[40], with[64] = "";

	if (no->output > 0)
		snprintf(with, sizeof with, ", with %lld tokens of output",
		    (long long)no->output);
	if (no->counter->kind == COUNTER_MONEY) {
		price_format(no->wanted, usd, sizeof usd);
		snprintf(out, size, "cost %s USD%s", usd, with);
	} else {
		snprintf(out, size, "use %lld tokens%s",
		    (long long)no->wanted, with);
	}
}

/* It alone is more than the limit, however little is used. */
static bool
never_fits(const struct refusal *no)
{
	return no->wanted > no->counter->limit;
}

void
refusal_words(const struct refusal *no, char *out, size_t size)
{
	char what[256], most[128];

	name_counter(no->counter, what, sizeof what);
	if (never_fits(no)) {
		name_most(no, most, sizeof most);
		snprintf(out, size, "this request may %s: more than %s has in "
		    "all", most, what);
	} else {
		snprintf(out, size, no->answer.reserved ?
		    "%s is reserved by requests under way" :
		    "%s is reached", what);
	}
}

enum verdict
refusal_tell(struct request *r, const struct refusal *no)
{
	const struct ledger_answer *a = &no->answer;
	char text[sizeof r->fault.text];

	refusal_words(no, text, sizeof text);
	request_fail(r, a->err, NULL, "%s", text);
	r->hopeless = never_fits(no) || (a->err == ERR_BUDGET && !a->reserved);
	if (!never_fits(no) && a->retry >= 0)
		r->retry_after = a->retry <= SECOND ? 1 :
		    (a->retry + SECOND - 1) / SECOND;
	if (a->reserved && a->err == ERR_BUDGET)
		snprintf(r->fault.name, sizeof r->fault.name,
		    "budget_reserved");
	return DONE;
}
