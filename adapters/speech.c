/* Speech: a client's request, and OpenAI's dialect as a provider. */
#include "adapters/speech.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reading.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

/*
 * gpt-4o-mini-tts costs 12 USD a million audio tokens, and "about 0.015 USD a
 * minute" (OpenAI's list of prices, as quoted in community.openai.com/t/1151816,
 * read 2026-11): 1250 tokens.
 */
#define TOKENS_MINUTE 1250

/*
 * And the most that a character can be: "9" is spoken for no more than two
 * thirds of a second; what is slowed down takes four times as long.
 */
#define TOKENS_CHARACTER 16
#define TOKENS_MORE 1024
#define SLOWEST 4

/*
 * Formats, and bytes of a second, low rather than high. mp3 and aac at
 * 128 kbit/s, pcm and wav 24 kHz with 16 bits, as the guide to text to speech
 * has them; opus and flac as measured.
 */
static const struct {
	const char *word, *type;
	int64_t second;
} formats[] = {
	{ "mp3", "audio/mpeg", 16000 }, /* also what is not said */
	{ "opus", "audio/opus", 8000 },
	{ "aac", "audio/aac", 16000 },
	{ "flac", "audio/flac", 24000 },
	{ "wav", "audio/wav", 48000 },
	{ "pcm", "audio/pcm", 48000 },
};

static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "input", IS(STRING), "a string" },
	{ "voice", IS(STRING) | IS(OBJECT), "a string or an object" },
	{ "instructions", IS(STRING), "a string" },
	{ "response_format", IS(STRING), "a string" },
	{ "speed", IS(NUMBER), "a number" },
	{ "stream_format", IS(STRING), "a string" },
};

static const char *const known[] = { "model", "input", "voice",
	"instructions", "response_format", "speed", "stream_format", "models",
	"fallbacks" };

/* ----------------------------------------------------------- request */

static size_t
format_of(const struct chat *chat)
{
	uint32_t v = json_get(&chat->doc, JSON_ROOT, "response_format");
	size_t i = sizeof formats / sizeof formats[0];

	while (--i > 0 && !json_is(&chat->doc, v, formats[i].word))
		;
	return i;
}

static int64_t
characters(struct str s)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < s.len; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static enum err
read_most(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	struct str input = canon_str(doc, json_get(doc, JSON_ROOT, "input"),
	    a);
	int64_t *most = chat->task.most;
	bool paced = json_type(doc, json_get(doc, JSON_ROOT, "speed")) ==
	    JSON_NUMBER;

	if (input.p == NULL)
		return fault_memory(f);
	most[UNIT_CHARACTERS] = characters(input);
	most[UNIT_OUTPUT] = (most[UNIT_CHARACTERS] * TOKENS_CHARACTER +
	    TOKENS_MORE) * (paced ? SLOWEST : 1);
	return ERR_OK;
}

static enum err
speech_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0], true,
	    f);
	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK && !json_nonempty(doc, json_get(doc, JSON_ROOT,
	    "input")))
		e = fault_set(f, ERR_BAD_REQUEST, "input",
		    "'input' is missing or empty");
	if (e == ERR_OK)
		e = read_most(a, chat, f);
	if (e != ERR_OK)
		return e;
	chat->task.door = SPEECH_DOOR;
	chat->task.texts = 1;
	chat->task.bytes = !json_is(doc, json_get(doc, JSON_ROOT,
	    "stream_format"), "sse");
	chat->stream = true;
	chat->choices = 1;
	chat->user = "";
	return ERR_OK;
}

/* A member of the request as a message. */
static bool
add_text(struct chat *chat, struct arena *a, const char *name, enum role role)
{
	struct message *m = &chat->messages[chat->message_count];
	struct parts parts = { .arena = a };
	uint32_t v = json_get(&chat->doc, JSON_ROOT, name);

	if (!json_nonempty(&chat->doc, v))
		return true;
	if (!parts_text(&parts, PART_TEXT, canon_str(&chat->doc, v, a)))
		return false;
	m->role = role;
	m->parts = parts.list;
	m->part_count = parts.count;
	chat->message_count++;
	return true;
}

static enum err
speech_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	canon_defaults(chat);
	chat->messages = arena_zalloc(a, 2 * sizeof *chat->messages);
	chat->message_count = 0;
	if (chat->messages == NULL ||
	    !add_text(chat, a, "instructions", ROLE_SYSTEM) ||
	    !add_text(chat, a, "input", ROLE_USER))
		return fault_memory(f);
	canon_given(chat);
	chat->whole = true;
	return canon_extras(chat, a, known, sizeof known / sizeof known[0],
	    f);
}

/* ----------------------------------------------------------- provider */

static enum err
speech_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	return openai_pass_on(a, chat, d, "audio/speech", call, f);
}

/*
 * What so many bytes of audio cost: the characters of the input, all of them
 * from the first byte on, and tokens by the time that they take where those
 * are sold. Nobody tells.
 */
static void
heard(const struct chat *chat, const struct deployment *d, int64_t bytes,
    struct usage *u)
{
	int64_t minute = formats[format_of(chat)].second * 60;

	memset(u, 0, sizeof *u);
	u->known = true;
	u->n[UNIT_CHARACTERS] = chat->task.most[UNIT_CHARACTERS];
	if (price_rate(&d->price, UNIT_AUDIO_OUTPUT, 0) == 0)
		return;
	u->n[UNIT_AUDIO_OUTPUT] = 1 + bytes / minute * TOKENS_MINUTE +
	    bytes % minute * TOKENS_MINUTE / minute;
	u->estimated = true;
}

/* {"usage": {"input_tokens", "output_tokens"}}: text and audio. */
static bool
told(const struct chat *chat, const struct json *doc, struct usage *u)
{
	uint32_t v = json_get(doc, JSON_ROOT, "usage");
	int64_t in = 0, of = 0;
	bool any;

	any = reply_tokens(doc, v, "input_tokens", &in);
	any |= reply_tokens(doc, v, "output_tokens", &of);
	if (!any)
		return false;
	memset(u, 0, sizeof *u);
	u->n[UNIT_CHARACTERS] = chat->task.most[UNIT_CHARACTERS];
	u->n[UNIT_INPUT] = in;
	u->n[UNIT_AUDIO_OUTPUT] = of;
	u->known = true;
	return true;
}

/* Mistral's: all of the audio as base64. */
static enum err
speech_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);
	struct str audio;
	enum err e;

	if (doc == NULL)
		return ERR_INTERNAL;
	e = reply_parse(a, body, len, doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	audio = canon_str(doc, json_get(doc, JSON_ROOT, "audio_data"), a);
	if (audio.len == 0 || !canon_is_base64(audio))
		return reply_bad(f, "no audio");
	if (!told(chat, doc, &reply->usage))
		heard(chat, d, (int64_t)audio.len / 4 * 3, &reply->usage);
	reply->doc = doc;
	reply->raw = audio;
	reply->finish = FINISH_STOP;
	reply->streams = true;
	reply->type = chat->task.bytes ? formats[format_of(chat)].type :
	    "text/event-stream; charset=utf-8";
	return ERR_OK;
}

/* What a stream has brought. */
struct seen {
	int64_t bytes;
	bool ended;
};

static struct seen *
seen_of(struct stream *s)
{
	if (s->own == NULL)
		s->own = arena_zalloc(s->arena, sizeof(struct seen));
	return s->own;
}

static enum err
end_stream(struct seen *seen, delta_fn *emit, void *arg)
{
	if (seen->ended)
		return ERR_OK;
	seen->ended = true;
	return reply_end(&adapter_speech, emit, arg);
}

/* So many bytes of audio more, in this form. */
static enum err
more_audio(struct stream *s, struct seen *seen, int64_t bytes,
    struct delta *d, delta_fn *emit, void *arg)
{
	seen->bytes += bytes;
	d->kind = DELTA_CONTENT;
	heard(s->chat, s->deployment, seen->bytes, &d->begun);
	return emit(arg, d);
}

static enum err
one_event(struct stream *s, struct seen *seen, const struct sse_event *ev,
    const struct json *doc, delta_fn *emit, void *arg)
{
	uint32_t type = json_get(doc, JSON_ROOT, "type");
	struct delta d;
	size_t len = 0;
	enum err e;

	memset(&d, 0, sizeof d);
	d.kind = DELTA_META;
	d.from = &adapter_speech;
	d.event = ev->name;
	d.raw = canon_raw(doc, JSON_ROOT);
	if (json_is(doc, type, "speech.audio.delta")) {
		json_raw(doc, json_get(doc, JSON_ROOT, "audio"), &len);
		return more_audio(s, seen, (int64_t)len / 4 * 3, &d, emit,
		    arg);
	}
	if (!json_is(doc, type, "speech.audio.done"))
		return emit(arg, &d);
	told(s->chat, doc, &d.usage);
	e = emit(arg, &d);
	return e == ERR_OK ? end_stream(seen, emit, arg) : e;
}

static enum err
speech_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct seen *seen = seen_of(s);
	struct json doc;
	enum err e;

	if (seen == NULL)
		return ERR_INTERNAL;
	if (ev == NULL) /* bytes have no mark at their end */
		return seen->ended || (s->chat->task.bytes &&
		    seen->bytes > 0) ? end_stream(seen, emit, arg) :
		    reply_cut(f, seen->bytes > 0);
	if (s->chat->task.bytes)
		return more_audio(s, seen, (int64_t)ev->len, &(struct delta){
		    .from = &adapter_speech, .event = "",
		    .raw = { ev->data, ev->len } }, emit, arg);
	e = reply_event(s->scratch, ev->data, ev->len, &doc, f);
	if (e != ERR_OK)
		return e;
	return errors_present(&doc) ? reply_error(s->scratch, &doc, emit,
	    arg) : one_event(s, seen, ev, &doc, emit, arg);
}

/* ------------------------------------------------------------ answers */

static void
put_events(const struct reply *reply, struct buf *out)
{
	const struct usage *u = &reply->usage;
	struct json_writer w;

	buf_puts(out, "data: ");
	jw_init(&w, out);
	jw_object(&w);
	canon_put_str(&w, "type", canon_lit("speech.audio.delta"));
	canon_put_str(&w, "audio", reply->raw);
	jw_end_object(&w);
	buf_puts(out, "\n\ndata: ");
	jw_init(&w, out);
	jw_object(&w);
	canon_put_str(&w, "type", canon_lit("speech.audio.done"));
	jw_key(&w, "usage");
	jw_object(&w);
	canon_put_int(&w, "input_tokens", usage_input(u));
	canon_put_int(&w, "output_tokens", usage_output(u));
	canon_put_int(&w, "total_tokens", usage_input(u) + usage_output(u));
	jw_end_object(&w);
	jw_end_object(&w);
	buf_puts(out, "\n\n");
}

static enum err
speech_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	struct str audio;

	(void)meta;
	if (chat->task.bytes) {
		audio = canon_decode(a, reply->raw);
		if (audio.p == NULL)
			return ERR_INTERNAL;
		buf_put(out, audio.p, audio.len);
	} else {
		put_events(reply, out);
	}
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

static enum err
speech_write_delta(struct stream *s, const struct delta *d,
    const struct answer_meta *meta, struct buf *out)
{
	if (!s->chat->task.bytes)
		return openai_pass_delta(s, d, meta, out);
	buf_put(out, d->raw.p, d->raw.len);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

/* Bytes have no words for it: they break off. */
static void
speech_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out)
{
	struct json_writer w;

	(void)meta;
	if (s->chat->task.bytes)
		return;
	buf_puts(out, "data: ");
	jw_init(&w, out);
	jw_object(&w);
	canon_put_str(&w, "type", canon_lit("error"));
	jw_key(&w, "error");
	openai_write_error_object(&w, e, f);
	jw_end_object(&w);
	buf_puts(out, "\n\n");
}

const struct adapter adapter_speech = {
	.name = SPEECH_DOOR,
	.large_events = true,
	.framing = FRAMING_SSE,
	.bare = true,
	.read_request = speech_read_request,
	.read_chat = speech_read_chat,
	.write_reply = speech_write_reply,
	.write_delta = speech_write_delta,
	.write_error = openai_write_error,
	.write_stream_error = speech_write_stream_error,
	.write_request = speech_write_request,
	.read_reply = speech_read_reply,
	.read_event = speech_read_event,
	.classify = errors_classify,
};
