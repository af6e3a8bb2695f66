/*
 * Between the files of app/filed.h: filed.c has the doors, filed_plan.c who is
 * asked, filed_help.c what all of them do, filed_upload.c, filed_file.c and
 * filed_content.c files, filed_batch.c batches, filed_list.c lists.
 */
#ifndef TOLLGATE_APP_FILED_INT_H
#define TOLLGATE_APP_FILED_INT_H

#include "adapters/batch.h"
#include "app/ask.h"
#include "app/base/frames.h"
#include "app/counters.h"
#include "app/entry.h"
#include "app/filed.h"
#include "app/ledger.h"
#include "app/lines.h"
#include "app/results.h"
#include "app/spool.h"

struct form_part;

#define SECOND INT64_C(1000000)

/* What a request of these doors has under way. Of its arena. */
struct filed {
	struct request *request;
	const struct batch_dialect *dialect;
	const struct provider *provider;
	struct ask ask;
	bool begun, finished;
	struct lines lines;
	const char *was; /* the record as it was read */
	size_t was_len;
	struct entry entry;
	struct spool spool; /* of an input that waits here */
	struct buf input;
	/* Answers that are translated on their way. */
	struct results results;
	struct arena *scratch;
	struct frames frames;
	bool reading, errors;
	/* What a batch may cost. */
	struct counters counters;
	unsigned own; /* of them are the client's; then its provider's */
	struct hold hold;
	/* A list. */
	struct buf list;
	struct json_writer writer;
	unsigned limit, shown, seen, pages;
	const char *owner, *after, *at; /* whose; the page's place; the last */
	bool more;
	const char *purpose; /* of files, "" = any */
	const char *first, *last;
};

/* A door, by its word in endpoint.c. */
struct door {
	const char *word;
	void (*begin)(struct filed *job);
	const char *what; /* that the path names, NULL: none */
};

/* NULL: no memory. */
struct filed *filed_job(struct request *r);

/* A string of the document, "" where it is none; the file of a form. */
const char *filed_member(const struct request *r, const char *name);
const struct form_part *filed_part(const struct request *r);

/*
 * The end: all is said; a fault; the fault of a row; that there is none; a
 * body, or a record, as the answer.
 */
void filed_done(struct filed *job);
void filed_fail(struct filed *job, enum err e, const struct fault *f);
void filed_fail_row(struct filed *job, enum err e);
void filed_missing(struct request *r, const char *what, const char *id);
void filed_text(struct filed *job, struct buf *b);
void filed_show(struct filed *job, const struct entry *e);

/* The registry; NULL: it was told that there is none. */
struct registry *filed_registry(struct filed *job);
void filed_note(struct filed *job, const char *why);

/*
 * One call: a fresh one is filled in, then asked, with what e says of that;
 * done hears of it. filed_failed: it did, and that was told; filed_object:
 * false when the answer is none, and that was told.
 */
struct http_call *filed_call(struct filed *job);
void filed_ask(struct filed *job, enum err e, void (*done)(void *arg));
bool filed_failed(struct filed *job);
bool filed_object(struct filed *job, struct json *doc);

/* The job's record goes to the registry, and to the client. */
void filed_put(struct filed *job);
void filed_on_put(void *arg, enum err e, const char *text, size_t len,
    const char *why);

/* The record of that id: job->was, NULL = there is none; then next. */
void filed_find(struct filed *job, const char *id,
    void (*next)(struct filed *job));
bool filed_is_batch(struct filed *job, const char *id);

/*
 * Inputs that wait here: is it asked for one? The client's id, with its key or
 * without; its record; its end. filed_lost hears nothing.
 */
bool filed_is_spooled(struct filed *job);
const char *filed_spool_id(struct filed *job, bool key);
void filed_find_spooled(struct filed *job, void (*next)(struct filed *job));
void filed_lose_spooled(struct filed *job, registry_fn *fn, void *arg);
void filed_lost(void *arg, enum err e, const char *text, size_t len,
    const char *why);

/* Answers that have no file of their own: their batch. */
bool filed_is_answers(const struct filed *job);
void filed_find_batch(struct filed *job, void (*next)(struct filed *job));

/* Does the provider keep files? Else there is none, which is told. */
bool filed_keeps(struct filed *job);
enum err filed_call_file(struct filed *job, const char *method,
    const char *tail);

/* What the doors do. */
void filed_upload(struct filed *job);
void filed_file(struct filed *job);
void filed_delete(struct filed *job);
void filed_content(struct filed *job);
void filed_create(struct filed *job);
void filed_batch(struct filed *job);
void filed_cancel(struct filed *job);

const struct door *filed_door(const struct request *r);

#endif
