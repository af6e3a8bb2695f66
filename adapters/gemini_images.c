/*
 * Images at Google: generateContent of Gemini's image models, one image a call,
 * also of images (ai.google.dev/gemini-api/docs/image-generation), and predict
 * of Imagen, up to four (ai.google.dev/gemini-api/docs/imagen,
 * cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api).
 */
#include <string.h>

#include "adapters/canon.h"
#include "adapters/errors.h"
#include "adapters/gemini.h"
#include "adapters/images.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

#define PREDICTIONS 4 /* of one call */
#define PICTURES 16 /* that are sent; how many a model takes, it says */
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *const gemini_ratios[] = { "1:1", "2:3", "3:2", "3:4",
	"4:3", "4:5", "5:4", "9:16", "16:9", "21:9" };
static const char *const imagen_ratios[] = { "1:1", "3:4", "4:3", "9:16",
	"16:9" };

static bool
is_imagen(const struct deployment *d)
{
	return strstr(d->model, "imagen") != NULL;
}

/* Those of the third generation make larger ones: what both sides need. */
static const char *
resolution(const struct chat *chat, const struct deployment *d)
{
	int64_t w, h;

	if (!gemini_needs_proof(d->model) || !images_size(chat, &w, &h))
		return NULL;
	w = w > h ? w : h;
	return w >= 4096 ? "4K" : w >= 2048 ? "2K" : NULL;
}

/* A picture that was sent, as a part. */
static enum err
write_picture(struct json_writer *w, struct arena *a,
    const struct picture *p, struct fault *f)
{
	bool inl = p->url.p == NULL && p->file.p == NULL;
	struct str s;
	enum err e = inl ? images_data(a, p, &s, f) : images_url(a, p, &s, f);

	if (e != ERR_OK)
		return e;
	jw_object(w);
	jw_key(w, inl ? "inlineData" : "fileData");
	jw_object(w);
	canon_put_str(w, "mimeType", p->type.len > 0 ? p->type :
	    canon_lit(canon_url_type(s, "image/png")));
	canon_put_str(w, inl ? "data" : "fileUri", s);
	jw_end_object(w);
	jw_end_object(w);
	return ERR_OK;
}

static enum err
write_content(struct json_writer *w, struct arena *a,
    const struct chat *chat, const struct deployment *d, struct fault *f)
{
	const char *ratio = images_ratio(chat, gemini_ratios,
	    COUNT(gemini_ratios)), *size = resolution(chat, d);
	enum err e = ERR_OK;
	size_t i;

	jw_key(w, "contents");
	jw_array(w);
	jw_object(w);
	canon_put_str(w, "role", canon_lit("user"));
	jw_key(w, "parts");
	jw_array(w);
	jw_object(w);
	canon_put_str(w, "text", images_prompt(chat));
	jw_end_object(w);
	for (i = 0; i < chat->task.media && e == ERR_OK; i++)
		e = write_picture(w, a, &chat->task.pictures[i], f);
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
	jw_key(w, "generationConfig");
	jw_object(w);
	jw_key(w, "responseModalities");
	jw_array(w);
	jw_string(w, "TEXT"); /* the first ones refuse images alone */
	jw_string(w, "IMAGE");
	jw_end_array(w);
	if (ratio != NULL) {
		jw_key(w, "imageConfig");
		jw_object(w);
		jw_key(w, "aspectRatio");
		jw_string(w, ratio);
		if (size != NULL) {
			jw_key(w, "imageSize");
			jw_string(w, size);
		}
		jw_end_object(w);
	}
	jw_end_object(w);
	return e;
}

static enum err
write_predict(struct json_writer *w, const struct chat *chat, int64_t count)
{
	const char *ratio = images_ratio(chat, imagen_ratios,
	    COUNT(imagen_ratios));

	jw_key(w, "instances");
	jw_array(w);
	jw_object(w);
	canon_put_str(w, "prompt", images_prompt(chat));
	jw_end_object(w);
	jw_end_array(w);
	jw_key(w, "parameters");
	jw_object(w);
	canon_put_int(w, "sampleCount", count);
	if (ratio != NULL) {
		jw_key(w, "aspectRatio");
		jw_string(w, ratio);
	}
	jw_end_object(w);
	return ERR_OK;
}

static enum err
gemini_images_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	int64_t most = is_imagen(d) ? PREDICTIONS : 1, count;
	struct json_writer w;
	struct buf body;
	enum err e = images_no_stream(chat, f);

	if (e == ERR_OK)
		e = images_only(chat, is_imagen(d) ? 0 : PICTURES, false, f);
	if (e != ERR_OK)
		return e;
	count = images_slice(chat, call, most);
	call->method = "POST";
	call->url = arena_printf(a, "%s/models/%s:%s", d->provider->base_url,
	    d->model, is_imagen(d) ? "predict" : "generateContent");
	buf_init(&body, LIMIT_BODY_TEXT);
	jw_init(&w, &body);
	jw_object(&w);
	e = is_imagen(d) ? write_predict(&w, chat, count) :
	    write_content(&w, a, chat, d, f);
	jw_end_object(&w);
	return canon_body(a, call, &body, e, f);
}

/* The images among what a candidate says; drafts of its thoughts are none. */
static enum err
take_parts(struct arena *a, struct reply *reply, const struct choice *c,
    struct fault *f)
{
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < c->part_count && e == ERR_OK; i++)
		if (c->parts[i].kind == PART_IMAGE)
			e = images_add(a, reply, c->parts[i].media_type,
			    c->parts[i].data, f);
	return e;
}

static enum err
read_content(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct reply said = *reply;
	enum err e;
	size_t i;

	e = gemini_read_reply(a, chat, d, body, len, &said, f);
	reply->error = said.error;
	if (e != ERR_OK || reply->error != NULL)
		return e;
	reply->usage = said.usage;
	reply->id = said.id;
	reply->model = said.model;
	for (i = 0; i < said.choice_count && e == ERR_OK; i++)
		e = take_parts(a, reply, &said.choices[i], f);
	if (e == ERR_OK && reply->choice_count == 0 &&
	    said.finish == FINISH_CONTENT)
		return images_refused(a, reply);
	return e;
}

static enum err
read_predictions(struct arena *a, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	uint32_t list, v;
	struct json doc;
	bool filtered = false;
	enum err e;

	e = reply_parse(a, body, len, &doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	list = json_get(&doc, JSON_ROOT, "predictions");
	for (v = json_first(&doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(&doc, list, v)) {
		if (json_get(&doc, v, "raiFilteredReason") != JSON_NONE)
			filtered = true;
		else
			e = images_add(a, reply, canon_str(&doc,
			    json_get(&doc, v, "mimeType"), a), canon_str(&doc,
			    json_get(&doc, v, "bytesBase64Encoded"), a), f);
	}
	/* Nothing at all is what it says to a prompt that it refuses. */
	if (e == ERR_OK && reply->choice_count == 0 &&
	    (filtered || json_type(&doc, JSON_ROOT) == JSON_OBJECT))
		return images_refused(a, reply);
	return e;
}

static enum err
gemini_images_read(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	enum err e = is_imagen(d) ? read_predictions(a, body, len, reply, f) :
	    read_content(a, chat, d, body, len, reply, f);

	if (e != ERR_OK || reply->error != NULL)
		return e;
	reply->from = &adapter_gemini_images;
	return images_counted(chat, d, reply, reply->choice_count, f);
}

const struct adapter adapter_gemini_images = {
	.name = "gemini_images",
	.write_request = gemini_images_write,
	.read_reply = gemini_images_read,
	.classify = errors_classify,
};
