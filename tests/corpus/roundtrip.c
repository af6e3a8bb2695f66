/*
 * A recording into the canonical form and out of it again, in the dialect it
 * came in. The client's own bytes do not pass here: its surface is a copy of
 * the adapter, so the provider's side takes it for another dialect.
 *
 *     roundtrip request DIALECT MODEL PATH REQUEST
 *     roundtrip reply|stream DIALECT MODEL PATH REQUEST ANSWER
 *
 * REQUEST and ANSWER are files, PATH is the rest of Gemini's. The first line
 * on stdout names what of the request was left out and the client is told
 * of, as a JSON array; the rest is what was written: JSON, or events. Exit
 * status 3 and the reason on stderr: refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/frames.h"
#include "app/base/json.h"
#include "app/base/limits.h"

static const struct answer_meta meta = { .request_id = "req_roundtrip",
	.provider = "p", .model = "m", .cost = -1 };

struct trip {
	struct arena *arena, *scratch;
	const struct adapter *to;
	struct adapter guest; /* the surface: the same, at another address */
	struct provider provider;
	struct deployment deployment;
	struct chat chat;
	struct stream reader, writer;
	struct fault fault;
	struct buf out;
	struct usage usage; /* of the answer so far */
	bool ended;
};

static void
die(int status, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(status);
}

static void
demand(struct trip *t, enum err e, const char *what)
{
	if (e != ERR_OK)
		die(3, what, *t->fault.text != '\0' ? t->fault.text :
		    err_row(e)->text);
}

static struct str
slurp(struct trip *t, const char *path)
{
	FILE *f = fopen(path, "rb");
	char chunk[8192];
	struct buf b;
	size_t n;
	char *p;

	if (f == NULL)
		die(1, path, "cannot be read");
	buf_init(&b, MIB(64));
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_put(&b, chunk, n);
	fclose(f);
	p = arena_dup(t->arena, b.data == NULL ? "" : b.data, b.len);
	if (p == NULL)
		die(1, path, "too large");
	n = b.len;
	buf_free(&b);
	return (struct str){ p, n };
}

static void
trip_init(struct trip *t, const char *dialect, const char *model,
    const char *path)
{
	memset(t, 0, sizeof *t);
	t->arena = arena_new(MIB(128));
	t->scratch = arena_new(MIB(64));
	t->to = adapter_find(dialect);
	if (t->arena == NULL || t->scratch == NULL || t->to == NULL)
		die(1, dialect, "no such dialect, or no memory");
	t->guest = *t->to;
	t->provider = (struct provider){ .name = "p", .adapter = dialect,
		.base_url = "http://p", .key = "", .organization = "",
		.project = "", .region = "", .api_version = "",
		.quirks = QUIRK_MAX_COMPLETION | QUIRK_REASONING_BACK };
	t->deployment = (struct deployment){ .id = "p/m", .model = model,
		.provider = &t->provider };
	t->chat.surface = &t->guest;
	t->chat.path = path;
	t->chat.query = "alt=sse";
	t->chat.beta = t->chat.user = "";
	t->reader = (struct stream){ .arena = t->arena,
		.scratch = t->scratch, .chat = &t->chat,
		.deployment = &t->deployment, .pieces = true };
	t->writer = t->reader;
	buf_init(&t->out, MIB(64));
}

static void
read_request(struct trip *t, const char *file)
{
	struct str body = slurp(t, file);

	demand(t, json_parse(&t->chat.doc, t->arena, body.p, body.len,
	    &t->fault), "json_parse");
	demand(t, t->to->read_request(t->arena, &t->chat, &t->fault),
	    "read_request");
	demand(t, t->to->read_chat(t->arena, &t->chat, &t->fault),
	    "read_chat");
	t->chat.stream_usage = true;
}

/* What the client is told that the provider does not get. */
static void
print_left_out(const struct trip *t)
{
	const struct adapter *to = t->to;
	const struct chat *chat = &t->chat;
	uint64_t takes = to->takes_of == NULL ? to->takes :
	    to->takes_of(&t->deployment);
	uint64_t left = chat->set & ~takes;
	struct json_writer w;
	struct buf b;
	unsigned k;
	size_t i;

	buf_init(&b, MIB(1));
	jw_init(&w, &b);
	jw_array(&w);
	for (i = 0; i < chat->extra_count; i++)
		jw_string(&w, chat->extras[i]);
	if (to->lacks != NULL)
		left |= chat->set & to->lacks(chat, &t->deployment);
	for (k = 0; param_word(k) != NULL; k++)
		if ((left >> k & 1) != 0)
			jw_string(&w, param_word(k));
	jw_end_array(&w);
	printf("%.*s\n", (int)b.len, b.data);
	buf_free(&b);
}

static void
trip_request(struct trip *t)
{
	struct http_call call = { 0 };

	demand(t, t->to->write_request(t->arena, &t->chat, &t->deployment,
	    &call, &t->fault), "write_request");
	buf_put(&t->out, call.body, call.body_len);
}

static void
trip_reply(struct trip *t, const char *file)
{
	struct str body = slurp(t, file);
	struct reply reply = { 0 };

	demand(t, t->to->read_reply(t->arena, &t->chat, &t->deployment,
	    body.p, body.len, &reply, &t->fault), "read_reply");
	if (reply.error != NULL)
		die(3, "read_reply", "an error");
	reply.from = NULL;
	demand(t, t->to->write_reply(t->arena, &t->chat, &reply, &meta,
	    &t->out), "write_reply");
}

static enum err
on_delta(void *arg, const struct delta *d)
{
	struct trip *t = arg;
	struct delta foreign = *d;

	if (d->kind == DELTA_ERROR)
		die(3, "read_event", d->error->message);
	if (d->usage.known)
		t->usage = d->usage;
	if (d->kind == DELTA_END) { /* as the relay does */
		foreign.usage = t->usage;
		t->ended = true;
	}
	foreign.from = NULL;
	foreign.raw = (struct str){ NULL, 0 };
	return t->to->write_delta(&t->writer, &foreign, &meta, &t->out);
}

static enum err
on_event(void *arg, const struct sse_event *ev)
{
	struct trip *t = arg;
	enum err e;

	e = t->to->read_event(&t->reader, ev, on_delta, t, &t->fault);
	arena_reset(t->scratch);
	return e;
}

static void
trip_stream(struct trip *t, const char *file)
{
	struct str body = slurp(t, file);
	struct frames f;

	frames_init(&f, t->to->framing, LIMIT_EVENT_LARGE);
	demand(t, frames_feed(&f, body.p, body.len, on_event, t),
	    "read_event");
	demand(t, frames_end(&f, on_event, t), "read_event");
	if (!t->ended)
		demand(t, on_event(t, NULL), "the end");
	frames_free(&f);
}

int
main(int argc, char **argv)
{
	bool request = argc == 6 && strcmp(argv[1], "request") == 0;
	bool reply = argc == 7 && strcmp(argv[1], "reply") == 0;
	bool stream = argc == 7 && strcmp(argv[1], "stream") == 0;
	struct trip t;

	if (!request && !reply && !stream)
		die(2, "usage", "request|reply|stream DIALECT MODEL PATH "
		    "REQUEST [ANSWER]");
	trip_init(&t, argv[2], argv[3], argv[4]);
	read_request(&t, argv[5]);
	if (request)
		trip_request(&t);
	else if (reply)
		trip_reply(&t, argv[6]);
	else
		trip_stream(&t, argv[6]);
	print_left_out(&t);
	fwrite(t.out.data == NULL ? "" : t.out.data, 1, t.out.len, stdout);
	buf_free(&t.out);
	arena_free(t.scratch);
	arena_free(t.arena);
	return 0;
}
