/* Images and speech, of every provider; requests may be forms. */
#include "tests/fuzz/door.h"

static const struct door_row rows[] = {
	{ "images", "images", "m", "http://p", 0, NULL },
	{ "images", "images", "m", "http://p",
	    QUIRK_IMAGES_PATH | QUIRK_IMAGE_PIXELS, NULL },
	{ "images", "gemini_images", "gemini-3-pro-image", "http://p",
	    0, NULL },
	{ "images", "gemini_images", "imagen-4.0", "http://p", 0, NULL },
	{ "images", "bedrock_images", "amazon.nova-canvas-v1:0", "http://p",
	    0, NULL },
	{ "images", "bedrock_images", "stability.sd3-5-large-v1:0", "http://p",
	    0, NULL },
	{ "speech", "speech", "m", "http://p", 0, NULL },
	{ "image_edits", "image_edits", "m", "http://p", 0, NULL },
	{ "image_edits", "image_edits", "m", "http://p",
	    QUIRK_IMAGE_RATIO, NULL },
	{ "image_edits", "image_edits", "m", "http://p",
	    QUIRK_IMAGES_PATH | QUIRK_IMAGE_PIXELS, NULL },
	{ "image_edits", "image_edits", "kontext", "http://p",
	    QUIRK_IMAGE_PIXELS, NULL },
	{ "image_edits", "gemini_images", "gemini-3-pro-image", "http://p",
	    0, NULL },
	{ "image_edits", "bedrock_images", "amazon.nova-canvas-v1:0",
	    "http://p", 0, NULL },
	{ "image_edits", "bedrock_images", "stability.sd3-5-large-v1:0",
	    "http://p", 0, NULL },
	{ "image_variations", "image_variations", "m", "http://p", 0, NULL },
	{ "image_variations", "bedrock_images", "amazon.nova-canvas-v1:0",
	    "http://p", 0, NULL },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return door_run(rows, sizeof rows / sizeof rows[0], data, size);
}
