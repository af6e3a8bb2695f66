/*
 * Rules: do the conditions of a policy hold for these facts? Pure. What costs
 * something to know is asked for only when a condition needs it, after all
 * cheaper ones of the same rule, and once.
 *
 * Each condition of a `when` that is set must hold. A list holds when one of
 * its patterns ('*' = any characters) matches. What the request does not tell
 * (no bound on its output, a key without budget or team) meets no condition
 * on it, not even '*'.
 */
#ifndef TOLLGATE_POLICY_RULE_H
#define TOLLGATE_POLICY_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/route.h"

/* The facts of a request and what was asked of them so far. */
struct known {
	const struct route_facts *facts;
	int64_t input_tokens; /* -1: not asked yet */
	int64_t steps; /* that patterns may still take */
	int budget_left;      /* per cent, < 0: none */
	bool budget_asked;
	struct {
		const char *text; /* NULL: not asked yet */
		size_t len;
	} prompt[PROMPT_PARTS];
};

void known_init(struct known *k, const struct route_facts *facts);

/* Estimated input tokens; from the size of the body where none can tell. */
int64_t known_input_tokens(struct known *k);

/* The same as a deployment counts them. */
int64_t known_input_tokens_at(struct known *k, const struct deployment *d);

/* Does the condition hold? */
bool rule_match(const struct when *w, struct known *k);

/* The first rule of the policy that matches, or NULL. */
const struct rule *rule_find(const struct policy *p, struct known *k);

#endif
