/* Files and batches, as clients ask for them. */
#include "app/filed_int.h"

#include <string.h>

#include "adapters/files.h"
#include "app/base/arena.h"
#include "app/worker.h"

static const struct door doors[] = {
	{ "upload", filed_upload, NULL },
	{ "batch_create", filed_create, NULL },
	{ "file", filed_file, "File" },
	{ "file_delete", filed_delete, "File" },
	{ "file_content", filed_content, "File" },
	{ "batch", filed_batch, "Batch" },
	{ "batch_cancel", filed_cancel, "Batch" },
};

const struct door *
filed_door(const struct request *r)
{
	size_t i;

	for (i = 0; i < sizeof doors / sizeof doors[0]; i++)
		if (strcmp(doors[i].word, r->endpoint->word) == 0)
			return &doors[i];
	return NULL;
}

bool
filed_is(const struct request *r)
{
	return r->chat.task.door != NULL &&
	    strcmp(r->chat.task.door, FILES_DOOR) == 0;
}

enum verdict
filed_run(struct request *r)
{
	struct filed *job = r->filed;

	if (job == NULL)
		return GO;
	if (!job->begun) {
		job->begun = true;
		filed_door(r)->begin(job);
	}
	return job->finished ? DONE : WAIT;
}

void
filed_drained(struct request *r)
{
	r->full = false;
	if (r->filed != NULL && !r->filed->finished)
		ask_resume(&r->filed->ask);
}

/* What changes something goes on to its end; what is only read does not. */
void
filed_gone(struct request *r)
{
	struct filed *job = r->filed;

	r->gone = true;
	if (job == NULL || job->finished || !job->ask.busy ||
	    job->ask.data == NULL)
		return;
	ask_end(&job->ask);
	filed_fail_row(job, ERR_CLIENT_GONE);
}

void
filed_stop(struct request *r)
{
	struct filed *job = r->filed;

	/* The store answers soon. */
	if (job == NULL || job->finished || !job->ask.busy)
		return;
	ask_end(&job->ask);
	filed_fail_row(job, ERR_DRAINING);
}

void
filed_close(struct request *r)
{
	struct filed *job = r->filed;

	if (job == NULL)
		return;
	ask_end(&job->ask);
	lines_end(&job->lines);
	buf_free(&job->list);
	buf_free(&job->input);
	if (job->reading)
		frames_free(&job->frames);
	arena_free(job->scratch);
	/* Of one that was sent nobody knows: its lease ends as charged. */
	if (job->hold.live && !job->hold.sent)
		ledger_release(r->worker->ledger, &job->hold, NULL, NULL);
	if (r->worker->ledger != NULL)
		ledger_forget(r->worker->ledger, &job->hold);
}
