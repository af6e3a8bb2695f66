/* What is not offered, in words. */
#include "app/nowhere.h"

#include <string.h>

static enum verdict serve_nothing(struct request *r);

const struct endpoint nowhere = { "", "", "openai", "none", "none", false,
	false, serve_nothing };

/* --------------------------------------------------------------- words */

#define CONTENT "content within the messages themselves"
#define KEPT "previous_response_id of POST /v1/responses"
#define FILES "/v1/files" /* Anthropic has other ones there than OpenAI */
#define OURS "tollgate keys and tollgate usage, or the admin API"

/*
 * What the official clients know (their paths, 2026-11) and tollgate does not
 * have. A row is for its path and all below it, with a '/' at its end only
 * for what is below. see NULL: what the surface has for its main door.
 */
static const struct row {
	const char *path, *what, *see;
} rows[] = {
	{ "/upload/v1beta", "files", CONTENT },
	{ "/v1/agents", "agents", NULL },
	{ "/v1/assistants", "assistants", "POST /v1/responses" },
	{ "/v1/chat/completions/", "kept chat completions",
	    "GET /v1/responses/{response_id}" },
	{ "/v1/chatkit", "ChatKit", NULL },
	{ "/v1/containers", "containers", NULL },
	{ "/v1/conversations", "conversations", KEPT },
	{ "/v1/environments", "agents", NULL },
	{ "/v1/evals", "evaluations", NULL },
	{ FILES, "files in this form", CONTENT },
	{ "/v1/fine_tuning", "fine-tuning", NULL },
	{ "/v1/live", "sessions in real time", NULL },
	{ "/v1/messages/batches", "batches", NULL },
	{ "/v1/organization", "accounts at providers", OURS },
	{ "/v1/organizations", "accounts at providers", OURS },
	{ "/v1/projects", "accounts at providers", OURS },
	{ "/v1/realtime", "sessions in real time", NULL },
	{ "/v1/responses/compact", "compaction", KEPT },
	{ "/v1/sessions", "agents", NULL },
	{ "/v1/skills", "skills", NULL },
	{ "/v1/threads", "assistants", "POST /v1/responses" },
	{ "/v1/uploads", "files", CONTENT },
	{ "/v1/vaults", "vaults", NULL },
	{ "/v1/vector_stores", "vector stores", CONTENT },
	{ "/v1/videos", "videos", NULL },
	{ "/v1beta/batches", "batches", NULL },
	{ "/v1beta/cachedContents", "kept prompts", NULL },
	{ "/v1beta/fileSearchStores", "file search stores", CONTENT },
	{ "/v1beta/files", "files", CONTENT },
	{ "/v1beta/interactions", "interactions", NULL },
	{ "/v1beta/tunedModels", "fine-tuning", NULL },
};

static const struct row *
row_of(const char *path, size_t len)
{
	size_t i, n;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		n = strlen(rows[i].path);
		if (len < n || memcmp(path, rows[i].path, n) != 0)
			continue;
		if (rows[i].path[n - 1] == '/' ? len > n :
		    len == n || path[n] == '/' || path[n] == ':')
			return &rows[i];
	}
	return NULL;
}

static bool
is_openai(const struct adapter *surface)
{
	return strcmp(surface->name, "openai") == 0;
}

bool
nowhere_known(const struct adapter *surface, const char *path, size_t len)
{
	const struct row *row = row_of(path, len);

	return row != NULL && !(is_openai(surface) &&
	    strcmp(row->path, FILES) == 0);
}

bool
nowhere_foreign(const struct adapter *surface, const char *path, size_t len)
{
	const struct row *row = row_of(path, len);

	return row != NULL && !is_openai(surface) &&
	    strcmp(row->path, FILES) == 0;
}

/* ------------------------------------------------------------- surfaces */

const struct adapter *
nowhere_surface(const struct request *r, const char *path)
{
	static const struct {
		const char *path, *header, *surface;
	} marks[] = {
		{ "/v1beta/", NULL, "gemini" },
		{ "/upload/v1beta/", NULL, "gemini" },
		{ "/v1/messages", NULL, "anthropic" },
		{ NULL, "HTTP_ANTHROPIC_VERSION", "anthropic" },
		{ NULL, "HTTP_X_GOOG_API_KEY", "gemini" },
	};
	size_t i;

	for (i = 0; i < sizeof marks / sizeof marks[0]; i++)
		if (marks[i].path != NULL ? strncmp(path, marks[i].path,
		    strlen(marks[i].path)) == 0 :
		    request_header(r, marks[i].header) != NULL)
			return adapter_find(marks[i].surface);
	return adapter_find("openai");
}

/* The doors that a client of this surface most likely looks for. */
static const char *
main_door(const struct adapter *surface)
{
	static const struct {
		const char *surface, *door;
	} doors[] = {
		{ "anthropic", "GET /v1/models and POST /v1/messages" },
		{ "gemini", "GET /v1/models and POST "
		    "/v1beta/models/{model}:generateContent" },
	};
	size_t i;

	for (i = 0; i < sizeof doors / sizeof doors[0]; i++)
		if (strcmp(surface->name, doors[i].surface) == 0)
			return doors[i].door;
	return "GET /v1/models and POST /v1/chat/completions";
}

static enum verdict
serve_nothing(struct request *r)
{
	const char *uri = request_header(r, "REQUEST_URI");
	const struct row *row;

	if (r->allow != NULL)
		return request_fault(r, ERR_BAD_METHOD);
	row = uri == NULL ? NULL : row_of(uri, strcspn(uri, "?"));
	return request_fail(r, ERR_NOT_FOUND, NULL,
	    "tollgate does not offer %s; see %s",
	    row == NULL ? "this path" : row->what,
	    row == NULL || row->see == NULL ? main_door(r->surface) :
	    row->see);
}
