/* The next step after a failure: a new deployment, the same again, or none. */
#include "app/pursuit.h"

#include <string.h>

#include "adapters/adapter.h"
#include "app/base/draw.h"

#define MILLISECOND INT64_C(1000)
#define REST_FIRST (250 * MILLISECOND)
#define REST_MOST (4000 * MILLISECOND)
#define REST_WAITED (5000 * MILLISECOND) /* longer is the client's to wait */
#define RESTS 8 /* of one request at most */

static bool
tried(const struct pursuit *p, const struct deployment *d)
{
	size_t i;

	for (i = 0; i < p->trial_count; i++)
		if (strcmp(p->trials[i].deployment->id, d->id) == 0)
			return true;
	return false;
}

bool
pursuit_tried(struct pursuit *p, const struct deployment *d)
{
	if (p->trial_count == PURSUIT_TRIALS)
		return false;
	p->trials[p->trial_count++] = (struct trial){ d, 0 };
	return true;
}

void
pursuit_failed(struct pursuit *p, const struct deployment *d, unsigned fail)
{
	size_t i = p->trial_count;

	while (i-- > 0)
		if (p->trials[i].deployment == d && p->trials[i].fail == 0) {
			p->trials[i].fail = fail;
			return;
		}
}

/* Is it well, and can its first content be here in time? */
static bool
fit(const struct prospect *at, const struct deployment *d)
{
	struct standing st = { .success = 1000 };

	at->look(at->arg, d, &st);
	return st.cooling <= at->now && !st.probing && !st.capped &&
	    (st.p90 == 0 || at->now + st.p90 <= at->deadline);
}

/* The first of a list that was not asked, is well and reads this much. */
static const struct deployment *
next_of(const struct pursuit *p, const struct prospect *at,
    const struct deployment *const *list, size_t count, uint32_t over)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!tried(p, list[i]) && fit(at, list[i]) &&
		    (over == 0 || list[i]->context > over))
			return list[i];
	return NULL;
}

/* The largest window that was too small, 0 = none was or it is not known. */
static uint32_t
too_small(const struct pursuit *p)
{
	uint32_t most = 0;
	size_t i;

	for (i = 0; i < p->trial_count; i++)
		if ((p->trials[i].fail & FAIL_CONTEXT) != 0 &&
		    p->trials[i].deployment->context > most)
			most = p->trials[i].deployment->context;
	return most;
}

/* Has any attempt failed so? */
static bool
failed_so(const struct pursuit *p, unsigned fail)
{
	size_t i;

	for (i = 0; i < p->trial_count; i++)
		if ((p->trials[i].fail & fail) != 0)
			return true;
	return false;
}

/*
 * Who comes next. A failure that others share (too long, refused by a
 * policy of content) leads to the list for it, whatever failed after that;
 * without a list, what is too long goes to larger windows only, and what is
 * refused goes nowhere.
 */
static const struct deployment *
successor(const struct pursuit *p, const struct prospect *at)
{
	static const struct {
		unsigned fail;
		enum fallback_kind kind;
	} kinds[] = {
		{ FAIL_CONTENT, FALLBACK_CONTENT },
		{ FAIL_CONTEXT, FALLBACK_CONTEXT },
	};
	const struct plan *plan = p->plan;
	enum fallback_kind k;
	uint32_t over;
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		k = kinds[i].kind;
		if (!failed_so(p, kinds[i].fail))
			continue;
		if (plan->instead_count[k] > 0)
			return next_of(p, at, plan->instead[k],
			    plan->instead_count[k], 0);
		over = too_small(p);
		if (k == FALLBACK_CONTENT || over == 0)
			return NULL;
		return next_of(p, at, plan->order, plan->count, over);
	}
	return next_of(p, at, plan->order, plan->count, 0);
}

/* Half to all of a length that doubles each time. */
static int64_t
rest(unsigned times, uint64_t draw)
{
	int64_t most = times < 4 ? REST_FIRST << times : REST_MOST;

	return most / 2 + (int64_t)(draw_next(&draw) % (uint64_t)(most / 2));
}

/* Did d's last attempt fail of something that passes? */
static bool
passing(const struct pursuit *p, const struct deployment *d)
{
	size_t i = p->trial_count;

	while (i-- > 0)
		if (strcmp(p->trials[i].deployment->id, d->id) == 0)
			return (p->trials[i].fail & FAIL_PASSING) != 0 &&
			    (p->trials[i].fail & ~(unsigned)(FAIL_PASSING)) == 0;
	return false;
}

/* Of those that failed of something that passes: which is back first? */
static enum pursue
again(struct pursuit *p, const struct prospect *at, struct pursue_step *step)
{
	int64_t when, pause = rest(p->rests, at->draw);
	const struct deployment *d;
	struct standing st;
	size_t i;

	step->deployment = NULL;
	for (i = 0; i < p->trial_count; i++) {
		d = p->trials[i].deployment;
		if (!passing(p, d))
			continue;
		memset(&st, 0, sizeof st);
		at->look(at->arg, d, &st);
		when = at->now + pause;
		if (st.cooling > when)
			when = st.cooling;
		if (st.capped || (step->deployment != NULL &&
		    when >= step->at))
			continue;
		step->deployment = d;
		step->at = when;
	}
	if (step->deployment == NULL || step->at >= at->deadline ||
	    step->at > at->now + REST_WAITED || p->rests == RESTS)
		return PURSUE_STOP;
	step->again = true;
	p->rests++;
	return PURSUE_REST;
}

enum pursue
pursue(struct pursuit *p, const struct prospect *at,
    struct pursue_step *step)
{
	unsigned may = FAIL_RETRYABLE | FAIL_CONTEXT | FAIL_CONTENT;

	memset(step, 0, sizeof *step);
	if ((at->fail != 0 && (at->fail & may) == 0) ||
	    p->count >= p->plan->attempts || at->now >= at->deadline ||
	    p->trial_count == PURSUIT_TRIALS)
		return PURSUE_STOP;
	step->deployment = successor(p, at);
	if (step->deployment != NULL)
		return PURSUE_ASK;
	if (p->count == 0 && !p->last && p->plan->count > 0) {
		step->deployment = p->plan->order[0];
		p->last = step->last = true; /* one honest try */
		return PURSUE_ASK;
	}
	return again(p, at, step);
}

const struct deployment *
pursue_beside(const struct pursuit *p, const struct prospect *at)
{
	return p->count >= p->plan->attempts ||
	    p->trial_count == PURSUIT_TRIALS ? NULL : successor(p, at);
}

int64_t
pursuit_back(const struct plan *plan, const struct prospect *at,
    unsigned *why)
{
	struct standing st;
	int64_t first = 0;
	size_t i;

	*why = 0;
	for (i = 0; i < plan->count; i++) {
		memset(&st, 0, sizeof st);
		at->look(at->arg, plan->order[i], &st);
		if (st.cooling <= at->now ||
		    (first != 0 && st.cooling >= first))
			continue;
		first = st.cooling;
		*why = st.why;
	}
	return first == 0 ? 0 : first - at->now;
}
