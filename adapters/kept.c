/* Kept answers: what may be done with them, and with which settings. */
#include "adapters/kept.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/reply.h"
#include "adapters/responses.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/limits.h"
#include "app/base/percent.h"

#define LIST_MOST 100 /* items of one page: OpenAI's bound */

/* ------------------------------------------------------------ request */

enum { RETRIEVE = 1 << 0, DELETE = 1 << 1, CANCEL = 1 << 2, ITEMS = 1 << 3 };

static const struct action {
	const char *word, *method, *tail;
	unsigned bit;
} actions[] = {
	{ "retrieve", "GET", "", RETRIEVE },
	{ "delete", "DELETE", "", DELETE },
	{ "cancel", "POST", "/cancel", CANCEL },
	{ "input_items", "GET", "/input_items", ITEMS },
};

static const struct action *
action_of(const struct chat *chat)
{
	size_t i;

	for (i = 1; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(actions[i].word, chat->word) == 0)
			return &actions[i];
	return &actions[0];
}

static bool
is_word(const char *s)
{
	return *s != '\0' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

static bool
is_flag(const char *s)
{
	return strcmp(s, "true") == 0 || strcmp(s, "false") == 0;
}

static bool
is_number(const char *s)
{
	return *s != '\0' && strlen(s) <= 9 &&
	    s[strspn(s, "0123456789")] == '\0';
}

static bool
is_page(const char *s)
{
	size_t i;
	int n = 0;

	if (!is_number(s) || strlen(s) > 3)
		return false;
	for (i = 0; s[i] != '\0'; i++)
		n = n * 10 + (s[i] - '0');
	return n >= 1 && n <= LIST_MOST;
}

static bool
is_order(const char *s)
{
	return strcmp(s, "asc") == 0 || strcmp(s, "desc") == 0;
}

static const struct setting {
	const char *name;
	unsigned of; /* actions that take it */
	bool list;   /* may be there more than once */
	bool (*good)(const char *value);
	const char *what;
} settings[] = {
	{ "include", RETRIEVE | ITEMS, true, is_word, "a word" },
	{ "include[]", RETRIEVE | ITEMS, true, is_word, "a word" },
	{ "stream", RETRIEVE, false, is_flag, "true or false" },
	{ "starting_after", RETRIEVE, false, is_number, "a number" },
	{ "include_obfuscation", RETRIEVE, false, is_flag, "true or false" },
	{ "limit", ITEMS, false, is_page, "a number from 1 to 100" },
	{ "order", ITEMS, false, is_order, "asc or desc" },
	{ "after", ITEMS, false, is_word, "the id of an item" },
};

/* A query as it is read. */
struct query {
	const struct action *action;
	unsigned seen; /* settings, by place */
	bool stream;
	struct buf out; /* the same for the provider */
};

static const struct setting *
setting_of(const char *name, unsigned action)
{
	size_t i;

	for (i = 0; i < sizeof settings / sizeof settings[0]; i++)
		if ((settings[i].of & action) != 0 &&
		    strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

/* "name=value" of a query, decoded. NULL: it cannot be. */
static const char *
split(struct arena *a, const char *p, size_t len, const char **value)
{
	const char *eq = memchr(p, '=', len);
	size_t n = eq == NULL ? len : (size_t)(eq - p);

	*value = eq == NULL ? "" : percent_decode(a, eq + 1, len - n - 1);
	return *value == NULL ? NULL : percent_decode(a, p, n);
}

/* One that is known, where it may stand. */
static enum err
check_setting(struct query *q, const char *name, const char *value,
    struct fault *f)
{
	const struct setting *s = setting_of(name, q->action->bit);
	unsigned bit;

	if (s == NULL)
		return fault_set(f, ERR_BAD_REQUEST, name,
		    "unknown parameter '%.64s'", name);
	if (!s->good(value))
		return fault_set(f, ERR_BAD_REQUEST, name,
		    "'%s' must be %s", name, s->what);
	bit = 1U << (s - settings);
	if (!s->list && (q->seen & bit) != 0)
		return fault_set(f, ERR_BAD_REQUEST, name,
		    "'%s' is there twice", name);
	q->seen |= bit;
	q->stream = q->stream || (strcmp(name, "stream") == 0 &&
	    strcmp(value, "true") == 0);
	return ERR_OK;
}

static enum err
put_setting(struct arena *a, struct query *q, const char *p, size_t len,
    struct fault *f)
{
	const char *name, *value;
	enum err e;

	name = split(a, p, len, &value);
	if (name == NULL)
		return fault_set(f, ERR_BAD_REQUEST, NULL,
		    "the query is not well encoded");
	if (strcmp(name, "key") == 0) /* the client's credential */
		return ERR_OK;
	e = check_setting(q, name, value, f);
	buf_putc(&q->out, q->out.len == 0 ? '?' : '&');
	percent_put(&q->out, name, strlen(name));
	buf_putc(&q->out, '=');
	percent_put(&q->out, value, strlen(value));
	return e;
}

/* The client's query as the provider gets it: nothing that is not known. */
static enum err
read_query(struct arena *a, const struct chat *chat, struct query *q,
    struct fault *f)
{
	const char *p = chat->query;
	enum err e = ERR_OK;
	size_t len;

	memset(q, 0, sizeof *q);
	q->action = action_of(chat);
	buf_init(&q->out, LIMIT_URI * 4);
	while (*p != '\0' && e == ERR_OK) {
		len = strcspn(p, "&");
		if (len > 0)
			e = put_setting(a, q, p, len, f);
		p += len + (p[len] == '&');
	}
	return e == ERR_OK && q->out.failed ? fault_memory(f) : e;
}

static enum err
kept_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	struct query q;
	enum err e = read_query(a, chat, &q, f);

	chat->model = chat->user = "";
	chat->task.door = KEPT_DOOR;
	chat->free = true;
	chat->choices = 1;
	chat->stream = q.stream;
	buf_free(&q.out);
	return e;
}

static enum err
kept_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	struct query q;
	enum err e = read_query(a, chat, &q, f);
	struct buf url;

	buf_init(&url, LIMIT_URI * 8);
	buf_printf(&url, "%s/responses/", d->provider->base_url);
	percent_put(&url, chat->previous_own, strlen(chat->previous_own));
	buf_puts(&url, q.action->tail);
	if (q.out.len > 0)
		buf_put(&url, q.out.data, q.out.len);
	buf_free(&q.out);
	call->method = q.action->method;
	call->url = canon_take(a, &url).p;
	return e == ERR_OK && call->url == NULL ? fault_memory(f) : e;
}

/* ------------------------------------------------------------- answer */

/* A deletion may be answered with nothing; clients get OpenAI's answer. */
static const char *
deleted(struct arena *a, const struct chat *chat)
{
	struct str id = canon_quoted(a, chat->previous_own);

	return id.p == NULL ? NULL : arena_printf(a, "{\"id\":%.*s,"
	    "\"object\":\"response\",\"deleted\":true}", (int)id.len, id.p);
}

/* An object, and what it says of an error is the kept answer's own. */
static enum err
kept_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);

	(void)d;
	if (len == 0 && action_of(chat)->bit == DELETE) {
		body = deleted(a, chat);
		len = body == NULL ? 0 : strlen(body);
	}
	if (doc == NULL || body == NULL)
		return ERR_INTERNAL;
	if (json_parse(doc, a, body, len, NULL) != ERR_OK ||
	    json_type(doc, JSON_ROOT) != JSON_OBJECT)
		return reply_bad(f, "no JSON object");
	reply->from = &adapter_responses;
	reply->doc = doc;
	reply->raw = canon_raw(doc, JSON_ROOT);
	return ERR_OK;
}

/* Whom the deltas of a stream go to. */
struct teller {
	delta_fn *emit;
	void *arg;
};

static enum err
unpaid(void *arg, const struct delta *d)
{
	const struct teller *to = arg;
	struct delta own = *d;

	memset(&own.usage, 0, sizeof own.usage);
	memset(&own.begun, 0, sizeof own.begun);
	return to->emit(to->arg, &own);
}

/* The stream of an answer that was paid for when it was made. */
static enum err
kept_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct teller to = { emit, arg };

	return responses_read_event(s, ev, unpaid, &to, f);
}

/* What is missing is the answer, not a model. */
static void
kept_classify(struct arena *a, int status, const char *body, size_t len,
    struct upstream_error *out)
{
	errors_classify(a, status, body, len, out);
	if (status == 404)
		out->fail = FAIL_REQUEST;
}

const struct adapter adapter_kept = {
	.name = "kept",
	.bodiless = true,
	.large_events = true,
	.framing = FRAMING_SSE,
	.read_request = kept_read_request,
	.write_reply = responses_write_reply,
	.write_delta = responses_write_delta,
	.write_error = responses_write_error,
	.write_stream_error = responses_write_stream_error,
	.write_request = kept_write_request,
	.read_reply = kept_read_reply,
	.read_event = kept_read_event,
	.classify = kept_classify,
};
