/*
 * POST /v1/images/generations as OpenAI defines it (platform.openai.com/docs/
 * api-reference/images and the types of its SDKs, 2026-11): the
 * surface, and providers that speak the same. Other dialects' providers find
 * the prompt as the text of the one message, all else in the document, and
 * give one choice of one PART_IMAGE for each image.
 */
#ifndef TOLLGATE_ADAPTERS_IMAGES_H
#define TOLLGATE_ADAPTERS_IMAGES_H

#include "adapters/adapter.h"

#define IMAGES_DOOR "images"

/* "size": "1536x1024". False: not said, "auto", or no such thing. */
bool images_size(const struct chat *chat, int64_t *width, int64_t *height);

/*
 * That size as the nearest of a provider's ratios, by the logarithm of width
 * through height; NULL: no size was said.
 */
const char *images_ratio(const struct chat *chat, const char *const *ratios,
    size_t count);

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

extern const struct adapter adapter_images;
extern const struct adapter adapter_gemini_images;
extern const struct adapter adapter_bedrock_images;

#endif
