/* Images: a client's request, and OpenAI's dialect as a provider. */
#include "adapters/images.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reading.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

#define IMAGES 10	    /* of one request: OpenAI's bound */
#define PARTIALS 3	    /* of one image */
#define PARTIAL_TOKENS 100  /* output tokens of one of them */
#define SIDE 16384	    /* pixels */
#define LARGEST (1536 * 1024) /* pixels that the counts below are for */

/*
 * The most output tokens of an image of up to 1536 × 1024 pixels: those of
 * gpt-image-1 (OpenAI's guide to image generation: 408, 1584 and 6240; its
 * prices an image say the same) are fewer than those of gpt-image-2 in high
 * quality (7024, its calculator as quoted in community.openai.com/t/1379464,
 * read 2026-11). Never less than an image of Gemini's in 4K (2000, by its
 * list of prices), which knows no quality.
 */
static const struct {
	const char *quality; /* NULL: all others */
	int64_t tokens;
} qualities[] = {
	{ "low", 2000 },
	{ "medium", 2000 },
	{ NULL, 7024 },
};

static const struct rd_member members[] = {
	{ "model", IS(STRING), "a string" },
	{ "prompt", IS(STRING), "a string" },
	{ "n", IS(NUMBER), "an integer" },
	{ "size", IS(STRING), "a string" },
	{ "quality", IS(STRING), "a string" },
	{ "style", IS(STRING), "a string" },
	{ "background", IS(STRING), "a string" },
	{ "moderation", IS(STRING), "a string" },
	{ "output_format", IS(STRING), "a string" },
	{ "output_compression", IS(NUMBER), "an integer" },
	{ "response_format", IS(STRING), "a string" },
	{ "stream", IS_BOOL, "a boolean" },
	{ "partial_images", IS(NUMBER), "an integer" },
	{ "user", IS(STRING), "a string" },
};

/* What every provider can be told, or need not be. */
static const char *const known[] = { "model", "prompt", "n", "size",
	"response_format", "stream", "partial_images", "user", "models",
	"fallbacks", "images", "mask", "markup" };

/* ----------------------------------------------------------- request */

bool
images_size(const struct chat *chat, int64_t *width, int64_t *height)
{
	const struct json *doc = &chat->doc;
	uint32_t v = json_get(doc, JSON_ROOT, "size");
	const char *p;
	size_t len;
	char *end;

	if (json_type(doc, v) != JSON_STRING)
		return false;
	/* The quote behind it ends the last number. */
	p = json_raw(doc, v, &len) + 1;
	if (!isdigit((unsigned char)*p))
		return false;
	*width = strtoll(p, &end, 10);
	if (*end != 'x' || !isdigit((unsigned char)end[1]))
		return false;
	*height = strtoll(end + 1, &end, 10);
	return *end == '"' && *width > 0 && *height > 0 && *width <= SIDE &&
	    *height <= SIDE;
}

/* How far are two ratios apart? Their quotient, not below 1. */
static double
apart(double a, double b)
{
	return a > b ? a / b : b / a;
}

const char *
images_ratio(const struct chat *chat, const char *const *ratios, size_t count)
{
	const char *best = NULL;
	double least = 0, w, h, far;
	int64_t width, height;
	char *end;
	size_t i;

	if (!images_size(chat, &width, &height))
		return NULL;
	for (i = 0; i < count; i++) {
		w = (double)strtol(ratios[i], &end, 10);
		h = (double)strtol(end + 1, NULL, 10);
		far = apart((double)width / (double)height, w / h);
		if (best == NULL || far < least) {
			best = ratios[i];
			least = far;
		}
	}
	return best;
}

static int64_t
tokens_of_one(const struct chat *chat)
{
	uint32_t v = json_get(&chat->doc, JSON_ROOT, "quality");
	int64_t w, h, tokens;
	size_t i = 0;

	while (qualities[i].quality != NULL &&
	    !json_is(&chat->doc, v, qualities[i].quality))
		i++;
	tokens = qualities[i].tokens;
	if (images_size(chat, &w, &h) && w * h > LARGEST)
		tokens = (tokens * w * h + LARGEST - 1) / LARGEST;
	return tokens;
}

static enum err
read_partials(const struct chat *chat, int64_t *out, struct fault *f)
{
	uint32_t v = json_get(&chat->doc, JSON_ROOT, "partial_images");

	*out = 0;
	if (json_type(&chat->doc, v) == JSON_NUMBER &&
	    (!json_int(&chat->doc, v, out) || *out < 0 || *out > PARTIALS))
		return fault_set(f, ERR_BAD_REQUEST, "partial_images",
		    "'partial_images' must be a number of 0 to %d", PARTIALS);
	return ERR_OK;
}

static enum err
read_counts(struct chat *chat, struct fault *f)
{
	int64_t partials = 0, n = 1, *most = chat->task.most;
	enum err e = read_partials(chat, &partials, f);

	if (e == ERR_OK)
		e = rd_positive(&chat->doc, "n", 1, &n, f);
	if (e == ERR_OK && n > IMAGES)
		e = fault_set(f, ERR_BAD_REQUEST, "n", "'n' is more than %d",
		    IMAGES);
	if (e != ERR_OK)
		return e;
	most[UNIT_IMAGE] = n;
	most[UNIT_OUTPUT] = n * (tokens_of_one(chat) +
	    partials * PARTIAL_TOKENS);
	return ERR_OK;
}

enum err
images_read(struct arena *a, struct chat *chat, const char *door,
    struct fault *f)
{
	const struct json *doc = &chat->doc;
	enum err e;

	e = rd_types(doc, members, sizeof members / sizeof members[0], true,
	    f);
	if (e == ERR_OK)
		e = canon_model(chat, a, f);
	if (e == ERR_OK)
		e = read_counts(chat, f);
	if (e != ERR_OK)
		return e;
	chat->task.door = door;
	chat->task.texts = 1;
	chat->stream = json_type(doc, json_get(doc, JSON_ROOT, "stream")) ==
	    JSON_TRUE;
	chat->choices = 1;
	chat->user = rd_word(doc, "user", a);
	return ERR_OK;
}

enum err
images_need_prompt(const struct chat *chat, struct fault *f)
{
	return json_nonempty(&chat->doc, json_get(&chat->doc, JSON_ROOT,
	    "prompt")) ? ERR_OK : fault_set(f, ERR_BAD_REQUEST, "prompt",
	    "'prompt' is missing or empty");
}

static enum err
images_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	enum err e = images_read(a, chat, IMAGES_DOOR, f);

	return e == ERR_OK ? images_need_prompt(chat, f) : e;
}

enum err
images_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	if (canon_prompt(a, chat, f) != ERR_OK)
		return ERR_INTERNAL;
	canon_given(chat);
	chat->whole = true;
	return canon_extras(chat, a, known, sizeof known / sizeof known[0],
	    f);
}

struct str
images_prompt(const struct chat *chat)
{
	return chat->messages[0].part_count > 0 ?
	    chat->messages[0].parts[0].text : canon_lit("");
}

enum err
images_no_stream(const struct chat *chat, struct fault *f)
{
	return !chat->stream ? ERR_OK : fault_set(f, ERR_BAD_REQUEST,
	    "stream", "the provider has no streams of images");
}

int64_t
images_slice(const struct chat *chat, struct http_call *call, int64_t most)
{
	int64_t n = chat->task.most[UNIT_IMAGE], left;

	call->parts = (size_t)((n + most - 1) / most);
	left = n - (int64_t)call->part * most;
	return left < most ? left : most;
}

enum err
images_refused(struct arena *a, struct reply *reply)
{
	struct upstream_error *e = arena_zalloc(a, sizeof *e);

	if (e == NULL)
		return ERR_INTERNAL;
	e->fail = FAIL_REQUEST | FAIL_CONTENT;
	e->message = "the provider's content filter refused the request";
	e->type = e->param = "";
	e->code = "content_filter";
	reply->error = e;
	return ERR_OK;
}

/* ----------------------------------------------------------- provider */

/* Together's width and height, and its word for base64. */
static void
say_pixels(struct edits *e, const struct chat *chat, struct arena *a)
{
	struct str width, height;
	int64_t w, h;

	if (json_is(&chat->doc, json_get(&chat->doc, JSON_ROOT,
	    "response_format"), "b64_json"))
		edits_set(e, JSON_ROOT, "response_format", "\"base64\"", 8);
	if (!images_size(chat, &w, &h))
		return;
	width = canon_printf(a, "%lld", (long long)w);
	height = canon_printf(a, "%lld", (long long)h);
	edits_remove(e, JSON_ROOT, "size");
	edits_set(e, JSON_ROOT, "width", width.p, width.len);
	edits_set(e, JSON_ROOT, "height", height.p, height.len);
}

/* xAI's ratios; it refuses members that it does not know. */
static void
say_ratio(struct edits *e, const struct chat *chat, struct arena *a)
{
	static const char *const ratios[] = { "1:1", "3:4", "4:3", "9:16",
		"16:9", "2:3", "3:2" };
	const char *ratio = images_ratio(chat, ratios, sizeof ratios /
	    sizeof ratios[0]);
	struct str said = canon_quoted(a, ratio == NULL ? "" : ratio);

	edits_remove(e, JSON_ROOT, "size");
	edits_remove(e, JSON_ROOT, "quality");
	edits_remove(e, JSON_ROOT, "style");
	if (ratio != NULL && said.p != NULL)
		edits_set(e, JSON_ROOT, "aspect_ratio", said.p, said.len);
}

void
images_say(struct edits *e, const struct chat *chat,
    const struct deployment *d, struct arena *a)
{
	unsigned quirks = d->provider->quirks;

	if ((quirks & QUIRK_IMAGE_PIXELS) != 0)
		say_pixels(e, chat, a);
	if ((quirks & QUIRK_IMAGE_RATIO) != 0)
		say_ratio(e, chat, a);
}

/*
 * Fireworks makes one image a call and knows no size but a ratio
 * (docs.fireworks.ai/api-reference/generate-a-new-image-from-a-text-prompt,
 * read 2026-11).
 */
static enum err
write_workflow(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	static const char *const ratios[] = { "1:1", "21:9", "16:9", "3:2",
		"5:4", "4:5", "2:3", "9:16", "9:21", "4:3", "3:4" };
	const char *ratio = images_ratio(chat, ratios, sizeof ratios /
	    sizeof ratios[0]), *model = canon_path(a, d->model);
	const char *path = arena_printf(a, "workflows/%s/text_to_image",
	    model);
	const struct json *doc = &chat->doc;
	uint32_t seed = json_get(doc, JSON_ROOT, "seed");
	struct str prompt = canon_raw(doc, json_get(doc, JSON_ROOT, "prompt"));
	struct json_writer w;
	struct buf body;

	if (path == NULL)
		return fault_memory(f);
	if (*model == '\0')
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "the provider has no such model");
	if (images_no_stream(chat, f) != ERR_OK)
		return ERR_BAD_REQUEST;
	images_slice(chat, call, 1);
	call->method = "POST";
	call->url = openai_url(a, d, path);
	call->headers[call->header_count++] = (struct header){ "accept",
		"application/json" };
	buf_init(&body, LIMIT_BODY * 2);
	jw_init(&w, &body);
	jw_object(&w);
	jw_key(&w, "prompt");
	jw_raw(&w, prompt.p, prompt.len);
	if (ratio != NULL) {
		jw_key(&w, "aspect_ratio");
		jw_string(&w, ratio);
	}
	/* Another one for each image, lest they are all the same. */
	if (seed != JSON_NONE && chat->task.most[UNIT_IMAGE] == 1) {
		jw_key(&w, "seed");
		jw_raw(&w, canon_raw(doc, seed).p, canon_raw(doc, seed).len);
	}
	jw_end_object(&w);
	return canon_body(a, call, &body, ERR_OK, f);
}

/* {"base64": ["data:image/png;base64,…"], "finishReason": "SUCCESS"} */
static enum err
read_workflow(struct arena *a, const struct chat *chat,
    const struct deployment *d, const struct json *doc, struct reply *reply,
    struct fault *f)
{
	uint32_t list = json_get(doc, JSON_ROOT, "base64"), v;
	struct str said;
	const char *comma;
	enum err e = ERR_OK;

	for (v = json_first(doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(doc, list, v)) {
		said = canon_str(doc, v, a);
		comma = said.len > 5 && memcmp(said.p, "data:", 5) == 0 ?
		    memchr(said.p, ',', said.len) : NULL;
		if (comma != NULL) {
			said.len -= (size_t)(comma + 1 - said.p);
			said.p = comma + 1;
		}
		e = images_add(a, reply, canon_lit("image/png"), said, f);
	}
	if (e != ERR_OK)
		return e;
	if (reply->choice_count == 0 && json_is(doc, json_get(doc, JSON_ROOT,
	    "finishReason"), "CONTENT_FILTERED"))
		return images_refused(a, reply);
	return images_counted(chat, d, reply, reply->choice_count, f);
}

static enum err
images_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	unsigned quirks = d->provider->quirks;
	struct str model = canon_quoted(a, d->model);
	struct buf body;
	struct edits e;

	if (model.p == NULL)
		return fault_memory(f);
	if ((quirks & QUIRK_IMAGE_WORKFLOW) != 0)
		return write_workflow(a, chat, d, call, f);
	call->method = "POST";
	call->url = openai_url(a, d, (quirks & QUIRK_IMAGES_PATH) != 0 ?
	    "images" : "images/generations");
	edits_init(&e, &chat->doc, a);
	edits_set(&e, JSON_ROOT, "model", model.p, model.len);
	images_say(&e, chat, d, a);
	buf_init(&body, LIMIT_BODY * 2);
	return canon_body(a, call, &body, edits_apply(&e, &body) ? ERR_OK :
	    fault_memory(f), f);
}

/*
 * Tokens of an answer or a last event; in chat's words at OpenRouter. What is
 * not told apart is text that was read and images that were made.
 */
static bool
read_usage(const struct json *doc, struct usage *out)
{
	uint32_t u = json_get(doc, JSON_ROOT, "usage");
	int64_t in = 0, of = 0, images, text;
	bool any;

	any = reply_tokens(doc, u, "input_tokens", &in);
	any |= reply_tokens(doc, u, "output_tokens", &of);
	if (!any)
		return openai_usage(doc, out);
	memset(out, 0, sizeof *out);
	images = at_most(reply_count(doc, json_get(doc, u,
	    "input_tokens_details"), "image_tokens"), in);
	text = at_most(reply_count(doc, json_get(doc, u,
	    "output_tokens_details"), "text_tokens"), of);
	out->n[UNIT_IMAGE_INPUT] = images;
	out->n[UNIT_INPUT] = in - images;
	out->n[UNIT_OUTPUT] = text;
	out->n[UNIT_IMAGE_OUTPUT] = of - text;
	out->known = true;
	return true;
}

/* Is each image paid by its tokens, and not by itself? */
static bool
sells_tokens(const struct deployment *d)
{
	return price_rate(&d->price, UNIT_IMAGE, 0) == 0 &&
	    price_rate(&d->price, UNIT_IMAGE_OUTPUT, 0) > 0;
}

/* What was sent, where nobody tells: pictures, and their words. */
static void
untold_input(const struct chat *chat, struct usage *u)
{
	if (chat->task.media == 0)
		return; /* the words alone: as everywhere */
	u->n[UNIT_IMAGE_INPUT] = (int64_t)chat->task.media *
	    IMAGES_SENT_TOKENS;
	u->n[UNIT_INPUT] = estimate_text_bytes((int64_t)(chat->doc.len -
	    chat->task.bulk));
}

static void
untold(const struct chat *chat, const struct deployment *d, struct usage *u,
    int64_t count)
{
	const int64_t *most = chat->task.most;

	u->known = true;
	if (!sells_tokens(d) || most[UNIT_IMAGE] == 0)
		return;
	untold_input(chat, u);
	u->n[UNIT_IMAGE_OUTPUT] = most[UNIT_OUTPUT] / most[UNIT_IMAGE] *
	    count;
	u->estimated = true;
}

enum err
images_counted(const struct chat *chat, const struct deployment *d,
    struct reply *reply, size_t count, struct fault *f)
{
	if (count == 0)
		return reply_bad(f, "no images");
	if (!reply->usage.known)
		untold(chat, d, &reply->usage, (int64_t)count);
	reply->usage.n[UNIT_IMAGE] = (int64_t)count;
	reply->usage.n[UNIT_SENT_IMAGE] = (int64_t)chat->task.media;
	reply->finish = FINISH_STOP;
	return ERR_OK;
}

enum err
images_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);
	uint32_t data;
	enum err e;

	if (doc == NULL)
		return ERR_INTERNAL;
	e = reply_parse(a, body, len, doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	if ((d->provider->quirks & QUIRK_IMAGE_WORKFLOW) != 0)
		return read_workflow(a, chat, d, doc, reply, f);
	data = json_get(doc, JSON_ROOT, "data");
	read_usage(doc, &reply->usage);
	reply->from = &adapter_images;
	reply->doc = doc;
	reply->raw = canon_raw(doc, JSON_ROOT);
	reply->model = canon_str(doc, json_get(doc, JSON_ROOT, "model"), a);
	return images_counted(chat, d, reply, json_type(doc, data) ==
	    JSON_ARRAY ? json_count(doc, data) : 0, f);
}

/* ------------------------------------------------------------- stream */

/* What a stream has brought. */
struct seen {
	struct usage begun; /* partial images, each of which costs */
	struct usage told;  /* of all images that are whole */
	bool ended;
};

static struct seen *
seen_of(struct stream *s)
{
	if (s->own == NULL)
		s->own = arena_zalloc(s->arena, sizeof(struct seen));
	return s->own;
}

/* One image is whole, with the usage of it. */
static void
add_usage(struct stream *s, struct seen *seen, const struct json *doc)
{
	struct usage u;
	unsigned i;

	memset(&u, 0, sizeof u);
	if (!read_usage(doc, &u))
		untold(s->chat, s->deployment, &u, 1);
	u.n[UNIT_IMAGE] = 1;
	for (i = 0; i < UNIT_COUNT; i++)
		seen->told.n[i] = at_most(seen->told.n[i] + u.n[i],
		    TOKENS_MAX);
	seen->told.n[UNIT_SENT_IMAGE] = (int64_t)s->chat->task.media;
	seen->told.known = true;
	seen->told.estimated |= u.estimated;
}

static enum err
end_stream(struct stream *s, struct seen *seen, bool mark, delta_fn *emit,
    void *arg, struct fault *f)
{
	struct delta d;

	(void)s;
	if (seen->ended)
		return ERR_OK;
	if (!seen->told.known)
		return reply_cut(f, seen->begun.known);
	seen->ended = true;
	memset(&d, 0, sizeof d);
	d.kind = DELTA_END;
	d.from = &adapter_images;
	d.raw = canon_lit(mark ? "[DONE]" : "");
	return emit(arg, &d);
}

/* Does it tell of "image_generation.WORD" or "image_edit.WORD"? */
static bool
tells(const struct json *doc, const char *word)
{
	uint32_t type = json_get(doc, JSON_ROOT, "type");
	size_t len, n = strlen(word);
	const char *p;

	if (json_type(doc, type) != JSON_STRING)
		return false;
	p = json_raw(doc, type, &len);
	return len > n + 7 && memcmp(p, "\"image_", 7) == 0 &&
	    memcmp(p + len - n - 1, word, n) == 0;
}

static enum err
one_event(struct stream *s, struct seen *seen, const struct sse_event *ev,
    const struct json *doc, delta_fn *emit, void *arg)
{
	struct delta d;

	memset(&d, 0, sizeof d);
	d.kind = DELTA_META;
	d.from = &adapter_images;
	d.event = ev->name;
	d.doc = doc;
	d.raw = canon_raw(doc, JSON_ROOT);
	if (tells(doc, ".partial_image")) {
		d.kind = DELTA_CONTENT;
		seen->begun.known = seen->begun.estimated = true;
		seen->begun.n[UNIT_IMAGE_OUTPUT] += PARTIAL_TOKENS;
		untold_input(s->chat, &seen->begun);
		d.begun = seen->begun;
	} else if (tells(doc, ".completed")) {
		d.kind = DELTA_CONTENT;
		d.finish = FINISH_STOP;
		add_usage(s, seen, doc);
		d.usage = seen->told;
	}
	return emit(arg, &d);
}

enum err
images_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f)
{
	struct seen *seen = seen_of(s);
	struct json doc;
	enum err e;

	if (seen == NULL)
		return ERR_INTERNAL;
	if (ev == NULL)
		return end_stream(s, seen, false, emit, arg, f);
	if (ev->len == 6 && memcmp(ev->data, "[DONE]", 6) == 0)
		return end_stream(s, seen, true, emit, arg, f);
	e = reply_event(s->scratch, ev->data, ev->len, &doc, f);
	if (e != ERR_OK)
		return e;
	return errors_present(&doc) ? reply_error(s->scratch, &doc, emit,
	    arg) : one_event(s, seen, ev, &doc, emit, arg);
}

/* ------------------------------------------------------------ answers */

enum err
images_add(struct arena *a, struct reply *reply, struct str type,
    struct str base64, struct fault *f)
{
	size_t n = reply->choice_count;
	struct choice *list = arena_resize(a, reply->choices,
	    n * sizeof *list, (n + 1) * sizeof *list);
	struct part *p = arena_zalloc(a, sizeof *p);

	if (list == NULL || p == NULL)
		return ERR_INTERNAL;
	if (base64.len == 0 || !canon_is_base64(base64))
		return reply_bad(f, "an image that is no base64");
	p->kind = PART_IMAGE;
	p->media_type = type;
	p->data = base64;
	memset(&list[n], 0, sizeof *list);
	list[n].index = (int64_t)n;
	list[n].parts = p;
	list[n].part_count = 1;
	list[n].finish = FINISH_STOP;
	reply->choices = list;
	reply->choice_count = n + 1;
	return ERR_OK;
}

/* Usage in the form that OpenAI has for images, where there is any. */
static void
put_usage(struct json_writer *w, const struct usage *u)
{
	int64_t in = usage_input(u), of = usage_output(u);

	if (in + of == 0)
		return;
	jw_key(w, "usage");
	jw_object(w);
	canon_put_int(w, "input_tokens", in);
	jw_key(w, "input_tokens_details");
	jw_object(w);
	canon_put_int(w, "image_tokens", u->n[UNIT_IMAGE_INPUT]);
	canon_put_int(w, "text_tokens", in - u->n[UNIT_IMAGE_INPUT]);
	jw_end_object(w);
	canon_put_int(w, "output_tokens", of);
	canon_put_int(w, "total_tokens", in + of);
	jw_end_object(w);
}

enum err
images_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out)
{
	struct json_writer w;
	size_t i;

	(void)a;
	(void)chat;
	(void)meta;
	if (reply->from == &adapter_images && reply->raw.len > 0) {
		buf_put(out, reply->raw.p, reply->raw.len);
		return out->failed ? ERR_INTERNAL : ERR_OK;
	}
	jw_init(&w, out);
	jw_object(&w);
	canon_put_int(&w, "created", (int64_t)time(NULL));
	jw_key(&w, "data");
	jw_array(&w);
	for (i = 0; i < reply->choice_count; i++) {
		jw_object(&w);
		canon_put_str(&w, "b64_json", reply->choices[i].parts->data);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	put_usage(&w, &reply->usage);
	jw_end_object(&w);
	return out->failed ? ERR_INTERNAL : ERR_OK;
}

void
images_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out)
{
	struct json_writer w;

	(void)s;
	(void)meta;
	buf_puts(out, "event: error\ndata: ");
	jw_init(&w, out);
	jw_object(&w);
	canon_put_str(&w, "type", canon_lit("error"));
	jw_key(&w, "error");
	openai_write_error_object(&w, e, f);
	jw_end_object(&w);
	buf_puts(out, "\n\n");
}

const struct adapter adapter_images = {
	.name = IMAGES_DOOR,
	.large_events = true,
	.framing = FRAMING_SSE,
	.read_request = images_read_request,
	.read_chat = images_read_chat,
	.write_reply = images_write_reply,
	.write_delta = openai_pass_delta,
	.write_error = openai_write_error,
	.write_stream_error = images_write_stream_error,
	.write_request = images_write_request,
	.read_reply = images_read_reply,
	.read_event = images_read_event,
	.classify = errors_classify,
};
