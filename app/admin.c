/* The admin API: doors, and the verbs of keys behind them. */
#include "app/admin.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/hash.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/base/percent.h"
#include "app/keys.h"
#include "app/keystore.h"
#include "app/ledger.h"
#include "app/record.h"
#include "app/usage.h"
#include "app/worker.h"
#include "policy/unit.h"

#define PATIENCE_MS 1000 /* an operator waits longer than a client */

struct admin {
	struct keystore *store; /* NULL: not yet */
	char *address;		/* of the policy that it is of */
};

/* What a request waits for. In its arena. */
struct admin_job {
	bool done;
	struct keys_answer answer; /* of a verb */
	enum err err;		   /* of a list */
	struct usage_table *usage;
	struct buf list;
	struct json_writer w;
};

/* ---- who may ---- */

size_t
admin_prefix(const struct request *r, const char *path, size_t len)
{
	const struct policy *p = r->policy;
	size_t n = p->admin.apart && !r->worker->admin_only ? 0 :
	    strlen(p->admin.path);

	return n > 0 && len >= n && memcmp(path, p->admin.path, n) == 0 &&
	    (len == n || path[n] == '/') ? n : 0;
}

bool
admin_allowed(const struct request *r)
{
	const char *value = request_header(r, "HTTP_AUTHORIZATION");
	unsigned char hash[KEY_HASH];
	bool good;

	if (value == NULL || strncasecmp(value, "Bearer ", 7) != 0 ||
	    exchange_param_count(r->x, "HTTP_AUTHORIZATION") != 1)
		return false;
	value += 7 + strspn(value + 7, " ");
	if (strlen(value) > LIMIT_CREDENTIAL ||
	    hash_hmac(hash, r->policy->pepper, sizeof r->policy->pepper,
		value, strlen(value)) != ERR_OK)
		return false;
	good = CRYPTO_memcmp(hash, r->policy->admin.hash, KEY_HASH) == 0;
	OPENSSL_cleanse(hash, sizeof hash);
	return good;
}

/* ---- the store ---- */

struct admin *
admin_new(void)
{
	return calloc(1, sizeof(struct admin));
}

static void
leave_store(struct admin *a)
{
	keystore_close(a->store);
	a->store = NULL;
	free(a->address);
	a->address = NULL;
}

void
admin_free(struct admin *a)
{
	if (a == NULL)
		return;
	leave_store(a);
	free(a);
}

static struct keystore *
store_of(struct request *r)
{
	struct admin *a = r->worker->admin;
	struct keystore_setup setup = { .loop = r->worker->loop,
		.store = r->policy->store, .dir = r->worker->env.state_dir,
		.make = true, .patience = PATIENCE_MS };

	if (a->store != NULL && strcmp(a->address, r->policy->store) != 0)
		leave_store(a);
	if (a->store != NULL)
		return a->store;
	a->address = strdup(r->policy->store);
	if (a->address != NULL)
		a->store = keystore_open(&setup, &r->fault);
	if (a->store == NULL)
		leave_store(a);
	return a->store;
}

/* ---- answers ---- */

static enum verdict
answer_key(struct request *r, int status, const struct keys_answer *a)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, MIB(1));
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, "key");
	key_record_write(&w, &a->key, r->arena, clock_wall() / 1000000);
	if (*a->secret != '\0') {
		jw_key(&w, "secret");
		jw_string(&w, a->secret);
	}
	jw_end_object(&w);
	answer_built(r, status, &b);
	return DONE;
}

/* ---- verbs ---- */

static void
wake(struct request *r)
{
	r->admin_job->done = true;
	worker_wake(r->worker, r);
}

static void
on_done(void *arg, const struct keys_answer *a)
{
	struct request *r = arg;

	r->admin_job->answer = *a;
	wake(r);
}

static bool
job_new(struct request *r)
{
	r->admin_job = arena_zalloc(r->arena, sizeof *r->admin_job);
	if (r->admin_job == NULL)
		request_fail(r, ERR_INTERNAL, NULL, "out of memory");
	return r->admin_job != NULL;
}

/* Begin a verb; its answer wakes the request. */
static enum verdict
begin(struct request *r, enum keys_verb verb, const char *name, int64_t grace)
{
	struct keys_ask ask = { .store = store_of(r), .policy = r->policy,
		.arena = r->arena, .verb = verb, .name = name,
		.row = r->x->body, .row_len = r->x->body_len,
		.grace = grace };

	if (ask.store == NULL)
		return request_fault(r, ERR_KEYS);
	if (!job_new(r))
		return DONE;
	keys_do(&ask, on_done, r);
	return WAIT;
}

/* The end of a verb: the log hears who was changed. */
static enum verdict
end(struct request *r, int status, const char *what)
{
	struct keys_answer *a = &r->admin_job->answer;
	enum verdict v;

	if (a->err != ERR_OK)
		return request_fail(r, a->err, NULL, "%s", a->why);
	recorder_note(r->worker->recorder, "info", "key '%s' %s by the admin "
	    "API", a->key.name, what);
	v = r->gone ? DONE : answer_key(r, status, a);
	OPENSSL_cleanse(a->secret, sizeof a->secret);
	return v;
}

static enum verdict
still(const struct request *r)
{
	return r->admin_job->done ? GO : WAIT;
}

static enum verdict
create(struct request *r)
{
	if (r->admin_job == NULL)
		return begin(r, KEYS_CREATE, NULL, 0);
	return still(r) == WAIT ? WAIT : end(r, 201, "made");
}

static enum verdict
change(struct request *r)
{
	if (r->admin_job == NULL)
		return begin(r, KEYS_SET, r->name, 0);
	return still(r) == WAIT ? WAIT : end(r, 200, "changed");
}

static enum verdict
revoke_key(struct request *r)
{
	if (r->admin_job == NULL)
		return begin(r, KEYS_REVOKE, r->name, 0);
	return still(r) == WAIT ? WAIT : end(r, 200, "revoked");
}

/* {"grace": "24h"}, or nothing. False: something else. */
static bool
read_grace(struct request *r, int64_t *grace)
{
	struct json doc;
	const char *text;
	uint32_t v;
	int64_t us;

	*grace = KEYS_GRACE;
	if (r->x->body_len == 0)
		return true;
	if (json_parse(&doc, r->arena, r->x->body, r->x->body_len,
	    &r->fault) != ERR_OK || json_type(&doc, JSON_ROOT) != JSON_OBJECT)
		return false;
	v = json_get(&doc, JSON_ROOT, "grace");
	if (json_count(&doc, JSON_ROOT) != (v == JSON_NONE ? 0 : 1))
		return false;
	if (v == JSON_NONE)
		return true;
	text = json_cstr(&doc, v, r->arena);
	if (text == NULL || !unit_duration(text, &us) || us < 0 ||
	    us / 1000000 > KEYS_GRACE_MAX)
		return false;
	*grace = us / 1000000;
	return true;
}

static enum verdict
rotate(struct request *r)
{
	static const char word[] = "/rotate";
	size_t len = strlen(r->name), n = sizeof word - 1;
	const char *name;
	int64_t grace;

	if (r->admin_job != NULL)
		return still(r) == WAIT ? WAIT : end(r, 200, "rotated");
	if (len <= n || strcmp(r->name + len - n, word) != 0)
		return request_fail(r, ERR_NOT_FOUND, NULL, "no such endpoint");
	if (!read_grace(r, &grace))
		return request_fail(r, ERR_BAD_REQUEST, "grace", "the body is "
		    "{\"grace\": a duration of at most 90 days}, or nothing");
	name = arena_dup(r->arena, r->name, len - n);
	return name == NULL ? request_fault(r, ERR_INTERNAL) :
	    begin(r, KEYS_ROTATE, name, grace);
}

/* ---- reading ---- */

static void
on_one(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct request *r = arg;
	struct keys_answer *a = &r->admin_job->answer;

	(void)why;
	if (e == ERR_OK && text == NULL)
		a->err = ERR_NOT_FOUND;
	else if (e == ERR_OK && !key_record_read(&a->key, r->arena, text, len))
		a->err = ERR_INTERNAL;
	else
		a->err = e;
	wake(r);
}

static enum verdict
show(struct request *r)
{
	struct keystore *store;

	if (r->admin_job == NULL) {
		store = store_of(r);
		if (store == NULL)
			return request_fault(r, ERR_KEYS);
		if (!job_new(r))
			return DONE;
		keystore_get(store, r->name, on_one, r);
		return WAIT;
	}
	if (still(r) == WAIT)
		return WAIT;
	if (r->admin_job->answer.err == ERR_NOT_FOUND)
		return request_fail(r, ERR_NOT_FOUND, NULL,
		    "no key of this name was made here");
	if (r->admin_job->answer.err != ERR_OK)
		return request_fault(r, r->admin_job->answer.err);
	return answer_key(r, 200, &r->admin_job->answer);
}

/* One of the list, from memory that goes at once. */
static void
add(struct admin_job *job, const char *text, size_t len)
{
	struct arena *a = arena_new(MIB(1));
	struct key_record k;

	if (a == NULL)
		job->err = ERR_INTERNAL;
	else if (key_record_read(&k, a, text, len))
		key_record_write(&job->w, &k, a, clock_wall() / 1000000);
	arena_free(a);
}

static void
on_each(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct request *r = arg;

	(void)why;
	if (e == ERR_OK && text != NULL) {
		add(r->admin_job, text, len);
		return;
	}
	if (e != ERR_OK)
		r->admin_job->err = e;
	wake(r);
}

static enum verdict
list(struct request *r)
{
	struct admin_job *job = r->admin_job;
	struct keystore *store;

	if (job == NULL) {
		store = store_of(r);
		if (store == NULL)
			return request_fault(r, ERR_KEYS);
		if (!job_new(r))
			return DONE;
		job = r->admin_job;
		buf_init(&job->list, LIMIT_REPLY);
		jw_init(&job->w, &job->list);
		jw_object(&job->w);
		jw_key(&job->w, "keys");
		jw_array(&job->w);
		keystore_list(store, on_each, r);
		return WAIT;
	}
	if (still(r) == WAIT)
		return WAIT;
	jw_end_array(&job->w);
	jw_end_object(&job->w);
	if (job->err == ERR_OK && !r->gone) {
		answer_built(r, 200, &job->list);
		return DONE;
	}
	buf_free(&job->list);
	return job->err == ERR_OK ? DONE : request_fault(r, job->err);
}

/* ---- usage ---- */

/* What is asked for in the query; "" where it is not. */
static const struct {
	const char *name, *preset;
} questions[] = { { "by", "day" }, { "since", "7d" }, { "until", "1d" } };
enum { ASK_BY, ASK_SINCE, ASK_UNTIL, QUESTIONS };

/* Of one of them: the text behind its name, decoded. False: no such one. */
static bool
read_question(struct request *r, const char *p, size_t len,
    const char *out[QUESTIONS])
{
	size_t i, n;

	for (i = 0; i < QUESTIONS; i++) {
		n = strlen(questions[i].name);
		if (len <= n || p[n] != '=' ||
		    memcmp(p, questions[i].name, n) != 0)
			continue;
		out[i] = percent_decode(r->arena, p + n + 1, len - n - 1);
		return out[i] != NULL;
	}
	return false;
}

static bool
read_query(struct request *r, const char *out[QUESTIONS])
{
	const char *p = r->query;
	size_t i, n;

	for (i = 0; i < QUESTIONS; i++)
		out[i] = questions[i].preset;
	for (; *p != '\0'; p += n + (p[n] == '&')) {
		n = strcspn(p, "&");
		if (n > 0 && !read_question(r, p, n, out))
			return false;
	}
	return true;
}

static void
on_usage(void *arg, enum err e, const struct usage_row *row, int64_t held)
{
	struct request *r = arg;
	struct admin_job *job = r->admin_job;

	if (row != NULL) {
		if (!usage_add(job->usage, row, held))
			job->err = ERR_INTERNAL;
		return;
	}
	if (e != ERR_OK)
		job->err = e;
	wake(r);
}

static enum verdict
ask_usage(struct request *r)
{
	struct ledger *l = r->worker->ledger;
	const char *asked[QUESTIONS];
	int32_t today, from, to;
	unsigned by;

	if (l == NULL)
		return request_fault(r, ERR_LEDGER);
	today = ledger_day(l);
	if (!read_query(r, asked) || !usage_by_read(asked[ASK_BY], &by,
	    NULL) || !usage_day_read("since", asked[ASK_SINCE], today, &from,
	    NULL) || !usage_day_read("until", asked[ASK_UNTIL], today, &to,
	    NULL))
		return request_fail(r, ERR_BAD_REQUEST, NULL, "the query has "
		    "by (of day, key, team, user, tag, model, provider), since "
		    "and until (2026-11-28, 7d)");
	if (!job_new(r))
		return DONE;
	r->admin_job->usage = usage_new(by);
	if (r->admin_job->usage == NULL)
		return request_fault(r, ERR_INTERNAL);
	ledger_usage(l, from, to, on_usage, r);
	return WAIT;
}

static enum verdict
usage(struct request *r)
{
	struct admin_job *job = r->admin_job;
	struct buf b;

	if (job == NULL)
		return ask_usage(r);
	if (still(r) == WAIT)
		return WAIT;
	buf_init(&b, LIMIT_REPLY);
	if (job->err == ERR_OK && !r->gone)
		usage_write(job->usage, USAGE_JSON, &b);
	usage_free(job->usage);
	job->usage = NULL;
	if (job->err == ERR_OK && !r->gone) {
		answer_built(r, 200, &b);
		return DONE;
	}
	buf_free(&b);
	return job->err == ERR_OK ? DONE : request_fault(r, job->err);
}

const struct endpoint admin_doors[] = {
	{ "GET", "/usage", "openai", "admin", "admin", false, true, usage },
	{ "GET", "/keys", "openai", "admin", "admin", false, true, list },
	{ "POST", "/keys", "openai", "admin", "admin", false, true, create },
	{ "GET", "/keys/", "openai", "admin", "admin", false, true, show },
	{ "PATCH", "/keys/", "openai", "admin", "admin", false, true, change },
	{ "DELETE", "/keys/", "openai", "admin", "admin", false, true,
	    revoke_key },
	{ "POST", "/keys/", "openai", "admin", "admin", false, true, rotate },
};
const size_t admin_door_count = sizeof admin_doors / sizeof admin_doors[0];
