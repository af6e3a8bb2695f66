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

struct maker {
	const char *mark; /* in the model's name, behind any region */
	int64_t most;	  /* images of one call */
	void (*write)(struct json_writer *w, const struct chat *chat,
	    int64_t count);
};

static void
write_amazon(struct json_writer *w, const struct chat *chat, int64_t count)
{
	int64_t width, height;

	canon_put_str(w, "taskType", canon_lit("TEXT_IMAGE"));
	jw_key(w, "textToImageParams");
	jw_object(w);
	canon_put_str(w, "text", images_prompt(chat));
	jw_end_object(w);
	jw_key(w, "imageGenerationConfig");
	jw_object(w);
	canon_put_int(w, "numberOfImages", count);
	if (images_size(chat, &width, &height)) {
		canon_put_int(w, "width", width);
		canon_put_int(w, "height", height);
	}
	jw_end_object(w);
}

static void
write_stability(struct json_writer *w, const struct chat *chat, int64_t count)
{
	static const char *const ratios[] = { "1:1", "2:3", "3:2", "4:5",
		"5:4", "9:16", "16:9", "9:21", "21:9" };
	const char *ratio = images_ratio(chat, ratios, COUNT(ratios));

	(void)count;
	canon_put_str(w, "prompt", images_prompt(chat));
	if (ratio != NULL)
		canon_put_str(w, "aspect_ratio", canon_lit(ratio));
}

static const struct maker makers[] = {
	{ "amazon.titan-image", 5, write_amazon },
	{ "amazon.nova-canvas", 5, write_amazon },
	{ "stability.stable-image-core", 1, write_stability },
	{ "stability.stable-image-ultra", 1, write_stability },
	{ "stability.sd3-5", 1, write_stability },
	{ "stability.sd3-large", 1, write_stability },
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
	struct json_writer w;
	struct buf body;
	enum err e = images_no_stream(chat, f);

	if (e != ERR_OK)
		return e;
	if (m == NULL)
		return fault_set(f, ERR_BAD_REQUEST, "model",
		    "of Bedrock's models those of Titan Image, Nova Canvas and "
		    "Stability alone make images here");
	call->method = "POST";
	call->url = arena_printf(a, "%s/model/%s/invoke",
	    d->provider->base_url, canon_segment(a, d->model));
	buf_init(&body, LIMIT_BODY_TEXT);
	jw_init(&w, &body);
	jw_object(&w);
	m->write(&w, chat, images_slice(chat, call, m->most));
	jw_end_object(&w);
	return canon_body(a, call, &body, ERR_OK, f);
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
