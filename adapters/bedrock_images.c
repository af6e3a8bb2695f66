/*
 * Images on Bedrock: InvokeModel, whose body is that of the model's maker
 * (docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html,
 * read 2026-11; /bedrock/latest/userguide, "Amazon Titan Image Generator" and
 * "Stability AI").
 */
#include <string.h>

#include "adapters/bedrock.h"
#include "adapters/canon.h"
#include "adapters/images.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define PNG_COLOURS 25 /* where a PNG says what it is made of */
#define PNG_ALPHA 4    /* a bit of that */
#define STRENGTH "0.7" /* how far Stability's go from an image, 0 to 1 */

/* A request being written. */
struct writing {
	struct json_writer w;
	struct arena *arena;
	const struct chat *chat;
	struct fault *fault;
	int64_t count; /* images of this call */
};

struct maker {
	const char *mark; /* in the model's name, behind any region */
	int64_t most;	  /* images of one call */
	size_t pictures;  /* that it takes */
	bool mask;
	enum err (*write)(struct writing *x);
};

/* "key": a picture as base64; no key within a list. */
static enum err
put_picture(struct writing *x, const char *key, const struct picture *p)
{
	struct str s;
	enum err e = images_data(x->arena, p, &s, x->fault);

	if (e != ERR_OK)
		return e;
	if (key != NULL)
		jw_key(&x->w, key);
	jw_stringn(&x->w, s.p, s.len);
	return ERR_OK;
}

/*
 * Amazon's masks are black where the image is to change and white elsewhere,
 * and have no transparent pixels; OpenAI's are transparent there. Nothing is
 * painted here: one with transparency is refused.
 */
static enum err
check_mask(struct writing *x, const struct picture *mask)
{
	struct str file = mask->bytes;

	if (mask->base64.p != NULL)
		file = canon_decode(x->arena, (struct str){ mask->base64.p,
		    mask->base64.len < 64 ? mask->base64.len : 64 });
	if (canon_is(mask->type, "image/png") && file.len > PNG_COLOURS &&
	    (file.p[PNG_COLOURS] & PNG_ALPHA) == 0)
		return ERR_OK;
	return fault_set(x->fault, ERR_BAD_REQUEST, "mask",
	    "the provider takes a PNG of black (to change) and white pixels "
	    "without transparency only");
}

/* The image, changed where the mask says. */
static enum err
write_painting(struct writing *x, const struct picture *mask)
{
	const struct picture *image = mask == x->chat->task.pictures ?
	    mask + 1 : x->chat->task.pictures;
	enum err e = check_mask(x, mask);

	if (e == ERR_OK && x->chat->task.media > 2)
		e = fault_set(x->fault, ERR_BAD_REQUEST, "image",
		    "the provider paints one image where a mask says");
	canon_put_str(&x->w, "taskType", canon_lit("INPAINTING"));
	jw_key(&x->w, "inPaintingParams");
	jw_object(&x->w);
	canon_put_str(&x->w, "text", images_prompt(x->chat));
	if (e == ERR_OK)
		e = put_picture(x, "image", image);
	if (e == ERR_OK)
		e = put_picture(x, "maskImage", mask);
	jw_end_object(&x->w);
	return e;
}

static enum err
write_variation(struct writing *x)
{
	struct str prompt = images_prompt(x->chat);
	enum err e = ERR_OK;
	size_t i;

	canon_put_str(&x->w, "taskType", canon_lit("IMAGE_VARIATION"));
	jw_key(&x->w, "imageVariationParams");
	jw_object(&x->w);
	if (prompt.len > 0)
		canon_put_str(&x->w, "text", prompt);
	jw_key(&x->w, "images");
	jw_array(&x->w);
	for (i = 0; i < x->chat->task.media && e == ERR_OK; i++)
		e = put_picture(x, NULL, &x->chat->task.pictures[i]);
	jw_end_array(&x->w);
	jw_end_object(&x->w);
	return e;
}

static enum err
write_new(struct writing *x)
{
	canon_put_str(&x->w, "taskType", canon_lit("TEXT_IMAGE"));
	jw_key(&x->w, "textToImageParams");
	jw_object(&x->w);
	canon_put_str(&x->w, "text", images_prompt(x->chat));
	jw_end_object(&x->w);
	return ERR_OK;
}

static enum err
write_amazon(struct writing *x)
{
	const struct picture *mask = images_mask(x->chat);
	struct json_writer *w = &x->w;
	int64_t width, height;
	enum err e;

	e = mask != NULL ? write_painting(x, mask) :
	    x->chat->task.media > 0 ? write_variation(x) : write_new(x);
	jw_key(w, "imageGenerationConfig");
	jw_object(w);
	canon_put_int(w, "numberOfImages", x->count);
	if (mask == NULL && images_size(x->chat, &width, &height)) {
		canon_put_int(w, "width", width);
		canon_put_int(w, "height", height);
	}
	jw_end_object(w);
	return e;
}

static enum err
write_stability(struct writing *x)
{
	static const char *const ratios[] = { "1:1", "2:3", "3:2", "4:5",
		"5:4", "9:16", "16:9", "9:21", "21:9" };
	const char *ratio = images_ratio(x->chat, ratios, COUNT(ratios));

	if (images_prompt(x->chat).len == 0)
		return fault_set(x->fault, ERR_BAD_REQUEST, "model",
		    "the provider's model makes nothing without a prompt");
	canon_put_str(&x->w, "prompt", images_prompt(x->chat));
	if (x->chat->task.media > 0) { /* it keeps the image's ratio */
		canon_put_str(&x->w, "mode", canon_lit("image-to-image"));
		canon_put_raw(&x->w, "strength", canon_lit(STRENGTH));
		return put_picture(x, "image", &x->chat->task.pictures[0]);
	}
	if (ratio != NULL)
		canon_put_str(&x->w, "aspect_ratio", canon_lit(ratio));
	return ERR_OK;
}

static const struct maker makers[] = {
	{ "amazon.titan-image", 5, 5, true, write_amazon },
	{ "amazon.nova-canvas", 5, 5, true, write_amazon },
	{ "stability.stable-image-core", 1, 0, false, write_stability },
	{ "stability.stable-image-ultra", 1, 0, false, write_stability },
	{ "stability.sd3-5", 1, 1, false, write_stability },
	{ "stability.sd3-large", 1, 1, false, write_stability },
};

static const struct maker *
maker_of(const struct deployment *d)
{
	size_t i;

	for (i = 0; i < COUNT(makers); i++)
		if (strstr(d->model, makers[i].mark) != NULL)
			return &makers[i];
	return NULL;
}

static enum err
bedrock_images_write(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f)
{
	const struct maker *m = maker_of(d);
	struct writing x = { .arena = a, .chat = chat, .fault = f };
	struct buf body;
	enum err e = images_no_stream(chat, f);

	if (e != ERR_OK)
		return e;
	if (m == NULL)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "of Bedrock's models those of Titan Image, Nova Canvas and "
		    "Stability alone make images here");
	e = images_only(chat, m->pictures, m->mask, f);
	if (e != ERR_OK)
		return e;
	call->method = "POST";
	call->url = arena_printf(a, "%s/model/%s/invoke",
	    d->provider->base_url, canon_segment(a, d->model));
	buf_init(&body, LIMIT_BODY_TEXT);
	jw_init(&x.w, &body);
	jw_object(&x.w);
	x.count = images_slice(chat, call, m->most);
	e = m->write(&x);
	jw_end_object(&x.w);
	return canon_body(a, call, &body, e, f);
}

/* {"images": [base64], "error" | "finish_reasons": why one is missing} */
static enum err
bedrock_images_read(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json doc;
	uint32_t list, v;
	enum err e;

	e = reply_parse(a, body, len, &doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	list = json_get(&doc, JSON_ROOT, "images");
	for (v = json_first(&doc, list); v != JSON_NONE && e == ERR_OK;
	    v = json_next(&doc, list, v))
		if (json_nonempty(&doc, v))
			e = images_add(a, reply, canon_lit("image/png"),
			    canon_str(&doc, v, a), f);
	if (e != ERR_OK)
		return e;
	if (reply->choice_count == 0 && json_count(&doc, json_get(&doc,
	    JSON_ROOT, "finish_reasons")) > 0)
		return images_refused(a, reply);
	reply->from = &adapter_bedrock_images;
	return images_counted(chat, d, reply, reply->choice_count, f);
}

const struct adapter adapter_bedrock_images = {
	.name = "bedrock_images",
	.error_header = "x-amzn-errortype",
	.write_request = bedrock_images_write,
	.read_reply = bedrock_images_read,
	.classify = bedrock_classify,
};
