/*
 * POST /v1/images/generations, /edits and /variations as OpenAI defines them
 * (platform.openai.com/docs/api-reference/images and the types of its SDKs,
 * 2026-11): the surfaces, and providers that speak the same. Other dialects'
 * providers find the prompt as the text of the one message, pictures in
 * task.pictures, all else in the document, and give one choice of one
 * PART_IMAGE for each image. A form is read as the JSON that would say the
 * same.
 */
#ifndef TOLLGATE_ADAPTERS_IMAGES_H
#define TOLLGATE_ADAPTERS_IMAGES_H

#include "adapters/adapter.h"

#define IMAGES_DOOR "images"
#define IMAGE_EDITS_DOOR "image_edits"
#define IMAGE_VARIATIONS_DOOR "image_variations"

/* Input tokens of a picture that was sent, about: those of Gemini's. */
#define IMAGES_SENT_TOKENS 1120

enum picture_role {
	PICTURE_IMAGE,
	PICTURE_MASK,  /* transparent where the first image is to change */
	PICTURE_MARKUP /* drawn over the first image */
};

/* A picture that was sent: one of bytes, base64, url, file. */
struct picture {
	enum picture_role role;
	struct str type;   /* "image/png", by its first bytes; "" with a url */
	struct str bytes;  /* of a form */
	struct str base64; /* of a data: URL, checked */
	struct str url;
	struct str file;   /* id of one that the provider keeps */
};

/* "size": "1536x1024". False: not said, "auto", or no such thing. */
bool images_size(const struct chat *chat, int64_t *width, int64_t *height);

/*
 * That size as the nearest of a provider's ratios, by the logarithm of width
 * through height; NULL: no size was said.
 */
const char *images_ratio(const struct chat *chat, const char *const *ratios,
    size_t count);

/*
 * What the doors read alike, into the first part of chat. ERR_BAD_REQUEST
 * where it is wrong; the prompt may be missing.
 */
enum err images_read(struct arena *a, struct chat *chat, const char *door,
    struct fault *f);
enum err images_need_prompt(const struct chat *chat, struct fault *f);

/* The mask that was sent, or NULL. */
const struct picture *images_mask(const struct chat *chat);

/*
 * ERR_BAD_REQUEST for more images than a provider takes, for a markup, and for
 * a mask where it takes none.
 */
enum err images_only(const struct chat *chat, size_t most, bool mask,
    struct fault *f);

/*
 * A picture as base64, or as a URL (of its data, where it has none).
 * ERR_BAD_REQUEST: it is not there as such.
 */
enum err images_data(struct arena *a, const struct picture *p,
    struct str *out, struct fault *f);
enum err images_url(struct arena *a, const struct picture *p,
    struct str *out, struct fault *f);

/* Size and form in the words of a provider of the dialect, by its quirks. */
void images_say(struct edits *e, const struct chat *chat,
    const struct deployment *d, struct arena *a);

/* The prompt; the chat was read whole. */
struct str images_prompt(const struct chat *chat);

/* ERR_BAD_REQUEST where a stream is asked of those who have none. */
enum err images_no_stream(const struct chat *chat, struct fault *f);

/*
 * How many images the part of the request that is being written asks for, at
 * most so many in one call; sets call->parts.
 */
int64_t images_slice(const struct chat *chat, struct http_call *call,
    int64_t most);

/* The provider made none as its filter forbids it: reply->error says so. */
enum err images_refused(struct arena *a, struct reply *reply);

/* One more image of the answer: base64. ERR_BAD_UPSTREAM: it is none. */
enum err images_add(struct arena *a, struct reply *reply, struct str type,
    struct str base64, struct fault *f);

/*
 * All images are there: count them, and the tokens that they may have cost
 * where the provider tells none though it sells by them.
 * ERR_BAD_UPSTREAM: there are none.
 */
enum err images_counted(const struct chat *chat, const struct deployment *d,
    struct reply *reply, size_t count, struct fault *f);

/* struct adapter's functions, of all these doors. */
enum err images_read_chat(struct arena *a, struct chat *chat,
    struct fault *f);
enum err images_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);
enum err images_read_event(struct stream *s, const struct sse_event *ev,
    delta_fn *emit, void *arg, struct fault *f);
enum err images_write_reply(struct arena *a, const struct chat *chat,
    const struct reply *reply, const struct answer_meta *meta,
    struct buf *out);
void images_write_stream_error(struct stream *s, enum err e,
    const struct fault *f, const struct answer_meta *meta, struct buf *out);

extern const struct adapter adapter_images;
extern const struct adapter adapter_image_edits, adapter_image_variations;
extern const struct adapter adapter_gemini_images;
extern const struct adapter adapter_bedrock_images;

#endif
