/* Files that are uploaded. */
#include "app/filed_int.h"

#include <string.h>

#include "adapters/files.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/form.h"
#include "app/base/limits.h"
#include "app/previous.h"
#include "app/worker.h"

#define TURN KIB(512) /* bytes of lines in one turn of the loop */

const struct form_part *
filed_part(const struct request *r)
{
	return form_find(r->chat.form, "file");
}

/* What the provider says of a file that it has now. */
static void
on_uploaded(void *arg)
{
	struct filed *job = arg;
	struct request *r = job->request;
	struct entry *e = &job->entry;
	struct owner owner;
	struct json doc;

	if (filed_failed(job) || !filed_object(job, &doc))
		return;
	e->own = batch_text(&doc, JSON_ROOT, "id", r->arena);
	json_int(&doc, json_get(&doc, JSON_ROOT, "bytes"), &e->bytes);
	json_int(&doc, json_get(&doc, JSON_ROOT, "expires_at"), &e->expires);
	if (e->expires < 0 || e->expires > INT64_MAX / SECOND)
		e->expires = 0;
	previous_owner(r, job->provider, &owner);
	e->id = *e->own == '\0' ? NULL : owned_id(r->arena, &owner,
	    (struct str){ e->own, strlen(e->own) });
	if (e->id == NULL) {
		filed_fail_row(job, ERR_BAD_UPSTREAM);
		return;
	}
	filed_put(job);
}

static void
describe(struct filed *job, size_t len)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;
	int64_t wanted = files_expiry(&r->chat);

	e->kind = "file";
	e->key = r->key->name;
	e->provider = job->provider->name;
	e->filename = filed_part(r)->filename;
	e->purpose = filed_member(r, "purpose");
	e->made = clock_wall() / SECOND;
	e->bytes = (int64_t)len;
	if (wanted > 0)
		e->expires = e->made + wanted;
}

static void
upload(struct filed *job, const char *content, size_t len)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;
	struct http_call *call = filed_call(job);
	struct batch_upload up;

	describe(job, len);
	up = (struct batch_upload){ .purpose = e->purpose,
		.filename = e->filename, .content = { content, len },
		.ttl = files_expiry(&r->chat) };
	filed_ask(job, job->dialect->upload(r->arena, job->provider, &up,
	    call, &r->fault), on_uploaded);
}

/* The client's id of what waits here. */
const char *
filed_spool_id(struct filed *job, bool key)
{
	struct request *r = job->request;
	const char *own = key ? spool_own(r->arena, &job->spool) :
	    spool_record(r->arena, &job->spool);
	struct owner owner;

	previous_owner_named(r, job->provider->name, &owner);
	return own == NULL ? NULL : owned_id(r->arena, &owner, (struct str){
	    own, strlen(own) });
}

static void
on_sealed(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct filed *job = arg;

	job->entry.kind = "file";
	job->entry.id = filed_spool_id(job, true);
	if (e == ERR_OK && job->entry.id == NULL)
		filed_fail_row(job, ERR_INTERNAL);
	else
		filed_on_put(job, e, text, len, why);
}

/* It waits in the store; the client has the key to it. */
static void
on_spooled(void *arg, enum err e)
{
	struct filed *job = arg;
	struct request *r = job->request;
	struct registry *rg;
	struct registry_row row;

	if (e == ERR_TOO_LARGE) {
		request_fail(r, ERR_OVERLOADED, NULL, "there is no room for "
		    "another file that waits for its batch");
		filed_done(job);
		return;
	}
	rg = e == ERR_OK ? filed_registry(job) : NULL;
	if (e != ERR_OK) {
		filed_fail_row(job, e);
	} else if (rg != NULL) {
		/* Not in a list: what is written here has not the key. */
		job->entry.kind = "spool";
		job->entry.id = spool_record(r->arena, &job->spool);
		if (job->entry.id == NULL || entry_row(r->arena, &job->entry,
		    clock_wall(), &row) == NULL)
			filed_fail_row(job, ERR_INTERNAL);
		else
			registry_put(rg, &row, "", on_sealed, job);
	}
}

static void
spool(struct filed *job, const char *content, size_t len)
{
	struct request *r = job->request;
	struct entry *e = &job->entry;
	struct registry *rg = filed_registry(job);
	int64_t ttl;

	if (rg == NULL)
		return;
	describe(job, len);
	ttl = e->expires > 0 ? e->expires - e->made : SPOOL_TTL;
	e->expires = e->made + (ttl > SPOOL_TTL_MOST ? SPOOL_TTL_MOST : ttl);
	e->pieces = spool_pieces(len);
	if (!spool_new(&job->spool))
		filed_fail_row(job, ERR_INTERNAL);
	else
		spool_write(&job->spool, r->arena, rg, content, len,
		    e->expires * SECOND, on_spooled, job);
}

/* All lines are written: what they are goes with the file. */
static void
upload_lines(struct filed *job)
{
	const struct lines *l = &job->lines;
	const struct deployment *d = l->deployment;
	struct entry *e = &job->entry;

	e->adapter = d->provider->adapter;
	e->deployment = d->id;
	e->up = d->model;
	e->model = l->model;
	e->path = l->path;
	e->lines = l->count;
	e->most = l->most > LEDGER_MAX ? LEDGER_MAX : l->most;
	e->price = d->price;
	if (job->dialect->keeps)
		upload(job, l->out.data, l->out.len);
	else
		spool(job, l->out.data, l->out.len);
}

static void
on_turn(uv_timer_t *t)
{
	struct request *r = t->data;
	struct filed *job = r->filed;
	bool more = false;
	enum err e;

	if (job->finished)
		return;
	e = lines_some(&job->lines, TURN, &more, &r->fault);
	if (e != ERR_OK)
		filed_fail(job, e, &r->fault);
	else if (more)
		uv_timer_start(&r->timer, on_turn, 0, 0);
	else
		upload_lines(job);
}

void
filed_upload(struct filed *job)
{
	struct request *r = job->request;
	const struct form_part *p = filed_part(r);

	if (job->lines.arena == NULL) {
		upload(job, p->data, p->len);
		return;
	}
	if (uv_timer_init(r->worker->loop, &r->timer) != 0) {
		filed_fail_row(job, ERR_INTERNAL);
		return;
	}
	r->timer.data = r;
	r->timer_open = true;
	uv_timer_start(&r->timer, on_turn, 0, 0);
}
