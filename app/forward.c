/*
 * From the plan to an answer: which attempt begins when, which one wins, and
 * what the client hears when none does. The decision what follows a failure
 * stands in one place, pursuit.c; it is carried out in go_on.
 */
#include "app/forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/admit.h"
#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/health.h"
#include "app/relay.h"
#include "app/upload.h"
#include "app/worker.h"

#define SECOND INT64_C(1000000)
#define MILLISECOND INT64_C(1000)
#define END_GRACE (1 * SECOND) /* from the end mark to the end of the call */

/*
 * What the client is told when all attempts have failed: the first row that
 * has a bit of the last failure. `words`: the provider's message is passed
 * on; `status`: its status too.
 */
static const struct {
	unsigned fail;
	enum err err;
	bool words, status;
} verdicts[] = {
	{ FAIL_AUTH, ERR_UPSTREAM, false, false },
	{ FAIL_REQUEST, ERR_BAD_REQUEST, true, true },
	{ FAIL_MISSING, ERR_MODEL_NOT_FOUND, true, false },
	{ FAIL_QUOTA, ERR_UPSTREAM, false, false }, /* ours, not the client's */
	{ FAIL_RATE, ERR_RATE_LIMIT, true, false },
	{ FAIL_TIMEOUT, ERR_TIMEOUT, false, false },
	{ FAIL_OVERLOAD, ERR_OVERLOADED, true, false },
	{ FAIL_SERVER, ERR_UPSTREAM, true, false },
	{ FAIL_CONNECT, ERR_BAD_UPSTREAM, false, false },
	{ ~0U, ERR_BAD_UPSTREAM, false, false },
};

static void go_on(struct request *r, unsigned fail);
static bool ask(struct request *r, const struct deployment *d,
    enum claim claim);
static void rested(struct request *r);
static void hedge(struct request *r);

/* ----------------------------------------------------------- endings */

/* All is said: let the way go on from the loop. */
static void
finished(struct request *r)
{
	r->forward->finished = true;
	if (r->timer_open)
		uv_timer_stop(&r->timer);
	worker_wake(r->worker, r);
}

static void
copy(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s);
}

static void
look(void *arg, const struct deployment *d, struct standing *out)
{
	const struct request *r = arg;

	health_look(r->worker->health, d, !r->chat.stream, clock_mono(),
	    out);
}

static struct prospect
prospect(struct request *r, unsigned fail)
{
	return (struct prospect){
		.fail = fail,
		.now = clock_mono(),
		.deadline = r->forward->deadline,
		.draw = worker_random(r->worker),
		.look = look,
		.arg = r,
	};
}

/* The first row for these bits. */
static size_t
verdict_of(unsigned fail)
{
	size_t i = 0;

	while ((verdicts[i].fail & fail) == 0 && verdicts[i].fail != ~0U)
		i++;
	return i;
}

enum err
forward_verdict(const struct upstream_error *e, struct fault *f)
{
	size_t i = verdict_of(e->fail);
	enum err err = verdicts[i].err;

	fault_set(f, err, e->param, "%s", err_row(err)->text);
	if (verdicts[i].words) {
		if (*e->message != '\0')
			fault_set(f, err, e->param, "%s", e->message);
		if ((e->fail & FAIL_REQUEST) != 0) {
			copy(f->type, sizeof f->type, e->type);
			copy(f->name, sizeof f->name, e->code);
		}
	}
	if (verdicts[i].status && e->status >= 400 && e->status < 500)
		f->status = e->status;
	return err;
}

/* Turn the last failure into the client's error. */
static void
conclude(struct request *r, const struct attempt *at)
{
	struct upstream_error e = at->error;

	e.message = attempt_redacted(at, e.message);
	e.type = attempt_redacted(at, e.type);
	e.code = attempt_redacted(at, e.code);
	e.param = attempt_redacted(at, e.param);
	r->err = forward_verdict(&e, &r->fault);
	if (verdicts[verdict_of(e.fail)].status && at->said.len > 0) {
		r->forward->whole = true;
		answer_body(r, at->status, at->type, at->said.p,
		    at->said.len);
	}
}

/* Nobody was asked, as all rest: say so, and until when. */
static void
conclude_resting(struct request *r)
{
	struct prospect at = prospect(r, 0);
	unsigned why;
	int64_t back = pursuit_back(&r->plan, &at, &why);

	if (r->forward->retry_after < 0)
		r->forward->retry_after = back;
	request_fail(r, (why & FAIL_RATE) != 0 ? ERR_RATE_LIMIT :
	    ERR_OVERLOADED, NULL, "no provider of the model '%s' takes "
	    "requests at the moment", r->chat.model);
}

/*
 * When to come back: as a provider said, else when the first is well again;
 * in a second at the soonest.
 */
static void
tell_when(struct request *r)
{
	struct prospect at = prospect(r, 0);
	int64_t when = r->forward->retry_after;
	unsigned why;

	if (when < 0)
		when = pursuit_back(&r->plan, &at, &why);
	r->retry_after = when > SECOND ? (when + SECOND - 1) / SECOND : 1;
}

/* No attempt is left, or none may follow. */
static void
fail_request(struct request *r)
{
	struct forward *fw = r->forward;

	if (r->gone)
		request_fail(r, ERR_CLIENT_GONE, NULL, "%s",
		    err_row(ERR_CLIENT_GONE)->text);
	else if (fw->failed != NULL)
		conclude(r, fw->failed);
	else if (fw->unsaid != NULL)
		request_fault(r, (r->fault = *fw->unsaid).code);
	else if (clock_mono() >= fw->deadline)
		request_fail(r, ERR_TIMEOUT, NULL, "%s",
		    err_row(ERR_TIMEOUT)->text);
	else
		conclude_resting(r);
	if (r->err == ERR_RATE_LIMIT || r->err == ERR_OVERLOADED)
		tell_when(r);
	if (fw->winner != NULL && !r->gone)
		relay_break(r);
	finished(r);
}

/* End everything that runs; it is nobody's failure. */
static void
give_up(struct request *r, const char *reason)
{
	struct attempt *at;

	for (at = r->forward->first; at != NULL; at = at->next)
		attempt_give_up(at, reason);
}

/* ------------------------------------------------- what attempts tell */

void
forward_commit(struct attempt *at)
{
	struct forward *fw = at->request->forward;
	struct attempt *other;

	if (fw->winner != NULL)
		return;
	fw->winner = at;
	fw->hedge_at = 0;
	if (at->probe)
		health_back(at->request->worker->health, at->deployment,
		    clock_mono());
	for (other = fw->first; other != NULL; other = other->next) {
		if (other == at || other->ended != 0)
			continue;
		other->lost = true;
		attempt_give_up(other, "lost_race");
	}
}

void
forward_served(struct attempt *at)
{
	struct request *r = at->request;

	at->served = true;
	attempt_close(at);
	if (at->usage.known && !r->chat.free)
		health_answered(r->worker->health, r->plan.asked,
		    usage_output(&at->usage));
	finished(r);
}

/* May the same deployment do better with a new token or a right clock? */
static bool
renewed(const struct attempt *at)
{
	const struct provider *p = at->deployment->provider;
	const struct upstream_error *e = &at->error;
	struct tokens *t = at->request->worker->tokens;

	return (at->fail & FAIL_AUTH) != 0 &&
	    (tokens_skewed(t, p, e->type, e->message, at->date) ||
		tokens_refused(t, p));
}

void
forward_failed(struct attempt *at)
{
	struct request *r = at->request;
	struct forward *fw = r->forward;

	at->excused = upload_whole(r) && !fw->renewed && fw->winner == NULL &&
	    !r->gone && fw->admitting == NULL && renewed(at);
	attempt_close(at);
	fw->failed = at;
	pursuit_failed(&fw->pursuit, at->deployment, at->fail);
	if (fw->finished)
		return;
	if (at == fw->winner) {
		fail_request(r);
		return;
	}
	if (at->excused) {
		fw->renewed = true;
		fw->pursuit.count--;
		if (ask(r, at->deployment, CLAIM_AGAIN))
			return;
	}
	if (fw->running == 0 && fw->admitting == NULL)
		go_on(r, at->fail); /* else another one goes on, or may */
}

void
forward_unsent(struct attempt *at, enum attempt_begun begun)
{
	struct request *r = at->request;
	struct forward *fw = r->forward;

	if (begun == ATTEMPT_UNSAID) { /* another provider may have the words */
		fw->pursuit.count--;
		fw->pursuit.last = true;
		if (fw->unsaid == NULL)
			fw->unsaid = arena_alloc(r->arena, sizeof r->fault);
		if (fw->unsaid != NULL)
			*fw->unsaid = r->fault;
		memset(&r->fault, 0, sizeof r->fault);
		r->err = ERR_OK;
	}
	if (fw->running > 0)
		return;
	if (begun == ATTEMPT_UNSAID && fw->unsaid != NULL)
		go_on(r, 0);
	else
		finished(r);
}

/* ------------------------------------------------------------- timers */

static void
sooner(int64_t *when, int64_t at)
{
	if (at != 0 && at < *when)
		*when = at;
}

/* The nearest moment at which something must be looked at. */
static int64_t
next_moment(const struct request *r)
{
	const struct forward *fw = r->forward;
	const struct attempt *at;
	int64_t when = fw->deadline;

	if (fw->whole) {
		sooner(&when, fw->winner->content + END_GRACE);
		return when;
	}
	for (at = fw->first; at != NULL; at = at->next)
		if (at->ended == 0)
			sooner(&when, attempt_due(at));
	if (fw->winner != NULL && !r->gone)
		sooner(&when, fw->quiet + PING_MS * MILLISECOND);
	sooner(&when, fw->rest_until);
	sooner(&when, fw->hedge_at);
	return when;
}

/* Let fail what is overdue; what follows a failure happens there. */
static void
fail_overdue(struct request *r, int64_t now)
{
	struct attempt *at;
	const char *late;

	for (at = r->forward->first; at != NULL; at = at->next) {
		if (at->ended != 0)
			continue;
		late = now >= r->forward->deadline ? "total_timeout" :
		    attempt_overdue(at, now);
		if (late != NULL)
			attempt_fails(at, FAIL_TIMEOUT, late);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct request *r = timer->data;
	struct forward *fw = r->forward;
	int64_t now = clock_mono();

	if (fw == NULL || fw->finished)
		return;
	if (fw->whole) {
		if (now >= fw->winner->content + END_GRACE)
			forward_served(fw->winner);
		else
			forward_arm(r);
		return;
	}
	fail_overdue(r, now);
	if (!fw->finished && fw->running == 0 && now >= fw->deadline) {
		fail_request(r); /* the ledger has not answered in time */
		return;
	}
	if (!fw->finished && fw->rest_until != 0 && now >= fw->rest_until)
		rested(r);
	if (!fw->finished && fw->hedge_at != 0 && now >= fw->hedge_at)
		hedge(r);
	if (fw->finished)
		return;
	if (fw->winner != NULL && !r->gone &&
	    now >= fw->quiet + PING_MS * MILLISECOND)
		relay_ping(r);
	forward_arm(r);
}

/*
 * One timer a request, set for the nearest moment. Content only moves the
 * moment further away, so a chunk costs no timer: when it fires too early it
 * is set anew.
 */
void
forward_arm(struct request *r)
{
	int64_t left = next_moment(r) - clock_mono();

	if (r->forward->finished)
		return;
	uv_update_time(r->worker->loop);
	uv_timer_start(&r->timer, on_timer, left <= 0 ? 0 :
	    (uint64_t)(left + 999) / 1000, 0);
}

/* ----------------------------------------------------------- attempts */

/* Clouds that lend a model have no such door under its dialect's name. */
static bool
can_count(const struct request *r, const struct deployment *d)
{
	return adapter_find(d->provider->adapter) == r->surface &&
	    (d->provider->quirks & (QUIRK_RAW_PREDICT | QUIRK_INVOKE)) == 0;
}

/* Count the tokens here, as no provider of this dialect is at hand. */
static void
count_here(struct request *r)
{
	const struct deployment *first = r->plan.order[0];
	enum err e = ERR_OK;
	struct buf out;

	if (!r->chat.whole)
		e = r->surface->read_chat(r->arena, &r->chat, &r->fault);
	if (e != ERR_OK) {
		request_fault(r, e);
		return;
	}
	buf_init(&out, KIB(4));
	r->surface->write_count(canon_tokens_at(&r->chat, first->id,
	    first->provider->adapter), &out);
	r->forward->whole = true;
	answer_json(r, 200, out.data, out.len);
	buf_free(&out);
}

static void
append(struct forward *fw, struct attempt *at)
{
	if (fw->last == NULL)
		fw->first = at;
	else
		fw->last->next = at;
	fw->last = at;
}

/* When is a second one to begin beside the attempt that begins now? */
static void
plan_hedge(struct request *r, const struct deployment *d)
{
	const struct hedge *h = r->plan.hedge;
	int64_t now = clock_mono(), after;

	if (h == NULL || r->forward->hedged || r->upload != NULL)
		return;
	after = h->quantile == 0 ? h->after :
	    health_quantile(r->worker->health, d, !r->chat.stream,
		h->quantile, now);
	r->forward->hedge_at = h->quantile != 0 && after == 0 ? 0 :
	    now + after;
}

/*
 * Begin an attempt. False: d is not to be asked now. True: it runs, or what
 * became of it has been dealt with.
 */
static bool
ask(struct request *r, const struct deployment *d, enum claim claim)
{
	struct forward *fw = r->forward;
	struct outcome none = { .silent = true, .rest = -1 };
	enum attempt_begun begun;
	struct attempt *at;

	fw->admitting = NULL;
	switch (admit_attempt(r, d)) {
	case ADMIT_WAIT:
		fw->admitting = d;
		fw->admitting_as = claim;
		return true;
	case ADMIT_NO:
		pursuit_tried(&fw->pursuit, d);
		return false;
	case ADMIT_YES:
		break;
	}
	if (!pursuit_tried(&fw->pursuit, d) ||
	    !health_claim(r->worker->health, d, claim, clock_mono(),
		&none.probe))
		return false;
	at = attempt_new(r, d);
	if (at == NULL) {
		health_end(r->worker->health, d, &none, clock_mono());
		request_fail(r, ERR_INTERNAL, NULL, "out of memory");
		if (fw->running == 0)
			finished(r);
		return true;
	}
	at->probe = none.probe;
	at->hedge = claim == CLAIM_HEDGE;
	if (fw->last != NULL && claim == CLAIM_FIRST)
		fw->fallbacks++;
	append(fw, at);
	fw->pursuit.count++;
	if (!at->hedge)
		plan_hedge(r, d);
	begun = attempt_begin(at);
	if (begun != ATTEMPT_RUNS)
		forward_unsent(at, begun);
	return true;
}

/* The step after a failure, or the first one. */
static void
go_on(struct request *r, unsigned fail)
{
	struct forward *fw = r->forward;
	struct pursue_step step;
	struct prospect at;

	for (;;) {
		at = prospect(r, fail);
		switch (r->gone || !upload_whole(r) ? PURSUE_STOP :
		    pursue(&fw->pursuit, &at, &step)) {
		case PURSUE_ASK:
			if (ask(r, step.deployment, step.last ? CLAIM_LAST :
			    CLAIM_FIRST))
				return;
			break;
		case PURSUE_REST:
			fw->resting = step.deployment;
			fw->rest_until = step.at;
			forward_arm(r);
			return;
		case PURSUE_STOP:
			fail_request(r);
			return;
		}
	}
}

static unsigned
last_failure(const struct forward *fw)
{
	return fw->failed == NULL ? 0 : fw->failed->fail;
}

void
forward_admitted(struct request *r)
{
	struct forward *fw = r->forward;
	const struct deployment *d = fw->admitting;
	bool beside = fw->running > 0;

	fw->admitting = NULL;
	if (fw->finished || d == NULL || (beside && fw->winner != NULL))
		return;
	/* What was to run beside another one may be alone by now. */
	if ((clock_mono() >= fw->deadline || !ask(r, d,
	    fw->admitting_as == CLAIM_HEDGE && !beside ? CLAIM_FIRST :
	    fw->admitting_as)) && fw->running == 0)
		go_on(r, last_failure(fw));
}

/* The rest before the same deployment again is over. */
static void
rested(struct request *r)
{
	struct forward *fw = r->forward;

	fw->rest_until = 0;
	if (!ask(r, fw->resting, CLAIM_AGAIN))
		go_on(r, last_failure(fw));
}

/* What the plan expects this request to cost at d, -1 = not known. */
static int64_t
expected(const struct plan *plan, const struct deployment *d)
{
	size_t i;

	for (i = 0; i < plan->all_count; i++)
		if (plan->all[i].deployment == d)
			return plan->all[i].price;
	return -1;
}

/* The attempt under way has not said anything: ask another one beside it. */
static void
hedge(struct request *r)
{
	struct forward *fw = r->forward;
	const struct hedge *h = r->plan.hedge;
	struct prospect at = prospect(r, 0);
	const struct deployment *d;

	fw->hedge_at = 0;
	if (fw->winner != NULL || fw->running != 1 || fw->hedged || r->gone)
		return;
	d = pursue_beside(&fw->pursuit, &at);
	fw->hedged = true;
	if (d != NULL && health_hedge(r->worker->health, r->plan.asked,
	    h->share, h->money, expected(&r->plan, d), at.now))
		ask(r, d, CLAIM_HEDGE);
}

/* -------------------------------------------------------------- doors */

static void
begin(struct request *r)
{
	struct forward *fw = r->forward;

	if (upload_broken(r)) {
		finished(r);
		return;
	}

	if (r->chat.count && !can_count(r, r->plan.order[0])) {
		count_here(r);
		finished(r);
		return;
	}
	go_on(r, 0);
	if (!fw->finished && fw->hedge_at != 0 &&
	    clock_mono() >= fw->hedge_at)
		hedge(r);
}

enum verdict
forward_run(struct request *r)
{
	struct forward *fw = r->forward;
	int64_t total = r->plan.timeouts->total;

	if (fw != NULL)
		return fw->finished ? DONE : WAIT;
	fw = arena_zalloc(r->arena, sizeof *fw);
	if (fw == NULL || uv_timer_init(r->worker->loop, &r->timer) != 0)
		return request_fail(r, ERR_INTERNAL, NULL, "out of memory");
	r->timer.data = r;
	r->timer_open = true;
	r->forward = fw;
	fw->retry_after = -1;
	fw->pursuit.plan = &r->plan;
	fw->deadline = r->deadline;
	if (total != 0 && r->upload == NULL &&
	    r->arrived + total < fw->deadline)
		fw->deadline = r->arrived + total;
	begin(r);
	return fw->finished ? DONE : WAIT;
}

void
forward_drained(struct request *r)
{
	struct forward *fw = r->forward;

	r->full = false;
	if (fw == NULL || fw->finished || fw->winner == NULL)
		return;
	/* The pause was the client's, not theirs. */
	fw->winner->content = clock_mono();
	if (fw->winner->call != NULL)
		call_resume(fw->winner->call);
	forward_arm(r);
}

/* End it for a reason outside of the attempts. */
static void
end(struct request *r, enum err e, const char *reason)
{
	if (!r->forward->whole && r->err != ERR_CLIENT_GONE)
		request_fail(r, e, NULL, "%s", err_row(e)->text);
	give_up(r, reason);
	if (r->forward->winner != NULL && !r->forward->whole && !r->gone)
		relay_break(r);
	finished(r);
}

/*
 * Nobody listens any more: does an attempt go on all the same, for its bill?
 * Nothing new begins.
 */
static bool
drain(struct request *r)
{
	struct forward *fw = r->forward;
	struct attempt *at;

	for (at = fw->first; at != NULL; at = at->next)
		if (!attempt_drain(at))
			attempt_give_up(at, "client_gone");
	if (fw->running == 0)
		return false;
	request_fail(r, ERR_CLIENT_GONE, NULL, "%s",
	    err_row(ERR_CLIENT_GONE)->text);
	fw->hedge_at = fw->rest_until = 0;
	fw->admitting = NULL;
	if (r->full)
		forward_drained(r);
	forward_arm(r);
	return true;
}

void
forward_uploaded(struct request *r)
{
	int64_t total = r->plan.timeouts->total, end;

	end = clock_mono() + total;
	if (total != 0 && end < r->deadline)
		r->forward->deadline = end;
	forward_arm(r);
}

void
forward_broken(struct request *r)
{
	if (r->forward == NULL || r->forward->finished)
		return;
	give_up(r, "bad_upload");
	if (r->forward->winner != NULL && !r->gone)
		relay_break(r);
	finished(r);
}

void
forward_gone(struct request *r)
{
	struct forward *fw = r->forward;

	r->gone = true;
	if (fw != NULL && !fw->finished && (fw->whole || !drain(r)))
		end(r, ERR_CLIENT_GONE, "client_gone");
}

void
forward_stop(struct request *r)
{
	if (r->forward != NULL && !r->forward->finished)
		end(r, ERR_DRAINING, "shutdown");
}

void
forward_settle(struct request *r)
{
	if (r->forward != NULL)
		give_up(r, "");
}

void
forward_release(struct request *r)
{
	struct attempt *at;

	if (r->forward == NULL)
		return;
	for (at = r->forward->first; at != NULL; at = at->next)
		buf_free(&at->out);
}

const struct attempt *
forward_shown(const struct request *r)
{
	const struct forward *fw = r->forward;

	return fw == NULL ? NULL : fw->winner != NULL ? fw->winner : fw->last;
}
