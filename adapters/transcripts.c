/* Speech to text: forms in, text, JSON or events out. */
#include "adapters/transcripts.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reading.h"
#include "adapters/reply.h"
#include "app/base/arena.h"
#include "app/base/form.h"

#define LEAST_RATE 500	/* bytes a second */
#define USUAL_RATE 4000
#define SECOND_TOKENS 25 /* of audio input, at most */
#define WORD_TOKENS 8	/* of output for a second, at most */
#define SECONDS_MAX INT64_C(1000000)
#define WAV_PCM 1
#define WAV_FLOAT 3
#define WAV_EXTENSIBLE 0xfffe

/* Every field of a form is a text. */
static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "language", IS(STRING), "a string" },
	{ "prompt", IS(STRING), "a string" },
	{ "response_format", IS(STRING), "a string" },
	{ "temperature", IS(STRING), "a number" },
	{ "stream", IS(STRING), "true or false" },
	{ "timestamp_granularities", IS(ARRAY), "a list" },
};

/* What comes back, where it is no JSON. */
static const struct {
	const char *format, *type;
} formats[] = {
	{ "text", "text/plain; charset=utf-8" },
	{ "srt", "text/plain; charset=utf-8" },
	{ "vtt", "text/plain; charset=utf-8" },
};

static const char *
type_of(const struct chat *chat)
{
	uint32_t v = json_get(&chat->doc, JSON_ROOT, "response_format");
	size_t i;

	for (i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (json_is(&chat->doc, v, formats[i].format))
			return formats[i].type;
	return NULL;
}

/* ------------------------------------------------------------ lengths */

int64_t
transcripts_most(size_t bytes)
{
	int64_t n = (int64_t)(bytes / LEAST_RATE) + 1;

	return n < SECONDS_MAX ? n : SECONDS_MAX;
}

static uint32_t
little(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 |
	    (uint32_t)u[3] << 24;
}

/*
 * Bytes a second of a WAV file (its chunk "fmt "), by what a decoder goes by:
 * it does not look at the rate that the header states beside that. 0: it is
 * none, or its samples are packed.
 */
static uint64_t
wav_rate(const char *p, size_t n)
{
	uint32_t form, channels, bits;

	if (n < 44 || memcmp(p, "RIFF", 4) != 0 ||
	    memcmp(p + 8, "WAVEfmt ", 8) != 0)
		return 0;
	form = little(p + 20) & 0xffff;
	channels = little(p + 20) >> 16;
	bits = little(p + 32) >> 16;
	if (form != WAV_PCM && form != WAV_FLOAT && form != WAV_EXTENSIBLE)
		return 0;
	return (uint64_t)little(p + 24) * channels * (bits / 8);
}

int64_t
transcripts_about(const char *file, size_t held, size_t bytes)
{
	uint64_t rate = wav_rate(file, held);
	int64_t most = transcripts_most(bytes), n;

	n = (int64_t)(bytes / (rate > 0 ? rate : USUAL_RATE)) + 1;
	return n < most ? n : most;
}

/* ----------------------------------------------------------- request */

static const struct form_part *
file_of(const struct chat *chat)
{
	return chat->form == NULL ? NULL : form_find(chat->form, "file");
}

static enum err
check_form(const struct chat *chat, struct fault *f)
{
	const struct form_part *p = file_of(chat);
	uint32_t stream = json_get(&chat->doc, JSON_ROOT, "stream");

	if (chat->form != NULL && rd_once(chat->form, f) != ERR_OK)
		return ERR_BAD_REQUEST;
	if (p == NULL || p->filename == NULL)
		return fault_set(f, ERR_BAD_REQUEST, "file",
		    "'file' is missing");
	if (p->len == 0)
		return fault_set(f, ERR_BAD_REQUEST, "file",
		    "'file' is empty");
	if (stream != JSON_NONE && !json_is(&chat->doc, stream, "true") &&
	    !json_is(&chat->doc, stream, "false"))
		return fault_set(f, ERR_BAD_REQUEST, "stream",
		    "'stream' must be true or false");
	return ERR_OK;
}

/* Providers bill by the second, or by tokens of audio and of text. */
static void
set_most(struct chat *chat)
{
	int64_t seconds = transcripts_most(file_of(chat)->len);
	int64_t *most = chat->task.most;

	most[UNIT_SECOND] = seconds;
	most[UNIT_AUDIO_INPUT] = seconds * SECOND_TOKENS;
	most[UNIT_OUTPUT] = seconds * WORD_TOKENS + 256;
}

static enum err
read_request(struct arena *a, struct chat *chat, const char *door,
    struct fault *f)
{
	enum err e = rd_types(&chat->doc, members,
	    sizeof members / sizeof members[0], true, f);

	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK)
		e = check_form(chat, f);
	if (e != ERR_OK)
		return e;
	chat->task.door = door;
	chat->task.texts = 1;
	chat->choices = 1;
	chat->user = "";
	chat->stream = json_is(&chat->doc, json_get(&chat->doc, JSON_ROOT,
	    "stream"), "true");
	set_most(chat);
	return ERR_OK;
}

static enum err
read_transcription(struct arena *a, struct chat *chat, struct fault *f)
{
	return read_request(a, chat, "transcriptions", f);
}

static enum err
read_translation(struct arena *a, struct chat *chat, struct fault *f)
{
	return read_request(a, chat, "translations", f);
}

/* ----------------------------------------------------------- provider */

static enum err
transcripts_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	const char *path = arena_printf(a, "audio/%s", chat->task.door);

	return path == NULL ? fault_memory(f) :
	    openai_pass_form(a, chat, d, path, call, f);
}

/* {"type": "tokens", …} or {"type": "duration", "seconds": 12}. */
static bool
told(const struct json *doc, struct usage *u)
{
	uint32_t v = json_get(doc, JSON_ROOT, "usage"), detail;
	int64_t in = 0, audio = 0;

	if (reply_tokens(doc, v, "seconds", &u->n[UNIT_SECOND])) {
		u->known = true;
	} else if (reply_tokens(doc, v, "input_tokens", &in)) {
		detail = json_get(doc, v, "input_token_details");
		audio = at_most(reply_count(doc, detail, "audio_tokens"), in);
		u->n[UNIT_AUDIO_INPUT] = audio;
		u->n[UNIT_INPUT] = in - audio;
		u->n[UNIT_OUTPUT] = reply_count(doc, v, "output_tokens");
		u->known = true;
	}
	return u->known;
}

/* "duration" of a verbose answer: a number, or one in a string. */
static bool
lasted(const struct json *doc, struct usage *u)
{
	uint32_t v = json_get(doc, JSON_ROOT, "duration");
	double seconds = -1;
	const char *p;
	size_t len;

	if (json_type(doc, v) == JSON_STRING) {
		p = json_raw(doc, v, &len) + 1;
		if (isdigit((unsigned char)*p))
			seconds = strtod(p, NULL);
	} else {
		json_double(doc, v, &seconds);
	}
	if (!(seconds >= 0 && seconds < (double)SECONDS_MAX))
		return false;
	u->n[UNIT_SECOND] = (int64_t)ceil(seconds);
	u->known = true;
	return true;
}

/* What nobody told: about as long as the file is, and the text it has. */
static void
count(const struct chat *chat, struct usage *u, int64_t text)
{
	const struct form_part *p = file_of(chat);
	int64_t seconds = transcripts_about(p->data, p->held, p->len);

	u->n[UNIT_SECOND] = seconds;
	u->n[UNIT_AUDIO_INPUT] = seconds * 10;
	u->n[UNIT_OUTPUT] = estimate_text_bytes(text);
	u->known = u->estimated = true;
}

/* Sold by the second or by tokens: only what has a price is kept. */
static void
keep_sold(struct usage *u, const struct deployment *d)
{
	if (d->price.known && d->price.rate[UNIT_SECOND] > 0)
		u->n[UNIT_AUDIO_INPUT] = u->n[UNIT_INPUT] =
		    u->n[UNIT_OUTPUT] = 0;
	else if (u->n[UNIT_AUDIO_INPUT] + u->n[UNIT_INPUT] > 0)
		u->n[UNIT_SECOND] = 0;
}

static enum err
read_text(const struct chat *chat, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	if (len == 0)
		return reply_bad(f, "an empty answer");
	reply->type = type_of(chat);
	reply->raw = (struct str){ body, len };
	count(chat, &reply->usage, (int64_t)len);
	return ERR_OK;
}

static enum err
read_json(struct arena *a, const struct chat *chat, const char *body,
    size_t len, struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);
	uint32_t text;
	size_t n;
	enum err e;

	if (doc == NULL)
		return ERR_INTERNAL;
	e = reply_parse(a, body, len, doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	text = json_get(doc, JSON_ROOT, "text");
	if (json_type(doc, text) != JSON_STRING)
		return reply_bad(f, "no text");
	json_raw(doc, text, &n);
	if (!told(doc, &reply->usage) && !lasted(doc, &reply->usage))
		count(chat, &reply->usage, (int64_t)n);
	reply->raw = canon_raw(doc, JSON_ROOT);
	return ERR_OK;
}

static enum err
transcripts_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	enum err e = type_of(chat) != NULL ?
	    read_text(chat, body, len, reply, f) :
	    read_json(a, chat, body, len, reply, f);

	reply->from = &adapter_transcriptions;
	reply->finish = FINISH_STOP;
	keep_sold(&reply->usage, d);
	return e;
}

/* ------------------------------------------------------------- stream */

/* transcript.text.delta …, then transcript.text.done with the usage. */
static enum err
transcripts_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct json doc;
	uint32_t type;
	struct delta d;
	size_t len;
	enum err e;

	memset(&d, 0, sizeof d);
	d.from = &adapter_transcriptions;
	if (ev == NULL || (ev->len == 6 && memcmp(ev->data, "[DONE]", 6) == 0))
		return s->own != NULL ? ERR_OK : reply_cut(f, true);
	e = reply_event(s->scratch, ev->data, ev->len, &doc, f);
	if (e != ERR_OK)
		return e;
	if (errors_present(&doc))
		return reply_error(s->scratch, &doc, emit, arg);
	type = json_get(&doc, JSON_ROOT, "type");
	d.event = ev->name;
	d.raw = canon_raw(&doc, JSON_ROOT);
	d.kind = DELTA_CONTENT;
	if (!json_is(&doc, type, "transcript.text.done")) {
		if (json_raw(&doc, json_get(&doc, JSON_ROOT, "delta"),
		    &len) != NULL)
			d.text_bytes = (int64_t)len;
		return emit(arg, &d);
	}
	d.kind = DELTA_END;
	d.finish = FINISH_STOP;
	if (!told(&doc, &d.usage))
		count(s->chat, &d.usage, 0);
	keep_sold(&d.usage, s->deployment);
	s->own = s; /* all of it was there */
	return emit(arg, &d);
}

/* ------------------------------------------------------------ answers */

static enum err
transcripts_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	(void)a;
	(void)chat;
	(void)meta;
	buf_put(out, reply->raw.p, reply->raw.len);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

#define TRANSCRIPTS(door, reader)                                            \
	{                                                                    \
		.name = door, .form = true, .file = "file", .framing = FRAMING_SSE,          \
		.read_request = reader, .read_chat = canon_prompt,           \
		.write_reply = transcripts_write_reply,                      \
		.write_delta = openai_pass_delta,                            \
		.write_error = openai_write_error,                           \
		.write_stream_error = openai_write_stream_error,             \
		.write_request = transcripts_write_request,                  \
		.read_reply = transcripts_read_reply,                        \
		.read_event = transcripts_read_event,                        \
		.classify = errors_classify,                                 \
	}

const struct adapter adapter_transcriptions =
    TRANSCRIPTS("transcriptions", read_transcription);
const struct adapter adapter_translations =
    TRANSCRIPTS("translations", read_translation);
