/* Lists of files and batches. */
#include "app/filed_int.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/answer.h"
#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/base/percent.h"
#include "app/previous.h"
#include "app/worker.h"

#define LIST_USUAL 20
#define LIST_PAGES 16 /* of the registry, for one of a purpose */

static void ask_page(struct filed *job);

static void
show_one(struct filed *job, const char *text, size_t len)
{
	struct request *r = job->request;
	struct entry e;
	struct owner owner;

	job->seen++;
	if (job->shown == job->limit) {
		job->more = true;
		return;
	}
	if (!entry_read(r->arena, text, len, &e))
		return;
	job->at = e.id;
	if (*job->purpose != '\0' && strcmp(e.purpose, job->purpose) != 0)
		return;
	previous_owner_named(r, e.provider, &owner);
	entry_show(&job->writer, r->arena, &owner, &e);
	job->first = job->shown == 0 ? e.id : job->first;
	job->last = e.id;
	job->shown++;
}

static void
put_end(struct json_writer *w, const char *key, const char *id)
{
	jw_key(w, key);
	if (id == NULL)
		jw_null(w);
	else
		jw_string(w, id);
}

static void
on_listed(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct filed *job = arg;
	struct json_writer *w = &job->writer;

	if (e != ERR_OK) {
		filed_note(job, why);
		filed_fail_row(job, ERR_KEPT);
		return;
	}
	if (text != NULL) {
		show_one(job, text, len);
		return;
	}
	/* Those of other purposes were passed over: there may be more. */
	if (!job->more && job->seen > job->limit && job->at != job->after) {
		if (++job->pages < LIST_PAGES) {
			ask_page(job);
			return;
		}
		job->more = true;
	}
	jw_end_array(w);
	put_end(w, "first_id", job->first);
	put_end(w, "last_id", job->last);
	canon_put_flag(w, "has_more", job->more);
	jw_end_object(w);
	filed_text(job, &job->list);
}

/* One value of the query, decoded, or NULL. */
static const char *
asked(struct request *r, const char *name)
{
	const char *p = r->query;
	size_t n = strlen(name), len;

	while (*p != '\0') {
		len = strcspn(p, "&");
		if (len > n && strncmp(p, name, n) == 0 && p[n] == '=')
			return percent_decode(r->arena, p + n + 1,
			    len - n - 1);
		p += len + (p[len] == '&');
	}
	return NULL;
}

static unsigned
asked_limit(struct request *r)
{
	const char *s = asked(r, "limit");
	unsigned n = 0;

	for (; s != NULL && *s >= '0' && *s <= '9' && n < 100000; s++)
		n = n * 10 + (unsigned)(*s - '0');
	return n == 0 ? LIST_USUAL : n > REGISTRY_PAGE ? REGISTRY_PAGE : n;
}

static void
ask_page(struct filed *job)
{
	struct registry *rg = filed_registry(job);

	if (rg == NULL)
		return;
	job->seen = 0;
	job->after = job->at;
	registry_list(rg, job->owner, job->at, job->limit + 1, on_listed,
	    job);
}

static void
begin_list(struct filed *job)
{
	struct request *r = job->request;
	bool files = strcmp(r->endpoint->word, "files") == 0;
	const char *after = asked(r, "after");

	job->owner = entry_owner(r->arena, files ? "file" : "batch",
	    r->key->name);
	if (job->owner == NULL) {
		filed_fail_row(job, ERR_INTERNAL);
		return;
	}
	job->limit = asked_limit(r);
	job->purpose = asked(r, "purpose");
	if (job->purpose == NULL)
		job->purpose = "";
	buf_init(&job->list, LIMIT_REPLY);
	jw_init(&job->writer, &job->list);
	jw_object(&job->writer);
	canon_put_text(&job->writer, "object", canon_lit("list"));
	jw_key(&job->writer, "data");
	jw_array(&job->writer);
	job->at = after == NULL ? "" : after;
	ask_page(job);
}

enum verdict
filed_list(struct request *r)
{
	static const struct route_facts none;
	struct filed *job = r->filed;

	if (job == NULL) {
		if (previous_retention(r, &none, "files and batches") !=
		    ERR_OK)
			return request_fault(r, r->fault.code);
		job = filed_job(r);
		if (job == NULL)
			return request_fault(r, ERR_INTERNAL);
		begin_list(job);
	}
	return job->finished ? DONE : WAIT;
}
