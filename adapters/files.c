/* What requests for files and batches say. */
#include "adapters/files.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/canon.h"
#include "adapters/openai.h"
#include "adapters/reading.h"
#include "app/base/arena.h"
#include "app/base/form.h"

#define ANCHOR "expires_after[anchor]"
#define SECONDS "expires_after[seconds]"

static const struct rd_member form_members[] = {
	{ "purpose", IS(STRING), "a string" },
	{ "model", IS(STRING), "a string" },
	{ ANCHOR, IS(STRING), "a string" },
	{ SECONDS, IS(STRING), "a number" },
};

static const struct rd_member batch_members[] = {
	{ "input_file_id", IS(STRING), "a string" },
	{ "endpoint", IS(STRING), "a string" },
	{ "completion_window", IS(STRING), "a string" },
	{ "metadata", IS(OBJECT), "an object" },
};

static void
set_up(struct chat *chat)
{
	chat->task.door = FILES_DOOR;
	chat->user = "";
	chat->free = true; /* what costs is held apart */
	chat->choices = 1;
}

int64_t
files_expiry(const struct chat *chat)
{
	uint32_t v = json_get(&chat->doc, JSON_ROOT, SECONDS);
	size_t len = 0;
	const char *p = json_raw(&chat->doc, v, &len);
	int64_t n = 0;

	if (p == NULL || json_type(&chat->doc, v) != JSON_STRING)
		return 0;
	for (p++, len -= 2; len > 0 && *p >= '0' && *p <= '9' && n <
	    FILES_TTL_MOST * 10; p++, len--)
		n = n * 10 + (*p - '0');
	return len == 0 ? n : -1;
}

static enum err
check_expiry(const struct chat *chat, struct fault *f)
{
	uint32_t anchor = json_get(&chat->doc, JSON_ROOT, ANCHOR);
	int64_t n = files_expiry(chat);

	if (anchor != JSON_NONE && !json_is(&chat->doc, anchor, "created_at"))
		return fault_set(f, ERR_BAD_REQUEST, ANCHOR,
		    "'" ANCHOR "' must be 'created_at'");
	return n == 0 || (n >= FILES_TTL_LEAST && n <= FILES_TTL_MOST) ?
	    ERR_OK : fault_set(f, ERR_BAD_REQUEST, SECONDS,
	    "'" SECONDS "' must be 3600 to 2592000");
}

static enum err
files_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct form_part *p = form_find(chat->form, "file");
	enum err e = rd_types(&chat->doc, form_members,
	    sizeof form_members / sizeof form_members[0], true, f);

	if (e != ERR_OK)
		return e;
	set_up(chat);
	chat->model = rd_word(&chat->doc, "model", a);
	if (strlen(chat->model) > LIMIT_MODEL_NAME)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "'model' is too long");
	if (!json_nonempty(&chat->doc, json_get(&chat->doc, JSON_ROOT,
	    "purpose")))
		return fault_set(f, ERR_BAD_REQUEST, "purpose",
		    "'purpose' is missing");
	if (p == NULL || p->filename == NULL)
		return fault_set(f, ERR_BAD_REQUEST, "file",
		    "'file' is missing");
	if (p->len == 0)
		return fault_set(f, ERR_BAD_REQUEST, "file",
		    "'file' is empty");
	return check_expiry(chat, f);
}

static enum err
batches_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	static const char *const needed[] = { "input_file_id", "endpoint",
		"completion_window" };
	enum err e = rd_types(&chat->doc, batch_members,
	    sizeof batch_members / sizeof batch_members[0], true, f);
	size_t i;

	(void)a;
	for (i = 0; e == ERR_OK && i < sizeof needed / sizeof needed[0]; i++)
		if (!json_nonempty(&chat->doc, json_get(&chat->doc,
		    JSON_ROOT, needed[i])))
			e = fault_set(f, ERR_BAD_REQUEST, needed[i],
			    "'%s' is missing", needed[i]);
	if (e == ERR_OK && canon_raw(&chat->doc, json_get(&chat->doc,
	    JSON_ROOT, "metadata")).len > FILES_METADATA)
		e = fault_set(f, ERR_BAD_REQUEST, "metadata",
		    "'metadata' has more than %zu bytes", FILES_METADATA);
	set_up(chat);
	chat->model = "";
	return e;
}

static enum err
filed_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	(void)a;
	(void)f;
	set_up(chat);
	chat->model = "";
	return ERR_OK;
}

const struct adapter adapter_files = {
	.name = "files",
	.form = true,
	.read_request = files_read_request,
	.write_error = openai_write_error,
};

const struct adapter adapter_batches = {
	.name = "batches",
	.read_request = batches_read_request,
	.write_error = openai_write_error,
};

const struct adapter adapter_filed = {
	.name = "filed",
	.bodiless = true,
	.read_request = filed_read_request,
	.write_error = openai_write_error,
};
