/*
 * Edits and variations of images: pictures in, in a form or in JSON, and
 * OpenAI's dialect as a provider. Those who speak it otherwise get JSON.
 */
#include "adapters/images.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/openai.h"
#include "adapters/reading.h"
#include "app/base/arena.h"
#include "app/base/form.h"

#define PICTURES 16 /* to be edited; OpenAI's bound */
#define XAI_PICTURES 3
#define DIGITS 9 /* of a number of a form */

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* -------------------------------------------------------------- forms */

/* Fields of a form that JSON would have as a number or a boolean. */
static const struct {
	const char *name;
	bool flag;
} typed[] = {
	{ "n", false },
	{ "output_compression", false },
	{ "partial_images", false },
	{ "frame_count", false },
	{ "frame_duration_ms", false },
	{ "stream", true },
};

static bool
is_typed(struct str text, bool flag)
{
	if (flag)
		return canon_is(text, "true") || canon_is(text, "false");
	return text.len > 0 && text.len <= DIGITS &&
	    strspn(text.p, "0123456789") == text.len &&
	    (text.p[0] != '0' || text.len == 1);
}

/* The fields as a JSON request would have them, so that one reader does. */
static enum err
retype(struct arena *a, struct chat *chat, struct fault *f)
{
	struct json *doc = &chat->doc;
	struct str text;
	struct edits e;
	struct buf b;
	uint32_t v;
	size_t i;

	edits_init(&e, doc, a);
	for (i = 0; i < COUNT(typed); i++) {
		v = json_get(doc, JSON_ROOT, typed[i].name);
		if (json_type(doc, v) != JSON_STRING)
			continue;
		text = (struct str){ json_cstr(doc, v, a), 0 };
		if (text.p == NULL)
			return fault_memory(f);
		text.len = strlen(text.p);
		if (!is_typed(text, typed[i].flag))
			return fault_set(f, ERR_BAD_REQUEST, typed[i].name,
			    "'%s' must be %s", typed[i].name, typed[i].flag ?
			    "true or false" : "an integer");
		edits_replace(&e, v, text.p, text.len);
	}
	buf_init(&b, LIMIT_BODY * 2);
	text = edits_apply(&e, &b) ? canon_take(a, &b) :
	    (struct str){ NULL, 0 };
	buf_free(&b);
	return text.p == NULL ? fault_memory(f) :
	    json_parse(doc, a, text.p, text.len, f);
}

/* By how a file begins; NULL: it is no image that we know. */
static const char *
type_of(struct str file)
{
	static const struct {
		size_t at, len;
		const char *bytes, *type;
	} marks[] = {
		{ 0, 8, "\x89PNG\r\n\x1a\n", "image/png" },
		{ 0, 3, "\xff\xd8\xff", "image/jpeg" },
		{ 8, 4, "WEBP", "image/webp" },
		{ 0, 4, "GIF8", "image/gif" },
		{ 4, 8, "ftypavif", "image/avif" },
		{ 4, 7, "ftyphei", "image/heic" },
		{ 4, 8, "ftypmif1", "image/heif" },
		{ 0, 2, "BM", "image/bmp" },
		{ 0, 4, "II*\0", "image/tiff" },
		{ 0, 4, "MM\0*", "image/tiff" },
	};
	size_t i;

	for (i = 0; i < COUNT(marks); i++)
		if (file.len >= marks[i].at + marks[i].len &&
		    memcmp(file.p + marks[i].at, marks[i].bytes,
			marks[i].len) == 0)
			return marks[i].type;
	return NULL;
}

static const struct {
	const char *field;
	enum picture_role role;
} fields[] = {
	{ "image", PICTURE_IMAGE },
	{ "image[]", PICTURE_IMAGE },
	{ "mask", PICTURE_MASK },
	{ "markup", PICTURE_MARKUP },
};

/* A file of a form → p. */
static enum err
read_file(const struct form_part *from, struct picture *p, struct fault *f)
{
	const char *type;
	size_t i = 0;

	while (i < COUNT(fields) && strcmp(from->name, fields[i].field) != 0)
		i++;
	if (i == COUNT(fields))
		return fault_set(f, ERR_BAD_REQUEST, from->name,
		    "'%.64s' must not be a file", from->name);
	memset(p, 0, sizeof *p);
	p->role = fields[i].role;
	p->bytes = (struct str){ from->data, from->len };
	type = type_of(p->bytes);
	if (type == NULL)
		return fault_set(f, ERR_BAD_REQUEST, from->name,
		    "'%s' is no PNG, JPEG, WebP or other image",
		    from->name);
	p->type = canon_lit(type);
	return ERR_OK;
}

static enum err
read_files(struct chat *chat, struct picture *list, struct fault *f)
{
	const struct form *form = chat->form;
	enum err e = rd_once(form, f);
	size_t i, k;

	for (i = 0; i < form->count && e == ERR_OK; i++) {
		if (form->part[i].filename != NULL) {
			e = read_file(&form->part[i],
			    &list[chat->task.media++], f);
			continue;
		}
		for (k = 0; k < COUNT(fields); k++)
			if (strcmp(form->part[i].name, fields[k].field) == 0)
				e = fault_set(f, ERR_BAD_REQUEST,
				    fields[k].field, "'%s' must be a file",
				    fields[k].field);
	}
	return e;
}

/* --------------------------------------------------------------- JSON */

/* {"image_url": a URL or its data}, xAI's "url" or {"file_id": …} → p. */
static enum err
read_ref(struct arena *a, struct chat *chat, uint32_t v, const char *name,
    struct picture *p, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t url = json_get(doc, v, "image_url");
	struct part part;
	size_t len = 0;

	if (url == JSON_NONE)
		url = json_get(doc, v, "url");
	memset(&part, 0, sizeof part);
	part.url = canon_str(doc, url, a);
	p->file = canon_str(doc, json_get(doc, v, "file_id"), a);
	if (json_type(doc, v) != JSON_OBJECT ||
	    (part.url.len > 0) == (p->file.len > 0))
		return fault_set(f, ERR_BAD_REQUEST, name,
		    "'%s' must have an image_url or a file_id", name);
	canon_data_url(&part);
	p->url = part.url;
	p->type = part.media_type;
	p->base64 = part.data;
	if (part.data.p != NULL && json_raw(doc, url, &len) != NULL)
		chat->task.bulk += len;
	if (part.data.p != NULL && (!canon_is_base64(part.data) ||
	    part.media_type.len < 7 ||
	    memcmp(part.media_type.p, "image/", 6) != 0))
		return fault_set(f, ERR_BAD_REQUEST, name,
		    "'%s' is no image as base64", name);
	return ERR_OK;
}

static enum err
read_refs(struct arena *a, struct chat *chat, struct picture *list,
    struct fault *f)
{
	static const struct {
		const char *name;
		enum picture_role role;
	} more[] = { { "mask", PICTURE_MASK }, { "markup", PICTURE_MARKUP } };
	const struct json *doc = &chat->doc;
	uint32_t v, images = json_get(doc, JSON_ROOT, "images");
	enum err e = ERR_OK;
	struct picture *p;
	size_t i;

	for (v = json_first(doc, images); v != JSON_NONE && e == ERR_OK;
	    v = json_next(doc, images, v)) {
		p = &list[chat->task.media++];
		memset(p, 0, sizeof *p);
		e = read_ref(a, chat, v, "images", p, f);
	}
	for (i = 0; i < COUNT(more) && e == ERR_OK; i++) {
		v = json_get(doc, JSON_ROOT, more[i].name);
		if (v == JSON_NONE || json_type(doc, v) == JSON_NULL)
			continue;
		p = &list[chat->task.media++];
		memset(p, 0, sizeof *p);
		p->role = more[i].role;
		e = read_ref(a, chat, v, more[i].name, p, f);
	}
	return e;
}

/* ------------------------------------------------------------ reading */

static size_t
count_of(const struct chat *chat, enum picture_role role)
{
	size_t i, n = 0;

	for (i = 0; i < chat->task.media; i++)
		n += chat->task.pictures[i].role == role;
	return n;
}

static enum err
read_pictures(struct arena *a, struct chat *chat, size_t most,
    struct fault *f)
{
	const char *name = chat->form != NULL ? "image" : "images";
	size_t n = chat->form != NULL ? chat->form->count :
	    json_count(&chat->doc, json_get(&chat->doc, JSON_ROOT, name)) + 2;
	struct picture *list;
	enum err e;

	if (n > FORM_PARTS)
		return fault_set(f, ERR_BAD_REQUEST, name,
		    "more than %zu images", most);
	list = arena_alloc(a, n * sizeof *list + 1);
	if (list == NULL)
		return fault_memory(f);
	chat->task.pictures = list;
	chat->task.media = chat->task.bulk = 0;
	e = chat->form != NULL ? read_files(chat, list, f) :
	    read_refs(a, chat, list, f);
	n = e == ERR_OK ? count_of(chat, PICTURE_IMAGE) : 0;
	if (e == ERR_OK && n == 0)
		e = fault_set(f, ERR_BAD_REQUEST, name, "'%s' is missing",
		    name);
	if (e == ERR_OK && n > most)
		e = fault_set(f, ERR_BAD_REQUEST, name,
		    "more than %zu images", most);
	return e;
}

/* Tokens as we guess them: the bulk of a document is no text. */
static void
estimate(struct chat *chat)
{
	struct task *t = &chat->task;

	t->most[UNIT_SENT_IMAGE] = (int64_t)t->media;
	chat->input_estimate = IMAGES_SENT_TOKENS * (int64_t)t->media +
	    estimate_text_bytes((int64_t)(chat->doc.len - t->bulk));
}

static enum err
read_request(struct arena *a, struct chat *chat, const char *door,
    size_t most, struct fault *f)
{
	static const struct rd_member more[] = {
		{ "images", IS(ARRAY), "a list" },
		{ "mask", IS(OBJECT), "an object" },
		{ "markup", IS(OBJECT), "an object" },
		{ "input_fidelity", IS(STRING), "a string" },
	};
	enum err e = chat->form != NULL ? retype(a, chat, f) : ERR_OK;

	if (e == ERR_OK)
		e = images_read(a, chat, door, f);
	if (e == ERR_OK)
		e = read_pictures(a, chat, most, f);
	if (e == ERR_OK)
		e = rd_types(&chat->doc, more, COUNT(more), true, f);
	if (e == ERR_OK)
		estimate(chat);
	return e;
}

static enum err
edits_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	enum err e = read_request(a, chat, IMAGE_EDITS_DOOR, PICTURES, f);

	return e == ERR_OK ? images_need_prompt(chat, f) : e;
}

static enum err
variations_read_request(struct arena *a, struct chat *chat, struct fault *f)
{
	enum err e = read_request(a, chat, IMAGE_VARIATIONS_DOOR, 1, f);

	if (e == ERR_OK && chat->task.media > 1)
		e = fault_set(f, ERR_BAD_REQUEST, "mask",
		    "a variation has neither mask nor markup");
	return e;
}

/* ----------------------------------------------------------- pictures */

const struct picture *
images_mask(const struct chat *chat)
{
	size_t i;

	for (i = 0; i < chat->task.media; i++)
		if (chat->task.pictures[i].role == PICTURE_MASK)
			return &chat->task.pictures[i];
	return NULL;
}

enum err
images_only(const struct chat *chat, size_t most, bool mask,
    struct fault *f)
{
	if (count_of(chat, PICTURE_IMAGE) > most)
		return most == 0 ? fault_set(f, ERR_BAD_REQUEST, "image",
		    "the provider's model edits no images") :
		    fault_set(f, ERR_BAD_REQUEST, "image",
		    "the provider takes %zu images at most", most);
	if (!mask && images_mask(chat) != NULL)
		return fault_set(f, ERR_BAD_REQUEST, "mask",
		    "the provider takes no mask");
	if (count_of(chat, PICTURE_MARKUP) > 0)
		return fault_set(f, ERR_BAD_REQUEST, "markup",
		    "the provider takes no markup");
	return ERR_OK;
}

enum err
images_data(struct arena *a, const struct picture *p, struct str *out,
    struct fault *f)
{
	*out = p->base64;
	if (p->bytes.p != NULL)
		*out = canon_encode(a, p->bytes);
	else if (p->base64.p == NULL)
		return fault_set(f, ERR_BAD_REQUEST, "images",
		    "the provider takes images as data only, no URL or file");
	return out->p == NULL ? fault_memory(f) : ERR_OK;
}

enum err
images_url(struct arena *a, const struct picture *p, struct str *out,
    struct fault *f)
{
	struct part part = { .media_type = p->type };

	*out = p->url;
	if (p->url.p != NULL)
		return ERR_OK;
	if (p->file.p != NULL)
		return canon_refuse(f, "a file that another provider keeps");
	if (images_data(a, p, &part.data, f) != ERR_OK)
		return ERR_INTERNAL;
	*out = canon_data_text(a, &part, "image/png");
	return out->p == NULL ? fault_memory(f) : ERR_OK;
}

/* ----------------------------------------------------------- provider */

/* One picture in the form of a provider; url: of an image or its data. */
typedef void put_fn(struct json_writer *w, struct str url);

static void
put_plain(struct json_writer *w, struct str url)
{
	jw_stringn(w, url.p, url.len);
}

/* docs.x.ai/developers/model-capabilities/images/editing, read 2026-11 */
static void
put_xai(struct json_writer *w, struct str url)
{
	canon_begin(w, "image_url");
	canon_put_str(w, "url", url);
	jw_end_object(w);
}

/* openrouter.ai/docs: as a part of a chat */
static void
put_router(struct json_writer *w, struct str url)
{
	canon_begin(w, "image_url");
	jw_key(w, "image_url");
	jw_object(w);
	canon_put_str(w, "url", url);
	jw_end_object(w);
	jw_end_object(w);
}

/*
 * Where pictures stand at providers of the dialect who take no form. For
 * Together see docs.together.ai/docs/images-overview (read 2026-11): Kontext
 * has one, in a member of its own.
 */
static const struct way {
	unsigned quirk;
	const char *model; /* in its name; NULL: any */
	const char *path, *one, *many; /* members; one NULL: many has one too */
	size_t most;
	put_fn *put;
} ways[] = {
	{ QUIRK_IMAGE_RATIO, NULL, "images/edits", "image", "images",
	    XAI_PICTURES, put_xai },
	{ QUIRK_IMAGE_PIXELS, "ontext", "images/generations", "image_url",
	    NULL, 1, put_plain },
	{ QUIRK_IMAGE_PIXELS, NULL, "images/generations", NULL,
	    "reference_images", PICTURES, put_plain },
	{ QUIRK_IMAGES_PATH, NULL, "images", NULL, "input_references",
	    PICTURES, put_router },
};

static const struct way *
way_of(const struct deployment *d)
{
	size_t i;

	for (i = 0; i < COUNT(ways); i++)
		if ((d->provider->quirks & ways[i].quirk) != 0 &&
		    (ways[i].model == NULL ||
			strstr(d->model, ways[i].model) != NULL))
			return &ways[i];
	return NULL;
}

/* The pictures as the value of their member. */
static enum err
put_pictures(struct arena *a, const struct chat *chat, const struct way *way,
    struct str *out, struct fault *f)
{
	bool one = way->one != NULL && chat->task.media == 1;
	struct json_writer w;
	enum err e = ERR_OK;
	struct str url;
	struct buf b;
	size_t i;

	buf_init(&b, LIMIT_BODY_TEXT);
	jw_init(&w, &b);
	if (!one)
		jw_array(&w);
	for (i = 0; i < chat->task.media && e == ERR_OK; i++) {
		e = images_url(a, &chat->task.pictures[i], &url, f);
		if (e == ERR_OK)
			way->put(&w, url);
	}
	if (!one)
		jw_end_array(&w);
	*out = canon_take(a, &b);
	buf_free(&b);
	return e == ERR_OK && out->p == NULL ? fault_memory(f) : e;
}

static enum err
write_way(struct arena *a, const struct chat *chat,
    const struct deployment *d, const struct way *way,
    struct http_call *call, struct fault *f)
{
	struct str model = canon_quoted(a, d->model), pictures;
	enum err e = images_only(chat, way->most, false, f);
	struct edits edits;
	struct buf body;

	if (e == ERR_OK)
		e = put_pictures(a, chat, way, &pictures, f);
	if (e != ERR_OK || model.p == NULL)
		return e == ERR_OK ? fault_memory(f) : e;
	call->method = "POST";
	call->url = openai_url(a, d, way->path);
	edits_init(&edits, &chat->doc, a);
	edits_set(&edits, JSON_ROOT, "model", model.p, model.len);
	images_say(&edits, chat, d, a);
	edits_remove(&edits, JSON_ROOT, "images");
	edits_remove(&edits, JSON_ROOT, "input_fidelity");
	edits_set(&edits, JSON_ROOT, way->one != NULL &&
	    chat->task.media == 1 ? way->one : way->many, pictures.p,
	    pictures.len);
	buf_init(&body, LIMIT_BODY * 2);
	return canon_body(a, call, &body, edits_apply(&edits, &body) ?
	    ERR_OK : fault_memory(f), f);
}

static enum err
edits_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	const struct way *way = way_of(d);

	/* Fireworks edits in a job that is asked after: not in one call. */
	if ((d->provider->quirks & QUIRK_IMAGE_WORKFLOW) != 0)
		return fault_set(f, ERR_BAD_REQUEST, NULL,
		    "the provider edits no images in one call");
	if (way != NULL)
		return write_way(a, chat, d, way, call, f);
	return chat->form != NULL ?
	    openai_pass_form(a, chat, d, "images/edits", call, f) :
	    openai_pass_on(a, chat, d, "images/edits", call, f);
}

static enum err
variations_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	return way_of(d) == NULL ?
	    openai_pass_form(a, chat, d, "images/variations", call, f) :
	    fault_set(f, ERR_BAD_REQUEST, "model",
		"the provider makes no variations of images");
}

#define PICTURES_DOOR(door, json, reader, writer)                            \
	{                                                                    \
		.name = door, .form = true, .or_json = json,                 \
		.large_events = true, .framing = FRAMING_SSE,                \
		.read_request = reader, .read_chat = images_read_chat,       \
		.write_reply = images_write_reply,                           \
		.write_delta = openai_pass_delta,                            \
		.write_error = openai_write_error,                           \
		.write_stream_error = images_write_stream_error,             \
		.write_request = writer, .read_reply = images_read_reply,    \
		.read_event = images_read_event,                             \
		.classify = errors_classify,                                 \
	}

const struct adapter adapter_image_edits = PICTURES_DOOR(IMAGE_EDITS_DOOR,
    true, edits_read_request, edits_write_request);
const struct adapter adapter_image_variations = PICTURES_DOOR(
    IMAGE_VARIATIONS_DOOR, false, variations_read_request,
    variations_write_request);
